//! What other outputs write for a terminal, made into the view's lines: text, and the styles of `output::style`.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// The lines of a text whose only escape sequences are those that set a style (SGR); all else is shown as it is.
pub(super) fn lines(text: &str) -> Vec<Line<'static>> {
    let mut style = Style::new();
    text.lines()
        .map(|line| {
            let mut spans = Vec::new();
            for (number, piece) in line.split("\x1b[").enumerate() {
                let rest = match piece.split_once('m').filter(|_| number > 0) {
                    Some((codes, rest)) => {
                        style = codes.split(';').fold(style, apply);
                        rest
                    }
                    None => piece,
                };
                if !rest.is_empty() {
                    spans.push(Span::styled(rest.to_owned(), style));
                }
            }
            Line::from(spans)
        })
        .collect()
}

fn apply(style: Style, code: &str) -> Style {
    const COLORS: [Color; 8] =
        [Color::Black, Color::Red, Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Cyan, Color::Gray];
    match code.parse::<usize>() {
        Ok(1) => style.add_modifier(Modifier::BOLD),
        Ok(2) => style.add_modifier(Modifier::DIM),
        Ok(code @ 30..=37) => COLORS.get(code - 30).map_or(style, |color| style.fg(*color)),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::style::Palette;

    #[test]
    fn styles_are_kept_and_text_too() {
        let Palette { bad, dim, .. } = Palette::COLOURED;
        let lines = lines(&format!("a {bad}failed{bad:#} b\n{dim}09:00{dim:#}m[0m"));
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        assert_eq!(lines[0], Line::from(vec![Span::raw("a "), Span::styled("failed", red), Span::raw(" b")]));
        assert_eq!(lines[1].spans[0], Span::styled("09:00", Style::new().add_modifier(Modifier::DIM)));
        assert_eq!(lines[1].spans[1], Span::raw("m[0m"));
    }
}
