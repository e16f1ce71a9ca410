//! Handshakes seen at two points, for a person at a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;

use super::figures::{count, counted, span_us};
use super::layout::Layout;
use crate::compare::joined::{Event, Half, Happening, Joined, JoinedBy, Joint, Place};
use crate::report::{Cause, Outcome};
use crate::time::Timestamp;
use crate::wording::times;

/// Writes what became of handshakes between two points: those of one server that met the same fate together. `all`: each by itself, and also those
/// to which nothing happened.
pub fn write(out: &mut dyn Write, layout: &Layout, joined: &[Joined], all: bool) -> io::Result<()> {
    head(out, layout, joined)?;
    if all {
        return joined.iter().try_for_each(|one| {
            writeln!(out)?;
            shown(out, layout, one)
        });
    }
    let groups = grouped(joined);
    let mut hidden = 0;
    for (number, group) in groups.iter().enumerate() {
        let Some((first, others)) = group.split_first() else { continue };
        if number >= SHOWN {
            hidden += group.len() as u64;
            continue;
        }
        writeln!(out)?;
        shown(out, layout, first)?;
        same(out, layout, others)?;
    }
    if hidden > 0 {
        writeln!(out)?;
        layout.prose(out, 0, &format!("And {} more: see --all or --json.", count(hidden)))?;
    }
    Ok(())
}

/// What deserves a look, those together that met the same fate at the same server; in the order of the first of each.
fn grouped(joined: &[Joined]) -> Vec<Vec<&Joined>> {
    let mut groups: Vec<Vec<&Joined>> = Vec::new();
    let mut places = BTreeMap::new();
    for one in joined.iter().filter(|one| noteworthy(one)) {
        let said = |half: &Option<Half>| half.as_ref().map(|half| (half.outcome, half.cause));
        let server = one.client.as_ref().or(one.server.as_ref()).map(|half| (half.server_name.clone(), half.peers[1].clone()));
        let key = (one.verdict.cause, one.verdict.place, server, said(&one.client), said(&one.server));
        let place = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn same(out: &mut dyn Write, layout: &Layout, others: &[&Joined]) -> io::Result<()> {
    if others.is_empty() {
        return Ok(());
    }
    let palette = layout.palette;
    layout.flow(out, 2, 2, &[(palette.dim, &format!("Also affected, {} more", counted(others.len() as u64, "time", "times")))])?;
    for one in others.iter().take(OTHERS) {
        let told = |half: &Option<Half>, place: &str| half.as_ref().map(|half| format!("{} {place}", frames(half)));
        let places: Vec<String> = [told(&one.client, "at the client"), told(&one.server, "at the server")].into_iter().flatten().collect();
        let Some(main) = one.client.as_ref().or(one.server.as_ref()) else { continue };
        let places = format!("  {}", places.join(", "));
        layout.flow(
            out,
            4,
            6,
            &[(palette.dim, &layout.when(main.start, false)), (Style::new(), &format!("  {}", main.peers[0])), (palette.dim, &places)],
        )?;
    }
    match others.len().saturating_sub(OTHERS) {
        0 => Ok(()),
        more => layout.flow(out, 4, 6, &[(palette.dim, &format!("and {} more: see --all or --json", count(more as u64)))]),
    }
}

fn noteworthy(one: &Joined) -> bool {
    let failed = |half: &Option<Half>| half.as_ref().is_some_and(|half| half.outcome != Outcome::Completed);
    !one.between.is_empty() || one.verdict.place != Place::Nowhere || failed(&one.client) || failed(&one.server)
}

fn head(out: &mut dyn Write, layout: &Layout, joined: &[Joined]) -> io::Result<()> {
    let number = |test: fn(&Joined) -> bool| joined.iter().filter(|one| test(one)).count() as u64;
    let both = number(|one| one.joined_by != JoinedBy::Nothing);
    let quiet = number(|one| one.joined_by != JoinedBy::Nothing && !noteworthy(one));
    let mut text = format!("{} seen at both points", counted(both, "handshake", "handshakes"));
    let lone = [
        (number(|one| one.joined_by == JoinedBy::Nothing && one.server.is_none()), "at the client's only"),
        (number(|one| one.joined_by == JoinedBy::Nothing && one.client.is_none()), "at the server's only"),
    ];
    for (number, place) in lone {
        if number > 0 {
            text.extend([", ", &count(number), " ", place]);
        }
    }
    text.push('.');
    if quiet > 0 {
        text.extend([" To ", &count(quiet), " of those seen at both, nothing happened between the points."]);
    }
    layout.prose(out, 0, &text)?;
    if both == 0
        && let [Some((a, b)), Some((c, d))] = [span(joined, |one| one.client.as_ref()), span(joined, |one| one.server.as_ref())]
    {
        let hint = format!(
            "No handshake is in both: the client's capture has them from {}, the server's from {}. {}.",
            layout.period(a, b, true),
            layout.period(c, d, true),
            if b.after(APART) < c || d.after(APART) < a {
                "They were captured at different times, or the clocks differ"
            } else {
                "They may be of different connections"
            }
        );
        layout.prose(out, 0, &hint)?;
    }
    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    for one in joined.iter().filter(|one| noteworthy(one)) {
        let words = format!("{}{}", cause(&one.verdict), place(one.verdict.place));
        *verdicts.entry(words).or_default() += 1;
    }
    let mut verdicts: Vec<_> = verdicts.into_iter().collect();
    verdicts.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let column = verdicts.first().map_or(0, |(_, number)| count(*number).len());
    if verdicts.iter().map(|(_, number)| *number).fold(0, u64::saturating_add) > 1 {
        for (words, number) in verdicts.iter().take(SHOWN) {
            layout.flow(out, 2, 4, &[(Style::new(), &format!("{:>column$}  ", count(*number))), (layout.palette.strong, words)])?;
        }
    }
    Ok(())
}

/// When the first and the last handshake of a capture began.
fn span(joined: &[Joined], half: fn(&Joined) -> Option<&Half>) -> Option<(Timestamp, Timestamp)> {
    let starts = || joined.iter().filter_map(half).map(|half| half.start);
    starts().min().zip(starts().max())
}

fn cause(verdict: &Joint) -> &'static str {
    verdict.cause.map_or("nothing wrong", Cause::slug)
}

const fn place(of: Place) -> &'static str {
    match of {
        Place::Path => ", between the two points",
        Place::Client => ", at the client",
        Place::Server => ", at the server",
        Place::Nowhere => "",
    }
}

