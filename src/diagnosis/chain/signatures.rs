//! Signatures, each verified once, and no more of them than a budget of work allows.
//!
//! Whoever can open connections past a sensor chooses what it must verify, and a signature is a thousand times dearer than a packet. So there is an
//! account for each chain, for each server, and for all of them together. The last two fill up with the time of the packets, never with that of a
//! clock: the same capture is judged alike on every machine.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use sha2::{Digest, Sha256};

use crate::limits;
use crate::time::Timestamp;
use crate::tls::certificate::{Certificate, Claim};

/// What came of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// It verifies.
    Yes,
    /// It does not.
    No,
    /// The verifier knows not the algorithm, or refuses a key of that size.
    Unknown,
    /// Not looked at: the budget is spent.
    Unpaid,
}

impl From<Option<bool>> for Signed {
    fn from(answer: Option<bool>) -> Self {
        match answer {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Unknown,
        }
    }
}

/// Signatures that are known, and the accounts that new ones are paid from.
#[derive(Debug)]
pub(super) struct Signatures {
    /// By certificate and key, both as SHA-256: spares reading the certificates anew.
    answers: Recent<([u8; 32], [u8; 32]), Option<bool>>,
    /// By SHA-256 of key, signed bytes and signature: the same for a verifier that knows no certificates.
    verified: Recent<[u8; 32], bool>,
    accounts: Option<Accounts>,
    /// Work left for the chain at hand.
    chain: u64,
}

/// Accounts of work, in nanoseconds.
#[derive(Debug)]
struct Accounts {
    all: Account,
    servers: Recent<IpAddr, Account>,
    server: Option<IpAddr>,
    now: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    left: u64,
    at: Timestamp,
}

impl Account {
    /// Fills it up: one nanosecond of work for so many of packet time, at most so much.
    fn fill(&mut self, now: Timestamp, share: u64, most: u64) {
        let passed = u64::try_from(now.since(self.at).as_nanos()).unwrap_or(u64::MAX);
        self.left = self.left.saturating_add(passed / share).min(most);
        self.at = self.at.max(now);
    }
}

impl Signatures {
    /// For whoever has time.
    pub(super) fn unlimited() -> Self {
        Self { answers: Recent::default(), verified: Recent::default(), accounts: None, chain: u64::MAX }
    }

    /// Within the bounds of [`limits`].
    pub(super) fn within_budget() -> Self {
        let all = Account { left: limits::SIGNATURE_WORK_SAVED, at: Timestamp::MIN };
        Self { accounts: Some(Accounts { all, servers: Recent::default(), server: None, now: Timestamp::MIN }), ..Self::unlimited() }
    }

    /// A chain comes next, served at that time by this server.
    pub(super) fn begin(&mut self, now: Timestamp, server: IpAddr) {
        let Some(accounts) = &mut self.accounts else { return };
        self.chain = limits::CHAIN_WORK;
        accounts.server = Some(server);
        accounts.now = accounts.now.max(now);
    }

    /// Whether the certificate was signed with the key of this issuer.
    pub(super) fn check(&mut self, certificate: &Certificate, issuer: &Certificate) -> Signed {
        self.answer(certificate, issuer.spki_sha256, || certificate.claim(issuer))
    }

    /// The same with a key that stands alone, as the DER of a `SubjectPublicKeyInfo`.
    pub(super) fn check_key(&mut self, certificate: &Certificate, key: &[u8]) -> Signed {
        self.answer(certificate, Sha256::digest(key).into(), || certificate.claim_with_key(key))
    }

    fn answer<'c>(&mut self, certificate: &Certificate, key: [u8; 32], claim: impl FnOnce() -> Option<Claim<'c>>) -> Signed {
        let question = (certificate.sha256, key);
        if let Some(known) = self.answers.get(&question) {
            return known.into();
        }
        let Some(claim) = claim() else { return Signed::Unknown };
        let answer = if let Some(answer) = claim.settled() {
            answer
        } else {
            let (key, message, signature) = claim.parts();
            match self.settle(key, message, signature, || claim.verify()) {
                Ok(answer) => answer,
                Err(Unpaid) => return Signed::Unpaid,
            }
        };
        self.answers.insert(question, answer);
        answer.into()
    }

    /// From memory, or verified if it can be paid for.
    fn settle(
        &mut self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
        verify: impl FnOnce() -> Option<bool>,
    ) -> Result<Option<bool>, Unpaid> {
        let mut hash = Sha256::new();
        for part in [key, message, signature] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let question: [u8; 32] = hash.finalize().into();
        if let Some(known) = self.verified.get(&question) {
            return Ok(Some(known));
        }
        self.pay(work(key))?;
        let answer = verify();
        if let Some(answer) = answer {
            self.verified.insert(question, answer);
        }
        Ok(answer)
    }

    fn pay(&mut self, work: u64) -> Result<(), Unpaid> {
        let Some(Accounts { all, servers, server, now }) = &mut self.accounts else { return Ok(()) };
        let mut own = server.and_then(|server| servers.get(&server)).unwrap_or(Account { left: limits::SERVER_WORK_SAVED, at: *now });
        own.fill(*now, limits::SERVER_WORK_SHARE, limits::SERVER_WORK_SAVED);
        all.fill(*now, limits::SIGNATURE_WORK_SHARE, limits::SIGNATURE_WORK_SAVED);
        let paid = (|| Some((self.chain.checked_sub(work)?, own.left.checked_sub(work)?, all.left.checked_sub(work)?)))();
        if let Some((chain, server, left)) = paid {
            (self.chain, own.left, all.left) = (chain, server, left);
        }
        if let Some(server) = server {
            servers.insert(*server, own);
        }
        paid.map(drop).ok_or(Unpaid)
    }
}

