//! The summary that ends a run: what was read, what was found, what a reader should know before believing it.

use std::collections::BTreeSet;

use crate::capture::Inventory;
use crate::count::Count;
use crate::diagnosis::clock;
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::remedy::parts::FilePath;
use crate::frame::LinkType;
use crate::handshake::relevance::{QUIC_UNREAD, REFUSED, UNANSWERED, UNSPOKEN};
use crate::packet::{Skip, link_name};
use crate::report::{self, Carried, Command, Input, Summary, total_bytes};
use crate::site::Observer;
use crate::traffic::Volumes;
use crate::transport::TableCounters;
use crate::wording::counted;

use super::router::RouterCounts;

/// What the summary counts.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) handshakes: u64,
    pub(super) classes: report::Classes,
    pub(super) answer: report::Answer,
    pub(super) outcomes: report::Counts,
    pub(super) causes: report::Counts,
    /// Undecided because nothing was captured while they were open.
    pub(super) cut_off: u64,
    /// Picked out of a larger capture by what their packets carry.
    pub(super) picked_out: u64,
    /// The capturing host's clock stepped forward in the middle of them.
    pub(super) stepped: u64,
    /// Captured at another point, too, and not reported again.
    pub(super) copies: u64,
    /// Of servers of which other shards may know more.
    pub(super) strays: u64,
    /// Chains that were not verified to their end.
    pub(super) unverified: u64,
    /// The first frame that is not told by file, for want of room.
    pub(super) unplaced_from: Option<u64>,
    /// Handshakes for which there was no time at the end.
    pub(super) unjudged: u64,
    pub(super) other_flows: report::Counts,
    /// Ports of servers to which connections did not come up, where nobody knows whether TLS was wanted: the least of them.
    pub(super) closed_ports: BTreeSet<u16>,
}

impl Totals {
    /// A connection that is not reported, because of this word.
    pub(super) fn pass_over(&mut self, word: &'static str, port: u16) {
        count(&mut self.other_flows, word, 1);
        if [REFUSED, UNANSWERED].contains(&word) {
            self.closed_ports.insert(port);
            if self.closed_ports.len() > PORTS {
                self.closed_ports.pop_last();
            }
        }
    }

    /// A handshake whose client's port changed was followed, under the other port, as a flow that shows no hello: it is known now to be none of its own.
    pub(super) fn went_on(&mut self, known: Option<&Knowledge>) {
        if known.is_some_and(|known| known.moved.is_some())
            && let Some(count) = self.other_flows.get_mut(QUIC_UNREAD)
        {
            *count = count.saturating_sub(1);
            self.other_flows.retain(|_, count| *count > 0);
        }
    }
}

/// Counts so many more of these.
pub(super) fn count(counts: &mut report::Counts, what: &'static str, more: u64) {
    let count = counts.entry(what).or_default();
    *count = count.saturating_add(more);
}

pub(super) fn summary(
    inventory: &Inventory,
    counts: &RouterCounts,
    table: &TableCounters,
    traffic: &Volumes,
    totals: &Totals,
    incidents: u64,
    interrupted: bool,
) -> Summary {
    let traffic = if inventory.shard.is_some() { Carried::every(traffic) } else { Carried::all(traffic) };
    let skipped = Skip::ALL.iter().zip(counts.skipped).filter(|(_, count)| *count > 0);
    Summary {
        observer: Observer::default(),
        inputs: inventory
            .inputs
            .iter()
            // Of what a condensate names and was not read for it nothing is known.
            .filter(|input| !input.format.is_empty())
            .map(|input| Input {
                source: input.path.display().to_string(),
                format: input.format.clone(),
                frames: input.frames,
                bytes: input.bytes,
                damage: input.damage.clone(),
                sha256: None,
            })
            .collect(),
        frames: counts.frames,
        bytes: counts.bytes,
        decoded: counts.decoded,
        skipped: skipped.map(|(reason, count)| (reason.name(), count)).collect(),
        times: counts.first.map(|first| (first, counts.last.time)),
        flows: table.flows,
        handshakes: totals.handshakes,
        left_out: None,
        classes: totals.classes,
        outcomes: totals.outcomes.clone(),
        causes: totals.causes.clone(),
        incidents,
        drops: inventory.interfaces.iter().filter_map(|interface| interface.dropped).sum::<Count>().get().saturating_add(inventory.unread),
        unread: (inventory.unread > 0).then_some(inventory.unread),
        unjudged: (totals.unjudged > 0).then_some(totals.unjudged),
        evictions: table.evicted.saturating_add(table.evicted_half_open),
        other_flows: totals.other_flows.clone(),
        answer: totals.answer.clone(),
        notes: notes(inventory, counts, table, (totals, &traffic), interrupted),
        traffic,
    }
}

