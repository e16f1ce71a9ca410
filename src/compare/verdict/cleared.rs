//! Who stopped, where all that was sent arrived: what one point alone suspected of the path does not hold then.

use super::{Comparison, nothing_known};
use crate::compare::joined::{Joint, Place};
use crate::compare::vantage::Passing;
use crate::compare::words::name;
use crate::flow::{Side, Transport};
use crate::report::{Cause, Confidence, Family, Handshake, StoppedBy};
use crate::wording::{counted, times};

/// What the packets say of who stopped.
struct Stopped {
    cause: Cause,
    place: Place,
    confidence: Confidence,
    /// Goes on after "the path is not to blame".
    told: String,
}

impl<'a> Comparison<'a> {
    /// The report to believe where the path is not to blame, and whose doing it then is.
    pub(super) fn nearest(&self) -> Option<(&'a Handshake<'a>, Place)> {
        match (self.client.report, self.server.report) {
            (Some(client), Some(server)) => Some(nearest(client, server)),
            // What never reached the server's end, or began there, is nobody's until more is known.
            (Some(report), None) | (None, Some(report)) => Some((report, Place::Nowhere)),
            (None, None) => None,
        }
    }

    /// The path did nothing: whoever ended it did so of its own accord.
    pub(super) fn not_the_path(&self) -> Joint {
        let Some((report, place)) = self.nearest() else { return nothing_known() };
        let missed = self.up.missed.len().saturating_add(self.down.missed.len());
        let gaps = if missed > 0 {
            format!(" Not captured at one of the points, but not lost either: {}.", counted(missed, "packet", "packets"))
        } else {
            String::new()
        };
        let said = report.diagnosis.cause;
        let place = if said.is_some_and(|cause| cause.family() == Family::Capture) { Place::Nowhere } else { place };
        // What the two together do not show themselves is as sure as it was.
        let own = report.diagnosis.confidence.filter(|_| missed == 0);
        let arrived = if self.has_other_headers() {
            "Everything that either end sent arrived, with other TCP headers than it was sent with"
        } else {
            "Everything that either end sent arrived unchanged"
        };
        let cleared = if self.has_other_headers() { ", and nothing shows that this mattered" } else { ", so the path is not to blame" };
        if let Some(nanos) = self.round_trip_ns().and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos >= SLOW_NS) {
            let tenths = nanos / 100_000_000;
            let waits = said.is_some_and(|cause| cause.family() == Family::Silence);
            return Joint {
                cause: said,
                place: if said.is_none() {
                    Place::Nowhere
                } else if waits {
                    Place::Path
                } else {
                    place
                },
                confidence: own.unwrap_or(Confidence::Strong),
                summary: format!(
                    "{arrived}, but the way between the two points takes {}.{} s there and back: who waits no longer than that gives up.{gaps} {}",
                    tenths / 10,
                    tenths % 10,
                    report.summary()
                ),
            };
        }
        if suspects_path(report)
            && let Some(stopped) = self.stopped()
        {
            return Joint {
                cause: Some(stopped.cause),
                place: stopped.place,
                confidence: if missed == 0 { stopped.confidence } else { stopped.confidence.min(Confidence::Likely) },
                summary: format!("{arrived}{cleared}: {}{gaps}", stopped.told),
            };
        }
        Joint {
            cause: said,
            place: if said.is_none() { Place::Nowhere } else { place },
            confidence: own.unwrap_or(Confidence::Strong),
            summary: format!("{arrived}{cleared}.{gaps} {}", report.summary()),
        }
    }

    /// Who stopped, as the packets tell.
    fn stopped(&self) -> Option<Stopped> {
        if self.client.view.transport == Transport::Udp {
            return self.silent_datagrams();
        }
        let ignored = self.ignored(Side::Client).or_else(|| self.ignored(Side::Server));
        ignored.or_else(|| self.reset()).or_else(|| self.silent())
    }

    /// One end's host acknowledges nothing of what arrived at it.
    fn ignored(&self, from: Side) -> Option<Stopped> {
        let (to, (sender, receiver)) = (from.other(), self.ends(from));
        let arrived = |is: &dyn Fn(&Passing) -> bool| {
            let packets = self.transit(from).arrived.iter().filter_map(|(_, place)| receiver.packets.get(*place));
            packets.filter(|packet| is(packet)).collect::<Vec<&Passing>>()
        };
        let opening = arrived(&|packet| packet.flags.syn());
        let data = arrived(&|packet| packet.len > 0 && !packet.flags.syn());
        let (first, copies) = data.first().map_or_else(
            || (opening.first(), opening.len()),
            |first| (Some(first), data.iter().filter(|other| other.seq == first.seq).count()),
        );
        let first = *first?;
        // What comes before the second copy answers the first; what comes later may be a farewell.
        let again = data.iter().chain(&opening).filter(|other| other.seq == first.seq).nth(1).map(|second| second.mark.frame);
        let reacts = |packet: &Passing| {
            let answers = packet.flags.ack() && packet.ack.wrapping_sub(first.seq).wrapping_sub(1) < HALF;
            let refuses = packet.flags.rst() && again.is_none_or(|again| packet.mark.frame < again);
            packet.from == to && (answers && !packet.flags.rst() || refuses || first.flags.syn() && packet.len > 0)
        };
        // A packet that was sent once may have come at the very end.
        if copies < 2 || receiver.packets.iter().any(reacts) {
            return None;
        }
        let hello = self.transit(Side::Client).received.head().first() == Some(&0x16);
        let cause = match (from, first.flags.syn()) {
            (Side::Client, true) => Cause::TcpSynUnanswered,
            (Side::Server, true) => Cause::TcpHandshakeIncomplete,
            (Side::Client, false) if hello => Cause::ClientHelloDropped,
            (Side::Client, false) => Cause::OneWayPath,
            (Side::Server, false) => Cause::ServerFlightDropped,
        };
        let gone = if to == Side::Client { ", or the client no longer has that address" } else { "" };
        let told = format!(
            "{} arrived at the {to}'s capture {}, and the {to} acknowledged none of it. It is dropped behind that capture, by the {to}'s own packet filter or security software or on the last stretch to it{gone}.",
            name(first, sender, from),
            times(copies)
        );
        Some(Stopped { cause, place: place(to), confidence: Confidence::Strong, told })
    }

    /// An end reset the connection itself.
    fn reset(&self) -> Option<Stopped> {
        let sent = |from: Side| {
            let (sender, _) = self.ends(from);
            self.transit(from).arrived.iter().filter_map(|(place, _)| sender.packets.get(*place)).find(|packet| packet.flags.rst())
        };
        let (from, packet) = match (sent(Side::Server), sent(Side::Client)) {
            (Some(server), _) => (Side::Server, server),
            (None, Some(client)) => (Side::Client, client),
            (None, None) => return None,
        };
        let spoke = self.spoke(Side::Server);
        let cause = match (from, spoke) {
            (Side::Client, _) => Cause::ClientAborted,
            (Side::Server, true) => Cause::ServerAborted,
            (Side::Server, false) if self.spoke(Side::Client) => Cause::ServerReset,
            (Side::Server, false) => Cause::TcpRefused,
        };
        let told = format!("the {from} itself sent the RST (frame {} of its capture).", packet.mark.frame);
        Some(Stopped { cause, place: place(from), confidence: Confidence::Strong, told })
    }

    /// Both hosts acknowledged what arrived: the program of the one that was due to speak did not.
    fn silent(&self) -> Option<Stopped> {
        let last = self.last_word().filter(|last| self.took_the_last_word(*last))?;
        let (cause, told) = match (last, self.spoke(Side::Server)) {
            (Side::Client, false) => {
                (Cause::ServerSilent, "the server's host acknowledged what the client sent, and its program never answered.".to_owned())
            }
            (Side::Client, true) => {
                (Cause::ServerStalled, "the server's host acknowledged what the client sent last, and its program said no more.".to_owned())
            }
            (Side::Server, _) => {
                (Cause::ClientStalled, "the client's host acknowledged what the server sent last, and its program said no more.".to_owned())
            }
        };
        Some(Stopped { cause, place: place(last.other()), confidence: Confidence::Strong, told })
    }

    fn silent_datagrams(&self) -> Option<Stopped> {
        let quic = self.client.is_quic() || self.server.is_quic();
        let last = self.last_word()?;
        let (cause, told) = match (last, self.spoke(Side::Server)) {
            (Side::Client, false) if quic => (Cause::QuicServerSilent, "the server never answered."),
            (Side::Client, false) => (Cause::DtlsNoAnswer, "the server never answered."),
            (Side::Client, true) => (Cause::ServerStalled, "the server said nothing to what the client sent last."),
            (Side::Server, _) => (Cause::ClientStalled, "the client said nothing to what the server sent last."),
        };
        Some(Stopped { cause, place: place(last.other()), confidence: Confidence::Strong, told: told.to_owned() })
    }

    /// Whether a side sent data.
    fn spoke(&self, side: Side) -> bool {
        let (sender, _) = self.ends(side);
        sender.packets.iter().any(|packet| packet.from == side && packet.len > 0)
    }

    /// The other end acknowledged what this one said last, where the other's point saw it come.
    fn took_the_last_word(&self, from: Side) -> bool {
        let (_, receiver) = self.ends(from);
        let last = receiver.packets.iter().filter(|packet| packet.from == from && packet.len > 0);
        let Some(last) = last.max_by_key(|packet| packet.seq.wrapping_add(packet.len).wrapping_sub(receiver.isn(from).unwrap_or_default()))
        else {
            return false;
        };
        let end = last.seq.wrapping_add(last.len);
        receiver.packets.iter().any(|packet| packet.from != from && packet.flags.ack() && packet.ack.wrapping_sub(end) < HALF)
    }

    /// Who sent data last that was new, as its own point saw it: after the last data that it had of the other.
    fn last_word(&self) -> Option<Side> {
        let server = self.server.view.packets.iter().rev().find(|packet| packet.len > 0);
        server.or_else(|| self.client.view.packets.iter().rev().find(|packet| packet.len > 0)).map(|packet| packet.from)
    }
}

