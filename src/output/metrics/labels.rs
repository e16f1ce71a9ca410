//! Which servers, names and certificates have series of their own, so that neither a busy network nor a hostile client makes them many.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::Class;

/// Words with series of their own: the busiest, as far as can be said without counting every word there is.
///
/// The first words get their place at once. The others are counted in a table of bounded size; every [`TERM`] handshakes, one that was seen more
/// than twice as often as the least busy with a place takes that place, and all counts are halved.
#[derive(Debug)]
pub(super) struct Ranking {
    most: usize,
    words: BTreeMap<String, Word>,
    own: usize,
    /// Handshakes since places were last given.
    seen: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Word {
    lately: u64,
    own: bool,
}

/// Label values of a handshake, and words whose series are to be removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// The word has series of its own.
    pub(super) own: bool,
    /// These have none any more.
    pub(super) lost: Vec<String>,
}

impl Ranking {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, words: BTreeMap::new(), own: 0, seen: 0 }
    }

    /// Counts a handshake with this word.
    pub(super) fn count(&mut self, word: &str) -> Given {
        self.seen += 1;
        let lost = if self.seen >= TERM { self.rank() } else { Vec::new() };
        if let Some(known) = self.words.get_mut(word) {
            known.lately = known.lately.saturating_add(1);
            return Given { own: known.own, lost };
        }
        let own = self.own < self.most;
        if !own && self.words.len() - self.own >= CANDIDATES {
            // Those that were seen only once make room; when there are none, the busiest are known already.
            self.words.retain(|_, word| word.own || word.lately > 1);
        }
        if own || self.words.len() - self.own < CANDIDATES {
            self.own += usize::from(own);
            self.words.insert(word.to_owned(), Word { lately: 1, own });
        }
        Given { own, lost }
    }

    /// Gives places to those that came to deserve them.
    fn rank(&mut self) -> Vec<String> {
        self.seen = 0;
        let by_count = |own: bool| {
            let mut list: Vec<(u64, String)> =
                self.words.iter().filter(|(_, word)| word.own == own).map(|(name, word)| (word.lately, name.clone())).collect();
            list.sort();
            list
        };
        let (least, others) = (by_count(true), by_count(false));
        let mut lost = Vec::new();
        for ((few, loser), (many, winner)) in least.into_iter().zip(others.into_iter().rev()) {
            if many <= few.saturating_mul(2) {
                break;
            }
            for (name, own) in [(&loser, false), (&winner, true)] {
                if let Some(word) = self.words.get_mut(name) {
                    word.own = own;
                }
            }
            lost.push(loser);
        }
        self.words.values_mut().for_each(|word| word.lately /= 2);
        self.words.retain(|_, word| word.own || word.lately > 0);
        lost
    }
}

/// Pairs of server and name, each with the problems that were counted there: what must be removed together.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    most: usize,
    problems: BTreeMap<(String, String), BTreeSet<Problem>>,
}

/// What went wrong: a class and a cause.
pub(super) type Problem = (Class, &'static str);

/// A pair that has no series any more, with its problems.
pub(super) type Removed = ((String, String), BTreeSet<Problem>);

impl Pairs {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, problems: BTreeMap::new() }
    }

    /// Whether this pair may have series, too: servers and names are bounded, and not all of their combinations are wanted.
    pub(super) fn admit(&mut self, server: &str, name: &str) -> bool {
        let pair = (server.to_owned(), name.to_owned());
        if !self.problems.contains_key(&pair) {
            if self.problems.len() >= self.most {
                return false;
            }
            self.problems.insert(pair, BTreeSet::new());
        }
        true
    }

    /// Notes a pair that is shared by many, whose number is bounded otherwise.
    pub(super) fn keep(&mut self, server: &str, name: &str) {
        self.problems.entry((server.to_owned(), name.to_owned())).or_default();
    }

    /// Notes a problem that is counted for a pair.
    pub(super) fn note(&mut self, server: &str, name: &str, problem: Problem) {
        self.problems.entry((server.to_owned(), name.to_owned())).or_default().insert(problem);
    }

    /// Takes out the pairs with one of these servers or names.
    pub(super) fn remove(&mut self, servers: &[String], names: &[String]) -> Vec<Removed> {
        let gone = |(server, name): &(String, String)| servers.contains(server) || names.contains(name);
        let gone: Vec<_> = self.problems.keys().filter(|pair| gone(pair)).cloned().collect();
        gone.into_iter().filter_map(|pair| self.problems.remove_entry(&pair)).collect()
    }
}

