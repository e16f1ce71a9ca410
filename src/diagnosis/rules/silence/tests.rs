//! Tests of the family silence.

use super::*;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::testing::{
    Scene, at, connected, found, found_knowing, over_udp, partial_hello, reset, said_hello, verdict, verdict_knowing, with_preamble,
};
use crate::flow::Side;
use crate::handshake::facts::{ClosedBy, Outcome, PartialMessage, Protocol, QuicFacts, Stage, StoppedBy};
use crate::preamble::Dialect;
use crate::quic::version::Version;
use crate::time::{Mark, Timestamp};
use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};
use crate::transport::Reset;

#[test]
fn a_client_that_never_speaks_is_silent_and_the_servers_limit_is_second() {
    let mut facts = connected();
    facts.outcome = Outcome::Closed;
    facts.flow.sides.server.fin = Some((at(4, 5_020), 0));
    let silent = found(&client_silent::RULE, &facts).expect("not a byte in 5 s");
    assert_eq!(silent.stopped_by, Some(StoppedBy::Client));
    let limit = found(&server_timeout::RULE, &facts).expect("the server closed after 5 s");
    assert!(silent.confidence > limit.confidence);
}

#[test]
fn half_a_hello_is_a_client_that_stalled() {
    let finding = found(&client_stalled::RULE, &partial_hello(300, 600)).expect("the rest never came");
    assert_eq!(finding.weight, Weight::Fallback);
    assert!(finding.summary.contains("the rest of the ClientHello"), "{}", finding.summary);
}

#[test]
fn what_other_names_met_with_orders_what_a_break_may_mean() {
    let mut facts = connected();
    let hello = Scene::broad().handshake.observed.client_hellos;
    (facts.client_hellos, facts.outcome) = (hello, Outcome::Reset);
    for seen in &mut facts.client_hellos {
        (seen.mark, seen.first, seen.span) = (at(4, 25), at(4, 25), (0, 300));
    }
    let client = &mut facts.flow.sides.client;
    (client.data_packets, client.highest, client.acked) = (1, 300, 300);
    facts.flow.sides.server.resets.push(reset(at(5, 46), 55));
    let may_be = |knowledge: &Knowledge| found_knowing(&server_reset::RULE, &facts, knowledge).expect("a RST after the hello").alternatives;
    let nothing = may_be(&Knowledge::default());
    assert_eq!(nothing.first(), Some(&Cause::ResetInjected));
    assert!(nothing.contains(&Cause::ProxyProtocolMissing));
    let others = Knowledge { completed: 2, completed_other_names: 2, ..Knowledge::default() };
    let by_name = may_be(&others);
    assert_eq!(by_name.get(..2), Some(&[Cause::ResetInjected, Cause::SniUnrecognized][..]));
    assert!(!by_name.contains(&Cause::ProxyProtocolMissing), "others are served without a header");
    let same_too = may_be(&Knowledge { completed_same_name: 1, ..others });
    assert_eq!(same_too.last(), Some(&Cause::SniUnrecognized), "the name is served");
}

#[test]
fn the_number_of_an_end_tells_that_the_server_had_spoken() {
    let mut facts = connected();
    (facts.client_hellos, facts.outcome) = (Scene::broad().handshake.observed.client_hellos, Outcome::Reset);
    for seen in &mut facts.client_hellos {
        (seen.mark, seen.first, seen.span) = (at(4, 25), at(4, 25), (0, 300));
    }
    let client = &mut facts.flow.sides.client;
    (client.data_packets, client.highest, client.acked) = (1, 300, 300);
    let ttl = facts.flow.sides.server.syn.unwrap().ttl;
    facts.flow.sides.server.ttl = Some(ttl);
    let ahead = |ttl: u8| Reset { seq_distance: 41, ..reset(at(5, 46), ttl) };
    facts.flow.sides.server.resets.push(ahead(ttl));
    let lost = found(&server_reset::RULE, &facts).expect("a RST after the hello");
    assert_eq!((lost.confidence, lost.alternatives.first()), (Confidence::Likely, Some(&Cause::PacketLoss)));
    let others = Knowledge { causes: vec![(Cause::ServerSpeaksPlaintext, 2)], ..Knowledge::default() };
    assert_eq!(verdict_knowing(&facts, &others).cause(), Some(Cause::ServerSpeaksPlaintext));
    assert_ne!(verdict(&facts).cause(), Some(Cause::ServerSpeaksPlaintext), "nothing is known of others");
    // A RST of another's, or one that fits, tells nothing of the kind.
    for other in [ahead(ttl - 9), reset(at(5, 46), ttl)] {
        facts.flow.sides.server.resets[0] = other;
        assert_ne!(verdict_knowing(&facts, &others).cause(), Some(Cause::ServerSpeaksPlaintext));
        assert!(!found(&server_reset::RULE, &facts).unwrap().alternatives.contains(&Cause::PacketLoss));
    }
}

