//! Every bound in one place, each with its reason. When one is hit, a counter rises and the summary says so.

use std::time::Duration;

/// Flows are divided into this many partitions, each with its own table and its share of the bounds, so that what is thrown out under
/// pressure does not depend on how many threads share the partitions.
pub const PARTITIONS: usize = 16;

/// TCP connections held at a time over all partitions: a busy 10 Gbit/s link has some hundred thousand.
pub const FLOWS: usize = 1 << 20;

/// Half-open connections held at a time over all partitions: beyond this it is a flood, and older ones tell nothing new.
pub const HALF_OPEN: usize = 1 << 17;

/// Out-of-order bytes buffered per direction: more than any handshake flight, less than what an attacker could make expensive.
pub const BUFFERED_PER_SIDE: usize = 256 << 10;

/// Out-of-order bytes buffered in all.
pub const BUFFERED_TOTAL: usize = 64 << 20;

/// Entries of a connection's event list: a handshake with heavy loss has some dozens.
pub const TCP_EVENTS: usize = 96;

/// ICMP errors remembered for a connection.
pub const ICMP_NOTES: usize = 8;

/// Unacknowledged segments remembered for a side: an initial congestion window is ten.
pub const OUTSTANDING: usize = 48;

/// RSTs remembered for a side.
pub const RESETS: usize = 8;

/// Holes given up that are remembered for a side, to tell late bytes from retransmissions: more of them are a capture that lost much, in which
/// late bytes are the least concern.
pub const GIVEN_UP_HOLES: usize = 16;

/// Packets of a side that are compared with a new one to find what was captured twice: the copies of a burst may follow all its originals.
pub const RECENT_PACKETS: usize = 8;

/// Different tunnels whose half-open connections are held in small records: as many as there are VLANs.
pub const HALF_OPEN_PATHS: u16 = 4096;

/// Quiet time after which a half-open connection is given up: Linux sends its last SYN after 63 s and waits 64 s more.
pub const HALF_OPEN_IDLE: Duration = Duration::from_secs(130);

/// Quiet time after which an unsettled connection is given up: longer than the idle limits of common firewalls (an hour), whose effect must be seen.
pub const IDLE: Duration = Duration::from_secs(2 * 3600);

/// After an end of the connection, how long late packets are awaited that show the end to be forged.
pub const LINGER: Duration = Duration::from_secs(5);

/// Longest TLS record body accepted: RFC 5246 allows 2^14 + 2048; RFC 8446 2^14 + 256.
pub const RECORD_LEN: usize = (1 << 14) + 2048;

/// Longest handshake message joined, in bytes: OpenSSL takes chains of 100 kB, some stacks more; the length field allows 16 MiB.
pub const MESSAGE_LEN: usize = 256 << 10;

/// Handshake messages looked at in one handshake.
pub const MESSAGES: usize = 64;

/// Encrypted records of a side listed by size, from its first on.
pub const ENCRYPTED_RECORDS: usize = 24;

/// Alerts kept for one handshake.
pub const ALERTS: usize = 16;

/// Anomalies kept for one handshake.
pub const ANOMALIES: usize = 16;

/// Certificates looked at in one chain: OpenSSL's default depth limit is 100.
pub const CHAIN_LEN: usize = 32;

/// Bytes of plaintext looked at before a connection is given up as not TLS.
pub const PREAMBLE_BYTES: usize = 16 << 10;

/// Lines of a plaintext dialogue kept for the report.
pub const PREAMBLE_LINES: usize = 32;

/// Longest line of those, in bytes.
pub const PREAMBLE_LINE_LEN: usize = 256;

/// Deepest nesting of tunnels walked.
pub const TUNNEL_DEPTH: usize = 12;

/// IP packets being joined from fragments at a time.
pub const FRAGMENT_PACKETS: usize = 1024;

/// Bytes held for joining IP fragments.
pub const FRAGMENT_BYTES: usize = 16 << 20;

/// Packet time after which a partly arrived IP packet is given up (RFC 1122 section 3.3.2 has 60 to 120 s; Linux waits 30 s).
pub const FRAGMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A frame longer than this is a damaged file: libpcap's own limit for the largest link types is 128 MiB, for all others 256 KiB.
pub const FRAME_LEN: u32 = 16 << 20;
