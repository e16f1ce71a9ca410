//! What incidents are made of: as much of a handshake and its verdict as a row of a report holds, whoever saw it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::judge::Verdict;
use crate::diagnosis::remedy::Advice;
use crate::flow::{Endpoint, PerSide, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::report::{Id, Owner};
use crate::site::Site;
use crate::time::Timestamp;

/// A handshake that was begun.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The address space.
    pub site: Site,
    /// The tap that saw it, where it has a name.
    pub sensor: Option<&'a Arc<str>>,
    /// TCP or UDP.
    pub transport: Transport,
    /// Who was asked.
    pub server: Endpoint,
    /// The name asked for.
    pub name: Option<&'a str>,
    /// Who asked.
    pub client: IpAddr,
    /// Time of the first packet.
    pub start: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The certificate that the server showed, where it was seen.
    pub leaf: Option<Leaf<'a>>,
    /// With which time to live the server's packets arrived.
    pub ttl: Option<u8>,
    /// Whose the ends are, where the capturing host told.
    pub owners: PerSide<Option<&'a Arc<Owner>>>,
}

/// What tells one certificate of a server from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// Its serial number, hexadecimal.
    pub serial: &'a str,
    /// Who signed it.
    pub issuer: &'a str,
    /// End of its validity.
    pub not_after: Timestamp,
}

/// Why it ended as it did.
#[derive(Debug, Clone, Copy)]
pub struct Reason<'a> {
    /// The cause.
    pub cause: Cause,
    /// How sure it is.
    pub confidence: Confidence,
    /// One sentence for a person.
    pub summary: &'a str,
    /// What to do.
    pub remedy: &'a [Advice],
}

/// A verdict, as incidents take it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The report's id.
    pub id: Id,
    /// How it ended, as judged.
    pub outcome: Outcome,
    /// Why; `None` where there is nothing to say.
    pub reason: Option<Reason<'a>>,
}

impl<'a> Observation<'a> {
    /// What a handshake shows. `name` is the name asked for.
    pub fn of(handshake: &'a Handshake, name: Option<&'a str>, sensor: Option<&'a Arc<str>>) -> Self {
        Self {
            site: handshake.flow.key.site,
            sensor,
            transport: handshake.flow.key.transport,
            server: handshake.server,
            name,
            client: handshake.client.address,
            start: handshake.flow.first.time,
            outcome: handshake.outcome,
            leaf: handshake.leaf().map(|leaf| Leaf { serial: &leaf.serial, issuer: &leaf.issuer, not_after: leaf.not_after }),
            ttl: handshake.flow.side(Side::Server).ttl,
            owners: PerSide::default(),
        }
    }
}

impl<'a> Judged<'a> {
    /// What a verdict says. `id` is the report's.
    pub fn of(verdict: &'a Verdict, id: Id) -> Self {
        let reason = verdict.cause.as_ref().filter(|finding| !finding.undecided).map(|finding| Reason {
            cause: finding.cause,
            confidence: finding.confidence,
            summary: &finding.summary,
            remedy: &finding.remedy,
        });
        Self { id, outcome: verdict.outcome, reason }
    }
}
