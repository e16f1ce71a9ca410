//! The examples of docs/FORENSICS.md show what the program really writes.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::support::fixtures;

/// A command and what the document shows of its output; `…` alone on a line stands for lines left out.
struct Example {
    command: String,
    output: Vec<String>,
}

fn examples(document: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for block in document.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ handshark ") {
                Some(command) => found.push(Example { command: format!("handshark {command}"), output: Vec::new() }),
                None => found.last_mut().unwrap().output.push(line.to_owned()),
            }
        }
    }
    found
}

/// Whether the shown lines are those written, but for the gaps. The error is the first part that is not there.
fn compare(shown: &[String], written: &str) -> Result<(), String> {
    let lines: Vec<&str> = written.lines().collect();
    let mut at = 0;
    let mut parts = shown.split(|line| line == "…").peekable();
    let mut first = true;
    while let Some(part) = parts.next() {
        let starts = if first { at..=at } else { at..=lines.len() };
        first = false;
        let last = parts.peek().is_none();
        let place = starts.into_iter().find(|&start| {
            lines.get(start..start + part.len()).is_some_and(|found| found == part)
                && (!last || part.is_empty() || start + part.len() == lines.len())
        });
        at = place.ok_or_else(|| part.join("\n"))? + part.len();
    }
    Ok(())
}

#[test]
fn the_examples_are_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("captures/incident/incident-small.pcapng.zst", "night.pcapng.zst"),
        ("pairs/mtu-ignored.pcap", "client.pcap"),
        ("pairs/mtu-ignored.srv.pcap", "server.pcap"),
    ] {
        fs::copy(fixtures().join(from), dir.path().join(to)).unwrap();
    }
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORENSICS.md")).unwrap();
    let all = examples(&document);
    assert!(all.len() > 10, "{}", all.len());
    let programs = Path::new(env!("CARGO_BIN_EXE_handshark")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    for example in all {
        let run = Command::new("sh")
            .args(["-c", &format!("{} 2>&1", example.command)])
            .env("PATH", &path)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let written = String::from_utf8(run.stdout).unwrap();
        if let Err(missing) = compare(&example.output, &written) {
            panic!("$ {}\nis shown with\n{missing}\nand writes\n{written}", example.command);
        }
    }
}

#[test]
fn an_example_that_lies_is_found() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(compare(&shown("a\n…\nd"), "a\nb\nc\nd").is_ok());
    assert!(compare(&shown("…\nb\n…"), "a\nb\nc\nd").is_ok());
    assert!(compare(&shown("b\n…"), "a\nb").is_err());
    assert!(compare(&shown("a\n…\nb"), "a\nb\nc").is_err());
    assert!(compare(&shown("a\n…\nx\n…"), "a\nb\nc").is_err());
}
