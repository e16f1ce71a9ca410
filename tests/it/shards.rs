//! What is said of the shards of an archive, each read by itself, is what is said of the archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::condense::{Dice, SEEDS, archive, condense, corpus, read, without_merged};
use super::support::program::{done, objects, refused, text};
use super::support::recording::Recording;
use super::support::{fixtures, incident};

/// Directories for the shards and the side table.
fn places(root: &Path, of: u16) {
    for number in 1..=of {
        fs::create_dir(root.join(format!("{number}-of-{of}"))).unwrap();
    }
    fs::create_dir(root.join(format!("side-of-{of}"))).unwrap();
}

/// What one shard says, its summary last.
fn shard(root: &Path, number: u16, of: u16) -> Vec<Value> {
    let [own, side] = [format!("{number}-of-{of}"), format!("side-of-{of}")].map(|name| root.join(name));
    without_merged(&done(&["read", "--no-trust", "--json", text(&own), text(&side)]))
}

/// Adds numbers, of whatever they are counts.
fn add(sum: &mut Value, more: &Value) {
    match (sum, more) {
        (Value::Object(sum), Value::Object(more)) => {
            for (key, more) in more {
                match sum.get_mut(key) {
                    Some(sum) => add(sum, more),
                    None => drop(sum.insert(key.clone(), more.clone())),
                }
            }
        }
        (Value::Number(sum), Value::Number(more)) => *sum = (sum.as_u64().unwrap() + more.as_u64().unwrap()).into(),
        (Value::Null, _) => {}
        (sum, more) => assert_eq!(sum, more),
    }
}

/// By what it is, what the traffic of summaries comes to; without what is told only in sum.
fn traffic<'a>(summaries: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, [u64; 3]> {
    let mut all: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for row in summaries.into_iter().flat_map(|summary| summary["traffic"].as_array().unwrap()) {
        let sum = all.entry(format!("{} {} {}", row["protocol"], row["transport"], row["port"])).or_default();
        for (sum, key) in sum.iter_mut().zip(["packets", "bytes", "connections"]) {
            *sum += row[key].as_u64().unwrap_or_default();
        }
    }
    all.retain(|kind, _| !kind.contains("others") && !kind.ends_with("null"));
    all
}

/// What is counted in a summary, inputs by their names.
fn counts(summary: &Value) -> Value {
    let mut counts = Map::new();
    for key in ["frames", "bytes", "decoded", "skipped", "flows", "handshakes", "classes", "outcomes", "causes", "other_flows", "drops"] {
        counts.insert(key.to_owned(), summary[key].clone());
    }
    // Of the traffic only the most is told by what it is.
    for key in ["packets", "bytes", "connections"] {
        let rows = summary["traffic"].as_array().unwrap().iter();
        counts.insert(format!("traffic {key}"), rows.map(|row| row[key].as_u64().unwrap_or_default()).sum::<u64>().into());
    }
    let inputs = summary["inputs"].as_array().unwrap().iter().map(|input| {
        let counted = ["frames", "bytes"].map(|key| (key.to_owned(), input[key].clone()));
        (input["source"].as_str().unwrap().to_owned(), Value::Object(Map::from_iter(counted)))
    });
    counts.insert("inputs".to_owned(), Value::Object(inputs.collect()));
    Value::Object(counts)
}

/// Handshakes by their ids; those of the whole must each be in one shard.
fn by_id<'a>(lines: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, &'a Value> {
    let mut all = BTreeMap::new();
    for line in lines.into_iter().filter(|line| line["kind"] == "handshake") {
        assert!(all.insert(line["event_id"].to_string(), line).is_none(), "told twice: {line}");
    }
    all
}

