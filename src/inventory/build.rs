//! From what was gathered to what is told.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::feature::offers_post_quantum;
use super::stock::{
    CertificateEntry, ClientEntry, ClientNeed, ClientReadiness, NamedServer, Need, PostQuantum, Readiness, ServerEntry, ServerNeed, Shares,
    Stock, Usage,
};
use super::{Client, ClientKey, Common, Feature, Inventory, Leaf, Server, ServerKey, Times, Values, Version};
use crate::report::{Offered, ProtocolVersion, Side, Timestamp, Weakness};
use crate::site::Site;

impl Inventory {
    /// What was gathered, as it is told. `inputs`: what was read.
    pub fn stock(&self, inputs: Vec<String>) -> Stock {
        let last = self.times.map(|(_, last)| last);
        let mut servers: Vec<ServerEntry> = self.servers.iter().filter_map(|(key, server)| server_entry(key, server)).collect();
        servers.sort_by_key(|server| std::cmp::Reverse(server.handshakes));
        let mut clients: Vec<ClientEntry> = self.clients.iter().filter_map(|(key, client)| client_entry(key, client)).collect();
        clients.sort_by_key(|client| std::cmp::Reverse(client.handshakes));
        let mut certificates: Vec<CertificateEntry> =
            self.certificates.values().map(|leaf| certificate_entry(leaf, last.unwrap_or_default())).collect();
        certificates.sort_by(|a, b| (a.not_after, &a.sha256).cmp(&(b.not_after, &b.sha256)));
        let mut keys: BTreeMap<&str, u64> = BTreeMap::new();
        for leaf in self.certificates.values().filter(|leaf| leaf.presented_by.contains(&Side::Server)) {
            super::count(keys.entry(&leaf.certificate.key).or_default(), true);
        }
        let offering = |wanted: &dyn Fn(&Offered) -> bool| {
            self.clients.keys().filter(|(_, offered)| offered.as_ref().is_some_and(wanted)).count() as u64
        };
        Stock {
            schema: crate::report::SCHEMA,
            kind: "inventory",
            version: crate::report::VERSION,
            inputs,
            first_time: self.times.map(|(first, _)| first),
            last_time: last,
            handshakes: self.handshakes,
            completed: self.completed,
            failed: self.failed,
            versions: self.version_usage(),
            groups: usage(&self.groups, |group| Usage {
                post_quantum: group.is_post_quantum(),
                clients: offering(&|offered| offered.groups.contains(&group)),
                ..Usage::named(group.to_string())
            }),
            ciphers: usage(&self.ciphers, |suite| Usage {
                weakness: suite.weakness().map(Weakness::name),
                clients: offering(&|offered| offered.ciphers.contains(&suite)),
                ..Usage::named(suite.to_string())
            }),
            signature_algorithms: usage(&self.signature_algorithms, |scheme| Usage {
                weakness: scheme.is_weak().then_some("SHA-1 or MD5"),
                clients: offering(&|offered| offered.signature_algorithms.contains(&scheme)),
                ..Usage::named(scheme.to_string())
            }),
            ech: Usage {
                clients: self.clients.values().filter(|client| client.ech > 0).count() as u64,
                offered: self.ech,
                ..Usage::named("offered or GREASE".to_owned())
            },
            keys: keys.into_iter().map(|(name, number)| Shares { name: name.to_owned(), number }).collect(),
            needs: Feature::ALL.into_iter().map(|feature| self.need(feature)).collect(),
            post_quantum: self.post_quantum(&servers, &clients),
            servers,
            clients,
            certificates,
            hidden_certificates: self.hidden_certificates,
            left_out: self.left_out,
        }
    }

    fn version_usage(&self) -> Vec<Usage> {
        let mut list: Vec<(&Version, &Times)> = self.versions.iter().collect();
        list.sort_by_key(|((datagrams, version), _)| (*datagrams, std::cmp::Reverse(version.rank())));
        let clients = |(datagrams, version): Version| {
            let offers = |(key, client): &(&ClientKey, &Client)| {
                let carries = client.common.versions.keys().any(|(of_datagrams, _)| *of_datagrams == datagrams);
                let carries = carries || client.ja4.iter().any(|ja4| ja4.starts_with('d') == datagrams);
                carries && key.1.as_ref().is_some_and(|offered| super::versions(offered).contains(&version))
            };
            self.clients.iter().filter(offers).count() as u64
        };
        let told =
            |(version, times): (&Version, &Times)| Usage { clients: clients(*version), ..Usage::named(spoken(*version)).with(*times) };
        list.into_iter().map(told).collect()
    }

