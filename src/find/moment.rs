//! Times as people write them: whole, of a day, or counted from the capture's beginning.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use time::format_description::BorrowedFormatItem as Item;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use crate::time::Timestamp;

/// A bound of `--since` or `--until`. Without a zone, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A moment.
    At(Timestamp),
    /// A time of the day on which the capture begins.
    OfFirstDay(Duration),
    /// So long after the capture begins.
    AfterBegin(Duration),
}

impl When {
    /// The moment, in a capture that begins at `begin`.
    pub fn resolve(self, begin: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::AfterBegin(span) => begin.after(span),
            Self::OfFirstDay(span) => Timestamp::from_parts(begin.seconds().div_euclid(DAY) * DAY, 0).after(span),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "{at}"),
            Self::AfterBegin(span) => write!(f, "{} s after the beginning", span.as_secs_f64()),
            Self::OfFirstDay(span) => {
                let seconds = span.as_secs();
                write!(f, "{:02}:{:02}:{:02} of the first day", seconds / 3600, seconds / 60 % 60, seconds % 60)
            }
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
        for format in TIMES {
            if let Ok(time) = Time::parse(trimmed, format) {
                let (hour, minute, second, nano) = time.as_hms_nano();
                let seconds = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
                return Ok(Self::OfFirstDay(Duration::new(seconds, nano)));
            }
        }
        let at = OffsetDateTime::parse(&trimmed.replacen(' ', "T", 1), &Rfc3339)
            .ok()
            .or_else(|| {
                DATE_TIMES.iter().find_map(|format| PrimitiveDateTime::parse(trimmed, format).ok()).map(PrimitiveDateTime::assume_utc)
            })
            .or_else(|| Date::parse(trimmed, DATE).ok().map(|date| date.midnight().assume_utc()));
        at.and_then(|at| i64::try_from(at.unix_timestamp_nanos()).ok())
            .map(|nanos| Self::At(Timestamp::from_nanos(nanos)))
            .ok_or_else(|| wrong(text))
    }
}

fn wrong(text: &str) -> String {
    format!(
        "{text:?} is not a time; write 2026-11-21T09:00:00Z, \"2026-11-21 09:00\" (UTC), 09:00 or 09:00:30 (of the capture's first day), \
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

const DAY: i64 = 86_400;
const TIMES: [&[Item<'static>]; 3] = [
    format_description!("[hour]:[minute]"),
    format_description!("[hour]:[minute]:[second]"),
    format_description!("[hour]:[minute]:[second].[subsecond]"),
];
const DATE_TIMES: [&[Item<'static>]; 6] = [
    format_description!("[year]-[month]-[day] [hour]:[minute]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond]"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond]"),
];
const DATE: &[Item<'static>] = format_description!("[year]-[month]-[day]");

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
    fn what_is_no_time_is_answered_with_what_would_be() {
        for text in ["", "+", "+5", "+5 parsecs", "25:00", "yesterday", "2026-13-01", "9:00 o'clock", "+99999999999999999999d"] {
            assert!(text.parse::<When>().unwrap_err().contains("09:00:30"), "{text}");
        }
    }
}
