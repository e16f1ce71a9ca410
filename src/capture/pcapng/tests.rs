//! Files with every quirk the format allows, and the frames in them.

use super::{Clock, is_pcapng};
use crate::capture::Inventory;
use crate::capture::testing::{read_all, read_in_pieces};
use crate::count::Count;
use crate::error::Error;
use crate::frame::LinkType;

/// A pcapng file in the making.
struct File {
    bytes: Vec<u8>,
    big: bool,
}

impl File {
    fn new(big: bool) -> Self {
        let mut file = Self { bytes: Vec::new(), big };
        file.section(big, &[]);
        file
    }

    fn n16(&self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn n32(&self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn n64(&self, value: u64) -> [u8; 8] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let len = u32::try_from(body.len().next_multiple_of(4) + 12).unwrap();
        let (kind, len) = (self.n32(kind), self.n32(len));
        self.bytes.extend(kind);
        self.bytes.extend(len);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes.extend(len);
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.n16(*code));
            bytes.extend(self.n16(u16::try_from(value.len()).unwrap()));
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }

    fn section(&mut self, big: bool, options: &[(u16, &[u8])]) {
        self.big = big;
        let body = [self.n32(0x1a2b_3c4d).as_slice(), &self.n16(1), &self.n16(0), &self.n64(u64::MAX), &self.options(options)].concat();
        self.block(0x0a0d_0d0a, &body);
    }

    fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) {
        let body = [self.n16(link).as_slice(), &[0, 0], &self.n32(snaplen), &self.options(options)].concat();
        self.block(1, &body);
    }

    fn enhanced(&mut self, interface: u32, units: u64, data: &[u8], options: &[(u16, &[u8])]) {
        let len = u32::try_from(data.len()).unwrap();
        let (high, low) = halves(units);
        let mut body = [interface, high, low, len, len + 1].into_iter().flat_map(|value| self.n32(value)).collect::<Vec<_>>();
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(6, &body);
    }
}

fn halves(units: u64) -> (u32, u32) {
    (u32::try_from(units >> 32).unwrap(), u32::try_from(units & 0xffff_ffff).unwrap())
}

/// One of everything.
fn everything() -> Vec<u8> {
    let mut file = File::new(false);
    file.interface(1, 0, &[(2, b"eth0"), (9, &[9])]);
    file.interface(101, 0, &[]);
    file.enhanced(0, 1_700_000_000_000_000_007, b"first", &[(1, b"look here")]);
    file.block(0x0bad, &[1; 77]);
    file.enhanced(1, 1_700_000_001_000_000, b"second!", &[]);
    file.section(true, &[(1, b"the other machine")]);
    file.interface(113, 0, &[(9, &[0x80 | 0x14])]);
    file.enhanced(0, 5 << 20 | 1 << 19, b"3", &[]);
    file.bytes
}

#[test]
fn sections_interfaces_and_byte_orders_change() {
    let read = read_all(&everything());
    let frames: Vec<_> =
        read.frames.iter().map(|(head, bytes)| (head.number, head.time.nanos(), head.link.0, head.interface, bytes.as_slice())).collect();
    assert_eq!(
        frames,
        [
            (1, 1_700_000_000_000_000_007, 1, 0, b"first".as_slice()),
            (2, 1_700_000_001_000_000_000, 101, 1, b"second!"),
            (3, 5_500_000_000, 113, 2, b"3"),
        ]
    );
    assert_eq!(read.frames[0].0.original_len, 6);
    let Inventory { inputs, interfaces, comments, .. } = read.inventory;
    assert_eq!(interfaces.iter().map(|interface| interface.name.as_str()).collect::<Vec<_>>(), ["eth0", "test", "test"]);
    assert_eq!(comments, [(Some(1), "look here".to_owned()), (None, "the other machine".to_owned())]);
    assert_eq!((inputs[0].frames, inputs[0].bytes, inputs[0].format.as_str()), (3, 13, "pcapng"));
    assert_eq!(inputs[0].damage, None);
}

