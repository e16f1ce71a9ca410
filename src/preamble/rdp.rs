//! RDP negotiation in the X.224 connection request and confirm (MS-RDPBCGR sections 2.2.1.1 and 2.2.1.2).

use super::dialogue::{Dialogue, Extent, Next, Said, be16};
use super::text::printable;
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The two messages that settle how an RDP connection is secured.
#[derive(Debug, Default)]
pub(super) struct Rdp;

impl Dialogue for Rdp {
    fn extent(&self, _: Side, have: &[u8]) -> Extent {
        match (have.first(), be16(have, 2)) {
            (Some(3), None) => Extent::AtLeast(4),
            (Some(3), Some(len)) if len >= 7 => Extent::Exactly(usize::from(len)),
            _ => Extent::Lost,
        }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let kind = said.bytes.get(5).map_or(0, |byte| byte & 0xf0);
        let rest = said.bytes.get(11..).unwrap_or_default();
        match (said.side, kind) {
            (Side::Client, 0xe0) => request(said, rest, facts),
            (Side::Server, 0xd0) => return confirm(said, rest, facts),
            _ => facts.describe(said, "X.224 message".to_owned()),
        }
        Next::More
    }
}

fn request(said: &Said<'_>, rest: &[u8], facts: &mut PreambleFacts) {
    // a cookie or routing token, ended by CR LF, may come first
    let after = memchr::memmem::find(rest, b"\r\n").and_then(|at| rest.split_at_checked(at + 2));
    let (cookie, negotiation) = after.unwrap_or((&[], rest));
    let asked = match negotiation {
        [0x01, _, 0x08, 0x00, protocols, ..] => Some(*protocols),
        _ => None,
    };
    let wanted = asked.map_or_else(|| "standard RDP security".to_owned(), protocol_names);
    let who = if cookie.is_empty() { String::new() } else { format!(" ({})", printable(cookie.trim_ascii_end())) };
    facts.describe(said, format!("connection request for {wanted}{who}"));
    facts.detail = Some(wanted);
    if asked.is_some_and(|protocols| protocols != 0) {
        facts.ask(said.mark);
    } else {
        facts.go_on(said.mark);
    }
}

fn confirm(said: &Said<'_>, rest: &[u8], facts: &mut PreambleFacts) -> Next {
    let asked = facts.upgrade == Upgrade::Asked;
    match rest {
        [0x02, _, 0x08, 0x00, 0, ..] => {
            let answer = "the server selected standard RDP security".to_owned();
            facts.describe(said, answer.clone());
            if asked {
                facts.decide(Upgrade::Refused, answer, Some(0), said.mark);
            }
        }
        [0x02, _, 0x08, 0x00, selected, ..] => {
            let answer = format!("selected {}", protocol_names(*selected));
            facts.describe(said, answer.clone());
            facts.decide(Upgrade::Granted, answer, Some(u32::from(*selected)), said.mark);
            return Next::Tls;
        }
        [0x03, _, 0x08, 0x00, c0, c1, c2, c3, ..] => {
            let code = u32::from_le_bytes([*c0, *c1, *c2, *c3]);
            let answer = format!("negotiation failure {code}: {}", failure_name(code));
            facts.describe(said, answer.clone());
            facts.decide(Upgrade::Refused, answer, Some(code), said.mark);
        }
        _ => {
            facts.describe(said, "connection confirm without negotiation".to_owned());
            facts.listed(false, said.mark);
            if asked {
                facts.decide(Upgrade::NotOffered, "connection confirm without negotiation".to_owned(), None, said.mark);
            }
        }
    }
    if facts.upgrade == Upgrade::NotAsked { Next::Never } else { Next::More }
}

fn protocol_names(flags: u8) -> String {
    let names = [(0x01, "TLS"), (0x02, "CredSSP"), (0x04, "RDSTLS"), (0x08, "CredSSP with early user authorization"), (0x10, "AAD")];
    let all: Vec<&str> = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    if all.is_empty() { "standard RDP security".to_owned() } else { all.join(", ") }
}

/// MS-RDPBCGR section 2.2.1.2.2.
const fn failure_name(code: u32) -> &'static str {
    match code {
        1 => "SSL_REQUIRED_BY_SERVER",
        2 => "SSL_NOT_ALLOWED_BY_SERVER",
        3 => "SSL_CERT_NOT_ON_SERVER",
        4 => "INCONSISTENT_FLAGS",
        5 => "HYBRID_REQUIRED_BY_SERVER",
        6 => "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
        _ => "unknown code",
    }
}
