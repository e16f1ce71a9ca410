//! Validity: `certificate-expired`, `certificate-not-yet-valid`, `intermediate-expired`.

use std::time::Duration;

use super::Fault;
use super::reaction::Reaction;
use super::view::{CertificateView, Source, Standing};
use super::words::days_text;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;
use crate::tls::registry::AlertDescription;

/// The server's certificate had expired when it was served.
pub(super) const EXPIRED: Fault = Fault {
    rank: Some(20),
    said_by: Some(AlertDescription::CERTIFICATE_EXPIRED),
    firm: true,
    doubtful: |view, _| all_long_past(view),
    nearly: expiring,
    ..Fault::new(
        Cause::CertificateExpired,
        page!("certificate-expired"),
        |view| outdated(view, is_past).is_some(),
        |view, standing| Some(expired(view, standing)),
    )
};

/// The certificate of the server's own whose dates are at fault, and its name: the leaf, or the one that TLCP has to encrypt with.
fn outdated<'a>(view: &CertificateView<'a>, fault: fn(&Certificate, Timestamp) -> bool) -> Option<(&'a Certificate, String)> {
    let at = view.at()?;
    let is_at_fault = |certificate: &&Certificate| certificate.malformed.is_none() && fault(certificate, at);
    if let Some(leaf) = view.leaf().filter(is_at_fault) {
        return Some((leaf, view.certificate()));
    }
    let other = view.encryption().filter(is_at_fault)?;
    Some((other, view.named("encryption certificate", Some(other))))
}

/// All that an authority issued has expired long ago, itself too: nobody runs such a server, unless the capture's clock is ahead.
fn all_long_past(view: &CertificateView<'_>) -> bool {
    let long_past = |at: Timestamp| {
        let past = |certificate: &Certificate| at.since(certificate.not_after) > LONG_PAST;
        view.chain.is_some_and(|chain| chain.certificates.len() > 1 && chain.certificates.iter().all(|certificate| past(certificate)))
    };
    view.at().is_some_and(long_past)
}

fn is_past(certificate: &Certificate, at: Timestamp) -> bool {
    at > certificate.not_after
}

fn is_to_come(certificate: &Certificate, at: Timestamp) -> bool {
    at < certificate.not_before
}

fn expired(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let case = view.case;
    let at = case.handshake.server_chain.as_ref().map_or(case.handshake.flow.first.time, |seen| seen.mark.time);
    let past = outdated(view, is_past);
    let true_of_it = past.is_some();
    let summary = match (view.leaf(), &past) {
        (_, Some((certificate, name))) => format!(
            "{name} expired on {}, {} before this handshake",
            certificate.not_after.to_second(),
            days_text((at.seconds().saturating_sub(certificate.not_after.seconds())).div_euclid(86_400))
        ),
        (Some(leaf), None) => format!(
            "{} is valid until {}, but the client reports it as expired: the client's clock is ahead, or what expired is in the client's own store (an old root, a revocation list)",
            view.certificate(),
            leaf.not_after.to_second()
        ),
        _ => format!(
            "The client reports that the certificate of {} has expired{}; the certificate {}, so its dates are unknown, and the client's clock may be ahead",
            view.target(),
            if view.others_went_on() { ", while others were served under this name and went on" } else { "" },
            view.hidden()
        ),
    };
    let mut finding = view.finding(Cause::CertificateExpired, standing, summary);
    if view.leaf().is_some() && !true_of_it {
        finding = finding.headline("the client takes the server's certificate for expired, though it is valid");
    } else if view.leaf().is_none() && view.others_went_on() {
        finding = finding.headline("the client takes the server's certificate for expired, and others do not");
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&view.alternatives(Cause::CertificateExpired));
        let dates = remedy::x509(case.handshake, "-noout -subject -issuer -dates");
        finding = if view.leaf().is_some() && !true_of_it {
            // Nothing that was served has expired: renewing it would change nothing.
            finding
                .advise("Do not renew the certificate. On the client, set the clock: compare it with the time of this capture.")
                .advise("If the client's clock is right, renew its certificate revocation list (CRL) and remove expired roots and intermediates from its trust store.")
                .advise("Check the dates of the certificates that the server sends:")
                .advise(dates)
        } else if view.leaf().is_none() && view.others_went_on() {
            finding
                .advise("On the client, compare the clock with the time of this capture first: others are served. If it is right, see whether one of several servers behind this name serves an expired certificate:")
                .advise(dates)
        } else if view.leaf().is_none() {
            finding
                .advise(
                    "Check whether the certificate has expired. If it has, renew it and reload the server; if not, set the client's clock:",
                )
                .advise(dates)
        } else if let Some(which) = view.encryption() {
            let renewed = if past.is_some_and(|(certificate, _)| std::ptr::eq(certificate, which)) { "encryption" } else { "signing" };
            finding.advise(format!("On the server, renew the {renewed} certificate (TLCP has one to sign and one to encrypt, each renewed apart) and reload the service."))
        } else {
            let clock = "Compare the clock of the capturing host first: by its time everything that the server sent has expired long ago.";
            let finding = if all_long_past(view) { finding.advise(clock) } else { finding };
            finding.advise("On the server, renew the certificate and reload the service; then check what it serves:").advise(dates)
        };
    } else if finding.confidence == Confidence::Certain {
        finding = finding.advise("On the server, renew the certificate: other clients will refuse it.");
    }
    finding
}

