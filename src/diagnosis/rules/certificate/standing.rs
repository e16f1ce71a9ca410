//! What all rules of the family share: how the client took the certificate, which faults the chain has, and which of them explains the end.
//!
//! Several faults can be true at once, and one fault makes different clients send different alerts. So the chain's faults come first, as facts
//! at the handshake's time; the client's alert then picks among those it can mean to a client of this kind, in the order of
//! [`super::reaction::candidates`]. Every rule asks for the [`Standing`] of its own cause.

use std::net::IpAddr;
use std::time::Duration;

use super::identity::{Identity, identify};
use super::reaction::{Reaction, candidates, is_curl, reaction};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{ChainFacts, PathEnd, Trust};
use crate::diagnosis::manners;
use crate::diagnosis::rule::{Case, Confidence};
use crate::flow::Side;
use crate::handshake::stack::{self, Speaker, Stack};
use crate::time::Timestamp;
use crate::tls::certificate::SignatureHash;
use crate::tls::client_hello::ClientHello;
use crate::tls::message::OcspStatus;
use crate::tls::registry::KeyExchange;

/// Where a cause stands in this handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It explains the end.
    Chosen(Confidence),
    /// It is true of the chain; something else explains the end, or nothing ended.
    AlsoTrue,
}

/// How the chain is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// It was seen in this handshake, in clear or decrypted.
    Seen,
    /// It was encrypted, and has to the byte the size of one that the same server showed elsewhere in the capture.
    Known {
        /// No other certificate of this server fits.
        sole: bool,
    },
    /// It is not known.
    Hidden,
}

/// A handshake from the certificate's point of view.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) chain: Option<&'a ChainFacts>,
    pub(super) source: Source,
    pub(super) reaction: Reaction,
    /// Certificates of this server were seen in clear, and the hidden one is none of them by its size.
    pub(super) unlike_others: bool,
}

impl<'a> View<'a> {
    /// `None`: the server's certificate is not at issue.
    pub(super) fn new(case: &'a Case<'a>) -> Option<Self> {
        let handshake = case.handshake;
        let reaction = reaction(case);
        if reaction == Reaction::WentOn && case.chain.is_none() {
            return None;
        }
        if handshake.resumption.is_some() && case.chain.is_none() {
            return None;
        }
        let mut unlike_others = false;
        let (chain, source) = match case.chain {
            Some(chain) => (Some(chain), Source::Seen),
            None => match identify(case) {
                Identity::Known { chain, sole } => (Some(chain.facts.as_ref()), Source::Known { sole }),
                other => {
                    unlike_others = matches!(other, Identity::Other);
                    (None, Source::Hidden)
                }
            },
        };
        Some(Self { case, chain, source, reaction, unlike_others })
    }

    /// The client's library.
    pub(super) fn speaker(&self) -> Option<Speaker> {
        stack::of_client(self.case.handshake)
    }

    /// Where a cause stands; `None` when it is neither true nor the explanation.
    pub(super) fn standing(&self, cause: Cause) -> Option<Standing> {
        match self.choose() {
            Some((chosen, confidence)) if chosen == cause => return Some(Standing::Chosen(confidence)),
            _ => {}
        }
        (self.source == Source::Seen && self.is_true(cause)).then_some(Standing::AlsoTrue)
    }

    /// The cause that explains what the client did, and how sure.
    pub(super) fn choose(&self) -> Option<(Cause, Confidence)> {
        if self.reaction == Reaction::WentOn {
            return None;
        }
        let candidates = candidates(self.case, self.reaction)?;
        if self.chain.is_some() {
            let found = candidates.iter().copied().find(|cause| self.is_true(*cause) && self.may_explain(*cause));
            if let Some(cause) = found {
                let confidence = match (self.confidence(cause), self.source) {
                    (confidence, Source::Known { sole: true }) => confidence.min(Confidence::Strong),
                    (confidence, Source::Known { sole: false }) => confidence.min(Confidence::Likely),
                    (confidence, _) => confidence,
                };
                return Some((cause, confidence));
            }
        }
        self.by_code()
    }

