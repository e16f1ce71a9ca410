//! From facts and verdict to a report. Shows what was observed; a field that was not is absent.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::diagnosis::chain::Unverified;
use crate::diagnosis::judge::Verdict;
use crate::flow::{Endpoint, EndpointText, Layer, Path, PerSide, Side, Transport};
use crate::handshake::Handshake as Facts;
use crate::handshake::facts::{self, Chain, DtlsFacts, EapFacts, OpenVpnFacts, Protocol, QuicFacts};
use crate::handshake::stack;
use crate::site::{Observer, Site};
use crate::time::Timestamp;
use crate::tls::client_hello::ClientHello;
use crate::tls::fingerprint::Carrier;
use crate::tls::message::EncryptedExtensions;
use crate::tls::registry::{AlertDescription, ExtensionType, SrtpProfile};

use super::code::{Code, CommunityId, Id};
use super::dns::Dns;
use super::shared::{Builder, Certificate};
use super::{
    AlertSeen, Capture, Course, Diagnosis, Dtls, Eap, Ech, Handshake, Loss, Network, OpenVpn, Quic, Timing, Tls, TlsClient, TlsServer,
};

impl Builder {
    /// What is to be said of one handshake. `source` names the file or interface.
    pub fn handshake<'a>(&mut self, handshake: &'a Facts, verdict: &'a Verdict, source: &'a str, observer: &Observer) -> Handshake<'a> {
        let flow = &handshake.flow;
        let cause = verdict.cause.as_ref();
        Handshake {
            observer: observer.clone(),
            network: Network {
                transport: flow.key.transport,
                protocol: handshake.protocol,
                community_id: community_id(handshake.client, handshake.server, flow.key.transport),
                path: road(handshake).translated(handshake.client.address, handshake.server.address),
            },
            client: handshake.client,
            server: handshake.server,
            server_ttl: flow.side(Side::Server).ttl,
            owners: PerSide::default(),
            capture: Capture {
                source: Cow::Borrowed(source),
                interface: None,
                files: None,
                first_frame: flow.first.frame,
                last_frame: flow.last.frame,
                quality: verdict.quality,
            },
            handshake: Course {
                id: id(
                    self.scratch(),
                    &handshake.client.text(),
                    &handshake.server.text(),
                    (flow.first.time, flow.key.site),
                    flow.path.stream(),
                ),
                start: flow.first.time,
                end: handshake.end.unwrap_or(flow.last).time,
                outcome: verdict.outcome,
                stage: handshake.stage,
                history: Cow::Borrowed(handshake.history.as_str()),
                preamble: handshake.preamble.as_ref().map(|preamble| preamble.dialect),
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
            },
            tls: (handshake.protocol != Protocol::Other).then(|| tls(self, handshake, verdict.unverified)),
            quic: handshake.quic.as_deref().map(quic),
            dtls: handshake.dtls.as_deref().map(|facts| dtls(handshake, facts)),
            openvpn: handshake.carried.as_ref().and_then(|carried| carried.openvpn()).map(openvpn),
            eap: handshake.carried.as_ref().and_then(|carried| carried.eap()).map(eap),
            dns: Dns::of(handshake),
            diagnosis: Diagnosis {
                cause: cause.map(|finding| finding.cause),
                stopped_by: verdict.stopped_by,
                confidence: cause.map(|finding| finding.confidence),
                headline: cause.and_then(|finding| finding.headline),
                undecided: cause.is_some_and(|finding| finding.undecided),
                summary: cause.map(|finding| Cow::Borrowed(finding.summary.as_str())),
                remedy: Cow::Borrowed(cause.map_or(&[], |finding| &finding.remedy)),
                evidence: Cow::Borrowed(cause.map_or(&[], |finding| &finding.evidence)),
                against: Cow::Borrowed(cause.map_or(&[], |finding| &finding.against)),
                alternatives: Cow::Borrowed(&verdict.alternatives),
                findings: Cow::Borrowed(&verdict.findings),
            },
            timeline: Vec::new(),
            facts: Some(handshake),
        }
    }
}

/// What the handshake travels in, and what travels in it where only that tells what it is for: RADIUS has a port for TLS that it shares with web
/// panels, whose clients name their protocol.
fn road(handshake: &Facts) -> Path {
    let mut path = handshake.flow.path;
    let names = |hello: &ClientHello| hello.alpn().next().is_none_or(|protocol| protocol.starts_with(b"radius/"));
    if handshake.server.port == RADSEC && handshake.hello().is_some_and(names) {
        path.push(Layer::RadSec);
    }
    path
}

/// The same in every run, with any number of threads, and wherever the capture was split: endpoints, the first packet's time, and the site where
/// one is named.
fn id(scratch: &mut Vec<u8>, client: &EndpointText, server: &EndpointText, (first, site): (Timestamp, Site), stream: Option<u32>) -> Id {
    scratch.clear();
    scratch.extend_from_slice(client.as_bytes());
    scratch.push(b' ');
    scratch.extend_from_slice(server.as_bytes());
    scratch.push(b' ');
    scratch.extend_from_slice(itoa::Buffer::new().format(first.nanos()).as_bytes());
    if let Some(site) = site.name() {
        scratch.push(b' ');
        scratch.extend_from_slice(site.as_bytes());
    }
    // Several may begin in one packet.
    if let Some(stream) = stream {
        scratch.push(b'/');
        scratch.extend_from_slice(itoa::Buffer::new().format(stream).as_bytes());
    }
    Id::of(&Sha256::digest(scratch.as_slice()))
}

