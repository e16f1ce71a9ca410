//! One DTLS association: messages in clear are joined and read, encrypted records are told by epoch and size, or opened where secrets are given
//! (`sealed`).

use crate::anomaly::AnomalyKind;
use crate::dtls::cookie::HelloVerifyRequest;
use crate::dtls::demux;
use crate::dtls::reassembly::{Added, Fragment, Message, Reassembly};
use crate::dtls::record::{Form, Record, TLS12_CID, handshake_type, records};
use crate::flow::{Layer, Side};
use crate::limits;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::tls::message::Alert;
use crate::tls::registry::{ContentType, ExtensionType, HandshakeType};
use crate::transport::udp::{self, Answers, Hearing};
use crate::transport::{FlowEvent, FlowEventKind, FlowFacts};

use super::{ENCRYPTED, Sides, place_of};
use crate::handshake::facts::{DtlsFacts, EncryptedRecord, Hole, Observed, PartialMessage, Protocol, ReadAlert};
use crate::handshake::messages::{self, Place};
use crate::handshake::notes::{anomaly, letter, note_alert};
use crate::handshake::records::on_change_cipher_spec;
use crate::handshake::shared::Shared;
use sealed::Unsealing;

mod sealed;

/// What is known of an association besides its facts.
#[derive(Debug, Default)]
pub(super) struct Dtls {
    sides: Sides<Sender>,
    /// Length of the connection identifiers in what each side sends: the other side asked for them.
    cid_len: Sides<usize>,
    /// The last cookie.
    cookie: Vec<u8>,
    /// Where secrets are given.
    unsealing: Option<Box<Unsealing>>,
    /// The side whose secrets the log lacks, where it has the other's.
    lacking: Option<Side>,
    /// Its records travel in CAPWAP.
    capwap: bool,
}

/// One side's messages and records.
#[derive(Debug, Clone, Default)]
struct Sender {
    reassembly: Reassembly<Mark>,
    /// Records of DTLS 1.3 behind the hellos: the epoch's low bits, length, where.
    sealed: Vec<(u16, u16, Mark)>,
}

/// Message number, fragment length and where, of what was sent again.
type Repeated = Option<(u64, u32)>;

/// A datagram's records: whose they are, where they were, and what they add to.
struct Heard<'a> {
    h: &'a mut Observed,
    shared: &'a mut Shared,
    side: Side,
    mark: Mark,
    repeated: Repeated,
}

/// What tells the handshake that a datagram begins from others: the random of a `ClientHello`.
pub(super) fn identity(datagram: &[u8]) -> Option<u64> {
    Some(super::number_of(random_of(datagram)?))
}

/// The random of an unfragmented first `ClientHello`, or of its first fragment.
fn random_of(datagram: &[u8]) -> Option<&[u8]> {
    if handshake_type(datagram)? != HandshakeType::CLIENT_HELLO.0 || datagram.get(FRAGMENT_OFFSET)? != [0; 3] {
        return None;
    }
    datagram.get(RANDOM)
}

/// Whether a datagram may be a server's first answer to the hello at hand: no field of it returns what only that client sent, but the suite that it chooses
/// must have been offered.
pub(super) fn is_answered_by(h: &Observed, datagram: &[u8]) -> Answers {
    let payload = demux::unwrap(datagram);
    match handshake_type(payload).map(HandshakeType) {
        // Either end may begin.
        Some(HELLO_VERIFY_REQUEST | HandshakeType::CLIENT_HELLO) => Answers::Perhaps,
        Some(HandshakeType::SERVER_HELLO) => {
            let chosen =
                payload.get(SESSION_ID).and_then(|len| payload.get(SESSION_ID.saturating_add(1).saturating_add(usize::from(*len))..));
            let chosen = chosen.and_then(|rest| rest.first_chunk::<2>()).map(|suite| u16::from_be_bytes(*suite));
            let denied =
                chosen.zip(h.last_hello()).is_some_and(|(chosen, hello)| !hello.what.cipher_suites().any(|suite| suite.0 == chosen));
            if denied { Answers::No } else { Answers::Perhaps }
        }
        None if payload.first() == Some(&ContentType::ALERT.0) && records(payload, 0).next().is_some() => Answers::Perhaps,
        _ => Answers::No,
    }
}

