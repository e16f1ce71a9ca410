//! Watches verdicts go by and forms incidents of those that belong together, in memory that does not grow with the capture.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::remedy::Advice;
use crate::flow::Transport;
use crate::handshake::facts::Outcome;
use crate::report::{self, Id, State};
use crate::site::{Observer, Site};
use crate::time::Timestamp;
use crate::wording::counted;

use super::fallback::{Blocked, Fallbacks};
use super::history::{CLIENTS_COUNTED, Group, History, Watched};
use super::observation::{Judged, Observation};
use super::owners::Owners;

/// Incidents kept.
const INCIDENTS: usize = 1024;
/// Clients named in an incident; beyond it they are counted up to [`CLIENTS_COUNTED`].
const CLIENTS_NAMED: usize = 10;
/// Handshakes named.
const HANDSHAKES_NAMED: usize = 10;
/// Sensors named.
const SENSORS_NAMED: usize = 64;
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
    /// Who saw them, up to [`SENSORS_NAMED`].
    sensors: BTreeSet<Arc<str>>,
    owners: Owners,
    confidence: Confidence,
    /// The handshake that speaks for it.
    speaker: (Timestamp, Id),
    summary: String,
    remedy: Vec<Advice>,
    /// The first, by when they began.
    handshakes: BTreeSet<(Timestamp, Id)>,
    /// Connections over TCP that took the place of some.
    instead: Vec<Id>,
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
    /// The id under which it was told.
    id: Option<String>,
}

