use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::{Judged, Observation, Tracker};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::judge::Verdict;
use crate::diagnosis::quality::Quality;
use crate::diagnosis::testing::{Scene, connected};
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::report::{Id, Incident, State};
use crate::site::{Observer, Site};
use crate::time::Timestamp;

fn second(at: i64) -> Timestamp {
    Timestamp::from_parts(at, 0)
}

fn handshake(at: i64, server: u32, outcome: Outcome) -> Handshake {
    let mut handshake = connected();
    handshake.flow.first.time = second(at);
    handshake.server.address = IpAddr::V4(Ipv4Addr::from(server));
    handshake.outcome = outcome;
    handshake
}

fn attempt(tracker: &mut Tracker, handshake: &Handshake) {
    tracker.attempt(&Observation::of(handshake, handshake.name().as_deref(), None));
}

fn fail(tracker: &mut Tracker, at: i64, server: u32, cause: Cause) {
    end(tracker, at, server, cause, Outcome::Alerted);
}

fn end(tracker: &mut Tracker, at: i64, server: u32, cause: Cause, outcome: Outcome) {
    observe(tracker, &handshake(at, server, outcome), cause, id(at, server));
}

fn observe(tracker: &mut Tracker, handshake: &Handshake, cause: Cause, id: Id) {
    let verdict = Verdict {
        outcome: handshake.outcome,
        stopped_by: handshake.stopped_by,
        cause: Some(Finding::new(cause, Confidence::Certain, "so it is".to_owned())),
        findings: Vec::new(),
        alternatives: Vec::new(),
        quality: Quality::default(),
        unverified: None,
    };
    attempt(tracker, handshake);
    let name = handshake.name();
    tracker.observe(&Observation::of(handshake, name.as_deref(), None), &Judged::of(&verdict, id));
}

/// Made of the time and the server.
fn id(at: i64, server: u32) -> Id {
    Id::of(&[&u32::try_from(at).unwrap().to_be_bytes()[..], &server.to_be_bytes()].concat())
}

fn told(news: &[Incident]) -> Vec<(Cause, State, u64)> {
    news.iter().map(|report| (report.cause, report.state.unwrap(), report.failed)).collect()
}

#[test]
fn what_completed_is_not_said_to_have_failed() {
    let mut tracker = Tracker::default();
    for at in 100..103 {
        end(&mut tracker, at, 1, Cause::TicketsNotShared, Outcome::Completed);
        end(&mut tracker, at, 2, Cause::ServerSlow, if at == 100 { Outcome::Stalled } else { Outcome::Completed });
    }
    let summaries: Vec<_> = tracker.finish().into_iter().map(|report| report.summary).collect();
    assert!(summaries[0].contains("3 of 3 handshakes") && summaries[0].contains(" completed with problems"), "{summaries:?}");
    assert!(summaries[1].contains(" failed ("), "{summaries:?}");
}

/// What a tracker makes of failures among a hundred handshakes a second that complete: seconds, and the client's last octet.
fn among_many(failures: &[(i64, u8)], cause: Cause, outcome: Outcome) -> usize {
    let mut tracker = Tracker::default();
    for at in 100..200 {
        (0..100).for_each(|_| attempt(&mut tracker, &handshake(at, 1, Outcome::Completed)));
    }
    for (at, client) in failures {
        let mut failed = handshake(*at, 1, outcome);
        failed.client.address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, *client));
        observe(&mut tracker, &failed, cause, id(*at, u32::from(*client)));
    }
    tracker.finish().len()
}

#[test]
fn a_few_failures_at_a_busy_server_are_no_incident() {
    let expired = |failures: &[(i64, u8)]| among_many(failures, Cause::CertificateExpired, Outcome::Alerted);
    assert_eq!(expired(&[(150, 1), (150, 1)]), 0, "two at a time say nothing about a rate");
    assert_eq!(expired(&[(120, 1), (150, 2), (180, 3)]), 0);
    assert_eq!(expired(&[(120, 1), (130, 1), (140, 1), (150, 1), (160, 1)]), 1, "a client that never succeeds");
    let many: Vec<(i64, u8)> = (0..60).map(|n| (120 + i64::from(n), n)).collect();
    assert_eq!(expired(&many), 1);
}

