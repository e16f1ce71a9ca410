//! Where output goes that has a name: the one way to write a file.
//!
//! A regular file, or a name nobody has yet, gets its content in one piece: it is written beside its place and renamed when it is whole, with the
//! mode and the owner of the file it replaces. Symbolic links are followed to what they stand for. What is no regular file (a device, a FIFO, a
//! socket, `/dev/stdout`) is written into, and never renamed or removed. Block devices and directories are refused.
//!
//! One rule holds for all commands: what is there is replaced with `--force` only, and only with it does anything but text go to a terminal.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// How a file is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// Replace what is there; write to a terminal what is no text.
    pub force: bool,
    /// It is text, which a terminal may show.
    pub text: bool,
    /// What the output must not be.
    pub inputs: &'a [PathBuf],
    /// Whether it has to be on the disk before it gets its name.
    pub synced: bool,
}

impl Default for Manner<'_> {
    fn default() -> Self {
        Self { force: false, text: false, inputs: &[], synced: true }
    }
}

/// An output being written. Unless it is delivered, nothing of it is left under its name.
#[derive(Debug)]
pub struct Delivery {
    name: PathBuf,
    out: BufWriter<File>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Written beside the path it is renamed to.
    Beside { draft: Draft, path: PathBuf, there: Option<Metadata>, synced: bool },
    /// Written into as it comes.
    Into,
    /// Written into when it is whole.
    Staged { draft: Draft, stream: File },
}

impl Delivery {
    /// Begins an output at `path`; `-` is standard output. An output that would be lost or lose something is refused here, before any work is done.
    /// Waits for the reader of a FIFO.
    pub fn begin(path: &Path, manner: &Manner<'_>) -> Result<Self> {
        let cannot = |source| failed(path, source);
        if manner.inputs.iter().any(|input| same_file(input, path)) {
            return Err(cannot(refusal("it is an input; name another file")));
        }
        match target(path).map_err(cannot)? {
            Target::File { there: Some(_), .. } if !manner.force => {
                Err(cannot(refusal("it exists already; choose another name, or replace it with --force")))
            }
            Target::File { path: place, there } => {
                let mode = if there.is_some() { PRIVATE } else { ORDINARY };
                let (draft, file) = Draft::beside(&place, mode).map_err(cannot)?;
                let place = Place::Beside { draft, path: place, there, synced: manner.synced };
                Ok(Self { name: path.to_owned(), out: BufWriter::with_capacity(BUFFER, file), place })
            }
            Target::Stream => {
                let stream = open_stream(path).map_err(cannot)?;
                if stream.is_terminal() && !manner.text && !manner.force {
                    return Err(cannot(refusal("it is a terminal, and this is no text; name a file with -o FILE, or insist with --force")));
                }
                Ok(Self { name: path.to_owned(), out: BufWriter::with_capacity(BUFFER, stream), place: Place::Into })
            }
        }
    }

    /// The same for one of several that are written together: a stream will not do, whose reader might not come before the others are read.
    pub fn begin_file(path: &Path, manner: &Manner<'_>) -> Result<Self> {
        match target(path).map_err(|source| failed(path, source))? {
            Target::Stream => Err(failed(path, refusal("it is no file; choose another name"))),
            Target::File { .. } => Self::begin(path, manner),
        }
    }

    /// [`Delivery::begin`], but what goes into a stream is kept until it is delivered, so that it can be read before, or begun anew.
    pub fn staged(self) -> Result<Self> {
        let (name, out) = match self {
            Self { name, out, place: Place::Into } => (name, out),
            other => return Ok(other),
        };
        let cannot = |source| failed(&name, source);
        let stream = out.into_inner().map_err(|error| cannot(error.into_error()))?;
        let directory = std::env::temp_dir();
        let (draft, file) = Draft::beside(&directory.join("slice"), PRIVATE).map_err(|source| failed(&directory, source))?;
        Ok(Self { name, out: BufWriter::with_capacity(BUFFER, file), place: Place::Staged { draft, stream } })
    }

    /// Where its content can be read meanwhile, once it is flushed. None for a stream that is not [`Delivery::staged`].
    pub fn draft(&self) -> Option<&Path> {
        match &self.place {
            Place::Beside { draft, .. } | Place::Staged { draft, .. } => Some(&draft.path),
            Place::Into => None,
        }
    }

