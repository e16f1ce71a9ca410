//! The command as people and scripts use it: what it prints, where, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use assert_cmd::prelude::*;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::fixtures;
use crate::support::program::{handshark, objects};

const EXPIRED: &str = "cert/cert_expired_tls12_java.pcap";
const GOOD: &str = "success/ok_tls13_ed25519.pcap";

fn capture(name: &str) -> PathBuf {
    fixtures().join("captures").join(name)
}

fn run(arguments: &[&str], file: &Path) -> Output {
    handshark().args(arguments).arg(file).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn write(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_line_of_a_handshake_says_that_it_lies_inside_another() {
    let keys = fs::read_to_string(capture("proxy/proxy-over-tls-ok.keys")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    // As PowerShell writes a key log, too.
    let wide: Vec<u8> = format!("\u{feff}{keys}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for keys in [write(&dir, "narrow.keys", keys.as_bytes()), write(&dir, "wide.keys", &wide)] {
        let said = stdout(&run(&["--all", "--keylog", keys.to_str().unwrap()], &capture("proxy/proxy-over-tls-ok.pcap")));
        let lines: Vec<bool> = said.lines().filter(|line| line.contains(" → ")).map(|line| line.contains("inside tls")).collect();
        assert!(lines.len() == 2 && said.matches("inside tls").count() == 1, "{said}");
    }
}

#[test]
fn text_says_the_cause_and_the_fix() {
    let output = handshark().arg(capture(EXPIRED)).assert().success().stderr("").get_output().clone();
    let text = stdout(&output);
    for part in [
        "certificate-expired",
        "www.lab.test",
        "expired on 2025-01-01",
        "frame 10",
        "certificate_expired (45)",
        "Fix",
        "$ openssl s_client -connect 10.77.0.2:443",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colour in a pipe");
    // Commands are not broken, so that they can be copied.
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80 && !line.trim_start().starts_with('$')).collect();
    assert!(long.is_empty(), "over 80 columns: {long:?}");
    let named = handshark().arg("read").arg(capture(EXPIRED)).output().unwrap();
    assert_eq!(stdout(&named), text, "`read` is the default");
}

#[test]
fn the_demo_needs_no_capture_and_writes_the_one_it_has() {
    let causes = ["path-mtu-black-hole", "reset-injected", "client-version-too-old", "certificate-expired", "starttls-not-offered"];
    let shown = stdout(handshark().arg("demo").assert().success().stderr("").get_output());
    for part in causes.iter().chain(&["demo.pcap", "handshark demo --write demo.pcap"]) {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("demo.pcap");
    handshark().args(["demo", "--write"]).arg(&path).assert().success().stdout("").stderr(contains("wrote the demo's capture to"));
    let lines = objects(&stdout(&run(&["--json"], &path)));
    let found: Vec<&str> = lines.iter().filter_map(|line| line["diagnosis"]["cause"].as_str()).collect();
    assert_eq!(found, causes);
    assert_eq!(lines.iter().filter(|line| line["handshake"]["outcome"] == "completed").count(), 1);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[..4], 0xa1b2_c3d4_u32.to_le_bytes(), "it is a pcap as every tool reads it");
    handshark().args(["demo", "--write"]).arg(&path).assert().code(2).stderr(contains("--force"));
    assert_eq!(handshark().args(["demo", "--write", "-"]).assert().success().get_output().stdout, bytes);
}

#[test]
fn json_is_one_object_a_line_and_nothing_else() {
    let output = handshark().arg("--json").arg(capture(EXPIRED)).arg(capture(GOOD)).assert().success().stderr("").get_output().clone();
    let objects = objects(&stdout(&output));
    let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["handshake", "handshake", "summary"]);
    assert!(objects.iter().all(|object| object["schema"] == "handshark/2"));
    let causes: Vec<&Value> = objects.iter().map(|object| &object["diagnosis"]["cause"]).filter(|cause| !cause.is_null()).collect();
    assert_eq!(causes, ["certificate-expired"]);
    assert_eq!(objects[2]["outcomes"]["completed"], 1);
}

#[test]
fn exit_codes_tell_scripts_what_was_found() {
    let code = |list: &str, name: &str| handshark().args(["-q", "--fail-on", list]).arg(capture(name)).output().unwrap().status.code();
    assert_eq!(code("failed", EXPIRED), Some(1));
    assert_eq!(code("failed", GOOD), Some(0));
    assert_eq!(code("certificate-expired", EXPIRED), Some(1));
    assert_eq!(code("no-common-version,certificate-expired", EXPIRED), Some(1));
    assert_eq!(code("no-common-version", EXPIRED), Some(0));
    assert_eq!(run(&["-q"], &capture(EXPIRED)).status.code(), Some(0), "without --fail-on findings are no failure");
    handshark()
        .args(["--fail-on", "cert-expired"])
        .arg(capture(EXPIRED))
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("did you mean certificate-expired"));
}

#[test]
fn what_cannot_be_read_is_said_once_and_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |path: &Path, with: &str| {
        let said = handshark().arg(path).assert().code(2).stdout("").get_output().stderr.clone();
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("handshark: ") && said.contains(with) && said.lines().count() == 1, "{said}");
        assert_eq!(said.matches(with).count(), 1, "said twice: {said}");
    };
    fails(&dir.path().join("missing.pcap"), "No such file");
    fails(&write(&dir, "empty.pcap", b""), "it is empty");
    fails(&write(&dir, "notes.txt", b"Tuesday: the site was down again\n"), "it is text");
    fs::create_dir(dir.path().join("sub")).unwrap();
    fails(&dir.path().join("sub"), "no capture file in");
    handshark().arg("-").stdin(Stdio::null()).assert().code(2).stderr(contains("it is empty"));
    handshark().arg("--colour").arg(capture(GOOD)).assert().code(2).stderr(contains("--color"));
    handshark().assert().code(2).stderr(contains("Usage"));
}

