//! What is kept of the reports until the end, within bounds.

use std::collections::BTreeMap;

use super::escape::{clip, escape};
use super::view;
use crate::flow::Endpoint;
use crate::report::{Cause, Class, Classes, Handshake, Incident, Outcome, Severity, Summary};
use crate::time::{Timestamp, Zone};

/// What has been learnt so far.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// The zone whose days are counted.
    zone: Zone,
    /// Handshakes that did not simply complete, by class, cause and server; after [`Collected::sort`] in the order to show.
    pub(super) groups: Vec<Group>,
    index: BTreeMap<(Class, Option<Cause>, String, Option<Endpoint>), usize>,
    /// Handshakes of groups that there was no room for, by class.
    pub(super) beyond: BTreeMap<Class, u64>,
    /// Incidents; after [`Collected::sort`] the worst first.
    pub(super) incidents: Vec<Incident>,
    /// Incidents that there was no room for.
    pub(super) incidents_beyond: u64,
    /// Findings on completed handshakes.
    pub(super) notes: Vec<Note>,
    /// All handshakes.
    pub(super) classes: Classes,
    /// How those that failed ended.
    pub(super) endings: BTreeMap<&'static str, u64>,
    /// The end of the run.
    pub(super) summary: Option<Summary>,
    /// The first and the last day of what is shown, counted from the epoch.
    days: Option<(i64, i64)>,
}

/// Handshakes of one class, cause and server.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) class: Class,
    /// The one to show in full: the first of those that are the surest.
    pub(super) shown: Handshake<'static>,
    /// The first of the others.
    pub(super) others: Vec<Entry>,
    /// All of them.
    pub(super) count: u64,
    /// The incident that they are part of, by its place.
    pub(super) incident: Option<usize>,
    /// Name and port where a name is known: several addresses behind a name are one service.
    service: String,
}

/// A handshake that is shown on one line.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) start: Timestamp,
    pub(super) client: Endpoint,
    pub(super) server: String,
    pub(super) ending: String,
    pub(super) frames: String,
}

/// A finding on completed handshakes with one server.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) cause: Cause,
    pub(super) severity: Severity,
    pub(super) text: String,
    pub(super) server: String,
    pub(super) frame: Option<String>,
    pub(super) count: u64,
}

impl Collected {
    /// Nothing yet; days are those of this zone.
    pub(super) fn in_zone(zone: Zone) -> Self {
        Self { zone, ..Self::default() }
    }

    /// Takes a handshake.
    pub(super) fn handshake(&mut self, report: &Handshake<'_>) {
        let class = report.class();
        self.classes.add(class);
        if matches!(class, Class::Completed | Class::Rejected | Class::Troubled) {
            self.note(report);
        }
        if class == Class::Failed {
            count_one(self.endings.entry(report.handshake.outcome.name()).or_default());
        }
        if class == Class::Completed {
            return;
        }
        self.date(report.handshake.start);
        // What the capture is missing has nothing to do with the server.
        let (service, server) = if class == Class::Undecided { (String::new(), None) } else { (service(report), Some(report.server)) };
        let key = (class, report.diagnosis.cause, service.clone(), server);
        if let Some(group) = self.index.get(&key).and_then(|&place| self.groups.get_mut(place)) {
            count_one(&mut group.count);
            let surer = report.diagnosis.confidence > group.shown.diagnosis.confidence;
            if group.others.len() < OTHERS {
                group.others.push(if surer { Entry::of(&group.shown) } else { Entry::of(report) });
            }
            if surer {
                group.shown = slim(report);
            }
        } else if self.groups.len() < GROUPS {
            self.index.insert(key, self.groups.len());
            self.groups.push(Group { class, shown: slim(report), others: Vec::new(), count: 1, incident: None, service });
        } else {
            count_one(self.beyond.entry(class).or_default());
        }
    }

    /// Takes an incident. That of a single handshake is told by the handshake itself.
    pub(super) fn incident(&mut self, incident: &Incident) {
        if incident.failed < 2 {
            return;
        }
        if self.incidents.len() < INCIDENTS {
            self.date(incident.first_seen);
            self.date(incident.last_seen);
            self.incidents.push(incident.clone());
        } else {
            count_one(&mut self.incidents_beyond);
        }
    }

