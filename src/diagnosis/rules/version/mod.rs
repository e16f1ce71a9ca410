//! Rules of the family version.

use crate::diagnosis::rule::Rule;

mod client_version_too_old;
mod inappropriate_fallback;
mod no_common_version;
mod server_version_too_old;
mod sslv2_hello;
mod version_intolerant_server;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[
    &inappropriate_fallback::RULE,
    &sslv2_hello::RULE,
    &version_intolerant_server::RULE,
    &server_version_too_old::RULE,
    &client_version_too_old::RULE,
    &no_common_version::RULE,
];
