//! A handshake's report as JSON, written field by field: there may be two hundred thousand a second, and what many of them share is written once.
//!
//! The result is what serde's derived serialisation gives; a test holds it to that.

use super::{push_string, push_value};
use crate::report::{
    AlertReport, CaptureInfo, CertificateReport, ClientOffer, Diagnosis, HandshakeInfo, HandshakeReport, Loss, Network, ServerAnswer,
    Timing, Tls, TlsClient, TlsServer,
};

/// Appends the report as one object.
pub(super) fn push(out: &mut Vec<u8>, report: &HandshakeReport) {
    let HandshakeReport { schema, kind, network, client, server, capture, handshake, tls, quic, dtls, diagnosis, timeline } = report;
    text(out, "{\"schema\":", schema);
    text(out, ",\"kind\":", kind);
    let Network { transport, protocol, community_id, path } = network;
    text(out, ",\"network\":{\"transport\":", transport);
    text(out, ",\"protocol\":", protocol);
    text(out, ",\"community_id\":", community_id);
    list_unless_empty(out, ",\"path\":", path);
    text(out, "},\"client\":{\"address\":", &client.address);
    number(out, ",\"port\":", client.port);
    text(out, "},\"server\":{\"address\":", &server.address);
    number(out, ",\"port\":", server.port);
    let CaptureInfo { source, first_frame, last_frame, quality } = capture;
    text(out, "},\"capture\":{\"source\":", source);
    number(out, ",\"first_frame\":", *first_frame);
    number(out, ",\"last_frame\":", *last_frame);
    list_unless_empty(out, ",\"quality\":", quality);
    raw(out, "},\"handshake\":");
    info(out, handshake);
    if let Some(tls) = tls {
        raw(out, ",\"tls\":");
        self::tls(out, tls);
    }
    // What few handshakes have is left to serde.
    if let Some(quic) = quic {
        raw(out, ",\"quic\":");
        push_value(out, quic);
    }
    if let Some(dtls) = dtls {
        raw(out, ",\"dtls\":");
        push_value(out, dtls);
    }
    raw(out, ",\"diagnosis\":");
    self::diagnosis(out, diagnosis);
    if !timeline.is_empty() {
        raw(out, ",\"timeline\":");
        push_value(out, timeline);
    }
    out.push(b'}');
}

fn info(out: &mut Vec<u8>, info: &HandshakeInfo) {
    // Every field by name, so that a new one cannot be forgotten; the same below.
    let HandshakeInfo {
        id,
        start,
        end,
        outcome,
        stage,
        history,
        preamble,
        resumed,
        hello_retry,
        early_data,
        decrypted,
        provisional,
        timing,
        loss,
    } = info;
    text(out, "{\"id\":", id);
    text(out, ",\"start\":", start);
    text(out, ",\"end\":", end);
    text(out, ",\"outcome\":", outcome);
    text(out, ",\"stage\":", stage);
    text(out, ",\"history\":", history);
    text_if_some(out, ",\"preamble\":", preamble.as_ref());
    flag(out, ",\"resumed\":", *resumed);
    flag(out, ",\"hello_retry\":", *hello_retry);
    flag(out, ",\"early_data\":", *early_data);
    flag(out, ",\"decrypted\":", *decrypted);
    flag(out, ",\"provisional\":", *provisional);
    self::timing(out, *timing);
    self::loss(out, *loss);
    out.push(b'}');
}

/// The field `timing`, a comma before it.
pub(super) fn timing(out: &mut Vec<u8>, timing: Timing) {
    let Timing { tcp_rtt_us, client_hello_us, server_hello_us, server_think_us, finished_us, total_us } = timing;
    raw(out, ",\"timing\":{");
    let start = out.len();
    number_if_some(out, ",\"tcp_rtt_us\":", tcp_rtt_us);
    number_if_some(out, ",\"client_hello_us\":", client_hello_us);
    number_if_some(out, ",\"server_hello_us\":", server_hello_us);
    number_if_some(out, ",\"server_think_us\":", server_think_us);
    number_if_some(out, ",\"finished_us\":", finished_us);
    number_if_some(out, ",\"total_us\":", total_us);
    drop_comma(out, start);
    out.push(b'}');
}

