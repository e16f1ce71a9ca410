//! What does not touch a handshake changes no verdict; what takes packets away makes a verdict weaker, never another.
//!
//! Every capture of the fixtures is a subject, and with `HANDSHARK_CAPTURES=DIR[:DIR…]` every capture below those folders instead. What does not hold
//! yet stands in `known.txt`, a line each: the change and the capture. A line whose change holds must go.

mod capture;
mod network;
mod seen;
mod ways;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use handshark::diagnosis::cause::{Cause, Family};

use crate::support::report::{HandshakeReport, Peer};
use crate::support::{analyse, analyse_bytes, analyse_with_keys, fixtures};
use capture::Capture;
use network::Far;
use ways::Way;

/// What does not hold yet.
const KNOWN: &str = include_str!("known.txt");

/// More frames than this say nothing that fewer do not, and take long.
const MOST_FRAMES: usize = 400;

/// A capture, and what is said of it as it is.
struct Subject {
    name: String,
    capture: Capture,
    said: Vec<HandshakeReport>,
}

static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    let roots = match std::env::var("HANDSHARK_CAPTURES") {
        Ok(folders) => folders.split(':').map(PathBuf::from).collect(),
        Err(_) => vec![fixtures().join("captures")],
    };
    let mut paths = Vec::new();
    for root in &roots {
        captures_below(root, &mut paths);
    }
    let subjects: Vec<Subject> = paths
        .iter()
        .filter_map(|path| {
            let capture = Capture::read(path, MOST_FRAMES)?;
            let said = analyse_bytes(capture.pcap()).handshakes;
            Some(Subject { name: path.display().to_string(), capture, said })
        })
        .collect();
    eprintln!(
        "metamorphic: {} of {} captures are subjects; the others hold several link types or many frames",
        subjects.len(),
        paths.len()
    );
    assert!(subjects.len() > 10, "no captures below {roots:?}");
    subjects
});

fn captures_below(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let damaged = path.file_name().is_some_and(|name| name == "malformed");
        if path.is_dir() && !damaged {
            captures_below(&path, into);
        } else if path.extension().is_some_and(|kind| ["pcap", "pcapng", "cap"].iter().any(|known| kind == *known)) {
            into.push(path);
        }
    }
}

/// What a verdict consists of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Verdict {
    outcome: String,
    cause: String,
    confidence: String,
    stopped_by: String,
}

impl Verdict {
    fn of(report: &HandshakeReport) -> Self {
        let diagnosis = &report.diagnosis;
        Self {
            outcome: report.handshake.outcome.clone(),
            cause: diagnosis.cause.clone().unwrap_or_else(|| "none".to_owned()),
            confidence: diagnosis.confidence.clone().unwrap_or_default(),
            stopped_by: diagnosis.stopped_by.clone(),
        }
    }

    /// How much is claimed: 0 for nothing, 4 for certainty.
    fn claim(&self) -> usize {
        ["", "hint", "likely", "strong", "certain"].iter().position(|word| *word == self.confidence).unwrap()
    }

    /// This is what remains of `before` when its particulars are not in the capture: the certificate that was refused, the attempt that passed.
    fn is_general_form_of(&self, before: &Self) -> bool {
        let family = Cause::ALL.iter().find(|cause| cause.slug() == before.cause).map(|cause| cause.family());
        match self.cause.as_str() {
            "server-certificate-rejected" => family == Some(Family::Certificate) || before.cause == "sni-missing",
            "client-certificate-rejected" | "access-denied" => family == Some(Family::ClientAuth),
            "certificate-untrusted-ca" => ["certificate-self-signed", "chain-incomplete"].contains(&before.cause.as_str()),
            "client-hello-dropped" => {
                ["tls13-dropped", "split-client-hello", "path-mtu-black-hole", "icmp-unreachable"].contains(&before.cause.as_str())
            }
            "server-flight-dropped" | "path-mtu-black-hole" => family == Some(Family::Path),
            "certificate-name-mismatch" => before.cause == "captive-portal",
            "eap-rejected" => ["closed", "alerted"].contains(&before.outcome.as_str()),
            "quic-server-silent" => before.cause == "quic-blocked",
            "tcp-handshake-incomplete" => before.cause == "icmp-unreachable",
            "tcp-refused" => before.cause == "firewall-reject",
            "server-closed" => before.cause == "load-balancer-no-backend",
            _ => false,
        }
    }

