//! Tests that cannot run here: told, and counted in the last lines of `cargo test` by `tests/skipped.rs`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};

/// Notes that the test which calls this leaves something out, and why.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {why}");
    let path = list();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // One write for a line: tests run at the same time.
    let mut list = OpenOptions::new().create(true).append(true).open(path).unwrap();
    list.write_all(format!("{why}\t{test}\n").as_bytes()).unwrap();
}

/// The list of one `cargo test`, which starts all test programs.
pub fn list() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("skipped-{}", parent_id()))
}
