//! What the client answered to the request for a certificate, and how the server took it.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::clock;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, Outcome, StoppedBy};
use crate::handshake::stack::{self, Stack};
use crate::time::Mark;
use crate::tls::registry::AlertDescription as A;
use crate::wording::counted;

use super::pages;

/// What the client answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It had no certificate: an empty Certificate message, or the alert `no_certificate` of SSL 3.0.
    Nothing,
    /// It sent a certificate.
    Sent,
}

/// How the server took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It sent an alert that can be read.
    Alert { alert: A, mark: Mark },
    /// It sent an alert that cannot be read.
    HiddenAlert { mark: Mark },
    /// It closed or reset without an alert.
    Left { mark: Mark, reset: bool },
    /// It finished the handshake, answered the first request with what has the size of a page that says so, and closed.
    Page {
        /// The record that holds the page.
        mark: Mark,
        /// Its size in bytes.
        len: u16,
    },
    /// Over UDP: it said nothing more, however often the client repeated its answer.
    FellSilent { mark: Mark },
    /// It went on.
    WentOn,
}

/// A handshake from the client certificate's point of view.
#[derive(Debug)]
pub(super) struct ClientAuthView<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) answer: Answer,
    /// Where the answer was seen, when it was in clear or decrypted.
    pub(super) answered_at: Option<Mark>,
    pub(super) reaction: Reaction,
    /// The client's chain, when it is visible.
    pub(super) chain: Option<&'a ChainFacts>,
}

impl<'a> ClientAuthView<'a> {
    /// `None`: the server did not ask, or the client never answered.
    pub(super) fn new(case: &'a Case<'a>) -> Option<Self> {
        let handshake = case.handshake;
        let refused = handshake.alerts.iter().find(|seen| {
            seen.from == Side::Client
                && seen.alert.is_some_and(|alert| alert.description == A::NO_CERTIFICATE)
                && handshake.certificate_request.is_some()
        });
        // What it answered when it was asked again is its last word.
        let second = handshake.renegotiation.and_then(|second| second.certificate);
        let (answer, answered_at) = match &handshake.client_chain {
            _ if second.is_some_and(|certificate| certificate.is_empty) => (Answer::Nothing, second.map(|certificate| certificate.mark)),
            _ if second.is_some() => (Answer::Sent, second.map(|certificate| certificate.mark)),
            Some(chain) if chain.what.certificates.is_empty() => (Answer::Nothing, Some(chain.mark)),
            Some(chain) => (Answer::Sent, Some(chain.mark)),
            None if handshake.hidden.client_certificate_empty => {
                (Answer::Nothing, handshake.encrypted.client.first().map(|record| record.mark))
            }
            None if handshake.hidden.client_certificate_sent => {
                (Answer::Sent, handshake.encrypted.client.first().map(|record| record.mark))
            }
            None => (Answer::Nothing, Some(refused?.mark)),
        };
        let after = |mark: Mark| answered_at.is_none_or(|answered| mark >= answered);
        let reaction = match reaction(case, &after) {
            Reaction::WentOn => {
                let shut = shut_out(case, answer);
                let page = || pages::served(handshake, answer == Answer::Nothing).map(|(mark, len)| Reaction::Page { mark, len });
                shut.or_else(page).unwrap_or(Reaction::WentOn)
            }
            reaction => reaction,
        };
        Some(Self { case, answer, answered_at, reaction, chain: case.client_chain.filter(|_| answer == Answer::Sent) })
    }

    /// To this server a certificate that is in order by the clock of the capture is not yet valid: it says so with a code that means that, or a
    /// name or a weak key.
    pub(super) fn of_the_future(&self) -> bool {
        let openssl = stack::of_server(self.case.handshake).is_some_and(|speaker| speaker.stack == Stack::OpenSsl);
        openssl && self.chain.is_some() && matches!(self.reaction, Reaction::Alert { alert: A::BAD_CERTIFICATE, .. })
    }