/// What the capture's clock is worth, where it is worth nothing.
fn times(counts: &RouterCounts) -> Option<String> {
    let first = counts.first?;
    let span = counts.last.time.nanos().saturating_sub(first.nanos());
    if counts.frames > FEW_FRAMES && clock::counts_frames(counts.frames.saturating_sub(1), span) {
        return Some(
            "The capture has no times: its frames are all of one moment, or one microsecond apart, as hex dumps give them. How long anybody waited is not known, and less is concluded from silence and from who ended a connection.".to_owned(),
        );
    }
    clock::is_before_tls(first).then(|| {
        format!("The clock of the capturing device is wrong ({}): whether certificates were valid then is not judged.", first.to_second())
    })
}

/// Of fewer frames it is no wonder that they came at once.
const FEW_FRAMES: u64 = 8;

/// What a reader should know, each with what to do about it.
fn notes(
    inventory: &Inventory,
    counts: &RouterCounts,
    table: &TableCounters,
    (totals, traffic): (&Totals, &[Carried]),
    interrupted: bool,
) -> Vec<String> {
    let mut notes = Vec::new();
    if interrupted {
        notes.push("Interrupted: this is what had been read by then.".to_owned());
    }
    for input in &inventory.inputs {
        if let Some(damage) = &input.damage {
            notes.push(format!("{}: {damage}", input.path.display()));
        }
    }
    for input in &inventory.inputs {
        if let Some(odd) = input.first_odd_time {
            let more = if input.odd_times > 1 { format!(" and {} more", input.odd_times.saturating_sub(1)) } else { String::new() };
            notes.push(format!(
                "{}: frame {}{more} with an impossible time ({}); a time between those of the neighbouring frames is used instead.",
                input.path.display(),
                odd.frame,
                odd.time.to_second()
            ));
        }
    }
    notes.extend(times(counts));
    if let Some(from) = totals.unplaced_from {
        notes.push(format!(
            "From frame {from} of all on, frames are counted over all inputs and not by file: the inputs take turns too often for each to be remembered."
        ));
    }
    notes.extend(window_gaps(inventory));
    notes.extend(silences(inventory, counts, totals));
    for (one, other) in counts.points.iter().take(SILENCES) {
        if let (Some(one), Some(other)) = (inventory.inputs.get(*one), inventory.inputs.get(*other)) {
            // A name that cannot be typed safely is in no command.
            let command = FilePath::new(&one.path)
                .zip(FilePath::new(&other.path))
                .map(|(one, other)| format!(": {}", Command::new("handshark match").operand(one).operand(other)))
                .unwrap_or_default();
            let (one, other) = (one.path.display(), other.path.display());
            notes.push(format!(
                "{one} and {other} seem to capture the same connections at two points and were read as one capture. `handshark match` compares the two points{command}"
            ));
        }
    }
    for (link, frames) in &counts.unknown_links {
        let name = link_name(LinkType(*link)).map(|name| format!(" ({name})")).unwrap_or_default();
        notes.push(format!(
            "{} of link type {link}{name} cannot be read; capture on another interface, or with `-y EN10MB` if the device offers it.",
            counted(*frames, "frame", "frames")
        ));
    }
    for interface in &inventory.interfaces {
        if let Some(dropped) = interface.dropped.filter(|dropped| !dropped.is_zero()) {
            notes.push(format!(
                "{}: {} dropped during the capture; verdicts based on missing packets are uncertain.",
                interface.name,
                counted(dropped.get(), "packet", "packets")
            ));
        }
    }
    if inventory.filtered_out > 0 {
        notes.push(format!("The filter left out {}.", counted(inventory.filtered_out, "frame", "frames")));
    }
    if table.evicted > 0 || table.evicted_half_open > 0 {
        notes.push(format!(
            "Dropped to stay within the memory limits: {} and {}.",
            counted(table.evicted, "connection", "connections"),
            counted(table.evicted_half_open, "half-open connection", "half-open connections")
        ));
    }
    if inventory.unread > 0 {
        notes.push(format!(
            "Stopped with {} unread: captured, but there was no time to analyze them.",
            counted(inventory.unread, "packet", "packets")
        ));
    }
    if totals.unjudged > 0 {
        notes
            .push(format!("Stopped with {} not judged, which are not in the report.", counted(totals.unjudged, "handshake", "handshakes")));
    }
    if table.evicted_for_bytes > 0 {
        notes.push(format!(
            "{} of them because all connections together held too much (unfinished messages, hellos, certificates, records that wait for keys); the largest were dropped first.",
            table.evicted_for_bytes
        ));
    }
    if table.ways_apart > 0 {
        notes.push(format!(
            "Not joined to stay within the memory limits: {} of connections whose packets come in two tunnels or VLANs, one for each direction. Such a connection may be told twice, each time with one direction.",
            counted(table.ways_apart, "direction", "directions")
        ));
    }
    if table.tunnels_dropped > 0 {
        notes.push(format!(
            "Not read to their end to stay within the limits: {} of HTTP/2 connections that keys opened. Handshakes in them are not reported.",
            counted(table.tunnels_dropped, "tunnel", "tunnels")
        ));
    }
    if inventory.interfaces_cut > 0 {
        notes.push(format!(
            "Names dropped to stay within the memory limits: {}.",
            counted(inventory.interfaces_cut, "interface", "interfaces")
        ));
    }
    if totals.unverified > 0 {
        notes.push(format!(
            "Not fully verified: {}, because there were more signatures than handshark verifies in that time, or too many certificates with the same name; see `unverified`.",
            counted(totals.unverified, "certificate chain", "certificate chains")
        ));
    }
    if table.google_quic > 0 {
        notes.push(format!(
            "Google QUIC (versions Q009 to Q050), whose handshake is not TLS and is not judged: {}.",
            counted(table.google_quic, "datagram", "datagrams")
        ));
    }
    let hidden = hidden(traffic, totals);
    let hides = !hidden.is_empty();
    notes.extend(hidden);
    if inventory.shard.is_some() {
        // What there is besides is told by other shards.
    } else if counts.frames == 0 {
        notes.push("The capture is empty: it was stopped too early, or its capture filter matched nothing.".to_owned());
    } else if totals.handshakes == 0 && table.flows == 0 && hides {
        // Where else to capture has been said.
    } else if totals.handshakes == 0 && table.flows == 0 {
        notes.push(
            "No TCP connection, and no flow with a handshake over UDP, was found. Was the capture taken on the right interface, with a filter that lets TCP (and UDP, for QUIC, DTLS, EAP in RADIUS and OpenVPN) pass?".to_owned(),
        );
    } else if totals.handshakes == 0 {
        let flows = counted(table.flows, "connection", "connections");
        // Of what began in the capture nothing is missing: it carried something else.
        let late = ["midstream", "no-payload"]
            .iter()
            .filter_map(|word| totals.other_flows.get(word))
            .fold(0u64, |sum, count| sum.saturating_add(*count));
        let cut = totals.other_flows.get("cut").copied().unwrap_or_default();
        let scan = totals.other_flows.get("scan").copied().unwrap_or_default();
        let of = |word: &str| totals.other_flows.get(word).copied().unwrap_or_default();
        let (refused, unanswered, unspoken) = (of(REFUSED), of(UNANSWERED), of(UNSPOKEN));
        let empty = refused.saturating_add(unanswered).saturating_add(unspoken);
        notes.push(if table.flows > 0 && refused.saturating_add(unanswered) == table.flows {
            never_up(refused, unanswered, &totals.closed_ports)
        } else if scan == table.flows {
            format!("No TLS handshake was found in {flows}: they are a scan's, with SYNs that no system makes by itself.")
        } else if cut > 0 {
            format!("No TLS handshake was found in {flows}: of {cut} the capture holds packets without what they carried, as its snapshot length cut them. Capture whole packets (tcpdump: no -s, or -s 0).")
        } else if late > 0 {
            format!("No TLS handshake was found in {flows}, of which {late} started before the capture. The capture must include the start of the connections: start it first, then make the client reconnect.")
        } else if empty >= table.flows {
            format!("No TLS handshake was found in {flows}, captured from the start: not one of them carried a byte, and {unspoken} came up.")
        } else if empty > 0 {
            format!("No TLS handshake was found in {flows}, captured from the start: {empty} carried nothing, and the others something else.")
        } else {
            format!("No TLS handshake was found in {flows}, captured from the start: they carried something else.")
        });
    }
    notes
}

