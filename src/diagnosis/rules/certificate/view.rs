//! A handshake from the certificate's point of view: how the client took the certificate, what is known of the chain, and which of its faults
//! explains the end.
//!
//! One fault makes different clients send different alerts. So the client's alert picks among the faults that it can mean to a client of this
//! kind, in the order of [`manners`].

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use super::Fault;
use super::identity::{Identity, identify};
use super::reaction::{Reaction, is_curl, reaction};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{ChainFacts, PathEnd, Trust};
use crate::diagnosis::clock;
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::manners::{self, Meaning};
use crate::flow::Side;
use crate::handshake::facts::Outcome;
use crate::handshake::stack::{self, Speaker, Stack};
use crate::time::Timestamp;
use crate::tls::certificate::{Certificate, PublicKey};
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{AlertDescription as A, HandshakeType, KeyExchange, NamedGroup, ProtocolVersion};

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
pub(super) struct CertificateView<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) chain: Option<&'a ChainFacts>,
    pub(super) source: Source,
    pub(super) reaction: Reaction,
    /// The faults that the reaction can mean, likeliest first.
    pub(super) candidates: Vec<&'static Fault>,
    /// The cause that explains what the client did, and how sure.
    pub(super) chosen: Option<(Cause, Confidence)>,
    /// Certificates of this server were seen in clear, and the hidden one is none of them by its size.
    pub(super) unlike_others: bool,
}

impl<'a> CertificateView<'a> {
    /// TLCP is spoken, in which a server has two certificates: one to sign and one to encrypt.
    pub(super) fn is_tlcp(&self) -> bool {
        self.case.handshake.version() == Some(ProtocolVersion::TLCP)
    }

    /// `None`: the server's certificate is not at issue.
    pub(super) fn new(case: &'a Case<'a>) -> Option<Self> {
        let handshake = case.handshake;
        let reaction = reaction(case);
        let raw_key = handshake.server_chain.as_ref().is_some_and(|seen| seen.what.raw_key.is_some());
        if reaction == Reaction::WentOn && case.chain.is_none() && !raw_key {
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
        let mut view = Self { case, chain, source, reaction, candidates: Vec::new(), chosen: None, unlike_others };
        if let Some(meaning) = view.meaning() {
            view.candidates = candidates(meaning);
            view.chosen = view.choose();
        }
        Some(view)
    }

    /// What the reaction can mean. `None`: nothing about a certificate.
    fn meaning(&self) -> Option<Meaning> {
        match self.reaction {
            Reaction::Alert { alert, .. } => manners::meanings(self.speaker(), alert),
            Reaction::HiddenAlert { .. } | Reaction::Left { .. } | Reaction::LeftAfter { .. } | Reaction::Waited { .. } => {
                Some(Meaning::WHATEVER)
            }
            Reaction::WentOn => None,
        }
    }

    /// The server sent its public key alone.
    pub(super) fn raw_key(&self) -> bool {
        self.case.handshake.server_chain.as_ref().is_some_and(|seen| seen.what.raw_key.is_some())
    }

    /// Why the certificate cannot be read, where it cannot: what is true of it here.
    pub(super) fn hidden(&self) -> &'static str {
        if self.raw_key() {
            "is its public key alone"
        } else if self.case.handshake.is_tls13() {
            "was encrypted"
        } else {
            "is not in this capture"
        }
    }

