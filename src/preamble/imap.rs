//! IMAP STARTTLS (RFC 9051 section 6.2.1).

use super::dialogue::{Dialogue, Next, Said};
use super::text::{contains, demands_tls, printable, words};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// An IMAP dialogue.
#[derive(Debug, Default)]
pub(super) struct Imap {
    /// The tag of the STARTTLS command.
    tag: Vec<u8>,
    secret: bool,
}

impl Dialogue for Imap {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let line = said.line();
        if said.side == Side::Client {
            if facts.say_or_hide(said, std::mem::take(&mut self.secret)) {
                return Next::More;
            }
            let mut parts = words(line);
            let (tag, command) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            facts.look_for_overwriting(command);
            if command.eq_ignore_ascii_case(b"STARTTLS") {
                tag.clone_into(&mut self.tag);
                facts.ask(said.mark);
            } else if command.eq_ignore_ascii_case(b"LOGIN") || command.eq_ignore_ascii_case(b"AUTHENTICATE") {
                facts.go_on(said.mark);
            } else if ["SELECT", "EXAMINE", "LIST", "STATUS"].iter().any(|word| command.eq_ignore_ascii_case(word.as_bytes())) {
                facts.do_without();
            }
            return Next::More;
        }
        facts.say(said);
        self.secret = line.starts_with(b"+");
        let mut parts = words(line);
        let (tag, word) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if tag == b"*" {
            let code = contains(line, "[CAPABILITY");
            if code || word.eq_ignore_ascii_case(b"CAPABILITY") {
                let offers =
                    words(line).any(|word| word.trim_ascii_end().strip_suffix(b"]").unwrap_or(word).eq_ignore_ascii_case(b"STARTTLS"));
                facts.look_for_overwriting(line);
                facts.listed(offers, said.mark);
            }
            if word.eq_ignore_ascii_case(b"BYE") && matches!(facts.upgrade, Upgrade::Asked | Upgrade::NotAsked) && facts.went_on.is_none() {
                // also the answer to LOGOUT, which comes from a client that is done
                if !facts.lines.iter().any(|line| line.side == Side::Client && contains(line.text.as_bytes(), " LOGOUT")) {
                    facts.turn_away(printable(line), None, said.mark);
                }
            }
            return Next::More;
        }
        if facts.upgrade == Upgrade::Asked && tag == self.tag {
            if word.eq_ignore_ascii_case(b"OK") {
                facts.decide(Upgrade::Granted, printable(line), None, said.mark);
                return Next::Tls;
            }
            let later = contains(line, "[UNAVAILABLE]") || contains(line, "temporar");
            facts.refuse(said, later);
        } else if word.eq_ignore_ascii_case(b"NO") && demands_tls(line) {
            facts.demand(printable(line), None, said.mark);
        }
        Next::More
    }
}
