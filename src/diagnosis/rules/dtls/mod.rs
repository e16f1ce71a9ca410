//! Rules of the family dtls: what only DTLS has. The rules of TLS apply to its handshake as well.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod cookie_lost;
mod no_answer;
mod refused;
mod role_conflict;
#[cfg(test)]
mod tests;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Dtls,
    speaks: Signs::UNFINISHED,
    rules: Rules::Each(&[&refused::RULE, &role_conflict::RULE, &no_answer::RULE, &cookie_lost::RULE]),
};
