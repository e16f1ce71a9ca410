//! Handshakes that were captured at several points: before and behind an address translation, a bridge, a balancer that passes TLS on. One
//! ClientHello, with its random, is one handshake, whatever addresses and ports carry it.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::diagnosis::row::Row;
use crate::flow::Endpoint;
use crate::handshake::Handshake;
use crate::site::Site;
use crate::time::Timestamp;

/// The handshakes seen lately.
#[derive(Debug, Default)]
pub(super) struct Twins {
    row: Row<Known, MOST>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The random of its ClientHello, and the site.
    random: (Site, [u8; 32]),
    client: Endpoint,
    server: Endpoint,
    start: Timestamp,
    /// At how many other points it was seen.
    copies: u8,
}

/// What a handshake is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) site: Site,
    /// The random of its ClientHello.
    pub(super) random: Option<[u8; 32]>,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    pub(super) start: Timestamp,
}

impl Sight {
    pub(super) fn of(handshake: &Handshake) -> Self {
        Self {
            site: handshake.flow.key.site,
            random: handshake.hello().and_then(|hello| <[u8; 32]>::try_from(hello.random()).ok()),
            client: handshake.client,
            server: handshake.server,
            start: handshake.flow.first.time,
        }
    }
}

impl Twins {
    /// Whether this handshake was seen at another point before: the same random, at about the same time, with another address at one end, while the
    /// other end stays or is where the connection was passed on. A client that tries again keeps its address and reaches the same server; a random
    /// that many share is no random.
    pub(super) fn is_copy(&mut self, sight: &Sight) -> bool {
        let Sight { site, random: Some(random), client, server, start } = *sight else { return false };
        let random = (site, random);
        let hash = self.hasher.hash_one(random);
        if let Some(known) = self.row.find(hash, |known| known.random == random) {
            let moved = known.client.address != client.address || known.server.address != server.address;
            let linked = known.client.address == client.address
                || known.server.address == server.address
                || known.server.address == client.address
                || known.client.address == server.address;
            let soon = known.start.since(start).max(start.since(known.start)) <= APART;
            let is_copy = moved && linked && soon && known.copies < POINTS;
            known.copies = known.copies.saturating_add(u8::from(is_copy));
            return is_copy;
        }
        self.row.enter(hash, Known { random, client, server, start, copies: 0 });
        false
    }
}

/// Handshakes remembered: those that several points see close within moments of each other.
const MOST: usize = 4096;

/// More points than this see no handshake: a host, its bridges and balancers make up a handful.
const POINTS: u8 = 8;

/// Two points see the beginning of one handshake no further apart: the SYN, or where a connection is passed on, the wait for the hello.
const APART: std::time::Duration = std::time::Duration::from_secs(3);