/// A certificate that is about to expire.
fn expiring(view: &CertificateView<'_>) -> Option<Finding> {
    let chain = view.chain.filter(|_| view.source == Source::Seen)?;
    let leaf = chain.leaf()?;
    let soon = i64::try_from(view.case.policy.expiry_warning.as_secs() / 86_400).unwrap_or(i64::MAX);
    if chain.days_left < 0
        || chain.days_left >= soon
        || chain.leaf_expired()
        || chain.leaf_not_yet_valid()
        || chain.validity_days <= soon.saturating_mul(2)
    {
        return None;
    }
    let seen = view.case.handshake.server_chain.as_ref()?;
    let summary =
        format!("{} expires on {}, {} after this handshake.", view.certificate(), leaf.not_after.to_second(), days_text(chain.days_left));
    Some(
        Finding::new(Cause::CertificateExpired, Confidence::Hint, summary)
            .weight(Weight::Note)
            .shown_by(seen.mark, format!("server sent a certificate valid until {}", leaf.not_after.to_second()))
            .advise("Renew the certificate before that day."),
    )
}

/// The certificate's validity had not begun, or the client's clock is behind.
pub(super) const NOT_YET_VALID: Fault = Fault {
    rank: Some(30),
    firm: true,
    ..Fault::new(
        Cause::CertificateNotYetValid,
        page!("certificate-not-yet-valid"),
        |view| outdated(view, is_to_come).is_some(),
        |view, standing| Some(not_yet_valid(view, standing)),
    )
};

fn not_yet_valid(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let case = view.case;
    let Some((certificate, name)) = outdated(view, is_to_come) else {
        let summary = match view.leaf() {
            Some(leaf) => format!(
                "{} has been valid from {} on and covers the name, but a client like this one mostly sends bad_certificate for a certificate that is not yet valid: the client's clock is behind",
                view.certificate(),
                leaf.not_before.to_second()
            ),
            None => format!(
                "The client refused the certificate of {} as bad; a client like this one compares names only later and mostly means that the certificate is not yet valid, or too weak",
                view.target()
            ),
        };
        let finding =
            view.finding(Cause::CertificateNotYetValid, standing, summary).or_else(&view.alternatives(Cause::CertificateNotYetValid));
        return finding
            .advise("On the client, check the clock: compare it with the time of this capture and with the certificate's dates:")
            .advise(remedy::x509(case.handshake, "-noout -dates"));
    };
    let seen_at = case.handshake.server_chain.as_ref().map(|seen| seen.mark.time);
    let against = seen_at.map_or_else(String::new, |at| format!("; this handshake took place at {}", at.to_second()));
    let summary = format!("{name} is valid only from {}{against}", certificate.not_before.to_second());
    let mut finding = view.finding(Cause::CertificateNotYetValid, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateNotYetValid))
            .advise("Check the clocks, in this order: the client's, the issuing authority's, the capturing host's.")
            .advise(remedy::x509(case.handshake, "-noout -dates"));
        if view.source != Source::Seen {
            finding = finding.advise(format!("To be sure, {}: the certificate {}.", view.to_read_it(), view.hidden()));
        }
    }
    finding
}

/// An intermediate in the served chain had expired.
pub(super) const INTERMEDIATE_EXPIRED: Fault = Fault {
    rank: Some(90),
    said_by: Some(AlertDescription::CERTIFICATE_EXPIRED),
    firm: true,
    may_explain: |view| !is_unknown_in_spite(view),
    ..Fault::new(
        Cause::IntermediateExpired,
        page!("intermediate-expired"),
        |view| view.verified().is_some_and(|chain| chain.expired_intermediates().next().is_some()),
        intermediate_expired,
    )
};

/// The leaf has expired, too, and the client says that it does not know the authority: it would say of neither that it has expired.
fn is_unknown_in_spite(view: &CertificateView<'_>) -> bool {
    let unknown = matches!(view.reaction, Reaction::Alert { alert: AlertDescription::UNKNOWN_CA, .. });
    unknown && view.chain.is_some_and(ChainFacts::leaf_expired)
}

fn intermediate_expired(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    let chain = view.chain?;
    let index = chain.expired_intermediates().next()?;
    let intermediate = chain.certificate(index)?;
    let summary = format!(
        "The intermediate {}, certificate {} in the chain of {}, expired on {}; the server's own certificate {}",
        intermediate.display_name(),
        index + 1,
        view.target(),
        intermediate.not_after.to_second(),
        if chain.leaf_expired() { "has expired too" } else { "is still valid" }
    );
    let mut finding = view.finding(Cause::IntermediateExpired, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::IntermediateExpired))
            .advise("On the server, replace the expired intermediate in the chain with its current version, and reload:")
            .advise(remedy::s_client(view.case.handshake, "-showcerts"));
        if let Some(url) = intermediate.ca_issuers.first() {
            finding = match remedy::fetch(url, "issuer-of-intermediate.der") {
                Some(command) => finding.advise(command),
                None => finding.advise(format!("Fetch the issuer's certificate from `{url}`, the address that the intermediate gives.")),
            };
        }
    }
    Some(finding)
}

/// Longer than a service is left alone with certificates that its clients refuse.
const LONG_PAST: Duration = Duration::from_secs(365 * 86_400);