#[test]
fn packets_that_were_lost_and_sent_again_are_no_incident() {
    let many: Vec<(i64, u8)> = (0..60).map(|n| (120 + i64::from(n), n)).collect();
    assert_eq!(among_many(&many, Cause::PacketLoss, Outcome::Completed), 0);
    assert_eq!(among_many(&many, Cause::PacketLoss, Outcome::Stalled), 1);
}

#[test]
fn who_follows_an_incident_sees_it_whenever_it_grew() {
    let mut tracker = Tracker::new(Observer::default(), true);
    end(&mut tracker, 100, 1, Cause::CertificateExpired, Outcome::Alerted);
    let shown = |tracker: &mut Tracker| tracker.ongoing().iter().map(|incident| incident.failed).collect::<Vec<_>>();
    assert_eq!(shown(&mut tracker), [0; 0], "one failure is none");
    end(&mut tracker, 101, 1, Cause::CertificateExpired, Outcome::Alerted);
    assert_eq!(tracker.news(Timestamp::from_parts(102, 0)).len(), 1);
    assert_eq!(shown(&mut tracker), [2]);
    assert_eq!(shown(&mut tracker), [0; 0], "it did not grow");
    end(&mut tracker, 103, 1, Cause::CertificateExpired, Outcome::Alerted);
    assert_eq!(tracker.news(Timestamp::from_parts(104, 0)).len(), 0, "nothing to tell");
    assert_eq!(shown(&mut tracker), [3]);
}

const EXPIRED: Cause = Cause::CertificateExpired;

#[test]
fn an_incident_has_one_name_whoever_sees_it_and_another_at_another_place_or_time() {
    let name = |site: Option<&str>, server, times: &[i64], live| {
        let site = site.and_then(Site::named).unwrap_or_default();
        let mut tracker = Tracker::new(Observer { site, ..Observer::default() }, live);
        for at in times {
            fail(&mut tracker, *at, server, EXPIRED);
        }
        tracker.finish().pop().unwrap().id
    };
    let one = name(None, 1, &[910, 920], false);
    assert!(one.starts_with("certificate-expired-") && one.len() == "certificate-expired-".len() + 16, "{one}");
    assert_eq!(name(None, 1, &[930, 940, 1200], true), one, "other handshakes of it");
    for other in [name(Some("berlin"), 1, &[910, 920], false), name(None, 2, &[910, 920], false), name(None, 1, &[890, 920], false)] {
        assert_ne!(other, one);
    }
}

#[test]
fn an_incident_keeps_the_name_that_was_told() {
    let mut tracker = Tracker::new(Observer::default(), true);
    for at in [901, 902] {
        fail(&mut tracker, at, 1, EXPIRED);
    }
    let begun = tracker.news(second(903)).pop().unwrap();
    fail(&mut tracker, 899, 1, EXPIRED);
    fail(&mut tracker, 904, 1, EXPIRED);
    let grown = tracker.news(second(905)).pop().unwrap();
    assert_eq!((&grown.id, grown.first_seen), (&begun.id, second(899)));
}

