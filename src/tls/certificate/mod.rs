//! A certificate, parsed once: what an operator asks about, all owned (RFC 5280).
//!
//! Parsing never fails and never judges: what does not parse is [`Certificate::malformed`], what merely breaks a rule (a negative serial
//! number, a 512-bit key, version 1) parses and shows it. Whether a chain of certificates is worth anything is for a higher floor.

mod names;
mod parse;
mod signature;
mod store;

use std::net::IpAddr;

use sha2::{Digest, Sha256, Sha512};

use crate::time::Timestamp;

pub use signature::Claim;
pub use store::CertificateStore;

/// A certificate as served, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties")]
pub struct Certificate {
    /// DER as served.
    pub der: Box<[u8]>,
    /// SHA-256 of the DER.
    pub sha256: [u8; 32],
    /// SHA-256 of the subjectPublicKeyInfo: equal for certificates of one key.
    pub spki_sha256: [u8; 32],
    /// The certificate did not parse, and why; then only `der` and `sha256` mean anything.
    pub malformed: Option<String>,
    /// The subject in a readable form near RFC 4514: `CN=www.example.test, O=Example`. Control characters are kept.
    pub subject: String,
    /// The issuer in the same form.
    pub issuer: String,
    /// The subject's DER, for comparison.
    pub subject_der: Box<[u8]>,
    /// The issuer's DER.
    pub issuer_der: Box<[u8]>,
    /// The subject's most specific common name, if there is one.
    pub common_name: Option<String>,
    /// Serial number in lower-case hexadecimal, no separators, as encoded.
    pub serial: String,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity. Dates beyond the year 2262 stand at its limit.
    pub not_after: Timestamp,
    /// dNSName entries of subjectAltName, as written (A-labels are not decoded).
    pub dns_names: Vec<String>,
    /// iPAddress entries.
    pub ip_addresses: Vec<IpAddr>,
    /// All other entries, with their kind: `email:`, `URI:`, `dirName:`, `otherName:`…
    pub other_names: Vec<String>,
    /// Entries of subjectAltName left out of these lists: no more than [`crate::limits::CERTIFICATE_NAMES`] are kept.
    pub names_left_out: usize,
    /// subjectAltName is present.
    pub has_san: bool,
    /// The public key's kind and size.
    pub key: PublicKey,
    /// The signature algorithm's readable name: `RSA-SHA256`, `ECDSA-SHA384`, `RSA-PSS-SHA256`, `ED25519`, `RSA-SHA1`, `RSA-MD5`…
    pub signature: String,
    /// The hash that was signed.
    pub signature_hash: SignatureHash,
    /// Version 1, 2 or 3.
    pub version: u32,
    /// basicConstraints: cA, pathLenConstraint; `None` without the extension.
    pub basic_constraints: Option<(bool, Option<u32>)>,
    /// keyUsage bits as numbered in RFC 5280 section 4.2.1.3 (bit 0 = digitalSignature); `None` without the extension.
    pub key_usage: Option<u16>,
    /// extendedKeyUsage; `None` without the extension.
    pub extended_key_usage: Option<ExtendedKeyUsage>,
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Box<[u8]>>,
    /// authorityKeyIdentifier's keyIdentifier.
    pub authority_key_id: Option<Box<[u8]>>,
    /// Where the issuer's certificate can be had (authorityInfoAccess, caIssuers).
    pub ca_issuers: Vec<String>,
    /// OCSP responders (authorityInfoAccess).
    pub ocsp_urls: Vec<String>,
    /// The TLS feature extension demands a stapled status (RFC 7633).
    pub must_staple: bool,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// Critical extensions that no common client knows, by OID.
    pub unknown_critical: Vec<String>,
    /// Extensions that do not parse, by OID.
    pub broken_extensions: Vec<String>,
    /// It names a policy of the CA/Browser Forum (2.23.140.1): a public authority issued it, or says so.
    pub public_policy: bool,
    /// Number of embedded signed certificate timestamps (RFC 6962).
    pub scts: usize,
    /// Issuer and subject names are equal.
    pub self_issued: bool,
    /// Bytes that it takes: asked for by each handshake that brings it, long after it was read.
    pub(crate) weight: usize,
}

