//! `server-flight-dropped`: the server's answer never arrives.

use crate::diagnosis::against::{Contrary, drops, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect};
use crate::diagnosis::ignored::Fate;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::{counted, times};

use super::{unarrived, untaken};

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerFlightDropped,
    against: &[drops(Contrary::CopiesAnswered), lowers(Contrary::SameHelloCompleted)],
    page: page!("server-flight-dropped"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some(finding) = over_udp(case, view).or_else(|| unarrived::check(case, view)) {
        return Some(finding);
    }
    if !view.failed_over_tcp() || !view.hello_whole() {
        return None;
    }
    let start = facts.server_hello.as_ref().or(facts.hello_retry.as_deref())?.span.0;
    if let Some(finding) = untaken::check(facts, Side::Server, start, Cause::ServerFlightDropped) {
        return Some(finding);
    }
    let server = view.server();
    let segment = view.repeated_in_vain(Side::Server).filter(|segment| segment.offset >= start).min_by_key(|segment| segment.offset)?;
    let partly = server.acked > start || server.outstanding.iter().any(|other| other.sacked) || view.client().sent_sack;
    // What is repeated to it after that, and draws no RST, does not arrive.
    let unanswered = segment.copies >= 3 && view.client().resets.is_empty() && view.client().fin.is_some_and(|(fin, _)| fin < segment.last);
    // A client that left soon never wanted the answer, or had gone when it came.
    let waited = view.waited() || case.time_limit().is_some();
    let left = view.ended_by(Side::Client).is_some() && !waited && !unanswered;
    if partly
        || left
        || super::too_large(case, view, Side::Server)
        || view.black_hole(Side::Server).is_some_and(|segment| case.knowledge.passed.server < segment.len)
        || view.client().zero_window.is_some_and(|window| window.lasted_past(segment.first))
    {
        return None;
    }
    let full_size = view.is_full_size(Side::Server, segment) && case.knowledge.passed.server < segment.len;
    let confidence = if full_size || segment.copies < 3 { Confidence::Likely } else { Confidence::Strong };
    let mut alternatives = vec![Cause::OneWayPath];
    if full_size {
        alternatives.insert(0, Cause::PathMtuBlackHole);
    }
    let fate = Fate::of(view, Side::Server);
    let finding = Finding::new(
        Cause::ServerFlightDropped,
        confidence,
        format!(
            "The server's answer for {} {}: it was sent {} within {} and never acknowledged.",
            view.target(),
            fate.words("does not reach the client"),
            times(segment.copies),
            span_text(segment.last.time.since(segment.first.time))
        ),
    )
    .stopped_by(fate.stopped_by())
    .resting_on(Suspect::packet(Side::Server, segment.first, segment.len))
    .shown_by(segment.first, format!("the server's answer, a packet of {}", counted(segment.ip_len, "byte", "bytes")))
    .shown_by(segment.last, format!("sent for the {} time; the client acknowledged none of it", ordinal(segment.copies)));
    if fate != Fate::Lost {
        let alternative = if fate == Fate::Damaged { Cause::PacketLoss } else { Cause::OneWayPath };
        return Some(fate.explain(case, finding.or_else(&[alternative])));
    }
    Some(
        finding
            .or_else(&alternatives)
            .advise("Capture on the client at the same time, and look for a filter or a different route on the way back:")
            .advise(remedy::ping_mtu(facts.client.address, 1500))
            .advise(remedy::s_client(facts, "-tls1_2")),
    )
}

/// Near the server: it answers, and the client repeats its hello as if it did not.
fn over_udp(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let hello = view.repeats(Side::Client).filter(|repeats| repeats.count >= 2 && view.stalled_over_udp())?;
    let (answer, unheard) = match (&facts.quic, &facts.dtls) {
        (Some(quic), _) => {
            let unheard = quic.acked.server.is_none() && quic.handshakes.client.count == 0 && quic.shorts.client.count == 0;
            (facts.server_hello.as_ref().map(|seen| seen.mark)?, unheard)
        }
        (None, Some(dtls)) => {
            // The client has had nothing that it would have had to answer otherwise.
            let asked = dtls.cookie_requests.first.filter(|_| dtls.hellos_with_cookie.count == 0);
            let flight =
                facts.server_hello.as_ref().map(|seen| seen.mark).filter(|_| dtls.hole.is_none() && facts.client_key_exchange.is_none());
            (asked.or(flight)?, facts.finished.client.is_none())
        }
        (None, None) => return None,
    };
    if !unheard || view.large_flight_unheard() {
        return None;
    }
    let mut finding = Finding::new(
        Cause::ServerFlightDropped,
        if facts.server_hello.is_some() && facts.dtls.is_some() { Confidence::Likely } else { Confidence::Strong },
        format!(
            "The server answers the ClientHello for {}, but the answer never reaches the client: it repeated its ClientHello {} within {}.",
            view.target(),
            times(hello.count),
            span_text(hello.last.time.since(facts.flow.first.time))
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(answer, "the server's answer")
    .shown_by(hello.last, "the same ClientHello again");
    if let Some(repeats) = view.repeats(Side::Server) {
        finding = finding.shown_by(repeats.last, "the server's answer again");
    }
    Some(
        finding
            .or_else(&[Cause::PathMtuBlackHole, Cause::PacketLoss])
            .advise(
                "Capture on the client at the same time: UDP answers need a way back through every stateful firewall and NAT on the path.",
            )
            .advise(remedy::show_lines(facts)),
    )
}
