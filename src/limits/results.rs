//! What is made of handshakes, and what comes from or goes to somewhere else: verdicts that wait, reports, logs, shards, owners, agents.

use std::time::Duration;

/// Bytes of a line of JSON that is read again: longer than any that is written of a handshake.
pub const ROW_LEN: usize = 8 << 20;

/// Names that were looked up in the DNS, of which is remembered what the answers said: as many mail servers as one writes to in an hour.
pub const LOOKED_UP: usize = 1 << 11;

/// Askers of a name whose answers are remembered, the latest: a client, and the resolver that asks for it.
pub const LOOKED_UP_BY: usize = 2;

/// Bytes of handshakes whose verdicts wait for what others show: beyond this the oldest is judged.
pub const HELD_BYTES: usize = 64 << 20;

/// Longest line of a log that is looked at; what is behind is left out.
pub const LOG_LINE: usize = 8 << 10;

/// Characters of a log's line that are kept and shown: error queues of OpenSSL are long.
pub const LOG_TEXT: usize = 400;

/// Bytes of log lines kept, with what each takes besides its text: more than a hundred thousand lines that speak of TLS.
pub const LOG_BYTES: usize = 48 << 20;

/// Parts that reports share (a kind of client's offer, a kind of server's answer, a certificate) remembered of each sort: browsers that shuffle
/// their extensions make thousands of offers.
pub const SHARED_PARTS: usize = 8192;

/// Bytes of the offers among them, of which ordinary ones take some kilobytes.
pub const OFFER_BYTES: usize = 24 << 20;

/// Bytes of the answers.
pub const ANSWER_BYTES: usize = 2 << 20;

/// Bytes of the certificates.
pub const CERTIFICATE_REPORT_BYTES: usize = 8 << 20;

/// Handshakes that wait to be judged, live, and blocks that brought them: a fifth of a second of a busy link. Beyond it what comes waits in the
/// kernel's ring.
pub const LIVE_BACKLOG: usize = 4096;

/// Bytes of one flow that the flight recorder keeps: more than a handshake with long chains, less than a download.
pub const RECORD_FLOW_BYTES: usize = 128 << 10;

/// Flows that the flight recorder keeps packets of.
pub const RECORD_FLOWS: usize = 1 << 16;

/// Connections whose owners on this host are remembered, and questions about owners that wait: a minute of a thousand connections a second, and some
/// seconds.
pub const OWNED_CONNECTIONS: usize = 1 << 16;

/// See [`OWNED_CONNECTIONS`].
pub const OWNER_QUESTIONS: usize = 8192;

/// Flows of which a condensate tells in one second of packet time what was left out, over all partitions.
pub const LATE_FLOWS: usize = 1 << 14;

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
