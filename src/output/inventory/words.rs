//! What an inventory says, in words.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::flow::Shown;
use crate::inventory::{ClientNeed, ClientReadiness, NamedServer, Readiness};
use crate::output::escape::clip;
use crate::output::figures::count;

/// Why somebody needs something, and how that is said behind their number.
pub(in crate::output) const WHYS: &[(&str, &str)] = &[
    ("offers-nothing-else", "completed with it and offer nothing else"),
    ("completed-with-nothing-else", "completed with nothing else, though they offer it"),
    ("chose-nothing-else", "as servers chose nothing else, though it was offered"),
    ("was-offered-nothing-else", "as servers were offered nothing else"),
];

/// Clients that need something: each address once, with the programs there that do.
pub(in crate::output) fn needing_clients<'a>(clients: impl Iterator<Item = &'a ClientNeed>) -> Vec<String> {
    together(clients, |client| (client.site.clone(), client.address))
        .into_iter()
        .map(|(_, clients)| {
            let also = if clients.iter().any(|client| client.address_offers_else) { " in some of its hellos" } else { "" };
            let address = clients.first().map(|client| Shown(client.address).to_string()).unwrap_or_default();
            let programs = programs(clients.iter().filter_map(|client| client.stack.as_deref().or(client.ja4.as_deref())));
            if programs.is_empty() { format!("{address}{also}") } else { format!("{address} ({programs}){also}") }
        })
        .collect()
}

/// Each program once, with how many clients are of it.
fn programs<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<String> = together(names, |name| *name)
        .into_iter()
        .map(|(name, clients)| if clients.len() > 1 { format!("{name}, {} times", clients.len()) } else { name.to_owned() })
        .collect();
    let more = parts.len().saturating_sub(PROGRAMS);
    let shown = parts.iter().take(PROGRAMS).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{shown}; and {} more", count(more as u64)) } else { shown }
}

/// What has the same key together, in the order in which the keys come first.
pub(in crate::output) fn together<T, K: Clone + Ord>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<(K, Vec<T>)> {
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for item in items {
        let key = key(&item);
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}

/// A server by its name and where it is.
pub(in crate::output) fn named_server(server: &NamedServer) -> String {
    place(server.name.as_deref(), &crate::report::Endpoint::new(server.address, server.port).to_string())
}

/// A name and where it is.
pub(in crate::output) fn place(name: Option<&str>, endpoint: &str) -> String {
    name.map_or_else(|| endpoint.to_owned(), |name| format!("{name} ({endpoint})"))
}

/// The first few names, or all.
pub(in crate::output) fn few(names: &[String], all: bool) -> String {
    let most = if all { names.len() } else { NAMED };
    let shown: Vec<Cow<'_, str>> = names.iter().take(most).map(|name| clip(name, 2 * LONGEST_NAME)).collect();
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

/// Programs named beside their address.
const PROGRAMS: usize = 3;
/// Names in a sentence.
const NAMED: usize = 8;
/// Columns of a name.
pub(in crate::output) const LONGEST_NAME: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_once_with_its_programs() {
        let client = |last: u8, stack: &str, address_offers_else| ClientNeed {
            site: None,
            address: [192, 0, 2, last].into(),
            ja4: Some("t10d".to_owned()),
            stack: (!stack.is_empty()).then(|| stack.to_owned()),
            why: "offers-nothing-else",
            address_offers_else,
            handshakes: 1,
            servers: Vec::new(),
        };
        let told = |clients: &[ClientNeed]| needing_clients(clients.iter());
        let clients = [client(1, "OpenSSL", false), client(2, "", false), client(1, "Go", true), client(1, "OpenSSL", false)];
        assert_eq!(told(&clients), ["192.0.2.1 (OpenSSL, 2 times; Go) in some of its hellos", "192.0.2.2 (t10d)"]);
        let many: Vec<ClientNeed> = ["a", "b", "c", "d", "e"].iter().map(|stack| client(3, stack, false)).collect();
        assert_eq!(told(&many), ["192.0.2.3 (a; b; c; and 2 more)"]);
    }
}
