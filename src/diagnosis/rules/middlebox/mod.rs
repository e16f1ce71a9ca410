//! Rules of the family middlebox: a device on the path interferes.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Family;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::knowledge::Related;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::Outcome;
use crate::time::Mark;
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
mod unarrived;
mod untaken;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Middlebox,
    speaks: Signs::UNFINISHED.or(Signs::INSPECTION).or(Signs::LOSS).or(Signs::RESET).or(Signs::UNUSED),
    rules: Rules::Each(&[
        &idle::RULE,
        &reset_injected::RULE,
        &alert_forged::RULE,
        &captive_portal::RULE,
        &plaintext_injected::RULE,
        &tls13::RULE,
        &split_hello::RULE,
        &hello_dropped::RULE,
        &server_flight::RULE,
        &interception::RULE,
        &throttled::RULE,
    ]),
};

/// The ClientHello was sent again and again, nothing of it was acknowledged, and the connection was up on both sides: the server did not
/// repeat its SYN-ACK, or had a reason to that it shares with others (`deferred`). How often it was sent.
fn hello_lost(view: View<'_>, deferred: bool) -> Option<u32> {
    let copies = view.hello_copies();
    let server_up = deferred || view.server().syn.is_none_or(|syn| syn.count == 1);
    (view.hello_begun() && view.hello_unacked() && copies >= 2 && server_up && !view.server_spoke_after_hello()).then_some(copies)
}

/// The last smaller ClientHello of the same client to the same endpoint that completed within seconds, while this large one did not.
fn smaller_hello_that_worked<'a>(case: &'a Case<'_>) -> Option<&'a Related> {
    let own = View::new(case.handshake).hello_len();
    let worked =
        |other: &&Related| other.same_endpoint && other.outcome == Outcome::Completed && (other.hello_len as u64) < own.min(ONE_SEGMENT);
    case.knowledge.related.iter().filter(worked).max_by_key(|other| other.start)
}

/// There was such a ClientHello.
pub(super) fn smaller_hello_worked(case: &Case<'_>) -> bool {
    smaller_hello_that_worked(case).is_some()
}

/// The same client to the same endpoint with TLS 1.2 at most completed within seconds: the last such handshake.
fn older_version_that_worked<'a>(case: &'a Case<'_>) -> Option<&'a Related> {
    let worked = |other: &&Related| {
        other.same_endpoint
            && other.outcome == Outcome::Completed
            && other.highest_version.is_some_and(|version| version < ProtocolVersion::TLS13)
    };
    case.knowledge.related.iter().filter(worked).max_by_key(|other| other.start)
}

/// The ClientHello offers TLS 1.3, and none that did so is known to have got through.
fn version_is_suspect(case: &Case<'_>) -> bool {
    let offers = case.handshake.last_hello().is_some_and(|hello| hello.what.offers(ProtocolVersion::TLS13));
    offers && case.knowledge.completed_with_tls13 == 0
}

/// How sure a contrast makes: what worked before shows what was possible then, and not that anyone is served now. Nor does one show which of two
/// differences it is.
fn by_contrast(case: &Case<'_>, worked: &Related, asked: Mark) -> Confidence {
    let alone = !(is_older(case, worked) && is_smaller(case, worked));
    if worked.served_after(asked) && alone { Confidence::Strong } else { Confidence::Likely }
}

/// It offered older versions than this hello.
fn is_older(case: &Case<'_>, worked: &Related) -> bool {
    let offers = case.handshake.last_hello().is_some_and(|hello| hello.what.offers(ProtocolVersion::TLS13));
    offers && worked.highest_version.is_some_and(|version| version < ProtocolVersion::TLS13)
}

/// Its hello fits into a segment, and this one does not.
fn is_smaller(case: &Case<'_>, worked: &Related) -> bool {
    View::new(case.handshake).hello_is_large() && (worked.hello_len as u64) < ONE_SEGMENT
}

/// What sets this ClientHello, which came to nothing, apart from one for the same name by the same client that completed at the same endpoint.
fn differences(case: &Case<'_>, passed: &Related) -> Vec<&'static str> {
    let Some(own) = case.handshake.last_hello().map(|seen| &seen.what) else { return Vec::new() };
    let post_quantum = own.key_shares().any(|(group, _)| group.is_post_quantum());
    let all = [
        (version_is_suspect(case) && is_older(case, passed), "TLS 1.3"),
        (own.ech().is_some() && !passed.ech, "Encrypted ClientHello"),
        (post_quantum && !passed.post_quantum, "a post-quantum key share"),
        (is_smaller(case, passed), "more bytes than fit into one packet"),
    ];
    all.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect()
}

/// What to try next against a device that does not like a ClientHello: what sets it apart from one that passed or, where none did, another name.
fn try_otherwise(case: &Case<'_>, finding: Finding) -> Finding {
    let facts = case.handshake;
    let passed = case
        .knowledge
        .related
        .iter()
        .filter(|other| other.same_endpoint && other.same_name && other.outcome == Outcome::Completed && other.hello_len > 0);
    let Some((passed, differs)) = passed.map(|other| (other, differences(case, other))).min_by_key(|(_, differs)| differs.len()) else {
        return finding
            .advise("Try another name at the same address: if that is answered, a filter on the path reads the name.")
            .advise(remedy::s_client(facts, "-servername other.example"));
    };
    let finding = finding.shown_by(
        passed.start,
        "another ClientHello from this client for the same name led to a complete handshake: the name is not the reason",
    );
    if differs.is_empty() {
        return finding.advise("Compare this ClientHello, extension by extension, with the other one for this name that got through.");
    }
    let finding = finding
        .advise(format!("On the client, leave out what this ClientHello has and one that got through lacks: {}.", differs.join(", ")));
    if differs.contains(&"TLS 1.3") {
        return finding.advise(remedy::s_client(facts, "-tls1_2"));
    }
    // Neither Encrypted ClientHello nor a second packet.
    finding.advise(remedy::s_client(facts, "-groups X25519"))
}

/// A packet of this side is too large for most links, and none as large is known to have passed: that explains by itself that it was lost.
fn too_large(case: &Case<'_>, view: View<'_>, side: Side) -> bool {
    view.oversized(side).is_some_and(|segment| *case.knowledge.passed.of(side) < segment.len)
}

/// The hello waited for so long before it was sent that a device may have forgotten the connection.
fn paused_before_hello(view: View<'_>) -> bool {
    view.repeated_in_vain(Side::Client).next().is_some_and(|segment| view.pause_before(segment) >= idle::TYPICAL_PAUSE)
}

/// What one segment carries on a path of ordinary size.
const ONE_SEGMENT: u64 = 1_400;
