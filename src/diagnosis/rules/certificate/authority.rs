//! Trust: `certificate-self-signed`, `chain-incomplete`, `certificate-untrusted-ca`.

use super::Fault;
use super::reaction::Reaction;
use super::view::{CertificateView, Source, Standing};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{ChainFacts, PathEnd, Trust, Unverified};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::manners;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::view::View;
use crate::handshake::facts::Protocol;
use crate::tls::certificate::Certificate;
use crate::tls::registry::{AlertDescription, ExtensionType};
use crate::wording::counted;

/// The server's certificate is signed by itself.
pub(super) const SELF_SIGNED: Fault = Fault {
    rank: Some(120),
    may_explain: |view| !looked_and_left(view),
    said_by: Some(AlertDescription::UNKNOWN_CA),
    ..Fault::new(
        Cause::CertificateSelfSigned,
        page!("certificate-self-signed"),
        |view| view.verified().is_some_and(|chain| chain.end == PathEnd::SelfSignedLeaf && chain.trust != Trust::Trusted),
        |view, standing| Some(self_signed(view, standing)),
    )
};

fn self_signed(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let signalled = goes_by_fingerprint(view);
    let summary = if signalled {
        format!(
            "{} is self-signed, as in WebRTC and DTLS-SRTP all are: most likely its fingerprint is not the one that the signalling (SDP) gave the client",
            view.certificate()
        )
    } else {
        format!("{} is self-signed: no certificate authority vouches for it", view.certificate())
    };
    let mut finding = view.finding(Cause::CertificateSelfSigned, standing, summary);
    if matches!(standing, Standing::Chosen(_)) && signalled {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateSelfSigned))
            .advise("Compare this certificate's fingerprint with `a=fingerprint` in the SDP that the client received. Where they differ, the offer or answer is stale, or an SBC, SFU or proxy rewrote it, or ends the media itself.");
        if let Some(leaf) = view.chain.and_then(ChainFacts::leaf) {
            let pairs: Vec<String> = leaf.sha256.iter().map(|byte| format!("{byte:02X}")).collect();
            finding = finding.noting(format!("fingerprint of the certificate served: sha-256 {}", pairs.join(":")));
        }
    } else if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateSelfSigned))
            .advise("On the server, install a certificate from an authority that the client trusts; or on the client, trust this one:")
            .advise(remedy::x509(view.case.handshake, "-out server.pem"))
            .advise(remedy::curl(view.case.handshake, "--cacert server.pem"));
    }
    finding
}

/// The keys are for media (RFC 5764): the signalling says by a fingerprint which certificate is expected (RFC 8122), and no authority counts.
fn goes_by_fingerprint(view: &CertificateView<'_>) -> bool {
    let facts = view.case.handshake;
    facts.protocol == Protocol::Dtls && facts.hello().is_some_and(|hello| hello.extension(ExtensionType::USE_SRTP).is_some())
}

/// An intermediate is missing from what the server serves.
pub(super) const INCOMPLETE: Fault = Fault {
    rank: Some(160),
    may_explain: |view| {
        // By its size alone it may be another.
        let by_silence = matches!(view.reaction, Reaction::Left { .. } | Reaction::Waited { .. }) && view.source != Source::Seen;
        !by_silence && !looked_and_left(view) && authority_may_explain(view)
    },
    doubtful: |view, alert| alert.is_some() && (view.speaker().is_none() || view.is_young()),
    ..Fault::new(Cause::ChainIncomplete, page!("chain-incomplete"), is_incomplete, |view, standing| Some(incomplete(view, standing)))
};

fn is_incomplete(view: &CertificateView<'_>) -> bool {
    view.verified().is_some_and(|chain| {
        matches!(chain.end, PathEnd::MissingIssuer { .. }) && chain.trust != Trust::Trusted && view.looks_intermediate(chain)
    })
}

