//! Floor 3: what is spoken before TLS begins, or in its place: STARTTLS dialects, proxies, plaintext protocols.
//!
//! A [`Preamble`] is fed both directions' bytes, in the order in which they were captured, until it says where each side's TLS begins or
//! that none will come. It holds a bounded prefix of each message, never the stream. Facts do not depend on how the bytes were cut into
//! segments.
//!
//! - `machine`: [`Preamble`]: splits each side into messages, hands them to the dialect, watches for TLS at message boundaries
//! - `dialogue`: what a dialect is; one file for each dialect
//! - `detect`: which dialect is spoken, from the first bytes and the port
//! - `identify`: names any protocol from its first bytes; `datagrams`: what a UDP datagram carries that begins no handshake
//! - [`dns`]: what answers of the DNS say of servers that TLS is spoken with
//! - [`services`]: the table of ports and of what is spoken there
//! - `text`: bytes made printable, redaction of credentials
//!
//! Roads that lead through HTTP are read apart from dialogues: the streams of [`http2`], the frames of [`websocket`], and the datagrams of [`capsules`].
//!
//! Nested upgrades (a PROXY header before SMTP, CONNECT before IMAP) are kept in [`PreambleFacts::outer`].

mod amqp;
pub mod capsules;
mod datagrams;
mod detect;
mod dialogue;
pub mod dns;
mod ftp;
pub mod http2;
mod http_connect;
mod http_upgrade;
mod identify;
mod imap;
mod inflate;
mod irc;
mod ldap;
mod machine;
mod mysql;
mod mysqlx;
mod nats;
mod nbd;
mod nntp;
mod nut;
mod openvpn;
mod pop3;
mod postgres;
mod proxy_v1;
mod proxy_v2;
mod rdp;
pub mod services;
mod sieve;
mod smtp;
mod socks4;
mod socks5;
mod tds;
#[cfg(test)]
mod tests;
mod text;
mod vnc;
pub mod websocket;
mod xmpp;

pub use datagrams::{GOOGLE_QUIC, name_datagram};
pub use identify::identify;
pub use machine::{Preamble, Step};

use crate::flow::Side;
use crate::time::Mark;
use inflate::Inflater;

/// The dialects that lead up to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// SMTP and LMTP, RFC 3207.
    Smtp,
    /// IMAP, RFC 9051 section 6.2.1.
    Imap,
    /// POP3, RFC 2595 section 4.
    Pop3,
    /// FTP, RFC 4217.
    Ftp,
    /// LDAP, RFC 4511 section 4.14.
    Ldap,
    /// XMPP, RFC 6120 section 5.
    Xmpp,
    /// `PostgreSQL` `SSLRequest`.
    Postgres,
    /// `MySQL` and `MariaDB` `SSLRequest`.
    Mysql,
    /// RDP, MS-RDPBCGR section 2.2.1.
    Rdp,
    /// Microsoft SQL Server, MS-TDS section 2.2.6.5.
    Tds,
    /// VNC and its `VeNCrypt`, RFC 6143.
    Vnc,
    /// NATS, whose server greets in clear and says whether TLS follows.
    Nats,
    /// The option of the Network Block Device protocol that asks for TLS.
    Nbd,
    /// The protocol header of AMQP that asks for TLS (AMQP 1.0, part 5, section 5.2).
    Amqp,
    /// TLS within HTTP/1.1 (RFC 2817), as IPP's clients ask for it.
    HttpUpgrade,
    /// OpenVPN over TCP: the beginning of its control channel.
    OpenVpn,
    /// NNTP, RFC 4642.
    Nntp,
    /// `ManageSieve`, RFC 5804 section 2.2.
    Sieve,
    /// IRC `STARTTLS`.
    Irc,
    /// Network UPS Tools, RFC 9271.
    Nut,
    /// The X protocol of `MySQL`.
    MysqlX,
    /// HTTP CONNECT, RFC 9110 section 9.3.6, and RFC 9113 section 8.5.
    HttpConnect,
    /// WebSocket that carries a stream of bytes, RFC 6455.
    WebSocket,
    /// UDP through an HTTP proxy, RFC 9298.
    ConnectUdp,
    /// SOCKS 4 and 4a.
    Socks4,
    /// SOCKS 5, RFC 1928.
    Socks5,
    /// PROXY protocol version 1 (text).
    ProxyV1,
    /// PROXY protocol version 2 (binary).
    ProxyV2,
}

