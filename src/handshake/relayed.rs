//! UDP through an HTTP proxy (MASQUE, RFC 9298): what a client speaks to the host behind it, read as if it were a flow of its own. The flow's other end is the
//! proxy, as that of a tunnel through CONNECT is.

use crate::flow::{FlowKey, Path, Side, Transport};
use crate::limits;
use crate::packet::{Datagram, IpFacts};
use crate::preamble::Preamble;
use crate::time::Mark;
use crate::transport::udp::{DatagramSink, Hearing};
use crate::transport::{Close, FlowFacts, Interest, Roles};

use super::datagrams::DatagramMachine;
use super::following::Following;
use super::shared::Shared;

/// The first handshake in such a tunnel.
#[derive(Debug, Default)]
pub(super) struct Relayed {
    open: Option<Box<Flow>>,
    state: State,
}

#[derive(Debug)]
struct Flow {
    machine: DatagramMachine,
    facts: FlowFacts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was recognised, in so many datagrams.
    Awaited(usize),
    Followed,
    /// Nothing more is wanted.
    Over,
}

impl Relayed {
    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.open.as_ref().map_or(0, |flow| size_of::<Flow>() + flow.machine.weight())
    }

    /// Looks at the datagrams that came since the last time. `outer`: the connection around it; `path`: what both travel in.
    pub(super) fn hear(&mut self, shared: &mut Shared, following: &mut Following, outer: &FlowFacts, path: Path) -> Interest {
        let (client, proxy) = outer.ends();
        for (side, mark, payload) in following.datagrams() {
            if self.state == State::Over {
                break;
            }
            let [from, to] = if side == Side::Client { [client, proxy] } else { [proxy, client] };
            let (key, from_low) = FlowKey::new(Transport::Udp, from, to, outer.key.path);
            let payload_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            let ttl = outer.side(side).ttl.unwrap_or_default();
            let ip = IpFacts { ttl, id: None, dont_fragment: true, total_len: payload_len, was_fragmented: false, was_cut: false };
            let key = key.at(outer.key.site);
            let datagram = Datagram { mark, key, from_low, path, ip, payload: &payload, payload_len, stations: None };
            self.one(shared, (following, outer), side, &datagram);
        }
        if self.state == State::Over { Interest::Settled } else { Interest::More }
    }

    fn one(&mut self, shared: &mut Shared, (following, outer): (&Following, &FlowFacts), side: Side, datagram: &Datagram<'_>) {
        if let State::Awaited(before) = self.state {
            if side == Side::Server || DatagramMachine::opens(datagram).is_none_or(|opening| opening.sender != Some(Side::Client)) {
                let most = before >= limits::DATAGRAMS_UNREAD;
                self.state = if most { State::Over } else { State::Awaited(before + 1) };
                return;
            }
            let client_is_low = datagram.from_low;
            let mut facts = FlowFacts::new(datagram.key, client_is_low, Roles::Handshake, datagram.path, datagram.mark, outer.interface);
            facts.carried_by = Some(Box::new(outer.key));
            let machine = DatagramMachine::behind(shared, datagram, following.preamble().and_then(Preamble::facts));
            self.open = Some(Box::new(Flow { machine, facts }));
            self.state = State::Followed;
        }
        let Some(flow) = &mut self.open else { return };
        match flow.machine.datagram(shared, &mut flow.facts, side, datagram) {
            Hearing::Foreign => {}
            // Who is who is certain, and one handshake tells what the tunnel is for.
            Hearing::Swap | Hearing::Anew => self.state = State::Over,
            Hearing::Settled(_) => {
                flow.facts.count_datagram(side, datagram, true);
                self.state = State::Over;
                if let Some(flow) = self.open.take() {
                    flow.machine.finish(shared, flow.facts, Close::Settled, datagram.mark);
                }
            }
            news => flow.facts.count_datagram(side, datagram, news == Hearing::New),
        }
    }

    /// The connection around it is over. `cut`: not all that was said in it is known.
    pub(super) fn finish(self, shared: &mut Shared, outer: &FlowFacts, (close, now): (Close, Mark), cut: bool) {
        if let Some(mut flow) = self.open.filter(|_| !cut && close != Close::Settled) {
            flow.facts.unheard_from = outer.unheard_from;
            flow.machine.finish(shared, flow.facts, close, now);
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Awaited(0)
    }
}
