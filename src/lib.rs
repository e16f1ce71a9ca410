//! handshark: a passive TLS handshake analyzer that says why a handshake failed, who stopped it, and what to do.
//!
//! [`analyze`] takes a [`Capture`] (a file, a reader, or frames) and yields typed reports: for each handshake a [`report::Handshake`] with its
//! outcome, cause, evidence and fix, then [`report::Incident`]s, then the [`report::Summary`]. What their fields mean is said in docs/SCHEMA.md.
//!
//! The library is sans-IO but for where a capture is opened; bytes and timestamps go in, reports come out. docs/ARCHITECTURE.md tells of its floors.
//! What is hidden here is public for the program, its tests and its benchmarks alone, and changes without notice.

mod analyze;

pub use analyze::{Capture, CapturedFrame, Found, Settings, analyze};
#[doc(no_inline)]
pub use diagnosis::chain::TrustStore;

pub mod error;
pub mod report;

#[doc(hidden)]
pub mod anomaly;
#[doc(hidden)]
pub mod anonymize;
#[doc(hidden)]
pub mod app;
#[doc(hidden)]
pub mod capture;
#[doc(hidden)]
pub mod carriers;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod compare;
#[doc(hidden)]
pub mod condensate;
#[doc(hidden)]
pub mod count;
#[doc(hidden)]
pub mod diagnosis;
#[doc(hidden)]
pub mod dtls;
#[doc(hidden)]
pub mod expect;
#[doc(hidden)]
pub mod find;
#[doc(hidden)]
pub mod flow;
#[doc(hidden)]
pub mod frame;
#[doc(hidden)]
pub mod handshake;
#[doc(hidden)]
pub mod incident;
#[doc(hidden)]
pub mod inventory;
#[doc(hidden)]
pub mod limits;
#[doc(hidden)]
pub mod logs;
#[doc(hidden)]
pub mod origins;
#[doc(hidden)]
pub mod output;
#[doc(hidden)]
pub mod owners;
#[doc(hidden)]
pub mod packet;
mod pcapng;
#[doc(hidden)]
pub mod pipeline;
mod ports;
#[doc(hidden)]
pub mod preamble;
#[doc(hidden)]
pub mod quic;
#[doc(hidden)]
pub mod recorder;
#[doc(hidden)]
pub mod rows;
#[doc(hidden)]
pub mod secrets;
#[doc(hidden)]
pub mod shard;
#[doc(hidden)]
pub mod site;
#[doc(hidden)]
pub mod time;
#[doc(hidden)]
pub mod tls;
#[doc(hidden)]
pub mod traffic;
#[doc(hidden)]
pub mod transport;
#[cfg_attr(not(feature = "view"), path = "tui/absent.rs")]
#[doc(hidden)]
pub mod tui;
#[doc(hidden)]
pub mod watch;
#[doc(hidden)]
pub mod wording;
