//! Writes frames as pcap or pcapng files whose framing lies.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::frames::Model;
use crate::numbers::Numbers;

/// Texts that somebody would like to see printed as they are.
const TEXTS: &[&[u8]] = &[
    b"\x1b[31mX\x1b]0;title\x07",
    b"=cmd|calc",
    b"<script>alert(1)</script>",
    b"\xe2\x80\xae\xe2\x80\x8b\xe2\x80\xa8",
    b"a\nb\r\nc",
    b"\xff\xfe\xfd",
    b"",
    b"'`$(id)`'",
    &[b'x'; 5000],
];

/// How often a file lies about its frames: one in so many, or never.
type Often = Option<usize>;

/// The file of a capture.
pub fn write(model: &Model, numbers: &mut Numbers, times: bool) -> Vec<u8> {
    let often = *numbers.pick(&[None, None, Some(30), Some(4)]);
    let bytes = if times || numbers.one_in(2) { pcapng(model, numbers, often, times) } else { pcap(model, numbers, often) };
    if !numbers.one_in(20) {
        return bytes;
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&bytes).unwrap();
    let mut packed = packed.finish().unwrap();
    for _ in 0..numbers.below(4) {
        let at = numbers.below(packed.len());
        packed[at] = numbers.byte();
    }
    packed
}

/// One of those texts.
fn text(numbers: &mut Numbers) -> &'static [u8] {
    let text: &&'static [u8] = numbers.pick(TEXTS);
    text
}

fn lies(often: Often, numbers: &mut Numbers) -> bool {
    often.is_some_and(|often| numbers.one_in(often))
}

/// Numbers in the byte order of the file.
#[derive(Debug, Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn b16(self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn b32(self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn b64(self, value: u64) -> [u8; 8] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// A 64-bit time as two numbers, the high one first.
    fn time(self, value: u64) -> Vec<u8> {
        [self.b32((value >> 32) as u32), self.b32(value as u32)].concat()
    }

    fn option(self, code: u16, value: &[u8], said: Option<u16>) -> Vec<u8> {
        let said = said.unwrap_or(value.len() as u16);
        [&self.b16(code)[..], &self.b16(said), value, &vec![0; value.len().wrapping_neg() % 4]].concat()
    }

    fn block(self, kind: u32, body: &[u8], said: Option<u32>) -> Vec<u8> {
        let padding = vec![0; body.len().wrapping_neg() % 4];
        let said = said.unwrap_or((body.len() + padding.len() + 12) as u32);
        [&self.b32(kind)[..], &self.b32(said), body, &padding, &self.b32(said)].concat()
    }
}

fn pcap(model: &Model, numbers: &mut Numbers, often: Often) -> Vec<u8> {
    let order = Order { big: numbers.one_in(4) };
    let nanos = numbers.one_in(3);
    let magic = if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let snaplen = *numbers.pick(&[65_535, 262_144, 0, 1, u32::MAX]);
    let mut out = [order.b32(magic), order.b32(0x0004_0002), [0; 4], [0; 4], order.b32(snaplen), order.b32(model.link)].concat();
    if order.big {
        out[4..8].copy_from_slice(&[0, 2, 0, 4]);
    }
    for shot in &model.shots {
        let (second, rest) = (shot.time.div_euclid(1_000_000_000), shot.time.rem_euclid(1_000_000_000));
        let mut fraction = if nanos { rest } else { rest / 1000 } as u32;
        let (mut len, mut original) = (shot.bytes.len() as u32, shot.original_len);
        if lies(often, numbers) {
            match numbers.below(3) {
                0 => fraction = numbers.edge() as u32,
                1 => original = numbers.edge() as u32,
                _ => len = numbers.edge_near(4, u64::from(len)) as u32,
            }
        }
        out.extend([order.b32(second as u32), order.b32(fraction), order.b32(len), order.b32(original)].concat());
        out.extend(&shot.bytes);
    }
    out
}

fn pcapng(model: &Model, numbers: &mut Numbers, often: Often, times: bool) -> Vec<u8> {
    let order = Order { big: numbers.one_in(4) };
    let mut out = section(order, numbers);
    let mut interfaces = *numbers.pick(&[1, 1, 2, 3]);
    let exact = times && !numbers.one_in(3);
    for _ in 0..interfaces {
        out.extend(interface(order, model.link, exact, numbers));
    }
    for shot in &model.shots {
        if lies(often, numbers) {
            out.extend(aside(order, model, &mut interfaces, numbers));
        }
        let mut time = if exact { shot.time.cast_unsigned() } else { (shot.time / 1000).cast_unsigned() };
        let mut len = shot.bytes.len() as u32;
        let mut options = Vec::new();
        if lies(often, numbers) {
            match numbers.below(3) {
                0 => time = numbers.edge(),
                1 => len = numbers.edge_near(4, u64::from(len)) as u32,
                _ => options = order.option(*numbers.pick(&[1, 2, 3, 0xffff]), text(numbers), None),
            }
        }
        let of = if numbers.one_in(30) { numbers.edge() as u32 % 8 } else { 0 };
        let padding = vec![0; shot.bytes.len().wrapping_neg() % 4];
        let body = [&order.b32(of)[..], &order.time(time), &order.b32(len), &order.b32(shot.original_len), &shot.bytes, &padding, &options]
            .concat();
        out.extend(order.block(6, &body, None));
    }
    for of in 0..interfaces {
        if numbers.one_in(3) {
            out.extend(statistics(order, of, numbers));
        }
    }
    out
}