    /// Forgets what was written. Not possible for a stream that is not [`Delivery::staged`].
    pub fn restart(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().set_len(0)?;
        self.out.get_mut().rewind()
    }

    /// Puts the whole into its place.
    pub fn deliver(mut self) -> Result<()> {
        self.hand_over().map_err(|source| failed(&self.name, source))
    }

    /// What to say when writing to it fails.
    pub fn failed(&self, source: io::Error) -> Error {
        failed(&self.name, source)
    }

    /// Closes what is whole and keeps its name for later: for files that are to appear together. A stream is handed over at once.
    pub fn seal(mut self) -> Result<Sealed> {
        self.complete().map_err(|source| failed(&self.name, source))?;
        let place = match self.place {
            Place::Beside { draft, path, there, .. } => Some((draft, path, there.is_some())),
            Place::Into | Place::Staged { .. } => None,
        };
        Ok(Sealed { name: self.name, place })
    }

    fn hand_over(&mut self) -> io::Result<()> {
        self.complete()?;
        match &mut self.place {
            Place::Beside { draft, path, there, .. } => draft.put(path, there.is_some()),
            Place::Into | Place::Staged { .. } => Ok(()),
        }
    }

    /// Everything is where it belongs, but for the name.
    fn complete(&mut self) -> io::Result<()> {
        self.out.flush()?;
        match &mut self.place {
            Place::Into => Ok(()),
            Place::Staged { stream, .. } => {
                let file = self.out.get_mut();
                file.rewind()?;
                io::copy(file, stream).map(drop)
            }
            Place::Beside { there, synced, .. } => {
                let file = self.out.get_ref();
                if let Some(there) = there {
                    adopt(file, there)?;
                }
                if *synced { file.sync_all() } else { Ok(()) }
            }
        }
    }
}

/// A whole output that is closed and waits for its name. Unless it is delivered, nothing of it is left.
#[derive(Debug)]
pub struct Sealed {
    name: PathBuf,
    /// Where it lies, where it goes, and whether it replaces what is there; none once it is handed over.
    place: Option<(Draft, PathBuf, bool)>,
}

impl Sealed {
    /// Gives it its name.
    pub fn deliver(self) -> Result<()> {
        let Some((mut draft, path, replace)) = self.place else { return Ok(()) };
        draft.put(&path, replace).map_err(|source| failed(&self.name, source))
    }
}

impl Write for Delivery {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What a path stands for.
#[derive(Debug)]
pub(super) enum Target {
    /// A regular file or a name not in use, links followed.
    File { path: PathBuf, there: Option<Metadata> },
    /// What is written into: see [`open_stream`].
    Stream,
}

/// Looks at what a path stands for. What cannot be written to is an error.
pub(super) fn target(path: &Path) -> io::Result<Target> {
    if is_dash(path) || is_descriptor(path) {
        return Ok(Target::Stream);
    }
    match fs::metadata(path) {
        Ok(there) if there.is_file() => Ok(Target::File { path: path.canonicalize()?, there: Some(there) }),
        Ok(there) if there.is_dir() => Err(refusal("it is a directory; name a file to write to")),
        Ok(there) if there.file_type().is_block_device() => Err(refusal("it is a block device")),
        Ok(_) => Ok(Target::Stream),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Target::File { path: new_name(path)?, there: None }),
        Err(error) => Err(error),
    }
}

/// Opens what is no regular file, to write into it.
pub(super) fn open_stream(path: &Path) -> io::Result<File> {
    if is_dash(path) {
        return io::stdout().as_fd().try_clone_to_owned().map(File::from);
    }
    let connect = || UnixStream::connect(path).map(|stream| File::from(OwnedFd::from(stream)));
    // Behind a descriptor's name there may be a regular file, to which others write, too.
    let mut options = File::options();
    options.append(true).custom_flags(libc::O_NOCTTY);
    match options.open(path) {
        // A socket has no second opening, and a terminal may be another user's.
        Err(_) if is_stdout(path) => open_stream(Path::new("-")),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => connect(),
        opened => opened,
    }
}

