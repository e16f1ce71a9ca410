//! `eap-rejected`: the handshake is through, or no alert says why not, and the server turns the supplicant away.

use crate::carriers::eap::Method;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::EapRejected, against: &[], page: page!("eap-rejected"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let carried = facts.carried.as_ref()?;
    let eap = carried.eap()?;
    let rejected = carried.rejected()?;
    let (method, begun) = eap.method?;
    let name = method.title();
    let whom = eap.identity.as_deref().filter(|identity| !identity.is_empty()).map_or_else(String::new, |identity| format!(" {identity}"));
    let server = facts.server;
    let (weight, summary) = match facts.outcome {
        Outcome::Completed => {
            let why = match method {
                Method::Tls => "its policy does not let this certificate in",
                Method::Ttls | Method::Peap | Method::Fast | Method::Teap => {
                    "what was said inside (user name, password) or its policy is the reason"
                }
            };
            (Weight::Explains, format!("{name} with {server} was established, then the server rejected the supplicant{whom}: {why}."))
        }
        // FreeRADIUS ends the conversation with the handshake: what its TLS library has to say is not sent.
        Outcome::Closed if facts.server_hello.is_none() && View::new(facts).hello_begun() => (
            Weight::Fallback,
            format!(
                "{server} rejected the supplicant{whom} right after the ClientHello of {name}: most often they have no TLS version or cipher suite in common."
            ),
        ),
        // What it did not take was the method, which is told.
        Outcome::Closed if !View::new(facts).hello_begun() && eap.refused.is_some() => return None,
        Outcome::Closed => {
            (Weight::Fallback, format!("{server} rejected the supplicant{whom} in the middle of {name}, and no alert says why."))
        }
        _ => return None,
    };
    let mut finding = Finding::new(Cause::EapRejected, Confidence::Strong, summary).weight(weight);
    finding = if facts.outcome == Outcome::Completed {
        let finished = facts.finished.client.zip(facts.finished.server).map(|(client, server)| client.max(server));
        finding.shown_by(finished.unwrap_or(begun), format!("{name}: both sides finished TLS"))
    } else {
        finding.stopped_by(StoppedBy::Server).shown_by(begun, format!("the server begins with {name}"))
    };
    finding = finding.shown_by(rejected, eap.road.words().rejected);
    if facts.outcome == Outcome::Closed && facts.server_hello.is_none() {
        return Some(
            finding
                .or_else(&[Cause::ClientVersionTooOld, Cause::NoCommonVersion, Cause::NoCommonCipher])
                .advise(remedy::log(facts, Side::Server, "it says what the two have not in common"))
                .advise("On the RADIUS server, compare its TLS versions, its cipher suites and the key type of its certificate with what the supplicant offers."),
        );
    }
    Some(
        finding
            .advise(remedy::log(facts, Side::Server, "it says which check failed: password, account, group, certificate policy"))
            .advise("On the RADIUS server, check the user's account and password, and the rules for this network."),
    )
}
