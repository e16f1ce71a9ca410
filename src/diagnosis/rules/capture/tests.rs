//! Tests of the family capture.

use super::*;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::{Knowledge, Related};
use crate::diagnosis::testing::{
    Scene, at, connected, found, found_knowing, outstanding, over_udp, partial_hello, related, reset, said_hello, verdict,
};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{AlertSeen, Outcome, Protocol, QuicFacts, StoppedBy};
use crate::quic::version::Version;
use crate::tls::registry::{AlertDescription, ProtocolVersion};
use crate::transport::{Close, SideFacts};

#[test]
fn where_no_server_is_heard_the_silence_of_one_means_nothing() {
    let mut facts = connected();
    facts.outcome = Outcome::Stalled;
    facts.flow.sides.client.packets = 4;
    facts.flow.sides.server.packets = 0;
    let deaf = Knowledge { unheard: Some(3), ..Knowledge::default() };
    let finding = found_knowing(&one_direction::RULE, &facts, &deaf).expect("no server is heard here");
    assert_eq!((finding.weight, finding.stopped_by), (Weight::Overrides, Some(StoppedBy::Capture)));
    facts.flow.sides.server.packets = 1;
    assert!(found_knowing(&one_direction::RULE, &facts, &deaf).is_none(), "this one was heard");
}

#[test]
fn who_ended_it_does_not_show_where_the_clocks_of_the_directions_differ() {
    let mut facts = connected();
    facts.outcome = Outcome::Incomplete;
    assert!(found(&out_of_step::RULE, &facts).is_none(), "its clock is one");
    facts.flow.out_of_step = 2;
    let finding = found(&out_of_step::RULE, &facts).expect("two packets stand behind their acknowledgment");
    assert_eq!((finding.weight, finding.confidence), (Weight::Overrides, Confidence::Strong));
    assert!(finding.summary.contains("The clocks") && !finding.remedy.iter().any(|line| line.line().contains("reordercap")));
    facts.flow.clock_steps_back = 1;
    let unsorted = found(&out_of_step::RULE, &facts).expect("and times run back");
    assert!(unsorted.summary.contains("order of their times"), "{}", unsorted.summary);
    assert!(unsorted.remedy.iter().any(|line| line.line().contains("reordercap")), "{:?}", unsorted.remedy);
    facts.flow.clock_steps_back = 0;
    assert!(found(&ended::RULE, &facts).is_none(), "a longer capture would show no more");
    facts.outcome = Outcome::Completed;
    assert!(found(&out_of_step::RULE, &facts).is_none(), "nothing is open");
    facts.outcome = Outcome::Alerted;
    let finding = found(&out_of_step::RULE, &facts).expect("what the alert answers does not show");
    assert_eq!((finding.weight, finding.confidence), (Weight::Fallback, Confidence::Hint));
}

#[test]
fn a_connection_without_its_beginning_started_before_the_capture() {
    let mut facts = connected();
    facts.outcome = Outcome::Incomplete;
    (facts.flow.sides.client.syn, facts.flow.sides.server.syn) = (None, None);
    let finding = found(&started_late::RULE, &facts).expect("no SYN, no hello");
    assert_eq!((finding.weight, finding.stopped_by), (Weight::Overrides, Some(StoppedBy::Capture)));
    facts.outcome = Outcome::Completed;
    let finding = found(&started_late::RULE, &facts).expect("what the client offered is not known");
    assert_eq!((finding.weight, finding.stopped_by), (Weight::Note, Some(StoppedBy::Nobody)));
    facts.outcome = Outcome::Alerted;
    assert_eq!(found(&started_late::RULE, &facts).map(|finding| finding.weight), Some(Weight::Fallback), "what came later may tell more");
}

#[test]
fn an_end_that_nothing_explains_lacks_its_first_packets() {
    let mut facts = connected();
    (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Client);
    assert!(found(&started_late::RULE, &facts).is_none(), "it is all there");
    facts.flow.sides.client.syn = None;
    let finding = found(&started_late::RULE, &facts).expect("the SYN is not there, its answer is");
    assert_eq!((finding.weight, finding.confidence), (Weight::Fallback, Confidence::Hint));
}

