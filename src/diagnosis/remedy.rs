//! Commands to type, filled in with this very server, port and name, and safe to paste into a POSIX shell.
//!
//! Addresses and ports are those of the packets and need no quoting beyond brackets. Names come from the wire: they are quoted, control
//! characters are dropped, and one that could not be a host's name never becomes part of a URL.

use std::net::IpAddr;

use crate::flow::Transport;
use crate::handshake::Handshake;
use crate::handshake::facts::Protocol;
use crate::preamble::{Dialect, PreambleFacts};

/// `openssl s_client -connect 192.0.2.1:443 -servername www.example.test EXTRA… </dev/null`; with `-starttls smtp` or `-proxy` where what led up
/// to TLS calls for it, and as DTLS or QUIC where that was spoken. `extra` is passed as it is, before the redirection; a `-servername` in it
/// replaces the name of this handshake.
pub fn s_client(handshake: &Handshake, extra: &str) -> String {
    let mut words = vec!["openssl s_client".to_owned()];
    match (proxy(handshake), handshake.protocol) {
        (Some(facts), _) if facts.dialect == Dialect::HttpConnect => {
            let target = facts.target.clone().unwrap_or_else(|| handshake.server.to_string());
            words.push(format!("-proxy {} -connect {}", quote(&handshake.server.to_string()), quote(&target)));
        }
        (Some(PreambleFacts { target: Some(target), .. }), _) => words.push(format!("-connect {}", quote(target))),
        _ => words.push(format!("-connect {}", quote(&handshake.server.to_string()))),
    }
    match handshake.protocol {
        Protocol::Dtls => words.push("-dtls".to_owned()),
        Protocol::Quic => words.push("-quic -alpn h3".to_owned()),
        _ => {}
    }
    if let Some(mode) = starttls(handshake) {
        words.push(format!("-starttls {mode}"));
    }
    if !extra.contains("-servername") {
        match handshake.server_name().map(|name| quote(&name)) {
            Some(name) => words.push(format!("-servername {name}")),
            None => words.push("-noservername".to_owned()),
        }
    }
    if !extra.is_empty() {
        words.push(extra.to_owned());
    }
    words.push("</dev/null".to_owned());
    words.join(" ")
}

/// `curl -v --resolve name:port:address https://name:port/` with extra options before the URL; through the proxy that was used, and with the
/// scheme of a mail or file protocol where one was upgraded. Without a name that a URL can hold the address takes its place.
pub fn curl(handshake: &Handshake, extra: &str) -> String {
    let mut words = vec!["curl -v".to_owned()];
    let scheme = match upgraded(handshake) {
        Some(Dialect::Smtp) => "smtp",
        Some(Dialect::Imap) => "imap",
        Some(Dialect::Pop3) => "pop3",
        Some(Dialect::Ftp) => "ftp",
        Some(Dialect::Ldap) => "ldap",
        _ => "https",
    };
    if scheme != "https" {
        words.push("--ssl-reqd".to_owned());
    }
    if handshake.protocol == Protocol::Quic && !extra.contains("--http3") {
        words.push("--http3-only".to_owned());
    }
    if handshake.preamble.as_ref().is_some_and(|facts| facts.layers().any(|layer| layer.dialect.is_proxy_header())) {
        words.push("--haproxy-protocol".to_owned());
    }
    let via = proxy(handshake).map(|facts| match facts.dialect {
        Dialect::Socks4 => "socks4a",
        Dialect::Socks5 => "socks5h",
        _ => "http",
    });
    let name = handshake.server_name().filter(|name| is_host(name));
    let port = handshake.server.port;
    let authority = match (via, name) {
        (Some(via), name) => {
            words.push(format!("-x {}", quote(&format!("{via}://{}", handshake.server))));
            let target = proxy(handshake).and_then(|facts| facts.target.clone()).filter(|target| is_authority(target));
            target.or(name).unwrap_or_else(|| handshake.server.to_string())
        }
        (None, Some(name)) => {
            let address = match handshake.server.address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            words.push(format!("--resolve {}", quote(&format!("{name}:{port}:{address}"))));
            format!("{name}:{port}")
        }
        (None, None) => handshake.server.to_string(),
    };
    if !extra.is_empty() {
        words.push(extra.to_owned());
    }
    let shown = if scheme == "https" { authority.strip_suffix(":443").unwrap_or(&authority) } else { &authority };
    words.push(quote(&format!("{scheme}://{shown}/")));
    words.join(" ")
}

