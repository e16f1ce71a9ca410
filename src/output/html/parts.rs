//! Pieces of the page that several sections are made of.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::output::escape::{clip, escape};
use crate::output::figures::counted;
use crate::report::{Advice, Class};

/// Every class, in the order in which bars are stacked and the script numbers them: the worst first.
pub(super) const CLASSES: [Class; 6] = [Class::Failed, Class::Rejected, Class::Troubled, Class::Completed, Class::Undecided, Class::Probe];

/// The class's number in the page's data.
pub(super) fn number(class: Class) -> u8 {
    CLASSES.iter().position(|other| *other == class).and_then(|place| u8::try_from(place).ok()).unwrap_or_default()
}

/// The class's name in the style sheet.
pub(super) const fn css(class: Class) -> &'static str {
    match class {
        Class::Failed => "failed",
        Class::Rejected => "rejected",
        Class::Troubled => "troubled",
        Class::Undecided => "undecided",
        Class::Probe => "probe",
        Class::Completed => "completed",
    }
}

/// Text of a report: what would reorder or hide text is made visible, what is absurdly long is clipped. Markup is maud's to escape.
pub(super) fn text(raw: &str) -> String {
    clip(&escape(raw), LONGEST_TEXT).into_owned()
}

/// A name or an address in a table. It may be broken after a dot and before a colon, and nowhere else; a tooltip has it whole.
pub(super) fn name(raw: &str) -> Markup {
    let text = text(raw);
    let mut pieces: Vec<&str> = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.char_indices().skip(1).find_map(|(at, c)| match c {
        '.' => Some(at.saturating_add(1)),
        ':' => Some(at),
        _ => None,
    }) {
        let (piece, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        pieces.push(piece);
        rest = behind;
    }
    html! { span.name title=(text) { @for piece in pieces { (piece) wbr; } (rest) } }
}

/// What to do: sentences, and commands that can be copied.
pub(super) fn remedy(lines: &[Advice]) -> Markup {
    html! {
        @if !lines.is_empty() {
            div.fix {
                b { "Fix" }
                @for line in lines {
                    @match line {
                        Advice::Command(line) => (command(&line.to_string())),
                        Advice::Text(line) => p { (text(line)) },
                    }
                }
            }
        }
    }
}

/// Commands in a box, with a button that copies them.
pub(super) fn command(lines: &str) -> Markup {
    // Each line is escaped on its own: the breaks between them are ours.
    let lines = lines.lines().map(escape).collect::<Vec<_>>().join("\n");
    html! { div.command { pre tabindex="0" { code { (lines) } } button.copy.js-only type="button" aria-live="polite" { "Copy" } } }
}

/// A table whose columns the script sorts. The first [`TOP`] rows are shown, the others when they are asked for.
pub(super) fn table(heading: &str, head: &Markup, rows: &[Markup]) -> Markup {
    let (top, rest) = rows.split_at(rows.len().min(TOP));
    html! {
        div.scroll tabindex="0" role="group" aria-labelledby=(heading) {
            table.sortable {
                thead { tr { (head) } }
                tbody { @for row in top { (row) } }
                @if !rest.is_empty() { tbody.rest { @for row in rest { (row) } } }
            }
        }
        @if !rest.is_empty() {
            p.print-only { "The first " (TOP) " of " (rows.len()) "." }
            button.all.js-only type="button" aria-expanded="false" { "Show all " (rows.len()) }
        }
    }
}

/// A remark on what is left out.
pub(super) fn more(number: u64, one: &str, many: &str) -> Markup {
    html! { @if number > 0 { p.sub { "And " (counted(number, &format!("{one} more"), &format!("{many} more"))) ", not listed." } } }
}

/// A link that filters the explorer: what a reader without scripts cannot follow is shown as text. Empty values filter nothing.
pub(super) fn filtered(filter: &[(&str, &str)], shown: &Markup) -> Markup {
    let mut hash = String::new();
    for (key, value) in filter.iter().filter(|(_, value)| !value.is_empty()) {
        let sign = if hash.is_empty() { '#' } else { '&' };
        // Writing to a String cannot fail.
        let _ = write!(hash, "{sign}{key}=");
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._:".contains(&byte) {
                hash.push(char::from(byte));
            } else {
                let _ = write!(hash, "%{byte:02X}");
            }
        }
    }
    html! { a.js href=(hash) { (shown) } }
}

/// Columns of one text.
const LONGEST_TEXT: usize = 2_000;
/// Rows of a table that are shown at first.
const TOP: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_break_after_dots_and_before_colons_only() {
        let broken = |raw: &str| name(raw).into_string().split_once('>').unwrap().1.replace("</span>", "");
        assert_eq!(broken("app0.svc-11.example.com"), "app0.<wbr>svc-11.<wbr>example.<wbr>com");
        assert_eq!(broken("198.18.2.251:443"), "198.<wbr>18.<wbr>2.<wbr>251<wbr>:443");
        assert_eq!(broken("[2001:db8::1]:443"), "[2001<wbr>:db8<wbr>:<wbr>:1]<wbr>:443");
        assert_eq!(broken("a<b>.c"), "a&lt;b&gt;.<wbr>c");
        assert_eq!(broken(""), "");
    }

    #[test]
    fn what_a_link_filters_by_is_encoded() {
        let link = filtered(&[("cause", "tcp-reset"), ("name", "a&b=c\"#.test"), ("server", "")], &html! { "x" }).into_string();
        assert_eq!(link, "<a class=\"js\" href=\"#cause=tcp-reset&amp;name=a%26b%3Dc%22%23.test\">x</a>");
    }
}
