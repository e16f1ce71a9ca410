//! The parts of reports that are the same for many handshakes, made once: what a kind of client offers, how a kind of server answers, certificates.

use std::borrow::{Borrow, Cow};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::handshake::stack::{self, Speaker};
use crate::limits;
use crate::time::Timestamp;
use crate::tls;
use crate::tls::client_hello::{ClientHello, Ech};
use crate::tls::fingerprint::{self, Carrier};
use crate::tls::registry::{CipherSuite, ExtensionType, ProtocolVersion, is_grease, sslv2_cipher_name};
use crate::tls::server_hello::ServerHello;

use super::{Rendered, word};

/// Makes reports, and remembers of earlier ones what the next may have in common with them. What it remembers changes no report.
#[derive(Debug, Default)]
pub struct Builder {
    /// Hashes stand for offers and answers: to keep what they are made of and to compare it costs more memory and time than all else.
    hasher: RandomState,
    kinds: Recent<u64, OfferKind, { limits::OFFER_BYTES / 3 }>,
    orders: Recent<u64, OfferOrder, { 2 * limits::OFFER_BYTES / 3 }>,
    answers: Recent<u64, ServerAnswer, { limits::ANSWER_BYTES }>,
    certificates: Recent<[u8; 32], Certificate, { limits::CERTIFICATE_REPORT_BYTES }>,
    scratch: Vec<u8>,
}

impl Builder {
    /// Room for text that is not kept.
    pub(super) const fn scratch(&mut self) -> &mut Vec<u8> {
        &mut self.scratch
    }

    pub(super) fn offer<'a>(&mut self, hello: &'a ClientHello, carrier: Carrier) -> Offer<'a> {
        let [kind, order] = offer_hashes(&self.hasher, &mut self.scratch, hello, carrier);
        let suites = (hello.cipher_suite_list().len() / 2).min(limits::OFFERED_SUITES);
        let extensions = || hello.extensions().count().min(limits::OFFERED_EXTENSIONS);
        let kind = self.kinds.get(&kind, |_| PART + suites * SUITE_NAME, OfferKind::default);
        let order = self.orders.get(&order, |_| PART + extensions() * EXTENSION_NAME, OfferOrder::default);
        Offer { hello: Cow::Borrowed(hello), carrier, kind, order }
    }

    pub(super) fn answer(&mut self, hello: Option<&ServerHello>) -> Arc<ServerAnswer> {
        let mut hasher = self.hasher.build_hasher();
        if let Some(hello) = hello {
            hasher.write_u16(hello.legacy_version().0);
            hasher.write_u16(hello.cipher_suite().0);
            for (kind, _) in hello.extensions() {
                hasher.write_u16(kind.0);
            }
        }
        let weight = |answer: &ServerAnswer| PART + answer.extensions.len() * EXTENSION_TEXT;
        self.answers.get(&hasher.finish(), weight, || ServerAnswer {
            ja3s: hello.map(fingerprint::ja3s),
            extensions: hello
                .map(|hello| {
                    let sent = First::of(hello.extensions(), limits::OFFERED_EXTENSIONS, |(kind, _)| word(kind.name(), kind));
                    sent.map(Cow::into_owned).collect()
                })
                .unwrap_or_default(),
            rendered: Rendered::default(),
        })
    }

    pub(super) fn certificate(&mut self, certificate: &tls::certificate::Certificate) -> Arc<Certificate> {
        // As text and as it was written, once in part.
        self.certificates.get(
            &certificate.sha256,
            |_| 4 * (certificate.weight() - certificate.der.len()),
            || self::certificate(certificate),
        )
    }
}

/// What a client offered.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    hello: Cow<'a, ClientHello>,
    carrier: Carrier,
    kind: Arc<OfferKind>,
    order: Arc<OfferOrder>,
}

/// What is kept of an offer for the next that is the same but for the order of its extensions.
#[derive(Debug, Default)]
struct OfferKind {
    /// As it was written: what that order does not change.
    rendered: Rendered,
    ja4: OnceLock<Box<str>>,
}

