//! `kind: incident` as types.

use std::net::IpAddr;
use std::sync::Arc;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::remedy::Advice;
use crate::flow::Endpoint;
use crate::site::Observer;
use crate::time::Timestamp;

use super::code::Id;
use super::handshake::Handshake;
use super::owner::CommonOwner;

/// Handshakes of one cause.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Who tells of it; its site is that of the servers.
    pub observer: Observer,
    /// The same across runs, thread counts and sensors, and each time a live run tells of it.
    pub id: String,
    /// Live: what there is to tell.
    pub state: Option<State>,
    /// The cause they share.
    pub cause: Cause,
    /// Causes that hide the reason, of handshakes at the same place and time that are counted here for that.
    pub joined: Vec<Cause>,
    /// What they have in common.
    pub scope: Scope,
    /// Servers, the first few.
    pub servers: Vec<Endpoint>,
    /// The name asked for, when it is one.
    pub server_name: Option<String>,
    /// Begin of the first failed handshake.
    pub first_seen: Timestamp,
    /// Begin of the last.
    pub last_seen: Timestamp,
    /// One of its clients completed a handshake of the same scope after the last failure. Outputs tell it by what they say of its time.
    pub is_over: bool,
    /// Handshakes of this incident.
    pub failed: u64,
    /// Of those, how many completed all the same, only not well.
    pub completed: u64,
    /// All handshakes of the same scope between first and last.
    pub attempts: u64,
    /// Client addresses, the first few.
    pub clients: Vec<IpAddr>,
    /// How many clients there were.
    pub clients_total: u64,
    /// The sensors that saw them, where they have names; the first few.
    pub sensors: Vec<Arc<str>>,
    /// Whose the ends on the capturing host are, mostly, of clients and of servers; only a live run knows.
    pub owners: Vec<CommonOwner>,
    /// What changed when it began.
    pub changes: Vec<String>,
    /// That of the surest handshake.
    pub confidence: Confidence,
    /// One sentence for a person.
    pub summary: String,
    /// What to do, a line each, commands to type among them.
    pub remedy: Vec<Advice>,
    /// Ids of handshakes, the first few.
    pub handshakes: Vec<Id>,
}

impl Incident {
    /// Whether it counts this handshake: one of those it names, or of the same cause at the same server and name.
    pub fn holds(&self, handshake: &Handshake<'_>) -> bool {
        let here = self.servers.contains(&handshake.server) && self.server_name.as_deref() == handshake.server_name();
        handshake.diagnosis.cause == Some(self.cause) && here || self.handshakes.contains(&handshake.handshake.id)
    }
}

/// What a live run tells of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It begins.
    Begun,
    /// It has twice the failures that were told before.
    Growing,
    /// It was quiet for a quarter of an hour.
    Ended,
    /// It goes on when the run ends.
    Open,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Begun, Self::Growing, Self::Ended, Self::Open];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Growing => "growing",
            Self::Ended => "ended",
            Self::Open => "open",
        }
    }
}

/// What the handshakes of an incident have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One server, many clients.
    Server,
    /// One client population, many servers.
    Client,
}

impl Scope {
    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}
