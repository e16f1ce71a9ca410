//! Initial packets of QUIC: their keys, which everybody can make, and what stands in them.

use smallvec::SmallVec;

use super::opened::connection_close;
use super::{Heard, Keys, LEAST_FIRST_CID, Quic};
use crate::flow::Side;
use crate::handshake::facts::{HelloPacket, Observed, Protocol};
use crate::handshake::messages::{self, Place};
use crate::handshake::shared::Shared;
use crate::limits;
use crate::packet::Datagram;
use crate::quic::crypto::CryptoStream;
use crate::quic::frame::{Frame, frames};
use crate::quic::header::{INITIAL_DATAGRAM, Long};
use crate::quic::protection::InitialKeys;
use crate::quic::version::Version;
use crate::time::Mark;
use crate::tls::registry::HandshakeType;
use crate::transport::{FlowEvent, FlowEventKind, FlowFacts, udp};

impl Quic {
    pub(super) fn initial(&mut self, heard: &mut Heard<'_>, flow: &mut FlowFacts, long: &Long<'_>, datagram: &Datagram<'_>) -> bool {
        let side = heard.side;
        let mut buffer = std::mem::take(&mut self.buffer);
        let expected = self.sides.of(side).expected;
        let mut new = false;
        if let Some(index) = self.key_for(side, long)
            && let Some(keys) = self.keys.get(index)
            && let Some(opened) = keys.both.of(side).open(long, expected, &mut buffer)
        {
            self.sides.of_mut(side).expected = expected.max(opened.number.saturating_add(1));
            if side == Side::Client && opened.number <= FIRST_NUMBER && heard.h.protocol != Protocol::Quic && self.was_answered_before(long)
            {
                flow.out_of_step = flow.out_of_step.saturating_add(1);
            }
            if let Some(quic) = &mut heard.h.quic {
                quic.numbers.of_mut(side).add(opened.number);
            }
            let another = side == Side::Server && self.is_another_server(long.scid);
            self.remember(heard.h, side, long, datagram);
            new = self.frames(heard, flow, (opened.number, opened.payload), datagram);
            if let Some(quic) = heard.h.quic.as_mut().filter(|_| another) {
                // A server that turns a client away names itself as it likes.
                let closes = quic.closes.iter().any(|close| close.mark == datagram.mark);
                quic.second_server = quic.second_server.or_else(|| (!closes).then_some(datagram.mark));
            }
        }
        self.buffer = buffer;
        if side == Side::Client && heard.h.protocol == Protocol::Other && is_cut_hello(long, datagram) {
            heard.h.protocol = Protocol::Quic;
        }
        new
    }

    /// The flow began with a packet for the name that the client gives itself here, in the first packet that it sends: no server knows that name before.
    fn was_answered_before(&self, long: &Long<'_>) -> bool {
        self.addressed.as_deref().is_some_and(|addressed| addressed == long.scid && addressed != long.dcid)
    }

    /// Another server answers than before: each names itself once, and keeps to it (RFC 9000 section 7.2).
    fn is_another_server(&self, scid: &[u8]) -> bool {
        !scid.is_empty() && !self.server_cids.is_empty() && !self.server_cids.iter().any(|known| known == scid)
    }

    /// The keys for an Initial packet, made if they are not there.
    fn key_for(&mut self, side: Side, long: &Long<'_>) -> Option<usize> {
        if let Some(known) =
            self.keys.iter().rposition(|keys| keys.version == long.version && (keys.dcid == long.dcid || side == Side::Server))
        {
            return Some(known);
        }
        let to_server = self.server_cids.iter().any(|cid| cid == long.dcid);
        let latest = self.keys.last().map(|keys| (keys.version, keys.dcid.clone()));
        let dcid = match (side, latest) {
            // What the client sends to the server's own identifier has the keys that are in use; so has what the server sends.
            (Side::Client, Some((version, _))) if to_server && version == long.version => return Some(self.keys.len() - 1),
            (Side::Server, Some((_, dcid))) => dcid,
            (Side::Client, Some((_, dcid))) if to_server => dcid,
            (Side::Client, _) => long.dcid.to_vec(),
            (Side::Server, None) => return None,
        };
        if self.derived >= limits::QUIC_KEYS {
            return None;
        }
        self.derived += 1;
        let keys = InitialKeys::new(long.version, &dcid)?;
        // Keys that do not fit are not kept: what cannot be opened must not push out what can.
        keys.of(side).open(long, self.sides.of(side).expected, &mut Vec::new())?;
        if self.keys.is_empty() {
            self.original.clone_from(&dcid);
        }
        self.keys.push(Keys { version: long.version, dcid, both: keys });
        Some(self.keys.len() - 1)
    }

    /// Facts of an Initial packet that was opened.
    fn remember(&mut self, h: &mut Observed, side: Side, long: &Long<'_>, datagram: &Datagram<'_>) {
        h.protocol = Protocol::Quic;
        let Some(quic) = &mut h.quic else { return };
        quic.initials.of_mut(side).add(datagram.mark, long.protected_len());
        if let Some(unsealing) = &mut self.unsealing {
            unsealing.named_itself(side, long.scid.len());
        }
        quic.version = long.version;
        match side {
            Side::Client => {
                if quic.negotiation.is_some() {
                    quic.negotiated = true;
                }
                if long.token.is_empty() {
                    self.tokenless = self.tokenless.saturating_add(1);
                } else if quic.token.is_none() {
                    // From here on the hello comes again from its first byte.
                    quic.token = Some(datagram.mark);
                    self.sides.client.stream = CryptoStream::new();
                }
            }
            Side::Server => {
                self.replay = false;
                if !long.scid.is_empty() && !self.server_cids.iter().any(|cid| cid == long.scid) && self.server_cids.len() < SERVER_CIDS {
                    self.server_cids.push(long.scid.to_vec());
                }
            }
        }
    }

