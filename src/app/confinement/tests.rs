//! What is refused, tried from inside.
#![allow(unsafe_code, reason = "system calls are tried as an intruder would try them")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::{fs, thread};

use super::*;

/// The error of a system call; 0 when it has none.
fn call(number: i64, arguments: [u64; 5]) -> i32 {
    // SAFETY: what is called here either takes no pointers, or is given null or an address that is never mapped.
    let result = unsafe { libc::syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]) };
    if result == -1 { io::Error::last_os_error().raw_os_error().unwrap_or_default() } else { 0 }
}

/// In a thread of its own, whose bounds end with it.
fn confined<T: Send + 'static>(writable: &[PathBuf], reopens: bool, then: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let writable = writable.to_vec();
    let inside = move || {
        let confined = confine(&[], &writable, reopens).unwrap();
        (confined.files && confined.calls).then(then)
    };
    thread::spawn(inside).join().unwrap()
}

const NOBODY: u64 = u64::MAX;
const NOWHERE: u64 = 8;
/// Of what they do when they are not refused, nothing is felt: their arguments are wrong, or ask for what is so already.
const REFUSED: &[(&str, i64, [u64; 5])] = &[
    ("a UDP socket", libc::SYS_socket, [2, 2, 0, 0, 0]),
    ("a raw socket", libc::SYS_socket, [2, 3, 1, 0, 0]),
    ("a packet socket", libc::SYS_socket, [17, 3, 0, 0, 0]),
    ("a netlink socket", libc::SYS_socket, [16, 3, 0, 0, 0]),
    ("a unix socket", libc::SYS_socket, [1, 1, 0, 0, 0]),
    ("connect", libc::SYS_connect, [NOBODY, 0, 0, 0, 0]),
    ("sendto an address", libc::SYS_sendto, [NOBODY, 0, 0, 0, NOWHERE]),
    ("sendmsg", libc::SYS_sendmsg, [NOBODY, 0, 0, 0, 0]),
    ("execve", libc::SYS_execve, [NOWHERE, 0, 0, 0, 0]),
    ("execveat", libc::SYS_execveat, [NOBODY, NOWHERE, 0, 0, 0]),
    ("ptrace", libc::SYS_ptrace, [NOBODY, NOBODY, 0, 0, 0]),
    ("process_vm_readv", libc::SYS_process_vm_readv, [1, 0, 0, 0, 0]),
    ("pidfd_open", libc::SYS_pidfd_open, [1, NOBODY, 0, 0, 0]),
    ("kill", libc::SYS_kill, [1, 0, 0, 0, 0]),
    ("mount", libc::SYS_mount, [NOWHERE, NOWHERE, NOWHERE, 0, 0]),
    ("umount2", libc::SYS_umount2, [NOWHERE, 0, 0, 0, 0]),
    ("chroot", libc::SYS_chroot, [NOWHERE, 0, 0, 0, 0]),
    ("setuid", libc::SYS_setuid, [NOBODY, 0, 0, 0, 0]),
    ("setgid", libc::SYS_setgid, [NOBODY, 0, 0, 0, 0]),
    ("setresuid", libc::SYS_setresuid, [NOBODY, NOBODY, NOBODY, 0, 0]),
    ("setgroups", libc::SYS_setgroups, [1, NOWHERE, 0, 0, 0]),
    ("capset", libc::SYS_capset, [NOWHERE, 0, 0, 0, 0]),
    ("unshare", libc::SYS_unshare, [0, 0, 0, 0, 0]),
    ("setns", libc::SYS_setns, [NOBODY, 0, 0, 0, 0]),
    ("bpf", libc::SYS_bpf, [NOBODY, NOWHERE, 8, 0, 0]),
    ("io_uring_setup", libc::SYS_io_uring_setup, [0, NOWHERE, 0, 0, 0]),
    ("perf_event_open", libc::SYS_perf_event_open, [NOWHERE, 0, 0, NOBODY, 0]),
    ("init_module", libc::SYS_init_module, [NOWHERE, 0, NOWHERE, 0, 0]),
    ("sethostname", libc::SYS_sethostname, [NOWHERE, 5, 0, 0, 0]),
    ("settimeofday", libc::SYS_settimeofday, [NOWHERE, 0, 0, 0, 0]),
];

