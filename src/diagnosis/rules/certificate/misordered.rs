//! `chain-misordered`: the served chain is in the wrong order or holds strangers.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::tls::certificate::Certificate;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ChainMisordered,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::IRREGULAR),
    against: &[],
    page: page!("chain-misordered"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::ChainMisordered);
    let chain = view.chain?;
    // Strangers alone stop nobody.
    let Some(standing) = standing else { return strangers(&view, chain) };
    let summary = format!("The chain that {} serves is not in order: {}", view.target(), fault(chain));
    let mut finding = view.finding(Cause::ChainMisordered, standing, summary);
    if let Standing::Chosen(_) = standing {
        finding = finding.or_else(&view.alternatives(Cause::ChainMisordered));
    }
    Some(
        finding
            .advise("Serve the server's own certificate first, then each one's issuer; leave out the root and what does not belong.")
            .advise(remedy::s_client(case.handshake, "-showcerts")),
    )
}

fn fault(chain: &ChainFacts) -> String {
    let name = |index: usize| chain.certificate(index).map_or_else(String::new, Certificate::display_name);
    if chain.leaf != 0 {
        return format!(
            "the first certificate is the authority {}, the server's own ({}) comes as number {}",
            name(0),
            name(chain.leaf),
            chain.leaf + 1
        );
    }
    if let Some((certificate, issuer)) = chain.bad_signatures.first() {
        if certificate == issuer {
            return format!("the signature of {} does not verify with its own key", name(*certificate));
        }
        return format!(
            "{} (number {}) has the name of the issuer of {}, but its key does not verify the signature",
            name(*issuer),
            issuer + 1,
            name(*certificate)
        );
    }
    let order: Vec<String> = chain.path.iter().map(|index| (index + 1).to_string()).collect();
    format!("the path from the server's certificate upwards runs through the served ones in the order {}", order.join(", "))
}

fn strangers(view: &View<'_>, chain: &ChainFacts) -> Option<Finding> {
    if chain.unverified().is_some() {
        return None;
    }
    let seen = view.case.handshake.server_chain.as_ref()?;
    let beside: Vec<usize> = chain.strangers.iter().chain(&chain.duplicates).copied().collect();
    let first = chain.certificate(*beside.first()?)?;
    let summary = format!(
        "{} serves {} certificate{} that {} not belong to its chain, {} among them.",
        view.target(),
        beside.len(),
        if beside.len() == 1 { "" } else { "s" },
        if beside.len() == 1 { "does" } else { "do" },
        first.display_name()
    );
    Some(
        Finding::new(Cause::ChainMisordered, Confidence::Hint, summary)
            .weight(Weight::Note)
            .shown_by(seen.mark, format!("server sent {} certificates", chain.certificates.len()))
            .advise("Leave out what is not on the way from the server's certificate to the root."),
    )
}
