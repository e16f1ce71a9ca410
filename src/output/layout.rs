//! Lines on a terminal: wrapping, indentation, styles.
//!
//! Everything printed goes through [`Layout`], and everything that does is escaped: text is given plain and styled by position.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

use super::escape::{clip, escape, width};
use super::figures;
use super::style::Palette;
use crate::report::Advice;
use crate::time::{Timestamp, Zone};
use crate::wording::held;

pub use crate::wording::NO_BREAK;

/// A run of text in one style.
pub type Span<'a> = (Style, &'a str);

/// How wide, in which colours, and in which time zone.
#[derive(Debug, Clone)]
pub struct Layout {
    width: usize,
    zone: Zone,
    /// The styles.
    pub palette: Palette,
}

impl Layout {
    /// A layout for so many columns, from 40 on; 80 where nobody knows. Prose takes no more than 110 of them.
    pub fn new(columns: Option<usize>, palette: Palette) -> Self {
        Self { width: columns.unwrap_or(COLUMNS).max(NARROWEST), zone: Zone::UTC, palette }
    }

    /// The same with times of this zone.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// The zone of its times.
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// A moment with its date, or without it when all that is shown is of one day.
    pub fn when(&self, at: Timestamp, with_date: bool) -> String {
        figures::when_in(&self.zone, at, with_date)
    }

    /// From one moment to another, of which the second has its date only where it is of another day.
    pub fn period(&self, first: Timestamp, last: Timestamp, with_date: bool) -> String {
        figures::period_in(&self.zone, first, last, with_date)
    }

    /// A moment to the second, for sentences.
    pub fn moment(&self, at: Timestamp, with_date: bool) -> String {
        self.when(at, with_date).split('.').next().unwrap_or_default().to_owned()
    }

