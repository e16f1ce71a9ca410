//! The integration tests: one binary, a file for each subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::string_slice,
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod attacks;
mod capture;
mod classes;
mod cli;
mod condense;
mod decryption;
mod deploy;
mod docs;
mod driver;
mod examples;
mod fleet;
mod floors;
mod forensics;
mod frames;
mod fuzz_seeds;
mod golden;
mod hostile;
mod integrations;
mod inventory;
mod ladders;
mod library;
#[cfg(target_os = "linux")]
mod live;
mod logs;
mod malformed;
mod manners;
#[cfg(all(feature = "mcp", target_os = "linux"))]
mod mcp;
mod memory;
mod metamorphic;
mod monitoring;
mod observation;
mod outputs;
mod owners;
mod packet_oracle;
mod page;
mod present;
mod properties;
mod prose;
mod quic_oracle;
mod remedies;
mod reproduce;
mod rules;
mod scale;
mod schema;
mod shards;
mod sites;
mod slices;
mod supply;
mod support;
mod terminal;
mod threads;
mod tls_oracle;
mod traffic;
mod verdicts;
