//! The machine that follows one UDP flow, or the EAPOL frames of a link: finds what carries a handshake in its datagrams and enters what it sees into the same facts as for TLS over TCP.
//!
//! A flow begins with what looks like a client's Initial packet, a DTLS hello, or a message that carries TLS ([`carried`]). Whatever else shares its
//! ports (STUN, RTP) is passed over.

pub mod carried;

mod dtls;
mod quic;
#[cfg(test)]
mod tests;
mod turn;

use std::time::Duration;

use crate::carriers::openvpn::{RESET_V2, RESET_V3, SOFT_RESET};
use crate::dtls::{demux, record};
use crate::flow::{PerSide, Side};
use crate::limits;
use crate::packet::Datagram;
use crate::preamble::PreambleFacts;
use crate::time::{Mark, Timestamp};
use crate::traffic::{Row, Volume};
use crate::transport::udp::{Answers, DatagramSink, Hearing, Opening};
use crate::transport::{Close, FlowFacts};

use super::concluding::conclude;
use super::facts::{Handshake, Observed, Outcome, Protocol};
use super::outcome::{self, Closing};
use super::relevance::{Relevance, relevance};
use super::shared::Shared;
use super::tally;
use carried::eapol::{self, Eapol};
use carried::openvpn::{self, OpenVpn};
use carried::radius::{self, Radius};
use dtls::Dtls;
use quic::Quic;
use turn::Turn;

/// Follows one UDP flow.
#[derive(Debug)]
pub struct DatagramMachine {
    observed: Box<Observed>,
    speaker: Speaker,
    /// A stall was told while it lasted.
    flagged: bool,
    /// The last packet when it was looked at whether the handshake is over.
    looked: Option<Mark>,
    /// It is not looked at again before this moment.
    rests: Timestamp,
}

#[derive(Debug)]
enum Speaker {
    Quic(Box<Quic>),
    Dtls(Box<Dtls>),
    Turn(Box<Turn>),
    Radius(Box<Radius>),
    Eapol(Box<Eapol>),
    OpenVpn(Box<OpenVpn>),
}

impl DatagramSink for DatagramMachine {
    type Shared = Shared;

    fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
        let first = *datagram.payload.first()?;
        if matches!(first, 1 | 2 | 3 | 11)
            && datagram.stations.is_none()
            && let Some(opening) = radius::opens(datagram)
        {
            return Some(opening);
        }
        match first {
            QUIC_LONG.. => quic::opens(datagram),
            RESET_V2 | RESET_V3 => openvpn::opens(datagram),
            first if SOFT_RESET.contains(&first) => openvpn::opens(datagram),
            1..=3 if datagram.stations.is_some() => eapol::opens(datagram),
            first if matches!(demux::kind(first), demux::Kind::Stun | demux::Kind::Channel) && !demux::is_wrapped(datagram.payload) => {
                turn::opens(datagram)
            }
            first if matches!(demux::kind(first), demux::Kind::Dtls | demux::Kind::Stun) => {
                let payload = demux::unwrap(datagram.payload);
                let sender = match record::handshake_type(payload)? {
                    1 => Side::Client,
                    _ => Side::Server,
                };
                Some(Opening { sender: Some(sender), identity: dtls::identity(payload) })
            }
            _ => None,
        }
    }

    fn pass_by(shared: &mut Shared, datagram: &Datagram<'_>) {
        tally::pass_by(shared, datagram);
    }

    fn count(&self, shared: &mut Shared, facts: &FlowFacts) -> Row {
        match &self.speaker {
            Speaker::Radius(_) => tally::add(shared, "RADIUS", facts),
            Speaker::Eapol(_) => tally::add(shared, tally::EAPOL, facts),
            // New keys for a session that is there.
            Speaker::OpenVpn(openvpn) if facts.successor && openvpn.renews() => tally::go_on(shared, "OpenVPN", facts),
            Speaker::OpenVpn(_) => tally::add(shared, "OpenVPN", facts),
            Speaker::Turn(turn) => tally::add(shared, if turn.spoke() { Protocol::Dtls.title() } else { tally::STUN }, facts),
            Speaker::Quic(_) if Quic::goes_on(&self.observed) => tally::go_on(shared, Protocol::Quic.title(), facts),
            Speaker::Quic(_) | Speaker::Dtls(_) => tally::flow(shared, &self.observed, None, facts),
        }
    }

    #[inline]
    fn count_late(shared: &mut Shared, row: Row, late: Volume) {
        shared.traffic.add(row, late);
    }

    fn new(shared: &mut Shared, datagram: &Datagram<'_>) -> Self {
        let mut observed = Box::<Observed>::default();
        let speaker = match datagram.payload.first() {
            _ if datagram.stations.is_some() => Speaker::Eapol(Box::default()),
            Some(1 | 2 | 3 | 11) if radius::opens(datagram).is_some() => Speaker::Radius(Box::default()),
            Some(QUIC_LONG..) => Speaker::Quic(Box::new(Quic::new(&mut observed, shared, datagram.payload))),
            Some(first)
                if matches!(demux::kind(*first), demux::Kind::Stun | demux::Kind::Channel) && !demux::is_wrapped(datagram.payload) =>
            {
                Speaker::Turn(Box::default())
            }
            _ => match OpenVpn::new(shared, datagram) {
                Some(openvpn) => Speaker::OpenVpn(Box::new(openvpn)),
                None => Speaker::Dtls(Box::new(Dtls::new(&mut observed, shared))),
            },
        };
        Self { observed, speaker, flagged: false, looked: None, rests: Timestamp::MIN }
    }

    fn datagram(&mut self, shared: &mut Shared, facts: &mut FlowFacts, side: Side, datagram: &Datagram<'_>) -> Hearing {
        match &mut self.speaker {
            Speaker::Quic(quic) => quic.datagram(&mut self.observed, shared, facts, side, datagram),
            Speaker::Dtls(dtls) => dtls.datagram(&mut self.observed, shared, facts, side, datagram),
            Speaker::Turn(turn) => turn.datagram(shared, facts, side, datagram),
            Speaker::Radius(radius) => radius.datagram(shared, facts, datagram),
            Speaker::Eapol(eapol) => eapol.datagram(shared, facts, datagram),
            Speaker::OpenVpn(openvpn) => openvpn.datagram(&mut self.observed, shared, facts, side, datagram),
        }
    }

    fn is_answered_by(&self, datagram: &Datagram<'_>) -> Answers {
        match &self.speaker {
            Speaker::Quic(quic) => quic.is_answered_by(&self.observed, datagram.payload),
            Speaker::Dtls(_) => dtls::is_answered_by(&self.observed, datagram.payload),
            Speaker::Radius(radius) => radius.is_answered_by(datagram),
            Speaker::OpenVpn(openvpn) => openvpn.is_answered_by(datagram.payload),
            Speaker::Turn(_) | Speaker::Eapol(_) => match Self::opens(datagram) {
                Some(_) => Answers::Perhaps,
                None => Answers::No,
            },
        }
    }

    fn weight(&self) -> usize {
        let speaker = match &self.speaker {
            Speaker::Quic(quic) => quic.held_bytes(),
            Speaker::Dtls(dtls) => dtls.held_bytes(),
            Speaker::Turn(turn) => turn.held_bytes(),
            Speaker::Radius(radius) => radius.held_bytes(),
            Speaker::Eapol(eapol) => eapol.held_bytes(),
            Speaker::OpenVpn(openvpn) => openvpn.held_bytes(),
        };
        self.observed.weight() + speaker
    }

    fn watches(shared: &Shared) -> bool {
        shared.is_live()
    }

    fn tick(&mut self, shared: &mut Shared, facts: &FlowFacts, now: Mark) -> Hearing {
        match &mut self.speaker {
            Speaker::Radius(radius) => {
                radius.tick(shared, facts, now);
                return Hearing::Nothing;
            }
            Speaker::Eapol(eapol) => {
                eapol.tick(shared, facts, now);
                return Hearing::Nothing;
            }
            Speaker::Turn(turn) => {
                turn.tick(shared, now);
                return Hearing::Nothing;
            }
            Speaker::Quic(_) | Speaker::Dtls(_) | Speaker::OpenVpn(_) => {}
        }
        let heard = Side::BOTH.into_iter().filter_map(|side| facts.side(side).last_packet).max().unwrap_or(facts.first);
        let progress = Side::BOTH.into_iter().filter_map(|side| facts.side(side).last_data).max().unwrap_or(facts.first);
        let stalls = !self.flagged && now.time.since(progress.time) >= shared.stall_after();
        let looks = self.looked != Some(heard) && now.time.since(heard.time) >= limits::LIVE_LINGER;
        if !stalls && !looks || now.time < self.rests {
            return Hearing::Nothing;
        }
        self.rests = now.time.after(REST);
        self.looked = looks.then_some(heard).or(self.looked);
        let mut snapshot = self.snapshot(shared, facts, now);
        let over = match snapshot.outcome {
            Outcome::Completed | Outcome::Closed => true,
            // One that is only inferred from silence may be no alert.
            Outcome::Alerted => snapshot.deciding_alert().is_some_and(|alert| alert.alert.is_some()) || stalls,
            // Nobody is there; a client may yet try again.
            Outcome::Refused => stalls,
            _ => false,
        };
        if over {
            let random = snapshot.hello().map(|hello| number_of(hello.random()));
            return Hearing::Settled(match &self.speaker {
                Speaker::Quic(quic) => Some(quic.identity()),
                Speaker::OpenVpn(openvpn) => Some(openvpn.identity()),
                Speaker::Dtls(_) | Speaker::Turn(_) | Speaker::Radius(_) | Speaker::Eapol(_) => random,
            });
        }
        if stalls && snapshot.outcome == Outcome::Stalled && relevance(&snapshot) == Relevance::Report {
            self.flagged = true;
            snapshot.provisional = true;
            shared.concluded.push(Box::new(snapshot));
        }
        Hearing::Nothing
    }

    fn finish(self, shared: &mut Shared, mut facts: FlowFacts, close: Close, now: Mark) {
        let Self { mut observed, speaker, .. } = self;
        match speaker {
            Speaker::Quic(quic) => quic.finish(&mut observed, shared),
            Speaker::Dtls(dtls) => dtls.finish(&mut observed, shared, &mut facts),
            // Each of its conversations is a handshake of its own.
            Speaker::OpenVpn(openvpn) => openvpn.finish(&mut observed, shared, &mut facts),
            Speaker::Turn(turn) => return turn.finish(shared, &facts, close, now),
            Speaker::Radius(radius) => return radius.finish(shared, &facts, close, now),
            Speaker::Eapol(eapol) => return eapol.finish(shared, &facts, close, now),
        }
        conclude(observed, Box::new(facts), shared, close, now);
        // What began elsewhere has no outcome here.
        let stays = |last: &Handshake| {
            !matches!(last.outcome, Outcome::Incomplete | Outcome::Stalled)
                || last.quic.as_ref().is_some_and(|quic| quic.went_on_to.is_some())
        };
        debug_assert!(
            close != Close::Settled || shared.concluded.last().is_none_or(|last| stays(last)),
            "only an outcome that later packets cannot change is settled"
        );
    }
}

