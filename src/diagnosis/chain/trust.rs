//! Trust stores: anchors as data, and what the verifier says about a chain.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::path::{self, CertificationPath as Way};
use super::signatures::{Signatures, Signed, Spending, Thrifty};
use super::{Purpose, Trust, Unverified};
use crate::error::Error;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// A set of trust anchors. Loading reads files and takes milliseconds: load once. Asking does neither.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    anchors: Option<Vec<TrustAnchor<'static>>>,
    /// SHA-256 of the anchors' certificates, sorted: a self-signed leaf in the store is trusted as it stands.
    certificates: Vec<[u8; 32]>,
    name: String,
    problems: Vec<String>,
}

impl TrustStore {
    /// No store: every chain is [`Trust::Unchecked`].
    pub fn none() -> Self {
        Self::default()
    }

    /// The operating system's store (it honours `SSL_CERT_FILE` and `SSL_CERT_DIR`); Mozilla's, as compiled in, where there is none. Reads files.
    pub fn system() -> Self {
        let loaded = rustls_native_certs::load_native_certs();
        if loaded.certs.is_empty() {
            return Self::mozilla();
        }
        let mut store = Self::named("the system's trust store");
        store.problems.extend(loaded.errors.iter().map(ToString::to_string));
        for certificate in &loaded.certs {
            // What the system keeps there and the verifier cannot use is not worth a word to the user.
            let _ = store.add(certificate);
        }
        store.settle()
    }

    /// Mozilla's anchors, as compiled in.
    pub fn mozilla() -> Self {
        let mut store = Self::named("Mozilla's trust store");
        store.anchors = Some(webpki_roots::TLS_SERVER_ROOTS.to_vec());
        store
    }

    /// The certificates in these PEM or DER files. Errors: a file that cannot be read or holds no usable certificate.
    pub fn from_files(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut store = Self::named("the given trust store");
        for path in paths {
            let added = store.add_file(path)?;
            if added == 0 {
                return Err(Error::Material { path: path.clone(), why: "it holds no certificate that can be a trust anchor".to_owned() });
            }
        }
        Ok(store.settle())
    }

    /// The certificates in the files of this directory (not below it). Errors: the directory cannot be read, or not one certificate is in it.
    pub fn from_dir(path: &Path) -> Result<Self, Error> {
        let open = |source| Error::Open { path: path.to_owned(), source };
        let mut files = std::fs::read_dir(path)
            .map_err(open)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(open)?;
        files.sort();
        let mut store = Self::named("the given trust store");
        let mut added = 0_usize;
        for file in files.iter().filter(|file| file.is_file()) {
            match store.add_file(file) {
                Ok(count) => added = added.saturating_add(count),
                Err(error) => store.problems.push(error.to_string()),
            }
        }
        if added == 0 {
            return Err(Error::Material {
                path: path.to_owned(),
                why: "none of its files holds a certificate that can be a trust anchor".to_owned(),
            });
        }
        Ok(store.settle())
    }

