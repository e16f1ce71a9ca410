//! handshark: a passive TLS handshake analyzer that says why a handshake failed, who stopped it, and what to do.
//!
//! The library is sans-IO: bytes and timestamps go in, reports come out. See docs/ARCHITECTURE.md for the floors.

pub mod anomaly;
pub mod anonymize;
pub mod app;
pub mod capture;
pub mod cli;
pub mod compare;
pub mod count;
pub mod diagnosis;
pub mod dtls;
pub mod error;
pub mod find;
pub mod flow;
pub mod frame;
pub mod handshake;
pub mod incident;
pub mod limits;
pub mod output;
pub mod packet;
pub mod pipeline;
pub mod preamble;
pub mod quic;
pub mod recorder;
pub mod report;
pub mod secrets;
pub mod time;
pub mod tls;
pub mod transport;
#[cfg_attr(not(feature = "view"), path = "tui/absent.rs")]
pub mod tui;
pub mod watch;
