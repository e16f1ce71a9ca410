//! The sections of the page as plain HTML.

use maud::{Markup, html};

use super::parts::{CLASSES, css, filtered, more, name, remedy, table, text};
use super::{Gathered, Setting};
use crate::output::collect::Group;
use crate::output::figures::{bytes, count, counted, millis, percent, period_in, span_us, us_between, when_in};
use crate::output::view;
use crate::report::{Class, Handshake, Incident, Input, Summary, VERSION, total_bytes};
use crate::time::Timestamp;

/// The page's title: the answer in one sentence.
pub(super) fn title(gathered: &Gathered) -> String {
    let collected = &gathered.collected;
    // To the second: what is finer stands below.
    let moment = |at| gathered.when(at).split('.').next().unwrap_or_default().to_owned();
    collected.summary.as_ref().map_or_else(|| view::classes(&collected.classes), |summary| text(&summary.answer(&moment)))
}

pub(super) fn header(gathered: &Gathered) -> Markup {
    let summary = gathered.collected.summary.as_ref();
    html! {
        h1 { (title(gathered)) }
        @if let Some(summary) = summary {
            p.sub {
                @if let Some((first, last)) = summary.times { (period_in(gathered.collected.zone(), first, last, true)) " " (gathered.zone_name()) }
                @if let [input] = summary.inputs.as_slice() { ", " (text(&input.source)) } @else { ", " (counted(summary.inputs.len() as u64, "file", "files")) }
            }
        }
    }
}

/// The way to each section, and the choice of colours.
pub(super) fn contents(sections: &[(&str, &str)]) -> Markup {
    html! {
        nav.contents aria-label="Contents" {
            ul { @for (id, title) in sections { li { a href=(format!("#{id}")) { (title) } } } }
            label.js-only { span.visually-hidden { "Colours" } select #theme { option value="" { "System colours" } option value="light" { "Light" } option value="dark" { "Dark" } } }
        }
    }
}

/// The sections that this page has, in order: the id of each heading, and a word for it.
pub(super) fn list(gathered: &Gathered) -> Vec<(&'static str, &'static str)> {
    let tally = &gathered.tally;
    let all = [
        ("h-incidents", "Incidents", !gathered.collected.incidents.is_empty()),
        ("h-time", "Over time", gathered.rows.len() > 0),
        ("h-failed", "Other failures", others(gathered).next().is_some()),
        ("h-causes", "Causes", !tally.causes().is_empty()),
        ("h-all", "All handshakes", gathered.rows.len() > 0),
        ("h-servers", "Servers", !tally.servers().is_empty()),
        ("h-clients", "Clients", !tally.clients().is_empty()),
        ("h-certificates", "Certificates", !tally.certificates().is_empty() || tally.hidden_chains > 0),
        ("h-inventory", "In use", !gathered.inventory.is_empty()),
        ("h-guide", "What causes mean", !tally.causes().is_empty()),
        ("h-evidence", "Basis", gathered.collected.summary.is_some()),
    ];
    all.into_iter().filter(|(.., there)| *there).map(|(id, title, _)| (id, title)).collect()
}

pub(super) fn tiles(gathered: &Gathered) -> Markup {
    let collected = &gathered.collected;
    let all = collected.classes.total();
    let share = |number: u64| format!("{} of {}", percent(number, all), count(all));
    let incidents = collected.incidents.len() as u64 + collected.incidents_beyond;
    html! {
        ul.tiles aria-label="Summary" {
            li { strong { (count(all)) } " " span { "handshakes" } @if incidents > 0 { small { (counted(incidents, "incident", "incidents")) } } }
            @for class in CLASSES {
                @let number = collected.classes.of(class);
                @if number > 0 || matches!(class, Class::Failed | Class::Completed) {
                    li.(format!("t-{}", css(class))) { strong { (count(number)) } " " span { (class.words(number)) } small { (share(number)) } }
                }
            }
        }
    }
}

pub(super) fn incidents(gathered: &Gathered) -> Markup {
    let list = &gathered.collected.incidents;
    if list.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-incidents" {
            h2 #h-incidents { "Incidents" }
            @for (index, incident) in list.iter().enumerate().take(INCIDENTS) { (one_incident(gathered, index + 1, incident)) }
            (more(list.len().saturating_sub(INCIDENTS) as u64 + gathered.collected.incidents_beyond, "incident", "incidents"))
        }
    }
}

