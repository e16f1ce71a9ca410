//! `user-canceled`: the client said so.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::UserCanceled,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the handshake was cancelled (alert user_canceled)",
    page: Page {
        meaning: "A side sent the alert user_canceled (90): the application or its user ended the handshake for a reason that has nothing to do with TLS.",
        recognised: "Alert 90 before the handshake is complete, mostly with level warning and followed by close_notify.",
        confused_with: "JSSE sends user_canceled before close_notify when it closes in mid-handshake, also after an error of the application's own.",
        check: "Ask the user, or look in the client's log at that time.",
        fix: &[
            ("person at a dialogue", "A certificate or PIN dialogue was closed. No action."),
            ("application", "A cancelled request or a shutdown of the client. Look at its own time limits if it happens often."),
            ("Java", "An SSLEngine that is closed before its handshake is done sends this: look for the exception ahead of it in the log."),
        ],
        references: &["RFC 8446 section 6.1", "RFC 5246 section 7.2.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    if !facts.outcome.failed() || facts.outcome == Outcome::Refused {
        return None;
    }
    let seen = facts
        .alerts
        .iter()
        .find(|seen| !seen.after_handshake && !seen.consequence && seen.alert.is_some_and(|alert| alert.description.0 == USER_CANCELED))?;
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
        .advise("No action unless it happens often: then look at the client's own log and time limits."),
    )
}

/// Alert user_canceled.
const USER_CANCELED: u8 = 0x5a;
