//! Commands that speak to the server as its clients do: through the same proxy, with the same upgrade, over the same transport.

use super::command::Command;
use super::parts::{Host, Name, Piece, Target, Url};
use crate::flow::Endpoint;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, Protocol};
use crate::preamble::services::{Service, Upgradable, Use};
use crate::preamble::{Dialect, PreambleFacts};
use crate::tls::registry::ProtocolVersion;

/// `openssl s_client -connect 192.0.2.1:443 -servername www.example.test EXTRA… </dev/null`; with `-starttls smtp` or `-proxy` where what led up
/// to TLS calls for it, and as DTLS or QUIC where that was spoken. `extra` holds fixed options, split at spaces; a `-servername` or `-alpn`
/// in it replaces that of this handshake. It ends by itself where the server kept silent. `None` where s_client does not speak what is spoken here (RDP, NATS, a PROXY header), or
/// `extra` asks for a version that the transport does not have.
pub fn s_client(handshake: &Handshake, extra: &'static str) -> Option<Command> {
    build(handshake, handshake.server, extra, upgrade(handshake))
}

/// The same for TLS from the first byte on another port of the server.
pub fn s_client_on(handshake: &Handshake, port: u16) -> Option<Command> {
    build(handshake, Endpoint { port, ..handshake.server }, "", Upgradable::Never)
}

/// The way to the server that the client took, alone: `openssl s_client -connect 192.0.2.1:25 -starttls smtp`, as TLS, DTLS or QUIC. What is to be
/// offered there is for the caller to add.
pub fn s_client_alone(handshake: &Handshake) -> Option<Command> {
    way(handshake, handshake.server, "", upgrade(handshake))
}

fn build(handshake: &Handshake, server: Endpoint, extra: &'static str, upgrade: Upgradable) -> Option<Command> {
    let given = |option: &str| extra.split_ascii_whitespace().any(|word| word == option);
    let mut command = way(handshake, server, extra, upgrade)?;
    if !given("-alpn") {
        command = match alpn(handshake) {
            Some(Ok(protocol)) => command.option("-alpn", protocol),
            Some(Err(name)) => command.option("-alpn", name),
            None => command,
        };
    }
    if !given("-servername") && !given("-noservername") {
        command = match handshake.server_name().map(|name| Name::parse(&name)) {
            Some(Some(name)) => command.option("-servername", name),
            Some(None) => command.option("-servername", "<name>"),
            None => command.with("-noservername"),
        };
    }
    let udp = matches!(handshake.protocol, Protocol::Quic | Protocol::Dtls);
    for word in extra.split_ascii_whitespace().filter(|word| !(udp && matches!(*word, "-tls1_2" | "-tls1_3"))) {
        command = command.with(word);
    }
    Some(command.without_input())
}

fn way(handshake: &Handshake, server: Endpoint, extra: &'static str, upgrade: Upgradable) -> Option<Command> {
    let given = |option: &str| extra.split_ascii_whitespace().any(|word| word == option);
    // No program speaks TLS to a server through what carries it here.
    if layer(handshake, Dialect::is_proxy_header).is_some() || handshake.carried.is_some() {
        return None;
    }
    // Nor does any speak TLS within TLS, but through a proxy.
    let wrapped = is_wrapped(handshake);
    if wrapped && layer(handshake, Dialect::is_proxy).is_none() {
        return None;
    }
    // Only forks of OpenSSL speak it, by options of their own.
    if handshake.version() == Some(ProtocolVersion::TLCP) {
        return None;
    }
    // s_client waits for as long as a server keeps silent.
    let silent = handshake.outcome == Outcome::Stalled;
    let mut command = Command::new(if silent { "timeout 10 openssl s_client" } else { "openssl s_client" });
    command = match layer(handshake, Dialect::is_proxy) {
        Some(facts) => {
            let target = facts.target.as_deref().and_then(Target::parse);
            // Of a proxy that is reached over TLS it knows nothing: what is behind it is asked itself.
            if facts.dialect == Dialect::HttpConnect && !wrapped {
                command = command.option("-proxy", Target::from(server));
            }
            match target {
                Some(target) => command.option("-connect", &target),
                None => command.option("-connect", "<host>:<port>"),
            }
        }
        None => command.option("-connect", Target::from(server)),
    };
    command = match handshake.protocol {
        Protocol::Quic if given("-tls1_2") || given("-tls1_1") || given("-tls1") => return None,
        Protocol::Quic => command.with("-quic"),
        Protocol::Dtls if given("-tls1_3") || given("-tls1_1") || given("-tls1") => return None,
        Protocol::Dtls if given("-tls1_2") => command.with("-dtls1_2"),
        Protocol::Dtls => command.with("-dtls"),
        _ => command,
    };
    command = match upgrade {
        Upgradable::Never => command,
        Upgradable::By(Dialect::Xmpp) => {
            let command = command.option("-starttls", if server.port == XMPP_SERVERS { "xmpp-server" } else { "xmpp" });
            // Servers look for the domain in the stream's header, and end the stream where they do not serve it.
            match handshake.server_name().as_deref().and_then(Host::parse) {
                Some(name) => command.option("-xmpphost", &name),
                None => command.option("-xmpphost", "<domain>"),
            }
        }
        Upgradable::By(dialect) => command.option("-starttls", dialect.s_client()?),
    };
    Some(command)
}

