//! What the rules of version, parameters, names, psk and protocol make of whole handshakes.

use super::scene::{BROAD, Scene, extensions};
use crate::anomaly::{Anomaly, AnomalyKind};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::judge::judge;
use crate::diagnosis::rule::{Case, Confidence, Policy, Weight};
use crate::flow::{Side, Transport};
use crate::handshake::facts::{EncryptedRecord, Outcome, StoppedBy};
use crate::time::Mark;
use crate::tls::registry::CipherSuite;
use crate::transport::{FlowEvent, FlowEventKind, GapCause};
use Side::{Client, Server};

fn without(kinds: &[u16], tls13: bool) -> Vec<(u16, Vec<u8>)> {
    let mut list = extensions(tls13);
    list.retain(|(kind, _)| !kinds.contains(kind));
    list
}

fn with(kind: u16, body: &[u8], tls13: bool) -> Vec<(u16, Vec<u8>)> {
    let mut list = without(&[kind], tls13);
    list.push((kind, body.to_vec()));
    list
}

/// Suites of TLS 1.2 and below.
fn legacy() -> Vec<u16> {
    BROAD.iter().copied().filter(|suite| suite >> 8 != 0x13).collect()
}

#[test]
fn a_completed_handshake_has_no_cause() {
    assert_eq!(Scene::broad().answered(0x0303, 0xc02f, &[(0xff01, &[0])]).cause(), None);
}

#[test]
fn versions_that_do_not_meet() {
    let certain = |cause| Some((cause, Confidence::Certain));
    let old = || Scene::hello(0x0303, &legacy(), &extensions(false));
    assert_eq!(old().alert(Server, 2, 70).cause(), certain(Cause::ClientVersionTooOld));
    let tls10 = || Scene::hello(0x0301, &[0xc013, 0x002f, 0x000a], &without(&[0x000d], false));
    assert_eq!(tls10().alert(Server, 2, 70).cause(), certain(Cause::ClientVersionTooOld));
    assert_eq!(tls10().alert(Server, 2, 80).cause(), Some((Cause::ClientVersionTooOld, Confidence::Strong)));
    let ssl3 = Scene::hello(0x0300, &[0x0005, 0x000a], &[]).alert(Server, 2, 40);
    assert_eq!(ssl3.cause(), Some((Cause::ClientVersionTooOld, Confidence::Strong)));
    let only13 = || Scene::hello(0x0303, &[0x1301, 0x1302], &with(0x002b, &[2, 3, 4], true));
    assert_eq!(only13().alert(Server, 2, 70).cause(), certain(Cause::ServerVersionTooOld));
    assert_eq!(only13().alert(Server, 2, 40).cause().map(|(cause, _)| cause), Some(Cause::ServerVersionTooOld));
    let chosen = Scene::broad().answered(0x0301, 0x002f, &[]).alert(Client, 2, 70);
    assert_eq!(chosen.cause(), certain(Cause::ServerVersionTooOld));
    let nonsense = Scene::broad().answered(0x0399, 0x002f, &[]).alert(Client, 2, 70);
    assert_eq!(nonsense.cause(), certain(Cause::ServerProtocolViolation));
    assert_eq!(Scene::broad().alert(Server, 2, 70).cause().map(|(cause, _)| cause), Some(Cause::NoCommonVersion));
    let mut suites = legacy();
    suites.push(0x5600);
    let fallback = Scene::hello(0x0303, &suites, &extensions(false)).alert(Server, 2, 86);
    assert_eq!(fallback.cause(), certain(Cause::InappropriateFallback));
}

#[test]
fn a_retry_with_less_shows_intolerance() {
    let mut scene = Scene::broad().ended(Outcome::Closed, StoppedBy::Server);
    assert_eq!(scene.cause(), None);
    scene.knowledge.related.push(crate::diagnosis::knowledge::Related {
        start: Mark::default(),
        same_endpoint: true,
        same_name: true,
        outcome: Outcome::Completed,
        cause: None,
        highest_version: Some(crate::tls::registry::ProtocolVersion::TLS12),
        post_quantum: false,
        hello_len: 200,
        hello_shape: 0,
        ech: false,
        hello_after: std::time::Duration::ZERO,
        passed: crate::flow::PerSide::default(),
        went_unanswered: false,
        left_waiting: false,
        server_unseen: false,
        transport: Transport::Tcp,
        answered_in: None,
    });
    assert_eq!(scene.cause(), Some((Cause::VersionIntolerantServer, Confidence::Strong)));
}

