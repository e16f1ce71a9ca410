//! TDS (Microsoft SQL Server) PRELOGIN (MS-TDS section 2.2.6.5), and TLS inside TDS packets.
//!
//! Up to TDS 7.x the handshake's records travel as the payload of TDS packets and the encrypted data after it does not: [`Unwrap`] takes the
//! packets' headers away. TDS 8 begins with TLS at once and has no preamble.

use super::dialogue::{Dialogue, Extent, Next, Said, be16};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The PRELOGIN exchange.
#[derive(Debug, Default)]
pub(super) struct Tds {
    wanted: Option<u8>,
}

impl Dialogue for Tds {
    fn extent(&self, _: Side, have: &[u8]) -> Extent {
        match be16(have, 2) {
            None => Extent::AtLeast(4),
            Some(len) if len >= 8 => Extent::Exactly(usize::from(len)),
            Some(_) => Extent::Lost,
        }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let payload = said.bytes.get(8..).unwrap_or_default();
        match (said.side, said.bytes.first()) {
            (Side::Client, Some(&PRELOGIN)) => {
                let wanted = encryption(payload);
                facts.describe(said, format!("PRELOGIN, encryption {}", wanted.map_or("not named", encryption_name)));
                self.wanted = wanted;
                if wanted.is_some_and(|value| value != NOT_SUPPORTED) {
                    facts.ask(said.mark);
                }
                Next::More
            }
            (Side::Server, Some(&RESPONSE)) => {
                let Some(granted) = encryption(payload) else {
                    facts.describe(said, "response".to_owned());
                    return Next::More;
                };
                let answer = format!("encryption {}", encryption_name(granted));
                facts.describe(said, format!("PRELOGIN response, {answer}"));
                facts.offered = Some(granted != NOT_SUPPORTED);
                if facts.upgrade != Upgrade::Asked {
                    // The client encrypts after all, or leaves (MS-TDS section 2.2.6.5).
                    if granted == REQUIRED && self.wanted == Some(NOT_SUPPORTED) {
                        facts.detail = Some(encryption_name(NOT_SUPPORTED).to_owned());
                        facts.decide(Upgrade::Granted, answer, Some(u32::from(granted)), said.mark);
                        return Next::Tls;
                    }
                    return Next::Never;
                }
                if granted == NOT_SUPPORTED {
                    facts.decide(Upgrade::Refused, answer, Some(u32::from(granted)), said.mark);
                    return Next::More;
                }
                facts.decide(Upgrade::Granted, answer, Some(u32::from(granted)), said.mark);
                Next::Tls
            }
            (Side::Client, Some(0x10)) => {
                facts.describe(said, "login in clear".to_owned());
                facts.go_on(said.mark);
                Next::Never
            }
            _ => {
                facts.describe(said, "TDS packet".to_owned());
                Next::More
            }
        }
    }
}

/// The value of the ENCRYPTION option.
fn encryption(payload: &[u8]) -> Option<u8> {
    let option = payload.chunks_exact(5).take_while(|option| option.first() != Some(&0xff)).find(|option| option.first() == Some(&0x01))?;
    payload.get(usize::from(be16(option, 1)?)).map(|value| value & 0x1f)
}

const fn encryption_name(value: u8) -> &'static str {
    match value {
        0 => "off (login only)",
        1 => "on",
        2 => "not supported",
        REQUIRED => "required",
        _ => "unknown",
    }
}

/// Takes one side's TLS bytes out of TDS packets. Feed it everything from where TLS begins; when a packet boundary shows no TDS header the
/// rest is bare TLS.
#[derive(Debug, Default, Clone)]
pub(super) struct Unwrap {
    header: [u8; 8],
    have: usize,
    left: usize,
    bare: bool,
}

impl Unwrap {
    /// Hands each run of TLS bytes in `bytes` to `out`, in order.
    pub(super) fn feed<'a>(&mut self, bytes: &'a [u8], mut out: impl FnMut(&'a [u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.bare {
                out(rest);
                return;
            }
            if self.left > 0 {
                let (now, after) = rest.split_at_checked(self.left).unwrap_or((rest, &[]));
                self.left -= now.len();
                out(now);
                rest = after;
                continue;
            }
            let Some((byte, after)) = rest.split_first() else { return };
            if self.have == 0 && !matches!(*byte, PRELOGIN | RESPONSE) {
                self.bare = true;
                continue;
            }
            if let Some(slot) = self.header.get_mut(self.have) {
                *slot = *byte;
            }
            self.have += 1;
            rest = after;
            if self.have == self.header.len() {
                self.have = 0;
                self.left = be16(&self.header, 2).map_or(0, |len| usize::from(len).saturating_sub(8));
            }
        }
    }
}

pub(super) const PRELOGIN: u8 = 0x12;
const RESPONSE: u8 = 0x04;
const NOT_SUPPORTED: u8 = 2;
const REQUIRED: u8 = 3;
