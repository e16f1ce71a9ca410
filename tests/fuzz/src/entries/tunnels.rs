//! What is spoken inside TLS whose keys are there: tunnels, and handshakes in them.

use handshark::flow::{PerSide, Side};
use handshark::secrets::kdf::{Hash, expand_label};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::captures::pipeline;

/// A connection of TLS 1.3 with keys made up here goes before. Then turns: a byte whose highest bit is the side, whose next says that a record before
/// this one is missing, and whose next that this one cannot be opened; a byte of length, in units of what the lowest bits say; and the record's content.
/// All of it goes through the whole program.
pub fn tunnels(bytes: &[u8]) {
    pipeline(&capture(bytes));
}

/// The capture that they stand for, its secrets included.
pub fn capture(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Wire::new();
    let mut rest = bytes;
    while let [turn, len, behind @ ..] = rest {
        let side = if turn & 0x80 == 0 { Side::Client } else { Side::Server };
        let len = usize::from(*len) * (1 + usize::from(turn & 0x0f));
        let (said, after) = behind.split_at(len.min(behind.len()));
        rest = after;
        if turn & 0x40 != 0 {
            let lost = wire.seal(side, 23, b"lost");
            *wire.next.of_mut(side) += u32::try_from(lost.len()).unwrap_or_default();
        }
        let mut record = wire.seal(side, 23, said);
        if turn & 0x20 != 0
            && let Some(last) = record.last_mut()
        {
            *last ^= 1;
        }
        wire.say(side, &record);
    }
    wire.end()
}

/// A capture that is being written, and its one connection.
struct Wire {
    file: Vec<u8>,
    keys: PerSide<Keys>,
    /// Sequence numbers.
    next: PerSide<u32>,
    micros: u64,
}

/// Keys of a side, and how many records they sealed.
struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    sealed: u64,
}

impl Keys {
    fn new(secret: [u8; 32]) -> Self {
        let expand = |label, len| expand_label(Hash::Sha256, &secret, label, len).expect("a length that fits");
        let key = UnboundKey::new(&AES_128_GCM, &expand(b"key", 16)).expect("a key of its length");
        Self { key: LessSafeKey::new(key), iv: expand(b"iv", 12).try_into().expect("twelve bytes"), sealed: 0 }
    }
}

impl Wire {
    /// Both hellos and both Finished.
    fn new() -> Self {
        let keys = PerSide { client: Keys::new([1; 32]), server: Keys::new([2; 32]) };
        let mut wire = Self { file: Vec::new(), keys, next: PerSide { client: 1000, server: 2000 }, micros: 0 };
        let labels = ["CLIENT_HANDSHAKE", "SERVER_HANDSHAKE", "CLIENT", "SERVER"];
        let hex = |byte: u8| format!("{byte:02x}").repeat(32);
        let mut log = String::new();
        for (label, secret) in labels.iter().zip(1..) {
            let number = if label.contains('_') { "" } else { "_0" };
            log.extend([label, "_TRAFFIC_SECRET", number, " ", &hex(RANDOM), " ", &hex(secret), "\n"]);
        }
        wire.block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
        wire.block(1, &[101, 0, 0, 0, 0, 0, 0, 0]);
        let mut secrets =
            [&0x544c_534b_u32.to_le_bytes()[..], &u32::try_from(log.len()).unwrap_or_default().to_le_bytes(), log.as_bytes()].concat();
        secrets.resize(secrets.len().next_multiple_of(4), 0);
        wire.block(10, &secrets);
        wire.segment(Side::Client, SYN, &[]);
        wire.segment(Side::Server, SYN | ACK, &[]);
        wire.segment(Side::Client, ACK, &[]);
        let random = [RANDOM; 32];
        let hello = [&[3, 3][..], &random, &[0, 0, 2, 0x13, 1, 1, 0, 0, 7, 0, 43, 0, 3, 2, 3, 4]].concat();
        wire.say(Side::Client, &record(22, &message(1, &hello)));
        let share = [&[0, 51, 0, 36, 0, 29, 0, 32][..], &[9; 32]].concat();
        let hello = [&[3, 3][..], &[7; 32], &[0, 0x13, 1, 0, 0, 46, 0, 43, 0, 2, 3, 4], &share].concat();
        let flight = wire.seal(Side::Server, 22, &[message(8, &[0, 0]), message(20, &[0; 32])].concat());
        wire.say(Side::Server, &[record(22, &message(2, &hello)), flight].concat());
        let finished = wire.seal(Side::Client, 22, &message(20, &[0; 32]));
        wire.say(Side::Client, &finished);
        wire.keys = PerSide { client: Keys::new([3; 32]), server: Keys::new([4; 32]) };
        wire
    }

    /// A record of this type, sealed.
    fn seal(&mut self, side: Side, kind: u8, content: &[u8]) -> Vec<u8> {
        let Keys { key, iv, sealed } = self.keys.of_mut(side);
        let mut nonce = *iv;
        for (byte, number) in nonce.iter_mut().skip(4).zip(sealed.to_be_bytes()) {
            *byte ^= number;
        }
        *sealed += 1;
        let mut body = [content, &[kind]].concat();
        let header = record(23, &vec![0; body.len() + 16]);
        let aad = Aad::from(header.get(..5).unwrap_or_default().to_vec());
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body).expect("a record of its length");
        record(23, &body)
    }

    fn say(&mut self, side: Side, bytes: &[u8]) {
        for piece in bytes.chunks(1400) {
            self.segment(side, ACK, piece);
        }
    }

    fn segment(&mut self, side: Side, flags: u8, payload: &[u8]) {
        let [from, to] = match side {
            Side::Client => [(1, 40_000_u16), (2, 443)],
            Side::Server => [(2, 443), (1, 40_000)],
        };
        let (seq, ack) = (*self.next.of(side), *self.next.of(side.other()));
        let len = u16::try_from(40 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut packet = [&[0x45, 0][..], &len, &[0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, from.0, 192, 0, 2, to.0]].concat();
        packet.extend([from.1.to_be_bytes(), to.1.to_be_bytes()].concat());
        packet.extend([seq.to_be_bytes(), if flags == SYN { [0; 4] } else { ack.to_be_bytes() }].concat());
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(payload);
        *self.next.of_mut(side) = seq.wrapping_add(u32::try_from(payload.len()).unwrap_or_default() + u32::from(flags & (SYN | FIN) != 0));
        self.micros += 1000;
        let [high, low] = [self.micros >> 32, self.micros & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or_default().to_le_bytes());
        let len = u32::try_from(packet.len()).unwrap_or_default().to_le_bytes();
        packet.resize(packet.len().next_multiple_of(4), 0);
        self.block(6, &[&[0; 4][..], &high, &low, &len, &len, &packet].concat());
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let len = u32::try_from(body.len() + 12).unwrap_or_default().to_le_bytes();
        self.file.extend([&kind.to_le_bytes()[..], &len, body, &len].concat());
    }

    /// Both sides close.
    fn end(mut self) -> Vec<u8> {
        self.segment(Side::Client, FIN | ACK, &[]);
        self.segment(Side::Server, FIN | ACK, &[]);
        self.segment(Side::Client, ACK, &[]);
        self.file
    }
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes(), body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
    [&[kind][..], len.get(1..).unwrap_or_default(), body].concat()
}

const RANDOM: u8 = 5;
const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;
