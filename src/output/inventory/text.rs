//! The inventory for a person at a terminal.

use std::io::{self, Write};

use anstyle::Style;

use super::words::{LONGEST_NAME, WHYS, client_readiness, few, named_server, needing_clients, server_readiness, together};
use crate::flow::Shown;
use crate::inventory::{
    CertificateEntry, ClientEntry, ClientNeed, ClientReadiness, LeftOut, Need, Readiness, ServerEntry, ServerNeed, Stock, Usage,
};
use crate::output::escape::{clip, escape, width};
use crate::output::figures::{count, counted, date};
use crate::output::layout::Layout;

/// Writes the inventory. `all`: every server, client and certificate, not only the first of each.
pub fn write(out: &mut dyn Write, layout: &Layout, stock: &Stock, all: bool) -> io::Result<()> {
    head(out, layout, stock)?;
    if stock.handshakes == 0 {
        return layout.prose(out, 0, "No TLS handshake was found of which there is anything to tell.");
    }
    needs(out, layout, stock, all)?;
    post_quantum(out, layout, stock, all)?;
    usage(out, layout, stock, all)?;
    certificates(out, layout, stock, all)?;
    section(out, layout, "SERVERS")?;
    limited(out, layout, &stock.servers, all, "server", "servers", |out, entry| server(out, layout, entry))?;
    section(out, layout, "CLIENTS")?;
    clients(out, layout, &stock.clients, all)?;
    left_out(out, layout, stock.left_out)
}

fn head(out: &mut dyn Write, layout: &Layout, stock: &Stock) -> io::Result<()> {
    let sources = match stock.inputs.as_slice() {
        [one] => one.clone(),
        many => counted(many.len(), "file", "files"),
    };
    let times = stock.first_time.zip(stock.last_time);
    let times =
        times.map_or_else(String::new, |(first, last)| format!(", {} {}", layout.period(first, last, true), layout.zone().name(last)));
    let text = format!(
        "{} of {} with {}: {} completed, {} failed",
        counted(stock.handshakes, "handshake", "handshakes"),
        counted(stock.clients.len(), "client", "clients"),
        counted(stock.servers.len(), "server", "servers"),
        count(stock.completed),
        count(stock.failed),
    );
    layout.flow(out, 0, 2, &[(layout.palette.strong, &text)])?;
    layout.flow(out, 0, 2, &[(layout.palette.dim, &format!("{sources}{times}"))])
}

fn section(out: &mut dyn Write, layout: &Layout, title: &str) -> io::Result<()> {
    writeln!(out)?;
    layout.heading(out, 0, title)
}

fn needs(out: &mut dyn Write, layout: &Layout, stock: &Stock, all: bool) -> io::Result<()> {
    section(out, layout, "WHO WOULD BREAK, if it were switched off")?;
    let (used, unused): (Vec<&Need>, Vec<&Need>) = stock.needs.iter().partition(|need| need.handshakes > 0);
    for need in used {
        let numbers = match (need.clients.len(), need.servers.len()) {
            (0, 0) => ": nobody who was seen here".to_owned(),
            (clients, servers) => {
                let parts = [(clients, "client", "clients"), (servers, "server", "servers")];
                let parts: Vec<String> =
                    parts.into_iter().filter(|(number, ..)| *number > 0).map(|(number, one, many)| counted(number, one, many)).collect();
                format!(": {}", parts.join(" and "))
            }
        };
        let times = format!(" ({} completed with it)", counted(need.handshakes, "handshake", "handshakes"));
        layout.flow(out, 2, 4, &[(layout.palette.strong, need.feature.title()), (Style::new(), &numbers), (layout.palette.dim, &times)])?;
        for (why, text) in WHYS {
            let clients: Vec<&ClientNeed> = need.clients.iter().filter(|client| client.why == *why).collect();
            let servers: Vec<&ServerNeed> = need.servers.iter().filter(|server| server.why == *why).collect();
            let number = clients.len().saturating_add(servers.len());
            if number > 0 {
                let mut names = needing_clients(clients.into_iter());
                names.extend(servers.into_iter().map(|need| named_server(&need.server)));
                layout.labelled(out, 4, &format!("{} {text}:", count(number as u64)), &few(&names, all))?;
            }
        }
    }
    if !unused.is_empty() {
        let names: Vec<&str> = unused.iter().map(|need| need.feature.title()).collect();
        layout.labelled(out, 2, "No handshake completed with:", &names.join("; "))?;
    }
    layout.flow(
        out,
        2,
        2,
        &[(layout.palette.dim, "A client is an address and what it offers: two programs on one host are two. This is what these captures show: who was not seen, or not seen to complete, may need it as well.")],
    )
}

