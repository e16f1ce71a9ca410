//! Captures made to hurt whoever reads them: numbers that overflow when they are added, clocks at the ends of time.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::fixtures;
use crate::support::program::{done, objects, text};

fn hostile(name: &str) -> PathBuf {
    fixtures().join("hostile").join(name)
}

/// What the interfaces dropped in all, by the summary, and its notes.
fn drops(json: &str) -> (u64, Vec<String>) {
    let summary = objects(json).pop().unwrap();
    assert_eq!(summary["kind"], "summary");
    let notes = summary["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned()).collect();
    (summary["drops"].as_u64().unwrap(), notes)
}

/// Two interfaces claim to have dropped 2^63 and more packets each; of the codes 5 and 7 are drops.
#[test]
fn drop_counters_add_up_to_the_largest_number_and_no_further() {
    for (name, expected, handshakes) in [
        ("drops-min", u64::MAX, 0),
        ("drops-5", u64::MAX, 1),
        ("drops-7", u64::MAX, 1),
        ("drops-4", 0, 1),
        ("drops-6", 0, 1),
        ("drops-8", 0, 1),
    ] {
        let path = hostile(&format!("{name}.pcapng"));
        let json = done(&["read", "--json", "--no-trust", text(&path)]);
        let (dropped, notes) = drops(&json);
        assert_eq!(dropped, expected, "{name}");
        assert_eq!(notes.iter().any(|note| note.contains("dropped during the capture")), expected > 0, "{name}: {notes:?}");
        assert_eq!(objects(&json).iter().filter(|line| line["kind"] == "handshake").count(), handshakes, "{name}");
    }
}

#[test]
fn drop_counters_of_two_files_do_so_as_well() {
    let [one, other] = ["drops-one-a.pcapng", "drops-one-b.pcapng"].map(hostile);
    let json = done(&["read", "--json", "--no-trust", text(&one), text(&other)]);
    assert_eq!(drops(&json).0, u64::MAX);
}

#[test]
fn no_subcommand_minds_large_counters() {
    let path = hostile("drops-7.pcapng");
    let dir = tempfile::tempdir().unwrap();
    let out = |name: &str| text(&dir.path().join(name)).to_owned();
    for words in [
        vec!["show", "-n", "1", "--no-trust", text(&path)],
        vec!["report", "--format", "md", "--no-trust", text(&path)],
        vec!["slice", text(&path), "-o", &out("slice.pcapng")],
        vec!["diff", "--no-trust", text(&path), text(&path)],
        vec!["match", "--no-trust", text(&path), &out("slice.pcapng")],
    ] {
        done(&words);
    }
    // What a slice says of its interfaces is read again.
    assert_eq!(drops(&done(&["read", "--json", "--no-trust", &out("slice.pcapng")])).0, u64::MAX);
}

/// One failure twice, in 2262 and at the earliest moment that 64-bit nanoseconds can tell: the difference of their clocks is no such number.
#[test]
fn clocks_at_both_ends_of_time_are_matched() {
    let [late, early] = ["match-late.pcapng", "match-early.pcapng"].map(hostile);
    for (client, server) in [(&late, &early), (&early, &late)] {
        let joined: Vec<Value> = objects(&done(&["match", "--json", "--no-trust", text(client), text(server)]));
        assert_eq!(joined.len(), 1);
        for half in ["client", "server"] {
            assert!(joined[0][half].is_object(), "both ends are told: {joined:?}");
        }
        done(&["match", "--all", "--no-trust", text(client), text(server)]);
        done(&["read", "--json", "--no-trust", text(client), text(server)]);
    }
}
