//! What clients tried lately, the latest of all clients in one row. Each knows the one before it of the same client at the same server's address, or of
//! two that are taken for those, so that to enter an attempt and to ask for those of a client costs the same however many there are. What a client tried
//! at another address says little of this one, and whoever reads the handshakes with some servers only need not know it.

use std::hash::BuildHasher;
use std::iter;
use std::net::IpAddr;

use foldhash::quality::RandomState;

use super::cause::Cause;
use super::knowledge::Related;
use crate::flow::Endpoint;
use crate::handshake::Handshake;
use crate::site::Site;

/// Attempts remembered, of all clients together.
const ATTEMPTS: usize = 16384;
/// Of those, how many of one client at one address are looked at, the latest first.
const PER_CLIENT: usize = 12;

/// The latest attempts of all clients.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The attempt with the number `n`, counted from 1, has the place `(n - 1) % ATTEMPTS`: once the row is full it lies over the oldest.
    row: Vec<Attempt>,
    /// By place, the number of the one before it in the same bucket; 0 for none. One that was written over since ends the chain.
    before: Vec<u64>,
    /// By bucket, which is a hash of the two addresses, the number of the latest attempt.
    latest: Vec<u64>,
    /// How many were entered.
    entered: u64,
    hasher: RandomState,
}

/// One attempt.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) site: Site,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// The tag of the name that was asked for.
    pub(super) name: u64,
    pub(super) related: Related,
}

/// A client's address and a server's, at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    site: Site,
    client: IpAddr,
    server: IpAddr,
}

impl Pair {
    pub(super) fn of(handshake: &Handshake) -> Self {
        Self { site: handshake.flow.key.site, client: handshake.client.address, server: handshake.server.address }
    }
}

impl Attempt {
    const fn pair(&self) -> Pair {
        Pair { site: self.site, client: self.client.address, server: self.server.address }
    }

    /// This handshake is the one that was entered.
    pub(super) fn is(&self, handshake: &Handshake) -> bool {
        self.site == handshake.flow.key.site && self.client.port == handshake.client.port && self.related.start == handshake.flow.first
    }
}

impl Attempts {
    /// Enters one, and forgets the oldest where there are too many.
    pub(super) fn enter(&mut self, attempt: Attempt) {
        self.latest.resize(ATTEMPTS, 0);
        self.entered = self.entered.saturating_add(1);
        let bucket = self.bucket(attempt.pair());
        let before = self.latest.get_mut(bucket).map(|latest| std::mem::replace(latest, self.entered)).unwrap_or_default();
        let place = place(self.entered);
        if let (Some(oldest), Some(link)) = (self.row.get_mut(place), self.before.get_mut(place)) {
            (*oldest, *link) = (attempt, before);
        } else {
            self.row.push(attempt);
            self.before.push(before);
        }
    }

    /// A client's attempts at an address, the latest first.
    pub(super) fn of(&self, pair: Pair) -> impl Iterator<Item = &Attempt> {
        self.places(pair).filter_map(|place| self.row.get(place))
    }

    /// Enters the cause that was found for a handshake.
    pub(super) fn explain(&mut self, handshake: &Handshake, cause: Cause) {
        let own = self.places(Pair::of(handshake)).find(|place| self.row.get(*place).is_some_and(|attempt| attempt.is(handshake)));
        if let Some(own) = own.and_then(|place| self.row.get_mut(place)) {
            own.related.cause = Some(cause);
        }
    }

    /// Where a client's attempts at an address stand in the row, the latest first.
    fn places(&self, pair: Pair) -> impl Iterator<Item = usize> {
        let written_over = self.entered.saturating_sub(ATTEMPTS as u64);
        let latest = self.latest.get(self.bucket(pair)).copied();
        let numbers = iter::successors(latest, |number| self.before.get(place(*number)).copied());
        let places = numbers.take_while(move |number| *number > written_over).map(place);
        places.filter(move |place| self.row.get(*place).is_some_and(|attempt| attempt.pair() == pair)).take(PER_CLIENT)
    }

    fn bucket(&self, pair: Pair) -> usize {
        place(self.hasher.hash_one(pair))
    }
}

/// The place in a row of as many as are remembered.
fn place(number: u64) -> usize {
    usize::try_from(number.wrapping_sub(1) % ATTEMPTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connected, related};

    /// An attempt by this client that begins with this frame.
    fn attempt(client: Endpoint, frame: u64) -> Attempt {
        Attempt { site: Site::NONE, client, server: client, name: 1, related: related(at(frame, 0)) }
    }

    fn frames(attempts: &Attempts, client: Endpoint) -> Vec<u64> {
        attempts.of(attempt(client, 0).pair()).map(|attempt| attempt.related.start.frame).collect()
    }

    #[test]
    fn the_latest_of_each_client_are_remembered() {
        let client = |number: u32| Endpoint::new(IpAddr::from(number.to_be_bytes()), 1);
        let mut attempts = Attempts::default();
        for frame in 0..20 {
            attempts.enter(attempt(client(7), frame));
        }
        attempts.enter(attempt(client(8), 20));
        assert_eq!(frames(&attempts, client(7)), (8..20).rev().collect::<Vec<_>>());
        assert_eq!((frames(&attempts, client(8)), frames(&attempts, client(9))), (vec![20], vec![]));
        for number in 0..ATTEMPTS - 3 {
            attempts.enter(attempt(client(1000 + u32::try_from(number).unwrap()), 99));
        }
        assert_eq!((frames(&attempts, client(7)), frames(&attempts, client(8))), (vec![19, 18], vec![20]));
        attempts.enter(attempt(client(7), 100));
        attempts.enter(attempt(client(9), 101));
        assert_eq!((frames(&attempts, client(7)), frames(&attempts, client(8))), (vec![100], vec![20]));
        attempts.enter(attempt(client(9), 102));
        assert_eq!((frames(&attempts, client(8)), frames(&attempts, client(9))), (vec![], vec![102, 101]));
        assert_eq!((attempts.row.len(), attempts.before.len()), (ATTEMPTS, ATTEMPTS));
    }

    #[test]
    fn a_cause_is_entered_where_it_belongs() {
        let handshake = connected();
        let mut attempts = Attempts::default();
        for frame in [handshake.flow.first.frame + 1, handshake.flow.first.frame] {
            let mut attempt = Attempt { server: handshake.server, ..attempt(handshake.client, frame) };
            attempt.related.start.time = handshake.flow.first.time;
            attempts.enter(attempt);
        }
        attempts.explain(&handshake, Cause::PacketLoss);
        let causes: Vec<_> = attempts.of(Pair::of(&handshake)).map(|attempt| attempt.related.cause).collect();
        assert_eq!(causes, [Some(Cause::PacketLoss), None]);
    }
}
