//! The terminal's view of whole captures: it fits, and tells the story.

use std::path::PathBuf;

use handshark::output::escape::width;
use handshark::output::layout::Layout;
use handshark::output::show;
use handshark::output::style::Palette;
use handshark::report::{Handshake, StepKind};

use crate::support::{analyse_in_full, capture_of, fixtures, labelled};

fn drawn(report: &Handshake<'_>, columns: usize) -> String {
    let mut out = Vec::new();
    show::handshake(&mut out, &Layout::new(Some(columns), Palette::PLAIN), report).unwrap();
    String::from_utf8(out).unwrap()
}

fn first_of(path: &str) -> Handshake<'static> {
    analyse_in_full(&[fixtures().join("captures").join(path)]).typed_handshakes().next().unwrap().clone()
}

/// The ladder's lines: labels of the arrows, in order.
fn arrows(report: &Handshake<'_>) -> Vec<String> {
    let text = drawn(report, 80);
    text.lines().filter(|line| line.contains(['▶', '◀']) && line.contains('│')).map(str::to_owned).collect()
}

/// A capture of each family: small ones, so that the test stays quick.
fn one_of_each_family() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for (sidecar, label) in labelled() {
        let path = capture_of(&sidecar, &label);
        let small = std::fs::metadata(&path).is_ok_and(|data| data.len() < 100_000);
        if small && found.iter().all(|other| other.parent() != path.parent()) {
            found.push(path);
        }
    }
    found
}

#[test]
fn ladders_fit_80_120_and_200_columns() {
    let captures = one_of_each_family();
    assert!(captures.len() >= 20, "{captures:?}");
    for path in captures {
        for report in analyse_in_full(&[&path]).typed_handshakes().take(3) {
            for columns in [60, 80, 120, 200] {
                for line in drawn(report, columns).lines() {
                    let command = line.trim_start().starts_with("$ ");
                    assert!(command || width(line) <= columns, "{} at {columns}: {line}", path.display());
                }
            }
        }
    }
}

#[test]
fn the_timeline_is_in_order_and_marks_at_most_one_end() {
    for path in one_of_each_family() {
        for report in analyse_in_full(&[&path]).handshakes {
            assert!(!report.timeline.is_empty(), "{}: nothing to show", path.display());
            let times: Vec<_> = report.timeline.iter().filter(|entry| entry.frame.is_some()).map(|entry| entry.frame).collect();
            assert!(times.is_sorted(), "{}: {times:?}", path.display());
            let ends = report.timeline.iter().filter(|entry| entry.ended).count();
            let failed = !matches!(report.handshake.outcome.as_str(), "completed" | "incomplete");
            assert!(ends <= 1 && (ends == 1 || !failed), "{}: {} ends of {:?}", path.display(), ends, report.timeline);
        }
    }
}

#[test]
fn a_handshake_of_tls13_is_told_with_what_is_likely_under_encryption() {
    let lines = arrows(&first_of("tcp/tcp-baseline-tls13.pcap"));
    let wanted = [
        ("SYN", '▶'),
        ("SYN, ACK", '◀'),
        ("ACK", '▶'),
        ("ClientHello 517 B", '▶'),
        ("ACK", '◀'),
        ("ServerHello 127 B", '◀'),
        ("ChangeCipherSpec", '◀'),
        ("EncryptedExtensions?", '◀'),
        (": Certificate?", '◀'),
        ("CertificateVerify?", '◀'),
        ("ACK", '▶'),
        ("Finished?", '◀'),
        ("ChangeCipherSpec", '▶'),
        ("Finished?", '▶'),
    ];
    for (place, (label, arrow)) in wanted.iter().enumerate() {
        let line = &lines[place];
        assert!(line.contains(label) && line.contains(*arrow), "{place}: {label} in {line}");
    }
}

#[test]
fn the_failing_step_is_marked_and_the_request_for_a_certificate_is_told() {
    let report = first_of("client-cert/clientcert_missing_tls12_gnutls.pcap");
    let text = drawn(&report, 80);
    let marked: Vec<_> = text.lines().filter(|line| line.contains('✗')).collect();
    assert_eq!(marked.len(), 1, "{text}");
    assert!(marked[0].contains("Alert"), "{text}");
    assert!(text.contains("CertificateRequest") && text.contains("Certificate 3 B") && text.contains("no certificate"), "{text}");
    assert!(
        text.contains("CN=www.lab.test") && text.contains("└─ CN=Lab Issuing CA 1") && text.contains("Lab Root CA, O=TLS Lab, not sent"),
        "{text}"
    );
}

#[test]
fn a_black_hole_shows_what_was_sent_in_vain() {
    let report = first_of("path/pmtu-blackhole-v6.srv.pcap");
    let again = arrows(&report).iter().filter(|line| line.contains("retransmission 1,428 B")).count();
    assert!(again >= 5, "{}", drawn(&report, 80));
}

#[test]
fn an_icmp_error_stands_between_the_lanes() {
    let report = first_of("path/pmtu-icmp-ignored.srv.pcap");
    let text = drawn(&report, 120);
    let line = text.lines().find(|line| line.contains("ICMP")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("packet too big, MTU") && !line.contains(['▶', '◀']), "{line}");
}

/// DTLS has no stream whose bytes could be counted: it numbers its messages, and resends them in pieces.
#[test]
fn what_dtls_sends_again_is_told_by_message() {
    let told = |path: &str| -> Vec<String> {
        let steps = first_of(path).timeline.into_iter().filter(|step| step.kind == StepKind::Retransmission);
        steps.map(|step| format!("{}: {}", step.sender(), step.text)).collect()
    };
    let flight = told("dtls/dtls12-server-flight-too-big.srv.pcap");
    for line in [
        "client: message 1 (ClientHello) sent again",
        "server: message 2 (Certificate) sent again",
        "server: message 3 (ServerKeyExchange) sent again",
        "server: message 4 sent again",
    ] {
        assert!(flight.iter().any(|told| told == line), "{line}\n{flight:#?}");
    }
    let hello = told("dtls/dtls13-no-answer.pcap");
    assert_eq!(hello.first().map(String::as_str), Some("client: message 0 (ClientHello) sent again"));
    assert!(hello.iter().any(|told| told == "client: message 0 (ClientHello) from byte 139 sent again"), "{hello:#?}");
}
