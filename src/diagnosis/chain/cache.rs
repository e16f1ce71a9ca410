//! Chains already judged.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::{ChainFacts, Purpose, TrustStore, judge};
use crate::limits;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// A bounded table from the question to the judgement. The question holds everything the answer depends on: the certificates, the name,
/// the purpose, and of the time no more than matters (who is expired or not yet valid, and the days left), so that the same chain is
/// judged about once a day and the answer never depends on who asked first. One table serves one trust store.
///
/// Two generations, as in [`crate::tls::certificate::CertificateStore`].
#[derive(Debug, Default)]
pub struct ChainCache {
    hasher: RandomState,
    young: HashTable<Entry>,
    old: HashTable<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    hash: u64,
    /// Validity of each certificate and the days left, at the time asked about.
    when: Vec<i64>,
    facts: Arc<ChainFacts>,
}

impl ChainCache {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`judge`], from memory where the same was asked before.
    pub fn judge(
        &mut self,
        certificates: &[Arc<Certificate>],
        name: Option<&str>,
        at: Timestamp,
        purpose: Purpose,
        trust: &TrustStore,
    ) -> Arc<ChainFacts> {
        let certificates = certificates.get(..certificates.len().min(limits::CHAIN_LEN)).unwrap_or_default();
        let when = when(certificates, at);
        let ids: Vec<&[u8; 32]> = certificates.iter().map(|certificate| &certificate.sha256).collect();
        let hash = self.hasher.hash_one((&ids, name, purpose, &when));
        let same = |entry: &Entry| {
            entry.hash == hash
                && entry.when == when
                && entry.facts.purpose == purpose
                && entry.facts.name.as_deref() == name
                && entry.facts.certificates.len() == ids.len()
                && entry.facts.certificates.iter().zip(&ids).all(|(known, id)| known.sha256 == **id)
        };
        if let Some(entry) = self.young.find(hash, same) {
            return Arc::clone(&entry.facts);
        }
        let entry = match self.old.find(hash, same) {
            Some(entry) => entry.clone(),
            None => Entry { hash, when, facts: Arc::new(judge(certificates, name, at, purpose, trust)) },
        };
        if self.young.len() >= limits::CHAINS / 2 {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
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

/// What the judgement depends on of the time. Which certificate is the leaf is not known here, so the days left of all of them.
fn when(certificates: &[Arc<Certificate>], at: Timestamp) -> Vec<i64> {
    certificates
        .iter()
        .flat_map(|certificate| {
            let state =
                i64::from(at.seconds() < certificate.not_before.seconds()) + 2 * i64::from(at.seconds() > certificate.not_after.seconds());
            [state, super::days(certificate.not_after.seconds().saturating_sub(at.seconds()))]
        })
        .collect()
}
