//! PROXY protocol version 1: one line of text (`HAProxy`'s proxy-protocol.txt, section 2.1).

use super::dialogue::{Dialogue, Next, Said};
use super::text::{printable, words};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The header.
#[derive(Debug, Default)]
pub(super) struct ProxyV1;

impl Dialogue for ProxyV1 {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        facts.say(said);
        if said.side == Side::Server {
            return Next::Inner;
        }
        let parts: Vec<String> = words(said.line()).take(7).map(printable).collect();
        facts.target = match parts.as_slice() {
            [_, family, from, to, from_port, to_port] => {
                let join = |host: &str, port: &str| if family == "TCP6" { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
                Some(format!("{} to {}", join(from, from_port), join(to, to_port)))
            }
            _ => Some("UNKNOWN".to_owned()),
        };
        facts.ask(said.mark);
        facts.upgrade = Upgrade::Granted;
        Next::Inner
    }
}