impl Dtls {
    /// Bytes that it takes with the pieces and records that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let sides = [&self.sides.client, &self.sides.server];
        let pieces: usize =
            sides.map(|side| side.reassembly.held_bytes() + side.sealed.capacity() * size_of::<(u16, u16, Mark)>()).iter().sum();
        size_of::<Self>() + pieces + self.unsealing.as_ref().map_or(0, |unsealing| unsealing.held_bytes())
    }

    pub(super) fn new(h: &mut Observed, shared: &Shared) -> Self {
        h.dtls = Some(Box::default());
        h.held_bytes += size_of::<DtlsFacts>();
        h.protocol = Protocol::Dtls;
        Self { unsealing: shared.keys.is_some().then(Box::default), ..Self::default() }
    }

    pub(super) fn datagram(
        &mut self,
        h: &mut Observed,
        shared: &mut Shared,
        flow: &mut FlowFacts,
        side: Side,
        datagram: &Datagram<'_>,
    ) -> Hearing {
        let payload = demux::unwrap(datagram.payload);
        if payload.first().is_none_or(|first| demux::kind(*first) != demux::Kind::Dtls) {
            return Hearing::Foreign;
        }
        self.capwap |= payload.len() < datagram.payload.len();
        let kind = handshake_type(payload);
        let begins = kind == Some(HandshakeType::CLIENT_HELLO.0) && payload.get(MESSAGE_SEQ) == Some(&[0, 0]);
        if let Some(hello) = h.hello()
            && begins
            && side == Side::Client
            && random_of(payload).is_some_and(|random| random != hello.random())
        {
            return Hearing::Anew;
        }
        let swapped = h.client_hellos.is_empty() && side == Side::Server && kind == Some(HandshakeType::CLIENT_HELLO.0);
        let side = if swapped && h.server_hello.is_none() { side.other() } else { side };
        let mut new = false;
        let mut heard = Heard { h, shared, side, mark: datagram.mark, repeated: None };
        let mut any = false;
        let cid_len = *self.cid_len.of(side);
        for record in records(payload, cid_len) {
            any = true;
            new |= match self.unseal(&mut heard, &record) {
                Some(news) => news,
                None => self.record(&mut heard, &record),
            };
        }
        let Heard { h, repeated, .. } = heard;
        if !any {
            return Hearing::Foreign;
        }
        let Some(facts) = &mut h.dtls else { return Hearing::Nothing };
        facts.datagrams.of_mut(side).add(datagram.mark, payload.len());
        facts.talk.heard(side, datagram.mark, datagram.payload_len, true);
        let largest = facts.largest.of_mut(side);
        *largest = (*largest).max(datagram.payload_len);
        if let Some((offset, len)) = repeated
            && !new
        {
            facts.repeat(side, datagram.mark);
            let own = flow.sides.of_mut(side);
            own.retransmits = own.retransmits.saturating_add(1);
            udp::event(flow, FlowEvent { mark: datagram.mark, side, kind: FlowEventKind::Retransmission { offset, len } });
        }
        if swapped {
            return Hearing::Swap;
        }
        if is_settled(h) && self.unsealing.as_ref().is_none_or(|unsealing| unsealing.is_full()) {
            return Hearing::Settled(h.hello().map(|hello| super::number_of(hello.random())));
        }
        if new { Hearing::New } else { Hearing::Nothing }
    }

    /// One record. True when it brings anything new.
    fn record(&mut self, heard: &mut Heard<'_>, record: &Record<'_>) -> bool {
        let Heard { h, shared, side, mark, .. } = heard;
        let (side, mark) = (*side, *mark);
        match (record.form, record.content_type, record.epoch) {
            (Form::Unified, _, epoch) => {
                let sealed = &mut self.sides.of_mut(side).sealed;
                if sealed.len() < SEALED {
                    sealed.push((epoch, u16::try_from(record.len).unwrap_or(u16::MAX), mark));
                }
                remember(h, side, record, mark);
                if epoch == EARLY_DATA && side == Side::Client && h.server_hello.is_none() {
                    h.early_data_records = h.early_data_records.saturating_add(1);
                }
                true
            }
            (_, ContentType::HANDSHAKE, 0) => self.fragments(heard, record.body),
            // With a connection identifier the content type is hidden: the first record is Finished, what follows it is not.
            (_, TLS12_CID, _) if h.finished.of(side).is_some() => application_data(h, side, mark),
            (_, ContentType::HANDSHAKE | TLS12_CID, _) => encrypted_handshake(heard, record),
            (_, ContentType::CHANGE_CIPHER_SPEC, _) => {
                let first = h.change_cipher_spec.of(side).is_none();
                if first {
                    self.flush(h, shared, side);
                    on_change_cipher_spec(h, side, mark);
                }
                first
            }
            (_, ContentType::ALERT, epoch) => on_alert(h, side, record, epoch, mark),
            (_, ContentType::APPLICATION_DATA, 1..) => application_data(h, side, mark),
            _ => false,
        }
    }

    fn fragments(&mut self, heard: &mut Heard<'_>, body: &[u8]) -> bool {
        let Heard { h, shared, side, mark, repeated } = heard;
        let (side, mark) = (*side, *mark);
        let mut rest = body;
        let mut new = false;
        while let Some((fragment, behind)) = Fragment::parse(rest) {
            rest = behind;
            if fragment.kind == HELLO_VERIFY_REQUEST {
                new |= side == Side::Server && self.hello_verify_request(h, fragment.bytes, mark);
                continue;
            }
            if side == Side::Server && fragment.kind == HandshakeType::CLIENT_HELLO && !h.client_hellos.is_empty() {
                if let Some(dtls) = &mut h.dtls {
                    dtls.role_conflict.get_or_insert(mark);
                }
                anomaly(h, side, mark, AnomalyKind::OutOfOrder { message: fragment.kind.0, expected: "no ClientHello from the server" });
                continue;
            }
            if fragment.kind == HandshakeType::CLIENT_HELLO && fragment.offset == 0 {
                new |= self.hello_begins(h, &fragment, mark);
            }
            match self.sides.of_mut(side).reassembly.add(&fragment, mark) {
                Added::New => new = true,
                Added::Repeated => {
                    let len = u32::try_from(fragment.bytes.len()).unwrap_or(u32::MAX);
                    repeated.get_or_insert((place_of(fragment.seq, fragment.offset), len));
                }
                Added::Refused => {}
            }
            while let Some(message) = self.sides.of_mut(side).reassembly.next_message() {
                self.message(h, shared, side, &message, mark);
            }
        }
        new
    }

    /// Counts hellos with and without a cookie. True when one returns a cookie that was not returned before under this message number: some
    /// clients do not count on.
    fn hello_begins(&mut self, h: &mut Observed, fragment: &Fragment<'_>, mark: Mark) -> bool {
        let session = fragment.bytes.get(34).map_or(0, |len| usize::from(*len));
        let cookie = fragment.bytes.get(35 + session).map_or(0, |len| usize::from(*len));
        let Some(facts) = &mut h.dtls else { return false };
        let with = cookie > 0;
        let hellos = if with { &mut facts.hellos_with_cookie } else { &mut facts.hellos_without_cookie };
        let first = hellos.count == 0;
        hellos.add(mark, fragment.bytes.len());
        let restart = with && first && fragment.seq == 0 && fragment.is_whole() && facts.hellos_without_cookie.count > 0;
        if restart {
            self.sides.client.reassembly.reset();
        }
        restart
    }

    fn hello_verify_request(&mut self, h: &mut Observed, body: &[u8], mark: Mark) -> bool {
        let Some(request) = HelloVerifyRequest::parse(body) else {
            anomaly(h, Side::Server, mark, AnomalyKind::Malformed { message: HELLO_VERIFY_REQUEST.0 });
            return false;
        };
        let Some(facts) = &mut h.dtls else { return false };
        let first = facts.cookie_requests.count == 0;
        facts.cookie_requests.add(mark, body.len());
        let other = *self.cookie != *request.cookie;
        if other {
            facts.cookies = facts.cookies.saturating_add(1);
            self.cookie = request.cookie.into_vec();
        }
        if first {
            letter(h, Side::Server, 'v');
        } else {
            facts.repeat(Side::Server, mark);
        }
        first
    }

    fn message(&mut self, h: &mut Observed, shared: &mut Shared, side: Side, message: &Message<Mark>, mark: Mark) {
        if message.pieces > 1
            && let Some(facts) = &mut h.dtls
        {
            let count = facts.fragmented.of_mut(side);
            *count = count.saturating_add(1);
        }
        let start = place_of(message.seq, 0);
        let place = Place { mark, first: message.first, span: (start, start.saturating_add(message.body.len() as u64 + 12)) };
        // A hello that returns a cookie is the one that counts, however often the server asked.
        if message.kind == HandshakeType::CLIENT_HELLO && h.client_hellos.len() >= 2 && h.server_hello.is_none() {
            h.client_hellos.pop();
        }
        if h.is_tls13() && h.server_hello.is_some() && !matches!(message.kind, HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO) {
            messages::on_decrypted(h, shared, side, message.kind, &message.body, place);
        } else {
            messages::on_message(h, shared, side, message.kind, &message.body, place);
        }
        let asked = match message.kind {
            HandshakeType::CLIENT_HELLO => {
                h.last_hello().and_then(|hello| hello.what.extension(CONNECTION_ID)).and_then(|body| body.first().copied())
            }
            HandshakeType::SERVER_HELLO => {
                h.server_hello.as_ref().and_then(|hello| hello.what.extension(CONNECTION_ID)).and_then(|body| body.first().copied())
            }
            _ => None,
        };
        if let Some(len) = asked {
            *self.cid_len.of_mut(side.other()) = usize::from(len);
            if let Some(facts) = h.dtls.as_mut().filter(|_| side == Side::Server) {
                facts.connection_id = true;
            }
        }
    }

    /// No more messages in clear will come: what is whole is handed over, though something before it is missing.
    fn flush(&mut self, h: &mut Observed, shared: &mut Shared, side: Side) {
        while let Some(message) = self.sides.of_mut(side).reassembly.next_message_anyhow() {
            let mark = message.last;
            self.message(h, shared, side, &message, mark);
        }
    }

    /// Enters what is known only at the end.
    pub(super) fn finish(mut self, h: &mut Observed, shared: &mut Shared, flow: &mut FlowFacts) {
        if self.capwap {
            flow.path.push(Layer::Capwap);
        }
        self.unseal_late(h, shared);
        self.settle(h, shared);
    }

    /// Enters what would be known if this were the end; what awaits a key stays sealed.
    pub(super) fn so_far(&self, h: &mut Observed, shared: &mut Shared) {
        Self { sides: self.sides.clone(), lacking: self.lacking, ..Self::default() }.settle(h, shared);
    }

    fn settle(mut self, h: &mut Observed, shared: &mut Shared) {
        let partial = self.sides.client.reassembly.pending().next().filter(|_| h.client_hellos.is_empty());
        h.partial_client_hello =
            partial.map(|part| PartialMessage { message: Some(part.kind.0), have: part.have, want: part.want, mark: part.first });
        let pending = self.sides.server.reassembly.pending().next();
        if let Some(part) = pending.filter(|_| h.finished.client.is_none() && h.client_key_exchange.is_none()) {
            let hole = Hole {
                side: Side::Server,
                message: part.kind.0,
                have: part.have,
                want: part.want,
                missing: part.hole.1,
                first: part.first,
            };
            if let Some(facts) = &mut h.dtls {
                facts.hole = Some(hole);
            }
            h.partial_server_message =
                Some(PartialMessage { message: Some(part.kind.0), have: part.have, want: part.want, mark: part.first });
        }
        for side in Side::BOTH {
            self.flush(h, shared, side);
        }
        if h.is_tls13() || h.server_hello.is_none() && !self.sides.server.sealed.is_empty() {
            self.read_sizes(h);
        }
    }
}

