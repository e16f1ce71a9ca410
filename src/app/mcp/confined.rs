//! The process of one call: it can read the captures beneath the directory, and what says whose certificates are trusted; it writes to its outputs only.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use serde_json::json;

use crate::app::confinement::confine;
use crate::capture::{self, Listed};
use crate::cli::{self, McpOptions};
use crate::limits;
use crate::output::json;
use crate::time::Timestamp;

/// Confines this process, then runs the command that an agent's call was made into, without the user's defaults.
pub(super) fn call(options: &McpOptions) -> anyhow::Result<u8> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if nobody_reads() {
        return Ok(cli::EXIT_DONE);
    }
    let directory = &options.directory;
    env::set_current_dir(directory).with_context(|| format!("cannot enter {}", directory.display()))?;
    capture::read_only_beneath(directory).with_context(|| format!("cannot open {}", directory.display()))?;
    for (resource, most) in [(Resource::As, limits::AGENT_SPACE), (Resource::Fsize, 0), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // What the kernel does not know of this is left out: beneath the directory it stays all the same.
    confine(&readable(options), &[], false)?;
    if let [list, _, below] = options.call.as_slice()
        && list == "list"
    {
        return list_captures(Path::new(below)).map(|()| cli::EXIT_DONE);
    }
    let words = std::iter::once(OsString::from("handshark")).chain(options.call.iter().cloned());
    match cli::parse(words, &[]) {
        Ok(command) => super::super::run(command),
        Err(error) => {
            cli::tell(error);
            Ok(cli::EXIT_FAILED)
        }
    }
}

/// Whether the server has ended already, before its end could end this process.
fn nobody_reads() -> bool {
    let out = io::stdout();
    let mut polled = [PollFd::new(&out, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok() && polled.iter().any(|polled| polled.revents().contains(PollFlags::ERR))
}

/// The directory, and where systems keep the authorities that they trust.
fn readable(options: &McpOptions) -> Vec<PathBuf> {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let trust = options.trust.files.iter().chain(&options.trust.directories).cloned();
    let mut all: Vec<PathBuf> = TRUST.iter().map(PathBuf::from).chain(named).chain(trust).collect();
    // Where they are links, what they lead to.
    all.extend(all.clone().into_iter().filter_map(|path| fs::canonicalize(path).ok()));
    all.push(options.directory.clone());
    all
}

const TRUST: &[&str] = &[
    "/etc/ssl",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/share/pki",
    "/usr/local/share/ca-certificates",
    "/var/lib/ca-certificates",
];

/// Writes a line for each capture and for each file of rows.
fn list_captures(below: &Path) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let captures = capture::list(below)?;
    let (rows, _) = capture::split_rows(&[below.to_owned()])?;
    for Listed { path, bytes, first, problem } in captures {
        // A name that is no text cannot be asked for.
        let problem = problem.or_else(|| path.to_str().is_none().then(|| "its name is not UTF-8: rename it".to_owned()));
        let mut file = json!({"name": path.to_string_lossy(), "kind": "capture", "bytes": bytes});
        if let Some(file) = file.as_object_mut() {
            file.extend(first.map(|first: Timestamp| ("first_time".to_owned(), first.to_string().into())));
            file.extend(problem.map(|problem| ("problem".to_owned(), problem.into())));
        }
        json::line(&mut out, &file)?;
    }
    for path in rows {
        json::line(&mut out, &json!({"name": path.to_string_lossy(), "kind": "rows"}))?;
    }
    Ok(())
}
