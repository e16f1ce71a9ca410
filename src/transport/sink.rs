//! What the floors above must be to follow a connection, and what they are given.

use super::facts::{FlowEvent, FlowFacts, GapCause};
use crate::flow::{Endpoint, FlowKey, Side};
use crate::site::Site;
use crate::time::Mark;
use crate::traffic::{Row, Volume};

/// What a sink wants after it was given something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Go on.
    More,
    /// The roles were guessed the wrong way round. The table swaps everything it keeps by side ([`FlowFacts::swap_sides`]) and goes on: from the
    /// next call on, the side that was called the client is called the server. The sink swaps what it keeps itself.
    Swap,
    /// Settled: no payload is wanted any more. The table calls [`FlowSink::finish`] at once and keeps a marker, so that the rest of the
    /// connection costs one look-up a packet.
    Settled,
}

/// Bytes of one side, in order, no gap before them since the last [`Data`] or [`Gap`] of that side.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// Who sent them.
    pub side: Side,
    /// Offset of the first byte.
    pub offset: u64,
    /// The bytes; never empty.
    pub bytes: &'a [u8],
    /// The frame that brought them (for buffered bytes: the frame in which they came, not the one that filled the hole). Lent, for a copy made
    /// just now could be read only when all that was written before it, into cold memory, is written.
    pub mark: &'a Mark,
}

/// Bytes that will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Whose bytes are missing.
    pub side: Side,
    /// Offset of the first missing byte.
    pub offset: u64,
    /// How many are missing.
    pub len: u64,
    /// Why.
    pub why: GapCause,
    /// The frame at which it became certain.
    pub mark: Mark,
}

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Close {
    /// FIN from both sides, or FIN or RST and then quiet for the linger time.
    Ended,
    /// The sink had seen enough.
    Settled,
    /// The same addresses and ports were used for a new connection.
    Reused,
    /// Quiet for longer than the idle limit.
    Idle,
    /// Thrown out to stay within bounds.
    Evicted,
    /// The capture ended.
    EndOfCapture,
}

/// What follows a connection on the floors above.
pub trait FlowSink: Sized {
    /// What all sinks of a partition share: options, caches, the place where reports go.
    type Shared;

    /// A sink for a connection that is beginning.
    fn new(shared: &mut Self::Shared, key: &FlowKey) -> Self;

    /// Bytes that it holds besides its own. Asked after segments that may have added some.
    fn weight(&self) -> usize {
        0
    }

    /// Bytes come in a moment: asks for the memory that they touch.
    fn prefetch(&self) {}

    /// Bytes in order.
    fn data(&mut self, shared: &mut Self::Shared, flow: &FlowFacts, data: Data<'_>) -> Interest;

    /// Bytes that are missing; the next [`Data`] of that side begins behind them.
    fn gap(&mut self, shared: &mut Self::Shared, flow: &FlowFacts, gap: Gap) -> Interest;

    /// SYN-ACK, FIN, RST, ICMP error, first acknowledgment of new data: something in `flow` other than payload changed that may matter.
    /// `event` is the last entry of [`FlowFacts::events`], unless the list is full. Called for every kind of event but
    /// [`super::FlowEventKind::Gap`], for which there is [`FlowSink::gap`].
    fn control(&mut self, shared: &mut Self::Shared, flow: &FlowFacts, event: &FlowEvent) -> Interest;

    /// Time for "nothing has happened for too long". Called while the connection is unsettled and quiet: at the first step of packet
    /// time after one second without a packet, then each second up to [`QUIET_TICKS`], then at intervals that double.
    fn tick(&mut self, shared: &mut Self::Shared, flow: &FlowFacts, now: Mark) -> Interest;

    /// The end, exactly once. `now` is the frame at which it was decided. Called also for connections that never carried payload.
    fn finish(&mut self, shared: &mut Self::Shared, flow: Box<FlowFacts>, close: Close, now: Mark);

    /// Adds the connection, which is about to end, to what the capture holds. Its late packets are counted in the same row.
    fn count(&self, shared: &mut Self::Shared, flow: &FlowFacts) -> Row {
        let _ = (shared, flow);
        Row::NONE
    }

    /// Late packets of a connection that is not looked into any more.
    fn count_late(shared: &mut Self::Shared, row: Row, late: Volume) {
        let _ = (shared, row, late);
    }

    /// A half-open connection has ended of which there is a SYN that nothing answered, and that may be `repeated`. True when it is dealt with: then no
    /// sink and no facts are made for it. Otherwise a sink is made for it, now or later, [`FlowSink::is_told`] called, and [`FlowSink::finish`].
    fn unanswered(shared: &mut Self::Shared, half_open: HalfOpenEnd<'_>, repeated: bool) -> bool {
        let _ = (shared, half_open, repeated);
        false
    }

    /// [`FlowSink::unanswered`] has decided that this connection is told.
    fn is_told(&mut self) {}

    /// A half-open connection was thrown out because there were too many: it gets no sink and no report, lest a flood of SYNs become a flood
    /// of reports.
    fn evicted_half_open(shared: &mut Self::Shared, half_open: HalfOpenEnd<'_>) {
        let _ = (shared, half_open);
    }
}

/// A half-open connection that ends.
#[derive(Debug, Clone, Copy)]
pub struct HalfOpenEnd<'a> {
    /// Its ends.
    pub key: &'a FlowKey,
    /// Which of them is the client.
    pub client_is_low: bool,
    /// Its first packet.
    pub first: Mark,
    /// The frame at which it was decided, [`u64::MAX`] at the end of the capture.
    pub at: u64,
}

impl HalfOpenEnd<'_> {
    /// Whom it was meant for.
    pub const fn server(&self) -> (Site, Endpoint) {
        (self.key.site, if self.client_is_low { self.key.high } else { self.key.low })
    }
}

/// Seconds of quiet up to which [`FlowSink::tick`] is called every second.
pub const QUIET_TICKS: u64 = 30;
