//! Makes text that came from the wire safe to show: what would move the cursor, hide or reorder text becomes visible.
//!
//! The result is for people, not for parsing back: a backslash stays a single backslash, so that commands can be copied as they are.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// The text with control characters, bidirectional overrides, invisible characters and heaps of combining marks written as escapes
/// (`\n`, `\x1b`, `\u{202e}`). The result has no line break in it.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_add(16));
    let mut marks = 0_usize;
    for c in text.chars() {
        marks = if c.width() == Some(0) { marks.saturating_add(1) } else { 0 };
        if is_hazard(c) || marks > COMBINING_MARKS {
            push_escaped(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character must not be shown as it is: it acts on the terminal, or cannot be seen.
pub const fn is_hazard(c: char) -> bool {
    matches!(c,
        // C0, DEL, C1: ESC, CR, CSI and their like
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // invisible: soft hyphen, joiners, fillers, zero-width spaces, byte order mark
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        // direction: marks, embeddings, overrides, isolates
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // line and paragraph separator, annotations, variation selectors, tags
        // prefixes of numbers, verses and the like that show nothing of their own
        | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{2028}' | '\u{2029}' | '\u{fff0}'..='\u{fffb}' | '\u{fe00}'..='\u{fe0f}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Columns the text takes on a terminal. For text that went through [`escape`]. Counted character by character, so that the width of a whole
/// is that of its parts wherever it is cut.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(1)).sum()
}

/// The text, or its beginning and end around an ellipsis when it takes more than `columns` columns. For text that went through [`escape`].
pub fn clip(text: &str, columns: usize) -> Cow<'_, str> {
    // No character takes more columns than it has bytes.
    if text.len() <= columns || !wider_than(text, columns) {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1);
    let tail_room = room / 3;
    let mut out = String::with_capacity(columns.saturating_mul(2));
    take_columns(text.chars(), room.saturating_sub(tail_room), &mut out);
    out.push('…');
    let mut tail = String::new();
    take_columns(text.chars().rev(), tail_room, &mut tail);
    out.extend(tail.chars().rev());
    Cow::Owned(out)
}

fn wider_than(text: &str, columns: usize) -> bool {
    let mut total = 0_usize;
    text.chars().any(|c| {
        total = total.saturating_add(c.width().unwrap_or(1));
        total > columns
    })
}

fn take_columns(chars: impl Iterator<Item = char>, columns: usize, out: &mut String) {
    let mut total = 0_usize;
    for c in chars {
        total = total.saturating_add(c.width().unwrap_or(1));
        if total > columns {
            break;
        }
        out.push(c);
    }
}

fn push_escaped(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a String cannot fail.
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        _ if code < 0x100 => write!(out, "\\x{code:02x}"),
        _ => write!(out, "\\u{{{code:x}}}"),
    };
}

/// Combining marks shown on one character: Vietnamese and Thai need two; more is a heap that covers other lines.
const COMBINING_MARKS: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_not_touched() {
        for text in ["www.example.test", "CN=Ünïcode GmbH, O=株式会社", "C:\\a", ""] {
            assert_eq!(escape(text), text);
        }
    }

    #[test]
    fn what_acts_on_a_terminal_becomes_visible() {
        assert_eq!(escape("a\x1b[2Jb\rc\nd\te\x07"), "a\\x1b[2Jb\\rc\\nd\\te\\x07");
        assert_eq!(escape("\u{9b}31m"), "\\x9b31m");
        assert_eq!(escape("moc.\u{202e}live\u{200b}"), "moc.\\u{202e}live\\u{200b}");
    }

    #[test]
    fn heaps_of_marks_are_cut_down() {
        let heap = format!("e{}", "\u{301}".repeat(50));
        let shown = escape(&heap);
        assert_eq!(shown.matches('\u{301}').count(), 4);
        assert_eq!(escape("e\u{301}"), "e\u{301}");
    }

    #[test]
    fn clipping_keeps_both_ends() {
        assert_eq!(clip("abcdefghij", 10), "abcdefghij");
        assert_eq!(clip("abcdefghijk", 10), "abcdef…ijk");
        assert_eq!(clip("株式会社株式会社", 9), "株式会…社");
        assert_eq!(clip("abc", 0), "…");
    }

    proptest! {
        #[test]
        fn nothing_hazardous_is_left(text in any::<String>()) {
            let shown = escape(&text);
            prop_assert!(!shown.chars().any(|c| is_hazard(c) || c.is_control()));
            prop_assert_eq!(escape(&shown), shown.as_ref());
            prop_assert!(width(&clip(&shown, 20)) <= 20 || !wider_than(&shown, 20));
        }
    }
}
