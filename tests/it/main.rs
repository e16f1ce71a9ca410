//! The integration tests: one binary, a file for each subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod capture;
mod cli;
mod docs;
mod floors;
mod forensics;
mod fuzz_seeds;
#[cfg(target_os = "linux")]
mod live;
mod malformed;
mod monitoring;
mod packet_oracle;
mod properties;
mod rules;
mod schema;
mod support;
mod threads;
mod tls_oracle;
mod verdicts;
