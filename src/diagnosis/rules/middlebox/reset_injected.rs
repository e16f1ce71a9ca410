//! `reset-injected`: a RST that neither end sent.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::clock;
use crate::diagnosis::finding::{Confidence, Finding, Suspect, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{Ending, View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::transport::Reset;
use crate::wording::counted;

use super::idle;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ResetInjected,
    against: &[lowers(Contrary::SameHelloCompleted), lowers(Contrary::HopCounterKnown)],
    page: page!("reset-injected"),
    check,
};

/// What speaks against a RST's being genuine, from weak to conclusive.
struct Suspicion {
    confidence: Confidence,
    why: String,
    /// It rests on the RST's hop counter.
    foreign: bool,
}

fn suspicion(case: &Case<'_>, view: View<'_>, side: Side, reset: &Reset) -> Option<Suspicion> {
    if reset.to_syn {
        return None;
    }
    let distance = view.ttl_distance(side, reset.ttl);
    let known_ttl = side == Side::Server && case.knowledge.server_ttls.contains(&reset.ttl);
    // A single SYN is no reference: scanners draw its hop counter by lot, and a kernel's RST has its own.
    let foreign = distance > 0 && !known_ttl && view.ttl_is_known(side);
    let own = view.ttl(side).map_or_else(String::new, |ttl| ttl.to_string());
    let ttl_text = format!("its TTL is {}; the {side}'s own packets have {own}", reset.ttl);
    let found = |confidence, why| Some(Suspicion { confidence, why, foreign });
    if reset.data_after > 0 && (foreign || reset.seq_distance == 0) {
        return found(
            Confidence::Certain,
            format!("the {side} sent {} with new data after that", counted(reset.data_after, "packet", "packets")),
        );
    }
    if foreign && reset.packets_after > 0 {
        let after = counted(reset.packets_after, "packet", "packets");
        return found(Confidence::Certain, format!("{ttl_text}, and the {side} sent {after} after that"));
    }
    if let Some(beyond) = runs_ahead(view, side, reset) {
        return found(Confidence::Strong, beyond);
    }
    if let Some(early) = earlier_than_possible(case, view, side, reset) {
        return if foreign {
            found(Confidence::Certain, format!("{early}, and {ttl_text}"))
        } else {
            Some(Suspicion { confidence: Confidence::Strong, why: early, foreign })
        };
    }
    // One hop apart may be a route that changed; more is another sender.
    if foreign && distance >= 2 {
        return found(Confidence::Strong, ttl_text);
    }
    let ending = Ending { side, mark: reset.mark, reset: Some(reset), unseen: false };
    if side == Side::Client && view.is_up() && view.answers_nothing(&ending) {
        let text = "it has no ACK flag, as that of a system which does not know the connection, though the server had sent nothing that it could answer";
        return found(Confidence::Likely, text.to_owned());
    }
    if side == Side::Client && !view.ttl_is_known(side) && view.made_by_a_system() && view.is_foreign(&ending) {
        return found(Confidence::Likely, ttl_text);
    }
    if let Some(why) = was_reset_itself(case, view, side, reset) {
        return found(Confidence::Likely, why);
    }
    // From nearer or further than all else of this client, and of a system that does not know the connection: a NAT's or a firewall's.
    let unknown = side == Side::Client && view.disowned(side).is_some_and(|own| own.mark == reset.mark);
    let both = view.side(side.other()).resets.iter().any(|other| view.ttl_distance(side.other(), other.ttl) > 0);
    // A host that is known to have one hop counter for all has not had another route.
    let mut genuine = case.knowledge.server_ttls.iter().filter(|_| side == Side::Server).peekable();
    let steady = genuine.peek().is_some() && view.server().syn.is_some_and(|syn| genuine.all(|ttl| *ttl == syn.ttl));
    if foreign && (both || reset.seq_distance != 0 || steady || unknown) { found(Confidence::Likely, ttl_text) } else { None }
}

/// Behind a RST with the number of the side's next byte, and with nothing in between, comes one whose number is larger than anything that this side can
/// have sent: a host has forgotten the connection with its first RST, and takes the number of another from what it answers. Devices that reset guess
/// how far the window has moved on.
fn runs_ahead(view: View<'_>, side: Side, reset: &Reset) -> Option<String> {
    let fits = reset.seq_distance == 0 && reset.packets_after == 0;
    let guess = view.side(side).resets.iter().find(|other| {
        let at_once = other.mark.frame > reset.mark.frame && other.mark.time.since(reset.mark.time) <= VOLLEY;
        at_once && other.seq_distance > 0 && other.packets_after == 0
    })?;
    fits.then(|| {
        format!(
            "another RST in frame {} has a sequence number {} beyond all that the {side} sent, which a host never gives to a RST",
            guess.mark.frame,
            counted(guess.seq_distance.unsigned_abs(), "byte", "bytes")
        )
    })
}

/// The RST acknowledges bytes that were captured less than the round trip from here to that side before it. The round trip must be known from
/// more than the opening of this one connection: a SYN-ACK may be slow for reasons of its own.
fn earlier_than_possible(case: &Case<'_>, view: View<'_>, side: Side, reset: &Reset) -> Option<String> {
    let own = case.handshake.flow.leg(side).filter(|_| view.side(side).quickest_ack.is_some());
    let elsewhere = case.knowledge.least_leg.filter(|_| side == Side::Server);
    let leg = own.into_iter().chain(elsewhere).min()?;
    let asked = reset.answers.filter(|mark| mark.frame < reset.mark.frame && mark.time <= reset.mark.time)?;
    let took = reset.mark.time.since(asked.time);
    (leg.as_millis() >= LEAST_LEG_MS && took < leg / 2)
        .then(|| format!("it acknowledges data after {}; a round trip to the {side} takes {}", span_text(took), span_text(leg)))
}

/// A moment ago the server's system knew the connection, for it acknowledged what the client said or spoke itself, and it ended nothing; now it answers
/// the next packet as one of a connection that it does not know. In between it was told to forget it: by a RST in the client's name.
fn was_reset_itself(case: &Case<'_>, view: View<'_>, side: Side, reset: &Reset) -> Option<String> {
    let facts = case.handshake;
    let (server, client) = (view.server(), view.client());
    // It has the number that the packet acknowledges which it answers.
    let first = view.disowned(side).is_some_and(|first| first.mark == reset.mark) && reset.seq_distance <= 0;
    if side == Side::Client || !first || !view.failed_without_words() || !clock::runs(facts) || facts.flow.out_of_step > 0 {
        return None;
    }
    let took = client.acked_at.filter(|_| client.acked > 0).map(|mark| (mark, "acknowledges what the client said"));
    let spoke = server.last_data.map(|mark| (mark, "sends data"));
    let known = [took, spoke].into_iter().flatten().filter(|(mark, _)| mark.frame < reset.mark.frame).max_by_key(|(mark, _)| mark.frame)?;
    let unheard = client.highest > client.acked;
    let since = reset.mark.time.since(known.0.time);
    (unheard && since <= A_MOMENT && view.ttl_distance(side, reset.ttl) == 0).then(|| {
        format!(
            "the server {} in frame {} and, {} later, answers the client's next packet by a RST without ACK flag, as one of a connection that it does not know: it was reset in between, out of view",
            known.1,
            known.0.frame,
            span_text(since)
        )
    })
}

/// The end is the server's own RST, which does not know the connection any more, and this one, from another host, is right behind it: a device reset
/// both ends, and what the server answered to the client's next packet came first.
fn echoed<'a>(view: View<'a>, side: Side, reset: &Reset, end: &Ending<'a>) -> Option<&'a Reset> {
    let own = end.reset.filter(|own| side == Side::Server && end.side == side && own.unknowing && view.ttl_distance(side, own.ttl) == 0)?;
    let behind = reset.mark.frame > own.mark.frame && reset.mark.time.since(own.mark.time) <= VOLLEY;
    (behind && view.disowns(end)).then_some(own)
}

/// The RST answers the first packet after a pause in which devices forget connections: they reset what they do not know.
fn after_pause(view: View<'_>, side: Side, reset: &Reset) -> bool {
    let asked = view.last_message(side.other()).filter(|mark| mark.frame < reset.mark.frame);
    asked.is_some_and(|asked| view.pause_until(asked) >= idle::TYPICAL_PAUSE)
}

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_tcp() || facts.outcome == Outcome::Incomplete {
        return None;
    }
    let finding = forged_rst(case, view).or_else(|| forged_fin(case, view));
    let sides = Side::BOTH.into_iter();
    finding
        .or_else(|| sides.clone().find_map(|side| overrun_fin(case, view, side)))
        .or_else(|| sides.clone().find_map(|side| foreign_fin(case, view, side)))
        .or_else(|| sides.clone().find_map(|side| denied_fin(view, side)))
}

