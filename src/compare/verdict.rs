//! What became of a handshake between two points, and the verdict that only both together allow.

use super::joined::{Joined, JoinedBy, Joint, Place, half};
use super::point::Point;
use super::relayed::{relayed, translated};
use super::vantage::{Passing, Transit, Vantage, follow};
use super::words::bytes;
use crate::flow::Side;
use crate::report::{Cause, Confidence, Family, Finding, Handshake, Protocol, StoppedBy};
use crate::wording::counted;

mod dropped;
mod events;
mod forged;

/// Compares what two points saw.
pub fn judge(client: &Point<'_>, server: &Point<'_>, joined_by: JoinedBy) -> Joined {
    let up = follow(Side::Client, client.view, server.view);
    let down = follow(Side::Server, server.view, client.view);
    let path = Comparison { client, server, up: &up, down: &down };
    if joined_by == JoinedBy::Random && path.relayed() {
        return relayed(client.report, server.report);
    }
    let mut between = path.events();
    if let Some(event) = translated(client, server, joined_by) {
        between.insert(0, event);
    }
    let round_trip = path.round_trip_ns();
    let verdict = path.verdict(between.is_empty());
    Joined {
        schema: "handshark-match/1",
        joined_by,
        client: client.report.map(half),
        server: server.report.map(half),
        between,
        hops: path.hops(),
        round_trip_us: round_trip.and_then(|nanos| u64::try_from(nanos).ok()).map(|nanos| nanos / 1000),
        verdict,
    }
}

/// The way between the two points, and what became of the packets on it.
struct Comparison<'a> {
    client: &'a Point<'a>,
    server: &'a Point<'a>,
    /// From the client to the server.
    up: &'a Transit,
    /// From the server to the client.
    down: &'a Transit,
}

