//! What a flow's packets showed besides their payload.

mod events;
mod side;

use std::mem::offset_of;
use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::flow::{Endpoint, FlowKey, Path, PerSide, Side, Transport};
use crate::packet::{IcmpError, IcmpKind};
use crate::time::Mark;

pub use events::{FlowEvent, FlowEventKind, GapCause};
pub(super) use side::note_unfinished;
pub use side::{Contradicted, Decoys, Doubt, IdFacts, Outstanding, Reset, SideFacts, SynFacts, ZeroWindow};

/// What the packets of one flow, a TCP connection or a UDP flow with a handshake in it, showed besides their payload. What each packet touches
/// comes first.
#[derive(Debug, Clone, PartialEq)]
#[repr(C)]
pub struct FlowFacts {
    /// The last packet.
    pub last: Mark,
    /// The client is [`FlowKey::low`].
    pub client_is_low: bool,
    /// How the client was told from the server.
    pub roles: Roles,
    /// The interface index of the first packet (see [`crate::frame::FrameHead::interface`]).
    pub interface: u32,
    /// What happened, in order, bounded by [`crate::limits::FLOW_EVENTS`]. In-order payload and plain acknowledgments are not listed.
    pub events: Vec<FlowEvent>,
    /// Something happened that does not happen on every connection: one of them is not [plain](FlowEventKind::is_plain).
    pub eventful: bool,
    /// Events beyond the bound.
    pub events_dropped: u32,
    /// What only TCP has; `None` for a UDP flow.
    pub tcp: Option<TcpFacts>,
    /// The flow.
    pub key: FlowKey,
    /// The tunnels around the first packet.
    pub path: Path,
    /// [`FlowKey::path`] of packets that came by other ways than the first one, bounded.
    pub other_paths: SmallVec<[u32; 2]>,
    /// There are packets with the same ends in another tunnel that may be the other side's, or another connection's.
    pub unclear: bool,
    /// The first packet.
    pub first: Mark,
    /// What each side sent.
    pub sides: PerSide<SideFacts>,
    /// ICMP errors that quoted this connection, in order, bounded by [`crate::limits::ICMP_NOTES`].
    pub icmp: Vec<IcmpNote>,
    /// Packets that are the same packet captured twice (SPAN of both ports, `-i any`): equal but for TTL, within milliseconds.
    pub duplicates: u32,
    /// IP fragments of this flow's packets that never became whole are not visible here; packets that were joined from fragments are.
    pub fragmented_packets: u32,
    /// Packets whose time lies before that of an earlier frame of this connection by more than a millisecond.
    pub clock_steps_back: u32,
    /// Packets that came into view when the other side had acknowledged them already: the clocks of the two directions differ, and nothing follows from
    /// the order of what one side said and the other.
    pub out_of_step: u32,
    /// The flow whose packets bring it, where its own ends are others: EAPOL frames have those of a link, relayed datagrams those of the relay.
    pub carried_by: Option<Box<FlowKey>>,
    /// Another handshake went before it between the same ports, over UDP.
    pub successor: bool,
    /// From this moment on its source was not heard for long, or not any more: whatever happened then is not in the capture. Behind the last
    /// packet.
    pub unheard_from: Option<Mark>,
}

impl FlowFacts {
    /// Bytes of it that each packet may touch, besides those of its sides.
    pub(super) const BUSY: usize = offset_of!(Self, tcp);

    /// A flow of which only the first packet is known.
    #[inline]
    pub fn new(key: FlowKey, client_is_low: bool, roles: Roles, path: Path, first: Mark, interface: u32) -> Self {
        Self {
            key,
            client_is_low,
            roles,
            path,
            other_paths: SmallVec::new(),
            unclear: false,
            first,
            last: first,
            interface,
            sides: PerSide::default(),
            events: Vec::new(),
            eventful: false,
            events_dropped: 0,
            icmp: Vec::new(),
            tcp: (key.transport == Transport::Tcp).then(TcpFacts::default),
            duplicates: 0,
            fragmented_packets: 0,
            clock_steps_back: 0,
            out_of_step: 0,
            carried_by: None,
            successor: false,
            unheard_from: None,
        }
    }

    /// Exchanges the roles: everything that is kept by side, the sides of the events, and whom the ICMP errors are about.
    pub fn swap_sides(&mut self) {
        self.client_is_low = !self.client_is_low;
        self.sides.swap();
        for event in &mut self.events {
            event.side = event.side.other();
        }
        for note in &mut self.icmp {
            note.about = note.about.other();
        }
    }

    /// The client and the server.
    pub const fn ends(&self) -> (Endpoint, Endpoint) {
        if self.client_is_low { (self.key.low, self.key.high) } else { (self.key.high, self.key.low) }
    }

    /// The key of the packets that bring it.
    pub fn packets_key(&self) -> FlowKey {
        self.carried_by.as_deref().copied().unwrap_or(self.key)
    }

    /// One side's facts.
    pub const fn side(&self, side: Side) -> &SideFacts {
        self.sides.of(side)
    }

