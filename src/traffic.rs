//! What fills a capture, TLS or not: packets and bytes by protocol and port, so that "no handshake" is never the whole answer.
//!
//! Nothing is kept of a packet, and nothing is looked up for it that was not looked up anyway: whoever knows what a packet belongs to adds its
//! size to a row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::limits;

/// What bears a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bearer {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// IP itself.
    Ip,
    /// The link layer itself.
    Link,
}

impl Bearer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Ip, Self::Link];

    /// `tcp`, `udp`, `ip` or `link`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Ip => "ip",
            Self::Link => "link",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bearer| bearer.name() == name)
    }
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// What bears it.
    pub bearer: Bearer,
    /// The protocol's name as people know it; [`UNKNOWN`] where neither bytes nor port tell.
    pub protocol: &'static str,
    /// The server's port. `None` where there is none, and for all together that came when [`limits::TRAFFIC_PORTS`] were known.
    pub port: Option<u16>,
}

/// How much there was of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes of payload in TCP and UDP, of the frame elsewhere.
    pub bytes: u64,
    /// Connections and flows that were followed; others are not told apart.
    pub connections: u64,
}

impl Volume {
    /// A packet with so many bytes.
    pub const fn packet(bytes: u32) -> Self {
        Self { packets: 1, bytes: bytes as u64, connections: 0 }
    }

    /// What there is more of it than of the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(other.packets),
            bytes: self.bytes.saturating_sub(other.bytes),
            connections: self.connections.saturating_sub(other.connections),
        }
    }

    /// The two together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_add(other.packets),
            bytes: self.bytes.saturating_add(other.bytes),
            connections: self.connections.saturating_add(other.connections),
        }
    }
}

/// Where packets of a flow are counted; valid for the [`Traffic`] that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row(u8);

impl Row {
    /// Packets of it are not counted.
    pub const NONE: Self = Self(u8::MAX);
}

/// Sums by kind, bounded: rows by port up to [`limits::TRAFFIC_PORTS`], then one for each protocol.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    rows: Vec<(Kind, Volume)>,
    latest: Option<(Kind, Row)>,
}

impl Traffic {
    /// The row of a kind.
    pub fn row(&mut self, kind: Kind) -> Row {
        if let Some((_, row)) = self.latest.filter(|(latest, _)| *latest == kind) {
            return row;
        }
        let place = |rows: &[(Kind, Volume)], kind| rows.iter().position(|(known, _)| *known == kind);
        let row = place(&self.rows, kind).or_else(|| {
            let kind = if self.rows.len() < limits::TRAFFIC_PORTS { kind } else { Kind { port: None, ..kind } };
            place(&self.rows, kind).or_else(|| {
                let room = self.rows.len() < usize::from(Row::NONE.0);
                room.then(|| {
                    self.rows.push((kind, Volume::default()));
                    self.rows.len().saturating_sub(1)
                })
            })
        });
        let row = row.and_then(|row| u8::try_from(row).ok()).map_or(Row::NONE, Row);
        self.latest = Some((kind, row));
        row
    }

    /// Adds to a row.
    #[inline]
    pub fn add(&mut self, row: Row, more: Volume) {
        if let Some((_, volume)) = self.rows.get_mut(usize::from(row.0)) {
            *volume = volume.plus(more);
        }
    }

    /// Adds a packet with so many bytes to a row.
    #[inline]
    pub fn packet(&mut self, row: Row, bytes: u32) {
        self.add(row, Volume::packet(bytes));
    }

    /// Packets of one protocol.
    pub fn packets_of(&self, protocol: &str) -> u64 {
        let rows = self.rows.iter().filter(|(kind, _)| kind.protocol == protocol);
        rows.fold(0, |sum, (_, volume)| sum.saturating_add(volume.packets))
    }

    /// Adds these sums to those of others.
    pub fn add_to(&self, volumes: &mut Volumes) {
        for (kind, volume) in &self.rows {
            let sum = volumes.entry(*kind).or_default();
            *sum = sum.plus(*volume);
        }
    }
}

/// The sums of several.
pub type Volumes = BTreeMap<Kind, Volume>;

/// The name of what nothing tells.
pub const UNKNOWN: &str = "unknown";

/// A protocol's name that was read from a file, as [`Kind`] holds it. `None` for one that is too long, and where a process has met too many.
pub fn protocol_named(name: &str) -> Option<&'static str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return Some(*known);
    }
    let room = names.len() < limits::PROTOCOLS && name.len() <= limits::PROTOCOL_NAME;
    room.then(|| {
        let kept: &'static str = Box::leak(Box::from(name));
        names.insert(kept);
        kept
    })
}

/// Names that were read from files, each once.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Protocols whose packets hide all that travels in them, and where it can be seen.
const TUNNELS: &[(&str, &str)] = &[
    ("WireGuard", "on the tunnel's own interface (`wg0`, `utun`) at either end"),
    ("Tailscale", "on the interface `tailscale0` (`utun` on macOS) at either end"),
    ("Tailscale DERP", "on the interface `tailscale0` (`utun` on macOS) at either end"),
    ("IPsec ESP", "behind the gateway that ends the tunnel, or on it: Linux shows the inner packets of incoming traffic with `-i any`"),
    ("MACsec", "on the MACsec interface (`macsec0`) of either station, or on a port behind the switch that removes it"),
    ("ZeroTier", "on the tunnel's own interface (`zt…`) at either end"),
    ("encrypted Wi-Fi", "on the wired side of the access point, or at either end"),
];

/// Where to capture what this protocol hides; `None` for one that hides nothing else.
pub fn capture_instead(protocol: &str) -> Option<&'static str> {
    TUNNELS.iter().find(|(name, _)| *name == protocol).map(|(_, place)| *place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(protocol: &'static str, port: u16) -> Kind {
        Kind { bearer: Bearer::Udp, protocol, port: Some(port) }
    }

    #[test]
    fn a_scan_of_all_ports_leaves_the_names() {
        let mut traffic = Traffic::default();
        for port in 1..=u16::MAX {
            let row = traffic.row(kind(UNKNOWN, port));
            traffic.packet(row, 10);
        }
        let row = traffic.row(kind("WireGuard", 51_820));
        traffic.packet(row, 1000);
        let mut sums = Volumes::new();
        traffic.add_to(&mut sums);
        assert_eq!(sums.len(), limits::TRAFFIC_PORTS + 2);
        assert_eq!(sums.values().map(|volume| volume.packets).sum::<u64>(), 65_536);
        let all = Kind { port: None, ..kind("WireGuard", 0) };
        assert_eq!(sums[&all], Volume { packets: 1, bytes: 1000, connections: 0 });
    }

    #[test]
    fn a_row_stays_where_it_is() {
        let mut traffic = Traffic::default();
        let (dns, ntp) = (traffic.row(kind("DNS", 53)), traffic.row(kind("NTP", 123)));
        assert_eq!((traffic.row(kind("DNS", 53)), traffic.row(kind("NTP", 123))), (dns, ntp));
        traffic.packet(Row::NONE, 7);
        traffic.packet(dns, 7);
        let mut sums = Volumes::new();
        traffic.add_to(&mut sums);
        assert_eq!((sums[&kind("DNS", 53)].bytes, sums[&kind("NTP", 123)].bytes), (7, 0));
    }
}
