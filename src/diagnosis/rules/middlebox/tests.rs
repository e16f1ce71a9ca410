//! Tests of the family middlebox.

use super::*;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{Purpose, TrustStore, judge};
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::{Knowledge, Led};
use crate::diagnosis::policy::Policy;
use crate::diagnosis::testing::{
    Scene, at, certificate, connected, event, found, found_knowing, found_of, found_of_knowing, hello_lost_like, outstanding,
    partial_hello, related, reset, says, verdict,
};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::Timestamp;
use crate::tls::registry::AlertDescription;
use crate::tls::registry::ProtocolVersion as V;
use crate::transport::{FlowEventKind, Reset, ZeroWindow};

/// A ClientHello in frame 4 and a ServerHello in frame 5 of a connection that came up.
fn answered() -> Handshake {
    let mut facts = connected();
    let said = Scene::broad().answered(V::TLS12, 0xc02f, &[]).handshake;
    facts.client_hellos = said.observed.client_hellos;
    facts.server_hello = said.observed.server_hello;
    for hello in &mut facts.client_hellos {
        (hello.mark, hello.first, hello.span) = (at(4, 25), at(4, 25), (0, 300));
    }
    if let Some(hello) = &mut facts.server_hello {
        (hello.mark, hello.first, hello.span) = (at(5, 45), at(5, 45), (0, 90));
    }
    let client = &mut facts.flow.sides.client;
    (client.highest, client.acked, client.data_packets, client.last_data) = (300, 300, 1, Some(at(4, 25)));
    facts
}

/// The hop counters are those that the server's link shows.
fn captured_near_server(facts: &mut Handshake) {
    (facts.flow.sides.client.ttl, facts.flow.sides.server.ttl) = (Some(55), Some(64));
}

#[test]
fn a_hello_that_the_server_ignores_is_no_devices_on_the_path() {
    let found = |facts: &Handshake| found_knowing(&hello_dropped::RULE, facts, &Knowledge::default()).expect("seven times in vain");
    let (mut facts, _) = hello_lost_like(5, 7, (at(0, -5_000), 0));
    let lost = found(&facts);
    assert_eq!(lost.stopped_by, Some(StoppedBy::Network));
    assert!(lost.summary.contains("never arrived") && lost.alternatives.contains(&Cause::OneWayPath), "{}", lost.summary);
    captured_near_server(&mut facts);
    let ignored = found(&facts);
    assert_eq!(ignored.stopped_by, Some(StoppedBy::Server));
    assert!(ignored.summary.contains("arrives, and the server's host ignores it"), "{}", ignored.summary);
    let lines: Vec<String> = ignored.remedy.iter().map(|advice| advice.line().into_owned()).collect();
    assert!(lines.iter().any(|line| line == "nft list ruleset") && !lines.iter().any(|line| line.contains("other.example")), "{lines:?}");
    assert!(!ignored.alternatives.contains(&Cause::OneWayPath));
    (facts.flow.sides.client.retransmits, facts.flow.sides.client.damaged) = (6, 6);
    let damaged = found(&facts);
    assert_eq!(damaged.stopped_by, Some(StoppedBy::Network));
    assert!(damaged.summary.contains("is damaged on the way"), "{}", damaged.summary);
    facts.flow.sides.client.damaged = 5;
    assert_eq!(found(&facts).stopped_by, Some(StoppedBy::Server), "one copy was whole");
    facts.flow.sides.client.ttl = Some(128);
    assert_eq!(found(&facts).stopped_by, Some(StoppedBy::Network), "on one link nothing tells where it was captured");
}

#[test]
fn an_answer_that_is_repeated_and_never_acknowledged_is_dropped_on_its_way() {
    let mut facts = answered();
    facts.flow.sides.server.outstanding.push(outstanding(0, 900, at(5, 45), at(9, 6_000), 5));
    let at_client = found_knowing(&server_flight::RULE, &facts, &Knowledge::default()).expect("five times in vain");
    assert_eq!((at_client.confidence, at_client.stopped_by), (Confidence::Strong, Some(StoppedBy::Client)));
    assert!(at_client.summary.contains("arrives, and the client's host ignores it"), "{}", at_client.summary);
    captured_near_server(&mut facts);
    let finding = found_knowing(&server_flight::RULE, &facts, &Knowledge::default()).expect("five times in vain");
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Strong, Some(StoppedBy::Network)));
    facts.flow.sides.server.acked = 400;
    assert!(found_knowing(&server_flight::RULE, &facts, &Knowledge::default()).is_none(), "part of it arrived");
}

