//! Tests of the family protocol: what it makes of whole handshakes.

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::{Knowledge, Related};
use crate::diagnosis::testing::{BROAD, Scene, at, extensions, found_knowing, related, syn, verdict, without};
use crate::flow::Side::{Client, Server};
use crate::handshake::facts::{Located, Outcome, StoppedBy};
use crate::time::Mark;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};
use crate::tls::server_hello::ServerHello;
use crate::transport::{FlowEvent, FlowEventKind, GapCause};

#[test]
fn violations_are_named() {
    let mut twice = extensions(true);
    twice.push((0x000a, vec![0, 2, 0, 0x1d]));
    let scene = Scene::hello(V::TLS12, BROAD, &twice).alert(Server, A::ILLEGAL_PARAMETER);
    assert_eq!(scene.cause(), Some((Cause::ClientProtocolViolation, Confidence::Certain)));
    assert!(scene.findings()[0].summary.contains("supported_groups: listed twice"));
    let scene = Scene::hello(V::TLS12, BROAD, &without(&[0x000d], true)).alert(Server, A::HANDSHAKE_FAILURE);
    assert_eq!(scene.cause(), Some((Cause::ClientProtocolViolation, Confidence::Strong)));
    let scene = Scene::broad()
        .answered(V::TLS12, 0xc02f, &[(0xff01, &[0]), (0x0010, &[0, 3, 2, b'h', b'2'])])
        .alert(Client, A::UNSUPPORTED_EXTENSION);
    assert_eq!(scene.cause(), Some((Cause::ServerProtocolViolation, Confidence::Certain)));
    let mut scene = Scene::blank().alert(Server, A::UNEXPECTED_MESSAGE);
    let mark = Mark { frame: 4, ..Mark::default() };
    scene.handshake.anomalies.push(Anomaly { mark, side: Client, kind: AnomalyKind::OutOfOrder { message: 16, expected: "client_hello" } });
    assert_eq!(scene.cause(), Some((Cause::ClientProtocolViolation, Confidence::Certain)));
    assert!(scene.findings()[0].summary.contains("client_key_exchange where client_hello was expected"));
    let hole = FlowEventKind::Gap { offset: 0, len: 9, why: GapCause::Snaplen };
    scene.handshake.flow.events.push(FlowEvent { mark: Mark { frame: 3, ..mark }, side: Client, kind: hole });
    assert_ne!(scene.cause().unwrap().1, Confidence::Certain, "what stood before it is not known");
    let scene = Scene::broad().alert(Server, A::ILLEGAL_PARAMETER);
    assert_eq!(scene.findings()[0].weight, Weight::Fallback);
}

#[test]
fn a_retry_answers_the_hello_before_it() {
    let told = |frame: u64| {
        let mut scene = Scene::broad();
        let group = scene.handshake.client_hellos[0].what.key_shares().next().unwrap().0;
        let random = [
            0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a,
            0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
        ];
        let asks = [0, 51, 0, 2, group.0.to_be_bytes()[0], group.0.to_be_bytes()[1]];
        let bytes = [&[3, 3], &random[..], &[0, 0x13, 0x01, 0, 0, 12, 0, 43, 0, 2, 3, 4], &asks].concat();
        let mark = Mark { frame, ..scene.handshake.client_hellos[0].mark };
        let what = ServerHello::parse(&bytes).unwrap();
        scene.handshake.hello_retry = Some(Box::new(Located { what, mark, first: mark, span: (0, 0) }));
        scene.alert(Client, A::UNKNOWN_CA).findings().iter().any(|finding| finding.summary.contains("whose share the client has sent"))
    };
    assert!(told(9), "it asks for what it has");
    assert!(!told(1), "the hello that it answers is not there");
}

#[test]
fn a_side_speaks_for_itself() {
    let mut scene = Scene::broad().alert(Server, A::INTERNAL_ERROR);
    assert_eq!(scene.cause(), Some((Cause::InternalError, Confidence::Likely)), "it may have no certificate for the name");
    scene.knowledge.completed_same_name = 1;
    assert_eq!(scene.cause(), Some((Cause::InternalError, Confidence::Strong)), "the name was served");
    let mut scene = Scene::blank().alert(Client, A::INTERNAL_ERROR);
    assert_eq!(scene.cause(), Some((Cause::InternalError, Confidence::Likely)), "its hello came before the capture, for all that is known");
    scene.handshake.flow.sides.client.syn = Some(syn(Mark::default(), Mark::default(), 1, 64));
    assert_eq!(scene.cause(), Some((Cause::InternalError, Confidence::Certain)));
    assert_eq!(Scene::broad().alert(Server, A::ACCESS_DENIED).cause(), Some((Cause::AccessDenied, Confidence::Strong)));
}

