//! Hand-made reports for the tests of the outputs: a night on call.

use std::borrow::Cow;
use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Evidence, Finding, Weight};
use crate::diagnosis::quality::Quality;
use crate::diagnosis::remedy::{self, Advice, parts};
use crate::flow::{Endpoint, Path, PerSide, Side, Transport};
use crate::handshake::facts::{Outcome, Protocol, Stage, StoppedBy};
use crate::time::{Mark, Timestamp};
use crate::tls::client_hello::ClientHello;
use crate::tls::client_hello::tests::build;
use crate::tls::fingerprint::Carrier;
use crate::tls::message::Alert;
use crate::tls::registry::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion};
use crate::traffic::{Bearer, Kind, Volume};

use super::{
    AlertSeen, Answer, Basis, Capture, Carried, Class, Classes, Container, Course, Diagnosis, Handshake, Id, Incident, Input, Loss,
    Network, Observer, Offer, Owner, Pod, Process, Report, Scope, Sharer, Summary, Timing, Tls, TlsClient, TlsServer, User, community_id,
};

/// 2026-11-21T09:00:00Z and so many minutes, seconds and milliseconds.
fn at(minute: i64, second: i64, millis: u64) -> Timestamp {
    Timestamp::from_parts(1_795_251_600 + minute * 60 + second, 0).after(Duration::from_millis(millis))
}

/// An id of this number.
pub(crate) fn id(number: u64) -> Id {
    Id::of(&number.to_be_bytes())
}

/// A process in a container of a pod, with a worker beside it.
pub(crate) fn owner() -> Owner {
    let owned = |text: &str| Some(text.to_owned());
    Owner {
        basis: Basis::Connection,
        process: Some(Process {
            pid: 4242,
            name: "curl".to_owned(),
            executable: owned("/usr/bin/curl"),
            start: Some(at(0, 1, 500)),
            sharers: vec![Sharer { pid: 4243, name: "worker".to_owned() }],
        }),
        user: Some(User { id: 1000, name: owned("alice") }),
        container: Some(Container {
            id: "0123456789ab".to_owned(),
            name: owned("web"),
            image: owned("nginx:1.25"),
            runtime: owned("docker"),
        }),
        pod: Some(Pod { uid: owned("c8c1e5b2"), name: owned("web-0"), namespace: owned("shop") }),
        unit: None,
    }
}

/// An address and a port, as text.
pub(crate) fn endpoint(text: &str) -> Endpoint {
    let at: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(at.ip(), at.port())
}

/// What a client of today offers, with these application protocols.
pub(crate) fn offer(alpn: &[&str]) -> Offer<'static> {
    let names: Vec<u8> = alpn.iter().flat_map(|name| std::iter::once(u8::try_from(name.len()).unwrap()).chain(name.bytes())).collect();
    let names = [&u16::try_from(names.len()).unwrap().to_be_bytes()[..], &names].concat();
    let list: [(u16, &[u8]); 3] = [(0x000a, &[0, 2, 0, 0x1d]), (0x0010, &names), (0x002b, &[4, 3, 4, 3, 3])];
    let hello = ClientHello::parse(&build(0x0303, &[0x1302, 0x1301], &list)).unwrap();
    Offer::new(Cow::Owned(hello), Carrier::Tcp)
}

fn evidence(mark: Option<(u64, Timestamp)>, text: &str) -> Evidence {
    Evidence { mark: mark.map(|(frame, time)| Mark { frame, time }), text: text.to_owned() }
}

fn say(text: impl Into<Cow<'static, str>>) -> Advice {
    Advice::Text(text.into())
}

