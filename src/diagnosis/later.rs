//! What connections that show no handshake tell of one before them: that its client went on in clear, or from another port.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::aged::Aged;
use super::knowledge::Moved;
use super::openings::Openings;
use super::portals::{self, Led, Portals};
use crate::condensate::Elsewhere;
use crate::flow::{Endpoint, Side};
use crate::handshake::Handshake;
use crate::site::Site;
use crate::time::Mark;

/// What such connections told.
#[derive(Debug)]
pub(super) struct Later {
    /// When clients spoke to servers in clear though TLS was at hand, by when these connections began.
    in_clear: Aged<(Site, IpAddr, Endpoint), BTreeMap<Mark, Mark>>,
    /// Where handshakes over QUIC went on, by the identifier that their servers gave themselves.
    moves: Aged<(Site, u64), Option<Moved>>,
    /// Openings that met nobody.
    pub(super) openings: Openings,
    /// Where answers in clear led clients.
    pub(super) portals: Portals,
}

impl Default for Later {
    fn default() -> Self {
        Self { in_clear: Aged::new(MOST), moves: Aged::new(MOST), openings: Openings::default(), portals: Portals::default() }
    }
}

impl Later {
    /// Enters a connection that is not reported.
    pub(super) fn enter(&mut self, connection: &Handshake) {
        self.openings.enter(connection);
        if let Some(led) = portals::led(connection) {
            self.portals.enter(connection.flow.key.site, connection.client.address, led);
        }
        let (site, began) = (connection.flow.key.site, connection.flow.first);
        if let Some((to, quic)) = connection.quic.as_ref().and_then(|quic| Some((quic.went_on_to?, quic))) {
            let is_used = quic.shorts.client.count > 0 && quic.shorts.server.count > 0;
            let (client, server) = (connection.client, connection.server);
            *self.moves.touch(&(site, to)) = Some(Moved { client, server, since: began, is_used });
        }
        let dialogue = connection.preamble.as_ref().filter(|facts| facts.dialect.is_starttls());
        if let Some(mark) = dialogue.and_then(|facts| facts.went_on) {
            let seen = self.in_clear.touch(&visit(connection));
            seen.insert(began, mark);
            while seen.len() > PER_CLIENT {
                seen.pop_first();
            }
        }
    }

    /// Enters what is told of such a connection with a server of another shard.
    pub(super) fn be_told(&mut self, site: Site, told: &Elsewhere) {
        if let Some(host) = told.chain.as_ref().and_then(|shown| shown.name.clone()) {
            self.portals.enter(site, told.client.address, Led { host, by: told.server.address, at: None });
        }
    }

    /// The client came back soon and spoke in clear: when.
    pub(super) fn fell_back(&self, handshake: &Handshake) -> Option<Mark> {
        let first = handshake.flow.first;
        let mut later = self.in_clear.get(&visit(handshake))?.range(first..);
        later.find(|(began, _)| began.time.since(first.time) <= SOON).map(|(_, mark)| *mark)
    }

    /// Where a handshake over QUIC went on, if its client's port changed or its server answers from another address.
    pub(super) fn moved(&self, handshake: &Handshake) -> Option<Moved> {
        let quic = handshake.quic.as_ref()?;
        let named = |name: Option<u64>| self.moves.get(&(handshake.flow.key.site, name?)).copied().flatten();
        if let Some(moved) = named(quic.client_named).filter(|_| handshake.flow.side(Side::Server).packets == 0) {
            let turned = Moved { client: moved.server, server: moved.client, ..moved };
            return [moved, turned].into_iter().find(|moved| moved.client == handshake.client && moved.server != handshake.server);
        }
        let moved = named(quic.server_named)?;
        // Which end of a flow without hellos is the server is known only now.
        let turned = Moved { client: moved.server, server: moved.client, ..moved };
        [moved, turned].into_iter().find(|moved| moved.server == handshake.server && moved.client != handshake.client)
    }
}

fn visit(connection: &Handshake) -> (Site, IpAddr, Endpoint) {
    (connection.flow.key.site, connection.client.address, connection.server)
}

/// Clients of a server, and handshakes that went on elsewhere, that are remembered.
const MOST: usize = 4096;
/// Connections in clear of one client to one server, the latest.
const PER_CLIENT: usize = 48;
/// What a client does within this time has to do with what it did before.
const SOON: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connected, connection, dialogue};
    use crate::flow::Side::{Client, Server};
    use crate::handshake::facts::{Outcome, StoppedBy};

    #[test]
    fn only_what_comes_soon_after_is_a_fallback() {
        let turns = [
            (Server, &b"220 m ESMTP\r\n"[..]),
            (Client, b"EHLO x\r\n"),
            (Server, b"250-m\r\n250 STARTTLS\r\n"),
            (Client, b"MAIL FROM:<a@b>\r\n"),
        ];
        let mut clear = dialogue("192.0.2.1:25", &turns, Outcome::Closed, StoppedBy::Client);
        let began = clear.flow.first;
        clear.flow.first = Mark { frame: began.frame + 100, time: began.time.after(Duration::from_secs(5)) };
        let mut later = Later::default();
        later.enter(&clear);
        let mut failed = connection("192.0.2.1:25");
        failed.flow.first = began;
        assert!(later.fell_back(&failed).is_some());
        assert_eq!(later.fell_back(&connection("192.0.2.1:587")), None);
        failed.flow.first = Mark { frame: began.frame + 200, time: began.time.after(Duration::from_secs(6)) };
        assert_eq!(later.fell_back(&failed), None, "it was before");
        let mut early = connection("192.0.2.1:25");
        early.flow.first = at(1, -60_000);
        assert_eq!(later.fell_back(&early), None, "that is a minute later");
        assert_eq!(later.moved(&connected()), None);
    }
}
