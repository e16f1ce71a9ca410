//! Where defaults come from: the configuration file and the environment.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::{self, Setting};

/// What is set, the file's first: `$HANDSHARK_CONFIG`, or `handshark/config` where the user's configuration is kept, and variables of the
/// environment.
pub(super) fn gather() -> anyhow::Result<Vec<Setting>> {
    let mut all = of_file()?;
    let mut variables = Vec::new();
    for (name, value) in env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) if name.starts_with("HANDSHARK_") => bail!("the variable {name} is not UTF-8"),
            Err(_) => {}
        }
    }
    all.extend(cli::of_environment(variables));
    Ok(all)
}

fn of_file() -> anyhow::Result<Vec<Setting>> {
    let named = env::var_os(cli::CONFIG).map(PathBuf::from);
    let Some(path) = named.clone().or_else(usual).filter(|path| !path.as_os_str().is_empty()) else { return Ok(Vec::new()) };
    if named.is_none() && is_of_others(&path) {
        return Ok(Vec::new());
    }
    let text = match read(&path) {
        Ok(text) => text,
        // What the user did not name need not be there, nor be for this user, as after sudo.
        Err(error) if named.is_none() && is_absence(error.kind()) => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read the configuration file {}", path.display())),
    };
    match cli::settings(&path.display().to_string(), &text) {
        Ok(settings) if settings.len() > SETTINGS => {
            bail!("{}: {} settings, and at most {SETTINGS} are read", path.display(), settings.len())
        }
        Ok(settings) => Ok(settings),
        Err(why) => bail!(why),
    }
}

/// Whether a file is neither this user's nor root's, as under a sudo that keeps `HOME`: options name files to be written, so that its owner would
/// write as this user.
fn is_of_others(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    fs::metadata(path).is_ok_and(|file| ![0, own].contains(&file.uid()))
}

fn read(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    if File::open(path)?.take(LENGTH + 1).read_to_string(&mut text)? as u64 > LENGTH {
        return Err(io::Error::other("it is longer than 64 KiB"));
    }
    Ok(text)
}

/// Bytes of a configuration file, and settings in it.
const LENGTH: u64 = 64 << 10;
const SETTINGS: usize = 256;

const fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied)
}

/// Where it is kept when no variable says so.
fn usual() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // A relative path is none, as the XDG specification has it.
    let base = set("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").filter(|home| home.is_absolute()).map(|home| home.join(".config")))?;
    Some(base.join("handshark/config"))
}
