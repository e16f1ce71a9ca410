//! Floor 7: the versioned schema that every output shares (see docs/SCHEMA.md).
//!
//! A [`HandshakeReport`] is plain owned data; serialised, it is one JSON object of the schema. A field that was not observed is absent.

mod build;

use serde::{Deserialize, Serialize};

pub use build::handshake;

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
    pub schema: String,
    pub kind: String,
    pub network: Network,
    pub client: Peer,
    pub server: Peer,
    pub capture: CaptureInfo,
    pub handshake: HandshakeInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    pub diagnosis: Diagnosis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Network {
    pub transport: String,
    pub protocol: String,
    pub community_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub path: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Peer {
    pub address: String,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct CaptureInfo {
    pub source: String,
    pub first_frame: u64,
    pub last_frame: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub quality: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct HandshakeInfo {
    pub id: String,
    /// RFC 3339.
    pub start: String,
    pub end: String,
    pub outcome: String,
    pub stage: String,
    pub history: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preamble: Option<String>,
    pub resumed: bool,
    pub hello_retry: bool,
    pub early_data: bool,
    pub decrypted: bool,
    pub timing: Timing,
    pub loss: Loss,
}

/// Durations in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Timing {
    /// Network round trip as seen in the TCP handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_rtt_us: Option<u64>,
    /// From the connection being up (or the upgrade granted) to the ClientHello: the client's think time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_hello_us: Option<u64>,
    /// From the ClientHello to the ServerHello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_hello_us: Option<u64>,
    /// The part of that which is not the network's: the server's think time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_think_us: Option<u64>,
    /// From the ServerHello to the last Finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_us: Option<u64>,
    /// From the first packet (or the ClientHello, in mid-stream) to the end of the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_us: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Loss {
    pub client_retransmits: u32,
    pub server_retransmits: u32,
    pub gap_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Tls {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<TlsClient>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<TlsServer>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alerts: Vec<AlertReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TlsClient {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    pub supported_versions: Vec<String>,
    pub supported_ciphers: Vec<String>,
    pub supported_groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub key_shares: Vec<String>,
    pub signature_algorithms: Vec<String>,
    pub alpn: Vec<String>,
    /// Names or numbers of the extensions in the order sent.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub extensions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub psk_modes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificate_compression: Vec<String>,
    /// `grease` or `offered`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ech: Option<String>,
    pub ja3: String,
    pub ja4: String,
    pub certificate_requested: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificates: Vec<CertificateReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TlsServer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3s: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub extensions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificates: Vec<CertificateReport>,
    /// The stapled OCSP status: `good`, `revoked`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staple: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct CertificateReport {
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub not_before: String,
    pub not_after: String,
    pub san: Vec<String>,
    pub key: String,
    pub signature: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct AlertReport {
    pub from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub frame: u64,
    pub encrypted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Diagnosis {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    pub stopped_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    pub summary: String,
    pub remedy: Vec<String>,
    pub evidence: Vec<EvidenceReport>,
    pub alternatives: Vec<String>,
    pub findings: Vec<FindingReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct EvidenceReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct FindingReport {
    pub id: String,
    /// `error`, `warning` or `info`.
    pub severity: String,
    pub confidence: String,
    pub text: String,
    pub frames: Vec<u64>,
}

/// `kind: incident`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct IncidentReport {
    pub schema: String,
    pub kind: String,
    pub id: String,
    pub cause: String,
    /// `server` (one server, many clients) or `client` (one client population, many servers).
    pub scope: String,
    pub servers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    pub first_seen: String,
    pub last_seen: String,
    /// Handshakes of this incident, and all handshakes of the same scope between first and last.
    pub failed: u64,
    pub attempts: u64,
    pub clients: Vec<String>,
    pub clients_total: u64,
    /// What changed when it began.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changes: Vec<String>,
    pub confidence: String,
    pub summary: String,
    pub remedy: Vec<String>,
    /// Ids of handshakes, the first few.
    pub handshakes: Vec<String>,
}

/// `kind: summary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct SummaryReport {
    pub schema: String,
    pub kind: String,
    pub version: String,
    pub inputs: Vec<InputReport>,
    pub frames: u64,
    pub bytes: u64,
    pub decoded: u64,
    pub skipped: std::collections::BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<String>,
    pub flows: u64,
    pub handshakes: u64,
    pub outcomes: std::collections::BTreeMap<String, u64>,
    pub causes: std::collections::BTreeMap<String, u64>,
    pub incidents: u64,
    /// Packets dropped by kernel, interface or pipeline.
    pub drops: u64,
    pub evictions: u64,
    /// TCP connections that carried no TLS, by what they carried, and half-open ones that are summed up instead of listed.
    pub other_flows: std::collections::BTreeMap<String, u64>,
    /// What a reader should know: damage, unsupported link types, bounds that were hit.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct InputReport {
    pub source: String,
    pub format: String,
    pub frames: u64,
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}