    /// Whether the chain, or what is known of it, has this fault.
    pub(super) fn is_true(&self, cause: Cause) -> bool {
        let handshake = self.case.handshake;
        let Some(chain) = self.chain else { return cause == Cause::ChainTooLarge && self.too_large() };
        let leaf = chain.leaf();
        let self_signed = chain.end == PathEnd::SelfSignedLeaf;
        let missing = matches!(chain.end, PathEnd::MissingIssuer { .. });
        // What nobody verified is no fault of the chain's.
        if chain.unverified().is_some() && is_about_the_path(cause) {
            return false;
        }
        match cause {
            Cause::CertificateExpired => leaf.is_some_and(|leaf| leaf.malformed.is_none() && self.at() > leaf.not_after),
            Cause::CertificateNotYetValid => leaf.is_some_and(|leaf| leaf.malformed.is_none() && self.at() < leaf.not_before),
            Cause::IntermediateExpired => chain.expired_intermediates().next().is_some(),
            Cause::CertificateSelfSigned => self_signed && chain.trust != Trust::Trusted,
            Cause::CertificateUntrustedCa => !self_signed && Self::untrusted(chain),
            Cause::ChainIncomplete => missing && chain.trust != Trust::Trusted && self.looks_intermediate(chain),
            Cause::ChainMisordered => chain.leaf != 0 || !chain.bad_signatures.is_empty() || chain.misordered,
            Cause::CertificateNameMismatch => {
                self.covers_name(chain) == Some(false) && !(chain.common_name_only && self.at() < COMMON_NAME_IGNORED)
            }
            Cause::DefaultCertificate => self.covers_name(chain) == Some(false) && self.default_origin(chain).is_some(),
            Cause::CertificateRevoked => {
                self.source == Source::Seen
                    && handshake.staple.as_ref().is_some_and(|staple| staple.what.status == Some(OcspStatus::Revoked))
            }
            Cause::MustStapleMissing => {
                self.source == Source::Seen
                    && handshake.staple.is_none()
                    && handshake.flow.side(Side::Server).snaplen_cut == 0
                    && leaf.is_some_and(|leaf| leaf.must_staple)
                    && handshake.hello().is_some_and(ClientHello::status_request)
            }
            Cause::CertificateWrongUsage => !chain.usage_ok || (self.source == Source::Seen && self.signs_without_leave(chain)),
            Cause::CertificateConstraints => {
                // What only strict clients mind is a fault to one that says so.
                let strict = matches!(self.reaction, Reaction::Alert { code: 46, .. }) && self.is(&[Stack::OpenSsl]);
                !chain.violations.is_empty() || strict && chain.strict_fault.is_some()
            }
            Cause::CertificateWeakKey => !chain.weak_keys.is_empty(),
            Cause::CertificateWeakSignature => !chain.weak_signatures.is_empty(),
            Cause::CertificateUnsupported => chain.unsupported.is_some(),
            Cause::ChainTooLarge => self.too_large(),
            _ => false,
        }
    }

    /// When the certificate was served.
    pub(super) fn at(&self) -> Timestamp {
        let handshake = self.case.handshake;
        let seen = handshake.server_chain.as_ref().map(|seen| seen.mark);
        // Whole seconds, as certificates have them.
        Timestamp::from_parts(seen.unwrap_or(handshake.flow.first).time.seconds(), 0)
    }

    /// Whether the leaf covers the name that this client asked for.
    fn covers_name(&self, chain: &ChainFacts) -> Option<bool> {
        match self.source {
            Source::Seen => chain.covers_name,
            _ => Some(chain.leaf()?.covers(&self.case.handshake.server_name()?)),
        }
    }

    /// Whether the leaf names the server's address, as it must for clients that connect by address.
    fn covers_address(&self) -> bool {
        self.leaf().is_some_and(|leaf| leaf.ip_addresses.contains(&self.case.handshake.server.address))
    }

