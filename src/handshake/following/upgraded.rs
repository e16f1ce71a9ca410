//! What a client goes on to by HTTP's leave: frames of a WebSocket, out of which a stream is taken, or datagrams through a proxy. A server may ask who the
//! client is before it agrees.

use crate::flow::{PerSide, Side};
use crate::handshake::facts::{Located, Observed, Protocol};
use crate::handshake::shared::Shared;
use crate::limits;
use crate::preamble::capsules::Capsules;
use crate::preamble::websocket::{self, Answer, Asked};
use crate::preamble::{self, Dialect, Preamble, PreambleFacts, Unwrap};
use crate::time::Mark;
use crate::transport::{Data, Interest};

use super::{Following, Spoken};

/// A server asked who the client is: what was said until then, should nothing more be said.
#[derive(Debug)]
pub(super) struct Login {
    facts: PreambleFacts,
    spoken: PerSide<Spoken>,
    /// How often it asked.
    rounds: usize,
}

impl Login {
    /// What is known of the connection if this was all.
    fn preamble(&self, port: u16) -> Preamble {
        if self.facts.target.is_some() { Preamble::over(self.facts.clone(), port) } else { Preamble::new(port) }
    }

    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.facts.lines.iter().map(|line| line.text.capacity()).sum::<usize>()
    }
}

/// Datagrams that go through it: what takes them out of each side's bytes, and those that nobody looked at yet.
#[derive(Debug, Default)]
pub(super) struct Passing {
    pub(super) lanes: PerSide<Capsules>,
    pub(super) waiting: Vec<Passed>,
}

/// One of them.
pub(in crate::handshake) type Passed = (Side, Mark, Vec<u8>);

impl Passing {
    pub(super) fn take(&mut self, data: &Data<'_>) {
        let Self { lanes, waiting } = self;
        lanes.of_mut(data.side).feed(data.bytes, |datagram| waiting.push((data.side, *data.mark, datagram.to_vec())));
    }

    pub(super) fn held_bytes(&self) -> usize {
        let waiting = self.waiting.iter().map(|(.., datagram)| size_of::<Passed>() + datagram.capacity());
        size_of::<Self>() + self.lanes.client.held_bytes() + self.lanes.server.held_bytes() + waiting.sum::<usize>()
    }
}

impl Following {
    /// The client may ask, or have asked, a web server to go on in frames, and the server has yet to answer.
    pub(in crate::handshake) fn may_go_on_in_frames(&self, h: &Observed) -> bool {
        self.asked_for(h) != Asked::Other
    }

    /// What that is, if anything.
    pub(super) fn asked_for(&self, h: &Observed) -> Asked {
        let Some(preamble) = &self.preamble else { return Asked::Other };
        if h.plaintext.client.is_none() || h.plaintext.server.is_some() || self.framed.is_some() {
            return Asked::Other;
        }
        websocket::asks(preamble.first(Side::Client))
    }

