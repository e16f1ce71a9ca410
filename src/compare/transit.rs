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
        for item in &self.got {
            let copies = waiting.get_mut(&item.kind);
            let place = copies.as_ref().and_then(|copies| {
                let same_id = |from: &Sent| item.ip_id.is_some() && from.ip_id == item.ip_id;
                copies.iter().position(same_id).or_else(|| {
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
        (unknown, waiting.into_values().flatten().collect())
    }

    /// What arrived in other packets than it was sent in was split or joined on the way, or doubled, altered, or sent by somebody else.
    fn unsent(&mut self, unknown: &[Sent], waiting: &[Sent]) {
        let (mut changed, mut foreign) = (Vec::new(), Vec::new());
        for item in unknown {
            match self.fate(item, waiting) {
                Fate::Resegmented | Fate::Unseen => {}
                Fate::Doubled => self.transit.doubled.push(item.index),
                Fate::Changed => changed.push(item.index),
                Fate::Injected => {
                    foreign.push(item.index);
                    self.transit.injected.push(item.index);
                }
            }
        }
        if self.tcp {
            self.transit.received = stream(self.receiver, &self.got, |item| !foreign.contains(&item.index));
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
        let shown = self.receiver.saw_all(item.time);
        let ended = self.sender.full_since().is_some_and(|last| {
            let arrives = last.nanos().saturating_add(self.transit.least_delay_ns.unwrap_or_default());
            arrives.saturating_sub(SLACK_NS) <= item.time.nanos()
        });
        // The capture holds one direction only.
        let deaf = (self.tcp && !item.resets() || self.completed) && self.sender.lacks(self.side)
            || self.completed && !self.sender.packets.iter().any(|packet| packet.from == self.side);
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
        shown && !ended && !deaf && !passed
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
mod tests {
    use super::*;
    use std::net::IpAddr;

    use crate::flow::Endpoint;
    use crate::time::Mark;

    fn view(packets: &[(i64, u32, u8, &[u8])]) -> Vantage {
        let end = |port| Endpoint::new(IpAddr::from([192, 0, 2, 1]), port);
        let mut view = Vantage::new(end(1), end(2), Transport::Tcp);
        view.packets = packets
            .iter()
            .enumerate()
            .map(|(at, (ms, seq, flags, payload))| Passing {
                mark: Mark { frame: at as u64 + 1, time: Timestamp::from_nanos(ms * 1_000_000) },
                from: Side::Client,
                seq: *seq,
                ack: 0,
                flags: TcpFlags(*flags),
                len: u32::try_from(payload.len()).unwrap(),
                ip_len: 40 + u32::try_from(payload.len()).unwrap(),
                ttl: 64,
                ip_id: None,
                mss: None,
                moved: false,
                damaged: false,
                payload: (*payload).into(),
            })
            .collect();
        view
    }

    const SYN: u8 = TcpFlags::SYN;
    const RST: u8 = TcpFlags::RST;

    #[test]
    fn the_same_at_both_points_arrived() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (20, 106, 0x10, b"world")]);
        // Another clock, another first sequence number.
        let got = view(&[(5_000, 900, SYN, b""), (5_011, 901, 0x10, b"hello"), (5_020, 906, 0x10, b"world")]);
        let transit = follow(Side::Client, &sent, &got, false);
        assert_eq!(transit.arrived, [(0, 0), (1, 1), (2, 2)]);
        assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none());
        assert_eq!(transit.least_delay_ns, Some(5_000_000_000));
        assert_eq!(transit.received.head(), b"helloworld");
    }

    #[test]
    fn of_two_copies_the_one_that_fits_arrived() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (210, 101, 0x10, b"hello")]);
        let got = view(&[(1, 100, SYN, b""), (211, 101, 0x10, b"hello")]);
        let transit = follow(Side::Client, &sent, &got, false);
        assert_eq!(transit.arrived, [(0, 0), (2, 1)]);
        assert_eq!((transit.lost, transit.lost_copies), (vec![], vec![1]));
    }

    #[test]
    fn what_no_copy_of_arrived_is_lost_and_what_nobody_sent_is_injected() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (210, 101, 0x10, b"hello")]);
        let got = view(&[(1, 100, SYN, b""), (12, 101, RST, b"")]);
        let transit = follow(Side::Client, &sent, &got, false);
        assert_eq!((transit.lost, transit.injected), (vec![1, 2], vec![1]));
    }

    #[test]
    fn split_and_joined_segments_are_neither_lost_nor_injected() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"helloworld")]);
        let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (11, 106, 0x10, b"world")]);
        for (sent, got) in [(&sent, &got), (&got, &sent)] {
            let transit = follow(Side::Client, sent, got, false);
            assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none(), "{transit:?}");
        }
    }

    #[test]
    fn altered_bytes_are_found() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"250-STARTTLS\r\n")]);
        let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"250-XXXXXXXX\r\n")]);
        let transit = follow(Side::Client, &sent, &got, false);
        assert_eq!(transit.altered, Some((4, 8)));
        assert!(transit.lost.is_empty() && transit.injected.is_empty(), "{transit:?}");
    }

    /// Cut by a snapshot length.
    fn cut(mut view: Vantage, len: usize) -> Vantage {
        for packet in &mut view.packets {
            packet.payload = packet.payload.get(..len).unwrap_or(&packet.payload).into();
        }
        view
    }

    #[test]
    fn a_snapshot_length_at_one_point_alters_nothing() {
        let sent = || view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"helloworld"), (20, 111, 0x10, b"again")]);
        let got = || view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"helloworld"), (21, 111, 0x10, b"again")]);
        let split = || view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (12, 106, 0x10, b"world"), (21, 111, 0x10, b"again")]);
        for (sent, got) in [(cut(sent(), 3), got()), (sent(), cut(got(), 3)), (cut(sent(), 3), split()), (sent(), cut(split(), 3))] {
            let transit = follow(Side::Client, &sent, &got, false);
            assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none(), "{transit:?}");
        }
        // What was not cut is still compared.
        let other = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"heXXoworld"), (21, 111, 0x10, b"again")]);
        assert_eq!(follow(Side::Client, &sent(), &cut(other, 3), false).altered, Some((2, 1)));
    }

    #[test]
    fn what_the_point_near_the_sender_missed_is_not_forged() {
        let sent = view(&[(10, 101, 0x10, b"hello"), (30, 111, 0x10, b"again")]);
        let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (21, 106, 0x10, b"world"), (31, 111, 0x10, b"again")]);
        let transit = follow(Side::Client, &sent, &got, false);
        assert!(transit.injected.is_empty(), "{transit:?}");
        // Nothing comes after it from the sender: nobody knows of it.
        let got = view(&[(11, 101, 0x10, b"hello"), (31, 111, 0x10, b"again"), (41, 116, 0x10, b"forged")]);
        assert_eq!(follow(Side::Client, &sent, &got, false).injected, vec![2]);
    }

    #[test]
    fn a_point_that_holds_one_direction_accuses_nobody() {
        let mut sent = view(&[(1, 500, 0x10, b"answer"), (2, 506, 0x10, b"more")]);
        sent.packets.iter_mut().for_each(|packet| packet.from = Side::Server);
        let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello")]);
        assert!(follow(Side::Client, &sent, &got, false).injected.is_empty());
        // One that holds no packet of the connection but the first has not been shown to be deaf.
        sent.packets.truncate(1);
        assert_eq!(follow(Side::Client, &sent, &got, false).injected.len(), 2);
    }

    #[test]
    fn a_decoy_that_never_arrives_alters_nothing() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"decoy"), (11, 101, 0x10, b"helloworld")]);
        for got in [
            view(&[(1, 100, SYN, b""), (12, 101, 0x10, b"helloworld")]),
            view(&[(1, 100, SYN, b""), (12, 101, 0x10, b"hell"), (12, 105, 0x10, b"oworld")]),
        ] {
            let transit = follow(Side::Client, &sent, &got, false);
            assert!(transit.injected.is_empty() && transit.altered.is_none(), "{transit:?}");
        }
    }

    #[test]
    fn what_comes_beside_the_genuine_answer_is_forged_and_not_altered() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"\x16\x03\x03\x00\x7a\x02 the answer")]);
        let alert = (8, 101, 0x10, &b"\x15\x03\x03\x00\x02\x02\x28"[..]);
        let beside = view(&[(1, 100, SYN, b""), alert, (11, 101, 0x10, b"\x16\x03\x03\x00\x7a\x02 the answer")]);
        let instead = view(&[(1, 100, SYN, b""), alert]);
        for (got, lost) in [(beside, vec![]), (instead, vec![1])] {
            let transit = follow(Side::Client, &sent, &got, false);
            assert_eq!((transit.injected, transit.altered, transit.lost), (vec![1], None, lost));
        }
    }

    #[test]
    fn copies_made_on_the_way_are_doubled() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, RST, b"")]);
        let got = view(&[(1, 100, SYN, b""), (2, 100, SYN, b""), (11, 101, RST, b""), (12, 101, RST, b"")]);
        let transit = follow(Side::Client, &sent, &got, false);
        assert_eq!((transit.doubled, transit.injected), (vec![1, 3], vec![]));
        let datagrams = |times: usize| {
            let mut view = view(&vec![(10, 0, 0, &b"a datagram"[..]); times]);
            view.transport = Transport::Udp;
            view
        };
        let transit = follow(Side::Client, &datagrams(1), &datagrams(2), false);
        assert_eq!((transit.doubled, transit.injected, transit.lost), (vec![1], vec![], vec![]));
    }

    #[test]
    fn of_two_resets_the_one_that_came_before_the_other_was_sent_is_forged() {
        let sent = view(&[(0, 100, SYN, b""), (50, 101, RST, b"")]);
        let mut got = view(&[(1, 100, SYN, b""), (20, 101, RST, b""), (51, 101, RST, b"")]);
        assert_eq!(follow(Side::Client, &sent, &got, false).doubled, vec![1]);
        got.packets[1].ttl = 57;
        assert_eq!(follow(Side::Client, &sent, &got, false).injected, vec![1]);
    }
}