fn remember(h: &mut Observed, side: Side, record: &Record<'_>, mark: Mark) {
    let list = h.encrypted.of_mut(side);
    if list.len() < limits::ENCRYPTED_RECORDS {
        list.push(EncryptedRecord { content_type: record.content_type.0, len: u16::try_from(record.len).unwrap_or(u16::MAX), mark });
    }
}

/// Finished of DTLS ≤ 1.2, or its repetition. A second handshake inside the first would look the same, and is rare.
fn encrypted_handshake(heard: &mut Heard<'_>, record: &Record<'_>) -> bool {
    let Heard { h, side, mark, repeated, .. } = heard;
    let (side, mark) = (*side, *mark);
    remember(h, side, record, mark);
    if h.finished.of(side).is_some() {
        repeated.get_or_insert((place_of(ENCRYPTED, 0), u32::try_from(record.len).unwrap_or(u32::MAX)));
        return false;
    }
    *h.finished.of_mut(side) = Some(mark);
    letter(h, side, 'f');
    true
}

fn application_data(h: &mut Observed, side: Side, mark: Mark) -> bool {
    if h.application_data.of(side).is_none() {
        letter(h, side, 'd');
    }
    h.application_data.of_mut(side).get_or_insert(mark);
    let count = h.application_records.of_mut(side);
    *count = count.saturating_add(1);
    true
}

