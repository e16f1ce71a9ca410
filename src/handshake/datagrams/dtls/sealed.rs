//! Encrypted records: opened with secrets from outside, or told by their epochs and sizes.
//!
//! As over TCP, records whose secrets are not there yet are kept within bounds and opened when these come, at the latest at the end.

use crate::dtls::record::{ACK, Form, Record, records};
use crate::flow::Side;
use crate::limits;
use crate::secrets::datagram::{DatagramKeys, Revealed};
use crate::time::Mark;
use crate::tls::message::Alert;
use crate::tls::registry::{CipherSuite, ContentType};

use super::{Dtls, Heard, SEALED, application_data, encrypted_handshake, remember};
use crate::anomaly::AnomalyKind;
use crate::handshake::decrypt::parameters;
use crate::handshake::facts::{Fact, Observed, ReadAlert};
use crate::handshake::notes::{anomaly, letter, note_alert};
use crate::handshake::pending::{self, Keys, Pending, note_decrypted};
use crate::handshake::shared::Shared;

/// The opening of one association's records.
#[derive(Debug, Default)]
pub(super) struct Unsealing {
    pending: Pending<DatagramKeys, Sealed>,
    opened: u64,
    failed: u32,
}

/// A record that awaits its key.
#[derive(Debug)]
struct Sealed {
    side: Side,
    mark: Mark,
    bytes: Vec<u8>,
    cid_len: usize,
}

impl Unsealing {
    /// Bytes that it takes with the records that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.pending.held_bytes()
    }

    /// Nothing more is to be opened.
    pub(super) fn is_full(&self) -> bool {
        match &self.pending.keys {
            Keys::Awaited => self.pending.is_full(),
            Keys::Known(_) => self.opened >= limits::OPENED_RECORDS,
            Keys::Useless => true,
        }
    }

    /// Looks for secrets that are not there yet. True when there are keys now for records that were kept.
    fn look_up(&mut self, h: &Observed, shared: &Shared) -> bool {
        let lacking = match &self.pending.keys {
            Keys::Awaited => true,
            Keys::Known(keys) => !keys.is_whole(),
            Keys::Useless => false,
        };
        let Some(parameters) = parameters(h).filter(|_| lacking) else { return false };
        let Some(ring) = self.pending.news(shared) else { return false };
        self.pending.found(ring, ring.datagram_keys(parameters));
        matches!(self.pending.keys, Keys::Known(_)) && !self.pending.is_empty()
    }

    /// What came of a record.
    fn open(&mut self, h: &mut Observed, shared: &Shared, side: Side, record: &Record<'_>) -> Revealed {
        let Keys::Known(keys) = &mut self.pending.keys else { return Revealed::NoKey };
        let revealed = keys.open(side, record);
        match &revealed {
            Revealed::Content(..) => {
                self.opened = self.opened.saturating_add(1);
                note_decrypted(h, shared);
            }
            Revealed::Failed if self.opened == 0 => {
                self.failed = self.failed.saturating_add(1);
                if self.failed >= MISFITS {
                    self.pending.misfit(shared);
                }
            }
            Revealed::Failed | Revealed::NoKey => {}
        }
        revealed
    }
}

impl Dtls {
    /// Opens a record if it is encrypted and its keys are known: then whether it brings anything new. `None`: it is to be read as without
    /// secrets.
    pub(super) fn unseal(&mut self, heard: &mut Heard<'_>, record: &Record<'_>) -> Option<bool> {
        if self.unsealing.is_none() || (record.form != Form::Unified && record.epoch == 0) {
            return None;
        }
        let Heard { h, shared, side, mark, .. } = heard;
        let (side, mark) = (*side, *mark);
        self.look_up(h, shared);
        let cid_len = *self.cid_len.of(side);
        let unsealing = self.unsealing.as_mut()?;
        if unsealing.pending.awaits_keys() {
            if !record.is_cut() && !unsealing.pending.is_full() {
                let bytes = [record.header, record.body].concat();
                unsealing.pending.hold(h, bytes.len(), Sealed { side, mark, bytes, cid_len });
            }
            return None;
        }
        match unsealing.open(h, shared, side, record) {
            Revealed::Content(epoch, kind, text) => {
                if record.form == Form::Unified {
                    remember(h, side, record, mark);
                    let sealed = &mut self.sides.of_mut(side).sealed;
                    if sealed.len() < SEALED {
                        sealed.push((record.epoch, u16::try_from(record.len).unwrap_or(u16::MAX), mark));
                    }
                }
                Some(self.content(heard, record, (epoch, kind, &text)))
            }
            // A record that was changed on the way is dropped by its receiver as if it had been lost.
            Revealed::Failed if unsealing.opened > 0 => Some(false),
            Revealed::Failed | Revealed::NoKey => None,
        }
    }

