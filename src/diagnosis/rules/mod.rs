//! The rules: a folder for each family, a file for each cause.
//!
//! A new rule is one file and one line in its family's `mod.rs`. The order here, and within a family, breaks ties: earlier wins.

use super::cause::Cause;
use super::rule::Rule;

pub mod capture;
pub mod certificate;
pub mod client_auth;
pub mod connect;
pub mod dtls;
pub mod middlebox;
pub mod names;
pub mod parameters;
pub mod path;
pub mod plaintext;
pub mod protocol;
pub mod proxy;
pub mod psk;
pub mod quic;
pub mod silence;
pub mod version;

/// The families in the order of judgement.
const FAMILIES: &[&[&Rule]] = &[
    capture::RULES,
    connect::RULES,
    quic::RULES,
    dtls::RULES,
    middlebox::RULES,
    path::RULES,
    plaintext::RULES,
    proxy::RULES,
    version::RULES,
    names::RULES,
    psk::RULES,
    parameters::RULES,
    client_auth::RULES,
    certificate::RULES,
    protocol::RULES,
    silence::RULES,
];

/// Every rule, in the order of judgement.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.iter().copied())
}

/// The rule of a cause.
pub fn of(cause: Cause) -> Option<&'static Rule> {
    all().find(|rule| rule.cause == cause)
}
