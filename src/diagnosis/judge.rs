//! The judge: runs every rule over one handshake and picks the cause among what they say.
//!
//! Findings are ordered by weight, of a handshake that completed by whether a side refused, by confidence, and by the rules' order; the first that
//! explains is the cause, the others stay as findings and alternatives. The capture is judged first: what it lacks lowers the confidence of everything else.

use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

use super::case::Case;
use super::cause::{Cause, Family};
use super::chain::{ChainFacts, Unverified};
use super::clock;
use super::finding::{Confidence, Finding, Weight};
use super::offer;
use super::quality::Quality;
use super::rules;
use super::signs::Signs;
use super::view::View;

/// What is to be said of one handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// Who ended it.
    pub stopped_by: StoppedBy,
    /// The cause and what shows it; `None` when there is nothing to say.
    pub cause: Option<Finding>,
    /// What else is worth knowing, most important first.
    pub findings: Vec<Finding>,
    /// Causes that the packets do not exclude, likeliest first.
    pub alternatives: Vec<Cause>,
    /// What the capture lacks.
    pub quality: Quality,
    /// Why the server's chain was not verified to its end, if it was not.
    pub unverified: Option<Unverified>,
}

impl Verdict {
    /// The cause's slug's variant.
    pub fn cause(&self) -> Option<Cause> {
        self.cause.as_ref().map(|finding| finding.cause)
    }
}

