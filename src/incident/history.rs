//! What servers and names went through, as far as incidents need it, in memory that does not grow with the run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::{Equivalent, HashMap};

use crate::flow::{Endpoint, Transport};
use crate::handshake::facts::Outcome;
use crate::site::Site;
use crate::time::Timestamp;

use super::observation::{Leaf, Observation};

/// Clients told apart.
pub(super) const CLIENTS_COUNTED: usize = 4096;

/// Where handshakes belong together: one server of one site over one transport, one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Group {
    pub(super) site: Site,
    pub(super) transport: Transport,
    pub(super) server: Endpoint,
    pub(super) name: Option<String>,
}

impl Group {
    pub(super) fn of(seen: &Observation<'_>) -> Self {
        Self { site: seen.site, transport: seen.transport, server: seen.server, name: seen.name.map(str::to_owned) }
    }
}

/// A group to look for, without a copy of its name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct GroupKey<'a> {
    site: Site,
    transport: Transport,
    server: Endpoint,
    name: Option<&'a str>,
}

impl Equivalent<Group> for GroupKey<'_> {
    fn equivalent(&self, group: &Group) -> bool {
        self.site == group.site && self.transport == group.transport && self.server == group.server && self.name == group.name.as_deref()
    }
}

/// A certificate: serial number, issuer, end of its validity.
type Served = (String, String, Timestamp);

/// What one handshake shows of a server that could change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    certificate: Option<Served>,
    ttl: Option<u8>,
}

/// What a server is known to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Face {
    certificate: Option<Served>,
    ttl: Option<u8>,
    /// When it was seen last.
    until: Timestamp,
}

/// A handshake that began.
#[derive(Debug, Clone, Copy)]
struct Start {
    at: Timestamp,
    /// What the server showed, by its place in [`Watched::shown`]; [`TOLD`] where it is among the faces.
    shown: u8,
}

/// What one group went through. Verdicts may come late and out of order; what is known at once is kept by time.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Handshakes that began here, in no particular order, up to the share of [`STARTS`].
    starts: Vec<Start>,
    /// What the server showed in any of those.
    shown: Vec<Shown>,
    /// The first that completed.
    pub(super) first_completed: Option<Timestamp>,
    /// Clients that completed here, and when they last did.
    pub(super) happy: HashMap<IpAddr, Timestamp, RandomState>,
    /// What the server showed before those, each time it changed.
    faces: Vec<(Timestamp, Face)>,
    /// The latest handshake's begin.
    last: Timestamp,
}

/// All groups.
#[derive(Debug)]
pub(super) struct History {
    groups: HashMap<Group, Watched, RandomState>,
    /// Starts that may be kept.
    most: usize,
    /// Starts and clients kept over all groups.
    starts: usize,
    happy: usize,
    /// Scopes that were forgotten to make room for others.
    pub(super) forgotten: u64,
}

impl Default for History {
    fn default() -> Self {
        Self::bounded(STARTS)
    }
}

impl History {
    /// Nothing yet; so many starts may be kept.
    pub(super) fn bounded(most: usize) -> Self {
        Self { groups: HashMap::default(), most, starts: 0, happy: 0, forgotten: 0 }
    }

    pub(super) fn of(&self, group: &Group) -> Option<&Watched> {
        self.groups.get(group)
    }

    /// What its server went through under whatever name.
    pub(super) fn at_server<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Watched> {
        let here = |other: &Group| (other.site, other.transport, other.server) == (group.site, group.transport, group.server);
        self.groups.iter().filter(move |(other, _)| here(other)).map(|(_, watched)| watched)
    }

    /// One more group could not be watched without forgetting others.
    pub(super) fn is_full_for(&self, group: &Group) -> bool {
        self.groups.len() >= GROUPS && !self.groups.contains_key(group)
    }

    /// More starts or clients could not be kept without forgetting others.
    pub(super) const fn is_crowded(&self) -> bool {
        self.starts >= self.most || self.happy >= HAPPY
    }

    /// Takes a handshake. `ages`: what is old may give way to what is new.
    pub(super) fn attempt(&mut self, seen: &Observation<'_>, ages: bool) {
        let key = GroupKey { site: seen.site, transport: seen.transport, server: seen.server, name: seen.name };
        let full = self.groups.len() >= GROUPS;
        let watched = match self.groups.get_mut(&key) {
            Some(watched) => watched,
            None if full => return,
            None => self.groups.entry(Group::of(seen)).or_default(),
        };
        let at = seen.start;
        watched.last = watched.last.max(at);
        if self.starts < self.most {
            let shown = watched.place(seen);
            watched.starts.push(Start { at, shown });
            self.starts += 1;
        } else {
            watched.settle(Timestamp::MAX, ages);
            turn(&mut watched.faces, at, &Shown::by(seen), ages);
        }
        if seen.outcome == Outcome::Completed {
            watched.first_completed = Some(watched.first_completed.map_or(at, |first| first.min(at)));
            if let Some(last) = watched.happy.get_mut(&seen.client) {
                *last = at.max(*last);
            } else if watched.happy.len() < CLIENTS_COUNTED && self.happy < HAPPY {
                watched.happy.insert(seen.client, at);
                self.happy += 1;
            }
        }
    }

