//! What is QUIC's or DTLS's own in a report.

use crate::handshake::facts::{DtlsFacts, QuicFacts};
use crate::quic::close;

use super::{DtlsInfo, QuicClose, QuicInfo};

pub(super) fn quic(facts: &QuicFacts) -> QuicInfo {
    QuicInfo {
        version: facts.version.to_string(),
        first_version: facts.first_version.to_string(),
        server_versions: facts
            .negotiation
            .as_ref()
            .map(|(_, versions)| versions.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        retries: facts.retry.count,
        zero_rtt_packets: facts.zero_rtt.count,
        closes: facts
            .closes
            .iter()
            .map(|closed| QuicClose {
                from: closed.from.name().to_owned(),
                code: closed.code,
                name: if closed.application { format!("application 0x{:x}", closed.code) } else { close::name(closed.code).into_owned() },
                reason: Some(closed.reason.clone()).filter(|reason| !reason.is_empty()),
                frame: closed.mark.frame,
            })
            .collect(),
    }
}

pub(super) fn dtls(facts: &DtlsFacts) -> DtlsInfo {
    DtlsInfo {
        cookie_requests: facts.cookie_requests.count,
        fragmented_messages: facts.fragmented.client.saturating_add(facts.fragmented.server),
        largest_datagram: facts.largest.client.max(facts.largest.server),
        connection_id: facts.connection_id,
    }
}
