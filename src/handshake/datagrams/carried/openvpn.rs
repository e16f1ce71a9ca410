//! One handshake in OpenVPN's control channel, with which a session begins or gets new keys: its packets put in order, the handshake in them, and
//! what can be told of one that is encrypted.

use std::collections::BTreeMap;

use crate::carriers::openvpn::{self, Kind, Packet, RESET_V2, RESET_V3, SOFT_RESET, Wrapping};
use crate::flow::{Layer, PerSide, Side};
use crate::handshake::facts::{CarriedFacts, Carrier, Observed, OpenVpnFacts};
use crate::handshake::following::Following;
use crate::handshake::shared::Shared;
use crate::limits;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::transport::udp::{self, Answers, Hearing, Opening};
use crate::transport::{Data, FlowEvent, FlowEventKind, FlowFacts, Interest};

use super::super::number_of;

/// A handshake.
#[derive(Debug)]
pub(in crate::handshake::datagrams) struct OpenVpn {
    facts: CarriedFacts,
    own: OpenVpnFacts,
    following: Following,
    /// The session of whoever began, which its packets name.
    session: [u8; 8],
    lanes: PerSide<Lane>,
    /// Bytes that wait for earlier ones.
    waiting: usize,
    /// Nothing more is wanted of its TLS.
    settled: bool,
    /// A side takes the other's part, which makes no sense: its TLS is not read any more.
    broken: bool,
}

/// One side's packets.
#[derive(Debug, Default)]
struct Lane {
    /// The number of the packet that is read next.
    next: u32,
    /// Bytes of TLS read.
    read: u64,
    /// Packets that came before their turn.
    early: BTreeMap<u32, (Box<[u8]>, Mark)>,
    /// A packet of the tunnel was one of the first under its keys.
    tunnelled: bool,
}

/// Whether a datagram begins a session, or a handshake for new keys.
pub(in crate::handshake::datagrams) fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
    let (_, renews) = beginning(datagram.payload)?;
    let packet = Packet::parse(datagram.payload)?;
    let identity = Some(identity(*packet.session?, packet.key));
    Some(Opening { sender: (!renews).then_some(Side::Client), identity })
}

/// What protects a first packet, and whether it asks for new keys.
fn beginning(payload: &[u8]) -> Option<(Wrapping, bool)> {
    match payload.first()? {
        &(RESET_V2 | RESET_V3) => openvpn::opening(payload).map(|wrapping| (wrapping, false)),
        first if SOFT_RESET.contains(first) => openvpn::renewal(payload).map(|wrapping| (wrapping, true)),
        _ => None,
    }
}

/// What tells a handshake from others between the same ports. Both sides may ask for new keys at once, each in the name of its own session.
fn identity(session: [u8; 8], key: u8) -> u64 {
    if key == 0 { number_of(&session) } else { number_of(&[key]) }
}

impl OpenVpn {
    /// What begins with this datagram; `None` where that is nothing of OpenVPN.
    pub(in crate::handshake::datagrams) fn new(shared: &Shared, datagram: &Datagram<'_>) -> Option<Self> {
        let (wrapping, _) = beginning(datagram.payload)?;
        let packet = Packet::parse(datagram.payload)?;
        let own = OpenVpnFacts { wrapping, key: packet.key, ..OpenVpnFacts::default() };
        Some(Self {
            facts: CarriedFacts::new(Carrier::OpenVpn(own)),
            own,
            following: Following::of_tls(shared),
            session: *packet.session?,
            lanes: PerSide::default(),
            waiting: 0,
            settled: false,
            broken: false,
        })
    }

    /// Bytes that it holds.
    pub(in crate::handshake::datagrams) fn held_bytes(&self) -> usize {
        let early = self.lanes.client.early.len() + self.lanes.server.early.len();
        size_of::<Self>() + self.following.held_bytes() + self.waiting + early * EARLY_RECORD
    }

