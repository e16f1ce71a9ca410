//! What speaks against a finding.
//!
//! A rule looks for what supports it. So that what refutes it cannot be forgotten, every rule names the facts that would speak against its
//! finding ([`super::rule::Rule::against`]), and the judge asks each of them: it lowers or drops the finding, and what was found is told beside
//! the evidence.

use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

use super::case::Case;
use super::cause::Cause;
use super::finding::{Confidence, Evidence, Finding, Weight};
use super::knowledge::{Related, hello_shape};
use super::view::{SHORT_PAUSE, View};

/// A fact that would speak against a finding, and what becomes of the finding then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The fact.
    pub fact: Contrary,
    /// What becomes of the finding.
    pub effect: Effect,
}

/// What contrary evidence does to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is told, and changes nothing: both can be true.
    Told,
    /// The finding is less sure by a step; one that is certain, because the packets themselves show it, is told it and stays.
    Lowers,
    /// The finding cannot be true.
    Drops,
}

/// Facts that speak against findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contrary {
    /// The same client completed with this server by a ClientHello of the same kind, within seconds.
    SameHelloCompleted,
    /// A ClientHello as long as this one led to a complete handshake: that of the same client or, where the server is accused, of any.
    LongHelloCompleted,
    /// A shorter ClientHello of the same client came to nothing at the same server either, within seconds.
    ShortHelloFailed,
    /// A handshake that offered TLS 1.3 completed with this server.
    Tls13Completed,
    /// Packets of this size passed in the same direction between the same two addresses, within seconds.
    FullSizePassed,
    /// The receiver answered the copies of a packet that is thought to be lost: they arrived.
    CopiesAnswered,
    /// Packets with the hop counter that is suspect belong to handshakes of this server that completed.
    HopCounterKnown,
    /// Connections of the same client to the same server died alike without a pause.
    DiedWithoutPause,
    /// The same client completed with the same server within seconds: the path passes packets both ways.
    PairCompleted,
    /// Other handshakes with the same server endpoint completed.
    OthersCompleted,
    /// Other connections to the same server got the same answer.
    OthersAnsweredAlike,
}

/// Drops the finding where this is so.
pub const fn drops(fact: Contrary) -> Counter {
    Counter { fact, effect: Effect::Drops }
}

/// Makes the finding less sure where this is so.
pub const fn lowers(fact: Contrary) -> Counter {
    Counter { fact, effect: Effect::Lowers }
}

/// Tells it beside the finding where this is so.
pub const fn told(fact: Contrary) -> Counter {
    Counter { fact, effect: Effect::Told }
}

impl Contrary {
    /// What it is, in words for the page of a cause.
    pub const fn words(self) -> &'static str {
        match self {
            Self::SameHelloCompleted => {
                "a similar ClientHello from the same client to the same server led to a complete handshake within seconds"
            }
            Self::LongHelloCompleted => "a ClientHello as long as this one led to a complete handshake",
            Self::ShortHelloFailed => "a shorter ClientHello from the same client to the same server fails too",
            Self::Tls13Completed => "a handshake that offers TLS 1.3 completes with the same server",
            Self::FullSizePassed => "packets of this size pass in the same direction between the same two addresses",
            Self::CopiesAnswered => "the receiver answers the copies of the packet: they arrive",
            Self::HopCounterKnown => "packets with this TTL belong to completed handshakes of the same server",
            Self::DiedWithoutPause => "connections from the same client to the same server fail the same way without a pause",
            Self::PairCompleted => "the same client completes another handshake with the same server within seconds",
            Self::OthersCompleted => "other handshakes with the same address and port complete",
            Self::OthersAnsweredAlike => "other connections to the same server get the same answer",
        }
    }

    /// Whether it is so in this case, and what shows it.
    fn found(self, case: &Case<'_>, finding: &Finding) -> Option<Evidence> {
        match self {
            Self::SameHelloCompleted => same_hello(case),
            Self::LongHelloCompleted => long_hello(case, finding),
            Self::ShortHelloFailed => short_hello_failed(case),
            Self::Tls13Completed => tls13(case),
            Self::FullSizePassed => full_size(case, finding),
            Self::CopiesAnswered => copies_answered(case, finding),
            Self::HopCounterKnown => hop_counter(case, finding),
            Self::DiedWithoutPause => died_without_pause(case),
            Self::PairCompleted => pair_completed(case),
            Self::OthersCompleted => others(case),
            Self::OthersAnsweredAlike => answered_alike(case, finding),
        }
    }
}

