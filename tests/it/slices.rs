//! What a slice keeps beside packets: interfaces, names, comments, nanoseconds, and keys by choice.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::fixtures;
use super::support::program::{self, done, text, tshark};

fn handshakes(path: &Path) -> Vec<Value> {
    program::handshakes(&done(&["read", "--json", "--no-trust", text(path)]))
}

/// A block of pcapng.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut out = [&code.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), value].concat();
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

const END: [u8; 4] = [0; 4];

/// The capture of many cipher suites as pcapng: with nanoseconds, an interface that says what it is, names, comments and all keys.
fn with_everything(dir: &Path) -> PathBuf {
    let folder = fixtures().join("captures/decryption");
    let (pcap, keys) = (fs::read(folder.join("suites.pcap")).unwrap(), fs::read(folder.join("suites.keys")).unwrap());
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    let head = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let mut out = block(0x0a0d_0d0a, &head);
    let link = word(20) as u16;
    let interface = [
        &link.to_le_bytes()[..],
        &[0; 6],
        &option(2, b"uplink0"),
        &option(3, b"to the provider"),
        &option(9, &[9]),
        &option(11, b"\0tcp port 4430 or tcp"),
        &END,
    ];
    out.extend(block(1, &interface.concat()));
    let name = |address: [u8; 4], name: &str| {
        let value = [&address[..], name.as_bytes(), &[0]].concat();
        option(1, &value)
    };
    out.extend(block(4, &[&name([127, 0, 0, 1], "gateway.lab.test")[..], &name([192, 0, 2, 9], "elsewhere.test"), &END].concat()));
    let secrets = [&0x544c_534b_u32.to_le_bytes()[..], &(keys.len() as u32).to_le_bytes(), &keys].concat();
    out.extend(block(10, &secrets));
    let mut at = 24;
    let mut number = 0_u64;
    while at + 16 <= pcap.len() {
        number += 1;
        let (seconds, micros, length) = (u64::from(word(at)), u64::from(word(at + 4)), word(at + 8) as usize);
        // Nanoseconds that microseconds would lose.
        let time = seconds * 1_000_000_000 + micros * 1000 + number % 1000;
        let data = &pcap[at + 16..at + 16 + length];
        let fixed = [0, (time >> 32) as u32, time as u32, length as u32, word(at + 12)].map(u32::to_le_bytes).concat();
        let mut body = [&fixed[..], data].concat();
        body.resize(body.len().next_multiple_of(4), 0);
        if number == 1 {
            body.extend(option(1, b"noted by hand"));
            body.extend(END);
        }
        out.extend(block(6, &body));
        at += 16 + length;
    }
    let path = dir.join("everything.pcapng");
    fs::write(&path, out).unwrap();
    path
}

#[test]
fn interfaces_names_comments_and_nanoseconds_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let whole = with_everything(dir.path());
    let out = dir.path().join("slice.pcapng");
    let before = handshakes(&whole);
    done(&["slice", text(&whole), "--server", ":4430", "--no-trust", "-o", text(&out)]);
    let after = handshakes(&out);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0]["handshake"]["start"], before[0]["handshake"]["start"]);
    assert!(after[0]["handshake"]["start"].as_str().unwrap().ends_with("001Z"), "{}", after[0]["handshake"]["start"]);
    assert_eq!(after[0]["capture"]["interface"], "uplink0");
    let fields = [
        "-T",
        "fields",
        "-e",
        "frame.interface_name",
        "-e",
        "frame.interface_description",
        "-e",
        "frame.time_epoch",
        "-e",
        "frame.comment",
    ];
    let Some(first) = tshark(&out, &[&["-c", "1"], &fields[..]].concat()) else { return };
    for part in ["uplink0", "to the provider", "noted by hand", "handshark: "] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let original = tshark(&whole, &["-c", "1", "-T", "fields", "-e", "frame.time_epoch"]).unwrap();
    assert!(first.contains(original.trim()), "{original}: {first}");
    let hosts = tshark(&out, &["-q", "-z", "hosts"]).unwrap();
    assert!(hosts.contains("gateway.lab.test") && !hosts.contains("elsewhere.test"), "{hosts}");
}

#[test]
fn a_file_without_interfaces_is_told_by_a_description_and_is_no_interface() {
    let dir = tempfile::tempdir().unwrap();
    let (trace, out) = (dir.path().join("trace.pcap"), dir.path().join("slice.pcapng"));
    fs::copy(fixtures().join("captures/cert/cert_expired_tls12_java.pcap"), &trace).unwrap();
    done(&["slice", text(&trace), "--no-trust", "-o", text(&out)]);
    assert_eq!(handshakes(&out)[0]["capture"].get("interface"), None);
    let description = option(3, b"trace.pcap");
    let written = fs::read(&out).unwrap();
    assert!(written.windows(description.len()).any(|part| part == description));
}

