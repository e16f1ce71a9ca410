//! One direction's bytes: record reader and message joiner, and what each record adds to the facts.

use crate::anomaly::AnomalyKind;
use crate::flow::Side;
use crate::limits;
use crate::time::Mark;
use crate::tls::joiner::Joiner;
use crate::tls::message::Alert;
use crate::tls::record::{HEADER_LEN, Item, Record, RecordError, RecordErrorKind, RecordReader};
use crate::tls::registry::{ContentType, HandshakeType, ProtocolVersion};
use crate::tls::server_hello::ServerHello;
use crate::transport::{Data, Gap, Interest};

use super::decrypt::{Decryption, Opening, Taken};
use super::facts::{Observed, PartialMessage, Protocol, ReadAlert, Resumption};
use super::hidden;
use super::later_auth;
use super::messages::{self, Place};
use super::notes::{Origin, anomaly, changed_again, encrypted, letter, note_alert, remember, sealed_again, used};
use super::shared::Shared;

/// One direction.
#[derive(Debug)]
pub(super) struct Stream {
    reader: RecordReader,
    /// The record reader is at work.
    started: bool,
    joiner: Joiner<Origin>,
    /// First bytes, gathered until they can be told to be TLS or not.
    head: Option<Box<Head>>,
    /// Where the record that is being gathered began.
    record_began: Option<Mark>,
    ignored: bool,
}

/// The first bytes of a direction.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) offset: u64,
    bytes: Vec<u8>,
    mark: Mark,
}

impl Head {
    pub(super) fn data(&self, side: Side) -> Data<'_> {
        Data { side, offset: self.offset, bytes: &self.bytes, mark: &self.mark }
    }
}

/// First bytes that are gathered at most before they are judged.
const HEAD: usize = 64;
/// So many records from a server since the client's first data are no notice that it does not serve: two tickets, and a page.
const ANSWERS_THAT_SERVE: u32 = 4;

impl Default for Stream {
    fn default() -> Self {
        Self { reader: RecordReader::new(0), started: false, joiner: Joiner::new(), head: None, record_began: None, ignored: false }
    }
}

impl Stream {
    /// The first bytes of this direction, these included: borrowed where they are the only ones.
    pub(super) fn head<'a>(&'a mut self, data: &Data<'a>) -> &'a [u8] {
        if self.head.is_none() && data.bytes.len() >= HEAD {
            return data.bytes;
        }
        self.gather(data)
    }

    /// The same, kept in any case: more is to come.
    pub(super) fn gather(&mut self, data: &Data<'_>) -> &[u8] {
        let head = self.head.get_or_insert_with(|| Box::new(Head { offset: data.offset, bytes: Vec::new(), mark: *data.mark }));
        head.bytes.extend_from_slice(data.bytes);
        head.mark = *data.mark;
        &head.bytes
    }

    /// What was gathered; `None` when the piece at hand is all there is.
    pub(super) fn take_head(&mut self) -> Option<Head> {
        self.head.take().map(|head| *head)
    }

    /// The record reader is at work.
    pub(super) const fn started(&self) -> bool {
        self.started
    }

    /// Starts the record reader at this offset; in mid-stream it first looks for a header. Bodies of application data are wanted only where
    /// they may be decrypted.
    pub(super) fn begin(&mut self, offset: u64, midstream: bool, keep_encrypted: bool) {
        self.reader = if midstream { RecordReader::midstream(offset) } else { RecordReader::new(offset) };
        self.reader.keep_encrypted(keep_encrypted);
        self.started = true;
    }

    /// The first bytes are missing: what follows begins at this offset, in the middle of something.
    pub(super) fn missed_beginning(&mut self, offset: u64, keep_encrypted: bool) {
        self.head = None;
        self.begin(offset, true, keep_encrypted);
        self.joiner.lose((Mark::default(), offset));
    }

    /// Nothing more is wanted of this direction.
    pub(super) fn ignore(&mut self) {
        self.ignored = true;
        self.head = None;
    }

