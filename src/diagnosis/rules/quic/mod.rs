//! Rules of the family quic: what only QUIC has. The rules of TLS apply to its handshake as well.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod blocked;
mod client_moved;
mod early_data_rejected;
mod mtu;
mod refused;
mod retry_loop;
mod server_changed;
mod server_silent;
#[cfg(test)]
mod tests;
mod version_mismatch;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Quic,
    speaks: Signs::UNFINISHED.or(Signs::DATAGRAMS),
    rules: Rules::Each(&[
        &refused::RULE,
        &version_mismatch::RULE,
        &retry_loop::RULE,
        &server_changed::RULE,
        &client_moved::RULE,
        &mtu::RULE,
        &blocked::RULE,
        &server_silent::RULE,
        &early_data_rejected::RULE,
    ]),
};
