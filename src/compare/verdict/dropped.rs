//! What was sent and never arrived, in no copy, and what that says of the path: a rule for each way in which paths lose packets.

use super::{Comparison, on_path};
use crate::compare::transit::Transit;
use crate::compare::vantage::{Passing, Vantage};
use crate::compare::words::{capital, grouped, is_sent_after, name, quiet_before, receiver_hears_nothing_after, sent_times};
use crate::flow::{Side, Transport};
use crate::packet::IcmpKind;
use crate::report::{Cause, Confidence, Finding};
use crate::wording::counted;

impl Comparison<'_> {
    /// Something never arrived.
    pub(super) fn dropped(&self) -> Option<Finding> {
        let losses = |from: Side| Losses::new(self, from);
        let (up, down) = (losses(Side::Client), losses(Side::Server));
        up.syn().or_else(|| down.syn_ack()).or_else(|| {
            let losses = [up, down].into_iter().find(|losses| losses.data > 0)?;
            let finding = Losses::RULES.into_iter().find_map(|rule| rule(&losses)).unwrap_or_else(|| losses.answer());
            // What a capture lacks need not have been lost on the way.
            let most = if *self.lacks.of(losses.from.other()) { Confidence::Likely } else { Confidence::Certain };
            Some(Finding { confidence: finding.confidence.min(most), ..finding })
        })
    }
}

impl Comparison<'_> {
    /// Copies were lost until the receiver had given up: that one arrived then helped nobody.
    pub(super) fn too_late(&self) -> Option<Finding> {
        [Side::Server, Side::Client].into_iter().find_map(|from| {
            let (transit, (sender, receiver), to) = (self.transit(from), self.ends(from), from.other());
            let left = receiver.packets.iter().find(|packet| packet.from == to && (packet.flags.fin() || packet.flags.rst()))?;
            let same = |packet: &Passing, other: &Passing| (packet.seq, packet.len) == (other.seq, other.len);
            let in_time = |what: &Passing| {
                let mut pairs = transit.arrived.iter().filter_map(|(sent, got)| sender.packets.get(*sent).zip(receiver.packets.get(*got)));
                pairs.any(|(sent, got)| same(sent, what) && got.mark.frame < left.mark.frame)
            };
            let lost = grouped(&self.sent(from, &transit.lost_copies));
            let (what, copies) = lost.into_iter().find(|(what, copies)| *copies >= 2 && what.len > 0 && !in_time(what))?;
            let point = if from == Side::Client { self.client } else { self.server };
            let (cause, confidence) = point.blames_path().unwrap_or((Cause::PacketLoss, Confidence::Likely));
            let summary = format!(
                "{} was lost between the two captures, {} of it, until the {to} gave up (frame {} of its capture); the one that arrived came after that.",
                capital(&name(what, sender, from)),
                counted(copies, "copy", "copies"),
                left.mark.frame
            );
            Some(on_path(cause, confidence.min(Confidence::Strong), summary))
        })
    }
}

/// What one direction lost for good, and what still passed.
struct Losses<'a> {
    path: &'a Comparison<'a>,
    from: Side,
    sender: &'a Vantage,
    transit: &'a Transit,
    packets: Vec<&'a Passing>,
    /// How many of them carry data.
    data: usize,
    /// Data of the sender arrived, before or after.
    some_passed: bool,
    /// Nothing arrived that was sent after the first that was lost.
    nothing_after: bool,
}

impl<'a> Losses<'a> {
    /// The rules, in the order in which they are asked.
    const RULES: [fn(&Self) -> Option<Finding>; 7] = [
        Self::too_big_and_told,
        Self::too_big,
        Self::after_a_pause,
        Self::all_but_the_syn,
        Self::later_datagrams,
        Self::behind_the_hello,
        Self::hello,
    ];

