//! Handshakes that wait: for a verdict, or to be told whose their ends are.

use std::borrow::Cow;
use std::sync::Arc;

use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::judge::Verdict;
use crate::diagnosis::knowledge_store::{Entered, KnowledgeStore};
use crate::handshake::Handshake;
use crate::handshake::greeting::ungreeted;
use crate::handshake::relevance::{SCAN, may_have_wanted_tls, unspoken};
use crate::origins::Origins;
use crate::report::{self, Files};
use crate::site::Observer;
use crate::time::Timestamp;

use super::point::CapturePoint;

/// A handshake whose verdict waits.
pub(super) struct Held {
    pub(super) handshake: Box<Handshake>,
    pub(super) server: Option<Arc<ChainFacts>>,
    pub(super) client: Option<Arc<ChainFacts>>,
    /// Reported only if its server turns out to speak TLS, or its client to come back with a login in vain.
    pub(super) doubtful: bool,
    /// The ticket that it offered was refused.
    pub(super) ticket_refused: bool,
    /// Where it stands among the attempts of its client.
    pub(super) entered: Option<Entered>,
    pub(super) bytes: usize,
}

impl Held {
    /// What it counts as where others show that it is no handshake, or only the first step of a login.
    pub(super) fn dismissed(&self, knowledge: &KnowledgeStore) -> Option<&'static str> {
        let handshake = &self.handshake;
        if let Some(facts) = handshake.preamble.as_ref().filter(|facts| facts.asks_for_login()) {
            return knowledge.was_let_in(handshake, self.entered, facts).then_some(facts.dialect.name());
        }
        // Those who are served want no word of who is not: a server of mail turns many away.
        match handshake.preamble.as_ref().filter(|facts| self.doubtful && facts.turned_away()) {
            _ if knowledge.probes_ports(handshake) => Some(SCAN),
            Some(facts) => (!knowledge.is_wanted_in_vain(handshake)).then_some(facts.dialect.name()),
            None if !self.doubtful || knowledge.speaks_tls(handshake) => None,
            None if may_have_wanted_tls(handshake) && knowledge.is_wanted_in_vain(handshake) => None,
            None if ungreeted(handshake).is_some() && !knowledge.is_served_in_clear(handshake) => None,
            None => Some(unspoken(handshake).unwrap_or("not-tls")),
        }
    }
}

/// A handshake that is judged, and reported when it is known whose its ends are.
pub(super) struct Unnamed {
    pub(super) held: Held,
    pub(super) verdict: Verdict,
    pub(super) since: Timestamp,
}

/// What is to be said of a handshake. `points`: the capture's interfaces, and which file each frame comes from.
pub(super) fn report<'a>(
    reports: &mut report::Builder,
    (points, origins): (&'a [CapturePoint], Option<&Origins>),
    observer: &Observer,
    timeline: bool,
    held: &'a Held,
    verdict: &'a Verdict,
) -> report::Handshake<'a> {
    let handshake = held.handshake.as_ref();
    let point = points.get(handshake.flow.interface as usize);
    let mut report = reports.handshake(
        handshake,
        verdict,
        point.map_or("", |point| &point.source),
        point.map_or(observer, |point| point.observer(observer)),
    );
    report.capture.interface = point.and_then(|point| point.interface.as_deref()).map(Cow::Borrowed);
    report.capture.files = origins.map(Files::new);
    if timeline {
        report.timeline = report::timeline(handshake);
    }
    report
}
