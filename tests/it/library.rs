//! The library as other programs use it: its front door, and the programs in examples/.

use std::fs::File;
use std::ops::ControlFlow;

use handshark::frame::Block;
use handshark::report::{Cause, Outcome, Timestamp};
use handshark::{Capture, CapturedFrame, Found, Settings, analyze};

use crate::support::{fixtures, incident, open};

#[allow(dead_code, reason = "a program of its own")]
#[path = "../../examples/first_failure.rs"]
mod first_failure;
#[allow(dead_code, reason = "a program of its own")]
#[path = "../../examples/why.rs"]
mod why;

const EXPIRED: &str = "captures/cert/cert_expired_tls12_java.pcap";

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_examples_say_what_failed() {
    let path = fixtures().join(EXPIRED);
    let said = written(|out| why::why(&path, out).unwrap());
    assert!(said.lines().count() == 1 && said.contains(" certificate-expired: \""), "{said}");
    let told = written(|out| first_failure::first_failure(File::open(&path).unwrap(), out).unwrap());
    assert!(told.contains("client  client_hello") && told.contains("alert"), "{told}");
    assert_eq!(told.lines().last(), said.split_once(": ").map(|(_, summary)| summary.trim_end()), "{told}");
}

#[test]
fn frames_that_are_handed_in_are_a_capture() {
    let (mut source, mut block, mut frames) = (open(&[fixtures().join(EXPIRED)]), Block::default(), Vec::new());
    while source.fill(&mut block).unwrap() {
        frames.extend(block.frames().map(|frame| CapturedFrame {
            time: frame.head.time,
            link: frame.head.link.0,
            bytes: frame.bytes.to_vec(),
            original_len: frame.head.original_len,
        }));
    }
    let count = frames.len() as u64;
    let mut found = Vec::new();
    let summary = analyze(Capture::frames("tap", frames.into_iter()), &Settings::default(), |one| {
        if let Found::Handshake(handshake) = one {
            assert!(handshake.capture.source == "tap" && handshake.handshake.start > Timestamp::default());
            found.push((handshake.handshake.outcome, handshake.diagnosis.cause));
        }
        ControlFlow::Continue(())
    });
    let summary = summary.unwrap();
    assert_eq!(found, [(Outcome::Alerted, Some(Cause::CertificateExpired))]);
    assert_eq!((summary.frames, summary.handshakes, summary.inputs[0].source.as_str()), (count, 1, "tap"));
}

#[test]
fn incidents_follow_handshakes_and_a_break_is_the_last_call() {
    let (mut handshakes, mut incidents) = (0, 0);
    let capture = || Capture::file(incident()).unwrap();
    let settings = Settings { threads: 2, ..Settings::default() };
    let whole = analyze(capture(), &settings, |found| {
        match found {
            Found::Handshake(_) => handshakes += 1 + 1000 * incidents,
            Found::Incident(_) => incidents += 1,
        }
        ControlFlow::Continue(())
    });
    let whole = whole.unwrap();
    assert_eq!((whole.handshakes, whole.incidents), (handshakes, incidents));
    assert!(handshakes > 400 && incidents > 1);
    let mut calls = 0;
    analyze(capture(), &settings, |_| {
        calls += 1;
        if calls < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .unwrap();
    assert_eq!(calls, 3);
}
