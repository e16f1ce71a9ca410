//! `quic-mtu`: full-size datagrams do not pass.

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

pub(super) const RULE: Rule = Rule { cause: Cause::QuicMtu, against: &[], page: page!("quic-mtu"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic()?;
    let reported = case.handshake.flow.icmp.iter().find_map(|note| match note.kind {
        IcmpKind::TooBig(mtu) => Some((note, mtu)),
        _ => None,
    });
    let finding = if let Some((note, mtu)) = reported {
        let limit = if mtu == 0 { "an unknown size".to_owned() } else { format!("{mtu} bytes") };
        Finding::new(
            Cause::QuicMtu,
            if (1..LEAST_PATH).contains(&mtu) { Confidence::Certain } else { Confidence::Strong },
            format!(
                "{} says that a packet of the {} ({} bytes) is too big: the path takes {limit}.",
                note.reporter, note.about, note.quoted_len
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
            format!(
                "Large datagrams of the {side} ({lost} bytes) are repeated and never acknowledged, small ones (up to {passed} bytes) are."
            ),
        )
        .shown_by(repeats.first, "first repetition")
        .shown_by(repeats.last, "last repetition, not acknowledged")
        .or_else(&[Cause::ServerFlightDropped, Cause::PacketLoss])
    };
    let address = case.handshake.server.address;
    Some(
        finding
            .stopped_by(StoppedBy::Network)
            .advise("Find the largest packet that passes in both directions; QUIC needs 1200 bytes of UDP payload:")
            .advise(remedy::ping_mtu(address, 1228))
            .advise(remedy::tracepath(case.handshake)),
    )
}

/// The server counts its Initial packets, and those with its ServerHello, which fill a datagram, are the ones that never arrive.
fn numbers_missing(view: View<'_>, quic: &QuicFacts) -> Option<Finding> {
    let missing = quic.numbers.server.missing();
    let heard = quic.acked.client.filter(|_| missing >= 2 && quic.initials.server.count >= 2 && !view.server_hello_begun())?;
    let last = quic.initials.server.last?;
    let (count, largest) = (quic.initials.server.count, view.server().largest_segment);
    Some(
        Finding::new(
            Cause::QuicMtu,
            Confidence::Likely,
            format!(
                "{missing} of the server's Initial packets, by their numbers, are lost before this point: those with its ServerHello, which fill a datagram. \
                 The {count} small ones arrive, and so do datagrams of up to {largest} bytes."
            ),
        )
        .shown_by(heard, "the server acknowledges the client's Initial packet")
        .shown_by(last, "the server's last Initial packet here; none has brought its ServerHello")
        .or_else(&[Cause::ServerFlightDropped, Cause::PacketLoss]),
    )
}

/// A path has to take 1200 bytes and the headers of UDP and IPv4.
const LEAST_PATH: u32 = 1228;
/// A datagram that no path refuses.
const SMALL: u32 = 1000;
/// A datagram of the size that QUIC fills up to.
const FULL: u32 = 1200;
