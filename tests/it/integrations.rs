//! docs/INTEGRATIONS.md names fields that are there, of the types that it says; metrics and tables are what their readers take.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use handshark::output::metrics::{Exposition, InterfaceLoad, Metrics};
use handshark::report::schema::{HANDSHAKE, Kind};
use serde_json::Value;

use crate::support::program::{done, handshakes, objects, text};
use crate::support::{analyse, fixtures, incident, skip};

const DOCUMENT: &str = include_str!("../../docs/INTEGRATIONS.md");

/// The rows of the table under a heading, a cell each without its quotes.
fn table(heading: &str) -> Vec<Vec<String>> {
    let part = DOCUMENT.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect()).collect()
}

/// What stands at a path, through lists.
fn at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('.').fold(vec![value], |found, name| {
        let lists = found.into_iter().flat_map(|value| value.as_array().map_or_else(|| vec![value], |list| list.iter().collect()));
        lists.filter_map(|value| value.get(name)).collect()
    })
}

fn lines() -> Vec<Value> {
    let names = ["cert/cert_expired_tls12_java.pcap", "cert/cert_revoked_stapled_tls12_curl.pcap"];
    let mut paths: Vec<_> = names.iter().map(|name| fixtures().join("captures").join(name)).collect();
    paths.push(incident());
    objects(&done(&["--json", "--no-trust"].into_iter().chain(paths.iter().map(|path| text(path))).collect::<Vec<_>>()))
}

#[test]
fn ecs_fields_are_there_and_of_their_types() {
    let (lines, rows) = (lines(), table("Elastic Common Schema"));
    assert!(rows.len() > 40, "{}", rows.len());
    for row in rows {
        let (field, kind) = (&row[0], row[1].as_str());
        let found: Vec<&Value> = lines.iter().flat_map(|line| at(line, field)).collect();
        assert!(!found.is_empty(), "{field} is in no line");
        for value in found {
            let values = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
            let right = values.iter().all(|value| match kind {
                "keyword" => value.is_string(),
                "long" => value.is_u64(),
                "boolean" => value.is_boolean(),
                "ip" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
                "date" => value.as_str().is_some_and(|text| text.len() == 30 && text.ends_with('Z')),
                other => panic!("{other}"),
            });
            assert!(right, "{field}: {value} is no {kind}");
        }
    }
}

/// Of what only a live run tells the schema has to do.
#[test]
fn fields_of_owners_are_in_the_schema_and_of_their_types() {
    let rows = table("Processes, containers and pods");
    assert!(rows.len() > 10, "{}", rows.len());
    for row in rows {
        for path in row[0].split(", ") {
            let path = path.trim_matches('`');
            let mut fields = HANDSHAKE;
            let mut kind = None;
            for name in path.split('.') {
                let field = fields.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("{path}"));
                kind = Some(field.kind);
                fields = if let Kind::Object(inner) = field.kind { inner } else { &[] };
            }
            let said = match kind.unwrap() {
                Kind::Text => "keyword",
                Kind::Integer => "long",
                Kind::Time => "date",
                other => panic!("{path}: {other:?}"),
            };
            assert_eq!(said, row[1], "{path}");
        }
    }
}

#[test]
fn what_events_say_agrees_with_the_report() {
    for line in lines() {
        let event = &line["event"];
        match line["kind"].as_str().unwrap() {
            "handshake" => {
                assert_eq!(line["@timestamp"], line["handshake"]["start"]);
                assert_eq!((&event["id"], &event["reason"]), (&line["handshake"]["id"], &line["diagnosis"]["cause"]));
                let class = line["handshake"]["class"].as_str().unwrap();
                let (outcome, severity, word) = match class {
                    "failed" | "rejected-after-completion" => ("failure", 3, "error"),
                    "completed-with-trouble" => ("success", 2, "warning"),
                    "completed" => ("success", 1, "info"),
                    _ => ("unknown", 1, "info"),
                };
                assert_eq!(
                    (&event["outcome"], &event["severity"], &line["diagnosis"]["severity"]),
                    (&outcome.into(), &severity.into(), &word.into())
                );
                assert_eq!(line["client"]["ip"], line["client"]["address"]);
                steps(&line["diagnosis"]);
            }
            "incident" => {
                assert_eq!((&event["kind"], &event["id"], &line["@timestamp"]), (&"alert".into(), &line["id"], &line["first_seen"]));
                steps(&line);
            }
            _ => assert_eq!(line["@timestamp"], line["first_time"]),
        }
    }
}

