//! Lies in what TCP and UDP carry.

use crate::layout::{Field, Layout, number, put};
use crate::numbers::Numbers;

/// What is spoken before TLS, or instead of it.
const OPENINGS: &[&[u8]] = &[
    b"EHLO \x1b[2J\r\n",
    b"220 mail\r\n250-STARTTLS\r\n",
    b"HTTP/1.1 400 \xff\xfe\r\n\r\n",
    b"CONNECT -a:b:c HTTP/1.1\r\n\r\n",
    b"PROXY TCP4 1 2 3 4\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
    b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10",
    b"* OK \r\n",
    b"+OK\r\n",
    b"SSH-2.0-\n",
    b"\x04\x01\x01\xbb\0\0\0\x01\0\xff\0",
    b"\x05\x02\x00\x02",
    b"\x12\x01\x00\x2f\0\0\x01\0",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"<stream:stream xmlns='jabber:client'>",
];

/// Tells one lie.
pub fn lie(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    if bytes.is_empty() {
        bytes.extend_from_slice(numbers.pick::<&[u8]>(OPENINGS));
        return;
    }
    let fields = Layout::of(bytes).fields;
    match numbers.below(if fields.is_empty() { 6 } else { 14 }) {
        0 => {
            let at = numbers.below(bytes.len());
            bytes[at] ^= 1 << numbers.below(8);
        }
        1 => {
            let at = numbers.below(bytes.len());
            bytes[at] = *numbers.pick(&[0, 1, 0x7f, 0x80, 0xff]);
        }
        2 => bytes.truncate(numbers.below(bytes.len())),
        3 => {
            let at = numbers.below(bytes.len());
            let len = numbers.between(1, 64).min(bytes.len() - at);
            bytes.drain(at..at + len);
        }
        4 => {
            let at = numbers.below(bytes.len());
            let len = numbers.between(1, 64).min(bytes.len() - at);
            let again = bytes[at..at + len].repeat(*numbers.pick(&[1, 2, 16]));
            bytes.splice(at..at, again);
        }
        5 => {
            let opening = *numbers.pick(OPENINGS);
            bytes.splice(0..0, opening.iter().copied());
        }
        6..10 => {
            // A number that is wrong.
            let field = *numbers.pick(&fields);
            let right = bytes.get(field.at..field.at + field.width).map_or(0, number);
            let value = numbers.edge_near(field.width, right as u64);
            put(bytes, field, value);
        }
        10 => {
            // Two of them change places.
            let (one, other) = (*numbers.pick(&fields), *numbers.pick(&fields));
            for index in 0..one.width.min(other.width) {
                if one.at + index < bytes.len() && other.at + index < bytes.len() {
                    bytes.swap(one.at + index, other.at + index);
                }
            }
        }
        _ => resize(bytes, &fields, numbers),
    }
    bytes.truncate(MOST);
}

/// Something is longer, shorter, repeated or another, and all lengths around it are right.
fn resize(bytes: &mut Vec<u8>, fields: &[Field], numbers: &mut Numbers) {
    let lengths: Vec<(usize, usize)> = fields.iter().filter_map(|field| field.covers).collect();
    if lengths.is_empty() {
        return;
    }
    let (begin, end) = *numbers.pick(&lengths);
    let (begin, end) = (begin.min(bytes.len()), end.min(bytes.len()));
    let old = bytes[begin..end.max(begin)].to_vec();
    let new = match numbers.below(5) {
        0 => Vec::new(),
        1 => old.repeat(*numbers.pick(&[2, 3, 40])),
        2 => {
            let len = *numbers.pick(&[1, 2, 7, 50, 400, 3000]);
            numbers.bytes(len)
        }
        3 => [&old[..old.len() / 2], &[0; 3]].concat(),
        _ => [&old[..], &old[old.len() / 2..]].concat(),
    };
    if new.len() > MOST {
        return;
    }
    let by = new.len() as i64 - old.len() as i64;
    for field in fields {
        if let Some((from, to)) = field.covers
            && from <= begin
            && end <= to
        {
            let right = bytes.get(field.at..field.at + field.width).map_or(0, number);
            put(bytes, *field, (right as u64).wrapping_add_signed(by));
        }
    }
    bytes.splice(begin..begin + old.len(), new);
}

/// Longest payload made.
const MOST: usize = 60_000;