#[test]
fn an_end_without_a_reason_is_not_sure_where_the_begin_is_missing() {
    let mut facts = connected();
    said_hello(&mut facts, at(4, 25));
    let client = &mut facts.flow.sides.client;
    (client.data_packets, client.bytes_seen, client.highest, client.acked) = (1, 300, 300, 300);
    facts.flow.sides.server.fin = Some((at(6, 1_200), 0));
    (facts.outcome, facts.stopped_by, facts.end) = (Outcome::Closed, StoppedBy::Server, Some(at(6, 1_200)));
    let told = |facts: &Handshake| verdict(facts).cause.map(|finding| (finding.cause, finding.confidence));
    assert_eq!(told(&facts), Some((Cause::ServerClosed, Confidence::Strong)));
    (facts.flow.sides.client.syn, facts.flow.sides.server.syn) = (None, None);
    assert_eq!(told(&facts), Some((Cause::ServerClosed, Confidence::Likely)), "something may have been said before");
}

#[test]
fn what_a_filter_by_content_left_out_was_neither_lost_nor_too_early() {
    let mut facts = partial_hello(300, 600);
    facts.outcome = Outcome::Incomplete;
    for side in [&mut facts.flow.sides.client, &mut facts.flow.sides.server] {
        (side.syn, side.packets, side.data_packets, side.gap_bytes_acked) = (None, 1, 1, 1448);
    }
    let finding = found(&gaps::RULE, &facts).expect("nothing but messages is there");
    assert_eq!((finding.weight, finding.confidence), (Weight::Overrides, Confidence::Strong));
    assert!(finding.summary.contains("was filtered"), "{}", finding.summary);
    assert!(found(&started_late::RULE, &facts).is_none() && found(&ended::RULE, &facts).is_none());
    facts.flow.sides.client.packets = 2;
    let finding = found(&gaps::RULE, &facts).expect("with an acknowledgment it is a capture with holes");
    assert!(finding.summary.contains("1,448 bytes"), "{}", finding.summary);
    assert!(found(&started_late::RULE, &facts).is_some());
    (facts.flow.sides.client.packets, facts.partial_client_hello) = (1, None);
    assert!(found(&started_late::RULE, &facts).is_some(), "two packets of something under way");
}

#[test]
fn a_connection_of_syns_and_fins_alone_was_filtered_by_flags() {
    let mut facts = connected();
    facts.outcome = Outcome::Incomplete;
    (facts.flow.sides.client.acked, facts.flow.sides.server.acked) = (518, 4_170);
    (facts.flow.sides.client.packets, facts.flow.sides.server.packets) = (2, 2);
    (facts.flow.sides.client.fin, facts.flow.sides.server.fin) = (Some((at(8, 60), 518)), Some((at(9, 61), 4_170)));
    let finding = found(&gaps::RULE, &facts).expect("nobody carried these bytes");
    assert_eq!(finding.confidence, Confidence::Strong);
    assert!(finding.summary.contains("was filtered"), "{}", finding.summary);
    facts.flow.sides.server.packets = 3;
    let finding = found(&gaps::RULE, &facts).expect("some came, others did not");
    assert!(finding.summary.contains("lacks"), "{}", finding.summary);
}

#[test]
fn bytes_that_were_acknowledged_and_never_seen_were_lost_by_the_capture() {
    let mut facts = connected();
    facts.outcome = Outcome::Incomplete;
    assert!(found(&gaps::RULE, &facts).is_none(), "nothing is missing");
    facts.flow.sides.server.gap_bytes_acked = 1448;
    let finding = found(&gaps::RULE, &facts).expect("1448 bytes are missing");
    assert_eq!(finding.weight, Weight::Overrides);
    assert!(finding.summary.contains("1,448 bytes"), "{}", finding.summary);
    facts.outcome = Outcome::Alerted;
    assert_eq!(found(&gaps::RULE, &facts).map(|finding| finding.weight), Some(Weight::Note), "an alert says more");
}