    /// Whether this datagram answers the session that began: it acknowledges packets of that session, where that can be read.
    pub(in crate::handshake::datagrams) fn is_answered_by(&self, datagram: &[u8]) -> Answers {
        let Some(packet) =
            Packet::parse(datagram).filter(|packet| packet.kind == self.reset_of(Side::Server) && packet.key == self.own.key)
        else {
            return Answers::No;
        };
        if self.own.wrapping.is_opaque() {
            return Answers::Perhaps;
        }
        packet.acknowledged(self.own.wrapping).map_or(Answers::Perhaps, |session| (*session == self.session).into())
    }

    /// A session that is there gets new keys.
    pub(in crate::handshake::datagrams) const fn renews(&self) -> bool {
        self.own.renews()
    }

    /// What tells it from others between the same ports.
    pub(in crate::handshake::datagrams) fn identity(&self) -> u64 {
        identity(self.session, self.own.key)
    }

    pub(in crate::handshake::datagrams) fn datagram(
        &mut self,
        h: &mut Observed,
        shared: &mut Shared,
        flow: &mut FlowFacts,
        side: Side,
        datagram: &Datagram<'_>,
    ) -> Hearing {
        let Some(packet) = Packet::parse(datagram.payload) else { return Hearing::Foreign };
        let mark = datagram.mark;
        if self.is_another(side, &packet) && beginning(datagram.payload).is_some() {
            if packet.key == 0 {
                self.own.abandoned.get_or_insert((side, mark));
            }
            self.own.renewed |= packet.kind == Kind::SoftReset && packet.key == self.own.next_key();
            return Hearing::Anew;
        }
        if packet.key != self.own.key {
            return self.under_other_keys(side, mark, &packet);
        }
        let opaque = self.own.wrapping.is_opaque();
        if packet.kind == Kind::Ack || packet.acknowledged(self.own.wrapping).is_some() {
            let count = self.own.acknowledged.of_mut(side);
            *count = count.saturating_add(1);
        }
        if packet.kind == Kind::Control {
            let count = self.own.control.of_mut(side);
            *count = count.saturating_add(1);
        }
        let new = match packet.kind {
            Kind::HardReset(_) | Kind::SoftReset if packet.kind == self.reset_of(side) => {
                self.own.resets.of_mut(side).add(mark, datagram.payload.len());
                let first = self.own.resets.of(side).count == 1;
                let lane = self.lanes.of_mut(side);
                lane.next = lane.next.max(1);
                first
            }
            Kind::Control if opaque => true,
            Kind::Control => match packet.message(self.own.wrapping).and_then(|message| Some((message.number?, message.data))) {
                Some((number, data)) => self.control(h, shared, flow, side, number, data, mark),
                None => return Hearing::Foreign,
            },
            Kind::Ack => true,
            Kind::Data if !self.is_ours(flow.successor, side, &packet) => {
                let count = self.own.old_tunnel.of_mut(side);
                *count = count.saturating_add(1);
                return Hearing::Nothing;
            }
            Kind::Data => {
                let count = self.own.tunnel.of_mut(side);
                *count = count.saturating_add(1);
                true
            }
            Kind::HardReset(_) | Kind::SoftReset => return Hearing::Foreign,
        };
        let asks = matches!(packet.kind, Kind::HardReset(_) | Kind::SoftReset | Kind::Control);
        self.facts.heard(side, mark, datagram.payload_len, asks, new);
        if !new {
            let own = flow.sides.of_mut(side);
            own.retransmits = own.retransmits.saturating_add(1);
            let kind = FlowEventKind::Retransmission { offset: self.lanes.of(side).read, len: datagram.payload_len };
            udp::event(flow, FlowEvent { mark, side, kind });
        }
        // Packets of the tunnel have keys that both sides took.
        if self.own.is_up() {
            return Hearing::Settled(Some(self.identity()));
        }
        if new { Hearing::New } else { Hearing::Nothing }
    }

    /// The packet with which this side begins, or answers one that does.
    const fn reset_of(&self, side: Side) -> Kind {
        if self.own.renews() { Kind::SoftReset } else { Kind::HardReset(side) }
    }

