//! Encrypted records, opened with secrets from outside, and what their messages add to the facts.
//!
//! A connection's secrets are looked for at its first encrypted record. Until they are there its encrypted records are kept, within bounds,
//! and read as without keys; when secrets turn up later, in the capture or in a growing key log, those records are opened then, and at the
//! latest when the connection ends. Records that cannot be opened count as without keys.

use crate::anomaly::AnomalyKind;
use crate::flow::{PerSide, Side};
use crate::limits;
use crate::secrets::connection::Unusable;
use crate::secrets::record::Sealed;
use crate::secrets::{ConnectionKeys, KeyRing, Opened, Parameters};
use crate::time::Mark;
use crate::tls::joiner::Joiner;
use crate::tls::message::Alert;
use crate::tls::record::Record;
use crate::tls::registry::{CipherSuite, ContentType, HandshakeType, ProtocolVersion};

use super::facts::{Observed, ReadAlert};
use super::hidden;
use super::machine::Shared;
use super::messages::{self, Place};
use super::records::{Origin, anomaly, encrypted, letter, remember};

/// The decryption of one connection.
#[derive(Debug, Default)]
pub(super) struct Decryption {
    keys: Keys,
    joiners: PerSide<Joiner<Origin>>,
    held: Vec<Held>,
    held_bytes: usize,
    /// The generation of the key ring at the last look-up.
    looked: Option<u64>,
}

#[derive(Debug, Default)]
enum Keys {
    /// Not known by now.
    #[default]
    Awaited,
    Known(Box<ConnectionKeys>),
    /// They do not fit, or the suite cannot be opened.
    Useless,
}

/// An encrypted record that awaits its key.
#[derive(Debug)]
struct Held {
    side: Side,
    content_type: ContentType,
    version: ProtocolVersion,
    body: Vec<u8>,
    at: At,
    /// Letters of the history before it, and those that it added when it was read as without keys.
    letters: (usize, usize),
    /// Bytes were missing before it.
    torn: bool,
}

/// Where a record was.
#[derive(Debug, Clone, Copy)]
struct At {
    mark: Mark,
    first: Mark,
    span: (u64, u64),
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was opened, and what it says is among the facts.
    Opened,
    /// It was changed on the way: whatever it was, it did not arrive.
    Broken,
    /// It is to be read as without keys, and kept for later.
    Held,
    /// It is to be read as without keys.
    Sealed,
}

impl Decryption {
    /// Nothing but a look at the sizes is possible so far.
    pub(super) const fn awaits_keys(&self) -> bool {
        matches!(self.keys, Keys::Awaited)
    }

    /// Enough was opened: the handshake is over, or never will be.
    pub(super) fn is_full(&self) -> bool {
        match &self.keys {
            Keys::Known(keys) => Side::BOTH.into_iter().any(|side| keys.opened(side) >= limits::OPENED_RECORDS),
            Keys::Awaited => self.is_held_full(),
            Keys::Useless => true,
        }
    }

    /// Bytes of records that await their keys, and of messages that are not whole.
    pub(super) fn held_bytes(&self) -> usize {
        let joiners = self.joiners.client.held_bytes() + self.joiners.server.held_bytes();
        let keys = if matches!(self.keys, Keys::Known(_)) { size_of::<ConnectionKeys>() } else { 0 };
        size_of::<Self>() + self.held_bytes + self.held.capacity() * size_of::<Held>() + joiners + keys
    }

    fn is_held_full(&self) -> bool {
        self.held.len() >= 2 * limits::SEALED_RECORDS || self.held_bytes >= limits::SEALED_BYTES
    }

    /// Takes a record if it is encrypted.
    #[inline(never)]
    pub(super) fn take(
        &mut self,
        h: &mut Observed,
        shared: &mut Shared,
        side: Side,
        record: &Record<'_>,
        mark: Mark,
        first: Mark,
    ) -> Taken {
        if record.content_type == ContentType::CHANGE_CIPHER_SPEC {
            self.change_cipher_spec(h, side);
        }
        if !is_encrypted(h, side, record.content_type) || matches!(self.keys, Keys::Useless) {
            return Taken::Sealed;
        }
        let at = At { mark, first, span: (record.start, record.end) };
        let Some(body) = record.body else {
            self.gap(side);
            return Taken::Sealed;
        };
        if self.awaits_keys() {
            self.look_up(h, shared);
            if !self.awaits_keys() {
                self.replay(h, shared);
            }
        }
        if self.awaits_keys() {
            if self.is_held_full() {
                return Taken::Sealed;
            }
            self.held_bytes += body.len();
            let held = Held {
                side,
                content_type: record.content_type,
                version: record.version,
                body: body.to_vec(),
                at,
                letters: (h.history.len(), 0),
                torn: false,
            };
            self.held.push(held);
            return Taken::Held;
        }
        let sealed = Sealed { content_type: record.content_type, version: record.version, body };
        self.open(h, shared, side, sealed, at, false)
    }