#[test]
fn the_offer_explains_a_bare_refusal() {
    let cause = |scene: Scene| scene.cause().map(|(cause, _)| cause);
    let refused = |suites: &[u16], list: &[(u16, Vec<u8>)]| cause(Scene::hello(0x0303, suites, list).alert(Server, 2, 40));
    assert_eq!(refused(&[0x0005, 0x0004, 0x00ff], &extensions(false)), Some(Cause::NoCommonCipher));
    assert_eq!(refused(&[0xc02f, 0x00ff], &extensions(false)), Some(Cause::NoCommonCipher));
    assert_eq!(refused(&[0xc02b, 0x00ff], &extensions(false)), Some(Cause::CertificateTypeMismatch));
    assert_eq!(refused(&legacy(), &with(0x000a, &[0, 2, 0, 0x1d], false)), Some(Cause::NoCommonGroup));
    assert_eq!(refused(&legacy(), &with(0x000d, &[0, 2, 2, 1], false)), Some(Cause::NoCommonSignatureAlgorithm));
    assert_eq!(refused(BROAD, &extensions(true)), Some(Cause::HandshakeFailure));
    // Two suites and three signatures that every server has are no narrow offer, however short.
    assert_eq!(refused(&[0xc02f, 0xc030, 0x009c], &with(0x000d, &[0, 6, 4, 3, 4, 1, 2, 1], false)), Some(Cause::HandshakeFailure));
    let jsse = Scene::hello(0x0303, BROAD, &with(0x000a, &[0, 2, 0, 0x1e], false)).alert(Server, 2, 10);
    assert_eq!(cause(jsse), Some(Cause::NoCommonGroup));
    let weak = Scene::broad().alert(Server, 2, 71);
    assert_eq!(cause(weak), Some(Cause::InsufficientSecurity));
    let ems = Scene::hello(0x0303, &legacy(), &without(&[0x0017], false)).alert(Server, 2, 71);
    assert_eq!(cause(ems), Some(Cause::ExtendedMasterSecretRequired));
    let mut bare = Scene::hello(0x0303, &legacy(), &without(&[0x0017], false)).alert(Server, 2, 40);
    assert_eq!(bare.cause().map(|(cause, _)| cause), Some(Cause::HandshakeFailure));
    assert!(bare.findings()[0].alternatives.contains(&Cause::ExtendedMasterSecretRequired));
    bare.knowledge.completed = 2;
    assert_eq!(bare.cause().map(|(cause, _)| cause), Some(Cause::ExtendedMasterSecretRequired));
}

#[test]
fn who_breaks_off_without_a_word_is_known_by_whom_it_serves() {
    let scene = |same_name: u32, chosen: u16| {
        let mut scene = Scene::hello(0x0303, &[0x0035, 0x002f, 0x00ff], &extensions(false)).ended(Outcome::Reset, StoppedBy::Server);
        scene.handshake.end = Some(scene.next());
        scene.knowledge.completed_same_name = same_name;
        scene.knowledge.ciphers = vec![CipherSuite(chosen)];
        scene.cause()
    };
    assert_eq!(scene(3, 0xc02f), Some((Cause::NoCommonCipher, Confidence::Likely)));
    assert_eq!(scene(0, 0xc02f), None, "it was not seen to serve anybody under this name");
    assert_eq!(scene(3, 0x002f), None, "it served others with a suite that is offered");
}

#[test]
fn a_bare_failure_is_only_a_fallback() {
    let findings = Scene::broad().alert(Server, 2, 40).findings();
    assert_eq!((findings[0].cause, findings[0].weight), (Cause::HandshakeFailure, Weight::Fallback));
    assert!(findings[0].alternatives.contains(&Cause::NoCommonGroup));
}

#[test]
fn the_server_flight_explains_what_the_client_refuses() {
    let secure: &[(u16, &[u8])] = &[(0xff01, &[0]), (0x0017, &[])];
    let dhe = |bits| Scene::broad().answered(0x0303, 0x009e, secure).key_exchange(Some(bits), 0x0804);
    assert_eq!(dhe(1024).alert(Client, 2, 40).cause(), Some((Cause::DhTooSmall, Confidence::Certain)));
    assert_eq!(dhe(512).alert(Client, 2, 71).cause(), Some((Cause::DhTooSmall, Confidence::Certain)));
    assert_ne!(dhe(2048).alert(Client, 2, 40).cause().map(|(cause, _)| cause), Some(Cause::DhTooSmall));
    assert_eq!(dhe(1024).alert(Client, 2, 45).cause(), None);
    let sha1 = Scene::broad().answered(0x0303, 0xc02f, secure).key_exchange(None, 0x0201).alert(Client, 2, 47);
    assert_eq!(sha1.cause().map(|(cause, _)| cause), Some(Cause::NoCommonSignatureAlgorithm));
    let legacy = Scene::broad().answered(0x0303, 0xc02f, &[]).key_exchange(None, 0x0804).alert(Client, 2, 40);
    assert_eq!(legacy.cause(), Some((Cause::RenegotiationRefused, Confidence::Strong)));
    let bad = Scene::broad().answered(0x0303, 0xc02f, secure).key_exchange(None, 0x0804);
    assert_eq!(bad.alert(Client, 2, 51).cause().map(|(cause, _)| cause), Some(Cause::RecordCorrupted));
    let go = Scene::broad().answered(0x0303, 0xc02f, secure).key_exchange(None, 0x0804);
    assert_eq!(go.alert(Client, 2, 10).cause().map(|(cause, _)| cause), Some(Cause::RecordCorrupted));
}

