//! Rules of the family certificate: what is wrong with the server's certificate, as far as the client's behaviour says that it mattered.
//!
//! The chain's facts at the handshake's time come first; the client's alert picks among them ([`standing`]). On a handshake whose client went
//! on they are notes.

use crate::diagnosis::rule::Rule;

mod constraints;
mod default_certificate;
mod expired;
mod identity;
mod incomplete;
mod inconsistent;
mod intermediate_expired;
mod misordered;
mod must_staple;
mod name_mismatch;
mod not_yet_valid;
mod reaction;
mod rejected;
mod revoked;
mod self_signed;
mod standing;
#[cfg(test)]
mod tests;
mod too_large;
mod unsupported;
mod untrusted;
mod weak_key;
mod weak_signature;
mod words;
mod wrong_usage;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[
    &expired::RULE,
    &not_yet_valid::RULE,
    &intermediate_expired::RULE,
    &revoked::RULE,
    &misordered::RULE,
    &default_certificate::RULE,
    &name_mismatch::RULE,
    &wrong_usage::RULE,
    &constraints::RULE,
    &weak_key::RULE,
    &weak_signature::RULE,
    &unsupported::RULE,
    &must_staple::RULE,
    &too_large::RULE,
    &self_signed::RULE,
    &incomplete::RULE,
    &untrusted::RULE,
    &inconsistent::RULE,
    &rejected::RULE,
];
