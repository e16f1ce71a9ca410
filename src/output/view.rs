//! What several outputs say of a handshake in the same words.

use std::borrow::Cow;

use super::figures::{count, counted};
use crate::report::{
    Basis, Cause, Class, Classes, Container, Counts, Diagnosis, Evidence, Finding, Handshake, Incident, Outcome, Owner, Place, Pod,
    Process, Side, StepKind, StoppedBy, Summary,
};

/// How many handshakes there are of each class, in one line: `18 handshakes: 14 failed, 1 completed with trouble, 1 completed, 2 undecided`.
pub fn classes(classes: &Classes) -> String {
    let parts: Vec<String> = classes.iter().filter(|(_, number)| *number > 0).map(|(class, number)| class_counted(class, number)).collect();
    let all = counted(classes.total(), "handshake", "handshakes");
    if parts.is_empty() { all } else { format!("{all}: {}", parts.join(", ")) }
}

/// `14 failed`, `2 probes`.
pub fn class_counted(class: Class, number: u64) -> String {
    format!("{} {}", count(number), class.words(number))
}

/// What speaks against the cause, in one line; empty where nothing does.
pub fn against(report: &Handshake<'_>) -> String {
    let pieces = report.diagnosis.against.iter().map(|piece| match piece.mark {
        Some(mark) => format!("{} ({})", piece.text, frame(report, mark.frame)),
        None => piece.text.clone(),
    });
    pieces.collect::<Vec<_>>().join("; ")
}

/// The evidence in the order of time; what is of no frame stands at the end.
pub fn evidence<'a>(diagnosis: &'a Diagnosis<'_>) -> Vec<&'a Evidence> {
    let mut all: Vec<&Evidence> = diagnosis.evidence.iter().collect();
    all.sort_by_key(|piece| piece.mark.map_or((true, 0), |mark| (false, mark.frame)));
    all
}

/// The other causes that are possible, in one line.
pub fn alternatives(diagnosis: &Diagnosis<'_>) -> String {
    diagnosis.alternatives.iter().map(|cause| cause.slug()).collect::<Vec<_>>().join(", ")
}

/// What was found beside the cause and is no other name for it: what is said under "also possible" is not said again.
pub fn noticed<'a>(diagnosis: &'a Diagnosis<'_>) -> impl Iterator<Item = &'a Finding> {
    let told = |cause| Some(cause) == diagnosis.cause || diagnosis.alternatives.contains(&cause);
    diagnosis.findings.iter().filter(move |finding| !told(finding.cause))
}

/// Notes of a run but those that are told with their input.
pub fn notes(summary: &Summary) -> impl Iterator<Item = &String> {
    let told = |note: &str| summary.inputs.iter().filter_map(|input| input.damage.as_deref()).any(|damage| note.ends_with(damage));
    summary.notes.iter().filter(move |note| !told(note))
}

/// Words with how often each was counted, the most frequent first.
pub fn ranked(counts: &Counts) -> Vec<(&'static str, u64)> {
    let mut ranked: Vec<_> = counts.iter().map(|(word, number)| (*word, *number)).filter(|(_, number)| *number > 0).collect();
    ranked.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    ranked
}

/// `www.example.test (192.0.2.1:443)`, or the address alone.
pub fn server(report: &Handshake<'_>) -> String {
    match report.server_name() {
        Some(name) if name.as_bytes() != report.server.text().address() => format!("{name} ({})", report.server),
        _ => report.server.to_string(),
    }
}

/// An end with the process that owns it, where that is known: `10.0.0.1:40112 (curl, pid 4242)`.
pub fn end(report: &Handshake<'_>, side: Side) -> String {
    let at = if side == Side::Client { report.client.to_string() } else { server(report) };
    match report.owners.of(side).as_deref().and_then(|owner| owner.process.as_ref()) {
        Some(Process { pid, name, .. }) => format!("{at} ({name}, pid {pid})"),
        None => at,
    }
}

/// Who owns the ends of a handshake on the capturing host, each under its label.
pub fn owners(report: &Handshake<'_>) -> impl Iterator<Item = (&'static str, String)> {
    Side::BOTH.into_iter().filter_map(move |side| report.owners.of(side).as_deref().map(|known| (owner_label(side), owner(known))))
}

