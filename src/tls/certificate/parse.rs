//! From DER to [`Certificate`].

use std::fmt::Write as _;
use std::net::IpAddr;

use sha2::{Digest, Sha256, Sha512};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{Any, Oid};
use x509_parser::extensions::{GeneralName, GeneralSubtree, ParsedExtension, X509Extension};
use x509_parser::prelude::{AlgorithmIdentifier, FromDer, SubjectPublicKeyInfo};
use x509_parser::signature_algorithm::RsaSsaPssParams;

use super::{Certificate, ExtendedKeyUsage, NameConstraints, PublicKey, SignatureHash, names};
use crate::limits;
use crate::time::Timestamp;

/// Never fails: what does not parse is `malformed`.
pub(super) fn parse(der: &[u8]) -> Certificate {
    let mut out = read(der);
    out.weight = out.weighed();
    out
}

fn read(der: &[u8]) -> Certificate {
    let mut out = blank(der);
    let (rest, parsed) = match X509Certificate::from_der(der) {
        Ok(parts) => parts,
        Err(error) => {
            out.malformed = Some(if der.is_empty() { "it is empty".to_owned() } else { reason(&error) });
            return out;
        }
    };
    if !rest.is_empty() {
        out.malformed = Some(format!("followed by {} stray byte{}", rest.len(), if rest.len() == 1 { "" } else { "s" }));
        return out;
    }
    out.version = parsed.version().0.saturating_add(1);
    out.subject = shortened(names::readable(parsed.subject()));
    out.issuer = shortened(names::readable(parsed.issuer()));
    out.subject_der = parsed.subject().as_raw().into();
    out.issuer_der = parsed.issuer().as_raw().into();
    out.common_name = names::common_name(parsed.subject()).map(shortened);
    out.serial = hex(parsed.raw_serial());
    out.not_before = moment(parsed.validity().not_before.timestamp());
    out.not_after = moment(parsed.validity().not_after.timestamp());
    out.spki_sha256 = Sha256::digest(parsed.public_key().raw).into();
    out.key = key(parsed.public_key());
    (out.signature, out.signature_hash) = signature_name(&parsed.signature_algorithm);
    for extension in parsed.iter_extensions() {
        read_extension(&mut out, extension);
    }
    out.self_issued = out.subject_der == out.issuer_der;
    out
}

/// SHA-512 of a certificate, or of its subjectPublicKeyInfo. `None` where it does not parse.
pub(super) fn sha512(der: &[u8], of_key: bool) -> Option<[u8; 64]> {
    if !of_key {
        return Some(Sha512::digest(der).into());
    }
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(Sha512::digest(parsed.public_key().raw).into())
}

/// Policies of the CA/Browser Forum.
const PUBLIC_POLICIES: &str = "2.23.140.1.";

/// Bits of an unsigned big-endian integer, leading zeros not counted.
pub(super) fn bit_length(bytes: &[u8]) -> u32 {
    let Some(start) = bytes.iter().position(|byte| *byte != 0) else { return 0 };
    let significant = bytes.get(start..).unwrap_or_default();
    let first = significant.first().map_or(0, |byte| 8 - byte.leading_zeros());
    u32::try_from(significant.len().saturating_sub(1)).unwrap_or(u32::MAX).saturating_mul(8).saturating_add(first)
}

fn blank(der: &[u8]) -> Certificate {
    Certificate {
        der: der.into(),
        sha256: Sha256::digest(der).into(),
        spki_sha256: [0; 32],
        malformed: None,
        subject: String::new(),
        issuer: String::new(),
        subject_der: Box::default(),
        issuer_der: Box::default(),
        common_name: None,
        serial: String::new(),
        not_before: Timestamp::default(),
        not_after: Timestamp::default(),
        dns_names: Vec::new(),
        ip_addresses: Vec::new(),
        other_names: Vec::new(),
        names_left_out: 0,
        has_san: false,
        key: PublicKey::Other("unknown".to_owned()),
        signature: String::new(),
        signature_hash: SignatureHash::Unknown,
        version: 0,
        basic_constraints: None,
        key_usage: None,
        extended_key_usage: None,
        subject_key_id: None,
        authority_key_id: None,
        ca_issuers: Vec::new(),
        ocsp_urls: Vec::new(),
        must_staple: false,
        name_constraints: None,
        unknown_critical: Vec::new(),
        broken_extensions: Vec::new(),
        public_policy: false,
        scts: 0,
        self_issued: false,
        weight: 0,
    }
}

