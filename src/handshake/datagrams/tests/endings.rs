//! How flows end in which one side is not heard, has left, or cannot be read.

use super::*;
use crate::handshake::facts::Fact;

/// A Handshake packet of the client, readable by nobody.
fn from_client(len: u16) -> Vec<u8> {
    handshake_packet(SCID, b"c", len)
}

/// A packet of the server by which it closes or acknowledges, with a 1-RTT packet behind it.
fn both_levels(len: u16) -> Vec<u8> {
    [handshake_packet(b"c", SCID, len), short(9)].concat()
}

/// The client's fixed bit is not clear, the server's is, in every packet.
fn greased_answer() -> Vec<u8> {
    let frames = [&[2, 0, 0, 0, 0][..], &crypto(0, &server_hello())].concat();
    let initial = long_with(0x80, &keys().server, 0, (b"c", SCID), &[], 0, &frames, false);
    let mut handshake = handshake_packet(b"c", SCID, 300);
    handshake[0] &= !0x40;
    [initial, handshake, vec![0x09; 40]].concat()
}

fn retry() -> Vec<u8> {
    [&[0xf0, 0, 0, 0, 1, 1, b'c', 5][..], b"retryTOKEN", &[9; 16]].concat()
}

fn with_token(number: u8) -> Vec<u8> {
    let again = InitialKeys::new(Version::V1, b"retry").unwrap();
    long(&again.client, 0, (b"retry", b"c"), b"TOKEN", number, &crypto(0, &client_hello(0)), true)
}

fn close(number: u8, reason: &str) -> Vec<u8> {
    let frame = [&[0x1c, 0, 0, u8::try_from(reason.len()).unwrap()][..], reason.as_bytes()].concat();
    long(&keys().client, 0, (SCID, b"c"), &[], number, &frame, false)
}

fn ended(wire: &mut Wire) -> (Outcome, StoppedBy) {
    let h = wire.only();
    (h.outcome, h.stopped_by)
}

#[test]
fn a_fixed_bit_that_is_clear_hides_nothing() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&greased_answer()).client(&from_client(60)).client(&short(1));
    wire.server(&[0x15; 40]).client(&[0x2a; 40]);
    let h = wire.only();
    assert_eq!(h.outcome, Outcome::Completed);
    let quic = h.quic.as_ref().unwrap();
    assert_eq!((quic.handshakes.server.count, quic.shorts.server.count, quic.shorts.client.count), (1, 2, 2));
}

#[test]
fn what_is_not_quic_stays_out_of_a_known_flow() {
    let stun = [&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[7; 20]].concat();
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&stun).server(&[0; 12]);
    let h = wire.only();
    assert_eq!((h.flow.side(Side::Client).packets, h.flow.side(Side::Server).packets), (1, 1));
}

#[test]
fn a_server_that_is_ahead_of_the_clients_first_packet_completes_too() {
    // Two 1-RTT packets of the server come between the client's Finished and the client's first 1-RTT packets.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(60)).server(&short(1)).server(&short(2));
    wire.client(&short(3)).client(&short(4)).client(&short(5));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Completed, StoppedBy::Nobody));
    assert_eq!((h.application_data.server.map(|mark| mark.frame), h.application_records.server), (Some(4), 2));
    // Without the ServerHello (it could not be read) several of each side show it as well.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&[0xc0, 0, 0, 0, 1, 1, b'c', 0, 0, 0x40, 60]).client(&from_client(60));
    wire.server(&short(1)).client(&short(2)).client(&short(3)).server(&short(4));
    assert_eq!(ended(&mut wire), (Outcome::Completed, StoppedBy::Nobody));
}

#[test]
fn only_what_is_complete_is_settled() {
    // The server's 1-RTT packets are all older than the client's Finished.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).server(&short(1)).server(&short(2)).client(&from_client(60));
    wire.client(&short(3)).client(&short(4));
    assert!(wire.shared.concluded.is_empty());
    wire.server(&short(5));
    assert!(wire.shared.concluded.is_empty(), "one may have gone out before the server looked at the Finished");
    wire.server(&short(6));
    assert_eq!(wire.shared.concluded.len(), 1, "now it is");
    assert_eq!(wire.shared.concluded[0].outcome, Outcome::Completed);
}