    /// The client's issuer, when the server named the authorities it accepts and it is not among them.
    pub(super) fn issuer_not_asked_for(&self) -> Option<String> {
        let request = &self.case.handshake.certificate_request.as_ref()?.what;
        if request.authorities.is_empty() || request.authorities.len() < request.authorities_total {
            return None;
        }
        let chain = self.chain?;
        let wanted: Vec<Vec<String>> = request.authorities.iter().map(|name| parts(name)).collect();
        let named = |index: &usize| {
            chain
                .certificate(*index)
                .is_some_and(|certificate| wanted.contains(&parts(&certificate.issuer)) || wanted.contains(&parts(&certificate.subject)))
        };
        let leaf = chain.leaf()?;
        (!chain.path.iter().any(named)).then(|| leaf.issuer.clone())
    }

    /// The server asked for certificates of this very authority.
    pub(super) fn issuer_was_asked_for(&self) -> bool {
        let Some((request, leaf)) = self.case.handshake.certificate_request.as_ref().zip(self.chain.and_then(ChainFacts::leaf)) else {
            return false;
        };
        request.what.authorities.iter().any(|name| parts(name) == parts(&leaf.issuer))
    }

    /// The server took longer than it takes to judge a certificate, unless it waits for others.
    pub(super) fn came_late(&self) -> bool {
        let handshake = self.case.handshake;
        let mark = match self.reaction {
            Reaction::Alert { mark, .. } | Reaction::HiddenAlert { mark } | Reaction::Left { mark, .. } => Some(mark),
            Reaction::Page { .. } | Reaction::FellSilent { .. } | Reaction::WentOn => None,
        };
        handshake.finished.client.zip(mark).is_some_and(|(done, mark)| handshake.flow.elapsed(done, mark) >= LATE)
    }

    /// Host name, or address and port, of the server.
    pub(super) fn target(&self) -> String {
        self.case.handshake.server_name().unwrap_or_else(|| self.case.handshake.server.to_string())
    }

    /// The client's certificate in a sentence: its name where it is visible.
    pub(super) fn certificate(&self) -> String {
        match self.chain.and_then(ChainFacts::leaf) {
            Some(leaf) => format!("The client's certificate {}", leaf.display_name()),
            None => "The client's certificate".to_owned(),
        }
    }

    fn reaction_clause(&self) -> String {
        match self.reaction {
            Reaction::Alert { alert, .. } => format!("the server answered with alert {}", offer::spoken(alert)),
            Reaction::HiddenAlert { .. } => "the server answered with an encrypted alert".to_owned(),
            Reaction::Left { reset: true, .. } => "the server reset the connection".to_owned(),
            Reaction::Left { .. } if self.case.handshake.carried.is_some() => "the server rejected the client without an alert".to_owned(),
            Reaction::Left { reset: false, .. } => "the server closed the connection without an alert".to_owned(),
            Reaction::Page { .. } => {
                "the server finished the handshake, answered the first request with what has the size of nginx's page 400, and closed"
                    .to_owned()
            }
            Reaction::FellSilent { .. } => "the server said nothing more".to_owned(),
            Reaction::WentOn => "the server went on".to_owned(),
        }
    }

