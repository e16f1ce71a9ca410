//! What was looked up in the DNS, in the same capture, before a handshake: what the server's certificate must be (DANE), and that the domain has a policy for
//! its mail (MTA-STS). That the packets show it does not mean that this client went by it: [`TlsaRecords::by_client`].

use std::net::IpAddr;
use std::sync::Arc;

use crate::preamble::dns::{Answer, Security, Tlsa};
use crate::site::Site;
use crate::time::Mark;
use crate::tls::certificate::{Certificate, RawKey};

/// An answer of the DNS, as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Where.
    pub site: Site,
    /// Who had asked.
    pub asker: IpAddr,
    /// Its packet.
    pub mark: Mark,
    /// The frame from which on it is known: its own, or that at which its connection ended.
    pub known_at: u64,
    /// What it says.
    pub answer: Answer,
}

/// What was looked up before a handshake and bears on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookedUp {
    /// What the server's certificate must be.
    pub tlsa: Option<TlsaRecords>,
    /// The policy for mail of the domain that it is for.
    pub policy: Option<MailPolicy>,
    /// Where the key comes from with which the client encrypted its hello.
    pub ech: Option<EchRecord>,
}

/// An HTTPS record with the key whose number the client repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchRecord {
    /// Whose: the name that the client wants.
    pub owner: Box<str>,
    /// The answer.
    pub mark: Mark,
}

/// The TLSA records of the server's name and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsaRecords {
    /// Whose they are: `_25._tcp.mail.example.test`.
    pub owner: Box<str>,
    /// The records.
    pub records: Vec<Tlsa>,
    /// What vouches for them.
    pub security: Security,
    /// The answer.
    pub mark: Mark,
    /// The handshake's client had asked for them.
    pub by_client: bool,
}

/// That a domain has a policy for mail (RFC 8461).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailPolicy {
    /// The domain.
    pub domain: Box<str>,
    /// The answer that says so.
    pub mark: Mark,
    /// The client fetched it: the first packet of that.
    pub fetched: Option<Mark>,
}

impl LookedUp {
    /// The client itself looked up what a mail server goes by: TLSA records, or the policy, which it fetched.
    pub fn bind_the_client(&self) -> bool {
        let records = self.tlsa.as_ref().is_some_and(|records| records.by_client && records.usable().next().is_some());
        records || self.policy.as_ref().is_some_and(|policy| policy.fetched.is_some())
    }
}

impl TlsaRecords {
    /// Those that bind a client that goes by DANE alone, as mail servers do (RFC 7672 section 3.1): of an authority, or of the server itself, in a form
    /// that is known, from a zone whose signature was verified or could be. Empty: it has to do without.
    pub fn usable(&self) -> impl Iterator<Item = &Tlsa> {
        let vouched = self.security > Security::Insecure;
        self.records.iter().filter(move |record| vouched && matches!(record.usage, 2 | 3) && record.selector <= 1 && record.matching <= 2)
    }

    /// Whether a public key that was sent in the place of a chain fits one of those. `None` where there are none.
    pub fn fit_key(&self, key: &RawKey) -> Option<bool> {
        let is = |record: &Tlsa| match record.matching {
            2 => key.sha512[..] == *record.hash,
            _ => key.sha256[..] == *record.hash,
        };
        self.usable().next()?;
        Some(self.usable().any(|record| record.usage == 3 && record.selector == 1 && is(record)))
    }

