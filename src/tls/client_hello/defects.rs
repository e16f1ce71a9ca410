//! What a strict server finds wrong with a `ClientHello`.

use std::net::IpAddr;

use crate::tls::bytes::{Cursor, extensions, list8, list16};
use crate::tls::registry::{ExtensionType, ProtocolVersion};

use super::{ClientHello, Defect};

/// Every rule that the hello breaks.
pub(super) fn of(hello: &ClientHello) -> Vec<Defect> {
    let mut found = Found(Vec::new());
    found.lengths(hello);
    if !hello.is_sslv2() {
        let tls13 = hello.offers(ProtocolVersion::TLS13);
        found.fixed_fields(hello, tls13);
        found.extension_list(hello);
        found.legacy_extensions(hello);
        if tls13 {
            found.key_exchange(hello);
        }
        found.pre_shared_keys(hello);
    }
    found.0
}

struct Found(Vec<Defect>);

impl Found {
    fn note(&mut self, broken: bool, field: &'static str, rule: &'static str) {
        if broken {
            self.0.push(Defect { field, rule });
        }
    }

    fn lengths(&mut self, hello: &ClientHello) {
        if let Some(field) = hello.cut {
            self.note(true, field, "its length runs beyond the end of the message (RFC 8446 section 4)");
        }
        self.note(hello.trailing > 0, "ClientHello", "bytes follow the last field (RFC 8446 section 4)");
    }

    fn fixed_fields(&mut self, hello: &ClientHello, tls13: bool) {
        self.note(hello.session_id().len() > 32, "session_id", "longer than 32 bytes (RFC 8446 section 4.1.2)");
        if hello.cut.is_some() {
            return;
        }
        self.note(hello.cipher_suites.len == 0, "cipher_suites", "empty (RFC 8446 section 4.1.2)");
        self.note(hello.cipher_suites.len % 2 == 1, "cipher_suites", "its length is odd (RFC 8446 section 4.1.2)");
        let methods = hello.compression_methods();
        self.note(!methods.contains(&0), "compression_methods", "lacks the null method (RFC 5246 section 7.4.1.2)");
        self.note(
            tls13 && methods != [0],
            "compression_methods",
            "holds more than the null method though TLS 1.3 is offered (RFC 8446 section 4.1.2)",
        );
        let beyond = !hello.is_dtls() && hello.legacy_version().0 >= ProtocolVersion::TLS13.0;
        self.note(beyond, "legacy_version", "above 0x0303 (RFC 8446 section 4.1.2)");
    }

    fn extension_list(&mut self, hello: &ClientHello) {
        self.note(
            hello.cut.is_none() && !hello.places.whole,
            "extensions",
            "an extension's length runs beyond the list (RFC 8446 section 4.2)",
        );
        if let Some(twice) = listed_twice(hello) {
            self.note(true, twice.name().unwrap_or("extensions"), "listed twice (RFC 8446 section 4.2)");
        }
        for (kind, body) in hello.extensions() {
            self.extension_shape(kind, body);
        }
    }