/// The parser's own words name the field; its wrapping says nothing.
fn reason(error: &x509_parser::nom::Err<x509_parser::error::X509Error>) -> String {
    match error {
        x509_parser::nom::Err::Incomplete(_) => "it is cut short".to_owned(),
        x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => error.to_string(),
    }
}

const fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_parts(seconds, 0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read_extension(out: &mut Certificate, extension: &X509Extension<'_>) {
    let oid = extension.oid.to_id_string();
    match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(san) => {
            out.has_san = true;
            let mut bytes = 0;
            for name in &san.general_names {
                bytes += read_name(out, name, bytes);
            }
        }
        ParsedExtension::BasicConstraints(constraints) => out.basic_constraints = Some((constraints.ca, constraints.path_len_constraint)),
        ParsedExtension::KeyUsage(usage) => out.key_usage = Some(usage.flags),
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let named = [usage.code_signing, usage.email_protection, usage.time_stamping, usage.ocsp_signing];
            let others = named.iter().filter(|set| **set).count() + usage.other.len();
            out.extended_key_usage = Some(ExtendedKeyUsage {
                any: usage.any,
                server_auth: usage.server_auth,
                client_auth: usage.client_auth,
                others: u32::try_from(others).unwrap_or(u32::MAX),
            });
        }
        ParsedExtension::SubjectKeyIdentifier(id) => out.subject_key_id = Some(id.0.into()),
        ParsedExtension::AuthorityKeyIdentifier(id) => out.authority_key_id = id.key_identifier.as_ref().map(|id| id.0.into()),
        ParsedExtension::AuthorityInfoAccess(access) => {
            for description in access.iter() {
                let GeneralName::URI(uri) = &description.access_location else { continue };
                let list = match description.access_method.to_id_string().as_str() {
                    CA_ISSUERS => &mut out.ca_issuers,
                    OCSP => &mut out.ocsp_urls,
                    _ => continue,
                };
                if list.len() < ADDRESSES {
                    list.push((*uri).to_owned());
                }
            }
        }
        ParsedExtension::NameConstraints(constraints) => {
            let mut read = NameConstraints::default();
            read.has_others |= subtrees(constraints.permitted_subtrees.as_deref(), &mut read.permitted_dns);
            read.has_others |= subtrees(constraints.excluded_subtrees.as_deref(), &mut read.excluded_dns);
            out.name_constraints = Some(read);
        }
        ParsedExtension::SCT(list) => out.scts = list.len(),
        ParsedExtension::CertificatePolicies(policies) => {
            out.public_policy = policies.iter().any(|policy| policy.policy_id.to_id_string().starts_with(PUBLIC_POLICIES));
        }
        ParsedExtension::ParseError { .. } => {
            if out.broken_extensions.len() < EXTENSIONS {
                out.broken_extensions.push(oid);
            }
        }
        _ if oid == TLS_FEATURE => out.must_staple = demands_staple(extension.value),
        _ => {
            if extension.critical && !KNOWN_CRITICAL.contains(&oid.as_str()) && out.unknown_critical.len() < EXTENSIONS {
                out.unknown_critical.push(oid);
            }
        }
    }
}

