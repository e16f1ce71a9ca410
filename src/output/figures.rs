//! Numbers, amounts and times for people.

use crate::time::{Timestamp, Zone};
pub use crate::wording::{count, counted};

/// The share of one number in another, to a tenth: `28.0 %`; nothing of nothing is `0.0 %`.
pub fn percent(part: u64, all: u64) -> String {
    let tenths =
        u128::from(part).saturating_mul(1_000).saturating_add(u128::from(all) / 2).checked_div(u128::from(all)).unwrap_or_default();
    format!("{}.{} %", tenths / 10, tenths % 10)
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

/// The day of a moment: `2026-11-21`, UTC.
pub fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// A moment as the clocks of a zone have it, with its date, or without it when all that is shown is of one day.
pub fn when_in(zone: &Zone, at: Timestamp, with_date: bool) -> String {
    zone.civil(at).chars().skip(if with_date { 0 } else { 11 }).take(if with_date { 23 } else { 12 }).collect()
}

/// From one moment to another: `2026-11-21 09:04:20.031 to 09:05:00.000`. The second has its date only where it is of another day; without
/// `with_date` neither has one.
pub fn period_in(zone: &Zone, first: Timestamp, last: Timestamp, with_date: bool) -> String {
    let another_day = with_date && zone.day(first) != zone.day(last);
    format!("{} to {}", when_in(zone, first, with_date), when_in(zone, last, another_day))
}

/// Microseconds from one moment to another; `None` when that is earlier.
pub fn us_between(earlier: Timestamp, later: Timestamp) -> Option<u64> {
    u64::try_from(later.nanos().saturating_sub(earlier.nanos()) / 1_000).ok()
}

/// Whole milliseconds since the epoch.
pub const fn millis(at: Timestamp) -> i64 {
    at.nanos() / 1_000_000
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
    fn shares_are_rounded_to_a_tenth() {
        assert_eq!([percent(112, 415), percent(112, 400), percent(2, 3), percent(0, 0)], ["27.0 %", "28.0 %", "66.7 %", "0.0 %"]);
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0 %");
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
    fn moments_are_utc_and_cut_to_milliseconds() {
        let at = Timestamp::from_parts(1_795_251_860, 31_999_999);
        assert_eq!(date(at), "2026-11-21");
        assert_eq!([true, false].map(|with_date| when_in(&Zone::UTC, at, with_date)), ["2026-11-21 09:04:20.031", "09:04:20.031"]);
        let later = Timestamp::from_parts(1_795_251_860, 32_999_999);
        assert_eq!(period_in(&Zone::UTC, at, later, true), "2026-11-21 09:04:20.031 to 09:04:20.032");
        assert_eq!(period_in(&Zone::UTC, at, later, false), "09:04:20.031 to 09:04:20.032");
        let tomorrow = Timestamp::from_parts(1_795_338_260, 0);
        assert_eq!(period_in(&Zone::UTC, at, tomorrow, true), "2026-11-21 09:04:20.031 to 2026-11-22 09:04:20.000");
        assert_eq!((us_between(at, later), us_between(later, at)), (Some(1_000), None));
    }
}