    /// Puts the worst first: what failed before what is merely slow, and more often before less often. Called once, at the end.
    pub(super) fn sort(&mut self) {
        self.index.clear();
        self.incidents.sort_by(|a, b| b.failed.cmp(&a.failed).then(a.first_seen.cmp(&b.first_seen)).then(a.id.cmp(&b.id)));
        self.join();
        // They came in the order in which they ended.
        self.groups.iter_mut().for_each(|group| group.others.sort_by_key(|other| other.start));
        self.groups.sort_by(|a, b| a.class.cmp(&b.class).then(b.count.cmp(&a.count)));
        self.notes.sort_by_key(|note| (note.severity, std::cmp::Reverse(note.count)));
    }

    /// Finds the incident of each group, and makes one of those that differ by the server's address alone.
    fn join(&mut self) {
        let mut joined: Vec<Group> = Vec::with_capacity(self.groups.len());
        let mut places = BTreeMap::new();
        for mut group in std::mem::take(&mut self.groups) {
            group.incident = self.incidents.iter().position(|incident| is_part_of(&group.shown, incident));
            let key = (group.class, group.shown.diagnosis.cause, group.service.clone(), group.incident);
            let place = *places.entry(key).or_insert(joined.len());
            match joined.get_mut(place) {
                Some(same) => same.absorb(group),
                None => joined.push(group),
            }
        }
        self.groups = joined;
    }

    /// Causes of handshakes of one class with how often each was counted, the most frequent first.
    pub(super) fn causes(&self, class: Class) -> Vec<(&'static str, u64)> {
        let mut causes = BTreeMap::new();
        for group in self.groups.iter().filter(|group| group.class == class) {
            let count = causes.entry(view::cause(&group.shown)).or_default();
            *count = group.count.saturating_add(*count);
        }
        view::ranked(&causes)
    }

    /// The groups of an incident, the largest of the gravest class first.
    pub(super) fn of_incident(&self, place: usize) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(move |group| group.incident == Some(place))
    }

    /// The zone whose days are counted.
    pub(super) const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether what is shown spreads over more than one day.
    pub(super) fn several_days(&self) -> bool {
        self.days.is_some_and(|(first, last)| first != last)
    }

    fn note(&mut self, report: &Handshake<'_>) {
        for finding in report.diagnosis.findings.iter() {
            let cause = finding.cause;
            if Some(cause) == report.diagnosis.cause {
                continue;
            }
            let server = short(&view::server(report));
            if let Some(note) = self.notes.iter_mut().find(|note| note.cause == cause && note.server == server) {
                count_one(&mut note.count);
            } else if self.notes.len() < NOTES {
                self.notes.push(Note {
                    cause,
                    severity: Severity::of(finding, Outcome::Completed),
                    text: short(&finding.summary),
                    server,
                    frame: finding.evidence.iter().find_map(|piece| piece.mark).map(|mark| view::frame(report, mark.frame)),
                    count: 1,
                });
            }
        }
    }

    fn date(&mut self, at: Timestamp) {
        let day = self.zone.day(at);
        let (first, last) = self.days.unwrap_or((day, day));
        self.days = Some((first.min(day), last.max(day)));
    }
}

impl Group {
    /// Takes the handshakes of another.
    fn absorb(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        let surer = other.shown.diagnosis.confidence > self.shown.diagnosis.confidence;
        let (shown, rest) = if surer { (other.shown, Entry::of(&self.shown)) } else { (self.shown.clone(), Entry::of(&other.shown)) };
        self.shown = shown;
        self.others.push(rest);
        self.others.extend(other.others);
        self.others.sort_by_key(|other| other.start);
        self.others.truncate(OTHERS);
    }
}

/// An incident is of one server and one name.
fn is_part_of(report: &Handshake<'_>, incident: &Incident) -> bool {
    report.diagnosis.cause.is_some_and(|cause| incident.cause == cause || incident.joined.contains(&cause))
        && incident.servers.contains(&report.server)
        && incident.server_name.as_deref() == report.server_name()
}

impl Entry {
    fn of(report: &Handshake<'_>) -> Self {
        Self {
            start: report.handshake.start,
            client: report.client,
            server: if report.class() == Class::Undecided { short(&view::server(report)) } else { report.server.to_string() },
            ending: view::ending(report),
            frames: view::frames(report),
        }
    }
}

