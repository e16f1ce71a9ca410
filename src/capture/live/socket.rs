//! What libpcap has no call for and no safe crate knows: options of its sockets.
#![allow(unsafe_code, reason = "setsockopt on libpcap's own descriptor has no safe wrapper")]

use std::io;
use std::os::fd::AsRawFd;

/// Lets a capture share the packets of its interface with the others that join the same group: the kernel divides them, and a flow's always go to
/// the same one (`PACKET_FANOUT`, packet(7)).
#[cfg(target_os = "linux")]
pub(super) fn join(capture: &impl AsRawFd, group: u16) -> io::Result<()> {
    // Fragments are joined before the flow is computed, lest they reach another socket than the rest of their flow.
    let mode = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG;
    let value: libc::c_uint = libc::c_uint::from(group) | (mode << 16);
    set(capture, libc::SOL_PACKET, libc::PACKET_FANOUT, &value)
}

/// The kernel takes no more packets for this capture; what it took before stays to be read.
#[cfg(target_os = "linux")]
pub(super) fn close(capture: &impl AsRawFd) -> io::Result<()> {
    // A filter of one instruction: return 0, take nothing.
    let mut nothing = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    set(capture, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &libc::sock_fprog { len: 1, filter: &raw mut nothing })
}

#[cfg(target_os = "linux")]
fn set<T>(capture: &impl AsRawFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor belongs to `capture`, which outlives the call; `value`, and what it points at, is what the option takes, of the given
    // size, and is only read.
    let done = unsafe { libc::setsockopt(capture.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Only Linux has it.
#[cfg(not(target_os = "linux"))]
pub(super) fn join(_: &impl AsRawFd, _: u16) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux divides an interface's packets among threads"))
}

/// Only Linux has it.
#[cfg(not(target_os = "linux"))]
pub(super) fn close(_: &impl AsRawFd) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
