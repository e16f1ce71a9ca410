//! `eap-method-refused`: supplicant and server have no EAP method in common.

use crate::carriers::eap::type_name;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule { cause: Cause::EapMethodRefused, against: &[], page: page!("eap-method-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let eap = facts.carried.as_ref()?.eap()?;
    let (wanted, mark) = eap.refused.as_ref()?;
    if eap.took || View::new(facts).hello_begun() || !facts.outcome.failed() {
        return None;
    }
    let name = |kind: u8| type_name(kind).map_or_else(|| format!("EAP type {kind}"), str::to_owned);
    let wants = if wanted.is_empty() { "no other".to_owned() } else { wanted.iter().copied().map(name).collect::<Vec<_>>().join(", ") };
    let offered = eap.proposed.map_or_else(|| "its method".to_owned(), name);
    let mut finding = Finding::new(
        Cause::EapMethodRefused,
        Confidence::Certain,
        format!("The {} {} proposes {offered}, the supplicant does not take it and wants {wants}.", eap.road.words().server, facts.server),
    )
    .stopped_by(StoppedBy::Server)
    .shown_by(*mark, format!("EAP-Response Nak: the supplicant wants {wants}"));
    if let Some((result, mark)) = eap.result {
        finding = finding.shown_by(mark, format!("the server has {} the supplicant", result.name()));
    }
    Some(
        finding
            .advise("On the RADIUS server, enable a method that the supplicant has; or set the server's method in the supplicant's network profile.")
            .advise(remedy::log(facts, Side::Server, "it names the method that was asked for")),
    )
}
