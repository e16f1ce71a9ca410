//! What the machines of a partition share: certificates, keys, and the account of what no server answered.

use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::flow::{Endpoint, FlowKey};
use crate::limits;
use crate::secrets::KeyRing;
use crate::shard::Shard;
use crate::site::Site;
use crate::time::{Mark, Timestamp};
use crate::tls::certificate::{Certificate, CertificateStore};
use crate::traffic::Traffic;

use super::facts::Handshake;
use super::lookups::Heard;

/// What the machines of a partition share.
#[derive(Debug)]
pub struct Shared {
    /// Every distinct certificate, parsed once.
    pub(super) certificates: CertificateStore,
    /// Secrets, where any are given.
    pub(super) keys: Option<Arc<KeyRing>>,
    /// Buffers for records that span segments, at rest.
    pub(super) buffers: Vec<Vec<u8>>,
    /// How many secrets may still be tried on connections that are not theirs by name.
    pub(super) tries: u32,
    stall_after: Duration,
    /// Handshakes are watched while they happen: stalls are told at once, and what has completed is not waited for.
    live: bool,
    /// What the packets of the partition were.
    pub traffic: Traffic,
    /// Handshakes that ended, in no particular order.
    pub concluded: Vec<Box<Handshake>>,
    /// Tunnels inside opened connections that were not followed to their end, to stay within bounds.
    pub tunnels_dropped: u64,
    /// Connections that never got beyond their SYN and are summed up instead of reported.
    pub half_open: Vec<HalfOpen>,
    /// What answers of the DNS said.
    pub heard: Vec<Heard>,
    /// By site and server, what became of the connections that it did not answer, since this moment.
    unanswered: HashMap<(Site, Endpoint), Unanswered, RandomState>,
    unanswered_since: Timestamp,
    /// The shard that is read, if it is one by itself.
    shard: Option<Shard>,
}

/// Connections that never got beyond their SYN, sent to one server within one second of packet time, that ended within the same
/// [frames](FRAMES).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfOpen {
    /// Where.
    pub site: Site,
    /// Whom they were meant for.
    pub server: Endpoint,
    /// The first one's SYN.
    pub first: Mark,
    /// How many there are.
    pub count: u32,
    /// The first frame after those within which they ended, [`u64::MAX`] at the end of the capture. What is concluded then or later is judged
    /// with them in mind.
    pub known_at: u64,
}

/// Frames that share their sums. Numbers of frames part them, and not what was read at a time, lest verdicts depend on that.
const FRAMES: u64 = 256;

/// Connections to one server that were not answered.
#[derive(Debug, Default)]
struct Unanswered {
    /// Told of while they waited.
    flagged: u32,
    /// Reported one by one.
    reported: u32,
    /// Reported one by one although there were enough: their SYNs were repeated, as those of clients are that wait, and of a flood are not.
    repeated: u32,
    /// Thrown out because there were too many.
    evicted: u32,
    /// Where the last that was summed up is counted.
    place: usize,
}

impl Unanswered {
    /// How many are reported one by one. Of a flood one is as good as another.
    const fn most(&self) -> u32 {
        if self.evicted > limits::UNANSWERED_REPORTS { 1 } else { limits::UNANSWERED_REPORTS }
    }
}

impl Shared {
    /// Nothing concluded yet.
    pub fn new(stall_after: Duration, live: bool) -> Self {
        Self {
            certificates: CertificateStore::default(),
            keys: None,
            tries: limits::KEY_TRIES,
            buffers: Vec::new(),
            stall_after,
            live,
            traffic: Traffic::default(),
            concluded: Vec::new(),
            tunnels_dropped: 0,
            half_open: Vec::new(),
            heard: Vec::new(),
            unanswered: HashMap::default(),
            unanswered_since: Timestamp::MIN,
            shard: None,
        }
    }

    /// The same for a shard that is read by itself.
    #[must_use]
    pub const fn of_shard(mut self, shard: Option<Shard>) -> Self {
        self.shard = shard;
        self
    }