    pub(super) const fn ignored(&self) -> bool {
        self.ignored
    }

    /// Bytes of records and messages that are not whole.
    pub(super) fn held_bytes(&self) -> usize {
        self.reader.held_bytes() + self.joiner.held_bytes() + self.head.as_ref().map_or(0, |head| size_of::<Head>() + head.bytes.capacity())
    }

    /// Reads a piece, up to the record that settles the handshake: what is said of it must not depend on what else lay in the same segment.
    pub(super) fn read(
        &mut self,
        handshake: &mut Observed,
        shared: &mut Shared,
        decryption: Option<&mut Decryption>,
        data: &Data<'_>,
    ) -> Interest {
        let Self { reader, joiner, record_began, .. } = self;
        let mut reading = Reading { handshake, shared, decryption, joiner, record_began, data, side: data.side };
        let mut rest = data.bytes;
        while !rest.is_empty() {
            let (used, settled);
            // Records are looked at where they lie: a copy would wait for what was just written.
            if let Some(record) = reader.whole(rest) {
                used = HEADER_LEN + usize::from(record.len);
                settled = reading.record(&record);
            } else {
                let before = reader.offset();
                let part = reader.part(rest, &mut reading.shared.buffers);
                used = part.0.max(1);
                settled = match &part.1 {
                    Some(Item::Record(record)) => reading.record(record),
                    Some(Item::Error(error)) => reading.error(error, rest),
                    None => {
                        if reading.record_began.is_none() && reader.in_sync() && reader.offset() > before {
                            *reading.record_began = Some(*data.mark);
                        }
                        false
                    }
                };
                reader.release_buffer(&mut reading.shared.buffers);
            }
            if settled {
                return Interest::Settled;
            }
            rest = rest.get(used..).unwrap_or_default();
        }
        if reading.side == data.side { Interest::More } else { Interest::Swap }
    }

    /// Bytes are missing.
    pub(super) fn gap(&mut self, handshake: &mut Observed, shared: &mut Shared, decryption: Option<&mut Decryption>, gap: Gap) {
        let Self { reader, joiner, record_began, .. } = self;
        joiner.lose((gap.mark, gap.offset));
        if let Some(decryption) = decryption {
            decryption.gap(handshake, gap.side);
        }
        if let Some(Item::Record(record)) = reader.gap(gap.len) {
            let first = record_began.take().unwrap_or(gap.mark);
            let place = Place { mark: gap.mark, first, span: (record.start, record.end) };
            on_record(handshake, shared, joiner, gap.side, &record, &place);
        }
    }

    /// A message whose rest never came is a fact as well.
    pub(super) fn keep_partial(&self, handshake: &mut Observed, side: Side) {
        let Self { reader, .. } = self;
        let in_secret = side == Side::Server && handshake.is_tls13() && handshake.server_hello.is_some();
        if in_secret && self.started && handshake.encrypted.client.is_empty() && handshake.finished.client.is_none() {
            let cut = reader.pending().filter(|record| record.content_type == ContentType::APPLICATION_DATA && record.have < record.len);
            handshake.partial_server_message = cut.map(|record| PartialMessage {
                message: None,
                have: usize::from(record.have),
                want: usize::from(record.len),
                mark: self.record_began.unwrap_or_default(),
            });
            return;
        }
        if !self.started || encrypted(handshake, side) || (handshake.is_tls13() && handshake.server_hello.is_some()) {
            return;
        }
        let partial = if let Some(pending) = self.joiner.pending() {
            // The rest of the message that lies in a record which is not complete either.
            let tail = reader.pending().map_or(0, |record| usize::from(record.have));
            let message = pending.kind.map(|kind| kind.0);
            Some(PartialMessage { message, have: pending.have + tail, want: pending.want, mark: pending.first.0 })
        } else {
            reader.pending().filter(|record| record.content_type == ContentType::HANDSHAKE).map(|record| {
                let want = match record.body {
                    [_, a, b, c, ..] => usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
                    _ => 0,
                };
                let have = usize::from(record.have).saturating_sub(4);
                PartialMessage { message: record.body.first().copied(), have, want, mark: self.record_began.unwrap_or_default() }
            })
        };
        let Some(partial) = partial else { return };
        match side {
            Side::Client if handshake.client_hellos.is_empty() => handshake.partial_client_hello = Some(partial),
            Side::Client => {}
            Side::Server => handshake.partial_server_message = Some(partial),
        }
        if handshake.protocol == Protocol::Other {
            handshake.protocol = Protocol::Tls;
        }
    }
}

