//! Fields under the names of the Elastic Common Schema, beside the report's own: what collectors look for without being told.

use crate::site::Observer;
use crate::time::Timestamp;

use super::Cause;
use super::class::Class;
use super::handshake::{Handshake, Severity};
use super::heartbeat::Heartbeat;
use super::incident::{Incident, State};
use super::rendered::Rendered;
use super::sensor::{Sensed, SensorState};
use super::shared::Certificate;
use super::summary::{Summary, VERSION};
use super::tally::Tally;
use super::writer::{Key, Writer, key};

/// A report as an event.
struct Event<'a> {
    /// What is the same in all of this dataset, as it was written.
    rendered: &'static Rendered,
    kind: &'static str,
    dataset: &'static str,
    types: &'static [&'static str],
    outcome: &'static str,
    reason: Option<Cause>,
    severity: Severity,
    id: Option<&'a [u8]>,
    span: Option<(Timestamp, Timestamp)>,
    observer: &'a Observer,
    interface: Option<&'a str>,
}

impl Event<'_> {
    fn write(&self, w: &mut impl Writer) {
        if let Some((start, _)) = self.span {
            w.time(key!("@timestamp"), start);
        }
        w.object(key!("event"), |w| {
            w.shared(self.rendered, |w| {
                w.word(key!("kind"), self.kind);
                w.word(key!("module"), "handshark");
                w.word(key!("dataset"), self.dataset);
                w.texts(key!("category"), ["network"]);
                w.texts(key!("type"), self.types);
            });
            w.word(key!("outcome"), self.outcome);
            w.word_if_any(key!("reason"), self.reason.map(Cause::slug));
            w.number(key!("severity"), self.severity.number());
            if let Some(id) = self.id {
                w.ascii(key!("id"), id);
            }
            if let Some((start, end)) = self.span {
                w.time(key!("start"), start);
                w.time(key!("end"), end);
                w.number(key!("duration"), u64::try_from(end.nanos().saturating_sub(start.nanos())).unwrap_or_default());
            }
        });
        w.object(key!("observer"), |w| {
            w.shared(&OBSERVER, |w| {
                w.word(key!("vendor"), "handshark");
                w.word(key!("product"), "handshark");
                w.word(key!("type"), "sensor");
                w.word(key!("version"), VERSION);
            });
            let Observer { site, sensor } = self.observer;
            w.text_if_any(key!("name"), sensor.as_deref());
            w.text_if_any(key!("site"), site.name().as_deref());
            w.text_if_any(key!("sensor"), sensor.as_deref());
            w.text_if_any(key!("interface"), self.interface);
        });
    }
}

/// `event.outcome` of a class.
const fn outcome(class: Class) -> &'static str {
    match class {
        Class::Completed | Class::Troubled => "success",
        Class::Failed | Class::Rejected => "failure",
        Class::Undecided | Class::Probe => "unknown",
    }
}

impl Handshake<'_> {
    /// Writes `@timestamp`, `event` and `observer`.
    pub(super) fn write_event(&self, w: &mut impl Writer) {
        let class = self.class();
        Event {
            rendered: &HANDSHAKE,
            kind: "event",
            dataset: "handshark.handshake",
            types: &["connection", "protocol"],
            outcome: outcome(class),
            reason: self.diagnosis.cause,
            severity: Severity::of_class(class),
            id: Some(self.handshake.id.as_bytes()),
            span: Some((self.handshake.start, self.handshake.end)),
            observer: &self.observer,
            interface: self.capture.interface.as_deref(),
        }
        .write(w);
        let id = &self.handshake.id;
        if self.handshake.provisional {
            w.word(key!("event_id"), &format!("{id}-provisional"));
        } else {
            w.ascii(key!("event_id"), id.as_bytes());
        }
    }
}

impl Incident {
    /// Writes `@timestamp`, `event` and `observer`.
    pub(super) fn write_event(&self, w: &mut impl Writer) {
        Event {
            rendered: &INCIDENT,
            kind: "alert",
            dataset: "handshark.incident",
            types: &["info"],
            outcome: "failure",
            reason: Some(self.cause),
            severity: self.severity(),
            id: Some(self.id.as_bytes()),
            span: Some((self.first_seen, self.last_seen)),
            observer: &self.observer,
            interface: None,
        }
        .write(w);
        let state = self.state.map_or("", State::name);
        let parts: &[&str] = if state.is_empty() { &[&self.id] } else { &[&self.id, state] };
        w.text(key!("event_id"), &format!("{}-{}-of-{}", parts.join("-"), self.failed, self.attempts));
    }

