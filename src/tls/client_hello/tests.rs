use super::*;
use proptest::prelude::*;

/// RFC 8448 section 3, without the handshake header.
pub(crate) const RFC8448_CLIENT_HELLO: &str = "
    0303 cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7 00 0006 1301 1303 1302 0100 0091
    0000 000b 0009 00 0006 736572766572 ff01 0001 00 000a 0014 0012 001d 0017 0018 0019 0100 0101 0102 0103 0104 0023 0000
    0033 0026 0024 001d 0020 99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c
    002b 0003 02 0304
    000d 0020 001e 0403 0503 0603 0203 0804 0805 0806 0401 0501 0601 0201 0402 0502 0602 0202
    002d 0002 01 01 001c 0002 4001";

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    data_encoding::HEXLOWER.decode(&digits).unwrap()
}

/// A hello of TLS 1.2 with these suites and extensions.
pub(crate) fn build(version: u16, suites: &[u16], list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = version.to_be_bytes().to_vec();
    bytes.extend([0x11; 32]);
    bytes.push(0);
    bytes.extend((suites.len() as u16 * 2).to_be_bytes());
    bytes.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    bytes.extend([1, 0]);
    let mut extensions = Vec::new();
    for (kind, body) in list {
        extensions.extend(kind.to_be_bytes());
        extensions.extend((body.len() as u16).to_be_bytes());
        extensions.extend(*body);
    }
    bytes.extend((extensions.len() as u16).to_be_bytes());
    bytes.extend(extensions);
    bytes
}

/// Types and bodies.
type Extensions<'a> = [(u16, &'a [u8])];

fn rules(bytes: &[u8]) -> Vec<(&'static str, &'static str)> {
    ClientHello::parse(bytes).unwrap().defects().into_iter().map(|defect| (defect.field, defect.rule)).collect()
}

#[test]
fn reads_the_client_hello_of_rfc_8448() {
    let bytes = hex(RFC8448_CLIENT_HELLO);
    assert_eq!(bytes.len(), 192);
    let hello = ClientHello::parse(&bytes).unwrap();
    assert_eq!(hello.legacy_version(), ProtocolVersion::TLS12);
    assert_eq!(hello.random()[..4], [0xcb, 0x34, 0xec, 0xb1]);
    assert_eq!(hello.cipher_suites().map(|suite| suite.0).collect::<Vec<_>>(), [0x1301, 0x1303, 0x1302]);
    assert_eq!(hello.compression_methods(), [0]);
    assert_eq!(hello.server_name(), Some(&b"server"[..]));
    assert_eq!(hello.supported_versions().collect::<Vec<_>>(), [ProtocolVersion::TLS13]);
    assert!(hello.offers(ProtocolVersion::TLS13) && !hello.offers(ProtocolVersion::TLS12));
    assert_eq!((hello.highest_version(), hello.lowest_version()), (ProtocolVersion::TLS13, Some(ProtocolVersion::TLS13)));
    assert_eq!(hello.supported_groups().count(), 9);
    assert_eq!(hello.key_shares().collect::<Vec<_>>(), [(NamedGroup::X25519, 32)]);
    assert_eq!(hello.signature_algorithms().next(), Some(SignatureScheme::ECDSA_SECP256R1_SHA256));
    assert_eq!(hello.signature_algorithms().count(), 15);
    assert_eq!(hello.psk_key_exchange_modes(), [1]);
    assert_eq!((hello.psk_identities(), hello.record_size_limit()), (0, Some(0x4001)));
    assert!(hello.secure_renegotiation() && !hello.extended_master_secret());
    assert_eq!(hello.session_ticket_len(), None);
    assert_eq!(rules(&bytes), []);
}

#[test]
fn a_legacy_hello_offers_all_below() {
    let hello = ClientHello::parse(&build(0x0302, &[0x002f], &[])).unwrap();
    let offered = |version: u16| hello.offers(ProtocolVersion(version));
    assert!(offered(0x0300) && offered(0x0301) && offered(0x0302));
    assert!(!offered(0x0303) && !offered(0x0304) && !offered(0xfefd));
    assert_eq!(hello.lowest_version(), None);
}

