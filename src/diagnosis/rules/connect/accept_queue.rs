//! `accept-queue-full`: the server's application does not accept connections.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::{counted, times};

use super::{accepts_without_serving, syn_ignored, syn_repeated};

pub(super) const RULE: Rule = Rule { cause: Cause::AcceptQueueFull, against: &[], page: page!("accept-queue-full"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    // Where two points of capture tell that the client's packets died in between, no queue is to blame.
    if !view.failed_over_tcp() || view.spoke(Side::Server) || case.knowledge.is_flooded() || view.lost_between_points(Side::Client) {
        return None;
    }
    if syn_ignored(view) {
        return syn_ignored_by_busy_server(case, view);
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
    Some(
        Finding::new(
            Cause::AcceptQueueFull,
            confidence,
            format!("{} sent its SYN-ACK {} and ignores the ClientHello: its accept queue is full.", case.handshake.server, times(answer.count)),
        )
        .stopped_by(StoppedBy::Server)
        .shown_by(hello, "the client's first data, never acknowledged")
        .shown_by(answer.last, format!("SYN-ACK no. {}", answer.count))
        .or_else(&[Cause::OneWayPath])
        .advise("On the server, check whether the accept queue is full (Recv-Q has reached Send-Q) and why the process does not accept connections:")
        .advise(remedy::ss_listen(case.handshake.server.port))
        .advise(Command::new("nstat -az TcpExtListenOverflows TcpExtListenDrops")),
    )
}

fn syn_ignored_by_busy_server(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    if !syn_repeated(view) || !accepts_without_serving(case) {
        return None;
    }
    let syn = view.client().syn?;
    Some(
        Finding::new(
            Cause::AcceptQueueFull,
            Confidence::Strong,
            format!("{} ignored {} after it had accepted connections that it never served: its accept queue is full.", case.handshake.server, counted(syn.count, "SYN", "SYNs")),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Server)
        .shown_by(syn.last, format!("SYN no. {}, unanswered", syn.count))
        .noting("the server accepted other connections and never answered their ClientHello")
        .or_else(&[Cause::TcpSynUnanswered])
        .advise("On the server, check whether the accept queue is full (Recv-Q has reached Send-Q) and why the process does not accept connections:")
        .advise(remedy::ss_listen(case.handshake.server.port))
        .advise(Command::new("nstat -az TcpExtListenOverflows TcpExtListenDrops")),
    )
}
