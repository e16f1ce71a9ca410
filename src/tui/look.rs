//! How things are shown: colours, and spans of time.

use ratatui::style::{Color, Modifier, Style};

use crate::report::Class;

/// The styles: none but bold and reverse where colours are not wanted.
pub(super) struct Look {
    pub(super) strong: Style,
    pub(super) accent: Style,
    pub(super) dim: Style,
    pub(super) good: Style,
    pub(super) warn: Style,
    pub(super) bad: Style,
}

impl Look {
    pub(super) fn new(color: bool) -> Self {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        if !color {
            let plain = Style::new();
            return Self { strong: bold, accent: plain, dim: plain, good: plain, warn: bold, bad: bold };
        }
        Self {
            strong: bold,
            accent: Style::new().fg(Color::Cyan),
            dim: Style::new().fg(Color::DarkGray),
            good: Style::new().fg(Color::Green),
            warn: Style::new().fg(Color::Yellow),
            bad: Style::new().fg(Color::Red),
        }
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

/// `1.25 ms`.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros / 100 % 10),
        _ => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
    }
}