    /// Reads the frames of an opened packet. True when they bring anything new.
    fn frames(&mut self, heard: &mut Heard<'_>, flow: &mut FlowFacts, (number, payload): (u64, &[u8]), datagram: &Datagram<'_>) -> bool {
        let Heard { h, shared, side, mark } = heard;
        let (side, mark) = (*side, *mark);
        let (mut new, mut asks, mut repeated) = (false, false, None);
        let version = h.quic.as_ref().map_or(Version::V1, |quic| quic.version);
        for frame in frames(version, payload) {
            match frame {
                Frame::Ping => asks = true,
                Frame::Ack(ack) => {
                    let other = side.other();
                    let sent = &mut self.sides.of_mut(other).sent;
                    let Some(quic) = &mut h.quic else { continue };
                    for (_, len) in sent.extract_if(.., |(number, _)| ack.covers(*number)) {
                        let largest = quic.largest_acked.of_mut(other);
                        *largest = (*largest).max(len);
                    }
                    if quic.acked.of(other).is_none() {
                        *quic.acked.of_mut(other) = Some(mark);
                        new = true;
                    }
                    if other == Side::Client {
                        // That a copy arrived is nothing new when another did.
                        let known: SmallVec<[u64; 8]> =
                            quic.hello_packets.iter().filter(|packet| packet.acked).map(|packet| packet.offset).collect();
                        for packet in quic.hello_packets.iter_mut().filter(|packet| ack.covers(packet.number)) {
                            new |= !packet.acked && !known.contains(&packet.offset);
                            packet.acked = true;
                        }
                    }
                }
                Frame::Crypto { offset, data } => {
                    asks = true;
                    let fresh = self.sides.of_mut(side).stream.add(offset, data, mark);
                    if fresh == 0 && !data.is_empty() {
                        repeated.get_or_insert((offset, data.len()));
                    }
                    new |= fresh > 0;
                    if side == Side::Client
                        && let Some(quic) = h.quic.as_mut().filter(|quic| quic.hello_packets.len() < HELLO_PACKETS)
                    {
                        quic.hello_packets.push(HelloPacket { number, offset, datagram: datagram.payload_len, mark, acked: false });
                    }
                    self.messages(h, shared, side, mark);
                }
                Frame::ConnectionClose(closed) => connection_close(h, side, mark, &closed, false),
                Frame::HandshakeDone | Frame::Passed(_) | Frame::Other(_) => {}
            }
        }
        self.again.asks |= asks;
        self.again.due |= asks;
        if asks {
            let sent = &mut self.sides.of_mut(side).sent;
            if sent.len() < limits::QUIC_SENT {
                sent.push((number, datagram.payload_len));
            }
        }
        if let Some((offset, len)) = repeated
            && !new
        {
            self.again.crypto = true;
            let kind = FlowEventKind::Retransmission { offset, len: u32::try_from(len).unwrap_or(u32::MAX) };
            udp::event(flow, FlowEvent { mark, side, kind });
        }
        new
    }

    /// Hands over the messages that are whole.
    pub(super) fn messages(&mut self, h: &mut Observed, shared: &mut Shared, side: Side, mark: Mark) {
        while let Some(message) = self.sides.of_mut(side).stream.next_message() {
            if side == Side::Client && message.kind == HandshakeType::CLIENT_HELLO.0 && self.replay && !h.client_hellos.is_empty() {
                // After a Retry the same hello comes again. Some clients send another, and that is the one that counts.
                if h.last_hello().is_some_and(|hello| message.body.get(RANDOM) == Some(hello.what.random())) {
                    continue;
                }
                h.client_hellos.clear();
            }
            let place = Place { mark, first: message.first, span: (message.start as u64, message.end as u64) };
            messages::on_message(h, shared, side, HandshakeType(message.kind), message.body, place);
        }
    }
}

/// A client's first Initial packet that the snapshot length cut, so that it cannot be opened: its lengths fit the datagram.
fn is_cut_hello(long: &Long<'_>, datagram: &Datagram<'_>) -> bool {
    let fits = long.bytes.len() + long.missing <= datagram.payload_len as usize;
    let full = datagram.payload_len as usize >= INITIAL_DATAGRAM;
    long.missing > 0 && fits && full && datagram.payload.len() < datagram.payload_len as usize && long.dcid.len() >= LEAST_FIRST_CID
}

/// Packets are numbered from 0, by some from 1.
const FIRST_NUMBER: u64 = 1;
/// Where a ClientHello has its random.
const RANDOM: std::ops::Range<usize> = 2..34;
/// Identifiers of a server remembered: one, and another after a Retry.
const SERVER_CIDS: usize = 4;
/// Packets with parts of a hello remembered.
const HELLO_PACKETS: usize = 16;
