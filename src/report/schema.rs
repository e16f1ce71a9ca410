//! What the fields of the schema hold: described once, for whoever must know it without a report at hand.
//!
//! The conditions of `--where` and the columns of Parquet are checked and made by it; docs/schema.json is it as JSON Schema. That reports are as
//! described here is tested on every capture there is.

mod owners;

use crate::carriers::eap::Method;
use crate::carriers::openvpn::Wrapping;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::Unverified;
use crate::diagnosis::finding::Confidence;
use crate::flow::{Side, Transport};
use crate::handshake::facts::{EapResult, Outcome, Protocol, Stage, StoppedBy};
use crate::handshake::stack::Certainty;
use crate::preamble::dns::Security;
use crate::tls::message::OcspStatus;
use crate::traffic::Bearer;

use self::owners::{COMMON_OWNERS, OWNER};
use super::{Class, Ech, Scope, SensorState, Severity, State};

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// It is there in every object of its kind.
    pub always: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text.
    Text,
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A moment: RFC 3339, UTC, nanoseconds.
    Time,
    /// A whole number, not negative.
    Integer,
    /// True or false.
    Flag,
    /// An object with these fields.
    Object(&'static [Field]),
    /// An object whose fields are words of the program, each with a count.
    Counts,
    /// A list.
    List(&'static Self),
}

/// A field that is always there.
pub(crate) const fn always(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, always: true }
}

/// A field that may be absent.
pub(crate) const fn maybe(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, always: false }
}

pub(crate) const TEXTS: Kind = Kind::List(&Kind::Text);
pub(crate) const CAUSE: Kind = Kind::Word(|| Cause::ALL.iter().map(|cause| cause.slug()).collect());
pub(crate) const CONFIDENCE: Kind = Kind::Word(|| Confidence::ALL.map(Confidence::name).to_vec());
pub(crate) const OUTCOME: Kind = Kind::Word(|| Outcome::ALL.map(Outcome::name).to_vec());
pub(crate) const SIDE: Kind = Kind::Word(|| Side::BOTH.map(Side::name).to_vec());

