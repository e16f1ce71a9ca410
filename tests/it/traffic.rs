//! What a capture carries is said whether there is TLS in it or not, and the same by any number of threads.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{analyse, fixtures};

fn summary(path: &Path, threads: usize) -> Value {
    let said = analyse(&[path], threads);
    serde_json::from_str(said.lines.last().unwrap()).unwrap()
}

/// `strongSwan` 6.0 on both sides: two exchanges of IKE, and ESP behind a NAT. Packets and bytes are counted with tshark (`udp.length` less 8).
#[test]
fn a_tunnel_is_named_with_where_to_capture_instead() {
    let capture: PathBuf = fixtures().join("tunnels/ipsec_strongswan.pcap");
    let summary = summary(&capture, 1);
    let rows = json!([
        {"protocol": "IPsec ESP", "transport": "udp", "port": 4500, "packets": 10, "bytes": 3780, "opaque": true},
        {"protocol": "IKE", "transport": "udp", "port": 4500, "packets": 2, "bytes": 504},
        {"protocol": "IKE", "transport": "udp", "port": 500, "packets": 2, "bytes": 488},
    ]);
    assert_eq!(summary["traffic"], rows);
    let answer = summary["answer"].as_str().unwrap();
    assert!(
        answer.starts_with("No TLS handshake was found in 14 frames, which carry IPsec ESP (79 %, UDP port 4500), IKE (10 %"),
        "{answer}"
    );
    let notes: Vec<&str> = summary["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes.len() == 1 && notes[0].contains("What travels in IPsec ESP (79 %, UDP port 4500) cannot be seen here."), "{notes:?}");
}

/// `wireguard-go` on both sides, with a TLS handshake inside. Packets and bytes are tshark's.
#[test]
fn a_wireguard_tunnel_hides_the_handshake_in_it() {
    let summary = summary(&fixtures().join("tunnels/wireguard_go.pcap"), 1);
    let rows = json!([{"protocol": "WireGuard", "transport": "udp", "port": 51820, "packets": 20, "bytes": 6792, "opaque": true}]);
    assert_eq!((&summary["traffic"], summary["handshakes"].as_u64()), (&rows, Some(0)));
    let notes = summary["notes"].to_string();
    assert!(notes.contains("on the tunnel's own interface (`wg0`, `utun`)"), "{notes}");
}

/// `curl` and `openssl s_server`, put into MACsec that encrypts by Scapy's layer. Packets and bytes are tshark's.
#[test]
fn macsec_that_encrypts_is_named() {
    let summary = summary(&fixtures().join("tunnels/macsec_encrypted.pcap"), 1);
    let rows = json!([{"protocol": "MACsec", "transport": "link", "packets": 10, "bytes": 2278, "opaque": true}]);
    assert_eq!((&summary["traffic"], summary["handshakes"].as_u64()), (&rows, Some(0)));
    assert!(summary["notes"].to_string().contains("on the MACsec interface (`macsec0`)"));
}

/// A client that is asked for a login and comes right back with it has not failed, be it on the same connection or on the next.
#[test]
fn the_first_step_of_a_login_is_no_failure() {
    for (name, first) in [("websocket-login-same-connection-ok", None), ("proxy-login-next-connection-ok", Some("http-connect"))] {
        let summary = summary(&fixtures().join(format!("captures/proxy/{name}.pcap")), 1);
        assert_eq!((summary["handshakes"].as_u64(), summary["outcomes"]["completed"].as_u64()), (Some(1), Some(1)), "{name}");
        let others = summary["other_flows"].as_object().cloned().unwrap_or_default();
        assert_eq!(others.keys().map(String::as_str).collect::<Vec<_>>(), first.into_iter().collect::<Vec<_>>(), "{name}");
    }
}

/// What a client goes on to in the place of HTTP is named, texts of a chat (websocat on both sides) or datagrams through a proxy, and no handshake but
/// what is inside.
#[test]
fn what_takes_the_place_of_http_is_named() {
    for (name, protocol, handshakes) in [("tunnels/websocket_chat", "WebSocket", 0), ("captures/proxy/masque-ok", "CONNECT-UDP", 1)] {
        let summary = summary(&fixtures().join(format!("{name}.pcap")), 1);
        let told = (summary["traffic"][0]["protocol"].as_str(), summary["handshakes"].as_u64());
        assert_eq!(told, (Some(protocol), Some(handshakes)), "{name}");
    }
}

/// A handshake of QUIC that goes on from another port is one, and no flow beside it is unread.
#[test]
fn a_client_that_moves_is_counted_once() {
    for name in ["client-moves-ok", "client-moves-amid-ok", "client-moves-late-ok", "client-moves-short-ok"] {
        let summary = summary(&fixtures().join(format!("captures/quic/{name}.pcap")), 1);
        let unread = summary["other_flows"]["quic-unread"].as_u64().unwrap_or(0);
        assert_eq!((summary["handshakes"].as_u64(), unread), (Some(1), 0), "{name}");
    }
}

#[test]
fn threads_count_the_same() {
    for name in ["load/load-client-idle.pcap", "encapsulation/encap-any-sll2-refused.pcap", "quic/quic-udp-blocked-tcp-fallback.pcap"] {
        let capture = fixtures().join("captures").join(name);
        assert_eq!(summary(&capture, 1)["traffic"], summary(&capture, 5)["traffic"], "{name}");
    }
}

/// The packets of a connection are counted to its end, and not only up to where its handshake was settled. The numbers are tshark's.
#[test]
fn what_comes_after_the_handshake_is_counted() {
    let summary = summary(&fixtures().join("captures/success/ok_tls13_go_rustls.pcap"), 1);
    let row = &summary["traffic"][0];
    assert_eq!((row["protocol"].as_str(), row["connections"].as_u64()), (Some("TLS"), Some(1)));
    assert_eq!((row["packets"].as_u64(), row["bytes"].as_u64()), (Some(18), Some(2845)));
}
