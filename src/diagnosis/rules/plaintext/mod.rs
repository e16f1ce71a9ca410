//! Rules of the family plaintext: one side does not speak TLS, or the upgrade to it failed.
//!
//! What a proxy or a PROXY header has to do with is the family proxy's; a page written by a filter on the path is the family middlebox's.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Family;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::preamble::services::{Service, Use};
use crate::preamble::{Dialect, Line, PreambleFacts};

mod client;
mod injection;
mod not_offered;
mod refused;
mod server;
mod unavailable;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Plaintext,
    speaks: Signs::UNFINISHED.or(Signs::PREAMBLE),
    rules: Rules::Each(&[&not_offered::RULE, &refused::RULE, &unavailable::RULE, &client::RULE, &server::RULE, &injection::RULE]),
};

/// The dialogue of a protocol with an upgrade of its own, innermost, of a handshake that did not complete.
fn upgrade(handshake: &Handshake) -> Option<&PreambleFacts> {
    handshake.preamble.as_deref().filter(|facts| facts.dialect.is_starttls() && handshake.outcome.failed())
}

/// The client spoke TLS.
fn client_spoke_tls(handshake: &Handshake) -> bool {
    // Where the capture has cut off its hello, an alert tells as much.
    let cut = handshake.flow.side(Side::Client).snaplen_cut > 0;
    let alerts = || cut && handshake.alerts.iter().any(|seen| seen.from == Side::Client);
    !handshake.client_hellos.is_empty() || handshake.partial_client_hello.is_some() || alerts()
}

/// The server sent something of TLS: any message, or an alert.
fn server_spoke_tls(handshake: &Handshake) -> bool {
    handshake.server_hello.is_some()
        || handshake.hello_retry.is_some()
        || handshake.partial_server_message.is_some()
        || handshake.alerts.iter().any(|alert| alert.from == Side::Server)
}

/// The last line a side said, as evidence.
fn last_line(facts: &PreambleFacts, side: Side) -> Option<&Line> {
    facts.lines.iter().rev().find(|line| line.side == side)
}

/// Adds the request and the answer as evidence.
fn quoting(mut finding: Finding, facts: &PreambleFacts) -> Finding {
    if let Some(asked) = facts.asked {
        finding = finding.shown_by(asked, format!("the client asked for TLS: {}", facts.dialect.request()));
    }
    if let (Some(answered), Some(answer)) = (facts.answered, &facts.answer) {
        finding = finding.shown_by(answered, format!("the server answered `{answer}`"));
    }
    finding
}

/// The port on which this protocol is served with TLS from the first byte, and what it is called there.
fn implicit(dialect: Dialect) -> Option<(u16, &'static str)> {
    let port = *Service::of(dialect)?.tls.first()?;
    let name = match dialect {
        Dialect::Smtp => "submissions",
        Dialect::Imap => "imaps",
        Dialect::Pop3 => "pop3s",
        Dialect::Ftp => "ftps",
        Dialect::Ldap => "ldaps",
        Dialect::Xmpp => "xmpps",
        Dialect::Nntp => "nntps",
        Dialect::Irc => "ircs",
        _ => return None,
    };
    Some((port, name))
}

/// The service in clear that a server's port is known for, where nothing shows that the server speaks TLS on it. In clear its servers say nothing
/// before their clients do, so that one that stays silent may well be one of them.
fn clear_service(case: &Case<'_>) -> Option<&'static Service> {
    let (service, port_use) = Service::at(case.handshake.server.port)?;
    let known = case.knowledge.speaks_tls || case.knowledge.completed > 0;
    // Ports that developers take for HTTP carry TLS as often as not.
    let clear = port_use == Use::Clear && !service.greets && (service.name != "HTTP" || case.handshake.server.port == 80);
    (clear && !known && case.handshake.preamble.is_none()).then_some(service)
}
