//! Rules of the family middlebox: a device on the path interferes.

use crate::diagnosis::rule::{Case, Rule};
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::Outcome;
use crate::tls::registry::ProtocolVersion;

mod alert_forged;
mod captive_portal;
mod hello_dropped;
mod idle;
mod interception;
mod plaintext_injected;
mod reset_injected;
mod server_flight;
mod split_hello;
#[cfg(test)]
mod tests;
mod throttled;
mod tls13;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[
    &reset_injected::RULE,
    &alert_forged::RULE,
    &captive_portal::RULE,
    &plaintext_injected::RULE,
    &tls13::RULE,
    &split_hello::RULE,
    &idle::RULE,
    &hello_dropped::RULE,
    &server_flight::RULE,
    &interception::RULE,
    &throttled::RULE,
];

/// The ClientHello was sent again and again, nothing of it was acknowledged, and the connection was up on both sides: the server did not
/// repeat its SYN-ACK. How often it was sent.
fn hello_lost(view: View<'_>) -> Option<u32> {
    let copies = view.hello_copies();
    let server_up = view.server().syn.is_none_or(|syn| syn.count == 1);
    (view.hello_begun() && view.hello_unacked() && copies >= 2 && server_up && !view.server_spoke_after_hello()).then_some(copies)
}

/// A smaller ClientHello of the same client to the same endpoint completed within seconds, while this large one did not.
fn smaller_hello_worked(case: &Case<'_>) -> bool {
    let own = View::new(case.handshake).hello_len();
    case.knowledge
        .related
        .iter()
        .any(|other| other.same_endpoint && other.outcome == Outcome::Completed && (other.hello_len as u64) < own.min(ONE_SEGMENT))
}

/// The same client to the same endpoint with TLS 1.2 at most completed within seconds.
fn older_version_worked(case: &Case<'_>) -> bool {
    case.knowledge.related.iter().any(|other| {
        other.same_endpoint
            && other.outcome == Outcome::Completed
            && other.highest_version.is_some_and(|version| version < ProtocolVersion::TLS13)
    })
}

/// The hello waited for so long before it was sent that a device may have forgotten the connection.
fn paused_before_hello(view: View<'_>) -> bool {
    view.repeated_in_vain(Side::Client).next().is_some_and(|segment| view.pause_before(segment) >= idle::SHORTEST_PAUSE)
}

/// What one segment carries on a path of ordinary size.
const ONE_SEGMENT: u64 = 1_400;
