//! What is told of handshakes of other shards, until it is their turn: they are learnt from in the order in which all would have been judged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::condensate::{Elsewhere, Told};
use crate::handshake::Handshake;
use crate::limits;
use crate::shard::Shard;
use crate::site::Site;
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

use super::batch::Entry;
use super::twins::{Asking, Sight};
use super::worker::Upto;

/// Those that wait, and the certificates that they name.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// What was over before the captures ended, in order.
    waiting: VecDeque<Entry>,
    /// What was not, by when it began, and by its place among those that began then.
    open: BTreeMap<(i64, u64), Entry>,
    /// How many were entered there.
    opened: u64,
    /// Bytes of all that wait.
    held: usize,
    certificates: HashMap<[u8; 32], Arc<Certificate>, RandomState>,
    bytes: usize,
}

impl Others {
    /// Takes entries in the order in which they were read. Those of the shard itself say nothing new.
    pub(super) fn add(&mut self, own: Shard, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if matches!(&entry.told, Told::Elsewhere(told) if told.shard == own.number) {
                continue;
            }
            self.held = self.held.saturating_add(weight(&entry));
            match &entry.told {
                Told::Elsewhere(told) if told.at_end => {
                    self.opened = self.opened.saturating_add(1);
                    self.open.insert((told.first, self.opened), entry);
                }
                Told::Elsewhere(_) | Told::Certificate(_) => self.waiting.push_back(entry),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// The next that comes before this handshake.
    pub(super) fn before(&mut self, handshake: &Handshake) -> Option<Entry> {
        let (at, first) = (handshake.concluded_at, handshake.flow.first.time.nanos());
        if at == u64::MAX {
            return self.next(|_| true).or_else(|| self.next_open(first));
        }
        self.next(|entry| entry.frame < at || entry.frame == at && begun(entry) < first)
    }

    /// The next of those that everything before is known of; and where too much waits, the next of all, before its time.
    pub(super) fn upto(&mut self, upto: Upto) -> Option<Entry> {
        let all = upto == Upto::ALL || self.held > limits::TOLD_WAITING_BYTES;
        self.next(|entry| all || entry.frame <= upto.concluded_at).or_else(|| if all { self.next_open(i64::MAX) } else { None })
    }

    fn next(&mut self, is_due: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        self.waiting.front().filter(|entry| is_due(entry))?;
        let next = self.waiting.pop_front();
        self.release(next)
    }

    /// The first that was open at the end and began before a moment.
    fn next_open(&mut self, before: i64) -> Option<Entry> {
        let first = self.open.first_entry().filter(|first| first.key().0 < before)?.remove();
        self.release(Some(first))
    }

    fn release(&mut self, entry: Option<Entry>) -> Option<Entry> {
        self.held = self.held.saturating_sub(entry.as_ref().map_or(0, weight));
        entry
    }

    /// Remembers a certificate that is told.
    pub(super) fn keep(&mut self, der: &[u8]) {
        let certificate = Certificate::parse(der);
        let weight = der.len().saturating_mul(limits::TOLD_CERTIFICATE_WEIGHT);
        if self.bytes.saturating_add(weight) > limits::TOLD_CERTIFICATE_BYTES {
            self.certificates.clear();
            self.bytes = 0;
        }
        if self.certificates.insert(certificate.sha256, Arc::new(certificate)).is_none() {
            self.bytes = self.bytes.saturating_add(weight);
        }
    }

    /// The chain of these certificates, if all are remembered.
    pub(super) fn chain(&self, certificates: &[[u8; 32]]) -> Option<Vec<Arc<Certificate>>> {
        certificates.iter().map(|sha256| self.certificates.get(sha256).cloned()).collect()
    }
}

/// Bytes that an entry takes, about.
fn weight(entry: &Entry) -> usize {
    let more = match &entry.told {
        Told::Certificate(der) => der.len(),
        Told::Elsewhere(told) => {
            let shown = told.chain.as_ref();
            let chain = shown
                .map_or(0, |shown| shown.certificates.len().saturating_mul(32).saturating_add(shown.name.as_ref().map_or(0, String::len)));
            size_of::<Elsewhere>().saturating_add(chain)
        }
    };
    // Twice itself: a tree holds it with room to spare.
    size_of::<Entry>().saturating_mul(2).saturating_add(more)
}

fn begun(entry: &Entry) -> i64 {
    match &entry.told {
        Told::Elsewhere(told) => told.first,
        Told::Certificate(_) => i64::MIN,
    }
}

/// What is told of a handshake, as twins are known by.
pub(super) fn sight(site: Site, told: &Elsewhere) -> Sight {
    let (start, end) = (Timestamp::from_nanos(told.first), Timestamp::from_nanos(told.last));
    Sight {
        site,
        random: told.random,
        opening: None,
        answers: None,
        client: told.client,
        server: told.server,
        start,
        end,
        // It is not told when it asked.
        asking: Asking { from: start, to: end },
        completed: false,
        joins: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::elsewhere::elsewhere;
    use crate::diagnosis::testing::connected;

    const OWN: Shard = Shard { number: 1, of: 2 };

    fn told(base: &Elsewhere, frame: u64, first: i64, at_end: bool) -> Entry {
        let told = Elsewhere { at_end, first, ..base.clone() };
        Entry { frame, interface: 0, site: Site::NONE, told: Told::Elsewhere(Box::new(told)) }
    }

    fn upto(concluded_at: u64) -> Upto {
        Upto::of(&Handshake { concluded_at, ..connected() })
    }

    #[test]
    fn what_waits_comes_in_its_turn() {
        let base = elsewhere(&connected(), 2, false);
        let told = |frame, first, at_end| told(&base, frame, first, at_end);
        let mut others = Others::default();
        others.add(OWN, [told(5, 0, false), told(9, 0, false), told(9, 7, true), told(9, 3, true)]);
        assert_eq!(others.upto(upto(6)).map(|entry| entry.frame), Some(5));
        assert!(others.upto(upto(6)).is_none());
        assert_eq!(others.upto(Upto::ALL).map(|entry| entry.frame), Some(9));
        assert_eq!(std::iter::from_fn(|| others.upto(Upto::ALL)).map(|entry| begun(&entry)).collect::<Vec<_>>(), [3, 7]);
        assert!(others.is_empty() && others.held == 0);
    }

    #[test]
    fn what_never_has_its_turn_is_bounded() {
        let base = elsewhere(&connected(), 2, false);
        let six = upto(6);
        let mut others = Others::default();
        for number in 0..100_000 {
            // Frames that no capture has, and handshakes that are open for ever, the latest first.
            others.add(OWN, [told(&base, u64::MAX - 1, 0, false), told(&base, 0, -number, true)]);
            while others.upto(six).is_some() {}
            assert!(others.held <= limits::TOLD_WAITING_BYTES);
        }
        assert!(!others.is_empty());
    }
}
