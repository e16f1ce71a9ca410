//! Handshakes that travel in messages of another protocol, over UDP or on the link layer: what carries them is read here, and their records go to the same machine as
//! those of TCP.

pub(super) mod eapol;
pub(super) mod openvpn;
pub(super) mod radius;

mod conversation;
mod conversations;