/// Gives a new file the mode and, as far as that is possible, the owner of the one that it replaces.
fn adopt(file: &File, there: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    let mut mode = there.mode() & 0o777;
    let (user, group) = (there.uid(), there.gid());
    if (own.uid(), own.gid()) != (user, group)
        && fchown(file, Some(user), Some(group)).is_err()
        && own.gid() != group
        && fchown(file, None, Some(group)).is_err()
    {
        // What was meant for that group is not for another.
        mode &= !0o070;
    }
    file.set_permissions(PermissionsExt::from_mode(mode))
}

/// A file under a name that is not its last. Gone with the value, unless it was put in its place.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    placed: bool,
}

impl Draft {
    /// Makes a file at this very path, where there must be none, nor a link.
    pub(crate) fn create(path: &Path, mode: u32) -> io::Result<(Self, File)> {
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(path)?;
        drafts().insert(path.to_owned());
        Ok((Self { path: path.to_owned(), placed: false }, file))
    }

    /// Makes a file in the directory of `path`, under a name of its own.
    fn beside(path: &Path, mode: u32) -> io::Result<(Self, File)> {
        let directory = directory(path);
        let mut tried = 0;
        loop {
            let name = format!(".handshark-{}-{tried}.part", std::process::id());
            match Self::create(&directory.join(name), mode) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tried < TRIES => tried += 1,
                result => return result,
            }
        }
    }

    /// Gives it its name. What has that name is replaced only when `replace`, and only when it is a regular file.
    pub(crate) fn put(&mut self, path: &Path, replace: bool) -> io::Result<()> {
        if replace {
            match fs::symlink_metadata(path) {
                Ok(there) if !there.is_file() => return Err(refusal("it is no regular file any more")),
                _ => fs::rename(&self.path, path)?,
            }
        } else {
            rename_new(&self.path, path)?;
        }
        drafts().remove(&self.path);
        self.placed = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
            drafts().remove(&self.path);
        }
    }
}

/// Removes what is being written, before the process ends at once.
pub fn abandon() {
    for path in drafts().iter() {
        let _ = fs::remove_file(path);
    }
}

fn drafts() -> std::sync::MutexGuard<'static, BTreeSet<PathBuf>> {
    static DRAFTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    DRAFTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renames to a name that nobody has.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            Err(Errno::EXIST) => return Err(refusal("somebody else made it meanwhile")),
            done => return done.map_err(Into::into),
        }
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(refusal("somebody else made it meanwhile"));
    }
    fs::rename(from, to)
}

/// The name that a path to nothing stands for: links may lead there.
fn new_name(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let name = path.file_name().filter(|_| !path.as_os_str().as_bytes().ends_with(b"/"));
        let name = name.ok_or_else(|| refusal("it is no file name"))?;
        let place = directory(&path).canonicalize()?.join(name);
        match fs::read_link(&place) {
            Ok(link) => path = directory(&place).join(link),
            Err(_) => return Ok(place),
        }
    }
    Err(refusal("its links lead nowhere"))
}

/// Whether a path is a name of one of this process's descriptors, by whatever links: `/dev/stdout`, `/dev/fd/3`.
fn is_descriptor(path: &Path) -> bool {
    let own = PathBuf::from(format!("/proc/{}", std::process::id()));
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if let Ok(parent) = directory(&path).canonicalize()
            && parent.starts_with(&own)
            && parent.ends_with("fd")
        {
            return true;
        }
        match fs::read_link(&path) {
            Ok(link) => path = directory(&path).join(link),
            Err(_) => return false,
        }
    }
    false
}

/// Whether a path is the same thing as standard output.
fn is_stdout(path: &Path) -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(|stdout| File::from(stdout).metadata());
    matches!((fs::metadata(path), stdout), (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn same_file(a: &Path, b: &Path) -> bool {
    let regular = |path: &Path| fs::metadata(path).ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()));
    regular(a).is_some_and(|file| regular(b) == Some(file))
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) fn failed(path: &Path, source: io::Error) -> Error {
    let what = if is_dash(path) { "standard output".to_owned() } else { path.display().to_string() };
    Error::Write { what, source }
}

pub(super) fn refusal(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, why)
}

