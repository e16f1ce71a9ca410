//! What a command is made of: each part knows what text may become it, and refuses the rest.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::flow::{Endpoint, station_of};
use crate::time::Timestamp;

/// A host: a name of letters, digits, hyphens and underscores, or an address. Nothing else, so it can stand as an operand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Reads a name or an address, an IPv6 one with or without brackets; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).filter(|inner| inner.contains(':')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self(Kind::Address(address)));
        }
        is_name(text).then(|| Self(Kind::Name(text.to_owned())))
    }

    /// It is an IPv6 address: URLs hold it in brackets.
    pub const fn is_ipv6(&self) -> bool {
        matches!(self.0, Kind::Address(IpAddr::V6(_)))
    }

    /// It is an address and no name.
    pub const fn is_address(&self) -> bool {
        matches!(self.0, Kind::Address(_))
    }

    /// It names no address of this host, its link or its own network.
    fn is_public(&self) -> bool {
        match &self.0 {
            Kind::Address(address) => is_global(*address),
            Kind::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                let labels = || name.rsplit('.');
                !labels().any(|label| matches!(label, "localhost" | "localdomain" | "ip6-localhost" | "ip6-loopback"))
            }
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self(Kind::Address(address))
    }
}

/// As an operand: without brackets. A station of the link layer is none that a program could be told to ask.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Name(name) => f.write_str(name),
            Kind::Address(address) if station_of(*address).is_some() => Ok(()),
            Kind::Address(address) => write!(f, "{address}"),
        }
    }
}

/// A host and a port: `www.example.test:443`, `[2001:db8::1]:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl Target {
    /// Reads `host:port`; `None` where either is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        // An IPv6 address without brackets has no port.
        if host.contains(':') && !host.starts_with('[') {
            return None;
        }
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { host: Host::parse(host)?, port: digits.then(|| port.parse().ok())?? })
    }
}

impl From<Endpoint> for Target {
    fn from(endpoint: Endpoint) -> Self {
        Self { host: endpoint.address.into(), port: endpoint.port }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.0 {
            Kind::Address(address) if station_of(address).is_some() => Ok(()),
            Kind::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A URL that a stranger chose and that may be fetched: http or https, a valid host that is not on this machine or its own network, and
/// nothing that a URL cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// Checks a URL; `None` where fetching it would do, or could do, something else than ask a web server.
    pub fn parse(text: &str) -> Option<Self> {
        let scheme = ["http://", "https://"]
            .into_iter()
            .find(|scheme| text.get(..scheme.len()).is_some_and(|have| have.eq_ignore_ascii_case(scheme)))?;
        let rest = text.get(scheme.len()..)?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = match Target::parse(authority) {
            Some(target) => target.host,
            None => Host::parse(authority).filter(|_| authority.starts_with('[') || !authority.contains(':'))?,
        };
        let plain = text.len() <= LONGEST_URL && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\^`|".contains(&byte));
        (plain && host.is_public()).then(|| Self(text.to_owned()))
    }
}

/// The value of an option: a server name as it was sent, an identity. It may hold any printable character but those of a path or a URL, and
/// begins with no `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks a name; `None` where it is empty, long, hidden in part, or could pass for an option.
    pub fn parse(text: &str) -> Option<Self> {
        let shown = text.chars().all(|c| c.is_ascii_graphic() && c != '/' || c == ' ' || (!c.is_ascii() && c.is_alphanumeric()));
        (shown && !text.is_empty() && text.len() <= LONGEST_NAME && !text.starts_with(['-', ' '])).then(|| Self(text.to_owned()))
    }
}

/// Names of application protocols (ALPN), in order, as an option takes them: `h2,http/1.1`. Each is made of letters, digits and `._/-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocols(String);

impl Protocols {
    /// Those of the names that can be typed, and whether that is all of them; `None` where none can.
    pub fn of<'a>(names: impl Iterator<Item = &'a [u8]>) -> Option<(Self, bool)> {
        let token = |name: &&[u8]| {
            let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"./-_".contains(byte));
            plain && name.len() <= LONGEST_PROTOCOL && name.first().is_some_and(u8::is_ascii_alphanumeric)
        };
        let (mut typed, mut all) = (Vec::new(), true);
        for name in names {
            if token(&name) && typed.len() < MOST_PROTOCOLS {
                typed.push(String::from_utf8_lossy(name));
            } else {
                all = false;
            }
        }
        (!typed.is_empty()).then(|| (Self(typed.join(",")), all))
    }
}

/// Words of the source code in a row, with a mark between: suites, groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List(String);

impl List {
    /// Joins them with colons.
    pub fn of(words: &[&'static str]) -> Self {
        Self(words.join(":"))
    }
}

/// A moment as certificates write it: `20260131235959Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment(String);

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let digits: String = time.to_second().chars().filter(char::is_ascii_digit).take(14).collect();
        Self(format!("{digits}Z"))
    }
}

