//! What the DNS had said of the server before a handshake, as far as the capture shows it.

use crate::diagnosis::published;
use crate::handshake::Handshake as Facts;
use crate::preamble::dns::Security;

/// What was looked up and bears on a handshake.
#[derive(Debug, Clone)]
pub struct Dns {
    /// The TLSA records of the server's name and port.
    pub tlsa: Option<Tlsa>,
    /// Whose HTTPS record holds the key with which the client encrypted its hello.
    pub ech: Option<String>,
    /// The domain whose policy for mail (MTA-STS) was looked up, and that the client fetched it.
    pub mail_policy: Option<(String, bool)>,
}

/// TLSA records.
#[derive(Debug, Clone)]
pub struct Tlsa {
    /// Whose: `_25._tcp.mail.example.test`.
    pub name: String,
    /// As zones write them.
    pub records: Vec<String>,
    /// What vouches for them.
    pub security: Security,
    /// The client itself had asked for them.
    pub by_client: bool,
    /// The served certificate matches one of those that bind clients which go by DANE alone. Absent where it is not known, or none binds them.
    pub matched: Option<bool>,
    /// The frame of the answer.
    pub frame: u64,
}

impl Dns {
    /// What there is of it.
    pub(super) fn of(facts: &Facts) -> Option<Box<Self>> {
        let looked_up = facts.looked_up.as_deref()?;
        let tlsa = looked_up.tlsa.as_ref().map(|records| Tlsa {
            name: records.owner.to_string(),
            records: records.records.iter().map(ToString::to_string).collect(),
            security: records.security,
            by_client: records.by_client,
            matched: published::fit(facts),
            frame: records.mark.frame,
        });
        let mail_policy = looked_up.policy.as_ref().map(|policy| (policy.domain.to_string(), policy.fetched.is_some()));
        let ech = looked_up.ech.as_ref().map(|record| record.owner.to_string());
        Some(Box::new(Self { tlsa, ech, mail_policy }))
    }

    /// The same with every name and record changed by this.
    #[must_use]
    pub fn map(&self, mut change: impl FnMut(&str) -> String) -> Self {
        let tlsa = self.tlsa.as_ref().map(|tlsa| Tlsa {
            name: change(&tlsa.name),
            records: tlsa.records.iter().map(|record| change(record)).collect(),
            ..tlsa.clone()
        });
        let ech = self.ech.as_ref().map(|owner| change(owner));
        Self { tlsa, ech, mail_policy: self.mail_policy.as_ref().map(|(domain, fetched)| (change(domain), *fetched)) }
    }
}
