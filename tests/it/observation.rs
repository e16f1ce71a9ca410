//! What was observed and what was not: gaps between inputs, impossible times, clocks that were set, captures that lack packets. None of them is
//! anybody's failure.

use std::path::PathBuf;

use crate::support::recording::{Recorded, Recording};
use crate::support::report::HandshakeReport;
use crate::support::{Said, analyse, fixtures};

const DAY: i64 = 86_400;

/// Handshakes that completed without ado, over TCP on Ethernet.
const GOOD: &[&str] = &[
    "success/ok_tls12_ecdsa_gnutls.pcap",
    "success/ok_tls12_botan.pcap",
    "success/ok_tls13_ed25519.pcap",
    "success/ok_tls13_go_rustls.pcap",
    "starttls/starttls-imap-ok.pcap",
];

fn fixture(name: &str) -> PathBuf {
    fixtures().join("captures").join(name)
}

/// Analyses recordings as the files `0.pcap`, `1.pcap`…
fn files(recordings: &[&Recording]) -> Said {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..recordings.len()).map(|number| dir.path().join(format!("{number}.pcap"))).collect();
    for (path, recording) in paths.iter().zip(recordings) {
        std::fs::write(path, recording.pcap()).unwrap();
    }
    analyse(&paths, 1)
}

fn gist(report: &HandshakeReport) -> (String, String, Option<String>) {
    (report.client.address.clone(), report.handshake.outcome.clone(), report.diagnosis.cause.clone())
}

fn gists(said: &Said) -> Vec<(String, String, Option<String>)> {
    let mut gists: Vec<_> = said.handshakes.iter().map(gist).collect();
    gists.sort();
    gists
}

/// How many notes of a run hold this.
fn noted(said: &Said, text: &str) -> usize {
    said.summary.notes.iter().filter(|note| note.contains(text)).count()
}

#[test]
fn what_was_open_when_a_file_ended_is_undecided_whatever_follows_a_day_later() {
    let other = Recording::of(&fixture("cert/cert_expired_tls12_java.pcap"));
    for name in GOOD {
        let whole = Recording::of(&fixture(name));
        // The other file begins a day after this one ends.
        let behind = (whole.frames.last().unwrap().time - other.frames[0].time) / 1_000_000_000 + DAY;
        let other = other.clone().later(0, behind);
        for at in 1..whole.frames.len() {
            let [cut, _] = whole.split(at);
            let alone = files(&[&cut]);
            let together = files(&[&cut, &other]);
            let shown = together.handshakes.iter().filter(|report| report.capture.source.ends_with("/0.pcap"));
            for report in shown {
                let fine = report.handshake.outcome == "incomplete" || alone.handshakes.iter().any(|known| gist(known) == gist(report));
                assert!(fine, "{name} cut after frame {at}: {:?}", gist(report));
            }
            assert_eq!(noted(&together, "Nothing was captured between"), 1, "{name} cut after frame {at}");
        }
    }
}

#[test]
fn files_that_follow_each_other_are_one_capture() {
    for name in GOOD.iter().chain(&["load/load-server-stopped.pcap", "cert/cert_expired_tls12_java.pcap"]) {
        let whole = Recording::of(&fixture(name));
        let expected = gists(&files(&[&whole]));
        for at in 1..whole.frames.len() {
            let [first, second] = whole.split(at);
            assert_eq!(gists(&files(&[&first, &second])), expected, "{name} in two files from frame {}", at + 1);
        }
    }
}

#[test]
fn one_impossible_time_changes_nothing() {
    for name in GOOD.iter().chain(&["cert/cert_expired_tls12_java.pcap"]) {
        let whole = Recording::of(&fixture(name));
        let expected = gists(&files(&[&whole]));
        for at in 1..whole.frames.len() - 1 {
            for seconds in [DAY, -DAY, 35 * 365 * DAY] {
                let mut odd = whole.clone();
                odd.frames[at].time += seconds * 1_000_000_000;
                let said = files(&[&odd]);
                assert_eq!(gists(&said), expected, "{name} with frame {} moved by {seconds} s", at + 1);
                assert_eq!(noted(&said, "impossible time"), 1, "{name} {at} {seconds}");
            }
        }
    }
}

