//! What a handshake shows that travelled in the messages of another protocol.

use std::time::Duration;

use crate::carriers::eap::Method;
use crate::carriers::openvpn::Wrapping;
use crate::flow::{PerSide, Side};
use crate::time::Mark;

use super::datagrams::{Packets, Talk};

/// What carried a handshake, and how its messages fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedFacts {
    /// What carried it.
    pub carrier: Carrier,
    /// Datagrams of each side.
    pub datagrams: PerSide<Packets>,
    /// Largest datagram of each side in bytes of UDP payload.
    pub largest: PerSide<u32>,
    /// Datagrams of each side that brought nothing new.
    pub repeats: PerSide<u32>,
    /// The first and the last of those.
    pub repeated: PerSide<Option<(Mark, Mark)>>,
    /// Messages that must have been sent are not in the capture.
    pub gaps: bool,
    /// How each side's datagrams fared.
    pub talk: Talk,
}

/// What carries a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// EAP, in RADIUS or EAPOL.
    Eap(EapFacts),
    /// The control channel of OpenVPN.
    OpenVpn(OpenVpnFacts),
}

/// What OpenVPN's packets show around a handshake, encrypted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenVpnFacts {
    /// What protects the control channel.
    pub wrapping: Wrapping,
    /// The keys that are negotiated: 0 where a session begins, then 1 to 7 in turn.
    pub key: u8,
    /// Packets with which each side begins.
    pub resets: PerSide<Packets>,
    /// Packets of the tunnel of each side.
    pub tunnel: PerSide<u32>,
    /// Packets of the tunnel under the keys before.
    pub old_tunnel: PerSide<u32>,
    /// Packets of each side that carry TLS.
    pub control: PerSide<u32>,
    /// Packets of each side that say that the other's arrived.
    pub acknowledged: PerSide<u32>,
    /// The keys that come next were asked for.
    pub renewed: bool,
    /// A side gave the session up and began another, and where.
    pub abandoned: Option<(Side, Mark)>,
}

impl OpenVpnFacts {
    /// Both sides use the tunnel, for which they have to have negotiated keys.
    pub const fn is_up(&self) -> bool {
        self.tunnel.client > 0 && self.tunnel.server > 0
    }

    /// Keys were negotiated: a side uses the tunnel under them, to which both contributed, or they were used until others took their place.
    pub const fn is_done(&self) -> bool {
        let used = self.tunnel.client > 0 || self.tunnel.server > 0;
        self.is_up() || (used || self.renewed) && self.control.client > 0 && self.control.server > 0
    }

    /// The number of the keys that come next.
    pub const fn next_key(&self) -> u8 {
        self.key % 7 + 1
    }

    /// A session that is there gets new keys.
    pub const fn renews(&self) -> bool {
        self.key > 0
    }

    /// Who began: for new keys either side may.
    pub fn begun_by(&self) -> Side {
        match (self.resets.client.first, self.resets.server.first) {
            (Some(client), Some(server)) if server < client => Side::Server,
            (None, Some(_)) => Side::Server,
            _ => Side::Client,
        }
    }

    /// The packet with which a side begins, or answers one that does, as OpenVPN names it.
    pub const fn reset_name(&self, side: Side) -> &'static str {
        match (self.renews(), side) {
            (true, _) => "P_CONTROL_SOFT_RESET_V1",
            (false, Side::Client) => "P_CONTROL_HARD_RESET_CLIENT",
            (false, Side::Server) => "P_CONTROL_HARD_RESET_SERVER_V2",
        }
    }
}

/// What EAP travels in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EapRoad {
    /// RADIUS, between an authenticator and a server.
    #[default]
    Radius,
    /// EAPOL, between a supplicant and an authenticator.
    Eapol,
}

/// What things are called there.
#[derive(Debug)]
pub struct EapWords {
    /// Who speaks for the server.
    pub server: &'static str,
    /// What the supplicant's answers travel in.
    pub answer: &'static str,
    /// What the server's requests travel in.
    pub request: &'static str,
    /// How the supplicant is let in.
    pub accepted: &'static str,
    /// How it is turned away.
    pub rejected: &'static str,
}

impl EapRoad {
    /// The words for it.
    pub const fn words(self) -> &'static EapWords {
        match self {
            Self::Radius => &EapWords {
                server: "RADIUS server",
                answer: "Access-Request",
                request: "Access-Challenge",
                accepted: "Access-Accept, EAP-Success",
                rejected: "Access-Reject, EAP-Failure",
            },
            Self::Eapol => &EapWords {
                server: "authenticator",
                answer: "EAP-Response",
                request: "EAP-Request",
                accepted: "EAP-Success",
                rejected: "EAP-Failure",
            },
        }
    }
}