#[test]
fn where_nothing_else_explains_an_alert_the_bytes_that_it_answers_are_missing() {
    let mut scene = Scene::broad().alert(Side::Server, AlertDescription::PROTOCOL_VERSION);
    scene.handshake.client_hellos.clear();
    scene.handshake.flow = connected().flow;
    let told = |scene: &Scene| {
        let verdict = verdict(&scene.handshake);
        (verdict.outcome, verdict.stopped_by, verdict.cause.map(|finding| (finding.cause, finding.confidence)))
    };
    assert_eq!(told(&scene).2, None);
    scene.handshake.flow.sides.client.gap_bytes_acked = 517;
    assert_eq!(told(&scene), (Outcome::Alerted, StoppedBy::Server, Some((Cause::CaptureGaps, Confidence::Hint))));
    scene.handshake.alerts.clear();
    scene.handshake.outcome = Outcome::Plaintext;
    assert_eq!(
        told(&scene),
        (Outcome::Incomplete, StoppedBy::Capture, Some((Cause::CaptureGaps, Confidence::Certain))),
        "what was said in clear answers them"
    );
}

#[test]
fn who_changes_keys_has_read_a_server_hello() {
    let mut facts = connected();
    said_hello(&mut facts, at(4, 25));
    (facts.outcome, facts.observed.change_cipher_spec.client) = (Outcome::Incomplete, Some(at(6, 40)));
    assert!(found(&gaps::RULE, &facts).is_none(), "nothing of the server is here");
    facts.flow.sides.server.data_packets = 1;
    let finding = found(&gaps::RULE, &facts).expect("the ServerHello is not here");
    assert_eq!((finding.weight, finding.confidence), (Weight::Overrides, Confidence::Strong));
    facts.observed.early_data_offered = true;
    assert!(found(&gaps::RULE, &facts).is_none(), "who sends early data changes keys at once");
    facts.observed.early_data_offered = false;
    let hello = Scene::broad().answered(ProtocolVersion::TLS13, 0x1301, &[]).handshake.observed.server_hello;
    facts.observed.hello_retry = hello.map(Box::new);
    assert!(found(&gaps::RULE, &facts).is_none(), "and so does who was asked for another hello");
}

