//! What lies above TCP: records, messages, certificates.

use handshark::tls::certificate::Certificate;
use handshark::tls::client_hello::ClientHello;
use handshark::tls::fingerprint::{Carrier, ja3, ja3s, ja4};
use handshark::tls::joiner::Joiner;
use handshark::tls::message::{
    Alert, CertificateRequest, EncryptedExtensions, OcspStaple, ServerKeyExchange, SessionTicket, certificate_list, certificate_list_13,
    entry_extensions,
};
use handshark::tls::record::{Item, RecordReader, looks_like_tls};
use handshark::tls::registry::{ContentType, HandshakeType, ProtocolVersion};
use handshark::tls::server_hello::ServerHello;

/// The first byte says how long the pieces are in which the rest, one direction of a stream, arrives. What is read until framing is lost does
/// not depend on the pieces.
pub fn records(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let _ = looks_like_tls(stream);
    let whole = read(stream, stream.len().max(1));
    let pieces = read(stream, usize::from(*piece).max(1));
    assert_eq!(whole, pieces, "pieces do not matter");
}

/// A record: type, version, where it begins and ends; and the kinds and lengths of the messages in it.
type Seen = (u8, u16, u64, u64, Vec<(u8, usize)>);

fn read(stream: &[u8], piece: usize) -> Vec<Seen> {
    let mut reader = RecordReader::new(0);
    reader.keep_encrypted(piece.is_multiple_of(2));
    let mut joiner: Joiner<u64> = Joiner::new();
    let mut seen: Vec<Seen> = Vec::new();
    for part in stream.chunks(piece) {
        let mut rest = part;
        while !rest.is_empty() {
            let (used, item) = reader.read(rest);
            assert!(used > 0 || item.is_some(), "reading goes on");
            match item {
                Some(Item::Record(record)) => {
                    assert!(record.start < record.end && record.end <= stream.len() as u64);
                    let mut messages = Vec::new();
                    if record.content_type == ContentType::HANDSHAKE && record.version != ProtocolVersion::SSL2 {
                        join(&mut joiner, record.body.unwrap_or_default(), record.start, &mut messages);
                    } else if let Some(body) = record.body {
                        let _ = (Alert::parse(body), ClientHello::parse_sslv2(body));
                    }
                    seen.push((record.content_type.0, record.version.0, record.start, record.end, messages));
                }
                Some(Item::Error(_)) => return seen,
                None => {}
            }
            rest = &rest[used..];
        }
    }
    let _ = (reader.pending(), joiner.pending(), joiner.pending_body());
    seen
}

fn join(joiner: &mut Joiner<u64>, mut body: &[u8], at: u64, messages: &mut Vec<(u8, usize)>) {
    while !body.is_empty() {
        let (used, joined) = joiner.read(body, at);
        assert!(used > 0, "joining goes on");
        if let Some(joined) = joined {
            messages.push((joined.kind.0, joined.len));
            if let Some(body) = joined.body {
                assert_eq!(body.len(), joined.len);
                message(joined.kind, body);
            }
        }
        body = &body[used..];
    }
}

fn message(kind: HandshakeType, body: &[u8]) {
    match kind {
        HandshakeType::CLIENT_HELLO => client_hello(ClientHello::parse(body).as_ref()),
        HandshakeType::SERVER_HELLO => server_hello(body, None),
        HandshakeType::CERTIFICATE => {
            certificate_list(body).take(8).for_each(|der| drop(Certificate::parse(der)));
            for (der, extensions) in certificate_list_13(body).take(8) {
                let _ = (Certificate::parse(der), entry_extensions(extensions).count());
            }
        }
        HandshakeType::CERTIFICATE_REQUEST => {
            for version in [ProtocolVersion::TLS10, ProtocolVersion::TLS12, ProtocolVersion::TLS13] {
                let _ = CertificateRequest::parse(body, version);
            }
        }
        HandshakeType::CERTIFICATE_STATUS => drop(OcspStaple::parse_certificate_status(body)),
        HandshakeType::NEW_SESSION_TICKET => drop(SessionTicket::parse(body, true)),
        HandshakeType::ENCRYPTED_EXTENSIONS => {
            if let Some(read) = EncryptedExtensions::parse(body) {
                let _ = (read.extensions().count(), read.alpn(), read.accepts_early_data());
            }
        }
        HandshakeType::SERVER_KEY_EXCHANGE => {
            use handshark::tls::registry::KeyExchange::{DheRsa, EcdheRsa, Rsa};
            for exchange in [DheRsa, EcdheRsa, Rsa] {
                for version in [ProtocolVersion::TLS10, ProtocolVersion::TLS12] {
                    let _ = ServerKeyExchange::parse(body, exchange, version);
                }
            }
        }
        _ => {}
    }
}

/// Two bytes of length, a ClientHello's body of that length, then a ServerHello's that answers it. A hello with `0x8000` in its length is read
/// as DTLS's, one with `0x4000` as SSLv2's.
pub fn hello(bytes: &[u8]) {
    let [high, low, rest @ ..] = bytes else { return };
    let word = u16::from_be_bytes([*high, *low]);
    let (offer, answer) = rest.split_at(usize::from(word & 0x3fff).min(rest.len()));
    let offer = match word & 0xc000 {
        0x8000 => ClientHello::parse_dtls(offer),
        0x4000 => ClientHello::parse_sslv2(offer),
        _ => ClientHello::parse(offer),
    };
    client_hello(offer.as_ref());
    server_hello(answer, offer.as_ref());
}

fn client_hello(hello: Option<&ClientHello>) {
    let Some(hello) = hello else { return };
    let _ = (ja3(hello), ja4(hello, Carrier::Tcp), hello.defects(), hello.highest_version(), hello.lowest_version(), hello.ech());
    let _ = (hello.random(), hello.session_id(), hello.dtls_cookie(), hello.compression_methods(), hello.server_name());
    let _ = (hello.cipher_suites().count(), hello.sslv2_ciphers().count(), hello.extensions().count(), hello.alpn().count());
    let _ = (hello.supported_versions().count(), hello.supported_groups().count(), hello.signature_algorithms().count());
    let _ = (hello.psk_identities(), hello.psk_is_external(), hello.psk_key_exchange_modes(), hello.session_ticket_len());
    let _ = (hello.compress_certificate().count(), hello.record_size_limit(), hello.max_fragment_length(), hello.ec_point_formats());
    let shared: usize = hello.key_shares().map(|(_, len)| len).sum();
    assert!(shared <= hello.bytes().len(), "what is shared lies within the hello");
}

fn server_hello(body: &[u8], offer: Option<&ClientHello>) {
    let Some(hello) = ServerHello::parse(body) else { return };
    let _ = (ja3s(&hello), hello.version(), hello.session_id(), hello.key_share_group(), hello.selected_psk(), hello.downgrade_sentinel());
    let _ = (hello.alpn(), hello.extensions().count(), hello.compression_method(), hello.is_hello_retry_request());
    if let Some(offer) = offer {
        let _ = hello.defects(offer);
    }
}

/// A certificate's DER, which is read as an OCSP response, too.
pub fn certificate(der: &[u8]) {
    let certificate = Certificate::parse(der);
    let _ = (
        certificate.key_name(),
        certificate.display_name(),
        certificate.is_ca(),
        certificate.claim(&certificate).and_then(|claim| claim.verify()),
    );
    let _ = (certificate.covers("www.example.test"), certificate.covers("192.0.2.1"), certificate.common_name_matches("www.example.test"));
    let _ = (OcspStaple::parse(der), OcspStaple::parse_certificate_status(der));
}
