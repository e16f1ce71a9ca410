//! What the server does behind the client's Finished: what it means of a client's certificate that a server which issues no tickets keeps silent, and
//! whether it heard the Finished at all.

use std::time::Duration;

use crate::flow::Side;
use crate::time::Mark;
use crate::transport::FlowFacts;

use super::facts::Observed;

/// A server that refuses a client's certificate has said so by then, even where it asks others about it.
pub(super) const JUDGED: Duration = Duration::from_secs(2);

/// Records of the client.
const SEVERAL: usize = 3;

/// The client went on to use the connection, and the server took it all without a word, for longer than it takes to judge a certificate: in protocols
/// in which only clients talk, a server that issues no tickets never says that it accepted one.
pub(super) fn taken_in_silence(h: &Observed, flow: &FlowFacts, client_finished: Mark, end: Option<Mark>) -> bool {
    let heard = flow.side(Side::Client).acked_at;
    // One that took several records by then reads what it is sent.
    let said = h.encrypted.client.iter().filter(|record| record.mark > client_finished).count();
    let long = if said >= SEVERAL { JUDGED / 2 } else { JUDGED };
    spoke(h, end).is_some_and(|spoke| flow.elapsed(client_finished, spoke) >= long && heard.is_some_and(|heard| heard > spoke))
}

/// The client never used the connection, and the server ended it after a while: whoever wants to be served asks at once, so that a server which asks
/// others about its certificate keeps it waiting.
pub(super) fn left_unused(h: &Observed, flow: &FlowFacts, client_finished: Mark, end: Mark) -> bool {
    let unused = spoke(h, Some(end)).is_none_or(|spoke| spoke <= client_finished);
    unused && flow.elapsed(client_finished, end) >= JUDGED
}

/// When the client last spoke before this moment, within TLS.
fn spoke(h: &Observed, before: Option<Mark>) -> Option<Mark> {
    h.encrypted.client.iter().map(|record| record.mark).rfind(|mark| before.is_none_or(|end| *mark < end))
}

/// The capture has all that the server said, as far as the client acknowledged it.
pub(super) fn nothing_is_lost(flow: &FlowFacts) -> bool {
    let server = flow.side(Side::Server);
    // a FIN counts for one
    server.acked <= server.highest.saturating_add(1)
}

/// This RST of the server's acknowledges nothing, and nor did anything since the client's Finished: it comes from somebody who does not know the
/// connection, whatever the client said behind it.
pub(super) fn is_strangers(flow: &FlowFacts, reset: Mark, client_finished: Mark) -> bool {
    let bare = flow.side(Side::Server).resets.iter().any(|other| other.mark == reset && other.ack_distance.is_none());
    bare && flow.side(Side::Client).acked_at.is_some_and(|acked| acked < client_finished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, FlowKey, Path, Transport};
    use crate::handshake::facts::EncryptedRecord;
    use crate::time::Timestamp;
    use crate::transport::Roles;

    fn at(frame: u64, millis: i64) -> Mark {
        Mark { frame, time: Timestamp::from_nanos(millis * 1_000_000) }
    }

    #[test]
    fn a_server_that_takes_several_records_in_silence_has_accepted() {
        let end = |last: u8, port| Endpoint::new([192, 0, 2, last].into(), port);
        // Milliseconds behind the client's Finished at which its records come, from frame 10 on, and the frame that last acknowledged any.
        let taken = |records: &[i64], heard: u64| {
            let mut h = Observed::default();
            for (frame, millis) in (10..).zip(records) {
                h.encrypted.client.push(EncryptedRecord { content_type: 23, len: 100, mark: at(frame, 100 + millis) });
            }
            let (key, low) = FlowKey::new(Transport::Tcp, end(1, 40_000), end(2, 6514), 0);
            let mut flow = FlowFacts::new(key, low, Roles::Handshake, Path::default(), at(1, 0), 0);
            flow.sides.client.acked_at = Some(at(heard, 70_000));
            taken_in_silence(&h, &flow, at(5, 100), None)
        };
        assert!(taken(&[1, 500, 1_100], 13));
        assert!(!taken(&[1, 1_100], 13), "it may be asking others yet");
        assert!(taken(&[1, 2_100], 13));
        assert!(!taken(&[1, 500, 1_100], 11), "nothing shows that the last arrived");
        assert!(!taken(&[1, 2, 3], 13), "they were on their way before it could judge");
    }
}