#[test]
fn an_alert_leaves_nothing_for_silence_to_explain() {
    let mut facts = partial_hello(300, 600);
    facts.outcome = Outcome::Alerted;
    facts.flow.sides.client.fin = Some((at(9, 5_000), 300));
    for rule in [&client_aborted::RULE, &client_stalled::RULE, &client_timeout::RULE, &server_silent::RULE] {
        assert!(found(rule, &facts).is_none(), "{}", rule.cause);
    }
}

#[test]
fn what_waits_behind_a_change_of_cipher_waits_for_the_network() {
    // The flight arrives at 25 ms; milliseconds to the client's ChangeCipherSpec and Finished. The round trip takes 2 s.
    let slow = |change: Option<i64>, finished: i64| {
        let mut facts = Scene::broad().answered(V::TLS12, 0x1301, &[(0x002b, &[3, 4])]).handshake;
        facts.flow.tcp = connected().flow.tcp;
        facts.flow.tcp.as_mut().unwrap().ack_rtt = Some(Duration::from_secs(2));
        facts.flow.sides = connected().flow.sides.clone();
        for hello in &mut facts.client_hellos {
            (hello.first, hello.mark) = (at(4, 20), at(4, 20));
        }
        let hello = facts.server_hello.as_mut().unwrap();
        (hello.first, hello.mark) = (at(6, 25), at(6, 25));
        facts.change_cipher_spec.client = change.map(|after| at(10, 25 + after));
        (facts.finished.server, facts.finished.client) = (Some(at(7, 25)), Some(at(12, 25 + finished)));
        found(&client_slow::RULE, &facts).is_some()
    };
    assert!(!slow(Some(2_000), 4_100), "it is held back until the change of cipher is acknowledged");
    assert!(slow(None, 4_100));
    assert!(slow(Some(2_000), 9_000), "longer than an acknowledgment takes");
    assert!(slow(Some(8_000), 9_000), "it began late");
}

#[test]
fn a_side_that_closes_in_order_says_no_more_than_that() {
    let closed = Scene::broad().warning(Side::Server, A::CLOSE_NOTIFY).ended(Outcome::Closed, StoppedBy::Server).handshake;
    let finding = found(&close_notify::RULE, &closed).expect("close_notify before the handshake was done");
    assert_eq!((finding.weight, finding.stopped_by), (Weight::Fallback, Some(StoppedBy::Server)));
    let said_why = Scene::broad().alert(Side::Server, A::HANDSHAKE_FAILURE).warning(Side::Server, A::CLOSE_NOTIFY).handshake;
    assert!(found(&close_notify::RULE, &said_why).is_none(), "another alert says why");
}

#[test]
fn a_client_that_waits_for_a_greeting_is_told_from_a_probe() {
    let left = |port: u16, after: i64| {
        let mut facts = connected();
        facts.server.port = port;
        facts.outcome = Outcome::Closed;
        facts.flow.sides.client.fin = Some((at(4, after), 0));
        found(&client_silent::RULE, &facts)
    };
    let finding = left(993, 5_020).expect("five seconds on a port whose clear protocol greets");
    assert!(finding.weight == Weight::Explains && finding.summary.contains("greeting"), "{}", finding.summary);
    assert!(finding.remedy.iter().any(|line| line.line().contains("143")), "{:?}", finding.remedy);
    assert!(left(993, 500).is_none(), "a probe is gone sooner");
    assert!(left(443, 5_020).is_none(), "a spare connection of a browser");
}

