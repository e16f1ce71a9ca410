//! `ip-fragments-dropped`: fragmented packets do not arrive whole.

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::packet::IcmpKind;
use crate::wording::counted;

pub(super) const RULE: Rule =
    Rule { cause: Cause::IpFragmentsDropped, against: &[lowers(Contrary::FullSizePassed)], page: page!("ip-fragments-dropped"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    if !case.handshake.outcome.failed() {
        return None;
    }
    if let Some(finding) = unfinished(case) {
        return Some(finding);
    }
    let note = case.handshake.flow.icmp.iter().find(|note| note.kind == IcmpKind::TimeExceeded && note.code == REASSEMBLY)?;
    Some(
        Finding::new(
            Cause::IpFragmentsDropped,
            Confidence::Strong,
            format!("IP fragments of the {}'s packets are lost: {} could not reassemble them.", note.about, note.reporter),
        )
        .stopped_by(StoppedBy::Network)
        .shown_by(note.mark, format!("{} reported that the reassembly of the {}'s packet timed out (ICMP)", note.reporter, note.about))
        .or_else(&[Cause::PathMtuBlackHole, Cause::PacketLoss])
        .advise("Find the device on the path that drops IP fragments, or make the packets small enough not to need any:")
        .advise(Command::new("tcpdump -ni any").operand("ip[6:2] & 0x3fff != 0 or ip6 protochain 44")),
    )
}

/// Packets that came in fragments here and never became whole, of a side that is not heard otherwise.
fn unfinished(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let (side, (count, first)) = Side::BOTH.into_iter().find_map(|side| Some((side, facts.flow.side(side).unfinished?)))?;
    let heard = facts.flow.side(side).last_data.is_some_and(|last| last.frame > first.frame);
    if heard || matches!(facts.outcome, Outcome::Alerted | Outcome::Plaintext) {
        return None;
    }
    let packets = counted(count, "packet", "packets");
    let confidence = if count > 1 { Confidence::Strong } else { Confidence::Likely };
    Some(
        Finding::new(
            Cause::IpFragmentsDropped,
            confidence,
            format!("Some fragments of {packets} from the {side} never arrived, and nothing else from it followed."),
        )
        .stopped_by(StoppedBy::Network)
        .shown_by(first, format!("first fragment of a packet from the {side} that never became whole"))
        .or_else(&[Cause::PathMtuBlackHole, Cause::PacketLoss])
        .advise("Find the device on the path that drops IP fragments, or make the packets small enough not to need any:")
        .advise(Command::new("tcpdump -ni any").operand("ip[6:2] & 0x3fff != 0 or ip6 protochain 44")),
    )
}

/// Code of ICMP time exceeded: fragment reassembly time exceeded, in both IP versions.
const REASSEMBLY: u8 = 0x01;
