//! Watches verdicts go by and forms incidents of those that belong together, in memory that does not grow with the capture.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::judge::Verdict;
use crate::diagnosis::remedy::Advice;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::report::{self, Id, State};
use crate::time::Timestamp;
use crate::wording::counted;

use super::fallback::{Blocked, Fallbacks};
use super::history::{CLIENTS_COUNTED, Group, History, Watched};

/// Incidents kept.
const INCIDENTS: usize = 1024;
/// Clients named in an incident; beyond it they are counted up to [`CLIENTS_COUNTED`].
const CLIENTS_NAMED: usize = 10;
/// Handshakes named.
const HANDSHAKES_NAMED: usize = 10;
/// Failures further apart than this are two incidents.
const QUIET: Duration = Duration::from_secs(3600);
/// The same where someone watches: an incident is over after so much quiet.
const LIVE_QUIET: Duration = Duration::from_secs(15 * 60);
/// How often it is looked at which incidents are to be told.
const LOOK: Duration = Duration::from_secs(1);
/// An incident is told again when it has so many times the failures that it had when it was last told.
const GROWTH: u64 = 2;
/// Verdicts are not late by more than this where someone watches.
const LATE: Duration = Duration::from_secs(60);
/// How often what is old is forgotten at most.
const FORGET: Duration = Duration::from_secs(30);
/// Failures that make an incident.
const LEAST: u64 = 2;
/// One of so many handshakes fails at any busy server.
const SELDOM: u64 = 200;
/// The time before and after an incident that tells how busy its server is.
const AROUND: Duration = Duration::from_secs(60);
/// So many failures of clients that never succeed are no chance, however many others do meanwhile.
const AGAIN: u64 = 5;
/// So many failures for one reason are an incident whatever went well meanwhile.
const MANY: u64 = 50;

#[derive(Debug)]
struct Incident {
    group: Group,
    cause: Cause,
    /// Causes of those whose reason is hidden that are counted here.
    joined: BTreeSet<Cause>,
    first: Timestamp,
    last: Timestamp,
    failed: u64,
    /// Of those, how many completed all the same, only not well.
    completed: u64,
    clients: BTreeSet<IpAddr>,
    confidence: Confidence,
    summary: String,
    remedy: Vec<Advice>,
    handshakes: Vec<Id>,
    /// Attempts over QUIC that were blocked, up to [`HANDSHAKES_NAMED`].
    blocked: Vec<Blocked>,
    /// How many of those went on over TCP.
    fell_back: u64,
    /// Handshakes of its group from its first failure on that are not known one by one any more.
    counted: u64,
    /// Failures as last told while it lasted.
    told: Option<u64>,
    /// Failures as last shown to who follows it.
    shown: u64,
}

/// Forms incidents.
#[derive(Debug, Default)]
pub struct Tracker {
    history: History,
    open: BTreeMap<(Group, Cause), Incident>,
    closed: Vec<Incident>,
    fallbacks: Fallbacks,
    /// Someone watches: incidents are told while they last, and forgotten when they are over.
    live: bool,
    looked: Timestamp,
    forgot: Timestamp,
    /// Incidents that were told and are over.
    ended: u64,
    /// Failures beyond the bound of incidents.
    overlooked: u64,
}

