//! The client's library, by its ClientHello.
//!
//! Signature schemes tell most: applications seldom touch them, and every library has an order of its own. The order of the extensions is the
//! second trait, where a library does not shuffle them (Chromium, rustls and GnuTLS from 3.8 on do).

use smallvec::SmallVec;

use super::{Program, Speaker, Stack, starts};
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{ExtensionType as E, ProtocolVersion, is_grease};

/// A hello by its traits.
struct Traits<'a> {
    hello: &'a ClientHello,
    /// Suites without GREASE.
    suites: SmallVec<[u16; 64]>,
    /// Signature schemes without GREASE and without ML-DSA, which libraries put in front of what they had before.
    schemes: SmallVec<[u16; 32]>,
    /// Extension types in the order sent, without GREASE and those that depend on what the client is about to do.
    order: SmallVec<[u16; 24]>,
    grease: bool,
}

/// Reads a hello.
pub(super) fn read(hello: &ClientHello) -> Option<Speaker> {
    if hello.is_sslv2() {
        return None;
    }
    let traits = Traits::of(hello);
    let kinds: [fn(&Traits<'_>) -> Option<Speaker>; 6] = [greasing, by_schemes, openssl, java, old_apple, schannel];
    kinds.iter().find_map(|kind| kind(&traits))
}

impl<'a> Traits<'a> {
    fn of(hello: &'a ClientHello) -> Self {
        let suites = || hello.cipher_suites().map(|suite| suite.0);
        let order = hello.extensions().map(|(kind, _)| kind.0).filter(|kind| !is_grease(*kind) && !PASSING.contains(&E(*kind)));
        Self {
            hello,
            suites: suites().filter(|suite| !is_grease(*suite)).take(MOST).collect(),
            schemes: hello
                .signature_algorithms()
                .map(|scheme| scheme.0)
                .filter(|scheme| !is_grease(*scheme) && !ML_DSA.contains(scheme))
                .take(MOST)
                .collect(),
            order: order.take(MOST).collect(),
            grease: suites().any(is_grease),
        }
    }

    fn schemes_start(&self, with: &[u16]) -> bool {
        starts(self.schemes.iter().copied(), with)
    }

    /// Where an extension stands among the others.
    fn place(&self, kind: E) -> Option<usize> {
        self.order.iter().position(|other| *other == kind.0)
    }

    /// The first stands right before the second.
    fn adjacent(&self, first: E, second: E) -> bool {
        self.place(first).is_some_and(|place| self.order.get(place + 1) == Some(&second.0))
    }

    fn before(&self, first: E, second: E) -> bool {
        self.place(first).zip(self.place(second)).is_some_and(|(first, second)| first < second)
    }
}

/// BoringSSL sends GREASE where it is told to, as by Chromium, and Apple's fork of it does.
fn greasing(traits: &Traits<'_>) -> Option<Speaker> {
    if !traits.grease {
        return None;
    }
    // Apple lists rsa_pss_rsae_sha384 twice.
    if traits.schemes.iter().filter(|scheme| **scheme == 0x0805).count() == 2 {
        return Some(Speaker::strong(Stack::Apple).running(Some(Program::Safari)));
    }
    if !traits.schemes_start(BORING) {
        return None;
    }
    let settings = traits.hello.has(E::APPLICATION_SETTINGS) || traits.hello.has(E::APPLICATION_SETTINGS_OLD);
    let chromium = settings || (traits.hello.has(E::COMPRESS_CERTIFICATE) && traits.hello.has(E::SIGNED_CERTIFICATE_TIMESTAMP));
    Some(Speaker::strong(Stack::BoringSsl).running(chromium.then_some(Program::Chromium)))
}

/// Libraries whose list of signature schemes is like no other's.
fn by_schemes(traits: &Traits<'_>) -> Option<Speaker> {
    let hello = traits.hello;
    let known = |prefix: &[u16], stack| traits.schemes_start(prefix).then_some(Speaker::strong(stack));
    if let Some(speaker) = known(&[0x0401, 0x0809, 0x0804, 0x0403], Stack::GnuTls) {
        // GIO's priority string has %COMPAT, which leaves out two. So has wget's, which offers authentication after the handshake, too.
        let left_out = [E::ENCRYPT_THEN_MAC, E::EXTENDED_MASTER_SECRET, E::POST_HANDSHAKE_AUTH, E::ALPN];
        let compatible = hello.offers(ProtocolVersion::TLS12) && !left_out.into_iter().any(|kind| hello.has(kind));
        return Some(speaker.running(compatible.then_some(Program::Gio)));
    }
    if let Some(speaker) = known(&[0x0503, 0x0403, 0x0603, 0x0807, 0x0806], Stack::Rustls)
        .or_else(|| known(&[0x0503, 0x0403, 0x0807, 0x0806, 0x0805], Stack::Rustls))
        .or_else(|| known(&[0x0809, 0x080a, 0x080b, 0x0804], Stack::S2n))
        .or_else(|| known(&[0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201], Stack::Schannel))
        .or_else(|| known(&[0x0603, 0x0601, 0x0503, 0x0501, 0x0403, 0x0401, 0x0303], Stack::MbedTls))
        .or_else(|| known(&[0x0403, 0x0503, 0x0603, 0x0806, 0x0805, 0x0804], Stack::MbedTls))
        .or_else(|| known(&[0x0603, 0x0503, 0x0403, 0x0203], Stack::WolfSsl))
        .or_else(|| known(&[0x0807, 0x0808, 0x0603, 0x0503, 0x0403, 0x080b], Stack::Erlang))
        .or_else(|| known(&[0x0807, 0x0808, 0x0603, 0x0503, 0x0403, 0x081c], Stack::Erlang))
        .or_else(|| known(&[0x0603, 0x080b, 0x0806, 0x0601, 0x0503, 0x080a], Stack::Erlang))
        .or_else(|| known(&[0x0805, 0x0804, 0x0806, 0x0501, 0x0601, 0x0401], Stack::Botan))
        .or_else(|| known(&[0x0807, 0x0808, 0x0603, 0x0503, 0x0403, 0x0303], Stack::TlsLite))
    {
        return Some(speaker);
    }
    // Go offers signed certificate timestamps and no encrypt_then_mac; others have copied its list.
    if traits.schemes_start(&[0x0804, 0x0403, 0x0807, 0x0805, 0x0806]) && !hello.has(E::ENCRYPT_THEN_MAC) {
        let usual = hello.has(E::SIGNED_CERTIFICATE_TIMESTAMP) || hello.is_dtls();
        return Some(if usual { Speaker::strong(Stack::Go) } else { Speaker::likely(Stack::Go) });
    }
    if traits.schemes_start(BORING) && traits.before(E::EXTENDED_MASTER_SECRET, E::SUPPORTED_GROUPS) && traits.order.first() == Some(&23) {
        return Some(Speaker::strong(Stack::BoringSsl));
    }
    // NSS limits its records and has no encrypt_then_mac; delegated credentials are Firefox's.
    if traits.schemes_start(&[0x0403, 0x0503, 0x0603]) && hello.has(E::RECORD_SIZE_LIMIT) && !hello.has(E::ENCRYPT_THEN_MAC) {
        let firefox = hello.has(E::DELEGATED_CREDENTIAL) || hello.ech().is_some();
        return Some(Speaker::strong(Stack::Nss).running(firefox.then_some(Program::Firefox)));
    }
    None
}

/// OpenSSL from 1.1.0 on: point formats before groups, and encrypt_then_mac right before extended_master_secret. Before: no such extensions.
fn openssl(traits: &Traits<'_>) -> Option<Speaker> {
    let hello = traits.hello;
    let points = || hello.ec_point_formats() == Some(&[0, 1, 2]) && traits.adjacent(E::EC_POINT_FORMATS, E::SUPPORTED_GROUPS);
    if traits.adjacent(E::ENCRYPT_THEN_MAC, E::EXTENDED_MASTER_SECRET) {
        let schemes = traits.schemes_start(&[0x0403, 0x0503, 0x0603, 0x0807, 0x0808]);
        let speaker = if schemes || points() {
            Speaker::strong(Stack::OpenSsl)
        } else if hello.ec_point_formats().is_none() {
            Speaker::likely(Stack::OpenSsl)
        } else {
            return None;
        };
        return Some(speaker.running(program(traits)));
    }
    let old = traits.schemes_start(&[0x0601, 0x0602, 0x0603, 0x0501]) || traits.schemes.is_empty();
    let speaker = Speaker::strong(Stack::OpenSsl).running(program(traits).filter(|program| *program == Program::Node));
    (points() && old && !hello.has(E::EXTENDED_MASTER_SECRET)).then_some(speaker)
}

/// Whose list of suites it is, and whose application protocols.
fn program(traits: &Traits<'_>) -> Option<Program> {
    // Those of TLS 1.3 come first.
    let first = traits.suites.iter().position(|suite| suite >> 8 != 0x13).unwrap_or_default();
    let middle = traits.suites.get(first..).unwrap_or_default();
    // Others ask for the modern six alone (getdns, say): in Python's list more follow.
    let more = middle.get(6).is_some_and(|suite| *suite != SIGNALLING);
    if starts(middle.iter().copied(), &[0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8]) && more && middle.len() < 20 {
        return Some(Program::Python);
    }
    // Both lists begin with Mozilla's of 2014. Behind it PHP has all that is ephemeral and GCM, Node.js that with CBC and SHA-256.
    if starts(middle.iter().copied(), &[0xc02f, 0xc02b, 0xc030, 0xc02c, 0x009e]) {
        return match middle.get(5) {
            Some(0x009f | 0x00a2 | 0x00a3) => Some(Program::Php),
            Some(0xc027) => Some(Program::Node),
            _ => None,
        };
    }
    // curl lets the server ask for a certificate later, since there is TLS 1.3; `openssl s_client -alpn` and scripts on OpenSSL do not.
    let later = traits.hello.has(E::POST_HANDSHAKE_AUTH) || !traits.hello.offers(ProtocolVersion::TLS13);
    let usual = || traits.hello.alpn().eq([&b"h2"[..], b"http/1.1"]);
    // Whoever offers NPN still, after all these years, is Qt; curl did so up to 7.85.
    if usual() && !traits.hello.has(E::POST_HANDSHAKE_AUTH) && traits.hello.has(E::NEXT_PROTOCOL_NEGOTIATION) {
        return Some(Program::Qt);
    }
    let plain = || traits.hello.has(E::POST_HANDSHAKE_AUTH) && traits.hello.alpn().eq([&b"http/1.1"[..]]);
    (later && (usual() || plain())).then_some(Program::Curl)
}

/// JSSE: signature_algorithms_cert with status_request_v2; before Java 11, groups and point formats in front of everything.
fn java(traits: &Traits<'_>) -> Option<Speaker> {
    let hello = traits.hello;
    if hello.has(E::SIGNATURE_ALGORITHMS_CERT) && hello.has(E::STATUS_REQUEST_V2) {
        return Some(Speaker::strong(Stack::Jsse));
    }
    let old = traits.schemes_start(&[0x0603, 0x0601, 0x0503, 0x0501, 0x0403, 0x0401, 0x0402]);
    (old && traits.order.starts_with(&[10, 11, 13])).then_some(Speaker::likely(Stack::Jsse))
}

/// Secure Transport up to macOS 10.12 and iOS 10: the signalling suite first, then CBC suites between those with GCM.
fn old_apple(traits: &Traits<'_>) -> Option<Speaker> {
    starts(traits.suites.iter().copied(), &[0x00ff, 0xc02c, 0xc02b, 0xc024, 0xc023]).then_some(Speaker::likely(Stack::Apple))
}

/// Schannel up to Windows 8.1: its suites' order, and renegotiation_info last.
fn schannel(traits: &Traits<'_>) -> Option<Speaker> {
    let schemes =
        traits.schemes_start(&[0x0401, 0x0501, 0x0201, 0x0403]) || traits.schemes_start(&[0x0601, 0x0603, 0x0401, 0x0501, 0x0201]);
    (schemes && traits.order.last() == Some(&E::RENEGOTIATION_INFO.0)).then_some(Speaker::likely(Stack::Schannel))
}

/// BoringSSL's list.
const BORING: &[u16] = &[0x0403, 0x0804, 0x0401, 0x0503, 0x0805];

/// ML-DSA schemes.
const ML_DSA: [u16; 3] = [0x0904, 0x0905, 0x0906];

/// Extensions that depend on what the client is about to do and on what it remembers.
const PASSING: [E; 6] = [E::SERVER_NAME, E::ALPN, E::PADDING, E::PRE_SHARED_KEY, E::EARLY_DATA, E::STATUS_REQUEST];

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV`.
const SIGNALLING: u16 = 0x00ff;

/// Entries of a list that are looked at.
const MOST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::stack::Certainty;
    use crate::tls::client_hello::tests::{build, hex};

    fn schemes(list: &[u16]) -> Vec<u8> {
        let mut body = u16::try_from(list.len() * 2).unwrap().to_be_bytes().to_vec();
        body.extend(list.iter().flat_map(|scheme| scheme.to_be_bytes()));
        body
    }

    fn who(suites: &[u16], extensions: &[(u16, &[u8])]) -> Option<(Stack, Option<Program>, Certainty)> {
        let hello = ClientHello::parse(&build(0x0303, suites, extensions)).unwrap();
        read(&hello).map(|speaker| (speaker.stack, speaker.program, speaker.certainty))
    }

    const TLS13: [u16; 3] = [0x1302, 0x1303, 0x1301];

    #[test]
    fn openssl_is_known_by_its_order_and_curl_by_what_it_speaks() {
        let list = schemes(&[0x0905, 0x0906, 0x0904, 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x081a]);
        let points: &[u8] = &[3, 0, 1, 2];
        let groups: &[u8] = &[0, 2, 0, 0x1d];
        let alpn = hex("000c02683208687474702f312e31");
        let plain: &[(u16, &[u8])] = &[(11, points), (10, groups), (35, &[]), (22, &[]), (23, &[]), (13, &list)];
        assert_eq!(who(&[0xc02c, 0xc030], plain), Some((Stack::OpenSsl, None, Certainty::Strong)));
        let curl: &[(u16, &[u8])] = &[(11, points), (10, groups), (16, &alpn), (22, &[]), (23, &[]), (49, &[]), (13, &list)];
        assert_eq!(
            who(&[0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f], curl),
            Some((Stack::OpenSsl, Some(Program::Curl), Certainty::Strong))
        );
        let tls13: (u16, &[u8]) = (43, &[4, 3, 4, 3, 3]);
        let s_client: &[(u16, &[u8])] = &[(11, points), (10, groups), (16, &alpn), (22, &[]), (23, &[]), (13, &list), tls13];
        assert_eq!(who(&[0x1302, 0xc02c], s_client), Some((Stack::OpenSsl, None, Certainty::Strong)), "-alpn h2,http/1.1");
        let old: &[(u16, &[u8])] = &[(11, points), (10, groups), (16, &alpn), (22, &[]), (23, &[]), (13, &list)];
        assert_eq!(who(&[0xc02c], old), Some((Stack::OpenSsl, Some(Program::Curl), Certainty::Strong)), "up to TLS 1.2");
        let qt: &[(u16, &[u8])] = &[(11, points), (10, groups), (13172, &[]), (16, &alpn), (22, &[]), (23, &[]), (13, &list), tls13];
        assert_eq!(who(&[0x1302, 0xc02c], qt), Some((Stack::OpenSsl, Some(Program::Qt), Certainty::Strong)));
        // Node.js 4 on OpenSSL 1.0.2, which has no TLS 1.3.
        let (node, old_schemes) = ([0xc02f, 0xc02b, 0xc030, 0xc02c, 0x009e, 0xc027, 0x0067], schemes(&[0x0601, 0x0602, 0x0603, 0x0501]));
        let old: &[(u16, &[u8])] = &[(11, points), (10, groups), (35, &[]), (13, &old_schemes)];
        assert_eq!(who(&node, old), Some((Stack::OpenSsl, Some(Program::Node), Certainty::Strong)));
        assert_eq!(who(&[0xc030, 0xc02c, 0xc028], old), Some((Stack::OpenSsl, None, Certainty::Strong)));
        let python = [&TLS13[..], &[0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc024, 0x00ff]].concat();
        assert_eq!(who(&python, curl), Some((Stack::OpenSsl, Some(Program::Python), Certainty::Strong)));
        for end in [&[][..], &[0x00ff]] {
            let getdns = [&TLS13[..], &[0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8], end].concat();
            assert_eq!(who(&getdns, plain), Some((Stack::OpenSsl, None, Certainty::Strong)), "they ask for no more than that");
        }
        for (next, program) in [(&[0xc027, 0x0067][..], Some(Program::Node)), (&[0x00a2, 0x00a3, 0x009f], Some(Program::Php)), (&[], None)]
        {
            let suites = [&TLS13[..], &[0xc02f, 0xc02b, 0xc030, 0xc02c, 0x009e], next].concat();
            assert_eq!(who(&suites, plain), Some((Stack::OpenSsl, program, Certainty::Strong)), "{next:04x?}");
        }
    }

    #[test]
    fn schemes_tell_libraries_apart() {
        for (list, stack) in [
            (&[0x0401, 0x0809, 0x0804, 0x0403, 0x0807][..], Stack::GnuTls),
            (&[0x0503, 0x0403, 0x0603, 0x0807, 0x0806, 0x0805], Stack::Rustls),
            (&[0x0809, 0x080a, 0x080b, 0x0804], Stack::S2n),
            (&[0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201], Stack::Schannel),
            (&[0x0403, 0x0503, 0x0603, 0x0806, 0x0805, 0x0804, 0x0601], Stack::MbedTls),
            (&[0x0603, 0x0503, 0x0403, 0x0203, 0x0807], Stack::WolfSsl),
            (&[0x0807, 0x0808, 0x0603, 0x0503, 0x0403, 0x081c, 0x081b], Stack::Erlang),
        ] {
            let body = schemes(list);
            assert_eq!(who(&TLS13, &[(13, &body), (23, &[])]), Some((stack, None, Certainty::Strong)), "{stack:?}");
        }
    }

    #[test]
    fn gnutls_in_compatibility_mode_is_gio() {
        let body = schemes(&[0x0401, 0x0809, 0x0804, 0x0403, 0x0807]);
        let versions: (u16, &[u8]) = (43, &[4, 3, 4, 3, 3]);
        let who_is = |more: &[(u16, &[u8])]| who(&TLS13, &[&[versions, (13, &body[..])], more].concat()).and_then(|found| found.1);
        assert_eq!(who_is(&[]), Some(Program::Gio));
        assert_eq!((who_is(&[(22, &[]), (23, &[])]), who_is(&[(49, &[])])), (None, None));
    }

    #[test]
    fn browsers_are_known_by_grease() {
        let list = schemes(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        let extensions: &[(u16, &[u8])] = &[(13, &list), (17613, &[]), (23, &[])];
        assert_eq!(who(&[0x4a4a, 0x1301], extensions), Some((Stack::BoringSsl, Some(Program::Chromium), Certainty::Strong)));
        let apple = schemes(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0203, 0x0805, 0x0805, 0x0501]);
        assert_eq!(who(&[0x4a4a, 0x1301], &[(13, &apple)]), Some((Stack::Apple, Some(Program::Safari), Certainty::Strong)));
    }

    #[test]
    fn what_is_like_nobody_stays_unknown() {
        // A hand-made hello with the list of BoringSSL, and none of its order.
        let list = schemes(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        assert_eq!(who(&[0x1301, 0xc02f], &[(10, &[0, 2, 0, 0x1d]), (11, &[1, 0]), (13, &list), (23, &[])]), None);
        assert_eq!(who(&[0x002f], &[]), None);
    }
}
