//! What the capture has shown so far, kept by server, by name and by client: the store behind [`Knowledge`].
//!
//! Handshakes are entered in the order they close; every map is bounded, and forgets what was not touched for longest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::condensate::Elsewhere;
use crate::flow::{Endpoint, PerSide, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{LookedUp, Outcome};
use crate::handshake::lookups;
use crate::limits;
use crate::preamble::PreambleFacts;
use crate::site::Site;
use crate::time::Timestamp;
use crate::tls::client_hello::ClientHello;

use super::aged::Aged;
pub use super::attempts::Entered;
use super::attempts::{Attempt, Attempts, Pair};
use super::cause::Cause;
use super::chain::{ChainFacts, Pins};
use super::ftp;
use super::hearing::{Heard, Hearing, both_sides};
use super::issuers::{Issuers, Shown};
use super::knowledge::{Crowd, Knowledge, Related, hello_shape};
use super::later::Later;
use super::lookups::Lookups;
use super::sockets::Sockets;
use super::ttls::Ttls;
use super::view::View;
use super::visits::{self, Visits};

mod bounds;
mod families;
mod logins;
mod server;
mod tags;

use bounds::{bound, bound_set};
use families::Families;
use server::Server;
use tags::{UNNAMED, tag};

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
/// Connections that a program opens together begin within this time.
const OPENED_TOGETHER: Duration = Duration::from_millis(100);
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
    sockets: Sockets,
    lookups: Lookups,
    /// Hosts that serve, whatever the port.
    hosts: Aged<(Site, IpAddr), Host>,
    /// Ports on which services that may come to TLS by a dialogue went on in clear.
    clear: BTreeSet<(Site, u16)>,
    /// Which ports served lately, by which version of IP.
    families: Families,
    /// What the interfaces lose.
    sources: Aged<u32, Hearing>,
    /// See [`Knowledge::icmp_unread`].
    icmp_unread: bool,
    /// Where the capture ends, once that is known.
    end: Option<Timestamp>,
}

/// What came of entering a handshake.
#[derive(Debug, Clone, Copy)]
pub struct Learnt {
    /// Where it stands among the attempts.
    pub entered: Entered,
    /// The ticket that it offered was refused: what others do with theirs may tell why.
    pub ticket_refused: bool,
}

/// What a host's packets look like when it answers.
#[derive(Debug, Default)]
struct Host {
    /// The interface that saw it first, and the TTLs there.
    interface: Option<u32>,
    ttls: Ttls,
    /// Those with which its packets arrive at their clients, wherever they were captured.
    at_clients: Ttls,
    /// The shortest time from a SYN to its SYN-ACK.
    quickest: Option<Duration>,
    /// The shortest round trip from here to it that acknowledgments of payload confirm.
    least_leg: Option<Duration>,
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
            sockets: Sockets::default(),
            clear: BTreeSet::new(),
            families: Families::default(),
            lookups: Lookups::default(),
            icmp_unread: false,
            end: None,
        }
    }
}

impl KnowledgeStore {
    /// Enters a handshake with the name asked for, whatever became of it.
    pub fn learn(&mut self, handshake: &Handshake, name: Option<&str>, chain: Option<&Arc<ChainFacts>>) -> Learnt {
        let tag = tag(name);
        let shape = handshake.hello().map_or(0, hello_shape);
        let ticket_refused = self.learn_server(handshake, tag, shape, chain);
        if let Some(chain) = chain {
            let (site, client, server) = (handshake.flow.key.site, handshake.client.address, handshake.server.address);
            self.issuers.learn(&Shown { site, client, server, used: visits::is_used(handshake) }, name, chain);
        }
        let entered = self.learn_client(handshake, tag, shape);
        self.learn_host(handshake);
        self.later.openings.enter(handshake);
        self.sockets.enter(handshake);
        self.families.enter(handshake);
        self.lookups.learn(handshake, name);
        self.sources.touch(&handshake.flow.interface).enter(Heard::of(handshake));
        let visit = visit(handshake);
        if !visits::is_used(handshake) {
            self.visits.touch(&visit).enter(handshake);
        } else if let Some(visits) = self.visits.get_mut(&visit) {
            visits.enter(handshake);
        }
        Learnt { entered, ticket_refused }
    }

