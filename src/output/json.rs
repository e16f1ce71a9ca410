//! The one writer of JSON: compact, and without a character that could act on a terminal.
//!
//! Whatever could is written as a `\u` escape, which every JSON reader turns back into the same string.

use std::io::{self, Write};

use memchr::memchr2;
use serde_json::ser::Formatter;

use super::escape::is_hazard;
use crate::report::{Counts, Key, Rendered, Writer};
use crate::time::{TimeText, Timestamp};

/// Takes fields and appends them as JSON.
#[derive(Debug, Default)]
pub struct Json {
    /// What was written.
    pub out: Vec<u8>,
    times: TimeText,
}

impl Json {
    /// Appends an object with these fields.
    pub fn whole(&mut self, fields: impl FnOnce(&mut Self)) {
        self.out.reserve(USUAL_LEN);
        self.out.push(b'{');
        fields(self);
        self.out.push(b'}');
    }

    /// A field of which only the key is here.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "where the key is known, it is written in a step or two")]
    pub fn key(&mut self, key: Key) {
        self.fields(key.json.as_bytes());
    }

    /// Appends what begins with a comma; behind the opening of an object there is none.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn fields(&mut self, bytes: &[u8]) {
        // Two ways, on each of which it is known how many bytes there are.
        match bytes {
            [b',', behind @ ..] if self.out.last() == Some(&b'{') => self.out.extend_from_slice(behind),
            _ => self.out.extend_from_slice(bytes),
        }
    }

    /// Appends the items of a list.
    pub fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut item: impl FnMut(&mut Self, T)) {
        self.out.push(b'[');
        let mut more = false;
        for one in items {
            if more {
                self.out.push(b',');
            }
            more = true;
            item(self, one);
        }
        self.out.push(b']');
    }

    /// Appends what needs no escape, in quotes.
    fn quoted(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text);
        self.out.push(b'"');
    }

    fn moment(&mut self, at: Timestamp) {
        let mut quoted = [b'"'; 32];
        let [_, text @ .., _] = &mut quoted;
        text.copy_from_slice(self.times.of(at));
        self.out.extend_from_slice(&quoted);
    }

    /// Appends a string with its quotes.
    pub fn string(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            self.quoted(text.as_bytes());
        } else if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            // JSON in JSON, for the most part.
            self.out.reserve(text.len() + text.len() / 4);
            self.out.push(b'"');
            let mut rest = text.as_bytes();
            while let Some((before, [special, behind @ ..])) = memchr2(b'"', b'\\', rest).and_then(|at| rest.split_at_checked(at)) {
                self.out.extend_from_slice(before);
                self.out.extend_from_slice(&[b'\\', *special]);
                rest = behind;
            }
            self.out.extend_from_slice(rest);
            self.out.push(b'"');
        } else {
            // Writing to memory does not fail.
            let _ = serde::Serialize::serialize(text, &mut serde_json::Serializer::with_formatter(&mut self.out, SafeFormatter));
        }
    }

    /// A list of numbers that may be negative.
    pub fn integers(&mut self, key: Key, values: &[i64]) {
        self.key(key);
        self.list(values.iter().copied(), Self::integer);
    }

    /// Appends a number.
    #[inline]
    pub fn integer(&mut self, value: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

#[expect(clippy::inline_always, reason = "where the key is known, it is written in a step or two")]
impl Writer for Json {
    #[inline(always)]
    fn text(&mut self, key: Key, value: &str) {
        self.key(key);
        self.string(value);
    }

    #[inline(always)]
    fn word(&mut self, key: Key, value: &str) {
        self.ascii(key, value.as_bytes());
    }

    #[inline(always)]
    fn ascii(&mut self, key: Key, value: &[u8]) {
        self.key(key);
        self.quoted(value);
    }

    #[inline(always)]
    fn number(&mut self, key: Key, value: u64) {
        self.key(key);
        self.integer(value);
    }

    #[inline(always)]
    fn flag(&mut self, key: Key, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    #[inline(always)]
    fn time(&mut self, key: Key, value: Timestamp) {
        self.key(key);
        self.moment(value);
    }

    fn texts<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        self.key(key);
        self.list(values, |json, value| json.string(value.as_ref()));
    }

    fn numbers(&mut self, key: Key, values: impl IntoIterator<Item = u64>) {
        self.key(key);
        self.list(values, Self::integer);
    }

    fn object(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        self.key(key);
        self.out.push(b'{');
        fields(self);
        self.out.push(b'}');
    }

    fn objects<T>(&mut self, key: Key, items: impl IntoIterator<Item = T>, mut fields: impl FnMut(&mut Self, T)) {
        self.key(key);
        self.list(items, |json, item| {
            json.out.push(b'{');
            fields(json, item);
            json.out.push(b'}');
        });
    }

    fn counts(&mut self, key: Key, counts: &Counts) {
        self.key(key);
        self.out.push(b'{');
        for (word, count) in counts {
            self.fields(b",");
            self.string(word);
            self.out.push(b':');
            self.integer(*count);
        }
        self.out.push(b'}');
    }

    fn shared(&mut self, rendered: &Rendered, fields: impl FnOnce(&mut Self)) {
        self.fields(rendered.get(|| {
            let mut part = Self::default();
            fields(&mut part);
            part.out
        }));
    }
}

/// Whether nothing in it needs an escape. Sixteen bytes are looked at in one step, without a branch for each.
fn is_plain(text: &[u8]) -> bool {
    let (chunks, rest) = text.as_chunks();
    let mut last = [b' '; 16];
    if let Some(place) = last.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    let mut odd = [0; 16];
    for chunk in chunks.iter().chain([&last]) {
        for (odd, byte) in odd.iter_mut().zip(chunk) {
            *odd |= u8::from(byte.wrapping_sub(0x20) >= 0x5f) | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
        }
    }
    odd == [0; 16]
}

/// Writes a value as a line, its strings without raw control, direction or invisible characters.
///
/// # Errors
///
/// When it cannot be written.
pub fn line(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, SafeFormatter))?;
    writeln!(out)
}

