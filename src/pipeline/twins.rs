//! Handshakes that were captured at several points: before and behind an address translation, a bridge, a balancer that passes TLS on. One
//! ClientHello, with its random, is one handshake, whatever addresses and ports carry it; so is one SYN, where it came no further. Multipath TCP sends a
//! hello that comes to nothing once more on another of its subflows: that is one handshake as well.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::diagnosis::row::Row;
use crate::flow::{Endpoint, Side};
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::site::Site;
use crate::time::Timestamp;

/// The handshakes seen lately.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// By the random of their ClientHello.
    hellos: Row<Known<[u8; 32]>, MOST>,
    /// By their SYN.
    openings: Row<Known<Opening>, MOST>,
    hasher: RandomState,
}

/// What no two connections share: the client's initial sequence number, and the timestamp of its SYN or, where it bears none, the identification of its
/// packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Opening {
    Stamped { isn: u32, timestamp: u32 },
    Numbered { isn: u32, ip_id: u16 },
}

impl Opening {
    /// Whoever passes a SYN on may change its number, and leaves the timestamp.
    fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Stamped { isn, timestamp }, Self::Stamped { isn: other, timestamp: at }) => isn == other || timestamp == at,
            (
                Self::Stamped { isn, .. } | Self::Numbered { isn, .. },
                Self::Stamped { isn: other, .. } | Self::Numbered { isn: other, .. },
            ) => isn == other,
        }
    }

    const fn isn(self) -> u32 {
        match self {
            Self::Stamped { isn, .. } | Self::Numbered { isn, .. } => isn,
        }
    }

    fn of(handshake: &Handshake) -> Option<Self> {
        // What lies inside another connection was opened by none of its own.
        let syn = handshake.flow.side(Side::Client).syn.filter(|_| !handshake.flow.path.is_inside_another())?;
        // Whoever makes up packets begins with nothing more often than with anything else.
        let isn = Some(syn.isn).filter(|isn| *isn != 0)?;
        match (syn.timestamp, syn.ip_id) {
            (Some(timestamp), _) => Some(Self::Stamped { isn, timestamp }),
            (None, Some(ip_id)) if ip_id != 0 => Some(Self::Numbered { isn, ip_id }),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Known<K> {
    key: (Site, K),
    client: Endpoint,
    server: Endpoint,
    start: Timestamp,
    end: Timestamp,
    /// When its ClientHello came, and when it was answered, if it was, or was over.
    asking: Asking,
    opening: Option<Opening>,
    /// Its ClientHello was seen.
    spoke: bool,
    completed: bool,
    /// It is a further subflow of Multipath TCP.
    joins: bool,
    /// At how many other points it was seen.
    copies: u8,
    /// Its ends at a point that saw it without a ClientHello.
    mute: Option<(Endpoint, Endpoint)>,
}

/// What a handshake is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) site: Site,
    /// The random of its ClientHello.
    pub(super) random: Option<[u8; 32]>,
    /// Its SYN, over TCP.
    pub(super) opening: Option<Opening>,
    /// The number of a SYN that was answered here and is not here.
    pub(super) answers: Option<u32>,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    pub(super) start: Timestamp,
    /// Its last packet.
    pub(super) end: Timestamp,
    /// When its ClientHello came, and when it was answered, if it was, or was over.
    pub(super) asking: Asking,
    pub(super) completed: bool,
    /// It is a further subflow of Multipath TCP.
    pub(super) joins: bool,
}

/// The time between a ClientHello and what answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Asking {
    fn of(handshake: &Handshake) -> Self {
        let from = handshake.last_hello().map_or(handshake.flow.first.time, |hello| hello.first.time);
        let answer = handshake.server_hello.as_ref().map(|hello| hello.first).or(handshake.end);
        Self { from, to: answer.unwrap_or(handshake.flow.last).time }
    }

    /// Whoever passes a hello on waits for the answer in order to pass that on.
    fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// What a handshake is to those that were seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// Another one.
    Other,
    /// The same, captured at another point.
    Copy,
    /// The same, sent on another subflow.
    Subflow,
    /// Late copies of the packets that opened an earlier one between the same ends.
    Late,
}