#[test]
fn a_system_that_does_not_know_the_connection_any_more_was_left_before() {
    let mut facts = connected();
    (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
    facts.flow.sides.client.resets = vec![reset(at(6, 1_000), 64)];
    assert!(found(&gaps::RULE, &facts).is_none(), "its own word");
    facts.flow.sides.client.resets[0].unknowing = true;
    let finding = found(&gaps::RULE, &facts).expect("its end is not here");
    assert_eq!((finding.weight, finding.confidence), (Weight::Fallback, Confidence::Likely));
}

#[test]
fn an_encrypted_alert_over_dtls_behind_no_finished_may_be_a_farewell() {
    let mut facts = over_udp(Protocol::Dtls);
    facts.dtls = Some(Box::default());
    facts.outcome = Outcome::Alerted;
    facts.alerts =
        vec![AlertSeen { from: Side::Client, alert: None, encrypted: true, mark: at(9, 900), after_handshake: false, consequence: false }];
    let told = |facts: &Handshake| found(&gaps::RULE, facts).map(|finding| (finding.weight, finding.confidence)).unwrap();
    assert_eq!(told(&facts), (Weight::Overrides, Confidence::Strong));
    facts.observed.finished.client = Some(at(8, 800));
    assert_eq!(told(&facts), (Weight::Fallback, Confidence::Hint), "what it answers does not show");
}

#[test]
fn what_is_neither_acknowledged_nor_repeated_shows_that_packets_are_missing() {
    let mut facts = partial_hello(300, 600);
    facts.outcome = Outcome::Incomplete;
    facts.flow.sides.client.outstanding.push(outstanding(0, 300, at(4, 25), at(4, 25), 1));
    assert!(found(&gaps::RULE, &facts).is_some(), "a minute without a repetition");
    facts.flow.sides.client.retransmits = 3;
    assert!(found(&gaps::RULE, &facts).is_none(), "it was repeated");
}

#[test]
fn a_syn_to_a_server_that_leaves_others_unanswered_lacks_no_capture() {
    let heard = |hears_both_sides: bool, quiet: i64, unanswered_before: bool| {
        let mut facts = connected();
        facts.flow.tcp.as_mut().unwrap().established = None;
        facts.flow.sides.server = SideFacts::default();
        (facts.outcome, facts.close, facts.closed_at) = (Outcome::Incomplete, Close::EndOfCapture, at(99, quiet));
        let other = Related { same_endpoint: true, went_unanswered: unanswered_before, ..related(at(0, -1_000)) };
        found_knowing(&ended::RULE, &facts, &Knowledge { related: vec![other], hears_both_sides, ..Knowledge::default() })
    };
    let asked = |quiet, unanswered_before| heard(true, quiet, unanswered_before).map(|finding| (finding.weight, finding.confidence));
    let one_way = |heard: Option<Finding>| heard.is_some_and(|finding| finding.alternatives.contains(&Cause::CaptureOneDirection));
    assert!(one_way(heard(false, 900, false)) && !one_way(heard(true, 900, false)), "nobody's answer is in it");
    assert_eq!(asked(2_000, true), Some((Weight::Fallback, Confidence::Likely)));
    assert_eq!(asked(2_000, false), Some((Weight::Overrides, Confidence::Likely)), "the server answers others");
    assert_eq!(asked(900, true), Some((Weight::Overrides, Confidence::Likely)), "the answer may be on its way");
}

#[test]
fn who_cut_the_packets_is_told() {
    let found_cut = |before| {
        let mut facts = connected();
        facts.outcome = Outcome::Incomplete;
        (facts.flow.sides.server.snaplen_cut, facts.flow.sides.server.cut_before) = (2, before);
        found(&snaplen::RULE, &facts).unwrap()
    };
    let (here, before) = (found_cut(0), found_cut(2));
    assert_eq!((here.confidence, before.confidence), (Confidence::Certain, Confidence::Certain));
    assert!(here.summary.contains("truncated 2 packets"), "{}", here.summary);
    assert!(before.summary.contains("before the capture saw them"), "{}", before.summary);
    assert!(before.remedy[0].line().contains("mirror session"), "{:?}", before.remedy);
}

#[test]
fn a_last_handshake_packet_over_quic_may_be_a_refusal() {
    let mut facts = over_udp(Protocol::Quic);
    facts.server_hello = Scene::broad().answered(ProtocolVersion::TLS13, 0x1301, &[]).handshake.observed.server_hello;
    (facts.outcome, facts.close, facts.closed_at) = (Outcome::Incomplete, Close::EndOfCapture, at(7, 3_001));
    let mut quic = QuicFacts::new(Version::V1);
    quic.handshakes.server.add(at(6, 2_990), 800);
    quic.handshakes.client.add(at(7, 3_000), 22);
    quic.last_alone.client = Some((22, at(7, 3_000)));
    facts.flow.sides.client.last_packet = Some(at(7, 3_000));
    facts.quic = Some(Box::new(quic));
    let ended = |facts: &Handshake| {
        let finding = found(&ended::RULE, facts).expect("the capture ends");
        (finding.confidence, finding.alternatives)
    };
    assert_eq!(ended(&facts), (Confidence::Likely, vec![Cause::ServerCertificateRejected]));
    // The server has more to say: it was an acknowledgment.
    facts.quic.as_mut().unwrap().handshakes.server.add(at(8, 3_001), 800);
    assert_eq!(ended(&facts), (Confidence::Likely, Vec::new()));
}

#[test]
fn what_waits_behind_a_hole_is_not_repeated_and_not_missing_here() {
    let never_again = |sack: bool, answers: u32| {
        let mut facts = connected();
        facts.outcome = Outcome::Incomplete;
        for side in Side::BOTH {
            if let Some(syn) = &mut facts.flow.sides.of_mut(side).syn {
                syn.sack = sack;
            }
        }
        let server = &mut facts.flow.sides.server;
        server.outstanding.extend([outstanding(2_920, 1_176, at(5, 40), at(5, 40), 1), outstanding(7_016, 383, at(6, 48), at(6, 48), 1)]);
        (server.highest, server.bytes_seen, server.stranded_bytes, server.data_packets) = (7_399, 1_559, 1_559, 2);
        facts.flow.sides.client.duplicate_acks = answers;
        found(&gaps::RULE, &facts).is_some()
    };
    assert!(!never_again(false, 2), "each piece was answered");
    assert!(never_again(false, 1), "one of them was not");
    assert!(never_again(true, 2), "who can would have named them");
}
