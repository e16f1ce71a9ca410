//! One QUIC connection: Initial packets are opened with the keys that everybody can make, the others where secrets are given (`protected`).

use smallvec::SmallVec;

use crate::flow::Side;
use crate::packet::Datagram;
use crate::quic::crypto::CryptoStream;
use crate::quic::header::{INITIAL_DATAGRAM, Long, LongKind, Packet, Retry, SHORT_LEAST, VersionNegotiation, packets, packets_of_flow};
use crate::quic::protection::InitialKeys;
use crate::quic::version::Version;
use crate::time::Mark;
use crate::transport::FlowFacts;
use crate::transport::udp::{Hearing, Opening};

use super::Sides;
use crate::handshake::ending::datagrams::completes;
use crate::handshake::facts::{Fact, Observed, Packets, PartialMessage, Protocol, QuicFacts, Strange};
use crate::handshake::notes::letter;
use crate::handshake::shared::Shared;
use protected::Unsealing;
use resets::Resets;

mod answers;
mod early;
mod initial;
mod moved;
mod opened;
mod protected;
mod resets;
mod weight;

/// What is known of a connection besides its facts.
#[derive(Debug)]
pub(super) struct Quic {
    /// Keys by version and connection identifier, the latest last.
    keys: Vec<Keys>,
    derived: u32,
    /// The client's first destination connection identifier.
    original: Vec<u8>,
    /// The identifier to which the flow's first packet was sent, where that has a long header.
    addressed: Option<Vec<u8>>,
    /// The identifier that the client gave itself.
    client_cid: Vec<u8>,
    /// Identifiers that the server gave itself: the client sends to these with the keys it has.
    server_cids: Vec<Vec<u8>>,
    /// A Retry or Version Negotiation was answered last: the client's hello is sent again on purpose.
    replay: bool,
    sides: Sides<Sender>,
    /// The client's Finished went out by this packet, for it used 1-RTT keys right after.
    client_finished: Option<Mark>,
    /// 1-RTT packets of the server since the client's last Handshake packet, while nothing shows that this was its Finished: the first, and how many.
    ahead: Option<(Mark, u32)>,
    /// The client's first Handshake packet with room for a Finished, and the datagrams of the server behind it that hold 1-RTT packets alone, while
    /// no Handshake packet of the server came in between: the first, the last, and how many.
    perhaps_finished: Option<(Mark, Packets)>,
    /// Initial packets of the client without a token: each may be answered by a Retry.
    tokenless: u32,
    /// What the datagram at hand holds and repeats.
    again: Again,
    buffer: Vec<u8>,
    /// The server's latest packets with a short header.
    resets: Resets,
    /// Where secrets are given.
    unsealing: Option<Box<Unsealing>>,
}

/// What a datagram holds, and what of it was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations")]
struct Again {
    /// CRYPTO frames that were there before.
    crypto: bool,
    /// It asks for an acknowledgment, and what it brings was there before: a probe.
    asks: bool,
    /// An answer is due to it, as far as can be told.
    due: bool,
    /// A packet with a long header that is no Handshake packet.
    early: bool,
    /// Bytes of its Handshake packets.
    handshake: usize,
    /// A 1-RTT packet.
    short: bool,
    /// Bytes of content, the packet number and the tag counted, of its last Handshake and 1-RTT packets.
    contents: (usize, usize),
    /// Length of the destination's identifier in its last Handshake packet.
    cid_len: usize,
}

#[derive(Debug)]
struct Keys {
    version: Version,
    dcid: Vec<u8>,
    both: InitialKeys,
}

/// One side's Initial packets.
#[derive(Debug, Default)]
struct Sender {
    stream: CryptoStream<Mark>,
    /// One more than the largest packet number.
    expected: u64,
    /// Sizes of its Handshake packets, as far as remembered.
    sizes: SmallVec<[u16; 8]>,
    /// A Handshake packet that is smaller than a full one ended a flight.
    flight_ended: bool,
    /// Packets that ask for an acknowledgment and have none yet: number and size of their datagram.
    sent: Vec<(u64, u32)>,
}

