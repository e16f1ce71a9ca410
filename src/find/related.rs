//! Incidents that belong to the handshakes asked for.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::flow::Endpoint;
use crate::report::{Cause, Handshake, Incident, Scope};

/// What was found, as far as incidents can be told by it. Bounded: beyond the bound, incidents are shown rather than withheld.
#[derive(Debug, Default)]
pub struct Related {
    servers: BTreeSet<(Cause, Endpoint)>,
    clients: BTreeSet<(Cause, IpAddr)>,
    overflowed: bool,
}

impl Related {
    /// A handshake was found.
    pub fn found(&mut self, report: &Handshake<'_>) {
        let Some(cause) = report.diagnosis.cause else { return };
        if self.servers.len().max(self.clients.len()) >= MOST {
            self.overflowed = true;
            return;
        }
        self.servers.insert((cause, report.server));
        self.clients.insert((cause, report.client.address));
    }

    /// Whether one of those found may belong to this incident.
    pub fn to(&self, incident: &Incident) -> bool {
        self.overflowed
            || match incident.scope {
                Scope::Client => incident.clients.iter().any(|client| self.clients.contains(&(incident.cause, *client))),
                Scope::Server => incident.servers.iter().any(|server| self.servers.contains(&(incident.cause, *server))),
            }
    }
}

/// Causes at places, of servers and of clients.
const MOST: usize = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn by_cause_and_place() {
        let endpoint = samples::endpoint;
        let mut related = Related::default();
        let mut report = samples::completed();
        report.server = endpoint("[2001:db8::1]:443");
        related.found(&report);
        report.diagnosis.cause = Some(Cause::CertificateExpired);
        related.found(&report);
        let incident = |cause, server| Incident { cause, servers: vec![endpoint("10.0.0.1:443"), endpoint(server)], ..samples::incident() };
        assert!(related.to(&incident(Cause::CertificateExpired, "[2001:db8::1]:443")));
        assert!(!related.to(&incident(Cause::ServerSlow, "[2001:db8::1]:443")));
        assert!(!related.to(&incident(Cause::CertificateExpired, "[2001:db8::2]:443")));
    }
}
