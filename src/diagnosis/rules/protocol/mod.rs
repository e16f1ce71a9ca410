//! Rules of the family protocol.

use crate::diagnosis::rule::Rule;

mod access_denied;
mod client_protocol_violation;
mod internal_error;
mod record_corrupted;
mod record_limit;
mod server_protocol_violation;
mod violation;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[
    &record_limit::RULE,
    &client_protocol_violation::RULE,
    &server_protocol_violation::RULE,
    &access_denied::RULE,
    &internal_error::RULE,
    &record_corrupted::RULE,
];
