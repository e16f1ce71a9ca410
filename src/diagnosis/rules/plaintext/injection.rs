//! `starttls-injection`: commands in the same breath as the upgrade request.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::preamble::Upgrade;

pub(super) const RULE: Rule = Rule { cause: Cause::StarttlsInjection, against: &[], page: page!("starttls-injection"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = handshake.preamble.as_ref().filter(|facts| facts.dialect.is_starttls())?;
    let injected = facts.injected.as_ref()?;
    // a dialogue whose answer is unknown may have lost it; one refused leaves the commands where they are, in clear
    if facts.upgrade != Upgrade::Granted {
        return None;
    }
    let asked = facts.asked?;
    Some(
        Finding::new(
            Cause::StarttlsInjection,
            Confidence::Strong,
            format!("{} sent commands in clear after {}, before TLS started: `{injected}`.", handshake.client.address, facts.dialect.request()),
        )
        .weight(Weight::Note)
        .shown_by(asked, format!("`{injected}` follows {}", facts.dialect.request()))
        .advise("On the server, discard everything received in clear when TLS starts (CVE-2011-0411); find out whether the client sent these commands itself."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{dialogue, verdict};
    use crate::flow::Side::{self, Client, Server};
    use crate::handshake::facts::{Outcome, StoppedBy};

    #[test]
    fn worth_knowing_but_no_cause() {
        let turns: [(Side, &[u8]); 4] = [
            (Server, b"220 m ESMTP\r\n"),
            (Client, b"EHLO x\r\n"),
            (Server, b"250-m\r\n250 STARTTLS\r\n"),
            (Client, b"STARTTLS\r\nNOOP\r\n"),
        ];
        let unanswered = dialogue("192.0.2.1:25", &turns, Outcome::Completed, StoppedBy::Nobody);
        assert!(verdict(&unanswered).findings.is_empty());
        let mut answered = turns.to_vec();
        answered.push((Server, b"220 go\r\n"));
        let verdict = verdict(&dialogue("192.0.2.1:25", &answered, Outcome::Completed, StoppedBy::Nobody));
        assert_eq!(verdict.cause, None);
        assert_eq!(verdict.findings.iter().map(|finding| finding.cause).collect::<Vec<_>>(), [Cause::StarttlsInjection]);
    }
}
