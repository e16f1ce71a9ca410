//! Handshakes that wait: for a verdict, or to be told whose their ends are.

use std::sync::Arc;

use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::judge::Verdict;
use crate::handshake::Handshake;
use crate::time::Timestamp;

/// A handshake whose verdict waits.
pub(super) struct Held {
    pub(super) handshake: Box<Handshake>,
    pub(super) server: Option<Arc<ChainFacts>>,
    pub(super) client: Option<Arc<ChainFacts>>,
    /// Reported only if its server turns out to speak TLS.
    pub(super) doubtful: bool,
    /// The ticket that it offered was refused.
    pub(super) ticket_refused: bool,
    pub(super) bytes: usize,
}

/// A handshake that is judged, and reported when it is known whose its ends are.
pub(super) struct Unnamed {
    pub(super) held: Held,
    pub(super) verdict: Verdict,
    pub(super) since: Timestamp,
}
