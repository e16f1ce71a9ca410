//! The rules: a folder for each family.
//!
//! Where causes are independent, each is a file with one rule, named in its family's `mod.rs`; where they share a decision, an entry in the
//! family's table. docs/CONTRIBUTING.md says how one is added.

use std::sync::LazyLock;

use super::cause::Cause;
use super::rule::{About, RuleFamily};

pub mod capture;
pub mod carrier;
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

/// The families in the order of judgement, which is the order in which causes are listed. An earlier one wins a tie.
pub static FAMILIES: &[RuleFamily] = &[
    capture::FAMILY,
    connect::FAMILY,
    quic::FAMILY,
    dtls::FAMILY,
    carrier::FAMILY,
    middlebox::FAMILY,
    path::FAMILY,
    plaintext::FAMILY,
    proxy::FAMILY,
    version::FAMILY,
    names::FAMILY,
    psk::FAMILY,
    parameters::FAMILY,
    client_auth::FAMILY,
    certificate::FAMILY,
    protocol::FAMILY,
    silence::FAMILY,
];

/// What is known of every cause, in the order of judgement.
pub fn all() -> &'static [About] {
    static ALL: LazyLock<Vec<About>> = LazyLock::new(|| FAMILIES.iter().flat_map(RuleFamily::about).collect());
    &ALL
}

/// What is known of a cause.
pub fn of(cause: Cause) -> Option<&'static About> {
    all().iter().find(|about| about.cause == cause)
}
