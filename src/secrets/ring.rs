//! The secrets that the connections of a worker share, growing while it works, and what came of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::connection::{ConnectionKeys, Opened, Parameters, Unusable};
use super::datagram::DatagramKeys;
use super::keylog::{KeyLog, Label, Secrets};
use super::record::Sealed;
use crate::flow::Side;
use crate::quic::protection::{Connection, KeyProvider, Level, PacketKeys};

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

    /// The keys that open a server's first record of a connection whose secrets are filed under another random than that of its ClientHello: where the
    /// server took the encrypted one (ECH), it is that one's. `tries` are what is left to try; `None` where none of them does.
    pub fn keys_that_open(&self, parameters: Parameters<'_>, sealed: Sealed<'_>, tries: &mut u32) -> Option<ConnectionKeys> {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let usable = |secrets: &&Secrets| secrets.get(Label::ServerHandshake).is_some();
        log.latest().filter(usable).find_map(|secrets| {
            *tries = tries.checked_sub(1)?;
            let opened = ConnectionKeys::new(secrets, parameters).ok()?.open(Side::Server, sealed);
            matches!(opened, Opened::Content(..)).then(|| ConnectionKeys::new(secrets, parameters).ok()).flatten()
        })
    }

    /// The keys of a DTLS association; `None` while its secrets are not known.
    pub fn datagram_keys(&self, parameters: Parameters<'_>) -> Option<Result<DatagramKeys, Unusable>> {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let secrets = log.get(parameters.client_random)?;
        Some(DatagramKeys::new(secrets, parameters))
    }

    /// Whether there is any secret of the connection with this random in its ClientHello.
    pub fn knows(&self, client_random: &[u8]) -> bool {
        self.log.read().unwrap_or_else(PoisonError::into_inner).get(client_random).is_some()
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

impl KeyProvider for KeyRing {
    fn packet_keys(&self, connection: Connection<'_>, level: Level, sender: Side) -> Option<PacketKeys> {
        let label = match (level, sender) {
            (Level::ZeroRtt, Side::Client) => Label::ClientEarly,
            (Level::ZeroRtt, Side::Server) => return None,
            (Level::Handshake, Side::Client) => Label::ClientHandshake,
            (Level::Handshake, Side::Server) => Label::ServerHandshake,
            (Level::OneRtt, Side::Client) => Label::ClientApplication,
            (Level::OneRtt, Side::Server) => Label::ServerApplication,
        };
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let secret = log.get(connection.client_random)?.get(label)?;
        PacketKeys::new(connection.suite, connection.version, secret.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quic::protection::Suite;
    use crate::quic::version::Version;
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

    #[test]
    fn quic_takes_the_labels_of_tls_and_its_own() {
        let ring = KeyRing::default();
        let mut log = KeyLog::default();
        let random = "bb".repeat(32);
        log.add_line(format!("QUIC_SERVER_HANDSHAKE_TRAFFIC_SECRET {random} {}", "01".repeat(32)).as_bytes());
        log.add_line(format!("CLIENT_TRAFFIC_SECRET_0 {random} {}", "02".repeat(32)).as_bytes());
        ring.extend(&log);
        let connection = Connection { client_random: &[0xbb; 32], suite: Suite::Aes128Gcm, version: Version::V1 };
        assert!(ring.packet_keys(connection, Level::Handshake, Side::Server).is_some());
        assert!(ring.packet_keys(connection, Level::OneRtt, Side::Client).is_some());
        assert!(ring.packet_keys(connection, Level::Handshake, Side::Client).is_none());
        let other = Connection { suite: Suite::Aes256Gcm, ..connection };
        assert!(ring.packet_keys(other, Level::OneRtt, Side::Client).is_none(), "SHA-384 needs a longer secret");
    }
}
