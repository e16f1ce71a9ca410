//! A handshake told packet by packet: what a ladder diagram shows.
//!
//! Entries stand in the order of the packets; within one packet in the order in which its sender put them there. What is encrypted is named
//! by what its size and place make likely, and said to be so.

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, Protocol, StoppedBy};
use crate::handshake::renegotiation::Renegotiation;
use crate::packet::IcmpKind;
use crate::preamble::PreambleFacts;
use crate::time::Mark;
use crate::tls::message::OcspStatus;
use crate::tls::registry::ContentType;
use crate::transport::{Close, FlowEventKind, GapCause};
use crate::wording::counted;

use super::{Step, StepKind as Kind};
use likely::Names;
use words::{alert_text, anomaly_text, chain_text, client_hello, decoy_text, message_kind, part_text, sent_again, server_hello};

mod likely;
mod words;

/// What happened in a handshake, packet by packet.
pub fn timeline(handshake: &Handshake) -> Vec<Step> {
    let mut rows = Rows::default();
    rows.transport(handshake);
    rows.preamble(handshake);
    rows.hellos(handshake);
    rows.messages(handshake);
    rows.encrypted(handshake);
    rows.alerts(handshake);
    rows.quic(handshake);
    rows.dtls(handshake);
    rows.eap(handshake);
    rows.oddities(handshake);
    rows.list.sort_by_key(|row| (row.mark, row.rank));
    rows.silence(handshake);
    rows.mark_the_end(handshake);
    rows.list.into_iter().map(Row::into_step).collect()
}

/// An entry before it is put in order.
#[derive(Debug)]
struct Row {
    mark: Mark,
    /// Order within one packet: that of the protocol.
    rank: u16,
    framed: bool,
    /// Nobody: what neither side sent.
    from: Option<Side>,
    kind: Kind,
    size: Option<u64>,
    text: String,
    ended: bool,
}

impl Row {
    fn into_step(self) -> Step {
        let Self { mark, rank: _, framed, from, kind, size, text, ended } = self;
        Step { frame: framed.then_some(mark.frame), time: mark.time, from, kind, size, text, ended }
    }
}

#[derive(Debug, Default)]
struct Rows {
    list: Vec<Row>,
}

impl Rows {
    fn add(&mut self, mark: Mark, rank: u16, from: Side, kind: Kind, size: Option<u64>, text: impl Into<String>) {
        self.list.push(Row { mark, rank, framed: true, from: Some(from), kind, size, text: text.into(), ended: false });
    }

