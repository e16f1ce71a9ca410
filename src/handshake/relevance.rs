//! Which connections deserve a report: those on which a TLS handshake was begun, or on which one was due.

use std::time::Duration;

use crate::flow::Side;
use crate::preamble::services::{Service, Use, is_implicit_tls};
use crate::preamble::{Dialect, Preamble, PreambleFacts, Upgrade};

use crate::time::Mark;
use crate::transport::{FlowFacts, SynFacts};

use super::facts::{CarriedFacts, Handshake, Located, Observed, Protocol};
use super::greeting::ungreeted;

/// The word for flows of QUIC whose hello is not there.
pub const QUIC_UNREAD: &str = "quic-unread";

/// The word for further subflows of connections over Multipath TCP.
pub const MULTIPATH: &str = "mptcp-subflow";
/// The word for packets of a connection that come once more when it is over.
pub const LATE_COPY: &str = "late-copy";
/// The word for connections that were refused before they came up, where no TLS is known to be due.
pub const REFUSED: &str = "refused";
/// The word for connections whose SYN nobody answered, likewise.
pub const UNANSWERED: &str = "unanswered";
/// The word for connections that came up and on which nobody said anything.
pub const UNSPOKEN: &str = "unspoken";
/// The word for what scanners send.
pub const SCAN: &str = "scan";

/// Whether a connection is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relevance {
    /// A handshake was begun, or was due on this port.
    Report,
    /// Only if the capture shows elsewhere that this server speaks TLS.
    IfServerSpeaksTls,
    /// Not about TLS; counted under this word.
    Other(&'static str),
}

/// Decides it from the facts.
pub fn relevance(handshake: &Handshake) -> Relevance {
    if handshake.protocol != Protocol::Other {
        return Relevance::Report;
    }
    if let Some(carried) = &handshake.carried {
        return without_tls(handshake, carried);
    }
    if handshake.flow.is_udp() {
        return if is_servers_quic(handshake) { Relevance::Report } else { Relevance::Other(QUIC_UNREAD) };
    }
    if let Some(word) = no_handshake_of_its_own(&handshake.flow) {
        return Relevance::Other(word);
    }
    let tls_port = is_implicit_tls(handshake.server.port);
    let due = if tls_port { Relevance::Report } else { Relevance::IfServerSpeaksTls };
    // What a server says when its client has left began no dialogue.
    if ungreeted(handshake).is_some() {
        return due;
    }
    if let Some(preamble) = &handshake.preamble {
        if tunnels_other(handshake, preamble) {
            return Relevance::Other("plaintext");
        }
        if preamble.upgrade == Upgrade::Hidden && !broke_off(handshake) {
            return Relevance::Other(preamble.dialect.name());
        }
        return upgrade(handshake, preamble, tls_port);
    }
    let flow = &handshake.flow;
    if flow.side(Side::Client).data_packets == 0 && flow.side(Side::Server).data_packets == 0 {
        return if flow.saw_start() { due } else { Relevance::Other("no-payload") };
    }
    // Only a connection whose beginning was seen can be said to lack a handshake.
    if !flow.saw_start() {
        return Relevance::Other("midstream");
    }
    match (&handshake.plaintext.client, &handshake.plaintext.server) {
        // These servers answer every request in clear. One that closes on it without a word does not speak it in clear.
        (Some(client), None) if ALWAYS_ANSWERED.contains(&client.what.protocol) && turned_away(handshake) => Relevance::Report,
        // The server speaks the client's protocol, whatever its port is called: nobody wanted TLS.
        (Some(client), Some(server)) if server.what.answers_in_kind(&client.what) => Relevance::Other("plaintext"),
        // On a port for HTTP in clear a proxy passes on what its backend said.
        (Some(_), Some(server)) if server.what.demands_tls || server.what.says_tls() && !is_clear(handshake.server.port) => {
            Relevance::Report
        }
        // Both spoke, and nothing that has a name here: a protocol of their own.
        (Some(_) | None, Some(server)) if server.what.is_unknown() && speaks_own(handshake) => Relevance::Other("unrecognised"),
        (Some(_), Some(server)) if server.what.http_status.is_none_or(|status| status != 400) && !tls_port => Relevance::Other("plaintext"),
        // A server of TLS closes on the first record that it cannot read: this one took more than a record, in silence.
        (Some(client), None) if client.what.is_unknown() && flow.side(Side::Client).acked > LARGEST_RECORD => {
            Relevance::Other("unrecognised")
        }
        (Some(_), _) | (None, Some(_)) => due,
        // Nothing could be read because the client's first bytes never came into view.
        (None, None) if flow.side(Side::Client).delivered == 0 => due,
        (None, None) if Side::BOTH.into_iter().any(|side| flow.side(side).snaplen_cut > 0) => Relevance::Other("cut"),
        (None, None) => Relevance::Other("unrecognised"),
    }
}

