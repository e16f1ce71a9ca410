//! Whole dialogues: accepted, refused, not offered, unavailable, stripped, injected; any segmentation gives the same facts.

use proptest::prelude::*;

use super::{Dialect, Preamble, PreambleFacts, Step, Upgrade};
use crate::flow::Side;
use crate::time::{Mark, Timestamp};

/// A turn: client (`true`) or server, and bytes.
type Turn = (bool, Vec<u8>);

const C: bool = true;
const S: bool = false;

const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

fn turns(all: &[(bool, &[u8])]) -> Vec<Turn> {
    all.iter().map(|(who, bytes)| (*who, bytes.to_vec())).collect()
}

fn side(client: bool) -> Side {
    if client { Side::Client } else { Side::Server }
}

/// What came of a dialogue: the facts, and how many bytes of each side precede its TLS.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) facts: Option<PreambleFacts>,
    client_tls: Option<usize>,
    server_tls: Option<usize>,
    pub(super) not_tls: bool,
}

/// Feeds the turns, each cut into pieces of at most `piece` bytes. All pieces of a turn bear the turn's number as mark.
fn play(port: u16, all: &[Turn], piece: usize) -> Outcome {
    let mut preamble = Preamble::new(port);
    let (mut at, mut tls, mut not_tls) = ([0_usize; 2], [None; 2], false);
    for (number, (client, bytes)) in all.iter().enumerate() {
        let lane = usize::from(!*client);
        let mark = Mark { frame: number as u64 + 1, time: Timestamp::from_nanos(0) };
        for slice in bytes.chunks(piece.max(1)) {
            if tls[lane].is_some() {
                break;
            }
            match preamble.feed(side(*client), slice, mark) {
                Step::More => {}
                Step::Tls { before, consumed } => tls[lane] = Some(at[lane] + consumed - before.len()),
                Step::NotTls(_) => not_tls = true,
            }
            at[lane] += slice.len();
        }
    }
    Outcome { facts: preamble.into_facts(), client_tls: tls[0], server_tls: tls[1], not_tls }
}

/// Plays it whole and byte by byte, and wants the same.
pub(super) fn both(port: u16, all: &[(bool, &[u8])]) -> Outcome {
    let all = turns(all);
    let whole = play(port, &all, usize::MAX);
    for piece in [1, 2, 3, 7] {
        assert_eq!(whole, play(port, &all, piece), "pieces of {piece}");
    }
    whole
}

pub(super) fn facts(outcome: &Outcome) -> &PreambleFacts {
    outcome.facts.as_ref().unwrap()
}

/// The upgrade was granted, TLS begins on both sides behind all that was said in clear.
pub(super) fn granted(port: u16, dialect: Dialect, all: &[(bool, &[u8])]) -> PreambleFacts {
    let count = |who| all.iter().filter(|turn| turn.0 == who).map(|turn| turn.1.len()).sum::<usize>();
    let (client, server) = (count(C), count(S));
    let mut more = all.to_vec();
    more.push((C, HELLO));
    more.push((S, b"\x16\x03\x03\x00\x7a\x02\x00\x00"));
    let outcome = both(port, &more);
    assert_eq!((outcome.client_tls, outcome.server_tls), (Some(client), Some(server)));
    assert_eq!((facts(&outcome).dialect, facts(&outcome).upgrade), (dialect, Upgrade::Granted));
    outcome.facts.unwrap()
}

pub(super) fn denied(port: u16, dialect: Dialect, upgrade: Upgrade, all: &[(bool, &[u8])]) -> PreambleFacts {
    let outcome = both(port, all);
    assert_eq!((facts(&outcome).dialect, facts(&outcome).upgrade), (dialect, upgrade));
    assert_eq!((outcome.client_tls, outcome.server_tls), (None, None));
    outcome.facts.unwrap()
}

const EHLO_LIST: &[u8] = b"250-mail.lab.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n";