impl Sight {
    pub(super) fn of(handshake: &Handshake) -> Self {
        let joins = |side| handshake.flow.side(side).syn.is_some_and(|syn| syn.joins);
        Self {
            site: handshake.flow.key.site,
            random: handshake.hello().and_then(|hello| <[u8; 32]>::try_from(hello.random()).ok()),
            opening: Opening::of(handshake),
            answers: handshake
                .flow
                .side(Side::Server)
                .syn
                .filter(|_| handshake.flow.side(Side::Client).syn.is_none() && !handshake.flow.path.is_inside_another())
                .and_then(|syn| syn.answers),
            client: handshake.client,
            server: handshake.server,
            start: handshake.flow.first.time,
            end: handshake.flow.last.time,
            asking: Asking::of(handshake),
            completed: handshake.outcome == Outcome::Completed,
            joins: Side::BOTH.into_iter().any(joins),
        }
    }

    const fn known<K: Copy>(&self, key: K) -> Known<K> {
        let Self { site, random, opening, client, server, start, end, asking, completed, joins, .. } = *self;
        let spoke = random.is_some();
        let mute = if spoke { None } else { Some((client, server)) };
        Known { key: (site, key), client, server, start, end, asking, opening, spoke, completed, joins, copies: 0, mute }
    }
}

impl<K> Known<K> {
    /// It has another address at one end, and began at about the same time.
    fn is_elsewhere(&self, sight: &Sight, within: Duration) -> bool {
        let moved = self.client.address != sight.client.address || self.server.address != sight.server.address;
        moved && self.start.apart(sight.start) <= within
    }

    /// It has the same ends, and had completed and was over not long before.
    fn is_over_before(&self, sight: &Sight) -> bool {
        let same = (self.client, self.server) == (sight.client, sight.server);
        same && self.completed && sight.start > self.end && sight.start.since(self.end) <= LIFETIME
    }

    /// One end stays, or is where the connection was passed on.
    fn is_linked(&self, sight: &Sight) -> bool {
        self.client.address == sight.client.address || self.server.address == sight.server.address || self.is_passed_on(sight)
    }

    fn is_passed_on(&self, sight: &Sight) -> bool {
        self.server.address == sight.client.address || self.client.address == sight.server.address
    }

    /// Of two connections that have a hello in common: nothing shows that they were two. Devices without randomness say the same each time, and so do
    /// checks that send what was recorded; then one was answered before the next was asked, with numbers of its own.
    fn may_be_one(&self, sight: &Sight) -> bool {
        let alike = self.opening.zip(sight.opening).is_none_or(|(one, other)| one.is_like(other));
        alike || self.asking.overlaps(sight.asking) || self.is_passed_on(sight)
    }
}

impl Twins {
    /// What this handshake is to those that were seen before. A copy has the same random, at about the same time, with another address at one end, while
    /// the other end stays or is where the connection was passed on. A client that tries again keeps its address and reaches the same server; a random
    /// that many share is no random. Where no hello came, the SYN tells as much.
    pub(super) fn likeness(&mut self, sight: &Sight) -> Likeness {
        let of_opening = self.of_opening(sight);
        let random = sight.random.filter(|_| of_opening != Likeness::Late);
        random.map_or(of_opening, |random| self.of_hello(sight, random))
    }

    fn of_hello(&mut self, sight: &Sight, random: [u8; 32]) -> Likeness {
        let hash = self.hasher.hash_one((sight.site, random));
        let Some(known) = self.hellos.find(hash, |known| known.key == (sight.site, random)) else {
            self.hellos.enter(hash, sight.start, sight.known(random));
            return Likeness::Other;
        };
        let joined = known.joins || sight.joins;
        let elsewhere = known.is_elsewhere(sight, if joined { SENT_ELSEWHERE } else { APART });
        let same = elsewhere && (joined || known.is_linked(sight) && known.may_be_one(sight));
        if !same && !joined {
            // Of those that follow, copies are of this one.
            *known = Known { copies: known.copies, ..sight.known(random) };
        }
        if !same || known.copies >= POINTS {
            return Likeness::Other;
        }
        known.copies = known.copies.saturating_add(1);
        if joined && sight.completed && !known.completed {
            // This is how it went; what came to nothing before waits, and is asked about again.
            *known = Known { copies: known.copies, ..sight.known(random) };
            return Likeness::Other;
        }
        if joined { Likeness::Subflow } else { Likeness::Copy }
    }