/// A string safe to paste: plain when made of safe characters, else single-quoted; control characters are dropped.
pub fn quote(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !is_hidden(*c)).collect();
    let plain = !clean.is_empty()
        && !clean.starts_with(['-', '~', '='])
        && clean.chars().all(|c| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c));
    if plain { clean } else { format!("'{}'", clean.replace('\'', r"'\''")) }
}

/// The server's certificate as `openssl x509` shows it with these options: `-noout -dates`, say.
pub fn x509(handshake: &Handshake, options: &str) -> String {
    format!("{} 2>/dev/null | openssl x509 {options}", s_client(handshake, ""))
}

/// The whole chain as it is served.
pub fn show_chain(handshake: &Handshake) -> String {
    s_client(handshake, "-showcerts")
}

/// One packet of `size` bytes, IP header included, that must not be fragmented: whether the path to `address` carries it.
pub fn ping_mtu(address: IpAddr, size: u32) -> String {
    let (headers, family) = match address {
        IpAddr::V4(_) => (28, ""),
        IpAddr::V6(_) => (48, " -6"),
    };
    format!("ping{family} -c 3 -M do -s {} {address}", size.saturating_sub(headers))
}

/// For a router on the way to the server: TCP connections announce what the next link carries.
pub fn clamp_mss(handshake: &Handshake) -> String {
    let family = if handshake.server.address.is_ipv4() { "iptables" } else { "ip6tables" };
    format!("{family} -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")
}

/// Where on the way to the server the path MTU shrinks.
pub fn tracepath(handshake: &Handshake) -> String {
    format!("tracepath -n {}", handshake.server.address)
}

/// The way to the server's port, with packets of the protocol in use.
pub fn traceroute(handshake: &Handshake) -> String {
    let protocol = if is_udp(handshake) { "-U" } else { "-T" };
    format!("sudo traceroute -n {protocol} -p {} {}", handshake.server.port, handshake.server.address)
}

/// Whether the server's port is open, as the client sees it.
pub fn port_open(handshake: &Handshake) -> String {
    let udp = if is_udp(handshake) { "u" } else { "" };
    format!("nc -vz{udp} -w 5 {} {}", handshake.server.address, handshake.server.port)
}

/// On the server: who listens on a TCP port, and how full the queue is (`Recv-Q` against `Send-Q`).
pub fn ss_listen(port: u16) -> String {
    format!("ss -ltnp 'sport = :{port}'")
}

/// On the server: who listens on a UDP port.
pub fn ss_listen_udp(port: u16) -> String {
    format!("ss -lunp 'sport = :{port}'")
}

/// On the server: connections refused because a queue was full.
pub fn nstat() -> String {
    "nstat -az TcpExtListenOverflows TcpExtListenDrops TcpExtTCPReqQFullDrop TcpExtTCPReqQFullDoCookies".to_owned()
}

/// On a router with a link of smaller MTU: announces an MSS that fits.
pub fn mss_clamp() -> String {
    "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu".to_owned()
}

/// Whether a host's clock is right.
pub fn clock() -> String {
    "timedatectl".to_owned()
}

/// The addresses behind the name asked for; `None` when no name is known.
pub fn dig(handshake: &Handshake) -> Option<String> {
    handshake.server_name().filter(|name| is_host(name)).map(|name| format!("dig +short {} A {} AAAA", quote(&name), quote(&name)))
}

/// A capture of this client's traffic with this server, taken at the other end: ICMP included, packets whole.
pub fn capture(handshake: &Handshake) -> String {
    let kind = if is_udp(handshake) { "udp" } else { "tcp" };
    let (client, port) = (handshake.client.address, handshake.server.port);
    format!("sudo tcpdump -i any -s 0 -w other-side.pcap '(host {client} and {kind} port {port}) or icmp or icmp6'")
}

