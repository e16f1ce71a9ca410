//! Draws the view. Made for 60 columns and 15 rows, and uses whatever there is more.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Wrap};

use super::charts;
use super::keys::KEYS;
use super::look::{Look, bytes, cell, cut, micros, number};
use super::pages;
use super::state::{Asking, Drawn, Opened, Scope, State, Tab};
use super::table::{Kind, fit};
use crate::output::escape::{escape, width};
use crate::output::view;
use crate::report::Class;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State) {
    let look = Look::new(state.color, state.zone.clone());
    state.settle();
    state.drawn = Drawn::default();
    let area = frame.area();
    // Of an incident, what to do matters more than what was.
    let incident = state.tab == Tab::Incidents && !state.items().is_empty();
    let charts = if state.opened.is_empty() { charts::height(area, incident) } else { 0 };
    let [head, counts, middle, tabs, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(charts),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, head, state, &look);
    totals(frame, counts, state, &look);
    if charts > 0 {
        charts::draw(frame, middle, &state.totals, &look);
    }
    trail(frame, tabs, state, &look);
    match state.opened.last() {
        Some(Opened::Incident { .. } | Opened::Handshake { .. }) => page(frame, body, state),
        None if state.tab == Tab::Incidents && body.height >= PREVIEW => {
            let wanted = u16::try_from(state.items().len()).unwrap_or(u16::MAX).saturating_add(1);
            let [list, below] = Layout::vertical([Constraint::Length(wanted.clamp(3, body.height / 2)), Constraint::Min(1)]).areas(body);
            rows(frame, list, state, &look);
            preview(frame, below, state, &look);
        }
        Some(Opened::List { .. }) | None => rows(frame, body, state, &look),
    }
    footer(frame, foot, state, &look);
    if let Asking::Help(from) = state.asking {
        state.drawn.keys = help(frame, area, &look, from);
    }
}

fn header(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let gauges = &state.gauges;
    let passed = state.now.since(state.started).as_secs();
    let lost = gauges.dropped.saturating_add(gauges.lost);
    let name = "handshark ";
    let rest = [
        (format!("  {:02}:{:02}:{:02}", passed / 3600, passed / 60 % 60, passed % 60), look.dim),
        (format!("  {} dropped", number(lost)), if lost > 0 { look.bad } else { look.dim }),
        (format!("  {} pkt/s", number(state.packet_rate)), Style::new()),
        (format!("  {}/s", bytes(state.byte_rate)), Style::new()),
    ];
    let paused = if state.paused() { "  PAUSED" } else { "" };
    let room = usize::from(area.width).saturating_sub(name.len() + paused.len());
    let interfaces = cut(&gauges.interfaces, room.min(24));
    let mut spans = vec![Span::styled(name, look.strong), Span::raw(interfaces.clone())];
    spans.extend(that_fit(rest, room.saturating_sub(width(&interfaces))));
    spans.push(Span::styled(paused, look.warn));
    frame.render_widget(Line::from(spans), area);
}

/// Handshakes by class, in the order of their gravity, and how long they took where there is room for all of it.
fn totals(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let classes = &state.totals.classes;
    let room = usize::from(area.width);
    let all = format!("{}: ", crate::output::figures::counted(classes.total(), "handshake", "handshakes"));
    let mut parts: Vec<(String, Style)> = Vec::new();
    for (class, count) in classes.iter().filter(|(class, count)| *count > 0 || matches!(class, Class::Failed | Class::Completed)) {
        let comma = if parts.is_empty() { "" } else { ", " };
        parts.push((format!("{comma}{} {}", number(count), class.words(count)), if count > 0 { look.of(class) } else { look.dim }));
    }
    let time = |percent| state.totals.percentile(percent).map_or_else(|| "–".to_owned(), micros);
    let times = [50, 95, 99].map(|percent| (format!("  p{percent} {}", time(percent)), look.dim));
    let mut spans = vec![Span::raw(all.clone())];
    spans.extend(that_fit(parts.into_iter().chain(times), room.saturating_sub(width(&all))));
    frame.render_widget(Line::from(spans), area);
}

/// The first parts, as many as fit whole.
fn that_fit(parts: impl IntoIterator<Item = (String, Style)>, room: usize) -> Vec<Span<'static>> {
    let mut taken = 0;
    let mut spans = Vec::new();
    for (text, style) in parts {
        taken += width(&text);
        if taken > room {
            break;
        }
        spans.push(Span::styled(text, style));
    }
    spans
}

