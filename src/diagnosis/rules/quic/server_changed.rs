//! `quic-server-changed`: packets of one connection come to a server that does not know it.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{QuicFacts, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::QuicServerChanged, against: &[], page: page!("quic-server-changed"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic()?;
    let finding = if quic.resets.count > 0 { reset(view, quic)? } else { two_answer(view, quic)? };
    Some(
        finding
            .advise("On the load balancer, send all datagrams of a client's address and port to one server, or choose the server by connection identifier (QUIC-LB).")
            .advise("With nginx and several workers, `reuseport` needs `quic_bpf on`.")
            .advise(remedy::log(case.handshake, Side::Server, "it says whether it began then, or what it did with this client's packets"))
            .advise(remedy::show_lines(case.handshake)),
    )
}

/// The server says itself that it does not know the connection.
fn reset(view: View<'_>, quic: &QuicFacts) -> Option<Finding> {
    let (first, last) = (quic.resets.first?, quic.resets.last?);
    let resets = counted(quic.resets.count, "stateless reset", "stateless resets");
    let known = quic.handshakes.server.first.or(quic.initials.server.first).filter(|known| *known < first);
    let summary = format!(
        "{} answered with {resets}: whoever got the client's packets does not know this connection. A balancer sends them to another server than the first ones, or the server began anew in between.",
        view.target()
    );
    let mut finding =
        Finding::new(Cause::QuicServerChanged, Confidence::Strong, summary).weight(Weight::Overrides).stopped_by(StoppedBy::Server);
    if let Some(known) = known {
        finding = finding.shown_by(known, "a server knows the connection, and answers");
    }
    Some(
        finding
            .shown_by(first, "stateless reset: it ends in the same 16 bytes as the ones behind it, which no protected packet does")
            .shown_by(last, format!("the last of {}", quic.resets.count)),
    )
}

/// The first server went on answering as one, and another answers as well.
fn two_answer(view: View<'_>, quic: &QuicFacts) -> Option<Finding> {
    let second = quic.second_server?;
    let first = quic.initials.server.first?;
    let summary = format!(
        "Two servers answer this client for {}, each by a connection identifier of its own: datagrams of one connection go to different servers, so that neither has all of the handshake.",
        view.target()
    );
    Some(
        Finding::new(Cause::QuicServerChanged, Confidence::Strong, summary)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Network)
            .shown_by(first, "a server answers")
            .shown_by(
                second,
                "another connection identifier in an Initial packet of the server: a client discards it (RFC 9000 section 7.2)",
            )
            .or_else(&[Cause::QuicBlocked, Cause::QuicServerSilent]),
    )
}
