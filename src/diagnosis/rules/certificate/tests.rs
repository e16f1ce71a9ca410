//! Tests of the family certificate, for what no capture shows.

use std::sync::Arc;

use rcgen::{DistinguishedName, DnType};

use super::view::candidates;
use super::*;
use crate::diagnosis::chain::{Purpose, TrustStore, judge};
use crate::diagnosis::knowledge::{Knowledge, KnownChain};
use crate::diagnosis::manners::meanings;
use crate::diagnosis::policy::Policy;
use crate::diagnosis::testing::{Scene, certificate, extensions, found_of, legacy};
use crate::flow::Side;
use crate::handshake::facts::Protocol;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};

/// What is said of this cause when the server serves this chain for `www.lab.test`, judged at this time.
fn found_at(cause: Cause, scene: &Scene, certificates: &[Arc<Certificate>], at: Timestamp) -> Option<Finding> {
    let chain = judge(certificates, Some("www.lab.test"), at, Purpose::Server, &TrustStore::mozilla());
    let case = Case {
        handshake: &scene.handshake,
        chain: Some(&chain),
        client_chain: None,
        knowledge: &Knowledge::default(),
        policy: &Policy::default(),
    };
    found_of(cause, &case)
}

/// What is said of this cause when the server answers a client that wants `www.lab.test` with a certificate of this name, and the client refuses it.
fn refused(cause: Cause, common_name: &str, san: &str) -> Option<Finding> {
    let certificates = certificate(san, |params| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
    });
    let scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).served(&certificates).alert(Side::Client, A::BAD_CERTIFICATE);
    let at = Timestamp::from_parts(1_795_251_860, 0);
    found_at(cause, &scene, &certificates, at)
}

#[test]
fn a_products_default_certificate_is_told_from_another_hosts() {
    let finding = refused(Cause::DefaultCertificate, "TRAEFIK DEFAULT CERT", "0b1c.traefik.default").expect("Traefik's");
    assert!(finding.summary.contains("Traefik") && finding.summary.contains("www.lab.test"), "{}", finding.summary);
    assert!(refused(Cause::DefaultCertificate, "other.lab.test", "other.lab.test").is_none(), "another host's certificate");
    assert!(refused(Cause::CertificateNameMismatch, "other.lab.test", "other.lab.test").is_some());
    assert!(refused(Cause::DefaultCertificate, "www.lab.test", "www.lab.test").is_none(), "the name is right");
}

/// A sound certificate was seen in these seconds, an expired one in this handshake and in those.
fn inconsistent(sound: (i64, i64), expired: (i64, i64)) -> bool {
    let made = |year| {
        certificate("www.lab.test", |params| {
            params.not_before = rcgen::date_time_ymd(2025, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        })
    };
    let (good, bad) = (made(2028), made(2026));
    let scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).served(&bad).alert(Side::Client, A::CERTIFICATE_EXPIRED);
    let begin = scene.handshake.flow.first.time;
    let judged = |certificates| {
        let at = Timestamp::from_parts(1_795_251_860, 0);
        Arc::new(judge(certificates, Some("www.lab.test"), at, Purpose::Server, &TrustStore::mozilla()))
    };
    let second = |seconds: i64| Timestamp::from_nanos(begin.nanos() + seconds * 1_000_000_000);
    let known = |facts, (first, last)| KnownChain { facts, first: second(first), last: second(last) };
    let chain = judged(&bad);
    let knowledge = Knowledge { chains: vec![known(judged(&good), sound), known(Arc::clone(&chain), expired)], ..Knowledge::default() };
    let case =
        Case { handshake: &scene.handshake, chain: Some(&chain), client_chain: None, knowledge: &knowledge, policy: &Policy::default() };
    found_of(Cause::BackendInconsistent, &case).is_some()
}

#[test]
fn a_certificate_that_was_replaced_is_no_inconsistency() {
    assert!(inconsistent((-5, 5), (0, 0)), "the good one before and after it");
    assert!(inconsistent((3, 3), (0, 9)), "the good one in between");
    assert!(!inconsistent((10, 90), (-60, 5)), "renewed");
    assert!(!inconsistent((-90, -10), (0, 60)), "replaced by an old one");
}

