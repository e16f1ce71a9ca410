use super::*;
use crate::diagnosis::testing::{connection, with_preamble};
use crate::flow::Layer;
use crate::handshake::Handshake;
use crate::handshake::facts::Protocol;
use crate::preamble::{Dialect, Upgrade};

fn line(command: impl IntoAdvice) -> String {
    command.into_advice().map_or_else(String::new, |advice| advice.line().into_owned())
}

fn proxied(dialect: Dialect, target: &str) -> Handshake {
    let mut handshake = with_preamble(connection("192.0.2.1:3128"), dialect, Upgrade::Refused);
    handshake.preamble.as_mut().unwrap().target = Some(target.to_owned());
    handshake
}

#[test]
fn addresses_of_both_families_are_written_as_the_commands_want_them() {
    let v4 = connection("192.0.2.1:443");
    assert_eq!(line(s_client(&v4, "-tls1_2")), "openssl s_client -connect 192.0.2.1:443 -noservername -tls1_2 </dev/null");
    assert_eq!(line(curl(&v4, "")), "curl -v https://192.0.2.1/");
    assert_eq!(line(ping_mtu(v4.server.address, 1500)), "ping -c 3 -M do -s 1472 192.0.2.1");
    let v6 = connection("[2001:db8::1]:8443");
    assert_eq!(line(s_client(&v6, "-servername x.test")), "openssl s_client -connect '[2001:db8::1]:8443' -servername x.test </dev/null");
    assert_eq!(line(curl(&v6, "-k")), "curl -v -k 'https://[2001:db8::1]:8443/'");
    assert_eq!(line(ping_mtu(v6.server.address, 1280)), "ping -6 -c 3 -M do -s 1232 2001:db8::1");
    assert_eq!(line(s_client(&v4, "-noservername")), "openssl s_client -connect 192.0.2.1:443 -noservername </dev/null");
    assert_eq!(
        line(psk(&v4)),
        "openssl s_client -connect 192.0.2.1:443 -noservername -psk_identity '<identity>' -psk '<key in hexadecimal>' </dev/null"
    );
}

#[test]
fn upgrades_and_proxies_are_asked_for() {
    let mail = with_preamble(connection("192.0.2.1:25"), Dialect::Smtp, Upgrade::Refused);
    assert_eq!(line(s_client(&mail, "")), "openssl s_client -connect 192.0.2.1:25 -starttls smtp -noservername </dev/null");
    assert_eq!(line(curl(&mail, "")), "curl -v --ssl-reqd smtp://192.0.2.1:25/");
    let chat = with_preamble(connection("192.0.2.1:5222"), Dialect::Xmpp, Upgrade::Granted);
    assert_eq!(
        line(s_client(&chat, "")),
        "openssl s_client -connect 192.0.2.1:5222 -starttls xmpp -xmpphost '<domain>' -noservername </dev/null"
    );
    let web = proxied(Dialect::HttpConnect, "www.lab.test:443");
    assert_eq!(line(s_client(&web, "")), "openssl s_client -proxy 192.0.2.1:3128 -connect www.lab.test:443 -noservername </dev/null");
    assert_eq!(line(curl(&web, "")), "curl -v -x http://192.0.2.1:3128 https://www.lab.test/");
    // What curl alone can reach over TLS, and what is behind it, is asked for; what no program wraps twice is not.
    let wrapped = |mut handshake: Handshake| {
        handshake.flow.path.push(Layer::Tls);
        handshake
    };
    let web = wrapped(web);
    assert_eq!(line(s_client(&web, "")), "openssl s_client -connect www.lab.test:443 -noservername </dev/null");
    assert_eq!(line(curl(&web, "")), "curl -v -x https://192.0.2.1:3128 https://www.lab.test/");
    let socks = wrapped(proxied(Dialect::Socks5, "www.lab.test:443"));
    assert_eq!(line(curl(&socks, "")), "curl -v https://www.lab.test/");
    let within = wrapped(connection("192.0.2.1:443"));
    assert_eq!((s_client(&within, ""), curl(&within, "")), (None, None));
    assert_eq!(line(reach(Some("[2001:db8::7]:443"))), "nc -vz -w 5 2001:db8::7 443");
}

