//! Condensates say what the captures say that they were made of, however those were cut.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::assert::OutputAssertExt as _;
use serde_json::Value;

use super::support::program::{done, handshark, objects, refused, text, tshark};
use super::support::recording::Recording;
use super::support::{fixtures, incident};

/// What is put into archives: TCP and QUIC, tunnels and tags, fragments, a flood, a stall, a handshake of more than 128 KiB, clear text that goes on.
const CORPUS: [&str; 13] = [
    "success/ok_tls12_ecdsa_gnutls.pcap",
    "load/load-syn-flood.pcap",
    "load/load-server-stopped.pcap",
    "encapsulation/*",
    "quic/*",
    "dtls/*",
    "stall/*",
    "starttls/*",
    "tcp/tcp-baseline-tls13.pcap",
    "path/*",
    "reset/*",
    "slow/*",
    "plaintext/*",
];

/// Captures on Ethernet, of each kind some.
pub(super) fn corpus() -> Vec<Recording> {
    let root = fixtures().join("captures");
    let mut found = Vec::new();
    for wanted in CORPUS {
        let paths: Vec<PathBuf> = match wanted.strip_suffix("/*") {
            None => vec![root.join(wanted)],
            Some(folder) => {
                let mut all: Vec<PathBuf> = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
                all.retain(|path| path.extension().is_some_and(|extension| extension == "pcap") && !text(path).contains(".srv."));
                all.sort();
                all.into_iter().take(3).collect()
            }
        };
        found.extend(paths.iter().map(|path| Recording::of(path)).filter(|recording| recording.link == 1 && !recording.frames.is_empty()));
    }
    found.push(long());
    // Of a conversation that was captured twice one is enough: two minutes behind the other it would begin with late packets of that.
    let mut known = BTreeSet::new();
    found.retain(|recording| {
        let begun: BTreeSet<Vec<u8>> = recording.frames.iter().filter_map(|frame| begin(&frame.bytes)).collect();
        let fresh = begun.is_disjoint(&known);
        known.extend(begun);
        fresh
    });
    found
}

/// Addresses, ports and sequence number of a SYN.
fn begin(frame: &[u8]) -> Option<Vec<u8>> {
    let syn = frame.get(12..15)? == [8, 0, 0x45] && *frame.get(23)? == 6 && *frame.get(47)? & 0x12 == 2;
    if syn { frame.get(26..42).map(<[u8]>::to_vec) } else { None }
}

/// A handshake whose certificate comes in so many copies of its segments that it is longer than a recorder keeps.
fn long() -> Recording {
    let mut recording = Recording::of(&fixtures().join("captures/cert/cert_expired_tls12_java.pcap"));
    let (place, largest) = recording.frames.iter().enumerate().max_by_key(|(_, frame)| frame.bytes.len()).unwrap();
    let copy = largest.clone();
    let copies = 160 * 1024 / copy.bytes.len();
    for number in 0..copies {
        let mut again = copy.clone();
        again.time += number as i64 * 1000;
        recording.frames.insert(place + 1 + number, again);
    }
    let after = recording.frames[place + copies].time;
    for frame in &mut recording.frames[place + 1 + copies..] {
        frame.time = frame.time.max(after);
    }
    recording
}

/// An archive: by sensor, its directory and the times at which its files begin.
pub(super) struct Archive {
    pub(super) root: tempfile::TempDir,
    sensors: Vec<(String, Vec<(PathBuf, i64)>)>,
    span: (i64, i64),
}

/// Random numbers that are the same for the same seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        ((self.0 >> 33) as usize) % sides.max(1)
    }
}

