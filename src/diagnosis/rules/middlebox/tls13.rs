//! `tls13-dropped`: only handshakes with TLS 1.3 die.

use crate::diagnosis::against::{Contrary, drops};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::tls::registry::ProtocolVersion;
use crate::wording::times;

use super::{by_contrast, hello_lost, older_version_that_worked};

pub(super) const RULE: Rule = Rule {
    cause: Cause::Tls13Dropped,
    against: &[drops(Contrary::SameHelloCompleted), drops(Contrary::Tls13Completed)],
    page: page!("tls13-dropped"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let worked = older_version_that_worked(case).filter(|_| view.failed_over_tcp())?;
    let hello = facts.last_hello()?;
    if !hello.what.offers(ProtocolVersion::TLS13) {
        return None;
    }
    let lost =
        hello_lost(view, false).map(|copies| format!("the ClientHello was sent {copies} and never acknowledged", copies = times(copies)));
    let answer_lost = || {
        let segment = view.repeated_in_vain(Side::Server).next().filter(|_| facts.is_tls13() && view.server().acked == 0)?;
        // The flight of TLS 1.2 may be smaller: where a part of this one arrives, or it is large, it is its size.
        let partly = view.server().outstanding.iter().any(|other| other.sacked) || view.client().sent_sack;
        let by_size = super::too_large(case, view, Side::Server)
            || view.is_full_size(Side::Server, segment) && case.knowledge.passed.server < segment.len;
        if partly || by_size {
            return None;
        }
        Some(format!("the TLS 1.3 answer was sent {} and never acknowledged", times(segment.copies)))
    };
    let by_hello = lost.is_some();
    let why = lost.or_else(answer_lost)?;
    // A hello that arrived is not too long.
    let confidence = match by_contrast(case, worked, hello.mark) {
        Confidence::Likely if !by_hello && worked.served_after(hello.mark) => Confidence::Strong,
        confidence => confidence,
    };
    // Another attempt with TLS 1.3 that got through clears the version of suspicion.
    if case.knowledge.completed_with_tls13 > 0 {
        return None;
    }
    Some(
        Finding::new(
            Cause::Tls13Dropped,
            confidence,
            format!(
                "A device on the path drops handshakes that offer TLS 1.3 to {}: {why}, while the same client succeeds with TLS 1.2.",
                view.target()
            ),
        )
        .stopped_by(StoppedBy::Network)
        .shown_by(hello.mark, "ClientHello that offers TLS 1.3")
        .noting(why)
        .shown_by(worked.start, "a TLS 1.2 handshake between the same client and address, which completed")
        .or_else(&[Cause::ClientHelloDropped, Cause::VersionIntolerantServer, Cause::OneWayPath])
        .advise("Compare both versions from this client, then find the firewall or proxy that drops TLS 1.3:")
        .advise(remedy::s_client(facts, "-tls1_3"))
        .advise(remedy::s_client(facts, "-tls1_2")),
    )
}