    /// What an opened record says.
    fn content(&mut self, heard: &mut Heard<'_>, record: &Record<'_>, (epoch, kind, text): (u16, ContentType, &[u8])) -> bool {
        let unified = record.form == Form::Unified;
        let (side, mark) = (heard.side, heard.mark);
        match kind {
            ContentType::HANDSHAKE if unified => self.fragments(heard, text),
            ContentType::HANDSHAKE => encrypted_handshake(heard, record),
            ContentType::ALERT => alert(heard.h, side, text, mark),
            ContentType::APPLICATION_DATA if unified && epoch == super::EARLY_DATA => {
                heard.h.early_data_records = heard.h.early_data_records.saturating_add(1);
                true
            }
            ContentType::APPLICATION_DATA => application_data(heard.h, side, mark),
            // What the server acknowledges of the client's last flight, it took.
            ACK => {
                if side == Side::Server && heard.h.finished.client.is_some() {
                    heard.h.tickets_seen = heard.h.tickets_seen.saturating_add(1);
                }
                false
            }
            _ => false,
        }
    }

    /// Looks for secrets, and opens what was kept for them.
    fn look_up(&mut self, h: &mut Observed, shared: &mut Shared) {
        let Some(unsealing) = &mut self.unsealing else { return };
        let replay = unsealing.look_up(h, shared);
        if let Keys::Known(keys) = &unsealing.pending.keys {
            self.lacking = Side::BOTH.into_iter().find(|side| !keys.knows(*side));
        }
        if replay {
            self.replay(h, shared);
        }
    }

    /// The last moment at which secrets may have turned up.
    pub(super) fn unseal_late(&mut self, h: &mut Observed, shared: &mut Shared) {
        self.look_up(h, shared);
        if let Some(unsealing) = &self.unsealing
            && unsealing.failed > 0
            && unsealing.opened == 0
            && matches!(unsealing.pending.keys, Keys::Known(_))
            && let Some(ring) = &shared.keys
        {
            ring.count_misfit();
        }
    }

    /// Opens what was kept. What DTLS before 1.3 encrypts was read as it came, except what its alerts say.
    fn replay(&mut self, h: &mut Observed, shared: &mut Shared) {
        let Some(unsealing) = &mut self.unsealing else { return };
        let held = unsealing.pending.take();
        if h.is_tls13() {
            h.early_data_records = 0;
        }
        pending::replay(h, held, |h, Sealed { side, mark, bytes, cid_len }| {
            let Some((record, unsealing)) = records(&bytes, cid_len).next().zip(self.unsealing.as_mut()) else { return true };
            let Revealed::Content(epoch, kind, text) = unsealing.open(h, shared, side, &record) else { return true };
            if record.form == Form::Unified {
                let mut heard = Heard { h: &mut *h, shared: &mut *shared, side, mark, repeated: None };
                self.content(&mut heard, &record, (epoch, kind, &text));
            } else if kind == ContentType::ALERT {
                let known = h.read_alerts.iter_mut().find(|seen| seen.from == side && seen.mark == mark && seen.alert.is_none());
                match (known, Alert::parse(&text)) {
                    (Some(seen), parsed) => seen.alert = parsed,
                    (None, _) => drop(alert(h, side, &text, mark)),
                }
            }
            true
        });
    }

    /// What records of DTLS 1.3 that were not opened show by their sizes: all of them, or those of a side whose secrets the log lacks.
    pub(super) fn read_sizes(&self, h: &mut Observed) {
        let (client, server) = (&self.sides.client.sealed, &self.sides.server.sealed);
        if !h.decrypted {
            by_size(h, client, server);
            return;
        }
        let Some(side) = self.lacking else { return };
        let mut guess = h.clone();
        by_size(&mut guess, client, server);
        *h.finished.of_mut(side) = *guess.finished.of(side);
        if h.application_data.of(side).is_none() {
            *h.application_data.of_mut(side) = *guess.application_data.of(side);
            *h.application_records.of_mut(side) = *guess.application_records.of(side);
        }
        if side == Side::Client {
            h.hidden.client_alert_instead_of_finished |= guess.hidden.client_alert_instead_of_finished;
        } else {
            if !h.hidden.server_flight_done.happened() {
                h.hidden.server_flight_done = guess.hidden.server_flight_done;
            }
            h.tickets_seen = h.tickets_seen.max(guess.tickets_seen);
        }
        h.read_alerts.extend(guess.read_alerts.into_iter().filter(|seen| seen.from == side && seen.alert.is_none()));
        h.read_alerts.sort_by_key(|seen| seen.mark);
    }
}

