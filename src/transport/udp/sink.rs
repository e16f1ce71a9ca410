//! What follows a UDP flow on the floors above.

use super::Close;
use crate::flow::Side;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::traffic::{Row, Volume};
use crate::transport::facts::FlowFacts;

/// Why a datagram opens a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// What its sender is; `None` where the bytes do not tell, and the ports have to.
    pub sender: Option<Side>,
    /// What tells this handshake from others of the same flow, where it is certain that one begins here.
    pub identity: Option<u64>,
}

/// What a sink makes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It brought something new.
    New,
    /// It brought nothing new.
    Nothing,
    /// It belongs to something else on the same ports: it is not counted.
    Foreign,
    /// The roles were guessed the wrong way round. The table turns the facts round; the sink has turned round what it keeps itself.
    Swap,
    /// Another handshake begins here: this one is over, and the sink has not looked at the datagram.
    Anew,
    /// It was looked at, and nothing more is wanted. What is given tells this handshake from a later one, as [`Opening::identity`] does.
    Settled(Option<u64>),
}

/// Whether a datagram answers others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// It belongs to something else.
    No,
    /// It looks like an answer, and holds nothing that tells to what.
    Perhaps,
    /// It holds what only an answer holds.
    Yes,
}

impl From<bool> for Answers {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// What follows a UDP flow on the floors above.
pub trait DatagramSink: Sized {
    /// What all sinks of a partition share.
    type Shared;

    /// Whether a datagram begins a handshake. Called for every datagram of flows that are not followed: a look at the first bytes must be
    /// enough to refuse nearly all of them.
    fn opens(datagram: &Datagram<'_>) -> Option<Opening>;

    /// A datagram of no flow that is followed.
    fn pass_by(shared: &mut Self::Shared, datagram: &Datagram<'_>) {
        let _ = (shared, datagram);
    }

    /// Adds the flow, which is about to end, to what the capture holds. Its late datagrams are counted in the same row.
    fn count(&self, shared: &mut Self::Shared, facts: &FlowFacts) -> Row {
        let _ = (shared, facts);
        Row::NONE
    }

    /// Late datagrams of a flow that is not looked into any more.
    fn count_late(shared: &mut Self::Shared, row: Row, late: Volume) {
        let _ = (shared, row, late);
    }

    /// A sink for a flow that begins with this datagram, which is handed over next.
    fn new(shared: &mut Self::Shared, datagram: &Datagram<'_>) -> Self;

    /// A datagram of this side. The sink adds to `facts` what only the payload tells: retransmissions, events.
    fn datagram(&mut self, shared: &mut Self::Shared, facts: &mut FlowFacts, side: Side, datagram: &Datagram<'_>) -> Hearing;

    /// Whether this datagram, in another tunnel, answers what the client said: by what both of them hold.
    fn is_answered_by(&self, datagram: &Datagram<'_>) -> Answers {
        let _ = datagram;
        Answers::Perhaps
    }

    /// Bytes that it holds besides its own.
    fn weight(&self) -> usize {
        0
    }

    /// Whether someone watches, so that [`DatagramSink::tick`] is to be called.
    fn watches(shared: &Self::Shared) -> bool {
        let _ = shared;
        false
    }

    /// Time for "nothing has happened for too long": called at every tick while the flow is followed and quiet.
    /// [`Hearing::Settled`] when it is over and nothing more is wanted; everything else means to go on.
    fn tick(&mut self, shared: &mut Self::Shared, facts: &FlowFacts, now: Mark) -> Hearing {
        let _ = (shared, facts, now);
        Hearing::Nothing
    }

    /// The end, exactly once. `now` is the frame at which it was decided.
    fn finish(self, shared: &mut Self::Shared, facts: FlowFacts, close: Close, now: Mark);
}
