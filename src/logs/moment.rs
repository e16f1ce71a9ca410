//! When a line was written: the ways in which logs write times.

use jiff::civil::{Date, DateTime, Time};

use crate::time::{Timestamp, Zone};

/// The time in a line and where the text behind it begins. Without a zone of its own it is of `zone`; without a year it is the last one before
/// `written`.
pub(super) fn find(text: &str, zone: &Zone, written: Timestamp) -> Option<(Timestamp, usize)> {
    let bytes = text.as_bytes();
    // Times stand near the beginning: behind a priority, a host, a bracket.
    (0..bytes.len().min(FAR)).find_map(|at| {
        if at > 0 && bytes.get(at - 1).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let rest = bytes.get(at..)?;
        let (civil, used) = whole(rest).or_else(|| of_web_server(rest)).or_else(|| of_syslog(rest, zone, written))?;
        let (civil, used) = with_fraction(civil, rest, used);
        let (civil, used) = with_late_year(civil, rest, used);
        let tail = rest.get(used..).unwrap_or_default();
        let (time, more) = match offset(tail) {
            Some((seconds, more)) => {
                let time = Zone::UTC.moment(civil)?;
                (Timestamp::from_nanos(time.nanos().saturating_sub(seconds.saturating_mul(1_000_000_000))), more)
            }
            None => (zone.moment(civil)?, 0),
        };
        let behind = at.saturating_add(used).saturating_add(more);
        text.is_char_boundary(behind).then_some((time, behind))
    })
}

/// `2026-11-29T07:12:33`, `2026/11/29 07:12:33`, `2026.11.29 07:12:33`.
fn whole(text: &[u8]) -> Option<(DateTime, usize)> {
    let separator = *text.get(4).filter(|byte| b"-/.".contains(byte))?;
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    (*text.get(7)? == separator && b"T _".contains(text.get(10)?)).then_some(())?;
    Some((date(year, month, day)?.to_datetime(time(text, 11)?), 19))
}

/// `29/Nov/2026:07:12:33`, of access logs and HAProxy.
fn of_web_server(text: &[u8]) -> Option<(DateTime, usize)> {
    (*text.get(2)? == b'/' && *text.get(6)? == b'/' && *text.get(11)? == b':').then_some(())?;
    let (day, month, year) = (number(text, 0, 2)?, month(text.get(3..6)?)?, number(text, 7, 4)?);
    Some((date(year, month, day)?.to_datetime(time(text, 12)?), 20))
}

/// `Nov 29 07:12:33`, and `Sun Nov 29 07:12:33.123456 2026` behind its day, as Apache has it.
fn of_syslog(text: &[u8], zone: &Zone, written: Timestamp) -> Option<(DateTime, usize)> {
    (*text.get(3)? == b' ' && *text.get(6)? == b' ').then_some(())?;
    let month = month(text.get(..3)?)?;
    let day = if *text.get(4)? == b' ' { number(text, 5, 1)? } else { number(text, 4, 2)? };
    let time = time(text, 7)?;
    let last: Date = zone.civil(written).get(..10)?.parse().ok()?;
    // A log is not written to in the future, but for the difference of two zones.
    let of = |year: i16| Date::new(year, month, day).ok();
    let this = of(last.year()).filter(|date| *date <= last.tomorrow().unwrap_or(last));
    Some((this.or_else(|| of(last.year().checked_sub(1)?))?.to_datetime(time), 15))
}

/// With the part of a second behind it.
fn with_fraction(civil: DateTime, text: &[u8], used: usize) -> (DateTime, usize) {
    let Some(rest) = text.get(used..).filter(|rest| matches!(rest.first(), Some(b'.' | b','))) else { return (civil, used) };
    let digits = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let mut nanos: i32 = 0;
    for place in 0..9 {
        let digit = rest.get(place + 1).filter(|_| place < digits).map_or(0, |byte| i32::from(byte - b'0'));
        nanos = nanos.saturating_mul(10).saturating_add(digit);
    }
    match civil.with().subsec_nanosecond(nanos).build() {
        Ok(exact) if digits > 0 => (exact, used.saturating_add(1).saturating_add(digits)),
        _ => (civil, used),
    }
}

/// With the year behind it.
fn with_late_year(civil: DateTime, text: &[u8], used: usize) -> (DateTime, usize) {
    let year = (text.get(used) == Some(&b' ')).then(|| number(text, used.saturating_add(1), 4)).flatten();
    let ends = text.get(used.saturating_add(5)).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
    match year.filter(|year| ends && (1970..2262).contains(year)).and_then(|year| civil.with().year(year).build().ok()) {
        Some(dated) => (dated, used.saturating_add(5)),
        None => (civil, used),
    }
}

/// The zone behind a time, in seconds east of Greenwich, and its length: `Z`, ` UTC`, `+01:00`, ` +0100`.
fn offset(text: &[u8]) -> Option<(i64, usize)> {
    if text.first() == Some(&b'Z') {
        return Some((0, 1));
    }
    if text.starts_with(b" UTC") || text.starts_with(b" GMT") {
        return Some((0, 4));
    }
    let space = usize::from(text.first() == Some(&b' '));
    let sign = match text.get(space)? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = i64::from(number::<u16>(text, space.saturating_add(1), 2)?);
    let colon = usize::from(text.get(space.saturating_add(3)) == Some(&b':'));
    let minutes = i64::from(number::<u16>(text, space.saturating_add(3).saturating_add(colon), 2).unwrap_or(0));
    let length = space.saturating_add(5).saturating_add(colon);
    Some((sign * (hours * 3600 + minutes * 60), length))
}

/// `07:12:33`.
fn time(text: &[u8], at: usize) -> Option<Time> {
    (*text.get(at.checked_add(2)?)? == b':' && *text.get(at.checked_add(5)?)? == b':').then_some(())?;
    let part = |place: usize| number::<i8>(text, at.checked_add(place)?, 2);
    Time::new(part(0)?, part(3)?, part(6)?.min(59), 0).ok()
}

fn date(year: i16, month: i8, day: i8) -> Option<Date> {
    Date::new(year, month, day).ok()
}

/// So many digits.
fn number<T: TryFrom<u16>>(text: &[u8], at: usize, count: usize) -> Option<T> {
    let digits = text.get(at..at.checked_add(count)?)?;
    let value = digits
        .iter()
        .try_fold(0_u16, |value, byte| byte.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(u16::from(byte - b'0'))))?;
    T::try_from(value).ok()
}

fn month(name: &[u8]) -> Option<i8> {
    let at = MONTHS.iter().position(|month| month.as_bytes() == name)?;
    i8::try_from(at.checked_add(1)?).ok()
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Bytes from the beginning of a line in which its time begins.
const FAR: usize = 96;
