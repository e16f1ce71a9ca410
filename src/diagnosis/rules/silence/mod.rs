//! Rules of the family silence: a side said nothing, stopped, left or took its time. Most of them say what happened and leave the reason to
//! others: they are the cause only where nothing else explains the end.

use crate::diagnosis::rule::Rule;

mod cancelled;
mod client_aborted;
mod client_silent;
mod client_slow;
mod client_stalled;
mod client_timeout;
mod close_notify;
mod server_aborted;
mod server_closed;
mod server_reset;
mod server_silent;
mod server_slow;
mod server_stalled;
mod server_timeout;
#[cfg(test)]
mod tests;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[
    &cancelled::RULE,
    &close_notify::RULE,
    &server_silent::RULE,
    &server_stalled::RULE,
    &client_silent::RULE,
    &client_stalled::RULE,
    &server_closed::RULE,
    &server_reset::RULE,
    &server_aborted::RULE,
    &client_aborted::RULE,
    &client_timeout::RULE,
    &server_timeout::RULE,
    &server_slow::RULE,
    &client_slow::RULE,
];
