//! What the encrypted part of a TLS 1.3 handshake shows without keys: the sizes of its records, and their order.
//!
//! A record's length is content + 1 (type) + padding + tag, so that some messages give themselves away: Finished by the suite's hash, an alert
//! by its two bytes, an empty Certificate by its eight (RFC 8446 sections 4.4 and 5.2). Stacks differ in how they group messages into records;
//! what cannot be told is left open.

use crate::flow::{PerSide, Side};
use crate::preamble::{Dialect, PreambleFacts, Upgrade};
use crate::time::Mark;
use crate::tls::message::EncryptedExtensions;
use crate::tls::registry::CipherSuite;

use super::facts::{EncryptedRecord, EncryptedRecords, Fact, Handshake, Hidden, Observed};
use super::padding::Padding;

impl Observed {
    /// Bytes by which a side's records are longer than their content, where its cipher makes all of them longer by as many; padding of TLS 1.3 is not
    /// among them.
    pub fn overhead(&self, side: Side) -> Option<u16> {
        let tag = u16::from(self.cipher()?.tag()?);
        // Up to TLS 1.2 the first encrypted record holds a Finished.
        if self.is_tls13() { Some(tag + 1) } else { self.encrypted.of(side).first()?.len.checked_sub(OLD_FINISHED) }
    }
}

impl Handshake {
    /// The client asked a mail server for TLS, and then all that it said is no longer than QUIT: where it did. EHLO, which is expected, is longer.
    /// Scripts that look at certificates leave so as well; their libraries send the server's name, which mail servers do only where they go by TLSA records
    /// or by the domain's policy.
    pub fn quits_at_once(&self) -> Option<Mark> {
        let asked = |facts: &PreambleFacts| facts.dialect == Dialect::Smtp && facts.upgrade == Upgrade::Granted;
        let named = self.hello().is_some_and(|hello| hello.server_name().is_some());
        let bound = || self.looked_up.as_ref().is_some_and(|looked_up| looked_up.bind_the_client());
        let alone = self.opening == Some(QUIT) && self.application_records.client == 1 && (!named || bound());
        self.application_data.client.filter(|_| alone && self.preamble.as_deref().is_some_and(asked))
    }
}

/// What was read out of the sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reading {
    pub hidden: Hidden,
    /// Finished of each side.
    pub finished: PerSide<Option<Mark>>,
    /// First record after a side's Finished that is neither ticket nor alert.
    pub application: PerSide<Option<Mark>>,
    /// Number of those.
    pub application_records: PerSide<u32>,
    /// Bytes of content of the client's first of those.
    pub opening: Option<u16>,
    pub tickets: u32,
    /// A side's last record, when it has the size of an alert: where, and whether it came after that side's Finished.
    pub last_is_alert: PerSide<Option<(Mark, bool)>>,
    /// The server's last record has the size of an alert, and neither its Finished nor anything of the client's is there.
    pub server_alert_instead_of_flight: bool,
    /// The server said something that is no alert after the client's Finished: it took it.
    pub server_went_on: bool,
}

/// The sizes that the suite in use gives to the telling messages, without padding.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Bytes of a record that are not content: the type and the tag.
    overhead: u16,
    finished: u16,
    alert: u16,
    empty_certificate: u16,
    end_of_early_data: u16,
    empty_certificate_and_finished: u16,
}

/// Bytes of QUIT with its line's end.
const QUIT: u16 = 6;
/// Bytes of a Finished up to TLS 1.2, its header included.
const OLD_FINISHED: u16 = 16;
/// Padding per record that stacks are known to add: none, or 16 bytes (JSSE).
const PADDINGS: [Padding; 2] = [Padding::Each(0), Padding::Each(16)];
/// The least unit that stacks are known to round records up to (Mbed TLS), and how many records must be multiples of a unit to show one.
const LEAST_UNIT: u16 = 16;
const ROUND_RECORDS: usize = 3;

/// How a side may pad these records: what is common, and the unit that all of them are multiples of.
fn paddings(records: &[EncryptedRecord]) -> impl Iterator<Item = Padding> {
    let zeros = records.iter().map(|record| record.len.trailing_zeros()).min().filter(|_| records.len() >= ROUND_RECORDS);
    let unit = zeros.and_then(|zeros| 1u16.checked_shl(zeros)).filter(|unit| *unit >= LEAST_UNIT);
    PADDINGS.into_iter().chain(unit.map(Padding::UpTo))
}

