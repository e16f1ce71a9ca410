//! `inventory` and `expect` as people and scripts use them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use handshark::flow::Side;
use serde_json::Value;

use super::support::conversation::Conversation;
use super::support::fixtures;
use super::support::program::{done, handshark, refused, text, tshark};

fn inventory(arguments: &[&str]) -> Value {
    let written = done(&[&["inventory", "--json", "--no-trust", "--no-progress"], arguments].concat());
    assert_eq!(written.lines().count(), 1);
    serde_json::from_str(&written).unwrap()
}

/// What it says, whichever files it was read from.
fn without_inputs(mut inventory: Value) -> Value {
    inventory.as_object_mut().unwrap().remove("inputs");
    inventory
}

/// The exit code, what is written, and what is said.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = handshark().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn rows_give_the_inventory_that_captures_give() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["incident", "success", "version", "dtls", "quic", "client-cert", "group", "psk", "load", "cipher"] {
        let captures = fixtures().join("captures").join(folder);
        let rows = dir.path().join(format!("{folder}.ndjson"));
        fs::write(&rows, done(&["read", "--json", "--no-trust", "--no-progress", text(&captures)])).unwrap();
        let (of_captures, of_rows) = (inventory(&[text(&captures)]), inventory(&[text(&rows)]));
        assert!(of_captures["handshakes"].as_u64().unwrap() > 0, "{folder}");
        assert_eq!(without_inputs(of_captures), without_inputs(of_rows), "{folder}");
    }
    // The rows of a fleet in a directory, some of them delivered twice, are one inventory.
    let twice = fs::read(dir.path().join("version.ndjson")).unwrap();
    fs::write(dir.path().join("again.ndjson"), twice).unwrap();
    let all = inventory(&[text(dir.path())]);
    assert!(all["left_out"]["repeated_rows"].as_u64().unwrap() > 5);
    assert_eq!(all["inputs"].as_array().unwrap().len(), 11);
}

