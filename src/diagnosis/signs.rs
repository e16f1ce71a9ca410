//! Signs: what a handshake shows at a glance.
//!
//! Most handshakes complete, and of a hundred rules hardly one has anything to say about those. Each family therefore names the signs without
//! which it is silent ([`super::rule::RuleFamily::speaks`]), and is asked only where one of them is there. A sign may be set too often, never too
//! seldom: a test asks every family about every bundled capture, and gets the same answers ([`Policy::ask_all`]).

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::tls::message::OcspStatus;

use super::case::Case;
use super::chain::{ChainFacts, Trust};
use super::policy::Policy;
use super::published;

/// A set of signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signs(u32);

impl Signs {
    /// It did not complete.
    pub const UNFINISHED: Self = Self(1);
    /// The client sent no application data, or no more than its leave.
    pub const UNUSED: Self = Self(1 << 1);
    /// It took as long as only slow handshakes do.
    pub const SLOW: Self = Self(1 << 2);
    /// Packets were lost, repeated or overtaken.
    pub const LOSS: Self = Self(1 << 3);
    /// The client repeated its SYN.
    pub const SYN_AGAIN: Self = Self(1 << 4);
    /// A receive window was closed.
    pub const ZERO_WINDOW: Self = Self(1 << 5);
    /// A RST was sent.
    pub const RESET: Self = Self(1 << 6);
    /// An alert was sent.
    pub const ALERT: Self = Self(1 << 7);
    /// Something led up to TLS.
    pub const PREAMBLE: Self = Self(1 << 8);
    /// The client opened in the form of SSL 2.0.
    pub const SSLV2: Self = Self(1 << 9);
    /// It ran over UDP.
    pub const DATAGRAMS: Self = Self(1 << 10);
    /// The server asked for a client certificate, or the client answered as if.
    pub const CLIENT_AUTH: Self = Self(1 << 11);
    /// A session was offered for resumption and a full handshake followed.
    pub const TICKET_IGNORED: Self = Self(1 << 12);
    /// The server chose a finite-field Diffie-Hellman group of its own.
    pub const FINITE_FIELD: Self = Self(1 << 13);
    /// A second handshake began inside the first.
    pub const RENEGOTIATION: Self = Self(1 << 14);
    /// No whole ClientHello was seen.
    pub const NO_HELLO: Self = Self(1 << 15);
    /// The issuer may be an inspection proxy.
    pub const INSPECTION: Self = Self(1 << 16);
    /// The served chain is not as one would wish: its dates, names, trust, order, keys, status or size.
    pub const FLAWED_CHAIN: Self = Self(1 << 17);
    /// It travelled in messages of another protocol.
    pub const CARRIED: Self = Self(1 << 18);
    /// It protects a control connection of FTP.
    pub const FTP: Self = Self(1 << 19);

    /// At least one of these is among those.
    pub const fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Both sets in one.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What one handshake shows.
    pub fn of(case: &Case<'_>) -> Self {
        let handshake = case.handshake;
        let mut signs = Self::of_course(handshake).or(Self::of_messages(handshake));
        signs.set(Self::SLOW, took_long(case));
        let flawed = case.chain.is_some_and(|chain| is_flawed(handshake, chain, case.policy));
        signs.set(Self::FLAWED_CHAIN, flawed || published::fit(handshake) == Some(false));
        let suspected = case.knowledge.one_key_for_many || case.knowledge.other_issuer_for_name.is_some();
        signs.set(Self::INSPECTION, suspected || case.chain.map_or_else(|| handshake.leaf().is_some(), |chain| chain.inspected));
        signs
    }

