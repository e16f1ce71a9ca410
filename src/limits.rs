//! Every bound in one place, each with its reason. When one is hit, a counter rises and the summary says so. What an analysis may take in all is
//! the sum of [`BUDGETS`].

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

/// Longest TLS record body accepted: RFC 5246 allows 2^14 + 2048; RFC 8446 2^14 + 256.
pub const RECORD_LEN: usize = (1 << 14) + 2048;

/// Longest handshake message joined, in bytes: OpenSSL takes chains of 100 kB, some stacks more; the length field allows 16 MiB.
pub const MESSAGE_LEN: usize = 256 << 10;

/// Buffers for records that span segments, kept to be used again by all connections of a partition: a megabyte at most.
pub const SPARE_BUFFERS: usize = 64;

/// Records of an FTP server on a control connection that are listed by size, from its first on: a login, and a dozen transfers.
pub const FTP_REPLIES: usize = 48;

/// Handshake messages looked at in one handshake.
pub const MESSAGES: usize = 64;

/// Encrypted records of a side listed by size, from its first on.
pub const ENCRYPTED_RECORDS: usize = 24;

/// Alerts kept for one handshake.
pub const ALERTS: usize = 16;

/// Anomalies kept for one handshake.
pub const ANOMALIES: usize = 16;

/// Bytes of a line of JSON that is read again: longer than any that is written of a handshake.
pub const ROW_LEN: usize = 8 << 20;

/// Certificates looked at in one chain: OpenSSL's default depth limit is 100.
pub const CHAIN_LEN: usize = 32;

/// Longest server name looked at, in bytes: host names have 253 at most.
pub const SERVER_NAME_LEN: usize = 512;

/// Cipher suites of an offer that are reported; how many more there are is told. Browsers have some twenty, scanners some hundred.
pub const OFFERED_SUITES: usize = 512;

/// Extensions of a hello that are reported.
pub const OFFERED_EXTENSIONS: usize = 512;

/// Entries of the other lists of an offer that are reported: application protocols, groups, signature algorithms…
pub const OFFERED: usize = 256;

/// Names kept of a `CertificateRequest`'s authorities: enough to see which are meant; a system store has some hundred.
pub const AUTHORITIES: usize = 32;

/// Bytes of plaintext looked at before a connection is given up as not TLS.
pub const PREAMBLE_BYTES: usize = 16 << 10;

/// The same with a proxy that refused: the page in which it says why may be long, and the client may ask again behind it.
pub const REFUSAL_BYTES: usize = 256 << 10;

/// Lines of a plaintext dialogue kept for the report.
pub const PREAMBLE_LINES: usize = 32;

/// Longest line of those, in bytes.
pub const PREAMBLE_LINE_LEN: usize = 256;

/// Bytes of one message of such a dialogue that are read: longer than any line or negotiation packet that matters.
pub const PREAMBLE_MESSAGE: usize = 4 << 10;

/// Bytes of a side after which it is either recognised or unknown: a long greeting line.
pub const PREAMBLE_OPENING: usize = 2048;

/// Bytes of a side kept for naming what it speaks: an HTTP header and the title of its page.
pub const PREAMBLE_FIRST: usize = 1024;

/// Upgrades inside one another: a PROXY header, a proxy's tunnel and a STARTTLS dialogue are three.
pub const PREAMBLE_DEPTH: usize = 5;

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

/// Letters of a handshake's history.
pub const HISTORY: usize = 100;

/// Connections to one server that were never answered are reported one by one up to this many in each partition, and summed up beyond: a
/// flood has millions. Once as many were thrown out in the partition, one is enough.
pub const UNANSWERED_REPORTS: u32 = 16;

/// Servers for which that is counted, in each partition.
pub const UNANSWERED_SERVERS: usize = 1024;
/// Distinct certificates remembered by a partition.
pub const CERTIFICATES: usize = 4096;

/// Bytes of those in all partitions: an ordinary certificate takes some kilobytes.
pub const CERTIFICATE_BYTES: usize = 32 << 20;

/// Names kept of a certificate, and their bytes: the largest of content delivery networks have some hundred.
pub const CERTIFICATE_NAMES: usize = 1000;

/// The same in bytes.
pub const CERTIFICATE_NAME_BYTES: usize = 64 << 10;

