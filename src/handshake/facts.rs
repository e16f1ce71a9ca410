//! The facts of one handshake: what rules look at and reports are made of.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::anomaly::Anomaly;
use crate::flow::{Endpoint, PerSide, Side};
use crate::limits;
use crate::preamble::{Plaintext, PreambleFacts};
use crate::time::Mark;
use crate::tls::certificate::{Certificate, RawKey};
use crate::tls::client_hello::ClientHello;
use crate::tls::message::{CertificateRequest, EncryptedExtensions, OcspStaple, ServerKeyExchange, SessionTicket};
use crate::tls::registry::{CipherSuite, NamedGroup, ProtocolVersion};
use crate::tls::server_hello::ServerHello;
use crate::traffic::UNKNOWN;
use crate::transport::{Close, FlowFacts};

pub mod carried;
pub mod datagrams;

pub use super::alerts::{AlertSeen, ReadAlert};
pub use super::fact::Fact;
pub use super::ftp::{FtpReplies, FtpReply, FtpSaid};
pub use super::history::History;
pub use super::lookups::{EchRecord, LookedUp, MailPolicy, TlsaRecords};
use super::padding::Padding;
use super::renegotiation::Renegotiation;
pub use carried::{CarriedFacts, Carrier, EapFacts, EapResult, EapRoad, OpenVpnFacts};
pub use datagrams::{ClosedBy, DtlsFacts, HelloPacket, Hole, Packets, QuicFacts, Strange, Talk, Unanswered};

/// Something, and where it was seen: the frame that carried its last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// What.
    pub what: T,
    /// The frame that carried its last byte.
    pub mark: Mark,
    /// The frame that carried its first byte.
    pub first: Mark,
    /// Offset of its first byte (the record header's) in its side's stream, and behind its last.
    pub span: (u64, u64),
}