impl Tracker {
    /// Forms incidents of a live capture: see [`Tracker::news`].
    pub fn live() -> Self {
        Self { live: true, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn live_with(starts: usize) -> Self {
        Self { history: History::bounded(starts), ..Self::live() }
    }

    /// Takes a handshake with the name asked for as soon as it has closed, whatever became of it.
    pub fn attempt(&mut self, handshake: &Handshake, name: Option<&str>) {
        if self.live {
            let now = handshake.flow.first.time;
            if self.history.is_crowded() && now.since(self.forgot) >= FORGET {
                self.forgot = now;
                self.thin(now);
            }
            if self.history.is_full_for(&Group::of(handshake)) {
                let open: BTreeSet<&Group> = self.open.keys().map(|(group, _)| group).collect();
                self.history.forget_quiet(|group| open.contains(group));
            }
        }
        self.history.attempt(handshake, name, self.live);
    }

    /// Takes a verdict, in the order in which they are reported. `id` is the report's.
    pub fn observe(&mut self, handshake: &Handshake, verdict: &Verdict, id: Id) {
        self.fallbacks.note(handshake, id, self.live);
        let Some(finding) = verdict.cause.as_ref().filter(|finding| counts(finding.cause, verdict.outcome)) else { return };
        let group = Group::of(handshake);
        let at = handshake.flow.first.time;
        let key = (group, finding.cause);
        if let Some(incident) = self.open.get(&key)
            && at.since(incident.last) > self.quiet()
            && let Some(incident) = self.open.remove(&key)
        {
            self.closed.push(incident);
        }
        if self.open.len() + self.closed.len() >= INCIDENTS && !self.open.contains_key(&key) && !self.forget_single() {
            self.overlooked += 1;
            return;
        }
        let incident = self.open.entry(key).or_insert_with_key(|(group, cause)| Incident {
            group: group.clone(),
            cause: *cause,
            joined: BTreeSet::new(),
            first: at,
            last: at,
            failed: 0,
            completed: 0,
            clients: BTreeSet::new(),
            confidence: finding.confidence,
            summary: finding.summary.clone(),
            remedy: finding.remedy.clone(),
            handshakes: Vec::new(),
            blocked: Vec::new(),
            fell_back: 0,
            counted: 0,
            told: None,
            shown: 0,
        });
        incident.failed += 1;
        incident.completed += u64::from(verdict.outcome == Outcome::Completed);
        incident.first = incident.first.min(at);
        incident.last = incident.last.max(at);
        if incident.clients.len() < CLIENTS_COUNTED {
            incident.clients.insert(handshake.client.address);
        }
        if incident.handshakes.len() < HANDSHAKES_NAMED {
            incident.handshakes.push(id);
        }
        if finding.cause == Cause::QuicBlocked && incident.blocked.len() < HANDSHAKES_NAMED {
            incident.blocked.push(Blocked::new(handshake));
        }
        // The surest of its handshakes speaks for the incident.
        if finding.confidence > incident.confidence {
            incident.confidence = finding.confidence;
            incident.summary.clone_from(&finding.summary);
            incident.remedy.clone_from(&finding.remedy);
        }
    }

    /// What there is to tell at this moment of a live capture: incidents that begin, that have grown much since they were last told, and that are
    /// over. Those are forgotten.
    pub fn news(&mut self, now: Timestamp) -> Vec<report::Incident> {
        if !self.live || now.since(self.looked) < LOOK {
            return Vec::new();
        }
        self.looked = now;
        self.merge_open();
        let quiet = self.quiet();
        let over: Vec<_> = self.open.iter().filter(|(_, incident)| now.since(incident.last) > quiet).map(|(key, _)| key.clone()).collect();
        self.closed.extend(over.iter().filter_map(|key| self.open.remove(key)));
        let mut closed = std::mem::take(&mut self.closed);
        closed.retain(|incident| incident.told.is_some() || incident.is_one() && self.weighs(incident));
        self.ended += closed.len() as u64;
        let mut news: Vec<report::Incident> = closed.iter().map(|incident| self.report(incident, Some(State::Ended))).collect();
        let mut told = Vec::new();
        for (key, incident) in &mut self.open {
            incident.link(&self.fallbacks);
            if incident.is_one() && incident.told.is_none_or(|failed| incident.failed >= failed.saturating_mul(GROWTH)) {
                told.push(key.clone());
            }
        }
        for key in told {
            let Some(incident) = self.open.get(&key).filter(|incident| incident.told.is_some() || self.weighs(incident)) else { continue };
            let state = if incident.told.is_none() { State::Begun } else { State::Growing };
            let report = self.report(incident, Some(state));
            if let Some(incident) = self.open.get_mut(&key) {
                incident.told = Some(incident.failed);
            }
            news.push(report);
        }
        news
    }

    /// Incidents that were told and last, as they stand now, where they grew since they were last asked for.
    pub fn ongoing(&mut self) -> Vec<report::Incident> {
        let grown = |incident: &Incident| incident.told.is_some() && incident.failed > incident.shown;
        let grown: Vec<_> = self.open.iter().filter(|(_, incident)| grown(incident)).map(|(key, _)| key.clone()).collect();
        let mut out = Vec::new();
        for key in grown {
            let Some(incident) = self.open.get_mut(&key) else { continue };
            incident.shown = incident.failed;
            out.extend(self.open.get(&key).map(|incident| self.report(incident, Some(State::Growing))));
        }
        out
    }

    /// Incidents that were told and are over.
    pub const fn ended(&self) -> u64 {
        self.ended
    }

    /// What a reader should know of the bounds that were hit.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.overlooked > 0 {
            notes
                .push(format!("{} failures belong to no incident: there were more than {INCIDENTS} incidents at a time.", self.overlooked));
        }
        if self.history.forgotten > 0 {
            notes.push(format!(
                "The history of {} quiet servers and names was dropped to stay within the memory limits; their incidents are counted from then on.",
                self.history.forgotten
            ));
        }
        notes
    }

