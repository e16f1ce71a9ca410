//! The tables of causes, servers, clients and certificates.

use maud::{Markup, html};

use super::Gathered;
use super::parts::{CLASSES, css, filtered, more, name, table, text};
use super::tally::{Count, Seen};
use crate::flow::Shown;
use crate::output::escape::clip;
use crate::output::figures::{count, counted, date, span_us};
use crate::output::show::{Standing, standing};
use crate::output::view;
use crate::report::Class;
use crate::time::Timestamp;

pub(super) fn causes(gathered: &Gathered) -> Markup {
    let causes = gathered.tally.causes();
    let most = causes.iter().map(|(_, classes)| classes.values().sum::<u64>()).max().unwrap_or_default().max(1);
    if causes.is_empty() {
        return html! {};
    }
    let head = html! { th scope="col" { "Cause" } th.n scope="col" { "Handshakes" } th.opt scope="col" aria-hidden="true" {} th scope="col" { "Result" } th.opt scope="col" { "What it means" } };
    let rows: Vec<Markup> = causes
        .iter()
        .map(|(cause, classes)| {
            let all: u64 = classes.values().sum();
            let parts = CLASSES.iter().filter_map(|class| classes.get(class).map(|number| (*class, *number)));
            let results: Vec<String> = match classes.len() {
                1 => parts.clone().map(|(class, number)| class.words(number).to_owned()).collect(),
                _ => parts.clone().map(|(class, number)| view::class_counted(class, number)).collect(),
            };
            let mut x = 0;
            let bars: Vec<(Class, u64, u64)> = parts
                .map(|(class, number)| {
                    let width = (number * 100 / most).max(1);
                    x += width;
                    (class, x - width, width)
                })
                .collect();
            html! {
                tr {
                    th scope="row" { (filtered(&[("cause", cause)], &html! { (cause) })) }
                    td.n data-v=(all) { (count(all)) }
                    td.opt aria-hidden="true" { svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" { @for (class, x, width) in bars { rect class=(css(class)) x=(x) width=(width) height="10" {} } } }
                    td { (results.join(", ")) }
                    td.opt { a href=(format!("#about-{cause}")) { (meaning(cause)) } }
                }
            }
        })
        .collect();
    html! {
        section aria-labelledby="h-causes" {
            h2 #h-causes { "Causes" }
            (table("h-causes", &head, &rows))
        }
    }
}

pub(super) fn servers(gathered: &Gathered) -> Markup {
    let list = gathered.tally.servers();
    if list.is_empty() {
        return html! {};
    }
    let head = html! { th scope="col" { "Name" } th scope="col" { "Address" } (columns("Clients")) };
    let rows: Vec<Markup> = list
        .iter()
        .take(KEYS)
        .map(|((server_name, endpoint), count)| {
            let address = endpoint.to_string();
            let shown = if server_name.is_empty() {
                html! { span.sub { "no name" } }
            } else {
                name(server_name)
            };
            html! {
                tr {
                    th scope="row" { (filtered(&[("name", server_name), ("server", &address)], &shown)) }
                    td { (filtered(&[("server", &address)], &name(&address))) }
                    (cells(count))
                }
            }
        })
        .collect();
    html! {
        section aria-labelledby="h-servers" {
            h2 #h-servers { "Servers" }
            (table("h-servers", &head, &rows))
            (more(list.len().saturating_sub(KEYS) as u64, "server", "servers"))
            @if gathered.tally.beyond > 0 { p.sub { (counted(gathered.tally.beyond, "handshake", "handshakes")) " with still other servers are not in this table." } }
        }
    }
}

pub(super) fn clients(gathered: &Gathered) -> Markup {
    let list = gathered.tally.clients();
    if list.is_empty() {
        return html! {};
    }
    let head = html! { th scope="col" { "Address" } (columns("Servers")) };
    let rows: Vec<Markup> = list
        .iter()
        .take(KEYS)
        .map(|(address, count)| {
            let address = Shown(**address).to_string();
            html! { tr { th scope="row" { (filtered(&[("client", &address)], &name(&address))) } (cells(count)) } }
        })
        .collect();
    html! {
        section aria-labelledby="h-clients" {
            h2 #h-clients { "Clients" }
            (table("h-clients", &head, &rows))
            (more(list.len().saturating_sub(KEYS) as u64, "client", "clients"))
        }
    }
}

fn columns(peers: &str) -> Markup {
    html! {
        th.n scope="col" { "Handshakes" } th.n scope="col" { "Failed" } th.n scope="col" { "Failed of all" } th scope="col" { "Most frequent cause" }
        th.n.opt scope="col" { "Median" } th.n.opt scope="col" { "p95" } th.opt scope="col" { "Versions" } th.n.opt scope="col" { (peers) }
    }
}

fn cells(of: &Count) -> Markup {
    let rate = (of.failed * 100).div_ceil(of.handshakes.max(1));
    let (peers, more) = of.peer_count();
    let time = |hundredths| html! { @if let Some(us) = of.time(hundredths) { td.n.opt data-v=(us) { (span_us(us)) } } @else { td.n.opt data-v="-1" {} } };
    html! {
        td.n data-v=(of.handshakes) { (count(of.handshakes)) }
        td.n.bad[of.failed > 0] data-v=(of.failed) { (count(of.failed)) }
        td.n data-v=(of.failed * 10_000 / of.handshakes.max(1)) { (rate) " %" }
        td { @if let Some((cause, number)) = of.top_cause() { (cause) @if of.causes.len() > 1 { " (" (count(*number)) ")" } } }
        (time(50))
        (time(95))
        td.opt { (of.versions.iter().cloned().collect::<Vec<_>>().join(", ")) }
        td.n.opt data-v=(peers) { (peers) @if more { "+" } }
    }
}

pub(super) fn certificates(gathered: &Gathered) -> Markup {
    let list = gathered.tally.certificates();
    let at = gathered.collected.summary.as_ref().and_then(|summary| summary.times).map(|(_, last)| last);
    if list.is_empty() && gathered.tally.hidden_chains == 0 {
        return html! {};
    }
    let head = html! {
        th scope="col" { "Subject" } th.opt scope="col" { "Issuer" } th.opt scope="col" { "Valid from" } th scope="col" { "Valid until" }
        th scope="col" { "When captured" } th.opt scope="col" { "Key" } th scope="col" { "Seen at" } th.n scope="col" { "Handshakes" }
    };
    let rows: Vec<Markup> = list.iter().take(KEYS).map(|seen| certificate(seen, at)).collect();
    html! {
        section aria-labelledby="h-certificates" {
            h2 #h-certificates { "Certificates by expiry" }
            @if gathered.tally.hidden_chains > 0 {
                p.sub { "TLS 1.3 encrypts certificates: those of " (counted(gathered.tally.hidden_chains, "handshake", "handshakes")) " cannot be seen without keys." }
            }
            @if !list.is_empty() {
                (table("h-certificates", &head, &rows))
                (more(list.len().saturating_sub(KEYS) as u64, "certificate", "certificates"))
            }
        }
    }
}

fn certificate(seen: &Seen, at: Option<Timestamp>) -> Markup {
    let of = &seen.certificate;
    let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
    let (class, word, left) = match at.map(|at| standing(of, at)) {
        Some(Standing::Late(us)) => ("bad", format!("expired {} before", span_us(us)), -signed(us)),
        Some(Standing::Early(us)) => ("bad", format!("valid only {} later", span_us(us)), signed(us)),
        Some(Standing::Valid(_, us)) if us < SOON => ("warn", format!("{} left", span_us(us)), signed(us)),
        Some(Standing::Valid(_, us)) => ("good", format!("{} left", span_us(us)), signed(us)),
        None => ("warn", "cannot be read".to_owned(), i64::MAX),
    };
    let servers: Vec<Markup> = seen.servers.iter().take(3).map(|server| name(server)).collect();
    let more = seen.servers.len().saturating_sub(servers.len());
    html! {
        tr {
            th scope="row" { (name(&of.subject)) @if seen.of_clients { span.sub { " (a client's)" } } @else if seen.place > 0 { span.sub { " (authority)" } } br; span.sub.mono title=(of.fingerprint()) { (clip(&of.fingerprint(), 20)) } }
            td.opt { (name(&of.issuer)) }
            td.opt.d { (date(of.not_before)) }
            td.d { (date(of.not_after)) }
            td class=(class) data-v=(left) { (word) }
            td.opt { (text(&of.key)) }
            td { @for (place, server) in servers.iter().enumerate() { @if place > 0 { ", " } (server) } @if more > 0 { " and " (more) " more" } }
            td.n data-v=(seen.handshakes) { (count(seen.handshakes)) }
        }
    }
}

/// A cause in one line.
fn meaning(slug: &str) -> &'static str {
    slug.parse().ok().and_then(crate::diagnosis::rules::of).map_or("", |rule| rule.page.title)
}

/// Rows of a table. Each takes some 700 bytes of the page.
const KEYS: usize = 1_000;
/// Less than this left: 30 days in microseconds.
const SOON: u64 = 30 * 86_400 * 1_000_000;
