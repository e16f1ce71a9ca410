//! The fields of `kind: inventory`.

use super::{ClientReadiness, Feature, Readiness};
use crate::report::schema::{Field, Kind, TEXTS, always, maybe};
use crate::report::{SCHEMA, Side};

/// The fields of `kind: inventory`.
pub const INVENTORY: &[Field] = &[
    always("schema", Kind::Word(|| vec![SCHEMA])),
    always("kind", Kind::Word(|| vec!["inventory"])),
    always("version", Kind::Text),
    always("inputs", TEXTS),
    maybe("first_time", Kind::Time),
    maybe("last_time", Kind::Time),
    always("handshakes", Kind::Integer),
    always("completed", Kind::Integer),
    always("failed", Kind::Integer),
    always("versions", USAGES),
    always("groups", USAGES),
    always("ciphers", USAGES),
    always("signature_algorithms", USAGES),
    always("ech", USAGE),
    always("keys", Kind::List(&Kind::Object(&[always("name", Kind::Text), always("number", Kind::Integer)]))),
    always("needs", Kind::List(&Kind::Object(NEED))),
    always(
        "post_quantum",
        Kind::Object(&[always("clients", Kind::Counts), always("servers", Kind::Counts), always("completed", Kind::Integer)]),
    ),
    always("servers", Kind::List(&Kind::Object(SERVER))),
    always("clients", Kind::List(&Kind::Object(CLIENT))),
    always("certificates", Kind::List(&Kind::Object(CERTIFICATE))),
    always("hidden_certificates", Kind::Integer),
    always(
        "left_out",
        Kind::Object(&[
            always("handshakes_of_servers", Kind::Integer),
            always("handshakes_of_clients", Kind::Integer),
            always("certificates", Kind::Integer),
            always("repeated_rows", Kind::Integer),
            always("unreadable_rows", Kind::Integer),
        ]),
    ),
];

const USAGES: Kind = Kind::List(&USAGE);

const USAGE: Kind = Kind::Object(&[
    always("name", Kind::Text),
    maybe("weakness", Kind::Text),
    maybe("post_quantum", Kind::Flag),
    always("clients", Kind::Integer),
    always("offered", Kind::Integer),
    always("chosen", Kind::Integer),
    always("completed", Kind::Integer),
]);

const NEED: &[Field] = &[
    always("what", Kind::Word(|| Feature::ALL.map(Feature::name).to_vec())),
    always("handshakes", Kind::Integer),
    always(
        "clients",
        Kind::List(&Kind::Object(&[
            maybe("site", Kind::Text),
            always("address", Kind::Text),
            maybe("ja4", Kind::Text),
            maybe("stack", Kind::Text),
            always("why", Kind::Word(|| vec!["offers-nothing-else", "completed-with-nothing-else"])),
            maybe("address_offers_else", Kind::Flag),
            always("handshakes", Kind::Integer),
            always("servers", TEXTS),
        ])),
    ),
    always(
        "servers",
        Kind::List(&Kind::Object(&[
            maybe("site", Kind::Text),
            maybe("name", Kind::Text),
            always("address", Kind::Text),
            always("port", Kind::Integer),
            always("why", Kind::Word(|| vec!["chose-nothing-else", "was-offered-nothing-else"])),
            always("handshakes", Kind::Integer),
            always("passed_over", Kind::Integer),
        ])),
    ),
];

const SERVER: &[Field] = &[
    maybe("site", Kind::Text),
    maybe("name", Kind::Text),
    always("address", Kind::Text),
    always("port", Kind::Integer),
    always("handshakes", Kind::Integer),
    always("completed", Kind::Integer),
    always("failed", Kind::Integer),
    always("clients", Kind::Integer),
    always("versions", Kind::Counts),
    always("groups", Kind::Counts),
    always("ciphers", Kind::Counts),
    always("post_quantum", Kind::Word(|| Readiness::ALL.map(Readiness::name).to_vec())),
    always("certificates", TEXTS),
    always("hidden_certificates", Kind::Integer),
    always("first_seen", Kind::Time),
    always("last_seen", Kind::Time),
];

const CLIENT: &[Field] = &[
    maybe("site", Kind::Text),
    always("address", Kind::Text),
    maybe("stack", Kind::Text),
    always("ja4", TEXTS),
    maybe("newest_version", Kind::Text),
    always("handshakes", Kind::Integer),
    always("completed", Kind::Integer),
    always("failed", Kind::Integer),
    always("versions", Kind::Counts),
    always("groups", Kind::Counts),
    always("ciphers", Kind::Counts),
    always("post_quantum", Kind::Word(|| ClientReadiness::ALL.map(ClientReadiness::name).to_vec())),
    always("ech", Kind::Integer),
    always("servers", TEXTS),
    always("first_seen", Kind::Time),
    always("last_seen", Kind::Time),
];

const CERTIFICATE: &[Field] = &[
    always("subject", Kind::Text),
    always("issuer", Kind::Text),
    always("san", TEXTS),
    always("key", Kind::Text),
    always("signature", Kind::Text),
    always("not_before", Kind::Time),
    always("not_after", Kind::Time),
    always("lifetime_days", Kind::Integer),
    maybe("days_left", Kind::Integer),
    maybe("days_expired", Kind::Integer),
    always("sha256", Kind::Text),
    always("presented_by", Kind::List(&Kind::Word(|| Side::BOTH.map(Side::name).to_vec()))),
    always("handshakes", Kind::Integer),
    always("servers", TEXTS),
];
