//! What came in the name of one end and was never sent by it.

use super::{Path, blamed_on_path};
use crate::compare::joined::Joint;
use crate::compare::words::name;
use crate::flow::Side;
use crate::report::Handshake;

impl Path<'_> {
    /// Something came in the other's name.
    pub(super) fn forged(&self, client: Option<&Handshake<'_>>) -> Option<Joint> {
        let resets = Side::BOTH.map(|from| self.injected(from).into_iter().find(|packet| packet.flags.rst()));
        let data = self.injected(Side::Server).into_iter().find(|packet| packet.len > 0);
        if let Some(data) = data {
            let alert = data.payload.first() == Some(&0x15) && data.payload.get(1) == Some(&0x03);
            let (cause, what) = if alert {
                ("alert-forged", "the alert that ended it")
            } else if data.payload.first().is_some_and(u8::is_ascii_alphabetic) {
                ("plaintext-injected", "the answer in plain text that the client got")
            } else {
                ("alert-forged", "the data that ended it")
            };
            return Some(Joint::certain(
                cause,
                "path",
                format!(
                    "The server never sent {what} (frame {} of the client's capture): a device between the two captures did, in the server's name.",
                    data.mark.frame
                ),
            ));
        }
        let (who, frame) = match resets {
            [Some(up), Some(down)] => (
                "neither end sent the RST that the other received",
                format!("frame {} at the client, {} at the server", down.mark.frame, up.mark.frame),
            ),
            [None, Some(down)] => {
                ("the server never sent the RST that the client received", format!("frame {} of the client's capture", down.mark.frame))
            }
            [Some(up), None] => {
                ("the client never sent the RST that the server received", format!("frame {} of the server's capture", up.mark.frame))
            }
            [None, None] => return self.forged_opening(client).or_else(|| self.forged_close()),
        };
        Some(Joint::certain(
            "reset-injected",
            "path",
            format!("A device between the two captures reset the connection: {who} ({frame}).{}", self.swallowed()),
        ))
    }

    /// Somebody else answered the SYN: what follows fits the one end only.
    fn forged_opening(&self, client: Option<&Handshake<'_>>) -> Option<Joint> {
        let answer = self.injected(Side::Server).into_iter().find(|packet| packet.flags.syn())?;
        let (cause, confidence) = blamed_on_path(client).unwrap_or(("reset-injected", "likely"));
        let text = format!(
            "A device between the two captures answered the SYN in the server's name (frame {} of the client's capture): the client took up a connection that the server does not know.",
            answer.mark.frame
        );
        Some(Joint::of(cause, confidence, "path", text))
    }

    /// Somebody else closed it in the server's name.
    fn forged_close(&self) -> Option<Joint> {
        let fin = self.injected(Side::Server).into_iter().find(|packet| packet.flags.fin())?;
        Some(Joint::certain(
            "reset-injected",
            "path",
            format!(
                "A device between the two captures closed the connection in the server's name: the server never sent the FIN that the client received (frame {} of the client's capture).{}",
                fin.mark.frame,
                self.swallowed()
            ),
        ))
    }

    /// What the one who forged kept back, as a sentence.
    fn swallowed(&self) -> String {
        match self.up.lost.iter().filter_map(|place| self.client.packets.get(*place)).find(|packet| packet.len > 0) {
            Some(packet) => format!(" It also swallowed {}.", name(packet, self.client, Side::Client)),
            None => String::new(),
        }
    }
}
