//! `record-limit-ignored`: a record is longer than its receiver said that it takes.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::time::Mark;
use crate::tls::registry::{AlertDescription as A, ExtensionType};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::RecordLimitIgnored, against: &[], page: page!("record-limit-ignored"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if !handshake.outcome.failed() {
        return None;
    }
    let hello = handshake.last_hello()?;
    let (limit, extension) = limit(case)?;
    let (len, mark) = longest(case)?;
    if len <= limit {
        return None;
    }
    let alert = offer::alert_from(case, Side::Client);
    let confidence = match alert.map(|(_, description)| description) {
        Some(A::RECORD_OVERFLOW) => Confidence::Certain,
        // Others overlook their own limit, and gave up for another reason.
        Some(A::DECODE_ERROR | A::ILLEGAL_PARAMETER | A::INTERNAL_ERROR) => Confidence::Likely,
        _ => return None,
    };
    let acknowledged =
        handshake.server_hello.as_ref().is_some_and(|answer| answer.what.extension(ExtensionType::MAX_FRAGMENT_LENGTH).is_some());
    let server = offer::server(case);
    let knew = if acknowledged { "which the server had acknowledged" } else { "which the server did not acknowledge" };
    let summary = format!(
        "The server {server} sent a record of {len}; the client accepts at most {limit} ({extension}, {knew}) and gave up.",
        len = counted(len, "byte", "bytes")
    );
    let mut finding = Finding::new(Cause::RecordLimitIgnored, confidence, summary)
        .shown_by(hello.mark, format!("client asks for records of at most {limit} ({extension})", limit = counted(limit, "byte", "bytes")))
        .shown_by(mark, format!("server sent a record of {len}", len = counted(len, "byte", "bytes")));
    if let Some((seen, description)) = alert {
        finding = finding.shown_by(seen.mark, format!("client sent alert {}", offer::spoken(description)));
    }
    if confidence < Confidence::Certain {
        finding = finding.or_else(&[Cause::ServerProtocolViolation, Cause::ServerCertificateRejected]);
    }
    Some(
        finding
            .advise("On the server, enable support for the extension; or on the client, make room for records of 16 KB.")
            .advise("Check whether the server acknowledges it:")
            .advise(remedy::s_client(handshake, "-maxfraglen 512 -msg")),
    )
}

/// What the client said that it takes in a record, and by which extension.
fn limit(case: &Case<'_>) -> Option<(u64, &'static str)> {
    let hello = &case.handshake.last_hello()?.what;
    if let Some(code @ 1..=4) = hello.max_fragment_length() {
        return Some((1 << (8 + u64::from(code)), "max_fragment_length"));
    }
    // It is for protected records only.
    let limit = hello.record_size_limit().filter(|_| case.handshake.is_tls13())?;
    Some((u64::from(limit), "record_size_limit"))
}

/// The longest record of the server's flight that is known to be one, and where.
fn longest(case: &Case<'_>) -> Option<(u64, Mark)> {
    let handshake = case.handshake;
    if handshake.is_tls13() {
        let record = handshake.encrypted.server.iter().max_by_key(|record| record.len)?;
        return Some((u64::from(record.len.saturating_sub(TAG)), record.mark));
    }
    // A message in records of its own: with one record there is one header.
    let seen = handshake.server_chain.as_ref()?;
    let len = seen.span.1.saturating_sub(seen.span.0).checked_sub(RECORD_HEADER)?;
    let message = seen.what.message_len as u64;
    (message..=message + MESSAGE_HEADER).contains(&len).then_some((len, seen.mark))
}

const RECORD_HEADER: u64 = 5;
const MESSAGE_HEADER: u64 = 4;

/// Bytes of the tag of nearly all suites.
const TAG: u16 = 16;
