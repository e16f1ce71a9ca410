//! The view for a person at a terminal.
//!
//! What failed is held back until the end, grouped by cause and server: first what was read, then incidents, then each group with its
//! explanation, evidence and fix. With [`TextOptions::all`], every handshake's line is written as it comes.
//!
//! Invariant: memory is bounded whatever the capture holds; what is beyond the bounds is counted.

use std::io::{self, Write};

use super::collect::Collected;
use super::figures::date;
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
        Verbosity::Quiet => Box::new(LineSink::new(out, look.palette)),
        verbosity => {
            let options = TextOptions { all: look.all, verbose: verbosity == Verbosity::Verbose };
            Box::new(TextSink::new(out, look.layout(), options))
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
    /// The day under which lines of `--all` stand, counted from the epoch.
    listed_day: Option<i64>,
}

impl<W: Write> TextSink<W> {
    /// Writes to `out`, which should buffer.
    pub fn new(out: W, layout: Layout, options: TextOptions) -> Self {
        Self { out, layout, options, collected: Collected::default(), listed_day: None }
    }
}

impl<W: Write> Sink for TextSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        if self.options.all {
            let day = handshake.handshake.start.seconds().div_euclid(86_400);
            if self.listed_day.replace(day) != Some(day) {
                self.layout.heading(&mut self.out, 0, &date(handshake.handshake.start))?;
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
        summary::write(out, layout, collected, self.options)?;
        incidents::write(out, layout, collected)?;
        groups::write(out, layout, collected, self.options)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