    fn transport(&mut self, h: &Handshake) {
        let flow = &h.flow;
        for event in &flow.events {
            // An acknowledgment is told of the side whose bytes it is about.
            let told = matches!(event.kind, FlowEventKind::Acknowledged { .. });
            let side = if told { event.side.other() } else { event.side };
            let facts = flow.side(side);
            let (rank, kind, size, text) = match event.kind {
                FlowEventKind::Syn | FlowEventKind::SynRepeat => {
                    let answers = side == Side::Server && !flow.tcp.is_some_and(|tcp| tcp.simultaneous_open);
                    let repeated = matches!(event.kind, FlowEventKind::SynRepeat);
                    let kind = match (answers, repeated) {
                        (false, false) => Kind::Syn,
                        (true, false) => Kind::SynAck,
                        (false, true) => Kind::SynAgain,
                        (true, true) => Kind::SynAckAgain,
                    };
                    let mss = facts.syn.as_ref().and_then(|syn| syn.mss).map(|mss| format!("MSS {mss}"));
                    (0, kind, None, mss.filter(|_| !repeated).unwrap_or_default())
                }
                FlowEventKind::Established => (1, Kind::Established, None, "connection is up".to_owned()),
                FlowEventKind::Retransmission { offset, len } => {
                    (5, Kind::Retransmission, Some(u64::from(len)), sent_again(h, side, offset))
                }
                FlowEventKind::SpuriousRetransmission { offset, len } => {
                    let text = format!("{}, needlessly: the first copy had arrived", sent_again(h, side, offset));
                    (5, Kind::Retransmission, Some(u64::from(len)), text)
                }
                FlowEventKind::OutOfOrder { offset, len } => {
                    (5, Kind::OutOfOrder, Some(u64::from(len)), format!("bytes from {offset}, before them a hole"))
                }
                FlowEventKind::Overtook { offset, len } => {
                    (5, Kind::OutOfOrder, Some(u64::from(len)), format!("bytes from {offset}, which overtook those before them"))
                }
                FlowEventKind::Acknowledged { offset } => (2, Kind::Acknowledged, None, format!("has all bytes up to {offset}")),
                FlowEventKind::Gap { offset, len, why } => {
                    let why = match why {
                        GapCause::CaptureLost => "lost by the capture: the receiver had them",
                        GapCause::Snaplen => "cut off by the snapshot length",
                        GapCause::Unacknowledged => "never seen and never acknowledged",
                    };
                    (4, Kind::Gap, Some(len), format!("bytes from {offset} {why}"))
                }
                FlowEventKind::ZeroWindow => (3, Kind::ZeroWindow, None, "receive window is closed".to_owned()),
                FlowEventKind::WindowOpen => (3, Kind::WindowOpen, None, "receive window is open again".to_owned()),
                FlowEventKind::KeepAlive => (3, Kind::KeepAlive, None, String::new()),
                FlowEventKind::Fin => (90, Kind::Fin, None, "will send no more".to_owned()),
                FlowEventKind::Rst { index } => {
                    let reset = facts.resets.get(usize::from(index));
                    let to_syn = if reset.is_some_and(|reset| reset.to_syn) { "in answer to the SYN, " } else { "" };
                    (91, Kind::Rst, None, reset.map(|reset| format!("{to_syn}TTL {}", reset.ttl)).unwrap_or_default())
                }
                FlowEventKind::Icmp { .. } => continue,
                FlowEventKind::Decoy { why, .. } => (6, Kind::Overlap, None, decoy_text(why).to_owned()),
                FlowEventKind::DifferingOverlap { offset } => (6, Kind::Overlap, None, format!("other bytes at {offset} than before")),
            };
            self.add(event.mark, rank, side, kind, size, text);
        }
        for note in &flow.icmp {
            let what = match note.kind {
                IcmpKind::Unreachable => "unreachable".to_owned(),
                IcmpKind::PortUnreachable => "port unreachable".to_owned(),
                IcmpKind::Prohibited => "administratively prohibited".to_owned(),
                IcmpKind::TooBig(0) => "packet too big".to_owned(),
                IcmpKind::TooBig(mtu) => format!("packet too big, MTU {mtu}"),
                IcmpKind::TimeExceeded => "time exceeded".to_owned(),
                IcmpKind::Other => format!("type {} code {}", note.icmp_type, note.code),
            };
            let text = format!("{what}, from {}, about a packet of the {} ({} bytes)", note.reporter, note.about, note.quoted_len);
            self.add(note.mark, 0, note.about, Kind::Icmp, None, text);
            if let Some(row) = self.list.last_mut() {
                row.from = None;
            }
        }
    }

    fn preamble(&mut self, h: &Handshake) {
        let mut layers: Vec<_> = h.preamble.as_deref().into_iter().flat_map(PreambleFacts::layers).collect();
        layers.reverse();
        for (number, facts) in (0_u16..).zip(layers) {
            for line in &facts.lines {
                self.add(
                    line.mark,
                    10 + number.min(4),
                    line.side,
                    Kind::Preamble,
                    None,
                    format!("{}: {}", facts.dialect.title(), line.text),
                );
            }
        }
        for side in Side::BOTH {
            if let Some(seen) = h.plaintext.of(side) {
                let size = seen.span.1.checked_sub(seen.span.0);
                self.add(seen.mark, 15, side, Kind::Plaintext, size, format!("{}: {}", seen.what.protocol, seen.what.first));
            }
        }
    }

