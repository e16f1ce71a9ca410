//! Tests of the family psk: what it makes of whole handshakes.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::testing::{BROAD, Scene, extensions, legacy, with};
use crate::flow::Side::Server;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::Mark;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion as V};

#[test]
fn pre_shared_keys() {
    let mut list = extensions(true);
    list.push((0x002d, vec![1, 1]));
    list.push((0x0029, [&[0, 7, 0, 1, b'c', 0, 0, 0, 0, 0, 33, 32][..], &[9; 32]].concat()));
    let external = || Scene::hello(V::TLS12, BROAD, &list);
    assert_eq!(external().alert(Server, A::ILLEGAL_PARAMETER).cause(), Some((Cause::PskMismatch, Confidence::Strong)));
    assert_eq!(external().alert(Server, A::UNKNOWN_PSK_IDENTITY).cause(), Some((Cause::PskUnknownIdentity, Confidence::Certain)));
    let exchanged = || {
        let mut scene = Scene::hello(V::TLS12, &[0x00a8, 0x008c, 0x00ff], &extensions(false)).answered(V::TLS12, 0x00a8, &[(0xff01, &[0])]);
        scene.handshake.client_key_exchange = Some(scene.next_mark());
        scene.handshake.change_cipher_spec.client = Some(scene.next_mark());
        scene
    };
    assert_eq!(exchanged().alert(Server, A::UNKNOWN_PSK_IDENTITY).cause(), Some((Cause::PskUnknownIdentity, Confidence::Certain)));
    assert_eq!(exchanged().alert(Server, A::BAD_RECORD_MAC).cause(), Some((Cause::PskMismatch, Confidence::Strong)));
    let mut silent = exchanged().ended(Outcome::Stalled, StoppedBy::Server);
    silent.handshake.protocol = crate::handshake::facts::Protocol::Dtls;
    assert_eq!(silent.cause(), Some((Cause::PskMismatch, Confidence::Likely)));
}

#[test]
fn tickets_that_are_refused_again_and_again() {
    let list = with(0x0023, &[1; 100], false);
    let mut scene = Scene::hello(V::TLS12, &legacy(), &list).answered(V::TLS12, 0xc02f, &[(0xff01, &[0])]);
    assert_eq!(scene.cause(), None);
    assert_eq!(scene.findings()[0].cause, Cause::TicketsNotShared);
    // Many that were refused may all have expired.
    (scene.knowledge.resumptions_offered, scene.knowledge.resumptions_accepted) = (4, 1);
    assert_eq!(scene.cause(), None);
    scene.knowledge.ticket.issued = Some(Mark::default());
    assert_eq!(scene.cause(), Some((Cause::TicketsNotShared, Confidence::Likely)));
    (scene.knowledge.resumptions_offered, scene.knowledge.resumptions_accepted) = (4, 3);
    assert_eq!(scene.cause(), None, "a server may be restarted once");
    scene.knowledge.ticket.accepted = Some(Mark::default());
    assert_eq!(scene.cause(), Some((Cause::TicketsNotShared, Confidence::Strong)));
}
