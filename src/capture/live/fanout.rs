//! `PACKET_FANOUT`: the kernel divides an interface's packets among several sockets, a flow always to the same one (packet(7)).
//!
//! libpcap has no call for it, and no safe crate knows the option; this is the one place that talks to a socket directly.
#![allow(unsafe_code, reason = "setsockopt on libpcap's own descriptor has no safe wrapper")]

use std::io;
use std::os::fd::AsRawFd;

/// Lets a capture share the packets of its interface with the others that join the same group.
#[cfg(target_os = "linux")]
pub(super) fn join(capture: &impl AsRawFd, group: u16) -> io::Result<()> {
    // Fragments are joined before the flow is computed, lest they reach another socket than the rest of their flow.
    let mode = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG;
    let value: libc::c_uint = libc::c_uint::from(group) | (mode << 16);
    let size = libc::socklen_t::try_from(size_of::<libc::c_uint>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor belongs to `capture`, which outlives the call; `value` is a valid `unsigned int` of the given size and is only read.
    let done = unsafe { libc::setsockopt(capture.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_FANOUT, (&raw const value).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Only Linux has it.
#[cfg(not(target_os = "linux"))]
pub(super) fn join(_: &impl AsRawFd, _: u16) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux divides an interface's packets among threads"))
}