#[test]
fn ever_new_packets_without_an_answer_are_a_silence() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer());
    for size in [40, 41, 42, 43, 44] {
        wire.wait(200).client(&from_client(size));
    }
    assert_eq!(ended(&mut wire), (Outcome::Stalled, StoppedBy::Network));
    // The close at the end does not hide it, and one that says so is believed sooner.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer());
    for size in [40, 41, 42, 43] {
        wire.wait(300).client(&from_client(size));
    }
    wire.client(&close(3, ""));
    assert_eq!(ended(&mut wire), (Outcome::Stalled, StoppedBy::Network));
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(40)).client(&close(3, "No recent network activity."));
    assert_eq!(ended(&mut wire), (Outcome::Stalled, StoppedBy::Network));
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(40)).client(&close(3, "bye"));
    assert_eq!(ended(&mut wire), (Outcome::Closed, StoppedBy::Client));
}

#[test]
fn a_close_without_a_reason_answers_the_clients() {
    // The server's CONNECTION_CLOSE in an Initial packet: NO_ERROR, or INTERNAL_ERROR.
    let closes = |code: u8| long(&keys().server, 0, (b"c", SCID), &[], 1, &[0x1c, code, 0, 0], false);
    let told = |code: u8, client: u16, looked: i64, until: i64| {
        let mut wire = Wire::new();
        wire.client(&first_initial(0)).server(&answer()).wait(looked).client(&from_client(client)).wait(until).server(&closes(code));
        ended(&mut wire)
    };
    assert_eq!(told(0, 25, 5, 30), (Outcome::Alerted, StoppedBy::Client));
    assert_eq!(told(1, 25, 5, 30), (Outcome::Closed, StoppedBy::Server), "a reason of its own");
    assert_eq!(told(0, 25, -10, 30), (Outcome::Closed, StoppedBy::Server), "an acknowledgment, which goes out at once");
    assert_eq!(told(0, 25, 5, 4_000), (Outcome::Closed, StoppedBy::Server), "nobody answers so late");
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).wait(30).server(&closes(0));
    assert_eq!(ended(&mut wire), (Outcome::Closed, StoppedBy::Server), "the client had said nothing");
}

#[test]
fn acknowledgments_that_are_alike_repeat_no_answer() {
    // Two acknowledgments of 24 bytes, then what is smaller than a Finished with one, and silence.
    let closes = |before: u16, last: u16| {
        let mut wire = Wire::new();
        wire.client(&first_initial(0)).server(&answer());
        wire.client(&from_client(before)).server(&handshake_packet(b"c", SCID, 900)).client(&from_client(before));
        wire.server(&handshake_packet(b"c", SCID, 150)).client(&from_client(last)).wait(700);
        ended(&mut wire)
    };
    assert_eq!(closes(24, 61), (Outcome::Alerted, StoppedBy::Client));
    assert_ne!(closes(60, 61).0, Outcome::Alerted, "a Finished may have been sent twice");
}

#[test]
fn a_server_that_repeats_its_flight_waits_for_the_client() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer());
    for _ in 0..3 {
        wire.wait(400).server(&long(&keys().server, 0, (b"c", SCID), &[], 1, &crypto(0, &server_hello()), false));
    }
    assert_eq!(ended(&mut wire), (Outcome::Stalled, StoppedBy::Client));
    // Acknowledgments of copies of the hello are no progress: both sides repeat themselves, and neither hears the other.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer());
    for number in 1..4 {
        wire.wait(300).client(&first_initial(number));
        wire.server(&long(&keys().server, 0, (b"c", SCID), &[], number, &[2, number, 0, 0, 0], false));
    }
    assert_eq!(ended(&mut wire), (Outcome::Stalled, StoppedBy::Network));
}

