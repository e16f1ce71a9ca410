//! The ladder: client on the left, server on the right, an arrow for each packet's content.

use std::io::{self, Write};

use anstyle::Style;

use super::section;
use crate::flow::Side;
use crate::output::escape::{clip, escape, width};
use crate::output::figures::{count, span_us, us_between};
use crate::output::layout::Layout;
use crate::output::view::{self, StepLook};
use crate::report::{Handshake, Step, StepKind};

/// Writes the ladder, unless there is no timeline.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let timeline = &report.timeline;
    let Some(first) = timeline.first() else { return Ok(()) };
    section(out, layout, "Ladder")?;
    let frame = timeline.iter().filter_map(|entry| entry.frame).max().unwrap_or_default().to_string().len().max(5);
    let lanes = Lanes::new(layout, frame);
    lanes.head(out, report)?;
    let begin = first.time;
    let mut last = begin;
    let mut source = report.capture.source.to_string();
    let longest = pauses(timeline).max().unwrap_or_default();
    let hidden = timeline.len().saturating_sub(STEPS);
    for (index, entry) in timeline.iter().enumerate() {
        // The middle of a long story is the least telling.
        if hidden > 0 && index >= HEAD && index < HEAD.saturating_add(hidden) {
            if index == HEAD {
                lanes.note(out, &format!("· · · {} more · · ·", count(hidden as u64)))?;
            }
            last = entry.time;
            continue;
        }
        let (start, delta) = (us_between(begin, entry.time), us_between(last, entry.time));
        let place = entry.frame.map(|frame| report.capture.place(frame));
        if let Some(file) = place.as_ref().and_then(|place| place.file.as_ref()).filter(|file| **file != source) {
            lanes.note(out, &format!("in {}", escape(view::base_name(file))))?;
            source.clone_from(file);
        }
        let entry = Step { frame: place.map(|place| place.frame), ..entry.clone() };
        lanes.step(out, &entry, start, delta, longest)?;
        last = entry.time;
    }
    Ok(())
}

/// Microseconds between consecutive entries.
fn pauses(timeline: &[Step]) -> impl Iterator<Item = u64> {
    timeline.windows(2).filter_map(|pair| match pair {
        [earlier, later] => us_between(earlier.time, later.time),
        _ => None,
    })
}

/// Where the columns are.
struct Lanes<'a> {
    layout: &'a Layout,
    frame: usize,
    /// Columns of the bars that show pauses; none where there is no room.
    bar: usize,
    /// Columns between the two lanes.
    inner: usize,
    /// Columns for what a message carries, right of the server's lane; none: it stands between the lanes.
    aside: usize,
}

impl<'a> Lanes<'a> {
    fn new(layout: &'a Layout, frame: usize) -> Self {
        let width = layout.width();
        let bar = if width >= ROOMY { BAR } else { 0 };
        let left =
            frame.saturating_add(TIME.saturating_mul(2)).saturating_add(3).saturating_add(if bar > 0 { bar.saturating_add(1) } else { 0 });
        // Both lanes, and one column for the mark at the end.
        let rest = width.saturating_sub(left).saturating_sub(4);
        let inner = if width >= ROOMY { ARROWS } else { rest };
        let aside = if width >= ROOMY { rest.saturating_sub(inner).saturating_sub(2) } else { 0 };
        Self { layout, frame, bar, inner, aside }
    }

    fn head(&self, out: &mut dyn Write, report: &Handshake<'_>) -> io::Result<()> {
        let dim = self.layout.palette.dim;
        let bar = if self.bar > 0 { format!(" {:1$}", "", self.bar) } else { String::new() };
        let (frame, inner) = (self.frame, self.inner);
        let half = inner / 2;
        let client = clip(&report.client.to_string(), half).into_owned();
        let server = clip(&report.server.to_string(), inner.saturating_add(2).saturating_sub(half).saturating_sub(1)).into_owned();
        let gap = inner.saturating_add(2).saturating_sub(width(&client)).saturating_sub(width(&server));
        let strong = self.layout.palette.strong;
        writeln!(
            out,
            "{dim}{:>frame$} {:>TIME$} {:>TIME$}{bar}{dim:#} {strong}{client}{:gap$}{server}{strong:#}",
            "frame", "at", "after", ""
        )
    }

