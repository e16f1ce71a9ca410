//! The rows of many sensors put together: the incidents of a fleet are those of one process that sees everything.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::program::text;
use crate::support::program::{done, handshark, objects};
use crate::support::{fixtures, incident};

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
    let output = handshark().args(["incidents", "-"]).stdin(File::open(&path).unwrap()).output().unwrap();
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

/// Captures of each folder of the fixtures: there the same servers are met at times that lie hours and days apart, and verdicts come late.
#[test]
fn of_whatever_is_captured_rows_tell_the_incidents_that_reading_tells() {
    let directory = tempfile::tempdir().unwrap();
    let mut folders: Vec<_> = fs::read_dir(fixtures().join("captures")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut all = 0;
    for folder in folders {
        let whole = done(&["read", "--no-trust", "--json", text(&folder)]);
        let rows = directory.path().join("rows.ndjson");
        fs::write(&rows, &whole).unwrap();
        let told = incidents(&objects(&done(&["incidents", "--json", text(&rows)])));
        let expected = incidents(&objects(&whole));
        for (told, expected) in told.iter().zip(&expected) {
            assert_eq!(told, expected, "{}", folder.display());
        }
        assert_eq!(told.len(), expected.len(), "{}", folder.display());
        all += told.len();
    }
    assert!(all > 30, "{all}");
}

/// `handshark incidents --follow`, and what it says.
struct Following {
    child: Child,
    lines: Receiver<Value>,
    said: Vec<Value>,
}

impl Following {
    fn start(rows: &Path) -> Self {
        let arguments = ["incidents", "--follow", "--json", "--silent-after", "2s", text(rows)];
        let mut child = handshark().args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).all(|line| sender.send(serde_json::from_str(&line).unwrap()).is_ok());
        });
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until it says something like this.
    fn hear(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("{what} was not told: {:?}", self.said));
            self.said.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Ends it, and gives the rest of what it says.
    fn end(mut self) -> Vec<Value> {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        self.lines.iter().collect()
    }
}

fn heartbeat(sensor: &str, time: &str) -> String {
    let observer = json!({"site": "berlin", "sensor": sensor});
    let counts = json!({"schema": "handshark/2", "kind": "heartbeat", "event_id": format!("beat-{time}"), "observer": observer, "@timestamp": time,
        "started": "2026-01-01T00:00:00Z", "last": false, "drops": 0, "lost_reports": 0});
    format!("{counts}\n")
}

/// A sensor's file grows line by line and in halves of lines, gets another name, goes on in the next, and is taken away; another sensor falls silent and
/// holds nobody up any more.
#[test]
fn files_that_grow_are_followed_and_silence_is_told() {
    let whole = objects(&done(&["read", "--no-trust", "--json", &capture()]));
    let of_sensor = |sensor: &str, row: &Value| {
        let mut row = row.clone();
        row["observer"] = json!({"site": "berlin", "sensor": sensor});
        format!("{row}\n")
    };
    let all: Vec<&Value> = whole.iter().filter(|line| line["kind"] == "handshake").collect();
    let failed = |row: &&&Value| row["diagnosis"]["cause"] == "certificate-expired";
    let failures = all.iter().filter(failed).count();
    assert!(failures > 4);
    let rows: Vec<String> = all.iter().map(|row| of_sensor("a", row)).collect();
    let (first, second) = rows.split_at(rows.len() / 2);
    let directory = tempfile::tempdir().unwrap();
    let (part, next) = (directory.path().join("a-1.ndjson.part"), directory.path().join("a-2.ndjson.part"));
    let mut growing = File::create(&part).unwrap();
    growing.write_all(heartbeat("a", "2026-01-01T00:00:00Z").as_bytes()).unwrap();
    fs::write(directory.path().join("b-1.ndjson"), heartbeat("b", "2026-01-01T00:00:00Z")).unwrap();
    let mut following = Following::start(directory.path());
    let silent = following.hear("that b is silent", |line| line["state"] == "silent" && line["observer"]["sensor"] == "b");
    assert_eq!((&silent["kind"], &silent["observer"]["site"]), (&json!("sensor"), &json!("berlin")));
    for row in first {
        let (one, other) = row.split_at(row.len() / 2);
        growing.write_all(one.as_bytes()).unwrap();
        growing.flush().unwrap();
        growing.write_all(other.as_bytes()).unwrap();
    }
    // The file is whole and gets its name; the next is begun, and says how late it is.
    fs::rename(&part, directory.path().join("a-1.ndjson")).unwrap();
    let mut growing = File::create(&next).unwrap();
    for row in second {
        growing.write_all(row.as_bytes()).unwrap();
    }
    growing.write_all(heartbeat("a", "2026-12-31T00:00:00Z").as_bytes()).unwrap();
    let expired = |line: &Value| line["kind"] == "incident" && line["cause"] == "certificate-expired";
    let begun = following.hear("an incident", expired);
    assert_eq!((&begun["sensors"], &begun["observer"]["site"]), (&json!(["a"]), &json!("berlin")));
    // What is shipped is taken away, and comes again.
    fs::remove_file(directory.path().join("a-1.ndjson")).unwrap();
    thread::sleep(Duration::from_millis(500));
    fs::write(directory.path().join("a-1.ndjson"), first.concat()).unwrap();
    // b comes back.
    fs::write(directory.path().join("b-2.ndjson"), heartbeat("b", "2026-12-31T00:00:00Z")).unwrap();
    following.hear("that b is heard of again", |line| line["state"] == "heard" && line["observer"]["sensor"] == "b");
    let said = [following.said.clone(), following.end()].concat();
    let most = said.iter().filter(|line| expired(line)).filter_map(|line| line["failed"].as_u64()).max();
    assert_eq!(most, Some(failures as u64), "each once");
}
