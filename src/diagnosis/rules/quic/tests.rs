use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::{Knowledge, Moved, Related};
use crate::diagnosis::testing::{Scene, at, found_of_knowing as check, over_udp, related, rules_of};
use crate::flow::{Endpoint, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{ClosedBy, HelloPacket, Outcome, Protocol, QuicFacts, StoppedBy, Strange, Unanswered};
use crate::packet::IcmpKind;
use crate::quic::version::Version;
use crate::tls::registry::ProtocolVersion;
use crate::transport::IcmpNote;

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
    handshake.flow.sides.server.packets = 1;
    handshake.flow.sides.server.data_packets = 1;
    handshake.quic.as_mut().unwrap().acked.client = Some(at(2, 20));
    handshake
}

fn elsewhere(transport: Transport, outcome: Outcome) -> Knowledge {
    let other = Related { same_name: true, outcome, hello_len: 500, transport, ..related(at(9, 500)) };
    Knowledge { related: vec![other], ..Knowledge::default() }
}

fn note(kind: IcmpKind, about: Side, quoted_len: u32) -> IcmpNote {
    let reporter = std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));
    IcmpNote { mark: at(4, 30), reporter, kind, icmp_type: 3, code: 4, about, quoted_len, ignored: 0 }
}

#[test]
fn tcp_to_the_same_server_shows_that_udp_is_blocked() {
    let handshake = unanswered();
    let finding = check(Cause::QuicBlocked, &handshake, &elsewhere(Transport::Tcp, Outcome::Completed)).unwrap();
    assert_eq!(finding.confidence, Confidence::Strong);
    assert!(finding.evidence.iter().any(|piece| piece.mark == Some(at(9, 500))), "the TCP connection is evidence");
    for knowledge in [Knowledge::default(), elsewhere(Transport::Udp, Outcome::Completed), elsewhere(Transport::Tcp, Outcome::Refused)] {
        assert_eq!(check(Cause::QuicBlocked, &handshake, &knowledge), None);
    }
    assert!(check(Cause::QuicServerSilent, &handshake, &Knowledge::default()).unwrap().alternatives.contains(&Cause::QuicBlocked));
    let mut refused = unanswered();
    refused.flow.icmp.push(note(IcmpKind::PortUnreachable, Side::Client, 1228));
    assert_eq!(check(Cause::QuicBlocked, &refused, &elsewhere(Transport::Tcp, Outcome::Completed)), None);
    assert!(check(Cause::QuicRefused, &refused, &Knowledge::default()).is_some());
}

#[test]
fn a_name_alone_that_gets_no_answer_is_not_the_servers_silence() {
    let scene = Scene::broad();
    let mut handshake = unanswered();
    handshake.client_hellos = scene.handshake.observed.client_hellos;
    assert!(handshake.server_name().is_some(), "the scene has a name");
    let other =
        |start| Related { same_endpoint: true, outcome: Outcome::Completed, hello_len: 500, transport: Transport::Udp, ..related(start) };
    let before = Knowledge {
        related: vec![other(at(0, -900))],
        completed: 1,
        completed_other_names: 1,
        hears_both_sides: true,
        ..Knowledge::default()
    };
    let later = Knowledge { related: vec![other(at(7, 4_000))], ..before.clone() };
    let again = Knowledge { attempts_same_name: 1, ..before.clone() };
    let same = Knowledge { completed_same_name: 1, ..later.clone() };
    for knowledge in [&later, &again] {
        let finding = check(Cause::QuicBlocked, &handshake, knowledge).expect("others are served");
        assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Likely, Some(StoppedBy::Network)));
    }
    for knowledge in [&before, &same, &Knowledge::default()] {
        assert_eq!(check(Cause::QuicBlocked, &handshake, knowledge), None);
    }
    let silent = check(Cause::QuicServerSilent, &handshake, &before).unwrap();
    assert_eq!(silent.confidence, Confidence::Likely, "it did answer QUIC before");
    assert!(silent.summary.contains("did not answer QUIC"), "{}", silent.summary);
    let never = Knowledge { hears_both_sides: true, ..Knowledge::default() };
    assert_eq!(check(Cause::QuicServerSilent, &handshake, &never).unwrap().confidence, Confidence::Strong);
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
    let close = ClosedBy { from: Side::Server, code: 0x0b, application: false, reason: String::new(), mark: at(5, 60), in_initial: true };
    handshake.quic.as_mut().unwrap().closes.push(close);
    handshake.outcome = Outcome::Closed;
    assert_eq!(check(Cause::QuicRetryLoop, &handshake, &Knowledge::default()).unwrap().confidence, Confidence::Certain);
}

