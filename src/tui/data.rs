//! What the view keeps to show: incidents, the latest handshakes, and servers, names, clients and processes. All of it can be frozen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::counts::{By, Groups};
use super::filter::Filter;
use crate::report::{Handshake, Id, Incident, Report};
use crate::time::Timestamp;

/// What lists are made of.
#[derive(Debug, Default, Clone)]
pub(super) struct Data {
    /// By id.
    pub(super) incidents: BTreeMap<String, Tracked>,
    /// Latest last.
    pub(super) rows: VecDeque<Row>,
    /// Those of them that are still under way.
    stalls: BTreeSet<Id>,
    /// By server, name, client, process.
    pub(super) groups: [Groups; By::ALL.len()],
}

/// A handshake that can be looked back at.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) report: Arc<Report>,
    /// The filter takes it.
    pub(super) taken: bool,
}

/// An incident as it was last told, and how its failures came.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) incident: Incident,
    /// Failures in each stretch of time, oldest first; the last one is under way.
    stretches: VecDeque<u64>,
    /// The running stretch, counted from the epoch.
    at: i64,
}

impl Row {
    pub(super) fn handshake(&self) -> Option<&Handshake<'static>> {
        handshake(&self.report)
    }
}

impl Tracked {
    /// Failures lately, oldest first: [`STRETCHES`] of ten seconds.
    pub(super) fn trend(&self, now: Timestamp) -> Vec<u64> {
        let mut lately = self.clone();
        lately.go_on(now);
        let lacking = STRETCHES.saturating_sub(lately.stretches.len());
        std::iter::repeat_n(0, lacking).chain(lately.stretches).collect()
    }

    fn go_on(&mut self, now: Timestamp) {
        let at = now.seconds().div_euclid(STRETCH);
        for _ in self.at.max(at - i64::try_from(STRETCHES).unwrap_or_default())..at {
            self.stretches.push_back(0);
            if self.stretches.len() > STRETCHES {
                self.stretches.pop_front();
            }
        }
        self.at = self.at.max(at);
    }
}

impl Data {
    /// Takes a handshake. What was told of it while it stalled gives way.
    pub(super) fn take(&mut self, report: &Arc<Report>, filter: &Filter) {
        let Some(one) = handshake(report) else { return };
        let id = one.handshake.id;
        let same = |row: &Row| row.handshake().is_some_and(|row| row.handshake.provisional && row.handshake.id == id);
        if self.stalls.remove(&id)
            && let Some(place) = self.rows.iter().position(same)
        {
            self.rows.remove(place);
        }
        if one.handshake.provisional {
            self.stalls.insert(id);
        }
        if self.rows.len() >= ROWS
            && let Some(gone) = self.rows.pop_front().as_ref().and_then(Row::handshake)
        {
            self.stalls.remove(&gone.handshake.id);
        }
        self.rows.push_back(Row { report: Arc::clone(report), taken: filter.takes(one) });
        if !one.handshake.provisional {
            for (by, groups) in By::ALL.into_iter().zip(&mut self.groups) {
                groups.take(by, one);
            }
        }
    }

    /// Takes an incident as it stands.
    pub(super) fn follow(&mut self, incident: &Incident, now: Timestamp) {
        if self.incidents.len() >= INCIDENTS
            && !self.incidents.contains_key(&incident.id)
            && let Some(quiet) = self.incidents.iter().min_by_key(|(_, tracked)| tracked.incident.last_seen).map(|(id, _)| id.clone())
        {
            self.incidents.remove(&quiet);
        }
        let tracked = self.incidents.entry(incident.id.clone()).or_insert_with(|| Tracked {
            incident: Incident { failed: 0, ..incident.clone() },
            stretches: VecDeque::from([0]),
            at: now.seconds().div_euclid(STRETCH),
        });
        tracked.go_on(now);
        if let Some(last) = tracked.stretches.back_mut() {
            *last += incident.failed.saturating_sub(tracked.incident.failed);
        }
        tracked.incident = incident.clone();
    }

    /// The filter has changed.
    pub(super) fn filter(&mut self, filter: &Filter) {
        for row in &mut self.rows {
            row.taken = row.handshake().is_some_and(|handshake| filter.takes(handshake));
        }
    }
}

/// The handshake in a report.
pub(super) fn handshake(report: &Report) -> Option<&Handshake<'static>> {
    match report {
        Report::Handshake(handshake) => Some(handshake),
        Report::Incident(_) | Report::Tally(_) | Report::Heartbeat(_) | Report::Summary(_) => None,
    }
}

/// Handshakes that can be looked back at.
const ROWS: usize = 5000;
/// Incidents kept; the quietest give way.
const INCIDENTS: usize = 1000;
/// Stretches of a trend, and the seconds of each: two minutes.
const STRETCHES: usize = 12;
const STRETCH: i64 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_flagged_stall_gives_way_to_its_end() {
        let mut data = Data::default();
        let mut stall = samples::expired(0);
        stall.handshake.provisional = true;
        let report = |handshake| Arc::new(Report::Handshake(Box::new(handshake)));
        data.take(&report(stall.clone()), &Filter::default());
        assert_eq!((data.rows.len(), data.groups[0].0.len()), (1, 0));
        let mut done = samples::completed();
        done.handshake.id = stall.handshake.id;
        data.take(&report(done), &Filter::default());
        assert_eq!((data.rows.len(), data.groups[0].0.len()), (1, 1));
    }

    #[test]
    fn a_trend_tells_when_failures_came() {
        let mut data = Data::default();
        let told = |data: &mut Data, failed, at| data.follow(&Incident { failed, ..samples::incident() }, Timestamp::from_parts(at, 0));
        told(&mut data, 2, 1_000);
        told(&mut data, 5, 1_009);
        told(&mut data, 6, 1_015);
        let tracked = data.incidents.values().next().unwrap();
        assert_eq!(tracked.trend(Timestamp::from_parts(1_031, 0)), [0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0]);
        assert_eq!(tracked.trend(Timestamp::from_parts(9_999, 0)), [0; 12]);
    }
}
