//! A capture taken apart into frames, changed in one way, and written again.

use std::net::IpAddr;
use std::path::Path;

use handshark::frame::Block;

use crate::support::open;

/// A frame with its time in nanoseconds.
#[derive(Debug, Clone)]
pub struct Taken {
    pub time: i64,
    pub original_len: u32,
    pub bytes: Vec<u8>,
}

/// Frames of one link type.
#[derive(Debug, Clone)]
pub struct Capture {
    pub link: u32,
    pub frames: Vec<Taken>,
}

pub(super) const ETHERNET: u32 = 1;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

impl Capture {
    /// `None` for a capture of several link types or of more frames than a test should take.
    pub fn read(path: &Path, most: usize) -> Option<Self> {
        let mut source = open(&[path]);
        let mut block = Block::default();
        let (mut link, mut frames) = (None, Vec::new());
        while source.fill(&mut block).unwrap() {
            for frame in block.frames() {
                if *link.get_or_insert(frame.head.link.0) != frame.head.link.0 || frames.len() >= most {
                    return None;
                }
                frames.push(Taken { time: frame.head.time.nanos(), original_len: frame.head.original_len, bytes: frame.bytes.to_vec() });
            }
        }
        Some(Self { link: link?, frames })
    }

    /// As a pcap file with nanosecond stamps.
    pub fn pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, self.link] {
            out.extend(word.to_le_bytes());
        }
        for frame in &self.frames {
            let (seconds, nanos) = (frame.time.div_euclid(1_000_000_000), frame.time.rem_euclid(1_000_000_000));
            for word in [seconds as u32, nanos as u32, frame.bytes.len() as u32, frame.original_len] {
                out.extend(word.to_le_bytes());
            }
            out.extend(&frame.bytes);
        }
        out
    }

    pub(super) fn with(&self, frames: Vec<Taken>) -> Self {
        Self { link: self.link, frames }
    }

    fn each(&self, change: impl Fn(&Taken) -> Option<Vec<u8>>) -> Option<Self> {
        let frames = self.frames.iter().map(|frame| {
            let bytes = change(frame)?;
            let added = bytes.len() as u32 - frame.bytes.len() as u32;
            Some(Taken { time: frame.time, original_len: frame.original_len + added, bytes })
        });
        Some(self.with(frames.collect::<Option<Vec<_>>>()?))
    }

    /// Every frame with a VLAN tag. `None` where frames are not Ethernet's.
    pub fn tagged(&self) -> Option<Self> {
        (self.link == ETHERNET).then_some(())?;
        self.each(|frame| {
            let (addresses, rest) = frame.bytes.split_at_checked(12)?;
            Some([addresses, &[0x81, 0x00, 0x00, 0x2a], rest].concat())
        })
    }

    /// Every frame inside VXLAN, between two tunnel ends. `None` where frames are not Ethernet's or too large for a packet around them.
    pub fn tunnelled(&self) -> Option<Self> {
        (self.link == ETHERNET).then_some(())?;
        self.each(|frame| {
            let udp_len = u16::try_from(frame.original_len + 16).ok()?;
            let ip_len = udp_len.checked_add(20)?;
            let mut outer = vec![2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2, 8, 0];
            let mut ip = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2];
            ip[2..4].copy_from_slice(&ip_len.to_be_bytes());
            let sum = checksum(&ip);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            outer.extend(ip);
            for word in [50_000_u16, 4789, udp_len, 0, 0x0800, 0, 0, 0x2a00] {
                outer.extend(word.to_be_bytes());
            }
            outer.extend(&frame.bytes);
            Some(outer)
        })
    }

    /// Every frame twice, as a mirror port of both directions delivers it.
    pub fn doubled(&self) -> Self {
        self.with(self.frames.iter().flat_map(|frame| [frame.clone(), frame.clone()]).collect())
    }

    /// What a snapshot length of so many bytes leaves.
    pub fn snapped(&self, len: usize) -> Self {
        let snap = |frame: &Taken| Taken { bytes: frame.bytes.iter().copied().take(len).collect(), ..frame.clone() };
        self.with(self.frames.iter().map(snap).collect())
    }

    /// Its first frames.
    pub fn cut(&self, keep: usize) -> Self {
        self.with(self.frames[..keep].to_vec())
    }

    /// Without its first frames.
    pub fn from(&self, gone: usize) -> Self {
        self.with(self.frames[gone..].to_vec())
    }

    /// The same capture as `parts` rotated files.
    pub fn rotated(&self, parts: usize) -> Vec<Self> {
        let each = self.frames.len().div_ceil(parts).max(1);
        self.frames.chunks(each).map(|frames| self.with(frames.to_vec())).collect()
    }

    /// Its frames stand in the order of their times.
    pub fn is_in_order(&self) -> bool {
        self.frames.is_sorted_by_key(|frame| frame.time)
    }

    /// Later by this much.
    pub fn later(&self, nanos: i64) -> Self {
        self.with(self.frames.iter().map(|frame| Taken { time: frame.time + nanos, ..frame.clone() }).collect())
    }

    /// Without the packets that `from` sends; where both sides have one address, as on a loopback, without those of its `port`.
    pub fn without_sender(&self, from: IpAddr, port: Option<u16>) -> Self {
        let sends = |packet: IpPacket<'_>| packet.source() == from && (port.is_none() || packet.source_port() == port);
        let kept = self.frames.iter().filter(|frame| self.packet(&frame.bytes).is_none_or(|packet| !sends(packet)));
        self.with(kept.cloned().collect())
    }

    /// Only the TCP and UDP packets to these servers (or, with `answers`, from them), as a filter that names their ports leaves them.
    pub fn of_servers(&self, servers: &[(IpAddr, u16)], answers: bool) -> Self {
        let fits = |packet: IpPacket<'_>| {
            let (address, port) =
                if answers { (packet.source(), packet.source_port()) } else { (packet.destination(), packet.destination_port()) };
            port.is_some_and(|port| servers.contains(&(address, port)))
        };
        self.with(self.frames.iter().filter(|frame| self.packet(&frame.bytes).is_some_and(fits)).cloned().collect())
    }

    /// Neighbours that carry payload of one side within a millisecond change places; the clock goes forward all the same. Segments for the same place
    /// in the stream stay in order: where they differ, the first is what the receiver takes.
    pub fn disordered(&self) -> Self {
        let mut frames = self.frames.clone();
        let mut at = 0;
        while at + 1 < frames.len() {
            let [one, two] = [&frames[at], &frames[at + 1]];
            let close = two.time - one.time < 1_000_000;
            let swap = match (self.packet(&one.bytes), self.packet(&two.bytes)) {
                (Some(a), Some(b)) => {
                    let one_side = a.source() == b.source() && a.source_port() == b.source_port();
                    let apart = a.sequence().is_none_or(|(from, to)| b.sequence().is_none_or(|(other, end)| end <= from || to <= other));
                    close && one_side && apart && a.carries_payload() && b.carries_payload()
                }
                _ => false,
            };
            if swap {
                let times = (one.time, two.time);
                frames.swap(at, at + 1);
                (frames[at].time, frames[at + 1].time) = times;
                at += 1;
            }
            at += 1;
        }
        self.with(frames)
    }

    /// Other hosts in the same networks, other ephemeral ports, checksums carried along. `None` where a frame is more than IP in its link layer.
    pub fn renamed(&self) -> Option<Self> {
        self.with_names(Names { addresses: true, ports: 0x0a35, randoms: 0 })
    }

    /// The same as it is and then so many times more, five minutes apart, each time with other ports of clients and other randoms.
    pub fn repeated(&self, times: u16) -> Option<Self> {
        let mut frames = self.frames.clone();
        for number in 1..=times {
            let later = self.later(i64::from(number) * 300_000_000_000);
            frames.extend(later.with_names(Names { addresses: false, ports: number * 0x35, randoms: number * 0x35 })?.frames);
        }
        Some(self.with(frames))
    }

    /// Together with what hosts of other names do at the same time in the same way. `None` where frames name no hosts.
    pub fn beside_its_like(&self) -> Option<Self> {
        let like = self.with_names(Names { addresses: true, ports: 0x0a35, randoms: 0x0a35 })?;
        like.frames.iter().zip(&self.frames).all(|(one, other)| one.bytes != other.bytes).then_some(())?;
        Some(self.merged_with(like.frames))
    }

    /// With other frames, in the order of their times.
    pub(super) fn merged_with(&self, others: Vec<Taken>) -> Self {
        let mut frames: Vec<Taken> = self.frames.iter().cloned().chain(others).collect();
        frames.sort_by_key(|frame| frame.time);
        self.with(frames)
    }

    fn with_names(&self, names: Names) -> Option<Self> {
        self.each(|frame| {
            let mut bytes = frame.bytes.clone();
            if let Some(packet) = self.packet(&frame.bytes) {
                packet.is_plain().then_some(())?;
                let at = packet.at;
                rename_packet(&mut bytes, at, &[], names);
            }
            Some(bytes)
        })
    }

    /// Whether a packet goes from the lesser end to the greater, by its addresses and, where these are the same, its ports; what speaks of a packet goes the other
    /// way than that.
    pub(super) fn goes_up(&self, frame: &Taken) -> Option<bool> {
        self.packet(&frame.bytes)?.goes_up()
    }

    /// The IP packet directly inside the link layer.
    pub(super) fn packet<'a>(&self, bytes: &'a [u8]) -> Option<IpPacket<'a>> {
        let word = |at: usize| bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
        let (at, ethertype) = match self.link {
            ETHERNET => {
                let (mut at, mut kind) = (14, word(12)?);
                while matches!(kind, 0x8100 | 0x88a8) {
                    (kind, at) = (word(at + 2)?, at + 4);
                }
                (at, kind)
            }
            12 | 101 | 228 | 229 => (0, 0),
            113 => (16, word(14)?),
            276 => (20, word(0)?),
            0 | 108 => (4, 0),
            _ => return None,
        };
        let version = bytes.get(at)? >> 4;
        let fits = match ethertype {
            0x0800 => version == 4,
            0x86dd => version == 6,
            0 => version == 4 || version == 6,
            _ => false,
        };
        (fits && bytes.len() >= at + if version == 4 { 20 } else { 40 }).then_some(IpPacket { bytes, at })
    }
}

