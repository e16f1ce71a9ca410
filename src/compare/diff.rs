//! What changed between two captures.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::tally::{CountsByName, Service, Tally};
use crate::report::{Certificate, Class, Classes};
use crate::time::Timestamp;
use crate::wording::counted;

/// The differences between two captures.
#[derive(Debug, Serialize)]
pub struct Differences {
    /// `handshark-diff/2`.
    pub schema: &'static str,
    /// The first capture.
    pub before: Head,
    /// The second.
    pub after: Head,
    /// What changed over all services together: rate of failures, and time.
    pub overall: Vec<Change>,
    /// Services that changed, the gravest first.
    pub services: Vec<ServiceChange>,
    /// Services that did not.
    pub unchanged: usize,
}

/// A capture.
#[derive(Debug, Serialize)]
pub struct Head {
    /// Its inputs.
    pub sources: Vec<String>,
    /// Its first frame's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<Timestamp>,
    /// Its last frame's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<Timestamp>,
    /// Its handshakes.
    pub classes: Classes,
}

/// A service that changed.
#[derive(Debug, Serialize)]
pub struct ServiceChange {
    /// The name asked for, or `address:port`.
    pub service: String,
    /// Its handshakes in the first capture; absent where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Classes>,
    /// The same of the second capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Classes>,
    /// What changed, the gravest first.
    pub changes: Vec<Change>,
}

/// Something that changed.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Change {
    /// What: `service`, `failures`, `cause`, `certificate`, `address`, `version`, `cipher`, `group`, `protocol`, `client`, `time`.
    pub what: &'static str,
    /// `worse`, `better` or `other`.
    pub direction: Direction,
    /// One sentence.
    pub text: String,
}

/// Whether a change is for the worse.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More fails, or it takes longer.
    Worse,
    /// Neither good nor bad in itself.
    Other,
    /// Less fails, or it takes less time.
    Better,
}

/// Compares two captures.
pub fn compare(before: &Tally, after: &Tally) -> Differences {
    let names: BTreeSet<&String> = before.services.keys().chain(after.services.keys()).collect();
    let mut unchanged = 0;
    let mut services: Vec<ServiceChange> = names
        .into_iter()
        .filter_map(|name| {
            let sides = [before, after].map(|side| side.services.get(name));
            let mut changes = match sides {
                [Some(before), Some(after)] => service(before, after),
                [Some(_), None] => {
                    vec![Change { what: "service", direction: Direction::Other, text: "no longer requested".into() }]
                }
                [None, Some(after)] => appeared(after),
                [None, None] => Vec::new(),
            };
            changes.sort_by_key(|change| change.direction);
            unchanged = usize::saturating_add(unchanged, usize::from(changes.is_empty()));
            let [before, after] = sides.map(|side| side.map(|side| side.classes));
            (!changes.is_empty()).then(|| ServiceChange { service: name.clone(), before, after, changes })
        })
        .collect();
    let failed = |change: &ServiceChange| change.after.map_or(0, |after| after.of_those(Class::is_failure));
    services.sort_by_key(|change| (change.changes.first().map(|first| first.direction), std::cmp::Reverse(failed(change))));
    let mut overall = Vec::new();
    failures(&before.overall, &after.overall, &mut overall);
    times(&before.overall, &after.overall, &mut overall);
    Differences { schema: "handshark-diff/2", before: head(before), after: head(after), overall, services, unchanged }
}

fn head(tally: &Tally) -> Head {
    Head {
        sources: tally.sources.clone(),
        first_time: tally.times.map(|(first, _)| first),
        last_time: tally.times.map(|(_, last)| last),
        classes: tally.overall.classes,
    }
}

fn appeared(after: &Service) -> Vec<Change> {
    let mut changes = vec![Change { what: "service", direction: Direction::Other, text: "not requested before".into() }];
    for (cause, times) in &after.causes {
        changes.push(Change {
            what: "cause",
            direction: Direction::Worse,
            text: format!("{cause}: {}", of(*times, after.classes.total())),
        });
    }
    changes
}