/// The field `loss`, a comma before it.
pub(super) fn loss(out: &mut Vec<u8>, loss: Loss) {
    let Loss { client_retransmits, server_retransmits, gap_bytes } = loss;
    number(out, ",\"loss\":{\"client_retransmits\":", client_retransmits);
    number(out, ",\"server_retransmits\":", server_retransmits);
    number(out, ",\"gap_bytes\":", gap_bytes);
    out.push(b'}');
}

fn tls(out: &mut Vec<u8>, tls: &Tls) {
    let Tls { version, cipher, curve, next_protocol, client, server, alerts } = tls;
    out.push(b'{');
    let start = out.len();
    text_if_some(out, ",\"version\":", version.as_ref());
    text_if_some(out, ",\"cipher\":", cipher.as_ref());
    text_if_some(out, ",\"curve\":", curve.as_ref());
    text_if_some(out, ",\"next_protocol\":", next_protocol.as_ref());
    if let Some(client) = client {
        raw(out, ",\"client\":");
        self::client(out, client);
    }
    if let Some(server) = server {
        raw(out, ",\"server\":");
        self::server(out, server);
    }
    if !alerts.is_empty() {
        objects(out, ",\"alerts\":", alerts, alert);
    }
    drop_comma(out, start);
    out.push(b'}');
}

fn client(out: &mut Vec<u8>, client: &TlsClient) {
    let TlsClient { random, server_name, offer: offered, certificate_requested, certificates } = client;
    out.push(b'{');
    let start = out.len();
    text(out, ",\"random\":", random);
    text_if_some(out, ",\"server_name\":", server_name.as_ref());
    out.extend_from_slice(offered.rendered.get(|part| offer(part, offered)));
    drop_comma(out, start);
    flag(out, ",\"certificate_requested\":", *certificate_requested);
    if !certificates.is_empty() {
        objects(out, ",\"certificates\":", certificates, |out, one| certificate(out, one));
    }
    out.push(b'}');
}

/// The offer's fields, each with a comma before it.
pub(super) fn offer(out: &mut Vec<u8>, offer: &ClientOffer) {
    list(out, ",\"supported_versions\":", &offer.supported_versions);
    list(out, ",\"supported_ciphers\":", &offer.supported_ciphers);
    list(out, ",\"supported_groups\":", &offer.supported_groups);
    list_unless_empty(out, ",\"key_shares\":", &offer.key_shares);
    list(out, ",\"signature_algorithms\":", &offer.signature_algorithms);
    list(out, ",\"alpn\":", &offer.alpn);
    list_unless_empty(out, ",\"extensions\":", &offer.extensions);
    list_unless_empty(out, ",\"psk_modes\":", &offer.psk_modes);
    list_unless_empty(out, ",\"certificate_compression\":", &offer.certificate_compression);
    text_if_some(out, ",\"ech\":", offer.ech.as_ref());
    text(out, ",\"ja3\":", &offer.ja3);
    text(out, ",\"ja4\":", &offer.ja4);
}

fn server(out: &mut Vec<u8>, server: &TlsServer) {
    out.push(b'{');
    let start = out.len();
    out.extend_from_slice(server.answer.rendered.get(|part| answer(part, &server.answer)));
    if !server.certificates.is_empty() {
        objects(out, ",\"certificates\":", &server.certificates, |out, one| certificate(out, one));
    }
    text_if_some(out, ",\"staple\":", server.staple.as_ref());
    drop_comma(out, start);
    out.push(b'}');
}

/// The answer's fields, each with a comma before it.
pub(super) fn answer(out: &mut Vec<u8>, answer: &ServerAnswer) {
    text_if_some(out, ",\"ja3s\":", answer.ja3s.as_ref());
    list_unless_empty(out, ",\"extensions\":", &answer.extensions);
}

