//! What an opened packet says.

use crate::flow::Side;
use crate::handshake::facts::{ClosedBy, Observed, ReadAlert};
use crate::handshake::messages::{self, Place};
use crate::handshake::notes::{letter, note_alert};
use crate::quic::close;
use crate::quic::crypto::CryptoStream;
use crate::quic::frame::{ConnectionClose, Frame, frames};
use crate::quic::version::Version;
use crate::time::Mark;
use crate::tls::message::Alert;
use crate::tls::registry::{AlertDescription, HandshakeType};

use super::Heard;

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

/// `sealed`: it was in a packet that secrets from outside opened.
pub(super) fn connection_close(h: &mut Observed, side: Side, mark: Mark, closed: &ConnectionClose<'_>, sealed: bool) {
    let Some(quic) = h.quic.as_mut() else { return };
    if quic.close_of(side).is_some() {
        return;
    }
    let reason = String::from_utf8_lossy(closed.reason.get(..closed.reason.len().min(REASON)).unwrap_or_default()).into_owned();
    quic.closes.push(ClosedBy { from: side, code: closed.code, application: closed.application, reason, mark, in_initial: !sealed });
    letter(h, side, 'l');
    if let Some(description) = close::alert(closed.code).filter(|_| !closed.application) {
        let alert = Alert { fatal: true, level: 2, description: AlertDescription(description) };
        h.hidden.client_alert_instead_of_finished |= sealed && side == Side::Client && h.finished.client.is_none();
        note_alert(h, ReadAlert { from: side, alert: Some(alert), encrypted: sealed, mark });
    }
}

/// Packets that do not open, while none has, after which the secrets are taken for another connection's.
pub(super) const MISFITS: u32 = 2;
/// Bytes of a reason phrase kept.
const REASON: usize = 200;
