//! What the path changed in the headers of packets that arrived: windows, and timestamps of some of them.

use super::{Comparison, on_path};
use crate::compare::vantage::Passing;
use crate::compare::words::{capital, name};
use crate::flow::Side;
use crate::report::{Cause, Confidence, Finding};
use crate::wording::{count, counted};

/// What was sent, and what became of it.
pub(super) type Changed<'a> = (&'a Passing, &'a Passing);

impl<'a> Comparison<'a> {
    /// Pairs of what a side sent and what arrived, in the order of arrival. A device that has a connection of its own on each side has headers of its own.
    fn pairs(&self, from: Side) -> impl Iterator<Item = Changed<'a>> + use<'a> {
        let (sender, receiver) = self.ends(from);
        let one_connection = self.most() == Confidence::Certain;
        let arrived = self.transit(from).arrived.iter().filter(move |_| one_connection);
        arrived.filter_map(|(sent, got)| sender.packets.get(*sent).zip(receiver.packets.get(*got)))
    }

    /// What arrived is this very packet, and no copy of it.
    fn is_itself(&self, (sent, got): &Changed<'a>) -> bool {
        let (sender, _) = self.ends(sent.from);
        let key = |packet: &Passing| (packet.from, packet.seq, packet.len, packet.flags.syn());
        sent.ip_id.is_some() && sent.ip_id == got.ip_id || sender.packets.iter().filter(|other| key(other) == key(sent)).count() == 1
    }

    /// Those whose window is another.
    pub(super) fn windows(&self, from: Side) -> Vec<Changed<'a>> {
        let other = self.pairs(from).filter(|(sent, got)| !sent.flags.rst() && sent.window != got.window);
        other.filter(|pair| self.is_itself(pair)).collect()
    }

    /// The SYN, and a later packet whose timestamp was moved by another amount than that of the SYN was, and by how much more or less.
    pub(super) fn restamped(&self, from: Side) -> Option<(Changed<'a>, Changed<'a>, u32)> {
        let moved = |(sent, got): &Changed<'a>| Some(got.tsval?.wrapping_sub(sent.tsval?));
        let opening = self.pairs(from).find(|(sent, _)| sent.flags.syn())?;
        let by = moved(&opening)?;
        let apart = |pair: &Changed<'a>| moved(pair).map(|other| other.wrapping_sub(by).cast_signed().unsigned_abs());
        let later = self.pairs(from).filter(|(sent, _)| !sent.flags.syn());
        later
            .filter_map(|pair| Some((pair, apart(&pair)?)))
            .find(|(pair, apart)| *apart > CLOCK_SLACK && self.is_itself(pair))
            .map(|(pair, apart)| (opening, pair, apart))
    }

    /// Headers that decide whether a packet is taken arrived otherwise than they were sent.
    pub(super) fn has_other_headers(&self) -> bool {
        Side::BOTH.into_iter().any(|from| !self.windows(from).is_empty() || self.restamped(from).is_some())
    }

    /// The path did it by what it changed in them.
    pub(super) fn rewritten(&self) -> Option<Finding> {
        Side::BOTH.into_iter().find_map(|from| self.shut(from).or_else(|| self.outdated(from)))
    }

    /// A window that its side had open arrives as closed, and the other side says no more.
    fn shut(&self, from: Side) -> Option<Finding> {
        let (sent, got) = self.windows(from).into_iter().find(|(sent, got)| sent.window > 0 && got.window == 0)?;
        let to = from.other();
        let (sender, receiver) = self.ends(from);
        let goes_on = receiver.packets.iter().any(|later| later.from == to && later.len > 1 && later.mark.frame > got.mark.frame);
        let summary = format!(
            "A device between the two captures closes the {from}'s window: {} leaves with a window of {} and arrives with 0 (frames {} and {}), so that the {to} may send nothing.",
            name(sent, sender, from),
            count(u64::from(sent.window)),
            sent.mark.frame,
            got.mark.frame
        );
        (!goes_on).then(|| on_path(Cause::ZeroWindow, Confidence::Strong, summary))
    }

    /// Timestamps of one connection that no longer fit together: the receiver drops what is older than what it had before.
    fn outdated(&self, from: Side) -> Option<Finding> {
        let ((opening, opened), (later, arrived), apart) = self.restamped(from)?;
        // Only what runs back is dropped.
        let back = arrived.tsval?.wrapping_sub(opened.tsval?).cast_signed() < 0;
        let (to, (sender, _)) = (from.other(), self.ends(from));
        let cause = if from == Side::Server { Cause::ServerFlightDropped } else { Cause::ClientHelloDropped };
        let summary = format!(
            "A device between the two captures changes TCP timestamps of some packets only: {} and {} arrive {} further apart than they were sent, so that the {to} drops what is older than what it had before (RFC 7323 section 5.3).",
            name(opening, sender, from),
            name(later, sender, from),
            counted(u64::from(apart), "tick", "ticks")
        );
        back.then(|| on_path(cause, Confidence::Strong, capital(&summary)))
    }

    /// What was changed in a side's packets, in words, with the packets that show it.
    pub(super) fn header_changes(&self, from: Side) -> Vec<(String, Changed<'a>)> {
        let (sender, _) = self.ends(from);
        let windows = self.windows(from);
        let window = windows.first().map(|(sent, got)| {
            let more = match windows.len().saturating_sub(1) {
                0 => String::new(),
                more => format!(", and in {}", counted(more, "more packet", "more packets")),
            };
            let text = format!(
                "the window in {} was changed from {} to {}{more}",
                name(sent, sender, from),
                count(u64::from(sent.window)),
                count(u64::from(got.window))
            );
            (text, (*sent, *got))
        });
        let stamp = self.restamped(from).map(|((opening, _), pair, apart)| {
            let text = format!(
                "TCP timestamps of some packets only were changed: those of {} and {} are {} further apart",
                name(opening, sender, from),
                name(pair.0, sender, from),
                count(u64::from(apart))
            );
            (text, pair)
        });
        window.into_iter().chain(stamp).collect()
    }

    /// A capture that was filtered by flags: its packets of this connection all have one that opens or ends it, while the other shows that both sides had
    /// more to say. How many there are, and at which side.
    pub(super) fn picked_out(&self) -> Option<(Side, usize)> {
        let flagged = |packet: &Passing| packet.len == 0 && (packet.flags.syn() || packet.flags.fin() || packet.flags.rst());
        let by_flags = |packets: &[Passing]| !packets.is_empty() && packets.iter().all(flagged);
        let said =
            |packets: &[Passing]| Side::BOTH.into_iter().all(|side| packets.iter().any(|packet| packet.from == side && packet.len > 0));
        let (client, server) = (&self.client.view.packets, &self.server.view.packets);
        if by_flags(server) && said(client) {
            Some((Side::Server, server.len()))
        } else if by_flags(client) && said(server) {
            Some((Side::Client, client.len()))
        } else {
            None
        }
    }

    /// Hop counters run the wrong way in both directions: each side's packets have fewer left where they should begin.
    pub(super) fn exchanged(&self) -> bool {
        let backwards = |from: Side| self.pairs(from).next().is_some_and(|(sent, got)| sent.ttl < got.ttl);
        Side::BOTH.into_iter().all(backwards)
    }
}

/// Timestamps of one connection do not run back by more, whatever their unit.
const CLOCK_SLACK: u32 = 10_000;
