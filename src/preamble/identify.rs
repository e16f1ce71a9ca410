//! Names a protocol from the first bytes of one side.

use super::Plaintext;
use super::dialogue::{be16, be32};
use super::text::{contains, excerpt, first_line, header, number, printable, starts_with, words};
use crate::flow::Side;

/// Names what a side speaks, from its first bytes. Never fails: what is not recognised is `unknown`, with an excerpt.
pub fn identify(bytes: &[u8], side: Side) -> Plaintext {
    named(bytes, side).unwrap_or_else(|| plain("unknown", bytes))
}

/// The same, where something is recognised.
pub(super) fn named(bytes: &[u8], side: Side) -> Option<Plaintext> {
    if let Some(http) = http(bytes) {
        return Some(http);
    }
    let protocol = text_protocol(bytes, side).or_else(|| binary_protocol(bytes, side))?;
    let mut found = plain(protocol, bytes);
    found.software = match protocol {
        "SSH" => first_line(bytes).splitn(3, |byte| *byte == b'-').nth(2).map(printable),
        "MySQL" if side == Side::Server => bytes.get(5..).and_then(|rest| rest.split(|byte| *byte == 0).next()).map(printable),
        _ => None,
    };
    Some(found)
}

/// The method, where the bytes begin like an HTTP request.
pub(super) fn http_method(bytes: &[u8]) -> Option<&'static str> {
    METHODS.iter().find(|method| bytes.strip_prefix(method.as_bytes()).is_some_and(|rest| rest.first() == Some(&b' '))).copied()
}

fn http(bytes: &[u8]) -> Option<Plaintext> {
    if bytes.starts_with(b"PRI * HTTP/2.0") || http2_settings(bytes) {
        return Some(plain("HTTP/2", bytes));
    }
    let line = first_line(bytes);
    if bytes.starts_with(b"HTTP/") {
        let mut found = plain("HTTP", bytes);
        found.http_status = words(line).nth(1).and_then(number).and_then(|code| u16::try_from(code).ok());
        found.location = header(bytes, "Location").map(printable);
        found.software = header(bytes, "Server").map(printable);
        found.title = complaint(bytes, found.http_status).or_else(|| title(bytes));
        let tls = |upgrade: &[u8]| contains(upgrade, "TLS/");
        found.demands_tls = found.http_status == Some(426) && header(bytes, "Upgrade").is_some_and(tls);
        if found.http_status == Some(101) {
            found.protocol = upgraded(bytes).unwrap_or(found.protocol);
        }
        return Some(found);
    }
    if http_method(bytes).is_some() {
        if contains(line, " SIP/2.0") {
            return Some(plain("SIP", bytes));
        }
        if contains(line, " RTSP/1.0") {
            return Some(plain("RTSP", bytes));
        }
        return Some(plain(upgraded(bytes).unwrap_or("HTTP"), bytes));
    }
    // an error page without any header, as HTTP/0.9 clients get it
    let start = bytes.trim_ascii_start();
    (starts_with(start, "<!DOCTYPE html") || starts_with(start, "<html")).then(|| {
        let mut found = plain("HTTP", start);
        found.title = title(start);
        found
    })
}

/// What the header asks for, or agrees to, in the place of HTTP: WebSocket (RFC 6455 section 4), or datagrams through a proxy (MASQUE, RFC 9298 section 3).
fn upgraded(bytes: &[u8]) -> Option<&'static str> {
    super::websocket::upgrade(bytes).map(super::Dialect::title)
}

/// The first frame of an HTTP/2 server is SETTINGS on stream 0 (RFC 9113 sections 3.4 and 6.5).
fn http2_settings(bytes: &[u8]) -> bool {
    matches!(bytes, [0, high, low, 4, 0, 0, 0, 0, 0, ..] if u16::from_be_bytes([*high, *low]) % 6 == 0)
}

