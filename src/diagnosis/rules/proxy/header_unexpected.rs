//! `proxy-protocol-unexpected`: the server took a PROXY header for the beginning of TLS.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, Outcome, StoppedBy};
use crate::tls::registry::AlertDescription;

pub(super) const RULE: Rule = Rule { cause: Cause::ProxyProtocolUnexpected, against: &[], page: page!("proxy-protocol-unexpected"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    let header = handshake.preamble.as_ref()?.layers().find(|layer| layer.dialect.is_proxy_header())?;
    let innermost = handshake.preamble.as_ref().is_some_and(|facts| facts.dialect.is_proxy_header());
    if !handshake.outcome.failed()
        || !innermost
        || handshake.server_hello.is_some()
        || handshake.hello_retry.is_some()
        || handshake.partial_server_message.is_some()
    {
        return None;
    }
    let sent = header.asked?;
    let mut finding = Finding::new(Cause::ProxyProtocolUnexpected, Confidence::Strong, String::new())
        .stopped_by(StoppedBy::Server)
        .shown_by(sent, format!("{} header: {}", header.dialect.title(), header.target.as_deref().unwrap_or("unreadable")));
    let reaction = if let Some(answer) = &handshake.plaintext.server {
        finding.confidence = Confidence::Certain;
        // the answer's words may look like those of a filter on the path, which would not answer a header
        finding =
            finding.weight(Weight::Overrides).shown_by(answer.first, format!("the server answered in clear: `{}`", answer.what.first));
        format!("answered `{}` in clear", answer.what.first)
    } else if let Some(alert) = handshake.alerts.iter().find(|alert| alert.from == Side::Server && (!alert.consequence || misread(alert))) {
        if !misread(alert) {
            // what OpenSSL 3 says of the first bytes of version 1
            finding = finding.or_else(&[Cause::InternalError]);
            finding.confidence = Confidence::Likely;
            alert.alert.filter(|alert| alert.description == AlertDescription::INTERNAL_ERROR)?;
        }
        if alert.consequence || !misread(alert) {
            finding = finding.weight(Weight::Overrides);
        }
        finding = finding.shown_by(alert.mark, "server sent an alert that means it could not read the record");
        "answered with a TLS alert".to_owned()
    } else if view.server().bytes_seen > 0 {
        return None;
    } else if let Some(ending) = view.ended_by(Side::Server) {
        let after = ending.mark.time.since(sent.time);
        finding =
            finding.shown_by(ending.mark, format!("the server's {} {} later, with no byte before it", ending.name(), span_text(after)));
        if matches!(handshake.outcome, Outcome::Stalled) {
            finding.confidence = Confidence::Likely;
        }
        format!("{} without an answer", if ending.reset.is_some() { "reset the connection" } else { "closed the connection" })
    } else {
        // Its first bytes, read as the head of a record, promise one of many kilobytes, and some libraries wait for them.
        if !view.waited() || !view.hello_acked() || case.knowledge.completed_with_proxy_header > 0 {
            return None;
        }
        finding.confidence = Confidence::Likely;
        finding = finding.or_else(&[Cause::ServerSilent, Cause::ServerFlightDropped]);
        format!("waited for more and stayed silent for {}", span_text(view.silence()))
    };
    finding.summary = format!(
        "A {} header precedes the ClientHello, and {} did not expect it: the server {reaction}.",
        header.dialect.title(),
        handshake.server
    );
    Some(
        finding
            .or_else(&[Cause::ServerClosed])
            .advise("On the server, configure the listener to expect the header (nginx: `listen … ssl proxy_protocol;`); or on the load balancer, stop sending it (HAProxy: send-proxy).")
            .advise(remedy::curl(handshake, "-k")),
    )
}

/// The server could not read what it got, be it that it got no more.
fn misread(seen: &AlertSeen) -> bool {
    seen.alert.is_some_and(|alert| MISREAD.contains(&alert.description))
}

/// Alerts of a server that reads something else where a `ClientHello` should be.
const MISREAD: [AlertDescription; 5] = [
    AlertDescription::UNEXPECTED_MESSAGE,
    AlertDescription::RECORD_OVERFLOW,
    AlertDescription::DECODE_ERROR,
    AlertDescription::PROTOCOL_VERSION,
    AlertDescription::ILLEGAL_PARAMETER,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::knowledge::Knowledge;
    use crate::diagnosis::testing::{at, cause, dialogue, verdict_knowing};
    use crate::flow::Side::{Client, Server};

    const HEADER: &[u8] = b"PROXY TCP4 10.99.0.7 10.77.2.20 51234 443\r\n";
    const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

    #[test]
    fn an_answer_in_clear_is_the_servers_even_if_it_speaks_tls_with_others() {
        let turns: [(Side, &[u8]); 3] = [(Client, HEADER), (Server, b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"), (Client, HELLO)];
        let handshake = dialogue("192.0.2.1:443", &turns, Outcome::Plaintext, StoppedBy::Server);
        let knowledge = Knowledge { speaks_tls: true, completed: 5, attempts: 5, ..Knowledge::default() };
        let verdict = verdict_knowing(&handshake, &knowledge);
        assert_eq!((verdict.cause(), verdict.stopped_by), (Some(Cause::ProxyProtocolUnexpected), StoppedBy::Server));
    }

    #[test]
    fn a_close_without_a_byte() {
        let mut handshake = dialogue("192.0.2.1:443", &[(Client, HEADER), (Client, HELLO)], Outcome::Closed, StoppedBy::Server);
        handshake.flow.sides.server.fin = Some((at(6, 40), 0));
        assert_eq!(cause(&handshake), Some(Cause::ProxyProtocolUnexpected));
    }

    #[test]
    fn a_server_that_waits_may_have_read_the_header_as_a_record() {
        let mut handshake = dialogue("192.0.2.1:443", &[(Client, HEADER), (Client, HELLO)], Outcome::Stalled, StoppedBy::Server);
        handshake.flow.sides.client.fin = Some((at(6, 30_000), 600));
        handshake.flow.sides.client.acked = handshake.flow.sides.client.highest;
        assert_eq!(cause(&handshake), Some(Cause::ProxyProtocolUnexpected));
        let taken = Knowledge { completed_with_proxy_header: 3, ..Knowledge::default() };
        assert_ne!(verdict_knowing(&handshake, &taken).cause(), Some(Cause::ProxyProtocolUnexpected), "it took others");
    }
}