/// What is kept of an offer for the next that is the same.
#[derive(Debug, Default)]
struct OfferOrder {
    /// As it was written: the rest.
    rendered: Rendered,
    speaker: OnceLock<Option<Speaker>>,
}

impl<'a> Offer<'a> {
    /// The offer of this hello, which nothing is shared with.
    pub fn new(hello: Cow<'a, ClientHello>, carrier: Carrier) -> Self {
        Self { hello, carrier, kind: Arc::default(), order: Arc::default() }
    }

    /// The same, to keep beyond its handshake.
    pub(super) fn to_static(&self) -> Offer<'static> {
        let hello = Cow::Owned(self.hello.as_ref().clone());
        Offer { hello, carrier: self.carrier, kind: Arc::clone(&self.kind), order: Arc::clone(&self.order) }
    }

    /// The hello that makes it.
    pub(super) fn hello(&self) -> &ClientHello {
        &self.hello
    }

    pub(super) fn kind(&self) -> &Rendered {
        &self.kind.rendered
    }

    pub(super) fn order(&self) -> &Rendered {
        &self.order.rendered
    }

    /// The library that makes such offers.
    pub(super) fn speaker(&self) -> Option<Speaker> {
        *self.order.speaker.get_or_init(|| stack::of_hello(&self.hello))
    }

    /// JA3 fingerprint.
    pub fn ja3(&self) -> String {
        fingerprint::ja3(&self.hello)
    }

    /// JA4 fingerprint.
    pub fn ja4(&self) -> &str {
        self.kind.ja4.get_or_init(|| fingerprint::ja4(&self.hello, self.carrier).into_boxed_str())
    }

    /// `offered-or-grease` where it holds an encrypted `ClientHello`: from outside the two look the same.
    pub fn ech(&self) -> Option<&'static str> {
        self.hello.ech().map(|ech| ech_word(&ech))
    }

    /// Versions offered, in its order.
    pub fn supported_versions(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.supported_versions().filter(|v| !v.is_grease()), limits::OFFERED, |v| word(v.name(), v))
    }

    /// The newest version offered where no list of versions is sent: older ones are offered along with it.
    pub fn up_to_version(&self) -> Option<Cow<'static, str>> {
        let version = self.hello.legacy_version();
        self.hello.supported_versions().next().is_none().then(|| word(version.name(), version))
    }

    /// It offers SSL 2.0 and nothing newer.
    pub fn is_ssl2(&self) -> bool {
        self.hello.is_sslv2() && self.hello.legacy_version() == ProtocolVersion::SSL2
    }

    /// Suites offered, in its order; of an `SSLv2` hello those of SSL 2.0, too.
    pub fn supported_ciphers(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.offered_kinds(), limits::OFFERED_SUITES, |kind| match u16::try_from(kind) {
            Ok(suite) => word(CipherSuite(suite).name(), CipherSuite(suite)),
            Err(_) => sslv2_cipher_name(kind).map_or_else(|| Cow::Owned(format!("0x{kind:06x}")), Cow::Borrowed),
        })
    }

    /// Groups offered, in its order.
    pub fn supported_groups(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.supported_groups().filter(|g| !g.is_grease()), limits::OFFERED, |g| word(g.name(), g))
    }

    /// Groups for which it sent a key.
    pub fn key_shares(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.key_shares().filter(|(g, _)| !g.is_grease()), limits::OFFERED, |(g, _)| word(g.name(), g))
    }

    /// Signature algorithms offered, in its order.
    pub fn signature_algorithms(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.signature_algorithms(), limits::OFFERED, |s| word(s.name(), s))
    }

    /// Application protocols offered, in its order.
    pub fn alpn(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.alpn(), limits::OFFERED, String::from_utf8_lossy)
    }

    /// Names or numbers of the extensions in the order sent.
    pub fn extensions(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let sent = self.hello.extensions().filter(|(kind, _)| !kind.is_grease());
        First::of(sent, limits::OFFERED_EXTENSIONS, |(kind, _)| word(kind.name(), kind))
    }

    /// Pre-shared key modes.
    pub fn psk_modes(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.psk_key_exchange_modes().iter(), limits::OFFERED, |mode| psk_mode(*mode))
    }

    /// Certificate compression algorithms.
    pub fn certificate_compression(&self) -> impl Iterator<Item = Cow<'_, str>> {
        First::of(self.hello.compress_certificate(), limits::OFFERED, |algorithm| word(algorithm.name(), algorithm))
    }
}

