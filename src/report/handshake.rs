//! `kind: handshake` as types: what every output, selection, tally and comparison works on.
//!
//! The structure is that of docs/SCHEMA.md; a field that was not observed is `None` or empty. What comes from the facts is borrowed, what many
//! handshakes share is shared, and no text is made before somebody writes it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::carriers::eap::Method;
use crate::carriers::openvpn::Wrapping;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::Unverified;
use crate::diagnosis::finding::{Confidence, Evidence, Finding, Weight};
use crate::diagnosis::quality::Quality;
use crate::diagnosis::remedy::Advice;
use crate::flow::{Endpoint, Path, PerSide, Side, Transport};
use crate::handshake as facts;
use crate::handshake::facts::{EapResult, Outcome, Protocol, Stage, StoppedBy};
use crate::handshake::stack::Speaker;
use crate::preamble::Dialect;
use crate::quic;
use crate::site::Observer;
use crate::time::Timestamp;
use crate::tls::message::{Alert, OcspStatus};
use crate::tls::registry::{CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile};

use super::class::Class;
use super::code::{CommunityId, Id};
use super::dns::Dns;
use super::owner::Owner;
use super::place::{Files, Place};
use super::shared::{Certificate, Offer, ServerAnswer};
use super::step::Step;
use super::words;

/// What is to be said of one handshake.
#[derive(Debug, Clone)]
pub struct Handshake<'a> {
    /// Who saw it.
    pub observer: Observer,
    /// What carried it.
    pub network: Network,
    /// The side that opens the handshake.
    pub client: Endpoint,
    /// The side that answers.
    pub server: Endpoint,
    /// Time to live, or hop limit, with which the server's packets arrived at last.
    pub server_ttl: Option<u8>,
    /// Who owns its ends on the capturing host: live only, where it was asked for and known in time; absent for an end elsewhere.
    pub owners: PerSide<Option<Arc<Owner>>>,
    /// Where on the capture it is.
    pub capture: Capture<'a>,
    /// How it went.
    pub handshake: Course<'a>,
    /// What was said; absent when no TLS message was read.
    pub tls: Option<Tls<'a>>,
    /// What is QUIC's own; present for QUIC.
    pub quic: Option<Quic<'a>>,
    /// What is DTLS's own; present for DTLS.
    pub dtls: Option<Dtls>,
    /// What EAP says around it; present for handshakes in EAP.
    pub eap: Option<Eap<'a>>,
    /// What OpenVPN's packets show around it; present for its control channel over UDP.
    pub openvpn: Option<OpenVpn>,
    /// What the DNS had said of the server.
    pub dns: Option<Box<Dns>>,
    /// Why it ended as it did, and what to do.
    pub diagnosis: Diagnosis<'a>,
    /// What happened, packet by packet; only where asked for.
    pub timeline: Vec<Step>,
    /// What it was made from, for outputs that show what a report leaves out: packets, certificates as served. A report that outlives its
    /// handshake, or was made anonymous, has none.
    pub facts: Option<&'a facts::Handshake>,
}

/// What carried a handshake.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// TCP, UDP or EAPOL.
    pub transport: Transport,
    /// TLS, DTLS, QUIC, SSL 2.0, or none of them.
    pub protocol: Protocol,
    /// Community ID of the flow.
    pub community_id: CommunityId,
    /// Tags and tunnels around it, the outermost first.
    pub path: Path,
}

/// Where on the capture a handshake is.
#[derive(Debug, Clone)]
pub struct Capture<'a> {
    /// File of the first frame, or interface of a live capture; `-` for standard input.
    pub source: Cow<'a, str>,
    /// The interface, where it is known.
    pub interface: Option<Cow<'a, str>>,
    /// The files, where there are several: frames are counted over all of them, from 1, in the order read.
    pub files: Option<Files>,
    /// Its first frame.
    pub first_frame: u64,
    /// Its last frame, up to which the verdict looks.
    pub last_frame: u64,
    /// What the capture lacks here.
    pub quality: Quality,
}

