//! What follows the payload of one connection: finds TLS in its bytes, reads records and messages, and enters what it sees into the facts.
//!
//! A connection begins undecided. Bytes that look like TLS start the record readers; other bytes go to a preamble, which says when TLS begins
//! or that it never will. Where the connection's beginning was not captured, the readers look for a record header at the start of segments. Where
//! both sides agree to go on in frames (WebSocket), what is in them is read as if a connection began there.

use crate::flow::{PerSide, Side};
use crate::limits;
use crate::preamble::dns;
use crate::preamble::websocket::Asked;
use crate::preamble::{self, Dialect, Plaintext, Preamble, Step, Unwrap};
use crate::tls::record::{Recognition, looks_like_tls};
use crate::transport::{Data, FlowFacts, Gap, Interest};

use super::contents::Content;
use super::decrypt::{self, Decryption};
use super::facts::{Located, Observed, Protocol};
use super::records::{Head, Stream};
use super::relevance::{keep_greeting, keep_turned_away};
use super::shared::Shared;

mod upgraded;

pub(super) use upgraded::Passed;
use upgraded::{Login, Passing};

/// Where the reading of a connection's payload stands.
#[derive(Debug, Default)]
pub(super) struct Following {
    streams: PerSide<Stream>,
    mode: Mode,
    /// What leads up to TLS or stands in its place, until TLS has begun on both sides.
    preamble: Option<Box<Preamble>>,
    /// TLS inside packets of what led up to it.
    wrapped: Option<Box<PerSide<Unwrap>>>,
    /// Both sides went on in frames, out of which `wrapped` takes a stream: what they are said to speak in clear if that is no TLS.
    framed: Option<Box<PerSide<Spoken>>>,
    /// Both sides went on in datagrams, likewise.
    passing: Option<Box<Passing>>,
    /// The server asked who the client is before it agrees to that.
    login: Option<Box<Login>>,
    /// Where secrets are given.
    decryption: Option<Box<Decryption>>,
    /// Payload bytes looked at while nothing was recognised.
    fruitless: usize,
    /// What the server answered, if that was an answer of the DNS.
    answer: Option<Box<dns::Answer>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// Too few bytes to say.
    #[default]
    Undecided,
    /// TLS, or something that may lead up to it.
    Known,
    /// The beginning was not captured: records are looked for.
    Midstream,
}

/// What a side speaks in clear.
type Spoken = Option<Box<Located<Plaintext>>>;

