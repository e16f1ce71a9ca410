//! Floor 7: the versioned schema that every output shares (see docs/SCHEMA.md).
//!
//! A [`HandshakeReport`] is plain owned data; serialised, it is one JSON object of the schema. A field that was not observed is absent.

mod advice;
mod build;
mod datagrams;
mod example;
mod failure;
mod outline;
mod rendered;
mod shared;
mod stack;
mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use advice::Advice;
pub(crate) use build::community_id;
pub use build::handshake;
pub use example::example;
pub use outline::{ClientOutline, Code, DiagnosisOutline, Outline, ServerOutline, TlsOutline, hexadecimal, severity};
pub use rendered::Rendered;
pub use shared::{Builder, OfferOutline};
pub use stack::{Speaker, StackReport};
pub use timeline::timeline;

/// The schema's version: a change to one of its fixed names raises it.
pub const SCHEMA: &str = "handshark/1";

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Report {
    /// A handshake.
    Handshake(Box<HandshakeReport>),
    /// Handshakes of one cause.
    Incident(Box<IncidentReport>),
    /// The run's end.
    Summary(Box<SummaryReport>),
}

/// `kind: handshake`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct HandshakeReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// `handshake`.
    pub kind: String,
    /// What carried it.
    pub network: Network,
    /// The side that opens the handshake.
    pub client: Peer,
    /// The side that answers.
    pub server: Peer,
    /// Where on the capture it is.
    pub capture: CaptureInfo,
    /// How it went.
    pub handshake: HandshakeInfo,
    /// What was said; absent when no TLS message was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What is QUIC's own; present for QUIC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quic: Option<QuicInfo>,
    /// What is DTLS's own; present for DTLS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dtls: Option<DtlsInfo>,
    /// Why it ended as it did, and what to do.
    pub diagnosis: Diagnosis,
    /// What happened, packet by packet; only where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub timeline: Vec<TimelineEntry>,
}

/// Something that happened in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TimelineEntry {
    /// The frame; absent for what did not happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// The frame's time: RFC 3339, UTC, nanoseconds.
    pub time: String,
    /// Who sent it: `client`, `server`, or `network` for ICMP and silence that neither side is to blame for.
    pub from: String,
    /// A message (`client_hello`), `encrypted`, `alert`, or an event of TCP (`syn`, `retransmission`, `rst`).
    pub kind: String,
    /// Bytes: of a message with its record header, of an encrypted record, or of the stretch of stream that an event is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What it carries, or what is to be said of it; may be empty.
    pub text: String,
    /// This ended a handshake that did not complete.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub ended: bool,
}

/// What is QUIC's own in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct QuicInfo {
    /// The version in use: `1`, `2`, `draft-29`, `0x1a2a3a4a`.
    pub version: String,
    /// The version of the client's first packet.
    pub first_version: String,
    /// What the server supports, by its Version Negotiation packet.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub server_versions: Vec<String>,
    /// Retry packets of the server.
    pub retries: u32,
    /// 0-RTT packets of the client.
    pub zero_rtt_packets: u32,
    /// `CONNECTION_CLOSE` frames that could be read, each side's first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub closes: Vec<QuicClose>,
}

/// A `CONNECTION_CLOSE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct QuicClose {
    /// `client` or `server`.
    pub from: String,
    /// Error code.
    pub code: u64,
    /// Its name (RFC 9000 section 20.1): `CONNECTION_REFUSED`, `CRYPTO_ERROR 0x178`.
    pub name: String,
    /// The reason phrase, as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The frame that carried it.
    pub frame: u64,
}

/// What is DTLS's own in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct DtlsInfo {
    /// `HelloVerifyRequest` messages of the server.
    pub cookie_requests: u32,
    /// Messages that came in more than one fragment.
    pub fragmented_messages: u32,
    /// Largest datagram of the handshake, in bytes of UDP payload.
    pub largest_datagram: u32,
    /// Connection identifiers are in use (RFC 9146).
    pub connection_id: bool,
}