/// Asks everything that may speak against a finding. `None` when it cannot be true.
pub(super) fn weigh(case: &Case<'_>, counters: &[Counter], mut finding: Finding) -> Option<Finding> {
    for counter in counters {
        let Some(evidence) = counter.fact.found(case, &finding) else { continue };
        match counter.effect {
            Effect::Drops => return None,
            Effect::Lowers if finding.confidence < Confidence::Certain => {
                finding.confidence = finding.confidence.lowered();
                if finding.confidence == Confidence::Hint {
                    finding.weight = Weight::Note;
                }
            }
            Effect::Lowers | Effect::Told => {}
        }
        finding.against.push(evidence);
    }
    Some(finding)
}

/// Attempts of the same client at the same endpoint, with a hello, that completed.
fn worked<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Related> {
    case.knowledge.related.iter().filter(|other| other.same_endpoint && other.outcome == Outcome::Completed && other.hello_len > 0)
}

/// A packet that is lost so often in a row, while others pass, is not lost by chance: whatever became of one like it.
pub(super) const MANY_COPIES: u32 = 5;

/// See [`Contrary::SameHelloCompleted`].
pub(super) fn same_hello_completed(case: &Case<'_>) -> bool {
    same_hellos(case).next().is_some()
}

/// The same, and that ClientHello was sent without a pause: neither what is in it nor how long it is keeps it from getting through.
pub(super) fn same_hello_without_pause<'a>(case: &'a Case<'_>) -> Option<&'a Related> {
    same_hellos(case).find(|other| other.hello_after < SHORT_PAUSE)
}

fn same_hellos<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Related> {
    let own = case.handshake.hello().map(|own| (hello_shape(own), own.bytes().len()));
    worked(case).filter(move |other| {
        let alike = |(shape, len): (u64, usize)| other.hello_shape == shape && other.hello_len.abs_diff(len) < LIKE;
        other.same_name && own.is_some_and(alike)
    })
}

fn same_hello(case: &Case<'_>) -> Option<Evidence> {
    let other = same_hellos(case).next()?;
    Some(Evidence { mark: Some(other.start), text: "the same client completed a handshake here with a similar ClientHello".to_owned() })
}

fn long_hello(case: &Case<'_>, finding: &Finding) -> Option<Evidence> {
    let own = usize::try_from(View::new(case.handshake).hello_len()).unwrap_or(usize::MAX);
    // A few bytes of padding or of a name more or less are no matter.
    if let Some(other) = worked(case).find(|other| other.hello_len.saturating_add(LIKE) >= own) {
        return Some(Evidence {
            mark: Some(other.start),
            text: format!("the same client completed a handshake here with a ClientHello of {}", counted(other.hello_len, "byte", "bytes")),
        });
    }
    let server = finding.stopped_by == Some(StoppedBy::Server) && case.knowledge.completed_with_large_hello > 0;
    server.then(|| Evidence {
        mark: None,
        text: format!(
            "{} with the same server completed with a ClientHello as long as this one",
            counted(case.knowledge.completed_with_large_hello, "handshake", "handshakes")
        ),
    })
}

fn short_hello_failed(case: &Case<'_>) -> Option<Evidence> {
    let failed = |other: &&Related| other.same_endpoint && other.outcome.failed() && other.outcome != Outcome::Refused;
    let short = |other: &&Related| (1..ONE_SEGMENT).contains(&other.hello_len);
    let other = case.knowledge.related.iter().filter(failed).find(short)?;
    Some(Evidence {
        mark: Some(other.start),
        text: format!("a ClientHello of {} from the same client failed too", counted(other.hello_len, "byte", "bytes")),
    })
}

