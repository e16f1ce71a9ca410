//! What clients tried lately, the latest of all clients in one row. Most clients are seen once, and few handshakes ask what else their client
//! tried: to enter an attempt is to write it down behind the one before, and to ask is to look through the row.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::quality::RandomState;

use super::cause::Cause;
use super::knowledge::Related;
use crate::flow::Endpoint;
use crate::handshake::Handshake;

/// Attempts remembered, of all clients together.
const ATTEMPTS: usize = 16384;
/// Of those, how many of one client are looked at, the latest first.
const PER_CLIENT: usize = 12;
/// Marks that are looked at in one step.
const STEP: usize = 64;

/// The latest attempts of all clients.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    row: Vec<Attempt>,
    /// By place in the row, a hash of the client's address.
    marks: Vec<u32>,
    /// Where the next one is put down: behind the last, and once the row is full over the oldest.
    next: usize,
    hasher: RandomState,
}

/// One attempt.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// The tag of the name that was asked for.
    pub(super) name: u64,
    pub(super) related: Related,
}

impl Attempt {
    /// This handshake is the one that was entered.
    pub(super) fn is(&self, handshake: &Handshake) -> bool {
        self.client.port == handshake.client.port && self.related.start == handshake.flow.first
    }
}

impl Attempts {
    /// Enters one, and forgets the oldest where there are too many.
    pub(super) fn enter(&mut self, attempt: Attempt) {
        let mark = self.mark(attempt.client.address);
        if let (Some(oldest), Some(place)) = (self.row.get_mut(self.next), self.marks.get_mut(self.next)) {
            (*oldest, *place) = (attempt, mark);
        } else {
            self.row.push(attempt);
            self.marks.push(mark);
        }
        self.next = (self.next + 1) % ATTEMPTS;
    }

    /// A client's attempts, the latest first.
    pub(super) fn of(&self, client: IpAddr) -> impl Iterator<Item = &Attempt> {
        self.places(client).filter_map(|place| self.row.get(place))
    }

    /// Enters the cause that was found for a handshake.
    pub(super) fn explain(&mut self, handshake: &Handshake, cause: Cause) {
        let own = self.places(handshake.client.address).find(|place| self.row.get(*place).is_some_and(|attempt| attempt.is(handshake)));
        if let Some(own) = own.and_then(|place| self.row.get_mut(place)) {
            own.related.cause = Some(cause);
        }
    }

    /// Where a client's attempts stand in the row, the latest first.
    fn places(&self, client: IpAddr) -> impl Iterator<Item = usize> {
        let mark = self.mark(client);
        let (late, early) = self.marks.split_at_checked(self.next).unwrap_or_default();
        let places = among(late, mark, 0).chain(among(early, mark, self.next));
        places.filter(move |place| self.row.get(*place).is_some_and(|attempt| attempt.client.address == client)).take(PER_CLIENT)
    }

    fn mark(&self, client: IpAddr) -> u32 {
        u32::try_from(self.hasher.hash_one(client) >> 32).unwrap_or(0)
    }
}

/// Where this mark stands among those that begin at a place of the row, from behind.
fn among(marks: &[u32], mark: u32, begin: usize) -> impl Iterator<Item = usize> {
    // All marks of a step are compared before any is looked at on its own.
    let steps = marks.chunks(STEP).enumerate().rev();
    let steps = steps.filter(move |(_, step)| step.iter().fold(0, |any, known| any | u8::from(*known == mark)) != 0);
    steps.flat_map(move |(number, step)| {
        let marks = step.iter().enumerate().rev().filter(move |(_, known)| **known == mark);
        marks.map(move |(at, _)| begin + number * STEP + at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connected};
    use crate::handshake::facts::Outcome;

    /// An attempt by this client that begins with this frame.
    fn attempt(client: Endpoint, frame: u64) -> Attempt {
        let related = Related {
            start: at(frame, 0),
            same_endpoint: false,
            same_name: false,
            outcome: Outcome::Completed,
            cause: None,
            highest_version: None,
            post_quantum: false,
            hello_len: 0,
            hello_shape: 0,
            ech: false,
            hello_after: std::time::Duration::ZERO,
            passed: crate::flow::PerSide::default(),
            went_unanswered: false,
            left_waiting: false,
            server_unseen: false,
            transport: crate::flow::Transport::Tcp,
            answered_in: None,
        };
        Attempt { client, server: client, name: 1, related }
    }

    fn frames(attempts: &Attempts, client: Endpoint) -> Vec<u64> {
        attempts.of(client.address).map(|attempt| attempt.related.start.frame).collect()
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
        assert_eq!((attempts.row.len(), attempts.marks.len()), (ATTEMPTS, ATTEMPTS));
    }

    #[test]
    fn a_cause_is_entered_where_it_belongs() {
        let handshake = connected();
        let mut attempts = Attempts::default();
        for frame in [handshake.flow.first.frame + 1, handshake.flow.first.frame] {
            let mut attempt = attempt(handshake.client, frame);
            attempt.related.start.time = handshake.flow.first.time;
            attempts.enter(attempt);
        }
        attempts.explain(&handshake, Cause::PacketLoss);
        let causes: Vec<_> = attempts.of(handshake.client.address).map(|attempt| attempt.related.cause).collect();
        assert_eq!(causes, [Some(Cause::PacketLoss), None]);
    }
}
