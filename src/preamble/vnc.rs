//! VNC and its security type `VeNCrypt` (RFC 6143 section 7.1; the `VeNCrypt` security types of the RFB protocol's community version).
//!
//! The server greets with the protocol's version and lists security types; a client that chooses `VeNCrypt` agrees on its version and on a
//! subtype, and TLS begins behind the server's byte of consent.

use super::dialogue::{Dialogue, Extent, Next, Said, be32};
use super::text::printable;
use super::{PreambleFacts, Upgrade};
use crate::flow::Side;

/// How far the two are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Versions of the protocol, the server's first.
    #[default]
    Version,
    /// The server's list of security types, and the client's choice.
    Types,
    /// Versions of `VeNCrypt`, and the server's consent.
    Inner,
    /// The server's list of subtypes, and the client's choice.
    Subtypes,
    /// The server's consent to the subtype.
    Consent,
}

/// The opening of a VNC connection.
#[derive(Debug, Default)]
pub(super) struct Vnc {
    phase: Phase,
    /// The server has consented to the version of `VeNCrypt`.
    consented: bool,
}

impl Dialogue for Vnc {
    fn extent(&self, side: Side, have: &[u8]) -> Extent {
        match (self.phase, side, have.first()) {
            (Phase::Version, ..) => Extent::Exactly(VERSION),
            // no types at all are followed by the reason
            (Phase::Types, Side::Server, Some(0)) => match be32(have, 1) {
                Some(len) => Extent::Exactly(usize::try_from(len).unwrap_or(usize::MAX).saturating_add(5)),
                None => Extent::AtLeast(5),
            },
            (Phase::Types, Side::Server, Some(count)) => Extent::Exactly(usize::from(*count) + 1),
            (Phase::Inner, Side::Server, _) if !self.consented => Extent::Exactly(2),
            (Phase::Inner, Side::Client, _) => Extent::Exactly(2),
            (Phase::Subtypes, Side::Server, Some(count)) => Extent::Exactly(usize::from(*count) * 4 + 1),
            (Phase::Subtypes, Side::Client, _) => Extent::Exactly(4),
            _ => Extent::Exactly(1),
        }
    }

    fn negotiates(&self) -> bool {
        matches!(self.phase, Phase::Inner | Phase::Subtypes)
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        match (self.phase, said.side) {
            (Phase::Version, side) => {
                facts.describe(said, printable(said.line()));
                if side == Side::Client {
                    // Up to version 3.3 the server chooses, and knows no type with TLS.
                    if said.bytes.starts_with(b"RFB 003.003") {
                        facts.go_on(said.mark);
                        return Next::Never;
                    }
                    self.phase = Phase::Types;
                }
            }
            (Phase::Types, Side::Server) => return types(said, facts),
            (Phase::Types, Side::Client) => return self.chosen(said, facts),
            (Phase::Inner, side) => return self.inner(said, side, facts),
            (Phase::Subtypes, Side::Server) => {
                let list = said.bytes.get(1..).unwrap_or_default();
                facts.describe(said, format!("subtypes {}", subtypes(list)));
                facts.detail = Some(subtypes(list));
                let (numbers, _) = list.as_chunks::<4>();
                if numbers.iter().all(|number| u32::from_be_bytes(*number) == PLAIN) {
                    facts.upgrade = Upgrade::NotAsked;
                    facts.listed(false, said.mark);
                }
            }
            (Phase::Subtypes, Side::Client) => {
                facts.describe(said, format!("chose {}", subtypes(said.bytes)));
                if be32(said.bytes, 0) == Some(PLAIN) {
                    if facts.upgrade == Upgrade::Asked {
                        facts.upgrade = Upgrade::NotAsked;
                    }
                    facts.go_on(said.mark);
                    return Next::Never;
                }
                facts.detail = Some(subtypes(said.bytes));
                self.phase = Phase::Consent;
            }
            (Phase::Consent, Side::Server) => {
                if said.bytes.first() != Some(&1) {
                    let answer = "the server refused the subtype".to_owned();
                    facts.describe(said, answer.clone());
                    facts.decide(Upgrade::Refused, answer, None, said.mark);
                    return Next::Never;
                }
                facts.describe(said, "accepted".to_owned());
                facts.decide(Upgrade::Granted, "the server accepted the subtype".to_owned(), None, said.mark);
                return Next::Tls;
            }
            (Phase::Consent, Side::Client) => return Next::Never,
        }
        Next::More
    }
}

