//! The fields of a report in their order, written to whatever takes them.
//!
//! This is the one list of the schema's fields: JSON lines, columns and the variables of a condition are all made by it.

use data_encoding::HEXLOWER;

use crate::carriers::eap::Method;
use crate::diagnosis::finding::{Evidence, Finding};
use crate::flow::{Endpoint, Shown, Side, station_of};
use crate::handshake::facts::{ClosedBy, EapResult};
use crate::handshake::stack::Speaker;
use crate::quic::close;
use crate::time::Timestamp;

use super::dns::Dns;
use super::handshake::{
    AlertSeen, Course, Diagnosis, Dtls, Eap, Ech, Handshake, Loss, Network, OpenVpn, Quic, Severity, Timing, Tls, TlsClient, TlsServer,
};
use super::incident::{Incident, State};
use super::owner::CommonOwner;
use super::place::{Files, Place};
use super::rendered::Rendered;
use super::shared::{Certificate, Offer, ServerAnswer};
use super::step::Step;
use super::summary::{Input, Summary, VERSION};
use super::traffic::Carried;
use super::writer::{Writer, key};
use super::{Advice, Cause, Class, Confidence, Dialect, OcspStatus, Outcome, Program, SCHEMA, Unverified, ecs, hexadecimal, word};

impl Handshake<'_> {
    /// Writes `kind: handshake`.
    pub fn write(&self, w: &mut impl Writer) {
        w.shared(&HEAD, |w| {
            w.word(key!("schema"), SCHEMA);
            w.word(key!("kind"), "handshake");
        });
        self.write_event(w);
        w.object(key!("network"), |w| network(w, &self.network));
        let owner = |w: &mut _, side| {
            if let Some(owner) = self.owners.of(side) {
                owner.write(w);
            }
        };
        w.object(key!("client"), |w| {
            endpoint(w, self.client);
            owner(w, Side::Client);
        });
        w.object(key!("server"), |w| {
            server_endpoint(w, self.server, self.server_ttl);
            owner(w, Side::Server);
        });
        w.object(key!("capture"), |w| {
            w.text(key!("source"), &self.capture.source);
            w.text_if_any(key!("interface"), self.capture.interface.as_deref());
            let (first, last) = (self.capture.place(self.capture.first_frame), self.capture.place(self.capture.last_frame));
            w.number(key!("first_frame"), first.frame);
            w.number(key!("last_frame"), last.frame);
            if last.file != first.file {
                w.text_if_any(key!("last_source"), last.file.as_deref());
            }
            w.number_if_any(key!("first_merged_frame"), first.merged);
            w.number_if_any(key!("last_merged_frame"), last.merged);
            if self.capture.quality.words().next().is_some() {
                w.texts(key!("quality"), self.capture.quality.words());
            }
        });
        w.object(key!("handshake"), |w| course(w, &self.handshake, self.class()));
        if let Some(tls) = &self.tls {
            w.object(key!("tls"), |w| self::tls(w, tls, self));
        }
        if let Some(quic) = &self.quic {
            w.object(key!("quic"), |w| self::quic(w, quic, self.capture.files.as_ref()));
        }
        if let Some(dtls) = self.dtls {
            w.object(key!("dtls"), |w| self::dtls(w, dtls));
        }
        if let Some(eap) = &self.eap {
            w.object(key!("eap"), |w| self::eap(w, eap));
        }
        if let Some(openvpn) = self.openvpn {
            w.object(key!("openvpn"), |w| self::openvpn(w, openvpn));
        }
        if let Some(dns) = &self.dns {
            w.object(key!("dns"), |w| self::dns(w, dns));
        }
        w.object(key!("diagnosis"), |w| self.write_diagnosis(w));
        if !self.timeline.is_empty() {
            w.objects(key!("timeline"), &self.timeline, |w, entry| step(w, entry, self.capture.files.as_ref()));
        }
    }

    /// Writes the fields of `diagnosis`.
    pub fn write_diagnosis(&self, w: &mut impl Writer) {
        let Diagnosis {
            cause,
            stopped_by,
            confidence,
            headline: _,
            undecided: _,
            summary: _,
            remedy,
            evidence,
            against,
            alternatives,
            findings,
        } = &self.diagnosis;
        w.word_if_any(key!("cause"), cause.map(Cause::slug));
        w.word(key!("stopped_by"), stopped_by.name());
        w.word_if_any(key!("confidence"), confidence.map(Confidence::name));
        w.word(key!("severity"), Severity::of_class(self.class()).name());
        if w.wants(key!("summary")) {
            w.text(key!("summary"), &self.summary());
        }
        let files = self.capture.files.as_ref();
        let nothing = remedy.is_empty() && evidence.is_empty() && against.is_empty() && alternatives.is_empty();
        w.shared_if(nothing, &NOTHING_TO_SAY, |w| {
            if w.wants(key!("remedy")) {
                w.texts(key!("remedy"), remedy.iter().map(|advice| advice.line()));
            }
            if w.wants(key!("remedies")) {
                w.objects(key!("remedies"), steps(remedy), step_of_remedy);
            }
            w.objects(key!("evidence"), evidence.iter(), |w, evidence| piece(w, evidence, files));
            w.objects(key!("against"), against.iter(), |w, evidence| piece(w, evidence, files));
            w.texts(key!("alternatives"), alternatives.iter().map(|cause| cause.slug()));
        });
        w.objects(key!("findings"), findings.iter(), |w, finding| {
            self::finding(w, finding, Severity::of(finding, self.handshake.outcome), files);
        });
    }
}

