//! What an opened packet says.

use crate::flow::Side;
use crate::handshake::messages::{self, Place};
use crate::quic::crypto::CryptoStream;
use crate::quic::frame::{Frame, frames};
use crate::quic::version::Version;
use crate::time::Mark;
use crate::tls::registry::HandshakeType;

use super::{Heard, connection_close};

/// What an opened packet says about how far its sender is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// It closes the connection.
    pub(super) close: bool,
    /// HANDSHAKE_DONE.
    pub(super) done: bool,
    /// It acknowledges packets of the same level.
    pub(super) ack: bool,
}

/// Enters what the frames of an opened packet say.
pub(super) fn read(heard: &mut Heard<'_>, version: Version, payload: &[u8], mut stream: Option<&mut CryptoStream<Mark>>) -> Said {
    let Heard { h, shared, side, mark } = heard;
    let (side, mark) = (*side, *mark);
    let mut said = Said::default();
    for frame in frames(version, payload) {
        match frame {
            Frame::Crypto { offset, data } => {
                let Some(stream) = stream.as_deref_mut() else { continue };
                stream.add(offset, data, mark);
                while let Some(message) = stream.next_message() {
                    let place = Place { mark, first: message.first, span: (message.start as u64, message.end as u64) };
                    messages::on_decrypted(h, shared, side, HandshakeType(message.kind), message.body, place);
                }
            }
            Frame::ConnectionClose(closed) => {
                said.close = true;
                connection_close(h, side, mark, &closed, true);
            }
            Frame::HandshakeDone => said.done = side == Side::Server,
            Frame::Ack(_) => said.ack = true,
            Frame::Ping | Frame::Passed(_) | Frame::Other(_) => {}
        }
    }
    said
}

/// Packets that do not open, while none has, after which the secrets are taken for another connection's.
pub(super) const MISFITS: u32 = 2;
