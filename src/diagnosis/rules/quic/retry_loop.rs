//! `quic-retry-loop`: the server asks for a token and does not take it.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::quic::close::INVALID_TOKEN;

pub(super) const RULE: Rule = Rule {
    cause: Cause::QuicRetryLoop,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server answers with Retry and does not accept the token it gave",
    page: Page {
        meaning: "With a Retry packet a server makes the client prove its address: the client repeats its Initial packet with the token from it. Here the server did not accept the token \
                  and sent another Retry, or closed with INVALID_TOKEN. Mostly several servers share the address and each knows only its own tokens, or a NAT changes the client's port between the two.",
        recognised: "Retry in answer to an Initial packet that carries a token, or CONNECTION_CLOSE with INVALID_TOKEN (0x0b). More than one Retry by itself is no loop: a ClientHello of two packets may get two.",
        confused_with: "A lost packet after a single Retry (`quic-server-silent`).",
        check: "See whether the Retry packets and the answers come from the same server: compare hop counters and connection identifiers, and ask each server by its own address.",
        fix: &[
            (
                "several servers behind one address",
                "Give them the same token key: nginx `quic_host_key`, HAProxy `cluster-secret`, quic-go and others a shared key in their configuration.",
            ),
            ("key changes at each start", "Store the key in a file; without it every reload makes tokens invalid."),
            (
                "NAT or balancer that changes ports",
                "Let the balancer keep the client's port, or hash by connection identifier; raise the NAT's timeout for UDP.",
            ),
            ("clocks", "Tokens carry a time: compare the servers' clocks."),
            ("Retry is not needed", "Switch it off unless under attack: nginx `quic_retry off`."),
        ],
        references: &["RFC 9000 sections 8.1.2 and 17.2.5"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic()?;
    let refused = quic.close_of(Side::Server).filter(|close| close.code == INVALID_TOKEN && !close.application);
    if quic.retries_after_token == 0 && refused.is_none() || case.handshake.server_hello.is_some() {
        return None;
    }
    let summary = if refused.is_some() {
        format!("{} refused the address token of the client (INVALID_TOKEN).", view.target())
    } else {
        format!(
            "{} answers every Initial packet with Retry, also those that carry its token ({} Retry packets).",
            view.target(),
            quic.retry.count
        )
    };
    let mut finding = Finding::new(
        Cause::QuicRetryLoop,
        if refused.is_some() || quic.retries_after_token >= 2 { Confidence::Certain } else { Confidence::Strong },
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
            .advise("Give all servers behind this address the same key for tokens and keep it over restarts; see that no NAT changes the client's port in between.")
            .advise(remedy::show_lines(case.handshake)),
    )
}
