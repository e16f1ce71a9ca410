//! HTTP CONNECT (RFC 9110 section 9.3.6); that of HTTP/2 comes in the same words (see [`super::http2`]).

use super::dialogue::{Dialogue, Extent, Next, Said};
use super::text::{contains, number, printable, starts_with, words};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;
use crate::limits::{PREAMBLE_BYTES, REFUSAL_BYTES};

/// Requests to a proxy and its answers.
#[derive(Debug, Default)]
pub(super) struct HttpConnect {
    /// Inside the header of a response with this status; its first line.
    status: Option<(u32, String)>,
    /// Bytes of a refusal's body that follow.
    body: usize,
    /// A request line was seen that no response answered yet.
    requested: bool,
    /// It refused once.
    refused: bool,
}

/// What a status means that answers a request for a tunnel.
pub(super) fn meaning(code: u32, line: &[u8]) -> Upgrade {
    match code {
        200..=299 => Upgrade::Granted,
        401 | 407 => Upgrade::AuthRequired,
        429 => Upgrade::Unavailable,
        502..=504 | 520..=526 => Upgrade::UpstreamFailed,
        // HTTP/2 has no words beside the number, and it is what proxies say most often with this one.
        500 if could_not(line) || line.starts_with(b"HTTP/2") => Upgrade::UpstreamFailed,
        _ => Upgrade::Refused,
    }
}

/// A reason that speaks of the connection onwards, as proxies give it with 500 (`Unable to connect`), and not of themselves.
fn could_not(status: &[u8]) -> bool {
    ["connect", "resolve", "dns", "host", "upstream", "unreachable", "timed out"].iter().any(|word| contains(status, word))
}

impl Dialogue for HttpConnect {
    fn extent(&self, side: Side, _: &[u8]) -> Extent {
        if side == Side::Server && self.body > 0 && self.status.is_none() { Extent::Exactly(self.body) } else { Extent::Until(b'\n') }
    }

    fn most(&self) -> usize {
        if self.refused { REFUSAL_BYTES } else { PREAMBLE_BYTES }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let line = said.line();
        if said.side == Side::Client {
            if starts_with(line, "CONNECT ") {
                facts.say(said);
                facts.target = words(line).nth(1).map(printable);
                facts.ask(said.mark);
                self.requested = true;
                self.body = 0;
            } else if !line.is_empty() {
                facts.say(said);
            }
            return Next::More;
        }
        if self.status.is_none() && self.body > 0 {
            self.body = 0;
            return Next::More;
        }
        match &self.status {
            None => {
                // a body of unknown length may run right into the next response
                let version = |at: &usize| matches!(line.get(at + 5), Some(b'1' | b'2'));
                let at = memchr::memmem::find(line, b"HTTP/").filter(|at| self.requested && version(at));
                if let Some(line) = at.and_then(|at| line.get(at..)) {
                    facts.say(&Said { bytes: line, ..*said });
                    let code = words(line).nth(1).and_then(number).unwrap_or(0);
                    self.status = Some((code, printable(line)));
                }
                Next::More
            }
            Some((code, first)) if line.is_empty() => {
                let (code, first) = (*code, first.clone());
                self.status = None;
                if (100..200).contains(&code) {
                    return Next::More;
                }
                self.requested = false;
                let upgrade = meaning(code, first.as_bytes());
                self.refused |= upgrade != Upgrade::Granted;
                facts.decide(upgrade, first, Some(code), said.mark);
                if upgrade == Upgrade::Granted { Next::Inner } else { Next::More }
            }
            Some((code, _)) => {
                facts.say(said);
                if starts_with(line, "Content-Length:") && *code >= 300 {
                    self.body = line.get(15..).map(<[u8]>::trim_ascii).and_then(number).map_or(0, |len| len as usize);
                } else if starts_with(line, "Proxy-Authenticate:") || starts_with(line, "X-Squid-Error:") {
                    let text = printable(line);
                    match &mut facts.detail {
                        None => facts.detail = Some(text),
                        Some(detail) if detail.len() < 256 => {
                            detail.push_str("; ");
                            detail.push_str(&text);
                        }
                        Some(_) => {}
                    }
                }
                Next::More
            }
        }
    }
}