    /// The record just kept was read as without keys.
    pub(super) fn was_read(&mut self, h: &Observed) {
        if let Some(held) = self.held.last_mut() {
            held.letters.1 = h.history.len().saturating_sub(held.letters.0);
        }
    }

    /// Bytes of a side are missing.
    pub(super) fn gap(&mut self, side: Side) {
        self.joiners.of_mut(side).reset();
        match &mut self.keys {
            Keys::Known(keys) => keys.gap(side),
            Keys::Awaited => {
                // Marked at the next record of this side, which may come after one of the other.
                let torn = Held {
                    side,
                    content_type: ContentType::HANDSHAKE,
                    version: ProtocolVersion::TLS12,
                    body: Vec::new(),
                    at: At { mark: Mark::default(), first: Mark::default(), span: (0, 0) },
                    letters: (usize::MAX, 0),
                    torn: true,
                };
                if !self.is_held_full() {
                    self.held.push(torn);
                }
            }
            Keys::Useless => {}
        }
    }

    /// A side that encrypts already changes its cipher again: the keys of a second handshake are not known.
    pub(super) fn change_cipher_spec(&mut self, h: &Observed, side: Side) {
        if let Keys::Known(keys) = &mut self.keys
            && !h.is_tls13()
            && h.change_cipher_spec.of(side).is_some()
        {
            keys.forget(side);
        }
    }

    /// The connection ended: the last moment at which secrets may have turned up.
    pub(super) fn finish(&mut self, h: &mut Observed, shared: &mut Shared) {
        if self.awaits_keys() && !self.held.is_empty() {
            self.look_up(h, shared);
            self.replay(h, shared);
        }
        self.fill_from_sizes(h);
    }

    /// A log may hold the secrets of one direction only (a client that refuses the server's flight logs no more than that): what the other
    /// direction sent is then told by its sizes, as without keys.
    fn fill_from_sizes(&self, h: &mut Observed) {
        let Keys::Known(keys) = &self.keys else { return };
        let (true, true, Some(suite)) = (h.decrypted, h.is_tls13(), h.cipher()) else { return };
        let resumed = h.server_hello.as_ref().is_some_and(|hello| hello.what.selected_psk().is_some());
        let Some(side) = Side::BOTH.into_iter().find(|side| !keys.knows(*side)) else { return };
        let reading = hidden::read(suite, resumed, h.early_data_offered, &h.encrypted);
        *h.finished.of_mut(side) = *reading.finished.of(side);
        *h.application_data.of_mut(side) = *reading.application.of(side);
        *h.application_records.of_mut(side) = *reading.application_records.of(side);
        *h.hidden.padding.of_mut(side) = *reading.hidden.padding.of(side);
        h.tickets_seen = h.tickets_seen.max(reading.tickets);
        match side {
            Side::Client => {
                let asked = h.hidden.certificate_requested.happened();
                h.hidden.client_certificate_empty = reading.hidden.client_certificate_empty && asked;
                h.hidden.client_certificate_sent = reading.hidden.client_certificate_sent && asked;
                h.hidden.client_alert_instead_of_finished = reading.hidden.client_alert_instead_of_finished;
            }
            Side::Server => {
                h.hidden.server_flight_done = reading.hidden.server_flight_done;
                h.hidden.certificate_requested = reading.hidden.certificate_requested;
                h.hidden.server_certificate_record = reading.hidden.server_certificate_record;
                h.hidden.certificate_verify_record = reading.hidden.certificate_verify_record;
            }
        }
        if let Some((mark, after_finished)) = *reading.last_is_alert.of(side)
            && (after_finished || (side == Side::Client && reading.hidden.client_alert_instead_of_finished))
        {
            sealed_alert(h, side, mark);
        }
    }

    fn look_up(&mut self, h: &Observed, shared: &Shared) {
        let (Some(ring), Some(parameters)) = (&shared.keys, parameters(h)) else { return };
        let generation = ring.generation();
        if self.looked.replace(generation) == Some(generation) {
            return;
        }
        match ring.keys(parameters) {
            Some(Ok(keys)) => self.keys = Keys::Known(Box::new(keys)),
            Some(Err(Unusable::Suite)) => {
                ring.count_unsupported();
                self.keys = Keys::Useless;
            }
            // They, or the rest of them, may be on their way.
            None | Some(Err(Unusable::Secrets)) => {}
        }
    }

