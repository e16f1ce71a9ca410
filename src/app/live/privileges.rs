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

/// Drops every capability but the one to open an interface again that was removed; with `all`, that one too. Root without `--user` stays root.
#[cfg(target_os = "linux")]
pub(super) fn drop_capabilities(all: bool) -> anyhow::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let held = capabilities(None).context("cannot read capabilities")?;
    let kept = if all { CapabilitySet::empty() } else { held.permitted & CapabilitySet::NET_RAW };
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).context("cannot drop capabilities")
}

#[cfg(not(target_os = "linux"))]
pub(super) fn drop_capabilities(_: bool) -> anyhow::Result<()> {
    Ok(())
}

/// Confines the process: no file is written but beneath `writable`, none executed, and no TCP connection is made. What the kernel does not know
/// is left out. False when it knows none of it.
#[cfg(target_os = "linux")]
pub(super) fn confine(writable: &[PathBuf]) -> anyhow::Result<bool> {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules};
    let abi = ABI::V5;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?
        // What the kernel tells of interfaces, of this process and of its terminal.
        .add_rules(path_beneath_rules(["/sys", "/proc", "/etc", "/usr/share/zoneinfo"], AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(
            ["/dev/tty", "/dev/pts", "/dev/null"],
            AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev,
        ))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(abi) & !AccessFs::Execute))?
        .restrict_self()
        .context("cannot confine the process")?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_: &[PathBuf]) -> anyhow::Result<bool> {
    Ok(false)
}
