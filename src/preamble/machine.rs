//! Splits both sides into messages, hands them to the dialect, and says where TLS begins.

use super::detect::{Detected, detect, dialogue};
use super::dialogue::{Dialogue, Extent, Next, Said};
use super::identify::identify;
use super::text::starts_with;
use super::{Dialect, Packets, Plaintext, PreambleFacts, Unwrap, Upgrade, openvpn, tds};
use crate::flow::{PerSide, Side};
use crate::limits::{PREAMBLE_BYTES, PREAMBLE_DEPTH, PREAMBLE_FIRST, PREAMBLE_MESSAGE, PREAMBLE_OPENING};
use crate::time::Mark;

/// A connection that began with something else than TLS.
///
/// Feed it each side's bytes in the order captured. A side for which [`Step::Tls`] was returned has its TLS begun: its bytes need not be fed
/// any more. The other side goes on being fed until it gets its own. At any time [`Preamble::facts`] tells what was learnt.
#[derive(Debug)]
pub struct Preamble {
    port: u16,
    lanes: PerSide<Lane>,
    state: State,
    facts: Option<PreambleFacts>,
    outer: Option<Box<PreambleFacts>>,
    depth: usize,
    fed: usize,
}

/// What the bytes just fed mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// All of it belongs to the preamble, which goes on.
    More,
    /// This side's TLS begins.
    Tls {
        /// Its first bytes, where they came in earlier slices, or in this one before it was clear what is spoken: they precede what is left of
        /// this slice. Nearly always none, never more than [`PREAMBLE_OPENING`].
        before: Vec<u8>,
        /// How many bytes at the slice's start belong to the preamble; TLS is what follows.
        consumed: usize,
    },
    /// No TLS came and, as far as can be told, none will. A later slice may still give [`Step::Tls`] if it is fed.
    NotTls(Plaintext),
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent conditions of one side")]
struct Lane {
    /// The message under way, up to [`PREAMBLE_MESSAGE`]; while opening, all that came.
    pending: Vec<u8>,
    /// Bytes of that message that were not kept.
    over: usize,
    /// The first bytes of this side, for naming it.
    first: Vec<u8>,
    /// The bytes pending may be the head of a TLS record.
    holding: bool,
    /// Cannot be framed any more: only the start of a slice is looked at.
    lost: bool,
    /// TLS is next.
    due: bool,
    /// TLS has begun.
    tls: bool,
}

#[derive(Debug)]
enum State {
    /// No side has made clear what is spoken.
    Opening,
    Talking(Box<dyn Dialogue>),
    /// Something unknown, in which TLS may still begin.
    Unknown,
    /// Known to be no TLS.
    Over,
}

enum Event {
    Tls,
    /// Not TLS: what it is, or that the side's first bytes tell.
    Not(Option<Plaintext>),
}

