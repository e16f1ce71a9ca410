//! SSL 2.0 (draft-hickman-netscape-ssl-00), of which the hellos are read.

use crate::flow::Side;
use crate::transport::FlowFacts;

use super::facts::Observed;

/// The type of the SERVER-HELLO.
pub(super) const SERVER_HELLO: u8 = 4;

/// The server answered in SSL 2.0, the client went on, and so did the server: what they say is encrypted from there on.
pub(super) fn goes_on(h: &Observed, flow: &FlowFacts) -> bool {
    let (client, server) = (flow.side(Side::Client), flow.side(Side::Server));
    let went_on = h.ssl2_answer.zip(client.last_data).is_some_and(|(answer, last)| last > answer);
    went_on && server.data_packets >= 2
}
