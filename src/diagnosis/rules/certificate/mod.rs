//! Rules of the family certificate: what is wrong with the server's certificate, as far as the client's behaviour says that it mattered.
//!
//! Several faults can be true at once, and one fault makes different clients do different things. So the chain's faults come first, as facts at
//! the handshake's time; what the client did then picks among those that it can mean ([`view`]). On a handshake whose client went on they are
//! notes. A fault is one entry of [`FAULTS`].

use std::sync::LazyLock;

use self::view::{CertificateView, Standing};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::Page;
use crate::diagnosis::rule::{About, RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::tls::registry::AlertDescription;

mod authority;
mod dane;
mod dates;
mod identity;
mod name;
mod reaction;
mod rejected;
mod shape;
mod status;
mod strength;
#[cfg(test)]
mod tests;
mod usage;
mod view;
mod words;

/// The family.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Certificate,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::FLAWED_CHAIN),
    rules: Rules::Together { about: || FAULTS.iter().map(|fault| fault.about()).collect(), judge },
};

/// What can be wrong with a served chain, in the order in which it is told; an earlier one wins a tie.
static FAULTS: &[&Fault] = &[
    &dane::MISMATCH,
    &dates::EXPIRED,
    &dates::NOT_YET_VALID,
    &dates::INTERMEDIATE_EXPIRED,
    &status::REVOKED,
    &shape::MISORDERED,
    &name::DEFAULT,
    &name::MISMATCH,
    &usage::WRONG_USAGE,
    &usage::CONSTRAINTS,
    &strength::WEAK_KEY,
    &strength::WEAK_SIGNATURE,
    &strength::UNSUPPORTED,
    &status::STAPLE_MISSING,
    &shape::TOO_LARGE,
    &authority::SELF_SIGNED,
    &authority::INCOMPLETE,
    &authority::UNTRUSTED,
    &rejected::INCONSISTENT,
    &rejected::REJECTED,
];

/// A fault of the served chain: a cause of this family.
#[derive(Debug)]
struct Fault {
    cause: Cause,
    page: Page,
    /// The chain, or what is known of it, has it.
    is_true: fn(&CertificateView<'_>) -> bool,
    /// Its place among the faults of which one explains the other, the first being the one to blame; `None`: no client means it.
    rank: Option<u8>,
    /// Where it is true, it may be why the client did what it did. A fault of many chains whose clients are content needs more than a closed
    /// connection.
    may_explain: fn(&CertificateView<'_>) -> bool,
    /// The alert that says this and nothing else.
    said_by: Option<AlertDescription>,
    /// Hardly any client takes such a chain, so that one which leaves without a word is taken to mean it.
    firm: bool,
    /// What the client did before it left is what those do that look for this.
    plain: fn(&CertificateView<'_>) -> bool,
    /// Clients that say this (`None`: what cannot be read) often mean something else by it.
    doubtful: fn(&CertificateView<'_>, Option<AlertDescription>) -> bool,
    /// The words for it. `None`: another cause says it better.
    tell: fn(&CertificateView<'_>, Standing) -> Option<Finding>,
    /// Where it is not true, something that is near it and worth a note.
    nearly: fn(&CertificateView<'_>) -> Option<Finding>,
}

impl Fault {
    /// A fault that may explain whatever a client does, and has nothing near it.
    const fn new(
        cause: Cause,
        page: Page,
        is_true: fn(&CertificateView<'_>) -> bool,
        tell: fn(&CertificateView<'_>, Standing) -> Option<Finding>,
    ) -> Self {
        Self {
            cause,
            page,
            is_true,
            rank: None,
            may_explain: |_| true,
            said_by: None,
            firm: false,
            plain: |_| false,
            doubtful: |_, _| false,
            tell,
            nearly: |_| None,
        }
    }

    const fn about(&'static self) -> About {
        About { cause: self.cause, against: &[], page: &self.page }
    }

    /// The entry of a cause.
    fn of(cause: Cause) -> Option<&'static Self> {
        FAULTS.iter().copied().find(|fault| fault.cause == cause)
    }

    /// All that a client can mean, the first to blame first.
    fn by_rank() -> &'static [&'static Self] {
        static RANKED: LazyLock<Vec<&Fault>> = LazyLock::new(|| {
            let mut ranked: Vec<&Fault> = FAULTS.iter().copied().filter(|fault| fault.rank.is_some()).collect();
            ranked.sort_by_key(|fault| fault.rank);
            ranked
        });
        &RANKED
    }
}

fn judge(case: &Case<'_>, found: &mut Vec<Finding>) {
    // Where the server gave up on the hello it served nothing.
    if let Some(finding) = strength::not_listed(case) {
        found.push(finding);
        return;
    }
    let Some(view) = CertificateView::new(case) else { return };
    for fault in FAULTS {
        found.extend(match view.standing(fault) {
            Some(standing) => (fault.tell)(&view, standing),
            None => (fault.nearly)(&view),
        });
    }
}
