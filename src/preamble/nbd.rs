//! `NBD_OPT_STARTTLS` of the Network Block Device protocol (doc/proto.md of NBD, "TLS support").
//!
//! The server greets with a magic number and flags; the client answers with its own flags, and both haggle over options, each with a header of its own.
//! The greeting does not say whether TLS is to be had.

use super::dialogue::{Dialogue, Extent, Next, Said, be32};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The haggling, option by option.
#[derive(Debug, Default)]
pub(super) struct Nbd {
    /// The server has greeted.
    greeted: bool,
    /// The client has sent its flags.
    answered: bool,
}

impl Dialogue for Nbd {
    fn extent(&self, side: Side, have: &[u8]) -> Extent {
        match side {
            Side::Server if !self.greeted => Extent::Exactly(GREETING_LEN),
            Side::Client if !self.answered => Extent::Exactly(FLAGS_LEN),
            Side::Server => framed(have, REPLY, REPLY_LEN),
            Side::Client => framed(have, OPTION, OPTION_LEN),
        }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let number = |at: usize| be32(said.bytes, at).unwrap_or_default();
        match said.side {
            Side::Server if !self.greeted => {
                self.greeted = true;
                let is_fixed = said.bytes.get(8..16) == Some(OPTION);
                facts.describe(said, if is_fixed { "greeting" } else { "greeting without options" }.to_owned());
                // Servers of old name their one export at once.
                return if is_fixed { Next::More } else { Next::Never };
            }
            Side::Client if !self.answered => {
                self.answered = true;
                facts.describe(said, "flags".to_owned());
            }
            Side::Client => {
                let option = number(8);
                facts.describe(said, option_text(option));
                match option {
                    STARTTLS => facts.ask(said.mark),
                    ABORT => {}
                    _ => facts.go_on(said.mark),
                }
            }
            Side::Server => {
                let (option, reply) = (number(8), number(12));
                let text = format!("reply to {}: {}", option_text(option), reply_text(reply));
                facts.describe(said, text);
                return self.reply(said, (option, reply), facts);
            }
        }
        Next::More
    }
}

impl Nbd {
    #[expect(clippy::unused_self, reason = "a part of the dialogue")]
    fn reply(&self, said: &Said<'_>, (option, reply): (u32, u32), facts: &mut PreambleFacts) -> Next {
        let answer = || reply_text(reply);
        if option == STARTTLS && facts.upgrade == Upgrade::Asked {
            if reply == ACK {
                facts.decide(Upgrade::Granted, answer(), None, said.mark);
                return Next::Tls;
            }
            let upgrade = if reply == SHUTDOWN { Upgrade::Unavailable } else { Upgrade::Refused };
            facts.decide(upgrade, answer(), Some(reply & !ERROR), said.mark);
        } else if reply == TLS_REQUIRED {
            facts.demand(answer(), Some(reply & !ERROR), said.mark);
        } else if reply == ACK && matches!(option, EXPORT_NAME | GO) {
            // The export is open, in clear.
            facts.do_without();
            return Next::Never;
        }
        Next::More
    }
}

/// A message that begins with this, and whose last four bytes of so many say how many follow.
fn framed(have: &[u8], magic: &[u8], header: usize) -> Extent {
    if have.iter().zip(magic).any(|(byte, due)| byte != due) {
        return Extent::Lost;
    }
    match be32(have, header.saturating_sub(4)) {
        Some(len) if len <= LONGEST => Extent::Exactly(header + len as usize),
        Some(_) => Extent::Lost,
        None => Extent::AtLeast(header),
    }
}

fn option_text(option: u32) -> String {
    match option {
        EXPORT_NAME => "option 1: export name".to_owned(),
        ABORT => "option 2: abort".to_owned(),
        3 => "option 3: list".to_owned(),
        STARTTLS => "option 5: STARTTLS".to_owned(),
        6 => "option 6: info".to_owned(),
        GO => "option 7: go".to_owned(),
        8 => "option 8: structured replies".to_owned(),
        11 => "option 11: extended headers".to_owned(),
        other => format!("option {other}"),
    }
}

