//! Who on the capturing host owns an end of a connection: process, user, container, pod, unit.
//!
//! Only a live run knows, and only of ends on its own host. Names are those that processes and container engines give themselves: strangers' words.

use serde::{Deserialize, Serialize};

use crate::flow::Side;
use crate::time::Timestamp;

/// What is known of who owns one end of a connection that lies on the capturing host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// How the owner is known, or why no process is.
    pub basis: Basis,
    /// The process that holds the socket.
    pub process: Option<Process>,
    /// Whose it is.
    pub user: Option<User>,
    /// The container that it runs in.
    pub container: Option<Container>,
    /// The Kubernetes pod of that container.
    pub pod: Option<Pod>,
    /// The systemd unit that it runs in, outside of containers.
    pub unit: Option<String>,
}

/// How the owner of an end is known, or why no process is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The process holds the connection's own socket.
    Connection,
    /// The process listens there; the connection's own socket was not accepted yet, or closed already, when it was looked up.
    Listener,
    /// The owner had ended, or closed the connection, before it could be looked up.
    Gone,
    /// The owner's process may not be seen with the rights that the run has.
    Hidden,
    /// No process holds the socket: it is the kernel's own.
    Kernel,
    /// Several network namespaces have such a socket.
    Ambiguous,
}

impl Basis {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Connection, Self::Listener, Self::Gone, Self::Hidden, Self::Kernel, Self::Ambiguous];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Listener => "listener",
            Self::Gone => "gone",
            Self::Hidden => "hidden",
            Self::Kernel => "kernel",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number on the host.
    pub pid: u32,
    /// Its name, as the kernel has it: at most 15 bytes, which the process itself may change.
    pub name: String,
    /// The path of its program, as its own file system has it.
    pub executable: Option<String>,
    /// When it began.
    #[serde(with = "nanos")]
    pub start: Option<Timestamp>,
    /// Others that hold the same socket: children that inherited it, workers of one listener. Bounded.
    pub sharers: Vec<Sharer>,
}

/// A process that shares a socket with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharer {
    /// Its number on the host.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its number on the host.
    pub id: u32,
    /// Its name there; absent for what runs in a container, whose users are others.
    pub name: Option<String>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Container {
    /// Its identifier, as its engine has it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The image that it was made from.
    pub image: Option<String>,
    /// The engine, by the name of its control group.
    pub runtime: Option<String>,
}

/// A Kubernetes pod.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pod {
    /// Its UID.
    pub uid: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
}

/// Who owns the ends at one side of an incident's handshakes: most of those whose owner is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonOwner {
    /// Whose ends.
    pub side: Side,
    /// The name of the processes.
    pub process: String,
    /// The process's number, where it is one.
    pub pid: Option<u32>,
    /// The container that it runs in.
    pub container: Option<Container>,
    /// The Kubernetes pod of that container.
    pub pod: Option<Pod>,
    /// The systemd unit that it runs in, outside of containers.
    pub unit: Option<String>,
    /// How many of the incident's handshakes.
    pub handshakes: u64,
}

impl Owner {
    /// An owner of whom only this is known.
    pub const fn unknown(basis: Basis) -> Self {
        Self { basis, process: None, user: None, container: None, pod: None, unit: None }
    }
}

/// A moment as a number, between the processes of one run.
mod nanos {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::time::Timestamp;

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::nanos).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(Timestamp::from_nanos))
    }
}
