//! What keys and the mouse do: the keys of `top`, `less` and `vim`.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::gauges::Form;
use super::state::{Asking, Opened, Selected, State, Tab};
use super::table::Sort;
use crate::output::escape::escape;
use crate::report::Advice;

/// The keys, for the help page.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("j k  ↓ ↑", "next, previous"),
    ("g G  Home End", "first, last"),
    ("^D ^U  PgDn PgUp", "a page down, up"),
    ("Enter l →", "open: incident, handshakes, one of them"),
    ("Esc h ←", "back; at the top: drop the filter"),
    ("Tab  1 2 3 …", "the lists"),
    ("s S", "sort by the next column; turn round"),
    ("/", "find words; !word excludes"),
    ("e", "find by a condition, as in --where"),
    ("y Y", "copy the command of the fix; the place"),
    ("w", "save the selection: packets or a page"),
    ("p Space", "pause, go on"),
    ("c", "clear the lists"),
    ("m", "the mouse: off to mark text, on again"),
    ("? q  Ctrl-c", "this page, quit"),
    ("… before a cause", "still under way: a stall"),
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
    state.message.clear();
    match std::mem::take(&mut state.asking) {
        Asking::Words => find(state, key.code),
        Asking::Condition { text, .. } => condition(state, key.code, text),
        Asking::Form => match key.code {
            KeyCode::Char('p') => state.save(Form::Packets),
            KeyCode::Char('h') => state.save(Form::Page),
            _ => {}
        },
        // What did not fit the screen comes next; then any key leaves the page.
        Asking::Help(from) => {
            let next = from.saturating_add(state.drawn.keys);
            if next > from && next < KEYS.len() && !matches!(key.code, KeyCode::Esc | KeyCode::Char('q')) {
                state.asking = Asking::Help(next);
            }
        }
        Asking::Nothing => command(state, key.code, control),
    }
}

fn command(state: &mut State, code: KeyCode, control: bool) {
    let page = state.drawn.page.max(1);
    let step = match code {
        KeyCode::Char('j') | KeyCode::Down => Some(Step::Down(1)),
        KeyCode::Char('k') | KeyCode::Up => Some(Step::Up(1)),
        KeyCode::Char('d') if control => Some(Step::Down(page / 2)),
        KeyCode::Char('u') if control => Some(Step::Up(page / 2)),
        KeyCode::PageDown => Some(Step::Down(page)),
        KeyCode::PageUp => Some(Step::Up(page)),
        KeyCode::Char('g') | KeyCode::Home => Some(Step::Up(usize::MAX)),
        KeyCode::Char('G') | KeyCode::End => Some(Step::Down(usize::MAX)),
        _ => None,
    };
    if let Some(step) = step {
        return go(state, step);
    }
    match code {
        KeyCode::Char('q') if state.opened.is_empty() => state.quit = true,
        KeyCode::Char('?') => state.asking = Asking::Help(0),
        KeyCode::Enter | KeyCode::Char('l') | KeyCode::Right => state.open(),
        KeyCode::Esc | KeyCode::Char('h' | 'q') | KeyCode::Left | KeyCode::Backspace => back(state, code == KeyCode::Esc),
        KeyCode::Char('/') => state.asking = Asking::Words,
        KeyCode::Char('e') => state.asking = Asking::Condition { text: state.filter.condition().to_owned(), wrong: String::new() },
        KeyCode::Char('s') => sort(state, None),
        KeyCode::Char('S') => turn(state),
        KeyCode::Char('y') => copy(state, false),
        KeyCode::Char('Y') => copy(state, true),
        KeyCode::Char('w') => match state.cannot_save {
            Some(why) => state.message = format!("Not saved: {why}"),
            None => state.asking = Asking::Form,
        },
        KeyCode::Char('p' | ' ') => state.pause(),
        KeyCode::Char('c') => state.clear(),
        KeyCode::Char('m') => state.mouse = !state.mouse,
        KeyCode::Tab => show(state, next(state, 1)),
        KeyCode::BackTab => show(state, next(state, state.tabs().count().saturating_sub(1))),
        KeyCode::Char(digit @ '1'..='7') => {
            let tab = digit.to_digit(10).and_then(|digit| state.tabs().nth(usize::try_from(digit).ok()?.checked_sub(1)?));
            if let Some(tab) = tab {
                show(state, tab);
            }
        }
        _ => {}
    }
}

#[derive(Clone, Copy)]
enum Step {
    Up(usize),
    Down(usize),
}

