//! Rules of the family carrier: what the protocol around a handshake says or leaves unsaid (EAP in RADIUS and EAPOL, OpenVPN). The rules of TLS apply to
//! the handshake itself as well.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::handshake::Handshake;
use crate::preamble::{Dialect, PreambleFacts};

mod authenticator_silent;
mod method_refused;
mod openvpn_no_answer;
mod openvpn_one_way;
mod openvpn_refused;
mod radius_silent;
mod rejected;
mod supplicant_silent;

/// What led up to TLS where it was OpenVPN over TCP.
fn openvpn_over_tcp(handshake: &Handshake) -> Option<&PreambleFacts> {
    handshake.preamble.as_deref().filter(|facts| facts.dialect == Dialect::OpenVpn)
}

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Carrier,
    speaks: Signs::CARRIED.or(Signs::PREAMBLE),
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