#[test]
fn a_client_waits_from_the_last_bytes_that_came() {
    let mut facts = Scene::broad().answered(V::TLS12, 0xc02f, &[]).handshake;
    facts.flow = connected().flow;
    (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Client);
    for hello in &mut facts.observed.client_hellos {
        (hello.mark, hello.first, hello.span) = (at(4, 25), at(4, 25), (0, 300));
    }
    if let Some(hello) = &mut facts.observed.server_hello {
        (hello.mark, hello.first, hello.span) = (at(5, 45), at(5, 45), (0, 90));
    }
    let client = &mut facts.flow.sides.client;
    (client.highest, client.acked, client.delivered, client.data_packets, client.first_data) = (300, 300, 300, 1, Some(at(4, 25)));
    (client.last_data, client.fin, client.heard_before_fin) = (Some(at(4, 25)), Some((at(20, 12_000), 300)), Some(at(19, 9_000)));
    let server = &mut facts.flow.sides.server;
    (server.data_packets, server.first_data, server.last_data) = (9, Some(at(5, 45)), Some(at(21, 12_050)));
    (server.delivered, server.highest, server.acked, server.largest_segment) = (13_032, 13_032, 13_032, 1_448);
    let finding = found(&client_timeout::RULE, &facts).expect("more came behind the FIN");
    assert!(finding.summary.contains("after waiting 3.00 s"), "{}", finding.summary);
    assert_eq!((finding.weight, finding.confidence), (Weight::Explains, Confidence::Strong));
    facts.flow.sides.server.paced = 8;
    let finding = found(&client_timeout::RULE, &facts).expect("but one by one");
    assert_eq!((finding.weight, finding.alternatives.first()), (Weight::Fallback, Some(&Cause::Throttled)));
}

#[test]
fn a_reset_without_acknowledgment_is_of_a_host_that_does_not_know_the_connection() {
    let mut facts = Scene::broad().answered(V::TLS12, 0xc02f, &[]).handshake;
    facts.flow = connected().flow;
    (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Server);
    facts.flow.sides.server.resets.push(reset(at(9, 60), 55));
    let own = found(&server_aborted::RULE, &facts).expect("it broke off");
    assert_eq!(own.confidence, Confidence::Strong);
    facts.flow.sides.server.resets[0].ack_distance = None;
    let by_hand = found(&server_aborted::RULE, &facts).expect("it broke off");
    assert_eq!(by_hand.confidence, Confidence::Strong, "so a host aborts by RFC 9293 section 3.10.5");
    facts.flow.sides.server.resets[0].unknowing = true;
    let stranger = found(&server_aborted::RULE, &facts).expect("it broke off");
    assert_eq!(stranger.confidence, Confidence::Likely);
    assert!(stranger.alternatives.contains(&Cause::IdleTimeout) && !own.alternatives.contains(&Cause::IdleTimeout));
}

#[test]
fn a_host_that_does_not_acknowledge_a_fin_may_be_dead() {
    let silent = |fins| {
        let mut facts = partial_hello(300, 291);
        said_hello(&mut facts, at(4, 25));
        let client = &mut facts.flow.sides.client;
        (client.acked, client.acked_at, client.fin, client.fins_in_vain) = (300, Some(at(5, 45)), Some((at(6, 8_000), 300)), fins);
        client.last_packet = Some(at(9, 8_600));
        found(&server_silent::RULE, &facts).expect("nothing came for eight seconds")
    };
    let hangs = silent(0);
    assert_eq!((hangs.confidence, hangs.alternatives.contains(&Cause::OneWayPath)), (Confidence::Strong, false));
    let ends = silent(1);
    assert_eq!(
        (ends.confidence, ends.alternatives.contains(&Cause::OneWayPath)),
        (Confidence::Likely, false),
        "its acknowledgment would tell"
    );
    let dead = silent(3);
    assert_eq!((dead.confidence, dead.alternatives.first()), (Confidence::Likely, Some(&Cause::OneWayPath)));
}