/// Certificates served lately, each with when it was last seen.
#[derive(Debug)]
pub(super) struct Certificates<K> {
    most: usize,
    seen: BTreeMap<K, i64>,
    /// When there was last a look for those that were replaced.
    looked: i64,
}

impl<K: Ord + Clone> Certificates<K> {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, seen: BTreeMap::new(), looked: i64::MIN }
    }

    /// Notes a certificate that was served at this second. Whether it has a series, and the certificates that have none any more: those that
    /// were not served for long, for they have been replaced.
    pub(super) fn see(&mut self, certificate: &K, now: i64) -> (bool, Vec<K>) {
        let mut gone = Vec::new();
        if now.saturating_sub(self.looked) >= LOOK {
            self.looked = now;
            gone.extend(self.seen.iter().filter(|(_, seen)| now.saturating_sub(**seen) >= REPLACED).map(|(key, _)| key.clone()));
            for key in &gone {
                self.seen.remove(key);
            }
        }
        if let Some(seen) = self.seen.get_mut(certificate) {
            *seen = now.max(*seen);
            return (true, gone);
        }
        let room = self.seen.len() < self.most;
        if room {
            self.seen.insert(certificate.clone(), now);
        }
        (room, gone)
    }
}

/// Handshakes after which places are given anew.
const TERM: u64 = 10_000;
/// Words without a place that are counted.
const CANDIDATES: usize = 4096;
/// Seconds after which a certificate that is not served any more is taken to be replaced.
const REPLACED: i64 = 6 * 3600;
/// Seconds between two looks for such.
const LOOK: i64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_have_their_own_series_in_the_long_run() {
        let mut ranking = Ranking::new(2);
        assert!(ranking.count("first").own && ranking.count("second").own && !ranking.count("busy").own);
        let mut lost = Vec::new();
        for turn in 0..3 * TERM {
            let word = if turn % 3 == 0 { "second".to_owned() } else { "busy".to_owned() };
            lost.extend(ranking.count(&word).lost);
            // Noise that is seen once takes no place.
            lost.extend(ranking.count(&format!("noise {turn}")).lost);
        }
        assert_eq!(lost, ["first"]);
        assert!(ranking.count("busy").own && ranking.count("second").own && !ranking.count("first").own);
        assert!(ranking.words.len() <= 2 + CANDIDATES);
    }

    #[test]
    fn equals_do_not_take_turns() {
        let mut ranking = Ranking::new(1);
        ranking.count("a");
        for _ in 0..3 * TERM {
            assert!(ranking.count("b").lost.is_empty() && ranking.count("a").lost.is_empty());
        }
    }

    #[test]
    fn pairs_go_with_their_server_or_name() {
        let mut pairs = Pairs::new(3);
        for (server, name) in [("s", "n"), ("s", "m"), ("t", "n")] {
            assert!(pairs.admit(server, name));
            pairs.note(server, name, (Class::Failed, "cause"));
        }
        assert!(!pairs.admit("t", "m") && pairs.admit("s", "n"));
        let gone = pairs.remove(&["s".to_owned()], &[]);
        assert_eq!(
            gone.iter().map(|((server, name), causes)| (server.as_str(), name.as_str(), causes.len())).collect::<Vec<_>>(),
            [("s", "m", 1), ("s", "n", 1)]
        );
        assert!(pairs.admit("t", "m"));
    }

    #[test]
    fn a_certificate_that_was_replaced_goes() {
        let mut certificates = Certificates::new(2);
        assert_eq!(certificates.see(&"old", 0), (true, vec![]));
        assert_eq!(certificates.see(&"new", 10), (true, vec![]));
        assert_eq!(certificates.see(&"third", 20), (false, vec![]));
        assert_eq!(certificates.see(&"new", REPLACED - 5), (true, vec![]));
        assert_eq!(certificates.see(&"new", REPLACED + LOOK), (true, vec!["old"]));
        assert_eq!(certificates.see(&"third", REPLACED + LOOK), (true, vec![]));
    }
}
