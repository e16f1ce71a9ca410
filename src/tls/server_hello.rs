//! The `ServerHello` and `HelloRetryRequest` (RFC 8446 sections 4.1.3, 4.1.4; RFC 5246 section 7.4.1.3).

use smallvec::SmallVec;

use super::bytes::{Cursor, extensions, items8, list16};
use super::client_hello::{ClientHello, Defect};
use super::registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion};

/// A `ServerHello` or `HelloRetryRequest`, owned. What is asked for at every record comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(C)]
pub struct ServerHello {
    /// Kept, for it is asked for at every record.
    version: ProtocolVersion,
    /// The form of the drafts of TLS 1.3 before the 22nd: neither session identifier nor compression method.
    early_draft: bool,
    /// The extensions of types below 64 that are there, a bit each: most that are asked for are not.
    kinds: u64,
    /// Where their list begins and ends.
    list: (u32, u32),
    /// Where the suite stands: behind the session identifier.
    suite_at: usize,
    cut: Option<&'static str>,
    trailing: usize,
    bytes: SmallVec<[u8; USUAL_LEN]>,
}

impl ServerHello {
    /// Reads a message body (behind the handshake header). `None` when version, random, session identifier and suite are not all there.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        cursor.take(FIXED_LEN)?;
        // The drafts up to 21 had neither session identifier nor compression method; 0x0304 never became a legacy_version.
        let early_draft = matches!(body, [0x7f, ..] | [0x03, 0x04, ..]);
        if !early_draft {
            cursor.vec8()?;
        }
        let suite_at = body.len() - cursor.rest().len();
        cursor.u16()?;
        let (mut list, mut cut, mut trailing) = (0..0, None, 0);
        if !early_draft && cursor.u8().is_none() {
            cut = Some("compression_method");
        } else if !cursor.is_empty() {
            let len = cursor.len16();
            let start = body.len() - cursor.rest().len();
            let taken = cursor.at_most(len.unwrap_or(0)).len();
            list = start..start + taken;
            match len {
                Some(len) if taken == len => trailing = cursor.rest().len(),
                _ => cut = Some("extensions"),
            }
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let (mut kinds, mut version) = (0, None);
        for (kind, value) in extensions(body.get(list.clone()).unwrap_or(&[])) {
            let kind = ExtensionType(kind);
            if kind == ExtensionType::SUPPORTED_VERSIONS && kinds & bit(kind) == 0 {
                version = Cursor::new(value).u16();
            }
            kinds |= bit(kind);
        }
        let version = version.or_else(|| Cursor::new(body).u16()).map_or(ProtocolVersion(0), ProtocolVersion);
        let list = (place(list.start), place(list.end));
        Some(Self { bytes: SmallVec::from_slice(body), suite_at, version, early_draft, kinds, list, cut, trailing })
    }