#[test]
fn what_was_asked_of_a_proxy_is_a_host_or_nothing() {
    for hostile in ["evil@host/$(id):443", "-lp31337:-e/bin/sh", "-csh${IFS}-c${IFS}id>PWNED:31337", "a:-e/bin/sh", "a", ""] {
        for dialect in [Dialect::HttpConnect, Dialect::Socks4, Dialect::Socks5] {
            let handshake = proxied(dialect, hostile);
            let all = [line(s_client(&handshake, "")), line(curl(&handshake, "")), line(reach(Some(hostile)))];
            assert!(all[0].contains("-connect '<host>:<port>' "), "{all:?}");
            assert!(all[1].is_empty() || all[1].ends_with(" 'https://<host>:<port>/'"), "{all:?}");
            assert_eq!(all[2], "nc -vz -w 5 '<host>' '<port>'");
        }
    }
}

#[test]
fn only_what_a_web_server_elsewhere_has_is_fetched_and_its_name_is_ours() {
    assert_eq!(
        line(fetch("http://evil.example/.bashrc", "issuer.der")),
        "curl -sS -g --proto '=http,https' -m 30 -o issuer.der -- http://evil.example/.bashrc"
    );
    assert_eq!(
        line(fetch("http://evil.example/[1-9].crt", "issuer.der")),
        "curl -sS -g --proto '=http,https' -m 30 -o issuer.der -- 'http://evil.example/[1-9].crt'"
    );
    assert_eq!(fetch("-K/dev/shm/evil", "issuer.der"), None);
    assert_eq!(fetch("http://169.254.169.254/", "issuer.der"), None);
}

#[test]
fn no_command_is_given_that_cannot_work_there() {
    let rdp = with_preamble(connection("192.0.2.1:3389"), Dialect::Rdp, Upgrade::Granted);
    assert_eq!((s_client(&rdp, ""), curl(&rdp, "")), (None, None));
    for port in [5432, 6379, 9093, 5671, 8883, 853] {
        let handshake = connection(&format!("192.0.2.1:{port}"));
        assert_eq!(curl(&handshake, ""), None, "{port}");
        assert!(s_client(&handshake, "").is_some(), "{port}");
    }
    assert_eq!(line(curl(&connection("192.0.2.1:636"), "")), "curl -v ldaps://192.0.2.1:636/");
    assert_eq!(line(curl(&connection("192.0.2.1:993"), "")), "curl -v imaps://192.0.2.1:993/");
    let mut quic = connection("192.0.2.1:443");
    quic.protocol = Protocol::Quic;
    assert_eq!(s_client(&quic, "-tls1_2"), None);
    assert_eq!(line(s_client(&quic, "")), "openssl s_client -connect 192.0.2.1:443 -quic -alpn h3 -noservername </dev/null");
    assert_eq!(line(s_client(&quic, "-alpn doq")), "openssl s_client -connect 192.0.2.1:443 -quic -noservername -alpn doq </dev/null");
    let mut dtls = connection("192.0.2.1:4433");
    dtls.protocol = Protocol::Dtls;
    assert_eq!(line(s_client(&dtls, "-tls1_2")), "openssl s_client -connect 192.0.2.1:4433 -dtls1_2 -noservername </dev/null");
}

#[test]
fn a_sentence_that_leads_to_no_command_ends() {
    use crate::diagnosis::cause::Cause;
    use crate::diagnosis::finding::{Confidence, Finding};
    let finding = Finding::new(Cause::HandshakeFailure, Confidence::Likely, "x").advise("See the chain:").advise(None::<Command>);
    assert_eq!(finding.remedy, [Advice::Text("See the chain.".into())]);
}
