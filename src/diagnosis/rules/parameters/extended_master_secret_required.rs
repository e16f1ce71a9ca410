//! `extended-master-secret-required`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion};

use crate::diagnosis::offer;

/// The rule.
pub(super) const RULE: Rule =
    Rule { cause: Cause::ExtendedMasterSecretRequired, against: &[], page: page!("extended-master-secret-required"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    server_insists(case).or_else(|| client_insists(case))
}

fn server_insists(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    let hello = refusal.hello;
    let legacy =
        !hello.highest_version().is_tls13() && !hello.is_sslv2() && hello.highest_version().rank() >= ProtocolVersion::TLS10.rank();
    if hello.extended_master_secret() || !legacy || !offer::grave_defects(hello).is_empty() {
        return None;
    }
    let narrow = offer::suspects(hello, case.knowledge).first().map_or(0, |suspect| suspect.narrowness);
    let known = &case.knowledge.contrast;
    let confidence = match refusal.alert? {
        // It serves others without the extension.
        _ if known.unbound => return None,
        // Handshake_failure says it of a server that was seen to serve others with the extension: one that refuses everybody has other reasons.
        A::HANDSHAKE_FAILURE if !known.bound => return None,
        A::INSUFFICIENT_SECURITY | A::HANDSHAKE_FAILURE | A::MISSING_EXTENSION
            if narrow < 3 && !offer::is_outdated(hello, case.knowledge) =>
        {
            Confidence::Likely
        }
        _ => return None,
    };
    let summary =
        format!("The client does not offer extended_master_secret, and the server {} refuses its ClientHello.", offer::server(case));
    let finding =
        refusal.finding(Cause::ExtendedMasterSecretRequired, confidence, summary, "client offers no extended_master_secret".to_owned());
    Some(
        finding
            .or_else(&[Cause::NoCommonCipher, Cause::InsufficientSecurity, Cause::HandshakeFailure])
            .advise("On the client, update the TLS library or switch the extension on; or use TLS 1.3.")
            .advise("Confirm that a client with the extension can connect:")
            .advise(remedy::s_client(case.handshake, "-tls1_2")),
    )
}

fn client_insists(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let answer = handshake.server_hello.as_ref()?;
    let hello = handshake.hello()?;
    let legacy = !answer.what.version().is_tls13();
    if !legacy || !hello.extended_master_secret() || answer.what.extended_master_secret() || !handshake.outcome.failed() {
        return None;
    }
    let (seen, alert) = offer::alert_from(case, Side::Client)?;
    let other = hello.secure_renegotiation() && !answer.what.secure_renegotiation()
        || handshake.server_key_exchange.as_ref().is_some_and(|exchange| exchange.what.dh_bits.is_some_and(|bits| bits < 2048))
        || answer.what.version().rank() < ProtocolVersion::TLS12.rank();
    if !matches!(alert, A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY | A::MISSING_EXTENSION) || other {
        return None;
    }
    let summary =
        format!("The server {} does not support extended_master_secret, and the client refuses to continue.", offer::server(case));
    Some(
        Finding::new(Cause::ExtendedMasterSecretRequired, Confidence::Likely, summary)
            .shown_by(answer.mark, "ServerHello without extended_master_secret, which the client offered")
            .shown_by(seen.mark, format!("client sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::HandshakeFailure])
            .advise("On the server, update the TLS library; or use TLS 1.3.")
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}
