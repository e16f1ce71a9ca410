//! `certificate-weak-signature`: signed with a hash the client refuses.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::tls::certificate::{Certificate, SignatureHash};
use crate::tls::registry::SignatureScheme;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateWeakSignature,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::ALERT).or(Signs::WEAK),
    against: &[],
    page: page!("certificate-weak-signature"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    if let Some(finding) = refused_by_server(case) {
        return Some(finding);
    }
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateWeakSignature)?;
    let chain = view.chain?;
    let weak = chain.certificate(*chain.weak_signatures.first()?)?;
    let summary = if view.leaf().is_some_and(|leaf| leaf.sha256 == weak.sha256) {
        format!("{} is signed with {}, which clients refuse", view.certificate(), weak.signature)
    } else {
        format!(
            "In the chain of {}, the authority {} is signed with {}, which clients refuse",
            view.target(),
            weak.display_name(),
            weak.signature
        )
    };
    let mut finding = view.finding(Cause::CertificateWeakSignature, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateWeakSignature))
            .advise("Have the certificate reissued with a SHA-256 signature.")
            .advise(
                remedy::x509(case.handshake, "-noout -text")
                    .map(|command| command.pipe(Command::new("grep").operand("Signature Algorithm"))),
            );
    }
    Some(finding)
}

/// The server answers the hello with an alert, and is known to have a certificate whose signature this client does not list.
fn refused_by_server(case: &Case<'_>) -> Option<Finding> {
    let (Side::Server, 40 | 71) = case.handshake.deciding_description()? else { return None };
    if case.handshake.server_hello.is_some() {
        return None;
    }
    let hello = case.handshake.last_hello()?;
    let leaf = case.knowledge.chains.first()?.leaf()?;
    let scheme = scheme(leaf)?;
    let mut offered = hello.what.signature_algorithms().peekable();
    if offered.peek().is_none() || offered.any(|offer| offer == scheme) {
        return None;
    }
    let alert = case.handshake.deciding_alert()?;
    let summary = format!(
        "The server's certificate {} is signed with {}, which is not among the client's signature_algorithms; the server gave up on the ClientHello.",
        leaf.display_name(),
        leaf.signature
    );
    Some(
        Finding::new(Cause::CertificateWeakSignature, Confidence::Likely, summary)
            .stopped_by(StoppedBy::Server)
            .shown_by(hello.mark, "client's signature_algorithms do not include that of the server's certificate")
            .shown_by(alert.mark, "server sent an alert instead of a ServerHello")
            .noting("the server's certificate was seen in another handshake of this capture")
            .or_else(&[Cause::NoCommonSignatureAlgorithm, Cause::NoCommonCipher])
            .advise("Have the server's certificate reissued with a SHA-256 signature."),
    )
}

/// The TLS 1.2 pair of a weak certificate signature.
fn scheme(leaf: &Certificate) -> Option<SignatureScheme> {
    let hash: u16 = match leaf.signature_hash {
        SignatureHash::Md5 => 0x01,
        SignatureHash::Sha1 => 0x02,
        _ => return None,
    };
    let algorithm: u16 = match leaf.signature.split('-').next()? {
        "RSA" => 0x01,
        "DSA" => 0x02,
        "ECDSA" => 0x03,
        _ => return None,
    };
    Some(SignatureScheme(hash << 8 | algorithm))
}