#[test]
fn an_incident_is_told_when_it_begins_grows_and_ends() {
    let mut tracker = Tracker::new(Observer::default(), true);
    fail(&mut tracker, 100, 1, Cause::CertificateExpired);
    assert_eq!(told(&tracker.news(second(101))), [], "one failure is none");
    fail(&mut tracker, 101, 1, Cause::CertificateExpired);
    assert_eq!(told(&tracker.news(second(101))), [], "it is not looked at more than once a second");
    assert_eq!(told(&tracker.news(second(102))), [(EXPIRED, State::Begun, 2)]);
    fail(&mut tracker, 103, 1, Cause::CertificateExpired);
    assert_eq!(told(&tracker.news(second(104))), []);
    fail(&mut tracker, 104, 1, Cause::CertificateExpired);
    assert_eq!(told(&tracker.news(second(105))), [(EXPIRED, State::Growing, 4)]);
    fail(&mut tracker, 105, 1, Cause::CertificateExpired);
    assert_eq!(told(&tracker.news(second(105 + 900))), []);
    assert_eq!(told(&tracker.news(second(105 + 901))), [(EXPIRED, State::Ended, 5)]);
    assert_eq!((tracker.ended(), tracker.finish().len()), (1, 0), "what is over is forgotten");
}

#[test]
fn what_lasts_when_the_run_ends_is_told_as_open_and_a_file_tells_no_state() {
    for (mut tracker, state) in [(Tracker::new(Observer::default(), true), Some(State::Open)), (Tracker::default(), None)] {
        for at in 100..103 {
            fail(&mut tracker, at, 1, Cause::CertificateExpired);
            assert!(state.is_some() || tracker.news(second(at + 1)).is_empty());
        }
        let incidents = tracker.finish();
        let found: Vec<_> = incidents.iter().map(|report| (report.cause, report.state, report.failed)).collect();
        assert_eq!(found, [(EXPIRED, state, 3)]);
    }
}

#[test]
fn a_new_failure_after_the_end_is_a_new_incident() {
    let mut tracker = Tracker::new(Observer::default(), true);
    let mut all = Vec::new();
    for at in [100, 101, 102, 5000, 5001, 5002] {
        fail(&mut tracker, at, 1, Cause::CertificateExpired);
        all.extend(tracker.news(second(at)));
    }
    assert_eq!(
        told(&all),
        [(EXPIRED, State::Begun, 2), (EXPIRED, State::Ended, 3), (EXPIRED, State::Begun, 2)],
        "the first is over though nobody looked in between"
    );
    assert!(all[0].id == all[1].id && all[1].id != all[2].id);
}

#[test]
fn a_hidden_reason_joins_the_known_one_unless_it_was_told() {
    let mut tracker = Tracker::new(Observer::default(), true);
    fail(&mut tracker, 100, 1, Cause::CertificateExpired);
    fail(&mut tracker, 101, 1, Cause::ServerCertificateRejected);
    assert_eq!(told(&tracker.news(second(102))), [(EXPIRED, State::Begun, 2)]);
    for at in [200, 201] {
        fail(&mut tracker, at, 2, Cause::ServerCertificateRejected);
    }
    assert_eq!(told(&tracker.news(second(202))), [(Cause::ServerCertificateRejected, State::Begun, 2)]);
    fail(&mut tracker, 203, 2, Cause::CertificateExpired);
    fail(&mut tracker, 204, 2, Cause::CertificateExpired);
    assert_eq!(told(&tracker.news(second(205))), [(EXPIRED, State::Begun, 2)]);
    assert_eq!(tracker.finish().len(), 3);
}

#[test]
fn quiet_servers_are_forgotten_and_counted_and_those_in_trouble_are_not() {
    let mut tracker = Tracker::new(Observer::default(), true);
    fail(&mut tracker, 1, 7, Cause::CertificateExpired);
    fail(&mut tracker, 2, 7, Cause::CertificateExpired);
    for server in 1000..11_000 {
        attempt(&mut tracker, &handshake(3 + i64::from(server) / 100, server, Outcome::Completed));
    }
    attempt(&mut tracker, &handshake(200, 7, Outcome::Completed));
    fail(&mut tracker, 201, 7, Cause::CertificateExpired);
    let incidents = tracker.news(second(202));
    assert_eq!((incidents[0].failed, incidents[0].attempts), (3, 4), "its history was kept");
    assert!(tracker.notes().iter().any(|note| note.contains("was dropped")), "{:?}", tracker.notes());
    let mut file = Tracker::default();
    for server in 1000..11_000 {
        attempt(&mut file, &handshake(3, server, Outcome::Completed));
    }
    assert_eq!(file.notes(), Vec::<String>::new(), "a file's verdicts may come when all is read");
}