#[test]
fn keys_are_dropped_unless_they_are_asked_for_and_never_those_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let whole = with_everything(dir.path());
    let whole = text(&whole);
    let [without, with] = ["without.pcapng", "with.pcapng"].map(|name| dir.path().join(name));
    done(&["slice", whole, "--server", ":4430", "--no-trust", "-o", text(&without)]);
    done(&["slice", whole, "--server", ":4430", "--no-trust", "--secrets", "keep", "-o", text(&with)]);
    let keys = fs::read_to_string(fixtures().join("captures/decryption/suites.keys")).unwrap();
    let one = &handshakes(&with)[0];
    assert_eq!(one["handshake"]["decrypted"], true);
    assert_eq!(handshakes(&without)[0]["handshake"]["decrypted"], false);
    let random = one["tls"]["client"]["random"].as_str().unwrap();
    let holds = |path: &Path, line: &str| fs::read(path).unwrap().windows(line.len()).any(|part| part == line.as_bytes());
    let secrets: Vec<(&str, &str)> = keys.lines().filter_map(|line| line.split_once(' ')?.1.split_once(' ')).collect();
    assert!(secrets.len() > 10 && secrets.iter().any(|(of, _)| *of == random));
    for (of, secret) in secrets {
        assert!(!holds(&without, secret), "a key is in the slice without keys");
        assert_eq!(holds(&with, secret), of == random, "of {of}");
    }
}

#[test]
fn the_whole_capture_is_written_with_comments_on_what_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let whole = with_everything(dir.path());
    let out = dir.path().join("told.pcapng");
    done(&["slice", text(&whole), "--server", ":4430", "--no-trust", "--all-packets", "-o", text(&out)]);
    let (before, after) = (handshakes(&whole), handshakes(&out));
    let told = |all: &[Value]| -> Vec<(Value, Value)> {
        all.iter().map(|one| (one["handshake"]["id"].clone(), one["capture"]["first_frame"].clone())).collect()
    };
    assert!(before.len() > 10);
    assert_eq!(told(&before), told(&after), "every handshake is there, in its own frames");
    let Some(comments) = tshark(&out, &["-Y", "frame.comment contains \"handshark: \"", "-T", "fields", "-e", "tcp.dstport"]) else {
        return;
    };
    assert_eq!(comments.trim(), "4430");
    let hosts = tshark(&out, &["-q", "-z", "hosts"]).unwrap();
    assert!(hosts.contains("gateway.lab.test") && hosts.contains("elsewhere.test"), "{hosts}");
}

/// 415 handshakes, of which 37 met an expired certificate, 60 offered too old a version, 15 had their ClientHello dropped, and 15 were probes.
#[test]
fn the_post_dissector_makes_fields_of_the_comments() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("told.pcapng");
    let night = fixtures().join("captures/incident/incident-small.pcapng.zst");
    done(&["slice", text(&night), "--no-trust", "--all-packets", "-o", text(&out)]);
    let script = format!("lua_script:{}", Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/wireshark/handshark.lua").display());
    let fields = ["tcp.stream", "handshark.outcome", "handshark.cause", "handshark.confidence"];
    let columns: Vec<&str> = fields.iter().flat_map(|field| ["-e", field]).collect();
    for passes in [&[][..], &["-2"]] {
        let arguments = [&["-X", &script, "-Y", "handshark.outcome", "-T", "fields"], passes, &columns].concat();
        let Some(lines) = tshark(&out, &arguments) else { return };
        let of_streams: BTreeSet<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
        let with = |outcome: &str, cause: &str| of_streams.iter().filter(|row| row[1] == outcome && row[2] == cause).count();
        assert_eq!(of_streams.len(), 415);
        assert_eq!(with("alerted", "certificate-expired"), 37);
        assert_eq!(with("alerted", "client-version-too-old"), 60);
        assert_eq!(with("stalled", "client-hello-dropped"), 15);
        assert_eq!(with("closed", "tcp-probe"), 15);
        assert_eq!(with("completed", ""), 288);
        assert!(of_streams.iter().all(|row| row[2].is_empty() == row[3].is_empty()));
    }
    let proof = tshark(
        &out,
        &["-X", &script, "-Y", "handshark.evidence contains \"certificate_expired (45)\"", "-T", "fields", "-e", "handshark.cause"],
    );
    assert_eq!(proof.unwrap().lines().filter(|cause| *cause == "certificate-expired").count(), 37);
}

#[test]
fn a_connection_in_clear_on_which_a_verdict_rests_goes_along() {
    let dir = tempfile::tempdir().unwrap();
    let capture = fixtures().join("captures/multi/captive-portal-redirects.pcap");
    let slice = dir.path().join("slice.pcapng");
    // To the first the portal answers under the server's own address: what shows it is that another address of this client has the certificate, too.
    for address in ["203.0.113.10", "203.0.113.20", "203.0.113.30"] {
        done(&["slice", text(&capture), "--server", &format!("{address}:443"), "--no-trust", "--force", "-o", text(&slice)]);
        let causes = |path: &Path| -> Vec<(Value, Value)> {
            let of = |one: &&Value| one["server"]["ip"] == address;
            handshakes(path).iter().filter(of).map(|one| (one["handshake"]["id"].clone(), one["diagnosis"]["cause"].clone())).collect()
        };
        let (whole, alone) = (causes(&capture), causes(&slice));
        assert!(whole.len() == 1 && whole[0].1 == "captive-portal", "{whole:?}");
        assert_eq!(alone, whole);
    }
    let Some(location) = tshark(&slice, &["-Y", "http.response.code == 302", "-T", "fields", "-e", "http.location"]) else { return };
    assert!(location.contains("login.hotel-wifi.example"), "{location}");
}
