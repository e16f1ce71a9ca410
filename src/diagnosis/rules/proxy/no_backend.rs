//! `load-balancer-no-backend`: accepted, then closed, with nobody behind it.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::LoadBalancerNoBackend,
    against: &[told(Contrary::OthersCompleted)],
    page: page!("load-balancer-no-backend"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    if !view.failed_over_tcp()
        || !view.is_up()
        || handshake.preamble.is_some()
        || view.answer_begun()
        || view.server().bytes_seen > 0
        || !handshake.flow.saw_start()
    {
        return None;
    }
    let ending = view.ended_by(Side::Server)?;
    let up = handshake.flow.established().unwrap_or(handshake.flow.first);
    let since_up = ending.mark.time.since(up.time);
    let unread =
        view.client().acked == 0 && !view.hello_mark().is_some_and(|hello| hello.frame < ending.mark.frame && ending.reset.is_some());
    let before = view.hello_mark().is_none_or(|hello| hello.frame > ending.mark.frame) || unread;
    let evidence = |finding: Finding| {
        finding
            .stopped_by(StoppedBy::Server)
            .shown_by(up, "TCP connection up")
            .shown_by(ending.mark, format!("the server's {} {} later, with no byte before it", ending.name(), span_text(since_up)))
            .or_else(&[Cause::ServerClosed, Cause::ProxyProtocolMissing])
            .advise("On the load balancer, check whether the backends are up and pass their health checks. If there is no load balancer, check the access lists on the server.")
            .advise(remedy::s_client(handshake, ""))
    };
    // others get through: some backend lives, or it is this client that is not wanted
    let alive = case.knowledge.completed > 0;
    // A system that does not know the connection is not the one that accepted it.
    let before = before && !view.disowns(&ending);
    if before && since_up <= view.rtt() * 2 + AT_ONCE {
        let summary =
            format!("{} accepted the connection and closed it {} later, before any ClientHello.", handshake.server, span_text(since_up));
        let (confidence, weight) = if alive { (Confidence::Hint, Weight::Note) } else { (Confidence::Likely, Weight::Explains) };
        return Some(evidence(Finding::new(Cause::LoadBalancerNoBackend, confidence, summary).weight(weight)));
    }
    let hello = view.hello_mark().filter(|hello| hello.frame < ending.mark.frame && view.hello_whole())?;
    let after = ending.mark.time.since(hello.time);
    // What is closed before the hello in one connection and behind it in the next was closed for the same reason: the hello was faster.
    let as_before = case.knowledge.causes.iter().any(|(cause, _)| *cause == Cause::LoadBalancerNoBackend);
    if as_before && !alive && after <= AT_ONCE && ending.reset.is_none() {
        let summary = format!(
            "{} closed {} after the ClientHello without sending a byte, as it closed another connection before any ClientHello.",
            handshake.server,
            span_text(after)
        );
        let finding = Finding::new(Cause::LoadBalancerNoBackend, Confidence::Likely, summary).weight(Weight::Explains);
        return Some(evidence(finding.shown_by(hello, "ClientHello")));
    }
    let retries = after.abs_diff(HAPROXY_RETRIES) <= TIMER_SLACK + view.rtt() && ending.reset.is_none();
    retries.then(|| {
        let summary = format!(
            "{} received the ClientHello and closed after {} without sending a byte, like a load balancer that found no backend in three retries.",
            handshake.server,
            span_text(after)
        );
        let (confidence, weight) = if alive { (Confidence::Hint, Weight::Note) } else { (Confidence::Likely, Weight::Explains) };
        let finding = Finding::new(Cause::LoadBalancerNoBackend, confidence, summary).weight(weight).shown_by(hello, "ClientHello");
        // So long may a balancer wait for what a backend says, too.
        evidence(finding.or_else(&[Cause::ServerTimeout]))
    })
}

/// Accepting, looking for a backend and closing takes no longer; a server's timeout for a silent client does.
const AT_ONCE: Duration = Duration::from_millis(500);
/// `HAProxy`'s default of three retries, a second apart.
const HAPROXY_RETRIES: Duration = Duration::from_secs(3);
/// How exact such a timer is.
const TIMER_SLACK: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::knowledge::Knowledge;
    use crate::diagnosis::testing::{at, cause, connection, hello, said_hello, verdict_knowing};
    use crate::handshake::Handshake;
    use crate::handshake::facts::Outcome;
    use crate::transport::Reset;

    fn closed_by_server(millis: i64) -> Handshake {
        let mut handshake = connection("192.0.2.1:443");
        handshake.flow.sides.server.fin = Some((at(9, millis), 0));
        handshake.flow.last = at(9, millis);
        (handshake.outcome, handshake.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        handshake
    }

    #[test]
    fn closed_before_a_byte() {
        assert_eq!(cause(&closed_by_server(12)), Some(Cause::LoadBalancerNoBackend));
    }

    #[test]
    fn a_system_that_does_not_know_the_connection_has_not_accepted_it() {
        let reset = |unknowing| {
            let mut handshake = closed_by_server(12);
            handshake.flow.sides.server.fin = None;
            handshake.flow.sides.server.resets = vec![Reset { unknowing, ..Reset::fitting(at(9, 12), 64) }];
            handshake.outcome = Outcome::Reset;
            cause(&handshake)
        };
        assert_eq!((reset(false), reset(true)), (Some(Cause::LoadBalancerNoBackend), Some(Cause::ServerReset)));
    }

    #[test]
    fn a_servers_patience_with_a_silent_client_is_something_else() {
        assert_ne!(cause(&closed_by_server(60_000)), Some(Cause::LoadBalancerNoBackend));
    }

    #[test]
    fn others_who_get_through_make_it_doubtful() {
        let knowledge = Knowledge { completed: 3, attempts: 3, speaks_tls: true, ..Knowledge::default() };
        let verdict = verdict_knowing(&closed_by_server(12), &knowledge);
        assert_ne!(verdict.cause(), Some(Cause::LoadBalancerNoBackend));
    }

    #[test]
    fn a_hello_that_was_faster_changes_nothing() {
        let closed = |before: u32, completed: u32| {
            let mut handshake = closed_by_server(20);
            said_hello(&mut handshake, at(4, 11));
            let client = &mut handshake.flow.sides.client;
            (client.first_data, client.last_data, client.highest, client.acked) = (Some(at(4, 11)), Some(at(4, 11)), 300, 300);
            let causes = if before > 0 { vec![(Cause::LoadBalancerNoBackend, before)] } else { Vec::new() };
            let knowledge = Knowledge { attempts: before + completed, completed, causes, ..Knowledge::default() };
            verdict_knowing(&handshake, &knowledge).cause.map(|finding| (finding.cause, finding.confidence))
        };
        assert_eq!(closed(1, 0), Some((Cause::LoadBalancerNoBackend, Confidence::Likely)));
        assert_ne!(closed(0, 0).map(|found| found.0), Some(Cause::LoadBalancerNoBackend), "nothing else shows it");
        assert_ne!(closed(1, 1).map(|found| found.0), Some(Cause::LoadBalancerNoBackend), "a backend lives");
    }

    #[test]
    fn a_close_right_after_the_client_hello_is_only_a_close() {
        let mut handshake = closed_by_server(20);
        hello(&mut handshake, at(4, 11));
        handshake.flow.sides.client.acked = 517;
        let cause = cause(&handshake);
        assert!(cause != Some(Cause::LoadBalancerNoBackend) && cause != Some(Cause::ProxyProtocolMissing), "{cause:?}");
    }
}
