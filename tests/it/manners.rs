//! How the program behaves on a terminal and to its user's settings: pager, width, colours, time zone, configuration.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use assert_cmd::prelude::*;
use predicates::prelude::*;
use predicates::str::contains;

use super::support::program::{handshark, text};
use super::support::skip::skip;
use super::support::{fixtures, incident};

fn expired() -> PathBuf {
    fixtures().join("captures/cert/cert_expired_tls12_java.pcap")
}

/// What comes out of a terminal of so many rows and columns in which the shell runs this; `None` where the machine has no script(1).
fn on_terminal(size: (u16, u16), environment: &[(&str, &str)], command: &str) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_handshark");
    let line = format!("stty rows {} cols {}; {}", size.0, size.1, command.replace("handshark", &format!("'{program}'")));
    let mut run = Command::new("script");
    run.args(["-qec", &line, "/dev/null"]).env("HANDSHARK_CONFIG", "").env("TERM", "xterm").env_remove("COLUMNS").env_remove("PAGER");
    run.env_remove("NO_COLOR").envs(environment.iter().copied()).stdin(std::process::Stdio::null());
    let Ok(output) = run.output() else {
        skip("script is not installed");
        return None;
    };
    Some(String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

#[test]
fn a_pager_takes_what_is_longer_than_the_screen_and_nothing_else() {
    let (short, long) = (expired(), incident());
    let (short, long) = (text(&short), text(&long));
    let paged = |rows: u16, command: &str| on_terminal((rows, 100), &[("HANDSHARK_PAGER", "sed s/^/PAGED:/")], command);
    let Some(out) = paged(24, &format!("handshark --no-progress --no-color {long}")) else { return };
    assert!(out.lines().filter(|line| !line.trim().is_empty()).all(|line| line.contains("PAGED:")), "{out}");
    for (rows, command) in [
        (60, format!("handshark --no-progress --no-color {short}")),
        (24, format!("handshark --no-progress --no-color --paging never {long}")),
        (24, format!("handshark --no-progress --no-color --json {long}")),
        (24, format!("handshark --no-progress --no-color -q {long}")),
        (24, format!("handshark --no-progress --no-color {long} | cat")),
    ] {
        let out = paged(rows, &command).unwrap();
        assert!(!out.contains("PAGED:") && out.contains("lab.test"), "{command}\n{out}");
    }
    let out = paged(60, &format!("handshark --no-progress --no-color --paging always {short}")).unwrap();
    assert!(out.contains("PAGED:"), "{out}");
    // One that is not there, and one that leaves at once.
    let out =
        on_terminal((24, 100), &[("HANDSHARK_PAGER", "no-such-pager")], &format!("handshark --no-progress --no-color {long}")).unwrap();
    assert!(out.contains("Incident 3"), "{out}");
    let left = format!("handshark --no-progress --no-color {long}; echo status $?");
    let out = on_terminal((24, 100), &[("PAGER", "head -n 1")], &left).unwrap();
    assert!(out.contains("112 of 415 handshakes failed") && out.contains("status 0") && !out.contains("Incident"), "{out}");
}

#[test]
fn the_width_is_the_one_asked_for_then_the_environments_then_the_terminals() {
    let capture = incident();
    let longest = |out: &str| {
        let lines = out.lines().filter(|line| !line.trim_start().starts_with("$ "));
        lines.map(|line| line.chars().count()).max().unwrap_or_default()
    };
    let piped = |arguments: &[&str], columns: &str| {
        let output = handshark().args(arguments).arg(&capture).env("COLUMNS", columns).output().unwrap();
        longest(&String::from_utf8(output.stdout).unwrap())
    };
    assert!((35..=40).contains(&piped(&[], "40")) && (35..=40).contains(&piped(&["--width", "40"], "200")));
    assert!((71..=80).contains(&piped(&[], "none")), "where nobody says");
    handshark().args(["--width", "39"]).arg(&capture).assert().code(2).stderr(contains("39"));
    if let Some(out) = on_terminal((50, 60), &[], &format!("handshark --no-progress --no-color --paging never {}", text(&capture))) {
        assert!((50..=60).contains(&longest(&out)), "{out}");
    }
}

#[test]
fn times_are_told_and_read_in_the_zone_asked_for() {
    let capture = incident();
    // Where no database of time zones is installed, a rule is as good as a name.
    let local = |arguments: &[&str]| {
        let output = handshark().args(["--tz", "local"]).args(arguments).arg(&capture).env("TZ", "<+0530>-5:30").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let out = local(&["--no-trust"]);
    assert!(out.contains("2026-11-21 14:30:03.913 to 14:44:52.297 +0530 (14 min 48 s)"), "{out}");
    assert!(out.contains("37 of 52 with shop.lab.test since 14:35:03") && out.contains("14:35:03.527 to 14:44:32.502"), "{out}");
    assert!(local(&["--json", "--no-trust"]).contains("\"2026-11-21T09:05:03.527"), "what programs read stays in UTC");
    let since = |time: &str, zone: &[&str]| {
        let output = handshark().args(zone).args(["--json", "--since", time]).arg(&capture).env("TZ", "<+0530>-5:30").output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.contains("\"kind\":\"handshake\"")).count()
    };
    let expected = since("09:10", &[]);
    assert!(expected > 10 && expected < 415);
    assert_eq!(since("14:40", &["--tz", "local"]), expected);
    assert_eq!(since("2026-11-21 14:40", &["--tz", "local"]), expected);
    assert_eq!(since("2026-11-21T09:10:00Z", &["--tz", "local"]), expected);
    for endless in ["/dev/zero", ":/dev/zero"] {
        handshark().args(["--tz", "local"]).arg(&capture).env("TZ", endless).assert().code(2).stderr(contains("no file of a time zone"));
    }
    handshark().args(["--tz", "Mars/Olympus"]).arg(&capture).assert().code(2).stderr(contains("Europe/Berlin"));
}

#[test]
fn settings_come_from_the_file_then_the_environment_then_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let capture = expired();
    fs::create_dir(dir.path().join("handshark")).unwrap();
    let file = dir.path().join("handshark/config");
    fs::write(&file, "# mine\n--color=always\n--quiet\n").unwrap();
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut run = handshark();
        run.env_remove("HANDSHARK_CONFIG").env("XDG_CONFIG_HOME", dir.path()).envs(variables.iter().copied());
        String::from_utf8(run.args(arguments).arg(&capture).output().unwrap().stdout).unwrap()
    };
    let quiet = run(&[], &[]);
    assert!(quiet.lines().count() == 1 && quiet.contains('\x1b'), "{quiet}");
    let plain = run(&[("HANDSHARK_COLOR", "never")], &[]);
    assert!(plain.lines().count() == 1 && !plain.contains('\x1b'), "{plain}");
    assert!(run(&[("HANDSHARK_COLOR", "never")], &["--verbose"]).contains("Evidence"), "what excludes a setting is stronger");
    assert!(run(&[("HANDSHARK_CONFIG", "")], &[]).contains("Evidence"), "no file");
    assert!(run(&[("HANDSHARK_PORT", "tcp://10.0.0.1:80"), ("HANDSHARK_CONFIG", "")], &[]).contains("Evidence"), "somebody else's");
    // Mistakes name the file, the line, and what would be right.
    let refused = |content: &str, says: &str| {
        fs::write(&file, content).unwrap();
        let place = format!("{}, line 2: ", file.display());
        let mut run = handshark();
        run.env("HANDSHARK_CONFIG", &file).arg(&capture).assert().code(2).stdout("").stderr(contains(place).and(contains(says)));
    };
    refused("\n--colour=never\n", "did you mean color");
    refused("\n--tz=Mars/Olympus\n", "Europe/Berlin");
    refused("\ncolor never\n", "--tz=local");
    // What has no end is not read, and what a relative HOME names lies where the captures lie.
    for endless in ["/dev/zero", text(dir.path())] {
        handshark().env("HANDSHARK_CONFIG", endless).arg("explain").assert().code(2).stderr(contains("is no regular file"));
        handshark().env("HANDSHARK_CONFIG", endless).arg("--version").assert().success();
    }
    fs::create_dir_all(dir.path().join(".config/handshark")).unwrap();
    fs::write(dir.path().join(".config/handshark/config"), "--nonsense\n").unwrap();
    let mut relative = handshark();
    relative.env_remove("HANDSHARK_CONFIG").env_remove("XDG_CONFIG_HOME").env("HOME", ".").current_dir(dir.path());
    relative.args(["explain", "certificate-expired"]).assert().success();
    handshark().env("HANDSHARK_CONFIG", dir.path().join("none")).arg(&capture).assert().code(2).stderr(contains("none: No such file"));
}

#[test]
fn what_is_no_file_and_no_handshake_is_called_neither() {
    handshark().arg("show").arg(expired()).arg("zzzz").assert().code(2).stderr(contains("no handshake or file is called zzzz"));
    handshark().arg("show").arg(expired()).arg("zzzz.pcap").assert().code(2).stderr(contains("cannot open zzzz.pcap"));
}

/// The command that a failure ends with shows that failure.
#[test]
fn the_command_behind_a_failure_works() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a 'b'.pcap");
    fs::copy(expired(), &odd).unwrap();
    let out = String::from_utf8(handshark().arg("--no-trust").arg(&odd).output().unwrap().stdout).unwrap();
    let line = out.lines().find_map(|line| line.trim().strip_prefix("$ handshark show ")).unwrap();
    let program = env!("CARGO_BIN_EXE_handshark");
    let shown = Command::new("sh").args(["-c", &format!("'{program}' show {line}")]).env("HANDSHARK_CONFIG", "").output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.starts_with(line.rsplit(' ').next().unwrap()) && shown.contains("Ladder"), "{shown}");
}