/// Forms incidents.
#[derive(Debug, Default)]
pub struct Tracker {
    /// Who sees what is taken.
    observer: Observer,
    history: History,
    open: BTreeMap<(Group, Cause), Incident>,
    /// Those that others of their place and cause followed later than [`QUIET`], or that are over and not yet told.
    closed: BTreeMap<(Group, Cause), Vec<Incident>>,
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
    /// Forms incidents of what this observer sees; with `live`, while they last: see [`Tracker::news`].
    pub fn new(observer: Observer, live: bool) -> Self {
        Self { observer, live, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn live_with(starts: usize) -> Self {
        Self { history: History::bounded(starts), ..Self::new(Observer::default(), true) }
    }

    /// Takes a handshake as soon as it has closed, whatever became of it.
    pub fn attempt(&mut self, seen: &Observation<'_>) {
        if self.live {
            let now = seen.start;
            if self.history.is_crowded() && now.since(self.forgot) >= FORGET {
                self.forgot = now;
                self.thin(now);
            }
            if self.history.is_full_for(&Group::of(seen)) {
                let open: BTreeSet<&Group> = self.open.keys().map(|(group, _)| group).collect();
                self.history.forget_quiet(|group| open.contains(group));
            }
        }
        self.history.attempt(seen, self.live);
    }

    /// Takes a verdict. The order in which they come does not matter but for when something is told.
    pub fn observe(&mut self, seen: &Observation<'_>, judged: &Judged<'_>) {
        self.fallbacks.note(seen, judged.id, self.live);
        let Some(reason) = judged.reason.filter(|reason| counts(reason.cause, judged.outcome)) else { return };
        let at = seen.start;
        let key = (Group::of(seen), reason.cause);
        // Where all is told at the end, a verdict may as well be of an earlier one.
        if let Some(incident) = self.open.get(&key)
            && (at.since(incident.last) > self.quiet() || !self.live && incident.first.since(at) > self.quiet())
            && let Some(incident) = self.open.remove(&key)
        {
            self.closed.entry(key.clone()).or_default().push(incident);
        }
        if self.open.len() + self.closed.values().map(Vec::len).sum::<usize>() >= INCIDENTS
            && !self.open.contains_key(&key)
            && !self.forget_single()
        {
            self.overlooked += 1;
            return;
        }
        let incident = self.open.entry(key.clone()).or_insert_with_key(|(group, cause)| Incident {
            group: group.clone(),
            cause: *cause,
            joined: BTreeSet::new(),
            first: at,
            last: at,
            failed: 0,
            completed: 0,
            clients: BTreeSet::new(),
            sensors: BTreeSet::new(),
            owners: Owners::default(),
            confidence: reason.confidence,
            speaker: (at, judged.id),
            summary: reason.summary.to_owned(),
            remedy: reason.remedy.to_vec(),
            handshakes: BTreeSet::new(),
            instead: Vec::new(),
            blocked: Vec::new(),
            fell_back: 0,
            counted: 0,
            told: None,
            shown: 0,
            id: None,
        });
        incident.failed += 1;
        incident.completed += u64::from(judged.outcome == Outcome::Completed);
        incident.first = incident.first.min(at);
        incident.last = incident.last.max(at);
        if incident.clients.len() < CLIENTS_COUNTED {
            incident.clients.insert(seen.client);
        }
        if let Some(sensor) = seen.sensor.filter(|_| incident.sensors.len() < SENSORS_NAMED) {
            incident.sensors.insert(Arc::clone(sensor));
        }
        incident.owners.take(seen.owners);
        incident.handshakes.insert((at, judged.id));
        if reason.cause == Cause::QuicBlocked {
            incident.blocked.push(Blocked::new(seen));
        }
        incident.trim();
        // The surest of its handshakes speaks for the incident, and of those the first.
        let speaker = (at, judged.id);
        if reason.confidence > incident.confidence || reason.confidence == incident.confidence && speaker < incident.speaker {
            incident.confidence = reason.confidence;
            incident.speaker = speaker;
            reason.summary.clone_into(&mut incident.summary);
            incident.remedy = reason.remedy.to_vec();
        }
        if !self.live {
            self.unite(&key);
        }
    }

    /// Makes one of those between which a verdict was missing that has come now.
    fn unite(&mut self, key: &(Group, Cause)) {
        let (Some(open), Some(closed)) = (self.open.get_mut(key), self.closed.get_mut(key)) else { return };
        let touches = |open: &Incident, other: &Incident| other.first.since(open.last) <= QUIET && open.first.since(other.last) <= QUIET;
        while let Some(place) = closed.iter().position(|other| touches(open, other)) {
            open.unite(closed.swap_remove(place));
        }
        if closed.is_empty() {
            self.closed.remove(key);
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
        let before = std::mem::take(&mut self.closed).into_values().flatten();
        let mut closed: Vec<Incident> = before.chain(over.iter().filter_map(|key| self.open.remove(key))).collect();
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
                // It keeps its name though a failure that began earlier be judged later.
                incident.id.get_or_insert_with(|| report.id.clone());
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
        let mut incidents: Vec<Incident> = std::mem::take(&mut self.closed).into_values().flatten().collect();
        incidents.extend(std::mem::take(&mut self.open).into_values());
        incidents.sort_by(|one, other| (&one.group, one.cause, one.first).cmp(&(&other.group, other.cause, other.first)));
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

    /// All handshakes of an incident's group from its first failure to its last; of those that failed before they could ask for a name, all that
    /// went to the server.
    fn attempts(&self, incident: &Incident) -> u64 {
        let begun = |watched: &Watched| watched.begun(incident.first, incident.last);
        let within = if incident.died_nameless() {
            self.history.at_server(&incident.group).map(begun).sum()
        } else {
            self.history.of(&incident.group).map_or(0, begun)
        };
        (incident.counted + within).max(incident.failed)
    }

    /// Between failures that came before any name, its very clients completed others at the server.
    fn others_got_through(&self, incident: &Incident) -> bool {
        let between = |at: &Timestamp| incident.first < *at && *at < incident.last;
        let served = |watched: &Watched| incident.clients.iter().any(|client| watched.happy.get(client).is_some_and(between));
        incident.died_nameless() && self.history.at_server(&incident.group).any(served)
    }

    /// Any of an incident's clients succeeded at some time.
    fn any_happy(&self, incident: &Incident) -> bool {
        let watched = self.history.of(&incident.group);
        watched.is_some_and(|watched| incident.clients.iter().any(|client| watched.happy.contains_key(client)))
    }

    /// Where it is: what the packets say, or else who watches.
    const fn site(&self, incident: &Incident) -> Site {
        if incident.group.site.is_none() { self.observer.site } else { incident.group.site }
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
            let cut = incident.cause == Cause::ClientAborted;
            let known = |other: &Incident| !other.is_hidden() || cut && other.cause == Cause::ServerCertificateRejected;
            let home = self.open.values_mut().find(|other| known(other) && other.takes_in(&incident));
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
        let happy = watched.into_iter().flat_map(|watched| watched.happy.keys());
        let others = happy.filter(|client| !incident.clients.contains(client)).count();
        let by_client = never && others > 0 && incident.failed < attempts;
        // Whoever succeeds here in between as well met another of several machines, and not another time.
        let in_turn = watched.is_some_and(Watched::alternates) || !never && incident.failed < attempts;
        let worked_before = !in_turn && watched.and_then(|watched| watched.first_completed).is_some_and(|first| first < incident.first);
        let by_ports = self.others_got_through(incident);
        let remedy = by_ports.then(|| by_ports_remedy(&incident.group)).into_iter().chain(incident.remedy.iter().cloned()).collect();
        let changes = watched.filter(|_| !by_client).map(|watched| watched.changes(incident.first)).unwrap_or_default();
        report::Incident {
            observer: Observer { site: self.site(incident), ..self.observer.clone() },
            id: incident.id.clone().unwrap_or_else(|| incident.name(self.site(incident).name().as_deref())),
            state,
            cause: incident.cause,
            joined: incident.joined.iter().copied().collect(),
            scope: if by_client || is_of_clients(incident.cause) { report::Scope::Client } else { report::Scope::Server },
            servers: vec![incident.group.server],
            server_name: incident.group.name.clone(),
            first_seen: incident.first,
            last_seen: incident.last,
            is_over: incident.clients.iter().any(|client| watched.and_then(|watched| watched.happy.get(client)) > Some(&incident.last)),
            failed: incident.failed,
            completed: incident.completed,
            attempts,
            clients: incident.clients.iter().take(CLIENTS_NAMED).copied().collect(),
            clients_total: incident.clients.len() as u64,
            owners: incident.owners.common(),
            changes,
            confidence: incident.confidence,
            summary: summary(incident, attempts, by_client, others, worked_before) + if by_ports { BY_PORTS } else { "" },
            remedy,
            sensors: incident.sensors.iter().map(Arc::clone).collect(),
            handshakes: incident.handshakes.iter().map(|(_, id)| *id).chain(incident.instead.iter().copied()).collect(),
        }
    }
}

impl Incident {
    /// What it is called, by whoever sees it and whichever of its handshakes they saw: its place, its cause, and the quarter of an hour in which it
    /// began. Two of one place and cause lie further apart than that.
    fn name(&self, site: Option<&str>) -> String {
        let Group { site: _, transport, server, name } = &self.group;
        let window = self.first.steps(LIVE_QUIET);
        let place = format!("{:?} {} {server} {name:?} {window}", site.unwrap_or_default(), transport.name());
        format!("{}-{}", self.cause, Id::of(&Sha256::digest(place)))
    }

    /// Its handshakes failed before a client could ask for a name.
    fn died_nameless(&self) -> bool {
        self.group.name.is_none() && self.cause.family() == Family::Connect
    }

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
            // Who refuses on one connection cuts its others; what another client does is its own affair.
            && (self.cause != Cause::ServerCertificateRejected || vague.clients.is_subset(&self.clients))
            && vague.first <= self.last.after(Duration::from_secs(60))
            && self.first <= vague.last.after(Duration::from_secs(60))
    }

    /// Takes over all of one of the same place and cause.
    fn unite(&mut self, mut other: Self) {
        self.handshakes.append(&mut other.handshakes);
        self.blocked.append(&mut other.blocked);
        let surer = other.confidence > self.confidence || other.confidence == self.confidence && other.speaker < self.speaker;
        if surer {
            (self.confidence, self.speaker) = (other.confidence, other.speaker);
            std::mem::swap(&mut self.summary, &mut other.summary);
            std::mem::swap(&mut self.remedy, &mut other.remedy);
        }
        self.count_in(other);
        self.trim();
    }

    /// What it names are the first.
    fn trim(&mut self) {
        while self.handshakes.len() > HANDSHAKES_NAMED {
            self.handshakes.pop_last();
        }
        self.blocked.sort_unstable();
        self.blocked.truncate(HANDSHAKES_NAMED);
        while self.clients.len() > CLIENTS_COUNTED {
            self.clients.pop_last();
        }
        while self.sensors.len() > SENSORS_NAMED {
            self.sensors.pop_last();
        }
    }

    fn absorb(&mut self, other: Self) {
        self.joined.insert(other.cause);
        self.count_in(other);
    }

    /// Adds another's numbers.
    fn count_in(&mut self, other: Self) {
        self.failed += other.failed;
        self.completed += other.completed;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.clients.extend(other.clients);
        self.sensors.extend(other.sensors);
        self.owners.unite(other.owners);
    }

    /// Adds the connections over TCP that took the place of those over QUIC.
    fn link(&mut self, fallbacks: &Fallbacks) {
        let Self { group, blocked, fell_back, handshakes, instead, .. } = self;
        blocked.retain(|blocked| {
            let Some(id) = fallbacks.of(blocked, &group.server, group.name.as_deref()) else { return true };
            *fell_back += 1;
            if instead.len() < HANDSHAKES_NAMED && !instead.contains(&id) && !handshakes.iter().any(|(_, named)| *named == id) {
                instead.push(id);
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
    let (mut vague, mut known): (Vec<_>, Vec<_>) = incidents.into_iter().partition(Incident::is_vague);
    vague.sort_by_key(|incident| incident.cause == Cause::ClientAborted);
    for incident in vague {
        match known.iter_mut().find(|other| other.takes_in(&incident)) {
            Some(other) => other.absorb(incident),
            None => known.push(incident),
        }
    }
    known
}

/// What it means that some connections of a client come up and others, in between, do not.
const BY_PORTS: &str = " In between, others of the same client completed: most likely one of several paths or machines, among which the ports choose, does not serve.";

/// How to find out which.
fn by_ports_remedy(group: &Group) -> Advice {
    let protocol = if group.transport == Transport::Udp { "-U" } else { "-T" };
    let trace = format!("`traceroute -n {protocol} -p {} --sport PORT {}`", group.server.port, group.server.address);
    Advice::Text(format!(
        "Compare the ways of a connection that failed and of one that completed, by their client ports: {trace}. Check the balancers, link aggregates and equal-cost routes where they part."
    ).into())
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
        format!("{clients}, none of which ever succeeded here, while {} did", counted(others, "other", "others"))
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