impl<'a> Comparison<'a> {
    fn transit(&self, from: Side) -> &'a Transit {
        if from == Side::Client { self.up } else { self.down }
    }

    /// The views of who sends and who receives.
    fn ends(&self, from: Side) -> (&'a Vantage, &'a Vantage) {
        if from == Side::Client { (self.client.view, self.server.view) } else { (self.server.view, self.client.view) }
    }

    fn sent(&self, from: Side, places: &[usize]) -> Vec<&'a Passing> {
        let (sender, _) = self.ends(from);
        places.iter().filter_map(|place| sender.packets.get(*place)).collect()
    }

    fn injected(&self, from: Side) -> Vec<&'a Passing> {
        let (_, receiver) = self.ends(from);
        self.transit(from).injected.iter().filter_map(|place| receiver.packets.get(*place)).collect()
    }

    /// The TCP connections at the two points are not the same one.
    fn relayed(&self) -> bool {
        let preamble = |point: &Point<'_>| point.report.and_then(|report| report.handshake.preamble);
        let isns = self.client.view.isn(Side::Client).zip(self.server.view.isn(Side::Client));
        let other_isn = isns.is_some_and(|(at_client, at_server)| at_client != at_server);
        let from_the_start = self.up.altered.is_some_and(|(first, _)| first == 0);
        preamble(self.client) != preamble(self.server) || other_isn && from_the_start
    }

    /// Time for the way there and back between the points; whatever the clocks are set to, it cancels out.
    fn round_trip_ns(&self) -> Option<i64> {
        self.up.least_delay_ns.zip(self.down.least_delay_ns).map(|(up, down)| up.saturating_add(down))
    }

    fn hops(&self) -> Option<u8> {
        let (from, to) = self.up.arrived.first()?;
        let (sent, got) = (self.client.view.packets.get(*from)?, self.server.view.packets.get(*to)?);
        sent.ttl.checked_sub(got.ttl)
    }

    /// `untouched`: nothing happened to it between the points.
    fn verdict(&self, untouched: bool) -> Joint {
        if self.client.saw_nothing() || self.server.saw_nothing() {
            return self.unseen();
        }
        if let Some(finding) = self.intercepted() {
            return finding.into();
        }
        if self.client.completed() && (self.server.completed() || self.server.report.is_none()) {
            return self.completed(untouched);
        }
        let finding = self.forged().or_else(|| self.altered()).or_else(|| self.dropped());
        finding.map_or_else(|| self.not_the_path(), Joint::from)
    }

    /// The ClientHello that arrived is not the one that was sent.
    fn intercepted(&self) -> Option<Finding> {
        let random = |point: &Point<'a>| Some(&point.report?.tls.as_ref()?.client.as_ref()?.random).filter(|random| !random.is_empty());
        if random(self.client)? == random(self.server)? {
            return None;
        }
        let leaf = |point: &Point<'a>| point.report?.server_certificates().first();
        let certificates = match (leaf(self.client), leaf(self.server)) {
            (Some(given), Some(own)) if given.sha256 != own.sha256 => {
                format!(" The server sent a certificate issued by {}; the client received one issued by {}.", own.issuer, given.issuer)
            }
            _ => String::new(),
        };
        let summary = format!(
            "The ClientHello that reached the server is not the one the client sent: a device between the two captures terminates the client's TLS and opens its own connection.{certificates}"
        );
        Some(on_path(Cause::TlsInterception, Confidence::Certain, summary))
    }

    fn completed(&self, untouched: bool) -> Joint {
        let lost = |from: Side| self.transit(from).lost_copies.len().saturating_add(self.transit(from).lost.len());
        let resets = Side::BOTH.into_iter().flat_map(|from| self.injected(from)).filter(|packet| packet.flags.rst()).count();
        match (lost(Side::Client), lost(Side::Server), resets) {
            (0, 0, 0) => self.completed_unharmed(untouched),
            (_, _, 1..) => {
                let summary =
                    "The handshake completed, although a device between the two captures tried to reset it: neither end sent the RST.";
                on_path(Cause::ResetInjected, Confidence::Certain, summary).into()
            }
            (up, down, 0) => {
                let summary = format!(
                    "The handshake completed, although packets were lost between the two captures: {up} from the client, {down} from the server."
                );
                on_path(Cause::PacketLoss, Confidence::Certain, summary).into()
            }
        }
    }

    fn completed_unharmed(&self, untouched: bool) -> Joint {
        let noticed = self.client.cause();
        Joint {
            // What looked like loss at one point was none.
            cause: noticed.filter(|cause| *cause != Cause::PacketLoss),
            place: Place::Nowhere,
            confidence: noticed.and_then(|_| self.client.confidence()).unwrap_or(Confidence::Certain),
            summary: match noticed {
                None if !untouched => "The handshake completed; what happened between the two captures did it no harm.".to_owned(),
                None => "The handshake completed, and nothing was lost, altered or injected between the two captures.".to_owned(),
                Some(cause) => {
                    format!(
                        "The handshake completed. The problem found ({cause}) did not arise between the two captures: nothing was lost there."
                    )
                }
            },
        }
    }

    /// What one end sent arrived otherwise.
    fn altered(&self) -> Option<Finding> {
        let altered = |from: Side| self.transit(from).altered.map(|altered| (from, altered));
        let (from, (first, count)) = altered(Side::Server).or_else(|| altered(Side::Client))?;
        let is_tls = matches!(self.transit(from).sent.head(), [0x14..=0x17, 0x03, ..]);
        let cause = if is_tls { Cause::RecordCorrupted } else { Cause::StarttlsNotOffered };
        let summary = format!(
            "A device between the two captures altered what the {from} sent, {} from byte {first} on: {}.",
            bytes(count),
            self.change(from)
        );
        Some(on_path(cause, Confidence::Certain, summary))
    }

    /// The report to believe where the path is not to blame, and whose doing it then is.
    fn nearest(&self) -> Option<(&'a Handshake<'a>, Place)> {
        match (self.client.report, self.server.report) {
            (Some(client), Some(server)) => Some(nearest(client, server)),
            // What never reached the server's end, or began there, is nobody's until more is known.
            (Some(report), None) | (None, Some(report)) => Some((report, Place::Nowhere)),
            (None, None) => None,
        }
    }

    /// One point saw no packet of it.
    fn unseen(&self) -> Joint {
        let Some((report, _)) = self.nearest() else { return nothing_known() };
        let (here, there) = if self.server.saw_nothing() { (Side::Client, Side::Server) } else { (Side::Server, Side::Client) };
        Joint {
            cause: report.diagnosis.cause,
            place: Place::Nowhere,
            confidence: report.diagnosis.confidence.unwrap_or(Confidence::Hint),
            summary: format!(
                "The {there}'s capture has no packet of this connection: it took another path, was dropped before that point, or that capture was not running. As seen by the {here}: {}",
                report.summary()
            ),
        }
    }

    /// The path did nothing: whoever ended it did so of its own accord.
    fn not_the_path(&self) -> Joint {
        let Some((report, place)) = self.nearest() else { return nothing_known() };
        let missed = self.up.missed.len().saturating_add(self.down.missed.len());
        let gaps = if missed > 0 {
            format!(" Not captured at one of the points, but not lost either: {}.", counted(missed, "packet", "packets"))
        } else {
            String::new()
        };
        let said = report.diagnosis.cause;
        let cause = said.map(|cause| if report.diagnosis.stopped_by == StoppedBy::Network { self.cleared(cause, report) } else { cause });
        // What the two together do not show themselves is as sure as it was.
        let slow = self.round_trip_ns().and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos >= SLOW_NS);
        let path = slow.map_or_else(
            || "so the path is not to blame".to_owned(),
            |nanos| {
                let tenths = nanos / 100_000_000;
                format!(
                    "but the way between the two points takes {}.{} s there and back: who waits no longer than that gives up",
                    tenths / 10,
                    tenths % 10
                )
            },
        );
        let own = report.diagnosis.confidence.filter(|_| missed == 0 && cause == said);
        Joint {
            cause,
            place: match (said, slow) {
                (None, _) => Place::Nowhere,
                (Some(cause), Some(_)) if cause.family() == Family::Silence => Place::Path,
                _ => place,
            },
            confidence: own.unwrap_or(Confidence::Strong),
            summary: format!("Everything that either end sent arrived unchanged, {path}.{gaps} {}", report.summary()),
        }
    }

    /// What a cause is that one point suspected of the path, now that the other point clears the path of it.
    fn cleared(&self, cause: Cause, report: &Handshake<'_>) -> Cause {
        let heard_client = self.server.view.packets.iter().any(|packet| packet.from == Side::Client && packet.len > 0);
        let silence = matches!(cause, Cause::QuicServerSilent | Cause::DtlsNoAnswer);
        if cause.family() == Family::Capture || !heard_client || silence {
            cause
        } else if report.network.protocol == Protocol::Quic {
            Cause::QuicServerSilent
        } else {
            Cause::ServerSilent
        }
    }
}