/// The first of a list in words, and at its end how many more there are.
struct First<I, F> {
    list: I,
    left: usize,
    text: F,
    told: bool,
}

impl<'a, I: Iterator, F: FnMut(I::Item) -> Cow<'a, str>> First<I, F> {
    const fn of(list: I, most: usize, text: F) -> Self {
        Self { list, left: most, text, told: false }
    }
}

impl<'a, I: Iterator, F: FnMut(I::Item) -> Cow<'a, str>> Iterator for First<I, F> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return self.list.next().map(&mut self.text);
        }
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let more = self.list.by_ref().count();
        (more > 0).then(|| Cow::Owned(and_more(more)))
    }
}

/// How a server answered: all that answer alike share one.
#[derive(Debug, Default)]
pub struct ServerAnswer {
    /// JA3S fingerprint.
    pub ja3s: Option<String>,
    /// Names or numbers of its `ServerHello`'s extensions in the order sent.
    pub extensions: Vec<String>,
    /// As it was written.
    pub rendered: Rendered,
}

/// A certificate as it is reported: all handshakes in which it was served share one.
#[derive(Debug, Default)]
pub struct Certificate {
    /// Whom it names (RFC 4514).
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Hexadecimal.
    pub serial: String,
    /// Begin of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// Names and addresses it stands for; of more than a thousand the first, then `and N more`.
    pub san: Vec<String>,
    /// Kind and size of its key: `RSA-2048`, `EC-P-256`, `Ed25519`.
    pub key: String,
    /// How it is signed: `RSA-SHA256`, `ECDSA-SHA384`.
    pub signature: String,
    /// SHA-256 of the whole.
    pub sha256: [u8; 32],
    /// As it was written.
    pub rendered: Rendered,
    /// As it was written under other names.
    pub as_x509: Rendered,
}

impl Certificate {
    /// SHA-256 of the whole, hexadecimal.
    pub fn fingerprint(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.sha256)
    }
}

/// A map of two generations, bounded in number and, roughly, in bytes: when the young one is full it becomes the old one, and what was not asked
/// for since is forgotten.
#[derive(Debug)]
struct Recent<K, V, const BYTES: usize> {
    young: HashMap<K, Arc<V>, RandomState>,
    old: HashMap<K, Arc<V>, RandomState>,
    /// Of the young ones.
    bytes: usize,
}

impl<K, V, const BYTES: usize> Default for Recent<K, V, BYTES> {
    fn default() -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), bytes: 0 }
    }
}

impl<K: Eq + Hash, V, const BYTES: usize> Recent<K, V, BYTES> {
    fn get<Q>(&mut self, key: &Q, weight: impl FnOnce(&V) -> usize, make: impl FnOnce() -> V) -> Arc<V>
    where
        Q: ?Sized + Eq + Hash + ToOwned,
        Q::Owned: Into<K>,
        K: Borrow<Q>,
    {
        if let Some(known) = self.young.get(key) {
            return Arc::clone(known);
        }
        let value = self.old.remove(key).unwrap_or_else(|| Arc::new(make()));
        let weight = weight(&value);
        if self.young.len() >= limits::SHARED_PARTS / 2 || self.bytes + weight > BYTES / 2 {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.bytes = 0;
        }
        self.bytes += weight;
        self.young.insert(key.to_owned().into(), Arc::clone(&value));
        value
    }
}

