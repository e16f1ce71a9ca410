//! `starttls-unavailable`: not now.

use super::{quoting, upgrade};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, PreambleFacts, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::StarttlsUnavailable, against: &[], page: page!("starttls-unavailable"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    // What was cut off may have been the client's words, which these then answer.
    let silent = handshake.flow.side(Side::Client).data_packets == 0;
    if let Some(facts) = upgrade(handshake).filter(|facts| silent && facts.turned_away()) {
        return Some(turned_away(handshake, facts));
    }
    let facts = upgrade(handshake).filter(|facts| facts.upgrade == Upgrade::Unavailable)?;
    let answer = facts.answer.as_deref().unwrap_or("not now");
    let summary =
        format!("{} could not start TLS when asked ({} {}): `{answer}`.", handshake.server, facts.dialect.title(), facts.dialect.request());
    let finding = quoting(Finding::new(Cause::StarttlsUnavailable, Confidence::Certain, summary).stopped_by(StoppedBy::Server), facts);
    let finding = finding.advise(match (facts.dialect, facts.code) {
        (Dialect::Postgres, _) => {
            "On the server, check the log: it turned the client away before TLS (too many clients, starting up, shutting down)."
        }
        (_, Some(421 | 400)) => "On the server, check the load, the limits for this client, then the log: the service is closed for now.",
        _ => "On the server, check the log: the certificate or key could not be loaded. Correct the path, the permissions or the pair, then reload.",
    });
    Some(if facts.dialect.s_client().is_some() { finding.advise(remedy::s_client(handshake, "")) } else { finding })
}

/// What stands in the place of a greeting ends the service before TLS, whether or not the client wanted that.
fn turned_away(handshake: &Handshake, facts: &PreambleFacts) -> Finding {
    let answer = facts.answer.as_deref().unwrap_or("a refusal");
    let summary = format!(
        "{} turned {} away before it could ask for TLS ({} {}): `{answer}`.",
        handshake.server,
        handshake.client.host(),
        facts.dialect.title(),
        facts.dialect.request()
    );
    let finding = Finding::new(Cause::StarttlsUnavailable, Confidence::Strong, summary).stopped_by(StoppedBy::Server);
    let finding = match facts.answered {
        Some(mark) => finding.shown_by(mark, format!("the server said `{answer}` in the place of its greeting")),
        None => finding,
    };
    let finding = finding.or_else(&[Cause::AccessDenied]).advise(
        "On the server, check what the words say (limits of connections, of this client or of all; block lists; a shutdown), then the log: TLS itself was not tried.",
    );
    if facts.dialect.s_client().is_some() { finding.advise(remedy::s_client(handshake, "")) } else { finding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{dialogue, verdict};
    use crate::flow::Side::{Client, Server};
    use crate::handshake::facts::Outcome;
    use crate::handshake::relevance::{Relevance, relevance};
    use crate::time::Mark;

    #[test]
    fn words_in_clear_behind_the_promise_take_it_back() {
        let turns: [(Side, &[u8]); 5] = [
            (Server, b"220 m ESMTP\r\n"),
            (Client, b"EHLO x\r\n"),
            (Server, b"250-m\r\n250 STARTTLS\r\n"),
            (Client, b"STARTTLS\r\n"),
            (Server, b"220 go ahead\r\n"),
        ];
        let mut handshake = dialogue("192.0.2.1:25", &turns, Outcome::Alerted, StoppedBy::Server);
        let preamble = handshake.preamble.as_mut().unwrap();
        preamble.fall_back(b"\x15\x03\x03\0\x02\x02\x28", Mark::default());
        preamble.fall_back(b"250 fine\r\n", Mark::default());
        assert_eq!(preamble.upgrade, Upgrade::Granted);
        preamble.fall_back(b"454 TLS not available due to a temporary reason\r\n", Mark::default());
        let finding = verdict(&handshake).cause.unwrap();
        assert_eq!(finding.cause, Cause::StarttlsUnavailable);
        assert!(finding.summary.contains("454 TLS not available"), "{}", finding.summary);
    }

    #[test]
    fn who_is_turned_away_at_the_door_never_asked() {
        let told = |turns: &[(Side, &[u8])]| {
            verdict(&dialogue("192.0.2.1:587", turns, Outcome::Closed, StoppedBy::Server)).cause.map(|finding| finding.cause)
        };
        let away: &[u8] = b"421 4.7.0 m Error: too many connections from 192.0.2.7\r\n";
        assert_eq!(told(&[(Server, away)]), Some(Cause::StarttlsUnavailable));
        assert_ne!(told(&[(Server, b"220 m ESMTP\r\n")]), Some(Cause::StarttlsUnavailable));
        let relevant = |turns: &[(Side, &[u8])]| relevance(&dialogue("192.0.2.1:587", turns, Outcome::Closed, StoppedBy::Server));
        assert_eq!(relevant(&[(Server, away)]), Relevance::IfServerSpeaksTls);
        let served: [(Side, &[u8]); 2] = [(Server, b"220 m ESMTP\r\n"), (Client, b"QUIT\r\n")];
        assert_eq!(relevant(&served), Relevance::Other("smtp"));
    }

    #[test]
    fn four_five_four() {
        let turns: [(Side, &[u8]); 5] = [
            (Server, b"220 m ESMTP\r\n"),
            (Client, b"EHLO x\r\n"),
            (Server, b"250-m\r\n250 STARTTLS\r\n"),
            (Client, b"STARTTLS\r\n"),
            (Server, b"454 4.7.0 TLS not available due to local problem\r\n"),
        ];
        let verdict = verdict(&dialogue("192.0.2.1:25", &turns, Outcome::Plaintext, StoppedBy::Server));
        let finding = verdict.cause.unwrap();
        assert_eq!((finding.cause, finding.confidence), (Cause::StarttlsUnavailable, Confidence::Certain));
        assert!(finding.summary.contains("454 4.7.0"));
    }
}
