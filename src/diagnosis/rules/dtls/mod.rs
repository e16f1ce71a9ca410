//! Rules of the family dtls: what only DTLS has. The rules of TLS apply to its handshake as well.

use crate::diagnosis::rule::Rule;

mod cookie_lost;
mod no_answer;
mod refused;
mod role_conflict;
#[cfg(test)]
mod tests;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[&refused::RULE, &role_conflict::RULE, &no_answer::RULE, &cookie_lost::RULE];
