//! Encrypted records, opened with secrets from outside, and what their messages add to the facts.
//!
//! A connection's secrets are looked for at its first encrypted record. Until they are there its encrypted records are kept, within bounds,
//! and read as without keys; when secrets turn up later, in the capture or in a growing key log, those records are opened then, and at the
//! latest when the connection ends. Records that cannot be opened count as without keys.

use crate::anomaly::AnomalyKind;
use crate::flow::{PerSide, Side};
use crate::limits;
use crate::secrets::record::Sealed;
use crate::secrets::{ConnectionKeys, KeyRing, Opened, Parameters};
use crate::time::Mark;
use crate::tls::joiner::Joiner;
use crate::tls::message::Alert;
use crate::tls::record::Record;
use crate::tls::registry::{CipherSuite, ContentType, HandshakeType, ProtocolVersion};

use super::contents::Contents;
use super::facts::{Observed, ReadAlert};
use super::hidden;
use super::messages::{self, Place};
use super::notes::{Origin, anomaly, encrypted, letter, note_alert, read_again, read_use, remember};
use super::pending::{self, Keys, Pending, note_decrypted};
use super::shared::Shared;

/// The decryption of one connection.
#[derive(Debug, Default)]
pub(super) struct Decryption {
    pending: Pending<ConnectionKeys, Encrypted>,
    joiners: PerSide<Joiner<Origin>>,
    /// What travels inside.
    pub(super) contents: Contents,
}

/// What awaits its key, of one side.
#[derive(Debug)]
enum Encrypted {
    Record {
        side: Side,
        content_type: ContentType,
        version: ProtocolVersion,
        body: Vec<u8>,
        place: Place,
    },
    /// Bytes are missing here.
    Gap(Side),
}

