//! The fields of what commands other than `read` write as JSON, a schema each.

use std::collections::BTreeSet;

use crate::compare::joined::Happening;
use crate::diagnosis::cause::Cause;
use crate::report::schema::{CAUSE, CONFIDENCE, Field, Kind, OUTCOME, SIDE, TEXTS, always, maybe};

/// A line of `match --json`: a handshake seen at two points.
pub const MATCH: &[Field] = &[
    always("schema", Kind::Word(|| vec!["handshark-match/1"])),
    always("joined_by", Kind::Word(|| vec!["random", "addresses", "sequence-numbers", "contents", "name", "nothing"])),
    maybe("client", HALF),
    maybe("server", HALF),
    always(
        "between",
        Kind::List(&Kind::Object(&[
            always("what", Kind::Word(|| Happening::ALL.map(Happening::name).to_vec())),
            always("from", SIDE),
            always("text", Kind::Text),
            maybe("client_frame", Kind::Integer),
            maybe("client_source", Kind::Text),
            maybe("server_frame", Kind::Integer),
            maybe("server_source", Kind::Text),
        ])),
    ),
    maybe("hops", Kind::Integer),
    maybe("round_trip_us", Kind::Integer),
    always(
        "verdict",
        Kind::Object(&[
            maybe("cause", CAUSE),
            always("place", Kind::Word(|| vec!["path", "client", "server", "nowhere"])),
            always("confidence", CONFIDENCE),
            always("summary", Kind::Text),
        ]),
    ),
];

/// What one point says.
const HALF: Kind = Kind::Object(&[
    always("id", Kind::Text),
    always("start", Kind::Time),
    always("peers", TEXTS),
    maybe("server_name", Kind::Text),
    always("frames", Kind::List(&Kind::Integer)),
    maybe("sources", TEXTS),
    always("outcome", OUTCOME),
    maybe("cause", CAUSE),
    maybe("confidence", CONFIDENCE),
    always("summary", Kind::Text),
]);

/// The object of `diff --json`: what changed between two captures.
pub const DIFF: &[Field] = &[
    always("schema", Kind::Word(|| vec!["handshark-diff/2"])),
    always("before", SEEN),
    always("after", SEEN),
    always("overall", CHANGES),
    always(
        "services",
        Kind::List(&Kind::Object(&[
            always("service", Kind::Text),
            maybe("before", Kind::Counts),
            maybe("after", Kind::Counts),
            always("changes", CHANGES),
        ])),
    ),
    always("unchanged", Kind::Integer),
];

const SEEN: Kind = Kind::Object(&[
    always("sources", TEXTS),
    maybe("first_time", Kind::Time),
    maybe("last_time", Kind::Time),
    always("classes", Kind::Counts),
]);

const CHANGES: Kind = Kind::List(&Kind::Object(&[
    always("what", Kind::Text),
    always("direction", Kind::Word(|| vec!["worse", "other", "better"])),
    always("text", Kind::Text),
]));

/// A line of `explain --json`: a cause.
pub const EXPLAIN: &[Field] = &[
    always("schema", Kind::Word(|| vec!["handshark-explain/1"])),
    always("cause", CAUSE),
    always("family", Kind::Word(|| Cause::ALL.iter().map(|cause| cause.family().name()).collect::<BTreeSet<_>>().into_iter().collect())),
    always("title", Kind::Text),
    always("meaning", Kind::Text),
    always("recognised", Kind::Text),
    always("looks_the_same", Kind::Text),
    always("check", Kind::Text),
    always("against", TEXTS),
    always("fixes", Kind::List(&Kind::Object(&[always("situation", Kind::Text), always("text", Kind::Text)]))),
    always("known_as", Kind::List(&Kind::Object(&[always("who", Kind::Text), always("what", Kind::Text)]))),
    always("references", TEXTS),
];

/// The object of `index.json` of `certs`: every certificate seen.
pub const CERTS: &[Field] = &[
    always("schema", Kind::Word(|| vec!["handshark-certs/1"])),
    always("version", Kind::Text),
    always("inputs", TEXTS),
    always("handshakes", Kind::Integer),
    always("encrypted", Kind::Integer),
    always("left_out", Kind::Integer),
    always(
        "certificates",
        Kind::List(&Kind::Object(&[
            always("file", Kind::Text),
            always("subject", Kind::Text),
            always("issuer", Kind::Text),
            always("serial", Kind::Text),
            always("not_before", Kind::Time),
            always("not_after", Kind::Time),
            always("san", TEXTS),
            always("key", Kind::Text),
            always("signature", Kind::Text),
            always("sha256", Kind::Text),
            maybe("malformed", Kind::Text),
            always("presented_by", Kind::List(&SIDE)),
            always("first_seen", Kind::Time),
            always("last_seen", Kind::Time),
            always("handshakes", Kind::Integer),
            always(
                "servers",
                Kind::List(&Kind::Object(&[
                    always("address", Kind::Text),
                    always("port", Kind::Integer),
                    maybe("name", Kind::Text),
                    always("handshakes", Kind::Integer),
                ])),
            ),
            always("clients", TEXTS),
            always("chains", Kind::List(&TEXTS)),
        ])),
    ),
];

/// The object of `expect --json`: what is as expected, and what is not.
pub const EXPECT: &[Field] = &[
    always("schema", Kind::Word(|| vec!["handshark-expect/1"])),
    always("as_expected", Kind::Flag),
    always("handshakes", Kind::Integer),
    always(
        "services",
        Kind::List(&Kind::Object(&[
            always("service", Kind::Text),
            always("handshakes", Kind::Integer),
            always(
                "checks",
                Kind::List(&Kind::Object(&[
                    always("what", Kind::Text),
                    always("expected", Kind::Text),
                    always("status", Kind::Word(|| vec!["holds", "differs", "not-observed"])),
                    always("fails", Kind::Flag),
                    always("observed", Kind::Integer),
                    always("differences", FOUND),
                ])),
            ),
        ])),
    ),
    always("other_services", FOUND),
    always("other_services_fail", Kind::Flag),
];

const FOUND: Kind = Kind::List(&Kind::Object(&[
    always("found", Kind::Text),
    always("handshakes", Kind::Integer),
    always(
        "examples",
        Kind::List(&Kind::Object(&[
            always("id", Kind::Text),
            always("start", Kind::Time),
            always("client", Kind::Text),
            always("server", Kind::Text),
            always("source", Kind::Text),
            always("first_frame", Kind::Integer),
            always("last_frame", Kind::Integer),
        ])),
    ),
]));

/// A line of `reproduce --json`: what offers a handshake again.
pub const REPRODUCTION: &[Field] = &[
    always("schema", Kind::Word(|| vec!["handshark-reproduction/1"])),
    always("kind", Kind::Word(|| vec!["reproduction"])),
    always("id", Kind::Text),
    maybe("cause", CAUSE),
    maybe("client", Kind::Text),
    maybe("curl", Kind::Text),
    maybe("files", TEXTS),
    maybe("server", Kind::Text),
    maybe("against", Kind::Text),
    always("same_verdict", Kind::Flag),
    maybe("differs", Kind::Text),
    maybe("unlike", TEXTS),
];
