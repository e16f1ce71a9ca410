//! What is counted over the whole run, in memory that does not grow: totals, seconds, and servers, names, clients and processes.

use std::collections::{BTreeMap, VecDeque};

use crate::output::view;
use crate::report::{Class, Classes, Handshake, Side};
use crate::time::Timestamp;

/// Counts of the whole run.
#[derive(Debug, Default, Clone)]
pub(super) struct Totals {
    pub(super) classes: Classes,
    /// Failures and what completed with trouble, by cause.
    pub(super) causes: BTreeMap<&'static str, Classes>,
    /// Oldest first, one a second.
    pub(super) seconds: VecDeque<Second>,
    times: Times,
}

/// What one second brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Second {
    at: i64,
    pub(super) handshakes: u64,
    pub(super) failed: u64,
}

impl Totals {
    /// Takes a handshake that is over.
    pub(super) fn take(&mut self, handshake: &Handshake<'_>, now: Timestamp) {
        let class = handshake.class();
        self.classes.add(class);
        if class.is_problem() {
            self.causes.entry(view::cause(handshake)).or_default().add(class);
        }
        if let Some(second) = self.second(now) {
            second.handshakes += 1;
            second.failed += u64::from(class.is_failure());
        }
        if class != Class::Failed {
            self.times.take(handshake, TIMES);
        }
    }

    /// The running second's counts.
    pub(super) fn second(&mut self, now: Timestamp) -> Option<&mut Second> {
        let at = now.seconds();
        let latest = self.seconds.back().map_or(at - 1, |second| second.at).max(at - SECONDS);
        for at in latest + 1..=at {
            self.seconds.push_back(Second { at, ..Second::default() });
        }
        while self.seconds.len() > usize::try_from(SECONDS).unwrap_or_default() {
            self.seconds.pop_front();
        }
        self.seconds.back_mut()
    }

    /// The time that `percent` of the latest completed handshakes needed at most, in microseconds.
    pub(super) fn percentile(&self, percent: usize) -> Option<u64> {
        self.times.percentile(percent)
    }
}

/// How long completed handshakes took, in microseconds, the latest last.
#[derive(Debug, Default, Clone)]
struct Times(VecDeque<u64>);

impl Times {
    fn take(&mut self, handshake: &Handshake<'_>, most: usize) {
        if let Some(micros) = handshake.handshake.timing.total_us {
            if self.0.len() >= most {
                self.0.pop_front();
            }
            self.0.push_back(micros);
        }
    }

    fn percentile(&self, percent: usize) -> Option<u64> {
        let mut times: Vec<u64> = self.0.iter().copied().collect();
        times.sort_unstable();
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(place).copied()
    }
}

/// By what handshakes are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Server,
    Name,
    Client,
    /// On this host, where the run looks up whose the ends are.
    Process,
}

impl By {
    pub(super) const ALL: [Self; 4] = [Self::Server, Self::Name, Self::Client, Self::Process];

    /// Where a handshake belongs: nowhere when it has no name, and to two processes where both of its ends are here.
    pub(super) fn keys(self, handshake: &Handshake<'_>) -> impl Iterator<Item = String> + use<> {
        let process = |side| handshake.owners.of(side).as_deref().and_then(view::process);
        let (one, other) = match self {
            Self::Server => (Some(handshake.server.to_string()), None),
            Self::Name => (handshake.server_name().map(str::to_ascii_lowercase), None),
            Self::Client => (Some(handshake.client.host().to_string()), None),
            Self::Process => (process(Side::Client), process(Side::Server)),
        };
        let other = other.filter(|other| one.as_ref() != Some(other));
        one.into_iter().chain(other)
    }
}

/// Groups by server, name, client or process.
#[derive(Debug, Default, Clone)]
pub(super) struct Groups(pub(super) BTreeMap<String, Group>);

/// Handshakes that belong together.
#[derive(Debug, Default, Clone)]
pub(super) struct Group {
    pub(super) classes: Classes,
    causes: BTreeMap<&'static str, u64>,
    times: Times,
    pub(super) last: Timestamp,
}

