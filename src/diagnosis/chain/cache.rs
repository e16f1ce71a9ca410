//! Chains already judged.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::path::same_leaf;
use super::signatures::Signatures;
use super::{ChainFacts, Pins, Purpose, TrustStore, Unverified, judge_with};
use crate::limits;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// A bounded table from the question to the judgement. The question holds everything the answer depends on: the certificates, the name,
/// the purpose, and of the time no more than matters (who is expired or not yet valid, and the days left), so that the same chain is
/// judged about once a day and the answer never depends on who asked first. One table serves one trust store.
///
/// A chain that was not verified for want of budget is not remembered: that would make the answer depend on who asked first.
///
/// Bounded in number and in the bytes of the certificates that it keeps. Two generations, as in [`crate::tls::certificate::CertificateStore`].
#[derive(Debug)]
pub struct ChainCache {
    signatures: Signatures,
    hasher: RandomState,
    young: HashTable<Entry>,
    old: HashTable<Entry>,
    /// What the young ones keep in memory.
    pins: Pins,
}

#[derive(Debug, Clone)]
struct Entry {
    hash: u64,
    /// Validity of each certificate and the days left, at the time asked about.
    when: Box<[(u8, i64)]>,
    facts: Arc<ChainFacts>,
}

/// When a chain is judged, and for whose account. Chains are to be judged in order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// The packet time that has come.
    pub now: Timestamp,
    /// The server of the connection in which the chain was served.
    pub server: IpAddr,
}

impl Default for ChainCache {
    fn default() -> Self {
        let signatures = Signatures::within_budget();
        Self { signatures, hasher: RandomState::default(), young: HashTable::new(), old: HashTable::new(), pins: Pins::default() }
    }
}

impl ChainCache {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`super::judge`], from memory where the same was asked before, and within the budget for signatures. A chain that is known under
    /// another name costs no signature.
    pub fn judge(
        &mut self,
        certificates: &[Arc<Certificate>],
        name: Option<&str>,
        at: Timestamp,
        purpose: Purpose,
        trust: &TrustStore,
        occasion: Occasion,
    ) -> Arc<ChainFacts> {
        let certificates = certificates.get(..certificates.len().min(limits::CHAIN_LEN)).unwrap_or_default();
        let mut hasher = self.hasher.build_hasher();
        (name, purpose, certificates.len()).hash(&mut hasher);
        for certificate in certificates {
            hasher.write(&certificate.sha256);
            when(certificate, at).hash(&mut hasher);
        }
        let hash = hasher.finish();
        let same = |entry: &Entry| {
            entry.hash == hash
                && entry.facts.purpose == purpose
                && entry.facts.name.as_deref() == name
                && entry.facts.certificates.len() == certificates.len()
                && entry.facts.certificates.iter().zip(certificates).all(|(known, asked)| known.sha256 == asked.sha256)
                && entry.when.iter().copied().eq(certificates.iter().map(|certificate| when(certificate, at)))
        };
        if let Some(entry) = self.young.find(hash, same) {
            return Arc::clone(&entry.facts);
        }
        let entry = match self.old.find(hash, same) {
            Some(entry) => entry.clone(),
            None => Entry {
                hash,
                when: certificates.iter().map(|certificate| when(certificate, at)).collect(),
                facts: match name {
                    // Nothing but the leaf's names is asked about the name: the signatures are verified once for all of them.
                    Some(name) if same_leaf(certificates, name) => {
                        Arc::new(self.judge(certificates, None, at, purpose, trust, occasion).named(name))
                    }
                    _ => {
                        self.signatures.begin(occasion.now, occasion.server);
                        Arc::new(judge_with(certificates, name, at, purpose, trust, &mut self.signatures))
                    }
                },
            },
        };
        if entry.facts.unverified() == Some(Unverified::Budget) {
            return entry.facts;
        }
        if self.young.len() >= limits::CHAINS / 2 || self.pins.bytes() >= limits::CHAIN_BYTES / 2 {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.pins = Pins::default();
        }
        self.pins.add(&entry.facts);
        let facts = Arc::clone(&entry.facts);
        self.young.insert_unique(hash, entry, |entry| entry.hash);
        facts
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the judgement depends on of the time. Which certificate is the leaf is not known here, so the days left of each.
fn when(certificate: &Certificate, at: Timestamp) -> (u8, i64) {
    let early = at.seconds() < certificate.not_before.seconds();
    let late = at.seconds() > certificate.not_after.seconds();
    (u8::from(early) + 2 * u8::from(late), super::days(certificate.not_after.seconds().saturating_sub(at.seconds())))
}