impl Sizes {
    fn of(suite: CipherSuite) -> Self {
        let overhead = 1 + u16::from(suite.tag().unwrap_or(16));
        let hash = u16::from(suite.hash_len());
        Self {
            overhead,
            finished: 4 + hash + overhead,
            alert: 2 + overhead,
            empty_certificate: 8 + overhead,
            end_of_early_data: 4 + overhead,
            empty_certificate_and_finished: 8 + 4 + hash + overhead,
        }
    }

    /// The length of EncryptedExtensions, where the first record holds nothing else: others of the flight have records of their own, or nothing
    /// that follows it would fit.
    fn extensions_alone(self, first: Option<&EncryptedRecord>, split: Option<(bool, Padding)>) -> Option<u16> {
        let len = first?.len.checked_sub(self.overhead)?;
        match split {
            Some((true, padding)) => padding.shorten(len).filter(|len| *len >= LEAST_EXTENSIONS),
            Some((false, Padding::UpTo(_))) => None,
            _ => (LEAST_EXTENSIONS..LEAST_EXTENSIONS + LEAST_REQUEST).contains(&len).then_some(len),
        }
    }

    /// The first record has room for EncryptedExtensions, and none for a CertificateRequest behind them.
    fn no_room_for_request(self, records: &[EncryptedRecord]) -> bool {
        let len = records.first().map(|record| record.len.saturating_sub(self.overhead));
        len.is_some_and(|len| len < LEAST_EXTENSIONS + LEAST_REQUEST)
    }

    /// The records have room for a whole flight.
    fn may_be_whole(self, resumed: bool, records: &[EncryptedRecord]) -> bool {
        let content: usize = records.iter().map(|record| usize::from(record.len.saturating_sub(self.overhead))).sum();
        let finished = usize::from(self.finished - self.overhead);
        content >= finished + if resumed { usize::from(LEAST_EXTENSIONS) } else { LEAST_CERTIFIED }
    }

    /// A side's records after its Finished without those at the end, so many at most, that have the size of an alert: any message of two bytes has it.
    fn before_farewell(self, records: &[EncryptedRecord], padding: Option<Padding>, most: usize) -> &[EncryptedRecord] {
        let farewell = records.iter().rev().take(most).take_while(|record| self.is_alert(record.len, padding)).count();
        records.get(..records.len() - farewell).unwrap_or_default()
    }

    fn is_alert(self, len: u16, padding: Option<Padding>) -> bool {
        match padding {
            Some(padding) => len == padding.lengthen(self.alert),
            None => PADDINGS.iter().any(|padding| len == padding.lengthen(self.alert)),
        }
    }

    /// So padded, a Finished is longer than an alert.
    fn tells_finished(self, padding: Padding) -> bool {
        padding.lengthen(self.finished) != padding.lengthen(self.alert)
    }
}