/// Puts the recordings into two sites, at times that overlap, and cuts each sensor's frames into files anywhere.
pub(super) fn archive(corpus: &[Recording], dice: &mut Dice) -> Archive {
    let root = tempfile::tempdir().unwrap();
    let mut sensors = Vec::new();
    let base = 1_795_251_600_000_000_000;
    let mut span = (i64::MAX, i64::MIN);
    for site in ["berlin", "oslo"] {
        let mut frames = Vec::new();
        for recording in corpus {
            if dice.throw(3) == 0 {
                continue;
            }
            let start = base + dice.throw(240_000) as i64 * 1_000_000;
            let first = recording.frames[0].time;
            frames.extend(recording.frames.iter().cloned().map(|mut frame| {
                frame.time = start + (frame.time - first);
                frame
            }));
        }
        frames.sort_by_key(|frame| frame.time);
        let whole = Recording { link: 1, frames };
        let directory = format!("site={site}/sensor=core");
        fs::create_dir_all(root.path().join(&directory)).unwrap();
        let mut cuts: Vec<usize> = (0..3 + dice.throw(9)).map(|_| dice.throw(whole.frames.len())).chain([0, whole.frames.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut files = Vec::new();
        for (number, cut) in cuts.windows(2).enumerate() {
            let part = Recording { link: 1, frames: whole.frames[cut[0]..cut[1]].to_vec() };
            let path = root.path().join(&directory).join(format!("{number:04}.pcap"));
            fs::write(&path, part.pcap()).unwrap();
            span = (span.0.min(part.frames[0].time), span.1.max(part.frames.last().unwrap().time));
            files.push((path, part.frames[0].time));
        }
        sensors.push((directory, files));
    }
    Archive { root, sensors, span }
}

pub(super) fn moment(nanos: i64) -> String {
    handshark::time::Timestamp::from_nanos(nanos).to_string()
}

/// Condenses each sensor by windows that end anywhere, each into so many shards if there are to be any.
pub(super) fn condense(archive: &Archive, into: &Path, shards: Option<u16>, dice: &mut Dice) {
    let (first, last) = archive.span;
    for (number, (_, files)) in archive.sensors.iter().enumerate() {
        let mut ends: Vec<i64> = (0..=dice.throw(5)).map(|_| first + dice.throw(((last - first) / 1000) as usize) as i64 * 1000).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut since: Option<i64> = None;
        for (window, until) in ends.iter().map(|end| Some(*end)).chain([None]).enumerate() {
            let mut command = handshark();
            let place = if shards.is_some() { "{shard}/" } else { "" };
            command.arg("condense").arg("-o").arg(into.join(format!("{place}{number}-{window}.pcapng.zst")));
            command.args(shards.map(|shards| format!("--shards={shards}")));
            // A driver leaves out what has ended long before; here it is what began long before but for the last of it.
            let long_ago = |from: i64| from < since.unwrap_or(i64::MIN).saturating_sub(200_000_000_000);
            let skip = files.iter().take_while(|(_, from)| long_ago(*from)).count().saturating_sub(1);
            command.args(files.iter().skip(skip).map(|(path, _)| path));
            if let Some(since) = since {
                command.args(["--since", &moment(since)]);
            }
            if let Some(until) = until {
                command.args(["--until", &moment(until)]);
            }
            command.assert().success();
            since = until;
        }
    }
}

/// Reports without the numbers of frames over all files, which nobody knows who has not all of them.
pub(super) fn without_merged(json: &str) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|key, _| !key.contains("merged_frame"));
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut all = objects(json);
    all.iter_mut().for_each(strip);
    all
}

pub(super) fn read(path: &Path, more: &[&str]) -> String {
    done(&[&["read", "--no-trust", text(path)], more].concat())
}

#[test]
fn whatever_the_cuts_condensates_say_what_the_captures_say() {
    let corpus = corpus();
    assert!(corpus.len() > 20, "{}", corpus.len());
    // More of them: HANDSHARK_SEEDS='1 2 3' cargo test --test it condense
    let seeds = std::env::var("HANDSHARK_SEEDS").unwrap_or_else(|_| SEEDS.to_owned());
    for seed in seeds.split(' ').map(|seed| seed.parse().unwrap()) {
        let mut dice = Dice(seed);
        let archive = archive(&corpus, &mut dice);
        let condensates = tempfile::tempdir().unwrap();
        condense(&archive, condensates.path(), None, &mut dice);
        let whole = without_merged(&read(archive.root.path(), &["--json"]));
        let again = without_merged(&read(condensates.path(), &["--json"]));
        for (whole, again) in whole.iter().zip(&again) {
            assert_eq!(whole, again, "seed {seed}");
        }
        assert_eq!(whole.len(), again.len(), "seed {seed}");
        sites_share_nothing(&archive, condensates.path(), &again, seed);
    }
}

