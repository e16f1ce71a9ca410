//! The inventory as it is told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::Feature;
use crate::flow::Shown;
use crate::report::{Side, Timestamp};

/// The inventory, the most frequent first.
#[derive(Debug, Serialize)]
pub struct Stock {
    /// `handshark/2`.
    pub schema: &'static str,
    /// `inventory`.
    pub kind: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// What was read.
    pub inputs: Vec<String>,
    /// Begin of the first handshake, and end of the last one; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<Timestamp>,
    /// See `first_time`; certificates are judged at this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<Timestamp>,
    /// Handshakes with a TLS message.
    pub handshakes: u64,
    /// Those that completed.
    pub completed: u64,
    /// Those that failed, or were rejected after completion.
    pub failed: u64,
    /// Protocol versions.
    pub versions: Vec<Usage>,
    /// Groups for the key exchange.
    pub groups: Vec<Usage>,
    /// Cipher suites.
    pub ciphers: Vec<Usage>,
    /// Signature algorithms, of which only the offer shows.
    pub signature_algorithms: Vec<Usage>,
    /// ClientHellos with an encrypted ClientHello, or what looks the same.
    pub ech: Usage,
    /// Keys of servers' certificates.
    pub keys: Vec<Shares>,
    /// What would break if something were switched off.
    pub needs: Vec<Need>,
    /// Who is ready for post-quantum key exchange.
    pub post_quantum: PostQuantum,
    /// Servers.
    pub servers: Vec<ServerEntry>,
    /// Clients.
    pub clients: Vec<ClientEntry>,
    /// Leaf certificates, the first to expire first.
    pub certificates: Vec<CertificateEntry>,
    /// Full handshakes of TLS 1.3 whose certificates stayed encrypted.
    pub hidden_certificates: u64,
    /// What there was no room for, and what was not taken.
    pub left_out: LeftOut,
}

/// How much of something there is.
#[derive(Debug, Serialize)]
pub struct Usage {
    /// Its name.
    pub name: String,
    /// Why it is commonly refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weakness: Option<&'static str>,
    /// It holds out against quantum computers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub post_quantum: bool,
    /// Clients that offer it.
    pub clients: u64,
    /// Handshakes in which it was offered.
    pub offered: u64,
    /// Handshakes in which the server chose it.
    pub chosen: u64,
    /// Those of them that completed.
    pub completed: u64,
}

/// How many there are of a kind.
#[derive(Debug, Serialize)]
pub struct Shares {
    /// The kind.
    pub name: String,
    /// How many.
    pub number: u64,
}

/// What would break if something were switched off.
#[derive(Debug, Serialize)]
pub struct Need {
    /// `tls-1.0-and-older`, …
    pub what: &'static str,
    /// The same for people.
    #[serde(skip)]
    pub feature: Feature,
    /// Handshakes that completed with it.
    pub handshakes: u64,
    /// Clients that completed with it.
    pub clients: Vec<ClientNeed>,
    /// Servers that completed with it, and with nothing else.
    pub servers: Vec<ServerNeed>,
}

/// A client that needs something.
#[derive(Debug, Serialize)]
pub struct ClientNeed {
    /// Its site, where one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Arc<str>>,
    /// Its address.
    #[serde(serialize_with = "shown")]
    pub address: IpAddr,
    /// Its JA4 fingerprint, the first of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4: Option<String>,
    /// Its TLS library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// `offers-nothing-else`, `completed-with-nothing-else`.
    pub why: &'static str,
    /// The same address also sends hellos that offer something else: another program, or a second attempt.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub address_offers_else: bool,
    /// Handshakes that completed with it.
    pub handshakes: u64,
    /// Servers with which, the first few.
    pub servers: Vec<String>,
}

/// A server, as it was asked for.
#[derive(Debug, Serialize)]
pub struct NamedServer {
    /// Its site, where one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Arc<str>>,
    /// The name asked for; absent where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    #[serde(serialize_with = "shown")]
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

/// A server that needs something.
#[derive(Debug, Serialize)]
pub struct ServerNeed {
    /// Which.
    #[serde(flatten)]
    pub server: NamedServer,
    /// `chose-nothing-else` though something else was offered, `was-offered-nothing-else`.
    pub why: &'static str,
    /// Handshakes that completed with it.
    pub handshakes: u64,
    /// Those of them in which something else was offered.
    pub passed_over: u64,
}

/// Who is ready for post-quantum key exchange.
#[derive(Debug, Serialize)]
pub struct PostQuantum {
    /// Clients by how far they are.
    pub clients: BTreeMap<ClientReadiness, u64>,
    /// Servers by how far they are.
    pub servers: BTreeMap<Readiness, u64>,
    /// Handshakes that completed with it.
    pub completed: u64,
}

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientReadiness {
    /// It completed with it.
    Completed,
    /// It offers it.
    Offers,
    /// It does not offer it.
    DoesNotOffer,
    /// Its ClientHello was not seen.
    Unknown,
}

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// It chose it whenever it was offered.
    Ready,
    /// It chose it sometimes.
    Partly,
    /// It was offered and not chosen.
    NotReady,
    /// Nobody offered it.
    Unknown,
}