#[test]
fn attempts_stay_right_when_old_ones_are_not_known_one_by_one_any_more() {
    let mut tracker = Tracker::live_with(20_000);
    let mut ends = BTreeMap::new();
    // A failure every thousandth, over ten minutes.
    for at in 0..120_000_i64 {
        let second = at / 200;
        if at % 1000 == 0 {
            fail(&mut tracker, second, 1, Cause::CertificateExpired);
            ends.insert(second, at + 1);
            if second > 0 {
                tracker.news(Timestamp::from_parts(second, 0));
            }
        } else {
            attempt(&mut tracker, &handshake(second, 1, Outcome::Completed));
        }
    }
    let incidents = tracker.finish();
    let last = *ends.keys().next_back().unwrap();
    // Those of the last failure's second count whether they came before or after it.
    assert_eq!((incidents[0].failed, incidents[0].attempts), (120, u64::try_from((last + 1) * 200).unwrap()));
}

#[test]
fn an_incident_is_over_when_handshakes_complete_after_its_last_failure() {
    let told = |until: i64| {
        let mut tracker = Tracker::default();
        for at in 0..until {
            let failed = (10..20).contains(&at);
            if failed {
                fail(&mut tracker, at, 1, Cause::CertificateExpired);
            } else {
                attempt(&mut tracker, &handshake(at, 1, Outcome::Completed));
            }
        }
        tracker.finish().remove(0).is_over
    };
    assert!(!told(20));
    assert!(told(21));
}

#[test]
fn a_flood_of_single_failures_makes_room() {
    let mut tracker = Tracker::new(Observer::default(), true);
    for server in 0..3000 {
        fail(&mut tracker, i64::from(server), server, Cause::CertificateExpired);
    }
    fail(&mut tracker, 3000, 2999, Cause::CertificateExpired);
    assert_eq!(tracker.finish().len(), 1);
    assert!(!tracker.notes().iter().any(|note| note.contains("belong to no incident")));
}

#[test]
fn a_client_that_succeeds_in_between_met_another_machine_and_not_another_time() {
    let summary = |completed: &[i64], failed: &[i64]| {
        let mut tracker = Tracker::default();
        for at in 100..110 {
            if completed.contains(&at) {
                attempt(&mut tracker, &handshake(at, 1, Outcome::Completed));
            }
            if failed.contains(&at) {
                fail(&mut tracker, at, 1, Cause::CertificateExpired);
            }
        }
        tracker.finish().pop().unwrap().summary
    };
    assert!(summary(&[100, 101], &[102, 103]).contains("It worked before."));
    assert!(!summary(&[100, 102, 104], &[101, 103]).contains("It worked before."));
}

#[test]
fn of_those_that_die_before_a_name_all_at_the_server_count() {
    let incident = |cause: Cause| {
        let mut tracker = Tracker::default();
        for at in 100..108 {
            let mut handshake = handshake(at, 1, if at % 2 == 0 { Outcome::Completed } else { Outcome::Refused });
            if at % 2 == 0 {
                handshake.client_hellos = Scene::broad().handshake.observed.client_hellos;
                attempt(&mut tracker, &handshake);
            } else {
                observe(&mut tracker, &handshake, cause, id(at, 1));
            }
        }
        let [incident] = &tracker.finish()[..] else { panic!("one incident") };
        (incident.failed, incident.attempts, incident.summary.contains("among which the ports choose"))
    };
    assert_eq!(incident(Cause::TcpSynUnanswered), (4, 7, true), "the first failure came after the first success");
    assert_eq!(incident(Cause::SniMissing), (4, 4, false), "others asked for a name, and this is what they have in common");
}
