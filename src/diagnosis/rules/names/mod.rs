//! Rules of the family names.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;

mod alpn_no_overlap;
mod ech_rejected;
mod sni_missing;
mod sni_unrecognized;
#[cfg(test)]
mod tests;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Names,
    speaks: Signs::UNFINISHED.or(Signs::ALERT).or(Signs::UNUSED),
    rules: Rules::Each(&[&ech_rejected::RULE, &sni_unrecognized::RULE, &sni_missing::RULE, &alpn_no_overlap::RULE]),
};

/// The client was the first to send FIN, RST or an alert.
fn left_first(case: &Case<'_>) -> bool {
    let handshake = case.handshake;
    let end = |side: Side| {
        let facts = handshake.flow.side(side);
        let alert = handshake.alerts.iter().find(|seen| seen.from == side).map(|seen| seen.mark);
        [facts.fin.map(|(mark, _)| mark), facts.resets.first().map(|reset| reset.mark), alert].into_iter().flatten().min()
    };
    end(Side::Client).is_some_and(|client| end(Side::Server).is_none_or(|server| client < server))
}