fn shown(out: &mut dyn Write, layout: &Layout, one: &Joined) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let Some(main) = one.client.as_ref().or(one.server.as_ref()) else { return Ok(()) };
    let [client, server] = &main.peers;
    let server = main.server_name.as_ref().map_or_else(|| server.clone(), |name| format!("{name} ({server})"));
    layout.flow(
        out,
        0,
        2,
        &[
            (palette.dim, &format!("{} {}", layout.when(main.start, true), layout.zone().name(main.start))),
            (plain, "  "),
            (palette.strong, &format!("{client} → {server}")),
        ],
    )?;
    let verdict = &one.verdict;
    let place = place(verdict.place);
    let style = if verdict.cause.is_some() { palette.bad } else { palette.good };
    layout.flow(out, 2, 4, &[(style, cause(verdict)), (plain, &format!(" ({}){place}", verdict.confidence.name()))])?;
    layout.prose(out, 2, &verdict.summary)?;
    half(out, layout, "At the client:", one.client.as_ref())?;
    half(out, layout, "At the server:", one.server.as_ref())?;
    if !one.between.is_empty() {
        layout.flow(out, 2, 2, &[(palette.dim, "Between them:")])?;
        let mut events = one.between.chunk_by(|one, next| (one.what, one.from, &one.text) == (next.what, next.from, &next.text));
        for alike in events.by_ref().take(EVENTS) {
            line(out, layout, alike)?;
        }
        match events.map(<[Event]>::len).fold(0, usize::saturating_add) {
            0 => {}
            more => layout.prose(out, 4, &format!("and {more} more: see --json"))?,
        }
    }
    let mut way = Vec::new();
    if let Some(hops) = one.hops.filter(|hops| *hops > 0) {
        way.push(counted(u64::from(hops), "router", "routers"));
    }
    if let Some(us) = one.round_trip_us {
        way.push(format!("{} there and back", span_us(us)));
    }
    if !way.is_empty() {
        layout.labelled(out, 2, "The way:", &way.join(", "))?;
    }
    Ok(())
}