    fn step(&self, out: &mut dyn Write, entry: &Step, start: Option<u64>, delta: Option<u64>, longest: u64) -> io::Result<()> {
        let palette = self.layout.palette;
        let dim = palette.dim;
        let style = match view::step_look(entry.kind) {
            _ if entry.ended => palette.bad,
            StepLook::Message => palette.strong,
            StepLook::Transport => palette.dim,
            StepLook::Trouble => palette.warn,
            StepLook::Failure => palette.bad,
        };
        let frame = entry.frame.map_or_else(|| "-".to_owned(), |frame| frame.to_string());
        let start = start.map(short_span).unwrap_or_default();
        let since = delta.filter(|us| *us > 0).map(|us| format!("+{}", short_span(us))).unwrap_or_default();
        let pause_style = if longest > 0 && delta == Some(longest) { palette.warn } else { dim };
        let columns = self.frame;
        write!(out, "{dim}{frame:>columns$} {start:>TIME$}{dim:#} {pause_style}{since:>TIME$}{pause_style:#}")?;
        if self.bar > 0 {
            let bar = bar(delta.unwrap_or_default(), longest, self.bar);
            write!(out, " {pause_style}{bar}{pause_style:#}")?;
        }
        let size = entry.size.map(|size| format!(" {} B", count(size))).unwrap_or_default();
        // What an encrypted record is likely to be stands on its arrow where a line for it would be one too many.
        let guess = entry.text.strip_prefix("likely ").filter(|_| entry.kind == StepKind::Encrypted && self.aside == 0);
        let guess = guess.map(|guess| format!(": {}?", escape(guess))).unwrap_or_default();
        let label = format!("{}{size}{guess}", view::step(entry.kind));
        let arrow = arrow(&label, entry.from, entry.kind, self.inner);
        let mark = if entry.ended { " ✗" } else { "" };
        write!(out, " {dim}│{dim:#}{style}{arrow}{style:#}{dim}│{dim:#}{style}{mark}{style:#}")?;
        let text = escape(&entry.text);
        if self.aside > 0 {
            let mut lines = wrap(&text, self.aside, LINES).into_iter();
            let pad = if entry.ended { " " } else { "   " };
            match lines.next() {
                Some(line) => writeln!(out, "{pad}{line}")?,
                None => writeln!(out)?,
            }
            for line in lines {
                self.blank(out)?;
                writeln!(out, "   {line}")?;
            }
            return Ok(());
        }
        writeln!(out)?;
        let text = if guess.is_empty() { text } else { std::borrow::Cow::Borrowed("") };
        for line in wrap(&text, self.inner.saturating_sub(4), LINES) {
            let fill = self.inner.saturating_sub(3).saturating_sub(width(&line));
            let body = if entry.ended { style } else { Style::new() };
            self.margin(out)?;
            writeln!(out, " {dim}│{dim:#}   {body}{line}{body:#}{:fill$}{dim}│{dim:#}", "")?;
        }
        Ok(())
    }

    fn note(&self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        let dim = self.layout.palette.dim;
        self.margin(out)?;
        writeln!(out, " {dim}│{}│{dim:#}", centred(text, self.inner, ' '))
    }

    fn margin(&self, out: &mut dyn Write) -> io::Result<()> {
        let bar = if self.bar > 0 { self.bar.saturating_add(1) } else { 0 };
        write!(out, "{:1$}", "", self.frame.saturating_add(TIME.saturating_mul(2)).saturating_add(2).saturating_add(bar))
    }

    fn blank(&self, out: &mut dyn Write) -> io::Result<()> {
        let dim = self.layout.palette.dim;
        self.margin(out)?;
        write!(out, " {dim}│{:1$}│{dim:#}", "", self.inner)
    }
}

/// The line between the lanes: an arrow with its label, or what stands for there being none.
fn arrow(label: &str, from: Option<Side>, kind: StepKind, inner: usize) -> String {
    let line = match view::step_look(kind) {
        StepLook::Trouble => '╌',
        _ => '─',
    };
    let label = clip(label, inner.saturating_sub(8)).into_owned();
    match (from, kind) {
        (_, StepKind::Silence | StepKind::EndOfCapture) => centred(&format!("· · · {label} · · ·"), inner, ' '),
        (_, StepKind::Gap) => centred(&format!("╳ {label} ╳"), inner, ' '),
        (Some(Side::Client), _) => {
            let fill = inner.saturating_sub(width(&label)).saturating_sub(5);
            format!("{line}{line} {label} {}▶", repeat(line, fill))
        }
        (Some(Side::Server), _) => {
            let fill = inner.saturating_sub(width(&label)).saturating_sub(5);
            format!("◀{} {label} {line}{line}", repeat(line, fill))
        }
        _ => centred(&format!(" {label} "), inner, '╌'),
    }
}

