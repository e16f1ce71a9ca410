//! The integration tests: one binary, a file for each subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod capture;
mod floors;
mod forensics;
mod packet_oracle;
mod properties;
mod schema;
mod support;
mod threads;
mod tls_oracle;
mod verdicts;
