//! Floor 7: the versioned schema that every output shares (see docs/SCHEMA.md), as types.
//!
//! A [`Handshake`] is made once from facts and verdict; outputs, selections, tallies and comparisons work on it. Texts are made where somebody
//! writes them. The types that its fields hold come from the floors below; whoever works on reports takes them from here.
//!
//! - `handshake`, `incident`, `tally`, `heartbeat`, `sensor`, `summary`: the kinds; `shared`: parts that many handshakes have in common, made once;
//! - `answer`: the run in one sentence; `class`: what a handshake counts as; `place`: where a frame stands; `step`: what happened, packet by packet;
//! - `dns`: what the DNS had said of the server;
//! - `owner`: who on the capturing host owns an end of a connection;
//! - `sighting`: what a handshake says of its two sides, as a report or a row of NDJSON tells it;
//! - `build`, `timeline`: from facts and verdict to a [`Handshake`];
//! - `schema`: what the fields hold, for whoever must know it without a report;
//! - `ecs`: fields under other people's names; `fields`: the fields in their order, written to whatever takes them: JSON,
//!   columns, variables of a condition; `rows`: those of tallies and heartbeats.

mod answer;
mod build;
mod class;
mod code;
mod dns;
mod ecs;
mod ends;
mod fields;
mod handshake;
mod heartbeat;
mod incident;
mod owner;
mod place;
mod rendered;
mod rows;
#[cfg(test)]
pub(crate) mod samples;
pub mod schema;
mod sensor;
mod shared;
mod sighting;
mod step;
mod summary;
mod tally;
mod timeline;
mod traffic;
mod words;
mod writer;

use std::io;

pub use answer::{Answer, TRAFFIC_ANSWERED};
pub use build::community_id;
pub use class::{Class, Classes};
pub use code::{Code, CommunityId, Id, hexadecimal};
pub use dns::{Dns, Tlsa};
pub use handshake::{
    AlertSeen, Capture, Course, Diagnosis, Dtls, Eap, Ech, Handshake, Loss, Network, OpenVpn, Quic, Severity, Timing, Tls, TlsClient,
    TlsServer, word,
};
pub use heartbeat::{Heartbeat, InterfaceCounts};
pub use incident::{Incident, Scope, State};
pub use owner::{Basis, CommonOwner, Container, Owner, Pod, Process, Sharer, User};
pub use place::{Files, Place, Renaming};
pub use rendered::Rendered;
pub use sensor::{Sensed, SensorState};
pub use shared::{Builder, Certificate, Offer, ServerAnswer};
pub use sighting::{Offered, Sighting};
pub use step::{Step, StepKind};
pub use summary::{Counts, Input, Summary, VERSION};
pub use tally::{Tallies, Tally};
pub use timeline::timeline;
pub use traffic::{Carried, total_bytes};
pub(crate) use writer::key;
pub use writer::{Key, Writer};

pub use crate::diagnosis::cause::{Cause, Family};
pub use crate::diagnosis::chain::Unverified;
pub use crate::diagnosis::finding::{Confidence, Evidence, Finding, Weight};
pub use crate::diagnosis::imitation::Imitation;
pub use crate::diagnosis::quality::Quality;
pub use crate::diagnosis::remedy::{Advice, Command};
pub use crate::flow::{Endpoint, Layer, Path, PerSide, Side, Transport};
pub use crate::handshake::facts::{ClosedBy, Outcome, Protocol, Stage, StoppedBy};
pub use crate::handshake::stack::{Certainty, Program, Speaker, Stack};
pub use crate::preamble::Dialect;
pub use crate::site::{Observer, Site};
pub use crate::time::{Mark, Timestamp};
pub use crate::tls::message::{Alert, OcspStatus};
pub use crate::tls::registry::{
    AlertDescription, CipherSuite, KeyExchange, NamedGroup, ProtocolVersion, SignatureKey, SignatureScheme, Weakness,
};

/// The schema's version: a change to one of its fixed names raises it.
pub const SCHEMA: &str = "handshark/2";

/// Takes what a run reports, in order: handshakes, then incidents, then the summary (live, incidents come in between).
pub trait Sink {
    /// Takes a handshake. An error ends the run.
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()>;

    /// Takes an incident.
    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        let _ = incident;
        Ok(())
    }

    /// Whether it shows incidents as they grow.
    fn follows(&self) -> bool {
        false
    }

    /// An incident of a live capture as it stands, whenever it grew, for who follows them. What there is to tell of it comes by [`Sink::incident`].
    fn ongoing(&mut self, incident: &Incident) -> io::Result<()> {
        let _ = incident;
        Ok(())
    }

    /// Takes a row of handshakes added up, where they are not told one by one.
    fn tally(&mut self, tally: &Tally) -> io::Result<()> {
        let _ = tally;
        Ok(())
    }

    /// Takes a sign of life of a live run.
    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> io::Result<()> {
        let _ = heartbeat;
        Ok(())
    }

    /// Takes the summary, after everything else.
    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let _ = summary;
        Ok(())
    }

    /// Called now and then while nothing comes, for what depends on time.
    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Writes what was held back, and flushes. To be called once, after the last report.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A report that waits for its sink.
#[derive(Debug, Clone)]
pub enum Report {
    /// A handshake.
    Handshake(Box<Handshake<'static>>),
    /// Handshakes of one cause.
    Incident(Box<Incident>),
    /// Handshakes added up.
    Tally(Box<Tally>),
    /// A sign of life.
    Heartbeat(Box<Heartbeat>),
    /// The run's end.
    Summary(Box<Summary>),
}

impl Report {
    /// Hands it over.
    pub fn give(&self, sink: &mut (impl Sink + ?Sized)) -> io::Result<()> {
        match self {
            Self::Handshake(handshake) => sink.handshake(handshake),
            Self::Incident(incident) => sink.incident(incident),
            Self::Tally(tally) => sink.tally(tally),
            Self::Heartbeat(heartbeat) => sink.heartbeat(heartbeat),
            Self::Summary(summary) => sink.summary(summary),
        }
    }
}
