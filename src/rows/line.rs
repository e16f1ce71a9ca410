//! A line of NDJSON as a row. What incidents do not need of it is passed over.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::flow::{Endpoint, PerSide, Shown, Transport, read_address};
use crate::incident::{Judged, Leaf, Observation, Reason};
use crate::report::{Advice, Cause, Class, Command, Confidence, Id, Outcome, Owner, Tally};
use crate::site::{Observer, Site};
use crate::time::Timestamp;

use super::owner::RawOwner;

/// What a line holds.
#[derive(Debug)]
pub enum Row {
    /// A handshake that is over.
    Handshake(Box<Handshake>),
    /// Handshakes that are not told one by one.
    Tally(Box<Tallied>),
    /// A sign of life.
    Heartbeat(Box<Beat>),
    /// Another kind, or one that another row replaces or tells in full.
    Other,
}

/// A handshake.
#[derive(Debug)]
pub struct Handshake {
    pub(super) observer: Observer,
    pub(super) event_id: String,
    pub(super) id: Id,
    pub(super) transport: Transport,
    pub(super) server: Endpoint,
    pub(super) name: Option<String>,
    pub(super) client: IpAddr,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) leaf: Option<OwnLeaf>,
    pub(super) ttl: Option<u8>,
    pub(super) owners: PerSide<Option<Arc<Owner>>>,
    pub(super) reason: Option<OwnReason>,
}

/// A server's certificate.
#[derive(Debug, Clone)]
pub(super) struct OwnLeaf {
    serial: String,
    issuer: String,
    not_after: Timestamp,
}

/// Why it ended as it did.
#[derive(Debug)]
pub(super) struct OwnReason {
    cause: Cause,
    confidence: Confidence,
    summary: String,
    remedy: Vec<Advice>,
}

/// Handshakes of one kind.
#[derive(Debug)]
pub struct Tallied {
    pub(super) observer: Observer,
    pub(super) event_id: String,
    pub(super) minute: Timestamp,
    transport: Transport,
    server: Endpoint,
    name: Option<String>,
    outcome: Outcome,
    leaf: Option<OwnLeaf>,
    ttl: Option<u8>,
    clients: Vec<IpAddr>,
    starts: Vec<u64>,
}

/// A sign of life.
#[derive(Debug)]
pub struct Beat {
    pub(super) observer: Observer,
    pub(super) event_id: String,
    pub(super) time: Timestamp,
    pub(super) started: Timestamp,
    pub(super) last: bool,
    pub(super) drops: u64,
    pub(super) lost: u64,
}

impl Handshake {
    /// As incidents see it.
    pub(super) fn seen(&self) -> Observation<'_> {
        Observation {
            site: self.observer.site,
            sensor: self.observer.sensor.as_ref(),
            transport: self.transport,
            server: self.server,
            name: self.name.as_deref(),
            client: self.client,
            start: self.start,
            outcome: self.outcome,
            leaf: self.leaf.as_ref().map(OwnLeaf::borrowed),
            ttl: self.ttl,
            owners: PerSide { client: self.owners.client.as_ref(), server: self.owners.server.as_ref() },
        }
    }

    /// Its verdict.
    pub(super) fn judged(&self) -> Judged<'_> {
        let reason = self.reason.as_ref().map(|reason| Reason {
            cause: reason.cause,
            confidence: reason.confidence,
            summary: &reason.summary,
            remedy: &reason.remedy,
        });
        Judged { id: self.id, outcome: self.outcome, reason }
    }
}

impl OwnLeaf {
    fn borrowed(&self) -> Leaf<'_> {
        Leaf { serial: &self.serial, issuer: &self.issuer, not_after: self.not_after }
    }
}

impl Tallied {
    /// The handshakes as incidents see them. Which client began which is not known; that each of them succeeded is.
    pub(super) fn seen(&self) -> impl Iterator<Item = Observation<'_>> {
        let clients = self.clients.iter().copied();
        let last = self.clients.last().copied().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        self.starts.iter().zip(clients.chain(std::iter::repeat(last))).map(|(start, client)| Observation {
            site: self.observer.site,
            sensor: self.observer.sensor.as_ref(),
            transport: self.transport,
            server: self.server,
            name: self.name.as_deref(),
            client,
            start: self.minute.after(Duration::from_nanos(*start)),
            outcome: self.outcome,
            leaf: self.leaf.as_ref().map(OwnLeaf::borrowed),
            ttl: self.ttl,
            owners: PerSide::default(),
        })
    }
}

