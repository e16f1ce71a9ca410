//! Tables of the inventory as comma-separated values (RFC 4180), as safe as those of handshakes.

use std::io::{self, Write};

use crate::flow::Shown;
use crate::inventory::{CertificateEntry, ClientEntry, ServerEntry, Stock, Usage};
use crate::output::csv::push_text;

/// A table of the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// A row for each server.
    Servers,
    /// A row for each client.
    Clients,
    /// A row for each leaf certificate.
    Certificates,
    /// A row for each server or client that needs something that may be switched off.
    Needs,
    /// A row for each version, group, suite and signature algorithm.
    Usage,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 5] = [Self::Servers, Self::Clients, Self::Certificates, Self::Needs, Self::Usage];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Clients => "clients",
            Self::Certificates => "certificates",
            Self::Needs => "needs",
            Self::Usage => "usage",
        }
    }
}

/// Writes a table, its head first.
pub fn write(out: &mut dyn Write, stock: &Stock, table: Table) -> io::Result<()> {
    match table {
        Table::Servers => rows(out, SERVERS, stock.servers.iter().map(server)),
        Table::Clients => rows(out, CLIENTS, stock.clients.iter().map(client)),
        Table::Certificates => rows(out, CERTIFICATES, stock.certificates.iter().map(certificate)),
        Table::Needs => rows(out, NEEDS, needs(stock)),
        Table::Usage => rows(out, USAGE, all_usage(stock)),
    }
}

type Row = Vec<String>;

fn rows(out: &mut dyn Write, head: &[&str], rows: impl Iterator<Item = Row>) -> io::Result<()> {
    let head: Row = head.iter().map(|name| (*name).to_owned()).collect();
    let mut line = Vec::new();
    for row in std::iter::once(head).chain(rows) {
        line.clear();
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                line.push(b',');
            }
            push_text(&mut line, cell);
        }
        line.extend_from_slice(b"\r\n");
        out.write_all(&line)?;
    }
    Ok(())
}

const SERVERS: &[&str] = &[
    "name",
    "address",
    "port",
    "handshakes",
    "completed",
    "failed",
    "clients",
    "versions",
    "groups",
    "ciphers",
    "post_quantum",
    "certificates",
    "hidden_certificates",
    "first_seen",
    "last_seen",
    "site",
];

fn server(server: &ServerEntry) -> Row {
    vec![
        server.server.name.clone().unwrap_or_default(),
        Shown(server.server.address).to_string(),
        server.server.port.to_string(),
        server.handshakes.to_string(),
        server.completed.to_string(),
        server.failed.to_string(),
        server.clients.to_string(),
        words(server.versions.keys()),
        words(server.groups.keys()),
        words(server.ciphers.keys()),
        server.post_quantum.name().to_owned(),
        words(server.certificates.iter()),
        server.hidden_certificates.to_string(),
        server.first_seen.to_string(),
        server.last_seen.to_string(),
        site(server.server.site.as_deref()),
    ]
}

const CLIENTS: &[&str] = &[
    "address",
    "stack",
    "ja4",
    "newest_version",
    "handshakes",
    "completed",
    "failed",
    "versions",
    "groups",
    "ciphers",
    "post_quantum",
    "ech",
    "servers",
    "first_seen",
    "last_seen",
    "site",
];

fn client(client: &ClientEntry) -> Row {
    vec![
        Shown(client.address).to_string(),
        client.stack.clone().unwrap_or_default(),
        words(client.ja4.iter()),
        client.newest_version.clone().unwrap_or_default(),
        client.handshakes.to_string(),
        client.completed.to_string(),
        client.failed.to_string(),
        words(client.versions.keys()),
        words(client.groups.keys()),
        words(client.ciphers.keys()),
        client.post_quantum.name().to_owned(),
        client.ech.to_string(),
        words(client.servers.iter()),
        client.first_seen.to_string(),
        client.last_seen.to_string(),
        site(client.site.as_deref()),
    ]
}

const CERTIFICATES: &[&str] = &[
    "subject",
    "issuer",
    "san",
    "key",
    "signature",
    "not_before",
    "not_after",
    "lifetime_days",
    "days_left",
    "days_expired",
    "sha256",
    "presented_by",
    "handshakes",
    "servers",
];

fn certificate(certificate: &CertificateEntry) -> Row {
    vec![
        certificate.subject.clone(),
        certificate.issuer.clone(),
        words(certificate.san.iter()),
        certificate.key.clone(),
        certificate.signature.clone(),
        certificate.not_before.to_string(),
        certificate.not_after.to_string(),
        certificate.lifetime_days.to_string(),
        number(certificate.days_left),
        number(certificate.days_expired),
        certificate.sha256.clone(),
        words(certificate.presented_by.iter().map(|side| side.name())),
        certificate.handshakes.to_string(),
        words(certificate.servers.iter()),
    ]
}

const NEEDS: &[&str] =
    &["what", "side", "name", "address", "port", "ja4", "stack", "why", "address_offers_else", "handshakes", "servers", "site"];

fn needs(stock: &Stock) -> impl Iterator<Item = Row> {
    stock.needs.iter().flat_map(|need| {
        let clients = need.clients.iter().map(|client| {
            vec![
                need.what.to_owned(),
                "client".to_owned(),
                String::new(),
                Shown(client.address).to_string(),
                String::new(),
                client.ja4.clone().unwrap_or_default(),
                client.stack.clone().unwrap_or_default(),
                client.why.to_owned(),
                client.address_offers_else.to_string(),
                client.handshakes.to_string(),
                words(client.servers.iter()),
                site(client.site.as_deref()),
            ]
        });
        let servers = need.servers.iter().map(|server| {
            vec![
                need.what.to_owned(),
                "server".to_owned(),
                server.server.name.clone().unwrap_or_default(),
                Shown(server.server.address).to_string(),
                server.server.port.to_string(),
                String::new(),
                String::new(),
                server.why.to_owned(),
                String::new(),
                server.handshakes.to_string(),
                String::new(),
                site(server.server.site.as_deref()),
            ]
        });
        clients.chain(servers)
    })
}

const USAGE: &[&str] = &["kind", "name", "weakness", "post_quantum", "clients", "offered", "chosen", "completed"];

fn all_usage(stock: &Stock) -> impl Iterator<Item = Row> {
    let kinds: [(&str, &[Usage]); 4] = [
        ("version", &stock.versions),
        ("group", &stock.groups),
        ("cipher", &stock.ciphers),
        ("signature_algorithm", &stock.signature_algorithms),
    ];
    kinds.into_iter().flat_map(|(kind, list)| list.iter().map(move |usage| usage_row(kind, usage)))
}

fn usage_row(kind: &str, usage: &Usage) -> Row {
    vec![
        kind.to_owned(),
        usage.name.clone(),
        usage.weakness.unwrap_or_default().to_owned(),
        usage.post_quantum.to_string(),
        usage.clients.to_string(),
        usage.offered.to_string(),
        usage.chosen.to_string(),
        usage.completed.to_string(),
    ]
}

fn site(name: Option<&str>) -> String {
    name.unwrap_or_default().to_owned()
}

fn number(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A list in one cell.
fn words<T: AsRef<str>>(list: impl Iterator<Item = T>) -> String {
    list.map(|word| word.as_ref().to_owned()).collect::<Vec<_>>().join("; ")
}