#[test]
fn an_interface_says_how_it_was_captured() {
    for big in [false, true] {
        let mut file = File::new(big);
        let filter = [b"\0".as_slice(), b"tcp port 443"].concat();
        file.interface(1, 96, &[(1, b"tap"), (2, b"eth7"), (3, b"uplink"), (11, &filter), (12, b"Linux")]);
        file.interface(1, 0, &[(11, &[1, 0, 40, 0, 0, 0, 0, 12])]);
        let statistics = |count: u64| file.n64(count);
        let options = [(4, statistics(1000)), (5, statistics(3)), (7, statistics(4)), (6, statistics(900))];
        let options: Vec<_> = options.iter().map(|(code, value)| (*code, value.as_slice())).collect();
        let body = [file.n32(0).as_slice(), &[0; 8], &file.options(&options)].concat();
        file.block(5, &body);
        let Inventory { interfaces, comments, inputs, .. } = read_all(&file.bytes).inventory;
        let [eth, other] = interfaces.as_slice() else { panic!("two interfaces") };
        assert_eq!((eth.name.as_str(), eth.description.as_deref(), eth.filter.as_deref()), ("eth7", Some("uplink"), Some("tcp port 443")));
        assert_eq!((eth.link, eth.snaplen, eth.received, eth.dropped), (LinkType(1), 96, Some(Count::new(1000)), Some(Count::new(7))));
        assert!(eth.excludes_icmp());
        assert_eq!((other.filter.as_deref(), other.received, other.dropped), (None, None, None));
        assert_eq!(comments, [(None, "tap".to_owned())]);
        assert_eq!(inputs[0].damage, None);
    }
}

#[test]
fn clocks_count_in_powers_of_ten_and_two_from_any_beginning() {
    let time = |resolution, offset, units: u64| Clock::new(resolution, offset).time(halves(units).0, halves(units).1).nanos();
    assert_eq!(time(6, 0, 1_700_000_000_123_456), 1_700_000_000_123_456_000);
    assert_eq!(time(0, 0, 1_700_000_000), 1_700_000_000_000_000_000);
    assert_eq!(time(9, 0, 77), 77);
    assert_eq!(time(12, 0, 77_999), 77);
    assert_eq!(time(3, 1_700_000_000, 5), 1_700_000_000_005_000_000);
    assert_eq!(time(3, -1, 5), -995_000_000);
    assert_eq!(time(0x80 | 0x14, 0, 3 << 20 | 1 << 18), 3_250_000_000);
    assert_eq!(time(0x80, 0, 9), 9_000_000_000);
    assert_eq!(time(0x80 | 0x40, 0, 1 << 63), 500_000_000);
    // absurd ones saturate
    assert_eq!(time(0, i64::MIN, u64::MAX), -1);
    assert_eq!(time(0xff, 0, u64::MAX), 0);
    assert_eq!(time(0x7f, 0, u64::MAX), 1);
    assert_eq!(time(6, 0, u64::MAX), i64::MAX);
}

#[test]
fn simple_packets_are_cut_by_the_snapshot_length_and_keep_the_clock() {
    let mut file = File::new(false);
    file.interface(1, 5, &[]);
    file.enhanced(0, 9_000_000, b"dated", &[]);
    let body = [file.n32(60).as_slice(), b"undat"].concat();
    file.block(3, &body);
    let body = [file.n32(2).as_slice(), b"xy"].concat();
    file.block(3, &body);
    let read = read_all(&file.bytes);
    assert_eq!(read.frames.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), [b"dated".as_slice(), b"undat", b"xy"]);
    assert_eq!((read.frames[1].0.original_len, read.frames[1].0.time.nanos()), (60, 9_000_000_000));
}

#[test]
fn the_obsolete_packet_block_is_read() {
    for big in [false, true] {
        let mut file = File::new(big);
        file.interface(1, 0, &[]);
        let body = [
            file.n16(0).as_slice(),
            &file.n16(0xffff),
            &file.n32(0),
            &file.n32(8_000_000),
            &file.n32(3),
            &file.n32(90),
            b"old\0",
            &file.options(&[(1, b"from 2004")]),
        ]
        .concat();
        file.block(2, &body);
        let read = read_all(&file.bytes);
        assert_eq!(read.frames[0].1, b"old");
        assert_eq!((read.frames[0].0.original_len, read.frames[0].0.time.nanos()), (90, 8_000_000_000));
        assert_eq!(read.inventory.comments, [(Some(1), "from 2004".to_owned())]);
    }
}

#[test]
fn key_logs_come_line_by_line() {
    let mut file = File::new(false);
    let log = b"CLIENT_RANDOM aa bb\r\n\nCLIENT_RANDOM cc dd\n";
    let body = [file.n32(0x544c_534b).as_slice(), &file.n32(u32::try_from(log.len()).unwrap()), log].concat();
    file.block(10, &body);
    let body = [file.n32(0x5747_4b4c).as_slice(), &file.n32(4), b"wire"].concat();
    file.block(10, &body);
    let secrets = read_all(&file.bytes).inventory.secrets;
    assert_eq!(secrets, [b"CLIENT_RANDOM aa bb".to_vec(), b"CLIENT_RANDOM cc dd".to_vec()]);
}