/// Judges one handshake.
pub fn judge(case: &Case<'_>) -> Verdict {
    let handshake = case.handshake;
    let quality = Quality { lossy: case.knowledge.lossy, ..Quality::of(handshake) };
    let signs = Signs::of(case);
    let mut findings: Vec<Finding> = Vec::new();
    for family in rules::FAMILIES.iter().filter(|family| case.policy.ask_all || family.speaks.any_of(signs)) {
        family.judge(case, &mut findings);
    }
    if quality.lowers_confidence() {
        for finding in &mut findings {
            if finding.cause.family() != Family::Capture {
                finding.confidence = finding.confidence.lowered();
            }
        }
    }
    // What an end without a reason answers may have been said before the capture began; and whose RST it is shows by the opening.
    let opening_is_missing = !handshake.flow.saw_opening();
    let answers_the_unseen = |finding: &Finding| match finding.cause.family() {
        Family::Capture => false,
        // What is said in clear answers what was said before it, which is not all here.
        Family::Plaintext if quality.gap => true,
        _ => opening_is_missing && (finding.weight == Weight::Fallback || handshake.outcome == Outcome::Reset),
    };
    for finding in findings.iter_mut().filter(|finding| answers_the_unseen(finding)) {
        finding.confidence = finding.confidence.min(Confidence::Likely);
    }
    if let Some(peer) = speaks_of_the_unread(case) {
        for finding in findings.iter_mut().filter(|finding| rests_on_messages_of(peer, finding.cause.family())) {
            finding.confidence = finding.confidence.min(Confidence::Likely);
        }
    }
    if case.knowledge.may_be_scanned && handshake.outcome.failed() {
        for finding in findings.iter_mut().filter(|finding| finding.weight < Weight::Unwanted) {
            finding.confidence = finding.confidence.min(Confidence::Likely);
            finding.alternatives.push(Cause::TcpProbe);
        }
    }
    // Nor does a capture without times show who waited how long.
    if handshake.outcome.failed() && !clock::runs(handshake) {
        let by_time = |finding: &&mut Finding| matches!(finding.cause.family(), Family::Silence | Family::Middlebox);
        for finding in findings.iter_mut().filter(by_time) {
            finding.confidence = finding.confidence.min(Confidence::Likely);
        }
    }
    // A silence is only as sure as it was long.
    if matches!(handshake.outcome, Outcome::Stalled | Outcome::Refused | Outcome::Incomplete)
        && View::new(handshake).still_asks(case.policy)
    {
        for finding in findings.iter_mut().filter(|finding| rests_on_silence(finding.cause)) {
            finding.confidence = finding.confidence.min(Confidence::Likely);
        }
    }
    // What is only probable overrides nothing that is certain, but a capture that cannot support a verdict, and a packet on which all that is
    // certain rests and that is not what it says.
    let certain = findings.iter().any(|finding| finding.weight == Weight::Explains && finding.confidence == Confidence::Certain);
    if certain {
        let unsure = |finding: &&mut Finding| finding.weight == Weight::Overrides && finding.confidence < Confidence::Certain;
        findings
            .iter_mut()
            .filter(unsure)
            .filter(|finding| finding.cause.family() != Family::Capture && finding.cause != Cause::AlertForged)
            .for_each(|finding| finding.weight = Weight::Explains);
    }
    // What goes on from elsewhere did not end here.
    let moved = case.knowledge.moved.is_some_and(|moved| moved.is_used) && handshake.outcome != Outcome::Completed;
    let went_on = moved || case.went_on_after_the_list().is_some_and(|next| !next.outcome.failed());
    if went_on {
        findings.retain(|finding| finding.weight == Weight::Note);
    }
    // What is alike in all stays in the rules' order.
    findings.sort_by_key(|finding| std::cmp::Reverse(rank(handshake.outcome, finding)));
    let cause = findings.iter().position(|finding| is_cause(case, finding)).map(|index| findings.remove(index));
    // Where nothing else explains a failure, what the capture lacks explains why.
    let cause = cause.or_else(|| {
        let lacks = |finding: &Finding| handshake.outcome.failed() && !went_on && finding.cause.family() == Family::Capture;
        let finding = findings.iter().position(lacks).map(|index| findings.remove(index))?;
        // Words in clear may answer what is missing: then nobody knows whether TLS was wanted.
        if handshake.outcome == Outcome::Plaintext {
            return Some(finding.weight(Weight::Overrides).stopped_by(StoppedBy::Capture));
        }
        // What is missing is sure, and that the end answers it is not.
        let finding = Finding { confidence: Confidence::Hint, ..finding.stopped_by(handshake.stopped_by) };
        Some(match handshake.deciding_alert().and_then(|seen| Some((seen, seen.alert?.description))) {
            Some((seen, alert)) => finding.shown_by(seen.mark, format!("the {} sent alert {}", seen.from, offer::spoken(alert))),
            None => finding,
        })
    });
    let cause = cause.map(|finding| match View::new(handshake).answered_by_two() {
        Some(text) if finding.cause.family() != Family::Capture => finding.noting(text),
        _ => finding,
    });
    let cause = cause.map(|finding| match case.knowledge.fell_back.filter(|_| finding.cause.family() != Family::Capture) {
        Some(mark) if handshake.preamble.is_some() => {
            finding.shown_by(mark, "the client, in a new connection, goes on in clear: what it wanted to protect was sent without TLS")
        }
        _ => finding,
    });
    // Beside a reason it is not said that none is to be seen, nor what else it might have been if there were none; beside a certain one, nothing
    // that would explain the same end and is less than strong.
    if let Some(cause) = cause.as_ref().filter(|cause| cause.weight > Weight::Fallback) {
        let gives_none = |cause| matches!(cause, Cause::HandshakeFailure | Cause::ServerReset | Cause::ServerClosed);
        let unsure = |finding: &Finding| finding.confidence < Confidence::Strong;
        findings.retain(|finding| match finding.weight {
            Weight::Note => true,
            Weight::Fallback => !unsure(finding) && !gives_none(finding.cause),
            _ => !unsure(finding) || cause.confidence < Confidence::Certain,
        });
    }
    // What a scan meets with tells nothing of those who want to be served.
    if case.knowledge.scan.is_some() || cause.as_ref().is_some_and(|finding| finding.weight == Weight::Unwanted) {
        findings.retain(|finding| finding.cause.family() == Family::Capture);
    }
    let stopped_by = match (&cause, handshake.outcome) {
        _ if went_on => StoppedBy::Nobody,
        // The capture ended only little sooner than a stall could be told: who should have spoken is named all the same.
        (Some(finding), Outcome::Incomplete) if finding.cause.family() != Family::Capture => {
            finding.stopped_by.unwrap_or(StoppedBy::Capture)
        }
        (_, Outcome::Incomplete) => StoppedBy::Capture,
        (Some(finding), _) => finding.stopped_by.unwrap_or(handshake.stopped_by),
        (None, _) => handshake.stopped_by,
    };
    let alternatives = cause.as_ref().map(|cause| alternatives(cause, &findings)).unwrap_or_default();
    // Where the capture hears one side only, the silence of the other is none.
    let by_capture = cause.as_ref().is_some_and(|cause| cause.weight == Weight::Overrides && cause.cause.family() == Family::Capture);
    // Who gave up did not come up, though nobody said no.
    let gave_up_its_syn = cause.as_ref().is_some_and(|cause| matches!(cause.cause, Cause::TcpSynUnanswered | Cause::AcceptQueueFull))
        && case.gave_up_its_syn();
    Verdict {
        outcome: match handshake.outcome {
            _ if went_on => Outcome::Completed,
            outcome if by_capture && outcome.failed() => Outcome::Incomplete,
            Outcome::Incomplete if gave_up_its_syn => Outcome::Refused,
            outcome => outcome,
        },
        stopped_by,
        cause,
        findings,
        alternatives,
        quality,
        unverified: case.chain.and_then(ChainFacts::unverified),
    }
}

