//! `extended-master-secret-required`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion};

use super::offer;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::ExtendedMasterSecretRequired,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "one side insists on extended master secret and the other does not know it",
    page: Page {
        meaning: "The extended_master_secret extension binds the keys of TLS 1.2 and below to the whole handshake. Systems in FIPS 140-3 mode, and some strict configurations, refuse peers without it.",
        recognised: "The ClientHello lacks the extension, offers nothing above TLS 1.2, is otherwise broad, and the server refuses it with insufficient_security, or with handshake_failure while it serves others. Or: the client offers the extension, the ServerHello lacks it, and the client sends one of these alerts after it.",
        confused_with: "Any other refusal without a reason. A resumed session that had the extension and is resumed without it (or the reverse) must be refused too: then only resumptions fail.",
        check: "Whether FIPS mode is on, and what the peer offers:\n\n$ fips-mode-setup --check\n\n$ openssl s_client -connect <host>:<port> -tls1_2 </dev/null | grep -i 'extended master'",
        fix: &[
            (
                "the side without it, in general",
                "Update its TLS library: OpenSSL 1.1.0, Java 8u161, Windows with the update of 2015, Mbed TLS 2.0, wolfSSL 3.9 and later have it. Or use TLS 1.3, where it has no meaning.",
            ),
            ("RHEL 9 and other FIPS systems, as a stop-gap", "update-crypto-policies --set FIPS:NO-ENFORCE-EMS."),
            (
                "Java",
                "jdk.tls.useExtendedMasterSecret must not be false; jdk.tls.allowLegacyMasterSecret=true is the default and lets peers without it in.",
            ),
            (
                "OpenSSL",
                "Options = ExtendedMasterSecret in openssl.cnf must not carry a minus sign; SSL_OP_NO_EXTENDED_MASTER_SECRET switches it off.",
            ),
            ("middleboxes", "Inspecting proxies that strip unknown extensions: update."),
        ],
        references: &["RFC 7627 sections 5.2 and 5.3"],
    },
    check,
};

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
    let serves_others = case.knowledge.completed > 0;
    let confidence = match refusal.alert? {
        // Handshake_failure says it of a server that was seen to serve others: one that refuses everybody has other reasons.
        A::HANDSHAKE_FAILURE if !serves_others => return None,
        A::INSUFFICIENT_SECURITY | A::HANDSHAKE_FAILURE | A::MISSING_EXTENSION
            if narrow < 3 && !offer::is_outdated(hello, case.knowledge) =>
        {
            Confidence::Likely
        }
        _ => return None,
    };
    let summary = format!("The client does not offer extended master secret, and the server {} refuses its hello.", offer::server(case));
    let finding =
        refusal.finding(Cause::ExtendedMasterSecretRequired, confidence, summary, "client offers no extended_master_secret".to_owned());
    Some(
        finding
            .or_else(&[Cause::NoCommonCipher, Cause::InsufficientSecurity, Cause::HandshakeFailure])
            .advise("Update the client's TLS library (or switch the extension on), or use TLS 1.3.")
            .advise("See that a client with the extension gets in:")
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
    let summary = format!("The server {} does not agree to extended master secret, and the client refuses to go on.", offer::server(case));
    Some(
        Finding::new(Cause::ExtendedMasterSecretRequired, Confidence::Likely, summary)
            .shown_by(answer.mark, "ServerHello without extended_master_secret, which the client offered")
            .shown_by(seen.mark, format!("client sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::HandshakeFailure])
            .advise("Update the server's TLS library, or use TLS 1.3.")
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}