fn reply_text(reply: u32) -> String {
    match reply {
        ACK => "acknowledged".to_owned(),
        0x8000_0001 => "error 1: not supported".to_owned(),
        0x8000_0002 => "error 2: forbidden by policy".to_owned(),
        0x8000_0003 => "error 3: invalid".to_owned(),
        TLS_REQUIRED => "error 5: TLS required".to_owned(),
        0x8000_0006 => "error 6: unknown export".to_owned(),
        SHUTDOWN => "error 7: server is shutting down".to_owned(),
        other if other & ERROR != 0 => format!("error {}", other & !ERROR),
        other => format!("reply {other}"),
    }
}

/// What the greeting begins with.
pub(super) const MAGIC: &[u8] = b"NBDMAGIC";
/// What options begin with, and a greeting goes on with that knows them.
const OPTION: &[u8] = b"IHAVEOPT";
/// What replies to options begin with.
const REPLY: &[u8] = &[0, 3, 0xe8, 0x89, 0x04, 0x55, 0x65, 0xa9];
const GREETING_LEN: usize = 18;
const FLAGS_LEN: usize = 4;
const OPTION_LEN: usize = 16;
const REPLY_LEN: usize = 20;
/// Names of exports and lists of contexts are shorter.
const LONGEST: u32 = 65_536;
const EXPORT_NAME: u32 = 1;
const ABORT: u32 = 2;
const STARTTLS: u32 = 5;
const GO: u32 = 7;
const ACK: u32 = 1;
/// The bit that makes a reply an error.
const ERROR: u32 = 1 << 31;
const TLS_REQUIRED: u32 = ERROR | 5;
const SHUTDOWN: u32 = ERROR | 7;

#[cfg(test)]
mod tests {
    use super::super::tests::{denied, granted};
    use super::*;
    use crate::preamble::Dialect;

    const GREETING: (bool, &[u8]) = (false, b"NBDMAGICIHAVEOPT\0\x03");
    const FLAGS: (bool, &[u8]) = (true, b"\0\0\0\x03");

    fn option(number: u8) -> Vec<u8> {
        [OPTION, &[0, 0, 0, number, 0, 0, 0, 0]].concat()
    }

    fn reply(to: u8, what: u32) -> Vec<u8> {
        [REPLY, &[0, 0, 0, to], &what.to_be_bytes(), &[0; 4]].concat()
    }

    #[test]
    fn an_acknowledged_option_leads_to_tls() {
        let found = granted(10_809, Dialect::Nbd, &[GREETING, FLAGS, (true, &option(5)), (false, &reply(5, ACK))]);
        assert_eq!((found.answer.as_deref(), found.lines.len()), (Some("acknowledged"), 4));
        // Other options may be haggled over before.
        let (ext, no) = (option(11), reply(11, 0x8000_0001));
        granted(10_809, Dialect::Nbd, &[GREETING, FLAGS, (true, &ext), (false, &no), (true, &option(5)), (false, &reply(5, ACK))]);
    }

    #[test]
    fn a_server_without_tls_refuses_it() {
        let asked = [GREETING, FLAGS, (true, &option(5)[..]), (false, &reply(5, ERROR | 2)[..]), (true, &option(2)[..])];
        let found = denied(10_809, Dialect::Nbd, Upgrade::Refused, &asked);
        assert_eq!((found.answer.as_deref(), found.code), (Some("error 2: forbidden by policy"), Some(2)));
        denied(10_809, Dialect::Nbd, Upgrade::Unavailable, &[GREETING, FLAGS, (true, &option(5)), (false, &reply(5, SHUTDOWN))]);
    }

    #[test]
    fn a_server_may_demand_it_and_one_in_clear_is_let_be() {
        let (go, must) = (option(7), reply(7, TLS_REQUIRED));
        let found = denied(10_809, Dialect::Nbd, Upgrade::Demanded, &[GREETING, FLAGS, (true, &go), (false, &must)]);
        assert_eq!(found.answer.as_deref(), Some("error 5: TLS required"));
        let found = denied(10_809, Dialect::Nbd, Upgrade::NotAsked, &[GREETING, FLAGS, (true, &go), (false, &reply(7, ACK))]);
        assert!(!found.wanted_tls(), "nobody asked for TLS");
        let old: (bool, &[u8]) = (false, b"NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0");
        denied(10_809, Dialect::Nbd, Upgrade::NotAsked, &[old]);
    }
}
