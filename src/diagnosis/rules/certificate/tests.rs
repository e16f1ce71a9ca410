//! Tests of the family certificate, for what no capture shows.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use super::*;
use crate::diagnosis::chain::{Purpose, TrustStore, judge};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::rule::{Case, Finding, Policy};
use crate::diagnosis::rules::parameters::scene::Scene;
use crate::flow::Side;
use crate::handshake::facts::{Chain, Seen};
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// What the rule says when the server answers a client that wants `www.lab.test` with a certificate of this name, and the client refuses it.
fn refused(rule: &Rule, common_name: &str, san: &str) -> Option<Finding> {
    let mut params = CertificateParams::new(vec![san.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let certificates = vec![Arc::new(Certificate::parse(made.der()))];

    let mut scene = Scene::broad().answered(0x0303, 0xc02b, &[]);
    let mark = scene.next();
    let what = Chain { certificates: certificates.clone(), message_len: 600, dropped: 0 };
    scene.handshake.server_chain = Some(Seen { what, mark, first: mark, span: (90, 690) });
    let scene = scene.alert(Side::Client, 2, 42);
    let at = Timestamp::from_parts(1_795_251_860, 0);
    let chain = judge(&certificates, Some("www.lab.test"), at, Purpose::Server, &TrustStore::mozilla());
    let case = Case {
        handshake: &scene.handshake,
        chain: Some(&chain),
        client_chain: None,
        knowledge: &Knowledge::default(),
        policy: &Policy::default(),
    };
    (rule.check)(&case)
}

#[test]
fn a_products_default_certificate_is_told_from_another_hosts() {
    let finding = refused(&default_certificate::RULE, "TRAEFIK DEFAULT CERT", "0b1c.traefik.default").expect("Traefik's");
    assert!(finding.summary.contains("Traefik") && finding.summary.contains("www.lab.test"), "{}", finding.summary);
    assert!(refused(&default_certificate::RULE, "other.lab.test", "other.lab.test").is_none(), "another host's certificate");
    assert!(refused(&name_mismatch::RULE, "other.lab.test", "other.lab.test").is_some());
    assert!(refused(&default_certificate::RULE, "www.lab.test", "www.lab.test").is_none(), "the name is right");
}
