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
use crate::tls::registry::HandshakeType;

/// The served chain is in the wrong order or holds strangers.
pub(super) const MISORDERED: Fault = Fault {
    rank: Some(10),
    may_explain: |view| view.chain.is_some_and(stops_clients),
    firm: true,
    nearly: strangers,
    ..Fault::new(
        Cause::ChainMisordered,
        page!("chain-misordered"),
        |view| view.verified().is_some_and(|chain| stops_clients(chain) || chain.misordered),
        misordered,
    )
};

/// Clients sort a chain: only a first certificate that is not the server's, or a signature that fails, stops them.
fn stops_clients(chain: &ChainFacts) -> bool {
    chain.leaf != 0 || !chain.bad_signatures.is_empty()
}

fn misordered(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    let chain = view.chain?;
    let summary = format!("The chain that {} serves is not in order: {}", view.target(), fault(chain));
    let mut finding = view.finding(Cause::ChainMisordered, standing, summary);
    if let Standing::Chosen(_) = standing {
        finding = finding.or_else(&view.alternatives(Cause::ChainMisordered));
    }
    Some(
        finding
            .advise("Serve the server's own certificate first, then each one's issuer; leave out the root and what does not belong.")
            .advise(remedy::s_client(view.case.handshake, "-showcerts")),
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

/// Strangers alone stop nobody.
fn strangers(view: &CertificateView<'_>) -> Option<Finding> {
    let chain = view.verified()?;
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
            "The CertificateRequest of {} is {} bytes long: it names more authorities than the client takes",
            view.target(),
            request.unwrap_or_else(|| part.map_or(0, |part| part.want as u64))
        ),
        (Some((bytes, count)), _) => format!("The Certificate message of {} is {bytes} bytes long ({count} certificates)", view.target()),
        (None, Some(part)) if part.want > 0 => {
            format!("The Certificate message of {} promises {} bytes, of which the client took {}", view.target(), part.want, part.have)
        }
        _ => {
            let full: usize = handshake.encrypted.server.iter().map(|record| usize::from(record.len)).sum();
            format!("The encrypted flight of {} is larger than a record: at least {full} bytes were sent", view.target())
        }
    };
    let mut finding = view.finding(Cause::ChainTooLarge, standing, summary);
    if let Some(part) = part.filter(|_| whole.is_none() || asked) {
        finding = finding.shown_by(part.mark, if asked { "CertificateRequest message begins" } else { "Certificate message begins" });
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&[Cause::ServerCertificateRejected]).advise(if asked {
            "Name fewer authorities at the server (the list of those that client certificates may come from), or raise the client's limit."
        } else {
            "Serve only the server's certificate and its intermediates, without root and without other authorities."
        });
    }
    finding
}

/// Bytes of a CertificateRequest that meet the limits of common stacks.
const LARGE_REQUEST: u64 = 32 << 10;
