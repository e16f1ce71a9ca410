//! The `ClientHello` (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2, DTLS form RFC 6347 section 4.2.1, `SSLv2` form RFC 5246 appendix E.2).

mod defects;

use super::bytes::{Cursor, extensions, items8, list8, list16, u16s};
use super::registry::{CipherSuite, CompressionAlgorithm, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme, is_grease};

/// A `ClientHello`, owned: the message's bytes and where its parts lie. Accessors read in place and never fail: a malformed list ends early and
/// [`ClientHello::defects`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    bytes: Box<[u8]>,
    form: Form,
    session_id: Part,
    cookie: Part,
    cipher_suites: Part,
    compression_methods: Part,
    extensions: Part,
    places: Places,
    /// The first field whose length runs over the end, or that is missing.
    cut: Option<&'static str>,
    /// Bytes behind the last field.
    trailing: usize,
}

/// `encrypted_client_hello` in its outer form (RFC 9849 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ech {
    /// HPKE KDF identifier.
    pub kdf: u16,
    /// HPKE AEAD identifier.
    pub aead: u16,
    /// Configuration identifier.
    pub config_id: u8,
    /// Bytes of the encrypted inner hello.
    pub payload_len: usize,
}

/// A rule of the protocol that a message breaks: shared by both hellos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// The field, in RFC spelling.
    pub field: &'static str,
    /// The rule, one clause, with its RFC section: "listed twice (RFC 8446 section 4.2)".
    pub rule: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Stream,
    Datagram,
    Sslv2,
}

/// Where a field lies in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Part {
    start: u32,
    len: u32,
}

impl Part {
    fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start.saturating_add(self.len as usize)).unwrap_or(&[])
    }
}

/// Where the extensions lie in their list: they are asked for one by one, many times.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Places {
    /// By type, where the first one behind it begins, plus one; zero: there is none. The list's length has two bytes, and its last extension
    /// begins four before its end.
    low: [u16; 64],
    /// The same for the first one of all other types.
    high: u16,
    /// Types that are there more than once: of those below 64 a bit each, of the others whether there is more than one at all.
    low_twice: u64,
    several_high: bool,
    /// The last one ends where the list does.
    whole: bool,
}

impl Places {
    const NONE: Self = Self { low: [0; 64], high: 0, low_twice: 0, several_high: false, whole: true };

    fn fill(&mut self, list: &[u8]) {
        let mut end = 0;
        for (kind, body) in extensions(list) {
            let (place, low) = match self.low.get_mut(usize::from(kind)) {
                Some(place) => (place, true),
                None => (&mut self.high, false),
            };
            match *place {
                0 => *place = u16::try_from(end + 1).unwrap_or(0),
                _ if low => self.low_twice |= 1 << kind,
                _ => self.several_high = true,
            }
            end += 4 + body.len();
        }
        self.whole = end == list.len();
    }
}

/// The fields of a hello that is being read.
struct Fields<'a> {
    body_len: usize,
    cursor: Cursor<'a>,
    /// The first that is cut short.
    cut: Option<&'static str>,
}

impl<'a> Fields<'a> {
    const fn new(body: &'a [u8]) -> Self {
        Self { body_len: body.len(), cursor: Cursor::new(body), cut: None }
    }

    /// Takes a field behind its length, or as much of it as is there.
    fn take(&mut self, name: &'static str, len: impl Fn(&mut Cursor<'a>) -> Option<usize>) -> Part {
        let len = len(&mut self.cursor);
        let taken = self.cursor.at_most(len.unwrap_or(0)).len();
        if len.is_none_or(|len| taken < len) {
            self.cut.get_or_insert(name);
        }
        let start = self.body_len - self.cursor.rest().len() - taken;
        Part { start: u32::try_from(start).unwrap_or(u32::MAX), len: u32::try_from(taken).unwrap_or(u32::MAX) }
    }
}

impl ClientHello {
    /// Reads a message body (behind the 4-byte handshake header). `None` when not even the fixed part is there.
    pub fn parse(body: &[u8]) -> Option<Self> {
        Self::read(body, Form::Stream)
    }

    /// Reads a DTLS message body (behind the 12-byte handshake header): it has a cookie.
    pub fn parse_dtls(body: &[u8]) -> Option<Self> {
        Self::read(body, Form::Datagram)
    }