fn post_quantum(out: &mut dyn Write, layout: &Layout, stock: &Stock, all: bool) -> io::Result<()> {
    section(out, layout, "POST-QUANTUM KEY EXCHANGE")?;
    let told = &stock.post_quantum;
    let of = |list: &dyn Fn() -> Vec<String>, number: u64, text: &str, named: bool| {
        if number == 0 {
            return None;
        }
        let names = if named { format!(": {}", few(&list(), all)) } else { String::new() };
        Some(format!("{} {text}{names}", count(number)))
    };
    let clients: Vec<String> = ClientReadiness::ALL
        .into_iter()
        .filter_map(|readiness| {
            of(&Vec::new, told.clients.get(&readiness).copied().unwrap_or_default(), client_readiness(readiness), false)
        })
        .collect();
    let servers: Vec<String> = Readiness::ALL
        .into_iter()
        .filter_map(|readiness| {
            let list = || {
                let those = stock.servers.iter().filter(|server| server.post_quantum == readiness);
                those.map(|entry| named_server(&entry.server)).collect()
            };
            let number = told.servers.get(&readiness).copied().unwrap_or_default();
            of(&list, number, server_readiness(readiness), readiness != Readiness::Unknown)
        })
        .collect();
    for (label, parts) in [("Clients:", clients), ("Servers:", servers)] {
        if !parts.is_empty() {
            layout.labelled(out, 2, label, &parts.join("; "))?;
        }
    }
    layout.labelled(out, 2, "Handshakes that completed with it:", &count(told.completed))
}

fn usage(out: &mut dyn Write, layout: &Layout, stock: &Stock, all: bool) -> io::Result<()> {
    section(out, layout, "WHAT IS OFFERED, CHOSEN, COMPLETED WITH")?;
    let name_columns = layout.width().saturating_sub(4 * NUMBER + 4).clamp(16, 46);
    for (kind, list) in [
        ("Versions", stock.versions.as_slice()),
        ("Groups", &stock.groups),
        ("Cipher suites", &stock.ciphers),
        ("Signature algorithms", &stock.signature_algorithms),
    ] {
        if list.is_empty() {
            continue;
        }
        let title =
            format!("{kind:<name_columns$}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}", "clients", "offered", "chosen", "completed");
        layout.row(out, 2, 4, &[(layout.palette.dim, title.trim_end())])?;
        let most = if all { list.len() } else { VALUES };
        for usage in list.iter().take(most) {
            value(out, layout, usage, name_columns, kind == "Signature algorithms")?;
        }
        match list.len().saturating_sub(most) {
            0 => {}
            more => layout.prose(out, 4, &format!("and {} more: see --all or --json", count(more as u64)))?,
        }
    }
    let ech = &stock.ech;
    let text = format!("{} of {}", counted(ech.offered, "hello", "hellos"), counted(ech.clients, "client", "clients"));
    layout.labelled(out, 2, "Encrypted ClientHello (offered, or GREASE that looks the same):", &text)
}