fn one_incident(gathered: &Gathered, number: usize, incident: &Incident) -> Markup {
    let collected = &gathered.collected;
    let proof = collected.of_incident(number.saturating_sub(1)).next();
    let server = incident.servers.first().map(ToString::to_string).unwrap_or_default();
    let (server, asked) = match &incident.server_name {
        Some(name) => ("", name.as_str()),
        None => (server.as_str(), ""),
    };
    let (first, last) = (moment(gathered, incident.first_seen), moment(gathered, incident.last_seen));
    let also: Vec<&str> = incident.joined.iter().map(|cause| cause.slug()).collect();
    let filter = [
        ("cause", incident.cause.slug()),
        ("also", &*also.join(" ")),
        ("name", asked),
        ("server", server),
        ("from", &first),
        ("to", &last),
    ];
    html! {
        article.card id=(format!("incident-{number}")) {
            h3 { (number) ". " span.(shade(incident.completed == incident.failed)) { (incident.cause) } " at " (text(&view::place(incident))) }
            p { (text(&incident.summary)) }
            p.sub {
                (period_in(collected.zone(), incident.first_seen, incident.last_seen, collected.several_days())) " " (gathered.zone_name()) "; "
                (incident.confidence.name())
                span.js-only { "; " (filtered(&filter, &html! { "show its handshakes" })) }
            }
            @for (label, owner) in view::common_owners(incident) { p { b { (label) " " } (text(&owner)) } }
            @for change in &incident.changes { p { b { "What changed: " } (text(change)) } }
            (remedy(&incident.remedy))
            @if let Some(group) = proof {
                details.proof {
                    summary { "The proof: one of its handshakes" }
                    (case(gathered, &group.shown))
                    (packets(&group.shown))
                }
            }
        }
    }
}

/// Failures that belong to no incident.
fn others(gathered: &Gathered) -> impl Iterator<Item = &Group> {
    let collected = &gathered.collected;
    let told = |group: &Group| group.incident.is_some_and(|place| place < INCIDENTS);
    collected.groups.iter().filter(move |group| group.class.is_problem() && !told(group))
}

/// What the script fills: the table of all handshakes.
pub(super) fn explorer(gathered: &Gathered) -> Markup {
    let select = |id: &str, label: &str| html! { label { (label) select id=(id) { option value="" { "any" } } } };
    html! {
        section #explorer aria-labelledby="h-all" hidden {
            h2 #h-all { "All handshakes" }
            form #filters role="search" aria-label="Filter handshakes" {
                label { "Search" input #f-q type="search" placeholder="name, address or ID" autocomplete="off" spellcheck="false"; }
                (select("f-result", "Result"))
                (select("f-outcome", "Ended"))
                (select("f-cause", "Cause"))
                (select("f-version", "Version"))
                label { "From (" (gathered.zone_name()) ")" input #f-from type="datetime-local" step="0.001"; }
                label { "To (" (gathered.zone_name()) ")" input #f-to type="datetime-local" step="0.001"; }
                button type="reset" { "Show all" }
            }
            p #chips aria-label="More filters" role="group" hidden {}
            p #count role="status" {}
            p #grid-keys .visually-hidden { "Arrow keys, Page Up, Page Down, Home and End move between rows; Enter opens one." }
            div.grid #grid tabindex="0" role="group" aria-labelledby="h-all" aria-describedby="grid-keys" {
                table #table { thead { tr #columns {} } tbody #body {} }
            }
            @if gathered.beyond > 0 { p.sub { (counted(gathered.beyond, "handshake more is", "handshakes more are")) " counted above and not listed." } }
        }
    }
}