#[test]
fn a_token_that_leads_to_nothing_is_no_progress() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&retry());
    for number in 1..6 {
        wire.wait(200).client(&with_token(number));
    }
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Stalled, StoppedBy::Network));
    assert_eq!(h.quic.as_ref().unwrap().retries_after_token, 0);
    // A server that answers the token with another Retry refuses it; two packets of one hello get two without that.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&retry()).client(&with_token(1)).server(&retry()).client(&with_token(2)).server(&retry());
    assert_eq!(ended(&mut wire), (Outcome::Refused, StoppedBy::Server));
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).client(&first_initial(1)).server(&retry()).client(&with_token(2)).server(&retry());
    let h = wire.only();
    assert_eq!((h.outcome, h.quic.as_ref().unwrap().retries_after_token), (Outcome::Incomplete, 0));
}

#[test]
fn numbers_that_are_missing_were_sent() {
    let ack = |number| long(&keys().server, 0, (b"c", SCID), &[], number, &[2, 0, 0, 0, 0], false);
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&ack(3)).server(&ack(4)).server(&ack(7));
    assert_eq!(wire.only().observed.quic.unwrap().numbers.server.missing(), 5);
}

#[test]
fn icmp_after_the_first_answer_says_who_is_gone() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(60)).unreachable(Side::Client, 80).client(&from_client(60));
    assert_eq!(ended(&mut wire), (Outcome::Closed, StoppedBy::Server));
    // A server that is heard again, by a client that goes on, is not gone.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(60)).unreachable(Side::Client, 80);
    wire.client(&from_client(61)).server(&both_levels(40));
    assert_eq!(ended(&mut wire).0, Outcome::Incomplete);
    // The client's host refuses the very first answer, which is late.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).wait(200).client(&first_initial(1)).wait(400).client(&first_initial(2)).wait(4000);
    let first = answer();
    wire.server(&first).unreachable(Side::Server, u32::try_from(first.len()).unwrap());
    assert_eq!(ended(&mut wire), (Outcome::Closed, StoppedBy::Client));
    // It refuses a later one when it has given up, and the first answers never arrived: the client repeated its hello all the time.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&first);
    for number in 1..4 {
        wire.wait(400).client(&first_initial(number)).server(&long(
            &keys().server,
            0,
            (b"c", SCID),
            &[],
            number,
            &[2, number, 0, 0, 0],
            false,
        ));
    }
    let again = long(&keys().server, 0, (b"c", SCID), &[], 5, &crypto(0, &server_hello()), false);
    wire.wait(3000).server(&again).unreachable(Side::Server, u32::try_from(again.len()).unwrap());
    assert_eq!(ended(&mut wire), (Outcome::Stalled, StoppedBy::Network));
}

#[test]
fn a_server_that_says_the_same_to_everything_has_closed() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(70)).server(&both_levels(50)).client(&short(1));
    wire.server(&both_levels(50)).client(&short(2)).server(&both_levels(50));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, h.alerts[0].mark.frame), (Outcome::Alerted, StoppedBy::Server, 4));
    assert!(h.hidden.client_certificate_empty && h.hidden.certificate_requested.happened());
    // Once is enough when both packets say the same by their size.
    let twice = [handshake_packet(b"c", SCID, 38), short(9)].concat();
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(70)).client(&short(1)).server(&twice);
    assert_eq!(ended(&mut wire), (Outcome::Alerted, StoppedBy::Server));
    // Once is enough when silence follows; before that it is open.
    let once = |wait| {
        let mut wire = Wire::new();
        wire.client(&first_initial(0)).server(&answer()).client(&from_client(70)).client(&short(1)).server(&both_levels(50)).wait(wait);
        ended(&mut wire)
    };
    assert_eq!((once(2000), once(20).0), ((Outcome::Alerted, StoppedBy::Server), Outcome::Incomplete));
    // One that goes on has acknowledged the Finished and lays its Handshake keys down.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(70)).server(&both_levels(50)).client(&short(1));
    wire.server(&short(3)).client(&short(2)).server(&short(4));
    assert_eq!(ended(&mut wire), (Outcome::Completed, StoppedBy::Nobody));
}

#[test]
fn a_server_that_goes_on_without_handshake_keys_has_the_finished() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(109)).server(&short(1)).wait(90).server(&short(2));
    wire.wait(200).unreachable(Side::Server, 40);
    assert_eq!(ended(&mut wire), (Outcome::Completed, StoppedBy::Nobody), "the client left afterwards");
    // An acknowledgment has no room for a Finished, and what the server sends may be ahead of it.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(24)).server(&short(1)).wait(90).server(&short(2));
    assert_eq!(ended(&mut wire).0, Outcome::Incomplete);
}

