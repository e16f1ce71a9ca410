//! Every labelled capture gets its verdict. A new capture with its sidecar in `fixtures/captures` is a new test.
//!
//! A sidecar says, by hand, what was done on the wire: `[expect]`, or `[[connection]]` for each of several connections, with the accepted
//! outcomes, causes (`none`: nothing to report) and who stopped it, and `also`: causes that may be reported beside.

use std::collections::BTreeSet;

use crate::support::report::HandshakeReport;
use crate::support::{analyse, capture_of, labelled};

fn words(label: &toml::Table, key: &str) -> BTreeSet<String> {
    label
        .get(key)
        .and_then(toml::Value::as_array)
        .map(|list| list.iter().map(|word| word.as_str().unwrap().to_owned()).collect())
        .unwrap_or_default()
}

fn cause(report: &HandshakeReport) -> String {
    report.diagnosis.cause.clone().unwrap_or_else(|| "none".to_owned())
}

/// What is wrong with the reports of one connection or capture, if anything.
fn wrong(reports: &[&HandshakeReport], label: &toml::Table) -> Option<String> {
    if reports.is_empty() {
        return Some("no handshake reported".to_owned());
    }
    let (outcomes, causes, who) = (words(label, "outcome"), words(label, "cause"), words(label, "stopped_by"));
    let mut also = words(label, "also");
    also.insert("none".to_owned());
    let said: Vec<String> = reports.iter().map(|r| format!("{}/{}/{}", r.handshake.outcome, cause(r), r.diagnosis.stopped_by)).collect();
    let nothing_expected = causes.len() == 1 && causes.contains("none");
    let fine = reports.iter().any(|r| outcomes.contains(&r.handshake.outcome))
        && reports.iter().any(|r| who.contains(&r.diagnosis.stopped_by))
        && if nothing_expected {
            reports
                .iter()
                .all(|r| also.contains(&cause(r)) && (outcomes.contains(&r.handshake.outcome) || r.handshake.outcome == "completed"))
        } else {
            reports.iter().any(|r| causes.contains(&cause(r)))
                && reports.iter().all(|r| causes.contains(&cause(r)) || also.contains(&cause(r)))
        };
    (!fine).then(|| format!("want {outcomes:?} {causes:?} {who:?}; said {}", said.join("; ")))
}

fn matches(report: &HandshakeReport, wanted: &toml::Table) -> bool {
    wanted.iter().all(|(key, value)| match key.as_str() {
        "client_port" => Some(i64::from(report.client.port)) == value.as_integer(),
        "server_port" => Some(i64::from(report.server.port)) == value.as_integer(),
        "client_address" => Some(report.client.address.as_str()) == value.as_str(),
        "server_address" => Some(report.server.address.as_str()) == value.as_str(),
        "protocol" => Some(report.network.protocol.as_str()) == value.as_str(),
        "server_name" => {
            report.tls.as_ref().and_then(|tls| tls.client.as_ref()).and_then(|client| client.server_name.as_deref()) == value.as_str()
        }
        "order" => true,
        other => panic!("a sidecar matches by {other:?}, which is not known"),
    })
}

#[test]
fn every_labelled_capture_gets_its_verdict() {
    let labelled = labelled();
    assert!(labelled.len() > 100, "the fixtures are missing");
    let mut failures = Vec::new();
    for (sidecar, label) in &labelled {
        let mut said = analyse(&[capture_of(sidecar, label)], 1).handshakes;
        said.sort_by(|a, b| a.handshake.start.cmp(&b.handshake.start));
        let known_gap = label.get("known_gap").and_then(toml::Value::as_str);
        let mut problems = Vec::new();
        if let Some(connections) = label.get("connection").and_then(toml::Value::as_array) {
            for connection in connections {
                let connection = connection.as_table().unwrap();
                let wanted = connection["match"].as_table().unwrap();
                let mut found: Vec<&HandshakeReport> = said.iter().filter(|report| matches(report, wanted)).collect();
                if let Some(order) = wanted.get("order").and_then(toml::Value::as_integer) {
                    found = said.iter().skip(usize::try_from(order).unwrap() - 1).take(1).collect();
                }
                problems.extend(wrong(&found, connection).map(|problem| format!("{wanted}: {problem}")));
            }
        } else {
            problems.extend(wrong(&said.iter().collect::<Vec<_>>(), label["expect"].as_table().unwrap()));
        }
        match (problems.is_empty(), known_gap) {
            (false, None) => failures.push(format!("{}: {}", sidecar.display(), problems.join("\n    "))),
            (true, Some(_)) => failures.push(format!("{}: right now; remove its known_gap", sidecar.display())),
            _ => {}
        }
    }
    assert!(failures.is_empty(), "{} of {} captures are judged wrong:\n{}", failures.len(), labelled.len(), failures.join("\n"));
}

/// What is certain leaves no room for a guess at the same end: beside it stand notes, and what is at least strong.
#[test]
fn nothing_unsure_explains_what_is_certain() {
    let mut looked = 0;
    for (sidecar, label) in &labelled() {
        for report in analyse(&[capture_of(sidecar, label)], 1).handshakes {
            let diagnosis = &report.diagnosis;
            if diagnosis.confidence.as_deref() != Some("certain") {
                continue;
            }
            looked += 1;
            for finding in &diagnosis.findings {
                let unsure = ["likely", "hint"].contains(&finding.confidence.as_str());
                assert!(!unsure || finding.severity == "info", "{}: {:?} beside {:?}", sidecar.display(), finding.id, diagnosis.cause);
            }
        }
    }
    assert!(looked > 40, "{looked}");
}

/// A mail server that delivers in clear what it could not deliver over TLS is said to, and one that waits is not.
#[test]
fn mail_that_is_sent_in_clear_after_all_is_told() {
    let folder = crate::support::fixtures().join("captures/starttls");
    for (name, told) in [("smtp_mta_falls_back_to_clear", true), ("smtp_mta_waits_for_tls", false)] {
        let said = analyse(&[folder.join(format!("{name}.pcap"))], 1);
        assert!(said.handshakes.len() >= 2, "{name}");
        for report in &said.handshakes {
            let evidence = &report.diagnosis.evidence;
            assert_eq!(evidence.iter().any(|entry| entry.text.contains("goes on in clear")), told, "{name}: {evidence:?}");
        }
    }
}

/// A client that is refused QUIC and goes on over TCP is one incident with both connections in it.
#[test]
fn blocked_quic_and_its_fallback_are_one_incident() {
    let capture = crate::support::fixtures().join("captures/quic/quic-udp-blocked-tcp-fallback.pcap");
    let said = analyse(&[capture], 1);
    let ids: BTreeSet<&str> = said.handshakes.iter().map(|report| report.handshake.id.as_str()).collect();
    assert_eq!((said.handshakes.len(), said.incidents.len()), (2, 1));
    let incident = &said.incidents[0];
    assert_eq!(incident.cause, "quic-blocked");
    assert_eq!(incident.handshakes.iter().map(String::as_str).collect::<BTreeSet<_>>(), ids);
}
