//! What lies under deploy/ names options, commands and paths that there are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program::{done, handshark};

const UNIT: &str = include_str!("../../deploy/handshark.service");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Whether the command line takes these arguments: `--help` behind them is reached only if it does.
fn are_taken(arguments: &[String]) -> Result<(), String> {
    let output = handshark().args(arguments).arg("--help").output().unwrap();
    if output.status.success() { Ok(()) } else { Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr))) }
}

#[test]
fn the_services_give_options_that_there_are() {
    let offered = read("deploy/debian/default");
    let options: Vec<&str> = offered.lines().filter_map(|line| line.strip_prefix("#OPTIONS=")).collect();
    assert_eq!(options.len(), 1);
    let unit = UNIT.replace("\\\n", " ").replace("${INTERFACE}", "eth0").replace("$OPTIONS", options[0]);
    let started = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let [program, unit @ ..] = &shlex::split(started).unwrap()[..] else { panic!("{started}") };
    assert_eq!(program, "handshark");

    // Of either kind, as the node has it.
    let [pod, pod6] = ["192.0.2.1", "2001:db8::1"].map(|address| {
        let manifest = read("deploy/kubernetes.yaml").replace("$(NODE_ADDRESS)", address);
        let listed = manifest.lines().map(str::trim).skip_while(|line| *line != "args:").skip(1);
        listed.map_while(|line| line.strip_prefix("- ")).map(str::to_owned).collect::<Vec<String>>()
    });

    let containers = read("deploy/Containerfile");
    let images: Vec<Vec<String>> =
        containers.lines().filter_map(|line| line.strip_prefix("CMD ")).map(|list| serde_json::from_str(list).unwrap()).collect();
    assert_eq!(images.len(), 2);

    for arguments in [unit, &pod[..], &pod6[..], &images[1][..]] {
        assert!(arguments.len() > 3 && arguments[0] == "live", "{arguments:?}");
        are_taken(arguments).unwrap();
    }
    assert!(are_taken(&["live".to_owned(), "--interfaces=any".to_owned(), "--no-such".to_owned()]).is_err());
}

#[test]
fn the_commands_that_make_pages_and_completions_make_them() {
    let script = read("deploy/build");
    let called = script.lines().filter_map(|line| line.strip_prefix("\"$program\" "));
    let commands: Vec<Vec<&str>> = called.map(|line| line.split([' ', '|', '>']).take_while(|word| !word.is_empty()).collect()).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in &commands {
        assert!(done(command).len() > 1000, "{command:?}");
    }
    // How the script tells one page from the next.
    let pages = done(&["man"]);
    let count = |start: &str| pages.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(count(".ie "), count(".TH "));
    assert!(count(".TH ") > 8 && pages.contains(".TH handshark-live 1"));
}

#[test]
fn the_verdict_that_the_scripts_wait_for_is_given() {
    let said = done(&[root().join("fixtures/captures/cert/cert_expired_tls12_java.pcap").to_str().unwrap()]);
    for script in ["deploy/try", "tests/bare-machine"] {
        let text = read(script);
        let wanted = text.split("grep -q '^").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        assert!(said.lines().any(|line| line.starts_with(wanted)), "{script}: {wanted}\n{said}");
    }
}

#[test]
fn paths_in_deploy_files_exist_and_scripts_can_be_run() {
    let mut next = vec![root().join("deploy"), root().join(".github")];
    let mut named = 0;
    while let Some(path) = next.pop() {
        if path.is_dir() {
            next.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let script = text.starts_with("#!");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o111 != 0, script, "{}", path.display());
        if text.starts_with("#!/bin/sh") || text.starts_with("#!/usr/bin/env bash") {
            let shell = if text.starts_with("#!/bin/sh") { "sh" } else { "bash" };
            assert!(Command::new(shell).arg("-n").arg(&path).status().unwrap().success(), "{}", path.display());
        }
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)));
        for word in words.filter(|word| ["deploy/", "docs/", "fixtures/", "tests/"].iter().any(|start| word.starts_with(start))) {
            assert!(root().join(word.trim_end_matches('.')).exists(), "{}: {word}", path.display());
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_parts_of_the_service_know_each_other() {
    let user = UNIT.lines().find_map(|line| line.strip_prefix("User=")).unwrap();
    assert!(read("deploy/handshark.sysusers").lines().any(|line| line.starts_with(&format!("u {user} "))));
    let settings = UNIT.lines().find_map(|line| line.strip_prefix("EnvironmentFile=-")).unwrap();
    assert!(read("deploy/deb").contains(&format!("echo {settings} >")));
    for directory in ["/var/lib/", "/var/log/"] {
        assert!(UNIT.contains(&format!("{directory}{user}")) && read("deploy/debian/postrm").contains(&format!("{directory}{user}")));
    }
}

#[test]
fn systemd_takes_the_unit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handshark.service");
    // It looks for the program, too.
    fs::write(&path, UNIT.replace("ExecStart=handshark ", "ExecStart=/bin/true ")).unwrap();
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output() {
        Ok(out) => {
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success() && !said.contains("handshark.service:"), "{said}");
        }
        Err(_) => crate::support::skip::skip("systemd-analyze is not installed"),
    }
}
