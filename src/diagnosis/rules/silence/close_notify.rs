//! `close-notify-in-handshake`: a side closed in order before the end.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::CloseNotifyInHandshake,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "a side closed in order (close_notify) before the handshake was done",
    page: Page {
        meaning: "A side sent close_notify in the middle of the handshake: it shut TLS down as it would at the end of a connection. Its application closed, it was about to stop, or it refuses without saying why.",
        recognised: "Alert close_notify (0) in clear before both sides have finished, and no fatal alert before it.",
        confused_with: "A rejected certificate: some clients close so instead of sending an alert about it. In TLS 1.3 an encrypted close_notify cannot be told from an alert by its size.",
        check: "Look in the log of the side that closed, at that time.",
        fix: &[
            (
                "client",
                "It closed after the server's certificate: check chain and name against its trust store. Before that: the application was cancelled.",
            ),
            ("server", "It is shutting down or draining, or a name or client filter in the application closed: look in its log."),
            ("health checks", "Some monitors stop after the ServerHello: no action."),
        ],
        references: &["RFC 8446 section 6.1", "RFC 5246 section 7.2.1"],
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
        .find(|seen| !seen.after_handshake && !seen.consequence && seen.alert.is_some_and(|alert| alert.description.0 == CLOSE_NOTIFY))?;
    let others = facts
        .alerts
        .iter()
        .any(|other| other.mark.frame <= seen.mark.frame && other.alert.is_some_and(|alert| alert.description.0 != CLOSE_NOTIFY));
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
            format!("The {} closed TLS in order before the handshake with {} was done.", seen.from, View::new(facts).target()),
        )
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::from(seen.from))
        .shown_by(seen.mark, format!("{} sent alert close_notify (0)", seen.from))
        .or_else(alternatives)
        .advise(format!("Look in the {}'s log at that time for the reason.", seen.from)),
    )
}

/// Alert close_notify.
const CLOSE_NOTIFY: u8 = 0x00;
