//! Answers of the DNS that are overheard.

use handshark::preamble::dns::{self, Found};

use super::captures::pipeline;

/// The first byte chooses whether all of it goes through the whole program, too. Then answers of the DNS as they travel in a stream: two bytes of
/// length, and the answer.
pub fn dns(bytes: &[u8]) {
    let Some((choice, stream)) = bytes.split_first() else { return };
    let mut rest = stream;
    while let [high, low, behind @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (message, after) = behind.split_at(len.min(behind.len()));
        assert_eq!(dns::framed(rest), (message.len() == len).then_some(message), "what is framed is whole");
        rest = after;
        answer(message);
    }
    if choice & 1 != 0 {
        pipeline(&capture(stream));
    }
}

fn answer(message: &[u8]) {
    let Some(answer) = dns::read(message) else { return };
    let is_host = |name: &str| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
        !name.is_empty() && name.len() <= 255 && name.bytes().all(known)
    };
    assert!(is_host(&answer.name), "a name can be shown");
    let _ = (dns::service(&answer.name), dns::policy_domain(&answer.name));
    match answer.found {
        Found::Tlsa(records) => {
            assert!(records.len() <= 32 && dns::service(&answer.name).is_some(), "records are of a service, and bounded");
            for record in records {
                assert!(record.hash.len() <= 64 && record.to_string().is_ascii(), "a hash is short, and can be shown");
            }
        }
        Found::Exchanges(list) => assert!((1..=32).contains(&list.len()) && list.iter().all(|name| is_host(name))),
        Found::Ech(keys) => assert!((1..=256).contains(&keys.len()) && keys.iter().all(|key| is_host(&key.public_name))),
        Found::MailPolicy => assert!(dns::policy_domain(&answer.name).is_some()),
    }
}

/// A capture in which these answers come as datagrams and in a stream, and a client then goes to two servers.
pub fn capture(stream: &[u8]) -> Vec<u8> {
    let mut wire = Wire {
        file: [&0xa1b2_c3d4_u32.to_le_bytes()[..], &[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 101, 0, 0, 0]].concat(),
        micros: 0,
    };
    let mut rest = stream;
    while let [high, low, behind @ ..] = rest {
        let (message, after) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(behind.len()));
        rest = after;
        let len = u16::try_from(8 + message.len()).unwrap_or(u16::MAX).to_be_bytes();
        wire.packet(17, false, &[&[0, 53, 0x9c, 0x40][..], &len, &[0, 0], message].concat());
    }
    let short = stream.get(..1400).unwrap_or(stream);
    wire.connection(53, b"\0\x01?", short);
    for port in [25, 443] {
        wire.connection(port, HELLO, b"\x15\x03\x03\0\x02\x02\x28");
    }
    wire.file
}

/// A capture that is being written.
struct Wire {
    file: Vec<u8>,
    micros: u32,
}

impl Wire {
    fn packet(&mut self, protocol: u8, by_client: bool, body: &[u8]) {
        let (from, to) = if by_client { (1, 2) } else { (2, 1) };
        let len = u16::try_from(20 + body.len()).unwrap_or(u16::MAX);
        let [high, low] = len.to_be_bytes();
        let head = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, from, 192, 0, 2, to];
        self.micros += 1000;
        let size = u32::try_from(20 + body.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.file.extend([&[0; 4][..], &self.micros.to_le_bytes(), &size, &size, &head, body].concat());
    }

    /// Each side says something, and the client leaves.
    fn connection(&mut self, port: u16, request: &[u8], reply: &[u8]) {
        let (mut sent, mut answered) = (1000_u32, 2000_u32);
        for (by_client, flags, said) in [
            (true, 2, &b""[..]),
            (false, 18, b""),
            (true, 16, b""),
            (true, 16, request),
            (false, 16, reply),
            (true, 17, b""),
            (false, 17, b""),
            (true, 16, b""),
        ] {
            let ports = if by_client { [40_000 + port, port] } else { [port, 40_000 + port] };
            let (seq, ack) = if by_client { (&mut sent, answered) } else { (&mut answered, sent) };
            let header = [&ports[0].to_be_bytes()[..], &ports[1].to_be_bytes(), &seq.to_be_bytes(), &u32::to_be_bytes(ack)].concat();
            *seq += u32::try_from(said.len()).unwrap_or_default() + u32::from(flags & 3 != 0);
            self.packet(6, by_client, &[&header, &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0][..], said].concat());
        }
    }
}

/// A ClientHello for `mail.example.test`.
const HELLO: &[u8] = b"\x16\x03\x01\0\x49\x01\0\0\x45\x03\x03RandomRandomRandomRandomRandomRa\0\0\x02\xc0\x2f\x01\0\0\x1a\
\0\0\0\x16\0\x14\0\0\x11mail.example.test";
