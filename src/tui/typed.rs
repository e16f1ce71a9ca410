//! What is typed and pointed at, read off the terminal byte by byte: the sequences of xterm (ctlseqs) that the view has a use for.
//!
//! A reader that waits for the terminal's own events loses what comes together: keys beside a change of the window's size, a second Esc. Here a
//! read waits for bytes, and every byte counts. The view takes no key with Alt, so that Esc before a character is always a key of its own, as
//! tmux sends two keys that are typed within half a second.
//!
//! Invariant: what is kept of a sequence from one read to the next is bounded, however long it becomes.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// What is pressed and pointed at from now on. It is read on a thread of its own, which the process takes along when it ends: waiting for a key
/// on a terminal that is gone may never return.
pub(super) fn typed() -> Receiver<Event> {
    let (press, typed) = bounded(MOST_KEYS);
    thread::spawn(move || {
        let Ok(mut terminal) = terminal() else { return };
        let (mut read, mut keys) = ([0; CHUNK], Keys::default());
        loop {
            let bytes = match terminal.read(&mut read) {
                Ok(0) => return,
                Ok(bytes) => read.get(..bytes).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if keys.take(bytes).into_iter().any(|event| press.send(event).is_err()) {
                return;
            }
        }
    });
    typed
}

/// Where keys come from: standard input or, where that is something else, the terminal of the session.
fn terminal() -> io::Result<Box<dyn Read>> {
    let stdin = io::stdin();
    if stdin.is_terminal() { Ok(Box::new(stdin.lock())) } else { Ok(Box::new(File::open("/dev/tty")?)) }
}

/// What was read of a sequence that is not complete yet.
#[derive(Debug, Default)]
struct Keys {
    begun: Vec<u8>,
}

impl Keys {
    /// The keys that one read completes, in order.
    fn take(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let (mut rest, mut events) = (all.as_slice(), Vec::new());
        while let Some((event, length)) = next(rest) {
            events.extend(event);
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
        // No sequence of a terminal is longer.
        if rest.len() <= LONGEST {
            self.begun = rest.to_vec();
        }
        events
    }
}

/// The first key and how many bytes it takes, `None` where there is none, or more bytes belong to it. Some sequences are no key that is known.
fn next(bytes: &[u8]) -> Option<(Option<Event>, usize)> {
    let code = |code: KeyCode| Some(Event::Key(code.into()));
    match *bytes {
        [ESCAPE, b'[', ..] => sequence(bytes),
        [ESCAPE, b'O'] => None,
        [ESCAPE, b'O', last, ..] => Some((moved(last).and_then(code), 3)),
        [ESCAPE, ..] => Some((code(KeyCode::Esc), 1)),
        [b'\r', ..] => Some((code(KeyCode::Enter), 1)),
        [b'\t', ..] => Some((code(KeyCode::Tab), 1)),
        [0x08 | 0x7f, ..] => Some((code(KeyCode::Backspace), 1)),
        [control @ 0x01..=0x1a, ..] => {
            let letter = KeyCode::Char(char::from(control | 0x60));
            Some((Some(Event::Key(KeyEvent::new(letter, KeyModifiers::CONTROL))), 1))
        }
        [0x00 | 0x1c..=0x1f, ..] => Some((None, 1)),
        _ => character(bytes).map(|(read, length)| (read.and_then(|read| code(KeyCode::Char(read))), length)),
    }
}

/// A character in UTF-8; what is none is passed over.
fn character(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let chunk = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let valid = match std::str::from_utf8(chunk) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => std::str::from_utf8(chunk.get(..error.valid_up_to())?).ok()?,
        Err(error) => return error.error_len().map(|length| (None, length)),
    };
    let first = valid.chars().next()?;
    Some((Some(first), first.len_utf8()))
}

/// `ESC [`, parameters, and a last byte that says what it is.
fn sequence(bytes: &[u8]) -> Option<(Option<Event>, usize)> {
    let told = bytes.get(2..)?;
    let end = told.iter().position(|byte| (0x40..=0x7e).contains(byte))?;
    let (parameters, last) = (told.get(..end)?, *told.get(end)?);
    let length = end.saturating_add(3);
    let key = match (parameters, last) {
        // Function keys of the Linux console.
        ([], b'[') => return (told.len() > 1).then_some((None, 4)),
        ([], b'M') => {
            let [button, column, row] = *told.get(1..4)? else { return None };
            let place = |byte: u8| u16::from(byte.saturating_sub(32));
            return Some((pointed(place(button), place(column), place(row), false), 6));
        }
        ([b'<', rest @ ..], b'M' | b'm') => {
            let event = match numbers(rest).as_slice() {
                [button, column, row] => pointed(*button, *column, *row, last == b'm'),
                _ => None,
            };
            return Some((event, length));
        }
        (_, b'~') => match numbers(parameters).first() {
            Some(1 | 7) => Some(KeyCode::Home),
            Some(4 | 8) => Some(KeyCode::End),
            Some(5) => Some(KeyCode::PageUp),
            Some(6) => Some(KeyCode::PageDown),
            _ => None,
        },
        _ => moved(last),
    };
    Some((key.map(|code| Event::Key(code.into())), length))
}

/// The keys that move, by the last byte of their sequences.
const fn moved(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'M' => KeyCode::Enter,
        b'Z' => KeyCode::BackTab,
        _ => return None,
    })
}