/// A file of the user's own, as it was named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(String);

impl FilePath {
    /// Checks a path; `None` for standard input and where the name cannot be typed as it is shown. One that could pass for an option gets `./`.
    pub fn new(path: &Path) -> Option<Self> {
        let text = path.to_str().filter(|text| !text.is_empty() && *text != "-")?;
        let shown = text.chars().all(|c| c.is_ascii_graphic() || c == ' ' || (!c.is_ascii() && c.is_alphanumeric()));
        let dash = if text.starts_with('-') { "./" } else { "" };
        shown.then(|| Self(format!("{dash}{text}")))
    }
}

/// A word that may stand by itself: fixed by the source code, or of a kind that never begins with `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand(String);

/// A word behind an option that takes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

/// A piece of a word that is put together.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// Fixed by the source code. The first piece of an operand is this or a host.
    Fixed(&'static str),
    /// A host, an IPv6 address without brackets.
    Host(&'a Host),
    /// An address, an IPv6 one without brackets.
    Address(IpAddr),
    /// A host and a port.
    Target(&'a Target),
    /// A port or another number.
    Number(u64),
    /// A moment of a certificate.
    Moment(&'a Moment),
}

impl fmt::Display for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => f.write_str(text),
            Self::Host(host) => host.fmt(f),
            Self::Address(address) => Host::from(*address).fmt(f),
            Self::Target(target) => target.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Moment(moment) => f.write_str(&moment.0),
        }
    }
}

macro_rules! operands {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Operand {
            fn from(part: $kind) -> Self {
                Self(part.to_string())
            }
        })*
    };
}

