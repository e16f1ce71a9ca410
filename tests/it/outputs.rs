//! Where output goes: every command that writes a file writes it the same way, whatever its target is.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use super::support::program::{done, handshark, refused, text};
use super::support::skip::skip;
use super::support::{fixtures, incident};

fn capture() -> PathBuf {
    fixtures().join("captures/cert/cert_expired_tls12_java.pcap")
}

/// A command that writes one file, and how what it writes begins and ends.
struct Writer {
    arguments: &'static [&'static str],
    begin: &'static [u8],
    end: &'static [u8],
}

const WRITERS: &[Writer] = &[
    Writer { arguments: &["report", "-o"], begin: b"<!DOCTYPE html>", end: b"</html>" },
    Writer { arguments: &["report", "--format", "md", "-o"], begin: b"# The handshake with ", end: b"\n" },
    Writer { arguments: &["slice", "-o"], begin: b"\x0a\x0d\x0d\x0a", end: b"" },
    #[cfg(feature = "parquet")]
    Writer { arguments: &["read", "-q", "--no-progress", "--parquet"], begin: b"PAR1", end: b"PAR1" },
];

impl Writer {
    fn run(&self, target: &Path, more: &[&str]) -> Output {
        let mut command = handshark();
        command.args(self.arguments).arg(target).arg(capture()).args(more).output().unwrap()
    }

    fn write(&self, target: &Path, more: &[&str]) -> Output {
        let output = self.run(target, more);
        assert!(output.status.success(), "{:?}: {}", self.arguments, String::from_utf8_lossy(&output.stderr));
        output
    }

    fn check(&self, bytes: &[u8]) {
        assert!(
            bytes.starts_with(self.begin) && bytes.ends_with(self.end) && bytes.len() > 100,
            "{:?}: {} bytes",
            self.arguments,
            bytes.len()
        );
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_there_is_replaced_with_force_only_and_keeps_mode_and_owner() {
    for writer in WRITERS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        fs::write(&path, "mine").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        if is_root() {
            std::os::unix::fs::chown(&path, Some(4321), Some(1234)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        let refusal = writer.run(&path, &[]);
        assert!(refusal.status.code() == Some(2) && String::from_utf8_lossy(&refusal.stderr).contains("--force"), "{:?}", writer.arguments);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        writer.write(&path, &["--force"]);
        writer.check(&fs::read(&path).unwrap());
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()), "{:?}", writer.arguments);
        assert_eq!(entries(directory.path()), ["out"]);
    }
}

#[test]
fn certificates_follow_the_same_rule() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("certs");
    let arguments = ["certs", text(&capture()), "-o", text(&out)].map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    done(&arguments);
    let names = entries(&out);
    assert!(refused(&arguments).contains("--force"));
    // A certificate that is there already is somebody's, too; and what had been made by then does not stay.
    fs::remove_file(out.join("index.json")).unwrap();
    let certificates: Vec<_> = names.iter().filter(|name| name.contains(".pem")).collect();
    assert!(certificates.len() == 2, "{names:?}");
    for last in certificates {
        let others = names.iter().filter(|name| *name != last && out.join(name).exists());
        others.for_each(|name| fs::remove_file(out.join(name)).unwrap());
        assert!(refused(&arguments).contains("--force"));
        assert_eq!(entries(&out), std::slice::from_ref(last));
        done(&[&arguments[..], &["--force"]].concat());
        fs::remove_file(out.join("index.json")).unwrap();
    }
    let first = names.iter().find(|name| name.contains(".pem")).unwrap();
    fs::set_permissions(out.join(first), PermissionsExt::from_mode(0o640)).unwrap();
    done(&[&arguments[..], &["--force"]].concat());
    assert_eq!(entries(&out), names);
    assert_eq!(fs::metadata(out.join(first)).unwrap().mode() & 0o777, 0o640);
}