#[test]
fn datagrams_that_are_too_large_are_told_by_icmp_and_by_what_arrives() {
    let mut handshake = unanswered();
    assert_eq!(check(Cause::QuicMtu, &handshake, &Knowledge::default()), None);
    handshake.flow.icmp.push(note(IcmpKind::TooBig(1200), Side::Client, 1228));
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
    let knowledge = elsewhere(Transport::Tcp, Outcome::Completed);
    for rule in rules_of(&super::FAMILY) {
        assert_eq!(check(rule.cause, &completed, &knowledge), None, "{}", rule.cause);
        assert_eq!(check(rule.cause, &crate::diagnosis::testing::connected(), &knowledge), None, "{}", rule.cause);
    }
    assert!(completed.closed_at.time.since(completed.flow.first.time) > Duration::from_secs(10));
}

#[test]
fn what_was_answered_once_and_then_never_again_is_blocked() {
    let mut handshake = acknowledged();
    handshake.flow.sides.server.last_packet = Some(at(2, 20));
    let unanswered = Unanswered { count: 5, first: at(3, 200), last: at(8, 3000) };
    handshake.quic.as_mut().unwrap().talk.unanswered.client = Some(unanswered);
    let finding = check(Cause::QuicBlocked, &handshake, &Knowledge::default()).unwrap();
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Likely, Some(StoppedBy::Network)));
    assert!(finding.alternatives.contains(&Cause::ServerStalled), "a process that hangs looks the same from afar");
    // A server that sends its flight again has not heard the client.
    let mut repeating = handshake.clone();
    let quic = repeating.quic.as_mut().unwrap();
    (quic.repeats.server, quic.repeated.server) = (1, Some((at(2, 20), at(2, 20))));
    repeating.server_hello = Scene::broad().answered(ProtocolVersion::TLS12, 0xc02f, &[]).handshake.observed.server_hello;
    let finding = check(Cause::QuicBlocked, &repeating, &Knowledge::default()).unwrap();
    assert_eq!(finding.alternatives.first(), Some(&Cause::OneWayPath));
    // At the server's own host nothing is lost between the process and the capture.
    handshake.flow.sides.client.ttl = Some(57);
    handshake.flow.sides.server.ttl = Some(64);
    assert_eq!(check(Cause::QuicBlocked, &handshake, &Knowledge::default()), None);
}

#[test]
fn a_browser_that_closes_the_slower_attempt_was_not_blocked() {
    let closed = |millis| {
        let mut handshake = unanswered();
        handshake.outcome = Outcome::Closed;
        let close =
            ClosedBy { from: Side::Client, code: 0, application: false, reason: String::new(), mark: at(3, millis), in_initial: true };
        handshake.quic.as_mut().unwrap().closes.push(close);
        handshake
    };
    let mut knowledge = elsewhere(Transport::Tcp, Outcome::Completed);
    assert_eq!(check(Cause::QuicBlocked, &closed(500), &knowledge), None, "how soon the server answers is not known");
    knowledge.related[0].answered_in = Some(Duration::from_millis(40));
    assert_eq!(check(Cause::QuicBlocked, &closed(100), &knowledge), None, "too soon to tell");
    assert!(check(Cause::QuicBlocked, &closed(500), &knowledge).is_some());
}

