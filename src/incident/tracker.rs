//! Watches verdicts go by and forms incidents of those that belong together, in memory that does not grow with the capture.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::judge::Verdict;
use crate::diagnosis::rule::Confidence;
use crate::flow::{Endpoint, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::report::{IncidentReport, SCHEMA};
use crate::time::Timestamp;

use super::fallback::{Blocked, Fallbacks};

/// Servers and names watched.
const SCOPES: usize = 4096;
/// Incidents kept.
const INCIDENTS: usize = 1024;
/// Clients named in an incident; beyond it they are counted up to [`CLIENTS_COUNTED`].
const CLIENTS_NAMED: usize = 10;
/// Clients told apart.
const CLIENTS_COUNTED: usize = 4096;
/// Handshakes named.
const HANDSHAKES_NAMED: usize = 10;
/// Failures further apart than this are two incidents.
const QUIET: Duration = Duration::from_secs(3600);
/// Handshakes whose time is kept, over all servers.
const STARTS: usize = 1 << 20;
/// Changes of a server kept.
const FACES: usize = 64;
/// A change this long before an incident began may belong to it.
const CHANGE_BEFORE: Duration = Duration::from_secs(15 * 60);
/// A change this soon after it began may.
const CHANGE_AFTER: Duration = Duration::from_secs(60);
/// Failures that make an incident.
const LEAST: u64 = 2;

/// Where handshakes belong together: one server over one transport, one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    transport: Transport,
    server: Endpoint,
    name: Option<String>,
}

impl Scope {
    fn of(handshake: &Handshake) -> Self {
        Self { transport: handshake.tcp.key.transport, server: handshake.server, name: handshake.server_name() }
    }
}

/// What a server shows that could change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Face {
    certificate: Option<(String, String, Timestamp)>,
    ttl: Option<u8>,
}

/// What one scope went through. Verdicts may come late and out of order; what is known at once is kept by time.
#[derive(Debug, Default)]
struct Watched {
    /// When handshakes began here, in no particular order, up to the share of [`STARTS`].
    starts: Vec<Timestamp>,
    /// The first that completed.
    first_completed: Option<Timestamp>,
    /// Clients that completed here.
    happy: BTreeSet<IpAddr>,
    /// What the server showed, each time it changed.
    faces: Vec<(Timestamp, Face)>,
}

#[derive(Debug)]
struct Incident {
    scope: Scope,
    cause: Cause,
    first: Timestamp,
    last: Timestamp,
    failed: u64,
    clients: BTreeSet<IpAddr>,
    confidence: Confidence,
    summary: String,
    remedy: Vec<String>,
    handshakes: Vec<String>,
    /// Attempts over QUIC that were blocked, up to [`HANDSHAKES_NAMED`].
    blocked: Vec<Blocked>,
    /// How many of those went on over TCP.
    fell_back: u64,
}

/// Forms incidents.
#[derive(Debug, Default)]
pub struct Tracker {
    scopes: BTreeMap<Scope, Watched>,
    /// Starts kept over all scopes.
    starts: usize,
    open: BTreeMap<(Scope, Cause), Incident>,
    closed: Vec<Incident>,
    fallbacks: Fallbacks,
}

impl Tracker {
    /// Takes a handshake as soon as it has closed, whatever became of it.
    pub fn attempt(&mut self, handshake: &Handshake) {
        let scope = Scope::of(handshake);
        if self.scopes.len() >= SCOPES && !self.scopes.contains_key(&scope) {
            return;
        }
        let watched = self.scopes.entry(scope).or_default();
        let at = handshake.tcp.first.time;
        if self.starts < STARTS {
            watched.starts.push(at);
            self.starts += 1;
        }
        if handshake.outcome == Outcome::Completed {
            watched.first_completed = Some(watched.first_completed.map_or(at, |first| first.min(at)));
            if watched.happy.len() < CLIENTS_COUNTED {
                watched.happy.insert(handshake.client.address);
            }
        }
        let before = watched.faces.last().map(|(_, face)| face.clone()).unwrap_or_default();
        let now = before.clone().updated(handshake);
        if now != before && watched.faces.len() < FACES {
            watched.faces.push((at, now));
        }
    }

