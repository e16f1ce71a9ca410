//! What became of one direction's packets on the way between two points.
//!
//! Packets are recognised by what does not change on the way: place in the stream, length, flags that matter, content. Of several copies the
//! one with the likeliest delay is taken. Segments that an interface card or the kernel split or joined are recognised by their bytes.
//! Acknowledgements without data come and go as they please and are not followed.
//!
//! Invariant: a packet is called forged only where the point near its sender would have seen it, had it been sent.

use std::collections::{BTreeMap, VecDeque};

use super::stream::Stream;
use super::vantage::{Passing, Vantage, digest};
use crate::flow::{Side, Transport};
use crate::packet::TcpFlags;
use crate::time::Timestamp;

/// What became of one direction's packets between two points.
#[derive(Debug, Default)]
pub struct Transit {
    /// Packets that were sent and arrived: places in the sender's and the receiver's view.
    pub arrived: Vec<(usize, usize)>,
    /// Packets that were sent and of which nothing arrived, in no copy: places in the sender's view.
    pub lost: Vec<usize>,
    /// Copies that did not arrive while another did.
    pub lost_copies: Vec<usize>,
    /// Packets that did not arrive in the capture though the receiver acknowledged them.
    pub missed: Vec<usize>,
    /// Packets that arrived and were never sent: places in the receiver's view.
    pub injected: Vec<usize>,
    /// How many arrived that the point near the sender did not see, though they were sent.
    pub unseen: usize,
    /// Packets that arrived more often than they were sent: places of the further copies in the receiver's view.
    pub doubled: Vec<usize>,
    /// The first byte of the stream that arrived otherwise than it was sent, and how many there are.
    pub altered: Option<(usize, usize)>,
    /// Streams as far as they were kept: what was sent and what arrived.
    pub sent: Stream,
    /// The same at the receiver, without what was never sent.
    pub received: Stream,
    /// The receiver's clock minus the sender's, plus the shortest way.
    pub least_delay_ns: Option<i64>,
}

/// Follows the packets of `side` from `sender` to `receiver`. `completed`: the handshake was completed, which nobody does in another's name.
pub fn follow(side: Side, sender: &Vantage, receiver: &Vantage, completed: bool) -> Transit {
    let tcp = sender.transport == Transport::Tcp;
    let first =
        |view: &Vantage| view.packets.iter().find(|packet| packet.from == side && packet.len > 0).map(|packet| packet.seq.wrapping_sub(1));
    let known = sender.isn(side).or_else(|| receiver.isn(side)).or_else(|| first(sender)).unwrap_or_default();
    // Of two SYN-ACKs that arrived, the one that was sent counts.
    let arrived = sender.isn(side).filter(|isn| receiver.began_with(side, *isn)).or_else(|| receiver.isn(side));
    let arrived = arrived.unwrap_or(known);
    let cut = compared(side, [sender, receiver]);
    let mut way = Way {
        side,
        sender,
        receiver,
        tcp,
        completed,
        base: sender.isn(side).unwrap_or(known),
        sent: places(side, sender, sender.isn(side).unwrap_or(known), cut),
        got: places(side, receiver, arrived, cut),
        transit: Transit::default(),
    };
    if tcp {
        way.transit.sent = stream(sender, &way.sent, |_| true);
    }
    way.transit.least_delay_ns = way.least_delay();
    let (unknown, waiting) = way.recognise();
    way.unsent(&unknown, &waiting);
    way.never_arrived(&waiting, arrived);
    way.transit
}

/// How many bytes of a payload can be compared: a snapshot length may have cut packets at one of the points.
fn compared(side: Side, views: [&Vantage; 2]) -> usize {
    let packets = views.into_iter().flat_map(|view| &view.packets).filter(|packet| packet.from == side);
    packets.filter(|packet| packet.payload.len() < packet.len as usize).map(|packet| packet.payload.len()).min().unwrap_or(usize::MAX)
}

/// One direction between two points.
struct Way<'a> {
    side: Side,
    sender: &'a Vantage,
    receiver: &'a Vantage,
    tcp: bool,
    completed: bool,
    /// The sender's first sequence number.
    base: u32,
    sent: Vec<Sent>,
    got: Vec<Sent>,
    transit: Transit,
}

/// What a packet is that arrived and was not recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was sent, in other packets.
    Resegmented,
    /// It was sent, fewer times.
    Doubled,
    /// It was sent, with other bytes.
    Changed,
    /// It was sent, but the point near the sender cannot know.
    Unseen,
    /// It was never sent.
    Injected,
}

impl Transit {
    /// All that was sent arrived, and nothing else did.
    pub const fn is_untouched(&self) -> bool {
        self.lost.is_empty() && self.injected.is_empty() && self.altered.is_none()
    }

