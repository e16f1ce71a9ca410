//! What is read and kept of one handshake, whatever carries it, and of what is spoken before and around it.

use std::time::Duration;

use super::{PARTITIONS, UDP_BYTES};

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

/// Longest server name looked at, in bytes: host names have 253 at most.
pub const SERVER_NAME_LEN: usize = 512;

/// Cipher suites of an offer that are reported; how many more there are is told. Browsers have some twenty, scanners some hundred.
pub const OFFERED_SUITES: usize = 512;

/// Extensions of a hello that are reported.
pub const OFFERED_EXTENSIONS: usize = 512;

/// Entries of the other lists of an offer that are reported: application protocols, groups, signature algorithms…
pub const OFFERED: usize = 256;

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

/// Letters of a handshake's history.
pub const HISTORY: usize = 100;

/// Secrets of a key log that are tried on connections whose true hello is encrypted (ECH), in each partition: together they take less than a second.
pub const KEY_TRIES: u32 = 1 << 12;

/// Bytes of TLS key log kept out of Decryption Secrets Blocks: about sixty thousand TLS 1.3 connections.
pub const SECRET_BYTES: usize = 64 << 20;

/// Connections whose secrets are held: a key log of some hundred megabytes.
pub const KEY_LOG_CONNECTIONS: usize = 1 << 18;

/// Longest line of a key log that is looked at: the longest label, a random and a secret of 64 bytes take some 250 bytes.
pub const KEY_LOG_LINE: usize = 4096;

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