    /// This is one of many tries of a scan, when too few of them are left to know the scan: its alert was said, and stays true.
    fn is_left_of_a_scan(&self, before: &Self) -> bool {
        before.cause == "tcp-probe" && before.outcome == "alerted" && self.outcome == "alerted"
    }

    fn is_of_the_capture(&self) -> bool {
        self.outcome == "incomplete" || Cause::ALL.iter().any(|cause| cause.slug() == self.cause && cause.family() == Family::Capture)
    }
}

fn verdicts(reports: &[HandshakeReport]) -> Vec<Verdict> {
    let mut list: Vec<Verdict> = reports.iter().map(Verdict::of).collect();
    list.sort();
    list
}

/// The family of a cause, or nothing.
fn family(cause: &str) -> &'static str {
    Cause::ALL.iter().find(|known| known.slug() == cause).map_or("", |cause| cause.family().name())
}

/// Faults found, by capture.
#[derive(Default)]
struct Faults(BTreeMap<String, String>);

impl Faults {
    fn note(&mut self, name: &str, what: &str) {
        let text = self.0.entry(name.to_owned()).or_default();
        let _ = write!(text, "\n    {what}");
    }

    /// Every verdict is the same.
    fn same(&mut self, subject: &Subject, after: &[HandshakeReport]) {
        let (before, after) = (verdicts(&subject.said), verdicts(after));
        if before != after {
            let gone: Vec<_> = before.iter().filter(|verdict| !after.contains(verdict)).collect();
            let new: Vec<_> = after.iter().filter(|verdict| !before.contains(verdict)).collect();
            self.note(&subject.name, &format!("{} -> {}: {gone:?} -> {new:?}", before.len(), after.len()));
        }
    }

    /// No verdict became another one with confidence: each is one that was there, no surer than it was; or about the capture; or no more than
    /// likely; or nothing is said.
    fn weaker(&mut self, subject: &Subject, how: &str, after: &[HandshakeReport]) {
        let before = verdicts(&subject.said);
        for verdict in verdicts(after) {
            let alike = |known: &&Verdict| known.cause == verdict.cause || verdict.is_general_form_of(known);
            let known = before.iter().filter(alike).map(Verdict::claim).max();
            let failed = !["completed", "incomplete"].contains(&verdict.outcome.as_str());
            let fine = match verdict.cause.as_str() {
                "none" => !failed || before.iter().any(|known| known.cause == "none" && known.outcome == verdict.outcome),
                _ if before.iter().any(|known| verdict.is_left_of_a_scan(known)) => true,
                // That a certificate was refused may be surer than why.
                _ if before.iter().any(|known| verdict.is_general_form_of(known)) => true,
                _ => verdict.is_of_the_capture() || verdict.claim() <= known.unwrap_or(0).max(2),
            };
            if !fine {
                self.note(&subject.name, &format!("{how}: {before:?} -> {verdict:?}"));
            }
        }
    }

    /// The same of what is left of a capture, where anything is, and not all.
    fn weaker_with_less(&mut self, subject: &Subject, how: &str, rest: &Capture) {
        if !rest.frames.is_empty() && rest.frames.len() < subject.capture.frames.len() {
            self.weaker(subject, how, &analyse_bytes(rest.pcap()).handshakes);
        }
    }

    fn assert_none(self, what: &str) {
        let known: Vec<&str> = KNOWN.lines().filter_map(|line| line.strip_prefix(what)?.strip_prefix(": ")).collect();
        let is_known = |name: &str| known.iter().any(|known| name.ends_with(known));
        let list: Vec<String> = self.0.iter().filter(|(name, _)| !is_known(name)).map(|(name, text)| format!("  {name}{text}")).collect();
        assert!(list.is_empty(), "{what}: {} of {} captures\n{}", list.len(), SUBJECTS.len(), list.join("\n"));
        if std::env::var_os("HANDSHARK_CAPTURES").is_none() {
            let held: Vec<&&str> = known.iter().filter(|known| !self.0.keys().any(|name| name.ends_with(**known))).collect();
            assert!(held.is_empty(), "{what}: these hold now; remove their lines from known.txt: {held:#?}");
        }
    }
}

/// The same capture changed in a way that must change nothing.
fn holds(what: &str, change: impl Fn(&Capture) -> Option<Capture>) {
    let (mut faults, mut changed) = (Faults::default(), 0);
    for subject in SUBJECTS.iter() {
        if let Some(capture) = change(&subject.capture) {
            changed += 1;
            faults.same(subject, &analyse_bytes(capture.pcap()).handshakes);
        }
    }
    assert!(changed > SUBJECTS.len() / 2, "{what}: only {changed} captures could be changed");
    faults.assert_none(what);
}

