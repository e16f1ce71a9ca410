//! The sockets and addresses of another network namespace, as /proc/PID/net tells of them (proc_pid_net(5)).

use std::io::{BufRead, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use procfs::process::Process;

use super::sockets::{Socket, state};
use crate::flow::{Endpoint, Transport};

/// Finds the sockets of many connections in one look through a namespace's tables. `None` where there is none; what a table beyond its bound holds
/// is not seen.
pub(super) fn find(process: &Process, wanted: &[(Transport, Endpoint, Endpoint)]) -> Vec<Option<Socket>> {
    let mut found: Vec<Option<(Fit, Socket)>> = vec![None; wanted.len()];
    for (file, transport) in
        [("net/tcp", Transport::Tcp), ("net/tcp6", Transport::Tcp), ("net/udp", Transport::Udp), ("net/udp6", Transport::Udp)]
    {
        if !wanted.iter().any(|(of, ..)| *of == transport) {
            continue;
        }
        lines(process, file, |line| {
            let Some(row) = Row::read(line, transport) else { return };
            for (place, (of, local, remote)) in found.iter_mut().zip(wanted) {
                let fit = if *of == transport { row.fit(*local, *remote) } else { None };
                if let Some(fit) = fit
                    && place.is_none_or(|(best, _)| fit > best)
                {
                    *place = Some((fit, row.socket));
                }
            }
        });
    }
    found.into_iter().map(|found| found.map(|(_, socket)| socket)).collect()
}

/// How well a socket fits a connection: better ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Both ends are the connection's, but no process holds it, yet or any more: who listens is its server.
    Unheld,
    /// It takes what comes to the port.
    Port,
    /// It takes what comes to the port at this address.
    Address,
    /// Both ends are the connection's.
    Own,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    local: Endpoint,
    remote: Endpoint,
    socket: Socket,
}

impl Row {
    /// `  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 123 …`
    fn read(line: &str, transport: Transport) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (endpoint(words.next()?)?, endpoint(words.next()?)?);
        let code = u8::from_str_radix(words.next()?, 16).ok()?;
        let mut words = words.skip(3);
        let user = words.next()?.parse().ok()?;
        let inode = words.nth(1)?.parse().ok()?;
        Some(Self { local, remote, socket: Socket { inode, user, state: state(transport, code) } })
    }

    fn fit(&self, local: Endpoint, remote: Endpoint) -> Option<Fit> {
        if self.local.port != local.port {
            return None;
        }
        let open = |address: IpAddr| address.is_unspecified();
        let here = self.local.address == local.address;
        // A socket of IPv6 that is bound to no address takes IPv4 as well.
        let anywhere = open(self.local.address) && (local.address.is_ipv4() || self.local.address.is_ipv6());
        if here && self.remote == remote {
            return Some(if self.socket.inode == 0 { Fit::Unheld } else { Fit::Own });
        }
        let unconnected = self.remote.port == 0 && open(self.remote.address);
        match (unconnected, here, anywhere) {
            (true, true, _) => Some(Fit::Address),
            (true, _, true) => Some(Fit::Port),
            _ => None,
        }
    }
}

/// `0100007F:1F90`: words of the address as the machine has them, and the port.
fn endpoint(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at.checked_add(8)?)?, 16).ok()?.to_ne_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut octets = [0; 16];
            for (place, byte) in octets.iter_mut().zip(words.into_iter().flatten()) {
                *place = byte;
            }
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some(Endpoint::new(address, u16::from_str_radix(port, 16).ok()?))
}

/// The addresses of a namespace, loopback ones excepted.
pub(super) fn addresses(process: &Process) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    let mut last = None;
    lines(process, "net/fib_trie", |line| found.extend(local(line, &mut last).map(IpAddr::V4)));
    lines(process, "net/if_inet6", |line| {
        let digits = line.split_ascii_whitespace().next().filter(|digits| digits.len() == 32);
        if let Some(address) = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()) {
            found.push(IpAddr::V6(Ipv6Addr::from(address)));
        }
    });
    found.retain(|address| !address.is_loopback());
    found.sort_unstable();
    found.dedup();
    found.truncate(ADDRESSES);
    found
}

/// An address of the namespace's own in its table of routes: `|-- 10.0.0.1`, and below it `/32 host LOCAL`. `last` is what the lines before named.
fn local(line: &str, last: &mut Option<Ipv4Addr>) -> Option<Ipv4Addr> {
    if let Some(address) = line.trim().strip_prefix("|-- ") {
        *last = address.parse().ok();
        return None;
    }
    last.take_if(|_| line.trim_start().starts_with("/32 host LOCAL"))
}