/// The word for a connection over TCP on which nobody said anything, so that nobody knows what it was for: the server's end refused it, or left it
/// unanswered, or it came up and stayed empty.
pub fn unspoken(handshake: &Handshake) -> Option<&'static str> {
    let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
    let empty = [client, server].into_iter().all(|side| side.data_packets == 0 && side.highest == 0);
    let whole = client.syn.is_some() && server.syn.is_some();
    never_up(handshake).or_else(|| (whole && empty && !handshake.flow.is_udp()).then_some(UNSPOKEN))
}

/// A connection that never came up: refused, or unanswered.
fn never_up(handshake: &Handshake) -> Option<&'static str> {
    let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
    let asked = client.syn.is_some() && client.data_packets == 0 && server.data_packets == 0;
    let up = handshake.flow.is_udp() || server.syn.is_some() || handshake.flow.established().is_some();
    let refused = server.resets.iter().any(|reset| reset.to_syn) || !handshake.flow.icmp.is_empty();
    (asked && !up).then_some(if refused { REFUSED } else { UNANSWERED })
}

/// A connection that failed before it came up, to a service that comes to TLS by a dialogue in clear: TLS may have been wanted.
pub fn may_have_wanted_tls(handshake: &Handshake) -> bool {
    let by_dialogue = || matches!(Service::at(handshake.server.port), Some((service, Use::Clear)) if service.dialect().is_some());
    handshake.outcome.failed() && never_up(handshake).is_some() && by_dialogue()
}

/// Of a QUIC handshake the server's side alone was captured.
fn is_servers_quic(handshake: &Handshake) -> bool {
    let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
    let handshakes = handshake.quic.as_ref().is_some_and(|quic| quic.handshakes.server.count > 0);
    handshakes && client.packets == 0 && server.packets > 0 && is_implicit_tls(handshake.server.port)
}

/// The connection is a further subflow of another, or its SYN is none that a system makes for a program: nobody wanted a handshake on it.
fn no_handshake_of_its_own(flow: &FlowFacts) -> Option<&'static str> {
    if Side::BOTH.into_iter().any(|side| flow.side(side).syn.is_some_and(|syn| syn.joins)) {
        return Some(MULTIPATH);
    }
    let client = flow.side(Side::Client);
    let syn = client.syn.filter(|_| client.data_packets == 0)?;
    scans(&syn).then_some(SCAN)
}

/// A SYN as scanners make them: what every system offers by itself is not in it, and it is not sent again.
fn scans(syn: &SynFacts) -> bool {
    if syn.count > 1 || syn.window_scale.is_some() || syn.sack || syn.timestamp.is_some() || syn.data_len > 0 || syn.fast_open {
        return false;
    }
    match syn.mss {
        // masscan; ZMap, which has no options either, and fills in one identification.
        None => syn.window == 1024 || syn.window == u16::MAX && syn.ip_id == Some(ZMAP),
        // nmap draws one of four windows, and a hop counter that no system begins with; small devices, which may offer as little, begin with 64.
        Some(1460) => matches!(syn.window, 1024 | 2048 | 3072 | 4096) && syn.ttl <= NMAP_HOPS,
        Some(_) => false,
    }
}

/// The most that nmap puts into the hop counter.
const NMAP_HOPS: u8 = 59;
/// What ZMap fills in.
const ZMAP: u16 = 54321;

/// What could have carried TLS and did not: it counts where the server had begun with it, or was never heard.
fn without_tls(handshake: &Handshake, carried: &CarriedFacts) -> Relevance {
    let begun = carried.eap().is_some_and(|eap| eap.method.is_some() && eap.proposed == eap.method.map(|(method, _)| method.number()));
    let unheard = carried.datagrams.server.count == 0 && handshake.flow.saw_start() && handshake.outcome.failed();
    // What a supplicant that told its name is asked next is TLS nearly everywhere.
    let left_waiting = carried.eap().is_some_and(|eap| eap.identity.is_some() && eap.proposed.is_none())
        && handshake.outcome.failed()
        && carried.unanswered().is_some_and(|(asker, _)| asker == Side::Client);
    if begun || unheard || left_waiting || carried.openvpn().is_some() { Relevance::Report } else { Relevance::Other("eap") }
}

/// Bytes of a client that are no TLS and that no dialogue followed, where the server closed on them without a word and its port is one for TLS:
/// it met a client that speaks in clear.
pub(super) fn keep_turned_away(h: &mut Observed, flow: &FlowFacts, preamble: &Preamble) {
    let server = flow.side(Side::Server);
    let closed = server.bytes_seen == 0 && (server.fin.is_some() || !server.resets.is_empty());
    let (_, endpoint) = flow.ends();
    if !closed || !flow.saw_start() || !is_implicit_tls(endpoint.port) || h.plaintext.client.is_some() {
        return;
    }
    if let (Some(what), Some(mark)) = (preamble.unfollowed(), flow.side(Side::Client).first_data) {
        let span = (0, flow.side(Side::Client).delivered);
        h.plaintext.client = Some(Box::new(Located { what, mark, first: mark, span }));
    }
}