#[test]
fn numbers_that_never_arrive_are_those_of_full_datagrams() {
    let mut handshake = acknowledged();
    let quic = handshake.quic.as_mut().unwrap();
    for (frame, number) in [(3, 3), (4, 4), (6, 7)] {
        quic.initials.server.add(at(frame, 1000), 40);
        quic.numbers.server.add(number);
    }
    let finding = check(Cause::QuicMtu, &handshake, &Knowledge::default()).unwrap();
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Likely, Some(StoppedBy::Network)));
    let quic = handshake.quic.as_mut().unwrap();
    for number in [0, 1, 2, 5, 6] {
        quic.numbers.server.add(number);
    }
    assert_eq!(check(Cause::QuicMtu, &handshake, &Knowledge::default()), None, "all were seen");
}

#[test]
fn what_follows_a_server_hello_shows_that_the_hello_was_sent() {
    let lost = |again: i64, largest: u32| {
        let mut handshake = acknowledged();
        handshake.flow.sides.server.largest_segment = largest;
        let quic = handshake.quic.as_mut().unwrap();
        for (frame, number) in [(3, 0), (4, 1), (6, 3)] {
            quic.initials.server.add(at(frame, 30), 40);
            quic.numbers.server.add(number);
        }
        quic.handshakes.server.add(at(7, 40), 900);
        quic.handshakes.server.add(at(9, 40 + again), 900);
        check(Cause::QuicMtu, &handshake, &Knowledge::default()).map(|finding| finding.confidence)
    };
    assert_eq!(lost(1_300, 947), Some(Confidence::Likely));
    assert_eq!(lost(1_300, 1_252), None, "full-size datagrams pass: one was lost by chance");
    assert_eq!(lost(1, 947), None, "it was not sent again yet");
}

#[test]
fn a_reserved_version_asks_for_the_list() {
    let mut handshake = acknowledged();
    handshake.outcome = Outcome::Refused;
    let quic = handshake.quic.as_mut().unwrap();
    quic.negotiation = Some((at(2, 20), vec![Version::V1]));
    assert_eq!(check(Cause::QuicVersionMismatch, &handshake, &Knowledge::default()).unwrap().confidence, Confidence::Certain);
    handshake.quic.as_mut().unwrap().first_version = Version(0x1a2a_3a4a);
    let finding = check(Cause::QuicVersionMismatch, &handshake, &Knowledge::default()).unwrap();
    assert_eq!(finding.confidence, Confidence::Likely);
    assert!(finding.remedy[0].line().starts_with("Nothing is wrong on the server"));
}

#[test]
fn who_goes_on_from_another_port_knew_a_version_of_the_list() {
    let mut handshake = unanswered();
    handshake.outcome = Outcome::Refused;
    let quic = handshake.quic.as_mut().unwrap();
    (quic.negotiation, quic.first_version) = (Some((at(2, 20), vec![Version::V1])), Version(0x1a2a_3a4a));
    let next = |start, transport, outcome| Knowledge {
        related: vec![Related { same_endpoint: true, transport, outcome, hello_len: 300, ..related(start) }],
        ..Knowledge::default()
    };
    let weight = |knowledge: &Knowledge| check(Cause::QuicVersionMismatch, &handshake, knowledge).unwrap().weight;
    assert_eq!(weight(&next(at(3, 21), Transport::Udp, Outcome::Completed)), Weight::Note);
    assert_eq!(weight(&next(at(3, 21), Transport::Udp, Outcome::Alerted)), Weight::Unwanted, "why is told there");
    for other in [
        next(at(1, -500), Transport::Udp, Outcome::Completed),
        next(at(9, 8_000), Transport::Udp, Outcome::Completed),
        next(at(3, 21), Transport::Tcp, Outcome::Completed),
    ] {
        assert_eq!(weight(&other), Weight::Overrides);
    }
}

#[test]
fn answers_from_another_address_are_no_silence() {
    let handshake = unanswered();
    let server = Endpoint { port: 443, ..handshake.client };
    let moved = Moved { client: handshake.client, server, since: at(2, 20), is_used: false };
    let knowledge = Knowledge { moved: Some(moved), hears_both_sides: true, ..Knowledge::default() };
    let finding = check(Cause::QuicServerSilent, &handshake, &knowledge).unwrap();
    assert_eq!((finding.weight, finding.confidence, finding.stopped_by), (Weight::Overrides, Confidence::Likely, Some(StoppedBy::Server)));
    assert_eq!(check(Cause::QuicClientMoved, &handshake, &knowledge), None);
    let port = Knowledge { moved: Some(Moved { server: handshake.server, client: server, ..moved }), ..knowledge };
    assert_eq!(check(Cause::QuicServerSilent, &handshake, &port).unwrap().weight, Weight::Explains, "its client moved");
}

