//! What became of a handshake between two points, and the verdict that only both together allow.

use super::joined::{Joined, JoinedBy, Joint, Place, half};
use super::point::Point;
use super::relayed::{relayed, renumbered, translated};
use super::transit::{Transit, follow};
use super::vantage::{Passing, Vantage};
use super::words::bytes;
use crate::flow::{PerSide, Side};
use crate::report::{Cause, Confidence, Family, Finding, Handshake, StoppedBy};
use crate::wording::counted;

mod cleared;
mod dropped;
mod events;
mod forged;
mod headers;
mod translated;

/// Compares what two points saw.
pub fn judge(client: &Point<'_>, server: &Point<'_>, joined_by: JoinedBy) -> Joined {
    let (at_client, at_server) = (client.view.in_pieces(server.view), server.view.in_pieces(client.view));
    let client = &Point { report: client.report, view: &at_client };
    let server = &Point { report: server.report, view: &at_server };
    let completed = client.completed() || server.completed();
    let mut up = follow(Side::Client, client.view, server.view, completed);
    let mut down = follow(Side::Server, server.view, client.view, completed);
    let gaps = [(client, &up, &down), (server, &down, &up)];
    let [client_lacks, server_lacks] = gaps.map(|(point, sent, got)| sent.unseen > 0 || !got.missed.is_empty() || point.has_gaps());
    if client_lacks {
        up.doubt(server.view, Side::Client);
    }
    if server_lacks {
        down.doubt(client.view, Side::Server);
    }
    let path = Comparison { client, server, up: &up, down: &down, lacks: PerSide { client: client_lacks, server: server_lacks } };
    if joined_by == JoinedBy::Random && path.relayed() {
        return relayed(client.report, server.report);
    }
    let mut between = path.events();
    let seen_through = [translated(client, server, joined_by), renumbered(client, server, joined_by)];
    between.splice(0..0, seen_through.into_iter().flatten());
    let round_trip = path.round_trip_ns();
    let mut verdict = path.verdict(between.is_empty());
    if path.exchanged() {
        verdict.confidence = verdict.confidence.min(Confidence::Likely);
        verdict.summary.push_str(" But the TTLs fall the other way: the file that was given as the client's was captured nearer to the server, so give the two in the other order.");
    }
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
    /// The capture of this end lacks packets that went past it.
    lacks: PerSide<bool>,
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
        let first = |view: &'a Vantage, isn: u32| {
            let begins =
                |packet: &&Passing| packet.from == Side::Client && packet.len > 0 && packet.seq == isn.wrapping_add(1) && !packet.damaged;
            view.packets.iter().find(begins).map(|packet| &packet.payload)
        };
        let begins_otherwise = isns.is_some_and(|(at_client, at_server)| {
            let begins = first(self.client.view, at_client).zip(first(self.server.view, at_server));
            at_client != at_server && begins.is_some_and(|(sent, got)| sent.iter().zip(got.iter()).any(|(sent, got)| sent != got))
        });
        preamble(self.client) != preamble(self.server) || begins_otherwise
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
        if let Some((side, packets)) = self.picked_out() {
            return self.filtered(side, packets);
        }
        if let Some(finding) = self.intercepted() {
            return finding.into();
        }
        let undecided = |point: &Point<'_>| point.cause().is_none_or(|cause| cause.family() == Family::Capture);
        // Both saw the same packets, and one of them in an order that it could not read.
        let same = Side::BOTH.into_iter().all(|from| self.transit(from).is_untouched());
        if same && (self.client.completed() || self.server.completed()) {
            return self.completed(untouched);
        }
        if self.client.completed() && (self.server.completed() || undecided(self.server))
            || self.server.completed() && undecided(self.client)
        {
            return self.completed(untouched);
        }
        let finding = self.moved().or_else(|| self.forged()).or_else(|| self.altered()).or_else(|| self.rewritten());
        let finding = finding.or_else(|| self.damaged()).or_else(|| self.dropped()).or_else(|| self.too_late());
        finding.map_or_else(|| self.cut_short().unwrap_or_else(|| self.not_the_path()), Joint::from)
    }

    /// A capture that was filtered by flags shows nothing of what became of the rest.
    fn filtered(&self, side: Side, packets: usize) -> Joint {
        let (other, report) = match side {
            Side::Server => (Side::Client, self.client.report),
            Side::Client => (Side::Server, self.server.report),
        };
        let said = report.map(|report| format!(" As seen by the {other}: {}", report.summary())).unwrap_or_default();
        Joint {
            cause: report.and_then(|report| report.diagnosis.cause),
            place: Place::Nowhere,
            confidence: report.and_then(|report| report.diagnosis.confidence).unwrap_or(Confidence::Strong),
            summary: format!(
                "The {side}'s capture holds of this connection only {} with SYN, FIN or RST: it was filtered by these flags, and the two cannot be compared.{said}",
                counted(packets, "packet", "packets")
            ),
        }
    }

    /// One point's capture ended, or lacks what came, before the other's shows what the path did.
    fn cut_short(&self) -> Option<Joint> {
        let sides = [(self.client, self.server, Side::Client), (self.server, self.client, Side::Server)];
        sides.into_iter().find_map(|(knows, other, side)| {
            let lacks = other.cause().is_some_and(|cause| cause.family() == Family::Capture);
            let (cause, confidence) = knows.blames_path().filter(|(cause, _)| lacks && cause.family() != Family::Capture)?;
            let from_other = self.transit(side.other()).least_delay_ns.unwrap_or_default();
            let last = knows.view.packets.last()?.mark.time.nanos().saturating_sub(from_other);
            (last > other.view.until.nanos()).then(|| Joint {
                cause: Some(cause),
                place: Place::Path,
                confidence: confidence.min(Confidence::Likely),
                summary: format!(
                    "The {}'s capture ends before what the {side}'s shows; until then everything arrived. As seen by the {side}: {}",
                    side.other(),
                    knows.report.map(Handshake::summary).unwrap_or_default()
                ),
            })
        })
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
        // Nobody waits for a RST, or for a FIN alone.
        let counts = |packet: &Passing| packet.len > 0 || packet.flags.syn();
        let lost = |from: Side| {
            let transit = self.transit(from);
            let lost = [self.sent(from, &transit.lost_copies), self.sent(from, &transit.lost)];
            lost.iter().flatten().filter(|packet| counts(packet)).count()
        };
        // Who receives what was damaged drops it.
        let damaged = |from: Side| self.spoiled(from).iter().filter(|(sent, _)| counts(sent)).count();
        let [(lost_up, damaged_up), (lost_down, damaged_down)] = Side::BOTH.map(|from| (lost(from), damaged(from)));
        let (up, down) = (lost_up.saturating_add(damaged_up), lost_down.saturating_add(damaged_down));
        let damaged = damaged_up.saturating_add(damaged_down);
        let fate = match up.saturating_add(down) {
            _ if damaged == 0 => "were lost",
            all if all == damaged => "were damaged",
            _ => "were lost or damaged",
        };
        // What was sent once, and what nobody asked for again, may as well be missing in the capture.
        let again = damaged > 0 || Side::BOTH.into_iter().any(|from| !self.transit(from).lost_copies.is_empty());
        let confidence = if again { Confidence::Certain } else { Confidence::Likely };
        // What comes when all has been said harms nobody.
        let in_use = |from: Side, packet: &Passing| {
            let (_, receiver) = self.ends(from);
            receiver.packets.iter().any(|later| later.mark.frame > packet.mark.frame && later.len > 0)
        };
        let resets = |from: Side| self.injected(from).into_iter().filter(|packet| packet.flags.rst() && in_use(from, packet)).count();
        let resets = resets(Side::Client).saturating_add(resets(Side::Server));
        match (up, down, resets) {
            (0, 0, 0) => self.completed_unharmed(untouched),
            (_, _, 1..) => {
                let summary =
                    "The handshake completed, although a device between the two captures tried to reset it: neither end sent the RST.";
                on_path(Cause::ResetInjected, self.most(), summary).into()
            }
            (_, _, 0) => {
                let summary = format!(
                    "The handshake completed, although packets {fate} between the two captures: {up} from the client, {down} from the server."
                );
                on_path(Cause::PacketLoss, confidence, summary).into()
            }
        }
    }

    fn completed_unharmed(&self, untouched: bool) -> Joint {
        let lacking = [(self.client, Side::Client), (self.server, Side::Server)];
        let lacking = lacking.into_iter().find(|(point, _)| !point.completed() && point.report.is_some());
        if let Some((point, side)) = lacking {
            let why = point.cause().map(|cause| format!(" ({cause})")).unwrap_or_default();
            return Joint {
                cause: None,
                place: Place::Nowhere,
                confidence: Confidence::Strong,
                summary: format!(
                    "The handshake completed, as the {}'s capture shows; the {side}'s holds too little of it to tell{why}.",
                    side.other()
                ),
            };
        }
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

    /// One point saw no packet of it.
    fn unseen(&self) -> Joint {
        let Some((report, _)) = self.nearest() else { return nothing_known() };
        let (here, there) = if self.server.saw_nothing() { (Side::Client, Side::Server) } else { (Side::Server, Side::Client) };
        let answered = self.answered();
        if here == Side::Client
            && !answered
            && self.server.view.listening
            && let Some(finding) = self.dropped()
        {
            // Another way to the server may pass that capture by.
            let confidence = finding.confidence.min(Confidence::Strong);
            let refused = self.client.view.packets.iter().any(|packet| packet.from == Side::Server);
            let finding = if refused { on_path(Cause::FirewallReject, confidence, REJECTED) } else { finding };
            return Joint { confidence, ..finding.into() };
        }
        let why = if answered {
            "it took another path, came there in other packets (a proxy), or that capture was not running"
        } else {
            "it took another path, was dropped before that point, or that capture was not running"
        };
        Joint {
            cause: report.diagnosis.cause,
            place: Place::Nowhere,
            confidence: report.diagnosis.confidence.unwrap_or(Confidence::Hint),
            summary: format!("The {there}'s capture has no packet of this connection: {why}. As seen by the {here}: {}", report.summary()),
        }
    }

    /// The one point that saw packets saw some of both sides: what the other one lacks went past it, and nothing follows from that.
    fn answered(&self) -> bool {
        let (here, there) = if self.server.saw_nothing() { (self.client, Side::Server) } else { (self.server, Side::Client) };
        here.view.packets.iter().any(|packet| packet.from == there && !packet.flags.rst())
    }
}

/// Said of a RST that came back for a SYN that never arrived.
const REJECTED: &str = "The client's SYN never arrived on the server's side, and yet a RST that claims to come from the server came back: a device between the two captures rejects it.";

fn nothing_known() -> Joint {
    Finding::new(Cause::CaptureGaps, Confidence::Hint, "Neither capture has enough of this connection.").into()
}

/// Something between the two points is the cause.
fn on_path(cause: Cause, confidence: Confidence, summary: impl Into<String>) -> Finding {
    Finding::new(cause, confidence, summary).stopped_by(StoppedBy::Network)
}
