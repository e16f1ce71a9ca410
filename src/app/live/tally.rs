//! What a run's end depends on and is made of.

use std::io::{self, BufWriter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::LiveCommand;
use crate::output::layout::Layout;
use crate::output::style::{self, Palette};
use crate::output::text::{TextOptions, TextSink};
use crate::report::{Handshake, Report, Sink as _};

/// What was found so far, as far as the end needs it.
pub(super) struct Tally<'a> {
    pub(super) command: &'a LiveCommand,
    pub(super) stop: &'a AtomicBool,
    pub(super) handshakes: u64,
    pub(super) matched: bool,
    /// Incidents and the summary.
    pub(super) last: Vec<Arc<Report>>,
}

impl Tally<'_> {
    pub(super) fn handshake(&mut self, handshake: &Handshake<'_>) {
        if handshake.handshake.provisional {
            return;
        }
        self.handshakes += 1;
        self.matched |= self.command.fail_on.matches(handshake);
        if self.command.count.is_some_and(|count| self.handshakes >= count) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Whether an incident was told before.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.last.iter().any(|known| is_incident(known, id))
    }

    /// What is told anew takes the place of what was told before.
    pub(super) fn incident(&mut self, report: Arc<Report>, id: &str) {
        self.last.retain(|known| !is_incident(known, id));
        if self.last.len() >= INCIDENTS {
            self.last.remove(0);
        }
        self.last.push(report);
    }

    /// Writes the summary for a person.
    pub(super) fn show(&self, palette: Palette) -> io::Result<()> {
        let layout = Layout::new(style::terminal_width(), palette).in_zone(self.command.zone.clone());
        let mut text = TextSink::new(BufWriter::new(io::stdout()), layout, TextOptions::default());
        let written = self.last.iter().try_for_each(|report| report.give(&mut text)).and_then(|()| text.finish());
        crate::output::unless_broken_pipe(written).map(drop)
    }
}

fn is_incident(report: &Report, id: &str) -> bool {
    matches!(report, Report::Incident(incident) if incident.id == id)
}

/// Incidents kept for the summary at the end: more than anyone reads there.
const INCIDENTS: usize = 256;
