//! 0-RTT packets, opened where the key log has the client's early traffic secret.
//!
//! They come before the server has chosen a suite: theirs is the one of the session that the client resumes, which only the secret's length and
//! the packets themselves tell. `handshake.decrypted` speaks of the handshake, and is not set by them.

use crate::flow::Side;
use crate::handshake::facts::Observed;
use crate::handshake::shared::Shared;
use crate::limits;
use crate::quic::frame::{Frame, frames};
use crate::quic::header::Long;
use crate::quic::protection::{Connection, KeyProvider, Level, PacketKeys, Suite};
use crate::quic::version::Version;
use crate::time::Mark;

use super::Heard;
use super::opened::{MISFITS, read};
use crate::handshake::pending::{Keys, Pending};

/// The opening of a connection's 0-RTT packets.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// The keys by every suite that may be theirs; when one has opened a packet, that one alone.
    pending: Pending<Vec<PacketKeys>, Held>,
    opened: u32,
    failed: u32,
}

/// A packet that awaits its key.
#[derive(Debug)]
struct Held {
    version: Version,
    pn_offset: usize,
    bytes: Vec<u8>,
    mark: Mark,
}

impl Early {
    /// Takes a packet. `expected` is one more than the largest packet number of the 0-RTT and 1-RTT packets so far; it is kept up.
    pub(super) fn packet(&mut self, heard: &mut Heard<'_>, long: &Long<'_>, expected: &mut u64) {
        if long.missing > 0 || self.failed >= MISFITS && self.opened == 0 || u64::from(self.opened) >= limits::OPENED_RECORDS {
            return;
        }
        let Heard { h, shared, mark, .. } = heard;
        self.look_up(h, shared, long.version);
        if !self.pending.awaits_keys() {
            self.late(h, shared, expected);
            self.open(heard, (long.version, long.pn_offset, long.bytes), expected);
        } else if !self.pending.is_full() {
            let held = Held { version: long.version, pn_offset: long.pn_offset, bytes: long.bytes.to_vec(), mark: *mark };
            self.pending.hold(h, long.bytes.len(), held);
        }
    }

    /// Opens what was kept, if the secret has come.
    pub(super) fn late(&mut self, h: &mut Observed, shared: &mut Shared, expected: &mut u64) {
        if let Some(version) = self.pending.first().map(|held| held.version) {
            self.look_up(h, shared, version);
        }
        if !self.pending.awaits_keys() {
            // What they say is new: no letter of the history gives way to theirs, and the places of others stay.
            for held in self.pending.take() {
                let Held { version, pn_offset, bytes, mark } = held.what;
                let mut heard = Heard { h: &mut *h, shared: &mut *shared, side: Side::Client, mark };
                self.open(&mut heard, (version, pn_offset, &bytes), expected);
            }
        }
    }

    /// Bytes of the packets that it holds, and of its keys.
    pub(super) fn held_bytes(&self) -> usize {
        let keys = if let Keys::Known(keys) = &self.pending.keys { keys.capacity() * size_of::<PacketKeys>() } else { 0 };
        self.pending.held_bytes() + keys
    }

    /// A packet was opened.
    pub(super) const fn has_opened(&self) -> bool {
        self.opened > 0
    }

    fn look_up(&mut self, h: &Observed, shared: &Shared, version: Version) {
        let Some(hello) = h.hello().filter(|_| self.pending.awaits_keys()) else { return };
        let Some(ring) = self.pending.news(shared) else { return };
        let connection = |suite| Connection { client_random: hello.random(), suite, version };
        let suites = [Suite::Aes128Gcm, Suite::Aes256Gcm, Suite::ChaCha20Poly1305];
        let keys = suites.iter().filter_map(|suite| ring.packet_keys(connection(*suite), Level::ZeroRtt, Side::Client));
        let keys: Vec<_> = keys.collect();
        self.pending.found(ring, (!keys.is_empty()).then_some(Ok(keys)));
    }

    fn open(&mut self, heard: &mut Heard<'_>, (version, pn_offset, bytes): (Version, usize, &[u8]), expected: &mut u64) {
        let Keys::Known(keys) = &mut self.pending.keys else { return };
        let mut buffer = Vec::new();
        if keys.len() > 1
            && let Some(at) = keys.iter().position(|keys| keys.open_long(bytes, pn_offset, *expected, &mut buffer).is_some())
        {
            keys.swap(0, at);
            keys.truncate(1);
        }
        let Some(opened) = keys.first().and_then(|keys| keys.open_long(bytes, pn_offset, *expected, &mut buffer)) else {
            self.failed = self.failed.saturating_add(1);
            return;
        };
        self.opened = self.opened.saturating_add(1);
        *expected = (*expected).max(opened.number.saturating_add(1));
        if let Some(quic) = &mut heard.h.quic {
            quic.zero_rtt_opened = quic.zero_rtt_opened.saturating_add(1);
        }
        read(heard, version, opened.payload, None);
        // STREAM (RFC 9000 section 19.8) and DATAGRAM (RFC 9221).
        let data = frames(version, opened.payload).any(|frame| matches!(frame, Frame::Passed(0x08..=0x0f | 0x30 | 0x31)));
        let records = &mut heard.h.early_data_records;
        *records = records.saturating_add(u32::from(data));
    }
}
