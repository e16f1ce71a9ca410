//! Key derivation: HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1) and the pseudorandom functions of TLS 1.2 (RFC 5246 section 5) and of
//! TLS 1.0 and 1.1 (RFC 2246 section 5).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

/// A hash function of key derivation or of a record MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Hash {
    /// Length of its output in bytes.
    #[expect(clippy::len_without_is_empty, reason = "the length of a digest is never zero")]
    pub const fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// HMAC over parts, one after the other (RFC 2104).
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Md5 => hmac_with::<Hmac<Md5>>(key, parts),
            Self::Sha1 => hmac_with::<Hmac<Sha1>>(key, parts),
            Self::Sha256 => hmac_with::<Hmac<Sha256>>(key, parts),
            Self::Sha384 => hmac_with::<Hmac<Sha384>>(key, parts),
        }
    }
}

fn hmac_with<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// HKDF-Expand-Label with an empty context: `None` for lengths that HKDF cannot give, or a hash that TLS 1.3 does not use.
pub fn expand_label(hash: Hash, secret: &[u8], label: &[u8], len: usize) -> Option<Vec<u8>> {
    expand(hash, secret, b"tls13 ", label, len)
}

/// The same with the prefix of DTLS 1.3 (RFC 9147 section 5.9).
pub fn expand_label_dtls(hash: Hash, secret: &[u8], label: &[u8], len: usize) -> Option<Vec<u8>> {
    expand(hash, secret, b"dtls13", label, len)
}

fn expand(hash: Hash, secret: &[u8], prefix: &[u8], label: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut info = u16::try_from(len).ok()?.to_be_bytes().to_vec();
    info.push(u8::try_from(prefix.len() + label.len()).ok()?);
    info.extend_from_slice(prefix);
    info.extend_from_slice(label);
    info.push(0);
    let mut out = vec![0; len];
    match hash {
        Hash::Sha256 => hkdf::Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, &mut out).ok()?,
        Hash::Sha384 => hkdf::Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, &mut out).ok()?,
        Hash::Md5 | Hash::Sha1 => return None,
    }
    Some(out)
}

/// P_hash (RFC 5246 section 5): as many bytes as asked for.
fn p_hash(hash: Hash, secret: &[u8], seed: &[&[u8]], len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + hash.len());
    let mut a = hash.hmac(secret, seed);
    while out.len() < len {
        let mut parts = vec![a.as_slice()];
        parts.extend_from_slice(seed);
        out.extend_from_slice(&hash.hmac(secret, &parts));
        a = hash.hmac(secret, &[&a]);
    }
    out.truncate(len);
    out
}

/// The pseudorandom function of TLS 1.2 with the suite's hash.
pub fn prf12(hash: Hash, secret: &[u8], label: &[u8], seed: [&[u8]; 2], len: usize) -> Vec<u8> {
    p_hash(hash, secret, &[label, seed[0], seed[1]], len)
}

/// The pseudorandom function of TLS 1.0 and 1.1: MD5 over the first half of the secret, SHA-1 over the second, combined.
pub fn prf10(secret: &[u8], label: &[u8], seed: [&[u8]; 2], len: usize) -> Vec<u8> {
    let half = secret.len().div_ceil(2);
    let first = secret.get(..half).unwrap_or_default();
    let second = secret.get(secret.len() - half..).unwrap_or_default();
    let seed = [label, seed[0], seed[1]];
    let mut out = p_hash(Hash::Md5, first, &seed, len);
    for (byte, other) in out.iter_mut().zip(p_hash(Hash::Sha1, second, &seed, len)) {
        *byte ^= other;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::client_hello::tests::hex;

    /// Test vector for the TLS 1.2 PRF with SHA-256 of the IETF TLS list (mailarchive, "TLS 1.2 PRF test vectors").
    #[test]
    fn prf_of_tls_12_with_sha256() {
        let secret = hex("9bbe436ba940f017b17652849a71db35");
        let seed = hex("a0ba9f936cda311827a6f796ffd5198c");
        let out = prf12(Hash::Sha256, &secret, b"test label", [&seed, &[]], 100);
        assert_eq!(
            out,
            hex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa0
                 22f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66")
        );
    }

    /// RFC 8448 section 3: server handshake traffic secret, and the keys that follow from it.
    #[test]
    fn keys_of_rfc_8448() {
        let secret = hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        assert_eq!(expand_label(Hash::Sha256, &secret, b"key", 16).unwrap(), hex("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(expand_label(Hash::Sha256, &secret, b"iv", 12).unwrap(), hex("5d313eb2671276ee13000b30"));
    }
}
