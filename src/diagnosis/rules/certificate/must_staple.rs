//! `must-staple-missing`: the certificate demands a stapled status and none was served.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::MustStapleMissing,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::STAPLE),
    against: &[],
    page: page!("must-staple-missing"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::MustStapleMissing)?;
    let summary = match (view.leaf().filter(|leaf| leaf.must_staple), &case.handshake.staple) {
        (Some(_), None) => format!("{} demands a stapled OCSP answer, and the server sent none", view.certificate()),
        (_, Some(_)) => {
            format!("The client refused the OCSP answer that {} stapled: out of date, or not for this certificate", view.target())
        }
        (None, None) => format!("The client demanded a stapled OCSP answer from {} and got none that it accepts", view.target()),
    };
    let mut finding = view.finding(Cause::MustStapleMissing, standing, summary);
    if let Some(staple) = &case.handshake.staple {
        finding = finding.shown_by(staple.mark, "server stapled an OCSP answer");
    }
    if matches!(standing, Standing::Chosen(_)) {
        let responder = view.leaf().and_then(|leaf| leaf.ocsp_urls.first());
        finding = finding
            .or_else(&view.alternatives(Cause::MustStapleMissing))
            .advise("Make the server staple a fresh OCSP answer, or reissue the certificate without must-staple.")
            .advise(
                remedy::s_client(case.handshake, "-status")
                    .map(|command| command.without_errors().pipe(Command::new("grep -A3").operand("OCSP response"))),
            );
        if let Some(responder) = responder {
            finding = match remedy::fetch(responder, "/dev/null") {
                Some(command) => finding
                    .advise("On the server, see whether its OCSP responder can be reached (any HTTP status will do):")
                    .advise(command.option("-w", "%{http_code}\\n")),
                None => finding.advise(format!("See whether the server can reach its OCSP responder, `{responder}`.")),
            };
        }
    }
    Some(finding)
}
