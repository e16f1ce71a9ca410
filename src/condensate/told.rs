//! What crosses shards: of each handshake what bears on handshakes with other servers, so that whoever reads one shard knows of the others what
//! whoever reads all of them knows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::Endpoint;

/// An entry of a side table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The DER of a certificate that entries behind it name by its SHA-256.
    Certificate(Vec<u8>),
    /// A handshake.
    Elsewhere(Box<Elsewhere>),
}

/// A handshake, or a connection that shows nothing of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Elsewhere {
    /// The shard that reports it, from 1.
    pub shard: u16,
    /// It was open when the captures ended, and comes behind all that was not.
    pub at_end: bool,
    /// It shows nothing of TLS: only that its interface heard it counts.
    pub overheard: bool,
    /// Packets of both sides were seen.
    pub both_sides: bool,
    /// Packets that arrived are missing.
    pub gap: bool,
    /// Its server answered, as its client shows, and was not seen.
    pub unheard: bool,
    /// It completed, and the client went on to use it.
    pub used: bool,
    /// Who asked.
    pub client: Endpoint,
    /// Who was asked.
    pub server: Endpoint,
    /// The times of its first and its last packet, in nanoseconds since 1970.
    pub first: i64,
    /// The same.
    pub last: i64,
    /// The random of its `ClientHello`.
    pub random: Option<[u8; 32]>,
    /// The server's chain, where it says something new. Of a connection that shows nothing of TLS: the host that an answer in clear led its client to, as
    /// the name, without certificates.
    pub chain: Option<Shown>,
}

/// A chain that a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The name asked for.
    pub name: Option<String>,
    /// When the chain was seen, and when its handshake was over, in nanoseconds since 1970.
    pub at: i64,
    /// The same.
    pub closed: i64,
    /// The SHA-256 of its certificates, in the order served.
    pub certificates: Vec<[u8; 32]>,
}

impl Told {
    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let told = match self {
            Self::Certificate(der) => {
                out.push(CERTIFICATE);
                out.extend(u32::try_from(der.len()).unwrap_or_default().to_le_bytes());
                out.extend(der);
                return;
            }
            Self::Elsewhere(told) => told,
        };
        out.push(ELSEWHERE);
        let flags =
            [told.at_end, told.overheard, told.both_sides, told.gap, told.unheard, told.used, told.random.is_some(), told.chain.is_some()];
        out.push(flags.iter().rev().fold(0, |sum, flag| sum << 1 | u8::from(*flag)));
        out.extend(told.shard.to_le_bytes());
        for end in [told.client, told.server] {
            out.extend(end.port.to_le_bytes());
            match end.address {
                IpAddr::V4(address) => {
                    out.push(4);
                    out.extend(address.octets());
                }
                IpAddr::V6(address) => {
                    out.push(6);
                    out.extend(address.octets());
                }
            }
        }
        out.extend(told.first.to_le_bytes());
        out.extend(told.last.to_le_bytes());
        out.extend(told.random.unwrap_or_default().get(..if told.random.is_some() { 32 } else { 0 }).unwrap_or_default());
        let Some(Shown { name, at, closed, certificates }) = &told.chain else { return };
        out.extend(at.to_le_bytes());
        out.extend(closed.to_le_bytes());
        // One more than its length, so that none is another than an empty one.
        let len = name.as_ref().and_then(|name| u16::try_from(name.len()).ok()?.checked_add(1)).unwrap_or_default();
        out.extend(len.to_le_bytes());
        if len > 0 {
            out.extend(name.iter().flat_map(|name| name.bytes()));
        }
        let count = u8::try_from(certificates.len()).unwrap_or(u8::MAX);
        out.push(count);
        out.extend(certificates.iter().take(usize::from(count)).flatten());
    }

    /// Takes one off the bytes; `None` where they are none.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let [word] = take(bytes)?;
        if word == CERTIFICATE {
            let len = u32::from_le_bytes(take(bytes)?);
            return Some(Self::Certificate(bytes.get(..usize::try_from(len).ok()?)?.to_vec()));
        }
        if word != ELSEWHERE {
            return None;
        }
        let [flags] = take(bytes)?;
        let [at_end, overheard, both_sides, gap, unheard, used, has_random, has_chain] = std::array::from_fn(|bit| flags >> bit & 1 == 1);
        let shard = u16::from_le_bytes(take(bytes)?);
        let (client, server) = (end(bytes)?, end(bytes)?);
        let [first, last] = [take(bytes)?, take(bytes)?].map(i64::from_le_bytes);
        let random = if has_random { Some(take(bytes)?) } else { None };
        let chain = if has_chain { Some(shown(bytes)?) } else { None };
        Some(Self::Elsewhere(Box::new(Elsewhere {
            shard,
            at_end,
            overheard,
            both_sides,
            gap,
            unheard,
            used,
            client,
            server,
            first,
            last,
            random,
            chain,
        })))
    }
}

fn end(bytes: &mut &[u8]) -> Option<Endpoint> {
    let port = u16::from_le_bytes(take(bytes)?);
    let address = match take(bytes)? {
        [4] => IpAddr::V4(Ipv4Addr::from(take::<4>(bytes)?)),
        [6] => IpAddr::V6(Ipv6Addr::from(take::<16>(bytes)?)),
        _ => return None,
    };
    Some(Endpoint::new(address, port))
}

fn shown(bytes: &mut &[u8]) -> Option<Shown> {
    let [at, closed] = [take(bytes)?, take(bytes)?].map(i64::from_le_bytes);
    let name = match u16::from_le_bytes(take(bytes)?).checked_sub(1) {
        None => None,
        Some(len) => {
            let (name, rest) = bytes.split_at_checked(usize::from(len))?;
            *bytes = rest;
            Some(String::from_utf8(name.to_vec()).ok()?)
        }
    };
    let [count] = take(bytes)?;
    let certificates = (0..count).map(|_| take(bytes)).collect::<Option<_>>()?;
    Some(Shown { name, at, closed, certificates })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

const CERTIFICATE: u8 = 1;
const ELSEWHERE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(address: &str, chain: Option<Shown>) -> Told {
        let end = |port| Endpoint::new(address.parse().unwrap(), port);
        Told::Elsewhere(Box::new(Elsewhere {
            shard: 3,
            at_end: false,
            overheard: true,
            both_sides: false,
            gap: true,
            unheard: false,
            used: true,
            client: end(40_000),
            server: end(443),
            first: -5,
            last: 1 << 60,
            random: chain.as_ref().map(|_| [7; 32]),
            chain,
        }))
    }

    #[test]
    fn what_is_written_is_read() {
        let shown = |name: Option<&str>, count| Shown {
            name: name.map(str::to_owned),
            at: 9,
            closed: 10,
            certificates: vec![[count; 32]; usize::from(count)],
        };
        let all = [
            Told::Certificate(vec![0x30; 70_000]),
            elsewhere("192.0.2.1", None),
            elsewhere("2001:db8::1", Some(shown(Some("www.example.test"), 3))),
            elsewhere("192.0.2.1", Some(shown(Some(""), 0))),
            elsewhere("192.0.2.1", Some(shown(None, 1))),
        ];
        for told in &all {
            let mut bytes = Vec::new();
            told.write(&mut bytes);
            for len in 0..bytes.len() {
                assert_eq!(Told::read(&bytes[..len]), None);
            }
            // A block is filled up with zeros.
            bytes.extend([0; 3]);
            assert_eq!(Told::read(&bytes).as_ref(), Some(told));
        }
    }
}
