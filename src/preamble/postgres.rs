//! `PostgreSQL` `SSLRequest` and `GSSENCRequest` (`PostgreSQL` documentation, section "Message Flow": SSL session encryption).

use super::dialogue::{Dialogue, Extent, Next, Said, be32};
use super::text::{contains, demands_tls, printable};
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// The packets before a `PostgreSQL` session.
#[derive(Debug, Default)]
pub(super) struct Postgres {
    /// What the next byte of the server answers.
    due: Due,
    /// The client began its session in clear, without having asked for TLS.
    session: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Due {
    #[default]
    Nothing,
    Tls,
    Gss,
}

impl Dialogue for Postgres {
    fn extent(&self, side: Side, have: &[u8]) -> Extent {
        match side {
            Side::Client => match be32(have, 0) {
                None => Extent::AtLeast(4),
                Some(len) if (8..=10_000).contains(&len) => Extent::Exactly(len as usize),
                Some(_) => Extent::Lost,
            },
            Side::Server => match have.first() {
                Some(b'S' | b'N' | b'G') if self.due != Due::Nothing => Extent::Exactly(1),
                _ => be32(have, 1).map_or(Extent::AtLeast(5), |len| Extent::Exactly((len as usize).saturating_add(1))),
            },
        }
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        match said.side {
            Side::Client => self.packet(said, facts),
            Side::Server => self.answer(said, facts),
        }
    }
}

impl Postgres {
    fn packet(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        match be32(said.bytes, 4) {
            Some(SSL_REQUEST) => {
                facts.describe(said, "SSLRequest".to_owned());
                facts.ask(said.mark);
                self.due = Due::Tls;
            }
            Some(GSSENC_REQUEST) => {
                facts.describe(said, "GSSENCRequest".to_owned());
                self.due = Due::Gss;
            }
            Some(CANCEL_REQUEST) => facts.describe(said, "CancelRequest".to_owned()),
            Some(version) if version >> 16 == 3 => {
                facts.describe(said, "StartupMessage".to_owned());
                facts.go_on(said.mark);
                // a refused client that goes on does so in clear; the server may yet insist on TLS, which ends this connection
                self.session = facts.upgrade == Upgrade::NotAsked;
            }
            _ => facts.describe(said, "packet of unknown kind".to_owned()),
        }
        Next::More
    }

    fn answer(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let due = std::mem::take(&mut self.due);
        match (said.bytes, due) {
            ([b'S'], Due::Tls) => {
                facts.describe(said, "S: TLS follows".to_owned());
                facts.decide(Upgrade::Granted, "S".to_owned(), None, said.mark);
                return Next::Tls;
            }
            ([b'N'], Due::Tls) => {
                facts.describe(said, "N: no TLS".to_owned());
                facts.decide(Upgrade::Refused, "N (the server does not do TLS)".to_owned(), None, said.mark);
            }
            ([b'G'], Due::Gss) => {
                facts.describe(said, "G: GSSAPI encryption follows".to_owned());
                return Next::Never;
            }
            ([b'N'], Due::Gss) => facts.describe(said, "N: no GSSAPI encryption".to_owned()),
            ([b'E', rest @ ..], _) => {
                let answer = error(rest.get(4..).unwrap_or_default());
                facts.describe(said, answer.clone());
                if due == Due::Tls {
                    facts.decide(Upgrade::Unavailable, answer, None, said.mark);
                } else if self.session && (demands_tls(rest) || WITHOUT_TLS.iter().any(|words| contains(rest, words))) {
                    facts.demand(answer, None, said.mark);
                }
            }
            _ => facts.describe(said, "message".to_owned()),
        }
        if self.session { Next::Never } else { Next::More }
    }
}

/// The severity, code and message of an `ErrorResponse`; servers before 7.4 sent plain text.
fn error(fields: &[u8]) -> String {
    let mut out = String::from("E");
    for field in fields.split(|byte| *byte == 0) {
        if let Some((b'S' | b'C' | b'M', text)) = field.split_first() {
            out.push(' ');
            out.push_str(&printable(text));
        }
    }
    out
}

/// What pg_hba.conf and `PgBouncer` say of a session in clear that they let in with encryption alone, or not at all.
const WITHOUT_TLS: [&str; 3] = ["no encryption", "SSL off", "SSL required"];
pub(super) const SSL_REQUEST: u32 = 80_877_103;
pub(super) const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
