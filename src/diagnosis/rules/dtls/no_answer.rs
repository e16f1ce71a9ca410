//! `dtls-no-answer`: the ClientHello is repeated, nothing comes back.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::DtlsNoAnswer,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server never answers the DTLS ClientHello",
    page: Page {
        meaning: "The ClientHello was sent again and again and not one DTLS record came back: a firewall drops the port, nothing listens behind a host that does not say so, \
                  the answers are lost, or the server ignores this hello (in fragments, of a version it does not know, from an address it does not know).",
        recognised: "ClientHellos at growing intervals (1, 2, 4 s… with OpenSSL), no record of the server, no ICMP message.",
        confused_with: "Lost answers: a capture at the server shows its HelloVerifyRequests then (`server-flight-dropped`). A server that cannot read a ClientHello in fragments: with a smaller one (fewer groups, no post-quantum share) it answers.",
        check: "Capture at the server: does the ClientHello arrive, is it answered?\n\n$ tcpdump -ni any 'udp port <port>'\n\n$ openssl s_client -dtls1_2 -connect <server-address>:<port>",
        fix: &[
            ("firewall or NAT", "Allow the UDP port there and its answers back (state for UDP of a minute and more)."),
            (
                "server",
                "See what listens, and its log: many servers answer only addresses or identities they know (RADIUS clients, CoAP devices, WebRTC peers).\n\n$ ss -lunp",
            ),
            (
                "ClientHello in fragments",
                "Older Mbed TLS and small devices take no fragmented hello: send fewer groups, extensions and no post-quantum share, or raise the client's MTU.",
            ),
            (
                "WebRTC",
                "The peer takes itself for the client too (a=setup roles), or ICE has not yet chosen this pair: compare the signalling of both sides.",
            ),
            ("version", "A server for DTLS 1.2 ignores or refuses a hello that offers only 1.3, and the other way round."),
        ],
        references: &["RFC 6347 section 4.2.4", "RFC 9147 section 5.8", "RFC 5763 section 5 (setup roles)"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let dtls = view.failed_over_dtls()?;
    if !view.unanswered() || case.handshake.outcome != Outcome::Stalled || view.refused_datagram().is_some() || !view.hello_begun() {
        return None;
    }
    let (tries, span) = view.hello_tries();
    let summary = if tries > 1 {
        format!("{} never answered the ClientHello: sent {tries} times within {}, nothing came back.", view.target(), span_text(span))
    } else {
        format!("{} did not answer the ClientHello.", view.target())
    };
    // Where the capture shows no side but the client's of anything, it may lack the answers.
    let sure = tries >= 3 && case.knowledge.hears_both_sides;
    let finding = Finding::new(Cause::DtlsNoAnswer, if sure { Confidence::Strong } else { Confidence::Likely }, summary)
        .stopped_by(StoppedBy::Network)
        .shown_by(case.handshake.tcp.first, "first ClientHello");
    let finding = match view.repeats(Side::Client) {
        Some(repeats) => finding
            .shown_by(repeats.last, format!("ClientHello sent for the {} time; no record of the server, no ICMP error", ordinal(tries))),
        None => finding,
    };
    let finding = if dtls.fragmented.client > 0 {
        finding.noting("the ClientHello came in fragments, which some servers cannot read")
    } else {
        finding
    };
    Some(
        finding
            .or_else(&[Cause::ServerFlightDropped, Cause::DtlsRefused])
            .advise("Capture at the server at the same time: if the ClientHello arrives there, look at the server and the way back, else at the firewalls on the way.")
            .advise(remedy::show_lines(case.handshake))
            .advise(remedy::s_client(case.handshake, "")),
    )
}