/// A record that is opened: whose it is, where it was, and what it adds to.
pub(super) struct Opening<'a> {
    pub(super) h: &'a mut Observed,
    pub(super) shared: &'a mut Shared,
    pub(super) side: Side,
    pub(super) place: Place,
    /// It was read as without keys before.
    pub(super) again: bool,
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
        self.pending.awaits_keys()
    }

    /// Enough was opened: the handshake is over, or never will be.
    pub(super) fn is_full(&self) -> bool {
        match &self.pending.keys {
            Keys::Known(keys) => {
                let most = if self.contents.are_wanted() { limits::TUNNELS_RECORDS } else { limits::OPENED_RECORDS };
                Side::BOTH.into_iter().any(|side| keys.opened(side) >= most)
            }
            Keys::Awaited => self.pending.is_full(),
            Keys::Useless => true,
        }
    }

    /// Bytes of records that await their keys, and of messages that are not whole.
    pub(super) fn held_bytes(&self) -> usize {
        let joiners = self.joiners.client.held_bytes() + self.joiners.server.held_bytes();
        size_of::<Self>() + self.pending.held_bytes() + joiners + self.contents.held_bytes()
    }

    /// Takes a record if it is encrypted.
    #[inline(never)]
    pub(super) fn take(&mut self, mut opening: Opening<'_>, record: &Record<'_>) -> Taken {
        let Opening { h, shared, side, place, .. } = &mut opening;
        let side = *side;
        if record.content_type == ContentType::CHANGE_CIPHER_SPEC {
            self.change_cipher_spec(h, side);
        }
        if !is_encrypted(h, side, record.content_type) || self.pending.is_useless() {
            return Taken::Sealed;
        }
        let Some(body) = record.body else {
            self.gap(h, side);
            return Taken::Sealed;
        };
        if self.awaits_keys() {
            self.look_up(h, shared);
            if !self.awaits_keys() {
                self.replay(h, shared);
            }
        }
        let (content_type, version) = (record.content_type, record.version);
        if self.awaits_keys() {
            if self.pending.is_full() {
                self.contents.lose();
                return Taken::Sealed;
            }
            self.pending.hold(h, body.len(), Encrypted::Record { side, content_type, version, body: body.to_vec(), place: *place });
            return Taken::Held;
        }
        self.open(&mut opening, Sealed { content_type, version, body })
    }

    /// The record just kept was read as without keys.
    pub(super) fn was_read(&mut self, h: &Observed) {
        self.pending.was_read(h);
    }

    /// Bytes of a side are missing.
    pub(super) fn gap(&mut self, h: &Observed, side: Side) {
        self.joiners.of_mut(side).reset();
        self.contents.lose();
        match &mut self.pending.keys {
            Keys::Known(keys) => keys.gap(side),
            Keys::Awaited => _ = self.pending.hold(h, 0, Encrypted::Gap(side)),
            Keys::Useless => {}
        }
    }

    /// A side that encrypts already changes its cipher again: the keys of a second handshake are not known.
    pub(super) fn change_cipher_spec(&mut self, h: &Observed, side: Side) {
        if let Keys::Known(keys) = &mut self.pending.keys
            && !h.is_tls13()
            && h.change_cipher_spec.of(side).is_some()
        {
            keys.forget(side);
        }
    }

    /// The connection ended: the last moment at which secrets may have turned up.
    pub(super) fn finish(&mut self, h: &mut Observed, shared: &mut Shared) {
        if self.awaits_keys() && !self.pending.is_empty() {
            self.look_up(h, shared);
            self.look_behind_ech(h, shared);
            self.replay(h, shared);
        }
        self.fill_from_sizes(h);
    }

    /// A log may hold the secrets of one direction only (a client that refuses the server's flight logs no more than that): what the other
    /// direction sent is then told by its sizes, as without keys.
    fn fill_from_sizes(&self, h: &mut Observed) {
        let Keys::Known(keys) = &self.pending.keys else { return };
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
        let Some(parameters) = parameters(h) else { return };
        if let Some(ring) = self.pending.news(shared) {
            self.pending.found(ring, ring.keys(parameters));
        }
    }

    /// Where the server took the hello that the client encrypted (ECH), the secrets are filed under that one's random, which nobody sees.
    fn look_behind_ech(&mut self, h: &mut Observed, shared: &mut Shared) {
        let offered = h.is_tls13() && h.hello().is_some_and(|hello| hello.ech().is_some());
        if !offered || !self.awaits_keys() {
            return;
        }
        let (Some(parameters), Some(ring)) = (parameters(h), shared.keys.clone()) else { return };
        let Some(Encrypted::Record { side: Side::Server, content_type, version, body, .. }) = self.pending.first() else { return };
        let sealed = Sealed { content_type: *content_type, version: *version, body };
        if let Some(keys) = ring.keys_that_open(parameters, sealed, &mut shared.tries) {
            self.pending.keys = Keys::Known(Box::new(keys));
            h.ech_accepted = true;
        }
    }

    /// Opens what was kept, where its keys are known now.
    fn replay(&mut self, h: &mut Observed, shared: &mut Shared) {
        let held = self.pending.take();
        if !matches!(self.pending.keys, Keys::Known(_)) {
            return;
        }
        pending::replay(h, held, |h, encrypted| match encrypted {
            Encrypted::Gap(side) => {
                self.gap(h, side);
                true
            }
            Encrypted::Record { side, content_type, version, body, place } => {
                let mut opening = Opening { h: &mut *h, shared: &mut *shared, side, place, again: true };
                match self.open(&mut opening, Sealed { content_type, version, body: &body }) {
                    Taken::Sealed | Taken::Held => true,
                    Taken::Opened => !h.is_tls13(),
                    Taken::Broken => false,
                }
            }
        });
    }

    /// Opens a record and reads what it says.
    fn open(&mut self, opening: &mut Opening<'_>, sealed: Sealed<'_>) -> Taken {
        let Keys::Known(keys) = &mut self.pending.keys else { return Taken::Sealed };
        let Opening { h, shared, side, place, again } = opening;
        let (side, again, mark) = (*side, *again, place.mark);
        let len = u16::try_from(sealed.body.len()).unwrap_or(u16::MAX);
        let early = h.early_data_offered && side == Side::Client && keys.opened(side) == 0 && h.is_tls13();
        match keys.open(side, sealed) {
            Opened::Content(kind, text) => {
                note_decrypted(h, shared);
                if h.is_tls13() && !again {
                    remember(h, side, sealed.content_type, len, mark);
                }
                self.content(opening, kind, &text);
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
                    self.pending.misfit(shared);
                    return Taken::Sealed;
                }
                let torn = keys.is_torn(side);
                keys.gap(side);
                self.contents.lose();
                if torn || sealed.content_type == ContentType::ALERT {
                    return Taken::Sealed;
                }
                // Keys that fit what was before show that this is not what its sender sent. Whatever it was, it did not arrive.
                anomaly(h, side, mark, AnomalyKind::RecordNotDecrypted { len: sealed.body.len() });
                self.joiners.of_mut(side).reset();
                if again {
                    let finished = h.finished.of_mut(side);
                    *finished = finished.filter(|finished| *finished != mark);
                } else {
                    remember(h, side, sealed.content_type, len, mark);
                }
                Taken::Broken
            }
            Opened::NoKey if h.is_tls13() && h.finished.of(side).is_some() => {
                self.contents.lose();
                let tag = h.cipher().and_then(CipherSuite::tag).unwrap_or(16);
                after_finished_by_size(h, side, sealed.body.len(), usize::from(tag), mark);
                Taken::Opened
            }
            Opened::NoKey => {
                self.contents.lose();
                Taken::Sealed
            }
        }
    }

    fn content(&mut self, opening: &mut Opening<'_>, kind: ContentType, text: &[u8]) {
        let Opening { h, side, place, again, .. } = opening;
        if kind == ContentType::APPLICATION_DATA {
            read_use(h, *side, text, place.mark);
            self.contents.add(*side, text, *place);
        }
        match kind {
            ContentType::HANDSHAKE => self.messages(opening, text),
            ContentType::ALERT => alert(h, *side, text, place.mark, *again),
            ContentType::APPLICATION_DATA if h.is_tls13() || !*again => application_data(h, *side, place.mark),
            _ => {}
        }
    }

    fn messages(&mut self, opening: &mut Opening<'_>, mut text: &[u8]) {
        let Self { pending: Pending { keys: Keys::Known(keys), .. }, joiners, .. } = self else { return };
        let Opening { h, shared, side, place: record, again } = opening;
        let side = *side;
        let joiner = joiners.of_mut(side);
        while !text.is_empty() {
            let (used, joined) = joiner.read(text, (record.first, record.span.0));
            if let Some(joined) = joined {
                let place = Place { mark: record.mark, first: joined.first.0, span: (joined.first.1, record.span.1) };
                match joined.body {
                    Some(body) if h.is_tls13() => {
                        messages::on_decrypted(h, shared, side, joined.kind, body, place);
                        match joined.kind {
                            HandshakeType::FINISHED => keys.finished(side),
                            HandshakeType::KEY_UPDATE => keys.key_update(side),
                            _ => {}
                        }
                    }
                    Some(body) if !*again => older(h, side, joined.kind, body, record.mark),
                    Some(_) => {}
                    None => {
                        let kind = AnomalyKind::MessageTooLong { message: joined.kind.0, len: joined.len };
                        anomaly(h, side, record.mark, kind);
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
fn older(h: &mut Observed, side: Side, kind: HandshakeType, body: &[u8], mark: Mark) {
    if kind == HandshakeType::FINISHED {
        h.finished.of_mut(side).get_or_insert(mark);
    } else if h.finished.of(side).is_some() && h.finished.of(side.other()).is_some() {
        read_again(h, side, kind, body, mark);
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
    note_alert(h, ReadAlert { from: side, alert: Some(parsed), encrypted: true, mark });
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
    note_alert(h, ReadAlert { from: side, alert: None, encrypted: true, mark });
}

/// Where a key ring is, whether anything is to be decrypted at all.
pub(super) fn wanted(ring: Option<&std::sync::Arc<KeyRing>>) -> Option<Box<Decryption>> {
    ring.map(|_| Box::default())
}
