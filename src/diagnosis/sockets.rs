//! Who begins from one UDP port what no program begins: a scanner sends the same hello to port after port, and probes of unlike protocols.

use std::time::Duration;

use smallvec::SmallVec;

use super::aged::Aged;
use crate::flow::Endpoint;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::site::Site;
use crate::time::Timestamp;

/// What was begun from clients' UDP ports lately.
#[derive(Debug)]
pub(super) struct Sockets(Aged<(Site, Endpoint), Socket>);

#[derive(Debug, Default)]
struct Socket {
    /// Its first handshakes.
    begun: SmallVec<[Begun; 1]>,
    /// One of them completed.
    served: bool,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    server: Endpoint,
    start: Timestamp,
    /// Stands for the random of its ClientHello.
    random: Option<u64>,
    /// It is OpenVPN's, which shares its port with nothing else.
    openvpn: bool,
}

impl Default for Sockets {
    fn default() -> Self {
        Self(Aged::new(MOST))
    }
}

impl Sockets {
    /// Enters a handshake over UDP.
    pub(super) fn enter(&mut self, handshake: &Handshake) {
        if !handshake.flow.is_udp() {
            return;
        }
        let socket = self.0.touch(&socket(handshake));
        socket.served |= handshake.outcome == Outcome::Completed;
        if socket.begun.len() < PER_SOCKET {
            socket.begun.push(Begun::of(handshake));
        }
    }

    /// This failed handshake is a scanner's: from its port, at that time, the very same hello went to another endpoint as well, or OpenVPN and another
    /// protocol were begun, and nothing came of anything.
    pub(super) fn scans(&self, handshake: &Handshake) -> bool {
        if !handshake.flow.is_udp() || !handshake.outcome.failed() {
            return false;
        }
        let Some(socket) = self.0.get(&socket(handshake)).filter(|socket| !socket.served) else { return false };
        let own = Begun::of(handshake);
        socket.begun.iter().any(|other| {
            let near = own.start.apart(other.start) <= APART;
            let same_hello = own.server != other.server && own.random.is_some() && own.random == other.random;
            near && (same_hello || own.openvpn != other.openvpn)
        })
    }
}

impl Begun {
    fn of(handshake: &Handshake) -> Self {
        let random = handshake.hello().and_then(|hello| hello.random().last_chunk::<8>().copied());
        let openvpn = handshake.carried.as_ref().is_some_and(|carried| carried.openvpn().is_some());
        Self { server: handshake.server, start: handshake.flow.first.time, random: random.map(u64::from_be_bytes), openvpn }
    }
}

fn socket(handshake: &Handshake) -> (Site, Endpoint) {
    (handshake.flow.key.site, handshake.client)
}

/// Ports remembered, and handshakes of one.
const MOST: usize = 4096;
const PER_SOCKET: usize = 8;
/// Probes further apart than this belong to another scan.
const APART: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::over_udp;
    use crate::handshake::facts::Protocol;

    fn refused(port: u16) -> Handshake {
        let mut handshake = over_udp(Protocol::Dtls);
        handshake.server.port = port;
        handshake.outcome = Outcome::Refused;
        handshake
    }

    #[test]
    fn one_hello_at_two_ports_is_a_scanners() {
        let mut sockets = Sockets::default();
        let (one, other) = (refused(853), refused(4433));
        assert!(one.hello().is_some(), "the scene has a hello");
        sockets.enter(&one);
        assert!(!sockets.scans(&one), "nobody scans with one hello");
        sockets.enter(&other);
        assert!(sockets.scans(&one) && sockets.scans(&other));
        let mut elsewhere = refused(853);
        elsewhere.client.port += 1;
        assert!(!sockets.scans(&elsewhere), "from another port");
        sockets.enter(&Handshake { outcome: Outcome::Completed, ..refused(443) });
        assert!(!sockets.scans(&one), "a client that is served is no scanner");
    }

    #[test]
    fn a_port_that_reaches_many_with_hellos_of_their_own_is_a_clients() {
        let mut sockets = Sockets::default();
        let mut later = refused(853);
        later.client_hellos.clear();
        let one = refused(4433);
        sockets.enter(&one);
        sockets.enter(&later);
        assert!(!sockets.scans(&one) && !sockets.scans(&later));
    }
}