#[test]
fn an_untrusted_authority_is_the_last_thing_to_blame() {
    for alert in [A::BAD_CERTIFICATE, A::CERTIFICATE_UNKNOWN, A::UNKNOWN_CA] {
        let faults = candidates(meanings(None, alert).unwrap());
        assert_eq!(faults.last().map(|fault| fault.cause), Some(Cause::CertificateUntrustedCa), "{alert}");
    }
}

#[test]
fn a_code_for_everything_means_every_fault_once() {
    let every = Fault::by_rank().len();
    for alert in [A::BAD_CERTIFICATE, A::CERTIFICATE_UNKNOWN, A::ACCESS_DENIED] {
        let mut causes: Vec<Cause> = candidates(meanings(None, alert).unwrap()).iter().map(|fault| fault.cause).collect();
        causes.sort_unstable();
        causes.dedup();
        assert_eq!(causes.len(), every, "{alert}");
    }
    let mut ranks: Vec<u8> = FAULTS.iter().filter_map(|fault| fault.rank).collect();
    ranks.sort_unstable();
    ranks.dedup();
    assert_eq!(ranks.len(), every, "two faults have one rank");
}

/// What is said of this cause when a client refuses, with this alert, a certificate that is valid from 2026 to 2027, at this second.
fn refused_at(cause: Cause, alert: A, seconds: i64) -> Option<Finding> {
    let made = || {
        certificate("www.lab.test", |params| {
            params.not_before = rcgen::date_time_ymd(2026, 1, 1);
            params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        })
    };
    let certificates = [made(), made()].concat();
    let mut scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).served(&certificates).alert(Side::Client, alert);
    let said = Timestamp::from_parts(seconds, 0);
    let seen = scene.handshake.server_chain.as_mut().expect("it was served");
    (seen.mark.time, seen.first.time) = (said, said);
    let seen = scene.handshake.server_chain.as_ref().expect("it was served");
    let at = crate::diagnosis::clock::judging_time(&scene.handshake, &seen.what, said);
    found_at(cause, &scene, &certificates, at)
}

#[test]
fn a_clock_that_cannot_be_right_judges_no_dates() {
    use crate::diagnosis::finding::Confidence;
    for seconds in [0, 86_400, 946_684_800] {
        for cause in [Cause::CertificateNotYetValid, Cause::CertificateExpired] {
            assert!(refused_at(cause, A::CERTIFICATE_UNKNOWN, seconds).is_none(), "{cause} at {seconds}");
        }
    }
    let (before, soon, long) = (1_735_689_600, 1_800_000_000, 2_000_000_000);
    let finding = refused_at(Cause::CertificateNotYetValid, A::CERTIFICATE_UNKNOWN, before).expect("a year too soon");
    assert_eq!(finding.confidence, Confidence::Strong);
    let expired = |seconds| refused_at(Cause::CertificateExpired, A::CERTIFICATE_UNKNOWN, seconds).expect("it has expired");
    assert_eq!(expired(soon).confidence, Confidence::Strong);
    let ahead = expired(long);
    assert_eq!(ahead.confidence, Confidence::Likely, "all of it, years ago");
    assert!(ahead.remedy[0].line().contains("clock of the capturing host"), "{:?}", ahead.remedy);
}