#[test]
fn other_addresses_and_ports_change_no_verdict() {
    holds("renamed", Capture::renamed);
}

#[test]
fn a_vlan_tag_changes_no_verdict() {
    holds("in a VLAN", Capture::tagged);
}

#[test]
fn a_tunnel_changes_no_verdict() {
    holds("in VXLAN", Capture::tunnelled);
}

/// Each direction by a way of its own, as taps and mirror ports of routed interfaces show them.
fn holds_by_ways(what: &str, ways: impl Fn(bool) -> Vec<Way>) {
    holds(what, |capture| capture.by_ways(&ways));
}

#[test]
fn a_vlan_for_each_direction_changes_no_verdict() {
    holds_by_ways("each direction in a VLAN", |up| vec![Way::Vlan(if up { 41 } else { 42 })]);
    holds_by_ways("one direction in a VLAN", |up| vec![if up { Way::Vlan(41) } else { Way::Plain }]);
}

#[test]
fn a_tunnel_for_each_direction_changes_no_verdict() {
    holds_by_ways("each direction in VXLAN or GENEVE", |up| vec![if up { Way::Vxlan(41) } else { Way::Geneve(42) }]);
    holds_by_ways("each direction in GRE", |up| vec![Way::GreKey(if up { 41 } else { 42 })]);
    holds_by_ways("each direction in two VLANs or none", |up| vec![if up { Way::Plain } else { Way::Qinq(7, 42) }]);
}

#[test]
fn labels_and_tunnel_ends_of_each_direction_change_no_verdict() {
    holds_by_ways("each direction in MPLS", |up| vec![Way::Mpls(if up { 41 } else { 42 })]);
    holds_by_ways("each direction in IP in IP", |up| vec![Way::IpInIp(if up { 1 } else { 2 })]);
}

#[test]
fn copies_in_other_tags_change_no_verdict() {
    holds_by_ways("one direction in two VLANs", |up| if up { vec![Way::Vlan(41), Way::Vlan(43)] } else { vec![Way::Vlan(42)] });
    holds_by_ways(
        "both directions by two ways",
        |up| if up { vec![Way::Vlan(41), Way::Vxlan(43)] } else { vec![Way::Plain, Way::GreKey(44)] },
    );
}

#[test]
fn copies_of_every_frame_change_no_verdict() {
    holds("every frame twice", |capture| Some(capture.doubled()));
}

/// Writes captures into a folder and analyses them as one.
fn together(captures: &[Capture]) -> Vec<HandshakeReport> {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = captures
        .iter()
        .enumerate()
        .map(|(number, capture)| {
            let path = dir.path().join(format!("{number:02}.pcap"));
            fs::write(&path, capture.pcap()).unwrap();
            path
        })
        .collect();
    analyse(&paths, 1).handshakes
}

#[test]
fn rotated_files_change_no_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter().filter(|subject| subject.capture.frames.len() >= 3) {
        let said = together(&subject.capture.rotated(3));
        // Files are put in the order of their times: where the clock was set back, nothing tells which came first.
        if subject.capture.is_in_order() {
            faults.same(subject, &said);
        } else {
            faults.weaker(subject, "rotated", &said);
        }
    }
    faults.assert_none("in three rotated files");
}

#[test]
fn an_unrelated_capture_of_another_day_changes_no_verdict() {
    let day = 86_400_000_000_000;
    let other = Capture::read(&fixtures().join("captures/cert/cert_expired_tls12_java.pcap"), MOST_FRAMES).unwrap();
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let Some(last) = subject.capture.frames.iter().map(|frame| frame.time).max() else { continue };
        let later = other.later(last + day - other.frames[0].time);
        let mut alone = Subject { name: subject.name.clone(), capture: subject.capture.clone(), said: subject.said.clone() };
        alone.said.extend(analyse_bytes(later.pcap()).handshakes);
        faults.same(&alone, &together(&[subject.capture.clone(), later]));
    }
    faults.assert_none("with a capture of another day");
}

/// The servers of its handshakes.
fn servers(subject: &Subject) -> Vec<(IpAddr, u16)> {
    subject.said.iter().filter_map(|report| end(&report.server)).collect()
}

fn end(peer: &Peer) -> Option<(IpAddr, u16)> {
    Some((peer.address.parse().ok()?, peer.port))
}

