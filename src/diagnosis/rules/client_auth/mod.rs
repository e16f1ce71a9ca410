//! Rules of the family client-auth: the server asked for a certificate and was not content with the answer.
//!
//! The client's answer is a fact ([`answer`]): none, or a chain that can be seen up to TLS 1.2 or with keys. What the server did then picks the
//! cause. A cause is one entry of [`FAULTS`].

use self::answer::ClientAuthView;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::Page;
use crate::diagnosis::rule::{About, RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::tls::registry::AlertDescription;

mod answer;
mod choose;
mod faults;
mod pages;
#[cfg(test)]
mod tests;

/// The family.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::ClientAuth,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    rules: Rules::Together { about: || FAULTS.iter().map(|fault| fault.about()).collect(), judge },
};

/// What a server can have against a client's certificate. Of several that are true of it the first is blamed.
static FAULTS: &[&Fault] =
    &[&faults::MISSING, &faults::EXPIRED, &faults::REVOKED, &faults::WRONG_USAGE, &faults::UNTRUSTED, &faults::REJECTED];

/// What a server can have against a client's certificate: a cause of this family.
#[derive(Debug)]
struct Fault {
    cause: Cause,
    page: Page,
    /// The certificate that can be seen has it.
    is_true: fn(&ClientAuthView<'_>) -> bool,
    /// The alert that says this, and what it is worth.
    said_by: Option<Said>,
    /// The words for it.
    tell: fn(&ClientAuthView<'_>, Confidence) -> Finding,
}

/// An alert that says one fault, and how sure that makes.
#[derive(Debug)]
struct Said {
    alert: AlertDescription,
    /// The certificate shows it.
    shown: Confidence,
    /// The certificate cannot be seen.
    hidden: Confidence,
    /// The certificate does not show it. `None`: then the alert means something else.
    unseen: Option<Confidence>,
}

impl Fault {
    const fn about(&'static self) -> About {
        About { cause: self.cause, against: &[], page: &self.page }
    }
}

fn judge(case: &Case<'_>, found: &mut Vec<Finding>) {
    let Some(view) = ClientAuthView::new(case) else { return };
    if let Some(note) = faults::went_on_without(&view) {
        found.push(note);
    } else if let Some((fault, confidence)) = view.choose() {
        found.push((fault.tell)(&view, confidence));
    }
}
