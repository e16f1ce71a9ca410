//! How things are shown: colours, columns of text, numbers, spans of time.

use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar;

use crate::output::escape::{escape, width};
use crate::output::figures::when_in;
use crate::report::Class;
use crate::time::{Timestamp, Zone};

/// The styles, none but bold, dim and reverse where colours are not wanted; and the zone of all times.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) strong: Style,
    pub(super) accent: Style,
    pub(super) dim: Style,
    pub(super) good: Style,
    pub(super) warn: Style,
    pub(super) bad: Style,
    zone: Zone,
}

impl Look {
    pub(super) fn new(color: bool, zone: Zone) -> Self {
        let (plain, bold) = (Style::new(), Style::new().add_modifier(Modifier::BOLD));
        let dim = plain.add_modifier(Modifier::DIM);
        let of = |color_of| if color { plain.fg(color_of) } else { plain };
        // What is wrong can be told without colours, too.
        let marked = |color_of| if color { plain.fg(color_of) } else { bold };
        Self {
            strong: bold,
            accent: of(Color::Cyan),
            dim,
            good: of(Color::Green),
            warn: marked(Color::Yellow),
            bad: marked(Color::LightRed),
            zone,
        }
    }

    /// The time of day: `09:04:20`.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        when_in(&self.zone, at, false).chars().take(8).collect()
    }

    pub(super) const fn of(&self, class: Class) -> Style {
        match class {
            Class::Failed | Class::Rejected => self.bad,
            Class::Troubled | Class::Undecided => self.warn,
            Class::Probe => self.dim,
            Class::Completed => self.good,
        }
    }
}

/// Text that takes exactly so many columns: cut at its end, or filled up.
pub(super) fn cell(text: &str, columns: usize, right: bool) -> String {
    let text = cut(text, columns);
    let fill = " ".repeat(columns.saturating_sub(width(&text)));
    if right { fill + &text } else { text + &fill }
}

/// Text that takes at most so many columns: its beginning, and a mark where there is more.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let text = escape(text);
    if width(&text) <= columns {
        return text.into_owned();
    }
    let mut out = String::new();
    let mut taken = 1;
    for c in text.chars() {
        taken += c.width().unwrap_or(1);
        if taken > columns {
            break;
        }
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// `1.2 ms`.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros / 100 % 10),
        _ => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
    }
}

/// With a unit where it is long.
pub(super) fn number(number: u64) -> String {
    match number {
        0..100_000 => number.to_string(),
        100_000..10_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
    }
}

/// With a unit where it is long.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// `71 %`: of nothing, nothing.
pub(super) fn percent(part: u64, whole: u64) -> String {
    part.saturating_mul(100).checked_div(whole).map_or_else(String::new, |percent| format!("{percent} %"))
}

/// Numbers as a row of bars, the oldest first.
pub(super) fn bars(values: impl Iterator<Item = u64> + Clone) -> String {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.clone().max().unwrap_or_default().max(1);
    values.map(|value| EIGHTHS.get(usize::try_from(value.saturating_mul(8).div_ceil(most)).unwrap_or(8)).copied().unwrap_or('█')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_at_their_end() {
        assert_eq!(cell("abc", 5, false), "abc  ");
        assert_eq!(cell("abc", 5, true), "  abc");
        assert_eq!(cell("abcdef", 5, true), "abcd…");
        assert_eq!(cell("株式会社", 5, false), "株式…");
        assert_eq!(cell("a\x1b[31m", 9, false), "a\\x1b[31m");
        assert_eq!(cell("abc", 0, false), "");
    }

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bars([0, 1, 4, 8].into_iter()), " ▁▄█");
        assert_eq!(bars([0, 0].into_iter()), "  ");
    }

    #[test]
    fn shares_are_of_something() {
        assert_eq!((percent(37, 52).as_str(), percent(1, 0).as_str()), ("71 %", ""));
    }

    #[test]
    fn the_time_of_day_is_that_of_the_zone() {
        let at = Timestamp::from_parts(1_795_251_860, 31_999_999);
        assert_eq!(Look::new(false, Zone::UTC).clock(at), "09:04:20");
        let Ok(berlin) = Zone::new("Europe/Berlin") else { return };
        assert_eq!(Look::new(false, berlin).clock(at), "10:04:20");
    }
}
