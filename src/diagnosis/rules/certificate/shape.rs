//! What is served, in what order and how much: `chain-misordered`, `chain-too-large`.

use super::Fault;
use super::reaction::Reaction;
use super::view::{CertificateView, Standing};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::tls::certificate::Certificate;
use crate::tls::registry::{AlertDescription as A, HandshakeType};
use crate::wording::{count, counted};

/// The served chain is in the wrong order or holds strangers.
pub(super) const MISORDERED: Fault = Fault {
    rank: Some(10),
    may_explain: |view| view.chain.is_some_and(|chain| stops_clients(chain) || stops_this_client(view, chain)),
    firm: true,
    doubtful: |view, _| !view.chain.is_some_and(stops_clients),
    nearly: strangers,
    ..Fault::new(
        Cause::ChainMisordered,
        page!("chain-misordered"),
        |view| view.verified().is_some_and(|chain| stops_clients(chain) || chain.misordered || stops_this_client(view, chain)),
        misordered,
    )
};

/// Clients sort a chain: only a first certificate that is not the server's, or a signature that fails, stops them.
fn stops_clients(chain: &ChainFacts) -> bool {
    chain.leaf != 0 || !chain.bad_signatures.is_empty()
}

/// A client that is none of the usual ones, which all step over it, found the certificate bad where the server's own stands twice: who takes each
/// certificate for the issuer of the one before (RFC 5246 section 7.4.2) finds it signed by the wrong key.
fn stops_this_client(view: &CertificateView<'_>, chain: &ChainFacts) -> bool {
    let found_bad = matches!(view.reaction, Reaction::Alert { alert: A::BAD_CERTIFICATE | A::DECRYPT_ERROR, .. });
    found_bad && view.speaker().is_none() && !view.case.handshake.is_tls13() && repeats_leaf(chain)
}

/// The server's own certificate stands before its issuer a second time.
fn repeats_leaf(chain: &ChainFacts) -> bool {
    let issuer = chain.path.get(1).copied().unwrap_or(usize::MAX);
    let leaf = chain.leaf().map(|leaf| leaf.sha256);
    let again = |place: &usize| *place < issuer && chain.certificate(*place).map(|certificate| certificate.sha256) == leaf;
    chain.leaf == 0 && chain.duplicates.iter().any(again)
}

fn misordered(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    let chain = view.chain?;
    let summary = format!("The certificate chain of {} is not in order: {}", view.target(), fault(chain));
    let mut finding = view.finding(Cause::ChainMisordered, standing, summary);
    if let Standing::Chosen(_) = standing {
        finding = finding.or_else(&view.alternatives(Cause::ChainMisordered));
    }
    Some(
        finding
            .advise("On the server, put its own certificate first, then the issuer of each; leave out the root and every unrelated certificate.")
            .advise(remedy::s_client(view.case.handshake, "-showcerts")),
    )
}

fn fault(chain: &ChainFacts) -> String {
    let name = |index: usize| chain.certificate(index).map_or_else(String::new, Certificate::display_name);
    if chain.leaf != 0 {
        return format!(
            "the first certificate is the authority {}; the server's own certificate {} is number {} in the chain",
            name(0),
            name(chain.leaf),
            chain.leaf + 1
        );
    }
    if let Some((certificate, issuer)) = chain.bad_signatures.first() {
        if certificate == issuer {
            return format!("the self-signature of {} does not verify", name(*certificate));
        }
        return format!(
            "{}, number {} in the chain, has the name of the issuer of {}, but its key does not verify the signature",
            name(*issuer),
            issuer + 1,
            name(*certificate)
        );
    }
    if repeats_leaf(chain) {
        return format!("the server's own certificate {} stands in it twice", name(chain.leaf));
    }
    let order: Vec<String> = chain.path.iter().map(|index| (index + 1).to_string()).collect();
    format!("the path from the server's certificate to the root uses the served certificates in the order {}", order.join(", "))
}

