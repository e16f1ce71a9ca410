//! `no-common-cipher`.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::tls::registry::AlertDescription as A;

use crate::diagnosis::offer;
use crate::wording::counted;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::NoCommonCipher, against: &[], page: page!("no-common-cipher"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    if refusal.alert.is_none() {
        return wordless(case, &refusal);
    }
    if !matches!(refusal.alert, Some(A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY)) {
        return None;
    }
    let (suspect, others) = offer::prime_suspect(case, &refusal, Cause::NoCommonCipher)?;
    // A hello of an outdated version fails for its version first.
    let confidence = if offer::is_outdated(refusal.hello, case.knowledge) { Confidence::Likely } else { suspect.confidence() };
    let summary = format!("The server {} accepts none of the client's cipher suites; {}.", offer::server(case), suspect.why);
    let finding = refusal.finding(Cause::NoCommonCipher, confidence, summary, suspect.why);
    let finding = finding.or_else(&others);
    let wanted = || refusal.hello.cipher_suites().filter(|suite| !suite.is_grease() && !suite.is_signal());
    if wanted().next().is_some() && wanted().all(|suite| suite.to_string().contains("PSK")) {
        return Some(
            finding
                .advise("On the server, configure the client's PSK identity and key: the client offers only pre-shared keys. Or on the client, enable certificate suites.")
                .advise(remedy::psk(case.handshake)),
        );
    }
    Some(advised(case, finding))
}

/// Schannel and some balancers break off without an alert where nothing is common. The same server serves others, under this name too, with suites
/// that this hello does not offer, and breaks off at once.
fn wordless(case: &Case<'_>, refusal: &offer::Refusal<'_>) -> Option<Finding> {
    let (suspect, _) = offer::prime_suspect(case, refusal, Cause::NoCommonCipher)?;
    let view = View::new(case.handshake);
    let at_once = refusal.refused.is_some_and(|end| end.time.since(refusal.asked.time) <= AT_ONCE + view.rtt());
    let contrast = suspect.narrowness >= offer::NOT_OF_THIS_SERVER && case.knowledge.completed_same_name >= SERVED;
    if !contrast || !at_once || view.answer_begun() {
        return None;
    }
    let summary = format!(
        "The server {} ended the connection at once, without an alert. Most likely it accepts none of the client's cipher suites; {}.",
        offer::server(case),
        suspect.why
    );
    let finding = refusal.finding(Cause::NoCommonCipher, Confidence::Likely, summary, suspect.why);
    let served = format!(
        "{} for this name completed, all with suites that this ClientHello lacks",
        counted(case.knowledge.completed_same_name, "handshake", "handshakes")
    );
    Some(advised(case, finding.noting(served).or_else(&[Cause::ServerReset, Cause::ServerClosed, Cause::ResetInjected])))
}

fn advised(case: &Case<'_>, finding: Finding) -> Finding {
    finding
        .advise("On the client, enable a suite with ECDHE and AES-GCM; or on the server, enable one of those that the client offers.")
        .advise("Check what the server accepts:")
        .advise(remedy::s_client(case.handshake, ""))
        .advise(remedy::enumerate_ciphers(case.handshake))
}

/// A server that refuses a hello does so as soon as it has read it.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Handshakes that a server completed before what it does with another hello tells something.
const SERVED: u32 = 2;