/// The structured remedies hold what the plain ones do, in their order.
fn steps(said: &Value) {
    let steps = said["remedies"].as_array().unwrap().iter();
    let flat: Vec<&Value> = steps.flat_map(|step| [&step["text"], &step["command"]]).filter(|value| !value.is_null()).collect();
    assert_eq!(flat, said["remedy"].as_array().unwrap().iter().collect::<Vec<_>>());
}

#[test]
fn ocsf_attributes_are_taken_from_fields_that_are_there() {
    let (lines, rows) = (lines(), table("Open Cybersecurity Schema Framework"));
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let kind = if row[2].contains("of an incident") { "incident" } else { "handshake" };
        let of_kind = lines.iter().filter(|line| line["kind"] == kind);
        assert!(of_kind.flat_map(|line| at(line, &row[1])).count() > 0, "{row:?}");
    }
}

#[test]
fn promtool_takes_the_metrics() {
    let metrics = Metrics::new(100);
    analyse(&[incident()], 1).typed_handshakes().for_each(|handshake| metrics.handshake(handshake));
    metrics.interface(&InterfaceLoad { name: "eth0", frames: 1, bytes: 1, dropped: 0, up: true });
    metrics.load(3, Some(4096));
    metrics.recordings(1, 0);
    metrics.lost("json", 0);
    let page = Exposition::Text.of(&metrics.text());
    // Every sample belongs to a family whose type is said.
    let types: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(types.contains(name) || types.contains(family), "{name}");
    }
    let Ok(mut promtool) =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    else {
        skip::skip("promtool is not installed (Debian: prometheus)");
        return;
    };
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let out = promtool.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    assert!(out.status.success() && said.is_empty(), "{}\n{page}", String::from_utf8_lossy(&said));
}

#[test]
fn show_and_explain_write_json() {
    let path = fixtures().join("captures/cert/cert_expired_tls12_java.pcap");
    let shown = objects(&done(&["show", "--json", "--no-trust", text(&path)]));
    let read = handshakes(&done(&["--json", "--no-trust", text(&path)]));
    assert_eq!((shown.len(), &shown[0]["handshake"]), (1, &read[0]["handshake"]));
    assert!(shown[0]["timeline"].as_array().unwrap().len() > 8);
    let all = objects(&done(&["explain", "--json"]));
    assert!(all.len() > 110 && all.iter().all(|cause| cause["schema"] == "handshark-explain/1" && cause["fixes"][0]["text"].is_string()));
    let one = objects(&done(&["explain", "--json", "certificate-expired"]));
    assert_eq!((one.len(), &one[0]["cause"], &one[0]["family"]), (1, &"certificate-expired".into(), &"certificate".into()));
    assert!(objects(&done(&["explain", "--json", "48"])).iter().any(|cause| cause["cause"] == "certificate-untrusted-ca"));
}

/// Times are times, and incidents and summary are tables of their own.
#[cfg(feature = "parquet")]
#[test]
fn parquet_holds_timestamps_and_three_tables() {
    use parquet::basic::{LogicalType, TimeUnit};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("night.parquet");
    let json = objects(&done(&["--json", "--no-trust", "--parquet", text(&file), text(&incident())]));
    for (name, kind) in [("night.parquet", "handshake"), ("night.incidents.parquet", "incident"), ("night.summary.parquet", "summary")] {
        let reader = SerializedFileReader::new(std::fs::File::open(dir.path().join(name)).unwrap()).unwrap();
        let rows = json.iter().filter(|line| line["kind"] == kind).count();
        assert_eq!(reader.metadata().file_metadata().num_rows(), i64::try_from(rows).unwrap(), "{name}");
        let columns = reader.metadata().file_metadata().schema_descr();
        let at = columns.columns().iter().find(|column| column.path().string() == "@timestamp").unwrap();
        assert_eq!(at.logical_type_ref(), Some(&LogicalType::timestamp(true, TimeUnit::NANOS)), "{name}");
        let order: Vec<&str> = columns.root_schema().get_fields().iter().map(|field| field.name()).collect();
        let line = json.iter().find(|line| line["kind"] == kind).unwrap();
        assert!(order.starts_with(&["schema", "kind", "@timestamp", "event", "observer"]) && line["event"].is_object(), "{order:?}");
    }
}
