//! What was asked about connections and what was answered, until their handshakes are reported.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use super::ask::{Answer, Question};
use crate::flow::{Endpoint, FlowKey, Transport};
use crate::limits;
use crate::report::{Basis, Owner};
use crate::site::Site;
use crate::time::Timestamp;

/// Connections, the latest [`limits::OWNED_CONNECTIONS`] of them.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// By number, in the order in which they began.
    connections: BTreeMap<u64, Connection>,
    /// The latest of these ports.
    latest: HashMap<FlowKey, u64, RandomState>,
    next: u64,
    /// The other process answers no more.
    pub(super) over: bool,
}

#[derive(Debug)]
struct Connection {
    key: FlowKey,
    /// Its first packet.
    since: Timestamp,
    /// TCP's first sequence number, where its SYN was seen.
    first: Option<u32>,
    /// The one before it of the same ports, where that is kept still.
    before: Option<u64>,
    low: Known,
    high: Known,
}

/// What is known of one end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Known {
    /// Nobody asked.
    #[default]
    Unasked,
    /// So many questions are on their way; and what was answered before.
    Asked(u8, Option<Arc<Owner>>),
    /// The latest answer; `None`: it is not on this host.
    Told(Option<Arc<Owner>>),
    /// It could not be asked for want of room.
    LeftOut,
}

impl Store {
    /// A connection begins. `None` where this is known already: a SYN that is sent again, or that passes a second interface.
    pub(super) fn begin(&mut self, key: &FlowKey, at: Timestamp, first: Option<u32>) -> Option<u64> {
        let key = plain(key);
        let before = self.latest.get(&key).copied();
        let known = before.and_then(|before| self.connections.get(&before));
        if known.is_some_and(|known| known.first == first && at.since(known.since) < SAME) {
            return None;
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.latest.insert(key, number);
        let connection = Connection { key, since: at, first, before, low: Known::Unasked, high: Known::Unasked };
        self.connections.insert(number, connection);
        while self.connections.len() > limits::OWNED_CONNECTIONS
            && let Some((gone, connection)) = self.connections.pop_first()
        {
            if self.latest.get(&connection.key) == Some(&gone) {
                self.latest.remove(&connection.key);
            }
        }
        Some(number)
    }

    /// The connection of these ports that goes on.
    pub(super) fn current(&self, key: &FlowKey) -> Option<u64> {
        self.latest.get(&plain(key)).copied()
    }

    /// A question about an end of a connection, unless its own socket is known.
    pub(super) fn ask(&mut self, number: u64, local: Endpoint) -> Option<Question> {
        let connection = self.connections.get_mut(&number)?;
        let (low, high) = (connection.key.low, connection.key.high);
        let at_low = local == low;
        let (known, remote) = if at_low { (&mut connection.low, high) } else { (&mut connection.high, low) };
        *known = match std::mem::take(known) {
            Known::Unasked | Known::LeftOut => Known::Asked(1, None),
            Known::Asked(asked, told) => Known::Asked(asked.saturating_add(1), told),
            Known::Told(Some(owner)) if owner.basis != Basis::Connection => Known::Asked(1, Some(owner)),
            settled @ Known::Told(_) => {
                *known = settled;
                return None;
            }
        };
        let token = number.wrapping_mul(2).wrapping_add(u64::from(!at_low));
        Some(Question { token, transport: connection.key.transport, local, remote })
    }

    /// A question was left out for want of room.
    pub(super) fn leave_out(&mut self, token: u64) {
        if let Some(known) = self.end(token) {
            *known = match std::mem::take(known) {
                Known::Asked(1, None) => Known::LeftOut,
                Known::Asked(1, told) => Known::Told(told),
                Known::Asked(asked, told) => Known::Asked(asked.saturating_sub(1), told),
                other => other,
            };
        }
    }

    /// An answer came. The connection's own socket says more than the listener, and anything more than that its owner is gone.
    pub(super) fn answer(&mut self, answer: Answer) {
        let Some(known) = self.end(answer.token) else { return };
        let owner = answer.owner.map(Arc::new);
        if let Known::Asked(asked, told) = std::mem::take(known) {
            let rank = |owner: &Option<Arc<Owner>>| owner.as_ref().map_or(0, |owner| rank(owner.basis));
            let best = if rank(&told) > rank(&owner) { told } else { owner };
            *known = if asked <= 1 { Known::Told(best) } else { Known::Asked(asked.saturating_sub(1), best) };
        }
    }

    fn end(&mut self, token: u64) -> Option<&mut Known> {
        let connection = self.connections.get_mut(&(token / 2))?;
        Some(if token.is_multiple_of(2) { &mut connection.low } else { &mut connection.high })
    }

    /// What is known of the two ends of a handshake: of the latest connection of its ports that began before its end.
    pub(super) fn of(&self, transport: Transport, [client, server]: [Endpoint; 2], end: Timestamp) -> [Known; 2] {
        let (key, client_is_low) = FlowKey::new(transport, client, server, 0);
        let mut at = self.latest.get(&key).copied();
        while let Some(number) = at {
            let Some(connection) = self.connections.get(&number) else { break };
            if connection.since <= end.after(SKEW) {
                let (low, high) = (connection.low.clone(), connection.high.clone());
                return if client_is_low { [low, high] } else { [high, low] };
            }
            at = connection.before;
        }
        [Known::Unasked, Known::Unasked]
    }
}

/// How much an answer says.
const fn rank(basis: Basis) -> u8 {
    match basis {
        Basis::Connection => 6,
        Basis::Listener => 5,
        Basis::Hidden | Basis::Kernel => 4,
        Basis::Ambiguous => 3,
        Basis::Gone => 1,
    }
}

/// A report does not tell in which tunnel it was, and all that is live is of one site.
fn plain(key: &FlowKey) -> FlowKey {
    FlowKey { path: 0, site: Site::NONE, ..*key }
}

/// A SYN with the same number is the same connection's for as long as a client tries.
const SAME: Duration = Duration::from_secs(150);
/// How far the clocks of two interfaces that saw one packet are apart.
const SKEW: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn end(port: u16) -> Endpoint {
        Endpoint::new("10.0.0.1".parse().unwrap(), port)
    }

