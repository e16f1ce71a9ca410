//! Which dialect is spoken, from the first bytes of a side and the server's port.

use super::dialogue::{Dialogue, Extent, be16, be32};
use super::identify::{http_method, named};
use super::services::Service;
use super::text::{contains, first_line, starts_with, words};
use super::{
    Dialect, amqp, ftp, http_connect, http_upgrade, imap, irc, ldap, mysql, mysqlx, nats, nbd, nntp, nut, openvpn, pop3, postgres,
    proxy_v1, proxy_v2, rdp, sieve, smtp, socks4, socks5, tds, vnc, websocket, xmpp,
};
use crate::carriers::openvpn::{RESET_V2, RESET_V3};
use crate::flow::Side;

/// What the first bytes of a side say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detected {
    /// More bytes, or the other side, will tell.
    Wait,
    /// This is spoken.
    Dialect(Dialect),
    /// A protocol that never leads to TLS on this connection.
    Plain,
    /// Nothing known.
    Unknown,
}

/// Looks at the bytes a side has sent so far; `full` when no more of them will be kept.
pub(super) fn detect(side: Side, bytes: &[u8], port: u16, full: bool) -> Detected {
    let found = match side {
        Side::Client => client(bytes, port),
        Side::Server => server(bytes, port),
    };
    match found {
        Detected::Wait if full => Detected::Unknown,
        found => found,
    }
}

/// A fresh dialogue.
pub(super) fn dialogue(dialect: Dialect) -> Box<dyn Dialogue> {
    match dialect {
        Dialect::Smtp => Box::<smtp::Smtp>::default(),
        Dialect::Imap => Box::<imap::Imap>::default(),
        Dialect::Pop3 => Box::<pop3::Pop3>::default(),
        Dialect::Ftp => Box::<ftp::Ftp>::default(),
        Dialect::Ldap => Box::<ldap::Ldap>::default(),
        Dialect::Xmpp => Box::<xmpp::Xmpp>::default(),
        Dialect::Postgres => Box::<postgres::Postgres>::default(),
        Dialect::Mysql => Box::<mysql::Mysql>::default(),
        Dialect::Rdp => Box::<rdp::Rdp>::default(),
        Dialect::Vnc => Box::<vnc::Vnc>::default(),
        Dialect::Nats => Box::<nats::Nats>::default(),
        Dialect::Nbd => Box::<nbd::Nbd>::default(),
        Dialect::Amqp => Box::<amqp::Amqp>::default(),
        Dialect::HttpUpgrade => Box::<http_upgrade::HttpUpgrade>::default(),
        Dialect::Tds => Box::<tds::Tds>::default(),
        Dialect::OpenVpn => Box::<openvpn::OpenVpn>::default(),
        Dialect::Nntp => Box::<nntp::Nntp>::default(),
        Dialect::Sieve => Box::<sieve::Sieve>::default(),
        Dialect::Irc => Box::<irc::Irc>::default(),
        Dialect::Nut => Box::<nut::Nut>::default(),
        Dialect::MysqlX => Box::<mysqlx::MysqlX>::default(),
        Dialect::HttpConnect => Box::<http_connect::HttpConnect>::default(),
        Dialect::WebSocket | Dialect::ConnectUdp => Box::<websocket::Over>::default(),
        Dialect::Socks4 => Box::<socks4::Socks4>::default(),
        Dialect::Socks5 => Box::<socks5::Socks5>::default(),
        Dialect::ProxyV1 => Box::<proxy_v1::ProxyV1>::default(),
        Dialect::ProxyV2 => Box::<proxy_v2::ProxyV2>::default(),
    }
}