fn base(minute: i64, second: i64, client_port: u16) -> Handshake<'static> {
    let (client, server) = (endpoint(&format!("10.0.0.1:{client_port}")), endpoint("10.0.0.2:443"));
    Handshake {
        observer: Observer::NONE,
        network: Network {
            transport: Transport::Tcp,
            protocol: Protocol::Tls,
            community_id: community_id(client, server, Transport::Tcp),
            path: Path::NONE,
        },
        client,
        server,
        server_ttl: Some(61),
        owners: PerSide::default(),
        capture: Capture {
            source: "night.pcapng".into(),
            interface: None,
            files: None,
            first_frame: 4,
            last_frame: 17,
            quality: Quality::default(),
        },
        handshake: Course {
            id: id(client_port.into()),
            start: at(minute, second, 31),
            end: at(minute, second, 62),
            outcome: Outcome::Completed,
            stage: Stage::Established,
            history: "CshxkdKfF".into(),
            preamble: None,
            resumed: false,
            hello_retry: false,
            early_data: false,
            decrypted: false,
            provisional: false,
            timing: Timing {
                tcp_rtt_us: Some(9_800),
                client_hello_us: Some(410),
                server_hello_us: Some(12_100),
                total_us: Some(31_500),
                ..Timing::default()
            },
            loss: Loss::default(),
        },
        quic: None,
        dtls: None,
        eap: None,
        openvpn: None,
        dns: None,
        tls: Some(Tls {
            version: Some(ProtocolVersion::TLS13),
            cipher: Some(CipherSuite(0x1302)),
            curve: Some(NamedGroup::X25519),
            next_protocol: Some("h2".into()),
            client: Some(TlsClient {
                random: Cow::Owned(vec![7; 32]),
                server_name: Some("www.example.test".into()),
                offer: offer(&["h2", "http/1.1"]),
                certificate_requested: false,
                stack: None,
                certificates: vec![],
            }),
            ech: None,
            server: Some(TlsServer::default()),
            alerts: vec![],
        }),
        diagnosis: Diagnosis {
            cause: None,
            stopped_by: StoppedBy::Nobody,
            confidence: None,
            headline: None,
            undecided: false,
            summary: None,
            remedy: Cow::default(),
            evidence: Cow::default(),
            against: Cow::default(),
            alternatives: Cow::default(),
            findings: Cow::default(),
        },
        timeline: vec![],
        facts: None,
    }
}

/// A handshake that completed.
pub(crate) fn completed() -> Handshake<'static> {
    base(1, 3, 40_200)
}

/// The server's certificate has expired; the `n`th client to find out.
pub(crate) fn expired(n: u16) -> Handshake<'static> {
    let second = 12 + i64::from(n % 40);
    let mut report = base(0, second, 40_112 + n);
    let show = remedy::Command::new("openssl s_client")
        .option("-connect", parts::Target::from(report.server))
        .option("-servername", parts::Name::parse("www.example.test").unwrap())
        .without_input()
        .without_errors()
        .pipe(remedy::Command::new("openssl x509 -noout -subject -dates"));
    report.diagnosis = Diagnosis {
        cause: Some(Cause::CertificateExpired),
        stopped_by: StoppedBy::Client,
        confidence: Some(Confidence::Certain),
        headline: None,
        undecided: false,
        summary: Some(
            "The certificate of www.example.test expired on 2026-11-20 23:59:59 UTC, 9 hours before this handshake, and the client refused it."
                .into(),
        ),
        remedy: vec![
            say("Renew the certificate on 10.0.0.2 and reload the server; check afterwards that it serves the new one."),
            Advice::Command(show),
            Advice::Command(
                remedy::Command::new("certbot renew").option("--cert-name", parts::Name::parse("www.example.test").unwrap()),
            ),
        ]
        .into(),
        evidence: vec![
            evidence(Some((9, at(0, second, 43))), "server sent Certificate: CN=www.example.test, not after 2026-11-20 23:59:59"),
            evidence(Some((11, at(0, second, 44))), "client sent alert certificate_expired (45)"),
            evidence(None, "no other client of this capture gets past this certificate since midnight"),
        ]
        .into(),
        against: Cow::default(),
        alternatives: vec![Cause::CertificateNotYetValid].into(),
        findings: Cow::default(),
    };
    report.handshake.outcome = Outcome::Alerted;
    report.handshake.stage = Stage::ServerCertificate;
    if let Some(tls) = &mut report.tls {
        tls.alerts = vec![AlertSeen {
            from: Side::Client,
            alert: Some(Alert { fatal: true, level: 2, description: AlertDescription::CERTIFICATE_EXPIRED }),
            frame: 11,
            encrypted: false,
        }];
    }
    report
}