    /// Whether this flow is counted here, and in no other shard.
    pub(super) fn counts(&self, key: &FlowKey) -> bool {
        self.shard.is_none_or(|shard| shard.counts(key))
    }

    /// Whether someone watches.
    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// No progress for longer than this is a stall.
    pub(super) const fn stall_after(&self) -> Duration {
        self.stall_after
    }

    /// Secrets to decrypt with, known or to come.
    pub fn set_keys(&mut self, keys: Arc<KeyRing>) {
        self.keys = Some(keys);
    }

    /// Whether an unanswered connection to this server is still reported on its own. Those whose SYN was sent again, which a flood's are not, take
    /// nothing from the room of the others: which of them comes first depends on when the capture ends.
    pub(super) fn reports_unanswered(&mut self, server: (Site, Endpoint), repeated: bool) -> bool {
        if repeated {
            return self.counts_unanswered(server, 2, |unanswered| &mut unanswered.repeated);
        }
        self.counts_unanswered(server, 1, |unanswered| &mut unanswered.reported)
    }

    /// Whether it is told of one while it waits. What was told must be corrected, and is therefore reported in any case.
    pub(super) fn flags_unanswered(&mut self, server: (Site, Endpoint), now: Timestamp) -> bool {
        if now.since(self.unanswered_since) >= limits::UNANSWERED_AGE {
            self.unanswered_since = now;
            self.unanswered.clear();
        }
        self.counts_unanswered(server, 1, |unanswered| &mut unanswered.flagged)
    }

    fn counts_unanswered(&mut self, server: (Site, Endpoint), times: u32, count: impl Fn(&mut Unanswered) -> &mut u32) -> bool {
        let Some(unanswered) = self.unanswered_of(server) else { return false };
        let most = unanswered.most().saturating_mul(times);
        let count = count(unanswered);
        *count = count.saturating_add(1);
        *count <= most
    }

    /// Whether so many unanswered connections to this server were reported that the next is summed up.
    pub(super) fn has_enough_unanswered(&self, server: (Site, Endpoint)) -> bool {
        match self.unanswered.get(&server) {
            Some(known) => known.reported >= known.most(),
            None => self.unanswered.len() >= limits::UNANSWERED_SERVERS,
        }
    }

    /// Counts an unanswered connection that was thrown out.
    pub(super) fn count_evicted(&mut self, server: (Site, Endpoint)) {
        if let Some(unanswered) = self.unanswered_of(server) {
            unanswered.evicted = unanswered.evicted.saturating_add(1);
        }
    }

    /// What became of a server's connections, counted from here on if it was not before; `None` when too many are counted already.
    fn unanswered_of(&mut self, server: (Site, Endpoint)) -> Option<&mut Unanswered> {
        let has_room = self.unanswered.len() < limits::UNANSWERED_SERVERS;
        match self.unanswered.entry(server) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) => has_room.then(|| place.insert(Unanswered::default())),
        }
    }

    /// Counts a connection that is summed up, and ended at this frame.
    pub(super) fn sum_up(&mut self, key: &FlowKey, server: Endpoint, first: Mark, at: u64) {
        // Another shard that holds it, too, knows its server.
        if self.shard.is_some_and(|shard| !shard.judges(key, server.address)) {
            return;
        }
        let server = (key.site, server);
        let second = first.time.seconds();
        let known_at = at.checked_next_multiple_of(FRAMES).unwrap_or(u64::MAX);
        let known = self.unanswered.get(&server).and_then(|known| self.half_open.get_mut(known.place));
        match known {
            Some(known)
                if (known.site, known.server, known.known_at) == (server.0, server.1, known_at) && known.first.time.seconds() == second =>
            {
                known.count = known.count.saturating_add(1);
            }
            _ => {
                if let Some(known) = self.unanswered.get_mut(&server) {
                    known.place = self.half_open.len();
                }
                let (site, server) = server;
                self.half_open.push(HalfOpen { site, server, first, count: 1, known_at });
            }
        }
    }
}

/// A certificate as the partition's store holds it.
pub(super) fn intern(shared: &mut Shared, der: &[u8]) -> Arc<Certificate> {
    shared.certificates.intern(der)
}
