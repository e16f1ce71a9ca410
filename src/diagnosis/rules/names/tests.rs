//! Tests of the family names: what it makes of whole handshakes.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::testing::{BROAD, Scene, with, without};
use crate::flow::Side::{Client, Server};
use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};

#[test]
fn names() {
    let nameless = || Scene::hello(V::TLS12, BROAD, &without(&[0x0000], true));
    assert_eq!(nameless().alert(Server, A::UNRECOGNIZED_NAME).cause(), Some((Cause::SniMissing, Confidence::Certain)));
    assert_eq!(nameless().alert(Server, A::HANDSHAKE_FAILURE).cause(), Some((Cause::SniMissing, Confidence::Likely)));
    let mut database = nameless().alert(Server, A::HANDSHAKE_FAILURE);
    database.handshake.server.port = 5432;
    assert_ne!(database.cause().map(|found| found.0), Some(Cause::SniMissing), "PostgreSQL asks for no name");
    let mut narrow = Scene::hello(V::TLS12, &[0xc02f, 0xc030, 0x00ff], &without(&[0x0000], false)).alert(Server, A::HANDSHAKE_FAILURE);
    assert_ne!(narrow.cause().map(|found| found.0), Some(Cause::SniMissing), "two suites are as good a reason");
    narrow.knowledge.completed_other_names = 2;
    assert_eq!(narrow.cause(), Some((Cause::SniMissing, Confidence::Strong)), "names make the difference here");
    assert_eq!(Scene::broad().alert(Server, A::UNRECOGNIZED_NAME).cause(), Some((Cause::SniUnrecognized, Confidence::Certain)));
    let warned = Scene::broad().warning(Server, A::UNRECOGNIZED_NAME).answered(V::TLS12, 0xc02f, &[]).alert(Client, A::HANDSHAKE_FAILURE);
    assert_eq!(warned.cause(), Some((Cause::SniUnrecognized, Confidence::Strong)));
    let tolerated = Scene::broad().warning(Server, A::UNRECOGNIZED_NAME).answered(V::TLS12, 0xc02f, &[(0xff01, &[0])]);
    assert_eq!(tolerated.cause(), None);
    assert_eq!(tolerated.findings()[0].weight, Weight::Note);
    let mut elsewhere = Scene::broad().alert(Server, A::HANDSHAKE_FAILURE);
    elsewhere.knowledge.completed_other_names = 3;
    assert_eq!(elsewhere.cause(), Some((Cause::SniUnrecognized, Confidence::Strong)));
    let alpn = Scene::hello(V::TLS12, BROAD, &with(0x0010, &[0, 3, 2, b'h', b'2'], true)).alert(Server, A::NO_APPLICATION_PROTOCOL);
    assert_eq!(alpn.cause(), Some((Cause::AlpnNoOverlap, Confidence::Certain)));
    assert!(alpn.findings()[0].summary.contains("h2"));
}
