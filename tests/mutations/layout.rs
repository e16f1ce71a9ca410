//! Where lengths and types stand in a TLS, DTLS or QUIC payload, so that a lie can be told at a certain place, or something be made longer with
//! all lengths around it still right.

/// A number in the payload.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub at: usize,
    /// In bytes.
    pub width: usize,
    /// What it is the length of; `None` for types and versions.
    pub covers: Option<(usize, usize)>,
}

/// The fields of a payload, as far as it can be read.
#[derive(Debug, Default)]
pub struct Layout {
    pub fields: Vec<Field>,
}

impl Layout {
    pub fn of(payload: &[u8]) -> Self {
        let mut layout = Self::default();
        match payload {
            [20..=26, 3, ..] => layout.records(payload),
            [20..=26, 0xfe, ..] => layout.datagram_records(payload),
            [first, ..] if first & 0xc0 == 0xc0 => layout.long_header(payload),
            [high, low, message @ ..] if usize::from(u16::from_be_bytes([*high, *low])) == message.len() && is_answer(message) => {
                layout.length(payload, 0, 2, payload.len());
                layout.answer(payload, 2);
            }
            _ if is_answer(payload) => _ = layout.answer(payload, 0),
            _ => {}
        }
        layout
    }

    fn kind(&mut self, at: usize, width: usize) {
        self.fields.push(Field { at, width, covers: None });
    }

    /// A length, and the range that it covers within the bounds of `end`.
    fn length(&mut self, bytes: &[u8], at: usize, width: usize, end: usize) -> Option<(usize, usize)> {
        let said = number(bytes.get(at..at + width)?);
        let begin = at + width;
        let covers = (begin, begin.saturating_add(said).min(end));
        self.fields.push(Field { at, width, covers: Some(covers) });
        Some(covers)
    }

    fn records(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(kind) = bytes.get(at).filter(|kind| matches!(kind, 20..=26)) {
            self.kind(at, 1);
            self.kind(at + 1, 2);
            let Some((begin, end)) = self.length(bytes, at + 3, 2, bytes.len()) else { return };
            if *kind == 22 {
                self.messages(bytes, begin, end, 0);
            }
            at = end;
        }
    }

    fn datagram_records(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(kind) = bytes.get(at).filter(|kind| matches!(kind, 20..=26)) {
            self.kind(at, 1);
            self.kind(at + 1, 2);
            self.kind(at + 3, 2);
            self.kind(at + 5, 6);
            let Some((begin, end)) = self.length(bytes, at + 11, 2, bytes.len()) else { return };
            if *kind == 22 {
                self.messages(bytes, begin, end, 8);
            }
            at = end;
        }
    }

    /// Handshake messages; those of DTLS have eight more bytes of header.
    fn messages(&mut self, bytes: &[u8], mut at: usize, end: usize, more: usize) {
        while at + 4 + more <= end {
            let kind = bytes[at];
            self.kind(at, 1);
            let Some((_, mut last)) = self.length(bytes, at + 1, 3, end) else { return };
            let begin = at + 4 + more;
            if more > 0 {
                self.kind(at + 4, 2);
                self.kind(at + 6, 3);
                self.kind(at + 9, 3);
                last = (last + more).min(end);
            }
            match kind {
                1 => _ = self.client_hello(bytes, begin, last, more > 0),
                2 => _ = self.server_hello(bytes, begin, last),
                11 => _ = self.certificates(bytes, begin, last),
                _ => {}
            }
            at = last.max(at + 4);
        }
    }

    fn client_hello(&mut self, bytes: &[u8], at: usize, end: usize, cookie: bool) -> Option<()> {
        self.kind(at, 2);
        let mut next = self.length(bytes, at + 34, 1, end)?.1;
        if cookie {
            next = self.length(bytes, next, 1, end)?.1;
        }
        let (suites, behind) = self.length(bytes, next, 2, end)?;
        if behind > suites + 1 {
            self.kind(suites, 2);
        }
        let next = self.length(bytes, behind, 1, end)?.1;
        self.extensions(bytes, next, end)
    }