    /// A finding with the frames that show it. `summary` ends without a full stop; what the server did is added.
    pub(super) fn finding(&self, cause: Cause, confidence: Confidence, summary: &str) -> Finding {
        let handshake = self.case.handshake;
        let mut finding = Finding::new(cause, confidence, format!("{summary}; {}.", self.reaction_clause()));
        if let Some(request) = &handshake.certificate_request {
            finding = finding.shown_by(request.mark, "server asked for a client certificate (CertificateRequest)");
        }
        if let Some(mark) = self.answered_at {
            let encrypted = handshake.client_chain.is_none();
            let what = match (self.answer, self.chain.and_then(ChainFacts::leaf)) {
                (Answer::Nothing, _) if encrypted && handshake.quic.is_some() => {
                    "client sent Handshake packets with room for no more than an empty Certificate and a Finished".to_owned()
                }
                (Answer::Sent, None) if encrypted && handshake.quic.is_some() => {
                    "client sent Handshake packets with room for a Certificate".to_owned()
                }
                (Answer::Nothing, _) if encrypted => "client sent an encrypted record of the size of an empty Certificate".to_owned(),
                (Answer::Nothing, _) => "client answered with an empty Certificate message".to_owned(),
                (Answer::Sent, Some(leaf)) => {
                    format!(
                        "client sent {}, issued by {}, valid from {} to {}",
                        leaf.display_name(),
                        leaf.issuer,
                        leaf.not_before.day(),
                        leaf.not_after.day()
                    )
                }
                (Answer::Sent, None) => "client sent records of the size of a Certificate and a CertificateVerify".to_owned(),
            };
            finding = finding.shown_by(mark, what);
        }
        match self.reaction {
            Reaction::Alert { alert, mark } => finding.shown_by(mark, format!("server sent alert {}", offer::spoken(alert))),
            Reaction::HiddenAlert { mark } if handshake.quic.is_some() => finding.shown_by(
                mark,
                "server answered with a Handshake packet, which closes the connection: a server that accepts the client has discarded the Handshake keys",
            ),
            Reaction::HiddenAlert { mark } if !handshake.is_tls13() => finding.shown_by(mark, "server sent an encrypted alert"),
            Reaction::HiddenAlert { mark } if handshake.outcome == Outcome::Completed => {
                finding.shown_by(mark, "server sent an encrypted record of an alert's size, and no data before it")
            }
            Reaction::HiddenAlert { mark } => {
                finding.shown_by(mark, "server sent an encrypted record of an alert's size, and no ticket or data")
            }
            Reaction::Left { mark, reset } => {
                let word = View::new(handshake).closing_word(reset);
                finding.shown_by(mark, if reset { format!("server sent {word}") } else { format!("server sent {word} without an alert") })
            }
            // Of the handshake nobody complained.
            Reaction::Page { mark, len } => {
                let page = counted(u64::from(len), "byte", "bytes");
                return finding
                    .shown_by(mark, format!("server sent {page} of data, as many as that page has, and closed"))
                    .noting("the answer is encrypted: another one may be as long")
                    .stopped_by(StoppedBy::Nobody);
            }
            Reaction::FellSilent { mark } => finding.shown_by(mark, "last packet from the client, which repeated its answer without success"),
            Reaction::WentOn => return finding.weight(Weight::Note),
        }
        .stopped_by(StoppedBy::Server)
    }
}

/// A server that closes for want of a certificate, once it has looked, waits for nothing.
const AT_ONCE: Duration = Duration::from_millis(100);
/// One that leaves a request unanswered and closes, no later than this after the handshake, would not serve.
const ASKED: Duration = Duration::from_millis(500);

/// A server judges a certificate sooner.
const LATE: Duration = Duration::from_secs(2);

/// The parts of a readable name in an order that does not depend on who wrote it.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> =
        name.split([',', '/']).map(|part| part.replace(' ', "").to_ascii_lowercase()).filter(|part| !part.is_empty()).collect();
    parts.sort();
    parts
}

fn reaction(case: &Case<'_>, after: &dyn Fn(Mark) -> bool) -> Reaction {
    let handshake = case.handshake;
    let end = handshake.end;
    let of_server = |seen: &&AlertSeen| seen.from == Side::Server && !seen.consequence && after(seen.mark);
    let by_server = handshake.stopped_by == StoppedBy::Server;
    let alert = handshake.deciding_alert().filter(of_server).or_else(|| {
        handshake.alerts.iter().filter(of_server).find(|seen| by_server && handshake.outcome == Outcome::Alerted && Some(seen.mark) == end)
    });
    if let Some(seen) = alert {
        return match seen.alert {
            Some(alert) if alert.description == A::CLOSE_NOTIFY => Reaction::Left { mark: seen.mark, reset: false },
            Some(alert) => Reaction::Alert { alert: alert.description, mark: seen.mark },
            None => Reaction::HiddenAlert { mark: seen.mark },
        };
    }
    match (handshake.outcome, end) {
        (Outcome::Closed | Outcome::Reset, Some(mark)) if by_server && after(mark) => {
            Reaction::Left { mark, reset: handshake.outcome == Outcome::Reset }
        }
        (Outcome::Stalled, _) => in_silence(case, after).map_or(Reaction::WentOn, |mark| Reaction::FellSilent { mark }),
        _ => Reaction::WentOn,
    }
}

