//! Tests of the family client-auth, for what no capture shows.

use rcgen::ExtendedKeyUsagePurpose;

use super::*;
use crate::diagnosis::chain::{Purpose, TrustStore, judge};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::policy::Policy;
use crate::diagnosis::testing::{Scene, certificate, found_of};
use crate::flow::Side;
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
