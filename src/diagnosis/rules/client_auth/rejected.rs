//! `client-certificate-rejected`: the server refused the client's certificate, the reason is hidden.

use super::answer::{Reaction, View, day};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateRejected,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    page: page!("client-certificate-rejected"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateRejected)?;
    let not_yet = view.chain.is_some_and(ChainFacts::leaf_not_yet_valid);
    let summary = if let (Some(leaf), true, false) = (view.chain.and_then(ChainFacts::leaf), view.of_the_future(), not_yet) {
        format!(
            "{} is valid since {}, but the server says bad_certificate, which to a server like {} most often means that it is not yet valid: the server's clock is behind",
            view.certificate(),
            day(leaf.not_before),
            view.target()
        )
    } else if not_yet {
        format!("{} is not yet valid, or the server refused it for another reason", view.certificate())
    } else if matches!(view.reaction, Reaction::Alert { code: 51, .. }) {
        format!("{} was sent, but its proof of the key did not verify at {}", view.certificate(), view.target())
    } else {
        format!("{} was refused by {}", view.certificate(), view.target())
    };
    Some(
        view.finding(Cause::ClientCertificateRejected, confidence, &summary)
            .or_else(&[
                Cause::ClientCertificateUntrusted,
                Cause::ClientCertificateExpired,
                Cause::ClientCertificateWrongUsage,
                Cause::ClientCertificateRevoked,
            ])
            .advise(if view.of_the_future() {
                "Compare the server's clock with the time of this capture first."
            } else {
                "See whether the server's clock is right."
            })
            .advise("The server's log has the reason. Check the client's certificate as the server would:")
            .advise(Command::new("openssl verify -CAfile authorities.pem -purpose sslclient client.pem"))
            .advise(remedy::s_client(case.handshake, "-cert client.pem -key client.key")),
    )
}
