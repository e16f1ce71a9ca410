//! What logs say of a handshake, held against the verdict: a reason that the packets leave open is settled, one that they show already is borne
//! out, and one that they contradict is told as contradicting and overrules nothing.

use super::cause::{Cause, Family};
use super::finding::{Confidence, Evidence, Finding, Weight};
use super::judge::Verdict;
use super::rules;
use super::sayings::{self, Saying};
use crate::handshake::facts::StoppedBy;
use crate::logs::Said;

/// Enters what logs say of a handshake into its verdict.
pub fn hear(verdict: &mut Verdict, said: &[Said<'_>]) {
    let lines = said.iter().map(|line| (line, sayings::in_line(line.text)));
    let telling = |(line, told): &(&Said<'_>, Vec<Saying>)| {
        let text = line.text.to_ascii_lowercase();
        !told.is_empty() || FAILURES.iter().any(|word| text.contains(word))
    };
    for (line, mut told) in lines.filter(telling).take(LINES) {
        told.retain(|saying| speaks(saying.cause));
        weigh(verdict, line, &told);
    }
}

fn weigh(verdict: &mut Verdict, line: &Said<'_>, told: &[Saying]) {
    let names = |cause: Cause| told.iter().any(|saying| saying.cause == cause);
    let Some(cause) = &mut verdict.cause else {
        if verdict.outcome.failed()
            && let Some(saying) = told.iter().find(|saying| may_be(saying.cause, verdict.stopped_by))
        {
            verdict.cause = Some(settled(saying, line, None));
        }
        return;
    };
    if told.is_empty() || names(cause.cause) {
        cause.evidence.push(evidence(line));
        // One cause and no other: the side that ended it says so itself.
        if told.len() == 1 && cause.weight == Weight::Explains {
            cause.confidence = cause.confidence.max(Confidence::Strong);
        }
        return;
    }
    let open = cause.weight == Weight::Fallback || cause.confidence <= Confidence::Likely;
    let possible = |other: Cause| verdict.alternatives.contains(&other) || verdict.findings.iter().any(|finding| finding.cause == other);
    let fits = |other: Cause| may_be(other, verdict.stopped_by) && cause.cause.family() != Family::Capture;
    let fitting = || told.iter().filter(|saying| fits(saying.cause));
    let chosen = fitting().find(|saying| possible(saying.cause)).or_else(|| fitting().next().filter(|_| open));
    if let Some(saying) = chosen.filter(|_| cause.confidence < Confidence::Certain) {
        let place = verdict.findings.iter().position(|finding| finding.cause == saying.cause);
        let known = place.map(|place| verdict.findings.remove(place));
        let new = settled(saying, line, known);
        let before = std::mem::replace(cause, new);
        cause.evidence.splice(0..0, before.evidence);
        cause.stopped_by = cause.stopped_by.or(before.stopped_by);
        // Where programs say so of several causes, the others stay possible.
        let others = told.iter().map(|saying| saying.cause).filter(|other| *other != saying.cause && may_be(*other, verdict.stopped_by));
        verdict.alternatives = others.collect();
    } else {
        let other = told.first().map(|saying| saying.cause.slug()).unwrap_or_default();
        let text = format!("{}, which would be {other}; the packets show otherwise", words(line));
        cause.against.push(Evidence { mark: None, text });
    }
}

/// The cause that a log gives; with what was known of it before, where a rule had found it too.
fn settled(saying: &Saying, line: &Said<'_>, known: Option<Finding>) -> Finding {
    let summary = || format!("The log of one side says why the handshake ended: {}.", saying.what.trim_end_matches(['.', ':', ' ']));
    let mut finding = known.unwrap_or_else(|| {
        let mut finding = Finding::new(saying.cause, Confidence::Strong, summary());
        if let Some((_, fix)) = rules::of(saying.cause).and_then(|about| about.page.fixes().next()) {
            let first = fix.split("\n\n").find(|part| !part.starts_with("```")).unwrap_or_default();
            let sentence: Vec<&str> = first.split_whitespace().collect();
            finding = finding.advise(sentence.join(" "));
        }
        finding
    });
    finding.weight = Weight::Explains;
    finding.confidence = finding.confidence.max(Confidence::Strong);
    finding.evidence.push(evidence(line));
    finding
}

/// The log's word counts for causes of this family: what happened on the way the packets tell better, and programs call any loss of a peer the same.
const fn speaks(cause: Cause) -> bool {
    use Family as F;
    matches!(
        cause.family(),
        F::Plaintext | F::Proxy | F::Version | F::Parameters | F::Certificate | F::ClientAuth | F::Names | F::Psk | F::Protocol
    )
}

/// Who ended a handshake fits a cause: a client does not refuse its own certificate, nor a server its own.
const fn may_be(cause: Cause, stopped_by: StoppedBy) -> bool {
    match cause.family() {
        Family::Certificate => !matches!(stopped_by, StoppedBy::Server),
        Family::ClientAuth => !matches!(stopped_by, StoppedBy::Client),
        _ => true,
    }
}

fn evidence(line: &Said<'_>) -> Evidence {
    Evidence { mark: None, text: words(line) }
}

/// `error.log line 12, 09:05:03: no shared cipher while SSL handshaking`.
fn words(line: &Said<'_>) -> String {
    let time = line.time.map(|time| format!(", {}", time.to_second())).unwrap_or_default();
    format!("{} line {}{time}: {}", line.file, line.number, line.text)
}

/// Words of lines that tell of a failure, in small letters; others of the same connection tell that it came and went.
const FAILURES: &[&str] = &["error", "fail", "alert", "reject", "refuse", "denied", "invalid"];
/// Lines entered for one handshake.
const LINES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{Scene, verdict_knowing};
    use crate::flow::Side;
    use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};

    fn heard(scene: &Scene, text: &str) -> Verdict {
        let mut verdict = verdict_knowing(&scene.handshake, &scene.knowledge);
        hear(&mut verdict, &[Said { file: "error.log", number: 12, time: None, text }]);
        verdict
    }

    const NO_CIPHER: &str = "SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher)";

    #[test]
    fn a_reason_that_the_packets_leave_open_is_settled() {
        let scene = Scene::broad().alert(Side::Server, A::HANDSHAKE_FAILURE);
        let before = verdict_knowing(&scene.handshake, &scene.knowledge);
        let verdict = heard(&scene, "error:0A0000C7:SSL routines::peer did not return a certificate");
        assert_ne!(before.cause(), Some(Cause::ClientCertificateMissing));
        let cause = verdict.cause.unwrap();
        assert_eq!((cause.cause, cause.confidence), (Cause::ClientCertificateMissing, Confidence::Strong));
        assert!(cause.evidence.last().unwrap().text.starts_with("error.log line 12: error:0A0000C7"), "{cause:?}");
        assert!(cause.evidence.len() > before.cause.unwrap().evidence.len() && !cause.remedy.is_empty());
    }

    #[test]
    fn a_contradiction_is_told_and_overrules_nothing() {
        let scene = Scene::broad().answered(V::TLS12, 0xc02f, &[(0xff01, &[0])]).alert(Side::Client, A::UNKNOWN_CA);
        let before = verdict_knowing(&scene.handshake, &scene.knowledge).cause.unwrap();
        let cause = heard(&scene, NO_CIPHER).cause.unwrap();
        assert_eq!((cause.cause, cause.confidence), (before.cause, before.confidence));
        assert!(cause.against.last().unwrap().text.contains("the packets show otherwise"), "{cause:?}");
    }

    #[test]
    fn what_says_nothing_of_a_cause_is_evidence_only() {
        let scene = Scene::broad().alert(Side::Server, A::HANDSHAKE_FAILURE);
        let before = verdict_knowing(&scene.handshake, &scene.knowledge).cause.unwrap();
        let cause = heard(&scene, "TLS handshake of a client gone wrong").cause.unwrap();
        assert_eq!((cause.cause, cause.confidence, cause.against.len()), (before.cause, before.confidence, before.against.len()));
        assert_eq!(cause.evidence.len(), before.evidence.len(), "it tells of no failure");
        let cause = heard(&scene, "TLS handshake failed").cause.unwrap();
        assert_eq!((cause.cause, cause.evidence.len()), (before.cause, before.evidence.len() + 1));
    }
}
