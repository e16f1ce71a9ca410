//! The causes of the family.

use std::time::Duration;

use super::answer::{Answer, ClientAuthView, Reaction};
use super::{Fault, Said};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{ChainFacts, PathEnd};
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::flow::Side;
use crate::handshake::stack::{self, Stack};
use crate::tls::registry::AlertDescription;

/// The server demands a client certificate and got none.
pub(super) const MISSING: Fault = Fault {
    cause: Cause::ClientCertificateMissing,
    page: page!("client-certificate-missing"),
    is_true: |_| false,
    said_by: None,
    tell: missing,
};

fn missing(view: &ClientAuthView<'_>, confidence: Confidence) -> Finding {
    let summary = format!("{} asked for a client certificate, and the client sent none", view.target());
    let mut finding = view.finding(Cause::ClientCertificateMissing, confidence, &summary);
    if let Some(request) = &view.case.handshake.certificate_request
        && let Some(first) = request.what.authorities.first()
    {
        let more = request.what.authorities_total.saturating_sub(1);
        finding = finding.noting(if more == 0 {
            format!("the server accepts certificates from {first}")
        } else {
            format!("the server accepts certificates from {first} and {more} more")
        });
    }
    if let Some(second) = view.case.handshake.renegotiation {
        finding = finding.shown_by(
            second.asked,
            if view.case.handshake.is_tls13() {
                "the server asked after the handshake (post-handshake authentication), as the size and order of the records show"
            } else {
                "the server asked in a second handshake (renegotiation), after the first had completed"
            },
        );
    }
    if confidence < Confidence::Certain {
        finding = if matches!(view.reaction, Reaction::FellSilent { .. }) {
            finding.or_else(&[Cause::ServerStalled, Cause::PacketLoss])
        } else if confidence == Confidence::Likely {
            finding.or_else(&[Cause::ClientCertificateRejected, Cause::AccessDenied])
        } else {
            finding.or_else(&[Cause::AccessDenied])
        };
    }
    let java = stack::of_client(view.case.handshake).is_some_and(|speaker| speaker.stack == Stack::Jsse);
    let finding = if java {
        finding.advise("On the client, look at its keystore: `keytool -list` has to show a PrivateKeyEntry from an authority that the server accepts. A keystore with the certificate alone shows a trustedCertEntry, and Java sends nothing of it.")
    } else {
        finding
    };
    finding
        .advise("On the client, configure a certificate and key from an authority that the server accepts, with the intermediates in the same file. To try them (`-k` skips the check of the server's certificate):")
        .advise(remedy::curl(view.case.handshake, "-k --cert client.pem --key client.key"))
        .advise(remedy::s_client(view.case.handshake, "-cert client.pem -cert_chain client.pem -key client.key"))
}

/// The client had none and the server went on.
pub(super) fn went_on_without(view: &ClientAuthView<'_>) -> Option<Finding> {
    if view.answer != Answer::Nothing || view.reaction != Reaction::WentOn {
        return None;
    }
    let summary = format!("{} asked for a client certificate, and the client had none", view.target());
    // A server that hangs up at once most likely minds.
    let weight = if hung_up(view.case) { Weight::Fallback } else { Weight::Note };
    let finding = view.finding(Cause::ClientCertificateMissing, Confidence::Strong, &summary).weight(weight);
    Some(finding.advise("Check the application's response: it may still refuse the request inside the tunnel (HTTP 400, 401 or 403)."))
}

/// The server ended the connection soon after the handshake, and before the client did.
fn hung_up(case: &Case<'_>) -> bool {
    let done = case.handshake.finished.client;
    let end = crate::diagnosis::view::View::new(case.handshake).first_end().filter(|ending| ending.side == Side::Server);
    done.zip(end).is_some_and(|(done, end)| end.mark.time.since(done.time) <= SOON)
}

/// The client's certificate had expired.
pub(super) const EXPIRED: Fault = Fault {
    cause: Cause::ClientCertificateExpired,
    page: page!("client-certificate-expired"),
    is_true: |view| view.chain.is_some_and(ChainFacts::leaf_expired),
    said_by: Some(Said {
        alert: AlertDescription::CERTIFICATE_EXPIRED,
        shown: Confidence::Certain,
        hidden: Confidence::Strong,
        unseen: Some(Confidence::Likely),
    }),
    tell: expired,
};

