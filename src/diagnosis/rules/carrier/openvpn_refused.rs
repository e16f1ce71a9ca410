//! `openvpn-refused`: a side has the other's certificate and says nothing more. OpenVPN sends no alert when it refuses one.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{CarriedFacts, OpenVpnFacts, Outcome, StoppedBy};
use crate::preamble::{PreambleFacts, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::OpenvpnRefused, against: &[], page: page!("openvpn-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    if let Some(preamble) = super::openvpn_over_tcp(facts).filter(|preamble| preamble.upgrade == Upgrade::Hidden) {
        return unseen_over_tcp(facts, preamble);
    }
    let over_tcp = super::openvpn_over_tcp(facts).is_some();
    if !over_tcp {
        let carried = facts.carried.as_ref()?;
        let openvpn = carried.openvpn()?;
        if openvpn.wrapping.is_opaque() {
            return unseen(facts, carried, openvpn);
        }
    }
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
    // Over TCP the side that does not accept it closes.
    if over_tcp && view.ended_by(silent).is_none() {
        return None;
    }
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
        format!(
            "{who} got the {whose} certificate and {}: it does not accept it, and OpenVPN sends no alert then.",
            if over_tcp { "closed the connection" } else { "says nothing more" }
        ),
    )
    .stopped_by(StoppedBy::from(silent))
    .shown_by(certificate, first);
    if let Some(ending) = view.ended_by(silent).filter(|_| over_tcp) {
        finding = finding.shown_by(ending.mark, format!("the {silent}'s {}, with no alert before it", ending.name()));
    } else if last.frame > certificate.frame {
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

/// All of TLS is encrypted, both sides take part, and one says nothing more. A session that is there worked before: what changed since is most
/// often a certificate or the user's leave.
fn unseen(facts: &Handshake, carried: &CarriedFacts, openvpn: &OpenVpnFacts) -> Option<Finding> {
    let ended = matches!(facts.outcome, Outcome::Stalled | Outcome::Closed);
    let took_part = Side::BOTH.into_iter().all(|side| carried.datagrams.of(side).count > openvpn.resets.of(side).count);
    if !ended || !took_part || openvpn.is_done() {
        return None;
    }
    let unanswered = Side::BOTH.into_iter().find_map(|side| carried.talk.unanswered.of(side).map(|sent| (side, sent.last)));
    let (silent, last) = match (openvpn.abandoned, unanswered) {
        (Some((side, mark)), _) if facts.outcome == Outcome::Closed => (side, mark),
        (_, Some((asker, last))) => (asker.other(), last),
        _ => return None,
    };
    let begun = openvpn.resets.of(openvpn.begun_by()).first?;
    let who = match silent {
        Side::Server => format!("the OpenVPN server {}", facts.server),
        Side::Client => format!("the OpenVPN client {}", facts.client.address),
    };
    let other = silent.other();
    let gave_up = facts.outcome == Outcome::Closed && openvpn.abandoned.is_some();
    let (which, since) = if openvpn.renews() {
        ("for new keys (soft reset, encrypted by", " any more, which it did before (expired, revoked)")
    } else {
        ("with which the session begins (encrypted by", "")
    };
    let summary = format!(
        "In the handshake {which} {}) {who} {}: most often it does not accept the {other}'s certificate or login{since}.",
        openvpn.wrapping.name(),
        if gave_up { "gave the session up" } else { "stopped answering" },
    );
    Some(
        Finding::new(Cause::OpenvpnRefused, Confidence::Likely, summary)
            .stopped_by(StoppedBy::from(silent))
            .shown_by(
                begun,
                if openvpn.renews() {
                    format!("{} asks for new keys (P_CONTROL_SOFT_RESET_V1, keys {})", openvpn.begun_by(), openvpn.key)
                } else {
                    "client begins (P_CONTROL_HARD_RESET_CLIENT)".to_owned()
                },
            )
            .shown_by(
                last,
                if gave_up {
                    format!("{silent} begins a new session instead ({})", hard_reset(silent))
                } else {
                    format!("last packet of the {other}, which nothing answers")
                },
            )
            .or_else(match silent {
                Side::Server => &[Cause::ClientCertificateExpired, Cause::ClientCertificateRevoked, Cause::PacketLoss],
                Side::Client => &[Cause::CertificateExpired, Cause::ServerCertificateRejected, Cause::PacketLoss],
            })
            .advise(remedy::log(facts, silent, "it says `VERIFY ERROR` or `AUTH_FAILED` with the reason, and `TLS handshake failed`"))
            .advise(match silent {
                Side::Server if openvpn.renews() => "Check the dates of the client's certificate, `crl-verify` on the server, and whether the login is a one-time password (then `auth-gen-token` on the server).",
                Side::Server => "On the server, check `ca`, `crl-verify` and `remote-cert-tls client` against the client's certificate.",
                Side::Client if openvpn.renews() => "Check the dates of the server's certificate.",
                Side::Client => "On the client, check `ca`, `remote-cert-tls server` and `verify-x509-name` against the server's certificate.",
            }),
    )
}

/// Over TCP: both sides took part in what is hidden, and one of them closes before either uses the tunnel.
fn unseen_over_tcp(facts: &Handshake, preamble: &PreambleFacts) -> Option<Finding> {
    let view = View::new(facts);
    let ending = view.first_end().filter(|_| facts.outcome.failed())?;
    let begun = preamble.lines.first()?.mark;
    let wrapping = preamble.detail.as_deref().unwrap_or_default();
    let (who, other) = match ending.side {
        Side::Server => (format!("The OpenVPN server {}", facts.server), "client's certificate or login"),
        Side::Client => (format!("The OpenVPN client {}", facts.client.address), "server's certificate, or the server not its login"),
    };
    let summary = format!(
        "{who} {} the connection before the session was up ({wrapping} hides the handshake): most often it does not accept the {other}.",
        if ending.reset.is_some() { "reset" } else { "closed" }
    );
    Some(
        Finding::new(Cause::OpenvpnRefused, Confidence::Likely, summary)
            .stopped_by(StoppedBy::from(ending.side))
            .shown_by(begun, "client begins (P_CONTROL_HARD_RESET_CLIENT)")
            .shown_by(ending.mark, format!("the {}'s {}; neither side has used the tunnel", ending.side, ending.name()))
            .or_else(match ending.side {
                Side::Server => &[Cause::ClientCertificateRejected, Cause::ClientCertificateUntrusted, Cause::ClientAborted],
                Side::Client => &[Cause::ServerCertificateRejected, Cause::CertificateUntrustedCa, Cause::ClientAborted],
            })
            .advise(remedy::log(facts, ending.side, "it says `VERIFY ERROR` or `AUTH_FAILED` with the reason, and `TLS handshake failed`"))
            .advise("Check `ca`, `remote-cert-tls`, `verify-x509-name` and `crl-verify` on both sides, and the login."),
    )
}

/// The packet with which a side begins a session.
const fn hard_reset(side: Side) -> &'static str {
    match side {
        Side::Client => "P_CONTROL_HARD_RESET_CLIENT_V2",
        Side::Server => "P_CONTROL_HARD_RESET_SERVER_V2",
    }
}
