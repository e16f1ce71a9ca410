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
/// Of those, how many of one client at one address are looked at.
const PER_CLIENT: usize = 24;
/// Among so many that ended before or behind one, those are found that began with it: a failure is over at once, and what went well around it later.
const REACH: usize = 48;
/// An attempt that is so old is forgotten soon, and with it what was tried around it.
const OLD: usize = ATTEMPTS / 4 * 3;

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
    /// Enters one, and forgets the oldest where there are too many. Gives its number.
    pub(super) fn enter(&mut self, attempt: Attempt) -> Entered {
        Entered(self.row.enter(self.hasher.hash_one(attempt.pair()), attempt.related.start.time, attempt))
    }

    /// A client's attempts at an address that began with the one of them with this number, itself among them, the latest first.
    pub(super) fn around(&self, pair: Pair, entered: Entered) -> impl Iterator<Item = &Attempt> {
        self.row.around(entered.0, self.hasher.hash_one(pair), (PER_CLIENT, REACH)).filter(move |attempt| attempt.pair() == pair)
    }

    /// A client's latest attempts at an address, the latest first.
    pub(super) fn latest(&self, pair: Pair) -> impl Iterator<Item = &Attempt> {
        let own = self.row.of(self.hasher.hash_one(pair));
        own.filter(move |attempt| attempt.pair() == pair).take(PER_CLIENT)
    }

    /// What was tried around this one is forgotten soon.
    pub(super) const fn is_old(&self, entered: Entered) -> bool {
        self.row.age(entered.0) >= OLD
    }

    /// Enters the cause that was found for it.
    pub(super) fn explain(&mut self, entered: Entered, cause: Cause) {
        if let Some(own) = self.row.get_mut(entered.0) {
            own.related.cause = Some(cause);
        }
    }
}

/// The number of an attempt that was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered(u32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, related};
    use crate::time::Timestamp;

    /// An attempt by this client that begins with this frame.
    fn attempt(client: Endpoint, frame: u64) -> Attempt {
        Attempt { site: Site::NONE, client, server: client, inside: false, name: 1, related: related(at(frame, 0)) }
    }

    fn frames(attempts: &Attempts, client: Endpoint) -> Vec<u64> {
        attempts.latest(attempt(client, 0).pair()).map(|attempt| attempt.related.start.frame).collect()
    }

    #[test]
    fn what_comes_later_does_not_hide_what_was_around() {
        let client = Endpoint::new(IpAddr::from([10, 0, 0, 1]), 1);
        let pair = attempt(client, 0).pair();
        let mut attempts = Attempts::default();
        // A second apart each, but for one that lasted for twenty.
        let (first, late, middle, last) = (ATTEMPTS, ATTEMPTS + 490, ATTEMPTS + 500, 2 * ATTEMPTS - 1);
        let began = |number: usize| if number == late { number - 20 } else { number };
        let entered: Vec<Entered> = (0..2 * ATTEMPTS)
            .map(|number| {
                let mut attempt = attempt(client, number as u64);
                attempt.related.start.time = Timestamp::from_parts(i64::try_from(began(number)).unwrap(), 0);
                attempts.enter(attempt)
            })
            .collect();
        let frames = |number: usize| -> Vec<usize> {
            attempts.around(pair, entered[number]).map(|attempt| usize::try_from(attempt.related.start.frame).unwrap()).collect()
        };
        let half = PER_CLIENT / 2;
        let with_it = late - 20;
        let near = |number: usize| (number - half + 1..number + half).rev().collect::<Vec<_>>();
        assert!(near(middle).iter().all(|number| frames(middle).contains(number) == (*number != late)), "the late one began long before");
        assert!(near(with_it).iter().chain([&late]).all(|number| frames(late).contains(number)), "those that began with it");
        assert_eq!((frames(middle).len(), frames(late).len()), (PER_CLIENT + 1, PER_CLIENT + 1));
        assert_eq!(frames(first), (first..=first + PER_CLIENT).rev().collect::<Vec<_>>());
        assert_eq!(frames(last), (last - PER_CLIENT..=last).rev().collect::<Vec<_>>());
        assert!(frames(first - 1).is_empty(), "forgotten");
        let old = |number: usize| attempts.is_old(entered[number]);
        assert_eq!((old(first), old(middle), old(last - OLD), old(last - OLD + 1)), (true, true, true, false));
    }

    #[test]
    fn the_latest_of_each_client_are_remembered() {
        let client = |number: u32| Endpoint::new(IpAddr::from(number.to_be_bytes()), 1);
        let mut attempts = Attempts::default();
        for frame in 0..40 {
            attempts.enter(attempt(client(7), frame));
        }
        attempts.enter(attempt(client(8), 40));
        assert_eq!(frames(&attempts, client(7)), (16..40).rev().collect::<Vec<_>>());
        assert_eq!((frames(&attempts, client(8)), frames(&attempts, client(9))), (vec![40], vec![]));
        for number in 0..ATTEMPTS - 3 {
            attempts.enter(attempt(client(1000 + u32::try_from(number).unwrap()), 99));
        }
        assert_eq!((frames(&attempts, client(7)), frames(&attempts, client(8))), (vec![39, 38], vec![40]));
        attempts.enter(attempt(client(7), 100));
        attempts.enter(attempt(client(9), 101));
        assert_eq!((frames(&attempts, client(7)), frames(&attempts, client(8))), (vec![100], vec![40]));
        attempts.enter(attempt(client(9), 102));
        assert_eq!((frames(&attempts, client(8)), frames(&attempts, client(9))), (vec![], vec![102, 101]));
        assert_eq!(attempts.row.len(), ATTEMPTS);
    }

    #[test]
    fn a_cause_is_entered_where_it_belongs() {
        let client = Endpoint::new(IpAddr::from([10, 0, 0, 1]), 1);
        let mut attempts = Attempts::default();
        let entered = [1, 2].map(|frame| attempts.enter(attempt(client, frame)));
        attempts.explain(entered[0], Cause::PacketLoss);
        let causes: Vec<_> = attempts.latest(attempt(client, 0).pair()).map(|attempt| attempt.related.cause).collect();
        assert_eq!(causes, [None, Some(Cause::PacketLoss)]);
    }
}