#[test]
fn a_client_that_has_the_whole_flight_may_be_slow_to_refuse_it() {
    use crate::diagnosis::finding::Confidence;
    use crate::diagnosis::testing::{at, found_of_knowing};
    use crate::handshake::facts::{Outcome, StoppedBy};
    // Milliseconds from the server's flight to the client's FIN.
    let left = |after: i64, acked: u64| {
        let scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).served(&certificate("www.lab.test", |_| {}));
        let mut handshake = scene.ended(Outcome::Closed, StoppedBy::Client).handshake;
        handshake.server_hello_done = Some(at(20, 100));
        (handshake.end, handshake.flow.last) = (Some(at(30, 100 + after)), at(30, 100 + after));
        (handshake.flow.sides.server.highest, handshake.flow.sides.server.acked) = (900, acked);
        let finding = found_of_knowing(Cause::ServerCertificateRejected, &handshake, &Knowledge::default());
        finding.map(|finding| finding.confidence)
    };
    assert_eq!(left(300, 0), Some(Confidence::Likely));
    assert_eq!(left(1_170, 900), Some(Confidence::Likely), "it has all of it");
    assert_eq!(left(1_170, 500), None, "it waits for the rest");
    assert_eq!(left(999, 900), None, "a time limit");
    assert_eq!(left(4_200, 900), None, "nobody is as slow");
}

/// How sure it is that a client of this hello refused a chain for this name that was valid in these years, when it completed the handshake of TLS 1.2 and
/// left at once; by this cause. `spoken`: the protocol that the server chose, if it spoke first in that.
fn left_after(
    cause: Cause,
    extensions: &[(u16, Vec<u8>)],
    (name, years): (&str, (i32, i32)),
    spoken: Option<&[u8]>,
) -> Option<crate::diagnosis::finding::Confidence> {
    use crate::diagnosis::finding::Weight;
    use crate::diagnosis::testing::at;
    let certificates = certificate(name, |params| {
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    });
    let chosen = spoken.map(|spoken| {
        let len = u8::try_from(spoken.len()).unwrap();
        [&[0, len + 1, len], spoken].concat()
    });
    let chosen: Vec<(u16, &[u8])> = chosen.iter().map(|list| (16, list.as_slice())).collect();
    let mut scene = Scene::hello(V::TLS12, &[0xc02b, 0xc02f, 0x009c], extensions).answered(V::TLS12, 0xc02b, &chosen).served(&certificates);
    let begin = Timestamp::from_parts(1_795_251_860, 0).nanos() / 1_000_000;
    let handshake = &mut scene.handshake;
    handshake.flow.first = at(1, begin);
    handshake.finished = crate::flow::PerSide { client: Some(at(20, begin + 20)), server: Some(at(21, begin + 30)) };
    handshake.application_data.server = spoken.map(|_| at(21, begin + 30));
    handshake.flow.sides.client.fin = Some((at(22, begin + 31), 500));
    handshake.flow.last = at(22, begin + 31);
    found_at(cause, &scene, &certificates, Timestamp::from_parts(1_795_251_860, 0))
        .filter(|finding| finding.weight > Weight::Note)
        .map(|finding| finding.confidence)
}

#[test]
fn who_completes_under_a_chain_that_openssl_would_refuse_only_looks() {
    use crate::diagnosis::finding::Confidence::{Likely, Strong};
    let openssl: Vec<(u16, Vec<u8>)> = vec![
        (11, vec![3, 0, 1, 2]),
        (10, vec![0, 2, 0, 0x1d]),
        (35, vec![]),
        (22, vec![]),
        (23, vec![]),
        (13, vec![0, 6, 4, 3, 5, 3, 6, 3]),
    ];
    let of = |cause, extensions: &[(u16, Vec<u8>)], name, years| left_after(cause, extensions, (name, years), None);
    let expired = (2020, 2022);
    assert_eq!(of(Cause::CertificateExpired, &openssl, "www.lab.test", expired), None, "a monitor");
    let anybody = extensions(false);
    assert!(matches!(of(Cause::CertificateExpired, &anybody, "www.lab.test", expired), Some(Likely | Strong)), "who may verify then");
    let other = of(Cause::CertificateNameMismatch, &openssl, "other.lab.test", (2020, 2030));
    assert!(other.is_some(), "names are left to the program");
    let alpn = (16, b"\0\x0c\x02h2\x08http/1.1".to_vec());
    let curl = [&openssl[..5], &[alpn, openssl[5].clone()]].concat();
    assert!(of(Cause::CertificateExpired, &curl, "www.lab.test", expired).is_some(), "curl has come for something");
    let other = |spoken| left_after(Cause::CertificateNameMismatch, &curl, ("other.lab.test", (2020, 2030)), Some(spoken));
    assert!(other(b"h2").is_some(), "settings answer nothing");
    assert_eq!(other(b"http/1.1"), None, "who got an answer was served");
}

