//! `show` and `report` as a user runs them.

use assert_cmd::prelude::*;
use predicates::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::program::{done, handshark, text};
use crate::support::{fixtures, incident};

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
        .stderr(predicate::str::contains("the only handshake is not what was asked for"));
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
    assert!(page.contains(&hash) && page.contains("<title>The handshake with ") && page.ends_with("</html>"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something is left beside the report");
    let nowhere = dir.path().join("none/report.html");
    handshark().arg("report").arg(capture()).arg("-o").arg(nowhere).assert().code(2).stderr(predicate::str::contains("cannot write"));
}

#[test]
fn report_writes_markdown_for_a_ticket() {
    let ticket = predicate::str::starts_with("# The handshake with ").and(predicate::str::contains("## 1. client-certificate-missing: "));
    handshark().arg("report").arg(capture()).args(["--format", "md"]).assert().success().stdout(ticket);
}

#[test]
fn show_takes_the_selection_of_read_and_tells_ids_that_are_alike() {
    let capture = incident();
    let capture = text(&capture);
    let shown = done(&["show", capture, "--where", "handshake.outcome == 'stalled'", "--since", "09:09", "-n", "2", "--no-progress"]);
    assert_eq!(shown.matches("handshark explain client-hello-dropped").count(), 2, "{shown}");
    assert!(shown.contains("handshakes more are asked for"), "{shown}");
    let id: String = shown.chars().take(16).collect();
    assert!(done(&["show", capture, &id]).starts_with(&id));
    assert!(done(&["show", capture, "--id", id.to_uppercase().as_str()]).starts_with(&id));
    // One digit wrong, and so short that it means several.
    let digit = if id.ends_with('0') { '1' } else { '0' };
    let wrong: String = id.chars().take(15).chain([digit]).collect();
    let like = predicate::str::contains("like it is").and(predicate::str::contains(id.as_str()));
    handshark().args(["show", capture, &wrong]).assert().code(2).stderr(like.and(predicate::str::contains("api.lab.test")));
    let several = predicate::str::contains("several handshakes").and(predicate::str::contains("certificate-expired"));
    handshark().args(["show", capture, "--cause", "certificate-expired", "--id", ""]).assert().code(2).stderr(several);
    handshark().args(["show", capture, "--name", "*.other.test"]).assert().code(2).stderr(predicate::str::contains("none of the 415"));
}

/// What tells who is who in the capture of the incident.
const NAMES: &[&str] = &["lab.test", "10.77.", "NetLab", "TLS Services", "incident-small"];

#[test]
fn what_is_shown_and_reported_can_be_anonymous() {
    let dir = tempfile::tempdir().unwrap();
    let capture = incident();
    let capture = text(&capture);
    let key = ["--anonymize", "correct horse battery staple"];
    let json = done(&[&["read", "--json", capture, "--cause", "certificate-expired"][..], &key[..]].concat());
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let id = first["handshake"]["id"].as_str().unwrap();
    let shown = done(&[&["show", capture, id][..], &key[..]].concat());
    assert!(shown.starts_with(id), "{shown}");
    let html = dir.path().join("report.html");
    let html = text(&html);
    let asked = ["--name", "shop.lab.test", "--filter", "host 10.77.2.22 or icmp or icmp6"];
    done(&[&["report", capture, "-o", html][..], &key[..]].concat());
    let page = std::fs::read_to_string(html).unwrap();
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(std::fs::read(incident()).unwrap()));
    assert!(page.contains("are pseudonyms") && page.contains(&hash));
    let ticket = done(&[&["report", capture, "--format", "md"][..], &asked[..], &key[..]].concat());
    assert!(ticket.contains("Asked for: name n") && ticket.contains("Capture filter: host "), "{ticket}");
    for text in [&shown, &page, &ticket] {
        for name in NAMES {
            assert!(!text.contains(name), "{name}");
        }
    }
}

#[test]
fn a_report_of_what_is_asked_for_speaks_of_that_only() {
    let capture = incident();
    let ticket = done(&["report", text(&capture), "--format", "md", "--cause", "client-hello-dropped", "--no-trust"]);
    let parts = [
        "# All 15 handshakes with api.lab.test failed for 14 clients ",
        "15 of 415 handshakes were asked for",
        "## Incident 1: client-hello-dropped",
        "- Asked for: cause client-hello-dropped",
    ];
    for part in parts {
        assert!(ticket.contains(part), "{part}\n{ticket}");
    }
    assert!(!ticket.contains("certificate-expired"), "{ticket}");
}

#[test]
fn an_output_never_replaces_an_input() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("night.pcap");
    std::fs::copy(capture(), &copy).unwrap();
    let copy = text(&copy);
    handshark().args(["report", copy, "-o", copy]).assert().code(2).stderr(predicate::str::contains("is an input"));
    #[cfg(feature = "parquet")]
    handshark().args(["read", copy, "--parquet", copy]).assert().code(2).stderr(predicate::str::contains("is an input"));
    assert_eq!(std::fs::read(copy).unwrap(), std::fs::read(capture()).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something is left beside the capture");
    let (keys, page) = (dir.path().join("keys.log"), dir.path().join("page.html"));
    std::fs::write(&keys, "# none\n").unwrap();
    let (directory, keys, page) = (text(dir.path()), text(&keys), text(&page));
    for arguments in [
        &["report", directory, "-o", copy, "--force"] as &[&str],
        &["slice", directory, "-o", copy, "--force"],
        #[cfg(feature = "parquet")]
        &["read", "-q", directory, "--parquet", copy, "--force"],
        &["report", copy, "--keylog", keys, "-o", keys, "--force"],
    ] {
        handshark().args(arguments).assert().code(2).stderr(predicate::str::contains("is an input"));
    }
    // What is no capture may lie among them.
    handshark().args(["report", directory, "-o", page]).assert().success();
    handshark().args(["report", directory, "-o", page, "--force"]).assert().success();
}

/// Two copies of a capture are two points, and the note names the command that compares them.
#[test]
fn a_command_with_the_names_of_files_can_be_pasted() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["#c.pcap", "$(touch PWN).pcap"] {
        std::fs::copy(capture(), dir.path().join(name)).unwrap();
    }
    let said = done(&["read", "--json", text(dir.path())]);
    let at = text(dir.path());
    assert!(said.contains(&format!("handshark match '{at}/#c.pcap' '{at}/$(touch PWN).pcap'\"")), "{said}");
}