/// Reads the records that followed the ServerHello, each side's in order.
pub(super) fn read(suite: CipherSuite, resumed: bool, early_data: bool, records: &PerSide<EncryptedRecords>) -> Reading {
    let sizes = Sizes::of(suite);
    let mut reading = Reading::default();
    let first_of_client = records.client.first().map(|record| record.mark);
    let server_end = read_server(sizes, resumed, &records.server, first_of_client, &mut reading);
    let client_end = read_client(sizes, early_data, &records.client, &mut reading);

    let client_finished = reading.finished.client;
    let padding = reading.hidden.padding;
    let mut client_spoke: Option<Mark> = None;
    if let Some(end) = client_end {
        let after = records.client.get(end + 1..).unwrap_or_default();
        // That the user left may come before the goodbye (JSSE).
        for record in sizes.before_farewell(after, padding.client, 2) {
            client_spoke.get_or_insert(record.mark);
            reading.application.client.get_or_insert(record.mark);
            reading.opening = reading.opening.or_else(|| record.len.checked_sub(sizes.overhead));
            reading.application_records.client += 1;
        }
    }
    if let Some(end) = server_end {
        let after = records.server.get(end + 1..).unwrap_or_default();
        let mut ticket = None;
        // Behind an alert that refuses nothing follows: what something follows was none, or was said of a connection that is up.
        for record in sizes.before_farewell(after, padding.server, 1) {
            if client_finished.is_some_and(|finished| record.mark >= finished) {
                reading.server_went_on = true;
            }
            let answers = client_spoke.is_some_and(|spoke| record.mark >= spoke);
            // A server's tickets are of one size; the first of them is known where nothing had been asked.
            if ticket.is_none() && !answers && record.len >= LEAST_TICKET.saturating_add(sizes.overhead) {
                ticket = Some(record.len);
            }
            if ticket != Some(record.len) {
                reading.hidden.server_spoke.get_or_insert(record.mark);
            }
            if answers {
                reading.application.server.get_or_insert(record.mark);
                reading.application_records.server += 1;
            } else {
                reading.tickets += 1;
            }
        }
    }
    for side in Side::BOTH {
        let (list, end) = match side {
            Side::Client => (&records.client, client_end),
            Side::Server => (&records.server, server_end),
        };
        let padding = *reading.hidden.padding.of(side);
        // Whatever a client says in short has that size where it rounds up.
        let says_little = side == Side::Client && end.is_some() && matches!(padding, Some(Padding::UpTo(_)));
        *reading.last_is_alert.of_mut(side) = list
            .last()
            .filter(|last| sizes.is_alert(last.len, padding) && !says_little)
            .map(|last| (last.mark, end.is_some_and(|end| end + 1 < list.len())));
    }
    reading
}

/// Finds the server's Finished and names what stands before it; gives the index of the record that ends its flight.
fn read_server(
    sizes: Sizes,
    resumed: bool,
    records: &[EncryptedRecord],
    first_of_client: Option<Mark>,
    reading: &mut Reading,
) -> Option<usize> {
    if first_of_client.is_none()
        && let Some((last, before)) = records.split_last()
        && (last.len == sizes.alert || (!before.is_empty() && sizes.is_alert(last.len, None)))
        && !PADDINGS.iter().any(|padding| before.iter().skip(1).any(|record| record.len == padding.lengthen(sizes.finished)))
    {
        reading.server_alert_instead_of_flight = true;
        return None;
    }
    let flight = records.iter().take_while(|record| first_of_client.is_none_or(|first| record.mark <= first)).count();
    // EncryptedExtensions can have the size of a Finished by chance: the last match within the flight counts.
    let found = paddings(records).find_map(|padding| {
        let fits = |record: &EncryptedRecord| record.len == padding.lengthen(sizes.finished);
        let within = records.iter().take(flight).rposition(fits);
        within.or_else(|| records.iter().position(fits).filter(|_| flight == 0)).map(|index| (index, padding))
    });
    reading.hidden.encrypted_extensions_len = sizes.extensions_alone(records.first(), found.map(|(end, padding)| (end > 0, padding)));
    let Some((end, padding)) = found else {
        // The messages share records: the flight is over when the client answers it, and may be before.
        let answered = first_of_client.is_some() && flight > 0;
        let last = flight.checked_sub(1)?;
        let mark = records.get(last).map(|record| record.mark);
        reading.hidden.server_flight_done = match mark {
            Some(mark) if answered => Fact::Happened(mark),
            _ if sizes.may_be_whole(resumed, records) => Fact::Unseen,
            _ => Fact::DidNot,
        };
        reading.hidden.certificate_requested = if resumed { Fact::DidNot } else { Fact::Unseen };
        reading.hidden.server_certificate_record = records.iter().take(flight).map(|record| record.len).max();
        reading.finished.server = mark.filter(|_| answered);
        return answered.then_some(last);
    };
    reading.hidden.padding.server = Some(padding);
    reading.finished.server = records.get(end).map(|record| record.mark);
    reading.hidden.server_flight_done = reading.finished.server.into();
    if !resumed && end >= 2 {
        reading.hidden.certificate_verify_record = records.get(end - 1).and_then(|record| padding.shorten(record.len));
        let middle = records.get(1..end - 1).unwrap_or_default();
        let largest = middle.iter().map(|record| record.len).max();
        reading.hidden.server_certificate_record = largest.map(|len| padding.shorten(len).unwrap_or(len));
        let request = middle.first().filter(|record| middle.len() >= 2 && Some(record.len) != largest);
        reading.hidden.certificate_requested = match request {
            Some(record) => Fact::Happened(record.mark),
            // Certificate and CertificateVerify with records of their own leave it no room but in that of EncryptedExtensions.
            None if middle.len() == 1 && (reading.hidden.encrypted_extensions_len.is_some() || sizes.no_room_for_request(records)) => {
                Fact::DidNot
            }
            None => Fact::Unseen,
        };
    } else if !resumed && end == 1 {
        reading.hidden.certificate_requested = Fact::Unseen;
        reading.hidden.server_certificate_record = records.first().map(|record| record.len);
    }
    Some(end)
}