impl Preamble {
    /// Bytes that it may hold: what was said is kept once as it came and once as lines.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + 2 * self.fed.min(PREAMBLE_BYTES)
    }

    /// A connection to this port of the server; the port helps to tell dialects apart whose first words are alike.
    pub fn new(server_port: u16) -> Self {
        Self { port: server_port, lanes: PerSide::default(), state: State::Opening, facts: None, outer: None, depth: 0, fed: 0 }
    }

    /// What is said behind an upgrade that was read elsewhere.
    pub fn behind(facts: PreambleFacts, server_port: u16) -> Self {
        Self { outer: Some(Box::new(facts)), depth: 1, ..Self::new(server_port) }
    }

    /// A dialogue that was read elsewhere and is over.
    pub fn over(facts: PreambleFacts, server_port: u16) -> Self {
        Self { facts: Some(facts), state: State::Over, ..Self::new(server_port) }
    }

    /// Nothing was recognised behind an upgrade that was read elsewhere.
    pub fn is_only_behind(&self) -> bool {
        self.facts.is_none() && self.outer.as_ref().is_some_and(|outer| matches!(outer.dialect, Dialect::WebSocket | Dialect::ConnectUdp))
    }

    /// The server's port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// More of what a side says that is known to be no TLS.
    pub fn remember(&mut self, side: Side, bytes: &[u8]) {
        self.lanes.of_mut(side).remember(bytes);
    }

    /// The first bytes of a side, for whoever reads them in another way.
    pub fn first(&self, side: Side) -> &[u8] {
        &self.lanes.of(side).first
    }

    /// Takes the next bytes of a side.
    pub fn feed(&mut self, side: Side, bytes: &[u8], mark: Mark) -> Step {
        self.fed = self.fed.saturating_add(bytes.len());
        let (consumed, event) = self.run(side, bytes, mark);
        match event {
            Some(Event::Tls) => {
                if let (Side::Client, State::Talking(dialogue), Some(facts)) = (side, &mut self.state, &mut self.facts) {
                    dialogue.begun(mark, facts);
                }
                let lane = self.lanes.of_mut(side);
                lane.tls = true;
                Step::Tls { before: std::mem::take(&mut lane.pending), consumed }
            }
            Some(Event::Not(plaintext)) => {
                self.lanes.of_mut(side).remember(bytes.get(consumed..).unwrap_or_default());
                Step::NotTls(plaintext.unwrap_or_else(|| self.name(side)))
            }
            None if self.fed > self.most() => {
                self.state = State::Over;
                Step::NotTls(self.name(side))
            }
            None => Step::More,
        }
    }

    /// Bytes of both sides after which it is given up.
    fn most(&self) -> usize {
        if let State::Talking(dialogue) = &self.state { dialogue.most() } else { PREAMBLE_BYTES }
    }

    /// Bytes of a side are missing: framing starts anew with what comes next.
    pub fn gap(&mut self, side: Side) {
        let lane = self.lanes.of_mut(side);
        lane.pending.clear();
        (lane.over, lane.holding) = (0, false);
    }

    /// A side's TLS began without this being told: its `ClientHello` was the connection's first byte, say.
    pub const fn begun(&mut self, side: Side) {
        self.lanes.of_mut(side).tls = true;
    }

    /// The TLS of a side has begun, or is what comes next.
    pub const fn is_tls(&self, side: Side) -> bool {
        let lane = self.lanes.of(side);
        lane.tls || lane.due
    }

    /// The upgrade was granted: all further bytes of both sides are TLS. (Behind a PROXY header or through a tunnel anything may follow, so
    /// those do not count.)
    pub fn is_granted(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.upgrade == Upgrade::Granted)
    }

    /// The server says something in clear where TLS was promised.
    pub fn fall_back(&mut self, bytes: &[u8], mark: Mark) {
        if let Some(facts) = &mut self.facts {
            facts.fall_back(bytes, mark);
        }
    }

    /// Handshake records travel inside packets of the dialect: what takes them out of a side's bytes.
    pub fn unwrappers(&self) -> Option<PerSide<Unwrap>> {
        let unwrap = || match self.facts.as_ref().filter(|_| self.is_granted())?.dialect {
            Dialect::Tds => Some(Unwrap(Packets::Tds(tds::Unwrap::default()))),
            Dialect::OpenVpn => {
                let wrapping = openvpn::wrapping(&self.lanes.client.first).unwrap_or_default();
                Some(Unwrap(Packets::OpenVpn(openvpn::Unwrap::new(wrapping))))
            }
            _ => None,
        };
        Some(PerSide { client: unwrap()?, server: unwrap()? })
    }

    /// The client's first bytes are no TLS, not even a record that breaks the rules, and belong to no dialect that is followed: what it speaks.
    pub fn unfollowed(&self) -> Option<Plaintext> {
        let record = matches!(self.lanes.client.first.as_slice(), [20..=24, 3, ..]);
        if record || self.has_facts() { None } else { self.plaintext(Side::Client) }
    }

    /// A dialect was recognised.
    const fn has_facts(&self) -> bool {
        self.facts.is_some() || self.outer.is_some()
    }

    /// What is spoken, the innermost where upgrades are nested.
    pub fn dialect(&self) -> Option<Dialect> {
        self.facts.as_ref().or(self.outer.as_deref()).map(|facts| facts.dialect)
    }

    /// What was learnt so far; `None` while no dialect is recognised.
    pub fn facts(&self) -> Option<PreambleFacts> {
        let Some(mut facts) = self.facts.clone() else { return self.outer.as_deref().cloned() };
        facts.outer.clone_from(&self.outer);
        Some(facts)
    }

    /// The same, without a copy.
    pub fn into_facts(self) -> Option<PreambleFacts> {
        let Some(mut facts) = self.facts else { return self.outer.map(|facts| *facts) };
        facts.outer = self.outer;
        Some(facts)
    }

    /// What a side spoke in clear, named from its first bytes (inside a tunnel: the tunnel's); `None` when it said nothing.
    pub fn plaintext(&self, side: Side) -> Option<Plaintext> {
        let first = &self.lanes.of(side).first;
        (!first.is_empty()).then(|| identify(first, side))
    }

    fn name(&self, side: Side) -> Plaintext {
        identify(&self.lanes.of(side).first, side)
    }

    /// Goes through bytes of a side until they end or something is to be told; how many were used.
    fn run(&mut self, side: Side, bytes: &[u8], mark: Mark) -> (usize, Option<Event>) {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let lane = self.lanes.of_mut(side);
            if lane.tls || lane.due {
                return (used, Some(Event::Tls));
            }
            let layer = self.depth;
            let (now, event) = match self.state {
                State::Opening => self.open(side, rest, mark),
                State::Talking(_) => self.talk(side, rest, mark),
                State::Unknown | State::Over => self.watch(side, rest),
            };
            if self.depth == layer {
                self.lanes.of_mut(side).remember(rest.get(..now).unwrap_or_default());
            }
            used += now;
            if event.is_some() {
                return (used, event);
            }
        }
        (used, None)
    }

    /// Collects the first bytes of a side until they tell what is spoken.
    fn open(&mut self, side: Side, bytes: &[u8], mark: Mark) -> (usize, Option<Event>) {
        let lane = self.lanes.of_mut(side);
        let (mut used, begins) = lane.probe(side, bytes);
        match begins {
            Begins::Yes => return (used, Some(Event::Tls)),
            Begins::Maybe => return (used, None),
            Begins::No => {}
        }
        let room = PREAMBLE_OPENING.saturating_sub(lane.pending.len());
        let more = bytes.get(used..).unwrap_or_default();
        let more = more.get(..room).unwrap_or(more);
        lane.pending.extend_from_slice(more);
        used += more.len();
        let full = lane.pending.len() >= PREAMBLE_OPENING;
        match detect(side, &lane.pending, self.port, full) {
            Detected::Wait if self.lanes.of(side.other()).tls && self.lanes.of(side).pending.ends_with(b"\n") => {
                (used, Some(Event::Not(None)))
            }
            Detected::Wait => (used, None),
            Detected::Plain => {
                self.end(State::Over);
                (used, Some(Event::Not(None)))
            }
            Detected::Unknown => {
                self.end(State::Unknown);
                (used, self.lanes.of(side.other()).tls.then_some(Event::Not(None)))
            }
            Detected::Dialect(dialect) => {
                self.state = State::Talking(dialogue(dialect));
                self.facts = Some(PreambleFacts::new(dialect));
                // what the other side said first was kept, and is read in its turn
                if !self.lanes.of(side.other()).tls {
                    self.replay(side.other(), mark);
                }
                (used, self.replay(side, mark))
            }
        }
    }

    /// Reads again what was kept of a side while it was not known what is spoken. What is left of it stays pending.
    fn replay(&mut self, side: Side, mark: Mark) -> Option<Event> {
        let lane = self.lanes.of_mut(side);
        let kept = std::mem::take(&mut lane.pending);
        lane.first.clear();
        let (used, event) = self.run(side, &kept, mark);
        let rest = kept.get(used..).unwrap_or_default();
        if matches!(event, Some(Event::Tls)) {
            let lane = self.lanes.of_mut(side);
            lane.pending.extend_from_slice(rest);
            lane.due = true;
        }
        event
    }

    /// Forgets what was kept for recognition.
    fn end(&mut self, state: State) {
        self.state = state;
        for side in Side::BOTH {
            let lane = self.lanes.of_mut(side);
            if !lane.due && !lane.holding {
                lane.pending.clear();
            }
        }
    }

    /// Looks for TLS at the start of a slice in something that cannot be read.
    fn watch(&mut self, side: Side, bytes: &[u8]) -> (usize, Option<Event>) {
        let over = matches!(self.state, State::Over) || self.lanes.of(side).first.len() >= PREAMBLE_OPENING;
        let lane = self.lanes.of_mut(side);
        let (used, begins) = lane.probe(side, bytes);
        match begins {
            Begins::Yes => (used, Some(Event::Tls)),
            Begins::Maybe => (used, None),
            Begins::No => {
                lane.pending.clear();
                let event = (over || self.lanes.of(side.other()).tls).then_some(Event::Not(None));
                (bytes.len(), event)
            }
        }
    }

    /// Reads messages of the dialect until the bytes end, TLS begins, or the dialect is left.
    fn talk(&mut self, side: Side, bytes: &[u8], mark: Mark) -> (usize, Option<Event>) {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let State::Talking(dialogue) = &mut self.state else { return (used, None) };
            let lane = self.lanes.of_mut(side);
            if lane.due {
                return (used, None);
            }
            if lane.lost {
                let (now, event) = self.watch(side, rest);
                return (used + now, event.filter(|event| matches!(event, Event::Tls)));
            }
            let complete = if lane.over == 0 && (lane.pending.is_empty() || lane.holding) {
                let (now, begins) = lane.probe(side, rest);
                used += now;
                match begins {
                    Begins::Yes => return (used, Some(Event::Tls)),
                    Begins::Maybe => return (used, None),
                    Begins::No => lane.complete(dialogue.extent(side, &lane.pending)),
                }
            } else {
                let extent = dialogue.extent(side, &lane.pending);
                used += lane.take(extent, rest);
                lane.complete(dialogue.extent(side, &lane.pending))
            };
            if !complete {
                continue;
            }
            let mut message = std::mem::take(&mut lane.pending);
            lane.over = 0;
            let layer = self.depth;
            let event = self.message(side, &message, mark);
            if event.is_none() && self.depth == layer {
                let lane = self.lanes.of_mut(side);
                if lane.pending.is_empty() {
                    message.clear();
                    lane.pending = message;
                }
            }
            if event.is_some() || self.depth != layer {
                return (used, event);
            }
        }
        (used, None)
    }

    fn message(&mut self, side: Side, message: &[u8], mark: Mark) -> Option<Event> {
        let (State::Talking(dialogue), Some(facts)) = (&mut self.state, &mut self.facts) else { return None };
        if side == Side::Client
            && facts.upgrade == Upgrade::Asked
            && facts.dialect.is_starttls()
            && !dialogue.negotiates()
            && !is_leaving(message)
        {
            facts.inject(message);
        }
        let next = dialogue.message(&Said { side, bytes: message, mark }, facts);
        match next {
            Next::More => {
                let pending = matches!(facts.upgrade, Upgrade::Asked | Upgrade::Granted);
                (side == Side::Server && self.lanes.client.tls && !pending).then(|| Event::Not(Some(identify(message, side))))
            }
            Next::Tls => {
                self.lanes.of_mut(side).due = true;
                let other = self.lanes.of_mut(side.other());
                if !other.tls {
                    other.due = true;
                    if !other.holding && !other.pending.is_empty() {
                        let held = std::mem::take(&mut other.pending);
                        facts.inject(&held);
                    }
                }
                // TLS begins with whatever comes next, be it in this slice
                None
            }
            Next::Inner => {
                let mut done = self.facts.take();
                if let Some(facts) = &mut done {
                    facts.outer = self.outer.take();
                }
                self.outer = done.map(Box::new);
                self.depth += 1;
                self.state = if self.depth < PREAMBLE_DEPTH { State::Opening } else { State::Unknown };
                for side in Side::BOTH {
                    let lane = self.lanes.of_mut(side);
                    lane.first.clear();
                    (lane.over, lane.lost) = (0, false);
                }
                None
            }
            Next::Never => {
                self.end(State::Over);
                Some(Event::Not(None))
            }
        }
    }
}

