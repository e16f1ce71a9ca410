//! With several files every frame is told by its file and its number there, in every output.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use handshark::time::Timestamp;
use serde_json::Value;

use crate::support::fixtures;
use crate::support::program::{done, handshakes, text};

const ONE: &str = "cert/cert_expired_tls12_java.pcap";
const OTHER: &str = "cert/cert_wronghost_tls13_curl.pcap";

/// The header of a pcap file in little-endian order, and its records.
fn records(path: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.starts_with(&0xa1b2_c3d4_u32.to_le_bytes()) || bytes.starts_with(&0xa1b2_3c4d_u32.to_le_bytes()), "{}", path.display());
    let (header, mut rest) = bytes.split_at(24);
    let mut all = Vec::new();
    while let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *rest {
        let (record, behind) = rest.split_at(16 + u32::from_le_bytes([a, b, c, d]) as usize);
        all.push(record.to_vec());
        rest = behind;
    }
    (header.to_vec(), all)
}

/// The times of a file's frames, by their numbers.
fn times(path: &Path) -> BTreeMap<u64, String> {
    let (header, all) = records(path);
    let unit = if header[0] == 0x4d { 1 } else { 1_000 };
    let word = |record: &[u8], at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
    let time = |record: &Vec<u8>| Timestamp::from_parts(word(record, 0).into(), word(record, 4) * unit).to_string();
    (1..).zip(all.iter().map(time)).collect()
}

/// Two files that hold the frames of one capture in turns, and a third with another capture.
fn files(dir: &Path) -> Vec<PathBuf> {
    let (header, all) = records(&fixtures().join("captures").join(ONE));
    let mut paths = Vec::new();
    for (turn, name) in ["a.pcap", "b.pcap"].into_iter().enumerate() {
        let mut file = header.clone();
        // Two frames each, so that a turn is longer than a frame.
        all.iter().enumerate().filter(|(place, _)| place / 2 % 2 == turn).for_each(|(_, record)| file.extend(record));
        paths.push(dir.join(name));
        fs::write(&paths[turn], file).unwrap();
    }
    paths.push(dir.join("c.pcap"));
    fs::copy(fixtures().join("captures").join(OTHER), &paths[2]).unwrap();
    paths
}

fn run(options: &[&str], paths: &[PathBuf]) -> String {
    done(&options.iter().copied().chain(paths.iter().map(|path| text(path))).collect::<Vec<_>>())
}

/// Every object with a frame and a time, at every depth.
fn framed<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            if object.contains_key("frame") && object.contains_key("time") {
                found.push(value);
            }
            object.values().for_each(|value| framed(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| framed(value, found)),
        _ => {}
    }
}

#[test]
fn a_frame_is_found_in_the_file_that_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let paths = files(dir.path());
    let known: BTreeMap<String, BTreeMap<u64, String>> = paths.iter().map(|path| (text(path).to_owned(), times(path))).collect();
    for threads in ["1", "3"] {
        let lines = handshakes(&run(&["--json", "--no-trust", "--threads", threads], &paths));
        assert_eq!(lines.len(), 2);
        let mut sources = Vec::new();
        for line in &lines {
            let mut found = Vec::new();
            framed(line, &mut found);
            assert!(!found.is_empty());
            for piece in found {
                let source = piece["source"].as_str().unwrap();
                sources.push(source.rsplit('/').next().unwrap().to_owned());
                assert_eq!(known[source][&piece["frame"].as_u64().unwrap()], piece["time"].as_str().unwrap(), "{piece}");
                assert!(piece["merged_frame"].as_u64().unwrap() >= piece["frame"].as_u64().unwrap());
            }
            let capture = &line["capture"];
            let of = |source: &Value, frame: &str| known[source.as_str().unwrap()][&capture[frame].as_u64().unwrap()].clone();
            assert_eq!(of(&capture["source"], "first_frame"), line["handshake"]["start"].as_str().unwrap());
            let last = if capture["last_source"].is_null() { &capture["source"] } else { &capture["last_source"] };
            assert!(of(last, "last_frame").as_str() >= line["handshake"]["end"].as_str().unwrap());
        }
        sources.sort();
        sources.dedup();
        assert_eq!(sources, ["a.pcap", "b.pcap", "c.pcap"]);
    }
}

#[test]
fn every_output_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let paths = files(dir.path());
    let lines = handshakes(&run(&["--json", "--no-trust"], &paths));
    let line = lines.iter().find(|line| line["diagnosis"]["cause"] == "certificate-expired").unwrap();
    let piece = line["diagnosis"]["evidence"].as_array().unwrap().iter().rfind(|piece| piece["frame"].is_u64()).unwrap();
    let file = Path::new(piece["source"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
    let place = format!("{file} frame {}", piece["frame"]);
    let id = line["handshake"]["id"].as_str().unwrap();
    let page = dir.path().join("page.html");
    let last = [paths.clone(), vec![id.into()]].concat();
    run(&["report", "--no-trust", "-o", text(&page)], &paths);
    for shown in [
        run(&["read", "--no-trust", "--all"], &paths),
        run(&["read", "--no-trust", "--format", "md"], &paths),
        run(&["show", "--no-trust"], &last),
        fs::read_to_string(&page).unwrap(),
    ] {
        let shown = shown.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains(&place), "{place}\n{shown}");
    }
    let csv = run(&["read", "--no-trust", "--format", "csv"], &paths);
    let row = csv.lines().find(|row| row.contains(id)).unwrap();
    assert!(row.contains(&format!("{},{},", line["capture"]["first_frame"], line["capture"]["last_frame"])), "{row}");
    // Names are hidden where they are to be.
    let hidden = run(&["--json", "--no-trust", "--anonymize", "a passphrase that nobody guesses"], &paths);
    assert!(!hidden.contains("a.pcap") && hidden.contains("merged_frame"), "{hidden}");
}

#[test]
fn of_one_file_no_frame_names_it() {
    let path = fixtures().join("captures").join(ONE);
    let json = run(&["--json", "--no-trust"], &[path]);
    assert!(json.contains("\"frame\":") && !json.contains("merged_frame") && !json.contains("last_source"), "{json}");
    let line = &handshakes(&json)[0];
    assert!(line["diagnosis"]["evidence"].as_array().unwrap().iter().all(|piece| piece["source"].is_null()));
}
