//! Fingerprints of hellos: JA3 and JA3S (md5, salesforce/ja3), JA4 (`FoxIO`, BSD-3 part of JA4+). GREASE counts for nothing in any of them.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::client_hello::ClientHello;
use super::registry::{ExtensionType, ProtocolVersion, is_grease};
use super::server_hello::ServerHello;

/// What carries the hello: JA4's first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// TLS over TCP.
    Tcp,
    /// QUIC.
    Quic,
    /// DTLS.
    Dtls,
}

/// What JA3 hashes: version, suites, extensions, groups and point formats in decimal.
pub fn ja3_text(hello: &ClientHello) -> String {
    let mut text = String::with_capacity(320);
    let _ = write!(text, "{},", hello.legacy_version().0);
    join(&mut text, hello.cipher_suites().map(|suite| suite.0));
    text.push(',');
    join(&mut text, hello.extensions().map(|(kind, _)| kind.0));
    text.push(',');
    join(&mut text, hello.supported_groups().map(|group| group.0));
    text.push(',');
    join(&mut text, hello.ec_point_formats().unwrap_or(&[]).iter().map(|format| u16::from(*format)));
    text
}

/// JA3: 32 hexadecimal digits.
pub fn ja3(hello: &ClientHello) -> String {
    HEXLOWER.encode(&Md5::digest(ja3_text(hello)))
}

/// What JA3S hashes: version, suite and extensions in decimal. The version is that of the `legacy_version` field.
pub fn ja3s_text(hello: &ServerHello) -> String {
    let mut text = String::with_capacity(64);
    let _ = write!(text, "{},{},", hello.legacy_version().0, hello.cipher_suite().0);
    join(&mut text, hello.extensions().map(|(kind, _)| kind.0));
    text
}

/// JA3S: 32 hexadecimal digits.
pub fn ja3s(hello: &ServerHello) -> String {
    HEXLOWER.encode(&Md5::digest(ja3s_text(hello)))
}

/// JA4: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub fn ja4(hello: &ClientHello, carrier: Carrier) -> String {
    let mut suites = without_grease(hello.cipher_suites().map(|suite| suite.0));
    let mut kinds = without_grease(hello.extensions().map(|(kind, _)| kind.0));
    let mut text = String::with_capacity(36);
    text.push(match carrier {
        Carrier::Tcp => 't',
        Carrier::Quic => 'q',
        Carrier::Dtls => 'd',
    });
    text.push_str(ja4_version(hello.highest_version()));
    text.push(if hello.extension(ExtensionType::SERVER_NAME).is_some() { 'd' } else { 'i' });
    let _ = write!(text, "{:02}{:02}", suites.len().min(99), kinds.len().min(99));
    text.extend(ja4_alpn(hello.alpn().next().unwrap_or(&[])));

    suites.sort_unstable();
    text.push('_');
    text.push_str(&ja4_hash(&hex_list(&suites)));

    kinds.retain(|kind| *kind != ExtensionType::SERVER_NAME.0 && *kind != ExtensionType::ALPN.0);
    kinds.sort_unstable();
    let mut list = hex_list(&kinds);
    let schemes = without_grease(hello.signature_algorithms().map(|scheme| scheme.0));
    if !kinds.is_empty() && !schemes.is_empty() {
        list.push('_');
        list.push_str(&hex_list(&schemes));
    }
    text.push('_');
    text.push_str(&ja4_hash(&list));
    text
}

const fn ja4_version(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLS13 => "13",
        ProtocolVersion::TLS12 => "12",
        ProtocolVersion::TLS11 => "11",
        ProtocolVersion::TLS10 => "10",
        ProtocolVersion::SSL3 => "s3",
        ProtocolVersion::SSL2 => "s2",
        ProtocolVersion::DTLS10 => "d1",
        ProtocolVersion::DTLS12 => "d2",
        ProtocolVersion::DTLS13 => "d3",
        _ => "00",
    }
}

/// First and last character of the first protocol; of its hexadecimal form where either is not a letter or digit.
fn ja4_alpn(protocol: &[u8]) -> [char; 2] {
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)];
    }
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// The first twelve hexadecimal digits of the list's SHA-256; twelve zeros for an empty list.
fn ja4_hash(list: &str) -> String {
    if list.is_empty() {
        return "000000000000".to_owned();
    }
    let mut digits = HEXLOWER.encode(&Sha256::digest(list));
    digits.truncate(12);
    digits
}

