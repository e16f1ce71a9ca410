//! Whose the ends of connections are is asked beside the analysis, and nothing waits for it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use handshark::capture::looked_at;
use handshark::owners::{Desk, Tap};
use handshark::pipeline::Options;
use handshark::time::{Clock, Timestamp};
use serde_json::json;

use super::support::{analyse_with, fixtures, open, options};

/// A question: a token of eight bytes first, and 40 more.
type Question = [u8; 48];

#[test]
fn answers_that_trickle_in_delay_no_verdict() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let desk = Desk::new(near).unwrap();
    // One of them now and then, so that others are always on their way.
    thread::spawn(move || {
        let mut question: Question = [0; 48];
        while far.read_exact(&mut question).is_ok() {
            let (token, _) = question.split_first_chunk().unwrap();
            let process = json!({"pid": 812, "name": "python3", "executable": null, "start": null, "sharers": []});
            let owner = json!({"basis": "connection", "process": process, "user": null, "container": null, "pod": null, "unit": null});
            let answer = json!({"token": u64::from_be_bytes(*token), "owner": owner});
            if writeln!(far, "{answer}").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut tap = Tap::new(&desk, |_| false);
    let capture = fixtures().join("captures/incident/incident-small.pcapng.zst");
    let live = || Options {
        hold: Duration::from_secs(1),
        clock: Some(Clock::new(|| Timestamp::from_parts(1_795_255_200, 0))),
        ..options(1, false)
    };
    let unowned = analyse_with(open(&[&capture]), &live()).handshakes.len();
    let source = looked_at(open(&[&capture]), move |block| tap.look(block));
    let live = Options { owners: Some(desk.clone()), ..live() };
    let begun = Instant::now();
    let said = analyse_with(source, &live);
    assert_eq!(said.handshakes.len(), unowned);
    // Half a second for each of them would be minutes.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let counts = desk.counts();
    let told: u64 = counts.known.values().sum();
    assert!(counts.late > 0 && told + counts.late + counts.left_out >= 400, "{counts:?}");
}
