//! What a rule is, and how a family of rules judges.

use super::against::{self, Counter};
use super::case::Case;
use super::cause::{Cause, Family};
use super::finding::Finding;
use super::page::Page;
use super::signs::Signs;

/// The rules of one family of causes.
#[derive(Debug)]
pub struct RuleFamily {
    /// Whose rules they are.
    pub family: Family,
    /// Signs of which a handshake must show at least one for them to have anything to say: most speak of what did not complete.
    pub speaks: Signs,
    /// How they judge.
    pub rules: Rules,
}

/// How the rules of a family judge.
#[derive(Debug)]
pub enum Rules {
    /// Each looks for its own cause. An earlier one wins a tie.
    Each(&'static [&'static Rule]),
    /// They share one decision, of which each cause is an outcome.
    Together {
        /// What is known of the causes, in the order in which they are told; an earlier one wins a tie.
        about: fn() -> Vec<About>,
        /// Decides once, and tells what was found in that order.
        judge: fn(&Case<'_>, &mut Vec<Finding>),
    },
}

impl RuleFamily {
    /// What is known of its causes, in the order of judgement.
    pub fn about(&self) -> Vec<About> {
        match self.rules {
            Rules::Each(rules) => rules.iter().map(|rule| About { cause: rule.cause, against: rule.against, page: &rule.page }).collect(),
            Rules::Together { about, .. } => about(),
        }
    }

    /// Adds what it finds in one handshake, what refutes it left out.
    pub fn judge(&self, case: &Case<'_>, found: &mut Vec<Finding>) {
        match self.rules {
            Rules::Each(rules) => {
                for rule in rules {
                    // Most say nothing, and a finding is large: it is moved only where there is one.
                    if let Some(finding) = (rule.check)(case)
                        && let Some(finding) = against::weigh(case, rule.against, finding)
                    {
                        found.push(finding);
                    }
                }
            }
            Rules::Together { judge, .. } => judge(case, found),
        }
    }
}

/// What is known of a cause, whatever handshake it is found in.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The cause.
    pub cause: Cause,
    /// What would speak against it.
    pub against: &'static [Counter],
    /// What people need to know: what `handshark explain` shows.
    pub page: &'static Page,
}

/// A rule: how one cause is recognised, and what people need to know about it.
#[derive(Debug)]
pub struct Rule {
    /// The cause it recognises.
    pub cause: Cause,
    /// What would speak against it: the judge asks each (see [`super::against`]). Empty where a side says the cause in its own words, or the
    /// messages show it.
    pub against: &'static [Counter],
    /// What people need to know: what `handshark explain` shows.
    pub page: Page,
    /// Looks at one handshake. `None`: this cause does not apply.
    pub check: fn(&Case<'_>) -> Option<Finding>,
}
