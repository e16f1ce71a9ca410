//! What happened between two points, event by event.

use super::Comparison;
use super::translated::what;
use crate::compare::joined::{Event, Happening};
use crate::compare::vantage::Passing;
use crate::compare::words::{bytes, grouped, name};
use crate::flow::Side;
use crate::wording::{counted, times};

/// Events with their times on the client's clock.
type Timed = Vec<(i64, Event)>;

impl Comparison<'_> {
    /// Everything that happened, in the order of time.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Timed::new();
        // What went past one of the points cannot be compared.
        let past = (self.client.saw_nothing() || self.server.saw_nothing()) && self.answered() || self.picked_out().is_some();
        for from in Side::BOTH.into_iter().filter(|_| !past) {
            self.losses(from, &mut events);
            self.injections(from, &mut events);
            self.alteration(from, &mut events);
            self.arrivals(from, &mut events);
            for (text, (sent, got)) in self.header_changes(from) {
                events.push((self.time(sent, from), event(Happening::Altered, from, text, Some(sent), Some(got))));
            }
            self.copies(from, &mut events);
            self.damages(from, &mut events);
        }
        self.other_port(&mut events);
        events.sort_by_key(|(at, _)| *at);
        events.into_iter().map(|(_, event)| event).collect()
    }

    fn losses(&self, from: Side, events: &mut Timed) {
        let (transit, (sender, _), to) = (self.transit(from), self.ends(from), from.other());
        for (what, number) in grouped(&self.sent(from, &transit.lost)) {
            let again = if number > 1 { format!("{}, ", times(number)) } else { String::new() };
            let text = format!("{} was sent {again}and never arrived at the {to}", name(what, sender, from));
            events.push((self.time(what, from), event(Happening::Lost, from, text, Some(what), None)));
        }
        for (what, number) in grouped(&self.sent(from, &transit.lost_copies)) {
            let copies = if number > 1 { counted(number, "copy", "copies") } else { "a copy".to_owned() };
            let text = format!("{copies} of {} did not arrive at the {to}; another did", name(what, sender, from));
            events.push((self.time(what, from), event(Happening::Lost, from, text, Some(what), None)));
        }
    }

    fn injections(&self, from: Side, events: &mut Timed) {
        let ((_, receiver), to) = (self.ends(from), from.other());
        for (what, number) in grouped(&self.injected(from)) {
            let again = if number > 1 { format!(", {}", times(number)) } else { String::new() };
            let usual = receiver.packets.iter().find(|packet| packet.from == from).map_or(what.ttl, |packet| packet.ttl);
            let ttl =
                if usual == what.ttl { String::new() } else { format!("; its TTL is {}, the {from}'s own packets have {usual}", what.ttl) };
            let text = format!(
                "{} that claims to come from the {from} arrived at the {to}{again}, and the {from} never sent it{ttl}",
                name(what, receiver, from)
            );
            events.push((self.time(what, to), event(Happening::Injected, from, text, None, Some(what))));
        }
    }

    fn alteration(&self, from: Side, events: &mut Timed) {
        let Some((first, count)) = self.transit(from).altered else { return };
        let were = if count == 1 { "was" } else { "were" };
        let change = self.change(from);
        let text = format!("{} of the {from}'s stream {were} altered on the path, from byte {first} on: {change}", bytes(count));
        let (_, receiver) = self.ends(from);
        let got = receiver.packets.iter().find(|packet| packet.from == from && packet.len > 0);
        events.push((got.map_or(0, |got| self.time(got, from.other())), event(Happening::Altered, from, text, None, got)));
    }

    /// Packets that the path, or the capture, doubled: one line, for a mirror port doubles everything.
    fn copies(&self, from: Side, events: &mut Timed) {
        let ((_, receiver), to) = (self.ends(from), from.other());
        let copies = self.transit(from).doubled.iter().filter_map(|place| receiver.packets.get(*place)).collect::<Vec<_>>();
        let Some(first) = copies.first() else { return };
        let more = match copies.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and {} more)", counted(more, "packet", "packets")),
        };
        let text = format!("{} arrived at the {to} more often than it was sent{more}", name(first, receiver, from));
        events.push((self.time(first, to), event(Happening::Doubled, from, text, None, Some(first))));
    }

    /// Packets whose checksum the path spoiled.
    fn damages(&self, from: Side, events: &mut Timed) {
        let spoiled = self.spoiled(from);
        let Some((sent, got)) = spoiled.first() else { return };
        let text = format!(
            "the TCP checksum of {} from the {from} was sound when it was sent and wrong when it arrived",
            counted(spoiled.len(), "packet", "packets")
        );
        events.push((self.time(sent, from), event(Happening::Altered, from, text, Some(sent), Some(got))));
    }

    /// The client's port became another on the way.
    fn other_port(&self, events: &mut Timed) {
        let first = self.server.view.packets.iter().find(|packet| packet.moved);
        if let (Some(other), Some(first)) = (self.server.view.moved, first) {
            let text = format!("from here on, the client has another {} in the server's capture", what(other, self.server.view.client));
            events.push((self.time(first, Side::Server), event(Happening::Altered, Side::Client, text, None, Some(first))));
        }
    }

    /// Packets that arrived late, or with another maximum segment size.
    fn arrivals(&self, from: Side, events: &mut Timed) {
        let (transit, (sender, receiver)) = (self.transit(from), self.ends(from));
        for (place, got) in &transit.arrived {
            let (Some(sent), Some(got)) = (sender.packets.get(*place), receiver.packets.get(*got)) else { continue };
            if let (Some(was), Some(now)) = (sent.mss, got.mss)
                && was != now
            {
                let packet = name(sent, sender, from);
                let packet = packet.trim_start_matches("the ");
                let text = format!("the maximum segment size in the {from}'s {packet} was changed from {was} to {now}");
                events.push((self.time(sent, from), event(Happening::Altered, from, text, Some(sent), Some(got))));
            }
            let took =
                got.mark.time.nanos().saturating_sub(sent.mark.time.nanos()).saturating_sub(transit.least_delay_ns.unwrap_or_default());
            if took >= DELAY_NS && sent.len > 0 {
                let text = format!("{} took {} ms longer than the fastest packet", name(sent, sender, from), took / 1_000_000);
                events.push((self.time(sent, from), event(Happening::Delayed, from, text, Some(sent), Some(got))));
            }
        }
    }

    /// When a packet was seen at one side's point, on the client's clock.
    fn time(&self, packet: &Passing, seen_by: Side) -> i64 {
        packet.mark.time.nanos().saturating_sub(if seen_by == Side::Client { 0 } else { self.clock_offset() })
    }

    /// The server's clock minus the client's, if the way is as long in both directions.
    fn clock_offset(&self) -> i64 {
        match (self.up.least_delay_ns, self.down.least_delay_ns) {
            (Some(up), Some(down)) => up.saturating_sub(down) / 2,
            (Some(up), None) => up,
            (None, Some(down)) => down.saturating_neg(),
            (None, None) => 0,
        }
    }

    /// Altered bytes, before and after.
    pub(super) fn change(&self, from: Side) -> String {
        let transit = self.transit(from);
        let Some((first, _)) = transit.altered else { return String::new() };
        format!("`{}` became `{}`", printable(transit.sent.from(first)), printable(transit.received.from(first)))
    }
}

/// The first bytes of something, dots for what is no text.
fn printable(bytes: &[u8]) -> String {
    bytes.iter().take(24).map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect()
}

fn event(what: Happening, from: Side, text: String, sent: Option<&Passing>, got: Option<&Passing>) -> Event {
    let frame = |packet: Option<&Passing>| packet.map(|packet| packet.mark.frame);
    let (client_frame, server_frame) = if from == Side::Client { (frame(sent), frame(got)) } else { (frame(got), frame(sent)) };
    Event { what, from, text, client_frame, client_source: None, server_frame, server_source: None }
}

/// Longer than the fastest by this is delayed, in nanoseconds.
const DELAY_NS: i64 = 50_000_000;
