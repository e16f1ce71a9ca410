use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::*;

/// An authority or an end entity made for a test.
struct Made {
    params: CertificateParams,
    key: KeyPair,
    certificate: Arc<Certificate>,
    pem: String,
}

fn params(name: &str, sans: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(sans.iter().map(|san| (*san).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 12, 31);
    params
}

fn authority(name: &str, path_len: Option<u8>) -> CertificateParams {
    let mut params = params(name, &[]);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params.is_ca = IsCa::Ca(path_len.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn finish(params: CertificateParams, key: KeyPair, made: &rcgen::Certificate) -> Made {
    let certificate = Arc::new(Certificate::parse(made.der()));
    assert_eq!(certificate.malformed, None);
    Made { params, key, certificate, pem: made.pem() }
}

fn root(params: CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    finish(params, key, &made)
}

fn signed(params: CertificateParams, by: &Made) -> Made {
    let key = KeyPair::generate().unwrap();
    let made = params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)).unwrap();
    finish(params, key, &made)
}

fn store(anchors: &[&Made]) -> TrustStore {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("anchors.pem");
    std::fs::write(&path, anchors.iter().map(|made| made.pem.as_str()).collect::<String>()).unwrap();
    TrustStore::from_files(&[path]).unwrap()
}

/// 2026-06-15 12:00:00 UTC.
const MIDSUMMER: Timestamp = Timestamp::from_parts(1_781_524_800, 0);
/// 2027-01-10 00:00:00 UTC.
const AFTERWARDS: Timestamp = Timestamp::from_parts(1_799_539_200, 0);
/// 2025-12-31 00:00:00 UTC.
const BEFORE: Timestamp = Timestamp::from_parts(1_767_139_200, 0);

const SERVER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

struct World {
    root: Made,
    middle: Made,
    leaf: Made,
    trust: TrustStore,
}

fn world() -> World {
    let root = root(authority("Test Root", None));
    let middle = signed(authority("Test Intermediate", Some(0)), &root);
    let leaf = signed(params("www.example.test", &["www.example.test"]), &middle);
    let trust = store(&[&root]);
    World { root, middle, leaf, trust }
}

fn ask(certificates: &[&Made], at: Timestamp, trust: &TrustStore) -> ChainFacts {
    let certificates: Vec<_> = certificates.iter().map(|made| Arc::clone(&made.certificate)).collect();
    judge(&certificates, Some("www.example.test"), at, Purpose::Server, trust)
}

#[test]
fn a_good_chain_has_nothing_wrong() {
    let w = world();
    let facts = ask(&[&w.leaf, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!(facts.trust, Trust::Trusted);
    assert_eq!(facts.end, PathEnd::Anchor { name: "CN=Test Root".into() });
    assert_eq!((facts.leaf, &facts.path[..]), (0, &[0, 1][..]));
    assert_eq!(facts.covers_name, Some(true));
    assert!(facts.usage_ok && !facts.misordered && !facts.public && facts.violations.is_empty() && facts.bad_signatures.is_empty());
    // From 15 June 12:00 to 31 December 00:00 are 198 and a half days.
    assert_eq!((facts.days_left, facts.validity_days), (198, 364));
    let with_root = ask(&[&w.leaf, &w.middle, &w.root], MIDSUMMER, &w.trust);
    assert_eq!(with_root.end, PathEnd::ServedRoot { index: 2, trusted: true });
    assert_eq!(ask(&[&w.leaf, &w.middle], MIDSUMMER, &TrustStore::none()).trust, Trust::Unchecked);
}

#[test]
fn time_is_the_time_asked_about() {
    let w = world();
    let late = ask(&[&w.leaf, &w.middle], AFTERWARDS, &w.trust);
    assert!(late.leaf_expired() && late.days_left == -10, "{}", late.days_left);
    assert_eq!(late.trust, Trust::Untrusted { why: "a certificate of the chain had expired on 2026-12-31".into() });
    let early = ask(&[&w.leaf, &w.middle], BEFORE, &w.trust);
    assert!(early.leaf_not_yet_valid() && !early.leaf_expired());
}

#[test]
fn an_expired_intermediate_is_told_from_an_expired_leaf() {
    let w = world();
    let mut old = authority("Old Intermediate", None);
    old.not_after = date_time_ymd(2026, 6, 1);
    let old = signed(old, &w.root);
    let leaf = signed(params("www.example.test", &["www.example.test"]), &old);
    let facts = ask(&[&leaf, &old], MIDSUMMER, &w.trust);
    assert!(!facts.leaf_expired());
    assert_eq!(facts.expired_intermediates().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_missing_intermediate_leaves_a_gap() {
    let w = world();
    let facts = ask(&[&w.leaf], MIDSUMMER, &w.trust);
    assert_eq!(facts.end, PathEnd::MissingIssuer { issuer: "CN=Test Intermediate".into(), ca_issuers: vec![], looks_intermediate: true });
    assert_eq!(facts.trust, Trust::Untrusted { why: "no path to an anchor of the store".into() });
    // Root served, intermediate not: the root does not belong to the path.
    assert_eq!(ask(&[&w.leaf, &w.root], MIDSUMMER, &w.trust).strangers, [1]);
}

#[test]
fn order_strangers_duplicates_and_cross_signs_are_told_apart() {
    let w = world();
    let stranger = root(authority("Another Root", None));
    let facts = ask(&[&w.leaf, &stranger, &w.middle, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!((&facts.path[..], &facts.strangers[..], &facts.duplicates[..], facts.misordered), (&[0, 2][..], &[1][..], &[3][..], false));
    let swapped = ask(&[&w.leaf, &w.root, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!((&swapped.path[..], swapped.misordered), (&[0, 2, 1][..], true));
    let backwards = ask(&[&w.middle, &w.leaf], MIDSUMMER, &w.trust);
    assert_eq!((backwards.leaf, backwards.misordered, backwards.covers_name), (1, true, Some(true)));

    // The intermediate's key, certified by another root as well.
    let made = w.middle.params.clone().signed_by(&w.middle.key, &Issuer::from_params(&stranger.params, &stranger.key)).unwrap();
    let crossed = Arc::new(Certificate::parse(made.der()));
    let chain = [Arc::clone(&w.leaf.certificate), Arc::clone(&w.middle.certificate), crossed];
    let facts = judge(&chain, None, MIDSUMMER, Purpose::Server, &w.trust);
    assert_eq!((&facts.path[..], &facts.cross_signs[..]), (&[0, 1][..], &[2][..]));
    assert!(facts.strangers.is_empty() && facts.covers_name.is_none());
}

#[test]
fn an_authority_of_the_right_name_with_another_key_signs_nothing() {
    let w = world();
    let imposter = signed(authority("Test Intermediate", Some(0)), &w.root);
    let facts = ask(&[&w.leaf, &imposter], MIDSUMMER, &w.trust);
    assert_eq!(facts.bad_signatures, [(0, 1)]);
    // With both served, the one that signed is on the path.
    let both = ask(&[&w.leaf, &imposter, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!((&both.path[..], both.bad_signatures.len()), (&[0, 2][..], 0));
    // An anchor of the right name and the wrong key is no anchor.
    let other_root = root(authority("Test Root", None));
    let facts = ask(&[&w.leaf, &w.middle], MIDSUMMER, &store(&[&other_root]));
    assert!(matches!(facts.end, PathEnd::MissingIssuer { .. }));
}

#[test]
fn self_signed_certificates_stand_alone() {
    let w = world();
    let leaf = root(params("www.example.test", &["www.example.test"]));
    let facts = ask(&[&leaf], MIDSUMMER, &w.trust);
    assert_eq!(facts.end, PathEnd::SelfSignedLeaf);
    assert!(matches!(facts.trust, Trust::Untrusted { .. }));
    let facts = ask(&[&leaf], MIDSUMMER, &store(&[&leaf]));
    assert_eq!((&facts.end, &facts.trust), (&PathEnd::SelfSignedLeaf, &Trust::Trusted));
    assert!(matches!(ask(&[&leaf], AFTERWARDS, &store(&[&leaf])).trust, Trust::Untrusted { .. }));
}

#[test]
fn constraints_on_the_path_are_checked() {
    let w = world();
    // Path length 0 under which another authority stands.
    let below = signed(authority("Below", None), &w.middle);
    let leaf = signed(params("www.example.test", &["www.example.test"]), &below);
    let facts = ask(&[&leaf, &below, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!(facts.violations, [(2, "path length 0 exceeded, with 1 intermediate below it".to_owned())]);

    // An end entity that signs.
    let leaf = signed(params("www.example.test", &["www.example.test"]), &w.leaf);
    let facts = ask(&[&leaf, &w.leaf, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!(facts.violations.first().map(|(index, why)| (*index, why.starts_with("is not a CA"))), Some((1, true)));

    let mut constrained = authority("Constrained", None);
    constrained.name_constraints =
        Some(rcgen::NameConstraints { permitted_subtrees: vec![GeneralSubtree::DnsName("other.test".into())], excluded_subtrees: vec![] });
    let constrained = signed(constrained, &w.root);
    let leaf = signed(params("www.example.test", &["www.example.test"]), &constrained);
    let facts = ask(&[&leaf, &constrained], MIDSUMMER, &w.trust);
    assert_eq!(facts.violations, [(1, "name constraints do not permit www.example.test (permitted: other.test)".to_owned())]);
    assert_eq!(facts.trust, Trust::Untrusted { why: "name constraints are violated".into() });
}

#[test]
fn usage_is_judged_for_the_purpose() {
    let w = world();
    let mut client_only = params("www.example.test", &["www.example.test"]);
    client_only.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = signed(client_only, &w.middle);
    let facts = ask(&[&leaf, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!(facts.usage_fault.as_deref(), Some("extendedKeyUsage allows clientAuth but not serverAuth"));
    let chain = [Arc::clone(&leaf.certificate), Arc::clone(&w.middle.certificate)];
    let facts = judge(&chain, None, MIDSUMMER, Purpose::Client, &w.trust);
    assert!(facts.usage_ok && facts.trust == Trust::Trusted);

    let mut sign_only = params("www.example.test", &["www.example.test"]);
    sign_only.key_usages = vec![KeyUsagePurpose::CrlSign];
    let facts = ask(&[&signed(sign_only, &w.middle)], MIDSUMMER, &w.trust);
    assert_eq!(facts.usage_fault.as_deref(), Some("keyUsage (cRLSign) allows neither digitalSignature, keyEncipherment nor keyAgreement"));
}

#[test]
fn certificates_made_for_want_of_a_real_one_are_recognised() {
    let known = |name: &str, sans: &[&str]| ask(&[&root(params(name, sans))], MIDSUMMER, &TrustStore::none()).default_certificate.clone();
    assert!(known("Kubernetes Ingress Controller Fake Certificate", &["ingress.local"]).unwrap().contains("Kubernetes"));
    assert!(known("TRAEFIK DEFAULT CERT", &["abc.def.traefik.default"]).unwrap().contains("Traefik"));
    assert!(known("localhost", &[]).unwrap().contains("localhost"));
    assert!(known("debian", &["debian"]).unwrap().contains("bare host name"));
    assert_eq!(known("www.example.test", &["www.example.test"]), None);
    assert_eq!(known("Example Web Server", &["www.example.test"]), None);
}

#[test]
fn a_common_name_alone_covers_nothing_but_is_mentioned() {
    let w = world();
    let bare = signed(params("www.example.test", &[]), &w.middle);
    let facts = ask(&[&bare, &w.middle], MIDSUMMER, &w.trust);
    assert_eq!((facts.covers_name, facts.common_name_only), (Some(false), true));
}

#[test]
fn nothing_and_rubbish_are_judged_too() {
    let rubbish = Arc::new(Certificate::parse(b"rubbish"));
    for chain in [vec![], vec![Arc::clone(&rubbish)], vec![rubbish, world().leaf.certificate]] {
        let facts = judge(&chain, Some("x"), MIDSUMMER, Purpose::Server, &TrustStore::mozilla());
        assert!(matches!(facts.trust, Trust::Untrusted { .. }));
        assert_eq!((facts.path.len(), facts.covers_name), (0, None));
    }
}

#[test]
fn the_cache_answers_as_the_judge_does() {
    let w = world();
    let chain = [Arc::clone(&w.leaf.certificate), Arc::clone(&w.middle.certificate)];
    let mut cache = ChainCache::new();
    let occasion = Occasion { now: MIDSUMMER, server: SERVER };
    let mut ask = |at| cache.judge(&chain, Some("www.example.test"), at, Purpose::Server, &w.trust, occasion);
    let noon = ask(MIDSUMMER);
    let same_day = ask(Timestamp::from_parts(MIDSUMMER.seconds() + 60, 0));
    assert!(Arc::ptr_eq(&noon, &same_day));
    // The last second of validity and the one after are two questions, asked in either order.
    let end = w.leaf.certificate.not_after.seconds();
    for at in [end + 1, end, end + 2] {
        let at = Timestamp::from_parts(at, 0);
        assert_eq!(*ask(at), judge(&chain, Some("www.example.test"), at, Purpose::Server, &w.trust));
    }
    assert!(!Arc::ptr_eq(&noon, &cache.judge(&chain, Some("other.example.test"), MIDSUMMER, Purpose::Server, &w.trust, occasion)));
    assert!(cache.len() >= 4);
}

proptest::proptest! {
    #[test]
    fn damaged_chains_never_panic(places in proptest::collection::vec((0_usize..3, proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 0..4), at: i64) {
        static WORLD: std::sync::LazyLock<World> = std::sync::LazyLock::new(world);
        let mut chain = [&WORLD.leaf, &WORLD.middle, &WORLD.root].map(|made| made.certificate.der.to_vec());
        for (which, place, value) in places {
            *place.get_mut(&mut chain[which]) = value;
        }
        let chain = chain.map(|der| Arc::new(Certificate::parse(&der)));
        for purpose in [Purpose::Server, Purpose::Client] {
            let facts = judge(&chain, Some("www.example.test"), Timestamp::from_nanos(at), purpose, &WORLD.trust);
            proptest::prop_assert!(facts.path.iter().chain(&facts.strangers).all(|index| *index < chain.len()));
        }
    }
}

#[test]
fn a_chain_of_equal_names_is_given_up_and_nothing_is_held_against_it() {
    let w = world();
    let other = root(authority("Same", None));
    let mut named = params("www.example.test", &["www.example.test"]);
    named.use_authority_key_identifier_extension = true;
    let leaf = signed(named, &other);
    let same: Vec<Made> = (0..crate::limits::CHAIN_LEN).map(|_| root(authority("Same", None))).collect();
    let chain: Vec<&Made> = std::iter::once(&leaf).chain(&same).collect();
    let facts = ask(&chain, MIDSUMMER, &w.trust);
    assert_eq!(facts.certificates.len(), crate::limits::CHAIN_LEN);
    assert_eq!((facts.unverified(), &facts.path[..]), (Some(Unverified::Ambiguous), &[0][..]));
    assert!(facts.bad_signatures.is_empty() && facts.covers_name == Some(true));
    // The authority that signed it is found where its key is named, however many there are.
    let chain: Vec<&Made> = chain.into_iter().take(20).chain([&other]).collect();
    let facts = ask(&chain, MIDSUMMER, &store(&[&other]));
    assert_eq!((&facts.trust, &facts.path[..]), (&Trust::Trusted, &[0, 20][..]));
}

#[test]
fn a_chain_beyond_the_budget_is_not_verified_and_not_remembered_as_such() {
    let w = world();
    let leaves: Vec<Made> = (0..600).map(|_| signed(params("www.example.test", &["www.example.test"]), &w.middle)).collect();
    let mut cache = ChainCache::new();
    let mut ask = |leaf: &Made, second: i64| {
        let chain = [Arc::clone(&leaf.certificate), Arc::clone(&w.middle.certificate)];
        let now = Timestamp::from_parts(MIDSUMMER.seconds() + second, 0);
        cache.judge(&chain, Some("www.example.test"), now, Purpose::Server, &w.trust, Occasion { now, server: SERVER })
    };
    let facts: Vec<_> = leaves.iter().map(|leaf| ask(leaf, 0)).collect();
    let trusted = facts.iter().filter(|facts| facts.trust == Trust::Trusted).count();
    assert!((100..500).contains(&trusted), "{trusted}");
    for facts in &facts[trusted..] {
        assert_eq!((facts.unverified(), &facts.path[..]), (Some(Unverified::Budget), &[0, 1][..]));
        assert!(facts.bad_signatures.is_empty() && facts.covers_name == Some(true));
    }
    // What is known costs nothing; what was not verified is, once there is budget again.
    assert_eq!(ask(&leaves[0], 0).trust, Trust::Trusted);
    assert_eq!(ask(&leaves[599], 2).trust, Trust::Trusted);
}