    /// The point near the sender lacks packets: what it does not hold may have been sent all the same, but for RSTs that come from elsewhere.
    pub fn doubt(&mut self, receiver: &Vantage, side: Side) {
        let usual = receiver.usual_ttl(side);
        self.injected.retain(|place| receiver.packets.get(*place).is_some_and(|packet| packet.flags.rst() && Some(packet.ttl) != usual));
    }
}

impl Way<'_> {
    fn between(from: &Sent, to: &Sent) -> i64 {
        to.time.nanos().saturating_sub(from.time.nanos())
    }

    /// Packets of which there is one copy at each point tell how long the way is.
    fn least_delay(&self) -> Option<i64> {
        let mut single: BTreeMap<&Kind, [Vec<&Sent>; 2]> = BTreeMap::new();
        // A SYN of another number was not sent by who sent the first.
        let same_opening = self.sender.isn(self.side) == self.receiver.isn(self.side);
        for (list, place) in [(&self.sent, 0), (&self.got, 1)] {
            for item in list.iter().filter(|item| same_opening || !item.opens()) {
                if let Some(copies) = single.entry(&item.kind).or_default().get_mut(place) {
                    copies.push(item);
                }
            }
        }
        let delays = single.values().filter_map(|[sent, got]| match (sent.as_slice(), got.as_slice()) {
            ([from], [to]) => Some(Self::between(from, to)),
            _ => None,
        });
        delays.min()
    }

    /// Pairs what arrived with what was sent. What is left: of what arrived, and of what was sent.
    fn recognise(&mut self) -> (Vec<Sent>, Vec<Sent>) {
        let least = self.transit.least_delay_ns;
        let mut waiting: BTreeMap<Kind, VecDeque<Sent>> = BTreeMap::new();
        for item in &self.sent {
            waiting.entry(item.kind).or_default().push_back(*item);
        }
        let mut unknown = Vec::new();
        // Where as many RSTs of a number were sent as arrived, none of them is another's.
        let number = |list: &[Sent], at: usize| list.iter().filter(|item| item.resets() && item.at == at).count();
        for item in &self.got {
            let all_sent = item.resets() && number(&self.sent, item.at) >= number(&self.got, item.at);
            let copies = waiting.get_mut(&item.kind);
            let place = copies.as_ref().and_then(|copies| {
                let same_id = |from: &Sent| item.ip_id.is_some() && from.ip_id == item.ip_id;
                let same_number = |from: &Sent| all_sent && from.at == item.at;
                copies.iter().position(same_id).or_else(|| copies.iter().position(same_number)).or_else(|| {
                    let odd = |from: &Sent| Self::between(from, item).saturating_sub(least.unwrap_or_default()).saturating_add(SLACK_NS);
                    let fits = copies.iter().enumerate().filter(|(_, from)| odd(from) >= 0);
                    // Of RSTs, which are all alike, that of the same number first; and none that was sent after this one arrived.
                    let likeliest = fits.min_by_key(|(_, from)| (item.resets() && from.at != item.at, odd(from)));
                    let any = || (!copies.is_empty() && (!item.resets() || least.is_none())).then_some(0);
                    likeliest.map_or_else(any, |(place, _)| Some(place))
                })
            });
            match copies.zip(place).and_then(|(copies, place)| copies.remove(place)) {
                Some(from) => self.transit.arrived.push((from.index, item.index)),
                None => unknown.push(*item),
            }
        }
        // A copy that arrived with other bytes and a wrong checksum is one of those that were sent.
        unknown.retain(|item| {
            let same = |from: &Sent| item.len > 0 && (from.at, from.len) == (item.at, item.len) && !from.resets();
            let sent = waiting.values_mut().filter(|_| self.is_damaged(item)).find_map(|copies| {
                let place = copies.iter().position(same)?;
                copies.remove(place)
            });
            if let Some(from) = sent {
                self.transit.arrived.push((from.index, item.index));
            }
            sent.is_none()
        });
        (unknown, waiting.into_values().flatten().collect())
    }

    /// Its checksum is wrong where it arrived: its receiver drops it.
    fn is_damaged(&self, item: &Sent) -> bool {
        self.receiver.packets.get(item.index).is_some_and(|packet| packet.damaged)
    }

    /// What arrived in other packets than it was sent in was split or joined on the way, or doubled, altered, or sent by somebody else.
    fn unsent(&mut self, unknown: &[Sent], waiting: &[Sent]) {
        let (mut changed, mut foreign) = (Vec::new(), Vec::new());
        for item in unknown {
            match self.fate(item, waiting) {
                Fate::Resegmented => {}
                Fate::Unseen => self.transit.unseen = self.transit.unseen.saturating_add(1),
                Fate::Doubled => self.transit.doubled.push(item.index),
                Fate::Changed => changed.push(item.index),
                Fate::Injected => {
                    foreign.push(item.index);
                    self.transit.injected.push(item.index);
                }
            }
        }
        if self.tcp {
            changed.retain(|index| self.receiver.packets.get(*index).is_some_and(|packet| !packet.damaged));
            self.transit.received = stream(self.receiver, &self.got, |item| !foreign.contains(&item.index) && !self.is_damaged(item));
            self.transit.altered = self.transit.sent.differs(&stream(self.receiver, &self.got, |item| changed.contains(&item.index)));
        }
    }

    fn fate(&self, item: &Sent, waiting: &[Sent]) -> Fate {
        let known = if item.resets() {
            self.again(item).then_some(Fate::Doubled)
        } else if item.opens() || !self.tcp {
            self.sent.iter().any(|from| from.kind == item.kind).then_some(Fate::Doubled)
        } else {
            self.in_stream(item, waiting)
        };
        known.unwrap_or_else(|| if self.would_have_seen(item) { Fate::Injected } else { Fate::Unseen })
    }

    /// A RST that came twice: the same in all, which a forged one is not.
    fn again(&self, item: &Sent) -> bool {
        let packet = |view: &'_ Vantage, index: usize| view.packets.get(index).map(|packet| (packet.ttl, packet.ip_id));
        let own = packet(self.receiver, item.index);
        let others = self.transit.arrived.iter().filter(|(_, place)| packet(self.receiver, *place) == own);
        let mut places = others.filter_map(|(_, place)| self.got.iter().find(|other| other.index == *place));
        places.any(|other| other.resets() && other.at == item.at)
    }

    fn in_stream(&self, item: &Sent, waiting: &[Sent]) -> Option<Fate> {
        // A FIN may come with the data before it or alone.
        if item.closes() && self.sent.iter().any(|from| from.closes() && from.end() == item.end()) && item.len == 0 {
            return Some(Fate::Resegmented);
        }
        if item.len == 0 {
            return None;
        }
        let payload = self.receiver.packets.get(item.index).map_or(&[][..], |packet| &packet.payload);
        let other = self.transit.sent.unlike(item.at, payload);
        if other == 0 {
            return self.transit.sent.covers(item.at, item.len).then_some(Fate::Resegmented);
        }
        let overlaps = |from: &Sent| from.len > 0 && !from.resets() && from.at < item.end() && item.at < from.end();
        let sent_whole = |from: &Sent| (from.at, from.len) == (item.at, item.len);
        let genuine = self.transit.arrived.iter().any(|(place, _)| self.sent.iter().any(|from| from.index == *place && overlaps(from)));
        let still_due = waiting.iter().any(sent_whole);
        // Whoever alters a stream keeps its length; whoever answers in another's name has words of his own.
        let in_place = still_due || item.len >= FEW && other.saturating_mul(2) <= item.len && self.transit.sent.covers(item.at, item.len);
        ((still_due || !genuine) && in_place).then_some(Fate::Changed)
    }

    /// Had it been sent, the point near its sender would have seen it.
    fn would_have_seen(&self, item: &Sent) -> bool {
        // Who forges data of a handshake that completes gains nothing; captures lack packets every day.
        if self.completed && !item.resets() || !self.receiver.saw_all(item.time) {
            return false;
        }
        if let Some(least) = self.transit.least_delay_ns {
            let sent = item.time.nanos().saturating_sub(least);
            let (before, after) = (sent.saturating_sub(SLACK_NS), sent.saturating_add(SLACK_NS));
            let begun =
                self.sender.isn(self.side).is_some() || self.sender.packets.first().is_some_and(|first| first.mark.time.nanos() <= after);
            let ended = self.sender.full_since().is_some_and(|last| last.nanos() <= after) || self.sender.until.nanos() < before;
            if !begun || ended {
                return false;
            }
        }
        // The capture holds one direction only.
        let deaf = self.tcp && !item.resets() && self.sender.lacks(self.side);
        // The sender goes on behind it.
        let own = self.sender.packets.iter().filter(|packet| packet.from == self.side && !packet.flags.syn() && !packet.flags.rst());
        let mut places = own.map(|packet| packet.seq.wrapping_sub(self.base).wrapping_sub(1) as usize).filter(|at| *at < WRAPPED);
        let passed = self.tcp
            && if item.resets() {
                false
            } else if item.opens() {
                self.sender.isn(self.side).is_none() && places.next().is_some()
            } else {
                let end = item.end().saturating_add(usize::from(item.closes()));
                end > item.at && !self.transit.sent.covers(item.at, item.len.max(1)) && places.any(|at| at >= end)
            };
        !deaf && !passed
    }

    fn never_arrived(&mut self, waiting: &[Sent], base: u32) {
        let (side, tcp) = (self.side, self.tcp);
        let acked = self.receiver.packets.iter().filter(|packet| packet.from != side && packet.flags.ack() && !packet.flags.rst() && tcp);
        let acked = acked.map(|packet| packet.ack.wrapping_sub(base).wrapping_sub(1) as usize).filter(|at| *at < WRAPPED).max();
        let deaf = !self.receiver.packets.iter().any(|packet| packet.from == side) && (acked.is_some() || self.completed);
        let arrived_kinds: Vec<Kind> = self
            .transit
            .arrived
            .iter()
            .filter_map(|(from, _)| self.sent.iter().find(|item| item.index == *from))
            .map(|item| item.kind)
            .collect();
        for item in waiting {
            let same_end = item.len == 0 && item.closes() && self.got.iter().any(|to| to.closes() && to.end() == item.end());
            let same_segments = arrived_kinds.contains(&item.kind);
            let covered = item.len > 0 && tcp && self.transit.received.covers(item.at, item.len);
            let acknowledged = tcp
                && (item.len > 0 && acked.is_some_and(|acked| acked >= item.at.saturating_add(item.len))
                    || item.opens() && acked.is_some()
                    || item.closes() && acked.is_some_and(|acked| acked > item.end()));
            if same_segments || same_end || covered {
                if same_segments {
                    self.transit.lost_copies.push(item.index);
                }
            } else if acknowledged || deaf {
                self.transit.missed.push(item.index);
            } else if self.sender.saw_all(item.time) && self.was_awaited(item) {
                self.transit.lost.push(item.index);
            }
        }
        self.transit.lost.sort_unstable();
        self.transit.lost_copies.sort_unstable();
    }

    /// The point near the receiver would have seen it arrive.
    fn was_awaited(&self, item: &Sent) -> bool {
        let least = self.transit.least_delay_ns;
        let arrives = item.time.nanos().saturating_add(least.unwrap_or_default());
        let ended = self.receiver.full_since().is_some_and(|last| last.nanos() <= arrives.saturating_add(SLACK_NS));
        self.receiver.was_due(item.time, least) && !ended
    }
}