    /// The capture is over: the incidents, worst first.
    pub fn finish(&mut self) -> Vec<report::Incident> {
        let mut incidents = std::mem::take(&mut self.closed);
        incidents.extend(std::mem::take(&mut self.open).into_values());
        let mut incidents = merge_hidden(incidents);
        for incident in &mut incidents {
            incident.link(&self.fallbacks);
        }
        incidents.retain(|incident| incident.is_one() && self.weighs(incident));
        incidents
            .sort_by(|a, b| b.failed.cmp(&a.failed).then(a.first.cmp(&b.first)).then(a.group.cmp(&b.group)).then(a.cause.cmp(&b.cause)));
        let state = self.live.then_some(State::Open);
        incidents.iter().map(|incident| self.report(incident, state)).collect()
    }

    /// It is more than what happens at a busy server at any time: often enough for the handshakes there were meanwhile, many, or always to the same
    /// clients.
    fn weighs(&self, incident: &Incident) -> bool {
        // Two that happen to follow each other closely say nothing about a rate.
        let (begin, end) = (incident.first.before(AROUND), incident.last.after(AROUND));
        let meanwhile = self.history.of(&incident.group).map_or(0, |watched| watched.begun(begin, end));
        let frequent = incident.failed.saturating_mul(SELDOM) >= incident.counted + meanwhile;
        let again = incident.failed >= AGAIN.max(incident.clients.len() as u64 * 2) && !self.any_happy(incident);
        frequent || incident.failed >= MANY || again || incident.fell_back > 0
    }

    /// All handshakes of an incident's group from its first failure to its last.
    fn attempts(&self, incident: &Incident) -> u64 {
        let within = self.history.of(&incident.group).map_or(0, |watched| watched.begun(incident.first, incident.last));
        (incident.counted + within).max(incident.failed)
    }

    /// Any of an incident's clients succeeded at some time.
    fn any_happy(&self, incident: &Incident) -> bool {
        let watched = self.history.of(&incident.group);
        watched.is_some_and(|watched| incident.clients.iter().any(|client| watched.happy.contains(client)))
    }

    const fn quiet(&self) -> Duration {
        if self.live { LIVE_QUIET } else { QUIET }
    }

    /// Makes room by forgetting the single failure that lies back furthest. False when there is none, or all will be told at the end.
    fn forget_single(&mut self) -> bool {
        let singles = self.open.iter().filter(|(_, incident)| self.live && !incident.is_one());
        let oldest = singles.min_by_key(|(_, incident)| incident.last).map(|(key, _)| key.clone());
        oldest.is_some_and(|key| self.open.remove(&key).is_some())
    }

    /// Rejections whose reason is hidden join the incident whose reason is known, unless they were told on their own.
    fn merge_open(&mut self) {
        let vague: Vec<_> = self.open.iter().filter(|(_, incident)| incident.is_vague()).map(|(key, _)| key.clone()).collect();
        for key in vague {
            let Some(incident) = self.open.remove(&key) else { continue };
            let home = self.open.values_mut().find(|other| !other.is_hidden() && other.takes_in(&incident));
            match home {
                Some(other) => other.absorb(incident),
                None => drop(self.open.insert(key, incident)),
            }
        }
    }

    /// Forgets the starts of handshakes that no incident needs one by one any more.
    fn thin(&mut self, now: Timestamp) {
        let settled = now.before(LATE);
        let mut upto: BTreeMap<&Group, Timestamp> = BTreeMap::new();
        for ((group, _), incident) in &self.open {
            let moment = upto.entry(group).or_insert(settled);
            *moment = incident.last.min(*moment);
        }
        let upto: BTreeMap<Group, Timestamp> = upto.into_iter().map(|(group, moment)| (group.clone(), moment)).collect();
        for ((group, _), incident) in &mut self.open {
            if let (Some(watched), Some(moment)) = (self.history.of(group), upto.get(group)) {
                incident.counted += watched.begun(incident.first, *moment);
            }
        }
        self.history.thin(|group| upto.get(group).map_or((settled, false), |moment| (*moment, true)));
    }

    fn report(&self, incident: &Incident, state: Option<State>) -> report::Incident {
        let watched = self.history.of(&incident.group);
        let attempts = self.attempts(incident);
        let never = !self.any_happy(incident);
        let happy = watched.into_iter().flat_map(|watched| &watched.happy);
        let others = happy.filter(|client| !incident.clients.contains(client)).count();
        let by_client = never && others > 0 && incident.failed < attempts;
        // Whoever succeeds here in between as well met another of several machines, and not another time.
        let in_turn = watched.is_some_and(Watched::alternates) || !never && incident.failed < attempts;
        let worked_before = !in_turn && watched.and_then(|watched| watched.first_completed).is_some_and(|first| first < incident.first);
        let changes = watched.filter(|_| !by_client).map(|watched| watched.changes(incident.first)).unwrap_or_default();
        report::Incident {
            id: format!("{}-{}", incident.cause, incident.handshakes.first().map_or("", Id::as_str)),
            state,
            cause: incident.cause,
            joined: incident.joined.iter().copied().collect(),
            scope: if by_client || is_of_clients(incident.cause) { report::Scope::Client } else { report::Scope::Server },
            servers: vec![incident.group.server],
            server_name: incident.group.name.clone(),
            first_seen: incident.first,
            last_seen: incident.last,
            failed: incident.failed,
            completed: incident.completed,
            attempts,
            clients: incident.clients.iter().take(CLIENTS_NAMED).copied().collect(),
            clients_total: incident.clients.len() as u64,
            changes,
            confidence: incident.confidence,
            summary: summary(incident, attempts, by_client, others, worked_before),
            remedy: incident.remedy.clone(),
            handshakes: incident.handshakes.clone(),
        }
    }
}