/// What a server said in clear, in no dialogue that is known, before the client began with TLS, where nothing of it came behind that: this was its
/// answer.
pub(super) fn keep_greeting(h: &mut Observed, flow: &FlowFacts, preamble: &Preamble) {
    let answered = h.server_hello.is_some() || h.plaintext.server.is_some() || h.read_alerts.iter().any(|alert| alert.from == Side::Server);
    if preamble.dialect().is_some() || answered || !flow.saw_start() {
        return;
    }
    let Some(hello) = h.client_hellos.first().map(|hello| hello.first) else { return };
    // What the client said before that was answered, and both went on from there.
    if flow.side(Side::Client).first_data.is_some_and(|first| first < hello) {
        return;
    }
    let server = flow.side(Side::Server);
    let greeted = server.first_data.filter(|first| *first < hello && server.last_data.is_some_and(|last| last < hello));
    if let (Some(what), Some(mark)) = (preamble.plaintext(Side::Server), greeted) {
        h.plaintext.server = Some(Box::new(Located { what, mark, first: mark, span: (0, server.delivered) }));
    }
}

/// The port is known for a service in clear.
fn is_clear(port: u16) -> bool {
    matches!(Service::at(port), Some((_, Use::Clear)))
}

/// The client said something, at length or in short, that is no protocol with a name.
fn speaks_own(handshake: &Handshake) -> bool {
    let said = handshake.flow.side(Side::Client).delivered > 0;
    said && handshake.plaintext.client.as_ref().is_none_or(|client| client.what.is_unknown())
}

/// What a proxy passes on, once it agreed to, need not be TLS: both ends spoke, and neither of them did.
fn tunnels_other(handshake: &Handshake, preamble: &PreambleFacts) -> bool {
    let Some(agreed) = preamble.answered.filter(|_| preamble.dialect == Dialect::HttpConnect && preamble.upgrade == Upgrade::Granted)
    else {
        return false;
    };
    Side::BOTH.into_iter().all(|side| handshake.flow.side(side).last_data.is_some_and(|last| last > agreed))
}

/// A side ended the connection right after the other's last words: where these are hidden, it did not like them. What goes on, or ends later, may be
/// a session that is up and has nothing to carry.
fn broke_off(handshake: &Handshake) -> bool {
    let sides = Side::BOTH.map(|side| handshake.flow.side(side));
    let last = sides.iter().filter_map(|side| side.last_data).max();
    let end = handshake.end.filter(|_| handshake.outcome.failed() && sides.iter().all(|side| side.gap_bytes == 0 && side.snaplen_cut == 0));
    end.zip(last).is_some_and(|(end, last)| end.time.since(last.time) <= AT_ONCE)
}

/// The server ended the connection right after the client's first bytes, without one of its own.
fn turned_away(handshake: &Handshake) -> bool {
    let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
    let reset = server.resets.iter().map(|reset| reset.mark).min();
    let end = server.fin.map(|(mark, _)| mark).into_iter().chain(reset).min();
    let others = client.fin.map(|(mark, _)| mark).into_iter().chain(client.resets.iter().map(|reset| reset.mark)).min();
    let at_once = |end: Mark| client.first_data.is_some_and(|first| end.time.since(first.time) <= AT_ONCE);
    server.bytes_seen == 0 && client.gap_bytes_acked == 0 && end.is_some_and(|end| others.is_none_or(|other| end < other) && at_once(end))
}

/// Protocols whose servers answer whatever they are asked first.
const ALWAYS_ANSWERED: &[&str] = &["Redis", "Kafka"];
/// A record of TLS with its header.
const LARGEST_RECORD: u64 = 5 + 16_384 + 2_048;
/// A refusal of bytes that make no sense takes no longer.
const AT_ONCE: Duration = Duration::from_secs(1);

