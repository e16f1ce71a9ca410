//! What clients find too weak or cannot use: `certificate-weak-key`, `certificate-weak-signature`, `certificate-unsupported`.

use super::Fault;
use super::reaction::Reaction;
use super::view::{CertificateView, Standing};
use super::words::sentence;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::time::Timestamp;
use crate::tls::certificate::{Certificate, SignatureHash};
use crate::tls::registry::{AlertDescription, NamedGroup, SignatureScheme};

/// Key too small, or of a kind the client refuses.
pub(super) const WEAK_KEY: Fault = Fault {
    rank: Some(80),
    may_explain: refused_aloud,
    // What a client lists shows how strict it is, and not that this was the reason.
    doubtful: |view, _| view.chain.is_some_and(|chain| chain.weak_keys.is_empty()),
    ..Fault::new(
        Cause::CertificateWeakKey,
        page!("certificate-weak-key"),
        |view| view.chain.is_some_and(|chain| !chain.weak_keys.is_empty()) || view.below_floor().is_some(),
        weak_key,
    )
};

/// What is weak is a matter of the client's age and policy: a client that minds says so.
const fn refused_aloud(view: &CertificateView<'_>) -> bool {
    !matches!(view.reaction, Reaction::Left { .. } | Reaction::LeftAfter { .. })
}

fn weak_key(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    let weak = view.chain.and_then(|chain| chain.certificate(*chain.weak_keys.first()?));
    if let (None, Some((small, floor))) = (weak, view.below_floor()) {
        return Some(below_floor(view, standing, small, floor));
    }
    let summary = match (weak, view.weak_key_by_size()) {
        (Some(certificate), _) if view.leaf().is_some_and(|leaf| leaf.sha256 == certificate.sha256) => {
            format!("{} has a key that clients consider too weak: {}", view.certificate(), certificate.key_name())
        }
        (Some(certificate), _) => {
            format!(
                "In the chain of {}, the authority {} has a key that clients consider too weak: {}",
                view.target(),
                certificate.display_name(),
                certificate.key_name()
            )
        }
        (None, Some(bits)) => {
            format!("The certificate of {} has a {bits}-bit RSA key, judging by the size of the encrypted CertificateVerify", view.target())
        }
        (None, None) => return None,
    };
    let mut finding = view.finding(Cause::CertificateWeakKey, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateWeakKey))
            .advise("On the server, generate a new key (RSA with 2048 bits or more, or ECDSA on P-256) and have it certified.")
            .advise(
                remedy::x509(view.case.handshake, "-noout -text")
                    .map(|command| command.pipe(Command::new("grep -A1").operand("Public Key Algorithm"))),
            );
    }
    Some(finding)
}

/// The client asks for more than most do.
fn below_floor(view: &CertificateView<'_>, standing: Standing, small: &Certificate, floor: NamedGroup) -> Finding {
    let summary = format!(
        "In the chain of {}, {} has the key {}, and the smallest group of its kind that the client lists is {floor}: it is set to refuse what is weaker",
        view.target(),
        small.display_name(),
        small.key_name()
    );
    let finding = view.finding(Cause::CertificateWeakKey, standing, summary);
    if !matches!(standing, Standing::Chosen(_)) {
        return finding;
    }
    finding
        .or_else(&view.alternatives(Cause::CertificateWeakKey))
        .advise("On the client, lower the security level (OpenSSL SECLEVEL=2, GnuTLS NORMAL, `update-crypto-policies --set DEFAULT`); or on the server, use keys that it takes: RSA with 3072 bits or more, or ECDSA, in the certificate and in its authorities.")
        .advise(
            remedy::x509(view.case.handshake, "-noout -text")
                .map(|command| command.pipe(Command::new("grep -A1").operand("Public Key Algorithm"))),
        )
}

