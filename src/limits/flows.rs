//! Connections and flows of datagrams: how many are held, for how long, and what of each.

use std::time::Duration;

/// Flows are divided into this many partitions, each with its own table and its share of the bounds, so that what is thrown out under
/// pressure does not depend on how many threads share the partitions.
pub const PARTITIONS: usize = 16;

/// TCP connections held at a time over all partitions: a busy 10 Gbit/s link has some hundred thousand, most of them settled, of which a few
/// bytes are kept.
pub const FLOWS: usize = 1 << 19;

/// Bytes of the connections that are followed, with all that they hold (hellos, certificates, unfinished messages, records that await their keys):
/// some twenty thousand ordinary handshakes under way.
pub const FOLLOWED_BYTES: usize = 128 << 20;

/// The same of UDP flows.
pub const UDP_BYTES: usize = 32 << 20;

/// A connection or flow that takes more than this is larger than others, and goes before them when all together take too much: twice an ordinary
/// handshake with a long chain, and the record that is just being added to it.
pub const LARGE_FLOW: usize = 64 << 10;

/// What memory a connection costs besides its own: its place in the tables and what the allocator adds.
pub const FLOW_OVERHEAD: usize = 256;

/// Half-open connections held at a time over all partitions: more than half a second of a hundred thousand SYNs a second, in which a server that
/// is still there has answered. Beyond this it is a flood, and older ones tell nothing new.
pub const HALF_OPEN: usize = 1 << 16;

/// Out-of-order bytes buffered per direction: more than any handshake flight, less than what an attacker could make expensive.
pub const BUFFERED_PER_SIDE: usize = 256 << 10;

/// Out-of-order bytes buffered in all.
pub const BUFFERED_TOTAL: usize = 32 << 20;

/// Entries of a connection's event list: a handshake with heavy loss has some dozens.
pub const FLOW_EVENTS: usize = 96;

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

/// Directions of TCP connections in each partition that are known to belong to one which came by another way: seven eighths of a power of two, up to which
/// a map does not grow.
pub const WAYS_JOINED: usize = 7168;

/// The same of UDP flows.
pub const UDP_WAYS_JOINED: usize = 3584;

/// Connections in each partition that may be copies of others.
pub const WAYS_SUSPECTED: usize = 256;

/// Quiet time after which a half-open connection is given up: Linux sends its last SYN after 63 s and waits 64 s more.
pub const HALF_OPEN_IDLE: Duration = Duration::from_secs(130);

/// Quiet time after which an unsettled connection is given up: longer than the idle limits of common firewalls (an hour), whose effect must be seen.
pub const IDLE: Duration = Duration::from_secs(2 * 3600);

/// After an end of the connection, how long late packets are awaited that show the end to be forged.
pub const LINGER: Duration = Duration::from_secs(5);

/// The same where someone watches: longer than any round trip, and a verdict is not kept back for long.
pub const LIVE_LINGER: Duration = Duration::from_secs(2);

/// How often timers are looked at, in packet time: a file's verdicts need no more.
pub const STEP: Duration = Duration::from_secs(1);

/// The same where someone watches: a stall is told within a second of its limit, the ring's delay included.
pub const LIVE_STEP: Duration = Duration::from_millis(250);

/// Unanswered connections of a partition that are looked at one by one while they wait; of a flood one is as good as another.
pub const WATCHED_HALF_OPEN: usize = 256;

/// Where someone watches, servers that do not answer are reported anew after this time.
pub const UNANSWERED_AGE: Duration = Duration::from_secs(600);

/// Connections to one server that were never answered are reported one by one up to this many in each partition, and summed up beyond: a
/// flood has millions. Once as many were thrown out in the partition, one is enough.
pub const UNANSWERED_REPORTS: u32 = 16;

/// Servers for which that is counted, in each partition.
pub const UNANSWERED_SERVERS: usize = 1024;

/// Rows of what fills a capture that are told apart by port, in each partition. A row takes some fifty bytes.
pub const TRAFFIC_PORTS: usize = 64;

/// Rows told in the summary; what is rarer is summed up in one more.
pub const TRAFFIC_TOLD: usize = 24;

/// UDP flows followed at a time over all partitions: each is a handshake under way or a marker of one that is settled.
pub const UDP_FLOWS: usize = 1 << 18;

/// Quiet time after which a UDP flow is given up: QUIC stacks give up within 30 s, DTLS timers double up to 60 s (RFC 6347 section 4.2.4.1).
pub const UDP_IDLE: Duration = Duration::from_secs(120);

/// Bytes of a server's first segment up to which it waits to be believed: alerts, and what is forged to hide them, are seldom longer.
pub const ASIDE: usize = 256;

/// Segments of one side that wait because their receiver may drop them.
pub const DOUBTED: usize = 8;

/// Bytes of a segment up to which it waits so: what is meant for a filter to read is no longer than a ClientHello.
pub const DOUBTED_LEN: usize = 4096;