/// What nobody said, but what follows from packets without an answer. A client that turned to TCP gave up by itself.
const fn rests_on_silence(cause: Cause) -> bool {
    let family = matches!(
        cause.family(),
        Family::Connect | Family::Path | Family::Middlebox | Family::Silence | Family::Quic | Family::Dtls | Family::Carrier
    );
    family && !matches!(cause, Cause::QuicBlocked | Cause::EapRejected | Cause::EapMethodRefused)
}

/// Whose messages the other side refused though the capture lacks them, its certificates among them: what was refused is not known. Nor is what
/// the words mean of a client whose hello, and so whose library, is not known.
fn speaks_of_the_unread(case: &Case<'_>) -> Option<Side> {
    let handshake = case.handshake;
    let speaker = match (handshake.deciding_alert(), handshake.stopped_by) {
        (Some(alert), _) => alert.from,
        (None, StoppedBy::Client) => Side::Client,
        (None, StoppedBy::Server) => Side::Server,
        (None, _) => return None,
    };
    let peer = speaker.other();
    let shown = match peer {
        Side::Server => handshake.server_chain.is_some(),
        Side::Client => handshake.client_chain.is_some(),
    };
    let cut = |side: Side| handshake.flow.side(side).snaplen_cut > 0;
    // Over TCP the capture's quality says so, and lowers everything.
    let absent = handshake.flow.is_udp() && handshake.flow.side(peer).packets == 0;
    let nameless = speaker == Side::Client && handshake.client_hellos.is_empty() && cut(Side::Client);
    (!shown && (cut(peer) || absent) || nameless).then_some(peer)
}

/// Findings of this family say what a side's certificates or other messages are worth.
fn rests_on_messages_of(side: Side, family: Family) -> bool {
    match family {
        Family::Certificate => side == Side::Server,
        Family::ClientAuth => side == Side::Client,
        Family::Protocol => true,
        _ => false,
    }
}

/// What a finding stands before others by. A delay on the way explains nothing of what a side refused when it was done.
fn rank(outcome: Outcome, finding: &Finding) -> (Weight, bool, Confidence) {
    let refused = outcome == Outcome::Completed && matches!(finding.stopped_by, Some(StoppedBy::Client | StoppedBy::Server));
    (finding.weight, refused, finding.confidence)
}

