//! A mutation campaign against the command line: the bundled captures are made to lie, and every subcommand has to survive it.
//!
//! ```text
//! tests/mutate --count 2000 --seed 7 --jobs 2      the long form; see --help
//! cargo test --test mutations                      a taste of it
//! ```
//!
//! The same seed, count, jobs and fixtures give the same inputs. A finding is kept under `target/mutate` with the command that showed it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a campaign fails by panicking"
)]

mod campaign;
mod file;
mod frames;
mod layout;
mod numbers;
mod payload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use campaign::{Campaign, Corpus, Tally};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const HELP: &str = "\
Makes the bundled captures lie, and runs every subcommand on each.

    --count N      inputs for each job (100)
    --seconds S    stop after this long
    --seed S       the first job's seed; the next job has the next one (1)
    --jobs J       at a time (1)
    --bin PATH     the program, where it is not the one that cargo built
    --times        all times are extreme
    --timeout S    seconds that a run may take (20)
    --memory MB    address space that a run may take (2048)

A finding is a panic or a signal, an exit status other than 0, 1 and 2, no end in time, JSON that is none, a control or
format character in what is printed, and other bytes with four threads than with one. Exit status 0 when nothing was found.";

#[derive(Debug, Clone)]
struct Options {
    count: u64,
    seconds: Option<u64>,
    seed: u64,
    jobs: u64,
    times: bool,
    timeout: u64,
    memory: u64,
    program: PathBuf,
}

impl Options {
    /// `None`: there is nothing to run. What is not known is meant for tests of the usual kind and passed over.
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            count: 100,
            seconds: None,
            seed: 1,
            jobs: 1,
            times: false,
            timeout: 20,
            memory: 2048,
            program: env!("CARGO_BIN_EXE_handshark").into(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            let mut number = || value().parse().unwrap_or_else(|_| panic!("{word} needs a number"));
            match word.as_str() {
                "--count" => options.count = number(),
                "--seconds" => options.seconds = Some(number()),
                "--seed" => options.seed = number(),
                "--jobs" => options.jobs = number(),
                "--timeout" => options.timeout = number(),
                "--memory" => options.memory = number(),
                "--bin" => options.program = value().into(),
                "--times" => options.times = true,
                "--help" => {
                    println!("{HELP}");
                    return None;
                }
                "--list" => return None,
                // The name of a test, of which there is none here.
                name if !name.starts_with('-') => return None,
                _ => {}
            }
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::read(std::env::args().skip(1)) else { return ExitCode::SUCCESS };
    let limit = |resource, bytes: u64| {
        let most = getrlimit(resource).maximum;
        setrlimit(resource, Rlimit { current: Some(bytes), maximum: most }).unwrap();
    };
    // The runs inherit them.
    limit(Resource::As, options.memory << 20);
    limit(Resource::Core, 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = kept(root);
    let corpus = Corpus::of(&root.join("fixtures"));
    println!("{} captures, {} key logs; findings go to {}", corpus.captures.len(), corpus.key_logs.len(), out.display());
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let jobs: Vec<_> = (0..options.jobs)
            .map(|job| {
                let (options, corpus, out) = (&options, &corpus, &out);
                scope.spawn(move || {
                    let seed = options.seed + job;
                    let mut campaign = Campaign::new(corpus, out, seed, options);
                    campaign.run(options.count, options.seconds.map(Duration::from_secs))
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    println!("{} inputs, {} runs, {} findings", sum(|tally| tally.inputs), sum(|tally| tally.runs), sum(|tally| tally.findings));
    if sum(|tally| tally.findings) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where findings are kept.
fn kept(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("mutate")
}