    /// The server's default certificate, and how that is known.
    pub(super) fn default_origin(&self, chain: &ChainFacts) -> Option<String> {
        if let Some(origin) = &chain.default_certificate {
            return Some(origin.clone());
        }
        let leaf = chain.leaf()?;
        let unnamed = |other: &ChainFacts| other.name.is_none() && other.leaf().is_some_and(|other| other.sha256 == leaf.sha256);
        self.case
            .knowledge
            .chains
            .iter()
            .any(|other| unnamed(other))
            .then(|| "the certificate that this server also serves to clients that name no host".to_owned())
    }

    /// The issuer that is not served is an intermediate: by an address to fetch it from, by its name, or because it is one in another chain.
    fn looks_intermediate(&self, chain: &ChainFacts) -> bool {
        let PathEnd::MissingIssuer { issuer, looks_intermediate, .. } = &chain.end else { return false };
        if *looks_intermediate {
            return true;
        }
        let elsewhere = |other: &ChainFacts| {
            other.certificates.iter().any(|certificate| certificate.subject == *issuer && certificate.is_ca() && !certificate.self_issued)
        };
        self.case.knowledge.chains.iter().any(|other| elsewhere(other))
    }

    /// The chain's authority is not trusted by the store, nor by Mozilla's.
    fn untrusted(chain: &ChainFacts) -> bool {
        match &chain.trust {
            Trust::Trusted | Trust::Unverified(_) => false,
            Trust::Unchecked => !chain.public,
            Trust::Untrusted { .. } => {
                !(chain.trust_unsupported && chain.public) && chain.certificates.iter().all(|certificate| certificate.malformed.is_none())
            }
        }
    }

    /// The key usage lets the leaf's key decrypt only, and this handshake has it sign.
    pub(super) fn signs_without_leave(&self, chain: &ChainFacts) -> bool {
        use KeyExchange as K;
        let signs = self
            .case
            .handshake
            .cipher()
            .is_some_and(|suite| matches!(suite.key_exchange(), K::Tls13 | K::EcdheRsa | K::EcdheEcdsa | K::DheRsa | K::DheDss));
        signs && chain.leaf().is_some_and(|leaf| leaf.key_usage.is_some_and(|usage| usage & DIGITAL_SIGNATURE == 0))
    }

    pub(super) fn too_large(&self) -> bool {
        let handshake = self.case.handshake;
        let whole = handshake.server_chain.as_ref().map_or(0, |seen| seen.what.message_len);
        let request = handshake.certificate_request.as_ref().map_or(0, |seen| seen.span.1.saturating_sub(seen.span.0));
        let request = usize::try_from(request).unwrap_or(usize::MAX);
        let part = handshake
            .partial_server_message
            .filter(|part| matches!(part.message, Some(CERTIFICATE | CERTIFICATE_REQUEST)))
            .map_or(0, |part| part.want);
        // Without keys only full records show that the message is larger than one.
        let full_records = handshake.encrypted.server.iter().filter(|record| record.len >= FULL_RECORD).count();
        whole.max(part).max(request) >= LARGE_CHAIN || (handshake.is_tls13() && self.source != Source::Seen && full_records > 0)
    }