#[test]
fn something_else_that_answers_is_told_by_its_bytes() {
    let mut handshake = unanswered();
    handshake.quic.as_mut().unwrap().strange = Some(Strange { mark: at(2, 20), count: 3, len: 4, head: [0xde, 0xad, 0, 1, 0, 0, 0, 0] });
    let knowledge = elsewhere(Transport::Tcp, Outcome::Completed);
    let finding = check(Cause::QuicServerSilent, &handshake, &knowledge).expect("no packet of QUIC");
    assert_eq!(finding.stopped_by, Some(StoppedBy::Server));
    assert!(
        finding.evidence.iter().any(|shown| shown.text.contains("4 bytes") && shown.text.ends_with("de ad 00 01")),
        "{:?}",
        finding.evidence
    );
    assert!(finding.remedy.iter().any(|line| line.line().contains("ss -lunp")), "{:?}", finding.remedy);
    assert_eq!(check(Cause::QuicBlocked, &handshake, &knowledge), None, "UDP passes");
    let silent = check(Cause::QuicServerSilent, &unanswered(), &knowledge).expect("nothing came back");
    assert_eq!(silent.stopped_by, Some(StoppedBy::Network));
}

/// A hello of QUIC for a name, which goes out at 0 and 1 ms; nothing else is known of it yet.
fn asked() -> Handshake {
    let mut handshake = over_udp(Protocol::Quic);
    handshake.client_hellos = Scene::broad().handshake.observed.client_hellos;
    handshake.quic = Some(Box::new(QuicFacts::new(Version::V1)));
    handshake.outcome = Outcome::Incomplete;
    (handshake.flow.last, handshake.closed_at) = (at(2, 1), at(99, 300));
    handshake.flow.sides.client.last_packet = Some(at(2, 1));
    handshake
}

/// The client began TCP for the same name this late, and was answered within 2 ms.
fn beside(begins: i64, outcome: Outcome) -> Knowledge {
    let answered_in = Some(Duration::from_millis(2));
    let other = Related { same_name: true, outcome, answered_in, transport: Transport::Tcp, ..related(at(5, begins)) };
    Knowledge { related: vec![other], ..Knowledge::default() }
}

#[test]
fn a_client_that_turned_to_tcp_waits_no_longer() {
    use crate::diagnosis::testing::verdict_knowing;
    let told = |change: fn(&mut Handshake), knowledge: &Knowledge| {
        let mut handshake = asked();
        change(&mut handshake);
        let verdict = verdict_knowing(&handshake, knowledge);
        (verdict.cause(), verdict.outcome)
    };
    let served = beside(40, Outcome::Completed);
    assert_eq!(told(|_| {}, &served), (Some(Cause::QuicBlocked), Outcome::Incomplete));
    let ended = (Some(Cause::CaptureEnded), Outcome::Incomplete);
    assert_eq!(told(|_| {}, &beside(40, Outcome::Closed)), ended, "nor was it served over TCP");
    assert_eq!(told(|handshake| handshake.closed_at = at(99, 120), &served), ended, "too soon to tell");
    let still = |handshake: &mut Handshake| {
        (handshake.flow.last, handshake.flow.sides.client.last_packet) = (at(8, 280), Some(at(8, 280)));
    };
    assert_eq!(told(still, &served), ended, "it still asks over QUIC");
}