/// What changes of the names of hosts and connections.
#[derive(Clone, Copy)]
struct Names {
    addresses: bool,
    /// The bits of clients' ports that turn.
    ports: u16,
    /// The bits of a ClientHello's random that turn.
    randoms: u16,
}

/// An IP packet in a frame.
pub(super) struct IpPacket<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl IpPacket<'_> {
    pub(super) fn is_v4(&self) -> bool {
        self.bytes[self.at] >> 4 == 4
    }

    pub(super) fn source(&self) -> IpAddr {
        self.address(0)
    }

    pub(super) fn destination(&self) -> IpAddr {
        self.address(1)
    }

    fn address(&self, number: usize) -> IpAddr {
        if self.is_v4() {
            IpAddr::from(<[u8; 4]>::try_from(&self.bytes[self.at + 12 + number * 4..][..4]).unwrap())
        } else {
            IpAddr::from(<[u8; 16]>::try_from(&self.bytes[self.at + 8 + number * 16..][..16]).unwrap())
        }
    }

    /// The port that it comes from, where it has one.
    pub(super) fn source_port(&self) -> Option<u16> {
        self.port(0)
    }

    pub(super) fn destination_port(&self) -> Option<u16> {
        self.port(1)
    }

    fn port(&self, number: usize) -> Option<u16> {
        let port = self.bytes.get(self.at + self.header_len() + number * 2..)?.get(..2)?;
        matches!(self.protocol(), 6 | 17).then(|| u16::from_be_bytes([port[0], port[1]]))
    }

    pub(super) fn goes_up(&self) -> Option<bool> {
        let behind = self.at + self.header_len();
        if matches!(self.protocol(), 1 | 58) {
            let quoted = IpPacket { bytes: self.bytes, at: behind + 8 };
            return (self.bytes.len() >= quoted.at + 40).then(|| quoted.goes_up().map(|up| !up)).flatten();
        }
        let ports = || self.source_port().zip(self.destination_port());
        match self.source().cmp(&self.destination()) {
            std::cmp::Ordering::Equal => ports().map(|(from, to)| from < to),
            order => Some(order.is_lt()),
        }
    }

    pub(super) fn header_len(&self) -> usize {
        if self.is_v4() { usize::from(self.bytes[self.at] & 15) * 4 } else { 40 }
    }

    pub(super) fn protocol(&self) -> u8 {
        self.bytes[self.at + if self.is_v4() { 9 } else { 6 }]
    }

    pub(super) fn is_fragment(&self) -> bool {
        self.is_v4() && u16::from_be_bytes([self.bytes[self.at + 6], self.bytes[self.at + 7]]) & 0x3fff != 0
    }

    /// TCP, UDP or ICMP stands directly behind the header.
    pub(super) fn is_plain(&self) -> bool {
        let ports = || {
            self.bytes
                .get(self.at + self.header_len()..)
                .filter(|rest| rest.len() >= 4)
                .map(|rest| [u16::from_be_bytes([rest[0], rest[1]]), u16::from_be_bytes([rest[2], rest[3]])])
        };
        match self.protocol() {
            1 | 6 | 58 => true,
            // Tunnels over UDP carry names of their own.
            17 => ports().is_none_or(|ports| !ports.iter().any(|port| [1701, 2152, 3544, 4789, 6081, 8472].contains(port))),
            _ => false,
        }
    }

    /// It is more than an acknowledgment.
    pub(super) fn asks(&self) -> bool {
        let flags = self.bytes.get(self.at + self.header_len() + 13).copied().unwrap_or(0);
        self.protocol() != 6 || flags & (FIN | SYN | RST) != 0 || self.tcp_payload_len() > 0
    }

    fn carries_payload(&self) -> bool {
        match self.protocol() {
            6 => {
                let flags = self.bytes.get(self.at + self.header_len() + 13);
                flags.is_some_and(|flags| flags & (FIN | SYN | RST) == 0) && self.tcp_payload_len() > 0
            }
            17 => true,
            _ => false,
        }
    }

    pub(super) fn tcp_payload_len(&self) -> usize {
        let total = if self.is_v4() {
            usize::from(u16::from_be_bytes([self.bytes[self.at + 2], self.bytes[self.at + 3]]))
        } else {
            40 + usize::from(u16::from_be_bytes([self.bytes[self.at + 4], self.bytes[self.at + 5]]))
        };
        let offset = self.bytes.get(self.at + self.header_len() + 12).map_or(0, |byte| usize::from(byte >> 4) * 4);
        total.saturating_sub(self.header_len() + offset)
    }

    /// The sequence numbers that a TCP segment covers, from and to, where they do not wrap.
    pub(super) fn sequence(&self) -> Option<(u64, u64)> {
        let number = self.bytes.get(self.at + self.header_len() + 4..)?.get(..4).filter(|_| self.protocol() == 6)?;
        let from = u64::from(u32::from_be_bytes([number[0], number[1], number[2], number[3]]));
        Some((from, from + self.tcp_payload_len() as u64))
    }
}

