//! One signature: does this certificate's verify with that certificate's key?

use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::verify::verify_signature;

/// `None` when either does not parse, or when the verifier knows not the algorithm or refuses a key of that size.
pub(super) fn is_signed_by(certificate: &[u8], issuer: &[u8]) -> Option<bool> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let (_, issuer) = X509Certificate::from_der(issuer).ok()?;
    verifies(&certificate, issuer.public_key())
}

/// The same for a key that stands alone, as the DER of a `SubjectPublicKeyInfo`.
pub(super) fn is_signed_by_key(certificate: &[u8], key: &[u8]) -> Option<bool> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let (_, key) = SubjectPublicKeyInfo::from_der(key).ok()?;
    verifies(&certificate, &key)
}

/// The verdict for parsed things.
pub(super) fn verifies(certificate: &X509Certificate<'_>, key: &SubjectPublicKeyInfo<'_>) -> Option<bool> {
    let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
    let wanted = if algorithm.starts_with(PKCS1) {
        Kind::Rsa
    } else if algorithm.starts_with(ECDSA) {
        Kind::Ec
    } else {
        Kind::Other
    };
    let parsed = key.parsed().ok()?;
    match (&parsed, wanted) {
        // A key of another kind cannot have made this signature.
        (PublicKey::RSA(_), Kind::Ec) | (PublicKey::EC(_), Kind::Rsa) => return Some(false),
        // The verifier's floor for RSA; below it a good signature looks like a bad one.
        (PublicKey::RSA(rsa), Kind::Rsa) => {
            let bits = super::parse::bit_length(rsa.modulus);
            let floor = if algorithm == RSA_SHA1 || algorithm == OIW_RSA_SHA1 { 1024 } else { 2048 };
            if !(floor..=8192).contains(&bits) {
                return None;
            }
        }
        _ => {}
    }
    if algorithm == RSA_PSS && !has_ordinary_salt(certificate) {
        return None;
    }
    match verify_signature(key, &certificate.signature_algorithm, &certificate.signature_value, certificate.tbs_certificate.as_ref()) {
        Ok(()) => Some(true),
        Err(X509Error::SignatureVerificationError) => Some(false),
        Err(_) => None,
    }
}

/// The verifier takes RSASSA-PSS only with a salt as long as the hash.
fn has_ordinary_salt(certificate: &X509Certificate<'_>) -> bool {
    let parameters = certificate.signature_algorithm.parameters.as_ref().and_then(|any| RsaSsaPssParams::try_from(any).ok());
    parameters.is_some_and(|parameters| {
        let hash_len = match parameters.hash_algorithm_oid().to_id_string().as_str() {
            "2.16.840.1.101.3.4.2.1" => 32,
            "2.16.840.1.101.3.4.2.2" => 48,
            "2.16.840.1.101.3.4.2.3" => 64,
            _ => return false,
        };
        parameters.salt_length() == hash_len
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec,
    Other,
}

/// pkcs-1: RSA signatures, RSASSA-PSS among them.
const PKCS1: &str = "1.2.840.113549.1.1.";
/// ansi-X9-62 signatures.
const ECDSA: &str = "1.2.840.10045.4.";
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
const RSA_SHA1: &str = "1.2.840.113549.1.1.5";
const OIW_RSA_SHA1: &str = "1.3.14.3.2.29";