#[test]
fn smtp() {
    let hello: (bool, &[u8]) = (S, b"220 mail.lab.test ESMTP Postfix\r\n");
    let ehlo: (bool, &[u8]) = (C, b"EHLO client.lab.test\r\n");
    let ask: (bool, &[u8]) = (C, b"STARTTLS\r\n");
    let found = granted(25, Dialect::Smtp, &[hello, ehlo, (S, EHLO_LIST), ask, (S, b"220 2.0.0 Ready to start TLS\r\n")]);
    assert_eq!((found.offered, found.code), (Some(true), Some(220)));
    let found =
        denied(25, Dialect::Smtp, Upgrade::Unavailable, &[hello, ehlo, (S, EHLO_LIST), ask, (S, b"454 4.7.0 TLS not available\r\n")]);
    assert_eq!((found.answer.as_deref(), found.code), (Some("454 4.7.0 TLS not available"), Some(454)));
    let found = denied(25, Dialect::Smtp, Upgrade::Refused, &[hello, ehlo, (S, EHLO_LIST), ask, (S, b"502 5.5.1 no\r\n")]);
    assert_eq!(found.code, Some(502));
    let found = denied(25, Dialect::Smtp, Upgrade::NotOffered, &[hello, ehlo, (S, b"250-mail\r\n250 SIZE 1000\r\n")]);
    assert!(found.wanted_tls() && found.stripped.is_none());
    let found = denied(25, Dialect::Smtp, Upgrade::NotOffered, &[hello, ehlo, (S, b"250-mail\r\n250-XXXXXXXA\r\n250 SIZE\r\n")]);
    assert_eq!(found.stripped.as_deref(), Some("XXXXXXXA"));
    let found = denied(25, Dialect::Smtp, Upgrade::NotOffered, &[hello, ehlo, (S, b"250 mail\r\n"), (C, b"MAIL FROM:<a@b>\r\n")]);
    assert!(!found.wanted_tls());
}

#[test]
fn smtp_greeting_without_a_hint_waits_for_the_client() {
    let found = denied(2500, Dialect::Smtp, Upgrade::NotOffered, &[(S, b"220 hello\r\n"), (C, b"EHLO x\r\n"), (S, b"250 hello\r\n")]);
    assert_eq!(found.lines.len(), 3);
    denied(2500, Dialect::Ftp, Upgrade::Asked, &[(S, b"220 hello\r\n"), (C, b"AUTH TLS\r\n")]);
}

#[test]
fn smtp_commands_behind_starttls_are_injected() {
    let all: &[(bool, &[u8])] =
        &[(S, b"220 m ESMTP\r\n"), (C, b"EHLO x\r\n"), (S, EHLO_LIST), (C, b"STARTTLS\r\nMAIL FROM:<evil@x>\r\n"), (S, b"220 go\r\n")];
    let found = granted(25, Dialect::Smtp, all);
    assert_eq!(found.injected.as_deref(), Some("MAIL FROM:<evil@x>"));
}

#[test]
fn smtp_pipelined_refusal_is_matched_to_its_command() {
    let all: &[(bool, &[u8])] =
        &[(S, b"220 m ESMTP\r\n"), (C, b"EHLO x\r\nNOOP\r\nSTARTTLS\r\n"), (S, EHLO_LIST), (S, b"500 no NOOP here\r\n454 later\r\n")];
    assert_eq!(denied(25, Dialect::Smtp, Upgrade::Unavailable, all).code, Some(454));
}

#[test]
fn a_client_hello_in_spite_of_a_refusal_begins_tls_and_the_answer_is_plaintext() {
    let all: &[(bool, &[u8])] = &[
        (S, b"220 m ESMTP\r\n"),
        (C, b"EHLO x\r\n"),
        (S, b"250-m\r\n250 SIZE\r\n"),
        (C, b"STARTTLS\r\n"),
        (S, b"502 5.5.1 not implemented\r\n"),
        (C, HELLO),
        (S, b"500 5.5.2 bad syntax\r\n"),
    ];
    let outcome = both(25, all);
    assert_eq!((outcome.client_tls, outcome.server_tls, outcome.not_tls), (Some(18), None, true));
    assert_eq!((facts(&outcome).upgrade, facts(&outcome).offered, facts(&outcome).code), (Upgrade::Refused, Some(false), Some(502)));
}