#[test]
fn who_hears_that_the_server_is_gone_leaves_because_of_it() {
    // What was on its way still comes, and the client's alert answers the message of the server's host.
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[]))).server(&whole(3, 0, &[0xfe, 0xff, 2, 8, 8]));
    wire.client(&whole(1, 1, &dtls_hello(1, &[8, 8]))).unreachable(Side::Client, 80).client(&record(21, 0, &[2, 80]));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, h.alerts[0].consequence), (Outcome::Closed, StoppedBy::Server, true));
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(37)).unreachable(Side::Client, 80).server(&both_levels(30));
    wire.unreachable(Side::Server, 70).wait(2000);
    assert_eq!(ended(&mut wire), (Outcome::Closed, StoppedBy::Server));
}

#[test]
fn a_client_that_is_refused_may_say_so_itself() {
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[]))).unreachable(Side::Client, 80).client(&record(21, 0, &[2, 80]));
    assert_eq!(ended(&mut wire), (Outcome::Refused, StoppedBy::Server));
    // It gave up, and what is refused is what it said of that.
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[]))).client(&record(21, 0, &[2, 80])).unreachable(Side::Client, 15);
    assert_eq!(ended(&mut wire), (Outcome::Alerted, StoppedBy::Client));
}

#[test]
fn a_reason_is_longer_than_a_finished() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(40)).client(&from_client(219));
    assert_eq!(ended(&mut wire), (Outcome::Alerted, StoppedBy::Client));
    for len in [60, 900] {
        let mut wire = Wire::new();
        wire.client(&first_initial(0)).server(&answer()).client(&from_client(40)).client(&from_client(len));
        assert_eq!(ended(&mut wire).0, Outcome::Incomplete, "{len}: a Finished, or a certificate");
    }
}

#[test]
fn a_hello_that_was_cut_is_a_hello() {
    let hello = first_initial(0);
    let mut wire = Wire::new();
    wire.send_cut(Side::Client, &hello, 86).send_cut(Side::Server, &answer(), 86);
    let h = wire.only();
    assert_eq!((h.protocol, h.outcome), (Protocol::Quic, Outcome::Incomplete));
    assert_eq!(relevance(&h), Relevance::Report);
    let mut wire = Wire::new();
    wire.client(&hello[..86]);
    assert_ne!(relevance(&wire.only()), Relevance::Report, "no client's first datagram is so short");
}

#[test]
fn two_sides_that_forget_their_timers_were_not_captured() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).wait(9000);
    assert_eq!(ended(&mut wire), (Outcome::Incomplete, StoppedBy::Capture));
    // A server that has sent all that it may waits for the client.
    let mut wire = Wire::new();
    wire.client(&first_initial(0))
        .server(&answer())
        .server(&handshake_packet(b"c", SCID, 1200))
        .server(&handshake_packet(b"c", SCID, 1150));
    wire.wait(9000);
    assert_eq!(ended(&mut wire), (Outcome::Stalled, StoppedBy::Client));
}

#[test]
fn a_flight_that_nobody_answered_may_be_whole_or_not() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer());
    let h = wire.only();
    assert_eq!((h.hidden.server_flight_done, h.hidden.certificate_requested), (Fact::Unseen, Fact::Unseen));
    assert!(h.server_flight_is_over());
}

#[test]
fn a_cookie_that_is_not_returned_is_the_clients_to_return() {
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[]))).server(&whole(3, 0, &[0xfe, 0xff, 2, 8, 8])).wait(20_000);
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Stalled, StoppedBy::Client));
    assert_eq!(h.awaited_second_hello(), Some("the ClientHello with the cookie"));
    // The same of the token of a Retry, though the hello came in two datagrams and the Retry between them.
    let hello = client_hello(1500);
    let piece = |number, offset, part: &[u8]| long(&keys().client, 0, (DCID, b"c"), &[], number, &crypto(offset, part), true);
    let mut wire = Wire::new();
    wire.client(&piece(0, 0, &hello[..1000])).server(&retry()).client(&piece(1, 1000, &hello[1000..])).wait(20_000);
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Stalled, StoppedBy::Client));
    assert_eq!(h.server_name().as_deref(), Some("quic.example"));
}