#[test]
fn who_answers_from_next_door_for_a_public_address_may_be_a_proxy() {
    let closed = |client: &str, answer: u8| {
        let mut facts = partial_hello(300, 291);
        facts.client.address = client.parse().unwrap();
        facts.flow.sides.server.fin = Some((at(9, 27), 0));
        facts.flow.sides.server.ttl = Some(answer);
        if let Some(syn) = &mut facts.flow.sides.server.syn {
            syn.ttl = answer;
        }
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        let finding = found(&server_closed::RULE, &facts).expect("a FIN and nothing before it");
        finding.evidence.iter().any(|shown| shown.text.contains("no router has lowered"))
    };
    assert!(closed("192.168.50.11", 64));
    assert!(!closed("192.168.50.11", 55), "it comes from afar");
    assert!(!closed("192.0.2.1", 64), "both may be on one link");
}

#[test]
fn who_closes_after_a_round_time_waited_for_somebody() {
    let closed = |after: i64, acked: u64| {
        let mut facts = partial_hello(1_600, 1_591);
        facts.partial_client_hello = None;
        facts.client_hellos = Scene::broad().handshake.observed.client_hellos;
        for hello in &mut facts.client_hellos {
            (hello.mark, hello.first, hello.span) = (at(4, 25), at(4, 25), (0, 1_600));
        }
        facts.flow.sides.client.acked = acked;
        facts.flow.sides.server.fin = Some((at(9, 25 + after), 0));
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        let finding = found(&server_closed::RULE, &facts).expect("a FIN and nothing before it");
        assert!(finding.alternatives.contains(&Cause::SplitClientHello), "{:?}", finding.alternatives);
        finding.remedy[0].line().contains("backends")
    };
    assert!(closed(2_004, 1_600));
    assert!(!closed(2_300, 1_600), "no time limit");
    assert!(!closed(4, 1_600), "at once");
    assert!(!closed(2_004, 0), "the hello did not arrive");
}

#[test]
fn a_capture_without_times_does_not_show_that_a_client_left_at_once() {
    // A hello, its acknowledgment, the client's FIN; `step`: nanoseconds from frame to frame.
    let left = |step: i64, acked: u64| {
        let mut facts = connected();
        let mark = |frame: u64| Mark { frame, time: Timestamp::from_nanos(step * i64::try_from(frame).unwrap()) };
        said_hello(&mut facts, mark(4));
        let sides = &mut facts.flow.sides;
        (sides.client.data_packets, sides.client.bytes_seen, sides.client.highest, sides.client.acked) = (1, 300, 300, acked);
        (sides.client.first_data, sides.client.last_data, sides.client.fin) = (Some(mark(4)), Some(mark(4)), Some((mark(6), 300)));
        (facts.flow.first, facts.flow.last, facts.closed_at) = (mark(1), mark(6), mark(6));
        if let Some(tcp) = &mut facts.flow.tcp {
            tcp.established = Some(mark(3));
        }
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Client);
        verdict(&facts).cause.map(|finding| (finding.cause, finding.confidence, finding.alternatives.first().copied()))
    };
    for none in [0, 1_000] {
        assert_eq!(left(none, 0), Some((Cause::ClientAborted, Confidence::Likely, Some(Cause::ServerSilent))));
        assert_eq!(left(none, 300), Some((Cause::ServerSilent, Confidence::Likely, Some(Cause::ClientTimeout))));
    }
    assert_eq!(left(1_000_000, 300), Some((Cause::ClientAborted, Confidence::Likely, Some(Cause::UserCanceled))));
}

#[test]
fn a_close_after_seconds_without_progress_may_be_impatience() {
    let closed = |millis| {
        let mut facts = over_udp(Protocol::Quic);
        facts.outcome = Outcome::Closed;
        let mark = at(9, millis);
        (facts.end, facts.flow.sides.server.packets) = (Some(mark), 1);
        let mut quic = QuicFacts::new(Version::V1);
        quic.closes.push(ClosedBy { from: Side::Client, code: 0x0c, application: false, reason: String::new(), mark, in_initial: true });
        facts.quic = Some(Box::new(quic));
        (facts.flow.last, facts.closed_at) = (mark, mark);
        let finding = found(&client_aborted::RULE, &facts).expect("the client closed");
        (finding.confidence, finding.alternatives)
    };
    assert_eq!(closed(5_300), (Confidence::Likely, vec![Cause::ClientTimeout]));
    assert_eq!(closed(300), (Confidence::Strong, Vec::new()));
}