    fn hellos(&mut self, h: &Handshake) {
        for hello in &h.client_hellos {
            self.add(hello.mark, 20, Side::Client, Kind::ClientHello, size(hello.span), client_hello(&hello.what));
        }
        if let Some(part) = h.partial_client_hello {
            self.add(part.mark, 20, Side::Client, Kind::ClientHello, None, part_text(part.have, part.want));
        }
        if let Some(hello) = &h.hello_retry {
            let wants = hello.what.key_share_group().map(|group| format!("HelloRetryRequest: wants a key for {group}"));
            let text = wants.unwrap_or_else(|| "HelloRetryRequest".to_owned());
            self.add(hello.mark, 20, Side::Server, Kind::HelloRetryRequest, size(hello.span), text);
        }
        if let Some(hello) = &h.server_hello {
            self.add(hello.mark, 21, Side::Server, Kind::ServerHello, size(hello.span), server_hello(&hello.what));
        }
        if let Some(part) = h.partial_server_message {
            let text = part_text(part.have, part.want);
            self.add(part.mark, 59, Side::Server, part.message.map_or(Kind::Record, message_kind), None, text);
        }
    }

    fn messages(&mut self, h: &Handshake) {
        use Side::{Client, Server};
        if let Some(seen) = &h.server_chain {
            self.add(seen.mark, 30, Server, Kind::Certificate, Some(seen.what.message_len as u64), chain_text(&seen.what));
        }
        if let Some(seen) = &h.staple {
            let status = seen.what.status.map_or("unreadable", OcspStatus::name);
            self.add(seen.mark, 31, Server, Kind::CertificateStatus, size(seen.span), format!("OCSP: {status}"));
        }
        if let Some(seen) = &h.server_key_exchange {
            let what = &seen.what;
            let parts = [
                what.group.map(|group| group.to_string()),
                what.dh_bits.map(|bits| format!("DH of {bits} bits")),
                what.rsa_bits.map(|bits| format!("RSA of {bits} bits")),
                what.signature_scheme.map(|scheme| format!("signed with {scheme}")),
            ];
            let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
            self.add(seen.mark, 32, Server, Kind::ServerKeyExchange, size(seen.span), text);
        }
        if let Some(seen) = &h.certificate_request {
            let authorities = match (seen.what.authorities.first(), seen.what.authorities_total) {
                (None, _) | (_, 0) => "any authority".to_owned(),
                (Some(first), 1) => format!("authority {first}"),
                (Some(first), more) => format!("{more} authorities, {first} first"),
            };
            self.add(seen.mark, 33, Server, Kind::CertificateRequest, size(seen.span), authorities);
        }
        if let Some(seen) = &h.client_chain {
            self.add(seen.mark, 40, Client, Kind::Certificate, Some(seen.what.message_len as u64), chain_text(&seen.what));
        }
        if let Some(seen) = &h.session_ticket {
            let text = format!("ticket of {} bytes, good for {} s", seen.what.len, seen.what.lifetime_hint);
            self.add(seen.mark, 43, Server, Kind::NewSessionTicket, size(seen.span), text);
        }
        let marks = [
            (h.hello_request, 19, Server, Kind::HelloRequest),
            (h.server_hello_done, 34, Server, Kind::ServerHelloDone),
            (h.client_key_exchange, 41, Client, Kind::ClientKeyExchange),
            (h.client_certificate_verify, 42, Client, Kind::CertificateVerify),
            (h.change_cipher_spec.client, 44, Client, Kind::ChangeCipherSpec),
            (h.change_cipher_spec.server, 44, Server, Kind::ChangeCipherSpec),
        ];
        for (mark, rank, side, kind) in marks {
            if let Some(mark) = mark {
                // What TLS 1.3 sends for the sake of middleboxes stands before the encrypted records, and before a second hello.
                let early = rank == 44 && side == Client && h.hello_retry.is_some();
                self.add(mark, if early { 19 } else { rank }, side, kind, None, "");
            }
        }
    }

