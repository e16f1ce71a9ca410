//! What a served chain of certificates is worth at a given time: order, gaps, trust, names, usage.
//!
//! [`judge`] is pure: no clock, no I/O. [`TrustStore`] is loaded once by the application and passed in as data. [`ChainCache`] answers
//! equal questions with equal answers.

mod cache;
mod constraints;
mod defaults;
pub mod inspection;
mod path;
mod pins;
mod signatures;
mod trust;
mod words;

use std::ops::Deref;
use std::sync::Arc;

use crate::time::Timestamp;
use crate::tls::certificate::Certificate;
use crate::wording::counted;

pub use cache::{ChainCache, Occasion};
pub(super) use pins::Pins;
use signatures::Signatures;
pub use trust::TrustStore;
pub use words::Unsupported;

/// Facts about a chain at the handshake's time, for a client that asked for a certain name. All that does not depend on the name is shared by
/// those who were served the same chain under other names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainFacts {
    /// The name asked for is covered by the leaf; `None` when no name is known.
    pub covers_name: Option<bool>,
    /// Only the leaf's common name matches, which no client looks at any more.
    pub common_name_only: bool,
    /// The name asked for.
    pub name: Option<String>,
    /// The rest.
    pub worth: Arc<Worth>,
}

impl Deref for ChainFacts {
    type Target = Worth;

    fn deref(&self) -> &Worth {
        &self.worth
    }
}

/// Facts about a chain whatever name was asked for. Indices point into the chain as served.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "facts that are true or not, each on its own")]
pub struct Worth {
    /// The certificates as served.
    pub certificates: Vec<Arc<Certificate>>,
    /// The names that the leaf covers, as the end of a sentence.
    pub covered: String,
    /// What in it not every client can use.
    pub unsupported: Option<Unsupported>,
    /// Whose certificate it is meant to be.
    pub purpose: Purpose,
    /// Index of the end-entity certificate (0 unless misordered).
    pub leaf: usize,
    /// The path that could be built from the leaf upwards out of what was served: indices, leaf first.
    pub path: Vec<usize>,
    /// Where the path ends.
    pub end: PathEnd,
    /// The served order is not leaf, issuer, issuer…
    pub misordered: bool,
    /// Served certificates that are not on the path and are neither duplicates nor cross-signs.
    pub strangers: Vec<usize>,
    /// Served a second time.
    pub duplicates: Vec<usize>,
    /// Off the path, with the name and key of one on it: another way up.
    pub cross_signs: Vec<usize>,
    /// Indices past their validity at that time.
    pub expired: Vec<usize>,
    /// Indices before their validity at that time.
    pub not_yet_valid: Vec<usize>,
    /// The leaf may serve as a server's (or, for client chains, a client's) certificate by keyUsage and extendedKeyUsage.
    pub usage_ok: bool,
    /// What its usage lacks, in one clause.
    pub usage_fault: Option<String>,
    /// Constraint violations on the path: index and what is violated ("is not a CA", "path length 0 exceeded", "name constraints exclude www.example.test").
    pub violations: Vec<(usize, String)>,
    /// What only strict clients miss in a certificate on the path: its index and what it lacks.
    pub strict_fault: Option<(usize, String)>,
    /// Signatures on the path that do not verify: (certificate, claimed issuer).
    pub bad_signatures: Vec<(usize, usize)>,
    /// On the path: keys smaller than 2048 bit RSA / 224 bit EC.
    pub weak_keys: Vec<usize>,
    /// On the path: signed with MD2, MD5 or SHA-1 (self-signed roots' own signatures do not count).
    pub weak_signatures: Vec<usize>,
    /// Names known as made by a server for want of a real one ("Kubernetes Ingress Controller Fake Certificate", "TRAEFIK DEFAULT CERT", localhost, snakeoil…): what it says about its origin.
    pub default_certificate: Option<String>,
    /// The leaf's issuer has the name of an inspection product's authority.
    pub inspected: bool,
    /// The chain verified up to a trust anchor at that time for that usage.
    pub trust: Trust,
    /// The store's answer is no answer: the verifier does not support what the chain is made of.
    pub trust_unsupported: bool,
    /// The path ends in an anchor of Mozilla's program; any other authority is private.
    pub public: bool,
    /// Whole days from that time to the end of the leaf's validity; negative when expired.
    pub days_left: i64,
    /// Whole days from the leaf's notBefore to its notAfter.
    pub validity_days: i64,
}

/// What a certificate is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A server's.
    Server,
    /// A client's.
    Client,
}

/// Where the path built from the served certificates ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathEnd {
    /// A self-signed leaf.
    SelfSignedLeaf,
    /// A self-signed root that was served.
    ServedRoot {
        /// Its index.
        index: usize,
        /// It is an anchor of the store.
        trusted: bool,
    },
    /// The last certificate's issuer is an anchor of the store.
    Anchor {
        /// The anchor's readable name.
        name: String,
    },
    /// The issuer is neither served nor in the store. All empty when nothing was served, or nothing that parses.
    MissingIssuer {
        /// The issuer's readable name.
        issuer: String,
        /// Where the last certificate says its issuer can be had.
        ca_issuers: Vec<String>,
        /// It is more likely an intermediate that the server should serve than a root: a caIssuers address, or a name that says so.
        looks_intermediate: bool,
    },
}