/// The fields of `kind: handshake`.
pub const HANDSHAKE: &[Field] = &[
    always("schema", Kind::Word(|| vec![super::SCHEMA])),
    always("kind", Kind::Word(|| vec!["handshake"])),
    always("@timestamp", Kind::Time),
    always("event", EVENT),
    always("observer", OBSERVER),
    always("event_id", Kind::Text),
    always(
        "network",
        Kind::Object(&[
            always("transport", Kind::Word(|| Transport::ALL.map(Transport::name).to_vec())),
            always("protocol", Kind::Word(|| Protocol::ALL.map(Protocol::name).to_vec())),
            always("community_id", Kind::Text),
            maybe("path", TEXTS),
        ]),
    ),
    always("client", CLIENT_END),
    always("server", SERVER_END),
    always(
        "capture",
        Kind::Object(&[
            always("source", Kind::Text),
            maybe("interface", Kind::Text),
            always("first_frame", Kind::Integer),
            always("last_frame", Kind::Integer),
            maybe("last_source", Kind::Text),
            maybe("first_merged_frame", Kind::Integer),
            maybe("last_merged_frame", Kind::Integer),
            maybe("quality", TEXTS),
        ]),
    ),
    always(
        "handshake",
        Kind::Object(&[
            always("id", Kind::Text),
            always("start", Kind::Time),
            always("end", Kind::Time),
            always("outcome", OUTCOME),
            always("class", Kind::Word(|| Class::ALL.map(Class::name).to_vec())),
            always("stage", Kind::Word(|| Stage::ALL.map(Stage::name).to_vec())),
            always("history", Kind::Text),
            maybe("preamble", Kind::Text),
            always("resumed", Kind::Flag),
            always("hello_retry", Kind::Flag),
            always("early_data", Kind::Flag),
            always("decrypted", Kind::Flag),
            always("provisional", Kind::Flag),
            always(
                "timing",
                Kind::Object(&[
                    maybe("tcp_rtt_us", Kind::Integer),
                    maybe("client_hello_us", Kind::Integer),
                    maybe("server_hello_us", Kind::Integer),
                    maybe("server_think_us", Kind::Integer),
                    maybe("finished_us", Kind::Integer),
                    maybe("total_us", Kind::Integer),
                ]),
            ),
            always(
                "loss",
                Kind::Object(&[
                    always("client_retransmits", Kind::Integer),
                    always("server_retransmits", Kind::Integer),
                    always("gap_bytes", Kind::Integer),
                ]),
            ),
        ]),
    ),
    maybe(
        "tls",
        Kind::Object(&[
            maybe("version", Kind::Text),
            maybe("cipher", Kind::Text),
            maybe("curve", Kind::Text),
            maybe("next_protocol", Kind::Text),
            always("established", Kind::Flag),
            always("resumed", Kind::Flag),
            maybe("client", Kind::Object(TLS_CLIENT)),
            maybe("ech", Kind::Word(|| Ech::ALL.map(Ech::name).to_vec())),
            maybe("server", Kind::Object(TLS_SERVER)),
            maybe("alerts", Kind::List(&Kind::Object(ALERT))),
        ]),
    ),
    maybe(
        "quic",
        Kind::Object(&[
            always("version", Kind::Text),
            always("first_version", Kind::Text),
            maybe("server_versions", TEXTS),
            always("retries", Kind::Integer),
            always("zero_rtt_packets", Kind::Integer),
            maybe("stateless_resets", Kind::Integer),
            maybe("closes", Kind::List(&Kind::Object(CLOSE))),
        ]),
    ),
    maybe(
        "dtls",
        Kind::Object(&[
            always("cookie_requests", Kind::Integer),
            always("fragmented_messages", Kind::Integer),
            always("largest_datagram", Kind::Integer),
            always("connection_id", Kind::Flag),
            maybe("srtp_profile", Kind::Text),
            maybe("relay", Kind::Text),
        ]),
    ),
    maybe(
        "eap",
        Kind::Object(&[
            maybe("method", Kind::Word(|| Method::ALL.map(Method::name).to_vec())),
            maybe("identity", Kind::Text),
            maybe("station", Kind::Text),
            maybe("authenticator", Kind::Text),
            maybe("called_station", Kind::Text),
            maybe("result", Kind::Word(|| EapResult::ALL.map(EapResult::name).to_vec())),
        ]),
    ),
    maybe(
        "openvpn",
        Kind::Object(&[
            always("wrapping", Kind::Word(|| Wrapping::ALL.map(Wrapping::name).to_vec())),
            maybe("rekey", Kind::Integer),
            always("client_resets", Kind::Integer),
            always("server_resets", Kind::Integer),
            always("tunnel", Kind::Flag),
        ]),
    ),
    maybe(
        "dns",
        Kind::Object(&[
            maybe("tlsa_name", Kind::Text),
            maybe("tlsa", TEXTS),
            maybe("tlsa_security", Kind::Word(|| Security::ALL.map(Security::name).to_vec())),
            maybe("tlsa_asked_by_client", Kind::Flag),
            maybe("tlsa_matched", Kind::Flag),
            maybe("tlsa_frame", Kind::Integer),
            maybe("ech_name", Kind::Text),
            maybe("mta_sts", Kind::Text),
            maybe("mta_sts_fetched", Kind::Flag),
        ]),
    ),
    always("diagnosis", Kind::Object(DIAGNOSIS)),
    maybe("timeline", Kind::List(&Kind::Object(STEP))),
];

const ADDRESS: [Field; 3] = [always("address", Kind::Text), maybe("ip", Kind::Text), always("port", Kind::Integer)];

const CLIENT_END: Kind = {
    const FIELDS: [Field; 9] = {
        let ([address, ip, port], [owner, process, user, container, orchestrator, systemd]) = (ADDRESS, OWNER);
        [address, ip, port, owner, process, user, container, orchestrator, systemd]
    };
    Kind::Object(&FIELDS)
};

const SERVER_END: Kind = {
    const FIELDS: [Field; 10] = {
        let ([address, ip, port], [owner, process, user, container, orchestrator, systemd]) = (ADDRESS, OWNER);
        [address, ip, port, maybe("ttl", Kind::Integer), owner, process, user, container, orchestrator, systemd]
    };
    Kind::Object(&FIELDS)
};

const SERVER: Kind =
    Kind::Object(&[always("address", Kind::Text), maybe("ip", Kind::Text), always("port", Kind::Integer), maybe("ttl", Kind::Integer)]);