#[test]
fn imap() {
    let hello: (bool, &[u8]) = (S, b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready.\r\n");
    let found = granted(143, Dialect::Imap, &[hello, (C, b"a1 STARTTLS\r\n"), (S, b"* 0 noise\r\na1 OK Begin TLS\r\n")]);
    assert_eq!(found.offered, Some(true));
    denied(143, Dialect::Imap, Upgrade::Refused, &[hello, (C, b"a1 STARTTLS\r\n"), (S, b"a1 BAD unknown\r\n")]);
    denied(143, Dialect::Imap, Upgrade::Unavailable, &[hello, (C, b"a1 STARTTLS\r\n"), (S, b"a1 NO [UNAVAILABLE] no key\r\n")]);
    let stripped: (bool, &[u8]) = (S, b"* OK [CAPABILITY IMAP4rev1 XXXXXXXA LOGINDISABLED] ready.\r\n");
    let found = denied(143, Dialect::Imap, Upgrade::NotOffered, &[stripped]);
    assert_eq!(found.stripped.as_deref(), Some("XXXXXXXA"));
    let later: &[(bool, &[u8])] = &[
        (S, b"* OK [CAPABILITY IMAP4rev1] ready.\r\n"),
        (C, b"a CAPABILITY\r\n"),
        (S, b"* CAPABILITY IMAP4rev1 STARTTLS\r\na OK done\r\n"),
    ];
    denied(143, Dialect::Imap, Upgrade::NotAsked, later);
}

#[test]
fn pop3() {
    let hello: (bool, &[u8]) = (S, b"+OK Dovecot ready.\r\n");
    granted(110, Dialect::Pop3, &[hello, (C, b"CAPA\r\n"), (S, b"+OK\r\nTOP\r\nSTLS\r\n.\r\n"), (C, b"STLS\r\n"), (S, b"+OK Begin\r\n")]);
    let found = denied(110, Dialect::Pop3, Upgrade::NotOffered, &[hello, (C, b"CAPA\r\n"), (S, b"+OK\r\nTOP\r\nXXXX\r\n.\r\n")]);
    assert_eq!(found.stripped.as_deref(), Some("XXXX"));
    denied(110, Dialect::Pop3, Upgrade::Refused, &[hello, (C, b"STLS\r\n"), (S, b"-ERR unknown\r\n")]);
    denied(110, Dialect::Pop3, Upgrade::Unavailable, &[hello, (C, b"STLS\r\n"), (S, b"-ERR [SYS/TEMP] later\r\n")]);
    let secret = denied(110, Dialect::Pop3, Upgrade::NotAsked, &[hello, (C, b"USER joe\r\n"), (S, b"+OK\r\n"), (C, b"PASS hunter2\r\n")]);
    assert!(secret.lines.iter().all(|line| !line.text.contains("hunter2")));
}

#[test]
fn ftp() {
    let hello: (bool, &[u8]) = (S, b"220 (vsFTPd 3.0.3)\r\n");
    granted(21, Dialect::Ftp, &[hello, (C, b"AUTH TLS\r\n"), (S, b"234 Proceed.\r\n")]);
    let second: &[(bool, &[u8])] =
        &[hello, (C, b"AUTH TLS\r\n"), (S, b"504 Unknown AUTH type.\r\n"), (C, b"AUTH SSL\r\n"), (S, b"334 Using AUTH type SSL\r\n")];
    granted(21, Dialect::Ftp, second);
    denied(21, Dialect::Ftp, Upgrade::Refused, &[hello, (C, b"AUTH TLS\r\n"), (S, b"530 Please login with USER and PASS.\r\n")]);
    denied(21, Dialect::Ftp, Upgrade::Unavailable, &[hello, (C, b"AUTH TLS\r\n"), (S, b"431 Unable to accept security mechanism\r\n")]);
    denied(21, Dialect::Ftp, Upgrade::NotOffered, &[hello, (C, b"FEAT\r\n"), (S, b"211-Features:\r\n UTF8\r\n211 End\r\n")]);
    let offered: &[(bool, &[u8])] =
        &[hello, (C, b"FEAT\r\n"), (S, b"211-Features:\r\n AUTH TLS\r\n PBSZ\r\n211 End\r\n"), (C, b"AUTH TLS\r\n"), (S, b"234 ok\r\n")];
    assert_eq!(granted(21, Dialect::Ftp, offered).offered, Some(true));
}

const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

#[test]
fn ldap() {
    let found = granted(389, Dialect::Ldap, &[(C, START_TLS), (S, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")]);
    assert_eq!(found.code, Some(0));
    let refused = b"\x30\x2a\x02\x01\x01\x78\x25\x0a\x01\x02\x04\x00\x04\x1eunsupported extended operation";
    let found = denied(389, Dialect::Ldap, Upgrade::Refused, &[(C, START_TLS), (S, refused), (C, b"\x30\x05\x02\x01\x02\x42\x00")]);
    assert_eq!(found.answer.as_deref(), Some("resultCode 2: protocolError: unsupported extended operation"));
    assert_eq!(found.injected, None);
    denied(389, Dialect::Ldap, Upgrade::Unavailable, &[(C, START_TLS), (S, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00")]);
    let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
    assert!(denied(389, Dialect::Ldap, Upgrade::NotAsked, &[(C, bind)]).went_on.is_some());
}

#[test]
fn xmpp() {
    let open: (bool, &[u8]) = (C, b"<?xml version='1.0'?><stream:stream to='lab.test' version='1.0'>");
    let features: (bool, &[u8]) =
        (S, b"<?xml version='1.0'?><stream:stream from='lab.test'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    let ask: (bool, &[u8]) = (C, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    granted(5222, Dialect::Xmpp, &[open, features, ask, (S, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")]);
    denied(
        5222,
        Dialect::Xmpp,
        Upgrade::Refused,
        &[open, features, ask, (S, b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>")],
    );
    let without: (bool, &[u8]) = (S, b"<stream:stream from='lab.test'><stream:features><mechanisms></mechanisms></stream:features>");
    denied(5222, Dialect::Xmpp, Upgrade::NotOffered, &[open, without]);
    let error: (bool, &[u8]) = (S, b"<stream:stream><stream:error><host-unknown xmlns='x'/></stream:error>");
    assert!(denied(5222, Dialect::Xmpp, Upgrade::NotAsked, &[open, error]).answer.unwrap().contains("host-unknown"));
}

const SSL_REQUEST: &[u8] = b"\x00\x00\x00\x08\x04\xd2\x16\x2f";
const GSS_REQUEST: &[u8] = b"\x00\x00\x00\x08\x04\xd2\x16\x30";

#[test]
fn postgres() {
    granted(5432, Dialect::Postgres, &[(C, SSL_REQUEST), (S, b"S")]);
    granted(5432, Dialect::Postgres, &[(C, GSS_REQUEST), (S, b"N"), (C, SSL_REQUEST), (S, b"S")]);
    denied(5432, Dialect::Postgres, Upgrade::Refused, &[(C, SSL_REQUEST), (S, b"N")]);
    let error = b"E\x00\x00\x00\x30SFATAL\x00C53300\x00Msorry, too many clients\x00\x00\x00\x00\x00\x00\x00";
    let found = denied(5432, Dialect::Postgres, Upgrade::Unavailable, &[(C, SSL_REQUEST), (S, error)]);
    assert!(found.answer.unwrap().contains("53300"));
    let startup = b"\x00\x00\x00\x10\x00\x03\x00\x00user\x00a\x00\x00";
    assert!(both(5432, &[(C, startup), (S, b"R\x00\x00\x00\x08\x00\x00\x00\x00")]).not_tls);
}

fn mysql_greeting(tls: bool) -> Vec<u8> {
    let mut payload = b"\x0a8.0.36\0\x04\0\0\0abcdefgh\0".to_vec();
    payload.extend_from_slice(if tls { b"\xfe\xff" } else { b"\xfe\xf7" });
    payload.extend_from_slice(&[0x2d; 40]);
    let mut packet = vec![u8::try_from(payload.len()).unwrap(), 0, 0, 0];
    packet.append(&mut payload);
    packet
}

#[test]
fn mysql() {
    let mut request = b"\x20\x00\x00\x01\x85\xae\x7f\x00".to_vec();
    request.resize(36, 0);
    granted(3306, Dialect::Mysql, &[(S, &mysql_greeting(true)), (C, &request)]);
    denied(3306, Dialect::Mysql, Upgrade::NotOffered, &[(S, &mysql_greeting(false))]);
    let blocked = b"\x20\x00\x00\x00\xff\x10\x04Too many connections          ";
    let found = denied(3306, Dialect::Mysql, Upgrade::NotAsked, &[(S, &blocked[..36])]);
    assert_eq!(found.code, Some(1040));
    let mut login = b"\x40\x00\x00\x01\x85\xa6\x7f\x00".to_vec();
    login.resize(68, b'u');
    let outcome = both(3306, &[(S, &mysql_greeting(false)), (C, &login), (S, b"\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00")]);
    assert!(outcome.not_tls && !facts(&outcome).wanted_tls());
    let secure = b"\x1b\x00\x00\x02\xff\x57\x0c#HY000insecure transport";
    let found = denied(3306, Dialect::Mysql, Upgrade::Demanded, &[(S, &mysql_greeting(true)), (C, &login), (S, &secure[..31])]);
    assert_eq!(found.code, Some(3159));
}

#[test]
fn rdp() {
    let ask: (bool, &[u8]) = (C, b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00");
    granted(3389, Dialect::Rdp, &[ask, (S, b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00")]);
    let found = denied(
        3389,
        Dialect::Rdp,
        Upgrade::Refused,
        &[ask, (S, b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x03\x00\x08\x00\x05\x00\x00\x00")],
    );
    assert_eq!(found.answer.as_deref(), Some("negotiation failure 5: HYBRID_REQUIRED_BY_SERVER"));
    let unknown = (S, &b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x03\x00\x08\x00\x05\x01\x00\x00"[..]);
    let found = denied(3389, Dialect::Rdp, Upgrade::Refused, &[ask, unknown]);
    assert_eq!(found.answer.as_deref(), Some("negotiation failure 261: unknown code"));
    denied(3389, Dialect::Rdp, Upgrade::NotOffered, &[ask, (S, b"\x03\x00\x00\x0b\x06\xd0\x00\x00\x12\x34\x00")]);
    let cookie = b"\x03\x00\x00\x2a\x25\xe0\x00\x00\x00\x00\x00Cookie: mstshash=joe\r\n\x01\x00\x08\x00\x0b\x00\x00\x00\x00";
    let found = denied(3389, Dialect::Rdp, Upgrade::Asked, &[(C, cookie)]);
    assert!(found.detail.unwrap().starts_with("TLS, CredSSP"));
}

fn prelogin(kind: u8, encryption: u8) -> Vec<u8> {
    let options = [0x00, 0, 11, 0, 6, 0x01, 0, 17, 0, 1, 0xff, 9, 0, 0, 0, 0, 0, encryption];
    let mut packet = vec![kind, 1, 0, 26, 0, 0, 0, 0];
    packet.extend_from_slice(&options);
    packet
}

#[test]
fn tds() {
    granted(1433, Dialect::Tds, &[(C, &prelogin(0x12, 1)), (S, &prelogin(0x04, 1))]);
    denied(1433, Dialect::Tds, Upgrade::Refused, &[(C, &prelogin(0x12, 1)), (S, &prelogin(0x04, 2))]);
    let demanded = granted(1433, Dialect::Tds, &[(C, &prelogin(0x12, 2)), (S, &prelogin(0x04, 3))]);
    assert_eq!((demanded.code, demanded.offered, demanded.asked), (Some(3), Some(true), None));
    denied(1433, Dialect::Tds, Upgrade::NotAsked, &[(C, &prelogin(0x12, 2)), (S, &prelogin(0x04, 2))]);
    let mut unwrap = super::tds::Unwrap::default();
    let mut out = Vec::new();
    let stream =
        [b"\x12\x01\x00\x0c\x00\x00\x00\x00\x16\x03".as_slice(), b"\x01\x00", b"\x12\x01\x00\x09\x00\x00\x00\x00\x05\x17\x03\x03"].concat();
    for byte in stream.chunks(1) {
        unwrap.feed(byte, |run| out.extend_from_slice(run));
    }
    assert_eq!(out, b"\x16\x03\x01\x00\x05\x17\x03\x03");
}

#[test]
fn vnc() {
    const VERSION: &[u8] = b"RFB 003.008\n";
    let begin: [(bool, &[u8]); 2] = [(S, VERSION), (C, VERSION)];
    let play = |more: &[(bool, &'static [u8])]| [&begin[..], more].concat();
    let chosen: [(bool, &[u8]); 8] = [
        (S, &[2, 2, 19]),
        (C, &[19]),
        (S, &[0, 2]),
        (C, &[0, 2]),
        (S, &[0]),
        (S, &[2, 0, 0, 1, 4, 0, 0, 1, 5]),
        (C, &[0, 0, 1, 4]),
        (S, &[1]),
    ];
    let facts = granted(5900, Dialect::Vnc, &play(&chosen));
    assert_eq!((facts.offered, facts.detail.as_deref(), facts.injected), (Some(true), Some("X509None"), None));
    let left = denied(5900, Dialect::Vnc, Upgrade::Asked, &play(&chosen[..6]));
    assert_eq!((left.detail.as_deref(), left.injected), (Some("X509None, X509Vnc"), None));
    let plain = [&chosen[..5], &[(S, &[1, 0, 0, 1, 0][..])]].concat();
    assert!(denied(5900, Dialect::Vnc, Upgrade::NotOffered, &play(&plain)).wanted_tls());
    let password = [&plain[..], &[(C, &[0, 0, 1, 0][..])]].concat();
    assert!(!denied(5900, Dialect::Vnc, Upgrade::NotOffered, &play(&password)).wanted_tls());
    granted(5900, Dialect::Vnc, &play(&[(S, &[1, 18]), (C, &[18])]));
    let refused = [&chosen[..7], &[(S, &[0][..])]].concat();
    denied(5900, Dialect::Vnc, Upgrade::Refused, &play(&refused));
    let lacking = denied(5901, Dialect::Vnc, Upgrade::NotOffered, &play(&[(S, &[1, 2])]));
    assert!(lacking.wanted_tls());
    let clear = denied(5901, Dialect::Vnc, Upgrade::NotOffered, &play(&[(S, &[1, 2]), (C, &[2])]));
    assert!(!clear.wanted_tls(), "it went on with a password");
    let full = denied(5900, Dialect::Vnc, Upgrade::NotAsked, &play(&[(S, b"\0\0\0\0\x04busy")]));
    assert_eq!(full.answer.as_deref(), Some("busy"));
    denied(5900, Dialect::Vnc, Upgrade::NotAsked, &[(S, VERSION), (C, b"RFB 003.003\n"), (S, &[0, 0, 0, 2])]);
}

#[test]
fn nntp_sieve_irc() {
    let news: (bool, &[u8]) = (S, b"200 news.lab.test InterNetNews ready\r\n");
    granted(119, Dialect::Nntp, &[news, (C, b"STARTTLS\r\n"), (S, b"382 Continue\r\n")]);
    denied(119, Dialect::Nntp, Upgrade::Unavailable, &[news, (C, b"STARTTLS\r\n"), (S, b"580 Can not initiate\r\n")]);
    denied(119, Dialect::Nntp, Upgrade::Refused, &[news, (C, b"STARTTLS\r\n"), (S, b"500 What?\r\n")]);
    denied(119, Dialect::Nntp, Upgrade::NotOffered, &[news, (C, b"CAPABILITIES\r\n"), (S, b"101 list\r\nREADER\r\n.\r\n")]);
    let sieve: (bool, &[u8]) = (S, b"\"IMPLEMENTATION\" \"Dovecot\"\r\n\"STARTTLS\"\r\nOK \"ready.\"\r\n");
    granted(4190, Dialect::Sieve, &[sieve, (C, b"STARTTLS\r\n"), (S, b"OK \"Begin TLS\"\r\n")]);
    denied(4190, Dialect::Sieve, Upgrade::Refused, &[sieve, (C, b"STARTTLS\r\n"), (S, b"NO \"no\"\r\n")]);
    denied(4190, Dialect::Sieve, Upgrade::Unavailable, &[sieve, (C, b"STARTTLS\r\n"), (S, b"NO (TRYLATER) \"x\"\r\n")]);
    denied(4190, Dialect::Sieve, Upgrade::NotOffered, &[(S, b"\"IMPLEMENTATION\" \"Dovecot\"\r\nOK \"ready.\"\r\n")]);
    let notice: (bool, &[u8]) = (S, b":irc.lab.test NOTICE * :*** Looking up your hostname\r\n");
    granted(6667, Dialect::Irc, &[notice, (C, b"STARTTLS\r\n"), (S, b":irc.lab.test 670 * :STARTTLS successful, go ahead\r\n")]);
    denied(6667, Dialect::Irc, Upgrade::Refused, &[notice, (C, b"STARTTLS\r\n"), (S, b":irc.lab.test 691 * :failure\r\n")]);
    denied(
        6667,
        Dialect::Irc,
        Upgrade::NotOffered,
        &[notice, (C, b"CAP LS 302\r\n"), (S, b":irc.lab.test CAP * LS :multi-prefix sasl\r\n")],
    );
}

#[test]
fn http_connect() {
    let ask: (bool, &[u8]) = (C, b"CONNECT www.lab.test:443 HTTP/1.1\r\nHost: www.lab.test:443\r\n\r\n");
    let found = granted(3128, Dialect::HttpConnect, &[ask, (S, b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")]);
    assert_eq!(found.target.as_deref(), Some("www.lab.test:443"));
    let found = denied(
        3128,
        Dialect::HttpConnect,
        Upgrade::Refused,
        &[ask, (S, b"HTTP/1.1 403 Access violation\r\nServer: tinyproxy\r\n\r\n<html>")],
    );
    assert_eq!(found.answer.as_deref(), Some("HTTP/1.1 403 Access violation"));
    denied(3128, Dialect::HttpConnect, Upgrade::UpstreamFailed, &[ask, (S, b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n")]);
    let auth: (bool, &[u8]) =
        (S, b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 5\r\n\r\nhello");
    let found = denied(3128, Dialect::HttpConnect, Upgrade::AuthRequired, &[ask, auth]);
    assert_eq!(found.detail.as_deref(), Some("Proxy-Authenticate: Basic realm=\"x\""));
    let again: (bool, &[u8]) = (C, b"CONNECT www.lab.test:443 HTTP/1.1\r\nProxy-Authorization: Basic Zm9vOmJhcg==\r\n\r\n");
    let found = granted(3128, Dialect::HttpConnect, &[ask, auth, again, (S, b"HTTP/1.1 200 OK\r\n\r\n")]);
    assert!(found.lines.iter().all(|line| !line.text.contains("Zm9v")));
}

#[test]
fn a_proxys_page_may_be_long() {
    let page = "<p>Log in first.</p>\n".repeat(2_000);
    let told = format!("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: {}\r\n\r\n{page}", page.len());
    let untold = format!("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n{page}");
    let ask: (bool, &[u8]) = (C, b"CONNECT www.lab.test:443 HTTP/1.1\r\n\r\n");
    for answer in [told, untold] {
        let cut: Vec<(bool, &[u8])> = answer.as_bytes().chunks(1448).map(|part| (S, part)).collect();
        let again: (bool, &[u8]) = (C, b"CONNECT www.lab.test:443 HTTP/1.1\r\nProxy-Authorization: Basic Zm9vOmJhcg==\r\n\r\n");
        granted(3128, Dialect::HttpConnect, &[&[ask][..], &cut, &[again, (S, b"HTTP/1.1 200 OK\r\n\r\n")]].concat());
    }
}

#[test]
fn a_tunnel_may_hold_another_dialogue_or_no_tls_at_all() {
    let ask: (bool, &[u8]) = (C, b"CONNECT mail:25 HTTP/1.1\r\n\r\n");
    let all: &[(bool, &[u8])] = &[
        ask,
        (S, b"HTTP/1.1 200 OK\r\n\r\n220 mail ESMTP\r\n"),
        (C, b"EHLO x\r\n"),
        (S, EHLO_LIST),
        (C, b"STARTTLS\r\n"),
        (S, b"220 go\r\n"),
    ];
    let found = granted(3128, Dialect::Smtp, all);
    assert_eq!(found.outer.unwrap().dialect, Dialect::HttpConnect);
    let ssh = both(3128, &[(C, b"CONNECT h:22 HTTP/1.1\r\n\r\n"), (S, b"HTTP/1.1 200 OK\r\n\r\n"), (S, b"SSH-2.0-OpenSSH_9.2\r\n")]);
    assert!(ssh.not_tls);
    assert_eq!(facts(&ssh).dialect, Dialect::HttpConnect);
}

#[test]
fn socks() {
    granted(1080, Dialect::Socks4, &[(C, b"\x04\x01\x01\xbb\x0a\x4d\x02\x14\x00"), (S, b"\x00\x5a\x01\xbb\x0a\x4d\x02\x14")]);
    let named = b"\x04\x01\x01\xbb\x00\x00\x00\x01joe\x00www.lab.test\x00";
    let found = denied(1080, Dialect::Socks4, Upgrade::Refused, &[(C, named), (S, b"\x00\x5b\x00\x00\x00\x00\x00\x00")]);
    assert_eq!(found.target.as_deref(), Some("www.lab.test:443"));
    let methods: (bool, &[u8]) = (C, b"\x05\x02\x00\x01");
    let ask: (bool, &[u8]) = (C, b"\x05\x01\x00\x03\x0cwww.lab.test\x01\xbb");
    let found = granted(1080, Dialect::Socks5, &[methods, (S, b"\x05\x00"), ask, (S, b"\x05\x00\x00\x01\0\0\0\0\0\0")]);
    assert_eq!(found.target.as_deref(), Some("www.lab.test:443"));
    let found =
        denied(1080, Dialect::Socks5, Upgrade::UpstreamFailed, &[methods, (S, b"\x05\x00"), ask, (S, b"\x05\x05\x00\x01\0\0\0\0\0\0")]);
    assert_eq!(found.answer.as_deref(), Some("reply 5: connection refused"));
    denied(1080, Dialect::Socks5, Upgrade::AuthRequired, &[methods, (S, b"\x05\xff")]);
    let login: &[(bool, &[u8])] = &[(C, b"\x05\x01\x02"), (S, b"\x05\x02"), (C, b"\x01\x03joe\x02pw"), (S, b"\x01\x01")];
    let found = denied(1080, Dialect::Socks5, Upgrade::AuthRequired, login);
    assert!(found.lines.iter().all(|line| !line.text.contains("pw")));
    let login: &[(bool, &[u8])] =
        &[(C, b"\x05\x01\x02"), (S, b"\x05\x02"), (C, b"\x01\x03joe\x02pw"), (S, b"\x01\x00"), ask, (S, b"\x05\x00\x00\x01\0\0\0\0\0\0")];
    granted(1080, Dialect::Socks5, login);
}

#[test]
fn proxy_headers() {
    let v1: &[u8] = b"PROXY TCP4 10.99.0.7 10.77.2.20 51234 443\r\n";
    let found = both(443, &[(C, &[v1, HELLO].concat()), (S, b"\x16\x03\x03\x00\x7a\x02\x00\x00")]);
    assert_eq!((found.client_tls, found.server_tls), (Some(v1.len()), Some(0)));
    assert_eq!(facts(&found).target.as_deref(), Some("10.99.0.7:51234 to 10.77.2.20:443"));
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x1b\x0a\x63\x00\x07\x0a\x4d\x02\x14\xc8\x22\x01\xbb".to_vec();
    v2.extend_from_slice(b"\x02\x00\x0cwww.lab.test");
    let found = both(443, &[(C, &[&v2, HELLO].concat())]);
    assert_eq!(found.client_tls, Some(v2.len()));
    assert_eq!(facts(&found).target.as_deref(), Some("10.99.0.7:51234 to 10.77.2.20:443"));
    assert_eq!(facts(&found).detail.as_deref(), Some("AUTHORITY www.lab.test"));
    // a server that does not expect the header answers in clear before the ClientHello
    let found = both(443, &[(C, v1), (S, b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"), (C, HELLO)]);
    assert_eq!((found.client_tls, found.server_tls, found.not_tls), (Some(v1.len()), None, true));
    // behind the header, a mail server speaks first
    let mail: &[(bool, &[u8])] = &[(C, v1), (S, b"220 mail ESMTP\r\n"), (C, b"STARTTLS\r\n"), (S, b"220 go\r\n")];
    let found = granted(25, Dialect::Smtp, mail);
    assert_eq!(found.layers().map(|layer| layer.dialect).collect::<Vec<_>>(), [Dialect::Smtp, Dialect::ProxyV1]);
}

#[test]
fn what_is_clearly_not_tls_is_told_at_once() {
    for (who, bytes) in [
        (C, &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..]),
        (C, b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        (S, b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        (S, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ] {
        assert!(both(443, &[(who, bytes)]).not_tls, "{bytes:?}");
    }
    let mut preamble = Preamble::new(443);
    let page = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'y'; 300], b"\r\n\r\n<title>Blocked</title>"].concat();
    let Step::NotTls(found) = preamble.feed(Side::Server, &page, Mark::default()) else { panic!("HTTP is no TLS") };
    assert_eq!(found.title.as_deref(), Some("Blocked"));
}

#[test]
fn a_server_greeting_after_a_client_hello_is_plaintext() {
    let mut preamble = Preamble::new(25);
    preamble.begun(Side::Client);
    let Step::NotTls(found) = preamble.feed(Side::Server, b"220 mail.lab.test ESMTP\r\n", Mark::default()) else {
        panic!("a greeting is no TLS")
    };
    assert_eq!((found.protocol, found.first.as_str()), ("SMTP", "220 mail.lab.test ESMTP"));
}

#[test]
fn tls_may_begin_in_a_dialogue_that_is_not_understood() {
    let outcome =
        play(5900, &turns(&[(S, b"RFB 003.008\n"), (C, b"RFB 003.008\n"), (S, b"\x01\x13"), (C, b"\x13"), (C, HELLO)]), usize::MAX);
    assert_eq!(outcome.client_tls, Some(13));
}

#[test]
fn the_amount_read_is_bounded() {
    let mut preamble = Preamble::new(25);
    assert_eq!(preamble.feed(Side::Server, b"220 m ESMTP\r\n", Mark::default()), Step::More);
    let mut ended = false;
    for _ in 0..100 {
        ended |= matches!(preamble.feed(Side::Client, &[b'x'; 1000], Mark::default()), Step::NotTls(_));
    }
    assert!(ended);
}

fn piece() -> impl Strategy<Value = Turn> {
    let known: Vec<Vec<u8>> = vec![
        b"220 m ESMTP\r\n".to_vec(),
        b"EHLO x\r\n".to_vec(),
        EHLO_LIST.to_vec(),
        b"STARTTLS\r\n".to_vec(),
        b"* OK ready\r\n".to_vec(),
        b"+OK\r\n".to_vec(),
        SSL_REQUEST.to_vec(),
        b"S".to_vec(),
        START_TLS.to_vec(),
        mysql_greeting(true),
        prelogin(0x12, 1),
        b"CONNECT a:1 HTTP/1.1\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n".to_vec(),
        b"\x05\x01\x00".to_vec(),
        b"\x05\x00".to_vec(),
        b"<stream:stream>".to_vec(),
        HELLO.to_vec(),
    ];
    (any::<bool>(), prop_oneof![4 => prop::sample::select(known), 1 => prop::collection::vec(any::<u8>(), 0..40)])
}

proptest! {
    #[test]
    fn arbitrary_dialogues_never_panic_and_stay_bounded(all in prop::collection::vec(piece(), 0..12), port in prop::sample::select(vec![25_u16, 443, 21, 3306, 1080]), size in 1_usize..50) {
        let outcome = play(port, &all, size);
        if let Some(facts) = outcome.facts {
            for layer in facts.layers() {
                prop_assert!(layer.lines.len() <= crate::limits::PREAMBLE_LINES);
                for line in &layer.lines {
                    prop_assert!(!line.text.chars().any(char::is_control));
                }
            }
        }
    }

    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(1_usize..20, 40)) {
        let all = turns(&[(S, b"220 m ESMTP\r\n"), (C, b"EHLO x\r\n"), (S, EHLO_LIST), (C, b"STARTTLS\r\n"), (S, b"220 go\r\n"), (C, HELLO)]);
        let whole = play(25, &all, usize::MAX);
        let mut preamble = Preamble::new(25);
        let mut sizes = cuts.into_iter().cycle();
        for (number, (client, bytes)) in all.iter().enumerate() {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (now, after) = rest.split_at(sizes.next().unwrap().min(rest.len()));
                let _ = preamble.feed(side(*client), now, Mark { frame: number as u64 + 1, time: Timestamp::from_nanos(0) });
                rest = after;
            }
        }
        prop_assert_eq!(preamble.into_facts(), whole.facts);
    }
}