/// A way there and back that takes longer than any that is in order, a satellite's two hops included, in nanoseconds.
const SLOW_NS: u64 = 1_500_000_000;

/// An end knows best why it stopped.
fn nearest<'a>(client: &'a Handshake<'a>, server: &'a Handshake<'a>) -> (&'a Handshake<'a>, Place) {
    if client.diagnosis.stopped_by == StoppedBy::Client {
        (client, Place::Client)
    } else if client.diagnosis.stopped_by == StoppedBy::Server {
        (server, Place::Server)
    } else {
        match server.diagnosis.cause {
            Some(cause) if is_clients_doing(cause) => (server, Place::Client),
            Some(_) => (server, Place::Server),
            None => (client, Place::Client),
        }
    }
}

/// The client did, or did not do, what the cause is about.
fn is_clients_doing(cause: Cause) -> bool {
    use Cause as C;
    cause.family() == Family::ClientAuth
        || matches!(cause, C::ClientSpeaksPlaintext | C::ClientSilent | C::ClientStalled | C::ClientTimeout | C::ClientAborted)
        || matches!(cause, C::ClientSlow | C::ClientVersionTooOld | C::ClientProtocolViolation)
}

fn nothing_known() -> Joint {
    Finding::new(Cause::CaptureGaps, Confidence::Hint, "Neither capture has enough of this connection.").into()
}

/// Something between the two points is the cause.
fn on_path(cause: Cause, confidence: Confidence, summary: impl Into<String>) -> Finding {
    Finding::new(cause, confidence, summary).stopped_by(StoppedBy::Network)
}
