//! The program as its users run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The command with a plain environment.
pub fn handshark() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handshark"));
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "COLUMNS", "PAGER"] {
        command.env_remove(variable);
    }
    // No configuration file.
    command.env("TERM", "xterm").env("HANDSHARK_CONFIG", "");
    command
}

fn run(arguments: &[&str]) -> Output {
    handshark().args(arguments).output().unwrap()
}

/// What it prints when it can do what is asked.
pub fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it says when it cannot.
pub fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// Every line as an object.
pub fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The handshakes among what `--json` writes.
pub fn handshakes(json: &str) -> Vec<Value> {
    objects(json).into_iter().filter(|line| line["kind"] == "handshake").collect()
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What tshark says of a capture; `None` where it is not installed.
pub fn tshark(path: &Path, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new("tshark").arg("-r").arg(path).args(arguments).output() else {
        super::skip::skip("tshark is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Python with this module; none where there is none.
pub fn python_with(module: &str) -> Option<PathBuf> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Some(python.into());
    }
    super::skip::skip(&format!("Python has no module {module}; set PYTHON to one that has"));
    None
}
