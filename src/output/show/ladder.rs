//! The ladder: client on the left, server on the right, an arrow for each packet's content.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::Style;

use super::section;
use crate::flow::Side;
use crate::output::escape::{clip, escape, width};
use crate::output::figures::{count, span_us, us_between};
use crate::output::layout::{Layout, NO_BREAK};
use crate::output::view::{self, StepLook};
use crate::report::{Evidence, Handshake, Step, StepKind, Timestamp};
use crate::wording::held;

/// Writes the ladder, unless there is no timeline.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let timeline = &report.timeline;
    let Some(first) = timeline.first() else { return Ok(()) };
    section(out, layout, "Ladder")?;
    let rows = rows(report);
    // A mark stands before the number.
    let frame = rows.iter().filter_map(Row::frame).max().unwrap_or_default().to_string().len().saturating_add(1).max(5);
    let lanes = Lanes::new(layout, frame);
    lanes.head(out, report)?;
    // As the evidence counts: what it names may come before the first message.
    let begin = first.time.min(report.handshake.start);
    let mut last = begin;
    let mut source = report.capture.source.to_string();
    let longest = pauses(timeline).max().unwrap_or_default();
    let hidden = rows.len().saturating_sub(STEPS);
    let mut skipped = 0_u64;
    for (index, row) in rows.iter().enumerate() {
        let time = row.time();
        // The middle of a long story is the least telling, but for what the verdict rests on.
        if hidden > 0 && index >= HEAD && index < HEAD.saturating_add(hidden) && !row.is_cited() {
            skipped = skipped.saturating_add(1);
            last = time;
            continue;
        }
        if skipped > 0 {
            lanes.note(out, &format!("· · · {} more · · ·", count(skipped)))?;
            skipped = 0;
        }
        let (start, delta) = (us_between(begin, time), us_between(last, time));
        let place = row.frame().map(|frame| report.capture.place(frame));
        if let Some(file) = place.as_ref().and_then(|place| place.file.as_ref()).filter(|file| **file != source) {
            lanes.note(out, &format!("in {}", escape(view::base_name(file))))?;
            source.clone_from(file);
        }
        let frame = place.map(|place| place.frame);
        match row {
            Row::Step(entry, cited) => lanes.step(out, &Step { frame, ..(*entry).clone() }, (start, delta, longest), *cited)?,
            Row::Cited(piece) => lanes.cited(out, piece, (frame, start, delta))?,
        }
        last = time;
    }
    if rows.iter().any(Row::is_cited) {
        layout.flow(out, 0, 0, &[(layout.palette.dim, &format!("{CITED} frames that the evidence names"))])?;
    }
    Ok(())
}

/// A line of the ladder.
enum Row<'a> {
    /// What happened, and whether the evidence names its frame.
    Step(&'a Step, bool),
    /// Evidence of a frame that is no step.
    Cited(&'a Evidence),
}

impl Row<'_> {
    const fn time(&self) -> Timestamp {
        match self {
            Self::Step(step, _) => step.time,
            Self::Cited(piece) => match piece.mark {
                Some(mark) => mark.time,
                None => Timestamp::MIN,
            },
        }
    }

    fn frame(&self) -> Option<u64> {
        match self {
            Self::Step(step, _) => step.frame,
            Self::Cited(piece) => piece.mark.map(|mark| mark.frame),
        }
    }

    const fn is_cited(&self) -> bool {
        !matches!(self, Self::Step(_, false))
    }
}

