//! How far a handshake got.

use super::facts::{Observed, Stage};

/// The last stage of which something was seen.
pub(super) fn stage(h: &Observed) -> Stage {
    let client_answered = h.hidden.client_certificate_empty || h.hidden.client_certificate_sent || h.client_chain.is_some();
    let server_flight = h.server_chain.is_some() || h.server_key_exchange.is_some() || h.server_hello_done.is_some();
    if h.finished.client.is_some() && h.finished.server.is_some() && !(h.is_tls13() && client_answered) {
        Stage::Established
    } else if client_answered {
        Stage::ClientAuth
    } else if h.finished.client.is_some() || (h.finished.server.is_some() && !h.is_tls13()) || h.client_key_exchange.is_some() {
        Stage::Finished
    } else if server_flight || h.hidden.server_flight_done.happened() || (h.is_tls13() && !h.encrypted.server.is_empty()) {
        Stage::ServerCertificate
    } else if h.server_hello.is_some() || h.hello_retry.is_some() {
        Stage::ServerHello
    } else if !h.client_hellos.is_empty() || h.partial_client_hello.is_some() {
        Stage::ClientHello
    } else if h.preamble.is_some() {
        Stage::Preamble
    } else {
        Stage::Connect
    }
}