/// Whose the ends of an incident's handshakes are, mostly, each under its label: `python3 (pid 812), container web (nginx:1.25), in 41 of 52`.
pub fn common_owners(incident: &Incident) -> impl Iterator<Item = (&'static str, String)> {
    incident.owners.iter().map(|owner| {
        let mut parts = vec![match owner.pid {
            Some(pid) => format!("{} (pid {pid})", owner.process),
            None => format!("{} (several processes)", owner.process),
        }];
        parts.extend(places(owner.container.as_ref(), owner.pod.as_ref(), owner.unit.as_deref()));
        let separator = if parts.len() > 1 { "," } else { "" };
        (owner_label(owner.side), format!("{}{separator} in {} of {}", parts.join(", "), owner.handshakes, incident.failed))
    })
}

/// What processes of one name in one place are called where they are put together: `nginx`, `nginx (container web)`.
pub fn process(owner: &Owner) -> Option<String> {
    let Process { name, .. } = owner.process.as_ref()?;
    let place = places(owner.container.as_ref().filter(|_| owner.pod.is_none()), owner.pod.as_ref(), None).next();
    Some(place.map_or_else(|| name.clone(), |place| format!("{name} ({place})")))
}

const fn owner_label(side: Side) -> &'static str {
    match side {
        Side::Client => "Client process:",
        Side::Server => "Server process:",
    }
}

/// `container web (nginx:1.25)`, `pod shop/web-0`, `unit nginx.service`.
fn places(container: Option<&Container>, pod: Option<&Pod>, unit: Option<&str>) -> impl Iterator<Item = String> {
    let container = container.map(|container| {
        let image = container.image.as_ref().map(|image| format!(" ({image})")).unwrap_or_default();
        let short: String = container.id.chars().take(SHORT_ID).collect();
        format!("container {}{image}", container.name.as_ref().unwrap_or(&short))
    });
    let pod = pod.map(|pod| {
        let name = pod.name.as_deref().or(pod.uid.as_deref()).unwrap_or("of no name");
        let namespace = pod.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        format!("pod {namespace}{name}")
    });
    container.into_iter().chain(pod).chain(unit.map(|unit| format!("unit {unit}")))
}

/// `curl (pid 4242), user alice, container web (nginx:1.25), pod shop/web-0`.
fn owner(owner: &Owner) -> String {
    let mut parts = Vec::new();
    if let Some(Process { pid, name, .. }) = &owner.process {
        parts.push(format!("{name} (pid {pid})"));
    }
    if let Some(user) = &owner.user {
        parts.push(format!("user {}", user.name.as_ref().map_or_else(|| user.id.to_string(), Clone::clone)));
    }
    parts.extend(places(owner.container.as_ref(), owner.pod.as_ref(), owner.unit.as_deref()));
    if let Some(Process { sharers, .. }) = owner.process.as_ref().filter(|process| !process.sharers.is_empty()) {
        let others: Vec<String> = sharers.iter().map(|sharer| format!("{} (pid {})", sharer.name, sharer.pid)).collect();
        parts.push(format!("shares the socket with {}", others.join(", ")));
    }
    match owner.basis {
        Basis::Connection => {}
        Basis::Listener => parts.push("listens there".to_owned()),
        Basis::Gone => parts.push("gone before it could be looked up".to_owned()),
        Basis::Hidden => parts.push("hidden: to see it takes CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH".to_owned()),
        Basis::Kernel => parts.push("no process: the socket is the kernel's own".to_owned()),
        Basis::Ambiguous => parts.push("not known: several network namespaces have such a socket".to_owned()),
    }
    parts.join(", ")
}

