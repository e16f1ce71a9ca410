//! `server-stalled`: the server began and stopped.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Fact, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerStalled,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server began its answer and stopped",
    page: Page {
        meaning: "The server answered the ClientHello in part, or answered all and then owed its Finished, and fell silent. What is missing shows where it hangs: before its certificate or signature a key store, \
                  an HSM or an OCSP request; after the client's key exchange the private key operation or a look-up of the client's certificate.",
        recognised: "The server's last message is not the end of its flight (or the client's flight is complete and acknowledged), and nothing follows for a second or more until the client gives up.",
        confused_with: "The rest of the flight lost on the way (`path-mtu-black-hole`, `packet-loss`): at the client there is then often a hole with later bytes behind it, at the server there are repetitions.",
        check: "Look at the server's log and at what the process waits for.\n\n$ openssl s_client -connect <server-address>:443 -servername <name> -msg\n\n$ gdb -p <pid> -batch -ex 'thread apply all bt'",
        fix: &[
            ("private key in an HSM or key service", "Measure it by itself, raise its session count, and set a timeout that falls back."),
            (
                "OCSP stapling",
                "Let the server fetch staples in the background; nginx: `resolver` must work, and `ssl_stapling_file` avoids the fetch.",
            ),
            (
                "client certificates",
                "Verification that asks LDAP, CRL or OCSP servers blocks the handshake: cache CRLs locally and set timeouts.",
            ),
            ("certificate look-up by name", "SNI callbacks that ask a database or ACME service must not block the event loop."),
            (
                "overload",
                "CPU limits of containers throttle just here: raise them, prefer ECDSA P-256 over RSA-4096, share session tickets.",
            ),
        ],
        references: &["RFC 8446 section 4.4", "RFC 5246 section 7.3"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_stuck(case.policy) && !view.stalled_over_udp() || !view.answer_begun() || facts.deciding_alert().is_some() {
        return None;
    }
    let awaited = view.awaited().filter(|awaited| awaited.side == Side::Server)?;
    // A server that the client's last words never reached has nothing to answer.
    if !view.waited()
        || view.ended_by(Side::Server).is_some()
        || view.hole(Side::Server).is_some()
        || view.repeated_in_vain(Side::Client).next().is_some()
    {
        return None;
    }
    let gave_up = view.ended_by(Side::Client);
    // Records that share messages of TLS 1.3 may be the whole flight; and over UDP what is not answered may have been lost.
    let confidence = if !view.is_tcp() {
        match (view.repeats(Side::Client).is_some(), view.near_side()) {
            (true, Some(Side::Server)) | (false, _) => Confidence::Likely,
            (true, _) => Confidence::Hint,
        }
    } else if facts.is_tls13() && facts.hidden.server_flight_done == Fact::Unseen {
        Confidence::Likely
    } else {
        Confidence::Strong
    };
    let mut finding = Finding::new(
        Cause::ServerStalled,
        confidence,
        format!(
            "{} stopped in the middle of the handshake: {} never came ({} of silence).",
            view.target(),
            awaited.what,
            span_text(view.silence())
        ),
    )
    .weight(Weight::Fallback)
    .stopped_by(StoppedBy::Server)
    .shown_by(view.last_progress(), format!("last progress; {} is due", awaited.what));
    finding = match gave_up {
        Some(ending) => finding.shown_by(ending.mark, format!("the client gives up ({})", ending.name())),
        None => finding.shown_by(facts.closed_at, "still nothing"),
    };
    Some(
        finding
            .or_else(&[Cause::ClientTimeout, Cause::PathMtuBlackHole, Cause::PacketLoss])
            .advise(format!("See in the server's log and with a thread dump what it waits for before {}: key store, OCSP, client certificate look-up, CPU.", awaited.what))
            .advise(remedy::s_client(facts, "-msg")),
    )
}
