//! The secrets that the connections of a worker share, growing while it works, and what came of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::connection::{ConnectionKeys, Parameters, Unusable};
use super::keylog::KeyLog;

/// Secrets as far as they are known by now.
#[derive(Debug, Default)]
pub struct KeyRing {
    log: RwLock<KeyLog>,
    /// Rises whenever secrets are added.
    generation: AtomicU64,
    decrypted: AtomicU64,
    misfits: AtomicU64,
    unsupported: AtomicU64,
}

/// What came of the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Handshakes of which something was decrypted.
    pub decrypted: u64,
    /// Handshakes whose secrets do not fit their records.
    pub misfits: u64,
    /// Handshakes with secrets and a suite or version that cannot be opened here.
    pub unsupported: u64,
}

impl Tally {
    /// Both added up.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            decrypted: self.decrypted.saturating_add(other.decrypted),
            misfits: self.misfits.saturating_add(other.misfits),
            unsupported: self.unsupported.saturating_add(other.unsupported),
        }
    }
}

impl KeyRing {
    /// Adds secrets.
    pub fn extend(&self, log: &KeyLog) {
        self.log.write().unwrap_or_else(PoisonError::into_inner).extend(log);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// A number that is another one whenever secrets were added.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The keys of a connection; `None` while its secrets are not known.
    pub fn keys(&self, parameters: Parameters<'_>) -> Option<Result<ConnectionKeys, Unusable>> {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let secrets = log.get(parameters.client_random)?;
        Some(ConnectionKeys::new(secrets, parameters))
    }

    /// Counts a handshake of which something was decrypted.
    pub fn count_decrypted(&self) {
        self.decrypted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a handshake whose secrets do not fit.
    pub fn count_misfit(&self) {
        self.misfits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a handshake whose suite cannot be opened.
    pub fn count_unsupported(&self) {
        self.unsupported.fetch_add(1, Ordering::Relaxed);
    }

    /// What came of the secrets so far.
    pub fn tally(&self) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally { decrypted: read(&self.decrypted), misfits: read(&self.misfits), unsupported: read(&self.unsupported) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::registry::{CipherSuite, ProtocolVersion};

    #[test]
    fn secrets_that_come_later_are_found() {
        let ring = KeyRing::default();
        let parameters = Parameters {
            version: ProtocolVersion::TLS12,
            suite: CipherSuite(0xc02f),
            client_random: &[0xaa; 32],
            server_random: &[0; 32],
            encrypt_then_mac: false,
        };
        let before = ring.generation();
        assert!(ring.keys(parameters).is_none());
        let mut log = KeyLog::default();
        log.add_line(format!("CLIENT_RANDOM {} {}", "aa".repeat(32), "01".repeat(48)).as_bytes());
        ring.extend(&log);
        assert_ne!(ring.generation(), before);
        assert!(ring.keys(parameters).is_some_and(|keys| keys.is_ok()));
    }
}