#[test]
fn a_directory_is_read_whole_and_what_is_no_capture_in_it_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("rotated")).unwrap();
    fs::copy(capture(EXPIRED), dir.path().join("rotated/2.pcap")).unwrap();
    fs::copy(capture(GOOD), dir.path().join("1.pcap")).unwrap();
    write(&dir, "README", b"captures of Tuesday\n");
    let objects = objects(&stdout(&run(&["--json"], dir.path())));
    assert_eq!(objects.iter().filter(|object| object["kind"] == "handshake").count(), 2);
    assert_eq!(objects.last().unwrap()["inputs"].as_array().unwrap().len(), 2);
}

#[test]
fn compressed_captures_are_read_by_their_magic() {
    let dir = tempfile::tempdir().unwrap();
    let large = fs::read(capture("cert/cert_toolarge_tls12_openssl.pcap")).unwrap();
    for (name, bytes) in packed(&fs::read(capture(EXPIRED)).unwrap()) {
        // The name says nothing.
        let objects = objects(&stdout(&run(&["--json"], &write(&dir, "capture.pcap", &bytes))));
        assert_eq!(objects[0]["diagnosis"]["cause"], "certificate-expired", "{name}");
        assert_eq!(objects[1]["inputs"][0]["format"], format!("pcap, {name}"));
    }
    for (name, bytes) in packed(&large) {
        let cut = run(&[], &write(&dir, "cut.pcap", &bytes[..bytes.len() - 20]));
        assert_eq!(cut.status.code(), Some(0), "{name}: what came before the damage counts");
        let text = stdout(&cut);
        assert!(text.contains("data is ") && text.contains("The handshake with "), "{name}: {text}");
    }
}

