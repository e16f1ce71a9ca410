//! The seeds of the fuzz targets go through the functions that the targets run, which check what must hold.

use std::fs;
use std::path::{Path, PathBuf};

use handshark::flow::Side;
use handshark::frame::{Block, Frame};
use handshark::packet::{Decoder, Packet};
use handshark::preamble::dns;
use handshark::quic;
use handshark::quic::header::{LongKind, packets};
use handshark::quic::protection::InitialKeys;
use handshark::tls::joiner::Joiner;
use handshark::tls::message::certificate_list;
use handshark::tls::record::{Item, RecordReader};
use handshark::tls::registry::{ContentType, HandshakeType};
use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::support::conversation::Conversation;
use crate::support::{analyse, fixtures, open};

#[path = "../fuzz/src/entries/mod.rs"]
mod entries;

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(fixtures().join("fuzz").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_seed_goes_through_its_target() {
    for (target, run) in entries::ALL {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for (path, bytes) in seeds {
            assert!(bytes.len() <= 4096, "{} is over 4 KB", path.display());
            let survived = std::panic::catch_unwind(|| run(&bytes));
            assert!(survived.is_ok(), "{} (see above)", path.display());
        }
    }
}

/// The keys that the target makes up open what it says, so that what is fuzzed is what travels inside.
#[test]
fn seeds_of_tunnels_reach_the_handshakes_in_them() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, path) in [("connect", &["tls"][..]), ("http2_connect", &["tls", "http2 stream 1"]), ("websocket", &["tls", "websocket"])] {
        let bytes = fs::read(fixtures().join("fuzz/tunnels").join(seed)).unwrap();
        let capture = folder.path().join(format!("{seed}.pcapng"));
        fs::write(&capture, entries::tunnels_capture(&bytes)).unwrap();
        let said = analyse(&[&capture], 1);
        let [outer, inner] = said.handshakes.as_slice() else { panic!("{seed}: {} handshakes", said.handshakes.len()) };
        assert_eq!((outer.handshake.outcome.as_str(), outer.handshake.decrypted), ("completed", true), "{seed}");
        assert_eq!(
            (inner.network.path.as_slice(), inner.handshake.outcome.as_str()),
            (&path.iter().map(ToString::to_string).collect::<Vec<_>>()[..], "alerted"),
            "{seed}"
        );
    }
}

/// The answers of the seeds are heard, as datagrams and in a stream, and bear on where the client goes then.
#[test]
fn seeds_of_lookups_reach_the_handshakes_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = 0;
    for (path, bytes) in seeds("dns") {
        let capture = folder.path().join("lookups.pcap");
        fs::write(&capture, entries::lookups_capture(&bytes[1..])).unwrap();
        let said = analyse(&[&capture], 1);
        assert_eq!(said.handshakes.len(), 2, "{}", path.display());
        told += said.lines.iter().filter(|line| line.contains("\"dns\":{")).count();
    }
    assert!(told > 0, "nothing that was looked up is told");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// What travels inside may be damaged in any way.
    #[test]
    fn damaged_tunnels_do_no_harm(
        seed in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let seeds = seeds("tunnels");
        let (_, mut bytes) = seeds[seed.index(seeds.len())].clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let len = if whole { bytes.len() } else { cut.index(bytes.len()) };
        entries::tunnels(&bytes[..len]);
    }
}

/// Cuts seeds out of the captures into `fixtures/fuzz`: `cargo test --test it cut_seeds -- --ignored`. Seeds already there stay.
#[test]
#[ignore = "writes fixtures/fuzz"]
fn cut_seeds() {
    let captures = fixtures().join("captures");
    for (target, families) in FAMILIES {
        let dir = fixtures().join("fuzz").join(target);
        fs::create_dir_all(&dir).unwrap();
        for family in *families {
            let mut paths: Vec<PathBuf> = fs::read_dir(captures.join(family)).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.retain(|path| path.extension().is_some_and(|ext| ext != "toml"));
            paths.sort_by_key(|path| (fs::metadata(path).unwrap().len(), path.clone()));
            for path in paths.iter().take(EACH) {
                for (index, seed) in cut(target, path).into_iter().enumerate().filter(|(_, seed)| seed.len() > 1).take(2) {
                    let name = format!("{}-{index}", path.file_stem().unwrap().to_string_lossy());
                    fs::write(dir.join(name), &seed[..seed.len().min(MOST)]).unwrap();
                }
            }
        }
    }
    for path in fs::read_dir(fixtures().join("certificates")).unwrap().map(|entry| entry.unwrap().path()) {
        let der = CertificateDer::from_pem_file(&path).unwrap();
        if der.len() <= MOST {
            fs::write(fixtures().join("fuzz/certificate").join(path.file_stem().unwrap()), &der).unwrap();
        }
    }
}