/// What was observed of one handshake: what its messages and records say, entered as they are read. What each record touches comes first.
#[derive(Debug, Clone, Default)]
#[repr(C)]
pub struct Observed {
    /// What was spoken.
    pub protocol: Protocol,
    /// Something was decrypted with keys.
    pub decrypted: bool,
    /// The server took the hello that the client had encrypted (ECH): the name in clear is not the one that it answered for.
    pub ech_accepted: bool,
    /// Early data was offered.
    pub early_data_offered: bool,
    /// Resumed: how, or `None` for a full handshake or one that did not get so far.
    pub resumption: Option<Resumption>,
    /// Bytes of all that is kept here besides: messages, certificates, lists.
    pub held_bytes: usize,
    /// Early data records were sent by the client.
    pub early_data_records: u32,
    /// Application data records of each side after its Finished, as far as looked at (tickets, in TLS 1.3 without keys, are not counted).
    pub application_records: PerSide<u32>,
    /// Length of the server's first application data record up to TLS 1.2, as its header says.
    pub first_answer: Option<u16>,
    /// One letter a message, capitals from the client; at most 100.
    pub history: History,
    /// ChangeCipherSpec of each side.
    pub change_cipher_spec: PerSide<Option<Mark>>,
    /// Finished of each side: recognised by its size and place, or decrypted.
    pub finished: PerSide<Option<Mark>>,
    /// Application data of each side, after its Finished: first record.
    pub application_data: PerSide<Option<Mark>>,
    /// ServerHello.
    pub server_hello: Option<Located<ServerHello>>,
    /// The server's SERVER-HELLO of SSL 2.0.
    pub ssl2_answer: Option<Mark>,
    /// Encrypted records of each side by size, from its first, bounded by [`crate::limits::ENCRYPTED_RECORDS`].
    pub encrypted: PerSide<EncryptedRecords>,
    /// ClientHellos in order: a second one follows a HelloRetryRequest.
    pub client_hellos: SmallVec<[Located<ClientHello>; 1]>,
    /// What led up to TLS.
    pub preamble: Option<Box<PreambleFacts>>,
    /// A side spoke something else than TLS where a TLS record was due.
    pub plaintext: PerSide<Option<Box<Located<Plaintext>>>>,
    /// Where what is said lies in frames, when each side last said any of it: what goes on around it are words of the frames.
    pub in_frames: Option<Box<PerSide<Option<Mark>>>>,
    /// Bytes of a ClientHello whose rest never came: how many there were and how many its length field promised.
    pub partial_client_hello: Option<PartialMessage>,
    /// The same for the message the server was sending when its bytes ended.
    pub partial_server_message: Option<PartialMessage>,
    /// HelloRetryRequest.
    pub hello_retry: Option<Box<Located<ServerHello>>>,
    /// EncryptedExtensions, decrypted: the message's body, to be read with [`crate::tls::message::EncryptedExtensions`].
    pub encrypted_extensions: Option<Box<Located<Box<[u8]>>>>,
    /// The server's certificates as served, leaf first (in clear, or decrypted).
    pub server_chain: Option<Located<Chain>>,
    /// The client's certificates; an empty chain means it was asked and had none.
    pub client_chain: Option<Located<Chain>>,
    /// CertificateStatus, or the status_request extension of a decrypted Certificate.
    pub staple: Option<Box<Located<OcspStaple>>>,
    /// ServerKeyExchange.
    pub server_key_exchange: Option<Located<ServerKeyExchange>>,
    /// CertificateRequest.
    pub certificate_request: Option<Box<Located<CertificateRequest>>>,
    /// ServerHelloDone.
    pub server_hello_done: Option<Mark>,
    /// ClientKeyExchange.
    pub client_key_exchange: Option<Mark>,
    /// CertificateVerify from the client in clear (TLS ≤ 1.2).
    pub client_certificate_verify: Option<Mark>,
    /// NewSessionTicket in clear (TLS ≤ 1.2).
    pub session_ticket: Option<Box<Located<SessionTicket>>>,
    /// HelloRequest from the server.
    pub hello_request: Option<Mark>,
    /// TLS 1.3 records of the server after its Finished that look like NewSessionTickets.
    pub tickets_seen: u32,
    /// What the encrypted flights of TLS 1.3 look like (see [`Hidden`]).
    pub hidden: Hidden,
    /// Alerts of both sides as they were read, bounded by [`crate::limits::ALERTS`]. See [`Handshake::alerts`].
    pub read_alerts: Vec<ReadAlert>,
    /// A second handshake inside the first, or what TLS 1.3 has in its place.
    pub renegotiation: Option<Renegotiation>,
    /// Protocol faults, bounded.
    pub anomalies: Vec<Anomaly>,
    /// What is QUIC's own; present for QUIC.
    pub quic: Option<Box<QuicFacts>>,
    /// What is DTLS's own; present for DTLS.
    pub dtls: Option<Box<DtlsFacts>>,
    /// What carried it, where its records travelled in messages of another protocol over UDP.
    pub carried: Option<Box<CarriedFacts>>,
    /// Bytes of content of the client's first application data, where they are known.
    pub opening: Option<u16>,
    /// What the server says on a control connection of FTP.
    pub ftp: Option<Box<FtpReplies>>,
}

/// One handshake that is over, or judged as if it were: what was observed, what its packets showed, and what follows from both by definition. It
/// is made once ([`super::machine`]), so that nothing here is yet to be filled in. What was observed is read as if it were the handshake's own.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// What was observed. The sides are TLS roles, like everywhere here.
    pub observed: Box<Observed>,
    /// What the flow's packets showed.
    pub flow: Box<FlowFacts>,
    /// The side that opens the handshake.
    pub client: Endpoint,
    /// The side that answers.
    pub server: Endpoint,
    /// Why the flow is no longer followed.
    pub close: Close,
    /// Up to where it was watched: the frame at which that was decided; for [`Close::EndOfCapture`] the capture's last, or the last before its
    /// source fell silent.
    pub closed_at: Mark,
    /// The number of the frame at which it was concluded, for the order of reports; the largest at the end of the capture.
    pub concluded_at: u64,
    /// It is still under way: this is what could be said when it had made no progress for too long. Another follows when it ends.
    pub provisional: bool,
    /// Packets that the capture lost on this interface while it was under way, where that is known: some may have been its own.
    pub capture_losses: u64,
    /// What was looked up before it.
    pub looked_up: Option<Box<LookedUp>>,
    /// Alerts of both sides in order: those that were read, and one that size, place or silence show.
    pub alerts: Vec<AlertSeen>,
    /// How far it got.
    pub stage: Stage,
    /// How it ended.
    pub outcome: Outcome,
    /// Who ended it: sent the alert, RST or FIN, or fell silent. See the schema's `stopped_by`.
    pub stopped_by: StoppedBy,
    /// The packet that ended it, where there is one.
    pub end: Option<Mark>,
}

