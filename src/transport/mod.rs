//! Floor 2: TCP connections. Segments go in, in-order bytes and facts come out.
//!
//! A [`Table`] owns the connections of one partition. Each connection has a [`FlowSink`], the part of the floors above that follows it, which
//! is given bytes in order as slices borrowed from the packet (only what is out of order is copied, within bounds), gaps, and control events;
//! and [`TcpFacts`], what the packets showed besides their payload. The table judges nothing: a RST does not end a connection here, because
//! only what follows tells whether it was genuine. Sequence positions are *offsets*: bytes since the side's first payload byte, 64 bits, so
//! that wrap-around never shows above this floor.

use std::time::Duration;

use crate::flow::{FlowKey, Path, PerSide, Side};
use crate::packet::IcmpKind;
use crate::time::{Mark, Timestamp};
use std::net::IpAddr;

/// What a sink wants after it was given something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Go on.
    More,
    /// Settled: no payload is wanted any more. The table calls [`FlowSink::finish`] at once and keeps a marker, so that the rest of the
    /// connection costs one look-up a packet.
    Settled,
}

/// Bytes of one side, in order, no gap before them since the last [`Data`] or [`Gap`] of that side.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// Who sent them.
    pub side: Side,
    /// Offset of the first byte.
    pub offset: u64,
    /// The bytes; never empty.
    pub bytes: &'a [u8],
    /// The frame that brought them (for buffered bytes: the frame in which they came, not the one that filled the hole).
    pub mark: Mark,
}

/// Bytes that will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Whose bytes are missing.
    pub side: Side,
    /// Offset of the first missing byte.
    pub offset: u64,
    /// How many are missing.
    pub len: u64,
    /// Why.
    pub why: GapCause,
    /// The frame at which it became certain.
    pub mark: Mark,
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

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Close {
    /// FIN from both sides, or FIN or RST and then quiet for the linger time.
    Ended,
    /// The sink had seen enough.
    Settled,
    /// The same addresses and ports were used for a new connection.
    Reused,
    /// Quiet for longer than the idle limit.
    Idle,
    /// Thrown out to stay within bounds.
    Evicted,
    /// The capture ended.
    EndOfCapture,
}

/// What follows a connection on the floors above.
pub trait FlowSink: Sized {
    /// What all sinks of a partition share: options, caches, the place where reports go.
    type Shared;

    /// A sink for a connection that is beginning.
    fn new(shared: &mut Self::Shared, key: &FlowKey) -> Self;

