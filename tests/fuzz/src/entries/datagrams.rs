//! What UDP carries: QUIC and DTLS.

use handshark::dtls::cookie::HelloVerifyRequest;
use handshark::dtls::demux;
use handshark::dtls::reassembly::{Fragment, Reassembly};
use handshark::dtls::record::{handshake_type, records};
use handshark::flow::Side;
use handshark::quic::close;
use handshark::quic::crypto::CryptoStream;
use handshark::quic::frame::{Frame, frames};
use handshark::quic::header::{LongKind, Packet, packets};
use handshark::quic::protection::InitialKeys;
use handshark::quic::version::Version;
use handshark::tls::client_hello::ClientHello;
use handshark::tls::registry::HandshakeType;

/// The first byte chooses: a datagram as it travels, or, because no fuzzer guesses what seals it, a packet's payload with its protection removed.
pub fn quic(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let mut stream = CryptoStream::new();
    match choice {
        0 => datagram(bytes, &mut stream),
        1 => payload(Version::V2, bytes, &mut stream),
        _ => payload(Version::V1, bytes, &mut stream),
    }
    assert!(stream.arrived() <= stream.highest(), "each byte counts once");
    while let Some(message) = stream.next_message() {
        assert_eq!(message.body.len() + 4, message.end - message.start);
        if message.kind == 1 {
            let _ = ClientHello::parse(message.body);
        }
    }
    let _ = stream.pending();
}

fn datagram(bytes: &[u8], stream: &mut CryptoStream<u32>) {
    let mut buffer = Vec::new();
    for packet in packets(bytes) {
        match packet {
            Packet::Long(long) => {
                assert!(long.pn_offset <= long.bytes.len() && long.bytes.len() <= bytes.len(), "a packet lies within its datagram");
                let keys = (long.kind == LongKind::Initial).then(|| InitialKeys::new(long.version, long.dcid)).flatten();
                for side in Side::BOTH {
                    if let Some(opened) = keys.as_ref().and_then(|keys| keys.of(side).open(&long, 0, &mut buffer)) {
                        payload(long.version, opened.payload, stream);
                    }
                }
            }
            Packet::VersionNegotiation(negotiation) => drop(negotiation.versions().count()),
            Packet::Retry(_) | Packet::Unknown(_) | Packet::Short { .. } => {}
        }
    }
}

fn payload(version: Version, bytes: &[u8], stream: &mut CryptoStream<u32>) {
    for (number, frame) in (0u32..).zip(frames(version, bytes)) {
        match frame {
            Frame::Crypto { offset, data } => drop(stream.add(offset, data, number)),
            Frame::Ack(ack) => drop((ack.covers(0), ack.covers(ack.largest), ack.covers(u64::MAX))),
            Frame::ConnectionClose(close) => drop(close::name(close.code)),
            Frame::Ping | Frame::HandshakeDone | Frame::Passed(_) | Frame::Other(_) => {}
        }
    }
}

/// The first byte is the length of connection identifiers. Then datagrams of one direction: two bytes of length, and the datagram.
pub fn dtls(bytes: &[u8]) {
    let Some((cid_len, mut rest)) = bytes.split_first() else { return };
    let mut reassembly = Reassembly::new();
    let mut number = 0u32;
    while let [high, low, behind @ ..] = rest {
        let (bytes, after) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(behind.len()));
        (rest, number) = (after, number + 1);
        let datagram = demux::unwrap(bytes);
        let _ = handshake_type(datagram);
        for record in records(datagram, usize::from(*cid_len % 21)) {
            assert!(record.body.len() <= record.len && record.body.len() <= datagram.len(), "a record lies within its datagram");
            let mut body = record.body;
            while let Some((fragment, behind)) = Fragment::parse(body) {
                let _ = reassembly.add(&fragment, number);
                body = behind;
            }
        }
        while let Some(message) = reassembly.next_message() {
            assert!(message.first <= message.last);
            match message.kind {
                HandshakeType::CLIENT_HELLO => drop(ClientHello::parse_dtls(&message.body)),
                HandshakeType(3) => drop(HelloVerifyRequest::parse(&message.body)),
                _ => {}
            }
        }
        for pending in reassembly.pending() {
            assert!(pending.have < pending.want, "what is whole is not pending");
        }
    }
}