fn client(bytes: &[u8], port: u16) -> Detected {
    use Detected::{Unknown, Wait};
    for (start, dialect) in [
        (&b"PROXY "[..], Dialect::ProxyV1),
        (&proxy_v2::SIGNATURE[..], Dialect::ProxyV2),
        // A client of NATS says with CONNECT who it is, and asks no proxy for anything.
        (b"CONNECT {", Dialect::Nats),
        (b"<?xml", Dialect::Xmpp),
        (b"<stream:", Dialect::Xmpp),
        (b"RFB 0", Dialect::Vnc),
    ] {
        match prefix(bytes, start) {
            Some(true) => return Detected::Dialect(dialect),
            None => return Wait,
            Some(false) => {}
        }
    }
    if bytes.starts_with(b"CONNECT ") {
        return Detected::Dialect(Dialect::HttpConnect);
    }
    if mysqlx::begins(Side::Client, bytes) {
        return Detected::Dialect(Dialect::MysqlX);
    }
    match http_upgrade::asks(bytes) {
        Some(true) => return Detected::Dialect(Dialect::HttpUpgrade),
        None => return Wait,
        Some(false) => {}
    }
    match bytes {
        [b'A', b'M', b'Q', b'P', layer, ..] => return if *layer == amqp::TLS { Detected::Dialect(Dialect::Amqp) } else { Detected::Plain },
        b"AMQP" | [0 | 3 | 4 | 5 | 0x12 | 0x30] | [4, 1 | 2] | [0x12, 1] | [0, 0] => return Wait,
        [5, count, methods @ ..] if *count > 0 && *count < 16 => {
            let methods = methods.get(..usize::from(*count));
            return methods.map_or(Wait, |all| {
                if all.iter().all(|method| *method < 10 || *method >= 0x80) { Detected::Dialect(Dialect::Socks5) } else { Unknown }
            });
        }
        [4, 1 | 2, ..] => {
            return match socks4::Socks4.extent(Side::Client, bytes) {
                Extent::Exactly(_) => Detected::Dialect(Dialect::Socks4),
                Extent::Lost => Unknown,
                _ => Wait,
            };
        }
        [3, 0, ..] => return need(bytes, 6, |bytes| bytes.get(5) == Some(&0xe0), Dialect::Rdp),
        [tds::PRELOGIN, 1, ..] => {
            return need(bytes, 9, |bytes| be16(bytes, 2).is_some_and(|len| len > 8) && bytes.get(8) == Some(&0), Dialect::Tds);
        }
        [0, len] if openvpn::may_begin(*len, RESET_V2) => return Wait,
        [0, len, first, ..] if openvpn::may_begin(*len, *first) => {
            return need(bytes, usize::from(*len) + 2, |bytes| openvpn::wrapping(bytes).is_some(), Dialect::OpenVpn);
        }
        // A client's own key comes with its first packet, which is longer for it.
        [1..=3, _, RESET_V3, ..] => {
            let len = be16(bytes, 0).map_or(0, usize::from);
            return need(bytes, len + 2, |bytes| openvpn::wrapping(bytes).is_some(), Dialect::OpenVpn);
        }
        [0, 0, ..] => {
            return need(
                bytes,
                8,
                |bytes| {
                    be32(bytes, 4)
                        .is_some_and(|code| matches!(code, postgres::SSL_REQUEST | postgres::GSSENC_REQUEST) || code == 0x0003_0000)
                },
                Dialect::Postgres,
            );
        }
        [0x30, ..] => {
            return match ldap::envelope(bytes) {
                Some((id, 0x60 | 0x63 | 0x77, _)) if (1..=4).contains(&id.len()) => Detected::Dialect(Dialect::Ldap),
                None if bytes.len() < 16 => Wait,
                _ => Unknown,
            };
        }
        _ => {}
    }
    if http_method(bytes).is_some() && memchr::memchr(b'\n', bytes).is_none() {
        return Wait;
    }
    if named(bytes, Side::Client).is_some_and(|plain| !leads_to_tls(plain.protocol)) {
        return Detected::Plain;
    }
    if !texty(bytes) {
        return if bytes.len() < BINARY_SEEN { Wait } else { Unknown };
    }
    if memchr::memchr(b'\n', bytes).is_none() {
        return Wait;
    }
    command(first_line(bytes), port)
}

fn command(line: &[u8], port: u16) -> Detected {
    let starts = |all: &[&str]| all.iter().any(|word| starts_with(line, word));
    let second = words(line).nth(1).unwrap_or_default();
    let dialect = if starts(&["EHLO ", "LHLO ", "HELO ", "MAIL FROM:"]) {
        Dialect::Smtp
    } else if starts(&["AUTH TLS", "AUTH SSL", "FEAT"]) {
        Dialect::Ftp
    } else if starts(&["STLS", "CAPA"]) && !starts(&["CAPABILIT"]) {
        Dialect::Pop3
    } else if starts(&["CAPABILITIES", "MODE READER"]) {
        Dialect::Nntp
    } else if starts(&["CAP LS", "CAP REQ", "NICK "]) {
        Dialect::Irc
    } else if ["CAPABILITY", "STARTTLS", "LOGIN", "ID"].iter().any(|word| second.eq_ignore_ascii_case(word.as_bytes())) {
        Dialect::Imap
    } else {
        match by_port(port) {
            Some(dialect) if starts(&["STARTTLS", "USER ", "CAPABILITY", "QUIT", "NOOP", "AUTHENTICATE"]) => dialect,
            _ => return Detected::Unknown,
        }
    };
    Detected::Dialect(dialect)
}

