//! What a flow's packets showed besides their payload.

use std::mem::offset_of;
use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::flow::{Endpoint, FlowKey, Path, PerSide, Side, Transport};
use crate::packet::{IcmpKind, LostFragments};
use crate::time::Mark;

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

    /// The other side answered the copies of a segment, so that they arrived: each copy of a segment that is already there draws an acknowledgment
    /// that says nothing new, while what a hole draws comes before the copies and names what lies behind it.
    pub fn copies_answered(&self, side: Side, sent: &Outstanding) -> bool {
        let receiver = self.side(side.other());
        let since = receiver.last_packet.is_some_and(|last| last.frame > sent.first.frame);
        sent.copies >= 3 && since && !receiver.sent_sack && receiver.duplicate_acks.saturating_add(1) >= sent.copies
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

/// What one side sent. Over UDP there is no SYN, FIN or RST and nothing is acknowledged: what is counted of
/// these stays at nothing, and offsets are those that the sink makes up for the handshake's messages (see [`crate::transport::udp`]). What each packet touches comes
/// first.
#[derive(Debug, Clone, PartialEq, Default)]
#[repr(C)]
pub struct SideFacts {
    /// Packets, retransmissions included, duplicates not.
    pub packets: u32,
    /// Packets with payload, likewise.
    pub data_packets: u32,
    /// Payload bytes delivered in order (gaps that were given up included).
    pub delivered: u64,
    /// End of the highest payload byte seen, as an offset: more than `bytes_seen` when there are holes.
    pub highest: u64,
    /// How far the other side has acknowledged this side's bytes, as an offset. May exceed `highest`: then the capture lost packets.
    pub acked: u64,
    /// Distinct payload bytes seen, wherever in the sequence.
    pub bytes_seen: u64,
    /// Largest payload in one packet seen, in bytes.
    pub largest_segment: u32,
    /// Largest payload of a packet that the other side acknowledged or selectively acknowledged.
    pub largest_acked_segment: u32,
    /// Last packet of any kind.
    pub last_packet: Option<Mark>,
    /// What its IP identifications show.
    pub ids: IdFacts,
    /// When `acked` last rose.
    pub acked_at: Option<Mark>,
    /// First packet with payload.
    pub first_data: Option<Mark>,
    /// Last packet that brought new payload.
    pub last_data: Option<Mark>,
    /// Segments larger than the MSS the other side announced: the capturing host's offload joined or has not yet split them.
    pub above_mss: u32,
    /// TTL or hop limit of packets with payload, or of plain ACKs where there were none: the most recent before any RST, or, if
    /// there were none before, the first packet with payload after it.
    pub ttl: Option<u8>,
    /// The shortest time in which it acknowledged payload of the other side that was sent once, by a packet that carries none itself: the
    /// round trip from here to it, as far as it did not hold the acknowledgment back.
    pub quickest_ack: Option<Duration>,
    /// Its SYN (the client's) or SYN-ACK (the server's).
    pub syn: Option<SynFacts>,
    /// Segments sent again, by whichever boundaries.
    pub retransmits: u32,
    /// Bytes that never came into view (see [`super::Gap`]), delivered as gaps.
    pub gap_bytes: u64,
    /// Of those, bytes the capture lost (the receiver acknowledged them).
    pub gap_bytes_acked: u64,
    /// Packets whose payload the snapshot length cut.
    pub snaplen_cut: u32,
    /// Segments sent and not acknowledged when the connection was given up, in sequence order, bounded by [`crate::limits::OUTSTANDING`].
    pub outstanding: Vec<Outstanding>,
    /// Bytes that wait behind a hole that was never filled nor acknowledged.
    pub stranded_bytes: u64,
    /// Duplicate acknowledgments sent by this side (same number, no payload, while the other side has data outstanding).
    pub duplicate_acks: u32,
    /// This side selectively acknowledged something beyond a hole.
    pub sent_sack: bool,
    /// Its FIN: where, and at which offset.
    pub fin: Option<(Mark, u64)>,
    /// The other side's last packet with new payload before that FIN.
    pub heard_before_fin: Option<Mark>,
    /// Segments that went on where it left off, a fifth of a second and more after all it had sent was acknowledged, and without a word of the other side
    /// in between.
    pub paced: u16,
    /// How often its FIN was sent, if it was never acknowledged.
    pub fins_in_vain: u32,
    /// Its RSTs, bounded by [`crate::limits::RESETS`].
    pub resets: Vec<Reset>,
    /// RSTs beyond the bound.
    pub resets_dropped: u32,
    /// First and last packet that advertised a closed window, and whether it opened again after the last.
    pub zero_window: Option<ZeroWindow>,
    /// Keep-alive probes sent (RFC 9293 section 3.8.4).
    pub keepalives: u32,
    /// An overlap brought other bytes than were there before; the first stay.
    pub differing_overlaps: u32,
    /// A few bytes came a second time as others, and nothing shows that the first were ever taken: they are left out of its stream.
    pub contradicted: Option<Contradicted>,
    /// Its last small segment that began with a TLS alert and was taken: where it came, and its TTL or hop limit.
    pub alert_ttl: Option<(Mark, u8)>,
    /// Packets of it that were captured twice, at two points or on two interfaces.
    pub copies: u32,
    /// Packets of it that came in fragments and never became whole: how many, and the first fragment of the first.
    pub unfinished: Option<(u32, Mark)>,
}

impl SideFacts {
    /// Bytes of it that each packet may touch.
    pub(super) const BUSY: usize = offset_of!(Self, syn);

    /// Bytes that it sent before its FIN and of which the capture shows nothing: its FIN stands behind them, so they were sent.
    pub fn lost_before_fin(&self) -> u64 {
        self.fin.map_or(0, |(_, at)| at.saturating_sub(self.highest.max(self.acked)))
    }

    /// Packets that it sent and that were not captured, as far as the IP identifications tell that it gives to its packets in a row. `None` where
    /// it does not do so.
    pub fn unseen_packets(&self) -> Option<u32> {
        self.ids.in_order().then_some(self.ids.missing)
    }
}

/// IPv4 identifications of a side's packets. Where each packet has the number behind the last one's, a number that is missing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IdFacts {
    /// Of the last packet.
    pub last: Option<u16>,
    /// Packets with the number behind the last one's.
    pub next: u16,
    /// Packets with another number: repeats, zeros, random ones.
    pub other: u16,
    /// Numbers passed over by a few.
    pub missing: u32,
    /// Where most were passed over at once: the packet behind, and how many.
    pub widest: Option<(Mark, u16)>,
}

