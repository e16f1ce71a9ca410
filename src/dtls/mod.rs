//! Floor 3: DTLS bytes in, messages out. Knows nothing of addresses, time or roles beyond what the bytes say.
//!
//! - [`demux`]: what else shares a port with DTLS, and DTLS inside TURN
//! - [`record`]: the records of a datagram, in the form of DTLS 1.0 to 1.2 and in the unified form of 1.3
//! - [`reassembly`]: handshake messages joined from fragments and put in order
//! - [`cookie`]: the server's request for a cookie

pub mod cookie;
pub mod demux;
pub mod reassembly;
pub mod record;