    /// A fault that is true of many chains whose clients are content needs more than a closed connection.
    fn may_explain(&self, cause: Cause) -> bool {
        let trust = matches!(cause, Cause::CertificateUntrustedCa);
        // Clients sort a chain: only a first certificate that is not the server's, or a signature that fails, stops them.
        if cause == Cause::ChainMisordered && self.chain.is_some_and(|chain| chain.leaf == 0 && chain.bad_signatures.is_empty()) {
            return false;
        }
        // A kind of key that is rare stops few clients, and those say so.
        let odd_key_only = || self.chain.is_some_and(|chain| chain.unsupported.as_ref().is_none_or(|odd| odd.kind_of_key));
        if cause == Cause::CertificateUnsupported && !matches!(self.reaction, Reaction::Alert { code: 43, .. }) && odd_key_only() {
            return false;
        }
        // What is weak is a matter of the client's age and policy: such a client says so, and before 2017 hardly one minded SHA-1.
        let weak = matches!(cause, Cause::CertificateWeakSignature | Cause::CertificateWeakKey);
        if weak && matches!(self.reaction, Reaction::Left { .. } | Reaction::LeftAfter { .. }) {
            return false;
        }
        if cause == Cause::CertificateWeakSignature && self.case.handshake.flow.first.time < SHA1_REFUSED && self.only_sha1() {
            return false;
        }
        let unknown_ca = matches!(self.reaction, Reaction::Alert { code: 48, .. });
        if (trust || cause == Cause::ChainIncomplete) && !unknown_ca {
            // It took this authority before; and a library with a code of its own for unknown authorities would have used that.
            if self.case.knowledge.client_took_issuer {
                return false;
            }
            if let Reaction::Alert { code, .. } = self.reaction
                && manners::speaks_of_unknown_ca_otherwise(self.speaker(), code)
            {
                return false;
            }
            // Without a name asked for, the client may have expected one that this certificate does not cover.
            if matches!(self.reaction, Reaction::Alert { .. })
                && trust
                && self.case.handshake.server_name().is_none()
                && !self.covers_address()
            {
                return false;
            }
        }
        match self.reaction {
            Reaction::Left { .. } | Reaction::Waited { .. } => !trust && (self.source == Source::Seen || cause != Cause::ChainIncomplete),
            Reaction::LeftAfter { orderly, .. } => match cause {
                Cause::CertificateUntrustedCa | Cause::ChainTooLarge => false,
                // Tools that only look at a server, and take any chain, close in order.
                Cause::ChainIncomplete | Cause::CertificateSelfSigned => !orderly,
                _ => true,
            },
            _ => true,
        }
    }

    /// Nothing on the path is signed with anything weaker than SHA-1.
    fn only_sha1(&self) -> bool {
        self.chain.is_some_and(|chain| {
            chain
                .weak_signatures
                .iter()
                .filter_map(|index| chain.certificate(*index))
                .all(|weak| weak.signature_hash == SignatureHash::Sha1)
        })
    }

    fn confidence(&self, cause: Cause) -> Confidence {
        let firm = matches!(
            cause,
            Cause::CertificateExpired
                | Cause::CertificateNotYetValid
                | Cause::IntermediateExpired
                | Cause::CertificateNameMismatch
                | Cause::DefaultCertificate
                | Cause::CertificateRevoked
                | Cause::CertificateWrongUsage
                | Cause::CertificateConstraints
                | Cause::ChainMisordered
        );
        match self.reaction {
            Reaction::Alert { code, .. } => match (cause, code) {
                (Cause::CertificateExpired | Cause::IntermediateExpired, 45)
                | (Cause::CertificateRevoked, 44)
                | (Cause::CertificateWrongUsage, 43)
                | (Cause::CertificateSelfSigned, 48) => Confidence::Certain,
                // Another program on the same host took it: this one has a store of its own, or misses a revocation list.
                (Cause::CertificateUntrustedCa, 48) if self.case.knowledge.client_took_issuer => Confidence::Likely,
                (Cause::CertificateUntrustedCa, 48) => Confidence::Strong,
                // A private authority is normal; only a library that says everything by one code can mean it.
                (Cause::CertificateUntrustedCa | Cause::ChainIncomplete, _) if self.speaker().is_none() || self.is_young() => {
                    Confidence::Likely
                }
                (_, 40 | 80) => Confidence::Likely,
                (Cause::CertificateConstraints, 46) if self.chain.is_some_and(|chain| chain.violations.is_empty()) => Confidence::Likely,
                _ => Confidence::Strong,
            },
            Reaction::HiddenAlert { .. } if cause == Cause::CertificateUntrustedCa => Confidence::Likely,
            Reaction::HiddenAlert { .. } => Confidence::Strong,
            Reaction::Left { .. } | Reaction::Waited { .. } if firm => Confidence::Strong,
            _ => Confidence::Likely,
        }
    }

    /// The certificate began to be valid so shortly before that a clock which is behind takes it for one of the future.
    fn is_young(&self) -> bool {
        self.leaf().is_some_and(|leaf| self.at().since(leaf.not_before) < YOUNG)
    }

