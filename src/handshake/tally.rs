//! Counts connections, and datagrams of no flow that is followed, by what they carry.

use crate::flow::{Side, Transport};
use crate::packet::Datagram;
use crate::preamble::services::{Service, Use};
use crate::preamble::{Preamble, name_datagram};
use crate::traffic::{Bearer, Kind, Row, UNKNOWN, Volume};
use crate::transport::FlowFacts;

use super::facts::{Observed, Protocol};
use super::overhear;
use super::shared::Shared;

/// Counts a connection or flow that is about to end. Gives the row for its late packets.
pub(super) fn flow(shared: &mut Shared, observed: &Observed, preamble: Option<&Preamble>, flow: &FlowFacts) -> Row {
    let (_, server) = flow.ends();
    add(shared, name(observed, preamble, server.port, flow.is_udp()), flow)
}

/// The same for one of which it is known what it carries.
pub(super) fn add(shared: &mut Shared, protocol: &'static str, flow: &FlowFacts) -> Row {
    count(shared, protocol, flow, 1)
}

/// The same for one that goes on between the ports of another, which was counted.
pub(super) fn go_on(shared: &mut Shared, protocol: &'static str, flow: &FlowFacts) -> Row {
    count(shared, protocol, flow, 0)
}

fn count(shared: &mut Shared, protocol: &'static str, flow: &FlowFacts, connections: u64) -> Row {
    if !shared.counts(&flow.packets_key()) {
        return Row::NONE;
    }
    let traffic = &mut shared.traffic;
    let (_, server) = flow.ends();
    let (bearer, port) = match flow.key.transport {
        Transport::Tcp => (Bearer::Tcp, Some(server.port)),
        Transport::Udp => (Bearer::Udp, Some(server.port)),
        Transport::Eapol => (Bearer::Link, None),
    };
    let row = traffic.row(Kind { bearer, protocol, port });
    let sides = Side::BOTH.map(|side| flow.side(side));
    traffic.add(
        row,
        Volume {
            packets: sides.iter().map(|side| u64::from(side.packets)).sum(),
            bytes: sides.iter().map(|side| side.bytes_seen).sum(),
            connections,
        },
    );
    row
}

/// Counts a datagram of no flow that is followed.
pub(super) fn pass_by(shared: &mut Shared, datagram: &Datagram<'_>) {
    overhear::hear(shared, datagram);
    if shared.counts(&datagram.key) {
        let row = shared.traffic.row(passing(datagram));
        shared.traffic.packet(row, datagram.payload_len);
    }
}

/// What a datagram of no flow that is followed is counted as.
pub fn passing(datagram: &Datagram<'_>) -> Kind {
    if datagram.stations.is_some() {
        return Kind { bearer: Bearer::Link, protocol: EAPOL, port: None };
    }
    let (protocol, port) = name_datagram(datagram.payload, datagram.payload_len, [datagram.key.low.port, datagram.key.high.port]);
    Kind { bearer: Bearer::Udp, protocol, port: Some(port) }
}

/// A datagram that passes by as this may belong to a flow whose handshake was before all that is known.
pub fn may_go_on(kind: Kind) -> bool {
    [UNKNOWN, Protocol::Quic.title(), Protocol::Dtls.title(), "RADIUS", EAPOL, "OpenVPN"].contains(&kind.protocol)
}

/// What it carries: TLS, what its bytes were seen to be, else what its port is known for.
fn name(observed: &Observed, preamble: Option<&Preamble>, port: u16, udp: bool) -> &'static str {
    match observed.protocol {
        Protocol::Other => {}
        Protocol::Tls if is_derp(observed) => return "Tailscale DERP",
        protocol => return protocol.title(),
    }
    if let Some(dialect) = observed.preamble.as_ref().map(|facts| facts.dialect).or_else(|| preamble?.dialect()) {
        return dialect.title();
    }
    let spoken = Side::BOTH.into_iter().filter_map(|side| observed.plaintext.of(side).as_ref()).map(|spoken| spoken.what.protocol);
    if let Some(protocol) = spoken.into_iter().find(|protocol| *protocol != UNKNOWN) {
        return protocol;
    }
    match Service::at(port).filter(|_| !udp) {
        Some((_, Use::Tls)) => Protocol::Tls.title(),
        Some((service, Use::Clear)) => service.name,
        None => UNKNOWN,
    }
}

/// TLS whose keys show that a proxy passes datagrams on.
pub(super) const MASQUE: &str = "MASQUE over TLS";

/// Messages between a client and a relay that carry no DTLS.
pub(super) const STUN: &str = "STUN";

/// EAPOL frames, whether an authentication is in them or not.
pub(super) const EAPOL: &str = "EAPOL";

/// A relay of Tailscale, by the name that its clients ask for: whatever goes through it is WireGuard inside TLS.
fn is_derp(observed: &Observed) -> bool {
    let name = observed.client_hellos.last().and_then(|hello| hello.what.server_name());
    name.is_some_and(|name| name.starts_with(b"derp") && name.ends_with(b".tailscale.com"))
}
