//! Numbers in sentences: grouped digits, the noun in the singular or the plural, and no line's end between the two.

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 frame`, `1,204 frames`.
pub fn counted(number: impl TryInto<u64>, one: &str, many: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `once`, `twice`, `3 times`.
pub fn times(number: impl TryInto<u64>) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        number => format!("{} times", count(number)),
    }
}

/// A space at which no line is broken.
pub const NO_BREAK: char = '\u{a0}';

/// The text with spaces at which no line is broken between a number and what it counts, and between a word and its number: `12 frames`, `all 12`,
/// `TLS 1.3`.
pub fn held(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    for word in text.split(' ') {
        if let Some(before) = before {
            out.push(if belong(before, word) { NO_BREAK } else { ' ' });
        }
        out.push_str(word);
        before = Some(word);
    }
    out
}

/// Whether these two words are read as one.
fn belong(before: &str, after: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    let before = before.trim_start_matches('(');
    let number = before.starts_with(digit) && before.ends_with(digit) && before.bytes().all(|c| c.is_ascii_digit() || b",.".contains(&c));
    let named = after.trim_end_matches(|c: char| c.is_ascii_punctuation());
    let noun = named.len() <= LONGEST_NOUN && named.bytes().all(|c| c.is_ascii_lowercase() || c == b'-') && !named.is_empty();
    number && noun && !BETWEEN.contains(&named) || NUMBERED.contains(&before) && after.starts_with(digit)
}

/// What stands behind a number and is not counted by it.
const BETWEEN: &[&str] = &[
    "a", "after", "and", "are", "as", "at", "before", "but", "by", "for", "from", "had", "has", "if", "in", "is", "it", "of", "on", "or",
    "so", "than", "that", "the", "then", "to", "until", "was", "were", "when", "which", "while", "who", "with",
];
/// What a number stands behind.
const NUMBERED: &[&str] = &["all", "DTLS", "frame", "frames", "port", "SSL", "TLCP", "TLS"];
/// Bytes of a noun that is held.
const LONGEST_NOUN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_noun_are_held() {
        let shown = |text: &str| held(text).replace(NO_BREAK, "_");
        assert_eq!(shown("now always fails: all 12 (was none of 12)"), "now always fails: all_12 (was none of 12)");
        assert_eq!(shown("(1,204 frames, 3 clients); 5 of 7 in 14.2 kB"), "(1,204_frames, 3_clients); 5 of 7 in 14.2 kB");
        assert_eq!(shown("frames 4-17, TLS 1.3 completed, at 09:00 and 2 and"), "frames_4-17, TLS_1.3_completed, at 09:00 and 2 and");
        assert_eq!(shown("  two  spaces 3  frames "), "  two  spaces 3  frames ");
        assert_eq!(shown("10.0.0.1 answered 1 a-name-of-more-than-that"), "10.0.0.1_answered 1 a-name-of-more-than-that");
    }

    #[test]
    fn digits_are_grouped_and_nouns_agree() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1u32, "packet", "packets"), "1 packet");
        assert_eq!(counted(0u64, "packet", "packets"), "0 packets");
        assert_eq!(counted(1_204usize, "frame", "frames"), "1,204 frames");
        assert_eq!((times(1u8), times(2u8), times(7u8)), ("once".to_owned(), "twice".to_owned(), "7 times".to_owned()));
    }
}
