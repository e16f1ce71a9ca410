//! A packet that arrived, and is ignored: the capture was taken at its receiver, as hop counters show, so that no device on the path took it away. Or
//! its checksum is wrong, and whoever receives it drops it.

use super::case::Case;
use super::finding::Finding;
use super::remedy::Command;
use super::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

/// What becomes of the packets that a side sends again and again, as far as the capture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They do not arrive, or nothing tells.
    Lost,
    /// They arrive, and the host at this side ignores them.
    Ignored(Side),
    /// Their checksums are wrong.
    Damaged,
}

impl Fate {
    /// Of what this side sends.
    pub(super) fn of(view: View<'_>, sender: Side) -> Self {
        if view.arrives_damaged(sender) {
            Self::Damaged
        } else if view.near_side() == Some(sender.other()) {
            Self::Ignored(sender.other())
        } else {
            Self::Lost
        }
    }

    /// In words that end a sentence whose subject is the message; `lost`: where nothing shows it.
    pub(super) fn words(self, lost: &str) -> String {
        match self {
            Self::Lost => lost.to_owned(),
            Self::Ignored(side) => format!("arrives, and the {side}'s host ignores it"),
            Self::Damaged => "is damaged on the way, so that its receiver drops it".to_owned(),
        }
    }

    /// Who stops it.
    pub(super) const fn stopped_by(self) -> StoppedBy {
        match self {
            Self::Lost | Self::Damaged => StoppedBy::Network,
            Self::Ignored(Side::Client) => StoppedBy::Client,
            Self::Ignored(Side::Server) => StoppedBy::Server,
        }
    }

    /// Says how it shows, and what to look at. There is nothing to say of what is only lost.
    pub(super) fn explain(self, case: &Case<'_>, finding: Finding) -> Finding {
        match self {
            Self::Lost => finding,
            Self::Ignored(side) => ignored_by(case, side, finding),
            Self::Damaged => finding
                .noting("the TCP checksum is wrong in every copy")
                .advise("Find the device that changes packets without computing their checksum anew (NAT, filter, MSS rewriting), or breaks them (memory, network card, its offloads): capture before and behind each one. The receiver counts what it drops:")
                .advise(Command::new("nstat -az TcpInCsumErrors")),
        }
    }
}

/// Says how it shows that the capture was taken at this side, which ignores what arrives, and what to look at there.
pub(super) fn ignored_by(case: &Case<'_>, side: Side, finding: Finding) -> Finding {
    let view = View::new(case.handshake);
    let host = match side {
        Side::Client => case.handshake.client.address,
        Side::Server => case.handshake.server.address,
    };
    let finding = match (view.ttl(side), view.ttl(side.other())) {
        (Some(own), Some(other)) => finding.noting(format!(
            "captured at the {side} or right before it: its packets have TTL {own}, as they were sent, and the {}'s have {other}",
            side.other()
        )),
        _ => finding,
    };
    finding
        .advise(format!("On {host}, check the packet filter and security software, and the counters of packets that the system drops (wrong checksums among them):"))
        .advise(Command::new("nft list ruleset"))
        .advise(Command::new("nstat -az TcpInCsumErrors TcpInErrs IpInDiscards TcpExtTCPBacklogDrop"))
}
