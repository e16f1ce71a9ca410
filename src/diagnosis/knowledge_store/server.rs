//! What is known of one server.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::PER_SERVER;
use super::bounds::bound_set;
use super::tags::{UNNAMED, answer_tag, spread};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::contrast::{self, Contrast};
use crate::diagnosis::knowledge::{Knowledge, KnownChain};
use crate::diagnosis::tickets::{self, Tickets};
use crate::diagnosis::visits;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::time::Timestamp;
use crate::tls::certificate::PublicKey;
use crate::tls::registry::{CipherSuite, NamedGroup, ProtocolVersion};

/// What every handshake touches lies together, for it is seldom in the cache.
#[derive(Debug, Default)]
pub(super) struct Server {
    attempts: u32,
    completed: u32,
    completed_with_tls13: u32,
    completed_with_large_hello: u32,
    completed_with_proxy_header: u32,
    resumptions_offered: u32,
    resumptions_accepted: u32,
    contrast: Contrast,
    pub(super) speaks_tls: bool,
    answers_in_clear: bool,
    /// Tags of its latest answers that were unlike each other.
    answers: [u32; 8],
    by_name: HashTable<Named>,
    /// No name in it has a lesser tag.
    least_tag: u64,
    /// Each with the tag of the name that was asked for; gone when it is not among those that there is room for.
    chains: VecDeque<(u64, Served)>,
    pub(super) causes: BTreeMap<(Option<String>, Cause), u32>,
    seen: Box<Answers>,
}

/// So often comes who means it.
const AGAIN: u32 = 3;

/// What a server was asked for by one name: attempts and completed ones.
#[derive(Debug)]
struct Named {
    tag: u64,
    attempts: u32,
    completed: u32,
    /// Completed, and the client sent application data.
    used: u32,
}

/// What a server answered in all. Most servers do the same again and again, and this is left alone.
#[derive(Debug, Default)]
struct Answers {
    versions: BTreeSet<ProtocolVersion>,
    ciphers: BTreeSet<CipherSuite>,
    groups: BTreeSet<NamedGroup>,
    alpn: BTreeSet<String>,
    key_kinds: BTreeSet<String>,
    curves: BTreeSet<NamedGroup>,
    /// Tickets that it refused.
    tickets: Option<Tickets>,
}

impl Server {
    /// Enters a handshake, with the kind of its hello. Returns whether it refused a ticket.
    pub(super) fn learn(&mut self, handshake: &Handshake, tag: u64, shape: u64) -> bool {
        let completed = u32::from(handshake.outcome == Outcome::Completed);
        let mut ticket_refused = false;
        self.attempts = self.attempts.saturating_add(1);
        self.completed = self.completed.saturating_add(completed);
        self.count(tag, completed, used(handshake));
        self.contrast.enter(handshake, shape);
        // A clear alert in answer to plaintext is TLS too.
        self.speaks_tls |= handshake.server_hello.is_some() || handshake.alerts.iter().any(|alert| alert.from == Side::Server);
        self.answers_in_clear |= handshake.preamble.as_ref().is_some_and(|facts| facts.dialect.is_starttls() && facts.answered.is_some());
        if let Some(hello) = handshake.server_hello.as_ref().map(|seen| &seen.what) {
            let alpn = hello.alpn().map(String::from_utf8_lossy);
            let (version, suite, group) = (hello.version(), hello.cipher_suite(), handshake.group());
            let answer = answer_tag((version, suite, group, alpn.as_deref()));
            if !self.answers.contains(&answer) {
                self.answers.rotate_right(1);
                let [first, ..] = &mut self.answers;
                *first = answer;
                let seen = &mut self.seen;
                seen.versions.insert(version);
                seen.ciphers.insert(suite);
                seen.groups.extend(group);
                seen.alpn.extend(alpn.map(Cow::into_owned));
                bound_set(&mut seen.alpn, PER_SERVER);
            }
            let offered = handshake.hello().is_some_and(|hello| hello.psk_identities() > 0 || hello.session_ticket_len().is_some());
            self.resumptions_offered = self.resumptions_offered.saturating_add(u32::from(offered));
            self.resumptions_accepted = self.resumptions_accepted.saturating_add(u32::from(offered && handshake.resumption.is_some()));
            if offered && handshake.resumption.is_some() {
                if let Some(tickets) = &mut self.seen.tickets {
                    tickets.accept(handshake);
                }
            } else if offered && tickets::refused(handshake) {
                self.seen.tickets.get_or_insert_default().refuse(handshake);
                ticket_refused = true;
            }
        }
        if completed == 1 {
            let tls13 = handshake.is_tls13() || handshake.hello().is_some_and(|hello| hello.offers(ProtocolVersion::TLS13));
            self.completed_with_tls13 = self.completed_with_tls13.saturating_add(u32::from(tls13));
            let large = handshake.client_hellos.iter().any(|seen| seen.span.1.saturating_sub(seen.span.0) > 1400);
            let header = handshake.preamble.as_ref().is_some_and(|facts| facts.layers().any(|layer| layer.dialect.is_proxy_header()));
            self.completed_with_proxy_header = self.completed_with_proxy_header.saturating_add(u32::from(header));
            self.completed_with_large_hello = self.completed_with_large_hello.saturating_add(u32::from(large));
        }
        ticket_refused
    }