    fn need(&self, feature: Feature) -> Need {
        let mut clients: Vec<ClientNeed> = self
            .clients
            .iter()
            .filter_map(|(key, client)| {
                let handshakes = client.common.used.of(feature);
                let offered = key.1.as_ref();
                let nothing_else = offered.and_then(|offered| feature.offers_else(offered)) == Some(false);
                let why = match nothing_else {
                    _ if handshakes == 0 => return None,
                    true => OFFERS_NOTHING_ELSE,
                    false if client.common.only(feature) => COMPLETED_WITH_NOTHING_ELSE,
                    false => return None,
                };
                Some(ClientNeed {
                    site: key.0.1.name(),
                    address: key.0.0,
                    ja4: client.ja4.first().cloned(),
                    stack: client.stack.clone(),
                    why,
                    address_offers_else: nothing_else && self.address_offers_else(key.0, feature),
                    handshakes,
                    servers: places(client.servers.iter()),
                })
            })
            .collect();
        clients.sort_by_key(|client| (client.why != OFFERS_NOTHING_ELSE, std::cmp::Reverse(client.handshakes)));
        let mut servers: Vec<ServerNeed> = self
            .servers
            .iter()
            // Of SHA-1 a server shows its side only where the client leaves it no choice.
            .filter(|(_, server)| server.common.only(feature) && feature != Feature::Sha1)
            .map(|(key, server)| {
                let passed_over = server.passed_over.of(feature);
                ServerNeed {
                    server: NamedServer::of(key),
                    why: if passed_over > 0 { CHOSE_NOTHING_ELSE } else { WAS_OFFERED_NOTHING_ELSE },
                    handshakes: server.common.used.of(feature),
                    passed_over,
                }
            })
            .collect();
        servers.sort_by_key(|server| (server.why != CHOSE_NOTHING_ELSE, std::cmp::Reverse(server.handshakes)));
        let used = self.clients.values().map(|client| client.common.used.of(feature));
        Need { what: feature.name(), feature, handshakes: used.fold(0, u64::saturating_add), clients, servers }
    }

    /// Whether another hello from this address offers something else.
    fn address_offers_else(&self, address: (IpAddr, Site), feature: Feature) -> bool {
        let from: ClientKey = (address, None);
        let of_address = self.clients.range(from..).take_while(|((other, _), _)| *other == address);
        of_address.filter_map(|((_, offered), _)| offered.as_ref()).any(|offered| feature.offers_else(offered) == Some(true))
    }

    fn post_quantum(&self, servers: &[ServerEntry], clients: &[ClientEntry]) -> PostQuantum {
        let mut told = PostQuantum { clients: BTreeMap::new(), servers: BTreeMap::new(), completed: 0 };
        for client in clients {
            super::count(told.clients.entry(client.post_quantum).or_default(), true);
        }
        for server in servers {
            super::count(told.servers.entry(server.post_quantum).or_default(), true);
        }
        let completed = self.groups.iter().filter(|(group, _)| group.is_post_quantum()).map(|(_, times)| times.completed);
        told.completed = completed.fold(0, u64::saturating_add);
        told
    }
}

impl Usage {
    fn named(name: String) -> Self {
        Self { name, weakness: None, post_quantum: false, clients: 0, offered: 0, chosen: 0, completed: 0 }
    }

    fn with(self, times: Times) -> Self {
        let Times { offered, chosen, completed } = times;
        Self { offered, chosen, completed, ..self }
    }
}

fn usage<T: Copy + Ord>(values: &Values<T>, named: impl Fn(T) -> Usage) -> Vec<Usage> {
    let mut list: Vec<Usage> = values.iter().map(|(value, times)| named(*value).with(*times)).collect();
    list.sort_by_key(|usage| std::cmp::Reverse((usage.completed, usage.chosen, usage.offered)));
    list
}

impl NamedServer {
    fn of((name, endpoint, site): &ServerKey) -> Self {
        Self { site: site.name(), name: name.clone(), address: endpoint.address, port: endpoint.port }
    }
}