#[test]
fn a_block_page_is_a_filters_answer_and_an_ordinary_page_the_servers() {
    let mut facts = partial_hello(300, 600);
    says(&mut facts, Side::Server, b"HTTP/1.1 451 Unavailable For Legal Reasons\r\n\r\n", at(5, 30));
    let finding = found_knowing(&plaintext_injected::RULE, &facts, &Knowledge::default()).expect("a block page");
    assert_eq!((finding.weight, finding.stopped_by), (Weight::Overrides, Some(StoppedBy::Network)));

    let mut facts = partial_hello(300, 600);
    says(&mut facts, Side::Server, b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", at(5, 30));
    facts.flow.sides.server.ttl = facts.flow.sides.server.syn.map(|syn| syn.ttl);
    assert!(found_knowing(&plaintext_injected::RULE, &facts, &Knowledge::default()).is_none(), "the server speaks HTTP");
    let others = Knowledge { speaks_tls: true, completed: 3, ..Knowledge::default() };
    assert!(found_knowing(&plaintext_injected::RULE, &facts, &others).is_some(), "with others the server speaks TLS");
}

#[test]
fn a_path_that_crawls_for_one_name_alone_is_throttled() {
    let mut facts = answered();
    facts.outcome = Outcome::Completed;
    facts.finished.server = Some(at(40, 9_000));
    let server = &mut facts.flow.sides.server;
    (server.acked, server.delivered, server.largest_segment) = (3_000, 3_000, 1_448);
    facts.flow.eventful = true;
    facts.flow.events =
        (0..7).map(|n| event(at(6 + n, 1_000), Side::Server, FlowEventKind::Retransmission { offset: 1_448, len: 1_448 })).collect();
    let note = found_knowing(&throttled::RULE, &facts, &Knowledge::default()).expect("seven repairs within nine seconds");
    assert_eq!((note.weight, note.confidence), (Weight::Note, Confidence::Hint), "alone it may be ordinary loss");
    let others = Knowledge { completed_other_names: 4, ..Knowledge::default() };
    assert_eq!(found_knowing(&throttled::RULE, &facts, &others).map(|finding| finding.weight), Some(Weight::Explains));
    facts.finished.server = Some(at(40, 300));
    assert!(found_knowing(&throttled::RULE, &facts, &others).is_none(), "it was quick");
}

#[test]
fn a_rst_beyond_all_that_its_side_sent_is_no_hosts() {
    let volley = |beyond: i64, later: i64| {
        let mut facts = partial_hello(517, 508);
        let first = reset(at(5, 30), 55);
        facts.flow.sides.server.resets = vec![first, Reset { seq_distance: beyond, in_window: true, ..reset(at(6, later), 55) }];
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Server);
        found_knowing(&reset_injected::RULE, &facts, &Knowledge::default())
    };
    let finding = volley(2_920, 31).expect("the second runs ahead");
    assert_eq!((finding.confidence, finding.weight, finding.stopped_by), (Confidence::Strong, Weight::Overrides, Some(StoppedBy::Network)));
    assert!(volley(0, 31).is_none(), "a host answers every packet with the number that it is asked for");
    assert!(volley(-1, 31).is_none());
    assert!(volley(2_920, 9_000).is_none(), "another event");
    let mut facts = partial_hello(517, 508);
    facts.flow.sides.server.resets = vec![Reset { seq_distance: 1_448, ..reset(at(5, 30), 55) }, reset(at(6, 31), 55)];
    (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Server);
    let found = found_knowing(&reset_injected::RULE, &facts, &Knowledge::default());
    assert!(found.is_none(), "what the server sent before was lost, and what comes after that is refused");
}

#[test]
fn the_hop_counter_of_a_forged_alert_is_its_own() {
    let mut facts = partial_hello(300, 291);
    facts.alerts = Scene::broad().alert(Side::Server, AlertDescription::HANDSHAKE_FAILURE).handshake.alerts;
    for alert in &mut facts.alerts {
        alert.mark = at(5, 26);
    }
    (facts.outcome, facts.stopped_by) = (Outcome::Alerted, StoppedBy::Server);
    // the server's own packets come behind it
    assert!(found_knowing(&alert_forged::RULE, &facts, &Knowledge::default()).is_none());
    facts.flow.sides.server.alert_ttl = Some((at(5, 26), 61));
    let finding = found_knowing(&alert_forged::RULE, &facts, &Knowledge::default()).expect("six hops away from the server");
    assert_eq!((finding.confidence, finding.suspect.and_then(|suspect| suspect.ttl)), (Confidence::Strong, Some(61)));
    facts.flow.sides.server.differing_overlaps = 1;
    let finding = found_knowing(&alert_forged::RULE, &facts, &Knowledge::default()).expect("denied");
    assert_eq!(finding.confidence, Confidence::Certain);
}

