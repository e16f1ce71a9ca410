//! Alerts of a handshake, as facts.

use crate::flow::Side;
use crate::time::Mark;
use crate::tls::message::Alert;

/// An alert as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAlert {
    /// Who sent it.
    pub from: Side,
    /// Level and description; `None` when encrypted and not decrypted.
    pub alert: Option<Alert>,
    /// It travelled encrypted.
    pub encrypted: bool,
    /// Where.
    pub mark: Mark,
}

/// An alert, and what it was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertSeen {
    /// Who sent it.
    pub from: Side,
    /// Level and description; `None` when encrypted and not decrypted.
    pub alert: Option<Alert>,
    /// It travelled encrypted.
    pub encrypted: bool,
    /// Where.
    pub mark: Mark,
    /// It came after the handshake was complete.
    pub after_handshake: bool,
    /// The other side had already closed (FIN or RST) or alerted before: this one is a consequence.
    pub consequence: bool,
}