    /// Finished and what else is encrypted.
    fn encrypted(&mut self, h: &Handshake) {
        if h.early_data_records > 0
            && h.quic.is_none()
            && let Some(hello) = h.last_hello()
        {
            let text = format!("early data, {}", counted(h.early_data_records, "record", "records"));
            self.add(hello.mark, 22, Side::Client, Kind::ApplicationData, None, text);
        }
        if h.protocol == Protocol::Quic && !h.decrypted {
            return;
        }
        for side in Side::BOTH {
            let records = h.encrypted.of(side);
            if h.is_tls13() && !h.decrypted && !records.is_empty() {
                let last = records.len().saturating_sub(1);
                let alerted = h.alerts.iter().any(|alert| alert.from == side && alert.encrypted);
                let names = Names::of(h, side);
                for (index, record) in records.iter().enumerate() {
                    if index == last && alerted {
                        continue;
                    }
                    let rank = 50_u16.saturating_add(u16::try_from(index).unwrap_or(30).min(30));
                    let text = names.likely(index, record).map(|name| format!("likely {name}")).unwrap_or_default();
                    self.add(record.mark, rank, side, Kind::Encrypted, Some(u64::from(record.len).saturating_add(HEADER)), text);
                }
            } else {
                let len = records.iter().find(|record| record.content_type == ContentType::HANDSHAKE.0).map(|record| record.len);
                let len = len.filter(|_| !h.is_tls13());
                if let Some(mark) = *h.finished.of(side) {
                    let text = if h.decrypted { "" } else { "encrypted" };
                    self.add(mark, 50, side, Kind::Finished, len.map(|len| u64::from(len).saturating_add(HEADER)), text);
                }
                if let Some(mark) = *h.application_data.of(side) {
                    let text = match *h.application_records.of(side) {
                        1 => "a single record".to_owned(),
                        all => format!("the first of {}", counted(all, "record", "records")),
                    };
                    self.add(mark, 85, side, Kind::ApplicationData, None, text);
                }
            }
        }
    }

    /// What QUIC puts around TLS.
    fn quic(&mut self, h: &Handshake) {
        let Some(quic) = &h.quic else { return };
        if let Some((mark, versions)) = &quic.negotiation {
            let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
            self.add(*mark, 18, Side::Server, Kind::VersionNegotiation, None, format!("the server speaks {}", versions.join(", ")));
        }
        if let Some(mark) = quic.retry.first {
            let text = if quic.retry.count > 1 { format!("the first of {}", quic.retry.count) } else { String::new() };
            self.add(mark, 18, Side::Server, Kind::Retry, None, text);
        }
        if let Some(mark) = quic.zero_rtt.first {
            let (count, opened) = (quic.zero_rtt.count, quic.zero_rtt_opened);
            let opened = if opened == 0 { String::new() } else { format!(", {opened} opened") };
            let text = format!("early data: {} in all{opened}", counted(count, "0-RTT packet", "0-RTT packets"));
            self.add(mark, 22, Side::Client, Kind::ApplicationData, Some(quic.zero_rtt.bytes), text);
        }
        for side in Side::BOTH {
            for (packets, rank, one, many) in [
                (quic.handshakes.of(side), 60, "Handshake packet", "Handshake packets"),
                (quic.shorts.of(side), 85, "1-RTT packet", "1-RTT packets"),
            ] {
                // What they say is told where they were opened.
                if let Some(mark) = packets.first.filter(|_| *quic.opened.of(side) == 0) {
                    let text = format!("{} in all", counted(packets.count, one, many));
                    self.add(mark, rank, side, Kind::Encrypted, Some(packets.bytes), text);
                }
            }
            if let Some((first, last)) = *quic.repeated.of(side) {
                let count = *quic.repeats.of(side);
                let text = if count > 1 { format!("nothing new, {count} times") } else { "nothing new".to_owned() };
                self.add(first, 5, side, Kind::Retransmission, None, text);
                if last != first {
                    self.add(last, 5, side, Kind::Retransmission, None, "the last time");
                }
            }
        }
        for close in &quic.closes {
            let name = if close.application {
                format!("application code 0x{:x}", close.code)
            } else {
                crate::quic::close::name(close.code).into_owned()
            };
            let reason = if close.reason.is_empty() { String::new() } else { format!(": {}", close.reason) };
            self.add(close.mark, 87, close.from, Kind::ConnectionClose, None, format!("{name}{reason}"));
        }
    }

