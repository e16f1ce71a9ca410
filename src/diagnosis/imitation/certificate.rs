//! Certificates of the same kind as those served: key, names, dates, signature, chain. Made with `openssl req` and `openssl ca`, which alone takes
//! dates of the past in every release.

use std::borrow::Cow;

use crate::diagnosis::remedy::Command;
use crate::diagnosis::remedy::parts::{Host, Moment, Operand, Piece};
use crate::handshake::Handshake;
use crate::time::Timestamp;
use crate::tls::certificate::{Certificate, PublicKey, SignatureHash};

/// When something is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Validity {
    /// From now on, for so many days.
    Days(u32),
    /// Between two moments.
    Between(Moment, Moment),
    /// Long ago.
    Past,
    /// In the far future.
    Future,
}

/// Who signs the leaf, and what of that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chain {
    /// The leaf itself.
    Itself,
    /// A root.
    Root,
    /// An intermediate, which is served.
    Intermediate,
    /// An intermediate, which is not served.
    Missing,
    /// An intermediate that is served and is expired.
    Expired,
    /// An intermediate that is no authority.
    NoAuthority,
}

/// A key as `openssl req -newkey` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Rsa(u32),
    RsaPss(u32),
    Curve(&'static str),
    Ed25519,
    Ed448,
}

/// A leaf to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) key: Key,
    pub(super) validity: Validity,
    pub(super) chain: Chain,
    /// The hash of the signature.
    pub(super) digest: &'static str,
    pub(super) names: Vec<Host>,
    pub(super) wildcards: Vec<Host>,
    /// The extended key usage, where there is one.
    pub(super) usage: Option<&'static str>,
}

impl Plan {
    /// A good one for the name that the client asked for.
    pub(super) fn good(handshake: &Handshake) -> Self {
        let name = handshake.server_name().as_deref().and_then(Host::parse);
        Self {
            key: Key::Curve("P-256"),
            validity: Validity::Days(90),
            chain: Chain::Root,
            digest: "sha256",
            names: vec![name.unwrap_or_else(|| handshake.server.address.into())],
            wildcards: Vec::new(),
            usage: None,
        }
    }

    /// One like those served, as it stood at that time.
    pub(super) fn like(chain: &[std::sync::Arc<Certificate>], at: Timestamp, unlike: &mut Vec<Cow<'static, str>>) -> Option<Self> {
        let leaf = chain.first().filter(|leaf| leaf.malformed.is_none())?;
        let kept = |name: &&String| name.len() <= 253;
        let hosts = leaf.dns_names.iter().filter(kept).take(MOST_NAMES);
        let wildcard = |name: &String| name.strip_prefix("*.").and_then(Host::parse);
        let mut names: Vec<Host> = hosts.clone().filter_map(|name| Host::parse(name)).collect();
        names.extend(leaf.ip_addresses.iter().take(MOST_NAMES).map(|address| Host::from(*address)));
        if !leaf.has_san {
            names.extend(leaf.common_name.as_deref().and_then(Host::parse));
        }
        let wildcards: Vec<Host> = hosts.filter_map(wildcard).collect();
        if names.len().saturating_add(wildcards.len()) < leaf.dns_names.len().saturating_add(leaf.ip_addresses.len())
            || leaf.names_left_out > 0
        {
            unlike.push("The certificate made does not hold all names of the one served.".into());
        }
        let days = leaf.not_after.since(leaf.not_before).as_secs() / 86_400;
        let validity = if leaf.is_valid_at(at) {
            Validity::Days(u32::try_from(days).unwrap_or(u32::MAX).clamp(1, MOST_DAYS))
        } else if leaf.not_before > at {
            Validity::Future
        } else {
            Validity::Between(leaf.not_before.into(), leaf.not_after.into())
        };
        let issuer = chain.iter().skip(1).any(|other| other.subject_der == leaf.issuer_der && other.subject_der != other.issuer_der);
        Some(Self {
            key: Key::of(&leaf.key).unwrap_or_else(|| {
                unlike.push(format!("The key is of another kind: no option of openssl req makes {}.", leaf.key_name()).into());
                Key::Rsa(2048)
            }),
            validity,
            chain: match (leaf.self_issued, issuer) {
                (true, _) => Chain::Itself,
                (_, true) => Chain::Intermediate,
                _ => Chain::Root,
            },
            digest: match leaf.signature_hash {
                SignatureHash::Md5 | SignatureHash::Md2 => "md5",
                SignatureHash::Sha1 => "sha1",
                SignatureHash::Sha224 => "sha224",
                SignatureHash::Sha384 => "sha384",
                SignatureHash::Sha512 => "sha512",
                SignatureHash::Sha256 | SignatureHash::Intrinsic | SignatureHash::Unknown => "sha256",
            },
            names,
            wildcards,
            usage: leaf.extended_key_usage.map(|usage| match (usage.server_auth || usage.any, usage.client_auth) {
                (true, true) => "serverAuth,clientAuth",
                (true, false) => "serverAuth",
                (false, true) => "clientAuth",
                (false, false) => "codeSigning",
            }),
        })
    }

