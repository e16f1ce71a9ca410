//! docs/schema.json is what the program says its reports are; reports, and docs/SCHEMA.md, are as it says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use handshark::inventory::INVENTORY;
use handshark::output::schema::{CERTS, DIFF, EXPECT, EXPLAIN, MATCH, REPRODUCTION};
use handshark::report::schema::{Field, HANDSHAKE, HEARTBEAT, INCIDENT, Kind, SENSOR, SUMMARY, TALLY};
use handshark::report::{SCHEMA, StepKind};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::support::program::{done, handshark, objects, text};
use crate::support::{analyse, analyse_in_full, capture_of, fixtures, incident, labelled};

const DOCUMENT: &str = include_str!("../../docs/SCHEMA.md");

/// The JSON Schema (<https://json-schema.org>, 2020-12) of an object with these fields. `strict`: and no others; a later version may have more.
fn object(fields: &[Field], strict: bool) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), value(field.kind, strict))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.always).map(|field| field.name).collect();
    let mut out = json!({"type": "object", "properties": properties});
    if strict {
        out["additionalProperties"] = json!(false);
    }
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

fn value(kind: Kind, strict: bool) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Word(words) => match words().as_slice() {
            [word] => json!({"const": word}),
            words => json!({"enum": words}),
        },
        Kind::Time => json!({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$"}),
        Kind::Integer => json!({"type": "integer", "minimum": 0}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Object(fields) => object(fields, strict),
        Kind::Counts => json!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}),
        Kind::List(item) => json!({"type": "array", "items": value(*item, strict)}),
    }
}

fn schema() -> Value {
    let kinds = [HANDSHAKE, INCIDENT, TALLY, HEARTBEAT, SENSOR, SUMMARY, INVENTORY, CERTS, MATCH, DIFF, EXPLAIN, EXPECT, REPRODUCTION]
        .map(|fields| object(fields, false));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "description": "A line of `handshark --json`, or what inventory, match, diff, explain, expect and reproduce write with --json, or index.json of certs. Made by the program's tests from its own description; docs/SCHEMA.md says what the fields mean.",
        "oneOf": kinds,
    })
}

fn examples() -> Vec<Value> {
    DOCUMENT.split("```json\n").skip(1).map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap()).collect()
}

fn of_kind(name: &str) -> Validator {
    let fields = match name {
        "handshake" => HANDSHAKE,
        "incident" => INCIDENT,
        "tally" => TALLY,
        "heartbeat" => HEARTBEAT,
        "sensor" => SENSOR,
        "summary" => SUMMARY,
        "inventory" => INVENTORY,
        other => panic!("{other} is no kind"),
    };
    jsonschema::validator_for(&object(fields, true)).unwrap()
}

/// What is wrong with a line.
fn faults(validator: &Validator, line: &Value) -> Vec<String> {
    validator.iter_errors(line).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// `BLESS=1 cargo test --test it schema` writes the file.
#[test]
fn the_file_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "BLESS=1 cargo test --test it schema");
}

