//! Tests of the family parameters: what it makes of whole handshakes.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::testing::{BROAD, Scene, extensions, legacy, with, without};
use crate::flow::Side::{Client, Server};
use crate::handshake::facts::{AlertSeen, EncryptedRecord, Outcome, StoppedBy};
use crate::handshake::renegotiation::Renegotiation;
use crate::tls::registry::{AlertDescription as A, CipherSuite, NamedGroup, ProtocolVersion as V};

#[test]
fn a_completed_handshake_has_no_cause() {
    assert_eq!(Scene::broad().answered(V::TLS12, 0xc02f, &[(0xff01, &[0])]).cause(), None);
}

#[test]
fn the_offer_explains_a_bare_refusal() {
    let cause = |scene: Scene| scene.cause().map(|(cause, _)| cause);
    let refused = |suites: &[u16], list: &[(u16, Vec<u8>)]| cause(Scene::hello(V::TLS12, suites, list).alert(Server, A::HANDSHAKE_FAILURE));
    assert_eq!(refused(&[0x0005, 0x0004, 0x00ff], &extensions(false)), Some(Cause::NoCommonCipher));
    assert_eq!(refused(&[0xc02f, 0x00ff], &extensions(false)), Some(Cause::NoCommonCipher));
    assert_eq!(refused(&[0xc02b, 0x00ff], &extensions(false)), Some(Cause::CertificateTypeMismatch));
    assert_eq!(refused(&legacy(), &with(0x000a, &[0, 2, 0, 0x1d], false)), Some(Cause::NoCommonGroup));
    assert_eq!(refused(&legacy(), &with(0x000d, &[0, 2, 2, 1], false)), Some(Cause::NoCommonSignatureAlgorithm));
    assert_eq!(refused(BROAD, &extensions(true)), Some(Cause::HandshakeFailure));
    // Two suites and three signatures that every server has are no narrow offer, however short.
    assert_eq!(refused(&[0xc02f, 0xc030, 0x009c], &with(0x000d, &[0, 6, 4, 3, 4, 1, 2, 1], false)), Some(Cause::HandshakeFailure));
    let jsse = Scene::hello(V::TLS12, BROAD, &with(0x000a, &[0, 2, 0, 0x1e], false)).alert(Server, A::UNEXPECTED_MESSAGE);
    assert_eq!(cause(jsse), Some(Cause::NoCommonGroup));
    let weak = Scene::broad().alert(Server, A::INSUFFICIENT_SECURITY);
    assert_eq!(cause(weak), Some(Cause::InsufficientSecurity));
    let ems = Scene::hello(V::TLS12, &legacy(), &without(&[0x0017], false)).alert(Server, A::INSUFFICIENT_SECURITY);
    assert_eq!(cause(ems), Some(Cause::ExtendedMasterSecretRequired));
    let mut bare = Scene::hello(V::TLS12, &legacy(), &without(&[0x0017], false)).alert(Server, A::HANDSHAKE_FAILURE);
    assert_eq!(bare.cause().map(|(cause, _)| cause), Some(Cause::HandshakeFailure));
    assert!(bare.findings()[0].alternatives.contains(&Cause::ExtendedMasterSecretRequired));
    bare.knowledge.completed = 2;
    assert_eq!(bare.cause().map(|(cause, _)| cause), Some(Cause::HandshakeFailure), "nothing tells that others had the extension");
    bare.knowledge.contrast.bound = true;
    assert_eq!(bare.cause().map(|(cause, _)| cause), Some(Cause::ExtendedMasterSecretRequired));
    bare.knowledge.contrast.unbound = true;
    let findings = bare.findings();
    assert_eq!(findings[0].cause, Cause::HandshakeFailure, "others were served without it");
    assert!(!findings[0].alternatives.contains(&Cause::ExtendedMasterSecretRequired));
}