/// Keeps a name unless there are too many, of which `bytes` are kept so far. Gives how many more are.
fn read_name(out: &mut Certificate, name: &GeneralName<'_>, bytes: usize) -> usize {
    let kept = out.dns_names.len() + out.ip_addresses.len() + out.other_names.len();
    if kept >= limits::CERTIFICATE_NAMES || bytes >= limits::CERTIFICATE_NAME_BYTES {
        out.names_left_out += 1;
        return 0;
    }
    match name {
        GeneralName::DNSName(name) => out.dns_names.push((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match address(bytes) {
            Some(address) => out.ip_addresses.push(address),
            None => out.other_names.push(format!("IP:{}", hex(bytes))),
        },
        GeneralName::RFC822Name(name) => out.other_names.push(format!("email:{name}")),
        GeneralName::URI(name) => out.other_names.push(format!("URI:{name}")),
        GeneralName::DirectoryName(name) => out.other_names.push(format!("dirName:{}", names::readable(name))),
        GeneralName::OtherName(oid, _) => out.other_names.push(format!("otherName:{}", oid.to_id_string())),
        GeneralName::RegisteredID(oid) => out.other_names.push(format!("registeredID:{}", oid.to_id_string())),
        GeneralName::X400Address(_) => out.other_names.push("x400Address".to_owned()),
        GeneralName::EDIPartyName(_) => out.other_names.push("ediPartyName".to_owned()),
        // A dNSName in another encoding than ASCII: no client matches it, and an operator should see it.
        GeneralName::Invalid(tag, bytes) if tag.0 == 2 => out.other_names.push(format!("DNS:{}", String::from_utf8_lossy(bytes))),
        GeneralName::Invalid(tag, bytes) => out.other_names.push(format!("[{}]:{}", tag.0, hex(bytes))),
    }
    match name {
        GeneralName::IPAddress(_) => size_of::<IpAddr>(),
        GeneralName::DNSName(_) => out.dns_names.last().map_or(0, String::len),
        _ => out.other_names.last().map_or(0, String::len),
    }
}

/// Whether one of all names covers this one, those included that are not kept.
pub(super) fn names_cover(der: &[u8], name: &str) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return false };
    let literal = names::literal(name);
    let covers = |entry: &GeneralName<'_>| match (entry, literal) {
        (GeneralName::DNSName(pattern), None) => names::matches(pattern, name),
        (GeneralName::IPAddress(bytes), Some(literal)) => address(bytes) == Some(literal),
        _ => false,
    };
    parsed.iter_extensions().any(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(san) => san.general_names.iter().any(covers),
        _ => false,
    })
}

