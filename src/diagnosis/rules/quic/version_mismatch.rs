//! `quic-version-mismatch`: Version Negotiation without a version in common.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::knowledge::Related;
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;
use crate::time::Mark;

pub(super) const RULE: Rule = Rule { cause: Cause::QuicVersionMismatch, against: &[], page: page!("quic-version-mismatch"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic().filter(|quic| quic.no_common_version())?;
    let (mark, versions) = quic.negotiation.as_ref()?;
    // It knows the list now, and goes on from another port: what comes of that is told there.
    if let Some(next) = case.went_on_after_the_list() {
        return Some(went_on(case, *mark, next));
    }
    let listed: Vec<String> = versions.iter().filter(|version| !version.is_grease()).map(ToString::to_string).collect();
    let list = if listed.is_empty() { "none in use".to_owned() } else { listed.join(", ") };
    if quic.first_version.is_grease() {
        return Some(asked_for_the_list(case, *mark, &list));
    }
    Some(
        Finding::new(
            Cause::QuicVersionMismatch,
            Confidence::Certain,
            format!(
                "{} does not support QUIC version {}; it lists {list}, none of which the client supports.",
                view.target(),
                quic.first_version
            ),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Client)
        .shown_by(case.handshake.flow.first, format!("the client's first packet, version {}", quic.first_version))
        .shown_by(*mark, format!("Version Negotiation: {list}"))
        .noting("the client sent no packet of any of these versions afterwards")
        .advise(format!("Configure a common QUIC version on both sides (version 1 is the standard); the server lists {list}.")),
    )
}

/// Some libraries open another socket for another version.
fn went_on(case: &Case<'_>, mark: Mark, next: &Related) -> Finding {
    let view = View::new(case.handshake);
    let version = case.handshake.quic.as_ref().map_or_else(String::new, |quic| quic.first_version.to_string());
    let summary = format!(
        "{} began with QUIC version {version}, received the list of {}, and continued from another port.",
        case.handshake.client.address,
        view.target()
    );
    Finding::new(Cause::QuicVersionMismatch, Confidence::Strong, summary)
        .weight(if next.outcome.failed() { Weight::Unwanted } else { Weight::Note })
        .stopped_by(StoppedBy::Nobody)
        .shown_by(mark, "Version Negotiation")
        .shown_by(next.start, "the same client's next handshake with this server")
}

/// A version of the kind 0x?a?a?a?a is reserved (RFC 9000 section 15): no server speaks it, and a client sends it to get the list.
fn asked_for_the_list(case: &Case<'_>, mark: Mark, list: &str) -> Finding {
    let view = View::new(case.handshake);
    let version = case.handshake.quic.as_ref().map_or_else(String::new, |quic| quic.first_version.to_string());
    Finding::new(
        Cause::QuicVersionMismatch,
        Confidence::Likely,
        format!(
            "{} asked {} for its QUIC versions with the reserved version {version}, received the list {list}, and continued with none of them.",
            case.handshake.client.address,
            view.target()
        ),
    )
    .weight(Weight::Overrides)
    .stopped_by(StoppedBy::Client)
    .shown_by(case.handshake.flow.first, format!("the client's first packet, version {version}, which no server supports and every server must answer with its list"))
    .shown_by(mark, format!("Version Negotiation: {list}"))
    .or_else(&[Cause::ClientAborted])
    .advise("Nothing is wrong on the server: it answers as it must. Scanners and monitors ask this way and leave; a client that wants to connect continues with a version from the list.")
}
