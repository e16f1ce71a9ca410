//! The keys of QUIC against those of rustls: what its endpoints seal, the secrets that they log have to open.

use std::fmt;
use std::sync::{Arc, Mutex};

use handshark::flow::Side;
use handshark::quic::header::{Packet, packets};
use handshark::quic::protection::{Connection, InitialKeys, KeyProvider, Level, OneRttKeys, Suite};
use handshark::quic::version::Version;
use handshark::secrets::{KeyLog, KeyRing};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::quic::{self, KeyChange, Keys};
use rustls::{RootCertStore, SupportedCipherSuite, version};

const SUITES: [(SupportedCipherSuite, Suite); 3] = [
    (cipher_suite::TLS13_AES_128_GCM_SHA256, Suite::Aes128Gcm),
    (cipher_suite::TLS13_AES_256_GCM_SHA384, Suite::Aes256Gcm),
    (cipher_suite::TLS13_CHACHA20_POLY1305_SHA256, Suite::ChaCha20Poly1305),
];
const VERSIONS: [(quic::Version, Version); 2] = [(quic::Version::V1, Version::V1), (quic::Version::V2, Version::V2)];

/// Writes key log lines as programs do.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

impl rustls::KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        self.0.lock().unwrap().push(format!("{label} {} {}", hex(client_random), hex(secret)));
    }
}

/// Both endpoints after a whole handshake: the client's keys and the server's of each level, and the secrets of later ones.
struct Shaken {
    handshake: [Keys; 2],
    one_rtt: [Keys; 2],
    next: [quic::Secrets; 2],
    lines: Vec<String>,
}

fn shake(suite: SupportedCipherSuite, version: quic::Version) -> Shaken {
    let provider = Arc::new(CryptoProvider { cipher_suites: vec![suite], ..default_provider() });
    let own = rcgen::generate_simple_self_signed(vec!["quic.test".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let lines = Arc::new(Lines::default());
    let mut client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.key_log = Arc::clone(&lines) as Arc<dyn rustls::KeyLog>;
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into()))
        .unwrap();
    let name = ServerName::try_from("quic.test").unwrap();
    let mut ends = [
        quic::Connection::Client(quic::ClientConnection::new(Arc::new(client), version, name, Vec::new()).unwrap()),
        quic::Connection::Server(quic::ServerConnection::new(Arc::new(server), version, Vec::new()).unwrap()),
    ];
    let (mut handshake, mut one_rtt, mut next) = ([None, None], [None, None], [None, None]);
    for turn in 0..12 {
        let mut flight = Vec::new();
        let change = ends[turn % 2].write_hs(&mut flight);
        match change {
            Some(KeyChange::Handshake { keys }) => handshake[turn % 2] = Some(keys),
            Some(KeyChange::OneRtt { keys, next: later }) => (one_rtt[turn % 2], next[turn % 2]) = (Some(keys), Some(later)),
            None => {}
        }
        ends[(turn + 1) % 2].read_hs(&flight).unwrap();
        // A flight that ends with a change of keys may be followed by one under the new keys.
        let mut more = Vec::new();
        match ends[turn % 2].write_hs(&mut more) {
            Some(KeyChange::Handshake { keys }) => handshake[turn % 2] = Some(keys),
            Some(KeyChange::OneRtt { keys, next: later }) => (one_rtt[turn % 2], next[turn % 2]) = (Some(keys), Some(later)),
            None => {}
        }
        ends[(turn + 1) % 2].read_hs(&more).unwrap();
    }
    let lines = lines.0.lock().unwrap().clone();
    Shaken { handshake: handshake.map(Option::unwrap), one_rtt: one_rtt.map(Option::unwrap), next: next.map(Option::unwrap), lines }
}

