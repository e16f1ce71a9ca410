//! The bounds of the process that looks up owners: it may read, and talk over what is open already. Whatever is not listed here is refused.
//!
//! Landlock cannot be among them: a process that it confines may not look into any other, which is all that this one does.

use std::collections::BTreeMap;

use anyhow::Context as _;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// Confines the process for good. False where the kernel or the machine's architecture has no such filters.
pub(super) fn confine() -> anyhow::Result<bool> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
    let fail = || "cannot confine the process";
    let filter =
        SeccompFilter::new(rules().with_context(fail)?, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow, arch);
    let program: BpfProgram = filter.with_context(fail)?.try_into().with_context(fail)?;
    match apply_filter(&program) {
        Ok(()) => Ok(true),
        Err(error) if super::calls::is_unknown(&error) => Ok(false),
        Err(error) => Err(error).with_context(fail),
    }
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let none_of = |argument: u8, bits: i32| {
        let bits = u64::from(bits.unsigned_abs());
        SeccompRule::new(vec![Condition::new(argument, Len::Dword, Op::MaskedEq(bits), 0)?]).map(|rule| vec![rule])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().chain(OLD).map(|call| (*call, Vec::new())).collect();
    // To read, and never to write or to make.
    rules.insert(libc::SYS_openat, none_of(2, libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC)?);
    // Memory, but no code.
    rules.insert(libc::SYS_mmap, none_of(2, libc::PROT_EXEC)?);
    rules.insert(libc::SYS_mprotect, none_of(2, libc::PROT_EXEC)?);
    // To whom a socket is connected already.
    let connected = SeccompRule::new(vec![Condition::new(4, Len::Qword, Op::Eq, 0)?])?;
    rules.insert(libc::SYS_sendto, vec![connected]);
    Ok(rules)
}

const ALLOWED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_recvfrom,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_ppoll,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = &[libc::SYS_poll, libc::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[i64] = &[];
