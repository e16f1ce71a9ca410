//! Captures as lists of frames, and lies about these: headers, tunnels, fragments, order, time, loss.

use std::path::{Path, PathBuf};

use handshark::capture::{self, Inputs};
use handshark::frame::{Block, Frame, FrameHead, LinkType};
use handshark::packet::{Decoder, Packet};
use handshark::time::{Mark, Timestamp};

use crate::numbers::Numbers;
use crate::payload;

/// A frame of one link type.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Nanoseconds since 1970.
    pub time: i64,
    pub original_len: u32,
    pub bytes: Vec<u8>,
}

/// A capture of one link type.
#[derive(Debug, Clone)]
pub struct Model {
    pub path: PathBuf,
    pub link: u32,
    pub shots: Vec<Shot>,
}

impl Model {
    /// Reads a capture; `None` for one that is no capture, is empty, or has several link types.
    pub fn read(path: &Path) -> Option<Self> {
        let mut source = capture::open(&Inputs { paths: vec![path.to_owned()], ..Inputs::default() }).ok()?;
        let (mut block, mut shots, mut link) = (Block::default(), Vec::new(), None);
        while source.fill(&mut block).ok()? {
            for frame in block.frames() {
                if *link.get_or_insert(frame.head.link.0) != frame.head.link.0 || shots.len() >= FRAMES {
                    return None;
                }
                let head = frame.head;
                shots.push(Shot { time: head.time.nanos(), original_len: head.original_len, bytes: frame.bytes.to_vec() });
            }
        }
        Some(Self { path: path.to_owned(), link: link?, shots })
    }

    /// Tells lies about some of its frames.
    pub fn lie(&mut self, numbers: &mut Numbers) {
        let loaded: Vec<usize> = (0..self.shots.len()).filter(|index| self.shots[*index].bytes.len() > 90).collect();
        for _ in 0..*numbers.pick(&[1, 1, 2, 3, 8, 30]) {
            if self.shots.is_empty() || self.shots.len() > 4 * FRAMES {
                return;
            }
            let any = numbers.below(self.shots.len());
            let at = if loaded.is_empty() || numbers.one_in(4) { any } else { (*numbers.pick(&loaded)).min(self.shots.len() - 1) };
            self.lie_at(at, numbers);
        }
        if numbers.one_in(20) {
            self.shots.reverse();
        }
    }

    fn lie_at(&mut self, at: usize, numbers: &mut Numbers) {
        let link = self.link;
        let shot = &mut self.shots[at];
        match numbers.below(20) {
            0..11 => {
                let Some(begin) = payload_at(link, shot) else { return scratch(shot, numbers) };
                let mut carried = shot.bytes.split_off(begin);
                for _ in 0..*numbers.pick(&[1, 1, 1, 2, 5]) {
                    payload::lie(&mut carried, numbers);
                }
                shot.bytes.append(&mut carried);
                shot.settle(link, !numbers.one_in(20));
            }
            11 => scratch(shot, numbers),
            12 => {
                let keep = numbers.below(shot.bytes.len() + 1);
                shot.bytes.truncate(keep);
            }
            13 => shot.original_len = numbers.edge_near(4, u64::from(shot.original_len)) as u32,
            14 => shot.time = *numbers.pick(TIMES),
            15 => _ = self.shots.remove(at),
            16 => {
                let again = vec![shot.clone(); *numbers.pick(&[1, 2, 40])];
                self.shots.splice(at..at, again);
            }
            17 => {
                let other = numbers.below(self.shots.len());
                self.shots.swap(at, other);
            }
            18 => tunnel(link, shot, numbers),
            _ => {
                let pieces = fragments(link, shot, numbers);
                self.shots.splice(at..=at, pieces);
            }
        }
    }

