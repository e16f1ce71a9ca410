//! `ech-rejected`.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::remedy::parts::Host;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{EchRecord, StoppedBy};
use crate::handshake::stack::{self, Program, Stack};
use crate::time::Mark;
use crate::tls::message::EncryptedExtensions;
use crate::tls::registry::{AlertDescription, ExtensionType};

use super::left_first;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::EchRejected, against: &[], page: page!("ech-rejected"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.last_hello().filter(|hello| hello.what.ech().is_some() && !handshake.ech_accepted)?;
    let retry = retry_configurations(case);
    let said = handshake
        .alerts
        .iter()
        .find(|seen| seen.from == Side::Client && seen.alert.is_some_and(|alert| alert.description == AlertDescription::ECH_REQUIRED));
    let (mark, confidence, what) = match (said, retry) {
        (Some(seen), _) => (seen.mark, Confidence::Certain, format!("client sent alert {}", offer::spoken(AlertDescription::ECH_REQUIRED))),
        // A real key that the server does not have is answered so, and GREASE as well: the client tells them apart, and left.
        (None, Some(_)) => (left_unused(case)?, Confidence::Likely, "client left without having sent data".to_owned()),
        // Without keys a refusal looks like any other end after the handshake.
        (None, None) => {
            let at_once = |mark: &Mark| handshake.finished.client.is_some_and(|finished| mark.time.since(finished.time) <= AT_ONCE);
            let mark = left_unused(case).filter(|mark| !handshake.decrypted && at_once(mark) && means_it(case))?;
            // It had the key from the DNS: what it sent was no GREASE.
            let confidence = if record(case).is_some() { Confidence::Likely } else { Confidence::Hint };
            (mark, confidence, "client left without having sent data".to_owned())
        }
    };
    let public = handshake.server_name().unwrap_or_else(|| handshake.server.to_string());
    let summary = format!(
        "The server {} could not open the client's Encrypted ClientHello: it answered for the public name {public}, and the client, who wanted another one, left.",
        offer::server(case)
    );
    let mut finding = Finding::new(Cause::EchRejected, confidence, summary)
        .stopped_by(StoppedBy::Client)
        .shown_by(hello.mark, format!("client offers ECH behind the name {public}"));
    if let Some(record) = record(case) {
        let text = format!(
            "DNS answered the client with this key, in the HTTPS record of {}: the record is stale, or the server lacks its key",
            record.owner
        );
        finding = finding.shown_by(record.mark, text);
    }
    if let Some(retry) = retry {
        finding = finding.shown_by(retry, "server sent the configurations to retry with (encrypted_client_hello in EncryptedExtensions)");
    }
    finding = finding.shown_by(mark, what);
    if confidence < Confidence::Certain {
        finding = finding.or_else(&[Cause::ServerCertificateRejected, Cause::ClientAborted]);
    } else if retry.is_none() && handshake.encrypted_extensions.is_some() {
        finding = finding.noting("the server sent no configurations to retry with: it has no ECH keys at all");
    }
    Some(
        finding
            .advise("Where the domain's DNS is kept, publish the server's present ECH configuration in the HTTPS record, and give it a TTL shorter than the time for which the server keeps an old key. Compare what resolvers answer for the name that the client wants (it is encrypted here):")
            .advise(match record(case).and_then(|record| Host::parse(&record.owner)) {
                Some(name) => Command::new("dig +short").operand(name).operand("HTTPS"),
                None => Command::new("dig +short <name> HTTPS"),
            })
            .advise("On the server, keep the previous ECH key until the records that name it have expired, and send configurations to retry with."),
    )
}

/// Where the server sent configurations to retry with, which it does only when it could not open the inner hello (RFC 9849 section 7.1).
fn retry_configurations(case: &Case<'_>) -> Option<Mark> {
    let seen = case.handshake.encrypted_extensions.as_ref()?;
    let extensions = EncryptedExtensions::parse(&seen.what)?;
    extensions.extensions().any(|(kind, _)| kind == ExtensionType::ENCRYPTED_CLIENT_HELLO).then_some(seen.mark)
}

/// Where the client ended a completed handshake without having used it.
fn left_unused(case: &Case<'_>) -> Option<Mark> {
    let handshake = case.handshake;
    let finished = handshake.finished.client?;
    let unused = handshake.application_data.client.is_none() && handshake.application_records.client == 0;
    let said = handshake.alerts.iter().find(|seen| seen.from == Side::Client && seen.mark >= finished);
    said.filter(|_| unused && left_first(case)).map(|seen| seen.mark)
}

/// The record in the DNS from which the client had the key, where the capture shows it.
fn record<'a>(case: &Case<'a>) -> Option<&'a EchRecord> {
    case.handshake.looked_up.as_ref()?.ech.as_ref()
}

/// The client is of a kind that offers ECH only where it has a key: browsers send a random one to everybody (GREASE), which rustls does only for who tells it to.
fn means_it(case: &Case<'_>) -> bool {
    let speaker = stack::of_client(case.handshake);
    // They open connections to spare, too.
    if speaker.is_some_and(|speaker| speaker.program.is_some_and(Program::is_browser)) {
        return false;
    }
    record(case).is_some() || speaker.is_some_and(|speaker| matches!(speaker.stack, Stack::Go | Stack::Rustls))
}

/// A client that does not take the answer leaves within this time.
const AT_ONCE: Duration = Duration::from_secs(2);