/// How a handshake went: the schema's `handshake`.
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each a field of the schema")]
#[derive(Debug, Clone)]
pub struct Course<'a> {
    /// The same across runs, thread counts and captures split at another place.
    pub id: Id,
    /// Time of its first frame.
    pub start: Timestamp,
    /// Time of its last frame.
    pub end: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// How far it got.
    pub stage: Stage,
    /// One letter for each message, capitals from the client; at most 100.
    pub history: Cow<'a, str>,
    /// What led up to TLS.
    pub preamble: Option<Dialect>,
    /// A session was resumed.
    pub resumed: bool,
    /// The server asked for a second `ClientHello`.
    pub hello_retry: bool,
    /// The client announced early data.
    pub early_data: bool,
    /// Something was decrypted with keys.
    pub decrypted: bool,
    /// Live only: it is still under way and has made no progress for too long. Another report with the same id follows when it ends.
    pub provisional: bool,
    /// Where the time went.
    pub timing: Timing,
    /// What was lost on the way.
    pub loss: Loss,
}

/// Durations in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// Network round trip as seen in the TCP handshake.
    pub tcp_rtt_us: Option<u64>,
    /// From the connection being up (or the upgrade granted) to the `ClientHello`: the client's think time.
    pub client_hello_us: Option<u64>,
    /// From the `ClientHello` to the `ServerHello`.
    pub server_hello_us: Option<u64>,
    /// The part of that which is not the network's: the server's think time.
    pub server_think_us: Option<u64>,
    /// From the `ServerHello` to the last Finished.
    pub finished_us: Option<u64>,
    /// From the first packet (or the `ClientHello`, in mid-stream) to the end of the handshake.
    pub total_us: Option<u64>,
}

/// What was lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// Segments or datagrams that the client sent again.
    pub client_retransmits: u32,
    /// The same of the server.
    pub server_retransmits: u32,
    /// Bytes that are missing from the streams and were never seen.
    pub gap_bytes: u64,
}

/// What was said in the handshake.
#[derive(Debug, Clone)]
pub struct Tls<'a> {
    /// The version chosen.
    pub version: Option<ProtocolVersion>,
    /// The suite chosen.
    pub cipher: Option<CipherSuite>,
    /// The key exchange group.
    pub curve: Option<NamedGroup>,
    /// The application protocol chosen (ALPN).
    pub next_protocol: Option<Cow<'a, str>>,
    /// What the client said.
    pub client: Option<TlsClient<'a>>,
    /// What became of Encrypted ClientHello, where that shows.
    pub ech: Option<Ech>,
    /// What the server said.
    pub server: Option<TlsServer>,
    /// Alerts of both sides in order.
    pub alerts: Vec<AlertSeen>,
}

/// What the client said.
#[derive(Debug, Clone)]
pub struct TlsClient<'a> {
    /// The random of its first `ClientHello`: the same wherever this handshake is captured, whatever was translated in between.
    pub random: Cow<'a, [u8]>,
    /// The name it asked for (SNI), as sent.
    pub server_name: Option<Cow<'a, str>>,
    /// What it offered.
    pub offer: Offer<'a>,
    /// The server asked it for a certificate.
    pub certificate_requested: bool,
    /// Its TLS library, where it is recognised.
    pub stack: Option<Speaker>,
    /// Its certificates as sent, leaf first.
    pub certificates: Vec<Arc<Certificate>>,
}

/// What the server said.
#[derive(Debug, Clone, Default)]
pub struct TlsServer {
    /// How it answered.
    pub answer: Arc<ServerAnswer>,
    /// Its TLS library, where it is recognised.
    pub stack: Option<Speaker>,
    /// Its certificates as sent, leaf first.
    pub certificates: Vec<Arc<Certificate>>,
    /// SHA-256 of the public key that it sent in the place of certificates (RFC 7250).
    pub raw_key: Option<[u8; 32]>,
    /// Why the chain was not verified to its end, if it was not.
    pub unverified: Option<Unverified>,
    /// The stapled OCSP status.
    pub staple: Option<OcspStatus>,
}

