//! What all rules of the family share: how the client took the certificate, which faults the chain has, and which of them explains the end.
//!
//! Several faults can be true at once, and one fault makes different clients send different alerts. So the chain's faults come first, as facts
//! at the handshake's time; the client's alert then picks among those it can mean, in the order of [`super::reaction::candidates`]. Every rule asks for the
//! [`Standing`] of its own cause.

use std::borrow::Cow;
use std::net::IpAddr;

use super::reaction::{Reaction, asks_like_curl, candidates, reaction};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{self, ChainFacts, PathEnd, Trust};
use crate::diagnosis::rule::{Case, Confidence, Finding, Weight};
use crate::handshake::facts::StoppedBy;
use crate::time::Timestamp;
use crate::tls::certificate::{Certificate, SignatureHash};
use crate::tls::client_hello::ClientHello;
use crate::tls::message::OcspStatus;
use crate::tls::registry::{AlertDescription, KeyExchange};

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
    /// The same server showed it in another handshake of the capture; here it was encrypted.
    Elsewhere,
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
        let hidden = handshake.is_tls13() || handshake.server_hello.is_none();
        let (chain, source) = match (case.chain, case.knowledge.chains.first()) {
            (Some(chain), _) => (Some(chain), Source::Seen),
            (None, Some(chain)) if hidden => (Some(chain.as_ref()), Source::Elsewhere),
            _ => (None, Source::Hidden),
        };
        Some(Self { case, chain, source, reaction })
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
        let candidates = candidates(self.reaction)?;
        if self.chain.is_some() {
            let found = candidates.iter().copied().find(|cause| self.is_true(*cause) && self.may_explain(*cause));
            if let Some(cause) = found {
                let confidence = self.confidence(cause);
                return Some((cause, if self.source == Source::Elsewhere { confidence.lowered() } else { confidence }));
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
            Cause::CertificateExpired => chain.leaf_expired(),
            Cause::CertificateNotYetValid => chain.leaf_not_yet_valid(),
            Cause::IntermediateExpired => chain.expired_intermediates().next().is_some(),
            Cause::CertificateSelfSigned => self_signed && chain.trust != Trust::Trusted,
            Cause::CertificateUntrustedCa => !self_signed && Self::untrusted(chain),
            Cause::ChainIncomplete => missing && chain.trust != Trust::Trusted && self.looks_intermediate(chain),
            Cause::ChainMisordered => chain.leaf != 0 || !chain.bad_signatures.is_empty() || chain.misordered,
            Cause::CertificateNameMismatch => self.covers_name(chain) == Some(false),
            Cause::DefaultCertificate => self.covers_name(chain) == Some(false) && self.default_origin(chain).is_some(),
            Cause::CertificateRevoked => {
                self.source == Source::Seen
                    && handshake.staple.as_ref().is_some_and(|staple| staple.what.status == Some(OcspStatus::Revoked))
            }
            Cause::MustStapleMissing => {
                self.source == Source::Seen
                    && handshake.staple.is_none()
                    && leaf.is_some_and(|leaf| leaf.must_staple)
                    && handshake.hello().is_some_and(ClientHello::status_request)
            }
            Cause::CertificateWrongUsage => !chain.usage_ok || (self.source == Source::Seen && self.signs_without_leave(chain)),
            Cause::CertificateConstraints => !chain.violations.is_empty(),
            Cause::CertificateWeakKey => !chain.weak_keys.is_empty(),
            Cause::CertificateWeakSignature => !chain.weak_signatures.is_empty(),
            Cause::CertificateUnsupported => chain.unsupported.is_some(),
            Cause::ChainTooLarge => self.too_large(),
            _ => false,
        }
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

    fn too_large(&self) -> bool {
        let handshake = self.case.handshake;
        let whole = handshake.server_chain.as_ref().map_or(0, |seen| seen.what.message_len);
        let part = handshake.partial_server_message.filter(|part| part.message == Some(CERTIFICATE)).map_or(0, |part| part.want);
        // Without keys only full records show that the message is larger than one.
        let full_records = handshake.encrypted.server.iter().filter(|record| record.len >= FULL_RECORD).count();
        whole.max(part) >= LARGE_CHAIN || (handshake.is_tls13() && self.source != Source::Seen && full_records > 0)
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
        if cause == Cause::CertificateWeakSignature && self.case.handshake.tcp.first.time < SHA1_REFUSED && self.only_sha1() {
            return false;
        }
        match self.reaction {
            Reaction::Left { .. } => !trust && (self.source == Source::Seen || cause != Cause::ChainIncomplete),
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
                (Cause::CertificateUntrustedCa, 48) => Confidence::Strong,
                // With no name asked for, the client may have expected one that this certificate does not cover.
                (Cause::CertificateUntrustedCa, _) if self.case.handshake.server_name().is_none() && !self.covers_address() => {
                    Confidence::Hint
                }
                (_, 40) => Confidence::Likely,
                _ => Confidence::Strong,
            },
            Reaction::HiddenAlert { .. } => Confidence::Strong,
            Reaction::Left { .. } if firm => Confidence::Strong,
            _ => Confidence::Likely,
        }
    }

    /// What the alert alone says, when no fault of a known chain fits it.
    fn by_code(&self) -> Option<(Cause, Confidence)> {
        let known = self.source != Source::Hidden;
        let rejected = Cause::ServerCertificateRejected;
        Some(match self.reaction {
            Reaction::Alert { code: 45, .. } => (Cause::CertificateExpired, if known { Confidence::Likely } else { Confidence::Strong }),
            Reaction::Alert { code: 44, .. } => (Cause::CertificateRevoked, Confidence::Strong),
            Reaction::Alert { code: 43, .. } if known => (Cause::CertificateUnsupported, Confidence::Likely),
            Reaction::Alert { code: 43, .. } => (Cause::CertificateWrongUsage, Confidence::Likely),
            Reaction::Alert { code: 48, .. } if known => (Cause::CertificateUntrustedCa, Confidence::Strong),
            Reaction::Alert { code: 48, .. } if self.one_public_certificate() => (Cause::ChainIncomplete, Confidence::Likely),
            // A single certificate may lack its intermediate, or be self-signed.
            Reaction::Alert { code: 48, .. } if self.one_certificate() => (Cause::CertificateUntrustedCa, Confidence::Likely),
            Reaction::Alert { code: 48, .. } => (Cause::CertificateUntrustedCa, Confidence::Strong),
            Reaction::Alert { code: 113, .. } => (Cause::MustStapleMissing, Confidence::Likely),
            Reaction::Alert { code: 42 | 51 | 71, .. } | Reaction::HiddenAlert { .. } if self.weak_key_by_size().is_some() => {
                (Cause::CertificateWeakKey, Confidence::Likely)
            }
            // curl compares names itself, when the handshake is done: what its TLS library calls bad is something else.
            Reaction::Alert { code: 42, .. } if !known && asks_like_curl(self.case) => (Cause::CertificateNotYetValid, Confidence::Likely),
            Reaction::Alert { code: 42, .. } if !known && self.case.handshake.server_name().is_some() => {
                (Cause::CertificateNameMismatch, Confidence::Likely)
            }
            Reaction::Alert { code: 42 | 46, .. } | Reaction::HiddenAlert { .. } => (rejected, Confidence::Strong),
            Reaction::Alert { code: 10 | 22 | 47 | 50 | 80, .. } if self.too_large() => (Cause::ChainTooLarge, Confidence::Likely),
            Reaction::LeftAfter { .. } if self.source == Source::Hidden => (rejected, Confidence::Likely),
            Reaction::LeftAfter { orderly: true, .. } if self.staple_demanded() => (Cause::MustStapleMissing, Confidence::Likely),
            Reaction::Alert { .. } | Reaction::LeftAfter { .. } | Reaction::WentOn => return None,
            Reaction::Left { reset, .. } => (rejected, if reset { Confidence::Hint } else { Confidence::Likely }),
        })
    }

    /// The client asked for a stapled status and got none; it is no browser, which all ask. curl and OpenSSL ask only when told to insist.
    fn staple_demanded(&self) -> bool {
        let handshake = self.case.handshake;
        self.source == Source::Seen
            && !handshake.is_tls13()
            && handshake.staple.is_none()
            && asks_like_curl(self.case)
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

    /// Host name, or address and port.
    pub(super) fn target(&self) -> Cow<'a, str> {
        self.case.handshake.name().unwrap_or_else(|| Cow::Owned(self.case.handshake.server.to_string()))
    }

    /// The leaf certificate.
    pub(super) fn leaf(&self) -> Option<&'a Certificate> {
        self.chain.and_then(ChainFacts::leaf)
    }

    /// `The certificate of TARGET`, with the certificate's own name where that is another.
    pub(super) fn certificate(&self) -> String {
        let target = self.target();
        match self.leaf().map(Certificate::display_name) {
            Some(name) if !name.eq_ignore_ascii_case(&target) => format!("The certificate of {target} ({name})"),
            _ => format!("The certificate of {target}"),
        }
    }

    /// What the client did, as the end of a sentence.
    pub(super) fn reaction_clause(&self) -> String {
        match self.reaction {
            Reaction::Alert { code, .. } => format!("the client refused it with alert {} ({code})", AlertDescription(code)),
            Reaction::HiddenAlert { .. } => "the client answered it with an encrypted alert".to_owned(),
            Reaction::Left { reset: true, .. } => "the client reset the connection right after it".to_owned(),
            Reaction::Left { reset: false, .. } => "the client closed the connection right after it".to_owned(),
            Reaction::LeftAfter { .. } => "the client finished the handshake and closed at once without sending any data".to_owned(),
            Reaction::WentOn => "the client did not mind".to_owned(),
        }
    }

    /// A finding of this standing, with the frames that show it. `summary` ends without a full stop; what the client did is added.
    pub(super) fn finding(&self, cause: Cause, standing: Standing, summary: String) -> Finding {
        let (weight, confidence, clause) = match standing {
            Standing::Chosen(confidence) if matches!(self.reaction, Reaction::Left { .. }) && cause == Cause::ServerCertificateRejected => {
                (Weight::Fallback, confidence, self.reaction_clause())
            }
            Standing::Chosen(confidence) => (Weight::Explains, confidence, self.reaction_clause()),
            Standing::AlsoTrue if self.reaction == Reaction::WentOn => (Weight::Note, Confidence::Certain, String::new()),
            Standing::AlsoTrue => (Weight::Note, Confidence::Likely, String::new()),
        };
        let mut text = summary;
        if self.source == Source::Elsewhere {
            text.push_str(" (as seen in another handshake with this server; here it was encrypted)");
        }
        if !clause.is_empty() {
            text.push_str("; ");
            text.push_str(&clause);
        }
        text.push('.');
        let mut finding = Finding::new(cause, confidence, text).weight(weight);
        finding.evidence.reserve_exact(2);
        if let Some(seen) = &self.case.handshake.server_chain
            && let Some(leaf) = self.leaf()
        {
            // Notes are made of many handshakes, and only their frames are told.
            let text = if weight == Weight::Note { String::new() } else { chain::served(seen.what.certificates.len(), leaf) };
            finding = finding.shown_by(seen.mark, text);
        }
        if weight == Weight::Note {
            return finding;
        }
        finding = finding.stopped_by(StoppedBy::Client);
        match self.reaction {
            Reaction::Alert { code, mark } => finding.shown_by(mark, format!("client sent alert {} ({code})", AlertDescription(code))),
            Reaction::HiddenAlert { mark } => {
                finding.shown_by(mark, "client sent an encrypted record of an alert's size, and nothing more")
            }
            Reaction::Left { mark, reset } => finding.shown_by(
                mark,
                format!("client sent {} without an alert", crate::diagnosis::view::View::new(self.case.handshake).closing_word(reset)),
            ),
            Reaction::LeftAfter { mark, .. } => finding.shown_by(mark, "client closed without having sent application data"),
            Reaction::WentOn => finding,
        }
    }

    /// Other causes that what the client did can mean, for a finding that is not certain: first what else is wrong with the chain, then,
    /// where the chain is not known, what the alert commonly means.
    pub(super) fn alternatives(&self, chosen: Cause) -> Vec<Cause> {
        let candidates = candidates(self.reaction).unwrap_or_default();
        let mut out: Vec<Cause> = candidates.iter().copied().filter(|cause| *cause != chosen && self.is_true(*cause)).collect();
        if self.source != Source::Seen {
            let common: &[Cause] = match self.reaction {
                Reaction::Alert { code: 45, .. } => &[Cause::IntermediateExpired, Cause::CertificateNotYetValid],
                Reaction::Alert { code: 48, .. } => &[Cause::CertificateUntrustedCa, Cause::ChainIncomplete, Cause::CertificateSelfSigned],
                Reaction::Alert { code: 42, .. } if asks_like_curl(self.case) => &[
                    Cause::CertificateNotYetValid,
                    Cause::CertificateWeakSignature,
                    Cause::CertificateWeakKey,
                    Cause::CertificateNameMismatch,
                ],
                Reaction::Alert { code: 42, .. } => &[
                    Cause::CertificateNameMismatch,
                    Cause::CertificateNotYetValid,
                    Cause::CertificateWeakSignature,
                    Cause::CertificateUntrustedCa,
                ],
                Reaction::Alert { code: 43, .. } => &[Cause::CertificateWrongUsage, Cause::CertificateUnsupported],
                Reaction::Alert { code: 44 | 113, .. } => &[Cause::CertificateRevoked, Cause::MustStapleMissing],
                _ => &[
                    Cause::CertificateUntrustedCa,
                    Cause::CertificateExpired,
                    Cause::CertificateNameMismatch,
                    Cause::ChainIncomplete,
                    Cause::CertificateSelfSigned,
                ],
            };
            out.extend(common.iter().copied().filter(|cause| *cause != chosen && !out.contains(cause)).collect::<Vec<_>>());
        }
        out.truncate(5);
        out
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

/// A sentence of its parts, with room for the full stop: for what is noted of many handshakes, where the general formatter would take longest.
pub(super) fn sentence(parts: &[&str]) -> String {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 1);
    text.extend(parts.iter().copied());
    text
}

/// A date.
pub(super) fn day(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split_once('T').map_or_else(|| text.clone(), |(day, _)| day.to_owned())
}

/// A span of days for a sentence.
pub(super) fn days_text(days: i64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// 2017-01-01, when browsers and libraries had begun to refuse SHA-1.
const SHA1_REFUSED: Timestamp = Timestamp::from_parts(1_483_228_800, 0);

/// A Certificate message of this size in bytes meets the limits of common stacks (32 KiB in JSSE, 64 KiB in Go, 100 KiB in OpenSSL).
const LARGE_CHAIN: usize = 32 << 10;

/// Length of a TLS 1.3 record that is full.
const FULL_RECORD: u16 = 1 << 14;

/// keyUsage bit 0 (RFC 5280 section 4.2.1.3).
const DIGITAL_SIGNATURE: u16 = 1;

/// Handshake type of a Certificate.
const CERTIFICATE: u8 = 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_dates() {
        let moment = Timestamp::from_parts(1_795_251_860, 7);
        assert_eq!((day(moment).as_str(), moment.to_second().as_str()), ("2026-11-21", "2026-11-21 09:04:20 UTC"));
    }
}
