//! Packets in the words of their protocols, and what is asked of a list of them.

use super::transit::Transit;
use super::vantage::{Passing, Vantage};
use crate::flow::{Side, Transport};
use crate::wording::counted;

/// Whether all the receiver got from the sender lies before the first that was lost.
pub(super) fn receiver_hears_nothing_after(lost: &[&Passing], transit: &Transit, sender: &Vantage) -> bool {
    let Some(first) = lost.first() else { return false };
    !transit.arrived.iter().any(|(place, _)| sender.packets.get(*place).is_some_and(|packet| is_sent_after(packet, first)))
}

/// One was sent after the other: later, or as a further piece of the same segment.
pub(super) fn is_sent_after(packet: &Passing, other: &Passing) -> bool {
    let further = packet.mark.frame == other.mark.frame && packet.seq.wrapping_sub(other.seq).cast_signed() > 0;
    packet.mark.time > other.mark.time || further
}

/// How long nothing was sent before the first that was lost, in milliseconds, where that is long.
pub(super) fn quiet_before(lost: &[&Passing], sender: &Vantage) -> Option<u64> {
    let first = lost.first()?;
    let before = sender.packets.iter().rev().find(|packet| packet.mark.frame < first.mark.frame)?;
    let quiet = u64::try_from(first.mark.time.since(before.mark.time).as_millis()).unwrap_or(u64::MAX);
    (quiet >= IDLE_MS).then_some(quiet)
}

pub(super) fn sent_times(packets: &[&Passing]) -> String {
    match packets.len() {
        1 => "sent once".to_owned(),
        more => format!("{} in all", counted(more, "packet", "packets")),
    }
}

/// Copies of one packet, the first of each with their number.
pub(super) fn grouped<'a>(packets: &[&'a Passing]) -> Vec<(&'a Passing, usize)> {
    let mut groups: Vec<(&Passing, usize)> = Vec::new();
    for packet in packets {
        let same = |other: &Passing| {
            (other.seq, other.len, other.flags.0 & 7) == (packet.seq, packet.len, packet.flags.0 & 7)
                && (other.seq != 0 || other.payload == packet.payload)
        };
        match groups.iter_mut().find(|(other, _)| same(other)) {
            Some((_, times)) => *times = times.saturating_add(1),
            None => groups.push((packet, 1)),
        }
    }
    groups
}

/// What a packet is, in the words of its protocol.
pub(super) fn name(packet: &Passing, view: &Vantage, from: Side) -> String {
    let flags = packet.flags;
    if flags.syn() {
        return if flags.ack() { "the SYN-ACK" } else { "the SYN" }.to_owned();
    }
    if flags.rst() {
        return "a RST".to_owned();
    }
    if packet.len == 0 {
        return if flags.fin() { "the FIN" } else { "an acknowledgment" }.to_owned();
    }
    let size = bytes(packet.len as usize);
    let payload = &packet.payload;
    let kind = match (payload.first(), payload.get(1), payload.get(5)) {
        (Some(0x16), Some(0x03), Some(1)) => Some("the ClientHello"),
        (Some(0x16), Some(0x03), Some(2)) => Some("the ServerHello"),
        (Some(0x16), Some(0x03), _) => Some("a handshake record"),
        (Some(0x15), Some(0x03), _) => Some("an alert"),
        (Some(0x14), Some(0x03), _) => Some("a ChangeCipherSpec"),
        (Some(0x17), Some(0x03), _) => Some("encrypted data"),
        (Some(first), ..) if view.transport == Transport::Udp && first & 0xc0 == 0xc0 => Some("a QUIC long-header packet"),
        (Some(first), ..) if view.transport == Transport::Udp && (20..64).contains(first) => Some("a DTLS record"),
        _ => None,
    };
    match kind {
        Some(kind) => format!("{kind} of {size}"),
        None if view.transport == Transport::Udp => format!("a datagram of {size}"),
        None => view.isn(from).map_or_else(
            || format!("{from} data of {size}"),
            |isn| format!("{from} data of {size} from byte {} on", packet.seq.wrapping_sub(isn).wrapping_sub(1)),
        ),
    }
}

pub(super) fn bytes(count: usize) -> String {
    counted(count, "byte", "bytes")
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Silence after which a middlebox may have forgotten a connection, in milliseconds.
const IDLE_MS: u64 = 3_000;
