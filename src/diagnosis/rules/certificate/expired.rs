//! `certificate-expired`: the server's certificate had expired when it was served.

use super::standing::{Source, Standing, View};
use super::words::days_text;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule, Weight};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateExpired,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OUTDATED),
    against: &[],
    page: page!("certificate-expired"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let Some(standing) = view.standing(Cause::CertificateExpired) else { return expiring(&view) };
    let at = case.handshake.server_chain.as_ref().map_or(case.handshake.flow.first.time, |seen| seen.mark.time);
    let summary = match (view.leaf(), view.is_true(Cause::CertificateExpired)) {
        (Some(leaf), true) => format!(
            "{} expired on {}, {} before this handshake",
            view.certificate(),
            leaf.not_after.to_second(),
            days_text((at.seconds().saturating_sub(leaf.not_after.seconds())).div_euclid(86_400))
        ),
        (Some(leaf), false) => format!(
            "{} is valid until {}, but the client says that it has expired: the client's clock is ahead, or what it checked is not what was served (an old root in its store, a revocation list)",
            view.certificate(),
            leaf.not_after.to_second()
        ),
        _ => format!(
            "The certificate of {} has expired, as the client says, or the client's clock is ahead; it was served encrypted, so its dates were not seen",
            view.target()
        ),
    };
    let mut finding = view.finding(Cause::CertificateExpired, standing, summary);
    let true_of_it = view.is_true(Cause::CertificateExpired);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&view.alternatives(Cause::CertificateExpired));
        let dates = remedy::x509(case.handshake, "-noout -subject -issuer -dates");
        finding = if view.leaf().is_some() && !true_of_it {
            // Nothing that was served has expired: renewing it would change nothing.
            finding
                .advise("Do not renew it: set the client's clock, and compare it with the time of this capture.")
                .advise("If its clock is right, renew the revocation list that it uses (CRL), and remove expired roots and intermediates from its store.")
                .advise("See the dates of what is served:")
                .advise(dates)
        } else if view.leaf().is_none() {
            finding
                .advise("See whether the certificate has expired; renew it then, and reload the server. If it is valid, set the client's clock:")
                .advise(dates)
        } else {
            finding.advise("Renew the server's certificate, reload the server, and look at what it serves now:").advise(dates)
        };
    } else if finding.confidence == Confidence::Certain {
        finding = finding.advise("Renew it: other clients will refuse it.");
    }
    Some(finding)
}

/// A certificate that is about to expire.
fn expiring(view: &View<'_>) -> Option<Finding> {
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
            .advise("Renew it before that day."),
    )
}
