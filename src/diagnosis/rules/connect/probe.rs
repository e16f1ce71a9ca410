//! `tcp-probe`: nobody wanted a handshake. Health checks, scans, connections opened ahead of use.

use std::time::Duration;

use super::checks;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::races;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{Ending, View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::handshake::greeting::ungreeted;
use crate::wording::{counted, times};

pub(super) const RULE: Rule = Rule { cause: Cause::TcpProbe, against: &[], page: page!("tcp-probe"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let found = traced(case)
        .or_else(|| scanned(case))
        .or_else(|| pinged(case))
        .or_else(|| checked_by_haproxy(case))
        .or_else(|| played_back(case))
        .or_else(|| lost_race(case))
        .or_else(|| checks::before_tls(case))
        .or_else(|| checks::named(case));
    if let Some(finding) = found {
        return Some(finding);
    }
    let ending = view.left_without_a_word()?;
    let up = facts.flow.established().or_else(|| view.server().syn.map(|syn| syn.first)).unwrap_or(facts.flow.first);
    let stayed = ending.mark.time.since(up.time);
    if view.waits_for_greeting().is_some() || ungreeted(facts).is_some() || case.connect_limit().is_some() {
        return None;
    }
    if let Some(finding) = gave_up_connecting(case, view, &ending) {
        return Some(finding);
    }
    let rhythm = case.knowledge.rhythm.and_then(|rhythm| Some((rhythm.count, rhythm.every?)));
    let served = case.knowledge.related.iter().any(|other| other.same_endpoint && other.outcome == Outcome::Completed);
    let (client, server) = (facts.client.address, facts.server);
    let came = if view.is_up() {
        format!("{client} connected to {server} and left after {} without sending a byte", span_text(stayed))
    } else {
        format!("{client} answered the SYN-ACK of {server} with a RST")
    };
    let (confidence, summary) = match rhythm {
        Some((count, every)) => (
            Confidence::Strong,
            format!("{came}, as it does every {} ({count}): a health check.", interval_text(every), count = times(count)),
        ),
        // Who answers the SYN-ACK so may have given up before it came.
        None if served => (
            if view.is_up() { Confidence::Strong } else { Confidence::Likely },
            format!("{came}, while another of its connections was served: a spare connection."),
        ),
        None if stayed < WAITS => (Confidence::Strong, format!("{came}: a health check, a scan or an unneeded connection.")),
        None => (Confidence::Likely, format!("{came}: a pre-opened connection that was not needed, or a health check.")),
    };
    // What the server said, and what was said in its name, is not in a capture of the client's packets alone.
    let confidence = if view.server().packets == 0 { confidence.min(Confidence::Likely) } else { confidence };
    Some(
        Finding::new(Cause::TcpProbe, confidence, summary)
            .weight(Weight::Unwanted)
            .stopped_by(StoppedBy::Client)
            .shown_by(up, if view.is_up() { "TCP connection up" } else { "SYN-ACK" })
            .shown_by(ending.mark, format!("the client's {}, with no payload before it", ending.name()))
            .advise("Nothing failed. If the server's log complains, configure the health check to use TLS."),
    )
}

/// When the answer came, the program that had asked was gone. One that gives up again and again has a limit, and is told as such.
fn gave_up_connecting(case: &Case<'_>, view: View<'_>, ending: &Ending<'_>) -> Option<Finding> {
    let took = view.gave_up_connecting()?;
    let (syn, answer) = (view.client().syn?, view.server().syn?);
    let (client, server) = (case.handshake.client.address, case.handshake.server);
    let spare = case.was_spare();
    let summary = if spare {
        format!(
            "{client} had given this connection up when the SYN-ACK of {server} came, less than {} after its SYN, while another of its connections was served: a spare connection.",
            span_text(took)
        )
    } else {
        format!(
            "{client} had given up when the SYN-ACK of {server} came, less than {} after its SYN: its time limit for connecting is shorter than the round trip, or another connection was faster.",
            span_text(took)
        )
    };
    let finding = Finding::new(Cause::TcpProbe, Confidence::Likely, summary)
        .weight(Weight::Unwanted)
        .stopped_by(StoppedBy::Client)
        .shown_by(syn.first, "SYN")
        .shown_by(answer.first, format!("SYN-ACK, {} later", span_text(answer.first.time.since(syn.first.time))))
        .shown_by(ending.mark, "the RST of the client's system: no program waits any more")
        .or_else(&[Cause::ClientTimeout]);
    Some(
        finding
            .advise("If the client reports that it could not connect, raise its time limit for connecting above the round trip, or find out what makes the path so long.")
            .advise(remedy::port_open(case.handshake)),
    )
}

/// An interval as somebody has set it: nobody sets odd milliseconds.
fn interval_text(every: Duration) -> String {
    let step = if every < Duration::from_secs(1) { 10 } else { 100 };
    let millis = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    span_text(Duration::from_millis((millis + step / 2) / step * step))
}

/// `HAProxy`'s `option ssl-hello-chk` sends a `ClientHello` of SSL 3.0 whose random is a text, and takes a server for up that answers it with a
/// handshake or an alert.
fn checked_by_haproxy(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let hello = facts.last_hello().filter(|hello| hello.what.random().ends_with(HAPROXY))?;
    let alert = facts.alerts.iter().find(|seen| seen.from == Side::Server).map(|seen| seen.mark);
    let answer = alert.or_else(|| facts.server_hello.as_ref().map(|seen| seen.mark))?;
    let summary = format!(
        "{} checked {} with the ClientHello of HAProxy's `option ssl-hello-chk`, which takes any answer of TLS for a sign of life, an alert too: a health check.",
        facts.client.address, facts.server
    );
    Some(
        Finding::new(Cause::TcpProbe, Confidence::Certain, summary)
            .weight(Weight::Unwanted)
            .stopped_by(facts.stopped_by)
            .shown_by(hello.mark, "ClientHello whose random is the text HAPROXYSSLCHK")
            .shown_by(answer, "the server's answer, which the check wanted")
            .advise("Nothing failed. In HAProxy, `check-ssl` in place of `option ssl-hello-chk` checks with a handshake of today, and leaves no errors in the server's log."),
    )
}

/// A client that tries QUIC and TCP at a time takes what is ready first, and drops the other in the middle, or lets it lie.
fn lost_race(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let answer = view.server().first_data.map(|answer| (answer, "the first answer here, to which the client says nothing"));
    let lay = races::overtaken(case).zip(answer);
    let (winner, (end, what)) = lay.or_else(|| Some((races::dropped_for(case)?, (facts.end?, "the client drops this one"))))?;
    let (this, other) = if view.is_tcp() { ("TCP", "QUIC") } else { ("QUIC", "TCP") };
    let summary = format!(
        "{} tried {} over {this} and over {other} at a time, and left the attempt over {this} when the other was ready.",
        facts.client.host(),
        view.target()
    );
    Some(
        Finding::new(Cause::TcpProbe, Confidence::Likely, summary)
            .weight(Weight::Unwanted)
            .stopped_by(StoppedBy::Client)
            .shown_by(winner.start, format!("the attempt over {other}, which completed"))
            .shown_by(end, what)
            .advise("Nothing failed."),
    )
}

/// The client sends what was recorded once, at regular intervals, and leaves each time when the server begins to answer: nobody draws a random twice.
fn played_back(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let (count, every) =
        case.knowledge.recorded.filter(|rhythm| rhythm.count >= PLAYED).and_then(|rhythm| Some((rhythm.count, rhythm.every?)))?;
    let (hello, answer) = (facts.last_hello()?, facts.server_hello.as_ref()?);
    let ending = View::new(facts).ended_by(Side::Client)?;
    let (client, server, every) = (facts.client.address, facts.server, interval_text(every));
    Some(
        Finding::new(
            Cause::TcpProbe,
            Confidence::Likely,
            format!("{client} sent {server} the same ClientHello {} every {every}, with the same random, and left as soon as it was answered: a health check that plays back a recorded ClientHello.", times(count)),
        )
        .weight(Weight::Unwanted)
        .stopped_by(StoppedBy::Client)
        .shown_by(hello.mark, "ClientHello whose random came before")
        .shown_by(answer.mark, "the server begins to answer")
        .shown_by(ending.mark, format!("the client's {}, with no alert before it", ending.name()))
        .or_else(&[Cause::ClientAborted, Cause::ServerCertificateRejected])
        .advise("Nothing failed. In HAProxy, `check-ssl` in place of `tcp-check send-binary` checks with a handshake of its own, and leaves no errors in the server's log."),
    )
}

/// So many connections with one random are no accident of a weak generator.
const PLAYED: u32 = 4;

/// The text in the place of a random, behind the time.
const HAPROXY: &[u8] = b"HAPROXYSSLCHK\nHAPROXYSSLCHK\n";

/// One of the SYNs by which the hops to the server are counted.
fn traced(case: &Case<'_>) -> Option<Finding> {
    let note = super::died_as_meant(case)?;
    let syn = View::new(case.handshake).client().syn?;
    let (client, server) = (case.handshake.client.address, case.handshake.server);
    let hops = counted(syn.ttl, "hop", "hops");
    Some(
        Finding::new(
            Cause::TcpProbe,
            Confidence::Strong,
            format!(
                "{client} sent {server} a SYN that was to live for {hops} more, and {} reported its end: a traceroute over TCP.",
                note.reporter
            ),
        )
        .weight(Weight::Unwanted)
        .stopped_by(StoppedBy::Client)
        .shown_by(syn.first, format!("SYN with {hops} to live"))
        .shown_by(note.mark, format!("{} reports that it has expired", note.reporter))
        .advise("Nothing failed."),
    )
}

/// One of many handshakes of a scan: what became of it tells what the scan asked for, and nothing of those who want to be served.
fn scanned(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let scan = case.knowledge.scan.filter(|_| facts.outcome.failed())?;
    let end = facts.end.unwrap_or(facts.flow.last);
    Some(
        Finding::new(
            Cause::TcpProbe,
            Confidence::Strong,
            format!(
                "{} tried {} within {} at {}, most with different ClientHellos, and used none of them: a TLS scan.",
                facts.client.address,
                counted(scan.attempts, "handshake", "handshakes"),
                span_text(scan.span),
                facts.server
            ),
        )
        .weight(Weight::Unwanted)
        .stopped_by(facts.stopped_by)
        .shown_by(end, "end of this handshake, one of the scan's")
        .advise("Nothing failed. Find out who runs the scan if you do not know it."),
    )
}

/// It asked faster than systems do, and wanted none of the answers.
fn pinged(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let (syn, answer) = (view.client().syn?, view.server().syn?);
    let reset = super::refuses_answers(view).filter(|_| super::is_hasty(case.handshake))?;
    let (client, server) = (case.handshake.client.address, case.handshake.server);
    let count = times(syn.count);
    Some(
        Finding::new(
            Cause::TcpProbe,
            Confidence::Strong,
            format!(
                "{client} sent {server} its SYN {count} within {} and answered each SYN-ACK with a RST: a scan, a traceroute or a ping over TCP.",
                span_text(syn.last.time.since(syn.first.time))
            ),
        )
        .weight(Weight::Unwanted)
        .stopped_by(StoppedBy::Client)
        .shown_by(answer.first, "SYN-ACK")
        .shown_by(reset.mark, "the client's RST, which answers it")
        .advise("Nothing failed."),
    )
}

/// A client that stays so long without a byte waits for something.
const WAITS: Duration = Duration::from_secs(2);
