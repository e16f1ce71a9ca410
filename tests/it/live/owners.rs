//! Whose connections they are: real servers and clients, in the namespace of the capture and in another.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::lab::{self, Lab, Live};

/// The process that looks up owners for this run.
fn looker(live: &Live) -> u32 {
    let own = live.id().to_string();
    let is_its = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.split(' ').nth(1) == Some(&own))
    };
    let all: Vec<u32> =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    all.into_iter().find(is_its).unwrap()
}

fn signal(pid: u32, signal: &str) {
    assert!(std::process::Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap().success());
}

fn ended(port: u16) -> impl Fn(&Value) -> bool {
    move |report| report["server"]["port"] == port && report["handshake"]["provisional"] == false
}

#[test]
fn ends_have_their_processes_in_this_namespace_and_in_others() {
    let Some(lab) = Lab::with(&["openssl", "curl", "kill"]) else { return };
    let server = lab.serve_tls(443, "good", &[]);
    let refusing = lab.serve_tls(4443, "expired", &[]);
    let mut live =
        Live::start(&lab, &["--interface", "lo", "--processes", "--json", "--user", "nobody", "--record", "record", "--metrics", "9477"]);
    live.wait_until_ready();

    // Two processes: the one that reads packets has no rights, the other those to look, and bounds of its own.
    assert!(live.status().contains("CapEff:\t0000000000000000"));
    let looker = looker(&live);
    let status = std::fs::read_to_string(format!("/proc/{looker}/status")).unwrap();
    for line in ["Uid:\t65534", "CapPrm:\t0000000000080004", "CapEff:\t0000000000080004", "CapBnd:\t0000000000000000", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line}\n{status}");
    }

    // A client in another namespace, which stays; the server is in this one.
    let client = lab.client("openssl", &["s_client", "-connect", "10.77.0.2:443", "-servername", "good.test", "-quiet"]);
    let told = live.until(ended(443)).report;
    let process =
        |end: &Value| (end["process"]["pid"].as_u64().unwrap_or_default(), end["process"]["name"].as_str().unwrap_or_default().to_owned());
    assert_eq!(process(&told["client"]), (client.id().into(), "openssl".to_owned()), "{told}");
    assert_eq!(process(&told["server"]), (server.id().into(), "openssl".to_owned()), "{told}");
    assert_eq!((&told["client"]["owner"], &told["client"]["user"]), (&json!("connection"), &json!({"id": "0", "name": "root"})));
    assert!(["connection", "listener"].contains(&told["server"]["owner"].as_str().unwrap()));
    let executable = PathBuf::from(told["client"]["process"]["executable"].as_str().unwrap());
    assert_eq!(executable, std::fs::read_link(format!("/proc/{}/exe", client.id())).unwrap());
    let elapsed = std::time::SystemTime::now().duration_since(lab::moment(&told["client"]["process"]["start"])).unwrap();
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
    drop(client);

    // Over the loopback both ends are here. A process that ends at once is named rightly or told as gone.
    let home = lab.curl_at_home("good.test", 443);
    let pid = home.id();
    assert_eq!(home.wait(), 0);
    let told = live.until(ended(443)).report;
    assert_eq!(process(&told["server"]).0, u64::from(server.id()));
    match told["client"]["owner"].as_str() {
        Some("connection") => assert_eq!(process(&told["client"]), (pid.into(), "curl".to_owned())),
        other => assert_eq!(other, Some("gone"), "{told}"),
    }

    // Nobody looks until the client has ended.
    signal(looker, "STOP");
    assert_ne!(lab.curl("expired.test", 4443, &["--tls-max", "1.2"]).wait(), 0);
    signal(looker, "CONT");
    let told = live.until(ended(4443)).report;
    assert_eq!((&told["client"]["owner"], &told["client"]["process"]), (&json!("gone"), &Value::Null), "{told}");
    assert_eq!(process(&told["server"]).0, u64::from(refusing.id()), "{told}");

    let metrics = lab.scrape("/metrics");
    for line in [
        "handshark_process_handshakes_total{process=\"openssl\",side=\"client\",class=\"completed\"} 1",
        "handshark_process_handshakes_total{process=\"openssl\",side=\"server\",class=\"failed\"} 1",
        "handshark_owner_lookups_total{result=\"hidden\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    signal(looker, "KILL");
    lab::eventually("the probe to say so", || lab.scrape("/healthz").contains("the process that looks up owners has ended"));
    let end = live.terminate();
    assert_eq!(end.code, Some(0), "{}", end.errors);
    let notes = end.last["notes"].to_string();
    assert!(notes.contains("gone before they could be looked up") && notes.contains("ended before the run did"), "{notes}");
    let recording = std::fs::read(&lab.files("record")[0]).unwrap();
    let comment = format!("Server process: openssl (pid {})", refusing.id());
    assert!(String::from_utf8_lossy(&recording).contains(&comment));
}

