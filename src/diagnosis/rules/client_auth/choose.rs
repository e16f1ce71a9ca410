//! Which fault explains how the server took the client's answer.

use super::answer::{Answer, ClientAuthView, Reaction};
use super::{FAULTS, Fault, faults};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::manners;
use crate::handshake::facts::Outcome;
use crate::handshake::stack;
use crate::tls::registry::AlertDescription as A;

impl ClientAuthView<'_> {
    /// What explains how the server took the answer, and how sure.
    pub(super) fn choose(&self) -> Option<(&'static Fault, Confidence)> {
        let alert = match self.reaction {
            Reaction::Alert { alert, .. } => Some(alert),
            Reaction::HiddenAlert { .. } | Reaction::Left { .. } => None,
            Reaction::Page { .. } | Reaction::FellSilent { .. } if self.answer == Answer::Nothing => {
                return Some((&faults::MISSING, Confidence::Likely));
            }
            Reaction::Page { .. } => {
                let shown = FAULTS.iter().copied().find(|fault| (fault.is_true)(self));
                return Some((shown.unwrap_or(&faults::REJECTED), Confidence::Likely));
            }
            Reaction::FellSilent { .. } | Reaction::WentOn => return None,
        };
        match self.answer {
            // A handshake that completed shows that the library was content.
            Answer::Nothing if self.case.handshake.outcome == Outcome::Completed && matches!(self.reaction, Reaction::Left { .. }) => {
                Some((&faults::MISSING, self.missed(alert)?.min(Confidence::Likely)))
            }
            Answer::Nothing => Some((&faults::MISSING, self.missed(alert)?)),
            Answer::Sent => {
                let (fault, confidence) = self.said(alert).or_else(|| self.shown(alert))?;
                let content = self.case.handshake.outcome == Outcome::Completed;
                Some((fault, if content { confidence.min(Confidence::Likely) } else { confidence }))
            }
        }
    }

    /// How sure it is that the server wanted a certificate. `None`: it says something else.
    fn missed(&self, alert: Option<A>) -> Option<Confidence> {
        let handshake = self.case.handshake;
        match alert {
            Some(A::CERTIFICATE_REQUIRED | A::NO_CERTIFICATE) => Some(Confidence::Certain),
            // What QUIC packets hold cannot be told to the byte.
            None if handshake.quic.is_some() && !handshake.decrypted => Some(Confidence::Likely),
            // Everything that servers are known to say for want of a certificate.
            None
            | Some(
                A::HANDSHAKE_FAILURE
                | A::BAD_CERTIFICATE
                | A::UNSUPPORTED_CERTIFICATE
                | A::CERTIFICATE_UNKNOWN
                | A::ILLEGAL_PARAMETER
                | A::UNKNOWN_CA
                | A::ACCESS_DENIED
                | A::DECODE_ERROR
                | A::UNEXPECTED_MESSAGE
                | A::INTERNAL_ERROR,
            ) => Some(Confidence::Strong),
            Some(_) => None,
        }
    }

    /// The fault that the server's alert says.
    fn said(&self, alert: Option<A>) -> Option<(&'static Fault, Confidence)> {
        let (fault, said) = FAULTS.iter().find_map(|fault| {
            let said = fault.said_by.as_ref().filter(|said| Some(said.alert) == alert)?;
            Some((*fault, said))
        })?;
        if fault.cause == Cause::ClientCertificateUntrusted && self.issuer_was_asked_for() {
            return Some((&faults::REJECTED, Confidence::Likely));
        }
        let confidence = match self.chain {
            None => Some(said.hidden),
            Some(_) if (fault.is_true)(self) => Some(said.shown),
            Some(_) => said.unseen,
        };
        Some((fault, confidence?))
    }

    /// The fault that the certificate shows, where the server does not say which; else that it was refused.
    fn shown(&self, alert: Option<A>) -> Option<(&'static Fault, Confidence)> {
        let shown = || FAULTS.iter().copied().find(|fault| (fault.is_true)(self)).map(|fault| (fault, Confidence::Strong));
        match alert {
            None
            | Some(
                A::HANDSHAKE_FAILURE | A::BAD_CERTIFICATE | A::UNSUPPORTED_CERTIFICATE | A::CERTIFICATE_UNKNOWN | A::CERTIFICATE_REQUIRED,
            ) => Some(shown().unwrap_or_else(|| self.refused(alert))),
            // Servers on GnuTLS say so of every certificate that they do not take; elsewhere it is policy, which asks for more than the handshake.
            Some(A::ACCESS_DENIED) if self.case.handshake.finished.server.is_none() => {
                Some(shown().unwrap_or((&faults::REJECTED, Confidence::Likely)))
            }
            Some(A::ACCESS_DENIED) => shown(),
            Some(A::ILLEGAL_PARAMETER | A::DECODE_ERROR | A::DECRYPT_ERROR | A::INTERNAL_ERROR) => {
                Some((&faults::REJECTED, Confidence::Likely))
            }
            Some(_) => None,
        }
    }

    /// Nothing is wrong with what can be seen of it.
    fn refused(&self, alert: Option<A>) -> (&'static Fault, Confidence) {
        // A library with a code of its own for unknown authorities means something else by this one.
        let speaker = stack::of_server(self.case.handshake);
        let may_be_unknown = matches!(alert, Some(A::BAD_CERTIFICATE | A::CERTIFICATE_UNKNOWN))
            && !alert.is_some_and(|alert| manners::speaks_of_unknown_ca_otherwise(speaker, alert));
        if may_be_unknown && self.chain.is_some_and(|chain| !chain.leaf_not_yet_valid()) {
            return (&faults::UNTRUSTED, Confidence::Likely);
        }
        let confidence = match self.reaction {
            _ if alert.is_some() => Confidence::Strong,
            // What comes so late, and cannot be read, is as often the end of a connection that was used up, or not used at all.
            _ if self.came_late() => Confidence::Hint,
            Reaction::Left { .. } => Confidence::Likely,
            _ => Confidence::Strong,
        };
        (&faults::REJECTED, confidence)
    }
}
