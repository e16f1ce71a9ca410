//! Tests of the family middlebox.

use super::*;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::testing::{Scene, at, connected, event, found_knowing, outstanding, partial_hello, reset, says};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::registry::AlertDescription;
use crate::tls::registry::ProtocolVersion as V;
use crate::transport::{FlowEventKind, Reset};

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

#[test]
fn an_answer_that_is_repeated_and_never_acknowledged_is_dropped_on_its_way() {
    let mut facts = answered();
    facts.flow.sides.server.outstanding.push(outstanding(0, 900, at(5, 45), at(9, 6_000), 5));
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
