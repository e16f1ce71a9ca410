//! Draws the view: rates, counts over time, causes, the list; or one handshake, or the keys. Made for 80 columns and 24 rows, and uses more.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Sparkline, Wrap};

use super::detail;
use super::keys::KEYS;
use super::look::{Look, micros};
use super::state::{State, Tab, handshake};
use crate::output::escape::{clip, escape};
use crate::output::figures::clock;
use crate::output::view;
use crate::report::{Class, Handshake};
use crate::time::Timestamp;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State) {
    let look = Look::new(state.color);
    let area = frame.area();
    let charts = if area.height >= 20 { 7 } else { 0 };
    let [head, counts, middle, list, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(charts),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, head, state, &look);
    totals(frame, counts, state, &look);
    if let Some((report, scroll)) = &mut state.detail {
        let body = Rect { y: middle.y, height: middle.height.saturating_add(list.height), ..middle };
        state.page = usize::from(body.height);
        if let Some(report) = handshake(report) {
            let lines = detail::lines(report, &look, usize::from(body.width));
            // A word may be longer than the screen is wide.
            let needed: usize = lines.iter().map(|line| line.width().div_ceil(usize::from(body.width).max(1)).max(1)).sum();
            *scroll = (*scroll).min(u16::try_from(needed).unwrap_or(u16::MAX).saturating_sub(body.height));
            frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((*scroll, 0)), body);
        }
        footer(frame, foot, "Esc back  j k scroll  g G top, end  ? keys", &look);
    } else {
        if charts > 0 {
            let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(middle);
            sparklines(frame, left, state, &look);
            causes(frame, right, state, &look);
        }
        rows(frame, list, state, &look);
        if state.typing {
            footer(frame, foot, &format!("/{}▏ Enter keeps, Esc drops", state.filter), &look);
        } else {
            footer(frame, foot, "q quit  Enter open  / filter  Tab problems, incidents, all  p pause  ? keys", &look);
        }
    }
    if state.help {
        help(frame, area, &look);
    }
}

fn header(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let gauges = &state.gauges;
    let passed = state.now.since(state.started).as_secs();
    let dropped = format!("{} dropped", number(gauges.dropped.saturating_add(gauges.lost)));
    let spans = vec![
        Span::styled("handshark ", look.strong),
        Span::raw(clip(&escape(&gauges.interfaces), 24).into_owned()),
        Span::raw(format!("  {:02}:{:02}:{:02}", passed / 3600, passed / 60 % 60, passed % 60)),
        Span::raw(format!("  {} pkt/s  {}/s  ", number(state.packet_rate), bytes(state.byte_rate))),
        Span::styled(dropped, if gauges.dropped.saturating_add(gauges.lost) > 0 { look.bad } else { Style::new() }),
        Span::styled(if state.paused() { "  PAUSED" } else { "" }, look.warn),
    ];
    frame.render_widget(Line::from(spans), area);
}

fn totals(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let time = |percent| state.percentile(percent).map_or_else(|| "–".to_owned(), micros);
    let mut spans = vec![Span::raw(format!("{} handshakes  ", number(state.classes.total())))];
    for (class, count) in state.classes.iter().filter(|(class, count)| *count > 0 || matches!(class, Class::Failed | Class::Completed)) {
        let style = if count > 0 { look.of(class) } else { Style::new() };
        spans.push(Span::styled(format!("{} {}  ", number(count), class.words(count)), style));
    }
    spans.push(Span::raw(format!("p50 {}  p95 {}  p99 {}", time(50), time(95), time(99))));
    frame.render_widget(Line::from(spans), area);
}