#[test]
fn links_stay_and_their_targets_change() {
    for writer in WRITERS {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/old"), "old").unwrap();
        symlink("far/old", at("link")).unwrap();
        symlink("far/new", at("dangling")).unwrap();
        writer.write(&at("link"), &["--force"]);
        writer.write(&at("dangling"), &[]);
        for (link, target) in [("link", "far/old"), ("dangling", "far/new")] {
            assert_eq!(fs::read_link(at(link)).unwrap(), Path::new(target));
            assert!(fs::symlink_metadata(at(target)).unwrap().is_file());
            writer.check(&fs::read(at(target)).unwrap());
        }
        assert_eq!(entries(&at("far")), ["new", "old"]);
    }
}

/// The tables beside a Parquet file are written together with it: a FIFO under the name of one would have to be read meanwhile.
#[cfg(feature = "parquet")]
#[test]
fn a_fifo_is_no_table_beside_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("night.incidents.parquet");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let path = directory.path().join("night.parquet");
    for more in [&[][..], &["--force"]] {
        let said = refused(&[&["read", "--parquet", text(&path), text(&capture())], more].concat());
        assert!(said.contains("night.incidents.parquet: it is no file; choose another name"), "{said}");
    }
    assert_eq!(entries(directory.path()), ["night.incidents.parquet"]);
}

#[test]
fn a_fifo_is_written_into() {
    for writer in WRITERS {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let reader = thread::spawn({
            let fifo = fifo.clone();
            move || fs::read(fifo).unwrap()
        });
        writer.write(&fifo, &[]);
        writer.check(&reader.join().unwrap());
        assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
        assert_eq!(entries(directory.path()), ["fifo"]);
    }
}

#[test]
fn standard_output_by_its_name_is_written_into() {
    let link = fs::read_link("/dev/stdout").ok();
    for writer in WRITERS.iter().filter(|writer| writer.arguments[0] != "read") {
        writer.check(&writer.write(Path::new("/dev/stdout"), &[]).stdout);
        writer.check(&writer.write(Path::new("-"), &[]).stdout);
        // Behind a regular file that something else has begun.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "before\n").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let appended = File::options().append(true).open(&path).unwrap();
        let mut command = handshark();
        command.args(writer.arguments).arg("/dev/stdout").arg(capture()).stdout(appended);
        assert!(command.output().unwrap().status.success());
        let bytes = fs::read(&path).unwrap();
        writer.check(bytes.strip_prefix(b"before\n").unwrap());
        assert_eq!((fs::metadata(&path).unwrap().ino(), entries(directory.path())), (inode, vec!["log".to_owned()]));
    }
    assert_eq!(fs::read_link("/dev/stdout").ok(), link);
}

/// A device node of the test's own: the host's stay untouched, whatever happens.
fn node(path: &Path, kind: &str, major: &str, minor: &str) -> bool {
    let made = is_root()
        && Command::new("mknod").args(["-m", "666"]).arg(path).args([kind, major, minor]).status().is_ok_and(|status| status.success());
    let usable = made && (kind == "b" || File::options().write(true).open(path).is_ok());
    if !usable {
        skip("device nodes need root, and a file system that allows them");
    }
    usable
}

#[test]
fn devices_are_written_into_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    if !node(&at("null"), "c", "1", "3") || !node(&at("full"), "c", "1", "7") || !node(&at("block"), "b", "259", "1048575") {
        return;
    }
    for writer in WRITERS {
        for more in [&[] as &[&str], &["--force"]] {
            writer.write(&at("null"), more);
            let full = writer.run(&at("full"), more);
            let said = String::from_utf8_lossy(&full.stderr).into_owned();
            assert!(full.status.code() == Some(2) && said.contains("full") && said.contains("No space"), "{:?}: {said}", writer.arguments);
            let block = writer.run(&at("block"), more);
            assert!(block.status.code() == Some(2) && String::from_utf8_lossy(&block.stderr).contains("block device"));
        }
    }
    for (name, numbers) in [("null", (1, 3)), ("full", (1, 7))] {
        let there = fs::symlink_metadata(at(name)).unwrap();
        let device = (rustix::fs::major(there.rdev()), rustix::fs::minor(there.rdev()));
        assert!(there.file_type().is_char_device() && device == numbers, "{name}");
    }
    assert_eq!(entries(directory.path()), ["block", "full", "null"]);
}

