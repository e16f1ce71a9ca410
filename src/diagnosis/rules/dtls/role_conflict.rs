//! `dtls-role-conflict`: each side takes itself for the client.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;

pub(super) const RULE: Rule = Rule { cause: Cause::DtlsRoleConflict, against: &[], page: page!("dtls-role-conflict"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let conflict = view.failed_over_dtls()?.role_conflict.filter(|_| case.handshake.server_hello.is_none())?;
    let first = case.handshake.last_hello()?.mark;
    Some(
        Finding::new(
            Cause::DtlsRoleConflict,
            Confidence::Strong,
            format!("{} and {} both sent a ClientHello: each acts as the client.", case.handshake.client, case.handshake.server),
        )
        .weight(Weight::Overrides)
        .shown_by(first, format!("ClientHello from {}", case.handshake.client))
        .shown_by(conflict, format!("ClientHello from {}", case.handshake.server))
        .advise("Compare the roles that both sides agreed on (`a=setup` in the offer and the answer of WebRTC and SIP): one must be `active`, the other `passive`."),
    )
}
