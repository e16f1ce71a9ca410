//! `client-hello-dropped`: the ClientHello never arrives.

use crate::diagnosis::against::{Contrary, MANY_COPIES, drops, lowers, same_hello_completed};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect, Weight};
use crate::diagnosis::ignored::Fate;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{SHORT_PAUSE, View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::{counted, times};

use super::{hello_lost, paused_before_hello, too_large, untaken};

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientHelloDropped,
    against: &[lowers(Contrary::SameHelloCompleted), drops(Contrary::CopiesAnswered)],
    page: page!("client-hello-dropped"),
    check,
};

/// Seen behind a device that acknowledged the ClientHello itself and kept it: the client sends again what follows, and never the hello, though TCP
/// always sends again what comes first of what is not acknowledged.
fn swallowed(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let client = view.client();
    let hole = view.hole(Side::Client).filter(|hole| !view.hole_is_full_size(Side::Client, *hole))?;
    let behind = view.repeated_in_vain(Side::Client).find(|segment| segment.copies >= 3 && segment.offset == hole.len)?;
    if client.delivered > 0 || client.acked > 0 || client.bytes_seen != u64::from(behind.len) {
        return None;
    }
    let finding = Finding::new(
        Cause::ClientHelloDropped,
        Confidence::Likely,
        format!("The client's first {} never arrived at {}, and the client retransmits only what follows: a device on the path acknowledged them to the client and did not pass them on.", counted(hole.len, "byte", "bytes"), case.handshake.server),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(behind.first, format!("{} from the client, from byte {} on; the bytes before them never arrived", counted(behind.len, "byte", "bytes"), hole.len))
    .shown_by(behind.last, format!("the same bytes for the {} time", ordinal(behind.copies)))
    .or_else(&[Cause::PacketLoss]);
    Some(super::try_otherwise(case, finding))
}

/// The first part of the hello, with the name in it, never arrives, while its second part does and packets as large pass between the two.
fn first_part(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let segment = view.black_hole(Side::Client).filter(|segment| segment.offset == 0 && case.knowledge.passed.client >= segment.len)?;
    if case.knowledge.completed_same_name > 0 {
        return None;
    }
    let name = case.handshake.server_name()?;
    let finding = Finding::new(
        Cause::ClientHelloDropped,
        Confidence::Likely,
        format!("The first part of the ClientHello, which holds the name {name}, never arrived at {}: it was sent {} within {}, while the rest arrived, and packets of this size pass. A device on the path drops it for what is in it.", case.handshake.server, times(segment.copies), span_text(segment.last.time.since(segment.first.time))),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(segment.first, format!("the beginning of the ClientHello, packet of {}", counted(segment.ip_len, "byte", "bytes")))
    .shown_by(segment.last, format!("sent for the {} time, never acknowledged", ordinal(segment.copies)))
    .noting(format!("in another connection between the two, a packet with {} from the client arrived", counted(case.knowledge.passed.client, "byte", "bytes")))
    .or_else(&[Cause::PathMtuBlackHole, Cause::SplitClientHello, Cause::PacketLoss]);
    Some(super::try_otherwise(case, finding))
}

/// Seen near the server: the client, which gave up, had sent something, and nothing of it came.
fn never_came(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let client = view.client();
    let end = view.ended_by(Side::Client)?;
    let behind = end.reset.map_or(0, |reset| u64::try_from(reset.seq_distance).unwrap_or(0));
    let sent = behind.max(client.lost_at_end());
    let nothing_came = client.bytes_seen == 0 && client.acked == 0 && !view.spoke(Side::Server);
    if sent < LEAST_HELLO || !view.is_up() || !nothing_came {
        return None;
    }
    // Elsewhere a capture that lost it says as much.
    let confidence = if view.near_side() == Some(Side::Server) { Confidence::Likely } else { Confidence::Hint };
    let sent = counted(sent, "byte", "bytes");
    let finding = Finding::new(
        Cause::ClientHelloDropped,
        confidence,
        format!("{} sent {sent} before it gave up, and none of them arrived at {}.", case.handshake.client.host(), case.handshake.server),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(end.mark, format!("the sequence number of the client's {} is {sent} ahead of all that arrived from it", end.name()))
    .or_else(&[Cause::CaptureGaps, Cause::OneWayPath, Cause::PathMtuBlackHole, Cause::PacketLoss]);
    Some(super::try_otherwise(case, finding))
}

/// It got through at last, when the client had left.
fn let_through(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let (copies, through) = view.hello_let_through().filter(|_| view.failed_without_words())?;
    let (first, end) = view.hello_first().zip(view.ended_by(Side::Client))?;
    let finding = Finding::new(
        Cause::ClientHelloDropped,
        Confidence::Likely,
        format!(
            "The ClientHello for {} was dropped: it was sent {} within {}, and when a copy got through at last, the client had left.",
            view.target(),
            times(copies),
            span_text(through.time.since(first.time))
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(first, "the ClientHello")
    .shown_by(through, format!("the {} copy, the first that the server acknowledged", ordinal(copies)))
    .shown_by(end.mark, format!("the client's {}, which follows that at once: its system had held it back", end.name()))
    .or_else(&[Cause::OneWayPath, Cause::PacketLoss, Cause::ClientTimeout]);
    Some(super::try_otherwise(case, finding))
}

/// No hello is shorter.
const LEAST_HELLO: u64 = 40;

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() || too_large(case, view, Side::Client) {
        return None;
    }
    let like_passed = same_hello_completed(case);
    if let Some(finding) = let_through(case, view).filter(|_| !like_passed) {
        return Some(finding);
    }
    if let Some(finding) = swallowed(case, view).or_else(|| first_part(case, view)).or_else(|| never_came(case, view)) {
        return (!like_passed).then_some(finding);
    }
    if let Some((start, _)) = view.hello_span()
        && let Some(finding) = untaken::check(case.handshake, Side::Client, start, Cause::ClientHelloDropped)
    {
        return Some(finding);
    }
    let deferred = case.waits_for_data();
    let copies = hello_lost(view, deferred)?;
    if like_passed && copies < MANY_COPIES {
        return None;
    }
    let segment = view.repeated_in_vain(Side::Client).next()?;
    let others = case.knowledge.completed_other_names;
    let large = view.hello_is_large();
    let paused = view.pause_before(segment) >= SHORT_PAUSE;
    let confidence = if (others > 0 && !large || copies >= 3) && !deferred && !paused { Confidence::Strong } else { Confidence::Likely };
    // A pause explains it better, when there is one: then this stands back.
    let explained = paused_before_hello(view);
    let fate = Fate::of(view, Side::Client);
    let sent = format!(
        "it was sent {copies} within {} and never acknowledged, though the TCP connection is up{}.",
        span_text(segment.last.time.since(segment.first.time)),
        if large { String::new() } else { format!(" and the ClientHello is only {} long", counted(view.hello_len(), "byte", "bytes")) },
        copies = times(copies)
    );
    let summary = format!("The ClientHello for {} {}: {sent}", view.target(), fate.words("never arrived"));
    let mut finding = Finding::new(Cause::ClientHelloDropped, if explained { Confidence::Likely } else { confidence }, summary)
        .weight(if explained { Weight::Fallback } else { Weight::Explains })
        .stopped_by(fate.stopped_by())
        .shown_by(segment.first, format!("ClientHello, packet of {}", counted(segment.ip_len, "byte", "bytes")))
        .shown_by(segment.last, format!("ClientHello for the {} time; the server acknowledged nothing", ordinal(copies)));
    if deferred {
        finding = finding.noting("the server repeats its SYN-ACK, though other connections of the client come up at once meanwhile: so does a system that waits for data before it takes a connection (deferred accept)");
    }
    if others > 0 {
        finding = finding.noting(format!(
            "{others} with the same server for other names completed",
            others = counted(others, "handshake", "handshakes")
        ));
    }
    let finding = finding.resting_on(Suspect::packet(Side::Client, segment.first, segment.len));
    if fate != Fate::Lost {
        let alternatives: &[Cause] = if fate == Fate::Damaged { &[Cause::PacketLoss] } else { &[Cause::AcceptQueueFull] };
        return Some(fate.explain(case, finding.or_else(alternatives)));
    }
    let finding = match case.knowledge.mute_at {
        Some((client, server)) => finding
            .noting(format!("the SYN of this connection was also captured on its way from {client} to {server}, and no ClientHello was there"))
            .advise("Look between the two points of capture, for it is dropped there; where both are interfaces of one host (`-i any`), this host drops it:")
            .advise(Command::new("nft list ruleset")),
        None => finding,
    };
    if like_passed {
        return Some(
            finding
                .or_else(&[Cause::PacketLoss, Cause::OneWayPath])
                .advise("A ClientHello like this one got through before, so look for what drops only some: a limit of handshakes for each client (protection against floods), one of several paths or links that is dead.")
                .advise(remedy::measure_loss(case.handshake)),
        );
    }
    let finding = finding
        .or_else(if large { &[Cause::SplitClientHello, Cause::PathMtuBlackHole] } else { &[] })
        .or_else(if paused { &[Cause::IdleTimeout] } else { &[] })
        .or_else(&[Cause::OneWayPath, Cause::AcceptQueueFull])
        .or_else(if super::version_is_suspect(case) { &[Cause::Tls13Dropped] } else { &[] });
    Some(super::try_otherwise(case, finding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connected, event, said_hello, verdict};
    use crate::handshake::facts::Outcome;
    use crate::transport::FlowEventKind;

    /// The hello is sent again at these times, the last copy is acknowledged, and the client's FIN comes so many milliseconds after that.
    fn told(again: &[i64], fin_after: i64) -> Option<Cause> {
        let mut facts = connected();
        said_hello(&mut facts, at(4, 25));
        for (frame, millis) in (5..).zip(again) {
            let mark = at(frame, *millis);
            facts.flow.events.push(event(mark, Side::Client, FlowEventKind::Retransmission { offset: 0, len: 300 }));
        }
        let through = again.last().unwrap() + 22;
        let (acked, fin) = (at(30, through), at(31, through + fin_after));
        let client = &mut facts.flow.sides.client;
        (client.data_packets, client.bytes_seen, client.highest, client.acked) = (1, 300, 300, 300);
        (client.retransmits, client.acked_at, client.fin) = (u32::try_from(again.len()).unwrap(), Some(acked), Some((fin, 300)));
        (facts.outcome, facts.stopped_by, facts.flow.last) = (Outcome::Closed, StoppedBy::Client, fin);
        verdict(&facts).cause()
    }

    #[test]
    fn who_had_left_when_a_copy_got_through_was_not_kept_waiting_by_the_server() {
        let dropped = Some(Cause::ClientHelloDropped);
        assert_eq!(told(&[270, 520, 1_020, 2_000, 4_000, 7_900, 15_900], 0), dropped);
        assert_ne!(told(&[270, 520, 1_020, 2_000], 3_000), dropped, "it was there, and gave the server three more seconds");
        assert_ne!(told(&[270], 0), dropped, "one copy is lost by chance");
    }
}