operands!(&'static str, u16, u32, u64, Host, &Host, Target, &Target);

impl From<IpAddr> for Operand {
    fn from(address: IpAddr) -> Self {
        Host::from(address).into()
    }
}

/// As options of this program take it, those of stations included.
impl From<Endpoint> for Operand {
    fn from(endpoint: Endpoint) -> Self {
        Self(endpoint.to_string())
    }
}

impl From<Url> for Operand {
    fn from(url: Url) -> Self {
        Self(url.0)
    }
}

impl From<FilePath> for Operand {
    fn from(path: FilePath) -> Self {
        Self(path.0)
    }
}

impl From<Protocols> for Value {
    fn from(names: Protocols) -> Self {
        Self(names.0)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self(list.0)
    }
}

impl From<Moment> for Value {
    fn from(moment: Moment) -> Self {
        Self(moment.0)
    }
}

/// It begins with no `-`, so it is no option.
impl From<Name> for Operand {
    fn from(name: Name) -> Self {
        Self(name.0)
    }
}

impl From<&[Piece<'_>]> for Operand {
    fn from(pieces: &[Piece<'_>]) -> Self {
        Self(pieces.iter().map(ToString::to_string).collect())
    }
}

impl<const N: usize> From<[Piece<'_>; N]> for Operand {
    fn from(pieces: [Piece<'_>; N]) -> Self {
        Self::from(pieces.as_slice())
    }
}

impl<T: Into<Operand>> From<T> for Value {
    fn from(part: T) -> Self {
        Self(part.into().0)
    }
}

impl Operand {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The same with what stands for its text.
    pub(super) fn replaced(&self, other: &dyn Fn(&str) -> String) -> Self {
        Self(stand_in(&self.0, other))
    }
}

impl Value {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The same with what stands for its text.
    pub(super) fn replaced(&self, other: &dyn Fn(&str) -> String) -> Self {
        Self(stand_in(&self.0, other))
    }
}

/// What stands for a text; a `-` in front would make another word of it.
fn stand_in(text: &str, other: &dyn Fn(&str) -> String) -> String {
    let made = other(text);
    if made.starts_with('-') && !text.starts_with('-') { text.to_owned() } else { made }
}

/// Whether a text is a host's name: labels of letters, digits, hyphens and underscores, and no number in the last one's place, which programs
/// would read as an address (`127.1`, `0x7f000001`).
fn is_name(text: &str) -> bool {
    let labels = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    labels.len() <= 253 && labels.split('.').all(label) && !number
}

/// An address of the Internet: none of this host, the link, a private network or a group.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    // This network, shared (RFC 6598), benchmarks (RFC 2544), protocol assignments (RFC 6890), reserved.
    let special = a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
        || (a == 192 && b == 0) && address.octets()[2] == 0
        || a >= 224;
    !(special || address.is_private() || address.is_loopback() || address.is_link_local())
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3; 6to4 and Teredo hold IPv4 addresses of any kind.
    first & 0xe000 == 0x2000 && first != 0x2002 && (first, second) != (0x2001, 0)
}

/// A word as a POSIX shell reads it back: plain when made of safe characters, else in single quotes.
pub(super) fn quote(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.starts_with(['~', '='])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&byte));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Bytes of a URL that a command may hold.
const LONGEST_URL: usize = 1_000;
/// Bytes of a name: that of a host has 253.
const LONGEST_NAME: usize = 255;
/// Bytes of an application protocol's name, and names in a command.
const LONGEST_PROTOCOL: usize = 64;
const MOST_PROTOCOLS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for good in
            ["www.example.test", "_dmarc.example.test.", "a-b", "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "xn--bcher-kva.example"]
        {
            assert!(Host::parse(good).is_some(), "{good}");
        }
        let long = "a.".repeat(128);
        for bad in [
            "",
            ".",
            "..",
            "-lp31337",
            "a.-b",
            "a..b",
            "a b",
            "a/b",
            "a:b",
            "a@b",
            "$(id)",
            "127.1",
            "2130706433",
            "0x7f000001",
            "1.2.3.4.5",
            "[192.0.2.1]",
            "株.example",
            "a\nb",
            &long,
        ] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_target_has_a_port() {
        assert_eq!(Target::parse("[2001:db8::1]:443").unwrap().to_string(), "[2001:db8::1]:443");
        assert_eq!(Target::parse("www.example.test:8443").unwrap().to_string(), "www.example.test:8443");
        for bad in ["a", "a:", "a:-e", "a:+1", "a:65536", "a:1 ", "-lp31337:-e/bin/sh", "2001:db8::1:443", ":443"] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_url_asks_a_web_server_elsewhere() {
        for good in [
            "http://pki.example/ca.crt",
            "https://pki.example:8443/ca.crt?x=1&y=%20",
            "HTTP://192.0.2.1/ca.cer",
            "http://[2001:db8::1]/ca",
            "http://pki.example/[1-9].crt",
            "http://pki",
        ] {
            assert!(Url::parse(good).is_some(), "{good}");
        }
        for bad in [
            "-K/dev/shm/evil",
            "file:///etc/shadow",
            "scp://evil.example/x",
            "ldap://pki.example/cn=ca",
            "http:///x",
            "http://",
            "http://a@b/",
            "http://evil.example\\@10.0.0.1/",
            "http://a b/",
            "http://a/\n",
            "http://a/'x",
            "http://169.254.169.254/latest",
            "http://127.0.0.1:80/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.1.2.3/",
            "http://192.168.0.1/x",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost/",
            "http://x.LOCALHOST./",
            "http://0.0.0.0/",
            "http://a:b:c/",
            "http://2001:db8::1/",
        ] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn protocols_are_tokens() {
        let of = |names: &[&[u8]]| Protocols::of(names.iter().copied()).map(|(names, all)| (names.0, all));
        assert_eq!(of(&[b"h2", b"http/1.1"]), Some(("h2,http/1.1".to_owned(), true)));
        assert_eq!(of(&[b"-h2", b"a,b", b"\xff", b"", b"x'", b"h3"]), Some(("h3".to_owned(), false)));
        assert_eq!(of(&[b"-h2"]), None);
    }

    #[test]
    fn a_name_cannot_pass_for_an_option() {
        assert!(Name::parse("a'b; rm -rf $HOME").is_some());
        assert!(Name::parse("bücher.example").is_some());
        for bad in ["", "file:///etc/shadow", "../x", "-verify", " -verify", "a\x1b[2J", "a\nb", "a\u{202e}b", "a\u{200b}b"] {
            assert_eq!(Name::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Name::parse(&"a".repeat(256)), None);
    }
}
