//! What several outputs say of a handshake in the same words.

use std::net::IpAddr;

use crate::diagnosis::cause::Cause;
use crate::report::{Diagnosis, FindingReport, HandshakeReport, Peer, SummaryReport};

/// How a handshake is to be shown, by its outcome and cause alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It failed.
    Failed,
    /// It completed, and its users suffered from something.
    Troubled,
    /// The capture, not the network, is missing the rest.
    Undecided,
    /// No handshake was wanted: connected and left without a byte, as health checks and scans do.
    Probe,
    /// It completed.
    Completed,
}

/// Sorts a handshake.
pub fn kind(report: &HandshakeReport) -> Kind {
    match (report.handshake.outcome.as_str(), &report.diagnosis.cause) {
        ("completed", None) => Kind::Completed,
        ("completed", Some(_)) => Kind::Troubled,
        ("incomplete", _) => Kind::Undecided,
        (_, Some(cause)) if cause == Cause::TcpProbe.slug() => Kind::Probe,
        _ => Kind::Failed,
    }
}

/// What speaks against the cause, in one line; empty where nothing does.
pub fn against(diagnosis: &Diagnosis) -> String {
    let pieces = diagnosis.against.iter().map(|piece| match piece.frame {
        Some(frame) => format!("{} (frame {frame})", piece.text),
        None => piece.text.clone(),
    });
    pieces.collect::<Vec<_>>().join("; ")
}

/// What was found beside the cause and is no other name for it: what is said under "also possible" is not said again.
pub fn noticed(diagnosis: &Diagnosis) -> impl Iterator<Item = &FindingReport> {
    diagnosis
        .findings
        .iter()
        .filter(|finding| Some(&finding.id) != diagnosis.cause.as_ref() && !diagnosis.alternatives.contains(&finding.id))
}

/// Notes of a run but those that are told with their input.
pub fn notes(summary: &SummaryReport) -> impl Iterator<Item = &String> {
    let told = |note: &str| summary.inputs.iter().filter_map(|input| input.damage.as_deref()).any(|damage| note.ends_with(damage));
    summary.notes.iter().filter(move |note| !told(note))
}

/// `192.0.2.1:443`, `[2001:db8::1]:443`.
pub fn endpoint(peer: &Peer) -> String {
    match peer.address.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{}", peer.port),
        _ => format!("{}:{}", peer.address, peer.port),
    }
}

/// The server name that the client asked for.
pub fn server_name(report: &HandshakeReport) -> Option<&str> {
    let name = report.tls.as_ref()?.client.as_ref()?.server_name.as_deref()?;
    (!name.is_empty()).then_some(name)
}

/// `www.example.test (192.0.2.1:443)`, or the address alone.
pub fn server(report: &HandshakeReport) -> String {
    let address = endpoint(&report.server);
    match server_name(report) {
        Some(name) if name != report.server.address => format!("{name} ({address})"),
        _ => address,
    }
}

/// The cause's slug, or a word for there being none.
pub fn cause(report: &HandshakeReport) -> &str {
    report.diagnosis.cause.as_deref().unwrap_or("no-cause-found")
}

/// How it ended and by whom: `alerted by the client`.
pub fn ending(report: &HandshakeReport) -> String {
    let who = report.diagnosis.stopped_by.as_str();
    let outcome = report.handshake.outcome.as_str();
    match (outcome, who) {
        ("completed" | "incomplete", _) | (_, "" | "nobody") => outcome.to_owned(),
        ("stalled", "network") => "stalled in the network".to_owned(),
        ("stalled", who) => format!("stalled, the {who} fell silent"),
        ("plaintext", who) => format!("plaintext from the {who}"),
        (outcome, who) => format!("{outcome} by the {who}"),
    }
}

/// `frame 9`, `frames 4-17`.
pub fn frames(report: &HandshakeReport) -> String {
    let (first, last) = (report.capture.first_frame, report.capture.last_frame);
    if first == last { format!("frame {first}") } else { format!("frames {first}-{last}") }
}

/// The name of a timeline entry's kind: `ClientHello`, `SYN, ACK`, `retransmission`.
pub fn step(kind: &str) -> String {
    match kind {
        "syn" => "SYN".to_owned(),
        "syn-ack" => "SYN, ACK".to_owned(),
        "syn-again" => "SYN again".to_owned(),
        "syn-ack-again" => "SYN, ACK again".to_owned(),
        "established" | "acknowledged" => "ACK".to_owned(),
        "fin" | "rst" | "icmp" => kind.to_ascii_uppercase(),
        "zero-window" => "window closed".to_owned(),
        "window-open" => "window open".to_owned(),
        "end-of-capture" => "end of capture".to_owned(),
        "application_data" => "application data".to_owned(),
        "overlap" => "differing overlap".to_owned(),
        "preamble" | "plaintext" | "encrypted" | "renegotiation" | "anomaly" => kind.to_owned(),
        other if other.contains('_') || matches!(other, "certificate" | "finished" | "alert" | "retry") => other
            .split('_')
            .flat_map(|part| {
                let mut letters = part.chars();
                letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<Vec<_>>()
            })
            .collect(),
        other => other.replace('-', " "),
    }
}

/// What a step is to a reader: its colour and the form of its arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// A message or a record.
    Message,
    /// The coming and going of the connection.
    Transport,
    /// Something was lost, repeated or out of place.
    Trouble,
    /// It speaks of failure: alert, RST, ICMP, silence.
    Failure,
}

/// Sorts a timeline entry's kind.
pub fn step_kind(kind: &str) -> StepKind {
    match kind {
        "syn" | "syn-ack" | "established" | "acknowledged" | "fin" | "keep-alive" | "window-open" => StepKind::Transport,
        "syn-again" | "syn-ack-again" | "retransmission" | "out-of-order" | "gap" | "zero-window" | "overlap" | "anomaly"
        | "end-of-capture" => StepKind::Trouble,
        "alert" | "connection_close" | "rst" | "icmp" | "silence" | "plaintext" => StepKind::Failure,
        _ => StepKind::Message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    #[test]
    fn endpoints_can_be_pasted() {
        assert_eq!(endpoint(&Peer { address: "2001:db8::1".into(), port: 443 }), "[2001:db8::1]:443");
        assert_eq!(endpoint(&Peer { address: "192.0.2.1".into(), port: 8443 }), "192.0.2.1:8443");
    }

    #[test]
    fn handshakes_are_sorted_by_outcome() {
        let mut report = samples::completed();
        assert_eq!(kind(&report), Kind::Completed);
        report.diagnosis.cause = Some("server-slow".into());
        assert_eq!(kind(&report), Kind::Troubled);
        assert_eq!(kind(&samples::expired(1)), Kind::Failed);
        report.handshake.outcome = "incomplete".into();
        assert_eq!(kind(&report), Kind::Undecided);
    }

    #[test]
    fn the_ending_says_who() {
        let mut report = samples::expired(1);
        assert_eq!(ending(&report), "alerted by the client");
        report.handshake.outcome = "stalled".into();
        report.diagnosis.stopped_by = "server".into();
        assert_eq!(ending(&report), "stalled, the server fell silent");
        report.diagnosis.stopped_by = "nobody".into();
        assert_eq!(ending(&report), "stalled");
    }
}