    /// Every time is an extreme one: all alike, each another, or some.
    pub fn distort_times(&mut self, numbers: &mut Numbers) {
        let (base, way) = (*numbers.pick(TIMES), numbers.below(3));
        for (index, shot) in self.shots.iter_mut().enumerate() {
            match way {
                0 => shot.time = base.saturating_add(index as i64 * 1000),
                1 => shot.time = *numbers.pick(TIMES),
                _ if numbers.one_in(5) => shot.time = *numbers.pick(TIMES),
                _ => {}
            }
        }
    }
}

impl Shot {
    /// Makes the lengths in the headers right, where the frame is of the usual kind.
    fn settle(&mut self, link: u32, right: bool) {
        self.original_len = self.bytes.len() as u32;
        let Some(at) = ip_at(link, &self.bytes).filter(|_| right) else { return };
        let whole = self.bytes.len() - at;
        let (protocol, next) = if self.bytes[at] >> 4 == 4 {
            write16(&mut self.bytes, at + 2, whole);
            (self.bytes.get(at + 9).copied(), at + usize::from(self.bytes[at] & 15) * 4)
        } else {
            write16(&mut self.bytes, at + 4, whole.saturating_sub(40));
            (self.bytes.get(at + 6).copied(), at + 40)
        };
        if protocol == Some(17) {
            let len = self.bytes.len().saturating_sub(next);
            write16(&mut self.bytes, next + 4, len);
        }
    }
}

fn write16(bytes: &mut [u8], at: usize, value: usize) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&(value.min(0xffff) as u16).to_be_bytes());
    }
}

/// Where the payload of TCP or UDP begins in a frame.
fn payload_at(link: u32, shot: &Shot) -> Option<usize> {
    let head = FrameHead {
        number: 1,
        time: Timestamp::default(),
        link: LinkType(link),
        interface: 0,
        site: handshark::site::Site::NONE,
        original_len: shot.original_len,
    };
    let frame = Frame { head, bytes: &shot.bytes };
    debug_assert_eq!(frame.mark(), Mark { frame: 1, time: Timestamp::default() });
    let mut decoder = Decoder::default();
    let carried = match decoder.decode(&frame) {
        Packet::Tcp(segment) => segment.payload,
        Packet::Udp(datagram) | Packet::Eapol(datagram) => datagram.payload,
        _ => return None,
    };
    let begin = (carried.as_ptr() as usize).wrapping_sub(shot.bytes.as_ptr() as usize);
    (begin <= shot.bytes.len()).then_some(begin)
}

/// Where the IP header begins, in frames of the usual kinds.
fn ip_at(link: u32, bytes: &[u8]) -> Option<usize> {
    let at = match link {
        1 => 14,
        113 => 16,
        276 => 20,
        12 | 101 | 228 | 229 => 0,
        _ => return None,
    };
    let fits = match bytes.get(at)? >> 4 {
        4 => bytes.len() >= at + 20,
        6 => bytes.len() >= at + 40,
        _ => false,
    };
    fits.then_some(at)
}

/// Bytes of the headers are any.
fn scratch(shot: &mut Shot, numbers: &mut Numbers) {
    for _ in 0..numbers.between(1, 6) {
        let near = shot.bytes.len().min(80);
        if near > 0 {
            let at = numbers.below(near);
            shot.bytes[at] = numbers.byte();
        }
    }
}