/// The handshake completed, and the server left at once, before it had sent any data, whatever the client had asked meanwhile: many programs look at the
/// certificate only then, and leave when there is none or when they do not like it. A server that answers the client's goodbye with its own shuts nobody out.
fn shut_out(case: &Case<'_>, answer: Answer) -> Option<Reaction> {
    let handshake = case.handshake;
    let hidden = handshake.is_tls13() && !handshake.decrypted;
    let spoke = if hidden { handshake.hidden.server_spoke } else { handshake.application_data.server };
    let unused = spoke.is_none();
    if handshake.outcome != Outcome::Completed || !unused || handshake.flow.is_udp() || !clock::runs(handshake) {
        return None;
    }
    let view = View::new(handshake);
    let said = |side: Side| handshake.alerts.iter().find(|seen| seen.from == side);
    let end = view.first_end();
    let left =
        |side: Side| said(side).map(|seen| seen.mark).into_iter().chain(end.filter(|end| end.side == side).map(|end| end.mark)).min();
    let goodbye = left(Side::Server)?;
    if left(Side::Client).is_some_and(|client| client < goodbye) {
        return None;
    }
    // What is wrong with a certificate that was sent shows at the first look; a request that goes unanswered has other reasons as well.
    let asked = handshake.application_data.client.is_some_and(|asked| asked < goodbye);
    let patience = if handshake.application_data.client.is_some() && answer == Answer::Nothing { ASKED } else { AT_ONCE };
    // What was asked behind the handshake takes the way there and back once more.
    let ways = view.rtt().saturating_mul(if asked { 2 } else { 1 });
    let soon = goodbye.time.since(handshake.finished.client?.time) <= patience.saturating_add(ways);
    if !soon {
        return None;
    }
    match said(Side::Server).filter(|seen| answer == Answer::Sent && seen.mark == goodbye) {
        Some(seen) if seen.alert.is_none() => Some(Reaction::HiddenAlert { mark: goodbye }),
        _ => end.filter(|end| end.side == Side::Server).map(|end| Reaction::Left { mark: end.mark, reset: end.reset.is_some() }),
    }
}

/// A server over DTLS that drops a client tells it nothing: the client's whole flight came, it repeats that in vain, and the server does not so much as
/// repeat its own. The client's last packet.
fn in_silence(case: &Case<'_>, after: &dyn Fn(Mark) -> bool) -> Option<Mark> {
    let handshake = case.handshake;
    let dtls = handshake.dtls.as_ref()?;
    let finished = handshake.finished.client.filter(|mark| after(*mark))?;
    let heard = handshake.flow.side(Side::Server).last_packet.is_some_and(|last| last > finished);
    let repeated = dtls.repeats.client >= REPEATS && handshake.finished.server.is_none();
    (repeated && !heard && handshake.flow.icmp.is_empty()).then_some(handshake.flow.side(Side::Client).last_packet).flatten()
}

/// So many datagrams again, with nothing heard, are no chance.
const REPEATS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_are_compared_whatever_their_order() {
        assert_eq!(parts("CN=Test CA, O=Example"), parts("O=Example,CN=Test CA"));
        assert_eq!(parts("/O=Example/CN=Test CA"), parts("CN=Test CA, O=Example"));
        assert_ne!(parts("CN=Test CA"), parts("CN=Test CA 2"));
    }
}