    /// What makes `NAME.pem` and `NAME.key`, and where the chain has one `intermediate.pem`; `ca.cnf` and `index.txt` go first.
    pub(super) fn commands(&self, of: Files) -> Vec<Command> {
        let mut list = vec![self.configuration(), Command::new("tee index.txt").without_input()];
        if self.chain != Chain::Itself {
            list.push(
                Command::new("openssl req -x509 -config ca.cnf -extensions authority -newkey rsa:2048 -nodes")
                    .option("-keyout", "root.key")
                    .option("-out", "root.pem")
                    .option("-days", 3650_u32)
                    .option("-subj", "/CN=Root of the imitation"),
            );
        }
        let signer = match self.chain {
            Chain::Itself => None,
            Chain::Root => Some(("root.pem", "root.key")),
            Chain::Intermediate | Chain::Missing | Chain::Expired | Chain::NoAuthority => {
                list.push(
                    Command::new("openssl req -config ca.cnf -new -newkey rsa:2048 -nodes")
                        .option("-keyout", "intermediate.key")
                        .option("-out", "intermediate.csr")
                        .option("-subj", "/CN=Intermediate of the imitation"),
                );
                let extensions = if self.chain == Chain::NoAuthority { "none" } else { "authority" };
                let command = Command::new(CA).option("-md", "sha256").option("-extensions", extensions);
                let command = command.option("-cert", "root.pem").option("-keyfile", "root.key");
                let validity = if self.chain == Chain::Expired { &Validity::Past } else { &Validity::Days(365) };
                list.push(validity.of(command.option("-in", "intermediate.csr").option("-out", "intermediate.pem")));
                Some(("intermediate.pem", "intermediate.key"))
            }
        };
        list.push(
            self.key
                .option(Command::new("openssl req -config ca.cnf -new -nodes"))
                .option("-keyout", of.key)
                .option("-out", of.request)
                .option("-subj", self.subject()),
        );
        let command = Command::new(CA).option("-md", self.digest).option("-extensions", "leaf");
        let command = match signer {
            Some((certificate, key)) => command.option("-cert", certificate).option("-keyfile", key),
            None => command.with("-selfsign").option("-keyfile", of.key),
        };
        list.push(self.validity.of(command.option("-in", of.request).option("-out", of.certificate)));
        list
    }

    fn subject(&self) -> Operand {
        match (self.names.first(), self.wildcards.first()) {
            (Some(name), _) => [Piece::Fixed("/CN="), Piece::Host(name)].into(),
            (None, Some(name)) => [Piece::Fixed("/CN=*."), Piece::Host(name)].into(),
            (None, None) => "/CN=imitation".into(),
        }
    }

