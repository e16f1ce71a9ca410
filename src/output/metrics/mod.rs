//! `OpenMetrics` for Prometheus: attempts, failures by cause, times, certificates, and how the capture itself is doing.
//!
//! Labels are bounded: the busiest servers and names have series of their own, all others share the value `other`; client addresses are no label at
//! all. Every series name begins with `handshark_`.

mod exposition;
mod labels;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use exposition::Exposition;
use labels::{Certificates, Pairs, Ranking, Removed};
pub use server::MetricsServer;

use super::escape::escape;
use super::view;
use crate::report::{Basis, Class, Handshake, Incident, Outcome, Side, State, VERSION};

/// What the run counts for its readers.
pub struct Metrics {
    registry: Registry,
    names: Mutex<Names>,
    handshakes: Family<Ended, Counter>,
    servers: Family<AtServer, Counter>,
    problems: Family<Problem, Counter>,
    stalls: Counter,
    incidents: Family<Begun, Counter>,
    seconds: Family<Phase, Histogram>,
    expiry: Family<Served, Gauge>,
    frames: Family<OnInterface, Counter>,
    bytes: Family<OnInterface, Counter>,
    dropped: Family<OnInterface, Counter>,
    up: Family<OnInterface, Gauge>,
    lost: Family<ToOutput, Counter>,
    flows: Gauge,
    memory: Gauge,
    recordings: Family<Recorded, Counter>,
    lag: Gauge<f64, AtomicU64>,
    spool_dropped: Counter,
    sensor: Family<Identity, Gauge>,
    processes: Family<OfProcess, Counter>,
    owners: Family<LookedUp, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// How one interface is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceLoad<'a> {
    /// Its name.
    pub name: &'a str,
    /// Packets taken.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets lost for want of room.
    pub dropped: u64,
    /// It is up.
    pub up: bool,
}

