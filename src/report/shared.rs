//! The parts of reports that are the same for many handshakes, made once: what a kind of client offers, how a kind of server answers, certificates.

use std::borrow::Borrow;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::diagnosis::judge::Verdict;
use crate::handshake::Handshake;
use crate::limits;
use crate::tls::certificate::Certificate;
use crate::tls::client_hello::{ClientHello, Ech};
use crate::tls::fingerprint::{self, Carrier};
use crate::tls::registry::{ExtensionType, is_grease};
use crate::tls::server_hello::ServerHello;

use super::{CertificateReport, ClientOffer, Outline, Rendered, ServerAnswer, build};

/// Makes reports, and remembers of earlier ones what the next may have in common with them. What it remembers changes no report.
#[derive(Debug, Default)]
pub struct Builder {
    offers: Recent<Box<[u8]>, SharedOffer>,
    answers: Recent<Box<[u8]>, ServerAnswer>,
    certificates: Recent<[u8; 32], CertificateReport>,
    key: Vec<u8>,
}

impl Builder {
    /// What is to be reported of one handshake. `source` names the file or interface.
    pub fn outline<'a>(&mut self, handshake: &'a Handshake, verdict: &'a Verdict, source: &'a str) -> Outline<'a> {
        build::outline(self, handshake, verdict, source)
    }

    /// Room for text that is not kept.
    pub(super) const fn scratch(&mut self) -> &mut Vec<u8> {
        &mut self.key
    }

    pub(super) fn offer<'a>(&mut self, hello: &'a ClientHello, carrier: Carrier) -> OfferOutline<'a> {
        self.key.clear();
        offer_key(&mut self.key, hello, carrier);
        OfferOutline { hello, carrier, shared: self.offers.get(self.key.as_slice(), SharedOffer::default) }
    }

    pub(super) fn answer(&mut self, hello: Option<&ServerHello>) -> Arc<ServerAnswer> {
        self.key.clear();
        if let Some(hello) = hello {
            self.key.extend(hello.legacy_version().0.to_be_bytes());
            self.key.extend(hello.cipher_suite().0.to_be_bytes());
            for (kind, _) in hello.extensions() {
                self.key.extend(kind.0.to_be_bytes());
            }
        }
        self.answers.get(self.key.as_slice(), || ServerAnswer {
            ja3s: hello.map(fingerprint::ja3s),
            extensions: hello.map(|hello| hello.extensions().map(|(kind, _)| named(kind.name(), kind)).collect()).unwrap_or_default(),
            rendered: Rendered::default(),
        })
    }

    pub(super) fn certificate(&mut self, certificate: &Certificate) -> Arc<CertificateReport> {
        self.certificates.get(&certificate.sha256, || self::certificate(certificate))
    }
}

/// What a client offered, made into a [`ClientOffer`] only where that is asked for: with its eighty strings it takes thrice the room of what is
/// written.
#[derive(Debug)]
pub struct OfferOutline<'a> {
    hello: &'a ClientHello,
    carrier: Carrier,
    shared: Arc<SharedOffer>,
}

/// What is kept of an offer for the next that is the same.
#[derive(Debug, Default)]
struct SharedOffer {
    report: OnceLock<Arc<ClientOffer>>,
    rendered: Rendered,
}

impl OfferOutline<'_> {
    /// What `write` wrote of it, now or the first time.
    pub fn rendered(&self, write: impl FnOnce(&mut Vec<u8>, &ClientOffer)) -> &[u8] {
        self.shared.rendered.get(|out| write(out, &offer(self.hello, self.carrier)))
    }

    /// The report of it.
    pub fn report(&self) -> Arc<ClientOffer> {
        Arc::clone(self.shared.report.get_or_init(|| Arc::new(offer(self.hello, self.carrier))))
    }
}

/// A bounded map of two generations: when the young one is full it becomes the old one, and what was not asked for since is forgotten.
#[derive(Debug)]
struct Recent<K, V> {
    young: HashMap<K, Arc<V>, RandomState>,
    old: HashMap<K, Arc<V>, RandomState>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { young: HashMap::default(), old: HashMap::default() }
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    fn get<Q>(&mut self, key: &Q, make: impl FnOnce() -> V) -> Arc<V>
    where
        Q: ?Sized + Eq + Hash + ToOwned,
        Q::Owned: Into<K>,
        K: Borrow<Q>,
    {
        if let Some(known) = self.young.get(key) {
            return Arc::clone(known);
        }
        let value = self.old.remove(key).unwrap_or_else(|| Arc::new(make()));
        if self.young.len() >= limits::SHARED_PARTS / 2 {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key.to_owned().into(), Arc::clone(&value));
        value
    }
}

