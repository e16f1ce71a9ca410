//! Times as people write them: whole, of a day, or counted from the capture's beginning.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};

use crate::time::{Timestamp, Zone};

/// A bound of `--since` or `--until`. What names no zone is of [`When::in_zone`], UTC at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// A moment.
    At(Timestamp),
    /// A date and a time of day.
    Civil(DateTime, Zone),
    /// A time of the day on which the capture begins.
    OfFirstDay(Time, Zone),
    /// So long after the capture begins.
    AfterBegin(Duration),
}

impl When {
    /// The same, with what names no zone taken for a time of this one.
    #[must_use]
    pub fn in_zone(self, zone: &Zone) -> Self {
        match self {
            Self::Civil(civil, _) => Self::Civil(civil, zone.clone()),
            Self::OfFirstDay(time, _) => Self::OfFirstDay(time, zone.clone()),
            other @ (Self::At(_) | Self::AfterBegin(_)) => other,
        }
    }

    /// The time of day and its zone, where no day is named.
    pub const fn of_first_day(&self) -> Option<(Time, &Zone)> {
        if let Self::OfFirstDay(time, zone) = self { Some((*time, zone)) } else { None }
    }

    /// The moment, in a capture that begins at `begin`.
    pub fn resolve(&self, begin: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => *at,
            Self::AfterBegin(span) => begin.after(*span),
            Self::Civil(civil, zone) => zone.moment(*civil).unwrap_or_default(),
            Self::OfFirstDay(time, zone) => {
                let day: Option<Date> = zone.civil(begin).get(..10).and_then(|day| day.parse().ok());
                day.and_then(|day| zone.moment(day.to_datetime(*time))).unwrap_or_default()
            }
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "{at}"),
            Self::AfterBegin(span) => write!(f, "{} s after the beginning", span.as_secs_f64()),
            Self::Civil(civil, zone) => write!(f, "{} {} {zone:?}", civil.date(), civil.time()),
            Self::OfFirstDay(time, zone) => write!(f, "{time} {zone:?} of the first day"),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        if let Some(span) = trimmed.strip_prefix('+') {
            return duration(span).map(Self::AfterBegin).ok_or_else(|| wrong(text));
        }
        let plain = trimmed.bytes().all(|byte| byte.is_ascii_digit() || b"-+:.TtZz ".contains(&byte));
        if !plain || trimmed.is_empty() {
            return Err(wrong(text));
        }
        if !trimmed.contains('-')
            && let Ok(time) = trimmed.parse()
        {
            return Ok(Self::OfFirstDay(time, Zone::UTC));
        }
        if let Ok(at) = trimmed.parse::<jiff::Timestamp>() {
            return i64::try_from(at.as_nanosecond()).map(|nanos| Self::At(Timestamp::from_nanos(nanos))).map_err(|_| wrong(text));
        }
        let civil = trimmed.parse().ok().filter(|civil| Zone::UTC.moment(*civil).is_some());
        civil.map(|civil| Self::Civil(civil, Zone::UTC)).ok_or_else(|| wrong(text))
    }
}

fn wrong(text: &str) -> String {
    format!(
        "{text:?} is not a time; write 2026-11-21T09:00:00Z, \"2026-11-21 09:00\" (of the zone of --tz), 09:00 or 09:00:30 (of the capture's first day), \
         or +10m (after its beginning)"
    )
}

/// `90s`, `10m`, `1h30m`, `2d`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (unit, behind) = behind.split_at_checked(behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len()))?;
        let number: u64 = digits.parse().ok()?;
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" | "min" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a capture that begins at 2026-11-21T09:04:20Z.
    fn resolved(text: &str) -> String {
        text.parse::<When>().unwrap().resolve(Timestamp::from_parts(1_795_251_860, 0)).to_string()
    }

    #[test]
    fn the_ways_to_write_a_moment() {
        for (text, expected) in [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000000000Z"),
            ("2026-11-21T10:00:00+01:00", "2026-11-21T09:00:00.000000000Z"),
            ("2026-11-21 10:00:00.25Z", "2026-11-21T10:00:00.250000000Z"),
            ("2026-11-21 10:00", "2026-11-21T10:00:00.000000000Z"),
            ("2026-11-21T10:00:07.5", "2026-11-21T10:00:07.500000000Z"),
            ("2026-11-22", "2026-11-22T00:00:00.000000000Z"),
            ("09:30", "2026-11-21T09:30:00.000000000Z"),
            ("23:59:59.5", "2026-11-21T23:59:59.500000000Z"),
            ("+10m", "2026-11-21T09:14:20.000000000Z"),
            ("+1h30m", "2026-11-21T10:34:20.000000000Z"),
            ("+500ms", "2026-11-21T09:04:20.500000000Z"),
        ] {
            assert_eq!(resolved(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_no_zone_is_of_the_one_asked_for() {
        let Ok(berlin) = Zone::new("Europe/Berlin") else { return };
        let resolved =
            |text: &str| text.parse::<When>().unwrap().in_zone(&berlin).resolve(Timestamp::from_parts(1_795_302_260, 0)).to_string();
        assert_eq!(resolved("2026-11-21 10:00"), "2026-11-21T09:00:00.000000000Z");
        assert_eq!(resolved("2026-11-21T10:00:00Z"), "2026-11-21T10:00:00.000000000Z");
        // The capture begins at 23:04 in Greenwich, where it is another day.
        assert_eq!(resolved("01:30"), "2026-11-22T00:30:00.000000000Z");
    }

    #[test]
    fn what_is_no_time_is_answered_with_what_would_be() {
        for text in ["", "+", "+5", "+5 parsecs", "25:00", "yesterday", "2026-13-01", "9:00 o'clock", "+99999999999999999999d"] {
            assert!(text.parse::<When>().unwrap_err().contains("09:00:30"), "{text}");
        }
    }
}
