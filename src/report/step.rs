//! What happened in a handshake, packet by packet: the schema's `timeline` as types.

use crate::flow::Side;
use crate::time::Timestamp;

/// Something that happened in a handshake: an entry of the schema's `timeline`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The frame; absent for what did not happen.
    pub frame: Option<u64>,
    /// The frame's time.
    pub time: Timestamp,
    /// Who sent it; nobody for ICMP and silence that neither side is to blame for: the schema's `network`.
    pub from: Option<Side>,
    /// What it is.
    pub kind: StepKind,
    /// Bytes: of a message with its record header, of an encrypted record, or of the stretch of stream that an event is about.
    pub size: Option<u64>,
    /// What it carries, or what is to be said of it; may be empty.
    pub text: String,
    /// This ended a handshake that did not complete.
    pub ended: bool,
}

impl Step {
    /// The schema's word for who sent it.
    pub const fn sender(&self) -> &'static str {
        match self.from {
            Some(side) => side.name(),
            None => "network",
        }
    }
}

/// Kinds with the schema's words.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)*) => {
        /// What a step is: a message, `encrypted`, `alert`, or an event of the transport. More may come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum StepKind {
            $($(#[$doc])* $kind,)*
        }

        impl StepKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The schema's word.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// The client's SYN.
    Syn = "syn",
    /// The server's answer to it.
    SynAck = "syn-ack",
    /// The SYN sent again.
    SynAgain = "syn-again",
    /// The answer sent again.
    SynAckAgain = "syn-ack-again",
    /// The connection is up.
    Established = "established",
    /// The last byte that the other side is known to have.
    Acknowledged = "acknowledged",
    /// Bytes sent again.
    Retransmission = "retransmission",
    /// Bytes before which others are missing.
    OutOfOrder = "out-of-order",
    /// Bytes that are missing.
    Gap = "gap",
    /// The receive window is closed.
    ZeroWindow = "zero-window",
    /// It is open again.
    WindowOpen = "window-open",
    /// A keep-alive.
    KeepAlive = "keep-alive",
    /// Other bytes than before at the same place.
    Overlap = "overlap",
    /// Will send no more.
    Fin = "fin",
    /// Reset.
    Rst = "rst",
    /// An ICMP error about one of its packets.
    Icmp = "icmp",
    /// Nothing more came.
    Silence = "silence",
    /// The capture ends.
    EndOfCapture = "end-of-capture",
    /// A line of STARTTLS or of a proxy.
    Preamble = "preamble",
    /// No TLS where TLS was due.
    Plaintext = "plaintext",
    /// `ClientHello`.
    ClientHello = "client_hello",
    /// `HelloRetryRequest`.
    HelloRetryRequest = "hello_retry_request",
    /// DTLS's `HelloVerifyRequest`.
    HelloVerifyRequest = "hello_verify_request",
    /// `ServerHello`.
    ServerHello = "server_hello",
    /// Certificate.
    Certificate = "certificate",
    /// `CertificateStatus`: a stapled OCSP response.
    CertificateStatus = "certificate_status",
    /// `ServerKeyExchange`.
    ServerKeyExchange = "server_key_exchange",
    /// `CertificateRequest`.
    CertificateRequest = "certificate_request",
    /// `ServerHelloDone`.
    ServerHelloDone = "server_hello_done",
    /// `ClientKeyExchange`.
    ClientKeyExchange = "client_key_exchange",
    /// `CertificateVerify`.
    CertificateVerify = "certificate_verify",
    /// `NewSessionTicket`.
    NewSessionTicket = "new_session_ticket",
    /// `HelloRequest`.
    HelloRequest = "hello_request",
    /// `ChangeCipherSpec`.
    ChangeCipherSpec = "change_cipher_spec",
    /// Finished.
    Finished = "finished",
    /// Application data.
    ApplicationData = "application_data",
    /// An encrypted record or QUIC packet; the text says what it is likely to be.
    Encrypted = "encrypted",
    /// An alert.
    Alert = "alert",
    /// QUIC's `CONNECTION_CLOSE`.
    ConnectionClose = "connection_close",
    /// What EAP says around the handshake.
    Eap = "eap",
    /// QUIC's Version Negotiation.
    VersionNegotiation = "version_negotiation",
    /// QUIC's Retry.
    Retry = "retry",
    /// A second handshake inside the first.
    Renegotiation = "renegotiation",
    /// A rule of the protocol was broken.
    Anomaly = "anomaly",
    /// A record that is not whole.
    Record = "record",
    /// A handshake message of another type.
    Handshake = "handshake",
}
