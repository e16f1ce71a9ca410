//! LDAP `StartTLS` (RFC 4511 section 4.14): an `ExtendedRequest` of its own OID.

use super::dialogue::{Dialogue, Extent, Next, Said};
use super::text::{contains, printable};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// An LDAP dialogue, message by message.
#[derive(Debug, Default)]
pub(super) struct Ldap {
    /// The `messageID` of the `StartTLS` request, as sent.
    id: Vec<u8>,
}

impl Dialogue for Ldap {
    fn extent(&self, _: Side, have: &[u8]) -> Extent {
        extent(have)
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let Some((id, operation, body)) = envelope(said.bytes) else {
            facts.describe(said, "LDAP message that cannot be read".to_owned());
            return Next::More;
        };
        if said.side == Side::Client {
            if operation == EXTENDED_REQUEST && element(body).is_some_and(|(tag, oid, _)| tag == 0x80 && oid == START_TLS) {
                facts.describe(said, "StartTLS extended request".to_owned());
                id.clone_into(&mut self.id);
                facts.ask(said.mark);
            } else {
                facts.describe(said, operation_name(operation).to_owned());
                // searching the root entry for its capabilities, and leaving, are done before TLS as well
                if operation == BIND_REQUEST {
                    facts.go_on(said.mark);
                }
            }
            return Next::More;
        }
        let result = matches!(operation, BIND_RESPONSE | SEARCH_RESULT_DONE | EXTENDED_RESPONSE).then(|| result(body)).flatten();
        // Active Directory lets a client choose between TLS and signing.
        let demands = result.is_some_and(|(code, text)| code == 13 || code == 8 && contains(text, "SSL\\TLS"));
        let Some((code, diagnostic)) = result.filter(|_| demands || operation == EXTENDED_RESPONSE) else {
            if operation == BIND_RESPONSE && result.is_some_and(|(code, _)| code == 0) {
                facts.do_without();
            }
            facts.describe(said, operation_name(operation).to_owned());
            return Next::More;
        };
        let answer = match (result_name(code), diagnostic) {
            (name, b"") => format!("resultCode {code}: {name}"),
            (name, text) => format!("resultCode {code}: {name}: {}", printable(text)),
        };
        if demands {
            facts.demand(answer.clone(), Some(code), said.mark);
        }
        facts.describe(said, answer.clone());
        // messageID 0 is the notice of disconnection
        if facts.upgrade == Upgrade::Asked && (id == self.id || id == [0]) {
            let upgrade = match code {
                0 => Upgrade::Granted,
                51 | 52 => Upgrade::Unavailable,
                _ => Upgrade::Refused,
            };
            facts.decide(upgrade, answer, Some(code), said.mark);
            if code == 0 {
                return Next::Tls;
            }
        }
        Next::More
    }
}

/// The length of the message that begins so.
pub(super) fn extent(have: &[u8]) -> Extent {
    match have {
        [0x30] => Extent::AtLeast(2),
        [0x30, len @ 0..=0x7f, ..] => Extent::Exactly(2 + usize::from(*len)),
        [0x30, count @ 0x81..=0x84, rest @ ..] => {
            let count = usize::from(count & 0x7f);
            rest.get(..count).map_or(Extent::AtLeast(2 + count), |digits| {
                let len = digits.iter().fold(0_usize, |len, digit| len << 8 | usize::from(*digit));
                Extent::Exactly(len.saturating_add(2 + count))
            })
        }
        _ => Extent::Lost,
    }
}

/// One BER element: tag, contents and what follows. Contents that were cut are given as far as they are there.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
    };
    let (contents, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    Some((*tag, contents, after))
}

/// The `messageID`, the operation's tag and its contents.
pub(super) fn envelope(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (0x30, message, _) = element(bytes)? else { return None };
    let (0x02, id, rest) = element(message)? else { return None };
    let (operation, body, _) = element(rest)?;
    Some((id, operation, body))
}

/// The `resultCode` and the `diagnosticMessage` of an `LDAPResult`.
fn result(body: &[u8]) -> Option<(u32, &[u8])> {
    let (0x0a, code, rest) = element(body)? else { return None };
    let code = code.iter().take(4).fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
    let diagnostic = element(rest).and_then(|(_, _, rest)| element(rest)).map_or(&[][..], |(_, text, _)| text);
    Some((code, diagnostic))
}

const fn operation_name(tag: u8) -> &'static str {
    match tag {
        BIND_REQUEST => "bind request",
        BIND_RESPONSE => "bind response",
        0x42 => "unbind request",
        0x63 => "search request",
        0x64 => "search result entry",
        SEARCH_RESULT_DONE => "search result done",
        EXTENDED_REQUEST => "extended request",
        EXTENDED_RESPONSE => "extended response",
        _ => "LDAP message",
    }
}

/// RFC 4511 appendix A, the codes that servers give to `StartTLS`.
const fn result_name(code: u32) -> &'static str {
    match code {
        0 => "success",
        1 => "operationsError",
        2 => "protocolError",
        8 => "strongerAuthRequired",
        10 => "referral",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        80 => "other",
        _ => "unknown code",
    }
}

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_RESULT_DONE: u8 = 0x65;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
