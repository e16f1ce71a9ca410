//! What a cipher suite protects records with, and the AEAD algorithms themselves (RFC 5116; CCM_8: RFC 6655).

use aead::{KeyInit, Nonce, Payload};
use aes::{Aes128, Aes256};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use ccm::aead;
use ccm::consts::{U8, U12, U16};
use chacha20poly1305::ChaCha20Poly1305;
use tls_parser::{TlsCipherEnc as Enc, TlsCipherEncMode as Mode, TlsCipherMac, TlsPRF};

use super::kdf::Hash;
use crate::tls::registry::CipherSuite;

/// What a suite protects records with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// The cipher.
    pub cipher: Cipher,
    /// The hash of the record MAC; of no meaning for AEAD ciphers.
    pub mac: Hash,
    /// The hash of key derivation, in TLS 1.2 and 1.3.
    pub hash: Hash,
}

/// A cipher that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// `AES_128_GCM`.
    Aes128Gcm,
    /// `AES_256_GCM`.
    Aes256Gcm,
    /// `CHACHA20_POLY1305`.
    ChaCha20Poly1305,
    /// `AES_128_CCM`.
    Aes128Ccm,
    /// `AES_256_CCM`.
    Aes256Ccm,
    /// `AES_128_CCM_8`.
    Aes128Ccm8,
    /// `AES_256_CCM_8`.
    Aes256Ccm8,
    /// `AES_128_CBC`.
    Aes128Cbc,
    /// `AES_256_CBC`.
    Aes256Cbc,
    /// `3DES_EDE_CBC`.
    TripleDesCbc,
    /// `NULL`: a MAC and nothing else.
    Null,
}

impl Protection {
    /// How this suite protects records; `None` for unknown suites and those that cannot be opened here (RC4, Camellia, ARIA, GOST…).
    pub fn of(suite: CipherSuite) -> Option<Self> {
        let registered = suite.registered()?;
        let short = registered.tag() == Some(8);
        let cipher = match (registered.cipher?, registered.mode, registered.key_bits) {
            (Enc::Aes, Mode::Gcm, 128) => Cipher::Aes128Gcm,
            (Enc::Aes, Mode::Gcm, 256) => Cipher::Aes256Gcm,
            (Enc::Aes, Mode::Ccm, 128) if short => Cipher::Aes128Ccm8,
            (Enc::Aes, Mode::Ccm, 256) if short => Cipher::Aes256Ccm8,
            (Enc::Aes, Mode::Ccm, 128) => Cipher::Aes128Ccm,
            (Enc::Aes, Mode::Ccm, 256) => Cipher::Aes256Ccm,
            (Enc::Aes, Mode::Cbc, 128) => Cipher::Aes128Cbc,
            (Enc::Aes, Mode::Cbc, 256) => Cipher::Aes256Cbc,
            (Enc::TripleDes, ..) => Cipher::TripleDesCbc,
            (Enc::Chacha20_Poly1305, ..) => Cipher::ChaCha20Poly1305,
            (Enc::Null, ..) if !suite.is_tls13() => Cipher::Null,
            _ => return None,
        };
        let hash = if registered.prf == TlsPRF::Sha384 { Hash::Sha384 } else { Hash::Sha256 };
        let mac = match registered.mac {
            TlsCipherMac::Aead => hash,
            TlsCipherMac::HmacMd5 => Hash::Md5,
            TlsCipherMac::HmacSha1 => Hash::Sha1,
            TlsCipherMac::HmacSha256 => Hash::Sha256,
            TlsCipherMac::HmacSha384 => Hash::Sha384,
            TlsCipherMac::HmacSha512 | TlsCipherMac::Null => return None,
        };
        Some(Self { cipher, mac, hash })
    }
}

impl Cipher {
    /// Length of its key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 | Self::Aes128Cbc => 16,
            Self::Aes256Gcm | Self::Aes256Ccm | Self::Aes256Ccm8 | Self::Aes256Cbc | Self::ChaCha20Poly1305 => 32,
            Self::TripleDesCbc => 24,
            Self::Null => 0,
        }
    }

    /// Encrypts and authenticates in one.
    pub const fn is_aead(self) -> bool {
        !matches!(self, Self::Aes128Cbc | Self::Aes256Cbc | Self::TripleDesCbc | Self::Null)
    }

    /// Length of a block in bytes; 1 for what has none.
    pub const fn block_len(self) -> usize {
        match self {
            Self::Aes128Cbc | Self::Aes256Cbc => 16,
            Self::TripleDesCbc => 8,
            _ => 1,
        }
    }

    /// Length in bytes of the authentication tag; zero for what is no AEAD cipher.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Ccm8 | Self::Aes256Ccm8 => 8,
            _ if self.is_aead() => 16,
            _ => 0,
        }
    }
}

/// An AEAD cipher with its key.
pub(super) enum Aead {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
    Aes128Ccm(Box<Ccm<Aes128, U16, U12>>),
    Aes256Ccm(Box<Ccm<Aes256, U16, U12>>),
    Aes128Ccm8(Box<Ccm<Aes128, U8, U12>>),
    Aes256Ccm8(Box<Ccm<Aes256, U8, U12>>),
}