fn value(out: &mut dyn Write, layout: &Layout, usage: &Usage, columns: usize, offered_only: bool) -> io::Result<()> {
    let remark = match (usage.weakness, usage.post_quantum) {
        (Some(weakness), _) => format!(" ({weakness})"),
        (None, true) => " (post-quantum)".to_owned(),
        (None, false) => String::new(),
    };
    let name = escape(&usage.name).into_owned();
    let room = columns.saturating_sub(2);
    let name = clip(&name, room);
    let remark = if width(&name).saturating_add(width(&remark)) <= room { remark } else { String::new() };
    let pad = room.saturating_sub(width(&name)).saturating_sub(width(&remark));
    let number = |number: u64| format!("{:>NUMBER$}", count(number));
    let mut numbers = format!("{:pad$}{}{}", "", number(usage.clients), number(usage.offered));
    if !offered_only {
        numbers.push_str(&number(usage.chosen));
        numbers.push_str(&number(usage.completed));
    }
    let style = if usage.weakness.is_some() { layout.palette.warn } else { Style::new() };
    layout.row(out, 4, 6, &[(style, &*name), (layout.palette.dim, &remark), (Style::new(), &numbers)])
}

fn certificates(out: &mut dyn Write, layout: &Layout, stock: &Stock, all: bool) -> io::Result<()> {
    section(out, layout, "CERTIFICATES, by expiry")?;
    if !stock.keys.is_empty() {
        let keys: Vec<String> = stock.keys.iter().map(|key| format!("{} {}", count(key.number), key.name)).collect();
        layout.labelled(out, 2, "Keys of servers:", &keys.join(", "))?;
    }
    limited(out, layout, &stock.certificates, all, "certificate", "certificates", |out, entry| certificate(out, layout, entry))?;
    if stock.hidden_certificates > 0 {
        let hidden = counted(stock.hidden_certificates, "handshake", "handshakes");
        layout.prose(out, 2, &format!("TLS 1.3 encrypts certificates: those of {hidden} were not seen (--keylog decrypts them)."))?;
    }
    Ok(())
}

fn certificate(out: &mut dyn Write, layout: &Layout, entry: &CertificateEntry) -> io::Result<()> {
    let palette = layout.palette;
    let (style, left) = match (entry.days_left, entry.days_expired) {
        (Some(left), _) if left >= SOON => (palette.good, format!("{} left", counted(left, "day", "days"))),
        (Some(left), _) => (palette.warn, format!("{} left", counted(left, "day", "days"))),
        (None, ago) => (palette.bad, format!("expired {} before", counted(ago.unwrap_or_default(), "day", "days"))),
    };
    let of_client = if entry.presented_by.contains(&crate::report::Side::Client) { "a client's, " } else { "" };
    let rest = format!(
        "  {}, issued by {}; {of_client}{}, {}, {}; {} with {}",
        entry.subject,
        entry.issuer,
        entry.key,
        entry.signature,
        counted(entry.lifetime_days, "day", "days"),
        counted(entry.handshakes, "handshake", "handshakes"),
        few(&entry.servers, false),
    );
    layout.flow(out, 2, 4, &[(palette.dim, &date(entry.not_after)), (Style::new(), "  "), (style, &left), (Style::new(), &rest)])
}

fn server(out: &mut dyn Write, layout: &Layout, entry: &ServerEntry) -> io::Result<()> {
    let rest = format!(
        "  {}{}; post-quantum: {}",
        numbers(entry.handshakes, entry.completed, entry.failed),
        used([&entry.versions, &entry.groups, &entry.ciphers]),
        entry.post_quantum.name()
    );
    layout.flow(out, 2, 4, &[(layout.palette.strong, &clip(&named_server(&entry.server), LONGEST_NAME)), (Style::new(), &rest)])
}

/// Clients, those of one address beneath it.
fn clients(out: &mut dyn Write, layout: &Layout, clients: &[ClientEntry], all: bool) -> io::Result<()> {
    let groups = together(clients.iter(), |entry| (entry.site.clone(), entry.address));
    let mut left = if all { usize::MAX } else { LISTED };
    for (_, group) in &groups {
        let shown = group.len().min(left);
        left = left.saturating_sub(shown);
        let Some((first, _)) = group.split_first().filter(|_| shown > 0) else { break };
        let address = Shown(first.address).to_string();
        if group.len() == 1 {
            client(out, layout, 2, (&address, first))?;
            continue;
        }
        layout.flow(out, 2, 4, &[(layout.palette.strong, &address)])?;
        group.iter().take(shown).try_for_each(|entry| client(out, layout, 4, ("", entry)))?;
    }
    let listed = if all { clients.len() } else { LISTED };
    and_more(out, layout, clients.len().saturating_sub(listed), "client", "clients")
}