    /// Opens what was kept, and puts the letters of its messages where they belong.
    fn replay(&mut self, h: &mut Observed, shared: &mut Shared) {
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        if !matches!(self.keys, Keys::Known(_)) {
            return;
        }
        let old = std::mem::take(&mut h.history);
        let mut read = 0;
        for Held { side, content_type, version, body, at, letters: (before, added), torn } in held {
            if torn {
                self.gap(side);
                continue;
            }
            h.history.extend(&old, read..before);
            let taken = self.open(h, shared, side, Sealed { content_type, version, body: &body }, at, true);
            let as_before = match taken {
                Taken::Sealed | Taken::Held => true,
                Taken::Opened => !h.is_tls13(),
                Taken::Broken => false,
            };
            if as_before {
                h.history.extend(&old, before..before + added);
            }
            read = before + added;
        }
        h.history.extend(&old, read..);
    }

    /// Opens a record and reads what it says. `again`: it was read as without keys before.
    fn open(&mut self, h: &mut Observed, shared: &mut Shared, side: Side, sealed: Sealed<'_>, at: At, again: bool) -> Taken {
        let Keys::Known(keys) = &mut self.keys else { return Taken::Sealed };
        let early = h.early_data_offered && side == Side::Client && keys.opened(side) == 0 && h.is_tls13();
        match keys.open(side, sealed) {
            Opened::Content(kind, text) => {
                if !std::mem::replace(&mut h.decrypted, true)
                    && let Some(ring) = &shared.keys
                {
                    ring.count_decrypted();
                }
                if h.is_tls13() && !again {
                    remember(h, side, sealed.content_type, u16::try_from(sealed.body.len()).unwrap_or(u16::MAX), at.mark);
                }
                self.content(h, shared, side, kind, &text, at, again);
                Taken::Opened
            }
            Opened::Early(ContentType::APPLICATION_DATA, _) => {
                h.early_data_records = h.early_data_records.saturating_add(1);
                Taken::Opened
            }
            Opened::Early(..) => Taken::Opened,
            // Early data that the server refused, or whose secret the log lacks.
            Opened::Failed if early => {
                h.early_data_records = h.early_data_records.saturating_add(1);
                Taken::Opened
            }
            Opened::Failed => {
                let fitted = Side::BOTH.into_iter().any(|side| keys.opened(side) > 0);
                if !fitted {
                    if let Some(ring) = &shared.keys {
                        ring.count_misfit();
                    }
                    self.keys = Keys::Useless;
                    return Taken::Sealed;
                }
                let torn = keys.is_torn(side);
                keys.gap(side);
                if torn || sealed.content_type == ContentType::ALERT {
                    return Taken::Sealed;
                }
                // Keys that fit what was before show that this is not what its sender sent. Whatever it was, it did not arrive.
                anomaly(h, side, at.mark, AnomalyKind::RecordNotDecrypted { len: sealed.body.len() });
                self.joiners.of_mut(side).reset();
                if again {
                    let finished = h.finished.of_mut(side);
                    *finished = finished.filter(|mark| *mark != at.mark);
                    return Taken::Broken;
                }
                remember(h, side, sealed.content_type, u16::try_from(sealed.body.len()).unwrap_or(u16::MAX), at.mark);
                Taken::Broken
            }
            Opened::NoKey if h.is_tls13() && h.finished.of(side).is_some() => {
                let tag = h.cipher().and_then(CipherSuite::tag).unwrap_or(16);
                after_finished_by_size(h, side, sealed.body.len(), usize::from(tag), at.mark);
                Taken::Opened
            }
            Opened::NoKey => Taken::Sealed,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a record's content, whose it is, where it was, and what it adds to")]
    fn content(&mut self, h: &mut Observed, shared: &mut Shared, side: Side, kind: ContentType, text: &[u8], at: At, again: bool) {
        match kind {
            ContentType::HANDSHAKE => self.messages(h, shared, side, text, at, again),
            ContentType::ALERT => alert(h, side, text, at.mark, again),
            ContentType::APPLICATION_DATA if h.is_tls13() || !again => application_data(h, side, at.mark),
            _ => {}
        }
    }

    fn messages(&mut self, h: &mut Observed, shared: &mut Shared, side: Side, mut text: &[u8], at: At, again: bool) {
        let Self { keys: Keys::Known(keys), joiners, .. } = self else { return };
        let joiner = joiners.of_mut(side);
        while !text.is_empty() {
            let (used, joined) = joiner.read(text, (at.first, at.span.0));
            if let Some(joined) = joined {
                let place = Place { mark: at.mark, first: joined.first.0, span: (joined.first.1, at.span.1) };
                match joined.body {
                    Some(body) if h.is_tls13() => {
                        messages::on_decrypted(h, shared, side, joined.kind, body, place);
                        match joined.kind {
                            HandshakeType::FINISHED => keys.finished(side),
                            HandshakeType::KEY_UPDATE => keys.key_update(side),
                            _ => {}
                        }
                    }
                    Some(_) if !again => older(h, side, joined.kind, at.mark),
                    Some(_) => {}
                    None => {
                        let kind = AnomalyKind::MessageTooLong { message: joined.kind.0, len: joined.len };
                        anomaly(h, side, at.mark, kind);
                    }
                }
            }
            text = text.get(used.max(1)..).unwrap_or_default();
        }
    }
}

/// What a connection's keys follow from, beside its secrets; `None` until both hellos have been seen.
pub(super) fn parameters(h: &Observed) -> Option<Parameters<'_>> {
    let (hello, answer) = (h.hello()?, &h.server_hello.as_ref()?.what);
    Some(Parameters {
        version: answer.version(),
        suite: answer.cipher_suite(),
        client_random: hello.random(),
        server_random: answer.random(),
        encrypt_then_mac: answer.encrypt_then_mac(),
    })
}

/// Whether a record of this type is encrypted, as far as the handshake has come.
fn is_encrypted(h: &Observed, side: Side, content_type: ContentType) -> bool {
    if h.server_hello.is_none() {
        return false;
    }
    if h.is_tls13() {
        return content_type == ContentType::APPLICATION_DATA;
    }
    content_type != ContentType::CHANGE_CIPHER_SPEC && encrypted(h, side)
}

/// A message behind the ChangeCipherSpec of TLS ≤ 1.2: Finished, or the beginning of a second handshake.
fn older(h: &mut Observed, side: Side, kind: HandshakeType, mark: Mark) {
    if kind == HandshakeType::FINISHED {
        h.finished.of_mut(side).get_or_insert(mark);
    } else if h.finished.of(side).is_some() && h.finished.of(side.other()).is_some() && h.renegotiation.is_none() {
        h.renegotiation = Some((side, mark));
    }
    letter(h, side, messages::history_letter(kind));
}

fn alert(h: &mut Observed, side: Side, text: &[u8], mark: Mark, again: bool) {
    let Some(parsed) = Alert::parse(text) else {
        anomaly(h, side, mark, AnomalyKind::MalformedAlert { len: text.len() });
        return;
    };
    let parsed = if h.is_tls13() { parsed.in_tls13() } else { parsed };
    if again && let Some(seen) = h.read_alerts.iter_mut().find(|seen| seen.from == side && seen.mark == mark && seen.alert.is_none()) {
        seen.alert = Some(parsed);
        return;
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
}

fn application_data(h: &mut Observed, side: Side, mark: Mark) {
    if h.application_data.of(side).is_none() {
        letter(h, side, 'd');
    }
    h.application_data.of_mut(side).get_or_insert(mark);
    let count = h.application_records.of_mut(side);
    *count = count.saturating_add(1);
}

/// A record behind a side's Finished, when the log holds no secrets of application data: told by its size, as without keys.
fn after_finished_by_size(h: &mut Observed, side: Side, len: usize, tag: usize, mark: Mark) {
    if len == 2 + 1 + tag {
        sealed_alert(h, side, mark);
    } else if side == Side::Server && h.application_data.client.is_none() {
        h.tickets_seen = h.tickets_seen.saturating_add(u32::from(h.finished.client.is_some()));
    } else {
        application_data(h, side, mark);
    }
}

/// An alert that cannot be read.
fn sealed_alert(h: &mut Observed, side: Side, mark: Mark) {
    if h.read_alerts.len() < limits::ALERTS {
        let seen = ReadAlert { from: side, alert: None, encrypted: true, mark };
        let place = h.read_alerts.partition_point(|other| other.mark <= mark);
        h.read_alerts.insert(place, seen);
    }
}

/// Where a key ring is, whether anything is to be decrypted at all.
pub(super) fn wanted(ring: Option<&std::sync::Arc<KeyRing>>) -> Option<Box<Decryption>> {
    ring.map(|_| Box::default())
}