/// Community ID flow hash, version 1, seed 0 (<https://github.com/corelight/community-id-spec>).
pub fn community_id(client: Endpoint, server: Endpoint, transport: Transport) -> CommunityId {
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

fn timing(h: &Facts) -> Timing {
    let flow = &h.flow;
    let hello = h.client_hellos.first();
    let granted = h.preamble.as_ref().and_then(|preamble| preamble.answered);
    let ready = granted.or_else(|| flow.established());
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

fn tls<'a>(builder: &mut Builder, h: &'a Facts, unverified: Option<Unverified>) -> Tls<'a> {
    let server_hello = h.server_hello.as_ref().map(|seen| &seen.what);
    let server = (server_hello.is_some() || h.server_chain.is_some() || h.hello_retry.is_some()).then(|| TlsServer {
        answer: builder.answer(server_hello),
        stack: stack::of_server(h),
        certificates: certificates(builder, h.server_chain.as_ref().map(|seen| &seen.what)),
        raw_key: h.server_chain.as_ref().and_then(|seen| seen.what.raw_key.as_ref()).map(|key| key.sha256),
        unverified,
        staple: h.staple.as_ref().and_then(|seen| seen.what.status),
    });
    Tls {
        version: h.version(),
        cipher: h.cipher(),
        curve: h.group(),
        next_protocol: h.next_protocol().map(String::from_utf8_lossy),
        client: h.hello().map(|hello| client(builder, h, hello)),
        ech: ech(h),
        server,
        alerts: h.alerts.iter().map(alert).collect(),
    }
}

fn ech(h: &Facts) -> Option<Ech> {
    h.hello()?.ech()?;
    let required = |seen: &facts::AlertSeen| seen.alert.is_some_and(|alert| alert.description == AlertDescription::ECH_REQUIRED);
    let retry = || {
        let chosen = EncryptedExtensions::parse(&h.encrypted_extensions.as_ref()?.what)?;
        chosen.extensions().find(|(kind, _)| *kind == ExtensionType::ENCRYPTED_CLIENT_HELLO).map(|_| Ech::Retry)
    };
    if h.ech_accepted {
        Some(Ech::Accepted)
    } else if h.alerts.iter().any(|seen| seen.from == Side::Client && required(seen)) {
        Some(Ech::Rejected)
    } else {
        retry()
    }
}

fn client<'a>(builder: &mut Builder, h: &'a Facts, hello: &'a ClientHello) -> TlsClient<'a> {
    let carrier = match h.protocol {
        Protocol::Quic => Carrier::Quic,
        Protocol::Dtls => Carrier::Dtls,
        _ => Carrier::Tcp,
    };
    let offer = builder.offer(hello, carrier);
    TlsClient {
        random: Cow::Borrowed(hello.random()),
        server_name: h.name(),
        certificate_requested: h.certificate_request.is_some() || h.hidden.certificate_requested.happened(),
        stack: offer.speaker(),
        offer,
        certificates: certificates(builder, h.client_chain.as_ref().map(|seen| &seen.what)),
    }
}

fn certificates(builder: &mut Builder, chain: Option<&Chain>) -> Vec<Arc<Certificate>> {
    chain.map(|chain| chain.certificates.iter().map(|certificate| builder.certificate(certificate)).collect()).unwrap_or_default()
}

fn alert(seen: &facts::AlertSeen) -> AlertSeen {
    AlertSeen { from: seen.from, alert: seen.alert, frame: seen.mark.frame, encrypted: seen.encrypted }
}

fn quic(facts: &QuicFacts) -> Quic<'_> {
    Quic {
        version: facts.version,
        first_version: facts.first_version,
        server_versions: Cow::Borrowed(facts.negotiation.as_ref().map_or(&[], |(_, versions)| versions)),
        retries: facts.retry.count,
        zero_rtt_packets: facts.zero_rtt.count,
        stateless_resets: facts.resets.count,
        closes: Cow::Borrowed(&facts.closes),
    }
}

fn dtls(handshake: &Facts, facts: &DtlsFacts) -> Dtls {
    let chosen = handshake.server_hello.as_ref().and_then(|hello| hello.what.extension(ExtensionType::USE_SRTP));
    Dtls {
        // A list of one profile, and what it is keyed with besides.
        srtp_profile: chosen.and_then(|body| match body {
            [0, 2, high, low, ..] => Some(SrtpProfile(u16::from_be_bytes([*high, *low]))),
            _ => None,
        }),
        cookie_requests: facts.cookie_requests.count,
        fragmented_messages: facts.fragmented.client.saturating_add(facts.fragmented.server),
        largest_datagram: facts.largest.client.max(facts.largest.server),
        connection_id: facts.connection_id,
        relay: facts.relay,
    }
}

fn eap(facts: &EapFacts) -> Eap<'_> {
    fn name(name: Option<&String>) -> Option<Cow<'_, str>> {
        name.map(|name| Cow::Borrowed(name.as_str()))
    }
    Eap {
        method: facts.method.map(|(method, _)| method),
        identity: name(facts.identity.as_ref()),
        station: name(facts.station.as_ref()),
        authenticator: name(facts.authenticator.as_ref()),
        called_station: name(facts.called.as_ref()),
        result: facts.result.map(|(result, _)| result),
    }
}

const fn openvpn(facts: &OpenVpnFacts) -> OpenVpn {
    OpenVpn {
        wrapping: facts.wrapping,
        rekey: if facts.renews() { Some(facts.key) } else { None },
        client_resets: facts.resets.client.count,
        server_resets: facts.resets.server.count,
        tunnel: facts.is_up(),
    }
}

/// Port of RADIUS over TLS and DTLS (RFC 6614 section 2.1, RFC 7360 section 2.1).
const RADSEC: u16 = 2083;
