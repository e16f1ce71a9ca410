//! Which processes hold a socket, and what is to be said of a process.
//!
//! Everything of one process is read through one descriptor of its directory, which is of that process alone: if it ends meanwhile, nothing more can
//! be read, and its number may go to another without harm.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use procfs::process::Process as Entry;
use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};

use super::cgroup::{Place, cut};
use super::containers::Containers;
use super::sockets::{Socket, State};
use crate::report::{Basis, Owner, Process, Sharer, User};
use crate::time::Timestamp;

/// A process that holds a socket, by its number and that of its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Holder {
    pid: i32,
    descriptor: u32,
}

/// What a look through all processes found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By the socket's inode.
    pub(super) holders: BTreeMap<u64, Vec<Holder>>,
    /// Some processes could not be looked into.
    pub(super) barred: bool,
}

/// Which processes are likely to hold a socket that was just made: those that are new, and those that held others.
#[derive(Debug, Default)]
pub(super) struct Likely {
    /// When each process was first met; not of those that were there at the first look.
    met: BTreeMap<i32, Option<Instant>>,
    /// The latest of those that held sockets, the last behind.
    held: Vec<i32>,
}

impl Likely {
    /// Looks through the descriptors of likely processes, or through all, for these sockets.
    pub(super) fn look(&mut self, wanted: &BTreeSet<u64>, all: bool, now: Instant) -> Seen {
        if wanted.is_empty() {
            return Seen::default();
        }
        let there = pids();
        let first = self.met.is_empty();
        let unknown = (!first).then_some(now);
        self.met = there.iter().map(|pid| (*pid, self.met.get(pid).copied().unwrap_or(unknown))).collect();
        let is_new = |pid: &i32| self.met.get(pid).is_some_and(|met| met.is_some_and(|met| now.saturating_duration_since(met) < NEW));
        let seen = if all {
            look(wanted, there)
        } else {
            let new = there.iter().rev().copied().filter(|pid| is_new(pid) && !self.held.contains(pid)).take(LIKELY);
            look(wanted, self.held.iter().rev().copied().chain(new).collect())
        };
        for pid in seen.holders.values().flatten().map(|holder| holder.pid) {
            self.held.retain(|held| *held != pid);
            self.held.push(pid);
        }
        let beyond = self.held.len().saturating_sub(LIKELY);
        self.held.drain(..beyond);
        seen
    }
}

/// Looks through the descriptors of these processes for these sockets.
fn look(wanted: &BTreeSet<u64>, pids: Vec<i32>) -> Seen {
    let mut seen = Seen::default();
    for pid in pids {
        let directory = match open(CWD, &format!("/proc/{pid}/fd"), OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(error) => {
                seen.barred |= matches!(error, rustix::io::Errno::ACCESS | rustix::io::Errno::PERM);
                continue;
            }
        };
        let Ok(entries) = Dir::read_from(&directory) else { continue };
        for entry in entries.take(DESCRIPTORS) {
            let Ok(entry) = entry else { break };
            let Some(descriptor) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else { continue };
            let Some(inode) = socket(directory.as_fd(), entry.file_name()).filter(|inode| wanted.contains(inode)) else { continue };
            let holders = seen.holders.entry(inode).or_default();
            // One process may hold it several times.
            if holders.len() < HOLDERS && holders.last().is_none_or(|last| last.pid != pid) {
                holders.push(Holder { pid, descriptor });
            }
        }
    }
    seen
}

/// The numbers of all processes that are there.
pub(super) fn pids() -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn open(at: BorrowedFd<'_>, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    openat(at, path, OFlags::RDONLY | OFlags::CLOEXEC | flags, Mode::empty())
}

/// The inode of a socket, if that is what the descriptor stands for: `socket:[12345]`.
fn socket(directory: BorrowedFd<'_>, name: impl rustix::path::Arg) -> Option<u64> {
    let mut room = [0; 64];
    let link = read_link(directory, name, &mut room)?;
    std::str::from_utf8(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?).ok()?.parse().ok()
}

/// What a link says, if that is short.
pub(super) fn read_link<'r>(at: BorrowedFd<'_>, path: impl rustix::path::Arg, room: &'r mut [u8; 64]) -> Option<&'r [u8]> {
    let mut spare = [MaybeUninit::<u8>::uninit(); 64];
    let (link, _) = readlinkat_raw(at, path, &mut spare).ok()?;
    let length = link.len();
    let place = room.get_mut(..length).filter(|_| length < 64)?;
    place.copy_from_slice(link);
    Some(place)
}

