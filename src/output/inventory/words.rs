//! What an inventory says, in words.

use std::borrow::Cow;

use crate::flow::Shown;
use crate::inventory::{ClientNeed, ClientReadiness, Readiness, ServerNeed};
use crate::output::escape::clip;
use crate::output::figures::count;

/// Why somebody needs something, and how that is said behind their number.
pub(in crate::output) const WHYS: &[(&str, &str)] = &[
    ("offers-nothing-else", "completed with it and offer nothing else"),
    ("completed-with-nothing-else", "completed with nothing else, though they offer it"),
    ("chose-nothing-else", "as servers chose nothing else, though it was offered"),
    ("was-offered-nothing-else", "as servers were offered nothing else"),
];

/// A client that needs something.
pub(in crate::output) fn needing_client(client: &ClientNeed) -> String {
    let stack = client.stack.as_deref().or(client.ja4.as_deref()).map(|stack| format!(" ({stack})")).unwrap_or_default();
    let also = if client.address_offers_else { " in some of its hellos" } else { "" };
    format!("{}{stack}{also}", Shown(client.address))
}

/// A server that needs something.
pub(in crate::output) fn needing_server(server: &ServerNeed) -> String {
    place(server.name.as_deref(), &crate::report::Endpoint::new(server.address, server.port).to_string())
}

/// A name and where it is.
pub(in crate::output) fn place(name: Option<&str>, endpoint: &str) -> String {
    name.map_or_else(|| endpoint.to_owned(), |name| format!("{name} ({endpoint})"))
}

/// The first few names, or all.
pub(in crate::output) fn few(names: &[String], all: bool) -> String {
    let most = if all { names.len() } else { NAMED };
    let shown: Vec<Cow<'_, str>> = names.iter().take(most).map(|name| clip(name, LONGEST_NAME)).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), count(more as u64)),
    }
}

/// How far clients are, behind their number.
pub(in crate::output) const fn client_readiness(readiness: ClientReadiness) -> &'static str {
    match readiness {
        ClientReadiness::Completed => "completed with it",
        ClientReadiness::Offers => "offer it",
        ClientReadiness::DoesNotOffer => "do not offer it",
        ClientReadiness::Unknown => "sent no ClientHello that was seen",
    }
}

/// How far servers are, behind their number.
pub(in crate::output) const fn server_readiness(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Ready => "chose it whenever it was offered",
        Readiness::Partly => "chose it sometimes",
        Readiness::NotReady => "never chose it, though it was offered",
        Readiness::Unknown => "were not offered it, and may be ready or not",
    }
}

/// Names in a sentence.
const NAMED: usize = 8;
/// Columns of a name.
pub(in crate::output) const LONGEST_NAME: usize = 80;
