//! Encrypted records: opened with secrets from outside, or told by their epochs and sizes.
//!
//! As over TCP, records whose secrets are not there yet are kept within bounds and opened when these come, at the latest at the end.

use crate::dtls::record::{ACK, Form, Record, records};
use crate::flow::Side;
use crate::limits;
use crate::secrets::connection::Unusable;
use crate::secrets::datagram::{DatagramKeys, Revealed};
use crate::time::Mark;
use crate::tls::message::Alert;
use crate::tls::registry::{CipherSuite, ContentType};

use super::{Dtls, Repeated, SEALED, application_data, encrypted_handshake, remember};
use crate::anomaly::AnomalyKind;
use crate::handshake::decrypt::parameters;
use crate::handshake::facts::{Fact, Observed, ReadAlert};
use crate::handshake::machine::Shared;
use crate::handshake::records::{anomaly, letter};

/// The opening of one association's records.
#[derive(Debug, Default)]
pub(super) struct Unsealing {
    keys: Keys,
    held: Vec<Held>,
    held_bytes: usize,
    /// The generation of the key ring at the last look-up.
    looked: Option<u64>,
    opened: u64,
    failed: u32,
}

#[derive(Debug, Default)]
enum Keys {
    /// Not known by now.
    #[default]
    Awaited,
    Known(Box<DatagramKeys>),
    /// They do not fit, or the suite cannot be opened.
    Useless,
}

/// A record that awaits its key.
#[derive(Debug)]
struct Held {
    side: Side,
    mark: Mark,
    bytes: Vec<u8>,
    cid_len: usize,
    /// Letters of the history before it.
    letters: usize,
}