/// What is done with a side's bytes once it is known what they are.
type GoOn = fn(&mut Following, &mut Observed, &mut Shared, &Data<'_>) -> Interest;

impl Following {
    /// Of what is known to be TLS from its first byte on. What travels inside it is not followed.
    pub(super) fn of_tls(shared: &Shared) -> Self {
        let mut following = Self { mode: Mode::Known, decryption: decrypt::wanted(shared.keys.as_ref()), ..Self::default() };
        following.contents_are_left();
        following
    }

    /// Of what is spoken through records that are opened.
    pub(super) fn of_a_tunnel(shared: &Shared) -> Self {
        Self { preamble: Some(Box::new(Preamble::new(0))), ..Self::of_tls(shared) }
    }

    /// Bytes that came through such a tunnel.
    pub(super) fn tunnelled(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        self.known(h, shared, data)
    }

    /// Datagrams go through it.
    pub(super) const fn relays(&self) -> bool {
        self.passing.is_some()
    }

    /// Those that came since the last time.
    pub(super) fn datagrams(&mut self) -> Vec<Passed> {
        self.passing.as_mut().map_or_else(Vec::new, |passing| std::mem::take(&mut passing.waiting))
    }

    /// The content of records that were opened since the last time, where it may be a tunnel.
    pub(super) fn contents(&mut self) -> Vec<Content> {
        self.decryption.as_mut().map_or_else(Vec::new, |decryption| decryption.contents.take())
    }

    /// A tunnel is followed, and what is in it may not be over.
    pub(super) fn is_listened_to(&self) -> bool {
        self.decryption.as_ref().is_some_and(|decryption| decryption.contents.are_wanted())
    }

    /// What was read of a tunnel is not all that was said in it.
    pub(super) fn lost_contents(&self) -> bool {
        self.decryption.as_ref().is_some_and(|decryption| decryption.contents.are_lost())
    }

    /// What is inside the records is not wanted, or not any more.
    pub(super) fn contents_are_left(&mut self) {
        if let Some(decryption) = &mut self.decryption {
            decryption.contents.leave();
        }
    }

    /// Bytes of a side are missing.
    pub(super) fn gap(&mut self, observed: &mut Observed, shared: &mut Shared, gap: Gap) {
        let Self { streams, decryption, wrapped, passing, .. } = self;
        if let Some(wrapped) = wrapped {
            wrapped.of_mut(gap.side).lose();
        }
        if let Some(passing) = passing {
            passing.lanes.of_mut(gap.side).lose();
        }
        let stream = streams.of_mut(gap.side);
        if stream.started() {
            stream.gap(observed, shared, decryption.as_deref_mut(), gap);
            return;
        }
        stream.missed_beginning(gap.offset.saturating_add(gap.len), decryption.is_some());
        if self.mode == Mode::Undecided {
            self.mode = Mode::Midstream;
        }
        if let Some(preamble) = &mut self.preamble {
            preamble.gap(gap.side);
        }
    }

    /// Decrypts, where keys were given.
    pub(super) fn decrypt(&mut self, shared: &Shared) {
        self.decryption = decrypt::wanted(shared.keys.as_ref());
    }

    /// What leads up to TLS, or stands in its place.
    pub(super) fn preamble(&self) -> Option<&Preamble> {
        self.preamble.as_deref()
    }

    /// What the server answered, if that was an answer of the DNS.
    pub(super) fn take_answer(&mut self) -> Option<dns::Answer> {
        self.answer.take().map(|answer| *answer)
    }

    /// Bytes of a side were not seen, and nobody knows how many: what follows them begins somewhere in a record.
    pub(super) fn lose(&mut self, side: Side, offset: u64) {
        self.streams.of_mut(side).missed_beginning(offset, self.decryption.is_some());
    }

    /// Bytes that it holds besides its own.
    pub(super) fn held_bytes(&self) -> usize {
        Side::BOTH.iter().map(|side| self.streams.of(*side).held_bytes()).sum::<usize>()
            + self.preamble.as_ref().map_or(0, |preamble| preamble.held_bytes())
            + self.passing.as_ref().map_or(0, |passing| passing.held_bytes())
            + self.login.as_ref().map_or(0, |login| login.held_bytes())
            + self.framed.as_ref().map_or(0, |framed| size_of_val(framed.as_ref()))
            + self.wrapped.as_ref().map_or(0, |wrapped| wrapped.client.held_bytes() + wrapped.server.held_bytes())
            + self.decryption.as_ref().map_or(0, |decryption| decryption.held_bytes())
    }

    /// Enters what is known only at the end.
    pub(super) fn finish(&mut self, observed: &mut Observed, shared: &mut Shared, flow: &FlowFacts) {
        self.judge_heads(observed, shared, flow);
        if let Some(decryption) = &mut self.decryption {
            decryption.finish(observed, shared);
        }
        if self.framed.is_some() && observed.protocol == Protocol::Other && self.preamble().is_some_and(Preamble::is_only_behind) {
            self.leave_frames(observed);
        }
        if let Some(preamble) = self.leave_login(observed) {
            self.preamble = Some(Box::new(preamble));
        }
        if let Some(preamble) = self.preamble.take() {
            keep_turned_away(observed, flow, &preamble);
            keep_greeting(observed, flow, &preamble);
            observed.preamble = preamble.into_facts().map(Box::new);
        }
        self.keep_partial(observed);
    }

    /// Enters what would be known if this were the end.
    pub(super) fn so_far(&self, observed: &mut Observed) {
        let login = self.leave_login(observed);
        if let Some(preamble) = login.as_ref().or_else(|| self.preamble()) {
            observed.preamble = preamble.facts().map(Box::new);
        }
        self.keep_partial(observed);
    }

    fn keep_partial(&self, observed: &mut Observed) {
        self.streams.client.keep_partial(observed, Side::Client);
        self.streams.server.keep_partial(observed, Side::Server);
    }

    #[inline]
    pub(super) fn data(&mut self, h: &mut Observed, shared: &mut Shared, flow: &FlowFacts, data: &Data<'_>) -> Interest {
        match self.mode {
            Mode::Known => self.known(h, shared, data),
            Mode::Undecided => self.undecided(h, shared, flow, data),
            Mode::Midstream => {
                let interest = self.records(h, shared, data);
                if h.protocol != Protocol::Other {
                    return interest;
                }
                self.fruitless = self.fruitless.saturating_add(data.bytes.len());
                if self.fruitless > limits::PREAMBLE_BYTES { Interest::Settled } else { interest }
            }
        }
    }

    /// Bytes of TLS, or of something that may lead up to it.
    #[inline]
    fn known(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        if self.preamble.is_some() && !self.streams.of(data.side).started() {
            self.feed_preamble(h, shared, data)
        } else {
            self.records(h, shared, data)
        }
    }

    /// The first bytes of a connection.
    #[inline(never)]
    fn undecided(&mut self, h: &mut Observed, shared: &mut Shared, flow: &FlowFacts, data: &Data<'_>) -> Interest {
        let head = self.streams.of_mut(data.side).head(data);
        match verdict(head, false) {
            Recognition::NeedMore => Interest::More,
            Recognition::Yes => {
                self.mode = Mode::Known;
                if flow.ends().1.port == FTPS {
                    h.ftp = Some(Box::default());
                }
                self.with_head(h, shared, data, Self::first_records)
            }
            Recognition::No if !flow.saw_start() => {
                self.mode = Mode::Midstream;
                self.with_head(h, shared, data, Self::records)
            }
            Recognition::No => {
                self.mode = Mode::Known;
                self.preamble = Some(Box::new(Preamble::new(flow.ends().1.port)));
                // What the other side said before was too short to tell and comes first.
                if let Some(earlier) = self.streams.of_mut(data.side.other()).take_head() {
                    let interest = self.feed_preamble(h, shared, &earlier.data(data.side.other()));
                    if interest != Interest::More {
                        return interest;
                    }
                }
                self.with_head(h, shared, data, Self::feed_preamble)
            }
        }
    }

    /// The connection is over and its first bytes were too few to tell TLS from another protocol: unless a record begins there, they are a
    /// dialogue in clear.
    fn judge_heads(&mut self, h: &mut Observed, shared: &mut Shared, flow: &FlowFacts) {
        if self.mode != Mode::Undecided || !flow.saw_start() {
            return;
        }
        let mut heads: Vec<_> = Side::BOTH.into_iter().filter_map(|side| Some((side, self.streams.of_mut(side).take_head()?))).collect();
        let record = |(side, head): &(Side, Head)| matches!(head.data(*side).bytes, [20..=24, ..]);
        if heads.is_empty() || heads.iter().any(record) {
            return;
        }
        heads.sort_by_key(|(side, head)| *head.data(*side).mark);
        self.mode = Mode::Known;
        self.preamble = Some(Box::new(Preamble::new(flow.ends().1.port)));
        for (side, head) in heads {
            self.feed_preamble(h, shared, &head.data(side));
        }
    }

    /// Goes on with all that was gathered of a side.
    fn with_head(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>, go_on: GoOn) -> Interest {
        match self.streams.of_mut(data.side).take_head() {
            Some(head) => go_on(self, h, shared, &head.data(data.side)),
            None => go_on(self, h, shared, data),
        }
    }

    #[inline(never)]
    fn feed_preamble(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        if self.framed.is_some() && self.wrapped.is_some() {
            return self.in_frames(h, shared, data);
        }
        if let Some(passing) = &mut self.passing {
            passing.take(data);
            return Interest::More;
        }
        if self.login.is_some() && self.goes_on_behind_login(h, data.side) {
            return Interest::More;
        }
        if h.plaintext.client.is_some() && self.framed.is_none() {
            if data.side == Side::Server
                && let Asked::For(dialect) = self.asked_for(h)
            {
                return self.answered(h, shared, data, dialect);
            }
            if let (Side::Client, Some(preamble)) = (data.side, &mut self.preamble) {
                preamble.remember(Side::Client, data.bytes);
            }
        }
        // The answer to a side that speaks plaintext is TLS or it is not; the preamble has said its word.
        if h.plaintext.of(data.side.other()).is_some() || self.streams.of(data.side).ignored() {
            return self.records(h, shared, data);
        }
        let Some(preamble) = &mut self.preamble else { return self.records(h, shared, data) };
        match preamble.feed(data.side, data.bytes, *data.mark) {
            Step::More => Interest::More,
            Step::Tls { before, consumed } => {
                let unwrap = preamble.unwrappers();
                let wrapped = unwrap.is_some();
                if let Some(unwrap) = unwrap.filter(|_| self.wrapped.is_none()) {
                    self.wrapped = Some(Box::new(unwrap));
                }
                let offset = data.offset.saturating_add(consumed as u64).saturating_sub(before.len() as u64);
                let rest = data.bytes.get(consumed..).unwrap_or_default();
                let first = if before.is_empty() { rest } else { before.as_slice() };
                if preamble.is_granted() && !wrapped && looks_like_tls(first) == Recognition::No {
                    let what = preamble::identify(first, data.side);
                    if data.side == Side::Server {
                        preamble.fall_back(first, *data.mark);
                    }
                    return self.speaks_plaintext(h, what, data);
                }
                // An alert is a TLS server's answer to what it could not read.
                if data.side == Side::Server && first.first() == Some(&0x15) && !self.streams.client.started() {
                    let said = preamble.unfollowed();
                    h.plaintext.client = said.map(|what| Box::new(Located { what, mark: *data.mark, first: *data.mark, span: (0, 0) }));
                }
                self.begin(data.side, offset, false);
                if self.streams.client.started() && self.streams.server.started() {
                    h.preamble = self.preamble.take().and_then(|preamble| preamble.into_facts()).map(Box::new);
                    if h.preamble.as_ref().is_some_and(|facts| facts.dialect == Dialect::Ftp) {
                        h.ftp = Some(Box::default());
                    }
                }
                let mut interest = Interest::More;
                for bytes in [before.as_slice(), rest].into_iter().filter(|bytes| !bytes.is_empty()) {
                    interest = self.read(h, shared, &Data { offset, bytes, ..*data });
                }
                interest
            }
            Step::NotTls(plaintext) => self.speaks_plaintext(h, plaintext, data),
        }
    }

    /// A side spoke another protocol where TLS was due.
    fn speaks_plaintext(&mut self, h: &mut Observed, what: Plaintext, data: &Data<'_>) -> Interest {
        let span = (data.offset, data.offset.saturating_add(data.bytes.len() as u64));
        let asked = h.plaintext.client.as_ref().filter(|_| data.side == Side::Server);
        let what = match asked {
            Some(asked) => what.in_answer_to(&asked.what, data.bytes),
            None => what,
        };
        *h.plaintext.of_mut(data.side) = Some(Box::new(Located { what, mark: *data.mark, first: *data.mark, span }));
        self.streams.of_mut(data.side).ignore();
        Interest::More
    }

    /// Bytes of a side that speaks records, or is about to.
    #[inline]
    fn records(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        let stream = self.streams.of(data.side);
        if stream.started() && !stream.ignored() { self.read(h, shared, data) } else { self.begin_records(h, shared, data) }
    }

    #[inline(never)]
    fn begin_records(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        let other_began = self.streams.of(data.side.other()).started();
        let stream = self.streams.of_mut(data.side);
        if stream.ignored() {
            // An upgrade in a dialect we do not know: plaintext first, then TLS, begun by the client.
            let turn = other_began || data.side == Side::Client;
            if !turn || looks_like_tls(data.bytes) != Recognition::Yes {
                return Interest::More;
            }
            // What spoke in clear answers a ClientHello with no ClientHello of its own: it repeats what it could not read.
            if data.side == Side::Server && other_began && is_client_hello(data.bytes) {
                return Interest::More;
            }
            *stream = Stream::default();
            *h.plaintext.of_mut(data.side) = None;
        }
        if self.mode == Mode::Midstream {
            self.begin(data.side, data.offset, true);
            return self.read(h, shared, data);
        }
        let head = self.streams.of_mut(data.side).head(data);
        let verdict = match verdict(head, other_began) {
            Recognition::Yes if data.side == Side::Server && quotes(h, head) => Recognition::No,
            verdict => verdict,
        };
        match verdict {
            Recognition::NeedMore => Interest::More,
            Recognition::Yes => self.with_head(h, shared, data, Self::first_records),
            Recognition::No => {
                let what = preamble::identify(head, data.side);
                if data.side == Side::Server && self.answer.is_none() {
                    self.answer = dns::framed(head).and_then(dns::read).map(Box::new);
                }
                self.speaks_plaintext(h, what, data);
                // Both sides in clear: nothing about TLS will follow.
                if self.streams.client.ignored() && self.streams.server.ignored() { Interest::Settled } else { Interest::More }
            }
        }
    }

    /// The first bytes of a side, which are TLS.
    fn first_records(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        self.begin(data.side, data.offset, false);
        self.read(h, shared, data)
    }

    /// Goes on with the records of a side.
    #[inline]
    fn read(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        if self.wrapped.is_some() {
            return self.read_wrapped(h, shared, data);
        }
        let stream = self.streams.of_mut(data.side);
        let interest = stream.read(h, shared, self.decryption.as_deref_mut(), data);
        if interest == Interest::Swap {
            // The facts have been turned round already.
            self.streams.swap();
        }
        interest
    }

    /// The same where the records lie inside packets.
    #[cold]
    fn read_wrapped(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        let Self { streams, wrapped: Some(wrapped), decryption, framed, .. } = self else { return Interest::More };
        let stream = streams.of_mut(data.side);
        let mut interest = Interest::More;
        wrapped.of_mut(data.side).feed(data.bytes, |bytes| {
            if framed.is_some() {
                *h.in_frames.get_or_insert_default().of_mut(data.side) = Some(*data.mark);
            }
            if interest == Interest::More {
                interest = stream.read(h, shared, decryption.as_deref_mut(), &Data { bytes, ..*data });
            }
        });
        if interest == Interest::Swap {
            self.streams.swap();
        }
        interest
    }

    /// The records of a side begin at this offset; in mid-stream a header is looked for.
    fn begin(&mut self, side: Side, offset: u64, midstream: bool) {
        let keep_encrypted = self.decryption.is_some();
        self.streams.of_mut(side).begin(offset, midstream, keep_encrypted);
    }
}

/// A record of a `ClientHello` begins there.
const fn is_client_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, _, _, _, 1, ..])
}

