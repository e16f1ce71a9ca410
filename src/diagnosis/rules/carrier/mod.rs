//! Rules of the family carrier: what the protocol around a handshake says or leaves unsaid (EAP in RADIUS). The rules of TLS apply to
//! the handshake itself as well.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod method_refused;
mod radius_silent;
mod rejected;
mod supplicant_silent;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Carrier,
    speaks: Signs::CARRIED,
    rules: Rules::Each(&[&method_refused::RULE, &radius_silent::RULE, &supplicant_silent::RULE, &rejected::RULE]),
};