/// A piece that is being read, and what it adds to.
struct Reading<'a> {
    handshake: &'a mut Observed,
    shared: &'a mut Shared,
    decryption: Option<&'a mut Decryption>,
    joiner: &'a mut Joiner<Origin>,
    record_began: &'a mut Option<Mark>,
    data: &'a Data<'a>,
    /// The side it turned out to be of.
    side: Side,
}

impl Reading<'_> {
    /// A record is complete. True when it settles the handshake.
    fn record(&mut self, record: &Record<'_>) -> bool {
        let Self { handshake, shared, decryption, joiner, record_began, data, .. } = self;
        let mark = *data.mark;
        let first = *if record.start >= data.offset { data.mark } else { record_began.as_ref().unwrap_or(data.mark) };
        let taken = match decryption {
            None => Taken::Sealed,
            Some(decryption) => {
                let place = Place { mark, first, span: (record.start, record.end) };
                decryption.take(Opening { h: handshake, shared, side: self.side, place, again: false }, record)
            }
        };
        if !matches!(taken, Taken::Opened | Taken::Broken) {
            let place = Place { mark, first, span: (record.start, record.end) };
            self.side = on_record(handshake, shared, joiner, self.side, record, &place);
        }
        if let (Taken::Held, Some(decryption)) = (taken, decryption) {
            decryption.was_read(handshake);
        }
        **record_began = None;
        settled(self.handshake, self.decryption.as_deref())
    }

    /// Something else than a record stands where one was due.
    #[cold]
    fn error(&mut self, error: &RecordError, bytes: &[u8]) -> bool {
        // A server that fails to begin TLS may say so in the words of the dialogue before it.
        if self.side == Side::Server
            && self.handshake.server_hello.is_none()
            && let Some(preamble) = &mut self.handshake.preamble
        {
            preamble.fall_back(bytes, *self.data.mark);
        }
        on_error(self.handshake, self.side, *self.data.mark, error);
        *self.record_began = None;
        false
    }
}

/// Something else than a record where one was due.
fn on_error(h: &mut Observed, side: Side, mark: Mark, error: &RecordError) {
    if h.protocol == Protocol::Other && error.offset == 0 {
        h.protocol = Protocol::Tls;
    }
    let kind = match error.kind {
        RecordErrorKind::UnknownType(kind) => AnomalyKind::UnknownContentType { content_type: kind.0 },
        RecordErrorKind::TooLong(len) => AnomalyKind::RecordTooLong { len: usize::from(len) },
        RecordErrorKind::NotARecord(_) | RecordErrorKind::BadVersion(_) => AnomalyKind::NotARecord { offset: error.offset },
    };
    anomaly(h, side, mark, kind);
}

/// One record of a side; gives the side it turned out to be.
#[inline]
fn on_record(h: &mut Observed, shared: &mut Shared, joiner: &mut Joiner<Origin>, side: Side, record: &Record<'_>, place: &Place) -> Side {
    let mark = place.mark;
    match record.content_type {
        ContentType::HANDSHAKE => return on_handshake(h, shared, joiner, side, record, place),
        ContentType::ALERT => on_alert(h, side, record, mark),
        ContentType::CHANGE_CIPHER_SPEC => {
            on_change_cipher_spec(h, side, mark);
            joiner.reset();
        }
        // A heartbeat is use of the connection as well.
        ContentType::APPLICATION_DATA | ContentType::HEARTBEAT => on_application_data(h, side, record, mark),
        _ => {}
    }
    side
}

