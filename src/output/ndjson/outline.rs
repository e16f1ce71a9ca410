//! A handshake's object straight from what its report would be made of: where every handshake is written, no strings are made that are only
//! written again. A test holds it to what serde makes of the report.

use crate::report::{ClientOutline, DiagnosisOutline, Outline, SCHEMA, ServerOutline, Speaker, TlsOutline, hexadecimal, severity};
use crate::time::TimeText;

use super::fields::{
    alert, answer, certificate, drop_comma, flag, list, loss, number, number_if_some, objects, offer_extensions, offer_lists, raw, text,
    timing,
};
use super::{push_string, push_value};

/// Appends the report as one object.
pub(super) fn push(out: &mut Vec<u8>, outline: &Outline<'_>, times: &mut TimeText) {
    out.reserve(USUAL_LEN);
    word(out, "{\"schema\":\"", SCHEMA);
    word(out, ",\"kind\":\"handshake\",\"network\":{\"transport\":\"", outline.transport);
    word(out, ",\"protocol\":\"", outline.protocol);
    word(out, ",\"community_id\":\"", outline.community_id.as_bytes());
    if outline.path.layers().next().is_some() {
        let layers: Vec<String> = outline.path.layers().map(|layer| layer.to_string()).collect();
        list(out, ",\"path\":", &layers);
    }
    word(out, "},\"client\":{\"address\":\"", outline.client.address());
    number(out, ",\"port\":", outline.client.port());
    word(out, "},\"server\":{\"address\":\"", outline.server.address());
    number(out, ",\"port\":", outline.server.port());
    text(out, "},\"capture\":{\"source\":", outline.source);
    number(out, ",\"first_frame\":", outline.first_frame);
    number(out, ",\"last_frame\":", outline.last_frame);
    if outline.quality.words().next().is_some() {
        let words: Vec<&str> = outline.quality.words().collect();
        list(out, ",\"quality\":", &words);
    }
    raw(out, "},\"handshake\":");
    info(out, outline, times);
    if let Some(tls) = &outline.tls {
        raw(out, ",\"tls\":");
        self::tls(out, tls);
    }
    // What few handshakes have is left to serde.
    if let Some(quic) = &outline.quic {
        raw(out, ",\"quic\":");
        push_value(out, quic);
    }
    if let Some(dtls) = &outline.dtls {
        raw(out, ",\"dtls\":");
        push_value(out, dtls);
    }
    raw(out, ",\"diagnosis\":");
    diagnosis(out, outline, times);
    out.push(b'}');
}

fn info(out: &mut Vec<u8>, outline: &Outline<'_>, times: &mut TimeText) {
    word(out, "{\"id\":\"", outline.id.as_bytes());
    raw(out, ",\"start\":\"");
    out.extend_from_slice(times.of(outline.start));
    raw(out, "\",\"end\":\"");
    out.extend_from_slice(times.of(outline.end));
    word(out, "\",\"outcome\":\"", outline.outcome.name());
    word(out, ",\"stage\":\"", outline.stage);
    word(out, ",\"history\":\"", outline.history);
    if let Some(preamble) = outline.preamble {
        word(out, ",\"preamble\":\"", preamble);
    }
    flag(out, ",\"resumed\":", outline.resumed);
    flag(out, ",\"hello_retry\":", outline.hello_retry);
    flag(out, ",\"early_data\":", outline.early_data);
    flag(out, ",\"decrypted\":", outline.decrypted);
    flag(out, ",\"provisional\":", outline.provisional);
    timing(out, outline.timing);
    loss(out, outline.loss);
    out.push(b'}');
}

