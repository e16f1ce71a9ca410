//! Damaged captures: every bundled one, cut off at many places and with bytes changed, is read to an end without a panic.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use handshark::capture;
use handshark::frame::Block;

use crate::support::{analyse_bytes, capture_of, labelled};

/// Larger captures are of the same kinds and take their time.
const MOST: usize = 40_000;

/// The bytes of all small captures, by name.
fn captures() -> Vec<(String, Vec<u8>)> {
    labelled()
        .iter()
        .map(|(sidecar, label)| capture_of(sidecar, label))
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .filter(|(_, bytes)| bytes.len() <= MOST)
        .collect()
}

/// The same numbers in every run, so that a failure can be repeated; different ones for every capture.
struct Numbers(u64);

impl Numbers {
    fn of(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn frames(bytes: &[u8]) -> u64 {
    let Ok(mut source) = capture::open_stream(Path::new("memory"), Box::new(Cursor::new(bytes.to_vec())), None) else { return 0 };
    let mut block = Block::default();
    while source.fill(&mut block).unwrap() {}
    source.inventory().inputs.iter().map(|input| input.frames).sum()
}

#[test]
fn a_cut_capture_is_read_up_to_the_cut_and_says_so() {
    for (name, bytes) in captures() {
        let whole = frames(&bytes);
        let mut numbers = Numbers::of(&name);
        for _ in 0..3 {
            let at = 24 + numbers.below(bytes.len() - 24);
            let said = analyse_bytes(bytes[..at].to_vec());
            let read = said.summary.frames;
            assert!(read < whole, "{name} cut at {at}: {read} frames of {whole}");
            assert_eq!(read, frames(&bytes[..at]), "{name} cut at {at}");
            let decoded = said.summary.decoded + said.summary.skipped.values().sum::<u64>();
            assert_eq!(decoded, read, "{name} cut at {at}: every frame is decoded or counted");
        }
    }
}

#[test]
fn a_changed_byte_is_survived_and_everything_still_counted() {
    for (name, bytes) in captures() {
        let mut numbers = Numbers::of(&name);
        for round in 0..4 {
            let mut bytes = bytes.clone();
            // Half of them where headers stand close together: the file's own, the first packets'.
            let at = if round % 2 == 0 { numbers.below(bytes.len().min(600)) } else { numbers.below(bytes.len()) };
            bytes[at] ^= 1 + u8::try_from(numbers.below(255)).unwrap();
            let said = analyse_bytes(bytes);
            let decoded = said.summary.decoded + said.summary.skipped.values().sum::<u64>();
            assert_eq!(decoded, said.summary.frames, "{name} changed at {at}: every frame is decoded or counted");
            assert_eq!(said.summary.handshakes, said.handshakes.len() as u64, "{name} changed at {at}");
        }
    }
}
