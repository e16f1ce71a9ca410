//! What the view knows: counts over time, the latest failures, where the cursor stands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Gauges;
use crate::output::view;
use crate::report::{Classes, Handshake, Outcome, Report};
use crate::time::Timestamp;

/// Everything the view knows.
#[allow(clippy::struct_excessive_bools, reason = "independent states of the view")]
#[derive(Debug)]
pub(super) struct State {
    pub(super) started: Timestamp,
    pub(super) now: Timestamp,
    pub(super) gauges: Gauges,
    /// Packets and bytes a second, over the last seconds.
    pub(super) packet_rate: u64,
    pub(super) byte_rate: u64,
    /// Oldest first, one a second.
    pub(super) seconds: VecDeque<Second>,
    before: (u64, u64),
    /// All handshakes that ended.
    pub(super) classes: Classes,
    pub(super) causes: BTreeMap<&'static str, u64>,
    pub(super) incidents: BTreeMap<(&'static str, String), Incident>,
    /// Total times of the latest completed handshakes in microseconds.
    pub(super) times: VecDeque<u64>,
    /// Latest last.
    rows: VecDeque<Arc<Report>>,
    /// What is shown while paused.
    frozen: Option<VecDeque<Arc<Report>>>,
    pub(super) tab: Tab,
    /// The row under the cursor, counted from the latest.
    pub(super) cursor: usize,
    /// The handshake shown in full, and how far it is scrolled.
    pub(super) detail: Option<(Arc<Report>, u16)>,
    pub(super) filter: String,
    pub(super) typing: bool,
    pub(super) help: bool,
    pub(super) quit: bool,
    pub(super) color: bool,
    /// Rows of the list that fit, as last drawn.
    pub(super) page: usize,
}

/// What one second brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Second {
    pub(super) at: i64,
    pub(super) handshakes: u64,
    pub(super) failed: u64,
}

/// Failures of one cause at one server.
#[derive(Debug, Clone)]
pub(super) struct Incident {
    pub(super) failed: u64,
    pub(super) last: Arc<Report>,
}

/// What the list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    /// What failed, was rejected, had trouble or is stalling, the latest first.
    Failures,
    /// Failures by cause and server, the most first.
    Incidents,
    /// Every handshake.
    All,
}

impl State {
    pub(super) fn new(now: Timestamp, color: bool) -> Self {
        Self {
            started: now,
            now,
            gauges: Gauges::default(),
            packet_rate: 0,
            byte_rate: 0,
            seconds: VecDeque::new(),
            before: (0, 0),
            classes: Classes::default(),
            causes: BTreeMap::new(),
            incidents: BTreeMap::new(),
            times: VecDeque::new(),
            rows: VecDeque::new(),
            frozen: None,
            tab: Tab::Failures,
            cursor: 0,
            detail: None,
            filter: String::new(),
            typing: false,
            help: false,
            quit: false,
            color,
            page: 1,
        }
    }

    /// Takes a report.
    pub(super) fn take(&mut self, report: &Arc<Report>) {
        let Report::Handshake(handshake) = &**report else { return };
        let id = handshake.handshake.id;
        // What was told while it stalled gives way to how it ended.
        if let Some(place) = self.rows.iter().position(|row| flagged(row).is_some_and(|row| row.handshake.id == id)) {
            self.rows.remove(place);
        }
        if self.rows.len() >= ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(Arc::clone(report));
        if self.tab != Tab::Incidents && self.cursor > 0 && self.frozen.is_none() && self.shows(handshake) {
            // The cursor stays on its handshake.
            self.cursor += 1;
        }
        if handshake.handshake.provisional {
            return;
        }
        let class = handshake.class();
        self.classes.add(class);
        if let Some(second) = self.second() {
            second.handshakes += 1;
            second.failed += u64::from(class.is_failure());
        }
        if handshake.handshake.outcome == Outcome::Completed
            && let Some(micros) = handshake.handshake.timing.total_us
        {
            if self.times.len() >= TIMES {
                self.times.pop_front();
            }
            self.times.push_back(micros);
        }
        if class.is_problem() {
            let cause = view::cause(handshake);
            *self.causes.entry(cause).or_default() += 1;
            let key = (cause, view::server(handshake));
            if self.incidents.len() < INCIDENTS || self.incidents.contains_key(&key) {
                let incident = self.incidents.entry(key).or_insert_with(|| Incident { failed: 0, last: Arc::clone(report) });
                incident.failed += 1;
                incident.last = Arc::clone(report);
            }
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Timestamp, gauges: Gauges) {
        let seconds = now.seconds() - self.now.seconds();
        if let Ok(passed) = u64::try_from(seconds)
            && passed > 0
        {
            self.packet_rate = gauges.frames.saturating_sub(self.before.0) / passed;
            self.byte_rate = gauges.bytes.saturating_sub(self.before.1) / passed;
            self.before = (gauges.frames, gauges.bytes);
        }
        self.now = now;
        self.gauges = gauges;
        self.second();
    }

    /// The running second's counts.
    fn second(&mut self) -> Option<&mut Second> {
        let at = self.now.seconds();
        let latest = self.seconds.back().map_or(at - 1, |second| second.at).max(at - SECONDS);
        for at in latest + 1..=at {
            self.seconds.push_back(Second { at, ..Second::default() });
        }
        while self.seconds.len() > usize::try_from(SECONDS).unwrap_or_default() {
            self.seconds.pop_front();
        }
        self.seconds.back_mut()
    }

    /// The handshakes to list, latest first.
    pub(super) fn listed(&self) -> Vec<Arc<Report>> {
        let rows = self.frozen.as_ref().unwrap_or(&self.rows);
        rows.iter().rev().filter(|row| handshake(row).is_some_and(|row| self.shows(row))).cloned().collect()
    }

    /// The incidents to list, the most failures first.
    pub(super) fn grouped(&self) -> Vec<(&(&'static str, String), &Incident)> {
        let mut out: Vec<_> = self.incidents.iter().filter(|((cause, server), _)| matches(&self.filter, &[cause, server])).collect();
        out.sort_by(|a, b| b.1.failed.cmp(&a.1.failed).then(a.0.cmp(b.0)));
        out
    }

    fn shows(&self, report: &Handshake<'_>) -> bool {
        (self.tab == Tab::All || report.class().is_problem())
            && matches(
                &self.filter,
                &[&report.client.to_string(), &view::server(report), view::cause(report), report.handshake.outcome.name()],
            )
    }

    pub(super) fn len(&self) -> usize {
        if self.tab == Tab::Incidents { self.grouped().len() } else { self.listed().len() }
    }

    /// What is under the cursor.
    pub(super) fn selected(&self) -> Option<Arc<Report>> {
        match self.tab {
            Tab::Incidents => self.grouped().get(self.cursor).map(|(_, incident)| Arc::clone(&incident.last)),
            Tab::Failures | Tab::All => self.listed().get(self.cursor).cloned(),
        }
    }

    pub(super) const fn paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// Stops the list, or lets it go on.
    pub(super) fn pause(&mut self) {
        self.frozen = if self.frozen.is_some() { None } else { Some(self.rows.clone()) };
        self.clamp();
    }

    /// Forgets what was shown; the totals stay.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.frozen = None;
        self.incidents.clear();
        self.cursor = 0;
    }

    pub(super) fn clamp(&mut self) {
        self.cursor = self.cursor.min(self.len().saturating_sub(1));
    }

    /// The time that `percent` of the latest completed handshakes needed at most, in microseconds.
    pub(super) fn percentile(&self, percent: usize) -> Option<u64> {
        let mut times: Vec<u64> = self.times.iter().copied().collect();
        times.sort_unstable();
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(place).copied()
    }
}

/// The handshake in a report.
pub(super) fn handshake(report: &Report) -> Option<&Handshake<'static>> {
    match report {
        Report::Handshake(handshake) => Some(handshake),
        _ => None,
    }
}