#[test]
fn a_client_whose_system_does_not_know_the_connection_did_not_leave() {
    let left = |unknowing: bool| {
        let mut facts = partial_hello(300, 291);
        said_hello(&mut facts, at(4, 25));
        let reset = Reset { unknowing, ..Reset::fitting(at(6, 60), 64) };
        facts.flow.sides.client.resets.push(if unknowing { reset } else { Reset { ack_distance: Some(0), ..reset } });
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
        let finding = found(&client_aborted::RULE, &facts).expect("the client's RST");
        finding.alternatives.contains(&Cause::ResetInjected)
    };
    assert_eq!((left(false), left(true)), (false, true));
}

#[test]
fn a_narrow_offer_is_the_first_thing_to_suspect_of_a_server_that_closes() {
    let closed = |suites: &[u16]| {
        let mut facts = connected();
        facts.client_hellos =
            Scene::hello(V::TLS12, suites, &crate::diagnosis::testing::extensions(false)).handshake.observed.client_hellos;
        facts.outcome = Outcome::Closed;
        for seen in &mut facts.client_hellos {
            (seen.mark, seen.first, seen.span) = (at(4, 25), at(4, 25), (0, 300));
        }
        let client = &mut facts.flow.sides.client;
        (client.data_packets, client.highest, client.acked) = (1, 300, 300);
        facts.flow.sides.server.fin = Some((at(5, 46), 0));
        found(&server_closed::RULE, &facts).expect("a FIN after the hello").alternatives
    };
    assert_eq!(closed(&[0x0041]).first(), Some(&Cause::NoCommonCipher), "Camellia alone");
    assert!(!closed(&[0xc02b, 0xc02f, 0xc02c, 0xc030, 0x009c]).contains(&Cause::NoCommonCipher));
}

#[test]
fn a_client_that_says_goodbye_to_a_silent_server_gave_up_waiting() {
    use crate::handshake::facts::ReadAlert;
    use crate::tls::message::Alert;
    let left = |waited: i64, answered: u64| {
        let mut facts = connected();
        facts.client_hellos = Scene::broad().warning(Side::Client, A::CLOSE_NOTIFY).handshake.observed.client_hellos;
        for seen in &mut facts.client_hellos {
            (seen.mark, seen.first, seen.span) = (at(4, 25), at(4, 25), (0, 300));
        }
        let said = at(6, 25 + waited);
        let alert = Some(Alert { fatal: false, level: 1, description: A::CLOSE_NOTIFY });
        facts.observed.read_alerts.push(ReadAlert { from: Side::Client, alert, encrypted: false, mark: said });
        facts.alerts = Scene::broad().warning(Side::Client, A::CLOSE_NOTIFY).handshake.alerts;
        facts.alerts[0].mark = said;
        (facts.outcome, facts.stopped_by, facts.end) = (Outcome::Closed, StoppedBy::Client, Some(said));
        let client = &mut facts.flow.sides.client;
        (client.data_packets, client.highest, client.acked) = (2, 307, 300);
        (client.first_data, client.last_data, client.fin) = (Some(at(4, 25)), Some(said), Some((at(7, 25 + waited), 307)));
        facts.flow.sides.server.bytes_seen = answered;
        verdict(&facts).cause()
    };
    assert_eq!(left(2_000, 0), Some(Cause::ServerSilent));
    assert_eq!(left(40, 0), Some(Cause::CloseNotifyInHandshake), "at once");
    assert_eq!(left(2_000, 90), Some(Cause::CloseNotifyInHandshake), "the server had said something");
}

#[test]
fn a_server_that_closes_before_the_hello_minds_nothing_in_it() {
    let closed = |frame: u64, millis: i64| {
        let mut facts = connected();
        facts.client_hellos = Scene::broad().handshake.observed.client_hellos;
        facts.outcome = Outcome::Closed;
        for seen in &mut facts.client_hellos {
            (seen.mark, seen.first, seen.span) = (at(5, 60), at(5, 60), (0, 300));
        }
        let client = &mut facts.flow.sides.client;
        (client.data_packets, client.highest, client.first_data) = (1, 300, Some(at(5, 60)));
        facts.flow.sides.server.fin = Some((at(frame, millis), 0));
        found(&server_closed::RULE, &facts).expect("a FIN").alternatives
    };
    assert!(!closed(4, 40).contains(&Cause::SniUnrecognized) && closed(4, 40).contains(&Cause::AccessDenied));
    assert!(closed(6, 80).contains(&Cause::SniUnrecognized));
}