impl Lane {
    fn remember(&mut self, bytes: &[u8]) {
        let room = PREAMBLE_FIRST.saturating_sub(self.first.len());
        self.first.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Takes bytes one by one until they can or cannot be the head of a TLS record; how many. Only for the start of a message.
    fn probe(&mut self, side: Side, bytes: &[u8]) -> (usize, Begins) {
        if !self.pending.is_empty() && !self.holding {
            return (0, Begins::No);
        }
        let mut used = 0;
        for byte in bytes {
            self.pending.push(*byte);
            used += 1;
            let begins = begins(side, &self.pending);
            self.holding = begins == Begins::Maybe;
            if begins != Begins::Maybe {
                return (used, begins);
            }
        }
        (used, Begins::Maybe)
    }

    /// Takes what the message still needs; how many bytes.
    fn take(&mut self, extent: Extent, bytes: &[u8]) -> usize {
        let have = self.pending.len().saturating_add(self.over);
        let len = match extent {
            Extent::Until(end) => memchr::memchr(end, bytes).map_or(bytes.len(), |at| at + 1),
            Extent::AtLeast(total) | Extent::Exactly(total) => total.saturating_sub(have).clamp(1, bytes.len()),
            Extent::Lost => 0,
        };
        let taken = bytes.get(..len).unwrap_or(bytes);
        // the last byte is always kept: it may be the message's end
        let room = PREAMBLE_MESSAGE.saturating_sub(self.pending.len());
        let kept = taken.get(..room).unwrap_or(taken);
        self.pending.extend_from_slice(kept);
        self.over = self.over.saturating_add(taken.len() - kept.len());
        if let (Some(last), Some(slot), true) = (taken.last(), self.pending.last_mut(), kept.len() < taken.len()) {
            *slot = *last;
        }
        len
    }

    /// Whether the message under way is complete.
    fn complete(&mut self, extent: Extent) -> bool {
        let have = self.pending.len().saturating_add(self.over);
        match extent {
            Extent::Until(end) => self.pending.last() == Some(&end),
            Extent::Exactly(total) => have >= total,
            Extent::AtLeast(total) if total <= PREAMBLE_MESSAGE => false,
            Extent::AtLeast(_) | Extent::Lost => {
                self.pending.clear();
                (self.over, self.lost) = (0, true);
                false
            }
        }
    }
}

/// Whether bytes are the head of a TLS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    Yes,
    No,
    /// So far they are.
    Maybe,
}