fn section(order: Order, numbers: &mut Numbers) -> Vec<u8> {
    let options = if numbers.one_in(2) { order.option(numbers.between(1, 5) as u16, text(numbers), None) } else { Vec::new() };
    let version = if numbers.one_in(40) { 2 } else { 1 };
    let body = [&order.b32(0x1a2b_3c4d)[..], &order.b16(version), &order.b16(0), &order.b64(u64::MAX), &options].concat();
    order.block(0x0a0d_0d0a, &body, None)
}

/// With times in nanoseconds where they are to be `exact`.
fn interface(order: Order, link: u32, exact: bool, numbers: &mut Numbers) -> Vec<u8> {
    let mut options = Vec::new();
    if exact {
        options.extend(order.option(9, &[9], None));
    } else if numbers.one_in(3) {
        options.extend(order.option(9, &[*numbers.pick(&[6, 0, 3, 12, 18, 19, 20, 127, 0x80, 0x8a, 0xbf, 0xff])], None));
    }
    if numbers.one_in(4) {
        let offset = if numbers.one_in(2) { numbers.edge() } else { *numbers.pick(&[9_223_372_036, 9_223_372_036_u64.wrapping_neg(), 1]) };
        options.extend(order.option(14, &order.b64(offset), None));
    }
    if numbers.one_in(3) {
        options.extend(order.option(*numbers.pick(&[1, 2, 3, 11, 12, 15]), text(numbers), None));
    }
    let snaplen = *numbers.pick(&[0, 65_535, 1, u32::MAX]);
    let link = if numbers.one_in(40) { numbers.below(300) as u16 } else { link as u16 };
    order.block(1, &[&order.b16(link)[..], &[0, 0], &order.b32(snaplen), &options].concat(), None)
}

/// What the interface received and dropped, by its own word.
fn statistics(order: Order, of: u32, numbers: &mut Numbers) -> Vec<u8> {
    let mut body = [&order.b32(of)[..], &order.time(numbers.edge())].concat();
    for _ in 0..numbers.between(1, 4) {
        let code = *numbers.pick(&[2, 3, 4, 5, 5, 6, 7, 7, 8]);
        body.extend(order.option(code, &order.b64(numbers.edge()), None));
    }
    order.block(5, &body, None)
}

/// A block between two frames.
fn aside(order: Order, model: &Model, interfaces: &mut u32, numbers: &mut Numbers) -> Vec<u8> {
    match numbers.below(8) {
        0 => {
            *interfaces = 1;
            [section(order, numbers), interface(order, model.link, false, numbers)].concat()
        }
        1 => {
            *interfaces += 1;
            interface(order, model.link, false, numbers)
        }
        2 => statistics(order, numbers.below(4) as u32, numbers),
        3 => {
            let said = *numbers.pick(&[0, 10, u32::MAX]);
            let line = [b"CLIENT_RANDOM ".as_slice(), &numbers.bytes(30), b"\n", text(numbers)].concat();
            order.block(10, &[&order.b32(0x544c_534b)[..], &order.b32(said), &line].concat(), None)
        }
        4 => {
            let len = *numbers.pick(&[0, 4, 8, 16, u16::MAX]);
            let body = [&order.b16(numbers.below(4) as u16)[..], &order.b16(len), &numbers.bytes(4), text(numbers), &[0; 4]].concat();
            order.block(4, &body, None)
        }
        5 => {
            let kind = *numbers.pick(&[0xbad, 0x8000_0001, u32::MAX, 7, 9]);
            let len = numbers.below(40);
            order.block(kind, &numbers.bytes(len), None)
        }
        6 => {
            let said = *numbers.pick(&[0, 4, 12, 13, u32::MAX, 0x7fff_fffc, 1 << 24]);
            order.block(*numbers.pick(&[6, 5, 1, 0xbad]), &numbers.bytes(20), Some(said))
        }
        _ => {
            let said = numbers.edge() as u32;
            let len = numbers.below(80);
            order.block(3, &[&order.b32(said)[..], &numbers.bytes(len)].concat(), None)
        }
    }
}