/// A public key that is sent in the place of a certificate (RFC 7250): what its subjectPublicKeyInfo hashes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawKey {
    /// SHA-256.
    pub sha256: [u8; 32],
    /// SHA-512.
    pub sha512: [u8; 64],
}

impl RawKey {
    /// That of a subjectPublicKeyInfo, DER.
    pub fn of(der: &[u8]) -> Self {
        Self { sha256: Sha256::digest(der).into(), sha512: Sha512::digest(der).into() }
    }
}

/// Kind and size of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA: bits of the modulus.
    Rsa {
        /// Bits of the modulus.
        bits: u32,
    },
    /// RSA restricted to RSASSA-PSS.
    RsaPss {
        /// Bits of the modulus.
        bits: u32,
    },
    /// An elliptic curve: its name (`P-256`, `secp256k1`, `brainpoolP256r1`, or its OID) and field size (0 when not known).
    Ec {
        /// The curve.
        curve: String,
        /// Bits of the field.
        bits: u32,
    },
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// DSA: bits of the prime.
    Dsa {
        /// Bits of the prime (0 when the parameters are inherited).
        bits: u32,
    },
    /// Anything else: name or OID.
    Other(String),
}

/// The hash under a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureHash {
    /// MD2.
    Md2,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// Part of the signature scheme (`EdDSA`, ML-DSA).
    Intrinsic,
    /// Not known.
    Unknown,
}

impl SignatureHash {
    /// A hash for which collisions can be made, and that clients refuse.
    pub const fn is_broken(self) -> bool {
        matches!(self, Self::Md2 | Self::Md5 | Self::Sha1)
    }
}

/// extendedKeyUsage, as far as TLS asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtendedKeyUsage {
    /// anyExtendedKeyUsage.
    pub any: bool,
    /// serverAuth.
    pub server_auth: bool,
    /// clientAuth.
    pub client_auth: bool,
    /// How many others.
    pub others: u32,
}

/// nameConstraints (RFC 5280 section 4.2.1.10), as far as host names go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    /// Permitted dNSName subtrees; empty when names are not restricted.
    pub permitted_dns: Vec<String>,
    /// Excluded dNSName subtrees.
    pub excluded_dns: Vec<String>,
    /// There are constraints on other kinds of name.
    pub has_others: bool,
}

impl Certificate {
    /// Parses DER. Never fails: what does not parse is `malformed`.
    pub fn parse(der: &[u8]) -> Self {
        parse::parse(der)
    }

    /// `RSA-2048`, `EC-P-256`, `Ed25519`: the schema's `key`.
    pub fn key_name(&self) -> String {
        match &self.key {
            PublicKey::Rsa { bits } => format!("RSA-{bits}"),
            PublicKey::RsaPss { bits } => format!("RSA-PSS-{bits}"),
            PublicKey::Ec { curve, .. } => format!("EC-{curve}"),
            PublicKey::Ed25519 => "Ed25519".to_owned(),
            PublicKey::Ed448 => "Ed448".to_owned(),
            PublicKey::Dsa { bits } => format!("DSA-{bits}"),
            PublicKey::Other(name) => name.clone(),
        }
    }