    /// Whether an extension's body is the list its type says.
    fn extension_shape(&mut self, kind: ExtensionType, body: &[u8]) {
        use ExtensionType as E;
        let exact16 = |unit| fills(list16(body), body.len().checked_sub(2), unit);
        let exact8 = |unit| fills(list8(body), body.len().checked_sub(1), unit);
        let (whole, rule) = match kind {
            E::SERVER_NAME => (exact16(1) && is_server_name(list16(body)), "not a list of one host name (RFC 6066 section 3)"),
            E::SUPPORTED_GROUPS => (exact16(2), "not a list of two-byte groups (RFC 8446 section 4.2.7)"),
            E::SIGNATURE_ALGORITHMS | E::SIGNATURE_ALGORITHMS_CERT => {
                (exact16(2), "not a list of two-byte schemes (RFC 8446 section 4.2.3)")
            }
            E::SUPPORTED_VERSIONS => (exact8(2), "not a list of two-byte versions (RFC 8446 section 4.2.1)"),
            E::ALPN => (exact16(1) && is_names8(list16(body)), "not a list of non-empty protocol names (RFC 7301 section 3.1)"),
            E::PSK_KEY_EXCHANGE_MODES => (exact8(1), "not a list of modes (RFC 8446 section 4.2.9)"),
            E::EC_POINT_FORMATS => (exact8(1), "not a list of point formats (RFC 8422 section 5.1.2)"),
            E::COMPRESS_CERTIFICATE => (exact8(2), "not a list of two-byte algorithms (RFC 8879 section 3)"),
            E::KEY_SHARE => (is_key_share(body), "not a list of key shares (RFC 8446 section 4.2.8)"),
            E::EXTENDED_MASTER_SECRET => (body.is_empty(), "not empty (RFC 7627 section 5.1)"),
            E::ENCRYPT_THEN_MAC => (body.is_empty(), "not empty (RFC 7366 section 2)"),
            E::POST_HANDSHAKE_AUTH => (body.is_empty(), "not empty (RFC 8446 section 4.2.6)"),
            E::EARLY_DATA => (body.is_empty(), "not empty (RFC 8446 section 4.2.10)"),
            E::MAX_FRAGMENT_LENGTH => (matches!(body, [1..=4]), "none of the four lengths (RFC 6066 section 4)"),
            E::RECORD_SIZE_LIMIT => {
                (Cursor::new(body).u16().is_some_and(|limit| limit >= 64) && body.len() == 2, "below 64 (RFC 8449 section 4)")
            }
            E::RENEGOTIATION_INFO => (list8(body).len() + 1 == body.len(), "its length is wrong (RFC 5746 section 3.2)"),
            E::COOKIE => (exact16(1), "not a cookie (RFC 8446 section 4.2.2)"),
            _ => return,
        };
        if !whole {
            self.note(true, kind.name().unwrap_or("extension"), rule);
        }
    }