    fn of_opening(&mut self, sight: &Sight) -> Likeness {
        let Some(opening) = sight.opening else { return self.of_answer(sight) };
        let hash = self.hasher.hash_one((sight.site, opening.isn()));
        let Some(known) = self.openings.find(hash, |known| known.key == (sight.site, opening)) else {
            self.openings.enter(hash, sight.start, sight.known(opening));
            return Likeness::Other;
        };
        // No two SYNs have one number and one time: it comes once more when its connection is over.
        if matches!(opening, Opening::Stamped { .. }) && known.is_over_before(sight) {
            return Likeness::Late;
        }
        let same = known.is_elsewhere(sight, PASSED_ON) && known.is_linked(sight) && known.copies < POINTS;
        known.copies = known.copies.saturating_add(u8::from(same));
        known.spoke |= same && sight.random.is_some();
        if same && sight.random.is_none() {
            known.mute = Some((sight.client, sight.server));
        }
        if same { Likeness::Copy } else { Likeness::Other }
    }

    /// Of a SYN that came late and was not taken in, the answer is there.
    fn of_answer(&mut self, sight: &Sight) -> Likeness {
        let Some(isn) = sight.answers else { return Likeness::Other };
        let hash = self.hasher.hash_one((sight.site, isn));
        let known = self.openings.find(hash, |known| known.key.0 == sight.site && known.key.1.isn() == isn && known.is_over_before(sight));
        if known.is_some() { Likeness::Late } else { Likeness::Other }
    }

    /// The ends of this connection at another point, which saw its SYN and no ClientHello.
    pub(super) fn mute(&mut self, sight: &Sight) -> Option<(Endpoint, Endpoint)> {
        let opening = sight.opening.filter(|_| sight.random.is_some())?;
        let hash = self.hasher.hash_one((sight.site, opening.isn()));
        self.openings.find(hash, |known| known.key == (sight.site, opening))?.mute.filter(|ends| *ends != (sight.client, sight.server))
    }

    /// What a failed handshake that waited turns out to be now: another point shows more of the connection, or another subflow led to the end.
    pub(super) fn outdone(&mut self, sight: &Sight) -> Likeness {
        if let Some(random) = sight.random {
            let hash = self.hasher.hash_one((sight.site, random));
            let known = self.hellos.find(hash, |known| known.key == (sight.site, random));
            let better = known.is_some_and(|known| {
                known.completed && (known.joins || sight.joins) && known.is_elsewhere(sight, SENT_ELSEWHERE) && !sight.completed
            });
            return if better { Likeness::Subflow } else { Likeness::Other };
        }
        let Some(opening) = sight.opening else { return Likeness::Other };
        let hash = self.hasher.hash_one((sight.site, opening.isn()));
        let known = self.openings.find(hash, |known| known.key == (sight.site, opening));
        let better = known.is_some_and(|known| known.spoke && known.copies > 0);
        if better { Likeness::Copy } else { Likeness::Other }
    }
}

/// Handshakes remembered: those that several points see close within moments of each other.
const MOST: usize = 4096;

/// More points than this see no handshake: a host, its bridges and balancers make up a handful.
const POINTS: u8 = 8;

/// Two points see the beginning of one handshake no further apart: the SYN, or where a connection is passed on, the wait for the hello.
const APART: Duration = Duration::from_secs(3);

/// Two points see one SYN no further apart: whoever passes packets on does not keep them.
const PASSED_ON: Duration = Duration::from_secs(1);

/// A packet wanders about for no longer (RFC 9293 section 3.4.2 takes two minutes for it, systems half of that).
const LIFETIME: Duration = Duration::from_secs(60);

