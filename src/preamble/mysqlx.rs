//! The X protocol of `MySQL`: the capability `tls` (`MySQL` internals, "X Protocol").
//!
//! Messages are four bytes of length, little-endian, then a type and a body. The client sets the capability, and what the server says to that decides.

use super::dialogue::{Dialogue, Extent, Next, Said};
use super::text::{contains, printable};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The beginning of an X session.
#[derive(Debug, Default)]
pub(super) struct MysqlX;

impl Dialogue for MysqlX {
    fn extent(&self, _: Side, have: &[u8]) -> Extent {
        match have.first_chunk() {
            Some(len) => usize::try_from(u32::from_le_bytes(*len)).map_or(Extent::Lost, |len| Extent::Exactly(len.saturating_add(4))),
            None => Extent::AtLeast(4),
        }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let Some((kind, body)) = said.bytes.get(4..).and_then(<[u8]>::split_first) else { return Next::More };
        match (said.side, *kind) {
            (Side::Client, GET_CAPABILITIES) => facts.describe(said, "CapabilitiesGet".to_owned()),
            (Side::Client, SET_CAPABILITIES) if contains(body, "tls") => {
                facts.describe(said, "CapabilitiesSet of tls".to_owned());
                facts.ask(said.mark);
            }
            (Side::Client, SET_CAPABILITIES) => facts.describe(said, "CapabilitiesSet".to_owned()),
            (Side::Client, CLOSE) => facts.describe(said, "Close".to_owned()),
            (Side::Client, AUTHENTICATE) => {
                facts.describe(said, "AuthenticateStart in clear".to_owned());
                facts.go_on(said.mark);
                return Next::Never;
            }
            (Side::Server, CAPABILITIES) => {
                let offers = contains(body, "tls");
                facts.describe(said, if offers { "Capabilities, tls among them" } else { "Capabilities without tls" }.to_owned());
                facts.listed(offers, said.mark);
            }
            (Side::Server, OK) if facts.upgrade == Upgrade::Asked => {
                facts.describe(said, "Ok".to_owned());
                facts.decide(Upgrade::Granted, "Ok".to_owned(), None, said.mark);
                return Next::Tls;
            }
            (Side::Server, ERROR) => {
                let (code, text) = error(body);
                let answer = match code {
                    Some(code) => format!("error {code}: {}", printable(text)),
                    None => "error".to_owned(),
                };
                facts.describe(said, answer.clone());
                if facts.upgrade == Upgrade::Asked {
                    facts.decide(Upgrade::Refused, answer, code, said.mark);
                } else if facts.went_on.is_none() {
                    facts.turn_away(answer, code, said.mark);
                }
            }
            _ => facts.describe(said, "message".to_owned()),
        }
        Next::More
    }
}

/// The code and the words of an error: fields 2 and 3 of its message.
fn error(body: &[u8]) -> (Option<u32>, &[u8]) {
    let (mut code, mut text, mut rest) = (None, &[][..], body);
    while let Some((tag, after)) = rest.split_first() {
        let Some((value, after)) = varint(after) else { break };
        rest = match (tag >> 3, tag & 7) {
            (field, 0) => {
                if field == 2 {
                    code = code.or(Some(value));
                }
                after
            }
            (field, 2) => {
                let Some((bytes, after)) = usize::try_from(value).ok().and_then(|len| after.split_at_checked(len)) else { break };
                if field == 3 {
                    text = bytes;
                }
                after
            }
            _ => break,
        };
    }
    (code, text)
}

/// A number in groups of seven bits, the least first.
fn varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let len = bytes.iter().take(5).position(|byte| *byte < 0x80)?.checked_add(1)?;
    let (digits, rest) = bytes.split_at_checked(len)?;
    let value = digits.iter().rev().try_fold(0_u32, |value, digit| value.checked_mul(0x80)?.checked_add(u32::from(digit & 0x7f)))?;
    Some((value, rest))
}

/// Whether a side begins so: the server with a notice that says hello, which not all of them send; the client by asking for the capabilities, or by setting
/// this one.
pub(super) fn begins(side: Side, bytes: &[u8]) -> bool {
    match side {
        Side::Client => match bytes {
            [1, 0, 0, 0, GET_CAPABILITIES, more @ ..] => more.is_empty() || begins(side, more),
            [_, 0 | 1, 0, 0, SET_CAPABILITIES, FIRST_FIELD, body @ ..] => contains(body, "tls"),
            _ => false,
        },
        Side::Server => bytes.starts_with(HELLO),
    }
}

/// A notice of type 5 (hello) without content.
const HELLO: &[u8] = &[5, 0, 0, 0, NOTICE, 8, 5, 0x1a, 0];
/// The first field of a message, which has a length.
const FIRST_FIELD: u8 = 0x0a;
// Types of a client's messages.
const GET_CAPABILITIES: u8 = 1;
const SET_CAPABILITIES: u8 = 2;
const CLOSE: u8 = 3;
const AUTHENTICATE: u8 = 4;
// Types of a server's messages.
const OK: u8 = 0;
const ERROR: u8 = 1;
const CAPABILITIES: u8 = 2;
const NOTICE: u8 = 11;

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::super::tests::{denied, granted};
    use super::*;

    #[test]
    fn the_capability_is_set_and_granted_or_not() {
        let notice: (bool, &[u8]) = (false, b"\x05\0\0\0\x0b\x08\x05\x1a\0");
        let get: (bool, &[u8]) = (true, b"\x01\0\0\0\x01");
        let list: (bool, &[u8]) = (false, b"\x12\0\0\0\x02\x0a\x0f\x0a\x03tls\x12\x08\x08\x01\x12\x04\x08\x07\x40\0");
        let set: (bool, &[u8]) = (true, b"\x14\0\0\0\x02\x0a\x11\x0a\x0f\x0a\x03tls\x12\x08\x08\x01\x12\x04\x08\x07\x40\x01");
        let found = granted(33_060, Dialect::MysqlX, &[notice, get, list, set, (false, b"\x01\0\0\0\0")]);
        assert_eq!(found.offered, Some(true));
        granted(33_060, Dialect::MysqlX, &[set, (false, b"\x01\0\0\0\0")]);
        let error: (bool, &[u8]) = (false, b"\x10\0\0\0\x01\x08\0\x10\x89\x27\x22\x05HY000\x1a\x01x");
        let found = denied(33_060, Dialect::MysqlX, Upgrade::Refused, &[notice, get, list, set, error]);
        assert_eq!((found.answer.as_deref(), found.code), (Some("error 5001: x"), Some(5001)));
        let other: (bool, &[u8]) = (false, b"\x01\0\0\0\x02");
        denied(33_060, Dialect::MysqlX, Upgrade::NotOffered, &[notice, get, other]);
    }

    #[test]
    fn an_error_that_is_cut_says_what_is_there() {
        assert_eq!(error(b"\x08\0\x10\x89\x27\x1a\x7fcut"), (Some(5001), &[][..]));
        assert_eq!(error(b"\x10\xff\xff\xff\xff\xff\xff"), (None, &[][..]));
        assert_eq!(error(b""), (None, &[][..]));
    }
}
