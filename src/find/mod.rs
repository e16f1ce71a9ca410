//! Beside the floors: which handshakes a reader asked for. Reports go in, yes or no comes out.
//!
//! - `peers`: addresses, ports and networks; `moment`: times as people write them; `expression`: the language of `--where`;
//! - `related`: which incidents belong to what was asked for.
//!
//! Invariant: finding judges by the report alone, so that whatever it finds can be found again in a saved report.

#[cfg_attr(not(feature = "where"), path = "no_expression.rs")]
mod expression;
mod moment;
mod peers;
mod related;

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};

pub use self::expression::{Expression, Mistake};
pub use self::moment::When;
pub use self::peers::PeerPattern;
pub use self::related::Related;

use crate::flow::Endpoint;
use serde_json::Value;

use crate::report::{Cause, Class, Handshake, Outcome, Sighting};
use crate::time::Timestamp;

/// What is asked for: a handshake must meet every criterion that is set, and of each criterion one of its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criteria {
    /// Begun at or after.
    pub since: Option<When>,
    /// Begun before.
    pub until: Option<When>,
    /// Servers.
    pub servers: Vec<PeerPattern>,
    /// Clients.
    pub clients: Vec<PeerPattern>,
    /// Names that clients asked for.
    pub names: Vec<NamePattern>,
    /// Classes; a handshake of one of these or with one of the outcomes is taken.
    pub classes: BTreeSet<Class>,
    /// Outcomes.
    pub outcomes: BTreeSet<Outcome>,
    /// Causes.
    pub causes: BTreeSet<Cause>,
    /// An expression over the report's fields.
    pub expression: Option<Expression>,
}

impl Criteria {
    /// Whether nothing is asked for in particular.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn outcome_words(&self) -> Vec<String> {
        sorted(self.outcomes.iter().map(|outcome| outcome.name()).chain(self.classes.iter().map(|class| class.name())))
    }

    /// What is asked for, in words.
    pub fn told(&self) -> Vec<String> {
        let list = |word: &str, values: Vec<String>| (!values.is_empty()).then(|| format!("{word} {}", values.join(" or ")));
        let all = [
            self.since.as_ref().map(|when| format!("begun since {when}")),
            self.until.as_ref().map(|when| format!("begun before {when}")),
            list("server", self.servers.iter().map(ToString::to_string).collect()),
            list("client", self.clients.iter().map(ToString::to_string).collect()),
            list("name", self.names.iter().map(|name| name.text.clone()).collect()),
            list("outcome", self.outcome_words()),
            list("cause", sorted(self.causes.iter().map(|cause| cause.slug()))),
            self.expression.as_ref().map(|expression| format!("where {expression}")),
        ];
        all.into_iter().flatten().collect()
    }
}

fn sorted(words: impl Iterator<Item = &'static str>) -> Vec<String> {
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.sort_unstable();
    words
}

/// A glob over server names, without regard to case: `*.bank.test`, `api-??.example.com`. A star stands for dots as well.
#[derive(Debug, Clone)]
pub struct NamePattern {
    text: String,
    glob: GlobMatcher,
}

impl NamePattern {
    /// Reads a glob. The error says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(text).case_insensitive(true).backslash_escape(true).build();
        let glob = glob.map_err(|error| format!("{text:?} is not a pattern for names: {}", error.kind()))?;
        Ok(Self { text: text.to_owned(), glob: glob.compile_matcher() })
    }

    /// Whether it stands for this name.
    pub fn matches(&self, name: &str) -> bool {
        self.glob.is_match(name.trim_end_matches('.'))
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What criteria look at.
struct Looked<'a> {
    start: Timestamp,
    server: Endpoint,
    client: Endpoint,
    name: Option<&'a str>,
    outcome: Outcome,
    class: Class,
    cause: Option<Cause>,
}

/// Sorts handshakes into those asked for and the others.
#[derive(Debug)]
pub struct Filter {
    criteria: Criteria,
    /// The bounds, once the capture's beginning is known.
    bounds: Option<(Option<Timestamp>, Option<Timestamp>)>,
    /// Handshakes that the expression could not be applied to, and why the first could not.
    beyond: Option<(u64, String)>,
}

impl Filter {
    /// A filter for these criteria.
    pub const fn new(criteria: Criteria) -> Self {
        Self { criteria, bounds: None, beyond: None }
    }

    /// Whether it takes a handshake. `begin` is the capture's first moment, on which bounds such as `14:05` and `+10m` rest.
    pub fn takes(&mut self, report: &Handshake<'_>, begin: Option<Timestamp>) -> bool {
        let looked = Looked {
            start: report.handshake.start,
            server: report.server,
            client: report.client,
            name: report.server_name(),
            outcome: report.handshake.outcome,
            class: report.class(),
            cause: report.diagnosis.cause,
        };
        self.takes_looked(&looked, begin, |expression| expression.takes(report))
    }