/// Subflows are opened as long as a connection lasts, and what is sent in vain on one is sent on another when a few time-outs have passed.
const SENT_ELSEWHERE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{Scene, at, connected};

    /// A failed connection of this client to this server whose SYN has this number and the timestamp 7.
    fn opened(client: [u8; 4], server: [u8; 4], isn: u32) -> Handshake {
        let mut handshake = connected();
        handshake.client.address = client.into();
        handshake.server.address = server.into();
        if let Some(syn) = &mut handshake.flow.sides.client.syn {
            (syn.isn, syn.timestamp) = (isn, Some(7));
        }
        handshake
    }

    const INSIDE: [u8; 4] = [192, 168, 0, 7];
    const OUTSIDE: [u8; 4] = [100, 64, 0, 1];
    const SERVER: [u8; 4] = [203, 0, 113, 10];

    fn seen(twins: &mut Twins, handshake: &Handshake) -> Likeness {
        twins.likeness(&Sight::of(handshake))
    }

    #[test]
    fn one_syn_at_both_sides_of_a_translation_is_one_connection() {
        let mut twins = Twins::default();
        assert_eq!(seen(&mut twins, &opened(INSIDE, SERVER, 5)), Likeness::Other);
        assert_eq!(seen(&mut twins, &opened(OUTSIDE, SERVER, 5)), Likeness::Copy);
        assert_eq!(seen(&mut twins, &opened(OUTSIDE, SERVER, 6)), Likeness::Other, "another connection");
        assert_eq!(seen(&mut twins, &opened(INSIDE, SERVER, 5)), Likeness::Other, "the same ends: it was tried again");
        let mut later = opened(OUTSIDE, SERVER, 5);
        later.flow.first = at(90, 5_000);
        assert_eq!(seen(&mut twins, &later), Likeness::Other, "no device keeps a SYN for so long");
        let made_up = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|client| seen(&mut twins, &opened(client, SERVER, 0)));
        assert_eq!(made_up, [Likeness::Other; 2], "whoever forges senders begins with 0");
        let mut unstamped = [INSIDE, OUTSIDE].map(|client| opened(client, SERVER, 8));
        for syn in unstamped.iter_mut().filter_map(|one| one.flow.sides.client.syn.as_mut()) {
            (syn.timestamp, syn.ip_id) = (None, None);
        }
        assert_eq!(unstamped.map(|one| seen(&mut twins, &one)), [Likeness::Other; 2], "32 bits alone");
    }

    #[test]
    fn a_syn_that_comes_late_opens_nothing() {
        let again = |completed: bool, isn: u32, seconds: i64| {
            let mut twins = Twins::default();
            let mut first = opened(INSIDE, SERVER, 5);
            first.client_hellos = Scene::broad().handshake.observed.client_hellos;
            if completed {
                first.outcome = Outcome::Completed;
            }
            let mut late = opened(INSIDE, SERVER, isn);
            (late.flow.first, late.flow.last) = (at(90, seconds * 1_000), at(91, seconds * 1_000 + 1));
            assert_eq!(seen(&mut twins, &first), Likeness::Other);
            let with_syn = seen(&mut twins, &late);
            // Its copies may be left out, and the answer be there.
            let syn = late.flow.sides.client.syn.take().unwrap();
            if let Some(answer) = &mut late.flow.sides.server.syn {
                answer.answers = Some(syn.isn);
            }
            assert_eq!(seen(&mut twins, &late), with_syn);
            with_syn
        };
        assert_eq!(again(true, 5, 3), Likeness::Late);
        assert_eq!(again(true, 5, 90), Likeness::Other, "no packet lives for so long");
        assert_eq!(again(true, 6, 3), Likeness::Other, "another connection");
        assert_eq!(again(false, 5, 3), Likeness::Other, "who failed tries again");
    }

    #[test]
    fn a_hello_without_randomness_makes_no_copies() {
        // Each from a SYN of its own, at this moment.
        let tried = |client, server, isn: u32, millis: i64| {
            let mut handshake = opened(client, server, isn);
            handshake.client_hellos = Scene::broad().handshake.observed.client_hellos;
            (handshake.flow.first, handshake.flow.last) = (at(u64::from(isn), millis), at(u64::from(isn) + 9, millis + 100));
            let first = handshake.flow.first;
            handshake.client_hellos.iter_mut().for_each(|hello| (hello.first, hello.mark) = (first, first));
            handshake.end = Some(handshake.flow.last);
            if let Some(syn) = &mut handshake.flow.sides.client.syn {
                syn.timestamp = Some(100 + isn);
            }
            handshake
        };
        let other = [203, 0, 113, 11];
        let mut twins = Twins::default();
        for (number, server) in [SERVER, other, SERVER, other].into_iter().enumerate() {
            let isn = u32::try_from(number).unwrap() * 20 + 5;
            assert_eq!(seen(&mut twins, &tried(INSIDE, server, isn, i64::from(isn) * 20)), Likeness::Other, "one after the other");
        }
        let mut twins = Twins::default();
        assert_eq!(seen(&mut twins, &tried(INSIDE, SERVER, 5, 0)), Likeness::Other);
        assert_eq!(
            seen(&mut twins, &tried(INSIDE, other, 6, 50)),
            Likeness::Copy,
            "a balancer with connections of its own has both at once"
        );
        let mut twins = Twins::default();
        let mut answered = tried(INSIDE, SERVER, 5, 0);
        answered.end = Some(at(6, 20));
        assert_eq!(seen(&mut twins, &answered), Likeness::Other);
        assert_eq!(seen(&mut twins, &tried(INSIDE, other, 6, 50)), Likeness::Other, "it is asked when the first one was answered");
        let mut twins = Twins::default();
        assert_eq!(seen(&mut twins, &tried(INSIDE, SERVER, 5, 0)), Likeness::Other);
        assert_eq!(seen(&mut twins, &tried(SERVER, other, 6, 400)), Likeness::Copy, "the first one's server passes it on");
    }

    #[test]
    fn the_point_that_shows_more_is_told() {
        let mut twins = Twins::default();
        let bare = opened(OUTSIDE, SERVER, 5);
        let mut whole = opened(INSIDE, SERVER, 5);
        whole.client_hellos = Scene::broad().handshake.observed.client_hellos;
        assert_eq!(seen(&mut twins, &bare), Likeness::Other);
        assert_eq!(twins.outdone(&Sight::of(&bare)), Likeness::Other, "nothing else is known");
        assert_eq!(seen(&mut twins, &whole), Likeness::Other);
        assert_eq!(twins.outdone(&Sight::of(&bare)), Likeness::Copy);
        assert_eq!(twins.mute(&Sight::of(&whole)), Some((bare.client, bare.server)));
        assert_eq!(twins.mute(&Sight::of(&bare)), None, "it is the mute one");
        let mut twins = Twins::default();
        assert_eq!((seen(&mut twins, &whole), twins.mute(&Sight::of(&whole))), (Likeness::Other, None));
        assert_eq!(seen(&mut twins, &bare), Likeness::Copy);
        assert_eq!(twins.mute(&Sight::of(&whole)), Some((bare.client, bare.server)), "in whatever order");
        let both = Handshake { client: bare.client, ..whole.clone() };
        let mut twins = Twins::default();
        assert_eq!((seen(&mut twins, &whole), seen(&mut twins, &both)), (Likeness::Other, Likeness::Copy));
        assert_eq!(twins.mute(&Sight::of(&whole)), None, "the hello went on");
        assert_eq!(twins.outdone(&Sight::of(&whole)), Likeness::Other);
    }

    #[test]
    fn a_hello_on_two_subflows_is_one_handshake_and_the_completed_one_is_told() {
        let subflow = |client, server, joins, completed| {
            let mut handshake = opened(client, server, 5);
            handshake.client_hellos = Scene::broad().handshake.observed.client_hellos;
            if let Some(syn) = &mut handshake.flow.sides.client.syn {
                syn.joins = joins;
            }
            handshake.outcome = if completed { Outcome::Completed } else { Outcome::Stalled };
            handshake
        };
        let other = [203, 0, 113, 11];
        let (lost, went_on) = (subflow(INSIDE, SERVER, false, false), subflow(OUTSIDE, other, true, true));
        let mut twins = Twins::default();
        assert_eq!(seen(&mut twins, &lost), Likeness::Other);
        assert_eq!(seen(&mut twins, &went_on), Likeness::Other);
        assert_eq!(twins.outdone(&Sight::of(&lost)), Likeness::Subflow);
        assert_eq!(seen(&mut twins, &subflow([10, 0, 0, 9], other, true, false)), Likeness::Subflow);
        let mut twins = Twins::default();
        let plain = subflow(OUTSIDE, other, false, true);
        assert_eq!(
            (seen(&mut twins, &lost), seen(&mut twins, &plain)),
            (Likeness::Other, Likeness::Other),
            "no subflow, and no end in common"
        );
        assert_eq!(twins.outdone(&Sight::of(&lost)), Likeness::Other);
    }
}