    fn new(path: &'a Comparison<'a>, from: Side) -> Self {
        let (transit, (sender, _)) = (path.transit(from), path.ends(from));
        let packets = path.sent(from, &transit.lost);
        Self {
            path,
            from,
            sender,
            transit,
            data: packets.iter().filter(|packet| packet.len > 0).count(),
            some_passed: arrived(transit, sender).any(|packet| packet.len > 0),
            nothing_after: receiver_hears_nothing_after(&packets, transit, sender),
            packets,
        }
    }

    /// Those with data, in the order sent.
    fn with_data(&self) -> impl Iterator<Item = &'a Passing> + '_ {
        self.packets.iter().copied().filter(|packet| packet.len > 0)
    }

    /// The first with data, in the words of its protocol.
    fn what(&self) -> String {
        self.with_data().next().map(|packet| name(packet, self.sender, self.from)).unwrap_or_default()
    }

    fn times(&self) -> String {
        sent_times(&self.packets)
    }

    /// IP length in bytes of the smallest with data.
    fn smallest(&self) -> u32 {
        self.with_data().map(|packet| packet.ip_len).min().unwrap_or(0)
    }

    /// IP length in bytes of the largest packet that passed since the first with data was lost; zero when none did.
    fn largest_passed(&self) -> u32 {
        // What came before the first was lost says nothing of a size above which nothing passes.
        let first = self.with_data().min_by_key(|packet| packet.mark);
        let passed = arrived(self.transit, self.sender).filter(|packet| first.is_some_and(|first| is_sent_after(packet, first)));
        passed.map(|packet| packet.ip_len).max().unwrap_or(0)
    }

    fn is_udp(&self) -> bool {
        [self.path.client, self.path.server].iter().any(|point| point.view.transport == Transport::Udp)
    }

    fn is_quic(&self) -> bool {
        self.path.client.is_quic() || self.path.server.is_quic()
    }

    fn has_syn(&self) -> bool {
        self.packets.iter().any(|packet| packet.flags.syn())
    }

    fn syn(&self) -> Option<Finding> {
        let summary =
            || format!("The client's SYN ({}) never arrived on the server's side: it is dropped between the two captures.", self.times());
        self.has_syn().then(|| on_path(Cause::TcpSynUnanswered, Confidence::Certain, summary()))
    }

    fn syn_ack(&self) -> Option<Finding> {
        let summary = || {
            format!(
                "The SYN arrived and the server answered it ({}), but the SYN-ACK never arrived on the client's side: it is dropped on the way back.",
                self.times()
            )
        };
        self.has_syn().then(|| on_path(Cause::TcpSynUnanswered, Confidence::Certain, summary()))
    }

    /// A router said that they are too large for the path.
    fn too_big_and_told(&self) -> Option<Finding> {
        let (frame, mtu) = self.sender.icmp.iter().find_map(|(mark, kind, about)| match kind {
            IcmpKind::TooBig(mtu) if *about == self.from => Some((mark.frame, *mtu)),
            _ => None,
        })?;
        // Whoever sends smaller ones from then on has obeyed, and the path takes less than it was told.
        let heeded = !self.with_data().any(|packet| packet.mark.frame > frame && packet.ip_len > mtu);
        if heeded && self.with_data().any(|packet| packet.mark.frame > frame) {
            return None;
        }
        let (from, to) = (self.from, self.from.other());
        let summary = format!(
            "{} ({}) never arrived at the {to}: packets of {} are too large for the path. A router told the {from} so (frame {frame} of its capture, MTU {mtu}), but the {from} did not send smaller ones.",
            capital(&self.what()),
            self.times(),
            counted(self.smallest(), "byte", "bytes")
        );
        Some(on_path(Cause::PathMtuIcmpIgnored, Confidence::Certain, summary))
    }

