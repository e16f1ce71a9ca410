//! Files, interfaces and frames, and the packets in them.

use std::time::Duration;

/// Deepest nesting of tunnels walked.
pub const TUNNEL_DEPTH: usize = 12;

/// IP packets being joined from fragments at a time.
pub const FRAGMENT_PACKETS: usize = 1024;

/// Bytes held for joining IP fragments.
pub const FRAGMENT_BYTES: usize = 16 << 20;

/// Packet time after which a partly arrived IP packet is given up (RFC 1122 section 3.3.2 has 60 to 120 s; Linux waits 30 s).
pub const FRAGMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Frames remembered of a packet being joined: a whole IP packet has at most 8,192 fragments.
pub const FRAGMENT_FRAMES: usize = 8192;

/// Separate runs of bytes in one IP packet being joined: fragments in order make one, and no network shuffles this many.
pub const FRAGMENT_HOLES: usize = 64;

/// Incomplete IP packets remembered for the connections they belonged to, until these ask.
pub const FRAGMENT_LOST: usize = 256;

/// A frame longer than this is a damaged file: libpcap's own limit for the largest link types is 128 MiB, for all others 256 KiB.
pub const FRAME_LEN: u32 = 16 << 20;

/// A frame of an ordinary link type longer than this (and than the file's snapshot length) is a damaged file: libpcap never writes one.
pub const COMMON_FRAME_LEN: u32 = 256 << 10;

/// A pcapng block with a frame or an interface in it that is longer than this is damage: the longest frame and a megabyte of options.
pub const BLOCK_LEN: u32 = FRAME_LEN + (1 << 20);

/// Bytes read at a time into a block of frames: large enough that a read costs nothing per frame, small enough that the block, what is noted of
/// its frames and the connections at hand stay in a core's cache together, and that blocks under way between threads are no weight.
pub const READ_BYTES: usize = 512 << 10;

/// The same when many files are merged, so that their buffers together stay within some megabytes.
pub const MERGE_READ_BYTES: usize = 128 << 10;

/// Files that are open at a time when captures overlap in time: well below the usual 1024 descriptors of a process.
pub const OPEN_FILES: usize = 128;

/// Interfaces of one pcapng section, and of the inventory in all: a capture of every container on a host has some hundred.
pub const INTERFACES: usize = 1 << 16;

/// Bytes of the interfaces' names, descriptions and filters.
pub const INTERFACE_TEXT: usize = 4 << 20;

/// Comments kept.
pub const COMMENTS: usize = 4096;

/// Bytes of those.
pub const COMMENT_BYTES: usize = 4 << 20;

/// Longest comment, interface name or filter kept, in bytes.
pub const COMMENT_LEN: usize = 4096;

/// Addresses with names kept out of Name Resolution Blocks: a capture taken with name resolution on has some thousand.
pub const RESOLVED_NAMES: usize = 1 << 16;

/// Bytes of those names.
pub const RESOLVED_NAME_BYTES: usize = 4 << 20;

/// Memory that an xz decoder may take: `xz -9` needs 65 MiB, a hostile header could ask for 4 GiB.
pub const XZ_MEMORY: u64 = 256 << 20;

/// Depth of directories searched for captures.
pub const DIRECTORY_DEPTH: usize = 32;

/// Packets taken from an interface's ring at a time: about a megabyte of full-size packets.
pub const LIVE_BATCH: usize = 512;

/// Batches under way between the threads that capture and the pipeline. When it is full they wait, and the kernel's ring, far larger, takes what comes.
pub const LIVE_BATCHES: usize = 32;

/// Spans of time in which an interface lost packets that are remembered: some minutes of constant trouble, and no handshake waits longer for its
/// verdict.
pub const LOSS_WINDOWS: usize = 4096;

/// Bytes held back to put the packets of several interfaces into one order.
pub const LIVE_MERGE_BYTES: usize = 64 << 20;

/// Times that several files which overlap may take turns, frame by frame in the worst case, until frames are no longer told by file. Files
/// that follow one another take one turn each.
pub const FRAME_RUNS: usize = 1 << 18;

/// Bytes of one of them.
pub const FRAME_RUN: usize = 16;