const EVENT: Kind = Kind::Object(&[
    always("kind", Kind::Word(|| vec!["event", "alert", "metric"])),
    always("module", Kind::Text),
    always("dataset", Kind::Text),
    always("category", TEXTS),
    always("type", TEXTS),
    always("outcome", Kind::Word(|| vec!["success", "failure", "unknown"])),
    maybe("reason", CAUSE),
    always("severity", Kind::Integer),
    maybe("id", Kind::Text),
    maybe("start", Kind::Time),
    maybe("end", Kind::Time),
    maybe("duration", Kind::Integer),
]);

const OBSERVER: Kind = Kind::Object(&[
    always("vendor", Kind::Text),
    always("product", Kind::Text),
    always("type", Kind::Text),
    always("version", Kind::Text),
    maybe("name", Kind::Text),
    maybe("site", Kind::Text),
    maybe("sensor", Kind::Text),
    maybe("interface", Kind::Text),
]);

const REMEDIES: Kind = Kind::List(&Kind::Object(&[maybe("text", Kind::Text), maybe("command", Kind::Text)]));

const SEVERITY: Kind = Kind::Word(|| Severity::ALL.map(Severity::name).to_vec());

const NAME: Kind = Kind::Object(&[always("distinguished_name", Kind::Text)]);

const TLS_CLIENT: &[Field] = &[
    always("random", Kind::Text),
    maybe("server_name", Kind::Text),
    always("supported_versions", TEXTS),
    always("supported_ciphers", TEXTS),
    always("supported_groups", TEXTS),
    maybe("key_shares", TEXTS),
    always("signature_algorithms", TEXTS),
    always("alpn", TEXTS),
    maybe("extensions", TEXTS),
    maybe("psk_modes", TEXTS),
    maybe("certificate_compression", TEXTS),
    maybe("ech", Kind::Text),
    always("ja3", Kind::Text),
    always("ja4", Kind::Text),
    always("certificate_requested", Kind::Flag),
    maybe("stack", STACK),
    maybe("certificates", CERTIFICATES),
];

const TLS_SERVER: &[Field] = &[
    maybe("ja3s", Kind::Text),
    maybe("extensions", TEXTS),
    maybe("stack", STACK),
    maybe("certificates", CERTIFICATES),
    maybe(
        "x509",
        Kind::Object(&[
            always("subject", NAME),
            always("issuer", NAME),
            always("serial_number", Kind::Text),
            always("not_before", Kind::Time),
            always("not_after", Kind::Time),
            always("alternative_names", TEXTS),
            always("signature_algorithm", Kind::Text),
        ]),
    ),
    maybe("hash", Kind::Object(&[always("sha256", Kind::Text)])),
    maybe("raw_public_key", Kind::Text),
    maybe("unverified", Kind::Word(|| Unverified::ALL.map(Unverified::name).to_vec())),
    maybe("staple", Kind::Word(|| OcspStatus::ALL.map(OcspStatus::name).to_vec())),
];

const STACK: Kind = Kind::Object(&[
    always("name", Kind::Text),
    maybe("program", Kind::Text),
    always("certainty", Kind::Word(|| Certainty::ALL.map(Certainty::name).to_vec())),
]);

const CERTIFICATES: Kind = Kind::List(&Kind::Object(&[
    always("subject", Kind::Text),
    always("issuer", Kind::Text),
    always("serial", Kind::Text),
    always("not_before", Kind::Time),
    always("not_after", Kind::Time),
    always("san", TEXTS),
    always("key", Kind::Text),
    always("signature", Kind::Text),
    always("sha256", Kind::Text),
]));

const ALERT: &[Field] = &[
    always("from", SIDE),
    maybe("level", Kind::Word(|| vec!["fatal", "warning"])),
    maybe("code", Kind::Integer),
    maybe("name", Kind::Text),
    always("frame", Kind::Integer),
    maybe("source", Kind::Text),
    maybe("merged_frame", Kind::Integer),
    always("encrypted", Kind::Flag),
];

const CLOSE: &[Field] = &[
    always("from", SIDE),
    always("code", Kind::Integer),
    always("name", Kind::Text),
    maybe("reason", Kind::Text),
    always("frame", Kind::Integer),
    maybe("source", Kind::Text),
    maybe("merged_frame", Kind::Integer),
];

