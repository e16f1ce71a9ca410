//! Certificates seen, each parsed once.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::Certificate;
use crate::limits;

/// A table from DER to the parsed certificate, bounded in number and bytes: a busy server's chain is parsed once, not once a connection.
///
/// Two generations: when the young one is full it becomes the old one, and what was not asked for in the meantime is forgotten. What is
/// forgotten costs a second parse, never a different answer. Before both stand the certificates seen last, which are found without hashing all
/// their bytes.
#[derive(Debug, Default)]
pub struct CertificateStore {
    hasher: RandomState,
    young: HashTable<Arc<Certificate>>,
    old: HashTable<Arc<Certificate>>,
    /// Bytes of the young ones.
    bytes: usize,
    /// None of these is in neither.
    recent: Vec<Option<Arc<Certificate>>>,
}

impl CertificateStore {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The certificate with this DER, parsed now if it was not known.
    pub fn intern(&mut self, der: &[u8]) -> Arc<Certificate> {
        // The last bytes are those of the signature.
        let place = der.last().map_or(0, |byte| usize::from(*byte));
        if let Some(Some(known)) = self.recent.get(place)
            && *known.der == *der
        {
            return Arc::clone(known);
        }
        let certificate = self.look_up(der);
        self.recent.resize(RECENT, None);
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = Some(Arc::clone(&certificate));
        }
        certificate
    }

    fn look_up(&mut self, der: &[u8]) -> Arc<Certificate> {
        let hash = self.hasher.hash_one(der);
        let same = |known: &Arc<Certificate>| *known.der == *der;
        if let Some(known) = self.young.find(hash, same) {
            return Arc::clone(known);
        }
        let certificate = self.old.find(hash, same).map_or_else(|| Arc::new(Certificate::parse(der)), Arc::clone);
        let bytes = certificate.weight();
        if self.young.len() >= limits::CERTIFICATES / 2 || self.bytes + bytes > GENERATION_BYTES {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.recent.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
        let hasher = &self.hasher;
        self.young.insert_unique(hash, Arc::clone(&certificate), |known| hasher.hash_one(&*known.der));
        certificate
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

/// Bytes of a generation.
const GENERATION_BYTES: usize = limits::CERTIFICATE_BYTES / limits::PARTITIONS / 2;

/// Places for the certificates seen last.
const RECENT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_der_is_parsed_once() {
        let mut store = CertificateStore::new();
        let (first, second, other) = (store.intern(b"x"), store.intern(b"x"), store.intern(b"y"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &other));
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn certificates_that_end_alike_are_told_apart() {
        let mut store = CertificateStore::new();
        let (one, other) = (store.intern(b"one, z"), store.intern(b"other, z"));
        assert!(Arc::ptr_eq(&one, &store.intern(b"one, z")) && Arc::ptr_eq(&other, &store.intern(b"other, z")));
        assert_eq!((&*one.der, &*other.der, store.len()), (&b"one, z"[..], &b"other, z"[..], 2));
    }

    #[test]
    fn a_flood_of_certificates_does_not_grow_it() {
        let mut store = CertificateStore::new();
        for number in 0..limits::CERTIFICATES * 3 {
            store.intern(&number.to_be_bytes());
        }
        assert!(store.len() <= limits::CERTIFICATES);
    }
}