impl Aead {
    /// `None` for ciphers that are none, and keys of another length.
    pub(super) fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        fn boxed<A: KeyInit>(key: &[u8]) -> Option<Box<A>> {
            A::new_from_slice(key).ok().map(Box::new)
        }
        Some(match cipher {
            Cipher::Aes128Gcm => Self::Aes128Gcm(boxed(key)?),
            Cipher::Aes256Gcm => Self::Aes256Gcm(boxed(key)?),
            Cipher::ChaCha20Poly1305 => Self::ChaCha20Poly1305(boxed(key)?),
            Cipher::Aes128Ccm => Self::Aes128Ccm(boxed(key)?),
            Cipher::Aes256Ccm => Self::Aes256Ccm(boxed(key)?),
            Cipher::Aes128Ccm8 => Self::Aes128Ccm8(boxed(key)?),
            Cipher::Aes256Ccm8 => Self::Aes256Ccm8(boxed(key)?),
            Cipher::Aes128Cbc | Cipher::Aes256Cbc | Cipher::TripleDesCbc | Cipher::Null => return None,
        })
    }

    /// Opens ciphertext with its tag; `None` when they do not fit.
    pub(super) fn open(&self, nonce: [u8; 12], aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
        self.keyed().open(nonce, Payload { msg, aad })
    }

    /// Seals, for tests.
    #[cfg(test)]
    pub(super) fn seal(&self, nonce: [u8; 12], aad: &[u8], msg: &[u8]) -> Vec<u8> {
        self.keyed().seal(nonce, Payload { msg, aad }).unwrap()
    }

    fn keyed(&self) -> &dyn Keyed {
        match self {
            Self::Aes128Gcm(aead) => aead.as_ref(),
            Self::Aes256Gcm(aead) => aead.as_ref(),
            Self::ChaCha20Poly1305(aead) => aead.as_ref(),
            Self::Aes128Ccm(aead) => aead.as_ref(),
            Self::Aes256Ccm(aead) => aead.as_ref(),
            Self::Aes128Ccm8(aead) => aead.as_ref(),
            Self::Aes256Ccm8(aead) => aead.as_ref(),
        }
    }
}

/// Any AEAD cipher with its key.
trait Keyed {
    fn open(&self, nonce: [u8; 12], sealed: Payload<'_, '_>) -> Option<Vec<u8>>;

    #[cfg(test)]
    fn seal(&self, nonce: [u8; 12], text: Payload<'_, '_>) -> Option<Vec<u8>>;
}

impl<A: aead::Aead> Keyed for A {
    fn open(&self, nonce: [u8; 12], sealed: Payload<'_, '_>) -> Option<Vec<u8>> {
        self.decrypt(&Nonce::<A>::try_from(nonce.as_slice()).ok()?, sealed).ok()
    }

    #[cfg(test)]
    fn seal(&self, nonce: [u8; 12], text: Payload<'_, '_>) -> Option<Vec<u8>> {
        self.encrypt(&Nonce::<A>::try_from(nonce.as_slice()).ok()?, text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites() {
        let of = |suite| Protection::of(CipherSuite(suite)).map(|p| (p.cipher, p.mac, p.hash));
        assert_eq!(of(0x1301), Some((Cipher::Aes128Gcm, Hash::Sha256, Hash::Sha256)));
        assert_eq!(of(0x1302), Some((Cipher::Aes256Gcm, Hash::Sha384, Hash::Sha384)));
        assert_eq!(of(0x1303).unwrap().0, Cipher::ChaCha20Poly1305);
        assert_eq!(of(0x1304).unwrap().0, Cipher::Aes128Ccm);
        assert_eq!(of(0x1305).unwrap().0, Cipher::Aes128Ccm8);
        assert_eq!(of(0xc030), Some((Cipher::Aes256Gcm, Hash::Sha384, Hash::Sha384)));
        assert_eq!(of(0xcca8).unwrap().0, Cipher::ChaCha20Poly1305);
        assert_eq!(of(0xc09d).unwrap().0, Cipher::Aes256Ccm);
        assert_eq!(of(0xc0ae).unwrap().0, Cipher::Aes128Ccm8);
        assert_eq!(of(0x002f), Some((Cipher::Aes128Cbc, Hash::Sha1, Hash::Sha256)));
        assert_eq!(of(0xc028), Some((Cipher::Aes256Cbc, Hash::Sha384, Hash::Sha384)));
        assert_eq!(of(0x000a).unwrap().0, Cipher::TripleDesCbc);
        assert_eq!(of(0x0002), Some((Cipher::Null, Hash::Sha1, Hash::Sha256)));
        assert_eq!(of(0x0005), None);
    }

    #[test]
    fn gcm_and_chacha_agree_with_ring() {
        use ring::aead::{self as other, LessSafeKey, UnboundKey};
        let pairs: [(Cipher, &other::Algorithm); 3] = [
            (Cipher::Aes128Gcm, &other::AES_128_GCM),
            (Cipher::Aes256Gcm, &other::AES_256_GCM),
            (Cipher::ChaCha20Poly1305, &other::CHACHA20_POLY1305),
        ];
        for (cipher, algorithm) in pairs {
            for len in [0, 1, 15, 16, 17, 255, 1400, 16_640] {
                let key: Vec<u8> = (0..cipher.key_len()).map(|i| u8::try_from((i * 7 + len) % 256).unwrap()).collect();
                let nonce: [u8; 12] = std::array::from_fn(|i| u8::try_from((i * 3 + len) % 256).unwrap());
                let text: Vec<u8> = (0..len).map(|i| u8::try_from(i * 5 % 256).unwrap()).collect();
                let mut sealed = text.clone();
                LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap())
                    .seal_in_place_append_tag(other::Nonce::assume_unique_for_key(nonce), other::Aad::from(b"header"), &mut sealed)
                    .unwrap();
                let ours = Aead::new(cipher, &key).unwrap();
                assert_eq!(ours.open(nonce, b"header", &sealed), Some(text), "{cipher:?} {len}");
                assert_eq!(ours.open(nonce, b"Header", &sealed), None);
                *sealed.last_mut().unwrap() ^= 1;
                assert_eq!(ours.open(nonce, b"header", &sealed), None);
            }
        }
    }
}
