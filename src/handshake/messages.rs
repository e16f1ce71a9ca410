//! What each handshake message in clear adds to the facts.

use crate::anomaly::AnomalyKind;
use crate::flow::Side;
use crate::limits;
use crate::time::Mark;
use crate::tls::certificate::RawKey;
use crate::tls::client_hello::ClientHello;
use crate::tls::message::{
    CertificateRequest, EncryptedExtensions, OcspStaple, ServerKeyExchange, SessionTicket, certificate_list, certificate_list_13,
    decompress_certificate, entry_extensions,
};
use crate::tls::registry::{ExtensionType, HandshakeType, ProtocolVersion};
use crate::tls::server_hello::ServerHello;

use super::facts::{Chain, Located, Observed, Protocol, Resumption};
use super::notes::{anomaly, letter};
use super::shared::{Shared, intern};
use super::ssl2;

/// Where a message was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its last byte's frame.
    pub(super) mark: Mark,
    /// Its first byte's frame.
    pub(super) first: Mark,
    /// Offsets of its first record's header and behind its last byte's record.
    pub(super) span: (u64, u64),
}

impl Place {
    const fn seen<T>(self, what: T) -> Located<T> {
        Located { what, mark: self.mark, first: self.first, span: self.span }
    }
}

/// An SSLv2 record's body at the start of a connection.
pub(super) fn sslv2(h: &mut Observed, side: Side, body: &[u8], place: Place) {
    if side == Side::Client
        && let Some(hello) = ClientHello::parse_sslv2(body)
    {
        h.protocol = if hello.legacy_version() >= ProtocolVersion::SSL3 { Protocol::Tls } else { Protocol::Ssl2 };
        h.held_bytes += body.len() + size_of::<Located<ClientHello>>();
        h.client_hellos.push(place.seen(hello));
        letter(h, side, 'c');
    } else if side == Side::Server && h.protocol == Protocol::Ssl2 && body.first() == Some(&ssl2::SERVER_HELLO) {
        h.ssl2_answer.get_or_insert(place.mark);
        letter(h, side, 's');
    }
}

/// One message in clear.
pub(super) fn on_message(h: &mut Observed, shared: &mut Shared, side: Side, kind: HandshakeType, body: &[u8], place: Place) {
    if h.history.len() >= limits::MESSAGES {
        return;
    }
    letter(h, side, history_letter(kind));
    if is_kept(kind) {
        h.held_bytes += 2 * body.len();
    }
    let understood = match (side, kind) {
        (Side::Client, HandshakeType::CLIENT_HELLO) => client_hello(h, body, place),
        (Side::Server, HandshakeType::SERVER_HELLO) => server_hello(h, body, place),
        (Side::Server, HandshakeType::CLIENT_HELLO) => hello_of_server(h, body, place),
        (_, HandshakeType::CERTIFICATE) => certificate(h, shared, side, body, place),
        (Side::Server, HandshakeType::SERVER_KEY_EXCHANGE) => server_key_exchange(h, body, place),
        (Side::Server, HandshakeType::CERTIFICATE_REQUEST) => {
            let parsed = CertificateRequest::parse(body, h.version().unwrap_or(ProtocolVersion::TLS12));
            keep(&mut h.certificate_request, parsed, place)
        }
        (Side::Server, HandshakeType::CERTIFICATE_STATUS) => keep(&mut h.staple, OcspStaple::parse_certificate_status(body), place),
        (Side::Server, HandshakeType::NEW_SESSION_TICKET) => {
            // It may be offered again, and refused like the one that the client offered now.
            let instead = h.hello().is_some_and(|hello| hello.session_ticket_len().is_some());
            keep(&mut h.session_ticket, SessionTicket::parse(body, instead), place)
        }
        (Side::Server, HandshakeType::SERVER_HELLO_DONE) => {
            h.server_hello_done.get_or_insert(place.mark);
            true
        }
        (Side::Server, HandshakeType::HELLO_REQUEST) => {
            h.hello_request.get_or_insert(place.mark);
            true
        }
        (Side::Client, HandshakeType::CLIENT_KEY_EXCHANGE) => {
            h.client_key_exchange.get_or_insert(place.mark);
            true
        }
        (Side::Client, HandshakeType::CERTIFICATE_VERIFY) => {
            h.client_certificate_verify.get_or_insert(place.mark);
            true
        }
        _ => true,
    };
    if !understood {
        anomaly(h, side, place.mark, AnomalyKind::Malformed { message: kind.0 });
    }
}

