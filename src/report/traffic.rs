//! What a capture carries, TLS or not, the most first.

use std::borrow::Cow;

use crate::limits;
use crate::preamble::services::Service;
use crate::traffic::{Bearer, Kind, UNKNOWN, Volume, Volumes, capture_instead};
use crate::wording::counted;

/// Packets of one protocol at one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// What it is; `None` for all together that is too rare to be told apart.
    pub kind: Option<Kind>,
    /// How much there is of it.
    pub volume: Volume,
}

impl Carried {
    /// What was counted, the most bytes first; at most [`limits::TRAFFIC_TOLD`] kinds, and the rest together.
    pub fn all(volumes: &Volumes) -> Vec<Self> {
        let mut kinds = Volumes::new();
        let ftp = volumes.keys().any(controls_ftp);
        for (kind, volume) in volumes {
            let passing = ftp && volume.connections <= 1 && may_be_ftp_data(kind);
            let sum = kinds.entry(if passing { Kind { port: None, ..*kind } } else { *kind }).or_default();
            *sum = sum.plus(*volume);
        }
        let mut all: Vec<Self> = kinds.into_iter().map(|(kind, volume)| Self { kind: Some(kind), volume }).collect();
        all.retain(|carried| carried.volume.packets > 0);
        all.sort_by_key(|carried| std::cmp::Reverse((carried.volume.bytes, carried.volume.packets)));
        let rest = all.split_off(all.len().min(limits::TRAFFIC_TOLD));
        if !rest.is_empty() {
            let volume = rest.iter().fold(Volume::default(), |sum, carried| sum.plus(carried.volume));
            all.push(Self { kind: None, volume });
        }
        all
    }

    /// What was counted in one shard, the most bytes first: every kind, so that those of all shards can be added up.
    pub fn every(volumes: &Volumes) -> Vec<Self> {
        let mut all: Vec<Self> = volumes.iter().map(|(kind, volume)| Self { kind: Some(*kind), volume: *volume }).collect();
        all.retain(|carried| carried.volume.packets > 0);
        all.sort_by_key(|carried| std::cmp::Reverse((carried.volume.bytes, carried.volume.packets)));
        all
    }

    /// The protocol's name.
    pub fn protocol(&self) -> &'static str {
        self.kind.map_or("others", |kind| kind.protocol)
    }

    /// The protocol hides all that travels in it: where to capture that.
    pub fn capture_instead(&self) -> Option<&'static str> {
        capture_instead(self.protocol())
    }

    /// Its part of so many bytes: `92 %`, `under 1 %`.
    pub fn share(&self, total: u64) -> Cow<'static, str> {
        match self.percent(total) {
            0 => "under 1 %".into(),
            percent => format!("{percent} %").into(),
        }
    }

    /// Its part of so many bytes in hundredths, rounded down.
    pub fn percent(&self, total: u64) -> u64 {
        let percent = u128::from(self.volume.bytes).saturating_mul(100).checked_div(u128::from(total)).unwrap_or(0);
        u64::try_from(percent).unwrap_or(100)
    }

    /// `WireGuard (92 %, UDP port 51820)`.
    pub fn told(&self, total: u64) -> String {
        let share = self.share(total);
        let place = match self.kind {
            Some(Kind { bearer: bearer @ (Bearer::Tcp | Bearer::Udp), port: Some(port), .. }) => {
                format!(", {} port {port}", bearer.name().to_ascii_uppercase())
            }
            Some(Kind { bearer: bearer @ (Bearer::Tcp | Bearer::Udp), port: None, .. }) => {
                format!(", several {} ports", bearer.name().to_ascii_uppercase())
            }
            _ => String::new(),
        };
        let name = match self.kind {
            Some(Kind { protocol: UNKNOWN, .. }) => "a protocol that is not known",
            _ => self.protocol(),
        };
        format!("{name} ({share}{place})")
    }

    /// The same with its packets.
    pub fn told_with_packets(&self, total: u64) -> String {
        format!("{}, {}", self.told(total), counted(self.volume.packets, "packet", "packets"))
    }
}

/// The bytes of all.
pub fn total_bytes(carried: &[Carried]) -> u64 {
    carried.iter().fold(0, |sum: u64, carried| sum.saturating_add(carried.volume.bytes))
}

/// A control connection of FTP, in clear or under TLS.
fn controls_ftp(kind: &Kind) -> bool {
    let port = kind.port.and_then(Service::at).is_some_and(|(service, _)| service.name == FTP);
    kind.bearer == Bearer::Tcp && (kind.protocol == FTP || port)
}

/// A port that servers of FTP may have taken for a single transfer: it is no service of its own.
fn may_be_ftp_data(kind: &Kind) -> bool {
    let passing = kind.port.is_some_and(|port| port >= 1024 && Service::at(port).is_none());
    kind.bearer == Bearer::Tcp && passing && [UNKNOWN, "TLS"].contains(&kind.protocol)
}

/// The name of its service.
const FTP: &str = "FTP";

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(protocol: &'static str, port: Option<u16>, packets: u64, bytes: u64) -> (Kind, Volume) {
        (Kind { bearer: Bearer::Udp, protocol, port }, Volume { packets, bytes, connections: 0 })
    }

    #[test]
    fn the_most_comes_first_with_its_share() {
        let esp = (Kind { bearer: Bearer::Ip, protocol: "IPsec ESP", port: None }, Volume { packets: 1, bytes: 3, connections: 0 });
        let volumes = Volumes::from([udp("DNS", Some(53), 4, 60), udp("WireGuard", Some(51_820), 10, 900), udp(UNKNOWN, None, 2, 37), esp]);
        let all = Carried::all(&volumes);
        let total = total_bytes(&all);
        let told: Vec<String> = all.iter().map(|carried| carried.told(total)).collect();
        assert_eq!(
            told,
            [
                "WireGuard (90 %, UDP port 51820)",
                "DNS (6 %, UDP port 53)",
                "a protocol that is not known (3 %, several UDP ports)",
                "IPsec ESP (under 1 %)",
            ]
        );
        assert!(all[0].capture_instead().is_some() && all[1].capture_instead().is_none());
    }

    #[test]
    fn what_is_rare_is_summed_up() {
        let volumes: Volumes = (1..=100).map(|port| udp(UNKNOWN, Some(port), 1, u64::from(port))).collect();
        let all = Carried::all(&volumes);
        assert_eq!((all.len(), total_bytes(&all)), (limits::TRAFFIC_TOLD + 1, 5050));
        assert_eq!(all.last().map(|rest| (rest.protocol(), rest.volume.packets)), Some(("others", 76)));
    }
}