#[test]
fn what_answers_a_first_packet_without_a_long_header_is_not_quic() {
    let answered = |bytes: &[u8]| {
        let mut wire = Wire::new();
        wire.client(&first_initial(0)).server(bytes).wait(1_000).client(&first_initial(0)).server(bytes);
        wire.wait(2_000).client(&first_initial(0)).server(bytes).wait(4_000).client(&first_initial(0));
        let h = wire.only();
        let strange = h.quic.as_ref().unwrap().strange.map(|strange| (strange.count, strange.len, strange.head));
        (h.flow.side(Side::Server).packets, h.outcome, strange)
    };
    assert_eq!(answered(&[0; 40]), (0, Outcome::Stalled, Some((3, 40, [0; 8]))));
    assert_eq!(answered(b"SSH-2.0-OpenSSH_9.9 and more of it"), (0, Outcome::Stalled, Some((3, 34, *b"SSH-2.0-"))));
    assert_eq!(answered(&[7, 7]), (0, Outcome::Stalled, Some((3, 2, [7, 7, 0, 0, 0, 0, 0, 0]))));
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).server(&short(1));
    let h = wire.only();
    assert_eq!((h.flow.side(Side::Server).packets, h.quic.as_ref().unwrap().strange), (2, None), "behind an Initial packet");
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).client(&from_client(60)).server(&short(1));
    let h = wire.only();
    assert_eq!((h.flow.side(Side::Server).packets, h.quic.as_ref().unwrap().strange), (1, None), "the capture lacks the Initial packet");
}

/// The server closes at all levels: its Initial packet, which everybody can read, says why.
fn closes_at_all_levels(code: u16) -> Vec<u8> {
    let frame = [&[0x1c][..], &(0x4000 | code).to_be_bytes(), &[0, 0]].concat();
    let initial = long(&keys().server, 0, (b"c", SCID), &[], 1, &frame, false);
    [initial, handshake_packet(b"c", SCID, 24), short(9)].concat()
}

#[test]
fn a_server_that_closes_in_an_initial_packet_has_not_taken_the_finished() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&[answer(), short(6)].concat()).client(&from_client(70)).client(&short(1)).client(&short(2));
    wire.server(&short(7)).server(&closes_at_all_levels(0x174));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, h.alerts[0].mark.frame), (Outcome::Alerted, StoppedBy::Server, 7));
    assert!(h.hidden.client_certificate_empty, "a packet with room for a Finished and an empty Certificate");
    // One that goes on has laid its Initial keys down: who closes with them is somebody else, and too late.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&[answer(), short(6)].concat()).client(&from_client(70)).client(&short(1)).client(&short(2));
    wire.server(&short(7)).server(&short(8)).server(&closes_at_all_levels(0x174));
    assert_eq!(ended(&mut wire), (Outcome::Completed, StoppedBy::Nobody));
}

#[test]
fn a_close_of_the_size_of_an_acknowledgment_is_no_probe() {
    // What the client had to send twice before it was answered says nothing of what it answers.
    let refused = |last: u16, wait| {
        let mut wire = Wire::new();
        wire.client(&first_initial(0)).client(&first_initial(1)).server(&answer()).client(&from_client(22));
        wire.server(&handshake_packet(b"c", SCID, 800)).client(&from_client(last)).wait(wait);
        ended(&mut wire)
    };
    assert_eq!(refused(22, 2_000), (Outcome::Alerted, StoppedBy::Client));
    assert_eq!(refused(61, 2_000), (Outcome::Alerted, StoppedBy::Client));
    assert_eq!(refused(22, 20).0, Outcome::Incomplete, "what follows may not be in the capture");
    // One that waits asks again, for longer.
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&from_client(70)).wait(100).client(&from_client(70)).wait(1_500);
    assert_eq!(ended(&mut wire).0, Outcome::Incomplete);
}