/// A step of a remedy: what to do, and the command for it; one of them may be missing.
type RemedyStep<'a> = (Option<&'a Advice>, Option<&'a Advice>);

/// A sentence and the command behind it are one step; a further command is one of its own.
fn steps(remedy: &[Advice]) -> Vec<RemedyStep<'_>> {
    let mut steps: Vec<RemedyStep<'_>> = Vec::new();
    for advice in remedy {
        match (advice, steps.last_mut()) {
            (Advice::Text(_), _) => steps.push((Some(advice), None)),
            (Advice::Command(_), Some((_, command @ None))) => *command = Some(advice),
            (Advice::Command(_), _) => steps.push((None, Some(advice))),
        }
    }
    steps
}

fn step_of_remedy<W: Writer>(w: &mut W, (text, command): RemedyStep<'_>) {
    w.text_if_any(key!("text"), text.map(Advice::line).as_deref());
    w.text_if_any(key!("command"), command.map(Advice::line).as_deref());
}

fn network(w: &mut impl Writer, network: &Network) {
    w.word(key!("transport"), network.transport.name());
    w.word(key!("protocol"), network.protocol.name());
    w.ascii(key!("community_id"), network.community_id.as_bytes());
    if !network.path.is_empty() {
        w.texts(key!("path"), network.path.layers().map(|layer| layer.to_string()));
    }
}

/// Writes the fields of a server.
pub(super) fn server_endpoint(w: &mut impl Writer, server: Endpoint, ttl: Option<u8>) {
    endpoint(w, server);
    w.number_if_any(key!("ttl"), ttl.map(u64::from));
}

fn endpoint(w: &mut impl Writer, endpoint: Endpoint) {
    let text = endpoint.text();
    w.ascii(key!("address"), text.address());
    if station_of(endpoint.address).is_none() {
        w.ascii(key!("ip"), text.address());
    }
    w.number(key!("port"), endpoint.port.into());
}

fn course(w: &mut impl Writer, course: &Course<'_>, class: Class) {
    w.ascii(key!("id"), course.id.as_bytes());
    w.time(key!("start"), course.start);
    w.time(key!("end"), course.end);
    w.word(key!("outcome"), course.outcome.name());
    w.word(key!("class"), class.name());
    w.word(key!("stage"), course.stage.name());
    w.word(key!("history"), &course.history);
    w.word_if_any(key!("preamble"), course.preamble.map(Dialect::name));
    let Course { resumed, hello_retry, early_data, decrypted, provisional, .. } = *course;
    w.shared_if(!(resumed || hello_retry || early_data || decrypted || provisional), &NONE_OF_THESE, |w| {
        w.flag(key!("resumed"), resumed);
        w.flag(key!("hello_retry"), hello_retry);
        w.flag(key!("early_data"), early_data);
        w.flag(key!("decrypted"), decrypted);
        w.flag(key!("provisional"), provisional);
    });
    w.object(key!("timing"), |w| course.timing.write(w));
    w.shared_if(course.loss == Loss::default(), &NO_LOSS, |w| w.object(key!("loss"), |w| course.loss.write(w)));
}

