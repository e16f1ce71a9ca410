//! What is claimed of made-up handshakes.

use super::*;
use crate::report::{Sighting, samples};

/// TLS 1.3 and 1.2, with and without post-quantum key exchange.
fn modern(client: &str, server: &str) -> Sighting {
    let mut seen = Sighting::of(&samples::completed());
    (seen.client, seen.server) = (samples::endpoint(client), samples::endpoint(server));
    seen.name = None;
    seen.version = Some(ProtocolVersion::TLS13);
    seen.cipher = Some(CipherSuite(0x1301));
    seen.group = Some(NamedGroup::X25519MLKEM768);
    seen.offered = Some(Offered {
        newest: Some(ProtocolVersion::TLS13),
        versions: vec![ProtocolVersion::TLS13, ProtocolVersion::TLS12],
        ciphers: [0x1301, 0xc02f, 0x002f].map(CipherSuite).to_vec(),
        groups: vec![NamedGroup::X25519MLKEM768, NamedGroup::X25519],
        signature_algorithms: vec![SignatureScheme::RSA_PSS_RSAE_SHA256, SignatureScheme::RSA_PKCS1_SHA1],
    });
    seen
}

/// TLS 1.0 and RSA key exchange, in CBC mode, and nothing else.
fn ancient(client: &str, server: &str) -> Sighting {
    let mut seen = modern(client, server);
    seen.version = Some(ProtocolVersion::TLS10);
    seen.cipher = Some(CipherSuite(0x002f));
    seen.group = None;
    seen.offered =
        Some(Offered { newest: Some(ProtocolVersion::TLS10), ciphers: [0x002f, 0x0035].map(CipherSuite).to_vec(), ..Offered::default() });
    seen
}

fn stock(all: &[Sighting]) -> Stock {
    let mut inventory = Inventory::default();
    for seen in all {
        inventory.add(seen);
    }
    inventory.stock(vec!["made up".to_owned()])
}

fn need(stock: &Stock, feature: Feature) -> &Need {
    stock.needs.iter().find(|need| need.feature == feature).unwrap()
}

fn clients(need: &Need) -> Vec<(String, &str)> {
    need.clients.iter().map(|client| (client.address.to_string(), client.why)).collect()
}

fn servers(need: &Need) -> Vec<(String, &str)> {
    need.servers.iter().map(|server| (server.server.address.to_string(), server.why)).collect()
}

#[test]
fn who_offers_nothing_else_needs_it() {
    let told = stock(&[ancient("10.0.0.1:1000", "10.9.9.1:443"), modern("10.0.0.2:1000", "10.9.9.1:443")]);
    for feature in [Feature::Tls10, Feature::Tls11, Feature::Tls12, Feature::StaticKeys, Feature::Cbc, Feature::Classical] {
        assert_eq!(clients(need(&told, feature)), [("10.0.0.1".to_owned(), "offers-nothing-else")], "{feature:?}");
        assert_eq!(need(&told, feature).handshakes, 1, "{feature:?}");
        // The server was seen to do better with the other client.
        assert_eq!(servers(need(&told, feature)), [], "{feature:?}");
    }
    for feature in [Feature::FiniteFields, Feature::WeakSuites, Feature::Sha1] {
        assert_eq!((clients(need(&told, feature)), need(&told, feature).handshakes), (vec![], 0), "{feature:?}");
    }
    assert_eq!((told.handshakes, told.completed, told.failed), (2, 2, 0));
}

#[test]
fn a_server_that_passes_over_what_is_better_is_told_from_one_that_was_not_asked() {
    let mut passing = modern("10.0.0.2:1000", "10.9.9.2:443");
    (passing.version, passing.cipher, passing.group) = (Some(ProtocolVersion::TLS12), Some(CipherSuite(0x002f)), None);
    let told = stock(&[passing, ancient("10.0.0.1:1000", "10.9.9.1:443")]);
    let tls12 = need(&told, Feature::Tls12);
    assert_eq!(servers(tls12), [("10.9.9.2".to_owned(), "chose-nothing-else"), ("10.9.9.1".to_owned(), "was-offered-nothing-else")]);
    assert_eq!(clients(tls12), [("10.0.0.1".to_owned(), "offers-nothing-else"), ("10.0.0.2".to_owned(), "completed-with-nothing-else")]);
    // TLS 1.1 and older was passed over by the one, and is all that the other was asked for.
    assert_eq!(servers(need(&told, Feature::Tls11)), [("10.9.9.1".to_owned(), "was-offered-nothing-else")]);
}

