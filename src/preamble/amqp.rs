//! The protocol header of AMQP that asks for TLS (AMQP 1.0, part 5, section 5.2: TLS).
//!
//! A client begins with eight bytes that name the layer it wants; those of TLS are answered with the same ones, or with the header of what the
//! server speaks instead. The headers that ask for AMQP or SASL lead to no TLS, in AMQP 0-9-1 as in 1.0.

use super::dialogue::{Dialogue, Extent, Next, Said};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The exchange of protocol headers.
#[derive(Debug, Default)]
pub(super) struct Amqp;

impl Dialogue for Amqp {
    fn extent(&self, _: Side, have: &[u8]) -> Extent {
        let begins = have.iter().zip(b"AMQP").all(|(byte, due)| byte == due);
        if begins { Extent::Exactly(HEADER) } else { Extent::Lost }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let Some([layer, major, minor, revision]) = said.bytes.get(4..HEADER) else { return Next::Never };
        let header = format!("AMQP {layer} {major} {minor} {revision}");
        facts.describe(said, format!("protocol header {header}"));
        match (said.side, *layer) {
            (Side::Client, TLS) => facts.ask(said.mark),
            (Side::Server, TLS) if facts.upgrade == Upgrade::Asked => {
                facts.decide(Upgrade::Granted, header, None, said.mark);
                return Next::Tls;
            }
            (Side::Server, _) if facts.upgrade == Upgrade::Asked => {
                facts.decide(Upgrade::Refused, header, None, said.mark);
                return Next::Never;
            }
            _ => return Next::Never,
        }
        Next::More
    }
}

/// The number of the layer TLS.
pub(super) const TLS: u8 = 2;
const HEADER: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::tests::{denied, granted};
    use super::*;
    use crate::preamble::Dialect;

    const ASK: (bool, &[u8]) = (true, b"AMQP\x02\x01\x00\x00");

    #[test]
    fn the_header_of_tls_is_answered_with_itself() {
        let found = granted(5672, Dialect::Amqp, &[ASK, (false, b"AMQP\x02\x01\x00\x00")]);
        assert_eq!((found.answer.as_deref(), found.injected), (Some("AMQP 2 1 0 0"), None));
    }

    #[test]
    fn another_header_refuses_it() {
        let found = denied(5672, Dialect::Amqp, Upgrade::Refused, &[ASK, (false, b"AMQP\x00\x00\x09\x01")]);
        assert_eq!(found.answer.as_deref(), Some("AMQP 0 0 9 1"));
        denied(5672, Dialect::Amqp, Upgrade::Asked, &[ASK]);
    }
}