/// A text that no name of use exceeds.
fn shortened(text: String) -> String {
    if text.len() <= limits::DISTINGUISHED_NAME_LEN {
        return text;
    }
    text.chars().take(limits::DISTINGUISHED_NAME_LEN / 4).chain(['…']).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Collects the DNS subtrees; says whether there are others.
fn subtrees(list: Option<&[GeneralSubtree<'_>]>, dns: &mut Vec<String>) -> bool {
    let mut others = false;
    for subtree in list.unwrap_or_default() {
        match &subtree.base {
            GeneralName::DNSName(name) if dns.len() < limits::CERTIFICATE_NAMES => dns.push((*name).to_owned()),
            _ => others = true,
        }
    }
    others
}

/// `Features ::= SEQUENCE OF INTEGER`, with `status_request` (5) or `status_request_v2` (17) among them.
fn demands_staple(value: &[u8]) -> bool {
    <Vec<u16>>::from_der(value).is_ok_and(|(_, features)| features.iter().any(|feature| matches!(feature, 5 | 17)))
}

fn key(info: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    let algorithm = info.algorithm.algorithm.to_id_string();
    let rsa_bits = || match info.parsed() {
        Ok(x509_parser::public_key::PublicKey::RSA(rsa)) => bit_length(rsa.modulus),
        _ => 0,
    };
    match algorithm.as_str() {
        "1.2.840.113549.1.1.1" => PublicKey::Rsa { bits: rsa_bits() },
        "1.2.840.113549.1.1.10" => PublicKey::RsaPss { bits: pss_bits(&info.subject_public_key.data).unwrap_or_else(rsa_bits) },
        "1.2.840.10045.2.1" => curve(info.algorithm.parameters.as_ref()),
        "1.3.101.112" => PublicKey::Ed25519,
        "1.3.101.113" => PublicKey::Ed448,
        "1.2.840.10040.4.1" => PublicKey::Dsa { bits: dsa_bits(info.algorithm.parameters.as_ref()) },
        "2.16.840.1.101.3.4.3.17" => PublicKey::Other("ML-DSA-44".to_owned()),
        "2.16.840.1.101.3.4.3.18" => PublicKey::Other("ML-DSA-65".to_owned()),
        "2.16.840.1.101.3.4.3.19" => PublicKey::Other("ML-DSA-87".to_owned()),
        "1.2.643.7.1.1.1.1" => PublicKey::Other("GOST-2012-256".to_owned()),
        "1.2.643.7.1.1.1.2" => PublicKey::Other("GOST-2012-512".to_owned()),
        _ => PublicKey::Other(algorithm),
    }
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`: the parser does not read it under the RSASSA-PSS identifier.
fn pss_bits(key: &[u8]) -> Option<u32> {
    let (_, sequence) = Any::from_der(key).ok()?;
    let (_, modulus) = Any::from_der(sequence.data).ok()?;
    Some(bit_length(modulus.data))
}

/// Dss-Parms ::= SEQUENCE { p INTEGER, q INTEGER, g INTEGER }.
fn dsa_bits(parameters: Option<&Any<'_>>) -> u32 {
    parameters.and_then(|sequence| Any::from_der(sequence.data).ok()).map_or(0, |(_, prime)| bit_length(prime.data))
}

fn curve(parameters: Option<&Any<'_>>) -> PublicKey {
    let Some(oid) = parameters.and_then(|any| Oid::try_from(any.clone()).ok()) else {
        return PublicKey::Ec { curve: "explicit".to_owned(), bits: 0 };
    };
    let oid = oid.to_id_string();
    CURVES.iter().find(|(known, ..)| *known == oid).map_or_else(
        || PublicKey::Ec { curve: oid.clone(), bits: 0 },
        |(_, name, bits)| PublicKey::Ec { curve: (*name).to_owned(), bits: *bits },
    )
}

fn signature_name(algorithm: &AlgorithmIdentifier<'_>) -> (String, SignatureHash) {
    let oid = algorithm.algorithm.to_id_string();
    if oid == "1.2.840.113549.1.1.10" {
        // RFC 4055 section 3.1: absent parameters mean SHA-1.
        let hash = algorithm
            .parameters
            .as_ref()
            .and_then(|any| RsaSsaPssParams::try_from(any).ok())
            .map_or(SignatureHash::Sha1, |params| hash_of(&params.hash_algorithm_oid().to_id_string()));
        return (format!("RSA-PSS-{}", hash_name(hash)), hash);
    }
    SIGNATURES
        .iter()
        .find(|(known, ..)| *known == oid)
        .map_or_else(|| (oid.clone(), SignatureHash::Unknown), |(_, name, hash)| ((*name).to_owned(), *hash))
}

fn hash_of(oid: &str) -> SignatureHash {
    match oid {
        "1.3.14.3.2.26" => SignatureHash::Sha1,
        "2.16.840.1.101.3.4.2.4" => SignatureHash::Sha224,
        "2.16.840.1.101.3.4.2.1" => SignatureHash::Sha256,
        "2.16.840.1.101.3.4.2.2" => SignatureHash::Sha384,
        "2.16.840.1.101.3.4.2.3" => SignatureHash::Sha512,
        _ => SignatureHash::Unknown,
    }
}

const fn hash_name(hash: SignatureHash) -> &'static str {
    match hash {
        SignatureHash::Md2 => "MD2",
        SignatureHash::Md5 => "MD5",
        SignatureHash::Sha1 => "SHA1",
        SignatureHash::Sha224 => "SHA224",
        SignatureHash::Sha256 => "SHA256",
        SignatureHash::Sha384 => "SHA384",
        SignatureHash::Sha512 => "SHA512",
        SignatureHash::Intrinsic | SignatureHash::Unknown => "unknown",
    }
}

const CURVES: &[(&str, &str, u32)] = &[
    ("1.2.840.10045.3.1.7", "P-256", 256),
    ("1.3.132.0.34", "P-384", 384),
    ("1.3.132.0.35", "P-521", 521),
    ("1.3.132.0.33", "P-224", 224),
    ("1.2.840.10045.3.1.1", "P-192", 192),
    ("1.3.132.0.10", "secp256k1", 256),
    ("1.3.132.0.32", "secp224k1", 224),
    ("1.3.132.0.31", "secp192k1", 192),
    ("1.3.132.0.8", "secp160r1", 160),
    ("1.3.132.0.9", "secp160k1", 160),
    ("1.3.132.0.6", "secp112r1", 112),
    ("1.3.36.3.3.2.8.1.1.1", "brainpoolP160r1", 160),
    ("1.3.36.3.3.2.8.1.1.3", "brainpoolP192r1", 192),
    ("1.3.36.3.3.2.8.1.1.5", "brainpoolP224r1", 224),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256),
    ("1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1", 320),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", 384),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1", 512),
    ("1.2.156.10197.1.301", "SM2", 256),
];

const SIGNATURES: &[(&str, &str, SignatureHash)] = &[
    ("1.2.840.113549.1.1.2", "RSA-MD2", SignatureHash::Md2),
    ("1.2.840.113549.1.1.4", "RSA-MD5", SignatureHash::Md5),
    ("1.2.840.113549.1.1.5", "RSA-SHA1", SignatureHash::Sha1),
    ("1.3.14.3.2.29", "RSA-SHA1", SignatureHash::Sha1),
    ("1.2.840.113549.1.1.14", "RSA-SHA224", SignatureHash::Sha224),
    ("1.2.840.113549.1.1.11", "RSA-SHA256", SignatureHash::Sha256),
    ("1.2.840.113549.1.1.12", "RSA-SHA384", SignatureHash::Sha384),
    ("1.2.840.113549.1.1.13", "RSA-SHA512", SignatureHash::Sha512),
    ("1.2.840.10045.4.1", "ECDSA-SHA1", SignatureHash::Sha1),
    ("1.2.840.10045.4.3.1", "ECDSA-SHA224", SignatureHash::Sha224),
    ("1.2.840.10045.4.3.2", "ECDSA-SHA256", SignatureHash::Sha256),
    ("1.2.840.10045.4.3.3", "ECDSA-SHA384", SignatureHash::Sha384),
    ("1.2.840.10045.4.3.4", "ECDSA-SHA512", SignatureHash::Sha512),
    ("1.2.840.10040.4.3", "DSA-SHA1", SignatureHash::Sha1),
    ("2.16.840.1.101.3.4.3.1", "DSA-SHA224", SignatureHash::Sha224),
    ("2.16.840.1.101.3.4.3.2", "DSA-SHA256", SignatureHash::Sha256),
    ("1.3.101.112", "ED25519", SignatureHash::Intrinsic),
    ("1.3.101.113", "ED448", SignatureHash::Intrinsic),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44", SignatureHash::Intrinsic),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65", SignatureHash::Intrinsic),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87", SignatureHash::Intrinsic),
    ("1.2.156.10197.1.501", "SM2-SM3", SignatureHash::Unknown),
];

/// Addresses kept of each kind, and extensions of which there is something to say.
const ADDRESSES: usize = 16;
const EXTENSIONS: usize = 16;

const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
const OCSP: &str = "1.3.6.1.5.5.7.48.1";

/// Extensions that common clients process, or at least let pass, though the parser has no reading for them.
const KNOWN_CRITICAL: &[&str] = &[
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.35",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.46",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.5.5.7.1.7",
    "1.3.6.1.5.5.7.1.8",
    "1.3.6.1.5.5.7.1.14",
    "1.3.6.1.5.5.7.1.24",
    "1.3.6.1.5.5.7.48.1.5",
    "2.16.840.1.113730.1.1",
];