    /// What DTLS puts around TLS.
    fn dtls(&mut self, h: &Handshake) {
        let Some(dtls) = &h.dtls else { return };
        if let Some(mark) = dtls.cookie_requests.first {
            let count = dtls.cookie_requests.count;
            let text =
                if count > 1 { format!("a cookie to be returned; the first of {count}") } else { "a cookie to be returned".to_owned() };
            self.add(mark, 18, Side::Server, Kind::HelloVerifyRequest, None, text);
        }
        if let Some(mark) = dtls.role_conflict {
            self.add(mark, 18, Side::Server, Kind::Anomaly, None, "a ClientHello of its own: both sides act as the client");
        }
    }

    /// What EAP says around TLS.
    fn eap(&mut self, h: &Handshake) {
        for (mark, from, text) in h.carried.iter().filter_map(|carried| carried.eap()).flat_map(|eap| eap.told(h.flow.first)) {
            self.add(mark, if from == Side::Client { 1 } else { 88 }, from, Kind::Eap, None, text);
        }
    }

    fn alerts(&mut self, h: &Handshake) {
        for seen in &h.alerts {
            self.add(seen.mark, 86, seen.from, Kind::Alert, None, alert_text(seen));
        }
    }

    fn oddities(&mut self, h: &Handshake) {
        if let Some(Renegotiation { by: side, asked: mark, .. }) = h.renegotiation {
            let text = if h.is_tls13() { "a client certificate is asked for" } else { "a second handshake inside the first" };
            self.add(mark, 84, side, Kind::Renegotiation, None, text);
        }
        for anomaly in &h.anomalies {
            self.add(anomaly.mark, 25, anomaly.side, Kind::Anomaly, None, anomaly_text(&anomaly.kind));
        }
    }

    /// What did not happen, where that is what matters: at the end.
    fn silence(&mut self, h: &Handshake) {
        let last = h.flow.last;
        let waited = crate::diagnosis::view::span_text(h.closed_at.time.since(last.time));
        let (kind, text) = match (h.outcome, h.close) {
            (Outcome::Stalled | Outcome::Refused, _) if h.end.is_none_or(|end| end == last) && h.closed_at.time > last.time => {
                (Kind::Silence, format!("nothing more for {waited}"))
            }
            (Outcome::Incomplete, Close::EndOfCapture) => (Kind::EndOfCapture, format!("the capture ends {waited} later")),
            _ => return,
        };
        let from = match h.stopped_by {
            StoppedBy::Client => Some(Side::Client),
            StoppedBy::Server => Some(Side::Server),
            _ => None,
        };
        self.list.push(Row { mark: h.closed_at, rank: u16::MAX, framed: false, from, kind, size: None, text, ended: false });
    }

    /// The entry that ended a handshake which did not complete: the last that fits.
    fn mark_the_end(&mut self, h: &Handshake) {
        if matches!(h.outcome, Outcome::Completed) {
            return;
        }
        let wanted: &[Kind] = match h.outcome {
            Outcome::Alerted => &[Kind::ConnectionClose, Kind::Alert],
            Outcome::Reset => &[Kind::Rst],
            Outcome::Closed => &[Kind::ConnectionClose, Kind::Fin],
            Outcome::Stalled | Outcome::Incomplete => &[Kind::Silence, Kind::EndOfCapture],
            Outcome::Refused => &[Kind::Rst, Kind::Icmp, Kind::Silence],
            Outcome::Plaintext => &[Kind::Plaintext],
            Outcome::Completed => &[],
        };
        let fits = |row: &Row| wanted.contains(&row.kind);
        let at_end = |row: &Row| h.end.is_none_or(|end| end == row.mark);
        let place = self
            .list
            .iter()
            .rposition(|row| fits(row) && at_end(row) && row.from.map_or(StoppedBy::Network, StoppedBy::from) == h.stopped_by)
            .or_else(|| self.list.iter().rposition(|row| fits(row) && at_end(row)))
            .or_else(|| self.list.iter().rposition(fits))
            .or_else(|| self.list.iter().rposition(|row| h.end == Some(row.mark)));
        if let Some(row) = place.and_then(|place| self.list.get_mut(place)) {
            row.ended = true;
        }
    }
}

fn size(span: (u64, u64)) -> Option<u64> {
    span.1.checked_sub(span.0).filter(|size| *size > 0)
}

/// Bytes of a record header.
const HEADER: u64 = 5;
