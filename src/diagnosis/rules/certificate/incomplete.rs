//! `chain-incomplete`: an intermediate is missing from what the server serves.

use super::standing::{Source, Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::PathEnd;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;
use crate::tls::certificate::Certificate;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ChainIncomplete,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::NO_ISSUER),
    against: &[],
    page: page!("chain-incomplete"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::ChainIncomplete)?;
    let chosen = matches!(standing, Standing::Chosen(_));
    let (summary, fetch) = match view.chain.map(|chain| (chain, &chain.end)) {
        Some((chain, PathEnd::MissingIssuer { issuer, ca_issuers, .. })) if view.is_true(Cause::ChainIncomplete) => {
            let served = match chain.path.len() {
                1 => "only its own certificate".to_owned(),
                count => format!("{count} certificates of its chain"),
            };
            let last = chain.path.last().and_then(|index| chain.certificate(*index)).map_or_else(String::new, Certificate::display_name);
            let parts = [&*view.target(), " serves ", &served, ", but not the intermediate ", issuer, " that issued ", &last];
            (sentence(&parts), ca_issuers.first().cloned())
        }
        _ => (
            format!(
                "{} seems to serve only its own certificate without the intermediate: its encrypted Certificate has the size of one",
                view.target()
            ),
            None,
        ),
    };
    let mut finding = view.finding(Cause::ChainIncomplete, standing, summary);
    if chosen {
        finding = finding
            .or_else(&view.alternatives(Cause::ChainIncomplete))
            .advise("Put the intermediate behind the server's certificate in the file that the server serves, and reload the server.");
        if let Some(url) = fetch {
            finding = match remedy::fetch(&url, "intermediate.der") {
                Some(command) => finding.advise(command),
                None => finding.advise(format!("The certificate says that its issuer's is at `{url}`.")),
            };
        }
        finding = finding.advise(remedy::s_client(case.handshake, "-showcerts"));
        if view.source == Source::Hidden {
            finding = finding.advise("The chain was encrypted: the command above shows it.");
        }
    }
    Some(finding)
}
