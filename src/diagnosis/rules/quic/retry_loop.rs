//! `quic-retry-loop`: the server asks for a token and does not take it.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::quic::close::INVALID_TOKEN;
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::QuicRetryLoop, against: &[], page: page!("quic-retry-loop"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic()?;
    let refused = quic.close_of(Side::Server).filter(|close| close.code == INVALID_TOKEN && !close.application);
    if quic.retries_after_token == 0 && refused.is_none() || case.handshake.server_hello.is_some() {
        return None;
    }
    let summary = if refused.is_some() {
        format!("{} rejected the client's address token (INVALID_TOKEN).", view.target())
    } else {
        format!(
            "{} answers every Initial packet with Retry, even those that carry its token: {} in all.",
            view.target(),
            counted(quic.retry.count, "Retry packet", "Retry packets")
        )
    };
    let mut finding = Finding::new(
        Cause::QuicRetryLoop,
        if refused.is_some() || quic.retries_after_token >= 2 {
            Confidence::Certain
        } else if quic.retry.count >= 2 {
            Confidence::Strong
        } else {
            // The Retry that gave the token is not in the capture.
            Confidence::Likely
        },
        summary,
    )
    .stopped_by(StoppedBy::Server);
    for (mark, text) in
        [(quic.retry.first, "first Retry"), (quic.token, "the client's Initial packet with the token"), (quic.retry.last, "last Retry")]
    {
        if let Some(mark) = mark {
            finding = finding.shown_by(mark, text);
        }
    }
    if let Some(close) = refused {
        finding = finding.shown_by(close.mark, "CONNECTION_CLOSE with INVALID_TOKEN (0x0b)");
    }
    Some(
        finding
            .advise("On all servers behind this address, use the same token key and keep it over restarts; check that no NAT changes the client's port in between.")
            .advise(remedy::show_lines(case.handshake)),
    )
}