/// Renames the addresses and ports of the IP packet at `at`. `outer` are places of checksums that cover the whole packet, as ICMP's does a quoted one.
fn rename_packet(bytes: &mut [u8], at: usize, outer: &[usize], names: Names) {
    let Some(first) = bytes.get(at) else { return };
    let v4 = first >> 4 == 4;
    let header = if v4 { usize::from(first & 15) * 4 } else { 40 };
    let protocol = bytes.get(at + if v4 { 9 } else { 6 }).copied().unwrap_or(0);
    let l4 = at + header;
    let fragment = v4 && bytes.get(at + 6..at + 8).is_some_and(|two| u16::from_be_bytes([two[0], two[1]]) & 0x1fff != 0);
    let l4_sum = match protocol {
        6 => Some(l4 + 16),
        17 => Some(l4 + 6),
        58 => Some(l4 + 2),
        _ => None,
    };
    let zero_udp = protocol == 17 && bytes.get(l4 + 6..l4 + 8) == Some(&[0, 0]);
    let sums_l4: Vec<usize> = l4_sum.filter(|_| !fragment && !zero_udp).into_iter().chain(outer.iter().copied()).collect();
    let mut sums_ip = sums_l4.clone();
    if v4 {
        sums_ip.push(at + 10);
    }
    for address in if v4 { [at + 12, at + 16] } else { [at + 8, at + 24] } {
        let (low, mask) = if v4 { (address + 2, 0x15fe) } else { (address + 14, 0x1500) };
        let multicast = bytes.get(address).is_some_and(|byte| if v4 { *byte >= 224 } else { *byte == 0xff });
        if names.addresses && !multicast {
            set_word(bytes, low, &sums_ip, |word| word ^ mask);
        }
    }
    if fragment {
        return;
    }
    match protocol {
        6 | 17 => {
            let random = client_random(bytes, l4).filter(|_| names.randoms != 0);
            if let Some(random) = random {
                set_word(bytes, random, &sums_l4, |word| word ^ names.randoms);
            }
            for port in [l4, l4 + 2] {
                set_word(bytes, port, &sums_l4, |port| if port >= 32_768 { port ^ names.ports } else { port });
            }
        }
        1 | 58 if outer.is_empty() => {
            let error = bytes.get(l4).is_some_and(|kind| if protocol == 1 { [3, 11].contains(kind) } else { (1..=4).contains(kind) });
            if error {
                rename_packet(bytes, l4 + 8, &[l4 + 2], names);
            }
        }
        _ => {}
    }
}

