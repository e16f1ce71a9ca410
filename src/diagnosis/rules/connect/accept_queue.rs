//! `accept-queue-full`: the server's application does not accept connections.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::{counted, times};

use super::{accepts_without_serving, syn_ignored, syn_repeated};

pub(super) const RULE: Rule = Rule { cause: Cause::AcceptQueueFull, against: &[], page: page!("accept-queue-full"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if case.handshake.outcome == Outcome::Completed {
        return late_for_the_queue(case, view);
    }
    if let Some(finding) = overlooked_at_server(case, view) {
        return Some(finding);
    }
    // Where two points of capture tell that the client's packets died in between, no queue is to blame.
    if !view.failed_over_tcp() || view.spoke(Side::Server) || case.knowledge.is_flooded() || view.lost_between_points(Side::Client) {
        return None;
    }
    if syn_ignored(view) {
        return syn_ignored_by_busy_server(case, view);
    }
    if let Some(finding) = no_room_for_the_third(case, view) {
        return Some(finding);
    }
    let answer = view.server().syn.filter(|syn| syn.count >= 2)?;
    let hello = view.client().first_data?;
    if view.client().acked > 0 {
        return None;
    }
    // Seen at the client alone this is as much a path that loses the client's packets.
    let at_server = view.near_side() == Some(Side::Server);
    let confidence = if at_server {
        Confidence::Certain
    } else if accepts_without_serving(case) || view.same_link() {
        Confidence::Strong
    } else {
        return None;
    };
    let finding = Finding::new(
        Cause::AcceptQueueFull,
        confidence,
        format!(
            "{} sent its SYN-ACK {} and ignores the ClientHello: its accept queue is full.",
            case.handshake.server,
            times(answer.count)
        ),
    )
    .stopped_by(StoppedBy::Server)
    .shown_by(hello, "the client's first data, never acknowledged")
    .shown_by(answer.last, format!("SYN-ACK no. {}", answer.count))
    .or_else(&[Cause::OneWayPath]);
    Some(find_out_why(finding, case.handshake.server.port))
}

/// Whether the queue is full, and why.
fn find_out_why(finding: Finding, port: u16) -> Finding {
    finding
        .advise("On the server, check whether the accept queue is full (Recv-Q has reached Send-Q) and why the process does not accept connections:")
        .advise(remedy::ss_listen(port))
        .advise(Command::new("nstat -az TcpExtListenOverflows TcpExtListenDrops"))
}

/// The handshake completed, a while after it might have.
fn late_for_the_queue(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let (syn, answer) = view.client().syn.zip(view.server().syn).filter(|_| case.syn_was_passed_over())?;
    let (server, waited) = (case.handshake.server, span_text(answer.first.time.since(syn.first.time)));
    let finding = Finding::new(
        Cause::AcceptQueueFull,
        Confidence::Likely,
        format!("{server} took no notice of the client's SYN for {waited}: its queue of connections was full for a moment."),
    )
    .stopped_by(StoppedBy::Nobody)
    .shown_by(syn.first, "SYN, unanswered")
    .shown_by(answer.first, format!("SYN-ACK for SYN no. {}", syn.count));
    let crowd = case.knowledge.crowd;
    let finding = if case.at_the_servers_host() {
        finding.noting("this was captured on the server's own host: the SYN had arrived there")
    } else {
        let (lost, up) = (counted(crowd.asked_again, "other SYN", "other SYNs"), counted(crowd.up, "connection", "connections"));
        finding.noting(format!(
            "{lost} of the same moment went unanswered as well, while {up} that the client had opened just before came up, and no other packet of any of them was lost"
        ))
    };
    Some(
        finding
            .or_else(&[Cause::PacketLoss])
            .advise("On the server, look whether its queue overflows (Send-Q of a listening socket is its length), and give the program a longer one (listen backlog, net.core.somaxconn):")
            .advise(remedy::ss_listen(server.port))
            .advise(Command::new("nstat -az TcpExtListenOverflows TcpExtListenDrops")),
    )
}

/// Next to a server that serves others, SYNs arrive and are not answered, several within the same seconds; their clients did not wait for a second try.
fn overlooked_at_server(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let syn = view.client().syn.filter(|syn| case.gave_up_its_syn() && !view.is_fresh(syn.ttl))?;
    let mut own = case.knowledge.server_ttls.iter().peekable();
    let near = own.peek().is_some() && own.all(|ttl| view.is_fresh(*ttl));
    let others = case.knowledge.related.iter().filter(|other| other.same_endpoint && other.went_unanswered).count();
    if !near || others < SEVERAL || case.knowledge.is_flooded() {
        return None;
    }
    let server = case.handshake.server;
    let finding = Finding::new(
        Cause::AcceptQueueFull,
        Confidence::Likely,
        format!(
            "{server} took no notice of this SYN, nor of {} of the same seconds, though it serves others: its queue of connections was full.",
            counted(others as u64, "other", "others")
        ),
    )
    .weight(Weight::Overrides)
    .stopped_by(StoppedBy::Server)
    .shown_by(syn.first, "SYN, unanswered, seen next to the server")
    .or_else(&[Cause::PacketLoss, Cause::TcpSynUnanswered]);
    Some(find_out_why(finding, server.port))
}

/// Next to the server, a hello comes again and again and is not acknowledged, while others of the same moment were taken in at once, or after some repeats:
/// the client believes that the connection is up, and the server had no room for it when the third packet of TCP came.
fn no_room_for_the_third(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let near = view.near_side() == Some(Side::Server) || view.same_link();
    let hello = view.hello_first().filter(|_| near && view.is_up() && view.hello_unacked() && view.hello_copies() >= 2)?;
    let start = facts.flow.first.time;
    let burst = case
        .knowledge
        .related
        .iter()
        .filter(|other| other.same_endpoint && other.outcome == Outcome::Completed && other.start.time.apart(start) <= BURST);
    let (late, at_once) = burst.fold((0, 0), |(late, at_once), other| if other.resent { (late + 1, at_once) } else { (late, at_once + 1) });
    if late < SEVERAL || at_once == 0 {
        return None;
    }
    let server = facts.server;
    let finding = Finding::new(
        Cause::AcceptQueueFull,
        Confidence::Likely,
        format!(
            "{server} took no notice of the ClientHello, sent {}, while it served others of the same moment, {} of them after repeats: it had no room for the connection.",
            times(view.hello_copies()),
            late
        ),
    )
    .weight(Weight::Overrides)
    .stopped_by(StoppedBy::Server)
    .shown_by(hello, "ClientHello, seen next to the server and never acknowledged")
    .or_else(&[Cause::ClientHelloDropped]);
    Some(find_out_why(finding, server.port))
}

/// Connections that a queue meets together begin within this time.
const BURST: Duration = Duration::from_secs(1);
/// Others that went unanswered with it.
const SEVERAL: usize = 2;

fn syn_ignored_by_busy_server(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    if !syn_repeated(view) || !accepts_without_serving(case) {
        return None;
    }
    let syn = view.client().syn?;
    let finding = Finding::new(
        Cause::AcceptQueueFull,
        Confidence::Strong,
        format!(
            "{} ignored {} after it had accepted connections that it never served: its accept queue is full.",
            case.handshake.server,
            counted(syn.count, "SYN", "SYNs")
        ),
    )
    .weight(Weight::Overrides)
    .stopped_by(StoppedBy::Server)
    .shown_by(syn.last, format!("SYN no. {}, unanswered", syn.count))
    .noting("the server accepted other connections and never answered their ClientHello")
    .or_else(&[Cause::TcpSynUnanswered]);
    Some(find_out_why(finding, case.handshake.server.port))
}
