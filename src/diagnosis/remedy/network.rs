//! Commands that look at hosts, sockets and paths. Addresses and ports are those of the packets.

use std::net::IpAddr;

use super::command::Command;
use super::parts::{Piece, Target};
use crate::flow::{Endpoint, Transport};
use crate::handshake::Handshake;

/// One packet of `size` bytes, IP header included, that must not be fragmented: whether the path to `address` carries it.
pub fn ping_mtu(address: IpAddr, size: u32) -> Command {
    let (headers, ping) = match address {
        IpAddr::V4(_) => (28, "ping -c 3 -M do"),
        IpAddr::V6(_) => (48, "ping -6 -c 3 -M do"),
    };
    Command::new(ping).option("-s", size.saturating_sub(headers)).operand(address)
}

/// For a router on the way to the server: TCP connections announce what the next link carries.
pub fn clamp_mss(handshake: &Handshake) -> Command {
    Command::new(if handshake.server.address.is_ipv4() { "iptables" } else { "ip6tables" })
        .with("-t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")
}

/// Where on the way to the server the path MTU shrinks.
pub fn tracepath(handshake: &Handshake) -> Command {
    Command::new("tracepath -n").operand(handshake.server.address)
}

/// The way to an endpoint's port, with packets of the protocol in use.
pub fn traceroute(handshake: &Handshake, to: Endpoint) -> Command {
    Command::new("traceroute -n").with(if is_udp(handshake) { "-U" } else { "-T" }).option("-p", to.port).operand(to.address)
}

/// The route that this host takes to an address.
pub fn route_to(address: IpAddr) -> Command {
    Command::new("ip route get").operand(address)
}

/// Whether an endpoint's port is open, as the client sees it.
pub fn port_open(handshake: &Handshake) -> Command {
    let program = if is_udp(handshake) { "nc -vzu -w 5" } else { "nc -vz -w 5" };
    Command::new(program).operand(handshake.server.address).operand(handshake.server.port)
}

/// On the server: who listens on a TCP port, and how full the queue is (`Recv-Q` against `Send-Q`).
pub fn ss_listen(port: u16) -> Command {
    Command::new("ss -ltnp").operand([Piece::Fixed("sport = :"), Piece::Number(port.into())])
}

/// On the server: who listens on a UDP port.
pub fn ss_listen_udp(port: u16) -> Command {
    Command::new("ss -lunp").operand([Piece::Fixed("sport = :"), Piece::Number(port.into())])
}

/// Whether a host's clock is right.
pub fn clock() -> Command {
    Command::new("timedatectl")
}

/// How many packets of the protocol in use get lost on the way to the server's port, hop by hop.
pub fn measure_loss(handshake: &Handshake) -> Command {
    let kind = if is_udp(handshake) { "mtr -u" } else { "mtr -T" };
    Command::new(kind).option("-P", handshake.server.port).with("-c 100 -r").operand(handshake.server.address)
}

/// Whether a host that a proxy was asked for can be reached, to be tried on the proxy's host. `target` is `host:port` as the client wrote it.
pub fn reach(target: Option<&str>) -> Command {
    match target.and_then(Target::parse) {
        Some(target) => Command::new("nc -vz -w 5").operand(&target.host).operand(target.port),
        None => Command::new("nc -vz -w 5 <host> <port>"),
    }
}

/// A capture of all traffic with this server's port, whole and with ICMP, into a file; `options` before it name the file.
pub fn capture_here(handshake: &Handshake, options: &'static str) -> Command {
    if handshake.flow.key.transport == Transport::Eapol {
        return Command::new("tcpdump -i any -s 0").with(options).operand(EAPOL);
    }
    let port = if is_udp(handshake) { " and (udp port " } else { " and (tcp port " };
    Command::new("tcpdump -i any -s 0").with(options).operand([
        Piece::Fixed("host "),
        Piece::Address(handshake.server.address),
        Piece::Fixed(port),
        Piece::Number(handshake.server.port.into()),
        Piece::Fixed(" or icmp or icmp6)"),
    ])
}

/// The packets with a server's port as they come, a line each.
pub fn show_lines(handshake: &Handshake) -> Command {
    if handshake.flow.key.transport == Transport::Eapol {
        return Command::new("tcpdump -n -e -i any").operand(EAPOL);
    }
    let port = if is_udp(handshake) { " and udp port " } else { " and tcp port " };
    Command::new("tcpdump -n -i any").operand([
        Piece::Fixed("host "),
        Piece::Address(handshake.server.address),
        Piece::Fixed(port),
        Piece::Number(handshake.server.port.into()),
    ])
}

/// EAPOL frames.
const EAPOL: &str = "ether proto 0x888e";

fn is_udp(handshake: &Handshake) -> bool {
    handshake.flow.is_udp()
}
