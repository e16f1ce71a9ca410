//! Which certificate an encrypted one is: by its exact size.
//!
//! In TLS 1.3 the Certificate message is encrypted, but its record's length is not. A chain seen in clear elsewhere has one length there, and no
//! other chain that this server showed need have it: if it fits to the byte, the certificate is known; if not, it is another.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::knowledge::KnownChain;
use crate::handshake::facts::Protocol;
use crate::tls::certificate::{Certificate, PublicKey};

/// What is known of a hidden chain.
#[derive(Debug, Clone, Copy)]
pub(super) enum Identity<'a> {
    /// It is this one: its size fits. `sole`: of all that were seen no other certificate does.
    Known { chain: &'a KnownChain, sole: bool },
    /// Chains of this server were seen in clear, and this is none of them.
    Other,
    /// Nothing can be said.
    Unknown,
}

/// Finds the chain that fits.
pub(super) fn identify<'a>(case: &'a Case<'_>) -> Identity<'a> {
    let chains = &case.knowledge.chains;
    let Some(len) = case.handshake.hidden.server_certificate_record else { return Identity::Unknown };
    if chains.is_empty() || case.handshake.protocol != Protocol::Tls || case.handshake.resumption.is_some() {
        return Identity::Unknown;
    }
    let joined = is_joined(case);
    let fits =
        |chain: &&KnownChain| if joined { fits_joined(case, chain, len).is_some() } else { Some(usize::from(len)) == record(case, chain) };
    let at = case.handshake.flow.first.time;
    // The one in use at that time: seen before and after it, or nearest to it.
    let distance = |chain: &&KnownChain| if chain.first > at { chain.first.since(at) } else { at.since(chain.last) };
    let Some(chain) = chains.iter().filter(fits).min_by_key(distance) else {
        // A compressed one, or one with a stapled status, may be any.
        let altered = case.handshake.hello().is_some_and(|hello| hello.compress_certificate().next().is_some() || hello.status_request());
        return if altered || joined { Identity::Unknown } else { Identity::Other };
    };
    let leaf = |chain: &KnownChain| chain.leaf().map(|leaf| leaf.sha256);
    let sole = chains.iter().filter(fits).all(|other| leaf(other) == leaf(chain));
    Identity::Known { chain, sole: sole && distance(&chain) <= FRESH }
}

/// The whole flight came in one record.
pub(super) fn is_joined(case: &Case<'_>) -> bool {
    case.handshake.hidden.padding.server.is_none() || case.handshake.hidden.certificate_verify_record.is_none()
}

/// Bytes of the Certificate message for this chain (RFC 8446 section 4.4.2): header 4, context 1, list 3, and for each certificate its length 3,
/// itself, and 2 for no extensions.
fn message(chain: &KnownChain) -> usize {
    4 + 1 + 3 + chain.certificates.iter().map(|certificate| 3 + certificate.der.len() + 2).sum::<usize>()
}

/// Bytes of the record that holds it alone: content type 1 and the tag.
fn record(case: &Case<'_>, chain: &KnownChain) -> Option<usize> {
    Some(message(chain) + 1 + tag(case)?)
}

fn tag(case: &Case<'_>) -> Option<usize> {
    Some(if case.handshake.cipher()?.0 == AES_128_CCM_8 { 8 } else { 16 })
}

/// EncryptedExtensions, Certificate, CertificateVerify and Finished in one record: what is left for the first must be one of the sizes that it
/// can have.
fn fits_joined(case: &Case<'_>, chain: &KnownChain, len: u16) -> Option<()> {
    let finished = 4 + if case.handshake.cipher()?.0 == AES_256_GCM_SHA384 { 48 } else { 32 };
    let fixed = message(chain) + finished + VERIFY_HEADER + 1 + tag(case)?;
    let extensions = extensions(case);
    let left = usize::from(len).checked_sub(fixed)?;
    let fits = signature(chain.leaf()?)?.any(|signature| left.checked_sub(signature).is_some_and(|rest| extensions.contains(&rest)));
    fits.then_some(())
}

/// Sizes of EncryptedExtensions: header 4, list 2; the acknowledged server name, and one application protocol of those offered.
fn extensions(case: &Case<'_>) -> Vec<usize> {
    let mut sizes = vec![6];
    let Some(hello) = case.handshake.hello() else { return sizes };
    sizes.extend(hello.alpn().map(|protocol| 6 + 4 + 2 + 1 + protocol.len()).take(MOST_PROTOCOLS));
    if hello.server_name().is_some() {
        let named: Vec<usize> = sizes.iter().map(|size| size + 4).collect();
        sizes.extend(named);
    }
    sizes
}

/// Bytes that a signature with this certificate's key can have.
fn signature(leaf: &Certificate) -> Option<std::ops::RangeInclusive<usize>> {
    Some(match &leaf.key {
        PublicKey::Rsa { bits } | PublicKey::RsaPss { bits } => {
            let bytes = bits.div_ceil(8) as usize;
            bytes..=bytes
        }
        PublicKey::Ec { bits, .. } if *bits > 0 => {
            // Two integers in DER, each with a leading zero or without, and rarely shorter.
            let bytes = bits.div_ceil(8) as usize;
            2 * bytes + 4..=2 * bytes + 9
        }
        PublicKey::Ed25519 => 64..=64,
        _ => return None,
    })
}

/// CertificateVerify without its signature: header 4, scheme 2, length 2.
const VERIFY_HEADER: usize = 8;

/// Application protocols that are looked at.
const MOST_PROTOCOLS: usize = 16;

/// A certificate seen within this time of the handshake is taken for the one in use.
const FRESH: Duration = Duration::from_secs(90 * 86_400);

const AES_256_GCM_SHA384: u16 = 0x1302;
const AES_128_CCM_8: u16 = 0x1305;
