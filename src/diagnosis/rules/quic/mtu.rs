//! `quic-mtu`: full-size datagrams do not pass.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{QuicFacts, StoppedBy};
use crate::packet::IcmpKind;
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::QuicMtu, against: &[], page: page!("quic-mtu"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic()?;
    let reported = case.handshake.flow.icmp.iter().find_map(|note| match note.kind {
        IcmpKind::TooBig(mtu) => Some((note, mtu)),
        _ => None,
    });
    let finding = if let Some((note, mtu)) = reported {
        let limit = if mtu == 0 { "an unknown size".to_owned() } else { counted(mtu, "byte", "bytes") };
        Finding::new(
            Cause::QuicMtu,
            if (1..LEAST_PATH).contains(&mtu) { Confidence::Certain } else { Confidence::Strong },
            format!(
                "{} reported that a packet of {2} from the {1} is too big: the path carries {limit}.",
                note.reporter,
                note.about,
                counted(note.quoted_len, "byte", "bytes")
            ),
        )
        .shown_by(note.mark, format!("ICMP type {} code {} from {}", note.icmp_type, note.code, note.reporter))
    } else if let Some(finding) = numbers_missing(view, quic) {
        finding
    } else {
        let side = Side::BOTH.into_iter().find(|side| {
            let (passed, lost) = (*quic.largest_acked.of(*side), *quic.largest_unacked.of(*side));
            passed > 0 && passed < SMALL && lost >= FULL && view.repeats(*side).is_some_and(|repeats| repeats.count >= 2)
        })?;
        let repeats = view.repeats(side)?;
        let (passed, lost) = (*quic.largest_acked.of(side), *quic.largest_unacked.of(side));
        Finding::new(
            Cause::QuicMtu,
            Confidence::Likely,
            format!("Large datagrams from the {side} ({lost}) are retransmitted and never acknowledged; small ones of up to {passed} are acknowledged.", lost = counted(lost, "byte", "bytes"), passed = counted(passed, "byte", "bytes")),
        )
        .shown_by(repeats.first, "first retransmission")
        .shown_by(repeats.last, "last retransmission, never acknowledged")
        .or_else(&[Cause::ServerFlightDropped, Cause::PacketLoss])
    };
    let address = case.handshake.server.address;
    Some(
        finding
            .stopped_by(StoppedBy::Network)
            .advise("Find the largest packet that passes in both directions; QUIC needs 1,200 bytes of UDP payload:")
            .advise(remedy::ping_mtu(address, 1228))
            .advise(remedy::tracepath(case.handshake)),
    )
}

/// The server counts its Initial packets, and those with its ServerHello, which fill a datagram, are the ones that never arrive.
fn numbers_missing(view: View<'_>, quic: &QuicFacts) -> Option<Finding> {
    let missing = quic.numbers.server.missing();
    let (count, largest) = (quic.initials.server.count, view.server().largest_segment);
    // Behind a ServerHello there are Handshake packets: where these came, again and again, and it did not, one number is enough.
    let (first, again) = quic.handshakes.server.first.zip(quic.handshakes.server.last).unzip();
    let followed = first.zip(again).is_some_and(|(first, again)| again.time.since(first.time) >= AGAIN) && largest < FULL;
    let enough = missing >= if followed { 1 } else { 2 };
    let heard = quic.acked.client.filter(|_| enough && count >= 2 && !view.server_hello_begun())?;
    let last = quic.initials.server.last?;
    let (lost, ones) = match missing {
        1 => ("one of the server's Initial packets was lost".to_owned(), "the full-size one"),
        _ => (format!("{missing} of the server's Initial packets were lost"), "the full-size ones"),
    };
    Some(
        Finding::new(
            Cause::QuicMtu,
            Confidence::Likely,
            format!(
                "Judging by the packet numbers, {lost} before this point: {ones} with its ServerHello. \
                 The {count} small ones arrived, and so did datagrams of up to {largest}.",
                largest = counted(largest, "byte", "bytes")
            ),
        )
        .shown_by(heard, "the server acknowledges the client's Initial packet")
        .shown_by(last, "the server's last Initial packet here; none contains its ServerHello")
        .or_else(&[Cause::ServerFlightDropped, Cause::PacketLoss]),
    )
}

/// A path has to take 1200 bytes and the headers of UDP and IPv4.
const LEAST_PATH: u32 = 1228;
/// A datagram that no path refuses.
const SMALL: u32 = 1000;
/// A datagram of the size that QUIC fills up to.
const FULL: u32 = 1200;
/// A server has sent its first flight again by then.
const AGAIN: Duration = Duration::from_millis(500);