    /// The same of a handshake that was written as `row`.
    pub fn takes_row(&mut self, seen: &Sighting, row: &Value, begin: Option<Timestamp>) -> bool {
        let looked = Looked {
            start: seen.start,
            server: seen.server,
            client: seen.client,
            name: seen.name.as_deref(),
            outcome: seen.outcome,
            class: seen.class,
            cause: seen.cause,
        };
        self.takes_looked(&looked, begin, |expression| expression.takes_row(row))
    }

    fn takes_looked(
        &mut self,
        looked: &Looked<'_>,
        begin: Option<Timestamp>,
        holds: impl FnOnce(&Expression) -> Result<bool, String>,
    ) -> bool {
        let criteria = &self.criteria;
        let (since, until) = *self.bounds.get_or_insert_with(|| {
            let bound = |when: &Option<When>| when.as_ref().map(|when| when.resolve(begin.unwrap_or_default()));
            (bound(&criteria.since), bound(&criteria.until))
        });
        let start = looked.start;
        if since.is_some_and(|since| start < since) || until.is_some_and(|until| start >= until) {
            return false;
        }
        let any = |patterns: &[PeerPattern], peer: Endpoint| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(peer));
        if !any(&criteria.servers, looked.server) || !any(&criteria.clients, looked.client) {
            return false;
        }
        if !criteria.names.is_empty() && !looked.name.is_some_and(|name| criteria.names.iter().any(|pattern| pattern.matches(name))) {
            return false;
        }
        let by_outcome = !criteria.outcomes.is_empty() || !criteria.classes.is_empty();
        if by_outcome && !criteria.outcomes.contains(&looked.outcome) && !criteria.classes.contains(&looked.class) {
            return false;
        }
        if !criteria.causes.is_empty() && !looked.cause.is_some_and(|cause| criteria.causes.contains(&cause)) {
            return false;
        }
        match criteria.expression.as_ref().map(holds) {
            None => true,
            Some(Ok(takes)) => takes,
            Some(Err(why)) => {
                let (count, _) = self.beyond.get_or_insert((0, why));
                *count = count.saturating_add(1);
                false
            }
        }
    }

    /// What to know of bounds that name no day, in a capture that spans several: which day was meant, and how to mean another.
    pub fn of_first_day(&self, first: Timestamp, last: Timestamp) -> Option<String> {
        let bounds = [("--since", &self.criteria.since), ("--until", &self.criteria.until)];
        let mut dayless = bounds.into_iter().filter_map(|(option, when)| Some((option, when.as_ref()?.of_first_day()?)));
        let (option, (time, zone)) = dayless.next()?;
        if zone.day(first) == zone.day(last) {
            return None;
        }
        let options = match dayless.next() {
            Some(_) => "--since and --until name no day and are".to_owned(),
            None => format!("{option} names no day and is"),
        };
        let [begin, end] = [first, last].map(|at| zone.civil(at).chars().take(10).collect::<String>());
        Some(format!(
            "{options} of {begin}, the first day of the capture, which goes on to {end}. For another day, name it: {option} '{end} {time}'."
        ))
    }

    /// Handshakes that the expression could not be applied to, and why the first could not.
    pub fn beyond(&self) -> Option<(u64, &str)> {
        self.beyond.as_ref().map(|(count, why)| (*count, why.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn report(name: Option<&'static str>, outcome: Outcome) -> Handshake<'static> {
        let mut report = samples::completed();
        report.server = samples::endpoint("192.0.2.7:443");
        report.handshake.outcome = outcome;
        report.tls.as_mut().unwrap().client.as_mut().unwrap().server_name = name.map(Into::into);
        report
    }

    fn outcomes(outcome: Outcome) -> Criteria {
        Criteria { outcomes: [outcome].into(), ..Criteria::default() }
    }

    fn takes(criteria: Criteria, report: &Handshake<'_>) -> bool {
        // 2026-11-21T00:00:00Z
        Filter::new(criteria).takes(report, Some(Timestamp::from_parts(1_795_219_200, 0)))
    }

    #[test]
    fn names_are_globs_without_case() {
        let criteria = |glob| Criteria { names: vec![NamePattern::new(glob).unwrap()], ..Criteria::default() };
        let named = report(Some("Api.Bank.Test"), Outcome::Completed);
        assert!(takes(criteria("*.bank.test"), &named));
        assert!(takes(criteria("*.test"), &named), "a star stands for dots as well");
        assert!(takes(criteria("{web,api}.bank.????"), &named));
        assert!(!takes(criteria("bank.test"), &named));
        assert!(!takes(criteria("*"), &report(None, Outcome::Completed)), "no name was asked for");
        assert!(NamePattern::new("[a").is_err());
    }

    #[test]
    fn failed_stands_for_all_failures() {
        let failed = Criteria { classes: [Class::Failed].into(), ..Criteria::default() };
        let of = |outcome| report(None, outcome);
        assert!(takes(failed.clone(), &of(Outcome::Stalled)) && takes(failed.clone(), &of(Outcome::Plaintext)));
        assert!(!takes(failed.clone(), &of(Outcome::Completed)) && !takes(failed.clone(), &of(Outcome::Incomplete)));
        assert!(takes(outcomes(Outcome::Reset), &of(Outcome::Reset)) && !takes(outcomes(Outcome::Reset), &of(Outcome::Closed)));
        let mut probe = of(Outcome::Closed);
        probe.diagnosis.cause = Some(Cause::TcpProbe);
        assert!(!takes(failed, &probe) && takes(outcomes(Outcome::Closed), &probe), "no handshake was wanted");
    }

    #[test]
    fn what_is_asked_for_is_told() {
        assert_eq!(Criteria::default().told(), Vec::<String>::new());
        let criteria = Criteria {
            since: Some("09:00".parse().unwrap()),
            until: Some("+10m".parse().unwrap()),
            servers: vec!["10.0.0.0/8:443".parse().unwrap(), "[2001:db8::1]:443".parse().unwrap(), ":8443".parse().unwrap()],
            clients: vec!["192.0.2.1".parse().unwrap()],
            names: vec![NamePattern::new("*.bank.test").unwrap()],
            classes: [Class::Failed].into(),
            expression: Some(Expression::new("timeline.exists(t, t.kind == 'rst')").unwrap()),
            ..Criteria::default()
        };
        let expected = [
            "begun since 09:00:00 UTC of the first day",
            "begun before 600 s after the beginning",
            "server 10.0.0.0/8:443 or [2001:db8::1]:443 or :8443",
            "client 192.0.2.1",
            "name *.bank.test",
            "outcome failed",
            "where timeline.exists(t, t.kind == 'rst')",
        ];
        assert_eq!(criteria.told(), expected);
    }

    #[test]
    fn a_time_without_a_day_says_which_day_it_was_taken_for() {
        let bounds = |since: &str, until: Option<&str>| {
            Filter::new(Criteria {
                since: Some(since.parse().unwrap()),
                until: until.map(|until| until.parse().unwrap()),
                ..Criteria::default()
            })
        };
        // 2026-11-21T00:00:00Z, and two days later.
        let (first, last) = (Timestamp::from_parts(1_795_219_200, 0), Timestamp::from_parts(1_795_392_000, 0));
        assert_eq!(
            bounds("09:00", None).of_first_day(first, last).unwrap(),
            "--since names no day and is of 2026-11-21, the first day of the capture, which goes on to 2026-11-23. For another day, name it: \
             --since '2026-11-23 09:00:00'."
        );
        assert!(
            bounds("09:00", Some("10:00")).of_first_day(first, last).unwrap().starts_with("--since and --until name no day and are of")
        );
        assert!(bounds("2026-11-22 09:00", Some("10:00")).of_first_day(first, last).unwrap().starts_with("--until names"));
        assert_eq!(bounds("09:00", None).of_first_day(first, first), None, "there is but one day");
        assert_eq!(bounds("2026-11-22", None).of_first_day(first, last), None);
    }

    #[test]
    fn since_is_inclusive_and_until_is_not() {
        let criteria = Criteria { since: Some("09:00".parse().unwrap()), until: Some("10:00".parse().unwrap()), ..Criteria::default() };
        // Nanoseconds after 2026-11-21T09:00:00Z.
        let at = |nanos: i64| {
            let mut report = report(None, Outcome::Completed);
            report.handshake.start = Timestamp::from_nanos(1_795_251_600_000_000_000 + nanos);
            takes(criteria.clone(), &report)
        };
        assert!(!at(-1) && at(0) && at(3_599_999_999_999) && !at(3_600_000_000_000));
    }

    #[test]
    fn every_criterion_must_be_met() {
        let criteria = |server: &str| Criteria { servers: vec![server.parse().unwrap()], ..outcomes(Outcome::Reset) };
        assert!(takes(criteria("192.0.2.0/24"), &report(None, Outcome::Reset)));
        assert!(!takes(criteria("192.0.2.0/24"), &report(None, Outcome::Closed)));
        assert!(!takes(criteria("192.0.2.7:8443"), &report(None, Outcome::Reset)));
    }
}