    /// Whether a chain, leaf first, fits one of those. `None` where there are none, or where it cannot be said.
    pub fn fit(&self, chain: &[Arc<Certificate>]) -> Option<bool> {
        let mut open = self.usable().next().is_none() || chain.is_empty();
        for (place, certificate) in chain.iter().enumerate() {
            // Each is hashed once at most, whatever was published.
            let (mut whole, mut key) = (None, None);
            let mut is = |record: &Tlsa| match (record.selector, record.matching) {
                (0, 0 | 1) => certificate.sha256[..] == *record.hash,
                (1, 0 | 1) => certificate.spki_sha256[..] == *record.hash,
                (selector, _) => {
                    let known = if selector == 1 { &mut key } else { &mut whole };
                    known.get_or_insert_with(|| certificate.sha512(selector == 1)).is_some_and(|hash| hash[..] == *record.hash)
                }
            };
            if self.usable().any(|record| (place == 0 || record.usage == 2) && is(record)) {
                return Some(true);
            }
            open |= certificate.malformed.is_some();
        }
        // An authority that a record holds whole need not be served.
        open |= self.usable().any(|record| record.usage == 2 && record.matching == 0);
        (!open).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn certificate(fill: u8) -> Arc<Certificate> {
        Arc::new(Certificate { sha256: [fill; 32], spki_sha256: [fill + 1; 32], malformed: None, ..Certificate::parse(b"") })
    }

    fn fits(security: Security, records: &[(u8, u8, u8, u8)], chain: &[Arc<Certificate>]) -> Option<bool> {
        let record = |(usage, selector, matching, fill): &(u8, u8, u8, u8)| {
            let len = if *matching == 2 { 64 } else { 32 };
            Tlsa { usage: *usage, selector: *selector, matching: *matching, hash: vec![*fill; len].into() }
        };
        let records = records.iter().map(record).collect();
        let mark = Mark { frame: 1, time: Timestamp::MIN };
        TlsaRecords { owner: "_25._tcp.mail.test".into(), records, security, mark, by_client: true }.fit(chain)
    }

    #[test]
    fn one_record_that_fits_is_enough() {
        let chain = [certificate(10), certificate(20)];
        let fits = |records| fits(Security::Validated, records, &chain);
        assert_eq!(fits(&[(3, 1, 1, 11)]), Some(true));
        assert_eq!(fits(&[(3, 0, 0, 10)]), Some(true));
        assert_eq!(fits(&[(3, 1, 1, 99), (3, 0, 1, 10)]), Some(true));
        assert_eq!(fits(&[(2, 1, 1, 21)]), Some(true), "an authority in the chain");
        assert_eq!(fits(&[(3, 1, 1, 21)]), Some(false), "the server's own is the first");
        assert_eq!(fits(&[(3, 1, 1, 10), (3, 0, 1, 11), (3, 1, 2, 11)]), Some(false), "each is compared with what it names");
    }

    #[test]
    fn a_key_alone_fits_records_of_the_servers_own_key() {
        let key = RawKey { sha256: [11; 32], sha512: [12; 64] };
        let fits = |usage, selector, matching, fill: u8| {
            let record = Tlsa { usage, selector, matching, hash: vec![fill; if matching == 2 { 64 } else { 32 }].into() };
            let mark = Mark { frame: 1, time: Timestamp::MIN };
            let (owner, security) = ("_25._tcp.mail.test".into(), Security::Validated);
            TlsaRecords { owner, records: vec![record], security, mark, by_client: true }.fit_key(&key)
        };
        assert_eq!((fits(3, 1, 1, 11), fits(3, 1, 2, 12), fits(3, 1, 0, 11)), (Some(true), Some(true), Some(true)));
        assert_eq!(
            (fits(3, 1, 1, 99), fits(3, 0, 1, 11), fits(2, 1, 1, 11), fits(1, 1, 1, 11)),
            (Some(false), Some(false), Some(false), None)
        );
    }

    #[test]
    fn what_binds_nobody_says_nothing() {
        let chain = [certificate(10)];
        assert_eq!(fits(Security::Insecure, &[(3, 1, 1, 99)], &chain), None, "no DNSSEC");
        assert_eq!(fits(Security::Validated, &[(1, 1, 1, 99), (0, 0, 1, 99), (3, 2, 1, 99), (3, 1, 3, 99)], &chain), None);
        assert_eq!(fits(Security::Signed, &[(3, 1, 1, 99)], &[]), None, "no certificate");
        assert_eq!(fits(Security::Signed, &[(2, 0, 0, 99)], &chain), None, "the authority need not be served");
        assert_eq!(fits(Security::Signed, &[(3, 1, 1, 99)], &[Arc::new(Certificate::parse(b"no certificate"))]), None);
    }
}
