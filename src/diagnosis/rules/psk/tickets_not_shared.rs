//! `tickets-not-shared`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::Outcome;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::TicketsNotShared, against: &[], page: page!("tickets-not-shared"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.hello()?;
    let answer = handshake.server_hello.as_ref()?;
    let asked = handshake.client_hellos.first()?;
    let tls13 = handshake.is_tls13();
    if handshake.outcome != Outcome::Completed || handshake.resumption.is_some() || hello.ticket(tls13).is_none() {
        return None;
    }
    let kind = if tls13 { "pre-shared key (ticket)" } else { "session ticket" };
    let server = handshake.server;
    let base = |confidence, summary: String| {
        Finding::new(Cause::TicketsNotShared, confidence, summary)
            .shown_by(asked.mark, format!("client offers a {kind}"))
            .shown_by(answer.mark, "server continues with a full handshake")
    };
    let (offers, accepted) = (case.knowledge.resumptions_offered, case.knowledge.resumptions_accepted);
    let refused = offers.saturating_sub(accepted);
    let ticket = case.knowledge.ticket;
    // What was forgotten or has expired is not accepted again; and one that was just issued has not expired.
    let finding = match (ticket.accepted, ticket.issued) {
        (Some(accepted), _) => base(
            Confidence::Strong,
            format!("{server} rejects a ticket and accepts the same ticket later: its backends do not share their ticket keys."),
        )
        .shown_by(accepted, "the same ticket, accepted"),
        (None, Some(issued)) if refused >= AGAIN => base(
            Confidence::Likely,
            format!("{server} rejected a ticket that it had issued shortly before, and not for the first time: its backends do not share their ticket keys, or it loses them when it restarts."),
        )
        .shown_by(issued, "server issues the ticket"),
        _ => {
            let summary = format!("The client offered a {kind}; the server {server} did a full handshake instead.");
            let note = base(Confidence::Likely, summary).weight(Weight::Note);
            return Some(if offers > 1 { note.noting(format!("this server accepted {accepted} of {offers} offered sessions")) } else { note });
        }
    };
    Some(
        finding
            .noting(format!("this server accepted {accepted} of {offers} offered sessions"))
            .advise(
                "On all backends behind this address, use the same ticket keys; or on the load balancer, keep each client on one backend.",
            )
            .advise(remedy::s_client(handshake, "-reconnect")),
    )
}

/// Refusals from which on a fresh ticket that is refused is not put down to a restart.
const AGAIN: u32 = 2;
