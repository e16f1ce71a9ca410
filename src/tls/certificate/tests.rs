use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::*;

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().as_ref().to_vec()
}

fn load(pem: &str) -> Certificate {
    let certificate = Certificate::parse(&der(pem));
    assert_eq!(certificate.malformed, None);
    certificate
}

const RICH: &str = include_str!("../../../fixtures/certificates/rich.pem");
const RSA512: &str = include_str!("../../../fixtures/certificates/rsa512.pem");
const SECP256K1: &str = include_str!("../../../fixtures/certificates/secp256k1.pem");
const BRAINPOOL: &str = include_str!("../../../fixtures/certificates/brainpool.pem");
const ED448: &str = include_str!("../../../fixtures/certificates/ed448.pem");
const RSAPSS: &str = include_str!("../../../fixtures/certificates/rsapss.pem");
const DSA: &str = include_str!("../../../fixtures/certificates/dsa.pem");
const V1_MD5: &str = include_str!("../../../fixtures/certificates/v1-md5.pem");

fn signed_by(certificate: &Certificate, issuer: &Certificate) -> Option<bool> {
    certificate.claim(issuer)?.verify()
}

#[test]
fn every_extension_an_operator_asks_about_is_read() {
    let rich = load(RICH);
    assert_eq!(rich.subject, "CN=www.example.test, CN=b+OU=A, O=Example, C=DE");
    assert_eq!(rich.common_name.as_deref(), Some("www.example.test"));
    assert_eq!(rich.serial, "ff01", "a negative serial number stays as encoded");
    assert_eq!(rich.dns_names, ["www.example.test", "*.example.test"]);
    assert_eq!(rich.ip_addresses, ["192.0.2.7".parse::<IpAddr>().unwrap(), "2001:db8::7".parse().unwrap()]);
    assert_eq!(rich.other_names, ["email:a@example.test", "URI:https://example.test/"]);
    assert_eq!(rich.basic_constraints, Some((true, Some(1))));
    assert_eq!(rich.key_usage, Some(1 | 1 << 5));
    assert_eq!(rich.extended_key_usage, Some(ExtendedKeyUsage { any: false, server_auth: true, client_auth: false, others: 1 }));
    assert_eq!(rich.ca_issuers, ["http://ca.example.test/i.crt"]);
    assert_eq!(rich.ocsp_urls, ["http://ocsp.example.test/"]);
    assert!(rich.must_staple);
    assert_eq!(
        rich.name_constraints,
        Some(NameConstraints {
            permitted_dns: vec!["example.test".into()],
            excluded_dns: vec!["bad.example.test".into()],
            has_others: true
        })
    );
    assert_eq!(rich.unknown_critical, ["1.2.3.4.5"]);
    assert_eq!((rich.version, rich.key_name().as_str(), rich.signature.as_str()), (3, "EC-P-384", "ECDSA-SHA384"));
    assert_eq!(signed_by(&rich, &rich), Some(true));
    assert!(rich.self_issued);
    assert_eq!((rich.not_before.seconds(), rich.not_after.seconds()), (1_795_219_339, 2_110_579_339));
}

#[test]
fn odd_and_weak_keys_parse() {
    for (pem, key, signature, hash, weak) in [
        (RSA512, "RSA-512", "RSA-SHA256", SignatureHash::Sha256, true),
        (SECP256K1, "EC-secp256k1", "ECDSA-SHA256", SignatureHash::Sha256, false),
        (BRAINPOOL, "EC-brainpoolP256r1", "ECDSA-SHA256", SignatureHash::Sha256, false),
        (ED448, "Ed448", "ED448", SignatureHash::Intrinsic, false),
        (RSAPSS, "RSA-PSS-2048", "RSA-PSS-SHA256", SignatureHash::Sha256, false),
        (DSA, "DSA-1024", "DSA-SHA256", SignatureHash::Sha256, true),
        (V1_MD5, "RSA-1024", "RSA-MD5", SignatureHash::Md5, true),
    ] {
        let certificate = load(pem);
        assert_eq!(
            (certificate.key_name().as_str(), certificate.signature.as_str(), certificate.signature_hash, certificate.has_weak_key()),
            (key, signature, hash, weak)
        );
        assert_ne!(signed_by(&certificate, &certificate), Some(false), "{key}: what cannot be verified is not held against it");
    }
    assert_eq!(load(V1_MD5).version, 1);
    assert_eq!(load(RSA512).subject, "CN=small.example.test, O=Example\\, Inc., C=DE");
    assert_eq!(signed_by(&load(RSA512), &load(RSA512)), None, "the verifier refuses a key of this size");
    assert_eq!(signed_by(&load(RSAPSS), &load(RSAPSS)), None, "the salt is longer than the verifier takes");
}

#[test]
fn names_are_covered_by_san_only() {
    let rich = load(RICH);
    assert!(rich.covers("www.example.test") && rich.covers("OTHER.example.test."));
    assert!(!rich.covers("example.test") && !rich.covers("a.b.example.test"));
    assert!(rich.covers("192.0.2.7") && rich.covers("[2001:db8:0::7]"));
    assert!(!rich.covers("192.0.2.8"));
    let bare = load(ED448);
    assert!(!bare.covers("ed448.example.test"));
    assert!(bare.common_name_matches("ed448.example.test"));
}

#[test]
fn what_does_not_parse_says_so() {
    let whole = der(RICH);
    for broken in [&whole[..0], &whole[..40], &whole[..whole.len() - 1], b"hello"] {
        let certificate = Certificate::parse(broken);
        assert!(certificate.malformed.is_some());
        assert_eq!(&*certificate.der, broken);
        assert!(!certificate.covers("www.example.test") && !certificate.self_issued);
    }
    let mut longer = whole;
    longer.push(0);
    assert!(Certificate::parse(&longer).malformed.unwrap().contains("1 stray byte"));
}

#[test]
fn a_changed_signature_is_no_signature() {
    let mut bytes = der(RICH);
    *bytes.last_mut().unwrap() ^= 1;
    let certificate = Certificate::parse(&bytes);
    assert_ne!(signed_by(&certificate, &certificate), Some(true));
    let (rich, other) = (load(RICH), load(SECP256K1));
    assert_eq!(signed_by(&rich, &rich), Some(true));
    assert_eq!(signed_by(&rich, &load(RSA512)), Some(false), "an RSA key makes no ECDSA signature");
    assert_eq!(signed_by(&other, &other), None, "secp256k1 is not supported by the verifier");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let certificate = Certificate::parse(&bytes);
        let _ = (certificate.key_name(), signed_by(&certificate, &certificate), certificate.display_name());
    }

    #[test]
    fn damaged_certificates_never_panic(which in 0_usize..8, places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = der([RICH, RSA512, SECP256K1, BRAINPOOL, ED448, RSAPSS, DSA, V1_MD5][which]);
        for (place, value) in places {
            *place.get_mut(&mut bytes) = value;
        }
        let certificate = Certificate::parse(&bytes);
        let _ = (certificate.key_name(), signed_by(&certificate, &certificate), certificate.covers("www.example.test"));
    }

    #[test]
    fn arbitrary_names_never_panic(name in ".{0,40}") {
        let rich = load(RICH);
        let _ = (rich.covers(&name), rich.common_name_matches(&name));
    }
}
