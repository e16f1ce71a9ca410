//! A report to hand over: one HTML file that needs nothing from outside.
//!
//! What matters is plain HTML, readable and printable without JavaScript. The script in the page adds what needs it: a table of all
//! handshakes to sort and filter, and every handshake in full. It gets its data from two blocks in the page: [`rows`], read at once, and
//! [`details`], compressed in small pieces that are opened one by one when asked for.
//!
//! Invariants: text of a report reaches the page as text only, by maud's escaping or as a JSON string in which `<`, `>` and `&` are escaped;
//! the script makes elements and sets their text, never their HTML. The page's Content-Security-Policy allows this one script and this one
//! style sheet by their hashes, and no request to anywhere.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::again::Again;
use super::collect::Collected;
use super::escape::is_hazard;
use super::figures;
use super::{Setting, Sink};
use crate::inventory::Inventory;
use crate::report::{Handshake, Incident, Summary};
use crate::time::{Timestamp, Zone};

mod charts;
mod details;
mod guide;
mod inventory;
mod page;
mod parts;
mod rows;
mod sections;
mod tables;
mod tally;

use details::Details;
use rows::Rows;
use tally::Tally;

/// Writes the page at the end of the run.
#[derive(Debug)]
pub struct HtmlSink<W> {
    out: W,
    settings: Vec<Setting>,
    again: Option<Again>,
    gathered: Gathered,
}

/// What the page is made of.
#[derive(Debug, Default)]
struct Gathered {
    collected: Collected,
    rows: Rows,
    details: Details,
    tally: Tally,
    inventory: Inventory,
    /// The first handshakes that failed, for readers without JavaScript.
    failed: Vec<Handshake<'static>>,
    /// Handshakes that there was no room for in the table.
    beyond: u64,
}

impl Gathered {
    /// A moment in the page's zone, with its date where the page is of several days.
    fn when(&self, at: Timestamp) -> String {
        figures::when_in(self.collected.zone(), at, self.collected.several_days())
    }

    /// What the page's zone is called while the capture ran.
    fn zone_name(&self) -> String {
        let (first, last) = self.times();
        self.collected.zone().names(first, last)
    }

    /// The first and the last moment of the capture.
    fn times(&self) -> (Timestamp, Timestamp) {
        self.collected.summary.as_ref().and_then(|summary| summary.times).unwrap_or_default()
    }
}

impl<W: Write> HtmlSink<W> {
    /// Writes to `out`, which should buffer.
    pub fn new(out: W, settings: Vec<Setting>) -> Self {
        Self { out, settings, again: None, gathered: Gathered::default() }
    }

    /// With the commands that look at a handshake again.
    #[must_use]
    pub fn with_again(self, again: Option<Again>) -> Self {
        Self { again, ..self }
    }

    /// The same with times of this zone.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { gathered: Gathered { collected: Collected::in_zone(zone), ..self.gathered }, ..self }
    }
}

impl<W: Write> Sink for HtmlSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        let gathered = &mut self.gathered;
        gathered.collected.handshake(handshake);
        gathered.tally.add(handshake);
        gathered.inventory.handshake(handshake)?;
        if gathered.rows.len() < MOST_ROWS {
            gathered.rows.add(handshake);
            gathered.details.add(handshake, self.again.as_ref())?;
        } else {
            gathered.beyond = gathered.beyond.saturating_add(1);
        }
        if handshake.class().is_failure() && gathered.failed.len() < PLAIN_ROWS {
            gathered.failed.push(handshake.to_static());
        }
        Ok(())
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.gathered.collected.incident(incident);
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.gathered.collected.summary = Some(summary.clone());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let gathered = &mut self.gathered;
        gathered.collected.sort();
        gathered.details.close()?;
        page::write(&mut self.out, gathered, &self.settings)?;
        self.out.flush()
    }
}

/// JSON that can stand in a `script` element: nothing in it begins a tag, a comment or an entity, and nothing hides or reorders text.
fn embedded(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, '<' | '>' | '&') || (!c.is_ascii() && is_hazard(c)) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Handshakes in the table. A row and its details take some 250 bytes of the page.
const MOST_ROWS: usize = 250_000;
/// Failed handshakes in the plain table.
const PLAIN_ROWS: usize = 500;

#[cfg(test)]
mod tests;
