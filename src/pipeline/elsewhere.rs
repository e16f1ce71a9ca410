//! What is told of handshakes of other shards, until it is their turn: they are learnt from in the order in which all would have been judged.

use std::collections::VecDeque;
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
use super::twins::Sight;
use super::worker::Upto;

/// Those that wait, and the certificates that they name.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// What was over before the captures ended, in order; what was not, by when it began.
    waiting: VecDeque<Entry>,
    open: VecDeque<Entry>,
    certificates: HashMap<[u8; 32], Arc<Certificate>, RandomState>,
    bytes: usize,
}

impl Others {
    /// Takes entries in the order in which they were read. Those of the shard itself say nothing new.
    pub(super) fn add(&mut self, own: Shard, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            match &entry.told {
                Told::Elsewhere(told) if told.shard == own.number => {}
                Told::Elsewhere(told) if told.at_end => {
                    let first = told.first;
                    let place = self.open.partition_point(|other| begun(other) <= first);
                    self.open.insert(place, entry);
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
            return self.next(u64::MAX).or_else(|| pop_if(&mut self.open, |entry| begun(entry) < first));
        }
        pop_if(&mut self.waiting, |entry| entry.frame < at || entry.frame == at && begun(entry) < first)
    }

    /// The next of those that everything before is known of.
    pub(super) fn upto(&mut self, upto: Upto) -> Option<Entry> {
        self.next(upto.concluded_at).or_else(|| if upto == Upto::ALL { self.open.pop_front() } else { None })
    }

    fn next(&mut self, upto: u64) -> Option<Entry> {
        pop_if(&mut self.waiting, |entry| entry.frame <= upto)
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

/// The first, if it is one of these.
fn pop_if(entries: &mut VecDeque<Entry>, wanted: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
    if entries.front().is_some_and(wanted) { entries.pop_front() } else { None }
}

fn begun(entry: &Entry) -> i64 {
    match &entry.told {
        Told::Elsewhere(told) => told.first,
        Told::Certificate(_) => i64::MIN,
    }
}

/// What is told of a handshake, as twins are known by.
pub(super) fn sight(site: Site, told: &Elsewhere) -> Sight {
    Sight { site, random: told.random, client: told.client, server: told.server, start: Timestamp::from_nanos(told.first) }
}