/// Finds the client's Finished, or what stands in its place; gives the index of the record that ends its flight.
fn read_client(sizes: Sizes, early_data: bool, records: &[EncryptedRecord], reading: &mut Reading) -> Option<usize> {
    let ends_early_data =
        |record: &EncryptedRecord| paddings(records).any(|padding| record.len == padding.lengthen(sizes.end_of_early_data));
    let skipped = usize::from(early_data && records.first().is_some_and(ends_early_data));
    let flight = records.get(skipped..).unwrap_or_default();
    let first = flight.first()?;
    for padding in paddings(records).filter(|padding| sizes.tells_finished(*padding)) {
        let is = |index: usize, size: u16| flight.get(index).is_some_and(|record| record.len == padding.lengthen(size));
        let requested = reading.hidden.certificate_requested.may_have_happened();
        let joined = padding.lengthen(sizes.empty_certificate_and_finished) != padding.lengthen(sizes.finished);
        if joined && is(0, sizes.empty_certificate_and_finished) && !is(1, sizes.finished) && requested {
            reading.hidden.client_certificate_empty = true;
            reading.hidden.certificate_requested.happens(first.mark);
            return Some(finish_client(records, skipped, padding, reading));
        }
        // Finished alone; behind an empty Certificate; behind Certificate and CertificateVerify, joined or apart.
        if let Some(at) = (0..4).find(|index| is(*index, sizes.finished)) {
            if at >= 1 {
                reading.hidden.client_certificate_empty = is(0, sizes.empty_certificate);
                reading.hidden.client_certificate_sent = !reading.hidden.client_certificate_empty;
                reading.hidden.certificate_requested.happens(first.mark);
            }
            return Some(finish_client(records, skipped + at, padding, reading));
        }
    }
    // Rounded up it is as short, and shorter than any Finished.
    let rounded = Padding::UpTo(LEAST_UNIT);
    let short = flight.len() == 1 && sizes.is_alert(first.len, Some(rounded)) && first.len < sizes.finished;
    if sizes.is_alert(first.len, None) || short {
        reading.hidden.client_alert_instead_of_finished = true;
        reading.hidden.padding.client = short.then_some(rounded);
        return None;
    }
    // A client that pads or joins its records otherwise: its flight is one burst. Anything larger than a Finished holds one.
    if first.len > sizes.finished {
        reading.hidden.client_certificate_sent = reading.hidden.certificate_requested.happened();
        reading.finished.client = Some(first.mark);
        return Some(skipped);
    }
    None
}

fn finish_client(records: &[EncryptedRecord], end: usize, padding: Padding, reading: &mut Reading) -> usize {
    reading.hidden.padding.client = Some(padding);
    reading.finished.client = records.get(end).map(|record| record.mark);
    end
}