    /// Kind of key alone: `RSA`, `EC`, `Ed25519`, `Ed448`, `DSA` or `other`.
    pub const fn key_kind(&self) -> &'static str {
        match self.key {
            PublicKey::Rsa { .. } | PublicKey::RsaPss { .. } => "RSA",
            PublicKey::Ec { .. } => "EC",
            PublicKey::Ed25519 => "Ed25519",
            PublicKey::Ed448 => "Ed448",
            PublicKey::Dsa { .. } => "DSA",
            PublicKey::Other(_) => "other",
        }
    }

    /// Smaller than 2048 bits (RSA, DSA) or 224 bits (EC): refused by common clients.
    pub const fn has_weak_key(&self) -> bool {
        match self.key {
            PublicKey::Rsa { bits } | PublicKey::RsaPss { bits } | PublicKey::Dsa { bits } => bits > 0 && bits < 2048,
            PublicKey::Ec { bits, .. } => bits > 0 && bits < 224,
            PublicKey::Ed25519 | PublicKey::Ed448 | PublicKey::Other(_) => false,
        }
    }

    /// The claim that this issuer's key signed it. `None` when either does not parse.
    pub fn claim<'a>(&'a self, issuer: &'a Self) -> Option<Claim<'a>> {
        Claim::by_certificate(&self.der, &issuer.der)
    }

    /// The same for a key that stands alone: the DER of a `SubjectPublicKeyInfo`.
    pub fn claim_with_key<'a>(&'a self, key: &'a [u8]) -> Option<Claim<'a>> {
        Claim::by_key(&self.der, key)
    }

    /// Bytes that it takes, roughly.
    pub const fn weight(&self) -> usize {
        self.weight
    }

    fn weighed(&self) -> usize {
        let lists =
            [&self.dns_names, &self.other_names, &self.ca_issuers, &self.ocsp_urls, &self.unknown_critical, &self.broken_extensions];
        let constraints = self.name_constraints.iter().flat_map(|names| [&names.permitted_dns, &names.excluded_dns]);
        let text = |list: &Vec<String>| list.iter().map(|text| text.capacity() + size_of::<String>()).sum::<usize>();
        let names = lists.into_iter().chain(constraints).map(text).sum::<usize>() + self.ip_addresses.capacity() * size_of::<IpAddr>();
        let subject = self.subject.capacity() + self.subject_der.len() + self.issuer.capacity() + self.issuer_der.len();
        size_of::<Self>() + self.der.len() + subject + names
    }

    /// SHA-512 of the DER, or of the subjectPublicKeyInfo, which is seldom asked for. `None` where it does not parse.
    pub fn sha512(&self, of_key: bool) -> Option<[u8; 64]> {
        parse::sha512(&self.der, of_key)
    }

    /// Covers this DNS name or IP literal by RFC 9525 section 6: subjectAltName only, a wildcard in the left-most label only and for
    /// exactly one label, case and a trailing dot of `name` ignored. The common name is never looked at.
    pub fn covers(&self, name: &str) -> bool {
        let covered = names::literal(name).map_or_else(
            || self.dns_names.iter().any(|pattern| names::matches(pattern, name)),
            |address| self.ip_addresses.contains(&address),
        );
        covered || self.names_left_out > 0 && parse::names_cover(&self.der, name)
    }

    /// The common name alone would cover this name: what clients of twenty years ago looked at, and today's do not.
    pub fn common_name_matches(&self, name: &str) -> bool {
        self.common_name.as_deref().is_some_and(|pattern| match names::literal(name) {
            Some(address) => names::literal(pattern) == Some(address),
            None => names::matches(pattern, name),
        })
    }

    /// basicConstraints says cA.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.is_some_and(|(ca, _)| ca)
    }

    /// Whether `at` lies within its validity, both ends included.
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        self.not_before.seconds() <= at.seconds() && at.seconds() <= self.not_after.seconds()
    }

    /// What it is called in a sentence: its common name, else its first subjectAltName, else its subject.
    pub fn display_name(&self) -> String {
        if let Some(name) = self.common_name.as_ref().or_else(|| self.dns_names.first()) {
            return name.clone();
        }
        if let Some(address) = self.ip_addresses.first() {
            return address.to_string();
        }
        if self.subject.is_empty() { format!("serial number {}", self.serial) } else { self.subject.clone() }
    }
}

#[cfg(test)]
mod tests;