/// Numbers between semicolons.
fn numbers(parameters: &[u8]) -> Vec<u16> {
    let number = |part: &[u8]| std::str::from_utf8(part).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    parameters.split(|byte| *byte == b';').map(number).collect()
}

/// The mouse: what was pressed, and where, counted from one.
fn pointed(button: u16, column: u16, row: u16, released: bool) -> Option<Event> {
    let kind = match button & !MODIFIERS {
        _ if released => return None,
        0 => MouseEventKind::Down(MouseButton::Left),
        1 => MouseEventKind::Down(MouseButton::Middle),
        2 => MouseEventKind::Down(MouseButton::Right),
        64 => MouseEventKind::ScrollUp,
        65 => MouseEventKind::ScrollDown,
        // It moves, or a button is let go.
        _ => return None,
    };
    let (column, row) = (column.saturating_sub(1), row.saturating_sub(1));
    Some(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

const ESCAPE: u8 = 0x1b;
/// Of the number of a mouse's button: Shift, Alt and Ctrl.
const MODIFIERS: u16 = 4 | 8 | 16;
/// Bytes of one read.
const CHUNK: usize = 1024;
/// Bytes of one sequence that is waited for.
const LONGEST: usize = 64;
/// Keys that wait to be taken.
pub(super) const MOST_KEYS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// What these reads give, one after the other.
    fn read(chunks: &[&[u8]]) -> Vec<KeyCode> {
        let mut keys = Keys::default();
        let events = chunks.iter().flat_map(|chunk| keys.take(chunk)).collect::<Vec<_>>();
        events.iter().filter_map(Event::as_key_press_event).map(|key| key.code).collect()
    }

    #[test]
    fn every_escape_counts_however_it_comes() {
        use KeyCode::{Char, Esc, Up};
        assert_eq!(read(&[b"\x1b"]), [Esc]);
        assert_eq!(read(&[b"\x1b\x1b"]), [Esc, Esc]);
        assert_eq!(read(&[b"\x1b\x1b\x1b\x1b"]), [Esc; 4]);
        assert_eq!(read(&[b"\x1b", b"\x1b"]), [Esc, Esc]);
        assert_eq!(read(&[b"\x1bj\x1b\x1b[A"]), [Esc, Char('j'), Esc, Up]);
    }

    #[test]
    fn sequences_are_keys_even_in_pieces() {
        use KeyCode::{BackTab, Backspace, Char, Down, End, Enter, Home, Left, PageDown, PageUp, Right, Tab, Up};
        assert_eq!(read(&[b"\x1b[A\x1b[B\x1b[C\x1b[D\x1bOA\x1bOB"]), [Up, Down, Right, Left, Up, Down]);
        assert_eq!(read(&[b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[5~\x1b[6~\x1b[Z"]), [Home, End, Home, End, PageUp, PageDown, BackTab]);
        assert_eq!(read(&[b"\x1b[1;5A\x1bOM\r\t\x7f\x08"]), [Up, Enter, Enter, Tab, Backspace, Backspace]);
        assert_eq!(read(&[b"\x1b[", b"1;", b"5", b"Bx\x1b", b"[A"]).first(), Some(&Down));
        assert_eq!(read(&["é株".as_bytes(), b"\xc3", b"\xa9", b"\xff\xfea"]), [Char('é'), Char('株'), Char('é'), Char('a')]);
        // Keys that nothing is done at: F1 in three ways, Delete, Insert.
        assert_eq!(read(&[b"\x1bOP\x1b[11~\x1b[[A\x1b[3~\x1b[2~\x00\x1cq"]), [Char('q')]);
    }

    #[test]
    fn control_is_told() {
        let events = Keys::default().take(b"\x03\x04");
        let expected = ['c', 'd'].map(|letter| Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)));
        assert_eq!(events, expected);
    }

    #[test]
    fn the_mouse_points_in_both_ways() {
        let mouse = |bytes: &[u8]| match Keys::default().take(bytes).as_slice() {
            [Event::Mouse(event)] => Some((event.kind, event.column, event.row)),
            _ => None,
        };
        let left = MouseEventKind::Down(MouseButton::Left);
        assert_eq!(mouse(b"\x1b[<0;10;5M"), Some((left, 9, 4)));
        assert_eq!(mouse(b"\x1b[<65;1;1M"), Some((MouseEventKind::ScrollDown, 0, 0)));
        assert_eq!(mouse(b"\x1b[M\x20\x2a\x25"), Some((left, 9, 4)));
        for silent in [b"\x1b[<0;10;5m".as_slice(), b"\x1b[<35;10;5M", b"\x1b[<0;;M;M", b"\x1b[M\x23\x2a\x25"] {
            assert_eq!(mouse(silent), None, "{silent:?}");
        }
    }

    #[test]
    fn no_input_is_kept_for_long() {
        let mut keys = Keys::default();
        for _ in 0..1_000 {
            keys.take(b"\x1b[1111111111111111111111");
            assert!(keys.begun.len() <= LONGEST);
        }
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                Keys::default().take(&[ESCAPE, b'[', first, second, 0xff, first]);
                Keys::default().take(&[first, second]);
            }
        }
    }
}