    /// Enters a connection that shows nothing of TLS: what its packets say of the path and, where their payload was cut, of its two ends.
    pub fn overhear(&mut self, connection: &Handshake) {
        self.sources.touch(&connection.flow.interface).hear(both_sides(connection));
        self.later.enter(connection);
        let spoken = |facts: &PreambleFacts| facts.lines.iter().any(|line| line.side == Side::Client);
        if connection.preamble.as_ref().is_some_and(|facts| facts.dialect.is_starttls() && spoken(facts)) {
            self.clear.insert((connection.flow.key.site, connection.server.port));
            bound_set(&mut self.clear, PER_SERVER);
        }
        if Side::BOTH.into_iter().any(|side| connection.flow.side(side).snaplen_cut > 0) {
            self.learn_client(connection, UNNAMED, 0);
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

    /// The capture ends here.
    pub const fn ends(&mut self, at: Timestamp) {
        self.end = Some(at);
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
    pub fn learn_cause(&mut self, handshake: &Handshake, entered: Option<Entered>, cause: Cause) {
        if let Some(server) = self.servers.get_mut(&place(handshake)) {
            let known = server.causes.entry((handshake.server_name(), cause)).or_default();
            *known = known.saturating_add(1);
            bound(&mut server.causes, PER_SERVER);
        }
        if let Some(entered) = entered {
            self.attempts.explain(entered, cause);
        }
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

    /// Whether this handshake over UDP is a scanner's probe of a port.
    pub fn probes_ports(&self, handshake: &Handshake) -> bool {
        self.sockets.scans(handshake)
    }

    /// Whether TLS may have been wanted of a service that comes to it by a dialogue in clear, though nobody got that far: clients came again and again in vain,
    /// and no service on that port, at any address, was used without TLS.
    pub fn is_wanted_in_vain(&self, handshake: &Handshake) -> bool {
        let in_vain = self.servers.get(&place(handshake)).is_some_and(Server::never_served);
        in_vain && !self.is_served_in_clear(handshake)
    }

    /// Whether a service on that port, at any address, was used without TLS.
    pub fn is_served_in_clear(&self, handshake: &Handshake) -> bool {
        self.clear.contains(&(handshake.flow.key.site, handshake.server.port))
    }

    /// Whether the endpoint that this handshake went to has been seen to speak TLS over TCP.
    pub fn speaks_tls(&self, handshake: &Handshake) -> bool {
        let (site, _, server, inside) = place(handshake);
        self.servers.get(&(site, Transport::Tcp, server, inside)).is_some_and(|server| server.speaks_tls)
    }

    /// What its client tried at its server around this handshake is forgotten soon.
    pub const fn forgets(&self, entered: Entered) -> bool {
        self.attempts.is_old(entered)
    }

    /// What is known that bears on one handshake, itself left out. What only explains failures is left out for one that completed.
    pub fn view(&self, handshake: &Handshake, entered: Option<Entered>) -> Knowledge {
        let mut knowledge = Knowledge::default();
        let name = handshake.name();
        let tag = tag(name.as_deref());
        let completed = u32::from(handshake.outcome == Outcome::Completed);
        if let Some(server) = self.servers.get(&place(handshake)) {
            server.tell(&mut knowledge, handshake, name.as_deref(), tag);
        }
        if completed == 0
            && let Some(host) = self.hosts.get(&(handshake.flow.key.site, handshake.server.address))
        {
            knowledge.server_ttls = if host.interface == Some(handshake.flow.interface) {
                host.ttls.iter().collect()
            } else {
                let hops = handshake.flow.hops_from_client().unwrap_or(0);
                host.at_clients.iter().filter_map(|ttl| ttl.checked_add(hops)).collect()
            };
            knowledge.quickest_answer = host.quickest;
            knowledge.least_leg = host.least_leg;
        }
        let source = self.sources.get(&handshake.flow.interface);
        knowledge.icmp_unread = self.icmp_unread;
        knowledge.ends_soon = self.end.is_some_and(|end| end.since(handshake.flow.last.time) < logins::BACK_WITH_IT);
        knowledge.lossy = source.is_some_and(Hearing::loses);
        knowledge.hears_both_sides = source.is_some_and(Hearing::hears_both_sides);
        knowledge.unheard = source.and_then(Hearing::unheard);
        if completed == 0 {
            knowledge.moved = self.later.moved(handshake);
            knowledge.stray_answer = self.later.openings.other_half(handshake);
            let around = self.around(handshake, entered);
            knowledge.fell_back = self.later.fell_back(handshake);
            knowledge.related = related(&around, handshake, tag);
            knowledge.passed = passed(&around);
            knowledge.other_family = handshake.flow.established().is_none() && self.families.served_otherwise(handshake);
        } else if was_left(handshake) {
            knowledge.related = related(&self.around(handshake, entered), handshake, tag);
        }
        if asked_again(handshake) {
            knowledge.crowd = self.crowd(handshake, entered);
        }
        if handshake.ftp.is_some() {
            knowledge.unserved = ftp::unserved_during(self.tried(handshake, entered), handshake);
        }
        let window = handshake.flow.first.time.seconds().div_euclid(FLOOD_WINDOW);
        let around = (window.saturating_sub(1)..=window.saturating_add(1))
            .filter_map(|slot| self.half_open.get(&(handshake.flow.key.site, handshake.server, slot)));
        knowledge.flood_half_open = around.fold(0u32, |sum, count| sum.saturating_add(*count));
        if let Some(visits) = self.visits.get(&visit(handshake)) {
            knowledge.scan = visits.scan(handshake);
            knowledge.may_be_scanned = knowledge.scan.is_none() && visits.may_scan(handshake);
            knowledge.rhythm = visits.rhythm();
            knowledge.recorded = visits.recorded(handshake);
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
    fn learn_server(&mut self, handshake: &Handshake, tag: u64, shape: u64, chain: Option<&Arc<ChainFacts>>) -> bool {
        let server = self.servers.touch(&place(handshake));
        let ticket_refused = server.learn(handshake, tag, shape);
        if let Some(chain) = chain
            && server.serves_anew(chain, tag, handshake.flow.first.time)
        {
            self.pins.add(chain);
            self.served.push_back(Arc::clone(chain));
            while self.pins.bytes() > limits::SERVED_BYTES
                && let Some(oldest) = self.served.pop_front()
            {
                self.pins.remove(&oldest);
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
        if *host.interface.get_or_insert(handshake.flow.interface) == handshake.flow.interface {
            host.ttls.add(ttl);
        }
        if let Some(ttl) = handshake.flow.ttl_at_client() {
            host.at_clients.add(ttl);
        }
        if let Some(took) = handshake.flow.tcp.and_then(|tcp| tcp.syn_rtt) {
            host.quickest = Some(host.quickest.map_or(took, |known| known.min(took)));
        }
        if let Some(leg) = handshake.flow.leg(Side::Server).filter(|_| server.quickest_ack.is_some()) {
            host.least_leg = Some(host.least_leg.map_or(leg, |known| known.min(leg)));
        }
    }

    fn learn_client(&mut self, handshake: &Handshake, name: u64, hello_shape: u64) -> Entered {
        let hello = handshake.hello();
        let view = View::new(handshake);
        let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
        let spoke = client.first_data.filter(|_| server.data_packets == 0);
        let ending = if handshake.outcome.failed() { view.ended_by(Side::Client) } else { None };
        let related = Related {
            start: handshake.flow.first,
            same_endpoint: false,
            same_name: false,
            outcome: handshake.outcome,
            used: visits::is_used(handshake),
            cause: None,
            highest_version: hello.map(ClientHello::highest_version),
            post_quantum: hello.is_some_and(|hello| hello.key_shares().any(|(group, _)| group.is_post_quantum())),
            hello_len: hello.map_or(0, |hello| hello.bytes().len()),
            hello_shape,
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
            gave_up_after: view.gave_up_after(),
            left: ending.filter(|_| view.hello_begun()).map(|ending| ending.mark.time),
            owed: view.is_owed_at_the_end(),
            too_late: view.gave_up_connecting().is_some(),
            mute: handshake.outcome != Outcome::Completed && view.is_mute(),
            asked_again: asked_again(handshake),
            asked_twice: asked_twice(handshake),
            resent: client.retransmits > 0 || server.retransmits > 0,
            let_in: logins::let_in(handshake),
        };
        let (site, client, server, inside) =
            (handshake.flow.key.site, handshake.client, handshake.server, handshake.flow.path.is_inside_another());
        self.attempts.enter(Attempt { site, client, server, inside, name, related })
    }

    /// What its client tried at its server's address, itself left out, the latest first: those that ended before and behind it, or the latest where it
    /// was not entered.
    fn tried<'a>(&'a self, handshake: &'a Handshake, entered: Option<Entered>) -> impl Iterator<Item = &'a Attempt> {
        let pair = Pair::of(handshake);
        let around = entered.map(|entered| self.attempts.around(pair, entered));
        let latest = entered.is_none().then(|| self.attempts.latest(pair));
        around.into_iter().flatten().chain(latest.into_iter().flatten()).filter(|attempt| !attempt.is(handshake))
    }

    /// Those of them that were made around it.
    fn around<'a>(&'a self, handshake: &'a Handshake, entered: Option<Entered>) -> Vec<&'a Attempt> {
        let start = handshake.flow.first.time;
        let last = handshake.flow.last.time;
        let near = |other: Timestamp| other.apart(start) <= RELATED_WITHIN || start <= other && other <= last;
        self.tried(handshake, entered).filter(|attempt| near(attempt.related.start.time)).collect()
    }

    /// The other connections of its client to its server that began with it.
    fn crowd(&self, handshake: &Handshake, entered: Option<Entered>) -> Crowd {
        let first = handshake.flow.first.time;
        let at_once = |attempt: &&Attempt| {
            let start = attempt.related.start.time;
            attempt.server == handshake.server && start.apart(first) <= OPENED_TOGETHER
        };
        self.tried(handshake, entered).filter(at_once).fold(Crowd::default(), |mut crowd, attempt| {
            let Related { outcome, asked_again, asked_twice, resent, answered_in, .. } = attempt.related;
            let up = outcome == Outcome::Completed && !asked_again;
            crowd.up += u32::from(up);
            crowd.asked_again += u32::from(asked_again);
            crowd.asked_twice += u32::from(asked_twice);
            crowd.slowest = crowd.slowest.max(answered_in.filter(|_| up).unwrap_or_default());
            crowd.resent += u32::from(resent);
            crowd
        })
    }
}

/// It completed, its client never used it, and closed it, or had shown a certificate of its own: others like it tell why.
fn was_left(handshake: &Handshake) -> bool {
    let shown = handshake.client_chain.is_some() || handshake.hidden.client_certificate_sent;
    !visits::is_used(handshake) && (shown || handshake.flow.side(Side::Client).fin.is_some())
}

/// The client's SYN was sent again.
pub fn asked_again(handshake: &Handshake) -> bool {
    handshake.flow.side(Side::Client).syn.is_some_and(|syn| syn.count > 1)
}

/// And its copy was not answered either.
pub fn asked_twice(handshake: &Handshake) -> bool {
    handshake.flow.side(Side::Client).syn.is_some_and(|syn| syn.count > 2)
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

#[cfg(test)]
mod tests;
