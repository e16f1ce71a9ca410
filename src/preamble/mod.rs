//! Floor 3: what is spoken before TLS begins, or in its place: STARTTLS dialects, proxies, plaintext protocols.
//!
//! A [`Preamble`] is fed both directions' bytes until it says that TLS begins at some offset of each side, or that it never will.

/// The dialects that lead up to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect { Smtp, Imap, Pop3, Ftp, Ldap, Xmpp, Postgres, Mysql, Rdp, Tds, Nntp, Sieve, Irc, HttpConnect, Socks4, Socks5, ProxyV1, ProxyV2 }

impl Dialect {
    /// The schema's `handshake.preamble`: `smtp` … `http-connect`, `socks5`, `proxy-v1`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp", Self::Imap => "imap", Self::Pop3 => "pop3", Self::Ftp => "ftp", Self::Ldap => "ldap", Self::Xmpp => "xmpp",
            Self::Postgres => "postgres", Self::Mysql => "mysql", Self::Rdp => "rdp", Self::Tds => "tds", Self::Nntp => "nntp", Self::Sieve => "sieve",
            Self::Irc => "irc", Self::HttpConnect => "http-connect", Self::Socks4 => "socks4", Self::Socks5 => "socks5", Self::ProxyV1 => "proxy-v1", Self::ProxyV2 => "proxy-v2",
        }
    }
}

/// How far an upgrade got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Upgrade {
    /// The dialogue goes on; nobody asked for TLS yet.
    NotAsked,
    /// The client asked (STARTTLS, SSLRequest, CONNECT…), no answer yet.
    Asked,
    /// Granted (or, for PROXY headers, sent): TLS is next.
    Granted,
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

/// What was learnt. Strings are raw bytes made printable (lossy UTF-8, control characters escaped), bounded in length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreambleFacts {
    pub dialect: Dialect,
    pub upgrade: Upgrade,
    /// The dialogue's lines (text) or a description of each message (binary), in order: side, text, where. Bounded.
    pub lines: Vec<Line>,
    /// The server's or proxy's decisive answer, quoted: `454 TLS not available`, `HTTP/1.1 407 …`, `reply 5: connection refused`.
    pub answer: Option<String>,
    /// Numeric code of that answer (HTTP status, SMTP code, SOCKS reply, LDAP resultCode…).
    pub code: Option<u32>,
    /// What CONNECT, SOCKS or PROXY asked for: `host:port`, or the PROXY header's source and destination.
    pub target: Option<String>,
    /// The offer was visibly overwritten on the path (`XXXXXXXA`), or STARTTLS answered in a way only a middlebox does.
    pub stripped: Option<String>,
    /// Bytes that came in the same breath behind the upgrade request, before TLS.
    pub injected: Option<String>,
    /// When the upgrade was asked for, and when answered.
    pub asked: Option<crate::time::Mark>, pub answered: Option<crate::time::Mark>,
    /// The nested upgrade before this one, if any (PROXY header, then SMTP; CONNECT, then …).
    pub outer: Option<Box<PreambleFacts>>,
}

/// One line of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line { pub side: crate::flow::Side, pub text: String, pub mark: crate::time::Mark }

/// A protocol named from its first bytes where TLS was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plaintext {
    /// Human name: `HTTP`, `SSH`, `SMTP`, `MySQL`…; `unknown` for unrecognised bytes.
    pub protocol: &'static str,
    /// The first line or bytes, made printable, bounded.
    pub first: String,
    /// HTTP status, where it is an HTTP response.
    pub http_status: Option<u16>,
    /// Location header of an HTTP redirect, where visible.
    pub location: Option<String>,
}