fn service(before: &Service, after: &Service) -> Vec<Change> {
    let mut changes = Vec::new();
    failures(before, after, &mut changes);
    causes(before, after, &mut changes);
    certificates(before, after, &mut changes);
    let mut values = |what, before: &CountsByName, after: &CountsByName| {
        if let Some(text) = shifted(before, after) {
            changes.push(Change { what, direction: Direction::Other, text });
        }
    };
    values("address", &before.addresses, &after.addresses);
    values("version", &before.versions, &after.versions);
    values("cipher", &before.ciphers, &after.ciphers);
    values("group", &before.groups, &after.groups);
    values("protocol", &before.protocols, &after.protocols);
    clients(before, after, &mut changes);
    times(before, after, &mut changes);
    changes
}

fn failures(before: &Service, after: &Service, changes: &mut Vec<Change>) {
    let rate = |service: &Service| (service.classes.of_those(Class::is_failure), service.classes.of_those(Class::is_decided));
    let (was, now) = (rate(before), rate(after));
    if was.1 == 0 || now.1 == 0 || !differs(was, now) {
        return;
    }
    let worse = more_often(now, was);
    let direction = if worse { Direction::Worse } else { Direction::Better };
    let word = match (worse, was.0, now.0) {
        (true, 0, failed) if failed == now.1 => "now always fails",
        (true, 0, _) => "now fails",
        (true, ..) => "fails more often",
        (false, _, 0) => "no longer fails",
        (false, ..) => "fails less often",
    };
    changes.push(Change { what: "failures", direction, text: format!("{word}: {} (was {})", of(now.0, now.1), of(was.0, was.1)) });
}

/// So many of all are a larger share than so many of all.
fn more_often(now: (u64, u64), was: (u64, u64)) -> bool {
    let product = |one: u64, other: u64| u128::from(one).saturating_mul(u128::from(other));
    product(now.0, was.1) > product(was.0, now.1)
}

fn causes(before: &Service, after: &Service, changes: &mut Vec<Change>) {
    let (all_before, all_after) = (before.classes.total(), after.classes.total());
    for (cause, now) in &after.causes {
        let was = before.causes.get(cause).copied().unwrap_or_default();
        if was == 0 {
            let text = format!("{cause}: {} (was never)", of(*now, all_after));
            changes.push(Change { what: "cause", direction: Direction::Worse, text });
        } else if differs((was, all_before), (*now, all_after)) {
            let direction = if more_often((*now, all_after), (was, all_before)) { Direction::Worse } else { Direction::Better };
            changes.push(Change {
                what: "cause",
                direction,
                text: format!("{cause}: {} (was {})", of(*now, all_after), of(was, all_before)),
            });
        }
    }
    for (cause, was) in before.causes.iter().filter(|(cause, _)| !after.causes.contains_key(*cause)) {
        let text = format!("{cause}: no longer (was {})", of(*was, all_before));
        changes.push(Change { what: "cause", direction: Direction::Better, text });
    }
}

fn certificates(before: &Service, after: &Service, changes: &mut Vec<Change>) {
    if before.certificates.is_empty() || after.certificates.is_empty() {
        return;
    }
    let gone: Vec<_> = before.certificates.values().filter(|leaf| !after.certificates.contains_key(&leaf.sha256)).collect();
    let new: Vec<_> = after.certificates.values().filter(|leaf| !before.certificates.contains_key(&leaf.sha256)).collect();
    for leaf in &new {
        let old = gone.first().copied().or_else(|| before.certificates.values().next());
        let text = match old {
            Some(old) if !gone.is_empty() => {
                format!("new certificate: {}; was: {}", described(leaf, Some(old)), described(old, Some(leaf)))
            }
            old => format!("additional certificate: {}", described(leaf, old.map(Arc::as_ref))),
        };
        changes.push(Change { what: "certificate", direction: Direction::Other, text });
    }
    if new.is_empty() {
        for leaf in gone {
            let text = format!("certificate no longer served: {}", described(leaf, None));
            changes.push(Change { what: "certificate", direction: Direction::Other, text });
        }
    }
}

/// A certificate; beside another, only what differs.
fn described(leaf: &Certificate, beside: Option<&Certificate>) -> String {
    let mut parts = Vec::new();
    let differs = |field: fn(&Certificate) -> &str| beside.is_none_or(|other| field(other) != field(leaf));
    if differs(|leaf| &leaf.subject) {
        parts.push(leaf.subject.clone());
    }
    if differs(|leaf| &leaf.issuer) {
        parts.push(format!("issued by {}", leaf.issuer));
    }
    parts.push(format!("valid {} to {}", leaf.not_before.day(), leaf.not_after.day()));
    if differs(|leaf| &leaf.key) {
        parts.push(leaf.key.clone());
    }
    let digest: String = leaf.fingerprint().chars().take(12).collect();
    parts.push(format!("SHA-256 {digest}…"));
    parts.join(", ")
}