/// Reads a line.
///
/// # Errors
/// When it is no object of the schema; why, for a person.
pub fn read(line: &[u8]) -> Result<Row, String> {
    let head: Head<'_> = serde_json::from_slice(line).map_err(|error| format!("it is no row: {error}"))?;
    if !head.schema.starts_with("handshark/2") {
        return Err(format!("it is of the schema {:?}, and not of handshark/2", head.schema));
    }
    let wrong = |error: serde_json::Error| format!("it is no {} of this schema: {error}", head.kind);
    match &*head.kind {
        "handshake" => {
            let raw: RawHandshake<'_> = serde_json::from_slice(line).map_err(wrong)?;
            if raw.handshake.provisional { Ok(Row::Other) } else { raw.row().map(|row| Row::Handshake(Box::new(row))) }
        }
        "tally" => {
            let raw: RawTally<'_> = serde_json::from_slice(line).map_err(wrong)?;
            if raw.listed { Ok(Row::Other) } else { raw.row().map(|row| Row::Tally(Box::new(row))) }
        }
        "heartbeat" => {
            let raw: RawBeat<'_> = serde_json::from_slice(line).map_err(wrong)?;
            raw.row().map(|row| Row::Heartbeat(Box::new(row)))
        }
        _ => Ok(Row::Other),
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawHandshake<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    observer: RawObserver<'a>,
    #[serde(borrow)]
    network: RawNetwork<'a>,
    #[serde(borrow)]
    client: RawPeer<'a>,
    #[serde(borrow)]
    server: RawPeer<'a>,
    #[serde(borrow)]
    handshake: RawCourse<'a>,
    #[serde(borrow)]
    tls: Option<RawTls<'a>>,
    #[serde(borrow)]
    diagnosis: RawDiagnosis<'a>,
}

#[derive(Deserialize, Default)]
struct RawObserver<'a> {
    #[serde(borrow)]
    site: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sensor: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawNetwork<'a> {
    #[serde(borrow)]
    transport: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawPeer<'a> {
    #[serde(borrow)]
    address: Cow<'a, str>,
    port: u16,
    ttl: Option<u8>,
    #[serde(borrow, flatten)]
    owner: RawOwner<'a>,
}

#[derive(Deserialize)]
struct RawCourse<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    start: Cow<'a, str>,
    #[serde(borrow)]
    end: Cow<'a, str>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow, default)]
    class: Option<Cow<'a, str>>,
    provisional: bool,
}

#[derive(Deserialize)]
struct RawTls<'a> {
    #[serde(borrow)]
    client: Option<RawClient<'a>>,
    #[serde(borrow)]
    server: Option<RawServer<'a>>,
}

#[derive(Deserialize)]
struct RawClient<'a> {
    #[serde(borrow)]
    server_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawServer<'a> {
    #[serde(borrow, default)]
    certificates: Vec<RawLeaf<'a>>,
}

#[derive(Deserialize)]
struct RawLeaf<'a> {
    #[serde(borrow)]
    serial: Cow<'a, str>,
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    #[serde(borrow)]
    not_after: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawDiagnosis<'a> {
    #[serde(borrow)]
    cause: Option<Cow<'a, str>>,
    #[serde(borrow)]
    confidence: Option<Cow<'a, str>>,
    #[serde(borrow)]
    summary: Cow<'a, str>,
    #[serde(borrow, default)]
    remedies: Vec<RawStep<'a>>,
}

#[derive(Deserialize)]
struct RawStep<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    command: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawTally<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    observer: RawObserver<'a>,
    #[serde(borrow, rename = "@timestamp")]
    minute: Cow<'a, str>,
    #[serde(borrow)]
    transport: Cow<'a, str>,
    #[serde(borrow)]
    server: RawPeer<'a>,
    #[serde(borrow)]
    server_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    certificate: Option<RawLeaf<'a>>,
    listed: bool,
    clients: Vec<Shown>,
    starts_ns: Vec<u64>,
}

#[derive(Deserialize)]
struct RawBeat<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    observer: RawObserver<'a>,
    #[serde(borrow, rename = "@timestamp")]
    time: Cow<'a, str>,
    #[serde(borrow)]
    started: Cow<'a, str>,
    last: bool,
    drops: u64,
    lost_reports: u64,
}

impl RawObserver<'_> {
    fn observer(&self) -> Result<Observer, String> {
        let site = match &self.site {
            Some(name) => Site::named(name).ok_or("there are too many sites")?,
            None => Site::NONE,
        };
        Ok(Observer { site, sensor: self.sensor.as_deref().map(Arc::from) })
    }
}

