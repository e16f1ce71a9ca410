//! What a live run tells while it happens: nobody answers, packets are lost, failures become many.

use std::fs;
use std::time::Duration;

use super::cause;
use super::lab::{Lab, Lateness, Live, eventually};

#[test]
fn unanswered_connections_and_silence_over_udp_are_told_while_the_client_waits() {
    let Some(lab) = Lab::with(&["openssl", "curl", "kill"]) else { return };
    let dead_end = lab.dead_end();
    let silent = lab.serve_dtls(4433);
    silent.signal("STOP");
    let limit = Duration::from_secs(2);
    let mut live = Live::start(&lab, &["--json", "--stall-after", "2s"]);
    live.wait_until_ready();
    let lateness = Lateness::measure();
    let connecting = lab.curl("dead.test", 443, &["--max-time", "12", "--connect-to", &format!("dead.test:443:{dead_end}:443")]);
    let over_udp = lab.client("openssl", &["s_client", "-dtls1_2", "-connect", "10.77.0.2:4433"]);
    let flagged =
        |port: u64| move |report: &serde_json::Value| report["handshake"]["provisional"] == true && report["server"]["port"] == port;
    let (unanswered, silence) = (live.until(flagged(443)), live.until(flagged(4433)));
    assert!(connecting.is_running() && over_udp.is_running(), "the clients still wait");
    assert_eq!((cause(&unanswered.report), &unanswered.report["handshake"]["outcome"]), ("tcp-syn-unanswered", &"refused".into()));
    assert_eq!(silence.report["network"]["protocol"], "dtls");
    assert_eq!(silence.report["handshake"]["outcome"], "stalled", "{}", silence.report);
    for told in [&unanswered, &silence] {
        let (after, latest) = (told.after_start(), limit + Duration::from_secs(1) + lateness.allowance());
        assert!(after >= limit && after < latest, "{after:?}, at most {latest:?}: {}", told.report);
    }
    // It completes after all: the second report with the same identifier corrects the first.
    silent.signal("CONT");
    let id = silence.report["handshake"]["id"].clone();
    let corrected = live.until(|report| report["handshake"]["id"] == id && report["handshake"]["provisional"] == false);
    assert_eq!(corrected.report["handshake"]["outcome"], "completed", "{}", corrected.report);
    assert_eq!(live.terminate().code, Some(0));
}

#[test]
fn packets_that_the_kernel_drops_make_verdicts_unsure_and_failures_become_an_incident() {
    let Some(lab) = Lab::with(&["openssl", "curl", "kill", "tcpreplay"]) else { return };
    lab.serve_tls(8443, "good", &["-tls1_3"]);
    let flood = lab.path("flood.pcap");
    fs::write(&flood, flood_of(200)).unwrap();
    let rotated = ["--output", "out.ndjson", "--rotate-size", "1KiB", "--rotate-keep", "2"];
    let mut live = Live::start(&lab, &[&["--json", "--buffer", "2MiB", "--metrics", "9477"], rotated.as_slice()].concat());
    live.wait_until_ready();
    // While it cannot look, a handshake fails and more comes than the ring holds.
    live.signal("STOP");
    assert_ne!(lab.curl("good.test", 8443, &["--tls-max", "1.2"]).wait(), 0);
    lab.replay(&flood, &["--topspeed", "--loop=100"]);
    live.signal("CONT");
    let is_failure = |report: &serde_json::Value| cause(report) == "client-version-too-old" && report["kind"] == "handshake";
    let unsure = live.until(is_failure).report;
    assert_eq!(unsure["capture"]["quality"], serde_json::json!(["drops"]), "{unsure}");
    assert_eq!(unsure["diagnosis"]["findings"][0]["id"], "capture-gaps", "{unsure}");
    let metrics = lab.scrape("/metrics");
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("handshark_capture_dropped_packets_total{")).unwrap();
    assert!(!dropped.ends_with(" 0"), "{dropped}");
    assert_ne!(lab.curl("good.test", 8443, &["--tls-max", "1.2"]).wait(), 0);
    let sure = live.until(is_failure).report;
    assert_eq!((&sure["diagnosis"]["confidence"], &sure["capture"]["quality"]), (&"certain".into(), &serde_json::Value::Null), "{sure}");
    assert_ne!(unsure["diagnosis"]["confidence"], "certain");

    let begun = live.until(|report| report["kind"] == "incident").report;
    assert_eq!((&begun["state"], &begun["failed"], &begun["cause"]), (&"begun".into(), &2.into(), &"client-version-too-old".into()));
    eventually("three files", || lab.path("out.ndjson.2").exists());
    let end = live.terminate();
    let open = end.reports.iter().find(|report| report["kind"] == "incident").unwrap();
    assert_eq!((&open["state"], &open["id"]), (&"open".into(), &begun["id"]));
    assert!(end.last["drops"].as_u64().unwrap() > 0 && end.last["incidents"] == 1, "{}", end.last);
}

/// A pcap of datagrams that nobody waits for.
fn flood_of(packets: u32) -> Vec<u8> {
    let mut pcap = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        pcap.extend(word.to_le_bytes());
    }
    for packet in 0..packets {
        let ports = (10_000 + u16::try_from(packet % 1000).unwrap(), 9);
        let builder = etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9])
            .ipv4([10, 77, 0, 1], [10, 77, 0, 9], 64)
            .udp(ports.0, ports.1);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &[0; 1400]).unwrap();
        let len = u32::try_from(bytes.len()).unwrap();
        for word in [packet, 0, len, len] {
            pcap.extend(word.to_le_bytes());
        }
        pcap.extend(bytes);
    }
    pcap
}