    /// Takes a verdict, in the order in which they are reported. `id` is the report's.
    pub fn observe(&mut self, handshake: &Handshake, verdict: &Verdict, id: &str) {
        self.fallbacks.note(handshake, id);
        let Some(finding) = verdict.cause.as_ref().filter(|finding| counts(finding.cause, verdict.outcome)) else { return };
        let scope = Scope::of(handshake);
        let at = handshake.tcp.first.time;
        let key = (scope, finding.cause);
        if let Some(incident) = self.open.get(&key)
            && at.since(incident.last) > QUIET
            && let Some(incident) = self.open.remove(&key)
        {
            self.closed.push(incident);
        }
        if self.open.len() + self.closed.len() >= INCIDENTS && !self.open.contains_key(&key) {
            return;
        }
        let incident = self.open.entry(key).or_insert_with_key(|(scope, cause)| Incident {
            scope: scope.clone(),
            cause: *cause,
            first: at,
            last: at,
            failed: 0,
            clients: BTreeSet::new(),
            confidence: finding.confidence,
            summary: finding.summary.clone(),
            remedy: finding.remedy.clone(),
            handshakes: Vec::new(),
            blocked: Vec::new(),
            fell_back: 0,
        });
        incident.failed += 1;
        incident.first = incident.first.min(at);
        incident.last = incident.last.max(at);
        if incident.clients.len() < CLIENTS_COUNTED {
            incident.clients.insert(handshake.client.address);
        }
        if incident.handshakes.len() < HANDSHAKES_NAMED {
            incident.handshakes.push(id.to_owned());
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

    /// The capture is over: the incidents, worst first.
    pub fn finish(&mut self) -> Vec<IncidentReport> {
        let mut incidents = std::mem::take(&mut self.closed);
        incidents.extend(std::mem::take(&mut self.open).into_values());
        let mut incidents = merge_hidden(incidents);
        for incident in &mut incidents {
            incident.link(&self.fallbacks);
        }
        incidents.retain(|incident| incident.failed >= LEAST || incident.fell_back > 0);
        incidents
            .sort_by(|a, b| b.failed.cmp(&a.failed).then(a.first.cmp(&b.first)).then(a.scope.cmp(&b.scope)).then(a.cause.cmp(&b.cause)));
        incidents.iter().map(|incident| self.report(incident)).collect()
    }

    fn report(&self, incident: &Incident) -> IncidentReport {
        let nothing = Watched::default();
        let watched = self.scopes.get(&incident.scope).unwrap_or(&nothing);
        let within = watched.starts.iter().filter(|start| (incident.first..=incident.last).contains(start)).count() as u64;
        let attempts = within.max(incident.failed);
        let never = incident.clients.iter().all(|client| !watched.happy.contains(client));
        let others = watched.happy.iter().filter(|client| !incident.clients.contains(client)).count();
        let by_client = never && others > 0 && incident.failed < attempts;
        let worked_before = watched.first_completed.is_some_and(|first| first < incident.first);
        IncidentReport {
            schema: SCHEMA.to_owned(),
            kind: "incident".to_owned(),
            id: format!("{}-{}", incident.cause.slug(), incident.handshakes.first().map_or("", String::as_str)),
            cause: incident.cause.slug().to_owned(),
            scope: if by_client { "client" } else { "server" }.to_owned(),
            servers: vec![incident.scope.server.to_string()],
            server_name: incident.scope.name.clone(),
            first_seen: incident.first.to_string(),
            last_seen: incident.last.to_string(),
            failed: incident.failed,
            attempts,
            clients: incident.clients.iter().take(CLIENTS_NAMED).map(ToString::to_string).collect(),
            clients_total: incident.clients.len() as u64,
            changes: if by_client { Vec::new() } else { changes(&watched.faces, incident.first) },
            confidence: incident.confidence.name().to_owned(),
            summary: summary(incident, attempts, by_client, others, worked_before),
            remedy: incident.remedy.clone(),
            handshakes: incident.handshakes.clone(),
        }
    }
}

impl Incident {
    /// Adds the connections over TCP that took the place of those over QUIC.
    fn link(&mut self, fallbacks: &Fallbacks) {
        for blocked in &self.blocked {
            let Some(id) = fallbacks.of(blocked, &self.scope.server, self.scope.name.as_deref()) else { continue };
            self.fell_back += 1;
            if !self.handshakes.iter().any(|known| known == id) {
                self.handshakes.push(id.to_owned());
            }
        }
    }
}

/// What the server showed anew around the time when it began, the nearest change first told; clients that do not mind may have met it before
/// the first that did.
fn changes(faces: &[(Timestamp, Face)], first: Timestamp) -> Vec<String> {
    let distance = |at: Timestamp| at.since(first).max(first.since(at));
    let near = |at: Timestamp| first.since(at) <= CHANGE_BEFORE && at.since(first) <= CHANGE_AFTER;
    let pairs = faces.iter().zip(faces.iter().skip(1)).filter(|(_, (at, _))| near(*at));
    let nearest = pairs.min_by_key(|(_, (at, _))| distance(*at));
    nearest.map(|((_, before), (at, after))| before.changes_to(after, *at)).unwrap_or_default()
}

/// Whether a cause makes incidents: what failed for its users, not probes and not the capture's own shortcomings.
fn counts(cause: Cause, outcome: Outcome) -> bool {
    cause != Cause::TcpProbe && cause.family() != Family::Capture && outcome != Outcome::Incomplete
}

/// Rejections whose reason is hidden join the incident at the same server and name whose reason is known and which overlaps in time.
fn merge_hidden(incidents: Vec<Incident>) -> Vec<Incident> {
    let hidden = |cause: Cause| matches!(cause, Cause::ServerCertificateRejected | Cause::ClientAborted | Cause::HandshakeFailure);
    let (vague, mut known): (Vec<_>, Vec<_>) = incidents.into_iter().partition(|incident| hidden(incident.cause));
    for incident in vague {
        let home = known.iter_mut().find(|other| {
            other.scope == incident.scope
                && (incident.cause != Cause::ServerCertificateRejected || other.cause.family() == Family::Certificate)
                && other.cause.family() != Family::Silence
                && incident.first <= other.last.after(Duration::from_secs(60))
                && other.first <= incident.last.after(Duration::from_secs(60))
        });
        match home {
            Some(other) => {
                other.failed += incident.failed;
                other.first = other.first.min(incident.first);
                other.last = other.last.max(incident.last);
                other.clients.extend(incident.clients);
            }
            None => known.push(incident),
        }
    }
    known
}

fn summary(incident: &Incident, attempts: u64, by_client: bool, others: usize, worked_before: bool) -> String {
    let name = incident
        .scope
        .name
        .as_ref()
        .map_or_else(|| incident.scope.server.to_string(), |name| format!("{name} ({})", incident.scope.server));
    let clients = incident.clients.len();
    let clients = format!("{clients} client{}", if clients == 1 { "" } else { "s" });
    let whom = if by_client {
        format!("{clients}, which never succeed here while {others} other{} do", if others == 1 { "" } else { "s" })
    } else {
        clients
    };
    let since = if worked_before && !by_client { " It worked before." } else { "" };
    let fallback = match incident.fell_back {
        0 => "",
        _ => " The client went on over TCP.",
    };
    format!("{} of {attempts} handshakes with {name} failed ({whom}).{since}{fallback} {}", incident.failed, incident.summary)
}

impl Face {
    /// This face with what a handshake shows of the server; what it does not show stays.
    fn updated(self, handshake: &Handshake) -> Self {
        let certificate = handshake.leaf().map(|leaf| (leaf.serial.clone(), leaf.issuer.clone(), leaf.not_after));
        Self { certificate: certificate.or(self.certificate), ttl: handshake.tcp.side(Side::Server).ttl.or(self.ttl) }
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
