//! Flows: who talks to whom, independent of which direction a packet goes.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::site::Site;

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
        let digit = |value: u8| b'0' + value % 10;
        for octet in address.octets() {
            match octet {
                0..10 => self.push([digit(octet), b'.', 0, 0], 2),
                10..100 => self.push([digit(octet / 10), digit(octet), b'.', 0], 3),
                100.. => self.push([digit(octet / 100), digit(octet / 10), digit(octet), b'.'], 4),
            }
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

/// One layer of encapsulation between the link layer and the flow, for `network.path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// 802.1Q or 802.1ad tag: VLAN identifier.
    Vlan(u16),
    /// 802.1ah service instance.
    Pbb(u32),
    /// MPLS label.
    Mpls(u32),
    /// PPPoE session.
    Pppoe(u16),
    /// MACsec that protects frames without encrypting them (802.1AE); each side's channel is its own.
    Macsec,
    /// GRE, with its key if it has one.
    Gre(Option<u32>),
    /// ERSPAN session.
    Erspan(u16),
    /// IP in IP (4in4, 6in4, 4in6, 6in6).
    IpInIp,
    /// VXLAN network identifier.
    Vxlan(u32),
    /// Geneve network identifier.
    Geneve(u32),
    /// GTP-U; the tunnel differs in each direction and is not part of a flow's identity.
    Gtpu,
    /// Teredo.
    Teredo,
    /// TaZmen Sniffer Protocol.
    Tzsp,
    /// LISP, with its instance if it names one.
    Lisp(Option<u32>),
    /// L2TP; as with GTP-U its identifiers differ in each direction.
    L2tp,
    /// The server's address stands for an IPv4 address, which a NAT64 translates it to (RFC 6052, RFC 8215).
    Nat64,
    /// The client's address is that of a device's own translator to IPv6 (464XLAT, RFC 6877 and RFC 7335).
    Clat,
    /// TURN, between a client and its relay.
    Turn,
    /// CAPWAP, between an access point and its controller.
    Capwap,
    /// RADIUS over TLS: the handshake is between two RADIUS servers, or a client and a server.
    RadSec,
    /// RADIUS, whose attributes carry EAP.
    Radius,
    /// The control channel of OpenVPN, by what protects it.
    OpenVpn(&'static str),
    /// EAP with a method that is TLS, by its name.
    Eap(&'static str),
    /// TLS, whose records were opened with keys: the handshake is one within another.
    Tls,
    /// A stream of HTTP/2, by its number.
    Http2(u32),
    /// The frames of WebSocket.
    WebSocket,
    /// Datagrams through an HTTP proxy.
    ConnectUdp,
}

impl Layer {
    /// The number that tells two flows in two such tunnels apart; zero where the layer has none that both directions share.
    pub const fn identity(self) -> u64 {
        match self {
            Self::Vlan(id) => 1 << 40 | id as u64,
            Self::Mpls(_)
            | Self::Macsec
            | Self::Gre(None)
            | Self::IpInIp
            | Self::Gtpu
            | Self::Teredo
            | Self::Tzsp
            | Self::Lisp(None)
            | Self::L2tp
            | Self::Erspan(_)
            | Self::Nat64
            | Self::Clat
            | Self::Turn
            | Self::Capwap
            | Self::RadSec
            | Self::Radius
            | Self::Eap(_)
            | Self::Tls
            | Self::Http2(_)
            | Self::WebSocket
            | Self::ConnectUdp
            | Self::OpenVpn(_) => 0,
            Self::Pbb(id) => 2 << 40 | id as u64,
            Self::Pppoe(id) => 3 << 40 | id as u64,
            Self::Gre(Some(key)) => 4 << 40 | key as u64,
            Self::Vxlan(id) => 6 << 40 | id as u64,
            Self::Geneve(id) => 7 << 40 | id as u64,
            Self::Lisp(Some(id)) => 8 << 40 | id as u64,
        }
    }
}

/// `vlan 100`, `vxlan 42`, `ip-in-ip`, …
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vlan(id) => write!(f, "vlan {id}"),
            Self::Pbb(id) => write!(f, "pbb {id}"),
            Self::Mpls(label) => write!(f, "mpls {label}"),
            Self::Pppoe(id) => write!(f, "pppoe {id}"),
            Self::Macsec => f.write_str("macsec"),
            Self::Gre(Some(key)) => write!(f, "gre {key}"),
            Self::Gre(None) => f.write_str("gre"),
            Self::Erspan(id) => write!(f, "erspan {id}"),
            Self::IpInIp => f.write_str("ip-in-ip"),
            Self::Vxlan(id) => write!(f, "vxlan {id}"),
            Self::Geneve(id) => write!(f, "geneve {id}"),
            Self::Gtpu => f.write_str("gtp-u"),
            Self::Teredo => f.write_str("teredo"),
            Self::Tzsp => f.write_str("tzsp"),
            Self::Lisp(Some(id)) => write!(f, "lisp {id}"),
            Self::Lisp(None) => f.write_str("lisp"),
            Self::L2tp => f.write_str("l2tp"),
            Self::Nat64 => f.write_str("nat64"),
            Self::Clat => f.write_str("464xlat"),
            Self::Turn => f.write_str("turn"),
            Self::Capwap => f.write_str("capwap"),
            Self::RadSec => f.write_str("radsec"),
            Self::Radius => f.write_str("radius"),
            Self::OpenVpn("none") => f.write_str("openvpn"),
            Self::OpenVpn(wrapping) => write!(f, "openvpn {wrapping}"),
            Self::Eap(method) => f.write_str(method),
            Self::Tls => f.write_str("tls"),
            Self::Http2(stream) => write!(f, "http2 stream {stream}"),
            Self::WebSocket => f.write_str("websocket"),
            Self::ConnectUdp => f.write_str("connect-udp"),
        }
    }
}