/// Farther away by this many milliseconds, there and back.
fn from_afar(far: Far, millis: i64) {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter().filter(|subject| subject.capture.is_in_order()) {
        if let Some(capture) = subject.capture.farther(&servers(subject), far, millis * 1_000_000) {
            faults.same(subject, &analyse_bytes(capture.pcap()).handshakes);
        }
    }
    faults.assert_none(&format!("{far:?} farther by {millis} ms"));
}

#[test]
fn a_server_farther_away_changes_no_verdict() {
    from_afar(Far::Server, 40);
}

#[test]
fn a_server_on_another_continent_changes_no_verdict() {
    from_afar(Far::Server, 350);
}

#[test]
fn a_client_farther_away_changes_no_verdict() {
    from_afar(Far::Client, 40);
}

#[test]
fn a_client_on_another_continent_changes_no_verdict() {
    from_afar(Far::Client, 350);
}

#[test]
fn smaller_segments_change_no_verdict() {
    holds("in segments of 512 bytes", |capture| capture.in_pieces(512));
}

#[test]
fn larger_segments_change_no_verdict() {
    holds("in segments of 60,000 bytes", |capture| capture.in_larger_pieces(60_000));
}

#[test]
fn checksums_that_are_computed_later_change_no_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let servers: Vec<IpAddr> = servers(subject).into_iter().map(|(address, _)| address).collect();
        for (who, of_servers, of_clients) in [("servers", true, false), ("clients", false, true), ("all", true, true)] {
            let whose = |address: IpAddr| if servers.contains(&address) { of_servers } else { of_clients };
            if let Some(capture) = subject.capture.offloaded(whose) {
                faults.weaker(subject, who, &analyse_bytes(capture.pcap()).handshakes);
            }
        }
    }
    faults.assert_none("offloaded");
}

#[test]
fn packets_without_a_link_layer_change_no_verdict() {
    holds("without a link layer", Capture::raw);
}

#[test]
fn another_port_changes_no_verdict() {
    holds("at port 9443", |capture| capture.at_port(443, 9443));
}

#[test]
fn a_segment_that_is_lost_and_comes_again_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let mut done = Vec::new();
        for report in &subject.said {
            let ends = [&report.client, &report.server].map(end);
            for (end, seen) in ends.into_iter().flatten().flat_map(|end| [(end, true), (end, false)]) {
                if done.len() > 8 || done.contains(&(end, seen)) {
                    continue;
                }
                done.push((end, seen));
                if let Some(capture) = subject.capture.with_loss(end, seen, 250_000_000) {
                    let mut said = analyse_bytes(capture.pcap()).handshakes;
                    // Of those that completed it is said what delayed them.
                    said.retain(|report| {
                        report.handshake.outcome != "completed" || report.diagnosis.cause.as_deref() != Some("packet-loss")
                    });
                    faults.weaker(subject, &format!("{end:?} seen twice: {seen}"), &said);
                }
            }
        }
    }
    faults.assert_none("with a loss");
}

#[test]
fn a_late_begin_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        for gone in 1..=4.min(subject.capture.frames.len().saturating_sub(1)) {
            faults.weaker(subject, &format!("without {gone}"), &analyse_bytes(subject.capture.from(gone).pcap()).handshakes);
        }
    }
    faults.assert_none("begun late");
}

#[test]
fn more_hops_change_no_verdict() {
    holds("over more hops", |capture| capture.over_hops(3, 9));
}

#[test]
fn a_coarser_clock_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        for step in [1_000, 1_000_000, 10_000_000] {
            faults.weaker(subject, &format!("steps of {step} ns"), &analyse_bytes(subject.capture.by_clock(step).pcap()).handshakes);
        }
    }
    faults.assert_none("by a coarser clock");
}

#[test]
fn stacks_without_timestamps_change_no_verdict() {
    holds("without TCP timestamps", Capture::without_timestamps);
}

#[test]
fn ipv6_changes_no_verdict() {
    holds("over IPv6", Capture::over_ipv6);
}

/// What happens to others is no reason for what happens to these.
#[test]
fn the_like_of_it_elsewhere_at_the_same_time_changes_no_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter().filter(|subject| subject.capture.is_in_order()) {
        let Some(both) = subject.capture.beside_its_like() else { continue };
        let twice = subject.said.iter().chain(&subject.said).cloned().collect();
        let alone = Subject { name: subject.name.clone(), capture: subject.capture.clone(), said: twice };
        faults.same(&alone, &analyse_bytes(both.pcap()).handshakes);
    }
    faults.assert_none("beside its like");
}

