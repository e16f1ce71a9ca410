//! Our reading of TLS against that of tls-parser, where it is right.
//!
//! Left out is what tls-parser 0.12 is known to read otherwise: records longer than 16,640 bytes, messages over several records, versions
//! beyond 1.2 in a `ServerHello`'s `legacy_version`, extensions that it has no type for.

use handshark::tls::client_hello::ClientHello;
use handshark::tls::record::{Item, RecordReader};
use handshark::tls::registry::ExtensionType;
use handshark::tls::server_hello::ServerHello;
use proptest::collection::vec;
use proptest::prelude::*;
use tls_parser::{TlsExtension, TlsMessage, TlsMessageHandshake};

fn vec8(body: &[u8]) -> Vec<u8> {
    [&[u8::try_from(body.len()).unwrap()], body].concat()
}

fn vec16(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

fn u16s(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(body)].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &len[1..], body].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &vec16(body)].concat()
}

prop_compose! {
    fn client_hello()(
        version in 0x0300u16..=0x0303,
        random in vec(any::<u8>(), 32),
        session_id in vec(any::<u8>(), 0..=32),
        suites in vec(any::<u16>(), 1..40),
        name in "[a-z0-9.-]{1,60}",
        protocols in vec("[a-z0-9/.]{1,10}", 1..4),
        groups in vec(any::<u16>(), 1..10),
        schemes in vec(any::<u16>(), 1..10),
        versions in vec(any::<u16>(), 1..6),
        with in any::<[bool; 5]>(),
    ) -> Vec<u8> {
        let mut list = Vec::new();
        let names: Vec<u8> = protocols.iter().flat_map(|name| vec8(name.as_bytes())).collect();
        let all = [
            extension(0, &vec16(&[&[0][..], &vec16(name.as_bytes())].concat())),
            extension(10, &vec16(&u16s(&groups))),
            extension(13, &vec16(&u16s(&schemes))),
            extension(16, &vec16(&names)),
            extension(43, &vec8(&u16s(&versions))),
        ];
        for (extension, with) in all.iter().zip(with) {
            if with { list.extend(extension); }
        }
        [u16s(&[version]), random, vec8(&session_id), vec16(&u16s(&suites)), vec![1, 0], vec16(&list)].concat()
    }
}

proptest! {
    #[test]
    fn client_hellos_agree(body in client_hello()) {
        let message = message(1, &body);
        let (rest, theirs) = tls_parser::parse_tls_message_handshake(&message).unwrap();
        prop_assert!(rest.is_empty());
        let TlsMessage::Handshake(TlsMessageHandshake::ClientHello(theirs)) = theirs else { return Err(TestCaseError::fail("no hello")) };
        let ours = ClientHello::parse(&body).unwrap();
        prop_assert_eq!(ours.legacy_version().0, theirs.version.0);
        prop_assert_eq!(ours.random(), theirs.random);
        prop_assert_eq!(ours.session_id(), theirs.session_id.unwrap_or(&[]));
        prop_assert_eq!(ours.cipher_suites().map(|suite| suite.0).collect::<Vec<_>>(), theirs.ciphers.iter().map(|suite| suite.0).collect::<Vec<_>>());
        prop_assert_eq!(ours.compression_methods(), theirs.comp.iter().map(|method| method.0).collect::<Vec<_>>());
        let (rest, extensions) = tls_parser::parse_tls_client_hello_extensions(theirs.ext.unwrap_or(&[])).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(ours.extensions().count(), extensions.len());
        for extension in extensions {
            match extension {
                TlsExtension::SNI(names) => prop_assert_eq!(ours.server_name(), names.first().map(|(_, name)| *name)),
                TlsExtension::EllipticCurves(groups) => {
                    prop_assert_eq!(ours.supported_groups().map(|group| group.0).collect::<Vec<_>>(), groups.iter().map(|group| group.0).collect::<Vec<_>>());
                }
                TlsExtension::SignatureAlgorithms(schemes) => {
                    prop_assert_eq!(ours.signature_algorithms().map(|scheme| scheme.0).collect::<Vec<_>>(), schemes);
                }
                TlsExtension::ALPN(protocols) => prop_assert_eq!(ours.alpn().collect::<Vec<_>>(), protocols),
                TlsExtension::SupportedVersions(versions) => {
                    prop_assert_eq!(ours.supported_versions().map(|version| version.0).collect::<Vec<_>>(), versions.iter().map(|version| version.0).collect::<Vec<_>>());
                }
                other => return Err(TestCaseError::fail(format!("unexpected {other:?}"))),
            }
        }
    }

    #[test]
    fn server_hellos_agree(
        version in 0x0300u16..=0x0303, random in vec(any::<u8>(), 32), session_id in vec(any::<u8>(), 0..=32), suite: u16, share in vec(any::<u8>(), 0..40),
    ) {
        let list = [extension(0xff01, &[0]), extension(23, &[]), extension(51, &share)].concat();
        let body = [u16s(&[version]), random, vec8(&session_id), u16s(&[suite]), vec![0], vec16(&list)].concat();
        let message = message(2, &body);
        let (_, theirs) = tls_parser::parse_tls_message_handshake(&message).unwrap();
        let TlsMessage::Handshake(TlsMessageHandshake::ServerHello(theirs)) = theirs else { return Err(TestCaseError::fail("no hello")) };
        let ours = ServerHello::parse(&body).unwrap();
        prop_assert_eq!(ours.legacy_version().0, theirs.version.0);
        prop_assert_eq!(ours.random(), theirs.random);
        prop_assert_eq!(ours.session_id(), theirs.session_id.unwrap_or(&[]));
        prop_assert_eq!(ours.cipher_suite().0, theirs.cipher.0);
        prop_assert_eq!(ours.compression_method(), theirs.compression.0);
        prop_assert!(ours.secure_renegotiation() && ours.extended_master_secret());
        prop_assert_eq!(ours.extension(ExtensionType::KEY_SHARE), Some(&share[..]));
    }

    #[test]
    fn records_agree(bodies in vec((20u8..=23, vec(any::<u8>(), 1..400)), 1..8)) {
        let stream: Vec<u8> = bodies.iter().flat_map(|(kind, body)| record(*kind, body)).collect();
        let (mut theirs, mut ours) = (&stream[..], &stream[..]);
        let mut reader = RecordReader::new(0);
        reader.keep_encrypted(true);
        while !theirs.is_empty() {
            let (rest, expected) = tls_parser::parse_tls_raw_record(theirs).unwrap();
            theirs = rest;
            let (used, item) = reader.read(ours);
            ours = &ours[used..];
            let Some(Item::Record(got)) = item else { return Err(TestCaseError::fail("no record")) };
            prop_assert_eq!((got.content_type.0, got.version.0, got.len), (expected.hdr.record_type.0, expected.hdr.version.0, expected.hdr.len));
            prop_assert_eq!(got.body, Some(expected.data));
        }
        prop_assert!(ours.is_empty());
    }
}
