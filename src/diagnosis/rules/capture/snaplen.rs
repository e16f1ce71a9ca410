//! `capture-snaplen`: the packets were cut.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::Outcome;

use super::lacking;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CaptureSnaplen,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the packets were cut short by the snapshot length",
    page: Page {
        meaning: "The capture kept only the first bytes of each packet. Parts of the handshake messages are missing in the file, though they \
                  were on the wire, and how the handshake went cannot be read.",
        recognised: "The recorded length of a packet is more than the number of bytes that were kept.",
        confused_with: "Nothing: the file says of each packet how long it was.",
        check: "Look at the snapshot length of the file. Old tools take 68 or 96 bytes unless told otherwise.\n\n$ capinfos <file>",
        fix: &[
            (
                "tcpdump, dumpcap, tshark",
                "Capture whole packets.\n\n$ tcpdump -s 0 -i <interface> -w whole.pcap 'tcp port 443 or icmp or icmp6'",
            ),
            (
                "if the volume is too great",
                "Keep at least 2048 bytes a packet, or limit by host or port instead of by length: the handshake's messages are in the first packets of a connection.",
            ),
            (
                "packet brokers and cloud mirrors",
                "Switch off packet slicing or truncation in the session (`packet-length` in AWS traffic mirroring).",
            ),
        ],
        references: &["tcpdump(1), option -s", "pcap file format: incl_len and orig_len"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let cut: u32 = Side::BOTH.into_iter().map(|side| view.side(side).snaplen_cut).fold(0, u32::saturating_add);
    if cut == 0 || case.handshake.outcome == Outcome::Completed {
        return None;
    }
    let finding = Finding::new(
        Cause::CaptureSnaplen,
        Confidence::Certain,
        format!("The capture cut {cut} packets of this handshake with {} short; what they said is lost.", view.target()),
    );
    Some(
        lacking(case, finding)
            .noting(format!("{cut} packets with payload are shorter in the file than on the wire"))
            .advise("Capture again with whole packets:")
            .advise(remedy::capture_here(case.handshake, "-w whole.pcap")),
    )
}