#[test]
fn what_did_not_complete_is_no_need() {
    let mut failed = ancient("10.0.0.1:1000", "10.9.9.1:443");
    (failed.outcome, failed.class) = (Outcome::Alerted, Class::Failed);
    let told = stock(&[failed]);
    assert!(told.needs.iter().all(|need| need.handshakes == 0 && need.clients.is_empty() && need.servers.is_empty()));
    assert_eq!((told.completed, told.failed), (0, 1));
    assert_eq!((told.versions[0].name.as_str(), told.versions[0].chosen, told.versions[0].completed), ("TLS 1.0", 1, 0));
}

#[test]
fn another_hello_of_the_same_address_is_told_of() {
    let told =
        stock(&[ancient("10.0.0.1:1000", "10.9.9.1:443"), modern("10.0.0.1:1001", "10.9.9.1:443"), ancient("10.0.0.3:1", "10.9.9.1:443")]);
    let by_address: Vec<(String, bool)> =
        need(&told, Feature::Tls10).clients.iter().map(|client| (client.address.to_string(), client.address_offers_else)).collect();
    assert_eq!(by_address, [("10.0.0.1".to_owned(), true), ("10.0.0.3".to_owned(), false)]);
}

#[test]
fn sha1_is_needed_where_nothing_else_is_offered_and_something_is_signed() {
    let mut seen = modern("10.0.0.1:1000", "10.9.9.1:443");
    (seen.version, seen.cipher, seen.group) = (Some(ProtocolVersion::TLS12), Some(CipherSuite(0xc013)), Some(NamedGroup::SECP256R1));
    let mut offered = seen.offered.clone().unwrap();
    offered.signature_algorithms = vec![SignatureScheme::RSA_PKCS1_SHA1];
    let only = Sighting { offered: Some(offered), ..seen.clone() };
    assert_eq!(clients(need(&stock(std::slice::from_ref(&only)), Feature::Sha1)), [("10.0.0.1".to_owned(), "offers-nothing-else")]);
    assert_eq!(need(&stock(&[seen]), Feature::Sha1).handshakes, 0, "which of two was taken does not show");
    let transport = Sighting { cipher: Some(CipherSuite(0x002f)), ..only };
    assert_eq!(need(&stock(&[transport]), Feature::Sha1).handshakes, 0, "RSA key exchange is not signed");
}

#[test]
fn readiness_for_post_quantum_is_what_was_seen() {
    let passed = Sighting { group: Some(NamedGroup::X25519), ..modern("10.0.0.1:1", "10.9.9.2:443") };
    let told = stock(&[
        modern("10.0.0.1:1", "10.9.9.1:443"),
        passed.clone(),
        modern("10.0.0.1:1", "10.9.9.3:443"),
        Sighting { server: samples::endpoint("10.9.9.3:443"), ..passed },
        ancient("10.0.0.2:1", "10.9.9.4:443"),
        // A resumption with RSA's secrets: nothing was chosen.
        Sighting { resumed: true, version: Some(ProtocolVersion::TLS12), group: None, ..modern("10.0.0.1:1", "10.9.9.5:443") },
    ]);
    let ready: BTreeMap<String, Readiness> =
        told.servers.iter().map(|server| (server.server.address.to_string(), server.post_quantum)).collect();
    let expected = [
        ("10.9.9.1", Readiness::Ready),
        ("10.9.9.2", Readiness::NotReady),
        ("10.9.9.3", Readiness::Partly),
        ("10.9.9.4", Readiness::Unknown),
        ("10.9.9.5", Readiness::Unknown),
    ];
    assert_eq!(ready, expected.map(|(address, readiness)| (address.to_owned(), readiness)).into());
    assert_eq!(told.post_quantum.clients, [(ClientReadiness::Completed, 1), (ClientReadiness::DoesNotOffer, 1)].into());
    assert_eq!(told.post_quantum.completed, 2);
}

#[test]
fn what_says_nothing_is_not_counted() {
    let mut seen = modern("10.0.0.1:1", "10.9.9.1:443");
    seen.provisional = true;
    let probe = Sighting { class: Class::Probe, provisional: false, ..seen.clone() };
    let other = Sighting { protocol: Protocol::Other, provisional: false, ..seen.clone() };
    assert_eq!(stock(&[seen, probe, other]).handshakes, 0);
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    let mut inventory = Inventory::default();
    let mut seen = modern("10.0.0.1:1", "10.9.9.1:443");
    for port in 0..=u16::MAX {
        seen.server.port = port;
        inventory.add(&seen);
    }
    let told = inventory.stock(vec![]);
    assert_eq!(told.servers.len(), SERVERS);
    assert_eq!(told.left_out.handshakes_of_servers, 65_536 - SERVERS as u64);
    assert_eq!((told.handshakes, told.clients.len(), told.clients[0].handshakes), (65_536, 1, 65_536));
    assert_eq!(told.versions[0].completed, 65_536);
}