fn half(out: &mut dyn Write, layout: &Layout, label: &str, half: Option<&Half>) -> io::Result<()> {
    let text = match half {
        None => "no handshake was reported".to_owned(),
        Some(half) => {
            let cause = half.cause.map(|cause| {
                format!(", {cause}{}", half.confidence.map(|confidence| format!(" ({})", confidence.name())).unwrap_or_default())
            });
            format!("{}{}, {}", half.outcome.name(), cause.unwrap_or_default(), frames(half))
        }
    };
    layout.labelled(out, 2, label, &text)
}

/// `frame 7`, `frames 3-17`, `frames 3-17 of a.pcap`, `frame 3 of a.pcap to frame 2 of b.pcap`.
fn frames(half: &Half) -> String {
    let [first, last] = half.frames;
    let range = if first == last { format!("frame {first}") } else { format!("frames {first}-{last}") };
    match &half.sources {
        None => range,
        Some([one, other]) if one == other => format!("{range} of {one}"),
        Some([one, other]) => format!("frame {first} of {one} to frame {last} of {other}"),
    }
}

/// ` of a.pcap`, where there are several files.
fn of(source: Option<&String>) -> String {
    source.map_or_else(String::new, |file| format!(" of {file}"))
}

/// Events of which the same is to be told.
fn line(out: &mut dyn Write, layout: &Layout, alike: &[Event]) -> io::Result<()> {
    let (palette, Some(event)) = (layout.palette, alike.first()) else { return Ok(()) };
    let style = if matches!(event.what, Happening::Delayed | Happening::Doubled) { palette.warn } else { palette.bad };
    let at_client = places(alike, |event| Some((event.client_frame?, event.client_source.as_ref())));
    let at_server = places(alike, |event| Some((event.server_frame?, event.server_source.as_ref())));
    let times = if alike.len() > 1 { format!("{}: ", times(alike.len())) } else { String::new() };
    let frames = match (at_client, at_server) {
        (Some(client), Some(server)) => format!("  ({client} at the client, {server} at the server)"),
        (Some(frame), None) => format!("  ({frame} at the client)"),
        (None, Some(frame)) => format!("  ({frame} at the server)"),
        (None, None) => String::new(),
    };
    layout.flow(
        out,
        4,
        14,
        &[
            (style, &format!("{:<8}", event.what.name())),
            (Style::new(), "  "),
            (Style::new(), &format!("{times}{}", event.text)),
            (palette.dim, &frames),
        ],
    )
}

/// `frame 7`, `frames 4-9 and 13`, `frames 4-9, 13 of a.pcap and 2 of b.pcap`: where some events are in one capture.
fn places(events: &[Event], place: impl Fn(&Event) -> Option<(u64, Option<&String>)>) -> Option<String> {
    let mut runs: Vec<(u64, u64, Option<&String>)> = Vec::new();
    for (frame, source) in events.iter().filter_map(place) {
        match runs.last_mut().filter(|(_, last, file)| *file == source && last.checked_add(1) == Some(frame)) {
            Some((_, last, _)) => *last = frame,
            None => runs.push((frame, frame, source)),
        }
    }
    let one = matches!(runs.as_slice(), [(first, last, _)] if first == last);
    let mut told: Vec<String> = Vec::new();
    let mut runs = runs.into_iter().peekable();
    while let Some((first, last, source)) = runs.next() {
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let file = if runs.peek().is_none_or(|(_, _, next)| *next != source) { of(source) } else { String::new() };
        told.push(format!("{range}{file}"));
    }
    let last = told.pop()?;
    let word = if one { "frame" } else { "frames" };
    Some(if told.is_empty() { format!("{word} {last}") } else { format!("{word} {} and {last}", told.join(", ")) })
}

/// Handshakes further apart than that are not of the same moment.
const APART: Duration = Duration::from_secs(5);
/// Groups shown without `--all`.
const SHOWN: usize = 50;
/// Of the same, so many are named.
const OTHERS: usize = 5;
/// Events shown of one.
const EVENTS: usize = 12;
