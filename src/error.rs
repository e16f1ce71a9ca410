//! Errors of operations: opening, reading, filtering, writing. What a capture *contains* never is one.

use std::io;
use std::path::PathBuf;

/// What could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The path as given.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Reading failed in the middle (a disk error, not a damaged capture).
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a capture.
    #[error("{} is not a capture file: {why}. handshark reads pcap and pcapng, plain or compressed with gzip, zstd, lz4 or xz", path.display())]
    NotACapture {
        /// The path as given.
        path: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// The beginning of a capture, and not even all of that.
    #[error("{} is cut short: {why}", path.display())]
    CutShort {
        /// The path as given.
        path: PathBuf,
        /// What is there of what.
        why: String,
    },
    /// A condensate that cannot be read as it was asked for.
    #[error("{} is a condensate: {why}", path.display())]
    Condensate {
        /// The path as given.
        path: PathBuf,
        /// What is in the way, and what to do.
        why: String,
    },
    /// A directory without a capture in it.
    #[error("no capture file in {}", path.display())]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A capture filter that does not compile.
    #[error("the filter {filter:?} is not a valid capture filter: {why} (see `man pcap-filter`)")]
    Filter {
        /// The expression as given.
        filter: String,
        /// libpcap's reason.
        why: String,
    },
    /// An interface that cannot be captured on.
    #[error("cannot capture on {name}: {why}")]
    Interface {
        /// The interface as given.
        name: String,
        /// libpcap's reason.
        why: String,
    },
    /// The system does not let this user capture.
    #[error(
        "no permission to capture on {name}. Capturing needs CAP_NET_RAW (and CAP_NET_ADMIN for promiscuous mode): give them to the program once with \
         `sudo setcap cap_net_raw,cap_net_admin+ep \"$(command -v handshark)\"`, or start it as root and let `--user` drop what it no longer needs. \
         Where only a group may capture (wireshark, pcap), join it and pipe: `dumpcap -i {name} -P -w - | handshark -`"
    )]
    Permission {
        /// The interface as given.
        name: String,
    },
    /// A file with certificates or keys that cannot be used.
    #[error("cannot use {}: {why}", path.display())]
    Material {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Output could not be written.
    #[error("cannot write to {what}: {source}")]
    Write {
        /// Standard output, or the path.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;