const MOST: usize = 4096;
/// Captures of a family, the smallest ones.
const EACH: usize = 3;
/// Where the seeds of a target come from.
const FAMILIES: &[(&str, &[&str])] = &[
    ("capture", &["success", "malformed", "encapsulation", "version", "plaintext"]),
    ("pipeline", &["success", "malformed", "version", "firewall", "starttls", "proxy", "path"]),
    ("frame", &["encapsulation", "path", "malformed", "firewall"]),
    ("segments", &["tcp", "path", "load", "success"]),
    ("records", &["success", "cert", "client-cert", "alert", "malformed"]),
    ("hello", &["success", "version", "group", "psk"]),
    ("certificate", &["cert", "dh"]),
    ("preamble", &["starttls", "proxy", "plaintext"]),
    ("quic", &["quic"]),
    ("dtls", &["dtls"]),
    ("carriers", &["carrier"]),
    ("dns", &["ech", "starttls"]),
];

fn cut(target: &str, path: &Path) -> Vec<Vec<u8>> {
    match target {
        "capture" | "pipeline" => vec![fs::read(path).unwrap()],
        "frame" => vec![frames(path)],
        "segments" => vec![segments(path)],
        "records" => {
            let piece = [100, 0, 17][path.as_os_str().len() % 3];
            streams(path).into_iter().map(|stream| [vec![piece], stream].concat()).collect()
        }
        "hello" => messages(path, HandshakeType::CLIENT_HELLO)
            .into_iter()
            .map(|offer| {
                let answer = messages(path, HandshakeType::SERVER_HELLO).into_iter().next().unwrap_or_default();
                [(offer.len() as u16).to_be_bytes().to_vec(), offer, answer].concat()
            })
            .collect(),
        "certificate" => {
            let lists = messages(path, HandshakeType::CERTIFICATE);
            let staples = messages(path, HandshakeType::CERTIFICATE_STATUS);
            lists.iter().flat_map(|list| certificate_list(list).map(<[u8]>::to_vec).collect::<Vec<_>>()).chain(staples).collect()
        }
        "preamble" => vec![turns(path)],
        "quic" => {
            let datagrams: Vec<Vec<u8>> = [true, false].into_iter().flat_map(|low| datagrams(path, low)).collect();
            let opened = datagrams.iter().find_map(|datagram| opened(datagram)).map(|payload| [vec![2], payload].concat());
            opened.into_iter().chain(datagrams.first().map(|datagram| [vec![0], datagram.clone()].concat())).collect()
        }
        "dtls" => {
            let framed = |datagram: Vec<u8>| [(datagram.len() as u16).to_be_bytes().to_vec(), datagram].concat();
            [true, false].map(|low| [vec![0], datagrams(path, low).into_iter().flat_map(framed).collect()].concat()).to_vec()
        }
        "carriers" => {
            let framed = |datagram: Vec<u8>| [(datagram.len() as u16).to_be_bytes().to_vec(), datagram].concat();
            [true, false].map(|low| datagrams(path, low).into_iter().flat_map(framed).collect()).to_vec()
        }
        "dns" => {
            let framed = |datagram: Vec<u8>| [(datagram.len() as u16).to_be_bytes().to_vec(), datagram].concat();
            let heard = |low| datagrams(path, low).into_iter().filter(|datagram| dns::read(datagram).is_some());
            let seed: Vec<u8> = [true, false].into_iter().flat_map(heard).flat_map(framed).collect();
            if seed.is_empty() { Vec::new() } else { vec![[vec![1], seed].concat()] }
        }
        other => panic!("no seeds are cut for {other}"),
    }
}