fn title(bytes: &[u8]) -> Option<String> {
    let start = bytes.windows(7).position(|window| window.eq_ignore_ascii_case(b"<title>"))?;
    let text = bytes.get(start + 7..)?;
    let end = memchr::memchr(b'<', text).unwrap_or(text.len());
    Some(printable(text.get(..end)?.trim_ascii())).filter(|title| !title.is_empty())
}

/// What servers of TLS say to HTTP in clear, where the page's title does not say it: wherever on the page it stands.
fn complaint(bytes: &[u8], status: Option<u16>) -> Option<String> {
    let untold = status == Some(400) && !title(bytes).is_some_and(|title| says_tls(&title));
    TLS_WANTED.iter().find(|words| untold && contains(bytes, words)).map(|words| (*words).to_owned())
}

/// These words say that HTTP in clear met a server of TLS.
pub(super) fn says_tls(text: &str) -> bool {
    TLS_WANTED.iter().any(|words| contains(text.as_bytes(), words))
}

/// The fixed words of Go, nginx, Apache and Tomcat for that.
const TLS_WANTED: [&str; 4] = [
    "sent an HTTP request to an HTTPS server",
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "combination of host and port requires TLS",
];

fn text_protocol(bytes: &[u8], side: Side) -> Option<&'static str> {
    let line = first_line(bytes);
    for (start, name) in STARTS {
        if bytes.starts_with(start) {
            return Some(name);
        }
    }
    if contains(line, " SIP/2.0") || starts_with(line, "SIP/2.0 ") {
        return Some("SIP");
    }
    if contains(line, " RTSP/1.0") {
        return Some("RTSP");
    }
    if side == Side::Server {
        return server_line(line);
    }
    let starts = |all: &[&str]| all.iter().any(|word| starts_with(line, word));
    if starts(&["EHLO ", "HELO ", "LHLO "]) {
        return Some("SMTP");
    }
    if starts(&["AUTH TLS", "AUTH SSL", "FEAT"]) {
        return Some("FTP");
    }
    if starts(&["NICK ", "CAP LS"]) {
        return Some("IRC");
    }
    // RESP arrays: `*1`, `$4`
    if line.strip_prefix(b"*").and_then(number).is_some() && contains(bytes, "\n$") {
        return Some("Redis");
    }
    if line.eq_ignore_ascii_case(b"PING") {
        return Some("Redis");
    }
    if syslog(line) {
        return Some("syslog");
    }
    if starts(&["get ", "gets ", "set ", "stats", "version", "mg "]) && memchr::memchr(b'\n', bytes).is_some() {
        return Some("memcached");
    }
    words(line)
        .nth(1)
        .filter(|word| [&b"LOGIN"[..], b"CAPABILITY", b"STARTTLS"].iter().any(|known| word.eq_ignore_ascii_case(known)))
        .map(|_| "IMAP")
}

/// A priority in angle brackets, behind the message's length where it is framed so (RFC 5424 section 6, RFC 6587 section 3.4).
fn syslog(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = match line.get(digits..) {
        Some([b' ', rest @ ..]) if digits > 0 => rest,
        Some(rest) if digits == 0 => rest,
        _ => return false,
    };
    let [b'<', rest @ ..] = rest else { return false };
    let end = rest.iter().position(|byte| *byte == b'>');
    end.and_then(|end| rest.get(..end)).and_then(number).is_some_and(|priority| priority < 192)
}

/// Whether a server that is asked in this protocol answers so, as far as its answers show less by themselves.
pub(super) fn replies(protocol: &str, bytes: &[u8]) -> bool {
    let line = first_line(bytes);
    match protocol {
        // RESP begins each reply with its type, and ends the first line with CRLF.
        "Redis" if !bytes.get(line.len()..).unwrap_or_default().starts_with(b"\r\n") => false,
        "Redis" => match line.split_first() {
            Some((b'+' | b'-', word)) => word.first().is_some_and(u8::is_ascii_alphabetic),
            Some((b'$' | b'*' | b':' | b'%' | b'~', count)) => number(count.strip_prefix(b"-").unwrap_or(count)).is_some(),
            Some((b'_', rest)) => rest.is_empty(),
            _ => false,
        },
        "memcached" => {
            let word = words(line).next().unwrap_or_default();
            ["STORED", "NOT_STORED", "END", "VALUE", "VERSION", "STAT", "OK", "HD", "EN", "MN", "ERROR"]
                .iter()
                .any(|known| word == known.as_bytes())
        }
        // A response of Kafka is its length, and as many bytes.
        "Kafka" => {
            be32(bytes, 0).and_then(|len| usize::try_from(len).ok()).is_some_and(|len| len >= 8 && len.saturating_add(4) == bytes.len())
        }
        _ => false,
    }
}