impl Dialect {
    /// The schema's `handshake.preamble`: `smtp` … `http-connect`, `socks5`, `proxy-v1`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Ldap => "ldap",
            Self::Xmpp => "xmpp",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Rdp => "rdp",
            Self::Tds => "tds",
            Self::Vnc => "vnc",
            Self::Nats => "nats",
            Self::Nbd => "nbd",
            Self::Amqp => "amqp",
            Self::HttpUpgrade => "http-upgrade",
            Self::OpenVpn => "openvpn",
            Self::Nntp => "nntp",
            Self::Sieve => "sieve",
            Self::Irc => "irc",
            Self::Nut => "nut",
            Self::MysqlX => "mysqlx",
            Self::HttpConnect => "http-connect",
            Self::WebSocket => "websocket",
            Self::ConnectUdp => "connect-udp",
            Self::Socks4 => "socks4",
            Self::Socks5 => "socks5",
            Self::ProxyV1 => "proxy-v1",
            Self::ProxyV2 => "proxy-v2",
        }
    }

    /// The name people use: `SMTP`, `PostgreSQL`, `SOCKS5`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Ftp => "FTP",
            Self::Ldap => "LDAP",
            Self::Xmpp => "XMPP",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Rdp => "RDP",
            Self::Tds => "SQL Server",
            Self::Vnc => "VNC",
            Self::Nats => "NATS",
            Self::Nbd => "NBD",
            Self::Amqp => "AMQP",
            Self::HttpUpgrade => "HTTP",
            Self::OpenVpn => "OpenVPN",
            Self::Nntp => "NNTP",
            Self::Sieve => "ManageSieve",
            Self::Irc => "IRC",
            Self::Nut => "NUT",
            Self::MysqlX => "MySQL X",
            Self::HttpConnect => "HTTP CONNECT",
            Self::WebSocket => "WebSocket",
            Self::ConnectUdp => "CONNECT-UDP",
            Self::Socks4 => "SOCKS4",
            Self::Socks5 => "SOCKS5",
            Self::ProxyV1 => "PROXY protocol v1",
            Self::ProxyV2 => "PROXY protocol v2",
        }
    }

    /// The request that asks for TLS in this dialect, as its users know it; for a proxy, the request that asks for the tunnel.
    pub const fn request(self) -> &'static str {
        match self {
            Self::Smtp | Self::Imap | Self::Nntp | Self::Sieve | Self::Irc | Self::Nbd | Self::Nut => "STARTTLS",
            Self::MysqlX => "the capability tls",
            Self::Pop3 => "STLS",
            Self::Ftp => "AUTH TLS",
            Self::Ldap => "StartTLS",
            Self::Xmpp => "<starttls/>",
            Self::Postgres | Self::Mysql => "SSLRequest",
            Self::Rdp | Self::Nats => "TLS",
            Self::Amqp => "the protocol header of TLS",
            Self::HttpUpgrade => "Upgrade: TLS",
            Self::Tds => "encryption",
            Self::Vnc => "VeNCrypt",
            Self::OpenVpn => "hard reset",
            Self::HttpConnect => "CONNECT",
            Self::WebSocket => "Upgrade: websocket",
            Self::ConnectUdp => "Upgrade: connect-udp",
            Self::Socks4 | Self::Socks5 => "SOCKS CONNECT",
            Self::ProxyV1 | Self::ProxyV2 => "PROXY header",
        }
    }

    /// The argument of `openssl s_client -starttls`, for the dialects it speaks.
    pub const fn s_client(self) -> Option<&'static str> {
        match self {
            Self::Smtp => Some("smtp"),
            Self::Imap => Some("imap"),
            Self::Pop3 => Some("pop3"),
            Self::Ftp => Some("ftp"),
            Self::Ldap => Some("ldap"),
            Self::Xmpp => Some("xmpp"),
            Self::Postgres => Some("postgres"),
            Self::Mysql => Some("mysql"),
            Self::Nntp => Some("nntp"),
            Self::Sieve => Some("sieve"),
            Self::Irc => Some("irc"),
            _ => None,
        }
    }

    /// It leads to another host (HTTP CONNECT, SOCKS, WebSocket), and what is refused is refused by a proxy and not by the TLS server.
    pub const fn is_proxy(self) -> bool {
        matches!(self, Self::HttpConnect | Self::WebSocket | Self::ConnectUdp | Self::Socks4 | Self::Socks5)
    }

    /// A PROXY protocol header.
    pub const fn is_proxy_header(self) -> bool {
        matches!(self, Self::ProxyV1 | Self::ProxyV2)
    }

    /// A protocol with an upgrade of its own: neither proxy nor PROXY header.
    pub const fn is_starttls(self) -> bool {
        !self.is_proxy() && !self.is_proxy_header()
    }
}

/// Takes one side's TLS out of the packets that carry it, for dialects in which TLS is no stream of its own.
#[derive(Debug)]
pub struct Unwrap(Packets);

#[derive(Debug)]
enum Packets {
    Tds(tds::Unwrap),
    OpenVpn(openvpn::Unwrap),
    WebSocket(websocket::Frames),
}

