//! One function for each fuzz target: any bytes in, a panic out when something does not hold.
//!
//! The targets feed them what libFuzzer makes up; `tests/it/fuzz_seeds.rs` feeds them the seeds of `fixtures/fuzz`.

mod captures;
mod carriers;
mod datagrams;
mod lookups;
mod packets;
mod preambles;
mod streams;
mod tunnels;

pub use captures::{capture, pipeline};
pub use carriers::carriers;
pub use datagrams::{dtls, quic};
#[allow(unused_imports, reason = "for what must be found in seeds")]
pub use lookups::capture as lookups_capture;
pub use lookups::dns;
#[allow(unused_imports, reason = "for cutting seeds")]
pub use packets::{LINKS, START, frame, segments};
#[allow(unused_imports, reason = "for cutting seeds")]
pub use preambles::{PORTS, preamble};
pub use streams::{certificate, hello, records};
#[allow(unused_imports, reason = "for what must be found in seeds")]
pub use tunnels::capture as tunnels_capture;
pub use tunnels::tunnels;

/// What a target runs.
pub type Entry = fn(&[u8]);

/// Every target by name.
#[allow(dead_code, reason = "the targets call their functions by name")]
pub const ALL: &[(&str, Entry)] = &[
    ("capture", capture),
    ("frame", frame),
    ("segments", segments),
    ("records", records),
    ("hello", hello),
    ("certificate", certificate),
    ("preamble", preamble),
    ("quic", quic),
    ("dtls", dtls),
    ("carriers", carriers),
    ("dns", dns),
    ("pipeline", pipeline),
    ("tunnels", tunnels),
];
