//! Beside the floors: the live view on a terminal. Reports come in over a channel, keys from the terminal; nothing is judged here.
//!
//! - `state`: where its reader stands; `data`, `counts`: what is kept and what is counted; `filter`: what is looked for;
//! - `table`: the lists; `pages`: one incident, one handshake; `draw`, `charts`: all of it on the screen; `typed`: what comes from the
//!   terminal; `keys`: what that does.
//!
//! Invariants: the terminal is put back on every way out, a panic included; no text of a report reaches it but through [`crate::output::escape`];
//! memory is bounded however long the view runs.

mod ansi;
mod charts;
mod counts;
mod data;
mod draw;
mod filter;
mod gauges;
mod keys;
mod look;
mod pages;
mod state;
mod table;
mod typed;

use std::io::{self, Write as _};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use data_encoding::BASE64;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture, Event};
use ratatui::crossterm::execute;

pub use self::gauges::{Form, Gauges, Links, Wish};
use self::state::{State, Tab};
use self::typed::{MOST_KEYS, typed};

/// This build has the view.
pub const AVAILABLE: bool = true;

/// Shows reports until the reader quits or the run is to end.
///
/// # Errors
/// When the terminal cannot be used.
pub fn run(links: &Links<'_>) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    let mut state = State::new(links.clock.now(), links.color);
    state.zone = links.zone.clone();
    state.cannot_save = links.cannot_save;
    if links.processes {
        state.tabs = Tab::WITH_PROCESSES;
    }
    let mut pointed = false;
    let typed = typed();
    loop {
        for report in links.reports.try_iter().take(MOST_AT_ONCE) {
            state.take(&report);
        }
        state.tick(links.clock.now(), (links.gauges)());
        terminal.draw(|frame| draw::draw(frame, &mut state))?;
        if pointed != state.mouse {
            pointed = state.mouse;
            if pointed { execute!(io::stdout(), EnableMouseCapture)? } else { execute!(io::stdout(), DisableMouseCapture)? }
        }
        // What is typed or pasted in one go is taken in one go.
        let first = typed.recv_timeout(STEP);
        if first == Err(RecvTimeoutError::Disconnected) {
            thread::sleep(STEP);
        }
        for event in first.into_iter().chain(typed.try_iter().take(MOST_KEYS)) {
            match event {
                Event::Key(key) => keys::press(&mut state, key),
                Event::Mouse(mouse) => keys::point(&mut state, mouse),
                _ => {}
            }
            if let Some(text) = state.copied.take() {
                copy(&text)?;
            }
            if let Some(wish) = state.wish.take() {
                state.message = (links.save)(&wish).map_or_else(|why| format!("Not saved: {why}"), |place| format!("Saved as {place}"));
            }
        }
        if state.quit || links.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// Puts text on the clipboard of whoever looks at the terminal, however far away (OSC 52).
fn copy(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    write!(out, "\x1b]52;c;{}\x07", BASE64.encode(text.as_bytes()))?;
    out.flush()
}

/// Puts the terminal back when it goes out of scope. What a panic needs is installed by ratatui.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), DisableMouseCapture);
        ratatui::restore();
    }
}

/// How often the view is drawn.
const STEP: Duration = Duration::from_millis(100);
/// Reports taken between two drawings.
const MOST_AT_ONCE: usize = 20_000;