fn incomplete(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let chosen = matches!(standing, Standing::Chosen(_));
    let (summary, fetch) = match view.chain.map(|chain| (chain, &chain.end)) {
        Some((chain, PathEnd::MissingIssuer { issuer, ca_issuers, .. })) if view.is_true(Cause::ChainIncomplete) => {
            let served = match chain.path.len() {
                1 => "only its own certificate".to_owned(),
                count => format!("{} of its chain", counted(count, "certificate", "certificates")),
            };
            let last = chain.path.last().and_then(|index| chain.certificate(*index)).map_or_else(String::new, Certificate::display_name);
            let parts = [&*view.target(), " serves ", &served, ", but not the intermediate ", issuer, " that issued ", &last];
            (sentence(&parts), ca_issuers.first().cloned())
        }
        _ => (
            format!(
                "{} seems to serve only its own certificate without the intermediate: its encrypted Certificate message has the size of a single certificate",
                view.target()
            ),
            None,
        ),
    };
    let mut finding = view.finding(Cause::ChainIncomplete, standing, summary);
    if chosen {
        finding = finding
            .or_else(&view.alternatives(Cause::ChainIncomplete))
            .advise("On the server, append the intermediate after the server certificate in the file that it serves, and reload.");
        if let Some(url) = fetch {
            finding = match remedy::fetch(&url, "intermediate.der") {
                Some(command) => finding.advise(command),
                None => finding.advise(format!("Fetch the issuer's certificate from `{url}`, the address that the certificate gives.")),
            };
        }
        finding = finding.advise(remedy::s_client(view.case.handshake, "-showcerts"));
        if view.source == Source::Hidden {
            finding = finding.advise(format!("Check the chain with the command above: it {}.", view.hidden()));
        }
    }
    finding
}

/// The chain ends in an authority that the client does not trust.
pub(super) const UNTRUSTED: Fault = Fault {
    rank: Some(170),
    may_explain: untrusted_may_explain,
    doubtful: untrusted_is_doubtful,
    ..Fault::new(
        Cause::CertificateUntrustedCa,
        page!("certificate-untrusted-ca"),
        |view| view.verified().is_some_and(|chain| chain.end != PathEnd::SelfSignedLeaf && view.untrusted()),
        untrusted,
    )
};

/// A private authority is normal: it takes an alert, and that of a client that has not taken it before.
fn untrusted_may_explain(view: &CertificateView<'_>) -> bool {
    let silent = matches!(view.reaction, Reaction::Left { .. } | Reaction::Waited { .. } | Reaction::LeftAfter { .. });
    // Without a name asked for, the client may have expected one that this certificate does not cover.
    let expected_another = || {
        matches!(view.reaction, Reaction::Alert { alert, .. } if alert != AlertDescription::UNKNOWN_CA)
            && view.case.handshake.server_name().is_none()
            && !view.covers_address()
    };
    !silent && authority_may_explain(view) && !expected_another()
}

fn untrusted_is_doubtful(view: &CertificateView<'_>, alert: Option<AlertDescription>) -> bool {
    match alert {
        // Another program on the same host took it: this one has a store of its own, or misses a revocation list.
        Some(AlertDescription::UNKNOWN_CA) => view.case.knowledge.client_took_issuer,
        // Only a library that says everything by one code can mean it.
        Some(_) => view.speaker().is_none() || view.is_young(),
        None => true,
    }
}

/// The client did not take this authority before; and a library with a code of its own for unknown authorities would have used that.
fn authority_may_explain(view: &CertificateView<'_>) -> bool {
    match view.reaction {
        Reaction::Alert { alert: AlertDescription::UNKNOWN_CA, .. } => true,
        _ if view.case.knowledge.client_took_issuer => false,
        Reaction::Alert { alert, .. } => !manners::speaks_of_unknown_ca_otherwise(view.speaker(), alert),
        _ => true,
    }
}