    /// The body as on the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn at_suite(&self) -> Cursor<'_> {
        Cursor::new(self.bytes.get(self.suite_at..).unwrap_or(&[]))
    }

    /// The random equals the `HelloRetryRequest` value (RFC 8446 section 4.1.3).
    pub fn is_hello_retry_request(&self) -> bool {
        self.random() == HELLO_RETRY_RANDOM
    }

    /// `server_version`, called `legacy_version` since TLS 1.3.
    pub fn legacy_version(&self) -> ProtocolVersion {
        ProtocolVersion(Cursor::new(&self.bytes).u16().unwrap_or(0))
    }

    /// `selected_version` of `supported_versions`, else `legacy_version`: raw, a draft stays the draft.
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The 32 random bytes.
    pub fn random(&self) -> &[u8] {
        self.bytes.get(2..FIXED_LEN).unwrap_or(&[])
    }

    /// The session identifier: an echo of the client's in TLS 1.3, and where a session is resumed by it.
    pub fn session_id(&self) -> &[u8] {
        if self.early_draft {
            return &[];
        }
        self.bytes.get(FIXED_LEN..).and_then(|rest| Cursor::new(rest).vec8()).unwrap_or(&[])
    }

    /// The suite chosen.
    pub fn cipher_suite(&self) -> CipherSuite {
        CipherSuite(self.at_suite().u16().unwrap_or(0))
    }

    /// The compression method chosen.
    pub fn compression_method(&self) -> u8 {
        if self.early_draft { 0 } else { self.at_suite().rest().get(2).copied().unwrap_or(0) }
    }

    fn extension_list(&self) -> &[u8] {
        let (start, end) = self.list;
        self.bytes.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Type and body of each extension, in order.
    pub fn extensions(&self) -> impl Iterator<Item = (ExtensionType, &[u8])> + '_ {
        extensions(self.extension_list()).map(|(kind, body)| (ExtensionType(kind), body))
    }

    /// The body of the first extension of this type.
    pub fn extension(&self, kind: ExtensionType) -> Option<&[u8]> {
        let may_be = bit(kind) == 0 || self.kinds & bit(kind) != 0;
        if !may_be {
            return None;
        }
        self.extensions().find(|(found, _)| *found == kind).map(|(_, body)| body)
    }

    /// The group of `key_share` (`HelloRetryRequest`: the group asked for).
    pub fn key_share_group(&self) -> Option<NamedGroup> {
        self.extension(ExtensionType::KEY_SHARE).and_then(|body| Cursor::new(body).u16()).map(NamedGroup)
    }

    /// The selected identity of `pre_shared_key`.
    pub fn selected_psk(&self) -> Option<u16> {
        self.extension(ExtensionType::PRE_SHARED_KEY).and_then(|body| Cursor::new(body).u16())
    }

    /// The application protocol, where it is chosen in clear (TLS ≤ 1.2).
    pub fn alpn(&self) -> Option<&[u8]> {
        items8(list16(self.extension(ExtensionType::ALPN)?)).next()
    }

    /// Agrees to extended master secret.
    pub fn extended_master_secret(&self) -> bool {
        self.extension(ExtensionType::EXTENDED_MASTER_SECRET).is_some()
    }

    /// Agrees to encrypt-then-MAC.
    pub fn encrypt_then_mac(&self) -> bool {
        self.extension(ExtensionType::ENCRYPT_THEN_MAC).is_some()
    }

    /// Knows secure renegotiation (RFC 5746).
    pub fn secure_renegotiation(&self) -> bool {
        self.extension(ExtensionType::RENEGOTIATION_INFO).is_some()
    }

    /// Will send a `NewSessionTicket` (TLS ≤ 1.2).
    pub fn session_ticket(&self) -> bool {
        self.extension(ExtensionType::SESSION_TICKET).is_some()
    }

    /// Will send a `CertificateStatus` (TLS ≤ 1.2).
    pub fn status_request(&self) -> bool {
        self.extension(ExtensionType::STATUS_REQUEST).is_some()
    }

    /// The downgrade sentinel in the random: the highest version that a server which says so chooses against its own ability. TLS 1.2 for
    /// `DOWNGRD\x01`, TLS 1.1 (or below) for `DOWNGRD\x00` (RFC 8446 section 4.1.3).
    pub fn downgrade_sentinel(&self) -> Option<ProtocolVersion> {
        match self.random().last_chunk::<8>()? {
            b"DOWNGRD\x01" => Some(ProtocolVersion::TLS12),
            b"DOWNGRD\x00" => Some(ProtocolVersion::TLS11),
            _ => None,
        }
    }

    /// What breaks the protocol given what the client offered (in the hello that this one answers): version, suite, extension or group not
    /// offered, no key share in TLS 1.3, bad `session_id` echo…
    pub fn defects(&self, offer: &ClientHello) -> Vec<Defect> {
        let mut found = Found(Vec::new());
        found.note(self.trailing > 0, "ServerHello", "bytes follow the last field (RFC 8446 section 4)");
        if let Some(field) = self.cut {
            found.note(true, field, "its length runs beyond the end of the message (RFC 8446 section 4)");
            return found.0;
        }
        self.version_defects(offer, &mut found);
        self.suite_defects(offer, &mut found);
        self.extension_defects(offer, &mut found);
        // Experiments had other rules.
        if self.version().is_tls13() && (self.version().name().is_some() || self.version().draft().is_some()) {
            self.tls13_defects(offer, &mut found);
        }
        found.0
    }

    fn version_defects(&self, offer: &ClientHello, found: &mut Found) {
        let version = self.version();
        found.note(!offer.offers(version), "version", "not among those that the client offers (RFC 8446 section 4.1.3)");
        let negotiated = self.extension(ExtensionType::SUPPORTED_VERSIONS).is_some();
        found.note(negotiated && !version.is_tls13(), "supported_versions", "selects a version before TLS 1.3 (RFC 8446 section 4.2.1)");
        let legacy = self.legacy_version();
        let frozen = legacy == ProtocolVersion::TLS12 || legacy == ProtocolVersion::DTLS12;
        found.note(negotiated && !frozen && legacy.draft().is_none(), "legacy_version", "not 0x0303 (RFC 8446 section 4.1.3)");
        let able = |sentinel: ProtocolVersion| {
            if sentinel == ProtocolVersion::TLS12 {
                offer.offers(ProtocolVersion::TLS13)
            } else {
                offer.offers(ProtocolVersion::TLS12) && version.rank() < ProtocolVersion::TLS12.rank()
            }
        };
        let sentinel = !version.is_tls13() && self.downgrade_sentinel().is_some_and(able);
        found.note(sentinel, "random", "holds the downgrade sentinel although the client offers more (RFC 8446 section 4.1.3)");
    }

    fn suite_defects(&self, offer: &ClientHello, found: &mut Found) {
        let (suite, version) = (self.cipher_suite(), self.version());
        found.note(
            !offer.cipher_suites().any(|offered| offered == suite),
            "cipher_suite",
            "not among those that the client offers (RFC 8446 section 4.1.3)",
        );
        found.note(suite.is_signal(), "cipher_suite", "a signalling value (RFC 5746 section 3.3)");
        found.note(
            version.is_tls13() && !suite.is_tls13() && suite.name().is_some(),
            "cipher_suite",
            "not one of TLS 1.3 (RFC 8446 appendix B.4)",
        );
        found.note(!version.is_tls13() && suite.is_tls13(), "cipher_suite", "one of TLS 1.3 only (RFC 8446 appendix B.4)");
        let old = version.as_tls().rank() < ProtocolVersion::TLS12.rank();
        found.note(
            old && !suite.is_tls13() && suite.tag().is_some(),
            "cipher_suite",
            "an AEAD suite before TLS 1.2 (RFC 5246 section 6.2.3.3)",
        );
        let method = self.compression_method();
        let offered = offer.is_sslv2() || offer.compression_methods().contains(&method);
        found.note(!offered && method != 0, "compression_method", "not among those that the client offers (RFC 5246 section 7.4.1.3)");
        found.note(version.is_tls13() && method != 0, "compression_method", "not null (RFC 8446 section 4.1.3)");
    }

    fn extension_defects(&self, offer: &ClientHello, found: &mut Found) {
        let (mut seen, mut low_seen) = (0_usize, 0_u64);
        let mut used = 0_usize;
        for (kind, body) in self.extensions() {
            used += body.len() + 4;
            let twice = match bit(kind) {
                0 => self.extensions().take(seen).any(|(earlier, _)| earlier == kind),
                bit => low_seen & bit != 0,
            };
            low_seen |= bit(kind);
            found.extension(twice, kind, "listed twice (RFC 8446 section 4.2)");
            seen += 1;
            let signalled = kind == ExtensionType::RENEGOTIATION_INFO && offer.secure_renegotiation();
            let cookie = kind == ExtensionType::COOKIE && self.is_hello_retry_request();
            let solicited = signalled || cookie || offer.has(kind);
            found.extension(!solicited, kind, "answers an extension that the client did not send (RFC 8446 section 4.2)");
            if seen > MOST_EXTENSIONS {
                break;
            }
        }
        found.note(
            used < self.extension_list().len() && seen <= MOST_EXTENSIONS,
            "extensions",
            "an extension's length runs beyond the list (RFC 8446 section 4.2)",
        );
        let formats = self.extension(ExtensionType::EC_POINT_FORMATS).map(super::bytes::list8);
        found.note(
            formats.is_some_and(|formats| !formats.contains(&0)),
            "ec_point_formats",
            "lacks the uncompressed format (RFC 8422 section 5.2)",
        );
        let protocols = self.extension(ExtensionType::ALPN).map(|body| items8(list16(body)).count());
        found.note(protocols.is_some_and(|count| count != 1), ALPN, "does not hold exactly one protocol (RFC 7301 section 3.1)");
        let strange = self.alpn().is_some_and(|chosen| !offer.alpn().any(|offered| offered == chosen));
        found.note(strange, ALPN, "a protocol that the client did not offer (RFC 7301 section 3.1)");
    }

    fn tls13_defects(&self, offer: &ClientHello, found: &mut Found) {
        let retry = self.is_hello_retry_request();
        if !offer.is_dtls() && !self.early_draft {
            found.note(self.session_id() != offer.session_id(), "session_id", "not an echo of the client's (RFC 8446 section 4.1.3)");
        }
        for (kind, _) in self.extensions() {
            use ExtensionType as E;
            let fits = matches!(kind, E::SUPPORTED_VERSIONS | E::KEY_SHARE)
                || kind == E::PRE_SHARED_KEY && !retry
                || retry && matches!(kind, E::COOKIE | E::ENCRYPTED_CLIENT_HELLO)
                || kind == E::CONNECTION_ID && offer.is_dtls();
            found.extension(!fits, kind, "does not belong into this message in TLS 1.3 (RFC 8446 section 4.2)");
        }
        let Some(group) = self.key_share_group() else {
            found.note(
                !retry && self.selected_psk().is_none(),
                "key_share",
                "missing, and no pre-shared key instead (RFC 8446 section 4.1.3)",
            );
            let idle = retry && self.extension(ExtensionType::COOKIE).is_none();
            found.note(idle, "HelloRetryRequest", "asks for no change (RFC 8446 section 4.1.4)");
            return;
        };
        let shared = offer.key_shares().any(|(offered, _)| offered == group);
        let supported = offer.supported_groups().any(|offered| offered == group);
        found.note(!supported, "key_share", "a group that the client does not support (RFC 8446 section 4.2.8)");
        found.note(retry && shared, "key_share", "asks for a group whose share the client has sent (RFC 8446 section 4.2.8)");
        found.note(!retry && supported && !shared, "key_share", "a group for which the client sent no share (RFC 8446 section 4.2.8)");
        let beyond = self.selected_psk().is_some_and(|index| usize::from(index) >= offer.psk_identities());
        found.note(beyond, "pre_shared_key", "selects an identity that was not offered (RFC 8446 section 4.2.11)");
    }
}