impl Timing {
    /// Writes the fields of `timing`.
    pub fn write(&self, w: &mut impl Writer) {
        let Self { tcp_rtt_us, client_hello_us, server_hello_us, server_think_us, finished_us, total_us } = *self;
        w.number_if_any(key!("tcp_rtt_us"), tcp_rtt_us);
        w.number_if_any(key!("client_hello_us"), client_hello_us);
        w.number_if_any(key!("server_hello_us"), server_hello_us);
        w.number_if_any(key!("server_think_us"), server_think_us);
        w.number_if_any(key!("finished_us"), finished_us);
        w.number_if_any(key!("total_us"), total_us);
    }
}

impl Loss {
    /// Writes the fields of `loss`.
    pub fn write(&self, w: &mut impl Writer) {
        let Self { client_retransmits, server_retransmits, gap_bytes } = *self;
        w.number(key!("client_retransmits"), client_retransmits.into());
        w.number(key!("server_retransmits"), server_retransmits.into());
        w.number(key!("gap_bytes"), gap_bytes);
    }
}

fn tls(w: &mut impl Writer, tls: &Tls<'_>, handshake: &Handshake<'_>) {
    let Tls { version, cipher, curve, next_protocol, client, ech, server, alerts } = tls;
    if let Some(version) = *version {
        w.word(key!("version"), &word(version.name(), version));
    }
    if let Some(cipher) = *cipher {
        w.word(key!("cipher"), &word(cipher.name(), cipher));
    }
    if let Some(curve) = *curve {
        w.word(key!("curve"), &word(curve.name(), curve));
    }
    w.text_if_any(key!("next_protocol"), next_protocol.as_deref());
    w.flag(key!("established"), handshake.handshake.outcome == Outcome::Completed);
    w.flag(key!("resumed"), handshake.handshake.resumed);
    if let Some(client) = client {
        w.object(key!("client"), |w| self::client(w, client));
    }
    w.word_if_any(key!("ech"), ech.map(Ech::name));
    if let Some(server) = server {
        w.object(key!("server"), |w| self::server(w, server));
    }
    if !alerts.is_empty() {
        w.objects(key!("alerts"), alerts, |w, seen| alert(w, seen, handshake.capture.files.as_ref()));
    }
}

fn client(w: &mut impl Writer, client: &TlsClient<'_>) {
    let TlsClient { random, server_name, offer, certificate_requested, stack, certificates } = client;
    let mut text = [0; 64];
    for (place, byte) in text.as_chunks_mut().0.iter_mut().zip(random.iter()) {
        *place = hexadecimal(*byte);
    }
    let text = text.get(..random.len().saturating_mul(2)).unwrap_or(&text);
    w.ascii(key!("random"), text);
    w.text_if_any(key!("server_name"), server_name.as_deref());
    offer.write(w);
    w.flag(key!("certificate_requested"), *certificate_requested);
    self::stack(w, *stack);
    if !certificates.is_empty() {
        w.objects(key!("certificates"), certificates, |w, certificate| certificate.write(w));
    }
}

impl Offer<'_> {
    /// Writes its fields.
    pub fn write(&self, w: &mut impl Writer) {
        // Those that say nothing of the order of its extensions, then the rest.
        w.shared(self.kind(), |w| {
            w.texts(key!("supported_versions"), self.supported_versions());
            w.texts(key!("supported_ciphers"), self.supported_ciphers());
            w.texts(key!("supported_groups"), self.supported_groups());
            w.texts_if_any(key!("key_shares"), self.key_shares());
            w.texts(key!("signature_algorithms"), self.signature_algorithms());
            w.texts(key!("alpn"), self.alpn());
        });
        w.shared(self.order(), |w| {
            w.texts_if_any(key!("extensions"), self.extensions());
            w.texts_if_any(key!("psk_modes"), self.psk_modes());
            w.texts_if_any(key!("certificate_compression"), self.certificate_compression());
            w.word_if_any(key!("ech"), self.ech());
            if w.wants(key!("ja3")) {
                w.word(key!("ja3"), &self.ja3());
            }
            if w.wants(key!("ja4")) {
                w.text(key!("ja4"), self.ja4());
            }
        });
    }
}

