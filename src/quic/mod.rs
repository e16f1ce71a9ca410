//! Floor 3: QUIC bytes in, packets and frames out. Knows nothing of addresses, time or roles beyond what the bytes say.
//!
//! - [`version`]: version numbers, and what they mean for keys and packet types
//! - [`header`]: the packets coalesced in a datagram (RFC 9000 sections 12.2 and 17, RFC 8999)
//! - [`protection`]: packet keys, from the Initial secrets or from a [`protection::KeyProvider`], and the removal of both protections (RFC 9001)
//! - [`frame`]: the frames that can stand in Initial and Handshake packets (RFC 9000 section 19)
//! - [`crypto`]: the CRYPTO stream of one direction, joined from frames in any order
//! - [`close`]: codes of CONNECTION_CLOSE (RFC 9000 section 20)

pub mod close;
pub mod crypto;
mod cursor;
pub mod frame;
pub mod header;
pub mod protection;
pub mod version;

pub(crate) use cursor::varint;
