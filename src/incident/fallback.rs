//! Which connections over TCP took the place of QUIC that was blocked: the two are one incident.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::flow::{Endpoint, Transport};
use crate::handshake::facts::Outcome;
use crate::report::Id;
use crate::site::Site;
use crate::time::Timestamp;

use super::observation::Observation;

/// Completed handshakes over TCP, by site and client.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    clients: HashMap<(Site, IpAddr), VecDeque<Done>, RandomState>,
}

#[derive(Debug)]
struct Done {
    at: Timestamp,
    server: Endpoint,
    name: Option<String>,
    id: Id,
}

/// An attempt over QUIC that was blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Blocked {
    at: Timestamp,
    client: (Site, IpAddr),
}

impl Blocked {
    pub(super) const fn new(seen: &Observation<'_>) -> Self {
        Self { client: (seen.site, seen.client), at: seen.start }
    }
}

impl Fallbacks {
    /// Takes a handshake that may have been a fallback. `id` is its report's. `ages`: clients that were quiet for long give way.
    pub(super) fn note(&mut self, seen: &Observation<'_>, id: Id, ages: bool) {
        let client = (seen.site, seen.client);
        let may = seen.transport == Transport::Tcp && seen.outcome == Outcome::Completed;
        if may && ages && self.clients.len() >= CLIENTS {
            let old = seen.start.before(AGE);
            self.clients.retain(|_, done| done.back().is_some_and(|done| done.at >= old));
            if self.clients.len() > CLIENTS * 3 / 4 {
                // A crowd of new clients: what could be known of them is not worth a search for each.
                self.clients.clear();
            }
        }
        if !may || self.clients.len() >= CLIENTS && !self.clients.contains_key(&client) {
            return;
        }
        let done = self.clients.entry(client).or_default();
        done.push_back(Done { at: seen.start, server: seen.server, name: seen.name.map(str::to_owned), id });
        if done.len() > PER_CLIENT {
            done.pop_front();
        }
    }

    /// The report's id of the connection that took the place of a blocked one: the same client and server, the nearest in time.
    pub(super) fn of(&self, blocked: &Blocked, server: &Endpoint, name: Option<&str>) -> Option<Id> {
        let distance = |done: &Done| done.at.apart(blocked.at);
        let same = |done: &&Done| done.server == *server || name.is_some() && done.name.as_deref() == name;
        let all = self.clients.get(&blocked.client)?.iter().filter(same).filter(|done| distance(done) <= WITHIN);
        all.min_by_key(|done| distance(done)).map(|done| done.id)
    }
}

/// Clients remembered, and completed handshakes of each.
const CLIENTS: usize = 4096;
const PER_CLIENT: usize = 12;
/// A verdict that asks for a fallback is not later than this.
const AGE: Duration = Duration::from_secs(180);
/// A client that falls back does so within this time.
const WITHIN: Duration = Duration::from_secs(10);