/// The bytes, compressed in every way.
fn packed(bytes: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    let blocks = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(blocks, Vec::new());
    lz4.write_all(bytes).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(bytes).unwrap();
    [
        ("gzip", gzip.finish().unwrap()),
        ("lz4", lz4.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("zstd", zstd::encode_all(bytes, 1).unwrap()),
    ]
}

#[test]
fn standard_input_is_analysed_as_it_comes() {
    let mut child = handshark().args(["--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut into, mut out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for piece in fs::read(capture(GOOD)).unwrap().chunks(700) {
        into.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!(objects(&first)[0]["handshake"]["outcome"], "completed", "before the end of the input");
    drop(into);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(objects(&rest).last().unwrap()["kind"], "summary");
    assert!(child.wait().unwrap().success());
}

/// Waits, but not for ever.
fn ends(child: &mut Child) -> ExitStatus {
    for _ in 0..1_000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("it does not end");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_with_what_was_read_so_far_even_if_nothing_more_comes() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for threads in ["1", "4"] {
        let mut child = handshark().args(["--json", "--threads", threads]).arg(&fifo).stdout(Stdio::piped()).spawn().unwrap();
        let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
        writer.write_all(&fs::read(capture(GOOD)).unwrap()).unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        if threads == "1" {
            // Reported while the writer lives.
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
        } else {
            std::thread::sleep(Duration::from_secs(1));
        }
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
        assert_eq!(ends(&mut child).code(), Some(130));
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        let summary = objects(&text).pop().unwrap();
        assert_eq!((&summary["kind"], &summary["handshakes"], &summary["frames"]), (&"summary".into(), &1.into(), &25.into()));
        drop(writer);
    }
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let mut child =
        handshark().args(["--json"]).arg(fixtures().join("captures")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    // The reader goes away with the rest unread, of which there is more than a pipe holds.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(objects(&first)[0]["kind"], "handshake");
    assert_eq!(ends(&mut child).code(), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn a_filter_takes_what_it_says_and_a_wrong_one_is_refused() {
    let with = |filter: &str| run(&["--json", "--filter", filter], &capture(EXPIRED));
    assert_eq!(objects(&stdout(&with("host 10.77.0.1 or icmp or icmp6"))).len(), 2);
    let none = with("host 192.0.2.99 or icmp or icmp6");
    assert_eq!((none.status.code(), objects(&stdout(&none)).len()), (Some(0), 1));
    let warned = with("tcp port 443");
    assert!(String::from_utf8_lossy(&warned.stderr).contains("ICMP"), "a filter without ICMP is warned of");
    let wrong = with("tcp prot 443");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty() && String::from_utf8_lossy(&wrong.stderr).contains("tcp prot 443"));
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    for format in ["json", "text", "csv", "md"] {
        let with = |threads: &str| {
            let files = ["multi", "starttls", "cert", "load"].map(|family| fixtures().join("captures").join(family));
            handshark().args(["--all", "--format", format, "--threads", threads]).args(files).output().unwrap().stdout
        };
        let alone = with("1");
        assert!(alone.len() > 10_000);
        assert!(alone == with("4"), "{format} differs");
    }
}

#[test]
fn colour_is_for_terminals_unless_told() {
    let has = |arguments: &[&str], environment: &[(&str, &str)]| {
        let output = handshark().args(arguments).arg(capture(EXPIRED)).envs(environment.iter().copied()).output().unwrap();
        stdout(&output).contains('\x1b')
    };
    assert!(!has(&[], &[]));
    assert!(has(&["--color", "always"], &[]));
    assert!(has(&["--color", "always"], &[("NO_COLOR", "1")]), "what is asked for goes before the environment");
    assert!(has(&[], &[("FORCE_COLOR", "1")]) && !has(&[], &[("FORCE_COLOR", "0")]));
    assert!(!has(&["--no-color"], &[("FORCE_COLOR", "1")]) && !has(&[], &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")]));
    assert!(!has(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!has(&[], &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    assert!(!has(&["--json", "--color", "always"], &[]), "colour would spoil JSON");
}

#[test]
fn all_lists_the_completed_too_and_quiet_only_the_failed() {
    let all = stdout(&run(&["--all"], &capture(GOOD)));
    assert!(all.contains("www.lab.test (10.77.0.2:443)  completed") && all.contains("TLS 1.3"), "{all}");
    assert!(!stdout(&run(&[], &capture(GOOD))).contains("10.77.0.2"));
    assert_eq!(stdout(&run(&["-q"], &capture(GOOD))), "");
    let quiet = stdout(&run(&["-q"], &capture(EXPIRED)));
    assert!(quiet.lines().count() == 1 && quiet.contains("certificate-expired"), "{quiet}");
    let verbose = stdout(&run(&["-v"], &capture(EXPIRED)));
    assert!(verbose.len() > stdout(&run(&[], &capture(EXPIRED))).len());
}

#[test]
fn csv_has_a_header_and_a_row_for_each_handshake() {
    let text = stdout(&run(&["--format", "csv"], &capture(EXPIRED)));
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].starts_with("start,end,client_address,"));
    assert!(rows[1].contains(",10.77.0.2,443,www.lab.test,") && rows[1].contains(",certificate-expired,"));
}

#[test]
fn markdown_is_ready_for_a_ticket() {
    let text = stdout(&run(&["--format", "md"], &capture(EXPIRED)));
    let answer = "# The handshake with www.lab.test failed at 22:22:19: the server's certificate had expired when it was served\n";
    assert!(text.starts_with(answer), "{text}");
    assert!(text.contains("- 1 handshake: 1 failed\n") && text.contains("    openssl s_client "), "{text}");
}

#[test]
fn causes_are_explained() {
    handshark()
        .arg("explain")
        .assert()
        .success()
        .stdout(contains("certificate-expired").and(contains("path-mtu-black-hole")).and(contains("psk")));
    handshark()
        .args(["explain", "certificate-expired"])
        .assert()
        .success()
        .stdout(contains("What it means").and(contains("How it is recognised")).and(contains("How to fix it")).and(contains("References")));
    handshark().args(["explain", "48"]).assert().success().stdout(contains("certificate-untrusted-ca").and(contains("48 unknown_ca")));
    handshark()
        .args(["explain", "unsafe", "legacy", "renegotiation", "disabled"])
        .assert()
        .success()
        .stdout(contains("renegotiation-refused"));
    handshark().args(["explain", "certificate-expird"]).assert().code(2).stdout("").stderr(contains("did you mean certificate-expired"));
}

#[test]
fn shells_and_man_are_served() {
    for shell in ["bash", "zsh", "fish"] {
        handshark().args(["completions", shell]).assert().success().stdout(contains("handshark").and(contains("fail-on")));
    }
    handshark().arg("man").assert().success().stdout(contains(".TH handshark 1").and(contains("EXIT").or(contains("Exit codes"))));
    handshark().arg("--version").assert().success().stdout(contains(env!("CARGO_PKG_VERSION")));
    handshark().arg("--help").assert().success().stdout(contains("Examples:"));
}

#[test]
fn nothing_found_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    // Link type 250 is read by nobody here.
    let mut bytes = fs::read(capture(GOOD)).unwrap();
    bytes[20..24].copy_from_slice(&250u32.to_le_bytes());
    let text = stdout(&run(&[], &write(&dir, "link.pcap", &bytes)));
    assert!(text.contains("No TLS handshake was found") && text.contains("link type 250"), "{text}");
    // Headers alone: a capture of nothing.
    let text = stdout(&run(&[], &write(&dir, "nothing.pcap", &fs::read(capture(GOOD)).unwrap()[..24])));
    assert!(text.starts_with("The capture holds no packets.") && text.contains("The capture is empty: it was stopped too early"), "{text}");
}

#[test]
fn a_damaged_file_is_read_up_to_the_damage() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fs::read(capture(EXPIRED)).unwrap();
    let output = run(&[], &write(&dir, "cut.pcap", &bytes[..bytes.len() - 7]));
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.matches("not complete at byte").count() == 1 && text.contains("after frame 12") && text.contains("certificate-expired"),
        "{text}"
    );
}

/// What it says when it is there: `mcp.rs`.
#[cfg(not(all(feature = "mcp", target_os = "linux")))]
#[test]
fn a_build_without_mcp_says_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    handshark().arg("mcp").arg(dir.path()).assert().code(2).stderr(contains("cargo build --release --features mcp"));
}