impl Metrics {
    /// Nothing counted yet. At most `names` servers and as many names get series of their own.
    pub fn new(names: usize) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("handshark"),
            names: Mutex::new(Names::new(names)),
            handshakes: Family::default(),
            servers: Family::default(),
            problems: Family::default(),
            stalls: Counter::default(),
            incidents: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            expiry: Family::default(),
            frames: Family::default(),
            bytes: Family::default(),
            dropped: Family::default(),
            up: Family::default(),
            lost: Family::default(),
            flows: Gauge::default(),
            memory: Gauge::default(),
            recordings: Family::default(),
            lag: Gauge::default(),
            spool_dropped: Counter::default(),
            sensor: Family::default(),
            processes: Family::default(),
            owners: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("build", "The program", Info::new(vec![("version", VERSION)]));
        r.register(
            "handshakes",
            "Handshakes that ended, by class and outcome: each is of one class, and their sum is the attempts",
            self.handshakes.clone(),
        );
        r.register("server_handshakes", "Handshakes that ended, by server, name and class", self.servers.clone());
        r.register(
            "problems",
            "Handshakes that failed, were rejected after completion or completed with trouble, by cause, server and name",
            self.problems.clone(),
        );
        r.register("stalls", "Handshakes reported while they made no progress", self.stalls.clone());
        r.register("incidents", "Incidents that began, by cause: failures of one cause at one server and name", self.incidents.clone());
        r.register_with_unit(
            "handshake_duration",
            "Time of handshakes that completed, by phase and whether the session was new",
            Unit::Seconds,
            self.seconds.clone(),
        );
        r.register_with_unit(
            "certificate_not_after_timestamp",
            "End of validity of the leaf certificates seen in clear, since the epoch",
            Unit::Seconds,
            self.expiry.clone(),
        );
        r.register("capture_packets", "Packets taken from an interface", self.frames.clone());
        r.register_with_unit("capture", "Bytes taken from an interface", Unit::Bytes, self.bytes.clone());
        r.register("capture_dropped_packets", "Packets lost for want of room, in the kernel or in the interface", self.dropped.clone());
        r.register("capture_interface_up", "1 while the interface is there", self.up.clone());
        r.register("lost_reports", "Reports that an output was too slow to take", self.lost.clone());
        r.register("connections", "Connections held", self.flows.clone());
        r.register_with_unit("resident_memory", "Memory of the process", Unit::Bytes, self.memory.clone());
        r.register_with_unit(
            "capture_lag",
            "How long the latest packets waited before they were looked at",
            Unit::Seconds,
            self.lag.clone(),
        );
        r.register_with_unit(
            "spool_dropped",
            "Bytes of the spool's files that made room for newer ones",
            Unit::Bytes,
            self.spool_dropped.clone(),
        );
        r.register("sensor", "1, with the names of the site and the sensor", self.sensor.clone());
        r.register(
            "process_handshakes",
            "Handshakes that ended, by the name of the process that owns an end on this host, its side and class",
            self.processes.clone(),
        );
        r.register("owner_lookups", "Ends on this host whose owner was to be looked up, by what came of it", self.owners.clone());
        r.register("recordings", "Recordings of failures, by result: written, lost", self.recordings.clone());
    }

    /// Counts an incident that begins.
    pub fn incident(&self, incident: &Incident) {
        if incident.state == Some(State::Begun) {
            self.incidents.get_or_create(&Begun { cause: incident.cause.slug() }).inc();
        }
    }

    /// Counts a handshake.
    pub fn handshake(&self, report: &Handshake<'_>) {
        if report.handshake.provisional {
            self.stalls.inc();
            return;
        }
        let class = report.class();
        let ended = Ended { class: class.name(), outcome: report.handshake.outcome.name(), protocol: report.network.protocol.name() };
        self.handshakes.get_or_create(&ended).inc();
        let (server, name) = self.labels(report);
        self.servers.get_or_create(&AtServer { server: server.clone(), name: name.clone(), class: class.name() }).inc();
        if class.is_problem() {
            let cause = view::cause(report);
            self.names.lock().unwrap_or_else(PoisonError::into_inner).pairs.note(&server, &name, (class, cause));
            self.problems.get_or_create(&Problem { cause, class: class.name(), server, name }).inc();
        }
        if report.handshake.outcome == Outcome::Completed {
            self.times(report);
        }
        self.certificate(report);
        for side in Side::BOTH {
            if let Some(process) = report.owners.of(side).as_deref().and_then(|owner| owner.process.as_ref()) {
                self.process(&process.name, side, class);
            }
        }
    }

    fn process(&self, name: &str, side: Side, class: Class) {
        let name = shown(name);
        let given = self.names.lock().unwrap_or_else(PoisonError::into_inner).processes.count(&name);
        for lost in given.lost {
            for (side, class) in Side::BOTH.into_iter().flat_map(|side| Class::ALL.map(|class| (side, class))) {
                self.processes.remove(&OfProcess { process: lost.clone(), side: side.name(), class: class.name() });
            }
        }
        let process = if given.own { name } else { OTHER.to_owned() };
        self.processes.get_or_create(&OfProcess { process, side: side.name(), class: class.name() }).inc();
    }

    fn times(&self, report: &Handshake<'_>) {
        let session = if report.handshake.resumed { "resumed" } else { "new" };
        let timing = &report.handshake.timing;
        let phases = [
            ("tcp", timing.tcp_rtt_us),
            ("client_hello", timing.client_hello_us),
            ("server_hello", timing.server_hello_us),
            ("server_think", timing.server_think_us),
            ("finished", timing.finished_us),
            ("total", timing.total_us),
        ];
        for (phase, micros) in phases {
            if let Some(micros) = micros {
                #[allow(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
                self.seconds.get_or_create(&Phase { phase, session }).observe(micros as f64 / 1e6);
            }
        }
    }

    fn certificate(&self, report: &Handshake<'_>) {
        let Some(leaf) = report.server_certificates().first() else { return };
        let name = report.server_name().map(clean).unwrap_or_default();
        let served = Served { name, serial: leaf.serial.clone(), sha256: leaf.fingerprint().chars().take(16).collect() };
        let now = report.handshake.start.seconds();
        let (known, replaced) = self.names.lock().unwrap_or_else(PoisonError::into_inner).certificates.see(&served, now);
        for gone in replaced {
            self.expiry.remove(&gone);
        }
        if known {
            self.expiry.get_or_create(&served).set(leaf.not_after.seconds());
        }
    }

    fn labels(&self, report: &Handshake<'_>) -> (String, String) {
        let name = report.server_name().map(clean);
        let (labels, removed) =
            self.names.lock().unwrap_or_else(PoisonError::into_inner).labels(&report.server.to_string(), name.as_deref());
        for ((server, name), problems) in removed {
            for class in Class::ALL {
                self.servers.remove(&AtServer { server: server.clone(), name: name.clone(), class: class.name() });
            }
            for (class, cause) in problems {
                self.problems.remove(&Problem { cause, class: class.name(), server: server.clone(), name: name.clone() });
            }
        }
        labels
    }

    /// Sets what the capture counts.
    pub fn interface(&self, load: &InterfaceLoad<'_>) {
        let label = OnInterface { interface: shown(load.name) };
        let set = |family: &Family<OnInterface, Counter>, value: u64| {
            family.get_or_create(&label).inner().store(value, std::sync::atomic::Ordering::Relaxed);
        };
        set(&self.frames, load.frames);
        set(&self.bytes, load.bytes);
        set(&self.dropped, load.dropped);
        self.up.get_or_create(&label).set(i64::from(load.up));
    }

    /// Sets how many connections are held, and the memory of the process in bytes where it is known.
    pub fn load(&self, flows: u64, memory: Option<u64>) {
        self.flows.set(i64::try_from(flows).unwrap_or(i64::MAX));
        if let Some(memory) = memory {
            self.memory.set(i64::try_from(memory).unwrap_or(i64::MAX));
        }
    }

    /// Sets who this is.
    pub fn identify(&self, site: Option<&str>, sensor: &str) {
        let identity = Identity { site: shown(site.unwrap_or_default()), sensor: shown(sensor) };
        self.sensor.get_or_create(&identity).set(1);
    }

    /// Sets how long the latest packets waited, in seconds, and how many bytes of the spool made room for newer ones.
    pub fn pace(&self, lag: f64, spool_dropped: u64) {
        self.lag.set(lag);
        self.spool_dropped.inner().store(spool_dropped, std::sync::atomic::Ordering::Relaxed);
    }

    /// Sets how many reports an output was too slow to take.
    pub fn lost(&self, output: &str, reports: u64) {
        let label = ToOutput { output: shown(output) };
        self.lost.get_or_create(&label).inner().store(reports, std::sync::atomic::Ordering::Relaxed);
    }

    /// Sets what came of looking up owners: of those that were answered, and of those that were not, for want of time or of room.
    pub fn owners(&self, known: &BTreeMap<Basis, u64>, late: u64, left_out: u64) {
        let known = Basis::ALL.map(|basis| (basis.name(), known.get(&basis).copied().unwrap_or_default()));
        for (result, value) in known.into_iter().chain([("late", late), ("left_out", left_out)]) {
            self.owners.get_or_create(&LookedUp { result }).inner().store(value, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Sets how many recordings were written, and how many could not be.
    pub fn recordings(&self, written: u64, lost: u64) {
        for (result, value) in [("written", written), ("lost", lost)] {
            self.recordings.get_or_create(&Recorded { result }).inner().store(value, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// The exposition in the `OpenMetrics` text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Which servers, names and certificates have series of their own.
#[derive(Debug)]
struct Names {
    servers: Ranking,
    asked: Ranking,
    processes: Ranking,
    pairs: Pairs,
    certificates: Certificates<Served>,
}

impl Names {
    const fn new(most: usize) -> Self {
        Self {
            servers: Ranking::new(most),
            asked: Ranking::new(most),
            processes: Ranking::new(most),
            pairs: Pairs::new(most.saturating_mul(4)),
            certificates: Certificates::new(most),
        }
    }

    /// The label values of a handshake, and what has no series any more because busier ones took its place.
    fn labels(&mut self, server: &str, name: Option<&str>) -> ((String, String), Vec<Removed>) {
        let at = self.servers.count(server);
        let asked = name.map(|name| self.asked.count(name)).unwrap_or_default();
        let removed = if at.lost.is_empty() && asked.lost.is_empty() { Vec::new() } else { self.pairs.remove(&at.lost, &asked.lost) };
        let server = if at.own { server } else { OTHER };
        let name = name.map_or("", |name| if asked.own { name } else { OTHER });
        // What is shared by many is always there.
        let shared = [OTHER, ""].contains(&name) || server == OTHER;
        let name = if shared || self.pairs.admit(server, name) { name } else { OTHER };
        self.pairs.keep(server, name);
        ((server.to_owned(), name.to_owned()), removed)
    }
}

/// A name as a label value.
fn clean(name: &str) -> String {
    shown(&name.to_ascii_lowercase())
}

/// A label's value: whoever reads the page on a terminal is as safe as with any other output.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(LONGEST).collect();
    escape(&short).into_owned()
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    class: &'static str,
    outcome: &'static str,
    protocol: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AtServer {
    server: String,
    name: String,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Problem {
    cause: &'static str,
    class: &'static str,
    server: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Begun {
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Phase {
    phase: &'static str,
    session: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Served {
    name: String,
    serial: String,
    sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OnInterface {
    interface: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Identity {
    site: String,
    sensor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToOutput {
    output: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProcess {
    process: String,
    side: &'static str,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookedUp {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Recorded {
    result: &'static str,
}

/// Upper bounds in seconds: from a fast LAN to a client's patience.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const OTHER: &str = "other";
/// Longest name given as a label, in characters: that of a DNS name.
const LONGEST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn handshakes_are_counted_by_outcome_cause_and_name() {
        let metrics = Metrics::new(10);
        metrics.handshake(&samples::expired(0));
        metrics.handshake(&samples::expired(1));
        metrics.handshake(&samples::completed());
        let mut stall = samples::expired(2);
        stall.handshake.provisional = true;
        metrics.handshake(&stall);
        let text = metrics.text();
        for line in [
            "handshark_handshakes_total{class=\"failed\",outcome=\"alerted\",protocol=\"tls\"} 2",
            "handshark_handshakes_total{class=\"completed\",outcome=\"completed\",protocol=\"tls\"} 1",
            "handshark_problems_total{cause=\"certificate-expired\",class=\"failed\",server=\"10.0.0.2:443\",name=\"www.example.test\"} 2",
            "handshark_stalls_total 1",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.contains("handshark_handshake_duration_seconds_count{phase=\"total\",session=\"new\"} 1"), "{text}");
    }

    #[test]
    fn labels_are_bounded_and_hostile_names_escaped() {
        let metrics = Metrics::new(2);
        for name in ["a\"\n\\b", "second", "third", "fourth"] {
            metrics.handshake(&samples::named(name));
        }
        let text = metrics.text();
        assert!(text.contains("name=\"a\\\"\\\\n\\\\b\""), "{text}");
        assert!(text.contains("name=\"other\"") && !text.contains("third") && !text.contains("fourth"), "{text}");
        let hostile = "\x1b]0;x\x07\t\r\u{9b}\u{202e}\u{200b}\u{2028}";
        let metrics = Metrics::new(2);
        metrics.handshake(&samples::named(hostile));
        metrics.interface(&InterfaceLoad { name: hostile, frames: 1, bytes: 1, dropped: 0, up: true });
        metrics.lost(hostile, 1);
        let text = metrics.text();
        assert!(text.contains("\\u{202e}") && !text.chars().any(|c| c != '\n' && crate::output::escape::is_hazard(c)), "{text:?}");
    }
}
