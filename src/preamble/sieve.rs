//! `ManageSieve` STARTTLS (RFC 5804 section 2.2).

use super::dialogue::{Dialogue, Next, Said, Turns};
use super::text::{contains, demands_tls, printable, starts_with};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// A `ManageSieve` dialogue. The server's greeting is its list of capabilities.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    turns: Turns,
    listing: bool,
    offers: bool,
}

impl Dialogue for Sieve {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        facts.say(said);
        let line = said.line();
        if said.side == Side::Client {
            if self.turns.asks(said, "STARTTLS", facts) {
                return Next::More;
            }
            if starts_with(line, "AUTHENTICATE") {
                self.turns.command();
                facts.go_on(said.mark);
            } else if ["CAPABILITY", "NOOP", "LOGOUT"].iter().any(|word| starts_with(line, word)) {
                self.turns.command();
            }
            return Next::More;
        }
        if line.starts_with(b"\"") {
            self.listing = true;
            self.offers |= starts_with(line, "\"STARTTLS\"");
            let word: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'"').collect();
            facts.look_for_overwriting(&word);
            return Next::More;
        }
        let (good, bad, bye) = (starts_with(line, "OK"), starts_with(line, "NO"), starts_with(line, "BYE"));
        if !good && !bad && !bye {
            return Next::More;
        }
        if std::mem::take(&mut self.listing) {
            facts.listed(std::mem::take(&mut self.offers), said.mark);
        }
        if self.turns.reply() {
            if good {
                facts.decide(Upgrade::Granted, printable(line), None, said.mark);
                return Next::Tls;
            }
            let later = bye || contains(line, "TRYLATER") || contains(line, "temporar");
            facts.refuse(said, later);
        } else if bad && (contains(line, "ENCRYPT-NEEDED") || demands_tls(line)) {
            facts.demand(printable(line), None, said.mark);
        } else if bye {
            facts.turn_away(printable(line), None, said.mark);
        }
        Next::More
    }
}
