//! Services in clear whose server speaks first, and connections to them on which it did not.

use std::time::Duration;

use crate::flow::Side;
use crate::preamble::services::{Service, Use};
use crate::time::Mark;

use super::ending::over::first_end;
use super::facts::Handshake;

/// A connection that came up to a server that owed the first word, and that one side ended, or that was given up, before a word was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ungreeted {
    /// What the port is known for.
    pub service: &'static Service,
    /// When the connection was up.
    pub up: Mark,
    /// Who ended it first, and where; `None` where it was given up.
    pub ended: Option<(Side, Mark)>,
    /// How long nobody had said anything by then.
    pub waited: Duration,
    /// The greeting, which came when the client had left.
    pub late: Option<Mark>,
    /// Where the server closed as soon as it knew that the client had: its process was there, and waited for the client.
    pub closed_at_once: Option<Mark>,
}

/// What there is of this in a connection to a service that comes to TLS by a dialogue.
pub fn ungreeted(handshake: &Handshake) -> Option<Ungreeted> {
    let (service, port_use) = Service::at(handshake.server.port)?;
    let owes = service.greets && port_use == Use::Clear && service.dialect().is_some();
    let flow = &handshake.flow;
    if !owes || flow.is_udp() || !handshake.outcome.failed() || !flow.saw_start() {
        return None;
    }
    let up = flow.established()?;
    let (client, server) = (flow.side(Side::Client), flow.side(Side::Server));
    // What the server said and the capture lacks is acknowledged, or what comes from it later stands behind it.
    let unseen = server.packets == 0 || server.first_data.is_none() && (server.acked > 0 || server.lost_at_end() > 0 || server.highest > 0);
    if client.data_packets > 0 || client.highest > 0 || client.lost_at_end() > 0 || unseen {
        return None;
    }
    let ends = Side::BOTH.into_iter().filter_map(|side| first_end(handshake, flow, side));
    let ended = ends.map(|end| (end.side, end.mark)).min_by_key(|(_, mark)| *mark);
    let stop = ended.map_or(handshake.closed_at, |(_, mark)| mark);
    let waited = stop.time.since(up.time);
    // A server that ends it is no probe, nor is a client that has waited for a greeting which then comes, and is no answer to its leaving.
    let greets = server.first_data.is_some_and(|first| first.time.since(stop.time) > flow.least_rtt().unwrap_or_default() * 2 + AT_ONCE);
    let least = if greets { LATE.max(flow.least_rtt().unwrap_or_default() * 10) } else { PATIENCE };
    let probed = waited < least && ended.is_none_or(|(side, _)| side == Side::Client);
    if server.first_data.is_some_and(|first| first <= stop) || probed {
        return None;
    }
    let left = ended.filter(|(side, _)| *side == Side::Client).map(|(_, mark)| mark);
    let soon = |mark: &Mark| left.is_some_and(|left| mark.time.since(left.time) <= flow.least_rtt().unwrap_or_default() * 2 + AT_ONCE);
    let closed_at_once = server.fin.map(|(mark, _)| mark).filter(|mark| server.first_data.is_none() && soon(mark));
    Some(Ungreeted { service, up, ended, waited, late: server.first_data, closed_at_once })
}

/// Health checks and scans are gone sooner.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who stays so long for a greeting that is on its way wanted it.
const LATE: Duration = Duration::from_millis(500);
/// A process that waits for its client hears of its end and closes within this time.
const AT_ONCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connection};
    use crate::handshake::facts::{Outcome, StoppedBy};

    fn left(server: &str, millis: i64) -> Handshake {
        let mut handshake = connection(server);
        handshake.flow.sides.client.fin = Some((at(4, millis), 0));
        (handshake.outcome, handshake.stopped_by) = (Outcome::Closed, StoppedBy::Client);
        handshake
    }

    #[test]
    fn who_owes_the_first_word() {
        for (server, owes) in [
            ("192.0.2.1:3306", true),
            ("192.0.2.1:587", true),
            ("192.0.2.1:21", true),
            ("192.0.2.1:5432", false),
            ("192.0.2.1:993", false),
            ("192.0.2.1:22", false),
            ("192.0.2.1:443", false),
        ] {
            assert_eq!(ungreeted(&left(server, 4_000)).is_some(), owes, "{server}");
        }
        assert_eq!(ungreeted(&left("192.0.2.1:3306", 900)), None, "a probe");
        let greeted = |left_at: i64, at_ms: i64| {
            let mut late = left("192.0.2.1:3306", left_at);
            late.flow.sides.server.first_data = Some(at(6, at_ms));
            ungreeted(&late).is_some()
        };
        assert!(
            greeted(900, 1_300) && !greeted(900, 930) && !greeted(90, 490),
            "the greeting was late, or it is a farewell, or nobody waited"
        );
        let mut closed = left("192.0.2.1:3306", 900);
        closed.flow.sides.server.fin = Some((at(3, 300), 0));
        assert!(ungreeted(&closed).is_some(), "the server ended it");
    }

    #[test]
    fn what_is_not_in_the_capture_may_have_been_said() {
        let mut handshake = left("192.0.2.1:3306", 4_000);
        handshake.flow.sides.server.acked = 108;
        assert_eq!(ungreeted(&handshake), None);
        let mut handshake = left("192.0.2.1:3306", 4_000);
        handshake.flow.sides.server.first_data = Some(at(4, 3_000));
        assert_eq!(ungreeted(&handshake), None, "it greeted in time");
    }

    #[test]
    fn who_closes_at_once_was_awake() {
        let closed = |millis: i64| {
            let mut handshake = left("192.0.2.1:3306", 4_000);
            handshake.flow.sides.server.fin = Some((at(5, millis), 0));
            ungreeted(&handshake).unwrap().closed_at_once.is_some()
        };
        assert!(closed(4_020) && !closed(9_000));
    }
}