fn clients(before: &Service, after: &Service, changes: &mut Vec<Change>) {
    for (client, failed) in &after.failing_clients {
        let (all, was) = (after.clients.get(client).copied().unwrap_or_default(), before.clients.get(client).copied().unwrap_or_default());
        if was == 0 && *failed == all {
            let text = format!(
                "clients with the fingerprint {client} are new, and every handshake of theirs fails ({})",
                counted(all, "handshake", "handshakes")
            );
            changes.push(Change { what: "client", direction: Direction::Worse, text });
        }
    }
    if let Some(text) = shifted(&before.clients, &after.clients) {
        changes.push(Change { what: "client", direction: Direction::Other, text });
    }
}

fn times(before: &Service, after: &Service, changes: &mut Vec<Change>) {
    for (what, was, now) in
        [("a handshake takes", &before.totals, &after.totals), ("server processing takes", &before.thinks, &after.thinks)]
    {
        let (Some(was_median), Some(now_median)) = (median(was), median(now)) else { continue };
        if was.len().min(now.len()) < SAMPLES || was_median.abs_diff(now_median) < LEAST_US {
            continue;
        }
        let (low, high) = (was_median.min(now_median), was_median.max(now_median));
        if high < low.saturating_add(low / 2) {
            continue;
        }
        let direction = if now_median > was_median { Direction::Worse } else { Direction::Better };
        let ms = |us: u64| format!("{}.{} ms", us / 1000, us % 1000 / 100);
        let text = format!("{what} {} (median, was {})", ms(now_median), ms(was_median));
        changes.push(Change { what: "time", direction, text });
    }
}

fn median(sorted: &[u64]) -> Option<u64> {
    sorted.get(sorted.len() / 2).copied()
}

/// What came and what went, of values such as versions.
fn shifted(before: &CountsByName, after: &CountsByName) -> Option<String> {
    let (all_before, all_after) = (before.values().sum::<u64>(), after.values().sum::<u64>());
    if all_before == 0 || all_after == 0 {
        return None;
    }
    let disjoint = !after.keys().any(|value| before.contains_key(value));
    let share = |counts: &CountsByName, value: &str| counts.get(value).copied().unwrap_or_default();
    let values: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let parts: Vec<String> = values
        .into_iter()
        .filter_map(|value| {
            let (was, now) = ((share(before, value), all_before), (share(after, value), all_after));
            if !(disjoint || differs(was, now)) {
                return None;
            }
            Some(match (was.0, now.0) {
                (0, _) => format!("{value}: new, {}", of(now.0, now.1)),
                (_, 0) => format!("{value}: no longer used (was {})", of(was.0, was.1)),
                _ => format!("{value}: {} (was {})", of(now.0, now.1), of(was.0, was.1)),
            })
        })
        .collect();
    let more = parts.len().saturating_sub(SHOWN);
    let shown = parts.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    (!shown.is_empty()).then(|| if more > 0 { format!("{shown}; and {more} more") } else { shown })
}

#[allow(clippy::cast_precision_loss, reason = "counts of handshakes are far below 2^52")]
/// Whether two shares differ by more than chance: a twentieth and three standard errors, or all against none.
fn differs(was: (u64, u64), now: (u64, u64)) -> bool {
    let share = |(part, all): (u64, u64)| part as f64 / all.max(1) as f64;
    let (p, q) = (share(was), share(now));
    // One that was never there would have been seen about so often, were it as frequent as on the other side.
    if (was.0 == 0 && q * was.1 as f64 >= EXPECTED) || (now.0 == 0 && p * now.1 as f64 >= EXPECTED) {
        return true;
    }
    let all_or_none = |share: f64| share <= 0.0 || share >= 1.0;
    if all_or_none(p) && all_or_none(q) {
        return (p - q).abs() > 0.5;
    }
    let pooled = (was.0 as f64 + now.0 as f64) / (was.1 as f64 + now.1 as f64).max(1.0);
    let error = (pooled * (1.0 - pooled) * (1.0 / was.1.max(1) as f64 + 1.0 / now.1.max(1) as f64)).sqrt();
    (p - q).abs() >= 0.05 && (p - q).abs() > 3.0 * error
}

