//! Beside the floors: the live view on a terminal. Reports come in over a channel, keys from the terminal; nothing is judged here.
//!
//! Invariants: the terminal is put back on every way out, a panic included; no text of a report reaches it but through [`crate::output::escape`];
//! memory is bounded however long the view runs.

mod detail;
mod draw;
mod gauges;
mod keys;
mod look;
mod state;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use ratatui::crossterm::event::{self, Event, KeyEvent};

pub use self::gauges::Gauges;
use self::state::State;
use crate::report::Report;
use crate::time::Clock;

/// This build has the view.
pub const AVAILABLE: bool = true;

/// Shows reports until the reader quits or `stop` is set.
///
/// # Errors
/// When the terminal cannot be used.
pub fn run(reports: &Receiver<Arc<Report>>, gauges: &dyn Fn() -> Gauges, clock: &Clock, stop: &AtomicBool, color: bool) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    let mut state = State::new(clock.now(), color);
    let typed = typed();
    loop {
        for report in reports.try_iter().take(MOST_AT_ONCE) {
            state.take(&report);
        }
        state.tick(clock.now(), gauges());
        terminal.draw(|frame| draw::draw(frame, &mut state))?;
        // What is typed or pasted in one go is taken in one go.
        let first = typed.recv_timeout(STEP);
        if first == Err(RecvTimeoutError::Disconnected) {
            thread::sleep(STEP);
        }
        for key in first.into_iter().chain(typed.try_iter().take(MOST_KEYS)) {
            keys::press(&mut state, key);
        }
        if state.quit || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// The keys pressed from now on. They are read on a thread of their own, which the process takes along when it ends: waiting for a key on a
/// terminal that is gone never returns.
fn typed() -> Receiver<KeyEvent> {
    let (press, typed) = bounded(MOST_KEYS);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if let Event::Key(key) = event
                && press.send(key).is_err()
            {
                break;
            }
        }
    });
    typed
}

/// Puts the terminal back when it goes out of scope. What a panic needs is installed by ratatui.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// How often the view is drawn.
const STEP: Duration = Duration::from_millis(100);
/// Keys taken between two drawings.
const MOST_KEYS: usize = 1024;
/// Reports taken between two drawings.
const MOST_AT_ONCE: usize = 20_000;