#[test]
fn what_is_said_of_every_capture_is_as_the_schema_says() {
    let validators = ["handshake", "incident", "summary"].map(of_kind);
    let [handshake, incident, summary] = &validators;
    let captures: Vec<PathBuf> = labelled().iter().map(|(sidecar, label)| capture_of(sidecar, label)).collect();
    assert!(captures.len() > 300);
    let mut told: BTreeSet<String> = BTreeSet::new();
    for (number, paths) in captures.chunks(40).enumerate() {
        let said = if number == 0 { analyse_in_full(paths) } else { analyse(paths, 1) };
        for line in &said.lines {
            let kind = ["\"kind\":\"incident\"", "\"kind\":\"summary\""].iter().position(|kind| line.contains(kind));
            let validator = match kind {
                None => handshake,
                Some(0) => incident,
                Some(_) => summary,
            };
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(faults(validator, &value), [""; 0], "{line}");
            keys(&value, &mut told);
        }
    }
    // The schema promises nothing that no capture shows, but for what only a live run tells, a damaged or narrowed one, or one without a handshake.
    let promised: BTreeSet<String> = [HANDSHAKE, INCIDENT, SUMMARY].into_iter().flat_map(names).collect();
    let rare = [
        "owner",
        "owners",
        "side",
        "process",
        "pid",
        "executable",
        "sharers",
        "user",
        "container",
        "image",
        "runtime",
        "orchestrator",
        "namespace",
        "resource",
        "systemd",
        "unit",
        "site",
        "sensor",
        "sensors",
        "state",
        "last_source",
        "left_out",
        "unread",
        "unjudged",
        "sha256",
        "unverified",
        "damage",
        "opaque",
    ];
    let missing: Vec<&String> = promised.difference(&told).filter(|name| !rare.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Of all captures together, and of the incident's alone: one has what the other lacks.
#[test]
fn inventories_are_as_the_schema_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
    let validator = of_kind("inventory");
    let mut told = BTreeSet::new();
    for path in [folder.join("incident"), folder.join("version"), folder.join("dtls"), folder.join("client-cert"), folder.join("success")] {
        let written = done(&["inventory", "--json", "--no-trust", "--no-progress", path.to_str().unwrap()]);
        let value: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(faults(&validator, &value), [""; 0], "{written}");
        keys(&value, &mut told);
    }
    let missing: Vec<String> = names(INVENTORY).into_iter().filter(|name| name != "site" && !told.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What other commands write is as the schema says, and shows every field that it promises but for those that are `rare`.
fn are_as_promised(fields: &'static [Field], said: &[Value], rare: &[&str]) {
    let validator = jsonschema::validator_for(&object(fields, true)).unwrap();
    let mut told = BTreeSet::new();
    assert!(!said.is_empty());
    for value in said {
        assert_eq!(faults(&validator, value), [""; 0], "{value}");
        keys(value, &mut told);
    }
    let missing: Vec<String> = names(fields).into_iter().filter(|name| !rare.contains(&name.as_str()) && !told.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn matches_are_as_the_schema_says() {
    let pairs = fixtures().join("pairs");
    let mut said = Vec::new();
    for server in std::fs::read_dir(&pairs).unwrap().map(|entry| entry.unwrap().path()) {
        let Some(name) = text(&server).strip_suffix(".srv.pcap") else { continue };
        said.extend(objects(&done(&["match", "--json", "--no-trust", &format!("{name}.pcap"), text(&server)])));
    }
    // Where a point was captured in several files, these are named.
    let several = |point: &str| {
        let folder = tempfile::tempdir().unwrap();
        for name in [point, "proxy.pcap"] {
            std::fs::copy(pairs.join(name), folder.path().join(name)).unwrap();
        }
        folder
    };
    let (client, server) = (several("loss-both-ways.pcap"), several("loss-both-ways.srv.pcap"));
    said.extend(objects(&done(&["match", "--json", "--no-trust", text(client.path()), text(server.path())])));
    are_as_promised(MATCH, &said, &[]);
}

#[test]
fn differences_are_as_the_schema_says() {
    let captures = fixtures().join("captures");
    let compared = |a: &Path, b: &Path| objects(&done(&["diff", "--json", "--no-trust", text(a), text(b)]));
    let said = [compared(&captures.join("success"), &incident()), compared(&incident(), &captures.join("cert"))].concat();
    are_as_promised(DIFF, &said, &[]);
}

#[test]
fn certificates_are_as_the_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("certificates");
    let captures = fixtures().join("captures");
    done(&["certs", text(&captures.join("cert")), text(&captures.join("client-cert")), text(&captures.join("malformed")), "-o", text(&to)]);
    let index = std::fs::read_to_string(to.join("index.json")).unwrap();
    are_as_promised(CERTS, &[serde_json::from_str(&index).unwrap()], &["malformed"]);
}

#[test]
fn pages_are_as_the_schema_says() {
    are_as_promised(EXPLAIN, &objects(&done(&["explain", "--json"])), &[]);
}

#[test]
fn what_is_expected_is_told_as_the_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let learnt = folder.path().join("expected.toml");
    std::fs::write(&learnt, done(&["expect", "--no-trust", "--learn", text(&fixtures().join("captures/success"))])).unwrap();
    let said = handshark().args(["expect", "--json", "--no-trust", text(&learnt), text(&incident())]).output().unwrap();
    are_as_promised(EXPECT, &objects(&String::from_utf8(said.stdout).unwrap()), &[]);
}

#[test]
fn reproductions_are_as_the_schema_says() {
    let captures = fixtures().join("captures");
    let mut said = Vec::new();
    for folder in ["version", "cert", "path", "starttls"] {
        for capture in std::fs::read_dir(captures.join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            if capture.extension().is_some_and(|extension| extension == "pcap") {
                said.extend(objects(
                    &String::from_utf8(handshark().args(["reproduce", "--json", "--no-trust", text(&capture)]).output().unwrap().stdout)
                        .unwrap(),
                ));
            }
        }
    }
    are_as_promised(REPRODUCTION, &said, &[]);
}

#[test]
fn what_the_schema_forbids_is_refused() {
    let mut example = examples().remove(0);
    let validator = of_kind("handshake");
    assert_eq!(faults(&validator, &example), [""; 0]);
    example["handshake"]["outcome"] = json!("exploded");
    example["surprise"] = json!(1);
    example["diagnosis"].as_object_mut().unwrap().remove("stopped_by");
    assert_eq!(faults(&validator, &example).len(), 3);
}

/// Names of fields, at every depth.
fn names(fields: &[Field]) -> Vec<String> {
    let inner = |field: &Field| match field.kind {
        Kind::Object(fields) => names(fields),
        Kind::List(Kind::Object(fields)) => names(fields),
        _ => Vec::new(),
    };
    fields.iter().flat_map(|field| std::iter::once(field.name.to_owned()).chain(inner(field))).collect()
}

fn keys(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            out.insert(key.clone());
            keys(value, out);
        }),
        Value::Array(list) => list.iter().for_each(|value| keys(value, out)),
        _ => {}
    }
}

#[test]
fn the_documents_examples_are_reports() {
    let kinds: Vec<_> = examples().iter().map(|example| example["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["handshake", "handshake", "incident", "tally", "heartbeat", "sensor", "summary", "inventory"]);
    for example in examples() {
        assert_eq!(faults(&of_kind(example["kind"].as_str().unwrap()), &example), [""; 0], "{example}");
    }
}

#[test]
fn every_field_is_in_an_example_and_in_the_text() {
    let mut shown = BTreeSet::new();
    for example in &examples() {
        keys(example, &mut shown);
    }
    let fields: BTreeSet<String> = [HANDSHAKE, INCIDENT, SUMMARY, INVENTORY].into_iter().flat_map(names).collect();
    assert!(fields.len() > 80, "{fields:?}");
    for field in fields {
        assert!(shown.contains(&field), "no example shows {field}");
        let described = [format!("`{field}`"), format!(".{field}`"), format!("`{field}."), format!("### `{field}`")];
        assert!(described.iter().any(|form| DOCUMENT.contains(form.as_str())), "{field} is not described");
    }
}

#[test]
fn every_kind_of_step_is_in_the_text() {
    for kind in StepKind::ALL {
        assert!(DOCUMENT.contains(&format!("`{}`", kind.name())), "{kind:?} is not described");
    }
}
