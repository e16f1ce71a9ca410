//! Reports as a program reads them from `--json`: what the tests look at.

#![allow(clippy::struct_excessive_bools, clippy::struct_field_names, reason = "the fields are those of the schema")]

use std::collections::BTreeMap;

use serde::Deserialize;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Handshake(Box<HandshakeReport>),
    Incident(Box<IncidentReport>),
    Summary(Box<SummaryReport>),
}

/// A line of advice. In JSON it is its text; what is a command is told by the program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Advice {
    Text(String),
    Command(String),
}

impl Advice {
    pub fn line(&self) -> &str {
        match self {
            Self::Text(line) | Self::Command(line) => line,
        }
    }
}

impl From<String> for Advice {
    fn from(line: String) -> Self {
        Self::Text(line)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct StackReport {
    pub name: String,
    #[serde(default)]
    pub program: Option<String>,
    pub certainty: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct HandshakeReport {
    pub schema: String,
    pub kind: String,
    pub network: Network,
    pub client: Peer,
    pub server: Peer,
    pub capture: CaptureInfo,
    pub handshake: HandshakeInfo,
    pub tls: Option<Tls>,
    #[serde(default)]
    pub quic: Option<QuicInfo>,
    #[serde(default)]
    pub dtls: Option<DtlsInfo>,
    pub diagnosis: Diagnosis,
    #[serde(default)]
    pub timeline: Vec<TimelineEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct TimelineEntry {
    pub frame: Option<u64>,
    pub time: String,
    pub from: String,
    pub kind: String,
    pub size: Option<u64>,
    pub text: String,
    #[serde(default)]
    pub ended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct QuicInfo {
    pub version: String,
    pub first_version: String,
    #[serde(default)]
    pub server_versions: Vec<String>,
    pub retries: u32,
    pub zero_rtt_packets: u32,
    #[serde(default)]
    pub closes: Vec<QuicClose>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct QuicClose {
    pub from: String,
    pub code: u64,
    pub name: String,
    #[serde(default)]
    pub reason: Option<String>,
    pub frame: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct DtlsInfo {
    pub cookie_requests: u32,
    pub fragmented_messages: u32,
    pub largest_datagram: u32,
    pub connection_id: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct Network {
    pub transport: String,
    pub protocol: String,
    pub community_id: String,
    #[serde(default)]
    pub path: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct Peer {
    pub address: String,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct CaptureInfo {
    pub source: String,
    pub first_frame: u64,
    pub last_frame: u64,
    #[serde(default)]
    pub quality: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct HandshakeInfo {
    pub id: String,
    pub start: String,
    pub end: String,
    pub outcome: String,
    pub stage: String,
    pub history: String,
    pub preamble: Option<String>,
    pub resumed: bool,
    pub hello_retry: bool,
    pub early_data: bool,
    pub decrypted: bool,
    #[serde(default)]
    pub provisional: bool,
    pub timing: Timing,
    pub loss: Loss,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
pub struct Timing {
    pub tcp_rtt_us: Option<u64>,
    pub client_hello_us: Option<u64>,
    pub server_hello_us: Option<u64>,
    pub server_think_us: Option<u64>,
    pub finished_us: Option<u64>,
    pub total_us: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
pub struct Loss {
    pub client_retransmits: u32,
    pub server_retransmits: u32,
    pub gap_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct Tls {
    pub version: Option<String>,
    pub cipher: Option<String>,
    pub curve: Option<String>,
    pub next_protocol: Option<String>,
    pub client: Option<TlsClient>,
    pub server: Option<TlsServer>,
    pub ech: Option<String>,
    #[serde(default)]
    pub alerts: Vec<AlertReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct TlsClient {
    #[serde(default)]
    pub random: String,
    pub server_name: Option<String>,
    pub supported_versions: Vec<String>,
    pub supported_ciphers: Vec<String>,
    pub supported_groups: Vec<String>,
    #[serde(default)]
    pub key_shares: Vec<String>,
    pub signature_algorithms: Vec<String>,
    pub alpn: Vec<String>,
    #[serde(default)]
    pub extensions: Vec<String>,
    #[serde(default)]
    pub psk_modes: Vec<String>,
    #[serde(default)]
    pub certificate_compression: Vec<String>,
    pub ech: Option<String>,
    pub ja3: String,
    pub ja4: String,
    pub certificate_requested: bool,
    #[serde(default)]
    pub stack: Option<StackReport>,
    #[serde(default)]
    pub certificates: Vec<CertificateReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct TlsServer {
    pub ja3s: Option<String>,
    #[serde(default)]
    pub extensions: Vec<String>,
    #[serde(default)]
    pub stack: Option<StackReport>,
    #[serde(default)]
    pub certificates: Vec<CertificateReport>,
    pub unverified: Option<String>,
    pub staple: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
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

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct AlertReport {
    pub from: String,
    pub level: Option<String>,
    pub code: Option<u8>,
    pub name: Option<String>,
    pub frame: u64,
    pub encrypted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct Diagnosis {
    pub cause: Option<String>,
    pub stopped_by: String,
    pub confidence: Option<String>,
    pub summary: String,
    pub remedy: Vec<Advice>,
    pub evidence: Vec<EvidenceReport>,
    #[serde(default)]
    pub against: Vec<EvidenceReport>,
    pub alternatives: Vec<String>,
    pub findings: Vec<FindingReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct EvidenceReport {
    pub frame: Option<u64>,
    pub time: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct FindingReport {
    pub id: String,
    pub severity: String,
    pub confidence: String,
    pub text: String,
    pub frames: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct IncidentReport {
    pub schema: String,
    pub kind: String,
    pub id: String,
    #[serde(default)]
    pub state: Option<String>,
    pub cause: String,
    pub scope: String,
    pub servers: Vec<String>,
    pub server_name: Option<String>,
    pub first_seen: String,
    pub last_seen: String,
    pub failed: u64,
    #[serde(default)]
    pub completed: u64,
    pub attempts: u64,
    pub clients: Vec<String>,
    pub clients_total: u64,
    #[serde(default)]
    pub changes: Vec<String>,
    pub confidence: String,
    pub summary: String,
    pub remedy: Vec<Advice>,
    pub handshakes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct SummaryReport {
    pub schema: String,
    pub kind: String,
    pub version: String,
    pub inputs: Vec<InputReport>,
    pub frames: u64,
    pub bytes: u64,
    pub decoded: u64,
    pub skipped: BTreeMap<String, u64>,
    pub first_time: Option<String>,
    pub last_time: Option<String>,
    pub flows: u64,
    pub handshakes: u64,
    #[serde(default)]
    pub left_out: Option<u64>,
    pub outcomes: BTreeMap<String, u64>,
    pub causes: BTreeMap<String, u64>,
    pub incidents: u64,
    pub drops: u64,
    #[serde(default)]
    pub unread: Option<u64>,
    #[serde(default)]
    pub unjudged: Option<u64>,
    pub evictions: u64,
    pub other_flows: BTreeMap<String, u64>,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub struct InputReport {
    pub source: String,
    pub format: String,
    pub frames: u64,
    pub bytes: u64,
    pub damage: Option<String>,
    pub sha256: Option<String>,
}
