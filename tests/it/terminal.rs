//! What is said on standard error may hold strangers' words, and none of them acts on the terminal.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use handshark::output::escape::is_hazard;

use super::support::program::handshark;
use super::support::{fixtures, incident};

/// A window title, a bell, a colour, C1, text turned round, text that is not seen, other line ends.
const HOSTILE: &str = "a\u{1b}]0;pwn\u{7}\u{1b}[31m\u{9b}2J\r\n\t\u{202e}\u{200b}\u{2028}\u{7f}";

/// Runs, expects a refusal that names the word, and gives it.
fn refused(arguments: &[&str]) -> String {
    let output = handshark().args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    for line in said.lines() {
        assert!(!line.chars().any(is_hazard), "{arguments:?}: {said:?}");
    }
    assert!(!said.contains('\r') && said.contains("pwn"), "{arguments:?}: {said:?}");
    said
}

#[test]
fn names_of_files_are_escaped_in_every_error() {
    let directory = tempfile::tempdir().unwrap();
    let put = |ending: &str, bytes: &[u8]| {
        let path = directory.path().join(format!("{HOSTILE}{ending}"));
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = incident();
    let good = good.to_str().unwrap();
    let expired = fs::read(fixtures().join("captures/cert/cert_expired_tls12_java.pcap")).unwrap();
    let text = put(".pcap", b"x");
    let short = put("2.pcap", &expired[..20]);
    let packed = put("3.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]);
    let none = format!("{text}.none");
    let empty = directory.path().join(format!("{HOSTILE}-directory"));
    fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    let keyword = format!("@{none}");
    for arguments in [
        &[text.as_str()] as &[&str],
        &[&short],
        &[&packed],
        &[&none],
        &[empty],
        &["show", &text],
        &["report", &text, "-o", &none],
        &["report", good, "-o", empty],
        &["report", good, "-o", &text],
        &["report", good, "-o", &format!("{none}/page.html")],
        &["report", &text, "--force", "-o", &text],
        &["slice", good, "-o", &text],
        &["slice", &none, "-o", &text],
        &["certs", good, "-o", &text],
        &["diff", &none, good],
        &["match", good, &none],
        &["-k", &none, good],
        &["--ca-file", &none, good],
        &["--ca-file", &text, good],
        &["--ca-dir", &none, good],
        &["--anonymize", &keyword, good],
        #[cfg(feature = "parquet")]
        &["--parquet", &text, good],
    ] {
        refused(arguments);
    }
    // A line break in a name makes no line of its own.
    assert_eq!(refused(&[&none]).lines().count(), 1);
}

#[test]
fn words_of_the_command_line_are_escaped_in_every_mistake() {
    let good = incident();
    let good = good.to_str().unwrap();
    let option = format!("--{HOSTILE}");
    // A string has no line breaks.
    let word = HOSTILE.replace(['\r', '\n'], " ");
    let field = format!("handshake.outcome == '{word}' && handshake.pwn == 3");
    let open = format!("handshake.outcome == 'pwn{HOSTILE}");
    for arguments in [
        &[option.as_str(), good] as &[&str],
        &["-f", HOSTILE, good],
        &["--where", HOSTILE, good],
        &["--where", &field, good],
        &["--where", &open, good],
        &["--server", HOSTILE, good],
        &["--client", HOSTILE, good],
        &["--since", HOSTILE, good],
        &["--name", &format!("{{{HOSTILE}"), good],
        &["--outcome", HOSTILE, good],
        &["--cause", HOSTILE, good],
        &["--fail-on", HOSTILE, good],
        &["--stall-after", HOSTILE, good],
        &["--threads", HOSTILE, good],
        &["--format", HOSTILE, good],
        &["--color", HOSTILE, good],
        &["explain", HOSTILE],
        &["completions", HOSTILE],
        &["help", HOSTILE],
        &["show", good, "--id", HOSTILE],
        &["show", good, "--name", HOSTILE],
        &["live", "-i", "lo", "--metrics", HOSTILE],
        &["live", "-i", "lo", "--user", HOSTILE],
        &["live", "-i", HOSTILE],
    ] {
        refused(arguments);
    }
    // The mark stands below what it means, for what is escaped elsewhere takes one column here.
    let said = refused(&["--where", &field, good]);
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().position(|line| line.trim() == "^").unwrap();
    let column = lines[at].find('^').unwrap();
    let below: String = lines[at - 1].chars().skip(column).collect();
    assert!(below.starts_with("pwn == 3"), "{said}");
}

#[test]
fn names_that_are_no_text_are_told() {
    let name = std::ffi::OsStr::from_bytes(b"a\xff\x1b[31m.pcap");
    let output = handshark().arg(Path::new(name)).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("a\u{fffd}\\x1b[31m.pcap"));
}
