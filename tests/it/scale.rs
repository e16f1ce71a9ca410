//! An archive divided into windows, and the drivers that do them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::incident;
use crate::support::program::{done, handshark, objects, python_with, refused, text};
use crate::support::recording::Recording;

/// The manifest's lines.
fn plan(archive: &Path, results: &Path, more: &[&str]) -> Vec<Value> {
    objects(&done(&[&["plan", text(archive), "-o", text(results)], more].concat()))
}

/// A capture with one packet at each of these seconds.
fn capture(path: &Path, seconds: &[i64]) {
    let mut frame = Recording::of(&incident());
    frame.frames.truncate(1);
    let first = frame.frames.remove(0);
    frame.frames =
        seconds.iter().map(|second| crate::support::recording::Recorded { time: second * 1_000_000_000, ..first.clone() }).collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, frame.pcap()).unwrap();
}

/// Does a window as a driver does, but for its work.
fn mark_done(results: &Path, line: &Value) {
    let path = results.join(line["output"].as_str().unwrap());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    let mut note = path.into_os_string();
    note.push(".done");
    fs::write(note, format!("{}\n", line["digest"].as_str().unwrap())).unwrap();
}

fn outputs(lines: &[Value], state: &str) -> Vec<String> {
    lines.iter().filter(|line| line["state"] == state).map(|line| line["output"].as_str().unwrap().to_owned()).collect()
}

const HOUR: i64 = 3600;

/// Two sensors of a site and one of another, a file an hour.
fn archive(root: &Path) {
    for sensor in ["site=fra/sensor=edge-1", "site=fra/sensor=edge-2", "site=ber/sensor=edge-1"] {
        for hour in 0..4 {
            capture(&root.join(sensor).join(format!("{hour:04}.pcap")), &[hour * HOUR, hour * HOUR + 3500]);
        }
    }
}

#[test]
fn a_manifest_depends_on_the_captures_and_on_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("one"), directory.path().join("two/other"));
    archive(&one);
    archive(&other);
    // What is no capture, or is being written, is passed over.
    fs::write(other.join("README"), "captures of November").unwrap();
    fs::copy(other.join("site=fra/sensor=edge-1/0000.pcap"), other.join("site=fra/sensor=edge-1/.0004.pcap.part")).unwrap();
    let lines = plan(&one, &directory.path().join("results"), &[]);
    assert_eq!(lines, plan(&other, &other.join("results"), &[]), "the place is another one");
    assert_eq!(lines.len(), 12);
    let line =
        lines.iter().find(|line| line["site"] == "fra" && line["sensor"] == "edge-2" && line["since"] == "1970-01-01T01:00:00.000000000Z");
    let line = line.unwrap();
    assert_eq!(line["until"], "1970-01-01T02:00:00.000000000Z");
    let files: Vec<String> = (0..3).map(|hour| format!("site=fra/sensor=edge-2/{hour:04}.pcap")).collect();
    assert_eq!(line["files"], serde_json::json!(files));
    assert_eq!(line["output"], "site=fra/sensor=edge-2/19700101T010000Z.pcapng.zst");
    let arguments: Vec<&str> = line["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let taken = handshark().args(&arguments).args(["-o", "x.pcapng.zst", "--", "x.pcap", "--help"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&taken.stderr).contains("unexpected argument"), "{arguments:?} {taken:?}");
    for option in ["--site", "--sensor", "--since", "--until"] {
        assert!(arguments.contains(&option), "{arguments:?}");
    }
    // No moment is in no window.
    for sensor in lines.chunk_by(|a, b| (&a["site"], &a["sensor"]) == (&b["site"], &b["sensor"])) {
        assert!(sensor[0]["since"].is_null() && sensor.last().unwrap()["until"].is_null());
        assert!(sensor.windows(2).all(|pair| pair[0]["until"] == pair[1]["since"]));
    }
}