/// The server's first bytes are the beginning of the client's `ClientHello` and then something else: an error message that quotes what could not
/// be read, up to the first blank or line end in it (IMAP repeats the tag of each command). A whole hello that comes back is an echo, and one with
/// another random another client's.
fn quotes(h: &Observed, head: &[u8]) -> bool {
    if !is_client_hello(head) {
        return false;
    }
    let Some(hello) = h.client_hellos.last() else { return false };
    let Some((header, body)) = head.get(HELLO_HEADER.start..).and_then(|message| message.split_at_checked(HELLO_HEADER.len())) else {
        return false;
    };
    let own = hello.what.bytes();
    let len = u32::try_from(own.len()).unwrap_or_default().to_be_bytes();
    // The type, which is the same, and the length.
    if header.get(1..) != len.get(1..) {
        return !matches!(body, [3, ..]);
    }
    let same = own.iter().zip(body).take_while(|(own, said)| own == said).count();
    same < own.len().min(body.len()) && !(VERSION_LEN..=VERSION_LEN + 1).contains(&same)
}

/// Where the header of a record's first message lies.
const HELLO_HEADER: std::ops::Range<usize> = 5..9;
/// The version in front of a hello's random.
const VERSION_LEN: usize = 2;

/// The port of FTP control connections that begin with TLS.
const FTPS: u16 = 990;
/// Whether a side's first bytes are TLS. Where its partner speaks TLS it may begin with any record; and a ClientHello in a record of impossible
/// length is a broken client, not another protocol.
fn verdict(head: &[u8], partner_speaks_tls: bool) -> Recognition {
    match (looks_like_tls(head), head) {
        (Recognition::No, [20..=24, 3, 0..=4, ..]) if partner_speaks_tls => Recognition::Yes,
        (Recognition::No, [22, 3, 0..=4, _, _, 1, ..]) => Recognition::Yes,
        (verdict, _) => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mark;
    use crate::tls::client_hello::ClientHello;
    use crate::tls::client_hello::tests::build;

    #[test]
    fn what_begins_as_the_clients_hello_and_goes_on_as_a_text_quotes_it() {
        let body = build(0x0303, &[0x1301, 0x1302], &[]);
        let mut h = Observed::default();
        let what = ClientHello::parse(&body).unwrap();
        h.client_hellos.push(Located { what, mark: Mark::default(), first: Mark::default(), span: (0, 90) });
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let whole = [&[22, 3, 1, 0, 90, 1][..], &length[1..], &body].concat();
        assert!(quotes(&h, b"\x16\x03\x01\x00\x5a\x01 BAD Invalid command\r\n"), "its first six bytes");
        assert!(quotes(&h, &[&whole[..20], b" BAD Invalid command\r\n"].concat()), "up to a byte of its random");
        assert!(!quotes(&h, &whole), "a whole echo");
        assert!(!quotes(&h, &whole[..20]), "the beginning of one");
        let mut other = whole.clone();
        other[11] ^= 1;
        assert!(!quotes(&h, &other), "another client's");
        let longer = build(0x0303, &[0x1301, 0x1302, 0x1303], &[]);
        let length = u32::try_from(longer.len()).unwrap().to_be_bytes();
        assert!(!quotes(&h, &[&[22, 3, 1, 0, 92, 1][..], &length[1..], &longer].concat()), "another client's");
        assert!(!quotes(&h, b"\x16\x03\x03\x00\x5a\x02\x00\x00\x56\x03\x03"), "a ServerHello");
        assert!(!quotes(&Observed::default(), &whole), "nobody said it before");
    }
}
