//! What a process may not do once everything is open, by the kernel's word: landlock for files, TCP and signals, a seccomp filter for what neither
//! a capture nor its analysis has a use for. Both hold for the thread that asks and for those it starts.

use std::path::PathBuf;

/// What the kernel enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Confined {
    /// Landlock, in whole or in part.
    pub(super) files: bool,
    /// The filter for system calls.
    pub(super) calls: bool,
}

/// Confines the process: no file is read but beneath `readable` and what is always needed, none written but beneath `writable`, none executed; no socket is made, no process started, looked into or
/// signalled, nothing mounted, no identity changed. With `reopens`, packet sockets can still be made, for interfaces that are removed and come
/// back. What the kernel does not know is left out.
#[cfg(target_os = "linux")]
pub(super) fn confine(readable: &[PathBuf], writable: &[PathBuf], reopens: bool) -> anyhow::Result<Confined> {
    Ok(Confined { files: files::confine(readable, writable)?, calls: calls::forbid(reopens)? })
}

/// Only Linux has these.
#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_: &[PathBuf], _: &[PathBuf], _: bool) -> anyhow::Result<Confined> {
    Ok(Confined { files: false, calls: false })
}

/// Confines the process that looks up owners: it may read, and no more. False where the kernel has no such bounds.
#[cfg(target_os = "linux")]
pub(super) fn confine_to_reading() -> anyhow::Result<bool> {
    reading::confine()
}

#[cfg(target_os = "linux")]
mod reading;

#[cfg(target_os = "linux")]
mod files {
    use std::path::PathBuf;

    use anyhow::Context as _;
    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags,
        path_beneath_rules,
    };

    pub(super) fn confine(readable: &[PathBuf], writable: &[PathBuf]) -> anyhow::Result<bool> {
        let abi = ABI::V6;
        let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules(READ, read))?
            .add_rules(path_beneath_rules(readable, read))?
            .add_rules(path_beneath_rules(
                ["/dev/tty", "/dev/pts", "/dev/null"],
                AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev,
            ))?
            .add_rules(path_beneath_rules(writable, read | make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | RemoveFile})))?
            .restrict_self()
            .context("cannot confine the process")?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    /// What is read later on: what the kernel tells of interfaces, of this process and of its share of the machine; and, where an interface is
    /// opened again, the names of services, protocols and hosts in its filter.
    const READ: [&str; 11] = [
        "/sys/class/net",
        "/sys/devices",
        "/sys/fs/cgroup",
        "/proc/self",
        "/etc/localtime",
        "/etc/services",
        "/etc/protocols",
        "/etc/hosts",
        "/etc/networks",
        "/etc/ethers",
        "/etc/nsswitch.conf",
    ];
}

#[cfg(target_os = "linux")]
mod calls {
    use std::collections::BTreeMap;

    use anyhow::Context as _;
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition, SeccompFilter, SeccompRule,
        TargetArch, apply_filter,
    };

    /// False where the kernel or the machine's architecture has no such filters.
    pub(super) fn forbid(reopens: bool) -> anyhow::Result<bool> {
        let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
        let fail = || "cannot forbid system calls";
        // The C library asks for threads in this way first, and in one whose purpose can be seen when it is told that there is no such call.
        let threads = vec![(libc::SYS_clone3, Vec::new())];
        for (rules, errno) in [(rules(reopens).with_context(fail)?, libc::EPERM), (threads, libc::ENOSYS)] {
            let deny = SeccompAction::Errno(errno.unsigned_abs());
            let rules: BTreeMap<i64, Vec<SeccompRule>> =
                rules.into_iter().flat_map(|(call, rules)| numbers(call).map(move |number| (number, rules.clone()))).collect();
            let filter = SeccompFilter::new(rules, SeccompAction::Allow, deny, arch).with_context(fail)?;
            let program: BpfProgram = filter.try_into().with_context(fail)?;
            if let Err(error) = apply_filter(&program) {
                return if is_unknown(&error) { Ok(false) } else { Err(error).with_context(fail) };
            }
        }
        Ok(true)
    }

    pub(super) fn is_unknown(error: &seccompiler::Error) -> bool {
        matches!(error, seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error)
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)))
    }

    /// The calls that are refused; where there are rules, only when one of them holds.
    fn rules(reopens: bool) -> Result<Vec<(i64, Vec<SeccompRule>)>, seccompiler::BackendError> {
        let mut rules: Vec<(i64, Vec<SeccompRule>)> = ALWAYS.iter().chain(OLD).map(|call| (*call, Vec::new())).collect();
        let when = |argument: u8, len: Len, op: Op, value: u64| Condition::new(argument, len, op, value);
        let own = u64::from(std::process::id());
        // libpcap asks for an interface's abilities over generic netlink, and captures from a packet socket.
        let sockets = if reopens {
            let packet = when(0, Len::Dword, Op::Ne, AF_PACKET)?;
            vec![
                SeccompRule::new(vec![packet.clone(), when(0, Len::Dword, Op::Ne, AF_NETLINK)?])?,
                SeccompRule::new(vec![packet, when(2, Len::Dword, Op::Ne, NETLINK_GENERIC)?])?,
            ]
        } else {
            Vec::new()
        };
        rules.push((libc::SYS_socket, sockets));
        // To answer on a connection no address is given.
        rules.push((libc::SYS_sendto, vec![SeccompRule::new(vec![when(4, Len::Qword, Op::Ne, 0)?])?]));
        // Threads, but no processes.
        rules.push((libc::SYS_clone, vec![SeccompRule::new(vec![when(0, Len::Qword, Op::MaskedEq(CLONE_THREAD), 0)?])?]));
        // The second signal ends the process by a signal of its own.
        for call in [libc::SYS_kill, libc::SYS_tgkill] {
            rules.push((call, vec![SeccompRule::new(vec![when(0, Len::Dword, Op::Ne, own)?])?]));
        }
        Ok(rules)
    }

    /// A call's numbers: by the x32 convention it has another one for the same thing.
    fn numbers(call: i64) -> impl Iterator<Item = i64> {
        [call].into_iter().chain(cfg!(target_arch = "x86_64").then_some(call | X32))
    }

    const X32: i64 = 0x4000_0000;
    const AF_PACKET: u64 = 17;
    const AF_NETLINK: u64 = 16;
    const NETLINK_GENERIC: u64 = 16;
    const CLONE_THREAD: u64 = 0x1_0000;

    const ALWAYS: &[i64] = &[
        // Other machines and programs.
        libc::SYS_connect,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_kcmp,
        // Identity.
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setfsuid,
        libc::SYS_setfsgid,
        libc::SYS_setgroups,
        libc::SYS_capset,
        // Namespaces and mounts.
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_open_by_handle_at,
        // The kernel and the machine.
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_clock_adjtime,
        libc::SYS_adjtimex,
        libc::SYS_syslog,
    ];

    /// Calls that newer architectures do not have.
    #[cfg(target_arch = "x86_64")]
    const OLD: &[i64] = &[libc::SYS_fork, libc::SYS_vfork, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
    #[cfg(not(target_arch = "x86_64"))]
    const OLD: &[i64] = &[];
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
