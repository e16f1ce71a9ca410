//! Packet time: nanoseconds since the Unix epoch, as the capture recorded them.
//!
//! Analysis never asks the operating system what time it is; every step is told.

mod zone;

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

pub use self::zone::Zone;

/// A moment in packet time, in nanoseconds since 1970-01-01T00:00:00Z. May be negative or absurd: captures can be wrong.
///
/// The nanoseconds are held from the earliest moment on, which makes them positive, so that a moment that is not known takes no more room than one that is:
/// what is known of a connection holds dozens of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

/// Where the epoch lies among the numbers of moments.
const EPOCH: u64 = 1 << 63;

impl Default for Timestamp {
    /// The epoch.
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl Timestamp {
    /// The earliest moment that can be held.
    pub const MIN: Self = Self(NonZeroU64::MIN);
    /// The latest moment that can be held.
    pub const MAX: Self = Self(NonZeroU64::MAX);

    /// A moment from nanoseconds since the epoch. The least number of them stands for the earliest moment, which is the one behind it.
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Self {
        match NonZeroU64::new(nanos.cast_unsigned() ^ EPOCH) {
            Some(moment) => Self(moment),
            None => Self::MIN,
        }
    }

    /// A moment from whole seconds and nanoseconds since the epoch; saturates.
    pub const fn from_parts(seconds: i64, nanos: u32) -> Self {
        Self::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos as i64))
    }

    /// Nanoseconds since the epoch.
    #[inline]
    pub const fn nanos(self) -> i64 {
        (self.0.get() ^ EPOCH).cast_signed()
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.nanos().div_euclid(1_000_000_000)
    }

    /// Whole steps of this length since the epoch, rounded down.
    pub fn steps(self, step: Duration) -> i64 {
        self.nanos().div_euclid(i64::try_from(step.as_nanos()).unwrap_or(i64::MAX).max(1))
    }

    /// Where the step after the one that this moment lies in begins.
    #[must_use]
    pub fn next_step(self, step: Duration) -> Self {
        let length = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX).max(1);
        Self::from_nanos(self.steps(step).saturating_add(1).saturating_mul(length))
    }

    /// It as it prints.
    #[allow(clippy::cast_possible_truncation, reason = "remainders below a day's seconds and a second's nanoseconds")]
    pub fn text(self) -> [u8; 30] {
        const fn digit(value: u32) -> u8 {
            b'0' + (value % 10) as u8
        }
        let (days, second) = (self.seconds().div_euclid(86_400), self.seconds().rem_euclid(86_400) as u32);
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        [text[0], text[1], text[2], text[3]] = [digit(year / 1000), digit(year / 100), digit(year / 10), digit(year)];
        let pairs = [(5, month), (8, day), (11, second / 3600), (14, second / 60 % 60), (17, second % 60)];
        for (at, value) in pairs {
            if let Some([tens, ones, ..]) = text.get_mut(at..) {
                (*tens, *ones) = (digit(value / 10), digit(value));
            }
        }
        self.write_fraction(&mut text);
        text
    }

    /// Writes the digits behind the point.
    fn write_fraction(self, text: &mut [u8; 30]) {
        // With a digit in front of them, so that all nine are written.
        let nanos = 1_000_000_000 + self.nanos().rem_euclid(1_000_000_000);
        if let ([_, digits @ ..], Some(place)) = (itoa::Buffer::new().format(nanos).as_bytes(), text.get_mut(20..29)) {
            place.copy_from_slice(digits);
        }
    }

    /// The time that passed since `earlier`; zero when `earlier` is later.
    #[inline]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()).min(i64::MAX.cast_unsigned()))
    }

    /// The time between two moments, whichever is the later.
    #[inline]
    pub fn apart(self, other: Self) -> Duration {
        self.since(other).max(other.since(self))
    }

    /// This moment moved by `span`; saturates.
    #[inline]
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self::from_nanos(self.nanos().saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This moment moved back by `span`; saturates.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self::from_nanos(self.nanos().saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// Its date: `2026-11-21`.
    pub fn day(self) -> String {
        self.text().iter().take_while(|letter| **letter != b'T').map(|letter| char::from(*letter)).collect()
    }

    /// Date and time of day for sentences, in whole seconds: `2026-11-21 09:04:20 UTC`.
    pub fn to_second(self) -> String {
        let text = self.to_string();
        text.split_once('.').map_or_else(|| text.clone(), |(moment, _)| format!("{} UTC", moment.replace('T', " ")))
    }
}

/// RFC 3339 in UTC with nine digits: `2026-11-21T09:04:20.000000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// As it prints.
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Makes texts of moments. Those that are told of a handshake are two again and again, so the latest two are kept; and most lie in the same second as
/// an earlier one: then only the fraction is made anew.
#[derive(Debug, Clone)]
pub struct TimeText {
    latest: Told,
    before: Told,
}

/// A moment and its text.
#[derive(Debug, Clone)]
struct Told {
    at: Timestamp,
    text: [u8; 30],
}

impl Default for TimeText {
    fn default() -> Self {
        let told = Told { at: Timestamp::default(), text: Timestamp::default().text() };
        Self { latest: told.clone(), before: told }
    }
}

impl TimeText {
    /// The moment as it prints.
    pub fn of(&mut self, at: Timestamp) -> &[u8; 30] {
        if self.latest.at != at {
            std::mem::swap(&mut self.latest, &mut self.before);
            let told = &mut self.latest;
            if told.at.seconds() != at.seconds() {
                told.text = at.text();
            } else if told.at != at {
                at.write_fraction(&mut told.text);
            }
            told.at = at;
        }
        &self.latest.text
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. What fits a [`Timestamp`] lies between 1677 and 2262.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a year has four digits and the others two")]
fn civil(days: i64) -> (u32, u32, u32) {
    // Years begin in March here, so that the leap day is the last of its year; 146,097 days make 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

/// Tells what time it is now, for live captures: handed down by the one place that may ask the operating system. Files need none.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Where on the capture something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mark {
    /// Frame number, counted from 1 over all input files in the order read.
    pub frame: u64,
    /// When the frame was captured.
    pub time: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc3339_with_nanoseconds() {
        assert_eq!(Timestamp::from_parts(1_795_251_860, 7).to_string(), "2026-11-21T09:04:20.000000007Z");
        assert_eq!(Timestamp::from_nanos(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn moments_read_as_dates() {
        let moment = Timestamp::from_parts(1_795_251_860, 7);
        assert_eq!((moment.day().as_str(), moment.to_second().as_str()), ("2026-11-21", "2026-11-21 09:04:20 UTC"));
    }

    #[test]
    fn texts_in_a_row_are_those_of_each_moment() {
        let mut text = TimeText::default();
        let nanos =
            [0, 7, 999_999_999, 1_000_000_000, 1_000_000_001, 1_000_000_000, -1, -1_000_000_000, i64::MAX, i64::MIN, i64::MIN + 1, 12];
        for at in nanos.map(Timestamp::from_nanos) {
            assert_eq!(*text.of(at), at.text(), "{at}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let nanos = (i64::MIN + 1..=i64::MAX).step_by(86_399_999_999_983 * 7).chain([i64::MAX, 951_782_400_000_000_000]);
        for nanos in nanos {
            let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos)).unwrap();
            let expected = at.format(&time::format_description::well_known::Rfc3339).unwrap();
            let ours = Timestamp::from_nanos(nanos).to_string();
            let (seconds, fraction) = ours.trim_end_matches('Z').split_once('.').unwrap();
            let fraction = fraction.trim_end_matches('0');
            let ours = if fraction.is_empty() { format!("{seconds}Z") } else { format!("{seconds}.{fraction}Z") };
            assert_eq!(ours, expected);
        }
    }

    #[test]
    fn moments_keep_their_order_and_leave_room_for_none() {
        let nanos = [i64::MIN + 1, i64::MIN + 2, -1_000_000_001, -1, 0, 1, i64::MAX - 1, i64::MAX];
        let moments = nanos.map(Timestamp::from_nanos);
        assert!(moments.is_sorted());
        assert_eq!((moments.map(Timestamp::nanos), moments[0], moments[7]), (nanos, Timestamp::MIN, Timestamp::MAX));
        assert_eq!((Timestamp::from_nanos(i64::MIN), Timestamp::default().nanos()), (Timestamp::MIN, 0));
        assert_eq!(size_of::<Option<Mark>>(), size_of::<Mark>());
    }

    #[test]
    fn a_clock_that_runs_backwards_gives_zero() {
        let (a, b) = (Timestamp::from_parts(5, 0), Timestamp::from_parts(6, 0));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(b.since(a), Duration::from_secs(1));
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    }
}