/// Longest distinguished name kept as text, in bytes.
pub const DISTINGUISHED_NAME_LEN: usize = 4 << 10;

/// Distinct judgements of chains remembered, each under one name.
pub const CHAINS: usize = 16384;

/// Bytes of those and of their certificates, each counted once.
pub const CHAIN_BYTES: usize = 24 << 20;

/// The same of the chains of which is remembered that a server served them.
pub const SERVED_BYTES: usize = 20 << 20;

/// Secrets of a key log that are tried on connections whose true hello is encrypted (ECH), in each partition: together they take less than a second.
pub const KEY_TRIES: u32 = 1 << 12;

/// Names that were looked up in the DNS, of which is remembered what the answers said: as many mail servers as one writes to in an hour.
pub const LOOKED_UP: usize = 1 << 11;
/// Askers of a name whose answers are remembered, the latest: a client, and the resolver that asks for it.
pub const LOOKED_UP_BY: usize = 2;

/// Bytes of handshakes whose verdicts wait for what others show: beyond this the oldest is judged.
pub const HELD_BYTES: usize = 64 << 20;

/// Work for the signatures of one chain that were not verified before, in nanoseconds: three with keys of P-384, the dearest in use. Ordinary
/// chains need two at their first sight and one with every new leaf.
pub const CHAIN_WORK: u64 = 2_000_000;

/// Nanoseconds of packet time that give a server one nanosecond of work for new signatures: a hundred and sixty of P-256 a second, which only an
/// inspecting proxy for thousands of clients comes near.
pub const SERVER_WORK_SHARE: u64 = 50;

/// The most of it that a server can save up.
pub const SERVER_WORK_SAVED: u64 = 40_000_000;

/// The same for all servers together: a fifth of a core.
pub const SIGNATURE_WORK_SHARE: u64 = 5;

/// The most that can be saved up in all: a capture's first moment brings the chains of all servers that were there before.
pub const SIGNATURE_WORK_SAVED: u64 = 1_000_000_000;

/// Signatures remembered, in each of two tables: less than a hundred bytes each.
pub const SIGNATURES: usize = 1 << 15;

/// Served certificates of one name that are tried as the issuer of another: cross-signed authorities have two or three.
pub const ISSUERS_TRIED: usize = 6;

/// Certificates that the verifier may read while it looks for a path: an ordinary chain needs ten, and equal names multiply.
pub const PATH_SEARCH: usize = 256;
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

/// Bytes of TLS key log kept out of Decryption Secrets Blocks: about sixty thousand TLS 1.3 connections.
pub const SECRET_BYTES: usize = 64 << 20;

/// Connections whose secrets are held: a key log of some hundred megabytes.
pub const KEY_LOG_CONNECTIONS: usize = 1 << 18;

/// Longest line of a key log that is looked at: the longest label, a random and a secret of 64 bytes take some 250 bytes.
pub const KEY_LOG_LINE: usize = 4096;

/// Longest line of a log that is looked at; what is behind is left out.
pub const LOG_LINE: usize = 8 << 10;

/// Characters of a log's line that are kept and shown: error queues of OpenSSL are long.
pub const LOG_TEXT: usize = 400;

/// Bytes of log lines kept, with what each takes besides its text: more than a hundred thousand lines that speak of TLS.
pub const LOG_BYTES: usize = 48 << 20;

/// Encrypted records kept for a direction while its secrets are awaited: a handshake flight in small records, and alerts.
pub const SEALED_RECORDS: usize = 128;

/// Bytes of those for a connection: a flight with a long chain.
pub const SEALED_BYTES: usize = 192 << 10;

/// Records of a side decrypted for one handshake, after which it is over or never will be.
pub const OPENED_RECORDS: u64 = 512;

/// Bytes of a tunnel inside opened records that are read for its handshake: a flight of either side with a long chain, twice.
pub const TUNNELLED_BYTES: usize = 512 << 10;

/// The same of all tunnels of a connection that may have several.
pub const TUNNELS_BYTES: usize = 4 << 20;

/// Records of a side decrypted where tunnels are followed in them.
pub const TUNNELS_RECORDS: u64 = 4096;

/// Bytes that come out of one side's compressed WebSocket messages: what a tunnel is read for its handshake, of both sides.
pub const INFLATED_BYTES: usize = 2 * TUNNELLED_BYTES;

