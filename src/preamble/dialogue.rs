//! What a dialect is to the machine: how its messages are framed, and what each one means for the upgrade.

use std::fmt::Debug;

use super::text::{HIDDEN, first_line, overwritten, printable, redacted, starts_with, trim_end, words};
use super::{Dialect, Line, PreambleFacts, Upgrade};
use crate::flow::Side;
use crate::limits::{PREAMBLE_BYTES, PREAMBLE_LINE_LEN, PREAMBLE_LINES};
use crate::time::Mark;

/// One dialect's state.
pub(super) trait Dialogue: Debug + Send + Sync {
    /// How far the message reaches that begins with `have`, which is not empty.
    fn extent(&self, side: Side, have: &[u8]) -> Extent {
        let _ = (side, have);
        Extent::Until(b'\n')
    }

    /// One message, whole or cut to the machine's bound.
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next;

    /// What the client says next belongs to the request that it has begun, and is no command sent ahead of TLS.
    fn negotiates(&self) -> bool {
        false
    }

    /// Bytes after which no TLS is to be expected any more.
    fn most(&self) -> usize {
        PREAMBLE_BYTES
    }

    /// The client begins TLS of its own accord.
    fn begun(&mut self, mark: Mark, facts: &mut PreambleFacts) {
        let _ = (mark, facts);
    }
}

/// The length of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Up to and with this byte.
    Until(u8),
    /// Not known before there are so many bytes.
    AtLeast(usize),
    /// So many bytes.
    Exactly(usize),
    /// This is not the dialect, or cannot be framed any more.
    Lost,
}

/// A message of one side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// Who says it.
    pub(super) side: Side,
    /// What, with its line end.
    pub(super) bytes: &'a [u8],
    /// The frame of its last byte.
    pub(super) mark: Mark,
}

impl<'a> Said<'a> {
    /// The message without line end.
    pub(super) fn line(&self) -> &'a [u8] {
        trim_end(self.bytes)
    }
}

/// What follows a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// More of the dialogue.
    More,
    /// TLS on both sides: on this side right behind the message.
    Tls,
    /// A tunnel is open or a header read: what follows is a dialogue of its own.
    Inner,
    /// Nobody will ask for TLS any more.
    Never,
}

/// Which reply answers the upgrade request, where commands may be sent ahead of their replies.
#[derive(Debug, Default)]
pub(super) struct Turns {
    open: u32,
    ahead: Option<u32>,
}

impl Turns {
    /// A command was sent.
    pub(super) const fn command(&mut self) {
        self.open = self.open.saturating_add(1);
    }

    /// The upgrade request was sent.
    pub(super) const fn ask(&mut self) {
        self.ahead = Some(self.open);
        self.command();
    }

    /// Whether a line of the client's is the upgrade request, which begins with this word; notes that it was sent.
    pub(super) fn asks(&mut self, said: &Said<'_>, word: &str, facts: &mut PreambleFacts) -> bool {
        facts.look_for_overwriting(said.line());
        let asks = starts_with(said.line(), word);
        if asks {
            facts.ask(said.mark);
            self.ask();
        }
        asks
    }

    /// A complete reply came: whether it answers the upgrade request.
    pub(super) const fn reply(&mut self) -> bool {
        self.open = self.open.saturating_sub(1);
        match self.ahead {
            Some(0) => {
                self.ahead = None;
                true
            }
            Some(ahead) => {
                self.ahead = Some(ahead - 1);
                false
            }
            None => false,
        }
    }
}

/// A list of capabilities, line by line up to one that is a full stop.
#[derive(Debug, Default)]
pub(super) struct Listing {
    under_way: bool,
    offers: bool,
}

impl Listing {
    /// One begins.
    pub(super) const fn begin(&mut self) {
        self.under_way = true;
    }

    /// Takes in a line of it, which offers the upgrade by this word. False where no list is under way.
    pub(super) fn takes(&mut self, said: &Said<'_>, word: &str, facts: &mut PreambleFacts) -> bool {
        let line = said.line();
        if self.under_way && line == b"." {
            self.under_way = false;
            facts.listed(std::mem::take(&mut self.offers), said.mark);
            return true;
        }
        if self.under_way {
            self.offers |= starts_with(line, word);
            facts.look_for_overwriting(line);
        }
        self.under_way
    }
}