/// Gives the lines of a file below /proc/PID, as far as its bound goes.
fn lines(process: &Process, file: &str, mut take: impl FnMut(&str)) {
    let Ok(file) = process.open_relative(file) else { return };
    let mut reader = BufReader::with_capacity(64 << 10, file.take(TABLE));
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
        take(&line);
        line.clear();
    }
}

/// Bytes read of one table: some 27,000 sockets.
const TABLE: u64 = 4 << 20;
/// Addresses of one namespace that are known.
const ADDRESSES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::super::sockets::State;
    use super::*;

    fn end(text: &str) -> Endpoint {
        let at: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::new(at.ip(), at.port())
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn rows_are_read_as_the_kernel_writes_them() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0000000000000000 100 0 0 10 0";
        let row = Row::read(line, Transport::Tcp).unwrap();
        assert_eq!((row.local, row.remote), (end("127.0.0.1:8080"), end("0.0.0.0:0")));
        assert_eq!(row.socket, Socket { inode: 31337, user: 1000, state: State::Listening });
        // An IPv4 connection of a socket of both families.
        let line = "   7: 0000000000000000FFFF00000500580A:01BB 0000000000000000FFFF00000100580A:9C40 01 00000000:00000000 00:00000000 00000000    33        0 77 1 0000000000000000 20 4 0 10 -1";
        let row = Row::read(line, Transport::Tcp).unwrap();
        assert_eq!((row.local, row.remote), (end("10.88.0.5:443"), end("10.88.0.1:40000")));
        assert_eq!(row.fit(end("10.88.0.5:443"), end("10.88.0.1:40000")), Some(Fit::Own));
        assert_eq!(row.fit(end("10.88.0.5:443"), end("10.88.0.1:40001")), None);
        let line = "   1: B80D01200000000000000000010000AA:01BB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 5 1";
        assert_eq!(Row::read(line, Transport::Tcp).unwrap().local, end("[2001:db8::aa00:1]:443"));
        for broken in
            ["", "  sl  local_address rem_address   st", "0: 0100007F:1F90", "0: 010:1 0:0 0A 0 0 0 0 0 0", "0: é100007F:1F90 0:0 0A"]
        {
            assert_eq!(Row::read(broken, Transport::Tcp), None, "{broken}");
        }
    }

    #[test]
    fn what_fits_best_is_taken() {
        let row = |local: &str, remote: &str, inode, state| Row {
            local: end(local),
            remote: end(remote),
            socket: Socket { inode, user: 0, state },
        };
        let (local, remote) = (end("10.0.0.5:443"), end("10.0.0.1:40000"));
        let fits = [
            row("10.0.0.5:443", "10.0.0.1:40000", 9, State::Own),
            row("10.0.0.5:443", "10.0.0.1:40000", 0, State::Closing),
            row("10.0.0.5:443", "10.0.0.1:40000", 0, State::Own),
            row("10.0.0.5:443", "0.0.0.0:0", 8, State::Listening),
            row("[::]:443", "[::]:0", 7, State::Listening),
            row("10.0.0.6:443", "0.0.0.0:0", 6, State::Listening),
        ]
        .map(|row| row.fit(local, remote));
        assert_eq!(fits, [Some(Fit::Own), Some(Fit::Unheld), Some(Fit::Unheld), Some(Fit::Address), Some(Fit::Port), None]);
        assert_eq!(row("0.0.0.0:443", "0.0.0.0:0", 7, State::Listening).fit(end("[::1]:443"), end("[::1]:1")), None);
    }

    #[test]
    fn addresses_are_those_that_the_routes_call_local() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n        +-- 10.99.7.0/24 2 0 2\n              |-- 10.99.7.0\n                 /24 link UNICAST\n              |-- 10.99.7.1\n                 /32 host LOCAL\n           |-- 10.99.7.255\n              /32 link BROADCAST\n           |-- 127.0.0.0\n              /8 host LOCAL\nLocal:\n           |-- 10.88.0.1\n              /32 link UNICAST\n              /32 host LOCAL\n";
        let mut last = None;
        let found: Vec<String> =
            text.split_inclusive('\n').filter_map(|line| local(line, &mut last)).map(|address| address.to_string()).collect();
        assert_eq!(found, ["10.99.7.1", "10.88.0.1"]);
    }

    #[test]
    fn this_process_has_the_addresses_that_its_interfaces_have() {
        let Ok(process) = Process::myself() else { return };
        let found = addresses(&process);
        assert!(found.iter().all(|address| !address.is_loopback()), "{found:?}");
    }
}
