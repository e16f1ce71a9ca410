//! Handshake and 1-RTT packets (0-RTT packets: [`super::early`]). Without secrets they are told by their form and order alone; with those from outside they are opened, and what
//! their frames say counts instead.
//!
//! Secrets may come after the packets: until they are there packets are kept, within bounds, and read as without secrets; when they come, at
//! the latest at the end, what was read so is taken back and read again. Packets that do not open count as without secrets.

use crate::flow::Side;
use crate::limits;
use crate::quic::crypto::CryptoStream;
use crate::quic::header::Long;
use crate::quic::protection::{Connection, KeyProvider, Level, OneRttKeys, PacketKeys, Suite};
use crate::quic::version::Version;
use crate::time::Mark;
use crate::tls::registry::ProtocolVersion;

use super::super::Sides;
use super::early::Early;
use super::opened::{MISFITS, Said, read};
use super::{Heard, Quic, Sender};
use crate::handshake::facts::{EncryptedRecord, Observed};
use crate::handshake::notes::letter;
use crate::handshake::pending::{self, Keys, Pending, note_decrypted};
use crate::handshake::shared::Shared;

/// The opening of one connection's packets.
#[derive(Debug, Default)]
pub(super) struct Unsealing {
    pending: Pending<Known, Held>,
    sides: Sides<Space>,
    /// Packets that did not open.
    failed: u32,
    early: Early,
}

/// The keys as far as the log has them.
#[derive(Debug, Default)]
struct Known {
    handshake: Sides<Option<PacketKeys>>,
    one_rtt: Sides<Option<OneRttKeys>>,
}

/// What one side sends.
#[derive(Debug, Default)]
struct Space {
    /// The CRYPTO streams of Handshake and 1-RTT packets.
    streams: [CryptoStream<Mark>; 2],
    /// One more than the largest packet number of each.
    expected: [u64; 2],
    /// Length of the identifier that it gave itself: short headers to it have one as long.
    cid_len: usize,
    /// 1-RTT packets that were tried, and that opened.
    tried: u32,
    opened: u32,
}

/// A packet that awaits its key.
#[derive(Debug)]
struct Held {
    packet: Protected<Vec<u8>>,
    side: Side,
    mark: Mark,
}

/// A packet and where its number begins.
#[derive(Debug, Clone, Copy)]
struct Protected<Bytes> {
    level: Level,
    pn_offset: usize,
    bytes: Bytes,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Opened(Said),
    /// It is to be read as without secrets.
    Sealed,
    /// Under keys that fitted packets before: no packet of this connection (a stateless reset), or one too late.
    Stray,
}

