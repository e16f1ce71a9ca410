//! IRC STARTTLS: answered by numeric 670 or 691 (<https://ircv3.net/specs/deprecated/tls>).

use super::dialogue::{Dialogue, Next, Said};
use super::text::{number, printable, starts_with, words};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// An IRC registration.
#[derive(Debug, Default)]
pub(super) struct Irc;

impl Dialogue for Irc {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        facts.say(said);
        let line = said.line();
        if said.side == Side::Client {
            if starts_with(line, "STARTTLS") {
                facts.ask(said.mark);
            } else if starts_with(line, "NICK") || starts_with(line, "USER") {
                facts.go_on(said.mark);
            }
            return Next::More;
        }
        let mut parts = words(line).skip_while(|word| word.starts_with(b":"));
        let command = parts.next().unwrap_or_default();
        if command.eq_ignore_ascii_case(b"CAP") {
            let mut rest = parts.skip(1);
            let sub = rest.next().unwrap_or_default();
            if sub.eq_ignore_ascii_case(b"LS") {
                // `*` announces that another line of the list follows
                let mut rest = rest.peekable();
                let more = rest.next_if(|word| *word == b"*").is_some();
                let found = rest.any(|word| word.strip_prefix(b":").unwrap_or(word).eq_ignore_ascii_case(b"tls"));
                if found || !more {
                    facts.listed(found || facts.offered == Some(true), said.mark);
                }
            }
            return Next::More;
        }
        let Some(code) = number(command).filter(|_| command.len() == 3) else {
            if command.eq_ignore_ascii_case(b"ERROR") && facts.upgrade == Upgrade::Asked {
                facts.decide(Upgrade::Unavailable, printable(line), None, said.mark);
            }
            return Next::More;
        };
        match code {
            670 if facts.upgrade == Upgrade::Asked => {
                facts.decide(Upgrade::Granted, printable(line), Some(code), said.mark);
                return Next::Tls;
            }
            // 691 failure, 421 unknown command, 451 not registered, 462 already registered
            691 | 421 | 451 | 462 if facts.upgrade == Upgrade::Asked => {
                facts.decide(Upgrade::Refused, printable(line), Some(code), said.mark);
            }
            // welcome: registered, in clear
            1 if facts.upgrade != Upgrade::Asked => return Next::Never,
            _ => {}
        }
        Next::More
    }
}