/// Makes owners of holders.
#[derive(Debug)]
pub(super) struct Registry {
    users: Users,
    containers: Containers,
    /// When the machine was started.
    boot: Option<Timestamp>,
}

/// A process as it was just seen.
#[derive(Debug, Clone)]
struct Description {
    pid: u32,
    name: String,
    executable: Option<String>,
    /// Ticks since the machine was started.
    ticks: u64,
    user: Option<u32>,
    place: Place,
}

impl Registry {
    pub(super) fn new() -> Self {
        let boot = procfs::boot_time_secs().ok().and_then(|seconds| i64::try_from(seconds).ok());
        Self { users: Users::default(), containers: Containers::default(), boot: boot.map(|seconds| Timestamp::from_parts(seconds, 0)) }
    }

    /// The owner of a socket; `None` when none of these processes holds it any more.
    pub(super) fn owner(&mut self, socket: Socket, holders: &[Holder], now: Instant) -> Option<Owner> {
        let mut seen: Vec<Description> = holders.iter().filter_map(|holder| describe(*holder, socket.inode)).collect();
        // Children inherit from the oldest: workers on purpose, others because nobody closed it for them. Process 1 listens for its services.
        seen.sort_by_key(|one| (one.pid == 1, one.ticks, one.pid));
        let (main, others) = seen.split_first()?;
        let sharers = others.iter().map(|one| Sharer { pid: one.pid, name: one.name.clone() }).collect();
        let (container, pod) = self.containers.describe(&main.place, now);
        let id = main.user.unwrap_or(socket.user);
        let name = if container.is_none() { self.users.name(id, now) } else { None };
        Some(Owner {
            basis: if socket.state == State::Listening { Basis::Listener } else { Basis::Connection },
            process: Some(Process {
                pid: main.pid,
                name: main.name.clone(),
                executable: main.executable.clone(),
                start: self.boot.map(|boot| boot.after(since_boot(main.ticks))),
                sharers,
            }),
            user: Some(User { id, name }),
            container,
            pod,
            unit: main.place.unit.clone(),
        })
    }

    /// What is left to say where no process is known: whose socket it was, if the kernel says so.
    pub(super) fn without_process(&mut self, basis: Basis, socket: Option<Socket>, here: bool, now: Instant) -> Owner {
        // Of a socket that is nearly over it says 0, which may be so or not.
        let user = socket
            .filter(|socket| socket.user != 0 || socket.state != State::Closing)
            .map(|socket| User { id: socket.user, name: if here { self.users.name(socket.user, now) } else { None } });
        Owner { user, ..Owner::unknown(basis) }
    }
}

/// A process that holds the socket when it is looked at, and still does afterwards.
fn describe(holder: Holder, inode: u64) -> Option<Description> {
    let entry = Entry::new(holder.pid).ok()?;
    let holds = || {
        let link = format!("fd/{}", holder.descriptor);
        open_directory(&entry).and_then(|directory| socket(directory.as_fd(), link.as_str())) == Some(inode)
    };
    if !holds() {
        return None;
    }
    let stat = entry.stat().ok()?;
    let groups = entry.cgroups().map(|groups| groups.0).unwrap_or_default();
    let seen = Description {
        pid: u32::try_from(holder.pid).ok()?,
        name: cut(&stat.comm),
        executable: entry.exe().ok().map(|path| cut(&path.to_string_lossy())),
        ticks: stat.starttime,
        user: entry.status().ok().map(|status| status.euid),
        place: Place::of(groups.iter().map(|group| group.pathname.as_str())),
    };
    holds().then_some(seen)
}