    fn server_hello(&mut self, bytes: &[u8], at: usize, end: usize) -> Option<()> {
        self.kind(at, 2);
        let next = self.length(bytes, at + 34, 1, end)?.1;
        self.kind(next, 2);
        self.extensions(bytes, next + 3, end)
    }

    fn extensions(&mut self, bytes: &[u8], at: usize, end: usize) -> Option<()> {
        let (mut at, end) = self.length(bytes, at, 2, end)?;
        while at + 4 <= end {
            self.kind(at, 2);
            let (begin, behind) = self.length(bytes, at + 2, 2, end)?;
            // Most hold a list behind its length.
            if behind > begin + 2 {
                self.length(bytes, begin, 2, behind)?;
            }
            at = behind;
        }
        Some(())
    }

    fn certificates(&mut self, bytes: &[u8], at: usize, end: usize) -> Option<()> {
        let (mut at, end) = self.length(bytes, at, 3, end)?;
        while at + 3 <= end {
            let (begin, behind) = self.length(bytes, at, 3, end)?;
            self.der(bytes, begin, behind, 0);
            at = behind;
        }
        Some(())
    }

    /// Tags and lengths of DER.
    fn der(&mut self, bytes: &[u8], mut at: usize, end: usize, depth: usize) {
        while at + 2 <= end && depth < 12 {
            let (tag, first) = (bytes[at], bytes[at + 1]);
            self.kind(at, 1);
            let width = usize::from(first & 0x7f);
            let covers = match first {
                0..=0x7f => self.length(bytes, at + 1, 1, end),
                0x81..=0x83 => self.length(bytes, at + 2, width, end),
                _ => return,
            };
            let Some((begin, behind)) = covers else { return };
            if tag & 0x20 != 0 || tag == 0x04 {
                self.der(bytes, begin, behind, depth + 1);
            }
            at = behind.max(at + 2);
        }
    }

    /// An answer of the DNS that begins here: its counts, the lengths in names, types, times and lengths of records (RFC 1035 section 4.1).
    fn answer(&mut self, bytes: &[u8], start: usize) -> Option<()> {
        (2..12).step_by(2).for_each(|at| self.kind(start + at, 2));
        let mut at = self.labels(bytes, start + 12)?;
        self.kind(at, 2);
        at += 4;
        while at < bytes.len() {
            at = self.labels(bytes, at)?;
            self.kind(at, 2);
            self.kind(at + 4, 4);
            let (begin, end) = self.length(bytes, at + 8, 2, bytes.len())?;
            // Numbers stand at the beginning of most, and a list of parameters or a name behind them.
            self.kind(begin, 1);
            self.kind(begin + 2, 1);
            if end > begin + 7 {
                self.length(bytes, begin + 5, 2, end)?;
            }
            at = end;
        }
        Some(())
    }

    fn labels(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        loop {
            match bytes.get(at)? {
                0 => return Some(at + 1),
                0xc0.. => {
                    self.kind(at, 2);
                    return Some(at + 2);
                }
                _ => at = self.length(bytes, at, 1, bytes.len())?.1,
            }
        }
    }

    /// A QUIC packet with a long header (RFC 9000 section 17.2).
    fn long_header(&mut self, bytes: &[u8]) {
        self.kind(0, 1);
        self.kind(1, 4);
        let Some((_, behind)) = self.length(bytes, 5, 1, bytes.len()) else { return };
        let Some((_, behind)) = self.length(bytes, behind, 1, bytes.len()) else { return };
        self.kind(behind, 1);
        self.kind(behind + 1, 2);
    }
}

/// An answer of the DNS to one question.
fn is_answer(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, 0x80..=0xff, _, 0, 1, _, 1..=32, 0, _, 0, _, _, ..])
}

/// Big-endian, as everything here.
pub fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// Writes the low bytes of a number.
pub fn put(bytes: &mut [u8], field: Field, value: u64) {
    if let Some(place) = bytes.get_mut(field.at..field.at + field.width) {
        place.copy_from_slice(&value.to_be_bytes()[8 - field.width..]);
    }
}
