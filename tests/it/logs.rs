//! Logs of real servers beside captures of what they served: a reason that the packets leave open is settled, one that they show is borne out.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::fixtures;
use super::support::program::{done, handshakes, objects, refused, text};

fn file(name: &str) -> PathBuf {
    fixtures().join("logs").join(name)
}

fn judged(capture: &str, logs: &[&Path]) -> Value {
    let capture = file(&format!("{capture}.pcap"));
    let mut arguments = vec!["read", "--json", "--no-trust", text(&capture)];
    for log in logs {
        arguments.extend(["--log", text(log)]);
    }
    handshakes(&done(&arguments)).remove(0)
}

fn cause(report: &Value) -> &str {
    report["diagnosis"]["cause"].as_str().unwrap_or("none")
}

fn evidence(report: &Value) -> String {
    report["diagnosis"]["evidence"].to_string()
}

/// Each server has an ECDSA certificate and takes ECDHE-RSA suites only; the client is `openssl s_client` with all that it offers.
const SETTLED: &[&str] =
    &["nginx-cipher", "haproxy-cipher", "apache-cipher", "stunnel-cipher", "postgres-cipher", "postfix-cipher", "dovecot-cipher"];

#[test]
fn the_servers_own_reason_settles_what_the_packets_leave_open() {
    for name in SETTLED {
        let log = file(&format!("{name}.log"));
        assert_eq!(cause(&judged(name, &[])), "handshake-failure", "{name}: the alert says no more");
        let heard = judged(name, &[&log]);
        assert_eq!((cause(&heard), heard["diagnosis"]["confidence"].as_str()), ("no-common-cipher", Some("strong")), "{name}");
        assert!(
            evidence(&heard).contains("no shared cipher") && evidence(&heard).contains(&format!("{name}.log line ")),
            "{name}: {heard}"
        );
        assert_eq!(heard["diagnosis"]["alternatives"], serde_json::json!(["certificate-type-mismatch"]), "{name}");
    }
}

#[test]
fn what_the_packets_show_is_borne_out() {
    for (name, expected, words) in [
        ("nginx-unknown-ca", "certificate-untrusted-ca", "tlsv1 alert unknown ca"),
        ("apache-clientcert13", "client-certificate-missing", "peer did not return a certificate"),
    ] {
        let heard = judged(name, &[&file(&format!("{name}.log"))]);
        assert_eq!(cause(&heard), expected);
        assert!(evidence(&heard).contains(words), "{heard}");
    }
}

#[test]
fn a_log_that_contradicts_overrules_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("error.log");
    let said = fs::read_to_string(file("nginx-unknown-ca.log")).unwrap();
    fs::write(&log, said.replace("tlsv1 alert unknown ca:SSL alert number 48", "no shared cipher")).unwrap();
    let heard = judged("nginx-unknown-ca", &[&log]);
    assert_eq!(cause(&heard), "certificate-untrusted-ca");
    assert!(heard["diagnosis"]["against"].to_string().contains("the packets show otherwise"), "{heard}");
}

#[test]
fn logs_of_other_times_and_clients_are_not_heard() {
    for (capture, log) in [("nginx-cipher", "nginx-unknown-ca.log"), ("haproxy-cipher", "apache-cipher.log")] {
        let heard = judged(capture, &[&file(log)]);
        assert_eq!(cause(&heard), "handshake-failure");
        assert!(!evidence(&heard).contains(log), "{heard}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("haproxy.log");
    let said = fs::read_to_string(file("haproxy-cipher.log")).unwrap();
    fs::write(&log, said.replace("29/Nov/2026:08:", "29/Nov/2026:09:")).unwrap();
    let capture = file("haproxy-cipher.pcap");
    let all = objects(&done(&["read", "--json", "--no-trust", text(&capture), "--log", text(&log)]));
    assert_eq!(cause(&all[0]), "no-common-cipher");
    let notes = all.last().unwrap()["notes"].to_string();
    assert!(notes.contains("Logs: 1 line read") && notes.contains(" s ahead of the capture's."), "{notes}");
}

#[test]
fn times_without_a_zone_are_of_the_one_that_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("error.log");
    let said = fs::read_to_string(file("nginx-cipher.log")).unwrap();
    fs::write(&log, said.replace("2026/11/29 08:", "2026/11/29 13:")).unwrap();
    let capture = file("nginx-cipher.pcap");
    let of = |zone| handshakes(&done(&["read", "--json", "--no-trust", "--tz", zone, text(&capture), "--log", text(&log)])).remove(0);
    assert_eq!(cause(&of("UTC")), "handshake-failure", "five hours off, and no port to know it by");
    if Path::new("/usr/share/zoneinfo/Asia/Karachi").exists() {
        assert_eq!(cause(&of("Asia/Karachi")), "no-common-cipher");
    }
}

#[test]
fn hostile_lines_are_shown_as_text() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("error.log");
    let line = "2026/11/29 08:08:15 [info] 7#7: *1 SSL failed \u{1b}[2J\u{202e}$(id) no shared cipher, client: 10.77.0.2\n";
    fs::write(&log, [line.as_bytes(), &[0xff, 0, b'\n'], &vec![b'['; 100_000]].concat()).unwrap();
    let shown = done(&["read", "--no-trust", text(&file("nginx-cipher.pcap")), "--log", text(&log)]);
    assert!(shown.contains("no shared cipher") && !shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
    let said = refused(&["read", text(&file("nginx-cipher.pcap")), "--log", "/nowhere/error.log"]);
    assert!(said.contains("/nowhere/error.log"), "{said}");
    assert!(refused(&["read", "--anonymize", "0123456789abcdef", "x.pcap", "--log", "y"]).contains("--log"));
}