/// Where the random of a ClientHello begins that is behind `from` in one record, at an even distance, as checksums count.
fn client_random(bytes: &[u8], from: usize) -> Option<usize> {
    let is_hello = |begin: &[u8]| matches!(begin, [22, 3, _, _, _, 1, 0, _, _, 3, 3, ..]);
    let record = from + bytes.get(from..)?.windows(11).position(is_hello)?;
    Some(record + 11 + (record + 11 - from) % 2)
}

/// Changes a word and carries the change into the checksums that cover it (RFC 1624), so that a wrong one stays wrong by as much.
pub(super) fn set_word(bytes: &mut [u8], at: usize, sums: &[usize], change: impl Fn(u16) -> u16) {
    let read = |bytes: &[u8], at: usize| bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let Some(old) = read(bytes, at) else { return };
    let new = change(old);
    bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
    for &sum in sums {
        if let Some(was) = read(bytes, sum) {
            let folded = [u32::from(!was), u32::from(!old), u32::from(new)].iter().sum::<u32>();
            let folded = (folded & 0xffff) + (folded >> 16);
            let folded = (folded & 0xffff) + (folded >> 16);
            bytes[sum..sum + 2].copy_from_slice(&(!(folded as u16)).to_be_bytes());
        }
    }
}

pub(super) fn checksum(header: &[u8]) -> u16 {
    let sum: u32 = header.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], *two.get(1).unwrap_or(&0)]))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}