impl RawPeer<'_> {
    fn endpoint(&self) -> Result<Endpoint, String> {
        Ok(Endpoint::new(read_address(&self.address).ok_or("an address is none")?, self.port))
    }
}

impl RawLeaf<'_> {
    fn leaf(&self) -> Result<OwnLeaf, String> {
        Ok(OwnLeaf { serial: self.serial.to_string(), issuer: self.issuer.to_string(), not_after: time(&self.not_after)? })
    }
}

impl RawHandshake<'_> {
    fn row(self) -> Result<Handshake, String> {
        let tls = self.tls.as_ref();
        let leaf = tls.and_then(|tls| tls.server.as_ref()).and_then(|server| server.certificates.first());
        let outcome = outcome(&self.handshake.outcome)?;
        // It ended, and what it would have come to is open all the same.
        let undecided = self.handshake.class.as_deref() == Some(Class::Undecided.name()) && outcome != Outcome::Incomplete;
        Ok(Handshake {
            observer: self.observer.observer()?,
            event_id: self.event_id.into_owned(),
            id: Id::read(&self.handshake.id).ok_or("its id is none")?,
            transport: transport(&self.network.transport)?,
            server: self.server.endpoint()?,
            name: tls.and_then(|tls| tls.client.as_ref()).and_then(|client| client.server_name.as_deref()).map(str::to_owned),
            client: self.client.endpoint()?.address,
            start: time(&self.handshake.start)?,
            end: time(&self.handshake.end)?,
            outcome,
            leaf: leaf.map(RawLeaf::leaf).transpose()?,
            ttl: self.server.ttl,
            owners: PerSide { client: self.client.owner.owner(), server: self.server.owner.owner() },
            reason: self.diagnosis.reason()?.filter(|_| !undecided),
        })
    }
}

impl RawDiagnosis<'_> {
    fn reason(self) -> Result<Option<OwnReason>, String> {
        let Some(cause) = self.cause else { return Ok(None) };
        let cause = cause.parse().map_err(|()| format!("this version knows no cause {cause:?}"))?;
        let named = self.confidence.as_deref();
        let confidence = Confidence::ALL.into_iter().find(|confidence| Some(confidence.name()) == named).ok_or("its confidence is none")?;
        let remedy = self.remedies.into_iter().flat_map(|step| {
            let text = step.text.map(|text| Advice::Text(Cow::Owned(text.into_owned())));
            let command =
                step.command.map(|line| Command::told(&line).map_or_else(|| Advice::Text(Cow::Owned(line.into_owned())), Advice::Command));
            text.into_iter().chain(command)
        });
        Ok(Some(OwnReason { cause, confidence, summary: self.summary.into_owned(), remedy: remedy.collect() }))
    }
}

impl RawTally<'_> {
    fn row(self) -> Result<Tallied, String> {
        let span = Tally::SPAN.as_nanos();
        if self.clients.is_empty()
            || self.clients.len() > self.starts_ns.len()
            || self.starts_ns.iter().any(|start| u128::from(*start) >= span)
        {
            return Err("its numbers do not add up".to_owned());
        }
        Ok(Tallied {
            observer: self.observer.observer()?,
            event_id: self.event_id.into_owned(),
            minute: time(&self.minute)?,
            transport: transport(&self.transport)?,
            server: self.server.endpoint()?,
            name: self.server_name.map(Cow::into_owned),
            outcome: outcome(&self.outcome)?,
            leaf: self.certificate.as_ref().map(RawLeaf::leaf).transpose()?,
            ttl: self.server.ttl,
            clients: self.clients.into_iter().map(|Shown(client)| client).collect(),
            starts: self.starts_ns,
        })
    }
}

impl RawBeat<'_> {
    fn row(self) -> Result<Beat, String> {
        Ok(Beat {
            observer: self.observer.observer()?,
            event_id: self.event_id.into_owned(),
            time: time(&self.time)?,
            started: time(&self.started)?,
            last: self.last,
            drops: self.drops,
            lost: self.lost_reports,
        })
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let moment = text.parse::<jiff::Timestamp>().ok().and_then(|moment| i64::try_from(moment.as_nanosecond()).ok());
    moment.map(Timestamp::from_nanos).ok_or_else(|| format!("{text:?} is no time"))
}

fn transport(word: &str) -> Result<Transport, String> {
    Transport::ALL.into_iter().find(|transport| transport.name() == word).ok_or_else(|| format!("{word:?} is no transport"))
}

fn outcome(word: &str) -> Result<Outcome, String> {
    Outcome::ALL.into_iter().find(|outcome| outcome.name() == word).ok_or_else(|| format!("{word:?} is no outcome"))
}