#[test]
fn what_is_asked_for_is_the_same_of_captures_and_rows() {
    let night = fixtures().join("captures/incident/incident-small.pcapng.zst");
    let dir = tempfile::tempdir().unwrap();
    let rows = dir.path().join("rows");
    fs::write(&rows, done(&["read", "--json", "--no-trust", "--no-progress", text(&night)])).unwrap();
    for selection in [
        &["--name", "shop.*"][..],
        &["--server", "10.77.2.20"],
        &["--client", "10.77.1.0/27", "--outcome", "completed"],
        &["--cause", "certificate-expired"],
        &["--since", "2026-11-21T09:05:00Z", "--until", "2026-11-21T09:10:00Z"],
        &["--where", "tls.version == '1.2' && tls.client.alpn.exists(p, p == 'h2') || handshake.timing.total_us > 50000"],
    ] {
        let of = |path: &str| without_inputs(inventory(&[&[path], selection].concat()));
        let (of_capture, of_rows) = (of(text(&night)), of(text(&rows)));
        assert!((1..400).contains(&of_capture["handshakes"].as_u64().unwrap()), "{selection:?}");
        assert_eq!(of_capture, of_rows, "{selection:?}");
    }
    // Standard input is recognised as well.
    let mut child = handshark().args(["inventory", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(&rows).unwrap()).unwrap();
    let piped: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(piped["handshakes"], 400);
    let said = refused(&["inventory", "-f", "tcp", text(&rows)]);
    assert!(said.contains("no packets") && said.contains("--where"), "{said}");
    assert!(refused(&["inventory", "--anonymize", "correct horse battery staple", text(&rows)]).contains("where they are written"));
}

#[test]
fn rows_that_cannot_be_read_are_named_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let rows = dir.path().join("rows.ndjson");
    let night = fixtures().join("captures/incident/incident-small.pcapng.zst");
    let good = done(&["read", "--json", "--no-trust", "--no-progress", text(&night)]);
    let lines: Vec<&str> = good.lines().collect();
    fs::write(
        &rows,
        [lines[0], "{\"schema\":\"handshark/2\",\"kind\":\"handshake\"}", "{\"cut", lines[1], "{\"schema\":\"other/1\"}"].join("\n"),
    )
    .unwrap();
    let (code, written, said) = run(&["inventory", "--json", text(&rows)]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 lines could not be read") && said.contains("rows.ndjson line 2: it has no `handshake.id`"), "{said}");
    let told: Value = serde_json::from_str(&written).unwrap();
    assert_eq!((&told["handshakes"], &told["left_out"]["unreadable_rows"]), (&2.into(), &3.into()));
    fs::write(&rows, "{\"some\": \"json\"}\n").unwrap();
    assert!(refused(&["inventory", text(&rows)]).contains("it has no `schema`"));
}

/// What tshark counts in the same capture: ServerHellos by version and suite, ClientHellos by group.
#[test]
fn the_numbers_are_those_that_tshark_counts() {
    let night = fixtures().join("captures/incident/incident-small.pcapng.zst");
    let dir = tempfile::tempdir().unwrap();
    // An older tshark does not read zstd.
    let plain = dir.path().join("night.pcapng");
    done(&["slice", text(&night), "--no-trust", "--all-packets", "-o", text(&plain)]);
    let fields = ["-T", "fields", "-e", "tls.handshake.extensions.supported_version", "-e", "tls.handshake.ciphersuite"];
    let Some(hellos) = tshark(&plain, &[&["-Y", "tls.handshake.type == 2"], &fields[..]].concat()) else { return };
    let mut theirs = BTreeMap::new();
    for line in hellos.lines() {
        let (version, suite) = line.split_once('\t').unwrap();
        *theirs.entry(if version.is_empty() { "TLS 1.2" } else { "TLS 1.3" }).or_insert(0_u64) += 1;
        *theirs.entry(suite).or_insert(0) += 1;
    }
    let told = inventory(&[text(&night)]);
    let chosen = |list: &str, name: &str| {
        let found = told[list].as_array().unwrap().iter().find(|usage| usage["name"] == name);
        found.map(|usage| usage["chosen"].as_u64().unwrap()).unwrap_or_default()
    };
    assert_eq!(theirs["TLS 1.3"], chosen("versions", "TLS 1.3"));
    assert_eq!(theirs["TLS 1.2"], chosen("versions", "TLS 1.2"));
    assert_eq!(theirs["0x1302"], chosen("ciphers", "TLS_AES_256_GCM_SHA384"));
    let filter = "tls.handshake.type == 1 && tls.handshake.extensions_supported_group == 0x11ec";
    let hybrid = tshark(&plain, &["-Y", filter, "-T", "fields", "-e", "frame.number"]).unwrap().lines().count() as u64;
    let offered = told["groups"].as_array().unwrap().iter().find(|usage| usage["name"] == "X25519MLKEM768").unwrap()["offered"].as_u64();
    assert_eq!(Some(hybrid), offered);
}

#[test]
fn tables_for_a_spreadsheet_have_a_row_for_each() {
    let night = fixtures().join("captures/incident/incident-small.pcapng.zst");
    let told = inventory(&[text(&night)]);
    for (table, rows) in [("servers", "servers"), ("clients", "clients"), ("certificates", "certificates")] {
        let csv = done(&["inventory", "--no-trust", "--csv", table, text(&night)]);
        assert_eq!(csv.lines().count(), told[rows].as_array().unwrap().len() + 1, "{table}");
        let columns = csv.lines().next().unwrap().split(',').count();
        assert!(columns > 10 && !csv.lines().next().unwrap().contains('"'));
    }
    let needs = done(&["inventory", "--no-trust", "--csv", "needs", text(&night)]);
    assert_eq!(needs.lines().filter(|line| line.starts_with("tls-1.2-and-older,client,")).count(), 16);
    assert!(done(&["inventory", "--no-trust", "--csv", "usage", text(&night)]).contains("\r\nversion,TLS 1.3,,false,55,269,255,223\r\n"));
}

#[test]
fn expectations_hold_or_not_and_the_exit_code_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let night = fixtures().join("captures/incident/incident-small.pcapng.zst");
    let [before, after, file] = ["before.pcapng", "after.pcapng", "shop.toml"].map(|name| dir.path().join(name));
    done(&["slice", text(&night), "--no-trust", "--until", "+5m", "-o", text(&before)]);
    done(&["slice", text(&night), "--no-trust", "--since", "+5m", "-o", text(&after)]);
    fs::write(&file, done(&["expect", "--no-trust", "--no-progress", "--learn", text(&before)])).unwrap();
    let (code, written, _) = run(&["expect", "--no-trust", text(&file), text(&before)]);
    assert_eq!(code, 0, "{written}");
    assert!(written.starts_with("As expected"));
    let (code, written, _) = run(&["expect", "--no-trust", text(&file), text(&after)]);
    assert_eq!(code, 1);
    for part in ["Not as expected", "shop.lab.test", "client-hello-dropped", "causes:", "frames"] {
        assert!(written.contains(part), "{part}: {written}");
    }
    // The same of rows, as an object.
    let rows = dir.path().join("rows");
    fs::write(&rows, done(&["read", "--json", "--no-trust", "--no-progress", text(&after)])).unwrap();
    let of = |path: &str| {
        let (code, written, said) = run(&["expect", "--json", "--no-trust", text(&file), path]);
        assert_eq!(code, 1, "{said}");
        serde_json::from_str::<Value>(&written).unwrap()
    };
    let (of_capture, of_rows) = (of(text(&after)), of(text(&rows)));
    assert_eq!(of_capture, of_rows);
    let example = &of_capture["services"].as_array().unwrap().iter().find(|service| service["service"] == "api.lab.test").unwrap();
    let causes = example["checks"].as_array().unwrap().iter().find(|check| check["what"] == "causes").unwrap();
    let shown = &causes["differences"][0];
    assert_eq!((&shown["found"], &shown["handshakes"]), (&"client-hello-dropped".into(), &15.into()));
    let id = shown["examples"][0]["id"].as_str().unwrap();
    assert!(done(&["show", "--no-trust", text(&after), id]).contains("client-hello-dropped"), "the id leads to the handshake");
}

