//! What the handshakes of a window have to tell other shards.
//!
//! Of a chain only what is new in the window is told: who learns of issuers learns nothing from the same again.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};

use foldhash::quality::{FixedState, RandomState};

use crate::condensate::{Shown, Told};
use crate::diagnosis::clock;
use crate::diagnosis::elsewhere::elsewhere;
use crate::diagnosis::portals::led;
use crate::handshake::Handshake;
use crate::handshake::relevance::{Relevance, relevance};
use crate::limits;
use crate::shard::Shard;

/// Gathers it.
#[derive(Debug)]
pub(super) struct Telling {
    /// How many shards there are.
    of: u16,
    /// Keys that the captures contain do not go along, nor what only they show.
    without_secrets: bool,
    /// Certificates that were told, and hashes of what was told of chains.
    certificates: HashSet<[u8; 32], RandomState>,
    shown: HashSet<u64, RandomState>,
    /// Interfaces of which it was told that they hear both sides.
    hearing: HashSet<u32, RandomState>,
    /// What waits for the frame that it is told behind, with the interface that saw it.
    waiting: VecDeque<(u64, u32, Told)>,
}

impl Telling {
    pub(super) fn new(of: u16, without_secrets: bool) -> Self {
        Self {
            of,
            without_secrets,
            certificates: HashSet::default(),
            shown: HashSet::default(),
            hearing: HashSet::default(),
            waiting: VecDeque::new(),
        }
    }

    /// Takes what was concluded since the last call.
    #[expect(clippy::vec_box, reason = "handshakes are large and pass through many hands")]
    pub(super) fn take(&mut self, mut concluded: Vec<Box<Handshake>>) {
        concluded.sort_by_key(|handshake| (handshake.concluded_at, handshake.flow.first.frame));
        for handshake in &concluded {
            self.tell(handshake);
        }
    }

    fn tell(&mut self, handshake: &Handshake) {
        let (frame, interface) = (handshake.concluded_at, handshake.flow.interface);
        let shard = Shard::judging(&handshake.flow.packets_key(), handshake.server.address, self.of);
        let overheard = matches!(relevance(handshake), Relevance::Other(_));
        let mut told = elsewhere(handshake, shard, overheard);
        if overheard {
            let led = led(handshake).filter(|led| self.is_new((3, handshake.flow.key.site, handshake.client.address, led.by, &led.host)));
            told.chain = led.map(|led| Shown { name: Some(led.host), at: told.last, closed: told.last, certificates: Vec::new() });
            if told.chain.is_none() && !(told.both_sides && self.hearing.insert(interface)) {
                return;
            }
        }
        if !(overheard || self.without_secrets && handshake.decrypted) {
            told.chain = self.chain(handshake, told.used, frame);
        }
        self.waiting.push_back((frame, interface, Told::Elsewhere(Box::new(told))));
    }

    /// The chain, where it says something new; its certificates are told before it.
    fn chain(&mut self, handshake: &Handshake, used: bool, frame: u64) -> Option<Shown> {
        let seen = handshake.server_chain.as_ref().filter(|seen| !seen.what.certificates.is_empty())?;
        let name = handshake.name().map(std::borrow::Cow::into_owned);
        let certificates: Vec<[u8; 32]> = seen.what.certificates.iter().map(|certificate| certificate.sha256).collect();
        // A chain is judged once a day.
        let day = seen.mark.time.seconds().div_euclid(86_400);
        let site = handshake.flow.key.site;
        let by_name = name.as_ref().is_some_and(|name| self.is_new((1, site, name, handshake.server.address, &certificates, day)));
        let by_client = used && self.is_new((2, site, handshake.client.address, &certificates));
        if !by_name && !by_client {
            return None;
        }
        for certificate in &seen.what.certificates {
            if self.certificates.len() >= limits::TOLD_CERTIFICATES {
                self.certificates.clear();
            }
            if self.certificates.insert(certificate.sha256) {
                self.waiting.push_back((frame, handshake.flow.interface, Told::Certificate(certificate.der.to_vec())));
            }
        }
        let at = clock::judging_time(handshake, &seen.what, seen.mark.time).nanos();
        Some(Shown { name, at, closed: handshake.closed_at.time.nanos(), certificates })
    }

    fn is_new(&mut self, what: impl Hash) -> bool {
        if self.shown.len() >= limits::TOLD_CHAINS {
            self.shown.clear();
        }
        self.shown.insert(FixedState::default().hash_one(what))
    }

    /// The next that is told behind a frame before or at this one.
    pub(super) fn next(&mut self, upto: u64) -> Option<(u32, Told)> {
        self.waiting.front().filter(|(frame, ..)| *frame <= upto)?;
        self.waiting.pop_front().map(|(_, interface, told)| (interface, told))
    }
}