/// Tools that only look at a server, and take any chain, close in order.
const fn looked_and_left(view: &CertificateView<'_>) -> bool {
    matches!(view.reaction, Reaction::LeftAfter { orderly: true, .. })
}

fn untrusted(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    // The other causes of the same kind say it better.
    let better = [Cause::ChainIncomplete, Cause::CertificateSelfSigned];
    if standing == Standing::AlsoTrue && better.iter().any(|cause| view.is_true(*cause)) {
        return None;
    }
    let alone = view.room_for_one();
    let root = view.chain.map(|chain| match &chain.end {
        PathEnd::ServedRoot { index, .. } => (chain, chain.certificate(*index).map_or("", |root| root.subject.as_str())),
        PathEnd::Anchor { name } => (chain, name.as_str()),
        PathEnd::MissingIssuer { issuer, .. } => (chain, issuer.as_str()),
        PathEnd::SelfSignedLeaf => (chain, chain.leaf().map_or("", |leaf| leaf.subject.as_str())),
    });
    let summary = match &root {
        Some((chain, root)) if chain.trust == Trust::Trusted => {
            format!(
                "The client does not trust the authority {root} behind the certificate of {}, though the trust store used here does: the client has an older or smaller store, or it pins a key",
                view.target()
            )
        }
        Some((chain, root)) if chain.unverified().is_some() => {
            let (target, why) = (view.target(), chain.unverified().map_or("", Unverified::why));
            sentence(&[
                "The client does not trust the certificate of ",
                &target,
                ", issued under ",
                root,
                "; it was not verified here, because ",
                why,
            ])
        }
        Some((_, root)) => {
            let target = view.target();
            sentence(&["The certificate of ", &target, " chains up to the authority ", root, ", which is not in the trust store used here"])
        }
        None if alone => {
            format!(
                "The client does not know the authority behind the certificate of {}, which came alone: its intermediate is missing, it is self-signed, or a root that the client lacks issued it",
                view.target()
            )
        }
        None => format!("The client does not know the authority behind the certificate of {}", view.target()),
    };
    let mut finding = view.finding(Cause::CertificateUntrustedCa, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&view.alternatives(Cause::CertificateUntrustedCa));
        if view.case.knowledge.one_key_for_many || view.case.knowledge.other_issuer_for_name.is_some() {
            finding = finding.or_else(&[Cause::TlsInterception]);
        }
        if let Some(note) = View::new(view.case.handshake).answered_next_door() {
            finding = finding.noting(note).or_else(&[Cause::TlsInterception]);
        }
        if let Some(other) = &view.case.knowledge.other_issuer_for_name {
            finding = finding.noting(format!("elsewhere in the capture, this name was served with a certificate issued by {other}"));
        }
        // In EAP nobody sends a name.
        if view.case.handshake.server_name().is_none() && view.case.handshake.carried.is_none() {
            finding = finding.or_else(&[Cause::SniMissing]);
        }
        if alone {
            let size = view.case.handshake.hidden.server_certificate_record.map_or(0, u64::from);
            finding = finding
                .noting(format!("the server's encrypted Certificate message takes {}: there is room for one certificate only", counted(size, "byte", "bytes")))
                .advise("See what the server sends: if subject and issuer of the certificate differ and the issuer is an intermediate, append that to the file which the server serves; if they are the same, the certificate is self-signed.")
                .advise(remedy::s_client(view.case.handshake, "-showcerts"));
        }
        finding = finding
            .advise("If you trust this authority, add its root certificate to the client's trust store:")
            .advise(remedy::s_client(view.case.handshake, "-showcerts -CAfile root.pem"))
            .advise(remedy::curl(view.case.handshake, "--cacert root.pem"));
        if view.source == Source::Hidden && !alone {
            finding = finding.advise(format!("Check with -showcerts whether the chain is complete: it {}.", view.hidden()));
        }
    }
    Some(finding)
}
