//! `chain-too-large`: the chain exceeds what the client takes.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ChainTooLarge,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::LARGE_CHAIN),
    against: &[],
    page: page!("chain-too-large"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::ChainTooLarge)?;
    let handshake = case.handshake;
    let whole = handshake.server_chain.as_ref().map(|seen| (seen.what.message_len, seen.what.certificates.len() + seen.what.dropped));
    let part = handshake.partial_server_message.as_ref();
    let request =
        handshake.certificate_request.as_ref().map(|seen| seen.span.1.saturating_sub(seen.span.0)).filter(|bytes| *bytes >= LARGE_REQUEST);
    let asked = part.is_some_and(|part| part.message == Some(CERTIFICATE_REQUEST)) || request.is_some();
    let summary = match (whole, part) {
        _ if asked => format!(
            "The CertificateRequest of {} is {} bytes long: it names more authorities than the client takes",
            view.target(),
            request.unwrap_or_else(|| part.map_or(0, |part| part.want as u64))
        ),
        (Some((bytes, count)), _) => format!("The Certificate message of {} is {bytes} bytes long ({count} certificates)", view.target()),
        (None, Some(part)) if part.want > 0 => {
            format!("The Certificate message of {} promises {} bytes, of which the client took {}", view.target(), part.want, part.have)
        }
        _ => {
            let full: usize = handshake.encrypted.server.iter().map(|record| usize::from(record.len)).sum();
            format!("The encrypted flight of {} is larger than a record: at least {full} bytes were sent", view.target())
        }
    };
    let mut finding = view.finding(Cause::ChainTooLarge, standing, summary);
    if let Some(part) = part.filter(|_| whole.is_none() || asked) {
        finding = finding.shown_by(part.mark, if asked { "CertificateRequest message begins" } else { "Certificate message begins" });
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&[Cause::ServerCertificateRejected]).advise(if asked {
            "Name fewer authorities at the server (the list of those that client certificates may come from), or raise the client's limit."
        } else {
            "Serve only the server's certificate and its intermediates, without root and without other authorities."
        });
    }
    Some(finding)
}

/// Handshake type of a CertificateRequest.
const CERTIFICATE_REQUEST: u8 = 13;

/// Bytes of a CertificateRequest that meet the limits of common stacks.
const LARGE_REQUEST: u64 = 32 << 10;