/// One record that holds handshake messages, or parts of them.
#[inline(never)]
fn on_handshake(
    h: &mut Observed,
    shared: &mut Shared,
    joiner: &mut Joiner<Origin>,
    mut side: Side,
    record: &Record<'_>,
    place: &Place,
) -> Side {
    let mark = place.mark;
    if record.version == ProtocolVersion::SSL2 {
        if let Some(body) = record.body {
            messages::sslv2(h, side, body, *place);
        }
        return side;
    }
    if encrypted(h, side) {
        encrypted_handshake(h, side, record, mark);
        return side;
    }
    let Some(mut body) = record.body else {
        joiner.lose((place.first, record.start));
        h.protocol = Protocol::Tls;
        return side;
    };
    if h.protocol == Protocol::Other {
        h.protocol = Protocol::Tls;
    }
    while !body.is_empty() {
        let (used, joined) = joiner.read(body, (place.first, record.start));
        if let Some(joined) = joined {
            if wrong_way_round(h, side, joined.kind) {
                h.swap_sides();
                side = side.other();
            }
            let place = Place { mark, first: joined.first.0, span: (joined.first.1, record.end) };
            if let Some(message) = joined.body {
                messages::on_message(h, shared, side, joined.kind, message, place);
            } else {
                anomaly(h, side, mark, AnomalyKind::MessageTooLong { message: joined.kind.0, len: joined.len });
            }
        }
        body = body.get(used.max(1)..).unwrap_or_default();
    }
    side
}

/// A ClientHello from the supposed server, or a ServerHello from the supposed client, where the roles were guessed.
fn wrong_way_round(h: &Observed, side: Side, kind: HandshakeType) -> bool {
    let wrong = match side {
        Side::Server => kind == HandshakeType::CLIENT_HELLO,
        Side::Client => kind == HandshakeType::SERVER_HELLO,
    };
    wrong && h.client_hellos.is_empty() && h.server_hello.is_none()
}

/// Finished, or the messages of a second handshake inside the first (TLS ≤ 1.2).
fn encrypted_handshake(h: &mut Observed, side: Side, record: &Record<'_>, mark: Mark) {
    remember(h, side, record.content_type, record.len, mark);
    if h.finished.of(side).is_none() {
        *h.finished.of_mut(side) = Some(mark);
        letter(h, side, 'f');
    } else if h.finished.of(side.other()).is_some() {
        sealed_again(h, side, record.len, mark);
    }
}

#[inline(never)]
fn on_alert(h: &mut Observed, side: Side, record: &Record<'_>, mark: Mark) {
    if h.protocol == Protocol::Other {
        h.protocol = Protocol::Tls;
    }
    letter(h, side, 'l');
    let clear = match record.body {
        // Two bytes are never enough for an encrypted alert, so that a clear one is told even after encryption began: OpenSSL's
        // TLS 1.3 clients send theirs so.
        Some(body) if body.len() == 2 => Alert::parse(body),
        _ => None,
    };
    let is_encrypted = clear.is_none() && (encrypted(h, side) || h.is_tls13());
    if clear.is_none() && !is_encrypted && record.body.is_some() {
        anomaly(h, side, mark, AnomalyKind::MalformedAlert { len: usize::from(record.len) });
    }
    if is_encrypted {
        remember(h, side, record.content_type, record.len, mark);
    }
    note_alert(h, ReadAlert { from: side, alert: clear, encrypted: is_encrypted, mark });
}

