//! What carries TLS in messages of its own.

use handshark::carriers::eap::{Body, Eap};
use handshark::carriers::eapol::Frame;
use handshark::carriers::openvpn::{self, Wrapping};
use handshark::carriers::radius::{Packet, attribute};

/// Datagrams of one direction: two bytes of length, and the datagram.
pub fn carriers(bytes: &[u8]) {
    let mut rest = bytes;
    while let [high, low, behind @ ..] = rest {
        let (datagram, after) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(behind.len()));
        rest = after;
        radius(datagram);
        eapol(datagram);
        openvpn(datagram);
    }
}

fn radius(datagram: &[u8]) {
    let mut eap = Vec::new();
    // As it is, and as one whose end the snapshot length cut off.
    let named = datagram.get(2..4).map_or(0, |len| u32::from(u16::from_be_bytes([len[0], len[1]])));
    let whole = u32::try_from(datagram.len()).unwrap_or(u32::MAX);
    for len in [whole, named.max(whole)] {
        let Some(packet) = Packet::parse(datagram, len) else { continue };
        let _ = (packet.state(), packet.value(attribute::NAS_IDENTIFIER));
        packet.eap(&mut eap);
        assert!(eap.len() < datagram.len(), "an EAP packet lies within its datagram");
        if let Some(Eap { body: Body::Tls(part), .. }) = Eap::parse(&eap) {
            assert!(part.data.len() < eap.len(), "records lie within their packet");
        }
    }
}

fn eapol(frame: &[u8]) {
    let Some(Frame::Packet(packet)) = Frame::parse(frame) else { return };
    assert!(packet.len() + 4 <= frame.len(), "an EAP packet lies within its frame");
    if let Some(Eap { body: Body::Tls(part), .. }) = Eap::parse(packet) {
        assert!(part.data.len() < packet.len(), "records lie within their packet");
    }
}

fn openvpn(datagram: &[u8]) {
    let _ = (openvpn::opening(datagram), openvpn::renewal(datagram));
    let Some(packet) = openvpn::Packet::parse(datagram) else { return };
    for wrapping in [Wrapping::None, Wrapping::Auth(20), Wrapping::Auth(u8::MAX), Wrapping::Crypt] {
        if let Some(message) = packet.message(wrapping) {
            assert!(message.data.len() < datagram.len(), "records lie within their packet");
        }
    }
}
