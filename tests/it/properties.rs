//! How bytes are cut, ordered, repeated or framed does not change what is said of them.

use proptest::prelude::*;

use crate::support::conversation::Conversation;
use crate::support::report::HandshakeReport;
use crate::support::{analyse_bytes, fixtures};

/// Captures of one connection each, of many kinds, whose verdict rests on what was said and not on when or in which packet.
const SUBJECTS: &[&str] = &[
    "success/ok_tls13_ed25519.pcap",
    "cert/cert_expired_tls12_java.pcap",
    "cert/cert_untrusted_tls12_gnutls.pcap",
    "cert/cert_wronghost_tls12_rustls.pcap",
    "alpn/alpn_none_nginx.pcap",
    "cipher/cipher_none_gnutls.pcap",
    "client-cert/clientcert_missing_tls12_haproxy.pcap",
    "client-cert/clientcert_missing_tls13_go.pcap",
    "version/ver_gnutls_client10_server12.pcap",
    "dh/dh_512_java.pcap",
    "starttls/starttls-ldap-ok.pcap",
    "starttls/starttls-imap-ok.pcap",
    "proxy/proxy-connect-ok.pcap",
];

fn subjects() -> Vec<(String, Conversation)> {
    SUBJECTS.iter().map(|name| ((*name).to_owned(), Conversation::of(&fixtures().join("captures").join(name)))).collect()
}

/// What must not change: the verdict and all that was read out of the messages.
fn gist(reports: &[HandshakeReport]) -> Vec<String> {
    reports
        .iter()
        .map(|report| {
            let mut tls = report.tls.clone();
            for alert in tls.iter_mut().flat_map(|tls| &mut tls.alerts) {
                alert.frame = 0;
            }
            format!(
                "{} {} {:?} {} {} {} {tls:?}",
                report.handshake.outcome,
                report.handshake.stage,
                report.diagnosis.cause,
                report.diagnosis.stopped_by,
                report.handshake.history,
                report.handshake.resumed,
            )
        })
        .collect()
}

/// One way to carry a conversation.
#[derive(Debug, Clone)]
struct Way {
    cuts: Vec<usize>,
    /// Swaps of neighbours within a turn.
    swaps: Vec<(usize, usize)>,
    /// Segments sent twice.
    repeats: Vec<(usize, usize)>,
}

fn way() -> impl Strategy<Value = Way> {
    let pairs = || prop::collection::vec((any::<usize>(), any::<usize>()), 0..12);
    (prop::collection::vec(1_usize..1460, 1..8), pairs(), pairs()).prop_map(|(cuts, swaps, repeats)| Way { cuts, swaps, repeats })
}

fn carried(conversation: &Conversation, way: &Way) -> Vec<HandshakeReport> {
    let mut packets = conversation.packets(&way.cuts);
    let turns = packets.list.len();
    for (turn, at) in &way.swaps {
        // The first turn is the TCP handshake, the last the close: they have an order.
        let turn = &mut packets.list[1 + turn % (turns - 2)];
        if turn.len() >= 2 {
            let at = at % (turn.len() - 1);
            turn.swap(at, at + 1);
        }
    }
    for (turn, at) in &way.repeats {
        let turn = &mut packets.list[1 + turn % (turns - 2)];
        if !turn.is_empty() {
            let again = turn[at % turn.len()].clone();
            turn.push(again);
        }
    }
    analyse_bytes(packets.pcap()).handshakes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn segmentation_order_and_repetition_change_nothing(way in way()) {
        for (name, conversation) in subjects() {
            let plain = gist(&analyse_bytes(conversation.packets(&[1460]).pcap()).handshakes);
            prop_assert_eq!(plain.len(), 1, "{}", &name);
            prop_assert_eq!(&gist(&carried(&conversation, &way)), &plain, "{} carried as {:?}", &name, &way);
        }
    }

    #[test]
    fn record_framing_changes_nothing(most in 1_usize..700) {
        for (name, conversation) in subjects() {
            if name.starts_with("starttls") || name.starts_with("proxy") || name.contains("tls13") {
                continue;
            }
            let plain = gist(&analyse_bytes(conversation.packets(&[1460]).pcap()).handshakes);
            let reframed = gist(&analyse_bytes(conversation.reframed(most).packets(&[1460]).pcap()).handshakes);
            prop_assert_eq!(reframed, plain, "{} in records of {}", &name, most);
        }
    }
}

#[test]
fn a_conversation_put_together_again_keeps_its_verdict() {
    for (name, conversation) in subjects() {
        let again = gist(&analyse_bytes(conversation.packets(&[1460]).pcap()).handshakes);
        let first = gist(&crate::support::analyse(&[fixtures().join("captures").join(&name)], 1).handshakes[..1]);
        assert_eq!(again, first, "{name}");
    }
}

#[test]
fn no_prefix_of_a_capture_claims_completion_early() {
    for (name, conversation) in subjects() {
        let packets = conversation.packets(&[1460]);
        let whole = packets.pcap();
        let said = analyse_bytes(whole.clone()).handshakes;
        let completed = said.iter().any(|report| report.handshake.outcome == "completed");
        let finished_at = said.first().map(|report| report.handshake.end.clone()).unwrap_or_default();
        for len in (24..whole.len()).step_by(97) {
            for report in analyse_bytes(whole[..len].to_vec()).handshakes {
                let claims = report.handshake.outcome == "completed";
                assert!(!claims || (completed && report.handshake.end >= finished_at), "{name} cut at {len} claims completion");
            }
        }
    }
}
