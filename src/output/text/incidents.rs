//! Incidents: failures of one cause at one place, told once.

use std::io::{self, Write};

use anstyle::Style;

use super::{Telling, groups};
use crate::flow::Shown;
use crate::output::figures::{count, counted};
use crate::output::view;
use crate::report::{Advice, Incident, Scope};

/// Writes the incidents, the worst first.
pub(super) fn write(out: &mut dyn Write, telling: &Telling<'_>) -> io::Result<()> {
    let Telling { layout, collected, .. } = *telling;
    if collected.incidents.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    layout.heading(out, 0, "INCIDENTS")?;
    for (place, incident) in collected.incidents.iter().take(SHOWN).enumerate() {
        writeln!(out)?;
        one(out, telling, place, incident)?;
    }
    let hidden =
        u64::try_from(collected.incidents.len().saturating_sub(SHOWN)).unwrap_or(u64::MAX).saturating_add(collected.incidents_beyond);
    if hidden > 0 {
        writeln!(out)?;
        layout.prose(out, 0, &format!("and {}: see --json", counted(hidden, "smaller incident", "smaller incidents")))?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, telling: &Telling<'_>, place: usize, incident: &Incident) -> io::Result<()> {
    let Telling { layout, collected, options, again } = *telling;
    let (plain, palette) = (Style::new(), layout.palette);
    let with_date = collected.several_days();
    layout.row(
        out,
        0,
        INDENT,
        &[
            (palette.dim, &format!("Incident {}  ", place.saturating_add(1))),
            (palette.bad, incident.cause.slug()),
            (plain, " ("),
            (plain, incident.confidence.name()),
            (plain, ")  "),
            (palette.strong, &place_of(incident)),
        ],
    )?;
    let times = layout.period(incident.first_seen, incident.last_seen, with_date);
    layout.flow(out, INDENT, INDENT, &[(palette.dim, &times)])?;
    layout.prose(out, INDENT, &incident.summary)?;
    view::common_owners(incident).try_for_each(|(label, owner)| layout.labelled(out, INDENT, label, &owner))?;
    for change in incident.changes.iter().take(LISTED) {
        layout.labelled(out, INDENT, "What changed:", change)?;
    }
    let shown = collected.of_incident(place).find(|group| group.shown.diagnosis.cause == Some(incident.cause));
    if let Some(group) = shown {
        let label = if group.count > 1 { "For example" } else { "" };
        groups::subject(out, layout, &group.shown, label, with_date)?;
        groups::grounds(out, layout, &group.shown, options)?;
    }
    if !incident.remedy.is_empty() {
        layout.flow(out, INDENT, INDENT, &[(palette.strong, "Fix")])?;
        for line in &incident.remedy {
            layout.advice(out, INDENT.saturating_add(2), line)?;
        }
    }
    if let Some(group) = shown {
        if options.all {
            groups::others(out, layout, group, with_date, options)?;
        }
        let list = again.and_then(|again| again.list(incident)).filter(|_| !options.all);
        groups::next(out, layout, &group.shown, again, list.map(Advice::Command).as_ref())?;
    }
    let counted_here = collected.of_incident(place).fold(0_u64, |sum, group| sum.saturating_add(group.count));
    match counted_here.saturating_sub(incident.failed) {
        0 => Ok(()),
        more => layout.prose(out, INDENT, &format!("{} of this kind at other times: see --all", count(more))),
    }
}

/// Where: a name, some addresses, or the clients when they are what the failures have in common.
fn place_of(incident: &Incident) -> String {
    let servers = some_of(&incident.servers, incident.servers.len());
    if incident.scope == Scope::Client {
        let clients: Vec<Shown> = incident.clients.iter().copied().map(Shown).collect();
        let total = usize::try_from(incident.clients_total).unwrap_or(usize::MAX);
        return format!("{} {}", if total == 1 { "client" } else { "clients" }, some_of(&clients, total));
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
/// Indentation of what belongs to an incident: that of a failure's, which shows an example.
const INDENT: usize = groups::INDENT;