impl ClientReadiness {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Completed, Self::Offers, Self::DoesNotOffer, Self::Unknown];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Offers => "offers",
            Self::DoesNotOffer => "does-not-offer",
            Self::Unknown => "unknown",
        }
    }
}

impl Readiness {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Partly, Self::NotReady, Self::Unknown];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Partly => "partly",
            Self::NotReady => "not-ready",
            Self::Unknown => "unknown",
        }
    }
}

/// A server.
#[derive(Debug, Serialize)]
pub struct ServerEntry {
    /// Which.
    #[serde(flatten)]
    pub server: NamedServer,
    /// Its handshakes.
    pub handshakes: u64,
    /// Those that completed.
    pub completed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Addresses of its clients, as far as they were counted.
    pub clients: usize,
    /// What it completed with, by the number of handshakes.
    pub versions: BTreeMap<String, u64>,
    /// See `versions`.
    pub groups: BTreeMap<String, u64>,
    /// See `versions`.
    pub ciphers: BTreeMap<String, u64>,
    /// How far it is with post-quantum key exchange.
    pub post_quantum: Readiness,
    /// SHA-256 of the leaf certificates that it served, hexadecimal.
    pub certificates: Vec<String>,
    /// Handshakes whose certificates stayed encrypted.
    pub hidden_certificates: u64,
    /// Begin of its first handshake.
    pub first_seen: Timestamp,
    /// End of its last.
    pub last_seen: Timestamp,
}

/// A client.
#[derive(Debug, Serialize)]
pub struct ClientEntry {
    /// Its site, where one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Arc<str>>,
    /// Its address.
    #[serde(serialize_with = "shown")]
    pub address: IpAddr,
    /// Its TLS library, where it is recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Its JA4 fingerprints.
    pub ja4: Vec<String>,
    /// The newest version that it offers; absent where no ClientHello was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_version: Option<String>,
    /// Its handshakes.
    pub handshakes: u64,
    /// Those that completed.
    pub completed: u64,
    /// Those that failed.
    pub failed: u64,
    /// What it completed with, by the number of handshakes.
    pub versions: BTreeMap<String, u64>,
    /// See `versions`.
    pub groups: BTreeMap<String, u64>,
    /// See `versions`.
    pub ciphers: BTreeMap<String, u64>,
    /// How far it is with post-quantum key exchange.
    pub post_quantum: ClientReadiness,
    /// Hellos with an encrypted ClientHello, or what looks the same.
    pub ech: u64,
    /// Servers that it asked, the first few.
    pub servers: Vec<String>,
    /// Begin of its first handshake.
    pub first_seen: Timestamp,
    /// End of its last.
    pub last_seen: Timestamp,
}

/// A leaf certificate.
#[derive(Debug, Serialize)]
pub struct CertificateEntry {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Names and addresses it stands for.
    pub san: Vec<String>,
    /// Kind and size of its key.
    pub key: String,
    /// How it is signed.
    pub signature: String,
    /// Begin of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// Whole days from `not_before` to `not_after`.
    pub lifetime_days: u64,
    /// Whole days from the inventory's `last_time` to `not_after`; absent once it has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<u64>,
    /// Whole days since it expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_expired: Option<u64>,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// `server`, `client`.
    pub presented_by: Vec<Side>,
    /// In how many handshakes.
    pub handshakes: u64,
    /// Where, the first few.
    pub servers: Vec<String>,
}

/// What there was no room for, and what was not taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Handshakes of servers that are not listed.
    pub handshakes_of_servers: u64,
    /// Handshakes of clients that are not listed.
    pub handshakes_of_clients: u64,
    /// Times that a certificate was seen that is not listed.
    pub certificates: u64,
    /// Rows of handshakes that had been taken before.
    pub repeated_rows: u64,
    /// Rows that could not be read.
    pub unreadable_rows: u64,
}

impl LeftOut {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn shown<S: serde::Serializer>(address: &IpAddr, serializer: S) -> Result<S::Ok, S::Error> {
    Shown(*address).serialize(serializer)
}
