//! What the packets of one side showed.

use std::mem::offset_of;
use std::time::Duration;

use crate::packet::LostFragments;
use crate::time::Mark;

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
    /// Of those, segments whose checksum is wrong: their receiver drops them.
    pub damaged: u32,
    /// Bytes that never came into view (see [`crate::transport::Gap`]), delivered as gaps.
    pub gap_bytes: u64,
    /// Of those, bytes the capture lost (the receiver acknowledged them).
    pub gap_bytes_acked: u64,
    /// Packets whose payload was cut.
    pub snaplen_cut: u32,
    /// Of those, how many had been cut before they came to be captured.
    pub cut_before: u32,
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
    /// The TTL or hop limit of its FIN.
    pub fin_ttl: u8,
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
    /// Segments that its receiver dropped, as what came in their place shows: they are left out of its stream.
    pub decoys: Option<Decoys>,
    /// Its last small segment that began with a TLS alert and was taken: where it came, and its TTL or hop limit.
    pub alert_ttl: Option<(Mark, u8)>,
    /// The offset behind bytes not seen that a packet without payload names as its next; 0 where none did.
    pub reached: u64,
    /// That packet.
    pub reached_at: Option<Mark>,
    /// More was acknowledged than was seen of it, and a later packet without payload names as its next what was: the rest came from somebody else.
    pub denies: bool,
    /// By how much the TCP timestamps of what it sends again in vain lie behind that of its SYN, which those of one host do not.
    pub clock_behind: Option<u32>,
    /// Packets of it that were captured twice, at two points or on two interfaces.
    pub copies: u32,
    /// Packets of it that came in fragments and never became whole: how many, and the first fragment of the first.
    pub unfinished: Option<(u32, Mark)>,
}

impl SideFacts {
    /// Bytes of it that each packet may touch.
    pub(in crate::transport) const BUSY: usize = offset_of!(Self, syn);

    /// Bytes at its end of which the capture shows nothing: its FIN or a bare acknowledgment stands behind them, so they were sent.
    pub fn lost_at_end(&self) -> u64 {
        self.fin.map_or(self.reached, |(_, at)| at).saturating_sub(self.highest.max(self.acked))
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
    pub(in crate::transport) fn note(&mut self, id: Option<u16>, mark: Mark) {
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

/// Segments that were made to be dropped by their receiver and to be read by a device on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoys {
    /// The first that came into view.
    pub first: Mark,
    /// How many there were.
    pub count: u32,
    /// Why the first is dropped.
    pub why: Doubt,
}

/// Why a receiver may drop a segment, or never get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Its hop counter is nearly used up, while those of the sender's other packets are not.
    HopCounter,
    /// Its checksum is wrong.
    Checksum,
    /// Its timestamp is older than that of the SYN (RFC 7323 section 5).
    OldTimestamp,
    /// A SYN carries it that does not ask for Fast Open.
    InSyn,
}

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
    /// The initial sequence number of the SYN that it answers.
    pub answers: Option<u32>,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Announced maximum segment size in bytes.
    pub mss: Option<u16>,
    /// Window scale shift, if offered.
    pub window_scale: Option<u8>,
    /// SACK permitted.
    pub sack: bool,
    /// The window, as sent.
    pub window: u16,
    /// Identification of its IPv4 header.
    pub ip_id: Option<u16>,
    /// It opens a further subflow of a connection over Multipath TCP.
    pub joins: bool,
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
    /// It has no ACK flag, and a number that the other side acknowledged, which it takes from the packet that it answers: so does a system that does not
    /// know the connection (RFC 9293 section 3.10.7.1).
    pub unknowing: bool,
    /// When the last of the other side's bytes that it acknowledges anew were first sent; `None` when it acknowledges nothing new.
    pub answers: Option<Mark>,
}

#[cfg(test)]
impl SynFacts {
    /// One that was sent once and offers nothing.
    pub(crate) const fn once(mark: Mark, ttl: u8) -> Self {
        Self {
            first: mark,
            last: mark,
            count: 1,
            isn: 1,
            answers: None,
            ttl,
            mss: None,
            window_scale: None,
            sack: false,
            window: 0,
            ip_id: None,
            joins: false,
            data_len: 0,
            fast_open: false,
            resent_without_data: false,
            acked: None,
            timestamp: None,
            first_arrived: false,
            renumbered: None,
            disputed: false,
        }
    }
}

impl Reset {
    /// One that fits exactly and acknowledges nothing.
    pub const fn fitting(mark: Mark, ttl: u8) -> Self {
        Self {
            mark,
            seq_distance: 0,
            ack_distance: None,
            in_window: true,
            ttl,
            ip_id: None,
            packets_after: 0,
            data_after: 0,
            to_syn: false,
            unknowing: false,
            answers: None,
        }
    }
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

impl ZeroWindow {
    /// Whether it was closed at this moment, or later.
    pub fn lasted_past(&self, mark: Mark) -> bool {
        self.reopened.is_none_or(|reopened| reopened > mark)
    }
}

/// Notes a packet that came in fragments and never became whole.
pub(in crate::transport) fn note_unfinished(facts: &mut SideFacts, lost: &LostFragments) {
    let (count, first) = facts.unfinished.unwrap_or((0, lost.mark));
    facts.unfinished = Some((count.saturating_add(1), first.min(lost.mark)));
}

/// Numbers passed over at once: more is no loss but another way of numbering.
const FEW_IDS: u16 = 32;