fn without_grease(values: impl Iterator<Item = u16>) -> Vec<u16> {
    let mut list = Vec::with_capacity(32);
    list.extend(values.filter(|value| !is_grease(*value)));
    list
}

fn hex_list(values: &[u16]) -> String {
    let mut list = String::with_capacity(values.len() * 5);
    for value in values {
        if !list.is_empty() {
            list.push(',');
        }
        for shift in [12, 8, 4, 0] {
            list.push(char::from_digit(u32::from(value >> shift & 0xf), 16).unwrap_or('0'));
        }
    }
    list
}

/// Appends the values in decimal with dashes between, GREASE left out.
fn join(text: &mut String, values: impl Iterator<Item = u16>) {
    for (at, value) in values.filter(|value| !is_grease(*value)).enumerate() {
        if at > 0 {
            text.push('-');
        }
        for unit in [10_000, 1000, 100, 10, 1] {
            if value >= unit || unit == 1 {
                text.push(char::from_digit(u32::from(value / unit % 10), 10).unwrap_or('0'));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::client_hello::tests::{RFC8448_CLIENT_HELLO, build, hex};

    #[test]
    fn writes_the_text_of_ja3() {
        let hello = ClientHello::parse(&hex(RFC8448_CLIENT_HELLO)).unwrap();
        assert_eq!(ja3_text(&hello), "771,4865-4867-4866,0-65281-10-35-51-43-13-45-28,29-23-24-25-256-257-258-259-260,");
    }

    #[test]
    fn hashes_with_md5() {
        // The example of the JA3 publication.
        assert_eq!(
            HEXLOWER.encode(&Md5::digest("769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0")),
            "ada70206e40642a3e4461f35503241d5"
        );
    }

    #[test]
    fn leaves_grease_out_of_ja3() {
        let list: &[(u16, &[u8])] = &[(0x1a1a, &[]), (0x000a, &[0, 4, 0x2a, 0x2a, 0, 0x1d]), (0x000b, &[1, 0])];
        let hello = ClientHello::parse(&build(0x0303, &[0x4a4a, 0x1301], list)).unwrap();
        assert_eq!(ja3_text(&hello), "771,4865,10-11,29,0");
    }

    /// The example of the JA4 specification: Chrome's suites, extensions and algorithms.
    #[test]
    fn agrees_with_the_example_of_ja4() {
        let suites =
            [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035];
        let list: &[(u16, &[u8])] = &[
            (0x001b, &[]),
            (0x0000, &[0, 4, 0, 0, 1, b'a']),
            (0x0033, &[]),
            (0x0010, &[0, 3, 2, b'h', b'2']),
            (0x4469, &[]),
            (0x0017, &[]),
            (0x002d, &[]),
            (0x000d, &[0, 16, 4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1]),
            (0x0005, &[]),
            (0x0023, &[]),
            (0x0012, &[]),
            (0x002b, &[2, 3, 4]),
            (0xff01, &[]),
            (0x000b, &[]),
            (0x000a, &[]),
            (0x0015, &[]),
        ];
        let hello = ClientHello::parse(&build(0x0303, &suites, list)).unwrap();
        assert_eq!(ja4(&hello, Carrier::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn ja4_of_a_bare_hello() {
        let hello = ClientHello::parse(&build(0x0300, &[], &[])).unwrap();
        assert_eq!(ja4(&hello, Carrier::Tcp), "ts3i000000_000000000000_000000000000");
    }

    #[test]
    fn ja4_takes_hexadecimal_digits_of_strange_protocols() {
        assert_eq!(ja4_alpn(b"h2"), ['h', '2']);
        assert_eq!(ja4_alpn(b"http/1.1"), ['h', '1']);
        assert_eq!(ja4_alpn(&[0xab, 0xcd]), ['a', 'd']);
        assert_eq!(ja4_alpn(&[0x30, 0xab]), ['3', 'b']);
        assert_eq!(ja4_alpn(b"a"), ['a', 'a']);
        assert_eq!(ja4_alpn(b""), ['0', '0']);
    }
}