const DIAGNOSIS: &[Field] = &[
    maybe("cause", CAUSE),
    always("stopped_by", Kind::Word(|| StoppedBy::ALL.map(StoppedBy::name).to_vec())),
    maybe("confidence", CONFIDENCE),
    always("severity", SEVERITY),
    always("summary", Kind::Text),
    always("remedy", TEXTS),
    always("remedies", REMEDIES),
    always("evidence", EVIDENCE),
    always("against", EVIDENCE),
    always("alternatives", Kind::List(&CAUSE)),
    always(
        "findings",
        Kind::List(&Kind::Object(&[
            always("id", CAUSE),
            always("severity", SEVERITY),
            always("confidence", CONFIDENCE),
            always("text", Kind::Text),
            always("frames", Kind::List(&Kind::Integer)),
            maybe("sources", TEXTS),
            maybe("merged_frames", Kind::List(&Kind::Integer)),
        ])),
    ),
];

const EVIDENCE: Kind = Kind::List(&Kind::Object(&[
    maybe("frame", Kind::Integer),
    maybe("source", Kind::Text),
    maybe("merged_frame", Kind::Integer),
    maybe("time", Kind::Time),
    always("text", Kind::Text),
]));

const STEP: &[Field] = &[
    maybe("frame", Kind::Integer),
    maybe("source", Kind::Text),
    maybe("merged_frame", Kind::Integer),
    always("time", Kind::Time),
    always("from", Kind::Word(|| vec!["client", "server", "network"])),
    always("kind", Kind::Text),
    maybe("size", Kind::Integer),
    always("text", Kind::Text),
    maybe("ended", Kind::Flag),
];

/// The fields of `kind: incident`.
pub const INCIDENT: &[Field] = &[
    always("schema", Kind::Word(|| vec![super::SCHEMA])),
    always("kind", Kind::Word(|| vec!["incident"])),
    always("@timestamp", Kind::Time),
    always("event", EVENT),
    always("observer", OBSERVER),
    always("event_id", Kind::Text),
    always("id", Kind::Text),
    maybe("state", Kind::Word(|| State::ALL.map(State::name).to_vec())),
    always("cause", CAUSE),
    always("scope", Kind::Word(|| [Scope::Server, Scope::Client].map(Scope::name).to_vec())),
    always("servers", TEXTS),
    maybe("server_name", Kind::Text),
    always("first_seen", Kind::Time),
    always("last_seen", Kind::Time),
    always("failed", Kind::Integer),
    maybe("completed", Kind::Integer),
    always("attempts", Kind::Integer),
    always("clients", TEXTS),
    always("clients_total", Kind::Integer),
    maybe("sensors", TEXTS),
    maybe("owners", COMMON_OWNERS),
    maybe("changes", TEXTS),
    always("confidence", CONFIDENCE),
    always("severity", SEVERITY),
    always("summary", Kind::Text),
    always("remedy", TEXTS),
    always("remedies", REMEDIES),
    always("handshakes", TEXTS),
];

/// The fields of `kind: summary`.
pub const SUMMARY: &[Field] = &[
    always("schema", Kind::Word(|| vec![super::SCHEMA])),
    always("kind", Kind::Word(|| vec!["summary"])),
    maybe("@timestamp", Kind::Time),
    always("event", EVENT),
    always("observer", OBSERVER),
    always("event_id", Kind::Text),
    always("version", Kind::Text),
    always("answer", Kind::Text),
    always(
        "inputs",
        Kind::List(&Kind::Object(&[
            always("source", Kind::Text),
            always("format", Kind::Text),
            always("frames", Kind::Integer),
            always("bytes", Kind::Integer),
            maybe("damage", Kind::Text),
            maybe("sha256", Kind::Text),
        ])),
    ),
    always("frames", Kind::Integer),
    always("bytes", Kind::Integer),
    always("decoded", Kind::Integer),
    always("skipped", Kind::Counts),
    maybe("first_time", Kind::Time),
    maybe("last_time", Kind::Time),
    always("flows", Kind::Integer),
    always("handshakes", Kind::Integer),
    maybe("left_out", Kind::Integer),
    always("classes", CLASSES),
    always("outcomes", Kind::Counts),
    always("causes", Kind::Counts),
    always("incidents", Kind::Integer),
    always("drops", Kind::Integer),
    maybe("unread", Kind::Integer),
    maybe("unjudged", Kind::Integer),
    always("evictions", Kind::Integer),
    always("other_flows", Kind::Counts),
    always(
        "traffic",
        Kind::List(&Kind::Object(&[
            always("protocol", Kind::Text),
            maybe("transport", Kind::Word(|| Bearer::ALL.map(Bearer::name).to_vec())),
            maybe("port", Kind::Integer),
            always("packets", Kind::Integer),
            always("bytes", Kind::Integer),
            maybe("connections", Kind::Integer),
            maybe("opaque", Kind::Flag),
        ])),
    ),
    always("notes", TEXTS),
];

