//! Sites keep equal addresses apart; two taps of one site see the same hosts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::program::{done, handshakes, objects, refused, text};
use super::support::{fixtures, incident};

/// Puts a capture under a directory of an archive.
fn place(root: &Path, directory: &str, capture: &Path) {
    let directory = root.join(directory);
    fs::create_dir_all(&directory).unwrap();
    fs::copy(capture, directory.join(capture.file_name().unwrap())).unwrap();
}

/// What says nothing of where it was read.
fn said(mut report: Value) -> Value {
    fn strip(value: &mut Value) {
        const PLACES: [&str; 9] = ["capture", "event", "observer", "frame", "frames", "source", "sources", "merged_frame", "merged_frames"];
        match value {
            Value::Object(members) => {
                members.retain(|key, _| !PLACES.contains(&key.as_str()));
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut report);
    report["handshake"]["id"] = Value::Null;
    report["event_id"] = Value::Null;
    report
}

fn read(path: &Path, more: &[&str]) -> String {
    done(&[&["read", "--json", "--no-trust", text(path)], more].concat())
}

fn incidents(json: &str) -> Vec<Value> {
    objects(json).into_iter().filter(|line| line["kind"] == "incident").collect()
}

#[test]
fn two_sites_share_nothing_and_two_taps_of_a_site_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let alone = read(&incident(), &[]);
    let one = handshakes(&alone);
    for site in ["berlin", "oslo"] {
        place(dir.path(), &format!("apart/site={site}/sensor=core"), &incident());
    }
    for sensor in ["east", "west"] {
        place(dir.path(), &format!("together/site=berlin/sensor={sensor}"), &incident());
    }
    // Packet by packet in turn, with equal addresses and ports.
    let apart = read(&dir.path().join("apart"), &[]);
    let both = handshakes(&apart);
    assert_eq!(both.len(), 2 * one.len());
    let mut expected: Vec<String> = one.iter().chain(&one).map(|report| said(report.clone()).to_string()).collect();
    let mut found: Vec<String> = both.iter().map(|report| said(report.clone()).to_string()).collect();
    expected.sort();
    found.sort();
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found);
    }
    let mut ids: Vec<&Value> = both.iter().map(|report| &report["handshake"]["id"]).collect();
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    assert_eq!(ids.len(), both.len(), "each site has its own");
    assert_eq!(incidents(&apart).len(), 2 * incidents(&alone).len());
    let together = read(&dir.path().join("together"), &[]);
    assert_eq!(handshakes(&together).len(), one.len());
    assert_eq!(incidents(&together).len(), incidents(&alone).len());
}

#[test]
fn the_other_tap_of_a_site_proves_what_one_suspects() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = fixtures().join("pairs");
    let (client, server): (PathBuf, PathBuf) = (pairs.join("mtu-ignored.pcap"), pairs.join("mtu-ignored.srv.pcap"));
    for (archive, [one, other]) in [("one", ["hamburg", "hamburg"]), ("two", ["hamburg", "lyon"])] {
        place(dir.path(), &format!("{archive}/site={one}/sensor=client"), &client);
        place(dir.path(), &format!("{archive}/site={other}/sensor=server"), &server);
    }
    let causes = |archive: &str| -> Vec<String> {
        let all = handshakes(&read(&dir.path().join(archive), &[]));
        all.iter().filter_map(|report| Some(report["diagnosis"]["cause"].as_str()?.to_owned())).collect()
    };
    assert_eq!(causes("one"), ["path-mtu-icmp-ignored"]);
    let apart = causes("two");
    assert!(apart.contains(&"path-mtu-black-hole".to_owned()), "{apart:?}");
    // What is said on the command line counts more than the directories.
    let named = handshakes(&read(&dir.path().join("two"), &["--site", "hamburg"]));
    assert_eq!(named.iter().filter(|report| report["diagnosis"]["cause"] == "path-mtu-icmp-ignored").count(), 1);
}

#[test]
fn an_inventory_keeps_sites_apart_whatever_it_is_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let capture = fixtures().join("captures/cert/cert_expired_tls12_java.pcap");
    for site in ["berlin", "oslo"] {
        place(dir.path(), &format!("captures/site={site}"), &capture);
    }
    let captures = dir.path().join("captures");
    let rows = dir.path().join("rows.ndjson");
    fs::write(&rows, read(&captures, &[])).unwrap();
    let stock = |arguments: &[&str]| objects(&done(&[&["inventory", "--json", "--no-trust"], arguments].concat())).remove(0);
    let hidden = ["--anonymize", "correct horse battery staple", text(&captures)];
    for (what, stock) in [("captures", stock(&[text(&captures)])), ("rows", stock(&[text(&rows)])), ("anonymous", stock(&hidden))] {
        for side in ["servers", "clients"] {
            let entries = stock[side].as_array().unwrap();
            assert_eq!(entries.len(), 2, "{what}: {side}: {entries:?}");
            assert_eq!(entries[0]["address"], entries[1]["address"], "{what}");
            let sites = [&entries[0]["site"], &entries[1]["site"]];
            assert!(sites.iter().all(|site| site.is_string()) && sites[0] != sites[1], "{what}: {sites:?}");
        }
        assert_eq!(stock["certificates"][0]["servers"].as_array().unwrap().len(), 1, "{what}: a name is told once");
    }
}

#[test]
fn names_that_cannot_be_directories_are_refused() {
    let capture = incident();
    for (option, name, why) in [("--site", "a/b", "'/'"), ("--sensor", "a=b", "'='"), ("--site", " ", "berlin")] {
        let said = refused(&["read", text(&capture), option, name]);
        assert!(said.contains(why), "{said}");
    }
}