/// A packet as rustls protects it.
fn seal(packet: &dyn quic::PacketKey, header_key: &dyn quic::HeaderProtectionKey, header: &[u8], number: u64, payload: &[u8]) -> Vec<u8> {
    let number_len = usize::from(header[0] & 3) + 1;
    let mut body = payload.to_vec();
    let tag = packet.encrypt_in_place(number, header, &mut body).unwrap();
    let mut bytes = [header, &body, tag.as_ref()].concat();
    let at = header.len() - number_len;
    let sample = bytes[at + 4..at + 4 + header_key.sample_len()].to_vec();
    let (first, rest) = bytes.split_at_mut(1);
    header_key.encrypt_in_place(&sample, &mut first[0], &mut rest[at - 1..at - 1 + number_len]).unwrap();
    bytes
}

#[test]
fn the_secrets_that_rustls_logs_open_what_it_seals() {
    for (suite, ours) in SUITES {
        for (version, named) in VERSIONS {
            let Shaken { handshake, one_rtt, mut next, lines } = shake(suite, version);
            let random = data_encoding::HEXLOWER.decode(lines[0].split(' ').nth(1).unwrap().as_bytes()).unwrap();
            let mut log = KeyLog::default();
            for line in &lines {
                log.add_line(line.as_bytes());
            }
            let ring = KeyRing::default();
            ring.extend(&log);
            let connection = Connection { client_random: &random, suite: ours, version: named };
            for (side, index) in [(Side::Client, 0), (Side::Server, 1)] {
                let mut buffer = Vec::new();
                let long = [&[0xe1][..], &named.0.to_be_bytes(), &[2, 7, 7, 1, 9, 0x40, 60, 0x12, 0x34]].concat();
                let keys = &handshake[index].local;
                let bytes = seal(keys.packet.as_ref(), keys.header.as_ref(), &long, 0x1234, &[3; 40]);
                let opener = ring.packet_keys(connection, Level::Handshake, side).unwrap();
                let opened = opener.open_long(&bytes, long.len() - 2, 0x1200, &mut buffer).unwrap();
                assert_eq!((opened.number, opened.payload), (0x1234, &[3; 40][..]), "{ours:?} {named} {side:?}");

                let keys = &one_rtt[index].local;
                let mut opener = OneRttKeys::new(ring.packet_keys(connection, Level::OneRtt, side).unwrap());
                let bytes = seal(keys.packet.as_ref(), keys.header.as_ref(), &[0x40, 8, 8, 8, 5], 5, &[4; 30]);
                assert_eq!(opener.open(&bytes, 3, 0, &mut buffer).unwrap().payload, [4; 30], "{ours:?} {named} {side:?}");
                // Two key updates: the phase bit, and keys from the secret after the one before.
                for (first, number) in [(0x44, 6), (0x40, 7)] {
                    let updated = next[index].next_packet_keys().local;
                    let bytes = seal(updated.as_ref(), keys.header.as_ref(), &[first, 8, 8, 8, number], number.into(), &[number; 30]);
                    let opened = opener.open(&bytes, 3, number.into(), &mut buffer).unwrap();
                    assert_eq!(opened.payload, [number; 30], "{ours:?} {named} {side:?} update {number}");
                }
            }
        }
    }
}

#[test]
fn initial_keys_are_those_of_rustls() {
    for (version, named) in VERSIONS {
        for dcid in [&[1, 2, 3, 4, 5, 6, 7, 8][..], &[0xff; 20], &[]] {
            let suite = cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().unwrap().quic_suite().unwrap();
            let theirs = suite.keys(dcid, rustls::Side::Client, version);
            let ours = InitialKeys::new(named, dcid).unwrap();
            for (side, keys) in [(Side::Client, &theirs.local), (Side::Server, &theirs.remote)] {
                let first = if named == Version::V2 { 0xd0 } else { 0xc0 };
                let header = [&[first][..], &named.0.to_be_bytes(), &[0, 0, 0, 0x40, 57, 9]].concat();
                let bytes = seal(keys.packet.as_ref(), keys.header.as_ref(), &header, 9, &[6; 40]);
                let Some(Packet::Long(long)) = packets(&bytes).next() else { panic!("no packet") };
                let mut buffer = Vec::new();
                assert_eq!(ours.of(side).open(&long, 0, &mut buffer).unwrap().payload, [6; 40], "{named} {side:?}");
            }
        }
    }
}
