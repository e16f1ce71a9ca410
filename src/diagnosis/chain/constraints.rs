//! What certificates say about what they may be used for (RFC 5280 sections 4.2.1.3, 4.2.1.9, 4.2.1.10, 4.2.1.12).

use std::sync::Arc;

use super::Purpose;
use crate::tls::certificate::{Certificate, NameConstraints};
use crate::wording::counted;

/// What the end-entity certificate's usage lacks.
pub(super) fn usage_fault(leaf: &Certificate, purpose: Purpose) -> Option<String> {
    if let Some(usage) = leaf.extended_key_usage {
        let (allowed, wanted, other) = match purpose {
            Purpose::Server => (usage.server_auth, "serverAuth", usage.client_auth.then_some("clientAuth")),
            Purpose::Client => (usage.client_auth, "clientAuth", usage.server_auth.then_some("serverAuth")),
        };
        if !allowed && !usage.any {
            return Some(match (other, usage.others) {
                (Some(other), _) => format!("extendedKeyUsage allows {other} but not {wanted}"),
                (None, 0) => format!("extendedKeyUsage is empty, so {wanted} is not allowed"),
                (None, _) => format!("extendedKeyUsage allows other uses but not {wanted}"),
            });
        }
    }
    let usage = leaf.key_usage?;
    let (bits, wanted) = match purpose {
        Purpose::Server => (DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT, "digitalSignature, keyEncipherment nor keyAgreement"),
        Purpose::Client => (DIGITAL_SIGNATURE | KEY_AGREEMENT, "digitalSignature nor keyAgreement"),
    };
    (usage & bits == 0).then(|| format!("keyUsage ({}) allows neither {wanted}", usage_names(usage)))
}

/// keyUsage bits by name.
pub(super) fn usage_names(usage: u16) -> String {
    let names = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];
    let set: Vec<&str> = names.iter().enumerate().filter(|(bit, _)| usage >> bit & 1 == 1).map(|(_, name)| *name).collect();
    if set.is_empty() { "no bit set".to_owned() } else { set.join(", ") }
}

/// What RFC 5280 demands of a certificate on the path and most clients do not miss: OpenSSL's strict mode, which Python sets from 3.13 on, does.
/// The certificate's index, and what it lacks, in one clause.
pub(super) fn strict_fault(certificates: &[Arc<Certificate>], path: &[usize]) -> Option<(usize, String)> {
    path.iter().enumerate().find_map(|(place, index)| {
        let certificate = certificates.get(*index)?;
        let authority = place > 0;
        let fault = if !certificate.self_issued && certificate.authority_key_id.is_none() {
            "has no authorityKeyIdentifier (RFC 5280 section 4.2.1.1)"
        } else if authority && certificate.subject_key_id.is_none() {
            "has no subjectKeyIdentifier (RFC 5280 section 4.2.1.2)"
        } else if authority && certificate.key_usage.is_none() {
            "has no keyUsage (RFC 5280 section 4.2.1.3)"
        } else {
            return None;
        };
        Some((*index, fault.to_owned()))
    })
}