fn server(bytes: &[u8], port: u16) -> Detected {
    if mysqlx::begins(Side::Server, bytes) {
        return Detected::Dialect(Dialect::MysqlX);
    }
    if let [_, _, _, 0, 0x0a | 0xff, ..] = bytes {
        let greeting = bytes.get(5).is_some_and(u8::is_ascii_digit) || bytes.get(4) == Some(&0xff) && by_port(port) == Some(Dialect::Mysql);
        if greeting && bytes.get(2) == Some(&0) {
            return Detected::Dialect(Dialect::Mysql);
        }
    }
    for (start, dialect) in [
        (&b"<?xml"[..], Dialect::Xmpp),
        (b"<stream:", Dialect::Xmpp),
        (b"RFB 0", Dialect::Vnc),
        (b"INFO {", Dialect::Nats),
        (nbd::MAGIC, Dialect::Nbd),
    ] {
        match prefix(bytes, start) {
            Some(true) => return Detected::Dialect(dialect),
            None => return Detected::Wait,
            Some(false) => {}
        }
    }
    if !texty(bytes) {
        return if bytes.len() < BINARY_SEEN { Detected::Wait } else { plain_or_unknown(bytes) };
    }
    if memchr::memchr(b'\n', bytes).is_none() {
        return Detected::Wait;
    }
    let line = first_line(bytes);
    let has = |word| contains(line, word);
    let dialect = match line {
        [b'*', b' ', ..] if starts_with(line, "* OK") || starts_with(line, "* PREAUTH") || starts_with(line, "* BYE") => Dialect::Imap,
        [b'+', b'O', b'K', ..] | [b'-', b'E', b'R', b'R', b' ', ..] if port != 6379 => Dialect::Pop3,
        [b'"', ..] if has("\"IMPLEMENTATION\"") || has("\"SIEVE\"") || has("\"SASL\"") || has("\"VERSION\"") => Dialect::Sieve,
        [b':', ..] if has(" NOTICE ") || has(" CAP ") => Dialect::Irc,
        [b'N', b'O', b'T', b'I', b'C', b'E', b' ', ..] => Dialect::Irc,
        [b'2', b'0', b'0' | b'1', b' ' | b'-', ..]
            if by_port(port) == Some(Dialect::Nntp) || has("nntp") || has("news") || has("posting") =>
        {
            Dialect::Nntp
        }
        [b'1' | b'2' | b'4' | b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..] | [b'1' | b'2' | b'4' | b'5', b'0'..=b'9', b'0'..=b'9'] => {
            let (smtp, ftp) = (has("smtp") || has("lmtp") || has("postfix") || has("exim"), has("ftp"));
            match (smtp, ftp, by_port(port)) {
                (true, _, _) => Dialect::Smtp,
                (_, true, _) => Dialect::Ftp,
                (_, _, Some(dialect @ (Dialect::Smtp | Dialect::Ftp | Dialect::Nntp))) => dialect,
                // the client's first command will tell
                _ => return Detected::Wait,
            }
        }
        _ => return plain_or_unknown(bytes),
    };
    Detected::Dialect(dialect)
}

fn plain_or_unknown(bytes: &[u8]) -> Detected {
    match named(bytes, Side::Server) {
        Some(plain) if !leads_to_tls(plain.protocol) => Detected::Plain,
        _ => Detected::Unknown,
    }
}

/// Protocols whose dialect is followed.
fn leads_to_tls(protocol: &str) -> bool {
    matches!(
        protocol,
        "VNC"
            | "SMTP"
            | "IMAP"
            | "POP3"
            | "FTP"
            | "NNTP"
            | "IRC"
            | "XMPP"
            | "ManageSieve"
            | "LDAP"
            | "MySQL"
            | "PostgreSQL"
            | "RDP"
            | "TDS"
    )
}

/// Whether the bytes begin so; `None` when there are too few to tell.
fn prefix(bytes: &[u8], start: &[u8]) -> Option<bool> {
    let len = bytes.len().min(start.len());
    if bytes.get(..len) != start.get(..len) {
        Some(false)
    } else if len == start.len() {
        Some(true)
    } else {
        None
    }
}

fn need(bytes: &[u8], len: usize, check: impl Fn(&[u8]) -> bool, dialect: Dialect) -> Detected {
    if bytes.len() < len {
        Detected::Wait
    } else if check(bytes) {
        Detected::Dialect(dialect)
    } else {
        plain_client(bytes)
    }
}

fn plain_client(bytes: &[u8]) -> Detected {
    match named(bytes, Side::Client) {
        Some(plain) if !leads_to_tls(plain.protocol) => Detected::Plain,
        _ => Detected::Unknown,
    }
}

/// The first bytes look like a line of text.
fn texty(bytes: &[u8]) -> bool {
    bytes.iter().take(16).all(|byte| matches!(byte, b'\t' | b'\r' | b'\n' | 0x20..=0x7e | 0x80..))
}

/// The text dialect that a port is known for, in clear or not.
fn by_port(port: u16) -> Option<Dialect> {
    let dialect = Service::at(port)?.0.dialect()?;
    let text = !matches!(
        dialect,
        Dialect::Ldap | Dialect::Xmpp | Dialect::Postgres | Dialect::Rdp | Dialect::Tds | Dialect::Vnc | Dialect::MysqlX
    );
    text.then_some(dialect)
}

/// Bytes of something binary after which it is either recognised or not.
const BINARY_SEEN: usize = 16;