#[test]
fn a_clock_that_was_set_makes_nobody_slow() {
    for name in ["success/ok_tls13_ed25519.pcap", "success/ok_tls12_ecdsa_gnutls.pcap", "tcp/tcp-baseline-tls13.pcap"] {
        let whole = Recording::of(&fixture(name));
        for at in 1..whole.frames.len() {
            for seconds in [20, 3_600, 50 * 365 * DAY] {
                let said = files(&[&whole.clone().later(at, seconds)]);
                for report in &said.handshakes {
                    let cause = report.diagnosis.cause.as_deref();
                    let fine = report.handshake.outcome == "completed" && cause.is_none() || report.handshake.outcome == "incomplete";
                    assert!(fine, "{name} from frame {} on {seconds} s later: {:?}", at + 1, gist(report));
                }
            }
        }
    }
}

#[test]
fn a_slow_server_is_one_where_time_really_passed() {
    let said = analyse(&[fixture("slow/slow_server_4s_tls12_node_sni.pcap")], 1);
    assert!(said.handshakes.iter().any(|report| report.diagnosis.cause.as_deref() == Some("server-slow")));
}

#[test]
fn addresses_and_ports_used_again_an_hour_later_are_another_connection() {
    for name in GOOD {
        let whole = Recording::of(&fixture(name));
        let said = files(&[&whole, &whole.clone().later(0, 3_600)]);
        let once = files(&[&whole]).handshakes.len();
        assert_eq!(said.handshakes.len(), 2 * once, "{name}");
        assert!(said.handshakes.iter().all(|report| report.handshake.outcome == "completed"), "{name}: {:?}", gists(&said));
        assert!(said.handshakes.iter().all(|report| report.diagnosis.cause.is_none()), "{name}: {:?}", gists(&said));
    }
}

/// A frame's TCP payload; these captures have Ethernet and IPv4 without options.
fn has_payload(frame: &Recorded) -> bool {
    let bytes = &frame.bytes;
    let total = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    bytes[12..14] == [8, 0] && bytes[23] == 6 && total > 40 + usize::from(bytes[46] >> 4) * 4 - 20
}

#[test]
fn times_in_what_a_display_filter_left_say_nothing() {
    for name in ["slow/slow_server_4s_tls12_node_sni.pcap", "slow/slow_client_5s_tls13.pcap", "load/load-server-stopped.pcap"] {
        let mut left = Recording::of(&fixture(name));
        left.frames.retain(has_payload);
        let said = files(&[&left]);
        for report in &said.handshakes {
            let cause = report.diagnosis.cause.as_deref().unwrap_or_default();
            assert!(!cause.contains("slow") && !cause.starts_with("server-s"), "{name}: {:?}", gist(report));
        }
        let both_speak = said.handshakes.iter().any(|report| report.handshake.outcome == "completed");
        assert_eq!(noted(&said, "cut from a larger one"), usize::from(both_speak), "{name}");
    }
}

/// What a router that translates addresses sends on: the same packets a moment later, the client's address another.
fn translated(whole: &Recording) -> Recording {
    let client = whole.frames[0].bytes[26..30].to_vec();
    let mut both = Vec::new();
    for frame in &whole.frames {
        both.push(frame.clone());
        let mut other = frame.clone();
        other.time += 40_000;
        for at in [26, 30] {
            if other.bytes[at..at + 4] == client[..] {
                other.bytes[at..at + 4].copy_from_slice(&[203, 0, 113, 9]);
            }
        }
        both.push(other);
    }
    Recording { link: whole.link, frames: both }
}

#[test]
fn a_handshake_before_and_behind_a_translation_is_one() {
    for name in ["success/ok_tls12_ecdsa_gnutls.pcap", "cert/cert_expired_tls12_java.pcap", "load/load-server-stopped.pcap"] {
        let whole = Recording::of(&fixture(name));
        let (once, said) = (files(&[&whole]), files(&[&translated(&whole)]));
        assert_eq!(gists(&said), gists(&once), "{name}");
        assert_eq!((noted(&said, "handshark match"), said.incidents.len()), (1, once.incidents.len()), "{name}: {:?}", said.summary.notes);
    }
}

#[test]
fn two_points_of_capture_are_named_as_such() {
    let (client, server) = (fixture("tcp/tcp-baseline-tls13.pcap"), fixture("tcp/tcp-baseline-tls13.srv.pcap"));
    let said = analyse(&[&client, &server], 1);
    assert_eq!((said.handshakes.len(), noted(&said, "the same connections at two points")), (1, 1), "{:?}", said.summary.notes);
}