#[test]
fn a_hello_that_is_dropped_after_a_pause_may_be_forgotten() {
    let dropped = |pause: i64| {
        let mut facts = partial_hello(300, 291);
        facts.flow.sides.client.outstanding.push(outstanding(0, 300, at(4, 20 + pause), at(9, 9_000 + pause), 5));
        for mark in [&mut facts.flow.sides.client.first_data, &mut facts.flow.sides.client.last_data] {
            *mark = Some(at(4, 20 + pause));
        }
        found_knowing(&hello_dropped::RULE, &facts, &Knowledge::default()).expect("five times in vain")
    };
    assert!(dropped(8_000).alternatives.contains(&Cause::IdleTimeout));
    assert!(!dropped(5).alternatives.contains(&Cause::IdleTimeout));
}

#[test]
fn full_packets_one_by_one_are_held_back_on_the_path() {
    let mut facts = answered();
    facts.outcome = Outcome::Closed;
    let client = &mut facts.flow.sides.client;
    (client.fin, client.last_packet) = (Some((at(60, 20_000), 300)), Some(at(60, 20_000)));
    facts.flow.last = at(60, 20_000);
    let server = &mut facts.flow.sides.server;
    (server.acked, server.delivered, server.largest_segment, server.paced) = (17_376, 17_376, 1_448, 11);
    let finding = found_knowing(&throttled::RULE, &facts, &Knowledge::default()).expect("eleven pauses in 20 s");
    assert_eq!((finding.weight, finding.confidence), (Weight::Explains, Confidence::Likely));
    assert!(finding.summary.contains("17,376 bytes"), "{}", finding.summary);
    // a program that writes slowly
    facts.flow.sides.server.delivered = 3_000;
    assert!(found_knowing(&throttled::RULE, &facts, &Knowledge::default()).is_none());
}

/// A hello that is lost after a pause, and knowledge of one like it that came through after another.
fn lost_like_another(pause: i64, copies: u32, pause_of_other: i64) -> (Handshake, Knowledge) {
    let (facts, like) = hello_lost_like(pause, copies, (at(0, -5_000), pause_of_other));
    (facts, Knowledge { related: vec![like], ..Knowledge::default() })
}

#[test]
fn a_hello_that_passes_without_a_pause_and_not_after_one_was_forgotten() {
    let (facts, knowledge) = lost_like_another(8_000, 6, 5);
    let finding = found_knowing(&idle::RULE, &facts, &knowledge).expect("one like it passed at once");
    assert_eq!((finding.confidence, finding.weight, finding.stopped_by), (Confidence::Likely, Weight::Explains, Some(StoppedBy::Network)));
    assert!(found_knowing(&idle::RULE, &facts, &Knowledge::default()).is_none(), "its name may be the reason");
    let (facts, knowledge) = lost_like_another(8_000, 6, 8_000);
    assert!(found_knowing(&idle::RULE, &facts, &knowledge).is_none(), "the other paused as long, and passed");
    let (facts, knowledge) = lost_like_another(2_000, 6, 5);
    assert!(found_knowing(&idle::RULE, &facts, &knowledge).is_none(), "nobody forgets so soon");
}

#[test]
fn a_rst_after_a_short_pause_is_a_devices_where_its_hop_counter_is() {
    let after = |pause: i64, ttl: u8| {
        let mut facts = partial_hello(300, 600);
        let sent = at(4, 20 + pause);
        let client = &mut facts.flow.sides.client;
        (client.first_data, client.last_data, client.last_packet) = (Some(sent), Some(sent), Some(sent));
        facts.partial_client_hello.as_mut().unwrap().mark = sent;
        facts.flow.sides.server.resets.push(reset(at(5, 21 + pause), ttl));
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Server);
        facts
    };
    let found = |facts: &Handshake, ttls: &[u8]| {
        found_knowing(&idle::RULE, facts, &Knowledge { server_ttls: ttls.to_vec(), ..Knowledge::default() })
    };
    let finding = found(&after(3_100, 56), &[55]).expect("one hop nearer than the server");
    assert_eq!((finding.confidence, finding.alternatives[0]), (Confidence::Likely, Cause::ResetInjected));
    assert!(found(&after(3_100, 55), &[55]).is_none(), "the server's own");
    assert!(found(&after(3_100, 56), &[55, 56]).is_none(), "the server is known by both");
    assert!(found(&after(40, 56), &[55]).is_none(), "without a pause");
}

