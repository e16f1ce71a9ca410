//! The view for a person at a terminal.
//!
//! What failed is held back until the end, grouped by cause and server: first what was read, then incidents, then each group with its
//! explanation, evidence and fix. With [`TextOptions::all`], every handshake's line is written as it comes.
//!
//! Invariant: memory is bounded whatever the capture holds; what is beyond the bounds is counted.

use std::io::{self, Write};

use super::Sink;
use super::collect::Collected;
use super::figures::Moment;
use super::layout::Layout;
use super::view;
use crate::report::Report;

mod groups;
mod incidents;
mod listing;
mod summary;

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
    /// The date under which lines of `--all` stand.
    listed_date: Option<String>,
}

impl<W: Write> TextSink<W> {
    /// Writes to `out`, which should buffer.
    pub fn new(out: W, layout: Layout, options: TextOptions) -> Self {
        Self { out, layout, options, collected: Collected::default(), listed_date: None }
    }
}

impl<W: Write> Sink for TextSink<W> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        match report {
            Report::Handshake(handshake) => {
                if self.options.all {
                    let date = Moment::parse(&handshake.handshake.start).map(|moment| moment.date);
                    if date.is_some() && date != self.listed_date {
                        self.layout.heading(&mut self.out, 0, date.as_deref().unwrap_or_default())?;
                        self.listed_date = date;
                    }
                    listing::line(&mut self.out, &self.layout, handshake)?;
                }
                self.collected.handshake(handshake);
            }
            Report::Incident(incident) => self.collected.incident(incident),
            Report::Summary(summary) => self.collected.summary = Some(summary.clone()),
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let (out, layout, collected) = (&mut self.out as &mut dyn Write, &self.layout, &mut self.collected);
        collected.sort();
        if self.listed_date.is_some() {
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
