//! The same as others see it: a capture that missed a frame, a filter that leaves one connection or TCP alone, two points of the way at once, two clocks.

use std::net::IpAddr;

use super::capture::{Capture, ETHERNET, Taken, set_word};
use super::{Faults, SUBJECTS, end, holds, servers};
use crate::support::analyse_bytes;
use crate::support::report::HandshakeReport;

const TCP: u8 = 6;

impl Capture {
    /// Without the frame at this place.
    fn without(&self, place: usize) -> Self {
        let mut frames = self.frames.clone();
        frames.remove(place);
        self.with(frames)
    }

    /// The TCP and UDP packets between two ends.
    fn between(&self, one: (IpAddr, u16), other: (IpAddr, u16)) -> Self {
        let fits = |frame: &&Taken| {
            self.packet(&frame.bytes).is_some_and(|packet| {
                let ends = [
                    packet.source_port().map(|port| (packet.source(), port)),
                    packet.destination_port().map(|port| (packet.destination(), port)),
                ];
                ends == [Some(one), Some(other)] || ends == [Some(other), Some(one)]
            })
        };
        self.with(self.frames.iter().filter(fits).cloned().collect())
    }

    /// TCP from and to these ports.
    fn tcp_of(&self, ports: &[u16]) -> Self {
        let fits = |frame: &&Taken| {
            self.packet(&frame.bytes).is_some_and(|packet| {
                let either = [packet.source_port(), packet.destination_port()];
                packet.protocol() == TCP && either.iter().flatten().any(|port| ports.contains(port))
            })
        };
        self.with(self.frames.iter().filter(fits).cloned().collect())
    }

    /// The frames as the router behind the capture sends them on, so much later. `None` where they are not Ethernet's.
    fn behind_a_router(&self, nanos: i64) -> Option<Vec<Taken>> {
        (self.link == ETHERNET).then_some(())?;
        let mut frames = self.over_hops(1, 1)?.later(nanos).frames;
        for frame in &mut frames {
            frame.bytes[..12].copy_from_slice(&[2, 0, 0, 0, 7, 1, 2, 0, 0, 0, 7, 2]);
        }
        Some(frames)
    }

    /// Each frame, and its copy behind a router.
    fn routed(&self, nanos: i64) -> Option<Self> {
        Some(self.merged_with(self.behind_a_router(nanos)?))
    }

    /// Each frame is followed so much later by its copy as a translator of addresses sends it on, who gives clients one address and other ports.
    fn translated(&self, servers: &[(IpAddr, u16)], nanos: i64) -> Option<Self> {
        let mut behind = self.behind_a_router(nanos)?;
        for frame in &mut behind {
            let packet = self.packet(&frame.bytes).filter(|packet| packet.is_v4() && packet.source_port().is_some())?;
            let (at, l4) = (packet.at, packet.at + packet.header_len());
            let source = (packet.source(), packet.source_port()?);
            let destination = (packet.destination(), packet.destination_port()?);
            let (address, port) = match (servers.contains(&source), servers.contains(&destination)) {
                (false, true) => (at + 12, l4),
                (true, false) => (at + 16, l4 + 2),
                _ => return None,
            };
            let transport = if packet.protocol() == TCP { l4 + 16 } else { l4 + 6 };
            let sums: &[usize] = if packet.is_fragment() || frame.bytes.get(transport..transport + 2)? == [0, 0] {
                &[]
            } else {
                std::slice::from_ref(&transport)
            };
            let with_header = [&[at + 10], sums].concat();
            set_word(&mut frame.bytes, address, &with_header, |_| 0xc633);
            set_word(&mut frame.bytes, address + 2, &with_header, |_| 0x6407);
            set_word(&mut frame.bytes, port, sums, |port| port ^ 0x0155);
        }
        Some(self.merged_with(behind))
    }

    /// Two taps, of which the one that sees what goes up has a clock that is ahead by so much; put in the order of their times.
    fn by_two_clocks(&self, ahead: i64) -> Self {
        let mut frames = self.frames.clone();
        for frame in frames.iter_mut().filter(|frame| self.goes_up(frame) == Some(true)) {
            frame.time += ahead;
        }
        frames.sort_by_key(|frame| frame.time);
        self.with(frames)
    }
}

#[test]
fn a_frame_that_the_capture_missed_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let len = subject.capture.frames.len();
        for place in (0..len).step_by(len.div_ceil(16).max(1)) {
            faults.weaker(
                subject,
                &format!("without frame {}", place + 1),
                &analyse_bytes(subject.capture.without(place).pcap()).handshakes,
            );
        }
    }
    faults.assert_none("a frame missed");
}

#[test]
fn a_connection_alone_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter().filter(|subject| subject.said.len() > 1) {
        let ends = |report: &HandshakeReport| end(&report.client).zip(end(&report.server));
        let mut done = Vec::new();
        for (client, server) in subject.said.iter().filter_map(ends).take(12) {
            if !done.contains(&(client, server)) {
                done.push((client, server));
                let alone = subject.capture.between(client, server);
                faults.weaker(subject, &format!("{client:?} alone"), &analyse_bytes(alone.pcap()).handshakes);
            }
        }
    }
    faults.assert_none("a connection alone");
}

#[test]
fn tcp_alone_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let ports: Vec<u16> = servers(subject).into_iter().map(|(_, port)| port).collect();
        let rest = subject.capture.tcp_of(&ports);
        faults.weaker_with_less(subject, "TCP", &rest);
    }
    faults.assert_none("TCP alone");
}

#[test]
fn one_direction_alone_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let Some(first) = subject.said.first() else { continue };
        let shared = first.client.address == first.server.address;
        for (whose, peer) in [("client", &first.client), ("server", &first.server)] {
            let Ok(address) = peer.address.parse::<IpAddr>() else { continue };
            let rest = subject.capture.without_sender(address, shared.then_some(peer.port));
            faults.weaker_with_less(subject, &format!("without the {whose}"), &rest);
        }
    }
    faults.assert_none("one direction alone");
}

#[test]
fn what_is_sent_to_servers_or_by_them_alone_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let servers = servers(subject);
        for (how, answers) in [("to servers", false), ("from servers", true)] {
            let rest = subject.capture.of_servers(&servers, answers);
            faults.weaker_with_less(subject, how, &rest);
        }
    }
    faults.assert_none("to servers or from them alone");
}

#[test]
fn both_sides_of_a_router_change_no_verdict() {
    holds("before and behind a router", |capture| capture.routed(40_000));
    holds("before and behind a slow router", |capture| capture.routed(3_000_000));
}

#[test]
fn both_sides_of_a_translator_make_no_other_verdict() {
    let (mut faults, mut changed) = (Faults::default(), 0);
    for subject in SUBJECTS.iter().filter(|subject| subject.capture.is_in_order()) {
        if let Some(capture) = subject.capture.translated(&servers(subject), 40_000) {
            changed += 1;
            faults.weaker(subject, "translated", &analyse_bytes(capture.pcap()).handshakes);
        }
    }
    assert!(changed > SUBJECTS.len() / 4, "only {changed} captures could be changed");
    faults.assert_none("before and behind a translator");
}

#[test]
fn two_clocks_make_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter().filter(|subject| subject.capture.is_in_order()) {
        for ahead in [-700_000, 700_000, -20_000_000, 20_000_000] {
            faults.weaker(subject, &format!("{ahead} ns ahead"), &analyse_bytes(subject.capture.by_two_clocks(ahead).pcap()).handshakes);
        }
    }
    faults.assert_none("by two clocks");
}