/// What some packets of a view carry, each at its place.
fn stream(view: &Vantage, items: &[Sent], takes: impl Fn(&Sent) -> bool) -> Stream {
    let mut stream = Stream::default();
    for item in items.iter().filter(|item| takes(item)) {
        if let Some(packet) = view.packets.get(item.index).filter(|packet| !packet.flags.syn() && !packet.flags.rst()) {
            stream.put(item.at, &packet.payload, item.len);
        }
    }
    stream
}

/// What a packet is recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Its first byte in the stream.
    at: usize,
    len: usize,
    /// SYN, FIN and RST.
    flags: u8,
    digest: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Its place in the view.
    index: usize,
    /// Its first byte in the stream.
    at: usize,
    len: usize,
    kind: Kind,
    time: Timestamp,
    ip_id: Option<u16>,
}

impl Sent {
    /// It carries a FIN.
    const fn closes(&self) -> bool {
        self.kind.flags & TcpFlags::FIN != 0
    }

    /// It is a SYN or a SYN-ACK.
    const fn opens(&self) -> bool {
        self.kind.flags & TcpFlags::SYN != 0
    }

    /// It is a RST.
    const fn resets(&self) -> bool {
        self.kind.flags & TcpFlags::RST != 0
    }

    /// The place behind its last byte.
    const fn end(&self) -> usize {
        self.at.wrapping_add(self.len)
    }
}

