//! What any reader of a side's bytes enters: deviations, letters of the history, encrypted records, the course of a second handshake.

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::flow::Side;
use crate::limits;
use crate::time::Mark;
use crate::tls::registry::{ContentType, HandshakeType};

use super::facts::{EncryptedRecord, Observed, ReadAlert};
use super::renegotiation::Renegotiation;

/// Where a message's first byte was: frame and stream offset.
pub(super) type Origin = (Mark, u64);

/// Notes a deviation, unless there are too many.
pub(super) fn anomaly(handshake: &mut Observed, side: Side, mark: Mark, kind: AnomalyKind) {
    if handshake.anomalies.len() < limits::ANOMALIES {
        handshake.held_bytes += 2 * size_of::<Anomaly>();
        handshake.anomalies.push(Anomaly { mark, side, kind });
    }
}

/// Notes an alert in its place, unless there are too many.
pub(super) fn note_alert(handshake: &mut Observed, mut alert: ReadAlert) {
    // What lies behind its sender's Finished was not read before that, whichever frame came first.
    alert.mark = handshake.finished.of(alert.from).map_or(alert.mark, |finished| finished.max(alert.mark));
    if handshake.read_alerts.len() < limits::ALERTS {
        handshake.held_bytes += 2 * size_of::<ReadAlert>();
        let place = handshake.read_alerts.partition_point(|other| other.mark <= alert.mark);
        handshake.read_alerts.insert(place, alert);
    }
}

/// Adds a letter to the history: capitals from the client.
pub(super) fn letter(handshake: &mut Observed, side: Side, letter: char) {
    if handshake.history.len() < limits::HISTORY {
        handshake.history.push(if side == Side::Client { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() });
    }
}

/// What a side sends now is encrypted as TLS ≤ 1.2 does it: behind its ChangeCipherSpec. In TLS 1.3 that message means nothing.
pub(super) fn encrypted(handshake: &Observed, side: Side) -> bool {
    handshake.change_cipher_spec.of(side).is_some() && !handshake.is_tls13() && !maybe_tls13(handshake, side)
}

/// The client's early ChangeCipherSpec, before the server has chosen a version.
fn maybe_tls13(handshake: &Observed, side: Side) -> bool {
    side == Side::Client
        && handshake.server_hello.is_none()
        && handshake.last_hello().is_some_and(|hello| hello.what.offers_early_data() || handshake.hello_retry.is_some())
}

pub(super) fn remember(h: &mut Observed, side: Side, content_type: ContentType, len: u16, mark: Mark) {
    let list = h.encrypted.of_mut(side);
    if list.len() < limits::ENCRYPTED_RECORDS {
        list.push(EncryptedRecord { content_type: content_type.0, len, mark });
    }
}

/// A handshake record behind both sides' Finished that cannot be read. `len` is that of its content as encrypted.
pub(super) fn sealed_again(h: &mut Observed, side: Side, len: u16, mark: Mark) {
    let overhead = h.overhead(Side::Client);
    let is_empty = || (overhead?.checked_add(EMPTY_CERTIFICATE)? == len).then_some(true);
    match &mut h.renegotiation {
        None => h.renegotiation = Some(Renegotiation::asked(side, mark)),
        Some(known) => known.goes_on(side, mark, is_empty),
    }
}

/// A message behind both sides' Finished that was decrypted.
pub(super) fn read_again(h: &mut Observed, side: Side, kind: HandshakeType, body: &[u8], mark: Mark) {
    match &mut h.renegotiation {
        None => h.renegotiation = Some(Renegotiation::asked(side, mark)),
        // A list of no certificates is its length.
        Some(known) => known.goes_on(side, mark, || (kind == HandshakeType::CERTIFICATE).then_some(body.len() <= 3)),
    }
}

/// A side changed its cipher again.
pub(super) fn changed_again(h: &mut Observed, side: Side, mark: Mark) {
    if let Some(known) = &mut h.renegotiation {
        known.changed.of_mut(side).get_or_insert(mark);
    }
}

/// A record of application data that is not opened: the client's first words count, and on a control connection of FTP what the server says.
pub(super) fn used(h: &mut Observed, side: Side, len: u16, mark: Mark) {
    if side == Side::Client && h.application_data.client.is_none() && !h.is_tls13() {
        h.opening = h.overhead(side).and_then(|overhead| len.checked_sub(overhead));
    }
    if let Some(replies) = h.ftp.as_mut().filter(|_| side == Side::Server) {
        h.held_bytes += replies.sealed(len, mark);
    }
}

/// The content of one that was opened.
pub(super) fn read_use(h: &mut Observed, side: Side, text: &[u8], mark: Mark) {
    if side == Side::Client {
        h.opening = h.opening.or_else(|| u16::try_from(text.len()).ok());
    }
    if let Some(replies) = h.ftp.as_mut().filter(|_| side == Side::Server) {
        h.held_bytes += replies.opened(text, mark);
    }
}

/// Bytes of a Certificate without certificates up to TLS 1.2, its header included.
const EMPTY_CERTIFICATE: u16 = 7;
