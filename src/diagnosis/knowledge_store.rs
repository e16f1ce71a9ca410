//! What the capture has shown so far, kept by server, by name and by client: the store behind [`Knowledge`].
//!
//! Handshakes are entered in the order they close; every map is bounded, and forgets what was not touched for longest.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::condensate::Elsewhere;
use crate::flow::{Endpoint, PerSide, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{LookedUp, Outcome};
use crate::handshake::lookups;
use crate::limits;
use crate::site::Site;
use crate::time::Timestamp;
use crate::tls::certificate::PublicKey;
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{CipherSuite, NamedGroup, ProtocolVersion};

use super::aged::Aged;
use super::attempts::{Attempt, Attempts, Pair};
use super::cause::Cause;
use super::chain::{ChainFacts, Pins};
use super::ftp;
use super::hearing::{Heard, Hearing, both_sides};
use super::issuers::{Issuers, Shown};
use super::knowledge::{Knowledge, KnownChain, Related, hello_shape};
use super::later::Later;
use super::lookups::Lookups;
use super::tickets::{self, Tickets};
use super::ttls::Ttls;
use super::visits::{self, Visits};

mod logins;
mod tags;

use tags::{UNNAMED, answer_tag, spread, tag};

/// Server endpoints remembered.
const SERVERS: usize = 8192;
/// Names remembered for a server, chains for a name, values in a list.
const PER_SERVER: usize = 64;
/// Attempts of one client within this time, and those that begin while one lasts, belong together.
const RELATED_WITHIN: Duration = Duration::from_secs(10);
/// A flood is counted within this time around a handshake.
const FLOOD_WINDOW: i64 = 10;
/// A server that says nothing for so long does not serve.
const PATIENCE: Duration = Duration::from_secs(3);
/// Packets with payload of each side that show both at work.
const EXCHANGED: u32 = 2;

/// The store.
#[derive(Debug)]
pub struct KnowledgeStore {
    servers: Aged<Place, Server>,
    /// Chains that the servers served, as many as there is room for, the oldest first; and what they keep in memory.
    served: VecDeque<Arc<ChainFacts>>,
    pins: Pins,
    attempts: Attempts,
    issuers: Issuers,
    /// Half-open connections by server and ten seconds of packet time.
    half_open: BTreeMap<(Site, Endpoint, i64), u32>,
    /// Who came without wanting a handshake, by client and server. Only of those that left something undone.
    visits: Aged<(Site, IpAddr, Endpoint), Visits>,
    later: Later,
    lookups: Lookups,
    /// Hosts that serve, whatever the port.
    hosts: Aged<(Site, IpAddr), Host>,
    /// What the interfaces lose.
    sources: Aged<u32, Hearing>,
    /// See [`Knowledge::icmp_unread`].
    icmp_unread: bool,
}

/// What a host's packets look like when it answers.
#[derive(Debug, Default)]
struct Host {
    ttls: Ttls,
    /// The shortest time from a SYN to its SYN-ACK.
    quickest: Option<Duration>,
    /// The shortest round trip from here to it that acknowledgments of payload confirm.
    least_leg: Option<Duration>,
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

/// What every handshake touches lies together, for it is seldom in the cache.
#[derive(Debug, Default)]
struct Server {
    attempts: u32,
    completed: u32,
    completed_with_tls13: u32,
    completed_with_large_hello: u32,
    completed_with_proxy_header: u32,
    resumptions_offered: u32,
    resumptions_accepted: u32,
    speaks_tls: bool,
    answers_in_clear: bool,
    /// Tags of its latest answers that were unlike each other.
    answers: [u32; 8],
    by_name: HashTable<Named>,
    /// No name in it has a lesser tag.
    least_tag: u64,
    /// Each with the tag of the name that was asked for; gone when it is not among those that there is room for.
    chains: VecDeque<(u64, Served)>,
    causes: BTreeMap<(Option<String>, Cause), u32>,
    seen: Box<Answers>,
}

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
    /// Tickets that it refused.
    tickets: Option<Tickets>,
}

impl Server {
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
}

impl Server {
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

impl Default for KnowledgeStore {
    fn default() -> Self {
        Self {
            servers: Aged::new(SERVERS),
            served: VecDeque::new(),
            pins: Pins::default(),
            attempts: Attempts::default(),
            issuers: Issuers::default(),
            half_open: BTreeMap::new(),
            visits: Aged::new(SERVERS),
            hosts: Aged::new(SERVERS),
            sources: Aged::new(SERVERS),
            later: Later::default(),
            lookups: Lookups::default(),
            icmp_unread: false,
        }
    }
}

impl KnowledgeStore {
    /// Enters a handshake with the name asked for, whatever became of it. Returns whether it offered a ticket that was refused: what others do with theirs may tell why.
    pub fn learn(&mut self, handshake: &Handshake, name: Option<&str>, chain: Option<&Arc<ChainFacts>>) -> bool {
        let tag = tag(name);
        let ticket_refused = self.learn_server(handshake, tag, chain);
        if let Some(chain) = chain {
            let (site, client, server) = (handshake.flow.key.site, handshake.client.address, handshake.server.address);
            self.issuers.learn(&Shown { site, client, server, used: visits::is_used(handshake) }, name, chain);
        }
        self.learn_client(handshake, tag);
        self.learn_host(handshake);
        self.later.openings.enter(handshake);
        self.lookups.learn(handshake, name);
        self.sources.touch(&handshake.flow.interface).enter(Heard::of(handshake));
        let visit = visit(handshake);
        if !visits::is_used(handshake) {
            self.visits.touch(&visit).enter(handshake);
        } else if let Some(visits) = self.visits.get_mut(&visit) {
            visits.enter(handshake);
        }
        ticket_refused
    }

    /// Enters a connection that shows nothing of TLS: what its packets say of the path and, where their payload was cut, of its two ends.
    pub fn overhear(&mut self, connection: &Handshake) {
        self.sources.touch(&connection.flow.interface).hear(both_sides(connection));
        self.later.enter(connection);
        if Side::BOTH.into_iter().any(|side| connection.flow.side(side).snaplen_cut > 0) {
            self.learn_client(connection, UNNAMED);
            self.learn_host(connection);
        }
    }

    /// Enters an answer of the DNS.
    pub fn hear(&mut self, answer: lookups::Heard) {
        self.lookups.hear(answer);
    }

    /// What was looked up before a handshake and bears on it.
    pub fn looked_up(&self, handshake: &Handshake) -> Option<Box<LookedUp>> {
        self.lookups.before(handshake)
    }

    /// ICMP errors were cut before the ports of the packet that they quote.
    pub fn misses_icmp(&mut self) {
        self.icmp_unread = true;
    }

    /// Enters what is told of a handshake with a server of another shard, seen at this interface of a site.
    pub fn learn_elsewhere(&mut self, site: Site, interface: u32, told: &Elsewhere, chain: Option<(Option<&str>, &ChainFacts)>) {
        let source = self.sources.touch(&interface);
        let Elsewhere { both_sides, gap, unheard, used, .. } = *told;
        if told.overheard {
            source.hear(both_sides);
            return self.later.be_told(site, told);
        }
        source.enter(Heard { both_sides, gap, unheard });
        if let Some((name, chain)) = chain {
            self.issuers.learn(&Shown { site, client: told.client.address, server: told.server.address, used }, name, chain);
        }
    }

    /// Forgets servers, clients and authorities. What the interfaces hear and lose stays.
    pub fn turn_page(&mut self) {
        *self =
            Self { sources: std::mem::replace(&mut self.sources, Aged::new(SERVERS)), icmp_unread: self.icmp_unread, ..Self::default() };
    }

    /// Enters the cause that was found for a handshake.
    pub fn learn_cause(&mut self, handshake: &Handshake, cause: Cause) {
        if let Some(server) = self.servers.get_mut(&place(handshake)) {
            let known = server.causes.entry((handshake.server_name(), cause)).or_default();
            *known = known.saturating_add(1);
            bound(&mut server.causes, PER_SERVER);
        }
        self.attempts.explain(handshake, cause);
    }

    /// Counts connections that never got beyond their SYN and are not reported one by one.
    pub fn learn_half_open(&mut self, (site, server): (Site, Endpoint), at: Timestamp, count: u32) {
        let known = self.half_open.entry((site, server, at.seconds().div_euclid(FLOOD_WINDOW))).or_default();
        *known = known.saturating_add(count);
        bound(&mut self.half_open, SERVERS);
    }

    /// Whether this handshake is part of a scan.
    pub fn is_scanned(&self, handshake: &Handshake) -> bool {
        let visits = self.visits.get(&visit(handshake));
        visits.is_some_and(|visits| visits.scan(handshake).is_some())
    }

    /// Whether the endpoint that this handshake went to has been seen to speak TLS over TCP.
    pub fn speaks_tls(&self, handshake: &Handshake) -> bool {
        let (site, _, server, inside) = place(handshake);
        self.servers.get(&(site, Transport::Tcp, server, inside)).is_some_and(|server| server.speaks_tls)
    }

    /// What is known that bears on one handshake, itself left out. What only explains failures is left out for one that completed.
    pub fn view(&self, handshake: &Handshake) -> Knowledge {
        let mut knowledge = Knowledge::default();
        let name = handshake.name();
        let tag = tag(name.as_deref());
        let completed = u32::from(handshake.outcome == Outcome::Completed);
        if let Some(server) = self.servers.get(&place(handshake)) {
            knowledge.attempts = server.attempts.saturating_sub(1);
            knowledge.completed = server.completed.saturating_sub(completed);
            let (attempts, done, used_by) = server.named(tag).map_or((0, 0, 0), |named| (named.attempts, named.completed, named.used));
            knowledge.attempts_same_name = attempts.saturating_sub(1);
            knowledge.completed_same_name = done.saturating_sub(completed);
            knowledge.used_same_name = used_by.saturating_sub(used(handshake));
            knowledge.completed_other_names = server.completed.saturating_sub(done);
            knowledge.speaks_tls = server.speaks_tls;
            let chains = server.chains.iter().rev().filter_map(|(other, chain)| Some((*other, chain.known()?)));
            let bears = |other: u64, chain: &ChainFacts| {
                other == UNNAMED || tag == UNNAMED || other == tag && chain.name.as_deref() == name.as_deref()
            };
            knowledge.chains = chains.filter(|(other, chain)| bears(*other, chain)).map(|(_, chain)| chain).collect();
            knowledge.causes = server.causes_for(name.as_deref());
            if completed == 0 {
                let seen = &server.seen;
                knowledge.versions = seen.versions.iter().copied().collect();
                knowledge.ciphers = seen.ciphers.iter().copied().collect();
                knowledge.groups = seen.groups.iter().copied().collect();
                knowledge.alpn = seen.alpn.iter().cloned().collect();
                knowledge.key_kinds = seen.key_kinds.iter().cloned().collect();
            }
            knowledge.answers_in_clear = server.answers_in_clear;
            knowledge.completed_with_tls13 = server.completed_with_tls13;
            knowledge.completed_with_large_hello = server.completed_with_large_hello;
            knowledge.completed_with_proxy_header = server.completed_with_proxy_header;
            knowledge.resumptions_offered = server.resumptions_offered;
            knowledge.resumptions_accepted = server.resumptions_accepted;
            if let Some(tickets) = server.seen.tickets.as_ref().filter(|_| tickets::refused(handshake)) {
                knowledge.ticket = tickets.fate(handshake);
            }
        }
        if completed == 0
            && let Some(host) = self.hosts.get(&(handshake.flow.key.site, handshake.server.address))
        {
            knowledge.server_ttls = host.ttls.iter().collect();
            knowledge.quickest_answer = host.quickest;
            knowledge.least_leg = host.least_leg;
        }
        let source = self.sources.get(&handshake.flow.interface);
        knowledge.icmp_unread = self.icmp_unread;
        knowledge.lossy = source.is_some_and(Hearing::loses);
        knowledge.hears_both_sides = source.is_some_and(Hearing::hears_both_sides);
        knowledge.unheard = source.and_then(Hearing::unheard);
        if completed == 0 {
            knowledge.moved = self.later.moved(handshake);
            knowledge.stray_answer = self.later.openings.other_half(handshake);
            let around: Vec<&Attempt> = self.around(handshake).collect();
            knowledge.fell_back = self.later.fell_back(handshake);
            knowledge.related = related(&around, handshake, tag);
            knowledge.passed = passed(&around);
        }
        if handshake.ftp.is_some() {
            knowledge.unserved = ftp::unserved_during(&self.attempts, handshake);
        }
        let window = handshake.flow.first.time.seconds().div_euclid(FLOOD_WINDOW);
        let around = (window.saturating_sub(1)..=window.saturating_add(1))
            .filter_map(|slot| self.half_open.get(&(handshake.flow.key.site, handshake.server, slot)));
        knowledge.flood_half_open = around.fold(0u32, |sum, count| sum.saturating_add(*count));
        if let Some(visits) = self.visits.get(&visit(handshake)) {
            knowledge.scan = visits.scan(handshake);
            knowledge.may_be_scanned = knowledge.scan.is_none() && visits.may_scan(handshake);
            knowledge.rhythm = visits.rhythm();
        }
        if completed == 0 || !visits::is_used(handshake) {
            knowledge.led = self.later.portals.of(handshake).cloned().collect();
        }
        if let Some(leaf) = handshake.leaf() {
            self.issuers.view(&mut knowledge, handshake, name.as_deref(), leaf);
        }
        knowledge
    }

    /// Returns whether it refused a ticket.
    fn learn_server(&mut self, handshake: &Handshake, tag: u64, chain: Option<&Arc<ChainFacts>>) -> bool {
        let server = self.servers.touch(&place(handshake));
        let completed = u32::from(handshake.outcome == Outcome::Completed);
        let mut ticket_refused = false;
        server.attempts = server.attempts.saturating_add(1);
        server.completed = server.completed.saturating_add(completed);
        server.count(tag, completed, used(handshake));
        // A clear alert in answer to plaintext is TLS too.
        server.speaks_tls |= handshake.server_hello.is_some() || handshake.alerts.iter().any(|alert| alert.from == Side::Server);
        server.answers_in_clear |= handshake.preamble.as_ref().is_some_and(|facts| facts.dialect.is_starttls() && facts.answered.is_some());
        if let Some(hello) = handshake.server_hello.as_ref().map(|seen| &seen.what) {
            let alpn = hello.alpn().map(String::from_utf8_lossy);
            let (version, suite, group) = (hello.version(), hello.cipher_suite(), handshake.group());
            let answer = answer_tag((version, suite, group, alpn.as_deref()));
            if !server.answers.contains(&answer) {
                server.answers.rotate_right(1);
                let [first, ..] = &mut server.answers;
                *first = answer;
                let seen = &mut server.seen;
                seen.versions.insert(version);
                seen.ciphers.insert(suite);
                seen.groups.extend(group);
                seen.alpn.extend(alpn.map(Cow::into_owned));
                bound_set(&mut seen.alpn, PER_SERVER);
            }
            let offered = handshake.hello().is_some_and(|hello| hello.psk_identities() > 0 || hello.session_ticket_len().is_some());
            server.resumptions_offered = server.resumptions_offered.saturating_add(u32::from(offered));
            server.resumptions_accepted = server.resumptions_accepted.saturating_add(u32::from(offered && handshake.resumption.is_some()));
            if offered && handshake.resumption.is_some() {
                if let Some(tickets) = &mut server.seen.tickets {
                    tickets.accept(handshake);
                }
            } else if offered && tickets::refused(handshake) {
                server.seen.tickets.get_or_insert_default().refuse(handshake);
                ticket_refused = true;
            }
        }
        if completed == 1 {
            let tls13 = handshake.is_tls13() || handshake.hello().is_some_and(|hello| hello.offers(ProtocolVersion::TLS13));
            server.completed_with_tls13 = server.completed_with_tls13.saturating_add(u32::from(tls13));
            let large = handshake.client_hellos.iter().any(|seen| seen.span.1.saturating_sub(seen.span.0) > 1400);
            let header = handshake.preamble.as_ref().is_some_and(|facts| facts.layers().any(|layer| layer.dialect.is_proxy_header()));
            server.completed_with_proxy_header = server.completed_with_proxy_header.saturating_add(u32::from(header));
            server.completed_with_large_hello = server.completed_with_large_hello.saturating_add(u32::from(large));
        }
        if let Some(chain) = chain {
            let at = handshake.flow.first.time;
            let equal = |known: &ChainFacts| known.name == chain.name && known.certificates == chain.certificates;
            let same = |served: &Served| {
                Weak::as_ptr(&served.facts) == Arc::as_ptr(chain) || served.facts.upgrade().is_some_and(|known| equal(&known))
            };
            let known = server.chains.iter_mut().find(|(other, served)| *other == tag && same(served));
            if let Some((_, known)) = known {
                known.first = known.first.min(at);
                known.last = known.last.max(at);
            } else {
                if let Some(leaf) = chain.certificates.get(chain.leaf) {
                    let kind = key_kind(&leaf.key);
                    if !server.seen.key_kinds.contains(kind) {
                        server.seen.key_kinds.insert(kind.to_owned());
                    }
                }
                server.chains.push_back((tag, Served { facts: Arc::downgrade(chain), first: at, last: at }));
                if server.chains.len() > PER_SERVER {
                    server.chains.pop_front();
                }
                self.pins.add(chain);
                self.served.push_back(Arc::clone(chain));
                while self.pins.bytes() > limits::SERVED_BYTES
                    && let Some(oldest) = self.served.pop_front()
                {
                    self.pins.remove(&oldest);
                }
            }
        }
        ticket_refused
    }

    /// What did not complete may have been answered by somebody else.
    fn learn_host(&mut self, handshake: &Handshake) {
        let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
        // Where the messages were cut, or only this side was heard, that both went on tells as much.
        let cut = client.snaplen_cut > 0 || server.snaplen_cut > 0;
        let answers = client.data_packets >= EXCHANGED && cut || client.packets == 0 && client.acked > 0;
        let went_on = handshake.outcome == Outcome::Incomplete && server.data_packets >= EXCHANGED && answers;
        let Some(ttl) = server.ttl.filter(|_| handshake.outcome == Outcome::Completed || went_on) else { return };
        let host = self.hosts.touch(&(handshake.flow.key.site, handshake.server.address));
        host.ttls.add(ttl);
        if let Some(took) = handshake.flow.tcp.and_then(|tcp| tcp.syn_rtt) {
            host.quickest = Some(host.quickest.map_or(took, |known| known.min(took)));
        }
        if let Some(leg) = handshake.flow.leg(Side::Server).filter(|_| server.quickest_ack.is_some()) {
            host.least_leg = Some(host.least_leg.map_or(leg, |known| known.min(leg)));
        }
    }

    fn learn_client(&mut self, handshake: &Handshake, name: u64) {
        let hello = handshake.hello();
        let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
        let spoke = client.first_data.filter(|_| server.data_packets == 0);
        let related = Related {
            start: handshake.flow.first,
            same_endpoint: false,
            same_name: false,
            outcome: handshake.outcome,
            cause: None,
            highest_version: hello.map(ClientHello::highest_version),
            post_quantum: hello.is_some_and(|hello| hello.key_shares().any(|(group, _)| group.is_post_quantum())),
            hello_len: hello.map_or(0, |hello| hello.bytes().len()),
            hello_shape: hello.map_or(0, hello_shape),
            ech: hello.is_some_and(|hello| hello.ech().is_some()),
            hello_after: handshake
                .client_hellos
                .first()
                .zip(handshake.flow.established())
                .map_or(Duration::ZERO, |(hello, up)| hello.first.time.since(up.time)),
            passed: PerSide { client: client.largest_acked_segment, server: server.largest_acked_segment },
            went_unanswered: client.syn.is_some() && server.packets == 0,
            left_waiting: server.syn.is_some() && spoke.is_some_and(|spoke| handshake.closed_at.time.since(spoke.time) >= PATIENCE),
            server_unseen: spoke.is_some() && server.packets == 0,
            transport: handshake.flow.key.transport,
            answered_in: handshake.server_hello_time(),
            unserved: ftp::unserved(handshake),
            let_in: logins::let_in(handshake),
        };
        let (site, client, server, inside) =
            (handshake.flow.key.site, handshake.client, handshake.server, handshake.flow.path.is_inside_another());
        self.attempts.enter(Attempt { site, client, server, inside, name, related });
    }

    /// The attempts of its client at its server's address around it, itself left out.
    fn around<'a>(&'a self, handshake: &'a Handshake) -> impl Iterator<Item = &'a Attempt> {
        let start = handshake.flow.first.time;
        let last = handshake.flow.last.time;
        let near = move |other: Timestamp| other.since(start).max(start.since(other)) <= RELATED_WITHIN || start <= other && other <= last;
        let others = self.attempts.of(Pair::of(handshake)).filter(|attempt| !attempt.is(handshake));
        others.filter(move |attempt| near(attempt.related.start.time))
    }
}

/// The largest packets that passed between the two addresses in the attempts around one.
fn passed(around: &[&Attempt]) -> PerSide<u32> {
    around.iter().fold(PerSide::default(), |most: PerSide<u32>, attempt| PerSide {
        client: most.client.max(attempt.related.passed.client),
        server: most.server.max(attempt.related.passed.server),
    })
}

/// Those of them that went to the same port or asked for the same name, the earliest first.
fn related(around: &[&Attempt], handshake: &Handshake, name: u64) -> Vec<Related> {
    let theirs = around.iter().rev().filter(|attempt| attempt.server == handshake.server || (name != UNNAMED && attempt.name == name));
    theirs
        .map(|attempt| Related {
            same_endpoint: attempt.server == handshake.server && attempt.related.transport == handshake.flow.key.transport,
            same_name: attempt.name == name,
            ..attempt.related.clone()
        })
        .collect()
}

/// 1 for a handshake that completed and whose client had something to say.
fn used(handshake: &Handshake) -> u32 {
    u32::from(handshake.outcome == Outcome::Completed && handshake.application_data.client.is_some())
}

/// A server as clients meet it: the same port over TCP and over UDP is two services, and a proxy is another than those behind it that are met inside
/// its TLS.
type Place = (Site, Transport, Endpoint, bool);

fn place(handshake: &Handshake) -> Place {
    (handshake.flow.key.site, handshake.flow.key.transport, handshake.server, handshake.flow.path.is_inside_another())
}

/// A client that comes to a server.
fn visit(handshake: &Handshake) -> (Site, IpAddr, Endpoint) {
    (handshake.flow.key.site, handshake.client.address, handshake.server)
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

/// Keeps a map within its bound: the first key goes, which an attacker cannot turn into more than forgetting.
fn bound<K: Ord + Clone, V>(map: &mut BTreeMap<K, V>, most: usize) {
    while map.len() > most {
        map.pop_first();
    }
}

fn bound_set<T: Ord>(set: &mut BTreeSet<T>, most: usize) {
    while set.len() > most {
        set.pop_first();
    }
}

#[cfg(test)]
mod tests;
