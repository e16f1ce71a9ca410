//! The machine that follows one UDP flow: finds QUIC or DTLS in its datagrams and enters what it sees into the same facts as for TLS over TCP.
//!
//! A flow begins with what looks like a client's Initial packet or a DTLS hello. Whatever else shares its ports (STUN, RTP) is passed over.

pub(super) mod ending;
pub mod facts;

mod dtls;
mod quic;
#[cfg(test)]
mod tests;

use crate::dtls::{demux, record};
use crate::flow::{PerSide, Side};
use crate::packet::Datagram;
use crate::time::Mark;
use crate::transport::udp::{DatagramSink, Hearing, Opening};
use crate::transport::{Close, TcpFacts};

use super::facts::Handshake;
use super::machine::{Shared, conclude};
use dtls::Dtls;
use quic::Quic;

/// Follows one UDP flow.
#[derive(Debug)]
pub struct DatagramMachine {
    handshake: Box<Handshake>,
    speaker: Speaker,
}

#[derive(Debug)]
enum Speaker {
    Quic(Box<Quic>),
    Dtls(Box<Dtls>),
}

impl DatagramSink for DatagramMachine {
    type Shared = Shared;

    fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
        match *datagram.payload.first()? {
            QUIC_LONG.. => quic::opens(datagram),
            first if matches!(demux::kind(first), demux::Kind::Dtls | demux::Kind::Stun | demux::Kind::Channel) => {
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

    fn new(shared: &mut Shared, facts: &TcpFacts, datagram: &Datagram<'_>) -> Self {
        let seed = TcpFacts::new(facts.key, facts.client_is_low, facts.roles, facts.path, facts.first, facts.interface);
        let mut handshake = Box::new(Handshake::new(seed));
        let speaker = match datagram.payload.first() {
            Some(QUIC_LONG..) => Speaker::Quic(Box::new(Quic::new(&mut handshake, shared, datagram.payload))),
            _ => Speaker::Dtls(Box::new(Dtls::new(&mut handshake, shared))),
        };
        Self { handshake, speaker }
    }

    fn datagram(&mut self, shared: &mut Shared, facts: &mut TcpFacts, side: Side, datagram: &Datagram<'_>) -> Hearing {
        match &mut self.speaker {
            Speaker::Quic(quic) => quic.datagram(&mut self.handshake, shared, facts, side, datagram),
            Speaker::Dtls(dtls) => dtls.datagram(&mut self.handshake, shared, facts, side, datagram),
        }
    }

    fn finish(self, shared: &mut Shared, facts: TcpFacts, close: Close, now: Mark) {
        let Self { mut handshake, speaker } = self;
        match speaker {
            Speaker::Quic(quic) => quic.finish(&mut handshake, shared),
            Speaker::Dtls(dtls) => dtls.finish(&mut handshake, shared),
        }
        handshake.tcp = facts;
        conclude(handshake, shared, close, now);
    }
}

/// A number for an identifier on the wire.
fn number_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Something of each side.
type Sides<T> = PerSide<T>;

/// First byte of a QUIC packet with a long header and the fixed bit.
const QUIC_LONG: u8 = 0xc0;