pub(super) fn certificate(out: &mut Vec<u8>, certificate: &CertificateReport) {
    out.extend_from_slice(certificate.rendered.get(|out| {
        text(out, "{\"subject\":", &certificate.subject);
        text(out, ",\"issuer\":", &certificate.issuer);
        text(out, ",\"serial\":", &certificate.serial);
        text(out, ",\"not_before\":", &certificate.not_before);
        text(out, ",\"not_after\":", &certificate.not_after);
        list(out, ",\"san\":", &certificate.san);
        text(out, ",\"key\":", &certificate.key);
        text(out, ",\"signature\":", &certificate.signature);
        text(out, ",\"sha256\":", &certificate.sha256);
        out.push(b'}');
    }));
}

pub(super) fn alert(out: &mut Vec<u8>, alert: &AlertReport) {
    text(out, "{\"from\":", &alert.from);
    text_if_some(out, ",\"level\":", alert.level.as_ref());
    number_if_some(out, ",\"code\":", alert.code);
    text_if_some(out, ",\"name\":", alert.name.as_ref());
    number(out, ",\"frame\":", alert.frame);
    flag(out, ",\"encrypted\":", alert.encrypted);
    out.push(b'}');
}

fn diagnosis(out: &mut Vec<u8>, diagnosis: &Diagnosis) {
    out.push(b'{');
    let start = out.len();
    text_if_some(out, ",\"cause\":", diagnosis.cause.as_ref());
    text(out, ",\"stopped_by\":", &diagnosis.stopped_by);
    drop_comma(out, start);
    text_if_some(out, ",\"confidence\":", diagnosis.confidence.as_ref());
    text(out, ",\"summary\":", &diagnosis.summary);
    list(out, ",\"remedy\":", &diagnosis.remedy);
    objects(out, ",\"evidence\":", &diagnosis.evidence, |out, piece| {
        out.push(b'{');
        let start = out.len();
        number_if_some(out, ",\"frame\":", piece.frame);
        text_if_some(out, ",\"time\":", piece.time.as_ref());
        text(out, ",\"text\":", &piece.text);
        drop_comma(out, start);
        out.push(b'}');
    });
    list(out, ",\"alternatives\":", &diagnosis.alternatives);
    objects(out, ",\"findings\":", &diagnosis.findings, |out, finding| {
        text(out, "{\"id\":", &finding.id);
        text(out, ",\"severity\":", &finding.severity);
        text(out, ",\"confidence\":", &finding.confidence);
        text(out, ",\"text\":", &finding.text);
        raw(out, ",\"frames\":[");
        let start = out.len();
        for frame in &finding.frames {
            number(out, ",", *frame);
        }
        drop_comma(out, start);
        raw(out, "]}");
    });
    out.push(b'}');
}

pub(super) fn raw(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// A key with what stands before it, and its value.
pub(super) fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    raw(out, key);
    push_string(out, value);
}

fn text_if_some(out: &mut Vec<u8>, key: &str, value: Option<&String>) {
    if let Some(value) = value {
        text(out, key, value);
    }
}

