//! HTTP/2 between a client and its proxy (RFC 9113): the streams that CONNECT opens, told apart.
//!
//! Only what a tunnel needs is read: HEADERS with their CONTINUATION, DATA, END_STREAM and RST_STREAM. A request and its answer are given as lines like
//! those of HTTP/1.1, so that one dialogue reads both. What the compression of headers remembers follows from all blocks before: where one is missing or
//! cannot be read, nothing behind it is.

use std::fmt;

use loona_hpack::Decoder;

use crate::flow::{PerSide, Side};
use crate::limits::{HTTP2_BLOCK, HTTP2_FIELD, HTTP2_HEADERS, HTTP2_OTHERS, HTTP2_STREAMS, HTTP2_TABLE};

/// A connection, from its first byte on.
#[derive(Debug)]
pub struct Http2 {
    lanes: PerSide<Lane>,
    streams: Vec<Stream>,
    /// Requests that open no tunnel.
    others: usize,
    /// Requests for tunnels for which there was no room.
    dropped: u64,
}

/// What is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// A tunnel is open in it, or may be opened.
    Open,
    /// Its requests are those of an ordinary client.
    NoTunnel,
    /// It cannot be read any further.
    Lost,
}

/// What is said in a tunnel.
#[derive(Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// The request or the answer, or what goes through the tunnel.
    Bytes(&'a [u8]),
    /// This side says no more.
    Ended,
    /// This side gives it up, with this error code.
    Reset(u32),
    /// Nothing more is said in it, and another tunnel takes its place.
    Over,
}

/// Takes what a side says in the tunnel with this number: that of the stream which first asked for it.
pub type Hear<'a> = dyn FnMut(u32, Word<'_>) + 'a;

/// One direction.
struct Lane {
    /// Bytes of the client's preface that are still due.
    preface: &'static [u8],
    header: [u8; HEADER],
    have: usize,
    frame: Option<Frame>,
    /// The payload of a frame that is read as a whole.
    payload: Vec<u8>,
    /// A block of headers under way: of which stream, and whether that ends with it.
    block: Option<(u32, bool)>,
    fields: Vec<u8>,
    decoder: Decoder<'static>,
    /// Bytes of blocks read.
    decoded: usize,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    left: usize,
    /// Bytes of padding at its end, once they are known.
    padding: Option<usize>,
}

/// A tunnel.
#[derive(Debug)]
struct Stream {
    /// Its number at present.
    id: u32,
    /// That of the first request for it.
    key: u32,
    target: Vec<u8>,
    state: State,
    /// Who says no more in it.
    ended: PerSide<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asked,
    Open,
    /// The proxy asks who the client is: it may ask again in another stream.
    Unauthorized,
    Refused,
}

/// What cannot be read.
struct Unreadable;

impl Default for Http2 {
    fn default() -> Self {
        let lane = |preface| Lane {
            preface,
            header: [0; HEADER],
            have: 0,
            frame: None,
            payload: Vec::new(),
            block: None,
            fields: Vec::new(),
            decoder: decoder(),
            decoded: 0,
        };
        Self { lanes: PerSide { client: lane(PREFACE), server: lane(&[]) }, streams: Vec::new(), others: 0, dropped: 0 }
    }
}

/// A decoder that follows updates of the table's size as far as clients in use go.
fn decoder() -> Decoder<'static> {
    let mut decoder = Decoder::new();
    decoder.set_max_allowed_table_size(HTTP2_TABLE);
    decoder
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("frame", &self.frame).field("decoded", &self.decoded).finish_non_exhaustive()
    }
}