/// A FIN with another hop counter than all else of its side.
fn foreign_fin(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let facts = view.side(side);
    let ((fin, _), syn, own) = (facts.fin?, facts.syn?, facts.ttl?);
    let known = side == Side::Server && case.knowledge.server_ttls.contains(&facts.fin_ttl);
    // One hop apart may be a route that changed.
    // What a server's SYN-ACK has may be a SYN proxy's.
    let alone = side == Side::Client && own == facts.fin_ttl;
    let foreign = facts.fin_ttl > 0 && (own == syn.ttl || alone) && syn.ttl.abs_diff(facts.fin_ttl) >= 2 && !known;
    let decides = view.first_end()?.mark.frame == fin.frame && view.failed_over_tcp();
    (foreign && decides).then(|| {
        let why = format!("its TTL is {}; the {side}'s own packets have {}", facts.fin_ttl, syn.ttl);
        Finding::new(
            Cause::ResetInjected,
            Confidence::Likely,
            format!("A device on the path seems to have closed the connection with a FIN that claims to come from the {side}: {why}."),
        )
        .stopped_by(StoppedBy::Network)
        .resting_on(Suspect { side, mark: fin, payload: 0, ttl: Some(facts.fin_ttl) })
        .shown_by(fin, format!("FIN that claims to come from the {side}: {why}"))
        .or_else(&[if side == Side::Server { Cause::ServerClosed } else { Cause::ClientAborted }])
        .advise("Check the logs of the firewalls and filters between the two for this connection.")
    })
}

