//! What the two processes say to each other: questions of a fixed size one way, a line of JSON for each answer the other.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::flow::{Endpoint, Transport};
use crate::report::Owner;

/// Who owns this end of a connection?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    /// What the answer refers to.
    pub(super) token: u64,
    pub(super) transport: Transport,
    /// The end that is asked about.
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) token: u64,
    /// `None`: that end is not on this host.
    pub(super) owner: Option<Owner>,
}

impl Question {
    /// Bytes of one on its way.
    pub(super) const LEN: usize = 48;

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let parts: [&[u8]; 6] = [
            &self.token.to_be_bytes(),
            &[0, 0, 0, u8::from(self.transport == Transport::Udp)],
            &self.local.port.to_be_bytes(),
            &self.remote.port.to_be_bytes(),
            &octets(self.local.address),
            &octets(self.remote.address),
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (token, rest) = take::<8>(bytes);
        let (kind, rest) = take::<4>(rest);
        let (local_port, rest) = take::<2>(rest);
        let (remote_port, rest) = take::<2>(rest);
        let (local, rest) = take::<16>(rest);
        let (remote, _) = take::<16>(rest);
        let endpoint = |address: [u8; 16], port: [u8; 2]| Endpoint::new(Ipv6Addr::from(address).to_canonical(), u16::from_be_bytes(port));
        Self {
            token: u64::from_be_bytes(token),
            transport: if kind == [0, 0, 0, 1] { Transport::Udp } else { Transport::Tcp },
            local: endpoint(local, local_port),
            remote: endpoint(remote, remote_port),
        }
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The first bytes, and the rest.
fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes.split_first_chunk().map_or(([0; N], &[]), |(first, rest)| (*first, rest))
}

/// Bytes of an answer's line at most: names are cut long before.
pub(super) const ANSWER_LEN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_arrives_as_it_was_asked() {
        for (local, remote) in [("10.0.0.1:40112", "192.0.2.7:443"), ("[2001:db8::1]:1", "[::1]:65535")] {
            let [local, remote] = [local, remote].map(|text| {
                let at: std::net::SocketAddr = text.parse().unwrap();
                Endpoint::new(at.ip(), at.port())
            });
            for transport in [Transport::Tcp, Transport::Udp] {
                let question = Question { token: u64::MAX - 7, transport, local, remote };
                assert_eq!(Question::from_bytes(&question.to_bytes()), question);
            }
        }
    }
}