fn expired(view: &ClientAuthView<'_>, confidence: Confidence) -> Finding {
    let expired = view.chain.filter(|chain| chain.leaf_expired()).and_then(ChainFacts::leaf);
    let summary = match (expired, view.chain.and_then(ChainFacts::leaf)) {
        (Some(leaf), _) => format!("{} expired on {}", view.certificate(), leaf.not_after.day()),
        (None, Some(leaf)) => format!(
            "{} is valid until {}, but the server reports it as expired: the server's clock is ahead, or its CRL or an authority above the certificate has expired",
            view.certificate(),
            leaf.not_after.day()
        ),
        (None, None) => format!("{} has expired, according to the server", view.certificate()),
    };
    let sound = expired.is_none() && view.chain.is_some();
    let finding = view
        .finding(Cause::ClientCertificateExpired, confidence, &summary)
        .or_else(&[Cause::ClientCertificateUntrusted, Cause::ClientCertificateRejected]);
    let finding = if sound {
        // Nothing that was sent has expired: renewing it would change nothing.
        finding
            .headline("the server takes the client's certificate for expired, though it is valid")
            .advise("Do not renew the certificate. On the server, renew the certificate revocation list (CRL), and compare the clock with the time of this capture.")
            .advise("Check when the server's CRL expires:")
            .advise(Command::new("openssl crl -in crl.pem -noout -lastupdate -nextupdate"))
    } else {
        finding
            .advise("On the client, renew the certificate, replace certificate and key together, and restart the client; check the dates:")
    };
    finding.advise(Command::new("openssl x509 -in client.pem -noout -subject -issuer -dates"))
}

/// The client's certificate is revoked.
pub(super) const REVOKED: Fault = Fault {
    cause: Cause::ClientCertificateRevoked,
    page: page!("client-certificate-revoked"),
    is_true: |_| false,
    said_by: Some(Said {
        alert: AlertDescription::CERTIFICATE_REVOKED,
        shown: Confidence::Strong,
        hidden: Confidence::Strong,
        unseen: Some(Confidence::Strong),
    }),
    tell: revoked,
};

fn revoked(view: &ClientAuthView<'_>, confidence: Confidence) -> Finding {
    let serial = view.chain.and_then(ChainFacts::leaf).map_or_else(String::new, |leaf| format!(", serial number {},", leaf.serial));
    let summary = format!("{}{serial} has been revoked, according to the server", view.certificate());
    view.finding(Cause::ClientCertificateRevoked, confidence, &summary)
        .or_else(&[Cause::ClientCertificateRejected])
        .advise("On the client, install a new certificate with a new key. If the revocation is a mistake, correct the server's CRL.")
}

/// The client's certificate does not allow client authentication.
pub(super) const WRONG_USAGE: Fault = Fault {
    cause: Cause::ClientCertificateWrongUsage,
    page: page!("client-certificate-wrong-usage"),
    is_true: |view| view.chain.is_some_and(|chain| !chain.usage_ok),
    said_by: Some(Said {
        alert: AlertDescription::UNSUPPORTED_CERTIFICATE,
        shown: Confidence::Certain,
        hidden: Confidence::Likely,
        unseen: None,
    }),
    tell: wrong_usage,
};

fn wrong_usage(view: &ClientAuthView<'_>, confidence: Confidence) -> Finding {
    let summary = match view.chain.and_then(|chain| chain.usage_fault.as_ref()) {
        Some(fault) => format!("{} is not valid for a client: {fault}", view.certificate()),
        None => format!("{} is not accepted for client authentication", view.certificate()),
    };
    view.finding(Cause::ClientCertificateWrongUsage, confidence, &summary)
        .or_else(&[Cause::ClientCertificateRejected])
        .advise("Have a certificate issued for the client with extendedKeyUsage clientAuth:")
        .advise(Command::new("openssl x509 -in client.pem -noout -ext keyUsage,extendedKeyUsage"))
}

/// The server does not trust the issuer of the client's certificate.
pub(super) const UNTRUSTED: Fault = Fault {
    cause: Cause::ClientCertificateUntrusted,
    page: page!("client-certificate-untrusted"),
    is_true: |view| view.issuer_not_asked_for().is_some(),
    said_by: Some(Said {
        alert: AlertDescription::UNKNOWN_CA,
        shown: Confidence::Strong,
        hidden: Confidence::Strong,
        unseen: Some(Confidence::Strong),
    }),
    tell: untrusted,
};