#[test]
fn every_cut_keeps_the_frames_before_it() {
    let bytes = everything();
    let whole = read_all(&bytes);
    // the ends of the blocks with frames
    let mut ends = Vec::new();
    let (mut at, mut big) = (0, false);
    while at < bytes.len() {
        let word = |at: usize, big: bool| {
            let word = bytes[at..at + 4].try_into().unwrap();
            if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        if word(at, false) == 0x0a0d_0d0a {
            big = word(at + 8, true) == 0x1a2b_3c4d;
        }
        let end = at + word(at + 4, big) as usize;
        ends.push((end, word(at, big) == 6));
        at = end;
    }
    let header = ends[0].0;
    for cut in 4..header {
        assert!(matches!(read_in_pieces(&bytes[..cut], 7), Err(Error::CutShort { .. })), "cut at {cut}");
    }
    for cut in header..bytes.len() {
        let read = read_in_pieces(&bytes[..cut], 7).unwrap();
        let expected = ends.iter().filter(|&&(end, frame)| frame && end <= cut).count();
        assert_eq!(read.frames, whole.frames[..expected], "cut at {cut}");
        let clean = ends.iter().any(|&(end, _)| end == cut);
        assert_eq!(read.inventory.inputs[0].damage.is_none(), clean, "cut at {cut}: {:?}", read.inventory.inputs[0].damage);
    }
    for cut in 0..4 {
        assert!(matches!(read_in_pieces(&bytes[..cut], 7), Err(Error::NotACapture { .. })));
    }
}

#[test]
fn how_a_pipe_delivers_makes_no_difference() {
    let bytes = everything();
    let whole = read_all(&bytes);
    for size in [1, 2, 3, 11, 50] {
        assert_eq!(read_in_pieces(&bytes, size).unwrap(), whole, "{size} bytes at a time");
    }
}

#[test]
fn every_changed_byte_is_survived() {
    let bytes = everything();
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Ok(read) = read_in_pieces(&changed, 64) {
                assert!(read.frames.len() <= 3);
            }
        }
    }
}

#[test]
fn nonsense_is_damage_with_its_place() {
    let damage = |broken: &dyn Fn(&mut File)| {
        let mut file = File::new(false);
        file.interface(1, 0, &[]);
        file.enhanced(0, 1, b"kept", &[]);
        broken(&mut file);
        let read = read_all(&file.bytes);
        assert_eq!(read.frames.len(), 1);
        read.inventory.inputs[0].damage.clone().unwrap()
    };
    let undescribed = damage(&|file| file.enhanced(3, 1, b"lost", &[]));
    assert!(undescribed.contains("byte 84, after frame 1") && undescribed.contains("interface 3"), "{undescribed}");
    let lengths = damage(&|file| {
        file.enhanced(0, 1, b"lost", &[]);
        *file.bytes.last_mut().unwrap() = 7;
    });
    assert!(lengths.contains("at its beginning"), "{lengths}");
    let huge = damage(&|file| {
        file.bytes.extend([6, 0, 0, 0, 0xf0, 0xff, 0xff, 0x7f]);
        file.bytes.extend([0; 40]);
    });
    assert!(huge.contains("claims a length of 2147483632 bytes"), "{huge}");
    let tiny = damage(&|file| file.bytes.extend([6, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0]));
    assert!(tiny.contains("claims a length of 8 bytes"), "{tiny}");
    let long_frame = damage(&|file| {
        let body = [0, 0, 0, 500, 500].map(u32::to_le_bytes).concat();
        file.block(6, &body);
    });
    assert!(long_frame.contains("claims a length of 500 bytes"), "{long_frame}");
    let version = damage(&|file| {
        let body = [file.n32(0x1a2b_3c4d).as_slice(), &file.n16(2), &[0; 10]].concat();
        file.block(0x0a0d_0d0a, &body);
    });
    assert!(version.contains("version 2"), "{version}");
}

#[test]
fn an_unknown_block_may_be_longer_than_any_buffer() {
    let mut file = File::new(false);
    file.interface(1, 0, &[]);
    file.enhanced(0, 1, b"before", &[]);
    file.block(0x0000_0bad, &vec![6; 40 << 20]);
    file.enhanced(0, 1, b"after", &[]);
    let read = read_all(&file.bytes);
    assert_eq!(read.frames.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), [b"before".as_slice(), b"after"]);
    assert_eq!(read.inventory.inputs[0].damage, None);
}

#[test]
fn a_line_feed_at_the_beginning_is_not_enough() {
    assert!(is_pcapng(&everything()));
    assert!(!is_pcapng(b"\n\r\r\n\0\0\0\x1cnot magic"));
}