#[test]
fn what_a_capture_has_no_use_for_is_refused() {
    let before: Vec<i32> = REFUSED.iter().map(|(_, number, arguments)| call(*number, *arguments)).collect();
    let refusals = || REFUSED.iter().map(|(_, number, arguments)| call(*number, *arguments)).collect::<Vec<i32>>();
    let Some(after) = confined(&[], false, refusals) else { return };
    for ((name, ..), error) in REFUSED.iter().zip(&after) {
        assert_eq!(*error, libc::EPERM, "{name}");
    }
    // The filter did it, not the lack of a right: these need none.
    for ((name, ..), error) in REFUSED.iter().zip(&before) {
        if ["a UDP socket", "a unix socket", "connect", "sendmsg", "execve", "ptrace", "unshare", "setuid"].contains(name) {
            assert_ne!(*error, libc::EPERM, "{name}, unconfined");
        }
    }
    assert_eq!(confined(&[], false, || call(libc::SYS_clone3, [0; 5])), Some(libc::ENOSYS));
}

#[test]
fn an_interface_can_be_opened_again_where_that_is_allowed() {
    let tried = || {
        let (packet, generic, route) = ([17, 3, 0, 0, 0], [16, 3, 16, 0, 0], [16, 3, 0, 0, 0]);
        [packet, generic, route, [2, 2, 0, 0, 0], [1, 2, 0, 0, 0]].map(|arguments| call(libc::SYS_socket, arguments))
    };
    let Some([packet, generic, rest @ ..]) = confined(&[], true, tried) else { return };
    assert_eq!((generic, rest), (0, [libc::EPERM; 3]));
    assert!(packet == 0 || !nix::unistd::geteuid().is_root(), "{packet}");
}

#[test]
fn files_are_written_where_outputs_are_and_nowhere_else() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (in_path, out_path) = (inside.path().to_owned(), outside.path().to_owned());
    fs::write(out_path.join("there"), "").unwrap();
    let tried = move || {
        let denied = |result: io::Result<()>| result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        let written = fs::write(in_path.join("a"), "x").and_then(|()| fs::rename(in_path.join("a"), in_path.join("b")));
        let listed = fs::read_dir("/proc/self").is_ok();
        let refused = [
            denied(fs::write(out_path.join("new"), "")),
            denied(fs::write(out_path.join("there"), "x")),
            denied(fs::remove_file(out_path.join("there"))),
            denied(fs::create_dir(in_path.join("directory"))),
            denied(std::os::unix::fs::symlink("/etc/passwd", in_path.join("link"))),
            denied(fs::read("/etc/passwd").map(drop)),
            denied(fs::read("/proc/1/status").map(drop)),
        ];
        (written.is_ok(), listed, refused)
    };
    let Some(found) = confined(&[inside.path().to_owned()], false, tried) else { return };
    assert_eq!(found, (true, true, [true; 7]));
}

#[test]
fn threads_and_open_sockets_go_on_and_nothing_else_begins() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let tried = move || {
        let answered = listener.accept().and_then(|(mut stream, _)| stream.write_all(b"ok"));
        let thread = thread::Builder::new().spawn(|| 7).map(|thread| thread.join().unwrap_or_default());
        let pair = UnixStream::pair();
        let begun = [
            Command::new("true").spawn().is_ok(),
            TcpStream::connect(address).is_ok(),
            TcpListener::bind("127.0.0.1:0").is_ok(),
            UdpSocket::bind("127.0.0.1:0").is_ok(),
        ];
        (answered.is_ok(), thread.ok(), pair.is_ok(), begun)
    };
    let Some(found) = confined(&[], false, tried) else { return };
    assert_eq!(found, (true, Some(7), true, [false; 4]));
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "ok");
}
