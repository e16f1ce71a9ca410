//! What QUIC and DTLS handshakes show besides what all TLS handshakes have.

use std::time::Duration;

use crate::flow::{Endpoint, PerSide, Side};
use crate::quic::version::Version;
use crate::time::Mark;

/// What is QUIC's own in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuicFacts {
    /// The version of the client's latest Initial packet, or the server's where that chose another (RFC 9368).
    pub version: Version,
    /// The version of the client's first Initial packet.
    pub first_version: Version,
    /// Version Negotiation: where, and the versions that the server supports.
    pub negotiation: Option<(Mark, Vec<Version>)>,
    /// The client went on with a version of that list.
    pub negotiated: bool,
    /// Retry packets: first and last, and how many.
    pub retry: Packets,
    /// Retry packets that answer an Initial packet which already carried a token.
    pub retries_after_token: u32,
    /// The first Initial packet that carried a token.
    pub token: Option<Mark>,
    /// 0-RTT packets of the client.
    pub zero_rtt: Packets,
    /// Of those, packets that were opened with secrets from outside.
    pub zero_rtt_opened: u32,
    /// Initial packets of each side that could be opened.
    pub initials: PerSide<Packets>,
    /// Handshake packets of each side.
    pub handshakes: PerSide<Packets>,
    /// Packets with a short header of each side.
    pub shorts: PerSide<Packets>,
    /// The numbers of each side's Initial packets that could be opened.
    pub numbers: PerSide<Numbers>,
    /// A side's last datagram, where it was a Handshake packet alone: bytes of protected payload, and where.
    pub last_alone: PerSide<Option<(u32, Mark)>>,
    /// Datagrams by which the server answers whatever the client sends after its Finished, each with a Handshake packet in front of a 1-RTT packet
    /// and all of one size: a server that took the Finished has no Handshake keys any more, one that closes says so again and again.
    pub closing: Packets,
    /// In the last of these both packets have content of one size, as the same frame twice has.
    pub closing_twice: bool,
    /// How each side's datagrams fared.
    pub talk: Talk,
    /// Handshake and 1-RTT packets of each side that were opened with secrets from outside.
    pub opened: PerSide<u32>,
    /// Datagrams of each side that brought nothing new: hellos sent again, probes.
    pub repeats: PerSide<u32>,
    /// The first and the last of those.
    pub repeated: PerSide<Option<(Mark, Mark)>>,
    /// The first acknowledgment of a side's Initial packets by the other side: proof that they arrive.
    pub acked: PerSide<Option<Mark>>,
    /// Largest datagram of a side, in bytes of UDP payload, whose Initial packet the other side acknowledged.
    pub largest_acked: PerSide<u32>,
    /// Largest datagram of a side whose Initial packet asks for an acknowledgment and did not get one.
    pub largest_unacked: PerSide<u32>,
    /// The client's Initial packets that carry parts of a hello, in order, as far as remembered.
    pub hello_packets: Vec<HelloPacket>,
    /// `CONNECTION_CLOSE` in packets that could be opened: each side's first.
    pub closes: Vec<ClosedBy>,
    /// Stateless resets: packets of the server that end in one and the same token (RFC 9000 section 10.3). Whoever sends them does not know the
    /// connection.
    pub resets: Packets,
    /// The first Initial packet of the server that bears another connection identifier than those before it, and does not close: two servers
    /// answer the same client.
    pub second_server: Option<Mark>,
    /// Stands for the connection identifier that the server gave itself last.
    pub server_named: Option<u64>,
    /// The same for the one that the client gave itself, where that is long enough to tell it from others.
    pub client_named: Option<u64>,
    /// Datagrams of the server that are no packets of QUIC, before any that is one.
    pub strange: Option<Strange>,
    /// No hello was seen: stands for the connection identifier to which the first packet was sent. It may go on with a handshake of another flow.
    pub went_on_to: Option<u64>,
}

/// Datagrams that something else than QUIC sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strange {
    /// The first.
    pub mark: Mark,
    /// How many.
    pub count: u32,
    /// Length of the first, in bytes of UDP payload.
    pub len: u32,
    /// Its first bytes, with zeros behind a shorter one.
    pub head: [u8; 8],
}

/// Packets of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packets {
    /// How many.
    pub count: u32,
    /// Bytes of protected payload.
    pub bytes: u64,
    /// The first.
    pub first: Option<Mark>,
    /// The last.
    pub last: Option<Mark>,
}

impl Packets {
    /// One more.
    pub fn add(&mut self, mark: Mark, len: usize) {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(len as u64);
        self.first.get_or_insert(mark);
        self.last = Some(mark);
    }
}

/// How the datagrams of both sides fared, as far as the capture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Talk {
    /// Datagrams that a side sent since the other was last heard.
    pub unanswered: PerSide<Option<Unanswered>>,
    /// Bytes of UDP payload of a side's first two datagrams.
    pub first_sizes: PerSide<[u32; 2]>,
}

/// Datagrams to which nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    /// How many.
    pub count: u32,
    /// The first.
    pub first: Mark,
    /// The last.
    pub last: Mark,
}

