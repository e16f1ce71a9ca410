//! Beside the floors: which servers and clients offer, choose and complete what. Sightings go in, an inventory comes out.
//!
//! A client is an address together with what it offers: two programs on one machine are two clients, one program behind two addresses as well. A
//! server is an address and a port together with the name asked for.
//!
//! Invariant: it claims what the packets show. That a client needs something is said where it completed with it and offers nothing else, or where
//! it never completed with anything else, and which of the two it is, is said; of a server likewise.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

mod build;
mod feature;
mod schema;
mod stock;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use crate::report::{
    Certificate, CipherSuite, Class, Endpoint, Handshake, NamedGroup, Offered, Outcome, Protocol, ProtocolVersion, Side, Sighting,
    SignatureScheme, Sink, Timestamp,
};
use crate::site::Site;

pub use feature::Feature;
use feature::{PerFeature, offers_post_quantum};
pub use schema::INVENTORY;
pub use stock::{
    CertificateEntry, ClientEntry, ClientNeed, ClientReadiness, LeftOut, NamedServer, Need, PostQuantum, Readiness, ServerEntry,
    ServerNeed, Shares, Stock, Usage,
};

/// Gathers what handshakes show. Bounded: what there is no room for is counted.
#[derive(Debug, Default)]
pub struct Inventory {
    handshakes: u64,
    completed: u64,
    failed: u64,
    times: Option<(Timestamp, Timestamp)>,
    servers: BTreeMap<ServerKey, Server>,
    clients: BTreeMap<ClientKey, Client>,
    certificates: BTreeMap<[u8; 32], Leaf>,
    versions: Values<Version>,
    groups: Values<NamedGroup>,
    ciphers: Values<CipherSuite>,
    signature_algorithms: Values<SignatureScheme>,
    ech: u64,
    hidden_certificates: u64,
    /// Bytes of what clients offer, and places and names kept of all entries, roughly.
    offer_bytes: usize,
    small_parts: usize,
    left_out: LeftOut,
}

/// The name asked for, and where.
type ServerKey = (Option<String>, Endpoint, Site);

/// An address, and what it offers; nothing where no ClientHello was seen.
type ClientKey = ((IpAddr, Site), Option<Offered>);

/// A version together with what carries it: DTLS counts apart.
type Version = (bool, ProtocolVersion);

/// How often each value was offered, chosen, completed with.
type Values<T> = BTreeMap<T, Times>;

#[derive(Debug, Clone, Copy, Default)]
struct Times {
    offered: u64,
    chosen: u64,
    completed: u64,
}

/// What is counted of each side.
#[derive(Debug, Default)]
struct Common {
    handshakes: u64,
    completed: u64,
    failed: u64,
    times: Option<(Timestamp, Timestamp)>,
    versions: BTreeMap<Version, u64>,
    groups: BTreeMap<NamedGroup, u64>,
    ciphers: BTreeMap<CipherSuite, u64>,
    /// Handshakes that completed with a feature, and with something else.
    used: PerFeature<u64>,
    other: PerFeature<u64>,
}

#[derive(Debug, Default)]
struct Server {
    common: Common,
    clients: BTreeSet<(IpAddr, Site)>,
    /// Handshakes in which something else was offered than what it chose.
    passed_over: PerFeature<u64>,
    /// Full handshakes by what became of post-quantum key exchange.
    post_quantum: PostQuantumTimes,
    certificates: BTreeSet<[u8; 32]>,
    hidden_certificates: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct PostQuantumTimes {
    chosen: u64,
    passed_over: u64,
}

#[derive(Debug, Default)]
struct Client {
    common: Common,
    ja4: BTreeSet<String>,
    stack: Option<String>,
    ech: u64,
    /// Handshakes that completed with post-quantum key exchange.
    post_quantum: u64,
    servers: BTreeSet<ServerKey>,
}

#[derive(Debug)]
struct Leaf {
    certificate: Arc<Certificate>,
    handshakes: u64,
    presented_by: BTreeSet<Side>,
    places: BTreeSet<ServerKey>,
}

impl Sink for Inventory {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        self.add(&Sighting::of(handshake));
        Ok(())
    }
}

impl Inventory {
    /// Whether no handshake says anything.
    pub const fn is_empty(&self) -> bool {
        self.handshakes == 0
    }