    /// Where a FIN of this side was acknowledged that the capture lacks, at the latest by the other side's own, or before a RST of this side that stands
    /// behind it: this side ended first. One that [denies](SideFacts::denies) it never sent it.
    pub fn unseen_fin(&self, side: Side) -> Option<Mark> {
        let own = self.side(side);
        let acked_at = own.acked_at.filter(|_| own.fin.is_none() && own.syn.is_some() && !own.denies)?;
        let unseen = own.acked == own.highest.saturating_add(1);
        let ahead_of_other = self.side(side.other()).fin.is_some_and(|(fin, _)| acked_at <= fin);
        let ended = match own.resets.first() {
            None => ahead_of_other,
            Some(reset) => reset.seq_distance == 0 && acked_at < reset.mark,
        };
        (unseen && ended).then_some(acked_at)
    }

    /// Bytes of the other side that the first RST of this one acknowledges and that the capture lacks. One with another hop counter, or off the
    /// sequence, may be forged and shows nothing.
    pub fn reset_over_unseen(&self, side: Side) -> u64 {
        let (own, other) = (self.side(side), self.side(side.other()));
        let genuine = |reset: &&Reset| own.ttl.or_else(|| own.syn.map(|syn| syn.ttl)) == Some(reset.ttl) && reset.seq_distance == 0;
        let first = own.resets.first().filter(genuine).filter(|_| own.fin.is_none() && other.fin.is_none() && other.syn.is_some());
        // What was acknowledged behind it says nothing of what had been before.
        let first = first.filter(|reset| other.acked_at.is_none_or(|acked| acked < reset.mark));
        let ahead = first.and_then(|reset| reset.ack_distance);
        ahead.map_or(0, |ahead| other.acked.saturating_add_signed(ahead).saturating_sub(other.highest))
    }

    /// It is a flow of datagrams: UDP, or EAPOL. [`FlowFacts::tcp`] is there otherwise.
    pub const fn is_udp(&self) -> bool {
        self.tcp.is_none()
    }

    /// The first acknowledgment from the client that completes the TCP handshake; never there over UDP.
    pub fn established(&self) -> Option<Mark> {
        self.tcp.as_ref()?.established
    }

    /// The capture holds the flow's beginning: a SYN or a SYN-ACK, over UDP the client's hello.
    pub fn saw_start(&self) -> bool {
        if self.is_udp() {
            return self.roles == Roles::Handshake;
        }
        Side::BOTH.iter().any(|side| self.side(*side).syn.is_some())
    }

    /// The capture holds both SYNs; over UDP the flow's beginning.
    pub fn saw_opening(&self) -> bool {
        self.saw_start() && (self.is_udp() || Side::BOTH.iter().all(|side| self.side(*side).syn.is_some()))
    }

    /// The other side answered the copies of a segment, so that they arrived: each copy of a segment that is already there draws an acknowledgment
    /// that says nothing new, while what a hole draws comes before the copies and names what lies behind it.
    pub fn copies_answered(&self, side: Side, sent: &Outstanding) -> bool {
        let receiver = self.side(side.other());
        // One that cannot name what lies behind a hole says the same before the copies.
        let begun = if self.is_mute(side) { sent.last } else { sent.first };
        let since = receiver.last_packet.is_some_and(|last| last.frame > begun.frame);
        sent.copies >= 3 && since && !receiver.sent_sack && receiver.duplicate_acks.saturating_add(1) >= sent.copies
    }

    /// What receives this side's bytes cannot say that some arrived behind a hole: both SYNs are here, and no selective acknowledgment was agreed upon.
    fn is_mute(&self, side: Side) -> bool {
        let syns = self.side(side).syn.zip(self.side(side.other()).syn);
        syns.is_some_and(|(own, other)| !own.sack || !other.sack)
    }

    /// Something of this side arrived behind a hole at a receiver that can say so only by acknowledging once more what it had before.
    pub fn arrived_behind_hole(&self, side: Side) -> bool {
        self.is_mute(side) && self.side(side.other()).duplicate_acks > 0
    }

    /// The same of this segment: each that lies behind the hole drew such an acknowledgment. It is not sent again before the hole is filled.
    pub fn waits_behind_hole(&self, side: Side, sent: &Outstanding) -> bool {
        let own = self.side(side);
        let behind = own.outstanding.iter().filter(|other| other.offset > own.acked).count();
        sent.offset > own.acked && self.arrived_behind_hole(side) && self.side(side.other()).duplicate_acks as usize >= behind
    }

    /// The shortest round trip from the capture point to one side: to the server that of SYN and SYN-ACK or of payload and its acknowledgment,
    /// to the client likewise. A single sample may hold time that the host took.
    pub fn leg(&self, side: Side) -> Option<Duration> {
        let opening = match side {
            Side::Client => self.tcp.and_then(|tcp| tcp.ack_rtt),
            Side::Server => self.tcp.and_then(|tcp| tcp.syn_rtt),
        };
        opening.into_iter().chain(self.side(side).quickest_ack).min()
    }