#[test]
fn a_late_file_makes_just_its_neighbours_due_again() {
    let directory = tempfile::tempdir().unwrap();
    let (captures, results) = (directory.path().join("archive"), directory.path().join("archive/results"));
    archive(&captures);
    for line in plan(&captures, &results, &[]) {
        assert_eq!(line["state"], "due");
        mark_done(&results, &line);
    }
    assert!(plan(&captures, &results, &["--due"]).is_empty());
    // Another hour is there at last; and a file has grown.
    capture(&captures.join("site=fra/sensor=edge-1/late.pcap"), &[HOUR + HOUR / 2]);
    capture(&captures.join("site=ber/sensor=edge-1/0000.pcap"), &[0, 3500, 3501]);
    let due = plan(&captures, &results, &["--due"]);
    let hour = |place: &str, hour: &str| format!("{place}/19700101T{hour}00Z.pcapng.zst");
    let expected = [
        hour("site=ber/sensor=edge-1", "0000"),
        hour("site=ber/sensor=edge-1", "0100"),
        hour("site=fra/sensor=edge-1", "0100"),
        hour("site=fra/sensor=edge-1", "0130"),
        hour("site=fra/sensor=edge-1", "0200"),
    ];
    assert_eq!(outputs(&due, "due"), expected);
    // A window that is none any more.
    for line in &due {
        mark_done(&results, line);
    }
    fs::remove_file(captures.join("site=fra/sensor=edge-1/late.pcap")).unwrap();
    let left = plan(&captures, &results, &["--due"]);
    assert_eq!(outputs(&left, "stale"), [hour("site=fra/sensor=edge-1", "0130")]);
    assert_eq!(outputs(&left, "due"), [hour("site=fra/sensor=edge-1", "0100"), hour("site=fra/sensor=edge-1", "0200")]);
    // What lies there without a digest is nobody's to remove.
    fs::write(results.join("mine.pcapng.zst"), "").unwrap();
    fs::write(results.join("mine.pcapng.zst.done"), "yes").unwrap();
    assert_eq!(outputs(&plan(&captures, &results, &["--due"]), "stale").len(), 1);
}

#[test]
fn windows_are_cut_by_the_clock_where_files_are_long_or_short() {
    let directory = tempfile::tempdir().unwrap();
    let results = directory.path().join("results");
    let captures = directory.path().join("archive");
    for second in (0..60).step_by(5) {
        capture(&captures.join(format!("raw/fra-tap/{second:04}.pcap")), &[7 + second, 10 + second]);
    }
    let lines = plan(&captures, &results, &["--every", "30s", "--layout", "raw/{site}-{sensor}", "--overlap", "1s"]);
    let begins: Vec<&str> = lines.iter().map(|line| line["begin"].as_str().unwrap()).collect();
    assert_eq!(begins, ["1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:30.000000000Z", "1970-01-01T00:01:00.000000000Z"]);
    assert!(lines.iter().all(|line| line["site"] == "fra" && line["sensor"] == "tap"));
    assert_eq!(lines[1]["output"], "site=fra/sensor=tap/19700101T000030Z.pcapng.zst");
    capture(&captures.join("other/1.pcap"), &[1]);
    assert!(
        refused(&["plan", text(&captures), "-o", text(&results), "--layout", "raw/{site}-{sensor}"])
            .contains("not laid out as --layout says")
    );
    // Without a name of its own every folder is a sensor.
    let lines = plan(&captures, &results, &[]);
    assert!(lines.iter().any(|line| line["output"].as_str().unwrap().starts_with("other/")));
    assert_eq!(lines.iter().filter(|line| line["output"].as_str().unwrap().starts_with("raw/fra-tap/")).count(), 12);
    // A capture that cannot be read is told, and fails the command.
    fs::write(captures.join("other/2.pcap"), &Recording::of(&incident()).pcap()[..20]).unwrap();
    let told = refused(&["plan", text(&captures), "-o", text(&results)]);
    assert!(told.contains("other/2.pcap is cut short") && told.contains("1 file of the archive cannot be read"), "{told}");
}

#[test]
fn a_list_of_objects_is_planned_without_a_look_at_them() {
    let directory = tempfile::tempdir().unwrap();
    let (list, results) = (directory.path().join("objects.tsv"), directory.path().join("results"));
    let object = |hour: i64| format!("s3://captures/site=fra/sensor=e1/{hour}.pcap.zst\t2026-11-28T1{hour}:00:00Z\t\"{hour}\"\n");
    fs::write(&list, (0..4).map(object).collect::<String>()).unwrap();
    let lines = plan(&list, &results, &[]);
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[3]["files"],
        serde_json::json!(["s3://captures/site=fra/sensor=e1/2.pcap.zst", "s3://captures/site=fra/sensor=e1/3.pcap.zst"])
    );
    for line in &lines {
        mark_done(&results, line);
    }
    // An object of another ETag is another object.
    fs::write(&list, (0..4).map(object).collect::<String>().replace("\"0\"", "\"new\"")).unwrap();
    assert_eq!(outputs(&plan(&list, &results, &["--due"]), "due").len(), 2);
    fs::write(&list, "s3://captures/1.pcap\n").unwrap();
    let told = refused(&["plan", text(&list), "-o", text(&results)]);
    assert!(told.contains("line 1") && told.contains("objects.py"), "{told}");
    fs::write(&list, "1.pcap\n").unwrap();
    assert!(refused(&["plan", text(&list), "-o", text(&results)]).contains("no URL"));
}

