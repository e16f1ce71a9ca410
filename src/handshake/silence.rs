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
