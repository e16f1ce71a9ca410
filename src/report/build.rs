//! From facts and verdict to the schema's object. Shows what was observed; a field that was not is absent.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::diagnosis::chain::Unverified;
use crate::diagnosis::judge::Verdict;
use crate::flow::{Endpoint, EndpointText, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{AlertSeen, Chain, Outcome, Protocol};
use crate::handshake::stack;
use crate::time::Timestamp;
use crate::tls::client_hello::ClientHello;
use crate::tls::fingerprint::Carrier;
use crate::tls::message::OcspStatus;

use super::datagrams;
use super::outline::{ClientOutline, Code, DiagnosisOutline, Outline, ServerOutline, TlsOutline, hexadecimal};
use super::{AlertReport, Builder, CertificateReport, HandshakeReport, Loss, Timing};

/// The report of one handshake. `source` names the file or interface.
pub fn handshake(handshake: &Handshake, verdict: &Verdict, source: &str) -> HandshakeReport {
    outline(&mut Builder::new(true), handshake, verdict, source).report()
}

/// What is to be reported of one handshake, with what earlier reports may have in common with it.
pub(super) fn outline<'a>(builder: &mut Builder, handshake: &'a Handshake, verdict: &'a Verdict, source: &'a str) -> Outline<'a> {
    let flow = &handshake.flow;
    let (client, server) = (handshake.client.text(), handshake.server.text());
    let name = handshake.name();
    Outline {
        transport: transport_name(flow.key.transport),
        protocol: protocol_name(handshake.protocol),
        community_id: community_code(handshake.client, handshake.server, flow.key.transport),
        path: flow.path,
        id: id(builder.scratch(), &client, &server, flow.first.time),
        diagnosis: DiagnosisOutline::new(verdict, || plain_summary(handshake, name.as_deref(), &server)),
        client,
        server,
        source,
        first_frame: flow.first.frame,
        last_frame: flow.last.frame,
        quality: verdict.quality,
        start: flow.first.time,
        end: handshake.end.unwrap_or(flow.last).time,
        outcome: verdict.outcome,
        stage: handshake.stage.name(),
        history: handshake.history.as_str(),
        preamble: handshake.preamble.as_ref().map(|preamble| preamble.dialect.name()),
        resumed: handshake.resumption.is_some(),
        hello_retry: handshake.hello_retry.is_some(),
        early_data: handshake.early_data_offered,
        decrypted: handshake.decrypted,
        provisional: handshake.provisional,
        timing: timing(handshake),
        loss: Loss {
            client_retransmits: flow.side(Side::Client).retransmits,
            server_retransmits: flow.side(Side::Server).retransmits,
            gap_bytes: flow.side(Side::Client).gap_bytes + flow.side(Side::Server).gap_bytes,
        },
        tls: (handshake.protocol != Protocol::Other).then(|| tls(builder, handshake, name, verdict.unverified)),
        quic: handshake.quic.as_deref().map(datagrams::quic),
        dtls: handshake.dtls.as_deref().map(datagrams::dtls),
    }
}

const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
}

const fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tls => "tls",
        Protocol::Ssl2 => "ssl2",
        Protocol::Dtls => "dtls",
        Protocol::Quic => "quic",
        Protocol::Other => "other",
    }
}

/// The same in every run, with any number of threads, and wherever the capture was split: endpoints and the first packet's time.
fn id(scratch: &mut Vec<u8>, client: &EndpointText, server: &EndpointText, first: Timestamp) -> Code<16> {
    scratch.clear();
    scratch.extend_from_slice(client.as_bytes());
    scratch.push(b' ');
    scratch.extend_from_slice(server.as_bytes());
    scratch.push(b' ');
    scratch.extend_from_slice(itoa::Buffer::new().format(first.nanos()).as_bytes());
    let digest = Sha256::digest(scratch.as_slice());
    let mut text = [0; 16];
    for (place, byte) in text.as_chunks_mut().0.iter_mut().zip(digest) {
        *place = hexadecimal(byte);
    }
    Code(text)
}

/// Community ID flow hash, version 1, seed 0 (<https://github.com/corelight/community-id-spec>).
pub(crate) fn community_id(client: Endpoint, server: Endpoint, transport: Transport) -> String {
    community_code(client, server, transport).as_str().to_owned()
}