/// What a failure is judged by is what was around it, however long the capture goes on.
#[test]
fn what_comes_minutes_later_changes_no_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter().filter(|subject| subject.said.iter().any(|report| report.handshake.outcome != "completed")) {
        let Some(repeated) = subject.capture.repeated(9) else { continue };
        let frames = subject.capture.frames.len() as u64;
        let mut said = analyse_bytes(repeated.pcap()).handshakes;
        said.retain(|report| report.capture.first_frame <= frames);
        faults.same(subject, &said);
    }
    faults.assert_none("repeated");
}

#[test]
fn disorder_within_a_side_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        faults.weaker(subject, "disordered", &analyse_bytes(subject.capture.disordered().pcap()).handshakes);
    }
    faults.assert_none("disordered");
}

/// What this snapshot length leaves of the captures.
fn snapped_to(len: usize) {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        faults.weaker(subject, "snapped", &analyse_bytes(subject.capture.snapped(len).pcap()).handshakes);
    }
    faults.assert_none(&format!("snapped to {len} bytes"));
}

#[test]
fn a_snapshot_length_of_68_bytes_makes_no_other_verdict() {
    snapped_to(68);
}

#[test]
fn a_snapshot_length_of_128_bytes_makes_no_other_verdict() {
    snapped_to(128);
}

#[test]
fn a_snapshot_length_of_256_bytes_makes_no_other_verdict() {
    snapped_to(256);
}

#[test]
fn a_snapshot_length_of_1500_bytes_makes_no_other_verdict() {
    snapped_to(1500);
}

#[test]
fn an_earlier_end_makes_no_other_verdict() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let len = subject.capture.frames.len();
        let step = len.div_ceil(12).max(1);
        for keep in (1..len).step_by(step) {
            faults.weaker(subject, &format!("first {keep} frames"), &analyse_bytes(subject.capture.cut(keep).pcap()).handshakes);
        }
    }
    faults.assert_none("cut at the end");
}

#[test]
fn whatever_failed_has_a_cause_and_somebody_who_stopped_it() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        for verdict in verdicts(&subject.said) {
            let failed = !["completed", "incomplete"].contains(&verdict.outcome.as_str());
            let who: &[&str] = match verdict.outcome.as_str() {
                "completed" => &["nobody", "client", "server", "network"],
                // A silence until the capture's end that was long enough to name who should have spoken.
                "incomplete" if ["silence", "connect"].contains(&family(&verdict.cause)) => &["client", "server", "network"],
                // What a client says last over QUIC ends it, and the capture with it.
                "incomplete" if family(&verdict.cause) == "certificate" => &["client"],
                // A client that was served over TCP gave up what it had asked for over QUIC.
                "incomplete" if family(&verdict.cause) == "quic" => &["network", "capture"],
                "incomplete" => &["capture"],
                "alerted" | "reset" | "closed" | "stalled" | "refused" | "plaintext" => &["client", "server", "network"],
                _ => &[],
            };
            if failed && verdict.cause == "none" || !who.contains(&verdict.stopped_by.as_str()) {
                faults.note(&subject.name, &format!("{verdict:?}"));
            }
        }
    }
    faults.assert_none("failed without a cause, or stopped by nobody that could");
}

/// Keys add what was said in secret; what was certain without them stays, and nothing becomes vaguer.
#[test]
fn keys_take_nothing_away() {
    let mut faults = Faults::default();
    for subject in SUBJECTS.iter() {
        let path = PathBuf::from(&subject.name);
        let keys = path.with_extension("keys");
        if !keys.exists() {
            continue;
        }
        let with = verdicts(&analyse_with_keys(&[&path], &[&keys], 1).handshakes);
        let without = verdicts(&analyse(&[&path], 1).handshakes);
        let sure =
            |list: &[Verdict]| list.iter().filter(|verdict| verdict.claim() == 4).map(|verdict| verdict.cause.clone()).collect::<Vec<_>>();
        let lost: Vec<String> = sure(&without).into_iter().filter(|cause| !with.iter().any(|verdict| verdict.cause == *cause)).collect();
        let silent = without.iter().filter(|verdict| verdict.cause != "none").count()
            > with.iter().filter(|verdict| verdict.cause != "none").count();
        if !lost.is_empty() || silent && with.iter().any(|verdict| verdict.outcome != "completed") {
            faults.note(&subject.name, &format!("without keys {without:?}, with {with:?}"));
        }
    }
    faults.assert_none("with keys");
}