struct Found(Vec<Defect>);

impl Found {
    fn note(&mut self, broken: bool, field: &'static str, rule: &'static str) {
        if broken {
            self.0.push(Defect { field, rule });
        }
    }

    fn extension(&mut self, broken: bool, kind: ExtensionType, rule: &'static str) {
        if broken {
            self.note(true, kind.name().unwrap_or("extension"), rule);
        }
    }
}

/// A type's bit in a set of those below 64.
fn bit(kind: ExtensionType) -> u64 {
    1_u64.checked_shl(u32::from(kind.0)).unwrap_or(0)
}

/// Version and random.
const FIXED_LEN: usize = 34;

/// SHA-256 of "`HelloRetryRequest`" (RFC 8446 section 4.1.3).
const HELLO_RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
    0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Most are shorter: with a session identifier, a key share on an elliptic curve and the version they take 118 bytes.
const USUAL_LEN: usize = 128;

/// Extensions compared with the offer: a server sends less than ten.
const MOST_EXTENSIONS: usize = 64;

const ALPN: &str = "application_layer_protocol_negotiation";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::client_hello::tests::{RFC8448_CLIENT_HELLO, hex};
    use proptest::prelude::*;

    /// RFC 8448 section 3, without the handshake header.
    const RFC8448_SERVER_HELLO: &str = "
        0303 a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e26928 00 1301 00 002e
        0033 0024 001d 0020 c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f 002b 0002 0304";

    /// RFC 8448 section 5, without the handshake header.
    const RFC8448_HELLO_RETRY: &str = "
        0303 cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c 00 1301 00 0084 0033 0002 0017 002c 0074 0072
        71dcd04bb88bc3189119398a00000000eefafc76c146b823b096f8aacad365dd0030953f4edf625636e5f21bb2e23fcc654b1b5b40318d10d137abcbb87574e3
        6e8a1f025f7dfa5d6e50781b5eda4aa15b0c8be778257d16aa3030e9e7841dd9e4c0342267e8ca0caf571fb2b7cff0f934b0 002b 0002 0304";

    fn offer() -> ClientHello {
        ClientHello::parse(&hex(RFC8448_CLIENT_HELLO)).unwrap()
    }

    fn rules(hello: &ServerHello, offer: &ClientHello) -> Vec<(&'static str, &'static str)> {
        hello.defects(offer).into_iter().map(|defect| (defect.field, defect.rule)).collect()
    }

    #[test]
    fn reads_the_server_hello_of_rfc_8448() {
        let hello = ServerHello::parse(&hex(RFC8448_SERVER_HELLO)).unwrap();
        assert!(!hello.is_hello_retry_request());
        assert_eq!((hello.legacy_version(), hello.version()), (ProtocolVersion::TLS12, ProtocolVersion::TLS13));
        assert_eq!(hello.cipher_suite(), CipherSuite(0x1301));
        assert_eq!(hello.key_share_group(), Some(NamedGroup::X25519));
        assert_eq!((hello.session_id().len(), hello.selected_psk(), hello.downgrade_sentinel()), (0, None, None));
        assert_eq!(rules(&hello, &offer()), []);
    }

    #[test]
    fn reads_the_hello_retry_request_of_rfc_8448() {
        let hello = ServerHello::parse(&hex(RFC8448_HELLO_RETRY)).unwrap();
        assert!(hello.is_hello_retry_request());
        assert_eq!(hello.key_share_group(), Some(NamedGroup::SECP256R1));
        assert_eq!(hello.extension(ExtensionType::COOKIE).unwrap().len(), 0x74);
        assert_eq!(rules(&hello, &offer()), []);
    }

    #[test]
    fn names_what_was_not_offered() {
        let mut bytes = hex(RFC8448_SERVER_HELLO);
        bytes[36] = 0x04; // TLS_AES_128_CCM_SHA256
        bytes[45] = 0x1e; // x448
        let hello = ServerHello::parse(&bytes).unwrap();
        let fields: Vec<_> = rules(&hello, &offer()).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["cipher_suite", "key_share"]);
    }

    #[test]
    fn names_the_downgrade_sentinel() {
        let mut bytes = hex("0303 0000000000000000000000000000000000000000000000004f574e4752440144 00 1301 00");
        bytes[26..34].copy_from_slice(b"DOWNGRD\x01");
        bytes[35..37].copy_from_slice(&[0xc0, 0x2f]);
        let hello = ServerHello::parse(&bytes).unwrap();
        assert_eq!(hello.version(), ProtocolVersion::TLS12);
        assert_eq!(hello.downgrade_sentinel(), Some(ProtocolVersion::TLS12));
        assert!(rules(&hello, &offer()).iter().any(|(field, _)| *field == "random"));
    }

    #[test]
    fn reads_an_early_draft() {
        let random = "a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e26928";
        let hello = ServerHello::parse(&hex(&format!("7f12 {random} 1301 0008 0033 0004 001d 0000"))).unwrap();
        assert_eq!((hello.version().draft(), hello.cipher_suite()), (Some(18), CipherSuite(0x1301)));
        assert_eq!((hello.session_id(), hello.key_share_group()), (&[][..], Some(NamedGroup::X25519)));
    }

    #[test]
    fn a_cut_message_is_read_as_far_as_it_goes() {
        let bytes = hex(RFC8448_SERVER_HELLO);
        assert_eq!(ServerHello::parse(&bytes[..36]), None);
        let hello = ServerHello::parse(&bytes[..50]).unwrap();
        assert_eq!(hello.cipher_suite(), CipherSuite(0x1301));
        assert_eq!(rules(&hello, &offer())[0].0, "extensions");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..110, byte: u8) {
            let mut changed = hex(RFC8448_SERVER_HELLO);
            if let Some(slot) = changed.get_mut(at) { *slot = byte; }
            for bytes in [bytes, changed] {
                if let Some(hello) = ServerHello::parse(&bytes) {
                    let _ = hello.defects(&offer());
                }
            }
        }
    }
}
