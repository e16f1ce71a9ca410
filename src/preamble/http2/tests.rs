use super::*;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A literal that is not indexed, in clear.
fn field(name: &str, value: &str) -> Vec<u8> {
    let len = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, len(name)][..], name.as_bytes(), &[len(value)], value.as_bytes()].concat()
}

fn fields(all: &[(&str, &str)]) -> Vec<u8> {
    all.iter().flat_map(|(name, value)| field(name, value)).collect()
}

fn connect(stream: u32, target: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &fields(&[(":method", "CONNECT"), (":authority", target)]))
}

fn status(stream: u32, status: &str, flags: u8) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, &fields(&[(":status", status)]))
}

fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])].concat()
}

/// What is heard: stream, side and words, with what follows at once joined.
fn heard(said: &[(Side, Vec<u8>)], piece: usize) -> (Vec<(u32, Side, String)>, Outlook) {
    let (mut wire, mut all, mut outlook) = (Http2::default(), Vec::<(u32, Side, String)>::new(), Outlook::Open);
    for (side, bytes) in said {
        for bytes in bytes.chunks(piece) {
            if outlook == Outlook::Open {
                outlook = wire.feed(*side, bytes, &mut |stream, word| match (word, all.last_mut()) {
                    (Word::Bytes(bytes), Some((last, from, text))) if *last == stream && *from == *side && !text.starts_with('<') => {
                        text.push_str(&String::from_utf8_lossy(bytes));
                    }
                    (Word::Bytes(bytes), _) => all.push((stream, *side, String::from_utf8_lossy(bytes).into_owned())),
                    (Word::Ended, _) => all.push((stream, *side, "<end>".to_owned())),
                    (Word::Reset(code), _) => all.push((stream, *side, format!("<reset {code}>"))),
                    (Word::Over, _) => all.push((stream, *side, "<over>".to_owned())),
                });
            }
        }
    }
    (all, outlook)
}

#[test]
fn streams_are_told_apart_however_they_are_cut() {
    let client = [
        opening(),
        connect(1, "a:443"),
        connect(3, "b:443"),
        frame(DATA, PADDED, 3, &[2, b'B', b'B', 0, 0]),
        frame(DATA, 0, 1, b"AAA"),
        frame(DATA, END_STREAM, 3, b""),
        frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]),
    ]
    .concat();
    let server = [frame(SETTINGS, 0, 0, &[]), status(1, "200", 0), status(3, "200", 0), frame(DATA, END_STREAM, 1, b"aaa")].concat();
    let whole = heard(&[(Side::Client, client.clone()), (Side::Server, server.clone())], usize::MAX);
    let word = |stream, side, text: &str| (stream, side, text.to_owned());
    let due = [
        word(1, Side::Client, "CONNECT a:443 HTTP/2\r\n\r\n"),
        word(3, Side::Client, "CONNECT b:443 HTTP/2\r\n\r\nBB"),
        word(1, Side::Client, "AAA"),
        word(3, Side::Client, "<end>"),
        word(1, Side::Client, "<reset 8>"),
        word(1, Side::Server, "HTTP/2 200\r\n\r\n"),
        word(3, Side::Server, "HTTP/2 200\r\n\r\n"),
        word(1, Side::Server, "aaa"),
        word(1, Side::Server, "<end>"),
    ];
    assert_eq!(whole.0, due);
    assert_eq!(whole.1, Outlook::Open);
    for piece in [1, 2, 7, 10] {
        assert_eq!(heard(&[(Side::Client, client.clone()), (Side::Server, server.clone())], piece), whole, "in pieces of {piece}");
    }
}

#[test]
fn who_is_asked_for_a_login_asks_again_in_another_stream() {
    let said = [
        (Side::Client, [opening(), connect(1, "a:443")].concat()),
        (Side::Server, [status(1, "407", END_STREAM), frame(DATA, 0, 1, b"not for the tunnel")].concat()),
        (Side::Client, connect(3, "a:443")),
        (Side::Server, [status(3, "200", 0), frame(DATA, 0, 3, b"x")].concat()),
    ];
    let streams: Vec<u32> = heard(&said, usize::MAX).0.into_iter().map(|(stream, ..)| stream).collect();
    assert_eq!(streams, [1, 1, 1, 1, 1]);
}