    /// How long a side took from what reached it to what it did then, seen from here: without the round trip to it.
    pub fn reaction_time(&self, side: Side, reached: Mark, did: Mark) -> Duration {
        self.elapsed(reached, did).saturating_sub(self.leg(side).unwrap_or_default())
    }

    /// The routers between the client and here, by the TTL with which its packets come: systems begin with 64, 128 or 255.
    pub fn hops_from_client(&self) -> Option<u8> {
        let client = &self.sides.client;
        let ttl = client.ttl.or_else(|| client.syn.map(|syn| syn.ttl))?;
        [64, 128, 255].into_iter().find(|begin| ttl <= *begin).map(|begin: u8| begin - ttl)
    }

    /// With which TTL the server's packets arrive at the client: that with which they come here, less the routers from here on.
    pub fn ttl_at_client(&self) -> Option<u8> {
        self.sides.server.ttl?.checked_sub(self.hops_from_client()?)
    }

    /// The shortest round trip between the two ends, as this capture point saw its two parts.
    pub fn least_rtt(&self) -> Option<Duration> {
        match (self.leg(Side::Server), self.leg(Side::Client)) {
            (Some(server), Some(client)) => Some(server + client),
            (one, other) => one.or(other),
        }
    }

    /// No SYN and no bare acknowledgment of it is there, which no connection does without: its packets were picked out of a larger capture by what
    /// they carry, as a display filter does. Times and silences in it say nothing.
    pub fn is_picked_out(&self) -> bool {
        let both_spoke = Side::BOTH.iter().all(|side| self.side(*side).data_packets > 0);
        let spoke_only = Side::BOTH.iter().all(|side| self.side(*side).packets == self.side(*side).data_packets);
        !self.is_udp() && both_spoke && spoke_only && !self.saw_start()
    }

    /// The time between two frames, less what the capturing host's clock stepped in between.
    pub fn elapsed(&self, from: Mark, to: Mark) -> Duration {
        let span = to.time.since(from.time);
        match self.tcp.and_then(|tcp| tcp.clock_step) {
            Some((at, step)) if from.frame < at.frame && at.frame <= to.frame => span.saturating_sub(step),
            _ => span,
        }
    }

    /// The best estimate of a network round trip between the two ends: SYN → SYN-ACK plus SYN-ACK → ACK as this capture point saw them.
    pub fn rtt(&self) -> Option<Duration> {
        match (self.tcp?.syn_rtt, self.tcp?.ack_rtt) {
            (Some(server_leg), Some(client_leg)) => Some(server_leg + client_leg),
            (one, other) => one.or(other),
        }
    }
}

/// What only the packets of a TCP connection show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFacts {
    /// The first acknowledgment from the client that completes the TCP handshake.
    pub established: Option<Mark>,
    /// SYN to SYN-ACK as the capture point saw it, when both are there and the SYN was not repeated.
    pub syn_rtt: Option<Duration>,
    /// SYN-ACK to the client's next acknowledgment, likewise. The path's round trip as seen from anywhere between is about the sum of both.
    pub ack_rtt: Option<Duration>,
    /// Both sides sent a SYN without ACK (RFC 9293 section 3.5).
    pub simultaneous_open: bool,
    /// The capturing host's clock stepped forward in the middle of it: where, and by how much. The TCP timestamps of both sides deny that so much
    /// time had passed.
    pub clock_step: Option<(Mark, Duration)>,
}

/// How the roles were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Roles {
    /// A SYN or SYN-ACK was seen; over UDP a ClientHello.
    Handshake,
    /// The connection was under way: guessed from ports, until TLS messages say otherwise.
    Guessed,
}

/// Two points of one host see a message no further apart.
const COPIES: Duration = Duration::from_millis(1);

/// An ICMP error that quoted the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpNote {
    /// Where.
    pub mark: Mark,
    /// Who sent the message.
    pub reporter: IpAddr,
    /// Its meaning.
    pub kind: IcmpKind,
    /// Type on the wire.
    pub icmp_type: u8,
    /// Code on the wire.
    pub code: u8,
    /// Whose packet it quotes.
    pub about: Side,
    /// Total length of the quoted IP packet in bytes.
    pub quoted_len: u32,
    /// Segments larger than the reported MTU that the quoted side sent afterwards.
    pub ignored: u32,
}

impl IcmpNote {
    /// It is a copy of the same message, from another point or once more at this one.
    pub(super) fn is_copied_by(&self, other: &Self) -> bool {
        Self { mark: other.mark, ..*self } == *other && other.mark.time.since(self.mark.time) <= COPIES
    }

    /// Of an error about this side's packet.
    pub(super) const fn of(error: &IcmpError, about: Side) -> Self {
        Self {
            mark: error.mark,
            reporter: error.reporter,
            kind: error.kind,
            icmp_type: error.icmp_type,
            code: error.code,
            about,
            quoted_len: error.quoted_len,
            ignored: 0,
        }
    }
}