/// Failures of one cause at one server, made by one program again and again.
#[test]
fn an_incident_tells_whose_its_connections_are() {
    let Some(lab) = Lab::with(&["openssl", "curl"]) else { return };
    let server = lab.serve_tls(443, "expired", &[]);
    let mut live = Live::start(&lab, &["--interface", "lo", "--processes", "--json"]);
    live.wait_until_ready();
    for _ in 0..6 {
        assert_ne!(lab.curl_at_home("expired.test", 443).wait(), 0);
    }
    let end = live.terminate();
    let incident = end.reports.iter().rfind(|report| report["kind"] == "incident").unwrap();
    let owners = incident["owners"].as_array().unwrap();
    let owner = owners.iter().find(|owner| owner["side"] == "server").unwrap();
    assert_eq!(owner["process"], json!({"pid": server.id(), "name": "openssl"}), "{incident}");
    assert!((1..=6).contains(&owner["handshakes"].as_u64().unwrap()), "{incident}");
    // On a busy machine none of the clients may have been looked up in time.
    if let Some(owner) = owners.iter().find(|owner| owner["side"] == "client") {
        assert_eq!(owner["process"]["name"], "curl", "{incident}");
    }
}

/// Workers of one listener, none of which takes the connection.
#[test]
fn a_listener_that_several_share_has_all_of_them() {
    let Some(lab) = Lab::with(&["openssl", "python3"]) else { return };
    let script = "import os, socket, time
listener = socket.create_server(('10.77.0.2', 8443))
for _ in range(2):
    if os.fork() == 0:
        break
time.sleep(60)";
    let server = lab.server("python3", &["-c", script]);
    lab::eventually("a listener", || lab.output_there("cat", &["/proc/net/tcp"]).contains(":20FB "));
    let mut live = Live::start(&lab, &["--processes", "--json", "--stall-after", "1s"]);
    live.wait_until_ready();
    let _client = lab.client("openssl", &["s_client", "-connect", "10.77.0.2:8443", "-quiet"]);
    let told = live.until(|report| report["server"]["port"] == 8443).report;
    assert_eq!((&told["server"]["owner"], &told["server"]["process"]["pid"]), (&json!("listener"), &json!(server.id())), "{told}");
    let sharers = told["server"]["process"]["sharers"].as_array().unwrap();
    assert_eq!(sharers.len(), 2, "{told}");
    assert!(sharers.iter().all(|sharer| sharer["name"].as_str().unwrap().starts_with("python3")), "{told}");
    // Its children are not this test's to end otherwise.
    for sharer in sharers {
        signal(u32::try_from(sharer["pid"].as_u64().unwrap()).unwrap(), "KILL");
    }
}

#[test]
fn without_rights_the_user_is_named_and_what_to_grant_is_said() {
    let Some(lab) = Lab::with(&["openssl", "curl", "setpriv"]) else { return };
    lab.serve_tls(443, "expired", &[]);
    let rights = "+net_raw,+net_admin";
    let mut live = Live::start_under(
        &lab,
        &[
            "setpriv",
            "--reuid=65534",
            "--clear-groups",
            "--inh-caps",
            rights,
            "--ambient-caps",
            rights,
            "--bounding-set=-all,+net_raw,+net_admin",
        ],
        &["--processes", "--json"],
    );
    live.wait_until_ready();
    live.until_said("cap_sys_ptrace,cap_dac_read_search+ep");
    assert_ne!(lab.curl_at_home("expired.test", 443).wait(), 0);
    // On a busy machine a connection may be over before it is looked up.
    let mut all = (0..10).map(|_| {
        let _ = lab.curl("expired.test", 443, &["--tls-max", "1.2"]).wait();
        live.until(ended(443)).report
    });
    let told = all.find(|told| told["server"]["owner"] != "gone").unwrap();
    assert_eq!((&told["server"]["owner"], &told["server"]["process"]), (&json!("hidden"), &Value::Null), "{told}");
    assert_eq!(told["server"]["user"], json!({"id": "0", "name": "root"}), "{told}");
}