/// What is said around a handshake in EAP. Names are as sent, made readable, and of bounded length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EapFacts {
    /// What it travels in.
    pub road: EapRoad,
    /// The method that is TLS, and where the server began with it.
    pub method: Option<(Method, Mark)>,
    /// The method last proposed by the server, by type.
    pub proposed: Option<u8>,
    /// Who the supplicant says it is, in clear: the outer identity.
    pub identity: Option<String>,
    /// The supplicant's address: its own, or as the authenticator says it (Calling-Station-Id).
    pub station: Option<String>,
    /// The authenticator: its NAS-Identifier, or an address.
    pub authenticator: Option<String>,
    /// Where the supplicant asks to be let in: access point and network (Called-Station-Id).
    pub called: Option<String>,
    /// How it was decided, and where.
    pub result: Option<(EapResult, Mark)>,
    /// The supplicant does not want the method proposed: the types that it wants instead, and where.
    pub refused: Option<(Vec<u8>, Mark)>,
    /// The supplicant answers in a method that is TLS: whatever it refused before, it takes that.
    pub took: bool,
}

/// How an EAP conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EapResult {
    /// Access-Accept, EAP-Success.
    Accepted,
    /// Access-Reject, EAP-Failure.
    Rejected,
    /// EAPOL-Logoff: the supplicant left before anything was decided.
    LoggedOff,
}

impl EapFacts {
    /// What was said around the handshake, by whom and where; the conversation began at `first`.
    pub fn told(&self, first: Mark) -> Vec<(Mark, Side, String)> {
        let identity = self.identity.as_ref().map(|name| (first, Side::Client, format!("identity {name}")));
        let begun = self.method.map(|(method, mark)| (mark, Side::Server, format!("{} begins", method.title())));
        let refused = self.refused.as_ref().map(|(_, mark)| (*mark, Side::Client, "Nak: the supplicant wants another method".to_owned()));
        let result = self.result.map(|(result, mark)| {
            let (from, text) = match result {
                EapResult::Accepted => (Side::Server, self.road.words().accepted),
                EapResult::Rejected => (Side::Server, self.road.words().rejected),
                EapResult::LoggedOff => (Side::Client, "EAPOL-Logoff"),
            };
            (mark, from, text.to_owned())
        });
        [identity, begun, refused, result].into_iter().flatten().collect()
    }
}

impl EapResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Rejected, Self::LoggedOff];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::LoggedOff => "logged-off",
        }
    }
}

impl CarriedFacts {
    /// Of a handshake of which nothing was seen.
    pub fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            datagrams: PerSide::default(),
            largest: PerSide::default(),
            repeats: PerSide::default(),
            repeated: PerSide::default(),
            gaps: false,
            talk: Talk::default(),
        }
    }

    /// A datagram of this side. `asks`: an answer is due to it.
    pub(in crate::handshake) fn heard(&mut self, side: Side, mark: Mark, len: u32, asks: bool, new: bool) {
        self.datagrams.of_mut(side).add(mark, len as usize);
        let largest = self.largest.of_mut(side);
        *largest = (*largest).max(len);
        self.talk.heard(side, mark, len, asks);
        if !new {
            let count = self.repeats.of_mut(side);
            *count = count.saturating_add(1);
            let slot = self.repeated.of_mut(side);
            *slot = Some((slot.map_or(mark, |(first, _)| first), mark));
        }
    }

    /// What EAP says, where that is the carrier.
    pub const fn eap(&self) -> Option<&EapFacts> {
        match &self.carrier {
            Carrier::Eap(eap) => Some(eap),
            Carrier::OpenVpn(_) => None,
        }
    }

    /// What OpenVPN's packets show, where that is the carrier.
    pub const fn openvpn(&self) -> Option<&OpenVpnFacts> {
        match &self.carrier {
            Carrier::OpenVpn(openvpn) => Some(openvpn),
            Carrier::Eap(_) => None,
        }
    }

    /// The carrier's own word that the client is turned away, and where.
    pub fn rejected(&self) -> Option<Mark> {
        self.decided(EapResult::Rejected)
    }

    /// The client's own word that it leaves, and where.
    pub fn left(&self) -> Option<Mark> {
        self.decided(EapResult::LoggedOff)
    }

    fn decided(&self, wanted: EapResult) -> Option<Mark> {
        self.eap()?.result.filter(|(result, _)| *result == wanted).map(|(_, mark)| mark)
    }

    /// The server asked again and again, and nothing came back.
    pub fn given_up(&self) -> bool {
        self.talk.unanswered.server.is_some_and(|asked| asked.count > 1)
    }

    /// What ends it without an alert, in the carrier's words.
    pub fn closing_word(&self) -> &'static str {
        match self.eap() {
            Some(EapFacts { result: Some((EapResult::LoggedOff, _)), .. }) => "EAPOL-Logoff",
            Some(EapFacts { road: EapRoad::Eapol, .. }) => "EAP-Failure",
            _ => "Access-Reject",
        }
    }

    /// The carrier says that it is over, however that was.
    pub fn is_over(&self) -> bool {
        self.eap().is_some_and(|eap| eap.result.is_some())
    }

    /// How long a side sent the same again.
    pub fn repeating(&self, side: Side) -> Duration {
        self.repeated.of(side).map_or(Duration::ZERO, |(first, last)| last.time.since(first.time))
    }

    /// Whose datagrams go unanswered, and the last of them: the other side is silent.
    pub fn unanswered(&self) -> Option<(Side, Mark)> {
        Side::BOTH.into_iter().find_map(|side| self.talk.unanswered.of(side).map(|sent| (side, sent.last)))
    }
}