/// Whether the store at hand trusts the chain. Not whether the client does: see the client's behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Not asked (`--no-trust`).
    Unchecked,
    /// Verified to an anchor.
    Trusted,
    /// Verified, and not trusted; and why.
    Untrusted {
        /// One clause.
        why: String,
    },
    /// It was not verified to its end. That says nothing against the chain.
    Unverified(Unverified),
}

/// Why signatures of a chain were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unverified {
    /// It asks for more work than a chain, its server, or all servers together may ask for at that time.
    Budget,
    /// More of its certificates bear the name of an issuer than are tried.
    Ambiguous,
}

impl Unverified {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Budget, Self::Ambiguous];

    /// The schema's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Ambiguous => "ambiguous-issuers",
        }
    }

    /// Why, as a sentence's end.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Budget => "checking its signatures takes more work than handshark spends on one server",
            Self::Ambiguous => "too many of its certificates have the name of one issuer",
        }
    }
}

impl PathEnd {
    /// The index of the root, where one was served.
    const fn root(&self) -> Option<usize> {
        match self {
            Self::ServedRoot { index, .. } => Some(*index),
            _ => None,
        }
    }
}

impl ChainFacts {
    /// Why the chain was not verified to its end, if it was not. Then what is said of its certificates above the leaf is by their names alone.
    pub fn unverified(&self) -> Option<Unverified> {
        match self.trust {
            Trust::Unverified(why) => Some(why),
            _ => None,
        }
    }

    /// The end-entity certificate, if anything was served.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates.get(self.leaf).map(AsRef::as_ref)
    }

    /// A certificate by its index.
    pub fn certificate(&self, index: usize) -> Option<&Certificate> {
        self.certificates.get(index).map(AsRef::as_ref)
    }

    /// Those on the path above the leaf that had expired and are not self-signed roots: what `intermediate-expired` is about.
    pub fn expired_intermediates(&self) -> impl Iterator<Item = usize> + '_ {
        self.path.iter().copied().skip(1).filter(|index| self.expired.contains(index) && self.end.root() != Some(*index))
    }

    /// The leaf had expired.
    pub fn leaf_expired(&self) -> bool {
        self.expired.contains(&self.leaf)
    }

    /// The leaf was not yet valid.
    pub fn leaf_not_yet_valid(&self) -> bool {
        self.not_yet_valid.contains(&self.leaf)
    }

    /// The same chain for a client that asked for this name. Of facts found without a name.
    fn named(&self, name: &str) -> Self {
        let mut facts = Self { name: Some(name.to_owned()), covers_name: None, common_name_only: false, worth: Arc::clone(&self.worth) };
        if let Some(leaf) = self.leaf().filter(|leaf| leaf.malformed.is_none()) {
            let covers = leaf.covers(name);
            facts.covers_name = Some(covers);
            facts.common_name_only = !covers && !leaf.has_san && leaf.common_name_matches(name);
        }
        facts
    }
}

/// Judges a chain as served. `name`: what the client asked for; `at`: the handshake's time.
pub fn judge(certificates: &[Arc<Certificate>], name: Option<&str>, at: Timestamp, purpose: Purpose, trust: &TrustStore) -> ChainFacts {
    judge_with(certificates, name, at, purpose, trust, &mut Signatures::unlimited())
}

