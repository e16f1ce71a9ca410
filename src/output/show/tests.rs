use std::sync::Arc;

use super::*;
use crate::flow::Side;
use crate::output::escape::width;
use crate::output::style::Palette;
use crate::report::{Certificate, CipherSuite, Step, StepKind, samples};
use crate::time::Timestamp;

fn shown(report: &Handshake<'_>, columns: usize) -> String {
    let mut out = Vec::new();
    handshake(&mut out, &Layout::new(Some(columns), Palette::PLAIN), report).unwrap();
    String::from_utf8(out).unwrap()
}

/// So many milliseconds after 2026-11-21T09:00:12Z.
fn step(frame: u64, ms: u64, from: Side, kind: StepKind, text: &str) -> Step {
    let time = Timestamp::from_parts(1_795_251_612, 0).after(std::time::Duration::from_millis(ms));
    Step { frame: Some(frame), time, from: Some(from), kind, size: Some(517), text: text.into(), ended: kind == StepKind::Alert }
}

/// A handshake in which everything from the wire is this text.
fn hostile(text: &str) -> Handshake<'static> {
    let mut report = samples::named(text);
    report.timeline = vec![
        step(4, 31, Side::Client, StepKind::ClientHello, text),
        step(9, 40, Side::Server, StepKind::ServerHello, text),
        step(11, 44, Side::Client, StepKind::Alert, text),
    ];
    let tls = report.tls.as_mut().unwrap();
    tls.next_protocol = Some(text.to_owned().into());
    if text.len() < 256 {
        tls.client.as_mut().unwrap().offer = samples::offer(&[text; 20]);
    }
    tls.server.as_mut().unwrap().certificates = vec![Arc::new(Certificate {
        subject: text.into(),
        issuer: text.into(),
        serial: text.into(),
        san: vec![text.into(); 20],
        key: text.into(),
        signature: text.into(),
        ..Certificate::default()
    })];
    report
}

#[test]
fn no_line_is_wider_than_the_terminal_and_nothing_escapes() {
    for text in ["www.example.test", "\x1b]0;x\x07\x1b[2J\r\n", &"x".repeat(5_000), &"株".repeat(300), "\u{202e}evil", ""] {
        for columns in [40, 60, 80, 119, 120, 200] {
            let out = shown(&hostile(text), columns);
            assert!(!out.contains(['\x1b', '\r', '\x07', '\u{202e}']), "{out}");
            for line in out.lines().filter(|line| !line.trim_start().starts_with("$ ")) {
                assert!(width(line) <= columns, "{} > {columns}: {line}", width(line));
            }
        }
    }
}

#[test]
fn the_story_is_told_with_its_end_marked() {
    let out = shown(&hostile("www.example.test"), 80);
    let ladder: Vec<&str> = out.lines().filter(|line| line.contains('│')).collect();
    assert!(ladder.iter().any(|line| line.contains("ClientHello 517 B") && line.contains('▶')), "{out}");
    let end = ladder.iter().find(|line| line.contains('✗')).unwrap();
    assert!(end.contains("Alert") && end.contains("13.0 ms") && end.contains("+4.0 ms"), "{end}");
}

#[test]
fn a_choice_that_was_not_offered_is_told_from_one_that_was() {
    let mut report = samples::completed();
    assert!(shown(&report, 80).contains("✓ 1st of 2"));
    assert!(shown(&report, 200).contains("✓ TLS_AES_256_GCM_SHA384, 1st of 2"));
    report.tls.as_mut().unwrap().cipher = Some(CipherSuite(0x1304));
    let out = shown(&report, 100);
    assert!(out.contains("✗ TLS_AES_128_CCM_SHA256"), "{out}");
}

#[test]
fn the_chain_shows_what_is_missing_and_what_has_run_out() {
    let certificate = |subject: &str, issuer: &str, end: i64| {
        Arc::new(Certificate {
            subject: subject.into(),
            issuer: issuer.into(),
            not_before: Timestamp::from_parts(1_767_225_600, 0),
            not_after: Timestamp::from_parts(end, 0),
            ..Certificate::default()
        })
    };
    // A day before the handshake, and half a year after it.
    let (past, future) = (1_795_165_263, 1_810_000_000);
    let mut report = samples::completed();
    let server = report.tls.as_mut().unwrap().server.as_mut().unwrap();
    server.certificates = vec![
        certificate("CN=leaf", "CN=issuing", past),
        certificate("CN=stranger", "CN=other", future),
        certificate("CN=issuing", "CN=root", future),
    ];
    let out = shown(&report, 80);
    let place = |part: &str| out.find(part).unwrap_or_else(|| panic!("{part}\n{out}"));
    assert!(place("CN=leaf") < place("└─ CN=issuing") && place("└─ CN=issuing") < place("also sent: CN=stranger"), "{out}");
    assert!(out.contains("└─ CN=root, not sent") && out.contains("expired 24 h 0 min before"), "{out}");
}
