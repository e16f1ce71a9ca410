//! The same from farther away, in smaller pieces, over more hops, by coarser clocks, over IPv6, and by stacks that send no timestamps.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::capture::{Capture, ETHERNET, IpPacket, Taken, checksum, set_word};

const TCP: u8 = 6;
const UDP: u8 = 17;
const PSH: u8 = 8;
const FIN: u8 = 1;

/// Who is farther away than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Far {
    Server,
    Client,
}

type Ends = [(IpAddr, u16); 2];

impl Capture {
    /// Whoever is far away answers later by the way there and back, and all that follows on the other side comes later with it. `None` where frames name no
    /// hosts.
    pub fn farther(&self, servers: &[(IpAddr, u16)], far: Far, nanos: i64) -> Option<Self> {
        // How much later a near host does what it does, and how much later what it last asked for in a connection came.
        let mut near: BTreeMap<IpAddr, i64> = BTreeMap::new();
        let mut asked: BTreeMap<Ends, i64> = BTreeMap::new();
        // What a far host does may rest on all that it did before.
        let mut beyond: BTreeMap<[IpAddr; 2], i64> = BTreeMap::new();
        let (mut before, mut frames) = (0, Vec::with_capacity(self.frames.len()));
        for frame in &self.frames {
            let packet = self.packet(&frame.bytes)?;
            if let Some((from, to)) = packet.source_port().zip(packet.destination_port()) {
                let (from, to) = ((packet.source(), from), (packet.destination(), to));
                let is_far = servers.contains(&from) == (far == Far::Server);
                before = if is_far {
                    let asked = asked.get(&[to, from]).map_or_else(|| near.get(&to.0).copied().unwrap_or(0), |asked| asked + nanos);
                    let by = beyond.get(&[to.0, from.0]).copied().unwrap_or(0).max(asked);
                    beyond.insert([to.0, from.0], by);
                    if packet.asks() {
                        let clock = near.entry(to.0).or_default();
                        *clock = by.max(*clock);
                    }
                    by
                } else {
                    let by = near.get(&from.0).copied().unwrap_or(0);
                    if packet.asks() {
                        asked.insert([from, to], by);
                    }
                    by
                };
            }
            frames.push(Taken { time: frame.time + before, ..frame.clone() });
        }
        frames.sort_by_key(|frame| frame.time);
        Some(self.with(frames))
    }

    /// Segments of TCP that carry more than `most` bytes come in as many pieces as that takes. `None` where a frame was cut off or is more than IP in
    /// its link layer.
    pub fn in_pieces(&self, most: usize) -> Option<Self> {
        let mut frames = Vec::new();
        for frame in &self.frames {
            (frame.original_len as usize == frame.bytes.len()).then_some(())?;
            let packet = self.packet(&frame.bytes).filter(IpPacket::is_plain)?;
            if packet.protocol() != TCP || packet.is_fragment() || packet.tcp_payload_len() <= most {
                frames.push(frame.clone());
                continue;
            }
            let (at, l4) = (packet.at, packet.at + packet.header_len());
            let payload = l4 + usize::from(frame.bytes.get(l4 + 12)? >> 4) * 4;
            let data = frame.bytes.get(payload..payload + packet.tcp_payload_len())?;
            let sound = tcp_sum(&frame.bytes[..payload + data.len()], at, l4) == 0;
            let count = data.len().div_ceil(most);
            for (number, piece) in data.chunks(most).enumerate() {
                let mut bytes = [&frame.bytes[..payload], piece].concat();
                let first = u32::from_be_bytes(bytes[l4 + 4..l4 + 8].try_into().unwrap());
                bytes[l4 + 4..l4 + 8].copy_from_slice(&first.wrapping_add((number * most) as u32).to_be_bytes());
                if number + 1 < count {
                    bytes[l4 + 13] &= !(PSH | FIN);
                }
                set_ip_len(&mut bytes, at);
                if sound {
                    set_tcp_sum(&mut bytes, at, l4);
                }
                frames.push(Taken { time: frame.time, original_len: bytes.len() as u32, bytes });
            }
        }
        Some(self.with(frames))
    }

