//! Tests of the family version: what it makes of whole handshakes.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::knowledge::Related;
use crate::diagnosis::testing::{Scene, extensions, legacy, related, with, without};
use crate::flow::Side::{Client, Server};
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::Mark;
use crate::tls::registry::{AlertDescription as A, CipherSuite, NamedGroup, ProtocolVersion as V};

#[test]
fn versions_that_do_not_meet() {
    let certain = |cause| Some((cause, Confidence::Certain));
    let old = || Scene::hello(V::TLS12, &legacy(), &extensions(false));
    assert_eq!(old().alert(Server, A::PROTOCOL_VERSION).cause(), certain(Cause::ClientVersionTooOld));
    let tls10 = || Scene::hello(V::TLS10, &[0xc013, 0x002f, 0x000a], &without(&[0x000d], false));
    assert_eq!(tls10().alert(Server, A::PROTOCOL_VERSION).cause(), certain(Cause::ClientVersionTooOld));
    assert_eq!(tls10().alert(Server, A::INTERNAL_ERROR).cause(), Some((Cause::ClientVersionTooOld, Confidence::Strong)));
    let ssl3 = Scene::hello(V::SSL3, &[0x0005, 0x000a], &[]).alert(Server, A::HANDSHAKE_FAILURE);
    assert_eq!(ssl3.cause(), Some((Cause::ClientVersionTooOld, Confidence::Likely)), "it may be the suites");
    let only13 = || Scene::hello(V::TLS12, &[0x1301, 0x1302], &with(0x002b, &[2, 3, 4], true));
    assert_eq!(only13().alert(Server, A::PROTOCOL_VERSION).cause(), certain(Cause::ServerVersionTooOld));
    assert_eq!(only13().alert(Server, A::HANDSHAKE_FAILURE).cause().map(|(cause, _)| cause), Some(Cause::ServerVersionTooOld));
    let chosen = Scene::broad().answered(V::TLS10, 0x002f, &[]).alert(Client, A::PROTOCOL_VERSION);
    assert_eq!(chosen.cause(), certain(Cause::ServerVersionTooOld));
    let nonsense = Scene::broad().answered(V(0x0399), 0x002f, &[]).alert(Client, A::PROTOCOL_VERSION);
    assert_eq!(nonsense.cause(), certain(Cause::ServerProtocolViolation));
    assert_eq!(Scene::broad().alert(Server, A::PROTOCOL_VERSION).cause().map(|(cause, _)| cause), Some(Cause::NoCommonVersion));
    let mut suites = legacy();
    suites.push(0x5600);
    let fallback = Scene::hello(V::TLS12, &suites, &extensions(false)).alert(Server, A::INAPPROPRIATE_FALLBACK);
    assert_eq!(fallback.cause(), certain(Cause::InappropriateFallback));
}

#[test]
fn a_server_that_chose_only_what_is_older_than_the_offer_is_too_old() {
    let refused = |suites: &[u16], alert: A, chosen: &[V]| {
        let mut scene = Scene::hello(V::TLS12, suites, &extensions(false)).alert(Server, alert);
        scene.knowledge.versions = chosen.to_vec();
        scene.knowledge.ciphers = vec![CipherSuite(0xc014)];
        scene.cause()
    };
    let modern: &[u16] = &[0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x00ff];
    let too_old = |confidence| Some((Cause::ServerVersionTooOld, confidence));
    assert_eq!(refused(modern, A::HANDSHAKE_FAILURE, &[V::TLS10]), too_old(Confidence::Likely));
    assert_eq!(refused(modern, A::PROTOCOL_VERSION, &[V::TLS10]), too_old(Confidence::Strong));
    assert_ne!(refused(modern, A::HANDSHAKE_FAILURE, &[V::TLS10, V::TLS12]).map(|(cause, _)| cause), Some(Cause::ServerVersionTooOld));
    let with_cbc: &[u16] = &[0xc02b, 0xc02f, 0xc013, 0x00ff];
    assert_ne!(refused(with_cbc, A::HANDSHAKE_FAILURE, &[V::TLS10]).map(|(cause, _)| cause), Some(Cause::ServerVersionTooOld));
}

#[test]
fn a_curve_that_the_client_does_not_take_is_no_version() {
    let refused = |groups: &[u8], alert: A| {
        let mut scene = Scene::hello(V::TLS12, &legacy(), &with(0x000a, groups, false)).alert(Server, alert);
        (scene.knowledge.versions, scene.knowledge.completed, scene.knowledge.attempts) = (vec![V::TLS13], 1, 1);
        scene.knowledge.groups = vec![NamedGroup::X25519];
        scene.knowledge.ciphers = vec![CipherSuite(0x1302)];
        scene.cause()
    };
    let likely = |cause| Some((cause, Confidence::Likely));
    assert_eq!(refused(&[0, 2, 0, 0x1d], A::HANDSHAKE_FAILURE), likely(Cause::CertificateTypeMismatch), "P-256 is not among them");
    assert_eq!(refused(&[0, 4, 0, 0x1d, 0, 0x17], A::HANDSHAKE_FAILURE), likely(Cause::ClientVersionTooOld));
    let rsa_alone = |alert| {
        let mut scene = Scene::hello(V::TLS12, &[0xc02f, 0xc030, 0x009c, 0x002f, 0x00ff], &extensions(false)).alert(Server, alert);
        (scene.knowledge.versions, scene.knowledge.completed, scene.knowledge.attempts) = (vec![V::TLS13], 1, 1);
        scene.cause().map(|(cause, _)| cause)
    };
    assert_eq!(rsa_alone(A::HANDSHAKE_FAILURE), Some(Cause::CertificateTypeMismatch), "its certificate may be ECDSA");
    assert_eq!(rsa_alone(A::PROTOCOL_VERSION), Some(Cause::ClientVersionTooOld));
    assert_eq!(refused(&[0, 2, 0, 0x1d], A::PROTOCOL_VERSION), Some((Cause::ClientVersionTooOld, Confidence::Certain)));
}

#[test]
fn a_retry_with_less_shows_intolerance() {
    let told = |retry: Mark| {
        let mut scene = Scene::broad().ended(Outcome::Closed, StoppedBy::Server);
        assert_eq!(scene.cause(), None);
        scene.knowledge.related.push(Related {
            same_endpoint: true,
            same_name: true,
            highest_version: Some(V::TLS12),
            hello_len: 200,
            ..related(retry)
        });
        scene.cause()
    };
    let later = Mark { frame: 90, ..Mark::default() };
    assert_eq!(told(later), Some((Cause::VersionIntolerantServer, Confidence::Strong)));
    // Whoever was served before may be the last who was.
    assert_eq!(told(Mark::default()), Some((Cause::VersionIntolerantServer, Confidence::Likely)));
    let unanswered = |acked: bool| {
        let mut scene = Scene::broad().ended(Outcome::Stalled, StoppedBy::Network);
        let related = Related { same_endpoint: true, same_name: true, highest_version: Some(V::TLS12), hello_len: 200, ..related(later) };
        scene.knowledge.related.push(related);
        let flow = &mut scene.handshake.flow;
        (flow.sides.client.highest, flow.sides.client.acked) = (517, if acked { 517 } else { 0 });
        scene.cause().is_some_and(|(cause, _)| cause == Cause::VersionIntolerantServer)
    };
    assert!(unanswered(true));
    assert!(!unanswered(false), "what does not arrive is not understood by nobody");
}
