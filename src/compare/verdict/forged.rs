//! What came in the name of one end and was never sent by it.

use super::{Comparison, on_path};
use crate::compare::vantage::Passing;
use crate::compare::words::name;
use crate::flow::Side;
use crate::report::{Cause, Confidence, Finding};

impl Comparison<'_> {
    /// Something came in the other's name.
    pub(super) fn forged(&self) -> Option<Finding> {
        self.forged_data().or_else(|| self.forged_reset()).or_else(|| self.forged_opening()).or_else(|| self.forged_close())
    }

    fn first_injected(&self, from: Side, is: impl Fn(&Passing) -> bool) -> Option<&Passing> {
        self.injected(from).into_iter().find(|packet| is(packet))
    }

    fn forged_data(&self) -> Option<Finding> {
        let data = self.first_injected(Side::Server, |packet| packet.len > 0)?;
        let (cause, what) = match &*data.payload {
            [0x15, 0x03, ..] => (Cause::AlertForged, "the alert that ended it"),
            [first, ..] if first.is_ascii_alphabetic() => (Cause::PlaintextInjected, "the plaintext answer that the client received"),
            _ => (Cause::AlertForged, "the data that ended it"),
        };
        let summary = format!(
            "The server never sent {what} (frame {} of the client's capture): a device between the two captures forged it.",
            data.mark.frame
        );
        Some(on_path(cause, Confidence::Certain, summary))
    }

    fn forged_reset(&self) -> Option<Finding> {
        let reset = |from: Side| self.first_injected(from, |packet| packet.flags.rst());
        let (who, frame) = match (reset(Side::Client), reset(Side::Server)) {
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
        Some(on_path(Cause::ResetInjected, Confidence::Certain, summary))
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

    /// Somebody else closed it in the server's name.
    fn forged_close(&self) -> Option<Finding> {
        let fin = self.first_injected(Side::Server, |packet| packet.flags.fin())?;
        let summary = format!(
            "A device between the two captures closed the connection: the server never sent the FIN that the client received (frame {} of the client's capture).{}",
            fin.mark.frame,
            self.swallowed()
        );
        Some(on_path(Cause::ResetInjected, Confidence::Certain, summary))
    }

    /// What the one who forged kept back, as a sentence.
    fn swallowed(&self) -> String {
        match self.sent(Side::Client, &self.up.lost).into_iter().find(|packet| packet.len > 0) {
            Some(packet) => format!(" It also dropped {}.", name(packet, self.client.view, Side::Client)),
            None => String::new(),
        }
    }
}