#[test]
fn one_hop_apart_is_another_sender_where_the_server_is_known_to_keep_its_distance() {
    let mut facts = partial_hello(517, 508);
    facts.flow.sides.server.resets = vec![reset(at(5, 45), 56)];
    (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Server);
    let found =
        |ttls: &[u8]| found_knowing(&reset_injected::RULE, &facts, &Knowledge { server_ttls: ttls.to_vec(), ..Knowledge::default() });
    let finding = found(&[55]).expect("all its packets have 55");
    assert_eq!((finding.confidence, finding.weight), (Confidence::Likely, Weight::Explains));
    assert!(found(&[]).is_none(), "a route may have changed");
    assert!(found(&[54, 55]).is_none(), "routes do change");
}

#[test]
fn a_packet_that_most_links_do_not_carry_is_not_lost_for_its_name() {
    let lost = |side: Side, len: u32| {
        let mut facts = answered();
        if side == Side::Client {
            facts.server_hello = None;
            facts.flow.sides.client.acked = 0;
        }
        for own in Side::BOTH {
            facts.flow.sides.of_mut(own).syn.as_mut().unwrap().mss = Some(8_960);
        }
        facts.flow.sides.of_mut(side).outstanding.push(outstanding(0, len, at(5, 45), at(9, 6_000), 5));
        facts
    };
    let passed = |len: u32| {
        let mut knowledge = Knowledge::default();
        (knowledge.passed.client, knowledge.passed.server) = (len, len);
        knowledge
    };
    for (side, rule) in [(Side::Client, &hello_dropped::RULE), (Side::Server, &server_flight::RULE)] {
        assert!(found_knowing(rule, &lost(side, 1_490), &passed(0)).is_none(), "{side}: 1,542 bytes in one packet");
        assert!(found_knowing(rule, &lost(side, 1_490), &passed(2_000)).is_some(), "{side}: larger ones pass");
        assert!(found_knowing(rule, &lost(side, 1_448), &passed(0)).is_some(), "{side}: of ordinary size");
    }
}

#[test]
fn a_certificate_of_where_others_led_in_clear_is_a_portals() {
    let refused = |led: &[(&str, &str)], uninvited_at: usize, name: &str| {
        let certificates = certificate(name, |_| {});
        let scene =
            Scene::broad().answered(V::TLS12, 0xc02b, &[]).served(&certificates).alert(Side::Client, AlertDescription::BAD_CERTIFICATE);
        let at = Timestamp::from_parts(1_795_251_860, 0);
        let chain = judge(&certificates, Some("www.lab.test"), at, Purpose::Server, &TrustStore::mozilla());
        let led = led.iter().map(|(host, by)| Led { host: (*host).to_owned(), by: by.parse().unwrap(), at: None }).collect();
        let knowledge = Knowledge { uninvited_at, led, ..Knowledge::default() };
        let policy = Policy::default();
        found_of(
            Cause::CaptivePortal,
            &Case { handshake: &scene.handshake, chain: Some(&chain), client_chain: None, knowledge: &knowledge, policy: &policy },
        )
    };
    let (login, server, other) = ("login.hotel.example", "192.0.2.2", "192.0.2.9");
    let finding = refused(&[(login, other)], 1, login).expect("another address led there");
    assert_eq!((finding.confidence, finding.weight), (Confidence::Likely, Weight::Overrides));
    assert!(refused(&[(login, server)], 2, login).is_some(), "another address has the certificate, too");
    assert!(refused(&[(login, server)], 1, login).is_none(), "a site that leads to another of its names");
    assert!(refused(&[("www.shop.example", other)], 3, login).is_none(), "led elsewhere");
    assert!(refused(&[("login.lab.test", other)], 3, "login.lab.test").is_none(), "the name's own domain");
    assert!(refused(&[], 3, login).is_none(), "many names on one certificate are a host's default");
}

/// A hello that the server acknowledged and did not answer, until the client closed after 5 s.
fn unanswered() -> Handshake {
    let mut facts = answered();
    facts.server_hello = None;
    let client = &mut facts.flow.sides.client;
    (client.acked_at, client.fin) = (Some(at(5, 45)), Some((at(6, 5_025), 300)));
    facts
}