#[test]
fn certificates_for_media_go_by_their_fingerprint() {
    let told = |list: &[(u16, Vec<u8>)], protocol: Protocol| {
        let certificates = certificate("www.lab.test", |_| {});
        let scene = Scene::hello(V::TLS12, &legacy(), list).answered(V::TLS12, 0xc02b, &[]);
        let mut scene = scene.served(&certificates[..1]).alert(Side::Client, A::BAD_CERTIFICATE);
        scene.handshake.protocol = protocol;
        let at = Timestamp::from_parts(1_795_251_860, 0);
        let finding = found_at(Cause::CertificateSelfSigned, &scene, &certificates[..1], at).expect("it is self-signed");
        let by_signalling = finding.summary.contains("(SDP)") && finding.evidence.iter().any(|shown| shown.text.contains("sha-256"));
        (by_signalling, finding.remedy.iter().any(|advice| advice.line().contains("an authority that the client trusts")))
    };
    let mut media = extensions(false);
    media.push((14, vec![0, 2, 0, 7, 0]));
    assert_eq!(told(&media, Protocol::Dtls), (true, false));
    assert_eq!(told(&extensions(false), Protocol::Dtls), (false, true), "a VPN, say");
    assert_eq!(told(&media, Protocol::Tls), (false, true));
}

#[test]
fn what_one_client_takes_for_expired_may_be_its_clock() {
    use crate::diagnosis::knowledge::Related;
    use crate::diagnosis::testing::{at, found_of_knowing, related};
    let scene = Scene::broad().answered(V::TLS12, 0x1301, &[(43, &[3, 4])]).alert(Side::Client, A::CERTIFICATE_EXPIRED);
    let said = |knowledge: &Knowledge| {
        let finding = found_of_knowing(Cause::CertificateExpired, &scene.handshake, knowledge).expect("the client says so");
        let first = finding.remedy.first().map(|advice| advice.line().into_owned()).unwrap_or_default();
        (finding.summary.contains("while others were served"), first.contains("compare the clock"))
    };
    let others = Knowledge { used_same_name: 5, attempts_same_name: 5, completed_same_name: 5, ..Knowledge::default() };
    assert_eq!(said(&others), (true, true));
    assert_eq!(said(&Knowledge::default()), (false, false), "nobody was served");
    let itself = Knowledge { related: vec![Related { same_name: true, ..related(at(1, 0)) }], ..others };
    assert_eq!(said(&itself), (false, false), "this client was served, too: its clock is right");
}

/// The client offers the protocols of HTTP.
fn http(scene: &mut Scene) {
    let alpn = (16, b"\0\x0c\x02h2\x08http/1.1".to_vec());
    let list = [extensions(true), vec![alpn]].concat();
    scene.handshake.observed.client_hellos = Scene::hello(V::TLS12, &[0x1301, 0xc02b], &list).handshake.observed.client_hellos;
}

/// The client says something in clear, in this frame.
fn in_clear(scene: &mut Scene, frame: u64) {
    use crate::diagnosis::testing::at;
    let kind = crate::anomaly::AnomalyKind::NotARecord { offset: 1637 };
    scene.handshake.anomalies.push(crate::anomaly::Anomaly { mark: at(frame, i64::from(frame > 20) + 20), side: Side::Client, kind });
}

