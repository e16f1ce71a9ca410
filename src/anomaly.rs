//! Anomalies: what traffic does that it should not. Traffic never yields an error; it yields one of these.

use crate::flow::Side;
use crate::time::Mark;

/// Something that breaks a protocol rule or makes what follows unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Where.
    pub mark: Mark,
    /// Whose bytes.
    pub side: Side,
    /// What.
    pub kind: AnomalyKind,
}

/// Kinds of anomaly.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A record header that no TLS version allows, at this stream offset, after TLS had begun.
    NotARecord {
        /// Offset in the side's stream.
        offset: u64,
    },
    /// A record longer than its version allows: its length in bytes.
    RecordTooLong {
        /// The length field.
        len: usize,
    },
    /// A handshake message longer than the joiner takes.
    MessageTooLong {
        /// Handshake type.
        message: u8,
        /// The length field.
        len: usize,
    },
    /// A handshake message of this type that does not parse.
    Malformed {
        /// Handshake type.
        message: u8,
    },
    /// A field that breaks a rule: field and rule in RFC words.
    Defect {
        /// The field, in RFC spelling.
        field: &'static str,
        /// The rule it breaks, with its section.
        rule: &'static str,
    },
    /// A message that has no place here: type, and what was expected.
    OutOfOrder {
        /// Handshake type.
        message: u8,
        /// What was expected instead.
        expected: &'static str,
    },
    /// The server sent the client's own ClientHello back.
    EchoedHello,
    /// An alert record whose body is not two bytes though nothing is encrypted yet.
    MalformedAlert {
        /// Length of the record's body.
        len: usize,
    },
    /// A record of this content type that TLS does not know.
    UnknownContentType {
        /// The content type.
        content_type: u8,
    },
    /// A record that the keys of its connection do not open though they open those before it: it was changed on the way.
    RecordNotDecrypted {
        /// Length of the record's body.
        len: usize,
    },
    /// Overlapping segments carried different bytes.
    DifferingOverlap {
        /// Offset in the side's stream.
        offset: u64,
    },
}