/// A reply line of SMTP, FTP or NNTP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply<'a> {
    /// Three digits.
    pub(super) code: u32,
    /// No hyphen follows the digits.
    pub(super) last: bool,
    /// What follows.
    pub(super) text: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Reads `250-PIPELINING` or `220 ready`.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        let code = super::text::number(digits).filter(|code| *code >= 100)?;
        match rest.split_first() {
            None => Some(Self { code, last: true, text: rest }),
            Some((b' ', text)) => Some(Self { code, last: true, text }),
            Some((b'-', text)) => Some(Self { code, last: false, text }),
            Some(_) => None,
        }
    }
}

impl PreambleFacts {
    /// Nothing learnt yet.
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            upgrade: Upgrade::NotAsked,
            lines: Vec::new(),
            answer: None,
            code: None,
            target: None,
            offered: None,
            listed: None,
            stripped: None,
            injected: None,
            detail: None,
            went_on: None,
            asked: None,
            answered: None,
            outer: None,
        }
    }

    /// A reply in clear where TLS was promised: it takes the promise back. Other bytes mean nothing.
    pub(crate) fn fall_back(&mut self, bytes: &[u8], mark: Mark) {
        let line = trim_end(first_line(bytes));
        let refuses = match self.dialect {
            Dialect::Imap => starts_with(line, "* BYE "),
            Dialect::Pop3 => starts_with(line, "-ERR"),
            Dialect::Sieve => starts_with(line, "BYE ") || starts_with(line, "NO "),
            _ => false,
        };
        let (upgrade, code) = match Reply::read(line).map(|reply| reply.code) {
            _ if refuses => (Upgrade::Unavailable, None),
            Some(code @ 400..500) => (Upgrade::Unavailable, Some(code)),
            Some(code @ 500..600) => (Upgrade::Refused, Some(code)),
            _ => return,
        };
        if self.upgrade == Upgrade::Granted && self.dialect.is_starttls() {
            self.say(&Said { side: Side::Server, bytes: line, mark });
            (self.upgrade, self.answer, self.code, self.answered) = (upgrade, Some(printable(line)), code, Some(mark));
        }
    }

    /// Keeps a line of text.
    pub(super) fn say(&mut self, said: &Said<'_>) {
        if self.lines.len() < PREAMBLE_LINES {
            let line = said.line();
            let text = if said.side == Side::Client { redacted(line) } else { printable(line) };
            self.lines.push(Line { side: said.side, text, mark: said.mark });
        }
    }

    /// Keeps a line of text, or that there was one which is nobody's business. Returns whether it was that.
    pub(super) fn say_or_hide(&mut self, said: &Said<'_>, secret: bool) -> bool {
        if secret {
            self.describe(said, HIDDEN.to_owned());
        } else {
            self.say(said);
        }
        secret
    }

    /// Keeps the description of a binary message.
    pub(super) fn describe(&mut self, said: &Said<'_>, text: String) {
        if self.lines.len() < PREAMBLE_LINES {
            self.lines.push(Line { side: said.side, text, mark: said.mark });
        }
    }

    /// The client asks for TLS.
    pub(super) const fn ask(&mut self, mark: Mark) {
        self.upgrade = Upgrade::Asked;
        self.asked = Some(mark);
    }

    /// The server's capabilities hold the upgrade.
    pub(super) fn offer(&mut self) {
        self.offered = Some(true);
        if self.upgrade == Upgrade::NotOffered {
            self.upgrade = Upgrade::NotAsked;
            self.answered = None;
        }
    }

    /// The server's list of capabilities is complete; nothing happens if it held the upgrade.
    pub(super) fn listed(&mut self, found: bool, mark: Mark) {
        if found {
            self.offer();
        } else {
            self.offered = Some(false);
            if self.upgrade == Upgrade::NotAsked {
                self.upgrade = Upgrade::NotOffered;
                self.answered = Some(mark);
            }
        }
        self.listed = Some(mark);
    }

    /// The decisive answer.
    pub(super) fn decide(&mut self, upgrade: Upgrade, answer: String, code: Option<u32>, mark: Mark) {
        self.upgrade = upgrade;
        self.answer = Some(answer);
        self.code = code;
        self.answered = Some(mark);
    }

    /// The server says no in words: for now, or for good.
    pub(super) fn refuse(&mut self, said: &Said<'_>, for_now: bool) {
        let upgrade = if for_now { Upgrade::Unavailable } else { Upgrade::Refused };
        self.decide(upgrade, printable(said.line()), None, said.mark);
    }

    /// The server turns the client away, whatever was asked.
    pub(super) fn turn_away(&mut self, answer: String, code: Option<u32>, mark: Mark) {
        let upgrade = if self.upgrade == Upgrade::Asked { Upgrade::Unavailable } else { self.upgrade };
        self.decide(upgrade, answer, code, mark);
    }

    /// The server takes what the client does inside TLS only. Where it does not offer TLS, that is the fault.
    pub(super) fn demand(&mut self, answer: String, code: Option<u32>, mark: Mark) {
        if self.upgrade == Upgrade::NotAsked && self.offered != Some(false) {
            self.decide(Upgrade::Demanded, answer, code, mark);
        }
    }

    /// It took it in clear after all.
    pub(super) fn do_without(&mut self) {
        if self.upgrade == Upgrade::Demanded {
            (self.upgrade, self.answer, self.code, self.answered) = (Upgrade::NotAsked, None, None, None);
        }
    }

    /// The client does what it would do inside TLS.
    pub(super) fn go_on(&mut self, mark: Mark) {
        if !matches!(self.upgrade, Upgrade::Asked | Upgrade::Granted) {
            self.went_on.get_or_insert(mark);
        }
    }

    /// Looks for a word that a firewall wrote over.
    pub(super) fn look_for_overwriting(&mut self, line: &[u8]) {
        if self.stripped.is_none() {
            self.stripped = words(line).find(|word| overwritten(word)).map(printable);
        }
    }

    /// Keeps what came behind the upgrade request.
    pub(super) fn inject(&mut self, bytes: &[u8]) {
        let text = redacted(trim_end(bytes));
        match &mut self.injected {
            None => self.injected = Some(text),
            Some(all) if all.len() + text.len() < PREAMBLE_LINE_LEN => {
                all.push_str("\\r\\n");
                all.push_str(&text);
            }
            Some(_) => {}
        }
    }
}

