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

use crate::report::HandshakeReport;
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
    /// Outcomes, `failed` for all that are failures.
    pub outcomes: BTreeSet<String>,
    /// Causes.
    pub causes: BTreeSet<String>,
    /// An expression over the report's fields.
    pub expression: Option<Expression>,
}

impl Criteria {
    /// Whether nothing is asked for in particular.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the expression names this object of the report.
    pub fn asks_for(&self, root: &str) -> bool {
        self.expression.as_ref().is_some_and(|expression| expression.names(root))
    }

    /// What is asked for, in words.
    pub fn told(&self) -> Vec<String> {
        let list = |word: &str, values: Vec<String>| (!values.is_empty()).then(|| format!("{word} {}", values.join(" or ")));
        let all = [
            self.since.map(|when| format!("begun since {when}")),
            self.until.map(|when| format!("begun before {when}")),
            list("server", self.servers.iter().map(ToString::to_string).collect()),
            list("client", self.clients.iter().map(ToString::to_string).collect()),
            list("name", self.names.iter().map(|name| name.text.clone()).collect()),
            list("outcome", self.outcomes.iter().cloned().collect()),
            list("cause", self.causes.iter().cloned().collect()),
            self.expression.as_ref().map(|expression| format!("where {expression}")),
        ];
        all.into_iter().flatten().collect()
    }
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

