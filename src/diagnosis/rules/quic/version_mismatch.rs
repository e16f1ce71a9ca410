//! `quic-version-mismatch`: Version Negotiation without a version in common.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::QuicVersionMismatch,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "client and server have no QUIC version in common",
    page: Page {
        meaning: "The server does not speak the QUIC version of the client's first packet and said which ones it does speak. The client knows none of those and gave up.",
        recognised: "A Version Negotiation packet (version 0) that echoes the client's connection identifiers, and no further Initial packet of the client.",
        confused_with: "A client that went on from another port, or over TCP: see its next connections. A forged Version Negotiation packet, which is not authenticated.",
        check: "Compare what the server lists with what the client supports. Version 1 is 0x00000001, version 2 is 0x6b3343cf, drafts are 0xff0000xx.",
        fix: &[
            ("server with drafts only", "Update it: drafts 27 to 29 were common until 2021; clients have dropped them."),
            ("client with drafts only", "Update it, or its QUIC library."),
            ("load balancer with QUIC of its own", "Its version list counts, not the server's behind it: update the balancer."),
            (
                "version 2",
                "Some servers answer only version 1: let the client start with version 1 and move by compatible negotiation (RFC 9368).",
            ),
        ],
        references: &["RFC 9000 section 6", "RFC 8999 section 6", "RFC 9368", "RFC 9369"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic().filter(|quic| quic.no_common_version())?;
    let (mark, versions) = quic.negotiation.as_ref()?;
    let listed: Vec<String> = versions.iter().filter(|version| !version.is_grease()).map(ToString::to_string).collect();
    let list = if listed.is_empty() { "none that is in use".to_owned() } else { listed.join(", ") };
    Some(
        Finding::new(
            Cause::QuicVersionMismatch,
            Confidence::Certain,
            format!(
                "{} does not speak QUIC version {} (it lists: {list}), and the client knows none of those.",
                view.target(),
                quic.first_version
            ),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Client)
        .shown_by(case.handshake.tcp.first, format!("the client's first packet, version {}", quic.first_version))
        .shown_by(*mark, format!("Version Negotiation: {list}"))
        .noting("the client sent no packet of any of these versions afterwards")
        .advise(format!("Bring both to a common version (1 is the standard): the server lists {list}.")),
    )
}