fn untrusted(view: &ClientAuthView<'_>, confidence: Confidence) -> Finding {
    let issuer = view.chain.and_then(ChainFacts::leaf).map(|leaf| leaf.issuer.clone());
    let summary = match &issuer {
        Some(issuer) => format!("{} comes from {issuer}, which {} does not accept for clients", view.certificate(), view.target()),
        None => format!("{} comes from an authority that {} does not accept for clients", view.certificate(), view.target()),
    };
    let mut finding = view.finding(Cause::ClientCertificateUntrusted, confidence, &summary);
    if view.issuer_not_asked_for().is_some()
        && let Some(request) = &view.case.handshake.certificate_request
    {
        let names = request.what.authorities.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; ");
        finding = finding.shown_by(request.mark, format!("server accepts only: {names}"));
    }
    if let Some(PathEnd::MissingIssuer { issuer, .. }) = view.chain.filter(|chain| chain.unverified().is_none()).map(|chain| &chain.end) {
        finding = finding.noting(format!(
            "the client did not send the certificate of {issuer}; if that is an intermediate, it may be all that the server lacks"
        ));
    }
    finding
        .or_else(&[Cause::ClientCertificateRejected, Cause::ClientCertificateRevoked])
        .advise("On the client, use a certificate from an authority that the server accepts; or on the server, add this authority to the accepted ones:")
        .advise(Command::new("openssl verify -CAfile authorities.pem -purpose sslclient client.pem"))
}

/// The server refused the client's certificate, the reason is hidden.
pub(super) const REJECTED: Fault = Fault {
    cause: Cause::ClientCertificateRejected,
    page: page!("client-certificate-rejected"),
    is_true: |_| false,
    said_by: None,
    tell: rejected,
};

fn rejected(view: &ClientAuthView<'_>, confidence: Confidence) -> Finding {
    let not_yet = view.chain.is_some_and(ChainFacts::leaf_not_yet_valid);
    let summary = if let (Some(leaf), true, false) = (view.chain.and_then(ChainFacts::leaf), view.of_the_future(), not_yet) {
        format!(
            "{} has been valid from {} on, but the server sent bad_certificate, which a server like {} mostly sends for a certificate that is not yet valid: the server's clock is behind",
            view.certificate(),
            leaf.not_before.day(),
            view.target()
        )
    } else if not_yet {
        format!("{} is not yet valid, or the server refused it for another reason", view.certificate())
    } else if matches!(view.reaction, Reaction::Alert { alert: AlertDescription::DECRYPT_ERROR, .. }) {
        format!("{} was sent, but the client's CertificateVerify did not verify on {}", view.certificate(), view.target())
    } else {
        format!("{} was refused by {}", view.certificate(), view.target())
    };
    // Without a code that speaks of certificates, who the client is may be what the server minds: a list of peers, a rule of access.
    let certificates = matches!(view.reaction, Reaction::Alert { alert, .. } if alert != AlertDescription::HANDSHAKE_FAILURE);
    let late = !certificates && view.came_late();
    view.finding(Cause::ClientCertificateRejected, confidence, &summary)
        .or_else(if late { &[Cause::ServerClosed] } else { &[] })
        .or_else(if certificates { &[] } else { &[Cause::AccessDenied] })
        .or_else(&[
            Cause::ClientCertificateUntrusted,
            Cause::ClientCertificateExpired,
            Cause::ClientCertificateWrongUsage,
            Cause::ClientCertificateRevoked,
        ])
        .advise(if view.of_the_future() {
            "On the server, first compare the clock with the time of this capture."
        } else {
            "On the server, check the clock."
        })
        .advise(if certificates {
            "On the server, read the log for the reason, and check the client's certificate as the server would:"
        } else {
            "On the server, read the log for the reason: the certificate, or a list of permitted peers that lacks the client's name. Check the certificate as the server would:"
        })
        .advise(Command::new("openssl verify -CAfile authorities.pem -purpose sslclient client.pem"))
        .advise(remedy::s_client(view.case.handshake, "-cert client.pem -key client.key"))
}

/// A connection that is put to use lives longer.
const SOON: Duration = Duration::from_secs(1);
