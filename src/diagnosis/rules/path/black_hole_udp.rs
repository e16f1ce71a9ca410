//! A path MTU black hole over DTLS: a hole of full-size fragments at the receiver, or large flights repeated in vain at the sender.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::view::datagrams::FULL_SIZE;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::tls::registry::HandshakeType;
use crate::wording::{count, counted};

/// The fragments of one message that are missing are those that are large.
pub(super) fn at_receiver(view: View<'_>) -> Option<Finding> {
    let dtls = view.failed_over_dtls()?;
    let hole = dtls.hole?;
    let repeats = view.repeats(hole.side).or_else(|| view.repeats(hole.side.other()))?;
    let arrived = *dtls.largest.of(hole.side) as usize;
    // What is missing did not come in a datagram as small as those that came. The capture may have cut it out of one that did.
    let cut = view.side(hole.side).snaplen_cut > 0;
    if cut || !view.stalled_over_udp() || hole.missing < FULL_SIZE as usize || hole.missing <= arrived {
        return None;
    }
    let message = HandshakeType(hole.message);
    Some(
        Finding::new(
            Cause::PathMtuBlackHole,
            if repeats.count >= 2 { Confidence::Strong } else { Confidence::Likely },
            format!("Large datagrams from the {} do not arrive: its {message} lacks {} of {} despite retransmissions, and no datagram larger than {} arrived.", hole.side, count(hole.want.saturating_sub(hole.have) as u64), counted(hole.want, "byte", "bytes"), counted(arrived, "byte", "bytes")),
        )
        .shown_by(hole.first, format!("a fragment of the {message} beyond the gap"))
        .shown_by(repeats.last, "retransmitted, with the same gap")
        .noting(format!("a gap of {} was never filled; the largest datagram from the {} that arrived has {arrived}", counted(hole.missing, "byte", "bytes"), hole.side, arrived = counted(arrived, "byte", "bytes")))
        .or_else(&[Cause::IpFragmentsDropped, Cause::PacketLoss]),
    )
}

/// The server's flight has large datagrams and is repeated; the client, which got a small one before, only repeats its hello.
pub(super) fn at_sender(view: View<'_>) -> Option<Finding> {
    let dtls = view.failed_over_dtls()?;
    let hello = view.repeats(Side::Client)?;
    let flight = view.repeats(Side::Server)?;
    let largest = *dtls.largest.of(Side::Server);
    let small_passed = dtls.hellos_with_cookie.first.filter(|_| view.large_flight_unheard())?;
    Some(
        Finding::new(
            Cause::PathMtuBlackHole,
            Confidence::Likely,
            format!("Large datagrams from the server do not arrive: it repeats its flight, in datagrams of up to {largest}, for {}, and the client only repeats its ClientHello, though the small HelloVerifyRequest reached it.", span_text(flight.last.time.since(flight.first.time)), largest = counted(largest, "byte", "bytes")),
        )
        .shown_by(small_passed, "the client returns the cookie: small datagrams pass")
        .shown_by(flight.first, "the server's flight again")
        .shown_by(hello.last, format!("ClientHello again, {} in all", counted(hello.count, "repetition", "repetitions")))
        .or_else(&[Cause::ServerFlightDropped, Cause::IpFragmentsDropped, Cause::PacketLoss]),
    )
}
