//! XMPP STARTTLS (RFC 6120 section 5).

use super::dialogue::{Dialogue, Extent, Next, Said};
use super::text::{contains, demands_tls, printable, starts_with};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// An XMPP stream, read tag by tag.
#[derive(Debug, Default)]
pub(super) struct Xmpp {
    offers: bool,
    /// Inside `<failure>` or a stream error, whose child element names the reason.
    failing: bool,
    /// There was a stream error.
    failed: bool,
}

impl Dialogue for Xmpp {
    fn extent(&self, _: Side, _: &[u8]) -> Extent {
        Extent::Until(b'>')
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let start = memchr::memrchr(b'<', said.bytes).unwrap_or(0);
        let tag = said.bytes.get(start..).unwrap_or_default();
        let whole = said.bytes.trim_ascii();
        facts.say(&Said { bytes: if is_secret(tag) { tag } else { whole }, ..*said });
        let name = tag.strip_prefix(b"<").unwrap_or(tag);
        if said.side == Side::Client {
            if starts_with(name, "starttls") {
                facts.ask(said.mark);
            } else if starts_with(name, "auth ") || starts_with(name, "auth>") || starts_with(name, "iq ") {
                facts.go_on(said.mark);
            }
            return Next::More;
        }
        if std::mem::take(&mut self.failing) && !name.starts_with(b"/") {
            let reason = name.split(|byte| matches!(byte, b' ' | b'/' | b'>')).next().unwrap_or_default();
            if let Some(answer) = &mut facts.answer {
                answer.push_str(": ");
                answer.push_str(&printable(reason));
            }
        }
        // `encryption-required` beneath `<failure>`, or the words of a stream error.
        if facts.upgrade == Upgrade::NotAsked && (starts_with(name, "encryption-required") || self.failed && demands_tls(said.bytes)) {
            facts.demand(printable(if self.failed { whole } else { tag }), None, said.mark);
        }
        self.failed |= starts_with(name, "stream:error");
        if starts_with(name, "starttls") {
            self.offers = true;
        } else if starts_with(name, "/stream:features") || starts_with(name, "/features") || empty_features(name) {
            facts.listed(self.offers, said.mark);
        } else if starts_with(name, "proceed") && facts.upgrade == Upgrade::Asked {
            facts.decide(Upgrade::Granted, printable(tag), None, said.mark);
            return Next::Tls;
        } else if starts_with(name, "failure") && facts.upgrade == Upgrade::Asked && !contains(tag, "xmpp-sasl") {
            facts.decide(Upgrade::Refused, printable(tag), None, said.mark);
        } else if starts_with(name, "stream:error") && matches!(facts.upgrade, Upgrade::Asked | Upgrade::NotAsked) {
            facts.turn_away(printable(tag), None, said.mark);
            self.failing = true;
        }
        Next::More
    }
}

/// The text before a closing tag of a login step is a credential.
fn is_secret(tag: &[u8]) -> bool {
    starts_with(tag, "</auth") || starts_with(tag, "</response")
}

fn empty_features(name: &[u8]) -> bool {
    (starts_with(name, "stream:features") || starts_with(name, "features")) && name.ends_with(b"/>")
}