    fn flow(client: u16) -> FlowKey {
        FlowKey::new(Transport::Tcp, end(client), end(443), 9).0
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn answer(token: u64, basis: Basis) -> Answer {
        Answer { token, owner: Some(Owner::unknown(basis)) }
    }

    fn basis(known: &Known) -> Option<Basis> {
        match known {
            Known::Told(Some(owner)) => Some(owner.basis),
            _ => None,
        }
    }

    #[test]
    fn a_syn_that_is_sent_again_is_no_new_connection_and_a_port_that_is_used_again_is() {
        let mut store = Store::default();
        let first = store.begin(&flow(1000), at(0), Some(7)).unwrap();
        assert_eq!(store.begin(&flow(1000), at(1_000), Some(7)), None);
        let asked = store.ask(first, end(1000)).unwrap();
        assert_eq!((asked.local, asked.remote), (end(1000), end(443)));
        store.answer(answer(asked.token, Basis::Connection));
        let second = store.begin(&flow(1000), at(2_000), Some(8)).unwrap();
        assert_ne!(first, second);
        let asked = store.ask(second, end(1000)).unwrap();
        store.answer(answer(asked.token, Basis::Hidden));
        let told = |moment| store.of(Transport::Tcp, [end(1000), end(443)], at(moment)).map(|known| basis(&known));
        // Each handshake gets the owner of its own connection.
        assert_eq!(told(1_500), [Some(Basis::Connection), None]);
        assert_eq!(told(2_500), [Some(Basis::Hidden), None]);
    }

    #[test]
    fn the_connections_own_socket_says_more_than_the_listener_whichever_comes_first() {
        for order in [[Basis::Listener, Basis::Connection], [Basis::Connection, Basis::Gone]] {
            let mut store = Store::default();
            let number = store.begin(&flow(1), at(0), None).unwrap();
            let questions = [store.ask(number, end(443)).unwrap(), store.ask(number, end(443)).unwrap()];
            for (question, basis) in questions.iter().zip(order) {
                store.answer(answer(question.token, basis));
            }
            assert_eq!(basis(&store.of(Transport::Tcp, [end(1), end(443)], at(1))[1]), Some(Basis::Connection));
            // What is settled is not asked again.
            assert_eq!(store.ask(number, end(443)), None);
        }
    }

    #[test]
    fn what_is_left_out_is_told_as_left_out_and_the_oldest_make_room() {
        let mut store = Store::default();
        let number = store.begin(&flow(1), at(0), None).unwrap();
        let question = store.ask(number, end(1)).unwrap();
        store.leave_out(question.token);
        assert_eq!(store.of(Transport::Tcp, [end(1), end(443)], at(1)), [Known::LeftOut, Known::Unasked]);
        for turn in 0..u64::try_from(limits::OWNED_CONNECTIONS).unwrap() {
            let port = u16::try_from(2 + turn % 60_000).unwrap();
            store.begin(&flow(port), at(1), Some(u32::try_from(turn).unwrap())).unwrap();
        }
        assert_eq!(store.connections.len(), limits::OWNED_CONNECTIONS);
        assert!(store.latest.len() <= 60_000);
        assert_eq!(store.of(Transport::Tcp, [end(1), end(443)], at(1)), [Known::Unasked, Known::Unasked]);
    }
}