    /// There is a size above which nothing passes and below which everything does.
    fn too_big(&self) -> Option<Finding> {
        let (smallest, largest) = (self.smallest(), self.largest_passed());
        if largest == 0 || smallest <= largest.max(SMALL) || self.data < 2 {
            return None;
        }
        // A small hello of which nothing else is known may be kept for what it says.
        if !self.some_passed && !(self.packets.len() > 1 && (self.from == Side::Server || smallest >= LARGE)) {
            return None;
        }
        let cause = if self.is_quic() { Cause::QuicMtu } else { Cause::PathMtuBlackHole };
        // A packet or two may be lost by chance.
        let confidence = if self.data >= MANY { Confidence::Certain } else { Confidence::Likely };
        let (from, to) = (self.from, self.from.other());
        let summary = format!(
            "Packets of {smallest} and more from the {from} never arrive at the {to} ({}, {}), while those of up to {largest} do, and no ICMP message tells the {from}: the path drops packets above a certain size.",
            self.what(),
            self.times(),
            smallest = counted(smallest, "byte", "bytes"),
            largest = counted(largest, "byte", "bytes")
        );
        Some(on_path(cause, confidence, summary))
    }

    /// The connection was quiet before, and nothing passes since.
    fn after_a_pause(&self) -> Option<Finding> {
        let quiet = quiet_before(&self.packets, self.sender).filter(|_| self.nothing_after)?;
        let summary = format!(
            "After {}.{} s without a packet, nothing from the {} arrives at the {} any more ({}, {}): a device between the two captures has forgotten the connection.",
            quiet / 1000,
            quiet % 1000 / 100,
            self.from,
            self.from.other(),
            self.what(),
            self.times()
        );
        Some(on_path(Cause::IdleTimeout, Confidence::Strong, summary))
    }

    /// Of all that the client sent over TCP the server got the SYN alone.
    fn all_but_the_syn(&self) -> Option<Finding> {
        let behind_syn = |view: &Vantage| view.packets.iter().filter(|packet| packet.from == Side::Client && !packet.flags.syn()).count();
        let (sent, got) = (behind_syn(self.path.client.view), behind_syn(self.path.server.view));
        if self.from == Side::Server || self.is_udp() || sent < 2 || got > 0 {
            return None;
        }
        let summary = format!(
            "After the SYN, nothing from the client arrives at the server ({}, {}), while the server's packets arrive at the client: the path to the server is broken.",
            self.what(),
            self.times()
        );
        Some(on_path(Cause::OneWayPath, Confidence::Certain, summary))
    }

    /// What was lost lies behind what the server had and answered, or a path that had let the first datagrams through lets none through any more.
    /// What that is called the client's point knows better than two lists of datagrams do, and as well as it did.
    fn later_datagrams(&self) -> Option<Finding> {
        let some = |from: Side| self.path.server.view.packets.iter().any(|packet| packet.from == from && packet.len > 0);
        if self.from == Side::Server || !self.is_udp() || !some(Side::Client) || !some(Side::Server) && !self.nothing_after {
            return None;
        }
        let (own, then) = if self.nothing_after {
            (Cause::OneWayPath, "nothing from the client arrives there from then on")
        } else {
            (Cause::PacketLoss, "other packets from the client still arrive")
        };
        let (cause, confidence) = self.path.client.blames_path().unwrap_or((own, Confidence::Likely));
        let summary = format!(
            "{} ({}) never arrived at the server, though earlier packets from the client did: {then}.",
            capital(&self.what()),
            self.times()
        );
        Some(on_path(cause, confidence, summary))
    }