/// A file system of 3 MB. Gone with the value.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(directory.path()).stderr(Stdio::null());
        if is_root() && command.status().is_ok_and(|status| status.success()) {
            return Some(Self(directory));
        }
        skip("mounting a small file system needs root");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Leaves room for so many bytes.
    fn fill(&self, room: usize) {
        let mut filler = File::create(self.path("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        let len = filler.metadata().unwrap().len();
        filler.set_len(len - room as u64).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing_half_written() {
    let Some(disk) = Small::mount() else { return };
    fs::write(disk.path("old"), "old").unwrap();
    disk.fill(0);
    for writer in WRITERS {
        for name in ["new", "old"] {
            let output = handshark().args(writer.arguments).arg(disk.path(name)).arg(incident()).arg("--force").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{:?}: {said}", writer.arguments);
            assert!(said.contains(&format!("cannot write to {}", disk.path(name).display())) && said.contains("No space"), "{said}");
        }
        assert_eq!(entries(disk.0.path()), ["filler", "old"], "{:?}", writer.arguments);
        assert_eq!(fs::read(disk.path("old")).unwrap(), b"old");
    }
    let said = refused(&["certs", text(&incident()), "-o", text(&disk.path("certs"))]);
    assert!(said.contains("No space"), "{said}");
    assert!(!disk.path("certs").exists() || entries(&disk.path("certs")).is_empty());
}

#[test]
fn lines_are_whole_on_a_full_disk_and_what_was_not_written_is_an_error() {
    use handshark::output::rotate::{RotatingFile, Rotation};
    use handshark::time::{Clock, Timestamp};
    let Some(disk) = Small::mount() else { return };
    disk.fill(64 << 10);
    let rotation =
        Rotation { size: None, age: None, keep: 1, clock: Clock::new(|| Timestamp::from_parts(1, 0)), reopen: std::sync::Arc::default() };
    let mut file = RotatingFile::open(&disk.path("out"), rotation).unwrap();
    let mut written = 0;
    for number in 0..200 {
        let line = format!("{number} {}\n", "x".repeat(997));
        written += usize::from(file.write_all(line.as_bytes()).and_then(|()| file.flush()).is_ok());
    }
    assert!(written > 50 && written < 100, "{written}");
    let text = fs::read_to_string(disk.path("out")).unwrap();
    assert!(text.lines().count() == written && text.ends_with("x\n") && text.lines().all(|line| line.ends_with(&"x".repeat(997))));
    // There is room again.
    fs::remove_file(disk.path("filler")).unwrap();
    writeln!(file, "again").unwrap();
    file.flush().unwrap();
    assert!(fs::read_to_string(disk.path("out")).unwrap().ends_with("x\nagain\n"));
}

#[test]
fn the_recorder_gives_its_oldest_for_its_newest_when_the_disk_is_full() {
    use handshark::frame::{FrameHead, LinkType};
    use handshark::recorder::{Archive, ArchiveLimits, Kept, Recording};
    use handshark::report::Id;
    use handshark::time::{Clock, Timestamp};
    let Some(disk) = Small::mount() else { return };
    let limits = ArchiveLimits { bytes: 1 << 30, files: 10_000, age: None };
    let mut archive =
        Archive::open(&disk.path("rec"), limits, vec!["eth0".to_owned()], Clock::new(|| Timestamp::from_parts(1, 0))).unwrap();
    assert!(archive.lacking().is_some_and(|lacking| lacking > (1 << 30) - (4 << 20)));
    let said = crate::support::analyse(&[fixtures().join("captures/client-cert/clientcert_missing_tls12_gnutls.pcap")], 1);
    let report = said.typed_handshakes().next().unwrap();
    let mut names = Vec::new();
    for number in 0_u64..100 {
        let mut report = report.clone();
        report.handshake.id = Id::of(&number.to_be_bytes());
        report.handshake.start = Timestamp::from_parts(1_795_251_600 + i64::try_from(number).unwrap(), 0);
        let head = FrameHead {
            number: 1,
            time: Timestamp::from_nanos(5),
            link: LinkType(1),
            interface: 0,
            site: handshark::site::Site::NONE,
            original_len: 100_000,
        };
        let packets = vec![Kept { head, bytes: vec![0; 100_000].into() }];
        let path = archive.write(&Recording { report: Box::new(report), packets, losses: 0 }).unwrap().unwrap();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    let kept = entries(&disk.path("rec"));
    assert!(kept.len() > 15 && kept == names[100 - kept.len()..], "{kept:?}");
}

/// Runs a command on a terminal of its own; what it shows there, and its exit code.
fn on_terminal(arguments: &[&str]) -> Option<(String, i32)> {
    let directory = tempfile::tempdir().unwrap();
    let code = directory.path().join("code");
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}; echo $? > '{}'", env!("CARGO_BIN_EXE_handshark"), words.join(" "), code.display());
    let mut command = Command::new("script");
    let output = command.args(["-q", "-e", "-c", &line]).arg(directory.path().join("typescript")).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        skip("script (bsdutils) is not installed");
        return None;
    };
    let code = fs::read_to_string(code).unwrap();
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), code.trim().parse().unwrap()))
}

