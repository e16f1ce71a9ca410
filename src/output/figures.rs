//! Numbers, amounts and times for people.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 frame`, `1,204 frames`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `812 B`, `8.1 kB`, `1.2 GB`: powers of ten.
pub fn bytes(number: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    UNITS
        .iter()
        .find(|(unit, _)| number >= *unit)
        .map_or_else(|| format!("{number} B"), |(unit, name)| format!("{}.{} {name}", number / unit, number % unit / (unit / 10)))
}

/// A duration of so many microseconds with three digits or two units: `310 µs`, `31.0 ms`, `1.20 s`, `4 min 9 s`, `2 h 3 min`, `3 d 4 h`.
pub fn span_us(us: u64) -> String {
    let s = us / 1_000_000;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..100_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        100_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{s}.{:02} s", us % 1_000_000 / 10_000),
        60_000_000..3_600_000_000 => format!("{} min {} s", s / 60, s % 60),
        3_600_000_000..172_800_000_000 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// A moment of a report (RFC 3339), split for showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// `2026-11-21`.
    pub date: String,
    /// `09:04:20.031`, UTC.
    pub time: String,
    /// Nanoseconds since the epoch.
    pub nanos: i128,
}

impl Moment {
    /// Reads a report's time. `None` when it is not RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self::at(OffsetDateTime::parse(text, &Rfc3339).ok()?.to_offset(time::UtcOffset::UTC)))
    }

    /// A moment so many milliseconds after the epoch; the epoch itself when that is beyond the calendar.
    pub fn from_millis(millis: i64) -> Self {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
        Self::at(at.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    fn at(at: OffsetDateTime) -> Self {
        Self {
            date: format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day()),
            time: format!("{:02}:{:02}:{:02}.{:03}", at.hour(), at.minute(), at.second(), at.millisecond()),
            nanos: at.unix_timestamp_nanos(),
        }
    }

    /// Microseconds from `earlier` to this; `None` when it is earlier.
    pub fn us_since(&self, earlier: &Self) -> Option<u64> {
        u64::try_from(self.nanos.saturating_sub(earlier.nanos) / 1_000).ok()
    }
}

/// The time of a report: with its date, or without it when all that is shown is of one day.
pub fn when(text: &str, with_date: bool) -> String {
    Moment::parse(text)
        .map_or_else(|| text.to_owned(), |moment| if with_date { format!("{} {}", moment.date, moment.time) } else { moment.time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        assert_eq!([0, 7, 999, 1_000, 12_345, 1_234_567].map(count), ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "frame", "frames"), "1 frame");
        assert_eq!(counted(0, "frame", "frames"), "0 frames");
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!([999, 1_000, 1_990, 8_150_000, 1_200_000_000].map(bytes), ["999 B", "1.0 kB", "1.9 kB", "8.1 MB", "1.2 GB"]);
    }

    #[test]
    fn durations_have_units() {
        assert_eq!([310, 31_040, 310_400, 1_204_000].map(span_us), ["310 µs", "31.0 ms", "310 ms", "1.20 s"]);
        assert_eq!([249_000_000, 7_380_000_000, 273_600_000_000].map(span_us), ["4 min 9 s", "2 h 3 min", "3 d 4 h"]);
    }

    #[test]
    fn moments_are_utc_and_unreadable_ones_stay_text() {
        let moment = Moment::parse("2026-11-21T10:04:20.031999999+01:00").unwrap();
        assert_eq!((moment.date.as_str(), moment.time.as_str()), ("2026-11-21", "09:04:20.031"));
        let later = Moment::parse("2026-11-21T09:04:20.032999999Z").unwrap();
        assert_eq!(later.us_since(&moment), Some(1_000));
        assert_eq!(moment.us_since(&later), None);
        assert_eq!(when("yesterday", true), "yesterday");
    }
}