#[test]
fn who_keeps_leaving_without_a_word_refuses() {
    use crate::diagnosis::knowledge::{Related, hello_shape};
    use crate::diagnosis::testing::{at, found_of_knowing, related};
    use crate::handshake::facts::AlertSeen;
    let elsewhere = std::cell::Cell::new(false);
    // Milliseconds from the client's Finished to its FIN; others like it; uses of this name by anybody.
    let left = |after: i64, others: usize, used: u32, change: fn(&mut Scene)| {
        let mut scene = Scene::hello(V::TLS12, &[0x1301, 0xc02b], &extensions(true)).answered(V::TLS12, 0x1301, &[(43, &[3, 4])]);
        let handshake = &mut scene.handshake;
        handshake.flow.first = at(1, 0);
        handshake.finished = crate::flow::PerSide { client: Some(at(20, 20)), server: Some(at(19, 19)) };
        handshake.flow.sides.client.fin = Some((at(22, 20 + after), 500));
        handshake.flow.last = at(22, 20 + after);
        change(&mut scene);
        let shape = hello_shape(&scene.handshake.client_hellos[0].what);
        let like = Related { same_endpoint: true, same_name: true, hello_shape: shape, ..related(at(0, -300)) };
        let work = Related { same_name: false, used: true, ..like };
        let related = [vec![like; others], vec![work; usize::from(elsewhere.get())]].concat();
        let knowledge = Knowledge { related, used_same_name: used, ..Knowledge::default() };
        found_of_knowing(Cause::ServerCertificateRejected, &scene.handshake, &knowledge).map(|finding| finding.confidence)
    };
    let likely = Some(crate::diagnosis::finding::Confidence::Likely);
    assert_eq!(left(60, 5, 0, |_| {}), None, "some who look go without a goodbye");
    elsewhere.set(true);
    assert_eq!(left(60, 1, 0, |_| {}), likely, "it works under another name");
    assert_eq!(left(60, 0, 0, |_| {}), None);
    elsewhere.set(false);
    let shown = |scene: &mut Scene| {
        scene.handshake.hidden.client_certificate_sent = true;
        let mark = at(21, 21);
        let seen = AlertSeen { from: Side::Client, alert: None, encrypted: true, mark, after_handshake: true, consequence: false };
        scene.handshake.alerts.push(seen);
    };
    assert_eq!(left(60, 1, 0, shown), likely, "who shows a certificate does not come to look");
    assert_eq!(left(60, 0, 0, shown), None, "once is no habit");
    assert_eq!(left(1, 0, 0, http), likely, "its request would be ready");
    assert_eq!(left(60, 1, 0, http), likely, "it came again");
    assert_eq!(left(60, 0, 0, http), None, "it may have been opened ahead of use");
    assert_eq!(left(60, 3, 1, http), None, "somebody used it: it is in order");
    assert_eq!(left(1, 0, 2, http), None);
    let goodbye = |scene: &mut Scene| {
        http(scene);
        let mark = at(21, 21);
        let seen = AlertSeen { from: Side::Client, alert: None, encrypted: true, mark, after_handshake: true, consequence: false };
        scene.handshake.alerts.push(seen);
    };
    assert_eq!(left(60, 3, 0, goodbye), None, "who looks says goodbye");
    assert_eq!(left(60, 0, 0, |scene| in_clear(scene, 21)), likely, "it has thrown TLS away");
    assert_eq!(left(60, 0, 0, |scene| in_clear(scene, 12)), None, "before it finished");
    let lacking = |scene: &mut Scene| {
        in_clear(scene, 21);
        scene.handshake.flow.sides.client.gap_bytes = 100;
    };
    assert_eq!(left(60, 0, 0, lacking), None, "behind a gap anything looks like no record");
}

#[test]
fn who_took_a_certificate_again_and_again_does_not_mind_it_now() {
    use crate::diagnosis::knowledge::{Related, hello_shape};
    use crate::diagnosis::testing::{at, found_of_knowing, related};
    use crate::handshake::facts::{Outcome, StoppedBy};
    let refused = |others: usize, same_hello: bool| {
        let scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).served(&certificate("www.lab.test", |_| {}));
        let mut handshake = scene.ended(Outcome::Closed, StoppedBy::Client).handshake;
        handshake.server_hello_done = Some(at(20, 100));
        (handshake.end, handshake.flow.last) = (Some(at(30, 130)), at(30, 130));
        (handshake.flow.sides.server.highest, handshake.flow.sides.server.acked) = (900, 900);
        let shape = hello_shape(&handshake.client_hellos[0].what);
        let hello_shape = if same_hello { shape } else { shape ^ 1 };
        let like = Related { same_endpoint: true, same_name: true, hello_shape, ..related(at(1, -50)) };
        let knowledge = Knowledge { related: vec![like; others], ..Knowledge::default() };
        found_of_knowing(Cause::ServerCertificateRejected, &handshake, &knowledge).is_some()
    };
    assert!(refused(0, true) && refused(2, true));
    assert!(!refused(5, true), "the last of a burst, which the end of the program cut off");
    assert!(refused(5, false), "other clients behind the same address");
}