pub(super) fn number(out: &mut Vec<u8>, key: &str, value: impl Into<u64>) {
    raw(out, key);
    let mut digits = [b'0'; 20];
    let (mut value, mut len) = (value.into(), 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        len += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
}

pub(super) fn number_if_some(out: &mut Vec<u8>, key: &str, value: Option<impl Into<u64>>) {
    if let Some(value) = value {
        number(out, key, value);
    }
}

pub(super) fn flag(out: &mut Vec<u8>, key: &str, value: bool) {
    raw(out, key);
    raw(out, if value { "true" } else { "false" });
}

pub(super) fn list<S: AsRef<str>>(out: &mut Vec<u8>, key: &str, values: &[S]) {
    raw(out, key);
    let mut before = b'[';
    for value in values {
        out.push(before);
        push_string(out, value.as_ref());
        before = b',';
    }
    raw(out, if values.is_empty() { "[]" } else { "]" });
}

fn list_unless_empty<S: AsRef<str>>(out: &mut Vec<u8>, key: &str, values: &[S]) {
    if !values.is_empty() {
        list(out, key, values);
    }
}

pub(super) fn objects<T>(out: &mut Vec<u8>, key: &str, values: &[T], mut push: impl FnMut(&mut Vec<u8>, &T)) {
    raw(out, key);
    let mut before = b'[';
    for value in values {
        out.push(before);
        push(out, value);
        before = b',';
    }
    raw(out, if values.is_empty() { "[]" } else { "]" });
}

/// The first member of an object or list, which begins at `start`, has no comma before it.
pub(super) fn drop_comma(out: &mut Vec<u8>, start: usize) {
    if out.get(start) == Some(&b',') {
        out.remove(start);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::output::samples;
    use crate::report::{DtlsInfo, FindingReport, QuicInfo, Report, TimelineEntry};

    /// Every field set, and every string hostile.
    fn full() -> HandshakeReport {
        let mut report = samples::stalled();
        let words = || vec!["a\"\\\n".into(), "\u{202e}x\u{7f}".into(), "株\u{e0041}".into()];
        report.network.path = vec!["vlan 7".to_owned(), "vxlan 9".to_owned()];
        report.handshake.preamble = Some("smtp".to_owned());
        report.quic = Some(QuicInfo { version: "1".to_owned(), server_versions: vec!["2".to_owned()], ..Default::default() });
        report.dtls = Some(DtlsInfo { cookie_requests: 1, ..Default::default() });
        report.timeline = vec![TimelineEntry { time: "t".to_owned(), text: "\u{202e}".to_owned(), ended: true, ..Default::default() }];
        report.handshake.provisional = true;
        report.handshake.timing.server_think_us = Some(0);
        report.handshake.timing.finished_us = Some(u64::MAX);
        let certificate =
            Arc::new(CertificateReport { subject: "CN=\"x\"".to_owned(), san: vec!["a".to_owned(), "b".to_owned()], ..Default::default() });
        let tls = report.tls.as_mut().unwrap();
        tls.alerts = vec![
            AlertReport { from: "client".to_owned(), frame: 7, encrypted: true, ..Default::default() },
            AlertReport { level: Some("fatal".to_owned()), code: Some(0), name: Some("close_notify".to_owned()), ..Default::default() },
        ];
        tls.client = Some(TlsClient {
            random: "00ff".to_owned(),
            server_name: Some("a\n\"\u{1b}[2J\u{9b}".to_owned()),
            offer: Arc::new(ClientOffer {
                supported_versions: words(),
                supported_ciphers: words(),
                supported_groups: words(),
                key_shares: words(),
                signature_algorithms: words(),
                alpn: words(),
                extensions: words(),
                psk_modes: words(),
                certificate_compression: words(),
                ech: Some("grease".to_owned()),
                ja3: "3".to_owned(),
                ja4: "4".to_owned(),
                ..Default::default()
            }),
            certificate_requested: true,
            certificates: vec![Arc::clone(&certificate)],
        });
        tls.server = Some(TlsServer {
            answer: Arc::new(ServerAnswer { ja3s: Some("s".to_owned()), extensions: words(), ..Default::default() }),
            certificates: vec![Arc::clone(&certificate), certificate],
            staple: Some("good".to_owned()),
        });
        report.diagnosis.findings.push(FindingReport { frames: vec![1, 22, 333], ..Default::default() });
        report
    }

    #[test]
    fn it_writes_what_serde_would() {
        let bare = HandshakeReport {
            tls: Some(Tls { client: Some(TlsClient::default()), server: Some(TlsServer::default()), ..Tls::default() }),
            ..Default::default()
        };
        let mut reports = vec![full(), bare, HandshakeReport { tls: Some(Tls::default()), ..Default::default() }];
        reports.extend(samples::run().into_iter().filter_map(|report| match report {
            Report::Handshake(report) => Some(*report),
            _ => None,
        }));
        for report in reports {
            // Twice: what is shared is kept from the first time.
            for _ in 0..2 {
                let mut out = Vec::new();
                push(&mut out, &report);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text, super::super::by_serde(&report));
                assert_eq!(serde_json::from_str::<HandshakeReport>(&text).unwrap(), report);
            }
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 9, 10, 65_535, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, "", value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