/// The condensates of each site, read by themselves, say what they say among those of all.
fn sites_share_nothing(archive: &Archive, condensates: &Path, all: &[Value], seed: u64) {
    let told = |lines: &[Value], site: &str| {
        let own = lines.iter().filter(|line| line["kind"] != "summary" && line["observer"]["site"] == site);
        own.map(|line| (line["event_id"].to_string(), line.clone())).collect::<BTreeMap<_, _>>()
    };
    let mut handshakes = 0;
    for (number, (directory, _)) in archive.sensors.iter().enumerate() {
        let site = directory.split(['=', '/']).nth(1).unwrap();
        let mut own: Vec<PathBuf> = fs::read_dir(condensates).unwrap().map(|entry| entry.unwrap().path()).collect();
        own.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{number}-")));
        own.sort();
        let paths: Vec<&str> = own.iter().map(|path| text(path)).collect();
        let alone = without_merged(&done(&[&["read", "--no-trust", "--json"], &paths[..]].concat()));
        handshakes += alone.last().unwrap()["handshakes"].as_u64().unwrap();
        let (alone, among) = (told(&alone, site), told(all, site));
        let only = |here: &BTreeMap<String, Value>, there: &BTreeMap<String, Value>| {
            here.iter().filter(|(id, _)| !there.contains_key(*id)).map(|(_, line)| line.to_string()).collect::<Vec<_>>()
        };
        assert_eq!((only(&alone, &among), only(&among, &alone)), (vec![], vec![]), "seed {seed}, {site}: alone, among all");
        for (id, line) in &among {
            assert_eq!(line, &alone[id], "seed {seed}, {site}");
        }
    }
    assert_eq!(Some(handshakes), all.last().unwrap()["handshakes"].as_u64(), "seed {seed}");
}

/// What cuts the archives.
pub(super) const SEEDS: &str = "1 2 3 8510000178925404892";

#[test]
fn of_one_file_every_command_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let condensate = dir.path().join("c.pcapng.zst");
    let original = incident();
    done(&["condense", text(&original), "-o", text(&condensate)]);
    assert_eq!(without_merged(&read(&condensate, &["--json"])), without_merged(&read(&original, &["--json"])));
    let named = |said: String, path: &Path| said.replace(text(path), "CAPTURE").replace(text(&original), "CAPTURE");
    for command in [
        &["read", "--no-trust"][..],
        &["read", "--no-trust", "--all"],
        &["read", "--no-trust", "--format", "markdown"],
        &["show", "--no-trust"],
        &["show", "--no-trust", "--json"],
        &["diff", "--no-trust", text(&original)],
    ] {
        let said = |path: &Path| named(String::from_utf8(handshark().args(command).arg(path).output().unwrap().stdout).unwrap(), path);
        assert_eq!(said(&condensate), said(&original), "{command:?}");
    }
    let certificates = |path: &Path, name: &str| {
        let into = dir.path().join(name);
        done(&["certs", "--no-trust", text(path), "-o", text(&into)]);
        fs::read_to_string(into.join("index.json")).unwrap()
    };
    assert_eq!(named(certificates(&condensate, "one"), &condensate), named(certificates(&original, "other"), &original));
    let slice = |path: &Path, name: &str| {
        let into = dir.path().join(name);
        done(&["slice", "--no-trust", text(path), "--outcome", "failed", "-o", text(&into)]);
        let mut reports = without_merged(&read(&into, &["--json"]));
        reports.pop();
        for report in &mut reports {
            report["capture"]["source"] = Value::Null;
        }
        reports
    };
    assert_eq!(slice(&condensate, "one.pcapng"), slice(&original, "other.pcapng"));
}

#[test]
fn the_same_captures_give_the_same_bytes_wherever_they_lie() {
    let dir = tempfile::tempdir().unwrap();
    let name = "site=berlin/sensor=core/0900.pcapng.zst";
    let made: Vec<Vec<u8>> = ["here", "elsewhere/deep"]
        .iter()
        .map(|place| {
            let root = dir.path().join(place);
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::copy(incident(), root.join(name)).unwrap();
            let output = root.join("c.pcapng");
            done(&["condense", text(&root.join(name)), "--root", text(&root), "-o", text(&output)]);
            let said = objects(&read(&output, &["--json"]));
            assert_eq!(said.last().unwrap()["inputs"][0]["source"], name);
            assert!(
                refused(&["condense", text(&incident()), "--root", text(&root), "-o", text(&root.join("x"))]).contains("does not lie in")
            );
            fs::read(output).unwrap()
        })
        .collect();
    assert!(made[0] == made[1]);
}

