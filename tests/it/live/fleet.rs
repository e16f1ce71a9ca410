//! Three sensors, one of which is killed: the incidents that their rows make are those of the captures, and its gap is told.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::lab::{Lab, Live, eventually};
use crate::support::program::{done, objects};

const HEARTBEAT: &str = "1s";

fn sensor(lab: &Lab, name: &str) -> Live {
    let spool = lab.path("spool").display().to_string();
    let arguments = ["--json", "--completed", "tallies", "--site", "lab", "--sensor", name, "--heartbeat", HEARTBEAT, "--spool", &spool];
    let mut live = Live::start(lab, &arguments);
    live.wait_until_ready();
    live
}

/// Everything that its server's interface sees, by somebody else's program.
fn tcpdump(lab: &Lab) -> Child {
    let file = lab.path("all.pcap").display().to_string();
    let arguments = ["netns", "exec", lab.server_namespace(), "tcpdump", "-i", &lab.server_if, "-U", "-w", &file];
    let child = Command::new("ip").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("tcpdump", || lab.path("all.pcap").exists());
    thread::sleep(Duration::from_millis(300));
    child
}

fn of(incident: &Value) -> Vec<String> {
    ["id", "cause", "scope", "failed", "attempts", "clients", "servers", "server_name"].map(|key| incident[key].to_string()).to_vec()
}

fn incidents(lines: &[Value]) -> Vec<Vec<String>> {
    let mut all: Vec<_> = lines.iter().filter(|line| line["kind"] == "incident").map(of).collect();
    all.sort();
    all
}

#[test]
fn three_sensors_tell_what_one_process_tells_and_the_gap_of_one_is_told() {
    let names = ["edge-1", "edge-2", "edge-3"];
    let mut labs = Vec::new();
    for _ in names {
        let Some(lab) = Lab::with(&["curl", "openssl", "tcpdump"]) else { return };
        lab.serve_tls(443, "good", &[]);
        lab.serve_tls(4443, "expired", &[]);
        labs.push(lab);
    }
    let mut dumps: Vec<Child> = labs.iter().map(tcpdump).collect();
    let mut lives: Vec<Live> = labs.iter().zip(names).map(|(lab, name)| sensor(lab, name)).collect();
    let visit = |lab: &Lab, times: usize| {
        for _ in 0..times {
            assert_eq!(lab.curl("good.test", 443, &[]).wait(), 0);
            assert_ne!(lab.curl("expired.test", 4443, &["--tls-max", "1.2"]).wait(), 0);
        }
    };
    for lab in &labs {
        visit(lab, 2);
    }
    // What completed is told when data has flowed, or after five seconds; the second sensor is killed with all that it knows written.
    thread::sleep(Duration::from_secs(7));
    lives[1].signal("KILL");
    let _ = lives[1].ended();
    visit(&labs[0], 1);
    visit(&labs[2], 1);
    thread::sleep(Duration::from_secs(7));
    // It goes on in the same spool, whose unfinished file it makes whole.
    lives[1] = sensor(&labs[1], names[1]);
    thread::sleep(Duration::from_secs(2));
    for live in &mut lives {
        let end = live.terminate();
        assert_eq!(end.code, Some(0), "{}", end.errors);
        let last = end.reports.iter().rfind(|report| report["kind"] == "heartbeat").unwrap();
        assert_eq!((&last["last"], &last["observer"]["site"]), (&Value::Bool(true), &Value::from("lab")));
    }
    for dump in &mut dumps {
        let _ = Command::new("kill").arg(dump.id().to_string()).status();
        let _ = dump.wait();
    }
    let paths = |name: &str| labs.iter().map(|lab| lab.path(name).display().to_string()).collect::<Vec<_>>();
    let spools = paths("spool");
    let told = objects(&done(
        &[&["incidents", "--json", "--silent-after", "4s"], spools.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat(),
    ));
    let captures = paths("all.pcap");
    let read = [&["read", "--json", "--site", "lab"], captures.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat();
    let whole = objects(&done(&read));
    let expected = incidents(&whole);
    assert!(!expected.is_empty() && expected.iter().all(|incident| incident[3] == "8"), "{expected:?}");
    assert_eq!(incidents(&told), expected);
    let incident = told.iter().find(|line| line["kind"] == "incident").unwrap();
    assert_eq!(incident["sensors"], serde_json::json!(names));
    let sensors: Vec<&Value> = told.iter().filter(|line| line["kind"] == "sensor").collect();
    assert_eq!(sensors.iter().map(|sensor| sensor["observer"]["sensor"].as_str().unwrap()).collect::<Vec<_>>(), names);
    assert_eq!(sensors.iter().map(|sensor| sensor["gaps"].as_array().unwrap().len()).collect::<Vec<_>>(), [0, 1, 0]);
}
