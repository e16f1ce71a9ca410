//! `handshark live` on real interfaces: network namespaces joined by a veth, real OpenSSL and curl on both ends.
//!
//! Needs root, `ip`, `openssl` and `curl`; a test that lacks something says so and passes.

mod fleet;
mod hardship;
mod lab;
mod owners;
mod secrets;
mod trouble;
mod view;

use std::time::Duration;

use lab::{Lab, Lateness, Live, have};
use serde_json::Value;

fn cause(report: &Value) -> &str {
    report["diagnosis"]["cause"].as_str().unwrap_or_default()
}

#[test]
fn failures_are_told_as_they_happen_and_recorded() {
    let Some(lab) = Lab::with(&["openssl", "curl", "kill"]) else { return };
    lab.serve_tls(443, "good", &[]);
    lab.serve_tls(8443, "good", &["-tls1_3"]);
    lab.serve_tls(4443, "expired", &[]);
    let silent = lab.serve_tls(9443, "good", &[]);
    silent.signal("STOP");
    let doomed = lab.serve_tls(5443, "good", &[]);
    doomed.signal("STOP");

    let limit = Duration::from_secs(2);
    let mut live = Live::start(
        &lab,
        &[
            "--json",
            "--stall-after",
            "2s",
            "--record",
            "record",
            "--output",
            "out.ndjson",
            "--metrics",
            "9477",
            "--user",
            "nobody",
            "--sensor",
            "edge-17",
            "--site",
            "berlin",
        ],
    );
    live.wait_until_ready();
    let status = live.status();
    for line in
        ["Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"]
    {
        assert!(status.contains(line), "{line}\n{status}");
    }

    assert_eq!(lab.curl("good.test", 443, &[]).wait(), 0);
    assert_ne!(lab.curl("good.test", 8443, &["--tls-max", "1.2"]).wait(), 0);
    assert_ne!(lab.curl("expired.test", 4443, &["--tls-max", "1.2"]).wait(), 0);
    assert_ne!(lab.curl("good.test", 7443, &[]).wait(), 0);
    let reset = lab.curl("good.test", 5443, &[]);
    let lateness = Lateness::measure();
    let waiting = lab.curl("silent.test", 9443, &["--max-time", "7"]);

    let stall = live.until(|report| report["handshake"]["provisional"] == true && report["server"]["port"] == 9443);
    let seen_after = stall.after_hello();
    assert!(waiting.is_running(), "the client still waits");
    let latest = limit + Duration::from_secs(1) + lateness.allowance();
    assert!(seen_after >= limit && seen_after < latest, "{seen_after:?}, at most {latest:?}");
    assert_eq!((cause(&stall.report), stall.report["handshake"]["outcome"].as_str()), ("server-silent", Some("stalled")));

    doomed.signal("KILL");
    assert_ne!(reset.wait(), 0);
    assert_ne!(waiting.wait(), 0);

    let of = |port: u16| move |report: &Value| report["server"]["port"] == port && report["handshake"]["provisional"] == false;
    for (port, outcome, expected) in [
        (443, "completed", ""),
        (8443, "alerted", "client-version-too-old"),
        (4443, "alerted", "certificate-expired"),
        (7443, "refused", "tcp-refused"),
        (9443, "stalled", "server-silent"),
    ] {
        let told = live.until(of(port));
        assert_eq!((told.report["handshake"]["outcome"].as_str(), cause(&told.report)), (Some(outcome), expected), "{}", told.report);
    }
    let told = live.until(of(5443));
    assert!(["reset", "stalled"].contains(&told.report["handshake"]["outcome"].as_str().unwrap_or_default()), "{}", told.report);
    assert_eq!(told.report["tls"]["client"]["server_name"], "good.test");
    let observer = &told.report["observer"];
    let told_by = ["name", "sensor", "site", "interface"].map(|key| observer[key].as_str().unwrap_or_default());
    assert_eq!(told_by[..3], ["edge-17", "edge-17", "berlin"]);
    assert_eq!(told.report["capture"]["source"], told_by[3]);

    let metrics = lab.scrape("/metrics");
    for line in [
        "handshark_handshakes_total{class=\"completed\",outcome=\"completed\",protocol=\"tls\"} 1",
        "handshark_problems_total{cause=\"certificate-expired\",class=\"failed\",server=\"10.77.0.2:4443\",name=\"expired.test\"} 1",
        "handshark_certificate_not_after_timestamp_seconds{name=\"expired.test\"",
        "handshark_capture_dropped_packets_total",
        "# TYPE handshark_problems_total counter",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert_eq!(lab.scrape("/healthz"), "ok\n");

    let end = live.terminate();
    assert_eq!(end.code, Some(0), "{}", end.errors);
    assert_eq!((end.last["kind"].as_str(), end.last["handshakes"].as_u64()), (Some("summary"), Some(6)));
    let file = lab.read("out.ndjson");
    assert_eq!(file.lines().last().and_then(|line| serde_json::from_str(line).ok()), Some(end.last));
    recordings(&lab);
}

/// One for each failure, with the same verdict when it is read again, and with the finding on its packet.
fn recordings(lab: &Lab) {
    let recordings = lab.files("record");
    assert_eq!(recordings.len(), 5, "{recordings:?}");
    for path in &recordings {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let said = crate::support::analyse(&[path], 1);
        let reread = &said.handshakes[0];
        assert_eq!(said.handshakes.len(), 1, "{name}");
        let untrusted_here = reread.diagnosis.cause.as_deref().unwrap_or("none");
        assert!(name.contains(untrusted_here), "{name}: {untrusted_here}");
        if have("tshark") {
            let comments = lab::output(
                "tshark",
                &["-r", &path.to_string_lossy(), "-T", "fields", "-e", "frame.comment", "-e", "frame.interface_name"],
            );
            assert!(
                comments.contains(&format!("handshark: {untrusted_here}: ")) && comments.contains(&lab.server_if),
                "{name}\n{comments}"
            );
        }
    }
}

#[test]
fn several_interfaces_are_one_capture_and_one_that_goes_down_is_waited_for() {
    let Some(lab) = Lab::with(&["openssl", "curl"]) else { return };
    lab.serve_tls(443, "good", &[]);
    let mut live = Live::start(&lab, &["--interface", "lo", "--capture-threads", "2", "--json", "--count", "3"]);
    live.wait_until_ready();
    assert_eq!(lab.curl("good.test", 443, &[]).wait(), 0);
    let first = live.until(|report| report["handshake"]["outcome"] == "completed");
    assert_eq!(first.report["capture"]["source"], lab.server_if.as_str());
    assert_eq!(lab.curl_at_home("good.test", 443).wait(), 0);
    let second = live.until(|report| report["handshake"]["outcome"] == "completed");
    assert_eq!(second.report["capture"]["source"], "lo");
    lab.link("down");
    std::thread::sleep(Duration::from_millis(700));
    lab.link("up");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(lab.curl("good.test", 443, &["--retry", "5", "--retry-all-errors"]).wait(), 0);
    // The count ends it.
    let end = live.ended();
    assert_eq!((end.code, end.last["handshakes"].as_u64()), (Some(0), Some(3)), "{}", end.errors);
    assert!(end.errors.contains("is down or gone") && end.errors.contains("is back"), "{}", end.errors);
}

#[test]
fn an_interface_that_is_removed_and_made_anew_is_opened_again() {
    let Some(lab) = Lab::with(&["openssl", "curl"]) else { return };
    lab.serve_tls(443, "good", &[]);
    let mut live = Live::start(&lab, &["--json"]);
    let mut anywhere = Live::start(&lab, &["--interface", "any", "--json"]);
    live.wait_until_ready();
    anywhere.wait_until_ready();
    let completed = |report: &Value| report["handshake"]["outcome"] == "completed";
    for _ in 0..2 {
        assert_eq!(lab.curl("good.test", 443, &["--retry", "5", "--retry-all-errors"]).wait(), 0);
        assert_eq!(live.until(completed).report["capture"]["source"], lab.server_if.as_str());
        assert_eq!(anywhere.until(completed).report["capture"]["source"], "any");
        lab.disconnect();
        live.until_said("is down or gone");
        lab.connect();
        live.until_said("is back");
        // It is tried again a few times a second.
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(lab.curl_at_home("good.test", 443).wait(), 0);
    assert_eq!(anywhere.until(completed).report["client"]["address"], "10.77.0.2");
    assert_eq!(live.terminate().last["handshakes"], 2);
    assert_eq!(anywhere.terminate().last["handshakes"], 3);
}

#[test]
fn a_slow_reader_holds_nobody_up_and_no_permission_is_explained() {
    let Some(lab) = Lab::with(&["openssl", "curl", "setpriv"]) else { return };
    let said = lab.output_there(
        "setpriv",
        &["--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", lab::PROGRAM, "live", "-i", &lab.server_if],
    );
    assert!(said.contains("setcap cap_net_raw,cap_net_admin+ep") && said.contains("wireshark"), "{said}");
    let said = lab.output_there(lab::PROGRAM, &["live", "-i", "nosuch0"]);
    assert!(said.contains("no such interface") && said.contains("handshark interfaces"), "{said}");
    let listed = lab.output_there(lab::PROGRAM, &["interfaces"]);
    assert!(listed.contains(&lab.server_if) && listed.contains("10.77.0.2"), "{listed}");

    lab.serve_tls(443, "good", &[]);
    // Nobody reads standard output; a file gets everything, and SIGHUP opens it anew.
    let mut live = Live::start_unread(&lab, &["--json", "--output", "out.ndjson"]);
    live.wait_until_ready();
    assert_eq!(lab.curl("good.test", 443, &[]).wait(), 0);
    let told = || lab.read("out.ndjson").contains("\"kind\":\"handshake\"");
    lab::eventually("the first handshake", told);
    std::fs::rename(lab.path("out.ndjson"), lab.path("moved.ndjson")).unwrap();
    live.signal("HUP");
    lab::eventually("a new file", || lab.path("out.ndjson").exists());
    assert_eq!(lab.curl("good.test", 443, &[]).wait(), 0);
    lab::eventually("the second handshake", told);
    let handshakes = |text: &str| text.lines().filter(|line| line.contains("\"kind\":\"handshake\"")).count();
    assert_eq!(handshakes(&lab.read("moved.ndjson")), 1);
    assert_eq!(live.terminate_unread(), Some(0));
}

#[test]
fn a_replayed_capture_is_reported_as_a_file_is() {
    let Some(lab) = Lab::with(&["tcpreplay"]) else { return };
    let captures = crate::support::replayable();
    let mut live = Live::start(&lab, &["--json", "--no-trust"]);
    live.wait_until_ready();
    for capture in &captures {
        lab.replay(capture, &["--mbps=20"]);
    }
    std::thread::sleep(Duration::from_secs(3));
    let end = live.terminate();
    assert_eq!(end.last["drops"], 0);
    let found: Vec<(String, String)> = end
        .reports
        .iter()
        .filter(|report| report["kind"] == "handshake" && report["handshake"]["provisional"] == false)
        .map(ports_and_outcome)
        .collect();
    let expected: Vec<_> = crate::support::analyse(&captures, 1)
        .lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|report: &Value| report["kind"] == "handshake")
        .map(|report| ports_and_outcome(&report))
        .collect();
    assert!(!expected.is_empty());
    for one in &expected {
        assert!(found.contains(one), "{one:?}\n{found:?}");
    }
    assert_eq!(found.len(), expected.len());
}

fn ports_and_outcome(report: &Value) -> (String, String) {
    (
        format!("{}:{} {}", report["client"]["address"], report["client"]["port"], report["server"]["port"]),
        report["handshake"]["outcome"].to_string(),
    )
}