#[test]
fn reads_a_hello_without_extensions() {
    let whole = build(0x0301, &[0x0005, 0x00ff], &[]);
    let hello = ClientHello::parse(&whole[..whole.len() - 2]).unwrap();
    assert_eq!(hello.extensions().count(), 0);
    assert!(hello.secure_renegotiation());
    assert_eq!(hello.defects(), []);
}

#[test]
fn grease_is_no_version_and_no_fault() {
    let list: &[(u16, &[u8])] = &[
        (0x1a1a, &[]),
        (0x000a, &[0, 6, 0x2a, 0x2a, 0x00, 0x1d, 0x00, 0x17]),
        (0x000d, &[0, 4, 0x04, 0x03, 0x08, 0x04]),
        (0x0033, &[&[0, 41, 0x2a, 0x2a, 0, 1, 0, 0x00, 0x1d, 0, 32][..], &[9; 32]].concat()),
        (0x002b, &[6, 0x8a, 0x8a, 0x03, 0x04, 0x03, 0x03]),
        (0x3a3a, &[0]),
    ];
    let bytes = build(0x0303, &[0x4a4a, 0x1301, 0xc02f], list);
    let hello = ClientHello::parse(&bytes).unwrap();
    assert_eq!(hello.highest_version(), ProtocolVersion::TLS13);
    assert_eq!(hello.lowest_version(), Some(ProtocolVersion::TLS12));
    assert_eq!(rules(&bytes), []);
}

#[test]
fn reads_an_sslv2_hello() {
    let bytes = hex("01 0301 0009 0000 0010 0700c0 000005 00002f 00112233445566778899aabbccddeeff");
    let hello = ClientHello::parse_sslv2(&bytes).unwrap();
    assert!(hello.is_sslv2());
    assert_eq!(hello.legacy_version(), ProtocolVersion::TLS10);
    assert_eq!(hello.cipher_suites().map(|suite| suite.0).collect::<Vec<_>>(), [0x0005, 0x002f]);
    assert_eq!(hello.sslv2_ciphers().collect::<Vec<_>>(), [0x0007_00c0]);
    assert_eq!(hello.random().len(), 16);
    assert!(hello.offers(ProtocolVersion::TLS10) && !hello.offers(ProtocolVersion::TLS11));
    assert_eq!(hello.defects(), []);
    let v2 = ClientHello::parse_sslv2(&hex("01 0002 0003 0000 0010 010080 00112233445566778899aabbccddeeff")).unwrap();
    assert!(v2.offers(ProtocolVersion::SSL2) && !v2.offers(ProtocolVersion::SSL3));
}

#[test]
fn reads_a_dtls_hello_with_cookie() {
    let mut bytes = build(0xfefd, &[0xc02b], &[]);
    bytes.splice(35..35, [3, 7, 7, 7]);
    let hello = ClientHello::parse_dtls(&bytes).unwrap();
    assert_eq!(hello.dtls_cookie(), [7, 7, 7]);
    assert_eq!(hello.cipher_suites().map(|suite| suite.0).collect::<Vec<_>>(), [0xc02b]);
    assert!(hello.offers(ProtocolVersion::DTLS12) && hello.offers(ProtocolVersion::DTLS10) && !hello.offers(ProtocolVersion::TLS12));
    assert_eq!(hello.defects(), []);
}

