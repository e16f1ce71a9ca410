//! Flows: who talks to whom, independent of which direction a packet goes.

mod layers;

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::site::Site;

pub use self::layers::{EapMethod, Layer, OpenVpnWrapping, Path};

/// One of the two TLS roles. A flow's client is the side that sent the SYN or, where none was seen, the side that its messages or its port make the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The side that opens the handshake.
    Client,
    /// The side that answers.
    Server,
}

impl Side {
    /// Both sides, the client first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerSide<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

impl<T> PerSide<T> {
    /// The value of one side.
    pub const fn of(&self, side: Side) -> &T {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// The value of one side, to change.
    pub const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Exchanges the two, for a flow whose roles were guessed the wrong way round.
    pub const fn swap(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
    }
}

/// An address and a port; of what travels without IP, a station of the link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IP address. That of a station stands for its MAC address: see [`Endpoint::station`].
    pub address: IpAddr,
    /// TCP or UDP port; zero for a station.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint of its two parts.
    pub const fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port }
    }

    /// A station of the link layer. Its address looks like a link-local one with bits set that RFC 4291 section 2.5.6 wants to be zero: no IP packet
    /// has it.
    pub fn station(mac: Mac) -> Self {
        let mut octets = (STATION << 48).to_be_bytes();
        if let Some(place) = octets.last_chunk_mut() {
            *place = mac;
        }
        Self::new(IpAddr::V6(Ipv6Addr::from(octets)), 0)
    }
}

impl Endpoint {
    /// The address alone, as it is shown.
    pub const fn host(self) -> Shown {
        Shown(self.address)
    }
}

/// A MAC address.
pub type Mac = [u8; 6];

/// The station that an address stands for.
pub fn station_of(address: IpAddr) -> Option<Mac> {
    match address {
        IpAddr::V6(address) if address.to_bits() >> 48 == STATION => address.octets().last_chunk().copied(),
        _ => None,
    }
}

/// A MAC address as it is shown: `00:00:5e:00:53:01`.
pub fn mac_text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Reads what [`Shown`] writes.
pub fn read_address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| {
        let is_byte = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (mut mac, mut parts) = (Mac::default(), text.split(':'));
        for byte in &mut mac {
            *byte = u8::from_str_radix(parts.next().filter(is_byte)?, 16).ok()?;
        }
        parts.next().is_none().then(|| Endpoint::station(mac).address)
    })
}

/// An address as it is shown: an IP address, or the MAC address of a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown(pub IpAddr);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match station_of(self.0) {
            Some(mac) => f.pad(&mac_text(mac)),
            None => self.0.fmt(f),
        }
    }
}

impl serde::Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Shown {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        read_address(&text).map(Self).ok_or_else(|| serde::de::Error::custom("an address is none"))
    }
}

/// The upper 80 bits of the address of a station.
const STATION: u128 = 0xfe80_0000_0000_888e_0000;

/// `192.0.2.1:443` or `[2001:db8::1]:443`; `00:00:5e:00:53:01` for a station.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl Endpoint {
    /// Its text, made once for all who write it.
    pub fn text(self) -> EndpointText {
        let mut text = EndpointText { bytes: [0; EndpointText::ROOM], len: 0, address: (0, 0), port: self.port };
        match self.address {
            IpAddr::V4(address) => {
                text.push_v4(address);
                text.address = (0, text.len);
            }
            IpAddr::V6(address) => {
                if let Some(mac) = station_of(self.address) {
                    let _ = text.write_str(&mac_text(mac));
                    text.address = (0, text.len);
                    return text;
                }
                let _ = write!(text, "[{address}]");
                text.address = (1, text.len.saturating_sub(1));
            }
        }
        text.push([b':'], 1);
        let _ = text.write_str(itoa::Buffer::new().format(self.port));
        text
    }
}

/// An endpoint as it prints, without an allocation: it is written several times for each handshake, and the general formatter takes its time.
#[derive(Debug, Clone, Copy)]
pub struct EndpointText {
    bytes: [u8; Self::ROOM],
    len: usize,
    /// Where the address begins and ends.
    address: (usize, usize),
    port: u16,
}

impl EndpointText {
    /// Enough for `[1234:1234:1234:1234:1234:1234:1234:1234]:65535` and a step of [`EndpointText::push`].
    const ROOM: usize = 56;

