//! `kind: tally` as types: how many handshakes of one kind began in one minute of packet time, so that those that completed need not be told
//! one by one.
//!
//! A row holds what rates, attempts and the scope of incidents are made of: when each began and which clients there were. So it is bounded, and
//! where a minute has more, it has further rows, which add up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::diagnosis::cause::Cause;
use crate::flow::{Endpoint, Transport};
use crate::handshake::facts::Outcome;
use crate::site::Observer;
use crate::time::Timestamp;
use crate::tls::registry::ProtocolVersion;

use super::class::Class;
use super::code::Id;
use super::handshake::Handshake;
use super::shared::Certificate;

/// Handshakes of one kind in one minute.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Who saw them.
    pub observer: Observer,
    /// Begin of the minute.
    pub minute: Timestamp,
    /// TCP or UDP.
    pub transport: Transport,
    /// Who was asked.
    pub server: Endpoint,
    /// With which time to live its packets arrived.
    pub server_ttl: Option<u8>,
    /// The name asked for.
    pub server_name: Option<String>,
    /// The version chosen.
    pub version: Option<ProtocolVersion>,
    /// How they ended.
    pub outcome: Outcome,
    /// What they count as.
    pub class: Class,
    /// Why.
    pub cause: Option<Cause>,
    /// The server's own certificate, where it was seen.
    pub certificate: Option<Arc<Certificate>>,
    /// The handshakes are told one by one as well.
    pub listed: bool,
    /// Which clients there were, each once.
    pub clients: BTreeSet<IpAddr>,
    /// When each began: nanoseconds after the begin of the minute, in order.
    pub starts: Vec<u64>,
}

impl Tally {
    /// The length of time that a row is about.
    pub const SPAN: Duration = Duration::from_secs(60);

    /// The same each time it is repeated: no two rows hold the same handshakes.
    pub(super) fn event_id(&self) -> String {
        let Self { observer: _, minute, transport, server, server_ttl, server_name, version, outcome, class, cause, .. } = self;
        let kind = (minute.nanos(), transport.name(), server.to_string(), server_ttl, server_name, version.map(|version| version.0));
        let end = (outcome.name(), class.name(), cause.map(Cause::slug), &self.starts);
        let certificate = self.certificate.as_ref().map(|certificate| certificate.sha256);
        format!("tally-{}", Id::of(&Sha256::digest(format!("{kind:?} {end:?} {certificate:?}"))))
    }
}

/// What the handshakes of a row have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    minute: i64,
    site: u16,
    sensor: Option<Arc<str>>,
    server: Endpoint,
    name: Option<String>,
    transport: Transport,
    version: Option<u16>,
    outcome: Outcome,
    class: Class,
    cause: Option<Cause>,
    ttl: Option<u8>,
    certificate: Option<[u8; 32]>,
}

/// Adds handshakes up.
#[derive(Debug, Default)]
pub struct Tallies {
    rows: BTreeMap<Kind, Tally>,
    /// The latest begin that was seen, or moment that was told.
    now: Timestamp,
    /// Rows that are whole.
    done: Vec<Tally>,
}

impl Tallies {
    /// Counts a handshake that is over. `listed`: it is told as well.
    pub fn add(&mut self, handshake: &Handshake<'_>, listed: bool) {
        let start = handshake.handshake.start;
        let minute = start.steps(Tally::SPAN);
        let version = handshake.tls.as_ref().and_then(|tls| tls.version);
        let certificate = handshake.server_certificates().first();
        let kind = Kind {
            minute,
            site: handshake.observer.site.number(),
            sensor: handshake.observer.sensor.clone(),
            server: handshake.server,
            name: handshake.server_name().map(str::to_owned),
            transport: handshake.network.transport,
            version: version.map(|version| version.0),
            outcome: handshake.handshake.outcome,
            class: handshake.class(),
            cause: handshake.diagnosis.cause,
            ttl: handshake.server_ttl,
            certificate: certificate.map(|certificate| certificate.sha256),
        };
        if self.rows.len() >= ROWS && !self.rows.contains_key(&kind) {
            // They go on in further rows.
            self.done.extend(std::mem::take(&mut self.rows).into_values());
        }
        let begin = Timestamp::from_nanos(minute.saturating_mul(i64::try_from(Tally::SPAN.as_nanos()).unwrap_or(i64::MAX)));
        let row = self.rows.entry(kind.clone()).or_insert_with(|| Tally {
            observer: handshake.observer.clone(),
            minute: begin,
            transport: kind.transport,
            server: kind.server,
            server_ttl: kind.ttl,
            server_name: kind.name.clone(),
            version,
            outcome: kind.outcome,
            class: kind.class,
            cause: kind.cause,
            certificate: certificate.map(Arc::clone),
            listed,
            clients: BTreeSet::new(),
            starts: Vec::new(),
        });
        row.clients.insert(handshake.client.address);
        row.starts.push(u64::try_from(start.since(begin).as_nanos()).unwrap_or(u64::MAX));
        if row.clients.len() >= CLIENTS || row.starts.len() >= STARTS {
            self.done.extend(self.rows.remove(&kind));
        }
        self.pass(start);
    }

