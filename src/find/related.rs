//! Incidents that belong to the handshakes asked for.

use std::collections::BTreeSet;

use crate::report::{HandshakeReport, IncidentReport, Peer};

/// What was found, as far as incidents can be told by it. Bounded: beyond the bound, incidents are shown rather than withheld.
#[derive(Debug, Default)]
pub struct Related {
    /// Cause and server, and cause and client.
    seen: BTreeSet<(String, String)>,
    overflowed: bool,
}

impl Related {
    /// A handshake was found.
    pub fn found(&mut self, report: &HandshakeReport) {
        let Some(cause) = &report.diagnosis.cause else { return };
        if self.seen.len() >= MOST {
            self.overflowed = true;
            return;
        }
        self.seen.insert((cause.clone(), endpoint(&report.server)));
        self.seen.insert((cause.clone(), report.client.address.clone()));
    }

    /// Whether one of those found may belong to this incident.
    pub fn to(&self, incident: &IncidentReport) -> bool {
        let any = |places: &[String]| places.iter().any(|place| self.seen.contains(&(incident.cause.clone(), place.clone())));
        self.overflowed || any(if incident.scope == "client" { &incident.clients } else { &incident.servers })
    }
}

fn endpoint(peer: &Peer) -> String {
    if peer.address.contains(':') { format!("[{}]:{}", peer.address, peer.port) } else { format!("{}:{}", peer.address, peer.port) }
}

/// Causes at places.
const MOST: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_cause_and_place() {
        let mut related = Related::default();
        let mut report = HandshakeReport { server: Peer { address: "2001:db8::1".into(), port: 443 }, ..HandshakeReport::default() };
        related.found(&report);
        report.diagnosis.cause = Some("certificate-expired".into());
        related.found(&report);
        let incident = |cause: &str, server: &str| IncidentReport {
            cause: cause.into(),
            scope: "server".into(),
            servers: vec!["10.0.0.1:443".into(), server.into()],
            ..IncidentReport::default()
        };
        assert!(related.to(&incident("certificate-expired", "[2001:db8::1]:443")));
        assert!(!related.to(&incident("server-slow", "[2001:db8::1]:443")));
        assert!(!related.to(&incident("certificate-expired", "[2001:db8::2]:443")));
    }
}
