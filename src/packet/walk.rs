//! The walk from the link layer inwards: a loop over small states, each step taking one header.
//!
//! Invariant: each step either takes bytes or leads to a state that does, and tunnels are counted, so the walk is linear in the frame and
//! ends.

use crate::flow::{FlowKey, Transport};
use crate::packet::cursor::Cursor;
use crate::packet::state::{Last, Next, Walk};
use crate::packet::{Datagram, HeaderRest, IpFacts, Packet, Segment, Skip, TcpFlags, links};

impl<'a> Walk<'a> {
    /// Walks to the innermost packet and reads it.
    pub(super) fn run(&mut self, next: Next) -> Packet<'a> {
        match self.advance(next) {
            Ok(last) => self.finish(last),
            Err(skip) => Packet::Skipped(skip),
        }
    }

    /// Walks to the innermost packet.
    pub(super) fn advance(&mut self, mut next: Next) -> Result<Last, Skip> {
        loop {
            next = match next {
                Next::Link(link) => links::read(self, link),
                Next::Ethernet => self.ethernet(),
                Next::Ether(kind) => self.ether(kind),
                Next::Llc => self.llc(),
                Next::Ppp => self.ppp(),
                Next::Pppoe => self.pppoe(),
                Next::Mpls => self.mpls(),
                Next::Ip => self.ip(),
                Next::Ipv4 => self.ipv4(),
                Next::Ipv6 => self.ipv6(),
                Next::Payload(protocol) => self.payload(protocol),
                Next::Last(last) => return Ok(last),
            }?;
        }
    }

    /// Reads the innermost packet.
    pub(super) fn finish(&mut self, last: Last) -> Packet<'a> {
        match last {
            Last::Tcp => self.tcp(),
            Last::Datagram(from, to) => self.datagram(from, to),
            Last::Eapol => self.eapol(),
            Last::Icmp => self.icmp().map_or_else(Packet::Skipped, Packet::IcmpError),
        }
    }

    /// RFC 9293 section 3.1. Options cut by the snapshot length are no reason to lose a SYN: old captures keep 68 bytes of a frame.
    fn tcp(&mut self) -> Packet<'a> {
        let head = match self.rest.take::<20>() {
            Ok(head) => head,
            Err(skip) => return Packet::Skipped(skip),
        };
        let &[f0, f1, t0, t1, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, c0, c1, u0, u1] = head;
        let Some(options_len) = usize::from(offset >> 4).saturating_mul(4).checked_sub(20) else { return Packet::Skipped(Skip::Malformed) };
        let options = match self.rest.take_slice(options_len) {
            Ok(options) => options,
            Err(Skip::Truncated) => {
                let options = self.rest.bytes();
                let wire = self.rest.wire().saturating_sub(u32::try_from(options_len).unwrap_or(0));
                self.rest = Cursor::new(&[], wire);
                options
            }
            Err(skip) => return Packet::Skipped(skip),
        };
        let (key, from_low) = self.around.key(Transport::Tcp, u16::from_be_bytes([f0, f1]), u16::from_be_bytes([t0, t1]));
        Packet::Tcp(Segment {
            mark: self.around.mark,
            key,
            from_low,
            path: self.around.path,
            ip: self.around.ip,
            seq: u32::from_be_bytes([s0, s1, s2, s3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags: TcpFlags(flags),
            window: u16::from_be_bytes([w0, w1]),
            options,
            payload: self.rest.bytes(),
            payload_len: self.rest.wire(),
            rest: HeaderRest::new(offset, [c0, c1], [u0, u1]),
        })
    }

    fn datagram(&self, from: u16, to: u16) -> Packet<'a> {
        let (key, from_low) = self.around.key(Transport::Udp, from, to);
        Packet::Udp(Datagram {
            mark: self.around.mark,
            key,
            from_low,
            path: self.around.path,
            ip: self.around.ip,
            payload: self.rest.bytes(),
            payload_len: self.rest.wire(),
            stations: None,
        })
    }

    /// One whose link names nobody is of no use.
    #[cold]
    fn eapol(&self) -> Packet<'a> {
        let Some((from, to)) = self.link.stations() else { return Packet::Skipped(Skip::NotIp) };
        Packet::Eapol(Datagram {
            mark: self.around.mark,
            key: FlowKey::of_link(self.around.site, self.around.path.identity()),
            from_low: from <= to,
            path: self.around.path,
            ip: IpFacts::default(),
            payload: self.rest.bytes(),
            payload_len: self.rest.wire(),
            stations: Some((from, to)),
        })
    }
}