impl Incident {
    /// Enough failed to speak of an incident.
    const fn is_one(&self) -> bool {
        self.failed >= LEAST || self.fell_back > 0
    }

    /// Its reason is hidden.
    const fn is_hidden(&self) -> bool {
        matches!(self.cause, Cause::ServerCertificateRejected | Cause::ClientAborted | Cause::HandshakeFailure)
    }

    /// Its reason is hidden, and it was not yet told.
    const fn is_vague(&self) -> bool {
        self.is_hidden() && self.told.is_none()
    }

    /// Whether one whose reason is hidden may well be this one: the same place and time.
    fn takes_in(&self, vague: &Self) -> bool {
        self.group == vague.group
            && (vague.cause != Cause::ServerCertificateRejected || self.cause.family() == Family::Certificate)
            && self.cause.family() != Family::Silence
            && vague.first <= self.last.after(Duration::from_secs(60))
            && self.first <= vague.last.after(Duration::from_secs(60))
    }

    fn absorb(&mut self, other: Self) {
        self.joined.insert(other.cause);
        self.failed += other.failed;
        self.completed += other.completed;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.clients.extend(other.clients);
    }

    /// Adds the connections over TCP that took the place of those over QUIC.
    fn link(&mut self, fallbacks: &Fallbacks) {
        let Self { group, blocked, fell_back, handshakes, .. } = self;
        blocked.retain(|blocked| {
            let Some(id) = fallbacks.of(blocked, &group.server, group.name.as_deref()) else { return true };
            *fell_back += 1;
            if handshakes.len() < 2 * HANDSHAKES_NAMED && !handshakes.contains(&id) {
                handshakes.push(id);
            }
            false
        });
    }
}

/// What only a client can do or leave undone.
const fn is_of_clients(cause: Cause) -> bool {
    matches!(cause, Cause::ClientSilent | Cause::ClientStalled | Cause::ClientAborted | Cause::UserCanceled | Cause::ClientSpeaksPlaintext)
}

/// Whether a cause makes incidents: what failed for its users, not probes, not the time that a client took for itself, not packets that were lost
/// and sent again, and not the capture's own shortcomings.
fn counts(cause: Cause, outcome: Outcome) -> bool {
    let lossy = cause == Cause::PacketLoss && outcome == Outcome::Completed;
    !lossy && !matches!(cause, Cause::TcpProbe | Cause::ClientSlow) && cause.family() != Family::Capture && outcome != Outcome::Incomplete
}

/// Rejections whose reason is hidden join the incident at the same server and name whose reason is known and which overlaps in time.
fn merge_hidden(incidents: Vec<Incident>) -> Vec<Incident> {
    let (vague, mut known): (Vec<_>, Vec<_>) = incidents.into_iter().partition(Incident::is_vague);
    for incident in vague {
        match known.iter_mut().find(|other| other.takes_in(&incident)) {
            Some(other) => other.absorb(incident),
            None => known.push(incident),
        }
    }
    known
}

fn summary(incident: &Incident, attempts: u64, by_client: bool, others: usize, worked_before: bool) -> String {
    let name = incident
        .group
        .name
        .as_ref()
        .map_or_else(|| incident.group.server.to_string(), |name| format!("{name} ({})", incident.group.server));
    let clients = incident.clients.len();
    let clients = counted(clients, "client", "clients");
    let whom = if by_client {
        format!("{clients}, none of which ever succeeds here, while {} did", counted(others, "other", "others"))
    } else {
        clients
    };
    let badly = incident.completed == incident.failed;
    let fate = if badly { "completed with problems" } else { "failed" };
    let since = if worked_before && !by_client && !badly { " It worked before." } else { "" };
    let fallback = match incident.fell_back {
        0 => "",
        _ => " The client went on over TCP.",
    };
    format!(
        "{} of {attempts} with {name} {fate} ({whom}).{since}{fallback} {}",
        incident.failed,
        incident.summary,
        attempts = counted(attempts, "handshake", "handshakes")
    )
}