#[test]
fn who_waits_through_single_bytes_gives_up() {
    let left = |pieces: u16, last: i64| {
        let mut facts = connected();
        said_hello(&mut facts, at(4, 25));
        facts.stage = Stage::ClientHello;
        facts.partial_server_message = Some(PartialMessage { message: Some(2), have: 3, want: 90, mark: at(28, last) });
        let sides = &mut facts.flow.sides;
        (sides.client.data_packets, sides.client.bytes_seen, sides.client.highest, sides.client.acked) = (1, 300, 300, 300);
        (sides.client.first_data, sides.client.last_data, sides.client.fin) =
            (Some(at(4, 25)), Some(at(4, 25)), Some((at(30, 8_000), 300)));
        (sides.server.data_packets, sides.server.delivered, sides.server.paced, sides.server.largest_segment) = (8, 8, pieces, 1);
        (sides.server.bytes_seen, sides.server.highest, sides.server.acked) = (8, 8, 8);
        (sides.server.first_data, sides.server.last_data) = (Some(at(10, 30)), Some(at(28, last)));
        (facts.flow.last, facts.closed_at) = (at(30, 8_000), at(30, 8_000));
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Client);
        verdict(&facts).cause.map(|finding| (finding.cause, finding.confidence))
    };
    assert_eq!(left(7, 7_030), Some((Cause::ClientTimeout, Confidence::Likely)));
    assert_eq!(left(7, 7_900), Some((Cause::ClientTimeout, Confidence::Likely)));
    assert_eq!(left(1, 7_900), Some((Cause::ClientAborted, Confidence::Likely)), "one pause is no manner");
}

#[test]
fn a_rst_after_whole_seconds_is_a_time_limit_whatever_the_length_of_the_hello() {
    let told = |after: i64| {
        let mut facts = connected();
        facts.client_hellos = Scene::broad().handshake.observed.client_hellos;
        for hello in &mut facts.client_hellos {
            (hello.mark, hello.first, hello.span) = (at(5, 25), at(4, 25), (0, 1_579));
        }
        (facts.stage, facts.outcome, facts.stopped_by) = (Stage::ClientHello, Outcome::Reset, StoppedBy::Server);
        let client = &mut facts.flow.sides.client;
        (client.data_packets, client.bytes_seen, client.highest, client.acked) = (2, 1_579, 1_579, 1_579);
        (client.first_data, client.last_data) = (Some(at(4, 25)), Some(at(5, 25)));
        facts.flow.sides.server.resets.push(reset(at(7, 25 + after), 55));
        let finding = found(&server_reset::RULE, &facts).expect("a RST after the hello");
        let place = |cause| finding.alternatives.iter().position(|other| *other == cause);
        let sooner = place(Cause::LoadBalancerNoBackend) < place(Cause::SplitClientHello);
        let shorter = finding.remedy.first().is_some_and(|advice| advice.line().contains("fits into one packet"));
        (place(Cause::ServerTimeout).is_some() && sooner, shorter)
    };
    assert_eq!(told(3_001), (true, false));
    assert_eq!(told(3), (false, true), "it answered at once");
}

#[test]
fn behind_a_proxy_it_is_the_proxy_that_closes() {
    let closed = |proxy: bool| {
        let mut facts = partial_hello(300, 291);
        if proxy {
            facts = with_preamble(facts, Dialect::HttpConnect, Upgrade::Granted);
        }
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        facts.flow.sides.server.fin = Some((at(6, 60), 0));
        facts.flow.sides.client.acked = 300;
        let finding = found(&server_closed::RULE, &facts).expect("a FIN to the hello");
        (finding.confidence, finding.alternatives.first() == Some(&Cause::ProxyUpstreamFailed))
    };
    assert_eq!((closed(true), closed(false)), ((Confidence::Likely, true), (Confidence::Strong, false)));
}