/// One decrypted message of TLS 1.3.
pub(super) fn on_decrypted(h: &mut Observed, shared: &mut Shared, side: Side, kind: HandshakeType, body: &[u8], place: Place) {
    letter(h, side, history_letter(kind));
    if is_kept(kind) {
        h.held_bytes += 2 * body.len();
    }
    let understood = match (side, kind) {
        (Side::Server, HandshakeType::ENCRYPTED_EXTENSIONS) => {
            h.held_bytes += body.len();
            h.encrypted_extensions.get_or_insert_with(|| Box::new(place.seen(body.into())));
            true
        }
        (Side::Server, HandshakeType::CERTIFICATE_REQUEST) => {
            // One after the handshake asks for something else than what the handshake waits for.
            if h.finished.server.is_none() {
                h.hidden.certificate_requested.happens(place.mark);
            }
            keep(&mut h.certificate_request, CertificateRequest::parse(body, ProtocolVersion::TLS13), place)
        }
        (_, HandshakeType::CERTIFICATE) => certificate_13(h, shared, side, body, place),
        (_, HandshakeType::COMPRESSED_CERTIFICATE) => match decompress_certificate(body) {
            Some(certificate) => certificate_13(h, shared, side, &certificate, place),
            None => false,
        },
        (Side::Client, HandshakeType::CERTIFICATE_VERIFY) => {
            h.client_certificate_verify.get_or_insert(place.mark);
            true
        }
        (_, HandshakeType::FINISHED) => {
            h.finished.of_mut(side).get_or_insert(place.mark);
            if side == Side::Server {
                h.hidden.server_flight_done.happens(place.mark);
            }
            true
        }
        (Side::Server, HandshakeType::NEW_SESSION_TICKET) => {
            // One that the server sent before it had the client's Finished says nothing about that.
            if h.finished.client.is_some() {
                h.tickets_seen = h.tickets_seen.saturating_add(1);
            }
            true
        }
        _ => true,
    };
    if !understood {
        anomaly(h, side, place.mark, AnomalyKind::Malformed { message: kind.0 });
    }
}

/// A Certificate of TLS 1.3, with the staple of its first entry.
fn certificate_13(h: &mut Observed, shared: &mut Shared, side: Side, body: &[u8], place: Place) -> bool {
    let mut chain = Chain { message_len: body.len(), ..Chain::default() };
    let raw = || h.encrypted_extensions.as_ref().and_then(|seen| EncryptedExtensions::parse(&seen.what));
    let raw = raw().is_some_and(|chosen| chosen.extensions().any(|extension| is_raw_key(side, extension)));
    for (index, (der, extensions)) in certificate_list_13(body).enumerate() {
        if raw {
            chain.raw_key.get_or_insert_with(|| Box::new(RawKey::of(der)));
        } else if chain.certificates.len() < limits::CHAIN_LEN {
            chain.certificates.push(intern(shared, der));
        } else {
            chain.dropped += 1;
        }
        if side == Side::Server && index == 0 {
            let staple = entry_extensions(extensions).find(|(kind, _)| *kind == ExtensionType::STATUS_REQUEST);
            if let Some((_, staple)) = staple {
                keep(&mut h.staple, OcspStaple::parse_certificate_status(staple), place);
            }
        }
    }
    h.held_bytes += weight(&chain);
    match side {
        Side::Client => {
            let empty = chain.certificates.is_empty() && chain.raw_key.is_none();
            h.hidden.client_certificate_empty |= empty;
            h.hidden.client_certificate_sent |= !empty;
            h.client_chain.get_or_insert_with(|| place.seen(chain));
        }
        Side::Server => {
            h.server_chain.get_or_insert_with(|| place.seen(chain));
        }
    }
    true
}

/// A hello was read: over a stream that is TLS. What carries datagrams was known before.
const fn speaks_tls(h: &mut Observed) {
    if !matches!(h.protocol, Protocol::Dtls | Protocol::Quic) {
        h.protocol = Protocol::Tls;
    }
}