/// Tunnels followed at a time in one HTTP/2 connection: a browser opens some dozens through its proxy.
pub const HTTP2_STREAMS: usize = 64;

/// Bytes of a block of HTTP/2 headers, all of its frames together.
pub const HTTP2_BLOCK: usize = 16 << 10;

/// Bytes of all those blocks of a side: what is read of them costs more than what travels.
pub const HTTP2_HEADERS: usize = 64 << 10;

/// Bytes of the table that both ends of HTTP/2 keep of headers: browsers allow as many.
pub const HTTP2_TABLE: usize = 64 << 10;

/// Bytes kept of one field of an HTTP/2 header, and of all that are told beside request and answer.
pub const HTTP2_FIELD: usize = 1 << 10;

/// Bytes of a capsule that may hold a datagram: QUIC sends some 1,500, and on a local link up to 9,000.
pub const CAPSULE: usize = 16 << 10;

/// Datagrams through a proxy that are no handshake, before the first that is.
pub const DATAGRAMS_UNREAD: usize = 16;

/// Requests to an HTTP/2 proxy that open no tunnel, before the first that does.
pub const HTTP2_OTHERS: usize = 16;

/// Longest Certificate message that a compressed one may become: the length field's own limit (RFC 8879 section 4).
pub const DECOMPRESSED_CERTIFICATE: usize = 1 << 24;

/// Memory that a Zstandard window in a compressed certificate may take, as a power of two: the longest message.
pub const CERTIFICATE_WINDOW_LOG: u32 = 24;

/// Memory that an xz decoder may take: `xz -9` needs 65 MiB, a hostile header could ask for 4 GiB.
pub const XZ_MEMORY: u64 = 256 << 20;

/// Depth of directories searched for captures.
pub const DIRECTORY_DEPTH: usize = 32;

/// Parts that reports share (a kind of client's offer, a kind of server's answer, a certificate) remembered of each sort: browsers that shuffle
/// their extensions make thousands of offers.
pub const SHARED_PARTS: usize = 8192;

/// Bytes of the offers among them, of which ordinary ones take some kilobytes.
pub const OFFER_BYTES: usize = 24 << 20;

/// Bytes of the answers.
pub const ANSWER_BYTES: usize = 2 << 20;

/// Bytes of the certificates.
pub const CERTIFICATE_REPORT_BYTES: usize = 8 << 20;

/// Packets taken from an interface's ring at a time: about a megabyte of full-size packets.
pub const LIVE_BATCH: usize = 512;

/// Handshakes that wait to be judged, live, and blocks that brought them: a fifth of a second of a busy link. Beyond it what comes waits in the
/// kernel's ring.
pub const LIVE_BACKLOG: usize = 4096;

/// Batches under way between the threads that capture and the pipeline. When it is full they wait, and the kernel's ring, far larger, takes what comes.
pub const LIVE_BATCHES: usize = 32;

/// Spans of time in which an interface lost packets that are remembered: some minutes of constant trouble, and no handshake waits longer for its
/// verdict.
pub const LOSS_WINDOWS: usize = 4096;

/// Bytes held back to put the packets of several interfaces into one order.
pub const LIVE_MERGE_BYTES: usize = 64 << 20;

/// Bytes of one flow that the flight recorder keeps: more than a handshake with long chains, less than a download.
pub const RECORD_FLOW_BYTES: usize = 128 << 10;

/// Flows that the flight recorder keeps packets of.
pub const RECORD_FLOWS: usize = 1 << 16;

/// Connections whose owners on this host are remembered, and questions about owners that wait: a minute of a thousand connections a second, and some
/// seconds.
pub const OWNED_CONNECTIONS: usize = 1 << 16;

/// See [`OWNED_CONNECTIONS`].
pub const OWNER_QUESTIONS: usize = 8192;

/// Rows of what fills a capture that are told apart by port, in each partition. A row takes some fifty bytes.
pub const TRAFFIC_PORTS: usize = 64;

/// Rows told in the summary; what is rarer is summed up in one more.
pub const TRAFFIC_TOLD: usize = 24;

/// Flows of which a condensate tells in one second of packet time what was left out, over all partitions.
pub const LATE_FLOWS: usize = 1 << 14;

/// Bytes that one of those takes, at most.
const LATE_RECORD: usize = 128;