#[test]
fn a_renegotiation_is_refused_by_an_alert_and_accepted_by_handshake_records() {
    let established = |content_type| {
        let mut scene = Scene::broad().answered(0x0303, 0xc02f, &[(0xff01, &[0]), (0x0017, &[])]);
        let (asked, answered) = (scene.next(), scene.next());
        scene.handshake.renegotiation = Some((Client, asked));
        scene.handshake.encrypted.server.push(EncryptedRecord { content_type, len: 26, mark: answered });
        scene.cause()
    };
    assert_eq!(established(21), Some((Cause::RenegotiationRefused, Confidence::Strong)));
    assert_eq!(established(22), None);
}

#[test]
fn names() {
    let nameless = || Scene::hello(0x0303, BROAD, &without(&[0x0000], true));
    assert_eq!(nameless().alert(Server, 2, 112).cause(), Some((Cause::SniMissing, Confidence::Certain)));
    assert_eq!(nameless().alert(Server, 2, 40).cause(), Some((Cause::SniMissing, Confidence::Likely)));
    assert_eq!(Scene::broad().alert(Server, 2, 112).cause(), Some((Cause::SniUnrecognized, Confidence::Certain)));
    let warned = Scene::broad().alert(Server, 1, 112).answered(0x0303, 0xc02f, &[]).alert(Client, 2, 40);
    assert_eq!(warned.cause(), Some((Cause::SniUnrecognized, Confidence::Strong)));
    let tolerated = Scene::broad().alert(Server, 1, 112).answered(0x0303, 0xc02f, &[(0xff01, &[0])]);
    assert_eq!(tolerated.cause(), None);
    assert_eq!(tolerated.findings()[0].weight, Weight::Note);
    let mut elsewhere = Scene::broad().alert(Server, 2, 40);
    elsewhere.knowledge.completed_other_names = 3;
    assert_eq!(elsewhere.cause(), Some((Cause::SniUnrecognized, Confidence::Strong)));
    let alpn = Scene::hello(0x0303, BROAD, &with(0x0010, &[0, 3, 2, b'h', b'2'], true)).alert(Server, 2, 120);
    assert_eq!(alpn.cause(), Some((Cause::AlpnNoOverlap, Confidence::Certain)));
    assert!(alpn.findings()[0].summary.contains("h2"));
}

#[test]
fn pre_shared_keys() {
    let mut list = extensions(true);
    list.push((0x002d, vec![1, 1]));
    list.push((0x0029, [&[0, 7, 0, 1, b'c', 0, 0, 0, 0, 0, 33, 32][..], &[9; 32]].concat()));
    let external = || Scene::hello(0x0303, BROAD, &list);
    assert_eq!(external().alert(Server, 2, 47).cause(), Some((Cause::PskMismatch, Confidence::Strong)));
    assert_eq!(external().alert(Server, 2, 115).cause(), Some((Cause::PskUnknownIdentity, Confidence::Certain)));
    let exchanged = || {
        let mut scene = Scene::hello(0x0303, &[0x00a8, 0x008c, 0x00ff], &extensions(false)).answered(0x0303, 0x00a8, &[(0xff01, &[0])]);
        scene.handshake.client_key_exchange = Some(scene.next());
        scene.handshake.change_cipher_spec.client = Some(scene.next());
        scene
    };
    assert_eq!(exchanged().alert(Server, 2, 115).cause(), Some((Cause::PskUnknownIdentity, Confidence::Certain)));
    assert_eq!(exchanged().alert(Server, 2, 20).cause(), Some((Cause::PskMismatch, Confidence::Strong)));
    let mut silent = exchanged().ended(Outcome::Stalled, StoppedBy::Server);
    silent.handshake.protocol = crate::handshake::facts::Protocol::Dtls;
    assert_eq!(silent.cause(), Some((Cause::PskMismatch, Confidence::Likely)));
}

