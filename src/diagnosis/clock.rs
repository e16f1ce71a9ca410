//! Whether the times of a capture can be believed: a device without a clock counts from 1970 or 2000, and a hex dump has no times at all.

use crate::handshake::Handshake;
use crate::handshake::facts::Chain;
use crate::time::Timestamp;
use crate::tls::registry::ProtocolVersion;

/// The time by which the dates of certificates can be judged; `None`: the capture says a time at which nobody can have spoken so.
pub fn date(handshake: &Handshake, said: Timestamp) -> Option<Timestamp> {
    (said.seconds() >= earliest(handshake)).then_some(said)
}

/// The time at which a chain is judged. Where the capture's is none, one at which its leaf is valid: then nothing in it has a wrong date.
pub fn judging_time(handshake: &Handshake, chain: &Chain, said: Timestamp) -> Timestamp {
    let leaf = || chain.certificates.first().map(|leaf| leaf.not_before);
    date(handshake, said).or_else(leaf).unwrap_or(said)
}

/// The second of 1970 before which nobody spoke what this handshake speaks.
fn earliest(handshake: &Handshake) -> i64 {
    let offered = handshake.last_hello().map(|hello| hello.what.highest_version());
    let chosen = handshake.server_hello.as_ref().map(|hello| hello.what.version());
    let newest = [offered, chosen].into_iter().flatten().map(ProtocolVersion::rank).max().unwrap_or(0);
    if newest >= ProtocolVersion::TLS13.rank() {
        TLS13_BEGAN
    } else if newest >= ProtocolVersion::TLS12.rank() {
        TLS12_BEGAN
    } else {
        TLS_BEGAN
    }
}

/// The capture has times for this handshake. Tools that know none write one and the same for all frames, or count them in microseconds.
pub fn runs(handshake: &Handshake) -> bool {
    let (first, last) = (handshake.flow.first, handshake.flow.last);
    let (frames, nanos) = (last.frame.saturating_sub(first.frame), last.time.nanos().saturating_sub(first.time.nanos()));
    // Frames that stand there twice, or were picked out, are counted otherwise; no two hosts exchange as many so soon.
    let sooner = frames >= FEWEST && (0..=SOONEST).contains(&nanos) && nanos.unsigned_abs() <= frames.saturating_mul(SOONEST_EACH);
    !sooner && !counts_frames(frames, nanos)
}

/// So many frames after another one, and so many nanoseconds: as many microseconds as frames, or none.
pub fn counts_frames(frames: u64, nanos: i64) -> bool {
    frames >= FEWEST && (nanos == 0 || i64::try_from(frames).ok().and_then(|frames| frames.checked_mul(1_000)) == Some(nanos))
}

/// Whether anybody can have spoken TLS at that time.
pub fn is_before_tls(time: Timestamp) -> bool {
    time.seconds() < TLS_BEGAN
}

/// Nanoseconds in which no two hosts exchange so many frames that each has no more than the following.
const SOONEST: i64 = 100_000;
/// Nanoseconds from frame to frame.
const SOONEST_EACH: u64 = 4_000;
/// Fewer frames may lie within one tick of a clock.
const FEWEST: u64 = 4;
/// SSL 2.0: 1995-01-01.
const TLS_BEGAN: i64 = 788_918_400;
/// RFC 5246: 2008-01-01.
const TLS12_BEGAN: i64 = 1_199_145_600;
/// RFC 8446, whose number no draft used: 2018-01-01.
const TLS13_BEGAN: i64 = 1_514_764_800;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{Scene, at};
    use crate::time::Mark;
    use crate::tls::registry::ProtocolVersion as V;

    #[test]
    fn a_time_before_what_is_spoken_is_none() {
        let handshake = |version| Scene::broad().answered(version, 0xc02b, &[]).handshake;
        let second = |seconds| Timestamp::from_parts(seconds, 0);
        let modern = handshake(V::TLS13);
        for said in [0, 86_400, 946_684_800, TLS13_BEGAN - 1] {
            assert_eq!(date(&modern, second(said)), None, "{said}");
        }
        assert_eq!(date(&modern, second(TLS13_BEGAN)), Some(second(TLS13_BEGAN)));
        assert_eq!(date(&modern, second(4_000_000_000)), Some(second(4_000_000_000)), "the future is not excluded");
    }

    #[test]
    fn frames_that_are_counted_have_no_times() {
        assert!(counts_frames(12, 0) && counts_frames(12, 12_000));
        assert!(!counts_frames(12, 11_999) && !counts_frames(12, 12_001), "another clock");
        assert!(!counts_frames(3, 0), "within one tick");
        assert!(!counts_frames(u64::MAX, 1));
        let mut handshake = Scene::broad().handshake;
        (handshake.flow.first, handshake.flow.last) = (at(3, 0), at(20, 0));
        assert!(!runs(&handshake));
        handshake.flow.last = at(20, 40);
        assert!(runs(&handshake));
        let mut ends = |frames: u64, nanos: i64| {
            handshake.flow.last = Mark { frame: 3 + frames, time: Timestamp::from_nanos(nanos) };
            runs(&handshake)
        };
        assert!(!ends(20, 10_000), "each of them twice");
        assert!(!ends(8, 17_000), "one direction of them");
        assert!(ends(8, 90_000), "two processes of one host");
        assert!(ends(100_000, 300_000), "among many others");
    }
}