/// All that [`offer`] depends on, and nothing that differs from one connection to the next: no random, session identifier, key or ticket, nor
/// which of the GREASE values stand in its lists.
fn offer_key(key: &mut Vec<u8>, hello: &ClientHello, carrier: Carrier) {
    let number = |key: &mut Vec<u8>, value: u16| {
        key.extend_from_slice(&without_grease(value.to_be_bytes()));
    };
    // Bytes behind their number, of which the first `lengths` are lengths and the rest numbers.
    let list = |key: &mut Vec<u8>, bytes: &[u8], lengths: usize| {
        key.extend_from_slice(&bytes.len().to_be_bytes());
        let numbers = key.len().saturating_add(lengths);
        key.extend_from_slice(bytes);
        for value in key.get_mut(numbers..).unwrap_or_default().as_chunks_mut::<2>().0 {
            *value = without_grease(*value);
        }
    };
    key.extend_from_slice(&[carrier as u8, u8::from(hello.ech().is_some()), u8::from(hello.is_sslv2())]);
    key.extend_from_slice(&hello.legacy_version().0.to_be_bytes());
    list(key, hello.cipher_suite_list(), 0);
    let groups = key.len();
    key.extend_from_slice(&[0; 8]);
    for (group, _) in hello.key_shares() {
        number(key, group.0);
    }
    let end = key.len().to_be_bytes();
    if let Some(place) = key.get_mut(groups..).and_then(<[u8]>::first_chunk_mut) {
        *place = end;
    }
    for (kind, body) in hello.extensions() {
        number(key, kind.0);
        // A list of numbers stands behind its length in bytes.
        let lengths = match kind {
            ExtensionType::SUPPORTED_VERSIONS => 1,
            ExtensionType::SUPPORTED_GROUPS => 2,
            ExtensionType::EC_POINT_FORMATS
            | ExtensionType::SIGNATURE_ALGORITHMS
            | ExtensionType::ALPN
            | ExtensionType::PSK_KEY_EXCHANGE_MODES
            | ExtensionType::COMPRESS_CERTIFICATE => body.len(),
            _ => continue,
        };
        list(key, body, lengths);
    }
}

/// One value stands for all that mean nothing (RFC 8701): two equal bytes, so that the order of bytes is no matter.
const fn without_grease(value: [u8; 2]) -> [u8; 2] {
    if is_grease(u16::from_ne_bytes(value)) { [0x0a; 2] } else { value }
}

fn offer(hello: &ClientHello, carrier: Carrier) -> ClientOffer {
    ClientOffer {
        supported_versions: hello.supported_versions().filter(|v| !v.is_grease()).map(|v| named(v.name(), v)).collect(),
        supported_ciphers: hello.cipher_suites().filter(|c| !c.is_grease()).map(|c| named(c.name(), c)).collect(),
        supported_groups: hello.supported_groups().filter(|g| !g.is_grease()).map(|g| named(g.name(), g)).collect(),
        key_shares: hello.key_shares().filter(|(g, _)| !g.is_grease()).map(|(g, _)| named(g.name(), g)).collect(),
        signature_algorithms: hello.signature_algorithms().map(|s| named(s.name(), s)).collect(),
        alpn: hello.alpn().map(build::text).collect(),
        extensions: hello.extensions().filter(|(kind, _)| !kind.is_grease()).map(|(kind, _)| named(kind.name(), kind)).collect(),
        psk_modes: hello.psk_key_exchange_modes().iter().map(|mode| psk_mode(*mode)).collect(),
        certificate_compression: hello.compress_certificate().map(|algorithm| named(algorithm.name(), algorithm)).collect(),
        ech: hello.ech().map(|ech| ech_word(&ech).to_owned()),
        ja3: fingerprint::ja3(hello),
        ja4: fingerprint::ja4(hello, carrier),
    }
}

/// A code point's name where it has one, else as it prints.
fn named(name: Option<&'static str>, value: impl Display) -> String {
    name.map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether ECH is real cannot be seen from outside: GREASE is made to look the same (RFC 9849 section 6.2).
const fn ech_word(_: &Ech) -> &'static str {
    "offered-or-grease"
}

fn psk_mode(mode: u8) -> String {
    match mode {
        0 => "psk_ke".to_owned(),
        1 => "psk_dhe_ke".to_owned(),
        other => format!("0x{other:02x}"),
    }
}

fn certificate(certificate: &Certificate) -> CertificateReport {
    let mut san = certificate.dns_names.clone();
    san.extend(certificate.ip_addresses.iter().map(ToString::to_string));
    san.extend(certificate.other_names.iter().cloned());
    CertificateReport {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        serial: certificate.serial.clone(),
        not_before: certificate.not_before.to_string(),
        not_after: certificate.not_after.to_string(),
        san,
        key: certificate.key_name(),
        signature: certificate.signature.clone(),
        sha256: data_encoding::HEXLOWER.encode(&certificate.sha256),
        rendered: Rendered::default(),
    }
}