/// Every file under a directory, by its name there.
fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut next = vec![root.to_owned()];
    while let Some(directory) = next.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            // What a killed worker had begun stays under a name that nothing reads.
            let begun = path.extension().is_some_and(|extension| extension == "part");
            if path.is_dir() {
                next.push(path);
            } else if !begun && let Ok(bytes) = fs::read(&path) {
                // One that is gone was renamed meanwhile.
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

/// Ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scale(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/scale").join(name)
}

/// The incident as three sensors rotate it: each has the clients that are its own.
fn three_sensors(root: &Path) {
    let whole = Recording::of(&incident());
    let begin = whole.frames[0].time;
    let mut files: BTreeMap<(u8, i64), Recording> = BTreeMap::new();
    for frame in whole.frames {
        let address = |at: usize| frame.bytes.get(at..at + 4).filter(|address| address.starts_with(&[10, 77, 1]));
        let sensor = address(26).or_else(|| address(30)).map_or(0, |client| client[3] % 3);
        let window = (frame.time - begin) / 150_000_000_000;
        files.entry((sensor, window)).or_insert_with(|| Recording { link: whole.link, frames: Vec::new() }).frames.push(frame);
    }
    for ((sensor, window), recording) in files {
        let path = root.join(format!("site=lab/sensor=tap-{sensor}/{window:04}.pcap"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, recording.pcap()).unwrap();
    }
}

/// The numbers of frames over all files are known to those only who read all.
fn without_merged_frames(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(key, _)| !key.contains("merged_frame"));
            Value::Object(kept.map(|(key, value)| (key, without_merged_frames(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_merged_frames).collect()),
        // As the archive's names begin when it is read from within.
        Value::String(text) => Value::String(text.replace("./site=", "site=")),
        other => other,
    }
}

fn finishes(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Dask with two workers.
struct Cluster {
    address: String,
    workers: [Running; 2],
    scheduler: Running,
}

impl Cluster {
    fn of_two(python: &Path, directory: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("tcp://127.0.0.1:{port}");
        let start = |arguments: &[&str]| {
            let child = Command::new(python)
                .args(["-c", "from dask.__main__ import main; main()"])
                .args(arguments)
                .arg("--no-dashboard")
                .current_dir(directory)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            Running(child.unwrap())
        };
        let scheduler = start(&["scheduler", "--host", "127.0.0.1", "--port", &port.to_string()]);
        let workers = [(); 2].map(|()| start(&["worker", &address, "--nthreads", "1", "--no-nanny"]));
        Self { address, workers, scheduler }
    }
}

/// One of two workers is killed in the middle: the results are those of one machine, byte for byte, and nothing else lies there.
#[test]
fn a_killed_worker_changes_no_byte() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    three_sensors(&place("archive"));
    let manifest = done(&["plan", text(&place("archive")), "-o", text(&place("calm"))]);
    fs::write(place("manifest.jsonl"), &manifest).unwrap();
    let driver = |program: &Path, name: &str, results: &str| {
        let mut command = Command::new(program);
        command
            .arg(scale(name))
            .args([place("manifest.jsonl"), place("archive"), place(results)])
            .env("HANDSHARK", env!("CARGO_BIN_EXE_handshark"));
        command
    };
    if python_with("json").is_none() {
        return;
    }
    let mut calm = driver(Path::new("bash"), "xargs.sh", "calm");
    calm.arg("2");
    finishes(calm);
    let expected = contents(&place("calm"));
    assert_eq!(expected.len(), manifest.lines().count() * 2, "a result and its note for each window");
    assert!(plan(&place("archive"), &place("calm"), &["--due"]).is_empty());
    // The reduce step gives what one process gives: every word of it, with the files' names and frames.
    let read = |directory: &Path| {
        let ran = handshark().args(["read", "--json", "--no-trust", "--no-progress", "."]).current_dir(directory).output().unwrap();
        let told = objects(&String::from_utf8(ran.stdout).unwrap());
        told.into_iter().filter(|line| line["kind"] != "summary").map(without_merged_frames).collect::<Vec<_>>()
    };
    let (reduced, whole) = (read(&place("calm")), read(&place("archive")));
    assert!(whole.len() > 400);
    assert_eq!(reduced.len(), whole.len());
    for (reduced, whole) in reduced.iter().zip(&whole) {
        assert_eq!(reduced, whole);
    }

    let Some(python) = python_with("distributed") else { return };
    let Cluster { address, workers: [mut first, _second], scheduler: _scheduler } = Cluster::of_two(&python, directory.path());
    let slow = place("slow");
    fs::write(&slow, format!("#!/bin/sh\nsleep 0.3\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_handshark"))).unwrap();
    fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut dask = driver(&python, "dask_condense.py", "dask");
    dask.arg(&address).env("HANDSHARK", &slow).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = dask.spawn().unwrap();
    let begin = Instant::now();
    let is_done = || {
        fs::exists(place("dask")).unwrap()
            && contents(&place("dask")).keys().filter(|name| Path::new(name).extension().is_some_and(|suffix| suffix == "done")).count()
                >= 4
    };
    while !is_done() {
        assert!(begin.elapsed() < Duration::from_secs(120), "nothing is done");
        std::thread::sleep(Duration::from_millis(50));
    }
    first.0.kill().unwrap();
    let ended = running.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(contents(&place("dask")), expected);
}

