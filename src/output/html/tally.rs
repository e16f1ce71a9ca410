//! What is counted by server, by client, and by certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::Endpoint;
use crate::output::view;
use crate::report::{Certificate, Class, Handshake, Outcome, ProtocolVersion, word};

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    servers: BTreeMap<(String, Endpoint), Count>,
    clients: BTreeMap<IpAddr, Count>,
    certificates: BTreeMap<[u8; 32], Seen>,
    causes: BTreeMap<&'static str, BTreeMap<Class, u64>>,
    /// Handshakes of TLS 1.3 whose certificates stayed encrypted.
    pub(super) hidden_chains: u64,
    /// Handshakes for which there was no room.
    pub(super) beyond: u64,
}

/// Handshakes of one server or client.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) handshakes: u64,
    pub(super) failed: u64,
    pub(super) causes: BTreeMap<&'static str, u64>,
    pub(super) versions: BTreeSet<String>,
    /// Microseconds, of those that completed, up to [`TIMES`].
    times: Vec<u64>,
    /// The others: clients of a server, servers of a client, up to [`PEERS`].
    pub(super) peers: BTreeSet<String>,
}

/// A certificate and where it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) certificate: Arc<Certificate>,
    pub(super) handshakes: u64,
    pub(super) servers: BTreeSet<String>,
    /// Its place in the chains: 0 for a leaf.
    pub(super) place: usize,
    pub(super) of_clients: bool,
}

impl Tally {
    pub(super) fn add(&mut self, report: &Handshake<'_>) {
        let class = report.class();
        if let Some(cause) = report.diagnosis.cause {
            let number = self.causes.entry(cause.slug()).or_default().entry(class).or_default();
            *number = number.saturating_add(1);
        }
        if class == Class::Probe {
            return;
        }
        let client = report.client.address;
        let name = report.server_name().unwrap_or_default().to_ascii_lowercase();
        let key = (name, report.server);
        if self.clients.len() < KEYS || self.clients.contains_key(&client) {
            let peer = if key.0.is_empty() { report.server.to_string() } else { key.0.clone() };
            self.clients.entry(client).or_default().add(report, peer);
        }
        if self.servers.len() < KEYS || self.servers.contains_key(&key) {
            self.servers.entry(key).or_default().add(report, client.to_string());
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
        let (served, own) = (report.server_certificates(), report.client_certificates());
        if served.is_empty()
            && report.tls.as_ref().is_some_and(|tls| matches!(tls.version, Some(ProtocolVersion::TLS13 | ProtocolVersion::DTLS13)))
        {
            self.hidden_chains = self.hidden_chains.saturating_add(1);
        }
        for (certificates, of_clients) in [(served, false), (own, true)] {
            for (place, certificate) in certificates.iter().enumerate() {
                if self.certificates.len() >= KEYS && !self.certificates.contains_key(&certificate.sha256) {
                    continue;
                }
                let seen = self.certificates.entry(certificate.sha256).or_insert_with(|| Seen {
                    certificate: Arc::clone(certificate),
                    handshakes: 0,
                    servers: BTreeSet::new(),
                    place,
                    of_clients,
                });
                seen.handshakes = seen.handshakes.saturating_add(1);
                seen.place = seen.place.min(place);
                if seen.servers.len() < PEERS {
                    seen.servers.insert(report.server_name().map_or_else(|| report.server.to_string(), str::to_owned));
                }
            }
        }
    }

    /// Causes, with how their handshakes fared: those of failures first, then the more frequent.
    pub(super) fn causes(&self) -> Vec<(&'static str, &BTreeMap<Class, u64>)> {
        let mut list: Vec<(&'static str, &BTreeMap<Class, u64>)> = self.causes.iter().map(|(cause, classes)| (*cause, classes)).collect();
        let sum = |classes: &BTreeMap<Class, u64>, wanted: fn(Class) -> bool| {
            classes.iter().filter(|(class, _)| wanted(**class)).fold(0, |sum: u64, (_, number)| sum.saturating_add(*number))
        };
        list.sort_by_key(|(_, classes)| (std::cmp::Reverse(sum(classes, Class::is_failure)), std::cmp::Reverse(sum(classes, |_| true))));
        list
    }

    /// Servers, by name and endpoint, those with the most failures first.
    pub(super) fn servers(&self) -> Vec<(&(String, Endpoint), &Count)> {
        worst(&self.servers)
    }

    /// Clients, likewise.
    pub(super) fn clients(&self) -> Vec<(&IpAddr, &Count)> {
        worst(&self.clients)
    }

    /// Certificates, the first to expire first.
    pub(super) fn certificates(&self) -> Vec<&Seen> {
        let mut list: Vec<&Seen> = self.certificates.values().collect();
        list.sort_by_key(|seen| (seen.certificate.not_after, seen.certificate.sha256));
        list
    }
}

fn worst<K: Ord>(counts: &BTreeMap<K, Count>) -> Vec<(&K, &Count)> {
    let mut list: Vec<(&K, &Count)> = counts.iter().collect();
    list.sort_by_key(|(_, count)| (std::cmp::Reverse(count.failed), std::cmp::Reverse(count.handshakes)));
    list
}

impl Count {
    fn add(&mut self, report: &Handshake<'_>, peer: String) {
        self.handshakes = self.handshakes.saturating_add(1);
        if report.class().is_failure() {
            self.failed = self.failed.saturating_add(1);
            let causes = self.causes.entry(view::cause(report)).or_default();
            *causes = causes.saturating_add(1);
        } else if report.handshake.outcome == Outcome::Completed
            && self.times.len() < TIMES
            && let Some(us) = report.handshake.timing.total_us
        {
            self.times.push(us);
        }
        if self.versions.len() < PEERS
            && let Some(version) = report.tls.as_ref().and_then(|tls| tls.version)
        {
            self.versions.insert(word(version.name(), version).into_owned());
        }
        if self.peers.len() < PEERS {
            self.peers.insert(peer);
        }
    }

    /// The time within which so many hundredths of the handshakes completed.
    pub(super) fn time(&self, hundredths: usize) -> Option<u64> {
        percentile(&mut self.times.clone(), hundredths)
    }

    /// How many peers there were, and whether there were more than were kept.
    pub(super) fn peer_count(&self) -> (usize, bool) {
        (self.peers.len(), self.peers.len() >= PEERS)
    }

    /// The most frequent cause.
    pub(super) fn top_cause(&self) -> Option<(&&'static str, &u64)> {
        self.causes.iter().max_by_key(|(cause, number)| (**number, std::cmp::Reverse(*cause)))
    }
}

/// The value within which so many hundredths of the others lie (nearest rank).
pub(super) fn percentile(values: &mut [u64], hundredths: usize) -> Option<u64> {
    values.sort_unstable();
    let rank = values.len().saturating_mul(hundredths).div_ceil(100).saturating_sub(1);
    values.get(rank).copied()
}

/// Servers, clients, certificates kept of each.
const KEYS: usize = 20_000;
/// Peers kept of each.
const PEERS: usize = 1_000;
/// Times kept of each.
const TIMES: usize = 20_000;
