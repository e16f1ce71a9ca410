//! What became of a handshake between two points, and the verdict that only both together allow.

use super::joined::{Event, Joined, Joint, half};
use super::relayed::{relayed, translated};
use super::vantage::{Passing, Transit, View, follow};
use super::words::{bytes, capital, grouped, name, quiet_before, receiver_hears_nothing_after, sent_times};
use crate::flow::{Side, Transport};
use crate::packet::IcmpKind;
use crate::report::{Cause, Confidence, Handshake, Outcome, Protocol, StoppedBy};

mod forged;

/// One point's view of a handshake: its report, if it gave one, and its packets.
#[derive(Debug)]
pub struct Point<'a> {
    /// The report.
    pub report: Option<&'a Handshake<'a>>,
    /// The packets.
    pub view: &'a View,
}

/// Compares what two points saw. `joined_by`: see [`Joined::joined_by`].
pub fn judge(client: &Point<'_>, server: &Point<'_>, joined_by: &'static str) -> Joined {
    let up = follow(Side::Client, client.view, server.view);
    let down = follow(Side::Server, server.view, client.view);
    let path = Path { client: client.view, server: server.view, up: &up, down: &down };
    if joined_by == "random" && path.relayed(client.report, server.report) {
        return relayed(client.report, server.report);
    }
    let mut between = path.events();
    if let Some(event) = translated(client, server, joined_by) {
        between.insert(0, event);
    }
    let round_trip = up.least_delay_ns.zip(down.least_delay_ns).map(|(up, down)| up.saturating_add(down));
    let verdict = path.verdict(client.report, server.report, between.is_empty());
    Joined {
        schema: "handshark-match/1",
        joined_by,
        client: client.report.map(half),
        server: server.report.map(half),
        between,
        hops: path.hops(),
        round_trip_us: round_trip.and_then(|nanos| u64::try_from(nanos).ok()).map(|nanos| nanos / 1000),
        verdict,
    }
}

fn event(what: &'static str, from: Side, text: String, sent: Option<&Passing>, got: Option<&Passing>) -> Event {
    let frame = |packet: Option<&Passing>| packet.map(|packet| packet.mark.frame);
    let (client_frame, server_frame) = if from == Side::Client { (frame(sent), frame(got)) } else { (frame(got), frame(sent)) };
    Event { what, from: from.name(), text, client_frame, server_frame }
}

struct Path<'a> {
    client: &'a View,
    server: &'a View,
    /// From the client to the server.
    up: &'a Transit,
    /// From the server to the client.
    down: &'a Transit,
}

