//! `dtls-cookie-lost`: the hello with the cookie leads to nothing.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::DtlsCookieLost,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the ClientHello with the cookie never arrives, or its cookie is not accepted",
    page: Page {
        meaning: "The server asked for a cookie (HelloVerifyRequest), the client sent its ClientHello again with it, and the server did not go on: it sees no such hello, or does not accept the cookie. \
                  The second hello is longer than the first by the cookie; and a NAT may send it from another port, for which the cookie is not valid.",
        recognised: "HelloVerifyRequest, then ClientHellos with a cookie, repeated; then silence, or further HelloVerifyRequests with other cookies.",
        confused_with: "An answer that is lost on the way back or too large for the path (`path-mtu-black-hole`, `server-flight-dropped`): at the server one sees it being sent.",
        check: "Capture at the server: does the second ClientHello arrive, from the same port, whole?\n\n$ tcpdump -ni any -v 'udp port <port>'",
        fix: &[
            (
                "several servers behind one address",
                "Cookies are made with a secret of each server: share it, or let the balancer keep a client at one server (by address and port).",
            ),
            ("NAT", "The client's port changes between the two hellos: keep NAT bindings for UDP for a minute at least."),
            (
                "hello in fragments",
                "The second hello may exceed one datagram: raise the MTU, send fewer extensions, or update servers that cannot join a fragmented hello.",
            ),
            (
                "cookie secret changes",
                "A server that makes a new secret too often refuses cookies of slow clients: keep the old one beside the new one.",
            ),
            (
                "rtpengine, media servers",
                "Stateless cookies with changed ports after ICE: see that the pair in use does not change in the middle of the handshake.",
            ),
        ],
        references: &["RFC 6347 section 4.2.1", "RFC 9147 section 5.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let dtls = view.failed_over_dtls()?;
    let (asked, returned) = (dtls.cookie_requests.first?, dtls.hellos_with_cookie.first?);
    if view.answer_begun() || case.handshake.outcome != Outcome::Stalled {
        return None;
    }
    let again = dtls.cookies > 1;
    let times = dtls.hellos_with_cookie.count;
    let span = dtls.hellos_with_cookie.last.map_or_else(Default::default, |last| last.time.since(returned.time));
    let summary = if again {
        format!(
            "{} does not accept its own cookie: it answered the ClientHello with the cookie by asking for another ({} cookies).",
            view.target(),
            dtls.cookies
        )
    } else {
        format!(
            "The ClientHello with the cookie leads to nothing at {}: sent {times} times within {}, never answered.",
            view.target(),
            span_text(span)
        )
    };
    let finding = Finding::new(Cause::DtlsCookieLost, if again || times >= 3 { Confidence::Strong } else { Confidence::Likely }, summary)
        .stopped_by(if again { StoppedBy::Server } else { StoppedBy::Network })
        .shown_by(asked, "HelloVerifyRequest")
        .shown_by(returned, "ClientHello with the cookie");
    let finding = match dtls.hellos_with_cookie.last {
        Some(last) if last != returned => finding.shown_by(last, format!("ClientHello with a cookie for the {} time", ordinal(times))),
        _ => finding,
    };
    Some(
        finding
            .or_else(&[Cause::ServerFlightDropped, Cause::PathMtuBlackHole, Cause::PacketLoss])
            .advise("See at the server whether the second ClientHello arrives whole and from the same port; with several servers behind the address, share the cookie secret.")
            .advise(remedy::show_lines(case.handshake))
            .advise(remedy::s_client(case.handshake, "-mtu 1200")),
    )
}