fn alert(h: &mut Observed, side: Side, text: &[u8], mark: Mark) -> bool {
    let Some(parsed) = Alert::parse(text) else {
        anomaly(h, side, mark, AnomalyKind::MalformedAlert { len: text.len() });
        return false;
    };
    let parsed = if h.is_tls13() { parsed.in_tls13() } else { parsed };
    if h.read_alerts.iter().any(|seen| seen.from == side && seen.alert == Some(parsed)) {
        return false;
    }
    letter(h, side, 'l');
    if side == Side::Client && h.finished.client.is_none() {
        h.hidden.client_alert_instead_of_finished = h.is_tls13();
    }
    note_alert(h, ReadAlert { from: side, alert: Some(parsed), encrypted: true, mark });
    true
}

/// What the records of DTLS 1.3 behind the hellos show by epoch and size: epoch 2 is the handshake, epoch 3 what follows it. Flights that were
/// sent again are there twice, which changes nothing.
fn by_size(h: &mut Observed, client: &[(u16, u16, Mark)], server: &[(u16, u16, Mark)]) {
    let suite = h.cipher();
    let overhead = 1 + suite.and_then(CipherSuite::tag).map_or(16, u16::from);
    let hash = suite.map_or(32, |suite| u16::from(suite.hash_len()));
    let (finished, alert) = (HANDSHAKE_HEADER + hash + overhead, 2 + overhead);
    // An acknowledgment of n records has 2 + 16 n bytes (RFC 9147 section 7).
    let is_ack = |len: u16| len >= 2 + overhead && (len - 2 - overhead).is_multiple_of(16) && len != finished;
    let handshake = |list: &[(u16, u16, Mark)]| list.iter().filter(|(epoch, ..)| *epoch == HANDSHAKE_EPOCH).copied().collect::<Vec<_>>();
    let later = |list: &[(u16, u16, Mark)]| list.iter().filter(|(epoch, ..)| *epoch == TRAFFIC_EPOCH).copied().collect::<Vec<_>>();
    let (client_flight, server_flight) = (handshake(client), handshake(server));

    let by_size = client_flight.iter().find(|(_, len, _)| *len == finished || *len > finished && !is_ack(*len)).map(|(.., mark)| *mark);
    // What follows the handshake comes behind it: of the Finished itself a later copy may be what is there.
    h.finished.client = by_size.into_iter().chain(later(client).first().map(|(.., mark)| *mark)).min();
    let own = server_flight.iter().rfind(|(_, len, _)| *len == finished).map(|(.., mark)| *mark);
    let answered = h.finished.client.and_then(|done| server_flight.iter().rfind(|(.., mark)| *mark < done).map(|(.., mark)| *mark));
    h.finished.server = if h.finished.client.is_some() { answered.or(own) } else { own };
    let answer = client_flight.first().map(|(.., mark)| *mark);
    h.hidden.server_flight_done = h.finished.server.or(answer).into();
    h.hidden.server_certificate_record = server_flight.iter().map(|(_, len, _)| *len).max();
    h.hidden.client_certificate_sent = client_flight.iter().any(|(_, len, _)| *len > finished && !is_ack(*len));
    // Its context, of no length, and a list of no length.
    h.hidden.client_certificate_empty = client_flight.iter().any(|(_, len, _)| *len == HANDSHAKE_HEADER + 4 + overhead);
    let answered = h.hidden.client_certificate_sent || h.hidden.client_certificate_empty;
    h.hidden.certificate_requested = answer.filter(|_| answered).map_or(Fact::Unseen, Fact::Happened);
    for (side, list) in [(Side::Client, client), (Side::Server, server)] {
        let Some(done) = h.finished.client else { break };
        for (_, len, mark) in later(list).into_iter().filter(|(.., mark)| *mark >= done) {
            if side == Side::Server && is_ack(len) && len != alert {
                h.tickets_seen = h.tickets_seen.saturating_add(1);
            } else if len != alert {
                h.application_data.of_mut(side).get_or_insert(mark);
                let records = h.application_records.of_mut(side);
                *records = records.saturating_add(1);
            }
        }
    }
    for (side, list) in [(Side::Client, client), (Side::Server, server)] {
        let Some((_, len, mark)) = list.last().copied() else { continue };
        let instead = side == Side::Client && h.finished.client.is_none();
        if len == alert {
            h.hidden.client_alert_instead_of_finished |= instead;
            note_alert(h, ReadAlert { from: side, alert: None, encrypted: true, mark });
        }
    }
}

/// Records that do not open, while none has, after which the secrets are taken for another association's.
const MISFITS: u32 = 2;
/// The handshake header of DTLS.
const HANDSHAKE_HEADER: u16 = 12;
/// Low bits of the epochs of DTLS 1.3 (RFC 9147 section 6.1).
const HANDSHAKE_EPOCH: u16 = 2;
const TRAFFIC_EPOCH: u16 = 3;
