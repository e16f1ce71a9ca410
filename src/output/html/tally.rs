//! What is counted by server, by client, and by certificate.

use std::collections::{BTreeMap, BTreeSet};

use crate::output::view::{self, Kind};
use crate::report::{CertificateReport, HandshakeReport};

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    servers: BTreeMap<(String, String), Count>,
    clients: BTreeMap<String, Count>,
    certificates: BTreeMap<String, Seen>,
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
    pub(super) causes: BTreeMap<String, u64>,
    pub(super) versions: BTreeSet<String>,
    /// Microseconds, of those that completed, up to [`TIMES`].
    times: Vec<u64>,
    /// The others: clients of a server, servers of a client, up to [`PEERS`].
    pub(super) peers: BTreeSet<String>,
}

/// A certificate and where it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) certificate: CertificateReport,
    pub(super) handshakes: u64,
    pub(super) servers: BTreeSet<String>,
    /// Its place in the chains: 0 for a leaf.
    pub(super) place: usize,
    pub(super) of_clients: bool,
}

impl Tally {
    pub(super) fn add(&mut self, report: &HandshakeReport) {
        if matches!(view::kind(report), Kind::Probe) {
            return;
        }
        let endpoint = view::endpoint(&report.server);
        let name = view::server_name(report).unwrap_or_default().to_ascii_lowercase();
        let key = (name.clone(), endpoint.clone());
        if self.servers.len() < KEYS || self.servers.contains_key(&key) {
            self.servers.entry(key).or_default().add(report, &report.client.address);
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
        if self.clients.len() < KEYS || self.clients.contains_key(&report.client.address) {
            let peer = if name.is_empty() { endpoint.clone() } else { name };
            self.clients.entry(report.client.address.clone()).or_default().add(report, &peer);
        }
        let Some(tls) = &report.tls else { return };
        let served = tls.server.as_ref().map(|server| server.certificates.as_slice()).unwrap_or_default();
        let own = tls.client.as_ref().map(|client| client.certificates.as_slice()).unwrap_or_default();
        if served.is_empty() && tls.version.as_deref() == Some("1.3") {
            self.hidden_chains = self.hidden_chains.saturating_add(1);
        }
        for (certificates, of_clients) in [(served, false), (own, true)] {
            for (place, certificate) in certificates.iter().enumerate() {
                if self.certificates.len() >= KEYS && !self.certificates.contains_key(&certificate.sha256) {
                    continue;
                }
                let seen = self.certificates.entry(certificate.sha256.clone()).or_insert_with(|| Seen {
                    certificate: certificate.clone(),
                    handshakes: 0,
                    servers: BTreeSet::new(),
                    place,
                    of_clients,
                });
                seen.handshakes = seen.handshakes.saturating_add(1);
                seen.place = seen.place.min(place);
                let at = view::server_name(report).map_or_else(|| endpoint.clone(), str::to_owned);
                if seen.servers.len() < PEERS {
                    seen.servers.insert(at);
                }
            }
        }
    }

    /// Servers, by name and endpoint, those with the most failures first.
    pub(super) fn servers(&self) -> Vec<(&(String, String), &Count)> {
        worst(&self.servers)
    }

    /// Clients, likewise.
    pub(super) fn clients(&self) -> Vec<(&String, &Count)> {
        worst(&self.clients)
    }

    /// Certificates, the first to expire first.
    pub(super) fn certificates(&self) -> Vec<&Seen> {
        let mut list: Vec<&Seen> = self.certificates.values().collect();
        list.sort_by(|a, b| (&a.certificate.not_after, &a.certificate.sha256).cmp(&(&b.certificate.not_after, &b.certificate.sha256)));
        list
    }
}

fn worst<K: Ord>(counts: &BTreeMap<K, Count>) -> Vec<(&K, &Count)> {
    let mut list: Vec<(&K, &Count)> = counts.iter().collect();
    list.sort_by_key(|(_, count)| (std::cmp::Reverse(count.failed), std::cmp::Reverse(count.handshakes)));
    list
}

impl Count {
    fn add(&mut self, report: &HandshakeReport, peer: &str) {
        self.handshakes = self.handshakes.saturating_add(1);
        if view::kind(report) == Kind::Failed {
            self.failed = self.failed.saturating_add(1);
            let causes = self.causes.entry(view::cause(report).to_owned()).or_default();
            *causes = causes.saturating_add(1);
        } else if let Some(us) = report.handshake.timing.total_us.filter(|_| report.handshake.outcome == "completed") {
            if self.times.len() < TIMES {
                self.times.push(us);
            }
        }
        if let Some(version) = report.tls.as_ref().and_then(|tls| tls.version.as_ref()) {
            if self.versions.len() < PEERS {
                self.versions.insert(version.clone());
            }
        }
        if self.peers.len() < PEERS {
            self.peers.insert(peer.to_owned());
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
    pub(super) fn top_cause(&self) -> Option<(&String, &u64)> {
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