#[test]
fn names_what_a_strict_server_rejects() {
    let groups: (u16, &[u8]) = (0x000a, &[0, 2, 0, 0x1d]);
    let share: &[u8] = &[&[0, 36, 0, 0x1d, 0, 32][..], &[1; 32]].concat();
    let versions: (u16, &[u8]) = (0x002b, &[2, 3, 4]);
    let schemes: (u16, &[u8]) = (0x000d, &[0, 2, 8, 4]);
    let cases: &[(&Extensions<'_>, &str)] = &[
        (&[versions, schemes, (0x0033, share)], "supported_groups"),
        (&[versions, schemes, groups], "key_share"),
        (&[versions, groups, (0x0033, share)], "signature_algorithms"),
        (&[schemes, schemes], "signature_algorithms"),
        (&[(0x000d, &[0, 3, 8, 4, 8])], "signature_algorithms"),
        (&[(0x0000, &[0, 0])], "server_name"),
        (&[(0x0000, &[0, 12, 0, 0, 9, b'1', b'2', b'7', b'.', b'0', b'.', b'0', b'.', b'1'])], "server_name"),
        (&[(0x0000, &[0, 10, 0, 0, 7, b'f', b'e', b'8', b'0', b':', b':', b'a'])], "server_name"),
        (&[(0x0000, &[0, 6, 0, 0, 3, b'a', b'/', b'b'])], "server_name"),
        (&[(0xff01, &[0]), (0x0017, &[]), (0x1a1a, &[]), (0xff01, &[0])], "renegotiation_info"),
        (&[(0xff01, &[0]), (0x0017, &[]), (0x0017, &[]), (0xff01, &[0])], "extended_master_secret"),
        (&[(0x0010, &[0, 1, 0])], "application_layer_protocol_negotiation"),
        (&[(0x000b, &[1, 1])], "ec_point_formats"),
        (&[(0x0029, &[0, 7, 0, 1, 9, 0, 0, 0, 0, 0, 3, 2, 1, 1]), (0x002d, &[1, 1]), (0x0017, &[])], "pre_shared_key"),
        (&[(0x002a, &[])], "early_data"),
    ];
    for (list, field) in cases {
        let fields: Vec<_> = rules(&build(0x0303, &[0x1301], list)).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, [*field], "{list:x?}");
    }
    assert_eq!(rules(&build(0x0303, &[], &[])), [("cipher_suites", "empty (RFC 8446 section 4.1.2)")]);
    let mut long = build(0x0303, &[0x1301], &[(0x0017, &[])]);
    let at = long.len() - 5;
    long[at] = 9;
    assert_eq!(rules(&long)[0].0, "extensions");
    long.extend([0; 5]);
    assert_eq!(rules(&long)[0].0, "extensions");
}

#[test]
fn finds_the_first_extension_of_a_type() {
    let list: &Extensions<'_> =
        &[(0x1a1a, &[]), (0x0017, &[1]), (0xff01, &[2]), (0x003f, &[3]), (0x0040, &[4]), (0x0017, &[5]), (0xff01, &[6])];
    let hello = ClientHello::parse(&build(0x0303, &[0x1301], list)).unwrap();
    let body = |kind: u16| hello.extension(ExtensionType(kind)).map(<[u8]>::to_vec);
    assert_eq!([body(0x0017), body(0xff01), body(0x003f), body(0x0040)], [1, 2, 3, 4].map(|byte| Some(vec![byte])));
    assert_eq!([body(0x1a1a), body(0x0000), body(0xfe0d)], [Some(vec![]), None, None]);
}

#[test]
fn reads_ech() {
    let hello = ClientHello::parse(&build(0x0303, &[0x1301], &[(0xfe0d, &hex("00 0001 0003 2a 0002 aabb 0004 01020304"))])).unwrap();
    assert_eq!(hello.ech(), Some(Ech { kdf: 1, aead: 3, config_id: 0x2a, payload_len: 4 }));
}

fn exercise(hello: &ClientHello) {
    let _ = (hello.cipher_suites().count(), hello.sslv2_ciphers().count(), hello.server_name(), hello.highest_version());
    let _ = (hello.lowest_version(), hello.supported_groups().count(), hello.key_shares().count(), hello.alpn().count());
    let _ = (hello.psk_identities(), hello.psk_is_external(), hello.ech(), hello.compress_certificate().count(), hello.random());
    for (kind, _) in hello.extensions() {
        assert!(hello.has(kind));
        assert_eq!(hello.extension(kind), hello.extensions().find(|(found, _)| *found == kind).map(|(_, body)| body));
    }
    let _ = (hello.defects(), hello.record_size_limit(), hello.max_fragment_length(), hello.dtls_cookie());
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..200, byte: u8) {
        let mut changed = hex(RFC8448_CLIENT_HELLO);
        if let Some(slot) = changed.get_mut(at) { *slot = byte; }
        let cut = &changed[..at.min(changed.len())];
        for bytes in [&bytes[..], &changed, cut] {
            for hello in [ClientHello::parse(bytes), ClientHello::parse_dtls(bytes), ClientHello::parse_sslv2(bytes)].into_iter().flatten() {
                exercise(&hello);
            }
        }
    }
}
