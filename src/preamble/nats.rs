//! NATS (the NATS client protocol: `INFO`, `CONNECT`).
//!
//! The server greets with `INFO` and says there whether it takes TLS or demands it. Nobody asks: a client that wants TLS begins with its
//! `ClientHello`, one that does not sends `CONNECT` in clear. Where both are set to begin with TLS there is no greeting, and no preamble.

use super::dialogue::{Dialogue, Next, Said};
use super::text::{printable, starts_with, words};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;
use crate::time::Mark;

/// The opening of a NATS connection.
#[derive(Debug, Default)]
pub(super) struct Nats {
    /// The server's greeting demands TLS.
    demanded: Option<Mark>,
}

impl Dialogue for Nats {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let line = said.line();
        match said.side {
            Side::Server if starts_with(line, "INFO ") => {
                let demanded = says(line, b"\"tls_required\"");
                let offered = demanded || says(line, b"\"tls_available\"");
                let told = match (demanded, offered) {
                    (true, _) => "INFO, TLS required",
                    (_, true) => "INFO, TLS available",
                    _ => "INFO, no TLS",
                };
                facts.describe(said, told.to_owned());
                facts.listed(offered, said.mark);
                self.demanded = demanded.then_some(said.mark);
            }
            Side::Server => {
                facts.describe(said, printable(line));
                if facts.upgrade == Upgrade::Refused && starts_with(line, "-ERR") {
                    facts.decide(Upgrade::Refused, printable(line), None, said.mark);
                }
            }
            Side::Client if starts_with(line, "CONNECT") => {
                // What follows are credentials.
                facts.describe(said, "CONNECT in clear".to_owned());
                facts.go_on(said.mark);
                let Some(greeting) = self.demanded else { return Next::Never };
                facts.decide(Upgrade::Refused, "INFO with tls_required".to_owned(), None, greeting);
            }
            // What is published may be anything; after the command nobody needs it.
            Side::Client => facts.describe(said, printable(words(line).next().unwrap_or_default())),
        }
        Next::More
    }

    fn begun(&mut self, mark: Mark, facts: &mut PreambleFacts) {
        if facts.offered == Some(true) && facts.upgrade == Upgrade::NotAsked {
            facts.ask(mark);
            let greeting = facts.listed.unwrap_or(mark);
            facts.decide(Upgrade::Granted, "INFO with TLS".to_owned(), None, greeting);
        }
    }
}

/// A member of the greeting's JSON is true.
fn says(line: &[u8], member: &[u8]) -> bool {
    let rest = memchr::memmem::find(line, member).and_then(|at| line.get(at.checked_add(member.len())?..)).unwrap_or_default();
    let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
    value.is_some_and(|value| value.starts_with(b"true"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{both, denied, facts, granted};
    use super::*;
    use crate::preamble::Dialect;

    const C: bool = true;
    const S: bool = false;
    const REQUIRED: &[u8] = b"INFO {\"server_id\":\"NA\",\"tls_required\":true,\"max_payload\":1048576} \r\n";
    const AVAILABLE: &[u8] = b"INFO {\"server_id\":\"NA\",\"tls_available\":true} \r\n";
    const CLEAR: &[u8] = b"INFO {\"server_id\":\"NA\",\"max_payload\":1048576} \r\n";
    const CONNECT: &[u8] = b"CONNECT {\"verbose\":false,\"user\":\"joe\",\"pass\":\"s3cret\"}\r\nPING\r\n";

    #[test]
    fn a_client_begins_tls_behind_the_greeting() {
        let found = granted(4222, Dialect::Nats, &[(S, REQUIRED)]);
        assert_eq!((found.offered, found.injected, found.lines.len()), (Some(true), None, 1));
        granted(4222, Dialect::Nats, &[(S, AVAILABLE)]);
        granted(4222, Dialect::Nats, &[(S, b"INFO {\"server_id\": \"NA\", \"tls_required\" : true}\r\n")]);
    }

    #[test]
    fn a_client_in_clear_is_refused_where_tls_is_demanded_only() {
        let found = denied(4222, Dialect::Nats, Upgrade::Refused, &[(S, REQUIRED), (C, CONNECT)]);
        assert_eq!(found.answer.as_deref(), Some("INFO with tls_required"));
        assert!(found.went_on.is_some() && found.wanted_tls());
        assert!(found.lines.iter().all(|line| !line.text.contains("s3cret")));
        let error = b"-ERR 'Secure Connection - TLS Required'\r\n";
        let found = denied(4222, Dialect::Nats, Upgrade::Refused, &[(S, REQUIRED), (C, CONNECT), (S, error)]);
        assert_eq!(found.answer.as_deref(), Some("-ERR 'Secure Connection - TLS Required'"));
        let clear = denied(4222, Dialect::Nats, Upgrade::NotOffered, &[(S, CLEAR), (C, CONNECT), (S, b"PONG\r\n")]);
        assert!(!clear.wanted_tls());
        assert!(!denied(4222, Dialect::Nats, Upgrade::NotAsked, &[(S, AVAILABLE), (C, CONNECT)]).wanted_tls());
    }

    #[test]
    fn a_client_that_speaks_before_the_greeting_asks_no_proxy() {
        let outcome = both(4222, &[(C, CONNECT), (S, REQUIRED)]);
        assert_eq!(facts(&outcome).dialect, Dialect::Nats);
        assert!(facts(&outcome).lines.iter().all(|line| !line.text.contains("s3cret")));
    }

    #[test]
    fn a_server_without_tls_offers_none() {
        assert!(denied(4222, Dialect::Nats, Upgrade::NotOffered, &[(S, CLEAR)]).wanted_tls());
    }
}