    /// A packet with which another handshake may begin.
    fn is_another(&self, side: Side, packet: &Packet<'_>) -> bool {
        match packet.kind {
            Kind::HardReset(Side::Client) => side == Side::Client && (packet.session != Some(&self.session) || self.own.renews()),
            Kind::SoftReset => packet.key != self.own.key,
            _ => false,
        }
    }

    /// A packet that is about other keys: those before are used until the new ones are there.
    fn under_other_keys(&mut self, side: Side, mark: Mark, packet: &Packet<'_>) -> Hearing {
        match packet.kind {
            Kind::Data => {
                let count = self.own.old_tunnel.of_mut(side);
                *count = count.saturating_add(1);
            }
            // A server that begins anew has given the session up.
            Kind::HardReset(by) if by == side => {
                self.own.abandoned.get_or_insert((side, mark));
            }
            _ => {}
        }
        Hearing::Nothing
    }

    /// A packet of the tunnel has the keys of this handshake. A session that begins between the ports of another has keys of the same number;
    /// what goes on under the old ones is told by its own number.
    fn is_ours(&mut self, successor: bool, side: Side, packet: &Packet<'_>) -> bool {
        let lane = self.lanes.of_mut(side);
        lane.tunnelled |= packet.opens_tunnel();
        lane.tunnelled || !successor || self.own.renews()
    }

    /// A packet of TLS. True when it is new.
    #[allow(clippy::too_many_arguments, reason = "what a packet adds to, and what it is")]
    fn control(
        &mut self,
        h: &mut Observed,
        shared: &mut Shared,
        flow: &FlowFacts,
        side: Side,
        number: u32,
        data: &[u8],
        mark: Mark,
    ) -> bool {
        let lane = self.lanes.of_mut(side);
        if number < lane.next || lane.early.contains_key(&number) {
            return false;
        }
        if number > lane.next {
            // Within the window of a sender; what does not fit comes again.
            if number - lane.next <= WINDOW && self.waiting.saturating_add(data.len()) <= limits::OPENVPN_EARLY {
                self.waiting = self.waiting.saturating_add(data.len());
                lane.early.insert(number, (data.into(), mark));
            }
            return true;
        }
        self.read(h, shared, flow, side, data, mark);
        loop {
            let lane = self.lanes.of_mut(side);
            lane.next = lane.next.saturating_add(1);
            let Some((data, mark)) = lane.early.remove(&lane.next) else { break };
            self.waiting = self.waiting.saturating_sub(data.len());
            self.read(h, shared, flow, side, &data, mark);
        }
        true
    }

    fn read(&mut self, h: &mut Observed, shared: &mut Shared, flow: &FlowFacts, side: Side, bytes: &[u8], mark: Mark) {
        if bytes.is_empty() || self.settled || self.broken {
            return;
        }
        let lane = self.lanes.of_mut(side);
        let offset = lane.read;
        lane.read = offset.saturating_add(bytes.len() as u64);
        let interest = self.following.data(h, shared, flow, &Data { side, offset, bytes, mark: &mark });
        self.settled = interest == Interest::Settled;
        self.broken = interest == Interest::Swap;
    }

    /// Enters what is known only at the end.
    pub(in crate::handshake::datagrams) fn finish(mut self, h: &mut Observed, shared: &mut Shared, flow: &mut FlowFacts) {
        self.following.finish(h, shared, flow);
        self.enter(h);
        flow.path.push(Layer::OpenVpn(self.own.wrapping));
    }

    /// Enters what would be known if this were the end.
    pub(in crate::handshake::datagrams) fn so_far(&self, h: &mut Observed) {
        self.following.so_far(h);
        self.enter(h);
    }

    fn enter(&self, h: &mut Observed) {
        h.plaintext = PerSide::default();
        h.carried = Some(Box::new(CarriedFacts { carrier: Carrier::OpenVpn(self.own), ..self.facts.clone() }));
    }
}

/// Packets that a sender has under way at most: OpenVPN's window has eight, later versions twelve.
const WINDOW: u32 = 16;
/// A packet that waits, with its place.
const EARLY_RECORD: usize = 96;
