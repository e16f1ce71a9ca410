//! What the capture shows of authorities: for whom they signed, who else signed for a name, and whose certificates a client took.
//!
//! An issuer's name is only what a certificate says. Authorities are therefore told apart by name and key identifier together, and what is
//! counted here convicts nobody: a company's own authority signs for many names too.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::quality::FixedState;

use crate::handshake::Handshake;
use crate::site::Site;
use crate::tls::certificate::Certificate;

use super::aged::Aged;
use super::chain::{ChainFacts, Trust};
use super::knowledge::Knowledge;

/// Authorities, keys and names remembered.
const MOST: usize = 8192;
/// Issuers remembered for a name.
const PER_NAME: usize = 16;
/// Unrelated names, and addresses that serve them, from which on a certificate's signer counts as one that signs for everybody.
const MANY: usize = 3;

/// The store.
#[derive(Debug)]
pub(super) struct Issuers {
    /// By authority: what it signed, of those that no store trusts.
    signed: Aged<u64, Signed>,
    /// By the leaf's key: the certificates made for it, of those that no store trusts.
    keys: Aged<(Site, [u8; 32]), Signed>,
    /// By leaf: the addresses at which it was served for names that it does not cover.
    uninvited: Aged<(Site, [u8; 32]), BTreeSet<IpAddr>>,
    /// By site and name: issuers of leaf certificates seen for it, and whether a store trusts them.
    names: Aged<u64, BTreeMap<String, bool>>,
    /// By client address and authority: it took a certificate of that authority and went on to use the connection.
    taken: Aged<u64, bool>,
}

/// Registered domains, addresses and distinct certificates, [`MANY`] of each at most.
#[derive(Debug, Default)]
struct Signed {
    domains: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    certificates: BTreeSet<[u8; 32]>,
}

impl Signed {
    fn enter(&mut self, name: &str, address: IpAddr, certificate: [u8; 32]) {
        let domain = domain(name);
        if self.domains.len() < MANY && !self.domains.contains(domain) {
            self.domains.insert(domain.to_owned());
        }
        if self.addresses.len() < MANY {
            self.addresses.insert(address);
        }
        if self.certificates.len() < MANY {
            self.certificates.insert(certificate);
        }
    }

    /// For names that share no registered domain, on different addresses, each with a certificate of its own.
    fn for_everybody(&self) -> bool {
        self.domains.len() >= MANY && self.addresses.len() >= MANY && self.certificates.len() >= MANY
    }
}

impl Default for Issuers {
    fn default() -> Self {
        Self { signed: Aged::new(MOST), keys: Aged::new(MOST), uninvited: Aged::new(MOST), names: Aged::new(MOST), taken: Aged::new(MOST) }
    }
}

/// Between whom a chain was shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) site: Site,
    pub(super) client: IpAddr,
    pub(super) server: IpAddr,
    /// The handshake completed, and the client went on to use it.
    pub(super) used: bool,
}

impl Issuers {
    /// Enters the chain that a handshake showed.
    pub(super) fn learn(&mut self, shown: &Shown, name: Option<&str>, chain: &ChainFacts) {
        let Some(leaf) = chain.leaf().filter(|leaf| leaf.malformed.is_none()) else { return };
        let Shown { site, client, server, used } = *shown;
        if used {
            *self.taken.touch(&between((site, client), leaf)) = true;
        }
        if chain.covers_name == Some(false) {
            let addresses = self.uninvited.touch(&(site, leaf.sha256));
            if addresses.len() < MANY {
                addresses.insert(server);
            }
        }
        let Some(name) = name.filter(|_| !leaf.self_issued) else { return };
        let trusted = chain.public || chain.trust == Trust::Trusted;
        if self.names.get(&at(site, name)).is_none_or(|issuers| issuers.get(&leaf.issuer) != Some(&trusted)) {
            let issuers = self.names.touch(&at(site, name));
            issuers.insert(leaf.issuer.clone(), trusted);
            while issuers.len() > PER_NAME {
                issuers.pop_first();
            }
        }
        if matches!(chain.trust, Trust::Untrusted { .. }) && !chain.public {
            self.signed.touch(&authority(site, leaf)).enter(name, server, leaf.sha256);
            self.keys.touch(&(site, leaf.spki_sha256)).enter(name, server, leaf.sha256);
        }
    }

    /// What is known of the authority behind this leaf.
    pub(super) fn view(&self, knowledge: &mut Knowledge, handshake: &Handshake, name: Option<&str>, leaf: &Certificate) {
        let site = handshake.flow.key.site;
        let everybody = |signed: Option<&Signed>| signed.is_some_and(Signed::for_everybody);
        knowledge.resigning_issuer = everybody(self.signed.get(&authority(site, leaf))).then(|| leaf.issuer.clone());
        knowledge.one_key_for_many = everybody(self.keys.get(&(site, leaf.spki_sha256)));
        knowledge.uninvited_at = self.uninvited.get(&(site, leaf.sha256)).map_or(0, BTreeSet::len);
        knowledge.client_took_issuer = self.taken.get(&between((site, handshake.client.address), leaf)).is_some_and(|taken| *taken);
        let others =
            name.and_then(|name| self.names.get(&at(site, name))).into_iter().flatten().filter(|(issuer, _)| **issuer != leaf.issuer);
        let other = others.max_by_key(|(_, trusted)| **trusted);
        knowledge.other_issuer_for_name = other.map(|(issuer, _)| issuer.clone());
        knowledge.other_issuer_trusted = other.is_some_and(|(_, trusted)| *trusted);
    }
}

/// Stands for a name at a site.
fn at(site: Site, name: &str) -> u64 {
    FixedState::default().hash_one((site, name))
}

/// Stands for an authority at a site: its name, and its key as far as the certificate says which.
fn authority(site: Site, leaf: &Certificate) -> u64 {
    FixedState::default().hash_one((site, &leaf.issuer_der, &leaf.authority_key_id))
}

/// Stands for a client and an authority.
fn between((site, client): (Site, IpAddr), leaf: &Certificate) -> u64 {
    FixedState::default().hash_one((client, authority(site, leaf)))
}

/// The last two labels of a name.
fn domain(name: &str) -> &str {
    let dot = name.bytes().enumerate().rev().filter(|(_, byte)| *byte == b'.').nth(1);
    dot.and_then(|(dot, _)| name.get(dot + 1..)).unwrap_or(name)
}