/// Looks for a record of a `ClientHello` or, from the server, of a `ServerHello` or an alert.
fn begins(side: Side, bytes: &[u8]) -> Begins {
    let handshake = bytes.first() == Some(&0x16);
    let fits = bytes.iter().enumerate().all(|(at, byte)| match at {
        0 => handshake || side == Side::Server && *byte == 0x15,
        1 => *byte == 3,
        2 => *byte <= 4,
        3 => {
            if handshake {
                *byte <= 0x48
            } else {
                *byte == 0
            }
        }
        4 => handshake || *byte == 2,
        5 => match (handshake, side) {
            (true, Side::Client) => *byte == 1,
            (true, Side::Server) => *byte == 2,
            (false, _) => matches!(byte, 1 | 2),
        },
        _ => true,
    });
    match (fits, bytes.len()) {
        (false, _) => Begins::No,
        (true, ..6) => Begins::Maybe,
        (true, _) => Begins::Yes,
    }
}

/// A farewell is no injected command: the client gave up waiting.
fn is_leaving(message: &[u8]) -> bool {
    let line = message.trim_ascii();
    line.is_empty()
        || starts_with(line, "QUIT")
        || starts_with(line, "LOGOUT")
        || starts_with(line, "</stream")
        || line.ends_with(b" LOGOUT")
        || matches!(line, [0x30, _, _, _, _, 0x42, ..])
}