    /// Reads an `SSLv2` CLIENT-HELLO (behind the 2- or 3-byte record header).
    pub fn parse_sslv2(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(body);
        let cursor = &mut fields.cursor;
        if cursor.u8()? != 1 {
            return None;
        }
        let (_version, ciphers, session_id, challenge) = (cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?);
        Some(Self {
            form: Form::Sslv2,
            cipher_suites: fields.take("cipher_specs", |_| Some(usize::from(ciphers))),
            session_id: fields.take("session_id", |_| Some(usize::from(session_id))),
            cookie: fields.take("challenge", |_| Some(usize::from(challenge))),
            compression_methods: Part::default(),
            extensions: Part::default(),
            places: Places::NONE,
            cut: fields.cut,
            trailing: fields.cursor.rest().len(),
            bytes: body.into(),
        })
    }

    fn read(body: &[u8], form: Form) -> Option<Self> {
        let mut fields = Fields::new(body);
        fields.cursor.take(FIXED_LEN)?;
        let session_id = fields.take("session_id", Cursor::len8);
        let cookie = if form == Form::Datagram { fields.take("cookie", Cursor::len8) } else { Part::default() };
        let cipher_suites = fields.take("cipher_suites", Cursor::len16);
        let compression_methods = fields.take("compression_methods", Cursor::len8);
        let (mut extensions, mut places, mut trailing) = (Part::default(), Places::NONE, 0);
        // A hello without extensions ends here.
        if !fields.cursor.is_empty() && fields.cut.is_none() {
            extensions = fields.take("extensions", Cursor::len16);
            trailing = fields.cursor.rest().len();
            places.fill(extensions.of(body));
        }
        let (cut, bytes) = (fields.cut, body.into());
        Some(Self { bytes, form, session_id, cookie, cipher_suites, compression_methods, extensions, places, cut, trailing })
    }

    fn part(&self, part: Part) -> &[u8] {
        part.of(&self.bytes)
    }

    /// It came in an `SSLv2` record.
    pub fn is_sslv2(&self) -> bool {
        self.form == Form::Sslv2
    }

    /// It is a hello of DTLS.
    pub fn is_dtls(&self) -> bool {
        self.form == Form::Datagram
    }

    /// The body as on the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `client_version`, called `legacy_version` since TLS 1.3. In an `SSLv2` hello the version it asks for.
    pub fn legacy_version(&self) -> ProtocolVersion {
        let at = usize::from(self.is_sslv2());
        ProtocolVersion(self.bytes.get(at..).and_then(|rest| Cursor::new(rest).u16()).unwrap_or(0))
    }

    /// The 32 random bytes; in an `SSLv2` hello the challenge, 16 to 32 bytes.
    pub fn random(&self) -> &[u8] {
        if self.is_sslv2() { self.part(self.cookie) } else { self.bytes.get(2..FIXED_LEN).unwrap_or(&[]) }
    }

    /// The session identifier.
    pub fn session_id(&self) -> &[u8] {
        self.part(self.session_id)
    }

    /// The cookie of DTLS (RFC 6347 section 4.2.1); empty elsewhere and in a first hello. That of TLS 1.3 is an extension.
    pub fn dtls_cookie(&self) -> &[u8] {
        if self.is_dtls() { self.part(self.cookie) } else { &[] }
    }