/// Signed with a hash the client refuses.
pub(super) const WEAK_SIGNATURE: Fault = Fault {
    rank: Some(70),
    may_explain: |view| {
        // Before 2017 hardly a client minded SHA-1.
        let early = view.case.handshake.flow.first.time < SHA1_REFUSED && only_sha1(view);
        refused_aloud(view) && !early
    },
    ..Fault::new(
        Cause::CertificateWeakSignature,
        page!("certificate-weak-signature"),
        |view| view.chain.is_some_and(|chain| !chain.weak_signatures.is_empty()),
        weak_signature,
    )
};

fn weak_signature(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
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
            .advise("Have the certificate authority reissue the certificate with a SHA-256 signature.")
            .advise(
                remedy::x509(view.case.handshake, "-noout -text")
                    .map(|command| command.pipe(Command::new("grep").operand("Signature Algorithm"))),
            );
    }
    Some(finding)
}

/// Nothing on the path is signed with anything weaker than SHA-1.
fn only_sha1(view: &CertificateView<'_>) -> bool {
    view.chain.is_some_and(|chain| {
        let weak = chain.weak_signatures.iter().filter_map(|index| chain.certificate(*index));
        weak.into_iter().all(|weak| weak.signature_hash == SignatureHash::Sha1)
    })
}

/// The server answers the hello with an alert, and is known to have a certificate whose signature this client does not list.
pub(super) fn not_listed(case: &Case<'_>) -> Option<Finding> {
    let (alert, description) = offer::alert_from(case, Side::Server)?;
    if !matches!(description, AlertDescription::HANDSHAKE_FAILURE | AlertDescription::INSUFFICIENT_SECURITY) {
        return None;
    }
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
    let summary = format!(
        "The server's certificate {} is signed with {}, which the client's signature_algorithms do not list; the server rejected the ClientHello.",
        leaf.display_name(),
        leaf.signature
    );
    Some(
        Finding::new(Cause::CertificateWeakSignature, Confidence::Likely, summary)
            .stopped_by(StoppedBy::Server)
            .shown_by(hello.mark, "the client's signature_algorithms do not list that of the server's certificate")
            .shown_by(alert.mark, "server sent an alert instead of a ServerHello")
            .noting("the server's certificate was seen in another handshake of this capture")
            .or_else(&[Cause::NoCommonSignatureAlgorithm, Cause::NoCommonCipher])
            .advise("Have the certificate authority reissue the server's certificate with a SHA-256 signature."),
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

/// Critical extension, curve or format that the client does not know.
pub(super) const UNSUPPORTED: Fault = Fault {
    rank: Some(150),
    may_explain: |view| {
        // A kind of key that is rare stops few clients, and those say so.
        let said = matches!(view.reaction, Reaction::Alert { alert: AlertDescription::UNSUPPORTED_CERTIFICATE, .. });
        said || view.chain.and_then(|chain| chain.unsupported.as_ref()).is_some_and(|odd| !odd.kind_of_key)
    },
    ..Fault::new(
        Cause::CertificateUnsupported,
        page!("certificate-unsupported"),
        // Who speaks TLCP has its kinds of key.
        |view| view.chain.is_some_and(|chain| chain.unsupported.is_some()) && !view.is_tlcp(),
        |view, standing| Some(unsupported(view, standing)),
    )
};

fn unsupported(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let what = view.chain.and_then(|chain| chain.unsupported.as_ref());
    let summary = match what {
        Some(odd) => sentence(&["The certificate of ", &view.target(), " is not usable by every client: ", &odd.what]),
        None => format!("The client does not support the certificate of {}, though nothing in it is unusual", view.target()),
    };
    let mut finding = view.finding(Cause::CertificateUnsupported, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateUnsupported))
            .advise("Have the certificate reissued without the feature that the client does not support.")
            .advise(remedy::x509(view.case.handshake, "-noout -text"));
    }
    finding
}

/// 2017-01-01, when browsers and libraries had begun to refuse SHA-1.
const SHA1_REFUSED: Timestamp = Timestamp::from_parts(1_483_228_800, 0);
