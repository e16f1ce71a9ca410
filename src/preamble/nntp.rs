//! NNTP STARTTLS (RFC 4642).

use super::dialogue::{Dialogue, Listing, Next, Reply, Said, Turns};
use super::text::{printable, starts_with};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// An NNTP dialogue.
#[derive(Debug, Default)]
pub(super) struct Nntp {
    turns: Turns,
    greeted: bool,
    listing: Listing,
}

impl Dialogue for Nntp {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        facts.say(said);
        let line = said.line();
        if said.side == Side::Client {
            if !self.turns.asks(said, "STARTTLS", facts) {
                self.turns.command();
                if ["AUTHINFO", "GROUP", "ARTICLE", "POST", "LIST "].iter().any(|word| starts_with(line, word)) {
                    facts.go_on(said.mark);
                }
            }
            return Next::More;
        }
        if self.listing.takes(said, "STARTTLS", facts) {
            return Next::More;
        }
        let Some(reply) = Reply::read(line) else { return Next::More };
        if !std::mem::replace(&mut self.greeted, true) && matches!(reply.code, 200 | 201 | 400 | 502) {
            if reply.code >= 400 {
                facts.turn_away(printable(line), Some(reply.code), said.mark);
            }
            return Next::More;
        }
        if reply.code == 382 && facts.upgrade == Upgrade::Asked {
            facts.decide(Upgrade::Granted, printable(line), Some(reply.code), said.mark);
            return Next::Tls;
        }
        if reply.code == ENCRYPTION_REQUIRED {
            facts.demand(printable(line), Some(reply.code), said.mark);
        }
        if self.turns.reply() {
            let upgrade = if matches!(reply.code, 400 | 403 | 580) { Upgrade::Unavailable } else { Upgrade::Refused };
            facts.decide(upgrade, printable(line), Some(reply.code), said.mark);
        } else if reply.code == 101 {
            self.listing.begin();
        }
        Next::More
    }
}

/// What the client wants takes encryption (RFC 4643 section 2.2, RFC 3977 section 3.2.1).
const ENCRYPTION_REQUIRED: u32 = 483;
