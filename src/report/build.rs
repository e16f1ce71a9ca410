//! From facts and verdict to the schema's object. Shows what was observed; a field that was not is absent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::diagnosis::judge::Verdict;
use crate::diagnosis::rule::{Finding, Weight};
use crate::flow::{Endpoint, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{AlertSeen, Chain, Outcome, Protocol};
use crate::tls::client_hello::ClientHello;
use crate::tls::fingerprint::Carrier;
use crate::tls::message::OcspStatus;

use super::datagrams;
use super::{
    AlertReport, Builder, CaptureInfo, CertificateReport, Diagnosis, EvidenceReport, FindingReport, HandshakeInfo, HandshakeReport, Loss,
    Network, Peer, SCHEMA, Timing, Tls, TlsClient, TlsServer,
};

/// The report of one handshake. `source` names the file or interface.
pub fn handshake(handshake: &Handshake, verdict: &Verdict, source: &str) -> HandshakeReport {
    with(&mut Builder::default(), handshake, verdict, source)
}

/// The same, with what earlier reports may have in common with it.
pub(super) fn with(builder: &mut Builder, handshake: &Handshake, verdict: &Verdict, source: &str) -> HandshakeReport {
    let tcp = &handshake.tcp;
    HandshakeReport {
        schema: SCHEMA.to_owned(),
        kind: "handshake".to_owned(),
        network: Network {
            transport: transport_name(tcp.key.transport).to_owned(),
            protocol: protocol_name(handshake.protocol).to_owned(),
            community_id: community_id(handshake.client, handshake.server, tcp.key.transport),
            path: tcp.path.layers().map(|layer| layer.to_string()).collect(),
        },
        client: peer(handshake.client),
        server: peer(handshake.server),
        capture: CaptureInfo {
            source: source.to_owned(),
            first_frame: tcp.first.frame,
            last_frame: tcp.last.frame,
            quality: verdict.quality.words().map(str::to_owned).collect(),
        },
        handshake: HandshakeInfo {
            id: id(handshake),
            start: tcp.first.time.to_string(),
            end: handshake.end.unwrap_or(tcp.last).time.to_string(),
            outcome: verdict.outcome.name().to_owned(),
            stage: handshake.stage.name().to_owned(),
            history: handshake.history.clone(),
            preamble: handshake.preamble.as_ref().map(|preamble| preamble.dialect.name().to_owned()),
            resumed: handshake.resumption.is_some(),
            hello_retry: handshake.hello_retry.is_some(),
            early_data: handshake.early_data_offered,
            decrypted: handshake.decrypted,
            provisional: handshake.provisional,
            timing: timing(handshake),
            loss: Loss {
                client_retransmits: tcp.side(Side::Client).retransmits,
                server_retransmits: tcp.side(Side::Server).retransmits,
                gap_bytes: tcp.side(Side::Client).gap_bytes + tcp.side(Side::Server).gap_bytes,
            },
        },
        tls: (handshake.protocol != Protocol::Other).then(|| tls(builder, handshake)),
        quic: handshake.quic.as_deref().map(datagrams::quic),
        dtls: handshake.dtls.as_deref().map(datagrams::dtls),
        diagnosis: diagnosis(handshake, verdict),
        timeline: Vec::new(),
    }
}

fn peer(endpoint: Endpoint) -> Peer {
    Peer { address: endpoint.address_text(), port: endpoint.port }
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
fn id(handshake: &Handshake) -> String {
    let text = format!("{} {} {}", handshake.client, handshake.server, handshake.tcp.first.time.nanos());
    let digest = Sha256::digest(text.as_bytes());
    data_encoding::HEXLOWER.encode(digest.get(..8).unwrap_or_default())
}

/// Community ID flow hash, version 1, seed 0 (<https://github.com/corelight/community-id-spec>).
pub(crate) fn community_id(client: Endpoint, server: Endpoint, transport: Transport) -> String {
    fn bytes(address: IpAddr) -> Vec<u8> {
        match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }
    }
    let (a, b) = ((bytes(client.address), client.port), (bytes(server.address), server.port));
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(&low.0);
    hash.update(&high.0);
    hash.update([if transport == Transport::Tcp { 6 } else { 17 }, 0]);
    hash.update(low.1.to_be_bytes());
    hash.update(high.1.to_be_bytes());
    format!("1:{}", BASE64.encode(&hash.finalize()))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn timing(h: &Handshake) -> Timing {
    let tcp = &h.tcp;
    let hello = h.client_hellos.first();
    let granted = h.preamble.as_ref().and_then(|preamble| preamble.answered);
    let ready = granted.or(tcp.established);
    let server_hello = h.server_hello_time();
    let last_hello = h.server_hello.as_ref().map(|seen| seen.first);
    let finished = h.finished.client.zip(h.finished.server).map(|(client, server)| client.max(server));
    Timing {
        tcp_rtt_us: tcp.rtt().map(micros),
        client_hello_us: hello.zip(ready).map(|(hello, ready)| micros(hello.mark.time.since(ready.time))),
        server_hello_us: server_hello.map(micros),
        server_think_us: server_hello.zip(tcp.syn_rtt).map(|(took, rtt)| micros(took.saturating_sub(rtt))),
        finished_us: last_hello.zip(finished).map(|(hello, finished)| micros(finished.time.since(hello.time))),
        total_us: finished.or(h.end).map(|end| {
            let start = if tcp.saw_start() { tcp.first } else { hello.map_or(tcp.first, |hello| hello.first) };
            micros(end.time.since(start.time))
        }),
    }
}

fn tls(builder: &mut Builder, h: &Handshake) -> Tls {
    let server_hello = h.server_hello.as_ref().map(|seen| &seen.what);
    let server = (server_hello.is_some() || h.server_chain.is_some() || h.hello_retry.is_some()).then(|| TlsServer {
        answer: builder.answer(server_hello),
        certificates: certificates(builder, h.server_chain.as_ref().map(|seen| &seen.what)),
        staple: h.staple.as_ref().and_then(|seen| seen.what.status).map(|status| staple_word(status).to_owned()),
    });
    Tls {
        version: h.version().map(|version| version.to_string()),
        cipher: h.cipher().map(|cipher| cipher.to_string()),
        curve: h.group().map(|group| group.to_string()),
        next_protocol: h.next_protocol().map(text),
        client: h.hello().map(|hello| client(builder, h, hello)),
        server,
        alerts: h.alerts.iter().map(alert).collect(),
    }
}

fn client(builder: &mut Builder, h: &Handshake, hello: &ClientHello) -> TlsClient {
    let carrier = match h.protocol {
        Protocol::Quic => Carrier::Quic,
        Protocol::Dtls => Carrier::Dtls,
        _ => Carrier::Tcp,
    };
    TlsClient {
        random: data_encoding::HEXLOWER.encode(hello.random()),
        server_name: hello.server_name().map(text),
        offer: builder.offer(hello, carrier),
        certificate_requested: h.certificate_request.is_some() || h.hidden.certificate_requested,
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

fn diagnosis(h: &Handshake, verdict: &Verdict) -> Diagnosis {
    let cause = verdict.cause.as_ref();
    Diagnosis {
        cause: cause.map(|finding| finding.cause.slug().to_owned()),
        stopped_by: verdict.stopped_by.name().to_owned(),
        confidence: cause.map(|finding| finding.confidence.name().to_owned()),
        summary: cause.map_or_else(|| plain_summary(h), |finding| finding.summary.clone()),
        remedy: cause.map(|finding| finding.remedy.clone()).unwrap_or_default(),
        evidence: cause.map(evidence).unwrap_or_default(),
        alternatives: verdict.alternatives.iter().map(|cause| cause.slug().to_owned()).collect(),
        findings: verdict.findings.iter().map(|other| finding(other, verdict.outcome)).collect(),
    }
}

fn evidence(finding: &Finding) -> Vec<EvidenceReport> {
    let one = |piece: &crate::diagnosis::rule::Evidence| EvidenceReport {
        frame: piece.mark.map(|mark| mark.frame),
        time: piece.mark.map(|mark| mark.time.to_string()),
        text: piece.text.clone(),
    };
    finding.evidence.iter().map(one).collect()
}

fn finding(finding: &Finding, outcome: Outcome) -> FindingReport {
    let severity = match finding.weight {
        Weight::Note => "info",
        Weight::Fallback => "warning",
        _ if outcome == Outcome::Completed => "warning",
        Weight::Explains | Weight::Overrides => "error",
    };
    FindingReport {
        id: finding.cause.slug().to_owned(),
        severity: severity.to_owned(),
        confidence: finding.confidence.name().to_owned(),
        text: finding.summary.clone(),
        frames: finding.evidence.iter().filter_map(|piece| piece.mark.map(|mark| mark.frame)).collect(),
    }
}

/// What is said where there is no cause to name.
fn plain_summary(h: &Handshake) -> String {
    let name = h.server_name().map_or_else(|| h.server.to_string(), |name| format!("{name} ({})", h.server));
    match h.outcome {
        Outcome::Completed => {
            let version = h.version().map_or_else(|| "TLS".to_owned(), |version| version.spoken().to_string());
            let version = h.quic.as_ref().map_or(version, |quic| format!("QUIC version {}", quic.version));
            let how = if h.resumption.is_some() { " by resumption" } else { "" };
            format!("{version} with {name} was established{how}.")
        }
        outcome => format!("The handshake with {name} ended as {} at the stage {}.", outcome.name(), h.stage.name()),
    }
}