#[test]
fn violations_are_named() {
    let mut twice = extensions(true);
    twice.push((0x000a, vec![0, 2, 0, 0x1d]));
    let scene = Scene::hello(0x0303, BROAD, &twice).alert(Server, 2, 47);
    assert_eq!(scene.cause(), Some((Cause::ClientProtocolViolation, Confidence::Certain)));
    assert!(scene.findings()[0].summary.contains("supported_groups listed twice"));
    let scene = Scene::hello(0x0303, BROAD, &without(&[0x000d], true)).alert(Server, 2, 40);
    assert_eq!(scene.cause(), Some((Cause::ClientProtocolViolation, Confidence::Strong)));
    let scene = Scene::broad().answered(0x0303, 0xc02f, &[(0xff01, &[0]), (0x0010, &[0, 3, 2, b'h', b'2'])]).alert(Client, 2, 110);
    assert_eq!(scene.cause(), Some((Cause::ServerProtocolViolation, Confidence::Certain)));
    let mut scene = Scene::new().alert(Server, 2, 10);
    let mark = Mark { frame: 4, ..Mark::default() };
    scene.handshake.anomalies.push(Anomaly { mark, side: Client, kind: AnomalyKind::OutOfOrder { message: 16, expected: "client_hello" } });
    assert_eq!(scene.cause(), Some((Cause::ClientProtocolViolation, Confidence::Certain)));
    assert!(scene.findings()[0].summary.contains("client_key_exchange where client_hello was due"));
    let hole = FlowEventKind::Gap { offset: 0, len: 9, why: GapCause::Snaplen };
    scene.handshake.flow.events.push(FlowEvent { mark: Mark { frame: 3, ..mark }, side: Client, kind: hole });
    assert_ne!(scene.cause().unwrap().1, Confidence::Certain, "what stood before it is not known");
    let scene = Scene::broad().alert(Server, 2, 47);
    assert_eq!(scene.findings()[0].weight, Weight::Fallback);
}

#[test]
fn what_was_refused_is_not_known_where_the_capture_cut_it() {
    let refused = |code, cut| {
        let mut scene = Scene::broad().answered(0x0303, 0xc02f, &[(0xff01, &[0])]).alert(Client, 2, code);
        scene.handshake.flow.sides.server.snaplen_cut = cut;
        let Scene { handshake, knowledge, .. } = &scene;
        let verdict = judge(&Case { handshake, chain: None, client_chain: None, knowledge, policy: &Policy::default() });
        verdict.cause.map(|finding| (finding.cause, finding.confidence)).unwrap()
    };
    assert_eq!(refused(48, 0), (Cause::CertificateUntrustedCa, Confidence::Strong));
    assert_eq!(refused(48, 1), (Cause::CertificateUntrustedCa, Confidence::Likely));
    assert_eq!((refused(80, 0).1, refused(80, 1).1), (Confidence::Strong, Confidence::Likely));
}

#[test]
fn a_side_speaks_for_itself() {
    assert_eq!(Scene::broad().alert(Server, 2, 80).cause(), Some((Cause::InternalError, Confidence::Strong)));
    assert_eq!(Scene::new().alert(Client, 2, 80).cause(), Some((Cause::InternalError, Confidence::Certain)));
    assert_eq!(Scene::broad().alert(Server, 2, 49).cause(), Some((Cause::AccessDenied, Confidence::Strong)));
}

#[test]
fn tickets_that_are_refused_again_and_again() {
    let list = with(0x0023, &[1; 100], false);
    let mut scene = Scene::hello(0x0303, &legacy(), &list).answered(0x0303, 0xc02f, &[(0xff01, &[0])]);
    assert_eq!(scene.cause(), None);
    assert_eq!(scene.findings()[0].cause, Cause::TicketsNotShared);
    // Many that were refused may all have expired.
    (scene.knowledge.resumptions_offered, scene.knowledge.resumptions_accepted) = (4, 1);
    assert_eq!(scene.cause(), None);
    scene.knowledge.ticket.issued = Some(Mark::default());
    assert_eq!(scene.cause(), Some((Cause::TicketsNotShared, Confidence::Likely)));
    (scene.knowledge.resumptions_offered, scene.knowledge.resumptions_accepted) = (4, 3);
    assert_eq!(scene.cause(), None, "a server may be restarted once");
    scene.knowledge.ticket.accepted = Some(Mark::default());
    assert_eq!(scene.cause(), Some((Cause::TicketsNotShared, Confidence::Strong)));
}
