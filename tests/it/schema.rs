//! docs/SCHEMA.md and the types of the report say the same.

use std::collections::BTreeSet;

use handshark::report::{Report, SCHEMA};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/SCHEMA.md");
const TYPES: &str = include_str!("../../src/report/mod.rs");

fn examples() -> Vec<Value> {
    DOCUMENT.split("```json\n").skip(1).map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap()).collect()
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
fn the_examples_are_reports_and_hold_nothing_else() {
    let kinds: Vec<_> = examples().iter().map(|example| example["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["handshake", "handshake", "incident", "summary"]);
    for example in examples() {
        assert_eq!(example["schema"], SCHEMA);
        let report: Report = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(report).unwrap(), example);
    }
}

#[test]
fn every_field_is_in_an_example_and_in_the_text() {
    let mut shown = BTreeSet::new();
    for example in &examples() {
        keys(example, &mut shown);
    }
    let lines: Vec<&str> = TYPES.lines().collect();
    // A field that is flattened into its object, or left out of it, is no field of the schema.
    let hidden = |line: &str| line.contains("#[serde(flatten)]") || line.contains("#[serde(skip)]");
    let fields: BTreeSet<&str> = std::iter::once(&"")
        .chain(&lines)
        .zip(&lines)
        .filter(|(before, _)| !hidden(before))
        .map(|(_, line)| *line)
        .filter_map(|line| line.strip_prefix("    pub "))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    assert!(fields.len() > 80, "{fields:?}");
    for field in fields {
        assert!(shown.contains(field), "no example shows {field}");
        let described = [format!("`{field}`"), format!(".{field}`"), format!("`{field}."), format!("### `{field}`")];
        assert!(described.iter().any(|form| DOCUMENT.contains(form.as_str())), "{field} is not described");
    }
}
