//! Rules of the family carrier: what the protocol around a handshake says or leaves unsaid (EAP in RADIUS and EAPOL, OpenVPN). The rules of TLS apply to
//! the handshake itself as well.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod authenticator_silent;
mod method_refused;
mod openvpn_no_answer;
mod openvpn_one_way;
mod openvpn_refused;
mod radius_silent;
mod rejected;
mod supplicant_silent;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Carrier,
    speaks: Signs::CARRIED,
    rules: Rules::Each(&[
        &method_refused::RULE,
        &radius_silent::RULE,
        &authenticator_silent::RULE,
        &supplicant_silent::RULE,
        &rejected::RULE,
        &openvpn_no_answer::RULE,
        &openvpn_one_way::RULE,
        &openvpn_refused::RULE,
    ]),
};