/// Constraint violations on the path.
/// `root` is the path's self-signed end.
pub(super) fn violations(certificates: &[Arc<Certificate>], path: &[usize], root: Option<usize>) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    let Some(leaf) = path.first().and_then(|index| certificates.get(*index)) else { return out };
    // Certificates below that count against a path length: those that are not self-issued, the leaf not among them.
    let mut below: u32 = 0;
    for index in path.iter().skip(1) {
        let Some(issuer) = certificates.get(*index) else { continue };
        match issuer.basic_constraints {
            Some((true, Some(limit))) if below > limit => {
                out.push((
                    *index,
                    format!("path length {limit} exceeded, with {} below it", counted(below, "intermediate", "intermediates")),
                ));
            }
            Some((true, _)) => {}
            Some((false, _)) => out.push((*index, "is not a CA: basicConstraints says cA FALSE".to_owned())),
            // A self-signed root of version 1 is what old authorities have.
            None if issuer.version < 3 && root == Some(*index) => {}
            None if issuer.version < 3 => {
                out.push((*index, format!("is a version {} certificate, which cannot be an intermediate CA", issuer.version)));
            }
            None => out.push((*index, "is not a CA: it has no basicConstraints".to_owned())),
        }
        if issuer.key_usage.is_some_and(|usage| usage & KEY_CERT_SIGN == 0) {
            out.push((
                *index,
                format!("keyUsage ({}) does not allow it to sign certificates", usage_names(issuer.key_usage.unwrap_or_default())),
            ));
        }
        if let Some(constraints) = &issuer.name_constraints {
            // Names times subtrees is what a hostile pair of certificates makes large.
            let subtrees = constraints.excluded_dns.len().saturating_add(constraints.permitted_dns.len()).max(1);
            for name in leaf_names(leaf).take((COMPARISONS / subtrees).max(1)) {
                if let Some(fault) = name_fault(constraints, name) {
                    out.push((*index, fault));
                }
            }
        }
        if !issuer.self_issued {
            below = below.saturating_add(1);
        }
    }
    out
}

/// The names that constraints apply to: without subjectAltName, clients that apply them look at a common name that could be a host.
fn leaf_names(leaf: &Certificate) -> impl Iterator<Item = &str> {
    let fallback = leaf.common_name.as_deref().filter(|name| !leaf.has_san && name.contains('.') && !name.contains(' '));
    leaf.dns_names.iter().map(String::as_str).chain(fallback).take(64)
}

fn name_fault(constraints: &NameConstraints, name: &str) -> Option<String> {
    if constraints.excluded_dns.iter().any(|subtree| within(name, subtree)) {
        return Some(format!("name constraints exclude {name}"));
    }
    if !constraints.permitted_dns.is_empty() && !constraints.permitted_dns.iter().any(|subtree| within(name, subtree)) {
        return Some(format!("name constraints do not permit {name} (permitted: {})", permitted(constraints)));
    }
    None
}

/// The permitted subtrees, a few of them.
fn permitted(constraints: &NameConstraints) -> String {
    let all = constraints.permitted_dns.len();
    let shown = constraints.permitted_dns.get(..all.min(SHOWN)).unwrap_or_default().join(", ");
    if all > SHOWN { format!("{shown} and {} more", all - SHOWN) } else { shown }
}

/// A DNS name lies in a subtree: equal, or with labels added on the left. A leading dot, which some authorities write, asks for at least one more.
fn within(name: &str, subtree: &str) -> bool {
    let (parent, strictly) = subtree.strip_prefix('.').map_or((subtree, false), |rest| (rest, true));
    if parent.is_empty() {
        return true;
    }
    let (name, parent) = (name.as_bytes(), parent.as_bytes());
    let Some((head, tail)) = name.len().checked_sub(parent.len()).and_then(|cut| name.split_at_checked(cut)) else { return false };
    tail.eq_ignore_ascii_case(parent) && if head.is_empty() { !strictly } else { head.ends_with(b".") }
}

/// Comparisons of a name with a subtree made for one certificate: authorities write some dozens of subtrees, and certificates some dozens of names.
const COMPARISONS: usize = 16_384;
/// Subtrees named in one sentence.
const SHOWN: usize = 16;
const DIGITAL_SIGNATURE: u16 = 1;
const KEY_ENCIPHERMENT: u16 = 1 << 2;
const KEY_AGREEMENT: u16 = 1 << 4;
const KEY_CERT_SIGN: u16 = 1 << 5;

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn subtrees_hold_whole_labels() {
        assert!(within("example.test", "example.test") && within("a.b.EXAMPLE.test", "example.test"));
        assert!(!within("badexample.test", "example.test") && !within("test", "example.test"));
        assert!(within("a.example.test", ".example.test") && !within("example.test", ".example.test"));
        assert!(within("anything.at.all", ""));
    }
}
