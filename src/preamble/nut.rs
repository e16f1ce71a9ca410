//! Network UPS Tools' `STARTTLS` (the network protocol of NUT, RFC 9271).

use super::dialogue::{Dialogue, Next, Said, Turns};
use super::text::{printable, starts_with};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// A dialogue with `upsd`. The client speaks first, each command is answered by a line or by a list.
#[derive(Debug, Default)]
pub(super) struct Nut {
    turns: Turns,
}

impl Dialogue for Nut {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let line = said.line();
        if said.side == Side::Client {
            if starts_with(line, "PASSWORD ") {
                facts.say_or_hide(said, true);
            } else {
                facts.say(said);
            }
            if self.turns.asks(said, "STARTTLS", facts) {
                return Next::More;
            }
            self.turns.command();
            facts.go_on(said.mark);
            // What was refused is done without, in clear, for as long as the connection lasts.
            return if facts.upgrade == Upgrade::NotAsked { Next::Never } else { Next::More };
        }
        facts.say(said);
        if !self.turns.reply() {
            return Next::More;
        }
        if starts_with(line, "OK") {
            facts.decide(Upgrade::Granted, printable(line), None, said.mark);
            return Next::Tls;
        }
        facts.refuse(said, false);
        Next::More
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::super::tests::{denied, granted};
    use super::*;

    #[test]
    fn a_power_supply_is_asked_first_of_all() {
        granted(3493, Dialect::Nut, &[(true, b"STARTTLS\n"), (false, b"OK STARTTLS\n")]);
        let refusal: [(bool, &[u8]); 2] = [(true, b"STARTTLS\n"), (false, b"ERR FEATURE-NOT-CONFIGURED\n")];
        let found = denied(3493, Dialect::Nut, Upgrade::Refused, &refusal);
        assert_eq!(found.answer.as_deref(), Some("ERR FEATURE-NOT-CONFIGURED"));
        let more: [(bool, &[u8]); 2] = [(true, b"PASSWORD secret\n"), (false, b"OK\n")];
        let found = denied(3493, Dialect::Nut, Upgrade::Refused, &[&refusal[..], &more].concat());
        assert!(found.went_on.is_some() && found.lines.iter().all(|line| !line.text.contains("secret")));
    }
}