#[test]
fn a_client_whose_end_is_ahead_had_spoken() {
    let left = |behind: i64, near_server: bool| {
        let mut facts = connected();
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
        let ended = Reset { seq_distance: behind, ..reset(at(6, 1_025), 57) };
        facts.flow.sides.client.resets = vec![ended];
        if near_server {
            captured_near_server(&mut facts);
        }
        found_knowing(&hello_dropped::RULE, &facts, &Knowledge::default()).map(|finding| finding.confidence)
    };
    assert_eq!(left(517, true), Some(Confidence::Likely));
    assert_eq!(left(517, false), Some(Confidence::Hint), "the capture may have lost it");
    assert_eq!(left(0, true), None, "it had said nothing");
    assert_eq!(left(7, true), None, "an alert");
}

#[test]
fn a_server_whose_number_is_ahead_has_answered() {
    let passing = |size| {
        let mut knowledge = Knowledge::default();
        knowledge.passed.server = size;
        knowledge
    };
    let found = |facts: &Handshake, size| found_knowing(&server_flight::RULE, facts, &passing(size));
    let mut facts = unanswered();
    assert!(found(&facts, 1_448).is_none(), "nothing shows that it said anything");
    (facts.flow.sides.server.reached, facts.flow.sides.server.reached_at) = (6_012, Some(at(7, 5_045)));
    let ahead = found(&facts, 1_448).expect("6,012 bytes that never arrived");
    assert_eq!((ahead.confidence, ahead.stopped_by), (Confidence::Strong, Some(StoppedBy::Network)));
    assert!(ahead.summary.contains("6,012 bytes"), "{}", ahead.summary);
    assert!(found(&facts, 0).is_some(), "its last packet was small, and is lost as well");
    facts.flow.sides.server.reached = 5_840;
    assert!(found(&facts, 0).is_none(), "full-size packets may not pass at all");
    facts.flow.sides.server.reached = 7;
    assert!(found(&facts, 1_448).is_none(), "an alert");
    facts.flow.sides.server.reached = 6_012;
    facts.flow.sides.client.acked = 0;
    assert!(found(&facts, 1_448).is_none(), "the hello did not arrive");
    facts.flow.sides.client.acked = 300;
    captured_near_server(&mut facts);
    assert!(found(&facts, 1_448).is_none(), "at the server the capture lost it");
}

#[test]
fn a_system_that_does_not_know_the_connection_is_no_process_that_hangs() {
    let mut facts = unanswered();
    let silent = |facts: &Handshake| found_of_knowing(Cause::ServerSilent, facts, &Knowledge::default());
    let flight = |facts: &Handshake| found_knowing(&server_flight::RULE, facts, &Knowledge::default());
    let unknowing = Reset { unknowing: true, ..Reset::fitting(at(7, 5_045), 55) };
    facts.flow.sides.server.resets = vec![unknowing];
    let forgotten = flight(&facts).expect("it had ended before");
    assert_eq!((forgotten.confidence, forgotten.stopped_by), (Confidence::Likely, Some(StoppedBy::Network)));
    assert!(forgotten.alternatives.contains(&Cause::ServerClosed) && silent(&facts).is_none(), "{forgotten:?}");
    facts.flow.sides.server.resets = vec![reset(at(7, 5_045), 55)];
    assert!(flight(&facts).is_none(), "a process that closes now");
    assert_eq!(silent(&facts).map(|finding| finding.confidence), Some(Confidence::Strong));
    facts.flow.sides.server.resets = vec![Reset { ttl: 61, ..unknowing }];
    assert!(flight(&facts).is_none(), "not the server's own");
    facts.flow.sides.server.resets = vec![unknowing];
    facts.flow.sides.server.fin = Some((at(6, 5_020), 0));
    assert!(flight(&facts).is_none(), "its end did arrive");
}