/// What became of Encrypted ClientHello, as keys show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ech {
    /// The server opened the client's inner hello and answered that.
    Accepted,
    /// The client said that the server did not.
    Rejected,
    /// The server could not open it, as it cannot what a client made up (GREASE), and sent configurations to retry with.
    Retry,
}

impl Ech {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Rejected, Self::Retry];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Retry => "retry-configurations",
        }
    }
}

/// An alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertSeen {
    /// Who sent it.
    pub from: Side,
    /// Level and description; absent when hidden by encryption.
    pub alert: Option<Alert>,
    /// The frame that carried it.
    pub frame: u64,
    /// It was encrypted: known by its size and place, or decrypted when it is here.
    pub encrypted: bool,
}

impl AlertSeen {
    /// `fatal` or `warning`; absent when hidden.
    pub fn level(&self) -> Option<&'static str> {
        self.alert.map(|alert| if alert.fatal { "fatal" } else { "warning" })
    }
}

/// What is QUIC's own in a handshake.
#[derive(Debug, Clone)]
pub struct Quic<'a> {
    /// The version in use.
    pub version: quic::version::Version,
    /// The version of the client's first packet.
    pub first_version: quic::version::Version,
    /// What the server supports, by its Version Negotiation packet.
    pub server_versions: Cow<'a, [quic::version::Version]>,
    /// Retry packets of the server.
    pub retries: u32,
    /// 0-RTT packets of the client.
    pub zero_rtt_packets: u32,
    /// Stateless resets of the server, as far as they tell themselves apart.
    pub stateless_resets: u32,
    /// `CONNECTION_CLOSE` frames that could be read, each side's first.
    pub closes: Cow<'a, [facts::facts::ClosedBy]>,
}

/// What is DTLS's own in a handshake.
#[derive(Debug, Clone, Copy)]
pub struct Dtls {
    /// `HelloVerifyRequest` messages of the server.
    pub cookie_requests: u32,
    /// Messages that came in more than one fragment.
    pub fragmented_messages: u32,
    /// Largest datagram of the handshake, in bytes of UDP payload.
    pub largest_datagram: u32,
    /// Connection identifiers are in use (RFC 9146).
    pub connection_id: bool,
    /// The SRTP protection profile that the server chose (RFC 5764).
    pub srtp_profile: Option<SrtpProfile>,
    /// The TURN relay through which one of the two speaks.
    pub relay: Option<Endpoint>,
}

/// What is said around a handshake in EAP. Names are as sent.
#[derive(Debug, Clone)]
pub struct Eap<'a> {
    /// The method; absent where none was proposed.
    pub method: Option<Method>,
    /// Who the supplicant says it is, in clear: the outer identity.
    pub identity: Option<Cow<'a, str>>,
    /// The supplicant's address, as the authenticator says it (Calling-Station-Id).
    pub station: Option<Cow<'a, str>>,
    /// The authenticator: its NAS-Identifier, or its address.
    pub authenticator: Option<Cow<'a, str>>,
    /// Access point and network (Called-Station-Id).
    pub called_station: Option<Cow<'a, str>>,
    /// How the server decided; absent where that was not seen.
    pub result: Option<EapResult>,
}

impl<'a> Eap<'a> {
    /// The same with every name changed by this.
    pub fn map<'b>(&self, mut change: impl FnMut(&Cow<'a, str>) -> Cow<'b, str>) -> Eap<'b> {
        Eap {
            method: self.method,
            identity: self.identity.as_ref().map(&mut change),
            station: self.station.as_ref().map(&mut change),
            authenticator: self.authenticator.as_ref().map(&mut change),
            called_station: self.called_station.as_ref().map(&mut change),
            result: self.result,
        }
    }
}

