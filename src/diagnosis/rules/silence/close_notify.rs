//! `close-notify-in-handshake`: a side closed in order before the end.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::registry::AlertDescription;

pub(super) const RULE: Rule = Rule { cause: Cause::CloseNotifyInHandshake, against: &[], page: page!("close-notify-in-handshake"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    if !facts.outcome.failed() || facts.outcome == Outcome::Refused {
        return None;
    }
    let seen = facts.alerts.iter().find(|seen| {
        !seen.after_handshake && !seen.consequence && seen.alert.is_some_and(|alert| alert.description == AlertDescription::CLOSE_NOTIFY)
    })?;
    let others = facts.alerts.iter().any(|other| {
        other.mark.frame <= seen.mark.frame && other.alert.is_some_and(|alert| alert.description != AlertDescription::CLOSE_NOTIFY)
    });
    // A client that had waited gave up, whatever it says then.
    if facts.farewell() == Some(seen.mark) && View::new(facts).waited() {
        return None;
    }
    let ended_before = View::new(facts).first_end().is_some_and(|ending| ending.mark.frame < seen.mark.frame);
    if others || ended_before {
        return None;
    }
    let alternatives: &[Cause] = match seen.from {
        Side::Client => &[Cause::ServerCertificateRejected, Cause::ClientAborted],
        Side::Server => &[Cause::ServerAborted, Cause::AccessDenied],
    };
    Some(
        Finding::new(
            Cause::CloseNotifyInHandshake,
            Confidence::Certain,
            format!(
                "The {} closed TLS cleanly (close_notify) before the handshake with {} was complete.",
                seen.from,
                View::new(facts).target()
            ),
        )
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::from(seen.from))
        .shown_by(seen.mark, format!("{} sent alert close_notify (0)", seen.from))
        .or_else(alternatives)
        .advise(remedy::log(facts, seen.from, "it records the reason")),
    )
}