/// Windows are divided into shards, and these read by two workers: together they say what the captures say.
#[test]
fn shards_are_read_by_workers() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    three_sensors(&place("archive"));
    let sharded = |results: &str, more: &[&str]| plan(&place("archive"), &place(results), &[&["--shards", "2"], more].concat());
    let lines = sharded("calm", &[]);
    assert!(lines[0]["output"].as_str().unwrap().starts_with("{shard}/site=lab/sensor=tap-0/"));
    let manifest = lines.iter().fold(String::new(), |all, line| all + &line.to_string() + "\n");
    fs::write(place("manifest.jsonl"), manifest).unwrap();
    let Some(python) = python_with("json") else { return };
    let run = |program: &Path, script: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.arg(scale(script)).args(arguments).env("HANDSHARK", env!("CARGO_BIN_EXE_handshark")).current_dir(directory.path());
        finishes(command)
    };
    run(Path::new("bash"), "xargs.sh", &["manifest.jsonl", "archive", "calm", "2"]);
    for shard in ["1-of-2", "2-of-2"] {
        run(&python, "window.py", &["--read", shard, "calm", "rows"]);
    }
    assert!(sharded("calm", &["--due"]).is_empty());
    // A result that lacks a part is due; one of windows that are divided otherwise is none any more.
    let part = place("calm").join(lines[1]["output"].as_str().unwrap().replace("{shard}", "1-of-2"));
    fs::rename(&part, place("part")).unwrap();
    assert_eq!(outputs(&sharded("calm", &["--due"]), "due"), [lines[1]["output"].as_str().unwrap()]);
    fs::rename(place("part"), &part).unwrap();
    let whole = plan(&place("archive"), &place("calm"), &[]);
    assert_eq!(outputs(&whole, "stale"), outputs(&lines, "due"));
    assert!(whole.iter().filter(|line| line["state"] == "stale").all(|line| line["shards"] == 2));

    // Whatever order they are read in, sorted by when they began.
    let told = |rows: &str| {
        let lines = objects(rows).into_iter().filter(|line| line["kind"] == "handshake").map(without_merged_frames);
        let mut lines: Vec<Value> = lines.collect();
        lines.sort_by_key(|line| (line["start"].to_string(), line["event_id"].to_string()));
        lines
    };
    let rows = |name: &str| ["1-of-2", "2-of-2"].map(|shard| fs::read_to_string(place(name).join(format!("{shard}.ndjson"))).unwrap());
    let ran = handshark().args(["read", "--json", "."]).current_dir(place("archive")).output().unwrap();
    let whole = told(&String::from_utf8(ran.stdout).unwrap());
    assert!(whole.len() > 400);
    let parts = rows("rows");
    assert!(parts.iter().all(|part| told(part).len() > 10));
    assert!(told(&parts.concat()) == whole);

    let Some(python) = python_with("distributed") else { return };
    let cluster = Cluster::of_two(&python, directory.path());
    run(&python, "dask_condense.py", &["manifest.jsonl", "archive", "dask", &cluster.address, "dask-rows"]);
    assert_eq!(contents(&place("dask")), contents(&place("calm")));
    assert_eq!(rows("dask-rows"), parts);
}