/// `cut`: of a payload, so many bytes are compared.
fn places(side: Side, view: &Vantage, base: u32, cut: usize) -> Vec<Sent> {
    let of_side = view.packets.iter().enumerate().filter(|(_, packet)| packet.from == side && packet.matters());
    let kind = |packet: &Passing, at: usize| {
        // A RST is one whatever its number, which some devices rewrite.
        if packet.flags.rst() {
            return Kind { at: 0, len: 0, flags: TcpFlags::RST, digest: 0 };
        }
        let flags = packet.flags.0 & (TcpFlags::SYN | TcpFlags::FIN);
        Kind { at, len: packet.len as usize, flags, digest: digest(packet.payload.get(..cut).unwrap_or(&packet.payload)) }
    };
    of_side
        .map(|(index, packet)| {
            let at = packet.seq.wrapping_sub(base).wrapping_sub(1) as usize;
            Sent { index, at, len: packet.len as usize, kind: kind(packet, at), time: packet.mark.time, ip_id: packet.ip_id }
        })
        .collect()
}

/// How far a packet may be ahead of the fastest without being another copy: clocks and capture stamps jitter.
const SLACK_NS: i64 = 2_000_000;
/// Numbers that belong to no place in a stream.
const WRAPPED: usize = 1 << 31;
/// So few bytes are alike by chance.
const FEW: usize = 64;

#[cfg(test)]
mod tests;