/// `curl -v --resolve name:port:address https://name:port/` with fixed extra options before the URL; through the proxy that was used, and with
/// the scheme of a mail, file or directory protocol where that is spoken. Without a name that a URL can hold the address takes its place.
/// `None` where curl does not speak what is spoken here.
pub fn curl(handshake: &Handshake, extra: &'static str) -> Option<Command> {
    let given = |option: &str| extra.split_ascii_whitespace().any(|word| word == option);
    let scheme = scheme(handshake)?;
    let mut command = Command::new("curl -v");
    if handshake.outcome == Outcome::Stalled && !given("-m") {
        command = command.with("-m 10");
    }
    if matches!(upgrade(handshake), Upgradable::By(_)) {
        command = command.with("--ssl-reqd");
    }
    if handshake.protocol == Protocol::Quic && !given("--http3") && !given("--http3-only") {
        command = command.with("--http3-only");
    }
    if layer(handshake, Dialect::is_proxy_header).is_some() && !given("--haproxy-protocol") {
        command = command.with("--haproxy-protocol");
    }
    let server = Target::from(handshake.server);
    let name = handshake.server_name().as_deref().and_then(Host::parse);
    let wrapped = is_wrapped(handshake);
    let target = match (layer(handshake, Dialect::is_proxy), name) {
        (None, _) if wrapped => return None,
        (Some(facts), name) => {
            let via = match facts.dialect {
                Dialect::WebSocket | Dialect::ConnectUdp => None,
                Dialect::Socks4 | Dialect::Socks5 if wrapped => None,
                Dialect::Socks4 => Some("socks4a://"),
                Dialect::Socks5 => Some("socks5h://"),
                _ if wrapped => Some("https://"),
                _ => Some("http://"),
            };
            if let Some(via) = via {
                command = command.option("-x", [Piece::Fixed(via), Piece::Target(&server)]);
            }
            match facts.target.as_deref().and_then(Target::parse) {
                Some(target) => Some(target),
                None => name.map(|host| Target { host, port: DEFAULT_PORT }),
            }
        }
        (None, Some(name)) => {
            let address = Piece::Host(&server.host);
            let (open, close) = if handshake.server.address.is_ipv6() { (":[", "]") } else { (":", "") };
            let port = Piece::Number(server.port.into());
            command = command
                .option("--resolve", [Piece::Host(&name), Piece::Fixed(":"), port, Piece::Fixed(open), address, Piece::Fixed(close)]);
            Some(Target { host: name, port: server.port })
        }
        (None, None) => Some(server),
    };
    command = command.with(extra);
    Some(match target {
        Some(target) if scheme == "https://" && target.port == DEFAULT_PORT => {
            let (open, close) = if target.host.is_ipv6() { ("[", "]/") } else { ("", "/") };
            command.operand([Piece::Fixed(scheme), Piece::Fixed(open), Piece::Host(&target.host), Piece::Fixed(close)])
        }
        Some(target) => command.operand([Piece::Fixed(scheme), Piece::Target(&target), Piece::Fixed("/")]),
        None => command.operand([Piece::Fixed(scheme), Piece::Fixed("<host>:<port>/")]),
    })
}

/// curl where it speaks what is spoken here, else s_client without extra options.
pub fn curl_or_s_client(handshake: &Handshake, extra: &'static str) -> Option<Command> {
    curl(handshake, extra).or_else(|| s_client(handshake, ""))
}

/// The server's certificate as `openssl x509` shows it with these fixed options: `-noout -dates`, say.
pub fn x509(handshake: &Handshake, options: &'static str) -> Option<Command> {
    let shown = Command::new("openssl x509").with(options);
    s_client(handshake, "").map(|command| command.without_errors().pipe(shown))
}

/// Fetches what a certificate names by URL, into a file whose name is fixed here: the server at the other end chooses neither that name nor
/// what curl does with the URL. `None` where the URL is none that may be fetched.
pub fn fetch(url: &str, file: &'static str) -> Option<Command> {
    let url = Url::parse(url)?;
    Some(Command::new("curl -sS -g --proto =http,https -m 30").option("-o", file).operand("--").operand(url))
}

/// With a pre-shared key, to be filled in.
pub fn psk(handshake: &Handshake) -> Option<Command> {
    s_client(handshake, "").map(|command| command.option("-psk_identity", "<identity>").option("-psk", "<key in hexadecimal>"))
}

/// `s_client` that asks for TLS in a dialect, whatever the client did; `None` where s_client does not speak the dialect.
pub fn starttls(handshake: &Handshake, dialect: Dialect) -> Option<Command> {
    build(handshake, handshake.server, "", Upgradable::By(dialect))
}

/// curl through the server, which is a proxy that speaks HTTP.
pub fn through_proxy(handshake: &Handshake) -> Command {
    let proxy = Target::from(handshake.server);
    Command::new("curl -v").option("-x", [Piece::Fixed("http://"), Piece::Target(&proxy)]).operand("https://<host>/")
}