fn client(out: &mut dyn Write, layout: &Layout, indent: usize, (address, entry): (&str, &ClientEntry)) -> io::Result<()> {
    let who = entry.stack.as_ref().or_else(|| entry.ja4.first());
    let who = match who {
        Some(who) if address.is_empty() => who.clone(),
        Some(who) => format!(" ({who})"),
        None if address.is_empty() => "no ClientHello seen".to_owned(),
        None => String::new(),
    };
    let newest = entry.newest_version.as_ref().map(|newest| format!("; offers up to {newest}")).unwrap_or_default();
    let rest = format!(
        "  {}{newest}{}; post-quantum: {}",
        numbers(entry.handshakes, entry.completed, entry.failed),
        used([&entry.versions, &entry.groups, &entry.ciphers]),
        entry.post_quantum.name()
    );
    let spans = [(layout.palette.strong, address), (layout.palette.dim, &*who), (Style::new(), &*rest)];
    layout.flow(out, indent, indent.saturating_add(2), &spans)
}

fn numbers(handshakes: u64, completed: u64, failed: u64) -> String {
    format!("{}: {} completed, {} failed", counted(handshakes, "handshake", "handshakes"), count(completed), count(failed))
}

fn used(kinds: [&std::collections::BTreeMap<String, u64>; 3]) -> String {
    let of_kind = |counts: &std::collections::BTreeMap<String, u64>| {
        let mut list: Vec<(&String, &u64)> = counts.iter().collect();
        list.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        let more = list.len().saturating_sub(KINDS);
        let shown: Vec<String> = list.into_iter().take(KINDS).map(|(name, times)| format!("{name} {}", count(*times))).collect();
        if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
    };
    let parts: Vec<String> = kinds.into_iter().filter(|counts| !counts.is_empty()).map(of_kind).collect();
    if parts.is_empty() { String::new() } else { format!("; with {}", parts.join("; ")) }
}

fn limited<T>(
    out: &mut dyn Write,
    layout: &Layout,
    list: &[T],
    all: bool,
    one: &str,
    many: &str,
    mut write: impl FnMut(&mut dyn Write, &T) -> io::Result<()>,
) -> io::Result<()> {
    let most = if all { list.len() } else { LISTED };
    list.iter().take(most).try_for_each(|entry| write(out, entry))?;
    and_more(out, layout, list.len().saturating_sub(most), one, many)
}

/// What of a list is not shown.
fn and_more(out: &mut dyn Write, layout: &Layout, more: usize, one: &str, many: &str) -> io::Result<()> {
    if more == 0 {
        return Ok(());
    }
    let more = counted(more, &format!("more {one}"), &format!("more {many}"));
    layout.prose(out, 2, &format!("and {more}: see --all, --csv or --json"))
}

fn left_out(out: &mut dyn Write, layout: &Layout, left_out: LeftOut) -> io::Result<()> {
    if left_out.is_empty() {
        return Ok(());
    }
    let LeftOut { handshakes_of_servers, handshakes_of_clients, certificates, repeated_rows, unreadable_rows } = left_out;
    let parts = [
        (handshakes_of_servers, "handshake of a server that there was no room for", "handshakes of servers that there was no room for"),
        (handshakes_of_clients, "handshake of a client that there was no room for", "handshakes of clients that there was no room for"),
        (certificates, "certificate that there was no room for", "certificates that there was no room for"),
        (repeated_rows, "row that came twice", "rows that came twice"),
        (unreadable_rows, "line that could not be read", "lines that could not be read"),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter(|(number, ..)| *number > 0).map(|(number, one, many)| counted(number, one, many)).collect();
    writeln!(out)?;
    layout.labelled(out, 0, "Left out:", &parts.join("; "))
}

/// Servers, clients, certificates listed, unless all are.
const LISTED: usize = 20;
/// Values of a kind listed.
const VALUES: usize = 12;
/// Values of a kind named with a server or client.
const KINDS: usize = 4;
/// Columns of a number.
const NUMBER: usize = 10;
/// Days in which a certificate is renewed.
const SOON: u64 = 30;
