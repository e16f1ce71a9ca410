//! What the rules of the family say: the sentence's parts, the frames that show it, what else it could be.

use std::borrow::Cow;

use super::reaction::{Reaction, is_curl};
use super::view::{CertificateView, Source, Standing};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{self, ChainFacts};
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::published;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::handshake::stack::{Program, Stack};
use crate::tls::certificate::Certificate;
use crate::tls::registry::AlertDescription as A;
use crate::wording::counted;

impl<'a> CertificateView<'a> {
    /// Host name, or address and port.
    pub(super) fn target(&self) -> Cow<'a, str> {
        self.case.handshake.aim()
    }

    /// What a certificate for it has to name: host name or address, without the port that stands behind what was aimed at without a name.
    pub(super) fn host(&self) -> String {
        let aim = self.target();
        let host = match aim.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() && (host.ends_with(']') || !host.contains(':')) => host,
            _ => &*aim,
        };
        host.trim_matches(['[', ']']).to_owned()
    }

    /// The leaf certificate.
    pub(super) fn leaf(&self) -> Option<&'a Certificate> {
        self.chain.and_then(ChainFacts::leaf)
    }

    /// The certificate to encrypt with, which TLCP has behind the leaf: that one is to sign with.
    pub(super) fn encryption(&self) -> Option<&'a Certificate> {
        let chain = self.chain.filter(|chain| self.is_seen() && self.is_tlcp() && chain.leaf == 0)?;
        chain.certificate(1).filter(|certificate| !certificate.is_ca())
    }

    /// `The certificate of TARGET`, with the certificate's own name where that is another.
    pub(super) fn certificate(&self) -> String {
        let which = if self.encryption().is_some() { "signing certificate" } else { "certificate" };
        self.named(which, self.leaf())
    }

    /// `The WHICH of TARGET`, likewise.
    pub(super) fn named(&self, which: &str, certificate: Option<&Certificate>) -> String {
        let target = self.target();
        match certificate.map(Certificate::display_name) {
            Some(name) if !name.eq_ignore_ascii_case(&target) => format!("The {which} of {target} ({name})"),
            _ => format!("The {which} of {target}"),
        }
    }

    /// What the client did, as the end of a sentence.
    pub(super) fn reaction_clause(&self) -> String {
        match self.reaction {
            Reaction::Alert { alert, .. } => format!("the client refused it with alert {}", offer::spoken(alert)),
            Reaction::HiddenAlert { .. } if self.case.handshake.quic.is_some() => {
                let likely = if self.case.handshake.outcome == Outcome::Incomplete { "most likely " } else { "" };
                format!("the client {likely}answered it with an encrypted CONNECTION_CLOSE")
            }
            Reaction::HiddenAlert { .. } => "the client answered it with an encrypted alert".to_owned(),
            Reaction::Left { late: true, reset: true, .. } => "the client reset the connection soon after it".to_owned(),
            Reaction::Left { late: true, reset: false, .. } => "the client closed the connection soon after it".to_owned(),
            Reaction::Left { reset: true, .. } => "the client reset the connection right after it".to_owned(),
            Reaction::Left { reset: false, .. } => "the client closed the connection right after it".to_owned(),
            Reaction::LeftAfter { quit: true, .. } => "the client finished the handshake and said nothing but QUIT".to_owned(),
            Reaction::LeftAfter { .. } => "the client finished the handshake and closed at once without sending any data".to_owned(),
            Reaction::Waited { pause, .. } => {
                format!("the client stayed silent for {} s and then closed cleanly, as s2n-tls does to hide an error", pause.as_secs())
            }
            Reaction::WentOn => "the client went on".to_owned(),
        }
    }

    /// A finding of this standing, with the frames that show it. `summary` ends without a full stop; what the client did is added.
    pub(super) fn finding(&self, cause: Cause, standing: Standing, summary: String) -> Finding {
        let (weight, confidence, clause) = match standing {
            // Without a name asked for, its absence explains the refusal better.
            Standing::Chosen(confidence)
                if cause == Cause::ServerCertificateRejected
                    && (matches!(self.reaction, Reaction::Left { .. })
                        || self.case.handshake.server_name().is_none() && self.case.handshake.outcome.failed()) =>
            {
                (Weight::Fallback, confidence, self.reaction_clause())
            }
            Standing::Chosen(confidence) => (Weight::Explains, confidence, self.reaction_clause()),
            Standing::AlsoTrue if self.reaction == Reaction::WentOn => (Weight::Note, Confidence::Certain, String::new()),
            Standing::AlsoTrue => (Weight::Note, Confidence::Likely, String::new()),
        };
        let mut text = summary;
        if let Source::Known { sole } = self.source
            && self.is_true(cause)
        {
            text.push_str(if sole {
                "; it was encrypted here, and its exact size matches the one in another handshake with this server"
            } else {
                "; it was encrypted here, and its size matches the one in another handshake with this server, or one like it"
            });
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
            if let Some(other) = self.encryption().filter(|_| weight != Weight::Note) {
                let (begin, end) = (other.not_before.day(), other.not_after.day());
                finding = finding.noting(format!(
                    "in TLCP the first certificate is the one to sign with, and the second the one to encrypt with: {}, valid from {begin} to {end}",
                    other.display_name()
                ));
            }
        }
        if weight == Weight::Note {
            return finding;
        }
        finding = finding.stopped_by(StoppedBy::Client);
        // A record that it does not fit is told where that is the cause.
        if cause != Cause::DaneMismatch {
            finding = published::obliging(finding, self.case.handshake);
        }
        if let Some(note) = self.habit(cause) {
            finding = finding.noting(note);
        }
        match self.reaction {
            Reaction::Alert { alert, mark } => finding.shown_by(mark, format!("client sent alert {}", offer::spoken(alert))),
            Reaction::HiddenAlert { mark } if self.case.handshake.outcome == Outcome::Incomplete => finding.shown_by(
                mark,
                if crate::diagnosis::view::View::new(self.case.handshake).left_over_quic().is_some() {
                    "client sent a Handshake packet too small for a Finished, too late for an acknowledgment, and the capture ends with it"
                } else {
                    "client sent a Handshake packet larger than an acknowledgment, as in another connection in which it then closed, and the capture ends with it"
                },
            ),
            Reaction::HiddenAlert { mark } if self.case.handshake.quic.is_some() => {
                finding.shown_by(mark, "client sent a Handshake packet and nothing more: it did not go on, and nobody asked it again")
            }
            Reaction::HiddenAlert { mark } => {
                finding.shown_by(mark, "client sent one encrypted record of an alert's size, and nothing more")
            }
            Reaction::Left { mark, reset, .. } => finding.shown_by(
                mark,
                format!("client sent {} without an alert", crate::diagnosis::view::View::new(self.case.handshake).closing_word(reset)),
            ),
            Reaction::LeftAfter { mark, quit: true, .. } => {
                finding.shown_by(mark, "client sent one record as long as QUIT, where EHLO was expected")
            }
            Reaction::LeftAfter { mark, .. } => finding.shown_by(mark, "client closed without sending application data"),
            Reaction::Waited { mark, .. } => finding.shown_by(mark, "client sent alert close_notify (0) after the pause"),
            Reaction::WentOn => finding,
        }
    }

    /// What the client's library is known to mean by what it did, where that is less, or more, than the words say.
    fn habit(&self, cause: Cause) -> Option<String> {
        let speaker = self.speaker()?;
        // Where the certificate itself shows the fault, nothing needs to be said of what else the words may mean.
        let shown = self.source == Source::Seen && cause != Cause::CertificateUntrustedCa && self.is_true(cause);
        if shown && !matches!(self.reaction, Reaction::Alert { alert: A::INTERNAL_ERROR, .. }) {
            return None;
        }
        let text = match (speaker.stack, self.reaction) {
            (Stack::OpenSsl, Reaction::Alert { alert: A::UNKNOWN_CA, .. }) => {
                "an OpenSSL client also sends unknown_ca when it must check revocation and has no CRL for this authority"
            }
            (Stack::OpenSsl, Reaction::Alert { alert: A::CERTIFICATE_EXPIRED, .. }) => {
                "an OpenSSL client also sends certificate_expired when its CRL has expired"
            }
            (Stack::OpenSsl, Reaction::Alert { alert: A::BAD_CERTIFICATE, .. }) => {
                "an OpenSSL client does not send bad_certificate for an unknown authority, but for a certificate that is not yet valid, a name mismatch or a weak key"
            }
            (Stack::OpenSsl, Reaction::Alert { alert: A::INTERNAL_ERROR, .. }) => {
                "an OpenSSL client sends internal_error when the program's own check refuses a certificate and gives no reason"
            }
            (Stack::Go | Stack::GnuTls, Reaction::Alert { alert: A::BAD_CERTIFICATE, .. }) => {
                "this library sends bad_certificate for every certificate that it does not accept"
            }
            (Stack::BoringSsl, Reaction::Alert { alert: A::CERTIFICATE_UNKNOWN, .. }) if speaker.program == Some(Program::Chromium) => {
                "Chromium sends certificate_unknown for every certificate that it does not accept"
            }
            _ => return None,
        };
        Some(format!("the client uses {speaker}: {text}"))
    }

    /// Other causes that what the client did can mean, for a finding that is not certain: first what else is wrong with the chain, then,
    /// where the chain is not known, what the alert commonly means.
    pub(super) fn alternatives(&self, chosen: Cause) -> Vec<Cause> {
        let true_too = self.candidates.iter().filter(|fault| fault.cause != chosen && (fault.is_true)(self));
        let mut out: Vec<Cause> = true_too.map(|fault| fault.cause).collect();
        let seen = matches!(self.source, Source::Seen | Source::Known { sole: true });
        let common: &[Cause] = match self.reaction {
            Reaction::Alert { alert: A::CERTIFICATE_EXPIRED, .. } if seen => &[Cause::CertificateRevoked],
            Reaction::Alert { alert: A::CERTIFICATE_EXPIRED, .. } => {
                &[Cause::IntermediateExpired, Cause::CertificateNotYetValid, Cause::CertificateRevoked]
            }
            Reaction::Alert { alert: A::UNKNOWN_CA, .. } if seen => &[Cause::CertificateUntrustedCa],
            Reaction::Alert { alert: A::UNKNOWN_CA, .. } => {
                &[Cause::CertificateUntrustedCa, Cause::ChainIncomplete, Cause::CertificateSelfSigned]
            }
            // What is in order by the clock of the capture need not be by the client's, and no list of revoked certificates is seen.
            Reaction::Alert { alert: A::BAD_CERTIFICATE, .. } if seen => {
                &[Cause::CertificateNotYetValid, Cause::ServerCertificateRejected, Cause::CertificateRevoked]
            }
            Reaction::Alert { alert: A::CERTIFICATE_UNKNOWN, .. } if seen => &[Cause::CertificateRevoked, Cause::CertificateNotYetValid],
            _ if seen => &[],
            Reaction::Alert { alert: A::BAD_CERTIFICATE, .. } if is_curl(self.case) => {
                &[Cause::CertificateNotYetValid, Cause::CertificateWeakSignature, Cause::CertificateWeakKey, Cause::CertificateNameMismatch]
            }
            Reaction::Alert { alert: A::BAD_CERTIFICATE, .. } if self.is(&[Stack::OpenSsl]) => {
                &[Cause::CertificateNameMismatch, Cause::CertificateNotYetValid, Cause::CertificateWeakSignature, Cause::CertificateWeakKey]
            }
            Reaction::Alert { alert: A::BAD_CERTIFICATE, .. } => &[
                Cause::CertificateUntrustedCa,
                Cause::CertificateNameMismatch,
                Cause::CertificateSelfSigned,
                Cause::CertificateExpired,
                Cause::CertificateNotYetValid,
            ],
            Reaction::Alert { alert: A::UNSUPPORTED_CERTIFICATE, .. } => &[Cause::CertificateWrongUsage, Cause::CertificateUnsupported],
            Reaction::Alert { alert: A::CERTIFICATE_REVOKED | A::BAD_CERTIFICATE_STATUS_RESPONSE, .. } => {
                &[Cause::CertificateRevoked, Cause::MustStapleMissing]
            }
            _ => &[
                Cause::CertificateUntrustedCa,
                Cause::CertificateExpired,
                Cause::CertificateNameMismatch,
                Cause::ChainIncomplete,
                Cause::CertificateSelfSigned,
            ],
        };
        out.extend(common.iter().copied().filter(|cause| *cause != chosen && !out.contains(cause)).collect::<Vec<_>>());
        out.truncate(5);
        out
    }
}

/// A sentence of its parts, with room for the full stop: for what is noted of many handshakes, where the general formatter would take longest.
pub(super) fn sentence(parts: &[&str]) -> String {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 1);
    text.extend(parts.iter().copied());
    text
}

/// A span of days for a sentence.
pub(super) fn days_text(days: i64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => counted(days, "day", "days"),
    }
}
