//! Tests of the family connect.

use super::*;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::{Knowledge, Led, Related};
use crate::diagnosis::testing::{
    Scene, at, connected, found_knowing, hello_lost_like, partial_hello, related, reset, syn, verdict, verdict_knowing,
};
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::client_hello::ClientHello;
use crate::tls::client_hello::tests::build;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};
use crate::transport::SideFacts;

fn unanswered() -> Handshake {
    let mut facts = connected();
    facts.flow.tcp.as_mut().unwrap().established = None;
    facts.flow.sides.server = SideFacts::default();
    facts.flow.sides.client.syn = Some(syn(at(1, 0), at(4, 7_000), 4, 64));
    facts.outcome = Outcome::Refused;
    facts
}

#[test]
fn a_syn_without_answer_is_named_unless_something_came_back() {
    let quiet = Knowledge::default();
    let finding = found_knowing(&syn_unanswered::RULE, &unanswered(), &quiet).expect("nothing came back");
    assert_eq!(finding.weight, Weight::Overrides);
    assert!(finding.summary.contains("4 SYNs within 7.00 s"), "{}", finding.summary);
    assert!(found_knowing(&syn_unanswered::RULE, &connected(), &quiet).is_none());
}

#[test]
fn an_answer_that_the_capture_could_not_show_may_have_been_given() {
    let confidence = |knowledge: &Knowledge| found_knowing(&syn_unanswered::RULE, &unanswered(), knowledge).unwrap().confidence;
    assert_eq!(confidence(&Knowledge::default()), Confidence::Likely, "nothing but clients was heard");
    let both = Knowledge { hears_both_sides: true, ..Knowledge::default() };
    assert_eq!(confidence(&both), Confidence::Certain);
    let cut = Knowledge { icmp_unread: true, ..both };
    assert_eq!(confidence(&cut), Confidence::Likely);
}

#[test]
fn an_answer_that_the_client_ignores_reached_it() {
    let mut facts = unanswered();
    facts.flow.sides.server = SideFacts { syn: Some(syn(at(2, 20), at(5, 7_020), 4, 55)), packets: 4, ..SideFacts::default() };
    let found = |facts: &Handshake| found_knowing(&half_open::RULE, facts, &Knowledge::default()).expect("answered, and never up");
    let ignored = found(&facts);
    assert_eq!((ignored.confidence, ignored.stopped_by), (Confidence::Strong, Some(StoppedBy::Client)));
    assert!(ignored.summary.contains("arrive, and 192.0.2.1 ignores them"), "{}", ignored.summary);
    (facts.flow.sides.client.ttl, facts.flow.sides.server.ttl) = (Some(55), Some(64));
    let lost = found(&facts);
    assert_eq!((lost.confidence, lost.stopped_by), (Confidence::Strong, Some(StoppedBy::Network)));
    assert!(lost.summary.contains("do not reach"), "{}", lost.summary);
}

#[test]
fn a_sender_with_too_few_hops_is_no_loop() {
    let advice = |ttl: u8| {
        let mut facts = unanswered();
        facts.flow.sides.server = SideFacts { syn: Some(syn(at(2, 20), at(5, 7_020), 4, ttl)), packets: 4, ..SideFacts::default() };
        facts.flow.icmp.push(IcmpNote {
            mark: at(3, 21),
            reporter: "203.0.113.1".parse().unwrap(),
            kind: IcmpKind::TimeExceeded,
            icmp_type: 11,
            code: 0,
            about: Side::Server,
            quoted_len: 60,
            ignored: 0,
        });
        let finding = found_knowing(&unreachable::RULE, &facts, &Knowledge::default()).expect("a router says so");
        (finding.evidence.iter().any(|evidence| evidence.text.contains("routing loop")), finding.remedy[0].line().to_string())
    };
    let (is_loop, fix) = advice(1);
    assert!(!is_loop && fix.contains("set the TTL"), "{fix}");
    let (is_loop, fix) = advice(64);
    assert!(is_loop && fix.contains("check the route"), "{fix}");
}