const CLASSES: Kind = Kind::Object(&[
    always("failed", Kind::Integer),
    always("rejected-after-completion", Kind::Integer),
    always("completed-with-trouble", Kind::Integer),
    always("undecided", Kind::Integer),
    always("probe", Kind::Integer),
    always("completed", Kind::Integer),
]);

/// The fields of `kind: tally`.
pub const TALLY: &[Field] = &[
    always("schema", Kind::Word(|| vec![super::SCHEMA])),
    always("kind", Kind::Word(|| vec!["tally"])),
    always("@timestamp", Kind::Time),
    always("event", EVENT),
    always("observer", OBSERVER),
    always("event_id", Kind::Text),
    always("transport", Kind::Word(|| Transport::ALL.map(Transport::name).to_vec())),
    always("server", SERVER),
    maybe("server_name", Kind::Text),
    maybe("version", Kind::Text),
    always("outcome", OUTCOME),
    always("class", Kind::Word(|| Class::ALL.map(Class::name).to_vec())),
    maybe("cause", CAUSE),
    maybe("certificate", Kind::Object(&[always("serial", Kind::Text), always("issuer", Kind::Text), always("not_after", Kind::Time)])),
    always("handshakes", Kind::Integer),
    always("listed", Kind::Flag),
    always("clients", TEXTS),
    always("clients_total", Kind::Integer),
    always("starts_ns", Kind::List(&Kind::Integer)),
];

/// The fields of `kind: heartbeat`.
pub const HEARTBEAT: &[Field] = &[
    always("schema", Kind::Word(|| vec![super::SCHEMA])),
    always("kind", Kind::Word(|| vec!["heartbeat"])),
    always("@timestamp", Kind::Time),
    always("event", EVENT),
    always("observer", OBSERVER),
    always("event_id", Kind::Text),
    always("started", Kind::Time),
    always("uptime_us", Kind::Integer),
    always("sequence", Kind::Integer),
    always("last", Kind::Flag),
    always("lag_us", Kind::Integer),
    always("packets", Kind::Integer),
    always("bytes", Kind::Integer),
    always("drops", Kind::Integer),
    always(
        "interfaces",
        Kind::List(&Kind::Object(&[
            always("name", Kind::Text),
            always("packets", Kind::Integer),
            always("bytes", Kind::Integer),
            always("drops", Kind::Integer),
            always("down", Kind::Flag),
        ])),
    ),
    always("flows", Kind::Integer),
    always("handshakes", Kind::Integer),
    always("classes", CLASSES),
    always("lost_reports", Kind::Integer),
    always("recordings", Kind::Integer),
    always("lost_recordings", Kind::Integer),
    always("spool_dropped_files", Kind::Integer),
    always("spool_dropped_bytes", Kind::Integer),
    maybe("memory", Kind::Integer),
];

/// The fields of `kind: sensor`.
pub const SENSOR: &[Field] = &[
    always("schema", Kind::Word(|| vec![super::SCHEMA])),
    always("kind", Kind::Word(|| vec!["sensor"])),
    always("@timestamp", Kind::Time),
    always("event", EVENT),
    always("observer", OBSERVER),
    always("event_id", Kind::Text),
    always("state", Kind::Word(|| SensorState::ALL.map(SensorState::name).to_vec())),
    always("heard", Kind::Time),
    always("gaps", Kind::List(&Kind::Object(&[always("from", Kind::Time), always("to", Kind::Time)]))),
    always("drops", Kind::Integer),
    always("lost_reports", Kind::Integer),
];