/// What suites and versions the server accepts: every one is tried.
pub fn enumerate_ciphers(handshake: &Handshake) -> Option<Command> {
    // nmap speaks the upgrades by itself, but neither proxies nor datagrams.
    let direct = layer(handshake, |dialect| !dialect.is_starttls()).is_none() && handshake.protocol == Protocol::Tls;
    direct.then(|| Command::new("nmap --script ssl-enum-ciphers").option("-p", handshake.server.port).operand(handshake.server.address))
}

/// How clients come to TLS here: as this one did, else as the port's service does.
fn upgrade(handshake: &Handshake) -> Upgradable {
    let began = handshake.preamble.as_ref().map(|facts| facts.dialect).filter(|dialect| dialect.is_starttls());
    match (began, service(handshake)) {
        (Some(dialect), _) => Upgradable::By(dialect),
        // What speaks first on these ports is no TLS server, and no client of its kind begins with TLS.
        (None, Some((service, Use::Clear))) if service.upgrade == Upgradable::By(Dialect::Nats) && !began_with_tls(handshake) => {
            service.upgrade
        }
        _ => Upgradable::Never,
    }
}

/// The server's first bytes were TLS: no greeting went before its ServerHello.
fn began_with_tls(handshake: &Handshake) -> bool {
    handshake.server_hello.as_ref().is_some_and(|hello| hello.span.0 < RECORD_HEADER_LEN)
}

/// The handshake lies within another, whose records keys opened.
fn is_wrapped(handshake: &Handshake) -> bool {
    handshake.flow.path.is_inside_tls()
}

/// What the server's port, or that behind the proxy, is known for.
fn service(handshake: &Handshake) -> Option<(&'static Service, Use)> {
    let port = match layer(handshake, Dialect::is_proxy) {
        Some(facts) => Target::parse(facts.target.as_deref()?)?.port,
        None => handshake.server.port,
    };
    Service::at(port)
}

/// RADIUS over TLS (RFC 6614 section 2.1), and panels of web hosters.
const RADSEC: u16 = 2083;

/// curl's scheme for what is spoken here. The client's application protocols tell more than the port does.
fn scheme(handshake: &Handshake) -> Option<&'static str> {
    let offered = handshake.last_hello().map(|hello| &hello.what).filter(|hello| hello.alpn().next().is_some());
    let http = |protocol: &[u8]| matches!(protocol, b"h2" | b"h3" | b"http/1.1" | b"http/1.0") || protocol.starts_with(b"h3-");
    let named = match (upgrade(handshake), offered, service(handshake)) {
        (Upgradable::By(dialect), ..) => Service::of(dialect)?.curl?.0,
        (_, Some(hello), _) if hello.alpn().any(http) => "https",
        (_, Some(_), _) if handshake.protocol == Protocol::Quic => return None,
        // Of the two services on this port the one for browsers is that whose clients name a protocol.
        (_, None, _) if handshake.server.port == RADSEC => return None,
        (_, _, Some((service, Use::Tls))) => service.curl?.1,
        (_, None, Some((service, Use::Clear))) if service.name == "HTTP" => "https",
        // A proxy that speaks HTTP leads to HTTP far more often than to anything else.
        (_, None, None) if layer(handshake, Dialect::is_proxy).is_some() => "https",
        _ => return None,
    };
    SCHEMES.iter().find(|scheme| scheme.strip_suffix("://") == Some(named)).copied()
}

/// The application protocol without which the server would not answer: over QUIC always one that the client offered.
fn alpn(handshake: &Handshake) -> Option<Result<&'static str, Name>> {
    let offered =
        || handshake.last_hello().and_then(|hello| hello.what.alpn().next().map(|first| String::from_utf8_lossy(first).into_owned()));
    let token = |text: &String| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./-_".contains(&byte));
    match handshake.protocol {
        Protocol::Quic => Some(offered().filter(token).and_then(|first| Name::parse(&first)).map_or(Ok("h3"), Err)),
        Protocol::Tls if upgrade(handshake) == Upgradable::Never => {
            let (service, _) = service(handshake)?;
            let wanted = service.alpn?;
            offered().filter(|first| first == wanted).map(|_| Ok(wanted))
        }
        _ => None,
    }
}

/// The dialogue before TLS that is of some kind, where there was one.
fn layer(handshake: &Handshake, kind: impl Fn(Dialect) -> bool) -> Option<&PreambleFacts> {
    handshake.preamble.as_ref()?.layers().find(|layer| kind(layer.dialect))
}

/// Schemes that a URL here may begin with.
const SCHEMES: &[&str] = &[
    "https://", "http://", "smtp://", "smtps://", "imap://", "imaps://", "pop3://", "pop3s://", "ftp://", "ftps://", "ldap://", "ldaps://",
];
/// Where the first message of a stream of records may begin at the latest, and no greeting fits before it.
const RECORD_HEADER_LEN: u64 = 6;
/// The port on which XMPP servers speak to each other.
const XMPP_SERVERS: u16 = 5269;
/// The port that `https://` needs no mention of.
const DEFAULT_PORT: u16 = 443;