fn open_directory(entry: &Entry) -> Option<OwnedFd> {
    entry.open_relative_flags(".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC).ok().map(OwnedFd::from)
}

fn since_boot(ticks: u64) -> Duration {
    let each = procfs::ticks_per_second().max(1);
    Duration::from_millis(ticks.saturating_mul(1000).checked_div(each).unwrap_or_default())
}

/// Names of users, from the file: no service is asked.
#[derive(Debug, Default)]
struct Users {
    names: BTreeMap<u32, String>,
    read: Option<Instant>,
}

impl Users {
    fn name(&mut self, id: u32, now: Instant) -> Option<String> {
        let old = self.read.is_none_or(|read| now.saturating_duration_since(read) >= AGAIN);
        if old && !self.names.contains_key(&id) {
            self.read = Some(now);
            if let Ok(file) = std::fs::File::open("/etc/passwd") {
                self.names = parse(&mut BufReader::new(file.take(PASSWD)));
            }
        }
        self.names.get(&id).cloned()
    }
}

/// `name:password:id:…`; of two lines with one number the first counts.
fn parse(file: &mut impl std::io::BufRead) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in file.lines().map_while(Result::ok) {
        let mut parts = line.split(':');
        if let (Some(name), Some(id)) = (parts.next(), parts.nth(1).and_then(|id| id.parse().ok())) {
            names.entry(id).or_insert_with(|| cut(name));
        }
    }
    names
}

/// How long a process is new.
const NEW: Duration = Duration::from_secs(5);
/// Processes that are likely to hold a socket, of either kind.
const LIKELY: usize = 32;
/// Descriptors of one process looked at.
const DESCRIPTORS: usize = 1 << 20;
/// Processes told that hold one socket.
const HOLDERS: usize = 8;
/// How soon a user who is not known is looked for again.
const AGAIN: Duration = Duration::from_secs(60);
/// Bytes of the file of users.
const PASSWD: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    use super::*;

    #[allow(clippy::disallowed_methods, reason = "any moment will do")]
    fn now() -> Instant {
        Instant::now()
    }

    fn inode(socket: impl AsFd) -> u64 {
        rustix::fs::fstat(socket).unwrap().st_ino
    }

    #[test]
    fn this_process_is_found_by_its_socket_and_described() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = inode(&listener);
        let mut seen = look(&BTreeSet::from([inode]), pids());
        let holders = seen.holders.remove(&inode).unwrap();
        let socket = Socket { inode, user: 0, state: State::Listening };
        let owner = Registry::new().owner(socket, &holders, now()).unwrap();
        let process = owner.process.unwrap();
        assert_eq!((owner.basis, process.pid), (Basis::Listener, std::process::id()));
        let executable = std::env::current_exe().unwrap().to_string_lossy().into_owned();
        assert_eq!(process.executable, Some(cut(&executable)));
        assert!(executable.rsplit('/').next().unwrap().starts_with(&process.name));
        assert_eq!(owner.user.unwrap().id, nix::unistd::geteuid().as_raw());
        assert!(process.start.unwrap() > Timestamp::from_parts(1_500_000_000, 0));
        // A descriptor that stands for something else by now names nobody.
        drop(listener);
        assert_eq!(Registry::new().owner(socket, &holders, now()), None);
    }

    #[test]
    fn a_new_process_and_one_that_held_a_socket_are_likely_to_hold_another() {
        let mut likely = Likely::default();
        let sockets: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let mut held = |at: usize, all: bool| {
            let inode = inode(&sockets[at]);
            likely.look(&BTreeSet::from([inode]), all, now()).holders.contains_key(&inode)
        };
        // At first nobody is new.
        assert_eq!([held(0, false), held(0, true), held(1, false)], [false, true, true]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap()))).spawn().unwrap();
        let wanted = BTreeSet::from([inode(&listener)]);
        drop(listener);
        let found = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            !likely.look(&wanted, false, now()).holders.is_empty()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
    }

    #[test]
    fn of_several_that_share_a_socket_all_are_named_the_likeliest_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // A child inherits it as its standard input.
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap()))).spawn().unwrap();
        let inode = inode(&listener);
        let holders = || look(&BTreeSet::from([inode]), pids()).holders.remove(&inode).unwrap();
        while holders().len() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let named = |state| {
            let owner = Registry::new().owner(Socket { inode, user: 0, state }, &holders(), now()).unwrap();
            let process = owner.process.unwrap();
            (process.pid, process.sharers.iter().map(|sharer| sharer.pid).collect::<Vec<_>>())
        };
        let (own, other) = (std::process::id(), child.id());
        assert_eq!(named(State::Listening), (own, vec![other]));
        assert_eq!(named(State::Own), (own, vec![other]));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn users_are_named_by_the_file() {
        let text = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\n# a remark\nbroken\nwww-data:x:33:33::/var/www:/bin/false\n";
        let names = parse(&mut text.as_bytes());
        assert_eq!(names, BTreeMap::from([(0, "root".to_owned()), (33, "www-data".to_owned())]));
    }
}
