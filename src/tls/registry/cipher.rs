//! Cipher suites, and what a diagnosis asks of one. All of it follows from the name.

use std::fmt;

use super::cipher_names::NAMES;

/// Cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CipherSuite(pub u16);

/// How a suite agrees on keys and proves who the server is. Suites of TLS 1.3 say neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyExchange {
    /// The premaster secret is encrypted to the server's RSA key: no forward secrecy.
    Rsa,
    /// The same with a temporary export-grade key.
    RsaExport,
    /// Ephemeral DH, RSA signature.
    DheRsa,
    /// Ephemeral DH, DSA signature.
    DheDss,
    /// Static DH key in an RSA-signed certificate.
    DhRsa,
    /// Static DH key in a DSA-signed certificate.
    DhDss,
    /// Ephemeral ECDH, RSA signature.
    EcdheRsa,
    /// Ephemeral ECDH, ECDSA or `EdDSA` signature.
    EcdheEcdsa,
    /// Static ECDH key in an RSA-signed certificate.
    EcdhRsa,
    /// Static ECDH key in an ECDSA-signed certificate.
    EcdhEcdsa,
    /// Pre-shared key alone.
    Psk,
    /// Pre-shared key with ephemeral DH.
    DhePsk,
    /// Pre-shared key with ephemeral ECDH.
    EcdhePsk,
    /// Pre-shared key with RSA encryption.
    RsaPsk,
    /// Ephemeral DH, nobody proves anything.
    DhAnon,
    /// Ephemeral ECDH, nobody proves anything.
    EcdhAnon,
    /// Secure remote password.
    Srp,
    /// Kerberos.
    Krb5,
    /// Negotiated apart from the suite (TLS 1.3).
    Tls13,
    /// GOST, signalling values, unknown suites.
    Other,
}

/// Why a suite is commonly refused, the gravest reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weakness {
    /// Does not encrypt.
    Null,
    /// 40- or 56-bit keys.
    Export,
    /// No authentication.
    Anonymous,
    /// Single DES.
    Des,
    /// RC2 or RC4 (RFC 7465).
    Rc4,
    /// MD5 as record MAC.
    Md5,
    /// 64-bit blocks: 3DES, IDEA (sweet32).
    TripleDes,
    /// No forward secrecy: RSA key transport, static (EC)DH.
    StaticKey,
    /// CBC with MAC-then-encrypt (unless `encrypt_then_mac` is negotiated).
    Cbc,
}

impl Weakness {
    /// What is wrong, in a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "no encryption",
            Self::Export => "export-grade key",
            Self::Anonymous => "no authentication",
            Self::Des => "DES",
            Self::Rc4 => "RC4",
            Self::Md5 => "MD5",
            Self::TripleDes => "64-bit blocks (3DES)",
            Self::StaticKey => "no forward secrecy",
            Self::Cbc => "CBC",
        }
    }
}

impl CipherSuite {
    /// Signals secure renegotiation (RFC 5746 section 3.3); never chosen.
    pub const EMPTY_RENEGOTIATION_INFO_SCSV: Self = Self(0x00ff);
    /// Signals a retry with a lower version (RFC 7507); never chosen.
    pub const FALLBACK_SCSV: Self = Self(0x5600);

