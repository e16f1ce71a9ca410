//! What a client goes on to in the place of HTTP/1.1, where it leads elsewhere: WebSocket (RFC 6455) that carries a stream of bytes for another protocol,
//! and UDP through a proxy (MASQUE, RFC 9298).
//!
//! Request and answer are read here as a whole. What follows in a WebSocket are frames, out of which [`Frames`] takes the binary ones. Behind CONNECT-UDP
//! come datagrams (see [`super::capsules`]).

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::dialogue::{Dialogue, Next, Said};
use super::http_connect::meaning;
use super::inflate::Inflater;
use super::text::{header, number, printable, starts_with, words};
use super::{Dialect, PreambleFacts, Upgrade};
use crate::flow::{PerSide, Side};
use crate::limits::PREAMBLE_FIRST;
use crate::time::Mark;

/// What a client asks a web server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The header goes on.
    Wait,
    /// To go on in this.
    For(Dialect),
    /// Something else.
    Other,
}

/// What a server makes of a request for WebSocket, from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// More bytes will tell.
    Wait,
    /// Frames begin behind so many bytes.
    Taken(usize),
    /// Something else.
    Other,
}

/// What a header asks for, or agrees to.
pub(super) fn upgrade(message: &[u8]) -> Option<Dialect> {
    let upgrade = header(message, "Upgrade")?;
    let is = |name: &str| upgrade.eq_ignore_ascii_case(name.as_bytes());
    if is("websocket") {
        Some(Dialect::WebSocket)
    } else if is("connect-udp") {
        Some(Dialect::ConnectUdp)
    } else {
        None
    }
}

/// What a client's first bytes ask for.
pub fn asks(request: &[u8]) -> Asked {
    let over = || request.len() >= PREAMBLE_FIRST || memchr::memmem::find(request, b"\r\n\r\n").is_some();
    match upgrade(request) {
        _ if !request.starts_with(b"GET ") => Asked::Other,
        Some(dialect) => Asked::For(dialect),
        None if over() => Asked::Other,
        None => Asked::Wait,
    }
}

/// Reads the beginning of an answer.
pub fn answer(bytes: &[u8]) -> Answer {
    let begins = |begin: &[u8]| bytes.iter().zip(begin).all(|(byte, due)| byte == due);
    // In HTTP/2 a success of any kind opens the stream (RFC 8441 section 5).
    let stream = begins(b"HTTP/2 2");
    if !stream && !begins(b"HTTP/1.1 101") {
        return Answer::Other;
    }
    match memchr::memmem::find(bytes, b"\r\n\r\n") {
        None => Answer::Wait,
        Some(end) if stream || upgrade(bytes).is_some() => Answer::Taken(end + 4),
        Some(_) => Answer::Other,
    }
}

/// What each side's messages are inflated with, where an answer agrees that they may be compressed (RFC 7692 section 7.1).
pub(crate) fn compression(answer: &[u8]) -> PerSide<Option<Inflater>> {
    let agreed = header(answer, "Sec-WebSocket-Extensions").unwrap_or_default().split(|byte| *byte == b',');
    let words = |extension: &'_ [u8]| extension.split(|byte| *byte == b';').map(|word| word.trim_ascii().to_ascii_lowercase()).collect();
    let Some(deflate) = agreed.map(words).find(|words: &Vec<_>| words.first().is_some_and(|name| name == b"permessage-deflate")) else {
        return PerSide::default();
    };
    let inflater = |forgets: &[u8]| Some(Inflater::new(!deflate.iter().any(|word| word == forgets)));
    PerSide { client: inflater(b"client_no_context_takeover"), server: inflater(b"server_no_context_takeover") }
}

