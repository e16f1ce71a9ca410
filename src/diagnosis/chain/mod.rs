//! What a served chain of certificates is worth at a given time: order, gaps, trust, names, usage.
//!
//! CONTRACT (certificate helper). Judged once per distinct (chain, name, day) and cached; pure: no clock, no I/O except [`trust`] loading.

use std::sync::Arc;
use crate::tls::certificate::Certificate;

/// Facts about a chain at the handshake's time. Indices point into the chain as served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainFacts {
    /// The certificates as served, leaf first by position; `leaf` below says which one is really the end entity.
    pub certificates: Vec<Arc<Certificate>>,
    /// Index of the end-entity certificate (0 unless misordered).
    pub leaf: usize,
    /// The path that could be built from the leaf upwards out of what was served: indices, leaf first.
    pub path: Vec<usize>,
    /// Where the path ends.
    pub end: PathEnd,
    /// The served order is not leaf, issuer, issuer…
    pub misordered: bool,
    /// Served certificates that are not on the path.
    pub strangers: Vec<usize>,
    /// Indices outside their validity at that time.
    pub expired: Vec<usize>, pub not_yet_valid: Vec<usize>,
    /// The name asked for is covered by the leaf; `None` when no name is known.
    pub covers_name: Option<bool>,
    /// The name asked for.
    pub name: Option<String>,
    /// The leaf may serve as a server's (or, for client chains, a client's) certificate by keyUsage and extendedKeyUsage.
    pub usage_ok: bool,
    /// Constraint violations on the path: index and what is violated ("is not a CA", "path length 0 exceeded", "name constraints exclude www.example.test").
    pub violations: Vec<(usize, String)>,
    /// Signatures on the path that do not verify: (certificate, claimed issuer).
    pub bad_signatures: Vec<(usize, usize)>,
    /// Keys smaller than 2048 bit RSA / 224 bit EC, and hashes MD5/SHA-1 (self-signed roots' own signatures do not count).
    pub weak_keys: Vec<usize>, pub weak_signatures: Vec<usize>,
    /// Names known as made by a server for want of a real one: "Kubernetes Ingress Controller Fake Certificate", "TRAEFIK DEFAULT CERT", localhost, snakeoil…: why.
    pub default_certificate: Option<String>,
    /// The chain verified up to a trust anchor at that time for that usage by webpki; the store that was used.
    pub trust: Trust,
    /// Public: an anchor of Mozilla's program; private: any other root.
    pub days_left: i64,
}

/// Where the path built from the served certificates ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathEnd {
    /// A self-signed leaf, alone.
    SelfSignedLeaf,
    /// A self-signed root that was served.
    ServedRoot { index: usize, trusted: bool },
    /// The last certificate's issuer is an anchor of the store.
    Anchor { name: String },
    /// The issuer is neither served nor in the store. `looks_intermediate`: AIA caIssuers on the last certificate, or the issuer is seen to be an intermediate in another chain
    MissingIssuer { issuer: String, ca_issuers: Vec<String>, looks_intermediate: bool },
}

/// Whether the store at hand trusts the chain. Not whether the client does: see the client's behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Not asked (`--no-trust`).
    Unchecked,
    /// Verified to an anchor.
    Trusted,
    /// Not verified, and why in webpki's terms.
    Untrusted { why: String },
}
