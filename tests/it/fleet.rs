//! The rows of many sensors put together: the incidents of a fleet are those of one process that sees everything.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::incident;
use crate::support::program::{done, handshark, objects};

/// Incidents as they are whoever tells of them.
fn incidents(lines: &[Value]) -> Vec<Value> {
    let all = lines.iter().filter(|line| line["kind"] == "incident").cloned();
    let mut all: Vec<Value> = all
        .map(|mut incident| {
            for own in ["observer", "event", "sensors"] {
                incident.as_object_mut().unwrap().remove(own);
            }
            incident
        })
        .collect();
    all.sort_by_key(|incident| incident["id"].as_str().unwrap().to_owned());
    all
}

/// What rates and scopes are made of.
fn counts(incidents: &[Value]) -> Vec<[String; 7]> {
    let keys = ["id", "cause", "scope", "failed", "attempts", "clients_total", "first_seen"];
    incidents.iter().map(|incident| keys.map(|key| incident[key].to_string())).collect()
}

fn capture() -> String {
    incident().display().to_string()
}

#[test]
fn rows_tell_the_incidents_that_the_capture_tells() {
    let whole = done(&["read", "--json", &capture()]);
    let directory = tempfile::tempdir().unwrap();
    // As two files that were written in turn, and one of them given twice.
    let (mut one, mut other) = (String::new(), String::new());
    for (number, line) in whole.lines().filter(|line| line.contains("\"kind\":\"handshake\"")).enumerate() {
        let file = if number % 3 == 0 { &mut one } else { &mut other };
        file.push_str(line);
        file.push('\n');
    }
    fs::create_dir(directory.path().join("sensor=a")).unwrap();
    fs::write(directory.path().join("sensor=a/1.ndjson"), &one).unwrap();
    fs::write(directory.path().join("2.ndjson"), format!("{other}{one}")).unwrap();
    fs::write(directory.path().join("3.ndjson.part"), "half a li").unwrap();
    let told = objects(&done(&["incidents", "--json", &directory.path().display().to_string()]));
    let (expected, told) = (incidents(&objects(&whole)), incidents(&told));
    assert!(!expected.is_empty());
    assert_eq!(counts(&told), counts(&expected));
    assert_eq!(told, expected);
}

#[test]
fn tallies_and_failures_give_the_same_numbers_as_all_rows() {
    let whole = objects(&done(&["read", "--json", &capture()]));
    let directory = tempfile::tempdir().unwrap();
    let rows = done(&["read", "--json", "--completed", "tallies", &capture()]);
    let told = objects(&rows);
    let number = |kind: &str| told.iter().filter(|line| line["kind"] == kind).count();
    let completed = |line: &&Value| line["handshake"]["class"] == "completed";
    assert_eq!(told.iter().filter(completed).count(), 0);
    // Each handshake is in one tally, and each that did not simply complete is told too.
    let tallied: u64 = told.iter().filter(|line| line["kind"] == "tally").map(|line| line["handshakes"].as_u64().unwrap()).sum();
    let listed = told.iter().filter(|line| line["kind"] == "tally" && line["listed"] == true);
    let listed: u64 = listed.map(|line| line["handshakes"].as_u64().unwrap()).sum();
    assert_eq!(tallied, whole.iter().filter(|line| line["kind"] == "handshake").count() as u64);
    assert_eq!(listed, number("handshake") as u64);
    let path = directory.path().join("rows.ndjson");
    fs::write(&path, rows).unwrap();
    let put_together = objects(&done(&["incidents", "--json", &path.display().to_string()]));
    assert_eq!(counts(&incidents(&put_together)), counts(&incidents(&whole)));
    // And in words that people read, from standard input.
    let output = handshark().args(["incidents", "-"]).stdin(fs::File::open(&path).unwrap()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("certificate-expired") && text.contains("Fix"), "{text}");
    let none = objects(&done(&["read", "--json", "--completed", "none", &capture()]));
    assert!(none.iter().all(|line| line["kind"] != "tally" && line["handshake"]["class"] != "completed"));
}

#[test]
fn what_is_no_row_is_named_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.ndjson");
    let good = done(&["read", "--json", &capture()]);
    fs::write(&path, format!("{{\"a\":1}}\n\n{good}not json\n")).unwrap();
    let output = handshark().args(["incidents", "--json"]).arg(&path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("rows.ndjson, line 1: ") && said.contains(": it is no row"), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("it is left out")).count(), 2, "{said}");
    fs::write(&path, "x\n").unwrap();
    let output = handshark().arg("incidents").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let missing = handshark().arg("incidents").arg(Path::new("/nowhere/rows")).output().unwrap();
    assert!(missing.status.code() == Some(2) && String::from_utf8_lossy(&missing.stderr).contains("/nowhere/rows"));
}