fn community_code(client: Endpoint, server: Endpoint, transport: Transport) -> Code<30> {
    let (low, high) = (client.min(server), client.max(server));
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for endpoint in [low, high] {
        match endpoint.address {
            IpAddr::V4(address) => hash.update(address.octets()),
            IpAddr::V6(address) => hash.update(address.octets()),
        }
    }
    let protocol = if transport == Transport::Tcp { 6 } else { 17 };
    let ([a, b], [c, d]) = (low.port.to_be_bytes(), high.port.to_be_bytes());
    hash.update([protocol, 0, a, b, c, d]);
    let mut text = *b"1:0123456789012345678901234567";
    if let Some(place) = text.get_mut(2..) {
        BASE64.encode_mut(&hash.finalize(), place);
    }
    Code(text)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn timing(h: &Handshake) -> Timing {
    let flow = &h.flow;
    let hello = h.client_hellos.first();
    let granted = h.preamble.as_ref().and_then(|preamble| preamble.answered);
    let ready = granted.or(flow.established());
    let server_hello = h.server_hello_time();
    let last_hello = h.server_hello.as_ref().map(|seen| seen.first);
    let finished = h.finished.client.zip(h.finished.server).map(|(client, server)| client.max(server));
    Timing {
        tcp_rtt_us: flow.rtt().map(micros),
        client_hello_us: hello.zip(ready).map(|(hello, ready)| micros(hello.mark.time.since(ready.time))),
        server_hello_us: server_hello.map(micros),
        server_think_us: server_hello.zip(flow.tcp.and_then(|tcp| tcp.syn_rtt)).map(|(took, rtt)| micros(took.saturating_sub(rtt))),
        finished_us: last_hello.zip(finished).map(|(hello, finished)| micros(finished.time.since(hello.time))),
        total_us: finished.or(h.end).map(|end| {
            let start = if flow.saw_start() { flow.first } else { hello.map_or(flow.first, |hello| hello.first) };
            micros(end.time.since(start.time))
        }),
    }
}

fn tls<'a>(builder: &mut Builder, h: &'a Handshake, name: Option<Cow<'a, str>>, unverified: Option<Unverified>) -> TlsOutline<'a> {
    let server_hello = h.server_hello.as_ref().map(|seen| &seen.what);
    let server = (server_hello.is_some() || h.server_chain.is_some() || h.hello_retry.is_some()).then(|| ServerOutline {
        answer: builder.answer(server_hello),
        stack: stack::of_server(h),
        certificates: certificates(builder, h.server_chain.as_ref().map(|seen| &seen.what)),
        unverified: unverified.map(Unverified::name),
        staple: h.staple.as_ref().and_then(|seen| seen.what.status).map(staple_word),
    });
    TlsOutline {
        version: h.version().map(|version| word(version.name(), version)),
        cipher: h.cipher().map(|cipher| word(cipher.name(), cipher)),
        curve: h.group().map(|group| word(group.name(), group)),
        next_protocol: h.next_protocol().map(String::from_utf8_lossy),
        client: h.hello().map(|hello| client(builder, h, hello, name)),
        server,
        alerts: h.alerts.iter().map(alert).collect(),
    }
}

/// A code point's name where it has one, else as it prints.
fn word(name: Option<&'static str>, value: impl Display) -> Cow<'static, str> {
    name.map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}

fn client<'a>(builder: &mut Builder, h: &'a Handshake, hello: &'a ClientHello, name: Option<Cow<'a, str>>) -> ClientOutline<'a> {
    let carrier = match h.protocol {
        Protocol::Quic => Carrier::Quic,
        Protocol::Dtls => Carrier::Dtls,
        _ => Carrier::Tcp,
    };
    let offer = builder.offer(hello, carrier);
    ClientOutline {
        random: hello.random(),
        server_name: name,
        certificate_requested: h.certificate_request.is_some() || h.hidden.certificate_requested.happened(),
        stack: offer.speaker(),
        offer,
        certificates: certificates(builder, h.client_chain.as_ref().map(|seen| &seen.what)),
    }
}

fn certificates(builder: &mut Builder, chain: Option<&Chain>) -> Vec<Arc<CertificateReport>> {
    chain.map(|chain| chain.certificates.iter().map(|certificate| builder.certificate(certificate)).collect()).unwrap_or_default()
}

const fn staple_word(status: OcspStatus) -> &'static str {
    match status {
        OcspStatus::Good => "good",
        OcspStatus::Revoked => "revoked",
        OcspStatus::Unknown => "unknown",
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn alert(seen: &AlertSeen) -> AlertReport {
    AlertReport {
        from: seen.from.name().to_owned(),
        level: seen.alert.map(|alert| if alert.fatal { "fatal" } else { "warning" }.to_owned()),
        code: seen.alert.map(|alert| alert.description.0),
        name: seen.alert.map(|alert| alert.description.to_string()),
        frame: seen.mark.frame,
        encrypted: seen.encrypted,
    }
}

/// What is said where there is no cause to name, of a server by the name asked for with its address, or the address alone.
fn plain_summary(h: &Handshake, name: Option<&str>, server: &EndpointText) -> String {
    let mut text = String::with_capacity(120);
    let subject = match (h.outcome, &h.quic, h.version()) {
        (Outcome::Completed, Some(quic), _) => Cow::Owned(format!("QUIC version {}", quic.version)),
        (Outcome::Completed, None, Some(version)) => word(version.spoken().name(), version.spoken()),
        (Outcome::Completed, None, None) => Cow::Borrowed("TLS"),
        _ => Cow::Borrowed("The handshake"),
    };
    text.extend([&subject, " with "]);
    match name {
        Some(name) => text.extend([name, " (", server.as_str(), ")"]),
        None => text.push_str(server.as_str()),
    }
    if h.outcome == Outcome::Completed {
        text.push_str(if h.resumption.is_some() { " was established by resumption." } else { " was established." });
    } else {
        text.extend([" ended as ", h.outcome.name(), " at the stage ", h.stage.name(), "."]);
    }
    text
}