#[test]
fn an_attempt_that_lies_where_tcp_overtook_it_is_none() {
    let told = |answer: i64, outcome: Outcome, change: fn(&mut Handshake), knowledge: &Knowledge| {
        let mut handshake = asked();
        let server = &mut handshake.flow.sides.server;
        (server.packets, server.data_packets, server.first_data) = (3, 3, Some(at(6, answer)));
        (server.ttl, handshake.flow.sides.client.ttl) = (Some(55), Some(64));
        (handshake.outcome, handshake.stopped_by) = (outcome, StoppedBy::Client);
        change(&mut handshake);
        check(Cause::TcpProbe, &handshake, knowledge).map(|finding| finding.weight)
    };
    let served = beside(40, Outcome::Completed);
    for outcome in [Outcome::Stalled, Outcome::Incomplete, Outcome::Closed] {
        assert_eq!(told(90, outcome, |_| {}, &served), Some(Weight::Unwanted), "{outcome:?}");
    }
    assert_eq!(told(20, Outcome::Stalled, |_| {}, &served), None, "the answer was there before TCP was tried");
    assert_eq!(told(90, Outcome::Stalled, |_| {}, &beside(40, Outcome::Stalled)), None, "nothing overtook it");
    assert_eq!(told(90, Outcome::Stalled, |_| {}, &beside(1_400, Outcome::Completed)), None, "it turned to TCP when it had waited");
    let cares = |handshake: &mut Handshake| handshake.quic.as_mut().unwrap().acked.server = Some(at(7, 91));
    assert_eq!(told(90, Outcome::Stalled, cares, &served), None, "it went on with QUIC");
    // At the server answers leave at once: only attempts that began at once are a race.
    let at_server = |handshake: &mut Handshake| {
        (handshake.flow.sides.server.ttl, handshake.flow.sides.client.ttl) = (Some(64), Some(55));
    };
    assert_eq!(told(2, Outcome::Stalled, at_server, &served), Some(Weight::Unwanted));
    assert_eq!(told(2, Outcome::Stalled, at_server, &beside(300, Outcome::Completed)), None, "a fallback");
}

#[test]
fn a_client_that_had_left_before_the_answer_stalled_nowhere() {
    let told = |change: fn(&mut Handshake)| {
        let mut handshake = over_udp(Protocol::Quic);
        handshake.quic = Some(Box::new(QuicFacts::new(Version::V1)));
        let said = Scene::broad().answered(ProtocolVersion::TLS13, 0x1301, &[]).handshake.observed;
        (handshake.client_hellos, handshake.server_hello) = (said.client_hellos, said.server_hello);
        for hello in &mut handshake.client_hellos {
            (hello.mark, hello.first) = (at(1, 0), at(1, 0));
        }
        if let Some(hello) = &mut handshake.server_hello {
            (hello.mark, hello.first) = (at(2, 715), at(2, 715));
        }
        let flow = &mut handshake.flow;
        (flow.sides.client.packets, flow.sides.client.last_packet) = (1, Some(at(1, 0)));
        (flow.sides.server.packets, flow.sides.server.data_packets) = (2, 2);
        (flow.sides.server.first_data, flow.sides.server.last_data) = (Some(at(2, 715)), Some(at(3, 1_700)));
        change(&mut handshake);
        let said = |cause| check(cause, &handshake, &Knowledge::default()).is_some();
        [Cause::ClientTimeout, Cause::ClientAborted, Cause::ClientStalled].into_iter().find(|cause| said(*cause))
    };
    assert_eq!(told(|_| ()), Some(Cause::ClientTimeout));
    let closed = |handshake: &mut Handshake| {
        handshake.flow.icmp.push(note(IcmpKind::PortUnreachable, Side::Server, 1228));
        (handshake.outcome, handshake.stopped_by, handshake.end) = (Outcome::Closed, StoppedBy::Client, Some(at(4, 30)));
    };
    assert_eq!(told(closed), Some(Cause::ClientTimeout));
    assert_eq!(told(|handshake| handshake.flow.sides.client.last_packet = Some(at(4, 800))), None, "it answers");
    let asks_again = |handshake: &mut Handshake| {
        let quic = handshake.quic.as_mut().unwrap();
        (quic.repeats.client, quic.repeated.client) = (1, Some((at(2, 700), at(2, 700))));
    };
    assert_ne!(told(asks_again), Some(Cause::ClientTimeout), "it waits");
}
