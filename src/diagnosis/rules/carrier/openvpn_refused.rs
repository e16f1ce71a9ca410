//! `openvpn-refused`: a side has the other's certificate and says nothing more. OpenVPN sends no alert when it refuses one.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::OpenvpnRefused, against: &[], page: page!("openvpn-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    facts.carried.as_ref()?.openvpn()?;
    if !matches!(facts.outcome, Outcome::Stalled | Outcome::Closed) || facts.deciding_alert().is_some() || facts.server_hello.is_none() {
        return None;
    }
    let hidden = &facts.hidden;
    let answered = facts.client_key_exchange.is_some()
        || facts.client_chain.is_some()
        || facts.finished.client.is_some()
        || hidden.client_certificate_sent
        || hidden.client_certificate_empty;
    let flight = facts.server_chain.is_some() || facts.server_flight_is_over() || !facts.encrypted.server.is_empty();
    let server_done = facts.application_data.server.is_some() || !facts.is_tls13() && facts.finished.server.is_some();
    if server_done || !answered && !flight {
        return None;
    }
    let silent = if answered { Side::Server } else { Side::Client };
    let view = View::new(facts);
    let last = view.side(silent.other()).last_packet?;
    let certificate = view.side(silent.other()).last_data?;
    let (who, whose, causes, first): (_, _, &[Cause], _) = match silent {
        Side::Server => (
            format!("The OpenVPN server {}", facts.server),
            "client's",
            &[Cause::ClientCertificateRejected, Cause::ClientCertificateUntrusted, Cause::ServerFlightDropped],
            "client's answer, which holds its certificate",
        ),
        Side::Client => (
            format!("The OpenVPN client {}", facts.client.address),
            "server's",
            &[Cause::ServerCertificateRejected, Cause::CertificateUntrustedCa, Cause::CertificateExpired],
            "server's flight, which holds its certificate",
        ),
    };
    let expired = case.chain.filter(|chain| silent == Side::Client && chain.leaf_expired()).and_then(|chain| chain.leaf());
    let mut finding = Finding::new(
        Cause::OpenvpnRefused,
        Confidence::Likely,
        format!("{who} got the {whose} certificate and says nothing more: it does not accept it, and OpenVPN sends no alert then."),
    )
    .stopped_by(StoppedBy::from(silent))
    .shown_by(certificate, first);
    if last.frame > certificate.frame {
        finding = finding.shown_by(last, format!("the {} still waits", silent.other()));
    }
    if let Some(leaf) = expired {
        finding = finding.noting(format!("the server's certificate expired on {}", leaf.not_after.day()));
    }
    Some(
        finding
            .or_else(causes)
            .advise(remedy::log(facts, silent, "it says `VERIFY ERROR` with the reason, and `TLS Error: TLS handshake failed`"))
            .advise(match silent {
                Side::Server => "On the server, check `ca`, `crl-verify` and `remote-cert-tls client` against the client's certificate.",
                Side::Client => {
                    "On the client, check `ca`, `remote-cert-tls server` and `verify-x509-name` against the server's certificate."
                }
            }),
    )
}
