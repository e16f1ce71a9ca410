//! `tls13-dropped`: only handshakes with TLS 1.3 die.

use crate::diagnosis::against::{Contrary, drops};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::tls::registry::ProtocolVersion;

use super::{hello_lost, older_version_worked};

pub(super) const RULE: Rule = Rule {
    cause: Cause::Tls13Dropped,
    speaks: Signs::UNFINISHED,
    against: &[drops(Contrary::SameHelloCompleted), drops(Contrary::Tls13Completed)],
    title: "a device on the path drops handshakes that offer TLS 1.3",
    page: Page {
        meaning: "Handshakes that offer (or choose) TLS 1.3 die on the way, while the same client reaches the same server with TLS 1.2. A firewall, proxy or \
                  intrusion prevention system on the path does not understand TLS 1.3, or is told not to allow what it cannot inspect.",
        recognised: "The ClientHello with TLS 1.3 in supported_versions is repeated in vain (or the TLS 1.3 answer never arrives), and an attempt of the same client at the \
                     same address within seconds, with TLS 1.2 at most, completes.",
        confused_with: "A server that itself fails on TLS 1.3 (`version-intolerant-server`): it acknowledges the ClientHello, then closes, resets or alerts. A filter by server name (`client-hello-dropped`), which drops TLS 1.2 too.",
        check: "Try both versions by hand from the same client.\n\n$ openssl s_client -connect <server-address>:443 -servername <name> -tls1_3\n\n$ openssl s_client -connect <server-address>:443 -servername <name> -tls1_2",
        fix: &[
            (
                "firewall",
                "Update it; then allow TLS 1.3 in its decryption or inspection profile (Palo Alto: `Max Version TLSv1.3`, and no `block sessions with unsupported versions`).",
            ),
            (
                "intrusion prevention",
                "Old signatures take the supported_versions extension or the middlebox compatibility records for an attack: update them or exempt the server.",
            ),
            (
                "stop-gap at the server",
                "Switch TLS 1.3 off for the clients behind that device: nginx `ssl_protocols TLSv1.2;`, HAProxy `ssl-max-ver TLSv1.2`, Apache `SSLProtocol -all +TLSv1.2`.",
            ),
            (
                "stop-gap at the client",
                "`curl --tls-max 1.2`, Java `-Djdk.tls.client.protocols=TLSv1.2`, Go `MaxVersion: tls.VersionTLS12`.",
            ),
        ],
        references: &["RFC 8446 sections 4.2.1 and D.4", "RFC 9325 section 3.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.failed_over_tcp() || !older_version_worked(case) {
        return None;
    }
    let hello = facts.last_hello()?;
    if !hello.what.offers(ProtocolVersion::TLS13) {
        return None;
    }
    let lost = hello_lost(view).map(|copies| format!("the ClientHello was sent {copies} times and never acknowledged"));
    let answer_lost = || {
        let segment = view.repeated_in_vain(Side::Server).next().filter(|_| facts.is_tls13() && view.server().acked == 0)?;
        Some(format!("the TLS 1.3 answer was sent {} times and never acknowledged", segment.copies))
    };
    let why = lost.or_else(answer_lost)?;
    // Another attempt with TLS 1.3 that got through clears the version of suspicion.
    if case.knowledge.completed_with_tls13 > 0 {
        return None;
    }
    Some(
        Finding::new(
            Cause::Tls13Dropped,
            Confidence::Strong,
            format!(
                "A device on the path drops handshakes that offer TLS 1.3 to {}: {why}, while the same client completes with TLS 1.2.",
                view.target()
            ),
        )
        .stopped_by(StoppedBy::Network)
        .shown_by(hello.mark, "ClientHello that offers TLS 1.3")
        .noting(why)
        .noting("an attempt of the same client at the same address with TLS 1.2 completed within seconds")
        .or_else(&[Cause::ClientHelloDropped, Cause::VersionIntolerantServer])
        .advise("Compare both versions from this client, then look for a firewall or proxy that does not pass TLS 1.3:")
        .advise(remedy::s_client(facts, "-tls1_3"))
        .advise(remedy::s_client(facts, "-tls1_2")),
    )
}
