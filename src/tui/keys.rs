//! What keys do: those of `top`, `less` and `vim`.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::{State, Tab};

/// The keys, for the help page.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("j k  ↓ ↑", "next, previous"),
    ("g G  Home End", "latest, oldest"),
    ("Ctrl-d Ctrl-u  PgDn PgUp", "a page down, up"),
    ("Enter l →", "the handshake in full"),
    ("Esc h ←", "back"),
    ("Tab  1 2 3", "problems, incidents, all handshakes"),
    ("/", "filter by name, address, cause, outcome"),
    ("p Space", "pause the list, go on"),
    ("c", "clear the list"),
    ("?", "this page"),
    ("q  Ctrl-c", "quit"),
];

/// A key was pressed.
pub(super) fn press(state: &mut State, key: KeyEvent) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && key.code == KeyCode::Char('c') {
        state.quit = true;
        return;
    }
    if state.typing {
        type_filter(state, key.code);
        return;
    }
    if state.help {
        state.help = false;
        return;
    }
    let page = state.page.max(1);
    if let Some((_, scroll)) = &mut state.detail {
        let rows = u16::try_from(page).unwrap_or(u16::MAX);
        match key.code {
            KeyCode::Char('j') | KeyCode::Down => *scroll = scroll.saturating_add(1),
            KeyCode::Char('k') | KeyCode::Up => *scroll = scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => *scroll = scroll.saturating_add(rows),
            KeyCode::PageUp => *scroll = scroll.saturating_sub(rows),
            KeyCode::Char('g') | KeyCode::Home => *scroll = 0,
            KeyCode::Char('G') | KeyCode::End => *scroll = u16::MAX,
            KeyCode::Char('d') if control => *scroll = scroll.saturating_add(rows / 2),
            KeyCode::Char('u') if control => *scroll = scroll.saturating_sub(rows / 2),
            KeyCode::Esc | KeyCode::Char('h' | 'q') | KeyCode::Left | KeyCode::Backspace => state.detail = None,
            KeyCode::Char('?') => state.help = true,
            _ => {}
        }
        return;
    }
    match key.code {
        KeyCode::Char('q') => state.quit = true,
        KeyCode::Char('?') => state.help = true,
        KeyCode::Char('/') => state.typing = true,
        KeyCode::Char('p' | ' ') => state.pause(),
        KeyCode::Char('c') => state.clear(),
        KeyCode::Char('j') | KeyCode::Down => state.cursor += 1,
        KeyCode::Char('k') | KeyCode::Up => state.cursor = state.cursor.saturating_sub(1),
        KeyCode::Char('d') if control => state.cursor += page / 2,
        KeyCode::Char('u') if control => state.cursor = state.cursor.saturating_sub(page / 2),
        KeyCode::PageDown => state.cursor += page,
        KeyCode::PageUp => state.cursor = state.cursor.saturating_sub(page),
        KeyCode::Char('g') | KeyCode::Home => state.cursor = 0,
        KeyCode::Char('G') | KeyCode::End => state.cursor = usize::MAX,
        KeyCode::Enter | KeyCode::Char('l') | KeyCode::Right => state.detail = state.selected().map(|report| (report, 0)),
        KeyCode::Tab => {
            show(
                state,
                match state.tab {
                    Tab::Failures => Tab::Incidents,
                    Tab::Incidents => Tab::All,
                    Tab::All => Tab::Failures,
                },
            );
        }
        KeyCode::Char('1') => show(state, Tab::Failures),
        KeyCode::Char('2') => show(state, Tab::Incidents),
        KeyCode::Char('3') => show(state, Tab::All),
        KeyCode::Esc => state.filter.clear(),
        _ => {}
    }
    state.clamp();
}

fn show(state: &mut State, tab: Tab) {
    state.tab = tab;
    state.cursor = 0;
}

fn type_filter(state: &mut State, code: KeyCode) {
    match code {
        KeyCode::Enter => state.typing = false,
        KeyCode::Esc => {
            state.typing = false;
            state.filter.clear();
        }
        KeyCode::Backspace => {
            state.filter.pop();
        }
        KeyCode::Char(c) if state.filter.len() < 100 => state.filter.push(c),
        _ => {}
    }
    state.cursor = 0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::samples;
    use crate::time::Timestamp;
    use std::sync::Arc;

    fn typed(state: &mut State, text: &str) {
        for c in text.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                '\t' => KeyCode::Tab,
                c => KeyCode::Char(c),
            };
            press(state, KeyEvent::new(code, KeyModifiers::NONE));
        }
    }

    #[test]
    fn keys_move_open_filter_and_quit() {
        let mut state = State::new(Timestamp::from_parts(1, 0), false);
        for name in ["a.test", "b.test", "c.test"] {
            state.take(&Arc::new(Report::Handshake(Box::new(samples::named(name)))));
        }
        typed(&mut state, "jjjjj");
        assert_eq!(state.cursor, 2);
        typed(&mut state, "k\n");
        assert!(state.detail.is_some());
        typed(&mut state, "jq");
        assert!(state.detail.is_none() && !state.quit);
        typed(&mut state, "/b.t\n");
        assert_eq!((state.len(), state.cursor, state.typing), (1, 0, false));
        typed(&mut state, "\x1b");
        assert_eq!(state.len(), 3);
        typed(&mut state, "?x\t");
        assert_eq!((state.help, state.tab), (false, Tab::Incidents));
        // Letters of a filter are no commands.
        typed(&mut state, "/q");
        assert!(!state.quit);
        typed(&mut state, "\x1bq");
        assert!(state.quit);
    }
}