fn upgrade(handshake: &Handshake, preamble: &PreambleFacts, tls_port: bool) -> Relevance {
    let business_as_usual = Relevance::Other(preamble.dialect.name());
    // A client that has the list before it, and had no time to say more, may go on in clear as well as leave.
    let undecided = preamble.upgrade == Upgrade::NotOffered && preamble.stripped.is_none() && is_open(handshake);
    match (preamble.dialect, preamble.upgrade) {
        (Dialect::HttpConnect | Dialect::ProxyV1 | Dialect::ProxyV2, _) => Relevance::Report,
        (Dialect::Socks4 | Dialect::Socks5 | Dialect::WebSocket | Dialect::ConnectUdp, Upgrade::NotAsked | Upgrade::Granted) => {
            business_as_usual
        }
        // The server takes part in the dialogue, whatever its port is for.
        (_, Upgrade::NotAsked) if tls_port && preamble.went_on.is_some() && preamble.stripped.is_none() && answers(preamble) => {
            business_as_usual
        }
        _ if undecided && !tls_port => business_as_usual,
        _ if tls_port || preamble.stripped.is_some() || preamble.wanted_tls() => Relevance::Report,
        // The upgrade was offered, and the client left without a word: it may not have seen the offer.
        (_, Upgrade::NotAsked) if preamble.offered == Some(true) && preamble.went_on.is_none() && !preamble.took_leave() => {
            Relevance::Report
        }
        // Whether it had wanted TLS nobody knows.
        _ if preamble.turned_away() && preamble.dialect.is_starttls() => Relevance::IfServerSpeaksTls,
        // A dialogue in clear that went on without TLS is business as usual.
        _ => business_as_usual,
    }
}

/// Neither side ended the connection.
fn is_open(handshake: &Handshake) -> bool {
    Side::BOTH.into_iter().all(|side| handshake.flow.side(side).fin.is_none() && handshake.flow.side(side).resets.is_empty())
}

/// The server said something in the dialogue.
fn answers(preamble: &PreambleFacts) -> bool {
    preamble.lines.iter().any(|line| line.side == Side::Server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{connection, dialogue};
    use crate::handshake::facts::{Outcome, StoppedBy};
    use crate::time::Timestamp;
    use crate::transport::{Reset, TcpFacts};

    /// A SYN with nothing but a maximum segment size, if that.
    fn bare(mss: Option<u16>, window: u16, ttl: u8) -> SynFacts {
        let mark = Mark { frame: 1, time: Timestamp::from_nanos(0) };
        SynFacts { mss, window, ..SynFacts::once(mark, ttl) }
    }

    #[test]
    fn whether_a_list_without_tls_was_missed_shows_when_the_client_has_read_it() {
        let turns =
            [(Side::Server, &b"220 mail ESMTP\r\n"[..]), (Side::Client, b"EHLO x\r\n"), (Side::Server, b"250-mail\r\n250 SIZE 1000\r\n")];
        let mut handshake = dialogue("192.0.2.1:25", &turns, Outcome::Plaintext, StoppedBy::Server);
        handshake.protocol = Protocol::Other;
        assert_eq!(relevance(&handshake), Relevance::Other("smtp"), "the capture ends with the list");
        handshake.flow.sides.client.fin = Some((Mark { frame: 9, time: Timestamp::from_nanos(0) }, 0));
        assert_eq!(relevance(&handshake), Relevance::Report, "the client leaves when it has read it");
    }

    #[test]
    fn a_database_that_refuses_may_have_been_wanted_over_tls() {
        let refused = |server: &str, answer: fn(&mut Handshake)| {
            let mut handshake = connection(server);
            handshake.flow.tcp = Some(TcpFacts::default());
            handshake.flow.sides.server.syn = None;
            (handshake.outcome, handshake.stopped_by) = (Outcome::Refused, StoppedBy::Server);
            answer(&mut handshake);
            (never_up(&handshake), may_have_wanted_tls(&handshake))
        };
        let reset: fn(&mut Handshake) =
            |handshake| handshake.flow.sides.server.resets.push(Reset { to_syn: true, ..Reset::fitting(Mark::default(), 64) });
        assert_eq!(refused("192.0.2.2:5432", reset), (Some(REFUSED), true));
        assert_eq!(refused("192.0.2.2:5432", |_| {}), (Some(UNANSWERED), true));
        assert_eq!(refused("192.0.2.2:6379", reset), (Some(REFUSED), false), "Redis has another port for TLS");
        assert_eq!(refused("192.0.2.2:5432", |handshake| handshake.outcome = Outcome::Incomplete), (Some(UNANSWERED), false));
        let up = connection("192.0.2.2:5432");
        assert_eq!((never_up(&up), may_have_wanted_tls(&up)), (None, false));
    }

    #[test]
    fn a_scanners_syn_is_none_that_a_system_sends() {
        let nmap = bare(Some(1460), 1024, 52);
        assert!(scans(&nmap) && scans(&bare(None, 1024, 238)));
        assert!(scans(&SynFacts { ip_id: Some(ZMAP), ..bare(None, u16::MAX, 255) }));
        assert!(!scans(&bare(Some(1460), 2048, 64)), "a small device offers as little");
        assert!(!scans(&SynFacts { count: 2, ..nmap }), "a system tries again");
        assert!(!scans(&SynFacts { sack: true, ..nmap }) && !scans(&bare(None, u16::MAX, 255)));
    }
}