impl Unwrap {
    /// Takes a stream of bytes out of the frames of WebSocket, whose messages may be compressed.
    pub(crate) fn websocket(compressed: Option<Inflater>) -> Self {
        Self(Packets::WebSocket(websocket::Frames::new(compressed)))
    }

    /// Bytes are missing.
    pub const fn lose(&mut self) {
        if let Packets::WebSocket(frames) = &mut self.0 {
            frames.lose();
        }
    }

    /// It met something that it takes nothing out of, and takes no more.
    pub const fn is_lost(&self) -> bool {
        match &self.0 {
            Packets::WebSocket(frames) => frames.is_lost(),
            Packets::Tds(_) | Packets::OpenVpn(_) => false,
        }
    }

    /// Hands each run of TLS bytes in `bytes` to `out`, in order.
    pub fn feed(&mut self, bytes: &[u8], out: impl FnMut(&[u8])) {
        match &mut self.0 {
            Packets::Tds(unwrap) => unwrap.feed(bytes, out),
            Packets::OpenVpn(unwrap) => unwrap.feed(bytes, out),
            Packets::WebSocket(frames) => frames.feed(bytes, out),
        }
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        match &self.0 {
            Packets::Tds(_) => 0,
            Packets::OpenVpn(unwrap) => unwrap.held_bytes(),
            Packets::WebSocket(frames) => frames.held_bytes(),
        }
    }
}

/// How far an upgrade got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Upgrade {
    /// The dialogue goes on; nobody asked for TLS yet.
    NotAsked,
    /// Nobody asked, and the server says that it takes what the client does inside TLS only; the answer is in [`PreambleFacts::answer`].
    Demanded,
    /// The client asked (STARTTLS, `SSLRequest`, CONNECT…), no answer yet.
    Asked,
    /// Granted (or, for PROXY headers, sent): TLS is next.
    Granted,
    /// Granted, and what follows is encrypted as a whole (OpenVPN behind tls-crypt): both sides are at it.
    Hidden,
    /// Refused; the answer is in [`PreambleFacts::answer`].
    Refused,
    /// Refused for now (454, 421, 503 and the like).
    Unavailable,
    /// The server's capability answer came and does not offer the upgrade.
    NotOffered,
    /// A proxy demands credentials (407, SOCKS5 0xFF or authentication failure).
    AuthRequired,
    /// A proxy could not reach the target (502, 503, 504, SOCKS reply 3–6).
    UpstreamFailed,
}

/// What was learnt. Strings are raw bytes made printable (lossy UTF-8, control characters escaped), bounded in length; credentials are left
/// out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreambleFacts {
    /// What is spoken.
    pub dialect: Dialect,
    /// How far the upgrade got.
    pub upgrade: Upgrade,
    /// The dialogue's lines (text) or a description of each message (binary), in order, at most [`crate::limits::PREAMBLE_LINES`].
    pub lines: Vec<Line>,
    /// The server's or proxy's decisive answer, quoted: `454 TLS not available`, `HTTP/1.1 407 …`, `reply 5: connection refused`.
    pub answer: Option<String>,
    /// Numeric code of that answer (HTTP status, SMTP code, SOCKS reply, LDAP `resultCode`…).
    pub code: Option<u32>,
    /// What CONNECT, SOCKS or PROXY asked for: `host:port`, or the PROXY header's source and destination.
    pub target: Option<String>,
    /// Whether the server's list of capabilities offered the upgrade; `None` where no list was seen. Kept when the client asks all the same.
    pub offered: Option<bool>,
    /// Where that list ended.
    pub listed: Option<Mark>,
    /// The offer was visibly overwritten on the path (`XXXXXXXA`), or STARTTLS answered in a way only a middlebox does.
    pub stripped: Option<String>,
    /// Bytes that came in the same breath behind the upgrade request, before TLS.
    pub injected: Option<String>,
    /// A detail worth naming: the challenge of Proxy-Authenticate, TLVs of a PROXY header, the RDP protocols asked for.
    pub detail: Option<String>,
    /// The client went on in clear (logged in, sent mail) instead of asking for TLS or after being refused: first sign of it.
    pub went_on: Option<Mark>,
    /// When the upgrade was asked for.
    pub asked: Option<Mark>,
    /// When the decisive answer came.
    pub answered: Option<Mark>,
    /// The nested upgrade before this one, if any (PROXY header, then SMTP; CONNECT, then …).
    pub outer: Option<Box<Self>>,
}

impl PreambleFacts {
    /// TLS was wanted: it was asked for, or the client left when it found no offer. A client that goes on in clear without asking did not
    /// want it, and its connection is no failed handshake.
    pub const fn wanted_tls(&self) -> bool {
        match self.upgrade {
            // turned away before it could ask, or content without TLS
            Upgrade::NotAsked => false,
            Upgrade::NotOffered => self.went_on.is_none(),
            _ => true,
        }
    }