/// A path MTU black hole: the server's flight never arrives.
pub(crate) fn stalled() -> Handshake<'static> {
    let mut report = base(2, 40, 51_044);
    report.client = endpoint("[2001:db8:0:42::1017]:51044");
    report.server = endpoint("[2001:db8:ffff::443]:8443");
    let quality = Quality { snaplen: true, ..Quality::default() };
    report.capture = Capture { source: "night.pcapng".into(), interface: None, files: None, first_frame: 310, last_frame: 362, quality };
    report.handshake.outcome = Outcome::Stalled;
    report.handshake.stage = Stage::ServerHello;
    report.handshake.loss = Loss { client_retransmits: 0, server_retransmits: 6, gap_bytes: 0 };
    if let Some(client) = report.tls.as_mut().and_then(|tls| tls.client.as_mut()) {
        client.server_name = Some("api.internal.example.test".into());
    }
    let soon =
        Finding::new(Cause::CertificateExpired, Confidence::Certain, "the certificate of api.internal.example.test expires in 3 days");
    report.diagnosis = Diagnosis {
        cause: Some(Cause::PathMtuBlackHole),
        stopped_by: StoppedBy::Network,
        confidence: Some(Confidence::Strong),
        headline: None,
        undecided: false,
        summary: Some(
            "Full-size segments from the server (1,440 bytes) were sent six times and never acknowledged, while smaller ones arrived: \
                  something on the path drops large packets and no ICMP Packet Too Big comes back."
                .into(),
        ),
        remedy: vec![
            say("Allow ICMPv6 type 2 (Packet Too Big) on every firewall between the two, or clamp the MSS at the tunnel."),
            Advice::Command(remedy::Command::new("ping -6 -M do -s 1452").operand(parts::Host::parse("2001:db8:ffff::443").unwrap())),
            Advice::Command(remedy::Command::new(
                "ip6tables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
            )),
        ]
        .into(),
        evidence: vec![
            evidence(Some((318, at(2, 40, 55))), "server sent 1,440 bytes at offset 0 (ServerHello, Certificate)"),
            evidence(Some((322, at(2, 40, 60))), "client acknowledged 0, SACK 2880-3112"),
            evidence(Some((351, at(2, 52, 720))), "sixth retransmission of the first segment"),
        ]
        .into(),
        against: vec![evidence(None, "in another connection between the two, 1440 bytes of the server in one packet arrived")].into(),
        alternatives: vec![Cause::PacketLoss, Cause::ServerFlightDropped].into(),
        findings: vec![soon.weight(Weight::Fallback).shown_by(Mark { frame: 318, time: at(2, 40, 55) }, "")].into(),
    };
    report
}

/// Nothing listens; there is no TLS at all.
pub(crate) fn refused() -> Handshake<'static> {
    let mut report = base(3, 1, 51_200);
    report.server = endpoint("10.0.0.9:636");
    report.capture = Capture {
        source: "night.pcapng".into(),
        interface: None,
        files: None,
        first_frame: 400,
        last_frame: 401,
        quality: Quality::default(),
    };
    report.handshake.outcome = Outcome::Refused;
    report.handshake.stage = Stage::Connect;
    report.handshake.history = Cow::default();
    report.handshake.timing = Timing::default();
    report.tls = None;
    report.diagnosis = Diagnosis {
        cause: Some(Cause::TcpRefused),
        stopped_by: StoppedBy::Server,
        confidence: Some(Confidence::Certain),
        headline: None,
        undecided: false,
        summary: Some("10.0.0.9 answered the SYN to port 636 with a RST: nothing listens there.".into()),
        remedy: vec![say("Start the service, or bind it to this address."), Advice::Command(remedy::ss_listen(636))].into(),
        evidence: vec![evidence(Some((401, at(3, 1, 31))), "RST, ACK to the SYN, TTL 64")].into(),
        ..report.diagnosis
    };
    report
}

/// The capture ends first.
pub(crate) fn undecided(n: u16) -> Handshake<'static> {
    let mut report = base(4, 20, 60_000 + n);
    report.server = endpoint(&format!("10.0.1.{}:443", n % 250));
    report.handshake.outcome = Outcome::Incomplete;
    report.diagnosis = Diagnosis {
        cause: Some(Cause::CaptureEnded),
        stopped_by: StoppedBy::Capture,
        confidence: Some(Confidence::Certain),
        headline: None,
        undecided: false,
        summary: Some("The capture ends 12 ms after the ClientHello.".into()),
        ..report.diagnosis
    };
    report
}

/// An expired certificate at a server of this name.
pub(crate) fn named(name: &str) -> Handshake<'static> {
    let mut report = expired(0);
    if let Some(client) = report.tls.as_mut().and_then(|tls| tls.client.as_mut()) {
        client.server_name = Some(name.to_owned().into());
    }
    report.diagnosis.summary = Some(format!("The certificate of {name} expired.").into());
    report.diagnosis.remedy = vec![say(format!("Renew the certificate of {name}."))].into();
    report.diagnosis.evidence = vec![evidence(Some((9, at(0, 12, 43))), &format!("certificate for {name}"))].into();
    report
}