/// A datagram's packets: whose they are, where they were, and what they add to.
pub(super) struct Heard<'a> {
    h: &'a mut Observed,
    shared: &'a mut Shared,
    side: Side,
    mark: Mark,
}

/// Whether a datagram begins a QUIC connection: a client's Initial packet; or one that may be.
pub(super) fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
    let full = datagram.payload_len as usize >= INITIAL_DATAGRAM;
    match packets(datagram.payload).next()? {
        Packet::Long(long) if long.kind == LongKind::Initial => {
            let opened = full && opens_as_client(&long);
            let identity = opened.then(|| super::number_of(long.dcid));
            Some(Opening { sender: opened.then_some(Side::Client), identity })
        }
        // A version to come, or one that is reserved: only what the server answers will tell.
        Packet::Unknown(unknown) if full && !unknown.version.is_google() && unknown.dcid.len() >= LEAST_FIRST_CID => {
            Some(Opening { sender: Some(Side::Client), identity: None })
        }
        packet => moved::opens(&packet),
    }
}

/// It opens with the keys of its own destination connection identifier: only a client's first packets do.
fn opens_as_client(long: &Long<'_>) -> bool {
    let keys = InitialKeys::new(long.version, long.dcid);
    keys.is_some_and(|keys| keys.client.open(long, 0, &mut Vec::with_capacity(long.bytes.len())).is_some())
}

impl Quic {
    pub(super) fn new(h: &mut Observed, shared: &Shared, datagram: &[u8]) -> Self {
        let (version, addressed) = match packets(datagram).next() {
            Some(Packet::Long(long)) => (long.version, Some(long.dcid.to_vec())),
            Some(Packet::Unknown(unknown)) => (unknown.version, Some(unknown.dcid.to_vec())),
            _ => (Version::V1, None),
        };
        h.quic = Some(Box::new(QuicFacts::new(version)));
        h.held_bytes += size_of::<QuicFacts>();
        Self {
            keys: Vec::new(),
            derived: 0,
            original: addressed.clone().unwrap_or_default(),
            addressed,
            client_cid: Vec::new(),
            server_cids: Vec::new(),
            replay: false,
            sides: Sides::default(),
            client_finished: None,
            ahead: None,
            perhaps_finished: None,
            tokenless: 0,
            again: Again::default(),
            buffer: Vec::new(),
            resets: Resets::default(),
            unsealing: shared.keys.is_some().then(Box::default),
        }
    }

    pub(super) fn datagram(
        &mut self,
        h: &mut Observed,
        shared: &mut Shared,
        flow: &mut FlowFacts,
        mut side: Side,
        datagram: &Datagram<'_>,
    ) -> Hearing {
        let mark = datagram.mark;
        let known = h.protocol == Protocol::Quic;
        let first = packets_of_flow(datagram.payload, known).next();
        if let Some(Packet::Long(long)) = first
            && long.kind == LongKind::Initial
            && self.is_foreign(h, &long)
        {
            if h.protocol == Protocol::Quic && opens_as_client(&long) {
                return Hearing::Anew;
            }
            if side == Side::Server && h.protocol == Protocol::Other && opens_as_client(&long) {
                side = Side::Client;
                let hearing = self.packets(h, shared, flow, side, datagram);
                return if hearing == Hearing::Nothing { Hearing::New } else { Hearing::Swap };
            }
        }
        if side == Side::Server && Self::is_strange(h, flow, first.as_ref(), datagram) {
            note_strange(h, datagram);
            return Hearing::Foreign;
        }
        if first.is_none() {
            return self.unnamed(h, shared, side, datagram);
        }
        let hearing = self.packets(h, shared, flow, side, datagram);
        self.weigh(h, side, datagram);
        let Some(quic) = &mut h.quic else { return hearing };
        if hearing == Hearing::Nothing && self.again.asks {
            quic.repeat(side, mark);
        }
        if self.again.crypto {
            let own = flow.sides.of_mut(side);
            own.retransmits = own.retransmits.saturating_add(1);
        }
        if self.is_settled(h) {
            return Hearing::Settled(Some(self.identity()));
        }
        hearing
    }

