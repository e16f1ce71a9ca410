//! `client-ended`: the client's program ended with all its connections, and nothing failed.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::ClientEnded, against: &[], page: page!("client-ended"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let others = case.ended_with_its_program()?;
    let ending = view.ended_by(Side::Client)?;
    let others = counted(others as u64, "other connection", "other connections");
    let summary = format!(
        "{} ended this connection to {} and {others} to it at one moment, each at another point of its handshake, while the server served more of them: its program ended.",
        facts.client.host(),
        view.target()
    );
    Some(
        Finding::new(Cause::ClientEnded, Confidence::Likely, summary)
            .weight(Weight::Fallback)
            .stopped_by(StoppedBy::Client)
            .shown_by(view.last_progress(), "last progress of the handshake")
            .shown_by(ending.mark, format!("the client's {}, {} later, with no alert before it", ending.name(), span_text(view.silence())))
            .or_else(&[Cause::ClientAborted, Cause::UserCanceled])
            .advise("Nothing failed, unless the program was not meant to end: its own log on the client says so."),
    )
}