/// What failed beside the incidents, a group for each cause and server; and, for readers without scripts, a table.
pub(super) fn failed(gathered: &Gathered) -> Markup {
    let collected = &gathered.collected;
    let groups: Vec<&Group> = others(gathered).collect();
    html! {
        @if !groups.is_empty() {
            section aria-labelledby="h-failed" {
                h2 #h-failed { @if collected.incidents.is_empty() { "What went wrong" } @else { "What else went wrong" } ", by cause and server" }
                @for group in groups.iter().take(GROUPS) { (one_group(gathered, group)) }
                (more(groups.len().saturating_sub(GROUPS) as u64, "group", "groups"))
            }
        }
    }
}

/// The failed handshakes, for readers without scripts.
pub(super) fn plain(gathered: &Gathered) -> Markup {
    let listed = &gathered.failed;
    let start = format!("Start ({})", gathered.zone_name());
    let head = html! { @for name in [start.as_str(), "Client", "Server", "Ended", "Cause", "Frames"] { th scope="col" { (name) } } };
    let rows: Vec<Markup> = listed
        .iter()
        .map(|report| {
            html! {
                tr {
                    td.d { (gathered.when(report.handshake.start)) }
                    td { (name(&report.client.to_string())) }
                    td { (name(&view::server(report))) }
                    td { (view::ending(report)) }
                    td { (view::cause(report)) }
                    td { (view::frames(report)) }
                }
            }
        })
        .collect();
    html! {
        @if !listed.is_empty() {
            section #plain aria-labelledby="h-plain" {
                h2 #h-plain { "Failed handshakes" }
                (table("h-plain", &head, &rows))
                (more(gathered.collected.classes.of_those(Class::is_failure).saturating_sub(listed.len() as u64), "failed handshake", "failed handshakes"))
            }
        }
    }
}

fn one_group(gathered: &Gathered, group: &Group) -> Markup {
    let report = &group.shown;
    html! {
        article.card {
            h3 {
                span.(shade(!group.class.is_failure())) { (view::cause(report)) }
                ", " (view::ending(report))
                @if group.count > 1 { ", " (count(group.count)) " times" }
            }
            (case(gathered, report))
            (remedy(&report.diagnosis.remedy))
            (packets(report))
        }
    }
}

/// What is said of one handshake, with what proves it.
fn case(gathered: &Gathered, report: &Handshake<'_>) -> Markup {
    let said = &report.diagnosis;
    html! {
        p.sub {
            (gathered.when(report.handshake.start)) " " (report.client) " → " (text(&view::server(report)))
            ", " a.js href=(format!("#{}", report.handshake.id)) { (view::frames(report)) }
            (view::confidence(report, "; ", ""))
        }
        p { (text(&report.summary())) }
        @if !said.evidence.is_empty() {
            ul.evidence {
                @for piece in said.evidence.iter().take(EVIDENCE) {
                    @let at = piece.mark.and_then(|mark| us_between(report.handshake.start, mark.time));
                    li {
                        @if let Some(mark) = piece.mark { span.sub { (view::frame(report, mark.frame)) @if let Some(us) = at { " +" (span_us(us)) } ": " } }
                        (text(&piece.text))
                    }
                }
            }
        }
        @if !said.against.is_empty() { p { b { "Speaks against it: " } (text(&view::against(report))) } }
        @if !said.alternatives.is_empty() { p { b { "Also possible: " } (view::alternatives(said)) } }
    }
}

/// Where the script puts the ladder.
fn packets(report: &Handshake<'_>) -> Markup {
    html! { details.story.js-only data-id=(report.handshake.id) { summary { "Packet by packet" } } }
}

/// The colour of what failed, or only went badly.
const fn shade(completed: bool) -> &'static str {
    if completed { "warn" } else { "bad" }
}

