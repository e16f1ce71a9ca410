//! Checks that go no further than the words before TLS.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::checkers;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::view::{Ending, View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::preamble::{Dialect, PreambleFacts, Upgrade};
use crate::time::Mark;
use crate::wording::counted;

/// The client said for whom it came, read a greeting, or heard that a tunnel is there, and left at once, without a byte of TLS.
pub(super) fn before_tls(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let preamble = facts.preamble.as_deref().filter(|_| view.failed_without_words() && !view.hello_begun())?;
    let ending = view.first_end().filter(|ending| ending.side == Side::Client && !ending.unseen)?;
    // Who meets with failures there may leave for another reason.
    if facts.plaintext.client.is_some()
        || case.knowledge.related.iter().any(|other| other.same_endpoint && other.hello_len > 0 && other.outcome.failed())
    {
        return None;
    }
    let Seen { last, what, confidence } = header_alone(case, preamble).or_else(|| word_alone(case, preamble, &ending))?;
    let stayed = ending.mark.time.since(last.time);
    if stayed > AT_ONCE {
        return None;
    }
    let summary = format!("{} {what}, and left {} later without a byte of TLS: a health check.", facts.client.host(), span_text(stayed));
    Some(
        Finding::new(Cause::TcpProbe, confidence, summary)
            .weight(Weight::Unwanted)
            .stopped_by(StoppedBy::Client)
            .shown_by(last, if view.spoke(Side::Server) { "the last that was said" } else { "all that the client sent" })
            .shown_by(ending.mark, format!("the client's {}", ending.name()))
            .advise("Nothing failed. If the server's log complains, let the health check go on to TLS."),
    )
}

/// A program that only looks, and says so, left when it had seen what it came for.
pub(super) fn named(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let name = checkers::named(facts).filter(|_| view.failed_without_words() && view.answer_begun())?;
    let ending = view.ended_by(Side::Client)?;
    let summary =
        format!("{} gave itself to know as `{name}`, looked at the TLS of {} and left: a check.", facts.client.host(), facts.server);
    Some(
        Finding::new(Cause::TcpProbe, Confidence::Strong, summary)
            .weight(Weight::Unwanted)
            .stopped_by(StoppedBy::Client)
            .shown_by(ending.mark, format!("the client's {} behind the server's flight", ending.name()))
            .advise("Nothing failed. Such a check need not verify: whether it liked the certificate is in its own report."),
    )
}

/// What was seen of a check.
struct Seen {
    /// The last word.
    last: Mark,
    /// What the client did.
    what: String,
    confidence: Confidence,
}

/// A balancer tells in a header for whom it comes, and has nobody to come for.
fn header_alone(case: &Case<'_>, preamble: &PreambleFacts) -> Option<Seen> {
    let view = View::new(case.handshake);
    let alone =
        preamble.dialect.is_proxy_header() && preamble.outer.is_none() && view.client().data_packets == 1 && !view.spoke(Side::Server);
    let last = view.client().first_data.filter(|_| alone)?;
    let what = format!("sent a header of the PROXY protocol to {}", case.handshake.server);
    Some(Seen { last, what, confidence: if others_alike(case) > 0 { Confidence::Strong } else { Confidence::Likely } })
}

/// The server had the last word, and it was a good one, upon which others left as well: its greeting, to which the client said nothing, or the go-ahead of a
/// proxy.
fn word_alone(case: &Case<'_>, preamble: &PreambleFacts, ending: &Ending<'_>) -> Option<Seen> {
    let facts = case.handshake;
    let view = View::new(facts);
    let last = view.server().last_data.filter(|last| last.frame < ending.mark.frame)?;
    let silent = view.client().last_data.is_none_or(|said| said.frame < last.frame);
    let alike = others_alike(case);
    let what = match preamble.upgrade {
        _ if !silent => return None,
        // What MySQL greets with is its offer, which a client may refuse without a word.
        Upgrade::NotAsked
            if preamble.offered == Some(true) && preamble.dialect != Dialect::Mysql && !view.spoke(Side::Client) && alike >= ALIKE =>
        {
            format!("read the greeting of {} ({})", facts.server, preamble.dialect.title())
        }
        Upgrade::Granted | Upgrade::Asked if preamble.dialect.is_proxy() && alike >= ALIKE => {
            let said = if preamble.upgrade == Upgrade::Granted { "was let through" } else { "was answered" };
            format!("{said} by the proxy {}, like {} of its connections", facts.server, counted(alike as u64, "other", "others"))
        }
        _ => return None,
    };
    Some(Seen { last, what, confidence: Confidence::Likely })
}

/// Connections of the client to this server around it that came to no hello and did not fail otherwise.
fn others_alike(case: &Case<'_>) -> usize {
    let alike = case
        .knowledge
        .related
        .iter()
        .filter(|other| other.same_endpoint && other.hello_len == 0 && matches!(other.outcome, Outcome::Closed | Outcome::Reset));
    alike.count()
}