/// The other side's own FIN acknowledges one byte of a segment of this side that holds more: not a byte of it, but a FIN in this side's name with the
/// number of that byte, which this side never sent. It is not in the capture; its effect is.
fn denied_fin(view: View<'_>, side: Side) -> Option<Finding> {
    let (own, other) = (view.side(side), view.side(side.other()));
    let (end, _) = other.fin.filter(|_| own.fin.is_none() && other.zero_window.is_none())?;
    let cut = own.outstanding.iter().find(|sent| sent.offset.saturating_add(1) == own.acked && sent.len > 1 && sent.first < end)?;
    let closes = own.acked_at.is_some_and(|acked| acked <= end);
    let decides = closes && view.first_end()?.mark.frame == end.frame && view.failed_over_tcp();
    decides.then(|| {
        Finding::new(
            Cause::ResetInjected,
            Confidence::Likely,
            format!("A device on the path seems to have closed the connection with a forged FIN that claims to come from the {side}: the {} acknowledges a FIN that the {side} never sent, and closes.", side.other()),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Network)
        .shown_by(cut.first, format!("the {side} sends {} as one packet", counted(cut.len, "byte", "bytes")))
        .shown_by(end, format!("the {}'s FIN acknowledges one byte of them: the number that a FIN in their place takes", side.other()))
        .or_else(&[if side == Side::Client { Cause::ServerAborted } else { Cause::ClientAborted }])
        .advise(format!("Capture on the {} at the same time, and compare the TTL of that FIN with the {side}'s other packets.", side.other()))
        .advise("Check the logs of the firewalls and filters between the two for this connection.")
    })
}

/// A FIN behind which its side goes on to send: whoever closes a direction sends nothing more in it.
fn overrun_fin(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let facts = view.side(side);
    let (fin, at) = facts.fin.filter(|(_, at)| facts.highest > *at)?;
    let after = facts.last_data.filter(|last| last.frame > fin.frame)?;
    // Where the order of the frames is not that of their sending, neither stands behind the other.
    let ordered = case.handshake.flow.out_of_step == 0 && case.handshake.flow.clock_steps_back == 0;
    let decides = view.first_end()?.mark.frame == fin.frame && view.failed_over_tcp() && ordered;
    decides.then(|| {
        let sent = counted(facts.highest.saturating_sub(at), "byte", "bytes");
        Finding::new(
            Cause::ResetInjected,
            Confidence::Likely,
            format!("A device on the path seems to have closed the connection with a forged FIN that claims to come from the {side}, which went on and sent {sent} behind it."),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Network)
        .resting_on(Suspect { side, mark: fin, payload: 0, ttl: None })
        .shown_by(fin, format!("FIN that claims to come from the {side}"))
        .shown_by(after, format!("data from the {side} with sequence numbers behind that FIN's"))
        .or_else(&[if side == Side::Server { Cause::ServerClosed } else { Cause::ClientAborted }])
        .advise("Check the logs of the firewalls and filters between the two for this connection.")
    })
}

