//! What is known only by what the client did, or by what others were served: `server-certificate-rejected`, `backend-inconsistent`.

use super::Fault;
use super::identity;
use super::reaction::{Reaction, drops_tls};
use super::view::{CertificateView, Source, Standing};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{ChainFacts, Trust};
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::knowledge::KnownChain;
use crate::diagnosis::page::page;
use crate::diagnosis::published;
use crate::diagnosis::remedy;
use crate::handshake::facts::{Outcome, Protocol};
use crate::tls::certificate::Certificate;
use crate::tls::registry::AlertDescription;
use crate::wording::counted;

/// The client rejected the server's certificate, or something else that the server sent; the reason is hidden.
pub(super) const REJECTED: Fault = Fault::new(
    Cause::ServerCertificateRejected,
    page!("server-certificate-rejected"),
    |_| false,
    |view, standing| Some(rejected(view, standing)),
);

fn rejected(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let sound = view.chain.is_some_and(|chain| chain.trust == Trust::Trusted && chain.covers_name != Some(false));
    let dropped = drops_tls(view.case.handshake).filter(|_| matches!(view.reaction, Reaction::LeftAfter { .. }));
    let summary = match (view.source, view.reaction) {
        _ if dropped.is_some() => {
            format!(
                "The client did not accept the certificate of {}: it completed the handshake, and went on in clear to leave",
                view.target()
            )
        }
        (Source::Seen, _) if sound => {
            format!(
                "Nothing in this capture is wrong with the certificate of {}: the client has a different trust store, pins a key, or knows of a revocation",
                view.target()
            )
        }
        (_, Reaction::LeftAfter { quit: true, .. }) => {
            format!("The sending mail server did not accept the certificate of {}, or it only made a check", view.target())
        }
        (Source::Seen | Source::Known { .. }, Reaction::LeftAfter { .. }) => {
            format!("The client did not accept the certificate of {}, or it only made a check", view.target())
        }
        (Source::Seen, _) => format!("The client does not accept the certificate of {}", view.target()),
        (_, Reaction::LeftAfter { .. }) => {
            format!("The client did not accept the certificate of {}, which {}, or it only made a check", view.target(), view.hidden())
        }
        (_, Reaction::Alert { alert: AlertDescription::INTERNAL_ERROR, .. }) => {
            format!("The client program's own check refused the certificate of {}, which {}", view.target(), view.hidden())
        }
        // Monitors of mail servers are many, and their clients leave in the middle where they have the certificate.
        (_, Reaction::Left { .. }) if view.case.handshake.preamble.as_ref().is_some_and(|facts| facts.dialect.is_starttls()) => {
            format!("The client did not accept the certificate of {}, which {}, or it only made a check", view.target(), view.hidden())
        }
        _ => format!(
            "The client did not accept the certificate of {}, or something else in the server's flight, which {}",
            view.target(),
            view.hidden()
        ),
    };
    let alternatives = view.alternatives(Cause::ServerCertificateRejected);
    let mut finding = view.finding(Cause::ServerCertificateRejected, standing, summary).or_else(&alternatives);
    if let Some(mark) = dropped {
        finding = finding.shown_by(mark, "the client goes on in clear behind its Finished: it has thrown TLS away");
    }
    if matches!(view.reaction, Reaction::Left { .. }) {
        finding = finding.or_else(&[Cause::ClientAborted]);
    }
    if let Some(len) = view.case.handshake.hidden.server_certificate_record.filter(|_| view.source == Source::Hidden) {
        let unlike = if view.unlike_others { "; no certificate that this server sent in clear has that size" } else { "" };
        let what = if identity::is_joined(view.case) { "largest encrypted record" } else { "encrypted Certificate message" };
        finding = finding.noting(format!("the server's {what} takes {len}{unlike}", len = counted(len, "byte", "bytes")));
    }
    if view.case.handshake.outcome == Outcome::Incomplete {
        finding = finding.or_else(&[Cause::CaptureEnded]);
    }
    let records = published::records(view.case.handshake).filter(|_| view.chain.is_none() && !view.raw_key());
    if let Some(records) = records {
        finding.alternatives.insert(0, Cause::DaneMismatch);
        finding = finding
            .advise(format!("Compare the server's certificate with its TLSA records ({}), which are in the DNS:", records.owner))
            .advise(published::look_up(records));
    }
    if matches!(view.reaction, Reaction::LeftAfter { quit: true, .. }) {
        finding = finding.advise("On the sending mail server, look for `Server certificate not verified` or the like in the log, and for the policy behind it (MTA-STS, DANE, smtp_tls_policy_maps): it says which name and authority are expected. On the receiving one, serve a certificate for the name in the MX record.");
    }
    finding = finding
        .advise("Check the client's own error message, then what the server sends:")
        .advise(remedy::s_client(view.case.handshake, "-showcerts"));
    // Up to TLS 1.2 there is nothing more to see; QUIC has no older version to retry with.
    let facts = view.case.handshake;
    if facts.is_tls13() && view.source == Source::Hidden && !view.raw_key() {
        let or = if facts.protocol == Protocol::Quic { "" } else { ", or retry once with TLS 1.2" };
        finding = finding.advise(format!("To see the reason in a capture, supply a key log (SSLKEYLOGFILE){or}."));
    }
    // Where the path changes bytes, that explains an alert that nobody can read.
    if view.source == Source::Hidden && view.case.others_met_changed_bytes() {
        finding = finding.weight(Weight::Fallback);
    }
    finding
}

