//! Who owns the local ends of connections: the process that looks is started here, and this is what it does first.
//!
//! It is this program again, under another name, with a memory of its own. It keeps the rights to look into other users' processes, which this process
//! gives up, and gives up all else: it reads no packet, writes no file, and talks to this process only.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::privileges::{self, Identity};
use crate::app::present::now;
use crate::capture::{FrameSource, looked_at};
use crate::cli;
use crate::handshake::datagrams::DatagramMachine;
use crate::output::say::say;
use crate::owners::{Desk, OwnerCounts, Tap};
use crate::packet::Datagram;
use crate::report::{Basis, Side};
use crate::transport::udp::DatagramSink as _;
use crate::wording::counted;

/// What the process that looks is called.
pub(in crate::app) const NAME: &str = "handshark-owners";

/// Starts the process that looks, which becomes this user as well. Gives the way to talk to it; it ends when that is closed.
pub(super) fn start(identity: Option<&Identity>, sandbox: bool) -> anyhow::Result<UnixStream> {
    if !cfg!(target_os = "linux") {
        anyhow::bail!("--processes needs Linux");
    }
    let fail = || "cannot start the process that looks up owners";
    let (near, far) = UnixStream::pair().with_context(fail)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).arg(if sandbox { SANDBOX } else { NO_SANDBOX });
    if let Some(identity) = identity {
        command.args(identity.numbers().map(|number| number.to_string()));
    }
    // A signal from the terminal is for this process, which then ends the other.
    command.stdin(OwnedFd::from(far)).stdout(Stdio::null()).process_group(0).spawn().with_context(fail)?;
    if !privileges::may_look() {
        say(
            "--processes: processes of other users and containers cannot be seen; run as root, or allow it: setcap cap_net_raw,cap_net_admin,cap_sys_ptrace,cap_dac_read_search+ep \"$(command -v handshark)\"",
        );
    }
    Ok(near)
}

/// The source, with connections asked about as they begin.
pub(super) fn beside(desk: &Desk, source: Box<dyn FrameSource>) -> Box<dyn FrameSource> {
    let mut tap = Tap::new(desk, opens);
    looked_at(source, move |block| tap.look(block))
}

fn opens(datagram: &Datagram<'_>) -> bool {
    DatagramMachine::opens(datagram).is_some_and(|opening| opening.sender != Some(Side::Server))
}

/// What the summary notes of owners that are not known.
pub(super) fn note(counts: &OwnerCounts) -> Option<String> {
    let of = |basis| counts.known.get(&basis).copied().unwrap_or_default();
    let missing = [
        (of(Basis::Gone), "gone before they could be looked up"),
        (of(Basis::Hidden), "of processes that this run may not see"),
        (of(Basis::Ambiguous), "found in several network namespaces"),
        (of(Basis::Kernel), "the kernel's own"),
        (counts.late, "not looked up in time"),
        (counts.left_out, "left out because connections came too fast"),
    ];
    let parts: Vec<String> = missing.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let ended = if counts.over { " The process that looks them up ended before the run did." } else { "" };
    if parts.is_empty() && ended.is_empty() {
        return None;
    }
    let named =
        counted(counts.named(), "local end of a connection has its process named", "local ends of connections have their process named");
    let others = if parts.is_empty() { String::new() } else { format!("; others were {}", parts.join(", ")) };
    Some(format!("{named}{others}.{ended}"))
}

/// What is wrong with it, for a probe.
pub(super) fn trouble(counts: &OwnerCounts) -> Option<String> {
    counts.over.then(|| "the process that looks up owners has ended".to_owned())
}

/// The process that looks: confines itself, and answers until nobody asks.
pub(in crate::app) fn look(arguments: &[OsString]) -> ExitCode {
    match looking(arguments) {
        Ok(()) => cli::EXIT_DONE.into(),
        Err(error) => {
            say(format!("owners can no longer be looked up: {error:#}"));
            cli::EXIT_FAILED.into()
        }
    }
}

#[cfg(target_os = "linux")]
fn looking(arguments: &[OsString]) -> anyhow::Result<()> {
    let words: Vec<&str> = arguments.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let (sandbox, numbers) = words.split_first().context("it is started by `handshark live --processes` only")?;
    let number = |at: usize| numbers.get(at).and_then(|number| number.parse().ok());
    let identity = number(0).zip(number(1)).map(|(user, group)| Identity::numbered(user, group));
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // It ends with the process that asks, and not before.
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let host = crate::owners::Host::open(now).context("the kernel does not tell of sockets")?;
    privileges::keep_to_look(identity.as_ref())?;
    if *sandbox == SANDBOX {
        crate::app::confinement::confine_to_reading()?;
    }
    host.serve(stream)?;
    Ok(())
}

/// Only Linux has what it takes.
#[cfg(not(target_os = "linux"))]
fn looking(_: &[OsString]) -> anyhow::Result<()> {
    anyhow::bail!("it needs Linux")
}

const SANDBOX: &str = "confined";
const NO_SANDBOX: &str = "unconfined";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_note_adds_up_what_is_not_known() {
        let mut counts = OwnerCounts { known: BTreeMap::from([(Basis::Connection, 7), (Basis::Listener, 2)]), ..OwnerCounts::default() };
        assert_eq!(note(&counts), None);
        counts.known.insert(Basis::Gone, 3);
        counts.left_out = 1;
        let text = "9 local ends of connections have their process named; others were 3 gone before they could be looked up, 1 left out because connections came too fast.";
        assert_eq!(note(&counts).as_deref(), Some(text));
        counts.over = true;
        assert!(note(&counts).is_some_and(|note| note.ends_with("too fast. The process that looks them up ended before the run did.")));
        assert!(trouble(&counts).is_some());
    }
}
