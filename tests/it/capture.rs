//! Captures as users have them: several files, directories, compressed, cut off, piped.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use handshark::capture::{FrameSource, Inputs, Inventory, open, open_stream};
use handshark::error::Error;
use handshark::frame::Block;
use proptest::prelude::*;

/// What a source gave: (number, time in nanoseconds, bytes).
struct Given {
    frames: Vec<(u64, i64, Vec<u8>)>,
    inventory: Inventory,
}

impl Given {
    fn payloads(&self) -> Vec<String> {
        self.frames.iter().map(|(_, _, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    fn damage(&self, input: usize) -> &str {
        self.inventory.inputs[input].damage.as_deref().unwrap_or("none")
    }
}

fn drain(mut source: Box<dyn FrameSource>) -> Given {
    let mut block = Block::default();
    let mut frames = Vec::new();
    while source.fill(&mut block).unwrap() {
        frames.extend(block.frames().map(|frame| (frame.head.number, frame.head.time.nanos(), frame.bytes.to_vec())));
    }
    let inventory = source.inventory().clone();
    assert_eq!(inventory.inputs.iter().map(|input| input.frames).sum::<u64>(), frames.len() as u64 + inventory.filtered_out);
    Given { frames, inventory }
}

fn read(paths: &[&Path]) -> Given {
    drain(open(&inputs(paths)).unwrap())
}

fn inputs(paths: &[&Path]) -> Inputs {
    Inputs { paths: paths.iter().map(|path| path.to_path_buf()).collect(), ..Inputs::default() }
}

/// A pcap file with a frame for each (second, payload).
fn pcap<B: AsRef<[u8]>>(frames: impl IntoIterator<Item = (u32, B)>) -> Vec<u8> {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    for (second, payload) in frames {
        let payload = payload.as_ref();
        let len = u32::try_from(payload.len()).unwrap();
        for value in [second, 0, len, len] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(payload);
    }
    bytes
}

/// Some megabytes of frames that do not compress well, of very different lengths.
fn large(count: u32) -> Vec<u8> {
    let mut state = 1u32;
    let frames = (0..count).map(|index| {
        let len = if index % 500 == 499 { 200_000 } else { index % 1500 };
        let payload: Vec<u8> = (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        (index + 1, payload)
    });
    pcap(frames)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    // as the lz4 tool writes them
    let info = lz4_flex::frame::FrameInfo::new().content_checksum(true).block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Packer = fn(&[u8]) -> Vec<u8>;

const PACKERS: [(&str, Packer); 4] = [("gzip", gzip), ("zstd", zstd), ("lz4", lz4), ("xz", xz)];

#[test]
fn frames_lie_where_they_were_read_over_many_blocks() {
    let folder = Folder::new();
    let bytes = large(4000);
    let path = folder.put("large.pcap", &bytes);
    let given = read(&[&path]);
    assert_eq!(given.frames.len(), 4000);
    assert!(
        given.frames.iter().zip(1..).all(|(frame, number)| frame.0 == number && frame.1 == i64::try_from(number).unwrap() * 1_000_000_000)
    );
    let again = pcap(given.frames.iter().map(|(number, _, payload)| (u32::try_from(*number).unwrap(), payload)));
    assert!(again == bytes, "every byte of every frame");
    let mut source = open(&inputs(&[&path])).unwrap();
    while source.fill(&mut Block::default()).unwrap() {}
    assert_eq!(source.progress(), (bytes.len() as u64, Some(bytes.len() as u64)));
}

#[test]
fn compressed_captures_are_read_like_plain_ones() {
    let folder = Folder::new();
    let bytes = large(1200);
    let plain = read(&[&folder.put("plain", &bytes)]);
    for (name, pack) in PACKERS {
        let packed = read(&[&folder.put(name, &pack(&bytes))]);
        assert!(packed.frames == plain.frames, "{name}");
        assert_eq!(packed.inventory.inputs[0].format, format!("pcap, {name}"));
        assert_eq!(packed.damage(0), "none");
        // a file compressed in two parts
        let (front, back) = bytes.split_at(bytes.len() / 3);
        let packed = read(&[&folder.put(name, &[pack(front), pack(back)].concat())]);
        assert!(packed.frames == plain.frames && packed.damage(0) == "none", "{name} in two members: {}", packed.damage(0));
    }
}

#[test]
fn what_came_before_damaged_compressed_data_is_kept() {
    let folder = Folder::new();
    let bytes = large(1200);
    for (name, pack) in PACKERS {
        let packed = pack(&bytes);
        for (what, broken) in [
            ("cut", packed[..packed.len() / 2].to_vec()),
            ("changed", {
                let mut broken = packed.clone();
                let middle = broken.len() / 2;
                broken[middle..middle + 64].fill(0x55);
                broken
            }),
        ] {
            let given = read(&[&folder.put(name, &broken)]);
            assert!(given.damage(0) != "none", "{name} {what}");
            // a checksum may come only at the very end
            assert!((300..=1200).contains(&given.frames.len()), "{name} {what}: {} frames", given.frames.len());
        }
    }
}

#[test]
fn a_cut_compressed_file_says_so() {
    let folder = Folder::new();
    for (name, pack) in PACKERS {
        // the last byte only: all frames are there, but nobody can be sure
        let packed = pack(&large(1200));
        let given = read(&[&folder.put(name, &packed[..packed.len() - 1])]);
        assert!(given.damage(0).contains(name), "{name}: {}", given.damage(0));
    }
    // without a checksum the end mark alone tells
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&pcap([(1, "a")])).unwrap();
    let packed = encoder.finish().unwrap();
    for cut in 1..=4 {
        let given = read(&[&folder.put("unchecked", &packed[..packed.len() - cut])]);
        assert!(given.damage(0).contains("lz4") && given.payloads() == ["a"], "{}", given.damage(0));
    }
    assert_eq!(read(&[&folder.put("unchecked", &packed)]).damage(0), "none");
}

#[test]
fn a_decompression_bomb_streams() {
    let folder = Folder::new();
    // an endless row of frames of zeros: 256 MiB in a few hundred kilobytes
    let megabyte = pcap((1..2).map(|second| (second, vec![0u8; 60_000])));
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&megabyte).unwrap();
    for _ in 0..4096 {
        encoder.write_all(&megabyte[24..]).unwrap();
    }
    let path = folder.put("bomb.zst", &encoder.finish().unwrap());
    let mut source = open(&inputs(&[&path])).unwrap();
    let mut block = Block::default();
    let mut frames = 0;
    while source.fill(&mut block).unwrap() {
        assert!(block.byte_len() <= 2 << 20);
        frames += block.len();
    }
    assert_eq!(frames, 4097);
}

#[test]
fn rotated_files_come_in_the_order_of_their_first_frames() {
    let folder = Folder::new();
    folder.put("z/1.pcap", &pcap([(1, "a"), (2, "b")]));
    folder.put("b.pcap.gz", &gzip(&pcap([(3, "c"), (4, "d")])));
    folder.put("a.pcap", &pcap([(5, "e"), (6, "f")]));
    folder.put("notes.txt", b"not a capture");
    folder.put("empty.pcap", b"");
    folder.put("log.gz", &gzip(b"no capture either"));
    folder.put("header-only.pcap", &pcap::<&str>([]));
    let given = read(&[folder.0.path()]);
    assert_eq!(given.payloads(), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(given.frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let names: Vec<_> = given.inventory.inputs.iter().map(|input| input.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["1.pcap", "b.pcap.gz", "a.pcap", "header-only.pcap"]);
    assert!(given.inventory.inputs.iter().all(|input| input.damage.is_none()));
}

#[test]
fn captures_that_overlap_are_merged_and_each_keeps_its_own_order() {
    let folder = Folder::new();
    // the second's clock steps back once
    let one = folder.put("one", &pcap([(10, "1a"), (20, "1b"), (30, "1c"), (40, "1d")]));
    let two = folder.put("two", &pcap([(15, "2a"), (20, "2b"), (12, "2c"), (35, "2d"), (90, "2e")]));
    let three = folder.put("three", &pcap([(90, "3a"), (95, "3b")]));
    let given = read(&[&three, &two, &one]);
    assert_eq!(given.payloads(), ["1a", "2a", "1b", "2b", "2c", "1c", "2d", "1d", "2e", "3a", "3b"]);
    assert_eq!(given.frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
}

#[test]
fn large_captures_that_overlap_are_merged_over_many_blocks() {
    let folder = Folder::new();
    let frames = |from: u32| (0..3000u32).map(move |index| (from + 3 * index, vec![b'x'; 900]));
    let paths: Vec<_> = (1..4).map(|from| folder.put(&from.to_string(), &pcap(frames(from)))).collect();
    let given = read(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    assert_eq!(given.frames.len(), 9000);
    assert!(
        given.frames.iter().zip(1..).all(|(frame, second)| frame.0 == second && frame.1 == i64::try_from(second).unwrap() * 1_000_000_000)
    );
}

#[test]
fn more_files_than_may_be_open_are_read() {
    let folder = Folder::new();
    for index in 0..1100 {
        folder.put(&format!("{index:04}.pcap"), &pcap([(1000 + index, "x"), (1003 + index, "y")]));
    }
    let given = read(&[folder.0.path()]);
    assert_eq!(given.frames.len(), 2200);
    assert!(given.frames.is_sorted_by_key(|frame| frame.1));
    // all at the same time
    let folder = Folder::new();
    for index in 0..300 {
        folder.put(&format!("{index:04}.pcap"), &pcap([(1, "x"), (1000, "y")]));
    }
    assert_eq!(read(&[folder.0.path()]).frames.len(), 600);
}

#[test]
fn what_is_no_capture_is_said() {
    let folder = Folder::new();
    let good = folder.put("good/1.pcap", &pcap([(1, "a")]));
    for (name, bytes, why) in [
        ("empty", b"".as_slice(), "it is empty"),
        ("text", b"1 0.000 TLSv1.2 Client Hello\n", "it is text"),
        ("elf", b"\x7fELF\x02\x01\x01", "a program (ELF)"),
        ("text.gz", &gzip(b"hello"), "inside its gzip compression it is text"),
    ] {
        let path = folder.put(name, bytes);
        for paths in [vec![path.as_path()], vec![good.as_path(), &path]] {
            let Err(Error::NotACapture { path: at, why: told }) = open(&inputs(&paths)) else { panic!("{name}") };
            assert_eq!(at, path);
            assert!(told.contains(why), "{told}");
        }
    }
    let absent = folder.0.path().join("absent");
    assert!(matches!(open(&inputs(&[&absent])), Err(Error::Open { path, .. }) if path == absent));
    let barren = folder.put("barren/notes.txt", b"text").parent().unwrap().to_owned();
    assert!(matches!(open(&inputs(&[&barren])), Err(Error::EmptyDirectory { path }) if path == barren));
    assert!(matches!(open(&inputs(&[&good, &barren])), Err(Error::EmptyDirectory { path }) if path == barren));
}

#[test]
fn a_file_cut_anywhere_keeps_its_whole_frames() {
    let folder = Folder::new();
    let frames = [(1, "first"), (2, ""), (3, "the third frame")];
    let bytes = pcap(frames);
    let ends = [24, 24 + 21, 24 + 21 + 16, bytes.len()];
    for cut in 4..24 {
        let cut = folder.put("cut.pcap", &bytes[..cut]);
        assert!(matches!(open(&inputs(&[&cut])), Err(Error::CutShort { path, .. }) if path == cut));
    }
    for cut in 24..bytes.len() {
        let given = read(&[&folder.put("cut.pcap", &bytes[..cut])]);
        let whole = ends[1..].iter().filter(|&&end| end <= cut).count();
        assert_eq!(given.payloads(), frames[..whole].iter().map(|frame| frame.1).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(given.damage(0) == "none", ends.contains(&cut), "cut at {cut}: {}", given.damage(0));
    }
    let given = read(&[&folder.put("cut.pcap", &bytes[..70])]);
    assert_eq!(
        given.damage(0),
        "not complete at byte 61, after frame 2: 9 of at least 16 bytes of the next record are there; the file was cut off, or is still being written"
    );
}

#[test]
fn a_filter_leaves_frames_out_and_numbers_stay_the_file_s() {
    let folder = Folder::new();
    let frame = |port: u8| {
        let mut bytes = vec![0u8; 54];
        bytes[12..15].copy_from_slice(&[8, 0, 0x45]);
        (bytes[23], bytes[36], bytes[37]) = (6, 0, port);
        bytes
    };
    let one = folder.put("one", &pcap([(1, frame(80)), (3, frame(81)), (5, frame(80)), (6, frame(81))]));
    let two = folder.put("two", &pcap([(2, frame(81)), (4, frame(80))]));
    for (paths, numbers, left_out) in [(vec![one.clone()], vec![1, 3], 2), (vec![one, two], vec![1, 4, 5], 3)] {
        let given = drain(open(&Inputs { paths, filter: Some("tcp dst port 80".to_owned()), ..Inputs::default() }).unwrap());
        assert_eq!(given.frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), numbers);
        assert_eq!(given.inventory.filtered_out, left_out);
    }
    let wrong = Inputs { paths: vec!["/absent".into()], filter: Some("tcp and and".to_owned()), ..Inputs::default() };
    assert!(matches!(open(&wrong), Err(Error::Filter { .. })), "the filter is looked at before any file");
}

/// Gives what is sent down a channel, piece by piece, and waits in between like a pipe.
struct Pipe(crossbeam_channel::Receiver<Vec<u8>>);

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Ok(piece) = self.0.recv_timeout(Duration::from_secs(20)) else { return Ok(0) };
        into[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

#[test]
fn a_pipe_s_frames_are_delivered_as_they_come() {
    let bytes = pcap([(1, "a"), (2, "b"), (3, "c")]);
    let (sender, receiver) = crossbeam_channel::unbounded();
    // nothing more is sent before a frame has been seen: if that waited for more it would run into the time limit
    for piece in [&bytes[..24], &bytes[24..41]] {
        // the reader asks for few bytes while it looks for the magic number
        for byte in piece {
            sender.send(vec![*byte]).unwrap();
        }
    }
    let mut source = open_stream(Path::new("-"), Box::new(Pipe(receiver)), None).unwrap();
    let mut block = Block::default();
    assert!(source.fill(&mut block).unwrap());
    assert_eq!(block.frames().map(|frame| frame.bytes).collect::<Vec<_>>(), [b"a"]);
    sender.send(bytes[41..70].to_vec()).unwrap();
    assert!(source.fill(&mut block).unwrap());
    assert_eq!(block.frames().map(|frame| frame.bytes).collect::<Vec<_>>(), [b"b"]);
    sender.send(bytes[70..].to_vec()).unwrap();
    drop(sender);
    assert!(source.fill(&mut block).unwrap());
    assert_eq!(block.frames().map(|frame| (frame.head.number, frame.bytes)).collect::<Vec<_>>(), [(3, b"c".as_slice())]);
    assert!(!source.fill(&mut block).unwrap());
    assert_eq!(source.progress(), (75, None));
    assert_eq!(source.inventory().inputs[0].damage, None);
}

/// A disk that fails behind its first bytes.
struct Failing(io::Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::Error::other("the disk is on fire")),
            count => Ok(count),
        }
    }
}

#[test]
fn an_error_of_reading_comes_after_the_frames_before_it_and_is_no_damage() {
    let stream = Failing(io::Cursor::new(pcap([(1, "a"), (2, "b")])));
    let mut source = open_stream(Path::new("disk"), Box::new(stream), None).unwrap();
    let mut block = Block::default();
    assert!(source.fill(&mut block).unwrap());
    assert_eq!(block.len(), 2);
    assert!(matches!(source.fill(&mut block), Err(Error::Read { path, .. }) if path == Path::new("disk")));
    assert_eq!(source.inventory().inputs[0].damage, None);
    assert!(!source.fill(&mut block).unwrap());
}

#[cfg(unix)]
#[test]
fn a_fifo_is_read_beside_a_file_in_time_order() {
    let folder = Folder::new();
    let fifo = folder.0.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let file = folder.put("file", &pcap([(2, "b"), (4, "d")]));
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || fs::write(fifo, gzip(&pcap([(1, "a"), (3, "c"), (5, "e")]))).unwrap()
    });
    assert_eq!(read(&[&file, &fifo]).payloads(), ["a", "b", "c", "d", "e"]);
    writer.join().unwrap();
}

proptest! {
    #[test]
    fn any_bytes_after_a_magic_number_are_survived(which in 0usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..90) {
        let head: &[u8] = [
            b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0".as_slice(),
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
            b"\x0a\x0d\x0d\x0a\0\0\0\x1c\x1a\x2b\x3c\x4d\0\x01\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x1c\0\0\0\x01\0\0\0\x14\0\x01\0\0\0\0\0\0\0\0\0\x14",
        ][which];
        let (sender, receiver) = crossbeam_channel::unbounded();
        let all = [head, &bytes].concat();
        all[..head.len()].iter().for_each(|byte| sender.send(vec![*byte]).unwrap());
        all[head.len()..].chunks(size).for_each(|piece| sender.send(piece.to_vec()).unwrap());
        drop(sender);
        let given = drain(open_stream(Path::new("any"), Box::new(Pipe(receiver)), None).unwrap());
        prop_assert!(given.frames.iter().map(|frame| frame.2.len()).sum::<usize>() <= bytes.len());
    }
}
