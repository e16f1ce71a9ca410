//! TLS within HTTP/1.1 (RFC 2817 section 3.2), as IPP's clients ask for it (RFC 8010 section 8.2).
//!
//! The client sends `OPTIONS *` with `Upgrade: TLS/1.0`; behind the server's `101 Switching Protocols` TLS begins, and the answer to the request
//! comes inside it.

use super::dialogue::{Dialogue, Next, Said};
use super::text::{contains, number, printable, starts_with, words};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The request and its answer.
#[derive(Debug, Default)]
pub(super) struct HttpUpgrade {
    /// Inside the header of a response with this status; its first line.
    status: Option<(u32, String)>,
}

impl Dialogue for HttpUpgrade {
    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let line = said.line();
        match (said.side, &self.status) {
            (Side::Client, _) if line.is_empty() => {
                if facts.upgrade == Upgrade::NotAsked {
                    facts.ask(said.mark);
                }
            }
            // Other headers may hold anything.
            (Side::Client, _) => {
                if ["OPTIONS ", "Host:", "Upgrade:", "User-Agent:"].iter().any(|told| starts_with(line, told)) {
                    facts.say(said);
                }
            }
            (Side::Server, None) => {
                let code = line.starts_with(b"HTTP/").then(|| words(line).nth(1).and_then(number)).flatten();
                let Some(code) = code else { return Next::Never };
                facts.say(said);
                self.status = Some((code, printable(line)));
            }
            (Side::Server, Some((code, first))) if line.is_empty() => {
                let (code, first) = (*code, first.clone());
                self.status = None;
                match code {
                    101 => {
                        facts.decide(Upgrade::Granted, first, Some(code), said.mark);
                        return Next::Tls;
                    }
                    100..=199 => {}
                    _ => {
                        facts.decide(Upgrade::Refused, first, Some(code), said.mark);
                        return Next::Never;
                    }
                }
            }
            (Side::Server, Some(_)) => {
                if starts_with(line, "Server:") || starts_with(line, "Upgrade:") {
                    facts.say(said);
                }
            }
        }
        Next::More
    }
}

/// Whether the bytes ask for TLS so; `None` while the request's header goes on.
pub(super) fn asks(bytes: &[u8]) -> Option<bool> {
    let begins = bytes.iter().zip(REQUEST).all(|(byte, due)| byte == due);
    if !begins {
        return Some(false);
    }
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    let header = bytes.get(..end).unwrap_or(bytes);
    Some(super::text::header(header, "Upgrade").is_some_and(|upgrade| contains(upgrade, "TLS/")))
}

/// A request that is about the server itself.
const REQUEST: &[u8] = b"OPTIONS * HTTP/1.";

#[cfg(test)]
mod tests {
    use super::super::tests::{both, denied, granted};
    use super::*;
    use crate::preamble::Dialect;

    const ASK: (bool, &[u8]) =
        (true, b"OPTIONS * HTTP/1.1\r\nHost: app.example.test:631\r\nUpgrade: TLS/1.2,TLS/1.1,TLS/1.0\r\nConnection: upgrade\r\n\r\n");

    #[test]
    fn tls_begins_behind_the_101() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0,HTTP/1.1\r\nConnection: Upgrade\r\n\r\n";
        let found = granted(631, Dialect::HttpUpgrade, &[ASK, (false, answer)]);
        assert_eq!((found.code, found.injected), (Some(101), None));
        let first = b"HTTP/1.1 100 Continue\r\n\r\n";
        granted(631, Dialect::HttpUpgrade, &[ASK, (false, first), (false, answer)]);
    }

    #[test]
    fn another_answer_refuses_it() {
        let found = denied(631, Dialect::HttpUpgrade, Upgrade::Refused, &[ASK, (false, b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n")]);
        assert_eq!((found.code, found.answer.as_deref()), (Some(400), Some("HTTP/1.1 400 Bad Request")));
    }

    #[test]
    fn other_requests_about_the_server_are_plain_http() {
        let outcome = both(80, &[(true, b"OPTIONS * HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")]);
        assert!(outcome.facts.is_none() && outcome.not_tls);
    }
}