#[test]
fn mistakes_of_the_file_are_told_with_their_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.toml");
    let night = fixtures().join("captures/incident/incident-small.pcapng.zst");
    fs::write(&file, "[[service]]\nname = \"shop.lab.test\"\nverions = [\"1.3\"]\n").unwrap();
    let said = refused(&["expect", text(&file), text(&night)]);
    assert!(said.contains("shop.toml: line 3: there is no key `verions`; did you mean `versions`?"), "{said}");
    let said = refused(&["expect", text(&night), text(&file)]);
    assert!(said.contains("is no file of expectations, which comes first"), "{said}");
    assert!(refused(&["expect", text(&file)]).contains("FILE"));
    assert!(refused(&["expect", "missing.toml", text(&night)]).contains("missing.toml"));
}

/// A handshake of SSL 2.0 (draft-hickman-netscape-ssl-00): what follows the CLIENT-MASTER-KEY is encrypted.
fn ssl2() -> Vec<u8> {
    let record = |body: Vec<u8>| [&[0x80 | (body.len() >> 8) as u8, body.len() as u8], body.as_slice()].concat();
    let kinds = [0x01, 0x00, 0x80, 0x07, 0x00, 0xc0];
    let client_hello = [&[1, 0, 2, 0, 6, 0, 0, 0, 16][..], &kinds, &[0x5a; 16]].concat();
    let server_hello = [&[4, 0, 1, 0, 2, 0, 40, 0, 6, 0, 16][..], &[0x30; 40], &kinds, &[0xa5; 16]].concat();
    let master_key = [&[2, 0x07, 0x00, 0xc0, 0, 0, 0, 64, 0, 8][..], &[0x77; 72]].concat();
    let encrypted = |byte: u8| record(vec![byte; 41]);
    let turns = vec![
        (Side::Client, record(client_hello)),
        (Side::Server, record(server_hello)),
        (Side::Client, record(master_key)),
        (Side::Server, encrypted(0xe1)),
        (Side::Client, encrypted(0xe2)),
        (Side::Server, encrypted(0xe3)),
        (Side::Client, encrypted(0xe4)),
        (Side::Server, encrypted(0xe5)),
    ];
    Conversation { turns, closed_by: Side::Client, start: 1_795_251_600_000_000_000 }.packets(&[1460]).pcap()
}

#[test]
fn ssl_2_is_in_every_form_of_the_inventory() {
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("old.pcap");
    fs::write(&capture, ssl2()).unwrap();
    let file = text(&capture);
    let report: Value = serde_json::from_str(done(&["read", "--json", "--no-trust", file]).lines().next().unwrap()).unwrap();
    assert_eq!((&report["network"]["protocol"], &report["tls"]["version"]), (&"ssl2".into(), &"ssl2".into()), "{report}");
    assert_eq!((&report["handshake"]["outcome"], &report["handshake"]["resumed"]), (&"completed".into(), &false.into()), "{report}");
    let told = inventory(&[file]);
    let version = &told["versions"][0];
    assert_eq!((&version["name"], &version["clients"], &version["completed"]), (&"SSL 2.0".into(), &1.into(), &1.into()), "{told}");
    let old = told["needs"].as_array().unwrap().iter().find(|need| need["what"] == "tls-1.0-and-older").unwrap();
    assert_eq!((&old["clients"][0]["address"], &old["servers"][0]["address"]), (&"10.9.0.1".into(), &"10.9.0.2".into()), "{told}");
    assert_eq!((&told["servers"][0]["versions"]["SSL 2.0"], &told["clients"][0]["newest_version"]), (&1.into(), &"SSL 2.0".into()));
    let csv = done(&["inventory", "--no-trust", "--csv", "usage", file]);
    assert!(csv.contains("\r\nversion,SSL 2.0,,false,1,1,1,1\r\n"), "{csv}");
    let words = done(&["inventory", "--no-trust", file]);
    assert!(words.contains("SSL 2.0") && words.contains("TLS 1.0 and older: 1 client and 1 server"), "{words}");
    let page = dir.path().join("page.html");
    done(&["report", "--no-trust", file, "-o", text(&page)]);
    assert!(fs::read_to_string(&page).unwrap().contains("SSL 2.0"));
    // Rows say the same.
    let rows = dir.path().join("rows");
    fs::write(&rows, done(&["read", "--json", "--no-trust", file])).unwrap();
    assert_eq!(without_inputs(inventory(&[text(&rows)])), without_inputs(told));
}