fn server_line(line: &[u8]) -> Option<&'static str> {
    let has = |word| contains(line, word);
    match line {
        [b'*', b' ', ..] if starts_with(line, "* OK") || starts_with(line, "* BYE") || starts_with(line, "* PREAUTH") => Some("IMAP"),
        [b'+', b'O', b'K', ..] => Some(if line == b"+OK" { "Redis" } else { "POP3" }),
        [b'-', b'E', b'R', b'R', b' ', rest @ ..] => {
            Some(if starts_with(rest, "unknown command") || has("Protocol error") { "Redis" } else { "POP3" })
        }
        [b'-', ..] if starts_with(line, "-NOAUTH") || starts_with(line, "-DENIED") => Some("Redis"),
        [b'"', ..] if has("\"IMPLEMENTATION\"") => Some("ManageSieve"),
        [b':', ..] if has(" NOTICE ") => Some("IRC"),
        _ if line.starts_with(b"NOTICE ") => Some("IRC"),
        [b'2', b'2', b'0', ..] if has("ftp") && !has("smtp") => Some("FTP"),
        [b'5', b'0' | b'3', b'0', ..] if has("USER and PASS") || has("ftp") => Some("FTP"),
        [b'2', b'0', b'0' | b'1', b' ', ..] if has("nntp") || has("news") || has("posting") => Some("NNTP"),
        [b'2', b'2', b'0', b' ' | b'-', ..] | [b'4' | b'5', b'0'..=b'5', b'0'..=b'9', b' ' | b'-', ..] => Some("SMTP"),
        _ if starts_with(line, "INFO {") => Some("NATS"),
        _ if starts_with(line, "ERROR") && line.len() == 5 => Some("memcached"),
        _ => None,
    }
}