/// What OpenVPN's packets show around a handshake.
#[derive(Debug, Clone, Copy)]
pub struct OpenVpn {
    /// What protects the control channel.
    pub wrapping: Wrapping,
    /// The number of the new keys, 1 to 7, where a session that is there gets them.
    pub rekey: Option<u8>,
    /// Packets with which the client begins, repetitions included.
    pub client_resets: u32,
    /// The server's answers to them, likewise.
    pub server_resets: u32,
    /// Both sides use the tunnel.
    pub tunnel: bool,
}

/// Why, and what to do.
#[derive(Debug, Clone)]
pub struct Diagnosis<'a> {
    /// Absent when there is nothing to say.
    pub cause: Option<Cause>,
    /// Who ended it. Not always who is to blame.
    pub stopped_by: StoppedBy,
    /// How sure the cause is; absent without a cause.
    pub confidence: Option<Confidence>,
    /// What happened, for headlines, where it is not as the cause's page has it.
    pub headline: Option<&'static str>,
    /// It ended, and nothing failed: how it would have gone nobody can say.
    pub undecided: bool,
    /// One sentence for a person about the cause; see [`Handshake::summary`].
    pub summary: Option<Cow<'a, str>>,
    /// What to do, a line each, commands to type among them.
    pub remedy: Cow<'a, [Advice]>,
    /// What proves it, in order.
    pub evidence: Cow<'a, [Evidence]>,
    /// What speaks against the cause, as far as that leaves it standing.
    pub against: Cow<'a, [Evidence]>,
    /// Other causes that the packets do not exclude, the likeliest first.
    pub alternatives: Cow<'a, [Cause]>,
    /// What else was noticed.
    pub findings: Cow<'a, [Finding]>,
}