/// What is said of a hello of TLS 1.2 with these groups and schemes that a server refuses, which served two kinds of clients as is told.
fn refused_beside_others(groups: &[u8], schemes: &[u8], known: impl FnOnce(&mut Knowledge)) -> Option<(Cause, Confidence)> {
    let mut list = extensions(false);
    for (kind, body) in &mut list {
        match kind {
            0x000a => *body = groups.to_vec(),
            0x000d => *body = schemes.to_vec(),
            _ => {}
        }
    }
    list.retain(|(kind, _)| *kind != 0x0017);
    let suites: Vec<u16> = [&legacy()[..], &[0x0033, 0x0039, 0x0067, 0x006b, 0x009e, 0x009f]].concat();
    let mut scene = Scene::hello(V::TLS12, &suites, &list).alert(Server, A::HANDSHAKE_FAILURE);
    scene.knowledge.completed = 20;
    scene.knowledge.versions = vec![V::TLS12];
    let contrast = &mut scene.knowledge.contrast;
    (contrast.serves_several, contrast.bound) = (true, true);
    known(&mut scene.knowledge);
    scene.cause()
}

const P256: &[u8] = &[0, 2, 0, 0x17];
const OLD_SCHEMES: &[u8] = &[0, 8, 6, 1, 6, 3, 4, 1, 4, 3];

#[test]
fn what_all_had_that_were_served_explains_a_refusal() {
    let likely = |cause| Some((cause, Confidence::Likely));
    let chose = |suite: u16| refused_beside_others(P256, OLD_SCHEMES, |known| known.ciphers = vec![CipherSuite(suite)]);
    assert_eq!(chose(0xc013), likely(Cause::NoCommonCipher));
    assert_eq!(chose(0xc02f), likely(Cause::ExtendedMasterSecretRequired), "a suite that is offered is not the reason");
    let key = |kind: &str| {
        refused_beside_others(P256, OLD_SCHEMES, |known| {
            (known.ciphers, known.groups) = (vec![CipherSuite(0xc02b)], vec![NamedGroup::X25519]);
            known.key_kinds = vec![kind.to_owned()];
        })
    };
    assert_eq!(key("Ed25519"), likely(Cause::NoCommonSignatureAlgorithm));
    assert_eq!(key("EC"), likely(Cause::NoCommonGroup), "of an unknown curve");
    let curve = |groups: &[u8], curve: NamedGroup| {
        refused_beside_others(groups, OLD_SCHEMES, |known| {
            (known.ciphers, known.groups) = (vec![CipherSuite(0xc02b)], vec![NamedGroup::SECP256R1]);
            (known.key_kinds, known.curves) = (vec!["EC".to_owned()], vec![curve]);
        })
    };
    assert_eq!(curve(P256, NamedGroup::SECP521R1), likely(Cause::CertificateTypeMismatch));
    assert_eq!(curve(&[0, 4, 0, 0x17, 0, 0x19], NamedGroup::SECP521R1), likely(Cause::ExtendedMasterSecretRequired));
    assert_eq!(curve(P256, NamedGroup::SECP256R1), likely(Cause::ExtendedMasterSecretRequired));
}

#[test]
fn a_group_that_the_server_used_is_not_missing() {
    let chose = |group| {
        refused_beside_others(P256, OLD_SCHEMES, |known| {
            known.groups = vec![group];
            known.contrast.unbound = true;
        })
    };
    assert_eq!(chose(NamedGroup::SECP256R1), Some((Cause::HandshakeFailure, Confidence::Likely)));
    assert_eq!(chose(NamedGroup::SECP384R1), Some((Cause::NoCommonGroup, Confidence::Strong)));
    assert_eq!(chose(NamedGroup::X25519), Some((Cause::NoCommonGroup, Confidence::Likely)), "which most prefer");
}

