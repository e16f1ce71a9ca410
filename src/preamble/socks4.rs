//! SOCKS 4 and 4a.

use std::net::Ipv4Addr;

use super::dialogue::{Dialogue, Extent, Next, Said, be16};
use super::text::printable;
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// A request and its reply.
#[derive(Debug, Default)]
pub(super) struct Socks4;

impl Dialogue for Socks4 {
    fn extent(&self, side: Side, have: &[u8]) -> Extent {
        if side == Side::Server {
            return if have.first() == Some(&0) { Extent::Exactly(8) } else { Extent::Lost };
        }
        let Some((fixed, rest)) = have.split_at_checked(8) else { return Extent::AtLeast(9) };
        if rest.len() > NAMES {
            return Extent::Lost;
        }
        // the user's name ends in a zero; behind it, for an address of 0.0.0.x, the host's name, which does as well
        let Some(user) = memchr::memchr(0, rest) else { return Extent::AtLeast(have.len() + 1) };
        if !by_name(fixed) {
            return Extent::Exactly(9 + user);
        }
        let name = rest.get(user + 1..).and_then(|rest| memchr::memchr(0, rest));
        name.map_or(Extent::AtLeast(have.len() + 1), |name| Extent::Exactly(10 + user + name))
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        if said.side == Side::Client {
            let target = target(said.bytes).unwrap_or_default();
            facts.describe(said, format!("SOCKS4 connect to {target}"));
            facts.target = Some(target);
            facts.ask(said.mark);
            return Next::More;
        }
        let code = said.bytes.get(1).copied().unwrap_or(0);
        let answer = format!("reply {code}: {}", reply_name(code));
        facts.describe(said, answer.clone());
        let upgrade = match code {
            0x5a => Upgrade::Granted,
            0x5c | 0x5d => Upgrade::AuthRequired,
            _ => Upgrade::Refused,
        };
        facts.decide(upgrade, answer, Some(u32::from(code)), said.mark);
        if upgrade == Upgrade::Granted { Next::Inner } else { Next::More }
    }
}

fn by_name(fixed: &[u8]) -> bool {
    matches!(fixed.get(4..8), Some([0, 0, 0, last]) if *last != 0)
}

fn target(bytes: &[u8]) -> Option<String> {
    let port = be16(bytes, 2)?;
    let address: [u8; 4] = *bytes.get(4..)?.first_chunk()?;
    if by_name(bytes) {
        let name = bytes.get(8..)?.split(|byte| *byte == 0).nth(1)?;
        return Some(format!("{}:{port}", printable(name)));
    }
    Some(format!("{}:{port}", Ipv4Addr::from(address)))
}

const fn reply_name(code: u8) -> &'static str {
    match code {
        0x5a => "request granted",
        0x5b => "request rejected or failed",
        0x5c => "the client runs no identd, or the proxy cannot reach it",
        0x5d => "identd reports a different user",
        _ => "unknown code",
    }
}

/// Bytes of user and host name: each is at most 255 in practice.
const NAMES: usize = 520;