    /// Segments of TCP that follow each other closely in one direction and one stream come as one, as a host hands them on.
    pub fn in_larger_pieces(&self, most: usize) -> Option<Self> {
        let mut frames: Vec<Taken> = Vec::new();
        for frame in &self.frames {
            (frame.original_len as usize == frame.bytes.len()).then_some(())?;
            if let Some(merged) = frames.last().and_then(|last| self.merged(last, frame, most)) {
                frames.pop();
                frames.push(merged);
            } else {
                frames.push(frame.clone());
            }
        }
        Some(self.with(frames))
    }

    fn merged(&self, one: &Taken, two: &Taken, most: usize) -> Option<Taken> {
        let (a, b) = (self.packet(&one.bytes)?, self.packet(&two.bytes)?);
        let l4 = a.at + a.header_len();
        let plain =
            |packet: &IpPacket<'_>| packet.is_plain() && packet.protocol() == TCP && !packet.is_fragment() && packet.tcp_payload_len() > 0;
        let same = a.at == b.at
            && (a.source(), a.source_port()) == (b.source(), b.source_port())
            && (a.destination(), a.destination_port()) == (b.destination(), b.destination_port());
        let (first, next) = (a.sequence()?, b.sequence()?);
        // The acknowledgment, and no flag but PSH in either.
        let ack = |bytes: &[u8]| bytes.get(l4 + 8..l4 + 12).map(<[u8]>::to_vec);
        let calm = |bytes: &[u8]| bytes.get(l4 + 13).is_some_and(|flags| flags & !PSH == 16);
        let close = two.time - one.time < 1_000_000;
        let joins = plain(&a) && plain(&b) && same && first.1 == next.0 && ack(&one.bytes) == ack(&two.bytes) && close;
        let len = a.tcp_payload_len() + b.tcp_payload_len();
        let header = |bytes: &[u8]| bytes.get(l4 + 12).map(|byte| l4 + usize::from(byte >> 4) * 4);
        (joins && calm(&one.bytes) && calm(&two.bytes) && len <= most && header(&one.bytes) == header(&two.bytes)).then_some(())?;
        let start = header(&one.bytes)?;
        let sound = [one, two].iter().all(|frame| tcp_sum(&frame.bytes, a.at, l4) == 0);
        let mut bytes = [one.bytes.get(..start + a.tcp_payload_len())?, two.bytes.get(start..start + b.tcp_payload_len())?].concat();
        bytes[l4 + 13] |= two.bytes[l4 + 13] & PSH;
        set_ip_len(&mut bytes, a.at);
        if sound {
            set_tcp_sum(&mut bytes, a.at, l4);
        }
        Some(Taken { time: one.time, original_len: bytes.len() as u32, bytes })
    }

    /// What these hosts send has no checksum yet, as on a host whose network card computes it.
    pub fn offloaded(&self, whose: impl Fn(IpAddr) -> bool) -> Option<Self> {
        self.each_ip(|bytes, at, _| {
            let packet = IpPacket { bytes, at };
            let (l4, protocol) = (at + packet.header_len(), packet.protocol());
            let sends = whose(packet.source()) && !packet.is_fragment();
            let place = match protocol {
                TCP => l4 + 16,
                UDP => l4 + 6,
                _ => return Some(()),
            };
            if sends {
                bytes.get_mut(place..place + 2)?.copy_from_slice(&[0xfe, 0x30]);
            }
            Some(())
        })
    }

