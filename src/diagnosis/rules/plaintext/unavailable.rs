//! `starttls-unavailable`: not now.

use super::{quoting, upgrade};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::StarttlsUnavailable, against: &[], page: page!("starttls-unavailable"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{dialogue, verdict};
    use crate::flow::Side::{self, Client, Server};
    use crate::handshake::facts::Outcome;
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
