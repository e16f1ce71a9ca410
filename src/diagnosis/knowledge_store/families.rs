//! Which ports served lately by which version of IP: a client that tries both takes what is ready first, and leaves the other without a word (RFC 8305).
//! Nothing links the two but port and time.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::site::Site;

/// The latest connections that completed, one for each second.
#[derive(Debug, Default)]
pub(super) struct Families {
    served: VecDeque<Served>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Served {
    site: Site,
    port: u16,
    v6: bool,
    second: i64,
}

impl Families {
    /// Enters a connection, if it completed.
    pub(super) fn enter(&mut self, handshake: &Handshake) {
        let served = Served::of(handshake);
        if handshake.outcome != Outcome::Completed || self.served.iter().rev().take(FEW).any(|other| *other == served) {
            return;
        }
        if self.served.len() >= REMEMBERED {
            self.served.pop_front();
        }
        self.served.push_back(served);
    }

    /// A connection to the same port by the other version of IP began at about the same time, and completed.
    pub(super) fn served_otherwise(&self, handshake: &Handshake) -> bool {
        let own = Served::of(handshake);
        let near = |second: i64| second.abs_diff(own.second) <= NEAR;
        self.served.iter().any(|other| other.site == own.site && other.port == own.port && other.v6 != own.v6 && near(other.second))
    }
}

impl Served {
    fn of(handshake: &Handshake) -> Self {
        let v6 = matches!(handshake.server.address.to_canonical(), IpAddr::V6(_));
        Self { site: handshake.flow.key.site, port: handshake.server.port, v6, second: handshake.flow.first.time.seconds() }
    }
}

/// Connections remembered.
const REMEMBERED: usize = 256;
/// Of those, the latest, which may be of the same second.
const FEW: usize = 4;
/// Clients begin the second attempt within two seconds of the first (RFC 8305 section 5).
const NEAR: u64 = 3;
