//! Which connections deserve a report: those on which a TLS handshake was begun, or on which one was due.

use crate::flow::{Side, Transport};
use crate::preamble::services::is_implicit_tls;
use crate::preamble::{Dialect, PreambleFacts, Upgrade};

use super::facts::{Handshake, Protocol};

/// Whether a connection is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relevance {
    /// A handshake was begun, or was due on this port.
    Report,
    /// Only if the capture shows elsewhere that this server speaks TLS.
    IfServerSpeaksTls,
    /// Not about TLS; counted under this word.
    Other(&'static str),
}

/// Decides it from the facts.
pub fn relevance(handshake: &Handshake) -> Relevance {
    if handshake.protocol != Protocol::Other {
        return Relevance::Report;
    }
    if handshake.tcp.key.transport == Transport::Udp {
        return Relevance::Other("quic-unread");
    }
    let tls_port = is_implicit_tls(handshake.server.port);
    let due = if tls_port { Relevance::Report } else { Relevance::IfServerSpeaksTls };
    if let Some(preamble) = &handshake.preamble {
        return upgrade(preamble, tls_port);
    }
    let tcp = &handshake.tcp;
    if tcp.side(Side::Client).data_packets == 0 && tcp.side(Side::Server).data_packets == 0 {
        return if tcp.saw_start() { due } else { Relevance::Other("no-payload") };
    }
    // Only a connection whose beginning was seen can be said to lack a handshake.
    if !tcp.saw_start() {
        return Relevance::Other("midstream");
    }
    match (&handshake.plaintext.client, &handshake.plaintext.server) {
        (Some(_), Some(server)) if server.what.http_status.is_none_or(|status| status != 400) && !tls_port => Relevance::Other("plaintext"),
        (Some(_), _) | (None, Some(_)) => due,
        // Nothing could be read because the client's first bytes never came into view.
        (None, None) if tcp.side(Side::Client).delivered == 0 => due,
        (None, None) => Relevance::Other("unrecognised"),
    }
}

fn upgrade(preamble: &PreambleFacts, tls_port: bool) -> Relevance {
    let business_as_usual = Relevance::Other(preamble.dialect.name());
    match (preamble.dialect, preamble.upgrade) {
        (Dialect::HttpConnect | Dialect::ProxyV1 | Dialect::ProxyV2, _) => Relevance::Report,
        (Dialect::Socks4 | Dialect::Socks5, Upgrade::NotAsked | Upgrade::Granted) => business_as_usual,
        _ if tls_port || preamble.stripped.is_some() || preamble.wanted_tls() => Relevance::Report,
        // The upgrade was offered, and the client left without a word: it may not have seen the offer.
        (_, Upgrade::NotAsked) if preamble.offered == Some(true) && preamble.went_on.is_none() => Relevance::Report,
        // A dialogue in clear that went on without TLS is business as usual.
        _ => business_as_usual,
    }
}