impl Unsealing {
    /// Bytes that it takes with the pieces and packets that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let streams = self.sides.client.streams.iter().chain(&self.sides.server.streams);
        let pieces: usize = streams.map(CryptoStream::held_bytes).sum();
        size_of::<Self>() + pieces + self.pending.held_bytes() + self.early.held_bytes()
    }

    /// A side named itself with an identifier of this length.
    pub(super) const fn named_itself(&mut self, side: Side, len: usize) {
        self.sides.of_mut(side).cid_len = len;
    }

    /// Nothing more is to be opened.
    pub(super) fn is_full(&self) -> bool {
        match &self.pending.keys {
            Keys::Awaited => self.pending.is_full(),
            Keys::Known(_) => Side::BOTH.into_iter().any(|side| u64::from(self.sides.of(side).tried) >= limits::OPENED_RECORDS),
            Keys::Useless => true,
        }
    }

    /// Looks for secrets that are not there yet. True when there are keys now for which packets may have been kept.
    fn look_up(&mut self, h: &Observed, shared: &Shared) -> bool {
        let (Some(hello), Some(answer), Some(quic), false) = (h.hello(), &h.server_hello, &h.quic, self.pending.is_useless()) else {
            return false;
        };
        let Some(ring) = self.pending.news(shared) else { return false };
        let Some(suite) = Suite::of(answer.what.cipher_suite()) else {
            if answer.what.version() == ProtocolVersion::TLS13 && ring.knows(hello.random()) {
                ring.count_unsupported();
            }
            self.pending.keys = Keys::Useless;
            return false;
        };
        let version = if quic.version.is_known() { quic.version } else { Version::V1 };
        let connection = Connection { client_random: hello.random(), suite, version };
        let mut known = match std::mem::take(&mut self.pending.keys) {
            Keys::Known(known) => known,
            Keys::Awaited | Keys::Useless => Box::default(),
        };
        for side in Side::BOTH {
            let handshake = known.handshake.of_mut(side);
            *handshake = handshake.take().or_else(|| ring.packet_keys(connection, Level::Handshake, side));
            let one_rtt = known.one_rtt.of_mut(side);
            *one_rtt = one_rtt.take().or_else(|| ring.packet_keys(connection, Level::OneRtt, side).map(OneRttKeys::new));
        }
        let any = Side::BOTH.into_iter().any(|side| known.handshake.of(side).is_some() || known.one_rtt.of(side).is_some());
        if any {
            self.pending.keys = Keys::Known(known);
        }
        any && !self.pending.is_empty()
    }

    /// Keeps a packet whose keys may come. True when it was kept.
    fn hold(&mut self, h: &Observed, side: Side, mark: Mark, packet: Protected<&[u8]>) -> bool {
        let awaited = match &self.pending.keys {
            Keys::Awaited => true,
            Keys::Known(known) => match packet.level {
                Level::OneRtt => known.one_rtt.of(side).is_none() && known.handshake.of(side).is_some(),
                _ => false,
            },
            Keys::Useless => false,
        };
        if !awaited || self.pending.is_full() {
            return false;
        }
        let len = packet.bytes.len();
        let packet = Protected { level: packet.level, pn_offset: packet.pn_offset, bytes: packet.bytes.to_vec() };
        self.pending.hold(h, len, Held { packet, side, mark })
    }

    /// Opens a packet and enters what it says.
    fn open(&mut self, heard: &mut Heard<'_>, packet: Protected<&[u8]>, buffer: &mut Vec<u8>) -> Taken {
        let Heard { h, shared, side, .. } = heard;
        let side = *side;
        let Keys::Known(known) = &mut self.pending.keys else { return Taken::Sealed };
        let cid_len = self.sides.of(side.other()).cid_len;
        let space = self.sides.of_mut(side);
        let one_rtt = packet.level == Level::OneRtt;
        let expected = space.expected.get(usize::from(one_rtt)).copied().unwrap_or(0);
        let opened = if one_rtt {
            let Some(keys) = known.one_rtt.of_mut(side) else { return Taken::Sealed };
            space.tried = space.tried.saturating_add(1);
            keys.open(packet.bytes, cid_len, expected, buffer)
        } else {
            let Some(keys) = known.handshake.of(side) else { return Taken::Sealed };
            keys.open_long(packet.bytes, packet.pn_offset, expected, buffer)
        };
        let Some(opened) = opened else {
            // Where the keys of the handshake fit, those beyond it do.
            if one_rtt && (space.opened > 0 || h.decrypted) {
                return Taken::Stray;
            }
            self.failed = self.failed.saturating_add(1);
            if self.failed >= MISFITS && !h.decrypted {
                self.pending.misfit(shared);
            }
            return Taken::Sealed;
        };
        if let Some(expected) = space.expected.get_mut(usize::from(one_rtt)) {
            *expected = (*expected).max(opened.number.saturating_add(1));
        }
        space.opened = space.opened.saturating_add(u32::from(one_rtt));
        note_decrypted(h, shared);
        let version = h.quic.as_ref().map_or(Version::V1, |quic| quic.version);
        if let Some(quic) = &mut h.quic {
            let count = quic.opened.of_mut(side);
            *count = count.saturating_add(1);
        }
        let stream = space.streams.get_mut(usize::from(one_rtt));
        Taken::Opened(read(heard, version, opened.payload, stream))
    }
}

impl Quic {
    /// A 0-RTT packet of the client.
    pub(super) fn zero_rtt(&mut self, heard: &mut Heard<'_>, long: &Long<'_>) {
        let Some(quic) = heard.h.quic.as_mut() else { return };
        quic.zero_rtt.add(heard.mark, long.protected_len());
        if let Some(Unsealing { early, sides, .. }) = self.unsealing.as_deref_mut() {
            let [_, expected] = &mut sides.client.expected;
            early.packet(heard, long, expected);
        }
    }