#[test]
fn a_window_in_which_nothing_begins_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pcapng.zst");
    done(&["condense", text(&incident()), "--since", "2031-01-01", "-o", text(&empty)]);
    let said = objects(&read(&empty, &["--json"]));
    assert_eq!((said.len(), said[0]["frames"].as_u64(), said[0]["handshakes"].as_u64()), (1, Some(0), Some(0)));
    assert!(refused(&["condense", text(&incident()), "--since", "+10m", "-o", "x"]).contains("another moment"));
}

/// A window that is not there was perhaps left out on purpose: it is told, and no window is told that is there.
#[test]
fn a_window_that_is_missing_is_told() {
    let (dir, night) = (tempfile::tempdir().unwrap(), incident());
    let moments = ["2026-11-21T09:02:00Z", "2026-11-21T09:04:00Z", "2026-11-21T09:06:00Z"];
    let bounds = [(None, Some(0)), (Some(0), Some(1)), (Some(1), Some(2)), (Some(2), None)];
    for (number, (since, until)) in bounds.into_iter().enumerate() {
        let output = dir.path().join(format!("{number}.pcapng"));
        let mut arguments = vec!["condense", text(&night), "--site", "lab", "--sensor", "tap", "-o", text(&output)];
        for (option, moment) in [("--since", since), ("--until", until)] {
            arguments.extend(moment.into_iter().flat_map(|place: usize| [option, moments[place]]));
        }
        done(&arguments);
    }
    let notes = || objects(&read(dir.path(), &["--json"])).last().unwrap()["notes"].to_string();
    assert!(!notes().contains("No condensate"), "{}", notes());
    fs::remove_file(dir.path().join("2.pcapng")).unwrap();
    let told = "No condensate of sensor tap at site lab holds what began between 2026-11-21 09:04:00 UTC and 2026-11-21 09:06:00 UTC";
    assert!(notes().contains(told), "{}", notes());
}

#[test]
fn what_cannot_be_added_up_and_what_is_cut_off_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let condensate = dir.path().join("c.pcapng");
    done(&["condense", text(&incident()), "-o", text(&condensate)]);
    fs::copy(incident(), dir.path().join("raw.pcapng.zst")).unwrap();
    assert!(refused(&["read", text(dir.path())]).contains("counted twice"));
    assert!(refused(&["read", "-f", "tcp", text(&condensate)]).contains("--server"));
    assert!(refused(&["condense", text(&condensate), "-o", "x"]).contains("condensates"));
    let bytes = fs::read(&condensate).unwrap();
    let cut = dir.path().join("cut.pcapng");
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let told = refused(&["read", "--json", text(&cut)]);
    assert!(told.contains("cut.pcapng") && told.contains("condense its window again"), "{told}");
    // Beside whole ones, and where not even its beginning is there.
    let several = dir.path().join("several");
    fs::create_dir(&several).unwrap();
    fs::copy(&condensate, several.join("whole.pcapng")).unwrap();
    for left in [bytes.len() - 4, bytes.len() / 2, 300, 20] {
        fs::write(several.join("cut.pcapng"), &bytes[..left]).unwrap();
        let told = refused(&["read", "--json", text(&several)]);
        assert!(told.contains("cut.pcapng"), "{left}: {told}");
    }
    let mixed = ["site=a", "site=b"].map(|site| {
        let directory = dir.path().join(site);
        fs::create_dir_all(&directory).unwrap();
        fs::copy(incident(), directory.join("f.pcapng.zst")).unwrap();
        directory
    });
    assert!(refused(&["condense", text(&mixed[0]), text(&mixed[1]), "-o", "x"]).contains("one sensor"));
}

#[test]
fn other_programs_read_the_packets() {
    let dir = tempfile::tempdir().unwrap();
    let condensate = dir.path().join("c.pcapng");
    done(&["condense", text(&incident()), "-o", text(&condensate)]);
    let Some(said) = tshark(&condensate, &["-T", "fields", "-e", "frame.len", "-Y", "tls.handshake.type == 1"]) else { return };
    assert_eq!(
        said.lines().count(),
        objects(&read(&incident(), &["--json"])).iter().filter(|line| line["tls"]["client"].is_object()).count()
    );
}