    /// Clients came again and again, and none was served.
    pub(super) const fn never_served(&self) -> bool {
        self.attempts >= AGAIN && self.completed == 0
    }

    /// It served a chain at this time to who asked for a name with this tag. False where it did so before.
    pub(super) fn serves_anew(&mut self, chain: &Arc<ChainFacts>, tag: u64, at: Timestamp) -> bool {
        let equal = |known: &ChainFacts| known.name == chain.name && known.certificates == chain.certificates;
        let same = |served: &Served| {
            Weak::as_ptr(&served.facts) == Arc::as_ptr(chain) || served.facts.upgrade().is_some_and(|known| equal(&known))
        };
        let known = self.chains.iter_mut().find(|(other, served)| *other == tag && same(served));
        if let Some((_, known)) = known {
            known.first = known.first.min(at);
            known.last = known.last.max(at);
            return false;
        }
        if let Some(leaf) = chain.certificates.get(chain.leaf) {
            if let PublicKey::Ec { curve, .. } = &leaf.key {
                self.seen.curves.extend(contrast::curve(curve));
            }
            let kind = key_kind(&leaf.key);
            if !self.seen.key_kinds.contains(kind) {
                self.seen.key_kinds.insert(kind.to_owned());
            }
        }
        self.chains.push_back((tag, Served { facts: Arc::downgrade(chain), first: at, last: at }));
        if self.chains.len() > PER_SERVER {
            self.chains.pop_front();
        }
        true
    }

    /// Tells what bears on a handshake, which is left out.
    pub(super) fn tell(&self, knowledge: &mut Knowledge, handshake: &Handshake, name: Option<&str>, tag: u64) {
        let completed = u32::from(handshake.outcome == Outcome::Completed);
        knowledge.attempts = self.attempts.saturating_sub(1);
        knowledge.completed = self.completed.saturating_sub(completed);
        let (attempts, done, used_by) = self.named(tag).map_or((0, 0, 0), |named| (named.attempts, named.completed, named.used));
        knowledge.attempts_same_name = attempts.saturating_sub(1);
        knowledge.completed_same_name = done.saturating_sub(completed);
        knowledge.used_same_name = used_by.saturating_sub(used(handshake));
        knowledge.completed_other_names = self.completed.saturating_sub(done);
        knowledge.speaks_tls = self.speaks_tls;
        let chains = self.chains.iter().rev().filter_map(|(other, chain)| Some((*other, chain.known()?)));
        let bears = |other: u64, chain: &ChainFacts| other == UNNAMED || tag == UNNAMED || other == tag && chain.name.as_deref() == name;
        knowledge.chains = chains.filter(|(other, chain)| bears(*other, chain)).map(|(_, chain)| chain).collect();
        knowledge.causes = self.causes_for(name);
        if completed == 0 {
            let seen = &self.seen;
            knowledge.versions = seen.versions.iter().copied().collect();
            knowledge.ciphers = seen.ciphers.iter().copied().collect();
            knowledge.groups = seen.groups.iter().copied().collect();
            knowledge.alpn = seen.alpn.iter().cloned().collect();
            knowledge.key_kinds = seen.key_kinds.iter().cloned().collect();
            knowledge.curves = seen.curves.iter().copied().collect();
            knowledge.contrast = self.contrast;
        }
        knowledge.answers_in_clear = self.answers_in_clear;
        knowledge.completed_with_tls13 = self.completed_with_tls13;
        knowledge.completed_with_large_hello = self.completed_with_large_hello;
        knowledge.completed_with_proxy_header = self.completed_with_proxy_header;
        knowledge.resumptions_offered = self.resumptions_offered;
        knowledge.resumptions_accepted = self.resumptions_accepted;
        if let Some(tickets) = self.seen.tickets.as_ref().filter(|_| tickets::refused(handshake)) {
            knowledge.ticket = tickets.fate(handshake);
        }
    }