    fn configuration(&self) -> Command {
        let mut command = CONFIGURATION.iter().fold(Command::new("printf").operand("%s\\n"), |command, line| command.operand(*line));
        let mut pieces = Vec::new();
        let hosts = self.names.iter().map(|name| (if name.is_address() { "IP:" } else { "DNS:" }, name));
        for (kind, host) in hosts.chain(self.wildcards.iter().map(|name| ("DNS:*.", name))) {
            pieces.push(Piece::Fixed(if pieces.is_empty() { "subjectAltName = " } else { "," }));
            pieces.push(Piece::Fixed(kind));
            pieces.push(Piece::Host(host));
        }
        if !pieces.is_empty() {
            command = command.operand(pieces.as_slice());
        }
        if let Some(usage) = self.usage {
            command = command.operand([Piece::Fixed("extendedKeyUsage = "), Piece::Fixed(usage)]);
        }
        command.pipe(Command::new("tee ca.cnf"))
    }
}

/// What a leaf's files are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files {
    pub(super) key: &'static str,
    pub(super) request: &'static str,
    pub(super) certificate: &'static str,
}

impl Files {
    /// The server's.
    pub(super) const SERVER: Self = Self { key: "server.key", request: "server.csr", certificate: "server.pem" };
    /// The client's.
    pub(super) const CLIENT: Self = Self { key: "client.key", request: "client.csr", certificate: "client.pem" };
}

impl Validity {
    fn of(&self, command: Command) -> Command {
        match self {
            Self::Days(days) => command.option("-days", *days),
            Self::Between(begin, end) => command.option("-startdate", begin.clone()).option("-enddate", end.clone()),
            Self::Past => command.option("-startdate", "20200101000000Z").option("-enddate", "20200331000000Z"),
            Self::Future => command.option("-startdate", "20990101000000Z").option("-enddate", "20990331000000Z"),
        }
    }
}

impl Key {
    /// RSA, in either form: Ed25519 and Ed448 stand with ECDSA in suites.
    pub(super) const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa(_) | Self::RsaPss(_))
    }

    fn of(key: &PublicKey) -> Option<Self> {
        Some(match key {
            PublicKey::Rsa { bits } => Self::Rsa((*bits).clamp(512, 8192)),
            PublicKey::RsaPss { bits } => Self::RsaPss((*bits).clamp(512, 8192)),
            PublicKey::Ec { curve, .. } => Self::Curve(CURVES.iter().find(|known| *known == curve).copied()?),
            PublicKey::Ed25519 => Self::Ed25519,
            PublicKey::Ed448 => Self::Ed448,
            PublicKey::Dsa { .. } | PublicKey::Other(_) => return None,
        })
    }

    fn option(self, command: Command) -> Command {
        match self {
            Self::Rsa(bits) => command.option("-newkey", [Piece::Fixed("rsa:"), Piece::Number(bits.into())]),
            Self::RsaPss(bits) => {
                command.option("-newkey", "rsa-pss").option("-pkeyopt", [Piece::Fixed("rsa_keygen_bits:"), Piece::Number(bits.into())])
            }
            Self::Curve(curve) => {
                command.option("-newkey", "ec").option("-pkeyopt", [Piece::Fixed("ec_paramgen_curve:"), Piece::Fixed(curve)])
            }
            Self::Ed25519 => command.option("-newkey", "ed25519"),
            Self::Ed448 => command.option("-newkey", "ed448"),
        }
    }
}

/// Signs a request.
const CA: &str = "openssl ca -config ca.cnf -batch -notext";

/// `ca.cnf` up to the extensions of the leaf, which end it.
const CONFIGURATION: &[&str] = &[
    "[ca]",
    "default_ca = imitation",
    "[imitation]",
    "database = index.txt",
    "new_certs_dir = .",
    "rand_serial = yes",
    "unique_subject = no",
    "policy = policy",
    "[policy]",
    "commonName = supplied",
    "[req]",
    "distinguished_name = policy",
    "[authority]",
    "basicConstraints = critical,CA:TRUE",
    "subjectKeyIdentifier = hash",
    "[none]",
    "basicConstraints = CA:FALSE",
    "[leaf]",
    "basicConstraints = CA:FALSE",
];

/// Curves that OpenSSL makes keys on.
const CURVES: &[&str] = &["P-256", "P-384", "P-521", "secp256k1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"];
/// Names that the certificate made holds.
const MOST_NAMES: usize = 20;
/// Ten years.
const MOST_DAYS: u32 = 3650;