fn repeat(c: char, times: usize) -> String {
    std::iter::repeat_n(c, times).collect()
}

fn centred(text: &str, columns: usize, fill: char) -> String {
    let text = clip(text, columns);
    let free = columns.saturating_sub(width(&text));
    format!("{}{text}{}", repeat(fill, free / 2), repeat(fill, free.saturating_sub(free / 2)))
}

/// A bar of at most so many columns, in eighths of one.
pub(super) fn bar(value: u64, longest: u64, columns: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (u128::from(value) * columns as u128 * 8).checked_div(u128::from(longest)).unwrap_or_default();
    let eighths = usize::try_from(eighths).unwrap_or_default().min(columns.saturating_mul(8));
    let mut out = repeat('█', eighths / 8);
    if let Some(part) = EIGHTHS.get(eighths % 8).filter(|part| **part != ' ') {
        out.push(*part);
    }
    let fill = columns.saturating_sub(width(&out));
    out.push_str(&repeat(' ', fill));
    out
}

/// A duration in at most eight columns.
fn short_span(us: u64) -> String {
    if us == 0 { "0".to_owned() } else { span_us(us).replace(" min ", "m").replace(" h ", "h").replace(" d ", "d") }
}

/// Lines of at most so many columns, broken at spaces where possible; what is beyond `most` lines is clipped.
pub(super) fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if text.is_empty() {
        return lines;
    }
    let text = clip(text, columns.saturating_mul(most));
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !line.is_empty() && width(&line).saturating_add(1).saturating_add(width(&word)) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        while width(&word) > columns {
            let mut part = String::new();
            let mut rest = String::new();
            for c in word.chars() {
                let target =
                    if rest.is_empty() && width(&part).saturating_add(c.len_utf8().min(2)) <= columns { &mut part } else { &mut rest };
                target.push(c);
            }
            lines.push(part);
            word = rest;
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Columns of a time.
const TIME: usize = 8;
/// Columns of the pauses' bars.
const BAR: usize = 8;
/// Columns between the lanes where there is room beside them.
const ARROWS: usize = 40;
/// From this width on, what messages carry stands beside the ladder.
const ROOMY: usize = 120;
/// Lines of text for one step.
const LINES: usize = 4;
/// Steps shown, and how many of them before the part that is left out.
const STEPS: usize = 200;
const HEAD: usize = 150;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_fill_the_lane() {
        for (from, kind) in [
            (Some(Side::Client), StepKind::ClientHello),
            (Some(Side::Server), StepKind::ServerHello),
            (None, StepKind::Icmp),
            (Some(Side::Client), StepKind::Silence),
            (Some(Side::Server), StepKind::Gap),
        ] {
            for label in ["ClientHello 517 B", "", &"x".repeat(300), "株式会社"] {
                let drawn = arrow(label, from, kind, 40);
                assert_eq!(width(&drawn), 40, "{drawn}");
            }
        }
        assert!(arrow("a", Some(Side::Client), StepKind::Alert, 40).ends_with('▶'));
        assert!(arrow("a", Some(Side::Server), StepKind::Alert, 40).starts_with('◀'));
    }

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(0, 100, 4), "    ");
        assert_eq!(bar(100, 100, 4), "████");
        assert_eq!(bar(50, 100, 4), "██  ");
        assert_eq!(bar(1, 0, 4), "    ");
        assert_eq!(bar(5, 16, 2), "▋ ");
    }

    #[test]
    fn text_is_wrapped_within_its_columns() {
        let lines = wrap(&format!("one two {} three", "x".repeat(30)), 10, 9);
        assert!(lines.iter().all(|line| width(line) <= 10), "{lines:?}");
        assert_eq!(lines.first().map(String::as_str), Some("one two"));
        assert!(wrap("", 10, 4).is_empty());
    }
}