    /// Causes found under a name, and how often. A connection that asked for no name yet may share the lot of all.
    fn causes_for(&self, name: Option<&str>) -> Vec<(Cause, u32)> {
        let mut causes: BTreeMap<Cause, u32> = BTreeMap::new();
        for ((_, cause), count) in self.causes.iter().filter(|((for_name, _), _)| name.is_none() || for_name.as_deref() == name) {
            let known = causes.entry(*cause).or_default();
            *known = known.saturating_add(*count);
        }
        causes.into_iter().collect()
    }

    fn named(&self, tag: u64) -> Option<&Named> {
        self.by_name.find(spread(tag), |named| named.tag == tag)
    }

    /// Counts an attempt under a name. Of too many names that with the least tag goes, which an attacker cannot turn into more than forgetting.
    fn count(&mut self, tag: u64, completed: u32, used: u32) {
        let is_full = self.by_name.len() >= PER_SERVER;
        match self.by_name.entry(spread(tag), |named| named.tag == tag, |named| spread(named.tag)) {
            Entry::Occupied(mut known) => {
                let named = known.get_mut();
                named.attempts = named.attempts.saturating_add(1);
                named.completed = named.completed.saturating_add(completed);
                named.used = named.used.saturating_add(used);
            }
            // Where there are too many, it would be the one that goes.
            Entry::Vacant(_) if is_full && tag < self.least_tag => {}
            Entry::Vacant(place) => {
                place.insert(Named { tag, attempts: 1, completed, used });
                if is_full {
                    self.forget_least();
                }
            }
        }
    }

    /// Forgets the name with the least tag.
    fn forget_least(&mut self) {
        let mut tags: Vec<u64> = self.by_name.iter().map(|named| named.tag).collect();
        tags.sort_unstable();
        let mut tags = tags.into_iter();
        if let Some(least) = tags.next()
            && let Ok(least) = self.by_name.find_entry(spread(least), |named| named.tag == least)
        {
            least.remove();
        }
        self.least_tag = tags.next().unwrap_or_default();
    }
}

/// A chain that a server served, and from when to when.
#[derive(Debug)]
struct Served {
    facts: Weak<ChainFacts>,
    first: Timestamp,
    last: Timestamp,
}

impl Served {
    /// The chain, if there was room for it.
    fn known(&self) -> Option<KnownChain> {
        Some(KnownChain { facts: self.facts.upgrade()?, first: self.first, last: self.last })
    }
}

/// 1 for a handshake that completed and whose client had something to say.
fn used(handshake: &Handshake) -> u32 {
    u32::from(visits::is_used(handshake))
}

/// `RSA`, `EC`, `Ed25519`…
fn key_kind(key: &PublicKey) -> &str {
    match key {
        PublicKey::Rsa { .. } | PublicKey::RsaPss { .. } => "RSA",
        PublicKey::Ec { .. } => "EC",
        PublicKey::Ed25519 => "Ed25519",
        PublicKey::Ed448 => "Ed448",
        PublicKey::Dsa { .. } => "DSA",
        PublicKey::Other(name) => name,
    }
}