/// What request and answer say. Another answer than yes to a client whose target is not known came to one that may have wanted anything.
pub fn facts(dialect: Dialect, request: (&[u8], Mark), answer: (&[u8], Mark), taken: bool) -> PreambleFacts {
    let mut facts = PreambleFacts::new(dialect);
    facts.target = if dialect == Dialect::ConnectUdp { peer(request.0) } else { target(request.0) };
    for (side, (bytes, mark)) in [(Side::Client, request), (Side::Server, answer)] {
        let mut lines = bytes.split(|byte| *byte == b'\n').map(super::text::trim_end).take_while(|line| !line.is_empty());
        if let Some(first) = lines.next() {
            facts.say(&Said { side, bytes: first, mark });
        }
        for line in
            lines.filter(|line| ["Host:", "Upgrade:", "Server:", "Sec-WebSocket-Extensions:"].iter().any(|told| starts_with(line, told)))
        {
            facts.say(&Said { side, bytes: line, mark });
        }
    }
    facts.ask(request.1);
    let line = super::text::first_line(answer.0);
    let code = words(line).nth(1).and_then(number);
    let upgrade = match code {
        _ if taken => Upgrade::Granted,
        Some(code @ 400..) => meaning(code, line),
        // A page, or the way to another place, is no tunnel either.
        _ => Upgrade::Refused,
    };
    facts.decide(upgrade, printable(line), code, answer.1);
    facts
}

/// Where a client of wstunnel wants to be taken, as the token says with which it introduces itself.
fn target(request: &[u8]) -> Option<String> {
    let token = header(request, "Sec-WebSocket-Protocol")?
        .split(|byte| *byte == b',')
        .find_map(|protocol| protocol.trim_ascii().strip_prefix(b"authorization.bearer."))?;
    let claims = BASE64URL_NOPAD.decode(token.split(|byte| *byte == b'.').nth(1)?).ok()?;
    let Claims { r, rp } = serde_json::from_slice(&claims).ok()?;
    Some(printable(format!("{r}:{rp}").as_bytes()))
}

/// The other end of datagrams, where the path has the form that RFC 9298 section 2 gives it when nothing else was agreed.
fn peer(request: &[u8]) -> Option<String> {
    let path = words(request).nth(1)?.strip_prefix(b"/.well-known/masque/udp/")?;
    let mut parts = path.split(|byte| *byte == b'/');
    let (host, port) = (parts.next()?, parts.next()?);
    let host = printable(host).replace("%3A", ":").replace("%3a", ":");
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    number(port).map(|port| format!("{host}:{port}"))
}

/// The host and the port in that token.
#[derive(Deserialize)]
struct Claims {
    r: String,
    rp: u16,
}

/// A dialogue over before it begins: [`facts`] makes one of request and answer.
#[derive(Debug, Default)]
pub(super) struct Over;

impl Dialogue for Over {
    fn message(&mut self, _: &Said<'_>, _: &mut PreambleFacts) -> Next {
        Next::Never
    }
}

/// Takes one side's bytes out of binary frames. What comes in other frames that carry content, or compressed without leave, is no stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; LONGEST],
    have: usize,
    /// Bytes of the frame under way.
    left: u64,
    role: Role,
    /// The message under way is compressed.
    packed: bool,
    inflater: Option<Inflater>,
    mask: Option<[u8; 4]>,
    /// Bytes of it gone by.
    at: usize,
    lost: bool,
    scratch: Vec<u8>,
}

impl Frames {
    /// Of messages that may be compressed so.
    pub(super) fn new(inflater: Option<Inflater>) -> Self {
        Self { inflater, ..Self::default() }
    }