/// The budget is spent.
struct Unpaid;

/// What a signature costs to verify with a key of this kind, in nanoseconds on a core of some years ago. `key` is the content of the key's BIT STRING.
fn work(key: &[u8]) -> u64 {
    match (key.len(), key.first()) {
        (..=57, _) | (65, Some(4)) => 120_000,
        (97, Some(4)) => 650_000,
        // RSA: quadratic in the modulus' length, linear in the exponent's.
        (len, _) => {
            let kilobits = (len as u64).saturating_mul(8).div_ceil(1024);
            let small = key.ends_with(&[2, 3, 1, 0, 1]) || key.ends_with(&[2, 1, 3]);
            kilobits.saturating_mul(kilobits).saturating_mul(if small { 9_000 } else { 36_000 })
        }
    }
}

/// An algorithm of the verifier's that asks [`Signatures`] first.
pub(super) struct Thrifty<'a> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    with: &'a Mutex<Spending<'a>>,
}

/// Signatures as used by a verifier, and whether one was left out.
#[derive(Debug)]
pub(super) struct Spending<'a> {
    pub(super) signatures: &'a mut Signatures,
    pub(super) unpaid: bool,
}

impl<'a> Thrifty<'a> {
    pub(super) fn all(with: &'a Mutex<Spending<'a>>) -> Vec<Self> {
        webpki::ALL_VERIFICATION_ALGS.iter().map(|algorithm| Self { algorithm: *algorithm, with }).collect()
    }
}

impl std::fmt::Debug for Thrifty<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.algorithm.fmt(f)
    }
}

impl SignatureVerificationAlgorithm for Thrifty<'_> {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let mut with = self.with.lock().unwrap_or_else(PoisonError::into_inner);
        let verify = || Some(self.algorithm.verify_signature(public_key, message, signature).is_ok());
        match with.signatures.settle(public_key, message, signature, verify) {
            Ok(Some(true)) => Ok(()),
            Ok(_) => Err(InvalidSignature),
            Err(Unpaid) => {
                with.unpaid = true;
                Err(InvalidSignature)
            }
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

/// A bounded map. Two generations: when the young one is full it becomes the old one, and what was not asked for in the meantime is forgotten.
#[derive(Debug)]
struct Recent<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        let hasher = RandomState::default();
        Self { young: HashMap::with_hasher(hasher.clone()), old: HashMap::with_hasher(hasher) }
    }
}

impl<K: Hash + Eq + Copy, V: Copy> Recent<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(*value);
        }
        let value = *self.old.get(key)?;
        self.insert(*key, value);
        Some(value)
    }

    fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= limits::SIGNATURES / 2 && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    /// Of so many chains with one new signature each, made with a key of P-256, how many are verified.
    fn verified(signatures: &mut Signatures, server: IpAddr, second: i64, first: u32, count: u32) -> usize {
        let mut key = [0; 65];
        key[0] = 4;
        let paid = |number: u32| {
            signatures.begin(Timestamp::from_parts(second, 0), server);
            signatures.settle(&key, &number.to_be_bytes(), b"signature", || Some(true)).is_ok()
        };
        (first..first + count).map(paid).filter(|paid| *paid).count()
    }

    #[test]
    fn a_server_has_an_account_that_fills_up_with_packet_time() {
        let mut signatures = Signatures::within_budget();
        let burst = usize::try_from(limits::SERVER_WORK_SAVED / 120_000).unwrap();
        let a_second = usize::try_from(1_000_000_000 / limits::SERVER_WORK_SHARE / 120_000).unwrap();
        assert_eq!(verified(&mut signatures, SERVER, 100, 0, 5000), burst);
        // What was verified costs nothing, however poor the server is.
        assert_eq!(verified(&mut signatures, SERVER, 100, 0, 50), 50);
        assert_eq!(verified(&mut signatures, OTHER, 100, 10_000, 5000), burst, "another has its own");
        let later = verified(&mut signatures, SERVER, 101, 20_000, 5000);
        assert!(later.abs_diff(a_second) <= 1, "{later}");
        // A clock that steps back gives nothing.
        assert_eq!(verified(&mut signatures, SERVER, 50, 30_000, 100), 0);
    }

    #[test]
    fn many_servers_share_an_account() {
        let mut signatures = Signatures::within_budget();
        let mut all = 0;
        for number in 0..2000_u32 {
            all += verified(&mut signatures, IpAddr::from(number.to_be_bytes()), 100, number * 100, 50);
        }
        assert_eq!(all, usize::try_from(limits::SIGNATURE_WORK_SAVED / 120_000).unwrap());
    }

    #[test]
    fn a_chain_has_an_account_of_its_own() {
        let mut signatures = Signatures::within_budget();
        let mut key = [0; 97];
        key[0] = 4;
        signatures.begin(Timestamp::from_parts(100, 0), SERVER);
        let paid = (0..32_u8).filter(|number| signatures.settle(&key, &[*number], &[], || Some(false)).is_ok()).count();
        assert_eq!(paid, usize::try_from(limits::CHAIN_WORK / work(&key)).unwrap());
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = Recent::default();
        for number in 0..3 * limits::SIGNATURES {
            recent.insert(number, ());
        }
        assert!(recent.young.len() + recent.old.len() <= limits::SIGNATURES);
        assert!(recent.get(&(3 * limits::SIGNATURES - 1)).is_some() && recent.get(&0).is_none());
    }
}
