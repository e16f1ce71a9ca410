//! What a device that rewrites packets does to them between two points.

use super::{Comparison, on_path};
use crate::compare::vantage::Passing;
use crate::compare::words::{capital, name};
use crate::flow::{Endpoint, Side};
use crate::report::{Cause, Confidence, Finding};
use crate::wording::counted;

impl<'a> Comparison<'a> {
    /// From some moment on the client's packets came from another port.
    pub(super) fn moved(&self) -> Option<Finding> {
        let other = self.server.view.moved?;
        let first = self.server.view.packets.iter().find(|packet| packet.moved)?;
        let refused = self.server.view.packets.iter().any(|packet| packet.from == Side::Server && packet.moved && packet.flags.rst());
        let before = self.server.view.packets.iter().rev().find(|packet| packet.mark.frame < first.mark.frame && !packet.moved);
        let paused = before.is_some_and(|before| first.mark.time.since(before.mark.time).as_millis() >= PAUSE_MS);
        let cause = if self.client.is_quic() || self.server.is_quic() { Cause::QuicClientMoved } else { Cause::IdleTimeout };
        let summary = format!(
            "An address translator (NAT) between the two captures forgot the connection in the middle and gave it another {}: {} reached the server from there (frame {} of its capture), where it knows no connection{}.",
            what(other, self.server.view.client),
            name(first, self.server.view, Side::Client),
            first.mark.frame,
            if refused { " and resets it" } else { "" }
        );
        Some(on_path(cause, if paused { Confidence::Strong } else { Confidence::Likely }, summary))
    }

    /// Segments of a side whose checksum was sound when they were sent and wrong when they arrived, in pairs of what was sent and what arrived.
    pub(super) fn spoiled(&self, from: Side) -> Vec<(&'a Passing, &'a Passing)> {
        let (sender, receiver) = self.ends(from);
        let pairs = self.transit(from).arrived.iter();
        let pairs = pairs.filter_map(|(sent, got)| sender.packets.get(*sent).zip(receiver.packets.get(*got)));
        pairs.filter(|(sent, got)| !sent.damaged && sent.is_whole() && got.damaged).collect()
    }

    /// What arrives does so with a wrong checksum, in every copy.
    pub(super) fn damaged(&self) -> Option<Finding> {
        let (from, spoiled, first) = Side::BOTH.into_iter().find_map(|from| {
            let spoiled = self.spoiled(from);
            let (first, got) = *spoiled.iter().find(|(sent, _)| sent.len > 0 || sent.flags.syn())?;
            let (_, receiver) = self.ends(from);
            let sound = |packet: &Passing| packet.from == from && (packet.seq, packet.len) == (got.seq, got.len) && !packet.damaged;
            (!receiver.packets.iter().any(sound)).then_some((from, spoiled, first))
        })?;
        let to = from.other();
        let cause = match (from, first.flags.syn()) {
            (_, true) => Cause::TcpSynUnanswered,
            (Side::Server, false) => Cause::ServerFlightDropped,
            (Side::Client, false) if first.payload.first() == Some(&0x16) && first.payload.get(5) == Some(&1) => Cause::ClientHelloDropped,
            (Side::Client, false) => Cause::OneWayPath,
        };
        let summary = format!(
            "A device between the two captures damages what the {from} sends: {} arrives at the {to} with a wrong TCP checksum, which was sound when it was sent ({} in all), so the {to} drops it.",
            name(first, self.ends(from).0, from),
            counted(spoiled.len(), "packet", "packets")
        );
        Some(on_path(cause, Confidence::Certain, capital(&summary)))
    }
}

/// What is another of an endpoint, in words that name nobody.
pub(super) fn what(other: Endpoint, usual: Endpoint) -> String {
    if other.address == usual.address { format!("port ({} after {})", other.port, usual.port) } else { "address".to_owned() }
}

/// A pause that is none of a handshake in progress, in milliseconds.
const PAUSE_MS: u128 = 1_000;