fn tls(out: &mut Vec<u8>, tls: &TlsOutline<'_>) {
    let TlsOutline { version, cipher, curve, next_protocol, client, server, alerts } = tls;
    out.push(b'{');
    let start = out.len();
    for (key, value) in [(",\"version\":\"", version), (",\"cipher\":\"", cipher), (",\"curve\":\"", curve)] {
        if let Some(value) = value {
            word(out, key, value.as_bytes());
        }
    }
    if let Some(protocol) = next_protocol {
        text(out, ",\"next_protocol\":", protocol);
    }
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

fn client(out: &mut Vec<u8>, client: &ClientOutline<'_>) {
    let ClientOutline { random, server_name, offer: offered, certificate_requested, stack, certificates } = client;
    raw(out, "{\"random\":\"");
    let start = out.len();
    out.resize(start + 2 * random.len(), 0);
    for (place, byte) in out.get_mut(start..).unwrap_or_default().as_chunks_mut().0.iter_mut().zip(*random) {
        *place = hexadecimal(*byte);
    }
    out.push(b'"');
    if let Some(name) = server_name {
        text(out, ",\"server_name\":", name);
    }
    for part in offered.rendered(offer_lists, offer_extensions) {
        out.extend_from_slice(part);
    }
    flag(out, ",\"certificate_requested\":", *certificate_requested);
    self::stack(out, *stack);
    if !certificates.is_empty() {
        objects(out, ",\"certificates\":", certificates, |out, one| certificate(out, one));
    }
    out.push(b'}');
}

fn server(out: &mut Vec<u8>, server: &ServerOutline) {
    out.push(b'{');
    let start = out.len();
    out.extend_from_slice(server.answer.rendered.get(|part| answer(part, &server.answer)));
    stack(out, server.stack);
    if !server.certificates.is_empty() {
        objects(out, ",\"certificates\":", &server.certificates, |out, one| certificate(out, one));
    }
    if let Some(unverified) = server.unverified {
        word(out, ",\"unverified\":\"", unverified);
    }
    if let Some(staple) = server.staple {
        word(out, ",\"staple\":\"", staple);
    }
    drop_comma(out, start);
    out.push(b'}');
}

fn stack(out: &mut Vec<u8>, stack: Option<Speaker>) {
    let Some(speaker) = stack else { return };
    word(out, ",\"stack\":{\"name\":\"", speaker.stack.name());
    if let Some(program) = speaker.program {
        word(out, ",\"program\":\"", program.name());
    }
    word(out, ",\"certainty\":\"", speaker.certainty.name());
    out.push(b'}');
}

fn diagnosis(out: &mut Vec<u8>, outline: &Outline<'_>, times: &mut TimeText) {
    let DiagnosisOutline { cause, stopped_by, confidence, summary, remedy, evidence, against, alternatives, findings } = &outline.diagnosis;
    out.push(b'{');
    if let Some(cause) = cause {
        word(out, "\"cause\":\"", cause.slug());
        out.push(b',');
    }
    word(out, "\"stopped_by\":\"", stopped_by);
    if let Some(confidence) = confidence {
        word(out, ",\"confidence\":\"", confidence);
    }
    text(out, ",\"summary\":", summary);
    list(out, ",\"remedy\":", &remedy.iter().map(|advice| advice.line()).collect::<Vec<_>>());
    for (key, pieces) in [(",\"evidence\":", evidence), (",\"against\":", against)] {
        objects(out, key, pieces, |out, piece| {
            out.push(b'{');
            if let Some(mark) = piece.mark {
                number(out, "\"frame\":", mark.frame);
                raw(out, ",\"time\":\"");
                out.extend_from_slice(times.of(mark.time));
                raw(out, "\",");
            }
            text(out, "\"text\":", &piece.text);
            out.push(b'}');
        });
    }
    raw(out, ",\"alternatives\":[");
    let start = out.len();
    for cause in *alternatives {
        out.push(b',');
        push_string(out, cause.slug());
    }
    drop_comma(out, start);
    out.push(b']');
    objects(out, ",\"findings\":", findings, |out, finding| {
        word(out, "{\"id\":\"", finding.cause.slug());
        word(out, ",\"severity\":\"", severity(finding, outline.outcome));
        word(out, ",\"confidence\":\"", finding.confidence.name());
        text(out, ",\"text\":", &finding.summary);
        raw(out, ",\"frames\":[");
        let start = out.len();
        finding.evidence.iter().for_each(|piece| number_if_some(out, ",", piece.mark.map(|mark| mark.frame)));
        drop_comma(out, start);
        raw(out, "]}");
    });
    out.push(b'}');
}

/// A key with the quote that opens its value, and a value of our own making, which holds nothing to escape.
#[inline]
fn word(out: &mut Vec<u8>, key: &str, value: impl AsRef<[u8]>) {
    raw(out, key);
    raw(out, value);
    out.push(b'"');
}

/// A report is seldom longer in bytes.
const USUAL_LEN: usize = 6 << 10;
