//! PROXY protocol version 2: a binary header with TLVs (`HAProxy`'s proxy-protocol.txt, section 2.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::dialogue::{Dialogue, Extent, Next, Said, be16};
use super::text::printable;
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The header.
#[derive(Debug, Default)]
pub(super) struct ProxyV2;

impl Dialogue for ProxyV2 {
    fn extent(&self, side: Side, have: &[u8]) -> Extent {
        if side == Side::Server {
            return Extent::Lost;
        }
        be16(have, 14).map_or(Extent::AtLeast(16), |len| Extent::Exactly(16 + usize::from(len)))
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let command = said.bytes.get(12).copied().unwrap_or(0);
        let body = said.bytes.get(16..).unwrap_or_default();
        let (target, tlvs) = addresses(said.bytes.get(13).copied().unwrap_or(0), body);
        let target = if command.trailing_zeros() >= 4 { "LOCAL (the proxy's own connection, a health check)".to_owned() } else { target };
        let named: Vec<String> = tlv_list(tlvs).take(TLVS).map(|(kind, value)| tlv(kind, value)).collect();
        let detail = named.join(", ");
        facts.describe(said, if detail.is_empty() { format!("PROXY v2 {target}") } else { format!("PROXY v2 {target}, {detail}") });
        facts.target = Some(target);
        facts.detail = (!detail.is_empty()).then_some(detail);
        facts.ask(said.mark);
        facts.upgrade = Upgrade::Granted;
        Next::Inner
    }
}

/// Source and destination, and what follows them.
fn addresses(family: u8, body: &[u8]) -> (String, &[u8]) {
    let read = || match family >> 4 {
        1 => {
            let (block, rest) = body.split_at_checked(12)?;
            let (from, to) = (Ipv4Addr::from(*block.first_chunk::<4>()?), Ipv4Addr::from(*block.get(4..)?.first_chunk::<4>()?));
            Some((format!("{from}:{} to {to}:{}", be16(block, 8)?, be16(block, 10)?), rest))
        }
        2 => {
            let (block, rest) = body.split_at_checked(36)?;
            let (from, to) = (Ipv6Addr::from(*block.first_chunk::<16>()?), Ipv6Addr::from(*block.get(16..)?.first_chunk::<16>()?));
            Some((format!("[{from}]:{} to [{to}]:{}", be16(block, 32)?, be16(block, 34)?), rest))
        }
        3 => {
            let (block, rest) = body.split_at_checked(216)?;
            let path = |bytes: &[u8]| printable(bytes.split(|byte| *byte == 0).next().unwrap_or_default());
            Some((format!("unix {} to {}", path(block.get(..108)?), path(block.get(108..)?)), rest))
        }
        0 => Some(("UNSPEC".to_owned(), body)),
        _ => None,
    };
    read().unwrap_or_else(|| ("unreadable addresses".to_owned(), &[]))
}

fn tlv_list(tlvs: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = tlvs;
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first()?;
        let (value, after) = after.get(2..)?.split_at_checked(usize::from(be16(after, 0)?))?;
        rest = after;
        Some((*kind, value))
    })
}

fn tlv(kind: u8, value: &[u8]) -> String {
    match kind {
        0x01 => format!("ALPN {}", printable(value)),
        0x02 => format!("AUTHORITY {}", printable(value)),
        0x03 => "CRC32C".to_owned(),
        0x04 => "NOOP".to_owned(),
        0x05 => format!("UNIQUE_ID {}", value.escape_ascii()),
        0x20 => "SSL".to_owned(),
        0x30 => format!("NETNS {}", printable(value)),
        0xea => format!("AWS VPC endpoint {}", printable(value.get(1..).unwrap_or_default())),
        0xee => "Azure private endpoint".to_owned(),
        _ => format!("TLV 0x{kind:02x}"),
    }
}

/// TLVs named: headers carry a handful.
const TLVS: usize = 8;

/// The first twelve bytes of every header.
pub(super) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