/// How grave a verdict is, or a finding beside the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It explains a failure.
    Error,
    /// It may, or its users suffered.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// Every severity.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Info];

    /// That of a finding on a handshake which ended so.
    pub fn of(finding: &Finding, outcome: Outcome) -> Self {
        match finding.weight {
            Weight::Note | Weight::Unwanted => Self::Info,
            Weight::Fallback => Self::Warning,
            _ if outcome == Outcome::Completed => Self::Warning,
            Weight::Explains | Weight::Overrides => Self::Error,
        }
    }

    /// That of a handshake of this class.
    pub const fn of_class(class: Class) -> Self {
        match class {
            Class::Failed | Class::Rejected => Self::Error,
            Class::Troubled => Self::Warning,
            Class::Undecided | Class::Probe | Class::Completed => Self::Info,
        }
    }

    /// As OCSF numbers it: 3 medium, 2 low, 1 informational.
    pub const fn number(self) -> u64 {
        match self {
            Self::Error => 3,
            Self::Warning => 2,
            Self::Info => 1,
        }
    }

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl Handshake<'_> {
    /// The name that the client asked for.
    pub fn server_name(&self) -> Option<&str> {
        let name = self.tls.as_ref()?.client.as_ref()?.server_name.as_deref()?;
        (!name.is_empty()).then_some(name)
    }

    /// The certificates of the server, leaf first.
    pub fn server_certificates(&self) -> &[Arc<Certificate>] {
        self.tls.as_ref().and_then(|tls| tls.server.as_ref()).map_or(&[], |server| &server.certificates)
    }

    /// The certificates of the client, leaf first.
    pub fn client_certificates(&self) -> &[Arc<Certificate>] {
        self.tls.as_ref().and_then(|tls| tls.client.as_ref()).map_or(&[], |client| &client.certificates)
    }

    /// What it counts as.
    pub const fn class(&self) -> Class {
        if self.diagnosis.undecided {
            return Class::Undecided;
        }
        Class::of(self.handshake.outcome, self.diagnosis.stopped_by, self.diagnosis.cause)
    }

    /// One sentence for a person: of the cause, or where there is none to name, of how it ended.
    pub fn summary(&self) -> Cow<'_, str> {
        match &self.diagnosis.summary {
            Some(summary) => Cow::Borrowed(summary),
            None => Cow::Owned(self.plain_summary()),
        }
    }

    fn plain_summary(&self) -> String {
        let mut text = String::with_capacity(120);
        let outcome = self.handshake.outcome;
        let subject = match (outcome, &self.quic, self.tls.as_ref().and_then(|tls| tls.version)) {
            (Outcome::Completed, Some(quic), _) => Cow::Owned(format!("QUIC version {}", quic.version)),
            (Outcome::Completed, None, Some(version)) => word(version.spoken().name(), version.spoken()),
            (Outcome::Completed, None, None) => Cow::Borrowed("TLS"),
            _ => Cow::Borrowed("The handshake"),
        };
        text.extend([&subject, " with "]);
        let server = self.server.text();
        match self.tls.as_ref().and_then(|tls| tls.client.as_ref()).and_then(|client| client.server_name.as_deref()) {
            Some(name) => text.extend([name, " (", server.as_str(), ")"]),
            None => text.push_str(server.as_str()),
        }
        if outcome == Outcome::Completed {
            text.push_str(if self.handshake.resumed { " was established by resumption." } else { " was established." });
        } else {
            text.extend([" ", words::ended(outcome), " ", words::reached(self.handshake.stage), "."]);
        }
        text
    }

    /// The same told packet by packet, where the packets are known.
    pub fn with_timeline(&self) -> Handshake<'_> {
        let mut told = self.clone();
        if let (true, Some(facts)) = (told.timeline.is_empty(), told.facts) {
            told.timeline = super::timeline(facts);
        }
        told
    }

    /// The same, to keep beyond its handshake.
    pub fn to_static(&self) -> Handshake<'static> {
        let Self {
            observer,
            network,
            client,
            server,
            server_ttl,
            owners,
            capture,
            handshake,
            tls,
            quic,
            dtls,
            eap,
            openvpn,
            dns,
            diagnosis,
            timeline,
            facts: _,
        } = self;
        Handshake {
            observer: observer.clone(),
            network: *network,
            client: *client,
            server: *server,
            server_ttl: *server_ttl,
            owners: owners.clone(),
            capture: capture.to_static(),
            handshake: Course { history: owned(&*handshake.history), ..*handshake },
            tls: tls.as_ref().map(Tls::to_static),
            quic: quic.as_ref().map(|quic| Quic { server_versions: owned(&*quic.server_versions), closes: owned(&*quic.closes), ..*quic }),
            dtls: *dtls,
            openvpn: *openvpn,
            dns: dns.clone(),
            eap: eap.as_ref().map(|eap| eap.map(|name| owned(&**name))),
            diagnosis: Diagnosis {
                summary: diagnosis.summary.as_deref().map(owned),
                remedy: owned(&*diagnosis.remedy),
                evidence: owned(&*diagnosis.evidence),
                against: owned(&*diagnosis.against),
                alternatives: owned(&*diagnosis.alternatives),
                findings: owned(&*diagnosis.findings),
                ..*diagnosis
            },
            timeline: timeline.clone(),
            facts: None,
        }
    }
}

impl Capture<'_> {
    fn to_static(&self) -> Capture<'static> {
        Capture { source: owned(&*self.source), interface: self.interface.as_deref().map(owned), files: self.files.clone(), ..*self }
    }

    /// Where a frame stands.
    pub fn place(&self, frame: u64) -> Place {
        Place::of(self.files.as_ref(), frame)
    }
}

impl Tls<'_> {
    fn to_static(&self) -> Tls<'static> {
        let client = self.client.as_ref().map(|client| TlsClient {
            random: owned(&*client.random),
            server_name: client.server_name.as_deref().map(owned),
            offer: client.offer.to_static(),
            certificates: client.certificates.clone(),
            ..*client
        });
        Tls {
            next_protocol: self.next_protocol.as_deref().map(owned),
            client,
            server: self.server.clone(),
            alerts: self.alerts.clone(),
            ..*self
        }
    }
}

fn owned<T: ToOwned + ?Sized>(value: &T) -> Cow<'static, T> {
    Cow::Owned(value.to_owned())
}

/// A code point's name where it has one, else as it prints.
pub fn word(name: Option<&'static str>, value: impl std::fmt::Display) -> Cow<'static, str> {
    name.map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}