#[test]
fn a_server_that_has_no_such_port_says_so_by_a_rule() {
    use crate::diagnosis::knowledge::Related;
    use crate::diagnosis::testing::related;
    let told = |reporter: &str, served: bool| {
        let mut facts = unanswered();
        facts.flow.icmp.push(IcmpNote {
            mark: at(3, 21),
            reporter: reporter.parse().unwrap(),
            kind: IcmpKind::PortUnreachable,
            icmp_type: 3,
            code: 3,
            about: Side::Client,
            quoted_len: 60,
            ignored: 0,
        });
        let other = Related { same_endpoint: true, ..related(at(0, -900)) };
        let knowledge = Knowledge { related: vec![other; usize::from(served)], ..Knowledge::default() };
        found_knowing(&unreachable::RULE, &facts, &knowledge).expect("ICMP says so")
    };
    let server = unanswered().server.address.to_string();
    let (first, banned, router) = (told(&server, false), told(&server, true), told("203.0.113.1", true));
    assert!(first.summary.starts_with("A rule of ") && !first.summary.contains("banned"), "{}", first.summary);
    assert!(banned.summary.contains("which was served before"), "{}", banned.summary);
    assert!(banned.remedy.iter().any(|advice| advice.line().contains("fail2ban-client")));
    assert!(!router.summary.contains("packet filter") && router.remedy[0].line().contains("203.0.113.1"), "{}", router.summary);
}

#[test]
fn who_answers_each_syn_ack_with_a_rst_gets_them() {
    let asks = |every: i64, resets: usize| {
        let mut facts = unanswered();
        facts.flow.sides.client.syn = Some(syn(at(1, 0), at(7, 2 * every), 3, 64));
        facts.flow.sides.server = SideFacts { syn: Some(syn(at(2, 1), at(8, 2 * every + 1), 3, 55)), packets: 3, ..SideFacts::default() };
        facts.flow.sides.client.resets = (0..resets).map(|_| reset(at(3, 2), 64)).collect();
        facts
    };
    let found = |rule, facts: &Handshake| found_knowing(rule, facts, &Knowledge::default());
    let slowly = asks(1_000, 3);
    assert!(found(&probe::RULE, &slowly).is_none());
    let refused = found(&half_open::RULE, &slowly).unwrap();
    assert!(refused.summary.contains("answers each SYN-ACK"), "{}", refused.summary);
    let mut for_long = asks(1_000, 1);
    for_long.flow.sides.client.resets_dropped = 2;
    assert!(found(&half_open::RULE, &for_long).unwrap().summary.contains("answers each SYN-ACK"), "more than are kept one by one");
    let hastily = asks(100, 3);
    assert!(found(&half_open::RULE, &hastily).is_none());
    assert_eq!(found(&probe::RULE, &hastily).unwrap().weight, Weight::Unwanted);
    let mut spoke = asks(100, 3);
    spoke.flow.sides.client.bytes_seen = 517;
    assert!(found(&probe::RULE, &spoke).is_none(), "who says something wants more than an answer to a SYN");
    for every in [100, 1_000] {
        let once = asks(every, 1);
        assert!(found(&probe::RULE, &once).is_none());
        assert!(!found(&half_open::RULE, &once).unwrap().summary.contains("answers each"), "one RST answers one of three");
    }
}

#[test]
fn a_flood_explains_an_unanswered_syn() {
    let flood = Knowledge { flood_half_open: 900, ..Knowledge::default() };
    assert!(found_knowing(&syn_flood::RULE, &unanswered(), &flood).is_some());
    assert!(found_knowing(&syn_flood::RULE, &unanswered(), &Knowledge::default()).is_none());
}