    /// A Handshake packet. True when it brings anything new, as far as can be told.
    pub(super) fn handshake(&mut self, heard: &mut Heard<'_>, long: &Long<'_>) -> bool {
        let Heard { h, side, mark, .. } = heard;
        let (side, mark) = (*side, *mark);
        let list = h.encrypted.of_mut(side);
        if list.len() < limits::ENCRYPTED_RECORDS {
            let len = u16::try_from(long.protected_len()).unwrap_or(u16::MAX);
            list.push(EncryptedRecord { content_type: 22, len, mark });
        }
        let Some(quic) = h.quic.as_mut() else { return false };
        quic.handshakes.of_mut(side).add(mark, long.protected_len());
        let first = quic.handshakes.of(side).count == 1;
        if side == Side::Client {
            self.ahead = None;
        }
        let fresh = self.sides.of_mut(side).is_fresh(u16::try_from(long.protected_len()).unwrap_or(u16::MAX));
        self.again.asks |= !fresh;
        // A server that repeats its flight repeats its ServerHello with it: until the client answers, the rest is nothing new either.
        let answered = quic.handshakes.client.count > 0 || quic.shorts.client.count > 0;
        let new = fresh && (side == Side::Client || answered || quic.repeats.server == 0 && !self.again.crypto);
        let packet = Protected { level: Level::Handshake, pn_offset: long.pn_offset, bytes: long.bytes };
        let (taken, held) = if long.missing > 0 { (Taken::Sealed, false) } else { self.unseal(heard, packet) };
        if !matches!(taken, Taken::Opened(_)) && first {
            letter(heard.h, side, 'e');
        }
        self.was_read(heard.h, held);
        new
    }

    /// A 1-RTT packet.
    pub(super) fn short(&mut self, heard: &mut Heard<'_>, bytes: &[u8]) {
        let Some(quic) = heard.h.quic.as_mut() else { return };
        quic.shorts.of_mut(heard.side).add(heard.mark, bytes.len());
        if heard.side == Side::Server
            && let Some((first, len)) = self.resets.add(bytes, heard.mark)
        {
            if quic.resets.count == 0 {
                quic.resets.add(first, len);
            }
            quic.resets.add(heard.mark, bytes.len());
            return;
        }
        let (taken, held) = self.unseal(heard, Protected { level: Level::OneRtt, pn_offset: 0, bytes });
        self.progress(heard.h, heard.side, heard.mark, taken);
        self.was_read(heard.h, held);
    }

    /// What a 1-RTT packet shows of how far the handshake is.
    fn progress(&mut self, h: &mut Observed, side: Side, mark: Mark, taken: Taken) {
        let Some(quic) = h.quic.as_ref() else { return };
        if taken == Taken::Stray {
            return;
        }
        if side == Side::Client && self.client_finished.is_none() {
            let before = |packets: Option<Mark>| packets.filter(|packet| *packet <= mark);
            self.client_finished = Some(before(quic.handshakes.client.last).unwrap_or(mark));
            if let Some((first, count)) = self.ahead.take().filter(|_| quic.handshakes.client.count > 0) {
                h.application_data.server.get_or_insert(first);
                h.application_records.server = h.application_records.server.saturating_add(count);
            }
            let flight = before(quic.handshakes.server.last).or_else(|| h.server_hello.as_ref().map(|seen| seen.mark));
            h.finished.server = h.finished.server.or(flight);
        }
        let finished = h.finished.client.or(self.client_finished);
        if side == Side::Server
            && finished.is_none()
            && taken == Taken::Sealed
            && quic.handshakes.client.count > 0
            && self.again.handshake == 0
        {
            let ahead = self.ahead.get_or_insert((mark, 0));
            ahead.1 = ahead.1.saturating_add(1);
        }
        let counted = match (side, taken) {
            (Side::Client, Taken::Opened(said)) => !said.close,
            (Side::Client, _) => true,
            // A server that took the Finished has no Handshake keys any more.
            (Side::Server, Taken::Sealed) if self.again.handshake > 0 => false,
            // Data may go out before the client's Finished has come. What shows that it was taken: the server says so, or has opened packets
            // that it must not open before.
            (Side::Server, Taken::Opened(said)) => {
                let confirms = said.done || said.ack && !said.close && quic.zero_rtt.count == 0;
                (confirms || h.application_data.server.is_some()) && finished.is_some_and(|finished| mark > finished)
            }
            (Side::Server, _) => finished.is_some_and(|finished| mark > finished),
        };
        if counted {
            if h.application_data.of(side).is_none() {
                letter(h, side, 'd');
            }
            h.application_data.of_mut(side).get_or_insert(mark);
            let records = h.application_records.of_mut(side);
            *records = records.saturating_add(1);
        }
    }

