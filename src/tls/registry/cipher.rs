//! Cipher suites, and what diagnosis and decryption ask of one: tls-parser's copy of the registry, and rows of our own for what it lacks.

use std::fmt;

use tls_parser::{
    TlsCipherAu as Au, TlsCipherEnc as Cipher, TlsCipherEncMode as Mode, TlsCipherKx as Kx, TlsCipherMac as Mac, TlsCipherSuite, TlsPRF,
};

use super::cipher_rows::{ROWS, Registered};
use super::key_exchange::KeyExchange;

/// Cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CipherSuite(pub u16);

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

    /// What the registry says of it; `None` for values that it does not name, GREASE among them.
    pub fn registered(self) -> Option<Registered> {
        TlsCipherSuite::from_id(self.0).map(Registered::from).or_else(|| self.row().copied())
    }

    fn row(self) -> Option<&'static Registered> {
        ROWS.iter().find(|(value, _)| *value == self.0).map(|(_, row)| row)
    }

    /// The registered name; `None` for values without one, GREASE among them.
    pub fn name(self) -> Option<&'static str> {
        TlsCipherSuite::from_id(self.0).map(|suite| suite.name).or_else(|| self.row().map(|row| row.name))
    }

    /// The suite that prints so: a registered name, or a value without one.
    pub fn from_text(text: &str) -> Option<Self> {
        let registered = TlsCipherSuite::from_name(text).map(|suite| Self(suite.id.0));
        let row = || ROWS.iter().find(|(_, row)| row.name == text).map(|(value, _)| Self(*value));
        registered.or_else(row).or_else(|| super::number(text).and_then(|value| u16::try_from(value).ok()).map(Self))
    }

    /// A GREASE value (RFC 8701).
    pub const fn is_grease(self) -> bool {
        super::is_grease(self.0)
    }

    /// A signalling value, which names no suite.
    pub const fn is_signal(self) -> bool {
        matches!(self, Self::EMPTY_RENEGOTIATION_INFO_SCSV | Self::FALLBACK_SCSV)
    }

    /// A suite of TLS 1.3, of no use below: those with [`KeyExchange::Tls13`].
    pub const fn is_tls13(self) -> bool {
        matches!(self.0, 0x1301..=0x1307 | 0x00c6 | 0x00c7 | 0xc0b4 | 0xc0b5 | 0xc103..=0xc106)
    }

    /// How keys are agreed on.
    pub fn key_exchange(self) -> KeyExchange {
        self.registered().map_or(KeyExchange::Other, |suite| suite.key_exchange)
    }

    /// Length in bytes of the handshake hash: of TLS 1.3, or of the PRF in TLS 1.2. 32 (SHA-256) for suites that name none.
    pub fn hash_len(self) -> u8 {
        match self.0 {
            0x1301 | 0x1303 => return 32,
            0x1302 => return 48,
            _ => {}
        }
        match self.registered().map(|suite| suite.prf) {
            Some(TlsPRF::Sha384) => 48,
            Some(TlsPRF::Sha512) => 64,
            _ => 32,
        }
    }

    /// Length in bytes of the AEAD tag; `None` for suites with a MAC.
    pub fn tag(self) -> Option<u8> {
        // Those of RFC 8446 that everybody uses are asked for at every handshake.
        if matches!(self.0, 0x1301..=0x1303) {
            return Some(16);
        }
        self.registered()?.tag()
    }

    /// Goes with no version before TLS 1.2: it is an AEAD, or its MAC is of the SHA-2 family.
    pub fn needs_tls12(self) -> bool {
        self.registered().is_some_and(|suite| suite.tag().is_some() || matches!(suite.mac, Mac::HmacSha256 | Mac::HmacSha384))
    }

    /// The gravest reason for which peers refuse it; `None` for sound and for unknown suites.
    pub fn weakness(self) -> Option<Weakness> {
        use KeyExchange as K;
        let suite = self.registered()?;
        if self.is_signal() || self.is_tls13() {
            return None;
        }
        // Six 56-bit suites are for export by their name alone (draft-ietf-tls-56-bit-ciphersuites).
        let is_export = suite.key_bits == 40 || matches!(self.0, 0x0060..=0x0065);
        Some(match suite.cipher {
            Some(Cipher::Null) => Weakness::Null,
            _ if is_export => Weakness::Export,
            _ if matches!(suite.key_exchange, K::DhAnon | K::EcdhAnon) => Weakness::Anonymous,
            Some(Cipher::Des) => Weakness::Des,
            Some(Cipher::Rc4 | Cipher::Rc2) => Weakness::Rc4,
            _ if suite.mac == Mac::HmacMd5 => Weakness::Md5,
            Some(Cipher::TripleDes | Cipher::Idea) => Weakness::TripleDes,
            _ if matches!(suite.key_exchange, K::Rsa | K::DhRsa | K::DhDss | K::EcdhRsa | K::EcdhEcdsa) => Weakness::StaticKey,
            _ if suite.mode == Mode::Cbc => Weakness::Cbc,
            _ => return None,
        })
    }
}