impl Observed {
    /// The server asked for another ClientHello, and it has not come: by HelloRetryRequest, or for one with a cookie (DTLS) or a token (QUIC). The
    /// name of what is due.
    pub fn awaited_second_hello(&self) -> Option<&'static str> {
        if self.dtls.as_ref().is_some_and(|dtls| dtls.cookie_requests.count > 0 && dtls.hellos_with_cookie.count == 0) {
            return Some("the ClientHello with the cookie");
        }
        if self.quic.as_ref().is_some_and(|quic| quic.retry.count > 0 && quic.token.is_none()) {
            return Some("the ClientHello with the token of the Retry");
        }
        (self.hello_retry.is_some() && self.client_hellos.len() < 2).then_some("the second ClientHello")
    }

    /// The client offered application protocols and the server chose none: TLS 1.3 hides the choice, but not that there is no room for one.
    pub fn chose_no_protocol(&self) -> bool {
        let Some(shortest) = self.last_hello().and_then(|hello| hello.what.alpn().map(<[u8]>::len).min()) else { return false };
        if !self.is_tls13() {
            return self.server_hello.as_ref().is_some_and(|hello| hello.what.alpn().is_none());
        }
        match &self.encrypted_extensions {
            Some(seen) => EncryptedExtensions::parse(&seen.what).is_some_and(|extensions| extensions.alpn().is_none()),
            None => self.hidden.encrypted_extensions_len.is_some_and(|len| usize::from(len) < LEAST_WITH_ALPN + shortest),
        }
    }
}

/// EncryptedExtensions with an application protocol, its name left out: the message's header, the length of the extensions, type and length of
/// the one, length of the list and of the name (RFC 8446 section 4.3.1, RFC 7301 section 3.1).
const LEAST_WITH_ALPN: usize = 4 + 2 + 4 + 2 + 1;