/// The tabs; or, where something was opened, the way to it.
fn trail(frame: &mut Frame<'_>, area: Rect, state: &mut State, look: &Look) {
    let bar = Style::new().add_modifier(Modifier::UNDERLINED);
    let mut spans: Vec<Span<'_>> = Vec::new();
    let count = number(state.items().len() as u64);
    let told = state.filter.told();
    let told = if told.is_empty() { told } else { format!(" {told}") };
    if state.opened.is_empty() {
        let narrow = area.width < 80;
        let mut x = area.x;
        for (place, tab) in state.tabs().enumerate() {
            let chosen = tab == state.tab;
            let listed = match (chosen, narrow) {
                (false, _) => String::new(),
                (true, true) => format!(":{count}"),
                (true, false) => format!(" ({count})"),
            };
            let title = format!("{}{} {}{listed} ", if narrow { "" } else { " " }, place + 1, tab.title());
            let columns = u16::try_from(width(&title)).unwrap_or_default();
            state.drawn.tabs.push((Rect { x, y: area.y, width: columns, height: 1 }, tab));
            x = x.saturating_add(columns);
            spans.push(Span::styled(title, if chosen { look.strong.add_modifier(Modifier::REVERSED) } else { bar }));
        }
        spans.push(Span::styled(told, look.dim));
    } else {
        let words: Vec<String> =
            std::iter::once(state.tab.title().to_owned()).chain(state.opened.iter().map(|opened| way(opened, state))).collect();
        spans.push(Span::styled(words.join(" › "), look.strong));
        if matches!(state.opened.last(), Some(Opened::List { .. })) {
            spans.push(Span::styled(format!(" ({count}){told}"), look.dim));
        }
    }
    let text: String = spans.iter().map(|span| span.content.as_ref()).collect();
    if width(&text) > usize::from(area.width) && !state.opened.is_empty() {
        // Where one is matters more than whence one came.
        let kept: String =
            text.chars().rev().take(usize::from(area.width).saturating_sub(1)).collect::<Vec<_>>().into_iter().rev().collect();
        spans = vec![Span::styled(format!("…{kept}"), look.strong)];
    }
    frame.render_widget(Line::from(spans), area);
}

fn way(opened: &Opened, state: &State) -> String {
    match opened {
        Opened::Incident { id, .. } => state.data().incidents.get(id).map_or_else(
            || "gone".to_owned(),
            |tracked| format!("{} at {}", tracked.incident.cause, escape(&view::place(&tracked.incident))),
        ),
        Opened::List { scope: Scope::Of(_, key), .. } => escape(key).into_owned(),
        Opened::List { .. } => "handshakes".to_owned(),
        Opened::Handshake { report, .. } => {
            super::data::handshake(report).map(|one| one.handshake.id.as_str().to_owned()).unwrap_or_default()
        }
    }
}

/// What was opened, from the line on to which it is scrolled.
fn page(frame: &mut Frame<'_>, area: Rect, state: &mut State) {
    state.drawn.page = usize::from(area.height);
    let columns = usize::from(area.width);
    let lines = match state.opened.last() {
        Some(Opened::Incident { id, .. }) => {
            state.data().incidents.get(id).map(|tracked| pages::incident(tracked, state.now, columns, state.color, &state.zone))
        }
        Some(Opened::Handshake { report, .. }) => {
            super::data::handshake(report).map(|one| pages::handshake(one, columns, state.color, &state.zone))
        }
        Some(Opened::List { .. }) | None => None,
    };
    let lines = lines.unwrap_or_else(|| vec![Line::raw("It was forgotten to make room.")]);
    // Commands are not broken, and may be longer than the screen is wide.
    let needed: usize = lines.iter().map(|line| line.width().div_ceil(columns.max(1)).max(1)).sum();
    if let Some(Opened::Incident { scroll, .. } | Opened::Handshake { scroll, .. }) = state.opened.last_mut() {
        *scroll = (*scroll).min(u16::try_from(needed).unwrap_or(u16::MAX).saturating_sub(area.height));
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((*scroll, 0)), area);
    }
}

/// The incident under the cursor, as far as there is room.
fn preview(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let block = Block::new().borders(Borders::TOP).border_style(look.dim);
    let items = state.items();
    if let Some(super::table::Item::Incident(tracked)) = items.get(state.place().cursor) {
        let lines = pages::incident(tracked, state.now, usize::from(area.width), state.color, &state.zone);
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
    }
}

