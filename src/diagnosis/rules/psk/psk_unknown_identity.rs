//! `psk-unknown-identity`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::rules::parameters::offer;
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::tls::registry::AlertDescription as A;

use super::uses_psk;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::PskUnknownIdentity,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server does not know the identity of the client's pre-shared key",
    page: Page {
        meaning: "The client names a pre-shared key (PSK) by an identity that the server has not on its list: a typo, a device that was never provisioned, or a list that was not reloaded.",
        recognised: "Alert unknown_psk_identity: certain. After the client's key exchange with a PSK suite, illegal_parameter from the server (GnuTLS) is taken for the same. In TLS 1.3, handshake_failure to a hello with an external key (its age field is zero) means that the server found no key and has no certificate to go on with.",
        confused_with: "A wrong key for a known identity: servers that want to hide which identities exist answer both with decrypt_error or bad_record_mac.",
        check: "The identity as sent, byte by byte (spaces, case, hexadecimal or text), against the server's list:\n\n$ openssl s_client -connect <host>:<port> -tls1_2 -psk_identity <identity> -psk <key in hexadecimal> -cipher PSK",
        fix: &[
            ("in general", "Enter the identity at the server, or correct it at the client, and reload the server."),
            ("stunnel", "PSKsecrets file: one line identity:key, at least 16 bytes of key; PSKidentity at the client."),
            ("Mosquitto", "psk_file with identity:hexkey, psk_hint, use_identity_as_username; reload with SIGHUP."),
            ("GnuTLS", "psktool -u <identity> -p keys.psk; --pskpasswd at the server."),
            ("OpenSSL server", "-psk_identity and -psk for TLS 1.2, a psk_find_session callback for TLS 1.3."),
            ("Zabbix", "TLSPSKIdentity of the agent must equal the host's PSK identity in the frontend."),
            ("Mbed TLS, CoAP devices", "mbedtls_ssl_conf_psk on both sides; identities are case-sensitive."),
        ],
        references: &["RFC 4279 section 2", "RFC 8446 sections 4.2.11 and 6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if !handshake.outcome.failed() {
        return None;
    }
    let (seen, alert) = offer::alert_from(case, Side::Server)?;
    let hello = handshake.last_hello()?;
    let external = hello.what.psk_is_external();
    let after_key_exchange = uses_psk(case) && handshake.client_key_exchange.is_some();
    let confidence = match alert {
        A::UNKNOWN_PSK_IDENTITY => Confidence::Certain,
        A::ILLEGAL_PARAMETER if after_key_exchange => Confidence::Likely,
        A::HANDSHAKE_FAILURE if external && handshake.server_hello.is_none() => Confidence::Likely,
        _ => return None,
    };
    let summary = format!("The server {} does not know the identity of the client's pre-shared key.", offer::server(case));
    let mut finding = Finding::new(Cause::PskUnknownIdentity, confidence, summary);
    finding = match handshake.client_key_exchange {
        Some(mark) => finding.shown_by(mark, "client names its identity in the ClientKeyExchange"),
        None => finding.shown_by(hello.mark, format!("client offers {} pre-shared key(s)", hello.what.psk_identities())),
    };
    finding = finding.shown_by(seen.mark, format!("server sent alert {}", offer::spoken(alert)));
    if confidence < Confidence::Certain {
        finding = finding.or_else(&[Cause::PskMismatch, Cause::HandshakeFailure]);
    }
    Some(
        finding
            .advise("Enter the identity at the server or correct it at the client, and reload the server.")
            .advise(remedy::psk(handshake)),
    )
}
