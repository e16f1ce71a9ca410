//! `user-canceled`: the client said so.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::registry::AlertDescription;

pub(super) const RULE: Rule = Rule { cause: Cause::UserCanceled, against: &[], page: page!("user-canceled"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    if !facts.outcome.failed() || facts.outcome == Outcome::Refused {
        return None;
    }
    let seen = facts.alerts.iter().find(|seen| {
        !seen.after_handshake && !seen.consequence && seen.alert.is_some_and(|alert| alert.description == AlertDescription::USER_CANCELED)
    })?;
    // A fatal alert before it is the reason.
    if facts.deciding_alert().is_some_and(|alert| alert.mark.frame < seen.mark.frame) {
        return None;
    }
    Some(
        Finding::new(
            Cause::UserCanceled,
            Confidence::Certain,
            format!("The {} cancelled the handshake with {}.", seen.from, View::new(facts).target()),
        )
        .stopped_by(StoppedBy::from(seen.from))
        .shown_by(seen.mark, format!("{} sent alert user_canceled (90)", seen.from))
        .advise("Do nothing unless it happens often; then, on the client, check the log and the timeouts."),
    )
}