    /// What the alert alone says, when no fault of a known chain fits it.
    fn by_code(&self) -> Option<(Cause, Confidence)> {
        use Confidence::{Likely, Strong};
        let known = self.source != Source::Hidden;
        let rejected = Cause::ServerCertificateRejected;
        Some(match self.reaction {
            Reaction::Alert { code: 45, .. } => (Cause::CertificateExpired, if known { Likely } else { Strong }),
            Reaction::Alert { code: 44, .. } => (Cause::CertificateRevoked, Strong),
            Reaction::Alert { code: 43, .. } if known => (Cause::CertificateUnsupported, Likely),
            Reaction::Alert { code: 43, .. } => (Cause::CertificateWrongUsage, Likely),
            // The store here trusts it: the client's is another, or it misses a revocation list.
            Reaction::Alert { code: 48, .. } if known => (Cause::CertificateUntrustedCa, Likely),
            Reaction::Alert { code: 48, .. } if self.one_public_certificate() => (Cause::ChainIncomplete, Likely),
            // A single certificate may lack its intermediate, or be self-signed.
            Reaction::Alert { code: 48, .. } if self.one_certificate() => (Cause::CertificateUntrustedCa, Likely),
            Reaction::Alert { code: 48, .. } => (Cause::CertificateUntrustedCa, Strong),
            Reaction::Alert { code: 113, .. } => (Cause::MustStapleMissing, Likely),
            Reaction::Alert { code: 42 | 51 | 71, .. } | Reaction::HiddenAlert { .. } if self.weak_key_by_size().is_some() => {
                (Cause::CertificateWeakKey, Likely)
            }
            Reaction::Alert { code: 42, .. } => self.bad_certificate(),
            Reaction::Alert { code: 46, .. } | Reaction::HiddenAlert { .. } => (rejected, Strong),
            Reaction::Alert { code: 10 | 22 | 47 | 50 | 80, .. } if self.too_large() => (Cause::ChainTooLarge, Likely),
            // The program's own check said no.
            Reaction::Alert { code: 80, .. } if self.flight_was_whole() => (rejected, Likely),
            Reaction::Alert { code: 49, .. } if self.is(&[Stack::Rustls, Stack::MbedTls]) => (rejected, Likely),
            Reaction::LeftAfter { meant: true, .. } if self.source == Source::Hidden => (rejected, Likely),
            Reaction::LeftAfter { orderly: true, .. } if self.staple_demanded() => (Cause::MustStapleMissing, Likely),
            // A root that the store here does not hold may be one that the client does not hold either.
            Reaction::LeftAfter { meant: true, .. }
                if self.chain.is_some_and(Self::untrusted)
                    && self.case.knowledge.used_same_name == 0
                    && !self.case.knowledge.client_took_issuer =>
            {
                (rejected, Likely)
            }
            Reaction::Waited { .. } => (rejected, if self.is(&[Stack::S2n]) { Strong } else { Likely }),
            Reaction::Alert { .. } | Reaction::LeftAfter { .. } | Reaction::WentOn => return None,
            // OpenSSL says what it refuses. A reset without a word is the program's, or that of a device in its name.
            Reaction::Left { reset: true, .. } if self.is(&[Stack::OpenSsl]) && !manners::checks_afterwards(self.speaker()) => {
                (rejected, Confidence::Hint)
            }
            Reaction::Left { reset: true, .. } if is_curl(self.case) => (rejected, Confidence::Hint),
            Reaction::Left { .. } => (rejected, Likely),
        })
    }

    /// `bad_certificate` where nothing that is known of the chain explains it.
    fn bad_certificate(&self) -> (Cause, Confidence) {
        let known = self.source != Source::Hidden;
        let covered = self.chain.is_some_and(|chain| self.covers_name(chain) == Some(true));
        // To OpenSSL and JSSE it means a certificate of the future, where names and keys are in order. curl compares names itself, later.
        let of_the_future = self.is(&[Stack::OpenSsl]) && (covered || !known && is_curl(self.case)) || self.is(&[Stack::Jsse]);
        if of_the_future {
            return (Cause::CertificateNotYetValid, Confidence::Likely);
        }
        // Without a name it is the address that the certificate does not cover.
        if !known && self.is(&[Stack::OpenSsl, Stack::Rustls, Stack::Nss, Stack::MbedTls]) {
            return (Cause::CertificateNameMismatch, Confidence::Likely);
        }
        (Cause::ServerCertificateRejected, Confidence::Strong)
    }