/// Certificates and chains of a window that are told to other shards once; of more, some are told again.
pub const TOLD_CERTIFICATES: usize = 1 << 16;
/// The same.
pub const TOLD_CHAINS: usize = 1 << 18;

/// Bytes of the certificates that other shards told of.
pub const TOLD_CERTIFICATE_BYTES: usize = 32 << 20;

/// Bytes of what other shards told before it is its turn; of more, what came first is learnt from at once.
pub const TOLD_WAITING_BYTES: usize = 32 << 20;

/// So many times its length a certificate takes that was parsed.
pub const TOLD_CERTIFICATE_WEIGHT: usize = 3;

/// Names of protocols that are taken over from condensates, and the bytes of one: what this program calls them are a hundred short ones.
pub const PROTOCOLS: usize = 512;
/// See [`PROTOCOLS`].
pub const PROTOCOL_NAME: usize = 64;

/// UDP flows followed at a time over all partitions: each is a handshake under way or a marker of one that is settled.
pub const UDP_FLOWS: usize = 1 << 18;

/// Quiet time after which a UDP flow is given up: QUIC stacks give up within 30 s, DTLS timers double up to 60 s (RFC 6347 section 4.2.4.1).
pub const UDP_IDLE: Duration = Duration::from_secs(120);

/// Bytes of a QUIC CRYPTO stream joined: stacks buffer at least 4 KiB (RFC 9000 section 7.5); a hello with post-quantum shares has two or three.
pub const QUIC_CRYPTO: usize = 64 << 10;

/// Pieces of a QUIC CRYPTO stream: browsers cut a hello into some dozens on purpose.
pub const QUIC_CRYPTO_PIECES: usize = 256;

/// Initial keys derived for one flow: a hello, a Retry and a version negotiation need three.
pub const QUIC_KEYS: u32 = 16;

/// Packet numbers of a side remembered with their datagram's size, until they are acknowledged.
pub const QUIC_SENT: usize = 64;

/// Handshake messages of a DTLS side waiting for their rest or for earlier ones: a flight has ten at most.
pub const DTLS_PENDING: usize = 16;

/// Bytes of those.
pub const DTLS_PENDING_BYTES: usize = 512 << 10;

/// Pieces of one DTLS handshake message: 256 KiB in the smallest fragments in use (some hundred bytes) would be a thousand.
pub const DTLS_PIECES: usize = 1024;

/// Channels and associations between a TURN client's port and its relay: a browser tries some pairs of candidates, and keeps one.
pub const TURN_CHANNELS: usize = 64;

/// Conversations that one port of a RADIUS client carries at a time, which has 256 numbers for requests; and those of a link.
pub const EAP_CONVERSATIONS: usize = 256;

/// Bytes that these hold before the first of them goes: less than a partition's share of [`UDP_BYTES`], at which the whole flow would.
pub const EAP_BYTES: usize = UDP_BYTES / PARTITIONS / 4 * 3;

/// Conversations of such a port that are over and whose late packets are known: some seconds' worth.
pub const EAP_ENDED: usize = 32;

/// Quiet time after which an EAP conversation is over: servers forget theirs after a minute (FreeRADIUS's `timer_expire`).
pub const EAP_IDLE: Duration = Duration::from_secs(90);

/// Bytes of a name that EAP or RADIUS carries: an attribute has 253.
pub const EAP_NAME: usize = 253;

/// Bytes of an OpenVPN control channel's side that wait for earlier ones: a sender has a dozen packets under way.
pub const OPENVPN_EARLY: usize = 32 << 10;

/// Bytes of a server's first segment up to which it waits to be believed: alerts, and what is forged to hide them, are seldom longer.
pub const ASIDE: usize = 256;

/// Segments of one side that wait because their receiver may drop them.
pub const DOUBTED: usize = 8;

/// Bytes of a segment up to which it waits so: what is meant for a filter to read is no longer than a ClientHello.
pub const DOUBTED_LEN: usize = 4096;

/// A marker of a settled connection with its place in the tables, in bytes.
const MARKER: usize = 96;

/// A half-open connection with its place in the tables, in bytes.
const HALF_OPEN_RECORD: usize = 256;

/// What is known of the ways of flows in tunnels: maps of 8,192 and 4,096 places of 17 bytes, and the suspects, in each partition.
const WAYS_BYTES: usize = 4 << 20;