fn server(w: &mut impl Writer, server: &TlsServer) {
    let TlsServer { answer, stack, certificates, raw_key, unverified, staple } = server;
    w.shared(&answer.rendered, |w| self::answer(w, answer));
    self::stack(w, *stack);
    if !certificates.is_empty() {
        w.objects(key!("certificates"), certificates, |w, certificate| certificate.write(w));
    }
    if let Some(certificate) = certificates.first() {
        ecs::leaf(w, certificate);
    }
    if let Some(raw_key) = raw_key {
        w.text(key!("raw_public_key"), &HEXLOWER.encode(raw_key));
    }
    w.word_if_any(key!("unverified"), unverified.map(Unverified::name));
    w.word_if_any(key!("staple"), staple.map(OcspStatus::name));
}

fn answer(w: &mut impl Writer, answer: &ServerAnswer) {
    w.text_if_any(key!("ja3s"), answer.ja3s.as_deref());
    w.texts_if_any(key!("extensions"), &answer.extensions);
}

fn stack(w: &mut impl Writer, stack: Option<Speaker>) {
    let Some(speaker) = stack else { return };
    w.object(key!("stack"), |w| {
        w.word(key!("name"), speaker.stack.name());
        w.word_if_any(key!("program"), speaker.program.map(Program::name));
        w.word(key!("certainty"), speaker.certainty.name());
    });
}

impl Certificate {
    /// Writes its fields.
    pub fn write(&self, w: &mut impl Writer) {
        w.shared(&self.rendered, |w| {
            w.text(key!("subject"), &self.subject);
            w.text(key!("issuer"), &self.issuer);
            w.text(key!("serial"), &self.serial);
            w.time(key!("not_before"), self.not_before);
            w.time(key!("not_after"), self.not_after);
            w.texts(key!("san"), &self.san);
            w.text(key!("key"), &self.key);
            w.text(key!("signature"), &self.signature);
            w.word(key!("sha256"), &self.fingerprint());
        });
    }
}

fn alert<W: Writer>(w: &mut W, seen: &AlertSeen, files: Option<&Files>) {
    w.word(key!("from"), seen.from.name());
    w.word_if_any(key!("level"), seen.level());
    if let Some(alert) = seen.alert {
        w.number(key!("code"), alert.description.0.into());
        w.text(key!("name"), &alert.description.to_string());
    }
    frame(w, seen.frame, files);
    w.flag(key!("encrypted"), seen.encrypted);
}

fn quic(w: &mut impl Writer, quic: &Quic<'_>, files: Option<&Files>) {
    w.text(key!("version"), &quic.version.to_string());
    w.text(key!("first_version"), &quic.first_version.to_string());
    if !quic.server_versions.is_empty() {
        w.texts(key!("server_versions"), quic.server_versions.iter().map(ToString::to_string));
    }
    w.number(key!("retries"), quic.retries.into());
    w.number(key!("zero_rtt_packets"), quic.zero_rtt_packets.into());
    if quic.stateless_resets > 0 {
        w.number(key!("stateless_resets"), quic.stateless_resets.into());
    }
    if !quic.closes.is_empty() {
        w.objects(key!("closes"), quic.closes.iter(), |w, closed| close(w, closed, files));
    }
}

fn close<W: Writer>(w: &mut W, closed: &ClosedBy, files: Option<&Files>) {
    w.word(key!("from"), closed.from.name());
    w.number(key!("code"), closed.code);
    if closed.application {
        w.text(key!("name"), &format!("application 0x{:x}", closed.code));
    } else {
        w.text(key!("name"), &close::name(closed.code));
    }
    w.text_if_any(key!("reason"), Some(closed.reason.as_str()).filter(|reason| !reason.is_empty()));
    frame(w, closed.mark.frame, files);
}

fn dtls(w: &mut impl Writer, dtls: Dtls) {
    w.number(key!("cookie_requests"), dtls.cookie_requests.into());
    w.number(key!("fragmented_messages"), dtls.fragmented_messages.into());
    w.number(key!("largest_datagram"), dtls.largest_datagram.into());
    w.flag(key!("connection_id"), dtls.connection_id);
    if let Some(profile) = dtls.srtp_profile {
        w.word(key!("srtp_profile"), &word(profile.name(), profile));
    }
    if let Some(relay) = dtls.relay {
        w.ascii(key!("relay"), relay.text().as_bytes());
    }
}

