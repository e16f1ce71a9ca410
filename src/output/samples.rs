//! Hand-made reports for the tests of the outputs: a night on call.

use std::sync::Arc;

use crate::report::{
    Advice, AlertReport, CaptureInfo, ClientOffer, Diagnosis, EvidenceReport, FindingReport, HandshakeInfo, HandshakeReport,
    IncidentReport, InputReport, Loss, Network, Peer, Report, SCHEMA, SummaryReport, Timing, Tls, TlsClient, TlsServer,
};

fn base(minute: u32, second: u32, client_port: u16) -> HandshakeReport {
    HandshakeReport {
        schema: SCHEMA.into(),
        kind: "handshake".into(),
        network: Network {
            transport: "tcp".into(),
            protocol: "tls".into(),
            community_id: "1:LQU9qZlK+B5F3KDmev6m5PMibrg=".into(),
            path: vec![],
        },
        client: Peer { address: "10.0.0.1".into(), port: client_port },
        server: Peer { address: "10.0.0.2".into(), port: 443 },
        capture: CaptureInfo { source: "night.pcapng".into(), first_frame: 4, last_frame: 17, quality: vec![] },
        handshake: HandshakeInfo {
            id: format!("{client_port:08x}"),
            start: format!("2026-11-21T09:{minute:02}:{second:02}.031000000Z"),
            end: format!("2026-11-21T09:{minute:02}:{second:02}.062500000Z"),
            outcome: "completed".into(),
            stage: "established".into(),
            history: "CshxkdKfF".into(),
            timing: Timing {
                tcp_rtt_us: Some(9_800),
                client_hello_us: Some(410),
                server_hello_us: Some(12_100),
                total_us: Some(31_500),
                ..Timing::default()
            },
            loss: Loss::default(),
            ..HandshakeInfo::default()
        },
        quic: None,
        dtls: None,
        tls: Some(Tls {
            version: Some("1.3".into()),
            cipher: Some("TLS_AES_256_GCM_SHA384".into()),
            curve: Some("x25519".into()),
            next_protocol: Some("h2".into()),
            client: Some(TlsClient {
                server_name: Some("www.example.test".into()),
                offer: Arc::new(ClientOffer {
                    supported_versions: vec!["1.3".into(), "1.2".into()],
                    supported_ciphers: vec!["TLS_AES_256_GCM_SHA384".into(), "TLS_AES_128_GCM_SHA256".into()],
                    alpn: vec!["h2".into(), "http/1.1".into()],
                    ja4: "t13d1516h2_8daaf6152771_e5627efa2ab1".into(),
                    ..ClientOffer::default()
                }),
                ..TlsClient::default()
            }),
            server: Some(TlsServer::default()),
            alerts: vec![],
        }),
        diagnosis: Diagnosis { stopped_by: "nobody".into(), summary: "Completed.".into(), ..Diagnosis::default() },
        timeline: vec![],
    }
}

/// A handshake that completed.
pub(crate) fn completed() -> HandshakeReport {
    base(1, 3, 40_200)
}

/// The server's certificate has expired; the `n`th client to find out.
pub(crate) fn expired(n: u16) -> HandshakeReport {
    let mut report = base(0, 12 + u32::from(n % 40), 40_112 + n);
    let time = |ms: u32| Some(report.handshake.start.replace(".031000000", &format!(".{ms:03}000000")));
    report.diagnosis = Diagnosis {
        cause: Some("certificate-expired".into()),
        stopped_by: "client".into(),
        confidence: Some("certain".into()),
        summary: "The certificate of www.example.test expired on 2026-11-20 23:59:59 UTC, 9 hours before this handshake, and the client refused it.".into(),
        remedy: vec![
            Advice::Text("Renew the certificate on 10.0.0.2 and reload the server; check afterwards that it serves the new one.".into()),
            Advice::Command(
                "openssl s_client -connect 10.0.0.2:443 -servername www.example.test </dev/null 2>/dev/null | openssl x509 -noout -subject -dates".into(),
            ),
            Advice::Command("certbot renew --cert-name www.example.test".into()),
        ],
        evidence: vec![
            EvidenceReport { frame: Some(9), time: time(43), text: "server sent Certificate: CN=www.example.test, not after 2026-11-20 23:59:59".into() },
            EvidenceReport { frame: Some(11), time: time(44), text: "client sent alert certificate_expired (45)".into() },
            EvidenceReport { frame: None, time: None, text: "no other client of this capture gets past this certificate since midnight".into() },
        ],
        against: vec![],
        alternatives: vec!["certificate-not-yet-valid".into()],
        findings: vec![],
    };
    report.handshake.outcome = "alerted".into();
    report.handshake.stage = "server_certificate".into();
    if let Some(tls) = &mut report.tls {
        tls.alerts = vec![AlertReport {
            from: "client".into(),
            level: Some("fatal".into()),
            code: Some(45),
            name: Some("certificate_expired".into()),
            frame: 11,
            encrypted: false,
        }];
    }
    report
}