impl Http2 {
    /// Whether a side begins so. Short pieces may yet do.
    pub fn may_begin(side: Side, bytes: &[u8]) -> bool {
        let alike = |begin: &[u8]| bytes.iter().zip(begin).all(|(byte, due)| byte == due);
        match side {
            Side::Client => alike(PREFACE),
            // SETTINGS of the connection, and no acknowledgment.
            Side::Server => {
                let fits = |at: usize, byte: &u8| match at {
                    0 | 4..=8 => *byte == 0,
                    3 => *byte == SETTINGS,
                    _ => true,
                };
                bytes.iter().take(HEADER).enumerate().all(|(at, byte)| fits(at, byte))
            }
        }
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        let lanes = Side::BOTH.iter().map(|side| {
            let lane = self.lanes.of(*side);
            // What a block leaves in the table is no more than what it says, and Huffman's code saves less than half.
            lane.payload.capacity() + lane.fields.capacity() + (2 * lane.decoded).min(2 * HTTP2_TABLE)
        });
        size_of::<Self>()
            + lanes.sum::<usize>()
            + self.streams.iter().map(|stream| size_of::<Stream>() + stream.target.capacity()).sum::<usize>()
    }

    /// Requests for tunnels that are not followed, as too many were open.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes the next bytes of a side.
    pub fn feed(&mut self, side: Side, bytes: &[u8], hear: &mut Hear<'_>) -> Outlook {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.step(side, rest, hear) {
                Ok(_) if self.streams.is_empty() && self.others > HTTP2_OTHERS => return Outlook::NoTunnel,
                Ok(used) => rest = rest.get(used.max(1)..).unwrap_or_default(),
                Err(Unreadable) => return Outlook::Lost,
            }
        }
        Outlook::Open
    }

    /// Takes some of the bytes; how many.
    fn step(&mut self, side: Side, bytes: &[u8], hear: &mut Hear<'_>) -> Result<usize, Unreadable> {
        let lane = self.lanes.of_mut(side);
        if !lane.preface.is_empty() {
            let len = lane.preface.len().min(bytes.len());
            let (due, after) = lane.preface.split_at_checked(len).ok_or(Unreadable)?;
            lane.preface = after;
            return if bytes.starts_with(due) { Ok(len) } else { Err(Unreadable) };
        }
        let Some(frame) = &mut lane.frame else {
            let Some(slot) = lane.header.get_mut(lane.have..) else { return Err(Unreadable) };
            let len = slot.len().min(bytes.len());
            for (slot, byte) in slot.iter_mut().zip(bytes) {
                *slot = *byte;
            }
            lane.have += len;
            if lane.have == HEADER {
                lane.have = 0;
                let frame = Frame::read(lane.header);
                let continues = frame.kind == CONTINUATION && lane.block.is_some_and(|(stream, _)| stream == frame.stream);
                // Nothing may come within a block, and no block of a stream that the server opens is expected.
                if lane.block.is_some() != (frame.kind == CONTINUATION) || lane.block.is_some() && !continues || frame.kind == PUSH_PROMISE
                {
                    return Err(Unreadable);
                }
                if frame.is_read_whole() && frame.left > HTTP2_BLOCK {
                    return Err(Unreadable);
                }
                lane.frame = Some(frame);
                self.end_frame(side, hear)?;
            }
            return Ok(len);
        };
        if frame.kind == DATA && frame.flags & PADDED != 0 && frame.padding.is_none() {
            let padding = usize::from(*bytes.first().ok_or(Unreadable)?);
            frame.left = frame.left.checked_sub(1).filter(|left| padding <= *left).ok_or(Unreadable)?;
            frame.padding = Some(padding);
            self.end_frame(side, hear)?;
            return Ok(1);
        }
        let padding = frame.padding.unwrap_or_default();
        let content = frame.left.saturating_sub(padding);
        let len = bytes.len().min(if content > 0 { content } else { frame.left });
        let taken = bytes.get(..len).unwrap_or(bytes);
        frame.left = frame.left.saturating_sub(len);
        let frame = *frame;
        if frame.is_read_whole() {
            lane.payload.extend_from_slice(taken);
        } else if frame.kind == DATA && content > 0 {
            let open = self.streams.iter().find(|stream| stream.id == frame.stream);
            let heard = |stream: &&Stream| stream.state == State::Open || side == Side::Client && stream.state == State::Asked;
            if let Some(stream) = open.filter(heard) {
                hear(stream.key, Word::Bytes(taken));
            }
        }
        self.end_frame(side, hear)?;
        Ok(len)
    }

    /// Reads a frame that is complete.
    fn end_frame(&mut self, side: Side, hear: &mut Hear<'_>) -> Result<(), Unreadable> {
        let lane = self.lanes.of_mut(side);
        let Some(frame) = lane.frame.take_if(|frame| frame.left == 0) else { return Ok(()) };
        let payload = std::mem::take(&mut lane.payload);
        match frame.kind {
            HEADERS => {
                let block = frame.block(&payload).ok_or(Unreadable)?;
                lane.fields.clear();
                lane.fields.extend_from_slice(block);
                lane.block = Some((frame.stream, frame.flags & END_STREAM != 0));
            }
            CONTINUATION => lane.fields.extend_from_slice(&payload),
            DATA if frame.flags & END_STREAM != 0 => self.say(side, frame.stream, Word::Ended, hear),
            RST_STREAM => {
                let code = payload.first_chunk().map_or(0, |code| u32::from_be_bytes(*code));
                self.say(side, frame.stream, Word::Reset(code), hear);
            }
            _ => {}
        }
        let lane = self.lanes.of_mut(side);
        if lane.fields.len() > HTTP2_BLOCK {
            return Err(Unreadable);
        }
        if matches!(frame.kind, HEADERS | CONTINUATION)
            && frame.flags & END_HEADERS != 0
            && let Some((stream, ended)) = lane.block.take()
        {
            let fields = lane.decode()?;
            match side {
                Side::Client => self.request(stream, &fields, hear),
                Side::Server => self.answer(stream, &fields, hear),
            }
            if ended {
                self.say(side, stream, Word::Ended, hear);
            }
        }
        Ok(())
    }

    /// A side says that it says no more.
    fn say(&mut self, side: Side, stream: u32, word: Word<'_>, hear: &mut Hear<'_>) {
        if let Some(stream) = self.streams.iter_mut().find(|known| known.id == stream) {
            stream.ended = match word {
                Word::Reset(_) => PerSide { client: true, server: true },
                _ if side == Side::Client => PerSide { client: true, ..stream.ended },
                _ => PerSide { server: true, ..stream.ended },
            };
            hear(stream.key, word);
        }
    }

    /// Gives a place back, of a stream in which nothing more is said: whoever was asked for a login may come again, and keeps it longest.
    fn make_room(&mut self, hear: &mut Hear<'_>) {
        let over = |state: State| {
            self.streams
                .iter()
                .position(|stream| stream.is_over() && (stream.state == State::Unauthorized) == (state == State::Unauthorized))
        };
        if let Some(place) = over(State::Refused).or_else(|| over(State::Unauthorized)) {
            hear(self.streams.remove(place).key, Word::Over);
        }
    }

    fn request(&mut self, id: u32, fields: &Fields, hear: &mut Hear<'_>) {
        if self.streams.iter().any(|stream| stream.id == id) {
            return;
        }
        if fields.method != b"CONNECT" {
            // Of a server itself nobody asks for what is in clear: this is a request to a proxy, which may be asked for a tunnel next.
            self.others += if fields.scheme == b"http" { 1 } else { HTTP2_OTHERS + 1 };
            return;
        }
        let text = if fields.protocol.is_empty() {
            [b"CONNECT ", fields.authority.as_slice(), b" HTTP/2\r\n", &fields.lines, b"\r\n"].concat()
        } else {
            let [path, host, protocol] = [&fields.path, &fields.authority, &fields.protocol].map(Vec::as_slice);
            [b"GET ", path, b" HTTP/2\r\nHost: ", host, b"\r\nUpgrade: ", protocol, b"\r\n", &fields.lines, b"\r\n"].concat()
        };
        let target = [fields.authority.as_slice(), &fields.path, &fields.protocol].concat();
        let again = self.streams.iter_mut().find(|stream| stream.state == State::Unauthorized && stream.target == target);
        let key = if let Some(stream) = again {
            (stream.id, stream.state, stream.ended) = (id, State::Asked, PerSide::default());
            stream.key
        } else {
            if self.streams.len() >= HTTP2_STREAMS {
                self.make_room(hear);
            }
            if self.streams.len() >= HTTP2_STREAMS {
                self.dropped = self.dropped.saturating_add(1);
                return;
            }
            self.streams.push(Stream { id, key: id, target, state: State::Asked, ended: PerSide::default() });
            id
        };
        hear(key, Word::Bytes(&text));
    }

    fn answer(&mut self, id: u32, fields: &Fields, hear: &mut Hear<'_>) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id && stream.state == State::Asked) else { return };
        stream.state = match fields.status.as_slice() {
            [b'1', ..] => return,
            [b'2', ..] => State::Open,
            b"401" | b"407" => State::Unauthorized,
            _ => State::Refused,
        };
        let text = [b"HTTP/2 ", fields.status.as_slice(), b"\r\n", &fields.lines, b"\r\n"].concat();
        hear(stream.key, Word::Bytes(&text));
    }
}

