//! `captive-portal`: the network's login page answered.

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::knowledge::Led;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::certificate::Certificate;

pub(super) const RULE: Rule =
    Rule { cause: Cause::CaptivePortal, against: &[lowers(Contrary::SameHelloCompleted)], page: page!("captive-portal"), check };

/// The text names a captive portal or hotspot.
pub(super) fn names_a_portal(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    PORTAL_WORDS.iter().any(|word| text.contains(word))
}

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let finding = redirected(case, view).or_else(|| portal_certificate(case, view)).or_else(|| led_there(case, view))?;
    Some(
        finding
            .stopped_by(if facts.outcome == Outcome::Completed { StoppedBy::Client } else { facts.stopped_by })
            .advise("On the client, log in at the network's portal, then try again. Any page without TLS leads there:")
            .advise(Command::new("curl -v http://neverssl.com/")),
    )
}

fn redirected(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let answer = case.handshake.plaintext.server.as_ref().filter(|seen| seen.what.protocol == "HTTP")?;
    let location = answer.what.location.as_deref().unwrap_or_default();
    let required = answer.what.http_status == Some(NETWORK_AUTHENTICATION_REQUIRED);
    if !view.hello_begun() || !case.handshake.outcome.failed() || !(required || names_a_portal(location)) {
        return None;
    }
    Some(
        Finding::new(
            Cause::CaptivePortal,
            if required { Confidence::Certain } else { Confidence::Strong },
            format!("A captive portal answered the ClientHello for {} with `{}` {location}.", view.target(), answer.what.first),
        )
        .weight(Weight::Overrides)
        .shown_by(answer.first, format!("HTTP response to a ClientHello: `{}` {location}", answer.what.first))
        .or_else(&[Cause::PlaintextInjected, Cause::ServerSpeaksPlaintext]),
    )
}

/// The server's leaf, which does not cover the name that the client asked for, and that name.
fn stranger<'a>(case: &Case<'a>) -> Option<(&'a Certificate, String)> {
    let facts = case.handshake;
    let chain = case.chain.filter(|chain| chain.covers_name == Some(false))?;
    let leaf = chain.certificates.get(chain.leaf)?;
    // A client that goes on to talk through it has accepted it: then it is its own business.
    let talked = facts.application_data.client.is_some();
    let ended = facts.outcome != Outcome::Incomplete && !(facts.outcome == Outcome::Completed && talked);
    Some((leaf, facts.server_name().filter(|_| ended)?))
}

/// The certificate is that of the very host to which answers in clear led this client, and more than one address takes part in that: what has nothing
/// else in common stands behind one device. A site that sends its visitors to another of its names does so at its own address.
fn led_there(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let (leaf, asked) = stranger(case)?;
    let server = facts.server.address;
    let named = |host: &str| leaf.covers(host) && domain(host) != domain(&asked);
    let together = |led: &&Led| named(&led.host) && (led.by != server || case.knowledge.uninvited_at > 1);
    let led = case.knowledge.led.iter().rev().find(together)?;
    let mark = facts.server_chain.as_ref()?.mark;
    let finding = Finding::new(
        Cause::CaptivePortal,
        Confidence::Likely,
        format!(
            "A captive portal seems to answer in place of {}: the certificate is for {}, to which {} redirected the client in clear.",
            view.target(),
            led.host,
            led.by
        ),
    );
    Some(
        led.beside(finding.weight(Weight::Overrides))
            .shown_by(mark, format!("certificate for {}, though the client asked for {asked}", led.host))
            .or_else(&[Cause::CertificateNameMismatch, Cause::TlsInterception]),
    )
}

fn portal_certificate(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let (leaf, asked) = stranger(case)?;
    if names_a_portal(&asked) {
        return None;
    }
    let names = leaf.dns_names.iter().chain(leaf.common_name.as_ref());
    let portal =
        names.clone().find(|name| names_a_portal(name)).or_else(|| leaf.dns_names.first().filter(|_| names_a_portal(&leaf.issuer)))?;
    // A default certificate of the same organisation may well be its portal's.
    if domain(portal) == domain(&asked) {
        return None;
    }
    let mark = facts.server_chain.as_ref()?.mark;
    Some(
        Finding::new(
            Cause::CaptivePortal,
            Confidence::Strong,
            format!("A captive portal answered in place of {}: the certificate is for {portal}.", view.target()),
        )
        .weight(Weight::Overrides)
        .shown_by(mark, format!("certificate for {portal} issued by {}, though the client asked for {asked}", leaf.issuer))
        .or_else(&[Cause::CertificateNameMismatch, Cause::TlsInterception]),
    )
}

/// The last two labels of a name.
fn domain(name: &str) -> (Option<&str>, Option<&str>) {
    let mut labels = name.trim_end_matches('.').rsplit('.');
    (labels.next(), labels.next())
}

/// Words in the names of portals, lower case.
const PORTAL_WORDS: [&str; 16] = [
    "captive",
    "portal.",
    "hotspot",
    "guest-wifi",
    "guestwifi",
    "guest wifi",
    "wifi-login",
    "wlan-login",
    "wifilogin",
    "securelogin",
    "login.wifi",
    "wifi.login",
    "guest-access",
    "guestaccess",
    "splash.",
    "hs-login",
];
/// RFC 6585 section 6.
const NETWORK_AUTHENTICATION_REQUIRED: u16 = 511;