/// Moves the cursor of the list in front, or scrolls what is.
fn go(state: &mut State, step: Step) {
    match state.opened.last_mut() {
        Some(Opened::Incident { scroll, .. } | Opened::Handshake { scroll, .. }) => {
            let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
            *scroll = match step {
                Step::Up(count) => scroll.saturating_sub(rows(count)),
                Step::Down(count) => scroll.saturating_add(rows(count)),
            };
        }
        Some(Opened::List { .. }) | None => {
            let cursor = state.place().cursor;
            state.go(match step {
                Step::Up(count) => cursor.saturating_sub(count),
                Step::Down(count) => cursor.saturating_add(count),
            });
        }
    }
}

fn back(state: &mut State, escape: bool) {
    if state.opened.pop().is_none() && escape && !state.filter.is_empty() {
        state.filter = super::filter::Filter::default();
        state.refilter();
    }
}

fn next(state: &State, by: usize) -> Tab {
    state.tabs().cycle().nth(state.tab as usize + by).unwrap_or(state.tab)
}

fn show(state: &mut State, tab: Tab) {
    state.opened.clear();
    state.tab = tab;
}

/// Sorts by a column, or by the next one; numbers and times begin with the largest.
fn sort(state: &mut State, column: Option<usize>) {
    let Some((kind, now)) = state.list() else { return };
    if column == Some(now.column) {
        return turn(state);
    }
    let columns = kind.columns();
    let column = column.unwrap_or((now.column + 1) % columns.len());
    let down = columns.get(column).is_some_and(|column| column.number || matches!(column.title, "ended" | "since" | "last"));
    state.place_mut().sort = Sort { column, down };
    state.go(0);
    let title = columns.get(column).map(|column| column.title).filter(|title| !title.is_empty());
    state.message = format!("Sorted by {}.", title.unwrap_or("name"));
}

fn turn(state: &mut State) {
    if state.list().is_some() {
        let place = state.place_mut();
        place.sort.down = !place.sort.down;
        state.go(0);
    }
}

/// Copies the command of the fix; or where it is: `whole`, or where there is no command.
fn copy(state: &mut State, whole: bool) {
    let command = |remedy: &[Advice]| {
        let command = remedy.iter().find_map(|line| if let Advice::Command(command) = line { Some(command.to_string()) } else { None });
        command.filter(|_| !whole)
    };
    let text = match state.selected() {
        Some(Selected::Incident(incident)) => command(&incident.remedy).unwrap_or_else(|| incident.summary.clone()),
        Some(Selected::Handshake(one, _)) => command(&one.diagnosis.remedy)
            .unwrap_or_else(|| format!("{} -> {} {} {}", one.client, one.server, one.server_name().unwrap_or_default(), one.handshake.id)),
        Some(Selected::Group(key)) => key,
        None => return,
    };
    let text = escape(&text).into_owned();
    state.message = format!("Copied: {text}");
    state.copied = Some(text);
}

fn find(state: &mut State, code: KeyCode) {
    match code {
        KeyCode::Enter => return,
        KeyCode::Esc => {
            state.filter.words.clear();
            return state.refilter();
        }
        KeyCode::Backspace => drop(state.filter.words.pop()),
        KeyCode::Char(c) if state.filter.words.len() < MOST_TYPED => state.filter.words.push(c),
        _ => {}
    }
    state.refilter();
    state.asking = Asking::Words;
}

fn condition(state: &mut State, code: KeyCode, mut text: String) {
    let mut wrong = String::new();
    match code {
        KeyCode::Enter => match state.filter.set_condition(&text) {
            Ok(()) => return state.refilter(),
            Err(why) => wrong = why,
        },
        KeyCode::Esc => {
            let _ = state.filter.set_condition("");
            return state.refilter();
        }
        KeyCode::Backspace => drop(text.pop()),
        KeyCode::Char(c) if text.len() < MOST_TYPED => text.push(c),
        _ => {}
    }
    state.asking = Asking::Condition { text, wrong };
}

/// The mouse was moved or pressed.
pub(super) fn point(state: &mut State, mouse: MouseEvent) {
    let at = Position { x: mouse.column, y: mouse.row };
    match mouse.kind {
        MouseEventKind::ScrollDown => go(state, Step::Down(3)),
        MouseEventKind::ScrollUp => go(state, Step::Up(3)),
        MouseEventKind::Down(MouseButton::Right) => back(state, false),
        MouseEventKind::Down(MouseButton::Left) => {
            state.message.clear();
            let drawn = &state.drawn;
            if let Some((_, tab)) = drawn.tabs.iter().find(|(place, _)| place.contains(at)) {
                show(state, *tab);
            } else if let Some((_, column)) = drawn.heads.iter().find(|(place, _)| place.contains(at)) {
                sort(state, Some(*column));
            } else if drawn.rows.contains(at) {
                let row = drawn.first + usize::from(at.y - drawn.rows.y);
                // What is under the cursor already is opened.
                if row == state.place().cursor {
                    state.open();
                } else if row < state.items().len() {
                    state.go(row);
                }
            }
        }
        _ => {}
    }
}

