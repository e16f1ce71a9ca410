//! `dtls-role-conflict`: each side takes itself for the client.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;

pub(super) const RULE: Rule = Rule {
    cause: Cause::DtlsRoleConflict,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "both sides take themselves for the DTLS client",
    page: Page {
        meaning: "Each side sent a ClientHello and waits for the other's ServerHello, so that neither answers. Who is the client is agreed on beforehand, in WebRTC and SIP by the attribute `a=setup` of the \
                  session description; here both came to the same role.",
        recognised: "ClientHellos from both ends of one flow, with different randoms, and no ServerHello.",
        confused_with: "Two associations one after the other in opposite directions over the same ports: there the first is over before the second begins.",
        check: "Compare `a=setup` in offer and answer. The offer says `actpass`; the answer must choose `active` (then the answerer is the client) or `passive`.",
        fix: &[
            (
                "WebRTC, SIP",
                "Answer an offer of `actpass` with `active` or `passive`, never with `actpass`; a renegotiation must keep the roles.",
            ),
            ("media servers between", "A server that rewrites the session description of both legs must do so for each leg by itself."),
            ("own protocol", "Lay down who connects; the other side must accept (`-listen`, `DTLSv1_listen`, a server context)."),
        ],
        references: &["RFC 5763 section 5", "RFC 8842 section 5"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let conflict = view.failed_over_dtls()?.role_conflict.filter(|_| case.handshake.server_hello.is_none())?;
    let first = case.handshake.last_hello()?.mark;
    Some(
        Finding::new(
            Cause::DtlsRoleConflict,
            Confidence::Strong,
            format!("{} and {} both sent a ClientHello: each takes itself for the client.", case.handshake.client, case.handshake.server),
        )
        .weight(Weight::Overrides)
        .shown_by(first, format!("ClientHello from {}", case.handshake.client))
        .shown_by(conflict, format!("ClientHello from {}", case.handshake.server))
        .advise("Compare the roles that both sides agreed on (in WebRTC and SIP `a=setup` of offer and answer): one has to be `active`, the other `passive`."),
    )
}
