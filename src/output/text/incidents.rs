//! Many handshakes, one cause.

use std::io::{self, Write};

use anstyle::Style;

use crate::output::collect::Collected;
use crate::output::figures::{count, counted, when};
use crate::output::layout::Layout;
use crate::report::{Incident, Scope};

/// Writes the incidents, the worst first.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, collected: &Collected) -> io::Result<()> {
    if collected.incidents.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    layout.heading(out, 0, "INCIDENTS: many handshakes, one cause")?;
    for (place, incident) in collected.incidents.iter().take(SHOWN).enumerate() {
        writeln!(out)?;
        one(out, layout, place.saturating_add(1), incident, collected.several_days())?;
    }
    let hidden =
        u64::try_from(collected.incidents.len().saturating_sub(SHOWN)).unwrap_or(u64::MAX).saturating_add(collected.incidents_beyond);
    if hidden > 0 {
        writeln!(out)?;
        layout.prose(out, 0, &format!("and {}: see --json", counted(hidden, "smaller incident", "smaller incidents")))?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, layout: &Layout, place: usize, incident: &Incident, with_date: bool) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let number = format!("Incident {place}  ");
    layout.flow(
        out,
        0,
        2,
        &[
            (palette.dim, &number),
            (palette.bad, incident.cause.slug()),
            (plain, " ("),
            (plain, incident.confidence.name()),
            (plain, ")  "),
            (palette.strong, &place_of(incident)),
        ],
    )?;
    let figures = format!(
        "{} of {}, from {}, {} to {}",
        count(incident.failed),
        counted(incident.attempts, "handshake", "handshakes"),
        counted(incident.clients_total, "client", "clients"),
        when(incident.first_seen, with_date),
        when(incident.last_seen, with_date),
    );
    layout.flow(out, 2, 2, &[(palette.dim, &figures)])?;
    layout.prose(out, 2, &incident.summary)?;
    for change in incident.changes.iter().take(LISTED) {
        layout.labelled(out, 2, "What changed:", change)?;
    }
    if !incident.remedy.is_empty() {
        layout.flow(out, 2, 2, &[(palette.strong, "Fix")])?;
        for line in &incident.remedy {
            layout.advice(out, 4, line)?;
        }
    }
    Ok(())
}

/// Where: a name, some addresses, or the clients when they are what the failures have in common.
fn place_of(incident: &Incident) -> String {
    let servers = some_of(&incident.servers, incident.servers.len());
    if incident.scope == Scope::Client {
        let total = usize::try_from(incident.clients_total).unwrap_or(usize::MAX);
        return format!("clients {}", some_of(&incident.clients, total));
    }
    match &incident.server_name {
        Some(name) => format!("{name} ({servers})"),
        None => servers,
    }
}

fn some_of(items: &[impl ToString], total: usize) -> String {
    let shown = items.iter().take(LISTED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match total.saturating_sub(LISTED.min(items.len())) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Incidents shown in full.
const SHOWN: usize = 10;
/// Addresses or changes shown of each.
const LISTED: usize = 3;