/// Messages of which what they say is kept, in about twice the bytes.
const fn is_kept(kind: HandshakeType) -> bool {
    matches!(
        kind,
        HandshakeType::SERVER_KEY_EXCHANGE
            | HandshakeType::CERTIFICATE_REQUEST
            | HandshakeType::CERTIFICATE_STATUS
            | HandshakeType::NEW_SESSION_TICKET
    )
}

/// Bytes of a chain, though others may be served the same certificates.
fn weight(chain: &Chain) -> usize {
    chain.certificates.iter().map(|certificate| certificate.weight()).sum()
}

/// Enters the first of its kind.
fn keep<T, S: From<Located<T>>>(slot: &mut Option<S>, parsed: Option<T>, place: Place) -> bool {
    match parsed {
        Some(what) => {
            slot.get_or_insert_with(|| place.seen(what).into());
            true
        }
        None => false,
    }
}

fn client_hello(h: &mut Observed, body: &[u8], place: Place) -> bool {
    let parsed = if h.protocol == Protocol::Dtls { ClientHello::parse_dtls(body) } else { ClientHello::parse(body) };
    let Some(hello) = parsed else { return false };
    if h.server_hello.is_some() || h.client_hellos.len() >= 2 {
        if h.finished.client.is_none() {
            let kind = AnomalyKind::OutOfOrder { message: HandshakeType::CLIENT_HELLO.0, expected: "no second ClientHello" };
            anomaly(h, Side::Client, place.mark, kind);
        }
        return true;
    }
    h.early_data_offered |= hello.offers_early_data();
    speaks_tls(h);
    for defect in hello.defects() {
        anomaly(h, Side::Client, place.mark, AnomalyKind::Defect { field: defect.field, rule: defect.rule });
    }
    h.held_bytes += body.len() + size_of::<Located<ClientHello>>();
    h.client_hellos.push(place.seen(hello));
    true
}

/// What a server says as a client does: another client speaks to this one, or what this one said comes back to it.
fn hello_of_server(h: &mut Observed, body: &[u8], place: Place) -> bool {
    let Some(hello) = ClientHello::parse(body) else { return false };
    let echoed = h.client_hellos.iter().any(|own| own.what.random() == hello.random());
    let kind = if echoed {
        AnomalyKind::EchoedHello
    } else {
        AnomalyKind::OutOfOrder { message: HandshakeType::CLIENT_HELLO.0, expected: "no ClientHello from the server" }
    };
    anomaly(h, Side::Server, place.mark, kind);
    true
}

fn server_hello(h: &mut Observed, body: &[u8], place: Place) -> bool {
    let Some(hello) = ServerHello::parse(body) else { return false };
    speaks_tls(h);
    if let Some(offer) = h.client_hellos.last() {
        for defect in hello.defects(&offer.what) {
            anomaly(h, Side::Server, place.mark, AnomalyKind::Defect { field: defect.field, rule: defect.rule });
        }
    }
    h.held_bytes += body.len();
    if hello.is_hello_retry_request() {
        if h.hello_retry.is_some() {
            let kind = AnomalyKind::OutOfOrder { message: HandshakeType::SERVER_HELLO.0, expected: "no second HelloRetryRequest" };
            anomaly(h, Side::Server, place.mark, kind);
        }
        h.hello_retry.get_or_insert_with(|| Box::new(place.seen(hello)));
        // The letter of a HelloRetryRequest is its own.
        if h.history.pop() {
            letter(h, Side::Server, 'j');
        }
        return true;
    }
    if hello.selected_psk().is_some() {
        h.resumption = Some(Resumption::Psk);
    }
    h.server_hello.get_or_insert_with(|| place.seen(hello));
    true
}