impl Unanswered {
    /// From the first to the last.
    pub fn span(&self) -> Duration {
        self.last.time.since(self.first.time)
    }
}

impl Talk {
    /// A datagram of this side. `asks`: an answer is due to it, as far as can be told.
    pub(in crate::handshake) fn heard(&mut self, side: Side, mark: Mark, len: u32, asks: bool) {
        if let Some(size) = self.first_sizes.of_mut(side).iter_mut().find(|size| **size == 0) {
            *size = len;
        }
        *self.unanswered.of_mut(side.other()) = None;
        if asks {
            let own = self.unanswered.of_mut(side).get_or_insert(Unanswered { count: 0, first: mark, last: mark });
            own.count = own.count.saturating_add(1);
            own.last = mark;
        }
    }
}

/// The numbers of packets of one kind, from 0 to 63. A sender counts on without a gap: a number that lies between others, or before the first, was
/// sent as well, and is not in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers(u64);

impl Numbers {
    /// This one was seen.
    pub const fn add(&mut self, number: u64) {
        if number < u64::BITS as u64 {
            self.0 |= 1 << number;
        }
    }

    /// How many were sent and not seen. Some stacks begin with 1.
    pub const fn missing(self) -> u32 {
        if self.0 == 0 {
            return 0;
        }
        let (first, behind_last) = (self.0.trailing_zeros(), u64::BITS - self.0.leading_zeros());
        let before = if first > FIRST_NUMBER && first <= LATE_NUMBER { first } else { 0 };
        before + (behind_last - first) - self.0.count_ones()
    }
}

/// An Initial packet with part of a ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelloPacket {
    /// Packet number.
    pub number: u64,
    /// Offset of its first byte of the hello.
    pub offset: u64,
    /// Bytes of UDP payload of its datagram.
    pub datagram: u32,
    /// Where.
    pub mark: Mark,
    /// The server acknowledged it.
    pub acked: bool,
}

/// A `CONNECTION_CLOSE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedBy {
    /// Who sent it.
    pub from: Side,
    /// The code: see [`crate::quic::close`].
    pub code: u64,
    /// It is the application's code.
    pub application: bool,
    /// The reason phrase; mostly empty.
    pub reason: String,
    /// Where.
    pub mark: Mark,
    /// It was in an Initial packet, the keys of which a side lays down before it has finished.
    pub in_initial: bool,
}

impl ClosedBy {
    /// The endpoint closes because it has not heard of the other for too long, as its reason says.
    pub fn is_of_silence(&self) -> bool {
        let reason = self.reason.to_ascii_lowercase();
        ["idle", "timeout", "timed out", "no recent network activity"].iter().any(|word| reason.contains(word))
    }
}

impl QuicFacts {
    /// Bytes of a Handshake packet with a Finished, at least: its number, the frame's header, 36 bytes and the tag.
    pub const LEAST_FINISHED: u32 = 1 + 3 + 36 + 16;

    /// Bytes of one with nothing but an acknowledgment, at most: its number, the frame, of a single range as at the beginning, and the tag.
    pub const LARGEST_ACK: u32 = 4 + 12 + 16;

    /// Of a connection that begins with this version.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            first_version: version,
            negotiation: None,
            negotiated: false,
            retry: Packets::default(),
            retries_after_token: 0,
            token: None,
            zero_rtt: Packets::default(),
            zero_rtt_opened: 0,
            initials: PerSide::default(),
            handshakes: PerSide::default(),
            shorts: PerSide::default(),
            numbers: PerSide::default(),
            last_alone: PerSide::default(),
            closing: Packets::default(),
            closing_twice: false,
            talk: Talk::default(),
            opened: PerSide::default(),
            repeats: PerSide::default(),
            repeated: PerSide::default(),
            acked: PerSide::default(),
            largest_acked: PerSide::default(),
            largest_unacked: PerSide::default(),
            hello_packets: Vec::new(),
            closes: Vec::new(),
            resets: Packets::default(),
            second_server: None,
            server_named: None,
            client_named: None,
            strange: None,
            went_on_to: None,
        }
    }

    /// A datagram of this side brought nothing new.
    pub(in crate::handshake) fn repeat(&mut self, side: Side, mark: Mark) {
        let count = self.repeats.of_mut(side);
        *count = count.saturating_add(1);
        let slot = self.repeated.of_mut(side);
        *slot = Some((slot.map_or(mark, |(first, _)| first), mark));
    }

    /// The first `CONNECTION_CLOSE` of a side.
    pub fn close_of(&self, side: Side) -> Option<&ClosedBy> {
        self.closes.iter().find(|close| close.from == side)
    }

    /// The server's `CONNECTION_CLOSE` gives no reason and answers one of the client's (RFC 9000 section 10.2.2), which nobody can read: behind the server's
    /// flight the client's last word is a lone Handshake packet too small for a Finished, and the server closes when it has come. Where that packet is.
    pub fn answered_close(&self) -> Option<Mark> {
        let close = self.closes.first().filter(|close| {
            close.from == Side::Server && !close.application && close.code == crate::quic::close::NO_ERROR && close.in_initial
        })?;
        let (len, mark) = self.last_alone.client.filter(|(_, mark)| *mark < close.mark && self.shorts.client.count == 0)?;
        let behind = self.handshakes.server.first.is_some_and(|flight| flight < mark);
        // What only acknowledges the flight is sent at once (RFC 9000 section 13.2.1).
        let acknowledges = self.handshakes.server.last.is_some_and(|last| last < mark && mark.time.since(last.time) <= AT_ONCE);
        let soon = close.mark.time.since(mark.time) < ANSWERED_WITHIN;
        (behind && soon && !acknowledges && len < Self::LEAST_FINISHED).then_some(mark)
    }

    /// The server closed in an Initial packet: it has not taken the client's Finished, whatever it sent besides.
    pub fn closed_before_the_end(&self) -> bool {
        self.close_of(Side::Server).is_some_and(|close| close.in_initial)
    }

    /// The server answers the client's Finished and all that follows it with one and the same datagram, or says the same at both levels: it has
    /// closed.
    pub fn repeats_its_close(&self) -> Option<Mark> {
        self.closing.first.filter(|_| self.closing.count >= SAME_CLOSE || self.closing_twice)
    }

    /// The client's hello takes more than one packet.
    pub fn hello_is_split(&self) -> bool {
        self.hello_packets.iter().any(|packet| packet.offset > 0)
    }

    /// The server's packets with a short header are all stateless resets, as far as they came after the first of these.
    pub fn is_reset(&self) -> bool {
        self.resets.first.is_some_and(|reset| self.shorts.server.first.is_none_or(|first| first >= reset))
    }

    /// Version Negotiation was the last word: the client did not go on.
    pub const fn no_common_version(&self) -> bool {
        self.negotiation.is_some() && !self.negotiated
    }
}

