//! Bytes off the wire made fit to print: bounded, without control characters, without credentials.

use std::fmt::Write as _;

use crate::limits::PREAMBLE_LINE_LEN;

/// Text of at most [`PREAMBLE_LINE_LEN`] bytes of input: invalid UTF-8 replaced, control and direction-changing characters escaped.
pub(super) fn printable(bytes: &[u8]) -> String {
    let kept = bytes.get(..PREAMBLE_LINE_LEN).unwrap_or(bytes);
    let lossy = String::from_utf8_lossy(kept);
    let mut out = String::with_capacity(lossy.len() + 4);
    for c in lossy.chars() {
        match c {
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            // What is quoted stands between backticks.
            '`' => out.push('\''),
            c if c.is_control() && (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    if kept.len() < bytes.len() {
        out.push('…');
    }
    out
}

/// The first line of text, or the first bytes of something binary with everything but printable ASCII escaped.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let first = first_line(bytes);
    let head = first.get(..64).unwrap_or(first);
    if !first.is_empty()
        && head.iter().all(|byte| (0x20..0x7f).contains(byte) || *byte == b'\t' || *byte >= 0x80)
        && std::str::from_utf8(head).is_ok_and(|_| true)
    {
        return printable(first);
    }
    let shown = bytes.get(..BINARY_SHOWN).unwrap_or(bytes);
    let mut out = shown.escape_ascii().to_string().replace('`', "\\x60");
    if shown.len() < bytes.len() {
        out.push('…');
    }
    out
}

/// Up to the first line feed, without it and without a carriage return before it.
pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    trim_end(bytes.get(..end).unwrap_or_default())
}

/// Without trailing CR and LF.
pub(super) fn trim_end(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}

/// The line with what follows a login command, or a header that carries credentials, left out.
pub(super) fn redacted(line: &[u8]) -> String {
    let upper_starts = |prefix: &str| starts_with(line, prefix);
    for header in ["Proxy-Authorization:", "Authorization:", "Cookie:"] {
        if upper_starts(header) {
            return format!("{header} {HIDDEN}");
        }
    }
    if upper_starts("CONNECT {") {
        return format!("CONNECT {HIDDEN}");
    }
    if upper_starts("PASS ") || upper_starts("APOP ") {
        return format!("{} {HIDDEN}", printable(line.get(..4).unwrap_or_default()));
    }
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (one, two, three) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if one.eq_ignore_ascii_case(b"AUTH") && !three.is_empty() || one.eq_ignore_ascii_case(b"AUTHENTICATE") && !three.is_empty() {
        return format!("{} {} {HIDDEN}", printable(one), printable(two));
    }
    if two.eq_ignore_ascii_case(b"LOGIN") && !three.is_empty() {
        return format!("{} {} {HIDDEN}", printable(one), printable(two));
    }
    if two.eq_ignore_ascii_case(b"AUTHENTICATE") && words.next().is_some() {
        return format!("{} {} {} {HIDDEN}", printable(one), printable(two), printable(three));
    }
    printable(line)
}

/// ASCII case-insensitive prefix.
pub(super) fn starts_with(bytes: &[u8], prefix: &str) -> bool {
    bytes.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// A refusal says that what was asked for takes encryption.
pub(super) fn demands_tls(refusal: &[u8]) -> bool {
    DEMANDS.iter().any(|words| contains(refusal, words))
}

/// The words of Postfix, Exim, Exchange, Dovecot, Cyrus, vsftpd, `ProFTPD`, Pure-FTPd, FileZilla, IIS, ejabberd, Prosody, MySQL, MariaDB and Azure.
const DEMANDS: [&str; 17] = [
    "issue a STARTTLS command",
    "STARTTLS first",
    "STARTTLS is required",
    "STARTTLS required",
    "TLS required",
    "TLS is required",
    "requires TLS",
    "requires SSL",
    "encryption required",
    "encryption is required",
    "must use encryption",
    "use AUTH first",
    "PRIVACYREQUIRED",
    "on non-secure (SSL/TLS)",
    "cleartext sessions",
    "insecure transport",
    "SSL connection is required",
];

/// ASCII case-insensitive search; the needle must not be empty. Linear for the short needles used here.
pub(super) fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len().max(1)).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The value of the first header of that name among a message's lines.
pub(super) fn header<'a>(message: &'a [u8], name: &str) -> Option<&'a [u8]> {
    message.split(|byte| *byte == b'\n').map(trim_end).skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let rest = line.get(name.len()..).filter(|_| starts_with(line, name))?;
        rest.strip_prefix(b":").map(<[u8]>::trim_ascii)
    })
}

/// A decimal number of at most nine digits.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))
}

/// A word that a firewall wrote over: four or more X, the last of which may be another capital (`XXXXXXXA`).
pub(super) fn overwritten(word: &[u8]) -> bool {
    word.split_last().is_some_and(|(last, rest)| rest.len() >= 3 && rest.iter().all(|byte| *byte == b'X') && last.is_ascii_uppercase())
}

/// Shown in place of a credential.
pub(super) const HIDDEN: &str = "[not shown]";

/// Bytes of a binary message shown: enough to recognise its header.
const BINARY_SHOWN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(printable(b"a\x1b[31mb\r\n\xff"), "a\\x1b[31mb\\r\\n\u{fffd}");
        assert_eq!(printable("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(printable("\u{9b}1m".as_bytes()), "\\x9b1m");
    }

    #[test]
    fn long_lines_are_cut() {
        let text = printable(&[b'a'; 1000]);
        assert_eq!(text.chars().count(), PREAMBLE_LINE_LEN + 1);
    }

    #[test]
    fn credentials_are_left_out() {
        assert_eq!(redacted(b"PASS hunter2"), "PASS [not shown]");
        assert_eq!(redacted(b"a1 LOGIN joe hunter2"), "a1 LOGIN [not shown]");
        assert_eq!(redacted(b"AUTH PLAIN AGpvZQ=="), "AUTH PLAIN [not shown]");
        assert_eq!(redacted(b"AUTH TLS"), "AUTH TLS");
        assert_eq!(redacted(b"a2 AUTHENTICATE PLAIN AGpv"), "a2 AUTHENTICATE PLAIN [not shown]");
        assert_eq!(redacted(b"Proxy-Authorization: Basic Zm9v"), "Proxy-Authorization: [not shown]");
    }

    #[test]
    fn overwriting_is_told_from_extensions() {
        assert!(overwritten(b"XXXXXXXA") && overwritten(b"XXXX") && overwritten(b"XXXXXXXX"));
        assert!(!overwritten(b"XCLIENT") && !overwritten(&[b'X'; 3]) && !overwritten(b"STARTTLS"));
    }
}