    /// What was lost lies behind the ClientHello, which arrived whole over TCP.
    fn behind_the_hello(&self) -> Option<Finding> {
        if self.from == Side::Server || self.is_udp() {
            return None;
        }
        let isn = self.sender.isn(Side::Client)?;
        let end = match self.transit.sent.head() {
            [0x16, 0x03, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])).saturating_add(5),
            _ => return None,
        };
        let first = self.with_data().next()?;
        let at = first.seq.wrapping_sub(isn).wrapping_sub(1) as usize;
        if at < end || self.transit.received.head().len() < end {
            return None;
        }
        // A path that loses what the server sends, too, is no path that passes one direction only.
        let both_ways = !self.path.down.lost.is_empty() || !self.path.down.lost_copies.is_empty();
        let (cause, then) = match (self.nothing_after, both_ways) {
            (true, true) => {
                (Cause::PacketLoss, "nothing from the client arrives there from then on, and packets from the server were lost as well")
            }
            (true, false) => (Cause::OneWayPath, "nothing from the client arrives there from then on"),
            (false, _) => (Cause::PacketLoss, "other packets from the client still arrive"),
        };
        let summary = format!(
            "{} ({}) never arrived at the server, though the whole ClientHello before it did: {then}.",
            capital(&self.what()),
            self.times()
        );
        Some(on_path(cause, Confidence::Strong, summary))
    }

    /// What was lost may be of the ClientHello: over TCP, no record that comes later is.
    fn holds_hello(&self) -> bool {
        self.is_udp() || self.with_data().any(|packet| !matches!(*packet.payload, [0x14 | 0x15 | 0x17, 0x03, ..]))
    }

    /// The ClientHello, or the rest of it.
    fn hello(&self) -> Option<Finding> {
        if self.from == Side::Server || !self.holds_hello() {
            return None;
        }
        let begun = self.transit.received.head().len() >= 6 || self.some_passed && self.is_udp();
        // One packet of several, which was sent once, is lost by chance.
        let by_chance = self.data == 1 && !self.is_udp() && !self.nothing_after;
        let cause = match (begun, self.is_quic()) {
            _ if by_chance => Cause::PacketLoss,
            (true, _) => Cause::SplitClientHello,
            (false, true) => Cause::QuicBlocked,
            (false, false) => Cause::ClientHelloDropped,
        };
        // What is lost for good may be the first thing that a dying path lost: only what still arrives tells it from that.
        let confidence = match cause {
            Cause::SplitClientHello if self.nothing_after || self.data < MANY => Confidence::Likely,
            Cause::ClientHelloDropped if self.nothing_after => Confidence::Strong,
            Cause::PacketLoss => Confidence::Likely,
            _ => Confidence::Certain,
        };
        let rest = if begun { ", though an earlier part did" } else { "" };
        let summary = format!(
            "{} ({}) never arrived at the server{rest}: it is dropped between the two captures, so the server has nothing to answer.",
            capital(&self.what()),
            self.times()
        );
        // What the client's other handshakes showed is more exact, and as sure as it was.
        let exact = self.path.client.cause().zip(self.path.client.confidence());
        let exact = exact.filter(|(exact, _)| *exact != cause && is_exact(*exact) && !by_chance);
        let (cause, confidence) = exact.unwrap_or((cause, confidence));
        Some(on_path(cause, confidence, summary))
    }

    /// What the server answered, or the client said later, where no rule knows better.
    fn answer(&self) -> Finding {
        let (what, times) = (self.what(), self.times());
        let summary = if self.from == Side::Client {
            format!("{} ({times}) never arrived at the server: it is dropped between the two captures.", capital(&what))
        } else {
            format!("The server answered, but {what} ({times}) never arrived at the client: it is dropped between the two captures.")
        };
        // DTLS and QUIC number what they send again: no copy is like another.
        let some_came = self.is_udp() && !self.nothing_after;
        let cause = if self.from == Side::Client || some_came { Cause::PacketLoss } else { Cause::ServerFlightDropped };
        let confidence = if self.data < MANY || some_came { Confidence::Likely } else { Confidence::Certain };
        on_path(cause, confidence, summary)
    }
}

/// It says more of a ClientHello that is dropped than that it is.
const fn is_exact(cause: Cause) -> bool {
    matches!(cause, Cause::Tls13Dropped | Cause::SplitClientHello | Cause::PathMtuBlackHole | Cause::PathMtuIcmpIgnored | Cause::QuicMtu)
}

/// Packets of the sender that arrived.
fn arrived<'a>(transit: &'a Transit, sender: &'a Vantage) -> impl Iterator<Item = &'a Passing> {
    transit.arrived.iter().filter_map(|(place, _)| sender.packets.get(*place))
}

/// So many copies are not lost by chance.
const MANY: usize = 3;
/// Packets that any path carries, in bytes.
const SMALL: u32 = 576;
/// Packets that few paths are too narrow for, in bytes.
const LARGE: u32 = 1000;