fn eap(w: &mut impl Writer, eap: &Eap<'_>) {
    w.word_if_any(key!("method"), eap.method.map(Method::name));
    w.text_if_any(key!("identity"), eap.identity.as_deref());
    w.text_if_any(key!("station"), eap.station.as_deref());
    w.text_if_any(key!("authenticator"), eap.authenticator.as_deref());
    w.text_if_any(key!("called_station"), eap.called_station.as_deref());
    w.word_if_any(key!("result"), eap.result.map(EapResult::name));
}

fn openvpn(w: &mut impl Writer, openvpn: OpenVpn) {
    w.word(key!("wrapping"), openvpn.wrapping.name());
    if let Some(key) = openvpn.rekey {
        w.number(key!("rekey"), key.into());
    }
    w.number(key!("client_resets"), openvpn.client_resets.into());
    w.number(key!("server_resets"), openvpn.server_resets.into());
    w.flag(key!("tunnel"), openvpn.tunnel);
}

fn dns(w: &mut impl Writer, dns: &Dns) {
    if let Some(tlsa) = &dns.tlsa {
        w.text(key!("tlsa_name"), &tlsa.name);
        w.texts(key!("tlsa"), tlsa.records.iter().map(String::as_str));
        w.word(key!("tlsa_security"), tlsa.security.name());
        w.flag(key!("tlsa_asked_by_client"), tlsa.by_client);
        if let Some(matched) = tlsa.matched {
            w.flag(key!("tlsa_matched"), matched);
        }
        w.number(key!("tlsa_frame"), tlsa.frame);
    }
    w.text_if_any(key!("ech_name"), dns.ech.as_deref());
    if let Some((domain, fetched)) = &dns.mail_policy {
        w.text(key!("mta_sts"), domain);
        w.flag(key!("mta_sts_fetched"), *fetched);
    }
}

/// A frame: its number in its file; of several files, which, and its number over all.
fn frame(w: &mut impl Writer, frame: u64, files: Option<&Files>) {
    let place = Place::of(files, frame);
    w.number(key!("frame"), place.frame);
    w.text_if_any(key!("source"), place.file.as_deref());
    w.number_if_any(key!("merged_frame"), place.merged);
}

fn piece<W: Writer>(w: &mut W, piece: &Evidence, files: Option<&Files>) {
    if let Some(mark) = piece.mark {
        frame(w, mark.frame, files);
        w.time(key!("time"), mark.time);
    }
    w.text(key!("text"), &piece.text);
}

fn finding(w: &mut impl Writer, finding: &Finding, severity: Severity, files: Option<&Files>) {
    w.word(key!("id"), finding.cause.slug());
    w.word(key!("severity"), severity.name());
    w.word(key!("confidence"), finding.confidence.name());
    w.text(key!("text"), &finding.summary);
    let frames = || finding.evidence.iter().filter_map(|piece| piece.mark.map(|mark| mark.frame));
    w.numbers(key!("frames"), frames().map(|frame| Place::of(files, frame).frame));
    if files.is_some() {
        w.texts(key!("sources"), frames().map(|frame| Place::of(files, frame).file.unwrap_or_default()));
        w.numbers(key!("merged_frames"), frames());
    }
}

fn step<W: Writer>(w: &mut W, step: &Step, files: Option<&Files>) {
    if let Some(number) = step.frame {
        frame(w, number, files);
    }
    w.time(key!("time"), step.time);
    w.word(key!("from"), step.sender());
    w.word(key!("kind"), step.kind.name());
    w.number_if_any(key!("size"), step.size);
    w.text(key!("text"), &step.text);
    if step.ended {
        w.flag(key!("ended"), true);
    }
}