/// The incidents of the shards' rows are those of the whole.
fn same_incidents(shards: &[Vec<Value>], whole: &[Value], seed: u64) {
    let rows = tempfile::tempdir().unwrap();
    for (number, shard) in shards.iter().enumerate() {
        let lines = shard.iter().fold(String::new(), |all, line| all + &line.to_string() + "\n");
        fs::write(rows.path().join(format!("{number}.ndjson")), lines).unwrap();
    }
    let by_id = |lines: &[Value]| {
        let incidents = lines.iter().filter(|line| line["kind"] == "incident").cloned();
        incidents.map(|line| (line["id"].to_string(), line)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(by_id(&objects(&done(&["incidents", "--json", text(rows.path())]))), by_id(whole), "seed {seed}");
}

#[test]
fn whatever_the_cuts_shards_say_what_the_captures_say() {
    same_in_shards(&corpus());
}

/// Servers on ports above their clients', none of them known.
#[test]
fn servers_whose_ports_do_not_tell_them_are_known_in_one_shard() {
    let mut corpus = corpus();
    for frame in corpus.iter_mut().flat_map(|recording| &mut recording.frames) {
        let plain = frame.bytes.get(12..15) == Some(&[8, 0, 0x45]) && matches!(frame.bytes.get(23), Some(6 | 17));
        let whole = frame.bytes.get(20..22).is_some_and(|offset| u16::from_be_bytes([offset[0], offset[1]]).trailing_zeros() >= 14);
        for at in [34, 36].into_iter().filter(|_| plain && whole) {
            let Some(port) = frame.bytes.get_mut(at..at + 2) else { continue };
            let number = u16::from_be_bytes([port[0], port[1]]);
            if number < 32768 {
                port.copy_from_slice(&(61_000 + number % 4_000).to_be_bytes());
            }
        }
    }
    same_in_shards(&corpus);
}

fn same_in_shards(corpus: &[Recording]) {
    let seeds = std::env::var("HANDSHARK_SEEDS").unwrap_or_else(|_| SEEDS.to_owned());
    for (seed, of) in seeds.split(' ').map(|seed| seed.parse().unwrap()).zip([2, 3, 5].into_iter().cycle()) {
        let mut dice = Dice(seed);
        let archive = archive(corpus, &mut dice);
        let condensates = tempfile::tempdir().unwrap();
        places(condensates.path(), of);
        condense(&archive, condensates.path(), Some(of), &mut dice);
        let whole = without_merged(&read(archive.root.path(), &["--json"]));
        let shards: Vec<Vec<Value>> = (1..=of).map(|number| shard(condensates.path(), number, of)).collect();
        let (told, among) = (by_id(shards.iter().flatten()), by_id(&whole));
        let missing: Vec<_> = among.keys().filter(|id| !told.contains_key(*id)).collect();
        let more: Vec<_> = told.keys().filter(|id| !among.contains_key(*id)).collect();
        assert_eq!((missing, more), (vec![], vec![]), "seed {seed}, {of} shards");
        for (id, line) in &among {
            assert_eq!(line, &told[id], "seed {seed}, {of} shards");
        }
        let mut sum = counts(shards[0].last().unwrap());
        for shard in &shards[1..] {
            add(&mut sum, &counts(shard.last().unwrap()));
        }
        assert_eq!(sum, counts(whole.last().unwrap()), "seed {seed}, {of} shards");
        let summaries = shards.iter().map(|shard| shard.last().unwrap());
        let (sums, told) = (traffic(summaries.clone()), traffic(whole.last()));
        assert!(told.len() > 5);
        for (kind, sum) in told {
            assert_eq!(sums.get(&kind), Some(&sum), "{kind}, seed {seed}, {of} shards");
        }
        assert!(summaries.into_iter().all(|summary| !summary["notes"].to_string().contains("other shards")), "seed {seed}");
        same_incidents(&shards, &whole, seed);
        // All shards at once are the whole.
        let paths: Vec<_> = (1..=of).map(|number| condensates.path().join(format!("{number}-of-{of}"))).collect();
        let paths: Vec<&str> = paths.iter().map(|path| text(path)).collect();
        let joined = without_merged(&done(&[&["read", "--no-trust", "--json"], &paths[..]].concat()));
        assert_eq!(joined, whole, "seed {seed}, {of} shards");
    }
}

/// A window of these captures, divided into three.
fn divided(root: &Path, captures: &Path) {
    places(root, 3);
    let output = format!("{}/{{shard}}/w.pcapng.zst", text(root));
    done(&["condense", text(captures), "--shards", "3", "-o", &output]);
}

#[test]
fn a_shard_without_what_crosses_shards_is_refused() {
    let root = tempfile::tempdir().unwrap();
    divided(root.path(), &incident());
    let place = |name: &str| root.path().join(name);
    let [one, two, side] = ["1-of-3", "2-of-3", "side-of-3"].map(place);
    assert!(refused(&["read", text(&one)]).contains("side table of shard 1 is missing"));
    assert!(refused(&["read", text(&side)]).contains("read a shard with it"));
    assert!(refused(&["read", text(&one), text(&two), text(&side)]).contains("2 of 3 shards"));
    // Another window's side table is none of this one's.
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    places(&other, 3);
    let output = format!("{}/{{shard}}/w.pcapng.zst", text(&other));
    done(&["condense", text(&incident()), "--shards", "3", "--until", "2026-11-21T09:01:00Z", "-o", &output]);
    assert!(refused(&["read", text(&one), text(&other.join("side-of-3"))]).contains("lacks one of its windows"));
    assert!(refused(&["condense", text(&incident()), "--shards", "3", "-o", text(&root.path().join("x"))]).contains("write {shard} in it"));
    assert!(refused(&["condense", text(&incident()), "-o", text(&root.path().join("{shard}"))]).contains("none without --shards"));
    let whole = root.path().join("whole.pcapng");
    done(&["condense", text(&incident()), "-o", text(&whole)]);
    assert!(refused(&["read", text(&one), text(&side), text(&whole)]).contains("not divided as"));
}

/// Peers behind a relay, whose packets are in the relay's shard: told there, as no other has them, and counted as such.
#[test]
fn what_a_relay_carries_is_told_once() {
    let relayed = fixtures().join("captures/dtls/turn-two-peers.pcap");
    let root = tempfile::tempdir().unwrap();
    let output = format!("{}/{{shard}}/w.pcapng", text(root.path()));
    done(&["condense", text(&relayed), "--shards", "5", "-o", &output]);
    let whole = without_merged(&done(&["read", "--no-trust", "--json", text(&relayed)]));
    let shards: Vec<Vec<Value>> = (1..=5).map(|number| shard(root.path(), number, 5)).collect();
    assert_eq!(by_id(&whole).len(), 2);
    assert_eq!(by_id(shards.iter().flatten()), by_id(&whole));
}

/// A site with one sensor and three servers in more shards than that: some are empty, and all together are the whole. A window that is condensed once
/// more, behind all others, gives the same bytes.
#[test]
fn empty_shards_one_sensor_and_a_window_done_late_say_the_same() {
    let root = tempfile::tempdir().unwrap();
    let captures = root.path().join("archive/site=lab/sensor=only");
    fs::create_dir_all(&captures).unwrap();
    fs::copy(incident(), captures.join("night.pcapng.zst")).unwrap();
    let place = root.path().join("condensed");
    let window = |number: usize| {
        let [since, until] = [("--since", WINDOWS[number]), ("--until", WINDOWS[number + 1])];
        let output = format!("{}/{{shard}}/{number}.pcapng.zst", text(&place));
        let mut arguments = vec!["condense", text(&captures), "--shards", "16", "--force", "-o", &output];
        arguments.extend([since, until].iter().filter(|(_, time)| !time.is_empty()).flat_map(|(option, time)| [*option, *time]));
        done(&arguments);
    };
    (0..WINDOWS.len() - 1).for_each(window);
    let bytes = || {
        let mut all = BTreeMap::new();
        for name in fs::read_dir(&place).unwrap().flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap()) {
            let path = name.unwrap().path();
            all.insert(path.clone(), fs::read(path).unwrap());
        }
        all
    };
    let before = bytes();
    assert_eq!(before.len(), 17 * (WINDOWS.len() - 1));
    let whole = without_merged(&done(&["read", "--no-trust", "--json", text(&root.path().join("archive"))]));
    let shards: Vec<Vec<Value>> = (1..=16).map(|number| shard(&place, number, 16)).collect();
    let handshakes = |lines: &[Value]| lines.iter().filter(|line| line["kind"] == "handshake").count();
    assert!(shards.iter().filter(|shard| handshakes(shard) == 0).count() >= 8, "most are empty");
    assert!(shards.iter().filter(|shard| handshakes(shard) > 0).count() >= 2);
    assert_eq!(by_id(shards.iter().flatten()), by_id(&whole));
    same_incidents(&shards, &whole, 0);
    window(1);
    assert!(bytes() == before);
    // Without one of its windows a shard is refused, as without the side table's; and so is one of which a part is missing.
    let lost = place.join("side-of-16/1.pcapng.zst");
    let paths = [place.join("1-of-16"), place.join("side-of-16")];
    let arguments = ["read", "--json", text(&paths[0]), text(&paths[1])];
    fs::remove_file(&lost).unwrap();
    assert!(refused(&arguments).contains("lacks one of its windows"));
    fs::write(&lost, &before[&lost][..before[&lost].len() / 2]).unwrap();
    let told = refused(&arguments);
    assert!(told.contains("side-of-16/1.pcapng.zst") && told.contains("condense its window again"), "{told}");
}

/// Moments between windows, in and out of the incident; the first and the last have no bound.
const WINDOWS: [&str; 5] = ["", "2026-11-21T09:02:00Z", "2026-11-21T09:05:00Z", "2026-11-21T09:09:00Z", ""];