/// Others that make a habit.
const ALIKE: usize = 2;
/// Whoever checks does not wait for more.
const AT_ONCE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::super::probe;
    use super::*;
    use crate::diagnosis::knowledge::{Knowledge, Related};
    use crate::diagnosis::testing::{at, dialogue, found_knowing, related};

    const C: Side = Side::Client;
    const S: Side = Side::Server;

    /// How sure it is that a client was a check that said this to a server on this port and left so many milliseconds later, with others of its connections
    /// around it.
    fn check(port: u16, turns: &[(Side, &[u8])], later: i64, others: &[Related]) -> Option<Confidence> {
        let mut facts = dialogue(&format!("192.0.2.1:{port}"), turns, Outcome::Closed, StoppedBy::Client);
        let last = 20 + 10 * (i64::try_from(turns.len()).unwrap() - 1);
        facts.flow.sides.client.fin = Some((at(40, last + later), 500));
        let knowledge = Knowledge { related: others.to_vec(), ..Knowledge::default() };
        found_knowing(&probe::RULE, &facts, &knowledge).map(|finding| finding.confidence)
    }

    fn others(hello_len: usize) -> Vec<Related> {
        let other = |frame| Related { same_endpoint: true, outcome: Outcome::Closed, hello_len, ..related(at(frame, 0)) };
        vec![other(100), other(200)]
    }

    #[test]
    fn a_header_of_a_balancer_that_has_nobody_to_come_for_is_a_check() {
        let header: &[(Side, &[u8])] = &[(C, b"PROXY UNKNOWN\r\n")];
        assert_eq!(check(8443, header, 1, &[]), Some(Confidence::Likely));
        assert_eq!(check(8443, header, 1, &others(0)), Some(Confidence::Strong), "again and again");
        assert_eq!(check(8443, header, 900, &[]), None, "it waited");
        assert_eq!(check(8443, header, 1, &others(300)), None, "its handshakes fail");
    }

    #[test]
    fn who_reads_the_greeting_and_says_nothing_only_looks() {
        let greeting: (Side, &[u8]) = (S, b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n");
        assert_eq!(check(143, &[greeting], 1, &others(0)), Some(Confidence::Likely));
        assert_eq!(check(143, &[greeting], 1, &[]), None, "once, it may have found what it does not take");
        assert_eq!(check(143, &[greeting], 700, &others(0)), None, "it waited");
        let asked: &[(Side, &[u8])] = &[greeting, (C, b"a STARTTLS\r\n"), (S, b"a OK go\r\n")];
        assert_eq!(check(143, asked, 1, &others(0)), None, "it wanted TLS");
    }

    #[test]
    fn who_leaves_tunnels_again_and_again_tries_the_proxy() {
        let tunnel: &[(Side, &[u8])] = &[(C, b"CONNECT a.test:443 HTTP/1.1\r\n\r\n"), (S, b"HTTP/1.1 200 OK\r\n\r\n")];
        assert_eq!(check(3128, tunnel, 1, &others(0)), Some(Confidence::Likely));
        assert_eq!(check(3128, tunnel, 1, &[]), None, "one may have been broken off");
        let greeted: &[(Side, &[u8])] = &[(C, &[5, 1, 0]), (S, &[5, 0])];
        assert_eq!(check(1080, greeted, 1, &others(0)), Some(Confidence::Likely));
        assert_eq!(check(1080, &greeted[..1], 1, &others(0)), None, "it was not answered");
    }

    #[test]
    fn who_says_that_it_only_looks_did_not_fail() {
        let left = |ehlo: &[u8]| {
            let turns =
                [(S, &b"220 m ESMTP\r\n"[..]), (C, ehlo), (S, b"250-m\r\n250 STARTTLS\r\n"), (C, b"STARTTLS\r\n"), (S, b"220 go\r\n")];
            let mut facts = dialogue("192.0.2.1:587", &turns, Outcome::Closed, StoppedBy::Client);
            let scene = crate::diagnosis::testing::Scene::broad().answered(crate::tls::registry::ProtocolVersion::TLS12, 0xc02f, &[]);
            facts.client_hellos = scene.handshake.observed.client_hellos;
            facts.server_hello = scene.handshake.observed.server_hello;
            facts.flow.sides.client.fin = Some((at(40, 200), 500));
            found_knowing(&probe::RULE, &facts, &Knowledge::default()).map(|finding| finding.confidence)
        };
        assert_eq!(left(b"EHLO ssl-checker\r\n"), Some(Confidence::Strong));
        assert_eq!(left(b"EHLO relay.lab.test\r\n"), None);
    }
}