/// What is DTLS's own in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DtlsFacts {
    /// HelloVerifyRequests of the server.
    pub cookie_requests: Packets,
    /// Different cookies among those.
    pub cookies: u32,
    /// ClientHellos without a cookie, repetitions included.
    pub hellos_without_cookie: Packets,
    /// ClientHellos that return a cookie, repetitions included.
    pub hellos_with_cookie: Packets,
    /// Datagrams with records of each side; STUN and the like on the same ports are not counted.
    pub datagrams: PerSide<Packets>,
    /// Datagrams of each side that brought nothing new: flights sent again.
    pub repeats: PerSide<u32>,
    /// The first and the last of those.
    pub repeated: PerSide<Option<(Mark, Mark)>>,
    /// Messages that came in more than one fragment.
    pub fragmented: PerSide<u32>,
    /// Largest and smallest datagram of each side in bytes of UDP payload.
    pub largest: PerSide<u32>,
    /// The server's message that stayed incomplete.
    pub hole: Option<Hole>,
    /// A connection identifier is in use (RFC 9146).
    pub connection_id: bool,
    /// Each side sent a ClientHello: both take themselves for the client.
    pub role_conflict: Option<Mark>,
    /// How each side's datagrams fared.
    pub talk: Talk,
    /// The TURN relay through which the client or the server speaks.
    pub relay: Option<Endpoint>,
}

/// A hole in a message that was never filled, though what stands around it came again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Whose message.
    pub side: Side,
    /// Handshake type.
    pub message: u8,
    /// Bytes that arrived.
    pub have: usize,
    /// Bytes it has.
    pub want: usize,
    /// Bytes missing in its first hole.
    pub missing: usize,
    /// Its first fragment to arrive.
    pub first: Mark,
}

impl DtlsFacts {
    /// A datagram of this side brought nothing new.
    pub(in crate::handshake) fn repeat(&mut self, side: Side, mark: Mark) {
        let count = self.repeats.of_mut(side);
        *count = count.saturating_add(1);
        let slot = self.repeated.of_mut(side);
        *slot = Some((slot.map_or(mark, |(first, _)| first), mark));
    }

    /// How long a side sent the same again.
    pub fn repeating(&self, side: Side) -> Duration {
        self.repeated.of(side).map_or(Duration::ZERO, |(first, last)| last.time.since(first.time))
    }
}

/// The number of a side's first packet is this at most.
const FIRST_NUMBER: u32 = 1;
/// A first number above this is one that was chosen at random.
const LATE_NUMBER: u32 = 8;
/// Answers alike from which on it is no chance.
const SAME_CLOSE: u32 = 2;
/// An endpoint that is closed to answers as soon as that arrives: the longest ways there and back.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// An acknowledgment takes less; a certificate that is looked at, more.
const AT_ONCE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_were_never_seen_were_sent() {
        let missing = |seen: &[u64]| {
            let mut numbers = Numbers::default();
            for number in seen {
                numbers.add(*number);
            }
            numbers.missing()
        };
        assert_eq!([missing(&[]), missing(&[0, 1, 2]), missing(&[1, 2]), missing(&[0]), missing(&[40, 41])], [0; 5]);
        assert_eq!(missing(&[3, 4, 7, 8]), 5, "0, 1, 2, 5 and 6");
        assert_eq!((missing(&[0, 4]), missing(&[0, 200]), missing(&[40, 42])), (3, 0, 1));
    }
}