impl IdFacts {
    /// Takes the number of one more packet.
    #[inline]
    pub(super) fn note(&mut self, id: Option<u16>, mark: Mark) {
        // A kernel gives 0 to what belongs to no socket yet or any more.
        let Some(id) = id.filter(|id| *id != 0) else { return };
        if let Some(last) = self.last.replace(id) {
            match id.wrapping_sub(last) {
                1 => self.next = self.next.saturating_add(1),
                gap @ 2..=FEW_IDS => self.passed_over(gap - 1, mark),
                _ => self.other = self.other.saturating_add(1),
            }
        }
    }

    #[cold]
    fn passed_over(&mut self, missing: u16, mark: Mark) {
        self.missing = self.missing.saturating_add(u32::from(missing));
        if self.widest.is_none_or(|(_, widest)| missing > widest) {
            self.widest = Some((mark, missing));
        }
    }

    /// It numbers its packets in a row.
    pub const fn in_order(&self) -> bool {
        self.next >= 3 && self.other == 0
    }
}

/// A small segment in a side's name that the next one contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradicted {
    /// Where it came.
    pub mark: Mark,
    /// Its payload in bytes.
    pub len: u32,
    /// Its hop counter.
    pub ttl: u8,
    /// Its first byte: 21 is a TLS alert's.
    pub first: u8,
}

/// Numbers passed over at once: more is no loss but another way of numbering.
const FEW_IDS: u16 = 32;

/// A SYN or SYN-ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations")]
pub struct SynFacts {
    /// The first one.
    pub first: Mark,
    /// The last one.
    pub last: Mark,
    /// How often it was sent (1 = no retransmission).
    pub count: u32,
    /// Its initial sequence number.
    pub isn: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Announced maximum segment size in bytes.
    pub mss: Option<u16>,
    /// Window scale shift, if offered.
    pub window_scale: Option<u8>,
    /// SACK permitted.
    pub sack: bool,
    /// Payload bytes that the first one carried (TCP Fast Open).
    pub data_len: u32,
    /// The Fast Open option was present.
    pub fast_open: bool,
    /// A later copy came without the payload that the first one carried.
    pub resent_without_data: bool,
    /// When it was first acknowledged by the other side (by SYN-ACK, or by ACK).
    pub acked: Option<Mark>,
    /// The timestamp that its first copy carried (RFC 7323).
    pub timestamp: Option<u32>,
    /// The first answer of the other side echoes that timestamp: whatever was sent again, the first copy had arrived.
    pub first_arrived: bool,
    /// A later one has another initial sequence number, and this hop counter: somebody else answered, or a server that keeps nothing in mind.
    pub renumbered: Option<u8>,
    /// The other side acknowledged another number than this, before the connection was up: somebody else had answered it.
    pub disputed: bool,
}