#[test]
fn a_server_that_talks_to_a_closed_socket_is_not_who_ended_it() {
    let answered = |wire: &mut Wire| {
        wire.client(&whole(1, 0, &dtls_hello(1, &[]))).server(&whole(3, 0, &[0xfe, 0xff, 2, 8, 8]));
        wire.client(&whole(1, 1, &dtls_hello(1, &[8, 8])));
    };
    let mut wire = Wire::new();
    answered(&mut wire);
    wire.server(&whole(14, 2, &[])).unreachable(Side::Server, 25).server(&record(21, 9, &[2, 80]));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, h.alerts[0].consequence), (Outcome::Closed, StoppedBy::Client, true));
    // The alert was first: the client left because of it.
    let mut wire = Wire::new();
    answered(&mut wire);
    wire.server(&record(21, 9, &[2, 80])).unreachable(Side::Server, 15);
    assert_eq!(ended(&mut wire), (Outcome::Alerted, StoppedBy::Server));
}

#[test]
fn an_alert_behind_what_was_cut_off_may_be_a_farewell() {
    // All that the capture holds of DTLS whose larger datagrams were cut in the middle of their messages.
    let ended = |captured: usize, data: bool| {
        let mut hello = vec![0xfe, 0xfd];
        hello.extend([5; 32]);
        hello.extend([0, 0xc0, 0x2b, 0]);
        let mut wire = Wire::new();
        let (client, server) = (whole(1, 0, &dtls_hello(1, &[])), whole(2, 0, &hello));
        wire.send_cut(Side::Client, &client, captured).send_cut(Side::Server, &server, captured);
        let finish = [whole(16, 1, &[7; 66]), record(20, 0, &[1]), record(22, 1, &[9; 40])].concat();
        wire.send_cut(Side::Client, &finish, captured).server(&[record(20, 0, &[1]), record(22, 1, &[9; 40])].concat());
        if data {
            wire.client(&record(23, 1, &[9; 40]));
        }
        ended(wire.client(&record(21, 1, &[9; 26])))
    };
    assert_eq!(ended(30, true), (Outcome::Completed, StoppedBy::Nobody));
    assert_eq!(ended(30, false), (Outcome::Incomplete, StoppedBy::Capture));
    assert_ne!(ended(usize::MAX, false).1, StoppedBy::Capture, "nothing is lacking");
}

#[test]
fn the_servers_side_of_a_handshake_alone_is_a_handshake() {
    let mut wire = Wire::new();
    wire.server(&handshake_packet(b"client", SCID, 300)).server(&handshake_packet(b"client", SCID, 80)).wait(60_000);
    let h = wire.only();
    assert_eq!((h.outcome, relevance(&h)), (Outcome::Incomplete, Relevance::Report));
    let mut wire = Wire::new();
    wire.client(&handshake_packet(SCID, b"client", 300)).server(&handshake_packet(b"client", SCID, 80)).wait(60_000);
    assert_ne!(relevance(&wire.only()), Relevance::Report, "what goes on from another port has both");
}

#[test]
fn data_of_dtls_shows_that_both_had_finished_out_of_view() {
    let mut hello = vec![0xfe, 0xfd];
    hello.extend([5; 32]);
    hello.extend([0, 0xc0, 0x2b, 0]);
    let begun = |wire: &mut Wire| {
        wire.client(&whole(1, 0, &dtls_hello(1, &[]))).server(&whole(2, 0, &hello));
    };
    let unread = record(21, 1, &[7; 26]);
    let mut wire = Wire::new();
    begun(&mut wire);
    wire.client(&record(23, 1, &[7; 30])).client(&unread);
    assert_eq!(ended(&mut wire), (Outcome::Completed, StoppedBy::Nobody));
    let mut wire = Wire::new();
    begun(&mut wire);
    wire.client(&unread);
    assert_eq!(ended(&mut wire), (Outcome::Alerted, StoppedBy::Client), "nobody had anything to say");
}