fn tls13(case: &Case<'_>) -> Option<Evidence> {
    let count = case.knowledge.completed_with_tls13;
    (count > 0).then(|| Evidence {
        mark: None,
        text: format!("{} that offered TLS 1.3 completed with the same server", counted(count, "handshake", "handshakes")),
    })
}

fn full_size(case: &Case<'_>, finding: &Finding) -> Option<Evidence> {
    let suspect = finding.suspect.filter(|suspect| suspect.payload > 0)?;
    let passed = *case.knowledge.passed.of(suspect.side);
    (passed >= suspect.payload).then(|| Evidence {
        mark: None,
        text: format!(
            "in another connection between the two, a packet from the {} with {passed} arrived",
            suspect.side,
            passed = counted(passed, "byte", "bytes")
        ),
    })
}

fn copies_answered(case: &Case<'_>, finding: &Finding) -> Option<Evidence> {
    let suspect = finding.suspect?;
    let view = View::new(case.handshake);
    let victim = view.repeated_in_vain(suspect.side).find(|segment| segment.first.frame == suspect.mark.frame)?;
    let receiver = suspect.side.other();
    case.handshake.flow.copies_answered(suspect.side, victim).then(|| Evidence {
        mark: view.side(receiver).last_packet,
        text: format!(
            "the {receiver} answered the copies with {}: they arrived",
            counted(view.side(receiver).duplicate_acks, "acknowledgment", "acknowledgments")
        ),
    })
}

fn hop_counter(case: &Case<'_>, finding: &Finding) -> Option<Evidence> {
    let suspect = finding.suspect.filter(|suspect| suspect.side == Side::Server)?;
    let ttl = suspect.ttl.filter(|ttl| case.knowledge.server_ttls.contains(ttl))?;
    Some(Evidence { mark: Some(suspect.mark), text: format!("TTL {ttl} is the server's in completed handshakes") })
}

fn died_without_pause(case: &Case<'_>) -> Option<Evidence> {
    let died = |other: &&Related| other.same_endpoint && other.outcome.failed() && other.hello_len > 0 && other.hello_after < SHORT_PAUSE;
    let count = u32::try_from(case.knowledge.related.iter().filter(died).count()).unwrap_or(u32::MAX);
    let first = case.knowledge.related.iter().find(died)?;
    Some(Evidence {
        mark: Some(first.start),
        text: format!("{} from the same client failed without a pause", counted(count, "handshake", "handshakes")),
    })
}

fn pair_completed(case: &Case<'_>) -> Option<Evidence> {
    let other = worked(case).find(|other| other.start.frame > case.handshake.flow.first.frame)?;
    Some(Evidence {
        mark: Some(other.start),
        text: "the same client later started another handshake with this server and completed it".to_owned(),
    })
}

fn others(case: &Case<'_>) -> Option<Evidence> {
    let count = case.knowledge.completed;
    (count > 0).then(|| Evidence {
        mark: None,
        text: format!("{} with the same address and port completed", counted(count, "other handshake", "other handshakes")),
    })
}

fn answered_alike(case: &Case<'_>, finding: &Finding) -> Option<Evidence> {
    let alike = |cause: Cause| cause == finding.cause || cause == Cause::ServerSpeaksPlaintext;
    let count = case.knowledge.causes.iter().filter(|(cause, _)| alike(*cause)).fold(0u32, |sum, (_, count)| sum.saturating_add(*count));
    (count > 0 && case.knowledge.completed == 0).then(|| Evidence {
        mark: None,
        text: format!(
            "{} to the same server got the same kind of answer, and none got another",
            counted(count, "other connection", "other connections")
        ),
    })
}