/// Ports that are remembered, one more than are named.
const PORTS: usize = 9;

/// No connection came up: what each of them met with.
fn never_up(refused: u64, unanswered: u64, ports: &BTreeSet<u16>) -> String {
    let (were, got) =
        (counted(refused, "was refused", "were refused"), counted(unanswered, "SYN was not answered", "SYNs were not answered"));
    let met = match (refused, unanswered) {
        (_, 0) => were,
        (0, _) => got,
        _ => format!("{were}, and {got}"),
    };
    let told: Vec<String> = ports.iter().take(PORTS - 1).map(u16::to_string).collect();
    let more = if ports.len() >= PORTS { " and others" } else { "" };
    let named = if ports.len() == 1 { "TCP port" } else { "TCP ports" };
    format!(
        "No connection came up, so that nobody could begin with TLS: {met} ({named} {}{more}). Check what listens there, and the firewalls in between.",
        told.join(", ")
    )
}

/// What hides the TLS in it, where it is more than a trace, each protocol once.
fn hidden(traffic: &[Carried], totals: &Totals) -> Vec<String> {
    let total = total_bytes(traffic);
    let mut told = BTreeSet::new();
    let hiding = traffic.iter().filter_map(|carried| Some((carried, carried.capture_instead()?)));
    hiding
        .filter(|(carried, _)| totals.handshakes == 0 || carried.percent(total) >= LEAST_HIDDEN)
        .filter(|(carried, _)| told.insert(carried.protocol()))
        .map(|(carried, place)| format!("What travels in {} cannot be seen here. Capture it {place}.", carried.told(total)))
        .collect()
}