    /// The registered name; `None` for values without one, GREASE among them.
    pub fn name(self) -> Option<&'static str> {
        let at = NAMES.binary_search_by_key(&self.0, |(value, _)| *value).ok()?;
        NAMES.get(at).map(|(_, name)| *name)
    }

    /// A GREASE value (RFC 8701).
    pub const fn is_grease(self) -> bool {
        super::is_grease(self.0)
    }

    /// A signalling value, which names no suite.
    pub const fn is_signal(self) -> bool {
        matches!(self, Self::EMPTY_RENEGOTIATION_INFO_SCSV | Self::FALLBACK_SCSV)
    }

    /// A suite of TLS 1.3, of no use below.
    pub const fn is_tls13(self) -> bool {
        matches!(self.0, 0x1301..=0x1305 | 0x00c6 | 0x00c7 | 0xc0b4 | 0xc0b5 | 0xc103..=0xc106)
    }

    /// How keys are agreed on.
    pub fn key_exchange(self) -> KeyExchange {
        if self.is_tls13() {
            return KeyExchange::Tls13;
        }
        let Some(name) = self.name() else { return KeyExchange::Other };
        let head = name.as_bytes().windows(6).position(|part| part == b"_WITH_").and_then(|end| name.get(4..end));
        match head.unwrap_or_default() {
            "RSA" => KeyExchange::Rsa,
            "RSA_EXPORT" | "RSA_EXPORT1024" => KeyExchange::RsaExport,
            "DHE_RSA" | "DHE_RSA_EXPORT" => KeyExchange::DheRsa,
            "DHE_DSS" | "DHE_DSS_EXPORT" | "DHE_DSS_EXPORT1024" => KeyExchange::DheDss,
            "DH_RSA" | "DH_RSA_EXPORT" => KeyExchange::DhRsa,
            "DH_DSS" | "DH_DSS_EXPORT" => KeyExchange::DhDss,
            "ECDHE_RSA" => KeyExchange::EcdheRsa,
            "ECDHE_ECDSA" => KeyExchange::EcdheEcdsa,
            "ECDH_RSA" => KeyExchange::EcdhRsa,
            "ECDH_ECDSA" => KeyExchange::EcdhEcdsa,
            "PSK" => KeyExchange::Psk,
            "DHE_PSK" | "PSK_DHE" => KeyExchange::DhePsk,
            "ECDHE_PSK" => KeyExchange::EcdhePsk,
            "RSA_PSK" => KeyExchange::RsaPsk,
            "DH_anon" | "DH_anon_EXPORT" => KeyExchange::DhAnon,
            "ECDH_anon" => KeyExchange::EcdhAnon,
            "SRP_SHA" | "SRP_SHA_RSA" | "SRP_SHA_DSS" => KeyExchange::Srp,
            "KRB5" | "KRB5_EXPORT" => KeyExchange::Krb5,
            _ => KeyExchange::Other,
        }
    }

    /// Length in bytes of the handshake hash: of TLS 1.3, or of the PRF in TLS 1.2. 48 for SHA-384, else 32.
    pub fn hash_len(self) -> u8 {
        match self.0 {
            0x1301 | 0x1303 => 32,
            0x1302 => 48,
            _ if self.name().is_some_and(|name| name.ends_with("_SHA384")) => 48,
            _ => 32,
        }
    }

    /// Length in bytes of the AEAD tag; `None` for suites with a MAC.
    pub fn tag(self) -> Option<u8> {
        // Those of RFC 8446 that everybody uses are asked for at every handshake.
        if matches!(self.0, 0x1301..=0x1303) {
            return Some(16);
        }
        let name = self.name()?;
        let aead = ["_GCM_", "_CCM", "_POLY1305", "_MGM_"].iter().any(|mode| name.contains(mode));
        match name {
            _ if !aead => None,
            _ if name.contains("_CCM_8") => Some(8),
            _ => Some(16),
        }
    }

    /// Bytes of explicit nonce in each record below TLS 1.3 (RFC 5288 section 3); zero for `ChaCha20` (RFC 7905), for TLS 1.3 and where there is no AEAD.
    pub fn explicit_nonce(self) -> u8 {
        match self.name() {
            Some(name) if !self.is_tls13() && (name.contains("_GCM_") || name.contains("_CCM")) => 8,
            _ => 0,
        }
    }

    /// A block cipher in CBC mode.
    pub fn is_cbc(self) -> bool {
        self.name().is_some_and(|name| name.contains("_CBC_"))
    }

    /// The suite needs TLS 1.2 (AEAD, or a MAC or PRF with SHA-256 or better) or 1.3.
    pub fn needs_tls12(self) -> bool {
        self.is_tls13() || self.tag().is_some() || self.name().is_some_and(|name| name.ends_with("_SHA256") || name.ends_with("_SHA384"))
    }

    /// Keys of past sessions stay safe when the server's key is lost.
    pub fn has_forward_secrecy(self) -> bool {
        use KeyExchange as K;
        matches!(
            self.key_exchange(),
            K::DheRsa | K::DheDss | K::EcdheRsa | K::EcdheEcdsa | K::DhePsk | K::EcdhePsk | K::DhAnon | K::EcdhAnon | K::Tls13
        )
    }

    /// The gravest reason for which peers refuse it; `None` for sound and for unknown suites.
    pub fn weakness(self) -> Option<Weakness> {
        let name = self.name()?;
        if self.is_signal() || self.is_tls13() {
            return None;
        }
        let has = |part: &str| name.contains(part);
        Some(match self.key_exchange() {
            _ if has("_NULL") => Weakness::Null,
            _ if has("EXPORT") || has("_40_") || has("DES40") || has("_56_") => Weakness::Export,
            KeyExchange::DhAnon | KeyExchange::EcdhAnon => Weakness::Anonymous,
            _ if has("_DES_CBC_") => Weakness::Des,
            _ if has("_RC4_") || has("_RC2_") => Weakness::Rc4,
            _ if name.ends_with("_MD5") => Weakness::Md5,
            _ if has("_3DES_") || has("_IDEA_") => Weakness::TripleDes,
            KeyExchange::Rsa | KeyExchange::DhRsa | KeyExchange::DhDss | KeyExchange::EcdhRsa | KeyExchange::EcdhEcdsa => {
                Weakness::StaticKey
            }
            _ if has("_CBC_") => Weakness::Cbc,
            _ => return None,
        })
    }
}

