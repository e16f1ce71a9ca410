//! Numbers in sentences: grouped digits, and the noun in the singular or the plural.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_and_nouns_agree() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1u32, "packet", "packets"), "1 packet");
        assert_eq!(counted(0u64, "packet", "packets"), "0 packets");
        assert_eq!(counted(1_204usize, "frame", "frames"), "1,204 frames");
        assert_eq!((times(1u8), times(2u8), times(7u8)), ("once".to_owned(), "twice".to_owned(), "7 times".to_owned()));
    }
}
