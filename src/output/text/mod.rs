//! The view for a person at a terminal.
//!
//! What failed is held back until the end: first the answer in one sentence, then what was read, then incidents, then what is in none of them,
//! grouped by cause and server; each with its explanation, evidence and fix. With [`TextOptions::all`], every handshake's line is written as it comes.
//!
//! Invariant: memory is bounded whatever the capture holds; what is beyond the bounds is counted.

use std::io::{self, Write};

use super::again::Again;
use super::collect::Collected;
use super::format::{Format, Verbosity};
use super::layout::Layout;
use super::line::LineSink;
use super::view;
use crate::report::{Handshake, Incident, Sink, Summary};

mod groups;
mod incidents;
mod listing;
mod summary;

/// `--format text`.
pub const FORMAT: Format = Format {
    name: "text",
    about: "For a terminal",
    streams: |look| look.all || look.verbosity == Verbosity::Quiet,
    sink: |out, look| match look.verbosity {
        Verbosity::Quiet => Box::new(LineSink::new(out, look.layout.palette).in_zone(look.layout.zone().clone())),
        verbosity => {
            let options = TextOptions { all: look.all, verbose: verbosity == Verbosity::Verbose };
            Box::new(TextSink::new(out, look.layout.clone(), options).with_again(look.again.clone()))
        }
    },
};

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextOptions {
    /// Every handshake on a line, the completed ones too, and every group in full.
    pub all: bool,
    /// Parameters, timing and fingerprints of what failed; notes of severity `info`; what was skipped.
    pub verbose: bool,
}

/// Writes the view.
#[derive(Debug)]
pub struct TextSink<W> {
    out: W,
    layout: Layout,
    options: TextOptions,
    collected: Collected,
    again: Option<Again>,
    /// The day under which lines of `--all` stand, counted from the epoch.
    listed_day: Option<i64>,
}

impl<W: Write> TextSink<W> {
    /// Writes to `out`, which should buffer.
    pub fn new(out: W, layout: Layout, options: TextOptions) -> Self {
        let collected = Collected::in_zone(layout.zone().clone());
        Self { out, layout, options, collected, again: None, listed_day: None }
    }

    /// The same, with the command that shows a failure in full.
    #[must_use]
    pub fn with_again(self, again: Option<Again>) -> Self {
        Self { again, ..self }
    }
}

/// What is told behind the summary, and how.
#[derive(Debug, Clone, Copy)]
struct Telling<'a> {
    layout: &'a Layout,
    collected: &'a Collected,
    options: TextOptions,
    again: Option<&'a Again>,
}

impl<W: Write> Sink for TextSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        if self.options.all {
            let start = handshake.handshake.start;
            let day = self.layout.zone().day(start);
            if self.listed_day.replace(day) != Some(day) {
                let date: String = self.layout.when(start, true).chars().take(10).collect();
                self.layout.heading(&mut self.out, 0, &format!("{date} {}", self.layout.zone().name(start)))?;
            }
            listing::line(&mut self.out, &self.layout, handshake)?;
        }
        self.collected.handshake(handshake);
        Ok(())
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.collected.incident(incident);
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.collected.summary = Some(summary.clone());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let (out, layout, collected) = (&mut self.out as &mut dyn Write, &self.layout, &mut self.collected);
        collected.sort();
        if self.listed_day.is_some() {
            writeln!(out)?;
        }
        let again = self.again.as_ref();
        summary::answer(out, layout, collected)?;
        summary::write(out, layout, collected, self.options)?;
        let telling = Telling { layout, collected, options: self.options, again };
        incidents::write(out, &telling)?;
        groups::write(out, &telling)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
