//! `tickets-not-shared`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::handshake::facts::Outcome;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::TicketsNotShared,
    speaks: Signs::UNFINISHED.or(Signs::TICKET_IGNORED),
    against: &[],
    title: "tickets of one backend are refused by the next: resumptions fall back to full handshakes",
    page: Page {
        meaning: "The client offered to resume a session and the server did a full handshake instead. That works, but costs a certificate, a signature and in TLS 1.2 a round trip, and early data is lost. When it happens again and again, the servers behind the address do not share their ticket keys, or restart or rotate them too often.",
        recognised: "A ClientHello with a session ticket or a pre-shared key, and a full handshake in answer. That alone is nothing and only noted: tickets expire. The sign of several backends is that the very same ticket, offered by a like ClientHello, is accepted at the same address later; or that a ticket is refused which the address issued minutes ago, after others were refused.",
        confused_with: "Expired tickets, a change of ticket keys, a restart, a client that offers the ticket of another name; a server that switched resumption off.",
        check: "Connect several times with one session:\n\n$ openssl s_client -connect <host>:<port> -servername <name> -reconnect </dev/null | grep -E 'New|Reused'",
        fix: &[
            ("in general", "Give all backends the same ticket keys, rotated together; or send a client to the same backend (stickiness)."),
            (
                "nginx",
                "ssl_session_ticket_key file on every server, two of them for rotation; ssl_session_cache shared:SSL:10m within one server.",
            ),
            ("Apache", "SSLSessionTicketKeyFile; SSLSessionCache shmcb within one server."),
            ("HAProxy", "tls-ticket-keys on the bind line, three keys in the file; peers do not share them."),
            (
                "Java",
                "Stateless tickets are not shared between JVMs: -Djdk.tls.server.enableSessionTicketExtension=false and stickiness, or terminate TLS before.",
            ),
            ("Go", "tls.Config.SetSessionTicketKeys with the same keys on all instances."),
            ("Node.js", "server.setTicketKeys or ticketKeys in the options."),
            ("Kubernetes ingress-nginx", "ssl-session-ticket-key in the ConfigMap, and ssl-session-tickets: \"true\"."),
        ],
        references: &["RFC 8446 section 2.2", "RFC 5077 section 5.5"],
    },
    check,
};

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
            .shown_by(answer.mark, "server goes on with a full handshake")
    };
    let (offers, accepted) = (case.knowledge.resumptions_offered, case.knowledge.resumptions_accepted);
    let refused = offers.saturating_sub(accepted);
    let ticket = case.knowledge.ticket;
    // What was forgotten or has expired is not accepted again; and one that was just issued has not expired.
    let finding = match (ticket.accepted, ticket.issued) {
        (Some(accepted), _) => base(
            Confidence::Strong,
            format!("{server} refuses a ticket and accepts it when it is offered again: its backends do not share their ticket keys."),
        )
        .shown_by(accepted, "the same ticket, accepted"),
        (None, Some(issued)) if refused >= AGAIN => base(
            Confidence::Likely,
            format!("{server} refused a ticket that it had issued just before, and not for the first time: its backends do not share their ticket keys, or it loses them when it starts anew."),
        )
        .shown_by(issued, "server issues the ticket"),
        _ => {
            let summary = format!("The client offered a {kind}, and the server {server} did a full handshake instead.");
            let note = base(Confidence::Likely, summary).weight(Weight::Note);
            return Some(if offers > 1 { note.noting(format!("{accepted} of {offers} offers of a session to this server were accepted")) } else { note });
        }
    };
    Some(
        finding
            .noting(format!("{accepted} of {offers} offers of a session to this server were accepted"))
            .advise("Give all backends behind this address the same ticket keys, or make clients stick to one backend.")
            .advise(remedy::s_client(handshake, "-reconnect")),
    )
}

/// Refusals from which on a fresh ticket that is refused is not put down to a restart.
const AGAIN: u32 = 2;