/// Two ClientHellos of one client whose lengths differ by less are as long as each other.
const LIKE: usize = 64;
/// What one segment carries on a path of ordinary size.
const ONE_SEGMENT: usize = 1_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::cause::Family;
    use crate::diagnosis::finding::Suspect;
    use crate::diagnosis::knowledge::Knowledge;
    use crate::diagnosis::policy::Policy;
    use crate::diagnosis::rules;
    use crate::diagnosis::testing::{at, connected, outstanding};

    #[test]
    fn whoever_accuses_the_path_names_what_would_refute_it() {
        // A closed window is what a side says itself; whose certificates are re-signed is weighed where they are compared.
        let own_words = [Cause::ZeroWindow, Cause::TlsInterception];
        let accuses = |family| matches!(family, Family::Path | Family::Middlebox);
        let silent = rules::all().iter().filter(|rule| accuses(rule.cause.family()) && rule.against.is_empty());
        assert_eq!(silent.map(|rule| rule.cause).filter(|cause| !own_words.contains(cause)).collect::<Vec<_>>(), []);
    }

    #[test]
    fn contrary_evidence_drops_lowers_or_is_told() {
        let handshake = connected();
        let knowledge = Knowledge { completed: 3, ..Knowledge::default() };
        let policy = Policy::default();
        let case = Case { handshake: &handshake, chain: None, client_chain: None, knowledge: &knowledge, policy: &policy };
        let finding = |confidence| Finding::new(Cause::ServerSilent, confidence, "");
        let weighed = |counter, confidence| weigh(&case, &[counter], finding(confidence));
        assert_eq!(weighed(drops(Contrary::OthersCompleted), Confidence::Strong), None);
        let lowered = weighed(lowers(Contrary::OthersCompleted), Confidence::Strong).unwrap();
        assert_eq!((lowered.confidence, lowered.weight, lowered.against.len()), (Confidence::Likely, Weight::Explains, 1));
        let hint = weighed(lowers(Contrary::OthersCompleted), Confidence::Likely).unwrap();
        assert_eq!((hint.confidence, hint.weight), (Confidence::Hint, Weight::Note));
        let certain = weighed(lowers(Contrary::OthersCompleted), Confidence::Certain).unwrap();
        assert_eq!((certain.confidence, certain.against.len()), (Confidence::Certain, 1));
        let told = weighed(told(Contrary::OthersCompleted), Confidence::Strong).unwrap();
        assert_eq!(
            (told.confidence, told.against[0].text.as_str()),
            (Confidence::Strong, "3 other handshakes with the same address and port completed")
        );
        let silent = weighed(drops(Contrary::Tls13Completed), Confidence::Strong).unwrap();
        assert!(silent.against.is_empty());
    }

    #[test]
    fn sizes_that_pass_elsewhere_and_copies_that_are_answered_speak_for_the_path() {
        let mut handshake = connected();
        let server = &mut handshake.flow.sides.server;
        server.outstanding.push(outstanding(0, 1448, at(5, 45), at(9, 6_000), 4));
        let mut knowledge = Knowledge::default();
        knowledge.passed.server = 1448;
        let policy = Policy::default();
        let finding =
            || Finding::new(Cause::PathMtuBlackHole, Confidence::Strong, "").resting_on(Suspect::packet(Side::Server, at(5, 45), 1448));
        let counters = [drops(Contrary::CopiesAnswered), lowers(Contrary::FullSizePassed)];
        let case = Case { handshake: &handshake, chain: None, client_chain: None, knowledge: &knowledge, policy: &policy };
        assert_eq!(weigh(&case, &counters, finding()).map(|finding| finding.confidence), Some(Confidence::Likely));
        handshake.flow.sides.client.duplicate_acks = 3;
        handshake.flow.sides.client.last_packet = Some(at(10, 6_001));
        let case = Case { handshake: &handshake, chain: None, client_chain: None, knowledge: &knowledge, policy: &policy };
        assert_eq!(weigh(&case, &counters, finding()), None);
    }
}
