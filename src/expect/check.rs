//! Whether it is as expected.

use std::collections::BTreeMap;

use serde::Serialize;

use super::What;
use super::file::{Expectations, Service};
use crate::report::{CipherSuite, Class, Endpoint, NamedGroup, ProtocolVersion, Sighting, Timestamp};

/// Holds sightings against expectations.
#[derive(Debug)]
pub struct Checker {
    expectations: Expectations,
    services: Vec<Seen>,
    others: Violations,
    handshakes: u64,
}

/// What was seen of a service.
#[derive(Debug, Default)]
struct Seen {
    handshakes: u64,
    decided: u64,
    failed: u64,
    observed: BTreeMap<What, u64>,
    violations: BTreeMap<What, Violations>,
    failures: Vec<Example>,
}

/// What was found in place of what was expected.
type Violations = BTreeMap<String, Found>;

/// Something that was found and not expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What.
    pub found: String,
    /// In how many handshakes.
    pub handshakes: u64,
    /// The first few of them.
    pub examples: Vec<Example>,
}

/// A handshake that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Its id, for `handshark show`.
    pub id: String,
    /// When it began.
    pub start: Timestamp,
    /// The client.
    pub client: String,
    /// The server.
    pub server: String,
    /// The file.
    pub source: String,
    /// Its first frame there.
    pub first_frame: u64,
    /// Its last frame.
    pub last_frame: u64,
}

/// What came out.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// `handshark-expect/1`.
    pub schema: &'static str,
    /// Whether everything is as expected.
    pub as_expected: bool,
    /// Handshakes that were held against the file.
    pub handshakes: u64,
    /// Services in the file's order.
    pub services: Vec<ServiceResult>,
    /// Services that no entry describes.
    pub other_services: Vec<Found>,
    /// Those are differences.
    pub other_services_fail: bool,
}

/// A service, and what came out.
#[derive(Debug, Serialize)]
pub struct ServiceResult {
    /// As the file names it.
    pub service: String,
    /// Its handshakes.
    pub handshakes: u64,
    /// What was expected, one by one.
    pub checks: Vec<CheckResult>,
}

/// Something expected, and what came out.
#[derive(Debug, Serialize)]
pub struct CheckResult {
    /// Its key in the file.
    pub what: &'static str,
    /// What was expected.
    pub expected: String,
    /// Whether it holds.
    pub status: Status,
    /// It makes the whole fail.
    pub fails: bool,
    /// Handshakes that show whether it holds.
    pub observed: u64,
    /// What was found in its place.
    pub differences: Vec<Found>,
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was observed, and is so.
    Holds,
    /// It was observed, and is not so.
    Differs,
    /// Nothing was seen that would show it.
    NotObserved,
}

impl Checker {
    /// One that has seen nothing yet.
    pub fn new(expectations: Expectations) -> Self {
        let services = expectations.services.iter().map(|_| Seen::default()).collect();
        Self { expectations, services, others: Violations::new(), handshakes: 0 }
    }

    /// Takes a handshake. Probes and what is still under way say nothing.
    pub fn add(&mut self, seen: &Sighting) {
        if seen.provisional || seen.class == Class::Probe {
            return;
        }
        self.handshakes = self.handshakes.saturating_add(1);
        let mut described = false;
        for (service, state) in self.expectations.services.iter().zip(&mut self.services) {
            if service.is_of(seen) {
                described = true;
                state.add(service, seen);
            }
        }
        if !described {
            let place = seen.name.clone().unwrap_or_else(|| seen.server.to_string());
            violated(&mut self.others, place, seen);
        }
    }

    /// What came out.
    pub fn outcome(self) -> Outcome {
        let Expectations { unobserved_fails, other_services_fail, services } = self.expectations;
        let services: Vec<ServiceResult> =
            services.iter().zip(self.services).map(|(service, state)| state.result(service, unobserved_fails)).collect();
        let other_services: Vec<Found> = self.others.into_values().collect();
        let differs = services.iter().flat_map(|service| &service.checks).any(|check| check.fails);
        let as_expected = !differs && (!other_services_fail || other_services.is_empty());
        Outcome { schema: "handshark-expect/1", as_expected, handshakes: self.handshakes, services, other_services, other_services_fail }
    }
}

impl Seen {
    fn add(&mut self, service: &Service, seen: &Sighting) {
        self.handshakes = self.handshakes.saturating_add(1);
        if seen.class.is_decided() {
            self.decided = self.decided.saturating_add(1);
        }
        if seen.class.is_failure() {
            self.failed = self.failed.saturating_add(1);
            if self.failures.len() < EXAMPLES {
                self.failures.push(Example::of(seen));
            }
        }
        if let (Some(causes), true) = (&service.causes, seen.class != Class::Undecided) {
            let found = seen.cause.filter(|cause| !causes.contains(cause)).map(|cause| cause.slug().to_owned());
            self.check(What::Causes, found, seen);
        }
        let leaf = seen.server_certificates.first();
        if let (Some(issuers), Some(leaf)) = (&service.issuers, leaf) {
            let fits = issuers.iter().any(|(_, pattern)| pattern.matches(&leaf.issuer));
            self.check(What::Issuers, (!fits).then(|| leaf.issuer.clone()), seen);
        }
        if let (Some(days), Some(leaf)) = (service.days_to_expiry, leaf) {
            let left = leaf.not_after.since(seen.start).as_secs() / 86_400;
            let expired = leaf.not_after < seen.start;
            let found = if expired {
                Some(format!("{} had expired on {}", leaf.subject, leaf.not_after.day()))
            } else {
                (left < days).then(|| {
                    format!("{} expires on {}, in {}", leaf.subject, leaf.not_after.day(), crate::wording::counted(left, "day", "days"))
                })
            };
            self.check(What::DaysToExpiry, found, seen);
        }
        if !seen.completed() {
            return;
        }
        if let (Some(expected), Some(version)) = (&service.versions, seen.version) {
            self.check(What::Versions, other(expected, version), seen);
        }
        if let (Some(expected), Some(group)) = (&service.groups, seen.group) {
            self.check(What::Groups, other(expected, group), seen);
        }
        if let (Some(expected), Some(cipher)) = (&service.ciphers, seen.cipher) {
            self.check(What::Ciphers, other(expected, cipher), seen);
        }
    }

