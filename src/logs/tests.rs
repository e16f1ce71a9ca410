use super::*;
use crate::time::Timestamp;

fn endpoint(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(address.ip(), address.port())
}

/// 2026-11-29 07:12:33 UTC.
const AT: Timestamp = Timestamp::from_parts(1_795_936_353, 0);

fn subject(client: &str, server: &str) -> Subject {
    Subject { client: endpoint(client), server: endpoint(server), begin: AT, end: AT.after(Duration::from_millis(300)) }
}

fn read(text: &str) -> Logs {
    let mut logs = Logs::default();
    let mut reader = logs.file("error.log".to_owned(), &Zone::UTC, AT.after(Duration::from_secs(3600)));
    text.lines().for_each(|line| reader.line(line.as_bytes()));
    reader.finish();
    logs
}

fn heard(text: &str, client: &str) -> Vec<(u64, String)> {
    let logs = read(text);
    logs.about(subject(client, "10.77.0.1:443"), 0).map(|(.., said)| (said.number, said.text.to_owned())).collect()
}

#[test]
fn lines_of_servers_name_their_clients() {
    for (text, number) in [
        (
            "2026/11/29 07:12:33 [info] 7#7: *3 SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher) while SSL handshaking, client: 10.77.0.2, server: 0.0.0.0:443",
            1,
        ),
        (
            "[Sun Nov 29 07:12:33.123456 2026] [ssl:info] [pid 7:tid 9] [client 10.77.0.2:45678] AH02008: SSL library error 1 in handshake",
            1,
        ),
        ("Nov 29 07:12:33 lb haproxy[7]: 10.77.0.2:45678 [29/Nov/2026:07:12:33.123] fe/1: SSL handshake failure", 1),
        (
            "Nov 29 07:12:33 mx postfix/smtpd[7]: connect from unknown[10.77.0.2]\nNov 29 07:12:33 mx postfix/smtpd[7]: warning: TLS library problem: error:0A0000C1:SSL routines::no shared cipher:ssl.c:1:",
            2,
        ),
        (
            "2026-11-29 07:12:33.100 UTC [7] LOG:  connection received: host=10.77.0.2 port=45678\n2026-11-29 07:12:33.200 UTC [7] LOG:  could not accept SSL connection: no shared cipher",
            2,
        ),
        (
            "2026.11.29 07:12:33 LOG5[4]: Service [s] accepted connection from 10.77.0.2:45678\n2026.11.29 07:12:33 LOG3[4]: SSL_accept: ssl.c:1: error:0A0000C1:SSL routines::no shared cipher",
            2,
        ),
        (
            "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795936353000000\nSYSLOG_IDENTIFIER=haproxy\n_PID=7\nMESSAGE=10.77.0.2:45678 fe/1: SSL handshake failure\n\n",
            6,
        ),
        (
            r#"{"__REALTIME_TIMESTAMP":"1795936353000000","SYSLOG_IDENTIFIER":"haproxy","_PID":"7","MESSAGE":"10.77.0.2:45678 fe/1: SSL handshake failure"}"#,
            1,
        ),
    ] {
        let found = heard(text, "10.77.0.2:45678");
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [number], "{text}\n{found:?}");
    }
}

#[test]
fn lines_of_other_clients_ports_and_times_are_none_of_its() {
    let line =
        |client: &str, time: &str| format!("2026/11/29 {time} [info] 7#7: *3 SSL handshake failed, client: {client}, server: 0.0.0.0:443");
    assert_eq!(heard(&line("10.77.0.2:45678", "07:12:33"), "10.77.0.2:45678").len(), 1);
    assert!(heard(&line("10.77.0.2:45679", "07:12:33"), "10.77.0.2:45678").is_empty(), "another port");
    assert!(heard(&line("10.77.0.3", "07:12:33"), "10.77.0.2:45678").is_empty(), "another address");
    assert!(heard(&line("10.77.0.2", "07:13:33"), "10.77.0.2:45678").is_empty(), "a minute later");
    assert!(heard("2026/11/29 07:12:33 GET / 200, client: 10.77.0.2", "10.77.0.2:45678").is_empty(), "nothing of TLS");
    assert!(heard("SSL routines::bad record mac client: 10.77.0.2", "10.77.0.2:45678").is_empty(), "no time");
}

#[test]
fn a_clock_that_is_wrong_is_found_by_lines_that_name_ports() {
    let second = 1_000_000_000;
    assert_eq!(ahead(vec![]), 0);
    assert_eq!(ahead(vec![(3600 * second, true)]), 3600 * second, "one line with the port is enough");
    assert_eq!(ahead(vec![(3600 * second, false), (-300 * second, false)]), 0, "two with the address only are not");
    assert_eq!(ahead(vec![(second / 2, false), (90 * second, false)]), second / 2);
    assert_eq!(ahead(vec![(90 * second, true), (90 * second + 1, true), (0, false)]), 90 * second, "most lie there");
}

#[test]
fn times_are_read_as_logs_write_them() {
    let of = |text: &'static str| {
        moment::find(text, &Zone::UTC, AT.after(Duration::from_secs(60)))
            .map(|(time, behind)| (time.seconds() - AT.seconds(), text.get(behind..).unwrap()))
    };
    assert_eq!(of("2026-11-29T07:12:33.500Z x"), Some((0, " x")));
    assert_eq!(of("2026-11-29T08:12:34+01:00 x"), Some((1, " x")));
    assert_eq!(of("2026-11-29 07:12:33,250 x"), Some((0, " x")));
    assert_eq!(of("[29/Nov/2026:08:12:33 +0100] x"), Some((0, "] x")));
    assert_eq!(of("<30>Nov 29 07:12:35 host x"), Some((2, " host x")));
    assert_eq!(of("Dec 31 00:00:00 x").map(|(seconds, _)| seconds < 0), Some(true), "of the year before");
    for none in ["", "Nov 99 07:12:33", "2026-13-29 07:12:33", "07:12:33", "1234567890123456789012"] {
        assert_eq!(of(none), None, "{none}");
    }
}

#[test]
fn hostile_lines_are_bounded() {
    let long = format!("2026/11/29 07:12:33 ssl client: 10.77.0.2 {}", "\u{1b}[2J'é".repeat(10_000));
    let found = heard(&long, "10.77.0.2:45678");
    assert_eq!(found.len(), 1);
    assert!(found[0].1.chars().count() <= limits::LOG_TEXT);
    let _ = heard("\u{0}[[[[[[[]]]]]]]\n{\"__REALTIME_TIMESTAMP\":\n__REALTIME_TIMESTAMP=\n=\n[:::::]:1", "10.77.0.2:1");
}