fn flagged(report: &Report) -> Option<&Handshake<'static>> {
    handshake(report).filter(|handshake| handshake.handshake.provisional)
}

/// Whether one of the texts holds every word of the filter, whatever its case.
fn matches(filter: &str, texts: &[&str]) -> bool {
    filter.split_whitespace().all(|word| {
        let word = word.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&word))
    })
}

/// Handshakes that can be looked back at.
const ROWS: usize = 5000;
/// Causes and servers told apart.
const INCIDENTS: usize = 1000;
/// Times from which percentiles are taken.
const TIMES: usize = 4096;
/// Seconds of history.
const SECONDS: i64 = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Class, samples};

    fn report(report: Handshake<'static>) -> Arc<Report> {
        Arc::new(Report::Handshake(Box::new(report)))
    }

    #[test]
    fn a_flagged_stall_gives_way_to_its_end() {
        let mut state = State::new(Timestamp::from_parts(100, 0), false);
        let mut stall = samples::expired(0);
        stall.handshake.provisional = true;
        state.take(&report(stall.clone()));
        assert_eq!((state.listed().len(), state.classes.total()), (1, 0));
        let mut done = samples::completed();
        done.handshake.id = stall.handshake.id;
        state.take(&report(done));
        assert_eq!((state.listed().len(), state.classes.total(), state.classes.of(Class::Failed)), (0, 1, 0));
    }

    #[test]
    fn filter_tabs_and_pause_choose_the_rows() {
        let mut state = State::new(Timestamp::from_parts(100, 0), false);
        for name in ["alpha.test", "beta.test"] {
            state.take(&report(samples::named(name)));
        }
        state.take(&report(samples::completed()));
        assert_eq!(state.len(), 2);
        state.filter = "BETA expired".into();
        assert_eq!(state.len(), 1);
        state.filter.clear();
        state.tab = Tab::All;
        assert_eq!(state.len(), 3);
        state.tab = Tab::Incidents;
        assert_eq!(state.len(), 2);
        state.tab = Tab::Failures;
        state.pause();
        state.take(&report(samples::expired(3)));
        assert_eq!(state.len(), 2);
        state.pause();
        assert_eq!(state.len(), 3);
    }

    #[test]
    fn seconds_are_counted_and_forgotten() {
        let mut state = State::new(Timestamp::from_parts(100, 0), false);
        state.take(&report(samples::expired(0)));
        state.tick(Timestamp::from_parts(103, 0), Gauges { frames: 30, ..Gauges::default() });
        assert_eq!(state.seconds.iter().map(|second| second.failed).collect::<Vec<_>>(), [1, 0, 0, 0]);
        assert_eq!(state.packet_rate, 10);
        state.tick(Timestamp::from_parts(100_000, 0), Gauges::default());
        assert_eq!(state.seconds.len(), 240);
        // A clock that steps back does no harm.
        state.tick(Timestamp::from_parts(5, 0), Gauges::default());
        state.take(&report(samples::expired(1)));
    }
}
