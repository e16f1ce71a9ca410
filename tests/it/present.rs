//! `show` and `report` as a user runs them.

use assert_cmd::Command;
use predicates::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::fixtures;

fn handshark() -> Command {
    Command::new(env!("CARGO_BIN_EXE_handshark"))
}

fn capture() -> std::path::PathBuf {
    fixtures().join("captures/client-cert/clientcert_missing_tls12_gnutls.pcap")
}

#[test]
fn show_takes_the_first_failure_and_says_when_there_is_none_like_that() {
    let ladder = predicate::str::contains("CertificateRequest").and(predicate::str::contains("client-certificate-missing"));
    handshark().args(["show", "--no-trust"]).arg(capture()).assert().success().stdout(ladder);
    handshark()
        .arg("show")
        .arg(capture())
        .arg("00000000")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("no handshake has the id 00000000"));
    handshark()
        .arg("show")
        .arg(capture())
        .args(["--name", "other.test"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("none of the 1"));
    let empty = fixtures().join("captures/load/load-client-idle.pcap");
    handshark().arg("show").arg(empty).args(["--outcome", "plaintext"]).assert().code(2);
}

#[test]
fn report_writes_a_whole_file_with_the_hash_of_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    handshark().arg("report").arg(capture()).arg("-o").arg(&path).arg("--no-progress").assert().success().stdout("");
    let page = std::fs::read_to_string(&path).unwrap();
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(std::fs::read(capture()).unwrap()));
    assert!(page.contains(&hash) && page.contains("1 of 1 failed") && page.ends_with("</html>"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something is left beside the report");
    let nowhere = dir.path().join("none/report.html");
    handshark().arg("report").arg(capture()).arg("-o").arg(nowhere).assert().code(2).stderr(predicate::str::contains("cannot write"));
}

#[test]
fn report_writes_markdown_for_a_ticket() {
    let ticket =
        predicate::str::starts_with("# TLS handshakes: 1 of 1 failed").and(predicate::str::contains("| client-certificate-missing | 1 |"));
    handshark().arg("report").arg(capture()).args(["--format", "md"]).assert().success().stdout(ticket);
}