    /// The client uses one of these libraries.
    pub(super) fn is(&self, stacks: &[Stack]) -> bool {
        self.speaker().is_some_and(|speaker| stacks.contains(&speaker.stack))
    }

    /// The server had sent all that it had to send.
    fn flight_was_whole(&self) -> bool {
        let handshake = self.case.handshake;
        let older = handshake.server_hello_done.is_some() && handshake.client_key_exchange.is_none();
        older || handshake.is_tls13() && handshake.encrypted.server.len() > 1 && handshake.finished.client.is_none()
    }

    /// The client asked for a stapled status and got none; it is no browser, which all ask. curl and OpenSSL ask only when told to insist.
    fn staple_demanded(&self) -> bool {
        let handshake = self.case.handshake;
        self.source == Source::Seen
            && !handshake.is_tls13()
            && handshake.staple.is_none()
            && handshake.flow.side(Side::Server).snaplen_cut == 0
            && is_curl(self.case)
            && handshake.hello().is_some_and(ClientHello::status_request)
            && self.case.knowledge.completed_same_name == 0
    }

    /// The encrypted Certificate is of a size that one certificate has, and rarely two.
    fn one_certificate(&self) -> bool {
        self.case.handshake.hidden.server_certificate_record.is_some_and(|len| (300..=1900).contains(&len))
    }

    /// The same, on a server with a public address, where private authorities are rare.
    fn one_public_certificate(&self) -> bool {
        let handshake = self.case.handshake;
        let public = match handshake.server.address {
            IpAddr::V4(address) => {
                !(address.is_private() || address.is_loopback() || address.is_link_local() || address.is_documentation())
            }
            IpAddr::V6(address) => !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()),
        };
        public && self.one_certificate()
    }

    /// The bits of an RSA key, when the size of the encrypted `CertificateVerify` shows one that is too small.
    pub(super) fn weak_key_by_size(&self) -> Option<u32> {
        // Header 4, algorithm 2, length 2, content type 1, tag 16: 25 bytes beside the signature.
        match self.case.handshake.hidden.certificate_verify_record? {
            153 if self.source != Source::Seen => Some(1024),
            _ => None,
        }
    }
}

/// What is said of a chain beyond its leaf, and rests on its signatures.
const fn is_about_the_path(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::IntermediateExpired
            | Cause::CertificateSelfSigned
            | Cause::CertificateUntrustedCa
            | Cause::ChainIncomplete
            | Cause::ChainMisordered
            | Cause::CertificateConstraints
    )
}

/// 2017-01-01, when browsers and libraries had begun to refuse SHA-1.
const SHA1_REFUSED: Timestamp = Timestamp::from_parts(1_483_228_800, 0);

/// 2017-04-01, when browsers had begun to overlook the common name.
const COMMON_NAME_IGNORED: Timestamp = Timestamp::from_parts(1_491_004_800, 0);

/// A certificate younger than this may be of the future to a client whose clock is behind.
const YOUNG: Duration = Duration::from_secs(2 * 86_400);

/// A Certificate message of this size in bytes meets the limits of common stacks (32 KiB in JSSE, 64 KiB in Go, 100 KiB in OpenSSL).
const LARGE_CHAIN: usize = 32 << 10;

/// Length of a TLS 1.3 record that is full.
const FULL_RECORD: u16 = 1 << 14;

/// keyUsage bit 0 (RFC 5280 section 4.2.1.3).
const DIGITAL_SIGNATURE: u16 = 1;

/// Handshake type of a Certificate.
const CERTIFICATE: u8 = 11;

/// Handshake type of a CertificateRequest: a list of authorities can be as long.
const CERTIFICATE_REQUEST: u8 = 13;
