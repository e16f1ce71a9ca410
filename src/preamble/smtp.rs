//! SMTP and LMTP STARTTLS (RFC 3207).

use super::dialogue::{Dialogue, Next, Reply, Said, Turns};
use super::text::{HIDDEN, demands_tls, printable, starts_with};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// An SMTP dialogue.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent conditions of one dialogue")]
pub(super) struct Smtp {
    turns: Turns,
    greeted: bool,
    /// EHLO or LHLO was sent, its list is awaited.
    list_due: bool,
    list_found: bool,
    list_lines: u32,
    /// The server asked for a step of a login: the next client line is a credential.
    secret: bool,
}

impl Dialogue for Smtp {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        match said.side {
            Side::Client => self.command(said, facts),
            Side::Server => self.reply(said, facts),
        }
    }
}

impl Smtp {
    fn command(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        if std::mem::take(&mut self.secret) {
            facts.describe(said, HIDDEN.to_owned());
            return Next::More;
        }
        facts.say(said);
        let line = said.line();
        facts.look_for_overwriting(line.split(|byte| *byte == b' ').next().unwrap_or_default());
        if starts_with(line, "STARTTLS") {
            facts.ask(said.mark);
            self.turns.ask();
            return Next::More;
        }
        self.turns.command();
        if starts_with(line, "EHLO") || starts_with(line, "LHLO") {
            self.list_due = true;
        } else if starts_with(line, "MAIL") || starts_with(line, "AUTH") {
            facts.go_on(said.mark);
        }
        Next::More
    }

    fn reply(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        facts.say(said);
        let line = said.line();
        let Some(reply) = Reply::read(line) else { return Next::More };
        if reply.code == 250 && (self.list_due || !reply.last || self.list_lines > 0) {
            self.list_found |= self.list_lines > 0 && starts_with(reply.text.trim_ascii(), "STARTTLS");
            facts.look_for_overwriting(reply.text);
            self.list_lines += 1;
            if reply.last {
                facts.listed(self.list_found, said.mark);
                (self.list_due, self.list_found, self.list_lines) = (false, false, 0);
            }
        }
        if !reply.last {
            return Next::More;
        }
        if reply.code == 220 && facts.upgrade == Upgrade::Asked && self.greeted {
            facts.decide(Upgrade::Granted, printable(line), Some(reply.code), said.mark);
            return Next::Tls;
        }
        if !self.greeted {
            self.greeted = true;
            // a firewall of the PIX kind hides the greeting behind asterisks and then the extensions
            if starts_with(reply.text, "********") {
                facts.stripped.get_or_insert_with(|| printable(line));
            }
            if matches!(reply.code, 421 | 554) {
                facts.turn_away(printable(line), Some(reply.code), said.mark);
            }
            if matches!(reply.code, 220 | 421 | 554) {
                return Next::More;
            }
        }
        let refused = reply.code >= 400;
        if self.turns.reply() {
            if refused {
                let upgrade = if reply.code < 500 { Upgrade::Unavailable } else { Upgrade::Refused };
                facts.decide(upgrade, printable(line), Some(reply.code), said.mark);
                // the words of a Cisco firewall's SMTP inspection, which no mail server uses
                if starts_with(line, "500 #5.5.1") {
                    facts.stripped.get_or_insert_with(|| printable(line));
                }
            }
        } else if reply.code == 421 && facts.upgrade == Upgrade::Asked {
            facts.decide(Upgrade::Unavailable, printable(line), Some(reply.code), said.mark);
        } else if refused && std::mem::take(&mut self.list_due) && facts.upgrade == Upgrade::NotAsked {
            // a server (or a filter) without extensions
            facts.listed(false, said.mark);
        } else if refused && demands_tls(reply.text) {
            facts.demand(printable(line), Some(reply.code), said.mark);
        } else if matches!(reply.code, 235 | 354) {
            facts.do_without();
        }
        self.secret = reply.code == 334;
        // the message itself follows, in clear
        if reply.code == 354 && facts.upgrade != Upgrade::Asked { Next::Never } else { Next::More }
    }
}