/// Whether a finding may stand as the cause of how this handshake ended.
fn is_cause(case: &Case<'_>, finding: &Finding) -> bool {
    match case.handshake.outcome {
        // Where the capture ends only little sooner than a stall could be called one, what the packets show until then may speak.
        Outcome::Incomplete => {
            let by_capture = finding.cause.family() == Family::Capture;
            let nearly = || finding.weight >= Weight::Fallback && View::new(case.handshake).nearly_stalled(case.policy);
            // Of a connection that did not come up nothing is missing but the answer.
            let connect = matches!(finding.cause, Cause::TcpSynUnanswered | Cause::SynFlood | Cause::AcceptQueueFull)
                && finding.confidence >= Confidence::Likely;
            let mute = finding.cause == Cause::ClientSilent && case.is_one_of_mute();
            let refused = finding.cause == Cause::ServerCertificateRejected && case.left_over_quic().is_some();
            // Nor is anything of an attempt over QUIC that its client gave up for one over TCP.
            let given_up = case.handshake.quic.is_some() && (finding.weight == Weight::Unwanted || finding.cause == Cause::QuicBlocked);
            let may = by_capture || refused || given_up || finding.cause == Cause::QuicClientMoved;
            finding.weight >= Weight::Fallback && may || nearly() || connect || mute
        }
        Outcome::Completed if case.knowledge.scan.is_some() => false,
        Outcome::Completed => finding.weight >= Weight::Explains && finding.confidence >= Confidence::Likely,
        _ => finding.weight >= Weight::Fallback,
    }
}

/// The cause's own alternatives, then other findings that would explain the same end.
fn alternatives(cause: &Finding, findings: &[Finding]) -> Vec<Cause> {
    let mut list: Vec<Cause> = Vec::new();
    let others = findings.iter().filter(|finding| finding.weight >= Weight::Explains).map(|finding| finding.cause);
    for other in cause.alternatives.iter().copied().chain(others) {
        if other != cause.cause && !list.contains(&other) {
            list.push(other);
        }
    }
    if cause.confidence == Confidence::Certain {
        list.clear();
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{Scene, verdict_knowing};
    use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};

    #[test]
    fn what_was_refused_is_not_known_where_the_capture_cut_it() {
        let refused = |alert, cut| {
            let mut scene = Scene::broad().answered(V::TLS12, 0xc02f, &[(0xff01, &[0])]).alert(Side::Client, alert);
            scene.handshake.flow.sides.server.snaplen_cut = cut;
            let verdict = verdict_knowing(&scene.handshake, &scene.knowledge);
            verdict.cause.map(|finding| (finding.cause, finding.confidence)).unwrap()
        };
        assert_eq!(refused(A::UNKNOWN_CA, 0), (Cause::CertificateUntrustedCa, Confidence::Strong));
        assert_eq!(refused(A::UNKNOWN_CA, 1), (Cause::CertificateUntrustedCa, Confidence::Likely));
        assert_eq!((refused(A::INTERNAL_ERROR, 0).1, refused(A::INTERNAL_ERROR, 1).1), (Confidence::Strong, Confidence::Likely));
    }

    #[test]
    fn a_delay_explains_nothing_of_what_was_refused() {
        let finding = |cause, confidence, by| Finding::new(cause, confidence, "Said.").weight(Weight::Explains).stopped_by(by);
        let delay = finding(Cause::PacketLoss, Confidence::Strong, StoppedBy::Network);
        let refusal = finding(Cause::ServerCertificateRejected, Confidence::Likely, StoppedBy::Client);
        assert!(rank(Outcome::Completed, &refusal) > rank(Outcome::Completed, &delay));
        assert!(rank(Outcome::Reset, &refusal) < rank(Outcome::Reset, &delay), "what failed is explained by what is surest");
    }
}