/// Appends to a name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// As the process's mask allows.
const ORDINARY: u32 = 0o666;
/// Nobody else's business.
const PRIVATE: u32 = 0o600;
const BUFFER: usize = 64 << 10;
/// As many as Linux follows.
const LINKS: usize = 40;
/// Names tried for a draft.
const TRIES: u32 = 100;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::thread;

    use super::*;

    fn write(path: &Path, force: bool, text: &str) -> Result<()> {
        let mut delivery = Delivery::begin(path, &Manner { force, ..Manner::default() })?;
        delivery.write_all(text.as_bytes()).unwrap();
        delivery.deliver()
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page");
        let mut delivery = Delivery::begin(&path, &Manner::default()).unwrap();
        delivery.write_all(b"half").unwrap();
        delivery.flush().unwrap();
        assert!(!path.exists());
        drop(delivery);
        assert_eq!(names(directory.path()), [""; 0]);
        write(&path, false, "one").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(write(&path, false, "two").unwrap_err().to_string().contains("--force"));
        write(&path, true, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(names(directory.path()), ["page"]);
    }

    #[test]
    fn links_are_followed_to_what_they_stand_for() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/there"), "old").unwrap();
        symlink("far/there", at("link")).unwrap();
        symlink("link", at("link2")).unwrap();
        symlink("far/new", at("dangling")).unwrap();
        write(&at("link2"), true, "new").unwrap();
        write(&at("dangling"), false, "made").unwrap();
        assert_eq!(
            (fs::read_to_string(at("far/there")).unwrap(), fs::read_to_string(at("far/new")).unwrap()),
            ("new".into(), "made".into())
        );
        for link in ["link", "link2", "dangling"] {
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        }
        symlink("round", at("round")).unwrap();
        assert!(write(&at("round"), true, "x").is_err());
    }

    /// A named pipe in this directory, and what somebody reads from it.
    fn fifo_with_reader(directory: &Path) -> (PathBuf, thread::JoinHandle<String>) {
        let fifo = directory.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let reader = thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).unwrap()
        });
        (fifo, reader)
    }

    #[test]
    fn what_is_no_regular_file_is_written_into() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, reader) = fifo_with_reader(directory.path());
        // Nothing of a stream is replaced: no --force is needed.
        write(&fifo, false, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
        let socket = directory.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        write(&socket, false, "spoken").unwrap();
        let mut heard = String::new();
        listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "spoken");
        assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
        assert_eq!(names(directory.path()), ["fifo", "socket"]);
    }

    #[test]
    fn a_stream_that_is_staged_gets_its_content_once() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, reader) = fifo_with_reader(directory.path());
        let mut delivery = Delivery::begin(&fifo, &Manner::default()).unwrap().staged().unwrap();
        delivery.write_all(b"a first attempt").unwrap();
        delivery.restart().unwrap();
        delivery.write_all(b"second").unwrap();
        delivery.flush().unwrap();
        let draft = delivery.draft().unwrap().to_owned();
        assert_eq!(fs::read_to_string(&draft).unwrap(), "second");
        delivery.deliver().unwrap();
        assert_eq!(reader.join().unwrap(), "second");
        assert!(!draft.exists());
    }

    #[test]
    fn directories_inputs_and_devices_that_hold_file_systems_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(write(directory.path(), true, "x").unwrap_err().to_string().contains("directory"));
        assert!(write(&directory.path().join("none/page"), true, "x").is_err());
        assert!(write(&directory.path().join("none/"), true, "x").is_err());
        let input = directory.path().join("input");
        fs::write(&input, "packets").unwrap();
        fs::hard_link(&input, directory.path().join("other")).unwrap();
        for name in ["input", "other"] {
            let manner = Manner { force: true, inputs: std::slice::from_ref(&input), ..Manner::default() };
            assert!(Delivery::begin(&directory.path().join(name), &manner).unwrap_err().to_string().contains("is an input"));
        }
    }

    #[test]
    fn a_name_taken_meanwhile_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page");
        let mut delivery = Delivery::begin(&path, &Manner::default()).unwrap();
        delivery.write_all(b"late").unwrap();
        fs::write(&path, "first").unwrap();
        assert!(delivery.deliver().is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(names(directory.path()), ["page"]);
    }
}
