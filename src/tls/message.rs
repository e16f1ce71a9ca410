//! The smaller handshake messages.
use super::registry::{NamedGroup, SignatureScheme, AlertDescription};

/// ServerKeyExchange of TLS <= 1.2 (RFC 5246 section 7.4.3, RFC 8422 section 5.4), as far as readable without knowing the suite beyond its key exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerKeyExchange {
    /// ECDHE: the curve.
    pub group: Option<NamedGroup>,
    /// DHE: bits of the prime.
    pub dh_bits: Option<u32>,
    /// The signature's algorithm (TLS 1.2).
    pub signature_scheme: Option<SignatureScheme>,
    /// PSK identity hint length, if present.
    pub psk_hint: Option<usize>,
    /// The bytes that are signed after client_random + server_random (the params), and the signature.
    pub params: Box<[u8]>,
    pub signature: Box<[u8]>,
}
/// CertificateRequest of TLS <= 1.2 (RFC 5246 section 7.4.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateRequest {
    pub certificate_types: Vec<u8>,
    pub signature_algorithms: Vec<SignatureScheme>,
    /// Acceptable authorities' names, readable form, bounded; and how many there were.
    pub authorities: Vec<String>,
    pub authorities_total: usize,
}
/// A stapled OCSP answer (RFC 6960), as far as a diagnosis needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspStaple {
    /// OCSPResponseStatus: 0 successful.
    pub response_status: u8,
    pub status: Option<OcspStatus>,
    pub this_update: Option<crate::time::Timestamp>,
    pub next_update: Option<crate::time::Timestamp>,
    pub revoked_at: Option<crate::time::Timestamp>,
}
/// CertStatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStatus { Good, Revoked, Unknown }
/// An alert in clear (or decrypted).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert { pub fatal: bool, pub level: u8, pub description: AlertDescription }
/// NewSessionTicket in clear (TLS <= 1.2): lifetime hint in seconds and ticket length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTicket { pub lifetime_hint: u32, pub len: usize }
