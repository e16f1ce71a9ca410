//! `sslv2-hello`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::Protocol;
use crate::tls::registry::{ProtocolVersion, sslv2_cipher_name};

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::Sslv2Hello, against: &[], page: page!("sslv2-hello"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.client_hellos.first().filter(|hello| hello.what.is_sslv2())?;
    let version = hello.what.legacy_version();
    let pure = version == ProtocolVersion::SSL2 || handshake.protocol == Protocol::Ssl2;
    let offered = if pure { "SSL 2.0 only".to_owned() } else { format!("{} in an SSL 2.0 ClientHello", version.spoken()) };
    let kinds = offer::listed(hello.what.sslv2_ciphers().filter_map(sslv2_cipher_name));
    let refusal = offer::refusal(case);
    if refusal.is_none() && (!handshake.outcome.failed() || handshake.server_hello.is_some()) {
        let note = Finding::new(Cause::Sslv2Hello, Confidence::Certain, format!("The client starts with {offered}."));
        return Some(note.weight(Weight::Note).shown_by(hello.mark, format!("SSLv2 CLIENT-HELLO, {offered}")));
    }
    let summary = format!("The client starts with {offered}, which the server {} does not accept.", offer::server(case));
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
            .advise("Replace or reconfigure the client so that it starts with a TLS record. If it cannot be changed, put a TLS proxy (stunnel, HAProxy) in front of it."),
    )
}