fn is_udp(handshake: &Handshake) -> bool {
    handshake.tcp.key.transport == Transport::Udp
}

/// The proxy's dialogue, where the connection leads to one.
fn proxy(handshake: &Handshake) -> Option<&PreambleFacts> {
    handshake.preamble.as_ref()?.layers().find(|layer| layer.dialect.is_proxy())
}

/// The protocol that was upgraded to TLS, innermost.
fn upgraded(handshake: &Handshake) -> Option<Dialect> {
    handshake.preamble.as_ref().map(|facts| facts.dialect).filter(|dialect| dialect.is_starttls())
}

fn starttls(handshake: &Handshake) -> Option<&'static str> {
    upgraded(handshake)?.s_client()
}

/// A host's name that means nothing else in a URL.
fn is_host(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 254
        && !name.starts_with(['-', '.'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

/// `name:port`, or an address of either kind and a port.
fn is_authority(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        !port.is_empty()
            && port.chars().all(|c| c.is_ascii_digit())
            && (is_host(host) || address.is_some_and(|address| address.parse::<IpAddr>().is_ok()))
    })
}

/// Characters that do something to a terminal or are not seen.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::rules::plaintext::testing::{connection, with_preamble};
    use crate::preamble::Upgrade;

    #[test]
    fn quoting_survives_a_shell() {
        assert_eq!(quote("www.example.test:443"), "www.example.test:443");
        assert_eq!(quote("a'b; rm -rf $HOME"), r"'a'\''b; rm -rf $HOME'");
        assert_eq!(quote("a\x1b[2J\nb\u{202e}"), "'a[2Jb'");
        assert_eq!(quote("-verify"), "'-verify'");
        assert_eq!(quote(""), "''");
        let hostile = "`id`$(id)'\"\\\n|&;<>(){}*?!#";
        let output = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quote(hostile))).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), hostile.replace('\n', ""));
    }

    #[test]
    fn addresses_of_both_families_are_written_as_the_commands_want_them() {
        let v4 = connection("192.0.2.1:443");
        assert_eq!(s_client(&v4, "-tls1_2"), "openssl s_client -connect 192.0.2.1:443 -noservername -tls1_2 </dev/null");
        assert_eq!(curl(&v4, ""), "curl -v https://192.0.2.1/");
        assert_eq!(ping_mtu(v4.server.address, 1500), "ping -c 3 -M do -s 1472 192.0.2.1");
        let v6 = connection("[2001:db8::1]:8443");
        assert_eq!(s_client(&v6, "-servername x.test"), "openssl s_client -connect '[2001:db8::1]:8443' -servername x.test </dev/null");
        assert_eq!(curl(&v6, "-k"), "curl -v -k 'https://[2001:db8::1]:8443/'");
        assert_eq!(ping_mtu(v6.server.address, 1280), "ping -6 -c 3 -M do -s 1232 2001:db8::1");
    }

    #[test]
    fn upgrades_and_proxies_are_asked_for() {
        let mail = with_preamble(connection("192.0.2.1:25"), Dialect::Smtp, Upgrade::Refused);
        assert_eq!(s_client(&mail, ""), "openssl s_client -connect 192.0.2.1:25 -starttls smtp -noservername </dev/null");
        assert_eq!(curl(&mail, ""), "curl -v --ssl-reqd smtp://192.0.2.1:25/");
        let mut proxied = with_preamble(connection("192.0.2.1:3128"), Dialect::HttpConnect, Upgrade::Refused);
        proxied.preamble.as_mut().unwrap().target = Some("www.lab.test:443".to_owned());
        assert_eq!(s_client(&proxied, ""), "openssl s_client -proxy 192.0.2.1:3128 -connect www.lab.test:443 -noservername </dev/null");
        assert_eq!(curl(&proxied, ""), "curl -v -x http://192.0.2.1:3128 https://www.lab.test/");
        proxied.preamble.as_mut().unwrap().target = Some("evil@host/$(id):443".to_owned());
        assert_eq!(curl(&proxied, ""), "curl -v -x http://192.0.2.1:3128 https://192.0.2.1:3128/");
    }
}
