//! Rules of the family parameters.

use crate::diagnosis::rule::Rule;

mod certificate_type_mismatch;
mod dh_too_small;
mod extended_master_secret_required;
mod handshake_failure;
mod insufficient_security;
mod no_common_cipher;
mod no_common_group;
mod no_common_signature_algorithm;
pub(in crate::diagnosis::rules) mod offer;
mod renegotiation_refused;
#[cfg(test)]
pub(in crate::diagnosis::rules) mod scene;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[
    &dh_too_small::RULE,
    &no_common_cipher::RULE,
    &certificate_type_mismatch::RULE,
    &no_common_group::RULE,
    &no_common_signature_algorithm::RULE,
    &renegotiation_refused::RULE,
    &extended_master_secret_required::RULE,
    &insufficient_security::RULE,
    &handshake_failure::RULE,
];

#[cfg(test)]
mod tests;
