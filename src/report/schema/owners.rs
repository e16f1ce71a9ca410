//! Who owns the ends on the capturing host: of a handshake, and mostly of an incident's.

use super::{Field, Kind, always, maybe};
use crate::flow::Side;
use crate::report::Basis;

/// What a live run tells of who owns an end on its own host.
pub(super) const OWNER: [Field; 6] = {
    let [container, orchestrator, systemd] = PLACE;
    [
        maybe("owner", Kind::Word(|| Basis::ALL.map(Basis::name).to_vec())),
        maybe(
            "process",
            Kind::Object(&[
                always("pid", Kind::Integer),
                always("name", Kind::Text),
                maybe("executable", Kind::Text),
                maybe("start", Kind::Time),
                maybe("sharers", Kind::List(&Kind::Object(&[always("pid", Kind::Integer), always("name", Kind::Text)]))),
            ]),
        ),
        maybe("user", Kind::Object(&[always("id", Kind::Text), maybe("name", Kind::Text)])),
        container,
        orchestrator,
        systemd,
    ]
};

/// Where a process runs.
const PLACE: [Field; 3] = [
    maybe(
        "container",
        Kind::Object(&[
            always("id", Kind::Text),
            maybe("name", Kind::Text),
            maybe("image", Kind::Object(&[always("name", Kind::Text)])),
            maybe("runtime", Kind::Text),
        ]),
    ),
    maybe(
        "orchestrator",
        Kind::Object(&[
            always("type", Kind::Text),
            maybe("namespace", Kind::Text),
            always("resource", Kind::Object(&[always("type", Kind::Text), maybe("name", Kind::Text), maybe("id", Kind::Text)])),
        ]),
    ),
    maybe("systemd", Kind::Object(&[always("unit", Kind::Text)])),
];

/// Whose the ends of an incident's handshakes are, mostly.
pub(super) const COMMON_OWNERS: Kind = {
    const FIELDS: [Field; 6] = {
        let [container, orchestrator, systemd] = PLACE;
        [
            always("side", Kind::Word(|| Side::BOTH.map(Side::name).to_vec())),
            always("process", Kind::Object(&[maybe("pid", Kind::Integer), always("name", Kind::Text)])),
            container,
            orchestrator,
            systemd,
            always("handshakes", Kind::Integer),
        ]
    };
    Kind::List(&Kind::Object(&FIELDS))
};