#[test]
fn a_foreign_hop_counter_makes_a_refusal_a_firewalls() {
    let mut facts = unanswered();
    let mut refusal = reset(at(2, 20), 61);
    refusal.to_syn = true;
    facts.flow.sides.server.resets.push(refusal);
    facts.flow.sides.server.packets = 1;
    let known = Knowledge { server_ttls: vec![55], ..Knowledge::default() };
    assert!(found_knowing(&refused::RULE, &facts, &known).is_some());
    assert!(found_knowing(&firewall_reject::RULE, &facts, &known).is_some());
    let same = Knowledge { server_ttls: vec![61], ..Knowledge::default() };
    assert!(found_knowing(&firewall_reject::RULE, &facts, &same).is_none());
}

#[test]
fn an_accept_queue_is_full_only_where_the_hello_is_known_to_have_arrived() {
    let mut facts = partial_hello(300, 291);
    facts.flow.sides.server.syn = Some(syn(at(2, 20), at(8, 3_020), 3, 64));
    facts.flow.sides.client.ttl = Some(57);
    facts.flow.sides.server.ttl = Some(64);
    assert!(found_knowing(&accept_queue::RULE, &facts, &Knowledge::default()).is_some(), "seen at the server");
    facts.flow.sides.client.ttl = Some(64);
    facts.flow.sides.server.ttl = Some(55);
    assert!(found_knowing(&accept_queue::RULE, &facts, &Knowledge::default()).is_none(), "seen at the client it may be the path");
}

#[test]
fn a_probe_says_nothing_and_closes_first() {
    let mut facts = connected();
    facts.outcome = Outcome::Closed;
    facts.flow.sides.client.fin = Some((at(4, 30), 0));
    assert!(found_knowing(&probe::RULE, &facts, &Knowledge::default()).is_some());
    facts.flow.sides.client.fin = None;
    facts.flow.sides.server.fin = Some((at(4, 30), 0));
    assert!(found_knowing(&probe::RULE, &facts, &Knowledge::default()).is_none(), "the server closed");
}

