//! A certificate, parsed once (x509-parser): what an operator asks about, all owned.
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// DER as served.
    pub der: Box<[u8]>,
    /// SHA-256 of the DER.
    pub sha256: [u8; 32],
    /// The certificate did not parse; then only `der` and `sha256` mean anything.
    pub malformed: Option<String>,
    /// RFC 4514-like readable names ("CN=www.example.test, O=Example"), and the raw DER of each name for comparison.
    pub subject: String, pub issuer: String,
    pub subject_der: Box<[u8]>, pub issuer_der: Box<[u8]>,
    /// Common name, if there is one.
    pub common_name: Option<String>,
    /// Lower-case hexadecimal, no separators.
    pub serial: String,
    pub not_before: Timestamp, pub not_after: Timestamp,
    pub dns_names: Vec<String>, pub ip_addresses: Vec<std::net::IpAddr>, pub other_names: Vec<String>,
    pub has_san: bool,
    pub key: PublicKey,
    /// Signature algorithm's readable name ("RSA-SHA256", "ECDSA-SHA384", "RSA-PSS-SHA256", "ED25519", "RSA-SHA1", "RSA-MD5"…) and its hash.
    pub signature: String, pub signature_hash: SignatureHash,
    /// Version 1, 2 or 3.
    pub version: u32,
    /// basicConstraints: present, cA, pathLenConstraint.
    pub basic_constraints: Option<(bool, Option<u32>)>,
    /// keyUsage bits as in RFC 5280 (bit 0 = digitalSignature); `None` without the extension.
    pub key_usage: Option<u16>,
    /// extendedKeyUsage; `None` without the extension.
    pub extended_key_usage: Option<ExtendedKeyUsage>,
    pub subject_key_id: Option<Box<[u8]>>, pub authority_key_id: Option<Box<[u8]>>,
    /// AIA addresses.
    pub ca_issuers: Vec<String>, pub ocsp_urls: Vec<String>,
    pub must_staple: bool,
    /// nameConstraints: permitted and excluded DNS subtrees (and whether there are others).
    pub name_constraints: Option<NameConstraints>,
    /// Critical extensions that no common client knows, by OID.
    pub unknown_critical: Vec<String>,
    /// Number of embedded SCTs.
    pub scts: usize,
    /// Issuer and subject names are equal.
    pub self_issued: bool,
    /// ... and its signature verifies with its own key (`None`: algorithm not supported by the verifier).
    pub self_signed: Option<bool>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey { Rsa { bits: u32 }, RsaPss { bits: u32 }, Ec { curve: String, bits: u32 }, Ed25519, Ed448, Dsa { bits: u32 }, Other(String) }
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureHash { Md2, Md5, Sha1, Sha224, Sha256, Sha384, Sha512, Intrinsic, Unknown }
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtendedKeyUsage { pub any: bool, pub server_auth: bool, pub client_auth: bool, pub others: u32 }
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints { pub permitted_dns: Vec<String>, pub excluded_dns: Vec<String>, pub has_others: bool }
impl Certificate {
    /// Never fails: what does not parse is `malformed`.
    pub fn parse(_der: &[u8]) -> Self { todo!() }
    /// `RSA-2048`, `EC-P-256`, `Ed25519`: the schema's `key`.
    pub fn key_name(&self) -> String { todo!() }
    /// Signed by this issuer's key (`None`: algorithm not supported).
    pub fn is_signed_by(&self, _issuer: &Self) -> Option<bool> { todo!() }
    /// Covers this DNS name or IP literal by RFC 9525 section 6 (SAN; wildcard in the left-most label only; CN is never looked at).
    pub fn covers(&self, _name: &str) -> bool { todo!() }
    pub fn is_ca(&self) -> bool { todo!() }
}