/// Puts the packet into tunnels or behind tags, more of them than anybody uses.
fn tunnel(link: u32, shot: &mut Shot, numbers: &mut Numbers) {
    let Some(at) = ip_at(link, &shot.bytes) else { return };
    let mut inner = shot.bytes.split_off(at);
    let kind = numbers.below(5);
    for _ in 0..*numbers.pick(&[1, 2, 5, 12, 13, 40]) {
        if inner.len() > 50_000 {
            break;
        }
        let version = if inner[0] >> 4 == 6 { 6 } else { 4 };
        let ether: [u8; 2] = if version == 6 { [0x86, 0xdd] } else { [8, 0] };
        let (protocol, mut head) = match kind {
            0 => (if version == 6 { 41 } else { 4 }, Vec::new()),
            1 => (47, [[*numbers.pick(&[0, 0x20, 0x80, 0xb0, 0xff]), 0], ether].concat()),
            2 => (17, [&[0, 5, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0][..], &[2; 12], &ether].concat()),
            3 => {
                // Extension headers of IPv6, each naming the next.
                let next = if version == 6 { 41 } else { 4 };
                (0, [next, *numbers.pick(&[0, 0, 1, 255]), 1, 4, 0, 0, 0, 0].to_vec())
            }
            _ => (44, [&[if version == 6 { 41 } else { 4 }, 0][..], &numbers.bytes(6)].concat()),
        };
        head.append(&mut inner);
        if kind == 2 {
            let len = head.len();
            write16(&mut head, 4, len);
        }
        let mut outer = if kind >= 3 {
            [&[0x60, 0, 0, 0, 0, 0, protocol, 64][..], &[0x20; 32]].concat()
        } else {
            vec![0x45, 0, 0, 0, 0, 7, 0, 0, 64, protocol, 0, 0, 10, 1, 1, 1, 10, 1, 1, 2]
        };
        let whole = outer.len() + head.len();
        if kind >= 3 {
            write16(&mut outer, 4, whole - 40);
        } else {
            write16(&mut outer, 2, whole);
        }
        outer.append(&mut head);
        inner = outer;
    }
    if link == 1 {
        let ether: [u8; 2] = if inner[0] >> 4 == 6 { [0x86, 0xdd] } else { [8, 0] };
        shot.bytes.truncate(12);
        for _ in 0..*numbers.pick(&[0, 0, 1, 3, 20]) {
            shot.bytes.extend([0x81, 0, numbers.byte() & 15, numbers.byte()]);
        }
        shot.bytes.extend(ether);
    }
    shot.bytes.append(&mut inner);
    shot.original_len = shot.bytes.len() as u32;
}

/// The packet in fragments, some of which overlap, come twice, in any order, or not at all.
fn fragments(link: u32, shot: &Shot, numbers: &mut Numbers) -> Vec<Shot> {
    let Some(at) = ip_at(link, &shot.bytes).filter(|at| shot.bytes[*at] >> 4 == 4) else { return vec![shot.clone()] };
    let begin = (at + usize::from(shot.bytes[at] & 15) * 4).min(shot.bytes.len());
    let (head, body) = shot.bytes.split_at(begin);
    let size = *numbers.pick(&[8, 16, 64, 520]);
    let more_than_due = *numbers.pick(&[0, 0, 8, 3]);
    let mut pieces = Vec::new();
    for offset in (0..body.len()).step_by(size).take(200) {
        let end = (offset + size + more_than_due).min(body.len());
        let mut piece = Shot { bytes: [head, &body[offset..end]].concat(), ..shot.clone() };
        piece.settle(link, true);
        write16(&mut piece.bytes, at + 4, 77);
        write16(&mut piece.bytes, at + 6, (offset / 8) | (usize::from(offset + size < body.len()) << 13));
        pieces.push(piece);
    }
    if pieces.len() > 1 {
        for _ in 0..numbers.below(4) {
            let (one, other) = (numbers.below(pieces.len()), numbers.below(pieces.len()));
            pieces.swap(one, other);
        }
        if numbers.one_in(4) {
            pieces.pop();
        }
        if numbers.one_in(4) {
            pieces.push(pieces[0].clone());
        }
    }
    pieces
}

/// Moments at which clocks and calendars end.
pub const TIMES: &[i64] = &[
    0,
    1,
    -1,
    i64::MAX,
    i64::MAX - 1,
    i64::MIN,
    i64::MIN + 1,
    1 << 62,
    1_000_000_000_000_000_000,
    9_000_000_000_000_000_000,
    -1_000_000_000_000_000_000,
    4_294_967_295_000_000_000,
    1_795_000_000_000_000_000,
];

/// Larger captures say the same, later.
const FRAMES: usize = 400;