/// Strangers alone stop nobody.
fn strangers(view: &CertificateView<'_>) -> Option<Finding> {
    let chain = view.verified()?;
    let seen = view.case.handshake.server_chain.as_ref()?;
    // In TLCP the second certificate is the one to encrypt with, and belongs there.
    let belongs = |place: &usize| view.is_tlcp() && *place == 1;
    let of = |places: &[usize]| places.iter().copied().filter(|place| !belongs(place)).collect::<Vec<_>>();
    let (beside, how) = match (of(&chain.strangers), of(&chain.duplicates)) {
        (strangers, twice) if strangers.is_empty() => (twice, "twice"),
        (strangers, _) => (strangers, "unrelated to its chain"),
    };
    let first = chain.certificate(*beside.first()?)?;
    let among = if beside.len() == 1 { "" } else { " among them" };
    let summary = format!(
        "{} serves {} {how}: {}{among}.",
        view.target(),
        counted(beside.len(), "certificate", "certificates"),
        first.display_name()
    );
    Some(
        Finding::new(Cause::ChainMisordered, Confidence::Hint, summary)
            .weight(Weight::Note)
            .shown_by(seen.mark, format!("server sent {}", counted(chain.certificates.len(), "certificate", "certificates")))
            .advise("On the server, leave out every certificate that is not on the path from its own certificate to the root."),
    )
}

/// The chain exceeds what the client takes.
pub(super) const TOO_LARGE: Fault = Fault {
    rank: Some(140),
    may_explain: |view| !matches!(view.reaction, Reaction::LeftAfter { .. }),
    ..Fault::new(Cause::ChainTooLarge, page!("chain-too-large"), is_too_large, |view, standing| Some(too_large(view, standing)))
};

fn is_too_large(view: &CertificateView<'_>) -> bool {
    view.too_large()
}

fn too_large(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let handshake = view.case.handshake;
    let whole = handshake.server_chain.as_ref().map(|seen| (seen.what.message_len, seen.what.certificates.len() + seen.what.dropped));
    let part = handshake.partial_server_message.as_ref();
    let request =
        handshake.certificate_request.as_ref().map(|seen| seen.span.1.saturating_sub(seen.span.0)).filter(|bytes| *bytes >= LARGE_REQUEST);
    let asked = part.is_some_and(|part| part.message == Some(HandshakeType::CERTIFICATE_REQUEST.0)) || request.is_some();
    let summary = match (whole, part) {
        _ if asked => format!(
            "The CertificateRequest of {} is {} long: it lists more authorities than the client accepts",
            view.target(),
            counted(request.unwrap_or_else(|| part.map_or(0, |part| part.want as u64)), "byte", "bytes")
        ),
        (Some((bytes, count)), _) => format!(
            "The Certificate message of {}, with {count}, is {bytes} long",
            view.target(),
            bytes = counted(bytes, "byte", "bytes"),
            count = counted(count, "certificate", "certificates")
        ),
        (None, Some(part)) if part.want > 0 => {
            format!(
                "The Certificate message of {} announces {}, of which the client read {}",
                view.target(),
                counted(part.want, "byte", "bytes"),
                count(part.have as u64)
            )
        }
        _ => {
            let full: usize = handshake.encrypted.server.iter().map(|record| usize::from(record.len)).sum();
            format!(
                "The encrypted flight of {} is larger than one record: at least {full}",
                view.target(),
                full = counted(full, "byte", "bytes")
            )
        }
    };
    let mut finding = view.finding(Cause::ChainTooLarge, standing, summary);
    if let Some(part) = part.filter(|_| whole.is_none() || asked) {
        finding = finding.shown_by(part.mark, if asked { "CertificateRequest message starts" } else { "Certificate message starts" });
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&[Cause::ServerCertificateRejected]).advise(if asked {
            "On the server, shorten the list of authorities accepted for client certificates; or raise the client's limit."
        } else {
            "On the server, send only its own certificate and its intermediates, without the root and without other authorities."
        });
    }
    finding
}

/// Bytes of a CertificateRequest that meet the limits of common stacks.
const LARGE_REQUEST: u64 = 32 << 10;