#[test]
fn who_has_not_received_the_certificate_does_not_refuse_it() {
    use crate::diagnosis::testing::{at, found_of_knowing};
    use crate::handshake::facts::{Outcome, StoppedBy};
    use crate::transport::{Reset, SideFacts};
    // How much of the flight the client acknowledged before its end, and by its RST, if it is one.
    let left = |acked: u64, reset: Option<Reset>| {
        let scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).served(&certificate("www.lab.test", |_| {}));
        let outcome = if reset.is_some() { Outcome::Reset } else { Outcome::Closed };
        let mut handshake = scene.ended(outcome, StoppedBy::Client).handshake;
        (handshake.server_hello_done, handshake.end) = (Some(at(20, 100)), Some(at(30, 150)));
        if let Some(chain) = &mut handshake.server_chain {
            chain.span = (90, 850);
        }
        let [client, server] = [Side::Client, Side::Server].map(|side| handshake.flow.sides.of(side).clone());
        handshake.flow.sides.server = SideFacts { highest: 900, acked, acked_at: (acked > 0).then(|| at(21, 101)), ..server };
        let fin = reset.is_none().then(|| (at(30, 150), 300));
        handshake.flow.sides.client = SideFacts { packets: 4, fin, resets: reset.into_iter().collect(), ..client };
        found_of_knowing(Cause::ServerCertificateRejected, &handshake, &Knowledge::default()).is_some()
    };
    assert!(left(900, None) && left(850, None));
    assert!(!left(0, None) && !left(849, None), "its FIN acknowledges less than the certificate");
    let reset = |more| Some(Reset { ack_distance: Some(more), ..Reset::fitting(at(30, 150), 64) });
    assert!(left(0, reset(900)), "its RST acknowledges all of it");
    assert!(!left(0, reset(0)));
}

#[test]
fn the_size_of_a_hidden_certificate_says_whether_it_came_alone() {
    let told = |record: u16, verify: u16, public: bool| {
        let mut scene = Scene::broad().answered(V::TLS13, 0x1301, &[]).alert(Side::Client, A::UNKNOWN_CA);
        if public {
            scene.handshake.server.address = "9.9.9.9".parse().unwrap();
        }
        scene.handshake.hidden.server_certificate_record = Some(record);
        scene.handshake.hidden.certificate_verify_record = Some(verify);
        let case = Case {
            handshake: &scene.handshake,
            chain: None,
            client_chain: None,
            knowledge: &Knowledge::default(),
            policy: &Policy::default(),
        };
        let mut found = Vec::new();
        FAMILY.judge(&case, &mut found);
        let finding = found.into_iter().max_by_key(|finding| finding.weight).unwrap();
        (finding.cause, finding.summary.contains("came alone"))
    };
    let untrusted = Cause::CertificateUntrustedCa;
    assert_eq!(told(1_036, 281, false), (untrusted, true));
    assert_eq!(told(1_200, 281, false), (untrusted, true));
    assert_eq!(told(1_870, 281, false), (untrusted, false), "two");
    assert_eq!(told(757, 96, false), (untrusted, true));
    assert_eq!(told(997, 96, false), (untrusted, false), "one that RSA signed, or two that a curve did");
    assert_eq!(told(1_250, 281, true).0, Cause::ChainIncomplete, "as a public authority makes them");
    assert_eq!(told(955, 281, true), (untrusted, true), "too small for a public authority's");
}