impl Deref for Handshake {
    type Target = Observed;

    fn deref(&self) -> &Observed {
        &self.observed
    }
}

/// For tests, which make up what was observed.
#[cfg(test)]
impl std::ops::DerefMut for Handshake {
    fn deref_mut(&mut self) -> &mut Observed {
        &mut self.observed
    }
}

/// A chain of certificates as sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// In the order sent. Each distinct certificate is parsed once and shared.
    pub certificates: Vec<Arc<Certificate>>,
    /// Length of the whole Certificate message in bytes.
    pub message_len: usize,
    /// Certificates beyond [`crate::limits::CHAIN_LEN`].
    pub dropped: usize,
    /// A public key alone, in the place of certificates.
    pub raw_key: Option<Box<RawKey>>,
}

/// A message that was begun and never completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialMessage {
    /// Handshake type, if its first byte was there.
    pub message: Option<u8>,
    /// Bytes present, record headers excluded.
    pub have: usize,
    /// Bytes its length field promises, when that was there (0 otherwise).
    pub want: usize,
    /// The frame of its first byte.
    pub mark: Mark,
}

/// What was spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Protocol {
    /// TLS, or SSL 3.0.
    Tls,
    /// SSL 2.0 (an SSLv2 hello that was not answered in a later version).
    Ssl2,
    /// DTLS.
    Dtls,
    /// QUIC.
    Quic,
    /// No TLS byte was seen.
    #[default]
    Other,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 5] = [Self::Tls, Self::Ssl2, Self::Dtls, Self::Quic, Self::Other];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Ssl2 => "ssl2",
            Self::Dtls => "dtls",
            Self::Quic => "quic",
            Self::Other => "other",
        }
    }

    /// The name people use; for what is none of these it says only that.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Ssl2 => "SSL 2.0",
            Self::Dtls => "DTLS",
            Self::Quic => "QUIC",
            Self::Other => UNKNOWN,
        }
    }
}

/// The encrypted records of a side: room for a server's flight, tickets, and the first record of its answer lies with the rest of the facts.
pub type EncryptedRecords = SmallVec<[EncryptedRecord; 8]>;

/// One encrypted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptedRecord {
    /// Outer content type: 21 alert, 22 handshake, 23 application data (everything, in TLS 1.3).
    pub content_type: u8,
    /// The record header's length field.
    pub len: u16,
    /// The frame of its last byte.
    pub mark: Mark,
}

/// What the encrypted part of a TLS 1.3 handshake shows by sizes and order (without keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hidden {
    /// How a side pads its records, learned from its Finished.
    pub padding: PerSide<Option<Padding>>,
    /// The server's flight is complete: a Finished-sized record ends it, or the client answers it. Unseen: its messages share records, and these
    /// are large enough to hold all of them.
    pub server_flight_done: Fact,
    /// Length of the record that holds the server's Certificate, and so about the size of its chain; coalesced flights: of the whole record.
    pub server_certificate_record: Option<u16>,
    /// The server sent a record that fits a CertificateRequest, or the client answered one. Unseen: the messages share records.
    pub certificate_requested: Fact,
    /// Bytes of the server's EncryptedExtensions message, where it has a record of its own.
    pub encrypted_extensions_len: Option<u16>,
    /// Size of the server's CertificateVerify record, which gives its key's kind and size.
    pub certificate_verify_record: Option<u16>,
    /// The client sent an empty Certificate.
    pub client_certificate_empty: bool,
    /// The client sent a Certificate and a CertificateVerify.
    pub client_certificate_sent: bool,
    /// The client's flight held no Finished-sized record but one that fits an alert.
    pub client_alert_instead_of_finished: bool,
    /// Where, behind its Finished, the server first sent what is neither ticket nor alert, judging by its size.
    pub server_spoke: Option<Mark>,
}

/// How a session was resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resumption {
    /// By session identifier.
    SessionId,
    /// By ticket (TLS ≤ 1.2).
    Ticket,
    /// By pre-shared key (TLS 1.3).
    Psk,
}

