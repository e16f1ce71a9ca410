//! Records of TLS ≤ 1.2 whose cipher is no AEAD: a block cipher in CBC mode, or none, with a MAC before or after encryption (RFC 5246 section
//! 6.2.3.1 and 6.2.3.2, RFC 7366).
//!
//! The MAC is always verified: it alone tells a key that fits from one that does not. Nobody can measure how long that takes, so that nothing
//! here runs in constant time.

use aes::{Aes128, Aes256};
use cbc::Decryptor;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;

use super::kdf::Hash;
use super::suite::Cipher;

/// One direction's keys.
pub(super) struct MacKeys {
    pub(super) cipher: Cipher,
    pub(super) key: Vec<u8>,
    pub(super) mac: Hash,
    pub(super) mac_key: Vec<u8>,
    /// TLS 1.0: the last block of the record before, at first from the key block. `None`: each record begins with its own.
    pub(super) iv: Option<Vec<u8>>,
    pub(super) encrypt_then_mac: bool,
}

impl MacKeys {
    /// Opens a record's body; `None` when its MAC does not fit. `header`: sequence number, type and version, or what else goes into the MAC
    /// before the length.
    pub(super) fn open(&mut self, header: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let mac_len = self.mac.len();
        if self.cipher == Cipher::Null {
            let (text, mac) = body.split_at_checked(body.len().checked_sub(mac_len)?)?;
            return self.verify(header, text, mac).then(|| text.to_vec());
        }
        let sealed = if self.encrypt_then_mac {
            let (sealed, mac) = body.split_at_checked(body.len().checked_sub(mac_len)?)?;
            if !self.verify(header, sealed, mac) {
                return None;
            }
            sealed
        } else {
            body
        };
        let block = self.cipher.block_len();
        let (iv, text) = match &self.iv {
            Some(iv) => (iv.as_slice(), sealed),
            None => sealed.split_at_checked(block)?,
        };
        if text.is_empty() || !text.len().is_multiple_of(block) {
            return None;
        }
        let mut text = text.to_vec();
        decrypt(self.cipher, &self.key, iv, &mut text)?;
        let padding = usize::from(*text.last()?);
        let (content, tail) = text.split_at_checked(text.len().checked_sub(padding + 1)?)?;
        if !tail.iter().all(|byte| usize::from(*byte) == padding) {
            return None;
        }
        let content = if self.encrypt_then_mac {
            content
        } else {
            let (content, mac) = content.split_at_checked(content.len().checked_sub(mac_len)?)?;
            if !self.verify(header, content, mac) {
                return None;
            }
            content
        };
        let content = content.to_vec();
        if let Some(iv) = &mut self.iv {
            *iv = sealed.get(sealed.len().checked_sub(block)?..)?.to_vec();
        }
        Some(content)
    }

    fn verify(&self, header: &[u8], text: &[u8], mac: &[u8]) -> bool {
        let Ok(len) = u16::try_from(text.len()) else { return false };
        self.mac.hmac(&self.mac_key, &[header, &len.to_be_bytes(), text]) == mac
    }
}

/// Decrypts whole blocks in place.
fn decrypt(cipher: Cipher, key: &[u8], iv: &[u8], text: &mut [u8]) -> Option<()> {
    fn with<D: BlockModeDecrypt + KeyIvInit>(key: &[u8], iv: &[u8], text: &mut [u8]) -> Option<()> {
        let mut mode = D::new_from_slices(key, iv).ok()?;
        for block in text.chunks_exact_mut(D::block_size()) {
            mode.decrypt_block(block.try_into().ok()?);
        }
        Some(())
    }
    match cipher {
        Cipher::Aes128Cbc => with::<Decryptor<Aes128>>(key, iv, text),
        Cipher::Aes256Cbc => with::<Decryptor<Aes256>>(key, iv, text),
        Cipher::TripleDesCbc => with::<Decryptor<TdesEde3>>(key, iv, text),
        _ => None,
    }
}