impl Stream {
    /// Nothing more is said in it: both sides ended it, or the proxy did who did not open it.
    fn is_over(&self) -> bool {
        self.ended.server && (self.ended.client || matches!(self.state, State::Refused | State::Unauthorized))
    }
}

impl Lane {
    fn decode(&mut self) -> Result<Fields, Unreadable> {
        self.decoded += self.fields.len();
        if self.decoded > HTTP2_HEADERS {
            return Err(Unreadable);
        }
        let mut fields = Fields::default();
        self.decoder.decode_with_cb(&self.fields, |name, value| fields.take(&name, &value)).map_err(|_| Unreadable)?;
        Ok(fields)
    }
}

impl Frame {
    fn read([a, b, c, kind, flags, id @ ..]: [u8; HEADER]) -> Self {
        let len = u32::from_be_bytes([0, a, b, c]);
        Self { kind, flags, stream: u32::from_be_bytes(id) & 0x7fff_ffff, left: len as usize, padding: None }
    }

    const fn is_read_whole(&self) -> bool {
        matches!(self.kind, HEADERS | CONTINUATION | RST_STREAM)
    }

    /// The block of headers in the payload of HEADERS, between what goes before it and the padding.
    fn block<'a>(&self, mut payload: &'a [u8]) -> Option<&'a [u8]> {
        let mut padding = 0;
        if self.flags & PADDED != 0 {
            let (len, rest) = payload.split_first()?;
            (padding, payload) = (usize::from(*len), rest);
        }
        if self.flags & PRIORITY != 0 {
            payload = payload.get(5..)?;
        }
        payload.get(..payload.len().checked_sub(padding)?)
    }
}

