//! What a flow's packets are wrapped in.

use std::fmt;
use std::net::IpAddr;

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
    OpenVpn(OpenVpnWrapping),
    /// EAP with a method that is TLS, by its name.
    Eap(EapMethod),
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
            Self::OpenVpn(OpenVpnWrapping::None) => f.write_str("openvpn"),
            Self::OpenVpn(wrapping) => write!(f, "openvpn {}", wrapping.name()),
            Self::Eap(method) => f.write_str(method.name()),
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

/// A method of EAP that is TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EapMethod {
    /// EAP-TLS, RFC 5216.
    Tls,
    /// EAP-TTLS, RFC 5281.
    Ttls,
    /// PEAP, draft-josefsson-pppext-eap-tls-eap.
    Peap,
    /// EAP-FAST, RFC 4851.
    Fast,
    /// TEAP, RFC 7170.
    Teap,
}

impl EapMethod {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Tls, Self::Ttls, Self::Peap, Self::Fast, Self::Teap];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "eap-tls",
            Self::Ttls => "eap-ttls",
            Self::Peap => "peap",
            Self::Fast => "eap-fast",
            Self::Teap => "teap",
        }
    }
}

/// What protects the control channel of OpenVPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OpenVpnWrapping {
    /// Nothing.
    #[default]
    None,
    /// `tls-auth`: an HMAC of so many bytes.
    Auth(u8),
    /// `tls-crypt`: all behind the header is encrypted.
    Crypt,
    /// `tls-crypt-v2`: likewise, with a key of the client's own.
    CryptV2,
}

impl OpenVpnWrapping {
    /// Every kind of it.
    pub const ALL: [Self; 4] = [Self::None, Self::Auth(0), Self::Crypt, Self::CryptV2];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Auth(_) => "tls-auth",
            Self::Crypt => "tls-crypt",
            Self::CryptV2 => "tls-crypt-v2",
        }
    }
}
