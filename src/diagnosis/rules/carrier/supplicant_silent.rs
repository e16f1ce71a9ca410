//! `eap-supplicant-silent`: the supplicant stops answering in the middle of the handshake.

use crate::carriers::eap::Method;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{EapRoad, Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::EapSupplicantSilent, against: &[], page: page!("eap-supplicant-silent"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let eap = facts.carried.as_ref()?.eap()?;
    if facts.outcome != Outcome::Stalled {
        return None;
    }
    let waiting = view.unanswered_datagrams(Side::Server)?;
    let words = eap.road.words();
    let name = eap.method.map_or("EAP", |(method, _)| Method::title(method));
    let waited = span_text(facts.closed_at.time.since(waiting.first.time));
    let flight = facts.server_flight_is_over() || facts.server_hello_done.is_some();
    let begun = view.hello_begun();
    let (summary, last) = if flight {
        (
            format!(
                "The supplicant has the server's certificate ({name}) and has not answered for {waited}: most often it does not accept it, or waits for its user to do so."
            ),
            "with the end of the server's flight, which holds the certificate",
        )
    } else if begun {
        (
            format!("The supplicant stopped answering in the middle of the server's flight ({name}), for {waited}."),
            "with part of the server's flight",
        )
    } else {
        (format!("The supplicant did not answer the server's request to begin with {name} for {waited}."), "with the request to begin")
    };
    let confidence = if flight { Confidence::Strong } else { Confidence::Likely };
    let mut finding = Finding::new(Cause::EapSupplicantSilent, confidence, summary)
        .stopped_by(StoppedBy::Client)
        .shown_by(waiting.first, format!("{} {last}", words.request));
    if waiting.count > 1 {
        finding = finding.shown_by(waiting.last, format!("the same, the last of {}", waiting.count));
    }
    let finding = finding.shown_by(facts.closed_at, format!("no {} with an answer within {waited}", words.answer));
    let finding = match &eap.station {
        Some(station) => finding.noting(format!("the supplicant is {station}")),
        None => finding,
    };
    let left = "On the authenticator (access point, switch), check the signal and the log of this supplicant: it may have left.";
    let finding = if flight {
        finding
            .or_else(&[Cause::ServerCertificateRejected, Cause::CertificateUntrustedCa])
            .advise("On the supplicant, check the network profile: the authority (CA certificate) and the server name that it demands, and whether it asks its user.")
            .advise("On phones, a new server certificate or authority has to be accepted once, or be installed with the profile.")
    } else if begun {
        finding
            .or_else(if eap.road == EapRoad::Radius { &[Cause::PacketLoss, Cause::IpFragmentsDropped] } else { &[Cause::PacketLoss] })
            .advise(left)
            .advise("On the RADIUS server, try smaller EAP fragments (`fragment_size`, Framed-MTU): links that lose large frames lose these first.")
    } else {
        // The request to begin is a few bytes long: no size stands in its way.
        finding
            .or_else(&[Cause::PacketLoss, Cause::EapMethodRefused])
            .advise(left)
            .advise(format!("On the supplicant, check that its profile has {name} and all that it needs: a client certificate and its key, or a password that its user still has to type."))
    };
    Some(match eap.road {
        EapRoad::Radius => {
            finding.advise("On the authenticator, capture EAPOL towards the supplicant, to see whether the request gets there.")
        }
        EapRoad::Eapol => finding.advise(remedy::log(facts, Side::Client, "it says why it does not go on, or what it asks its user")),
    })
}