fn of(part: u64, all: u64) -> String {
    match (part, all) {
        (_, 0) => "none".to_owned(),
        (0, all) => format!("none of {all}"),
        (part, all) if part == all && all > 1 => format!("all {all}"),
        (part, all) => format!("{part} of {all}{}", percent(part, all)),
    }
}

fn percent(part: u64, all: u64) -> String {
    if all < 10 {
        String::new()
    } else {
        format!(", {} %", part.saturating_mul(200).saturating_add(all).checked_div(all.saturating_mul(2)).unwrap_or_default())
    }
}

/// What is expected so often and never seen is not there: the odds are one in fifty.
const EXPECTED: f64 = 4.0;
/// Samples below which a median says nothing.
const SAMPLES: usize = 5;
/// Differences in time that nobody minds, in microseconds.
const LEAST_US: u64 = 5_000;
/// Values named in one sentence.
const SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cause, Handshake, Outcome, Sink as _, TlsServer, samples};

    fn report(name: &str, cause: Option<Cause>, certificate: &str, total_us: u64) -> Handshake<'static> {
        let mut report = samples::named(name);
        report.handshake.outcome = if cause.is_some() { Outcome::Alerted } else { Outcome::Completed };
        report.handshake.timing.total_us = Some(total_us);
        report.diagnosis.cause = cause;
        let mut sha256 = [0; 32];
        sha256[..certificate.len()].copy_from_slice(certificate.as_bytes());
        let certificate = Certificate { sha256, ..Certificate::default() };
        report.tls.as_mut().unwrap().server = Some(TlsServer { certificates: vec![Arc::new(certificate)], ..TlsServer::default() });
        report
    }

    fn tally(reports: &[Handshake<'_>]) -> Tally {
        let mut tally = Tally::default();
        for report in reports {
            tally.handshake(report).unwrap();
        }
        tally.end(&crate::report::Summary::default());
        tally
    }

    fn whats(differences: &Differences) -> Vec<(&str, Direction)> {
        differences.services.iter().flat_map(|service| &service.changes).map(|change| (change.what, change.direction)).collect()
    }

    #[test]
    fn the_same_is_no_difference() {
        let same = || tally(&vec![report("a.test", None, "c1", 10_000); 20]);
        let differences = compare(&same(), &same());
        assert!(differences.services.is_empty() && differences.overall.is_empty());
        assert_eq!(differences.unchanged, 1);
    }

    #[test]
    fn one_handshake_each_is_enough_for_it_worked_yesterday() {
        let before = tally(&[report("a.test", None, "c1", 10_000)]);
        let after = tally(&[report("A.TEST", Some(Cause::CertificateExpired), "c2", 10_000)]);
        let differences = compare(&before, &after);
        assert_eq!(whats(&differences), [("failures", Direction::Worse), ("cause", Direction::Worse), ("certificate", Direction::Other)]);
        assert_eq!(differences.services[0].changes[0].text, "now always fails: 1 of 1 (was none of 1)");
    }

    #[test]
    fn chance_is_no_difference() {
        let of = |failed: usize| {
            let reports: Vec<_> = (0..50).map(|at| report("a.test", (at < failed).then_some(Cause::ServerSlow), "c1", 10_000)).collect();
            tally(&reports)
        };
        assert!(compare(&of(10), &of(13)).services.is_empty());
        assert_eq!(whats(&compare(&of(10), &of(40))).first(), Some(&("failures", Direction::Worse)));
        assert_eq!(whats(&compare(&of(40), &of(10))).first(), Some(&("failures", Direction::Better)));
    }

    #[test]
    fn slower_is_worse_when_it_is_half_as_much_again() {
        let of = |us| tally(&vec![report("a.test", None, "c1", us); 9]);
        assert!(compare(&of(100_000), &of(140_000)).services.is_empty());
        assert_eq!(whats(&compare(&of(100_000), &of(200_000))), [("time", Direction::Worse)]);
        assert!(compare(&of(1_000), &of(4_000)).services.is_empty(), "nobody minds three milliseconds");
    }

    #[test]
    fn services_come_and_go() {
        let differences = compare(&tally(&[report("a.test", None, "c1", 1)]), &tally(&[report("b.test", None, "c1", 1)]));
        assert_eq!(whats(&differences), [("service", Direction::Other), ("service", Direction::Other)]);
    }
}