    /// An Initial packet for an identifier that this connection does not know, though its hello was seen and nothing asked for another.
    fn is_foreign(&self, h: &Observed, long: &Long<'_>) -> bool {
        let known = self.keys.iter().any(|keys| keys.dcid == long.dcid) || self.server_cids.iter().any(|cid| cid == long.dcid);
        !known && !self.replay && long.token.is_empty() && (h.protocol == Protocol::Quic || self.keys.is_empty())
    }

    /// A datagram of the server that has no long header, before any that has one: no server has other keys before it has sent an Initial packet, and
    /// nothing that the client sent shows that the capture lacks one.
    fn is_strange(h: &Observed, flow: &FlowFacts, first: Option<&Packet<'_>>, datagram: &Datagram<'_>) -> bool {
        let Some(quic) = h.quic.as_ref().filter(|_| h.protocol == Protocol::Quic) else { return false };
        let begun = quic.initials.client.count > 0 && quic.handshakes.client.count == 0 && quic.shorts.client.count == 0;
        let unheard = flow.side(Side::Server).packets == 0;
        begun && unheard && matches!(first, None | Some(Packet::Short { .. })) && !is_stun(datagram)
    }

    /// No packet in the form that is due: a short header whose fixed bit is greased (RFC 9287), or something else on this port.
    fn unnamed(&mut self, h: &mut Observed, shared: &mut Shared, side: Side, datagram: &Datagram<'_>) -> Hearing {
        let short = datagram.payload.first().is_some_and(|first| *first < 0x40) && datagram.payload.len() >= SHORT_LEAST;
        if !short || is_stun(datagram) || h.protocol != Protocol::Quic {
            return Hearing::Foreign;
        }
        self.again = Again { due: true, short: true, ..Again::default() };
        self.short(&mut Heard { h, shared, side, mark: datagram.mark }, datagram.payload);
        self.weigh(h, side, datagram);
        if self.is_settled(h) { Hearing::Settled(Some(self.identity())) } else { Hearing::New }
    }

    /// Enters what a datagram as a whole shows.
    fn weigh(&mut self, h: &mut Observed, side: Side, datagram: &Datagram<'_>) {
        let Some(quic) = &mut h.quic else { return };
        let Again { due, early, handshake, short, contents, .. } = self.again;
        let answers = quic.talk.unanswered.of(side.other()).is_some();
        quic.talk.heard(side, datagram.mark, datagram.payload_len, due);
        let alone = handshake > 0 && !early && !short;
        *quic.last_alone.of_mut(side) = alone.then(|| (u32::try_from(handshake).unwrap_or(u32::MAX), datagram.mark));
        match (side, &mut self.perhaps_finished) {
            (Side::Client, None) if handshake >= QuicFacts::LEAST_FINISHED as usize => {
                self.perhaps_finished = Some((datagram.mark, Packets::default()));
            }
            (Side::Server, Some((_, alone))) if handshake > 0 => *alone = Packets::default(),
            (Side::Server, Some((_, alone))) if short && !early => alone.add(datagram.mark, datagram.payload.len()),
            _ => {}
        }
        if side == Side::Server && quic.handshakes.client.count > 0 {
            let len = datagram.payload_len as usize;
            let alike = quic.closing.count == 0 || quic.closing.bytes == u64::from(quic.closing.count) * len as u64;
            if handshake > 0 && short && !early && answers && len < LARGEST_CLOSE && alike {
                quic.closing.add(datagram.mark, len);
                quic.closing_twice = contents.0 == contents.1;
            } else {
                (quic.closing, quic.closing_twice) = (Packets::default(), false);
            }
        }
    }