/// A path MTU black hole: the server's flight never arrives.
pub(crate) fn stalled() -> HandshakeReport {
    let mut report = base(2, 40, 51_044);
    report.client.address = "2001:db8:0:42::1017".into();
    report.server = Peer { address: "2001:db8:ffff::443".into(), port: 8443 };
    report.capture = CaptureInfo { source: "night.pcapng".into(), first_frame: 310, last_frame: 362, quality: vec!["snaplen".into()] };
    report.handshake.outcome = "stalled".into();
    report.handshake.stage = "server_hello".into();
    report.handshake.loss = Loss { client_retransmits: 0, server_retransmits: 6, gap_bytes: 0 };
    if let Some(client) = report.tls.as_mut().and_then(|tls| tls.client.as_mut()) {
        client.server_name = Some("api.internal.example.test".into());
    }
    report.diagnosis = Diagnosis {
        cause: Some("path-mtu-black-hole".into()),
        stopped_by: "network".into(),
        confidence: Some("strong".into()),
        summary:
            "Full-size segments from the server (1,440 bytes) were sent six times and never acknowledged, while smaller ones arrived: \
                  something on the path drops large packets and no ICMP Packet Too Big comes back."
                .into(),
        remedy: vec![
            Advice::Text("Allow ICMPv6 type 2 (Packet Too Big) on every firewall between the two, or clamp the MSS at the tunnel.".into()),
            Advice::Command("ping -6 -M do -s 1452 2001:db8:ffff::443".into()),
            Advice::Command("ip6tables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu".into()),
        ],
        evidence: vec![
            EvidenceReport {
                frame: Some(318),
                time: Some("2026-11-21T09:02:40.055000000Z".into()),
                text: "server sent 1,440 bytes at offset 0 (ServerHello, Certificate)".into(),
            },
            EvidenceReport {
                frame: Some(322),
                time: Some("2026-11-21T09:02:40.060000000Z".into()),
                text: "client acknowledged 0, SACK 2880-3112".into(),
            },
            EvidenceReport {
                frame: Some(351),
                time: Some("2026-11-21T09:02:52.720000000Z".into()),
                text: "sixth retransmission of the first segment".into(),
            },
        ],
        against: vec![EvidenceReport {
            frame: None,
            time: None,
            text: "in another connection between the two, 1440 bytes of the server in one packet arrived".into(),
        }],
        alternatives: vec!["packet-loss".into(), "server-flight-dropped".into()],
        findings: vec![FindingReport {
            id: "certificate-expires-soon".into(),
            severity: "warning".into(),
            confidence: "certain".into(),
            text: "the certificate of api.internal.example.test expires in 3 days".into(),
            frames: vec![318],
        }],
    };
    report
}

/// Nothing listens; there is no TLS at all.
pub(crate) fn refused() -> HandshakeReport {
    let mut report = base(3, 1, 51_200);
    report.server = Peer { address: "10.0.0.9".into(), port: 636 };
    report.capture = CaptureInfo { source: "night.pcapng".into(), first_frame: 400, last_frame: 401, quality: vec![] };
    report.handshake.outcome = "refused".into();
    report.handshake.stage = "connect".into();
    report.handshake.history = String::new();
    report.handshake.timing = Timing::default();
    report.tls = None;
    report.diagnosis = Diagnosis {
        cause: Some("tcp-refused".into()),
        stopped_by: "server".into(),
        confidence: Some("certain".into()),
        summary: "10.0.0.9 answered the SYN to port 636 with a RST: nothing listens there.".into(),
        remedy: vec![
            Advice::Text("Start the service, or bind it to this address.".into()),
            Advice::Command("ss -ltnp 'sport = :636'".into()),
        ],
        evidence: vec![EvidenceReport {
            frame: Some(401),
            time: Some("2026-11-21T09:03:01.031400000Z".into()),
            text: "RST, ACK to the SYN, TTL 64".into(),
        }],
        against: vec![],
        alternatives: vec![],
        findings: vec![],
    };
    report
}