    /// Forgets the groups that were quiet for longest, a quarter of all, so that it is not done for each new one. What is `needed` stays.
    pub(super) fn forget_quiet(&mut self, needed: impl Fn(&Group) -> bool) {
        let mut quiet: Vec<(Timestamp, Group)> =
            self.groups.iter().filter(|(group, _)| !needed(group)).map(|(group, watched)| (watched.last, group.clone())).collect();
        quiet.sort();
        for (_, group) in quiet.into_iter().take(GROUPS / 4) {
            if let Some(watched) = self.groups.remove(&group) {
                self.starts = self.starts.saturating_sub(watched.starts.len());
                self.happy = self.happy.saturating_sub(watched.happy.len());
                self.forgotten += 1;
            }
        }
    }

    /// Forgets starts up to a moment that each group has, and, where that is not enough, the clients of groups that no incident needs.
    pub(super) fn thin(&mut self, upto: impl Fn(&Group) -> (Timestamp, bool)) {
        let crowd = self.happy >= HAPPY;
        self.groups.iter_mut().for_each(|(group, watched)| {
            let (moment, needed) = upto(group);
            let before = watched.starts.len();
            watched.settle(moment, true);
            watched.starts.retain(|start| start.at > moment);
            self.starts = self.starts.saturating_sub(before - watched.starts.len());
            if crowd && !needed {
                self.happy = self.happy.saturating_sub(watched.happy.len());
                watched.happy.clear();
            }
        });
    }
}

impl Watched {
    /// Handshakes that began within this span and are still known one by one.
    pub(super) fn begun(&self, first: Timestamp, last: Timestamp) -> u64 {
        self.starts.iter().filter(|start| (first..=last).contains(&start.at)).count() as u64
    }

    /// What the server showed anew around the time when an incident began.
    pub(super) fn changes(&self, first: Timestamp) -> Vec<String> {
        changes(&self.faces(), first)
    }

    /// Certificates come and go in turn: several machines answer at this address, and nothing changed in time.
    pub(super) fn alternates(&self) -> bool {
        alternating(&self.faces()).is_some()
    }

    /// The place of what a handshake shows among all that was shown.
    fn place(&mut self, seen: &Observation<'_>) -> u8 {
        let place = match self.shown.iter().position(|known| known.is_that_of(seen)) {
            Some(place) => place,
            None if self.shown.len() < FACES => {
                self.shown.push(Shown::by(seen));
                self.shown.len() - 1
            }
            None => FACES,
        };
        u8::try_from(place).unwrap_or(TOLD)
    }

    /// What the server showed, each time it changed, in the order in which the handshakes began.
    fn faces(&self) -> Cow<'_, [(Timestamp, Face)]> {
        let several_certificates = self.shown.iter().filter_map(|shown| shown.certificate.as_ref()).collect::<BTreeSet<_>>().len() > 1;
        let several_ttls = self.shown.iter().filter_map(|shown| shown.ttl).collect::<BTreeSet<_>>().len() > 1;
        if self.faces.is_empty() && !several_certificates && !several_ttls {
            // Nothing changed.
            return Cow::Borrowed(&self.faces);
        }
        let mut faces = self.faces.clone();
        self.turn_to(&mut faces, Timestamp::MAX, false);
        Cow::Owned(faces)
    }

    /// Adds what was shown up to a moment.
    fn turn_to(&self, faces: &mut Vec<(Timestamp, Face)>, upto: Timestamp, ages: bool) {
        let starts = self.starts.iter().filter(|start| start.at <= upto);
        let mut all: Vec<(Timestamp, &Shown)> =
            starts.filter_map(|start| Some((start.at, self.shown.get(usize::from(start.shown))?))).collect();
        all.sort_unstable();
        for (at, shown) in all {
            turn(faces, at, shown, ages);
        }
    }

    /// Puts what was shown up to a moment among the faces.
    fn settle(&mut self, upto: Timestamp, ages: bool) {
        if self.shown.is_empty() {
            return;
        }
        let mut faces = std::mem::take(&mut self.faces);
        self.turn_to(&mut faces, upto, ages);
        self.faces = faces;
        // What none of the rest showed makes room.
        let before = std::mem::take(&mut self.shown);
        for start in &mut self.starts {
            let shown = before.get(usize::from(start.shown)).filter(|_| start.at > upto);
            start.shown = shown.map_or(TOLD, |shown| {
                let place = self.shown.iter().position(|known| known == shown).unwrap_or_else(|| {
                    self.shown.push(shown.clone());
                    self.shown.len() - 1
                });
                u8::try_from(place).unwrap_or(TOLD)
            });
        }
    }
}