/// A FIN in the server's name with another hop counter than its SYN-ACK had, the only thing it says, and behind it the host does not so much as
/// acknowledge what the client sends: hosts answer on connections that they have closed.
fn forged_fin(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let server = view.server();
    let ((fin, _), syn, ttl) = (server.fin?, server.syn?, server.ttl?);
    let only_word = server.packets == 2 && server.resets.is_empty() && syn.count == 1 && view.first_end()?.mark.frame == fin.frame;
    let unheard = view.repeated_in_vain(Side::Client).find(|segment| segment.copies >= 3 && segment.first.frame > fin.frame)?;
    if !only_word || syn.ttl == ttl || case.knowledge.server_ttls.contains(&ttl) {
        return None;
    }
    let why = format!("its TTL is {ttl}; the server's SYN-ACK has {}", syn.ttl);
    let finding = Finding::new(
        Cause::ResetInjected,
        Confidence::Likely,
        format!("A device on the path seems to have closed the connection with a forged FIN: {why}, and the server acknowledges nothing after it."),
    )
    .stopped_by(StoppedBy::Network)
    .resting_on(Suspect { side: Side::Server, mark: fin, payload: 0, ttl: Some(ttl) })
    .shown_by(fin, format!("FIN that claims to come from the server: {why}"))
    .shown_by(unheard.last, format!("the client's data after the FIN, sent for the {} time; never acknowledged", ordinal(unheard.copies)))
    .or_else(&[Cause::ServerClosed])
    .advise("Check the logs of the firewalls and filters between the two for this connection.");
    Some(super::try_otherwise(case, finding))
}

fn forged_rst(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let end = view.first_end();
    let candidates = Side::BOTH.into_iter().flat_map(|side| view.side(side).resets.iter().map(move |reset| (side, reset)));
    let (side, reset, found) = candidates
        .filter_map(|(side, reset)| suspicion(case, view, side, reset).map(|found| (side, reset, found)))
        .min_by_key(|(_, reset, _)| reset.mark.frame)?;
    let Suspicion { mut confidence, why, foreign } = found;
    let idle = confidence < Confidence::Certain && after_pause(view, side, reset);
    if idle {
        confidence = Confidence::Likely;
    }
    let completed_before = facts.outcome == Outcome::Completed;
    let echo = end.filter(|_| foreign).and_then(|end| echoed(view, side, reset, &end));
    let decides = !completed_before && (echo.is_some() || end.is_some_and(|ending| ending.mark.frame >= reset.mark.frame));
    if completed_before && confidence != Confidence::Certain {
        return None;
    }
    let cause_text = facts.server_name().map_or_else(String::new, |name| format!(" during the handshake for {name}"));
    let summary = if decides {
        format!("A device on the path reset the connection{cause_text} with a RST that claims to come from the {side}: {why}.")
    } else {
        format!("A forged RST that claims to come from the {side} had no effect: {why}.")
    };
    let mut finding = Finding::new(Cause::ResetInjected, confidence, summary)
        .weight(match (decides, confidence >= Confidence::Strong) {
            (true, true) => Weight::Overrides,
            (true, false) => Weight::Explains,
            (false, _) => Weight::Note,
        })
        .stopped_by(StoppedBy::Network)
        .resting_on(Suspect { side, mark: reset.mark, payload: 0, ttl: foreign.then_some(reset.ttl) })
        .shown_by(reset.mark, format!("RST that claims to come from the {side}: {why}"));
    if let Some(other) = view.side(side.other()).resets.iter().find(|other| view.ttl_distance(side.other(), other.ttl) > 0) {
        finding = finding.shown_by(other.mark, format!("RST that claims to come from the {}, with TTL {}", side.other(), other.ttl));
    }
    if let Some(echo) = echo {
        let text = "the server's own RST came first: it has no ACK flag, for the server was reset as well and does not know the connection that the client's next packet is of";
        finding = finding.shown_by(echo.mark, text);
    }
    if case.knowledge.completed_other_names > 0 {
        finding = finding.noting(format!(
            "{} with the same server for other names completed",
            counted(case.knowledge.completed_other_names, "handshake", "handshakes")
        ));
    }
    let fallback = if side == Side::Server { Cause::ServerReset } else { Cause::ClientAborted };
    let finding = if idle { finding.or_else(&[Cause::IdleTimeout]) } else { finding };
    let finding = finding.or_else(&[fallback]).advise("Check the logs of the firewalls and filters between the two for this connection.");
    Some(super::try_otherwise(case, finding))
}

/// Within this nobody starts a host anew or moves an address.
const A_MOMENT: Duration = Duration::from_millis(20);
/// The RSTs of a device come together.
const VOLLEY: Duration = Duration::from_millis(500);
/// On a shorter leg the clock of the capture decides nothing.
const LEAST_LEG_MS: u128 = 2;
