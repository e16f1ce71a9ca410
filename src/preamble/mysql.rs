//! `MySQL` and `MariaDB` `SSLRequest` (`MySQL` internals, "Connection Phase").

use super::dialogue::{Dialogue, Extent, Next, Said};
use super::text::{demands_tls, printable};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The connection phase, packet by packet.
#[derive(Debug, Default)]
pub(super) struct Mysql {
    /// The client logged in, in clear.
    login: bool,
}

impl Dialogue for Mysql {
    fn extent(&self, _: Side, have: &[u8]) -> Extent {
        match have {
            [a, b, c, ..] => Extent::Exactly((usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16) + 4),
            _ => Extent::AtLeast(3),
        }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let payload = said.bytes.get(4..).unwrap_or_default();
        match (said.side, payload) {
            (Side::Server, [0x0a, rest @ ..]) => {
                let end = memchr::memchr(0, rest).unwrap_or(rest.len());
                let (version, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                // behind the version's zero: thread identifier (4), first part of the salt (8), a zero
                let offers = after.get(14..16).is_some_and(|flags| flags.get(1).is_some_and(|high| high & 0x08 != 0));
                let tls = if offers { "offers TLS" } else { "does not offer TLS" };
                facts.describe(said, format!("greeting of {}, {tls}", printable(version)));
                facts.listed(offers, said.mark);
            }
            (Side::Server, [0xff, low, high, text @ ..]) => {
                let code = u32::from(u16::from_le_bytes([*low, *high]));
                // `#` and five characters of SQL state come first, where the client is known to understand them
                let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
                let answer = format!("error {code}: {}", printable(text));
                facts.describe(said, answer.clone());
                if self.login {
                    if code == SECURE_TRANSPORT_REQUIRED || demands_tls(text) {
                        facts.demand(answer, Some(code), said.mark);
                    }
                    return Next::Never;
                }
                if facts.went_on.is_none() {
                    facts.turn_away(answer, Some(code), said.mark);
                }
            }
            (Side::Server, _) if self.login => {
                facts.describe(said, "packet".to_owned());
                return Next::Never;
            }
            (Side::Client, [low, high, ..]) => {
                let flags = u16::from_le_bytes([*low, *high]);
                if flags & CLIENT_SSL != 0 && payload.len() <= SSL_REQUEST_LEN {
                    facts.describe(said, "SSLRequest".to_owned());
                    facts.ask(said.mark);
                    // the server does not answer it
                    facts.decide(Upgrade::Granted, "SSLRequest sent".to_owned(), None, said.mark);
                    return Next::Tls;
                }
                facts.describe(said, "login in clear".to_owned());
                facts.go_on(said.mark);
                self.login = true;
            }
            _ => facts.describe(said, "packet".to_owned()),
        }
        Next::More
    }
}

const CLIENT_SSL: u16 = 0x0800;

/// `ER_SECURE_TRANSPORT_REQUIRED`.
const SECURE_TRANSPORT_REQUIRED: u32 = 3159;

/// Capabilities, maximum packet size, character set, filler; a login goes on with the user's name.
const SSL_REQUEST_LEN: usize = 32;
