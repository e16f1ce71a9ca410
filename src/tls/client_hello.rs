//! The ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2, SSLv2 form RFC 5246 appendix E.2).

use super::registry::{CipherSuite, CompressionAlgorithm, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};

/// A ClientHello, owned: the message's bytes and where its parts lie. Accessors read in place and never fail: a malformed list ends early and [`ClientHello::defects`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello { bytes: Box<[u8]> }

impl ClientHello {
    /// Reads a message body (behind the 4-byte handshake header). `None` when not even the fixed part is there.
    pub fn parse(_body: &[u8]) -> Option<Self> { todo!() }
    /// Reads an SSLv2 CLIENT-HELLO (behind the 2- or 3-byte record header).
    pub fn parse_sslv2(_body: &[u8]) -> Option<Self> { todo!() }
    pub fn is_sslv2(&self) -> bool { todo!() }
    /// The body as on the wire.
    pub fn bytes(&self) -> &[u8] { &self.bytes }
    pub fn legacy_version(&self) -> ProtocolVersion { todo!() }
    pub fn random(&self) -> &[u8] { todo!() }
    pub fn session_id(&self) -> &[u8] { todo!() }
    pub fn cipher_suites(&self) -> impl Iterator<Item = CipherSuite> + '_ { std::iter::empty() }
    pub fn compression_methods(&self) -> &[u8] { todo!() }
    pub fn extensions(&self) -> impl Iterator<Item = (ExtensionType, &[u8])> + '_ { std::iter::empty() }
    pub fn extension(&self, _kind: ExtensionType) -> Option<&[u8]> { todo!() }
    /// host_name of server_name, raw.
    pub fn server_name(&self) -> Option<&[u8]> { todo!() }
    /// The supported_versions extension as sent (GREASE included); empty without the extension.
    pub fn supported_versions(&self) -> impl Iterator<Item = ProtocolVersion> + '_ { std::iter::empty() }
    /// Offers this version: by supported_versions, else legacy_version >= it (a legacy hello offers everything up to it, down to SSLv3 in principle).
    pub fn offers(&self, _version: ProtocolVersion) -> bool { todo!() }
    /// Highest offered version that is not GREASE.
    pub fn highest_version(&self) -> ProtocolVersion { todo!() }
    /// Lowest version in supported_versions; `None` without the extension (unknown: the client does not say).
    pub fn lowest_version(&self) -> Option<ProtocolVersion> { todo!() }
    pub fn supported_groups(&self) -> impl Iterator<Item = NamedGroup> + '_ { std::iter::empty() }
    /// Group and key_exchange length in bytes.
    pub fn key_shares(&self) -> impl Iterator<Item = (NamedGroup, usize)> + '_ { std::iter::empty() }
    pub fn signature_algorithms(&self) -> impl Iterator<Item = SignatureScheme> + '_ { std::iter::empty() }
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> + '_ { std::iter::empty() }
    pub fn psk_key_exchange_modes(&self) -> &[u8] { todo!() }
    /// Number of identities in pre_shared_key.
    pub fn psk_identities(&self) -> usize { todo!() }
    pub fn offers_early_data(&self) -> bool { todo!() }
    /// session_ticket extension with a non-empty ticket: its length.
    pub fn session_ticket_len(&self) -> Option<usize> { todo!() }
    pub fn extended_master_secret(&self) -> bool { todo!() }
    /// renegotiation_info extension or the SCSV.
    pub fn secure_renegotiation(&self) -> bool { todo!() }
    pub fn status_request(&self) -> bool { todo!() }
    pub fn post_handshake_auth(&self) -> bool { todo!() }
    pub fn compress_certificate(&self) -> impl Iterator<Item = CompressionAlgorithm> + '_ { std::iter::empty() }
    pub fn ech(&self) -> Option<Ech> { todo!() }
    pub fn record_size_limit(&self) -> Option<u16> { todo!() }
    pub fn max_fragment_length(&self) -> Option<u8> { todo!() }
    /// Lists or lengths that contradict each other, duplicate extensions, pre_shared_key not last, key_share without supported_groups…: what a strict server rejects.
    pub fn defects(&self) -> Vec<Defect> { todo!() }
}

/// encrypted_client_hello (RFC 9849).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ech {
    /// HPKE KDF and AEAD identifiers.
    pub kdf: u16, pub aead: u16,
    /// Configuration identifier.
    pub config_id: u8,
    pub payload_len: usize,
}

/// A rule of the protocol that a message breaks: shared by both hellos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// The field, in RFC spelling.
    pub field: &'static str,
    /// The rule, one clause, with its RFC section: "listed twice (RFC 8446 section 4.2)".
    pub rule: &'static str,
}
