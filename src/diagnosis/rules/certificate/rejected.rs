//! `server-certificate-rejected`: the client rejected the server's certificate or flight, the reason is hidden.

use super::reaction::Reaction;
use super::standing::{Source, Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::Trust;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerCertificateRejected,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED),
    against: &[],
    page: page!("server-certificate-rejected"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::ServerCertificateRejected)?;
    let Standing::Chosen(_) = standing else { return None };
    let sound = view.chain.is_some_and(|chain| chain.trust == Trust::Trusted && chain.covers_name != Some(false));
    let summary = match (view.source, view.reaction) {
        (Source::Seen, _) if sound => {
            format!(
                "Nothing is wrong with the certificate of {} as far as can be seen here: the client has another trust store, pins a key, or knows of a revocation",
                view.target()
            )
        }
        (Source::Seen | Source::Known { .. }, Reaction::LeftAfter { .. }) => {
            format!("The client left {} without using it: it did not accept the certificate, or it only made a check", view.target())
        }
        (Source::Seen, _) => format!("The client does not accept the certificate of {}", view.target()),
        (_, Reaction::LeftAfter { .. }) => {
            format!(
                "The client left {} without using it: it did not accept the certificate, which was served encrypted, or it only made a check",
                view.target()
            )
        }
        (_, Reaction::Alert { code: 80, .. }) => {
            format!("The client program's own check refused the certificate of {}, which was served encrypted", view.target())
        }
        _ => format!(
            "The client did not accept the certificate of {}, or something else in the server's flight, which was encrypted",
            view.target()
        ),
    };
    let alternatives = view.alternatives(Cause::ServerCertificateRejected);
    let mut finding = view.finding(Cause::ServerCertificateRejected, standing, summary).or_else(&alternatives);
    if matches!(view.reaction, Reaction::Left { .. }) {
        finding = finding.or_else(&[Cause::ClientAborted]);
    }
    if let Some(len) = case.handshake.hidden.server_certificate_record.filter(|_| view.source == Source::Hidden) {
        let unlike = if view.unlike_others { "; none of the certificates of this server that were seen in clear fits that" } else { "" };
        finding = finding.noting(format!("the server's encrypted Certificate takes {len} bytes{unlike}"));
    }
    Some(
        finding
            .advise("Look at the client's own error message, and at what the server serves:")
            .advise(remedy::s_client(case.handshake, "-showcerts"))
            .advise("To see the reason in a capture, give a key log, or let the client try once with TLS 1.2."),
    )
}
