//! The client left in the middle of the dialogue in front of TLS, when the server owed it an answer.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::clock;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::remedy;
use crate::diagnosis::view::{LONG_WAIT, View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

/// It waited for the answer to its last word and left.
pub(super) fn left_waiting(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let preamble = facts.preamble.as_deref().filter(|preamble| preamble.dialect.is_starttls() && !preamble.took_leave())?;
    if !view.failed_without_words() || view.hello_begun() || !clock::runs(facts) {
        return None;
    }
    let left = view.ended_by(Side::Client)?;
    let last = preamble.lines.iter().rev().find(|line| line.mark < left.mark).filter(|line| line.side == Side::Client)?;
    let late = preamble.lines.iter().find(|line| line.side == Side::Server && line.mark > left.mark).map(|line| line.mark);
    let waited = left.mark.time.since(last.mark.time);
    let client = view.client();
    // What may not have arrived, or may have been answered unseen, was not kept waiting by the server.
    let arrived = late.is_some() || client.acked >= client.highest && view.server().lost_at_end() == 0;
    let heard = view.server().last_data.is_some_and(|data| data > last.mark && data < left.mark);
    if waited < LONG_WAIT.max(view.rtt() * 10) || !arrived || heard {
        return None;
    }
    let said = &last.text;
    let summary = format!(
        "{} gave up after waiting {} for the answer of {} to `{said}` ({}).",
        facts.client.host(),
        span_text(waited),
        facts.server,
        preamble.dialect.title()
    );
    let limited = waited >= super::SHORTEST_LIMIT;
    let strong = late.is_some() && limited;
    let finding = Finding::new(Cause::ClientTimeout, if strong { Confidence::Strong } else { Confidence::Likely }, summary)
        .weight(if strong { Weight::Explains } else { Weight::Fallback })
        .stopped_by(StoppedBy::Client)
        .shown_by(last.mark, format!("the client says `{said}`"))
        .shown_by(left.mark, format!("the client's {} after {}", left.name(), span_text(waited)));
    let finding = match late {
        Some(late) => {
            let after = span_text(late.time.since(left.mark.time));
            finding.shown_by(late, format!("the server's answer arrives {after} after that")).or_else(&[Cause::ServerSlow])
        }
        None => finding.noting("the server's system acknowledged it, and nothing came").or_else(&[Cause::ServerSilent, Cause::ServerSlow]),
    };
    let finding = if limited { finding } else { finding.or_else(&[Cause::ClientAborted]) };
    Some(
        finding
            .advise("On the server, find out what it was waiting for before you raise the client's timeout.")
            .advise(remedy::s_client(facts, "")),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::diagnosis::testing::{dialogue, verdict};
    use crate::handshake::Handshake;
    use crate::handshake::facts::Outcome;

    /// SMTP up to the client's EHLO; the client leaves so many milliseconds after that.
    fn asked(after: i64) -> Handshake {
        let turns: [(Side, &[u8]); 2] = [(Side::Server, b"220 mx.lab.test ESMTP\r\n"), (Side::Client, b"EHLO h\r\n")];
        let mut handshake = dialogue("192.0.2.1:587", &turns, Outcome::Closed, StoppedBy::Client);
        let said = handshake.preamble.as_ref().unwrap().lines.last().unwrap().mark;
        let end = said.time.after(Duration::from_millis(u64::try_from(after).unwrap()));
        let end = crate::time::Mark { frame: said.frame + 10, time: end };
        let client = &mut handshake.flow.sides.client;
        client.fin = Some((end, client.highest));
        (client.highest, client.acked) = (8, 8);
        (handshake.flow.last, handshake.closed_at) = (end, end);
        handshake
    }

    #[test]
    fn who_waits_in_vain_for_an_answer_did_not_pass_an_offer_by() {
        let told = |handshake: &Handshake| verdict(handshake).cause.map(|finding| (finding.cause, finding.confidence));
        assert_eq!(told(&asked(800)), Some((Cause::ClientTimeout, Confidence::Likely)));
        let mut late = asked(1_800);
        let end = late.flow.last;
        let preamble = late.preamble.as_mut().unwrap();
        let mut line = preamble.lines.last().unwrap().clone();
        (line.side, line.mark) =
            (Side::Server, crate::time::Mark { frame: end.frame + 1, time: end.time.after(Duration::from_millis(90)) });
        line.text = "250-STARTTLS".into();
        (preamble.offered, preamble.listed) = (Some(true), Some(line.mark));
        preamble.lines.push(line);
        assert_eq!(told(&late), Some((Cause::ClientTimeout, Confidence::Strong)));
        // It leaves at once, says goodbye, or had the offer.
        assert_ne!(told(&asked(20)).map(|told| told.0), Some(Cause::ClientTimeout));
        let mut goodbye = asked(800);
        goodbye.preamble.as_mut().unwrap().lines.last_mut().unwrap().text = "QUIT".into();
        assert_ne!(told(&goodbye).map(|told| told.0), Some(Cause::ClientTimeout));
        let mut lost = asked(800);
        lost.flow.sides.client.acked = 0;
        assert_ne!(told(&lost).map(|told| told.0), Some(Cause::ClientTimeout));
    }
}