/// The SYN-ACK comes after so long, and the client's system answers it with a RST.
fn answered_too_late(took: i64, by_system: bool) -> Handshake {
    let mut facts = unanswered();
    facts.flow.sides.client.syn = Some(SynFacts { timestamp: by_system.then_some(7), ..syn(at(1, 0), at(1, 0), 1, 64) });
    facts.flow.sides.server = SideFacts { syn: Some(syn(at(2, took), at(2, took), 1, 55)), packets: 1, ..SideFacts::default() };
    facts.flow.sides.client.resets.push(Reset { unknowing: true, ..reset(at(3, took + 1), 64) });
    (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
    facts
}

#[test]
fn a_check_of_a_distant_server_has_seen_its_answer() {
    let mut facts = answered_too_late(350, true);
    facts.flow.sides.client.resets = [reset(at(3, 351), 64)].into_iter().collect();
    let again = |start| Related { same_endpoint: true, outcome: Outcome::Reset, ..related(at(10, start)) };
    let knowledge = Knowledge { related: vec![again(800), again(1_600)], ..Knowledge::default() };
    let finding = found_knowing(&probe::RULE, &facts, &knowledge).expect("nobody wanted it");
    assert!(!finding.summary.contains("had given up"), "{}", finding.summary);
    assert_eq!(verdict_knowing(&facts, &knowledge).cause(), Some(Cause::TcpProbe));
}

#[test]
fn who_gives_up_before_a_distant_server_answers_is_no_health_check() {
    let left = |took: i64, by_system: bool, others: Vec<Related>| {
        let knowledge = Knowledge { related: others, ..Knowledge::default() };
        let finding = found_knowing(&probe::RULE, &answered_too_late(took, by_system), &knowledge).expect("nobody wanted it");
        (finding.summary.contains("had given up"), finding.confidence)
    };
    assert_eq!(left(525, true, Vec::new()), (true, Confidence::Likely));
    assert!(!left(20, true, Vec::new()).0, "nobody's limit is as short");
    assert!(!left(525, false, Vec::new()).0, "a scanner's SYN");
    let served = |start| vec![Related { same_endpoint: true, ..related(at(10, start)) }];
    assert!(left(525, true, served(900)).0, "what was served later does not excuse it");
    assert_eq!(left(525, true, served(100)), (false, Confidence::Likely), "another was under way, and was served");
}

#[test]
fn who_gives_up_connecting_again_and_again_has_a_limit() {
    let cause = |others: &[(i64, bool)], served: Option<i64>, other_family: bool| {
        let again = others.iter().map(|(start, too_late)| Related {
            same_endpoint: true,
            outcome: Outcome::Reset,
            too_late: *too_late,
            ..related(at(10, *start))
        });
        let served = served.map(|start| Related { same_endpoint: true, ..related(at(40, start)) });
        let knowledge = Knowledge { related: again.chain(served).collect(), other_family, ..Knowledge::default() };
        verdict_knowing(&answered_too_late(525, true), &knowledge).cause()
    };
    let (twice, limit, probe) = ([(800, true), (1_600, true)], Some(Cause::ClientTimeout), Some(Cause::TcpProbe));
    assert_eq!(cause(&twice, None, false), limit);
    assert_eq!(cause(&twice, Some(4_000), false), limit, "another program of that host waits for longer");
    assert_eq!(cause(&twice[..1], None, false), probe, "twice is no rule");
    assert_eq!(cause(&[(800, true), (1_600, false)], None, false), probe);
    assert_eq!(cause(&twice, None, true), probe, "the other version of IP was faster");
    assert_eq!(cause(&twice, Some(-200), false), probe, "it was opened in case that one would not come up");
}

#[test]
fn syns_that_a_serving_host_overlooks_met_a_full_queue() {
    let cause = |others: usize, hops: u8, server: u8| {
        let mut facts = unanswered();
        facts.flow.sides.client.syn = Some(SynFacts { timestamp: Some(7), ..syn(at(1, 0), at(1, 0), 1, hops) });
        facts.flow.sides.client.packets = 1;
        (facts.outcome, facts.stopped_by, facts.closed_at) = (Outcome::Incomplete, StoppedBy::Capture, at(90, 1_500));
        let other = || Related { same_endpoint: true, outcome: Outcome::Incomplete, went_unanswered: true, ..related(at(2, 10)) };
        let related = std::iter::repeat_with(other).take(others).collect();
        let server_ttls = vec![server];
        let knowledge = Knowledge { hears_both_sides: true, speaks_tls: true, completed: 3, related, server_ttls, ..Knowledge::default() };
        verdict_knowing(&facts, &knowledge).cause()
    };
    assert_eq!(cause(2, 62, 64), Some(Cause::AcceptQueueFull));
    assert_eq!(cause(1, 62, 64), Some(Cause::TcpSynUnanswered), "two may be lost");
    assert_eq!(cause(2, 64, 62), Some(Cause::TcpSynUnanswered), "seen at the client, they may not arrive");
}

#[test]
fn a_single_syn_that_is_not_sent_again_was_given_up() {
    let told = |watched: i64, knowledge: Knowledge, change: fn(&mut SynFacts)| {
        let mut facts = unanswered();
        let mut asked = SynFacts { timestamp: Some(7), ..syn(at(1, 0), at(1, 0), 1, 64) };
        change(&mut asked);
        (facts.flow.sides.client.syn, facts.flow.sides.client.packets) = (Some(asked), 1);
        (facts.outcome, facts.stopped_by) = (Outcome::Incomplete, StoppedBy::Capture);
        (facts.closed_at, facts.flow.last) = (at(90, watched), at(1, 0));
        let verdict = verdict_knowing(&facts, &knowledge);
        (verdict.cause(), verdict.outcome)
    };
    let hears = || Knowledge { hears_both_sides: true, speaks_tls: true, completed: 3, ..Knowledge::default() };
    let (given_up, open) = ((Some(Cause::TcpSynUnanswered), Outcome::Refused), (Some(Cause::CaptureEnded), Outcome::Incomplete));
    assert_eq!(told(1_500, hears(), |_| ()), given_up);
    assert_eq!(told(900, hears(), |_| ()), open, "it would not have been sent again yet");
    assert_eq!(told(1_500, hears(), |syn| syn.timestamp = None), open, "older systems take three seconds");
    assert_eq!(told(4_000, hears(), |syn| (syn.timestamp, syn.window_scale) = (None, None)), open, "a scanner's SYN");
    assert_eq!(told(1_500, Knowledge { other_family: true, ..hears() }, |_| ()), open, "the other version of IP was faster");
    assert_eq!(told(1_500, Knowledge::default(), |_| ()), open, "nothing shows that answers would be seen");
}

/// This client's SYN is answered by a RST with so many hops left.
fn refused_to(client: &str, ttl: u8) -> Handshake {
    let mut facts = unanswered();
    facts.client.address = client.parse().unwrap();
    let mut refusal = reset(at(2, 20), ttl);
    refusal.to_syn = true;
    facts.flow.sides.server.resets.push(refusal);
    facts.flow.sides.server.packets = 1;
    facts
}

#[test]
fn a_public_address_that_refuses_from_next_door_may_be_spoken_for() {
    let refusing = |client: &str, ttl: u8| {
        found_knowing(&refused::RULE, &refused_to(client, ttl), &Knowledge::default()).expect("a RST to the SYN").confidence
    };
    assert_eq!(refusing("192.168.50.11", 64), Confidence::Likely);
    assert_eq!(refusing("192.168.50.11", 55), Confidence::Strong, "it comes from afar");
    assert_eq!(refusing("192.0.2.1", 64), Confidence::Strong, "both may be on one link");
}

#[test]
fn a_gateway_that_leads_to_its_login_page_may_refuse_the_rest() {
    let refusing = |client: &str, ttl: u8| {
        let facts = refused_to(client, ttl);
        let led = vec![Led { host: "login.hotel.example".to_owned(), by: facts.server.address, at: None }];
        let finding = found_knowing(&refused::RULE, &facts, &Knowledge { led, ..Knowledge::default() }).expect("a RST to the SYN");
        finding.alternatives.contains(&Cause::CaptivePortal)
    };
    assert!(refusing("192.168.50.11", 64));
    assert!(!refusing("192.168.50.11", 55), "the server's own");
}

#[test]
fn haproxy_takes_any_answer_to_its_hello_for_a_sign_of_life() {
    let checked = |text: &[u8; 28]| {
        let mut bytes = build(V::SSL3.0, &[0x0005, 0x002f], &[]);
        bytes[6..34].copy_from_slice(text);
        let mut scene = Scene::hello(V::SSL3, &[0x0005, 0x002f], &[]);
        scene.handshake.client_hellos[0].what = ClientHello::parse(&bytes).unwrap();
        scene
    };
    let text = b"HAPROXYSSLCHK\nHAPROXYSSLCHK\n";
    let refused = |text| verdict(&checked(text).alert(Side::Server, A::HANDSHAKE_FAILURE).handshake).cause.expect("an alert");
    let finding = refused(text);
    assert_eq!((finding.cause, finding.confidence, finding.weight), (Cause::TcpProbe, Confidence::Certain, Weight::Unwanted));
    assert_ne!(refused(b"HAPROXYSSLCHK\nHAPROXYSSLCHK!").cause, Cause::TcpProbe, "a random is what it is");
    let unheard = checked(text).ended(Outcome::Closed, StoppedBy::Server).handshake;
    assert_ne!(verdict(&unheard).cause(), Some(Cause::TcpProbe), "the check takes that for down");
}

#[test]
fn the_slower_of_two_transports_is_dropped() {
    use crate::diagnosis::knowledge::Related;
    use crate::diagnosis::testing::related;
    use crate::flow::Transport;
    let name = [&[0, 15, 0, 0, 12][..], b"www.lab.test"].concat();
    let raced = |transport: Transport, outcome: Outcome, apart: i64, stopped_by: StoppedBy| {
        let mut facts = connected();
        facts.client_hellos = Scene::hello(V::TLS12, &[0x1301, 0xc02f], &[(0, name.clone())]).handshake.observed.client_hellos;
        for seen in &mut facts.client_hellos {
            (seen.mark, seen.first, seen.span) = (at(4, 25), at(4, 25), (0, 300));
        }
        let client = &mut facts.flow.sides.client;
        (client.data_packets, client.highest, client.first_data, client.last_data) = (1, 300, Some(at(4, 25)), Some(at(4, 25)));
        client.resets.push(reset(at(6, 46), 64));
        (facts.outcome, facts.stopped_by, facts.end) = (Outcome::Reset, stopped_by, Some(at(6, 46)));
        let other = Related { transport, outcome, same_name: true, ..related(at(2, apart)) };
        let knowledge = Knowledge { related: vec![other], ..Knowledge::default() };
        found_knowing(&probe::RULE, &facts, &knowledge).map(|finding| (finding.weight, finding.confidence))
    };
    let lost = Some((Weight::Unwanted, Confidence::Likely));
    assert_eq!(raced(Transport::Udp, Outcome::Completed, 3, StoppedBy::Client), lost);
    assert_eq!(raced(Transport::Udp, Outcome::Closed, 3, StoppedBy::Client), None, "neither was ready");
    assert_eq!(raced(Transport::Tcp, Outcome::Completed, 3, StoppedBy::Client), None, "another request");
    assert_eq!(raced(Transport::Udp, Outcome::Completed, 4_000, StoppedBy::Client), None, "no race");
    assert_eq!(raced(Transport::Udp, Outcome::Completed, 3, StoppedBy::Server), None, "the server left");
}

#[test]
fn icmp_errors_for_each_copy_of_a_hello_say_where_it_goes() {
    let reported = |count: u64, acked: u64| {
        let mut facts = partial_hello(300, 291);
        facts.flow.sides.client.acked = acked;
        let note = |frame| IcmpNote {
            mark: at(frame, 100),
            reporter: "203.0.113.9".parse().unwrap(),
            kind: IcmpKind::TimeExceeded,
            icmp_type: 11,
            code: 0,
            about: Side::Client,
            quoted_len: 552,
            ignored: 0,
        };
        facts.flow.icmp.extend((0..count).map(|number| note(10 + number)));
        let finding = found_knowing(&unreachable::RULE, &facts, &Knowledge::default()).expect("a router's word");
        (finding.confidence, finding.weight)
    };
    assert_eq!(reported(4, 0), (Confidence::Strong, Weight::Overrides));
    assert_eq!(reported(1, 0), (Confidence::Likely, Weight::Explains), "one may have gone astray");
    assert_eq!(reported(4, 300), (Confidence::Likely, Weight::Explains), "the hello arrived");
}

#[test]
fn a_late_syn_near_the_server_was_passed_over_only_where_it_had_arrived() {
    use crate::diagnosis::knowledge::Crowd;
    let late = |above_mss: u32, asked_again: u32| {
        let mut facts = connected();
        facts.outcome = Outcome::Completed;
        let side = &mut facts.flow.sides;
        (side.client.syn, side.server.syn) = (Some(syn(at(1, 0), at(2, 1_020), 2, 57)), Some(syn(at(3, 1_020), at(3, 1_020), 1, 64)));
        (side.client.ttl, side.server.ttl, side.server.above_mss) = (Some(57), Some(64), above_mss);
        let knowledge = Knowledge { crowd: Crowd { asked_again, ..Crowd::default() }, ..Knowledge::default() };
        found_knowing(&accept_queue::RULE, &facts, &knowledge).map(|finding| (finding.confidence, finding.stopped_by))
    };
    let found = Some((Confidence::Likely, Some(StoppedBy::Nobody)));
    assert_eq!(late(0, 0), None, "a wire next to the server: it may have been lost behind the capture");
    assert_eq!(late(1, 0), found, "the server's own host");
    assert_eq!(late(0, 2), found, "others of the same moment, too");
}

#[test]
fn a_rst_to_a_second_answer_says_no_less() {
    let probed = |answers: u32, unknowing: bool| {
        let mut facts = connected();
        facts.flow.tcp.as_mut().unwrap().established = None;
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
        facts.flow.sides.client.packets = 1;
        facts.flow.sides.server.syn = Some(syn(at(2, 20), at(5, 1_020), answers, 64));
        let reset = Reset { unknowing, ..Reset::fitting(at(6, 1_200), 64) };
        facts.flow.sides.client.resets = vec![reset];
        View::new(&facts).left_without_a_word().is_some()
    };
    assert!(probed(2, true), "the first RST was lost");
    assert!(!probed(2, false) && !probed(3, true));
}

#[test]
fn a_rst_with_the_number_of_the_last_syn_ack_says_that_it_arrived() {
    let told = |unknowing: bool| found_knowing(&half_open::RULE, &answered_late(unknowing), &Knowledge::default());
    let told = |unknowing: bool| told(unknowing).map(|finding| (finding.confidence, finding.stopped_by));
    assert_eq!(told(true), Some((Confidence::Likely, Some(StoppedBy::Client))));
    assert_eq!(told(false), Some((Confidence::Strong, Some(StoppedBy::Network))), "it answers something else");
}

#[test]
fn a_program_that_has_ended_answers_no_syn_ack() {
    let facts = answered_late(true);
    let told = |served: i64, next: Option<i64>| {
        let other = |start: i64| Related { same_endpoint: true, ..related(at(2, start)) };
        let others = (0..served).map(|number| other(number * 30)).chain(next.map(|start| Related { start: at(40, start), ..other(start) }));
        let knowledge = Knowledge { related: others.collect(), ..Knowledge::default() };
        found_knowing(&half_open::RULE, &facts, &knowledge).map(|finding| finding.undecided)
    };
    assert_eq!(told(24, None), Some(true));
    assert_eq!(told(24, Some(1_200)), Some(false), "it went on");
    assert_eq!(told(8, None), Some(false), "too few to tell");
}

/// The client's RST answers the second SYN-ACK, and says by its number that this one arrived, or does not.
fn answered_late(unknowing: bool) -> Handshake {
    let mut facts = unanswered();
    facts.flow.sides.client.syn = Some(syn(at(1, 0), at(4, 1_030), 2, 62));
    facts.flow.sides.server = SideFacts { syn: Some(syn(at(2, 0), at(5, 1_030), 2, 64)), packets: 2, ..SideFacts::default() };
    facts.flow.sides.client.resets.push(Reset { unknowing, ..Reset::fitting(at(6, 1_052), 62) });
    (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
    facts
}

#[test]
fn a_hello_that_a_serving_host_overlooks_met_a_full_queue() {
    let told = |near_server: bool, late: usize, at_once: usize| {
        let (mut facts, _) = hello_lost_like(5, 4, (at(0, -5_000), 0));
        if near_server {
            (facts.flow.sides.client.ttl, facts.flow.sides.server.ttl) = (Some(55), Some(64));
        }
        let other = |resent| Related { same_endpoint: true, resent, ..related(at(2, 30)) };
        let related = std::iter::repeat_n(other(true), late).chain(std::iter::repeat_n(other(false), at_once)).collect();
        found_knowing(&accept_queue::RULE, &facts, &Knowledge { related, completed: 3, ..Knowledge::default() }).is_some()
    };
    assert!(told(true, 2, 1));
    assert!(!told(false, 2, 1), "seen at the client it may be lost on the way");
    assert!(!told(true, 1, 3), "one that was lost");
    assert!(!told(true, 3, 0), "nobody is served at once: that server is slow, or its path loses packets");
}
