//! Giving up, once everything is open, what will not be needed any more.
//!
//! Threads inherit what their creator has given up, so this must come before the first of them.

use std::path::PathBuf;

use anyhow::Context as _;

/// A user to become.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    name: String,
    uid: nix::unistd::Uid,
    gid: nix::unistd::Gid,
}

/// Looks a user up, while it still can be.
pub(super) fn identity(name: &str) -> anyhow::Result<Identity> {
    let user = nix::unistd::User::from_name(name).with_context(|| format!("cannot look up user {name}"))?;
    let user = user.with_context(|| format!("there is no user {name}"))?;
    Ok(Identity { name: name.to_owned(), uid: user.uid, gid: user.gid })
}

impl Identity {
    /// A user and a group by their numbers.
    pub(super) fn numbered(user: u32, group: u32) -> Self {
        Self { name: format!("user {user}"), uid: user.into(), gid: group.into() }
    }

    /// The numbers of the user and the group.
    pub(super) fn numbers(&self) -> [u32; 2] {
        [self.uid.as_raw(), self.gid.as_raw()]
    }

    /// Gives something to the user and its group, as far as that is possible.
    pub(super) fn give(&self, give: impl FnOnce(u32, u32) -> std::io::Result<()>) {
        let _ = give(self.uid.as_raw(), self.gid.as_raw());
    }

    /// Becomes this user, with its own group and no other.
    pub(super) fn assume(&self) -> anyhow::Result<()> {
        let fail = || format!("cannot become {} (only root can become another user)", self.name);
        #[cfg(not(target_os = "macos"))]
        nix::unistd::setgroups(&[self.gid]).with_context(fail)?;
        nix::unistd::setgid(self.gid).with_context(fail)?;
        nix::unistd::setuid(self.uid).with_context(fail)
    }
}

/// What was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The process is root still, but for what capabilities allow.
    pub(super) root: bool,
    /// An interface that was removed can be opened again.
    pub(super) reopens: bool,
    /// Root may write where others may.
    pub(super) writes_anywhere: bool,
}

/// Empties the bounding set, so that no program that this process could start would have more than it. To be called while the right to do so is
/// there; without it nothing is changed.
#[cfg(target_os = "linux")]
pub(super) fn empty_bounding_set() {
    use rustix::thread::{CapabilitySet, capability_is_in_bounding_set, remove_capability_from_bounding_set};
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        // Numbers that the kernel does not know are errors, and so is the lack of `CAP_SETPCAP`.
        if capability_is_in_bounding_set(capability).is_ok_and(|there| there) {
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
}

/// Drops every capability but the one to open an interface again that was removed; with `all`, that one too. Root keeps the right to write where
/// others may as well, when one of the directories in which files will be made is not its own.
#[cfg(target_os = "linux")]
pub(super) fn drop_capabilities(all: bool, writable: &[PathBuf]) -> anyhow::Result<Dropped> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
    let root = nix::unistd::geteuid().is_root();
    let held = capabilities(None).context("cannot read capabilities")?;
    let mut wanted = if all { CapabilitySet::empty() } else { CapabilitySet::NET_RAW };
    if root && !writable.iter().all(|directory| is_roots(directory)) {
        wanted |= CapabilitySet::DAC_OVERRIDE;
    }
    let kept = held.permitted & wanted;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).context("cannot drop capabilities")?;
    Ok(Dropped { root, reopens: kept.contains(CapabilitySet::NET_RAW), writes_anywhere: kept.contains(CapabilitySet::DAC_OVERRIDE) })
}

/// Keeps what it takes to look into other users' processes, and nothing else; becomes this user.
#[cfg(target_os = "linux")]
pub(super) fn keep_to_look(identity: Option<&Identity>) -> anyhow::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities};
    empty_bounding_set();
    if let Some(identity) = identity {
        set_keep_capabilities(true).context("cannot keep capabilities")?;
        identity.assume()?;
    }
    let kept = capabilities(None).context("cannot read capabilities")?.permitted & LOOK;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).context("cannot drop capabilities")
}

/// Whether this process may look into those of other users.
#[cfg(target_os = "linux")]
pub(super) fn may_look() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|held| held.permitted.contains(LOOK))
}

/// To follow the links of others' descriptors, and to open the directories that hold them.
#[cfg(target_os = "linux")]
const LOOK: rustix::thread::CapabilitySet = rustix::thread::CapabilitySet::SYS_PTRACE.union(rustix::thread::CapabilitySet::DAC_READ_SEARCH);

/// Root may make files there without a capability.
#[cfg(target_os = "linux")]
fn is_roots(directory: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(directory).is_ok_and(|data| match (data.uid(), data.gid()) {
        (0, _) => data.mode() & 0o300 == 0o300,
        (_, 0) => data.mode() & 0o030 == 0o030,
        _ => data.mode() & 0o003 == 0o003,
    })
}

/// Capabilities are Linux's.
#[cfg(not(target_os = "linux"))]
pub(super) fn empty_bounding_set() {}

/// Capabilities are Linux's.
#[cfg(not(target_os = "linux"))]
pub(super) fn may_look() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Capabilities are Linux's.
#[cfg(not(target_os = "linux"))]
pub(super) fn drop_capabilities(_: bool, _: &[PathBuf]) -> anyhow::Result<Dropped> {
    let root = nix::unistd::geteuid().is_root();
    Ok(Dropped { root, reopens: true, writes_anywhere: root })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_what_capture_needs_and_may_not_get_more() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::chown(other.path(), Some(65534), Some(65534)).unwrap();
        for (directory, writes_anywhere, capabilities) in
            [(own.path(), false, "0000000000002000"), (other.path(), true, "0000000000002002")]
        {
            let directory = directory.to_owned();
            // Capabilities are a thread's own.
            let dropped = std::thread::spawn(move || {
                empty_bounding_set();
                let dropped = drop_capabilities(false, &[directory]).unwrap();
                (dropped, std::fs::read_to_string("/proc/thread-self/status").unwrap())
            });
            let (dropped, status) = dropped.join().unwrap();
            assert_eq!(dropped, Dropped { root: true, reopens: true, writes_anywhere });
            for line in [format!("CapEff:\t{capabilities}"), format!("CapPrm:\t{capabilities}"), "CapBnd:\t0000000000000000".to_owned()] {
                assert!(status.contains(&line), "{line}\n{status}");
            }
        }
    }
}