/// Strings without raw control, direction or invisible characters.
struct SafeFormatter;

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // serde_json escapes C0 itself; DEL is the one ASCII character left.
        if fragment.bytes().all(|byte| byte.is_ascii() && byte != 0x7f) {
            return out.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            let mut buffer = [0_u16; 2];
            if is_hazard(c) {
                for unit in c.encode_utf16(&mut buffer) {
                    write!(out, "\\u{unit:04x}")?;
                }
            } else {
                write!(out, "{c}")?;
            }
        }
        Ok(())
    }
}

/// A report is seldom longer in bytes.
const USUAL_LEN: usize = 6 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_back_as_they_were() {
        for text in [
            "",
            "plain",
            "a\"\\\n",
            "\u{202e}x\u{7f}\u{1b}[2J\u{9b}",
            "株\u{e0041}",
            &"x".repeat(40),
            "fifteen letters\"x",
            r#"{"a":"b\\"}"#,
        ] {
            let mut json = Json::default();
            json.string(text);
            let written = String::from_utf8(json.out).unwrap();
            assert!(!written.chars().any(is_hazard), "{written}");
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }

    #[test]
    fn values_are_lines_without_hazards() {
        let mut out = Vec::new();
        line(&mut out, &["\u{202e}x\u{9b}\u{85}", "plain"]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[\"\\u202ex\\u009b\\u0085\",\"plain\"]\n");
    }

    #[test]
    fn fields_are_parted_by_commas_at_every_depth() {
        const A: Key = Key { name: "a", json: ",\"a\":" };
        let mut json = Json::default();
        json.whole(|json| {
            json.object(A, |_| {});
            json.object(A, |json| json.numbers(A, [1, 2]));
            json.objects(A, [3, 4], |json, number| {
                json.number(A, number);
                json.flag(A, number == 3);
            });
            json.counts(A, &[("x", 5), ("y", 6)].into());
            json.shared(&Rendered::default(), |_| {});
            json.texts(A, [""; 0]);
        });
        let expected = r#"{"a":{},"a":{"a":[1,2]},"a":[{"a":3,"a":true},{"a":4,"a":false}],"a":{"x":5,"y":6},"a":[]}"#;
        assert_eq!(String::from_utf8(json.out).unwrap(), expected);
    }
}
