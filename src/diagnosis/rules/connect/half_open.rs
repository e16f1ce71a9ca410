//! `tcp-handshake-incomplete`: the SYN-ACK was sent and the connection never came up.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::ignored::ignored_by;
use crate::diagnosis::knowledge::StrayAnswer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{Ending, View};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::transport::{Reset, SynFacts};
use crate::wording::{counted, times};

pub(super) const RULE: Rule = Rule { cause: Cause::TcpHandshakeIncomplete, against: &[], page: page!("tcp-handshake-incomplete"), check };

/// The client has taken up a connection with somebody else who answered first.
fn disputed(case: &Case<'_>, answer: SynFacts) -> Finding {
    let (client, server) = (case.handshake.client, case.handshake.server);
    let summary = format!(
        "{client} acknowledges a SYN-ACK that {server} did not send, and {server} resets the connection: a device between the capture point and the client answers SYNs on the server's behalf."
    );
    Finding::new(Cause::TcpHandshakeIncomplete, Confidence::Likely, summary)
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Network)
        .shown_by(answer.first, "SYN-ACK, never acknowledged")
        .noting("the client acknowledges a different initial sequence number")
        .or_else(&[Cause::ResetInjected])
        .advise("Capture on the client at the same time: the TTL of the SYN-ACK that it accepts tells where the device is. Typical: a SYN proxy that lost its state, two machines with one address.")
}

/// The answer comes from an address that was not asked: no client takes it.
fn from_elsewhere(case: &Case<'_>, stray: StrayAnswer) -> Finding {
    let client = case.handshake.client;
    let StrayAnswer { asked, syn, answered, answer } = stray;
    let summary =
        format!("{answered} answers the SYN that {client} sent to {asked}; a client takes an answer only from the address that it asked.");
    Finding::new(Cause::TcpHandshakeIncomplete, Confidence::Strong, summary)
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Network)
        .shown_by(syn, format!("SYN to {asked}"))
        .shown_by(answer, format!("SYN-ACK from {answered} that acknowledges it"))
        .advise("The answer has to come back the way of the SYN, so that whoever changed the destination address changes it back: NAT without hairpin, a balancer that is not its servers' gateway, direct return without the virtual address on the loopback.")
        .advise(remedy::route_to(client.address).operand("from").operand(answered.address))
}

/// Each answer arrives at a host that asked, goes on asking, and knows nothing of it.
fn unknown_to_client(case: &Case<'_>, answer: SynFacts, reset: &Reset) -> Finding {
    let (client, server) = (case.handshake.client.address, case.handshake.server);
    let summary = format!(
        "{client} answers each SYN-ACK of {server} with a RST and goes on asking: the answers arrive, and are not from whom it asked, or a packet filter of its own refuses them."
    );
    Finding::new(Cause::TcpHandshakeIncomplete, Confidence::Strong, summary)
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Network)
        .shown_by(answer.first, "SYN-ACK")
        .shown_by(reset.mark, "the client's RST, which answers it")
        .shown_by(answer.last, format!("SYN-ACK no. {}, answered likewise", answer.count))
        .or_else(&[Cause::OneWayPath, Cause::TcpProbe])
        .advise(format!("Capture on {client} and compare the address that its SYN goes to with the one that the SYN-ACK comes from. Where they differ, the answer does not come back the way of the SYN: NAT without hairpin, a balancer that is not its servers' gateway, direct return without the virtual address on the loopback."))
        .advise("Where they are the same, look at the packet filter of the client:")
        .advise(remedy::capture_here(case.handshake, "-n"))
}

fn check(case: &Case<'_>) -> Option<Finding> {
    if let Some(stray) = case.knowledge.stray_answer {
        return Some(from_elsewhere(case, stray));
    }
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() || case.handshake.flow.established().is_some() || view.spoke(Side::Client) || view.spoke(Side::Server) {
        return None;
    }
    // Of a flood every SYN was sent once, and nobody waits for its answer.
    if view.left_without_a_word().is_some() || case.knowledge.is_flooded() && view.client().packets == 1 {
        return None;
    }
    let answer = view.server().syn?;
    let client = case.handshake.client;
    if answer.disputed && !view.server().resets.is_empty() {
        return Some(disputed(case, answer));
    }
    if let Some(reset) = super::refuses_answers(view) {
        return (!super::is_hasty(case.handshake)).then(|| unknown_to_client(case, answer, reset));
    }
    let syns = view.client().syn.map_or(0, |syn| syn.count);
    // With the number that the SYN-ACK acknowledges, behind the last of them, it says that they arrive.
    let answers = |reset: &Reset| reset.unknowing && reset.seq_distance == 0 && reset.mark > answer.last;
    let gone = view.client().resets.first().filter(|reset| answer.count == 1 && syns <= 1 || answers(reset));
    // It is not the client's, and told as such.
    let foreign = gone.map(|reset| Ending { side: Side::Client, mark: reset.mark, reset: Some(reset), unseen: false });
    if foreign.is_some_and(|ending| view.is_foreign(&ending)) && view.made_by_a_system() {
        return None;
    }
    let arrives = gone.is_none() && view.near_side() == Some(Side::Client);
    let over = gone.and_then(|reset| case.last_of_many(reset.mark, None));
    let (confidence, summary) = match (gone, over) {
        (Some(_), Some(count)) => (
            Confidence::Likely,
            format!(
                "{client} answered the late SYN-ACK with a RST: it had made {} to the server within two seconds, all of them served, and made none after that: its program had ended.",
                counted(count as u64, "other connection", "other connections")
            ),
        ),
        (Some(_), None) => (Confidence::Likely, format!("{client} answered the late SYN-ACK with a RST: it had given up waiting.")),
        (None, _) if syns > 1 && arrives => (
            Confidence::Strong,
            format!(
                "The server's SYN-ACKs arrive, and {client} ignores them: it sent its SYN {syns}.",
                client = client.address,
                syns = times(syns)
            ),
        ),
        (None, _) if syns > 1 => {
            (Confidence::Strong, format!("The server's SYN-ACKs do not reach {client}: it sent its SYN {syns}.", syns = times(syns)))
        }
        (None, _) => (
            Confidence::Likely,
            format!("{client} never completed the TCP handshake: the SYN-ACK was sent {} and never acknowledged.", times(answer.count)),
        ),
    };
    let finding = Finding::new(Cause::TcpHandshakeIncomplete, confidence, summary)
        .weight(Weight::Overrides)
        .stopped_by(if gone.is_some() || arrives { StoppedBy::Client } else { StoppedBy::Network })
        .shown_by(answer.first, "SYN-ACK")
        .shown_by(answer.last, format!("SYN-ACK no. {}, never acknowledged", answer.count))
        .or_else(match (gone, arrives) {
            (Some(_), _) => &[Cause::TcpProbe],
            (None, true) => &[Cause::OneWayPath],
            (None, false) => &[Cause::OneWayPath, Cause::TcpSynUnanswered],
        });
    let finding = if over.is_some() { finding.undecided() } else { finding };
    let finding = if case.knowledge.is_flooded() {
        finding.noting(format!(
            "{} to this server at that time",
            counted(case.knowledge.flood_half_open, "half-open connection", "half-open connections")
        ))
    } else {
        finding
    };
    if arrives {
        return Some(ignored_by(case, Side::Client, finding));
    }
    Some(
        finding
            .advise("Capture on the client at the same time to see whether the SYN-ACK arrives, and compare the routes of both directions:")
            .advise(remedy::route_to(client.address).operand("from").operand(case.handshake.server.address)),
    )
}