/// The client closed so many milliseconds after its hello, which the server had acknowledged.
pub(super) fn left_unanswered(after: i64) -> Handshake {
    let mut facts = partial_hello(300, 291);
    said_hello(&mut facts, at(4, 25));
    (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Client);
    let client = &mut facts.flow.sides.client;
    (client.acked, client.acked_at, client.fin) = (300, Some(at(5, 45)), Some((at(6, 25 + after), 300)));
    facts
}

#[test]
fn who_leaves_again_and_again_after_the_same_time_has_a_limit() {
    let left = |after: i64, others: &[(i64, i64)]| {
        let facts = left_unanswered(after);
        let related = others.iter().map(|(start, after)| crate::diagnosis::knowledge::Related {
            same_endpoint: true,
            outcome: Outcome::Closed,
            gave_up_after: u64::try_from(*after).ok().map(Duration::from_millis),
            ..crate::diagnosis::testing::related(at(20, *start))
        });
        let knowledge = Knowledge { related: related.collect(), ..Knowledge::default() };
        let verdict = verdict_knowing(&facts, &knowledge);
        (verdict.cause(), verdict.cause.as_ref().map(|finding| finding.confidence))
    };
    let limit = (Some(Cause::ServerSilent), Some(Confidence::Likely));
    assert_eq!(left(300, &[(400, 296), (800, 305)]), limit);
    assert_eq!(left(300, &[(400, 296)]).0, Some(Cause::ClientAborted), "twice is no rule");
    assert_eq!(left(300, &[(400, 200), (800, 450)]).0, Some(Cause::ClientAborted), "each time another");
    assert_eq!(left(300, &[(2, 300), (5, 300)]).0, Some(Cause::ClientAborted), "all at once: its process ended");
}

#[test]
fn a_server_that_does_not_answer_is_slow_however_soon_its_client_leaves() {
    type Change = fn(&mut Handshake, &mut Knowledge);
    let told = |after: i64, change: Change| {
        let mut facts = left_unanswered(after);
        facts.flow.sides.client.acked = 301;
        let mut knowledge = Knowledge::default();
        change(&mut facts, &mut knowledge);
        verdict_knowing(&facts, &knowledge).cause()
    };
    assert_eq!(told(500, |_, _| ()), Some(Cause::ServerSilent));
    assert_eq!(told(300, |_, _| ()), Some(Cause::ClientAborted), "a server may take so long");
    assert_eq!(told(500, |facts, _| facts.flow.sides.client.acked = 0), Some(Cause::ClientAborted), "it may not have got the hello");
    let late: Change = |facts, _| facts.flow.sides.server.last_data = Some(at(8, 700));
    assert_eq!(told(300, late), Some(Cause::ClientTimeout), "its answer comes after that");
    let unserved: Change = |_, knowledge| {
        knowledge.related = vec![crate::diagnosis::knowledge::Related {
            same_endpoint: true,
            outcome: Outcome::Closed,
            cause: Some(Cause::ServerSilent),
            ..crate::diagnosis::testing::related(at(20, 200))
        }];
    };
    assert_eq!(told(200, unserved), Some(Cause::ServerSilent), "others wait in vain as well");
    let killed: Change = |_, knowledge| {
        knowledge.related = vec![crate::diagnosis::knowledge::Related {
            same_endpoint: true,
            outcome: Outcome::Closed,
            gave_up_after: Some(Duration::from_millis(200)),
            left: Some(at(7, 526).time),
            ..crate::diagnosis::testing::related(at(20, 320))
        }];
    };
    assert_eq!(told(500, killed), Some(Cause::ClientAborted), "all that it has ends at one moment: its process ended");
}

