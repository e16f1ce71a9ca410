//! The sockets of this process's network namespace: the kernel is asked for one at a time (sock_diag(7)), which costs the same however many there are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, TCP_CLOSING, TCP_FIN_WAIT1, TCP_FIN_WAIT2};
use netlink_packet_sock_diag::constants::{TCP_LAST_ACK, TCP_LISTEN, TCP_TIME_WAIT};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use crate::flow::{Endpoint, Transport};

/// A socket, as the kernel lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    /// Its inode, by which a process's descriptor names it; 0 where no process holds it (yet, or any more).
    pub(super) inode: u64,
    /// The user who made it; of one that is nearly over the kernel may say 0.
    pub(super) user: u32,
    pub(super) state: State,
}

/// What matters of a socket's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The connection's own; over UDP, the one that its datagrams reach.
    Own,
    /// The connection's own, which its process has closed.
    Closing,
    /// It listens for connections like this one.
    Listening,
}

/// A way to ask.
#[derive(Debug)]
pub(super) struct Sockets {
    netlink: OwnedFd,
    sequence: u32,
}

impl Sockets {
    /// Opens it. Takes no privilege.
    pub(super) fn open() -> io::Result<Self> {
        let netlink = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
        Ok(Self { netlink, sequence: 0 })
    }

    /// The socket at the local end of a connection; where there is none, the one that listens there.
    pub(super) fn find(&mut self, transport: Transport, local: Endpoint, remote: Endpoint) -> Option<Socket> {
        let own = self.ask(transport, local, remote);
        // A connection that no process has accepted yet, or that is closed already, has no inode. That it is there shows that it ended here, and
        // was not passed on to somewhere else: whoever listens is its server.
        if transport == Transport::Udp || own.is_none_or(|socket| socket.inode != 0) {
            return own;
        }
        let nobody = match remote.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.ask(transport, local, Endpoint::new(nobody, 0)).filter(|socket| socket.state == State::Listening).or(own)
    }

    fn ask(&mut self, transport: Transport, local: Endpoint, remote: Endpoint) -> Option<Socket> {
        self.sequence = self.sequence.wrapping_add(1);
        let (protocol, source, destination) = match transport {
            Transport::Tcp => (IPPROTO_TCP, local, remote),
            // Of UDP the kernel takes the packet's view: from the peer, to this socket.
            Transport::Udp => (IPPROTO_UDP, remote, local),
            // It has no sockets.
            Transport::Eapol => return None,
        };
        let request = InetRequest {
            family: if local.address.is_ipv4() { AF_INET } else { AF_INET6 },
            protocol,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id: SocketId {
                source_port: source.port,
                destination_port: destination.port,
                source_address: source.address,
                destination_address: destination.address,
                interface_id: 0,
                // Any.
                cookie: [0xff; 8],
            },
        };
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = [0; ROOM];
        message.serialize(bytes.get_mut(..message.buffer_len())?);
        send(&self.netlink, bytes.get(..message.buffer_len())?, SendFlags::empty()).ok()?;
        // Answers come with the call; a late one to another question is passed over.
        for _ in 0..2 {
            let mut bytes = [0; ROOM];
            let (length, _) = recv(&self.netlink, &mut bytes, RecvFlags::DONTWAIT).ok()?;
            let answer = NetlinkMessage::<SockDiagMessage>::deserialize(bytes.get(..length)?).ok()?;
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) = answer.payload else { return None };
            let found = &found.header;
            // A listener answers for every peer, and a socket of UDP may be bound to no address; the port is the same in any case.
            return (found.socket_id.source_port == local.port).then(|| Socket {
                inode: found.inode.into(),
                user: found.uid,
                state: state(transport, found.state),
            });
        }
        None
    }
}

/// What a state of tcp_states.h means here.
pub(super) const fn state(transport: Transport, state: u8) -> State {
    match (transport, state) {
        (Transport::Tcp, TCP_LISTEN) => State::Listening,
        (Transport::Tcp, TCP_FIN_WAIT1 | TCP_FIN_WAIT2 | TCP_CLOSING | TCP_LAST_ACK | TCP_TIME_WAIT | CLOSED) => State::Closing,
        _ => State::Own,
    }
}

/// `TCP_CLOSE`.
const CLOSED: u8 = 7;
/// Bytes of a question and of an answer, with the attributes that some kernels add unasked.
const ROOM: usize = 1024;

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;

    use super::*;

    fn inode(socket: impl AsFd) -> u64 {
        rustix::fs::fstat(socket).unwrap().st_ino
    }

    fn endpoint(at: std::net::SocketAddr) -> Endpoint {
        Endpoint::new(at.ip().to_canonical(), at.port())
    }

    #[test]
    fn sockets_are_found_by_the_ends_of_their_connection() {
        let Ok(mut sockets) = Sockets::open() else { return };
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let server_end = endpoint(listener.local_addr().unwrap());
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let client_end = endpoint(client.local_addr().unwrap());
            let found = sockets.find(Transport::Tcp, client_end, server_end).unwrap();
            assert_eq!((found.inode, found.state), (inode(&client), State::Own));
            assert_eq!(found.user, nix::unistd::getuid().as_raw());
            // Nobody has accepted it: whoever listens is told.
            let found = sockets.find(Transport::Tcp, server_end, client_end).unwrap();
            assert_eq!((found.inode, found.state), (inode(&listener), State::Listening));
            let (accepted, _) = listener.accept().unwrap();
            let found = sockets.find(Transport::Tcp, server_end, client_end).unwrap();
            assert_eq!((found.inode, found.state), (inode(&accepted), State::Own));
            // The process has closed its end, and the connection is not over yet.
            drop(client);
            let found = sockets.find(Transport::Tcp, client_end, server_end).unwrap();
            assert_eq!((found.inode, found.state), (0, State::Closing));
            assert_eq!(sockets.find(Transport::Tcp, Endpoint::new(client_end.address, 1), server_end), None);
        }
    }

    #[test]
    fn a_server_of_both_families_has_ipv4_connections_too() {
        let Ok(mut sockets) = Sockets::open() else { return };
        let Ok(listener) = TcpListener::bind("[::]:0") else { return };
        let at = std::net::SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        let Ok(client) = TcpStream::connect(at) else { return };
        let (accepted, _) = listener.accept().unwrap();
        let found = sockets.find(Transport::Tcp, endpoint(at), endpoint(client.local_addr().unwrap())).unwrap();
        assert_eq!((found.inode, found.state), (inode(&accepted), State::Own));
    }

    #[test]
    fn sockets_of_udp_are_found_connected_or_not() {
        let Ok(mut sockets) = Sockets::open() else { return };
        let (server, client) = (UdpSocket::bind("0.0.0.0:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let server_end = Endpoint::new([127, 0, 0, 1].into(), server.local_addr().unwrap().port());
        client.connect(("127.0.0.1", server_end.port)).unwrap();
        let client_end = endpoint(client.local_addr().unwrap());
        assert_eq!(sockets.find(Transport::Udp, client_end, server_end).map(|found| found.inode), Some(inode(&client)));
        assert_eq!(sockets.find(Transport::Udp, server_end, client_end).map(|found| found.inode), Some(inode(&server)));
    }
}