#[test]
fn who_breaks_off_without_a_word_is_known_by_whom_it_serves() {
    let scene = |same_name: u32, chosen: u16| {
        let mut scene = Scene::hello(V::TLS12, &[0x0035, 0x002f, 0x00ff], &extensions(false)).ended(Outcome::Reset, StoppedBy::Server);
        scene.handshake.end = Some(scene.next_mark());
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
    let findings = Scene::broad().alert(Server, A::HANDSHAKE_FAILURE).findings();
    assert_eq!((findings[0].cause, findings[0].weight), (Cause::HandshakeFailure, Weight::Fallback));
    assert!(findings[0].alternatives.contains(&Cause::NoCommonGroup));
}

#[test]
fn the_server_flight_explains_what_the_client_refuses() {
    let secure: &[(u16, &[u8])] = &[(0xff01, &[0]), (0x0017, &[])];
    let dhe = |bits| Scene::broad().answered(V::TLS12, 0x009e, secure).key_exchange(Some(bits), 0x0804);
    assert_eq!(dhe(1024).alert(Client, A::HANDSHAKE_FAILURE).cause(), Some((Cause::DhTooSmall, Confidence::Certain)));
    assert_eq!(dhe(512).alert(Client, A::INSUFFICIENT_SECURITY).cause(), Some((Cause::DhTooSmall, Confidence::Certain)));
    assert_ne!(dhe(2048).alert(Client, A::HANDSHAKE_FAILURE).cause().map(|(cause, _)| cause), Some(Cause::DhTooSmall));
    assert_eq!(dhe(1024).alert(Client, A::CERTIFICATE_EXPIRED).cause(), None);
    let sha1 = Scene::broad().answered(V::TLS12, 0xc02f, secure).key_exchange(None, 0x0201).alert(Client, A::ILLEGAL_PARAMETER);
    assert_eq!(sha1.cause().map(|(cause, _)| cause), Some(Cause::NoCommonSignatureAlgorithm));
    let legacy = Scene::broad().answered(V::TLS12, 0xc02f, &[]).key_exchange(None, 0x0804).alert(Client, A::HANDSHAKE_FAILURE);
    assert_eq!(legacy.cause(), Some((Cause::RenegotiationRefused, Confidence::Strong)));
    let bad = Scene::broad().answered(V::TLS12, 0xc02f, secure).key_exchange(None, 0x0804);
    assert_eq!(bad.alert(Client, A::DECRYPT_ERROR).cause().map(|(cause, _)| cause), Some(Cause::RecordCorrupted));
    let go = Scene::broad().answered(V::TLS12, 0xc02f, secure).key_exchange(None, 0x0804);
    assert_eq!(go.alert(Client, A::UNEXPECTED_MESSAGE).cause().map(|(cause, _)| cause), Some(Cause::RecordCorrupted));
}

#[test]
fn a_renegotiation_is_refused_by_an_alert_and_accepted_by_handshake_records() {
    let established = |content_type| {
        let mut scene = Scene::broad().answered(V::TLS12, 0xc02f, &[(0xff01, &[0]), (0x0017, &[])]);
        let (asked, answered) = (scene.next_mark(), scene.next_mark());
        scene.handshake.renegotiation = Some(Renegotiation::asked(Client, asked));
        scene.handshake.encrypted.server.push(EncryptedRecord { content_type, len: 26, mark: answered });
        scene.cause()
    };
    assert_eq!(established(21), Some((Cause::RenegotiationRefused, Confidence::Strong)));
    assert_eq!(established(22), None);
}

#[test]
fn only_in_tls_13_a_certificate_is_withheld_in_secret() {
    let alerted = |suite, list: &[(u16, &[u8])]| {
        let mut scene = Scene::broad().answered(V::TLS12, suite, list).ended(Outcome::Alerted, StoppedBy::Server);
        for len in [30, 19] {
            let mark = scene.next_mark();
            scene.handshake.encrypted.server.push(EncryptedRecord { content_type: 23, len, mark });
        }
        let mark = scene.next_mark();
        let seen = AlertSeen { from: Server, alert: None, encrypted: true, mark, after_handshake: false, consequence: false };
        scene.handshake.alerts.push(seen);
        scene.cause().map(|(cause, _)| cause)
    };
    assert_eq!(alerted(0x1301, &[(0x002b, &[3, 4])]), Some(Cause::HandshakeFailure));
    assert_ne!(alerted(0xc02f, &[(0xff01, &[0])]), Some(Cause::HandshakeFailure));
}