    /// Columns in use.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Wraps runs of text at spaces (no-break spaces hold together and are shown as plain ones): `first` columns of indentation before the first
    /// line, `rest` before the others. Takes no more columns than the eye can follow.
    pub fn flow(&self, out: &mut dyn Write, first: usize, rest: usize, spans: &[Span<'_>]) -> io::Result<()> {
        wrapped(out, self.width.min(PROSE), first, rest, spans)
    }

    /// The same for a row of a list, which takes all columns there are.
    pub fn row(&self, out: &mut dyn Write, first: usize, rest: usize, spans: &[Span<'_>]) -> io::Result<()> {
        wrapped(out, self.width, first, rest, spans)
    }

    /// A paragraph in no particular style.
    pub fn prose(&self, out: &mut dyn Write, indent: usize, text: &str) -> io::Result<()> {
        self.flow(out, indent, indent, &[(Style::new(), text)])
    }

    /// A label and text after it; further lines are indented by two columns more than the first.
    pub fn labelled(&self, out: &mut dyn Write, indent: usize, label: &str, text: &str) -> io::Result<()> {
        self.flow(out, indent, indent.saturating_add(2), &[(self.palette.dim, label), (Style::new(), " "), (Style::new(), text)])
    }

    /// A heading, on a line of its own.
    pub fn heading(&self, out: &mut dyn Write, indent: usize, text: &str) -> io::Result<()> {
        self.flow(out, indent, indent, &[(self.palette.strong, text)])
    }

    /// A line of advice: a command stands alone on its line behind `$ ` and is never broken; a sentence is a paragraph.
    pub fn advice(&self, out: &mut dyn Write, indent: usize, advice: &Advice) -> io::Result<()> {
        match advice {
            Advice::Text(text) => self.prose(out, indent, text),
            Advice::Command(command) => self.command(out, indent, &command.to_string()),
        }
    }

    /// A command, alone on its line behind `$ `.
    pub fn command(&self, out: &mut dyn Write, indent: usize, command: &str) -> io::Result<()> {
        let command = escape(command);
        if command.chars().nth(LONGEST_COMMAND).is_some() {
            return self.prose(out, indent, "(a command too long to show; the JSON report has it)");
        }
        let (dim, style) = (self.palette.dim, self.palette.command);
        writeln!(out, "{:indent$}{dim}${dim:#} {style}{command}{style:#}", "")
    }
}

fn wrapped(out: &mut dyn Write, columns: usize, first: usize, rest: usize, spans: &[Span<'_>]) -> io::Result<()> {
    // However deep the indentation asked for, half of the width is left for the text.
    let (first, rest) = (first.min(columns / 2), rest.min(columns / 2));
    let room = columns.saturating_sub(rest.max(first));
    let mut column = first;
    let mut fresh = true;
    write!(out, "{:first$}", "")?;
    for word in words(spans, room) {
        // Spaces before the very first word are the caller's columns.
        if !fresh && column.saturating_add(word.spaces).saturating_add(word.width) > columns {
            write!(out, "\n{:rest$}", "")?;
            column = rest;
        } else {
            let spaces = word.spaces.min(columns.saturating_sub(column).saturating_sub(word.width));
            write!(out, "{:spaces$}", "")?;
            column = column.saturating_add(spaces);
        }
        for (style, text) in &word.pieces {
            write!(out, "{style}{text}{style:#}")?;
        }
        column = column.saturating_add(word.width);
        fresh = false;
    }
    writeln!(out)
}

struct Word {
    spaces: usize,
    pieces: Vec<(Style, String)>,
    width: usize,
}

/// Splits runs of text into words no wider than `room`; a run that does not begin with a space continues the last word.
fn words(spans: &[Span<'_>], room: usize) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::new();
    let mut spaces = 0_usize;
    let mut glued = false;
    for (style, text) in spans {
        let text = escape(text);
        let text = clip(&text, LONGEST_TEXT);
        // What is held together and yet wider than a line is parted all the same.
        let text = held(&text);
        let pieces = text.split(' ').flat_map(|piece| {
            let wide = width(piece) > room;
            piece.split(move |c| wide && c == NO_BREAK)
        });
        for (index, piece) in pieces.enumerate() {
            if index > 0 {
                spaces = spaces.saturating_add(1);
                glued = false;
            }
            if piece.is_empty() {
                continue;
            }
            let mut piece = clip(piece, LONGEST_WORD).replace(NO_BREAK, " ");
            // Where a line happens to break, a name must not look like a command to type.
            if piece == "$" || piece.starts_with("$ ") {
                piece.insert(0, '\\');
            }
            // A number is not parted from its unit.
            let is_unit = spaces == 1 && UNITS.contains(&piece.trim_end_matches([',', '.', ';', ':', ')']));
            match out.last_mut() {
                Some(word)
                    if is_unit
                        && word.pieces.last().is_some_and(|(_, text)| text.ends_with(|c: char| c.is_ascii_digit()))
                        && word.width.saturating_add(width(&piece)) < room =>
                {
                    piece.insert(0, ' ');
                    word.width = word.width.saturating_add(width(&piece));
                    word.pieces.push((*style, piece));
                }
                Some(word) if glued && word.width.saturating_add(width(&piece)) <= room => {
                    word.width = word.width.saturating_add(width(&piece));
                    word.pieces.push((*style, piece));
                }
                _ => push_broken(&mut out, *style, &piece, spaces, room),
            }
            spaces = 0;
            glued = true;
        }
    }
    out
}

/// Appends a word, in parts where it is wider than a line.
fn push_broken(out: &mut Vec<Word>, style: Style, piece: &str, spaces: usize, room: usize) {
    let mut part = String::new();
    let mut columns = 0_usize;
    let mut spaces = spaces;
    for c in piece.chars() {
        let wide = c.width().unwrap_or(1);
        if columns.saturating_add(wide) > room {
            out.push(Word { spaces, width: columns, pieces: vec![(style, std::mem::take(&mut part))] });
            (columns, spaces) = (0, 0);
        }
        part.push(c);
        columns = columns.saturating_add(wide);
    }
    out.push(Word { spaces, width: columns, pieces: vec![(style, part)] });
}

/// What stands behind numbers.
const UNITS: &[&str] = &["B", "kB", "MB", "GB", "TB", "µs", "ms", "s", "min", "h", "d", "%"];
/// Columns where there is no terminal to ask.
const COLUMNS: usize = 80;
/// Narrower than this, evidence and addresses fall apart.
const NARROWEST: usize = 40;
/// Wider than this, the eye loses the line of a paragraph.
const PROSE: usize = 110;
/// Columns of a word shown whole: no genuine host name or suite is longer than half of this.
const LONGEST_WORD: usize = 160;
/// Columns of a paragraph shown whole: some forty lines.
const LONGEST_TEXT: usize = 3_200;
/// Characters of a command shown: what a shell line can still be checked by eye.
const LONGEST_COMMAND: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::remedy::parts::Name;
    use crate::report::Command;

    fn shown(columns: usize, first: usize, rest: usize, spans: &[Span<'_>]) -> String {
        let mut out = Vec::new();
        Layout::new(Some(columns), Palette::PLAIN).flow(&mut out, first, rest, spans).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn wraps_at_spaces_and_keeps_columns() {
        let text = "aaaa  bbbb ".repeat(8);
        let lines = shown(60, 2, 4, &[(Style::new(), &text)]);
        assert!(lines.starts_with("  aaaa  bbbb aaaa  bbbb "), "{lines}");
        assert!(lines.lines().all(|line| width(line) <= 60 && !line.ends_with(' ')), "{lines}");
        assert!(lines.lines().nth(1).unwrap().starts_with("    b") || lines.lines().nth(1).unwrap().starts_with("    a"));
        assert_eq!(lines.split_whitespace().count(), 16);
        assert_eq!(shown(60, 2, 4, &[(Style::new(), "   7"), (Style::new(), "  x")]), "     7  x\n");
        let held = format!("{} frames\u{a0}4-17", "a".repeat(50));
        assert_eq!(shown(60, 0, 0, &[(Style::new(), &held)]), format!("{}\nframes 4-17\n", "a".repeat(50)));
        let counted = format!("{} all 12 frames", "a".repeat(50));
        assert_eq!(shown(60, 0, 0, &[(Style::new(), &counted)]), format!("{}\nall 12 frames\n", "a".repeat(50)));
        let wide = format!("frame\u{a0}{}", "1".repeat(30));
        assert_eq!(shown(40, 19, 19, &[(Style::new(), &wide)]).trim_start().split_once(' ').map(|(first, _)| first), Some("frame\n"));
        let number = format!("{} 14.2 kB, 9 s", "a".repeat(52));
        assert_eq!(shown(60, 0, 0, &[(Style::new(), &number)]), format!("{}\n14.2 kB, 9 s\n", "a".repeat(52)));
    }

    #[test]
    fn rows_take_all_columns_and_prose_those_that_the_eye_follows() {
        let layout = Layout::new(Some(200), Palette::PLAIN);
        let (mut row, mut prose) = (Vec::new(), Vec::new());
        let text = "word ".repeat(60);
        layout.row(&mut row, 0, 0, &[(Style::new(), &text)]).unwrap();
        layout.prose(&mut prose, 0, &text).unwrap();
        let longest = |out: Vec<u8>| String::from_utf8(out).unwrap().lines().map(width).max();
        assert_eq!((longest(row), longest(prose)), (Some(199), Some(109)));
        assert_eq!((Layout::new(Some(7), Palette::PLAIN).width(), Layout::new(None, Palette::PLAIN).width()), (40, 80));
    }

    #[test]
    fn runs_without_a_space_between_them_stay_together() {
        assert_eq!(shown(60, 0, 0, &[(Style::new(), "a "), (Style::new(), "(b"), (Style::new(), "), c")]), "a (b), c\n");
        let colour = Layout::new(None, Palette::COLOURED);
        let mut out = Vec::new();
        colour.flow(&mut out, 0, 0, &[(Palette::COLOURED.strong, "x"), (Style::new(), "y")]).unwrap();
        assert_eq!(out, b"\x1b[1mx\x1b[0my\n");
    }

    #[test]
    fn a_word_wider_than_the_line_is_broken_and_an_absurd_one_clipped() {
        let lines = shown(60, 0, 0, &[(Style::new(), &"x".repeat(100))]);
        assert_eq!(lines.lines().map(str::len).collect::<Vec<_>>(), [60, 40]);
        let lines = shown(60, 0, 0, &[(Style::new(), &"株".repeat(10_000))]);
        assert!(lines.contains('…') && lines.lines().count() <= 4 && lines.lines().all(|line| width(line) <= 60), "{lines}");
        let lines = shown(80, 0, 0, &[(Style::new(), &"long text ".repeat(10_000))]);
        assert!(lines.lines().count() <= 60 && lines.contains('…'));
    }

    #[test]
    fn commands_are_never_broken() {
        let word = Name::parse(&"a ".repeat(100)).unwrap();
        let long = Command::new("curl").option("-A", word.clone());
        let mut out = Vec::new();
        let layout = Layout::new(Some(60), Palette::PLAIN);
        layout.advice(&mut out, 4, &Advice::Command(long.clone())).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("    $ {long}\n"));
        let mut out = Vec::new();
        let absurd = (0..100).fold(Command::new("curl"), |command, _| command.option("-A", word.clone()));
        layout.advice(&mut out, 4, &Advice::Command(absurd)).unwrap();
        assert!(out.len() < 100);
    }

    #[test]
    fn a_sentence_is_no_command_however_it_reads() {
        for text in ["$ rm -rf /", "curl -v https://a/", "Ask for \n$ rm -rf"] {
            let mut out = Vec::new();
            Layout::new(None, Palette::PLAIN).advice(&mut out, 2, &Advice::Text(text.into())).unwrap();
            let shown = String::from_utf8(out).unwrap();
            assert!(shown.lines().count() == 1 && !shown.trim_start().starts_with("$ "), "{shown}");
        }
    }

    #[test]
    fn a_name_cannot_pose_as_a_command_where_a_line_breaks() {
        for space in [' ', NO_BREAK] {
            let text = format!("{} $ rm -rf /", "a".repeat(58)).replace("$ ", &format!("${space}"));
            assert!(shown(60, 0, 0, &[(Style::new(), &text)]).lines().nth(1).unwrap().starts_with("\\$ rm"));
        }
    }
}