    /// Opens a packet, or keeps it for later: then the second is true, and it is to be read as without secrets.
    fn unseal(&mut self, heard: &mut Heard<'_>, packet: Protected<&[u8]>) -> (Taken, bool) {
        if self.unsealing.as_mut().is_some_and(|unsealing| unsealing.look_up(heard.h, heard.shared)) {
            self.replay(heard.h, heard.shared);
        }
        let Some(unsealing) = &mut self.unsealing else { return (Taken::Sealed, false) };
        if unsealing.hold(heard.h, heard.side, heard.mark, packet) {
            return (Taken::Sealed, true);
        }
        (unsealing.open(heard, packet, &mut self.buffer), false)
    }

    /// The packet just kept was read as without secrets.
    fn was_read(&mut self, h: &Observed, held: bool) {
        if let Some(unsealing) = self.unsealing.as_mut().filter(|_| held) {
            unsealing.pending.was_read(h);
        }
    }

    /// The last moment at which secrets may have turned up.
    pub(super) fn unseal_late(&mut self, h: &mut Observed, shared: &mut Shared) {
        if let Some(Unsealing { early, sides, .. }) = self.unsealing.as_deref_mut() {
            let [_, expected] = &mut sides.client.expected;
            early.late(h, shared, expected);
        }
        if self.unsealing.as_mut().is_some_and(|unsealing| unsealing.look_up(h, shared)) {
            self.replay(h, shared);
        }
        if let (Some(unsealing), Some(ring), false) = (&self.unsealing, &shared.keys, h.decrypted) {
            if unsealing.early.has_opened() {
                ring.count_decrypted();
            } else if unsealing.failed > 0 && matches!(unsealing.pending.keys, Keys::Known(_)) {
                ring.count_misfit();
            }
        }
    }

    /// Takes back what was read without secrets of what was kept, and reads that again.
    fn replay(&mut self, h: &mut Observed, shared: &mut Shared) {
        let Some(unsealing) = &mut self.unsealing else { return };
        let overflowed = unsealing.pending.is_full();
        let held = unsealing.pending.take();
        let (data, records) = (std::mem::take(&mut h.application_data), std::mem::take(&mut h.application_records));
        if !h.decrypted {
            h.finished = Sides::default();
            self.client_finished = None;
            self.ahead = None;
        }
        pending::replay(h, held, |h, Held { packet, side, mark }| {
            let packet = Protected { level: packet.level, pn_offset: packet.pn_offset, bytes: packet.bytes.as_slice() };
            let mut heard = Heard { h: &mut *h, shared: &mut *shared, side, mark };
            let taken = match &mut self.unsealing {
                Some(unsealing) => unsealing.open(&mut heard, packet, &mut self.buffer),
                None => Taken::Sealed,
            };
            if packet.level == Level::OneRtt {
                self.progress(h, side, mark, taken);
                return false;
            }
            taken == Taken::Sealed
        });
        if overflowed {
            // What came after the bound was reached was counted once and cannot be counted again.
            for side in Side::BOTH {
                *h.application_data.of_mut(side) = h.application_data.of(side).or(*data.of(side));
                *h.application_records.of_mut(side) = (*h.application_records.of(side)).max(*records.of(side));
            }
        }
    }
}

impl Sender {
    /// A Handshake packet that none can read brings something new, as far as its size tells: full ones follow each other within a flight, and what
    /// comes in a size that was there before when the flight had ended is sent again.
    fn is_fresh(&mut self, len: u16) -> bool {
        let again = self.sizes.contains(&len) && (self.flight_ended || len < FULL_PACKET);
        self.flight_ended |= len < FULL_PACKET;
        if !again && self.sizes.len() < SIZES {
            self.sizes.push(len);
        }
        !again
    }
}

/// A Handshake packet smaller than this does not fill its datagram.
const FULL_PACKET: u16 = 900;
/// Sizes of Handshake packets remembered.
const SIZES: usize = 16;
