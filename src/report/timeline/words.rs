//! How the entries of a timeline are worded.

use super::Kind;
use crate::anomaly::AnomalyKind;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::datagrams::message_at;
use crate::handshake::facts::{AlertSeen, Chain, Protocol};
use crate::tls::client_hello::ClientHello;
use crate::tls::server_hello::ServerHello;
use crate::transport::Doubt;
use crate::wording::counted;

/// What was sent again: TCP and QUIC count bytes, DTLS messages.
pub(super) fn sent_again(h: &Handshake, side: Side, offset: u64) -> String {
    match h.protocol {
        Protocol::Dtls => {}
        Protocol::Quic => return format!("CRYPTO bytes from {offset} sent again"),
        _ => return format!("bytes from {offset} sent again"),
    }
    let (Some(number), from) = message_at(offset) else { return "Finished sent again".to_owned() };
    let hellos = h.client_hellos.iter().map(|seen| (Side::Client, seen.span, "ClientHello"));
    let others = [
        (Side::Server, h.server_hello.as_ref().map(|seen| seen.span), "ServerHello"),
        (Side::Server, h.server_chain.as_ref().map(|seen| seen.span), "Certificate"),
        (Side::Server, h.server_key_exchange.as_ref().map(|seen| seen.span), "ServerKeyExchange"),
        (Side::Server, h.certificate_request.as_ref().map(|seen| seen.span), "CertificateRequest"),
        (Side::Client, h.client_chain.as_ref().map(|seen| seen.span), "Certificate"),
    ];
    let mut messages = hellos.chain(others.into_iter().filter_map(|(from, span, name)| Some((from, span?, name))));
    let named = messages.find(|(from, span, _)| *from == side && (span.0..span.1).contains(&offset));
    let name = named.map(|(.., name)| format!(" ({name})")).unwrap_or_default();
    let part = if from == 0 { String::new() } else { format!(" from byte {from}") };
    format!("message {number}{name}{part} sent again")
}

pub(super) fn client_hello(hello: &ClientHello) -> String {
    let mut parts = Vec::new();
    if let Some(name) = hello.server_name() {
        parts.push(format!("for {}", String::from_utf8_lossy(name)));
    }
    let versions: Vec<String> = hello.supported_versions().filter(|version| !version.is_grease()).map(|v| v.to_string()).collect();
    parts.push(if versions.is_empty() { hello.highest_version().to_string() } else { versions.join(" ") });
    parts.push(counted(hello.offered_kinds().count(), "suite", "suites"));
    let shares: Vec<String> = hello.key_shares().filter(|(group, _)| !group.is_grease()).map(|(group, _)| group.to_string()).collect();
    if !shares.is_empty() {
        parts.push(format!("keys for {}", shares.join(" ")));
    }
    let alpn: Vec<_> = hello.alpn().map(String::from_utf8_lossy).collect();
    if !alpn.is_empty() {
        parts.push(format!("ALPN {}", alpn.join(" ")));
    }
    if hello.psk_identities() > 0 {
        parts.push("resumes by PSK".to_owned());
    } else if hello.session_ticket_len().is_some_and(|len| len > 0) {
        parts.push("resumes by ticket".to_owned());
    }
    parts.join(", ")
}

pub(super) fn server_hello(hello: &ServerHello) -> String {
    let mut parts = vec![hello.version().to_string(), hello.cipher_suite().to_string()];
    parts.extend(hello.key_share_group().map(|group| group.to_string()));
    parts.extend(hello.alpn().map(|name| format!("ALPN {}", String::from_utf8_lossy(name))));
    if hello.selected_psk().is_some() {
        parts.push("resumes by PSK".to_owned());
    }
    parts.join(", ")
}

pub(super) fn chain_text(chain: &Chain) -> String {
    match (chain.certificates.first(), chain.certificates.len() + chain.dropped) {
        (None, _) => "no certificate".to_owned(),
        (Some(leaf), 1) => leaf.display_name(),
        (Some(leaf), count) => format!("{} and {} more", leaf.display_name(), count - 1),
    }
}

pub(super) fn part_text(have: usize, want: usize) -> String {
    if want > 0 { format!("{have} of {want} bytes; the rest never came") } else { format!("{have} bytes; the rest never came") }
}

pub(super) fn alert_text(seen: &AlertSeen) -> String {
    let late = if seen.consequence { ", in answer to the other side's end" } else { "" };
    match seen.alert {
        Some(alert) => {
            let level = if alert.fatal { "fatal" } else { "warning" };
            format!("{level} {} ({}){late}", alert.description, alert.description.0)
        }
        None => format!("encrypted, by its size and place{late}"),
    }
}

pub(super) fn anomaly_text(kind: &AnomalyKind) -> String {
    match kind {
        AnomalyKind::NotARecord { offset } => format!("no TLS record at byte {offset}"),
        AnomalyKind::RecordTooLong { len } => format!("record of {len} bytes: too long"),
        AnomalyKind::MessageTooLong { message, len } => format!("{} of {len} bytes: too long", message_kind(*message).name()),
        AnomalyKind::Malformed { message } => format!("{} does not parse", message_kind(*message).name()),
        AnomalyKind::Defect { field, rule } => format!("{field}: {rule}"),
        AnomalyKind::OutOfOrder { message, expected } => format!("{} where {expected} was expected", message_kind(*message).name()),
        AnomalyKind::EchoedHello => "the client's own ClientHello, sent back".to_owned(),
        AnomalyKind::MalformedAlert { len } => format!("alert of {len} bytes instead of 2"),
        AnomalyKind::UnknownContentType { content_type } => format!("record of unknown type {content_type}"),
        AnomalyKind::RecordNotDecrypted { len } => format!("record of {len} bytes that the key log's secrets do not open"),
        AnomalyKind::DifferingOverlap { offset } => format!("other bytes at {offset} than before"),
    }
}

/// A segment that is left out of its stream.
pub(super) const fn decoy_text(why: Doubt) -> &'static str {
    match why {
        Doubt::HopCounter => "decoy: its TTL is nearly used up, and other bytes come in its place",
        Doubt::Checksum => "decoy: its checksum is wrong, and other bytes come in its place",
        Doubt::OldTimestamp => "decoy: its timestamp is older than that of the SYN, and other bytes come in its place",
        Doubt::InSyn => "decoy: the SYN carries bytes that the SYN-ACK does not acknowledge",
    }
}

/// Messages that a fault may concern, by their types in RFC 8446 appendix B.3 and RFC 5246.
pub(super) const fn message_kind(message: u8) -> Kind {
    match message {
        0 => Kind::HelloRequest,
        1 => Kind::ClientHello,
        2 => Kind::ServerHello,
        4 => Kind::NewSessionTicket,
        11 => Kind::Certificate,
        12 => Kind::ServerKeyExchange,
        13 => Kind::CertificateRequest,
        14 => Kind::ServerHelloDone,
        15 => Kind::CertificateVerify,
        16 => Kind::ClientKeyExchange,
        20 => Kind::Finished,
        22 => Kind::CertificateStatus,
        _ => Kind::Handshake,
    }
}