/// How far the handshake got: the schema's `handshake.stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The transport was coming up, or was up and nothing was said.
    Connect,
    /// A STARTTLS or proxy dialogue was under way.
    Preamble,
    /// The ClientHello was sent, or part of it.
    ClientHello,
    /// The ServerHello was sent.
    ServerHello,
    /// The server's certificate or the rest of its flight was sent.
    ServerCertificate,
    /// The client's certificate was asked for and its answer sent.
    ClientAuth,
    /// A Finished was sent.
    Finished,
    /// Both sides finished.
    Established,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Preamble,
        Self::ClientHello,
        Self::ServerHello,
        Self::ServerCertificate,
        Self::ClientAuth,
        Self::Finished,
        Self::Established,
    ];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Preamble => "preamble",
            Self::ClientHello => "client_hello",
            Self::ServerHello => "server_hello",
            Self::ServerCertificate => "server_certificate",
            Self::ClientAuth => "client_auth",
            Self::Finished => "finished",
            Self::Established => "established",
        }
    }
}

/// How the handshake ended: the schema's `handshake.outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Both sides finished.
    Completed,
    /// A fatal alert (clear, decrypted, or inferred from its size and place) ended it.
    Alerted,
    /// A RST ended it.
    Reset,
    /// FIN without an alert.
    Closed,
    /// No progress for longer than the limit, or retransmission without answer, while the capture went on.
    Stalled,
    /// The transport was never up.
    Refused,
    /// One side spoke something else than TLS.
    Plaintext,
    /// The capture, not the network, is missing the rest.
    Incomplete,
}

impl Outcome {
    /// Every outcome, in the order in which a summary lists them.
    pub const ALL: [Self; 8] =
        [Self::Completed, Self::Alerted, Self::Reset, Self::Closed, Self::Stalled, Self::Refused, Self::Plaintext, Self::Incomplete];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Alerted => "alerted",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Stalled => "stalled",
            Self::Refused => "refused",
            Self::Plaintext => "plaintext",
            Self::Incomplete => "incomplete",
        }
    }

    /// The handshake did not complete, and not for want of capture.
    pub const fn failed(self) -> bool {
        !matches!(self, Self::Completed | Self::Incomplete)
    }
}

/// Who ended the handshake: the schema's `stopped_by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoppedBy {
    /// The client.
    Client,
    /// The server.
    Server,
    /// A device or the path between them.
    Network,
    /// The capture ended or lacks the rest.
    Capture,
    /// Nobody: it completed.
    Nobody,
}

impl StoppedBy {
    /// All who may end a handshake.
    pub const ALL: [Self; 5] = [Self::Client, Self::Server, Self::Network, Self::Capture, Self::Nobody];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Network => "network",
            Self::Capture => "capture",
            Self::Nobody => "nobody",
        }
    }
}

impl From<Side> for StoppedBy {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

impl Observed {
    /// The client changes its keys, as it does when it has read a ServerHello or HelloRetryRequest, though none is here. Who sends early data does so before.
    pub fn went_on_unanswered(&self) -> Option<Mark> {
        let answered = self.server_hello.is_some() || self.hello_retry.is_some();
        self.change_cipher_spec.client.filter(|_| !answered && !self.early_data_offered)
    }

    /// Bytes that it takes with all that it holds.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.held_bytes
    }

    /// Turns the roles round, for a connection whose beginning was not seen and whose sides were guessed wrong.
    pub(super) fn swap_sides(&mut self) {
        self.plaintext.swap();
        self.change_cipher_spec.swap();
        self.finished.swap();
        self.application_data.swap();
        self.application_records.swap();
        self.first_answer = None;
        self.encrypted.swap();
        for alert in &mut self.read_alerts {
            alert.from = alert.from.other();
        }
        for anomaly in &mut self.anomalies {
            anomaly.side = anomaly.side.other();
        }
        self.history.mark_swapped();
    }

    /// The first ClientHello.
    pub fn hello(&self) -> Option<&ClientHello> {
        self.client_hellos.first().map(|seen| &seen.what)
    }

    /// The last ClientHello: the one that the ServerHello answers.
    pub fn last_hello(&self) -> Option<&Located<ClientHello>> {
        self.client_hellos.last()
    }

    /// The name the client asked for, as text (invalid UTF-8 replaced).
    pub fn server_name(&self) -> Option<String> {
        self.name().map(Cow::into_owned)
    }

