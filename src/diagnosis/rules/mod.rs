//! The rules: a folder for each family, a file for each cause.
//!
//! A new rule is one file and one line in its family's `mod.rs`. The order here, and within a family, breaks ties: earlier wins.

use std::sync::LazyLock;

use super::cause::Cause;
use super::rule::Rule;
use super::signs::Signs;

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

/// The rules that may have something to say where these signs are, in the order of judgement.
pub fn that_speak_of(signs: Signs) -> impl Iterator<Item = &'static Rule> {
    // Side by side in memory, with the signs that they speak of.
    static ALL: LazyLock<Vec<(Signs, &Rule)>> = LazyLock::new(|| all().map(|rule| (rule.speaks, rule)).collect());
    // Most handshakes complete, and most rules only speak of others.
    static OF_COMPLETED: LazyLock<Vec<(Signs, &Rule)>> =
        LazyLock::new(|| ALL.iter().copied().filter(|(speaks, _)| *speaks != Signs::UNFINISHED).collect());
    let rules: &[_] = match signs {
        Signs::NONE => &[],
        _ if signs.any_of(Signs::UNFINISHED) => &ALL,
        _ => &OF_COMPLETED,
    };
    rules.iter().filter(move |(speaks, _)| speaks.any_of(signs)).map(|(_, rule)| *rule)
}

/// The rule of a cause.
pub fn of(cause: Cause) -> Option<&'static Rule> {
    all().find(|rule| rule.cause == cause)
}