/// A segment that was sent and never acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outstanding {
    /// Offset of its first byte.
    pub offset: u64,
    /// Payload length in bytes.
    pub len: u32,
    /// Total length of its IP packet in bytes.
    pub ip_len: u32,
    /// First time sent.
    pub first: Mark,
    /// Last time sent.
    pub last: Mark,
    /// How often it was seen (1 = never repeated).
    pub copies: u32,
    /// The receiver selectively acknowledged it: it arrived, something before it did not.
    pub sacked: bool,
}

/// A RST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// Where.
    pub mark: Mark,
    /// Sequence number relative to the next byte this side would send: 0 fits exactly.
    pub seq_distance: i64,
    /// Its acknowledgment number relative to what this side had acknowledged before, when ACK is set.
    pub ack_distance: Option<i64>,
    /// Within the window the other side had announced.
    pub in_window: bool,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    /// Packets (not RSTs) that this side sent after it.
    pub packets_after: u32,
    /// Of those, packets with new payload.
    pub data_after: u32,
    /// It answers a SYN: the connection never came up.
    pub to_syn: bool,
    /// When the last of the other side's bytes that it acknowledges anew were first sent; `None` when it acknowledges nothing new.
    pub answers: Option<Mark>,
}

/// A side's receive window was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroWindow {
    /// First packet that said so.
    pub first: Mark,
    /// Last packet that said so.
    pub last: Mark,
    /// A later packet opened it again.
    pub reopened: Option<Mark>,
}

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

/// Something that happened on a connection besides in-order payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowEvent {
    /// Where.
    pub mark: Mark,
    /// Who sent the packet (for ICMP: whose packet is quoted).
    pub side: Side,
    /// What.
    pub kind: FlowEventKind,
}

/// Kinds of [`FlowEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowEventKind {
    /// SYN or SYN-ACK, first copy.
    Syn,
    /// SYN or SYN-ACK again.
    SynRepeat,
    /// The TCP handshake is complete.
    Established,
    /// Payload sent again: offset and length.
    Retransmission {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        len: u32,
    },
    /// Payload sent again, though its first copy had arrived: the acknowledgment echoes the timestamp of that (RFC 3522).
    SpuriousRetransmission {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        len: u32,
    },
    /// Payload beyond a hole: offset and length.
    OutOfOrder {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        len: u32,
    },
    /// The other side acknowledged this side's first payload, or more after a pause or retransmission; the offset acknowledged.
    Acknowledged {
        /// Up to which all is acknowledged.
        offset: u64,
    },
    /// Bytes given up as missing: not told by [`super::FlowSink::control`] but by [`super::FlowSink::gap`].
    Gap {
        /// Of the first missing byte.
        offset: u64,
        /// In bytes.
        len: u64,
        /// Why.
        why: GapCause,
    },
    /// Window closed.
    ZeroWindow,
    /// Window opened again.
    WindowOpen,
    /// Keep-alive probe.
    KeepAlive,
    /// FIN.
    Fin,
    /// RST: index into [`SideFacts::resets`].
    Rst {
        /// Index into the sender's [`SideFacts::resets`].
        index: u8,
    },
    /// ICMP error: index into [`FlowFacts::icmp`].
    Icmp {
        /// Index into [`FlowFacts::icmp`].
        index: u8,
    },
    /// An overlap with other bytes at this offset.
    DifferingOverlap {
        /// Of the first byte that differs, or of the segment that was sent again with other bytes.
        offset: u64,
    },
}

impl FlowEventKind {
    /// Every connection has such events.
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Syn | Self::Established | Self::Acknowledged { .. } | Self::Fin)
    }
}

/// Notes a packet that came in fragments and never became whole.
pub(super) fn note_unfinished(facts: &mut SideFacts, lost: &LostFragments) {
    let (count, first) = facts.unfinished.unwrap_or((0, lost.mark));
    facts.unfinished = Some((count.saturating_add(1), first.min(lost.mark)));
}

/// Why bytes are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapCause {
    /// The receiver acknowledged them: they travelled, and the capture lost them.
    CaptureLost,
    /// The snapshot length cut them off.
    Snaplen,
    /// Never acknowledged; given up because the connection ended or a bound was hit.
    Unacknowledged,
}
