//! Suites that tls-parser does not list: those of GOST, of TLCP (GB/T 38636 section 6.4.5.2.1), of drafts that were deployed, and ECJPAKE of Thread.

use tls_parser::{TlsCipherEnc as Cipher, TlsCipherEncMode as Mode, TlsCipherMac as Mac, TlsPRF};

use super::key_exchange::{KeyExchange, KeyExchange as K};

/// A suite as registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The name.
    pub name: &'static str,
    /// How keys are agreed on.
    pub key_exchange: KeyExchange,
    /// The cipher; `None` for those of GOST and for Salsa20.
    pub cipher: Option<Cipher>,
    /// Its mode; `Null` where it has one alone.
    pub mode: Mode,
    /// Length of its key in bits; of no meaning for ChaCha20, of which the registry's copy says 128.
    pub key_bits: u16,
    /// What authenticates records.
    pub mac: Mac,
    /// The hash of key derivation; `Default` is that of the version.
    pub prf: TlsPRF,
}

const fn row(name: &'static str, key_exchange: K, cipher: Option<Cipher>, mac: Mac) -> Registered {
    Registered { name, key_exchange, cipher, mode: Mode::Null, key_bits: 256, mac, prf: TlsPRF::Default }
}

const fn salsa20(name: &'static str, key_exchange: K) -> Registered {
    row(name, key_exchange, None, Mac::HmacSha1)
}

const fn chacha20(name: &'static str, key_exchange: K) -> Registered {
    row(name, key_exchange, Some(Cipher::Chacha20_Poly1305), Mac::Aead)
}

/// Their MACs (Imit, OMAC) have no name in tls-parser.
const fn gost(name: &'static str) -> Registered {
    row(name, K::Other, None, Mac::Null)
}

const fn gost_null(name: &'static str) -> Registered {
    row(name, K::Other, Some(Cipher::Null), Mac::Null)
}

const fn gost13(name: &'static str) -> Registered {
    row(name, K::Tls13, None, Mac::Aead)
}

/// Suites of TLCP. SM1 and the MAC by SM3 have no name in tls-parser.
const fn tlcp(name: &'static str, key_exchange: K, cipher: Option<Cipher>, mode: Mode) -> Registered {
    let mac = if matches!(mode, Mode::Gcm) { Mac::Aead } else { Mac::Null };
    Registered { mode, key_bits: 128, prf: TlsPRF::Sm3, ..row(name, key_exchange, cipher, mac) }
}