fn each_frame(path: &Path, mut take: impl FnMut(&Frame<'_>)) {
    let mut source = open(&[path]);
    let mut block = Block::default();
    while source.fill(&mut block).unwrap() {
        block.frames().for_each(|frame| take(&frame));
    }
}

fn frames(path: &Path) -> Vec<u8> {
    let mut seed = Vec::new();
    each_frame(path, |frame| {
        let link = entries::LINKS.iter().position(|link| *link == frame.head.link.0).unwrap_or(0);
        if seed.is_empty() {
            seed.push(link as u8);
        }
        if usize::from(seed[0]) == link && seed.len() + frame.bytes.len() + 2 <= MOST {
            seed.extend((frame.bytes.len() as u16).to_be_bytes());
            seed.extend(frame.bytes);
        }
    });
    seed
}

fn segments(path: &Path) -> Vec<u8> {
    let (mut seed, mut decoder, mut at) = (Vec::new(), Decoder::new(), [None::<u32>; 2]);
    let (mut flow, mut before) = (None, None::<i64>);
    each_frame(path, |frame| {
        let Packet::Tcp(segment) = decoder.decode(frame) else { return };
        let (key, low_first) = *flow.get_or_insert((segment.key, segment.from_low));
        if key != segment.key || seed.len() > 1600 {
            return;
        }
        let side = usize::from(segment.from_low != low_first);
        let far = segment.seq.wrapping_sub(at[side].unwrap_or(segment.seq)) as i16;
        let acked = segment.ack.wrapping_sub(at[1 - side].unwrap_or(segment.ack)) as i8;
        let len = segment.payload_len.min(255);
        let passed = (frame.head.time.nanos() - before.unwrap_or_else(|| frame.head.time.nanos())) / 1_000_000;
        at[side] = Some(segment.seq.wrapping_add(segment.payload_len + u32::from(segment.flags.0 & 3 != 0)));
        before = Some(frame.head.time.nanos());
        let [high, low] = far.to_be_bytes();
        seed.extend([side as u8, segment.flags.0, high, low, acked as u8, len as u8, 0, passed.max(0).isqrt().min(255) as u8]);
    });
    seed
}

/// The payload of a client's Initial packet, its protection removed.
fn opened(datagram: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    packets(datagram).find_map(|packet| match packet {
        quic::header::Packet::Long(long) if long.kind == LongKind::Initial => {
            let keys = InitialKeys::new(long.version, long.dcid)?;
            keys.of(Side::Client).open(&long, 0, &mut buffer).map(|opened| opened.payload.to_vec())
        }
        _ => None,
    })
}

/// The first datagrams of one direction.
fn datagrams(path: &Path, from_low: bool) -> Vec<Vec<u8>> {
    let (mut found, mut decoder) = (Vec::new(), Decoder::new());
    each_frame(path, |frame| {
        if let Packet::Udp(datagram) = decoder.decode(frame)
            && datagram.from_low == from_low
            && found.len() < 6
        {
            found.push(datagram.payload.to_vec());
        }
    });
    found
}

fn streams(path: &Path) -> Vec<Vec<u8>> {
    let turns = Conversation::of(path).turns;
    Side::BOTH.map(|side| turns.iter().filter(|(of, _)| *of == side).flat_map(|(_, said)| said.clone()).collect()).to_vec()
}

fn messages(path: &Path, kind: HandshakeType) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for stream in streams(path) {
        let (mut reader, mut joiner, mut rest) = (RecordReader::new(0), Joiner::new(), stream.as_slice());
        while !rest.is_empty() {
            let (used, item) = reader.read(rest);
            rest = &rest[used..];
            let Some(Item::Record(record)) = item else { continue };
            let mut body = if record.content_type == ContentType::HANDSHAKE { record.body.unwrap_or_default() } else { &[] };
            while !body.is_empty() {
                let (used, joined) = joiner.read(body, ());
                body = &body[used..];
                found.extend(joined.filter(|joined| joined.kind == kind).and_then(|joined| joined.body.map(<[u8]>::to_vec)));
            }
        }
    }
    found
}

fn turns(path: &Path) -> Vec<u8> {
    let mut port = 443;
    let mut decoder = Decoder::new();
    each_frame(path, |frame| {
        if let Packet::Tcp(segment) = decoder.decode(frame)
            && segment.flags.syn()
            && !segment.flags.ack()
        {
            port = segment.destination().port;
        }
    });
    let mut seed = vec![entries::PORTS.iter().position(|known| *known == port).unwrap_or(0) as u8];
    for (side, said) in Conversation::of(path).turns {
        for part in said.chunks(255) {
            seed.extend([if side == Side::Client { 0 } else { 0x80 }, part.len() as u8]);
            seed.extend(part);
        }
        if seed.len() > 2048 {
            break;
        }
    }
    seed
}