/// The layers around a flow, outermost first, up to [`Path::MOST`]; held inline so that a packet costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path {
    layers: [Option<Layer>; Self::MOST],
}

impl Path {
    /// How many layers are kept; decapsulation goes deeper, up to its own bound, without naming more.
    pub const MOST: usize = 6;

    /// No tunnels.
    pub const NONE: Self = Self { layers: [None; Self::MOST] };

    /// Adds an inner layer; beyond [`Path::MOST`] it is left out.
    pub fn push(&mut self, layer: Layer) {
        if let Some(slot) = self.layers.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(layer);
        }
    }

    /// The same with what the addresses say of translators behind it.
    #[must_use]
    pub fn translated(mut self, client: IpAddr, server: IpAddr) -> Self {
        if matches!(client, IpAddr::V4(address) if address.to_bits() >> 3 == CLAT) {
            self.push(Layer::Clat);
        }
        if matches!(server, IpAddr::V6(address) if address.to_bits() >> 32 == NAT64 || address.to_bits() >> 80 == NAT64_LOCAL) {
            self.push(Layer::Nat64);
        }
        self
    }

    /// No tunnels at all.
    pub const fn is_empty(&self) -> bool {
        matches!(self.layers, [None, ..])
    }

    /// The layers, outermost first.
    pub fn layers(&self) -> impl Iterator<Item = Layer> + '_ {
        self.layers.iter().map_while(|layer| *layer)
    }

    /// What is seen of it lies inside the TLS of another connection.
    pub fn is_inside_tls(&self) -> bool {
        self.layers().any(|layer| layer == Layer::Tls)
    }

    /// What is seen of it lies inside something that is spoken with the same server, and whose other end need not be its own.
    pub fn is_inside_another(&self) -> bool {
        self.layers().any(|layer| matches!(layer, Layer::Tls | Layer::Http2(_) | Layer::WebSocket | Layer::ConnectUdp))
    }

    /// The stream of HTTP/2 that it lies in.
    pub fn stream(&self) -> Option<u32> {
        self.layers().find_map(|layer| if let Layer::Http2(stream) = layer { Some(stream) } else { None })
    }

    /// A number that keeps the same inner flow in two tunnels apart: zero for none, the same in both directions.
    pub fn identity(&self) -> u32 {
        let mut mixed: u64 = 0;
        for id in self.layers().map(Layer::identity).filter(|id| *id != 0) {
            mixed = (mixed ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        }
        let folded = (mixed ^ mixed >> 32) & u64::from(u32::MAX);
        u32::try_from(folded).unwrap_or(0)
    }
}

/// 64:ff9b::/96, behind which an IPv4 address stands.
const NAT64: u128 = 0x0064_ff9b << 64;
/// 64:ff9b:1::/48, of which a network makes prefixes of its own.
const NAT64_LOCAL: u128 = 0x0064_ff9b_0001;
/// 192.0.0.0/29.
const CLAT: u32 = 0xc000_0000 >> 3;

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