/// Windows that nobody has condensed, or that were not given.
fn window_gaps(inventory: &Inventory) -> Vec<String> {
    let gaps = inventory.account.as_ref().map(|account| account.gaps.as_slice()).unwrap_or_default();
    let told = gaps.iter().take(SILENCES).map(|gap| {
        let sensor = gap.sensor.as_ref().map(|sensor| format!(" of sensor {sensor}")).unwrap_or_default();
        let site = gap.site.as_ref().map(|site| format!(" at site {site}")).unwrap_or_default();
        let (from, to) = (gap.from.to_second(), gap.to.to_second());
        format!("No condensate{sensor}{site} holds what began between {from} and {to}: it is not reported, and verdicts may lack what it showed. If there are captures of that time, condense them, too.")
    });
    let mut notes: Vec<String> = told.collect();
    if let Some(more) = gaps.len().checked_sub(SILENCES).filter(|more| *more > 0) {
        notes.push(format!("{} between windows that were condensed.", counted(more as u64, "more such gap", "more such gaps")));
    }
    notes
}

/// Times in which nothing was captured: between inputs, and within one where a connection was open then.
fn silences(inventory: &Inventory, counts: &RouterCounts, totals: &Totals) -> Vec<String> {
    if inventory.inputs.len() < 2 && totals.cut_off == 0 {
        return Vec::new();
    }
    let told = counts.silences.iter().take(SILENCES);
    let mut notes: Vec<String> = told
        .map(|(from, to)| {
            format!("Nothing was captured between {} and {}: what was cut off there is undecided.", from.to_second(), to.to_second())
        })
        .collect();
    let more = counts.silences_more.saturating_add(counts.silences.len().saturating_sub(SILENCES) as u64);
    if more > 0 {
        notes.push(format!("Nothing was captured in {} of a minute or longer.", counted(more, "more period", "more periods")));
    }
    notes
}

/// Hundredths of the capture's bytes from which on it is told that a tunnel hides them, where there are handshakes beside it.
const LEAST_HIDDEN: u64 = 5;
/// Times without a frame that are told one by one.
const SILENCES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_nobody_reached_are_named() {
        let mut totals = Totals::default();
        for port in [5432, 389, 5432] {
            totals.pass_over(REFUSED, port);
        }
        totals.pass_over(UNSPOKEN, 443);
        let note = |totals: &Totals| never_up(totals.other_flows[REFUSED], 0, &totals.closed_ports);
        assert!(note(&totals).contains("3 were refused (TCP ports 389, 5432). Check"), "{}", note(&totals));
        (7001..7020).for_each(|port| totals.pass_over(REFUSED, port));
        assert!(note(&totals).contains("5432, 7001, 7002, 7003, 7004, 7005, 7006 and others)"), "{}", note(&totals));
    }
}
