//! The way from the leaf upwards, out of what was served.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Unverified;
use super::signatures::{Signatures, Signed};
use crate::limits;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// The path and what lies beside it. Indices point into the chain as served.
#[derive(Debug, Default)]
pub(super) struct CertificationPath {
    pub(super) leaf: usize,
    pub(super) steps: Vec<usize>,
    pub(super) misordered: bool,
    pub(super) strangers: Vec<usize>,
    pub(super) duplicates: Vec<usize>,
    pub(super) cross_signs: Vec<usize>,
    pub(super) bad_signatures: Vec<(usize, usize)>,
    /// The last step is signed with its own key, as far as that can be known: the names are equal and the signature does not say otherwise.
    pub(super) self_signed: bool,
    /// Signatures on the way were not looked at.
    pub(super) unverified: Option<Unverified>,
}

/// Builds the path. Each step takes the best of the certificates that bear the issuer's name.
pub(super) fn build(
    certificates: &[Arc<Certificate>],
    name: Option<&str>,
    at: Timestamp,
    signatures: &mut Signatures,
) -> CertificationPath {
    let mut out = CertificationPath { leaf: find_leaf(certificates, name), ..CertificationPath::default() };
    let mut current = out.leaf;
    while let Some(certificate) = certificates.get(current).filter(|certificate| certificate.malformed.is_none()) {
        out.steps.push(current);
        if certificate.self_issued {
            let others =
                || certificates.iter().enumerate().any(|(index, other)| !out.steps.contains(&index) && names_issuer(certificate, other));
            match signatures.check(certificate, certificate) {
                Signed::No if !others() => out.bad_signatures.push((current, current)),
                Signed::No => {}
                signed => {
                    // Nobody asks a root whether it signed itself, unless another could have.
                    if signed == Signed::Unpaid && (out.steps.len() == 1 || others()) {
                        out.unverified = Some(Unverified::Budget);
                    }
                    out.self_signed = true;
                    break;
                }
            }
        }
        let (next, signed) = match best_issuer(certificates, current, &out.steps, at, signatures) {
            Issuer::None => break,
            Issuer::Ambiguous => {
                out.unverified = Some(Unverified::Ambiguous);
                break;
            }
            Issuer::Found(next, signed) => (next, signed),
        };
        match signed {
            Signed::No => out.bad_signatures.push((current, next)),
            Signed::Unpaid => out.unverified = Some(Unverified::Budget),
            Signed::Yes | Signed::Unknown => {}
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

/// What is found above a certificate.
enum Issuer {
    /// Nothing bears the issuer's name.
    None,
    /// More certificates bear it than are tried, and of those that were none fits.
    Ambiguous,
    /// This one, and what came of the signature.
    Found(usize, Signed),
}

/// The best issuer among the served ones, and whether the signature verifies with its key. Better, in this order: the signature
/// verifies or cannot be checked, key identifiers agree, valid at that time, an authority, served soon after.
fn best_issuer(certificates: &[Arc<Certificate>], current: usize, path: &[usize], at: Timestamp, signatures: &mut Signatures) -> Issuer {
    let Some(certificate) = certificates.get(current) else { return Issuer::None };
    let mut candidates: Vec<(Rank, usize)> = Vec::new();
    for (index, candidate) in certificates.iter().enumerate() {
        let same = || certificates.iter().take(index).any(|earlier| earlier.sha256 == candidate.sha256);
        if path.contains(&index) || !names_issuer(certificate, candidate) || same() {
            continue;
        }
        let ids_agree = match (&certificate.authority_key_id, &candidate.subject_key_id) {
            (Some(wanted), Some(have)) => Some(wanted == have),
            _ => None,
        };
        let id_rank = match ids_agree {
            Some(true) => 2_u8,
            None => 1,
            Some(false) => 0,
        };
        let distance = if index > current { index - current } else { certificates.len() + current - index };
        candidates.push(((id_rank, candidate.is_valid_at(at), candidate.is_ca(), Reverse(distance)), index));
    }
    candidates.sort_unstable_by_key(|candidate| Reverse(*candidate));
    let mut best: Option<(u8, usize, Signed)> = None;
    for (_, index) in candidates.iter().take(limits::ISSUERS_TRIED) {
        let Some(candidate) = certificates.get(*index) else { continue };
        let signed = signatures.check(certificate, candidate);
        let rank = match signed {
            // Those that follow are no better.
            Signed::Yes => return Issuer::Found(*index, signed),
            Signed::Unknown => 2,
            Signed::Unpaid => 1,
            Signed::No => 0,
        };
        if best.is_none_or(|(known, ..)| rank > known) {
            best = Some((rank, *index, signed));
        }
    }
    match best {
        None => Issuer::None,
        Some((_, _, Signed::No | Signed::Unpaid)) if candidates.len() > limits::ISSUERS_TRIED => Issuer::Ambiguous,
        Some((_, index, signed)) => Issuer::Found(index, signed),
    }
}

/// Whether a verifier that follows every name from the leaf upwards reads no more certificates than [`limits::PATH_SEARCH`].
pub(super) fn is_easy_to_search(certificates: &[Arc<Certificate>], leaf: usize) -> bool {
    fn climb(certificates: &[Arc<Certificate>], path: &mut Vec<usize>, left: &mut usize) -> bool {
        let Some(current) = path.last().and_then(|index| certificates.get(*index)) else { return true };
        let Some(rest) = left.checked_sub(certificates.len()) else { return false };
        *left = rest;
        if path.len() > DEPTH {
            return true;
        }
        for (index, candidate) in certificates.iter().enumerate() {
            if path.contains(&index) || candidate.subject_der != current.issuer_der {
                continue;
            }
            path.push(index);
            let easy = climb(certificates, path, left);
            path.pop();
            if !easy {
                return false;
            }
        }
        true
    }
    climb(certificates, &mut vec![leaf], &mut limits::PATH_SEARCH.clone())
}

/// How far up the verifier looks.
const DEPTH: usize = 6;

/// Key identifiers, valid, an authority, distance.
type Rank = (u8, bool, bool, Reverse<usize>);
