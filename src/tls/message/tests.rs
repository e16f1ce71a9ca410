use super::*;
use crate::tls::client_hello::tests::hex;
use proptest::prelude::*;

#[test]
fn reads_ecdhe() {
    let body = hex("03 001d 04 01020304 0804 0003 aabbcc");
    let message = ServerKeyExchange::parse(&body, KeyExchange::EcdheRsa, ProtocolVersion::TLS12).unwrap();
    assert_eq!(message.group, Some(NamedGroup::X25519));
    assert_eq!(message.signature_scheme, Some(SignatureScheme::RSA_PSS_RSAE_SHA256));
    assert_eq!((&*message.params, &*message.signature), (&body[..8], &[0xaa, 0xbb, 0xcc][..]));
    assert_eq!(ServerKeyExchange::parse(&body[..11], KeyExchange::EcdheRsa, ProtocolVersion::TLS12), None);
}

#[test]
fn before_tls_12_the_signature_has_no_algorithm() {
    let message = ServerKeyExchange::parse(&hex("03 0017 01 04 0002 aabb"), KeyExchange::EcdheEcdsa, ProtocolVersion::TLS11).unwrap();
    assert_eq!((message.signature_scheme, &*message.signature), (None, &[0xaa, 0xbb][..]));
}

#[test]
fn counts_the_bits_of_a_prime() {
    let mut body = hex("0041 00");
    body.extend([0xff; 64]);
    body.extend(hex("0001 02 0001 05 0401 0001 00"));
    let message = ServerKeyExchange::parse(&body, KeyExchange::DheRsa, ProtocolVersion::TLS12).unwrap();
    assert_eq!((message.dh_bits, message.params.len()), (Some(512), 2 + 65 + 3 + 3));
    assert_eq!(bits(&[0, 0x01, 0xff]), 9);
    assert_eq!(bits(&[0, 0]), 0);
}

#[test]
fn reads_a_psk_hint() {
    let message = ServerKeyExchange::parse(&hex("0003 616263"), KeyExchange::Psk, ProtocolVersion::TLS12).unwrap();
    assert_eq!((message.psk_hint, message.signature.len()), (Some(3), 0));
    assert_eq!(ServerKeyExchange::parse(&[], KeyExchange::Rsa, ProtocolVersion::TLS12), None);
}

#[test]
fn reads_a_certificate_request_with_authorities() {
    // CN=ca
    let name = "300d 310b 3009 0603550403 0c02 6361";
    let body = hex(&format!("02 01 40 0004 0403 0804 0011 000f {name}"));
    let message = CertificateRequest::parse(&body, ProtocolVersion::TLS12).unwrap();
    assert_eq!(message.certificate_types, [1, 64]);
    assert_eq!(message.signature_algorithms, [SignatureScheme::ECDSA_SECP256R1_SHA256, SignatureScheme::RSA_PSS_RSAE_SHA256]);
    assert_eq!((message.authorities, message.authorities_total), (vec!["CN=ca".to_owned()], 1));
    let body = hex(&format!("00 001f 000d 0004 0002 0403 002f 0013 0011 000f {name}"));
    let message = CertificateRequest::parse(&body, ProtocolVersion::TLS13).unwrap();
    assert_eq!((message.signature_algorithms.len(), message.authorities), (1, vec!["CN=ca".to_owned()]));
}

#[test]
fn an_alert_is_exactly_two_bytes() {
    let alert = Alert::parse(&[2, 48]).unwrap();
    assert!(alert.fatal && alert.description == AlertDescription::UNKNOWN_CA);
    let warning = Alert::parse(&[1, 112]).unwrap();
    assert!(!warning.fatal && warning.in_tls13().fatal);
    assert!(!Alert::parse(&[2, 0]).unwrap().in_tls13().fatal);
    assert_eq!(Alert::parse(&[0; 26]), None);
}

#[test]
fn lists_certificates_of_both_layouts() {
    let list: Vec<_> = certificate_list(&[0, 0, 9, 0, 0, 2, 1, 2, 0, 0, 1, 3]).map(<[u8]>::to_vec).collect();
    assert_eq!(list, [vec![1, 2], vec![3]]);
    assert_eq!(certificate_list(&[0, 0, 0]).count(), 0);
    let body = [1, 7, 0, 0, 12, 0, 0, 2, 1, 2, 0, 5, 0, 5, 0, 1, 9];
    let list: Vec<_> = certificate_list_13(&body).collect();
    assert_eq!(list, [(&[1, 2][..], &[0, 5, 0, 1, 9][..])]);
    assert_eq!(entry_extensions(list[0].1).collect::<Vec<_>>(), [(ExtensionType::STATUS_REQUEST, &[9][..])]);
}

#[test]
fn reads_tickets_and_encrypted_extensions() {
    let ticket = |kept| Some(SessionTicket { lifetime_hint: 7200, len: 2, kept });
    assert_eq!(SessionTicket::parse(&hex("00001c20 0002 aabb"), false), ticket(None));
    assert_eq!(SessionTicket::parse(&hex("00001c20 0002 aabb"), true), ticket(Some(Box::new([0xaa, 0xbb]))));
    let body = hex("000d 0010 0005 0003 02 6832 002a 0000");
    let message = EncryptedExtensions::parse(&body).unwrap();
    assert_eq!(message.alpn(), Some(&b"h2"[..]));
    assert!(message.accepts_early_data());
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..120), suite: u16, version in 0x0300u16..0x0306) {
        let (exchange, version) = (crate::tls::registry::CipherSuite(suite).key_exchange(), ProtocolVersion(version));
        let _ = ServerKeyExchange::parse(&bytes, exchange, version);
        let _ = CertificateRequest::parse(&bytes, version);
        let _ = (certificate_list(&bytes).count(), certificate_list_13(&bytes).count(), SessionTicket::parse(&bytes, true));
        let _ = EncryptedExtensions::parse(&bytes).map(|message| (message.alpn().is_some(), message.extensions().count()));
    }
}