impl Vnc {
    /// The client's choice of a security type.
    fn chosen(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let kind = said.bytes.first().copied().unwrap_or_default();
        facts.describe(said, format!("chose {}", type_name(kind)));
        match kind {
            VENCRYPT => {
                facts.ask(said.mark);
                self.phase = Phase::Inner;
                Next::More
            }
            TLS => {
                facts.ask(said.mark);
                facts.decide(Upgrade::Granted, "security type TLS".to_owned(), None, said.mark);
                Next::Tls
            }
            _ => {
                facts.go_on(said.mark);
                Next::Never
            }
        }
    }

    /// Versions of `VeNCrypt`, and a zero for consent.
    fn inner(&mut self, said: &Said<'_>, side: Side, facts: &mut PreambleFacts) -> Next {
        match (side, said.bytes) {
            (_, [major, minor]) => {
                facts.describe(said, format!("VeNCrypt {major}.{minor}"));
                self.consented |= side == Side::Client;
            }
            (_, [0]) => {
                facts.describe(said, "accepted".to_owned());
                self.phase = Phase::Subtypes;
            }
            _ => {
                let answer = "the server refused the version of VeNCrypt".to_owned();
                facts.describe(said, answer.clone());
                facts.decide(Upgrade::Refused, answer, None, said.mark);
                return Next::Never;
            }
        }
        Next::More
    }
}

/// The server's security types, or its reason to offer none.
fn types(said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
    let Some((count, rest)) = said.bytes.split_first() else { return Next::More };
    if *count == 0 {
        let answer = printable(rest.get(4..).unwrap_or_default());
        facts.describe(said, format!("refused: {answer}"));
        facts.turn_away(answer, None, said.mark);
        return Next::Never;
    }
    let names: Vec<String> = rest.iter().map(|kind| type_name(*kind)).collect();
    facts.describe(said, format!("security types {}", names.join(", ")));
    facts.listed(rest.contains(&VENCRYPT) || rest.contains(&TLS), said.mark);
    Next::More
}

fn type_name(kind: u8) -> String {
    let known = match kind {
        1 => "none",
        2 => "VNC password",
        5 | 6 | 129 | 130 => "RSA-AES",
        16 => "Tight",
        TLS => "TLS",
        VENCRYPT => "VeNCrypt",
        20 => "SASL",
        30 => "Apple Remote Desktop",
        other => return format!("type {other}"),
    };
    known.to_owned()
}

/// Numbers of four bytes each, by name.
fn subtypes(list: &[u8]) -> String {
    let (numbers, _) = list.as_chunks::<4>();
    let names: Vec<String> = numbers
        .iter()
        .map(|number| match u32::from_be_bytes(*number) {
            PLAIN => "Plain".to_owned(),
            257 => "TLSNone".to_owned(),
            258 => "TLSVnc".to_owned(),
            259 => "TLSPlain".to_owned(),
            260 => "X509None".to_owned(),
            261 => "X509Vnc".to_owned(),
            262 => "X509Plain".to_owned(),
            263 => "TLSSASL".to_owned(),
            264 => "X509SASL".to_owned(),
            other => format!("subtype {other}"),
        })
        .collect();
    names.join(", ")
}

/// `RFB 003.008` and its line end.
const VERSION: usize = 12;
/// Security types with TLS: that in which it begins at once (Vino), and that in which it is negotiated.
const TLS: u8 = 18;
const VENCRYPT: u8 = 19;
/// The subtype without TLS: name and password in clear.
const PLAIN: u32 = 256;
