//! How a cipher suite agrees on keys.

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