fn binary_protocol(bytes: &[u8], side: Side) -> Option<&'static str> {
    match bytes {
        [0, _, _, _, 0xfd..=0xff, b'S', b'M', b'B', ..] => return Some("SMB"),
        [3, 0, _, _, _, 0xe0 | 0xd0, ..] => return Some("RDP"),
        [tds @ (0x12 | 0x04), 1, high, low, 0, _, _, 0, ..] if u16::from_be_bytes([*high, *low]) > 8 => {
            return Some(if (*tds == 0x12) == (side == Side::Client) { "TDS" } else { "unknown" });
        }
        [_, _, 0, 0, 0x0a, b'0'..=b'9', ..] | [_, _, 0, 0, 0xff, _, _, ..] | [_, _, 0, 0..=3, 0xff, _, _, b'#', ..]
            if side == Side::Server =>
        {
            return Some("MySQL");
        }
        [0xff, 0xfb..=0xfe, _, ..] => return Some("Telnet"),
        // a Connect packet: its length, no checksum, type and flags, the version and the oldest one
        [high, low, 0, 0, 1, _, 0, 0, 1, _, 1, _, ..]
            if side == Side::Client && usize::from(u16::from_be_bytes([*high, *low])) == bytes.len() =>
        {
            return Some("Oracle Net");
        }
        // Accept, Refuse, Redirect and Resend, whole
        [high, low, 0, 0, 2 | 4 | 5 | 11, _, 0, 0, ..]
            if side == Side::Server && usize::from(u16::from_be_bytes([*high, *low])) == bytes.len() =>
        {
            return Some("Oracle Net");
        }
        // a method frame on channel 0 with Connection.Start
        [1, 0, 0, _, _, _, _, 0, 10, 0, 10, ..] if side == Side::Server => return Some("AMQP"),
        [0x10, len, 0, 4, b'M', b'Q', b'T', b'T', ..] if *len < 0x80 => return Some("MQTT"),
        [0x10, _, 0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] | [0x10, _, _, 0, 4, b'M', b'Q', b'T', b'T', ..] => return Some("MQTT"),
        [0x20, 2, 0 | 1, 0..=5, ..] if side == Side::Server => return Some("MQTT"),
        [5, count, methods @ ..] if side == Side::Client && methods.len() == usize::from(*count) && *count > 0 => return Some("SOCKS5"),
        [high, low, op, ..]
            if matches!(op >> 3, 7 | 8 | 10) && usize::from(u16::from_be_bytes([*high, *low])) + 2 == bytes.len() && bytes.len() >= 16 =>
        {
            return Some("OpenVPN");
        }
        _ => {}
    }
    if super::ldap::envelope(bytes).is_some_and(|(id, operation, _)| (1..=4).contains(&id.len()) && matches!(operation, 0x42 | 0x60..=0x78))
    {
        return Some("LDAP");
    }
    if bytes.first() == Some(&b'E')
        && be32(bytes, 1).is_some_and(|len| (8..30_000).contains(&len))
        && contains(bytes.get(..64).unwrap_or(bytes), "SFATAL")
    {
        return Some("PostgreSQL");
    }
    if be32(bytes, 0).is_some_and(|len| (8..10_000).contains(&len)) {
        match be32(bytes, 4) {
            Some(0x0003_0000 | 80_877_102..=80_877_104) => return Some("PostgreSQL"),
            _ if matches!(bytes.get(4), Some(0x6a | 0x6c | 0x6e | 0x7e)) && bytes.get(5).is_some_and(|byte| *byte != 0) => {
                return Some("Kerberos");
            }
            _ => {}
        }
    }
    if side == Side::Client && kafka(bytes) {
        return Some("Kafka");
    }
    if mongodb(bytes) {
        return Some("MongoDB");
    }
    dns(bytes).then_some("DNS")
}

/// A request of Kafka: its length, an API key and version, a correlation number, and the client's name.
fn kafka(bytes: &[u8]) -> bool {
    let (Some(len), Some(key), Some(version), Some(name)) = (be32(bytes, 0), be16(bytes, 4), be16(bytes, 6), be16(bytes, 12)) else {
        return false;
    };
    let client = bytes.get(14..).and_then(|rest| rest.get(..usize::from(name)));
    usize::try_from(len).is_ok_and(|len| len.saturating_add(4) == bytes.len())
        && matches!(key, 0 | 3 | 17 | 18)
        && version < 32
        && client.is_some_and(|client| !client.is_empty() && client.iter().all(|byte| matches!(byte, 0x20..=0x7e)))
}

/// A message of MongoDB: its length, two numbers, and one of the codes that open a conversation, all little-endian.
fn mongodb(bytes: &[u8]) -> bool {
    let [a, b, c, d, _, _, _, _, _, _, _, _, code, high, 0, 0, ..] = bytes else { return false };
    let code = u16::from_le_bytes([*code, *high]);
    usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).is_ok_and(|len| len >= bytes.len() && len < 1 << 16)
        && matches!(code, 2004 | 2013)
}

/// A DNS message behind its length (RFC 1035 section 4.2.2): one question, sane flags, fits its length.
fn dns(bytes: &[u8]) -> bool {
    let (Some(len), Some(flags), Some(questions)) = (be16(bytes, 0), be16(bytes, 4), be16(bytes, 6)) else { return false };
    let opcode = flags >> 11 & 0x0f;
    usize::from(len) + 2 == bytes.len()
        && len >= 17
        && questions == 1
        && opcode <= 5
        && flags & 0x0040 == 0
        && be16(bytes, 8).is_some_and(|answers| answers < 64)
}