/// The name, or the value in hexadecimal.
impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// The name of a three-byte cipher kind of SSL 2.0; `None` for unknown ones and for TLS suites (first byte zero).
pub const fn sslv2_cipher_name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x01_00_80 => "SSL2_RC4_128_WITH_MD5",
        0x02_00_80 => "SSL2_RC4_128_EXPORT40_WITH_MD5",
        0x03_00_80 => "SSL2_RC2_128_CBC_WITH_MD5",
        0x04_00_80 => "SSL2_RC2_128_CBC_EXPORT40_WITH_MD5",
        0x05_00_80 => "SSL2_IDEA_128_CBC_WITH_MD5",
        0x06_00_40 => "SSL2_DES_64_CBC_WITH_MD5",
        0x07_00_c0 => "SSL2_DES_192_EDE3_CBC_WITH_MD5",
        0x08_00_80 => "SSL2_RC4_64_WITH_MD5",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn reads_facts_from_names() {
        let aes = CipherSuite(0x1302);
        assert_eq!((aes.key_exchange(), aes.hash_len(), aes.tag(), aes.explicit_nonce()), (KeyExchange::Tls13, 48, Some(16), 0));
        let gcm = CipherSuite(0xc02f);
        assert_eq!(gcm.to_string(), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        assert_eq!((gcm.key_exchange(), gcm.hash_len(), gcm.tag(), gcm.explicit_nonce()), (KeyExchange::EcdheRsa, 32, Some(16), 8));
        assert_eq!(gcm.weakness(), None);
        assert_eq!(CipherSuite(0x1305).tag(), Some(8));
        assert_eq!(CipherSuite(0xcca8).explicit_nonce(), 0);
        assert_eq!(CipherSuite(0x002f).weakness(), Some(Weakness::StaticKey));
        assert_eq!(CipherSuite(0xc013).weakness(), Some(Weakness::Cbc));
        assert_eq!(CipherSuite(0x0005).weakness(), Some(Weakness::Rc4));
        assert_eq!(CipherSuite(0x0003).weakness(), Some(Weakness::Export));
        assert_eq!(CipherSuite(0x0014).weakness(), Some(Weakness::Export));
        assert_eq!(CipherSuite(0x0009).weakness(), Some(Weakness::Des));
        assert_eq!(CipherSuite(0x000a).weakness(), Some(Weakness::TripleDes));
        assert_eq!(CipherSuite(0x0034).weakness(), Some(Weakness::Anonymous));
        assert_eq!(CipherSuite(0x003b).weakness(), Some(Weakness::Null));
        assert_eq!(CipherSuite(0x00a8).key_exchange(), KeyExchange::Psk);
        assert_eq!(CipherSuite(0x00ff).key_exchange(), KeyExchange::Other);
        assert!(CipherSuite(0xc027).needs_tls12() && !CipherSuite(0xc013).needs_tls12());
    }

    #[test]
    fn agrees_with_tls_parser_on_names() {
        for (value, name) in NAMES {
            if let Some(known) = tls_parser::TlsCipherSuite::from_id(*value) {
                assert_eq!(known.name, *name, "{value:04x}");
            }
        }
    }
}
