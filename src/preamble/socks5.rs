//! SOCKS 5 (RFC 1928) with its logins (RFC 1929, RFC 1961).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::dialogue::{Dialogue, Extent, Next, Said, be16};
use super::text::printable;
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// Method selection, login, request.
#[derive(Debug, Default)]
pub(super) struct Socks5 {
    client: Step,
    server: Step,
    /// The method the server chose.
    method: u8,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    #[default]
    Methods,
    Login,
    Request,
    Done,
}

impl Dialogue for Socks5 {
    fn extent(&self, side: Side, have: &[u8]) -> Extent {
        let step = if side == Side::Client { self.client } else { self.server };
        // a client that does not wait for the choice of method goes on with its request, which begins with 5
        match (side, step, have) {
            (Side::Client, Step::Methods, [5, count, ..]) => Extent::Exactly(2 + usize::from(*count)),
            (_, Step::Login, [1, ..]) if self.method == GSSAPI => {
                if have.get(1) == Some(&0xff) {
                    Extent::Exactly(2)
                } else {
                    be16(have, 2).map_or(Extent::AtLeast(4), |len| Extent::Exactly(4 + usize::from(len)))
                }
            }
            (Side::Server, Step::Methods | Step::Login, _) => Extent::Exactly(2),
            (Side::Client, Step::Login, [1, user, rest @ ..]) => {
                let user = usize::from(*user);
                rest.get(user).map_or(Extent::AtLeast(3 + user), |password| Extent::Exactly(3 + user + usize::from(*password)))
            }
            (_, Step::Request | Step::Login, [5, _, _, 1, ..]) => Extent::Exactly(10),
            (_, Step::Request | Step::Login, [5, _, _, 4, ..]) => Extent::Exactly(22),
            (_, Step::Request | Step::Login, [5, _, _, 3, len, ..]) => Extent::Exactly(7 + usize::from(*len)),
            (_, Step::Request | Step::Login, [5, _, _, 3]) => Extent::AtLeast(5),
            (_, Step::Request | Step::Login, [5] | [5, _] | [5, _, _]) => Extent::AtLeast(4),
            (_, _, [_]) => Extent::AtLeast(2),
            _ => Extent::Lost,
        }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        match said.side {
            Side::Client => self.ask(said, facts),
            Side::Server => return self.answer(said, facts),
        }
        Next::More
    }
}

impl Socks5 {
    fn ask(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) {
        match (self.client, said.bytes) {
            (Step::Methods, [_, _, methods @ ..]) => {
                let names: Vec<&str> = methods.iter().take(8).map(|method| method_name(*method)).collect();
                facts.describe(said, format!("SOCKS5 methods: {}", names.join(", ")));
                facts.detail = Some(names.join(", "));
                facts.ask(said.mark);
                self.client = Step::Login;
            }
            (Step::Login, [1, ..]) => facts.describe(said, "login".to_owned()),
            (Step::Login | Step::Request, [5, command, ..]) => {
                let target = address(said.bytes).unwrap_or_default();
                let verb = if *command == 1 { "connect to" } else { "request for" };
                facts.describe(said, format!("SOCKS5 {verb} {target}"));
                facts.target = Some(target);
                facts.ask(said.mark);
                self.client = Step::Done;
            }
            _ => {}
        }
    }

    fn answer(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        match (self.server, said.bytes) {
            (Step::Methods, [_, method]) => {
                self.method = *method;
                facts.describe(said, format!("method: {}", method_name(*method)));
                match *method {
                    0 => self.server = Step::Request,
                    0xff => {
                        self.server = Step::Done;
                        let answer = "method 0xff: no acceptable authentication method".to_owned();
                        facts.decide(Upgrade::AuthRequired, answer, Some(0xff), said.mark);
                    }
                    _ => self.server = Step::Login,
                }
            }
            (Step::Login, [1, 0]) => {
                facts.describe(said, "login accepted".to_owned());
                self.server = Step::Request;
            }
            (Step::Login, [1, _, _, _, ..]) => facts.describe(said, "login step".to_owned()),
            (Step::Login, [1, status]) => {
                let answer = format!("login refused: status {status}");
                facts.describe(said, answer.clone());
                facts.decide(Upgrade::AuthRequired, answer, Some(u32::from(*status)), said.mark);
                self.server = Step::Done;
            }
            (Step::Request | Step::Login, [5, code, ..]) => {
                let answer = format!("reply {code}: {}", reply_name(*code));
                facts.describe(said, answer.clone());
                let upgrade = match code {
                    0 => Upgrade::Granted,
                    3..=6 => Upgrade::UpstreamFailed,
                    _ => Upgrade::Refused,
                };
                facts.decide(upgrade, answer, Some(u32::from(*code)), said.mark);
                self.server = Step::Done;
                if *code == 0 {
                    return Next::Inner;
                }
            }
            _ => {}
        }
        Next::More
    }
}

/// Address and port behind version, command or reply, and a reserved byte.
fn address(bytes: &[u8]) -> Option<String> {
    let (kind, rest) = bytes.get(3..)?.split_first()?;
    let (host, port) = match kind {
        1 => (Ipv4Addr::from(*rest.first_chunk::<4>()?).to_string(), be16(rest, 4)?),
        4 => (format!("[{}]", Ipv6Addr::from(*rest.first_chunk::<16>()?)), be16(rest, 16)?),
        3 => {
            let len = usize::from(*rest.first()?);
            (printable(rest.get(1..1 + len)?), be16(rest, 1 + len)?)
        }
        _ => return None,
    };
    Some(format!("{host}:{port}"))
}

const fn method_name(method: u8) -> &'static str {
    match method {
        0 => "none",
        GSSAPI => "GSSAPI",
        2 => "user name and password",
        3 => "CHAP",
        5 => "challenge-response",
        6 => "TLS",
        0xff => "none acceptable",
        _ => "other",
    }
}

/// RFC 1928 section 6.
const fn reply_name(code: u8) -> &'static str {
    match code {
        0 => "succeeded",
        1 => "general SOCKS server failure",
        2 => "connection not allowed by ruleset",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "unknown code",
    }
}

const GSSAPI: u8 = 1;