fn server_entry(key: &ServerKey, server: &Server) -> Option<ServerEntry> {
    let Common { handshakes, completed, failed, times, .. } = server.common;
    let (first_seen, last_seen) = times?;
    let post_quantum = match (server.post_quantum.chosen, server.post_quantum.passed_over) {
        (0, 0) => Readiness::Unknown,
        (0, _) => Readiness::NotReady,
        (_, 0) => Readiness::Ready,
        _ => Readiness::Partly,
    };
    Some(ServerEntry {
        server: NamedServer::of(key),
        handshakes,
        completed,
        failed,
        clients: server.clients.len(),
        versions: by_version(&server.common),
        groups: by_name(&server.common.groups),
        ciphers: by_name(&server.common.ciphers),
        post_quantum,
        certificates: server.certificates.iter().map(|sha256| data_encoding::HEXLOWER.encode(sha256)).collect(),
        hidden_certificates: server.hidden_certificates,
        first_seen,
        last_seen,
    })
}

fn client_entry(((address, site), offered): &ClientKey, client: &Client) -> Option<ClientEntry> {
    let Common { handshakes, completed, failed, times, .. } = client.common;
    let (first_seen, last_seen) = times?;
    let post_quantum = match offered {
        _ if client.post_quantum > 0 => ClientReadiness::Completed,
        None => ClientReadiness::Unknown,
        Some(offered) if offers_post_quantum(offered) => ClientReadiness::Offers,
        Some(_) => ClientReadiness::DoesNotOffer,
    };
    let datagrams = client.ja4.iter().any(|ja4| ja4.starts_with('d'));
    Some(ClientEntry {
        site: site.name(),
        address: *address,
        stack: client.stack.clone(),
        ja4: client.ja4.iter().cloned().collect(),
        newest_version: offered.as_ref().and_then(|offered| offered.newest).map(|newest| spoken((datagrams, newest))),
        handshakes,
        completed,
        failed,
        versions: by_version(&client.common),
        groups: by_name(&client.common.groups),
        ciphers: by_name(&client.common.ciphers),
        post_quantum,
        ech: client.ech,
        servers: places(client.servers.iter()),
        first_seen,
        last_seen,
    })
}

fn certificate_entry(leaf: &Leaf, at: Timestamp) -> CertificateEntry {
    let of = &leaf.certificate;
    CertificateEntry {
        subject: of.subject.clone(),
        issuer: of.issuer.clone(),
        san: of.san.clone(),
        key: of.key.clone(),
        signature: of.signature.clone(),
        not_before: of.not_before,
        not_after: of.not_after,
        lifetime_days: days(of.not_before, of.not_after),
        days_left: (at <= of.not_after).then(|| days(at, of.not_after)),
        days_expired: (at > of.not_after).then(|| days(of.not_after, at)),
        sha256: of.fingerprint(),
        presented_by: leaf.presented_by.iter().copied().collect(),
        handshakes: leaf.handshakes,
        servers: places(leaf.places.iter()),
    }
}

/// Whole days; none backwards.
fn days(from: Timestamp, to: Timestamp) -> u64 {
    to.since(from).as_secs() / 86_400
}

fn by_version(common: &Common) -> BTreeMap<String, u64> {
    common.versions.iter().map(|(version, times)| (spoken(*version), *times)).collect()
}

fn by_name<T: ToString>(counts: &BTreeMap<T, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(value, times)| (value.to_string(), *times)).collect()
}

fn places<'a>(keys: impl Iterator<Item = &'a ServerKey>) -> Vec<String> {
    let mut places: Vec<String> = keys.map(|(name, endpoint, _)| name.clone().unwrap_or_else(|| endpoint.to_string())).collect();
    // A name at several addresses, or at several sites, is one name.
    places.dedup();
    places.truncate(PLACES);
    places
}

/// `TLS 1.2`, `DTLS 1.2`.
fn spoken((datagrams, version): Version) -> String {
    let spoken = version.spoken().to_string();
    match (datagrams, version) {
        // DTLS 1.0 is TLS 1.1 over datagrams.
        (true, ProtocolVersion::TLS11) => "DTLS 1.0".to_owned(),
        (true, _) if spoken.starts_with("TLS") => format!("D{spoken}"),
        _ => spoken,
    }
}

const OFFERS_NOTHING_ELSE: &str = "offers-nothing-else";
const COMPLETED_WITH_NOTHING_ELSE: &str = "completed-with-nothing-else";
const CHOSE_NOTHING_ELSE: &str = "chose-nothing-else";
const WAS_OFFERED_NOTHING_ELSE: &str = "was-offered-nothing-else";
/// Servers named with a client or certificate.
const PLACES: usize = 20;
