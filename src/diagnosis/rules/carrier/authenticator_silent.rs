//! `eap-authenticator-silent`: the supplicant answers, and nothing comes back over EAPOL.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{EapRoad, Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::EapAuthenticatorSilent, against: &[], page: page!("eap-authenticator-silent"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let eap = facts.carried.as_ref()?.eap()?;
    if eap.road != EapRoad::Eapol || facts.outcome != Outcome::Stalled {
        return None;
    }
    let waiting = view.unanswered_datagrams(Side::Client)?;
    let waited = span_text(facts.closed_at.time.since(waiting.first.time));
    let after = if view.hello_begun() { "in the middle of the TLS handshake" } else { "after the supplicant told its identity" };
    let confidence = if view.server().packets > 0 { Confidence::Strong } else { Confidence::Likely };
    Some(
        Finding::new(
            Cause::EapAuthenticatorSilent,
            confidence,
            format!(
                "The authenticator {} says nothing more {after}, for {waited}: most often the RADIUS server behind it does not answer it.",
                facts.server
            ),
        )
        .stopped_by(StoppedBy::Server)
        .shown_by(waiting.last, "EAP-Response of the supplicant")
        .shown_by(facts.closed_at, format!("no EAP-Request, EAP-Success or EAP-Failure within {waited}"))
        .or_else(&[Cause::RadiusNoAnswer, Cause::PacketLoss])
        .advise("On the authenticator, check whether its RADIUS server is said to be alive, and capture RADIUS towards it.")
        .advise(remedy::log(facts, Side::Server, "it says that the authentication server does not respond")),
    )
}
