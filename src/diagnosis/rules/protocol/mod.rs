//! Rules of the family protocol.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod access_denied;
mod client_protocol_violation;
mod internal_error;
mod record_corrupted;
mod record_limit;
mod server_protocol_violation;
#[cfg(test)]
mod tests;
mod violation;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Protocol,
    speaks: Signs::UNFINISHED,
    rules: Rules::Each(&[
        &record_limit::RULE,
        &client_protocol_violation::RULE,
        &server_protocol_violation::RULE,
        &access_denied::RULE,
        &internal_error::RULE,
        &record_corrupted::RULE,
    ]),
};
