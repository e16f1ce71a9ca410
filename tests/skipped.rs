//! The last lines of `cargo test`: how many tests could not run here, and why. Runs behind `it`, which makes the list.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

#[path = "it/support/skip.rs"]
mod skip;

fn main() {
    let list = skip::list();
    let text = fs::read_to_string(&list).unwrap_or_default();
    let _ = fs::remove_file(list);
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (why, test) in text.lines().filter_map(|line| line.split_once('\t')) {
        reasons.entry(why).or_default().insert(test);
    }
    let tests: BTreeSet<&str> = reasons.values().flatten().copied().collect();
    match tests.len() {
        0 => println!("\nNo test was skipped."),
        1 => println!("\n1 test was skipped, in whole or in part:"),
        more => println!("\n{more} tests were skipped, in whole or in part:"),
    }
    for (why, tests) in reasons {
        println!("{:4}  {why}", tests.len());
    }
}
