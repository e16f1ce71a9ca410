//! Tests of the family client-auth, for what no capture shows.

use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};

use super::*;
use crate::diagnosis::chain::{Purpose, TrustStore, judge};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::rule::{Case, Confidence, Finding, Policy};
use crate::diagnosis::rules::parameters::scene::Scene;
use crate::flow::Side;
use crate::handshake::facts::{Chain, Seen};
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// What the rule says when the client sends a certificate for this usage and the server answers with this alert.
fn refused(rule: &Rule, usage: ExtendedKeyUsagePurpose, alert: u8) -> Option<Finding> {
    let mut params = CertificateParams::new(vec!["client.lab.test".to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let certificates = vec![Arc::new(Certificate::parse(made.der()))];

    let mut scene = Scene::broad().answered(0x0303, 0xc02b, &[]);
    let mark = scene.next();
    let what = Chain { certificates: certificates.clone(), message_len: 600, dropped: 0 };
    scene.handshake.client_chain = Some(Seen { what, mark, first: mark, span: (300, 900) });
    let scene = scene.alert(Side::Server, 2, alert);
    let chain = judge(&certificates, None, Timestamp::from_parts(1_795_251_860, 0), Purpose::Client, &TrustStore::none());
    let case = Case {
        handshake: &scene.handshake,
        chain: None,
        client_chain: Some(&chain),
        knowledge: &Knowledge::default(),
        policy: &Policy::default(),
    };
    (rule.check)(&case)
}

#[test]
fn a_servers_certificate_does_not_authenticate_a_client() {
    let finding = refused(&wrong_usage::RULE, ExtendedKeyUsagePurpose::ServerAuth, 43).expect("serverAuth alone");
    assert_eq!(finding.confidence, Confidence::Certain);
    assert!(refused(&wrong_usage::RULE, ExtendedKeyUsagePurpose::ServerAuth, 42).is_some(), "some say bad_certificate");
    assert!(refused(&wrong_usage::RULE, ExtendedKeyUsagePurpose::ClientAuth, 43).is_none(), "its usage is right");
}
