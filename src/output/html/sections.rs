//! The sections of the page as plain HTML.

use maud::{Markup, html};

use super::tally::{Count, Seen};
use super::{Gathered, Setting};
use crate::output::collect::Group;
use crate::output::escape::{clip, escape};
use crate::output::figures::{bytes, count, counted, date, percent, span_us, us_between, when};
use crate::output::layout::Layout;
use crate::output::show;
use crate::output::show::{Standing, standing};
use crate::output::style::Palette;
use crate::output::view;
use crate::report::{Advice, Class, Handshake, Summary, VERSION};
use crate::time::Timestamp;

/// The page's title.
pub(super) fn title(gathered: &Gathered) -> String {
    let collected = &gathered.collected;
    format!("TLS handshakes: {} of {} failed", count(collected.classes.of(Class::Failed)), count(collected.classes.total()))
}

pub(super) fn header(gathered: &Gathered) -> Markup {
    let summary = gathered.collected.summary.as_ref();
    html! {
        h1 { (title(gathered)) }
        @if let Some(summary) = summary {
            p.sub {
                @if let Some((first, last)) = summary.times { (when(first, true)) " to " (when(last, true)) " UTC" }
                @if let [input] = summary.inputs.as_slice() { ", " (text(&input.source)) } @else { ", " (counted(summary.inputs.len() as u64, "file", "files")) }
            }
        }
    }
}

pub(super) fn tiles(gathered: &Gathered) -> Markup {
    let collected = &gathered.collected;
    let of = |class| collected.classes.of(class);
    let decided = collected.classes.of_those(Class::is_decided);
    let rate = |class| format!("{} of {} decided", percent(of(class), decided), count(decided));
    let tile = |class: &str, number: u64, word: &str, note: &str| {
        html! { li class=(class) { strong { (count(number)) } " " span { (word) } @if !note.is_empty() { small { (note) } } } }
    };
    html! {
        ul.tiles aria-label="Summary" {
            (tile("", collected.classes.total(), "handshakes", ""))
            @for (class, number) in collected.classes.iter() {
                @match class {
                    Class::Failed => { (tile(if number > 0 { "t-bad" } else { "" }, number, class.words(number), &rate(class))) }
                    Class::Completed => { (tile("t-good", number, class.words(number), "")) }
                    Class::Rejected if number > 0 => { (tile("t-bad", number, class.words(number), &rate(class))) }
                    Class::Undecided if number > 0 => { (tile("", number, class.words(number), "the capture lacks the rest")) }
                    Class::Probe if number > 0 => { (tile("", number, class.words(number), "connected and left")) }
                    Class::Troubled if number > 0 => { (tile("", number, class.words(number), "")) }
                    _ => {}
                }
            }
            (tile("", collected.incidents.len() as u64 + collected.incidents_beyond, "incidents", ""))
        }
    }
}

pub(super) fn incidents(gathered: &Gathered) -> Markup {
    let list = &gathered.collected.incidents;
    let with_date = gathered.collected.several_days();
    if list.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-incidents" {
            h2 #h-incidents { "Incidents" }
            @for (index, incident) in list.iter().enumerate().take(INCIDENTS) {
                article.card id=(format!("incident-{}", index + 1)) {
                    h3 { (index + 1) ". " span.bad { (incident.cause) } " at " (text(&view::place(incident))) }
                    p { (text(&incident.summary)) }
                    p.sub {
                        (when(incident.first_seen, with_date)) " to " (when(incident.last_seen, with_date)) " UTC; "
                        (count(incident.failed)) " of " (count(incident.attempts)) " handshakes, from " (counted(incident.clients_total, "client", "clients")) "; " (incident.confidence.name())
                        @if let Some(id) = incident.handshakes.first() { "; " a.js href=(format!("#{id}")) { "first handshake" } }
                    }
                    @for change in &incident.changes { p { b { "What changed: " } (text(change)) } }
                    (remedy(&incident.remedy))
                }
            }
            (more(list.len().saturating_sub(INCIDENTS) as u64 + gathered.collected.incidents_beyond, "incident", "incidents"))
        }
    }
}