    /// Takes a handshake. Those that are still under way, and where no TLS was seen, say nothing.
    pub fn add(&mut self, seen: &Sighting) {
        if seen.provisional || seen.protocol == Protocol::Other || seen.class == Class::Probe {
            return;
        }
        let (completed, failed) = (seen.completed(), seen.class.is_failure());
        count(&mut self.handshakes, true);
        count(&mut self.completed, completed);
        count(&mut self.failed, failed);
        spread(&mut self.times, seen);
        self.total(seen);
        let key: ServerKey = (seen.name.clone(), seen.server, seen.site);
        let hidden = seen.server_certificates.is_empty() && seen.version == Some(ProtocolVersion::TLS13) && !seen.resumed;
        count(&mut self.hidden_certificates, hidden);
        self.leaves(seen, &key);
        self.client(seen, &key);
        self.server(seen, key, hidden);
    }

    /// Lines that were not taken because they had been taken before, and such as could not be read.
    pub fn rows_left_out(&mut self, repeated: u64, unreadable: u64) {
        self.left_out.repeated_rows = repeated;
        self.left_out.unreadable_rows = unreadable;
    }

    fn total(&mut self, seen: &Sighting) {
        let datagrams = seen.protocol == Protocol::Dtls;
        let completed = seen.completed();
        let chosen = |times: &mut Times| {
            count(&mut times.chosen, true);
            count(&mut times.completed, completed);
        };
        if let Some(version) = seen.version {
            value(&mut self.versions, (datagrams, version), chosen);
        }
        if let Some(group) = seen.group {
            value(&mut self.groups, group, chosen);
        }
        if let Some(cipher) = seen.cipher {
            value(&mut self.ciphers, cipher, chosen);
        }
        let Some(offered) = &seen.offered else { return };
        let offers = |times: &mut Times| count(&mut times.offered, true);
        for version in versions(offered) {
            value(&mut self.versions, (datagrams, version), offers);
        }
        for group in distinct(&offered.groups) {
            value(&mut self.groups, group, offers);
        }
        for cipher in distinct(&offered.ciphers) {
            value(&mut self.ciphers, cipher, offers);
        }
        for scheme in distinct(&offered.signature_algorithms) {
            value(&mut self.signature_algorithms, scheme, offers);
        }
        count(&mut self.ech, seen.ech);
    }

    fn leaves(&mut self, seen: &Sighting, key: &ServerKey) {
        for (side, chain) in [(Side::Server, &seen.server_certificates), (Side::Client, &seen.client_certificates)] {
            let Some(certificate) = chain.first() else { continue };
            if self.certificates.len() >= CERTIFICATES && !self.certificates.contains_key(&certificate.sha256) {
                count(&mut self.left_out.certificates, true);
                continue;
            }
            let leaf = self.certificates.entry(certificate.sha256).or_insert_with(|| Leaf {
                certificate: Arc::clone(certificate),
                handshakes: 0,
                presented_by: BTreeSet::new(),
                places: BTreeSet::new(),
            });
            count(&mut leaf.handshakes, true);
            leaf.presented_by.insert(side);
            keep(&mut leaf.places, key, &mut self.small_parts);
        }
    }

    fn client(&mut self, seen: &Sighting, server: &ServerKey) {
        let key: ClientKey = ((seen.client.address, seen.site), seen.offered.clone());
        if !self.clients.contains_key(&key) {
            let bytes = key.1.as_ref().map_or(0, weight);
            if self.clients.len() >= CLIENTS || self.offer_bytes.saturating_add(bytes) > OFFER_BYTES {
                return count(&mut self.left_out.handshakes_of_clients, true);
            }
            self.offer_bytes = self.offer_bytes.saturating_add(bytes);
        }
        let client = self.clients.entry(key).or_default();
        client.common.add(seen);
        if let Some(ja4) = &seen.ja4 {
            keep(&mut client.ja4, ja4, &mut self.small_parts);
        }
        if client.stack.is_none() {
            client.stack.clone_from(&seen.stack);
        }
        count(&mut client.ech, seen.ech);
        count(&mut client.post_quantum, seen.completed() && seen.group.is_some_and(NamedGroup::is_post_quantum));
        keep(&mut client.servers, server, &mut self.small_parts);
    }

