//! `no-common-version`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::tls::registry::AlertDescription;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::NoCommonVersion, against: &[], page: page!("no-common-version"), check };

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
            .advise("Try one version at a time:")
            .advise(remedy::s_client(case.handshake, "-tls1_2"))
            .advise(remedy::s_client(case.handshake, "-tls1_3")),
    )
}
