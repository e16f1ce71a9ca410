//! `firewall-reject`: a RST to the SYN from somebody else than the server.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::handshake::facts::StoppedBy;
use crate::transport::Reset;

use super::refused::refusal;

pub(super) const RULE: Rule =
    Rule { cause: Cause::FirewallReject, against: &[lowers(Contrary::HopCounterKnown)], page: page!("firewall-reject"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let reset = refusal(case)?;
    let genuine = &case.knowledge.server_ttls;
    if genuine.is_empty() || genuine.contains(&reset.ttl) {
        return None;
    }
    let nearest = genuine.iter().map(|ttl| ttl.abs_diff(reset.ttl)).min()?;
    let usual = genuine.first()?;
    let took = View::new(case.handshake).client().syn.map(|syn| reset.mark.time.since(syn.last.time));
    let quickest = case.knowledge.quickest_answer.filter(|quickest| *quickest >= LEAST_ROUND_TRIP);
    let too_soon = took.zip(quickest).filter(|(took, quickest)| *took * 2 < *quickest);
    let confidence = match (nearest, too_soon) {
        (2.., Some(_)) => Confidence::Certain,
        (2.., None) | (_, Some(_)) => Confidence::Strong,
        // Another machine behind the same address is as likely, or another path.
        (_, None) => Confidence::Likely,
    };
    let finding = match too_soon {
        Some((took, quickest)) => finding(case, reset, *usual, confidence).noting(format!(
            "the RST came {} after the SYN; this server's own answers take at least {}",
            span_text(took),
            span_text(quickest)
        )),
        None => finding(case, reset, *usual, confidence),
    };
    Some(finding)
}

fn finding(case: &Case<'_>, reset: &Reset, usual: u8, confidence: Confidence) -> Finding {
    Finding::new(
        Cause::FirewallReject,
        confidence,
        format!(
            "A device on the path refused the connection to {}: the RST has TTL {}; the server's own packets have {usual}.",
            case.handshake.server, reset.ttl
        ),
    )
    .weight(Weight::Overrides)
    .stopped_by(StoppedBy::Network)
    .shown_by(reset.mark, format!("RST in answer to the SYN, with TTL {}; the server's own packets have {usual}", reset.ttl))
    .or_else(&[Cause::TcpRefused])
    .advise("Find the firewall between client and server that rejects this port: the server itself did not answer.")
    .advise(remedy::traceroute(case.handshake, case.handshake.server))
}

/// A shorter round trip does not tell two hosts of one network apart.
const LEAST_ROUND_TRIP: Duration = Duration::from_millis(2);
