//! What is in use, and who would break without it.

use maud::{Markup, html};

use super::Gathered;
use super::parts::{name, table, text};
use crate::inventory::{ClientReadiness, Need, Readiness, Stock, Usage};
use crate::output::figures::count;
use crate::output::inventory::words::{WHYS, client_readiness, few, named_server, needing_clients, server_readiness};

/// The section, if a handshake says anything.
pub(super) fn inventory(gathered: &Gathered) -> Markup {
    let stock = gathered.inventory.stock(Vec::new());
    if stock.handshakes == 0 {
        return html! {};
    }
    let used: Vec<&Need> = stock.needs.iter().filter(|need| need.handshakes > 0).collect();
    html! {
        section aria-labelledby="h-inventory" {
            h2 #h-inventory { "In use" }
            h3 #h-needs { "Who would break, if it were switched off" }
            (table("h-needs", &html! { th scope="col" { "Switched off" } th.n scope="col" { "Handshakes" } th scope="col" { "Who completed with it and needs it, as far as it was seen" } },
                &used.iter().map(|need| self::need(need)).collect::<Vec<_>>()))
            h3 { "Post-quantum key exchange" }
            (post_quantum(&stock))
            h3 #h-usage { "Offered, chosen, completed with" }
            (table("h-usage", &html! { th scope="col" { "What" } th scope="col" { "Name" } th.n scope="col" { "Clients" } th.n scope="col" { "Offered" } th.n scope="col" { "Chosen" } th.n scope="col" { "Completed" } },
                &usage(&stock)))
            p.sub { "A client is an address and what it offers. Handshakes in which TLS was spoken: " (count(stock.handshakes)) "; " (count(stock.ech.offered)) " of them with an encrypted ClientHello, or GREASE that looks the same." }
        }
    }
}

fn need(need: &Need) -> Markup {
    let of_kind = |why: &str| {
        let clients: Vec<_> = need.clients.iter().filter(|client| client.why == why).collect();
        let servers: Vec<_> = need.servers.iter().filter(|server| server.why == why).collect();
        let number = clients.len().saturating_add(servers.len());
        (number, [needing_clients(clients.into_iter()), servers.into_iter().map(|need| named_server(&need.server)).collect()].concat())
    };
    let told: Vec<(usize, &str, String)> = WHYS
        .iter()
        .map(|(why, words)| (of_kind(why), words))
        .filter(|((number, _), _)| *number > 0)
        .map(|((number, names), words)| (number, *words, few(&names, false)))
        .collect();
    html! {
        tr {
            th scope="row" { (need.feature.title()) }
            td.n data-v=(need.handshakes) { (count(need.handshakes)) }
            td {
                @if told.is_empty() { "nobody who was seen here" }
                @for (number, words, names) in &told { p { (count(*number as u64)) " " (words) ": " (text(names)) } }
            }
        }
    }
}

fn post_quantum(stock: &Stock) -> Markup {
    let told = &stock.post_quantum;
    let clients =
        ClientReadiness::ALL.map(|readiness| (told.clients.get(&readiness).copied().unwrap_or_default(), client_readiness(readiness)));
    let servers = Readiness::ALL.map(|readiness| (told.servers.get(&readiness).copied().unwrap_or_default(), server_readiness(readiness)));
    let list = |parts: &[(u64, &str)]| {
        let parts = parts.iter().filter(|(number, _)| *number > 0).map(|(number, words)| format!("{} {words}", count(*number)));
        parts.collect::<Vec<_>>().join("; ")
    };
    html! {
        p { b { "Clients: " } (list(&clients)) }
        p { b { "Servers: " } (list(&servers)) }
        p { b { "Handshakes: " } (count(told.completed)) " of " (count(stock.completed)) " completed with it" }
    }
}

fn usage(stock: &Stock) -> Vec<Markup> {
    let kinds: [(&str, &[Usage]); 4] =
        [("version", &stock.versions), ("group", &stock.groups), ("suite", &stock.ciphers), ("signature", &stock.signature_algorithms)];
    let row = |kind: &str, usage: &Usage| {
        html! {
            tr {
                td { (kind) }
                th scope="row" { (name(&usage.name)) @if let Some(weakness) = usage.weakness { span.sub { " " (weakness) } } @if usage.post_quantum { span.sub { " post-quantum" } } }
                td.n data-v=(usage.clients) { (count(usage.clients)) }
                td.n data-v=(usage.offered) { (count(usage.offered)) }
                td.n data-v=(usage.chosen) { (count(usage.chosen)) }
                td.n data-v=(usage.completed) { (count(usage.completed)) }
            }
        }
    };
    kinds.into_iter().flat_map(|(kind, list)| list.iter().take(VALUES).map(move |usage| row(kind, usage))).collect()
}

/// Values of a kind in the table.
const VALUES: usize = 100;