    /// This store and another together, under the name of the first that holds anything.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        let Some(anchors) = other.anchors else { return self };
        if self.anchors.is_none() {
            self.name = other.name;
        }
        self.anchors.get_or_insert_default().extend(anchors);
        self.certificates.extend(other.certificates);
        self.problems.extend(other.problems);
        self.settle()
    }

    /// What to call it in a sentence.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What could not be used while loading.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// How many anchors it holds.
    pub fn len(&self) -> usize {
        self.anchors.as_ref().map_or(0, Vec::len)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is [`TrustStore::none`].
    pub const fn is_none(&self) -> bool {
        self.anchors.is_none()
    }

    /// Whether this very certificate, or its name and key, is an anchor.
    pub fn holds(&self, certificate: &Certificate) -> bool {
        self.certificates.binary_search(&certificate.sha256).is_ok()
            || self
                .named_like(&certificate.subject_der)
                .any(|anchor| Sha256::digest(in_sequence(&anchor.subject_public_key_info)) == certificate.spki_sha256)
    }

    /// Whether an anchor bears the name of this certificate's issuer, and its key did not fail to verify the signature.
    pub(super) fn has_issuer_of(&self, certificate: &Certificate, signatures: &mut Signatures) -> bool {
        self.named_like(&certificate.issuer_der)
            .any(|anchor| signatures.check_key(certificate, &in_sequence(&anchor.subject_public_key_info)) != Signed::No)
    }

    /// Verifies the leaf with the others as intermediates. The second value: the verifier cannot tell.
    pub(super) fn verify(
        &self,
        certificates: &[Arc<Certificate>],
        way: &Way,
        at: Timestamp,
        purpose: Purpose,
        signatures: &mut Signatures,
    ) -> (Trust, bool) {
        let leaf = way.leaf;
        let (Some(anchors), Some(end)) = (&self.anchors, certificates.get(leaf)) else {
            return (way.unverified.map_or(Trust::Unchecked, Trust::Unverified), false);
        };
        if self.certificates.binary_search(&end.sha256).is_ok() && end.is_valid_at(at) {
            return (Trust::Trusted, false);
        }
        let der = CertificateDer::from(&*end.der);
        // Where equal names multiply the ways up, only the one that was found is asked about.
        let all = path::is_easy_to_search(certificates, leaf);
        let others: Vec<CertificateDer<'_>> = certificates
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != leaf && (all || way.steps.contains(index)))
            .map(|(_, other)| CertificateDer::from(&*other.der))
            .collect();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0)));
        let usage = match purpose {
            Purpose::Server => KeyUsage::server_auth(),
            Purpose::Client => KeyUsage::client_auth(),
        };
        let spending = Mutex::new(Spending { signatures, unpaid: false });
        let algorithms = Thrifty::all(&spending);
        let algorithms: Vec<&dyn SignatureVerificationAlgorithm> = algorithms.iter().map(|one| one as _).collect();
        let verdict = EndEntityCert::try_from(&der)
            .and_then(|end| end.verify_for_usage(&algorithms, anchors, &others, time, usage, None, None).map(|_| ()));
        let unpaid = spending.lock().unwrap_or_else(PoisonError::into_inner).unpaid.then_some(Unverified::Budget);
        let untried = || (!all).then_some(Unverified::Ambiguous);
        match (verdict, unpaid.or(way.unverified).or_else(untried)) {
            (Ok(()), _) => (Trust::Trusted, false),
            (Err(_), Some(unverified)) => (Trust::Unverified(unverified), false),
            (Err(error), None) => {
                let (why, unsupported) = words(&error, end);
                (Trust::Untrusted { why }, unsupported)
            }
        }
    }

    fn named(name: &str) -> Self {
        Self { anchors: Some(Vec::new()), name: name.to_owned(), ..Self::default() }
    }

    fn named_like(&self, name_der: &[u8]) -> impl Iterator<Item = &TrustAnchor<'static>> {
        // Anchors carry the content of the name's SEQUENCE, certificates the whole of it.
        self.anchors.iter().flatten().filter(move |anchor| name_der.ends_with(&anchor.subject) && name_der == in_sequence(&anchor.subject))
    }

    fn add_file(&mut self, path: &Path) -> Result<usize, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
        let mut added = 0_usize;
        let problem = |store: &mut Self, why: String| store.problems.push(format!("{}: {why}", path.display()));
        if bytes.first() == Some(&SEQUENCE) {
            match self.add(&CertificateDer::from(bytes)) {
                Ok(()) => added = 1,
                Err(error) => problem(self, error.to_string()),
            }
            return Ok(added);
        }
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            match certificate {
                Ok(certificate) => match self.add(&certificate) {
                    Ok(()) => added = added.saturating_add(1),
                    Err(error) => problem(self, error.to_string()),
                },
                Err(error) => {
                    problem(self, error.to_string());
                    break;
                }
            }
        }
        Ok(added)
    }

    fn add(&mut self, certificate: &CertificateDer<'_>) -> Result<(), webpki::Error> {
        let anchor = anchor_from_trusted_cert(certificate)?.to_owned();
        self.anchors.get_or_insert_default().push(anchor);
        self.certificates.push(Sha256::digest(certificate.as_ref()).into());
        Ok(())
    }

    fn settle(mut self) -> Self {
        self.certificates.sort_unstable();
        self.certificates.dedup();
        self
    }
}

/// Whether the certificate, or its issuer by name, is an anchor of Mozilla's program.
pub(super) fn is_public(top: &Certificate, signatures: &mut Signatures) -> bool {
    webpki_roots::TLS_SERVER_ROOTS.iter().any(|anchor| {
        let same = |name: &[u8]| name.ends_with(&anchor.subject) && name == in_sequence(&anchor.subject);
        if same(&top.subject_der) {
            return Sha256::digest(in_sequence(&anchor.subject_public_key_info)) == top.spki_sha256;
        }
        same(&top.issuer_der) && signatures.check_key(top, &in_sequence(&anchor.subject_public_key_info)) != Signed::No
    })
}