    /// Bytes in order.
    fn data(&mut self, shared: &mut Self::Shared, tcp: &TcpFacts, data: Data<'_>) -> Interest;

    /// Bytes that are missing; the next [`Data`] of that side begins behind them.
    fn gap(&mut self, shared: &mut Self::Shared, tcp: &TcpFacts, gap: Gap) -> Interest;

    /// SYN-ACK, FIN, RST, ICMP error, first acknowledgment of new data: something in `tcp` other than payload changed that may matter.
    /// `event` is the last entry of [`TcpFacts::events`].
    fn control(&mut self, shared: &mut Self::Shared, tcp: &TcpFacts, event: &TcpEvent) -> Interest;

    /// Called about once a second of packet time while the connection is unsettled: time for "nothing has happened for too long".
    fn tick(&mut self, shared: &mut Self::Shared, tcp: &TcpFacts, now: Mark) -> Interest;

    /// The end, exactly once. `now` is the frame at which it was decided. Called also for connections that never carried payload.
    fn finish(self, shared: &mut Self::Shared, tcp: TcpFacts, close: Close, now: Mark);
}

/// What one connection's packets showed besides their payload.
#[derive(Debug, Clone, PartialEq)]
pub struct TcpFacts {
    /// The flow.
    pub key: FlowKey,
    /// The client is [`FlowKey::low`].
    pub client_is_low: bool,
    /// How the client was told from the server.
    pub roles: Roles,
    /// The tunnels around the first packet.
    pub path: Path,
    /// The first packet.
    pub first: Mark,
    /// The last packet.
    pub last: Mark,
    /// The interface index of the first packet (see [`crate::frame::FrameHead::interface`]).
    pub interface: u32,
    /// What each side sent.
    pub sides: PerSide<SideFacts>,
    /// What happened, in order, bounded by [`crate::limits::TCP_EVENTS`]. In-order payload and plain acknowledgments are not listed.
    pub events: Vec<TcpEvent>,
    /// Events beyond the bound.
    pub events_dropped: u32,
    /// ICMP errors that quoted this connection, in order, bounded by [`crate::limits::ICMP_NOTES`].
    pub icmp: Vec<IcmpNote>,
    /// SYN to SYN-ACK as the capture point saw it, when both are there and the SYN was not repeated.
    pub syn_rtt: Option<Duration>,
    /// SYN-ACK to the client's next acknowledgment, likewise. The path's round trip as seen from anywhere between is about the sum of both.
    pub ack_rtt: Option<Duration>,
    /// The first acknowledgment from the client that completes the TCP handshake.
    pub established: Option<Mark>,
    /// Both sides sent a SYN without ACK (RFC 9293 section 3.5).
    pub simultaneous_open: bool,
    /// Packets that are the same packet captured twice (SPAN of both ports, `-i any`): equal but for TTL, within milliseconds.
    pub duplicates: u32,
    /// IP fragments of this flow's packets that never became whole are not visible here; packets that were joined from fragments are.
    pub fragmented_packets: u32,
    /// Packets whose time lies before that of an earlier frame of this connection by more than a millisecond.
    pub clock_steps_back: u32,
}

impl TcpFacts {
    /// One side's facts.
    pub const fn side(&self, side: Side) -> &SideFacts {
        self.sides.of(side)
    }

    /// The capture holds the connection's beginning: a SYN or a SYN-ACK.
    pub fn saw_start(&self) -> bool {
        Side::BOTH.iter().any(|side| self.side(*side).syn.is_some())
    }

    /// The best estimate of a network round trip between the two ends: SYN → SYN-ACK plus SYN-ACK → ACK as this capture point saw them.
    pub fn rtt(&self) -> Option<Duration> {
        match (self.syn_rtt, self.ack_rtt) {
            (Some(server_leg), Some(client_leg)) => Some(server_leg + client_leg),
            (one, other) => one.or(other),
        }
    }
}

/// How the roles were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Roles {
    /// A SYN or SYN-ACK was seen.
    Handshake,
    /// The connection was under way: guessed from ports, until TLS messages say otherwise.
    Guessed,
}

/// What one side sent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SideFacts {
    /// Its SYN (the client's) or SYN-ACK (the server's).
    pub syn: Option<SynFacts>,
    /// Packets, retransmissions included, duplicates not.
    pub packets: u32,
    /// Packets with payload, likewise.
    pub data_packets: u32,
    /// Distinct payload bytes seen, wherever in the sequence.
    pub bytes_seen: u64,
    /// End of the highest payload byte seen, as an offset: more than `bytes_seen` when there are holes.
    pub highest: u64,
    /// Payload bytes delivered in order (gaps that were given up included).
    pub delivered: u64,
    /// How far the other side has acknowledged this side's bytes, as an offset. May exceed `highest`: then the capture lost packets.
    pub acked: u64,
    /// When `acked` last rose.
    pub acked_at: Option<Mark>,
    /// First packet with payload.
    pub first_data: Option<Mark>,
    /// Last packet that brought new payload.
    pub last_data: Option<Mark>,
    /// Last packet of any kind.
    pub last_packet: Option<Mark>,
    /// Largest payload in one packet seen, in bytes.
    pub largest_segment: u32,
    /// Largest payload of a packet that the other side acknowledged or selectively acknowledged.
    pub largest_acked_segment: u32,
    /// Segments sent again, by whichever boundaries.
    pub retransmits: u32,
    /// Bytes that never came into view (see [`Gap`]), delivered as gaps.
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
    /// Its RSTs, bounded by [`crate::limits::RESETS`].
    pub resets: Vec<Reset>,
    /// RSTs beyond the bound.
    pub resets_dropped: u32,
    /// First and last packet that advertised a closed window, and whether it opened again after the last.
    pub zero_window: Option<ZeroWindow>,
    /// TTL or hop limit of packets with payload, or of plain ACKs where there were none: the most recent genuine-looking one before any RST.
    pub ttl: Option<u8>,
    /// Keep-alive probes sent (RFC 9293 section 3.8.4).
    pub keepalives: u32,
    /// An overlap brought other bytes than were there before; the first stay.
    pub differing_overlaps: u32,
    /// Segments larger than the MSS the other side announced: the capturing host's offload joined or has not yet split them.
    pub above_mss: u32,
}