impl Unsealing {
    /// Bytes that it takes with the records that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.held_bytes + self.held.capacity() * size_of::<Held>()
    }

    /// Nothing more is to be opened.
    pub(super) fn is_full(&self) -> bool {
        match &self.keys {
            Keys::Awaited => self.is_held_full(),
            Keys::Known(_) => self.opened >= limits::OPENED_RECORDS,
            Keys::Useless => true,
        }
    }

    fn is_held_full(&self) -> bool {
        self.held.len() >= 2 * limits::SEALED_RECORDS || self.held_bytes >= limits::SEALED_BYTES
    }

    /// Looks for secrets that are not there yet. True when there are keys now for records that were kept.
    fn look_up(&mut self, h: &Observed, shared: &Shared) -> bool {
        let (Some(ring), Some(parameters)) = (&shared.keys, parameters(h)) else { return false };
        let lacking = match &self.keys {
            Keys::Awaited => true,
            Keys::Known(keys) => !keys.is_whole(),
            Keys::Useless => false,
        };
        if !lacking || self.looked.replace(ring.generation()) == Some(ring.generation()) {
            return false;
        }
        match ring.datagram_keys(parameters) {
            Some(Ok(keys)) => self.keys = Keys::Known(Box::new(keys)),
            Some(Err(Unusable::Suite)) => {
                ring.count_unsupported();
                self.keys = Keys::Useless;
            }
            None | Some(Err(Unusable::Secrets)) => {}
        }
        matches!(self.keys, Keys::Known(_)) && !self.held.is_empty()
    }

    /// What came of a record.
    fn open(&mut self, h: &mut Observed, shared: &Shared, side: Side, record: &Record<'_>) -> Revealed {
        let Keys::Known(keys) = &mut self.keys else { return Revealed::NoKey };
        let revealed = keys.open(side, record);
        match &revealed {
            Revealed::Content(..) => {
                self.opened = self.opened.saturating_add(1);
                if !std::mem::replace(&mut h.decrypted, true)
                    && let Some(ring) = &shared.keys
                {
                    ring.count_decrypted();
                }
            }
            Revealed::Failed if self.opened == 0 => {
                self.failed = self.failed.saturating_add(1);
                if self.failed >= MISFITS {
                    if let Some(ring) = &shared.keys {
                        ring.count_misfit();
                    }
                    self.keys = Keys::Useless;
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
    pub(super) fn unseal(
        &mut self,
        h: &mut Observed,
        shared: &mut Shared,
        side: Side,
        record: &Record<'_>,
        mark: Mark,
        repeated: &mut Repeated,
    ) -> Option<bool> {
        if self.unsealing.is_none() || (record.form != Form::Unified && record.epoch == 0) {
            return None;
        }
        self.look_up(h, shared);
        let cid_len = *self.cid_len.of(side);
        let unsealing = self.unsealing.as_mut()?;
        if matches!(unsealing.keys, Keys::Awaited) {
            if !unsealing.is_held_full() && !record.is_cut() {
                let bytes = [record.header, record.body].concat();
                unsealing.held_bytes += bytes.len();
                unsealing.held.push(Held { side, mark, bytes, cid_len, letters: h.history.len() });
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
                Some(self.content(h, shared, side, record, (epoch, kind, &text), mark, repeated))
            }
            // A record that was changed on the way is dropped by its receiver as if it had been lost.
            Revealed::Failed if unsealing.opened > 0 => Some(false),
            Revealed::Failed | Revealed::NoKey => None,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a record's content, whose it is, where it was, and what it adds to")]
    fn content(
        &mut self,
        h: &mut Observed,
        shared: &mut Shared,
        side: Side,
        record: &Record<'_>,
        (epoch, kind, text): (u16, ContentType, &[u8]),
        mark: Mark,
        repeated: &mut Repeated,
    ) -> bool {
        let unified = record.form == Form::Unified;
        match kind {
            ContentType::HANDSHAKE if unified => self.fragments(h, shared, side, text, mark, repeated),
            ContentType::HANDSHAKE => encrypted_handshake(h, side, record, mark, repeated),
            ContentType::ALERT => alert(h, side, text, mark),
            ContentType::APPLICATION_DATA if unified && epoch == super::EARLY_DATA => {
                h.early_data_records = h.early_data_records.saturating_add(1);
                true
            }
            ContentType::APPLICATION_DATA => application_data(h, side, mark),
            // What the server acknowledges of the client's last flight, it took.
            ACK => {
                if side == Side::Server && h.finished.client.is_some() {
                    h.tickets_seen = h.tickets_seen.saturating_add(1);
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
        if let Keys::Known(keys) = &unsealing.keys {
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
            && matches!(unsealing.keys, Keys::Known(_))
            && let Some(ring) = &shared.keys
        {
            ring.count_misfit();
        }
    }

    /// Opens what was kept, and puts the letters of its messages where they belong. What DTLS before 1.3 encrypts was read as it came, except
    /// what its alerts say.
    fn replay(&mut self, h: &mut Observed, shared: &mut Shared) {
        let Some(unsealing) = &mut self.unsealing else { return };
        let held = std::mem::take(&mut unsealing.held);
        unsealing.held_bytes = 0;
        let old = std::mem::take(&mut h.history);
        let mut at = 0;
        if h.is_tls13() {
            h.early_data_records = 0;
        }
        for Held { side, mark, bytes, cid_len, letters } in held {
            h.history.extend(&old, at..letters);
            at = letters;
            let Some(record) = records(&bytes, cid_len).next() else { continue };
            let Some(unsealing) = &mut self.unsealing else { continue };
            let Revealed::Content(epoch, kind, text) = unsealing.open(h, shared, side, &record) else { continue };
            if record.form == Form::Unified {
                self.content(h, shared, side, &record, (epoch, kind, &text), mark, &mut None);
            } else if kind == ContentType::ALERT {
                let known = h.read_alerts.iter_mut().find(|seen| seen.from == side && seen.mark == mark && seen.alert.is_none());
                match (known, Alert::parse(&text)) {
                    (Some(seen), parsed) => seen.alert = parsed,
                    (None, _) => drop(alert(h, side, &text, mark)),
                }
            }
        }
        h.history.extend(&old, at..);
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
    if h.read_alerts.len() < limits::ALERTS {
        let seen = ReadAlert { from: side, alert: Some(parsed), encrypted: true, mark };
        let place = h.read_alerts.partition_point(|other| other.mark <= mark);
        h.read_alerts.insert(place, seen);
    }
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
    h.finished.client = by_size.or_else(|| later(client).first().map(|(.., mark)| *mark));
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
            let seen = ReadAlert { from: side, alert: None, encrypted: true, mark };
            let place = h.read_alerts.partition_point(|other| other.mark <= mark);
            h.read_alerts.insert(place, seen);
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