/// What it holds against the path, or what only a path does.
pub(super) fn suspects_path(report: &Handshake<'_>) -> bool {
    use Cause as C;
    report.diagnosis.stopped_by == StoppedBy::Network
        || report.diagnosis.cause.is_some_and(|cause| {
            matches!(cause, C::ClientHelloDropped | C::ServerFlightDropped | C::OneWayPath | C::TcpHandshakeIncomplete | C::Tls13Dropped)
                || matches!(
                    cause,
                    C::SplitClientHello | C::IdleTimeout | C::ResetInjected | C::QuicBlocked | C::QuicMtu | C::DtlsCookieLost
                )
                || matches!(cause, C::PathMtuBlackHole | C::PathMtuIcmpIgnored | C::IpFragmentsDropped | C::PacketLoss | C::Throttled)
        })
}

/// It has a cause, and one that does not lie in its capture.
fn knows(report: &Handshake<'_>) -> bool {
    report.diagnosis.cause.is_some_and(|cause| cause.family() != Family::Capture)
}

fn side_of(report: &Handshake<'_>, nearest: Place) -> Place {
    match (report.diagnosis.stopped_by, report.diagnosis.cause) {
        (StoppedBy::Client, _) => Place::Client,
        (StoppedBy::Server, _) => Place::Server,
        (_, Some(cause)) if cause.family() == Family::Capture => Place::Nowhere,
        (_, Some(cause)) if is_clients_doing(cause) => Place::Client,
        _ => nearest,
    }
}

const fn place(side: Side) -> Place {
    match side {
        Side::Client => Place::Client,
        Side::Server => Place::Server,
    }
}

/// A way there and back that takes longer than any that is in order, a satellite's two hops included, in nanoseconds.
const SLOW_NS: u64 = 1_500_000_000;
/// Half the numbers: what is less lies ahead.
const HALF: u32 = 1 << 31;

/// An end knows best why it stopped.
fn nearest<'a>(client: &'a Handshake<'a>, server: &'a Handshake<'a>) -> (&'a Handshake<'a>, Place) {
    // What both points together refute, neither of them knows.
    match (suspects_path(client), suspects_path(server)) {
        (true, false) if knows(server) => return (server, side_of(server, Place::Server)),
        (false, true) if knows(client) => return (client, side_of(client, Place::Client)),
        _ => {}
    }
    if client.diagnosis.stopped_by == StoppedBy::Client {
        (client, Place::Client)
    } else if client.diagnosis.stopped_by == StoppedBy::Server {
        (server, Place::Server)
    } else {
        match server.diagnosis.cause {
            // A capture is no one's doing.
            Some(cause) if cause.family() == Family::Capture => (server, Place::Nowhere),
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