    /// What it takes to read it.
    pub(super) fn to_read_it(&self) -> &'static str {
        if self.case.handshake.is_tls13() { "supply a key log (SSLKEYLOGFILE)" } else { "capture whole packets of both sides" }
    }

    /// The client's library.
    pub(super) fn speaker(&self) -> Option<Speaker> {
        stack::of_client(self.case.handshake)
    }

    /// Where a fault stands; `None` when it is neither true nor the explanation.
    pub(super) fn standing(&self, fault: &Fault) -> Option<Standing> {
        match self.chosen {
            Some((chosen, confidence)) if chosen == fault.cause => Some(Standing::Chosen(confidence)),
            _ => ((self.is_seen() || self.raw_key()) && (fault.is_true)(self)).then_some(Standing::AlsoTrue),
        }
    }

    /// The cause that explains what the client did, and how sure.
    fn choose(&self) -> Option<(Cause, Confidence)> {
        let found = self.candidates.iter().find(|fault| (fault.is_true)(self) && (fault.may_explain)(self));
        let Some(fault) = found.filter(|_| self.chain.is_some() || self.raw_key()) else { return self.by_code() };
        let most = match self.source {
            Source::Known { sole: true } => Confidence::Strong,
            Source::Known { sole: false } => Confidence::Likely,
            Source::Seen | Source::Hidden => Confidence::Certain,
        };
        Some((fault.cause, self.confidence(fault).min(most)))
    }

    /// Whether the chain, or what is known of it, has this fault.
    pub(super) fn is_true(&self, cause: Cause) -> bool {
        Fault::of(cause).is_some_and(|fault| (fault.is_true)(self))
    }

    /// The chain was seen in this handshake.
    pub(super) fn is_seen(&self) -> bool {
        self.source == Source::Seen
    }

    /// The chain, for what is said of it beyond its leaf and rests on its signatures: what nobody verified is no fault of the chain's.
    pub(super) fn verified(&self) -> Option<&'a ChainFacts> {
        self.chain.filter(|chain| chain.unverified().is_none())
    }

    /// When the certificate was served; `None` where the capture's clock cannot be right.
    pub(super) fn at(&self) -> Option<Timestamp> {
        let handshake = self.case.handshake;
        let seen = handshake.server_chain.as_ref().map(|seen| seen.mark);
        let said = clock::date(handshake, seen.unwrap_or(handshake.flow.first).time)?;
        // Whole seconds, as certificates have them.
        Some(Timestamp::from_parts(said.seconds(), 0))
    }

    /// Whether the leaf covers the name that this client asked for.
    pub(super) fn covers_name(&self, chain: &ChainFacts) -> Option<bool> {
        match self.source {
            Source::Seen => chain.covers_name,
            _ => Some(chain.leaf()?.covers(&self.case.handshake.server_name()?)),
        }
    }

    /// Whether the leaf names the server's address, as it must for clients that connect by address.
    pub(super) fn covers_address(&self) -> bool {
        self.leaf().is_some_and(|leaf| leaf.ip_addresses.contains(&self.case.handshake.server.address))
    }

    /// The server's default certificate, and how that is known.
    pub(super) fn default_origin(&self, chain: &'a ChainFacts) -> Option<Cow<'a, str>> {
        if let Some(origin) = &chain.default_certificate {
            return Some(Cow::from(origin));
        }
        let leaf = chain.leaf()?;
        let unnamed = |other: &ChainFacts| other.name.is_none() && other.leaf().is_some_and(|other| other.sha256 == leaf.sha256);
        let known = self.case.knowledge.chains.iter().any(|other| unnamed(other));
        known.then_some(Cow::from("the certificate that this server sends to clients without SNI"))
    }

    /// The issuer that is not served is an intermediate: by an address to fetch it from, by its name, or because it is one in another chain.
    pub(super) fn looks_intermediate(&self, chain: &ChainFacts) -> bool {
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
    pub(super) fn untrusted(&self) -> bool {
        self.chain.is_some_and(|chain| match &chain.trust {
            Trust::Trusted | Trust::Unverified(_) => false,
            Trust::Unchecked => !chain.public,
            Trust::Untrusted { .. } => {
                !(chain.trust_unsupported && chain.public) && chain.certificates.iter().all(|certificate| certificate.malformed.is_none())
            }
        })
    }

    /// The key usage lets the leaf's key decrypt only, and this handshake has it sign.
    pub(super) fn signs_without_leave(&self, chain: &ChainFacts) -> bool {
        use KeyExchange as K;
        // The first of TLCP's two certificates signs, whatever the suite.
        let signs = self.is_tlcp()
            || self
                .case
                .handshake
                .cipher()
                .is_some_and(|suite| matches!(suite.key_exchange(), K::Tls13 | K::EcdheRsa | K::EcdheEcdsa | K::DheRsa | K::DheDss));
        signs && chain.leaf().is_some_and(|leaf| leaf.key_usage.is_some_and(|usage| usage & DIGITAL_SIGNATURE == 0))
    }

    /// The Certificate message, or the list of authorities in the CertificateRequest, meets the limits of common stacks.
    pub(super) fn too_large(&self) -> bool {
        let handshake = self.case.handshake;
        let whole = handshake.server_chain.as_ref().map_or(0, |seen| seen.what.message_len);
        let request = handshake.certificate_request.as_ref().map_or(0, |seen| seen.span.1.saturating_sub(seen.span.0));
        let request = usize::try_from(request).unwrap_or(usize::MAX);
        let part = handshake
            .partial_server_message
            .filter(|part| matches!(part.message.map(HandshakeType), Some(HandshakeType::CERTIFICATE | HandshakeType::CERTIFICATE_REQUEST)))
            .map_or(0, |part| part.want);
        // Without keys only full records show that the message is larger than one.
        let full_records = handshake.encrypted.server.iter().filter(|record| record.len >= FULL_RECORD).count();
        whole.max(part).max(request) >= LARGE_CHAIN || (handshake.is_tls13() && self.source != Source::Seen && full_records > 0)
    }

    fn confidence(&self, fault: &Fault) -> Confidence {
        match self.reaction {
            Reaction::Alert { alert, .. } if fault.said_by == Some(alert) => Confidence::Certain,
            Reaction::Alert { alert, .. } if (fault.doubtful)(self, Some(alert)) => Confidence::Likely,
            Reaction::Alert { alert: A::HANDSHAKE_FAILURE | A::INTERNAL_ERROR, .. } => Confidence::Likely,
            Reaction::HiddenAlert { .. } if (fault.doubtful)(self, None) => Confidence::Likely,
            Reaction::Alert { .. } | Reaction::HiddenAlert { .. } => Confidence::Strong,
            Reaction::Left { late: false, .. } | Reaction::Waited { .. } if fault.firm => Confidence::Strong,
            Reaction::LeftAfter { .. } if (fault.plain)(self) => Confidence::Strong,
            Reaction::Left { .. } | Reaction::Waited { .. } | Reaction::LeftAfter { .. } | Reaction::WentOn => Confidence::Likely,
        }
    }

    /// The certificate began to be valid so shortly before that a clock which is behind takes it for one of the future.
    pub(super) fn is_young(&self) -> bool {
        self.leaf().zip(self.at()).is_some_and(|(leaf, at)| at.since(leaf.not_before) < YOUNG)
    }

    /// What the alert alone says, when no fault of a known chain fits it.
    fn by_code(&self) -> Option<(Cause, Confidence)> {
        use Confidence::{Likely, Strong};
        let known = self.source != Source::Hidden;
        let rejected = Cause::ServerCertificateRejected;
        Some(match self.reaction {
            // Some say so of what is not yet valid, too (RFC 8446 section 6.2).
            Reaction::Alert { alert: A::CERTIFICATE_EXPIRED, .. } => {
                (Cause::CertificateExpired, if known || self.speaker().is_none() || self.others_went_on() { Likely } else { Strong })
            }
            Reaction::Alert { alert: A::CERTIFICATE_REVOKED, .. } => (Cause::CertificateRevoked, Strong),
            Reaction::Alert { alert: A::UNSUPPORTED_CERTIFICATE, .. } if known => (Cause::CertificateUnsupported, Likely),
            Reaction::Alert { alert: A::UNSUPPORTED_CERTIFICATE, .. } => (Cause::CertificateWrongUsage, Likely),
            // The store here trusts it: the client's is another, or it misses a revocation list.
            Reaction::Alert { alert: A::UNKNOWN_CA, .. } if known => (Cause::CertificateUntrustedCa, Likely),
            Reaction::Alert { alert: A::UNKNOWN_CA, .. } if self.one_public_certificate() => (Cause::ChainIncomplete, Likely),
            // A single certificate may lack its intermediate, or be self-signed.
            Reaction::Alert { alert: A::UNKNOWN_CA, .. } if self.one_certificate() => (Cause::CertificateUntrustedCa, Likely),
            Reaction::Alert { alert: A::UNKNOWN_CA, .. } => (Cause::CertificateUntrustedCa, Strong),
            Reaction::Alert { alert: A::BAD_CERTIFICATE_STATUS_RESPONSE, .. } => (Cause::MustStapleMissing, Likely),
            Reaction::Alert { alert: A::BAD_CERTIFICATE | A::DECRYPT_ERROR | A::INSUFFICIENT_SECURITY, .. }
            | Reaction::HiddenAlert { .. }
                if self.weak_key_by_size().is_some() =>
            {
                (Cause::CertificateWeakKey, Likely)
            }
            Reaction::Alert { alert: A::BAD_CERTIFICATE, .. } => self.bad_certificate(),
            // What a QUIC packet holds shows by its size alone, and not to the byte.
            Reaction::HiddenAlert { .. } if self.case.handshake.quic.is_some() => (rejected, Likely),
            Reaction::Alert { alert: A::CERTIFICATE_UNKNOWN, .. } | Reaction::HiddenAlert { .. } => (rejected, Strong),
            Reaction::Alert {
                alert: A::UNEXPECTED_MESSAGE | A::RECORD_OVERFLOW | A::ILLEGAL_PARAMETER | A::DECODE_ERROR | A::INTERNAL_ERROR,
                ..
            } if self.too_large() => (Cause::ChainTooLarge, Likely),
            // The program's own check said no.
            Reaction::Alert { alert: A::INTERNAL_ERROR, .. } if self.flight_was_whole() => (rejected, Likely),
            Reaction::Alert { alert: A::ACCESS_DENIED, .. } if self.is(&[Stack::Rustls, Stack::MbedTls]) => (rejected, Likely),
            Reaction::LeftAfter { quit: true, .. } => (rejected, Likely),
            Reaction::LeftAfter { meant: true, .. } if self.source == Source::Hidden => (rejected, Likely),
            Reaction::LeftAfter { .. } if self.staple_demanded() => (Cause::MustStapleMissing, Likely),
            // A root that the store here does not hold may be one that the client does not hold either.
            Reaction::LeftAfter { meant: true, .. }
                if self.untrusted() && self.case.knowledge.used_same_name == 0 && !self.case.knowledge.client_took_issuer =>
            {
                (rejected, Likely)
            }
            Reaction::Waited { .. } => (rejected, if self.is(&[Stack::S2n]) { Strong } else { Likely }),
            Reaction::Alert { .. } | Reaction::LeftAfter { .. } | Reaction::WentOn => return None,
            // OpenSSL says what it refuses. A reset without a word is that of a device in its name, or the program's own: Twisted compares
            // names in the middle of the handshake, and breaks off.
            Reaction::Left { reset: true, prompt: false, .. }
                if self.is(&[Stack::OpenSsl]) && !manners::checks_afterwards(self.speaker()) =>
            {
                (rejected, Confidence::Hint)
            }
            Reaction::Left { reset: true, .. } if is_curl(self.case) => (rejected, Confidence::Hint),
            Reaction::Left { .. } => (rejected, Likely),
        })
    }

    /// Under the same name others were served and went on, and this client never was: what it minds may lie with itself.
    pub(super) fn others_went_on(&self) -> bool {
        let knowledge = self.case.knowledge;
        let served = knowledge.related.iter().any(|other| other.same_name && other.outcome == Outcome::Completed);
        knowledge.used_same_name > 0 && !served
    }

    /// `bad_certificate` where nothing that is known of the chain explains it.
    fn bad_certificate(&self) -> (Cause, Confidence) {
        let known = self.source != Source::Hidden;
        let covered = self.chain.is_some_and(|chain| self.covers_name(chain) == Some(true));
        // To OpenSSL and JSSE it means a certificate of the future, where names and keys are in order. curl compares names itself, later.
        let of_the_future = self.is(&[Stack::OpenSsl]) && (covered || !known && is_curl(self.case)) || self.is(&[Stack::Jsse]);
        // One server has one certificate under one name: what another client's words leave is what these mean.
        let told = || self.case.knowledge.causes.iter().any(|(cause, _)| *cause == Cause::CertificateNotYetValid);
        if of_the_future || !known && self.is(&[Stack::OpenSsl]) && told() {
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

    /// No stapled status came with the chain, as far as the capture is whole.
    pub(super) fn no_staple_came(&self) -> bool {
        let handshake = self.case.handshake;
        self.is_seen() && handshake.staple.is_none() && handshake.flow.side(Side::Server).snaplen_cut == 0
    }

    /// Until when the stapled status was good, where that was over when it was served.
    pub(super) fn staple_is_old(&self) -> Option<Timestamp> {
        let staple = self.case.handshake.staple.as_ref().filter(|_| self.is_seen())?;
        staple.what.next_update.zip(self.at()).filter(|(until, at)| at > until).map(|(until, _)| until)
    }

    /// The client asked for a stapled status and got none, or an old one; it is no browser, which all ask. curl and OpenSSL ask only when told to insist.
    fn staple_demanded(&self) -> bool {
        let handshake = self.case.handshake;
        (self.no_staple_came() || self.staple_is_old().is_some())
            && !handshake.is_tls13()
            && is_curl(self.case)
            && handshake.hello().is_some_and(ClientHello::status_request)
            && self.case.knowledge.used_same_name == 0
    }

    /// The encrypted Certificate is of a size that one certificate has, and rarely two.
    fn one_certificate(&self) -> bool {
        self.case.handshake.hidden.server_certificate_record.is_some_and(|len| (300..=1900).contains(&len))
    }

    /// The encrypted Certificate has no room for a second one. How much one certificate takes depends on its key, which the size of the `CertificateVerify`
    /// tells; of one with a small key the issuer's signature may take more than the rest, so that only a very small message is sure to hold no second.
    pub(super) fn room_for_one(&self) -> bool {
        let hidden = &self.case.handshake.hidden;
        let most = match self.key_by_size() {
            Some(Key::Rsa(bytes)) => ONE_WITH_RSA.saturating_add(bytes.saturating_sub(RSA_2048)),
            Some(Key::Curve) => ONE_WITH_CURVE,
            None => return false,
        };
        self.source == Source::Hidden && hidden.server_certificate_record.is_some_and(|len| (LEAST_ONE..=most).contains(&len))
    }

    /// What key signed, by the size of the encrypted `CertificateVerify`: header 4, algorithm 2, length 2, content type 1, tag 16.
    fn key_by_size(&self) -> Option<Key> {
        match self.case.handshake.hidden.certificate_verify_record?.checked_sub(25)? {
            64..=72 => Some(Key::Curve),
            bytes @ (256 | 384 | 512) => Some(Key::Rsa(bytes)),
            _ => None,
        }
    }

    /// A single certificate on a server with a public address, where private authorities are rare, and of a size that a public authority's has, with its
    /// timestamps of certificate transparency and addresses: the usual self-signed one is smaller.
    fn one_public_certificate(&self) -> bool {
        let handshake = self.case.handshake;
        let public = match handshake.server.address {
            IpAddr::V4(address) => {
                !(address.is_private() || address.is_loopback() || address.is_link_local() || address.is_documentation())
            }
            IpAddr::V6(address) => !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()),
        };
        let least = match self.key_by_size() {
            Some(Key::Rsa(bytes)) => PUBLIC_WITH_RSA.saturating_add(bytes.saturating_sub(RSA_2048)),
            Some(Key::Curve) => PUBLIC_WITH_CURVE,
            None => 0,
        };
        public && self.one_certificate() && handshake.hidden.server_certificate_record.is_some_and(|len| len >= least)
    }

    /// The bits of an RSA key, when the size of the encrypted `CertificateVerify` shows one that is too small.
    pub(super) fn weak_key_by_size(&self) -> Option<u32> {
        // Header 4, algorithm 2, length 2, content type 1, tag 16: 25 bytes beside the signature.
        match self.case.handshake.hidden.certificate_verify_record? {
            153 if self.source != Source::Seen => Some(1024),
            281 if self.source != Source::Seen && self.group_floor().is_some() => Some(2048),
            _ => None,
        }
    }

    /// The smallest group of a finite field that a client lists which refused, where that is more than the usual least, of 2048 bits. A library that is
    /// told to be strict (security level 3, SECURE256, a policy like FUTURE) leaves out of its hello what it would refuse, and RSA keys weigh as such groups do.
    pub(super) fn group_floor(&self) -> Option<NamedGroup> {
        let refused = matches!(self.reaction, Reaction::Alert { .. } | Reaction::HiddenAlert { .. });
        let fields = |group: &NamedGroup| (NamedGroup::FFDHE2048.0..=NamedGroup::FFDHE8192.0).contains(&group.0);
        let least =
            self.case.handshake.last_hello().filter(|_| refused)?.what.supported_groups().filter(fields).min_by_key(|group| group.0);
        least.filter(|group| *group != NamedGroup::FFDHE2048)
    }

    /// A certificate on the path with an RSA key that is smaller than all groups of this client.
    pub(super) fn below_floor(&self) -> Option<(&Certificate, NamedGroup)> {
        let floor = self.group_floor()?;
        let chain = self.chain?;
        let small = |certificate: &&Certificate| matches!(certificate.key, PublicKey::Rsa { bits } | PublicKey::RsaPss { bits } if (1..3072).contains(&bits));
        chain.path.iter().filter_map(|index| chain.certificate(*index)).find(small).map(|certificate| (certificate, floor))
    }
}

/// What a server's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// RSA, with signatures of so many bytes.
    Rsa(u16),
    /// On a curve of 256 bits.
    Curve,
}

/// Signatures of the usual RSA key.
const RSA_2048: u16 = 256;
/// No certificate takes a smaller message.
const LEAST_ONE: u16 = 300;
/// The most that one certificate takes, with such a key, where a second one of any kind would not fit.
const ONE_WITH_RSA: u16 = 1_300;
const ONE_WITH_CURVE: u16 = 800;
/// The least that a public authority's certificate takes.
const PUBLIC_WITH_RSA: u16 = 1_150;
const PUBLIC_WITH_CURVE: u16 = 800;

/// The faults of a meaning, likeliest first.
pub(super) fn candidates(meaning: Meaning) -> Vec<&'static Fault> {
    let first = meaning.first.iter().filter_map(|cause| Fault::of(*cause));
    let others = Fault::by_rank().iter().copied().filter(|fault| meaning.or_others && !meaning.first.contains(&fault.cause));
    first.chain(others).collect()
}

/// A certificate younger than this may be of the future to a client whose clock is behind.
const YOUNG: Duration = Duration::from_secs(2 * 86_400);

/// A Certificate message of this size in bytes meets the limits of common stacks (32 KiB in JSSE, 64 KiB in Go, 100 KiB in OpenSSL).
const LARGE_CHAIN: usize = 32 << 10;

/// Length of a TLS 1.3 record that is full.
const FULL_RECORD: u16 = 1 << 14;

/// keyUsage bit 0 (RFC 5280 section 4.2.1.3).
const DIGITAL_SIGNATURE: u16 = 1;
