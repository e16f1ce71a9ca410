//! What people see of a handful of captures, word for word. `BLESS=1 cargo test --test it golden` writes the files anew; read what changed in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::prelude::*;

use crate::support::fixtures;
use crate::support::program::handshark;

/// A name for the files in tests/golden, and the capture: one of each family of causes, and an outage with several.
const CAPTURES: [(&str, &str); 6] = [
    ("certificate-expired", "cert/cert_expired_tls12_java.pcap"),
    ("client-version-too-old", "version/ver_client_tls12_server_tls13_only.pcap"),
    ("outage", "incident/incident-small.pcapng.zst"),
    ("path-mtu-black-hole", "path/pmtu-blackhole-client-to-server.pcap"),
    ("quic-blocked", "quic/quic-udp-blocked-tcp-fallback.pcap"),
    ("starttls-not-offered", "starttls/starttls-smtp-refused.pcap"),
];

/// The ending of the files, and the command without the capture.
const VIEWS: [(&str, &[&str]); 3] = [("txt", &["read"]), ("show", &["show", "--width", "100"]), ("md", &["report", "--format", "md"])];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn holds(view: &str) {
    let (ending, command) = VIEWS.iter().find(|(ending, _)| *ending == view).unwrap();
    for (name, capture) in CAPTURES {
        let mut run = handshark();
        run.env("NO_COLOR", "1").current_dir(fixtures().join("captures")).args(*command).args(["--no-trust", "--no-progress", capture]);
        let path = directory().join(format!("{name}.{ending}"));
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(directory()).unwrap();
            fs::write(&path, run.assert().success().get_output().stdout.as_slice()).unwrap();
        } else {
            let wanted = fs::read_to_string(&path).unwrap_or_default();
            run.assert().append_context("golden file", path.display().to_string()).success().stdout(wanted);
        }
    }
}

#[test]
fn the_text_is_the_golden_one() {
    holds("txt");
}

#[test]
fn the_ladder_is_the_golden_one() {
    holds("show");
}

#[test]
fn the_markdown_is_the_golden_one() {
    holds("md");
}

#[test]
fn every_golden_file_is_compared() {
    let wanted: BTreeSet<String> =
        CAPTURES.iter().flat_map(|(name, _)| VIEWS.iter().map(move |(ending, _)| format!("{name}.{ending}"))).collect();
    let found: BTreeSet<String> =
        fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, wanted);
}
