//! Floor 3: secrets given from outside, and what they open.
//!
//! - [`keylog`]: the NSS key log format, and which secrets belong to which `ClientHello`
//! - [`kdf`]: key derivation of TLS 1.3 (RFC 8446 section 7.1) and of the versions before (RFC 5246 section 5, RFC 2246 section 5)
//! - [`suite`]: what a cipher suite protects records with
//! - [`record`]: one direction's keys, and the opening of its records
//! - [`connection`]: both directions of a connection through its epochs
//! - [`datagram`]: the same for DTLS, whose records say where they belong
//! - [`ring`]: the secrets known by now, shared by the connections of a worker
//!
//! Bytes in, bytes out: nothing here knows of packets or messages. Secrets have no `Display`, their `Debug` shows none of their bytes, and
//! nothing gives them back as text.

mod cbc;
pub mod connection;
pub mod datagram;
pub mod kdf;
pub mod keylog;
pub mod record;
pub mod ring;
pub mod suite;

pub use connection::{ConnectionKeys, Opened, Parameters};
pub use keylog::{KeyLog, Label, Secret, Secrets};
pub use ring::{KeyRing, Tally};

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "test data is short")]
mod tests;
