//! Every bound in one place, each with its reason. When one is hit, a counter rises and the summary says so. What an analysis may take in all is
//! the sum of [`BUDGETS`].

mod captures;
mod certificates;
mod flows;
mod handshakes;
mod results;

pub use captures::*;
pub use certificates::*;
pub use flows::*;
pub use handshakes::*;
pub use results::*;

/// Bytes that one of those takes, at most.
const LATE_RECORD: usize = 128;

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