/// A file that comes late makes its windows due again in all shards: then everything is as if it had been there from the beginning.
#[test]
fn a_late_file_makes_its_shards_what_they_would_have_been() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let archive = place("archive");
    three_sensors(&archive);
    if python_with("json").is_none() {
        return;
    }
    let condensed = |results: &str| {
        let lines = plan(&archive, &place(results), &["--shards", "3", "--due"]);
        let manifest = lines.iter().fold(String::new(), |all, line| all + &line.to_string() + "\n");
        fs::write(place("manifest.jsonl"), manifest).unwrap();
        let mut command = Command::new("bash");
        command.arg(scale("xargs.sh")).args([place("manifest.jsonl"), archive.clone(), place(results)]);
        command.args(["2"]).arg(place(&format!("{results}-rows"))).env("HANDSHARK", env!("CARGO_BIN_EXE_handshark"));
        finishes(command);
        lines.len()
    };
    let all = condensed("early");
    let sensor = archive.join("site=lab/sensor=tap-1");
    let mut files: Vec<PathBuf> = fs::read_dir(&sensor).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3);
    fs::rename(&files[1], place("held")).unwrap();
    assert_eq!(condensed("late"), all - 1);
    assert!(contents(&place("late")) != contents(&place("early")));
    fs::rename(place("held"), &files[1]).unwrap();
    let again = condensed("late");
    assert!((1..all).contains(&again), "{again} of {all} windows are due again");
    assert!(contents(&place("late")) == contents(&place("early")));
    assert!(contents(&place("late-rows")) == contents(&place("early-rows")));
    assert!(plan(&archive, &place("late"), &["--shards", "3", "--due"]).is_empty());
}

/// Rows lie in folders by date, site and sensor, and the queries that come along count what the JSON lines say.
#[cfg(feature = "parquet")]
#[test]
fn rows_are_a_data_set_that_the_queries_read() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    three_sensors(&place("archive"));
    let archive = place("archive");
    let rows = format!("{}/", text(&place("rows")));
    let arguments = ["read", "--json", "--no-trust", "--no-progress", text(&archive), "--parquet", &rows];
    let lines = objects(&done(&arguments));
    let files: Vec<String> = contents(&place("rows")).into_keys().collect();
    let folders: Vec<&str> = files.iter().map(|file| file.rsplit_once('/').unwrap().0).collect();
    let expected = [
        "handshakes/date=2026-11-21/site=lab/sensor=tap-0",
        "handshakes/date=2026-11-21/site=lab/sensor=tap-1",
        "handshakes/date=2026-11-21/site=lab/sensor=tap-2",
        "incidents/date=2026-11-21/site=lab",
        "summary/date=2026-11-21",
    ];
    assert_eq!(folders, expected);
    // The same captures again are the same rows.
    assert!(refused(&arguments).contains("replace them with --force"));
    done(&[&arguments[..], &["--force"]].concat());
    assert_eq!(contents(&place("rows")).into_keys().collect::<Vec<_>>(), files);

    let Some(python) = python_with("duckdb") else { return };
    let script = "import duckdb, json, sys\nc = duckdb.connect()\nfor s in c.extract_statements(open(sys.argv[1]).read()):\n  c.execute(s)\n  names = [d[0] for d in c.description or []]\n  \
                  print(json.dumps([dict(zip(names, map(str, row))) for row in (c.fetchall() if names else [])]))";
    let mut query = Command::new(python);
    query.args(["-c", script]).arg(scale("duckdb.sql")).current_dir(directory.path());
    let answers: Vec<Vec<Value>> = finishes(query).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // In the order of the file, those that answer: incidents, failures by server, failures by hour.
    let [incidents, by_server, by_hour, ..] = &answers.iter().filter(|rows| !rows.is_empty()).collect::<Vec<_>>()[..] else {
        panic!("{answers:?}")
    };
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    let failed = of_kind("handshake").iter().filter(|line| line["handshake"]["class"] == "failed").count();
    let sum = |rows: &[Value], column: &str| rows.iter().map(|row| row[column].as_str().unwrap().parse::<usize>().unwrap()).sum::<usize>();
    assert_eq!(sum(incidents, "failed"), of_kind("incident").iter().map(|line| line["failed"].as_u64().unwrap() as usize).sum::<usize>());
    assert_eq!(sum(by_server, "failed"), failed);
    assert_eq!(sum(by_hour, "failed"), failed);
    assert!(by_hour.iter().all(|row| row["site"] == "lab"));
}