    /// The cipher suites in the client's order, GREASE and signalling values included. Of an `SSLv2` hello those that TLS can choose.
    pub fn cipher_suites(&self) -> impl Iterator<Item = CipherSuite> + '_ {
        self.cipher_kinds().filter_map(|kind| u16::try_from(kind).ok()).map(CipherSuite)
    }

    /// The list of cipher suites as sent: two bytes for each, three in an `SSLv2` hello.
    pub fn cipher_suite_list(&self) -> &[u8] {
        self.part(self.cipher_suites)
    }

    /// All that it offers, in its order: suites by their two bytes, and of an `SSLv2` hello what belongs to SSL 2.0 itself by its three.
    pub fn cipher_kinds(&self) -> impl Iterator<Item = u32> + '_ {
        let (two, three) =
            if self.is_sslv2() { (&[][..], self.part(self.cipher_suites)) } else { (self.part(self.cipher_suites), &[][..]) };
        u16s(two).map(u32::from).chain(three.as_chunks::<3>().0.iter().map(|[a, b, c]| u32::from_be_bytes([0, *a, *b, *c])))
    }

    /// The same without GREASE.
    pub fn offered_kinds(&self) -> impl Iterator<Item = u32> + '_ {
        self.cipher_kinds().filter(|kind| !u16::try_from(*kind).is_ok_and(is_grease))
    }

    /// The three-byte cipher kinds of an `SSLv2` hello that belong to SSL 2.0 itself; see [`super::registry::sslv2_cipher_name`].
    pub fn sslv2_ciphers(&self) -> impl Iterator<Item = u32> + '_ {
        self.cipher_kinds().filter(|kind| *kind > 0xffff)
    }

    /// The list of extensions as sent.
    pub fn extension_list(&self) -> &[u8] {
        self.part(self.extensions)
    }

    /// The compression methods.
    pub fn compression_methods(&self) -> &[u8] {
        self.part(self.compression_methods)
    }

    /// Type and body of each extension, in order.
    pub fn extensions(&self) -> impl Iterator<Item = (ExtensionType, &[u8])> + '_ {
        extensions(self.part(self.extensions)).map(|(kind, body)| (ExtensionType(kind), body))
    }

    /// The body of the first extension of this type.
    pub fn extension(&self, kind: ExtensionType) -> Option<&[u8]> {
        let list = self.part(self.extensions);
        let Some(place) = self.places.low.get(usize::from(kind.0)) else {
            let list = list.get(usize::from(self.places.high.checked_sub(1)?)..)?;
            return extensions(list).find(|(found, _)| *found == kind.0).map(|(_, body)| body);
        };
        Cursor::new(list.get(usize::from(place.checked_sub(1)?) + 2..)?).vec16()
    }

    /// Whether there is an extension of this type.
    pub fn has(&self, kind: ExtensionType) -> bool {
        self.places.low.get(usize::from(kind.0)).map_or_else(|| self.extension(kind).is_some(), |place| *place > 0)
    }

    /// The `host_name` of `server_name`, raw.
    pub fn server_name(&self) -> Option<&[u8]> {
        let mut names = Cursor::new(list16(self.extension(ExtensionType::SERVER_NAME)?));
        while let (Some(kind), Some(name)) = (names.u8(), names.vec16()) {
            if kind == 0 {
                return Some(name);
            }
        }
        None
    }

    /// The `supported_versions` extension as sent (GREASE included); empty without the extension.
    pub fn supported_versions(&self) -> impl Iterator<Item = ProtocolVersion> + '_ {
        u16s(list8(self.extension(ExtensionType::SUPPORTED_VERSIONS).unwrap_or(&[]))).map(ProtocolVersion)
    }

    /// Has a `supported_versions` extension: then it says all that it offers.
    pub fn lists_versions(&self) -> bool {
        self.has(ExtensionType::SUPPORTED_VERSIONS)
    }

    /// Offers this version: by `supported_versions`, else `legacy_version` is that version or a newer one (a legacy hello offers everything up to
    /// it, down to SSL 3.0 in principle).
    pub fn offers(&self, version: ProtocolVersion) -> bool {
        if self.lists_versions() {
            return self.supported_versions().any(|offered| offered == version);
        }
        let (most, asked) = (self.legacy_version(), version);
        !asked.is_tls13()
            && asked.is_dtls() == most.is_dtls()
            && asked.rank() > 0
            && asked.rank() <= most.rank().max(u32::from(most.0) << 8)
    }

    /// Highest offered version that is not GREASE.
    pub fn highest_version(&self) -> ProtocolVersion {
        let listed = self.supported_versions().filter(|version| !version.is_grease());
        listed.max_by_key(|version| version.rank()).unwrap_or_else(|| self.legacy_version())
    }

    /// Lowest version in `supported_versions`; `None` without the extension (unknown: the client does not say).
    pub fn lowest_version(&self) -> Option<ProtocolVersion> {
        self.supported_versions().filter(|version| version.rank() > 0).min_by_key(|version| version.rank())
    }

    /// `supported_groups`, in the client's order.
    pub fn supported_groups(&self) -> impl Iterator<Item = NamedGroup> + '_ {
        u16s(list16(self.extension(ExtensionType::SUPPORTED_GROUPS).unwrap_or(&[]))).map(NamedGroup)
    }

    /// Group and `key_exchange` length in bytes of each key share.
    pub fn key_shares(&self) -> impl Iterator<Item = (NamedGroup, usize)> + '_ {
        let shares = list16(self.extension(ExtensionType::KEY_SHARE).unwrap_or(&[]));
        extensions(shares).map(|(group, share)| (NamedGroup(group), share.len()))
    }

    /// `signature_algorithms`, in the client's order.
    pub fn signature_algorithms(&self) -> impl Iterator<Item = SignatureScheme> + '_ {
        u16s(list16(self.extension(ExtensionType::SIGNATURE_ALGORITHMS).unwrap_or(&[]))).map(SignatureScheme)
    }

    /// Application protocols, raw, in the client's order.
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> + '_ {
        items8(list16(self.extension(ExtensionType::ALPN).unwrap_or(&[])))
    }

    /// `psk_key_exchange_modes`: 0 `psk_ke`, 1 `psk_dhe_ke`.
    pub fn psk_key_exchange_modes(&self) -> &[u8] {
        list8(self.extension(ExtensionType::PSK_KEY_EXCHANGE_MODES).unwrap_or(&[]))
    }

    /// Each identity in `pre_shared_key`, and its age field: zero for external keys (RFC 8446 section 4.2.11).
    fn psk_list(&self) -> impl Iterator<Item = (&[u8], u32)> + '_ {
        let mut cursor = Cursor::new(list16(self.extension(ExtensionType::PRE_SHARED_KEY).unwrap_or(&[])));
        std::iter::from_fn(move || Some((cursor.vec16()?, cursor.u32()?)))
    }

    /// Number of identities in `pre_shared_key`.
    pub fn psk_identities(&self) -> usize {
        self.psk_list().count()
    }

    /// `pre_shared_key` names keys agreed on outside of TLS rather than tickets: their age is zero.
    pub fn psk_is_external(&self) -> bool {
        self.psk_identities() > 0 && self.psk_list().all(|(_, age)| age == 0)
    }

    /// Offers early data.
    pub fn offers_early_data(&self) -> bool {
        self.has(ExtensionType::EARLY_DATA)
    }

    /// `session_ticket` extension with a non-empty ticket: its length.
    pub fn session_ticket_len(&self) -> Option<usize> {
        self.extension(ExtensionType::SESSION_TICKET).map(<[u8]>::len).filter(|len| *len > 0)
    }

    /// The ticket that the client would resume with: the first identity of `pre_shared_key` in TLS 1.3, unless its key was agreed on outside of
    /// TLS, and the `session_ticket` extension below.
    pub fn ticket(&self, tls13: bool) -> Option<&[u8]> {
        if tls13 {
            self.psk_list().find(|(_, age)| *age != 0).map(|(identity, _)| identity)
        } else {
            self.extension(ExtensionType::SESSION_TICKET).filter(|ticket| !ticket.is_empty())
        }
    }

    /// Has the `extended_master_secret` extension (RFC 7627).
    pub fn extended_master_secret(&self) -> bool {
        self.has(ExtensionType::EXTENDED_MASTER_SECRET)
    }

    /// `renegotiation_info` extension or the SCSV (RFC 5746).
    pub fn secure_renegotiation(&self) -> bool {
        self.has(ExtensionType::RENEGOTIATION_INFO) || self.cipher_suites().any(|suite| suite == CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV)
    }

    /// Asks for a stapled status.
    pub fn status_request(&self) -> bool {
        self.has(ExtensionType::STATUS_REQUEST)
    }

    /// Has the `post_handshake_auth` extension.
    pub fn post_handshake_auth(&self) -> bool {
        self.has(ExtensionType::POST_HANDSHAKE_AUTH)
    }

    /// Certificate compression algorithms.
    pub fn compress_certificate(&self) -> impl Iterator<Item = CompressionAlgorithm> + '_ {
        u16s(list8(self.extension(ExtensionType::COMPRESS_CERTIFICATE).unwrap_or(&[]))).map(CompressionAlgorithm)
    }

    /// `encrypted_client_hello` of the outer hello. Browsers send a random one (GREASE) to servers without ECH; nobody can tell.
    pub fn ech(&self) -> Option<Ech> {
        let mut cursor = Cursor::new(self.extension(ExtensionType::ENCRYPTED_CLIENT_HELLO)?);
        if cursor.u8()? != 0 {
            return None;
        }
        let (kdf, aead, config_id) = (cursor.u16()?, cursor.u16()?, cursor.u8()?);
        cursor.vec16()?;
        Some(Ech { kdf, aead, config_id, payload_len: cursor.vec16()?.len() })
    }

    /// `record_size_limit` (RFC 8449).
    pub fn record_size_limit(&self) -> Option<u16> {
        Cursor::new(self.extension(ExtensionType::RECORD_SIZE_LIMIT)?).u16()
    }

    /// `max_fragment_length` (RFC 6066 section 4): 1 for 512 bytes up to 4 for 4096.
    pub fn max_fragment_length(&self) -> Option<u8> {
        self.extension(ExtensionType::MAX_FRAGMENT_LENGTH)?.first().copied()
    }

    /// `ec_point_formats`; `None` without the extension.
    pub fn ec_point_formats(&self) -> Option<&[u8]> {
        self.extension(ExtensionType::EC_POINT_FORMATS).map(list8)
    }

    /// Lists or lengths that contradict each other, duplicate extensions, `pre_shared_key` not last, `key_share` without `supported_groups`…: what a
    /// strict server rejects.
    pub fn defects(&self) -> Vec<Defect> {
        defects::of(self)
    }
}

/// Version and random.
const FIXED_LEN: usize = 34;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "test data is short")]
pub(crate) mod tests;
