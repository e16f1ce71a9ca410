//! POP3 STLS (RFC 2595 section 4).

use super::dialogue::{Dialogue, Listing, Next, Said, Turns};
use super::text::{contains, demands_tls, printable, starts_with};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// A POP3 dialogue.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent conditions of one dialogue")]
pub(super) struct Pop3 {
    turns: Turns,
    greeted: bool,
    /// Commands sent whose replies are outstanding, the oldest in the lowest bit: 1 is a CAPA, behind a guard bit.
    lists: u64,
    listing: Listing,
    secret: bool,
}

impl Dialogue for Pop3 {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let line = said.line();
        if said.side == Side::Client {
            if facts.say_or_hide(said, std::mem::take(&mut self.secret)) {
                return Next::More;
            }
            if self.turns.asks(said, "STLS", facts) {
                self.push(false);
                return Next::More;
            }
            self.push(starts_with(line, "CAPA"));
            self.turns.command();
            let starts = |all: &[&str]| all.iter().any(|word| starts_with(line, word));
            if starts(&["USER", "PASS", "APOP", "AUTH "]) {
                facts.go_on(said.mark);
            } else if starts(&["STAT", "LIST", "UIDL", "RETR"]) {
                facts.do_without();
            }
            return Next::More;
        }
        facts.say(said);
        if self.listing.takes(said, "STLS", facts) {
            return Next::More;
        }
        let (good, bad) = (starts_with(line, "+OK"), starts_with(line, "-ERR"));
        if !good && !bad {
            self.secret = line.starts_with(b"+");
            return Next::More;
        }
        if !std::mem::replace(&mut self.greeted, true) && self.lists == 0 {
            if bad {
                facts.turn_away(printable(line), None, said.mark);
            }
            return Next::More;
        }
        let capabilities = self.pop();
        if self.turns.reply() {
            if good {
                facts.decide(Upgrade::Granted, printable(line), None, said.mark);
                return Next::Tls;
            }
            let later = contains(line, "[SYS/TEMP]") || contains(line, "[IN-USE]") || contains(line, "temporar");
            facts.refuse(said, later);
        } else if capabilities && good {
            self.listing.begin();
        } else if bad && demands_tls(line) {
            facts.demand(printable(line), None, said.mark);
        }
        Next::More
    }
}

impl Pop3 {
    fn push(&mut self, list: bool) {
        let guarded = self.lists.max(1);
        let count = guarded.ilog2();
        if count < 62 {
            self.lists = guarded & !(1 << count) | u64::from(list) << count | 1 << (count + 1);
        }
    }

    const fn pop(&mut self) -> bool {
        let list = self.lists > 1 && self.lists & 1 == 1;
        self.lists >>= 1;
        list
    }
}
