//! Words for how a handshake ended, in a sentence about it.

use crate::handshake::facts::{Outcome, Stage};

/// What became of a handshake.
pub(super) const fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "was established",
        Outcome::Alerted => "was ended by an alert",
        Outcome::Reset => "was reset",
        Outcome::Closed => "was closed",
        Outcome::Stalled => "came to a standstill",
        Outcome::Refused => "was refused",
        Outcome::Plaintext => "was answered in clear",
        Outcome::Incomplete => "breaks off in the capture",
    }
}

/// How far it had come.
pub(super) const fn reached(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "before anything was said",
        Stage::Preamble => "in the dialogue before TLS",
        Stage::ClientHello => "after the ClientHello",
        Stage::ServerHello => "after the ServerHello",
        Stage::ServerCertificate => "after the server's certificate",
        Stage::ClientAuth => "after the client's certificate",
        Stage::Finished => "after the Finished of one side",
        Stage::Established => "after the Finished of both sides",
    }
}
