//! DANE: `dane-mismatch`.

use data_encoding::HEXLOWER;

use super::Fault;
use super::reaction::Reaction;
use super::view::{CertificateView, Standing};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Evidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::published;
use crate::diagnosis::remedy::{self, Command};
use crate::handshake::facts::TlsaRecords;
use crate::preamble::Dialect;

/// The certificate matches none of the TLSA records that were looked up for the server. A client that goes by them minds nothing else.
pub(super) const MISMATCH: Fault = Fault {
    rank: Some(1),
    firm: true,
    plain: is_plain,
    may_explain: goes_by_records,
    ..Fault::new(Cause::DaneMismatch, page!("dane-mismatch"), |view| mismatching(view).is_some(), mismatch)
};

/// The records, where what the server presents fits none of them. A chain may be known by its size alone.
fn mismatching<'a>(view: &CertificateView<'a>) -> Option<&'a TlsaRecords> {
    let handshake = view.case.handshake;
    let records = published::records(handshake)?;
    let fit = match view.chain {
        Some(chain) => records.fit(&chain.certificates),
        None => published::fit(handshake),
    };
    (!fit?).then_some(records)
}

/// The client goes by the records: it asked for them, or it is a server that passes mail on, as hardly anything else does.
fn goes_by_records(view: &CertificateView<'_>) -> bool {
    let handshake = view.case.handshake;
    let passes_mail_on = handshake.server.port == SMTP && handshake.preamble.as_ref().is_some_and(|facts| facts.dialect == Dialect::Smtp);
    passes_mail_on || published::records(handshake).is_some_and(|records| records.by_client)
}

/// The client had asked for the records, found that the certificate is another, and said QUIT instead of delivering mail.
fn is_plain(view: &CertificateView<'_>) -> bool {
    matches!(view.reaction, Reaction::LeftAfter { quit: true, .. }) && mismatching(view).is_some_and(|records| records.by_client)
}

fn mismatch(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    let records = mismatching(view)?;
    let key = view.case.handshake.server_chain.as_ref().and_then(|seen| Some((seen.mark, seen.what.raw_key.as_ref()?)));
    let own = key.map(|(_, key)| key.sha256).or_else(|| Some(view.leaf()?.spki_sha256))?;
    let what = if key.is_some() { "public key" } else { "certificate" };
    let compared = match records.usable().count() {
        1 => "is not the one of the TLSA record".to_owned(),
        more => format!("matches none of the {more} TLSA records"),
    };
    let summary = format!("The {what} of {} {compared} for {} (DANE)", view.target(), records.owner);
    let mut finding = view.finding(Cause::DaneMismatch, standing, summary);
    let chosen = matches!(standing, Standing::Chosen(_));
    let text = if chosen { published::told(records) } else { String::new() };
    finding.evidence.insert(0, Evidence { mark: Some(records.mark), text });
    if chosen {
        let others = view.alternatives(Cause::DaneMismatch);
        if let Some((mark, _)) = key {
            finding = finding.shown_by(mark, "server sent its public key alone, in the place of a certificate (RFC 7250)");
        }
        let own = format!("3 1 1 {}", HEXLOWER.encode(&own));
        finding = finding
            .noting(format!("the record for the key that the server uses is `{own}`"))
            .or_else(if records.by_client { &[] } else { &others })
            .advise(format!(
                "Where the domain's DNS is kept, publish `{}. IN TLSA {own}` beside the old records; or on the server, go back to the certificate that they name.",
                records.owner
            ))
            .advise("Compare with what resolvers answer:")
            .advise(published::look_up(records))
            .advise("To see the hash of the key that the server uses now:")
            .advise(remedy::x509(view.case.handshake, "-noout -pubkey").map(|command| {
                command.pipe(Command::new("openssl pkey -pubin -outform DER")).pipe(Command::new("openssl dgst -sha256"))
            }))
            .advise("Before the next renewal, publish the new key's record first and wait for the old one's TTL, or keep the key.");
    }
    Some(finding)
}

/// Between mail servers; clients that hand in their own mail use other ports.
const SMTP: u16 = 25;