#[test]
fn an_authenticator_that_asks_again_has_waited() {
    let request = |number: u8| {
        let eap = [&[2, 1, 0, 8, 1][..], b"joe"].concat();
        let attribute = [&[79, u8::try_from(eap.len() + 2).unwrap()][..], &eap].concat();
        let len = u16::try_from(20 + attribute.len()).unwrap().to_be_bytes();
        [&[1, number][..], &len, &[number; 16], &attribute].concat()
    };
    let mut wire = Wire::new();
    wire.client(&request(1)).wait(3_000).client(&request(1));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, relevance(&h)), (Outcome::Stalled, StoppedBy::Network, Relevance::Report));
    let mut wire = Wire::new();
    wire.client(&request(1)).wait(500).client(&request(1));
    assert_eq!(wire.only().outcome, Outcome::Incomplete, "no timer is as short");
    let challenge = [&[11, 1, 0, 28][..], &[5; 16], &[79, 8, 1, 3, 0, 6, 25, 0x20]].concat();
    let mut wire = Wire::new();
    wire.client(&request(1)).wait(3_000).client(&request(1)).server(&challenge);
    assert_eq!(wire.only().outcome, Outcome::Incomplete, "it was answered, if late");
}

/// A full handshake of DTLS 1.2 up to the server's flight.
fn dtls_up_to_the_flight(wire: &mut Wire) {
    let hello = [&[0xfe, 0xfd][..], &[5; 32], &[0, 0xc0, 0x2b, 0]].concat();
    wire.client(&whole(1, 0, &dtls_hello(1, &[]))).server(&[whole(2, 0, &hello), whole(14, 1, &[])].concat());
}

#[test]
fn a_farewell_that_overtakes_the_copy_of_a_finished_refuses_nothing() {
    let finish = |kind: u8| [whole(kind, 1, &[7; 66]), record(20, 0, &[1]), record(22, 1, &[9; 40])].concat();
    let answer = [record(20, 0, &[1]), record(22, 1, &[9; 40])].concat();
    let (data, farewell) = (record(23, 1, &[9; 40]), record(21, 1, &[7; 26]));
    // The server's Finished was lost to the capture, and a late copy of it is there.
    for said in [vec![(Side::Client, &data)], vec![]] {
        let mut wire = Wire::new();
        dtls_up_to_the_flight(&mut wire);
        wire.client(&finish(16));
        for (side, bytes) in said {
            wire.send(side, bytes);
        }
        wire.client(&farewell).server(&farewell).server(&answer);
        assert_eq!(ended(&mut wire), (Outcome::Completed, StoppedBy::Nobody));
    }
    // It is not there at all: the server says goodbye under the keys that it takes with its Finished.
    let mut wire = Wire::new();
    dtls_up_to_the_flight(&mut wire);
    wire.client(&finish(16)).client(&farewell).server(&farewell);
    assert_eq!(ended(&mut wire), (Outcome::Completed, StoppedBy::Nobody));
    // Nor does it show what the client left for.
    let mut wire = Wire::new();
    dtls_up_to_the_flight(&mut wire);
    wire.client(&finish(16)).client(&farewell);
    assert_eq!(ended(&mut wire), (Outcome::Incomplete, StoppedBy::Capture));
    // Who refuses says so in clear, and a server that does not take a Finished changes no keys.
    for (side, who) in [(Side::Client, StoppedBy::Client), (Side::Server, StoppedBy::Server)] {
        let mut wire = Wire::new();
        dtls_up_to_the_flight(&mut wire);
        wire.client(&finish(16)).send(side, &record(21, 0, &[2, 46]));
        assert_eq!(ended(&mut wire), (Outcome::Alerted, who));
    }
}

#[test]
fn data_of_dtls_13_stands_behind_a_finished_of_which_a_copy_comes_later() {
    let hello = [&[0xfe, 0xfd][..], &[5; 32], &[0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 0xfe, 0xfc]].concat();
    let sealed = |epoch: u8, number: u8, len: u8| [&[0x2c | epoch, 1, number, 0, len][..], &vec![3; usize::from(len)]].concat();
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[])));
    wire.server(&[whole(2, 0, &hello), sealed(2, 2, 200), sealed(2, 3, 61)].concat());
    wire.server(&sealed(3, 4, 35)).client(&sealed(3, 5, 90)).server(&sealed(3, 6, 90)).server(&sealed(3, 7, 19)).client(&sealed(2, 1, 61));
    assert_eq!(wire.only().outcome, Outcome::Completed);
}