    /// How grave it is.
    pub const fn severity(&self) -> Severity {
        if self.failed > self.completed { Severity::Error } else { Severity::Warning }
    }
}

impl Summary {
    /// Writes `@timestamp`, `event` and `observer`.
    pub(super) fn write_event(&self, w: &mut impl Writer) {
        Event {
            rendered: &SUMMARY,
            kind: "event",
            dataset: "handshark.summary",
            types: &["info"],
            outcome: "success",
            reason: None,
            severity: Severity::Info,
            id: None,
            span: self.times,
            observer: &self.observer,
            interface: None,
        }
        .write(w);
        w.word(key!("event_id"), &self.event_id());
    }
}

impl Tally {
    /// Writes `@timestamp`, `event`, `observer` and `event_id`.
    pub(super) fn write_event(&self, w: &mut impl Writer) {
        Event {
            kind: "metric",
            rendered: &TALLY,
            dataset: "handshark.tally",
            types: &["info"],
            outcome: outcome(self.class),
            reason: self.cause,
            severity: Severity::of_class(self.class),
            id: None,
            span: Some((self.minute, self.minute.after(Self::SPAN))),
            observer: &self.observer,
            interface: None,
        }
        .write(w);
        w.word(key!("event_id"), &self.event_id());
    }
}

impl Heartbeat {
    /// Writes `@timestamp`, `event`, `observer` and `event_id`.
    pub(super) fn write_event(&self, w: &mut impl Writer) {
        Event {
            kind: "metric",
            rendered: &HEARTBEAT,
            dataset: "handshark.heartbeat",
            types: &["info"],
            outcome: "success",
            reason: None,
            severity: Severity::Info,
            id: None,
            span: Some((self.time, self.time)),
            observer: &self.observer,
            interface: None,
        }
        .write(w);
        w.word(key!("event_id"), &self.event_id());
    }
}

impl Sensed {
    /// Writes `@timestamp`, `event`, `observer` and `event_id`.
    pub(super) fn write_event(&self, w: &mut impl Writer) {
        let silent = self.state == SensorState::Silent;
        Event {
            kind: if silent { "alert" } else { "event" },
            rendered: if silent { &SILENT } else { &SENSOR },
            dataset: "handshark.sensor",
            types: &["info"],
            outcome: if silent { "failure" } else { "success" },
            reason: None,
            severity: if silent { Severity::Error } else { Severity::Info },
            id: None,
            span: Some((self.heard, self.heard)),
            observer: &self.observer,
            interface: None,
        }
        .write(w);
        w.word(key!("event_id"), &self.event_id());
    }
}

/// The key of a class in an object of counts.
pub(super) const fn class_key(class: Class) -> Key {
    match class {
        Class::Failed => key!("failed"),
        Class::Rejected => key!("rejected-after-completion"),
        Class::Troubled => key!("completed-with-trouble"),
        Class::Undecided => key!("undecided"),
        Class::Probe => key!("probe"),
        Class::Completed => key!("completed"),
    }
}

/// Writes a leaf certificate as `x509` and `hash`.
pub(super) fn leaf(w: &mut impl Writer, certificate: &Certificate) {
    w.shared(&certificate.as_x509, |w| {
        w.object(key!("x509"), |w| {
            w.object(key!("subject"), |w| w.text(key!("distinguished_name"), &certificate.subject));
            w.object(key!("issuer"), |w| w.text(key!("distinguished_name"), &certificate.issuer));
            w.text(key!("serial_number"), &certificate.serial.to_ascii_uppercase());
            w.time(key!("not_before"), certificate.not_before);
            w.time(key!("not_after"), certificate.not_after);
            w.texts(key!("alternative_names"), &certificate.san);
            w.text(key!("signature_algorithm"), &certificate.signature);
        });
        w.object(key!("hash"), |w| w.word(key!("sha256"), &certificate.fingerprint().to_ascii_uppercase()));
    });
}

/// What all events of a dataset, and all observers, have in common, as it was written.
static HANDSHAKE: Rendered = Rendered::new();
static INCIDENT: Rendered = Rendered::new();
static TALLY: Rendered = Rendered::new();
static HEARTBEAT: Rendered = Rendered::new();
static SENSOR: Rendered = Rendered::new();
static SILENT: Rendered = Rendered::new();
static SUMMARY: Rendered = Rendered::new();
static OBSERVER: Rendered = Rendered::new();
