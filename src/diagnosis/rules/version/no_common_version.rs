//! `no-common-version`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::rules::parameters::offer;
use crate::diagnosis::signs::Signs;
use crate::tls::registry::AlertDescription;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::NoCommonVersion,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "client and server have no protocol version in common",
    page: Page {
        meaning: "The server says that none of the versions in the ClientHello suits it, although the client offers new ones and is not limited to TLS 1.3. The server may have a hole in its versions, be limited by policy for this client or name, or be confused by a version it does not know.",
        recognised: "Alert protocol_version from the server straight after a ClientHello that offers TLS 1.3 and older versions together, or only drafts and unknown versions.",
        confused_with: "A server that cannot cope with new versions at all (version-intolerant-server): then the same client succeeds when it offers less. Where the client's versions are all old, or all TLS 1.3, the causes client-version-too-old and server-version-too-old say more.",
        check: "Each version by itself:\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_2 </dev/null\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_3 </dev/null",
        fix: &[
            ("in general", "Allow TLS 1.2 and TLS 1.3 on both sides."),
            ("nginx", "ssl_protocols TLSv1.2 TLSv1.3; check the default server of the address, whose protocols count."),
            ("Apache", "SSLProtocol -all +TLSv1.2 +TLSv1.3, in the first virtual host of the address too."),
            ("HAProxy", "ssl-min-ver and ssl-max-ver on the bind line leave a range: see that it is not empty."),
            ("Java", "Compare jdk.tls.client.protocols, jdk.tls.server.protocols and jdk.tls.disabledAlgorithms."),
            ("Go", "tls.Config.MinVersion must not be above MaxVersion."),
        ],
        references: &["RFC 8446 sections 4.2.1 and 6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case).filter(|refusal| refusal.alert == Some(AlertDescription::PROTOCOL_VERSION))?;
    let hello = refusal.hello;
    let highest = hello.highest_version();
    // Old only, or TLS 1.3 only: causes of their own.
    let named = highest.is_tls13() && hello.lowest_version().is_some_and(|lowest| !lowest.is_tls13());
    if !(named || highest.rank() == 0) || hello.is_sslv2() {
        return None;
    }
    let summary = format!("The client offers {}, and the server {} accepts none of them.", offer::versions(hello), offer::server(case));
    let finding = refusal.finding(Cause::NoCommonVersion, Confidence::Likely, summary, format!("client offers {}", offer::versions(hello)));
    Some(
        finding
            .or_else(&[Cause::VersionIntolerantServer, Cause::ServerVersionTooOld])
            .advise("Try each version by itself:")
            .advise(remedy::s_client(case.handshake, "-tls1_2"))
            .advise(remedy::s_client(case.handshake, "-tls1_3")),
    )
}
