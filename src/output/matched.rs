//! Handshakes seen at two points, for a person at a terminal.

use std::io::{self, Write};

use anstyle::Style;

use super::figures::{count, counted, span_us, when};
use super::layout::Layout;
use crate::compare::joined::{Event, Half, Joined};

/// Writes what became of handshakes between two points. `all`: also those to which nothing happened.
pub fn write(out: &mut dyn Write, layout: &Layout, joined: &[Joined], all: bool) -> io::Result<()> {
    head(out, layout, joined)?;
    let mut hidden = 0_u64;
    for (number, one) in joined.iter().filter(|one| all || noteworthy(one)).enumerate() {
        if number >= SHOWN && !all {
            hidden += 1;
            continue;
        }
        writeln!(out)?;
        shown(out, layout, one)?;
    }
    if hidden > 0 {
        writeln!(out)?;
        layout.prose(out, 0, &format!("And {} more: see --all or --json.", count(hidden)))?;
    }
    Ok(())
}

fn noteworthy(one: &Joined) -> bool {
    let failed = |half: &Option<Half>| half.as_ref().is_some_and(|half| half.outcome != "completed");
    !one.between.is_empty() || one.verdict.place != "nowhere" || failed(&one.client) || failed(&one.server)
}

fn head(out: &mut dyn Write, layout: &Layout, joined: &[Joined]) -> io::Result<()> {
    let number = |test: fn(&Joined) -> bool| joined.iter().filter(|one| test(one)).count() as u64;
    let both = number(|one| one.joined_by != "nothing");
    let quiet = number(|one| !noteworthy(one));
    let mut text = format!("{} seen at both points", counted(both, "handshake", "handshakes"));
    let lone = [
        (number(|one| one.joined_by == "nothing" && one.server.is_none()), "at the client's only"),
        (number(|one| one.joined_by == "nothing" && one.client.is_none()), "at the server's only"),
    ];
    for (number, place) in lone {
        if number > 0 {
            text.extend([", ", &count(number), " ", place]);
        }
    }
    text.push('.');
    if quiet > 0 {
        text.extend([" To ", &count(quiet), " of them nothing happened between the points."]);
    }
    layout.prose(out, 0, &text)
}

fn shown(out: &mut dyn Write, layout: &Layout, one: &Joined) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let Some(main) = one.client.as_ref().or(one.server.as_ref()) else { return Ok(()) };
    let [client, server] = &main.peers;
    let server = main.server_name.as_ref().map_or_else(|| server.clone(), |name| format!("{name} ({server})"));
    layout.flow(out, 0, 2, &[(palette.dim, &when(&main.start, true)), (plain, "  "), (palette.strong, &format!("{client} → {server}"))])?;
    let verdict = &one.verdict;
    let cause = verdict.cause.as_deref().unwrap_or("nothing wrong");
    let place = match verdict.place {
        "path" => ", between the two points",
        "client" => ", at the client",
        "server" => ", at the server",
        _ => "",
    };
    let style = if verdict.cause.is_some() { palette.bad } else { palette.good };
    layout.flow(out, 2, 4, &[(style, cause), (plain, &format!(" ({}){place}", verdict.confidence))])?;
    layout.prose(out, 2, &verdict.summary)?;
    half(out, layout, "At the client:", one.client.as_ref())?;
    half(out, layout, "At the server:", one.server.as_ref())?;
    if !one.between.is_empty() {
        layout.flow(out, 2, 2, &[(palette.dim, "Between them:")])?;
        for event in one.between.iter().take(EVENTS) {
            line(out, layout, event)?;
        }
        match one.between.len().saturating_sub(EVENTS) {
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
            let cause = half.cause.as_ref().map(|cause| {
                format!(", {cause}{}", half.confidence.as_ref().map(|confidence| format!(" ({confidence})")).unwrap_or_default())
            });
            format!("{}{}, frames {}-{}", half.outcome, cause.unwrap_or_default(), half.frames[0], half.frames[1])
        }
    };
    layout.labelled(out, 2, label, &text)
}

fn line(out: &mut dyn Write, layout: &Layout, event: &Event) -> io::Result<()> {
    let palette = layout.palette;
    let style = if event.what == "delayed" { palette.warn } else { palette.bad };
    let frames = match (event.client_frame, event.server_frame) {
        (Some(client), Some(server)) => format!("  (frame {client} at the client, {server} at the server)"),
        (Some(frame), None) => format!("  (frame {frame} at the client)"),
        (None, Some(frame)) => format!("  (frame {frame} at the server)"),
        (None, None) => String::new(),
    };
    layout.flow(
        out,
        4,
        14,
        &[(style, &format!("{:<8}", event.what)), (Style::new(), "  "), (Style::new(), &event.text), (palette.dim, &frames)],
    )
}

/// Handshakes shown without `--all`.
const SHOWN: usize = 50;
/// Events shown of one.
const EVENTS: usize = 12;