#[test]
fn a_flight_of_which_nothing_is_acknowledged_is_not_the_clients_turn() {
    let mut facts = answered();
    facts.server_hello_done = Some(at(6, 46));
    captured_near_server(&mut facts);
    facts.flow.sides.client.fin = Some((at(12, 5_025), 300));
    let full = outstanding(0, 1_448, at(5, 45), at(9, 3_000), 5);
    facts.flow.sides.server.outstanding.push(full);
    let stalled = |facts: &Handshake| found_of_knowing(Cause::ClientStalled, facts, &Knowledge::default());
    assert!(stalled(&facts).is_none(), "it has got nothing");
    let mut knowledge = Knowledge::default();
    let flight = |facts: &Handshake, knowledge: &Knowledge| found_knowing(&server_flight::RULE, facts, knowledge).map(|f| f.confidence);
    assert_eq!(flight(&facts, &knowledge), Some(Confidence::Likely), "it may be the size");
    knowledge.passed.server = 1_448;
    assert_eq!(flight(&facts, &knowledge), Some(Confidence::Strong), "that size passes");
    facts.flow.sides.server.outstanding.clear();
    facts.flow.sides.server.acked = 1_448;
    assert!(stalled(&facts).is_some(), "it has got all, and is silent");
}

#[test]
fn a_fin_that_its_side_overruns_or_that_comes_from_elsewhere_is_forged() {
    let closed = |sent: u64, fin_ttl: u8| {
        let mut facts = partial_hello(300, 291);
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        let server = &mut facts.flow.sides.server;
        (server.fin, server.fin_ttl, server.highest) = (Some((at(5, 46), 90)), fin_ttl, sent);
        (server.first_data, server.last_data) = (Some(at(4, 45)), Some(at(if sent > 90 { 7 } else { 4 }, 50)));
        found(&reset_injected::RULE, &facts).map(|finding| (finding.confidence, finding.stopped_by))
    };
    let network = Some(StoppedBy::Network);
    assert_eq!(closed(500, 55), Some((Confidence::Likely, network)), "who closed says nothing more");
    assert_eq!(closed(90, 97), Some((Confidence::Likely, network)));
    assert_eq!(closed(90, 56), None, "a route may change");
    assert_eq!(closed(90, 55), None);
}

#[test]
fn a_hello_that_went_no_further_than_one_of_two_points_is_dropped_between_them() {
    let (facts, _) = hello_lost_like(5, 5, (at(0, -3_000), 0));
    let lines = |mute_at| {
        let finding =
            found_knowing(&hello_dropped::RULE, &facts, &Knowledge { mute_at, ..Knowledge::default() }).expect("five times in vain");
        finding.remedy.iter().any(|line| line.line() == "nft list ruleset")
    };
    assert!(lines(Some((facts.client, facts.server))) && !lines(None));
}

#[test]
fn a_flight_of_which_a_part_arrives_is_not_dropped_for_its_version() {
    let drops = |sacked: bool, len: u32| {
        let mut facts = Scene::broad().answered(V::TLS13, 0x1301, &[]).handshake;
        let flow = connected().flow;
        facts.flow = flow;
        (facts.outcome, facts.stopped_by) = (Outcome::Stalled, StoppedBy::Client);
        let server = &mut facts.flow.sides.server;
        server.outstanding.push(outstanding(0, len, at(5, 45), at(9, 6_000), 6));
        facts.flow.sides.client.sent_sack = sacked;
        let older = Related { same_endpoint: true, highest_version: Some(V::TLS12), hello_len: 200, ..related(at(20, 9_000)) };
        found_knowing(&tls13::RULE, &facts, &Knowledge { related: vec![older], ..Knowledge::default() }).is_some()
    };
    assert!(drops(false, 800));
    assert!(!drops(true, 800), "a part of it arrives");
    assert!(!drops(false, 1_448), "it may be its size");
}

#[test]
fn who_ends_a_connection_in_the_clients_name_before_its_hello_is_no_probe() {
    let ended = |reset: Option<Reset>, fin_ttl: u8| {
        let mut facts = connected();
        (facts.outcome, facts.stopped_by) = (if reset.is_some() { Outcome::Reset } else { Outcome::Closed }, StoppedBy::Client);
        let client = &mut facts.flow.sides.client;
        if fin_ttl > 0 {
            (client.fin, client.fin_ttl) = (Some((at(4, 22), 0)), fin_ttl);
        }
        client.resets.extend(reset);
        verdict(&facts).cause()
    };
    let own = Reset { ack_distance: Some(0), ..Reset::fitting(at(4, 22), 64) };
    assert_eq!(ended(Some(own), 0), Some(Cause::TcpProbe));
    assert_eq!(ended(Some(Reset { ttl: 254, ..own }), 0), Some(Cause::ResetInjected));
    assert_eq!(ended(Some(Reset { ack_distance: None, unknowing: true, ..own }), 0), Some(Cause::ResetInjected), "it answers nothing");
    assert_eq!((ended(None, 64), ended(None, 254)), (Some(Cause::TcpProbe), Some(Cause::ResetInjected)));
    assert_eq!(ended(Some(Reset { ttl: 63, ..own }), 0), Some(Cause::TcpProbe), "a route may change");
}

