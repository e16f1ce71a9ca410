//! Rules of the family psk.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::tls::registry::KeyExchange;

mod ftp_session_not_resumed;
mod psk_mismatch;
mod psk_unknown_identity;
#[cfg(test)]
mod tests;
mod tickets_not_shared;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Psk,
    speaks: Signs::UNFINISHED.or(Signs::TICKET_IGNORED).or(Signs::FTP),
    rules: Rules::Each(&[&psk_unknown_identity::RULE, &psk_mismatch::RULE, &ftp_session_not_resumed::RULE, &tickets_not_shared::RULE]),
};

/// A suite with a pre-shared key was chosen (TLS 1.2 and below).
fn uses_psk(case: &Case<'_>) -> bool {
    let exchange = case.handshake.cipher().map(crate::tls::registry::CipherSuite::key_exchange);
    matches!(exchange, Some(KeyExchange::Psk | KeyExchange::DhePsk | KeyExchange::EcdhePsk | KeyExchange::RsaPsk))
}
