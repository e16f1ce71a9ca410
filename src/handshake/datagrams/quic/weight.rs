//! What a QUIC connection takes in memory.

use super::{Keys, Quic, Sender};

impl Quic {
    /// Bytes that it takes with the pieces and packets that it holds.
    pub(in crate::handshake::datagrams) fn held_bytes(&self) -> usize {
        let sides = self.sides.client.held_bytes() + self.sides.server.held_bytes();
        let unsealing = self.unsealing.as_ref().map_or(0, |unsealing| unsealing.held_bytes());
        size_of::<Self>() + self.keys.capacity() * size_of::<Keys>() + self.buffer.capacity() + sides + unsealing
    }
}

impl Sender {
    fn held_bytes(&self) -> usize {
        self.stream.held_bytes() + self.sent.capacity() * size_of::<(u64, u32)>()
    }
}