/// What carried a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Network {
    /// `tcp` or `udp`.
    pub transport: String,
    /// `tls`, `dtls`, `quic`, `ssl2` or `other`.
    pub protocol: String,
    /// Community ID of the flow, version 1, seed 0: joins this report with those of Zeek, Suricata and others.
    pub community_id: String,
    /// Tags and tunnels around it, the outermost first: `vlan 100`, `vxlan 42`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub path: Vec<String>,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Peer {
    /// IPv4 or IPv6 address, without a port or brackets.
    pub address: String,
    /// TCP or UDP port.
    pub port: u16,
}

/// Where on the capture a handshake is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct CaptureInfo {
    /// File or interface of the first frame; `-` for standard input.
    pub source: String,
    /// Its first frame, counted from 1 over all inputs in the order read.
    pub first_frame: u64,
    /// Its last frame, up to which the verdict looks.
    pub last_frame: u64,
    /// What the capture lacks here: `snaplen`, `gap`, `one-direction`, `midstream`, `duplicates`, `offload`, `clock`, `drops`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub quality: Vec<String>,
}

/// How a handshake went.
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each a field of the schema")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct HandshakeInfo {
    /// The same across runs, thread counts and captures split at another place.
    pub id: String,
    /// Time of its first frame: RFC 3339, UTC, nanoseconds.
    pub start: String,
    /// Time of its last frame.
    pub end: String,
    /// `completed`, `alerted`, `reset`, `closed`, `stalled`, `refused`, `plaintext` or `incomplete`.
    pub outcome: String,
    /// How far it got: `connect`, `preamble`, `client_hello`, `server_hello`, `server_certificate`, `client_auth`, `finished` or `established`.
    pub stage: String,
    /// One letter for each message, capitals from the client; at most 100.
    pub history: String,
    /// What led up to TLS: `smtp`, `http-connect`, `proxy-v2`…
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preamble: Option<String>,
    /// A session was resumed.
    pub resumed: bool,
    /// The server asked for a second `ClientHello`.
    pub hello_retry: bool,
    /// The client announced early data.
    pub early_data: bool,
    /// Something was decrypted with keys.
    pub decrypted: bool,
    /// Live only: it is still under way and has made no progress for too long. Another report with the same id follows when it ends.
    #[serde(default)]
    pub provisional: bool,
    /// Where the time went.
    pub timing: Timing,
    /// What was lost on the way.
    pub loss: Loss,
}

/// Durations in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Timing {
    /// Network round trip as seen in the TCP handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_rtt_us: Option<u64>,
    /// From the connection being up (or the upgrade granted) to the `ClientHello`: the client's think time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_hello_us: Option<u64>,
    /// From the `ClientHello` to the `ServerHello`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_hello_us: Option<u64>,
    /// The part of that which is not the network's: the server's think time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_think_us: Option<u64>,
    /// From the `ServerHello` to the last Finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_us: Option<u64>,
    /// From the first packet (or the `ClientHello`, in mid-stream) to the end of the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_us: Option<u64>,
}

/// What was lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Loss {
    /// Segments or datagrams that the client sent again.
    pub client_retransmits: u32,
    /// The same of the server.
    pub server_retransmits: u32,
    /// Bytes that are missing from the streams and were never seen.
    pub gap_bytes: u64,
}

/// What was said in the handshake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Tls {
    /// The version chosen: `1.3`, `1.2`, `1.1`, `1.0`, `SSL 3.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The suite chosen, by its IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// The key exchange group, by its name: `x25519`, `X25519MLKEM768`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<String>,
    /// The application protocol chosen (ALPN).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_protocol: Option<String>,
    /// What the client said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<TlsClient>,
    /// What the server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<TlsServer>,
    /// Alerts of both sides in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alerts: Vec<AlertReport>,
}

/// What the client said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TlsClient {
    /// The random of its first `ClientHello`, hexadecimal: the same wherever this handshake is captured, whatever was translated in between.
    #[serde(default)]
    pub random: String,
    /// The name it asked for (SNI), as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// What it offered; its fields are fields of this object.
    #[serde(flatten)]
    pub offer: Arc<ClientOffer>,
    /// The server asked it for a certificate.
    pub certificate_requested: bool,
    /// Its TLS library, where it is recognised.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stack: Option<StackReport>,
    /// Its certificates as sent, leaf first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificates: Vec<Arc<CertificateReport>>,
}