    fn server(&mut self, seen: &Sighting, key: ServerKey, hidden: bool) {
        if self.servers.len() >= SERVERS && !self.servers.contains_key(&key) {
            return count(&mut self.left_out.handshakes_of_servers, true);
        }
        let server = self.servers.entry(key).or_default();
        server.common.add(seen);
        keep(&mut server.clients, &(seen.client.address, seen.site), &mut self.small_parts);
        count(&mut server.hidden_certificates, hidden);
        if let Some(leaf) = seen.server_certificates.first() {
            keep(&mut server.certificates, &leaf.sha256, &mut self.small_parts);
        }
        let Some(offered) = &seen.offered else { return };
        if seen.completed() {
            for feature in Feature::ALL {
                if feature.used(seen) == Some(true) && feature.offers_else(offered) == Some(true) {
                    server.passed_over.change(feature, |times| count(times, true));
                }
            }
        }
        // Whoever answers with a version has chosen; a resumption may go on with what was chosen before.
        if seen.version.is_some() && (seen.group.is_some() || !seen.resumed) {
            let chosen = seen.group.is_some_and(NamedGroup::is_post_quantum);
            count(&mut server.post_quantum.chosen, chosen);
            count(&mut server.post_quantum.passed_over, !chosen && offers_post_quantum(offered));
        }
    }
}

impl Common {
    fn add(&mut self, seen: &Sighting) {
        count(&mut self.handshakes, true);
        count(&mut self.failed, seen.class.is_failure());
        spread(&mut self.times, seen);
        if seen.outcome != Outcome::Completed {
            return;
        }
        count(&mut self.completed, true);
        let datagrams = seen.protocol == Protocol::Dtls;
        if let Some(version) = seen.version {
            counted(&mut self.versions, (datagrams, version));
        }
        if let Some(group) = seen.group {
            counted(&mut self.groups, group);
        }
        if let Some(cipher) = seen.cipher {
            counted(&mut self.ciphers, cipher);
        }
        for feature in Feature::ALL {
            match feature.used(seen) {
                Some(true) => self.used.change(feature, |times| count(times, true)),
                Some(false) => self.other.change(feature, |times| count(times, true)),
                None => {}
            }
        }
    }

    /// It completed with this and never with anything else.
    fn only(&self, feature: Feature) -> bool {
        self.used.of(feature) > 0 && self.other.of(feature) == 0
    }
}

/// The versions that a client offers: those that it lists, or the newest.
fn versions(offered: &Offered) -> BTreeSet<ProtocolVersion> {
    if offered.versions.is_empty() { offered.newest.into_iter().collect() } else { distinct(&offered.versions) }
}

fn distinct<T: Ord + Copy>(list: &[T]) -> BTreeSet<T> {
    list.iter().copied().collect()
}

fn weight(offered: &Offered) -> usize {
    let Offered { versions, ciphers, groups, signature_algorithms, .. } = offered;
    let values = [versions.len(), ciphers.len(), groups.len(), signature_algorithms.len()];
    values.iter().fold(CLIENT_RECORD, |sum, values| sum.saturating_add(values.saturating_mul(2)))
}

fn count(number: &mut u64, applies: bool) {
    *number = number.saturating_add(applies.into());
}

fn counted<T: Ord>(counts: &mut BTreeMap<T, u64>, value: T) {
    if counts.len() < VALUES || counts.contains_key(&value) {
        count(counts.entry(value).or_default(), true);
    }
}

fn value<T: Ord>(values: &mut Values<T>, value: T, change: impl Fn(&mut Times)) {
    if values.len() < ALL_VALUES || values.contains_key(&value) {
        change(values.entry(value).or_default());
    }
}

/// Keeps one more of a few, as long as there is room for all.
fn keep<T: Ord + Clone>(few: &mut BTreeSet<T>, one: &T, parts: &mut usize) {
    if few.len() < FEW && *parts < SMALL_PARTS && !few.contains(one) {
        *parts = parts.saturating_add(1);
        few.insert(one.clone());
    }
}

fn spread(times: &mut Option<(Timestamp, Timestamp)>, seen: &Sighting) {
    let (first, last) = times.get_or_insert((seen.start, seen.end));
    *first = (*first).min(seen.start);
    *last = (*last).max(seen.end);
}

/// Servers, clients and certificates told apart.
const SERVERS: usize = 20_000;
const CLIENTS: usize = 50_000;
const CERTIFICATES: usize = 20_000;
/// Bytes of what clients offer.
const OFFER_BYTES: usize = 64 << 20;
/// What a client takes besides, roughly.
const CLIENT_RECORD: usize = 1_000;
/// Values told apart of one server or client, and of all.
const VALUES: usize = 64;
const ALL_VALUES: usize = 4_096;
/// Peers, fingerprints and certificates named of one server, client or certificate, and of all.
const FEW: usize = 256;
const SMALL_PARTS: usize = 500_000;
