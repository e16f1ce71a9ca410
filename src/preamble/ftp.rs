//! FTP AUTH TLS and AUTH SSL (RFC 4217).

use super::dialogue::{Dialogue, Next, Reply, Said, Turns};
use super::text::{contains, demands_tls, printable, starts_with};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// An FTP control connection.
#[derive(Debug, Default)]
pub(super) struct Ftp {
    turns: Turns,
    greeted: bool,
    /// The code of a reply of several lines that goes on, and whether it is a list of features.
    open: Option<u32>,
    offers: bool,
}

impl Dialogue for Ftp {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        facts.say(said);
        let line = said.line();
        if said.side == Side::Client {
            if starts_with(line, "AUTH TLS") || starts_with(line, "AUTH SSL") {
                facts.ask(said.mark);
                self.turns.ask();
                return Next::More;
            }
            self.turns.command();
            if starts_with(line, "USER") || starts_with(line, "PASS") {
                facts.go_on(said.mark);
            }
            return Next::More;
        }
        let reply = Reply::read(line);
        // Any line of a reply may hold the reason.
        if let Some(code) = reply.map(|reply| reply.code).or(self.open).filter(|code| *code >= 400 && demands_tls(line)) {
            facts.demand(printable(line), Some(code), said.mark);
        }
        if let Some(open) = self.open {
            self.offers |= open == 211 && contains(line, "AUTH") && (contains(line, "TLS") || contains(line, "SSL"));
            facts.look_for_overwriting(line);
            if !reply.is_some_and(|reply| reply.last && reply.code == open) {
                return Next::More;
            }
        }
        let Some(reply) = reply else { return Next::More };
        if !reply.last {
            self.open = Some(reply.code);
            return Next::More;
        }
        if self.open.take() == Some(211) {
            facts.listed(std::mem::take(&mut self.offers), said.mark);
        }
        if !std::mem::replace(&mut self.greeted, true) && matches!(reply.code, 120 | 220 | 421) {
            self.greeted = reply.code != 120;
            if reply.code == 421 {
                facts.turn_away(printable(line), Some(reply.code), said.mark);
            }
            return Next::More;
        }
        let asked = facts.upgrade == Upgrade::Asked;
        if asked && matches!(reply.code, 234 | 334) {
            facts.decide(Upgrade::Granted, printable(line), Some(reply.code), said.mark);
            return Next::Tls;
        }
        if self.turns.reply() || asked && reply.code == 421 {
            let upgrade = if (400..500).contains(&reply.code) { Upgrade::Unavailable } else { Upgrade::Refused };
            facts.decide(upgrade, printable(line), Some(reply.code), said.mark);
        }
        if reply.code == 230 {
            facts.do_without();
        }
        // logged in, in clear
        if reply.code == 230 && !asked { Next::Never } else { Next::More }
    }
}
