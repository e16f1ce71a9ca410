//! What is to be said of a chain, in words that are made once for all handshakes in which it is served.

use std::borrow::Cow;
use std::sync::Arc;

use crate::tls::certificate::{Certificate, PublicKey};

/// Something in a chain that not every client can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// What, in one clause.
    pub what: String,
    /// It is the leaf's kind of key: rare, but nothing that clients fail to read.
    pub kind_of_key: bool,
}

/// The first certificate on the path (of all, where there is no path) that not every client can read, else the leaf's key, if not every client
/// can use it.
pub(super) fn unsupported(certificates: &[Arc<Certificate>], path: &[usize], leaf: usize) -> Option<Unsupported> {
    let mut served = certificates.iter().enumerate().filter(|(index, _)| path.is_empty() || path.contains(index));
    let unreadable = served.find_map(|(index, certificate)| unreadable(index, certificate));
    unreadable.map(|what| Unsupported { what, kind_of_key: false }).or_else(|| {
        let leaf = certificates.get(leaf).filter(|leaf| has_odd_key(leaf))?;
        Some(Unsupported { what: format!("many clients do not accept its kind of key: {}", leaf.key_name()), kind_of_key: true })
    })
}

/// Why not every client can read a certificate.
fn unreadable(index: usize, certificate: &Certificate) -> Option<String> {
    let name = || certificate.display_name();
    let malformed = certificate.malformed.as_ref().map(|why| format!("certificate {} does not parse: {why}", index + 1));
    let critical = || certificate.unknown_critical.first();
    let broken = || certificate.broken_extensions.first();
    malformed
        .or_else(|| critical().map(|oid| format!("{} has the critical extension {oid}, which clients do not know", name())))
        .or_else(|| broken().map(|oid| format!("extension {oid} of {} does not parse", name())))
}

const fn has_odd_key(leaf: &Certificate) -> bool {
    match &leaf.key {
        PublicKey::Ec { curve, .. } => !matches!(curve.as_bytes(), b"P-256" | b"P-384"),
        PublicKey::Dsa { .. } | PublicKey::Ed448 | PublicKey::Other(_) => true,
        _ => false,
    }
}

/// The names a certificate covers, a few of them: `only www.example.test`.
pub(super) fn covered(leaf: &Certificate) -> String {
    const SHOWN: usize = 4;
    let all = leaf.dns_names.len() + leaf.ip_addresses.len() + leaf.names_left_out;
    if all == 0 {
        return match &leaf.common_name {
            Some(name) => format!("no host at all: it has no subjectAltName, only the common name {name}"),
            None => "no host at all".to_owned(),
        };
    }
    let addresses = leaf.ip_addresses.iter().map(|address| Cow::Owned(address.to_string()));
    let shown: Vec<Cow<'_, str>> = leaf.dns_names.iter().map(|name| Cow::Borrowed(name.as_str())).chain(addresses).take(SHOWN).collect();
    let shown = shown.join(", ");
    if all > SHOWN { format!("{shown} and {} more", all - SHOWN) } else { format!("only {shown}") }
}