fn count_one(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// See [`Group::service`].
fn service(report: &Handshake<'_>) -> String {
    let port = report.server.port;
    match report.server_name() {
        Some(name) => short(&format!("{} {port}", name.to_ascii_lowercase())),
        None => format!("{} {port}", report.server.host()),
    }
}

/// A copy that is bounded in size, without what this view never shows.
fn slim(report: &Handshake<'_>) -> Handshake<'static> {
    let mut report = report.to_static();
    if let Some(tls) = &mut report.tls {
        if let Some(server) = &mut tls.server {
            server.certificates.clear();
        }
        if let Some(client) = &mut tls.client {
            client.certificates.clear();
            if let Some(name) = &mut client.server_name {
                *name = short(name).into();
            }
        }
    }
    report
}

fn short(text: &str) -> String {
    clip(&escape(text), LONGEST_TEXT).into_owned()
}

/// Groups kept: the screen shows some twenty, `--all` all of these.
const GROUPS: usize = 1_000;
/// Further handshakes of a group kept and listed; with `--all` each has its line besides.
const OTHERS: usize = 10;
/// Incidents kept.
const INCIDENTS: usize = 200;
/// Findings on completed handshakes kept; they are looked through for each handshake that has one.
const NOTES: usize = 100;
/// Columns of a name kept.
const LONGEST_TEXT: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Confidence, samples};

    #[test]
    fn the_surest_of_a_group_is_shown_and_the_others_kept() {
        let mut collected = Collected::default();
        let mut unsure = samples::expired(0);
        unsure.diagnosis.confidence = Some(Confidence::Likely);
        collected.handshake(&unsure);
        collected.handshake(&samples::expired(1));
        collected.handshake(&samples::expired(2));
        assert_eq!(collected.groups.len(), 1);
        let group = &collected.groups[0];
        assert_eq!((group.shown.client.port, group.count), (40_113, 3));
        assert_eq!(group.others.iter().map(|entry| entry.client.to_string()).collect::<Vec<_>>(), ["10.0.0.1:40112", "10.0.0.1:40114"]);
    }

    #[test]
    fn memory_is_bounded_and_nothing_goes_uncounted() {
        let mut collected = Collected::default();
        for n in 0..1_500 {
            collected.handshake(&samples::named(&format!("host{n}.test")));
        }
        assert_eq!((collected.groups.len(), collected.beyond[&Class::Failed]), (GROUPS, 500));
        for _ in 0..12_000 {
            collected.handshake(&samples::named("host0.test"));
        }
        assert_eq!((collected.groups[0].others.len(), collected.groups[0].count), (OTHERS, 12_001));
        assert_eq!(collected.classes.of(Class::Failed), 13_500);
    }

    #[test]
    fn a_group_finds_its_incident() {
        let mut collected = Collected::default();
        collected.incident(&samples::incident());
        collected.handshake(&samples::expired(3));
        collected.handshake(&samples::refused());
        let mut single = samples::incident();
        (single.cause, single.failed, single.servers) = (Cause::TcpRefused, 1, vec![samples::refused().server]);
        collected.incident(&single);
        collected.sort();
        let found: Vec<_> = collected.groups.iter().map(|group| (group.shown.diagnosis.cause.unwrap(), group.incident)).collect();
        assert_eq!(found, [(Cause::CertificateExpired, Some(0)), (Cause::TcpRefused, None)], "one handshake is told by itself");
        assert_eq!(collected.of_incident(0).count(), 1);
    }

    #[test]
    fn addresses_of_one_name_are_one_group_unless_one_of_them_has_an_incident() {
        let at = |address: &str| {
            let mut report = samples::expired(1);
            report.server = samples::endpoint(address);
            report
        };
        let groups = |incidents: &[Incident]| {
            let mut collected = Collected::default();
            for address in ["10.0.0.2:443", "10.0.0.3:443", "10.0.0.4:443"] {
                collected.handshake(&at(address));
            }
            for incident in incidents {
                collected.incident(incident);
            }
            collected.sort();
            collected.groups.iter().map(|group| (group.count, group.incident, group.others.len())).collect::<Vec<_>>()
        };
        assert_eq!(groups(&[]), [(3, None, 2)]);
        assert_eq!(groups(&[samples::incident()]), [(2, None, 1), (1, Some(0), 0)]);
    }
}