impl Incident {
    /// Writes `kind: incident`.
    pub fn write(&self, w: &mut impl Writer) {
        w.word(key!("schema"), SCHEMA);
        w.word(key!("kind"), "incident");
        self.write_event(w);
        w.text(key!("id"), &self.id);
        w.word_if_any(key!("state"), self.state.map(State::name));
        w.word(key!("cause"), self.cause.slug());
        w.word(key!("scope"), self.scope.name());
        w.texts(key!("servers"), self.servers.iter().map(ToString::to_string));
        w.text_if_any(key!("server_name"), self.server_name.as_deref());
        w.time(key!("first_seen"), self.first_seen);
        w.time(key!("last_seen"), self.last_seen);
        w.number(key!("failed"), self.failed);
        if self.completed > 0 {
            w.number(key!("completed"), self.completed);
        }
        w.number(key!("attempts"), self.attempts);
        w.texts(key!("clients"), self.clients.iter().map(|client| Shown(*client).to_string()));
        w.number(key!("clients_total"), self.clients_total);
        w.texts_if_any(key!("sensors"), &self.sensors);
        if !self.owners.is_empty() {
            w.objects(key!("owners"), &self.owners, CommonOwner::write);
        }
        w.texts_if_any(key!("changes"), &self.changes);
        w.word(key!("confidence"), self.confidence.name());
        w.word(key!("severity"), self.severity().name());
        w.text(key!("summary"), &self.summary);
        w.texts(key!("remedy"), self.remedy.iter().map(|advice| advice.line()));
        w.objects(key!("remedies"), steps(&self.remedy), step_of_remedy);
        w.texts(key!("handshakes"), self.handshakes.iter().map(super::Id::as_str));
    }
}

impl Summary {
    /// Writes `kind: summary`.
    pub fn write(&self, w: &mut impl Writer) {
        w.word(key!("schema"), SCHEMA);
        w.word(key!("kind"), "summary");
        self.write_event(w);
        w.word(key!("version"), VERSION);
        w.text(key!("answer"), &self.answer(&Timestamp::to_second));
        w.objects(key!("inputs"), &self.inputs, input);
        w.number(key!("frames"), self.frames);
        w.number(key!("bytes"), self.bytes);
        w.number(key!("decoded"), self.decoded);
        w.counts(key!("skipped"), &self.skipped);
        if let Some((first, last)) = self.times {
            w.time(key!("first_time"), first);
            w.time(key!("last_time"), last);
        }
        w.number(key!("flows"), self.flows);
        w.number(key!("handshakes"), self.handshakes);
        w.number_if_any(key!("left_out"), self.left_out);
        w.object(key!("classes"), |w| self.classes.iter().for_each(|(class, number)| w.number(ecs::class_key(class), number)));
        w.counts(key!("outcomes"), &self.outcomes);
        w.counts(key!("causes"), &self.causes);
        w.number(key!("incidents"), self.incidents);
        w.number(key!("drops"), self.drops);
        w.number_if_any(key!("unread"), self.unread);
        w.number_if_any(key!("unjudged"), self.unjudged);
        w.number(key!("evictions"), self.evictions);
        w.counts(key!("other_flows"), &self.other_flows);
        w.objects(key!("traffic"), &self.traffic, carried);
        w.texts(key!("notes"), &self.notes);
    }
}

fn carried<W: Writer>(w: &mut W, carried: &Carried) {
    w.word(key!("protocol"), carried.protocol());
    w.word_if_any(key!("transport"), carried.kind.map(|kind| kind.bearer.name()));
    w.number_if_any(key!("port"), carried.kind.and_then(|kind| kind.port).map(u64::from));
    w.number(key!("packets"), carried.volume.packets);
    w.number(key!("bytes"), carried.volume.bytes);
    w.number_if_any(key!("connections"), Some(carried.volume.connections).filter(|connections| *connections > 0));
    if carried.capture_instead().is_some() {
        w.flag(key!("opaque"), true);
    }
}

fn input<W: Writer>(w: &mut W, input: &Input) {
    w.text(key!("source"), &input.source);
    w.text(key!("format"), &input.format);
    w.number(key!("frames"), input.frames);
    w.number(key!("bytes"), input.bytes);
    w.text_if_any(key!("damage"), input.damage.as_deref());
    w.text_if_any(key!("sha256"), input.sha256.as_deref());
}

/// What most lines have in common, as it was written.
static HEAD: Rendered = Rendered::new();
static NONE_OF_THESE: Rendered = Rendered::new();
static NO_LOSS: Rendered = Rendered::new();
static NOTHING_TO_SAY: Rendered = Rendered::new();
