//! What of a handshake bears on handshakes with servers of other shards.

use crate::condensate::Elsewhere;
use crate::handshake::Handshake;

use super::hearing::Heard;
use super::visits::is_used;

/// What is told of a handshake, but for its chain; `overheard`: it is a connection that shows nothing of TLS.
pub fn elsewhere(handshake: &Handshake, shard: u16, overheard: bool) -> Elsewhere {
    let Heard { both_sides, gap, unheard } = Heard::of(handshake);
    Elsewhere {
        shard,
        at_end: handshake.concluded_at == u64::MAX,
        overheard,
        both_sides,
        gap,
        unheard,
        used: is_used(handshake),
        client: handshake.client,
        server: handshake.server,
        first: handshake.flow.first.time.nanos(),
        last: handshake.flow.last.time.nanos(),
        random: handshake.hello().and_then(|hello| <[u8; 32]>::try_from(hello.random()).ok()),
        chain: None,
    }
}