fn on_alert(h: &mut Observed, side: Side, record: &Record<'_>, epoch: u16, mark: Mark) -> bool {
    let clear = Alert::parse(record.body).filter(|_| epoch == 0);
    if clear.is_none() && epoch == 0 {
        anomaly(h, side, mark, AnomalyKind::MalformedAlert { len: record.len });
        return false;
    }
    if h.read_alerts.iter().any(|seen| seen.from == side && seen.alert == clear) {
        return false;
    }
    if epoch > 0 {
        remember(h, side, record, mark);
    }
    letter(h, side, 'l');
    note_alert(h, ReadAlert { from: side, alert: clear, encrypted: epoch > 0, mark });
    true
}

/// Both sides finished, and the client went on: nothing that follows can change what is said.
fn is_settled(h: &Observed) -> bool {
    !h.is_tls13()
        && h.finished.client.is_some()
        && h.finished.server.is_some()
        && (h.application_records.client > 0 || h.application_records.server > 0)
}

const HELLO_VERIFY_REQUEST: HandshakeType = HandshakeType(3);
/// `connection_id` (RFC 9146).
const CONNECTION_ID: ExtensionType = ExtensionType(54);
/// Low bits of the epochs of DTLS 1.3 (RFC 9147 section 6.1).
const EARLY_DATA: u16 = 1;
/// Records of DTLS 1.3 remembered for a side.
const SEALED: usize = 2 * limits::ENCRYPTED_RECORDS;
/// Where a first record has its message number, fragment offset, and the random of a `ClientHello`.
const MESSAGE_SEQ: std::ops::Range<usize> = 17..19;
const FRAGMENT_OFFSET: std::ops::Range<usize> = 19..22;
const RANDOM: std::ops::Range<usize> = 27..59;
/// The same of a `ServerHello`'s session, behind which its suite stands.
const SESSION_ID: usize = 59;
