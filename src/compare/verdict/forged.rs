//! What came in the name of one end and was never sent by it.

use super::{Comparison, on_path};
use crate::compare::vantage::Passing;
use crate::compare::words::name;
use crate::flow::{Side, Transport};
use crate::report::{Cause, Confidence, Finding};

impl Comparison<'_> {
    /// Something came in the other's name.
    pub(super) fn forged(&self) -> Option<Finding> {
        let finding =
            self.forged_data().or_else(|| self.forged_reset()).or_else(|| self.forged_opening()).or_else(|| self.forged_close())?;
        Some(Finding { confidence: finding.confidence.min(self.most()), ..finding })
    }

    fn first_injected(&self, from: Side, is: impl Fn(&Passing) -> bool) -> Option<&Passing> {
        self.injected(from).into_iter().find(|packet| is(packet))
    }

    fn forged_data(&self) -> Option<Finding> {
        let data = self.first_injected(Side::Server, |packet| packet.len > 0)?;
        let datagrams = self.client.view.transport == Transport::Udp;
        let (cause, what) = match &*data.payload {
            // A datagram is missed as soon as one is forged; an alert behind the first epoch is nobody's who has no keys.
            [0x15, 0xfe, _, 0, 0, ..] if datagrams => (Cause::AlertForged, "the alert that ended it"),
            _ if datagrams => return None,
            [0x15, 0x03, _, 0, 2, ..] => (Cause::AlertForged, "the alert that ended it"),
            [first, ..] if first.is_ascii_alphabetic() => (Cause::PlaintextInjected, "the plaintext answer that the client received"),
            _ if self.is_borne_out(Side::Server, data) => (Cause::AlertForged, "the data that ended it"),
            _ => return None,
        };
        let summary = format!(
            "The server never sent {what} (frame {} of the client's capture): a device between the two captures forged it.",
            data.mark.frame
        );
        Some(on_path(cause, self.sure(Side::Server, data), summary))
    }

    fn forged_reset(&self) -> Option<Finding> {
        let reset = |from: Side| self.first_injected(from, |packet| packet.flags.rst());
        let (up, down) = (reset(Side::Client), reset(Side::Server));
        let confidence = match (up, down) {
            (Some(up), Some(down)) => self.sure(Side::Client, up).max(self.sure(Side::Server, down)),
            (None, None) => Confidence::Certain,
            (Some(one), None) => self.sure(Side::Client, one),
            (None, Some(one)) => self.sure(Side::Server, one),
        };
        let (who, frame) = match (up, down) {
            (Some(up), Some(down)) => (
                "neither end sent the RST that the other received",
                format!("frame {} at the client, {} at the server", down.mark.frame, up.mark.frame),
            ),
            (None, Some(down)) => {
                ("the server never sent the RST that the client received", format!("frame {} of the client's capture", down.mark.frame))
            }
            (Some(up), None) => {
                ("the client never sent the RST that the server received", format!("frame {} of the server's capture", up.mark.frame))
            }
            (None, None) => return None,
        };
        let summary = format!("A device between the two captures reset the connection: {who} ({frame}).{}", self.swallowed());
        Some(on_path(Cause::ResetInjected, confidence, summary))
    }

    /// Somebody else answered the SYN: what follows fits the one end only.
    fn forged_opening(&self) -> Option<Finding> {
        let answer = self.first_injected(Side::Server, |packet| packet.flags.syn())?;
        let (cause, confidence) = self.client.blames_path().unwrap_or((Cause::ResetInjected, Confidence::Likely));
        let summary = format!(
            "A device between the two captures answered the SYN instead of the server (frame {} of the client's capture): the client opened a connection that the server does not know.",
            answer.mark.frame
        );
        Some(on_path(cause, confidence, summary))
    }

    /// Somebody else closed it in the name of one end.
    fn forged_close(&self) -> Option<Finding> {
        let forged = |from: Side| self.first_injected(from, |packet| packet.flags.fin()).map(|fin| (from, fin));
        let (from, fin) = forged(Side::Server).or_else(|| forged(Side::Client))?;
        let to = from.other();
        let summary = format!(
            "A device between the two captures closed the connection: the {from} never sent the FIN that the {to} received (frame {} of the {to}'s capture).{}",
            fin.mark.frame,
            self.swallowed()
        );
        Some(on_path(Cause::ResetInjected, self.sure(from, fin), summary))
    }

    /// Where both ends have other numbers at the other point, what stands between may have a connection of its own on each side, and end it in its own name.
    pub(super) fn most(&self) -> Confidence {
        let renumbered = |side| self.client.view.isn(side).zip(self.server.view.isn(side)).is_some_and(|(here, there)| here != there);
        if Side::BOTH.into_iter().all(renumbered) { Confidence::Likely } else { Confidence::Certain }
    }

    /// A capture may lack one packet by chance, even that one: what has its sender's hop counter, and behind which that says no more, is likely to be its own.
    fn sure(&self, from: Side, packet: &Passing) -> Confidence {
        let (_, receiver) = self.ends(from);
        let like_its_own = receiver.usual_ttl(from) == Some(packet.ttl) && !self.goes_on(from, packet);
        if like_its_own {
            Confidence::Likely
        } else if self.is_borne_out(from, packet) {
            Confidence::Certain
        } else {
            Confidence::Strong
        }
    }

    /// Whose packet it claims to be sent more after it.
    fn goes_on(&self, from: Side, packet: &Passing) -> bool {
        let (sender, _) = self.ends(from);
        let sent = packet.mark.time.nanos().saturating_sub(self.transit(from).least_delay_ns.unwrap_or_default());
        let later = |later: &Passing| later.from == from && later.len > 0 && later.mark.time.nanos() > sent.saturating_add(SLACK_NS);
        self.transit(from).least_delay_ns.is_some() && sender.packets.iter().any(later)
    }

    /// More than the lack of it shows that a packet was forged: its hop counter is not its sender's, its sender knows nothing of it and goes on,
    /// or who forged it kept something back.
    fn is_borne_out(&self, from: Side, packet: &Passing) -> bool {
        let (_, receiver) = self.ends(from);
        receiver.usual_ttl(from).is_some_and(|usual| usual != packet.ttl)
            || self.goes_on(from, packet)
            || !self.transit(from.other()).lost.is_empty()
    }

    /// What the one who forged kept back, as a sentence.
    fn swallowed(&self) -> String {
        match self.sent(Side::Client, &self.up.lost).into_iter().find(|packet| packet.len > 0) {
            Some(packet) => format!(" It also dropped {}.", name(packet, self.client.view, Side::Client)),
            None => String::new(),
        }
    }
}

/// Clocks and capture stamps jitter.
const SLACK_NS: i64 = 2_000_000;