/// Values and what is known of them.
pub(super) const ROWS: &[(u16, Registered)] = &[
    (0x0080, gost("TLS_GOSTR341094_WITH_28147_CNT_IMIT")),
    (0x0081, gost("TLS_GOSTR341001_WITH_28147_CNT_IMIT")),
    (0x0082, gost_null("TLS_GOSTR341094_WITH_NULL_GOSTR3411")),
    (0x0083, gost_null("TLS_GOSTR341001_WITH_NULL_GOSTR3411")),
    (
        0xc0ff,
        Registered { mode: Mode::Ccm, key_bits: 128, ..row("TLS_ECJPAKE_WITH_AES_128_CCM_8", K::Other, Some(Cipher::Aes), Mac::Aead) },
    ),
    (0xc100, gost("TLS_GOSTR341112_256_WITH_KUZNYECHIK_CTR_OMAC")),
    (0xc101, gost("TLS_GOSTR341112_256_WITH_MAGMA_CTR_OMAC")),
    (0xc102, gost("TLS_GOSTR341112_256_WITH_28147_CNT_IMIT")),
    (0xc103, gost13("TLS_GOSTR341112_256_WITH_KUZNYECHIK_MGM_L")),
    (0xc104, gost13("TLS_GOSTR341112_256_WITH_MAGMA_MGM_L")),
    (0xc105, gost13("TLS_GOSTR341112_256_WITH_KUZNYECHIK_MGM_S")),
    (0xc106, gost13("TLS_GOSTR341112_256_WITH_MAGMA_MGM_S")),
    (0xcc13, chacha20("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", K::EcdheRsa)),
    (0xcc14, chacha20("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", K::EcdheEcdsa)),
    (0xcc15, chacha20("TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", K::DheRsa)),
    (0xe001, tlcp("ECDHE_SM1_SM3", K::EcdheEcdsa, None, Mode::Null)),
    (0xe003, tlcp("ECC_SM1_SM3", K::Other, None, Mode::Null)),
    (0xe005, tlcp("IBSDH_SM1_SM3", K::Other, None, Mode::Null)),
    (0xe007, tlcp("IBC_SM1_SM3", K::Other, None, Mode::Null)),
    (0xe009, tlcp("RSA_SM1_SM3", K::Other, None, Mode::Null)),
    (0xe00a, tlcp("RSA_SM1_SHA1", K::Other, None, Mode::Null)),
    (0xe011, tlcp("ECDHE_SM4_CBC_SM3", K::EcdheEcdsa, Some(Cipher::Sm4), Mode::Cbc)),
    (0xe013, tlcp("ECC_SM4_CBC_SM3", K::Other, Some(Cipher::Sm4), Mode::Cbc)),
    (0xe015, tlcp("IBSDH_SM4_CBC_SM3", K::Other, Some(Cipher::Sm4), Mode::Cbc)),
    (0xe017, tlcp("IBC_SM4_CBC_SM3", K::Other, Some(Cipher::Sm4), Mode::Cbc)),
    (0xe019, tlcp("RSA_SM4_CBC_SM3", K::Other, Some(Cipher::Sm4), Mode::Cbc)),
    (0xe01a, tlcp("RSA_SM4_SHA1", K::Other, Some(Cipher::Sm4), Mode::Null)),
    (0xe01c, tlcp("RSA_SM4_CBC_SHA256", K::Other, Some(Cipher::Sm4), Mode::Cbc)),
    (0xe051, tlcp("ECDHE_SM4_GCM_SM3", K::EcdheEcdsa, Some(Cipher::Sm4), Mode::Gcm)),
    (0xe053, tlcp("ECC_SM4_GCM_SM3", K::Other, Some(Cipher::Sm4), Mode::Gcm)),
    (0xe055, tlcp("IBSDH_SM4_GCM_SM3", K::Other, Some(Cipher::Sm4), Mode::Gcm)),
    (0xe057, tlcp("IBC_SM4_GCM_SM3", K::Other, Some(Cipher::Sm4), Mode::Gcm)),
    (0xe059, tlcp("RSA_SM4_GCM_SM3", K::Other, Some(Cipher::Sm4), Mode::Gcm)),
    (0xe05a, tlcp("RSA_SM4_GCM_SHA256", K::Other, Some(Cipher::Sm4), Mode::Gcm)),
    (0xe410, salsa20("TLS_RSA_WITH_ESTREAM_SALSA20_SHA1", K::Rsa)),
    (0xe411, salsa20("TLS_RSA_WITH_SALSA20_SHA1", K::Rsa)),
    (0xe412, salsa20("TLS_ECDHE_RSA_WITH_ESTREAM_SALSA20_SHA1", K::EcdheRsa)),
    (0xe413, salsa20("TLS_ECDHE_RSA_WITH_SALSA20_SHA1", K::EcdheRsa)),
    (0xe414, salsa20("TLS_ECDHE_ECDSA_WITH_ESTREAM_SALSA20_SHA1", K::EcdheEcdsa)),
    (0xe415, salsa20("TLS_ECDHE_ECDSA_WITH_SALSA20_SHA1", K::EcdheEcdsa)),
    (0xe416, salsa20("TLS_PSK_WITH_ESTREAM_SALSA20_SHA1", K::Psk)),
    (0xe417, salsa20("TLS_PSK_WITH_SALSA20_SHA1", K::Psk)),
    (0xe418, salsa20("TLS_ECDHE_PSK_WITH_ESTREAM_SALSA20_SHA1", K::EcdhePsk)),
    (0xe419, salsa20("TLS_ECDHE_PSK_WITH_SALSA20_SHA1", K::EcdhePsk)),
    (0xe41a, salsa20("TLS_RSA_PSK_WITH_ESTREAM_SALSA20_SHA1", K::RsaPsk)),
    (0xe41b, salsa20("TLS_RSA_PSK_WITH_SALSA20_SHA1", K::RsaPsk)),
    (0xe41c, salsa20("TLS_DHE_PSK_WITH_ESTREAM_SALSA20_SHA1", K::DhePsk)),
    (0xe41d, salsa20("TLS_DHE_PSK_WITH_SALSA20_SHA1", K::DhePsk)),
    (0xe41e, salsa20("TLS_DHE_RSA_WITH_ESTREAM_SALSA20_SHA1", K::DheRsa)),
    (0xe41f, salsa20("TLS_DHE_RSA_WITH_SALSA20_SHA1", K::DheRsa)),
];