    fn legacy_extensions(&mut self, hello: &ClientHello) {
        let compressed_only = hello.ec_point_formats().is_some_and(|formats| !formats.is_empty() && !formats.contains(&0));
        self.note(compressed_only, "ec_point_formats", "lacks the uncompressed format (RFC 8422 section 5.1.2)");
        if let Some(name) = hello.server_name() {
            let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'/' | b'@' | b',');
            let strange = !name.iter().all(|byte| byte.is_ascii_lowercase() || plain(byte));
            // IPv4 ends in a digit, and IPv6 has colons.
            let literal = (strange || name.last().is_some_and(u8::is_ascii_digit)) && is_address(name);
            self.note(literal, "server_name", "an IP address, where only names are allowed (RFC 6066 section 3)");
            self.note(name.ends_with(b"."), "server_name", "ends in a dot (RFC 6066 section 3)");
            self.note(strange && !literal, "server_name", "holds bytes that no host name has (RFC 6066 section 3)");
        }
    }

    fn key_exchange(&mut self, hello: &ClientHello) {
        let has = |kind| hello.has(kind);
        let psk = has(ExtensionType::PRE_SHARED_KEY);
        let (shares, groups) = (has(ExtensionType::KEY_SHARE), has(ExtensionType::SUPPORTED_GROUPS));
        self.note(shares && !groups, "supported_groups", "missing though key_share is there (RFC 8446 section 9.2)");
        self.note(groups && !shares, "key_share", "missing though TLS 1.3 and supported_groups are offered (RFC 8446 section 9.2)");
        self.note(!shares && !groups && !psk, "key_share", "missing, and no pre-shared key instead (RFC 8446 section 9.2)");
        let signatures = has(ExtensionType::SIGNATURE_ALGORITHMS);
        self.note(!signatures && !psk, "signature_algorithms", "missing though TLS 1.3 is offered (RFC 8446 section 9.2)");
        for (at, (group, len)) in hello.key_shares().take(MOST_SHARES).enumerate() {
            let twice = hello.key_shares().take(at).any(|(earlier, _)| earlier == group);
            self.note(twice, "key_share", "two shares for one group (RFC 8446 section 4.2.8)");
            self.note(
                groups && !hello.supported_groups().any(|offered| offered == group),
                "key_share",
                "a share for a group that supported_groups lacks (RFC 8446 section 4.2.8)",
            );
            self.note(
                group.client_share_len().is_some_and(|right| right != len),
                "key_share",
                "a share of the wrong length for its group (RFC 8446 section 4.2.8)",
            );
            self.note(len == 0, "key_share", "an empty share (RFC 8446 section 4.2.8)");
        }
    }

    fn pre_shared_keys(&mut self, hello: &ClientHello) {
        let early = hello.offers_early_data();
        let Some(body) = hello.extension(ExtensionType::PRE_SHARED_KEY) else {
            self.note(early, "early_data", "without pre_shared_key (RFC 8446 section 4.2.10)");
            return;
        };
        let last = hello.extensions().last().is_some_and(|(kind, _)| kind == ExtensionType::PRE_SHARED_KEY);
        self.note(!last, "pre_shared_key", "not the last extension (RFC 8446 section 4.2.11)");
        let modes = hello.has(ExtensionType::PSK_KEY_EXCHANGE_MODES);
        self.note(!modes, "psk_key_exchange_modes", "missing though pre_shared_key is there (RFC 8446 section 4.2.9)");
        let identities = hello.psk_identities();
        let mut cursor = Cursor::new(body);
        let binders = cursor.vec16().and_then(|_| cursor.vec16()).map_or(0, |list| super::items8(list).count());
        self.note(identities == 0, "pre_shared_key", "no identity (RFC 8446 section 4.2.11)");
        self.note(binders != identities, "pre_shared_key", "as many binders as identities are due (RFC 8446 section 4.2.11)");
    }
}

/// The lowest extension type that is there more than once.
fn listed_twice(hello: &ClientHello) -> Option<ExtensionType> {
    let low = hello.places.low_twice.trailing_zeros();
    if low < 64 {
        return u16::try_from(low).ok().map(ExtensionType);
    }
    if !hello.places.several_high {
        return None;
    }
    let mut high: Vec<ExtensionType> = hello.extensions().map(|(kind, _)| kind).filter(|kind| kind.0 >= 64).collect();
    high.sort_unstable();
    high.windows(2).find_map(|pair| if let [a, b] = pair { (a == b).then_some(*a) } else { None })
}

/// A list that is not empty, takes up all the room behind its length, and holds whole items of so many bytes.
fn fills(list: &[u8], room: Option<usize>, unit: usize) -> bool {
    !list.is_empty() && Some(list.len()) == room && list.len().is_multiple_of(unit)
}

/// An IP address written out.
fn is_address(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|text| text.parse::<IpAddr>().is_ok())
}

/// One `host_name`, not empty, and nothing behind it. Other name types were never defined.
fn is_server_name(list: &[u8]) -> bool {
    let mut cursor = Cursor::new(list);
    cursor.u8() == Some(0) && cursor.vec16().is_some_and(|name| !name.is_empty()) && cursor.is_empty()
}

fn is_names8(list: &[u8]) -> bool {
    let mut cursor = Cursor::new(list);
    while let Some(name) = cursor.vec8() {
        if name.is_empty() {
            return false;
        }
    }
    cursor.is_empty()
}

/// A list, which may be empty: it asks for a `HelloRetryRequest`.
fn is_key_share(body: &[u8]) -> bool {
    let list = list16(body);
    let used: usize = extensions(list).map(|(_, share)| share.len().saturating_add(4)).sum();
    body.len() == list.len() + 2 && used == list.len()
}

/// Key shares looked at: clients send one to three.
const MOST_SHARES: usize = 32;
