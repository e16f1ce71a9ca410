//! `version-intolerant-server`.

use crate::diagnosis::against::{Contrary, drops};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::registry::AlertDescription;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::VersionIntolerantServer,
    against: &[drops(Contrary::Tls13Completed)],
    page: page!("version-intolerant-server"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    if handshake.server_hello.is_some() || handshake.partial_server_message.is_some() || !handshake.outcome.failed() {
        return None;
    }
    // A server that says nothing has failed on the hello only if it received it.
    if view.hello_unacked() && handshake.stopped_by != StoppedBy::Server {
        return None;
    }
    // Who hangs up before the server had time to answer says nothing about the server.
    if view.is_tcp() && view.ended_by(Side::Client).is_some() && !view.waited() {
        return None;
    }
    let hello = handshake.last_hello()?;
    // To a hello that offers nothing below TLS 1.3, or drafts of it alone, an alert protocol_version is the answer that the standard asks for.
    let only_newest =
        hello.what.lists_versions() && hello.what.supported_versions().all(|version| version.is_grease() || version.is_tls13());
    let says = || offer::alert_from(case, Side::Server).map(|(_, alert)| alert);
    if only_newest && says() == Some(AlertDescription::PROTOCOL_VERSION) {
        return None;
    }
    let highest = hello.what.highest_version();
    let worked = case.knowledge.related.iter().filter(|other| {
        let lower = other.highest_version.is_some_and(|version| version.rank() > 0 && version.rank() < highest.rank());
        other.same_endpoint && lower && other.outcome == Outcome::Completed && other.same_name
    });
    let worked = worked.max_by_key(|other| other.start)?;
    let lower = worked.highest_version?.spoken();
    let refused = offer::refusal(case);
    // An alert is the server's own answer. Of one that closed, only a later success shows that it did so because of what was offered.
    let answered = refused.as_ref().is_some_and(|refusal| refusal.alert.is_some() || worked.served_after(hello.mark));
    let confidence = if answered { Confidence::Strong } else { Confidence::Likely };
    let end = match refused.as_ref().map(|refusal| refusal.alert) {
        Some(Some(alert)) => format!("answered with alert {}", offer::spoken(alert)),
        Some(None) => "closed the connection".to_owned(),
        None => "did not answer".to_owned(),
    };
    let summary = format!(
        "Offered {}, the server {} {end}; offered {lower} by the same client, it completed the handshake.",
        highest.spoken(),
        offer::server(case)
    );
    let mut finding = Finding::new(Cause::VersionIntolerantServer, confidence, summary)
        .shown_by(hello.mark, format!("client offers {}", offer::versions(&hello.what)));
    if let Some(mark) = refused.and_then(|refusal| refusal.refused).or(handshake.end) {
        finding = finding.shown_by(mark, "the handshake ended here");
    }
    Some(
        finding
            .shown_by(worked.start, format!("another handshake of the same client, at most {lower}, completed"))
            .or_else(&[Cause::Tls13Dropped, Cause::SplitClientHello])
            .advise("Update the server or the device in front of it; limiting the client's version is a stopgap.")
            .advise(remedy::s_client(handshake, "-tls1_3"))
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}