    fn packets(&mut self, h: &mut Observed, shared: &mut Shared, flow: &mut FlowFacts, side: Side, datagram: &Datagram<'_>) -> Hearing {
        let mark = datagram.mark;
        let mut new = false;
        self.again = Again::default();
        let known = h.protocol == Protocol::Quic;
        let mut heard = Heard { h, shared, side, mark };
        for packet in packets_of_flow(datagram.payload, known) {
            self.again.early |= !matches!(packet, Packet::Short { .. } | Packet::Long(Long { kind: LongKind::Handshake, .. }));
            self.again.due |= !matches!(packet, Packet::Long(Long { kind: LongKind::Initial, .. }));
            new |= match packet {
                Packet::Long(long) => match long.kind {
                    LongKind::Initial => {
                        self.named_itself(side, long.scid);
                        self.initial(&mut heard, flow, &long, datagram)
                    }
                    LongKind::ZeroRtt => {
                        if side == Side::Client {
                            self.zero_rtt(&mut heard, &long);
                        }
                        true
                    }
                    LongKind::Handshake => {
                        self.named_itself(side, long.scid);
                        self.again.handshake += long.protected_len();
                        (self.again.contents.0, self.again.cid_len) = (long.protected_len(), long.dcid.len());
                        self.handshake(&mut heard, &long)
                    }
                },
                Packet::Retry(retry) => self.retry(heard.h, side, mark, &retry),
                Packet::VersionNegotiation(negotiation) => self.version_negotiation(heard.h, side, mark, &negotiation),
                Packet::Unknown(unknown) => {
                    self.named_itself(side, unknown.scid);
                    self.again.asks = side == Side::Client && flow.first != mark;
                    side == Side::Client && !self.again.asks
                }
                Packet::Short { bytes } => {
                    self.again.short = true;
                    self.again.contents.1 = bytes.len().saturating_sub(1 + self.again.cid_len);
                    self.short(&mut heard, bytes);
                    true
                }
            };
        }
        if new { Hearing::New } else { Hearing::Nothing }
    }

    fn retry(&mut self, h: &mut Observed, side: Side, mark: Mark, retry: &Retry<'_>) -> bool {
        if side == Side::Client {
            return false;
        }
        let Some(quic) = h.quic.as_mut() else { return false };
        let again = quic.token.is_some() && quic.retry.count >= self.tokenless;
        quic.retry.add(mark, retry.token.len());
        quic.retries_after_token = quic.retries_after_token.saturating_add(u32::from(again));
        self.replay = true;
        !again
    }

    fn version_negotiation(&mut self, h: &mut Observed, side: Side, mark: Mark, negotiation: &VersionNegotiation<'_>) -> bool {
        let echoes = negotiation.scid == self.original || self.keys.iter().any(|keys| keys.dcid == negotiation.scid);
        if side == Side::Client || !echoes || h.server_hello.is_some() {
            return false;
        }
        h.protocol = Protocol::Quic;
        let Some(quic) = h.quic.as_mut().filter(|quic| quic.negotiation.is_none()) else { return false };
        quic.negotiation = Some((mark, negotiation.versions().take(VERSIONS).collect()));
        // The client begins anew, with the same hello or another.
        self.replay = true;
        self.sides = Sides::default();
        self.tokenless = 0;
        quic.numbers = Sides::default();
        h.client_hellos.clear();
        letter(h, Side::Server, 'v');
        true
    }

    /// Both sides use 1-RTT keys, went on, and have completed it: nothing that follows can change what is said.
    fn is_settled(&self, h: &Observed) -> bool {
        let Some(quic) = &h.quic else { return false };
        Self::is_used(h)
            || quic.shorts.client.count >= SETTLED
                && quic.shorts.server.count >= SETTLED
                // Its first may have gone out before it looked at the client's Finished.
                && h.application_records.server >= SETTLED
                && self.unsealing.as_ref().is_none_or(|unsealing| unsealing.is_full())
                && completes(h, h.finished.client.or(self.client_finished)).is_some()
    }