impl Registered {
    /// Length in bytes of the AEAD tag; `None` for suites with a MAC.
    pub fn tag(&self) -> Option<u8> {
        // The registry's copy knows AEGIS, whose tags in TLS are as long as those of GCM, by a MAC; CCM_8 (RFC 6655) it tells from CCM by name only.
        match (self.mac, self.cipher) {
            (Mac::Aead, _) if self.name.contains("_CCM_8") => Some(8),
            (Mac::Aead, _) | (_, Some(Cipher::Aegis)) => Some(16),
            _ => None,
        }
    }
}

impl From<&TlsCipherSuite> for Registered {
    fn from(suite: &TlsCipherSuite) -> Self {
        let TlsCipherSuite { name, id, kx, au, enc: cipher, enc_mode: mode, enc_size: key_bits, mac, prf, .. } = *suite;
        let key_exchange = match (kx, au) {
            (Kx::Rsa, Au::Rsa) if key_bits == 40 || matches!(id.0, 0x0060..=0x0065) => KeyExchange::RsaExport,
            (Kx::Rsa, Au::Rsa) => KeyExchange::Rsa,
            (Kx::Dhe, Au::Rsa) => KeyExchange::DheRsa,
            (Kx::Dhe, Au::Dss) => KeyExchange::DheDss,
            (Kx::Dh, Au::Rsa) => KeyExchange::DhRsa,
            (Kx::Dh, Au::Dss) => KeyExchange::DhDss,
            (Kx::Ecdhe, Au::Rsa) => KeyExchange::EcdheRsa,
            (Kx::Ecdhe, Au::Ecdsa) => KeyExchange::EcdheEcdsa,
            (Kx::Ecdh, Au::Rsa) => KeyExchange::EcdhRsa,
            (Kx::Ecdh, Au::Ecdsa) => KeyExchange::EcdhEcdsa,
            (Kx::Psk, Au::Psk) => KeyExchange::Psk,
            (Kx::Dhe, Au::Psk) | (Kx::Psk, Au::Dhe) => KeyExchange::DhePsk,
            (Kx::Ecdhe, Au::Psk) => KeyExchange::EcdhePsk,
            (Kx::Rsa, Au::Psk) => KeyExchange::RsaPsk,
            (Kx::Dh, Au::Null) => KeyExchange::DhAnon,
            (Kx::Ecdh, Au::Null) => KeyExchange::EcdhAnon,
            (Kx::Srp, _) => KeyExchange::Srp,
            (Kx::Krb5, _) => KeyExchange::Krb5,
            (Kx::Tls13, _) => KeyExchange::Tls13,
            _ => KeyExchange::Other,
        };
        Self { name, key_exchange, cipher: Some(cipher), mode, key_bits, mac, prf }
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

    fn all() -> impl Iterator<Item = (CipherSuite, Registered)> {
        (0..=u16::MAX).map(CipherSuite).filter_map(|suite| Some((suite, suite.registered()?)))
    }

    #[test]
    fn every_value_has_one_row() {
        assert_eq!(all().count(), 402);
        assert!(ROWS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(ROWS.iter().all(|(value, _)| TlsCipherSuite::from_id(*value).is_none()));
        assert!(all().all(|(suite, registered)| suite.name() == Some(registered.name)));
    }

    #[test]
    fn what_the_rfcs_say() {
        let aes = CipherSuite(0x1302);
        assert_eq!((aes.key_exchange(), aes.hash_len(), aes.tag()), (KeyExchange::Tls13, 48, Some(16)));
        let gcm = CipherSuite(0xc02f);
        assert_eq!(gcm.to_string(), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        assert_eq!((gcm.key_exchange(), gcm.hash_len(), gcm.tag()), (KeyExchange::EcdheRsa, 32, Some(16)));
        assert_eq!(gcm.weakness(), None);
        assert_eq!(CipherSuite(0x1305).tag(), Some(8));
        assert_eq!((CipherSuite(0x1306).tag(), CipherSuite(0x1306).hash_len()), (Some(16), 64));
        assert_eq!(CipherSuite(0xc024).hash_len(), 48);
        assert_eq!((CipherSuite(0xc0ff).tag(), CipherSuite(0xc103).tag(), CipherSuite(0xe411).tag()), (Some(8), Some(16), None));
        assert_eq!(CipherSuite(0x002f).weakness(), Some(Weakness::StaticKey));
        assert_eq!(CipherSuite(0xc013).weakness(), Some(Weakness::Cbc));
        assert_eq!(CipherSuite(0x0005).weakness(), Some(Weakness::Rc4));
        assert_eq!(CipherSuite(0x0003).weakness(), Some(Weakness::Export));
        assert_eq!(CipherSuite(0x0014).weakness(), Some(Weakness::Export));
        assert_eq!(CipherSuite(0x0062).weakness(), Some(Weakness::Export));
        assert_eq!(CipherSuite(0x0009).weakness(), Some(Weakness::Des));
        assert_eq!(CipherSuite(0x000a).weakness(), Some(Weakness::TripleDes));
        assert_eq!(CipherSuite(0x0034).weakness(), Some(Weakness::Anonymous));
        assert_eq!(CipherSuite(0x003b).weakness(), Some(Weakness::Null));
        assert_eq!(CipherSuite(0x00a8).key_exchange(), KeyExchange::Psk);
        assert_eq!(CipherSuite(0x00ff).key_exchange(), KeyExchange::Other);
    }

    /// The registry names a suite by its parts: what the table says of a suite must be what its name says.
    #[test]
    fn parts_are_those_of_the_name() {
        for (suite, registered) in all().filter(|(suite, _)| !suite.is_signal()) {
            let name = registered.name;
            let has = |part: &str| name.contains(part);
            assert_eq!(registered.key_exchange == KeyExchange::Tls13, suite.is_tls13(), "{name}");
            let exchange = match name.strip_prefix("TLS_").unwrap_or(name).split_once("_WITH_").map_or("", |(exchange, _)| exchange) {
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
                _ if suite.is_tls13() => KeyExchange::Tls13,
                // Those of TLCP have no such word.
                _ if name.starts_with("ECDHE_SM") => KeyExchange::EcdheEcdsa,
                _ => KeyExchange::Other,
            };
            assert_eq!(registered.key_exchange, exchange, "{name}");
            let aead = ["_GCM_", "_CCM", "_POLY1305", "_MGM_", "_AEGIS_"].iter().any(|mode| has(mode));
            assert_eq!(registered.tag(), aead.then_some(if has("_CCM_8") { 8 } else { 16 }), "{name}");
            assert_eq!(registered.mode == Mode::Cbc, has("_CBC_"), "{name}");
            assert_eq!(registered.cipher == Some(Cipher::Null), has("_NULL") || has("TLS_SHA"), "{name}");
            assert_eq!(registered.cipher == Some(Cipher::Aes), has("_AES_"), "{name}");
            assert!(!has("_AES_") || has(&format!("_AES_{}_", registered.key_bits)), "{name}");
            assert_eq!(
                suite.hash_len(),
                if name.ends_with("_SHA384") {
                    48
                } else if name.ends_with("_SHA512") {
                    64
                } else {
                    32
                },
                "{name}"
            );
            assert_eq!(registered.mac == Mac::HmacMd5, name.ends_with("_MD5"), "{name}");
            let export = has("EXPORT") || has("_40_") || has("DES40") || has("_56_");
            assert_eq!(suite.weakness() == Some(Weakness::Export), export, "{name}");
        }
    }
}
