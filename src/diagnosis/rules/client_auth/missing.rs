//! `client-certificate-missing`: the server demands a client certificate and got none.

use std::time::Duration;

use super::answer::{Answer, Reaction, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateMissing,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    page: page!("client-certificate-missing"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    if view.answer != Answer::Nothing {
        return None;
    }
    if view.reaction == Reaction::WentOn {
        let summary = format!("{} asked for a client certificate and the client had none", view.target());
        // A server that hangs up at once most likely minds.
        let weight = if hung_up(case) { Weight::Fallback } else { Weight::Note };
        let finding = view.finding(Cause::ClientCertificateMissing, Confidence::Strong, &summary).weight(weight);
        return Some(finding.advise("The application may still refuse the request inside the tunnel (HTTP 400, 401 or 403)."));
    }
    let confidence = view.chosen(Cause::ClientCertificateMissing)?;
    let summary = format!("{} asked for a client certificate and the client sent none", view.target());
    let mut finding = view.finding(Cause::ClientCertificateMissing, confidence, &summary);
    if let Some(request) = &case.handshake.certificate_request
        && let Some(first) = request.what.authorities.first()
    {
        let more = request.what.authorities_total.saturating_sub(1);
        finding = finding.noting(if more == 0 {
            format!("the server accepts certificates from {first}")
        } else {
            format!("the server accepts certificates from {first} and {more} more")
        });
    }
    if confidence < Confidence::Certain {
        finding = if confidence == Confidence::Likely {
            finding.or_else(&[Cause::ClientCertificateRejected, Cause::AccessDenied])
        } else {
            finding.or_else(&[Cause::AccessDenied])
        };
    }
    Some(
        finding
            .advise("Give the client a certificate and key from an authority that the server accepts, its intermediates in the same file. To try them (`-k` leaves the server's certificate out of it):")
            .advise(remedy::curl(case.handshake, "-k --cert client.pem --key client.key"))
            .advise(remedy::s_client(case.handshake, "-cert client.pem -cert_chain client.pem -key client.key")),
    )
}

/// The server ended the connection soon after the handshake, and before the client did.
fn hung_up(case: &Case<'_>) -> bool {
    let done = case.handshake.finished.client;
    let end = crate::diagnosis::view::View::new(case.handshake).first_end().filter(|ending| ending.side == Side::Server);
    done.zip(end).is_some_and(|(done, end)| end.mark.time.since(done.time) <= SOON)
}

/// A connection that is put to use lives longer.
const SOON: Duration = Duration::from_secs(1);