/// NewSessionTicket with a ticket that is no more than an identifier of 32 bytes (RFC 8446 section 4.6.1): the message's header, lifetime, age, a nonce,
/// the ticket, the length of the extensions.
const LEAST_TICKET: u16 = 4 + 4 + 4 + 1 + 2 + 32 + 2;
/// EncryptedExtensions without any extension.
const LEAST_EXTENSIONS: u16 = 6;
/// The shortest CertificateRequest: header, context, and the signature algorithms that it must name.
const LEAST_REQUEST: u16 = 4 + 1 + 2 + 8;
/// A flight with a certificate holds at least EncryptedExtensions, a Certificate (compressed ones have 200 bytes and more), and the shortest
/// CertificateVerify (Ed25519).
const LEAST_CERTIFIED: usize = LEAST_EXTENSIONS as usize + 200 + 72;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn record(frame: u64, len: u16) -> EncryptedRecord {
        EncryptedRecord { content_type: 23, len, mark: Mark { frame, time: Timestamp::from_nanos(i64::try_from(frame).unwrap()) } }
    }

    fn flights(server: &[(u64, u16)], client: &[(u64, u16)]) -> PerSide<EncryptedRecords> {
        PerSide {
            client: client.iter().map(|(frame, len)| record(*frame, *len)).collect(),
            server: server.iter().map(|(frame, len)| record(*frame, *len)).collect(),
        }
    }

    const AES128: CipherSuite = CipherSuite(0x1301);
    const AES256: CipherSuite = CipherSuite(0x1302);

    #[test]
    fn a_plain_handshake_finishes_on_both_sides_and_tickets_follow() {
        let got = read(AES256, false, false, &flights(&[(5, 23), (5, 832), (5, 281), (5, 69), (8, 250), (8, 250)], &[(7, 69)]));
        assert!(got.finished.client.is_some() && got.finished.server.is_some());
        assert_eq!(got.tickets, 2);
        assert!(got.server_went_on && got.hidden.certificate_requested == Fact::DidNot);
        assert_eq!(got.hidden.server_certificate_record, Some(832));
        assert_eq!(got.hidden.certificate_verify_record, Some(281));
    }

    #[test]
    fn what_a_server_says_behind_its_finished_is_told_from_its_tickets() {
        let flight = [(5, 23), (5, 832), (5, 281), (5, 69)];
        let spoke = |behind: &[(u64, u16)], client: &[(u64, u16)]| {
            read(AES256, false, false, &flights(&[&flight[..], behind].concat(), client)).hidden.server_spoke.is_some()
        };
        let quiet = [(7, 69)];
        let asks = [(7, 69), (9, 100)];
        assert!(!spoke(&[(8, 250), (8, 250), (10, 19)], &quiet), "two tickets and a goodbye");
        assert!(!spoke(&[(8, 250), (10, 250), (11, 19)], &asks), "the second ticket crosses the request");
        assert!(spoke(&[(8, 250), (8, 250), (8, 43), (8, 19)], &quiet), "a greeting behind the tickets");
        assert!(spoke(&[(8, 53), (8, 19)], &quiet), "no ticket is so short");
        assert!(spoke(&[(10, 250), (10, 19)], &asks), "what follows a request may answer it");
    }

    #[test]
    fn an_alert_in_place_of_finished_is_no_finished() {
        for len in [19, 35] {
            let got = read(AES256, false, false, &flights(&[(5, 23), (5, 832), (5, 281), (5, 69)], &[(7, len)]));
            assert!(got.hidden.client_alert_instead_of_finished, "{len}");
            assert_eq!(got.finished.client, None);
        }
    }

    #[test]
    fn an_empty_certificate_and_the_servers_alert_are_seen() {
        let server = [(5, 23), (5, 91), (5, 832), (5, 281), (5, 53), (9, 19)];
        let got = read(AES128, false, false, &flights(&server, &[(7, 25), (7, 53)]));
        assert!(got.hidden.certificate_requested.happened() && got.hidden.client_certificate_empty && !got.hidden.client_certificate_sent);
        assert!(!got.server_went_on);
        assert_eq!(got.last_is_alert.server.map(|(mark, after)| (mark.frame, after)), Some((9, true)));
    }

    #[test]
    fn a_message_of_two_bytes_is_no_alert_when_another_follows() {
        let flight = [(5, 23), (5, 91), (5, 832), (5, 281), (5, 53)];
        let own = [(7, 400), (7, 281), (7, 53)];
        let got = |more: &[(u64, u16)], said: &[(u64, u16)]| {
            read(AES128, false, false, &flights(&[&flight[..], more].concat(), &[&own[..], said].concat()))
        };
        let (once, twice) = (got(&[(9, 19)], &[]), got(&[(9, 19), (30, 19)], &[]));
        assert_eq!((once.server_went_on, once.tickets), (false, 0));
        assert_eq!((twice.server_went_on, twice.tickets), (true, 1));
        let talk = got(&[(9, 19), (11, 19)], &[(8, 19), (10, 19), (12, 19), (13, 19)]);
        assert_eq!((talk.application_records.client, talk.application_records.server), (2, 1), "two may be a farewell");
    }

    #[test]
    fn an_alert_in_place_of_the_servers_flight_is_no_flight() {
        // Alone behind the ServerHello (Go), and behind EncryptedExtensions with the padding of JSSE.
        for server in [&[(5, 19)][..], &[(5, 65), (5, 35)]] {
            let got = read(AES256, false, false, &flights(server, &[]));
            assert!(
                got.server_alert_instead_of_flight && got.finished.server.is_none() && !got.hidden.server_flight_done.may_have_happened(),
                "{server:?}"
            );
        }
        // A server that gives up waiting has said all it had to say; EncryptedExtensions alone can be of a padded alert's size.
        for server in [&[(5, 23), (5, 832), (5, 281), (5, 69), (9, 19)][..], &[(5, 23), (5, 69), (9, 19)], &[(5, 35)]] {
            assert!(!read(AES256, false, false, &flights(server, &[])).server_alert_instead_of_flight, "{server:?}");
        }
    }

    #[test]
    fn padding_of_sixteen_is_learned() {
        let got = read(AES256, false, false, &flights(&[(5, 23), (5, 91), (5, 900), (5, 281), (5, 69)], &[(7, 41), (7, 85), (9, 35)]));
        assert_eq!(got.hidden.padding.client, Some(Padding::Each(16)));
        assert!(got.hidden.client_certificate_empty);
        assert!(got.last_is_alert.client.is_some_and(|(_, after)| after));
    }

    #[test]
    fn records_may_be_rounded_up() {
        // As Mbed TLS does: all are multiples of 16. A Finished takes 64 bytes, an alert and an empty Certificate 32.
        let server = [(5, 32), (5, 48), (5, 1248), (5, 96), (5, 64), (9, 32)];
        let got = read(AES128, false, false, &flights(&server, &[(7, 32), (7, 64), (7, 32)]));
        assert!(got.hidden.certificate_requested.happened() && got.hidden.client_certificate_empty && got.finished.client.is_some());
        assert_eq!(got.last_is_alert.server.map(|(mark, after)| (mark.frame, after)), Some((9, true)));
        assert!(!got.server_went_on && got.hidden.certificate_verify_record.is_none(), "sizes are not exact");
        let quiet = [(5, 32), (5, 1248), (5, 96), (5, 80), (9, 256)];
        let got = read(AES256, false, false, &flights(&quiet, &[(7, 80), (8, 48), (8, 48)]));
        assert_eq!((got.hidden.certificate_requested, got.tickets), (Fact::DidNot, 0));
        assert!(got.finished.client.is_some() && got.finished.server.is_some() && got.application.server.is_some());
        let got = read(AES256, false, false, &flights(&quiet[..4], &[(7, 32)]));
        assert!(got.hidden.client_alert_instead_of_finished && got.last_is_alert.client.is_some());
        // To 1,024 bytes: what a server says last may be an alert, and is no proof that it went on.
        let large = [(5, 1024), (5, 1024), (5, 2048), (5, 1024), (5, 1024), (9, 1024)];
        let got = read(AES128, false, false, &flights(&large, &[(7, 25), (7, 53), (8, 97)]));
        assert!(!got.server_went_on && got.last_is_alert.server.is_some_and(|(mark, after)| mark.frame == 9 && after));
    }

    #[test]
    fn a_coalesced_server_flight_ends_when_the_client_answers() {
        let got = read(AES128, false, false, &flights(&[(5, 1200), (9, 300)], &[(7, 53), (8, 120)]));
        assert!(got.hidden.server_flight_done.happened() && got.finished.client.is_some() && got.finished.server.is_some());
        assert_eq!(got.application_records.server, 1);
    }

    #[test]
    fn a_flight_in_one_record_may_be_whole() {
        // An empty EncryptedExtensions alone; with a Certificate that may be all or not; all in one; resumed.
        let flight = |resumed, lens: &[u16]| {
            let records: Vec<(u64, u16)> = lens.iter().map(|len| (5, *len)).collect();
            read(AES128, resumed, false, &flights(&records, &[])).hidden.server_flight_done
        };
        assert_eq!((flight(false, &[23]), flight(false, &[23, 120])), (Fact::DidNot, Fact::DidNot));
        assert_eq!((flight(false, &[23, 832]), flight(false, &[1250]), flight(true, &[65])), (Fact::Unseen, Fact::Unseen, Fact::Unseen));
    }

    #[test]
    fn an_answer_shows_what_a_joined_flight_hides() {
        // Certificate without any and Finished in one record: 8 and 36 bytes; then the server closes without a word.
        let got = read(AES128, false, false, &flights(&[(5, 1329)], &[(7, 61)]));
        assert!(got.hidden.client_certificate_empty && got.hidden.certificate_requested.happened());
        let got = read(AES256, false, false, &flights(&[(5, 1329)], &[(7, 77)]));
        assert!(got.hidden.client_certificate_empty);
        // A Finished alone says nothing of a request; where each message has its record, its absence shows.
        let got = read(AES128, false, false, &flights(&[(5, 1329)], &[(7, 53)]));
        assert_eq!((got.hidden.certificate_requested, got.hidden.client_certificate_empty), (Fact::Unseen, false));
        let got = read(AES128, false, false, &flights(&[(5, 23), (5, 832), (5, 281), (5, 53)], &[(7, 61)]));
        assert_eq!((got.hidden.certificate_requested, got.hidden.client_certificate_empty), (Fact::DidNot, false));
    }

    #[test]
    fn the_size_of_encrypted_extensions_is_known_where_they_stand_alone() {
        let len = |server: &[(u64, u16)]| read(AES128, false, false, &flights(server, &[(7, 53)])).hidden.encrypted_extensions_len;
        assert_eq!(len(&[(5, 23), (5, 832), (5, 281), (5, 53)]), Some(6));
        assert_eq!(len(&[(5, 32), (5, 832), (5, 281), (5, 53)]), Some(15), "room for h2");
        assert_eq!(len(&[(5, 23), (5, 1200)]), Some(6), "nothing else is so short");
        assert_eq!(len(&[(5, 1250)]), None);
        assert_eq!(len(&[(5, 39), (5, 848), (5, 297), (5, 69)]), Some(6), "padded by 16");
    }
}