    /// A server's answer to a client that asks it to go on in frames.
    pub(super) fn answered(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>, dialect: Dialect) -> Interest {
        let head = self.streams.of_mut(data.side).gather(data);
        let taken = match websocket::answer(head) {
            Answer::Wait if head.len() < limits::PREAMBLE_MESSAGE => return Interest::More,
            Answer::Taken(len) => Some(len),
            Answer::Wait | Answer::Other => None,
        };
        let (preamble, asked) = (self.preamble.as_ref(), h.plaintext.client.as_ref().map_or(*data.mark, |said| said.mark));
        let request = preamble.map(|preamble| preamble.first(Side::Client)).unwrap_or_default();
        let answer = head.get(..taken.unwrap_or(head.len())).unwrap_or_default();
        let span = (data.offset, data.offset.saturating_add(data.bytes.len() as u64));
        let said = Some(Box::new(Located { what: preamble::identify(answer, Side::Server), mark: *data.mark, first: *data.mark, span }));
        let facts = websocket::facts(dialect, (request, asked), (answer, *data.mark), taken.is_some());
        let compressed = websocket::compression(answer);
        if taken.is_none() && facts.target.is_none() && !facts.asks_for_login() {
            return self.with_head(h, shared, data, Self::records);
        }
        let port = preamble.map_or(0, |preamble| preamble.port());
        let behind = taken.and_then(|len| head.get(len..)).unwrap_or_default().to_vec();
        self.streams = PerSide::default();
        let mut spoken = std::mem::take(&mut h.plaintext);
        spoken.server = said;
        let rounds = self.login.as_ref().map_or(0, |login| login.rounds);
        if facts.asks_for_login() && rounds < LOGINS {
            // Its page follows, and the client may ask again behind that.
            let login = Login { facts, spoken, rounds: rounds.saturating_add(1) };
            self.preamble = Some(Box::new(login.preamble(port)));
            h.plaintext.clone_from(&login.spoken);
            self.login = Some(Box::new(login));
            return Interest::More;
        }
        self.login = None;
        if taken.is_none() {
            // Who was refused a tunnel was refused by a proxy, whatever else speaks HTTP.
            self.preamble = Some(Box::new(Preamble::over(facts, port)));
            self.streams.client.ignore();
            self.streams.server.ignore();
            return Interest::Settled;
        }
        self.framed = Some(Box::new(spoken));
        if dialect == Dialect::ConnectUdp {
            let mut passing = Passing::default();
            passing.take(&Data { bytes: &behind, ..*data });
            self.passing = Some(Box::new(passing));
            self.preamble = Some(Box::new(Preamble::behind(facts, port)));
            return Interest::More;
        }
        self.preamble = Some(Box::new(Preamble::behind(facts, port)));
        let PerSide { client, server } = compressed;
        self.wrapped = Some(Box::new(PerSide { client: Unwrap::websocket(client), server: Unwrap::websocket(server) }));
        if behind.is_empty() { Interest::More } else { self.in_frames(h, shared, &Data { bytes: &behind, ..*data }) }
    }

    /// Bytes of a side that speaks in frames and has not begun with TLS.
    pub(super) fn in_frames(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        let Some(mut wrapped) = self.wrapped.take() else { return Interest::More };
        let mut interest = Interest::More;
        wrapped.of_mut(data.side).feed(data.bytes, |bytes| {
            *h.in_frames.get_or_insert_default().of_mut(data.side) = Some(*data.mark);
            if interest == Interest::More {
                interest = self.known(h, shared, &Data { bytes, ..*data });
            }
        });
        let lost = wrapped.of(data.side).is_lost();
        self.wrapped = Some(wrapped);
        let in_clear = lost || h.plaintext.client.is_some() || h.plaintext.server.is_some();
        if in_clear && h.protocol == Protocol::Other {
            self.leave_frames(h);
            return Interest::Settled;
        }
        interest
    }

    /// What is in the frames is no TLS and leads to none: the connection is what it was before.
    pub(super) fn leave_frames(&mut self, h: &mut Observed) {
        if let Some(spoken) = self.framed.take() {
            (h.plaintext, h.in_frames) = (*spoken, None);
            (self.preamble, self.wrapped) = (None, None);
            self.streams.client.ignore();
            self.streams.server.ignore();
        }
    }

    /// Bytes behind the answer by which a server asks who the client is. True for more of that answer; with a client's it begins anew.
    pub(super) fn goes_on_behind_login(&mut self, h: &mut Observed, side: Side) -> bool {
        if self.login.is_none() || h.plaintext.server.is_none() {
            return false;
        }
        if side == Side::Client {
            let port = self.preamble().map_or(0, Preamble::port);
            self.preamble = Some(Box::new(Preamble::new(port)));
            (self.streams, h.plaintext) = (PerSide::default(), PerSide::default());
        }
        side == Side::Server
    }

    /// Nobody was let in: the last word was that the client has to say who it is.
    pub(super) fn leave_login(&self, h: &mut Observed) -> Option<Preamble> {
        let login = self.login.as_ref().filter(|_| h.protocol == Protocol::Other)?;
        h.plaintext.clone_from(&login.spoken);
        Some(login.preamble(self.preamble().map_or(0, Preamble::port)))
    }
}

/// How often a server asks who the client is: some schemes take three rounds.
const LOGINS: usize = 4;