/// One of several servers behind the name serves another, bad certificate: the story of a fault that is told beside it.
pub(super) const INCONSISTENT: Fault =
    Fault { nearly: inconsistent, ..Fault::new(Cause::BackendInconsistent, page!("backend-inconsistent"), |_| false, |_, _| None) };

fn inconsistent(view: &CertificateView<'_>) -> Option<Finding> {
    let case = view.case;
    let known = &case.knowledge.chains;
    match view.source {
        // This handshake got the bad one while others got a sound one: the fault itself is the cause, this is its story.
        Source::Seen => {
            let chain = view.chain?;
            let leaf = chain.leaf()?;
            let fault = fault(chain)?;
            let other = known.iter().find(|other| self::fault(other).is_none() && served_beside(case, leaf, other))?.leaf()?;
            let seen = case.handshake.server_chain.as_ref()?;
            let summary = format!(
                "{} serves different certificates: this one {fault}, while other clients got one that is valid until {}; the servers behind the name were not all renewed.",
                view.target(),
                other.not_after.day()
            );
            Some(
                Finding::new(Cause::BackendInconsistent, Confidence::Strong, summary)
                    .weight(Weight::Note)
                    .shown_by(seen.mark, format!("server sent {}, serial number {}", leaf.display_name(), leaf.serial))
                    .noting(format!("other handshakes of this capture show serial number {}", other.serial))
                    .advise("On every backend, check which certificate it serves, and install the good one.")
                    .advise(remedy::x509(case.handshake, "-noout -serial -enddate")),
            )
        }
        // The certificate is hidden and has the size of the bad one: others got a sound one.
        Source::Known { .. } => {
            let chain = view.chain?;
            let bad = (chain.leaf()?, fault(chain)?);
            let good = known.iter().find(|other| fault(other).is_none() && served_beside(case, bad.0, other))?;
            let (_, confidence) = view.chosen?;
            let summary = format!(
                "{} serves different certificates: one {}, another is valid until {}; by its size, this client got the bad one",
                view.target(),
                bad.1,
                good.leaf().map_or_else(String::new, |leaf| leaf.not_after.day())
            );
            let finding = view.finding(Cause::BackendInconsistent, Standing::Chosen(confidence.min(Confidence::Likely)), summary);
            Some(
                finding
                    .or_else(&[Cause::CertificateExpired, Cause::ServerCertificateRejected])
                    .advise("On every backend, check which certificate it serves."),
            )
        }
        Source::Hidden => None,
    }
}

/// Whether another chain was served before and after, or between, handshakes with this leaf. Where one follows the other, the certificate was
/// replaced, and nothing is inconsistent.
fn served_beside(case: &Case<'_>, leaf: &Certificate, other: &KnownChain) -> bool {
    let at = case.handshake.flow.first.time;
    let of_leaf = |chain: &&KnownChain| chain.leaf().is_some_and(|known| known.sha256 == leaf.sha256);
    let spans = case.knowledge.chains.iter().filter(of_leaf).map(|chain| (chain.first, chain.last));
    let (first, last) = spans.fold((at, at), |(first, last), span| (first.min(span.0), last.max(span.1)));
    let differs = other.leaf().is_some_and(|other| other.sha256 != leaf.sha256);
    differs && first <= other.last && other.first <= last
}

/// What is wrong with a chain so that no client takes it, in a verb phrase.
fn fault(chain: &ChainFacts) -> Option<String> {
    let leaf = chain.leaf()?;
    if chain.leaf_expired() {
        Some(format!("expired on {}", leaf.not_after.day()))
    } else if chain.leaf_not_yet_valid() {
        Some(format!("is not valid before {}", leaf.not_before.day()))
    } else if chain.expired_intermediates().next().is_some() {
        Some("has an expired intermediate".to_owned())
    } else if chain.covers_name == Some(false) {
        Some("does not cover the name".to_owned())
    } else {
        None
    }
}