#[test]
fn who_sends_the_clients_hello_back_is_no_tls_server() {
    let answered = |kind, alert: Option<A>| {
        let scene = Scene::broad();
        let mut scene = match alert {
            Some(alert) => scene.alert(Client, alert),
            None => scene.ended(Outcome::Stalled, StoppedBy::Server),
        };
        scene.handshake.anomalies.push(Anomaly { mark: Mark { frame: 5, ..Mark::default() }, side: Server, kind });
        scene.findings().into_iter().next().map(|finding| (finding.cause, finding.confidence, finding.summary.contains("echo")))
    };
    let echo = Some((Cause::ServerProtocolViolation, Confidence::Certain, true));
    assert_eq!(answered(AnomalyKind::EchoedHello, Some(A::UNEXPECTED_MESSAGE)), echo);
    assert_eq!(answered(AnomalyKind::EchoedHello, None), echo, "whatever the client makes of it");
    let other = || AnomalyKind::OutOfOrder { message: 1, expected: "no ClientHello from the server" };
    let (cause, _, is_echo) = answered(other(), Some(A::UNEXPECTED_MESSAGE)).unwrap();
    assert_eq!((cause, is_echo), (Cause::ServerProtocolViolation, false), "another client");
    assert_eq!(answered(other(), None), None, "nobody minded");
}

#[test]
fn who_refuses_what_it_offers_is_as_suspect_as_the_server() {
    let refused = |scheme, alert| {
        let scene = Scene::broad().answered(V::TLS12, 0xc02f, &[]).key_exchange(None, scheme).alert(Client, alert);
        let finding = scene.findings().into_iter().find(|finding| finding.cause == Cause::ServerProtocolViolation);
        finding.map(|finding| (finding.confidence, finding.alternatives.contains(&Cause::ClientProtocolViolation)))
    };
    assert_eq!(refused(0x0806, A::ILLEGAL_PARAMETER), Some((Confidence::Hint, true)), "of its own offer");
    assert_ne!(refused(0x0201, A::ILLEGAL_PARAMETER).map(|said| said.0), Some(Confidence::Hint), "not offered");
    assert_eq!(refused(0x0806, A::DECODE_ERROR), Some((Confidence::Likely, false)), "it cannot read it");
}

#[test]
fn what_is_odd_about_a_name_is_overlooked_unless_the_server_complains_of_a_value() {
    let refused = |alert: A| {
        let mut scene = Scene::broad().alert(Server, alert);
        let rule = "an IP address, where only names are allowed (RFC 6066 section 3)";
        let kind = AnomalyKind::Defect { field: "server_name", rule };
        scene.handshake.anomalies.push(Anomaly { mark: Mark { frame: 4, ..Mark::default() }, side: Client, kind });
        scene.findings().iter().any(|finding| finding.summary.contains("server_name: an IP address"))
    };
    assert!(!refused(A::HANDSHAKE_FAILURE));
    assert!(refused(A::ILLEGAL_PARAMETER));
}

#[test]
fn a_server_that_was_not_offered_what_the_client_offers_breaks_no_rule() {
    let refused = |sentinel: bool| {
        let mut scene = Scene::broad().answered(V::TLS12, 0xc02f, &[]);
        if let Some(hello) = scene.handshake.server_hello.as_mut().filter(|_| sentinel) {
            let mut bytes = V::TLS12.0.to_be_bytes().to_vec();
            bytes.extend([0x22; 24]);
            bytes.extend(b"DOWNGRD\x01");
            bytes.extend([0, 0xc0, 0x2f, 0, 0, 0]);
            hello.what = ServerHello::parse(&bytes).unwrap();
        }
        let scene = scene.alert(Client, A::ILLEGAL_PARAMETER);
        let verdict = verdict(&scene.handshake);
        (verdict.cause(), verdict.cause.as_ref().map(|finding| finding.confidence))
    };
    assert_eq!(refused(true), (Some(Cause::RecordCorrupted), Some(Confidence::Likely)));
    assert_ne!(refused(false).0, Some(Cause::RecordCorrupted));
}

#[test]
fn an_alert_that_nobody_can_read_is_of_changed_bytes_where_another_was() {
    let told = |cause: Option<Cause>| {
        let mut facts = Scene::broad().answered(V::TLS12, 0x1301, &[(0x002b, &[3, 4])]).alert(Client, A::BAD_RECORD_MAC).handshake;
        for seen in &mut facts.alerts {
            (seen.alert, seen.encrypted) = (None, true);
        }
        let other = Related { same_endpoint: true, outcome: Outcome::Alerted, cause, ..related(at(1, 0)) };
        let knowledge = Knowledge { related: vec![other], ..Knowledge::default() };
        found_knowing(&super::record_corrupted::RULE, &facts, &knowledge).map(|finding| finding.confidence)
    };
    assert_eq!(told(Some(Cause::RecordCorrupted)), Some(Confidence::Likely));
    assert_eq!(told(Some(Cause::CertificateExpired)), None);
    assert_eq!(told(None), None);
}
