use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::knowledge::{Knowledge, Related};
use crate::diagnosis::rule::{Case, Confidence, Finding, Policy};
use crate::diagnosis::rules;
use crate::diagnosis::testing::{at, over_udp};
use crate::flow::{Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{ClosedBy, HelloPacket, Outcome, Protocol, QuicFacts};
use crate::packet::IcmpKind;
use crate::quic::version::Version;
use crate::transport::IcmpNote;

fn check(cause: Cause, handshake: &Handshake, knowledge: &Knowledge) -> Option<Finding> {
    let policy = Policy::default();
    let case = Case { handshake, chain: None, client_chain: None, knowledge, policy: &policy };
    (rules::of(cause).unwrap().check)(&case)
}

/// A client whose hello (frame 1) was sent again at 1 s and 3 s, given up as stalled after a minute.
fn unanswered() -> Handshake {
    let mut handshake = over_udp(Protocol::Quic);
    let mut quic = QuicFacts::new(Version::V1);
    quic.repeats.client = 2;
    quic.repeated.client = Some((at(2, 1000), at(3, 3000)));
    handshake.quic = Some(Box::new(quic));
    handshake
}

/// The same, with an acknowledgment of the server at 20 ms (frame 2).
fn acknowledged() -> Handshake {
    let mut handshake = unanswered();
    handshake.tcp.sides.server.packets = 1;
    handshake.tcp.sides.server.data_packets = 1;
    handshake.quic.as_mut().unwrap().acked.client = Some(at(2, 20));
    handshake
}

fn related(transport: Transport, outcome: Outcome) -> Knowledge {
    let related = Related {
        start: at(9, 500),
        same_endpoint: false,
        same_name: true,
        outcome,
        cause: None,
        highest_version: None,
        post_quantum: false,
        hello_len: 500,
        went_unanswered: false,
        transport,
        answered_in: None,
    };
    Knowledge { related: vec![related], ..Knowledge::default() }
}

fn note(kind: IcmpKind, about: Side, quoted_len: u32) -> IcmpNote {
    let reporter = std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));
    IcmpNote { mark: at(4, 30), reporter, kind, icmp_type: 3, code: 4, about, quoted_len, ignored: 0 }
}

#[test]
fn tcp_to_the_same_server_shows_that_udp_is_blocked() {
    let handshake = unanswered();
    let finding = check(Cause::QuicBlocked, &handshake, &related(Transport::Tcp, Outcome::Completed)).unwrap();
    assert_eq!(finding.confidence, Confidence::Strong);
    assert!(finding.evidence.iter().any(|piece| piece.mark == Some(at(9, 500))), "the TCP connection is evidence");
    for knowledge in [Knowledge::default(), related(Transport::Udp, Outcome::Completed), related(Transport::Tcp, Outcome::Refused)] {
        assert_eq!(check(Cause::QuicBlocked, &handshake, &knowledge), None);
    }
    assert!(check(Cause::QuicServerSilent, &handshake, &Knowledge::default()).unwrap().alternatives.contains(&Cause::QuicBlocked));
    let mut refused = unanswered();
    refused.tcp.icmp.push(note(IcmpKind::PortUnreachable, Side::Client, 1228));
    assert_eq!(check(Cause::QuicBlocked, &refused, &related(Transport::Tcp, Outcome::Completed)), None);
    assert!(check(Cause::QuicRefused, &refused, &Knowledge::default()).is_some());
}

#[test]
fn a_token_that_is_not_taken_is_a_loop_and_two_retries_alone_are_none() {
    let mut handshake = acknowledged();
    let quic = handshake.quic.as_mut().unwrap();
    quic.retry.add(at(2, 20), 40);
    quic.retry.add(at(3, 21), 40);
    assert_eq!(check(Cause::QuicRetryLoop, &handshake, &Knowledge::default()), None, "a hello of two packets gets two");
    let quic = handshake.quic.as_mut().unwrap();
    quic.token = Some(at(4, 40));
    quic.retries_after_token = 1;
    assert_eq!(check(Cause::QuicRetryLoop, &handshake, &Knowledge::default()).unwrap().confidence, Confidence::Strong);

    let mut handshake = acknowledged();
    let close = ClosedBy { from: Side::Server, code: 0x0b, application: false, reason: String::new(), mark: at(5, 60) };
    handshake.quic.as_mut().unwrap().closes.push(close);
    handshake.outcome = Outcome::Closed;
    assert_eq!(check(Cause::QuicRetryLoop, &handshake, &Knowledge::default()).unwrap().confidence, Confidence::Certain);
}

#[test]
fn datagrams_that_are_too_large_are_told_by_icmp_and_by_what_arrives() {
    let mut handshake = unanswered();
    assert_eq!(check(Cause::QuicMtu, &handshake, &Knowledge::default()), None);
    handshake.tcp.icmp.push(note(IcmpKind::TooBig(1200), Side::Client, 1228));
    assert_eq!(check(Cause::QuicMtu, &handshake, &Knowledge::default()).unwrap().confidence, Confidence::Certain);

    let mut handshake = acknowledged();
    let quic = handshake.quic.as_mut().unwrap();
    quic.repeats.server = 3;
    quic.repeated.server = Some((at(5, 200), at(9, 2000)));
    quic.largest_acked.server = 90;
    quic.largest_unacked.server = 1252;
    assert_eq!(check(Cause::QuicMtu, &handshake, &Knowledge::default()).unwrap().confidence, Confidence::Likely);
    handshake.quic.as_mut().unwrap().largest_acked.server = 1252;
    assert_eq!(check(Cause::QuicMtu, &handshake, &Knowledge::default()), None, "as large a one arrived");
}

#[test]
fn a_hello_that_arrives_in_part_is_a_split_one() {
    let mut handshake = acknowledged();
    let packet = |number, offset, acked| HelloPacket { number, offset, datagram: 1200, mark: at(1, 0), acked };
    handshake.quic.as_mut().unwrap().hello_packets = vec![packet(0, 0, true), packet(1, 1100, false)];
    assert!(check(Cause::SplitClientHello, &handshake, &Knowledge::default()).is_some());
    handshake.quic.as_mut().unwrap().hello_packets = vec![packet(0, 0, true), packet(1, 0, false)];
    assert_eq!(check(Cause::SplitClientHello, &handshake, &Knowledge::default()), None, "the same part again");
}

#[test]
fn only_a_failed_handshake_over_quic_is_judged() {
    let mut completed = unanswered();
    completed.outcome = Outcome::Completed;
    let knowledge = related(Transport::Tcp, Outcome::Completed);
    for rule in super::RULES {
        assert_eq!(check(rule.cause, &completed, &knowledge), None, "{}", rule.cause);
        assert_eq!(check(rule.cause, &crate::diagnosis::testing::connected(), &knowledge), None, "{}", rule.cause);
    }
    assert!(completed.closed_at.time.since(completed.tcp.first.time) > Duration::from_secs(10));
}