impl Path<'_> {
    fn transit(&self, from: Side) -> &Transit {
        if from == Side::Client { self.up } else { self.down }
    }

    /// The views of who sends and who receives.
    fn ends(&self, from: Side) -> (&View, &View) {
        if from == Side::Client { (self.client, self.server) } else { (self.server, self.client) }
    }

    fn sent(&self, from: Side, places: &[usize]) -> Vec<&Passing> {
        places.iter().filter_map(|place| self.ends(from).0.packets.get(*place)).collect()
    }

    fn injected(&self, from: Side) -> Vec<&Passing> {
        self.transit(from).injected.iter().filter_map(|place| self.ends(from).1.packets.get(*place)).collect()
    }

    /// The TCP connections at the two points are not the same one.
    fn relayed(&self, client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>) -> bool {
        let preamble = |report: Option<&Handshake<'_>>| report.and_then(|report| report.handshake.preamble);
        let isns = [self.client, self.server].map(|view| view.isn(Side::Client));
        let other_isn = isns.iter().all(Option::is_some) && isns[0] != isns[1];
        let from_the_start = self.up.altered.is_some_and(|(first, _)| first == 0);
        preamble(client) != preamble(server) || other_isn && from_the_start
    }

    fn hops(&self) -> Option<u8> {
        let (from, to) = self.up.arrived.first()?;
        let (sent, got) = (self.client.packets.get(*from)?, self.server.packets.get(*to)?);
        sent.ttl.checked_sub(got.ttl)
    }

    fn events(&self) -> Vec<Event> {
        let mut events: Vec<(i64, Event)> = Vec::new();
        for from in Side::BOTH {
            let (transit, (sender, receiver)) = (self.transit(from), self.ends(from));
            let to = from.other();
            // Times at the server's end are put on the client's clock.
            let at = |packet: &Passing, seen_by_client: bool| {
                packet.mark.time.nanos().saturating_sub(if seen_by_client { 0 } else { self.clock_offset() })
            };
            let sent_by_client = from == Side::Client;
            for (what, times) in grouped(&self.sent(from, &transit.lost)) {
                let again = if times > 1 { format!("{times} times, ") } else { String::new() };
                let text = format!("{} was sent {again}and never arrived at the {to}", name(what, sender, from));
                events.push((at(what, sent_by_client), event("lost", from, text, Some(what), None)));
            }
            for (what, times) in grouped(&self.sent(from, &transit.lost_copies)) {
                let copies = if times > 1 { format!("{times} copies") } else { "a copy".to_owned() };
                let text = format!("{copies} of {} did not arrive at the {to}; another did", name(what, sender, from));
                events.push((at(what, sent_by_client), event("lost", from, text, Some(what), None)));
            }
            for (what, times) in grouped(&self.injected(from)) {
                let again = if times > 1 { format!(", {times} times") } else { String::new() };
                let usual = receiver.packets.iter().find(|packet| packet.from == from).map_or(what.ttl, |packet| packet.ttl);
                let ttl = if usual == what.ttl { String::new() } else { format!(" (TTL {}, the {from}'s packets have {usual})", what.ttl) };
                let text = format!(
                    "{} arrived at the {to} in the {from}'s name{again}, and the {from} never sent it{ttl}",
                    name(what, receiver, from)
                );
                events.push((at(what, !sent_by_client), event("injected", from, text, None, Some(what))));
            }
            if let Some((first, count)) = transit.altered {
                let text = format!(
                    "{} of the {from}'s stream {} altered on the way, from byte {first} on: {}",
                    bytes(count),
                    if count == 1 { "was" } else { "were" },
                    self.change(from)
                );
                let got = receiver.packets.iter().find(|packet| packet.from == from && packet.len > 0);
                events.push((got.map_or(0, |got| at(got, !sent_by_client)), event("altered", from, text, None, got)));
            }
            for (place, got) in &transit.arrived {
                let (Some(sent), Some(got)) = (sender.packets.get(*place), receiver.packets.get(*got)) else { continue };
                if let (Some(was), Some(now)) = (sent.mss, got.mss)
                    && was != now
                {
                    let text = format!(
                        "the maximum segment size in the {from}'s {} was changed from {was} to {now}",
                        name(sent, sender, from).trim_start_matches("the ")
                    );
                    events.push((at(sent, sent_by_client), event("altered", from, text, Some(sent), Some(got))));
                }
                let took =
                    got.mark.time.nanos().saturating_sub(sent.mark.time.nanos()).saturating_sub(transit.least_delay_ns.unwrap_or_default());
                if took >= DELAY_NS && sent.len > 0 {
                    let text = format!("{} took {} ms longer than the fastest packet", name(sent, sender, from), took / 1_000_000);
                    events.push((at(sent, sent_by_client), event("delayed", from, text, Some(sent), Some(got))));
                }
            }
        }
        events.sort_by_key(|(at, _)| *at);
        events.into_iter().map(|(_, event)| event).collect()
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
    fn change(&self, from: Side) -> String {
        let transit = self.transit(from);
        let Some((first, _)) = transit.altered else { return String::new() };
        let line = |bytes: &[u8]| {
            let text: String =
                bytes.iter().take(24).map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect();
            text
        };
        format!("`{}` became `{}`", line(transit.sent.from(first)), line(transit.received.from(first)))
    }

    fn verdict(&self, client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>, untouched: bool) -> Joint {
        let completed = |report: Option<&Handshake<'_>>| report.is_some_and(|report| report.handshake.outcome == Outcome::Completed);
        if self.client.packets.is_empty() || self.server.packets.is_empty() {
            return self.not_the_path(client, server);
        }
        let both_completed = completed(client) && (completed(server) || server.is_none());
        Self::intercepted(client, server)
            .or_else(|| if both_completed { Some(self.completed(client, untouched)) } else { None })
            .or_else(|| self.forged(client))
            .or_else(|| self.altered())
            .or_else(|| self.dropped(client, server))
            .unwrap_or_else(|| self.not_the_path(client, server))
    }

    /// The ClientHello that arrived is not the one that was sent.
    fn intercepted(client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>) -> Option<Joint> {
        let random = |report: Option<&Handshake<'_>>| {
            Some(report?.tls.as_ref()?.client.as_ref()?.random.to_vec()).filter(|random| !random.is_empty())
        };
        let (sent, got) = (random(client)?, random(server)?);
        if sent == got {
            return None;
        }
        let leaf = |report: Option<&Handshake<'_>>| report?.server_certificates().first().cloned();
        let certificates = match (leaf(client), leaf(server)) {
            (Some(given), Some(own)) if given.sha256 != own.sha256 => {
                format!(" The server sent a certificate by {}, the client was given one by {}.", own.issuer, given.issuer)
            }
            _ => String::new(),
        };
        Some(Joint::certain(
            "tls-interception",
            "path",
            format!(
                "The ClientHello that reached the server is not the one the client sent: a device between the two captures ends the client's TLS and begins its own.{certificates}"
            ),
        ))
    }

    fn completed(&self, client: Option<&Handshake<'_>>, untouched: bool) -> Joint {
        let lost = [Side::Client, Side::Server].map(|from| self.transit(from).lost_copies.iter().chain(&self.transit(from).lost).count());
        let ignored =
            self.injected(Side::Server).into_iter().chain(self.injected(Side::Client)).filter(|packet| packet.flags.rst()).count();
        let cause = client.and_then(|report| report.diagnosis.cause);
        match (lost, ignored) {
            ([0, 0], 0) => Joint {
                // What looked like loss at one point was none.
                cause: cause.filter(|cause| *cause != Cause::PacketLoss).map(|cause| cause.slug().to_owned()),
                place: "nowhere",
                confidence: client
                    .filter(|_| cause.is_some())
                    .and_then(|report| report.diagnosis.confidence)
                    .map_or("certain", Confidence::name)
                    .to_owned(),
                summary: match &cause {
                    None if !untouched => "It completed; what happened between the two captures did it no harm.".to_owned(),
                    None => "It completed, and nothing was lost, altered or injected between the two captures.".to_owned(),
                    Some(cause) => format!(
                        "It completed, and what was noticed ({cause}) did not happen between the two captures: nothing was lost there."
                    ),
                },
            },
            (_, 1..) => Joint::certain(
                "reset-injected",
                "path",
                "It completed, though a device between the two captures tried to reset it: neither end sent the RST.".to_owned(),
            ),
            ([up, down], 0) => Joint::certain(
                "packet-loss",
                "path",
                format!(
                    "It completed, although {up} of the client's packets and {down} of the server's were lost between the two captures."
                ),
            ),
        }
    }

    fn altered(&self) -> Option<Joint> {
        let from = Side::BOTH.into_iter().rev().find(|from| self.transit(*from).altered.is_some())?;
        let (first, count) = self.transit(from).altered?;
        let tls = |stream: &[u8]| matches!(stream.first(), Some(0x14..=0x17)) && stream.get(1) == Some(&0x03);
        let cause = if tls(self.transit(from).sent.head()) { "record-corrupted" } else { "starttls-not-offered" };
        Some(Joint::certain(
            cause,
            "path",
            format!(
                "A device between the two captures altered what the {from} sent, {} from byte {first} on: {}.",
                bytes(count),
                self.change(from)
            ),
        ))
    }

    /// Something never arrived.
    fn dropped(&self, client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>) -> Option<Joint> {
        let udp = self.client.transport == Transport::Udp || self.server.transport == Transport::Udp;
        let lost = [Side::Client, Side::Server].map(|from| self.sent(from, &self.transit(from).lost));
        let [up, down] = &lost;
        let syn = |packets: &[&Passing]| packets.iter().any(|packet| packet.flags.syn());
        let data = |packets: &[&Passing]| packets.iter().filter(|packet| packet.len > 0).count();
        if syn(up) {
            return Some(Joint::certain(
                "tcp-syn-unanswered",
                "path",
                format!("The client's SYN ({}) never arrived at the server's end: it is dropped between the two captures.", sent_times(up)),
            ));
        }
        if syn(down) {
            return Some(Joint::certain(
                "tcp-syn-unanswered",
                "path",
                format!(
                    "The SYN arrived and the server answered it ({}), but the SYN-ACK never arrived at the client's end: it is dropped on the way back.",
                    sent_times(down)
                ),
            ));
        }
        if data(up) == 0 && data(down) == 0 {
            return None;
        }
        let from = if data(up) > 0 { Side::Client } else { Side::Server };
        let lost = if from == Side::Client { up } else { down };
        let (transit, (sender, _)) = (self.transit(from), self.ends(from));
        let to = from.other();
        // A size above which nothing passes and below which everything does: what came before the first was lost says nothing of that.
        let first_lost = lost.iter().filter(|packet| packet.len > 0).map(|packet| packet.mark.time).min();
        let passed = transit.arrived.iter().filter_map(|(place, _)| sender.packets.get(*place));
        let passed_since = passed.filter(|packet| first_lost.is_some_and(|first| packet.mark.time > first));
        let largest_arrived = passed_since.map(|packet| packet.ip_len).max().unwrap_or(0);
        let smallest_lost = lost.iter().filter(|packet| packet.len > 0).map(|packet| packet.ip_len).min().unwrap_or(0);
        let what = lost.iter().find(|packet| packet.len > 0).map(|packet| name(packet, sender, from)).unwrap_or_default();
        let times = sent_times(lost);
        let too_big = sender.icmp.iter().find_map(|(mark, kind, about)| match kind {
            IcmpKind::TooBig(mtu) if *about == from => Some((mark.frame, *mtu)),
            _ => None,
        });
        let later_arrived = |packet: &&Passing| {
            transit
                .arrived
                .iter()
                .any(|(place, _)| sender.packets.get(*place).is_some_and(|other| other.len > 0 && other.mark.time > packet.mark.time))
        };
        let some_passed = lost.iter().any(later_arrived)
            || transit.arrived.iter().any(|(place, _)| sender.packets.get(*place).is_some_and(|packet| packet.len > 0));
        let nothing_after = !lost.iter().any(later_arrived) && receiver_hears_nothing_after(lost, transit, sender);
        if let Some((frame, mtu)) = too_big {
            return Some(Joint::certain(
                "path-mtu-icmp-ignored",
                "path",
                format!(
                    "{} ({times}) never arrived at the {to}: packets of {smallest_lost} bytes are too large for the path, which carries {mtu} and said so to the {from} (frame {frame} of its capture); the {from} went on as before.",
                    capital(&what)
                ),
            ));
        }
        let quic = [client, server].into_iter().flatten().any(|report| report.network.protocol == Protocol::Quic);
        let by_size = smallest_lost > largest_arrived.max(SMALL) && largest_arrived > 0 && data(lost) > 0;
        // A small hello of which nothing else is known may be kept for what it says.
        if by_size && (some_passed || transit.lost.len() > 1 && (from == Side::Server || smallest_lost >= LARGE)) {
            return Some(Joint::of(
                if quic { "quic-mtu" } else { "path-mtu-black-hole" },
                // A packet or two may be lost by chance.
                if data(lost) >= MANY { "certain" } else { "likely" },
                "path",
                format!(
                    "Packets of {smallest_lost} bytes and more from the {from} never arrive at the {to} ({what}, {times}), while those of up to {largest_arrived} bytes do, and no ICMP tells the {from}: the path drops what is too large."
                ),
            ));
        }
        if let Some(quiet) = quiet_before(lost, sender).filter(|_| nothing_after) {
            return Some(Joint::of(
                "idle-timeout",
                "strong",
                "path",
                format!(
                    "After {}.{} s without a packet, nothing from the {from} arrives at the {to} any more ({what}, {times}): something between the two captures has forgotten the connection.",
                    quiet / 1000,
                    quiet % 1000 / 100
                ),
            ));
        }
        if from == Side::Client {
            let hello_begun = self.up.received.head().len() >= 6;
            let ack_lost = !self.server.packets.iter().any(|packet| packet.from == Side::Client && !packet.flags.syn());
            if ack_lost
                && !udp
                && self.client.packets.iter().filter(|packet| packet.from == Side::Client && !packet.flags.syn()).count() > 1
            {
                return Some(Joint::certain(
                    "one-way-path",
                    "path",
                    format!(
                        "After the SYN nothing from the client arrives at the server ({what}, {times}), while what the server sends arrives: the way to the server is broken."
                    ),
                ));
            }
            let later = if udp {
                self.later_datagrams(client, &what, &times, nothing_after)
            } else {
                self.after_hello(lost, &what, &times, nothing_after)
            };
            if later.is_some() {
                return later;
            }
            let cause = match (quic, hello_begun || some_passed && udp) {
                (true, false) => "quic-blocked",
                (_, true) => "split-client-hello",
                (_, false) => "client-hello-dropped",
            };
            let rest = if cause == "split-client-hello" { ", though an earlier part of it did" } else { "" };
            // What the client's other handshakes showed is more exact, and as sure as it was.
            let exact = client.and_then(|report| report.diagnosis.cause.map(Cause::slug).zip(report.diagnosis.confidence.map(Confidence::name)));
            let exact = exact.filter(|(exact, _)| *exact != cause && matches!(*exact, "tls13-dropped" | "split-client-hello"));
            // What is lost for good may be the first thing that a dying path lost: only what still arrives tells it from that.
            let own = match cause {
                "split-client-hello" if nothing_after || data(lost) < MANY => "likely",
                "client-hello-dropped" if nothing_after => "strong",
                _ => "certain",
            };
            let (cause, confidence) = exact.unwrap_or((cause, own));
            let place = format!(
                "{} ({times}) never arrived at the server{rest}: it is dropped between the two captures, and the server has nothing to answer.",
                capital(&what)
            );
            return Some(Joint::of(cause, confidence, "path", place));
        }
        Some(Joint::certain(
            "server-flight-dropped",
            "path",
            format!("The server answered, but {what} ({times}) never arrived at the client: it is dropped between the two captures."),
        ))
    }

    /// What was lost lies behind what the server had and answered, or a path that had let the first datagrams through lets none through any more.
    /// What that is called the client's point knows better than two lists of datagrams do, and as well as it did.
    fn later_datagrams(&self, client: Option<&Handshake<'_>>, what: &str, times: &str, nothing_after: bool) -> Option<Joint> {
        let some = |from: Side| self.server.packets.iter().any(|packet| packet.from == from && packet.len > 0);
        if !some(Side::Client) || !some(Side::Server) && !nothing_after {
            return None;
        }
        let (cause, confidence) = blamed_on_path(client).unwrap_or((if nothing_after { "one-way-path" } else { "packet-loss" }, "likely"));
        let then =
            if nothing_after { "nothing of the client arrives there from then on" } else { "other packets of the client still arrive" };
        let summary = format!("{} ({times}) never arrived at the server, though earlier packets of the client did: {then}.", capital(what));
        Some(Joint::of(cause, confidence, "path", summary))
    }

    /// What was lost lies behind the ClientHello, which arrived whole.
    fn after_hello(&self, lost: &[&Passing], what: &str, times: &str, nothing_after: bool) -> Option<Joint> {
        let isn = self.client.isn(Side::Client)?;
        let end = match self.up.sent.head() {
            [0x16, 0x03, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])).saturating_add(5),
            _ => return None,
        };
        let first = lost.iter().find(|packet| packet.len > 0)?;
        let at = first.seq.wrapping_sub(isn).wrapping_sub(1) as usize;
        if at < end || self.up.received.head().len() < end {
            return None;
        }
        // A path that loses what the server sends, too, is no path that passes one direction only.
        let both_ways = self.down.lost.len().saturating_add(self.down.lost_copies.len()) > 0;
        let (cause, then) = if nothing_after && both_ways {
            ("packet-loss", "nothing of the client arrives there from then on, and packets of the server were lost as well")
        } else if nothing_after {
            ("one-way-path", "nothing of the client arrives there from then on")
        } else {
            ("packet-loss", "other packets of the client still arrive")
        };
        Some(Joint::of(
            cause,
            "strong",
            "path",
            format!("{} ({times}), behind a ClientHello that arrived whole, never arrived at the server: {then}.", capital(what)),
        ))
    }

    /// The path did nothing: whoever ended it did so of its own accord.
    fn not_the_path(&self, client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>) -> Joint {
        let (report, place) = match (client, server) {
            (Some(client), Some(server)) => match client.diagnosis.stopped_by {
                StoppedBy::Client => (client, "client"),
                StoppedBy::Server => (server, "server"),
                _ if server.diagnosis.cause.is_some_and(|cause| cause.slug().starts_with("client-")) => (server, "client"),
                _ if server.diagnosis.cause.is_some() => (server, "server"),
                _ => (client, "client"),
            },
            // What never reached the server's end, or began there, is nobody's until more is known.
            (Some(report), None) | (None, Some(report)) => (report, "nowhere"),
            (None, None) => return Joint::of("capture-gaps", "hint", "nowhere", "Neither capture holds enough of it.".to_owned()),
        };
        if self.server.packets.is_empty() || self.client.packets.is_empty() {
            let (here, there) = if self.server.packets.is_empty() { ("client", "server") } else { ("server", "client") };
            return Joint {
                cause: report.diagnosis.cause.map(|cause| cause.slug().to_owned()),
                place: "nowhere",
                confidence: report.diagnosis.confidence.map_or("hint", Confidence::name).to_owned(),
                summary: format!(
                    "No packet of it is in the {there}'s capture: it went another way, was dropped before that point, or that capture was not running. As seen by the {here}: {}",
                    report.summary()
                ),
            };
        }
        let missed = self.up.missed.len().saturating_add(self.down.missed.len());
        let gaps = if missed > 0 { format!(" ({missed} packets are missing from a capture, not from the path.)") } else { String::new() };
        // What one point suspects of the path, the other clears it of.
        let blamed = report.diagnosis.stopped_by == StoppedBy::Network;
        let own = report.diagnosis.cause.map(|cause| cause.slug().to_owned());
        let cause = match (&own, blamed) {
            (Some(cause), true) if !cause.starts_with("capture") => {
                let silent = self.server.packets.iter().any(|packet| packet.from == Side::Client && packet.len > 0);
                let own_word = matches!(cause.as_str(), "quic-server-silent" | "dtls-no-answer");
                let word = if report.network.protocol == Protocol::Quic { "quic-server-silent" } else { "server-silent" };
                Some(if silent && !own_word { word.to_owned() } else { cause.clone() })
            }
            (cause, _) => cause.clone(),
        };
        let confidence = if missed == 0 && cause.is_some() && cause == own {
            // What the two together do not show themselves is as sure as it was.
            report.diagnosis.confidence.map_or("strong", Confidence::name).to_owned()
        } else {
            "strong".to_owned()
        };
        Joint {
            cause,
            place: if report.diagnosis.cause.is_none() { "nowhere" } else { place },
            confidence,
            summary: format!(
                "Everything that either end sent arrived as it was sent, so the path is not to blame.{gaps} {}",
                report.summary()
            ),
        }
    }
}

/// Longer than the fastest by this is delayed, in nanoseconds.
const DELAY_NS: i64 = 50_000_000;
/// So many copies are not lost by chance.
const MANY: usize = 3;
/// Packets that any path carries.
const SMALL: u32 = 576;
/// Packets that few paths are too narrow for.
const LARGE: u32 = 1000;

/// Cause and confidence of a report that blames the path.
fn blamed_on_path(report: Option<&Handshake<'_>>) -> Option<(&'static str, &'static str)> {
    let diagnosis = report.map(|report| &report.diagnosis).filter(|diagnosis| diagnosis.stopped_by == StoppedBy::Network)?;
    diagnosis.cause.map(Cause::slug).zip(diagnosis.confidence.map(Confidence::name))
}
