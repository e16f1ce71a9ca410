//! The time zone in which people are told when something was, and write when it was.

use std::fmt;
use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::{Disambiguation, TimeZone};

use super::Timestamp;

/// A time zone: UTC where nothing else is asked for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Zone(Option<TimeZone>);

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(None);

    /// Reads `UTC`, `local`, or a name of the IANA database such as `Europe/Berlin`. The error says what would be right.
    pub fn new(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "utc" | "z" | "gmt" => Ok(Self::UTC),
            "local" => system().map(|zone| Self(Some(zone))).map_err(|error| {
                format!("the system's time zone cannot be told ({error}); name it, as in Europe/Berlin, or set the variable TZ")
            }),
            _ => TimeZone::get(name).map(|zone| Self(Some(zone))).map_err(|_| {
                format!(
                    "{name:?} is no time zone that this system knows; write UTC, local, or a name such as Europe/Berlin (package tzdata)"
                )
            }),
        }
    }

    /// The date and the time of day there: `2026-11-21 10:04:20.031999999`.
    pub fn civil(&self, at: Timestamp) -> String {
        let utc = || {
            let text = at.to_string();
            text.trim_end_matches('Z').replace('T', " ")
        };
        let Self(Some(zone)) = self else { return utc() };
        let Ok(moment) = jiff::Timestamp::from_nanosecond(at.nanos().into()) else { return utc() };
        let there = zone.to_datetime(moment);
        format!("{} {:02}:{:02}:{:02}.{:09}", there.date(), there.hour(), there.minute(), there.second(), there.subsec_nanosecond())
    }

    /// The day there, counted from the epoch: for whether two moments are of one.
    pub fn day(&self, at: Timestamp) -> i64 {
        at.seconds().saturating_add(self.offset(at)).div_euclid(DAY)
    }

    /// The moment at which it is this date and time there; where clocks are set back, the earlier of the two.
    pub fn moment(&self, civil: DateTime) -> Option<Timestamp> {
        let zone = self.0.clone().unwrap_or(TimeZone::UTC);
        let moment = zone.to_ambiguous_zoned(civil).disambiguate(Disambiguation::Compatible).ok()?;
        i64::try_from(moment.timestamp().as_nanosecond()).ok().map(Timestamp::from_nanos)
    }

    /// How it is called at this moment: `UTC`, `CET`, `+05:30`.
    pub fn name(&self, at: Timestamp) -> String {
        let (Self(Some(zone)), Ok(moment)) = (self, jiff::Timestamp::from_nanosecond(at.nanos().into())) else {
            return "UTC".to_owned();
        };
        zone.to_offset_info(moment).abbreviation().to_owned()
    }

    /// How many seconds east of Greenwich it is between two moments: from when on, and by how much. The first entry is that of the beginning; clocks
    /// that change more often than some dozen times are followed so far.
    pub fn shifts(&self, first: Timestamp, last: Timestamp) -> Vec<(Timestamp, i64)> {
        let mut shifts = vec![(first, self.offset(first))];
        if let (Self(Some(zone)), Ok(begin)) = (self, jiff::Timestamp::from_nanosecond(first.nanos().into())) {
            let changes = zone.following(begin).filter_map(|change| i64::try_from(change.timestamp().as_nanosecond()).ok());
            shifts.extend(changes.map(Timestamp::from_nanos).take_while(|at| *at <= last).take(CHANGES).map(|at| (at, self.offset(at))));
        }
        shifts
    }

    /// How it is called between two moments: `UTC`, `CET`, `CET/CEST`.
    pub fn names(&self, first: Timestamp, last: Timestamp) -> String {
        let [first, last] = [first, last].map(|at| self.name(at));
        if first == last { first } else { format!("{first}/{last}") }
    }

    /// Seconds east of Greenwich at this moment.
    fn offset(&self, at: Timestamp) -> i64 {
        let (Self(Some(zone)), Ok(moment)) = (self, jiff::Timestamp::from_nanosecond(at.nanos().into())) else { return 0 };
        zone.to_offset(moment).seconds().into()
    }
}

/// The zone that the system is set to. TZ may name a file, and all of what it names is read: so a device that never ends is refused before.
fn system() -> Result<TimeZone, String> {
    let named = std::env::var("TZ").unwrap_or_default();
    let path = Path::new(named.trim_start_matches(':'));
    if path.metadata().is_ok_and(|file| !file.is_file() || file.len() > LARGEST_FILE) {
        return Err(format!("the variable TZ names \"{}\", which is no file of a time zone", path.display()));
    }
    TimeZone::try_system().map_err(|error| error.to_string())
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("UTC", |zone| zone.iana_name().unwrap_or("local")))
    }
}

const DAY: i64 = 86_400;
/// Changes of the clocks that are followed.
const CHANGES: usize = 64;
/// Bytes; the largest files of the IANA database have some thousand.
const LARGEST_FILE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Where no database of time zones is installed, a rule stands for a name.
    fn berlin() -> Zone {
        Zone(Some(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()))
    }

    /// 2026-11-21T23:04:20.031999999Z.
    const LATE: Timestamp = Timestamp::from_parts(1_795_302_260, 31_999_999);

    #[test]
    fn moments_are_told_as_the_clocks_there_have_them() {
        assert_eq!(Zone::UTC.civil(LATE), "2026-11-21 23:04:20.031999999");
        assert_eq!(berlin().civil(LATE), "2026-11-22 00:04:20.031999999");
        assert_eq!((Zone::UTC.name(LATE).as_str(), berlin().name(LATE).as_str()), ("UTC", "CET"));
        assert_eq!(berlin().day(LATE), Zone::UTC.day(LATE) + 1);
        assert_eq!(berlin().civil(Timestamp::MAX), "2262-04-12 01:47:16.854775807", "the last moment there is");
    }

    #[test]
    fn what_people_write_is_of_their_zone() {
        let noon = jiff::civil::date(2026, 7, 1).at(12, 0, 0, 0);
        assert_eq!(berlin().moment(noon).unwrap().to_string(), "2026-07-01T10:00:00.000000000Z");
        assert_eq!(Zone::UTC.moment(noon).unwrap().to_string(), "2026-07-01T12:00:00.000000000Z");
        let twice = jiff::civil::date(2026, 10, 25).at(2, 30, 0, 0);
        assert_eq!(berlin().moment(twice).unwrap().to_string(), "2026-10-25T00:30:00.000000000Z");
    }

    #[test]
    fn clocks_that_change_are_followed() {
        let [summer, winter] = ["2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"]
            .map(|text| Timestamp::from_nanos(i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()));
        let shifts = berlin().shifts(summer, winter);
        assert_eq!(shifts.iter().map(|(_, by)| *by).collect::<Vec<_>>(), [7200, 3600]);
        assert_eq!(shifts[1].0.to_string(), "2026-10-25T01:00:00.000000000Z");
        assert_eq!(berlin().names(summer, winter), "CEST/CET");
        assert_eq!((Zone::UTC.shifts(summer, winter).len(), Zone::UTC.names(summer, winter).as_str()), (1, "UTC"));
    }

    #[test]
    fn a_zone_that_is_not_known_is_answered_with_what_would_be_right() {
        assert_eq!(Zone::new("utc"), Ok(Zone::UTC));
        assert!(Zone::new("Berlin/Europe").unwrap_err().contains("Europe/Berlin"));
    }
}
