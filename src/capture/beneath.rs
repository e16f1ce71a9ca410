//! Which files may be read: all of them, or those beneath one directory, where a process reads for somebody who may name anything.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// From now on this process reads captures and rows beneath `directory` only: regular files, by paths relative to it. Whatever leads out of it, by
/// `..`, by a root or by a link, is refused by the kernel when it is opened (`openat2`, Linux 5.6).
///
/// # Errors
///
/// When the directory cannot be opened, when the kernel cannot do this, or when there is such a directory already.
#[cfg(target_os = "linux")]
pub fn read_only_beneath(directory: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, Mode, OFlags, openat};

    let root = openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    linux::find(&root, Path::new("."), OFlags::PATH)?;
    linux::ROOT.set(root).map_err(|_| io::Error::other("captures are read beneath another directory"))
}

/// Only Linux has it.
#[cfg(not(target_os = "linux"))]
pub fn read_only_beneath(_: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Opens a file for reading.
pub(super) fn open(path: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    if let Some(root) = linux::ROOT.get() {
        return linux::open(root, path);
    }
    File::open(path)
}

/// What a path leads to.
pub(super) fn metadata(path: &Path) -> io::Result<Metadata> {
    #[cfg(target_os = "linux")]
    if let Some(root) = linux::ROOT.get() {
        return linux::metadata(root, path);
    }
    fs::metadata(path)
}

/// What lies in a directory, in no order.
pub(super) fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    #[cfg(target_os = "linux")]
    if let Some(root) = linux::ROOT.get() {
        return linux::entries(root, directory);
    }
    fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::fd::{AsRawFd as _, OwnedFd};
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;

    use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::Errno;

    /// The directory, once there is one.
    pub(super) static ROOT: OnceLock<OwnedFd> = OnceLock::new();

    /// Looks a path up without leaving the directory on the way.
    pub(super) fn find(root: &OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve).map_err(|error| match error {
            Errno::XDEV => io::Error::new(io::ErrorKind::PermissionDenied, "it lies outside of the directory whose captures may be read"),
            Errno::LOOP => io::Error::new(io::ErrorKind::PermissionDenied, "it is a link that is not followed"),
            Errno::NOSYS => {
                io::Error::new(io::ErrorKind::Unsupported, "this kernel cannot keep look-ups beneath a directory (openat2, Linux 5.6)")
            }
            error => error.into(),
        })
    }

    /// Opens a regular file. What it is, is known before it is opened: to open a FIFO or a device may do something.
    pub(super) fn open(root: &OwnedFd, path: &Path) -> io::Result<File> {
        let found = File::from(find(root, path, OFlags::PATH)?);
        let metadata = found.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::other("it is a directory"));
        }
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))
    }

    pub(super) fn metadata(root: &OwnedFd, path: &Path) -> io::Result<Metadata> {
        File::from(find(root, path, OFlags::PATH)?).metadata()
    }

    pub(super) fn entries(root: &OwnedFd, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let names = Dir::new(find(root, directory, OFlags::RDONLY | OFlags::DIRECTORY)?)?;
        // What lies in the directory itself goes by its bare name.
        let within = if directory.as_os_str() == "." { Path::new("") } else { directory };
        let mut found = Vec::new();
        for entry in names {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                found.push(within.join(OsStr::from_bytes(name)));
            }
        }
        Ok(found)
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::fs;
        use std::os::unix::fs::symlink;

        use rustix::fs::{CWD, FileType, mknodat, openat};

        #[test]
        fn nothing_leads_out_of_the_directory() {
            let dir = tempfile::tempdir().unwrap();
            let (inside, outside) = (dir.path().join("inside"), dir.path().join("outside"));
            fs::create_dir_all(inside.join("deep")).unwrap();
            fs::write(&outside, "secret").unwrap();
            fs::write(inside.join("deep/file"), "open").unwrap();
            fs::write(inside.join("-o"), "open").unwrap();
            symlink("deep/file", inside.join("link")).unwrap();
            symlink("../outside", inside.join("out")).unwrap();
            symlink("..", inside.join("up")).unwrap();
            symlink(&outside, inside.join("absolute")).unwrap();
            symlink("/proc/self/root", inside.join("magic")).unwrap();
            symlink("loop", inside.join("loop")).unwrap();
            mknodat(CWD, inside.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            let root = openat(CWD, &inside, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
            let read = |path: &str| {
                let mut text = String::new();
                open(&root, Path::new(path)).and_then(|mut file| io::Read::read_to_string(&mut file, &mut text)).map(|_| text)
            };
            for name in ["deep/file", "link", "-o", "deep/../link", "./deep/./file"] {
                assert_eq!(read(name).unwrap(), "open", "{name}");
            }
            for name in ["../outside", "deep/../../outside", "out", "up/outside", "absolute", "/etc/passwd", "magic/etc/passwd", "loop"] {
                assert_eq!(read(name).unwrap_err().kind(), io::ErrorKind::PermissionDenied, "{name}");
                assert!(metadata(&root, Path::new(name)).is_err(), "{name}");
            }
            for name in ["fifo", "deep", "."] {
                assert!(read(name).unwrap_err().to_string().starts_with("it is "), "{name}");
            }
            assert!(entries(&root, Path::new("..")).is_err() && entries(&root, Path::new("up")).is_err());
            let mut names = entries(&root, Path::new(".")).unwrap();
            names.sort();
            let expected = ["-o", "absolute", "deep", "fifo", "link", "loop", "magic", "out", "up"].map(PathBuf::from);
            assert_eq!(names, expected);
            assert_eq!(entries(&root, Path::new("deep")).unwrap(), [PathBuf::from("deep/file")]);
        }
    }
}