/// A SYN or SYN-ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
pub struct TcpEvent {
    /// Where.
    pub mark: Mark,
    /// Who sent the packet (for ICMP: whose packet is quoted).
    pub side: Side,
    /// What.
    pub kind: TcpEventKind,
}

/// Kinds of [`TcpEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpEventKind {
    /// SYN or SYN-ACK, first copy.
    Syn,
    /// SYN or SYN-ACK again.
    SynRepeat,
    /// The TCP handshake is complete.
    Established,
    /// Payload sent again: offset and length.
    Retransmission { offset: u64, len: u32 },
    /// Payload beyond a hole: offset and length.
    OutOfOrder { offset: u64, len: u32 },
    /// The other side acknowledged this side's first payload, or more after a pause or retransmission; the offset acknowledged.
    Acknowledged { offset: u64 },
    /// Bytes given up as missing.
    Gap { offset: u64, len: u64, why: GapCause },
    /// Window closed.
    ZeroWindow,
    /// Window opened again.
    WindowOpen,
    /// Keep-alive probe.
    KeepAlive,
    /// FIN.
    Fin,
    /// RST: index into [`SideFacts::resets`].
    Rst { index: u8 },
    /// ICMP error: index into [`TcpFacts::icmp`].
    Icmp { index: u8 },
    /// An overlap with other bytes at this offset.
    DifferingOverlap { offset: u64 },
}

/// What a partition's tables have seen and had to drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableCounters {
    /// TCP connections begun.
    pub flows: u64,
    /// Of those, connections that never got beyond SYN and SYN-ACK.
    pub half_open: u64,
    /// Connections thrown out to stay within bounds, half-open ones apart.
    pub evicted: u64,
    /// Half-open connections thrown out to stay within bounds.
    pub evicted_half_open: u64,
    /// Buffered out-of-order bytes given up to stay within bounds.
    pub buffer_overflows: u64,
    /// The same packet captured twice.
    pub duplicates: u64,
    /// Most connections held at a time.
    pub peak_flows: u64,
    /// Packets of settled connections, not looked into.
    pub settled_packets: u64,
}

/// How long a connection may be quiet, and how much may be held. All in packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableLimits {
    /// Connections, half-open ones included.
    pub flows: usize,
    /// Half-open connections.
    pub half_open: usize,
    /// Out-of-order bytes buffered per direction.
    pub buffered_per_side: usize,
    /// Out-of-order bytes buffered in all.
    pub buffered_total: usize,
    /// Quiet time after which a half-open connection is given up.
    pub half_open_idle: Duration,
    /// Quiet time after which an unsettled connection is given up.
    pub idle: Duration,
    /// After FINs or a RST: how long late packets are still awaited.
    pub linger: Duration,
}

/// The moment at which partitions look at their timers: a whole second of packet time passed at this frame.
pub type Tick = Mark;

/// Earliest possible moment, for tables that have seen nothing.
pub const NEVER: Timestamp = Timestamp::MIN;