    /// Time has come to this moment: minutes that are long past are whole.
    pub fn pass(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let upto = self.now.before(LATE).steps(Tally::SPAN);
        while let Some(first) = self.rows.first_entry().filter(|first| first.key().minute < upto) {
            self.done.push(first.remove());
        }
    }

    /// The rows that are whole. What comes late for their minutes is told in further rows.
    pub fn take(&mut self) -> Vec<Tally> {
        let mut done = std::mem::take(&mut self.done);
        for row in &mut done {
            row.starts.sort_unstable();
        }
        done
    }

    /// All that is left: the run is over.
    pub fn finish(&mut self) -> Vec<Tally> {
        self.done.extend(std::mem::take(&mut self.rows).into_values());
        self.take()
    }
}

/// Rows at a time. With [`CLIENTS`] and [`STARTS`] they take 30 MB at most.
const ROWS: usize = 2048;
/// Clients of a row.
const CLIENTS: usize = 128;
/// Handshakes of a row.
const STARTS: usize = 1024;
/// Nearly all handshakes are told within this time of their begin.
const LATE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn at(millis: i64, client: &str) -> Handshake<'static> {
        let mut handshake = samples::completed();
        handshake.handshake.start = Timestamp::from_nanos(millis * 1_000_000);
        handshake.client = samples::endpoint(client);
        handshake
    }

    #[test]
    fn minutes_are_told_when_they_are_past_and_what_is_late_adds_up() {
        let mut tallies = Tallies::default();
        tallies.add(&at(61_500, "10.0.0.1:1"), false);
        tallies.add(&at(60_250, "10.0.0.2:1"), false);
        tallies.add(&at(119_999, "10.0.0.1:2"), false);
        assert!(tallies.take().is_empty());
        tallies.pass(Timestamp::from_parts(149, 0));
        assert!(tallies.take().is_empty(), "some may be late");
        tallies.pass(Timestamp::from_parts(150, 0));
        let rows = tallies.take();
        let row = &rows[0];
        assert_eq!((rows.len(), row.minute, row.clients.len()), (1, Timestamp::from_parts(60, 0), 2));
        assert_eq!(row.starts, [250_000_000, 1_500_000_000, 59_999_000_000]);
        tallies.add(&at(60_300, "10.0.0.3:1"), false);
        let late = tallies.finish();
        assert_eq!((late.len(), late[0].minute, &late[0].starts), (1, row.minute, &vec![300_000_000]));
        assert_ne!(late[0].event_id(), row.event_id());
    }

    #[test]
    fn kinds_are_told_apart() {
        let mut tallies = Tallies::default();
        let mut other = at(1, "10.0.0.1:2");
        other.server = samples::endpoint("10.0.0.9:443");
        let mut farther = at(1, "10.0.0.1:3");
        farther.server_ttl = Some(7);
        let mut failed = samples::expired(0);
        failed.handshake.start = Timestamp::from_parts(0, 1);
        for (handshake, listed) in [(at(1, "10.0.0.1:1"), false), (other, false), (farther, false), (failed, true)] {
            tallies.add(&handshake, listed);
        }
        let rows = tallies.finish();
        assert_eq!(rows.iter().map(|row| row.starts.len()).collect::<Vec<_>>(), [1; 4]);
        assert_eq!(rows.iter().filter(|row| row.listed).map(|row| row.cause).collect::<Vec<_>>(), [Some(Cause::CertificateExpired)]);
    }

    #[test]
    fn no_row_grows_without_end_and_nothing_is_left_out() {
        let mut tallies = Tallies::default();
        for n in 0..10_000_u32 {
            let mut handshake = at(i64::from(n), "10.0.0.1:1");
            handshake.client.address = std::net::Ipv4Addr::from(n).into();
            handshake.server.port = u16::try_from(n % 5 * n % 3000).unwrap();
            tallies.add(&handshake, false);
        }
        let rows = tallies.finish();
        assert_eq!(rows.iter().map(|row| row.starts.len()).sum::<usize>(), 10_000);
        assert!(rows.iter().all(|row| row.clients.len() <= CLIENTS && row.starts.len() <= STARTS));
    }
}
