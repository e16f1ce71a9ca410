//! Counts over time, and the causes, side by side.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Sparkline};

use super::counts::{Second, Totals};
use super::look::{Look, cell, number};
use crate::report::Class;

/// Rows for the charts: none where `much` else needs them, more where there are many.
pub(super) fn height(area: Rect, much: bool) -> u16 {
    match area.height {
        0..24 => 0,
        24..30 if much => 0,
        24..35 => 5,
        rows => (rows / 5).clamp(7, 14),
    }
}

/// Draws them.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, totals: &Totals, look: &Look) {
    let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area);
    let [upper, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(left);
    let width = usize::from(left.width);
    let series = |of: fn(&Second) -> u64| -> Vec<u64> {
        // The running second is not over yet.
        let done = totals.seconds.len().saturating_sub(1);
        let values: Vec<u64> = totals.seconds.iter().take(done).map(of).collect();
        let from = values.len().saturating_sub(width);
        let mut out = vec![0; width.saturating_sub(values.len())];
        out.extend(values.get(from..).unwrap_or_default());
        out
    };
    let mut chart = |area: Rect, title: &str, values: Vec<u64>, style: Style| {
        let most = values.iter().copied().max().unwrap_or_default();
        let title = format!("{title} each second, at most {} ", number(most));
        let block = Block::new().borders(Borders::TOP).border_style(look.dim).title(title);
        frame.render_widget(Sparkline::default().block(block).data(values).style(style), area);
    };
    chart(upper, "handshakes", series(|second| second.handshakes), look.accent);
    chart(lower, "failures", series(|second| second.failed), look.bad);
    causes(frame, right, totals, look);
}

/// The most frequent causes, failures before what completed with trouble.
fn causes(frame: &mut Frame<'_>, area: Rect, totals: &Totals, look: &Look) {
    let mut causes: Vec<(&str, u64, u64)> =
        totals.causes.iter().map(|(cause, classes)| (*cause, classes.of_those(Class::is_failure), classes.total())).collect();
    causes.sort_by(|a, b| b.1.cmp(&a.1).then(b.2.cmp(&a.2)).then(a.0.cmp(b.0)));
    let block = Block::new().borders(Borders::TOP | Borders::LEFT).border_style(look.dim);
    let inner = block.inner(area);
    let rows = usize::from(inner.height);
    let more = causes.len().saturating_sub(rows);
    let title = if more > 0 { format!("causes, {more} more ") } else { "causes ".to_owned() };
    let most = causes.iter().map(|(_, _, all)| *all).max().unwrap_or(1).max(1);
    causes.truncate(rows);
    let room = usize::from(inner.width);
    let longest = causes.iter().map(|(cause, ..)| cause.len()).max().unwrap_or_default();
    let name = room.saturating_sub(8).min(longest);
    let lines: Vec<Line<'_>> = causes
        .iter()
        .map(|(cause, failed, all)| {
            let bar = u64::try_from(room.saturating_sub(name + 8)).unwrap_or_default();
            let columns = usize::try_from(all.saturating_mul(bar) / most).unwrap_or_default();
            let style = if *failed > 0 { look.bad } else { look.warn };
            Line::from(vec![
                Span::styled(cell(cause, name, false), style),
                Span::raw(format!(" {:>6} ", number(*all))),
                Span::styled("▪".repeat(columns), look.dim),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block.title(title)), area);
}