/// The timeline, and what the evidence names beside it, in the order of time.
fn rows<'a>(report: &'a Handshake<'_>) -> Vec<Row<'a>> {
    let evidence = || report.diagnosis.evidence.iter().filter(|piece| piece.mark.is_some());
    let cited: BTreeSet<u64> = evidence().filter_map(|piece| piece.mark).map(|mark| mark.frame).collect();
    let told: BTreeSet<u64> = report.timeline.iter().filter_map(|step| step.frame).collect();
    let mut rows: Vec<Row<'_>> =
        report.timeline.iter().map(|step| Row::Step(step, step.frame.is_some_and(|frame| cited.contains(&frame)))).collect();
    for piece in evidence().filter(|piece| piece.mark.is_some_and(|mark| !told.contains(&mark.frame))) {
        let row = Row::Cited(piece);
        let place = rows.partition_point(|known| known.time() <= row.time());
        rows.insert(place, row);
    }
    rows
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
    /// There is room for the time since the step before.
    pauses: bool,
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
        let pauses = width >= NARROW;
        let left = left(frame, pauses, bar).saturating_add(1);
        // Both lanes, and one column for the mark at the end.
        let rest = width.saturating_sub(left).saturating_sub(4);
        let inner = if width >= ROOMY { ARROWS } else { rest };
        let aside = if width >= ROOMY { rest.saturating_sub(inner).saturating_sub(2) } else { 0 };
        Self { layout, frame, pauses, bar, inner, aside }
    }

    fn head(&self, out: &mut dyn Write, report: &Handshake<'_>) -> io::Result<()> {
        let dim = self.layout.palette.dim;
        let bar = if self.bar > 0 { format!(" {:1$}", "", self.bar) } else { String::new() };
        let after = if self.pauses { format!(" {:>TIME$}", "after") } else { String::new() };
        let (frame, inner) = (self.frame, self.inner);
        let half = inner / 2;
        let client = clip(&report.client.to_string(), half).into_owned();
        let server = clip(&report.server.to_string(), inner.saturating_add(2).saturating_sub(half).saturating_sub(1)).into_owned();
        let gap = inner.saturating_add(2).saturating_sub(width(&client)).saturating_sub(width(&server));
        let strong = self.layout.palette.strong;
        writeln!(out, "{dim}{:>frame$} {:>TIME$}{after}{bar}{dim:#} {strong}{client}{:gap$}{server}{strong:#}", "frame", "at", "")
    }

    /// What the evidence names and the timeline does not: it may be of another connection.
    fn cited(
        &self,
        out: &mut dyn Write,
        piece: &Evidence,
        (frame, start, delta): (Option<u64>, Option<u64>, Option<u64>),
    ) -> io::Result<()> {
        let palette = self.layout.palette;
        self.place(out, frame, (start, delta, 0), true)?;
        let dim = palette.dim;
        writeln!(out, " {dim}│{}│{dim:#}", centred("", self.inner, '╌'))?;
        let text = escape(&piece.text);
        for line in wrap(&text, self.inner.saturating_sub(4).max(1), LINES) {
            let fill = self.inner.saturating_sub(3).saturating_sub(width(&line));
            self.margin(out)?;
            writeln!(out, " {dim}│{dim:#}   {line}{:fill$}{dim}│{dim:#}", "")?;
        }
        Ok(())
    }

    /// The columns left of the lanes: frame, time, pause.
    fn place(
        &self,
        out: &mut dyn Write,
        frame: Option<u64>,
        (start, delta, longest): (Option<u64>, Option<u64>, u64),
        cited: bool,
    ) -> io::Result<()> {
        let palette = self.layout.palette;
        let dim = palette.dim;
        let mark = if cited { CITED } else { ' ' };
        let mark_style = palette.warn;
        let frame = frame.map_or_else(|| "-".to_owned(), |frame| frame.to_string());
        let start = start.map(short_span).unwrap_or_default();
        let columns = self.frame.saturating_sub(1);
        write!(out, "{mark_style}{mark}{mark_style:#}{dim}{frame:>columns$} {start:>TIME$}{dim:#}")?;
        if self.pauses {
            let since = delta.filter(|us| *us > 0).map(|us| format!("+{}", short_span(us))).unwrap_or_default();
            let style = if longest > 0 && delta == Some(longest) { palette.warn } else { dim };
            write!(out, " {style}{since:>TIME$}{style:#}")?;
            if self.bar > 0 {
                let bar = bar(delta.unwrap_or_default(), longest, self.bar);
                write!(out, " {style}{bar}{style:#}")?;
            }
        }
        Ok(())
    }

    fn step(&self, out: &mut dyn Write, entry: &Step, times: (Option<u64>, Option<u64>, u64), cited: bool) -> io::Result<()> {
        let palette = self.layout.palette;
        let dim = palette.dim;
        let style = match view::step_look(entry.kind) {
            _ if entry.ended => palette.bad,
            StepLook::Message => palette.strong,
            StepLook::Transport => palette.dim,
            StepLook::Trouble => palette.warn,
            StepLook::Failure => palette.bad,
        };
        self.place(out, entry.frame, times, cited)?;
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
        write!(out, "{:1$}", "", left(self.frame, self.pauses, self.bar))
    }

    fn blank(&self, out: &mut dyn Write) -> io::Result<()> {
        let dim = self.layout.palette.dim;
        self.margin(out)?;
        write!(out, " {dim}│{:1$}│{dim:#}", "", self.inner)
    }
}

/// Columns of frame, time and pause.
const fn left(frame: usize, pauses: bool, bar: usize) -> usize {
    let times = if pauses { TIME.saturating_mul(2).saturating_add(1) } else { TIME };
    frame.saturating_add(1).saturating_add(times).saturating_add(if bar > 0 { bar.saturating_add(1) } else { 0 })
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
    let text = held(&text);
    for word in text.split(' ').flat_map(|word| {
        let wide = width(word) > columns;
        word.split(move |c| wide && c == NO_BREAK)
    }) {
        let mut word = word.replace(NO_BREAK, " ");
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
/// Below this width, there is no room for the time since the step before.
const NARROW: usize = 60;
/// The mark of a frame that the evidence names.
const CITED: char = '•';
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