    /// Hands each run of bytes in `bytes` to `out`, in order.
    pub(super) fn feed(&mut self, bytes: &[u8], mut out: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.lost {
            if self.left == 0 {
                let Some((byte, after)) = rest.split_first() else { return };
                if let Some(slot) = self.header.get_mut(self.have) {
                    *slot = *byte;
                }
                (self.have, rest) = (self.have + 1, after);
                self.begin();
                if self.have == 0 && self.left == 0 {
                    self.end(&mut out);
                }
                continue;
            }
            let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
            let (now, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            rest = after;
            self.left -= now.len() as u64;
            if self.role != Role::Control {
                let now = match self.mask {
                    None => now,
                    Some(mask) => {
                        self.scratch.clear();
                        let mask = mask.iter().cycle().skip(self.at % 4);
                        self.scratch.extend(now.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
                        &self.scratch
                    }
                };
                match &mut self.inflater {
                    Some(inflater) if self.packed => self.lost |= !inflater.feed(now, &mut out),
                    _ => out(now),
                }
                self.at = self.at.wrapping_add(len);
            }
            if self.left == 0 {
                self.end(&mut out);
            }
        }
    }

    /// A frame is complete.
    fn end(&mut self, out: &mut impl FnMut(&[u8])) {
        if let Some(inflater) = self.inflater.as_mut().filter(|_| self.role == Role::Last && self.packed) {
            self.lost |= !inflater.end_message(out);
        }
    }

    /// Reads a header, once it is all there.
    fn begin(&mut self) {
        let [first, second, ..] = self.header;
        let (wide, masked) = (second & 0x7f, second & 0x80 != 0);
        let length = match wide {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let due = 2 + length + if masked { 4 } else { 0 };
        if self.have < 2 || self.have < due {
            return;
        }
        self.have = 0;
        let long = self.header.get(2..2 + length).unwrap_or_default();
        self.left = if length == 0 { u64::from(wide) } else { long.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)) };
        self.mask = masked.then(|| self.header.get(2 + length..).and_then(|rest| rest.first_chunk()).copied()).flatten();
        let kind = first & 0x0f;
        let (control, continues) = (kind >= 8, kind == 0);
        self.at = 0;
        self.role = match (control, first & 0x80 != 0) {
            (true, _) => Role::Control,
            (false, false) => Role::Part,
            (false, true) => Role::Last,
        };
        // The first reserved bit stands in the first frame of a message that is compressed, where that was agreed on. The others mean another
        // extension. A text, and whatever is reserved, is no piece of a stream; nor is a control frame long.
        let packed = first & 0x40 != 0;
        let out_of_place = packed && (control || continues || self.inflater.is_none()) || first & 0x30 != 0;
        if !control && !continues {
            self.packed = packed;
        }
        self.lost = out_of_place || !matches!(kind, 0 | 2 | 8 | 9 | 10) || control && self.left > 125 || self.left >> 63 != 0;
    }

    /// Bytes are missing: where the next frame begins nobody knows.
    pub(super) const fn lose(&mut self) {
        self.lost = true;
    }

    /// Nothing more can be taken out of it.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.scratch.capacity() + self.inflater.as_ref().map_or(0, Inflater::held_bytes)
    }
}

/// What the frame under way is to its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Role {
    /// None: it is about the connection.
    #[default]
    Control,
    /// More of the message follows.
    Part,
    /// With it the message ends.
    Last,
}

