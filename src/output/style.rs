//! Colours, and whether there are any.

use std::io::IsTerminal;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

use crate::report::Class;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// When the stream is a terminal and neither `NO_COLOR` nor `TERM=dumb` speaks against it; anywhere with `FORCE_COLOR` or `CLICOLOR_FORCE`.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

impl Color {
    /// Decides for a stream.
    pub fn palette(self, stream: &(impl IsTerminal + anstream::stream::RawStream)) -> Palette {
        let coloured = match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => forced() || AutoStream::choice(stream) != anstream::ColorChoice::Never,
        };
        if coloured { Palette::COLOURED } else { Palette::PLAIN }
    }
}

/// `FORCE_COLOR` asks for colours, as Node.js and Python read it, and `NO_COLOR` does not speak against it.
fn forced() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("FORCE_COLOR") && !set("NO_COLOR") && std::env::var_os("FORCE_COLOR").is_some_and(|value| value != "0" && value != "false")
}

/// The styles in use, by meaning. All empty when there is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// A cause, a failed outcome.
    pub bad: Style,
    /// Trouble that is not a failure, and what is not known.
    pub warn: Style,
    /// A completed handshake.
    pub good: Style,
    /// Headings and names.
    pub strong: Style,
    /// Times, frame numbers and other things to skip over.
    pub dim: Style,
    /// Commands to copy.
    pub command: Style,
}

impl Palette {
    /// The colour of a handshake of this class.
    pub const fn of(&self, class: Class) -> Style {
        match class {
            Class::Failed | Class::Rejected => self.bad,
            Class::Troubled | Class::Undecided => self.warn,
            Class::Probe => self.dim,
            Class::Completed => self.good,
        }
    }

    /// No escape sequences at all.
    pub const PLAIN: Self =
        Self { bad: Style::new(), warn: Style::new(), good: Style::new(), strong: Style::new(), dim: Style::new(), command: Style::new() };

    /// The sixteen basic colours, which follow the user's own scheme.
    pub const COLOURED: Self = Self {
        bad: AnsiColor::Red.on_default().bold(),
        warn: AnsiColor::Yellow.on_default(),
        good: AnsiColor::Green.on_default(),
        strong: Style::new().bold(),
        dim: Style::new().dimmed(),
        command: AnsiColor::Cyan.on_default(),
    };
}

/// Columns to write for: what the variable `COLUMNS` says, or those of the terminal behind standard output, if it is one.
pub fn terminal_width() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    told.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0)))
}