#[test]
fn neither_html_nor_packets_go_to_a_terminal_unasked() {
    let capture = capture();
    let capture = text(&capture);
    for arguments in [
        &["report", capture] as &[&str],
        &["report", "-o", "-", capture],
        &["slice", "-o", "-", capture],
        &["slice", "-o", "/dev/stdout", capture],
    ] {
        let Some((shown, code)) = on_terminal(arguments) else { return };
        assert!(code == 2 && shown.contains("terminal") && shown.contains("-o FILE") && shown.len() < 500, "{arguments:?}: {code} {shown}");
    }
    let (page, code) = on_terminal(&["report", "--force", capture]).unwrap();
    assert!(code == 0 && page.contains("</html>"));
    let (ticket, code) = on_terminal(&["report", "--format", "md", capture]).unwrap();
    assert!(code == 0 && ticket.contains("# The handshake with "));
}

#[test]
fn a_signal_ends_a_run_with_what_was_read_and_its_own_exit_code() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut command = handshark();
        command.args(["-", "--no-progress"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&fs::read(capture()).unwrap()).unwrap();
        // It reads as the pipe is drained; the signal must not come before its handler is set.
        thread::sleep(std::time::Duration::from_millis(700));
        // The shell's own: the program comes with a package of its own.
        assert!(Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap().success());
        let (mut shown, mut said) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{said}");
        assert!(shown.contains("Interrupted") && shown.contains("certificate-expired") && said.contains("interrupted"), "{shown}\n{said}");
        drop(stdin);
    }
}

#[test]
fn rotation_that_cannot_work_is_refused_at_start() {
    if !is_root() {
        skip("capturing needs root");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let live = |more: &[&str]| refused(&[&["live", "-i", "lo", "--json", "--duration", "1s"], more].concat());
    if node(&at("null"), "c", "1", "3") {
        assert!(live(&["-o", text(&at("null")), "--rotate-size", "1KiB"]).contains("cannot be rotated"));
        assert!(fs::symlink_metadata(at("null")).unwrap().file_type().is_char_device());
    }
    // The directory stays root's, so that the user could not rename in it.
    let said = live(&["-o", text(&at("out")), "--rotate-size", "1KiB", "--user", "nobody"]);
    assert!(said.contains("could not be rotated"), "{said}");
    assert!(!at("null.1").exists());
}
