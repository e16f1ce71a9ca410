//! `dtls-refused`: ICMP says that nobody is there.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::unreachable::datagram_refused;
use crate::diagnosis::view::View;

pub(super) const RULE: Rule = Rule { cause: Cause::DtlsRefused, against: &[], page: page!("dtls-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    View::new(case.handshake).failed_over_dtls()?;
    let finding = datagram_refused(case, Cause::DtlsRefused, "DTLS", "ClientHello")?;
    Some(
        finding
            .advise("On the server, check what listens on this UDP port and on which addresses:")
            .advise(remedy::ss_listen_udp(case.handshake.server.port))
            .advise(remedy::s_client(case.handshake, "")),
    )
}