fn plain(protocol: &'static str, bytes: &[u8]) -> Plaintext {
    Plaintext { protocol, first: excerpt(bytes), http_status: None, demands_tls: false, location: None, title: None, software: None }
}

const METHODS: [&str; 21] = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "CONNECT",
    "PATCH",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
];

/// Protocols that begin with bytes of their own, whoever sends them.
const STARTS: [(&[u8], &str); 16] = [
    (b"SSH-", "SSH"),
    (b"RFB 0", "VNC"),
    (b"AMQP", "AMQP"),
    (b"ZBXD", "Zabbix"),
    (b"\x13BitTorrent protocol", "BitTorrent"),
    (b"PROXY ", "PROXY protocol"),
    (b"\r\n\r\n\0\r\nQUIT\n", "PROXY protocol"),
    (b"<?xml version='1.0'?><stream:", "XMPP"),
    (b"<stream:", "XMPP"),
    (b"@RSYNCD:", "rsync"),
    (b"JRMI", "Java RMI"),
    (b"GIOP", "CORBA"),
    (b"CNXN", "ADB"),
    (b"\xd9\xd9\xd9\xf7", "Cisco EIGRP"),
    (b"EHLO ", "SMTP"),
    (b"ICY 200", "SHOUTcast"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8], side: Side) -> &'static str {
        identify(bytes, side).protocol
    }

    #[test]
    fn http_responses_give_status_and_place() {
        let page = b"HTTP/1.1 302 Found\r\nServer: gate\r\nLocation: http://portal.example/login\r\n\r\n<html><title>Sign in</title>";
        let found = identify(page, Side::Server);
        assert_eq!((found.protocol, found.http_status), ("HTTP", Some(302)));
        let complaint = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        let refused = identify(complaint, Side::Server);
        assert_eq!((refused.title.as_deref(), refused.says_tls()), (Some("sent an HTTP request to an HTTPS server"), true));
        let demands = |header: &str| {
            identify(format!("HTTP/1.1 426 Upgrade Required\r\n{header}Content-Length: 0\r\n\r\n").as_bytes(), Side::Server).demands_tls
        };
        assert!(demands("Connection: Upgrade\r\nUpgrade: TLS/1.2,HTTP/1.1\r\n"));
        assert!(!demands("Upgrade: websocket\r\n") && !demands(""));
        assert_eq!(found.location.as_deref(), Some("http://portal.example/login"));
        assert_eq!(found.title.as_deref(), Some("Sign in"));
        assert_eq!(found.software.as_deref(), Some("gate"));
        assert_eq!(found.first, "HTTP/1.1 302 Found");
    }

    #[test]
    fn a_header_in_the_body_is_no_header() {
        assert_eq!(identify(b"HTTP/1.1 200 OK\r\n\r\nLocation: http://x/", Side::Server).location, None);
    }

    #[test]
    fn banners_and_first_packets_are_named() {
        assert_eq!(name(b"SSH-2.0-OpenSSH_9.2p1\r\n", Side::Client), "SSH");
        assert_eq!(name(b"220 mail ESMTP\r\n", Side::Server), "SMTP");
        assert_eq!(name(b"220 ProFTPD Server\r\n", Side::Server), "FTP");
        assert_eq!(name(b"* OK ready\r\n", Side::Server), "IMAP");
        assert_eq!(name(b"+OK ready\r\n", Side::Server), "POP3");
        assert_eq!(name(b"RFB 003.008\n", Side::Server), "VNC");
        assert_eq!(name(b"*1\r\n$4\r\nPING\r\n", Side::Client), "Redis");
        assert_eq!(name(b"AMQP\0\0\x09\x01", Side::Client), "AMQP");
        assert_eq!(name(b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd", Side::Client), "MQTT");
        assert_eq!(name(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0", Side::Client), "LDAP");
        assert_eq!(name(b"\0\0\0\x40\xfeSMB\x40\0", Side::Client), "SMB");
        assert_eq!(name(b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01", Side::Client), "DNS");
        assert_eq!(name(b"OPTIONS sip:a SIP/2.0\r\n", Side::Client), "SIP");
        assert_eq!(name(b"OPTIONS rtsp://a RTSP/1.0\r\n", Side::Client), "RTSP");
        assert_eq!(name(b"\x4a\0\0\0\x0a8.0.36\0", Side::Server), "MySQL");
        assert_eq!(name(b"\0\0\0\x08\x04\xd2\x16\x2f", Side::Client), "PostgreSQL");
        assert_eq!(name(b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", Side::Client), "RDP");
        assert_eq!(name(b"\x13BitTorrent protocol", Side::Client), "BitTorrent");
        assert_eq!(name(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", Side::Server), "HTTP/2");
        assert_eq!(name(b"!\0\0\x01\xff\x84\x04#08S01Got packets out of order", Side::Server), "MySQL");
        assert_eq!(name(b"\0\0\0\x11\0\x12\0\x03\0\0\0\x01\0\x07rdkafka", Side::Client), "Kafka");
        assert_eq!(name(b"\x20\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0", Side::Client), "MongoDB");
        assert_eq!(name(b"<34>1 2026-11-28T12:00:00Z host su - ID47 - failed\n", Side::Client), "syslog");
        assert_eq!(name(b"47 <34>1 2026-11-28T12:00:00Z host su - ID47 - failed", Side::Client), "syslog");
        assert_eq!(name(b"ZBXD\x01\x05\0\0\0\0\0\0\0agent", Side::Client), "Zabbix");
        assert_eq!(name(b"\0\x10\0\0\x01\0\0\0\x01\x3f\x01\x2c\0\0\x20\0", Side::Client), "Oracle Net");
        assert_eq!(name(b"\0\x08\0\0\x0b\0\0\0", Side::Server), "Oracle Net");
        assert_eq!(name(b"\x01\0\0\0\0\x01\xf5\0\x0a\0\x0a\0\x09", Side::Server), "AMQP");
        let upgrade = b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        assert_eq!(name(upgrade, Side::Client), "WebSocket");
        let switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
        assert!(identify(switched, Side::Server).answers_in_kind(&identify(upgrade, Side::Client)));
        assert_eq!(name(b"PING\r\n", Side::Client), "Redis");
        for (protocol, answer) in [
            ("Redis", &b"+PONG\r\n"[..]),
            ("Redis", b"-WRONGPASS invalid username-password pair\r\n"),
            ("Redis", b"*-1\r\n"),
            ("Redis", b"%7\r\n$6\r\nserver\r\n"),
            ("memcached", b"VERSION 1.6.18\r\n"),
            ("Kafka", b"\0\0\0\x0a\0\0\0\x01\0\0\0\0\0\0"),
        ] {
            assert!(replies(protocol, answer), "{protocol}");
        }
        for (protocol, answer) in [
            ("Redis", &b"HTTP/1.1 400 Bad Request\r\n"[..]),
            ("Redis", b"\x15\x03\x01\0\x02\x02\x46"),
            ("Redis", b"$x\r\n"),
            ("memcached", b"CLIENT_ERROR bad command line\r\n"),
            ("Kafka", b"\0\0\0\x0a\0\0\0\x01"),
            ("HTTP", b"+OK\r\n"),
        ] {
            assert!(!replies(protocol, answer), "{protocol}");
        }
        assert_eq!(name(b"INFO {\"server_id\":\"x\"}\r\n", Side::Server), "NATS");
    }

    #[test]
    fn what_is_not_known_is_quoted_and_harmless() {
        let found = identify(b"\x01\x02\x1b[2J\xff", Side::Client);
        assert_eq!((found.protocol, found.first.as_str()), ("unknown", "\\x01\\x02\\x1b[2J\\xff"));
        assert_eq!(identify(b"", Side::Server).protocol, "unknown");
    }
}