    /// As packets of IP without a link layer. `None` where it is not Ethernet's.
    pub fn raw(&self) -> Option<Self> {
        const RAW: u32 = 101;
        (self.link == ETHERNET).then_some(())?;
        let frames = self.frames.iter().map(|frame| {
            let at = self.packet(&frame.bytes)?.at;
            Some(Taken { original_len: frame.original_len - at as u32, bytes: frame.bytes[at..].to_vec(), ..frame.clone() })
        });
        Some(Self { link: RAW, frames: frames.collect::<Option<Vec<_>>>()? })
    }

    /// Servers listen on `to` in place of `from`.
    pub fn at_port(&self, from: u16, to: u16) -> Option<Self> {
        self.each_ip(|bytes, at, _| {
            let packet = IpPacket { bytes, at };
            let (l4, protocol) = (at + packet.header_len(), packet.protocol());
            let sum = match protocol {
                TCP => l4 + 16,
                UDP => l4 + 6,
                _ => return None,
            };
            (!packet.is_fragment()).then_some(())?;
            for port in [l4, l4 + 2] {
                set_word(bytes, port, &[sum], |port| if port == from { to } else { port });
            }
            Some(())
        })
    }

    /// The first segment that `from` fills is lost behind the capture, or before it, and comes again so much later, with all that follows.
    pub fn with_loss(&self, from: (IpAddr, u16), seen: bool, nanos: i64) -> Option<Self> {
        let sends = |frame: &Taken| {
            let packet = self.packet(&frame.bytes)?;
            let fits = packet.protocol() == TCP && (packet.source(), packet.source_port()?) == from && packet.tcp_payload_len() > 0;
            fits.then_some(())
        };
        let place = self.frames.iter().position(|frame| sends(frame).is_some())?;
        let (before, after) = self.frames.split_at(place);
        let lost = seen.then(|| after[0].clone());
        let later = after.iter().map(|frame| Taken { time: frame.time + nanos, ..frame.clone() });
        Some(self.with(before.iter().cloned().chain(lost).chain(later).collect()))
    }

    /// Each direction over so many more hops; `None` where a packet would not have lived to see it.
    pub fn over_hops(&self, up: u8, down: u8) -> Option<Self> {
        self.each_ip(|bytes, at, goes_up| {
            let hops = if goes_up { up } else { down };
            let place = at + if bytes[at] >> 4 == 4 { 8 } else { 6 };
            if bytes[at] >> 4 == 4 {
                (bytes[place] > hops).then_some(())?;
                set_word(bytes, place, &[at + 10], |word| word - (u16::from(hops) << 8));
            } else {
                (bytes[place + 1] > hops).then_some(())?;
                bytes[place + 1] -= hops;
            }
            Some(())
        })
    }

    /// By a clock that counts steps of so many nanoseconds.
    pub fn by_clock(&self, step: i64) -> Self {
        self.with(self.frames.iter().map(|frame| Taken { time: frame.time - frame.time.rem_euclid(step), ..frame.clone() }).collect())
    }

    /// Without TCP timestamps: two padding options stand in their place.
    pub fn without_timestamps(&self) -> Option<Self> {
        self.each_ip(|bytes, at, _| {
            let packet = IpPacket { bytes, at };
            let l4 = at + packet.header_len();
            if packet.protocol() != TCP || packet.is_fragment() {
                return Some(());
            }
            let end = l4 + usize::from(bytes.get(l4 + 12)? >> 4) * 4;
            let mut option = l4 + 20;
            while option + 1 < end.min(bytes.len()) {
                match bytes[option] {
                    0 => break,
                    1 => option += 1,
                    kind => {
                        let len = usize::from(bytes[option + 1]).max(2);
                        if kind == 8 && option + len <= bytes.len() {
                            for place in option..option + len {
                                let even = place - (place - l4) % 2;
                                let mask = if place == even { 0x00ff } else { 0xff00 };
                                let one = if place == even { 0x0100 } else { 0x0001 };
                                set_word(bytes, even, &[l4 + 16], |word| word & mask | one);
                            }
                        }
                        option += len;
                    }
                }
            }
            Some(())
        })
    }