fn sparklines(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let [upper, lower] = Layout::vertical([Constraint::Length(4), Constraint::Length(3)]).areas(area);
    let width = usize::from(area.width);
    let series = |of: fn(&super::state::Second) -> u64| -> Vec<u64> {
        // The running second is not over yet.
        let done = state.seconds.len().saturating_sub(1);
        let values: Vec<u64> = state.seconds.iter().take(done).map(of).collect();
        let from = values.len().saturating_sub(width);
        let mut out = vec![0; width.saturating_sub(values.len())];
        out.extend(values.get(from..).unwrap_or_default());
        out
    };
    let mut chart = |area: Rect, title: &str, values: Vec<u64>, style: Style| {
        let most = values.iter().copied().max().unwrap_or_default();
        let title = format!("{title}, at most {} ", number(most));
        let block = Block::new().borders(Borders::TOP).border_style(look.dim).title(title);
        frame.render_widget(Sparkline::default().block(block).data(values).style(style), area);
    };
    chart(upper, "handshakes/s", series(|second| second.handshakes), look.accent);
    chart(lower, "failures/s", series(|second| second.failed), look.bad);
}

fn causes(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let mut causes: Vec<(&str, u64)> = state.causes.iter().map(|(cause, count)| (*cause, *count)).collect();
    causes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let most = causes.first().map_or(1, |(_, count)| *count);
    let block = Block::new().borders(Borders::TOP | Borders::LEFT).border_style(look.dim).title("causes ");
    let inner = block.inner(area);
    let room = usize::from(inner.width);
    causes.truncate(usize::from(inner.height));
    let longest = causes.iter().map(|(cause, _)| cause.len()).max().unwrap_or_default();
    let name_width = room.saturating_sub(14).min(longest);
    let lines: Vec<Line<'_>> = causes
        .iter()
        .map(|(cause, count)| {
            let bar = room.saturating_sub(name_width + 9);
            let width = usize::try_from(count.saturating_mul(bar as u64).div_ceil(most.max(1))).unwrap_or_default();
            Line::from(vec![
                Span::raw(format!("{:<name_width$} {:>6} ", clip(cause, name_width), number(*count))),
                Span::styled("█".repeat(width), look.bad),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn rows(frame: &mut Frame<'_>, area: Rect, state: &mut State, look: &Look) {
    let title = match state.tab {
        Tab::Failures => "problems",
        Tab::Incidents => "incidents",
        Tab::All => "all handshakes",
    };
    let filter = if state.filter.is_empty() { String::new() } else { format!(", filter: {}", escape(&state.filter)) };
    let block =
        Block::new().borders(Borders::TOP).border_style(look.dim).title(format!("{title}: {}{filter} ", number(state.len() as u64)));
    let inner = block.inner(area);
    state.page = usize::from(inner.height).max(1);
    state.clamp();
    // The cursor is kept in sight.
    let from = state.cursor.saturating_sub(state.page.saturating_sub(1));
    let width = usize::from(inner.width);
    let texts: Vec<(String, Style)> = match state.tab {
        Tab::Incidents => state
            .grouped()
            .into_iter()
            .skip(from)
            .take(state.page)
            .map(|((cause, server), incident)| {
                let last = handshake(&incident.last).map(|report| clock_of(report.handshake.start)).unwrap_or_default();
                (format!("{:>6}× {last}  {cause:<26} {}", number(incident.failed), escape(server)), look.bad)
            })
            .collect(),
        Tab::Failures | Tab::All => {
            let listed = state.listed();
            listed
                .iter()
                .skip(from)
                .take(state.page)
                .filter_map(|report| handshake(report))
                .map(|report| row(report, width, look))
                .collect()
        }
    };
    let lines: Vec<Line<'_>> = texts
        .into_iter()
        .enumerate()
        .map(|(at, (text, style))| {
            let style = if from + at == state.cursor { style.add_modifier(Modifier::REVERSED) } else { style };
            Line::styled(format!("{:<width$}", clip(&text, width)), style)
        })
        .collect();
    let paragraph = if lines.is_empty() { Paragraph::new(Line::styled(empty(state), look.dim)) } else { Paragraph::new(lines) };
    frame.render_widget(paragraph.block(block), area);
}

fn empty(state: &State) -> &'static str {
    if !state.filter.is_empty() {
        "Nothing matches the filter."
    } else if state.gauges.frames == 0 {
        "No packets yet. Is it the right interface? (handshark interfaces)"
    } else if state.classes.total() == 0 {
        "No handshake yet."
    } else {
        "No problems."
    }
}

fn row(report: &Handshake<'_>, width: usize, look: &Look) -> (String, Style) {
    let class = report.class();
    let cause = if class == Class::Completed { "completed" } else { view::cause(report) };
    let mark = if report.handshake.provisional { "…" } else { " " };
    let server = view::server(report);
    let text = if width >= 110 {
        format!(
            "{} {mark}{cause:<26} {:<21} → {:<38} {}",
            clock_of(report.handshake.start),
            report.client.to_string(),
            server,
            report.summary()
        )
    } else {
        format!("{} {mark}{cause:<24} {} → {server}", clock_of(report.handshake.start), report.client.address)
    };
    (escape(&text).into_owned(), look.of(class))
}

fn footer(frame: &mut Frame<'_>, area: Rect, text: &str, look: &Look) {
    frame.render_widget(Line::styled(escape(text).into_owned(), look.dim), area);
}

fn help(frame: &mut Frame<'_>, area: Rect, look: &Look) {
    let height = u16::try_from(KEYS.len()).unwrap_or_default().saturating_add(4).min(area.height);
    let width = 76.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let mut lines = vec![Line::default()];
    lines.extend(KEYS.iter().map(|(key, what)| Line::from(vec![Span::styled(format!(" {key:<26}"), look.strong), Span::raw(*what)])));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(Block::bordered().title(" keys ")), place);
}

/// The time of day out of a report's time.
fn clock_of(at: Timestamp) -> String {
    clock(at).chars().take(8).collect()
}

/// With a unit where it is long.
fn number(number: u64) -> String {
    match number {
        0..100_000 => number.to_string(),
        100_000..10_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::report::Report;
    use crate::report::samples;
    use crate::time::Timestamp;
    use crate::tui::Gauges;

    fn state() -> State {
        let mut state = State::new(Timestamp::from_parts(1_795_251_860, 0), true);
        for report in [samples::expired(0), samples::completed(), samples::refused(), samples::named("a\x1b[31m\u{202e}b")] {
            state.take(&Arc::new(Report::Handshake(Box::new(report))));
        }
        state.tick(
            Timestamp::from_parts(1_795_251_865, 0),
            Gauges { interfaces: "eth0".into(), frames: 500, bytes: 90_000, ..Gauges::default() },
        );
        state
    }

    fn drawn(state: &mut State, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_view_shows_what_there_is_at_80_by_24() {
        let screen = drawn(&mut state(), 80, 24);
        for part in [
            "handshark eth0  00:00:05  100 pkt/s",
            "4 handshakes",
            "1 completed",
            "3 failed",
            "certificate-expired",
            "problems: 3",
            "tcp-refused",
        ] {
            assert!(screen.contains(part), "{part}\n{screen}");
        }
        assert!(!screen.contains('\x1b') && !screen.contains('\u{202e}'), "{screen}");
    }

    #[test]
    fn a_handshake_is_shown_in_full_and_scrolls() {
        let mut state = state();
        state.detail = state.listed().last().cloned().map(|report| (report, 0));
        let screen = drawn(&mut state, 80, 40);
        for part in ["Timeline", "What to do", "www.example.test", "frame "] {
            assert!(screen.contains(part), "{part}\n{screen}");
        }
        state.detail = state.detail.map(|(report, _)| (report, u16::MAX));
        drawn(&mut state, 80, 24);
        assert!(state.detail.is_some_and(|(_, scroll)| scroll < 100), "no further than its end");
    }

    #[test]
    fn every_size_can_be_drawn() {
        let mut state = state();
        for (width, height) in [(1, 1), (5, 3), (20, 8), (79, 19), (200, 60)] {
            for (help, detail) in [(false, false), (true, false), (false, true)] {
                state.help = help;
                state.detail = detail.then(|| state.listed().first().cloned().map(|report| (report, 3))).flatten();
                drawn(&mut state, width, height);
            }
        }
    }
}