const _: () = assert!(((WAYS_JOINED + UDP_WAYS_JOINED) / 7 * 8 * 17 + WAYS_SUSPECTED * 16) * PARTITIONS <= WAYS_BYTES);

/// A signature that is remembered, in bytes.
const SIGNATURE_RECORD: usize = 128;

/// An interface of a pcapng section and of the inventory, without its text; a name and its address.
const INTERFACE_RECORD: usize = 256;
const NAME_RECORD: usize = 64;

/// Times that several files which overlap may take turns, frame by frame in the worst case, until frames are no longer told by file. Files
/// that follow one another take one turn each.
pub const FRAME_RUNS: usize = 1 << 18;

/// Bytes of one of them.
pub const FRAME_RUN: usize = 16;

/// What an analysis of files may hold in memory, whatever they are made of: what, and bytes at most. Not among them are what only options bring:
/// key logs ([`SECRET_BYTES`], [`KEY_LOG_CONNECTIONS`]), logs ([`LOG_BYTES`]), the flight recorder (`--record-memory`), live capture ([`LIVE_MERGE_BYTES`]), an xz
/// decoder ([`XZ_MEMORY`]), and what one shard by itself is told of others ([`TOLD_CERTIFICATE_BYTES`],
/// [`TOLD_WAITING_BYTES`]).
pub const BUDGETS: &[(&str, usize)] = &[
    ("connections that are followed, with all that they hold", FOLLOWED_BYTES),
    ("UDP flows that are followed, likewise", UDP_BYTES),
    ("markers of settled connections", FLOWS * MARKER),
    ("half-open connections", HALF_OPEN * HALF_OPEN_RECORD),
    ("ways of flows in tunnels", WAYS_BYTES),
    ("bytes out of order", BUFFERED_TOTAL),
    ("IP fragments", FRAGMENT_BYTES),
    ("certificates", CERTIFICATE_BYTES),
    ("chains judged", CHAIN_BYTES),
    ("chains that servers served", SERVED_BYTES),
    ("signatures verified", 2 * SIGNATURES * SIGNATURE_RECORD),
    ("handshakes whose verdicts wait", HELD_BYTES),
    ("offers", OFFER_BYTES),
    ("answers", ANSWER_BYTES),
    ("certificates as they are reported", CERTIFICATE_REPORT_BYTES),
    ("interfaces", INTERFACES * INTERFACE_RECORD + INTERFACE_TEXT),
    ("names of addresses", RESOLVED_NAMES * NAME_RECORD + RESOLVED_NAME_BYTES),
    ("comments", COMMENT_BYTES),
    ("where the frames of several files come from", FRAME_RUNS * FRAME_RUN),
    ("blocks of frames between threads", 32 * READ_BYTES),
    ("what condensates left out", LATE_FLOWS * LATE_RECORD),
];

/// Files and texts that one call of an agent may name in one list.
pub const AGENT_LIST: usize = 64;

/// Bytes of a name or a text in an agent's call: as long as the longest path.
pub const AGENT_TEXT: usize = 4096;

/// Calls of an agent that wait for the one before them.
pub const AGENT_WAITING: usize = 16;

/// Bytes of a line that a call's process writes: the inventory of some ten thousand servers.
pub const AGENT_LINE: usize = 16 << 20;

/// Bytes that are kept of what a call's process says on standard error.
pub const AGENT_SAID: usize = 4 << 10;

/// Bytes of address space that a call's process may take: what an analysis holds, and the room that allocators and threads set aside.
pub const AGENT_SPACE: u64 = 8 << 30;

/// How long a call's process is given to end with what it has read, once its time is over.
pub const AGENT_GRACE: Duration = Duration::from_secs(5);

/// The sum of [`BUDGETS`].
pub const MEMORY: usize = 512 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budgets_add_up() {
        let sum: usize = BUDGETS.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, MEMORY, "{} MiB and {} bytes", sum >> 20, sum % (1 << 20));
    }

    /// No capture uses all of it up at once, which leaves room for the program itself and for what is learnt of servers and clients by their number.
    #[test]
    fn an_analysis_stays_within_half_a_gigabyte() {
        let most = BUDGETS.iter().map(|(_, bytes)| bytes).sum::<usize>();
        assert!(most <= 512 << 20, "{} MiB", most >> 20);
    }
}
