//! `dtls-cookie-lost`: the hello with the cookie leads to nothing.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::{counted, times};

pub(super) const RULE: Rule = Rule { cause: Cause::DtlsCookieLost, against: &[], page: page!("dtls-cookie-lost"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let dtls = view.failed_over_dtls()?;
    let (asked, returned) = (dtls.cookie_requests.first?, dtls.hellos_with_cookie.first?);
    if view.answer_begun() || case.handshake.outcome != Outcome::Stalled {
        return None;
    }
    let again = dtls.cookies > 1;
    let copies = dtls.hellos_with_cookie.count;
    let span = dtls.hellos_with_cookie.last.map_or_else(Default::default, |last| last.time.since(returned.time));
    let summary = if again {
        format!(
            "{} does not accept its own cookie: it answered the ClientHello with the cookie by asking for another, {} in all.",
            view.target(),
            counted(dtls.cookies, "cookie", "cookies")
        )
    } else {
        format!(
            "{} never answered the ClientHello with its cookie, sent {copies} within {}.",
            view.target(),
            span_text(span),
            copies = times(copies)
        )
    };
    let finding = Finding::new(Cause::DtlsCookieLost, if again || copies >= 3 { Confidence::Strong } else { Confidence::Likely }, summary)
        .stopped_by(if again { StoppedBy::Server } else { StoppedBy::Network })
        .shown_by(asked, "HelloVerifyRequest")
        .shown_by(returned, "ClientHello with the cookie");
    let finding = match dtls.hellos_with_cookie.last {
        Some(last) if last != returned => finding.shown_by(last, format!("ClientHello with a cookie for the {} time", ordinal(copies))),
        _ => finding,
    };
    Some(
        finding
            .or_else(&[Cause::ServerFlightDropped, Cause::PathMtuBlackHole, Cause::PacketLoss])
            .advise("On the server, check whether the second ClientHello arrives whole and from the same port. With several servers behind the address, share the cookie secret.")
            .advise(remedy::show_lines(case.handshake))
            .advise(remedy::s_client(case.handshake, "-mtu 1200")),
    )
}