/// The cause's slug, or a word for there being none.
pub fn cause(report: &Handshake<'_>) -> &'static str {
    report.diagnosis.cause.map_or("no-cause-found", Cause::slug)
}

/// How sure the cause is, behind so many words: `, certain`, ` (certain)`; nothing without a cause.
pub fn confidence(report: &Handshake<'_>, before: &str, behind: &str) -> String {
    report.diagnosis.confidence.map(|confidence| format!("{before}{}{behind}", confidence.name())).unwrap_or_default()
}

/// How it ended and by whom: `alerted by the client`.
pub fn ending(report: &Handshake<'_>) -> String {
    let who = report.diagnosis.stopped_by;
    let outcome = report.handshake.outcome;
    match (outcome, who) {
        (Outcome::Completed, who) if report.class() == Class::Rejected => format!("completed, then rejected by the {}", who.name()),
        (Outcome::Completed | Outcome::Incomplete, _) | (_, StoppedBy::Nobody) => outcome.name().to_owned(),
        (Outcome::Stalled, StoppedBy::Network) => "stalled in the network".to_owned(),
        (Outcome::Stalled, who) => format!("stalled: {} stopped responding", who.name()),
        (Outcome::Plaintext, who) => format!("plaintext from the {}", who.name()),
        (outcome, who) => format!("{} by the {}", outcome.name(), who.name()),
    }
}

/// Where an incident is: a name, a server, or what its handshakes have in common.
pub fn place(incident: &Incident) -> String {
    match (&incident.server_name, incident.servers.first()) {
        (Some(name), _) => name.clone(),
        (None, Some(server)) => server.to_string(),
        (None, None) => incident.scope.name().to_owned(),
    }
}

/// Words in one line.
pub fn listed<'a>(words: impl Iterator<Item = Cow<'a, str>>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// What the capture lacks, in one line.
pub fn quality(report: &Handshake<'_>) -> String {
    report.capture.quality.words().collect::<Vec<_>>().join(", ")
}

/// Tags and tunnels around it, in one line.
pub fn path(report: &Handshake<'_>) -> String {
    report.network.path.layers().map(|layer| layer.to_string()).collect::<Vec<_>>().join(", ")
}

/// `frame 9`; of several files: `f2.pcap frame 4`.
pub fn frame(report: &Handshake<'_>, frame: u64) -> String {
    placed(&report.capture.place(frame))
}

fn placed(place: &Place) -> String {
    match (&place.file, place.merged) {
        (Some(file), _) => format!("{} frame {}", base_name(file), place.frame),
        (None, Some(frame)) => format!("frame {frame} of all"),
        (None, None) => format!("frame {}", place.frame),
    }
}

/// `frame 9`, `frames 4-17`; of several files: `f2.pcap frames 4-9`, `f2.pcap frame 20 to f3.pcap frame 2`.
pub fn frames(report: &Handshake<'_>) -> String {
    let capture = &report.capture;
    let (first, last) = (capture.place(capture.first_frame), capture.place(capture.last_frame));
    if first == last {
        return placed(&first);
    }
    if first.file != last.file {
        return format!("{} to {}", placed(&first), placed(&last));
    }
    let range = format!("frames {}-{}", first.frame, last.frame);
    match (&first.file, first.merged) {
        (Some(file), _) => format!("{} {range}", base_name(file)),
        (None, Some(_)) => format!("{range} of all"),
        (None, None) => range,
    }
}

/// Where it was captured: `night.pcapng`, `night.pcapng, interface eth0`.
pub fn source(report: &Handshake<'_>) -> String {
    let file = base_name(&report.capture.source);
    match report.capture.interface.as_deref() {
        Some(interface) if interface != file => format!("{file}, interface {interface}"),
        _ => file.to_owned(),
    }
}

/// A file's name without its directories.
pub fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).find(|name| !name.is_empty()).unwrap_or(path)
}

/// A step's kind as people name it: `ClientHello`, `SYN, ACK`, `retransmission`.
pub const fn step(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Syn => "SYN",
        StepKind::SynAck => "SYN, ACK",
        StepKind::SynAgain => "SYN again",
        StepKind::SynAckAgain => "SYN, ACK again",
        StepKind::Established | StepKind::Acknowledged => "ACK",
        StepKind::Retransmission => "retransmission",
        StepKind::OutOfOrder => "out of order",
        StepKind::Gap => "gap",
        StepKind::ZeroWindow => "window closed",
        StepKind::WindowOpen => "window open",
        StepKind::KeepAlive => "keep alive",
        StepKind::Overlap => "differing overlap",
        StepKind::Fin => "FIN",
        StepKind::Rst => "RST",
        StepKind::Icmp => "ICMP",
        StepKind::Silence => "silence",
        StepKind::EndOfCapture => "end of capture",
        StepKind::Preamble => "preamble",
        StepKind::Plaintext => "plaintext",
        StepKind::ClientHello => "ClientHello",
        StepKind::HelloRetryRequest => "HelloRetryRequest",
        StepKind::HelloVerifyRequest => "HelloVerifyRequest",
        StepKind::ServerHello => "ServerHello",
        StepKind::Certificate => "Certificate",
        StepKind::CertificateStatus => "CertificateStatus",
        StepKind::ServerKeyExchange => "ServerKeyExchange",
        StepKind::CertificateRequest => "CertificateRequest",
        StepKind::ServerHelloDone => "ServerHelloDone",
        StepKind::ClientKeyExchange => "ClientKeyExchange",
        StepKind::CertificateVerify => "CertificateVerify",
        StepKind::NewSessionTicket => "NewSessionTicket",
        StepKind::HelloRequest => "HelloRequest",
        StepKind::ChangeCipherSpec => "ChangeCipherSpec",
        StepKind::Finished => "Finished",
        StepKind::ApplicationData => "application data",
        StepKind::Encrypted => "encrypted",
        StepKind::Alert => "Alert",
        StepKind::ConnectionClose => "ConnectionClose",
        StepKind::Eap => "EAP",
        StepKind::VersionNegotiation => "VersionNegotiation",
        StepKind::Retry => "Retry",
        StepKind::Renegotiation => "renegotiation",
        StepKind::Anomaly => "anomaly",
        StepKind::Record => "record",
        StepKind::Handshake => "handshake",
    }
}

