//! `backend-inconsistent`: one of several servers behind the name serves another, bad certificate.

use super::standing::{Source, Standing, View};
use super::words::day;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::BackendInconsistent,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OUTDATED).or(Signs::OTHER_NAME),
    against: &[],
    title: "servers behind one name serve different certificates, one of them bad",
    page: Page {
        meaning: "The same name at the same address answers now with one certificate, now with another: several machines or processes stand behind it, and not all were renewed. \
                  Users see it as a failure that comes and goes.",
        recognised: "Within one capture, handshakes with the same server and name show different server certificates; at least one of them is sound and at least one is not (expired, other names, incomplete chain).",
        confused_with: "A renewal that happened during the capture: then the old certificate is never seen again after the new one. Several names on one address: here only the same name counts.",
        check: "Ask every backend directly, past the load balancer, and compare serial numbers.",
        fix: &[
            (
                "load balancer with TLS on the backends",
                "$ for b in <backend1> <backend2>; do openssl s_client -connect $b:443 -servername <name> </dev/null 2>/dev/null | openssl x509 -noout -serial -enddate; done",
            ),
            (
                "configuration management",
                "Let one place install the certificate on all machines, and check what each serves afterwards, not what the file says.",
            ),
            ("Kubernetes", "Pods that read the secret only at start keep the old certificate: restart them, or watch the mounted file."),
            (
                "several processes on one machine",
                "An old worker may still hold the port (reload instead of restart, SO_REUSEPORT): `ss -ltnp 'sport = :443'`.",
            ),
            ("DNS with several addresses", "$ dig +short <name>\nAsk each address."),
        ],
        references: &["RFC 8446 section 4.4.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let known = &case.knowledge.chains;
    match view.source {
        // This handshake got the bad one while others got a sound one: the fault itself is the cause, this is its story.
        Source::Seen => {
            let chain = view.chain?;
            let leaf = chain.leaf()?;
            let fault = fault(chain)?;
            let other = known
                .iter()
                .find(|other| other.leaf().is_some_and(|other| other.sha256 != leaf.sha256) && self::fault(other).is_none())?
                .leaf()?;
            let seen = case.handshake.server_chain.as_ref()?;
            let summary = format!(
                "{} serves different certificates: this one {fault}, others got one valid until {}; not every server behind the name was renewed.",
                view.target(),
                day(other.not_after)
            );
            Some(
                Finding::new(Cause::BackendInconsistent, Confidence::Strong, summary)
                    .weight(Weight::Note)
                    .shown_by(seen.mark, format!("server sent {} (serial number {})", leaf.display_name(), leaf.serial))
                    .noting(format!("other handshakes of this capture show serial number {}", other.serial))
                    .advise("Compare what every backend serves; install the sound certificate on all of them.")
                    .advise(remedy::x509(case.handshake, "-noout -serial -enddate")),
            )
        }
        // The certificate is hidden and has the size of the bad one: others got a sound one.
        Source::Known { .. } => {
            let chain = view.chain?;
            let bad = (chain.leaf()?, fault(chain)?);
            let good = known.iter().find(|chain| fault(chain).is_none() && chain.leaf().is_some_and(|leaf| leaf.sha256 != bad.0.sha256))?;
            let (_, confidence) = view.choose()?;
            let summary = format!(
                "{} serves different certificates: one {}, another is valid until {}; this client got the bad one, by its size",
                view.target(),
                bad.1,
                good.leaf().map_or_else(String::new, |leaf| day(leaf.not_after))
            );
            let finding = view.finding(Cause::BackendInconsistent, Standing::Chosen(confidence.min(Confidence::Likely)), summary);
            Some(
                finding
                    .or_else(&[Cause::CertificateExpired, Cause::ServerCertificateRejected])
                    .advise("Compare what every backend serves."),
            )
        }
        Source::Hidden => None,
    }
}

/// What is wrong with a chain so that no client takes it, in a verb phrase.
fn fault(chain: &ChainFacts) -> Option<String> {
    let leaf = chain.leaf()?;
    if chain.leaf_expired() {
        Some(format!("expired on {}", day(leaf.not_after)))
    } else if chain.leaf_not_yet_valid() {
        Some(format!("is not valid before {}", day(leaf.not_before)))
    } else if chain.expired_intermediates().next().is_some() {
        Some("has an expired intermediate".to_owned())
    } else if chain.covers_name == Some(false) {
        Some("does not cover the name".to_owned())
    } else {
        None
    }
}
