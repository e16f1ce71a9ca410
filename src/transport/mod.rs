//! Floor 2: TCP connections, and UDP flows ([`udp`]). Segments go in, in-order bytes and facts come out.
//!
//! A [`Table`] owns the connections of one partition. Each connection has a [`FlowSink`], the part of the floors above that follows it, which
//! is given bytes in order as slices borrowed from the packet (only what is out of order is copied, within bounds), gaps, and control events;
//! and [`FlowFacts`], what the packets showed besides their payload. The table judges nothing: a RST does not end a connection here, because
//! only what follows tells whether it was genuine. Sequence positions are *offsets*: bytes since the side's first payload byte, 64 bits, so
//! that wrap-around never shows above this floor.
//!
//! # The state of a connection
//!
//! ```text
//!   SYN, SYN-ACK ──► half open ──anything else──► followed ──settled, or quiet after FIN or RST──► marker ──quiet──► forgotten
//!                        │                          ▲   │
//!                        │               payload ───┘   └──idle, reused, evicted──► reported and forgotten
//!                        └──quiet, reused──► reported and forgotten
//! ```
//!
//! - *Half open*: at most two bare packets (SYN, SYN-ACK or RST), kept as they are in a small record without a sink. A third, a timeout or the
//!   end of the capture makes a whole connection of it, into which the packets are fed again. Under a flood the oldest are thrown out, and
//!   repeats are only counted.
//! - *Followed*: it has a sink. Each side has an origin (the sequence number of offset 0), what was delivered, what waits beyond a hole, and
//!   what is unacknowledged. It ends when the sink says so, when a SYN begins another connection, or after quiet: [`TableLimits::linger`] after
//!   both FINs or a RST, a minute after one FIN, [`TableLimits::half_open_idle`] where nothing came after the SYNs, else [`TableLimits::idle`].
//! - *Marker*: settled or ended. Late packets cost a look-up and are not looked into, until it is quiet or a SYN with another initial sequence
//!   number comes.
//!
//! # Holes
//!
//! Bytes beyond a hole wait. A hole is given up as [`GapCause::CaptureLost`] when the other side has acknowledged all of it and either some
//! milliseconds or some packets have passed since, for captures show packets out of order, too; as [`GapCause::Unacknowledged`] when a bound on
//! waiting bytes is hit. A hole that is neither filled nor acknowledged when the connection ends stays: what waits behind it was never the
//! receiver's to read, and is only counted ([`SideFacts::stranded_bytes`]).
//!
//! # Time
//!
//! Whatever depends on time passing happens in [`Table::tick`], at the same marks in every partition, in the order of the connections' first
//! frames; so the result does not depend on how partitions are divided among threads. References: RFC 9293 (TCP), RFC 7323 (window scale),
//! RFC 2018 (SACK), RFC 7413 (Fast Open), RFC 5961 (challenge ACK).

mod assembler;
mod bounds;
mod connection;
mod facts;
mod half_open;
mod index;
mod ledger;
mod prefetch;
mod roles;
mod sink;
mod slab;
mod stream;
#[cfg(test)]
mod support;
mod table;
pub mod udp;
mod ways;

pub use bounds::{NEVER, TableCounters, TableLimits, Tick};
pub use facts::{
    Contradicted, Decoys, Doubt, FlowEvent, FlowEventKind, FlowFacts, GapCause, IcmpNote, IdFacts, Outstanding, Reset, Roles, SideFacts,
    SynFacts, TcpFacts, ZeroWindow,
};
pub(crate) use prefetch::prefetch_front;
pub use sink::{Close, Data, FlowSink, Gap, HalfOpenEnd, Interest, QUIET_TICKS};
pub use table::Table;
pub(crate) use table::{Ask, Expected};
