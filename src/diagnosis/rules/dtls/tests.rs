use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::testing::{at, found_of_knowing, over_udp};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Hole;
use crate::handshake::facts::{DtlsFacts, Outcome, Protocol, StoppedBy};

fn check(cause: Cause, handshake: &Handshake) -> Option<Finding> {
    found_of_knowing(cause, handshake, &Knowledge::default())
}

/// A client whose hello (frame 1) was sent again at 1 s and 3 s, given up as stalled after a minute.
fn unanswered() -> Handshake {
    let mut handshake = over_udp(Protocol::Dtls);
    let mut dtls = DtlsFacts::default();
    dtls.repeats.client = 2;
    dtls.repeated.client = Some((at(2, 1000), at(3, 3000)));
    dtls.datagrams.client.add(at(1, 0), 200);
    handshake.dtls = Some(Box::new(dtls));
    handshake
}

fn asked_for_a_cookie() -> Handshake {
    let mut handshake = unanswered();
    let dtls = handshake.dtls.as_mut().unwrap();
    dtls.datagrams.server.add(at(2, 20), 60);
    dtls.cookie_requests.add(at(2, 20), 60);
    dtls.cookies = 1;
    handshake
}

#[test]
fn a_cookie_that_leads_to_nothing_is_lost_or_refused() {
    let mut handshake = asked_for_a_cookie();
    assert_eq!(check(Cause::DtlsCookieLost, &handshake), None, "the client never returned it");
    let dtls = handshake.dtls.as_mut().unwrap();
    for time in [30, 1030, 3030] {
        dtls.hellos_with_cookie.add(at(3, time), 220);
    }
    let finding = check(Cause::DtlsCookieLost, &handshake).unwrap();
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Strong, Some(StoppedBy::Network)));
    handshake.dtls.as_mut().unwrap().cookies = 3;
    assert_eq!(check(Cause::DtlsCookieLost, &handshake).unwrap().stopped_by, Some(StoppedBy::Server));
    assert_eq!(check(Cause::DtlsNoAnswer, &handshake), None);
}

#[test]
fn a_hello_verify_request_that_is_never_heard_is_a_lost_answer() {
    let mut handshake = asked_for_a_cookie();
    assert!(check(Cause::ServerFlightDropped, &handshake).is_some());
    handshake.outcome = Outcome::Completed;
    assert_eq!(check(Cause::ServerFlightDropped, &handshake), None);
}

#[test]
fn a_hole_of_large_fragments_is_a_black_hole() {
    let mut handshake = asked_for_a_cookie();
    let dtls = handshake.dtls.as_mut().unwrap();
    dtls.largest.server = 800;
    let hole = |missing| Some(Hole { side: Side::Server, message: 11, have: 600, want: 600 + missing, missing, first: at(4, 40) });
    dtls.hole = hole(4000);
    assert!(check(Cause::PathMtuBlackHole, &handshake).is_some());
    handshake.dtls.as_mut().unwrap().hole = hole(700);
    assert_eq!(check(Cause::PathMtuBlackHole, &handshake), None, "what is missing is no larger than what arrived");
}

#[test]
fn silence_is_no_answer() {
    let alone = check(Cause::DtlsNoAnswer, &unanswered()).unwrap();
    assert_eq!(alone.confidence, Confidence::Likely, "nothing shows that the capture hears servers");
    let hearing = Knowledge { hears_both_sides: true, ..Knowledge::default() };
    assert_eq!(found_of_knowing(Cause::DtlsNoAnswer, &unanswered(), &hearing).unwrap().confidence, Confidence::Strong);
    assert_eq!(check(Cause::DtlsNoAnswer, &asked_for_a_cookie()), None);
}

#[test]
fn two_clients_are_a_conflict_of_roles() {
    let mut handshake = unanswered();
    assert_eq!(check(Cause::DtlsRoleConflict, &handshake), None);
    handshake.dtls.as_mut().unwrap().role_conflict = Some(at(2, 15));
    let finding = check(Cause::DtlsRoleConflict, &handshake).unwrap();
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Strong, None));
    assert_eq!(check(Cause::ServerProtocolViolation, &handshake), None);
}

#[test]
fn a_process_that_is_gone_is_told_by_its_host() {
    let mut handshake = asked_for_a_cookie();
    let reporter = handshake.server.address;
    let note = |about| crate::transport::IcmpNote {
        mark: at(5, 900),
        reporter,
        kind: crate::packet::IcmpKind::PortUnreachable,
        icmp_type: 3,
        code: 3,
        about,
        quoted_len: 228,
        ignored: 0,
    };
    handshake.flow.icmp.push(note(Side::Client));
    (handshake.outcome, handshake.stopped_by, handshake.end) = (Outcome::Closed, StoppedBy::Server, Some(at(5, 900)));
    let finding = check(Cause::ServerAborted, &handshake).unwrap();
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Strong, Some(StoppedBy::Server)));
    assert_eq!(check(Cause::ClientAborted, &handshake), None);
    handshake.flow.icmp[0].about = Side::Server;
    handshake.stopped_by = StoppedBy::Client;
    assert_eq!(check(Cause::ClientAborted, &handshake).unwrap().stopped_by, Some(StoppedBy::Client));
}