    /// A client that never used its 1-RTT keys may have finished all the same: a server that goes on in 1-RTT packets alone, for longer than a round
    /// trip, has laid down its Handshake keys, which it does when it has the client's Finished. Where that was, and the first of these packets.
    fn finished_by_form(&self, h: &Observed) -> Option<(Mark, Mark)> {
        let reset = h.quic.as_ref().is_some_and(|quic| quic.resets.count > 0);
        let (finished, alone) = self.perhaps_finished.filter(|_| !h.decrypted && !reset && h.finished.client.is_none())?;
        let (first, last) = alone.first.zip(alone.last)?;
        let longer = last.time.since(first.time) >= h.server_hello_time()?;
        (alone.count >= SETTLED && longer).then_some((finished, first))
    }

    /// What tells this handshake from a later one of the same flow.
    pub(super) fn identity(&self) -> u64 {
        super::number_of(&self.original)
    }

    /// Enters what is known only at the end.
    pub(super) fn finish(mut self, h: &mut Observed, shared: &mut Shared) {
        self.unseal_late(h, shared);
        self.so_far(h);
    }

    /// Enters what is known of messages and packets that are not whole or not answered yet.
    pub(super) fn so_far(&self, h: &mut Observed) {
        h.finished.client = h.finished.client.or(self.client_finished);
        self.name_ends(h);
        if let Some((finished, first)) = self.finished_by_form(h) {
            h.finished.client = Some(finished);
            h.application_data.server.get_or_insert(first);
        }
        let pending = self.sides.client.stream.pending().filter(|_| h.client_hellos.is_empty());
        if let Some(part) = pending {
            h.partial_client_hello = Some(PartialMessage { message: Some(1), have: part.have, want: part.want, mark: part.first });
        }
        if h.server_hello.is_none() {
            let pending = self.sides.server.stream.pending();
            h.partial_server_message =
                pending.map(|part| PartialMessage { message: part.kind, have: part.have, want: part.want, mark: part.first });
        }
        let Some(quic) = h.quic.as_mut() else { return };
        for side in Side::BOTH {
            *quic.largest_unacked.of_mut(side) = self.sides.of(side).sent.iter().map(|(_, len)| *len).max().unwrap_or(0);
        }
        if !h.decrypted {
            // The client answered at the Handshake level, for which it needs the ServerHello and more. Until then the flight may be whole or not.
            h.hidden.server_flight_done = match (quic.handshakes.server.last, quic.handshakes.client.first) {
                (Some(_), Some(answered)) => Fact::Happened(answered),
                (Some(_), None) => Fact::Unseen,
                (None, _) => Fact::DidNot,
            };
            h.hidden.certificate_requested = Fact::Unseen;
        }
    }
}

fn is_stun(datagram: &Datagram<'_>) -> bool {
    datagram.payload.get(4..8) == Some(&STUN_COOKIE)
}

fn note_strange(h: &mut Observed, datagram: &Datagram<'_>) {
    let Some(quic) = &mut h.quic else { return };
    let mut head = [0; 8];
    head.iter_mut().zip(datagram.payload).for_each(|(to, from)| *to = *from);
    let first = Strange { mark: datagram.mark, count: 0, len: datagram.payload_len, head };
    let strange = quic.strange.get_or_insert(first);
    strange.count = strange.count.saturating_add(1);
}

/// The client's first destination connection identifier has at least so many bytes (RFC 9000 section 7.2).
const LEAST_FIRST_CID: usize = 8;
/// Versions of a Version Negotiation packet remembered.
const VERSIONS: usize = 32;
/// The magic cookie of STUN (RFC 8489 section 5), which may share the ports.
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// A datagram that closes with a Handshake and a 1-RTT packet is no larger than this, its reason included.
const LARGEST_CLOSE: usize = 300;
/// Packets of each side under 1-RTT keys after which nothing more is to be learned.
const SETTLED: u32 = 2;
