//! What each stage costs, on the bundled captures: `cargo bench`. The whole, beside other programs: `benches/compare`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench fails by panicking")]

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use handshark::capture::{self, Inputs};
use handshark::diagnosis::case::Case;
use handshark::diagnosis::chain::{self, Purpose, TrustStore};
use handshark::diagnosis::judge::judge;
use handshark::diagnosis::knowledge_store::KnowledgeStore;
use handshark::diagnosis::policy::Policy;
use handshark::frame::Block;
use handshark::handshake::Handshake;
use handshark::handshake::machine::Machine;
use handshark::handshake::shared::Shared;
use handshark::output::Sink as _;
use handshark::output::ndjson::NdjsonSink;
use handshark::packet::{Decoder, Packet};
use handshark::report;
use handshark::tls::certificate::Certificate;
use handshark::tls::client_hello::ClientHello;
use handshark::tls::fingerprint::{self, Carrier};
use handshark::transport::{Table, TableLimits};

fn main() {
    divan::main();
}

/// Every bundled capture of one connection or a few.
fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .flat_map(|family| std::fs::read_dir(family.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    found.retain(|path| path.extension().is_some_and(|ext| ext == "pcap" || ext == "pcapng"));
    found.sort();
    found
}

/// All of their frames, in one block each.
fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for path in captures() {
        let Ok(mut source) = capture::open(&Inputs { paths: vec![path], ..Inputs::default() }) else { continue };
        let mut block = Block::default();
        while source.fill(&mut block).unwrap_or(false) {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks
}

fn frames(blocks: &[Block]) -> ItemsCount {
    ItemsCount::new(blocks.iter().map(Block::len).sum::<usize>())
}

/// The blocks through table and machine.
#[allow(clippy::vec_box, reason = "as the pipeline hands them on")]
fn handshakes(blocks: &[Block]) -> Vec<Box<Handshake>> {
    let mut shared = Shared::new(Duration::from_secs(10), false);
    for block in blocks {
        // Captures overlap in time and addresses: a table for each.
        let mut table: Table<Machine> = Table::new(TableLimits::partition());
        let mut decoder = Decoder::new();
        let mut last = handshark::time::Mark::default();
        for frame in block.frames() {
            last = frame.mark();
            if let Packet::Tcp(segment) = decoder.decode(&frame) {
                table.segment(&mut shared, 0, &segment);
            }
        }
        table.end(&mut shared, last);
    }
    shared.concluded
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    // One file that repeats a bundled one's records, a hundred times.
    let path = captures().into_iter().find(|path| path.extension().is_some_and(|ext| ext == "pcap")).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let (header, records) = bytes.split_at(24);
    let file: Vec<u8> = header.iter().copied().chain(records.repeat(100)).collect();
    bencher.counter(BytesCount::new(file.len())).bench(|| {
        let mut source = capture::open_stream(Path::new("memory"), Box::new(Cursor::new(file.clone())), None).unwrap();
        let mut block = Block::default();
        let mut frames = 0;
        while source.fill(&mut block).unwrap() {
            frames += block.len();
        }
        frames
    });
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let blocks = blocks();
    bencher.counter(frames(&blocks)).bench(|| {
        let mut decoder = Decoder::new();
        let decoded = blocks.iter().flat_map(Block::frames).filter(|frame| matches!(decoder.decode(frame), Packet::Tcp(_)));
        decoded.count()
    });
}

#[divan::bench]
fn reassemble_and_follow(bencher: Bencher<'_, '_>) {
    let blocks = blocks();
    bencher.counter(frames(&blocks)).bench(|| handshakes(&blocks));
}

#[divan::bench]
fn client_hello(bencher: Bencher<'_, '_>) {
    let bodies: Vec<Vec<u8>> = handshakes(&blocks()).iter().filter_map(|handshake| Some(handshake.hello()?.bytes().to_vec())).collect();
    bencher
        .counter(ItemsCount::new(bodies.len()))
        .bench(|| bodies.iter().filter_map(|body| ClientHello::parse(body)).map(|hello| hello.extensions().count()).sum::<usize>());
}

#[divan::bench]
fn fingerprints(bencher: Bencher<'_, '_>) {
    let handshakes = handshakes(&blocks());
    let hellos: Vec<&ClientHello> = handshakes.iter().filter_map(|handshake| handshake.hello()).collect();
    bencher
        .counter(ItemsCount::new(hellos.len()))
        .bench(|| hellos.iter().map(|hello| fingerprint::ja3(hello).len() + fingerprint::ja4(hello, Carrier::Tcp).len()).sum::<usize>());
}

#[divan::bench]
fn certificate(bencher: Bencher<'_, '_>) {
    let ders: Vec<Vec<u8>> = handshakes(&blocks()).iter().filter_map(|handshake| Some(handshake.leaf()?.der.to_vec())).collect();
    bencher.counter(ItemsCount::new(ders.len())).bench(|| ders.iter().map(|der| Certificate::parse(der).dns_names.len()).sum::<usize>());
}

#[divan::bench]
fn rules(bencher: Bencher<'_, '_>) {
    let handshakes = handshakes(&blocks());
    let trust = TrustStore::mozilla();
    let policy = Policy::default();
    let mut store = KnowledgeStore::default();
    let cases: Vec<_> = handshakes
        .iter()
        .map(|handshake| {
            let chain = handshake.server_chain.as_ref().map(|seen| {
                Arc::new(chain::judge(&seen.what.certificates, handshake.server_name().as_deref(), seen.mark.time, Purpose::Server, &trust))
            });
            store.learn(handshake, handshake.name().as_deref(), chain.as_ref());
            (handshake, chain)
        })
        .collect();
    bencher.counter(ItemsCount::new(cases.len())).bench(|| {
        let judged = cases.iter().map(|(handshake, chain)| {
            let knowledge = store.view(handshake, None);
            judge(&Case { handshake, chain: chain.as_deref(), client_chain: None, knowledge: &knowledge, policy: &policy })
        });
        judged.filter(|verdict| verdict.cause.is_some()).count()
    });
}

/// Building reports and writing them as JSON.
#[divan::bench]
fn serialise(bencher: Bencher<'_, '_>) {
    let handshakes = handshakes(&blocks());
    let knowledge = handshark::diagnosis::knowledge::Knowledge::default();
    let policy = Policy::default();
    let verdicts: Vec<_> = handshakes
        .iter()
        .map(|handshake| judge(&Case { handshake, chain: None, client_chain: None, knowledge: &knowledge, policy: &policy }))
        .collect();
    bencher.counter(ItemsCount::new(handshakes.len())).bench(|| {
        let mut builder = report::Builder::default();
        let mut sink = NdjsonSink::new(io::sink(), false);
        for (handshake, verdict) in handshakes.iter().zip(&verdicts) {
            sink.handshake(&builder.handshake(handshake, verdict, "memory", &handshark::site::Observer::NONE)).unwrap();
        }
    });
}
