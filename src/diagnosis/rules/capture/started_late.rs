//! `capture-started-late`: the connection was under way when the capture began.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};

use super::lacking;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CaptureStartedLate,
    speaks: Signs::NO_HELLO,
    against: &[],
    title: "the capture begins in the middle of the connection",
    page: Page {
        meaning: "The first packets of this connection passed before the capture began. The ClientHello, and maybe more, is missing, so the \
                  handshake cannot be judged, or only that it completed: what the client asked for is not known.",
        recognised: "No SYN and no SYN-ACK was seen, and no ClientHello, but later messages were.",
        confused_with: "A capture that lost the first packets under load (`capture-gaps`), or a connection whose first packets took another way.",
        check: "Compare the time of the first packet of this connection with the time of the capture's first packet.",
        fix: &[
            ("any capture", "Start the capture before the client connects, and reproduce the failure then."),
            (
                "connections that stay open",
                "Restart the client or drop its pooled connections, so that the handshake is done again while the capture runs.\n\n$ ss -K dst <server-address> dport = :443",
            ),
            ("ring buffers", "Keep more or larger files: `dumpcap -b filesize:100000 -b files:20` holds the last 2 GB."),
        ],
        references: &["dumpcap(1), option -b"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if case.handshake.tcp.saw_start() || view.hello_whole() {
        return None;
    }
    let finding = Finding::new(
        Cause::CaptureStartedLate,
        Confidence::Certain,
        format!("The capture lacks the beginning of the connection to {}: its ClientHello is missing.", view.target()),
    );
    let finding = if case.handshake.outcome == Outcome::Completed {
        finding.weight(Weight::Note).stopped_by(StoppedBy::Nobody)
    } else {
        lacking(case, finding)
    };
    Some(
        finding
            .shown_by(case.handshake.tcp.first, "first packet of the connection in the capture, and it does not begin one")
            .or_else(&[Cause::CaptureGaps])
            .advise("Start the capture before the client connects and let the client connect anew."),
    )
}