    /// The same, borrowed where it is valid UTF-8.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        // The longest host name has 253 letters; what is longer is none, and is not carried about whole.
        let name = self.hello()?.server_name()?;
        let name = name.get(..limits::SERVER_NAME_LEN).unwrap_or(name);
        // Nearly always it is, and that is the quickest to see.
        Some(std::str::from_utf8(name).map_or_else(|_| String::from_utf8_lossy(name), Cow::Borrowed))
    }

    /// The application protocol that the server chose, where that is visible.
    pub fn next_protocol(&self) -> Option<&[u8]> {
        let in_clear = self.server_hello.as_ref().and_then(|hello| hello.what.alpn());
        in_clear.or_else(|| EncryptedExtensions::parse(&self.encrypted_extensions.as_ref()?.what)?.alpn())
    }

    /// The version the server chose.
    pub fn version(&self) -> Option<ProtocolVersion> {
        let chosen = self.server_hello.as_ref().or(self.hello_retry.as_deref()).map(|seen| seen.what.version());
        chosen.or_else(|| self.ssl2_answer.map(|_| ProtocolVersion::SSL2))
    }

    /// The suite the server chose.
    pub fn cipher(&self) -> Option<CipherSuite> {
        self.server_hello.as_ref().or(self.hello_retry.as_deref()).map(|seen| seen.what.cipher_suite())
    }

    /// The key exchange group in use.
    pub fn group(&self) -> Option<NamedGroup> {
        self.server_hello
            .as_ref()
            .and_then(|seen| seen.what.key_share_group())
            .or_else(|| self.server_key_exchange.as_ref().and_then(|seen| seen.what.group))
    }

    /// TLS 1.3 was chosen: what follows the ServerHello is encrypted.
    pub fn is_tls13(&self) -> bool {
        self.version().is_some_and(ProtocolVersion::is_tls13)
    }

    /// The time from the ClientHello to the first byte of the server's answer.
    pub fn server_hello_time(&self) -> Option<Duration> {
        let hello = self.client_hellos.first()?;
        let answer = self.hello_retry.as_deref().or(self.server_hello.as_ref())?;
        Some(answer.first.time.since(hello.mark.time))
    }

    /// The server's leaf certificate.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.server_chain.as_ref()?.what.certificates.first().map(AsRef::as_ref)
    }
}

impl Handshake {
    /// What the client wanted to reach: the name asked for, else what it asked a proxy for, else the server's address and port.
    pub fn aim(&self) -> Cow<'_, str> {
        let through = || {
            let layers = self.preamble.as_ref()?.layers();
            layers.filter(|layer| layer.dialect.is_proxy()).find_map(|layer| layer.target.as_deref())
        };
        self.name().or_else(|| through().map(Cow::Borrowed)).unwrap_or_else(|| Cow::Owned(self.server.to_string()))
    }

    /// The fatal alert, clear or decrypted, that ended the handshake: the first fatal one that is no consequence and came before completion.
    pub fn deciding_alert(&self) -> Option<&AlertSeen> {
        deciding(&self.alerts)
    }

    /// The description and sender of [`Handshake::deciding_alert`], where it can be read.
    pub fn deciding_description(&self) -> Option<(Side, u8)> {
        let seen = self.deciding_alert()?;
        seen.alert.map(|alert| (seen.from, alert.description.0))
    }

    /// A handshake of which nothing was seen but its flow.
    #[cfg(test)]
    pub(crate) fn new(flow: FlowFacts) -> Self {
        let (client, server) = flow.ends();
        Self {
            observed: Box::default(),
            client,
            server,
            close: Close::EndOfCapture,
            closed_at: flow.first,
            concluded_at: u64::MAX,
            provisional: false,
            capture_losses: 0,
            looked_up: None,
            alerts: Vec::new(),
            stage: Stage::Connect,
            outcome: Outcome::Incomplete,
            stopped_by: StoppedBy::Capture,
            end: None,
            flow: Box::new(flow),
        }
    }
}

/// The fatal alert that ended a handshake: the first that is no consequence and came before completion.
pub(super) fn deciding(alerts: &[AlertSeen]) -> Option<&AlertSeen> {
    alerts.iter().find(|seen| !seen.consequence && !seen.after_handshake && seen.alert.is_none_or(|alert| alert.fatal))
}
