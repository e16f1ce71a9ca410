use proptest::prelude::*;

use super::*;
use crate::output::escape::{is_hazard, width};
use crate::output::style::Palette;
use crate::report::Report;
use crate::report::{Advice, Carried, Cause, Classes, Confidence, Finding, samples};
use crate::traffic::{Bearer, Kind, Volume};

fn rendered(reports: &[Report], columns: usize, options: TextOptions) -> String {
    let mut out = Vec::new();
    let mut sink = TextSink::new(&mut out, Layout::new(Some(columns), Palette::PLAIN), options);
    for report in reports {
        report.give(&mut sink).unwrap();
    }
    sink.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn shown(reports: &[Report]) -> String {
    rendered(reports, 80, TextOptions::default())
}

fn handshake(report: Handshake<'static>) -> Report {
    Report::Handshake(Box::new(report))
}

const ALL: TextOptions = TextOptions { all: true, verbose: false };
const VERBOSE: TextOptions = TextOptions { all: false, verbose: true };

/// To look at with `cargo test sample_to_look_at -- --nocapture`.
#[allow(clippy::disallowed_methods, reason = "to look at")]
#[test]
fn sample_to_look_at() {
    let text = rendered(&samples::run(), 80, VERBOSE);
    assert!(!text.is_empty());
    if std::env::var_os("HANDSHARK_SHOW").is_some() {
        io::stderr().write_all(text.as_bytes()).unwrap();
        let mut sink = TextSink::new(io::stderr(), Layout::new(Some(100), Palette::COLOURED), ALL);
        for report in samples::run() {
            report.give(&mut sink).unwrap();
        }
        sink.finish().unwrap();
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_but_commands() {
    let mut reports = samples::run();
    reports.insert(0, handshake(samples::named(&"x".repeat(10_000))));
    reports.insert(0, handshake(samples::named(&"株".repeat(10_000))));
    for columns in [40, 60, 80, 200] {
        for options in [TextOptions::default(), ALL, VERBOSE] {
            let text = rendered(&reports, columns, options);
            for line in text.lines().filter(|line| !line.trim_start().starts_with("$ ")) {
                assert!(width(line) <= columns, "{columns}: {line}");
                assert_eq!(line.trim_end(), line, "trailing space");
            }
        }
    }
}

#[test]
fn commands_stand_alone_and_whole() {
    let text = rendered(&samples::run(), 60, TextOptions::default());
    for advice in samples::expired(0).diagnosis.remedy.iter().chain(samples::stalled().diagnosis.remedy.iter()) {
        let Advice::Command(command) = advice else { continue };
        assert_eq!(text.lines().filter(|line| line.trim_start() == format!("$ {command}")).count(), 1, "{command}\n{text}");
    }
    assert!(text.lines().any(|line| line.trim_start() == "$ certbot renew --cert-name www.example.test"), "{text}");
}

#[test]
fn everything_a_verdict_rests_on_is_there() {
    let text = shown(&[handshake(samples::stalled())]);
    for part in [
        "path-mtu-black-hole (strong), stalled in the network",
        "[2001:db8:0:42::1017]:51044 → api.internal.example.test",
        "([2001:db8:ffff::443]:8443)",
        "frame 318  +24.0 ms  server sent 1,440 bytes",
        "frame 351  +12.68 s  sixth retransmission",
        "Also possible: packet-loss, server-flight-dropped",
        "Also noticed: the certificate of api.internal.example.test expires in 3 days",
        "Capture quality: snaplen",
        "$ ping -6 -M do -s 1452 2001:db8:ffff::443",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_same_failure_is_explained_once() {
    let text = shown(&samples::run());
    assert_eq!(text.matches("Since 09:00:12, 12 of 13").count(), 1, "{text}");
    assert!(!text.contains("hours before this handshake, and the client refused it"), "the incident says it:\n{text}");
    assert!(text.contains("For example: 09:00:12.031  10.0.0.1:40112"), "{text}");
    let all = rendered(&samples::run(), 80, ALL);
    assert!(all.contains("Also affected") && all.contains("and 1 more: see the list above"), "{all}");
    assert_eq!(all.matches(":40123 ").count(), 1, "{all}");
    // Without an incident the failures tell it.
    let alone: Vec<Report> = samples::run().into_iter().filter(|report| !matches!(report, Report::Incident(_))).collect();
    let text = shown(&alone);
    assert_eq!(text.matches("hours before this handshake, and the client refused it").count(), 1, "{text}");
    assert!(text.contains("certificate-expired (certain), alerted by the client, 12 times"), "{text}");
    assert!(text.contains("and 1 more: see --all or --json"), "{text}");
}

#[test]
fn incidents_come_first_and_what_is_in_them_is_told_once() {
    let text = shown(&samples::run());
    assert!(text.find("INCIDENTS").unwrap() < text.find("FAILURES IN NO INCIDENT").unwrap());
    assert_eq!(text.matches("certbot renew").count(), 1, "{text}");
    let (_, below) = text.split_once("FAILURES IN NO INCIDENT").unwrap();
    assert!(!below.contains("certificate-expired (") && below.contains("1. path-mtu-black-hole"), "{text}");
    assert!(text.contains("client sent alert certificate_expired (45)"), "the incident shows what proves it:\n{text}");
}

#[test]
fn the_first_line_is_the_answer() {
    let text = shown(&samples::run());
    assert!(text.starts_with("14 of 18 handshakes failed: 12 of 13 with www.example.test from 09:00:12 to\n09:00:23, because"), "{text}");
    let all = rendered(&samples::run(), 80, ALL);
    assert!(all.contains("\n\n14 of 18 handshakes failed: "), "behind the list:\n{all}");
}

#[test]
fn a_failure_ends_with_the_command_that_shows_it_in_full() {
    let written = |again: Option<Again>| {
        let mut out = Vec::new();
        let layout = Layout::new(Some(80), Palette::PLAIN);
        let mut sink = TextSink::new(&mut out, layout, TextOptions::default()).with_again(again);
        for report in samples::run() {
            report.give(&mut sink).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = written(Again::new(&["a b.pcap".into()], &[]));
    for report in [samples::expired(0), samples::stalled(), samples::refused()] {
        let command = format!("$ handshark show 'a b.pcap' {}", report.handshake.id);
        assert_eq!(text.lines().filter(|line| line.trim() == command).count(), 1, "{command}\n{text}");
    }
    assert!(text.contains("$ handshark --all --cause certificate-expired --server 10.0.0.2:443 'a b.pcap'\n"), "{text}");
    let text = written(None);
    assert!(text.contains(&format!("Handshake ID: {}", samples::stalled().handshake.id)) && !text.contains("handshark show"), "{text}");
}

#[test]
fn sections_stand_in_the_order_of_urgency() {
    let text = shown(&samples::run());
    let places: Vec<_> = [
        "18 handshakes: 14 failed, 1 completed with trouble, 2 undecided, 1 completed",
        "FAILURES IN NO INCIDENT",
        "COMPLETED WITH TROUBLE",
        "UNDECIDED",
    ]
    .iter()
    .map(|part| text.find(part).unwrap_or_else(|| panic!("{part}\n{text}")))
    .collect();
    assert!(places.is_sorted(), "{text}");
    // Two servers, one cause: the capture's fault is one group.
    assert_eq!(text.matches("capture-ended (certain)").count(), 1, "{text}");
}

#[test]
fn all_lists_the_completed_ones_too() {
    let text = rendered(&[handshake(samples::completed())], 80, ALL);
    assert!(text.starts_with("2026-11-21 UTC\n09:01:03.031  10.0.0.1:40200 → www.example.test (10.0.0.2:443)"), "{text}");
    for part in ["completed", "TLS 1.3", "TLS_AES_256_GCM_SHA384", "h2", "31.5 ms"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!shown(&[handshake(samples::completed())]).contains("40200"));
}

#[test]
fn hostile_strings_come_out_as_text() {
    let name = "\x1b[2J\x1b]0;pwned\x07\r\n$ rm -rf /\n\u{202e}moc\u{9b}31m";
    let mut incident = samples::incident();
    incident.server_name = Some(name.into());
    incident.summary = name.into();
    incident.remedy = vec![Advice::Text(name.into())];
    let mut summary = samples::summary();
    summary.notes = vec![name.into()];
    summary.inputs[0].source = name.into();
    let mut slow = samples::completed();
    slow.diagnosis.findings = vec![Finding::new(Cause::ServerSlow, Confidence::Hint, name)].into();
    let reports =
        [handshake(samples::named(name)), handshake(slow), Report::Incident(Box::new(incident)), Report::Summary(Box::new(summary))];
    for options in [TextOptions::default(), ALL, VERBOSE] {
        let text = rendered(&reports, 80, options);
        assert!(!text.chars().any(|c| c != '\n' && is_hazard(c)), "{text:?}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("$ rm")), "{text}");
        assert!(text.contains("\\x1b[2J") && text.contains("\\u{202e}"), "{text}");
    }
}

#[test]
fn a_flood_of_failures_stays_readable() {
    let reports: Vec<_> = (0..3_000).map(|n| handshake(samples::named(&format!("host{n}.test")))).collect();
    let text = shown(&reports);
    assert!(text.lines().count() < 400, "{}", text.lines().count());
    assert!(text.contains("3,000 handshakes: 3,000 failed"), "{text}");
    assert!(text.contains("2,980 more handshakes are not shown"), "{text}");
}

#[test]
fn a_capture_without_tls_says_what_was_there_instead() {
    let mut summary = samples::summary();
    (summary.handshakes, summary.incidents, summary.classes) = (0, 0, Classes::default());
    summary.outcomes.clear();
    summary.causes.clear();
    let row = |protocol, port, bytes| Carried {
        kind: Some(Kind { bearer: Bearer::Tcp, protocol, port: Some(port) }),
        volume: Volume { packets: 10, bytes, connections: 1 },
    };
    summary.traffic = vec![row("HTTP", 80, 910), row("SSH", 22, 89)];
    let text = shown(&[Report::Summary(Box::new(summary))]);
    assert!(
        text.starts_with("No TLS handshake was found in 12,040 frames, which carry HTTP (91 %, TCP\nport 80) and SSH (8 %, TCP port 22)."),
        "{text}"
    );
    assert!(text.contains("40 frames: 40 not-ip"), "{text}");
    assert_eq!(text.matches("HTTP").count(), 1, "said once:\n{text}");
}

#[test]
fn colour_is_only_added() {
    let mut out = Vec::new();
    let mut sink = TextSink::new(&mut out, Layout::new(Some(80), Palette::COLOURED), TextOptions::default());
    for report in samples::run() {
        report.give(&mut sink).unwrap();
    }
    sink.finish().unwrap();
    let coloured = String::from_utf8(out).unwrap();
    assert!(coloured.contains("\x1b["));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), shown(&samples::run()));
}

#[test]
fn dates_appear_when_there_is_more_than_one() {
    let mut late = samples::stalled();
    late.handshake.start = late.handshake.start.after(std::time::Duration::from_secs(86_400));
    let text = shown(&[handshake(samples::expired(0)), handshake(late)]);
    assert!(text.contains("2026-11-21 09:00:12.031") && text.contains("2026-11-22 09:02:40.031"), "{text}");
    assert!(!shown(&[handshake(samples::expired(0))]).contains("2026-11-21 09:00:12.031"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_a_report_says_lines_are_safe_and_fit(
        texts in prop::collection::vec(prop_oneof![any::<String>(), "[ -~株\u{301}\u{200b}]{0,300}"], 12),
        frame in any::<u64>(),
        times in any::<[u64; 2]>(),
        columns in 0_usize..300,
    ) {
        let mut report = samples::named(&texts[0]);
        let text = |n: usize| texts[n].clone();
        report.handshake.timing.total_us = Some(times[0]);
        report.diagnosis.summary = Some(text(5).into());
        report.diagnosis.remedy = vec![Advice::Text(text(6).into())].into();
        let evidence = report.diagnosis.evidence.to_mut();
        evidence[0].text = text(9);
        evidence[0].mark = Some(crate::time::Mark { frame, time: crate::time::Timestamp::MAX });
        report.capture.source = text(10).into();
        report.capture.last_frame = frame;
        let mut summary = samples::summary();
        summary.inputs[0].source = text(11);
        (summary.frames, summary.bytes) = (frame, times[1]);
        let text = rendered(&[handshake(report), Report::Summary(Box::new(summary))], columns, VERBOSE);
        for line in text.lines().filter(|line| !line.trim_start().starts_with("$ ")) {
            prop_assert!(width(line) <= columns.max(40), "{}", line);
        }
        prop_assert!(!text.chars().any(|c| c != '\n' && is_hazard(c)), "{:?}", text);
    }
}