    /// Notes that something was observed, and what was found where it is not as expected.
    fn check(&mut self, what: What, found: Option<String>, seen: &Sighting) {
        let observed = self.observed.entry(what).or_default();
        *observed = observed.saturating_add(1);
        if let Some(found) = found {
            violated(self.violations.entry(what).or_default(), found, seen);
        }
    }

    fn result(mut self, service: &Service, unobserved_fails: bool) -> ServiceResult {
        let mut checks = Vec::new();
        let mut put = |what: What, expected: String, observed: u64, differences: Vec<Found>| {
            let status = match (observed, differences.is_empty()) {
                (_, false) => Status::Differs,
                (0, true) => Status::NotObserved,
                (_, true) => Status::Holds,
            };
            let fails = status == Status::Differs || (status == Status::NotObserved && unobserved_fails);
            checks.push(CheckResult { what: what.key(), expected, status, fails, observed, differences });
        };
        let handshakes = self.handshakes;
        if let Some(least) = service.handshakes {
            let found = format!("{} seen", crate::wording::counted(handshakes, "handshake was", "handshakes were"));
            let differences = if handshakes < least { vec![Found { found, handshakes, examples: Vec::new() }] } else { Vec::new() };
            put(What::Handshakes, format!("at least {least}"), handshakes.max(1), differences);
        }
        for (what, expected) in [
            (What::Versions, service.versions.as_ref().map(|list| words(list.iter()))),
            (What::Groups, service.groups.as_ref().map(|list| words(list.iter()))),
            (What::Ciphers, service.ciphers.as_ref().map(|list| words(list.iter()))),
            (What::Issuers, service.issuers.as_ref().map(|list| words(list.iter().map(|(text, _)| text)))),
            (What::DaysToExpiry, service.days_to_expiry.map(|days| format!("at least {days}"))),
            (What::Causes, service.causes.as_ref().map(|list| if list.is_empty() { "none".to_owned() } else { words(list.iter()) })),
        ] {
            let Some(expected) = expected else { continue };
            let differences = self.violations.remove(&what).unwrap_or_default().into_values().collect();
            put(what, expected, self.observed.get(&what).copied().unwrap_or_default(), differences);
        }
        if let Some(most) = service.failure_rate {
            let (failed, decided) = (self.failed, self.decided);
            let found = format!("{failed} of {decided} failed, {}", percent(failed, decided));
            let beyond = rate(failed, decided) > most;
            let differences = if beyond { vec![Found { found, handshakes: failed, examples: self.failures }] } else { Vec::new() };
            put(What::FailureRate, format!("at most {}", shown_share(most)), decided, differences);
        }
        ServiceResult { service: service.label.clone(), handshakes, checks }
    }
}

impl Example {
    fn of(seen: &Sighting) -> Self {
        Self {
            id: seen.id.clone(),
            start: seen.start,
            client: text(seen.client),
            server: text(seen.server),
            source: seen.source.clone(),
            first_frame: seen.frames.0,
            last_frame: seen.frames.1,
        }
    }
}

fn text(endpoint: Endpoint) -> String {
    endpoint.to_string()
}

/// What is not among those expected.
fn other<T: Copy + PartialEq + Named>(expected: &[T], found: T) -> Option<String> {
    (!expected.contains(&found)).then(|| found.named())
}

/// How a value is told.
trait Named {
    fn named(self) -> String;
}

impl Named for ProtocolVersion {
    fn named(self) -> String {
        self.spoken().to_string()
    }
}

impl Named for NamedGroup {
    fn named(self) -> String {
        self.to_string()
    }
}

impl Named for CipherSuite {
    fn named(self) -> String {
        self.to_string()
    }
}

fn words<T: ToString>(list: impl Iterator<Item = T>) -> String {
    list.map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

fn violated(violations: &mut Violations, found: String, seen: &Sighting) {
    // What there is no room for counts under one name: more kinds of difference tell nothing new.
    let found = if violations.len() < KINDS || violations.contains_key(&found) { found } else { "others".to_owned() };
    let entry = violations.entry(found.clone()).or_insert_with(|| Found { found, handshakes: 0, examples: Vec::new() });
    entry.handshakes = entry.handshakes.saturating_add(1);
    if entry.examples.len() < EXAMPLES {
        entry.examples.push(Example::of(seen));
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of handshakes are far below 2^52")]
pub(super) fn rate(failed: u64, decided: u64) -> f64 {
    failed as f64 / decided.max(1) as f64
}

fn percent(part: u64, all: u64) -> String {
    shown_share(rate(part, all))
}

fn shown_share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Kinds of a difference told apart for one expectation.
const KINDS: usize = 64;
/// Handshakes named with each.
const EXAMPLES: usize = 3;