    /// TCP and UDP over IPv6 in place of IPv4. `None` where a frame holds anything else, is not Ethernet's, or was cut off.
    pub fn over_ipv6(&self) -> Option<Self> {
        (self.link == ETHERNET).then_some(())?;
        let frames = self.frames.iter().map(|frame| {
            let packet = self.packet(&frame.bytes).filter(|packet| packet.is_v4() && packet.is_plain() && !packet.is_fragment())?;
            let (at, l4) = (packet.at, packet.at + packet.header_len());
            let len = usize::from(u16::from_be_bytes([frame.bytes[at + 2], frame.bytes[at + 3]]));
            let inside = frame.bytes.get(l4..at + len)?;
            (at == 14 && matches!(packet.protocol(), TCP | UDP)).then_some(())?;
            let wide = |address: IpAddr| match address {
                IpAddr::V4(address) if address.is_private() => [&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &address.octets()[..]].concat(),
                IpAddr::V4(address) => [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0], &address.octets()[..]].concat(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            let mut bytes = [&frame.bytes[..12], &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, packet.protocol(), frame.bytes[at + 8]]].concat();
            bytes.extend(wide(packet.source()));
            bytes.extend(wide(packet.destination()));
            let sound = tcp_sum(&frame.bytes[..at + len], at, l4) == 0;
            bytes.extend(inside);
            set_ip_len(&mut bytes, 14);
            if packet.protocol() == TCP && sound {
                set_tcp_sum(&mut bytes, 14, 54);
            }
            Some(Taken { time: frame.time, original_len: bytes.len() as u32, bytes })
        });
        Some(self.with(frames.collect::<Option<Vec<_>>>()?))
    }

    /// Changes the IP packet of every frame; `None` where one cannot be.
    fn each_ip(&self, change: impl Fn(&mut [u8], usize, bool) -> Option<()>) -> Option<Self> {
        let frames = self.frames.iter().map(|frame| {
            let packet = self.packet(&frame.bytes).filter(IpPacket::is_plain)?;
            let (at, up) = (packet.at, packet.goes_up()?);
            let mut bytes = frame.bytes.clone();
            change(&mut bytes, at, up)?;
            Some(Taken { bytes, ..frame.clone() })
        });
        Some(self.with(frames.collect::<Option<Vec<_>>>()?))
    }
}

/// The length of the IP packet that reaches to the end of the frame.
fn set_ip_len(bytes: &mut [u8], at: usize) {
    let len = bytes.len() - at;
    if bytes[at] >> 4 == 4 {
        bytes[at + 2..at + 4].copy_from_slice(&(len as u16).to_be_bytes());
        bytes[at + 10..at + 12].copy_from_slice(&[0, 0]);
        let sum = checksum(&bytes[at..at + usize::from(bytes[at] & 15) * 4]);
        bytes[at + 10..at + 12].copy_from_slice(&sum.to_be_bytes());
    } else {
        bytes[at + 4..at + 6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
    }
}

/// The checksum over a TCP segment and its pseudo-header (RFC 9293 section 3.1): zero where the one it holds is right.
fn tcp_sum(bytes: &[u8], at: usize, l4: usize) -> u16 {
    let addresses = if bytes[at] >> 4 == 4 { at + 12..at + 20 } else { at + 8..at + 40 };
    let len = (bytes.len() - l4) as u32;
    let pseudo = [&bytes[addresses], &len.to_be_bytes(), &[0, 0, 0, TCP]].concat();
    checksum(&[&pseudo, &bytes[l4..]].concat())
}

fn set_tcp_sum(bytes: &mut [u8], at: usize, l4: usize) {
    bytes[l4 + 16..l4 + 18].copy_from_slice(&[0, 0]);
    let sum = tcp_sum(bytes, at, l4);
    bytes[l4 + 16..l4 + 18].copy_from_slice(&sum.to_be_bytes());
}
