//! Floor 3: TLS bytes in, messages out. Knows nothing of packets, time or roles beyond what the bytes say.
//!
//! - [`registry`]: code points as newtypes over the wire integer, with IANA names; unknown and GREASE values survive to the report
//! - [`record`]: splits a byte stream into records without copying (RFC 8446 section 5.1, RFC 5246 section 6.2, `SSLv2` hello)
//! - [`joiner`]: joins handshake messages over records
//! - [`client_hello`], [`server_hello`], [`message`]: the messages a diagnosis reads
//! - [`certificate`]: what an operator asks of a certificate
//! - [`fingerprint`]: JA3, JA3S, JA4

mod bytes;
pub mod certificate;
pub mod client_hello;
pub mod fingerprint;
pub mod joiner;
pub mod message;
pub mod record;
pub mod registry;
pub mod server_hello;
