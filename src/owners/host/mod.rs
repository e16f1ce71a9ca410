//! The process that looks: answers who owns an end, as long as it is asked.
//!
//! A question is dealt with at once as far as its socket goes, for sockets are short-lived; who holds them is then found for all that wait together: in a
//! look through the processes that are likely, and for the rest in one through all. Each kind of look takes a fifth of one core at most, however many
//! questions there are ([`Pace`]).

mod cgroup;
mod containers;
mod namespaces;
mod processes;
mod sockets;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};

use self::namespaces::Namespaces;
use self::processes::{Likely, Registry};
use self::sockets::{Socket, Sockets, State};
use super::ask::{Answer, Question};
use crate::flow::Transport;
use crate::limits;
use crate::report::{Basis, Owner};

/// Whatever is to be opened before the process is confined.
#[derive(Debug)]
pub struct Host {
    sockets: Sockets,
    namespaces: Namespaces,
    registry: Registry,
    /// The present.
    now: fn() -> Instant,
    waiting: Vec<Waiting>,
    likely: Likely,
    /// Of looks through likely processes, and of those through all.
    paces: [Pace; 2],
    out: Vec<u8>,
}

/// A question whose socket's holder is to be found.
#[derive(Debug)]
struct Waiting {
    question: Question,
    place: Place,
    /// The likely processes do not hold it.
    tried: bool,
    /// Looks through all processes without success.
    looks: u8,
}

/// How often something is done that takes its time.
#[derive(Debug, Default)]
struct Pace {
    rests_until: Option<Instant>,
}

impl Pace {
    /// How long until it may be done again.
    fn rest(&self, now: Instant) -> Duration {
        self.rests_until.map(|until| until.saturating_duration_since(now)).unwrap_or_default()
    }

    /// It was done in this time.
    fn took(&mut self, time: Duration, now: Instant) {
        self.rests_until = now.checked_add(time.saturating_mul(SHARE));
    }
}

/// Where a socket is, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the network namespace of this process.
    Here(Socket),
    /// In another one.
    There(Socket),
    /// In one of those of these processes.
    Among(Vec<i32>),
}

impl Host {
    /// Opens what is needed. `now` tells the present.
    ///
    /// # Errors
    /// When the kernel does not tell of sockets.
    pub fn open(now: fn() -> Instant) -> io::Result<Self> {
        Ok(Self {
            sockets: Sockets::open()?,
            namespaces: Namespaces::new(),
            registry: Registry::new(),
            now,
            waiting: Vec::new(),
            likely: Likely::default(),
            paces: Default::default(),
            out: Vec::new(),
        })
    }