/// What a step is to a reader: its colour and the form of its arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepLook {
    /// A message or a record.
    Message,
    /// The coming and going of the connection.
    Transport,
    /// Something was lost, repeated or out of place.
    Trouble,
    /// It speaks of failure: alert, RST, ICMP, silence.
    Failure,
}

/// How a kind of step is to look.
pub const fn step_look(kind: StepKind) -> StepLook {
    use StepKind::{
        Acknowledged, Alert, Anomaly, ConnectionClose, EndOfCapture, Established, Fin, Gap, Icmp, KeepAlive, OutOfOrder, Overlap,
        Plaintext, Retransmission, Rst, Silence, Syn, SynAck, SynAckAgain, SynAgain, WindowOpen, ZeroWindow,
    };
    match kind {
        Syn | SynAck | Established | Acknowledged | Fin | KeepAlive | WindowOpen => StepLook::Transport,
        SynAgain | SynAckAgain | Retransmission | OutOfOrder | Gap | ZeroWindow | Overlap | Anomaly | EndOfCapture => StepLook::Trouble,
        Alert | ConnectionClose | Rst | Icmp | Silence | Plaintext => StepLook::Failure,
        _ => StepLook::Message,
    }
}

/// Letters of a container's identifier, as engines shorten it.
const SHORT_ID: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::CommonOwner;
    use crate::report::samples;

    #[test]
    fn an_owner_is_told_in_one_line() {
        let mut known = samples::owner();
        let text = "curl (pid 4242), user alice, container web (nginx:1.25), pod shop/web-0, shares the socket with worker (pid 4243)";
        assert_eq!(owner(&known), text);
        known.basis = Basis::Listener;
        known.container = None;
        known.pod = None;
        known.unit = Some("nginx.service".to_owned());
        assert!(owner(&known).ends_with("worker (pid 4243), listens there") && owner(&known).contains("unit nginx.service"));
        assert_eq!(owner(&Owner::unknown(Basis::Gone)), "gone before it could be looked up");
        let mut report = samples::expired(1);
        assert_eq!((end(&report, Side::Client), owners(&report).count()), (report.client.to_string(), 0));
        report.owners.client = Some(std::sync::Arc::new(samples::owner()));
        assert_eq!(end(&report, Side::Client), format!("{} (curl, pid 4242)", report.client));
        assert_eq!(owners(&report).collect::<Vec<_>>(), [("Client process:", text.to_owned())]);
    }

    #[test]
    fn the_ending_says_who() {
        let mut report = samples::expired(1);
        assert_eq!(ending(&report), "alerted by the client");
        report.handshake.outcome = Outcome::Stalled;
        report.diagnosis.stopped_by = StoppedBy::Server;
        assert_eq!(ending(&report), "stalled: server stopped responding");
        report.diagnosis.stopped_by = StoppedBy::Nobody;
        assert_eq!(ending(&report), "stalled");
        report.handshake.outcome = Outcome::Completed;
        report.diagnosis.stopped_by = StoppedBy::Client;
        assert_eq!(ending(&report), "completed, then rejected by the client");
    }

    #[test]
    fn an_incident_says_whose_most_of_its_connections_are() {
        let Owner { container, pod, .. } = samples::owner();
        let of =
            |side, pid, container, pod| CommonOwner { side, process: "curl".to_owned(), pid, container, pod, unit: None, handshakes: 11 };
        let owners = vec![of(Side::Client, Some(4242), container, pod), of(Side::Server, None, None, None)];
        let told = |incident: &Incident| common_owners(incident).map(|(label, owner)| format!("{label} {owner}")).collect::<Vec<_>>();
        assert_eq!(
            told(&Incident { owners, ..samples::incident() }),
            [
                "Client process: curl (pid 4242), container web (nginx:1.25), pod shop/web-0, in 11 of 12",
                "Server process: curl (several processes) in 11 of 12"
            ]
        );
        assert!(told(&samples::incident()).is_empty());
    }
}