/// A moment as the explorer's time filters take it: in the page's zone, to the millisecond.
fn moment(gathered: &Gathered, at: Timestamp) -> String {
    when_in(gathered.collected.zone(), at, true).replace(' ', "T")
}

/// How far the page's clock is ahead of UTC, for the script: from when on, and by how much, in milliseconds.
pub(super) fn shifts(gathered: &Gathered) -> Markup {
    let (first, last) = gathered.times();
    html! {
        ul #zone hidden data-name=(gathered.zone_name()) {
            @for (at, by) in gathered.collected.zone().shifts(first, last) { li data-from=(millis(at)) data-by=(by.saturating_mul(1000)) {} }
        }
    }
}

/// What a reader must know to believe the rest.
pub(super) fn evidence(gathered: &Gathered, settings: &[Setting]) -> Markup {
    let Some(summary) = gathered.collected.summary.as_ref() else { return html! {} };
    let head = html! { th scope="col" { "File" } th scope="col" { "Format" } th.n scope="col" { "Frames" } th.n scope="col" { "Bytes" } th scope="col" { "SHA-256" } };
    let file = |input: &Input| {
        html! {
            tr {
                th scope="row" { (text(&input.source)) @if let Some(damage) = &input.damage { br; span.warn { (text(damage)) } } }
                td { (text(&input.format)) } td.n data-v=(input.frames) { (count(input.frames)) } td.n data-v=(input.bytes) { (bytes(input.bytes)) }
                td.mono { (input.sha256.as_deref().unwrap_or("not read twice")) }
            }
        }
    };
    // What is damaged comes first: it must not be among the rows that are shown only when asked for.
    let (damaged, whole): (Vec<_>, Vec<_>) = summary.inputs.iter().partition(|input| input.damage.is_some());
    let files: Vec<Markup> = damaged.into_iter().chain(whole).map(file).collect();
    html! {
        section aria-labelledby="h-evidence" {
            h2 #h-evidence { "Evidence and limits" }
            dl {
                dt { "Tool" } dd { "handshark " (VERSION) }
                @for setting in settings { dt { (setting.name) } dd { (text(&setting.value)) } }
                @if let Some((first, last)) = summary.times { dt { "Captured" } dd { (first) " to " (last) } }
                dt { "Frames" } dd { (frames(summary)) }
                dt { "Dropped while capturing" } dd { (count(summary.drops)) " packets" }
                dt { "Connections followed" } dd { (count(summary.flows)) @if summary.evictions > 0 { ", " (count(summary.evictions)) " given up to stay within bounds" } }
                @if !summary.other_flows.is_empty() { dt { "Other connections" } dd { (summary.other_flows.iter().map(|(word, number)| format!("{} {}", count(*number), word)).collect::<Vec<_>>().join(", ")) } }
                @if !summary.traffic.is_empty() { dt { "What the packets carry" } dd { (carried(summary)) } }
                @for note in view::notes(summary) { dt { "Note" } dd { (text(note)) } }
            }
            h3 #h-files { "Files" }
            (table("h-files", &head, &files))
        }
    }
}

fn frames(summary: &Summary) -> String {
    let skipped: Vec<String> = summary.skipped.iter().map(|(reason, number)| format!("{} {}", count(*number), reason)).collect();
    let skipped = if skipped.is_empty() { String::new() } else { format!("; skipped: {}", skipped.join(", ")) };
    format!("{} read ({}), {} understood{skipped}", count(summary.frames), bytes(summary.bytes), count(summary.decoded))
}

fn carried(summary: &Summary) -> String {
    let total = total_bytes(&summary.traffic);
    let told: Vec<String> = summary.traffic.iter().take(CARRIED).map(|carried| carried.told_with_packets(total)).collect();
    let more = if summary.traffic.len() > told.len() { "; …" } else { "" };
    format!("{}{more}", told.join("; "))
}

const CARRIED: usize = 12;
const INCIDENTS: usize = 50;
const GROUPS: usize = 40;
const EVIDENCE: usize = 20;