impl Groups {
    /// Takes a handshake that is over. Beyond the bound, the group that was quiet for longest gives way.
    pub(super) fn take(&mut self, by: By, handshake: &Handshake<'_>) {
        by.keys(handshake).for_each(|key| self.add(key, handshake));
    }

    fn add(&mut self, key: String, handshake: &Handshake<'_>) {
        if self.0.len() >= GROUPS
            && !self.0.contains_key(&key)
            && let Some(quiet) = self.0.iter().min_by_key(|(_, group)| group.last).map(|(key, _)| key.clone())
        {
            self.0.remove(&quiet);
        }
        let group = self.0.entry(key).or_default();
        let class = handshake.class();
        group.classes.add(class);
        group.last = group.last.max(handshake.handshake.end);
        if class.is_problem() {
            *group.causes.entry(view::cause(handshake)).or_default() += 1;
        }
        if class != Class::Failed {
            group.times.take(handshake, TIMES_OF_ONE);
        }
    }
}

impl Group {
    pub(super) fn failed(&self) -> u64 {
        self.classes.of_those(Class::is_failure)
    }

    pub(super) fn median(&self) -> Option<u64> {
        self.times.percentile(50)
    }

    /// The most frequent cause.
    pub(super) fn cause(&self) -> Option<&'static str> {
        self.causes.iter().max_by_key(|(cause, count)| (**count, std::cmp::Reverse(*cause))).map(|(cause, _)| *cause)
    }
}

/// Servers, names, clients and processes told apart, of each.
const GROUPS: usize = 1000;
/// Times from which percentiles are taken.
const TIMES: usize = 4096;
const TIMES_OF_ONE: usize = 64;
/// Seconds of history.
const SECONDS: i64 = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn seconds_are_counted_and_forgotten() {
        let mut totals = Totals::default();
        totals.take(&samples::expired(0), Timestamp::from_parts(100, 0));
        totals.second(Timestamp::from_parts(103, 0));
        assert_eq!(totals.seconds.iter().map(|second| second.failed).collect::<Vec<_>>(), [1, 0, 0, 0]);
        totals.second(Timestamp::from_parts(100_000, 0));
        assert_eq!(totals.seconds.len(), 240);
        // A clock that steps back does no harm.
        totals.take(&samples::expired(1), Timestamp::from_parts(5, 0));
        assert_eq!(totals.classes.total(), 2);
    }

    #[test]
    fn a_handshake_belongs_to_the_processes_of_both_ends_once_each() {
        let keys = |handshake: &Handshake<'_>| By::Process.keys(handshake).collect::<Vec<_>>();
        let mut handshake = samples::completed();
        assert_eq!(keys(&handshake), [""; 0]);
        let mut bare = samples::owner();
        (bare.container, bare.pod) = (None, None);
        handshake.owners.client = Some(std::sync::Arc::new(bare.clone()));
        handshake.owners.server = Some(std::sync::Arc::new(samples::owner()));
        assert_eq!(keys(&handshake), ["curl", "curl (pod shop/web-0)"]);
        handshake.owners.server = Some(std::sync::Arc::new(bare));
        assert_eq!(keys(&handshake), ["curl"]);
    }

    #[test]
    fn groups_are_bounded_and_the_quiet_ones_go() {
        let mut groups = Groups::default();
        for n in 0..1_100_u32 {
            let mut report = samples::named(&format!("Host{n}.test"));
            report.handshake.end = Timestamp::from_parts(i64::from(n), 0);
            groups.take(By::Name, &report);
        }
        assert_eq!(groups.0.len(), GROUPS);
        assert!(!groups.0.contains_key("host99.test") && groups.0.contains_key("host100.test"));
        let group = &groups.0["host1099.test"];
        assert_eq!((group.failed(), group.cause(), group.median()), (1, Some("certificate-expired"), None));
    }
}
