//! Tests of the family client-auth, for what no capture shows.

use rcgen::ExtendedKeyUsagePurpose;

use super::*;
use crate::diagnosis::chain::{Purpose, TrustStore, judge};
use crate::diagnosis::finding::Weight;
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::policy::Policy;
use crate::diagnosis::testing::{Scene, at, certificate, found_of, found_of_knowing};
use crate::flow::Side;
use crate::handshake::facts::{DtlsFacts, Outcome, StoppedBy};
use crate::time::Timestamp;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};

/// What is said of the usage when the client sends a certificate for this one and the server answers with this alert.
fn refused(usage: ExtendedKeyUsagePurpose, alert: A) -> Option<Finding> {
    let certificates = certificate("client.lab.test", |params| params.extended_key_usages = vec![usage]);
    let scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).client_served(&certificates).alert(Side::Server, alert);
    let chain = judge(&certificates, None, Timestamp::from_parts(1_795_251_860, 0), Purpose::Client, &TrustStore::none());
    let case = Case {
        handshake: &scene.handshake,
        chain: None,
        client_chain: Some(&chain),
        knowledge: &Knowledge::default(),
        policy: &Policy::default(),
    };
    found_of(Cause::ClientCertificateWrongUsage, &case)
}

#[test]
fn a_servers_certificate_does_not_authenticate_a_client() {
    let finding = refused(ExtendedKeyUsagePurpose::ServerAuth, A::UNSUPPORTED_CERTIFICATE).expect("serverAuth alone");
    assert_eq!(finding.confidence, Confidence::Certain);
    assert!(refused(ExtendedKeyUsagePurpose::ServerAuth, A::BAD_CERTIFICATE).is_some(), "some say bad_certificate");
    assert!(refused(ExtendedKeyUsagePurpose::ClientAuth, A::UNSUPPORTED_CERTIFICATE).is_none(), "its usage is right");
}

#[test]
fn a_server_over_dtls_that_falls_silent_at_an_empty_certificate_wants_one() {
    let silent = |repeats: u32, certificates: bool| {
        let sent = if certificates { certificate("client.lab.test", |_| {}) } else { Vec::new() };
        let scene = Scene::broad().answered(V::TLS12, 0xc02b, &[]).client_served(&sent);
        let mut handshake = scene.handshake;
        handshake.finished.client = Some(at(60, 50));
        let mut dtls = DtlsFacts::default();
        dtls.repeats.client = repeats;
        handshake.dtls = Some(Box::new(dtls));
        handshake.flow.sides.client.last_packet = Some(at(70, 7_000));
        handshake.flow.sides.server.last_packet = Some(at(50, 40));
        (handshake.outcome, handshake.stopped_by) = (Outcome::Stalled, StoppedBy::Server);
        found_of_knowing(Cause::ClientCertificateMissing, &handshake, &Knowledge::default())
    };
    let finding = silent(3, false).expect("repeated in vain");
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Likely, Some(StoppedBy::Server)));
    assert_eq!(finding.alternatives, [Cause::ServerStalled, Cause::PacketLoss]);
    assert!(silent(0, false).is_none_or(|finding| finding.weight == Weight::Note), "its answer may be on the way");
    assert!(silent(3, true).is_none());
}

#[test]
fn a_server_that_closes_at_once_after_the_handshake_misses_the_certificate() {
    // Milliseconds from the client's Finished to the server's FIN.
    let closed_on = |asked: bool, after: i64, used: bool| {
        let mut handshake = Scene::broad().answered(V::TLS12, 0xc02b, &[]).client_served(&[]).handshake;
        handshake.flow.first = at(1, 0);
        (handshake.finished.client, handshake.finished.server) = (Some(at(60, 50)), Some(at(61, 51)));
        handshake.application_data.server = used.then_some(at(62, 51));
        handshake.application_data.client = asked.then_some(at(62, 50));
        handshake.flow.sides.server.fin = Some((at(63, 50 + after), 900));
        handshake.flow.last = at(63, 50 + after);
        let finding = found_of_knowing(Cause::ClientCertificateMissing, &handshake, &Knowledge::default())?;
        Some((finding.weight, finding.confidence)).filter(|said| said.0 >= Weight::Explains)
    };
    let closed = |after: i64, used: bool| closed_on(false, after, used);
    assert_eq!(closed(2, false), Some((Weight::Explains, Confidence::Likely)));
    assert_eq!(closed_on(true, 2, false), Some((Weight::Explains, Confidence::Likely)), "nor was its request answered");
    assert_eq!(closed_on(true, 2, true), None, "a refusal inside the tunnel is the application's");
    assert_eq!(closed(2, true), None, "it served the client");
    assert_eq!(closed(5_000, false), None, "nobody had anything to say");
}