    /// `192.0.2.1:443` or `[2001:db8::1]:443`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The same in ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The address alone in ASCII, without brackets.
    pub fn address(&self) -> &[u8] {
        self.bytes.get(self.address.0..self.address.1).unwrap_or_default()
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    fn push_v4(&mut self, address: Ipv4Addr) {
        for octet in address.octets() {
            let (text, len) = OCTETS.get(usize::from(octet)).copied().unwrap_or_default();
            self.push(text, usize::from(len));
        }
        self.len = self.len.saturating_sub(1);
    }

    /// Adds the first `len` of these bytes; to copy all takes one step, and what is too much is written over.
    fn push<const N: usize>(&mut self, bytes: [u8; N], len: usize) {
        if let Some(place) = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            *place = bytes;
            self.len += len;
        }
    }
}

impl fmt::Write for EndpointText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Every octet in decimal with a dot behind it, and how long that is.
#[expect(clippy::indexing_slicing, reason = "there is one for every octet")]
static OCTETS: [([u8; 4], u8); 256] = {
    let mut all = [([0; 4], 0); 256];
    let mut octet = 0_u8;
    loop {
        all[octet as usize] = match octet {
            0..10 => ([b'0' + octet, b'.', 0, 0], 2),
            10..100 => ([b'0' + octet / 10, b'0' + octet % 10, b'.', 0], 3),
            100.. => ([b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10, b'.'], 4),
        };
        if octet == u8::MAX {
            break all;
        }
        octet += 1;
    }
};

/// The transport protocol of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
    /// EAPOL (IEEE 802.1X), on the link layer itself.
    Eapol,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Eapol];

    /// `tcp`, `udp` or `eapol`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Eapol => "eapol",
        }
    }
}

/// The identity of a flow: the site, both endpoints in order, the transport, and the tunnels it runs in. The same for both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// The lesser endpoint.
    pub low: Endpoint,
    /// The greater endpoint.
    pub high: Endpoint,
    /// TCP, UDP or EAPOL.
    pub transport: Transport,
    /// The address space that it belongs to, around all tunnels.
    pub site: Site,
    /// [`Path::identity`] of the tunnels around it.
    pub path: u32,
}

impl FlowKey {
    /// The key of a packet from `source` to `destination` at no site, and whether the source is the lesser endpoint.
    pub fn new(transport: Transport, source: Endpoint, destination: Endpoint, path: u32) -> (Self, bool) {
        if source <= destination {
            (Self { low: source, high: destination, transport, site: Site::NONE, path }, true)
        } else {
            (Self { low: destination, high: source, transport, site: Site::NONE, path }, false)
        }
    }

    /// The key of all EAPOL frames of a link, for an authenticator may speak to one station under an address that all of them hear.
    pub fn of_link(site: Site, path: u32) -> Self {
        let anyone = Endpoint::station([0; 6]);
        Self { low: anyone, high: anyone, transport: Transport::Eapol, site, path }
    }

    /// The same flow at a site.
    #[must_use]
    pub const fn at(mut self, site: Site) -> Self {
        self.site = site;
        self
    }

    /// [`FlowKey::partition_hash`] for whoever must not take flows of two sites, or in two tunnels, for one.
    pub fn site_hash(&self) -> u64 {
        self.partition_hash() ^ u64::from(self.path).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.site.salt()
    }

    /// A hash that is the same in every run and in both directions, to divide flows among partitions. Not for hash tables: an attacker can
    /// aim at it, and gains no more than one busy partition. Tunnels have no part in it, for each direction may have its own; nor have sites, for their
    /// numbers depend on the order in which they are met.
    pub fn partition_hash(&self) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "halves of an address")]
        fn words(address: IpAddr) -> [u64; 2] {
            let bits = match address {
                IpAddr::V4(v4) => u128::from(v4.to_bits()),
                IpAddr::V6(v6) => v6.to_bits(),
            };
            [(bits >> 64) as u64, bits as u64]
        }
        fn mix(hash: u64, word: u64) -> u64 {
            (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        }
        let ports = u64::from(self.low.port) << 32 | u64::from(self.high.port) << 8 | self.transport as u64;
        let seed = 0x243f_6a88_85a3_08d3;
        let hash = match (self.low.address, self.high.address) {
            (IpAddr::V4(low), IpAddr::V4(high)) => mix(seed, u64::from(low.to_bits()) << 32 | u64::from(high.to_bits())),
            (low, high) => [low, high].into_iter().flat_map(words).fold(seed, mix),
        };
        let hash = mix(hash, ports);
        hash ^ hash >> 32
    }
}

#[cfg(test)]
mod tests;
