//! `sslv2-hello`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::rules::parameters::offer;
use crate::diagnosis::signs::Signs;
use crate::handshake::facts::Protocol;
use crate::tls::registry::{ProtocolVersion, sslv2_cipher_name};

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::Sslv2Hello,
    speaks: Signs::UNFINISHED.or(Signs::SSLV2),
    against: &[],
    title: "the client opens with an SSL 2.0 hello",
    page: Page {
        meaning: "The client's first message has the form of SSL 2.0, of 1995. Either it speaks nothing newer, or it wraps an offer of SSL 3.0 or TLS into the old form, as clients did to please old servers. Servers of today read neither.",
        recognised: "The first record is an SSLv2 CLIENT-HELLO (two- or three-byte header), and the server refuses it or closes. The version in it says whether the client could speak something newer.",
        confused_with: "Random bytes or another protocol whose first bytes look like such a record; the lengths inside are checked.",
        check: "What program it is: Java 6 and older, OpenSSL 0.9.8 and older, embedded devices, scanners.",
        fix: &[
            ("the client, in general", "Replace it, or put a proxy between it and the server that speaks current TLS towards the server."),
            ("Java 6 and 7", "Remove SSLv2Hello from https.protocols and from setEnabledProtocols."),
            (
                "OpenSSL 0.9.8 and 1.0",
                "Build without SSLv2, or s_client -no_ssl2; a hello with extensions (server name) also switches the old form off.",
            ),
            ("Tomcat", "SSLv2Hello in protocols= lets a Java server read the old form while it speaks TLS."),
            ("stunnel in front of the client", "accept in plain text or old TLS, connect with TLS 1.2 or 1.3."),
        ],
        references: &["RFC 6176 (SSL 2.0 prohibited)", "RFC 5246 appendix E.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.client_hellos.first().filter(|hello| hello.what.is_sslv2())?;
    let version = hello.what.legacy_version();
    let pure = version == ProtocolVersion::SSL2 || handshake.protocol == Protocol::Ssl2;
    let offered = if pure { "SSL 2.0 only".to_owned() } else { format!("{} in the form of SSL 2.0", version.spoken()) };
    let kinds = offer::listed(hello.what.sslv2_ciphers().filter_map(sslv2_cipher_name));
    let refusal = offer::refusal(case);
    if refusal.is_none() && (!handshake.outcome.failed() || handshake.server_hello.is_some()) {
        let note = Finding::new(Cause::Sslv2Hello, Confidence::Certain, format!("The client opens with {offered}."));
        return Some(note.weight(Weight::Note).shown_by(hello.mark, format!("SSLv2 CLIENT-HELLO, {offered}")));
    }
    let summary = format!("The client opens with {offered}, which the server {} does not accept.", offer::server(case));
    let confidence = if pure { Confidence::Certain } else { Confidence::Strong };
    let text =
        if pure { format!("SSLv2 CLIENT-HELLO with {kinds}") } else { format!("SSLv2 CLIENT-HELLO that offers {}", version.spoken()) };
    let finding = match refusal {
        Some(refusal) => refusal.finding(Cause::Sslv2Hello, confidence, summary, text),
        None => Finding::new(Cause::Sslv2Hello, confidence.lowered(), summary).shown_by(hello.mark, text),
    };
    Some(
        finding
            .or_else(&[Cause::ClientVersionTooOld])
            .advise("Replace or reconfigure the client: it must open with a TLS record. Where it cannot be changed, put a TLS proxy (stunnel, HAProxy) in front of it."),
    )
}
