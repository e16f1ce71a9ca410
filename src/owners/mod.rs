//! Beside the floors: who on this host owns an end of a connection.
//!
//! A live run may ask for it. Whoever looks into other people's processes needs rights that whoever reads packets must not have, so the two are
//! two processes:
//!
//! - `tap` sees packets on their way to the pipeline, and asks when a connection begins and when its sides speak first;
//! - `store` keeps what was asked and answered, until the handshake is reported;
//! - `ask`: how the two processes talk, over a pair of sockets;
//! - `desk`: this end of it, with threads of its own; whoever captures never waits for it;
//! - `host`, in the other process: sockets, network namespaces, processes, control groups, containers, as the kernel and files tell of them (Linux).
//!
//! Invariants: everything kept or read is bounded in number and bytes; a look through all processes takes a bounded share of one core; a wrong owner
//! is worse than none.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

mod ask;
mod desk;
#[cfg(target_os = "linux")]
mod host;
mod store;
mod tap;

pub use desk::{Desk, OwnerCounts};
#[cfg(target_os = "linux")]
pub use host::Host;
pub use tap::{Opens, Tap};