    /// Answers until nobody is there to ask.
    ///
    /// # Errors
    /// When the stream fails.
    pub fn serve(mut self, mut stream: UnixStream) -> io::Result<()> {
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let full = self.waiting.len() >= limits::OWNER_QUESTIONS;
            let patience = if self.waiting.is_empty() { None } else { Some(self.rest()) };
            if full {
                std::thread::sleep(patience.unwrap_or_default());
            } else if readable(&stream, patience)? {
                let mut room = [0; Question::LEN * 256];
                match recv(&stream, &mut room, RecvFlags::DONTWAIT) {
                    // It is over; what was not read is lost with whoever asked.
                    Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => return Ok(()),
                    Ok((length, _)) => bytes.extend_from_slice(room.get(..length).unwrap_or_default()),
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let (questions, rest) = bytes.as_chunks::<{ Question::LEN }>();
            for question in questions {
                self.take(Question::from_bytes(question));
            }
            bytes = rest.to_vec();
            for all in [false, true] {
                if self.rest_of(all).is_some_and(|rest| rest.is_zero()) {
                    self.look(all);
                }
            }
            match stream.write_all(&self.out) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
            self.out.clear();
        }
    }

    /// How long until processes may be looked through again.
    fn rest(&self) -> Duration {
        [false, true].into_iter().filter_map(|all| self.rest_of(all)).min().unwrap_or_default()
    }

    /// The same of likely processes, or of all; `None` where nothing waits for it.
    fn rest_of(&self, all: bool) -> Option<Duration> {
        let [likely, every] = &self.paces;
        let pace = if all { every } else { likely };
        self.waiting.iter().any(|one| one.tried == all).then(|| pace.rest((self.now)()))
    }

    /// Looks for the socket of a question.
    fn take(&mut self, question: Question) {
        let now = (self.now)();
        let Some(whereabouts) = self.namespaces.find(question.local.address, now) else { return self.answer(question, None) };
        let Question { transport, local, remote, .. } = question;
        let socket = if whereabouts.here { self.sockets.find(transport, local, remote) } else { None };
        let place = match socket {
            Some(socket) => Place::Here(socket),
            None if whereabouts.elsewhere.is_empty() => {
                let owner = self.registry.without_process(Basis::Gone, None, true, now);
                return self.answer(question, Some(owner));
            }
            None => Place::Among(whereabouts.elsewhere),
        };
        self.place(question, place);
    }

    /// A socket that a process holds waits for that to be found.
    fn place(&mut self, question: Question, place: Place) {
        if let Place::Here(socket) | Place::There(socket) = place
            && socket.inode == 0
        {
            let here = matches!(place, Place::Here(_));
            let owner = self.registry.without_process(Basis::Gone, Some(socket), here, (self.now)());
            return self.answer(question, Some(owner));
        }
        self.waiting.push(Waiting { question, place, tried: false, looks: 0 });
    }

    /// Finds who holds the sockets that wait for a look of this kind.
    fn look(&mut self, all: bool) {
        let begun = (self.now)();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(|one| one.tried == all);
        let (among, mut sure): (Vec<_>, Vec<_>) = due.into_iter().partition(|one| matches!(one.place, Place::Among(_)));
        self.look_elsewhere(among);
        sure.append(&mut self.waiting);
        self.waiting = later;
        let wanted: BTreeSet<u64> = sure.iter().filter_map(|one| one.place.socket()).map(|socket| socket.inode).collect();
        let seen = self.likely.look(&wanted, all, begun);
        let mut owners: BTreeMap<(u64, bool), Option<Owner>> = BTreeMap::new();
        for one in sure {
            let Some(socket) = one.place.socket() else { continue };
            let registry = &mut self.registry;
            let known = owners.entry((socket.inode, socket.state == State::Listening)).or_insert_with(|| {
                let holders = seen.holders.get(&socket.inode)?;
                registry.owner(socket, holders, begun)
            });
            match known {
                Some(owner) => {
                    let owner = owner.clone();
                    self.answer(one.question, Some(owner));
                }
                None if all => self.not_held(one, socket, seen.barred),
                None => self.waiting.push(Waiting { tried: true, ..one }),
            }
        }
        let now = (self.now)();
        if let Some(pace) = self.paces.get_mut(usize::from(all)) {
            pace.took(now.saturating_duration_since(begun), now);
        }
    }

    /// No process was seen that holds a socket: it may be gone, hidden, or the kernel's own; or on its way from one process to another.
    fn not_held(&mut self, one: Waiting, socket: Socket, barred: bool) {
        let (question, looks) = (one.question, one.looks);
        let here = matches!(one.place, Place::Here(_));
        let again = Waiting { looks: 1, ..one };
        if !here && looks == 0 && !barred {
            return self.waiting.push(again);
        }
        let still = !here || self.sockets.find(question.transport, question.local, question.remote) == Some(socket);
        let basis = match (still, barred) {
            (true, true) => Basis::Hidden,
            (true, false) if looks == 0 => return self.waiting.push(again),
            (true, false) if here => Basis::Kernel,
            // Whether a socket of another namespace is still there is not asked again.
            (_, _) => Basis::Gone,
        };
        let owner = self.registry.without_process(basis, Some(socket), here, (self.now)());
        self.answer(question, Some(owner));
    }

    /// Looks for sockets in other network namespaces, in each once for all that may be there.
    fn look_elsewhere(&mut self, questions: Vec<Waiting>) {
        let mut by_namespace: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (place, one) in questions.iter().enumerate() {
            if let Place::Among(namespaces) = &one.place {
                for pid in namespaces {
                    by_namespace.entry(*pid).or_default().push(place);
                }
            }
        }
        let mut found: Vec<Vec<Socket>> = vec![Vec::new(); questions.len()];
        for (pid, places) in by_namespace {
            let Ok(process) = Process::new(pid) else { continue };
            let asked = |place: &usize| questions.get(*place).map(|one| (one.question.transport, one.question.local, one.question.remote));
            let wanted: Vec<_> = places.iter().filter_map(asked).collect();
            for (place, socket) in places.iter().zip(tables::find(&process, &wanted)) {
                if let (Some(all), Some(socket)) = (found.get_mut(*place), socket) {
                    all.push(socket);
                }
            }
        }
        for (one, sockets) in questions.into_iter().zip(found) {
            match unambiguous(one.question.transport, &sockets) {
                Ok(Some(socket)) => self.place(one.question, Place::There(socket)),
                Ok(None) => self.answer(one.question, Some(Owner::unknown(Basis::Gone))),
                Err(()) => self.answer(one.question, Some(Owner::unknown(Basis::Ambiguous))),
            }
        }
    }

    fn answer(&mut self, question: Question, owner: Option<Owner>) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut self.out, &Answer { token: question.token, owner });
        let _ = self.out.write_all(b"\n");
    }
}

impl Place {
    const fn socket(&self) -> Option<Socket> {
        match self {
            Self::Here(socket) | Self::There(socket) => Some(*socket),
            Self::Among(_) => None,
        }
    }
}

/// Of sockets in several namespaces the connection's own, if only one has that; else the only listener.
fn unambiguous(transport: Transport, sockets: &[Socket]) -> Result<Option<Socket>, ()> {
    let own: Vec<&Socket> = sockets.iter().filter(|socket| socket.state != State::Listening && transport == Transport::Tcp).collect();
    match (own.as_slice(), sockets) {
        ([one], _) => Ok(Some(**one)),
        ([], [one]) => Ok(Some(*one)),
        ([], []) => Ok(None),
        _ => Err(()),
    }
}

/// Waits until there is something to read.
fn readable(stream: &UnixStream, patience: Option<Duration>) -> io::Result<bool> {
    let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
    let mut polled = [PollFd::new(stream, PollFlags::IN)];
    match poll(&mut polled, timeout.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// After a look there is none of its kind for so many times as long as it took.
const SHARE: u32 = 4;

#[cfg(test)]
mod tests;
