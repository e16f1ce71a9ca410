//! Certificates, chains of them, and the work that they may cost.

/// Certificates looked at in one chain: OpenSSL's default depth limit is 100.
pub const CHAIN_LEN: usize = 32;

/// Names kept of a `CertificateRequest`'s authorities: enough to see which are meant; a system store has some hundred.
pub const AUTHORITIES: usize = 32;

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

/// Longest Certificate message that a compressed one may become: the length field's own limit (RFC 8879 section 4).
pub const DECOMPRESSED_CERTIFICATE: usize = 1 << 24;

/// Memory that a Zstandard window in a compressed certificate may take, as a power of two: the longest message.
pub const CERTIFICATE_WINDOW_LOG: u32 = 24;