#[test]
fn a_server_whose_number_is_ahead_understood_a_long_hello() {
    let smaller = Related { same_endpoint: true, hello_len: 300, ..related(at(20, 9_000)) };
    let found = |facts: &Handshake, older: Option<V>| {
        let related = vec![Related { highest_version: older.or(Some(V::TLS13)), ..smaller.clone() }];
        found_knowing(&split_hello::RULE, facts, &Knowledge { related, ..Knowledge::default() }).map(|finding| finding.confidence)
    };
    let mut facts = unanswered();
    for hello in &mut facts.client_hellos {
        hello.span = (0, 1_579);
    }
    let client = &mut facts.flow.sides.client;
    (client.highest, client.acked, client.largest_segment) = (1_579, 1_579, 1_448);
    facts.outcome = Outcome::Stalled;
    assert_eq!(found(&facts, None), Some(Confidence::Strong), "it stays silent to the long one alone");
    assert_eq!(found(&facts, Some(V::TLS12)), Some(Confidence::Likely), "the other was of another version, too");
    (facts.flow.sides.server.reached, facts.flow.sides.server.reached_at) = (2_491, Some(at(7, 5_045)));
    assert_eq!(found(&facts, None), None, "it answered");
    assert!(
        found_of_knowing(Cause::ServerFlightDropped, &facts, &Knowledge::default()).is_some(),
        "its last 1,031 bytes were not too large"
    );
}

#[test]
fn a_fin_that_is_acknowledged_within_a_packet_was_never_sent() {
    let closed = |acked: u64, own_fin: bool| {
        let mut facts = answered();
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        let (client, server) = (&mut facts.flow.sides.client, &mut facts.flow.sides.server);
        (client.highest, client.acked, client.acked_at) = (426, acked, Some(at(7, 90)));
        client.fin = own_fin.then(|| (at(6, 80), 300));
        client.outstanding.push(outstanding(300, 126, at(6, 70), at(6, 70), 1));
        server.fin = Some((at(7, 90), 90));
        found(&reset_injected::RULE, &facts).map(|finding| (finding.confidence, finding.stopped_by, finding.weight))
    };
    assert_eq!(closed(301, false), Some((Confidence::Likely, Some(StoppedBy::Network), Weight::Overrides)));
    assert_eq!(closed(300, false), None, "it takes nothing of the packet");
    assert_eq!(closed(302, false), None, "a part of it");
    assert_eq!(closed(301, true), None, "it did close");
}

#[test]
fn what_arrives_and_is_not_taken_is_not_lost() {
    let repeated = |answers: u32| {
        let mut facts = answered();
        let (client, server) = (&mut facts.flow.sides.client, &mut facts.flow.sides.server);
        server.outstanding.push(outstanding(0, 900, at(5, 45), at(20, 6_000), 7));
        (client.duplicate_acks, client.last_packet) = (answers, Some(at(21, 6_001)));
        facts
    };
    let finding = |facts: &Handshake| {
        let found = found(&server_flight::RULE, facts).expect("seven times in vain");
        (found.cause, found.confidence, found.stopped_by, found.remedy.iter().any(|line| line.line().contains("translate the timestamps")))
    };
    let ignored = (Cause::ServerFlightDropped, Confidence::Likely, Some(StoppedBy::Client), false);
    assert_eq!(finding(&repeated(7)), ignored);
    let mut facts = repeated(7);
    facts.flow.sides.server.clock_behind = Some(1_000_000_000);
    assert_eq!(finding(&facts), (Cause::ServerFlightDropped, Confidence::Likely, Some(StoppedBy::Network), true));
    facts.flow.sides.client.fin = Some((at(4, 26), 300));
    let refused = found(&server_flight::RULE, &facts).is_some_and(|finding| finding.summary.contains("takes nothing of it"));
    assert!(!refused, "it had left");
    assert_eq!(finding(&repeated(0)).1, Confidence::Strong, "nobody answers what does not arrive");
    let mut hello = partial_hello(300, 291);
    hello.flow.sides.client.outstanding.push(outstanding(0, 300, at(4, 25), at(20, 6_000), 6));
    (hello.flow.sides.server.duplicate_acks, hello.flow.sides.server.last_packet) = (6, Some(at(21, 6_001)));
    let told = |hello: &Handshake| found(&hello_dropped::RULE, hello).map(|found| (found.confidence, found.stopped_by));
    let ignored = Some((Confidence::Likely, Some(StoppedBy::Server)));
    assert_eq!(told(&hello), ignored);
    // A SYN proxy opens its window when it has reached the server.
    hello.flow.sides.server.zero_window = Some(ZeroWindow { first: at(2, 1), last: at(2, 1), reopened: Some(at(3, 2)) });
    assert_eq!(told(&hello), ignored, "it was open before the hello came");
    hello.flow.sides.server.zero_window = Some(ZeroWindow { first: at(2, 1), last: at(21, 6_001), reopened: None });
    assert_ne!(told(&hello), ignored, "nothing is taken in a closed window");
}