/// What a client offered: all clients that offer the same share one. A list of more than some hundred entries ends with `and N more`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ClientOffer {
    /// Versions offered, in its order.
    pub supported_versions: Vec<String>,
    /// Suites offered, in its order.
    pub supported_ciphers: Vec<String>,
    /// Groups offered, in its order.
    pub supported_groups: Vec<String>,
    /// Groups for which it sent a key.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub key_shares: Vec<String>,
    /// Signature algorithms offered, in its order.
    pub signature_algorithms: Vec<String>,
    /// Application protocols offered, in its order.
    pub alpn: Vec<String>,
    /// Names or numbers of the extensions in the order sent.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub extensions: Vec<String>,
    /// Pre-shared key modes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub psk_modes: Vec<String>,
    /// Certificate compression algorithms.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificate_compression: Vec<String>,
    /// `offered-or-grease`: from outside the two look the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ech: Option<String>,
    /// JA3 fingerprint.
    pub ja3: String,
    /// JA4 fingerprint.
    pub ja4: String,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TlsServer {
    /// How it answered; its fields are fields of this object.
    #[serde(flatten)]
    pub answer: Arc<ServerAnswer>,
    /// Its TLS library, where it is recognised.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stack: Option<StackReport>,
    /// Its certificates as sent, leaf first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificates: Vec<Arc<CertificateReport>>,
    /// Why the chain was not verified to its end, if it was not: `budget`, `ambiguous-issuers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unverified: Option<String>,
    /// The stapled OCSP status: `good`, `revoked`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staple: Option<String>,
}

/// How a server answered: all that answer alike share one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ServerAnswer {
    /// JA3S fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3s: Option<String>,
    /// Names or numbers of its `ServerHello`'s extensions in the order sent.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub extensions: Vec<String>,
    /// These fields as an output wrote them before.
    #[serde(skip)]
    pub rendered: Rendered,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct CertificateReport {
    /// Distinguished name (RFC 4514).
    pub subject: String,
    /// Distinguished name of who signed it.
    pub issuer: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Begin of its validity: RFC 3339, UTC.
    pub not_before: String,
    /// End of its validity.
    pub not_after: String,
    /// Names and addresses it stands for; of more than a thousand the first, then `and N more`.
    pub san: Vec<String>,
    /// Kind and size of its key: `RSA-2048`, `EC-P-256`, `Ed25519`.
    pub key: String,
    /// How it is signed: `RSA-SHA256`, `ECDSA-SHA384`.
    pub signature: String,
    /// SHA-256 of the whole, hexadecimal.
    pub sha256: String,
    /// This object as an output wrote it before.
    #[serde(skip)]
    pub rendered: Rendered,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct AlertReport {
    /// `client` or `server`.
    pub from: String,
    /// `fatal` or `warning`; absent when hidden by encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The alert's number; absent when hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// Its name as in the RFC; absent when hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The frame that carried it.
    pub frame: u64,
    /// It was encrypted: known by its size and place, or decrypted when its code is here.
    pub encrypted: bool,
}

/// Why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Diagnosis {
    /// A slug of the catalogue; absent when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Who ended it: `client`, `server`, `network`, `capture` or `nobody`. Not always who is to blame.
    pub stopped_by: String,
    /// How sure the cause is: `certain`, `strong`, `likely` or `hint`; absent without a cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// One sentence for a person, with the names and numbers of this very handshake.
    pub summary: String,
    /// What to do, a line each, commands to type among them.
    pub remedy: Vec<Advice>,
    /// What proves it, in order.
    pub evidence: Vec<EvidenceReport>,
    /// What speaks against the cause, as far as that leaves it standing.
    #[serde(default)]
    pub against: Vec<EvidenceReport>,
    /// Other causes that the packets do not exclude, the likeliest first.
    pub alternatives: Vec<String>,
    /// All that was noticed, the cause among it.
    pub findings: Vec<FindingReport>,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct EvidenceReport {
    /// The frame; absent for something that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// The frame's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// One clause: `client sent alert unknown_ca (48)`.
    pub text: String,
}

/// Something noticed about a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct FindingReport {
    /// A slug of the catalogue or of a note.
    pub id: String,
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// `certain`, `strong`, `likely` or `hint`.
    pub confidence: String,
    /// One sentence.
    pub text: String,
    /// The frames that show it.
    pub frames: Vec<u64>,
}

