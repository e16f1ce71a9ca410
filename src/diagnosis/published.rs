//! What was published in the DNS for the certificate of a server and for the mail of its domain, in words.

use crate::handshake::Handshake;
use crate::handshake::facts::TlsaRecords;
use crate::preamble::dns::{Security, Tlsa};
use crate::wording::counted;

use super::finding::Finding;
use super::remedy::Command;
use super::remedy::parts::Host;

/// The TLSA records that bind a client which goes by them, where there are any.
pub fn records(handshake: &Handshake) -> Option<&TlsaRecords> {
    let records = handshake.looked_up.as_ref()?.tlsa.as_ref()?;
    records.usable().next().is_some().then_some(records)
}

/// Whether what the server presented, where it is seen, fits them.
pub fn fit(handshake: &Handshake) -> Option<bool> {
    let records = records(handshake)?;
    let chain = &handshake.server_chain.as_ref()?.what;
    chain.raw_key.as_ref().map_or_else(|| records.fit(&chain.certificates), |key| records.fit_key(key))
}

/// Adds what obliges a sender of mail to use TLS, and to look at the certificate.
pub fn obliging(mut finding: Finding, handshake: &Handshake) -> Finding {
    if let Some(records) = records(handshake) {
        finding = finding.shown_by(records.mark, told(records));
    }
    if let Some(policy) = handshake.looked_up.as_ref().and_then(|looked_up| looked_up.policy.as_ref()) {
        finding = finding.shown_by(policy.mark, format!("DNS answered that {} has a policy for mail (MTA-STS)", policy.domain));
        if let Some(fetched) = policy.fetched {
            finding = finding.shown_by(fetched, format!("client fetched it from mta-sts.{}", policy.domain));
        }
    }
    finding
}

/// Something obliges a sender of mail to use TLS: `the TLSA records of …`, `the MTA-STS policy of …`.
pub fn obligation(handshake: &Handshake) -> Option<String> {
    let policy = handshake.looked_up.as_ref().and_then(|looked_up| looked_up.policy.as_ref());
    records(handshake)
        .map(|records| format!("the TLSA records of {}", records.owner))
        .or_else(|| policy.map(|policy| format!("the MTA-STS policy of {}, if its mode is enforce", policy.domain)))
}

/// An answer with TLSA records, as evidence.
pub fn told(records: &TlsaRecords) -> String {
    let usable: Vec<&Tlsa> = records.usable().collect();
    let first = usable.first().map_or_else(String::new, ToString::to_string);
    let vouched = match records.security {
        Security::Validated => "validated by the resolver",
        Security::Signed => "signed",
        Security::Insecure => "not signed",
    };
    let who = if records.by_client { "DNS answered the client with" } else { "DNS answered with" };
    let rest = match usable.len() {
        0 | 1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    let kind = counted(usable.len(), "TLSA record", "TLSA records");
    format!("{who} {kind} for {}, {vouched}: `{first}`{rest}", records.owner)
}

/// What asks the DNS for the records.
pub fn look_up(records: &TlsaRecords) -> Option<Command> {
    Some(Command::new("dig +short").operand(Host::parse(&records.owner)?).operand("TLSA"))
}
