//! Captures whose directions come by ways of their own: mirror ports and taps tag each one, or send it through a tunnel.

use super::capture::{Capture, ETHERNET, Taken, checksum};

/// What is around the frames of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Plain,
    Vlan(u16),
    Qinq(u16, u16),
    Vxlan(u32),
    Geneve(u32),
    GreKey(u32),
    Mpls(u32),
    /// Between tunnel ends with this number.
    IpInIp(u8),
}

impl Capture {
    /// Every frame that carries TCP or UDP by the ways of its direction: once for each of them. `ways` is asked whether it goes from the lesser end to the greater.
    /// `None` where frames are not Ethernet's, or what carries them is not IP at once.
    pub fn by_ways(&self, ways: impl Fn(bool) -> Vec<Way>) -> Option<Self> {
        (self.link == ETHERNET).then_some(())?;
        let mut frames = Vec::new();
        for frame in &self.frames {
            let Some(up) = self.goes_up(frame) else {
                frames.push(frame.clone());
                continue;
            };
            for way in ways(up) {
                frames.push(around(frame, way)?);
            }
        }
        Some(self.with(frames))
    }
}

fn around(frame: &Taken, way: Way) -> Option<Taken> {
    let (addresses, rest) = frame.bytes.split_at_checked(12)?;
    let ethertype = rest.get(..2)?;
    // Of what is behind tags already only the whole frame goes through a tunnel.
    let ip = || (matches!(ethertype, [8, 0] | [0x86, 0xdd])).then(|| &rest[2..]);
    let tag = |kind: u16, id: u16| [kind.to_be_bytes(), id.to_be_bytes()].concat();
    let word = |id: u32| (id << 8).to_be_bytes();
    let added = |len: usize| frame.original_len as usize + len - frame.bytes.len();
    let bytes = match way {
        Way::Plain => frame.bytes.clone(),
        Way::Vlan(id) => [addresses, &tag(0x8100, id), rest].concat(),
        Way::Qinq(outer, inner) => [addresses, &tag(0x88a8, outer), &tag(0x8100, inner), rest].concat(),
        Way::Vxlan(id) => over_udp(&[&[8, 0, 0, 0], &word(id)[..], &frame.bytes].concat(), 4789, added)?,
        Way::Geneve(id) => over_udp(&[&[0, 0, 0x65, 0x58], &word(id)[..], &frame.bytes].concat(), 6081, added)?,
        Way::GreKey(key) => in_ipv4(&[&[0x20, 0], ethertype, &key.to_be_bytes(), ip()?].concat(), 47, 1, added)?,
        Way::Mpls(label) => [addresses, &[0x88, 0x47], &(label << 12 | 0x1ff).to_be_bytes(), ip()?].concat(),
        Way::IpInIp(end) => in_ipv4(ip()?, if ethertype == [8, 0] { 4 } else { 41 }, end, added)?,
    };
    let original_len = frame.original_len + bytes.len() as u32 - frame.bytes.len() as u32;
    Some(Taken { time: frame.time, original_len, bytes })
}

fn over_udp(inside: &[u8], port: u16, len: impl Fn(usize) -> usize) -> Option<Vec<u8>> {
    let udp_len = u16::try_from(len(inside.len() + 8)).ok()?;
    let mut udp = Vec::new();
    for part in [50_000, port, udp_len, 0] {
        udp.extend(part.to_be_bytes());
    }
    in_ipv4(&[&udp, inside].concat(), 17, 1, len)
}

/// `len` tells how long it was before the snapshot length cut it.
fn in_ipv4(inside: &[u8], protocol: u8, end: u8, len: impl Fn(usize) -> usize) -> Option<Vec<u8>> {
    let total = u16::try_from(len(inside.len() + 20)).ok()?;
    let mut ip = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 198, 51, 100, end, 198, 51, 100, 100 + end];
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    Some([&[2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2, 8, 0], ip.as_slice(), inside].concat())
}