/// The incident behind [`expired`].
pub(crate) fn incident() -> Incident {
    Incident {
        observer: Observer::NONE,
        id: "5f2c".into(),
        state: None,
        cause: Cause::CertificateExpired,
        joined: vec![],
        scope: Scope::Server,
        servers: vec![endpoint("10.0.0.2:443")],
        server_name: Some("www.example.test".into()),
        first_seen: at(0, 12, 31),
        last_seen: at(3, 41, 0),
        failed: 12,
        completed: 0,
        attempts: 13,
        clients: vec![endpoint("10.0.0.1:0").address, endpoint("10.0.0.7:0").address],
        clients_total: 2,
        is_over: false,
        sensors: vec![],
        owners: vec![],
        changes: vec!["the certificate's end of validity passed at 2026-11-20 23:59:59".into()],
        confidence: Confidence::Certain,
        summary: "Since 09:00:12, 12 of 13 handshakes with www.example.test failed: its certificate expired on 2026-11-20 23:59:59 UTC."
            .into(),
        remedy: expired(0).diagnosis.remedy.into_owned(),
        handshakes: vec![id(40_112)],
    }
}

/// The end of the run.
pub(crate) fn summary() -> Summary {
    Summary {
        observer: Observer::default(),
        inputs: vec![Input {
            source: "night.pcapng".into(),
            format: "pcapng, zstd".into(),
            frames: 12_040,
            bytes: 8_120_331,
            damage: Some("cut short in the last block".into()),
            sha256: None,
        }],
        frames: 12_040,
        bytes: 8_120_331,
        decoded: 12_000,
        skipped: [("not-ip", 40)].into(),
        times: Some((at(0, 11, 900), at(4, 20, 871))),
        flows: 24,
        left_out: None,
        unread: None,
        unjudged: None,
        handshakes: 18,
        classes: classes(),
        outcomes: [("alerted", 12), ("completed", 2), ("stalled", 1), ("refused", 1), ("incomplete", 2)].into(),
        causes: [("certificate-expired", 12), ("path-mtu-black-hole", 1), ("tcp-refused", 1), ("capture-ended", 2)].into(),
        incidents: 1,
        drops: 17,
        evictions: 0,
        other_flows: [("http", 5), ("ssh", 1)].into(),
        traffic: vec![Carried {
            kind: Some(Kind { bearer: Bearer::Tcp, protocol: "TLS", port: Some(443) }),
            volume: Volume { packets: 9_000, bytes: 7_400_112, connections: 18 },
        }],
        answer: Answer::default(),
        notes: vec!["2 packets longer than the snapshot length of 256 bytes were cut".into()],
    }
}

/// Those of [`run`].
fn classes() -> Classes {
    let mut classes = Classes::default();
    for (times, class) in [(14, Class::Failed), (1, Class::Troubled), (1, Class::Completed), (2, Class::Undecided)] {
        (0..times).for_each(|_| classes.add(class));
    }
    classes
}

/// A whole run in order: twelve expired, two completed, a stall, a refusal, two undecided, the incident, the summary.
pub(crate) fn run() -> Vec<Report> {
    let mut handshakes: Vec<Handshake<'static>> = (0..12).map(expired).collect();
    let mut slow = completed();
    slow.diagnosis.cause = Some(Cause::ServerSlow);
    slow.diagnosis.confidence = Some(Confidence::Likely);
    slow.diagnosis.summary = Some("The server took 3.10 s for its ServerHello; the network's share was 9.8 ms.".into());
    slow.client.port = 40_300;
    handshakes.extend([completed(), slow, stalled(), refused(), undecided(1), undecided(2)]);
    let mut reports: Vec<Report> = handshakes.into_iter().map(|report| Report::Handshake(Box::new(report))).collect();
    reports.push(Report::Incident(Box::new(incident())));
    let mut summary = summary();
    for report in &reports {
        match report {
            Report::Handshake(handshake) => summary.answer.handshake(handshake),
            Report::Incident(incident) => summary.answer.incident(incident),
            Report::Tally(_) | Report::Heartbeat(_) | Report::Summary(_) => {}
        }
    }
    reports.push(Report::Summary(Box::new(summary)));
    reports
}
