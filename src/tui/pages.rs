//! An incident, and one handshake, in full: what `show` writes, with the verdict and what to do first.

use std::io::{self, Write as _};

use anstyle::Style;
use ratatui::text::Line;

use super::ansi;
use super::data::Tracked;
use super::look::{bars, percent};
use crate::output::figures::span_us;
use crate::output::layout::Layout;
use crate::output::show;
use crate::output::style::Palette;
use crate::output::view;
use crate::report::Handshake;
use crate::time::{Timestamp, Zone};

/// The lines of a handshake's page.
pub(super) fn handshake(report: &Handshake<'_>, columns: usize, color: bool, zone: &Zone) -> Vec<Line<'static>> {
    written(columns, color, zone, |out, layout| {
        if report.handshake.provisional {
            layout.flow(out, 0, 0, &[(layout.palette.warn, "This handshake is still under way.")])?;
        }
        show::verdict_first(out, layout, report)
    })
}

/// The lines of an incident's page.
pub(super) fn incident(tracked: &Tracked, now: Timestamp, columns: usize, color: bool, zone: &Zone) -> Vec<Line<'static>> {
    let incident = &tracked.incident;
    written(columns, color, zone, |out, layout| {
        let (plain, palette) = (Style::new(), layout.palette);
        let grave = if incident.completed == incident.failed { palette.warn } else { palette.bad };
        let place = view::place(incident);
        let sure = format!(" ({})  ", incident.confidence.name());
        layout.flow(out, 0, 2, &[(grave, incident.cause.slug()), (plain, &sure), (palette.strong, &place)])?;
        layout.prose(out, 0, &incident.summary)?;
        let (since, last) = (incident.first_seen, incident.last_seen);
        let times = format!(
            "{}, since {} ({} ago), last {} ({} ago)",
            percent(incident.failed, incident.attempts),
            layout.moment(since, false),
            ago(since, now),
            layout.moment(last, false),
            ago(last, now)
        );
        layout.flow(out, 0, 2, &[(palette.dim, &times)])?;
        let trend = bars(tracked.trend(now).into_iter());
        writeln!(out, "{0}Failures in the last two minutes:{0:#} [{1}{trend}{1:#}]", palette.dim, palette.command)?;
        view::common_owners(incident).try_for_each(|(label, owner)| layout.labelled(out, 0, label, &owner))?;
        for change in &incident.changes {
            layout.labelled(out, 0, "What changed:", change)?;
        }
        if !incident.remedy.is_empty() {
            layout.heading(out, 0, "Fix")?;
            for line in &incident.remedy {
                layout.advice(out, 2, line)?;
            }
        }
        writeln!(out)?;
        let clients = incident.clients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let more = incident.clients_total.saturating_sub(incident.clients.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        layout.labelled(out, 0, "Clients:", &format!("{clients}{more}"))?;
        let servers = incident.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        layout.labelled(out, 0, "Servers:", &servers)?;
        layout.labelled(out, 0, "More about this cause:", &format!("handshark explain {}", incident.cause))
    })
}

/// How long ago it was: `48 s`, `4 min 9 s`, `2 h 3 min`.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    if seconds < 60 { format!("{seconds} s") } else { span_us(seconds.saturating_mul(1_000_000)) }
}

fn written(columns: usize, color: bool, zone: &Zone, write: impl FnOnce(&mut Vec<u8>, &Layout) -> io::Result<()>) -> Vec<Line<'static>> {
    let palette =
        if color { Palette::COLOURED } else { Palette { strong: Style::new().bold(), dim: Style::new().dimmed(), ..Palette::PLAIN } };
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = write(&mut out, &Layout::new(Some(columns), palette).in_zone(zone.clone()));
    ansi::lines(&String::from_utf8_lossy(&out))
}