pub(super) fn on_change_cipher_spec(h: &mut Observed, side: Side, mark: Mark) {
    if h.protocol == Protocol::Other {
        h.protocol = Protocol::Tls;
    }
    letter(h, side, 'i');
    h.change_cipher_spec.of_mut(side).get_or_insert(mark);
    changed_again(h, side, mark);
    let first_flight_only = h.server_chain.is_none() && h.server_hello_done.is_none() && h.server_key_exchange.is_none();
    if side == Side::Server
        && !h.is_tls13()
        && first_flight_only
        && h.resumption.is_none()
        // Of a version that nobody knows it means anything.
        && h.server_hello.as_ref().is_some_and(|hello| hello.what.version().rank() > 0)
        && h.client_key_exchange.is_none()
    {
        let ticket = h.hello().is_some_and(|hello| hello.session_ticket_len().is_some());
        h.resumption = Some(if ticket { Resumption::Ticket } else { Resumption::SessionId });
    }
}

#[inline(never)]
fn on_application_data(h: &mut Observed, side: Side, record: &Record<'_>, mark: Mark) {
    used(h, side, record.len, mark);
    if h.is_tls13() || h.server_hello.is_none() {
        if side == Side::Client && h.server_hello.is_none() && h.early_data_offered {
            h.early_data_records = h.early_data_records.saturating_add(1);
            return;
        }
        if h.encrypted.of(side).is_empty() {
            letter(h, side, 'd');
        }
        remember(h, side, record.content_type, record.len, mark);
        return;
    }
    if h.application_data.of(side).is_none() {
        letter(h, side, 'd');
    }
    h.application_data.of_mut(side).get_or_insert(mark);
    if side == Side::Server {
        h.first_answer.get_or_insert(record.len);
    }
    let count = h.application_records.of_mut(side);
    *count = count.saturating_add(1);
}

/// Nothing that follows can change what is said of the handshake: both sides finished and went on to use the connection.
fn settled(h: &Observed, decryption: Option<&Decryption>) -> bool {
    let Some(hello) = &h.server_hello else { return false };
    // What the server says of data connections comes later.
    if h.ftp.as_deref().is_some_and(|replies| !replies.is_full()) {
        return false;
    }
    if hello.what.version().is_tls13() && !h.decrypted {
        // Each side's Finished and one record behind it.
        return h.encrypted.client.len() >= 2 && h.encrypted.server.len() >= 2 && settled_unread(h, &hello.what, decryption);
    }
    let both = h.finished.client.is_some() && h.finished.server.is_some();
    let tunnels = decryption.is_some_and(|decryption| decryption.contents.are_wanted());
    // Of a server that asked for a certificate, what it says first may be that it does not like the answer, if nothing follows.
    let said = if h.certificate_request.is_some() { 2 } else { 1 };
    (both && !tunnels && h.application_records.client > 0 && h.application_records.server >= said)
        || (h.decrypted && decryption.is_some_and(Decryption::is_full))
}

/// The same in TLS 1.3 by the encrypted records alone.
#[inline(never)]
fn settled_unread(h: &Observed, hello: &ServerHello, decryption: Option<&Decryption>) -> bool {
    let records = &h.encrypted;
    if records.client.len() >= limits::ENCRYPTED_RECORDS || records.server.len() >= limits::ENCRYPTED_RECORDS {
        // Records that await their keys are not told by their sizes alone.
        if decryption.is_none_or(Decryption::is_full) {
            return true;
        }
    }
    // What the server says of a certificate that it asks for later is the connection's last record.
    if later_auth::is_possible(h) {
        return false;
    }
    // The server has answered something behind the client's Finished.
    let spoke = records.client.iter().skip(1).map(|record| record.mark).min();
    if spoke.is_none_or(|spoke| records.server.iter().all(|record| record.mark < spoke)) {
        return false;
    }
    let resumed = hello.selected_psk().is_some();
    let reading = hidden::read(hello.cipher_suite(), resumed, h.early_data_offered, records);
    // Of a server that asked for a certificate, what it says last may be that it does not like the answer.
    let asked = reading.hidden.client_certificate_empty || reading.hidden.client_certificate_sent;
    let said = if asked { ANSWERS_THAT_SERVE } else { 1 };
    reading.finished.client.is_some() && reading.application_records.client > 0 && reading.application_records.server >= said
}