#[test]
fn a_keep_alive_that_a_system_without_the_connection_answers_was_forgotten_on_the_way() {
    let reset = |pause: i64, keepalives: u32, unknowing: bool| {
        let mut facts = answered();
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
        let (client, server) = (&mut facts.flow.sides.client, &mut facts.flow.sides.server);
        (server.highest, server.acked, server.acked_at, server.keepalives) = (90, 90, Some(at(6, 46)), keepalives);
        (server.last_data, server.last_packet) = (Some(at(5, 45)), Some(at(8, 46 + pause)));
        client.last_packet = Some(at(6, 46));
        client.resets.push(Reset { unknowing, ..Reset::fitting(at(9, 48 + pause), 63) });
        found(&idle::RULE, &facts).map(|finding| (finding.confidence, finding.stopped_by))
    };
    assert_eq!(reset(15_000, 1, true), Some((Confidence::Likely, Some(StoppedBy::Network))));
    assert_eq!(reset(15_000, 1, false), None, "a program's own RST");
    assert_eq!(reset(2_000, 1, true), None, "nobody forgets so soon");
    assert_eq!(reset(15_000, 0, true), None, "no keep-alive");
}

#[test]
fn so_many_copies_are_not_lost_by_chance_whatever_became_of_one_like_it() {
    let dropped = |copies: u32| {
        let (facts, knowledge) = lost_like_another(5, copies, 5);
        let found = found_of_knowing(Cause::ClientHelloDropped, &facts, &knowledge).map(|finding| finding.confidence);
        let loss = found_of_knowing(Cause::PacketLoss, &facts, &knowledge).is_some();
        (found, loss)
    };
    assert_eq!(dropped(7), (Some(Confidence::Likely), false));
    assert_eq!(dropped(4), (None, true), "it may be chance");
}

#[test]
fn a_server_that_forgets_a_connection_within_a_moment_was_reset() {
    let told = |change: fn(&mut Handshake)| {
        let mut facts = connected();
        facts.client_hellos = Scene::broad().handshake.observed.client_hellos;
        for hello in &mut facts.client_hellos {
            (hello.mark, hello.first, hello.span) = (at(5, 25), at(4, 25), (0, 1_560));
        }
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Server);
        let client = &mut facts.flow.sides.client;
        (client.highest, client.bytes_seen, client.acked, client.acked_at) = (1_560, 1_560, 1_448, Some(at(6, 45)));
        (client.data_packets, client.first_data, client.last_data) = (2, Some(at(4, 25)), Some(at(5, 25)));
        facts.flow.sides.server.resets.push(Reset { unknowing: true, ..Reset::fitting(at(7, 46), 55) });
        facts.flow.last = at(7, 46);
        change(&mut facts);
        let verdict = verdict(&facts);
        (verdict.cause(), verdict.cause.as_ref().map(|finding| finding.confidence))
    };
    let (likely, other) = ((Some(Cause::ResetInjected), Some(Confidence::Likely)), Some(Cause::ServerReset));
    assert_eq!(told(|_| ()), likely);
    assert_eq!(told(|facts| facts.flow.sides.server.resets[0].unknowing = false).0, other, "a program closed it");
    assert_eq!(told(|facts| facts.flow.sides.server.resets[0].mark = at(7, 345)).0, other, "an address may move in a third of a second");
    assert_eq!(told(|facts| facts.flow.sides.client.acked = 0).0, other, "it never knew it");
    let echo = |facts: &mut Handshake| {
        facts.flow.sides.server.resets[0].mark = at(7, 345);
        facts.flow.sides.server.resets.push(reset(at(8, 350), 47));
    };
    assert_eq!(told(echo), (Some(Cause::ResetInjected), Some(Confidence::Strong)), "the device's own is right behind");
}