#[test]
fn a_server_that_closes_before_an_answer_can_come_had_a_limit() {
    let told = |round_trip: u64, after: i64, acked: u64| {
        let mut facts = Scene::broad().answered(crate::tls::registry::ProtocolVersion::TLS12, 0xc02f, &[]).handshake;
        for seen in &mut facts.client_hellos {
            (seen.mark, seen.first, seen.span) = (at(4, 25), at(4, 25), (0, 300));
        }
        facts.flow.tcp.as_mut().unwrap().syn_rtt = Some(Duration::from_millis(round_trip));
        facts.flow.tcp.as_mut().unwrap().ack_rtt = None;
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        let (client, server) = (&mut facts.flow.sides.client, &mut facts.flow.sides.server);
        (client.data_packets, client.highest, client.acked, client.last_data) = (2, 380, acked, Some(at(9, 1_400)));
        (client.acked_at, server.acked) = (Some(at(5, 26)), 90);
        (server.first_data, server.last_data, server.data_packets) = (Some(at(6, 30)), Some(at(6, 30)), 1);
        server.fin = Some((at(8, 30 + after), 90));
        verdict(&facts).cause()
    };
    assert_eq!(told(700, 410, 300), Some(Cause::ServerTimeout));
    assert_eq!(told(20, 410, 300), Some(Cause::ServerAborted), "an answer could have come long before");
    assert_eq!(told(700, 40, 300), Some(Cause::ServerAborted), "nobody's limit is as short");
}

#[test]
fn a_limit_may_run_from_the_connection_and_ends_one_after_the_other() {
    let told = |others: &[(i64, i64)]| {
        let mut facts = partial_hello(300, 291);
        said_hello(&mut facts, at(4, 710));
        facts.flow.tcp.as_mut().unwrap().syn_rtt = Some(Duration::from_millis(700));
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Client);
        let client = &mut facts.flow.sides.client;
        (client.first_data, client.last_data) = (Some(at(4, 710)), Some(at(4, 710)));
        (client.acked, client.acked_at, client.fin) = (300, Some(at(5, 1_400)), Some((at(6, 1_510), 300)));
        let related = others.iter().map(|(start, left)| crate::diagnosis::knowledge::Related {
            same_endpoint: true,
            outcome: Outcome::Closed,
            owed: true,
            left: Some(at(30, *left).time),
            ..crate::diagnosis::testing::related(at(20, *start))
        });
        let knowledge = Knowledge { related: related.collect(), ..Knowledge::default() };
        verdict_knowing(&facts, &knowledge).cause()
    };
    assert_ne!(told(&[(100, 1_605), (200, 1_712)]), Some(Cause::ClientAborted), "all after 1.5 s");
    assert_eq!(told(&[(100, 1_605)]), Some(Cause::ClientAborted), "twice is no rule");
    assert_eq!(told(&[(10, 1_512), (20, 1_520)]), Some(Cause::ClientAborted), "all at one moment: its process ended");
    assert_eq!(told(&[(100, 1_905), (200, 1_412)]), Some(Cause::ClientAborted), "each after another time");
}

#[test]
fn who_resets_what_comes_after_a_wait_had_left_before() {
    let told = |asked: i64, answered: i64, reset_at: i64| {
        let mut facts = Scene::broad().answered(crate::tls::registry::ProtocolVersion::TLS12, 0xc02f, &[]).handshake;
        for seen in &mut facts.client_hellos {
            (seen.mark, seen.first, seen.span) = (at(4, asked), at(4, asked), (0, 300));
        }
        if let Some(hello) = &mut facts.server_hello {
            (hello.mark, hello.first, hello.span) = (at(6, answered), at(6, answered), (0, 90));
        }
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
        let (client, server) = (&mut facts.flow.sides.client, &mut facts.flow.sides.server);
        (client.data_packets, client.highest, client.acked, client.retransmits) = (1, 300, 300, 2);
        (client.first_data, client.last_data) = (Some(at(4, asked)), Some(at(4, asked)));
        (server.first_data, server.last_data, server.data_packets) = (Some(at(6, answered)), Some(at(6, answered)), 1);
        client.resets.push(Reset { unknowing: true, ..Reset::fitting(at(7, reset_at), 64) });
        verdict(&facts).cause()
    };
    assert_eq!(told(25, 5_700, 5_701), Some(Cause::ClientTimeout));
    assert_ne!(told(25, 60, 61), Some(Cause::ClientTimeout), "it was answered at once");
    assert_ne!(told(25, 5_700, 6_900), Some(Cause::ClientTimeout), "it took the answer, and left later");
}