/// The content with the header of a DER SEQUENCE before it.
fn in_sequence(content: &[u8]) -> Vec<u8> {
    let mut out = vec![SEQUENCE];
    let len = content.len().to_be_bytes();
    let significant = len.get(len.iter().position(|byte| *byte != 0).unwrap_or(len.len())..).unwrap_or_default();
    if content.len() < 0x80 {
        out.extend(significant.last().copied().or(Some(0)));
    } else {
        out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
        out.extend_from_slice(significant);
    }
    out.extend_from_slice(content);
    out
}

/// The verifier's error in plain words, and whether it only means that the verifier cannot tell.
fn words(error: &webpki::Error, leaf: &Certificate) -> (String, bool) {
    use webpki::Error as E;
    let unsupported = |what: String| (format!("not supported by the verifier: {what}"), true);
    let plain = |why: &str| (why.to_owned(), false);
    match error {
        E::CertExpired { not_after, .. } => (format!("a certificate of the chain had expired on {}", date(*not_after)), false),
        E::CertNotValidYet { not_before, .. } => (format!("a certificate of the chain was not valid before {}", date(*not_before)), false),
        E::UnknownIssuer => plain("no path to an anchor of the store"),
        E::CaUsedAsEndEntity => plain("a CA certificate is used as an end-entity certificate"),
        E::EndEntityUsedAsCa => plain("a certificate that is not a CA has signed another one"),
        E::NameConstraintViolation => plain("name constraints are violated"),
        E::PathLenConstraintViolated => plain("a path length constraint is violated"),
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => plain("extendedKeyUsage does not allow this use"),
        E::InvalidSignatureForPublicKey => plain("a signature does not verify with its issuer's key"),
        E::SignatureAlgorithmMismatch => plain("a certificate names two different signature algorithms"),
        E::InvalidCertValidity => plain("a certificate's validity ends before it begins"),
        E::UnsupportedCriticalExtension => plain("a critical extension is not known"),
        E::MalformedExtensions | E::ExtensionValueInvalid => plain("an extension is malformed"),
        E::InvalidSerialNumber => plain("a serial number is not a positive integer of at most 20 bytes"),
        E::UnsupportedCertVersion => unsupported(format!("a version {} certificate", leaf.version)),
        E::UnsupportedSignatureAlgorithmContext(_) | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => unsupported(format!(
            "a signature algorithm or key of the chain (the leaf: {}, signed with {})",
            leaf.key_name(),
            leaf.signature
        )),
        E::MaximumNameConstraintComparisonsExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumSignatureChecksExceeded => unsupported("a chain this complex".to_owned()),
        other => (format!("the certificate does not verify ({other})"), false),
    }
}

fn date(time: UnixTime) -> String {
    let moment = Timestamp::from_parts(i64::try_from(time.as_secs()).unwrap_or(i64::MAX), 0).to_string();
    moment.split_once('T').map_or_else(|| moment.clone(), |(day, _)| day.to_owned())
}

/// DER tag of a SEQUENCE.
const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_lengths_are_encoded_in_every_form() {
        assert_eq!(in_sequence(&[]), [0x30, 0]);
        assert_eq!(in_sequence(&[7; 127]).get(..2), Some(&[0x30, 127][..]));
        assert_eq!(in_sequence(&[7; 128]).get(..3), Some(&[0x30, 0x81, 128][..]));
        assert_eq!(in_sequence(&[7; 300]).get(..4), Some(&[0x30, 0x82, 1, 44][..]));
    }

    #[test]
    fn mozilla_has_anchors_and_none_has_not() {
        assert!(TrustStore::mozilla().len() > 100);
        assert!(TrustStore::none().is_none() && !TrustStore::mozilla().is_none());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.pem");
        std::fs::write(&path, "nothing here\n").unwrap();
        assert!(matches!(TrustStore::from_files(std::slice::from_ref(&path)), Err(Error::Material { .. })));
        assert!(matches!(TrustStore::from_files(&[dir.path().join("absent")]), Err(Error::Open { .. })));
        assert!(TrustStore::from_dir(dir.path()).is_err());
    }
}