    fn matches(&self, name: &str) -> bool {
        self.glob.is_match(name.trim_end_matches('.'))
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Sorts handshakes into those asked for and the others.
#[derive(Debug)]
pub struct Filter {
    criteria: Criteria,
    /// The bounds in the form of the report's own times, which order like the moments they stand for.
    bounds: Option<(Option<String>, Option<String>)>,
    /// Handshakes that the expression could not be applied to, and why the first could not.
    beyond: Option<(u64, String)>,
}

impl Filter {
    /// A filter for these criteria.
    pub const fn new(criteria: Criteria) -> Self {
        Self { criteria, bounds: None, beyond: None }
    }

    /// Whether it takes a handshake. `begin` is the capture's first moment, on which bounds such as `14:05` and `+10m` rest.
    pub fn takes(&mut self, report: &HandshakeReport, begin: Option<Timestamp>) -> bool {
        let criteria = &self.criteria;
        let (since, until) = self.bounds.get_or_insert_with(|| {
            let bound = |when: Option<When>| when.map(|when| when.resolve(begin.unwrap_or_default()).to_string());
            (bound(criteria.since), bound(criteria.until))
        });
        let start = &report.handshake.start;
        if since.as_ref().is_some_and(|since| start < since) || until.as_ref().is_some_and(|until| start >= until) {
            return false;
        }
        let any = |patterns: &[PeerPattern], peer| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(peer));
        if !any(&criteria.servers, &report.server) || !any(&criteria.clients, &report.client) {
            return false;
        }
        let name = report.tls.as_ref().and_then(|tls| tls.client.as_ref()).and_then(|client| client.server_name.as_deref());
        if !criteria.names.is_empty() && !name.is_some_and(|name| criteria.names.iter().any(|pattern| pattern.matches(name))) {
            return false;
        }
        let outcome = report.handshake.outcome.as_str();
        let failed = report.failed();
        if !(criteria.outcomes.is_empty() || criteria.outcomes.contains(outcome) || failed && criteria.outcomes.contains(FAILED)) {
            return false;
        }
        let cause = report.diagnosis.cause.as_ref();
        if !criteria.causes.is_empty() && !cause.is_some_and(|cause| criteria.causes.contains(cause)) {
            return false;
        }
        match criteria.expression.as_ref().map(|expression| expression.takes(report)) {
            None => true,
            Some(Ok(takes)) => takes,
            Some(Err(why)) => {
                let (count, _) = self.beyond.get_or_insert((0, why));
                *count = count.saturating_add(1);
                false
            }
        }
    }

    /// Handshakes that the expression could not be applied to, and why the first could not.
    pub fn beyond(&self) -> Option<(u64, &str)> {
        self.beyond.as_ref().map(|(count, why)| (*count, why.as_str()))
    }
}

/// The word that stands for every outcome which is a failure.
pub const FAILED: &str = "failed";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Peer, Tls, TlsClient};

    fn report(name: Option<&str>, outcome: &str, start: &str) -> HandshakeReport {
        let mut report = HandshakeReport { server: Peer { address: "192.0.2.7".into(), port: 443 }, ..HandshakeReport::default() };
        report.handshake.outcome = outcome.into();
        report.handshake.start = start.into();
        report.tls = Some(Tls { client: Some(TlsClient { server_name: name.map(Into::into), ..TlsClient::default() }), ..Tls::default() });
        report
    }

    fn takes(criteria: Criteria, report: &HandshakeReport) -> bool {
        // 2026-11-21T00:00:00Z
        Filter::new(criteria).takes(report, Some(Timestamp::from_parts(1_795_219_200, 0)))
    }

    #[test]
    fn names_are_globs_without_case() {
        let criteria = |glob| Criteria { names: vec![NamePattern::new(glob).unwrap()], ..Criteria::default() };
        let named = report(Some("Api.Bank.Test"), "completed", "");
        assert!(takes(criteria("*.bank.test"), &named));
        assert!(takes(criteria("*.test"), &named), "a star stands for dots as well");
        assert!(takes(criteria("{web,api}.bank.????"), &named));
        assert!(!takes(criteria("bank.test"), &named));
        assert!(!takes(criteria("*"), &report(None, "completed", "")), "no name was asked for");
        assert!(NamePattern::new("[a").is_err());
    }

    #[test]
    fn failed_stands_for_all_failures() {
        let criteria = |outcome: &str| Criteria { outcomes: [outcome.to_owned()].into(), ..Criteria::default() };
        let of = |outcome| report(None, outcome, "");
        assert!(takes(criteria("failed"), &of("stalled")) && takes(criteria("failed"), &of("plaintext")));
        assert!(!takes(criteria("failed"), &of("completed")) && !takes(criteria("failed"), &of("incomplete")));
        assert!(takes(criteria("reset"), &of("reset")) && !takes(criteria("reset"), &of("closed")));
        let mut probe = of("closed");
        probe.diagnosis.cause = Some("tcp-probe".into());
        assert!(!takes(criteria("failed"), &probe) && takes(criteria("closed"), &probe), "no handshake was wanted");
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
            outcomes: [FAILED.to_owned()].into(),
            expression: Some(Expression::new("timeline.exists(t, t.kind == 'rst')").unwrap()),
            ..Criteria::default()
        };
        let expected = [
            "begun since 09:00:00 of the first day",
            "begun before 600 s after the beginning",
            "server 10.0.0.0/8:443 or [2001:db8::1]:443 or :8443",
            "client 192.0.2.1",
            "name *.bank.test",
            "outcome failed",
            "where timeline.exists(t, t.kind == 'rst')",
        ];
        assert_eq!(criteria.told(), expected);
        assert!(criteria.asks_for("timeline") && !criteria.asks_for("tls"));
    }

    #[test]
    fn since_is_inclusive_and_until_is_not() {
        let criteria = Criteria { since: Some("09:00".parse().unwrap()), until: Some("10:00".parse().unwrap()), ..Criteria::default() };
        let at = |time: &str| takes(criteria.clone(), &report(None, "completed", &format!("2026-11-21T{time}Z")));
        assert!(!at("08:59:59.999999999") && at("09:00:00.000000000") && at("09:59:59.999999999") && !at("10:00:00.000000000"));
    }

    #[test]
    fn every_criterion_must_be_met() {
        let criteria = |server: &str| Criteria {
            servers: vec![server.parse().unwrap()],
            outcomes: ["reset".to_owned()].into(),
            ..Criteria::default()
        };
        assert!(takes(criteria("192.0.2.0/24"), &report(None, "reset", "")));
        assert!(!takes(criteria("192.0.2.0/24"), &report(None, "closed", "")));
        assert!(!takes(criteria("192.0.2.7:8443"), &report(None, "reset", "")));
    }
}
