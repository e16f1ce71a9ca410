//! A live run under hardship: as root without another user, on a full disk, with more than it can look at before it has to end.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::lab::{Lab, Lateness, Live, eventually};

/// Connections to a server that refuses each with an alert, `count` of them, as a pcap file.
fn refused(count: u32) -> Vec<u8> {
    let mut pcap = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        pcap.extend(word.to_le_bytes());
    }
    let mut packets = 0_u32;
    for connection in 0..count {
        let client = [10, 78, u8::try_from(connection / 200 % 250).unwrap(), u8::try_from(connection % 200 + 1).unwrap()];
        let port = 20_000 + u16::try_from(connection / 50_000).unwrap();
        let mut put = |from_client: bool, flags: u8, payload: &[u8], sequence: u32, acknowledgment: u32| {
            let (from, to) = if from_client { (client, [10, 77, 0, 9]) } else { ([10, 77, 0, 9], client) };
            let (from_port, to_port) = if from_client { (port, 443) } else { (443, port) };
            let mut builder = etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9])
                .ipv4(from, to, 64)
                .tcp(from_port, to_port, sequence, 4096);
            if flags & 2 != 0 {
                builder = builder.syn();
            }
            if flags & 16 != 0 {
                builder = builder.ack(acknowledgment);
            }
            if flags & 1 != 0 {
                builder = builder.fin();
            }
            let mut bytes = Vec::new();
            builder.write(&mut bytes, payload).unwrap();
            let len = u32::try_from(bytes.len()).unwrap();
            for word in [packets / 1000, packets % 1000 * 1000, len, len] {
                pcap.extend(word.to_le_bytes());
            }
            packets += 1;
            pcap.extend(bytes);
        };
        let begin = connection.wrapping_mul(7919);
        let hello = hello(connection);
        let len = u32::try_from(hello.len()).unwrap();
        put(true, 2, &[], begin, 0);
        put(false, 2 | 16, &[], 900, begin + 1);
        put(true, 16, &hello, begin + 1, 901);
        // handshake_failure, fatal.
        put(false, 16, &[21, 3, 3, 0, 2, 2, 40], 901, begin + 1 + len);
        put(false, 1 | 16, &[], 908, begin + 1 + len);
        put(true, 1 | 16, &[], begin + 1 + len, 909);
    }
    pcap
}

/// A ClientHello of TLS 1.2 that offers one suite.
fn hello(number: u32) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([number.to_be_bytes(); 8].concat());
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let mut message = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
    message.extend(body);
    let mut record = vec![22, 3, 1, 0, u8::try_from(message.len()).unwrap()];
    record.extend(message);
    record
}

const PACKETS_EACH: u64 = 6;

#[test]
fn root_is_left_with_the_right_to_capture_and_can_make_nothing() {
    let Some(lab) = Lab::with(&["openssl", "curl"]) else { return };
    let mut live = Live::start(&lab, &["--json", "--output", "out.ndjson", "--metrics", "9477"]);
    live.wait_until_ready();
    let status = live.status();
    for line in ["CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line}\n{status}");
    }
    assert!(["CapEff:\t0000000000002000", "CapEff:\t0000000000002002"].iter().any(|line| status.contains(line)), "{status}");
    assert_eq!(lab.scrape("/healthz"), "ok\n");
    let end = live.terminate();
    assert_eq!(end.code, Some(0), "{}", end.errors);
    assert!(end.errors.contains("every capability but NET_RAW"), "{}", end.errors);
}

#[test]
fn what_a_full_disk_costs_is_told_everywhere() {
    let Some(lab) = Lab::with(&["openssl", "curl", "tcpreplay", "mount", "umount"]) else { return };
    let count = 400;
    let (disk, other) = (lab.path("disk"), lab.path("other"));
    let run = |arguments: &[&str], on: &std::path::Path| {
        assert!(Command::new(arguments[0]).args(&arguments[1..]).arg(on).status().unwrap().success());
    };
    for place in [&disk, &other] {
        fs::create_dir(place).unwrap();
        run(&["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs"], place);
    }
    let capture = lab.path("refused.pcap");
    fs::write(&capture, refused(count)).unwrap();
    let mut live = Live::start(&lab, &["--json", "--output", "disk/out.ndjson", "--record", "other", "--metrics", "9477", "--no-trust"]);
    live.wait_until_ready();
    // One is full after some reports, the other takes nothing at all.
    run(&["mount", "-o", "remount,ro"], &other);
    lab.replay(&capture, &["--mbps=5"]);
    // All are judged before the end: how many it may leave unjudged is another matter.
    eventually("the losses", || lab.scrape("/metrics").contains(&format!("handshark_recordings_total{{result=\"lost\"}} {count}\n")));
    let healthy = lab.scrape("/healthz");
    assert!(healthy.contains("out.ndjson: ") && healthy.contains("recordings: "), "{healthy}");
    let end = live.terminate();
    assert_eq!(end.code, Some(2), "reports were lost: {}", end.errors);
    let metrics_say = end.last["notes"].to_string();
    let handshakes = end.last["handshakes"].as_u64().unwrap();
    let lines: Vec<String> = lab.read("disk/out.ndjson").lines().map(str::to_owned).collect();
    run(&["umount"], &disk);
    run(&["umount"], &other);
    assert_eq!(handshakes, u64::from(count), "{}", end.last);
    let lost = |what: &str| -> u64 {
        let note = end.last["notes"].as_array().unwrap().iter().filter_map(|note| note.as_str()).find(|note| note.contains(what));
        note.and_then(|note| note.split(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{what}: {metrics_say}"))
    };
    let written = lines.iter().filter(|line| line.contains("\"kind\":\"handshake\"")).count() as u64;
    // Incidents are reports, too.
    assert!(lost("could not be written to disk/out.ndjson") + written >= handshakes, "{written} lines, {metrics_say}");
    assert_eq!(lost("recordings could not be written"), handshakes, "{metrics_say}");
    for line in &lines {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn a_stop_under_backlog_ends_in_time_and_says_what_was_left() {
    let Some(lab) = Lab::with(&["openssl", "kill", "tcpreplay"]) else { return };
    let count = 30_000;
    let capture = lab.path("refused.pcap");
    fs::write(&capture, refused(count)).unwrap();
    let mut live = Live::start(&lab, &["--json", "--no-trust", "--output", "out.ndjson"]);
    live.wait_until_ready();
    live.signal("STOP");
    lab.replay(&capture, &["--topspeed"]);
    let lateness = Lateness::measure();
    live.signal("CONT");
    let began = Instant::now();
    let end = live.terminate();
    let took = began.elapsed();
    let latest = Duration::from_secs(5) + lateness.allowance();
    assert!(took < latest, "{took:?}, at most {latest:?}");
    let number = |name: &str| end.last[name].as_u64().unwrap_or_default();
    assert_eq!(number("frames"), end.last["inputs"][0]["frames"].as_u64().unwrap(), "{}", end.last);
    // Every packet that was sent was looked at or is among those dropped.
    assert!(number("frames") + number("drops") >= u64::from(count) * PACKETS_EACH, "{}", end.last);
    if number("drops") == 0 {
        assert_eq!(number("handshakes") + number("unjudged"), u64::from(count), "{}", end.last);
    }
}