fn certificate(h: &mut Observed, shared: &mut Shared, side: Side, body: &[u8], place: Place) -> bool {
    let mut chain = Chain { message_len: body.len(), ..Chain::default() };
    let chosen = h.server_hello.as_ref().map(|hello| &hello.what);
    if chosen.is_some_and(|hello| hello.extensions().any(|(kind, body)| is_raw_key(side, (kind, body)))) {
        // It stands where the list of certificates would.
        chain.raw_key = body.get(3..).filter(|der| !der.is_empty()).map(|der| Box::new(RawKey::of(der)));
    }
    for der in certificate_list(body).filter(|_| chain.raw_key.is_none()) {
        if chain.certificates.len() < limits::CHAIN_LEN {
            chain.certificates.push(intern(shared, der));
        } else {
            chain.dropped += 1;
        }
    }
    h.held_bytes += weight(&chain);
    let slot = match side {
        Side::Client => &mut h.client_chain,
        Side::Server => &mut h.server_chain,
    };
    slot.get_or_insert_with(|| place.seen(chain));
    true
}

/// Whether this is the server's word that a side sends a public key in the place of certificates (RFC 7250 section 4).
fn is_raw_key(side: Side, (kind, body): (ExtensionType, &[u8])) -> bool {
    let about = match side {
        Side::Client => ExtensionType::CLIENT_CERTIFICATE_TYPE,
        Side::Server => ExtensionType::SERVER_CERTIFICATE_TYPE,
    };
    kind == about && body == [RAW_PUBLIC_KEY]
}

/// A type of certificate (RFC 7250 section 3).
const RAW_PUBLIC_KEY: u8 = 2;

fn server_key_exchange(h: &mut Observed, body: &[u8], place: Place) -> bool {
    let (Some(suite), Some(version)) = (h.cipher(), h.version()) else { return true };
    let read = ServerKeyExchange::parse(body, suite.key_exchange(), version);
    // In TLCP it holds a signature alone, unless keys are agreed on.
    let read = read.or_else(|| (version == ProtocolVersion::TLCP).then(ServerKeyExchange::default));
    keep(&mut h.server_key_exchange, read, place)
}

/// The letter of a message, as in Zeek's `ssl_history`.
pub(super) fn history_letter(kind: HandshakeType) -> char {
    match kind {
        HandshakeType::HELLO_REQUEST => 'h',
        HandshakeType::CLIENT_HELLO => 'c',
        HandshakeType::SERVER_HELLO => 's',
        HandshakeType::NEW_SESSION_TICKET => 't',
        HandshakeType::CERTIFICATE => 'x',
        HandshakeType::SERVER_KEY_EXCHANGE => 'k',
        HandshakeType::CERTIFICATE_REQUEST => 'r',
        HandshakeType::SERVER_HELLO_DONE => 'n',
        HandshakeType::CERTIFICATE_VERIFY => 'y',
        HandshakeType::CLIENT_KEY_EXCHANGE => 'g',
        HandshakeType::FINISHED => 'f',
        HandshakeType::CERTIFICATE_STATUS => 'u',
        HandshakeType::ENCRYPTED_EXTENSIONS => 'o',
        HandshakeType::KEY_UPDATE => 'p',
        _ => 'q',
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tls::client_hello::tests::build;

    #[test]
    fn a_hello_of_the_server_is_an_echo_where_its_random_is_the_clients() {
        let answered = |body: &[u8]| {
            let (mut h, mut shared) = (Observed::default(), Shared::new(Duration::from_secs(10), false));
            let place = Place { mark: Mark::default(), first: Mark::default(), span: (0, 90) };
            let own = build(0x0303, &[0x1301], &[]);
            on_message(&mut h, &mut shared, Side::Client, HandshakeType::CLIENT_HELLO, &own, place);
            on_message(&mut h, &mut shared, Side::Server, HandshakeType::CLIENT_HELLO, body, place);
            let of_server = h.anomalies.iter().filter(|anomaly| anomaly.side == Side::Server);
            (h.client_hellos.len(), of_server.map(|anomaly| anomaly.kind.clone()).collect::<Vec<_>>())
        };
        let own = build(0x0303, &[0x1301], &[]);
        assert_eq!(answered(&own), (1, vec![AnomalyKind::EchoedHello]));
        let mut other = own.clone();
        other[10] ^= 1;
        let met = AnomalyKind::OutOfOrder { message: 1, expected: "no ClientHello from the server" };
        assert_eq!(answered(&other), (1, vec![met]), "two clients met");
        assert_eq!(answered(&own[..30]), (1, vec![AnomalyKind::Malformed { message: 1 }]));
    }
}