/// Bytes of the longest header of a frame.
const LONGEST: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455 section 5.7: `Hello` as a text, unmasked and masked, a ping, and 256 bytes.
    const MASKED_PING: &[u8] = b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

    fn taken(said: &[u8], piece: usize) -> (Vec<u8>, bool) {
        read(Frames::default(), said, piece)
    }

    fn read(mut frames: Frames, said: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        for bytes in said.chunks(piece) {
            frames.feed(bytes, |bytes| all.extend_from_slice(bytes));
        }
        (all, frames.is_lost())
    }

    #[test]
    fn binary_frames_are_one_stream_however_they_are_cut() {
        let long: Vec<u8> = (0..=255).collect();
        let said = [
            b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            MASKED_PING,
            b"\x02\x01a",
            b"\x80\x01b",
            b"\x82\x7e\x01\x00",
            &long,
            b"\x82\x7f\0\0\0\0\0\0\x01\x00",
            &long,
        ]
        .concat();
        let due = [b"Helloab".as_slice(), &long, &long].concat();
        for piece in [usize::MAX, 1, 2, 3, 13, 100] {
            assert_eq!(taken(&said, piece), (due.clone(), false), "in pieces of {piece}");
        }
    }

    /// RFC 7692 section 7.2.3.1, in one frame and in two; a message in between that is not compressed, a ping amid one that is.
    #[test]
    fn compressed_messages_are_inflated_where_that_was_agreed() {
        let said = [
            b"\xc2\x07\xf2\x48\xcd\xc9\xc9\x07\x00".as_slice(),
            b"\x82\x02, ",
            b"\x42\x03\xf2\x48\xcd",
            MASKED_PING,
            b"\x80\x04\xc9\xc9\x07\x00",
            b"\x42\x02\xf2\x00",
            b"\x80\x03\x11\x00\x00",
        ]
        .concat();
        let (client, server) = {
            let answer = b"HTTP/1.1 101 x\r\nsec-websocket-extensions: x, permessage-deflate ; Server_no_context_takeover;client_max_window_bits=9\r\n\r\n";
            let PerSide { client, server } = compression(answer);
            (client, server)
        };
        assert!(client.is_some() && server.is_some());
        for piece in [usize::MAX, 1, 2, 3, 13] {
            let frames = Frames::new(Some(Inflater::new(true)));
            assert_eq!(read(frames, &said, piece), (b"Hello, HelloHello".to_vec(), false), "in pieces of {piece}");
        }
        assert!(read(Frames::new(client), &said, 5) == (b"Hello, HelloHello".to_vec(), false), "the client keeps its window");
        assert!(read(Frames::new(server), &said, 5).1, "the server promised to begin anew");
        assert!(compression(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n").client.is_none());
        for (what, said) in
            [("a text", &b"\xc1\x07\xf2"[..]), ("a continuation", b"\xc0\x01x"), ("a ping", b"\xc9\x01x"), ("another bit", b"\xe2\x01x")]
        {
            assert!(read(Frames::new(Some(Inflater::new(true))), said, 1).1, "{what}");
        }
    }

    #[test]
    fn what_is_no_stream_is_not_taken_for_one() {
        for (what, said) in [
            ("a text", &b"\x81\x05Hello"[..]),
            ("compressed", b"\xc2\x05Hello"),
            ("reserved", b"\x83\x01x"),
            ("a control frame too long", b"\x89\x7e\x01\x00"),
            ("a length beyond all bounds", b"\x82\x7f\x80\0\0\0\0\0\0\0"),
        ] {
            assert_eq!(taken(said, usize::MAX), (Vec::new(), true), "{what}");
        }
    }

    #[test]
    fn an_answer_takes_the_upgrade_or_does_not() {
        let yes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n";
        assert_eq!(answer(&[yes.as_slice(), b"\x82"].concat()), Answer::Taken(yes.len()));
        for len in 1..yes.len() {
            assert_eq!(answer(&yes[..len]), Answer::Wait, "{len}");
        }
        assert_eq!(answer(b"HTTP/2 200\r\n\r\n"), Answer::Taken(14));
        for other in [
            &b"HTTP/1.1 403 Forbidden\r\n\r\n"[..],
            b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n",
            b"HTTP/2 403\r\n\r\n",
            b"\x15\x03\x01\0\x02",
        ] {
            assert_eq!(answer(other), Answer::Other);
        }
    }

    #[test]
    fn a_tunnel_that_is_refused_is_known_by_where_it_was_to_lead() {
        let claims = BASE64URL_NOPAD.encode(br#"{"id":"1","p":{"Tcp":{"proxy_protocol":false}},"r":"app.example.test","rp":443}"#);
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: v1, authorization.bearer.e30.{claims}.s\r\n\r\n"
        );
        let mark = Mark::default();
        let no = facts(Dialect::WebSocket, (request.as_bytes(), mark), (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", mark), false);
        assert_eq!((no.target.as_deref(), no.upgrade, no.code), (Some("app.example.test:443"), Upgrade::UpstreamFailed, Some(502)));
        let chat = b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(facts(Dialect::WebSocket, (chat, mark), (b"HTTP/1.1 403 Forbidden\r\n\r\n", mark), false).target, None);
        let yes = (&b"HTTP/1.1 101 Switching Protocols\r\n\r\n"[..], mark);
        assert_eq!(facts(Dialect::WebSocket, (chat, mark), yes, true).upgrade, Upgrade::Granted);
        let udp = b"GET /.well-known/masque/udp/2001%3Adb8::1/443/ HTTP/1.1\r\nUpgrade: connect-udp\r\n\r\n";
        assert_eq!((asks(udp), asks(&udp[..30]), asks(b"POST ")), (Asked::For(Dialect::ConnectUdp), Asked::Wait, Asked::Other));
        let no = facts(Dialect::ConnectUdp, (udp, mark), (b"HTTP/1.1 407 x\r\n\r\n", mark), false);
        assert_eq!((no.target.as_deref(), no.upgrade), (Some("[2001:db8::1]:443"), Upgrade::AuthRequired));
    }
}