/// The table in front.
fn rows(frame: &mut Frame<'_>, area: Rect, state: &mut State, look: &Look) {
    let Some((kind, sort)) = state.list() else { return };
    let columns = kind.columns();
    let widths = fit(columns, usize::from(area.width));
    let [head, list] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let page = usize::from(list.height).max(1);
    let cursor = state.place().cursor;
    // The cursor is kept in sight.
    let first = cursor.saturating_sub(page.saturating_sub(1));
    let mut heads = Vec::new();
    let mut x = head.x;
    let mut titles: Vec<Span<'_>> = Vec::new();
    for (column, columns_wide) in &widths {
        let Some(of) = columns.get(*column) else { continue };
        let title = match (of.title, state.tab) {
            ("", Tab::Servers) => "server",
            ("", Tab::Names) => "name",
            ("", Tab::Processes) => "process",
            ("", _) => "client",
            (title, _) => title,
        };
        let arrow = if *column != sort.column {
            ""
        } else if sort.down {
            "▼"
        } else {
            "▲"
        };
        let style = if arrow.is_empty() { look.dim } else { look.strong };
        titles.push(Span::styled(cell(&format!("{title}{arrow}"), *columns_wide, of.number), style));
        titles.push(Span::raw(" "));
        let columns_wide = u16::try_from(*columns_wide).unwrap_or_default();
        heads.push((Rect { x, y: head.y, width: columns_wide, height: 1 }, *column));
        x = x.saturating_add(columns_wide).saturating_add(1);
    }
    let items = state.items();
    let mut lines: Vec<Line<'_>> = items
        .iter()
        .enumerate()
        .skip(first)
        .take(page)
        .map(|(place, item)| {
            let mut spans = Vec::new();
            for (column, columns_wide) in &widths {
                let (text, style) = item.cell(*column, *columns_wide, look, state.now);
                let number = columns.get(*column).is_some_and(|column| column.number);
                spans.push(Span::styled(cell(&text, *columns_wide, number), if place == cursor { Style::new() } else { style }));
                spans.push(Span::raw(" "));
            }
            let line = Line::from(spans);
            if place == cursor { line.style(Style::new().add_modifier(Modifier::REVERSED)) } else { line }
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled(empty(state, kind), look.dim));
    } else {
        frame.render_widget(Line::from(titles), head);
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), list);
    (state.drawn.heads, state.drawn.rows, state.drawn.first, state.drawn.page) = (heads, list, first, page);
}

fn empty(state: &State, kind: Kind) -> String {
    let failed = state.totals.classes.of_those(Class::is_failure);
    if state.gauges.frames == 0 {
        "No packets yet. Is it the right interface? (handshark interfaces)".to_owned()
    } else if state.totals.classes.total() == 0 && state.data().rows.is_empty() {
        "No handshake yet.".to_owned()
    } else if !state.filter.is_empty() {
        "Nothing matches the filter. Esc drops it.".to_owned()
    } else if kind == Kind::Incidents && failed > 0 {
        let failures = crate::output::figures::counted(failed, "failure stands", "failures stand");
        format!("No incident: {failures} alone (2 shows them). Two of one cause at one server make an incident.")
    } else {
        "Nothing failed.".to_owned()
    }
}

fn footer(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let room = usize::from(area.width);
    // No key is told of by half.
    let dim = |text: &str| {
        let parts =
            text.split("  ").enumerate().map(|(place, part)| (if place > 0 { format!("  {part}") } else { part.to_owned() }, look.dim));
        Line::from(that_fit(parts, room))
    };
    let line = match &state.asking {
        Asking::Words => Line::raw(cut(&format!("/{}▏ words; ! before one excludes it. Enter keeps, Esc drops", state.filter.words), room)),
        Asking::Condition { text, wrong } if wrong.is_empty() => Line::raw(cut(&format!("where {text}▏ Enter applies, Esc drops"), room)),
        Asking::Condition { text, wrong } => {
            let typed = cut(&format!("where {text}▏ "), room / 2);
            let left = room.saturating_sub(width(&typed));
            Line::from(vec![Span::raw(typed), Span::styled(cut(wrong, left), look.bad)])
        }
        Asking::Form => Line::styled("Save what is selected: p packets, h a page, Esc cancels", look.strong),
        Asking::Nothing | Asking::Help(_) if !state.message.is_empty() => Line::styled(cut(&state.message, room), look.strong),
        Asking::Nothing | Asking::Help(_) => dim(match state.opened.last() {
            None => "? keys  q quit  Enter open  / find  e where  s S sort  y copy  w save  p pause",
            Some(Opened::List { .. }) => "? keys  Esc back  Enter open  / find  e where  s S sort  y copy  w save",
            Some(Opened::Incident { .. }) => "? keys  Esc back  Enter its handshakes  y copy the fix  w save  j k scroll",
            Some(Opened::Handshake { .. }) => "? keys  Esc back  y copy the fix  w save  j k scroll  g G top, end",
        }),
    };
    frame.render_widget(line, area);
}

/// Shows the keys from one on, and says how many there was room for.
fn help(frame: &mut Frame<'_>, area: Rect, look: &Look, from: usize) -> usize {
    let shown = KEYS.get(from..).unwrap_or_default();
    let height = u16::try_from(KEYS.len()).unwrap_or_default().saturating_add(2).min(area.height);
    let room = usize::from(height.saturating_sub(2));
    let width = 78.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let keys = if area.width < 70 { 18 } else { 26 };
    let lines: Vec<Line<'_>> = shown
        .iter()
        .take(room)
        .map(|(key, what)| Line::from(vec![Span::styled(format!(" {}", cell(key, keys, false)), look.strong), Span::raw(*what)]))
        .collect();
    frame.render_widget(Clear, place);
    let title = if shown.len() > room { " keys: any for more, Esc back " } else { " keys " };
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), place);
    room
}

/// From so many rows on, the incident under the cursor is shown below the list.
const PREVIEW: u16 = 9;

#[cfg(test)]
mod tests;