impl DatagramMachine {
    /// Of a flow that begins with this datagram, behind what led up to it.
    pub(super) fn behind(shared: &mut Shared, datagram: &Datagram<'_>, facts: Option<PreambleFacts>) -> Self {
        let mut machine = Self::new(shared, datagram);
        machine.observed.preamble = facts.map(Box::new);
        machine
    }

    /// The handshake as if it ended now.
    fn snapshot(&self, shared: &mut Shared, facts: &FlowFacts, now: Mark) -> Handshake {
        let mut observed = self.observed.clone();
        match &self.speaker {
            Speaker::Quic(quic) => quic.so_far(&mut observed),
            Speaker::Dtls(dtls) => dtls.so_far(&mut observed, shared),
            Speaker::OpenVpn(openvpn) => openvpn.so_far(&mut observed),
            Speaker::Turn(_) | Speaker::Radius(_) | Speaker::Eapol(_) => {}
        }
        let closing = Closing { close: Close::Idle, at: now, concluded_at: now.frame };
        outcome::conclude(observed, Box::new(facts.clone()), closing, shared.stall_after())
    }
}

/// The offset of a fragment of DTLS in a side's handshake, where there is no stream: message number and offset in one.
fn place_of(seq: u16, offset: usize) -> u64 {
    u64::from(seq) << 24 | offset as u64
}

/// The message's number, and where in it, that such an offset stands for; no number where the message is encrypted.
pub const fn message_at(place: u64) -> (Option<u64>, u64) {
    let seq = place >> 24;
    (if seq == ENCRYPTED as u64 { None } else { Some(seq) }, place & 0x00ff_ffff)
}

/// Stands for the number of a message whose number is encrypted.
const ENCRYPTED: u16 = u16::MAX;

/// A number for an identifier on the wire.
fn number_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Something of each side.
type Sides<T> = PerSide<T>;

/// How often a flow that makes no progress is looked at.
const REST: Duration = Duration::from_secs(1);

/// First byte of a QUIC packet with a long header and the fixed bit.
const QUIC_LONG: u8 = 0xc0;
