//! The way from the leaf upwards, out of what was served.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::limits;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// The path and what lies beside it. Indices point into the chain as served.
#[derive(Debug, Default)]
pub(super) struct Path {
    pub(super) leaf: usize,
    pub(super) steps: Vec<usize>,
    pub(super) misordered: bool,
    pub(super) strangers: Vec<usize>,
    pub(super) duplicates: Vec<usize>,
    pub(super) cross_signs: Vec<usize>,
    pub(super) bad_signatures: Vec<(usize, usize)>,
}

/// Builds the path. Each step takes the best of the certificates that bear the issuer's name.
pub(super) fn build(certificates: &[Arc<Certificate>], name: Option<&str>, at: Timestamp) -> Path {
    let mut out = Path { leaf: find_leaf(certificates, name), ..Path::default() };
    let mut checks = limits::SIGNATURE_CHECKS;
    let mut current = out.leaf;
    while let Some(certificate) = certificates.get(current).filter(|certificate| certificate.malformed.is_none()) {
        out.steps.push(current);
        if certificate.self_issued {
            if certificate.self_signed == Some(false)
                && !certificates.iter().enumerate().any(|(index, other)| !out.steps.contains(&index) && names_issuer(certificate, other))
            {
                out.bad_signatures.push((current, current));
            }
            if certificate.is_self_signed() {
                break;
            }
        }
        let Some((next, signed)) = best_issuer(certificates, current, &out.steps, at, &mut checks) else { break };
        if signed == Some(false) {
            out.bad_signatures.push((current, next));
        }
        current = next;
    }
    // Strangers in between are named as such; order is about the certificates that belong together.
    out.misordered = !out.steps.is_sorted() || out.steps.first().is_some_and(|first| *first != 0);
    for (index, certificate) in certificates.iter().enumerate() {
        if out.steps.contains(&index) {
            continue;
        }
        let twin = certificates
            .iter()
            .enumerate()
            .any(|(other, twin)| twin.sha256 == certificate.sha256 && (other < index || out.steps.contains(&other)));
        let same_key = |other: &usize| {
            certificates
                .get(*other)
                .is_some_and(|other| other.subject_der == certificate.subject_der && other.spki_sha256 == certificate.spki_sha256)
        };
        if twin {
            out.duplicates.push(index);
        } else if certificate.malformed.is_none() && out.steps.iter().any(same_key) {
            out.cross_signs.push(index);
        } else {
            out.strangers.push(index);
        }
    }
    out
}

/// A name that calls itself an intermediate authority.
pub(super) fn sounds_intermediate(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["intermediate", "issuing", "subordinate", "sub ca", "sub-ca", "subca"].iter().any(|word| name.contains(word))
}

/// A name that calls itself a root. An address to fetch the issuer from may point at a root too.
pub(super) fn sounds_root(name: &str) -> bool {
    name.to_ascii_lowercase().split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == "root" || word == "rootca")
}

/// Whether the leaf is the same with this name as without: the path and all that hangs on it is, then.
pub(super) fn same_leaf(certificates: &[Arc<Certificate>], name: &str) -> bool {
    find_leaf(certificates, Some(name)) == find_leaf(certificates, None)
}

/// By the protocol the first certificate is the leaf. When that one is an authority and another is not, the order is wrong.
fn find_leaf(certificates: &[Arc<Certificate>], name: Option<&str>) -> usize {
    let Some(first) = certificates.first() else { return 0 };
    if !first.is_ca() || first.malformed.is_some() {
        return 0;
    }
    let ends = || certificates.iter().enumerate().filter(|(_, certificate)| certificate.malformed.is_none() && !certificate.is_ca());
    ends()
        .find(|(_, certificate)| name.is_some_and(|name| certificate.covers(name)))
        .or_else(|| ends().find(|(_, certificate)| certificates.iter().any(|other| other.is_ca() && names_issuer(certificate, other))))
        .map_or(0, |(index, _)| index)
}

fn names_issuer(certificate: &Certificate, issuer: &Certificate) -> bool {
    issuer.malformed.is_none() && certificate.issuer_der == issuer.subject_der
}

/// The best issuer among the served ones, and whether the signature verifies with its key. Better, in this order: the signature
/// verifies or cannot be checked, key identifiers agree, valid at that time, an authority, served soon after.
fn best_issuer(
    certificates: &[Arc<Certificate>],
    current: usize,
    path: &[usize],
    at: Timestamp,
    checks: &mut usize,
) -> Option<(usize, Option<bool>)> {
    let certificate = certificates.get(current)?;
    let mut best: Option<(Rank, usize, Option<bool>)> = None;
    for (index, candidate) in certificates.iter().enumerate() {
        let same = || certificates.iter().take(index).any(|earlier| earlier.sha256 == candidate.sha256);
        if path.contains(&index) || !names_issuer(certificate, candidate) || same() {
            continue;
        }
        let signed = if *checks > 0 {
            *checks -= 1;
            certificate.is_signed_by(candidate)
        } else {
            None
        };
        let ids_agree = match (&certificate.authority_key_id, &candidate.subject_key_id) {
            (Some(wanted), Some(have)) => Some(wanted == have),
            _ => None,
        };
        let signature_rank = match signed {
            Some(true) => 2_u8,
            None => 1,
            Some(false) => 0,
        };
        let id_rank = match ids_agree {
            Some(true) => 2_u8,
            None => 1,
            Some(false) => 0,
        };
        let distance = if index > current { index - current } else { certificates.len() + current - index };
        let rank = (signature_rank, id_rank, candidate.is_valid_at(at), candidate.is_ca(), Reverse(distance));
        if best.as_ref().is_none_or(|(known, ..)| rank > *known) {
            best = Some((rank, index, signed));
        }
    }
    best.map(|(_, index, signed)| (index, signed))
}

/// Signature, key identifiers, valid, an authority, distance.
type Rank = (u8, u8, bool, bool, Reverse<usize>);