/// Of all that [`offer`] depends on, a hash without and one with the order of the extensions; and of nothing that differs from one connection to
/// the next: no random, session identifier, key or ticket, nor which of the GREASE values stand in its lists.
fn offer_hashes(hasher: &RandomState, scratch: &mut Vec<u8>, hello: &ClientHello, carrier: Carrier) -> [u64; 2] {
    let suites = settled(scratch, hello.cipher_suite_list(), 0);
    let marks = (carrier as u8, hello.ech().is_some(), hello.is_sslv2(), hello.legacy_version());
    let mut all = hasher.hash_one((marks, suites));
    let mut order = hasher.build_hasher();
    let mut met = 0u64;
    for (kind, body) in hello.extensions().filter(|(kind, _)| !kind.is_grease()) {
        // Of those that are there twice the first counts.
        let bit = 1u64.checked_shl(u32::from(kind.0)).unwrap_or(0);
        let content = match kind {
            _ if met & bit != 0 => &[],
            // A list of numbers stands behind its length in bytes.
            ExtensionType::SUPPORTED_VERSIONS => settled(scratch, body, 1),
            ExtensionType::SUPPORTED_GROUPS => settled(scratch, body, 2),
            ExtensionType::KEY_SHARE => {
                scratch.clear();
                scratch.extend(hello.key_shares().flat_map(|(group, _)| without_grease(group.0.to_be_bytes())));
                scratch.as_slice()
            }
            ExtensionType::EC_POINT_FORMATS
            | ExtensionType::SIGNATURE_ALGORITHMS
            | ExtensionType::ALPN
            | ExtensionType::PSK_KEY_EXCHANGE_MODES
            | ExtensionType::COMPRESS_CERTIFICATE => body,
            _ => &[],
        };
        order.write_u16(kind.0);
        // Of most there is only to say that they are there.
        if !content.is_empty() || bit & !met == 0 {
            all = all.wrapping_add(hasher.hash_one((kind, content)));
        }
        met |= bit;
    }
    let all = hasher.hash_one((all, met));
    order.write_u64(all);
    [all, order.finish()]
}

/// A list of numbers without its GREASE, behind so many bytes of length.
fn settled<'a>(scratch: &'a mut Vec<u8>, bytes: &[u8], length: usize) -> &'a [u8] {
    scratch.clear();
    scratch.extend_from_slice(bytes);
    for value in scratch.get_mut(length..).unwrap_or_default().as_chunks_mut().0 {
        *value = without_grease(*value);
    }
    scratch
}

/// One value stands for all that mean nothing (RFC 8701): two equal bytes, so that the order of bytes is no matter.
const fn without_grease(value: [u8; 2]) -> [u8; 2] {
    let value = u16::from_ne_bytes(value);
    let one = if is_grease(value) { 0x0a0a } else { value };
    one.to_ne_bytes()
}

/// Stands at the end of a list of which not all is told.
fn and_more(more: usize) -> String {
    format!("and {more} more")
}

/// Whether ECH is real cannot be seen from outside: GREASE is made to look the same (RFC 9849 section 6.2).
const fn ech_word(_: &Ech) -> &'static str {
    "offered-or-grease"
}

fn psk_mode(mode: u8) -> Cow<'static, str> {
    match mode {
        0 => Cow::Borrowed("psk_ke"),
        1 => Cow::Borrowed("psk_dhe_ke"),
        other => Cow::Owned(format!("0x{other:02x}")),
    }
}

fn certificate(certificate: &tls::certificate::Certificate) -> Certificate {
    let mut san = certificate.dns_names.clone();
    san.extend(certificate.ip_addresses.iter().map(ToString::to_string));
    san.extend(certificate.other_names.iter().cloned());
    if certificate.names_left_out > 0 {
        san.push(and_more(certificate.names_left_out));
    }
    Certificate {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        serial: certificate.serial.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        san,
        key: certificate.key_name(),
        signature: certificate.signature.clone(),
        sha256: certificate.sha256,
        rendered: Rendered::default(),
        as_x509: Rendered::default(),
    }
}

/// Bytes that a part takes besides its lists.
const PART: usize = 512;

/// Bytes that the written name of a cipher suite takes; and of an extension, with its number in a fingerprint.
const SUITE_NAME: usize = 48;
const EXTENSION_NAME: usize = 40;

/// Bytes that an extension takes, as text and as it was written.
const EXTENSION_TEXT: usize = 64;
