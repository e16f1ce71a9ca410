//! What clients tried lately, the latest of all clients in one row. Each knows the one before it of the same client at the same server's address, or of
//! two that are taken for those, so that to enter an attempt and to ask for those of a client costs the same however many there are. What a client tried
//! at another address says little of this one, and whoever reads the handshakes with some servers only need not know it.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::quality::RandomState;

use super::cause::Cause;
use super::knowledge::Related;
use super::row::Row;
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
    row: Row<Attempt, ATTEMPTS>,
    hasher: RandomState,
}

/// One attempt.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) site: Site,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// It was made inside another's TLS, through a proxy: what became of that says nothing of this one.
    pub(super) inside: bool,
    /// The tag of the name that was asked for.
    pub(super) name: u64,
    pub(super) related: Related,
}

/// A client's address and a server's, at a site, inside TLS or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    site: Site,
    client: IpAddr,
    server: IpAddr,
    inside: bool,
}

impl Pair {
    pub(super) fn of(handshake: &Handshake) -> Self {
        let (client, server) = (handshake.client.address, handshake.server.address);
        Self { site: handshake.flow.key.site, client, server, inside: handshake.flow.path.is_inside_another() }
    }
}

impl Attempt {
    const fn pair(&self) -> Pair {
        Pair { site: self.site, client: self.client.address, server: self.server.address, inside: self.inside }
    }

    /// This handshake is the one that was entered.
    pub(super) fn is(&self, handshake: &Handshake) -> bool {
        self.site == handshake.flow.key.site && self.client.port == handshake.client.port && self.related.start == handshake.flow.first
    }
}

impl Attempts {
    /// Enters one, and forgets the oldest where there are too many.
    pub(super) fn enter(&mut self, attempt: Attempt) {
        self.row.enter(self.hasher.hash_one(attempt.pair()), attempt);
    }

    /// A client's attempts at an address, the latest first.
    pub(super) fn of(&self, pair: Pair) -> impl Iterator<Item = &Attempt> {
        let own = self.row.of(self.hasher.hash_one(pair));
        own.filter(move |attempt| attempt.pair() == pair).take(PER_CLIENT)
    }

    /// Enters the cause that was found for a handshake.
    pub(super) fn explain(&mut self, handshake: &Handshake, cause: Cause) {
        let pair = Pair::of(handshake);
        // Those of another pair, whose hash is the same by accident, take their room.
        let own = self.row.find_among(self.hasher.hash_one(pair), PER_CLIENT, |attempt| attempt.pair() == pair && attempt.is(handshake));
        if let Some(own) = own {
            own.related.cause = Some(cause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connected, related};

    /// An attempt by this client that begins with this frame.
    fn attempt(client: Endpoint, frame: u64) -> Attempt {
        Attempt { site: Site::NONE, client, server: client, inside: false, name: 1, related: related(at(frame, 0)) }
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
        assert_eq!(attempts.row.len(), ATTEMPTS);
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
