//! What the rows of a fleet say together: its incidents, and which sensors were not heard of.

use std::io::{self, Write};

use anstyle::Style;

use super::json::Json;
use super::layout::Layout;
use super::line::LineSink;
use super::view;
use crate::report::{Incident, Observer, Sensed, SensorState, Sink as _};
use crate::wording::{count, counted};

/// Tells of a fleet: at once what is told while it lasts, and at the end the whole.
#[derive(Debug)]
pub struct Teller<W: Write> {
    out: W,
    /// How it looks for people; none for JSON.
    layout: Option<Layout>,
}

impl<W: Write> Teller<W> {
    /// One JSON object a line where there is no layout, else for people.
    pub const fn new(out: W, layout: Option<Layout>) -> Self {
        Self { out, layout }
    }

    /// Tells of an incident that begins, grows or ends.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        match &self.layout {
            None => object(&mut self.out, |json| incident.write(json)),
            Some(layout) => LineSink::new(&mut self.out, layout.palette).in_zone(layout.zone().clone()).incident(incident),
        }
    }

    /// Tells how a sensor is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sensor(&mut self, sensor: &Sensed) -> io::Result<()> {
        match &self.layout {
            None => object(&mut self.out, |json| sensor.write(json)),
            Some(layout) => one_sensor(&mut self.out, layout, sensor, 0),
        }
    }

    /// Tells everything: incidents, the worst first, and the sensors.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&mut self, incidents: &[Incident], sensors: &[Sensed]) -> io::Result<()> {
        if self.layout.is_none() {
            incidents.iter().try_for_each(|incident| self.incident(incident))?;
            sensors.iter().try_for_each(|sensor| self.sensor(sensor))?;
            return self.out.flush();
        }
        let Self { out, layout: Some(layout) } = self else { return Ok(()) };
        let sites: std::collections::BTreeSet<_> = sensors.iter().filter_map(|sensor| sensor.observer.site.name()).collect();
        let of_sites = if sites.is_empty() { String::new() } else { format!(" of {}", counted(sites.len(), "site", "sites")) };
        let told = format!(
            "{} in what {}{of_sites} saw.",
            counted(incidents.len(), "incident", "incidents"),
            counted(sensors.len(), "sensor", "sensors")
        );
        layout.prose(out, 0, &told)?;
        for incident in incidents {
            writeln!(out)?;
            one(out, layout, incident)?;
        }
        let odd: Vec<&Sensed> = sensors.iter().filter(|sensor| sensor.state == SensorState::Silent || !sensor.gaps.is_empty()).collect();
        if !odd.is_empty() {
            writeln!(out)?;
            layout.heading(out, 0, "SENSORS THAT WERE NOT HEARD OF")?;
            odd.into_iter().try_for_each(|sensor| one_sensor(out, layout, sensor, 2))?;
        }
        out.flush()
    }

    /// Sends what was written on its way.
    ///
    /// # Errors
    /// When that fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn object(out: &mut impl Write, fields: impl FnOnce(&mut Json)) -> io::Result<()> {
    let mut json = Json::default();
    json.whole(fields);
    json.out.push(b'\n');
    out.write_all(&json.out)
}

fn one(out: &mut dyn Write, layout: &Layout, incident: &Incident) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let place = view::place(incident);
    let spans = [(palette.bad, incident.cause.slug()), (plain, "  "), (palette.strong, place.as_str())];
    layout.row(out, 0, INDENT, &spans)?;
    let times = layout.period(incident.first_seen, incident.last_seen, true);
    layout.flow(out, INDENT, INDENT, &[(palette.dim, &times)])?;
    let sensors: Vec<&str> = incident.sensors.iter().map(AsRef::as_ref).collect();
    let site = incident.observer.site.name().map(|site| format!("site {site}"));
    let seen =
        site.into_iter().chain((!sensors.is_empty()).then(|| format!("seen by {}", sensors.join(", ")))).collect::<Vec<_>>().join(", ");
    if !seen.is_empty() {
        layout.prose(out, INDENT, &seen)?;
    }
    layout.prose(out, INDENT, &incident.summary)?;
    view::common_owners(incident).try_for_each(|(label, owner)| layout.labelled(out, INDENT, label, &owner))?;
    incident.changes.iter().try_for_each(|change| layout.labelled(out, INDENT, "What changed:", change))?;
    if !incident.remedy.is_empty() {
        layout.flow(out, INDENT, INDENT, &[(palette.strong, "Fix")])?;
        incident.remedy.iter().try_for_each(|line| layout.advice(out, INDENT.saturating_add(2), line))?;
    }
    Ok(())
}

fn one_sensor(out: &mut dyn Write, layout: &Layout, sensor: &Sensed, indent: usize) -> io::Result<()> {
    let palette = layout.palette;
    let name = name(&sensor.observer);
    let (style, what) = match sensor.state {
        SensorState::Silent => (palette.bad, format!("silent since {}", layout.when(sensor.heard, true))),
        SensorState::Ended => (Style::new(), format!("ended at {}", layout.when(sensor.heard, true))),
        SensorState::Heard => (palette.good, format!("heard of at {}", layout.when(sensor.heard, true))),
    };
    let gaps = sensor.gaps.iter().map(|(from, to)| format!("; not heard of from {}", layout.period(*from, *to, true)));
    let lost = [(sensor.drops, "packets dropped"), (sensor.lost_reports, "reports lost")];
    let lost = lost.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("; {} {what}", count(number)));
    let rest: String = gaps.chain(lost).collect();
    layout.row(
        out,
        indent,
        indent.saturating_add(2),
        &[(palette.strong, &name), (Style::new(), "  "), (style, &what), (Style::new(), &rest)],
    )
}

/// `edge-17 of berlin`.
fn name(observer: &Observer) -> String {
    let sensor = observer.sensor.as_deref().unwrap_or("a sensor without a name");
    observer.site.name().map_or_else(|| sensor.to_owned(), |site| format!("{sensor} of {site}"))
}

/// Indentation of what belongs to an incident.
const INDENT: usize = 2;
