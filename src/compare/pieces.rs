//! Segments as they travel: an interface card cuts large ones where the capture does not see it, and joins what arrives.

use std::borrow::Cow;

use super::vantage::{Passing, Vantage};
use crate::flow::Side;
use crate::packet::TcpFlags;

impl Vantage {
    /// The same with each segment that is larger than fits into one packet cut as a card cuts it. `other`: the other point, which may have seen the
    /// pieces.
    pub(super) fn in_pieces<'a>(&'a self, other: &Self) -> Cow<'a, Self> {
        let limits = Side::BOTH.map(|side| (side, piece(side, [self, other])));
        let limit = |packet: &Passing| limits.iter().find(|(side, _)| *side == packet.from).and_then(|(_, limit)| *limit);
        let large = |packet: &Passing| limit(packet).filter(|limit| packet.len > *limit && packet.is_whole() && !packet.flags.syn());
        if !self.packets.iter().any(|packet| large(packet).is_some()) {
            return Cow::Borrowed(self);
        }
        let mut view = Self { packets: Vec::with_capacity(self.packets.len()), ..self.clone() };
        for packet in &self.packets {
            match large(packet) {
                Some(limit) => view.packets.extend(cut(packet, limit)),
                None => view.packets.push(packet.clone()),
            }
        }
        Cow::Owned(view)
    }
}

/// How much of a side's data one packet takes: the largest that was seen within what the other side accepts. `None` where that is not known.
fn piece(side: Side, views: [&Vantage; 2]) -> Option<u32> {
    let packets = |from: Side| views.into_iter().flat_map(|view| &view.packets).filter(move |packet| packet.from == from);
    // Of several the least: what clamps it stands on the way, and its own is what its own link carries.
    let announced = packets(side.other()).chain(packets(side)).filter_map(|packet| packet.mss);
    let accepted = announced.map(u32::from).min().filter(|mss| *mss >= LEAST)?;
    let full = packets(side).map(|packet| packet.len).filter(|len| *len <= accepted && len.saturating_add(OPTIONS) >= accepted).max();
    let stamped = packets(side).any(|packet| packet.tsval.is_some() && !packet.flags.syn());
    Some(full.unwrap_or_else(|| accepted.saturating_sub(if stamped { TIMESTAMPS } else { 0 })))
}

/// The pieces of a segment. What ends it is in the last one.
fn cut(packet: &Passing, limit: u32) -> impl Iterator<Item = Passing> + '_ {
    let headers = packet.ip_len.saturating_sub(packet.len);
    let size = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let last = packet.payload.chunks(size).count().saturating_sub(1);
    packet.payload.chunks(size).enumerate().map(move |(number, payload)| {
        let before = u32::try_from(number).unwrap_or(u32::MAX).saturating_mul(limit);
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let flags = if number == last { packet.flags } else { TcpFlags(packet.flags.0 & !(TcpFlags::FIN | TcpFlags::PSH)) };
        Passing {
            seq: packet.seq.wrapping_add(before),
            len,
            ip_len: headers.saturating_add(len),
            // The card numbers its pieces itself.
            ip_id: None,
            flags,
            payload: payload.into(),
            ..packet.clone()
        }
    })
}

/// Nobody cuts into smaller ones.
const LEAST: u32 = 64;
/// What options take of a segment at most.
const OPTIONS: u32 = 40;
/// What timestamps take of it.
const TIMESTAMPS: u32 = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::vantage::tests::{packet, view};

    #[test]
    fn what_a_card_cuts_is_cut_as_the_other_point_saw_it() {
        let data = |side, seq: u32, len: usize| {
            let (payload, len) = (vec![7_u8; len].into_boxed_slice(), u32::try_from(len).unwrap());
            let flags = TcpFlags::ACK | TcpFlags::FIN;
            Passing { len, ip_len: len + 52, payload, ..packet(9, side, seq, 1, flags) }
        };
        let opening = |mss| Passing { mss: Some(mss), ..packet(1, Side::Server, 0, 0, TcpFlags::SYN | TcpFlags::ACK) };
        let sent = view(vec![opening(1_460), data(Side::Client, 101, 3_000), data(Side::Client, 3_101, 100)]);
        let got = view(vec![opening(1_460), data(Side::Client, 101, 1_448)]);
        let pieces = sent.in_pieces(&got);
        let told: Vec<_> =
            pieces.packets.iter().skip(1).map(|packet| (packet.seq, packet.len, packet.ip_len, packet.flags.fin())).collect();
        assert_eq!(told, [(101, 1_448, 1_500, false), (1_549, 1_448, 1_500, false), (2_997, 104, 156, true), (3_101, 100, 152, true)]);
        assert!(matches!(got.in_pieces(&sent), Cow::Borrowed(_)), "nothing is too large");
        let unknown = view(vec![data(Side::Client, 101, 3_000)]);
        assert!(matches!(unknown.in_pieces(&unknown), Cow::Borrowed(_)), "nobody knows how it was cut");
        let jumbo = view(vec![opening(8_960), data(Side::Client, 101, 3_000)]);
        assert!(matches!(jumbo.in_pieces(&jumbo), Cow::Borrowed(_)), "it is one packet");
    }
}