/// Bytes of a filter.
const MOST_TYPED: usize = 400;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::{Report, samples};
    use crate::time::Timestamp;

    #[test]
    fn the_keys_fit_a_terminal_of_60_columns() {
        for (keys, what) in KEYS {
            assert!(keys.chars().count() < 18 && what.chars().count() <= 39, "{keys}: {what}");
        }
    }

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

    fn state() -> State {
        let mut state = State::new(Timestamp::from_parts(1, 0), false);
        for (number, name) in ["a.test", "b.test", "c.test"].into_iter().enumerate() {
            let mut report = samples::named(name);
            report.handshake.id = samples::id(number as u64);
            state.take(&Arc::new(Report::Handshake(Box::new(report))));
        }
        state
    }

    #[test]
    fn keys_move_open_filter_and_quit() {
        let mut state = state();
        typed(&mut state, "2jjjjj");
        assert_eq!(state.place().cursor, 2);
        typed(&mut state, "k\n");
        assert!(matches!(state.opened.last(), Some(Opened::Handshake { .. })));
        typed(&mut state, "jq");
        assert!(state.opened.is_empty() && !state.quit);
        typed(&mut state, "/b.t\n");
        assert_eq!((state.items().len(), state.place().cursor, &state.asking), (1, 0, &Asking::Nothing));
        typed(&mut state, "\x1b");
        assert_eq!(state.items().len(), 3);
        typed(&mut state, "?x\t");
        assert_eq!((&state.asking, state.tab), (&Asking::Nothing, Tab::All));
        // Letters of a filter are no commands.
        typed(&mut state, "/q");
        assert!(!state.quit);
        typed(&mut state, "\x1bq");
        assert!(state.quit);
    }

    #[test]
    fn columns_sort_one_after_the_other_and_turn() {
        let mut state = state();
        typed(&mut state, "5");
        let sort = |state: &State| (state.place().sort.column, state.place().sort.down);
        assert_eq!(sort(&state), (2, true), "the most failures first");
        typed(&mut state, "s");
        assert_eq!((sort(&state), state.message.as_str()), ((3, true), "Sorted by share."));
        typed(&mut state, "S");
        assert_eq!(sort(&state), (3, false));
        typed(&mut state, "ssss");
        assert_eq!(sort(&state), (0, false), "names begin with a");
        assert_eq!(state.items()[0].id(), "a.test");
    }

    #[test]
    fn a_command_is_copied_and_a_wish_is_said() {
        let mut state = state();
        state.take(&Arc::new(Report::Handshake(Box::new(samples::expired(7)))));
        typed(&mut state, "2");
        state.place_mut().sort = Sort { column: 2, down: true };
        typed(&mut state, "y");
        assert!(state.copied.as_ref().is_some_and(|text| text.starts_with("openssl s_client -connect 10.0.0.2:443")), "{:?}", state.copied);
        typed(&mut state, "Y");
        assert!(
            state.copied.as_ref().is_some_and(|text| text.starts_with("10.0.0.1:40119 -> 10.0.0.2:443 www.example.test ")),
            "{:?}",
            state.copied
        );
        typed(&mut state, "wh");
        assert!(state.wish.take().is_some_and(|wish| wish.form == Form::Page && wish.reports.len() == 1));
        typed(&mut state, "w\x1b");
        assert!(state.wish.is_none() && state.asking == Asking::Nothing);
        typed(&mut state, "5wp");
        assert!(state.wish.is_some_and(|wish| wish.form == Form::Packets && !wish.reports.is_empty()));
    }

    #[cfg(feature = "where")]
    #[test]
    fn what_is_wrong_with_a_condition_is_said_and_it_can_be_mended() {
        let mut state = state();
        typed(&mut state, "2etls.client.server_name == 'b.tes\n");
        assert!(matches!(&state.asking, Asking::Condition { wrong, .. } if !wrong.is_empty()), "{:?}", state.asking);
        typed(&mut state, "t'\n");
        assert_eq!((&state.asking, state.items().len()), (&Asking::Nothing, 1));
    }

    #[test]
    fn the_mouse_chooses_and_opens() {
        let mut state = state();
        typed(&mut state, "2");
        state.drawn.rows = ratatui::layout::Rect { x: 0, y: 5, width: 80, height: 10 };
        let click = MouseEvent { kind: MouseEventKind::Down(MouseButton::Left), column: 3, row: 6, modifiers: KeyModifiers::NONE };
        point(&mut state, click);
        assert_eq!((state.place().cursor, state.opened.len()), (1, 0));
        point(&mut state, click);
        assert_eq!(state.opened.len(), 1);
        point(&mut state, MouseEvent { kind: MouseEventKind::Down(MouseButton::Right), ..click });
        assert!(state.opened.is_empty());
    }
}
