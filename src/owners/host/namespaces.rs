//! The network namespaces of this host, by one process in each, and the addresses that each has.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use procfs::process::Process;

use super::processes::{pids, read_link};
use super::tables;

/// Those that were seen at the last look.
#[derive(Debug)]
pub(super) struct Namespaces {
    /// The one of this process, in which packets are captured.
    own: Option<u64>,
    list: Vec<Namespace>,
    looked: Option<Instant>,
}

/// A network namespace.
#[derive(Debug)]
struct Namespace {
    number: u64,
    /// A process in it.
    pid: i32,
    addresses: Vec<IpAddr>,
}

/// Where an address is on this host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Whereabouts {
    /// In the namespace in which packets are captured.
    pub(super) here: bool,
    /// In these others: a process in each.
    pub(super) elsewhere: Vec<i32>,
}

impl Namespaces {
    pub(super) fn new() -> Self {
        Self { own: number("self"), list: Vec::new(), looked: None }
    }

    /// Where an address is. `None`: nowhere on this host.
    pub(super) fn find(&mut self, address: IpAddr, now: Instant) -> Option<Whereabouts> {
        // What is captured on a loopback interface stays in its namespace.
        if address.is_loopback() {
            return Some(Whereabouts { here: true, elsewhere: Vec::new() });
        }
        let age = self.looked.map(|looked| now.saturating_duration_since(looked));
        if age.is_none_or(|age| age >= STALE) {
            self.look(now);
            return self.known(address);
        }
        let known = self.known(address);
        if known.is_none() && age.is_some_and(|age| age >= AGAIN) {
            self.look(now);
            return self.known(address);
        }
        known
    }

    fn known(&self, address: IpAddr) -> Option<Whereabouts> {
        let mut found = Whereabouts::default();
        for namespace in self.list.iter().filter(|namespace| namespace.addresses.binary_search(&address).is_ok()) {
            if Some(namespace.number) == self.own {
                found.here = true;
            } else if found.elsewhere.len() < NAMESAKES {
                found.elsewhere.push(namespace.pid);
            }
        }
        (found != Whereabouts::default()).then_some(found)
    }

    fn look(&mut self, now: Instant) {
        self.looked = Some(now);
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let mut seen: Vec<(u64, i32)> =
            std::iter::once(own).chain(pids()).filter_map(|pid| Some((number(&pid.to_string())?, pid))).collect();
        // Of each the process that has been there longest, which is likely to stay; this one, of its own.
        seen.sort_by_key(|(number, pid)| (*number, *pid != own, *pid));
        seen.dedup_by_key(|(number, _)| *number);
        seen.truncate(NAMESPACES);
        self.list = seen
            .into_iter()
            .filter_map(|(number, pid)| Some(Namespace { number, pid, addresses: tables::addresses(&Process::new(pid).ok()?) }))
            .collect();
    }
}

/// The number of a process's network namespace, where it may be seen.
fn number(process: &str) -> Option<u64> {
    let mut room = [0; 64];
    let link = read_link(rustix::fs::CWD, format!("/proc/{process}/ns/net"), &mut room)?;
    std::str::from_utf8(link.strip_prefix(b"net:[")?.strip_suffix(b"]")?).ok()?.parse().ok()
}

/// How long what was seen holds, and how soon it is looked again for an address that is nowhere: most of these are just other machines'.
const STALE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(2);
/// Network namespaces looked into.
const NAMESPACES: usize = 1024;
/// Of those that have the same address.
const NAMESAKES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any moment will do")]
    fn addresses_of_this_host_are_here_and_others_nowhere() {
        let mut namespaces = Namespaces::new();
        let now = Instant::now();
        assert_eq!(namespaces.find("127.0.0.53".parse().unwrap(), now), Some(Whereabouts { here: true, elsewhere: Vec::new() }));
        assert_eq!(namespaces.find("192.0.2.77".parse().unwrap(), now), None);
        for address in tables::addresses(&Process::myself().unwrap()) {
            assert!(namespaces.find(address, now).is_some_and(|found| found.here), "{address}");
        }
    }
}