/// `kind: incident`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct IncidentReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// `incident`.
    pub kind: String,
    /// The same across runs and thread counts, and each time a live run tells of it.
    pub id: String,
    /// Live: `begun`, `growing` (twice the failures that were told before), `ended` (quiet for a quarter of an hour), `open` (when the run ended).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
    /// The cause they share.
    pub cause: String,
    /// `server` (one server, many clients) or `client` (one client population, many servers).
    pub scope: String,
    /// Servers, `address:port`, the first few.
    pub servers: Vec<String>,
    /// The name asked for, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Begin of the first failed handshake: RFC 3339, UTC.
    pub first_seen: String,
    /// Begin of the last.
    pub last_seen: String,
    /// Handshakes of this incident.
    pub failed: u64,
    /// Of those, how many completed all the same, only not well.
    #[serde(skip_serializing_if = "is_none", default)]
    pub completed: u64,
    /// All handshakes of the same scope between first and last.
    pub attempts: u64,
    /// Client addresses, the first few.
    pub clients: Vec<String>,
    /// How many clients there were.
    pub clients_total: u64,
    /// What changed when it began.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changes: Vec<String>,
    /// That of the surest handshake.
    pub confidence: String,
    /// One sentence for a person.
    pub summary: String,
    /// What to do, a line each, commands to type among them.
    pub remedy: Vec<Advice>,
    /// Ids of handshakes, the first few.
    pub handshakes: Vec<String>,
}

/// `kind: summary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct SummaryReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// `summary`.
    pub kind: String,
    /// handshark's version.
    pub version: String,
    /// What was read, in order.
    pub inputs: Vec<InputReport>,
    /// Frames read.
    pub frames: u64,
    /// Bytes of those as captured.
    pub bytes: u64,
    /// Frames that were understood down to TCP, UDP or ICMP.
    pub decoded: u64,
    /// The others, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Earliest frame time; absent without frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<String>,
    /// Latest frame time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<String>,
    /// Connections and UDP flows followed.
    pub flows: u64,
    /// Handshakes reported.
    pub handshakes: u64,
    /// Handshakes that were not asked for and are not counted among `handshakes`; absent when everything was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left_out: Option<u64>,
    /// Handshakes by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Handshakes by cause, those with one.
    pub causes: BTreeMap<String, u64>,
    /// Incidents reported.
    pub incidents: u64,
    /// Packets dropped by kernel, interface or pipeline, and those of `unread`.
    pub drops: u64,
    /// Live: packets that were captured and, at the end, not looked at for want of time; absent without any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unread: Option<u64>,
    /// Live: handshakes that at the end were not judged and not reported for want of time; absent without any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unjudged: Option<u64>,
    /// Connections given up early because a bound was hit.
    pub evictions: u64,
    /// TCP connections that carried no TLS, by what they carried, and half-open ones that are summed up instead of listed.
    pub other_flows: BTreeMap<String, u64>,
    /// What a reader should know: damage, unsupported link types, bounds that were hit.
    pub notes: Vec<String>,
}

/// An input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct InputReport {
    /// As given, or found in a directory; `-` for standard input.
    pub source: String,
    /// `pcap`, `pcapng`, with the compression: `pcapng, gzip`.
    pub format: String,
    /// Frames read.
    pub frames: u64,
    /// Bytes of those as captured.
    pub bytes: u64,
    /// Where and why reading stopped before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// SHA-256 of the file, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}