    /// How it went and what its packets met with.
    fn of_course(handshake: &Handshake) -> Self {
        let flow = &handshake.flow;
        let sides = Side::BOTH.map(|side| flow.side(side));
        let mut signs = Self::default();
        signs.set(Self::UNFINISHED, handshake.outcome != Outcome::Completed);
        signs.set(Self::UNUSED, handshake.application_data.client.is_none() || handshake.quits_at_once().is_some());
        signs.set(Self::RESET, sides.iter().any(|side| !side.resets.is_empty()));
        signs.set(Self::ZERO_WINDOW, sides.iter().any(|side| side.zero_window.is_some()));
        signs.set(Self::SYN_AGAIN, flow.side(Side::Client).syn.is_some_and(|syn| syn.count > 1));
        signs.set(Self::DATAGRAMS, handshake.quic.is_some() || handshake.dtls.is_some());
        signs.set(Self::CARRIED, handshake.carried.is_some());
        signs.set(Self::LOSS, flow.eventful);
        signs
    }

    /// What was said.
    fn of_messages(handshake: &Handshake) -> Self {
        let mut signs = Self::default();
        signs.set(Self::NO_HELLO, handshake.client_hellos.is_empty());
        signs.set(Self::ALERT, !handshake.alerts.is_empty());
        signs.set(Self::PREAMBLE, handshake.preamble.is_some());
        signs.set(Self::FTP, handshake.ftp.is_some());
        signs.set(Self::RENEGOTIATION, handshake.renegotiation.is_some());
        let hidden = &handshake.hidden;
        let answered = handshake.client_chain.is_some() || hidden.client_certificate_empty || hidden.client_certificate_sent;
        let again = handshake.renegotiation.is_some_and(|second| second.certificate.is_some());
        signs.set(Self::CLIENT_AUTH, answered || again || handshake.certificate_request.is_some());
        signs.set(Self::FINITE_FIELD, handshake.server_key_exchange.as_ref().is_some_and(|seen| seen.what.dh_bits.is_some()));
        if let Some(hello) = handshake.hello() {
            signs.set(Self::SSLV2, hello.is_sslv2());
            let offered = hello.psk_identities() > 0 || hello.session_ticket_len().is_some();
            signs.set(Self::TICKET_IGNORED, offered && handshake.resumption.is_none());
        }
        signs
    }

    const fn set(&mut self, sign: Self, there: bool) {
        if there {
            self.0 |= sign.0;
        }
    }
}

/// What the served chain is not as one would wish.
fn is_flawed(handshake: &Handshake, chain: &ChainFacts, policy: &Policy) -> bool {
    let soon = i64::try_from(policy.expiry_warning.as_secs() / 86_400).unwrap_or(i64::MAX);
    let outdated = || !chain.expired.is_empty() || !chain.not_yet_valid.is_empty() || chain.days_left < soon;
    let alone = || chain.strangers.is_empty() && chain.duplicates.is_empty();
    let orderly = || chain.leaf == 0 && !chain.misordered && chain.bad_signatures.is_empty() && chain.violations.is_empty();
    let signs_anything = || chain.leaf().is_none_or(|leaf| leaf.key_usage.is_none_or(|usage| usage & 1 != 0));
    let weak = || !chain.weak_keys.is_empty() || !chain.weak_signatures.is_empty() || chain.unsupported.is_some();
    let demanded = || chain.leaf().is_some_and(|leaf| leaf.must_staple);
    let stapled = || handshake.staple.as_ref().is_some_and(|staple| staple.what.status != Some(OcspStatus::Good));
    let large = || {
        let whole = handshake.server_chain.as_ref().is_some_and(|seen| seen.what.message_len < LARGE);
        !whole || handshake.partial_server_message.is_some()
    };
    chain.trust != Trust::Trusted
        || chain.covers_name == Some(false)
        || outdated()
        || !(alone() && orderly() && chain.usage_ok && signs_anything())
        || weak()
        || demanded()
        || stapled()
        || large()
}

/// From its first packet to both Finished, or as far as is known, it took as long as a slow handshake; or its times cannot be trusted.
fn took_long(case: &Case<'_>) -> bool {
    let handshake = case.handshake;
    let (Some(client), Some(server)) = (handshake.finished.client, handshake.finished.server) else { return true };
    handshake.flow.clock_steps_back > 0 || client.max(server).time.since(handshake.flow.first.time) >= case.policy.slow_after
}

/// Well below the size in bytes from which a Certificate message counts as too large.
const LARGE: usize = 16 << 10;