    /// The server turned the client away in words, before that had said anything.
    pub fn turned_away(&self) -> bool {
        let greeted = self.lines.iter().all(|line| line.side == Side::Server);
        self.upgrade == Upgrade::NotAsked && self.answer.is_some() && self.went_on.is_none() && greeted
    }

    /// The client's last word takes leave in order: it had what it came for.
    pub fn took_leave(&self) -> bool {
        let last = self.lines.iter().rev().find(|line| line.side == Side::Client);
        let leaves = |word: &str| ["QUIT", "LOGOUT", "</stream:stream>"].iter().any(|leave| word.eq_ignore_ascii_case(leave));
        last.is_some_and(|line| line.text.split(' ').take(2).any(leaves))
    }

    /// The proxy wants to know who asks, which the client may tell it now.
    pub fn asks_for_login(&self) -> bool {
        self.upgrade == Upgrade::AuthRequired && matches!(self.code, Some(401 | 407))
    }

    /// The client said who it is, whether or not that was taken.
    pub fn showed_login(&self) -> bool {
        let says = |text: &str| ["Proxy-Authorization:", "Authorization:"].iter().any(|name| text::starts_with(text.as_bytes(), name));
        self.lines.iter().any(|line| line.side == Side::Client && says(&line.text))
    }

    /// The upgrade was denied or failed, for whatever reason, and TLS was not promised.
    pub const fn denied(&self) -> bool {
        matches!(
            self.upgrade,
            Upgrade::Refused | Upgrade::Unavailable | Upgrade::NotOffered | Upgrade::AuthRequired | Upgrade::UpstreamFailed
        )
    }

    /// The server demands what the client had said it cannot do (MS-TDS section 2.2.6.5).
    pub fn demands_the_impossible(&self) -> bool {
        self.dialect == Dialect::Tds && self.upgrade == Upgrade::Granted && self.code == Some(3) && self.detail.is_some()
    }

    /// This and the upgrades around it, innermost first.
    pub fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |facts| facts.outer.as_deref())
    }
}

impl Plaintext {
    /// This answer of a server speaks the protocol of what it answers, without complaint: the port serves both, or clear text on purpose.
    pub fn answers_in_kind(&self, asked: &Self) -> bool {
        let fine = self.http_status.is_none_or(|status| status < 400);
        self.protocol == asked.protocol && self.protocol != "unknown" && fine && !self.complains()
    }

    /// The same, said by a server in answer to what was named: an answer shows less by itself than a request does.
    #[must_use]
    pub fn in_answer_to(self, asked: &Self, bytes: &[u8]) -> Self {
        if identify::replies(asked.protocol, bytes) { Self { protocol: asked.protocol, ..self } } else { self }
    }

    /// The bytes are those of no protocol with a name.
    pub fn is_unknown(&self) -> bool {
        self.protocol == "unknown"
    }

    /// The answer says in fixed words that TLS is spoken here.
    pub fn says_tls(&self) -> bool {
        self.demands_tls || self.http_status == Some(400) && self.title.as_deref().is_some_and(identify::says_tls)
    }

    /// It shows the way to where TLS is spoken.
    pub fn sends_to_https(&self) -> bool {
        self.location.as_deref().is_some_and(|location| location.starts_with("https:"))
    }

    /// The answer of a TLS server to plain HTTP: an error, or the way to where TLS is spoken.
    pub fn complains(&self) -> bool {
        let text = format!("{} {}", self.first, self.title.as_deref().unwrap_or_default()).to_ascii_lowercase();
        self.http_status == Some(400)
            || self.demands_tls
            || self.sends_to_https()
            || text.contains("https") && self.http_status != Some(200)
    }
}

/// One line of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who said it.
    pub side: Side,
    /// What, made printable.
    pub text: String,
    /// The frame of its last byte.
    pub mark: Mark,
}

/// A protocol named from its first bytes where TLS was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plaintext {
    /// Human name: `HTTP`, `SSH`, `SMTP`, `MySQL`…; `unknown` for unrecognised bytes.
    pub protocol: &'static str,
    /// The first line or bytes, made printable, bounded.
    pub first: String,
    /// HTTP status, where it is an HTTP response.
    pub http_status: Option<u16>,
    /// An HTTP response that demands TLS on this connection: 426 with `Upgrade: TLS/…` (RFC 2817 section 4.2).
    pub demands_tls: bool,
    /// Location header of an HTTP redirect, where visible.
    pub location: Option<String>,
    /// Title of the HTML page behind an HTTP header, or its words that say that TLS is spoken here, where visible.
    pub title: Option<String>,
    /// Who says it is speaking: Server header, version in the banner.
    pub software: Option<String>,
}