pub(super) fn causes(gathered: &Gathered) -> Markup {
    let Some(summary) = gathered.collected.summary.as_ref().filter(|summary| !summary.causes.is_empty()) else { return html! {} };
    let causes = view::ranked(&summary.causes);
    let most = causes.first().map_or(1, |(_, number)| *number);
    html! {
        section aria-labelledby="h-causes" {
            h2 #h-causes { "Causes" }
            div.scroll tabindex="0" role="group" aria-labelledby="h-causes" {
                table {
                    thead { tr { th scope="col" { "Cause" } th.n scope="col" { "Handshakes" } th scope="col" aria-hidden="true" {} th scope="col" { "What it means" } } }
                    tbody {
                        @for (cause, number) in causes {
                            tr {
                                th scope="row" { a.js href=(format!("#cause={cause}")) { (cause) } }
                                td.n { (count(number)) }
                                td aria-hidden="true" { svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" { rect.bad width=((number * 100 / most).max(1)) height="10" {} } }
                                td { a href=(format!("#about-{cause}")) { (meaning(cause)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the script fills: the table of all handshakes.
pub(super) fn explorer(gathered: &Gathered) -> Markup {
    html! {
        section #explorer aria-labelledby="h-all" hidden {
            h2 #h-all { "All handshakes" }
            form #filters role="search" aria-label="Filter handshakes" {
                label { "Search " input #f-text type="search" placeholder="name, address or ID" autocomplete="off" spellcheck="false"; }
                label { "Outcome " select #f-outcome { option value="" { "any" } } }
                label { "Cause " select #f-cause { option value="" { "any" } } }
                label { "Version " select #f-version { option value="" { "any" } } }
                button type="reset" { "Show all" }
            }
            p #count role="status" {}
            p #grid-keys .visually-hidden { "Arrow keys, Page Up, Page Down, Home and End move between rows; Enter opens one." }
            div.grid #grid tabindex="0" role="region" aria-labelledby="h-all" aria-describedby="grid-keys" {
                table #table { thead { tr #columns {} } tbody #body {} }
            }
            @if gathered.beyond > 0 { p.sub { (counted(gathered.beyond, "handshake more is", "handshakes more are")) " counted above and not listed." } }
        }
    }
}

/// What failed, without any script: a group for each cause and server, and a table.
pub(super) fn failed(gathered: &Gathered) -> Markup {
    let collected = &gathered.collected;
    let groups: Vec<&Group> = collected.groups.iter().filter(|group| group.class.is_problem()).collect();
    if groups.is_empty() {
        return html! {};
    }
    let with_date = collected.several_days();
    let listed = &gathered.failed;
    let total = collected.classes.of_those(Class::is_failure);
    html! {
        section aria-labelledby="h-failed" {
            h2 #h-failed { "What went wrong, by cause and server" }
            @for group in groups.iter().take(GROUPS) {
                @let id = group.shown.handshake.id;
                // Groups keep no certificates.
                @let whole = listed.iter().find(|report| report.handshake.id == id).unwrap_or(&group.shown);
                (one_group(group, whole, with_date))
            }
            (more(groups.len().saturating_sub(GROUPS) as u64, "group", "groups"))
        }
        @if !listed.is_empty() {
            section #plain aria-labelledby="h-plain" {
                h2 #h-plain { "Failed handshakes" }
                div.scroll tabindex="0" role="group" aria-labelledby="h-plain" {
                    table {
                        thead { tr { @for name in ["Start (UTC)", "Client", "Server", "Ended", "Cause", "Frames"] { th scope="col" { (name) } } } }
                        tbody {
                            @for report in listed {
                                tr {
                                    td { (when(report.handshake.start, with_date)) }
                                    td { (report.client) }
                                    td { (text(&view::server(report))) }
                                    td { (view::ending(report)) }
                                    td { (view::cause(report)) }
                                    td { (view::frames(report)) }
                                }
                            }
                        }
                    }
                }
                (more(total.saturating_sub(listed.len() as u64), "failed handshake", "failed handshakes"))
            }
        }
    }
}

fn one_group(group: &Group, whole: &Handshake<'_>, with_date: bool) -> Markup {
    let report = &group.shown;
    let said = &report.diagnosis;
    html! {
        article.card {
            h3 {
                span class=(if group.class.is_failure() { "bad" } else { "warn" }) { (view::cause(report)) }
                ", " (view::ending(report))
                @if group.count > 1 { ", " (count(group.count)) " times" }
            }
            p.sub {
                (when(report.handshake.start, with_date)) " " (report.client) " → " (text(&view::server(report)))
                ", " a.js href=(format!("#{}", report.handshake.id)) { (view::frames(report)) }
                (view::confidence(report, "; ", ""))
            }
            p { (text(&report.summary())) }
            @if !said.evidence.is_empty() {
                ul.evidence {
                    @for piece in said.evidence.iter().take(EVIDENCE) {
                        @let at = piece.mark.and_then(|mark| us_between(report.handshake.start, mark.time));
                        li {
                            @if let Some(mark) = piece.mark { span.sub { "frame " (mark.frame) @if let Some(us) = at { " +" (span_us(us)) } ": " } }
                            (text(&piece.text))
                        }
                    }
                }
            }
            @if !said.against.is_empty() { p { b { "Speaks against it: " } (text(&view::against(said))) } }
            @if !said.alternatives.is_empty() { p { b { "Also possible: " } (view::alternatives(said)) } }
            (remedy(&said.remedy))
            details {
                summary { "This handshake, packet by packet" }
                pre tabindex="0" { (ladder(whole)) }
            }
        }
    }
}

/// The terminal's view of a handshake.
fn ladder(report: &Handshake<'_>) -> String {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = show::story(&mut out, &Layout::new(Some(LADDER), Palette::PLAIN), report);
    String::from_utf8_lossy(&out).trim().to_owned()
}

pub(super) fn servers(gathered: &Gathered) -> Markup {
    let list = gathered.tally.servers();
    if list.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-servers" {
            h2 #h-servers { "Servers" }
            div.scroll tabindex="0" role="group" aria-labelledby="h-servers" {
                table {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Address" } (columns("Clients")) } }
                    tbody {
                        @for ((name, endpoint), count) in list.iter().take(KEYS) {
                            tr { th scope="row" { @if name.is_empty() { span.sub { "no name" } } @else { (text(name)) } } td { (endpoint) } (cells(count)) }
                        }
                    }
                }
            }
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
    html! {
        section aria-labelledby="h-clients" {
            h2 #h-clients { "Clients" }
            div.scroll tabindex="0" role="group" aria-labelledby="h-clients" {
                table {
                    thead { tr { th scope="col" { "Address" } (columns("Servers")) } }
                    tbody { @for (address, count) in list.iter().take(KEYS) { tr { th scope="row" { (address) } (cells(count)) } } }
                }
            }
            (more(list.len().saturating_sub(KEYS) as u64, "client", "clients"))
        }
    }
}

fn columns(peers: &str) -> Markup {
    html! {
        th.n scope="col" { "Handshakes" } th.n scope="col" { "Failed" } th.n scope="col" { "Rate" } th scope="col" { "Most frequent cause" }
        th.n scope="col" { "Half within" } th.n scope="col" { "95 of 100 within" } th scope="col" { "Versions" } th.n scope="col" { (peers) }
    }
}

fn cells(of: &Count) -> Markup {
    let rate = (of.failed * 100).div_ceil(of.handshakes.max(1));
    let (peers, more) = of.peer_count();
    html! {
        td.n { (count(of.handshakes)) }
        td.n.bad[of.failed > 0] { (count(of.failed)) }
        td.n { (rate) " %" }
        td { @if let Some((cause, number)) = of.top_cause() { (cause) @if of.causes.len() > 1 { " (" (count(*number)) ")" } } }
        td.n { @if let Some(us) = of.time(50) { (span_us(us)) } }
        td.n { @if let Some(us) = of.time(95) { (span_us(us)) } }
        td { (of.versions.iter().cloned().collect::<Vec<_>>().join(", ")) }
        td.n { (peers) @if more { "+" } }
    }
}

pub(super) fn certificates(gathered: &Gathered) -> Markup {
    let list = gathered.tally.certificates();
    let at = gathered.collected.summary.as_ref().and_then(|summary| summary.times).map(|(_, last)| last);
    if list.is_empty() && gathered.tally.hidden_chains == 0 {
        return html! {};
    }
    html! {
        section aria-labelledby="h-certificates" {
            h2 #h-certificates { "Certificates, the first to expire first" }
            @if gathered.tally.hidden_chains > 0 {
                p.sub { "TLS 1.3 encrypts certificates: those of " (counted(gathered.tally.hidden_chains, "handshake", "handshakes")) " cannot be seen without keys." }
            }
            @if !list.is_empty() {
                div.scroll tabindex="0" role="group" aria-labelledby="h-certificates" {
                    table {
                        thead { tr { @for name in ["Subject", "Issuer", "Valid from", "until", "When captured", "Key", "Seen at"] { th scope="col" { (name) } } th.n scope="col" { "Handshakes" } } }
                        tbody { @for seen in list.iter().take(KEYS) { (certificate(seen, at)) } }
                    }
                }
                (more(list.len().saturating_sub(KEYS) as u64, "certificate", "certificates"))
            }
        }
    }
}

fn certificate(seen: &Seen, at: Option<Timestamp>) -> Markup {
    let of = &seen.certificate;
    let (class, word) = match at.map(|at| standing(of, at)) {
        Some(Standing::Late(us)) => ("bad", format!("expired {} before", span_us(us))),
        Some(Standing::Early(us)) => ("bad", format!("valid only {} later", span_us(us))),
        Some(Standing::Valid(_, us)) if us < SOON => ("warn", format!("{} left", span_us(us))),
        Some(Standing::Valid(_, us)) => ("good", format!("{} left", span_us(us))),
        None => ("warn", "cannot be read".to_owned()),
    };
    let servers: Vec<String> = seen.servers.iter().take(3).map(|server| text(server)).collect();
    let more = seen.servers.len().saturating_sub(servers.len());
    html! {
        tr {
            th scope="row" { (text(&of.subject)) @if seen.of_clients { span.sub { " (a client's)" } } @else if seen.place > 0 { span.sub { " (authority)" } } br; span.sub.mono { (clip(&of.fingerprint(), 20)) } }
            td { (text(&of.issuer)) }
            td { (date(of.not_before)) }
            td { (date(of.not_after)) }
            td class=(class) { (word) }
            td { (text(&of.key)) }
            td { (servers.join(", ")) @if more > 0 { " and " (more) " more" } }
            td.n { (count(seen.handshakes)) }
        }
    }
}

/// What a reader must know to believe the rest.
pub(super) fn evidence(gathered: &Gathered, settings: &[Setting]) -> Markup {
    let Some(summary) = gathered.collected.summary.as_ref() else { return html! {} };
    html! {
        section aria-labelledby="h-evidence" {
            h2 #h-evidence { "What this rests on" }
            dl {
                dt { "Tool" } dd { "handshark " (VERSION) }
                @for setting in settings { dt { (setting.name) } dd { (text(&setting.value)) } }
                @if let Some((first, last)) = summary.times { dt { "Captured" } dd { (first) " to " (last) } }
                dt { "Frames" } dd { (frames(summary)) }
                dt { "Dropped while capturing" } dd { (count(summary.drops)) " packets" }
                dt { "Connections followed" } dd { (count(summary.flows)) @if summary.evictions > 0 { ", " (count(summary.evictions)) " given up to stay within bounds" } }
                @if !summary.other_flows.is_empty() { dt { "Other connections" } dd { (summary.other_flows.iter().map(|(word, number)| format!("{} {}", count(*number), word)).collect::<Vec<_>>().join(", ")) } }
                @for note in view::notes(summary) { dt { "Note" } dd { (text(note)) } }
            }
            div.scroll tabindex="0" role="group" aria-label="Files" {
                table {
                    thead { tr { th scope="col" { "File" } th scope="col" { "Format" } th.n scope="col" { "Frames" } th.n scope="col" { "Bytes" } th scope="col" { "SHA-256" } } }
                    tbody {
                        @for input in &summary.inputs {
                            tr {
                                th scope="row" { (text(&input.source)) @if let Some(damage) = &input.damage { br; span.warn { (text(damage)) } } }
                                td { (text(&input.format)) } td.n { (count(input.frames)) } td.n { (bytes(input.bytes)) }
                                td.mono { (input.sha256.as_deref().unwrap_or("not read twice")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn frames(summary: &Summary) -> String {
    let skipped: Vec<String> = summary.skipped.iter().map(|(reason, number)| format!("{} {}", count(*number), reason)).collect();
    let skipped = if skipped.is_empty() { String::new() } else { format!("; skipped: {}", skipped.join(", ")) };
    format!("{} read ({}), {} understood{skipped}", count(summary.frames), bytes(summary.bytes), count(summary.decoded))
}

fn remedy(lines: &[Advice]) -> Markup {
    html! {
        @if !lines.is_empty() {
            div.fix {
                b { "Fix" }
                @for line in lines {
                    @match line {
                        Advice::Command(command) => pre tabindex="0" { code { (escape(&command.to_string())) } },
                        Advice::Text(line) => p { (text(line)) },
                    }
                }
            }
        }
    }
}

fn more(number: u64, one: &str, many: &str) -> Markup {
    html! { @if number > 0 { p.sub { "And " (counted(number, &format!("{one} more"), &format!("{many} more"))) "." } } }
}

/// Text of a report: what would reorder or hide text is made visible, what is absurdly long is clipped. Markup is maud's to escape.
fn text(raw: &str) -> String {
    clip(&escape(raw), LONGEST_TEXT).into_owned()
}

/// Columns of the ladder in the plain part.
const LADDER: usize = 100;
const INCIDENTS: usize = 50;
const GROUPS: usize = 40;
const EVIDENCE: usize = 20;
/// Rows of a table.
const KEYS: usize = 300;
/// Less than this left: 30 days in microseconds.
const SOON: u64 = 30 * 86_400 * 1_000_000;
/// Columns of one text.
const LONGEST_TEXT: usize = 2_000;

/// A cause in one line.
fn meaning(slug: &str) -> &'static str {
    slug.parse().ok().and_then(crate::diagnosis::rules::of).map_or("", |rule| rule.page.title)
}