/// Adds what a handshake shows to the faces, which are in order.
fn turn(faces: &mut Vec<(Timestamp, Face)>, at: Timestamp, shown: &Shown, ages: bool) {
    let before = faces.last_mut().map(|(_, face)| face);
    if before.as_ref().map_or_else(|| Face::default().is_that_of(shown), |face| face.is_that_of(shown)) {
        if let Some(face) = before {
            face.until = face.until.max(at);
        }
        return;
    }
    let now = before.cloned().unwrap_or_default().updated(shown, at);
    if ages && faces.len() >= FACES {
        faces.remove(0);
    }
    if faces.len() < FACES {
        faces.push((at, now));
    }
}

/// What the server showed anew around the time when it began, the nearest change first told; clients that do not mind may have met it before
/// the first that did.
fn changes(faces: &[(Timestamp, Face)], first: Timestamp) -> Vec<String> {
    if let Some((one, other)) = alternating(faces) {
        return vec![format!(
            "apparently nothing: the certificates with serial {one} and {other} are served in turn, as by several machines at one address"
        )];
    }
    let near = |at: Timestamp| first.since(at) <= CHANGE_BEFORE && at.since(first) <= CHANGE_AFTER;
    let pairs = faces.iter().zip(faces.iter().skip(1)).filter(|(_, (at, _))| near(*at));
    let nearest = pairs.min_by_key(|(_, (at, _))| at.apart(first));
    nearest.map(|((_, before), (at, after))| before.changes_to(after, *at)).unwrap_or_default()
}

/// The serials of two certificates that are served in turn: the first was still seen when the second had been there for half of its time, so that
/// it was not replaced by it.
fn alternating(faces: &[(Timestamp, Face)]) -> Option<(&str, &str)> {
    let mut shown = faces.iter().filter_map(|(first, face)| Some((first, face.until, face.certificate.as_ref()?.0.as_str())));
    let (mut until, mut serial) = shown.next().map(|(_, until, serial)| (until, serial))?;
    for (first, last, other) in shown {
        let half = first.after(last.since(*first) / 2);
        if other != serial && until > half {
            return Some((serial, other));
        }
        (until, serial) = (until.max(last), other);
    }
    None
}

impl Shown {
    fn by(seen: &Observation<'_>) -> Self {
        let certificate = seen.leaf.map(|leaf| (leaf.serial.to_owned(), leaf.issuer.to_owned(), leaf.not_after));
        Self { certificate, ttl: seen.ttl }
    }

    fn is_that_of(&self, seen: &Observation<'_>) -> bool {
        let certificate = self.certificate.as_ref();
        let known = certificate.map(|(serial, issuer, not_after)| Leaf { serial, issuer, not_after: *not_after });
        known == seen.leaf && self.ttl == seen.ttl
    }
}

impl Face {
    /// A handshake shows nothing else.
    fn is_that_of(&self, shown: &Shown) -> bool {
        (shown.certificate.is_none() || shown.certificate == self.certificate) && (shown.ttl.is_none() || shown.ttl == self.ttl)
    }

    /// This face with what a handshake shows of the server; what it does not show stays.
    fn updated(self, shown: &Shown, at: Timestamp) -> Self {
        let Shown { certificate, ttl } = shown;
        Self { certificate: certificate.clone().or(self.certificate), ttl: ttl.or(self.ttl), until: at }
    }

    /// What is different now, in words.
    fn changes_to(&self, now: &Self, at: Timestamp) -> Vec<String> {
        let mut changes = Vec::new();
        if let (Some((old, old_issuer, _)), Some((new, new_issuer, until))) = (&self.certificate, &now.certificate)
            && old != new
        {
            changes.push(format!(
                "at {} the certificate changed from serial {old} to serial {new} (valid until {})",
                at.to_second(),
                until.to_second()
            ));
            if old_issuer != new_issuer {
                changes.push(format!("its issuer changed from {old_issuer} to {new_issuer}"));
            }
        }
        if let (Some(old), Some(new)) = (self.ttl, now.ttl)
            && old != new
        {
            changes
                .push(format!("packets from the server arrive with TTL {new} instead of {old}: another path or another machine answers"));
        }
        changes
    }
}

/// Servers and names watched.
const GROUPS: usize = 4096;
/// Handshakes whose time is kept, over all servers.
const STARTS: usize = 1 << 20;
/// Clients that completed, over all servers.
const HAPPY: usize = 1 << 18;
/// Changes of a server kept, and different things that it showed.
const FACES: usize = 64;
/// See [`Start::shown`].
const TOLD: u8 = u8::MAX;
/// A change this long before an incident began may belong to it.
const CHANGE_BEFORE: Duration = Duration::from_secs(15 * 60);
/// A change this soon after it began may.
const CHANGE_AFTER: Duration = Duration::from_secs(60);
