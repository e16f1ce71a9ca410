//! The progress line on standard error.
//!
//! It appears only on a terminal and only when a run takes longer than a second; the clock is indicatif's own.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::figures::counted;

/// Shows how far reading has come.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    shown: bool,
}

impl Progress {
    /// A progress line when `wanted`, and standard error is a terminal. Not to be wanted when the output streams to the same terminal.
    #[allow(clippy::disallowed_methods, reason = "looks, and writes nothing")]
    pub fn new(wanted: bool) -> Self {
        let bar = (wanted && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            bar.set_style(style(SPINNER));
            bar
        });
        Self { bar, shown: false }
    }

    /// Tells what has been done so far: bytes of input out of a total, where known, and handshakes found.
    #[allow(clippy::disallowed_methods, reason = "what is shown are numbers")]
    pub fn update(&mut self, bytes: u64, total: Option<u64>, handshakes: u64) {
        let Some(bar) = &self.bar else { return };
        if !self.shown {
            if bar.elapsed() < APPEARS_AFTER {
                return;
            }
            bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
        if total.is_some() && bar.length() != total {
            bar.set_style(style(BAR));
            bar.set_length(total.unwrap_or_default());
        }
        bar.set_position(bytes);
        bar.set_message(counted(handshakes, "handshake", "handshakes"));
    }
}

/// Takes the line off the screen.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Runs shorter than this need no progress.
const APPEARS_AFTER: Duration = Duration::from_secs(1);
const BAR: &str = "{bar:24} {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left, {msg}";
const SPINNER: &str = "{spinner} {decimal_bytes} read, {decimal_bytes_per_sec}, {msg}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn nothing_is_shown_when_not_wanted() {
        let mut progress = Progress::new(false);
        progress.update(10, Some(100), 1);
        assert!(!progress.shown && progress.bar.is_none());
    }
}
