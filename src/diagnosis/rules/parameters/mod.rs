//! Rules of the family parameters.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod certificate_type_mismatch;
mod dh_too_small;
mod extended_master_secret_required;
mod handshake_failure;
mod insufficient_security;
mod no_common_cipher;
mod no_common_group;
mod no_common_signature_algorithm;
mod renegotiation_refused;
#[cfg(test)]
mod tests;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Parameters,
    speaks: Signs::UNFINISHED.or(Signs::FINITE_FIELD).or(Signs::RENEGOTIATION),
    rules: Rules::Each(&[
        &dh_too_small::RULE,
        &no_common_cipher::RULE,
        &certificate_type_mismatch::RULE,
        &no_common_group::RULE,
        &no_common_signature_algorithm::RULE,
        &renegotiation_refused::RULE,
        &extended_master_secret_required::RULE,
        &insufficient_security::RULE,
        &handshake_failure::RULE,
    ]),
};