/// The capture ends first.
pub(crate) fn undecided(n: u16) -> HandshakeReport {
    let mut report = base(4, 20, 60_000 + n);
    report.server.address = format!("10.0.1.{}", n % 250);
    report.handshake.outcome = "incomplete".into();
    report.diagnosis = Diagnosis {
        cause: Some("capture-ended".into()),
        stopped_by: "capture".into(),
        confidence: Some("certain".into()),
        summary: "The capture ends 12 ms after the ClientHello.".into(),
        ..Diagnosis::default()
    };
    report
}

/// An expired certificate at a server of this name.
pub(crate) fn named(name: &str) -> HandshakeReport {
    let mut report = expired(0);
    if let Some(client) = report.tls.as_mut().and_then(|tls| tls.client.as_mut()) {
        client.server_name = Some(name.into());
    }
    report.diagnosis.summary = format!("The certificate of {name} expired.");
    report.diagnosis.remedy = vec![Advice::Text(format!("Renew the certificate of {name}."))];
    report.diagnosis.evidence = vec![EvidenceReport { frame: Some(9), time: None, text: format!("certificate for {name}") }];
    report
}

/// The incident behind [`expired`].
pub(crate) fn incident() -> IncidentReport {
    IncidentReport {
        schema: SCHEMA.into(),
        kind: "incident".into(),
        id: "5f2c".into(),
        state: None,
        cause: "certificate-expired".into(),
        scope: "server".into(),
        servers: vec!["10.0.0.2:443".into()],
        server_name: Some("www.example.test".into()),
        first_seen: "2026-11-21T09:00:12.031000000Z".into(),
        last_seen: "2026-11-21T09:03:41.000000000Z".into(),
        failed: 12,
        completed: 0,
        attempts: 13,
        clients: vec!["10.0.0.1".into(), "10.0.0.7".into()],
        clients_total: 2,
        changes: vec!["the certificate's end of validity passed at 2026-11-20 23:59:59".into()],
        confidence: "certain".into(),
        summary: "Since 09:00:12, 12 of 13 handshakes with www.example.test failed: its certificate expired on 2026-11-20 23:59:59 UTC."
            .into(),
        remedy: expired(0).diagnosis.remedy,
        handshakes: vec!["00009cb0".into()],
    }
}

/// The end of the run.
pub(crate) fn summary() -> SummaryReport {
    SummaryReport {
        schema: SCHEMA.into(),
        kind: "summary".into(),
        version: "0.1.0".into(),
        inputs: vec![InputReport {
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
        skipped: [("not-ip".to_owned(), 40)].into(),
        first_time: Some("2026-11-21T09:00:11.900000000Z".into()),
        last_time: Some("2026-11-21T09:04:20.871000000Z".into()),
        flows: 24,
        left_out: None,
        unread: None,
        unjudged: None,
        handshakes: 18,
        outcomes: [
            ("alerted".to_owned(), 12),
            ("completed".to_owned(), 2),
            ("stalled".to_owned(), 1),
            ("refused".to_owned(), 1),
            ("incomplete".to_owned(), 2),
        ]
        .into(),
        causes: [
            ("certificate-expired".to_owned(), 12),
            ("path-mtu-black-hole".to_owned(), 1),
            ("tcp-refused".to_owned(), 1),
            ("capture-ended".to_owned(), 2),
        ]
        .into(),
        incidents: 1,
        drops: 17,
        evictions: 0,
        other_flows: [("http".to_owned(), 5), ("ssh".to_owned(), 1)].into(),
        notes: vec!["2 packets longer than the snapshot length of 256 bytes were cut".into()],
    }
}

/// A whole run in order: twelve expired, two completed, a stall, a refusal, two undecided, the incident, the summary.
pub(crate) fn run() -> Vec<Report> {
    let mut handshakes: Vec<HandshakeReport> = (0..12).map(expired).collect();
    let mut slow = completed();
    slow.diagnosis.cause = Some("server-slow".into());
    slow.diagnosis.confidence = Some("likely".into());
    slow.diagnosis.stopped_by = "nobody".into();
    slow.diagnosis.summary = "The server took 3.10 s for its ServerHello; the network's share was 9.8 ms.".into();
    slow.client.port = 40_300;
    handshakes.extend([completed(), slow, stalled(), refused(), undecided(1), undecided(2)]);
    let mut reports: Vec<Report> = handshakes.into_iter().map(|report| Report::Handshake(Box::new(report))).collect();
    reports.push(Report::Incident(Box::new(incident())));
    reports.push(Report::Summary(Box::new(summary())));
    reports
}
