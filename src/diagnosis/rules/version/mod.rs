//! Rules of the family version.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod client_version_too_old;
mod inappropriate_fallback;
mod no_common_version;
mod server_version_too_old;
mod sslv2_hello;
#[cfg(test)]
mod tests;
mod version_intolerant_server;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Version,
    speaks: Signs::UNFINISHED.or(Signs::ALERT).or(Signs::SSLV2),
    rules: Rules::Each(&[
        &inappropriate_fallback::RULE,
        &sslv2_hello::RULE,
        &version_intolerant_server::RULE,
        &server_version_too_old::RULE,
        &client_version_too_old::RULE,
        &no_common_version::RULE,
    ]),
};