fn judge_with(
    certificates: &[Arc<Certificate>],
    name: Option<&str>,
    at: Timestamp,
    purpose: Purpose,
    trust: &TrustStore,
    signatures: &mut Signatures,
) -> ChainFacts {
    let certificates = certificates.get(..certificates.len().min(crate::limits::CHAIN_LEN)).unwrap_or_default();
    let built = path::build(certificates, name, at, signatures);
    let Some(leaf) = certificates.get(built.leaf).filter(|leaf| leaf.malformed.is_none()) else {
        return unreadable(certificates, name, purpose, trust);
    };
    let indices = |wanted: &dyn Fn(&Certificate) -> bool| -> Vec<usize> {
        certificates
            .iter()
            .enumerate()
            .filter(|(_, certificate)| certificate.malformed.is_none() && wanted(certificate))
            .map(|(index, _)| index)
            .collect()
    };
    let on_path = |wanted: &dyn Fn(&Certificate) -> bool| -> Vec<usize> {
        built.steps.iter().copied().filter(|index| certificates.get(*index).is_some_and(|certificate| wanted(certificate))).collect()
    };
    let last = built.steps.last().copied().unwrap_or(built.leaf);
    let end = path_end(certificates, &built, trust, signatures);
    let public = certificates.get(last).is_some_and(|top| trust::is_public(top, signatures));
    let covers_name = name.map(|name| leaf.covers(name));
    let (verdict, trust_unsupported) = trust.verify(certificates, &built, at, purpose, signatures);
    let root = end.root();
    let usage_fault = constraints::usage_fault(leaf, purpose);
    let worth = Worth {
        covered: words::covered(leaf),
        unsupported: words::unsupported(certificates, &built.steps, built.leaf),
        purpose,
        leaf: built.leaf,
        end,
        misordered: built.misordered,
        strangers: built.strangers,
        duplicates: built.duplicates,
        cross_signs: built.cross_signs,
        expired: indices(&|certificate| at.seconds() > certificate.not_after.seconds()),
        not_yet_valid: indices(&|certificate| at.seconds() < certificate.not_before.seconds()),
        usage_ok: usage_fault.is_none(),
        usage_fault,
        violations: constraints::violations(certificates, &built.steps, root),
        strict_fault: constraints::strict_fault(certificates, &built.steps),
        bad_signatures: built.bad_signatures,
        weak_keys: on_path(&Certificate::has_weak_key),
        weak_signatures: {
            let mut weak = on_path(&|certificate| certificate.signature_hash.is_broken());
            weak.retain(|index| Some(*index) != root);
            weak
        },
        default_certificate: defaults::recognise(leaf),
        inspected: !leaf.self_issued && inspection::is_product(&leaf.issuer),
        trust: verdict,
        trust_unsupported,
        public,
        days_left: days(leaf.not_after.seconds().saturating_sub(at.seconds())),
        validity_days: days(leaf.not_after.seconds().saturating_sub(leaf.not_before.seconds())),
        path: built.steps,
        certificates: certificates.to_vec(),
    };
    ChainFacts {
        common_name_only: covers_name == Some(false) && !leaf.has_san && name.is_some_and(|name| leaf.common_name_matches(name)),
        covers_name,
        name: name.map(str::to_owned),
        worth: Arc::new(worth),
    }
}

/// How many certificates were served and whose the leaf is: `server sent 2 certificates: www.example.test, issued by …`.
pub fn served(count: usize, leaf: &Certificate) -> String {
    format!(
        "server sent {}: {}, issued by {}, valid from {} to {}",
        counted(count, "certificate", "certificates"),
        leaf.display_name(),
        if leaf.self_issued { "itself" } else { &leaf.issuer },
        leaf.not_before.day(),
        leaf.not_after.day()
    )
}

fn path_end(certificates: &[Arc<Certificate>], way: &path::CertificationPath, trust: &TrustStore, signatures: &mut Signatures) -> PathEnd {
    let last = way.steps.last().copied().unwrap_or(way.leaf);
    let Some(top) = certificates.get(last) else { return no_issuer() };
    if way.self_signed {
        if way.steps.len() == 1 {
            return PathEnd::SelfSignedLeaf;
        }
        return PathEnd::ServedRoot { index: last, trusted: trust.holds(top) };
    }
    if trust.has_issuer_of(top, signatures) {
        return PathEnd::Anchor { name: top.issuer.clone() };
    }
    PathEnd::MissingIssuer {
        issuer: top.issuer.clone(),
        ca_issuers: top.ca_issuers.clone(),
        looks_intermediate: path::sounds_intermediate(&top.issuer) || !top.ca_issuers.is_empty() && !path::sounds_root(&top.issuer),
    }
}

const fn no_issuer() -> PathEnd {
    PathEnd::MissingIssuer { issuer: String::new(), ca_issuers: Vec::new(), looks_intermediate: false }
}

/// Facts when there is no leaf to speak of.
fn unreadable(certificates: &[Arc<Certificate>], name: Option<&str>, purpose: Purpose, trust: &TrustStore) -> ChainFacts {
    let why = certificates.first().and_then(|first| first.malformed.as_ref());
    let worth = Worth {
        certificates: certificates.to_vec(),
        covered: certificates.first().map_or_else(String::new, |leaf| words::covered(leaf)),
        unsupported: words::unsupported(certificates, &[], 0),
        purpose,
        leaf: 0,
        path: Vec::new(),
        end: no_issuer(),
        misordered: false,
        strangers: Vec::new(),
        duplicates: Vec::new(),
        cross_signs: Vec::new(),
        expired: Vec::new(),
        not_yet_valid: Vec::new(),
        usage_ok: true,
        usage_fault: None,
        violations: Vec::new(),
        strict_fault: None,
        bad_signatures: Vec::new(),
        weak_keys: Vec::new(),
        weak_signatures: Vec::new(),
        default_certificate: None,
        inspected: false,
        trust: if trust.is_none() {
            Trust::Unchecked
        } else {
            Trust::Untrusted {
                why: why.map_or_else(|| "no certificate was served".to_owned(), |why| format!("the certificate does not parse: {why}")),
            }
        },
        trust_unsupported: false,
        public: false,
        days_left: 0,
        validity_days: 0,
    };
    ChainFacts { covers_name: None, common_name_only: false, name: name.map(str::to_owned), worth: Arc::new(worth) }
}

/// Whole days, rounded down.
const fn days(seconds: i64) -> i64 {
    seconds.div_euclid(86_400)
}

#[cfg(test)]
mod tests;
