//! `server-flight-dropped`, seen near the client: the server spoke, and nothing of it arrived.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::remedy;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::counted;

/// The server's number, or what its system knows, shows that it sent more than came.
pub(super) fn check(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    ahead(case, view).or_else(|| forgotten(case, view))
}

/// A bare packet of the server has a number ahead of all that arrived from it.
fn ahead(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let (mark, hole) = view.flight_unarrived()?;
    // What is large may not pass for its size alone, unless it is known to pass.
    let by_size = view.hole_is_full_size(Side::Server, hole) && case.knowledge.passed.server < view.mss(Side::Server).min(FULL);
    if !view.failed_over_tcp() || !view.hello_acked() || by_size || view.near_side() == Some(Side::Server) || !case.waited() {
        return None;
    }
    let sent = counted(hole.len, "byte", "bytes");
    let finding = Finding::new(
        Cause::ServerFlightDropped,
        if view.waited() { Confidence::Strong } else { Confidence::Likely },
        format!("The server answered the ClientHello for {} with {sent}, and none of them arrived.", view.target()),
    )
    .stopped_by(StoppedBy::Network);
    let finding = match view.client().acked_at {
        Some(acked) => finding.shown_by(acked, "the server acknowledges the ClientHello"),
        None => finding,
    };
    Some(
        finding
            .shown_by(mark, format!("the server's sequence number is {sent} ahead of all that arrived from it"))
            .or_else(if super::older_version_that_worked(case).is_some() { &[Cause::Tls13Dropped] } else { &[] })
            .or_else(&[Cause::PathMtuBlackHole, Cause::OneWayPath, Cause::PacketLoss])
            .advise("Capture on the server at the same time: the answer, and its copies, are there. Look for a filter, a link of a bundle or a different route on the way back that drops them:")
            .advise(remedy::ping_mtu(facts.server.address, 1500))
            .advise(remedy::s_client(facts, "")),
    )
}

/// The server's system no longer knew the connection when the client gave up.
fn forgotten(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    if !view.failed_without_words() || view.awaited()?.side != Side::Server {
        return None;
    }
    let (ending, reset) = view.forgotten_before_end()?;
    // Nothing shows that it had said anything.
    let finding = Finding::new(
        Cause::ServerFlightDropped,
        Confidence::Likely,
        format!(
            "{} received the ClientHello, and did not know the connection any more when the client gave up after {}: it had forgotten it without a word (a restart, a failover, a balancer that drops in silence), or its end and what it said before were lost on the way.",
            view.target(),
            span_text(view.silence())
        ),
    )
    .stopped_by(StoppedBy::Network);
    let finding = match view.client().acked_at {
        Some(acked) if acked.frame < ending.mark.frame => finding.shown_by(acked, "the server's kernel acknowledged the ClientHello"),
        _ => finding,
    };
    let ended = if view.answer_begun() { Cause::ServerAborted } else { Cause::ServerClosed };
    Some(
        finding
            .shown_by(ending.mark, format!("the client gives up ({})", ending.name()))
            .shown_by(reset.mark, "the server's RST in answer, without ACK flag: so a system answers a packet of a connection that it does not know; one whose process hangs acknowledges it")
            .or_else(&[Cause::ServerSilent, Cause::OneWayPath, Cause::ResetInjected, ended, Cause::ClientTimeout])
            .advise("Capture on the server at the same time: what it sent, and how it ended the connection, is there. Look in between for a filter that drops the answer or resets only one of the two sides.")
            .advise(remedy::s_client(facts, "-tls1_2")),
    )
}

/// From this length on a packet's size may be what keeps it from passing.
const FULL: u32 = 1_000;