#[test]
fn blocks_go_on_in_continuations() {
    let block = fields(&[(":method", "CONNECT"), (":authority", "a:443")]);
    let (one, two) = block.split_at(9);
    let said = [opening(), frame(HEADERS, PRIORITY, 1, &[&[0; 5], one].concat()), frame(CONTINUATION, END_HEADERS, 1, two)].concat();
    assert_eq!(heard(&[(Side::Client, said)], 5).0, [(1, Side::Client, "CONNECT a:443 HTTP/2\r\n\r\n".to_owned())]);
    let torn = [opening(), frame(HEADERS, 0, 1, one), frame(DATA, 0, 1, b"x")].concat();
    assert_eq!(heard(&[(Side::Client, torn)], usize::MAX).1, Outlook::Lost);
}

#[test]
fn ordinary_clients_are_left_alone() {
    let get = |scheme| frame(HEADERS, END_HEADERS, 1, &fields(&[(":method", "GET"), (":scheme", scheme), (":path", "/")]));
    assert_eq!(heard(&[(Side::Client, [opening(), get("https")].concat())], usize::MAX).1, Outlook::NoTunnel);
    assert_eq!(heard(&[(Side::Client, [opening(), get("http")].concat())], usize::MAX).1, Outlook::Open);
}

#[test]
fn a_field_makes_no_lines_of_its_own() {
    let request = frame(HEADERS, END_HEADERS, 1, &fields(&[(":method", "CONNECT"), (":authority", "a:1 x\r\nHost: y")]));
    let said = heard(&[(Side::Client, [opening(), request].concat())], usize::MAX).0;
    assert_eq!(said, [(1, Side::Client, "CONNECT a:1?x??Host:?y HTTP/2\r\n\r\n".to_owned())]);
}

#[test]
fn a_tunnel_that_is_over_gives_its_place_back() {
    const MANY: u32 = 200;
    /// What the proxy says in a stream, and the client behind it.
    type End = fn(u32) -> [Vec<u8>; 2];
    let ends: [(&str, End); 4] = [
        ("both ended it", |id| [[status(id, "200", 0), frame(DATA, END_STREAM, id, b"x")].concat(), frame(DATA, END_STREAM, id, b"")]),
        ("the client gave it up", |id| [status(id, "200", 0), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])]),
        ("the proxy refused it", |id| [status(id, "502", END_STREAM), Vec::new()]),
        ("the proxy asked for a login", |id| [status(id, "407", END_STREAM), Vec::new()]),
    ];
    for (what, end) in ends {
        let (mut wire, mut asked, mut over) = (Http2::default(), 0, 0);
        let mut feed = |side, bytes: &[u8]| {
            wire.feed(side, bytes, &mut |_, word| match word {
                Word::Bytes(bytes) => asked += u32::from(bytes.starts_with(b"CONNECT ")),
                Word::Over => over += 1,
                Word::Ended | Word::Reset(_) => {}
            })
        };
        assert_eq!(feed(Side::Client, &opening()), Outlook::Open);
        for at in 0..MANY {
            let id = 2 * at + 1;
            let [server, client] = end(id);
            feed(Side::Client, &connect(id, &format!("h{at}:443")));
            feed(Side::Server, &server);
            assert_eq!(feed(Side::Client, &client), Outlook::Open, "{what}");
        }
        assert_eq!((asked, over, wire.dropped()), (MANY, MANY - u32::try_from(HTTP2_STREAMS).unwrap(), 0), "{what}");
    }
}

#[test]
fn what_is_asked_for_is_bounded() {
    let many: Vec<u8> = (0..1000).flat_map(|at| connect(2 * at + 1, "a:443")).collect();
    let (mut wire, mut streams) = (Http2::default(), 0);
    let outlook = wire.feed(Side::Client, &[opening(), many].concat(), &mut |_, _| streams += 1);
    assert_eq!((streams, wire.streams.len(), outlook), (HTTP2_STREAMS, HTTP2_STREAMS, Outlook::Open));
    assert_eq!(wire.dropped(), 1000 - HTTP2_STREAMS as u64);
    let long = frame(HEADERS, END_HEADERS, 1, &vec![0; HTTP2_BLOCK + 1]);
    assert_eq!(heard(&[(Side::Client, [opening(), long].concat())], usize::MAX).1, Outlook::Lost);
    let block = fields(&[(":method", "CONNECT"), ("x", &"y".repeat(120))]);
    let endless: Vec<u8> = (0..2000).flat_map(|at| frame(HEADERS, END_HEADERS, 2 * at + 1, &block)).collect();
    assert_eq!(heard(&[(Side::Client, [opening(), endless].concat())], usize::MAX).1, Outlook::Lost);
}
