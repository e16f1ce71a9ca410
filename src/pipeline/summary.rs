//! The summary that ends a run: what was read, what was found, what a reader should know before believing it.

use crate::capture::Inventory;
use crate::count::Count;
use crate::frame::LinkType;
use crate::packet::{Skip, link_name};
use crate::report::{self, Input, Summary};
use crate::transport::TableCounters;

use super::router::RouterCounts;

/// What the summary counts.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) handshakes: u64,
    pub(super) classes: report::Classes,
    pub(super) outcomes: report::Counts,
    pub(super) causes: report::Counts,
    /// Undecided because nothing was captured while they were open.
    pub(super) cut_off: u64,
    /// Picked out of a larger capture by what their packets carry.
    pub(super) picked_out: u64,
    /// The capturing host's clock stepped forward in the middle of them.
    pub(super) stepped: u64,
    /// Chains that were not verified to their end.
    pub(super) unverified: u64,
    /// Handshakes for which there was no time at the end.
    pub(super) unjudged: u64,
    pub(super) other_flows: report::Counts,
}

pub(super) fn summary(
    inventory: &Inventory,
    counts: &RouterCounts,
    table: &TableCounters,
    totals: &Totals,
    incidents: u64,
    interrupted: bool,
) -> Summary {
    let skipped = Skip::ALL.iter().zip(counts.skipped).filter(|(_, count)| *count > 0);
    Summary {
        inputs: inventory
            .inputs
            .iter()
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
        notes: notes(inventory, counts, table, totals, interrupted),
    }
}

/// What a reader should know, each with what to do about it.
fn notes(inventory: &Inventory, counts: &RouterCounts, table: &TableCounters, totals: &Totals, interrupted: bool) -> Vec<String> {
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
                "{}: frame {}{more} with an impossible time ({}); a time between those of its neighbours was taken in its place.",
                input.path.display(),
                odd.frame,
                odd.time.to_second()
            ));
        }
    }
    notes.extend(silences(inventory, counts, totals));
    for (one, other) in counts.points.iter().take(SILENCES) {
        if let (Some(one), Some(other)) = (inventory.inputs.get(*one), inventory.inputs.get(*other)) {
            let (one, other) = (one.path.display(), other.path.display());
            notes.push(format!(
                "{one} and {other} are two points of capture of the same connections, read here as one. What each of them saw: handshark match {one} {other}."
            ));
        }
    }
    for (link, frames) in &counts.unknown_links {
        let name = link_name(LinkType(*link)).map(|name| format!(" ({name})")).unwrap_or_default();
        notes.push(format!("{frames} frames of link type {link}{name} cannot be read; capture on another interface, or with `-y EN10MB` where the device offers it."));
    }
    for interface in &inventory.interfaces {
        if let Some(dropped) = interface.dropped.filter(|dropped| !dropped.is_zero()) {
            notes.push(format!(
                "{}: {dropped} packets were dropped while capturing; verdicts that rest on missing packets are unsure.",
                interface.name
            ));
        }
    }
    if inventory.filtered_out > 0 {
        notes.push(format!("The filter left out {} frames.", inventory.filtered_out));
    }
    if table.evicted > 0 || table.evicted_half_open > 0 {
        notes.push(format!(
            "{} connections and {} half-open connections were given up to stay within bounds.",
            table.evicted, table.evicted_half_open
        ));
    }
    if inventory.unread > 0 {
        notes.push(format!("Stopped with {} packets unread: they were captured, and there was no time to look at them.", inventory.unread));
    }
    if totals.unjudged > 0 {
        notes.push(format!("Stopped with {} handshakes not judged: they are not among those reported.", totals.unjudged));
    }
    if table.evicted_for_bytes > 0 {
        notes.push(format!(
            "{} of them because all together held too much (unfinished messages, hellos, certificates, records that await keys); the largest went first.",
            table.evicted_for_bytes
        ));
    }
    if inventory.interfaces_cut > 0 {
        notes.push(format!("{} interfaces lost their names to stay within bounds.", inventory.interfaces_cut));
    }
    if totals.unverified > 0 {
        notes.push(format!(
            "{} of certificates not verified to the end, for more signatures were asked for than are looked at in that time, or too many certificates bore one name; `unverified` tells which.",
            if totals.unverified == 1 { "1 chain was".to_owned() } else { format!("{} chains were", totals.unverified) }
        ));
    }
    if table.google_quic > 0 {
        notes.push(format!(
            "{} Google QUIC (versions Q009 to Q050): its handshake is not TLS, and is not judged.",
            if table.google_quic == 1 { "1 datagram is".to_owned() } else { format!("{} datagrams are", table.google_quic) }
        ));
    }
    if counts.frames == 0 {
        notes.push("No packets: the capture is empty. Was it stopped too early, or did its filter match nothing?".to_owned());
    } else if totals.handshakes == 0 && table.flows == 0 {
        notes.push(
            "No connection was found. Was the capture taken on the right interface, with a filter that lets TCP (and UDP, for QUIC and DTLS) pass?".to_owned(),
        );
    } else if totals.handshakes == 0 {
        let flows = if table.flows == 1 { "1 connection".to_owned() } else { format!("{} connections", table.flows) };
        // Of what began in the capture nothing is missing: it carried something else.
        let late = ["midstream", "no-payload"]
            .iter()
            .filter_map(|word| totals.other_flows.get(word))
            .fold(0u64, |sum, count| sum.saturating_add(*count));
        notes.push(if late > 0 {
            format!("No TLS handshake was found in {flows}, of which {late} began before the capture, which must include the beginning: start it, then let the client reconnect.")
        } else {
            format!("No TLS handshake was found in {flows}, which the capture holds from the beginning: they carried something else.")
        });
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
            format!("Nothing was captured between {} and {}: what was open then is undecided.", from.to_second(), to.to_second())
        })
        .collect();
    let more = counts.silences_more.saturating_add(counts.silences.len().saturating_sub(SILENCES) as u64);
    if more > 0 {
        notes.push(format!("Nothing was captured at {more} more times of a minute and longer."));
    }
    notes
}

/// Times without a frame that are told one by one.
const SILENCES: usize = 3;