/// The fields of a request or an answer that matter to a tunnel.
#[derive(Debug, Default)]
struct Fields {
    method: Vec<u8>,
    scheme: Vec<u8>,
    authority: Vec<u8>,
    path: Vec<u8>,
    protocol: Vec<u8>,
    status: Vec<u8>,
    /// The others, as lines.
    lines: Vec<u8>,
}

impl Fields {
    fn take(&mut self, name: &[u8], value: &[u8]) {
        // What would end a line, or part a word where there is one, is no part of a field.
        let clean = |blank: bool| {
            let clean = move |byte: &u8| if byte.is_ascii_control() || !blank && *byte == b' ' { b'?' } else { *byte };
            value.iter().take(HTTP2_FIELD).map(clean).collect::<Vec<u8>>()
        };
        match name {
            b":method" => self.method = clean(false),
            b":scheme" => self.scheme = clean(false),
            b":authority" => self.authority = clean(false),
            b":path" => self.path = clean(false),
            b":protocol" => self.protocol = clean(false),
            b":status" => self.status = clean(false),
            b"proxy-authenticate"
            | b"proxy-authorization"
            | b"user-agent"
            | b"server"
            | b"via"
            | b"x-squid-error"
            | b"proxy-status"
            | b"sec-websocket-extensions"
                if self.lines.len() < HTTP2_FIELD =>
            {
                self.lines.extend_from_slice(name);
                self.lines.extend_from_slice(b": ");
                self.lines.extend_from_slice(&clean(true));
                self.lines.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's header.
const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

#[cfg(test)]
mod tests;