/// Big-endian 16 bits at a place.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_be_bytes(*chunk))
}

/// Big-endian 32 bits at a place.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{denied, granted};
    use super::*;

    const C: bool = true;
    const S: bool = false;
    const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";

    fn postgres(message: &[u8]) -> Vec<u8> {
        let fields = [b"SFATAL\0C28000\0M", message, b"\0\0"].concat();
        [b"E", &u32::try_from(fields.len() + 4).unwrap().to_be_bytes()[..], &fields].concat()
    }

    #[test]
    fn a_server_may_demand_tls_in_clear() {
        let demands = |port, dialect, turns: &[(bool, &[u8])]| denied(port, dialect, Upgrade::Demanded, turns).answer.unwrap();
        let smtp: [(bool, &[u8]); 6] = [
            (S, b"220 mx ESMTP\r\n"),
            (C, b"EHLO a\r\n"),
            (S, b"250-mx\r\n250 STARTTLS\r\n"),
            (C, b"MAIL FROM:<a@b>\r\n"),
            (S, b"530 5.7.0 Must issue a STARTTLS command first\r\n"),
            (C, b"QUIT\r\n"),
        ];
        assert_eq!(demands(587, Dialect::Smtp, &smtp), "530 5.7.0 Must issue a STARTTLS command first");
        granted(587, Dialect::Smtp, &[&smtp[..5], &[(C, b"STARTTLS\r\n"), (S, b"220 go\r\n")]].concat());
        let imap: [(bool, &[u8]); 3] = [
            (S, b"* OK ready\r\n"),
            (C, b"a LOGIN joe x\r\n"),
            (S, b"a NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\r\n"),
        ];
        assert!(demands(143, Dialect::Imap, &imap).contains("PRIVACYREQUIRED"));
        let refused = postgres(b"no pg_hba.conf entry for host \"192.0.2.7\", user \"a\", database \"a\", no encryption");
        assert!(demands(5432, Dialect::Postgres, &[(C, STARTUP), (S, &refused)]).ends_with("no encryption"));
        let ftp: [(bool, &[u8]); 3] = [
            (S, b"220 Welcome\r\n"),
            (C, b"USER anonymous\r\n"),
            (S, b"421-Sorry, cleartext sessions and weak ciphers are not accepted on this server.\r\n421 Logout.\r\n"),
        ];
        assert!(demands(21, Dialect::Ftp, &ftp).contains("cleartext sessions"));
        let nntp: [(bool, &[u8]); 3] =
            [(S, b"200 news\r\n"), (C, b"AUTHINFO USER joe\r\n"), (S, b"483 Encryption or stronger authentication required\r\n")];
        assert!(demands(119, Dialect::Nntp, &nntp).starts_with("483"));
        let sieve: [(bool, &[u8]); 3] = [
            (S, b"\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK\r\n"),
            (C, b"AUTHENTICATE \"PLAIN\" \"AGpvZQB4\"\r\n"),
            (S, b"NO (ENCRYPT-NEEDED) \"Plaintext authentication disallowed\"\r\n"),
        ];
        assert!(demands(4190, Dialect::Sieve, &sieve).contains("ENCRYPT-NEEDED"));
        let stream = b"<?xml version='1.0'?><stream:stream to='a' xmlns='jabber:client' version='1.0'>";
        let features = b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
        for refusal in [
            &b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required/></failure>"[..],
            b"<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text>Use of STARTTLS required</text></stream:error>",
        ] {
            let auth = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>";
            let turns: [(bool, &[u8]); 5] = [(C, stream), (S, stream), (S, features), (C, auth), (S, refusal)];
            let answer = demands(5222, Dialect::Xmpp, &turns);
            assert!(answer.contains("encryption-required") || answer.contains("STARTTLS required"), "{answer}");
        }
        let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
        let stronger = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x0d\x04\0\x04\0";
        assert_eq!(demands(389, Dialect::Ldap, &[(C, bind), (S, stronger)]), "resultCode 13: confidentialityRequired");
    }

    #[test]
    fn other_refusals_demand_nothing() {
        let stays = |port, dialect, turns: &[(bool, &[u8])]| denied(port, dialect, Upgrade::NotAsked, turns);
        let wrong = postgres(b"password authentication failed for user \"a\"");
        stays(5432, Dialect::Postgres, &[(C, STARTUP), (S, &wrong)]);
        let mut smtp: Vec<(bool, &[u8])> =
            vec![(S, b"220 mx ESMTP\r\n"), (C, b"EHLO a\r\n"), (S, b"250-mx\r\n250 STARTTLS\r\n"), (C, b"MAIL FROM:<a@b>\r\n")];
        stays(25, Dialect::Smtp, &[&smtp[..], &[(S, b"530 5.7.1 Authentication required\r\n")]].concat());
        // It takes in clear from one what it refused to another.
        smtp.extend([(S, &b"530 5.7.0 Must issue a STARTTLS command first\r\n"[..]), (C, b"DATA\r\n"), (S, b"354 go\r\n")]);
        stays(25, Dialect::Smtp, &smtp);
        let imap: [(bool, &[u8]); 3] = [(S, b"* OK ready\r\n"), (C, b"a LOGIN joe x\r\n"), (S, b"a NO [AUTHENTICATIONFAILED] wrong\r\n")];
        stays(143, Dialect::Imap, &imap);
        stays(119, Dialect::Nntp, &[(S, b"200 news\r\n"), (C, b"AUTHINFO USER joe\r\n"), (S, b"481 Authentication failed\r\n")]);
        let sieve: [(bool, &[u8]); 3] = [
            (S, b"\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK\r\n"),
            (C, b"AUTHENTICATE \"PLAIN\" \"AGpvZQB4\"\r\n"),
            (S, b"NO \"Authentication failed.\"\r\n"),
        ];
        stays(4190, Dialect::Sieve, &sieve);
    }
}
