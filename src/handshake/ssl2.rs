//! SSL 2.0 (draft-hickman-netscape-ssl-00), of which the hellos are read.

use crate::flow::Side;
use crate::time::Mark;
use crate::transport::FlowFacts;

use super::facts::Observed;

/// The type of the SERVER-HELLO.
pub(super) const SERVER_HELLO: u8 = 4;

/// The server answered in SSL 2.0, and both went on: the client with its CLIENT-MASTER-KEY and its CLIENT-FINISHED at least, which the server awaits in
/// turn. What they say is encrypted from there on.
pub(super) fn goes_on(h: &Observed, flow: &FlowFacts) -> bool {
    let (client, server) = (flow.side(Side::Client), flow.side(Side::Server));
    let after = |last: Option<Mark>| h.ssl2_answer.zip(last).is_some_and(|(answer, last)| last > answer);
    after(client.last_data) && after(server.last_data) && client.data_packets.saturating_sub(client.retransmits) >= 3
}
