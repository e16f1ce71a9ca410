//! `quic-refused`: ICMP says that nobody is there.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::unreachable::datagram_refused;
use crate::diagnosis::view::View;

pub(super) const RULE: Rule = Rule { cause: Cause::QuicRefused, against: &[], page: page!("quic-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    View::new(case.handshake).failed_over_quic()?;
    let finding = datagram_refused(case, Cause::QuicRefused, "QUIC", "first Initial packet")?;
    Some(
        finding
            .advise(
                "On the server, check what listens on this UDP port. If QUIC is not wanted, stop announcing it (Alt-Svc, HTTPS record):",
            )
            .advise(remedy::ss_listen_udp(case.handshake.server.port))
            .advise(remedy::curl(case.handshake, "--http3-only")),
    )
}
