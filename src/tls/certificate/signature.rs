//! One signature: does this certificate's verify with that certificate's key?

use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::verify::verify_signature;

/// A signature and the key that is said to have made it: cheap to state, dear to verify.
#[derive(Debug)]
pub struct Claim<'a> {
    certificate: X509Certificate<'a>,
    key: SubjectPublicKeyInfo<'a>,
}

impl<'a> Claim<'a> {
    pub(super) fn by_certificate(certificate: &'a [u8], issuer: &'a [u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let (_, issuer) = X509Certificate::from_der(issuer).ok()?;
        Some(Self { certificate, key: issuer.tbs_certificate.subject_pki })
    }

    pub(super) fn by_key(certificate: &'a [u8], key: &'a [u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let (_, key) = SubjectPublicKeyInfo::from_der(key).ok()?;
        Some(Self { certificate, key })
    }

    /// What is known without verifying: `Some(false)` where a key of another kind cannot have made this signature, `None` where the verifier
    /// refuses a key of that size or the algorithm.
    pub fn settled(&self) -> Option<Option<bool>> {
        let signed = &self.certificate;
        let algorithm = signed.signature_algorithm.algorithm.to_id_string();
        let wanted = if algorithm.starts_with(PKCS1) {
            Kind::Rsa
        } else if algorithm.starts_with(ECDSA) {
            Kind::Ec
        } else {
            Kind::Other
        };
        // A certificate that names two algorithms is refused by all.
        if signed.signature_algorithm != signed.tbs_certificate.signature {
            return Some(None);
        }
        if wanted == Kind::Other && algorithm != ED25519 {
            return Some(None);
        }
        let Ok(parsed) = self.key.parsed() else { return Some(None) };
        match (&parsed, wanted) {
            (PublicKey::RSA(_), Kind::Ec) | (PublicKey::EC(_), Kind::Rsa) => return Some(Some(false)),
            // The verifier's floor for RSA; below it a good signature looks like a bad one.
            (PublicKey::RSA(rsa), Kind::Rsa) => {
                let bits = super::parse::bit_length(rsa.modulus);
                let floor = if algorithm == RSA_SHA1 || algorithm == OIW_RSA_SHA1 { 1024 } else { 2048 };
                if !(floor..=8192).contains(&bits) {
                    return Some(None);
                }
            }
            _ => {}
        }
        (algorithm == RSA_PSS && !has_ordinary_salt(signed)).then_some(None)
    }

    /// The content of the key's BIT STRING, the signed bytes, the signature. They settle the answer, for the signed bytes name the algorithm.
    pub fn parts(&self) -> (&[u8], &[u8], &[u8]) {
        (&self.key.subject_public_key.data, self.certificate.tbs_certificate.as_ref(), &self.certificate.signature_value.data)
    }

    /// Whether it is true; `None` when the verifier knows not the algorithm, or refuses a key of that size.
    pub fn verify(&self) -> Option<bool> {
        if let Some(answer) = self.settled() {
            return answer;
        }
        let (_, message, _) = self.parts();
        match verify_signature(&self.key, &self.certificate.signature_algorithm, &self.certificate.signature_value, message) {
            Ok(()) => Some(true),
            Err(X509Error::SignatureVerificationError) => Some(false),
            Err(_) => None,
        }
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
const ED25519: &str = "1.3.101.112";
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
const RSA_SHA1: &str = "1.2.840.113549.1.1.5";
const OIW_RSA_SHA1: &str = "1.3.14.3.2.29";
